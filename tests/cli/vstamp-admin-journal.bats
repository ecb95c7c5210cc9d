#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp-admin journal: what the folder of a stopped replica holds, and what of it is damaged.

bats_require_minimum_version 1.5.0

load group
teardown() { group_teardown; }

journal() { run --separate-stderr vstamp-admin journal "$@"; }

# A folder of two lives with a checkpoint, $FOLDER; no batch of the first life is the newest one.
make_folder() {
    group_start 1 "checkpoint_ops: 64"
    group_wait_primary
    for i in {1..100}; do echo "put key$i value-$i"; done | vstamp shell >/dev/null
    group_wait "a checkpoint" group_is 0 checkpoint_number 64
    # else a start takes another one: once it is stored, nobody needs what is before it
    group_wait "it to be stored" test ! -e "$BATS_TEST_TMPDIR/data/0/journal-0000000000000001"
    vstamp put "two words" $'a\nb'
    group_stop 0
    group_start_one 0
    group_wait_primary
    vstamp put last one
    group_stop 0
    FOLDER=$BATS_TEST_TMPDIR/data/0
}

flip() { # FILE PLACE: one bit
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059 # it is an octal escape
    printf "\\$(printf %03o $((byte ^ 4)))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# records KIND: FILE PLACE SIZE of each.
records() {
    vstamp-admin journal "$FOLDER" list | awk -v kind="$1" '$4 == kind { print $1, $2, $3 }'
}

newest_op() { vstamp-admin journal "$FOLDER" | sed -n 's/^entries .* to //p'; }

@test "a sound folder: whose it is, what it holds, and nothing is written" {
    make_folder
    before=$(cd "$FOLDER" && stat -c '%n %Y %s' . * && cksum -- *)
    unset VSTAMP_CONFIG
    cd "$BATS_TEST_TMPDIR"
    rm server-config.yaml
    journal "$FOLDER"
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [[ $output == *"replica      0"* ]]
    [[ $output == *"taking part"* ]]
    [[ $output == *"checkpoint   op 64, "* ]]
    [[ $output == *"entries      65 to 1"* ]]
    [ "${lines[-1]}" = sound ]
    journal "$FOLDER" verify
    [ "${lines[-1]}" = sound ]
    [ "$(cd "$FOLDER" && stat -c '%n %Y %s' . * && cksum -- *)" = "$before" ]
}

@test "show decodes the requests of an entry, as one would type them" {
    make_folder
    op=$(newest_op)
    journal "$FOLDER" show "$op"
    [ "$status" -eq 0 ]
    [[ $output == *"entry $op  "* ]]
    [[ $output == *" apply put last one" ]]
    for ((at = op; at > 64; at--)); do
        vstamp-admin journal "$FOLDER" show "$at"
    done >"$BATS_TEST_TMPDIR/shown"
    grep -qF 'apply put "two words" a\nb' "$BATS_TEST_TMPDIR/shown"
    grep -qF "apply put key100 value-100" "$BATS_TEST_TMPDIR/shown"
    grep -q "^  client .* session 0 request 1  register$" "$BATS_TEST_TMPDIR/shown"
    at=$(sed -n '/^entry/h; /register$/{x;s/^entry \([0-9]*\).*/\1/p;q}' "$BATS_TEST_TMPDIR/shown")
    [[ $(vstamp-admin --json journal "$FOLDER" show "$at") == *'"number":1,"kind":"register"'* ]]
    journal "$FOLDER" show 3
    [ "$status" -eq 1 ]
    [[ $output == *"below the checkpoint"* ]]
    journal "$FOLDER" show $((op + 1))
    [ "$status" -eq 1 ]
    [[ $output == *"not here: the journal holds 65 to $op"* ]]
}

@test "list has a line for each record, from an entry on, and as JSON" {
    make_folder
    [ "$(vstamp-admin journal "$FOLDER" list | grep -c " entry ")" -ge $(($(newest_op) - 64)) ]
    journal "$FOLDER" list --first 70 --limit 2
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[0]} == *" entry 70  "* ]]
    cd "$BATS_TEST_TMPDIR"
    vstamp-admin --json journal "$FOLDER" list >list.json
    vstamp-admin --json journal "$FOLDER" >verify.json
    vstamp-admin --json journal "$FOLDER" show 70 >show.json
    [ "$(wc -l <verify.json)" -eq 1 ]
    [[ $(<verify.json) == *'"sound":true'*'"findings":[]'* ]]
    [[ $(<verify.json) == *"\"members\":[\"$(group_address 0)\"],"* ]]
    mv "$FOLDER" $'caf\xe9'
    [[ $(vstamp-admin --json journal $'caf\xe9') == '{"folder":"caf?","sound":true,'* ]]
    [[ $(vstamp-admin --json bisect $'caf\xe9' $'caf\xe9') == *'"folder":"caf?","address":'* ]]
    command -v python3 >/dev/null || skip "no python3 to read JSON with"
    python3 -c 'import json, sys
for line in sys.stdin: json.loads(line)' < <(cat list.json verify.json show.json)
}

@test "a flipped bit is found, in whatever record, and its file and place are named" {
    make_folder
    for kind in batch state entry; do # of the first life: that its batches were written is proven
        records "$kind" | awk 'NR == 1 { first = $1 } $1 == first && NR % 9 == 1' \
            >"$BATS_TEST_TMPDIR/sample"
        [ -s "$BATS_TEST_TMPDIR/sample" ]
        while read -r file place size; do
            flip "$FOLDER/$file" $((place + size / 2))
            journal "$FOLDER"
            echo "$kind $place: $output"
            [ "$status" -eq 1 ]
            [[ $output == *"DAMAGED      $file, byte "* ]]
            [[ $output != *"sound"* ]]
            [[ $(vstamp-admin --json journal "$FOLDER") == *'"sound":false'*"\"file\":\"$file\""* ]]
            flip "$FOLDER/$file" $((place + size / 2))
        done <"$BATS_TEST_TMPDIR/sample"
    done
    journal "$FOLDER"
    [ "$status" -eq 0 ]
}

@test "a damaged entry is still named" {
    make_folder
    read -r file place size < <(records entry)
    op=$(vstamp-admin journal "$FOLDER" list | awk '$4 == "entry" { print $5; exit }')
    flip "$FOLDER/$file" $((place + size - 20))
    journal "$FOLDER"
    [ "$status" -eq 1 ]
    [[ $output == *"$file, byte $place: entry $op is damaged; only its header is known"* ]]
    journal "$FOLDER" show "$op"
    [ "$status" -eq 0 ]
    [[ $output == *"damaged: only its header is known"* ]]
    [[ $(vstamp-admin journal "$FOLDER" list) == *"entry $op "*"(damaged; "* ]]
}

@test "the torn end of the last write is no damage, and said" {
    make_folder
    read -r file place size < <(records entry | tail -n 1)
    # As if nothing had been written behind it.
    behind=$(((place + size + 4095) / 4096))
    dd if=/dev/zero of="$FOLDER/$file" bs=4096 seek=$behind count=8 conv=notrunc status=none
    journal "$FOLDER"
    [ "$status" -eq 0 ]
    [[ $output == *"last write   finished"* ]]
    op=$(newest_op)
    flip "$FOLDER/$file" $((place + size / 2))
    journal "$FOLDER"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"last write   not finished"* ]]
    [ "$(newest_op)" -eq $((op - 1)) ]
}

@test "segments that were cut off or are missing, and damaged files put aside" {
    make_folder
    file=$(records entry | head -n 1 | cut -d ' ' -f 1)
    cp "$FOLDER/$file" "$BATS_TEST_TMPDIR/whole"
    truncate -s 8192 "$FOLDER/$file"
    journal "$FOLDER"
    [ "$status" -eq 1 ]
    [[ $output == *"DAMAGED      $file, byte 8192: was cut off"* ]]
    rm "$FOLDER/$file"
    journal "$FOLDER"
    [ "$status" -eq 1 ]
    [[ $output == *"DAMAGED      "* ]]
    cp "$BATS_TEST_TMPDIR/whole" "$FOLDER/$file"
    : >"$FOLDER/damaged-pages.mdb"
    journal "$FOLDER"
    [ "$status" -eq 1 ]
    [[ $output == *"DAMAGED      damaged-pages.mdb: "* ]]
    : >"$FOLDER/damaged-"$'\xff' # a name that is no text
    journal --json "$FOLDER"
    [ "$status" -eq 1 ]
    [[ $output == *'"file":"damaged-pages.mdb"'* ]]
    [[ $output == *'"file":"damaged-?"'* ]]
}

@test "a stray file with the name of a segment, however far away or large" {
    make_folder
    : >"$FOLDER/journal-ffffffffffffffff" # nobody counts that far
    run timeout 20 vstamp-admin journal "$FOLDER"
    [ "$status" -eq 0 ]
    : >"$FOLDER/journal-00ffffffffffffff"
    run timeout 20 vstamp-admin journal "$FOLDER"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"DAMAGED      journal-"*": is missing"* ]]
    [[ $output == *"DAMAGED      journal-00ffffffffffffff"*": was cut off"* ]]
    truncate -s 1T "$FOLDER/journal-00ffffffffffffff" # a hole, which is not read for minutes
    run timeout 20 vstamp-admin journal "$FOLDER"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"DAMAGED      journal-00ffffffffffffff"*": is larger than any segment"* ]]
}

@test "a folder that cannot be listed to its end is not called sound" {
    local library n=0
    make_folder
    library=$(cd "${top_builddir:?}" && pwd)/tests/cli/.libs/bad_folder.so
    LD_PRELOAD=$library vstamp-admin --version || skip "LD_PRELOAD does not work here"
    while LD_PRELOAD=$library BAD_FOLDER_NAMES=$n journal "$FOLDER"
        [[ $stderr == *"bad-folder: "* ]]; do
        [ "$status" -eq 2 ]
        [[ $stderr == *"vstamp-admin: $FOLDER"*": cannot list"*": Input/output error" ]]
        n=$((n + 1))
    done
    [ "$status" -eq 0 ]
    ((n > 10)) # it is listed more than once
}

@test "a damaged store of pages" {
    make_folder
    pages=$FOLDER/pages.mdb
    cp "$pages" "$BATS_TEST_TMPDIR/whole"
    for at in $(grep -abo value-17 "$pages" | cut -d : -f 1); do flip "$pages" "$at"; done
    journal "$FOLDER"
    [ "$status" -eq 1 ]
    [[ $output == *"DAMAGED      pages.mdb: page "*" does not check"* ]]
    cp "$BATS_TEST_TMPDIR/whole" "$pages"
    dd if=/dev/zero of="$pages" bs=4096 seek=2 count=40 conv=notrunc status=none
    journal "$FOLDER"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"DAMAGED      pages.mdb: damaged: "* ]]
    rm "$pages"
    journal "$FOLDER"
    [ "$status" -eq 1 ]
    [[ $output == *"DAMAGED      pages.mdb: the checkpoint before the journal is missing"* ]]
}

@test "the newest segment is missing: the one that was made for later tells of it" {
    make_folder
    group_start_one 0
    made_ahead() { [ "$(ls "$FOLDER"/journal-* | wc -l)" -ge 3 ]; }
    group_wait "a segment to be made" made_ahead
    group_kill 0
    newest=$(ls "$FOLDER"/journal-* | tail -n 2 | head -n 1)
    mv "$newest" "$BATS_TEST_TMPDIR/away"
    journal "$FOLDER"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"DAMAGED      ${newest##*/}: is missing"* ]]
    run ! timeout 20 vstamp-replica --index 0
    [[ $output == *"$newest: is missing"* ]]
    mv "$BATS_TEST_TMPDIR/away" "$newest"
    group_start_one 0
    [ "$(vstamp --timeout 20 get last)" = one ]
}

@test "an entry that another view has replaced is shown with what replaced it" {
    group_start 3 "view_change_ms: 1500" # three times that it takes requests though it hears nobody
    vstamp put a b
    group_wait_agree
    group_wait_primary
    old=$PRIMARY
    op=$(($(group_field "$old" op_number) + 1))
    for i in 0 1 2; do ((i == old)) || group_kill "$i"; done
    vstamp --timeout 20 put lonely value 3>&- &
    group_adopt $!
    group_wait "the entry" group_is "$old" op_number "$op"
    kill -KILL $!
    group_kill "$old"
    for i in 0 1 2; do ((i == old)) || group_start_one "$i"; done
    group_wait_primary
    vstamp put c d
    group_start_one "$old"
    group_wait_agree
    group_stop "$old"
    FOLDER=$BATS_TEST_TMPDIR/data/$old
    journal "$FOLDER" show "$op"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c "^entry $op  " <<<"$output")" -ge 2 ]
    [[ $(grep "^entry $op  " <<<"$output" | head -n 1) == *"replaced, or void" ]]
    [[ $(grep "^entry $op  " <<<"$output" | tail -n 1) == *" committed" ]]
}

@test "what is in use, or is no replica's folder, is refused in words" {
    group_start 1
    group_wait_primary
    journal "$BATS_TEST_TMPDIR/data/0"
    [ "$status" -eq 2 ]
    [[ $stderr == *"data/0: locked: a vstamp-replica is using this folder"* ]]
    mkdir "$BATS_TEST_TMPDIR/empty"
    for folder in "$BATS_TEST_TMPDIR/empty" "$BATS_TEST_TMPDIR/data"; do
        journal "$folder"
        [ "$status" -eq 2 ]
        [[ $stderr == *"$folder: not a replica's folder"* ]]
    done
    journal "$BATS_TEST_TMPDIR/none"
    [ "$status" -eq 2 ]
    [[ $stderr == *"none: No such file or directory"* ]]
    for words in "look" "show" "show x" "list 3" "verify --first 3"; do
        # shellcheck disable=SC2086 # they are words
        journal "$BATS_TEST_TMPDIR/data/0" $words
        [ "$status" -eq 2 ]
    done
}

#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Groups with durability: disk: what was acknowledged outlives every process, and damage is not
# mistaken for a crash.  Of disks that are full tells vstamp-replica-full.bats.

bats_require_minimum_version 1.5.0
load group

teardown() { group_teardown; }

put() { vstamp --timeout 20 put "$@"; }
get() { vstamp --timeout 20 get "$@"; }

start_all() {
    local i
    for ((i = 0; i < GROUP_SIZE; i++)); do group_start_one "$i"; done
}

# with_checkpoints N [PUTS]: a group of N that has executed 40 puts, or PUTS; its last replica has
# stored a checkpoint, and is stopped.
with_checkpoints() {
    local last=$(($1 - 1))
    group_start "$1" "checkpoint_ops: 16"
    for i in $(seq "${2:-40}"); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    group_has_checkpoint() { [ "$(group_field "$1" checkpoint_number)" -gt 0 ]; }
    group_wait "a checkpoint" group_has_checkpoint "$last"
    group_stop "$last"
}

@test "all are killed at once: what was acknowledged is there" {
    local i
    group_start 3
    for i in 1 2 3; do
        put "k$i" "v$i"
        group_kill 0 1 2
        start_all
    done
    for i in 1 2 3; do [ "$(get "k$i")" = "v$i" ]; done
    group_wait_agree
}

@test "all are killed under load: no acknowledged increment is lost, none ran twice" {
    local acknowledged load
    group_start 3
    group_wait_primary
    yes "incr n" | head -n 2000 | vstamp --timeout 30 shell >"$BATS_TEST_TMPDIR/out" 3>&- &
    load=$!
    group_adopt "$load"
    group_wait "some increments" test -s "$BATS_TEST_TMPDIR/out"
    group_kill 0 1 2
    start_all
    wait "$load"
    acknowledged=$(wc -l <"$BATS_TEST_TMPDIR/out")
    [ "$acknowledged" -eq 2000 ]
    [ "$(get n)" -eq 2000 ]
}

@test "checkpoints: the journal is cut, and a restart begins at the checkpoint" {
    group_start 1 "checkpoint_ops: 16"
    for i in $(seq 100); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    group_has_checkpoint() { [ "$(group_field 0 checkpoint_number)" -gt 0 ]; }
    group_wait "a checkpoint" group_has_checkpoint
    group_stop 0
    ls "$BATS_TEST_TMPDIR/data/0"
    [ -s "$BATS_TEST_TMPDIR/data/0/pages.mdb" ]
    [ ! -e "$BATS_TEST_TMPDIR/data/0/journal-0000000000000001" ]
    group_start_one 0
    [ "$(get k1)" = v1 ]
    [ "$(get k100)" = v100 ]
}

@test "segments that a checkpoint frees become later ones, two of them" {
    local folder=$BATS_TEST_TMPDIR/data/0 i spares
    group_start 1 "log_bytes: 107MiB" "checkpoint_ops: 1048576" # one each 40 MiB: three segments
    head -c 500000 /dev/zero | tr '\0' v >"$BATS_TEST_TMPDIR/value"
    group_has_spares() { [ -e "$folder/journal.spare" ] && [ -e "$folder/journal.spare.2" ]; }
    for i in $(seq 90); do put key <"$BATS_TEST_TMPDIR/value"; done
    group_wait "two spares" group_has_spares
    spares=$(stat -c %i "$folder/journal.spare" "$folder/journal.spare.2")
    for i in $(seq 70); do put key <"$BATS_TEST_TMPDIR/value"; done
    group_is_used() { stat -c %i "$folder"/journal-* | grep -qx "$1"; }
    for i in $spares; do group_wait "the spare $i to be used" group_is_used "$i"; done
}

@test "a spare segment that does not fit gives its place to one that does" {
    local folder=$BATS_TEST_TMPDIR/data/0
    group_start 1
    put k v
    group_stop 0
    head -c 8192 /dev/zero >"$folder/journal.spare"
    cp "$folder/journal.spare" "$folder/journal.spare.2"
    group_start_one 0
    [ "$(get k)" = v ]
    [ ! -e "$folder/journal.spare" ]
    [ ! -e "$folder/journal.spare.2" ]
}

@test "a start that has much to read says so" {
    with_checkpoints 1
    group_never grep event=reading-folder "$BATS_TEST_TMPDIR/replica-0.log"
    truncate -s 300M "$BATS_TEST_TMPDIR/data/0/pages.mdb" # what is behind its pages is nothing
    group_start_one 0
    [ "$(get k40)" = v40 ]
    grep "level=info .*event=reading-folder .* bytes=314572800" "$BATS_TEST_TMPDIR/replica-0.log"
}

@test "a store of pages that a crash left half made is made anew" {
    group_start 1 "checkpoint_ops: 16"
    put k v
    group_kill 0
    echo half >"$BATS_TEST_TMPDIR/data/0/pages.mdb.tmp"
    group_start_one 0
    for i in $(seq 100); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    group_has_checkpoint() { [ -s "$BATS_TEST_TMPDIR/data/0/pages.mdb" ]; }
    group_wait "a checkpoint" group_has_checkpoint
    [ ! -e "$BATS_TEST_TMPDIR/data/0/pages.mdb.tmp" ]
    group_kill 0
    group_start_one 0
    [ "$(get k)$(get k100)" = vv100 ]
}

# file_with TEXT: the journal's file, of replica 0, that holds it, and where: sets FILE and PLACE.
file_with() {
    FILE=$(grep -l -a "$1" "$BATS_TEST_TMPDIR"/data/0/journal-* | tail -n 1)
    PLACE=$(grep -abo "$1" "$FILE" | tail -n 1 | cut -d: -f1)
}

@test "a torn tail is passed over, and said so" {
    group_start 1
    put k first-value
    put l second-value
    group_kill 0
    file_with second-value
    dd if=/dev/zero of="$FILE" bs=1 seek="$PLACE" count=65536 conv=notrunc status=none
    group_start_one 0
    [ "$(get k)" = first-value ]
    run ! get l
    grep -q "event=journal-tail-dropped segment=1 place=" "$BATS_TEST_TMPDIR/replica-0.log"
}

@test "damage is not a torn tail: it is refused, and file and entry are named" {
    local status=0
    group_start 1
    put k first-value
    put l second-value
    group_kill 0
    file_with first-value
    printf '\377' | dd of="$FILE" bs=1 seek="$PLACE" conv=notrunc status=none
    timeout 20 vstamp-replica --index 0 2>"$BATS_TEST_TMPDIR/err" || status=$?
    cat "$BATS_TEST_TMPDIR/err" >&2
    [ "$status" -eq 2 ]
    grep -q "^vstamp-replica: $FILE: damaged at byte [0-9]*, in entry " "$BATS_TEST_TMPDIR/err"
}

@test "how the journal is written is said, and can be chosen" {
    group_start 1 # with GROUP_OPTIONS
    group_wait_primary
    [[ $(group_field 0 journal_io) == @(ring|thread) ]]
    group_stop 0
    GROUP_OPTIONS="--journal-io thread" group_start_one 0
    group_wait_primary
    group_wait_field 0 journal_io thread
    run vstamp-replica --index 0 --journal-io paper
    [ "$status" -eq 2 ]
    [[ $output == *"expected ring or thread"* ]]
}

@test "a damaged checkpoint is refused, and the file named, wherever the damage is" {
    local folder=$BATS_TEST_TMPDIR/data/0 at size status n_refused=0
    with_checkpoints 1
    cp -r "$folder" "$BATS_TEST_TMPDIR/sound"
    size=$(stat -c %s "$folder/pages.mdb")
    serves_or_is_gone() { ! group_running 0 || [ "$(vstamp --timeout 1 get k40)" = v40 ]; }
    for ((at = 5; at < size; at += size / 40)); do
        printf '\252' | dd of="$folder/pages.mdb" bs=1 seek="$at" conv=notrunc status=none
        group_start_one 0
        group_wait "replica 0 to serve or to go" serves_or_is_gone
        if group_running 0; then # nothing that is in use was there
            group_stop 0
        else
            status=0
            group_reap 0 || status=$?
            [ "$status" -eq 2 ]
            tail -n 1 "$BATS_TEST_TMPDIR/replica-0.log" | grep "^vstamp-replica: $folder"
            n_refused=$((n_refused + 1))
        fi
        rm -r "$folder"
        cp -r "$BATS_TEST_TMPDIR/sound" "$folder"
    done
    [ "$n_refused" -gt 0 ]
}

@test "stored pages that rot while the replica runs are noticed, and stored anew" {
    local pages=$BATS_TEST_TMPDIR/data/0/pages.mdb at n=0
    group_start 1 "checkpoint_ops: 16"
    for i in $(seq 20); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    group_has_checkpoint() { [ "$(group_field 0 checkpoint_number)" -gt 0 ]; }
    group_wait "a checkpoint" group_has_checkpoint
    # In the first checkpoint no page is free, and what holds one of ours has the flag 4.
    for ((at = 0; at < $(stat -c %s "$pages"); at += 4096)); do
        [ "$(od -An -tu2 -j $((at + 10)) -N 2 "$pages" | tr -d ' ')" -eq 4 ] || continue
        printf '\252' | dd of="$pages" bs=1 seek=$((at + 4000)) conv=notrunc status=none
        n=$((n + 1))
    done
    [ "$n" -gt 0 ]
    all_are_mended() {
        [ "$(group_field 0 rotten_pages)" -ge "$n" ] &&
            tail -n 1 "$BATS_TEST_TMPDIR/replica-0.log" | grep -q "event=stored-pages-mended"
    }
    # it looks at all in a quarter of a minute, and may have been past them
    GROUP_DEADLINE=60 group_wait "the pages to be stored anew" all_are_mended
    [ "$(grep -c "level=error .*event=stored-page-rotten page=" \
        "$BATS_TEST_TMPDIR/replica-0.log")" -eq "$n" ]
    group_kill 0
    group_start_one 0
    [ "$(get k1)$(get k20)" = v1v20 ]
}

# sound_after_stop I: its folder is, and the next start needs nobody to be told what it holds.
sound_after_stop() {
    group_stop "$1"
    vstamp-admin journal "$BATS_TEST_TMPDIR/data/$1" verify
    group_start_one "$1"
}

@test "an acknowledged batch that rots while the replica runs is found, and stored anew" {
    local log=$BATS_TEST_TMPDIR/replica-0.log
    group_start 1
    put k first-value
    put l second-value
    file_with first-value
    ln "$FILE" "$BATS_TEST_TMPDIR/rotten"
    printf '\377' | dd of="$FILE" bs=1 seek="$PLACE" conv=notrunc status=none
    group_wait_log 0 "level=error .*event=journal-rotten file=${FILE##*/} place=[0-9]* first_op="
    group_wait_log 0 "event=journal-mended file=${FILE##*/}"
    [ "$(group_field 0 rotten_batches)" -eq 1 ]
    group_http 0 /metrics | grep -q '^vstamp_rotten_batches_total 1'
    group_wait "it to go" test ! -e "$FILE"
    [ "$(stat -c %h "$BATS_TEST_TMPDIR/rotten")" -eq 1 ] # nor is it kept for a later segment
    sound_after_stop 0
    [ "$(get k)$(get l)" = first-valuesecond-value ]
    [ "$(grep -c 'level=error' "$log")" -eq 1 ]
}

@test "a segment that is cut short, or taken away, while the replica runs is noticed, too" {
    local i
    group_start 1
    for i in 1 2; do
        put "k$i" "value-$i"
        file_with "value-$i"
        if [ "$i" -eq 1 ]; then truncate -s 65536 "$FILE"; else rm "$FILE"; fi
        group_wait_log 0 "level=error .*event=journal-rotten file=${FILE##*/} place="
        group_wait_log 0 "event=journal-mended file=${FILE##*/}"
    done
    sound_after_stop 0
    [ "$(get k1)$(get k2)" = value-1value-2 ]
}

@test "a file of the folder that is missing, or was cut between two records, is noticed" {
    local data=$BATS_TEST_TMPDIR/data/0 status
    group_start 1 "checkpoint_ops: 16"
    for i in $(seq 5); do put "k$i" v; group_kill 0; group_start_one 0; done
    for i in $(seq 40); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    group_has_checkpoint() { [ "$(group_field 0 checkpoint_number)" -gt 0 ]; }
    group_wait "a checkpoint" group_has_checkpoint
    group_stop 0
    cp -r "$data" "$data.sound"
    refused() {
        status=0
        timeout 20 vstamp-replica --index 0 2>"$BATS_TEST_TMPDIR/err" || status=$?
        cat "$BATS_TEST_TMPDIR/err" >&2
        [ "$status" -eq 2 ]
        grep -q "$1" "$BATS_TEST_TMPDIR/err"
        rm -r "$data"
        cp -r "$data.sound" "$data"
    }
    rm "$data"/pages.mdb
    refused "$data/journal-.*: the checkpoint before the journal is missing"
    rm "$data"/journal-*
    refused "$data: the journal that follows the checkpoint is missing"
    group_start_one 0
    put more v
    group_kill 0
    rm -r "$data.sound"
    cp -r "$data" "$data.sound"
    truncate -s 64 "$(ls "$data"/journal-* | head -n 1)"
    refused "$data/journal-.*: damaged: its end is missing"
    group_start_one 0
    [ "$(get more)" = v ]
}

@test "a log that was made smaller is no damage: the setting is named" {
    local status=0
    group_start 1 "checkpoint_ops: 1000"
    for i in $(seq 300); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    group_stop 0
    sed -i 's/^checkpoint_ops: .*/checkpoint_ops: 16/' "$VSTAMP_CONFIG"
    timeout 20 vstamp-replica --index 0 2>"$BATS_TEST_TMPDIR/err" || status=$?
    cat "$BATS_TEST_TMPDIR/err" >&2
    [ "$status" -eq 2 ]
    grep -q "holds more entries .* give it the log_bytes and checkpoint_ops" "$BATS_TEST_TMPDIR/err"
    sed -i 's/^checkpoint_ops: .*/checkpoint_ops: 1000/' "$VSTAMP_CONFIG"
    group_start_one 0
    [ "$(get k300)" = v300 ]
}

@test "a replica whose folder is lost comes back from the others" {
    group_start 3
    put k v
    group_kill 1
    rm -r "$BATS_TEST_TMPDIR/data/1"
    put k w
    group_start_one 1
    group_wait_agree
    [ "$(get k)" = w ]
    # a new group says which folders it made; who comes back without one is to be looked after
    cd "$BATS_TEST_TMPDIR"
    grep -q "level=info .*event=folder-empty folder=.*/data/0" replica-0.log
    group_never grep -q event=recovering replica-0.log
    [ "$(grep -c "event=folder-empty folder=.*/data/1" replica-1.log)" -eq 2 ]
    grep -q 'level=warn .*event=recovering .*reason="its folder was empty,' replica-1.log
}

# lose I: kill replica I, take its folder away, start it again.
lose() {
    group_kill "$1"
    rm -r "$BATS_TEST_TMPDIR/data/$1"
    group_start_one "$1"
}

@test "a folder that is lost while the view changes: nothing that was acknowledged is" {
    local i old
    group_start 5
    for i in 1 2 3; do
        group_wait_primary
        old=$PRIMARY
        put "before$i" v
        group_kill "$old"
        lose $(((old + 1) % 5)) # whose turn it is to be the primary
        put "during$i" v
        group_start_one "$old"
        group_wait_agree
    done
    for i in 1 2 3; do [ "$(get "before$i")$(get "during$i")" = vv ]; done
}

@test "a folder that is lost while a majority is down: the group waits for one that remembers" {
    local old status=0
    group_start 3
    group_wait_primary
    old=$PRIMARY
    group_wait_agree
    group_kill $(((old + 2) % 3))
    put k v # the primary and one backup hold it
    group_kill "$old"
    group_start_one $(((old + 2) % 3))
    lose $(((old + 1) % 3))
    vstamp --timeout 1 get k || status=$?
    [ "$status" -eq 3 ]
    group_start_one "$old"
    [ "$(get k)" = v ]
    group_wait_agree
}

# damage I: the beginning of its oldest journal segment, behind which there is more.
damage() {
    local oldest
    oldest=$(ls "$BATS_TEST_TMPDIR/data/$1"/journal-* | head -n 1)
    dd if=/dev/zero of="$oldest" bs=64K count=1 conv=notrunc status=none
}

@test "a replica whose files are damaged recovers from the others, and its folder is sound again" {
    local data=$BATS_TEST_TMPDIR/data/1
    group_start 3
    for i in $(seq 50); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    group_wait_agree
    group_kill 1
    damage 1
    mkdir "$data/lost+found" # of a volume; and what an operator has put there
    echo notes >"$data/notes"
    group_start_one 1
    group_wait_log 1 'level=error .*event=folder-damaged reason=".*/data/1/journal-.*: '
    group_wait_agree
    group_wait_log 1 event=recovered-from-damage
    damage_is_gone() { ! ls "$BATS_TEST_TMPDIR/data/1"/damaged-* 2>/dev/null; }
    group_wait "the damaged files to go" damage_is_gone
    [ -d "$data/lost+found" ]
    [ "$(cat "$data/notes")" = notes ]
    put more v
    group_wait_agree
    group_kill 1
    group_start_one 1
    group_wait_agree
    [ "$(get k50)$(get more)" = v50v ]
    [ "$(grep -c event=folder-damaged "$BATS_TEST_TMPDIR/replica-1.log")" -eq 1 ]
}

# refuses I STATUS PATTERN: it has ended so, with such a last line, and no file was put aside.
refuses() {
    local status=0
    group_wait "replica $1 to end" group_never group_running "$1"
    group_reap "$1" || status=$?
    [ "$status" -eq "$2" ]
    tail -n 1 "$BATS_TEST_TMPDIR/replica-$1.log" | grep "$3"
    run ! compgen -G "$BATS_TEST_TMPDIR/data/$1/damaged-*"
}

@test "what the system does not let a replica open is not damaged" {
    local data=$BATS_TEST_TMPDIR/data/2 file
    with_checkpoints 3
    # root may open anything, unless it gives that up
    [ "$(id -u)" -ne 0 ] || GROUP_RUN="setpriv --bounding-set=-dac_override,-dac_read_search"
    for file in "$data/pages.mdb" "$data"/journal-*; do
        chmod 0 "$file"
        group_start_one 2
        refuses 2 2 "^vstamp-replica: $file: .*open: Permission denied: run this as the user who"
        run vstamp-admin journal "$data" verify # by whoever runs this test
        [[ $output == *sound || $output == *"$file"*": Permission denied"* ]]
        chmod 600 "$file"
    done
    group_start_one 2
    group_wait_agree
    group_never grep -q event=folder-damaged "$BATS_TEST_TMPDIR/replica-2.log"
}

# runs_with NAME: replica 2, with what tests/cli/NAME.c does to it.
runs_with() {
    local library=${top_builddir:?}/tests/cli/.libs/$1.so
    library=$(cd "${library%/*}" && pwd)/${library##*/}
    LD_PRELOAD=$library vstamp-replica --version || skip "LD_PRELOAD does not work here"
    GROUP_RUN[2]="env LD_PRELOAD=$library"
}

# The look at the pages is a process of its own, and has the lock.
@test "who ends the look at the pages ends the replica, and the other way round" {
    local data=$BATS_TEST_TMPDIR/data/2 looking
    with_checkpoints 3
    runs_with slow_pages
    group_looks() { looking=$(group_children 2) && [ -n "$looking" ]; }
    group_start_one 2
    group_wait "a look" group_looks
    kill -KILL "$looking"
    # a supervisor is to try again
    refuses 2 1 "^vstamp-replica: $data/pages.mdb: cannot check it: signal 9 ended the process"
    group_start_one 2
    group_wait "a look" group_looks
    group_kill 2
    group_wait "the end of the look" group_never kill -0 "$looking" 2>/dev/null
    GROUP_RUN[2]=
    group_start_one 2
    group_wait_agree
}

@test "a replica that reads its folder is alive, and not ready" {
    with_checkpoints 3
    runs_with slow_pages
    group_start_one 2
    group_wait "an answer" group_http 2 /livez >/dev/null
    [[ $(group_http 2 /livez) == "HTTP/1."?" 200 "*$'\nok' ]]
    [[ $(group_http 2 /readyz) == "HTTP/1."?" 503 "*'"reason":"it reads its folder"}' ]]
    [[ $(group_http 2 /metrics) == "HTTP/1."?" 503 "*$'\nit reads its folder' ]]
    run vstamp-admin -t 20 status
    [[ $output == *"($(group_address 2)) is down: it reads its folder"* ]]
    group_kill 2
    GROUP_RUN[2]=
    group_start_one 2
    group_wait_agree
}

# What is not listed would be taken for lost, be it the newest segment of the journal.
@test "a folder that cannot be listed to its end is not read" {
    local data=$BATS_TEST_TMPDIR/data/2 names
    with_checkpoints 3
    names=$(ls "$data")
    runs_with bad_folder
    group_start_one 2
    refuses 2 2 "^vstamp-replica: $data.*: cannot list.*: Input/output error"
    [ "$(ls "$data")" = "$names" ]
    GROUP_RUN[2]=
    group_start_one 2
    group_wait_agree
}

@test "a ring that the kernel has no memory for is tried again, and not for ever" {
    local library
    library=$(cd "${top_builddir:?}" && pwd)/tests/cli/.libs/busy_ring.so
    cd "$BATS_TEST_TMPDIR"
    LD_PRELOAD=$library vstamp-replica --version || skip "LD_PRELOAD does not work here"
    GROUP_RUN[0]="env LD_PRELOAD=$library BUSY_RING=busy"
    group_start 1
    [ "$(group_field 0 journal_io)" = ring ] || skip "there are no rings here"
    echo 3 >busy
    put k v
    [ "$(get k)" = v ]
    echo 1000000 >busy
    run ! vstamp --timeout 5 put k w
    refuses 0 1 'event=disk-failed .*it: Resource temporarily unavailable" hint="it is not the disk'
    rm busy
    group_start_one 0
    [ "$(get k)" = v ]
}

# not_kept N: after some operations more, replica 2 has said so often that its trail is not kept.
not_kept() {
    for i in $(seq 40); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    [ "$(grep -c 'level=warn .*event=trail-not-kept reason="Is a directory"' \
        "$BATS_TEST_TMPDIR/replica-2.log")" -eq "$1" ]
}

@test "what may be lost and cannot be kept is told once, and nothing waits for it" {
    local data=$BATS_TEST_TMPDIR/data/2 log=$BATS_TEST_TMPDIR/replica-2.log
    with_checkpoints 3 200
    has_cut() { (($(group_field "$1" log_start) > 1)); }
    for i in 0 1; do group_wait "a log that lacks the first entries" has_cut "$i"; done
    rm -r "$data"
    mkdir -p "$data/trail"
    ln -s gone/pages "$data/fetched-pages"
    group_start_one 2
    group_wait_agree
    [ "$(grep -c 'level=warn .*event=fetched-pages-not-kept reason="No such file' "$log")" -eq 1 ]
    group_wait "the trail to be missed" not_kept 1
    for _ in 1 2 3; do not_kept 1; done
    rmdir "$data/trail"
    is_kept() { not_kept 1 && [ -s "$data/trail" ]; }
    group_wait "the trail to be kept" is_kept
    until rm -f "$data/trail" && mkdir "$data/trail"; do continue; done
    group_wait "the trail to be missed again" not_kept 2
    group_wait_agree
}

# A supervisor that starts it again and again would fill its log.
@test "what is no file where a file of the replica belongs is named, and stays" {
    local data=$BATS_TEST_TMPDIR/data/2 name where="where a file of the replica belongs"
    with_checkpoints 3
    for name in journal-00000000000000ff pages.mdb fetched-pages; do
        [ ! -e "$data/$name" ] || mv "$data/$name" "$data/aside"
        mkdir "$data/$name"
        group_start_one 2
        refuses 2 2 "^vstamp-replica: $data/$name: is a folder $where"
        rmdir "$data/$name"
        mkfifo "$data/$name"
        group_start_one 2
        refuses 2 2 "^vstamp-replica: $data/$name: is no plain file $where"
        run timeout 20 vstamp-admin journal "$data" verify # nor does that wait
        [ "$status" -ne 124 ]
        rm "$data/$name"
        [ ! -e "$data/aside" ] || mv "$data/aside" "$data/$name"
    done
    mkdir "$data/damaged-disk" # not ours
    group_start_one 2
    group_wait_agree
    for i in $(seq 40); do echo "put k$i w$i"; done | vstamp --timeout 20 shell >/dev/null
    group_has_more() { [ "$(group_field 2 checkpoint_number)" -gt 48 ]; }
    group_wait "another checkpoint" group_has_more
    group_wait_agree
    [ -d "$data/damaged-disk" ]
}

@test "one of two that comes back empty waits, and what the other has can be brought elsewhere" {
    group_start 2
    group_wait_primary
    put k v
    group_wait_agree
    group_kill 1
    rm -r "$BATS_TEST_TMPDIR/data/1"
    group_start_one 1
    group_waits() { [[ $(group_http 1 /status) == *"1 of 2 normal replicas answered, more than \
a group of two can have: see vstamp(7)"* ]]; }
    group_wait "its reason" group_waits
    vstamp --consistency stale export "$BATS_TEST_TMPDIR/kept"
    group_kill 0 1
    rm -r "$BATS_TEST_TMPDIR/data"
    start_all
    group_wait_primary
    vstamp --timeout 20 import "$BATS_TEST_TMPDIR/kept"
    [ "$(get k)" = v ]
}

@test "without memory it is not the disk that failed" {
    local pid
    group_start 1 "checkpoint_ops: 16"
    put k v
    pid=${GROUP_PIDS[0]}
    prlimit --pid "$pid" --as=1:
    vstamp shell < <(for i in $(seq 40); do echo "put k$i v$i"; done) >/dev/null 2>&1 3>&- &
    group_adopt $!
    group_wait "replica 0 to end" group_never group_running 0
    tail -n 1 "$BATS_TEST_TMPDIR/replica-0.log" |
        grep 'event=disk-failed .*Cannot allocate memory" hint="it is not the disk: see to that'
}

@test "pages that are cut off while the replica runs end it with a sentence" {
    local data=$BATS_TEST_TMPDIR/data/2 log=$BATS_TEST_TMPDIR/replica-2.log status=0
    with_checkpoints 3
    group_start_one 2
    group_wait_agree
    truncate -s 12288 "$data/pages.mdb"
    group_wait "replica 2 to end" group_never group_running 2
    group_reap 2 || status=$?
    [ "$status" -eq 1 ]
    tail -n 1 "$log" |
        grep "event=disk-failed file=.*/2/pages.mdb\"\? reason=\"cannot .*: MDB_CORRUPT"
    group_start_one 2
    group_wait_agree
    grep -q 'event=folder-damaged reason=".*/pages.mdb: damaged: it is shorter than it says"' "$log"
    # what a disk that cannot read is to who reads through a map
    status=0
    group_signal 2 BUS
    group_reap 2 || status=$?
    [ "$status" -eq 135 ]
    tail -n 1 "$log" | grep "^vstamp-replica: $data/pages.mdb: was cut, or cannot be read (Bus"
}

@test "without a free descriptor it looks at its files another time" {
    local pid
    none_is_free() {
        local free=3
        while [ -e "/proc/$pid/fd/$free" ]; do free=$((free + 1)); done
        prlimit --pid "$pid" --nofile="$free:"
    }
    with_checkpoints 3
    group_start_one 2
    group_wait_agree
    pid=${GROUP_PIDS[2]}
    none_is_free
    sleep 2 # at pages every quarter of a second, at the journal every second
    prlimit --pid "$pid" --nofile=1024:
    group_running 2
    put k w
    group_wait_agree
    group_never grep level=error "$BATS_TEST_TMPDIR/replica-2.log"
    # what it has to write now cannot wait
    none_is_free
    for i in $(seq 40); do echo "put k$i w$i"; done | vstamp --timeout 20 shell >/dev/null
    group_wait "replica 2 to end" group_never group_running 2
    tail -n 1 "$BATS_TEST_TMPDIR/replica-2.log" |
        grep 'event=disk-failed .*it: Too many open files" hint="it is not the disk: see to that'
}

group_waits() {
    [[ $(group_field "$1" status) == recovering && $(group_field "$1" reason) == \
        "its folder was damaged: waits for 2 normal replicas "* ]]
}

@test "all are damaged at once: no new group is formed, and each says what to do" {
    local i status=0
    group_start 3
    for i in $(seq 50); do echo "put k$i v$i$(printf '%04000d' 0)"; done |
        vstamp --timeout 20 shell >/dev/null # more than damage() takes away
    group_wait_agree
    group_wait_primary
    group_wait_acked
    group_kill 0 1 2
    for i in 0 1 2; do
        cp -r "$BATS_TEST_TMPDIR/data/$i" "$BATS_TEST_TMPDIR/sound-$i"
        cp "$BATS_TEST_TMPDIR/data/$i"/journal-*1 "$BATS_TEST_TMPDIR/data/$i/journal.spare"
        damage "$i"
    done
    for i in 0 1 2; do group_start_one "$i"; done
    for i in 0 1 2; do group_wait_log "$i" event=folder-damaged; done
    for i in 0 1 2; do
        group_wait "replica $i to wait for the others" group_waits "$i"
        [ -e "$BATS_TEST_TMPDIR/data/$i/damaged-journal.spare" ] # else it would be read one day
    done
    vstamp --timeout 1 get k1 || status=$?
    [ "$status" -eq 3 ]
    for i in 0 1; do
        group_kill "$i"
        rm -r "$BATS_TEST_TMPDIR/data/$i"
        cp -r "$BATS_TEST_TMPDIR/sound-$i" "$BATS_TEST_TMPDIR/data/$i"
        group_start_one "$i"
    done
    [[ $(get k50) == v500* ]]
    group_wait_agree
}

#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp's commands against a group that is well: what they print and how they end.

bats_require_minimum_version 1.5.0
load group

setup_file() {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    group_start 3 "durability: memory" "max_value_bytes: 64KiB"
    group_wait_primary
    export GROUP_BASE GROUP_HOST PRIMARY
}

teardown_file() { group_teardown; }

# prints TEXT COMMAND...: it ends in 0 and prints exactly that line.
prints() {
    local expected=$1
    shift
    [ "$("$@" && echo "(0)")" = "$expected"$'\n(0)' ]
}

# ends STATUS COMMAND...: with that status and nothing on standard output; $output is the complaint.
ends() {
    local expected=$1
    shift
    run "$@"
    [ "$status" -eq "$expected" ]
    [ -z "$("$@" 2>/dev/null)" ]
}

@test "put, get: what was stored comes back" {
    prints OK vstamp put greeting hello
    prints hello vstamp get greeting
    prints OK vstamp put greeting "two words"
    prints "two words" vstamp get greeting
}

@test "a bad value, of whatever option: one line, and where help is" {
    local words
    while read -r -a words; do
        run "${words[@]}"
        printf '%s: %s\n' "${words[*]}" "$output"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 2 ]
        [[ ${lines[1]} == "Try '${words[0]}"*" --help'." ]]
    done <<'END'
vstamp --timeout soon get k
vstamp get --consistency fresh k
vstamp put --ttl soon k v
vstamp cas --ttl soon k v w
vstamp expire k soon
vstamp incr k one
vstamp list --limit all
vstamp watch --from now k
vstamp import --clients 0 f
vstamp bench --clients none
vstamp bench --connections 0
vstamp bench --rate 0
vstamp bench --duration long
vstamp bench --requests 0
vstamp bench --reads 101
vstamp bench --keys 0
vstamp bench --key-bytes 1
vstamp bench --value-bytes big
vstamp bench --distribution cubic
vstamp bench --incr --reads 5
vstamp-admin --timeout soon status
vstamp-admin metrics 9
vstamp-admin journal d --first one list
vstamp-admin journal d --limit all list
vstamp-admin journal d show one
vstamp-admin view-change --to nobody
vstamp-admin restore --index 9 f
vstamp-replica --index none
vstamp-replica --local 0
vstamp-replica --log-level loud
vstamp-replica --log-format xml
vstamp-replica --journal-io tape
vstamp-replica --app a --app-exec b
END
}

@test "a complaint that names what was given does not take the terminal over" {
    group_need_terminal
    run script -qec "NO_COLOR=1 vstamp get k ü \"\$(printf '\\033[2J')\"" /dev/null </dev/null
    [[ $output == "vstamp: one operand too many: 'ü'"* ]]
    run script -qec "NO_COLOR=1 vstamp get k \"\$(printf '\\033[2J')\"" /dev/null </dev/null
    [[ $output == "vstamp: one operand too many: '\\x1b[2J'"* ]]
}

@test "json: an error that was found before anything was sent names the key, too" {
    local asked command
    cd "$BATS_TEST_TMPDIR"
    echo "no session" >s
    while read -r asked command; do
        # shellcheck disable=SC2086 # they are words
        run --separate-stderr vstamp --json --session s $command
        [ "$status" -eq 2 ]
        [[ $output == "{$asked,\"ok\":false,\"error\":\"config\",\"outcome\":\"none\","* ]]
        [[ $stderr == "vstamp: s: not a session file"* ]]
    done <<'END'
"op":"get","key":"k" get k
"op":"put","key":"k" put k v
"op":"cas","key":"k" cas k a b
"op":"incr","key":"k" incr k
"op":"del","key":"k" del k
"op":"del","keys":["a","b"] del a b
"op":"list","prefix":"p" list p
"op":"watch","key":"k" watch k
"op":"size" size
"op":"call" call x
END
    [[ $(vstamp --json put k 2>/dev/null <.) == '{"op":"put","key":"k","ok":false,"error":"io",'* ]]
}

@test "get: a key that is not there is a no" {
    ends 1 vstamp get nosuch
    [ "$output" = "vstamp: key not found: nosuch" ]
}

@test "put: all 256 bytes, nothing, and nothing but newlines come back as they were" {
    local name
    LC_ALL=C awk 'BEGIN { for (i = 0; i < 256; i++) printf "%c", i }' >"$BATS_TEST_TMPDIR/all"
    : >"$BATS_TEST_TMPDIR/none"
    printf '\n\n' >"$BATS_TEST_TMPDIR/lines"
    head -c 65536 /dev/urandom >"$BATS_TEST_TMPDIR/large"
    [ "$(wc -c <"$BATS_TEST_TMPDIR/all")" -eq 256 ]
    for name in all none lines large; do
        vstamp put "$name" <"$BATS_TEST_TMPDIR/$name"
        vstamp get --raw "$name" | cmp - "$BATS_TEST_TMPDIR/$name"
        vstamp put "$name" - <"$BATS_TEST_TMPDIR/$name"
        vstamp get "$name" >"$BATS_TEST_TMPDIR/got"
        { cat "$BATS_TEST_TMPDIR/$name" && echo; } | cmp - "$BATS_TEST_TMPDIR/got"
    done
}

@test "put: a value that begins with a dash is a value after --" {
    prints OK vstamp put dash -5
    prints -5 vstamp get dash
    prints OK vstamp put dash -- --json
    prints --json vstamp get dash
}

@test "del: prints how many there were, none is no failure" {
    vstamp put d1 x
    vstamp put d2 x
    prints 2 vstamp del d1 d2 d3
    prints 0 vstamp del d1 d2 d3
    ends 1 vstamp get d1
}

@test "cas: swaps only what is as expected" {
    ends 1 vstamp cas c old new
    prints OK vstamp cas --absent c one
    ends 1 vstamp cas --absent c two
    [[ $output == "vstamp: not swapped: c: there is a value already" ]]
    ends 1 vstamp cas c two three
    [[ $output == "vstamp: not swapped: c: "* ]]
    prints OK vstamp cas c one two
    prints two vstamp get c
}

@test "incr: counts from nothing, down too, and refuses what is no number" {
    prints 1 vstamp incr n
    prints 11 vstamp incr n 10
    prints -9 vstamp incr n -20
    vstamp put word abc
    ends 5 vstamp incr word
    [[ $output == "vstamp: word: "*"not a decimal number"* ]]
    prints abc vstamp get word
    vstamp put max 9223372036854775807
    ends 5 vstamp incr max
    ends 2 vstamp incr n ten
}

@test "append: prints the length" {
    prints 3 vstamp append a abc
    prints 6 vstamp append a def
    prints abcdef vstamp get a
}

@test "list: byte order, prefix, limit, keys only, escapes" {
    local i
    printf 'put l/b 2\nput l/a "tab\\tand\\nline"\nput l/\\xff "\\x00"\nput l/A 0\n' | vstamp shell
    [ "$(vstamp list l/)" = $'l/A\t0\nl/a\ttab\\tand\\nline\nl/b\t2\nl/\\xff\t\\x00' ]
    [ "$(vstamp list l/ --limit 2 --keys-only)" = $'l/A\nl/a' ]
    [ -z "$(vstamp list nothing/)" ]
}

@test "list: more than one answer can hold" {
    local i
    head -c 60000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/value"
    for i in 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29; do
        vstamp put "page/$i" <"$BATS_TEST_TMPDIR/value"
    done
    [ "$(vstamp list page/ | wc -l)" -eq 20 ]
    [ "$(vstamp list page/ | cut -f 1 | sort -u | wc -l)" -eq 20 ]
    [ "$(vstamp list page/ | wc -c)" -eq $((20 * (60000 + 9))) ]
    [ "$(vstamp list page/ --limit 19 | tail -n 1 | cut -f 1)" = page/28 ]
}

@test "size: keys and bytes" {
    local before after
    before=$(vstamp --json size)
    vstamp put size-key 12345
    after=$(vstamp --json size)
    [[ $before =~ \"keys\":([0-9]+),\"bytes\":([0-9]+) ]]
    local keys=$((BASH_REMATCH[1] + 1)) bytes=$((BASH_REMATCH[2] + 13))
    [ "$after" = "{\"op\":\"size\",\"ok\":true,\"keys\":$keys,\"bytes\":$bytes}" ]
    [[ $(vstamp size) =~ ^[0-9]+\ keys,\ [0-9]+\ bytes$ ]]
}

@test "--json: one object on one line, with the shapes that scripts rely on" {
    vstamp put k v
    prints '{"op":"put","key":"k","ok":true}' vstamp --json put k v
    prints '{"op":"get","key":"k","ok":true,"found":true,"value":"v"}' vstamp --json get k
    prints '{"op":"get","key":"k","ok":true,"found":true,"value":"v"}' vstamp get k --json
    run vstamp --json get nosuch
    [ "$status" -eq 1 ]
    [ "$output" = '{"op":"get","key":"nosuch","ok":true,"found":false}' ]
    run vstamp --json cas k x y
    [ "$status" -eq 1 ]
    [ "$output" = '{"op":"cas","key":"k","ok":true,"swapped":false}' ]
    prints '{"op":"cas","key":"k","ok":true,"swapped":true}' vstamp --json cas k v 42
    prints '{"op":"incr","key":"k","ok":true,"value":"43"}' vstamp --json incr k
    prints '{"op":"append","key":"k","ok":true,"length":3}' vstamp --json append k 0
    prints '{"op":"list","prefix":"k","ok":true,"count":1,"items":[{"key":"k","value":"430"}]}' \
        vstamp --json list k
    prints '{"op":"del","key":"k","ok":true,"deleted":1}' vstamp --json del k
    prints '{"op":"del","keys":["k","m"],"ok":true,"deleted":0}' vstamp --json del k m
    printf '\xff\x00' | vstamp put bin
    prints '{"op":"get","key":"bin","ok":true,"found":true,"value_base64":"/wA="}' \
        vstamp --json get bin
    vstamp put word abc
    run vstamp --json incr word
    [ "$status" -eq 5 ]
    [[ ${lines[0]} == '{"op":"incr","key":"word","ok":false,'* ]]
    [[ ${lines[0]} == *',"error":"not-a-number","outcome":"none","message":"word: '* ]]
}

is_one_of_both() { [[ $(vstamp --consistency stale get k) =~ ^[vw]$ ]]; }

@test "every consistency answers, and --viewstamps says where" {
    vstamp put k v
    prints v vstamp --consistency linearizable get k
    vstamp --session "$BATS_TEST_TMPDIR/s" put k w
    prints w vstamp --session "$BATS_TEST_TMPDIR/s" --consistency causal get k
    group_wait "a replica to have executed one of these" is_one_of_both
    [[ $(vstamp --json --viewstamps get k) =~ \"epoch\":0,\"view\":[0-9]+,\"op_number\":[1-9] ]]
    run vstamp --viewstamps get k
    [[ $output == *"viewstamp: epoch 0, view "* ]]
    ends 2 vstamp --consistency sometimes get k
}

# op_number: how far the log is.
op_number() {
    vstamp --json --viewstamps get nosuch | sed 's/.*"op_number":\([0-9]*\).*/\1/'
}

@test "what no group would take is refused with 5, before it is logged" {
    local before
    head -c 70000 /dev/zero >"$BATS_TEST_TMPDIR/large"
    vstamp --session "$BATS_TEST_TMPDIR/s" put k v # it registered: that is logged
    before=$(op_number)
    run vstamp --session "$BATS_TEST_TMPDIR/s" put too-large - <"$BATS_TEST_TMPDIR/large"
    [ "$status" -eq 5 ]
    [[ $output == "vstamp: refused: the value is larger than the group allows, 65536 bytes: \
store less under one key, or restore a backup into a group with a larger limit" ]]
    run vstamp --session "$BATS_TEST_TMPDIR/s" --json put too-large - <"$BATS_TEST_TMPDIR/large"
    [[ $output == *'"error":"too-large","outcome":"none"'* ]]
    [ "$(op_number)" -eq "$before" ]
    prints OK vstamp --session "$BATS_TEST_TMPDIR/s" put k w # the session goes on
    [ "$(op_number)" -eq $((before + 1)) ]
    head -c 65536 /dev/zero | vstamp put large
    ends 5 vstamp append large x # as the state decides
    [[ $output == "vstamp: large: the value would be larger than the group allows, 65536 bytes"* ]]
    head -c 2000000 /dev/zero >"$BATS_TEST_TMPDIR/batch"
    run vstamp put too-large - <"$BATS_TEST_TMPDIR/batch"
    [ "$status" -eq 5 ]
    [[ $output == *"65536 bytes"* ]]
    head -c 9000000 /dev/zero >"$BATS_TEST_TMPDIR/huge"
    run vstamp put huge - <"$BATS_TEST_TMPDIR/huge"
    [ "$status" -eq 5 ]
    ends 5 vstamp put "" x
    ends 5 vstamp put "$(head -c 1025 /dev/zero | tr '\0' k)" x
    ends 1 vstamp get too-large
}

@test "usage and configuration errors are 2, name the word, and send nothing" {
    ends 2 vstamp
    ends 2 vstamp put
    ends 2 vstamp get a b
    ends 2 vstamp gett a
    [[ $output == *"'gett'"*"did you mean 'get'"* ]]
    ends 2 vstamp get --rwa a
    [[ $output == *"did you mean '--raw'"* ]]
    ends 2 vstamp get -r a
    [[ $output == "vstamp: get: an operand is missing"* ]] # it is --replicas there, too
    ends 2 vstamp SET a b
    [[ $output == *"did you mean 'put'"* ]]
    ends 2 vstamp scan a
    [[ $output == *"unknown command 'scan': did you mean 'list'?"* ]]
    ends 2 vstamp status
    [[ $output == *"unknown command 'status': did you mean 'vstamp-admin status'?"* ]]
    ends 2 vstamp-admin incr n
    [[ $output == *"unknown command 'incr': did you mean 'vstamp incr'?"* ]]
    ends 2 vstamp-admin STATUS
    [[ $output == *"unknown command 'STATUS': did you mean 'status'?"* ]]
    ends 2 vstamp --session= put a b
    ends 2 vstamp --timeout never get a
    ends 2 vstamp --replicas 127.0.0.1 get a
    [[ $output == *"HOST:PORT"* ]]
    ends 2 vstamp --config "$BATS_TEST_TMPDIR/nosuch.yaml" get a
    [[ $output == *nosuch.yaml* ]]
    ends 2 vstamp cas --absent a b c
    ends 2 vstamp cas --absent a
    [[ $output == "vstamp: cas: expected --absent KEY NEW"* ]]
    ends 2 vstamp cas a b
    [[ $output == "vstamp: cas: expected KEY OLD NEW"* ]]
}

@test "--replicas instead of a file" {
    local list
    list=$(group_address 0),$(group_address 1),$(group_address 2)
    prints OK env -u VSTAMP_CONFIG vstamp --replicas "$list" put r 1
    prints 1 env -u VSTAMP_CONFIG vstamp --replicas "$list" get r
    # nobody but the replica knows its limit then
    head -c 2000000 /dev/zero >"$BATS_TEST_TMPDIR/batch"
    run env -u VSTAMP_CONFIG vstamp --replicas "$list" put r - <"$BATS_TEST_TMPDIR/batch"
    [ "$status" -eq 5 ]
    [[ $output == *"refused: larger than batch_bytes"* ]]
}

@test "--help and --version: standard output, 0, every command" {
    local word
    run vstamp --help
    [ "$status" -eq 0 ]
    for word in put get del cas incr append list size shell resume abandon pending; do
        [[ $output == *"  $word "* ]]
        [[ $(vstamp "$word" --help) == "Usage: vstamp "*" $word"* ]]
    done
    [[ $(vstamp --version) =~ ^vstamp\ [0-9] ]]
}

@test "without a configuration: it says how a group can be named" {
    cd "$BATS_TEST_TMPDIR"
    unset VSTAMP_CONFIG
    ends 2 vstamp get k
    [[ $output == *"there is no server-config.yaml"*"; or name the replicas by --replicas" ]]
    ends 2 vstamp --config nosuch get k
    [[ $output == *"nosuch: No such file or directory: check the name" ]]
}

# escapes COMMAND...: how many lines of all that it prints have one.
escapes() { "$@" 2>&1 | grep -c $'\e' || true; }

@test "into a pipe no escapes are written" {
    vstamp put esc $'\e[31m'
    [ "$(TERM=xterm escapes vstamp get nosuch)" -eq 0 ]
    [ "$(TERM=xterm escapes vstamp list esc)" -eq 0 ]
    [ "$(vstamp get esc)" = $'\e[31m' ] # a value is a value
}

@test "on a terminal errors are coloured, but not under NO_COLOR, and values cannot take it over" {
    group_need_terminal
    vstamp put esc $'\e[31m'
    typed() { env "$@" script -qec "vstamp get $key" /dev/null </dev/null; }
    key=nosuch
    [ "$(escapes typed TERM=xterm)" -ge 1 ]
    [ "$(escapes typed TERM=xterm NO_COLOR=1)" -eq 0 ]
    [ "$(escapes typed TERM=dumb)" -eq 0 ]
    key=esc
    [ "$(escapes typed TERM=xterm)" -eq 0 ]
}

@test "a standard output that cannot be written is an error" {
    vstamp put k v
    run bash -c 'vstamp get k >/dev/full'
    [ "$status" -eq 2 ]
    [[ $output == *"standard output"* ]]
    run bash -c 'vstamp get k <&- >&- 2>&-' # none of its sockets may become one of these
    [ "$status" -eq 2 ]
}

@test "who cannot wait ends and says why, and does not go round and round" {
    local words library=${top_builddir:-.}/tests/cli/.libs/no_poll.so
    LD_PRELOAD=$library vstamp --version || skip "LD_PRELOAD does not work here"
    ulimit -c 0
    for words in "put k v" import shell; do
        # shellcheck disable=SC2086 # they are words
        LD_PRELOAD=$library group_fails 134 "vstamp: nothing can be waited for: Cannot allocate *" \
            vstamp --timeout 60 $words <<<"get k"
    done
}

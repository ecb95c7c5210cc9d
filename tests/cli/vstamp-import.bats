#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp import and export: what one writes the other reads, whatever the bytes, and the counts are
# exact whatever happens in between.

bats_require_minimum_version 1.5.0
load group

setup() {
    cd "$BATS_TEST_TMPDIR"
    group_start 3 "durability: memory" "max_value_bytes: 4KiB" "max_clients: 200"
    group_wait_primary
}

teardown() { group_teardown; }

# pairs FROM TO: lines.
pairs() {
    awk -v i="$1" -v n="$2" 'BEGIN { for (; i <= n; i++) printf "key%06d\tvalue %d\n", i, i }'
}

keys() { vstamp size | sed 's/ keys.*//'; }

@test "import and export: a round trip, from files and through pipes" {
    pairs 1 5000 >in
    [ "$(vstamp import in)" = "5000 imported" ]
    [ "$(keys)" -eq 5000 ]
    vstamp export out
    cmp in out
    vstamp export 2>/dev/null | cmp in
    [ "$(echo out*)" = out ]
    vstamp --json export >out.json 2>/dev/null
    [ "$(head -n 1 out.json)" = '{"key":"key000001","value":"value 1"}' ]
    vstamp del $(cut -f 1 in | head -n 2500) >/dev/null
    [ "$(vstamp import <out.json)" = "5000 imported" ]
    vstamp export 2>/dev/null | cmp in
}

@test "import: any bytes come through, in both forms" {
    local i replica
    for i in 1 2 3 4 5 6 7 8; do
        head -c 700 /dev/urandom >"random-$i"
        vstamp put "$(printf 'k\t\xff%s\\"{\n' "$i")" <"random-$i"
    done
    vstamp put '{"key":"a"}' ''
    vstamp export text
    vstamp --json export json
    for i in text json; do
        group_kill 0 1 2 # who forget all
        for replica in 0 1 2; do group_start_one "$replica"; done
        group_wait_primary
        [ "$(keys)" -eq 0 ]
        [ "$(vstamp import "$i")" = "9 imported" ]
        vstamp export 2>/dev/null | cmp text
    done
    for i in 1 2 3 4 5 6 7 8; do
        vstamp get --raw "$(printf 'k\t\xff%s\\"{\n' "$i")" | cmp "random-$i"
    done
}

@test "import: of lines with one key the last one wins" {
    { seq 1 2000 | sed 's/^/same\t/'; pairs 1 500; seq 2001 4000 | sed 's/^/same\t/'; } >in
    [ "$(vstamp import in)" = "4500 imported" ]
    [ "$(vstamp get same)" = 4000 ]
}

@test "import: a line that makes no sense is named, and what was before it is there" {
    { pairs 1 300; echo "no tab"; pairs 301 400; } >in
    group_fails 2 \
        "vstamp: in:301: expected KEY, a tab and VALUE, or a JSON object: 300 pairs were *" \
        vstamp import in
    [ "$(keys)" -eq 300 ]
    printf 'a\tb\tc\n' >in
    group_fails 2 "*in:1: a second tab*" vstamp import in
    printf 'a\t\\q\n' >in
    group_fails 2 "*in:1: unknown escape*" vstamp import in
    printf '{"key":"k"}\n' >in
    group_fails 2 '*in:1: expected "value"*' vstamp import in
    printf '\tempty key\n' >in
    group_fails 2 "*in:1: *key*" vstamp import in
    group_fails 2 "*nosuch: No such file*" vstamp import nosuch
    [ "$(keys)" -eq 300 ]
    printf 'dos\tline\r\n' >in
    [ "$(vstamp import in)" = "1 imported" ]
    [ "$(vstamp get dos)" = line ]
    printf 'last\tline without a newline' >in
    [ "$(vstamp import in)" = "1 imported" ]
    [ "$(vstamp get last)" = "line without a newline" ]
}

@test "import: what the group refuses is named, too" {
    { pairs 1 100; printf 'big\t%05000d\n' 0; pairs 101 200; } >in
    group_fails 5 "vstamp: in:101: *100 pairs were imported*" vstamp import --clients 1 in
    [ "$(keys)" -eq 100 ]
    run vstamp --json import in
    [ "$status" -eq 5 ]
    [[ $output == *'"line":101,"ok":false,"error":"too-large","outcome":"none"'* ]]
    [ "$(keys)" -ge 100 ]
    printf 'big\t%05000d\nalike\t%05000d\n' 0 0 >in # the first one, though both are in flight
    group_fails 5 "vstamp: in:1: *: 0 pairs were imported*" vstamp import in
}

@test "import: a store that is full is named, too, as put and append name it" {
    local i answer
    group_kill 0 1 2
    group_start 1 "durability: memory" "max_value_bytes: 4KiB" "state_bytes_max: 1MiB" \
        "max_clients: 10"
    group_wait_primary
    for i in {1..300}; do printf 'key%03d\t%04000d\n' "$i" 0; done >in
    run bash -c "vstamp --json import --clients 1 in 2>/dev/null"
    answer=$output
    [ "$status" -eq 5 ]
    i=$(($(keys) + 1))
    [[ $answer == *"\"imported\":$((i - 1)),\"line\":$i,\"ok\":false,\"error\":\"full\",\
\"outcome\":\"none\","* ]]
    group_fails 5 '*"error":"full","outcome":"none",*' \
        vstamp --json put another "$(printf %04000d 0)"
    group_fails 5 '*"error":"full","outcome":"none",*' \
        vstamp --json append another "$(printf %04000d 0)"
}

@test "import: others keep their sessions, however often it runs" {
    vstamp --session s incr hits
    pairs 1 200 >in
    for _ in 1 2 3 4 5 6; do vstamp import --clients 64 in; done
    [ "$(vstamp --session s incr hits)" = 2 ]
    group_fails 2 "vstamp: --session: *leave it out" vstamp --session s import in
    group_fails 2 "*150 clients are more than half of max_clients, 200*" \
        vstamp import --clients 150 in
}

@test "import: the primary dies in between, and nothing is missing" {
    local fed importing
    mkfifo feed
    vstamp import feed >imported 3>&- &
    importing=$!
    group_adopt "$importing"
    exec 8>feed
    pairs 1 5000 >&8
    group_kill "$PRIMARY"
    pairs 5001 10000 >&8
    exec 8>&-
    wait "$importing"
    [ "$(cat imported)" = "10000 imported" ]
    pairs 1 10000 >in
    vstamp export 2>/dev/null | cmp in
}

@test "import: a signal ends it soon, whatever is on its way" {
    local importing status=0
    pairs 1 100 | vstamp import
    group_pause 0
    group_pause 1
    mkfifo feed
    vstamp --timeout 60 import feed 3>&- &
    importing=$!
    group_adopt "$importing"
    exec 8>feed
    pairs 1 100 >&8
    sleep 0.2 # its puts are on their way
    kill -TERM "$importing"
    group_wait "its end" group_never kill -0 "$importing"
    exec 8>&-
    wait "$importing" || status=$?
    [ "$status" -eq $((128 + 15)) ]
}

@test "import: what may have run by the time that it gives up is not said not to have" {
    local importing status=0
    mkfifo feed
    vstamp --json import --clients 1 feed >said 2>/dev/null 3>&- &
    importing=$!
    group_adopt "$importing"
    exec 8>feed
    pairs 1 1 >&8
    group_wait "the first pair" vstamp get key000001
    vstamp get key000001 # which is answered behind the put: that one has its answer
    group_pause "$PRIMARY"
    group_pause $(((PRIMARY + 1) % 3))
    pairs 2 2 >&8
    exec 8>&-
    wait "$importing" || status=$?
    cat said
    [ "$status" -eq 4 ]
    [[ $(cat said) == '{"op":"import","imported":1,"line":2,"ok":false,"error":"timeout",'\
'"outcome":"unknown",'* ]]
}

@test "import: without a group it says so, and that it can be run again" {
    group_kill 0 1 2
    pairs 1 10 >in
    group_fails 3 "vstamp: in:*: no answer in time*: $(group_address 0): Connection refused;*: \
0 pairs were imported: run it again*" \
        vstamp --timeout 2 import in
}

@test "export: it says when the store changed meanwhile, and leaves no half a file" {
    pairs 1 100 >in
    vstamp import in
    run vstamp export out
    [[ $output == "exported 100 keys as they were at op-number "* ]]
    group_kill 0 1 2
    group_fails 3 "vstamp: no answer in *" vstamp --timeout 0.5 export other
    group_never compgen -G 'other*'
    group_fails 2 "*nowhere/x*" vstamp export nowhere/x
}

@test "export: with --json a failure is an object, too, the last one" {
    vstamp put k v
    run --separate-stderr vstamp --json export /dev/full
    [ "$status" -eq 2 ]
    [[ $output == '{"op":"export","ok":false,"error":"io","outcome":"none","message":'* ]]
    [ "$stderr" = "vstamp: /dev/full: cannot be written: No space left on device" ]
    run --separate-stderr vstamp --json export nowhere/x
    [[ $output == '{"op":"export","ok":false,"error":"io",'* ]]
    run --separate-stderr vstamp --config none --json export
    [[ $output == '{"op":"export","ok":false,"error":"config",'* ]]
    group_kill 0 1 2
    run --separate-stderr vstamp --json --timeout 0.5 export
    [ "$status" -eq 3 ]
    [[ $output == '{"op":"export","ok":false,"error":"timeout","outcome":"none",'* ]]
}

@test "export: a signal ends it soon, and leaves no half a file" {
    local status=0 pid library=${top_builddir:-.}/tests/cli/.libs/late_signal.so
    pairs 1 100 | vstamp import
    group_pause 0
    group_pause 1
    vstamp --timeout 60 export out 3>&- &
    pid=$!
    group_adopt "$pid"
    writes_there() { readlink "/proc/$pid/fd/"* | grep -q "^$PWD/"; }
    group_wait "it to wait" writes_there
    sleep 0.2
    kill -TERM "$pid"
    group_wait "its end" group_never kill -0 "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq $((128 + 15)) ]
    group_cont 0
    group_cont 1
    group_wait "an answer" vstamp get key000001
    LD_PRELOAD=$library vstamp --version || skip "LD_PRELOAD does not work here"
    status=0
    LD_PRELOAD=$library vstamp export out || status=$?
    [ "$status" -eq $((128 + 15)) ]
    group_never compgen -G 'out.*'
}

@test "export: a pipe, a device or a link is written to, and stays what it is" {
    pairs 1 100 >in
    vstamp import in
    mkfifo pipe
    cat pipe >out 3>&- &
    group_adopt $!
    vstamp export pipe
    group_wait "all to have come" cmp -s in out
    [ -p pipe ]
    ln -s target link
    vstamp export link
    [ -L link ]
    cmp in target
    ln -s /dev/full full
    group_fails 2 "*full: cannot be written: No space left*" vstamp export full
    run bash -c 'vstamp export >/dev/full'
    [ "$status" -eq 2 ]
    [ "$output" = "vstamp: standard output: No space left on device" ]
    [ -L full ]
}

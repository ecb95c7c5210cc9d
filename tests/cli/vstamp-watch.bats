#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp watch: each change once and in order, through fail-over; from an op-number on; to the end.

bats_require_minimum_version 1.5.0
load group

setup() { cd "$BATS_TEST_TMPDIR"; }

teardown() {
    local pid
    for pid in "${WATCHERS[@]}"; do kill -KILL "$pid" 2>/dev/null || :; done
    group_teardown
}

WATCHERS=()

# watch OUT ARGUMENT...: in the background; returns once it has seen a change of the key "begin".
watch() {
    local out=$1
    shift
    vstamp watch --prefix "" "$@" >"$out" 2>"$out.err" &
    WATCHERS+=("$!")
    group_wait "somebody to watch" has_begun "$out"
}
has_begun() { vstamp put begin "$RANDOM" >/dev/null && grep -q begin "$1"; }

ended() { ! kill -0 "$1" 2>/dev/null; }
lines() { [ "$(grep -vc begin "$1")" -ge "$2" ]; }

@test "watch: puts, deletions, expiry, and what a txn does, as lines and as JSON" {
    group_start 3 "durability: memory"
    group_wait_primary
    watch text
    watch json --json
    vstamp put k $'a\tb'
    vstamp put --ttl 50ms t x
    group_wait "three lines" lines text 3
    vstamp del k nosuch
    vstamp append l abc
    vstamp txn 'put p 1' 'incr n 2' 'get k'
    group_wait "more lines" lines text 7
    grep -v begin text | cut -f 2- >got
    printf '%s\t%s\t%s\n' put k 'a\tb' put t x >expected
    printf 'expire\tt\ndel\tk\n' >>expected
    printf '%s\t%s\t%s\n' put l abc put p 1 put n 2 >>expected
    diff expected got
    group_wait "the same in JSON" lines json 7
    [ "$(grep '"p"' json | sed 's/[0-9]*,/N,/')" = \
        '{"op_number":N,"change":"put","key":"p","value":"1"}' ]
    [ "$(grep '"del"' json | sed 's/[0-9]*,/N,/')" = '{"op_number":N,"change":"del","key":"k"}' ]
}

@test "watch: it ends when its reader does, though nothing else happens" {
    group_start 1 "durability: memory"
    vstamp --timeout 20 put k 1
    run timeout 20 bash -c 'vstamp watch --from 1 k | head -n 1; echo "${PIPESTATUS[0]}"'
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == *$'\tput\tk\t1' ]]
    [ "${lines[1]}" -eq $((128 + 13)) ]
}

@test "watch: --from, --limit, one key or all with a prefix, and what is gone" {
    group_start 3 "durability: memory" "state_bytes_max: 2MiB" "max_clients: 200"
    group_wait_primary
    for i in 1 2 3; do vstamp put "k$i" "$i"; done
    vstamp put k 0
    vstamp watch --prefix k --from 1 --limit 4 >out
    [ "$(cut -f 3- out | tr '\t\n' '= ')" = "k1=1 k2=2 k3=3 k=0 " ]
    vstamp watch --prefix k --from 0 --limit 4 | cmp - out
    [ "$(vstamp watch k --from 1 --limit 1 | cut -f 3)" = k ]
    run -2 bash -c 'vstamp watch k --from 1 >/dev/full'
    [ "$output" = "vstamp: standard output: No space left on device" ]
    local op
    op=$(sed -n '3s/\t.*//p' out)
    vstamp watch --prefix k --from "$op" --limit 2 | cmp - <(tail -n 2 out)
    head -c 60000 /dev/zero | tr '\0' x | fold -w 50 | awk '{ print "big" NR "\t" $0 }' >in
    vstamp import in
    run -5 vstamp watch --prefix k --from 1
    [[ $output =~ "changes before op-number "([0-9]+)" are not kept any more" ]]
    vstamp watch --prefix big --from "${BASH_REMATCH[1]}" --limit 1 | grep -q big
    run -2 vstamp watch k --from x
    [[ $output == *"--from: expected an op-number, found 'x'"* ]]

    op=$(vstamp --viewstamps get k 2>&1 >got | sed 's/.*op-number //')
    run -5 vstamp watch k --from $((op + 2))
    [[ $output == *"op-number $((op + 2)) is yet to come, the newest is $op: is it of another"* ]]
    run -5 bash -c "vstamp --json watch k --from $((op + 2)) 2>/dev/null"
    [[ $output == '{"op":"watch","key":"k","ok":false,"error":"invalid","outcome":"none",'* ]]
    vstamp watch k --from $((op + 1)) --limit 1 >next &
    WATCHERS+=("$!")
    vstamp put k next
    group_wait "the change that was yet to come" ended "${WATCHERS[0]}"
    [ "$(cut -f 3- next)" = $'k\tnext' ]
}

@test "watch: when nobody answers it says so once, and goes on when somebody does" {
    group_start 3
    group_wait_primary
    watch out --timeout 2
    group_kill 0 1 2
    group_wait "it to say so" grep -q . out.err
    sleep 4 # it has asked the primary again
    said=$(<out.err)
    [[ $said == "vstamp: no answer in 2.0 s: $(group_address 0): "*": still watching" ]]
    [[ $said == *"Connection refused"* && $said != *"try again"* ]]
    for i in 0 1 2; do group_start_one "$i"; done
    group_wait_primary
    vstamp --timeout 20 put k v
    group_wait "the change" lines out 1
    [ "$(grep -v begin out | cut -f 2-)" = $'put\tk\tv' ]
    group_kill 0 1 2
    group_wait "it to say so again" lines out.err 2
    run -3 timeout 60 vstamp --timeout 1 watch k # which has nothing to go on with
    [[ $output == "vstamp: no answer in 1.0 s: "*" try again"* ]]
}

@test "watch: nothing is missed or repeated while primaries die, and a signal ends it" {
    group_start 3
    group_wait_primary
    watch out
    for i in $(seq 1 60); do
        if [ $((i % 25)) -eq 0 ]; then
            group_kill "$PRIMARY"
            vstamp --timeout 20 put "k$i" "$i" >/dev/null
            group_start_one "$PRIMARY"
            group_wait_primary
            group_wait_agree
        else
            vstamp --timeout 20 put "k$i" "$i" >/dev/null
        fi
    done
    group_wait "all changes" lines out 60
    [ "$(grep -v begin out | cut -f 4 | tr '\n' ' ')" = "$(seq -s ' ' 1 60) " ]
    kill -INT "${WATCHERS[0]}" || :
    kill -TERM "${WATCHERS[0]}"
    group_wait "it to end" ended "${WATCHERS[0]}"
}

@test "watch: a group that has executed nothing yet is watched, too, but not an empty key" {
    group_start 1 "durability: memory"
    group_wait_primary
    vstamp watch --limit 1 k >out 2>err &
    WATCHERS+=("$!")
    asked_twice() { [ "$(group_field 0 reads)" -ge 2 ]; }
    group_wait "it to have waited in vain, and asked again" asked_twice
    [ "$(group_field 0 op_number)" = 0 ]
    vstamp put k v
    wait $!
    [ "$(cut -f 2- out)" = $'put\tk\tv' ]
    [ ! -s err ]
    group_fails 5 "vstamp: refused: a key is empty: nothing was sent" vstamp watch ""
}

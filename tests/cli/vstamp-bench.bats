#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp bench: its counts are those of the group, also when the primary dies under it.

load group

setup() {
    cd "$BATS_TEST_TMPDIR"
    group_start 3 "durability: memory" "max_clients: 100"
    group_wait_primary
}

teardown() { group_teardown; }

# field NAME: of the JSON in the file `out`.
field() { grep -o "\"$1\":[^,}]*" out | head -n 1 | sed 's/.*://'; }

# answers: by interval, summed up.
answers() { grep -o '"answered":[0-9]*,"failed"' out | add_up; }

# add_up: the one number in each line.
add_up() { tr -dc '0-9\n' | awk '{ n += $1 } END { print n }'; }

# well_formed: the file `picture` is XML, as far as the tools here can tell.
well_formed() {
    if command -v xmllint >/dev/null; then
        xmllint --noout picture
    elif command -v python3 >/dev/null; then
        python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' picture
    else
        [ "$(head -c 5 picture)" = "<svg " ]
        [ "$(tail -n 1 picture)" = "</svg>" ]
    fi
    [ "$(grep -o '<svg' picture | wc -l)" -eq 1 ]
}

@test "bench: as many requests as were wanted, a report, and nothing is left" {
    vstamp put mine 1
    vstamp bench --requests 3000 --clients 8 >out
    grep -q '^closed loop, 8 clients on 1 connection, ' out
    grep -q '^3000 requests answered, [0-9]*/s; 0 not run, 0 unknown$' out
    grep -qE '^latency +p50 +p90 +p99 +p99.9 +p99.99 +max +mean$' out
    grep -qE '^writes +[0-9.]+ (us|ms)' out
    [ "$(vstamp list)" = $'mine\t1' ]
}

@test "bench: with --json one object, whose numbers agree" {
    vstamp --json bench --requests 2000 --clients 20 --connections 3 --reads 40 >out 2>/dev/null
    [ "$(wc -l <out)" -eq 1 ]
    if command -v python3 >/dev/null; then python3 -m json.tool out >/dev/null; fi
    group_never grep -Eq '[0-9.]{16,}' out # digits that nobody measured
    [[ $(cat out) == '{"op":"bench",'*'"ok":true}' ]]
    [ "$(field clients)" -eq 20 ]
    [ "$(field connections)" -eq 3 ]
    [ "$(field answered)" -eq 2000 ]
    [ "$(answers)" -eq 2000 ]
    [ "$(grep -o '"count":[0-9]*' out | add_up)" -eq 2000 ]
    [ "$(field not_run) $(field unknown) $(field refused)" = "0 0 0" ]
    # p50 <= p99 <= max
    grep -o '"writes":{[^}]*' out | tr ',' '\n' | sed -n 's/.*"\(p50\|p99\|max\)_us"://p' | sort -cg
}

@test "bench: increments add up to what was acknowledged" {
    vstamp --json bench --incr --requests 5000 --clients 32 --keys 10 --keep >out 2>/dev/null
    [ "$(field sum)" -eq 5000 ]
    [ "$(vstamp list bench/ | awk -F '\t' '{ n += $2 } END { print n }')" -eq 5000 ]
    [ "$(vstamp list --keys-only bench/ | wc -l)" -eq 10 ]
}

@test "bench: zipfian asks for few keys often, uniform for all alike" {
    vstamp bench --incr --requests 4000 --keys 100 --keep --distribution zipfian >/dev/null
    [ "$(vstamp get bench/0000000000)" -gt 300 ]
    vstamp bench --incr --requests 4000 --keys 100 --keep >/dev/null
    [ "$(vstamp get bench/0000000000)" -lt 120 ]
}

@test "bench: the primary dies in an open loop: all is answered once, and the gap is seen" {
    vstamp --json bench --incr --rate 500 --requests 1500 --clients 40 --keys 10 --svg picture \
        >out 2>errors 3>&- &
    local pid=$!
    group_adopt "$pid"
    sees_counters() { [[ -n $(vstamp list --limit 1 bench/) ]]; }
    group_wait "the load to begin" sees_counters
    group_kill "$PRIMARY"
    wait "$pid"
    [ "$(field answered)" -eq 1500 ]
    [ "$(answers)" -eq 1500 ]
    [ "$(field sum)" -eq 1500 ]
    [ "$(field not_run) $(field unknown) $(field refused) $(field unsent)" = "0 0 0 0" ]
    [[ $(cat out) == *'"views":[{"at_s":'*'"view":'[0-9]*'},{"at_s":'* ]]
    # In an open loop what was due in the gap waited for its end, and this counts: each 2 ms one.
    awk -v gap="$(field gap_ms)" -v most="$(field max_us)" \
        'BEGIN { exit !(most / 1000 > gap - 2.1) }'
    well_formed
    grep -q '>view [1-9][0-9]*<' picture
}

@test "bench: a group that is gone ends in counted failures, not in silence" {
    vstamp --json --timeout 2 bench --requests 200000000 --clients 4 --keep \
        >out 2>errors 3>&- &
    local pid=$! status=0
    group_adopt "$pid"
    sees_keys() { [[ -n $(vstamp list --limit 1 bench/) ]]; }
    group_wait "the load to begin" sees_keys
    group_kill 0 1 2
    group_wait "each to have given up" grep -qE "no answer for .* ([4-9]|[0-9]{2,}) failed" errors
    kill -TERM "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq 143 ]
    [ "$(wc -l <out)" -eq 1 ]
    [ "$(field answered)" -gt 0 ]
    [ "$(field unknown)" -ge 4 ]
    [[ $(cat out) == *'"outcome":"unknown"'* ]]
}

@test "bench: without a majority it says what the matter is with each replica" {
    local pid status=0 i
    vstamp --timeout 1 bench --reads 100 --keys 10 --duration 6 --keep >out 2>errors 3>&- &
    pid=$!
    group_adopt "$pid"
    group_wait "the load to run" grep -q "^ .*/s " errors
    group_kill $(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))
    wait "$pid" || status=$?
    cat out errors
    [ "$status" -eq 3 ]
    for i in 1 2; do
        grep -q "^vstamp: .*no answer in time.*$(group_address $(((PRIMARY + i) % 3))): Connection \
refused.*: try again$" errors
    done
    grep -q "^vstamp: .*$(group_address "$PRIMARY"): no majority: it hears 1 of 3 replicas, itself \
included, and needs 2[;:]" errors
}

@test "bench: an open loop that is too fast says what it did not send" {
    yes "of another day" | head -n 10000 >picture
    vstamp --json bench --rate 3000000 --duration 0.5 --clients 2 --svg picture >out 2>/dev/null
    [ "$(field unsent)" -gt 1000 ]
    [ "$(($(field unsent) + $(field answered)))" -ge 1000000 ]
    well_formed
}

@test "bench: it takes no sessions from others" {
    vstamp --session s incr hits
    group_fails 2 "vstamp: --session: *leave it out" vstamp --session s bench
    group_fails 2 "vstamp: 51 clients are more than half of max_clients, 100*use 50 or less" \
        vstamp bench --clients 51
    for _ in 1 2 3; do vstamp bench --clients 40 --requests 100 >/dev/null; done
    # Two at a time are two crowds.
    vstamp bench --clients 40 --requests 20000 >one 2>&1 3>&- &
    group_adopt $!
    vstamp bench --clients 40 --requests 20000 >two
    wait $!
    grep -q '^20000 requests answered' one
    grep -q '^20000 requests answered' two
    [ "$(vstamp --session s incr hits)" = 2 ]
}

@test "bench, get: more connections than a process has descriptors, and more than it may have" {
    bounded() { timeout -s KILL 20 bash -c "ulimit $1 && exec vstamp ${*:2}"; }
    bounded "-Sn 64" bench --clients 40 --connections 40 --requests 1000 >out
    grep -q "^1000 requests answered" out
    group_fails 2 "vstamp: 40 connections to each of 3 replicas are more than a process may have, \
64: use fewer, or raise 'ulimit -n'" \
        bounded "-n 64" bench --clients 40 --connections 40
    group_fails 3 "vstamp: no answer in 0.5 s: *" \
        bounded "-n 12" --timeout 0.5 --replicas "$(seq -s , -f 127.0.0.1:%g 16)" get k
}

@test "bench: what makes no sense is refused before anything is sent" {
    group_fails 2 "*expected uniform or zipfian, found 'normal'*" vstamp bench --distribution normal
    group_fails 2 "*--incr and --reads*" vstamp bench --incr --reads 5
    group_fails 2 "*--key-bytes*" vstamp bench --key-bytes 3
    group_fails 2 "*linearizable, causal or stale*" vstamp --consistency some bench
    group_fails 2 "vstamp: nowhere/x: *: nothing was sent" vstamp bench --svg nowhere/x
    [[ $(vstamp --json bench --svg nowhere/x 2>/dev/null) == '{"op":"bench","ok":false,'* ]]
    echo "of another day" >picture
    group_kill 0 1 2
    group_fails 3 "vstamp: no answer in 1.0 s: *Connection refused*" \
        vstamp --timeout 1 bench --svg picture
    [ "$(cat picture)" = "of another day" ]
}

@test "bench: large answers to many clients on one connection do not end it" {
    local replica
    group_kill 0 1 2 # who forget all
    for replica in 0 1 2; do group_start_one "$replica" --log-level debug; done
    group_wait_primary
    vstamp --json bench --reads 100 --value-bytes 65536 --keys 100 --clients 48 --requests 500 \
        >out 2>/dev/null
    [ "$(field answered)" -eq 500 ]
    grep -q "client-disconnected" replica-*.log
    group_never grep "does not read its answers" replica-*.log
}

@test "bench: a view that had begun before is not told as a change" {
    local view
    for _ in 1 2 3; do vstamp-admin -t 20 view-change; done # to the primary that is asked first
    view=$(vstamp-admin -t 20 --json health | grep -o '"view":[0-9]*')
    vstamp --json bench --clients 1 --requests 100 >out
    [[ $(cat out) == *"\"views\":[{\"at_s\":0.0,$view}"* ]]
}

@test "bench: the keys are removed, also if nobody reads the report" {
    vstamp bench --requests 5000 2>/dev/null | true
    [ -z "$(vstamp list --limit 1 bench/)" ]
    [ -e /dev/full ] || skip "there is no /dev/full"
    run bash -c 'vstamp bench --requests 100 2>&1 >/dev/full'
    [ "$status" -eq 2 ]
    [ "$output" = "vstamp: standard output: No space left on device" ]
}

@test "bench: causal and stale reads work, too" {
    vstamp --json --consistency causal bench --reads 50 --requests 1000 --clients 4 >out 2>&1
    [ "$(field answered)" -eq 1000 ]
    vstamp --json --consistency stale bench --reads 100 --requests 1000 --clients 4 >out 2>&1
    [ "$(field answered)" -eq 1000 ]
}

@test "bench: who interrupts it is told what is left, and nothing when nothing was sent" {
    local pid status
    has_loaded() { grep -qs " view " errors; }
    holds_signals() { # as bash does for a moment, before it becomes vstamp
        grep -q '^Name:.*vstamp' "/proc/$pid/status" &&
            grep -q '^SigBlk:.*4...$' "/proc/$pid/status"
    }
    interrupted() { # WHEN COMMAND...
        status=0
        rm -f errors
        "${@:2}" >out 2>errors 3>&- &
        pid=$!
        group_adopt "$pid"
        group_wait "$1" "$1"
        kill -TERM "$pid"
        wait "$pid" || status=$?
        [ "$status" -eq 143 ]
    }
    interrupted has_loaded vstamp bench
    grep -q " requests answered" out
    grep -qx "vstamp: keys that begin with bench/ were left there" errors
    [ "$(vstamp list --limit 1 --keys-only)" != "" ]
    interrupted has_loaded vstamp bench --keep
    group_never grep -q left errors
    group_kill 0 1 2
    interrupted holds_signals vstamp --timeout 20 bench
    [ ! -s out ]
    [ ! -s errors ]
    interrupted holds_signals vstamp --timeout 20 --json bench
    [[ $(cat out) == '{"op":"bench","ok":false,"error":"interrupted","outcome":"none",'* ]]
}

@test "bench: a group of another application says so, at once" {
    group_kill 0 1 2
    GROUP_OPTIONS="--app-exec $BATS_TEST_DIRNAME/../../examples/exec/notes.sh"
    group_start 3 "durability: memory"
    group_wait_primary
    group_fails 5 "vstamp: refused: this group replicates \"*\", and that is an operation of *" \
        vstamp --timeout 20 bench
    [[ $(vstamp --json bench 2>/dev/null) == '{"op":"bench","ok":false,"error":"invalid",'* ]]
}

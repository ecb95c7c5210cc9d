#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A program that has nothing of vstamp but its library and headers: examples/increments.

bats_require_minimum_version 1.5.0
load group

setup() {
    increments=$(cd "${top_builddir:?}" && pwd)/examples/increments
    cd "$BATS_TEST_TMPDIR"
    group_start 3 "durability: memory"
    group_wait_primary
    group=$(group_address 0),$(group_address 1),$(group_address 2)
}

teardown() { group_teardown; }

@test "libvstamp: many requests in flight, each runs once" {
    [ "$("$increments" "$group" hits 5000)" = "5000 done, the counter was at 5000" ]
    [ "$(vstamp get hits)" = 5000 ]
}

@test "libvstamp: also when the primary dies in between" {
    "$increments" "$group" hits 100000 >out 3>&- &
    local pid=$!
    group_adopt "$pid"
    has_begun() { vstamp get hits >/dev/null 2>&1; }
    group_wait "the first increments" has_begun
    group_kill "$PRIMARY"
    wait "$pid"
    [ "$(cat out)" = "100000 done, the counter was at 100000" ]
    [ "$(vstamp get hits)" = 100000 ]
}

@test "libvstamp: what is wrong is said" {
    run "$increments" "127.0.0.1" hits 1
    [ "$status" -eq 2 ]
    [[ $output == "increments: "*"HOST:PORT"* ]]
}

@test "libvstamp: a host whose name server hangs holds up neither the others nor the time-out" {
    local start library=${top_builddir:?}/tests/cli/.libs/slow_names.so
    library=$(cd "${library%/*}" && pwd)/${library##*/}
    start=$EPOCHREALTIME
    [ "$(LD_PRELOAD=$library "$increments" "n.hangs:1,$group" hits 50)" = \
        "50 done, the counter was at 50" ]
    run -3 env LD_PRELOAD="$library" vstamp --timeout 1 --replicas n.hangs:1 get hits
    [[ $output == *"n.hangs:1: its name is being looked up"* ]]
    ((${EPOCHREALTIME/./} - ${start/./} < 30000000))
}

@test "libvstamp: it may be unloaded while a name is looked up" {
    local folder=${top_builddir:?} said
    folder=$(cd "$folder" && pwd)
    said=$(LD_PRELOAD=$folder/tests/cli/.libs/slow_names.so "$folder/tests/cli/unloads" \
        "$folder/.libs/libvstamp.so" n.lingers:1 2)
    [ "$said" -eq -4 ] # VSTAMP_E_NOT_RUN
}

@test "libvstamp: a callback may take its time, and begin a call while connections break" {
    "${top_builddir:?}/tests/cli/calls_back" "$group" \
        'touch asked; while [ ! -e go ]; do sleep 0.02; done' >out 3>&- &
    local pid=$!
    group_adopt "$pid"
    group_wait "the first callback" test -e asked
    group_kill "$PRIMARY"
    group_start_one "$PRIMARY"
    touch go
    wait "$pid"
    [ "$(cat out)" = "0 left, 0 failed" ]
}

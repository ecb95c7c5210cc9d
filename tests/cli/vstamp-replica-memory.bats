#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Groups with durability: memory: fail-over, recovery of replicas that come back empty, minorities.

load group

setup() { group_start 3 "durability: memory"; }

teardown() { group_teardown; }

put() { vstamp --timeout 20 put "$@"; }
get() { vstamp --timeout 20 get "$@"; }

@test "what was put can be got, and all replicas agree" {
    put greeting hello
    [ "$(get greeting)" = hello ]
    group_wait_agree
    [ ! -e "$BATS_TEST_TMPDIR/data" ]
}

@test "the primary is killed: the data are there and can be changed" {
    group_wait_primary
    put k before
    group_kill "$PRIMARY"
    [ "$(get k)" = before ]
    put k after
    [ "$(get k)" = after ]
}

@test "each replica in turn is killed and comes back empty, and nothing is lost" {
    local i
    for i in 0 1 2; do
        put "k$i" "v$i"
        group_kill "$i"
        put "during$i" yes
        group_start_one "$i"
        group_wait_agree
    done
    for i in 0 1 2; do
        [ "$(get "k$i")" = "v$i" ]
        [ "$(get "during$i")" = yes ]
    done
}

@test "a backup that was away catches up" {
    local victim
    group_wait_primary
    victim=$(((PRIMARY + 1) % 3))
    group_kill "$victim"
    for i in 1 2 3 4 5 6 7 8 9 10; do echo "incr n"; done | vstamp --timeout 20 shell
    group_start_one "$victim"
    group_wait_agree
    [ "$(get n)" = 10 ]
}

@test "a minority answers neither writes nor reads, and says that it is not ready" {
    local status=0
    group_wait_primary
    put k v
    group_kill $(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))
    vstamp --timeout 1 get k || status=$?
    [ "$status" -eq 3 ]
    status=0
    vstamp --timeout 1 put k w || status=$?
    [ "$status" -eq 3 ] || [ "$status" -eq 4 ]
    group_is_unready() { [[ $(group_http "$PRIMARY" /readyz) == *" 503 "*'"ready":false'* ]]; }
    group_wait "it to be unready" group_is_unready
    [[ $(group_http "$PRIMARY" /livez) == *" 200 "* ]]
    [[ $(group_http "$PRIMARY" /status) == *" 200 "* ]]
}

@test "a replica that comes back empty to a minority does not make it a majority" {
    local status=0
    group_wait_primary
    put k v
    group_kill 0 1 2
    group_start_one 0
    group_start_one 1
    group_wait_listening
    vstamp --timeout 1.5 get k || status=$?
    [ "$status" -eq 3 ]
    [ "$(group_field 0 status)" = recovering ]
}

@test "a paused primary is replaced, and never answers with what is old" {
    local old
    group_wait_primary
    old=$PRIMARY
    put k old
    group_pause "$old"
    put k new
    [ "$(get k)" = new ]
    group_cont "$old"
    for i in 1 2 3 4 5; do [ "$(get k)" = new ]; done
    group_wait_agree
    [ "$(group_field "$old" role)" = backup ]
}

@test "views stay calm when nothing happens" {
    put k v
    # but on a machine that stood still for longer than view_change_ms
    is_calm() {
        local view
        group_has_primary && view=$(group_field "$PRIMARY" view) || return 1
        sleep 2
        group_is "$PRIMARY" view "$view" && group_is "$PRIMARY" role primary
    }
    group_wait "one view to last" is_calm
}

@test "increments under fail-over run exactly once" {
    local load
    group_wait_primary
    yes "incr n" | head -n 200 | vstamp --timeout 20 shell >"$BATS_TEST_TMPDIR/out" 3>&- &
    load=$!
    group_adopt "$load"
    group_wait "some increments" test -s "$BATS_TEST_TMPDIR/out"
    group_kill "$PRIMARY"
    wait "$load"
    [ "$(get n)" = 200 ]
    [ "$(sort -n "$BATS_TEST_TMPDIR/out" | uniq | wc -l)" -eq 200 ]
}

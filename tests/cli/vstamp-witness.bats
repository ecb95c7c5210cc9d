#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Groups with a witness: two active replicas and one that only votes and logs.

load group

bats_require_minimum_version 1.5.0

teardown() { group_teardown; }

put() { vstamp --timeout 20 put "$@"; }
get() { vstamp --timeout 20 get "$@"; }

start_with_witness() { group_start 3 "witnesses: [2]" "$@"; }

# role_is I ROLE, among all fields of the status
role_is() { group_is "$1" role "$2"; }

is_exposed() {
    (($(group_field 2 checkpoint_number) > $(group_field 2 held_number)))
}

@test "it shows in status, and everything is well" {
    start_with_witness "durability: memory"
    put k v
    group_wait_agree
    group_wait_field 2 role witness
    group_wait "health" vstamp-admin health
    run vstamp-admin -t 20 status
    [ "$status" -eq 0 ]
    [[ $output == HEALTHY*"tolerates 1 more failure"* ]]
    [[ $output == *"  2  "*witness*normal* ]]
    [ "$(group_field 2 clients)" -eq 0 ]
    [ "$(group_field 2 state_pages)" -eq 0 ]
    [[ $(group_http 2 /readyz) == *" 200 "* ]]
    [[ $(group_http 2 /metrics) == *"vstamp_held_number "* ]]
}

@test "either active replica dies: the other one and the witness serve" {
    local i
    start_with_witness
    put k v
    for i in 0 1; do
        group_kill "$i"
        put "during$i" yes
        [ "$(get k)" = v ]
        group_start_one "$i"
        group_wait_agree
        [ "$(group_field 2 role)" = witness ]
    done
    [ "$(get during0)$(get during1)" = yesyes ]
    grep -q "event=view-started view=[0-9]* role=witness " "$BATS_TEST_TMPDIR/replica-2.log"
}

@test "the witness dies, and comes back" {
    start_with_witness "durability: memory"
    group_wait_agree # that it has formed, which takes all three
    group_kill 2
    put k v
    [ "$(get k)" = v ]
    group_start_one 2
    group_wait_agree
    group_wait_primary
    group_kill "$PRIMARY"
    [ "$(get k)" = v ]
}

@test "all are killed at once: what was acknowledged is there" {
    local i
    start_with_witness
    for i in 1 2 3; do
        put "k$i" "v$i"
        group_kill 0 1 2
        for ((j = 0; j < 3; j++)); do group_start_one "$j"; done
    done
    for i in 1 2 3; do [ "$(get "k$i")" = "v$i" ]; done
    group_wait_agree
}

@test "an active replica that was away is behind: it has what the witness acknowledged" {
    start_with_witness
    group_wait_primary
    put k before
    group_kill $((1 - PRIMARY))
    put k after
    group_kill "$PRIMARY"
    rm -rf "$BATS_TEST_TMPDIR/data/$PRIMARY" # its disk is lost
    group_start_one $((1 - PRIMARY))
    [ "$(get k)" = after ]
    group_start_one "$PRIMARY"
    group_wait_agree
}

@test "a client that names the witness alone is told of the others" {
    local consistency witness
    start_with_witness "durability: memory"
    witness=$(group_address 2)
    put k v
    group_wait_agree # what is stale may be older than k
    for consistency in linearizable causal stale; do
        [ "$(vstamp --replicas "$witness" --timeout 20 --consistency "$consistency" get k)" = v ]
    done
    vstamp --replicas "$witness" --timeout 20 put k w
    [ "$(get k)" = w ]
}

@test "a client that was not told who is a witness finds the primary" {
    group_start 3 "witnesses: [0]" "durability: memory"
    local all
    all=$(group_address 0),$(group_address 1),$(group_address 2)
    vstamp --replicas "$all" --timeout 20 put k v
    group_wait_agree # what is stale may be older than k
    for i in 1 2 3 4 5; do
        [ "$(vstamp --replicas "$all" --timeout 20 --consistency stale get k)" = v ]
    done
    group_wait_primary
    [ "$PRIMARY" -ne 0 ]
}

@test "a witness that lost its disk comes back" {
    start_with_witness "checkpoint_ops: 16"
    for i in $(seq 100); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    group_kill 2
    rm -rf "$BATS_TEST_TMPDIR/data/2"
    group_start_one 2
    group_wait_agree
    group_wait_field 2 role witness
    group_wait_primary
    group_kill "$PRIMARY"
    [ "$(get k100)" = v100 ]
}

@test "it has to drop what an active replica lacks: it says so, until that one is back" {
    local other
    start_with_witness "checkpoint_ops: 16"
    put k v
    group_wait_primary
    other=$((1 - PRIMARY))
    group_kill "$other"
    for i in $(seq 200); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    group_wait "an exposed witness" is_exposed
    group_wait_log 2 event=witness-exposed
    run --separate-stderr vstamp-admin -t 20 health
    [ "$status" -eq 1 ]
    [[ $output$stderr == *"a witness, was short of room"* ]]
    group_start_one "$other"
    group_wait_agree
    group_wait "health" vstamp-admin health
    [ "$(get k200)" = v200 ]
}

put_large() { vstamp --timeout 60 bench --clients 16 --keys 40 --value-bytes 524288 "$@"; }

@test "its memory and its journal stay small, whatever goes through the group" {
    local high i
    start_with_witness
    group_wait_agree
    for i in 1 2; do
        group_pause 2
        put_large --requests 60 # 30 MiB that it has to fetch,
        group_cont 2
        put_large --requests 30 # while there is more
        group_wait_agree
    done
    high=$(awk '/^VmHWM/ { print $2 }' "/proc/${GROUP_PIDS[2]}/status")
    echo "peak of the witness: $high kB; of an active replica:" \
        "$(awk '/^VmHWM/ { print $2 }' "/proc/${GROUP_PIDS[0]}/status") kB"
    ((high < 16384))
    (($(du -sk "$BATS_TEST_TMPDIR/data/2" | cut -f 1) < 16384))
}

@test "a group that does not fit to its witnesses is refused" {
    group_configure 3 "witnesses: [1, 2]"
    run --separate-stderr vstamp-replica --config "$VSTAMP_CONFIG" --index 0 --check
    [ "$status" -eq 2 ]
    [[ $stderr == *"a group of 3 can have at most 1, found 2"* ]]
    group_configure 3 "witnesses: [2]"
    run vstamp-replica --config "$VSTAMP_CONFIG" --index 2 --check
    [ "$status" -eq 0 ]
    [[ $output == *"witnesses"*"[2]"* ]]
}

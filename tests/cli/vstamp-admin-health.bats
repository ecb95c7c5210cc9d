#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp-admin health: each exit status, and the line that goes with it.  Who answers does so at
# once, but on a busy machine not within the default of a second.

load fakes
teardown() { fakes_teardown; }

@test "0: all well" {
    fakes_start 0 1 2
    fakes_group 0 1 2
    run --separate-stderr vstamp-admin -t 20 health
    [ "$status" -eq 0 ]
    [ "$output" = "HEALTHY: tolerates 1 more failure" ]
    run --separate-stderr vstamp-admin -t 20 --json health
    [ "$status" -eq 0 ]
    [ "$output" = '{"health":"HEALTHY","reasons":[],"primary":0,'\
'"view":4,"epoch":0,"quorum":2,"tolerates":1}' ]
}

@test "1: serving, but something is down" {
    fakes_start 0 1 2=dead
    HEARD=([2]=192000)
    fakes_group 0 1
    run --separate-stderr vstamp-admin -t 20 health
    [ "$status" -eq 1 ]
    [ "$output" = "DEGRADED: replica 2 (127.0.0.1:10002) is down: Connection refused; \
last heard by replica 0 3m12s ago; tolerates 0 more failures" ]
}

@test "2: not serving" {
    fakes_start 0=dead 1 2=dead
    HEARD=([0]=5000 [2]=6000)
    fakes_group 1
    run --separate-stderr vstamp-admin -t 20 health
    [ "$status" -eq 2 ]
    [[ $output == "UNAVAILABLE: the primary of view 4, replica 0, has fallen silent; replica 0 "* ]]
    [[ $output == *"tolerates 0 more failures" ]]
    [ "${#lines[@]}" -eq 1 ]
}

@test "3: could not ask anyone, for whatever reason" {
    fakes_start 0=dead 1=dead 2=silent
    run --separate-stderr vstamp-admin --timeout 0.2 health
    [ "$status" -eq 3 ]
    [[ $output == "UNAVAILABLE: no replica answers; replica 0 "* ]]
    run --separate-stderr vstamp-admin --config /nonexistent.yaml health
    [ "$status" -eq 3 ]
    [ "$stderr" = "vstamp-admin: /nonexistent.yaml: No such file or directory: check the name" ]
    run --separate-stderr vstamp-admin --json --config /nonexistent.yaml health
    [ "$status" -eq 3 ]
    [ "$output" = '{"ok":false,"error":"config","outcome":"none",'\
'"message":"/nonexistent.yaml: No such file or directory: check the name"}' ]
    for words in "health --nonsense" "--nonsense health" "--timeout x health" "health more"; do
        # shellcheck disable=SC2086 # they are words
        run --separate-stderr vstamp-admin $words
        [ "$status" -eq 3 ]
    done
    run vstamp-admin --nonsense status
    [ "$status" -eq 2 ]
}

@test "3: who may open no connections does not take the replicas for dead" {
    fakes_start 0 1 2
    fakes_group 0 1 2
    run --separate-stderr bash -c 'ulimit -n 6 && exec vstamp-admin -t 20 health'
    [ "$status" -eq 3 ]
    [ -z "$output" ]
    [ "$stderr" = "vstamp-admin: the system allows this process 6 open files, and to ask a group \
takes 96: raise 'ulimit -n'" ]
}

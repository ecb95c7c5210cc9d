#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp-admin metrics: what one replica says, byte for byte.

load fakes
teardown() { fakes_teardown; }

@test "prints what the replica's /metrics says" {
    fakes_start 0 1=dead
    printf '# TYPE vstamp_view gauge\nvstamp_view 4\n' >"$BATS_TEST_TMPDIR/fake-0/metrics"
    vstamp-admin -t 20 metrics 0 >"$BATS_TEST_TMPDIR/out"
    cmp "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/fake-0/metrics"
}

@test "a replica that can't be asked ends in 3, with its address" {
    fakes_start 0 1=dead
    run --separate-stderr vstamp-admin -t 20 metrics 1
    [ "$status" -eq 3 ]
    [ -z "$output" ]
    [ "$stderr" = "vstamp-admin: replica 1 (127.0.0.1:${FAKES_PORTS[1]}): Connection refused" ]
    run --separate-stderr vstamp-admin -t 20 metrics 0
    [ "$status" -eq 3 ]
    [[ $stderr == *"answered with HTTP status 404" ]]
}

@test "an index that is none ends in 2" {
    local word
    fakes_start 0 1=dead
    for word in 2 x 1x ""; do
        run --separate-stderr vstamp-admin metrics "$word"
        [ "$status" -eq 2 ]
        [ "${stderr_lines[0]}" = "vstamp-admin: metrics: expected the index of a replica, \
0 to 1, found '$word'" ]
    done
    run --separate-stderr vstamp-admin metrics
    [ "$status" -eq 2 ]
    [ "${stderr_lines[0]}" = "vstamp-admin: metrics: an operand is missing: expected INDEX" ]
    run --separate-stderr vstamp-admin --json metrics 0
    [ "$status" -eq 2 ]
}

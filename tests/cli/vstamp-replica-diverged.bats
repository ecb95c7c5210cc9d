#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A replica whose state differs from that of the others is fenced (lib/vr/digest.c).  The
# application counts wrong where its state was loaded, and no answer shows it (tests/sim/flawed.c).

bats_require_minimum_version 1.5.0
load group

setup() {
    local build
    build=$(cd "${top_builddir:?}" && pwd)
    GROUP_OPTIONS="--app $build/tests/sim/.libs/flawed.so --app-argument slips"
    cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() { group_teardown; }

ask() { # N: so many operations
    for ((i = 0; i < $1; i++)); do echo "call x"; done | vstamp shell >/dev/null
}

has_ended() { ! group_running "$1"; }

@test "who differs from a majority is named, ends with 6, and does not come back from that folder" {
    group_start 3 "durability: disk" "checkpoint_ops: 16"
    group_wait_primary
    ask 20
    group_wait_agree
    local odd=$(((PRIMARY + 1) % 3)) other=$(((PRIMARY + 2) % 3))
    group_kill "$odd"
    group_start_one "$odd"
    group_wait_field "$odd" status normal
    ask 40
    group_wait "the replica that differs to end" has_ended "$odd"
    group_wait_log "$odd" "event=diverged op="
    group_wait_log "$other" "event=replica-diverged op=.* differs=$odd"
    run -6 vstamp-replica --config "$VSTAMP_CONFIG" --index "$odd" $GROUP_OPTIONS
    [[ $output == *"its state is not that of the others, since op "*"put this folder aside"* ]]
    ask 1
    run vstamp-admin -t 20 status
    [[ $output == *"replica $odd at op 32: another state than "*"it has ended"* ]]
    run -1 vstamp-admin -t 20 health

    mv "$BATS_TEST_TMPDIR/data/$odd" "$BATS_TEST_TMPDIR/aside"
    group_start_one "$odd"
    group_wait "a group that is well" vstamp-admin health
}

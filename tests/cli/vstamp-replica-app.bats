#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A replica whose application is a library that is wrong says so: what it did, and at which
# operation (tests/sim/flawed.c).  Nothing of that is called a bug of vstamp.

bats_require_minimum_version 1.5.0
load group

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }
teardown() { group_teardown; }

# ends_with STATUS FLAW SENTENCE WORD...: so does a replica with that flaw when it is called so.
ends_with() {
    local build status=0
    build=$(cd "${top_builddir:?}" && pwd)
    GROUP_OPTIONS="--app $build/tests/sim/.libs/flawed.so --app-argument $2"
    group_start 1 "durability: memory"
    group_wait_primary
    vstamp --timeout 1 call "${@:4}" || true
    group_wait "its end" group_never group_running 0
    group_reap 0 || status=$?
    [ "$status" -eq "$1" ]
    grep -q "^vstamp-replica: .*the application \"flawed\" $3" replica-0.log
    run ! grep "a bug in vstamp" replica-0.log
}

@test "an answer that is too long, and a page that there is not" {
    ends_with 1 long "answers in apply at op-number 2 with .* bytes, and has room for " x
    ends_with 1 verbose "answers in query at op-number 0 with .* bytes, and has room for " --read x
    ends_with 1 stray "asks in apply at op-number 2 for page 4294967295, and there are " x
}

@test "a crash" {
    [ -z "${INSTRUMENT_CFLAGS:-}" ] || skip "sanitizers end the process in their own way"
    ends_with 139 crash "died in apply at op-number 2: Segmentation fault$" x
}

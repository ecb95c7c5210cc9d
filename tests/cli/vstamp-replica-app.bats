#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A replica whose application is a library that is wrong says so: what it did, and at which
# operation (tests/sim/flawed.c).  Nothing of that is called a bug of vstamp.

bats_require_minimum_version 1.5.0
load group

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }
teardown() { group_teardown; }

start() { # N FLAW
    local build
    build=$(cd "${top_builddir:?}" && pwd)
    GROUP_OPTIONS="--app $build/tests/sim/.libs/flawed.so --app-argument $2"
    group_start "$1" "durability: memory"
    group_wait_primary
}

# ends_with STATUS FLAW SENTENCE WORD...: so does a replica with that flaw when it is called so.
ends_with() {
    local status=0
    start 1 "$2"
    vstamp --timeout 1 call "${@:4}" || true
    group_wait "its end" group_never group_running 0
    group_reap 0 || status=$?
    [ "$status" -eq "$1" ]
    grep -q "^vstamp-replica: .*the application \"flawed\" $3" replica-0.log
    run ! grep "a bug in vstamp" replica-0.log
}

@test "an answer beyond its room, and a page that there is not" {
    ends_with 1 spills "writes in apply at op-number 2 beyond the .* bytes of its answer" x
    ends_with 1 overruns "writes in query at op-number 0 beyond the .* bytes of its answer" --read x
    ends_with 1 stray "asks in apply at op-number 2 for page 4294967295, and there are " x
}

# is_told STATUS SENTENCE WORD...
is_told() {
    run vstamp --timeout 1 call "${@:3}"
    [[ $status -eq $1 && $output =~ the\ application\ \"flawed\"\ $2 ]]
}

# refuses STATUS FLAW SENTENCE WORD...: the client is told, and no replica ends.  Who is refused for
# now asks again until the time is over, and may end with a copy on its way.
refuses() {
    local i
    start 3 "$2"
    for i in 1 2 3; do group_wait "status $1 and a word" is_told "$1" "$3" "${@:4}"; done
    # it is said once, by each that led
    cat replica-?.log | grep event=application-mistaken | grep -q " $3"
    for i in 0 1 2; do
        group_running "$i"
        [ "$(grep event=application-mistaken "replica-$i.log" | grep -c " $3")" -le 1 ]
    done
    group_teardown
}

@test "what is in no log ends nobody: it is refused" {
    refuses 5 verbose "answers in query at op-number 0 with " --read x
    refuses 5 astray "asks in query at op-number 0 for page 4294967295, and there are " --read x
    refuses 3 chooses "answers in predict at op-number [0-9]* with 257 bytes" x
}

@test "an operation that answers with too much has run, and its client is told" {
    local i sentence="refused: it was executed, but its answer of [0-9]* bytes is longer than the "
    start 3 long
    for i in 1 2; do
        run -5 vstamp --timeout 20 call x
        [[ $output =~ $sentence ]]
    done
    run -5 vstamp --timeout 20 --json call x
    [[ $output == *'"error":"refused","outcome":"unknown"'* ]]
    group_wait_primary
    group_kill "$PRIMARY"
    [ "$(vstamp --timeout 20 call --read x)" = 3 ]
    [ "$(grep -h event=application-mistaken replica-*.log | grep -c "answers in apply")" -le 3 ]
    for i in 0 1 2; do [ "$i" -eq "$PRIMARY" ] || group_running "$i"; done
}

@test "a crash" {
    [ -z "${INSTRUMENT_CFLAGS:-}" ] || skip "sanitizers end the process in their own way"
    ends_with 139 crash "died in apply at op-number 2: Segmentation fault$" x
}

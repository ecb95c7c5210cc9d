#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A process that is an application is killed, and hangs, at each step of its life, of the primary
# and of a backup, while clients add: it is noticed and reported, the group goes on, and nothing is
# lost or counted twice.  Each replica has a folder, in which its process finds at which step it is
# to fail, and how (tests/cli/faulty_app.c).

load group

teardown() { group_teardown; }

setup() {
    build=$(cd "${top_builddir:?}" && pwd)
    cd "$BATS_TEST_TMPDIR"
    for i in 0 1 2; do
        mkdir "$i"
        touch "$i/ticks"
        GROUP_RUN[i]="env -C $i"
    done
    GROUP_OPTIONS="--app-exec $build/tests/cli/faulty_app --app-argument ."
    group_start 3 "app_timeout_ms: 300" "checkpoint_ops: 16"
    sum=0
    yes "call 1" | head -n 20 >twenty
    add # there is a state to be loaded
}

# add: clients at once, so that entries hold several operations.
add() {
    local i adding=()
    for i in 1 2 3; do
        vstamp --timeout 20 shell <twenty >/dev/null 3>&- &
        adding+=($!)
    done
    for i in "${adding[@]}"; do wait "$i"; done
    sum=$((sum + 60))
}

# Also while it is idle, after an answer.
failures() { grep -c "event=app-\(failed\|ended\) .*reason=\"$2" "replica-$1.log" || true; }

has_failed() { [ "$(failures "$1" "$2")" -gt "$3" ]; } # I REASON BEFORE

# fail STEP FAULT REASON I...: the processes of those replicas do so there.
fail() {
    local i step=$1 fault=$2 reason=$3 before=()
    shift 3
    for i in "$@"; do
        before[i]=$(failures "$i" "$reason")
        echo "$fault" >"$i/$step"
        [[ $step != @(start|hello|load) ]] || echo kill >"$i/apply"
    done
    if [ "$step" = tick ]; then
        vstamp --timeout 20 call "later 1" >/dev/null
        sum=$((sum + 1))
    fi
    for i in "$@"; do
        while [ ! -e "$i/$step.done" ]; do
            add
            # any replica may answer it, and one that waits for its program refuses
            [ "$step" != query ] || vstamp --consistency stale call --read x &>read || true
        done
        group_wait "$step: replica $i to report it" has_failed "$i" "$reason" "${before[i]}"
    done
    rm -f ./*/*.done
}

steps=(start hello load apply applied tick query save)

all_is_well() {
    group_wait_agree
    # who is kept from running for so long is refused a read
    sum_is() { [ "$(vstamp --timeout 20 call --read x)" = "$sum" ]; }
    group_wait "the sum" sum_is
    for i in 0 1 2; do group_running "$i"; done
}

@test "a process that is killed at each step, of the primary and of a backup" {
    local step
    for step in "${steps[@]}"; do
        group_wait_primary
        fail "$step" kill "was ended by signal 9 (Killed)" "$PRIMARY" $(((PRIMARY + 1) % 3))
    done
    all_is_well
}

@test "a process that hangs at each step, of the primary and of a backup" {
    local step
    for step in "${steps[@]}"; do
        group_wait_primary
        fail "$step" stop "did nothing for [0-9]* ms" "$PRIMARY"
        group_wait_primary
        fail "$step" stop "did nothing for [0-9]* ms" $(((PRIMARY + 1) % 3))
    done
    all_is_well
}

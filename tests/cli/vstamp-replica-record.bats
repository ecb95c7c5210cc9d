#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp-replica --record and vstamp-sim --replay: a life of a real replica, lived again.

load group

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }

teardown() { group_teardown; }

put() { vstamp --timeout 20 put "$@"; }

# recorded FILE COMMAND...: what GROUP_RUN names.  A group that starts again on other ports has left
# recordings behind.
recorded() {
    local file=$1
    shift
    rm -f "$BATS_TEST_TMPDIR/$file"
    exec "$@" --record "$BATS_TEST_TMPDIR/$file"
}

# start_recording I FILE: start replica I (again), which records into FILE.
start_recording() {
    GROUP_RUN[$1]="recorded $2"
    group_start_one "$1"
}

# record_all [LINE...]: a group of three, all of which record: 0.rec, 1.rec, 2.rec.
record_all() {
    GROUP_RUN=("recorded 0.rec" "recorded 1.rec" "recorded 2.rec")
    group_start 3 "$@"
}

# replayed FILE PATTERN: exit 0, and a verdict of that form in the last line.
replayed() {
    vstamp-sim --replay "$1" >"$1.out"
    tail -n 1 "$1.out"
    [[ $(tail -n 1 "$1.out") == "$1: as recorded: "$2 ]]
}

# unreplayed STATUS FILE PATTERN
unreplayed() {
    local status=0
    vstamp-sim --replay "$2" >"$2.out" 2>"$2.err" || status=$?
    cat "$2.err" "$2.out" | tail -n 2
    [ "$status" -eq "$1" ]
    [[ $(cat "$2.err" "$2.out" | tail -n 1) == $3 ]]
}

load_of() { for i in $(seq "$1"); do echo "put k$i v$i"; done | vstamp --timeout 20 shell; }

@test "memory: a peer is killed and comes back, the others are stopped: each life gives the same" {
    record_all "durability: memory"
    load_of 100 >/dev/null
    group_wait_agree
    group_kill 1
    put while-away x
    start_recording 1 1b.rec
    group_wait_agree
    group_stop 0
    put without-0 x
    group_stop 1
    group_stop 2
    replayed 0.rec "replica 0 of 3, *; ended in good order"
    replayed 1.rec "replica 1 of 3, *; cut off at byte *: the replica was killed, *"
    replayed 1b.rec "replica 1 of 3, *; ended in good order"
    replayed 2.rec "replica 2 of 3, *; ended in good order"
    vstamp-sim --replay 1b.rec --trace >out
    grep -q " 1: recovering " out
    [ "$(wc -l <1b.rec.out)" -eq 61 ] # the newest lines, and the verdict
    [ "$(wc -l <out)" -gt 61 ]
}

@test "a replica that crashes writes its last moment, too" {
    local status=0
    GROUP_RUN=("recorded crash.rec")
    group_start 1 "durability: memory"
    put k v
    group_signal 0 SEGV
    group_reap 0 || status=$?
    [ "$status" -eq 139 ]
    replayed crash.rec "*; cut off at byte *"
    grep -q "client .* <- 0: reply .* op=2 " crash.rec.out
}

@test "disk: all are killed and come back from checkpoint and journal: each life gives the same" {
    record_all "checkpoint_ops: 16"
    load_of 100 >/dev/null
    group_has_checkpoint() { [ "$(group_field 1 checkpoint_number)" -gt 0 ]; }
    group_wait "a checkpoint" group_has_checkpoint
    group_kill 0 1 2
    for i in 0 1 2; do start_recording "$i" "$i-again.rec"; done
    put after x
    group_wait_agree
    group_stop 2
    for i in 0 1 2; do replayed "$i.rec" "*; cut off at byte *"; done
    replayed 2-again.rec "*; ended in good order"
    vstamp-sim --replay 1-again.rec --trace >out
    grep -q " 1: restore checkpoint " out
    grep -q " 1: restore segments " out
    grep -q " 1: append to segment " out
    grep -q " 1 <- .* from=" out
    grep -qE " (0|2) <- .* from=1 " out
}

@test "a folder that is refused: the refusal is recorded, and comes again" {
    local status=0 found
    group_start 1
    for i in 1 2 3; do put "k$i" "value-$i"; done
    group_kill 0
    found=$(grep -abo value-1 "$BATS_TEST_TMPDIR"/data/0/journal-0000000000000001 | head -n 1)
    printf '\377' | dd of="$BATS_TEST_TMPDIR/data/0/journal-0000000000000001" bs=1 \
        seek="${found%%:*}" conv=notrunc status=none
    timeout 20 vstamp-replica --index 0 --record refused.rec 2>err || status=$?
    cat err >&2
    [ "$status" -eq 2 ]
    replayed refused.rec "*; ended with status 2: damaged at byte *"
    grep -qF "$(grep -o 'damaged at byte [0-9]*, in entry [0-9]*$' err)" refused.rec.out
}

@test "a recording that is cut, damaged, empty or something else: what it is is said" {
    local size
    record_all "durability: memory"
    load_of 20 >/dev/null
    group_stop 0
    size=$(stat -c %s 0.rec)
    head -c $((size / 2)) 0.rec >cut.rec
    replayed cut.rec "*; cut off at byte *"
    cp 0.rec flipped.rec
    # more than the zeros that may stand between two records
    printf '\252%.0s' 1 2 3 4 5 6 7 8 9 10 |
        dd of=flipped.rec bs=1 seek=$((size / 2)) conv=notrunc status=none
    unreplayed 2 flipped.rec "flipped.rec: damaged at byte *; up to there as recorded: replica 0 *"
    : >empty.rec
    unreplayed 2 empty.rec "empty.rec: empty: nothing was recorded"
    echo "not a recording" >text.rec
    unreplayed 2 text.rec "text.rec: not a recording of vstamp-replica --record*"
    unreplayed 2 none.rec "vstamp-sim: none.rec: No such file or directory"
}

@test "a life with a library as the application is lived again with that library" {
    local app=${top_builddir:?}/tests/sim/.libs/flawed.so
    app=$(cd "${app%/*}" && pwd)/${app##*/}
    GROUP_OPTIONS="--app $app"
    record_all "durability: memory"
    for i in 1 2 3; do vstamp --timeout 20 call "add $i" >/dev/null; done
    group_wait_agree
    for i in 0 1 2; do group_stop "$i"; done
    unreplayed 2 0.rec "0.rec: another application's: it replicates *, and not key-value store: *"
    vstamp-sim --replay 0.rec --app "$app" >out
    [[ $(tail -n 1 out) == "0.rec: as recorded: replica 0 of 3, "*"; ended in good order" ]]
}

@test "the file is new, for its owner only, and never overwritten" {
    local status=0
    umask 0
    group_configure 1 "durability: memory"
    : >given.rec
    chmod 644 given.rec
    group_start_one 0 --record "$BATS_TEST_TMPDIR/given.rec"
    put k v
    timeout 20 vstamp-replica --index 0 --record given.rec 2>err || status=$?
    [ "$status" -eq 2 ]
    grep -q "^vstamp-replica: --record: given.rec: another replica is recording into it" err
    group_stop 0
    [ "$(stat -c %a given.rec)" = 600 ]
    grep -q "event=recording file=.*/given.rec" replica-0.log

    cp given.rec before.rec
    for file in given.rec / "$BATS_TEST_TMPDIR/no/such.rec"; do
        status=0
        timeout 20 vstamp-replica --index 0 --record "$file" 2>err || status=$?
        cat err >&2
        [ "$status" -eq 2 ]
        grep -q "^vstamp-replica: --record: $file: " err
    done
    cmp given.rec before.rec
    rm given.rec
    start_recording 0 given.rec
    put k v
    [ "$(stat -c %a given.rec)" = 600 ]
}

@test "a start that fails for another reason leaves nothing that is in the way of the next" {
    local status=0
    group_start 1 "durability: memory"
    timeout 20 vstamp-replica --index 0 --record next.rec 2>err || status=$?
    cat err >&2
    [ "$status" -eq 2 ]
    grep -q "in use" err
    group_stop 0
    start_recording 0 next.rec
    put k v
    group_stop 0
    replayed next.rec "*; ended in good order"
}

@test "a file that cannot grow ends the recording, not the replica" {
    group_configure 1 "durability: memory"
    small() {
        ulimit -f 64
        exec "$@"
    }
    GROUP_RUN=(small)
    group_start_one 0 --record "$BATS_TEST_TMPDIR/small.rec"
    for i in $(seq 100); do echo "put k$i $(printf '%01000d' "$i")"; done |
        vstamp --timeout 20 shell >/dev/null
    group_wait_log 0 "event=recording-stopped"
    [ "$(vstamp --timeout 20 get k100)" = "$(printf '%01000d' 100)" ]
    [ "$(grep -c 'event=recording-stopped file=.*/small.rec"\? reason="File too large"' \
        replica-0.log)" -eq 1 ]
    group_stop 0
    replayed small.rec "*; cut off at byte *"
}

@test "--record does not go with --local" {
    local status=0
    timeout 20 vstamp-replica --local 1 --record local.rec 2>err || status=$?
    [ "$status" -eq 2 ]
    grep -q -- "--record, --journal-io and --tls do not go with it" err
    [ ! -e local.rec ]
}

@test "an application that is a process: one that died, too, but not one that answers otherwise" {
    local faults=faults program
    program=$(cd "${top_builddir:?}" && pwd)/tests/cli/faulty_app
    mkdir "$faults"
    GROUP_OPTIONS="--app-exec $program --app-argument $faults"
    record_all "checkpoint_ops: 16"
    for i in $(seq 20); do echo "call $i"; done | vstamp --timeout 20 shell >/dev/null
    for step in apply save applied; do
        echo kill >"$faults/$step"
        for i in $(seq 20); do echo "call $i"; done | vstamp --timeout 20 shell >/dev/null
        group_wait "the fault at $step" test -e "$faults/$step.done"
    done
    vstamp call --read x
    group_wait_agree
    group_kill 1
    for i in 0 2; do group_stop "$i"; done
    for i in 0 1 2; do
        vstamp-sim --replay "$i.rec" --app-exec "$program" --app-argument "$faults" >"$i.out"
        [[ $(tail -n 1 "$i.out") == "$i.rec: as recorded: replica $i of 3, "* ]]
    done
    unreplayed 2 0.rec "*it replicates sum, and not *: name its library by --app, its program *"

    rm 0.rec
    GROUP_RUN=("recorded 0.rec")
    group_start 1 "durability: memory"
    vstamp call pid
    group_stop 0
    local status=0
    vstamp-sim --replay 0.rec --app-exec "$program" --app-argument "$faults" >out || status=$?
    [ "$status" -eq 1 ]
    [[ $(tail -n 1 out) == *"FAILED at "* ]]
}

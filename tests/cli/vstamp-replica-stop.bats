#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The graceful end of a replica.

load group

teardown() { group_teardown; }

@test "SIGTERM of the primary: it hands over, ends with 0, and another serves" {
    local old view
    group_start 3 "durability: memory"
    group_wait_primary
    old=$PRIMARY
    view=$(group_field "$old" view)
    vstamp --timeout 20 put k v
    group_wait_agree # so that it need not wait for who is to lead
    group_stop "$old"
    grep -q "event=stopped" "$BATS_TEST_TMPDIR/replica-$old.log"
    group_never grep -q "event=stop-timeout" "$BATS_TEST_TMPDIR/replica-$old.log"
    group_wait_primary
    [ "$PRIMARY" -ne "$old" ]
    # handed over, not found missing
    grep -q 'why="planned hand-over"' "$BATS_TEST_TMPDIR/replica-$old.log"
    [ "$(vstamp --timeout 20 get k)" = v ]
}

@test "SIGINT of a backup: it ends with 0 and the view stays" {
    local backup view
    group_start 3 "durability: memory" "view_change_ms: 2000"
    group_wait_agree
    group_wait_primary
    view=$(group_field "$PRIMARY" view)
    backup=$(((PRIMARY + 1) % 3))
    group_signal "$backup" INT
    group_reap "$backup"
    vstamp --timeout 20 put k v
    [ "$(group_field "$PRIMARY" view)" = "$view" ]
}

@test "SIGHUP, as of a terminal that is closed, ends it in order; not under nohup" {
    # these tests may run under nohup, too
    GROUP_RUN="env --default-signal=HUP" group_start 1
    group_wait_primary
    group_signal 0 HUP
    group_reap 0
    grep -q "event=stopping signal=Hangup" "$BATS_TEST_TMPDIR/replica-0.log"
    GROUP_RUN=nohup group_start_one 0
    group_wait_primary
    group_signal 0 HUP
    vstamp --timeout 20 put k v
    group_stop 0
    [ "$(grep -c "signal=Hangup" "$BATS_TEST_TMPDIR/replica-0.log")" -eq 1 ]
}

@test "a replica alone ends at once, one that finds nobody to hand over to after 2 s" {
    group_start 1
    vstamp --timeout 20 put k v
    group_stop 0
    group_never grep -q "event=stop-timeout" "$BATS_TEST_TMPDIR/replica-0.log"
    group_start_one 0
    [ "$(vstamp --timeout 20 get k)" = v ]
    group_stop 0

    rm -r "$BATS_TEST_TMPDIR/data"
    group_start 3
    group_wait_agree
    group_wait_primary
    group_kill $(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))
    group_stop "$PRIMARY"
    grep -q "event=stop-timeout" "$BATS_TEST_TMPDIR/replica-$PRIMARY.log"
}

@test "a supervisor is told that it serves, what happens, and that it stops" {
    local socket=$BATS_TEST_TMPDIR/notify heard=$BATS_TEST_TMPDIR/heard
    "${top_builddir:?}/tests/cli/hear_notify" "$socket" >"$heard" 3>&- &
    group_adopt $!
    group_wait "the supervisor" test -S "$socket"
    NOTIFY_SOCKET=$socket group_start 1 "durability: memory"
    group_wait "it to serve" grep -qx "READY=1" "$heard"
    group_wait "the view" grep -q "^STATUS=view-started view=0 role=primary" "$heard"
    group_never grep -q STOPPING "$heard"
    group_stop 0
    group_wait "its end" grep -qx "STOPPING=1" "$heard"
}

@test "a second signal ends it at once" {
    local status=0
    group_start 3 "durability: memory"
    group_wait_agree
    group_wait_primary
    group_kill $(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))
    group_signal "$PRIMARY" TERM
    group_wait_log "$PRIMARY" "event=stopping"
    group_signal "$PRIMARY" TERM
    group_reap "$PRIMARY" || status=$?
    [ "$status" -eq 143 ]
    group_never grep -q "event=stopped" "$BATS_TEST_TMPDIR/replica-$PRIMARY.log"
}

# The thread of the checkpoints opens the trail; where nobody reads that, it waits for ever.
@test "a second signal ends it at once, also where its disk hangs" {
    local status=0 trail=$BATS_TEST_TMPDIR/data/0/trail
    mkdir -p "${trail%/*}"
    mkfifo "$trail"
    group_start 1 "checkpoint_ops: 16"
    for i in $(seq 20); do echo "put k$i v"; done | vstamp --timeout 20 shell >/dev/null
    group_wait "the thread to hang" grep -qs wait_for_partner "/proc/${GROUP_PIDS[0]}/task"/*/wchan
    group_signal 0 TERM
    group_wait_log 0 "event=stopping"
    sleep 0.5
    group_running 0 # it waits for that thread
    group_signal 0 TERM
    group_wait "its end" group_never group_running 0
    group_reap 0 || status=$?
    [ "$status" -eq 143 ]
}

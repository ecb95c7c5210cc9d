#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What a power cut would show: in which order files are written, synced and named (disk_order.c,
# which ends a process that does it wrong).

bats_require_minimum_version 1.5.0
load group

shim=$(cd "${top_builddir:?}" && pwd)/tests/cli/.libs/disk_order.so

teardown() { group_teardown; }

# orders_well IO: a replica whose journal is written so, through what is done to a folder: it is
# begun, checkpoints free segments, a start reads it.
orders_well() {
    local log=$BATS_TEST_TMPDIR/replica-0.log i
    GROUP_RUN="env LD_PRELOAD=$shim" GROUP_OPTIONS="--journal-io $1"
    group_start 1 "checkpoint_ops: 16"
    for i in $(seq 20); do vstamp --timeout 20 put "k$i" "v$i"; done
    group_freed() { [ ! -e "$BATS_TEST_TMPDIR/data/0/journal-0000000000000001" ]; }
    group_wait "a segment to be freed" group_freed
    [ "$(ls -l "/proc/${GROUP_PIDS[0]}/fd" | grep -c /journal-)" -le 2 ] # the last, and the next
    group_kill 0
    group_start_one 0
    for i in $(seq 20); do vstamp --timeout 20 put "k$i" "w$i"; done
    group_stop 0
    grep -o "disk-order: .*" "$log" >"$BATS_TEST_TMPDIR/said"
    cat "$BATS_TEST_TMPDIR/said"
    run ! grep -v " appends=[1-9][0-9]* names=[1-9][0-9]* removed=[1-9][0-9]* reads=[1-9]" \
        "$BATS_TEST_TMPDIR/said"
}

@test "what a replica acknowledges is on stable storage, with the name of its file" {
    orders_well thread
}

@test "the same through a ring" {
    group_start 1
    [ "$(group_field 0 journal_io)" = ring ] || skip "there are no rings here"
    group_teardown
    rm -r "$BATS_TEST_TMPDIR/data"
    orders_well ring
}

@test "the same when damaged files are put aside, and removed" {
    local data=$BATS_TEST_TMPDIR/data/2 log=$BATS_TEST_TMPDIR/replica-2.log
    GROUP_RUN="env LD_PRELOAD=$shim"
    group_configure 3 "checkpoint_ops: 16"
    for i in 0 1 2; do # each one looks whether its folder is among those of the former ones
        group_start_one "$i"
        group_wait "its journal" test -e "${data%2}$i/journal-0000000000000001"
    done
    group_wait_agree
    group_stop 2
    truncate -s 4096 "$(ls "$data"/journal-* | head -n 1)"
    group_start_one 2
    group_wait_log 2 event=folder-damaged
    for i in $(seq 40); do echo "put k$i v$i"; done | vstamp --timeout 20 shell >/dev/null
    none_aside() { ! ls "$data" | grep -q damaged-; }
    group_wait "the damaged files to be removed" none_aside
    group_wait_agree
    group_stop 2
    run ! grep "disk-order: [^a]" "$log"
}

@test "a request is noted on stable storage before it is sent" {
    group_start 3 "durability: memory"
    cd "$BATS_TEST_TMPDIR"
    for i in 1 2 3; do
        [ "$(LD_PRELOAD=$shim vstamp --timeout 20 --session session incr n 2>said)" -eq "$i" ]
        grep "disk-order: .* names=[1-9].* sent=[1-9]" said
    done
}

@test "what is kept from one command to the next is in a folder that lasts" {
    group_start 1 "durability: memory"
    export XDG_STATE_HOME=$BATS_TEST_TMPDIR/not/yet/there
    LD_PRELOAD=$shim vstamp --timeout 20 bench --requests 10
    [ -e "$XDG_STATE_HOME/vstamp/crowd-0.session" ]
}

@test "a backup and an export last once they are said to be there, and so does what is restored" {
    group_start 1
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    vstamp put k v
    for i in 1 2; do # the second takes the place of the first
        LD_PRELOAD=$shim vstamp-admin backup --force copy-b 2>said
        grep "disk-order: .* names=1 " said
        LD_PRELOAD=$shim vstamp export copy-e 2>said
        grep "disk-order: .* names=1 " said
    done
    sed -i "s|^data_dir:.*|data_dir: new/folder|" "$VSTAMP_CONFIG"
    LD_PRELOAD=$shim vstamp-admin restore copy-b 2>said
    grep "disk-order: appends=[1-9]" said
}

@test "it may be in one that may be passed, and not read" {
    group_start 1 "durability: memory"
    export XDG_STATE_HOME=$BATS_TEST_TMPDIR/passed/state
    mkdir -m 300 "$BATS_TEST_TMPDIR/passed"
    local as_anybody=()
    # root may read anything, unless it gives that up
    [ "$(id -u)" -ne 0 ] || as_anybody=(setpriv --bounding-set=-dac_override,-dac_read_search)
    "${as_anybody[@]}" vstamp --timeout 20 bench --requests 10
    [ -e "$XDG_STATE_HOME/vstamp/crowd-0.session" ]
}

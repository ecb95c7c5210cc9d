#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Disks on which there is no more room; see vstamp-replica-disk.bats for all else about disks.

bats_require_minimum_version 1.5.0
load group

teardown() {
    group_teardown
    # The kernel lets go of a ring's files a little after its process is gone.
    [ -z "${MOUNTED:-}" ] || group_wait "$MOUNTED to be free" umount -q "$MOUNTED"
}

put() { vstamp --timeout 20 put "$@"; }
get() { vstamp --timeout 20 get "$@"; }

@test "a checkpoint for whose pages there is room in part ends the replica: the disk is full" {
    local folder=$BATS_TEST_TMPDIR/data/0 avail status=0
    [ "$(id -u)" -eq 0 ] || skip "only root can mount"
    mkdir -p "$folder"
    mount -t tmpfs -o size=400m tmpfs "$folder" || skip "nothing can be mounted"
    MOUNTED=$folder
    group_start 1 "checkpoint_ops: 256"
    for i in $(seq 200); do echo "put k$i $(printf '%020000d' "$i")"; done |
        vstamp --timeout 60 shell >/dev/null
    group_wait "two segments" test -e "$folder/journal-0000000000000002"
    avail=$(df --output=avail -B 1K "$folder" | tail -n 1)
    fallocate -l "$((avail - 1160))K" "$folder/filler"
    for i in $(seq 60); do echo "put k$i v"; done |
        vstamp --timeout 1 shell >/dev/null 2>&1 || true
    group_wait "it to end" group_never group_running 0
    group_reap 0 || status=$?
    [ "$status" -eq 1 ]
    tail -n 1 "$BATS_TEST_TMPDIR/replica-0.log" | grep 'event=disk-failed file=.*/0/pages.mdb ' |
        grep -q ' a checkpoint to it: No space left on device" hint="make room on that disk, '
    rm "$folder/filler"
    group_start_one 0
    [ "$(get k200)" = "$(printf '%020000d' 200)" ]
}

@test "a full disk ends the replica with one line and status 1; the others go on" {
    local status=0
    [ "$(id -u)" -eq 0 ] || skip "only root can mount"
    mkdir -p "$BATS_TEST_TMPDIR/data/2"
    mount -t tmpfs -o size=40m tmpfs "$BATS_TEST_TMPDIR/data/2" || skip "nothing can be mounted"
    MOUNTED=$BATS_TEST_TMPDIR/data/2
    group_start 3
    put k v
    group_wait_agree
    for i in $(seq 600); do echo "put k$((i % 100)) $(printf '%0100000d' "$i")"; done |
        vstamp --timeout 60 shell >/dev/null
    group_gone() { ! group_running 2; }
    group_wait "replica 2 to give up" group_gone
    group_reap 2 || status=$?
    [ "$status" -eq 1 ]
    grep -q 'event=journal-lacks-room' "$BATS_TEST_TMPDIR/replica-2.log"
    [ "$(grep -c 'level=error' "$BATS_TEST_TMPDIR/replica-2.log")" -eq 1 ]
    grep 'level=error' "$BATS_TEST_TMPDIR/replica-2.log" |
        grep 'event=disk-failed file=.*/data/2/' | grep -q 'it: No space left on device'
    [ "$(get k)" = v ]
    mount -o remount,size=400m "$MOUNTED"
    group_start_one 2
    group_wait_agree
}

@test "a disk that gets full is said while there is time; room that is made is found" {
    [ "$(id -u)" -eq 0 ] || skip "only root can mount"
    mkdir -p "$BATS_TEST_TMPDIR/data/1"
    mount -t tmpfs -o size=40m tmpfs "$BATS_TEST_TMPDIR/data/1" || skip "nothing can be mounted"
    MOUNTED=$BATS_TEST_TMPDIR/data/1
    group_start 3 "log_bytes: 256MiB" # no checkpoint meanwhile
    for i in $(seq 180); do echo "put k$((i % 10)) $(printf '%0100000d' "$i")"; done |
        vstamp --timeout 60 shell >/dev/null # more than a segment, less than two
    group_wait_log 1 "level=warn .*event=journal-lacks-room .*No space left.* wanted_bytes=16777216"
    run vstamp-admin -t 20 health
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"next segment of its journal, 16 MiB (No space left on device): it ends"* ]]
    group_http 1 /metrics | grep -q '^vstamp_disk_trouble 1'
    group_http 0 /metrics | grep -q '^vstamp_disk_trouble 0'
    # what it could not finish takes no room
    [ "$(df --output=avail -B 1 "$MOUNTED" | tail -n 1)" -gt $((1 << 20)) ]
    group_never grep -q deleted <(ls -l "/proc/${GROUP_PIDS[1]}/fd")
    mount -o remount,size=400m "$MOUNTED"
    group_wait_log 1 'event=journal-has-room'
    group_wait "health" vstamp-admin health
    for i in $(seq 360); do echo "put k$((i % 10)) $(printf '%0100000d' "$i")"; done |
        vstamp --timeout 60 shell >/dev/null
    group_wait_agree
    [ "$(grep -c event=journal-lacks-room "$BATS_TEST_TMPDIR/replica-1.log")" -eq 1 ]
}

@test "a full disk that stays full: each start says so and ends; with room nothing is missing" {
    local i status
    [ "$(id -u)" -eq 0 ] || skip "only root can mount"
    mkdir -p "$BATS_TEST_TMPDIR/data/0"
    mount -t tmpfs -o size=40m tmpfs "$BATS_TEST_TMPDIR/data/0" || skip "nothing can be mounted"
    MOUNTED=$BATS_TEST_TMPDIR/data/0
    group_start 3 # replica 0 is the primary
    group_wait_primary
    vstamp --timeout 60 bench --clients 8 --requests 20000 --incr \
        >"$BATS_TEST_TMPDIR/bench" 2>&1 3>&- &
    group_adopt $!
    head -c 40m /dev/zero >"$MOUNTED/filler" 2>/dev/null || true
    for i in $(seq 600); do echo "put k$((i % 100)) $(printf '%0100000d' "$i")"; done |
        vstamp --timeout 60 shell >/dev/null
    wait $! # exactly as many increments ran as were acknowledged
    for i in 1 2; do
        group_gone() { ! group_running 0; }
        group_wait "replica 0 to give up" group_gone
        status=0
        group_reap 0 || status=$?
        [ "$status" -eq 1 ]
        tail -n 1 "$BATS_TEST_TMPDIR/replica-0.log" | grep 'event=disk-failed file=.*/data/0/' |
            grep -q 'it: No space left on device" hint="make room on that disk, then start'
        group_start_one 0
    done
    rm "$MOUNTED/filler"
    mount -o remount,size=400m "$MOUNTED"
    group_kill 0
    group_start_one 0
    group_wait_agree
}

# ends_at FILE: many puts end replica 0, as that may not be so large.
ends_at() {
    local status=0
    vstamp shell < <(for i in $(seq 200); do echo "put k$i $(printf '%0100000d' "$i")"; done) \
        >/dev/null 2>&1 3>&- &
    group_adopt $!
    group_wait "replica 0 to end" group_never group_running 0
    group_reap 0 || status=$?
    [ "$status" -eq 1 ]
    tail -n 1 "$BATS_TEST_TMPDIR/replica-0.log" | grep "event=disk-failed file=.*/data/0/$1.* it: \
File too large\" hint=\"files may not be that large: raise the limit (ulimit -f)"
}

@test "a limit on the size of files is said to be one" {
    group_start 1
    put k v
    group_stop 0
    GROUP_RUN="prlimit --fsize=1000001" # no multiple of what the disk writes
    group_start_one 0
    group_wait_log 0 'event=journal-lacks-room .*reason="File too large"'
    ends_at journal-
    GROUP_RUN=
    group_start_one 0
    [ "$(get k)" = v ]
    group_teardown
    rm -r "$BATS_TEST_TMPDIR/data"
    GROUP_RUN="prlimit --fsize=18000001" # a segment fits
    group_start 1 "checkpoint_ops: 16" "log_bytes: 4MiB"
    ends_at pages.mdb
}

@test "a folder in memory is said to be" {
    [ "$(id -u)" -eq 0 ] || skip "only root can mount"
    mkdir -p "$BATS_TEST_TMPDIR/data/0"
    mount -t tmpfs -o size=100m tmpfs "$BATS_TEST_TMPDIR/data/0" || skip "nothing can be mounted"
    MOUNTED=$BATS_TEST_TMPDIR/data/0
    group_start 1
    grep -q "level=warn .*event=folder-in-memory folder=\"\?$MOUNTED\"\? hint=" \
        "$BATS_TEST_TMPDIR/replica-0.log"
    put k v
}

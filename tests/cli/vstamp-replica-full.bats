#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Disks that are full to the last block; see vstamp-replica-disk.bats for all else about disks.

bats_require_minimum_version 1.5.0
load group

teardown() {
    group_teardown
    # The kernel lets go of a ring's files a little after its process is gone.
    [ -z "${MOUNTED:-}" ] || group_wait "$MOUNTED to be free" umount -q "$MOUNTED"
}

@test "a checkpoint for whose pages there is room in part ends the replica: the disk is full" {
    local folder=$BATS_TEST_TMPDIR/data/0 avail status=0
    [ "$(id -u)" -eq 0 ] || skip "only root can mount"
    mkdir -p "$folder"
    mount -t tmpfs -o size=400m tmpfs "$folder" || skip "nothing can be mounted"
    MOUNTED=$folder
    group_start 1 "checkpoint_ops: 256"
    for i in $(seq 200); do echo "put k$i $(printf '%020000d' "$i")"; done |
        vstamp --timeout 30 shell >/dev/null
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
    [ "$(vstamp --timeout 20 get k200)" = "$(printf '%020000d' 200)" ]
}

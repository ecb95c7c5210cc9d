#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Folders that are not what their replica last had: an old copy, another replica's, another group's.
# Each is refused with a sentence, and the group goes on.

load group

teardown() { group_teardown; }

put() { vstamp --timeout 20 put "$@"; }
get() { vstamp --timeout 20 get "$@"; }

# refused I WORDS: replica I starts, ends by itself with status 2, and says so in one line of its
# log and one sentence.
refused() {
    local status=0
    group_start_one "$1"
    replica_gone() { ! group_running "$1"; }
    group_wait "replica $1 to give up" replica_gone "$1"
    group_reap "$1" || status=$?
    [ "$status" -eq 2 ]
    tail -n 1 "$BATS_TEST_TMPDIR/replica-$1.log" | grep -q "^vstamp-replica: .*/data/$1: $2"
    [ "$(grep -c 'level=error .*event=folder-refused' "$BATS_TEST_TMPDIR/replica-$1.log")" -eq 1 ]
}

# comes_back I: the folder is moved away, as the sentence says.
comes_back() {
    mv "$BATS_TEST_TMPDIR/data/$1" "$BATS_TEST_TMPDIR/away"
    group_start_one "$1"
    group_wait_agree
}

@test "an old copy of a folder is refused, and the group goes on" {
    group_start 3
    put k 1
    group_wait_agree
    group_stop 1
    cp -r "$BATS_TEST_TMPDIR/data/1" "$BATS_TEST_TMPDIR/copy"
    group_start_one 1
    group_wait_agree
    put k 2
    group_wait_agree
    group_stop 1
    rm -r "$BATS_TEST_TMPDIR/data/1"
    cp -r "$BATS_TEST_TMPDIR/copy" "$BATS_TEST_TMPDIR/data/1"
    put k 3
    refused 1 "this folder is an old copy, or in use twice: replica . was told of \
start 1 by another copy of it;"
    [ "$(get k)" = 3 ]
    put k 4
    comes_back 1
    [ "$(get k)" = 4 ]
}

@test "a copy that was made while the replica ran, too" {
    local other
    group_start 3
    put k 1
    group_wait_agree
    cp -r "$BATS_TEST_TMPDIR/data/2" "$BATS_TEST_TMPDIR/copy"
    put k 2
    put k 3
    group_wait_acked # else nobody remembers that it held them
    group_kill 2
    rm -r "$BATS_TEST_TMPDIR/data/2"
    cp -r "$BATS_TEST_TMPDIR/copy" "$BATS_TEST_TMPDIR/data/2"
    other=$((PRIMARY == 0)) # has heard no such word, and may let it in before the primary answers
    group_pause "$other"
    refused 2 "this folder is an old copy, or .*: it ends at op-number [0-9]*, replica . remembers"
    group_cont "$other"
    comes_back 2
    [ "$(get k)" = 3 ]
}

@test "another group's folder, with the same addresses and index" {
    group_start 3
    put k theirs
    group_wait_agree
    group_stop 2
    mv "$BATS_TEST_TMPDIR/data/2" "$BATS_TEST_TMPDIR/theirs"
    group_kill 0 1
    rm -r "$BATS_TEST_TMPDIR/data"
    for i in 0 1 2; do group_start_one "$i"; done
    put k ours
    group_wait_agree
    group_stop 2
    rm -r "$BATS_TEST_TMPDIR/data/2"
    cp -r "$BATS_TEST_TMPDIR/theirs" "$BATS_TEST_TMPDIR/data/2"
    refused 2 "this folder belongs to another group than replica . and others; move it away"
    [ "$(get k)" = ours ]
    comes_back 2
    [ "$(get k)" = ours ]
}

@test "another replica's folder" {
    local status=0
    group_start 3
    put k v
    group_wait_agree
    group_stop 1
    group_stop 2
    cp -r "$BATS_TEST_TMPDIR/data/1" "$BATS_TEST_TMPDIR/copy"
    mv "$BATS_TEST_TMPDIR/data/2" "$BATS_TEST_TMPDIR/data/1-right"
    cp -r "$BATS_TEST_TMPDIR/copy" "$BATS_TEST_TMPDIR/data/2"
    timeout 20 vstamp-replica --index 2 2>"$BATS_TEST_TMPDIR/err" || status=$?
    cat "$BATS_TEST_TMPDIR/err" >&2
    [ "$status" -eq 2 ]
    grep -q "^vstamp-replica: .*/data/2 belongs to the replica at .*, and the configuration has" \
        "$BATS_TEST_TMPDIR/err"
}

@test "a majority that starts again needs nobody else" {
    group_start 3
    put k v
    group_wait_agree
    group_kill 0 1 2
    group_start_one 0
    group_wait_log 0 event=restored
    group_field 0 reason
    [[ $(group_field 0 reason) == "waits for 1 other replica to answer to its start: 0 did"* ]]
    group_start_one 2
    [ "$(get k)" = v ]
}

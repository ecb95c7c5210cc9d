#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Another release, one replica at a time (lib/wire/version.h): raised.c is the later one.
load group

teardown() { group_teardown; }

raised=$top_builddir/tests/cli/vstamp-replica-raised

# Restart replica I in good order with that program.
run_instead() { # I PROGRAM
    group_stop "$1"
    GROUP_PROGRAM[$1]=$2
    group_start_one "$1"
    group_wait_field "$1" status normal
    group_wait_primary
}

# One put after the other, each a client of its own, until there is a file `stop`.
count() {
    until [[ -e $BATS_TEST_TMPDIR/stop ]]; do
        vstamp --timeout 20 incr counter || return 1
        sleep 0.02
    done >"$BATS_TEST_TMPDIR/counted"
}

# Start it with that program; it must end by itself, with status 2 and such a line in its log.
ends_saying() { # I PROGRAM PATTERN
    local status=0
    GROUP_PROGRAM[$1]=$2
    group_start_one "$1"
    group_reap "$1" || status=$?
    [[ $status -eq 2 ]] || return 1
    tail -n 5 "$BATS_TEST_TMPDIR/replica-$1.log" | grep "$3"
}

all_in_version() { # V
    local i
    for i in 0 1 2; do group_is "$i" protocol "$1" || return 1; done
}

@test "a group is upgraded one replica at a time, and nothing is lost" {
    local old=$(command -v vstamp-replica) n later i
    group_start 3 "view_change_ms: 300"
    group_wait_primary
    n=$(group_field 0 protocol_newest)
    later=$((n + 1))
    count 3>&- &
    group_adopt $!
    local counting=$!

    i=$PRIMARY
    run_instead $(((i + 1) % 3)) "$raised"
    run_instead "$i" "$raised"
    group_wait "health" vstamp-admin health
    vstamp-admin -t 20 status >"$BATS_TEST_TMPDIR/status"
    grep -q -- "-raised" "$BATS_TEST_TMPDIR/status"
    grep -q "^versions are mixed: .*stays in version $n" "$BATS_TEST_TMPDIR/status"
    group_wait "version $n" all_in_version "$n"

    # As long as one has not been upgraded, the others can go back.
    run_instead "$i" "$old"
    group_wait "version $n" all_in_version "$n"

    for i in 0 1 2; do run_instead "$i" "$raised"; done
    group_wait "version $later" all_in_version "$later"
    vstamp put key value
    touch "$BATS_TEST_TMPDIR/stop"
    wait "$counting"
    [[ $(wc -l <"$BATS_TEST_TMPDIR/counted") -gt 20 ]]
    diff "$BATS_TEST_TMPDIR/counted" <(seq "$(wc -l <"$BATS_TEST_TMPDIR/counted")")
    group_wait_agree
    group_never grep -q "versions are mixed" <(vstamp-admin -t 20 status)

    # From now on there is no way back: its own folder says so, or the others do.
    group_wait_primary
    i=$(((PRIMARY + 1) % 3))
    group_stop "$i"
    ends_saying "$i" "$old" "version.* of the protocol.* this program speaks"
    group_fails 2 "*in version $later of the protocol*" \
        vstamp-admin journal "$BATS_TEST_TMPDIR/data/$i" list
    rm -r "$BATS_TEST_TMPDIR/data/$i"
    ends_saying "$i" "$old" "the group is in version $later of the protocol"
    GROUP_PROGRAM[i]=$raised
    rm -r "$BATS_TEST_TMPDIR/data/$i"
    group_start_one "$i"
    group_wait_agree
    [[ $(vstamp get key) == value ]]

    # Clients and tools of the older release go on, but for what they could not read back.
    group_fails 2 "*version $later of the protocol*" vstamp-admin backup "$BATS_TEST_TMPDIR/copy"
}

@test "a group without disks rises too, and refuses who comes with less" {
    local old=$(command -v vstamp-replica) n i
    GROUP_PROGRAM=("$raised" "$raised" "$raised")
    group_start 3 "durability: memory" "view_change_ms: 300"
    group_wait_primary
    n=$(group_field 0 protocol_newest)
    vstamp put key value
    group_wait "version $n" all_in_version "$n"
    i=$(((PRIMARY + 1) % 3))
    group_kill "$i"
    ends_saying "$i" "$old" "the group is in version $n of the protocol"
    [[ $(vstamp get key) == value ]]
}

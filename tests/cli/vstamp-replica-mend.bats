#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Single entries rot in the journals of stopped replicas, different ones in each: the group serves
# everything after a start, nobody recovers as a whole, and it is said who mended what.

bats_require_minimum_version 1.5.0
load group

teardown() { group_teardown; }

data() { echo "$BATS_TEST_TMPDIR/data/$1"; }

N=60
start_with_data() {
    local i
    group_start 3 "checkpoint_ops: 2000"
    for ((i = 0; i < N; i++)); do echo "put key$i the-value-$i-of-a-key"; done |
        vstamp --timeout 20 shell >/dev/null
    group_wait_agree
    group_kill 0 1 2
}

# rot REPLICA TEXT...: a byte of each place in its journal where one of the texts stands.
rot() {
    local replica=$1 text place file
    shift
    for text; do
        for file in "$(data "$replica")"/journal-*; do
            for place in $(grep -abo -- "$text" "$file" | cut -d : -f 1); do
                printf '\377' | dd of="$file" bs=1 seek="$place" conv=notrunc status=none
                echo "$file: byte $place"
            done
        done
    done
}

all_is_there() {
    local i got=$BATS_TEST_TMPDIR/got
    for ((i = 0; i < N; i++)); do echo "get key$i"; done | vstamp --timeout 20 shell >"$got"
    for ((i = 0; i < N; i++)); do echo "the-value-$i-of-a-key"; done | diff - "$got"
}

mended() { # REPLICA N: so many entries, and nothing else was needed
    group_wait_field "$1" entries_mended "$2"
    [ "$(group_field "$1" entries_damaged)" -eq "$2" ]
    [ "$(grep -c 'event=entry-damaged op=' "$BATS_TEST_TMPDIR/replica-$1.log")" -eq "$2" ]
    [ "$(grep -c 'event=entry-mended op=' "$BATS_TEST_TMPDIR/replica-$1.log")" -eq "$2" ]
    run ! grep -E 'event=(folder-damaged|lost|recovering)' "$BATS_TEST_TMPDIR/replica-$1.log"
    run ! compgen -G "$(data "$1")/damaged-*"
}

@test "two of three mend each other, without the third" {
    start_with_data
    rot 0 the-value-10-of the-value-40-of
    rot 1 the-value-11-of the-value-39-of
    group_start_one 0
    group_start_one 1
    all_is_there
    mended 0 2
    mended 1 2
    group_start_one 2
    group_wait_agree
}

@test "all three are damaged, each in other entries" {
    local i
    start_with_data
    for i in 0 1 2; do rot "$i" "the-value-1$i-of" "the-value-2$i-of"; done
    for i in 0 1 2; do group_start_one "$i"; done
    all_is_there
    group_wait_agree
    for i in 0 1 2; do mended "$i" 2; done
}

# What else is in the segment was read with it, at first.
@test "a sector that cannot be read is the entries in it, and no more" {
    local library file place damaged log=$BATS_TEST_TMPDIR/replica-1.log
    library=$(cd "${top_builddir:?}" && pwd)/tests/cli/.libs/bad_sector.so
    LD_PRELOAD=$library vstamp-replica --version || skip "LD_PRELOAD does not work here"
    start_with_data
    file=$(grep -l -a the-value-20-of "$(data 1)"/journal-* | head -n 1)
    place=$(grep -abo the-value-20-of "$file" | head -n 1 | cut -d : -f 1)
    GROUP_RUN[1]="env LD_PRELOAD=$library BAD_SECTOR_FILE=${file##*/} BAD_SECTOR_AT=$place"
    group_start_one 0
    group_start_one 1
    all_is_there
    damaged=$(grep -c 'event=entry-damaged op=' "$log")
    echo "# $damaged entries" >&3
    ((damaged > 0 && damaged <= 4096 / 128))
    mended 1 "$damaged"
    [ "$(sed '/event=restored/q' "$log" | grep -c "level=warn .*event=journal-unreadable \
.*place=$((place / 4096 * 4096)) reason=\"Input/output error\"")" -eq 1 ]
}

@test "the damage does not stay" {
    start_with_data
    rot 1 the-value-30-of
    run vstamp-admin journal "$(data 1)"
    [[ $output == *"is damaged; only its header is known"* ]]
    group_start_one 0
    group_start_one 1
    mended 1 1
    has_checkpoint() { [ "$(group_field 1 checkpoint_number)" -gt 0 ]; }
    group_wait "a checkpoint" has_checkpoint
    gone() { ! grep -q the-value-31 "$(data 1)"/journal-*; }
    group_wait "the damaged segment to go" gone
    group_kill 0 1
    vstamp-admin journal "$(data 1)" | grep -x sound
}

@test "an entry that nobody has is waited for, and named" {
    local status=0
    start_with_data
    rot 0 the-value-30-of
    rot 1 the-value-30-of
    group_start_one 0
    group_start_one 1
    group_wait_field 0 reason "waits for entry 32 from another replica: its own is damaged"
    run vstamp --timeout 1 get key1
    [ "$status" -ne 0 ]
    group_start_one 2
    all_is_there
}

@test "what is damaged stays known when a checkpoint removes the segment where it was" {
    start_with_data
    rot 1 the-value-40-of
    sed -i 's/^checkpoint_ops: .*/checkpoint_ops: 32/' "$VSTAMP_CONFIG"
    group_start_one 1 # alone: it executes what is before the hole
    group_wait_field 1 checkpoint_number 41
    gone() { ! grep -q the-value-39 "$(data 1)"/journal-*; }
    group_wait "the damaged segment to go" gone
    group_kill 1
    run vstamp-admin journal "$(data 1)"
    [[ $output == *"entry 42 is damaged; only its header is known"* ]]
    vstamp-admin journal "$(data 1)" show 42 | grep "damaged: only its header is known"
    run vstamp-admin journal "$(data 1)" list
    [ "$(grep -c "(damaged; " <<<"$output")" -eq 1 ]
    sed '1,/(damaged; /d' <<<"$output" | grep " entry " # behind it in the same batch, and sound
    group_start_one 1
    group_start_one 0
    all_is_there
    group_wait_field 1 entries_mended 1
}

#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What a replica fetches that was away: the pages that differ, and no more.
# VSTAMP_SOAK=1 does it with a state of 1 GiB, which takes a minute or two and 8 GiB of memory.

load group

VALUE=60000 # bytes; some pages each

setup() {
    N_KEYS=1000 # 57 MiB
    [[ -z ${VSTAMP_SOAK:-} ]] || N_KEYS=18000
    [[ -z ${VSTAMP_SOAK:-} ]] || GROUP_DEADLINE=300
}

teardown() { group_teardown; }

# fill FIRST STEP ROUNDS: put every STEP-th key from FIRST on, so many times.
fill() {
    awk -v size="$VALUE" -v first="$1" -v step="$2" -v rounds="$3" -v n="$N_KEYS" -v tag="$RANDOM" '
        BEGIN {
            for (round = 1; round <= rounds; round++)
                for (key = first; key < n; key += step) {
                    value = tag "-" round "-" key "-"
                    while (length(value) < size) value = value value
                    print "put key" key " " substr(value, 1, size)
                }
        }' | vstamp --timeout 60 shell >"$BATS_TEST_TMPDIR/answers"
    [ "$(sort -u "$BATS_TEST_TMPDIR/answers")" = OK ]
}

# choose_victim: a backup; sets VICTIM.
choose_victim() {
    group_wait_primary
    VICTIM=$(((PRIMARY + 1) % 3))
}

# show_fetched BYTES PAGES PAGES-OF-STATE
show_fetched() {
    local bytes=$1 pages=$2 all=$3
    echo "# of $all pages of state $pages were fetched, $bytes bytes in all:" \
        "$((bytes * 10000 / (all * 4096) / 100)).$(printf %02d \
            $((bytes * 10000 / (all * 4096) % 100))) %" >&3
}

# turn_cpu_us: the most processor time that a turn of the victim's loop took.
turn_cpu_us() {
    group_http "$VICTIM" /metrics | awk '$1 == "vstamp_longest_turn_cpu_us" { print $2 }'
}

# One key in a hundred is written, so often that neither logs nor queues of messages reach back.
change_one_percent() { fill 7 100 $((60000 / N_KEYS + 8)); }

@test "away while 1 % of the state changed: at most 3 % of it is transferred" {
    local before bytes pages all
    group_start 3 "durability: memory" "log_bytes: 1MiB" "checkpoint_ops: 64" "max_clients: 64" \
        "state_bytes_max: 2GiB" "view_change_ms: 1000" "batch_bytes: 256KiB"
    fill 0 1 1
    choose_victim
    group_wait_agree
    before=$(group_field "$VICTIM" transfer_bytes)
    pages=$(group_field "$VICTIM" transfer_pages)
    group_pause "$VICTIM"
    change_one_percent
    group_cont "$VICTIM"
    group_wait_agree
    bytes=$(($(group_field "$VICTIM" transfer_bytes) - before))
    pages=$(($(group_field "$VICTIM" transfer_pages) - pages))
    all=$(group_field "$VICTIM" state_pages)
    show_fetched "$bytes" "$pages" "$all"
    grep -q fetched-checkpoint "$BATS_TEST_TMPDIR/replica-$VICTIM.log"
    ((pages >= N_KEYS / 100 * 14)) # as many as a value has
    ((bytes * 100 <= all * 4096 * 3))
}

@test "a replica that is killed and has a disk fetches what changed since its last checkpoint" {
    local bytes all
    N_KEYS=1000
    group_start 3 "log_bytes: 1MiB" "checkpoint_ops: 64" "max_clients: 64" \
        "view_change_ms: 1000" "batch_bytes: 256KiB"
    fill 0 1 1
    choose_victim
    group_wait_agree
    group_kill "$VICTIM"
    change_one_percent
    group_start_one "$VICTIM"
    group_wait_agree
    bytes=$(group_field "$VICTIM" transfer_bytes)
    all=$(group_field "$VICTIM" state_pages)
    show_fetched "$bytes" "$(group_field "$VICTIM" transfer_pages)" "$all"
    # three in a hundred, and the 256 pages of the newest changes, for those who watch
    ((bytes * 100 <= all * 4096 * 3 + 256 * 4096 * 100))
}

@test "one that comes back empty fetches each page once, and no faster than it may" {
    local bytes pages all began
    group_start 3 "durability: memory" "log_bytes: 1MiB" "checkpoint_ops: 64" "max_clients: 64" \
        "state_bytes_max: 2GiB" "view_change_ms: 1000" "batch_bytes: 256KiB" \
        "transfer_mib_per_s: ${VSTAMP_SOAK:+1}20"
    fill 0 1 1
    choose_victim
    group_kill "$VICTIM"
    began=$EPOCHREALTIME
    group_start_one "$VICTIM"
    group_wait_agree
    bytes=$(group_field "$VICTIM" transfer_bytes)
    pages=$(group_field "$VICTIM" transfer_pages)
    all=$(group_field "$VICTIM" state_pages)
    show_fetched "$bytes" "$pages" "$all"
    ((pages <= all))
    # A millisecond or two; more only where everything is slower, as with sanitizers.
    echo "# its longest turn took $(turn_cpu_us) us of the processor" >&3
    [[ -z ${VSTAMP_SOAK:-} ]] || (($(turn_cpu_us) < 10000))
    # 20 MiB/s (120 in the long run) are 21 (126) bytes a microsecond; 10 ms may be made up for
    (((${EPOCHREALTIME/./} - ${began/./} + 10000) * (${VSTAMP_SOAK:+1}20 * 105 / 100) >= bytes))
}

has_fetched() { (($(group_field "$VICTIM" transfer_pages) >= $1)); }

@test "one that is killed in the midst of a fetch goes on where it was" {
    local fetched all more
    N_KEYS=1000
    group_start 3 "log_bytes: 1MiB" "checkpoint_ops: 64" "max_clients: 64" \
        "view_change_ms: 1000" "batch_bytes: 256KiB" "transfer_mib_per_s: 10"
    fill 0 1 1
    choose_victim
    group_wait_agree
    all=$(group_field "$VICTIM" state_pages)
    group_kill "$VICTIM"
    rm -r "$BATS_TEST_TMPDIR/data/$VICTIM"
    group_start_one "$VICTIM"
    group_wait "a third of the state to be fetched" has_fetched $((all / 3))
    fetched=$(group_field "$VICTIM" transfer_pages)
    group_kill "$VICTIM"
    fill 7 100 9 # the group has a newer checkpoint meanwhile
    group_start_one "$VICTIM"
    group_wait_agree
    more=$(group_field "$VICTIM" transfer_pages)
    echo "# $fetched of $all pages before it was killed, $more after it" >&3
    ((more < all - fetched / 2)) # the last ones may not have been kept yet
    group_wait "what was kept to go" test ! -e "$BATS_TEST_TMPDIR/data/$VICTIM/fetched-pages"
}

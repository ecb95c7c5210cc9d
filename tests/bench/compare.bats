#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# compare.sh: that it runs, what its tables say, and that it leaves nothing behind.  How fast
# anything is, is not a test.

bats_require_minimum_version 1.5.0
compare=$BATS_TEST_DIRNAME/compare.sh

setup() {
    export TMPDIR=$BATS_TEST_TMPDIR/compare
    mkdir "$TMPDIR"
}

left_nothing() {
    [ -z "$(ls -A "$TMPDIR")" ]
    [ -z "$(grep -l "$TMPDIR/[v]stamp-compare" /proc/[0-9]*/cmdline 2>/dev/null)" ]
}

# run_compare OPTION...: sets output to the tables alone.
run_compare() {
    run --separate-stderr bash "$compare" "$top_builddir" --seconds 0.2 --warmup 0.2 "$@"
    echo "$output"
    echo "$stderr"
}

# ran_for STORE MODE: each number of its rows is there and none is zero.
ran_for() {
    local figure='[0-9.]+k? *'
    grep -E "^\| $2: $1 \| 1 \| $figure\($figure-$figure\) \| $figure\| $figure\| $figure\|" \
        <<<"$output"
    if grep -E "^\| $2: $1 \| [0-9]+ \| 0 " <<<"$output"; then return 1; fi
}

@test "vstamp and the floor are compared in both modes, with a fail-over" {
    run_compare --only vstamp,lease,floor --rounds 2 --clients 1,4,2x8 --gets 2 --kills 1
    [ "$status" -eq 0 ]
    local cell='[0-9.]+ \([0-9.]+-[0-9.]+\)' figure='[0-9.]+'
    local row="$cell \| $cell \| $figure \| $figure \| ($figure|-) \| $figure \| - \|\$"
    grep -qE "^vstamp .* on 20..-..-.., .* processors .* of 2 runs of 0.2 s" <<<"$output"
    grep -qE "^\| vstamp / \| puts/s, 1 client \| puts/s, 4 \| p50, 4 \|" <<<"$output"
    grep -qE "^\| disk: floor messages and writes alone \| $row" <<<"$output"
    grep -qE "^\| memory: floor messages alone \| $row" <<<"$output"
    grep -qE "^\| vstamp / \| puts/s, 2 x 8 \| gets/s, 2 \| by a lease, 2 \|\$" <<<"$output"
    grep -qE "^\| memory: floor messages alone \| $cell \| - \| - \|\$" <<<"$output"
    grep -qE "^\| disk: lease \| 2, gets \| [1-9]" <<<"$output"
    for mode in disk memory; do
        ran_for vstamp "$mode"
        ran_for floor "$mode"
    done
    grep -qE "^\| disk: vstamp \| 1 .* \| [0-9]+ \([0-9]+-[0-9]+\) \|\$" <<<"$output"
    left_nothing
}

@test "redis too, where it is installed" {
    command -v redis-server >/dev/null || skip "redis-server is not installed"
    run_compare --only redis,redis1 --rounds 1 --clients 1,2x8 --gets 2 --modes memory
    [ "$status" -eq 0 ]
    ran_for redis memory
    ran_for redis1 memory
    grep -qE "^\| memory: redis1 \| 2 x 8 \| [1-9]" <<<"$output"
    grep -qE "^\| memory: redis1 \| 2, gets \| [1-9]" <<<"$output"
}

@test "a ratio is of two runs of one round, and the tables are what was measured" {
    {
        echo "mode=disk bare_write_us=200"
        echo "mode=disk store=vstamp version=1"
        echo "mode=disk store=other version=2.0_beta"
        local figures="p50_us=300 p99_us=12345 client_cpu_s=1" rate
        for rate in "1 100" "2 1000" "3 3000"; do
            set -- $rate
            echo "mode=disk store=vstamp work=64 round=$1 done=100000 rate=$(($2 * 3))" \
                "cpu_s=2 $figures"
            echo "mode=disk store=other work=64 round=$1 done=50000 rate=$(($2 * $1))" \
                "cpu_s=4 $figures"
        done
        echo "mode=disk store=vstamp work=64x16 round=1 done=1 rate=300 cpu_s=1 $figures"
        echo "mode=disk store=other work=64x16 round=1 done=1 rate=200 cpu_s=1 $figures"
        echo "mode=disk store=vstamp work=8:gets round=1 done=1 rate=50 cpu_s=1 $figures"
        echo "mode=disk store=lease work=8:gets round=1 done=1 rate=80 cpu_s=1 $figures"
        echo "mode=disk store=other work=8:gets round=1 done=1 rate=20 cpu_s=1 $figures"
        echo "mode=disk store=vstamp memory_kib=1024"
        echo "mode=disk store=other memory_kib=4096"
        echo "mode=disk store=vstamp kill=1 gap_ms=100"
        echo "mode=disk store=vstamp kill=2 gap_ms=200"
        echo "mode=disk store=vstamp kill=3 gap_ms=99"
        echo "mode=disk store=other kill=1 gap_ms=1000"
    } >"$BATS_TEST_TMPDIR/results"
    run awk -v machine=M -v seconds=1 -f "$BATS_TEST_DIRNAME/table.awk" "$BATS_TEST_TMPDIR/results"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "M. Medians with (lowest-highest) of 3 runs of 1 s each, in turn;\
 4 KiB to stable storage, and nothing else: 200 us (200-200)." ]
    local ratios="1.50 (1.00-3.00) | 1.00 | 1.00 | 0.25 | 0.25 | 0.10"
    local figures="64 | 3000 (300-9000) | 300 | 12.3k | 2.00 | 1.00 | 1.00 | 100 (99-200)"
    [ "${lines[3]}" = "| disk: other 2.0 beta | $ratios |" ]
    [ "${lines[4]}" = "| vstamp / | puts/s, 64 x 16 | gets/s, 8 | by a lease, 8 |" ]
    [ "${lines[6]}" = "| disk: other 2.0 beta | 1.50 (1.50-1.50) | 2.50 (2.50-2.50) |\
 4.00 (4.00-4.00) |" ]
    [ "${lines[9]}" = "| disk: vstamp | $figures |" ]
}

@test "what it does not know is refused before anything starts" {
    run_compare --only vstamp,berkeley
    [ "$status" -eq 2 ]
    [[ $stderr == *"there is no berkeley"* ]]
    run_compare --modes paper --only floor
    [ "$status" -eq 2 ]
    run_compare --speed
    [ "$status" -eq 2 ]
    [[ $stderr == *"--seconds N"* ]]
    left_nothing
}

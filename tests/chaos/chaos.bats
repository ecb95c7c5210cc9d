#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A short run of chaos.sh, and that its verdict bites: histories that cannot be are found wrong, and
# so is a group whose disks lie.

chaos=$BATS_TEST_DIRNAME/chaos.sh
tools=$top_builddir/tests/chaos

# judge LINE...: sets status and output, of a history of these lines.
judge() {
    printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/history"
    run "$tools/verdict" "$BATS_TEST_TMPDIR/history"
}

possible() {
    judge "$@"
    [ "$status" -eq 0 ]
    [[ $output == "verdict: possible"* ]]
}

wrong() { # PATTERN LINE...
    judge "${@:2}"
    [ "$status" -eq 1 ]
    [[ $output == *$1*"verdict: WRONG"* ]]
}

@test "a read must see what was acknowledged before it began" {
    local put=("10 0 begin 1 r0.0 put 7" "20 0 end 1 done")
    possible "${put[@]}" "30 1 begin 1 r0.0 get" "40 1 end 1 done 7"
    wrong "key r0.0: the history is not linearizable" \
        "${put[@]}" "30 1 begin 1 r0.0 get" "40 1 end 1 no"
    # beside the write it may see either
    possible "${put[@]}" "15 1 begin 1 r0.0 get" "18 1 end 1 no" \
        "30 1 begin 2 r0.0 get" "40 1 end 2 done 7"
}

@test "what did not run must never be seen, what is unknown may" {
    local begin="10 0 begin 1 r0.0 put 7"
    local rest=("30 1 begin 1 r0.0 put 8" "35 1 end 1 done" "50 1 begin 2 r0.0 get")
    possible "$begin" "20 0 end 1 unknown" "${rest[@]}" "60 1 end 2 done 7"
    possible "$begin" "${rest[@]}" "60 1 end 2 done 7"
    wrong "not linearizable" "$begin" "20 0 end 1 never" "${rest[@]}" "60 1 end 2 done 7"
}

@test "a counter is exact" {
    local incr=("10 0 begin 1 c0.0 incr 1" "20 0 end 1 done 1")
    local other=("10 1 begin 1 c0.0 incr 1" "20 1 end 1 unknown")
    possible "${incr[@]}" "${other[@]}" "30 0 begin 2 c0.0 get" "40 0 end 2 done 2"
    wrong "the final sum is 2, acknowledged are 1, with the unknown ones 1" \
        "${incr[@]}" "30 0 begin 2 c0.0 get" "40 0 end 2 done 2"
}

@test "a list keeps what was appended, once and in order" {
    local asked=("10 0 begin 1 l0.0 append 7" "20 0 end 1 done 3"
        "30 0 begin 2 l0.0 append 9" "40 0 end 2 unknown" "50 0 begin 3 l0.0 get")
    possible "${asked[@]}" "60 0 end 3 done t7,t9,"
    possible "${asked[@]}" "60 0 end 3 done t7,"
    wrong "not linearizable" "${asked[@]}" "60 0 end 3 done t9,t7,"
    wrong "not linearizable" "${asked[@]}" "60 0 end 3 done t7,t9,t9,"
    wrong "not linearizable" "${asked[@]}" "60 0 end 3 no"
    wrong "nobody wrote" "${asked[@]}" "60 0 end 3 done t7,garbage"
}

@test "an operation that is settled twice is settled alike, and a refusal is wrong" {
    local incr=("10 0 begin 1 c0.0 incr 1" "20 0 end 1 done 1")
    local read=("50 0 begin 2 c0.0 get" "60 0 end 2 done 1")
    possible "${incr[@]}" "30 0 end 1 done 1" "${read[@]}"
    wrong "ended twice: done 1, then done 2" "${incr[@]}" "30 0 end 1 done 2" "${read[@]}"
    wrong "ended twice: done 1, then never" "${incr[@]}" "30 0 end 1 never" "${read[@]}"
    wrong "was refused: invalid" "${incr[@]}" "${read[@]}" "70 0 begin 3 c0.0 incr 1" \
        "80 0 end 3 refused invalid"
}

@test "what cannot be decided is not possible: a key without a read, too long, nothing done" {
    local i asked=()
    wrong "was not read at the end" "10 0 begin 1 r0.0 put 7" "20 0 end 1 done"
    for ((i = 1; i <= 600; i++)); do
        asked+=("${i}0 0 begin $i c0.0 incr 1" "${i}5 0 end $i done $i")
    done
    wrong "too hard to check" "${asked[@]}" "7000 0 begin 601 c0.0 get" "7005 0 end 601 done 600"
    judge "10 0 begin 1 r0.0 get" "20 0 end 1 no"
    [ "$status" -eq 1 ]
    judge "10 0 begun 1 r0.0 get"
    [ "$status" -eq 2 ]
}

# run_chaos SECONDS GROUPS NEMESES
run_chaos() {
    TMPDIR=$BATS_TEST_TMPDIR CHAOS_SECONDS=$1 CHAOS_GROUPS=$2 CHAOS_NEMESES=$3 CHAOS_SEED=1 \
        run bash "$chaos" "$top_builddir"
    echo "$output"
    if [ "$status" -eq 77 ]; then skip "$output"; fi
}

@test "disks that lie: the lost writes are noticed" {
    run_chaos 2 disk:3 lie
    [ "$status" -eq 1 ]
    [[ $output == *"verdict: WRONG"* ]]
    [[ $output == *"key "*": the history is not linearizable"* ]]
}

@test "kills, stops, partitions and bad disks: the history is possible" {
    run_chaos 8 "memory:3 disk:3" ""
    [ "$status" -eq 0 ]
    [[ $output == *"memory, 3 replicas"*"verdict: possible"*"disk, 3"*"verdict: possible"* ]]
}

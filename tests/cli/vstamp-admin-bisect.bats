#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A replica's state is another than that of the others: vstamp-admin bisect names the op and the
# page, from the folders, whether their replicas run or not.

load group

teardown() { group_teardown; }

data() { echo "$BATS_TEST_TMPDIR/data/$1"; }

# puts FROM TO: each is an op of its own, behind the registration, and the group rests in between.
puts() {
    local i session=$BATS_TEST_TMPDIR/session
    rm -f "$session"
    for ((i = $1; i <= $2; i++)); do
        vstamp --timeout 20 --session "$session" put "k$i" "value$i" >/dev/null
    done
}

# trail_reaches I OP: what replica I wrote down goes that far.
trail_reaches() {
    [[ $(vstamp-admin --json bisect "$(data "$1")" "$(data "$1")") =~ \"last_op\":([0-9]+) ]] &&
        ((BASH_REMATCH[1] >= $2))
}

strayed() { # the one that executes something else in entry 21, and is found at the next point
    local status=0
    GROUP_PROGRAM=("$top_builddir/tests/cli/straying_replica")
    GROUP_RUN[1]="env STRAY_AT=21"
    group_start 3 "checkpoint_ops: 16" "$@"
    puts 1 40
    group_reap 1 || status=$?
    [ "$status" -eq 6 ]
    group_wait_log 0 "replica-diverged op=32 after=16 differs=1"
    group_wait "what replica 0 kept" test -e "$(data 0)/trail-kept"
}

@test "the very op is named, its operation, and the page" {
    strayed
    run vstamp-admin bisect "$(data 0)" "$(data 1)"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"DIFFER       since op 21: before it they were equal"* ]]
    [[ $output =~ "first page   "[0-9]+", page "[0-9]+" of the application" ]]
    [[ $output == *"pages        "*" after op 21:"* ]]
    # The checkpoint at 32 takes the entry out of the journal, if it is stored before replica 1
    # hears that it is wrong.
    [[ $output == *"entry 21 "*"apply put k"* || $output == *"entry 21     in neither journal"* ]]
    run vstamp-admin --json bisect "$(data 1)" "$(data 0)"
    [ "$status" -eq 1 ]
    [[ $output == *'"differ":true,"op":21,"equal_after":20,"pages":['* ]]
    run vstamp-admin bisect "$(data 0)" "$(data 2)"
    [ "$status" -eq 0 ]
    [[ $output == *"equal        in all of them"* ]]
}

@test "with the points of checkpoints alone it is named between which ops that was" {
    strayed "digest_ops: 16"
    run vstamp-admin bisect "$(data 2)" "$(data 1)"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"DIFFER       since an op from 17 to 32: before these they were equal"* ]]
    [[ $output == *"'digest_ops: 1' in the configuration tells, if it happens again"* ]]
    [[ $output =~ "first page   "[0-9]+", page "[0-9]+" of the application" ]]
}

@test "what was known then outlives what comes later, starts, and a trail that is large" {
    strayed "digest_ops: 1"
    mv "$(data 1)" "$BATS_TEST_TMPDIR/strayed"
    GROUP_RUN=()
    group_start_one 1
    group_wait_field 1 status normal
    puts 41 60
    group_kill 0
    truncate --size 16M "$(data 0)/trail"
    group_start_one 0
    puts 61 80
    group_wait "another file" test -e "$(data 0)/trail.1"
    rm "$(data 0)/trail.1" # the trail does without it,
    puts 81 100            # though all up to here may have been in there
    group_wait_agree
    run vstamp-admin bisect "$(data 0)" "$BATS_TEST_TMPDIR/strayed"
    echo "$output"
    [[ $output == *"DIFFER       since op 21: before it they were equal"* ]]
    group_wait "the new trail" trail_reaches 1 96
    group_wait "the older one" trail_reaches 0 96
    vstamp-admin bisect "$(data 0)" "$(data 1)"
}

@test "a program as application that looks at its own clock" {
    local i notes=$BATS_TEST_TMPDIR/notes.sh
    sed '/notes+=/i [[ $note != hasty ]] || date=$EPOCHREALTIME' \
        "${top_srcdir:-.}/examples/exec/notes.sh" >"$notes"
    chmod +x "$notes"
    cd "$BATS_TEST_TMPDIR"
    GROUP_OPTIONS="--app-exec ./notes.sh" group_start 3 "checkpoint_ops: 16" "digest_ops: 1"
    for ((i = 2; i <= 20; i++)); do # the first entry is the registration
        ((i == 7)) && echo "call hasty" || echo "call note$i"
    done | vstamp --timeout 20 shell >/dev/null
    group_wait_log 0 "states-differ op=16 after=0 replicas="
    for i in 0 1; do group_wait "the trail of replica $i" trail_reaches "$i" 16; done
    group_stop 0
    run vstamp-admin bisect "$(data 0)" "$(data 1)"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"DIFFER       since op 7: before it they were equal"* ]]
    [[ $output =~ "first page   "[0-9]+", page 0 of the application" ]]
}

@test "a bit turns in the memory of one" {
    local status=0 marker="0123456789-marker-that-is-nowhere-else-$RANDOM$RANDOM"
    group_start 3 "checkpoint_ops: 16" "digest_ops: 1"
    vstamp put "k" "$marker"
    puts 1 20
    group_wait_agree
    "$top_builddir/tests/cli/turn_memory" "${GROUP_PIDS[1]}" "$marker" || status=$?
    [ "$status" -ne 77 ] || skip "the memory of a process may not be changed here"
    [ "$status" -eq 0 ]
    puts 21 60
    status=0
    group_reap 1 || status=$?
    [ "$status" -eq 6 ]
    run vstamp-admin bisect "$(data 0)" "$(data 1)"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"TURNED       in the memory of $(data 1), as it found itself: page "* ]] ||
        [[ $output == *"DIFFER       since op "* ]]
}

@test "what can't be compared is told, and why" {
    mkdir "$BATS_TEST_TMPDIR/empty" "$BATS_TEST_TMPDIR/bad"
    group_fails 2 "*nowhere: No such file*" vstamp-admin bisect nowhere nowhere
    group_fails 2 "*/empty: there is no trail in it: *" \
        vstamp-admin bisect "$BATS_TEST_TMPDIR/empty" "$BATS_TEST_TMPDIR/bad"
    head -c 5000 /dev/urandom >"$BATS_TEST_TMPDIR/bad/trail"
    group_fails 2 "*/bad: its trail tells of no state: it is damaged throughout*" \
        vstamp-admin bisect "$BATS_TEST_TMPDIR/bad" "$BATS_TEST_TMPDIR/bad"

    group_start 1 "checkpoint_ops: 16" "digest_ops: 4"
    puts 1 15
    group_wait "its trail" trail_reaches 0 16
    group_stop 0
    cp -r "$(data 0)" "$BATS_TEST_TMPDIR/first"
    rm -r "$(data 0)"
    group_start_one 0
    puts 1 15
    group_wait "its trail" trail_reaches 0 16
    group_fails 2 "*they are of different groups: *" \
        vstamp-admin bisect "$BATS_TEST_TMPDIR/first" "$(data 0)"
    truncate -s 300 "$BATS_TEST_TMPDIR/first/trail"
    run vstamp-admin bisect "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/first"
    [[ $output == *"/first/trail: "*" bytes make no sense, and were passed over"* ]]
}

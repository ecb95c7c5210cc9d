#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The simulator's command line: what cannot be is said, instead of being made possible.

refused() { # WORDS OPTION...
    run vstamp-sim --seeds 1-3 "${@:2}"
    echo "$output"
    [ "$status" -eq 2 ]
    [[ $output == *"$1"* ]]
}

@test "settings that make no group are refused, and the setting named" {
    refused "--set replicas: 1 to 7" --set replicas=8
    refused "--set replicas: 1 to 7" --set replicas=0
    refused "--set clients: 1 to 16" --set clients=17
    refused "--set think_us: at least 1" --set think_us=0
    refused "--set value_bytes: 1 to 1800" --set value=1801
    refused "--set key_ops: 1 to 500" --set key_ops=501
    refused "--set log_entries: a power of two" --set log_entries=48
    refused "--set witnesses: a bitset, and a majority" --set replicas=3 --set witnesses=3
    refused "--set witnesses: a bitset, of replicas of the group" --set witnesses=8 --set replicas=3
    refused "--set: no single option begins with 'witness': did you mean 'witnesses'?" \
        --set witness=1
    refused "--set: expected NAME=NUMBER with a NAME that --help lists, found 'j=1'" --set j=1
    refused "--set: expected NAME=NUMBER" --set replicas=many
    refused "--set: expected NAME=NUMBER" --forbid crash=1
    run vstamp-sim --seeds 1-3 --set replicas=3 --set witnesses=4 --forbid crash --ticks 300
    [ "$status" -eq 0 ]
}

@test "the command line is that of the other programs" {
    local help
    help=$(vstamp-sim -h)
    [[ $help == "Usage: vstamp-sim [OPTION]..."*"  -h, --help  "*"  crash_us  "* ]]
    [ "$help" = "$(vstamp-sim --help)" ]
    [ "$(vstamp-sim -V)" = "$(vstamp-sim --version)" ]
    refused "vstamp-sim: unknown option '--sed': did you mean '--seed'?
Try 'vstamp-sim --help'." --sed 3
    refused "vstamp-sim: --seeds: expected a seed, or a range like 1-1000 or 1-, found '3-1'" \
        --seeds=3-1
    refused "vstamp-sim: --jobs: expected a whole number from 1 to 256, found '0'" --jobs 0
    refused "vstamp-sim: --file: FILE is missing" --file
    refused "vstamp-sim: one operand too many: '4'" 4
    refused "vstamp-sim: /nowhere: No such file or directory" --file /nowhere
    run vstamp-sim --seed=4 --ticks=300
    [[ $status -eq 0 && $output == "seed 4 passed; "* ]]
    run bash -c 'vstamp-sim --seed 4 --ticks 300 >/dev/full'
    [[ $status -eq 2 && $output == "vstamp-sim: standard output: No space left on device" ]]
}

@test "a line of a file of seeds with a setting that there is not has failed" {
    printf '%s\n' '# a comment' '4 ticks=300 a reason' '5 ticks=300 crsh=1 another' \
        >"$BATS_TEST_TMPDIR/seeds"
    run vstamp-sim --file "$BATS_TEST_TMPDIR/seeds"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"seeds:3: no setting: 'crsh=1'"*"1 runs, 1 failed;"* ]]
}

# verdict FLAW [OPTION...]: what becomes of twenty runs with the application that has it.
verdict() {
    printf '%s\n' one three seventeen '--read sum' >"$BATS_TEST_TMPDIR/operations"
    run vstamp-sim --app "${top_builddir:?}/tests/sim/.libs/flawed.so" --app-argument "$1" \
        --operations "$BATS_TEST_TMPDIR/operations" --seeds 1-20 --ticks 2000 "${@:2}"
    echo "$output"
}

@test "somebody's application is replicated in place of the store, and passes if it is sound" {
    verdict none
    [ "$status" -eq 0 ]
    [[ $output == "20 runs, 0 failed;"* ]]
}

@test "so is one that always has something due: it comes to rest as far as it can" {
    verdict restless --seeds 1-8 --ticks 500
    [ "$status" -eq 0 ]
    [[ $output == "8 runs, 0 failed;"* ]]
}

@test "an application that answers differently, forgets, or keeps its state outside is found out" {
    for flaw in clock time forgetful outside; do
        verdict "$flaw"
        [ "$status" -eq 1 ]
        [[ $output == *"the application is not deterministic: at op-number"* ]]
    done
}

@test "so is one whose states differ though its answers do not" {
    verdict slips --seeds 1-60
    [ "$status" -eq 1 ]
    [[ $output == *"the application is not deterministic: "*"has another state after op="* ]]
    [ -z "$(grep 'FAILED at' <<<"$output" | grep -v 'the application is not deterministic: ')" ]
}

@test "one that answers with too much, or asks for a page that there is not, is told so" {
    found() { [[ $status -eq 1 && $output == *'the application "flawed" '*"$1"*"$2"* ]]; }
    verdict long --seeds 1-2
    found "answers in apply at op-number " " bytes, and has room for "
    verdict verbose --seeds 1-2
    found "answers in query at op-number " " bytes, and has room for "
    verdict stray --seeds 1-2
    found "asks in apply at op-number " " for page 4294967295, and there are "
    verdict chooses --seeds 1-2
    found "answers in predict at op-number " " bytes, and has room for 256"
}

@test "one that crashes or hangs is told where, of one seed, too" {
    verdict crash --seeds 3
    [[ $status -eq 1 && $output == "seed 3 FAILED at "* && $output == *"
  with: replicas="*"  again: vstamp-sim --seed 3 "* ]]
    [[ $output == *'the application "flawed" died in apply at op-number '*": Segmentation fault"* ]]
    verdict hang --seeds 3 --hang 1
    [ "$status" -eq 1 ]
    [[ $output == *'the application "flawed" hangs in apply at op-number '*"for 1 s"* ]]
}

@test "an application wants operations, and operations something that writes" {
    local app=${top_builddir:?}/tests/sim/.libs/flawed.so
    refused "--app and --app-exec want --operations FILE" --app "$app"
    refused "/nowhere: No such file or directory" --app "$app" --operations /nowhere
    echo '--read sum' >"$BATS_TEST_TMPDIR/operations"
    refused "no operation that writes" --app "$app" --operations "$BATS_TEST_TMPDIR/operations"
    refused "cannot load the application" --app /nowhere.so --operations /nowhere
    echo sum >"$BATS_TEST_TMPDIR/operations"
    run vstamp-sim --app /nowhere.so --operations "$BATS_TEST_TMPDIR/operations"
    [[ $status -eq 2 && $output == *"cannot load the application"* ]]
    run vstamp-sim --app "$app" --operations "$BATS_TEST_TMPDIR/operations"
    [[ $status -eq 2 && $output == *"which runs?"*"Try 'vstamp-sim --help'."* ]]
}

@test "a program is put through the same" {
    local programs=${top_srcdir:?}/examples/exec
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "no python3 of now"
    printf '%s\n' 'add bolts 1' 'add nuts 3' draw '--read list' \
        >"$BATS_TEST_TMPDIR/operations"
    run vstamp-sim --app-exec "$programs/inventory.py" --seeds 1-3 --ticks 500 \
        --operations "$BATS_TEST_TMPDIR/operations"
    echo "$output"
    [ "$status" -eq 0 ]
    sed 's/random.Random(seed)/random.Random()/' \
        "$programs/inventory.py" >"$BATS_TEST_TMPDIR/lots.py"
    chmod +x "$BATS_TEST_TMPDIR/lots.py"
    run vstamp-sim --app-exec "$BATS_TEST_TMPDIR/lots.py" --seeds 1-3 --ticks 500 \
        --operations "$BATS_TEST_TMPDIR/operations"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"the application is not deterministic: at op-number"* ]]
}

@test "so is one that does something by itself" {
    local program=${top_srcdir:?}/examples/exec/leases.sh
    local operations=$BATS_TEST_TMPDIR/operations
    printf '%s\n' 'take a b 1' 'take a c 2' 'take b c 1' 'drop a b' '--read all' >"$operations"
    run vstamp-sim --app-exec "$program" --seeds 3-3 --ticks 3000 --operations "$operations"
    echo "$output"
    [ "$status" -eq 0 ]
    # also when a disk is refused, as too new, and what ran on it is closed
    run vstamp-sim --app-exec "$program" --seeds 1-4 --ticks 1000 --set replicas=2 --set nodes=2 \
        --set disk=1 --set upgrade_us=40000 --set upgrade_permille=800 --operations "$operations"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output != *" too_old=0 "* ]]
    sed 's/^    tick)/& time=$((time - $$ % 2 * 9000000))/' "$program" \
        >"$BATS_TEST_TMPDIR/late.sh"
    chmod +x "$BATS_TEST_TMPDIR/late.sh"
    run vstamp-sim --app-exec "$BATS_TEST_TMPDIR/late.sh" --seeds 3-60 --until-failure --jobs 1 \
        --ticks 3000 --operations "$operations"
    echo "$output"
    [ "$status" -eq 1 ]
    # which of them depends on who has which process number
    [[ $output == *"has another state"* || $output == *"the trails of replicas "*" differ"* ||
        $output == *": states-differ"* ]]
}

@test "stopped: what was found until then is told, and no run is called failed" {
    local status=0
    cd "$BATS_TEST_TMPDIR"
    timeout -s INT 1 vstamp-sim --seeds 1- >out || status=$?
    [ "$status" -eq 124 ]
    grep -E "^[0-9]+ runs, 0 failed; events=" out
    [ "$(wc -l <out)" -eq 1 ]
}

@test "a child that the shell left behind is no run of ours" {
    run sh -c 'sleep 0.1 & exec vstamp-sim --seeds 1-60 --ticks 300'
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == "60 runs, 0 failed;"* ]]
}

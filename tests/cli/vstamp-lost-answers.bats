#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Answers that get lost on their way (lossy_proxy.c): however often it was sent, it ran once.

load group

setup() {
    local i
    group_start 3 "durability: memory"
    group_wait_primary
    through=
    mkfifo "$BATS_TEST_TMPDIR/hold"
    exec 8<>"$BATS_TEST_TMPDIR/hold" # the proxies end when it does
}

teardown() {
    exec 8>&-
    group_teardown
}

# lose N: a proxy before each replica that loses its first N answers to writes; sets $through.
lose() {
    local i
    through=
    for i in 0 1 2; do
        rm -f "$BATS_TEST_TMPDIR/port-$i"
        "${top_builddir:-.}/tests/cli/lossy_proxy" "$(group_address "$i")" "$1" \
            <"$BATS_TEST_TMPDIR/hold" >"$BATS_TEST_TMPDIR/port-$i" 8>&- 3>&- &
        group_adopt $!
        group_wait "the proxy" test -s "$BATS_TEST_TMPDIR/port-$i"
        through+=${through:+,}127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port-$i")
    done
}

left_over() {
    local files=("$XDG_STATE_HOME"/vstamp/*.pending)
    [ "${#files[@]}" -eq 1 ] && [ -e "${files[0]}" ] && echo "${files[0]}"
}

@test "an answer that was lost is repeated, the request is not" {
    lose 1
    [ "$(vstamp --replicas "$through" incr n)" = 1 ]
    [ "$(vstamp get n)" = 1 ]
    lose 4
    [ "$(seq 1 20 | sed 's/.*/incr n/' | vstamp --replicas "$through" shell | tail -n 1)" = 21 ]
    [ "$(vstamp get n)" = 21 ]
}

@test "all answers lost: 4, and resume prints what the command would have" {
    local file
    vstamp put n 41
    lose 100000
    run vstamp --replicas "$through" --timeout 3 incr n
    [ "$status" -eq 4 ]
    file=$(left_over)
    [[ $output == *"vstamp resume $(group_named "$file")" ]]
    [ "$(vstamp get n)" = 42 ]
    [ "$(vstamp --config "$VSTAMP_CONFIG" --json resume "$file")" = \
        '{"op":"incr","key":"n","ok":true,"value":"42"}' ]
    [ "$(vstamp get n)" = 42 ]
    [ ! -e "$file" ]
}

@test "all answers lost: abandon knows that it ran" {
    local file
    lose 100000
    run vstamp --replicas "$through" --timeout 3 append log entry
    [ "$status" -eq 4 ]
    file=$(left_over)
    run vstamp --config "$VSTAMP_CONFIG" --json abandon "$file"
    [ "$status" -eq 0 ]
    [ "$output" = '{"op":"abandon","ok":true,"ran":true}' ]
    [ ! -e "$file" ]
    [ "$(vstamp get log)" = entry ]
}

@test "abandon, then resume after all: what it answered then, and nothing runs again" {
    local file
    lose 100000
    run vstamp --replicas "$through" --timeout 3 incr n
    [ "$status" -eq 4 ]
    file=$(left_over)
    cp "$file" "$BATS_TEST_TMPDIR/copy" # an impostor with the same identity
    [ "$(vstamp --config "$VSTAMP_CONFIG" abandon "$file")" = "it ran" ]
    [ "$(vstamp --config "$VSTAMP_CONFIG" resume "$BATS_TEST_TMPDIR/copy")" = 1 ]
    [ "$(vstamp get n)" = 1 ]
}

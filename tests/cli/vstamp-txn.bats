#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp txn: conditions, one list of operations or the other, as one.

bats_require_minimum_version 1.5.0
load group

setup() {
    cd "$BATS_TEST_TMPDIR"
    group_start 3 "durability: memory"
    group_wait_primary
}

teardown() { group_teardown; }

@test "txn: conditions hold or not, as arguments and from standard input" {
    run -0 vstamp txn 'if lock absent' 'put lock me' 'incr n 5' 'get lock' 'get no' else 'get lock'
    [ "$output" = "$(printf 'then\nOK\n5\nme\n(not found)')" ]
    run -1 vstamp txn 'if lock absent' 'put lock you' else 'get lock' 'del n' 'append x abc'
    [ "$output" = "$(printf 'else\nme\n1\n3')" ]
    [ "$(vstamp get lock)" = me ]
    cat >script <<'END'
# words as in the shell
if lock = me
if "n" absent
if x != 'a b'
if x present
then
  put "a b" 'c d' --ttl 1h
  get "a b"
  expire x never
END
    run -0 --separate-stderr vstamp --json txn <script
    cat >expected <<'END'
{"op":"txn","ok":true,"succeeded":true,"answers":[
{"op":"put","key":"a b","ok":true},
{"op":"get","key":"a b","ok":true,"found":true,"value":"c d"},
{"op":"expire","key":"x","ok":true,"found":true}]}
END
    [ "$output" = "$(tr -d '\n' <expected)" ]
    [[ $(vstamp ttl "a b") =~ ^3[56] ]]
    [ "$(printf '%s\n' "txn 'if x absent' 'put x 1' else 'get x' 'incr n'" 'get n' |
        vstamp shell | tr '\n' /)" = "abc/1/(else)/1/" ]
}

@test "txn: what is absent is neither equal nor unequal, and --help tells the language" {
    local take=('if stock != 0' 'incr stock -1' 'append orders "me;"' else 'put sold out')
    run -1 vstamp txn "${take[@]}"
    run -1 vstamp get stock
    run -1 vstamp txn 'if stock = ""' 'put stock 9' else 'get stock'
    vstamp put stock 1
    run -0 vstamp txn "${take[@]}"
    run -1 vstamp txn "${take[@]}"
    [ "$(vstamp get stock)" = 0 ]
    run -0 --separate-stderr vstamp txn --help
    [[ $output == *"if KEY = VALUE"*"vstamp txn 'if stock != 0'"* ]]
}

@test "txn: all of it or nothing, and what is wrong is said" {
    vstamp put text abc
    group_fails 5 "*nothing was done: operation 2 behind 'then': the value is not a decimal*" \
        vstamp txn 'put a 1' 'incr text'
    run -1 vstamp get a
    group_fails 5 "*two steps write one key*" vstamp txn 'put a 1' 'del a'
    group_fails 2 "*line 1: expected: if KEY = VALUE*" vstamp txn 'if a'
    group_fails 2 "*line 2: 'if' stands before all operations*" vstamp txn 'put a 2' 'if a = 1'
    group_fails 2 "*there is no operation in it*" vstamp txn 'if a = 1'
    group_fails 2 "*line 1: expected if, then, else, put*" vstamp txn 'list a'
    run -1 vstamp get a
}

@test "txn: a value that is too large for the answer is told so" {
    local refused='"key":"large","ok":false,"error":"too-large","outcome":"none","message":'
    head -c 2000 /dev/zero | tr '\0' x | vstamp put large
    run -0 vstamp txn 'get large' 'put a 1'
    [ "$output" = $'then\n(too large for this answer: get it by itself)\nOK' ]
    run -0 vstamp --json txn 'get large'
    [[ $output == *'"answers":[{"op":"get",'"$refused"* ]]
}

@test "txn: two accounts keep their sum, whoever moves money while the primary dies" {
    local i
    vstamp put a 50
    vstamp put b 50
    mover() { # DEBTOR CREDITOR FILE
        local have
        for i in $(seq 20); do
            have=$(vstamp get "$1") || continue
            vstamp --session "$3" txn "if $1 = $have" "incr $1 -1" "incr $2" >/dev/null 2>&1 || :
        done
    }
    mover a b s1 & local first=$!
    mover b a s2 & local second=$!
    group_kill "$PRIMARY"
    wait "$first" "$second"
    group_wait_primary
    [ $(($(vstamp get a) + $(vstamp get b))) -eq 100 ]
}

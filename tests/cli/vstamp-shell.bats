#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp shell: commands from a pipe, and a look at the prompt.

load group

setup_file() {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    group_start 3 "durability: memory"
    group_wait_primary
    export GROUP_BASE GROUP_HOST GROUP_SIZE PRIMARY XDG_STATE_HOME
}

teardown_file() { group_teardown; }

@test "commands run in order, one answer a line" {
    run vstamp shell <<'END'
put a 1
get a
incr a 41
append a 0
cas a 420 x
cas a y z
get nosuch
del a nosuch
get a
END
    [ "$status" -eq 0 ]
    [ "$output" = $'OK\n1\n42\n3\nOK\n(not swapped)\n(not found)\n1\n(not found)' ]
}

@test "the seed's words, in any case" {
    run vstamp shell <<'END'
SET seed one
s seed two
GET seed
SET seed
g seed
D seed
d seed
z
QUIT
GET seed
END
    [ "$status" -eq 0 ]
    [[ $output == $'OK\nOK\ntwo\nOK\n\n1\n0\n'*" keys, "*" bytes" ]]
}

@test "quotes, escapes, comments and empty lines" {
    run vstamp shell <<'END'
# a comment

put "two words" 'single \n "quotes"'
get two\ words
put esc "\x00\xff\t\\"
get esc
put 'q'"uo"ted empty''
get quoted
END
    [ "$status" -eq 0 ]
    [ "$output" = $'OK\nsingle \\\\n "quotes"\nOK\n\\x00\\xff\\t\\\\\nOK\nempty' ]
}

@test "errors are answers too, the shell goes on, and its status tells" {
    run bash -c 'vstamp shell 2>/dev/null <<END
put word abc
incr word
put "open
frobnicate
put
EXPORT
scan
get word
END'
    [ "$status" -eq 2 ]
    [ "${lines[0]}" = OK ]
    [[ ${lines[1]} == "(error) word: "* ]]
    [[ ${lines[2]} == "(error) a quote is not closed" ]]
    [[ ${lines[3]} == "(error) unknown command 'frobnicate'"* ]]
    [ "${lines[4]}" = "(error) put: an operand is missing: expected KEY [VALUE]" ]
    [ "${lines[5]}" = "(error) 'export' is no command of the shell: run 'vstamp export' beside it" ]
    [ "${lines[6]}" = "(error) unknown command 'scan': did you mean 'list'?" ]
    [ "${lines[7]}" = abc ]
    [ "${#lines[@]}" -eq 8 ]
}

@test "a line that never ends is not waited for, here and in a transaction" {
    run bash -c '(echo put k v && tr "\0" x </dev/zero) | vstamp shell'
    [ "$status" -eq 2 ]
    [ "${lines[0]}" = OK ]
    [ "${lines[1]}" = "vstamp: standard input: the line is too long: not all commands were read" ]
    run bash -c 'tr "\0" x </dev/zero | vstamp txn'
    [ "$status" -eq 5 ]
    [ "$output" = "vstamp: standard input: the line is too long: nothing was sent" ]
}

@test "--json: one object a line, whatever happens" {
    run bash -c 'vstamp --json shell 2>/dev/null <<END
put k "\xff"
get k
put k 5
incr k
incr k word
get nosuch
frobnicate
list k
END'
    [ "$status" -eq 2 ]
    [ "${lines[0]}" = '{"op":"put","key":"k","ok":true}' ]
    [ "${lines[1]}" = '{"op":"get","key":"k","ok":true,"found":true,"value_base64":"/w=="}' ]
    [ "${lines[3]}" = '{"op":"incr","key":"k","ok":true,"value":"6"}' ]
    [[ ${lines[4]} == '{"op":"incr","ok":false,"error":"usage","outcome":"none",'* ]]
    [ "${lines[5]}" = '{"op":"get","key":"nosuch","ok":true,"found":false}' ]
    [[ ${lines[6]} == '{"op":"shell","ok":false,"error":"usage","outcome":"none",'* ]]
    [ "${#lines[@]}" -eq 8 ]
}

@test "help: all commands, or the one that is named" {
    run vstamp shell <<'END'
help
? SET
END
    [ "$status" -eq 0 ]
    [[ $output == "put KEY [VALUE]"*$'\nquit '*"Usage: vstamp [OPTION]... put KEY [VALUE]"* ]]
    [[ $output == *"--ttl"* && $output != *--session* ]]
    run vstamp shell <<<"help gte"
    [ "$status" -eq 2 ]
    [ "$output" = "(error) unknown command 'gte': did you mean 'get'?" ]
    run vstamp shell <<<status
    [ "$output" = "(error) unknown command 'status': did you mean 'vstamp-admin status'?" ]
    run vstamp --json shell <<'END'
help
help get
get --help
get --version
END
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 4 ]
    [[ ${lines[0]} == '{"op":"help","ok":true,"text":"put KEY [VALUE] '*'\nquit '*'"}' ]]
    [[ ${lines[1]} == '{"op":"help","ok":true,"text":"Usage: vstamp [OPTION]... get KEY\n'*'"}' ]]
    [ "${lines[2]}" = "${lines[1]}" ]
    [[ ${lines[3]} == '{"op":"help","ok":true,"text":"vstamp '*'\n"}' ]]
}

@test "when an answer cannot be written no further command is run" {
    run bash -c 'printf "incr unseen\nincr unseen\nincr unseen\n" | vstamp shell >/dev/full'
    [ "$status" -eq 2 ]
    [ "$(vstamp get unseen)" = 1 ]
}

@test "an option holds for its line only" {
    run vstamp shell <<'END'
put k v
get k --json
get k
END
    [ "$output" = $'OK\n{"op":"get","key":"k","ok":true,"found":true,"value":"v"}\nv' ]
}

@test "each answer is written before the next command is read" {
    local answer pid
    coproc vstamp shell
    pid=$COPROC_PID
    echo "put turn 1" >&"${COPROC[1]}"
    read -r -t 20 answer <&"${COPROC[0]}"
    [ "$answer" = OK ]
    echo "get turn" >&"${COPROC[1]}"
    read -r -t 20 answer <&"${COPROC[0]}"
    [ "$answer" = 1 ]
    echo quit >&"${COPROC[1]}"
    wait "$pid"
}

@test "reads that are there already overlap, and still see what was before them and no more" {
    {
        for i in {1..300}; do echo "put order/$((i % 7)) $i" && printf 'get order/%d\n' {0..6}; done
    } | vstamp shell | grep -v -e OK -e 'not found' >"$BATS_TEST_TMPDIR/seen"
    for i in {1..300}; do
        for k in {0..6}; do
            last=$((i - (i - k + 7) % 7))
            [ "$last" -le 0 ] || echo "$last"
        done
    done | diff - "$BATS_TEST_TMPDIR/seen"
}

@test "a shell without descriptors for its reads is told of that, and has an answer for each" {
    printf 'get a\nget b\n' >"$BATS_TEST_TMPDIR/commands"
    local few='exec 3>&- 4>&-; ulimit -c 0 -n 5 && exec vstamp --timeout 0.5 shell'
    run bash -c "$few" <"$BATS_TEST_TMPDIR/commands"
    [ "$status" -eq 3 ]
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[0]} == "(error) no answer in 0.5 s: "*": Too many open files"* ]]
    [[ ${lines[1]} == "(error) no answer in 0.5 s: "*": Too many open files"* ]]
}

@test "reads go forward in the history of the group, whoever answers them" {
    local writer consistency seen=$BATS_TEST_TMPDIR/seen
    vstamp put forward 0
    while [ ! -e "$seen" ]; do
        printf 'incr forward%.0s\n' {1..50}
    done | vstamp --timeout 20 shell >/dev/null 3>&- &
    writer=$!
    for consistency in causal linearizable; do
        : >"$seen.$consistency"
        while [ "$(uniq "$seen.$consistency" | wc -l)" -lt 100 ]; do
            yes "get forward" | head -n 1000
        done | vstamp --timeout 20 --consistency "$consistency" shell >>"$seen.$consistency"
    done
    touch "$seen"
    wait "$writer"
    for consistency in causal linearizable; do sort -n -c "$seen.$consistency"; done
}

@test "each answer comes in its place, also an error, help and a list" {
    run bash -c 'vstamp --json shell 2>/dev/null <<END
put place 1
get place
get place --nosuch
get place
list place
get place --json
frobnicate
get place
get place --help
END'
    [ "${#lines[@]}" -eq 9 ]
    for i in 1 3 5 7; do [[ ${lines[i]} == '{"op":"get","key":"place",'*'"value":"1"}' ]]; done
    [[ ${lines[2]} == '{"op":"get","ok":false,"error":"usage",'* ]]
    [[ ${lines[4]} == '{"op":"list",'*'"count":1,'* ]]
    [[ ${lines[6]} == '{"op":"shell","ok":false,'* ]]
    [[ ${lines[8]} == '{"op":"help","ok":true,'* ]]
}

@test "all commands of a shell share one session" {
    local before after
    before=$(group_field "$PRIMARY" clients)
    seq 1 50 | sed 's/.*/incr shared/' | vstamp shell | tail -n 1 | grep -qx 50
    after=$(group_field "$PRIMARY" clients)
    [ "$after" -eq $((before + 1)) ]
}

# type_into_shell FILE: what it holds, once a shell on a terminal has its prompt, and what is seen
# then in the file `seen`.
type_into_shell() {
    local seen=$BATS_TEST_TMPDIR/seen
    : >"$seen"
    { group_wait "the prompt" grep -q "vstamp> " "$seen" && cat "$1" && sleep 1; } |
        TERM=xterm timeout 60 script -qfec vstamp "$seen" >/dev/null
}

@test "without a command: a shell on a terminal, else an error" {
    run vstamp </dev/null
    [ "$status" -eq 2 ]
    [[ $output == *"vstamp shell"* ]]
    group_need_terminal
    printf 'PU\tk "\\x1b"\nc\ts\tk a b\nget k\n\004' >"$BATS_TEST_TMPDIR/typed"
    type_into_shell "$BATS_TEST_TMPDIR/typed"
    grep -q "'help' lists the commands" "$BATS_TEST_TMPDIR/seen"
    group_never grep -q "unknown command" "$BATS_TEST_TMPDIR/seen" # Tab has completed them
    grep -q "(not swapped)" "$BATS_TEST_TMPDIR/seen"
    grep -q '\\x1b' "$BATS_TEST_TMPDIR/seen"
    grep -Eq 'v[0-9]+/[0-9]+> ' "$BATS_TEST_TMPDIR/seen"
    [ "$(stat -c %a "$XDG_STATE_HOME/vstamp/history")" = 600 ]
}

@test "what is typed on a terminal is stored to the last byte, whatever the locale" {
    local locale
    group_need_terminal
    printf 'put typed "\xc3\xbc \xe2\x82\xac \xf0\x9f\x99\x82"\n\004' >"$BATS_TEST_TMPDIR/typed"
    for locale in C C.UTF-8 none; do
        vstamp del typed
        LC_ALL=$locale type_into_shell "$BATS_TEST_TMPDIR/typed"
        [ "$(vstamp get typed)" = $'\xc3\xbc \xe2\x82\xac \xf0\x9f\x99\x82' ]
    done
}

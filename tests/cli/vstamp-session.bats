#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The three outcomes and the way out of the third: --session, resume, abandon, pending;
# exit status 3, 4 and 5.

load group

setup() {
    s=$BATS_TEST_TMPDIR/session
    named=$(group_named "$s")
    group_start 3 "durability: memory"
    group_wait_primary
}

teardown() { group_teardown; }

# majority SIGNAL: to the primary and one backup.
majority() {
    group_signal "$PRIMARY" "$1"
    group_signal $(((PRIMARY + 1) % 3)) "$1"
}

value_is() { [ "$(vstamp get "$1")" = "$2" ]; }

# is_old FILE WORDS...: what a session that has gone on since is asked for is refused.  Who asked
# twice, as a replica was kept from running, may not know that (4): so it is a copy that asks.
is_old() {
    cp "$1" "$1.try"
    run vstamp --session "$1.try" "${@:2}"
    [ "$status" -eq 5 ] || return 1
    [ "$output" = "vstamp: session evicted; this request did not run: run it again" ] || return 1
    mv "$1.try" "$1"
}

# left_over: the file of a request without an outcome, of which there must be one.
left_over() {
    local files=("$XDG_STATE_HOME"/vstamp/*.pending)
    [ "${#files[@]}" -eq 1 ] && [ -e "${files[0]}" ] && echo "${files[0]}"
}

@test "no replica at all: did not run, each one named" {
    group_kill 0 1 2
    run vstamp --timeout 1 put k v
    [ "$status" -eq 3 ]
    [[ $output == "vstamp: no answer in 1.0 s: $(group_address 0): Connection refused; "* ]]
    [[ $output == *"did not and will not run: try again, or name other replicas"* ]]
    [[ $(vstamp --timeout 1 --json put k v 2>/dev/null) == \
        '{"op":"put","key":"k","ok":false,"error":"timeout","outcome":"none","message":"'* ]]
    run vstamp --timeout 1 get k
    [ "$status" -eq 3 ]
    [ "$(vstamp pending)" = "nothing is pending" ]
}

@test "what is typed in a shell after the group has gone did not run: nobody was sent it" {
    local in=$BATS_TEST_TMPDIR/in out=$BATS_TEST_TMPDIR/out status=0
    mkfifo "$in"
    vstamp --timeout 20 shell <"$in" >"$out" 2>&1 3>&- &
    group_adopt $!
    exec 5>"$in"
    echo "put k v" >&5
    group_wait "the answer" grep -qx OK "$out"
    group_kill 0 1 2
    sleep 0.1 # later a connection is looked at before it is used
    echo "put k w --timeout 0.5" >&5
    exec 5>&-
    wait $! || status=$?
    cat "$out"
    [ "$status" -eq 3 ]
    [[ $(tail -n 1 "$out") == "(error) no answer in 0.5 s: "*" did not and will not run"* ]]
}

@test "a minority serves nobody, and says so with 3 for a read" {
    vstamp put k v
    majority STOP
    run vstamp --timeout 1 get k
    [ "$status" -eq 3 ]
    [[ $output == *": try again" ]]
    majority CONT
    group_wait "the value" value_is k v
}

@test "one replica stopped: nothing to notice but the wait" {
    vstamp put k v
    group_pause "$PRIMARY"
    [ "$(vstamp get k)" = v ]
    [ "$(vstamp --session "$s" incr n)" = 1 ]
    [ "$(vstamp --session "$s" incr n)" = 2 ]
    group_cont "$PRIMARY"
}

@test "--session: without an outcome 4, then the same command completes it" {
    [ "$(vstamp --session "$s" incr n)" = 1 ]
    majority STOP
    run vstamp --session "$s" --timeout 1 incr n
    [ "$status" -eq 4 ]
    [[ $output == "vstamp: outcome unknown: no answer in 1.0 s: "*"vstamp resume $named" ]]
    run bash -c "vstamp --session '$s' --timeout 1 --json incr n 2>/dev/null"
    [ "$status" -eq 4 ]
    [[ $output == '{"op":"incr","key":"n","ok":false,"error":"timeout","outcome":"unknown",'* ]]
    majority CONT
    [ "$(vstamp --session "$s" incr n)" = 2 ]
    [ "$(vstamp --session "$s" incr n)" = 3 ]
    value_is n 3
}

@test "--session: the command that settles a request can be given as it is printed" {
    s="$BATS_TEST_TMPDIR/it's mine"
    vstamp --session "$s" incr n
    majority STOP
    run vstamp --session "$s" --timeout 1 incr n
    [ "$status" -eq 4 ]
    [[ $output == *": vstamp resume '"*"/it'\\''s mine'" ]]
    majority CONT
    eval "words=($(vstamp --session "$s" pending))"
    [ "${words[0]}" = "$s" ]
    [ "$(eval "${output##*with: }")" = 2 ]
}

@test "--session: a different write while one is pending ends in 4 and names it; a read does not" {
    vstamp --session "$s" put secret-key secret-value
    majority STOP
    run vstamp --session "$s" --timeout 1 put secret-key other-value
    [ "$status" -eq 4 ]
    majority CONT
    group_wait "an answer" vstamp get secret-key
    run vstamp --session "$s" incr n
    [ "$status" -eq 4 ]
    [[ $output == *"put secret-key"*"vstamp resume $named"* ]]
    [[ $output != *value* ]]
    [[ $(vstamp --session "$s" --json incr n 2>/dev/null) == *'"outcome":"none"'* ]]
    vstamp --session "$s" get secret-key
    [ "$(vstamp --session "$s" pending)" != "${output#*put}" ]
    [[ $(vstamp --session "$s" pending) == "$named  "*"  put secret-key" ]]
    [ "$(vstamp resume "$s")" = OK ]
    value_is secret-key other-value
    run vstamp resume "$s"
    [ "$status" -eq 2 ]
    [ "$(vstamp --session "$s" incr n)" = 1 ]
}

@test "--session: killed with a request on its way, the next call completes it" {
    local pid
    [ "$(vstamp --session "$s" incr n)" = 1 ]
    majority STOP
    vstamp --session "$s" --timeout 60 incr n 3>&- &
    pid=$!
    group_wait "the request to be noted" grep -q '"operation"' "$s"
    kill -KILL "$pid"
    wait "$pid" || true
    majority CONT
    [ "$(vstamp --session "$s" incr n)" = 2 ]
    value_is n 2
}

@test "--session: 0600, and one at a time" {
    local pid
    vstamp --session "$s" put k v
    [ "$(stat -c %a "$s")" = 600 ]
    majority STOP
    vstamp --session "$s" --timeout 60 put k w 2>/dev/null 3>&- &
    pid=$!
    group_wait "the request to be noted" grep -q '"operation"' "$s"
    run vstamp --session "$s" put k w
    [ "$status" -eq 2 ]
    [[ $output == *"in use"* ]]
    kill -KILL "$pid"
    majority CONT
    wait "$pid" || true
    [ "$(vstamp --session "$s" put k w)" = OK ]
}

@test "--session: a link to a file is that file" {
    ln -s session "$s.link" # which is not there yet
    [ "$(vstamp --session "$s.link" incr n)" = 1 ]
    [ "$(vstamp --session "$s" incr n)" = 2 ]
    [ "$(vstamp --session "$s.link" incr n)" = 3 ]
    [ -L "$s.link" ] && [ ! -L "$s" ]
}

@test "--session: a copy gets no answer that is not its own" {
    vstamp --session "$s" put k 1
    cp "$s" "$s.copy"
    vstamp --session "$s" put k 2
    group_wait "it to be refused" is_old "$s.copy" put k 3
    value_is k 2
    [ "$(vstamp --session "$s.copy" put k 3)" = OK ]
    value_is k 3
}

@test "--session: what a copy sends as the original did is the same request, and runs once" {
    vstamp --session "$s" put k 1
    cp "$s" "$s.copy"
    [ "$(vstamp --session "$s" incr n)" = 1 ]
    [ "$(vstamp --session "$s.copy" incr n)" = 1 ]
    value_is n 1
}

@test "--session: a copy that fell behind by more gets no answer either" {
    vstamp --session "$s" put k 1
    cp "$s" "$s.copy"
    vstamp --session "$s" put k 2
    vstamp --session "$s" put k 3
    group_wait "it to be refused" is_old "$s.copy" put k 4
    value_is k 3
    [ "$(vstamp --session "$s.copy" put k 5)" = OK ]
    value_is k 5
}

# lose FILE COMMAND...: the request is lost with the primary, and stays noted as of unknown outcome.
lose() {
    local file=$1
    shift
    group_wait_primary
    group_pause "$PRIMARY"
    run vstamp --session "$file" --replicas "$(group_address "$PRIMARY")" --timeout 1 "$@"
    [ "$status" -eq 4 ]
    group_kill "$PRIMARY"
}

@test "abandon, resume: what another process ran under the number is not taken for its own" {
    vstamp --session "$s" incr n
    cp "$s" "$s.copy"
    lose "$s.copy" put k ours
    cp "$s.copy" "$s.third"
    [ "$(vstamp --session "$s" incr n)" = 2 ] # under the number that the copy had taken
    run vstamp --config "$VSTAMP_CONFIG" abandon "$s.copy"
    [ "$status" -eq 1 ]
    [ "$output" = "it did not run and never will" ]
    group_wait "it to be refused" is_old "$s.third" --config "$VSTAMP_CONFIG" resume
    value_is n 2
    run vstamp get k
    [ "$status" -eq 1 ]
}

@test "resume: what ran is found though another process took the session over" {
    vstamp --session "$s" incr n
    majority STOP
    run vstamp --session "$s" --timeout 1 incr n
    [ "$status" -eq 4 ]
    cp "$s" "$s.copy"
    majority CONT
    [ "$(vstamp resume "$s")" = 2 ]
    cp "$s.copy" "$s.third"
    [ "$(vstamp abandon "$s.copy")" = "it ran" ] # which takes it over
    [ "$(vstamp resume "$s.third")" = 2 ]
    value_is n 2
}

@test "abandon: whether it ran is unknown once another process went beyond its number" {
    vstamp --session "$s" incr n
    cp "$s" "$s.copy"
    lose "$s.copy" incr n
    [ "$(vstamp --session "$s" incr n)" = 2 ]
    [ "$(vstamp --session "$s" incr n)" = 3 ]
    run vstamp --config "$VSTAMP_CONFIG" resume "$s.copy"
    [ "$status" -eq 4 ]
    [[ $output == *"is its file a copy?"*"vstamp abandon $(group_named "$s.copy")" ]]
    run bash -c "vstamp --config '$VSTAMP_CONFIG' --json abandon '$s.copy' 2>/dev/null"
    [ "$status" -eq 5 ]
    [[ $output == *'"error":"evicted","outcome":"unknown"'* ]]
    value_is n 3
    [ "$(vstamp --config "$VSTAMP_CONFIG" --session "$s.copy" incr n)" = 4 ]
}

@test "--session: what cannot be noted is not sent, and leaves no draft behind" {
    vstamp --session "$s" incr n
    run bash -c "ulimit -f 0; vstamp --session '$s' incr n"
    [ "$status" -eq 2 ]
    [ "$output" = "vstamp: $s: cannot write the session file: File too large: nothing was sent" ]
    [ ! -e "$s.new" ]
    [ "$(vstamp --session "$s" incr n)" = 2 ]
}

@test "--session: the time that the note takes is not taken from the group" {
    local library=${top_builddir:-.}/tests/cli/.libs/slow_sync.so
    LD_PRELOAD=$library vstamp --version || skip "LD_PRELOAD does not work here"
    vstamp --session "$s" incr n
    [ "$(LD_PRELOAD=$library vstamp --session "$s" --timeout 2 incr n)" = 2 ]
}

@test "--session: a file that is none is left alone" {
    echo precious >"$s"
    run vstamp --session "$s" put k v
    [ "$status" -eq 2 ]
    [[ $output == *"not a session file"* ]]
    [ "$(cat "$s")" = precious ]
}

@test "pending: it makes no folder, and says so if one cannot be read" {
    [ "$(XDG_STATE_HOME=$BATS_TEST_TMPDIR/none vstamp pending)" = "nothing is pending" ]
    [ ! -e "$BATS_TEST_TMPDIR/none" ]
    mkdir "$BATS_TEST_TMPDIR/none"
    : >"$BATS_TEST_TMPDIR/none/vstamp"
    XDG_STATE_HOME=$BATS_TEST_TMPDIR/none run vstamp pending
    [ "$status" -eq 2 ]
    [ "$output" = "vstamp: $BATS_TEST_TMPDIR/none/vstamp/: Not a directory" ]
}

@test "pending: a file that cannot be read is an error, and those that can be are listed" {
    local file=$XDG_STATE_HOME/vstamp/damaged.pending
    run vstamp --session "$s" pending
    [ "$status" -eq 2 ]
    [ "$output" = "vstamp: $s: cannot open the session file: No such file or directory" ]
    vstamp --session "$s" put k v
    majority STOP
    run vstamp --session "$s" --timeout 1 incr n
    [ "$status" -eq 4 ]
    mkdir -p "${file%/*}"
    echo precious >"$file"
    run vstamp --session "$s" pending
    [ "$status" -eq 2 ]
    [[ $output == *"vstamp: $file: not a session file"* && $output == *"  incr n"* ]]
    cp "$s" "$BATS_TEST_TMPDIR/"$'\xff'
    run bash -c "vstamp --session '$BATS_TEST_TMPDIR/'$'\xff' --json pending 2>/dev/null"
    [ "$status" -eq 2 ]
    [[ $output == '{"op":"pending","ok":false,"error":"io","outcome":"none",'* ]]
    [[ $output == *'"pending":[{"file_base64":"'*'","command":"incr n"}]}' ]]
}

@test "interrupted with a request on its way: noted, and dead by the signal" {
    local pid status=0 other=$(((PRIMARY + 2) % 3)) before
    vstamp --session "$s" put k v
    majority STOP
    before=$(group_field "$other" requests)
    is_asked() { [ "$(group_field "$other" requests)" -gt "$before" ]; }
    (trap - INT && exec vstamp --session "$s" --timeout 60 incr n) 2>"$BATS_TEST_TMPDIR/said" 3>&- &
    pid=$!
    group_wait "the request to be noted" grep -q '"operation"' "$s"
    group_wait "the request to be on its way" is_asked # the primary's copy went first
    kill -TERM "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq $((128 + 15)) ]
    grep -q "outcome unknown: interrupted: .*vstamp resume" "$BATS_TEST_TMPDIR/said"
    majority CONT
    [ "$(vstamp resume "$s")" = 1 ]
}

@test "Ctrl-C in a shell: what is typed is dropped, what is asked is noted, and the shell goes on" {
    local status=0 other=$(((PRIMARY + 2) % 3)) before seen=$BATS_TEST_TMPDIR/seen
    group_need_terminal
    has_prompts() { [ "$(grep -o '> ' "$seen" | wc -l)" -ge "$1" ]; }
    is_asked() { [ "$(group_field "$other" requests)" -gt "$before" ]; }
    : >"$seen"
    mkfifo "$BATS_TEST_TMPDIR/typed"
    env --default-signal=INT TERM=xterm script -qefc "exec vstamp --timeout 60" "$seen" \
        <"$BATS_TEST_TMPDIR/typed" >/dev/null 2>&1 3>&- &
    group_adopt $!
    exec 7>"$BATS_TEST_TMPDIR/typed"
    group_wait "the prompt" has_prompts 1
    printf 'incr n 5 ' >&7
    group_wait "its echo" grep -q "incr n 5" "$seen"
    printf '\003' >&7
    group_wait "the next line" has_prompts 2
    printf 'incr n\n' >&7
    group_wait "the answer" has_prompts 3
    majority STOP
    before=$(group_field "$other" requests)
    printf 'incr n\n' >&7
    group_wait "the request to be on its way" is_asked # the primary's copy went first
    printf '\003' >&7
    group_wait "its end" grep -q "(error) outcome unknown: interrupted: .*vstamp resume" "$seen"
    majority CONT
    group_wait "the next line" has_prompts 4
    printf 'put k v\n' >&7
    group_wait "the answer" has_prompts 5
    printf 'quit\n' >&7
    wait $! || status=$?
    exec 7>&-
    cat -v "$seen"
    [ "$status" -eq 4 ]
    value_is k v
    [ "$(vstamp resume "$(left_over)")" = 2 ]
}

@test "an answer that cannot be shown is kept" {
    local file words answers=()
    run bash -c 'vstamp incr n >/dev/full'
    [ "$status" -eq 2 ]
    file=$(left_over)
    [ "${lines[0]}" = "vstamp: the answer cannot be shown: to see it: vstamp resume $(
        group_named "$file"
    )" ]
    [ "${lines[1]}" = "vstamp: standard output: No space left on device" ]
    [ "$(cd / && env -u VSTAMP_CONFIG "$(command -v vstamp)" resume "$file")" = 1 ]
    [ ! -e "$file" ]
    run bash -c "vstamp --session '$s' --json cas n 5 6 >/dev/full"
    [[ $status -eq 2 && $output == *"vstamp resume $named"* ]]
    run vstamp --json resume "$s"
    [ "$status" -eq 1 ]
    [ "$output" = '{"op":"cas","key":"n","ok":true,"swapped":false}' ]
    run bash -c 'vstamp get n >/dev/full'
    [ "$output" = "vstamp: standard output: No space left on device" ]
    value_is n 1
    mkfifo "$BATS_TEST_TMPDIR/gone" # of which nobody reads any more
    for words in "vstamp incr n" "vstamp shell <<<'incr n'"; do
        run bash -c "exec 5<>'$BATS_TEST_TMPDIR/gone' 6>'$BATS_TEST_TMPDIR/gone' 5<&-; $words >&6"
        [ "$status" -eq 2 ]
        file=$(left_over)
        [ "${lines[0]}" = "vstamp: the answer cannot be shown: to see it: vstamp resume $(
            group_named "$file"
        )" ]
        [ "${lines[1]}" = "vstamp: standard output: Broken pipe" ]
        answers+=("$(vstamp resume "$file")")
    done
    [ "${answers[*]}" = "2 3" ]
    run bash -c 'unset HOME XDG_STATE_HOME; vstamp put k w 2>&1 >/dev/full'
    [ "$status" -eq 2 ]
    [ "${lines[0]}" = "vstamp: the group has answered, but that cannot be shown, nor kept" ]
    [ "${lines[1]}" = "vstamp: standard output: No space left on device" ]
    [ "$(vstamp get k)" = w ]
}

@test "a signal behind the answer of a write waits until that is shown" {
    local status=0 library=${top_builddir:-.}/tests/cli/.libs/late_signal.so
    LD_PRELOAD=$library vstamp --version || skip "LD_PRELOAD does not work here"
    LD_PRELOAD=$library vstamp incr n >"$BATS_TEST_TMPDIR/shown" || status=$?
    [ "$status" -eq $((128 + 15)) ]
    [ "$(cat "$BATS_TEST_TMPDIR/shown")" = 1 ]
    LD_PRELOAD=$library vstamp --session "$s" incr n >"$BATS_TEST_TMPDIR/shown" || true
    [ "$(cat "$BATS_TEST_TMPDIR/shown")" = 2 ]
    [ "$(vstamp --session "$s" incr n)" = 3 ] # it was settled
    [ "$(vstamp pending)" = "nothing is pending" ]
}

@test "abandon: did not run, and never will" {
    vstamp --session "$s" incr n
    majority STOP
    run vstamp --session "$s" --timeout 1 incr n
    [ "$status" -eq 4 ]
    run vstamp --session "$s" --timeout 1 abandon
    [ "$status" -eq 4 ] # the way out is shut as long as nobody answers
    [[ $output == *"; settle it with: vstamp abandon $named" ]]
    # what was on its way is lost for good: whoever held it is gone
    group_kill "$PRIMARY"
    group_start_one "$PRIMARY"
    group_signal $(((PRIMARY + 1) % 3)) CONT
    run vstamp --session "$s" --timeout 20 abandon
    [[ $status -le 1 ]]
    if [ "$status" -eq 0 ]; then
        [ "$output" = "it ran" ]
        value_is n 2
    else
        [ "$output" = "it did not run and never will" ]
        value_is n 1
    fi
    run vstamp abandon "$s"
    [ "$status" -eq 2 ]
    vstamp --session "$s" incr n
}

@test "a session that was evicted: 5, and what is known of the request" {
    group_kill 0 1 2
    group_start 3 "durability: memory" "max_clients: 2"
    group_wait_primary
    vstamp --session "$s" incr n
    vstamp put k 1
    vstamp put k 2
    group_wait "it to be refused" is_old "$s" incr n
    [ "$(vstamp --session "$s" incr n)" = 2 ]
    majority STOP
    run vstamp --session "$s" --timeout 1 incr n
    [ "$status" -eq 4 ]
    majority CONT
    vstamp --timeout 20 put k 3
    vstamp put k 4
    run bash -c "vstamp --json resume '$s' 2>/dev/null"
    [ "$status" -eq 5 ]
    [[ $output == *'"error":"evicted","outcome":"unknown"'* ]]
    vstamp --session "$s" incr n # and the file is of use again
}

@test "--session: a file of another group is found out, and what is pending there stays so" {
    local i
    vstamp --session "$s" put k v
    vstamp --session "$s.open" incr n
    majority STOP
    run vstamp --session "$s.open" --timeout 1 incr n
    [ "$status" -eq 4 ]
    group_kill 0 1 2
    for i in 0 1 2; do group_start_one "$i"; done # blank: they form a new group
    group_wait_primary
    run vstamp --session "$s" put k w
    [ "$status" -eq 2 ]
    [[ $output == *"another group"* ]]
    run vstamp --session "$s" get k
    [ "$status" -eq 2 ]
    run vstamp get k
    [ "$status" -eq 1 ]
    for i in abandon abandon resume; do # the first one leaves a file without a session
        run bash -c "vstamp --json $i '$s.open' 2>/dev/null"
        [ "$status" -eq 2 ]
        [[ $output == *'"error":"other-group","outcome":"unknown"'* ]]
        [[ $(vstamp --session "$s.open" pending) == "$(group_named "$s.open")  "*"  incr n" ]]
    done
}

@test "an anonymous request without an outcome: a file of its own, named, listed, resumed, gone" {
    local file
    mkfifo "$BATS_TEST_TMPDIR/typed"
    vstamp --timeout 3 shell <"$BATS_TEST_TMPDIR/typed" >"$BATS_TEST_TMPDIR/answers" 3>&- &
    local pid=$! status=0
    exec 7>"$BATS_TEST_TMPDIR/typed"
    echo "incr secret" >&7
    group_wait "the first answer" grep -qx 1 "$BATS_TEST_TMPDIR/answers"
    majority STOP
    echo "incr secret 41" >&7
    exec 7>&-
    wait "$pid" || status=$?
    [ "$status" -eq 4 ]
    file=$(left_over)
    grep -q "^(error) outcome unknown: .*vstamp resume $(group_named "$file")$" \
        "$BATS_TEST_TMPDIR/answers"
    [ "$(stat -c %a "$file")" = 600 ]
    [[ $(vstamp pending) == "$(group_named "$file")  20"*"  incr secret" ]]
    [[ $(vstamp --json pending) == \
        '{"op":"pending","ok":true,"pending":[{"file":"'"$file"'","since":"20'* ]]
    [[ $(vstamp --json pending) == *'","command":"incr secret"}]}' ]]
    run vstamp --timeout 1 resume "$file"
    [ "$status" -eq 4 ]
    majority CONT
    # the file knows whom to ask
    [ "$(env -u VSTAMP_CONFIG vstamp resume "$file")" = 42 ]
    [ ! -e "$file" ]
    [ "$(vstamp pending)" = "nothing is pending" ]
    value_is secret 42
}

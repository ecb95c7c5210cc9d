#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# An operation that ends the program of each replica, or at which it hangs, is passed over by all:
# its client is told, the group goes on, and no start of a replica tries it again.  So is a tick.

bats_require_minimum_version 1.5.0
load group

teardown() { group_teardown; }

setup() {
    cd "$BATS_TEST_TMPDIR"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
        skip "no python3 of at least 3.10"
    cat >mortal.py <<'END'
#!/usr/bin/env -S python3 -IS
# Counts operations; one ends it, and "alone" does so where a file is.
import os, sys
total = 0
out, lines = sys.stdout.buffer, sys.stdin.buffer

def say(word, number):
    out.write(b"%s %s %d\n%d\n" % (word, number, len(b"%d" % total), total))

while line := lines.readline():
    word, number, *rest = line.split()
    body = b""
    if word in (b"apply", b"query", b"load"):
        body = lines.read(int(rest[-1]))
        lines.read(1)
    if word == b"hello":
        out.write(b"hello 1 mortal\n")
    elif word == b"load":
        total = int(body or b"0")
        out.write(b"loaded %s\n" % number)
    elif word == b"save":
        say(b"state", number)
    else:
        if body == b"die" or (body == b"alone" and os.path.exists(sys.argv[1])):
            print("good bye", file=sys.stderr, flush=True)
            sys.exit(7)
        total += word == b"apply"
        say(b"answer", number)
    out.flush()
END
    chmod +x mortal.py
}

begin() { # N LINE...
    local i n=$1
    shift
    for ((i = 0; i < n; i++)); do
        mkdir "$i"
        GROUP_RUN[i]="env -C $i"
    done
    GROUP_OPTIONS="--app-exec ../${PROGRAM:-mortal.py} --app-argument ill"
    group_start "$n" "app_timeout_ms: 5000" "$@"
    group_wait_primary
}

# A program that hangs when it is poisoned (faulty_app.c), and starts at once: where the time is
# short after which it is taken to, Python may need it to start.
begin_hanging() {
    mkdir faults
    touch faults/slow faults/ticks
    GROUP_OPTIONS="--app-exec $(cd "${top_builddir:?}" && pwd)/tests/cli/faulty_app
        --app-argument faults"
    group_start 3 "app_timeout_ms: 1000" "view_change_ms: 200"
    group_wait_primary
}

sentence="refused: the application cannot execute this operation: it did not and will not run"

refused() { # OPERATION
    run -5 vstamp --timeout 20 call "$1"
    [[ $output == "vstamp: "*"$sentence" ]]
}

tried() { cat replica-?.log | grep -c "event=app-failed" || true; }

# are_stuck WHAT: a quorum said so, which is enough to pass it over: the third one may be slower.
are_stuck() {
    [ "$(grep -l "event=application-stuck op=[0-9]* reason=\"the application .*cannot execute $1" \
        replica-?.log | wc -l)" -ge 2 ]
}

@test "an operation that ends every program is passed over, and none tries it again" {
    begin 3
    [ "$(vstamp --timeout 20 call ok)" = 1 ]
    refused die
    [ "$(vstamp --timeout 20 call ok)" = 2 ]
    run -5 vstamp --timeout 20 --json call die
    [[ $output == *'"error":"refused","outcome":"none"'* ]]
    group_wait_agree
    are_stuck 'op-number [0-9]* of client [0-9a-f]*: .*mortal.py ended with status 7, three times '\
'in a row; it last said: good bye"'
    for i in 0 1 2; do
        group_running "$i"
        grep -q "event=operation-passed-over op=[0-9]* client=[0-9a-f]*$" "replica-$i.log"
        [ "$(group_field "$i" passed_over)" -eq 2 ]
        [ "$(group_field "$i" stuck_number)" -eq 0 ]
    done
    before=$(tried)
    for i in 0 1 2; do group_kill "$i"; done
    for i in 0 1 2; do group_start_one "$i"; done
    [ "$(vstamp --timeout 20 call ok)" = 3 ]
    group_wait_agree
    [ "$(tried)" -eq "$before" ]
    [ "$(vstamp --timeout 20 call --read x)" = 3 ]

    printf 'app_exec: %s\napp_argument: ill\n' "$PWD/mortal.py" | cat "$VSTAMP_CONFIG" - >copy.yaml
    run -0 vstamp-admin --config copy.yaml backup copy
    [[ $output == *"left out   2 of the newest operations, which the application cannot execute" ]]
}

@test "so is one at which every program hangs" {
    begin_hanging
    [ "$(vstamp --timeout 20 call 1)" = 1 ]
    run -5 vstamp --timeout 60 shell < <(printf 'call poison\ncall 1\n')
    [ "$output" = "(error) $sentence
2" ]
    group_wait_agree
    for i in 0 1 2; do group_running "$i"; done
}

# A program that ends at a tick that is due 100 ms after "later".
write_timed() {
    cat >timed.py <<'END'
#!/usr/bin/env -S python3 -IS
import sys
total, due = 0, "never"
out, lines = sys.stdout.buffer, sys.stdin.buffer

def say(word, number, body, end=""):
    out.write(b"%s %s %d%s\n%s\n" % (word, number, len(body), end.encode(), body.encode()))

while line := lines.readline():
    word, number, *rest = line.split()
    body = ""
    if word in (b"apply", b"query", b"load"):
        body = lines.read(int(rest[-1])).decode()
        lines.read(1)
    if word == b"hello":
        out.write(b"hello 1 timed ticks\n")
    elif word == b"load":
        total, due = (body or "0,never").split(",")
        total = int(total)
        out.write(b"loaded %s %s\n" % (number, due.encode()))
    elif word == b"save":
        say(b"state", number, f"{total},{due}")
    elif word == b"tick":
        print("no time", file=sys.stderr, flush=True)
        sys.exit(7)
    elif word == b"apply":
        total += 1
        if body == "later":
            due = str(int(rest[1]) + 100000)
        elif body == "never":
            due = body
        say(b"answer", number, str(total), " " + due)
    else:
        say(b"answer", number, str(total))
    out.flush()
END
    chmod +x timed.py
}

passed_over() { # N: by each replica
    local i
    for i in 0 1 2; do
        [ "$(group_field "$i" passed_over)" -eq "$1" ] || return 1
    done
}

@test "a tick that ends every program is passed over, and tried again after an operation only" {
    write_timed
    PROGRAM=timed.py begin 3
    [ "$(vstamp --timeout 20 call later)" = 1 ]
    group_wait "the tick to be passed over" passed_over 1
    are_stuck 'the tick of op-number [0-9]*: .*timed.py ended with status 7, three times in a '\
'row; it last said: no time"'
    for i in 0 1 2; do
        group_running "$i"
        grep -q 'event=operation-passed-over op=[0-9]*$' "replica-$i.log"
        [ "$(group_field "$i" stuck_number)" -eq 0 ]
    done
    [ "$(vstamp --timeout 20 call ok)" = 2 ]
    group_wait "the next one to be passed over" passed_over 2
    before=$(tried)
    for i in 0 1 2; do group_kill "$i"; done
    for i in 0 1 2; do group_start_one "$i"; done
    [ "$(vstamp --timeout 20 call never)" = 3 ]
    [ "$(vstamp --timeout 20 call ok)" = 4 ]
    group_wait_agree
    [ "$(tried)" -eq "$before" ]
    [ "$(vstamp --timeout 20 call --read x)" = 4 ]
}

@test "so is a tick at which every program hangs" {
    begin_hanging
    [ "$(vstamp --timeout 20 call "later 13")" = 0 ]
    group_wait "the tick to be passed over" passed_over 1
    [ "$(vstamp --timeout 60 call "later 0")" = 0 ]
    group_wait_agree
    for i in 0 1 2; do group_running "$i"; done
}

@test "a group of one passes it over by itself" {
    begin 1
    refused die
    [ "$(vstamp --timeout 20 call ok)" = 1 ]
}

# ends_alone I: replica I, which alone cannot execute an operation, ends and says so.
ends_alone() {
    local status=0
    touch "$1/ill"
    [ "$(vstamp --timeout 20 call alone)" = "$2" ]
    group_wait "the end of replica $1" group_never group_running "$1"
    group_reap "$1" || status=$?
    [ "$status" -eq 1 ]
    grep -q '^vstamp-replica: .*cannot execute op-number .*: others have executed it: mend' \
        "replica-$1.log"
    rm "$1/ill"
    group_start_one "$1"
    group_wait_agree
}

@test "a replica that is alone with it ends, and a primary lets another lead before" {
    begin 3
    ends_alone "$PRIMARY" 1
    group_wait_primary
    ends_alone $(((PRIMARY + 1) % 3)) 2
    [ "$(vstamp --timeout 20 call --read x)" = 2 ]
}

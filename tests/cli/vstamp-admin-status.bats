#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp-admin status against endpoints that say what each test wants.  They answer at once, but on
# a busy machine not within the default of a second.

load fakes
teardown() { fakes_teardown; }

@test "a healthy group: header, a row for each, no reasons" {
    fakes_start 0 1 2
    fakes_group 0 1 2
    run --separate-stderr vstamp-admin -t 20 status
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    diff - <(printf '%s\n' "$output") <<'END'
HEALTHY  primary 0  view 4  epoch 0  replicas 3  quorum 2  tolerates 1 more failure

   #  ADDRESS          ROLE     STATUS  VIEW     OP  COMMIT  LAG  EPOCH  UPTIME  CONTACT  VERSION
*  0  127.0.0.1:10000  primary  normal     4  18205   18205    0      0    2d4h     12ms  0.1.0
   1  127.0.0.1:10001  backup   normal     4  18205   18204    1      0    2d4h     12ms  0.1.0
   2  127.0.0.1:10002  backup   normal     4  18205   18203    2      0    2d4h     12ms  0.1.0
END
}

@test "LAG is what a replica has not acknowledged, if that is more than it owns up to" {
    fakes_start 0 1 2
    ACKED=([1]=18000 [2]=0) # nothing was heard of 2 in this view
    fakes_group 0 1 2
    run --separate-stderr vstamp-admin -t 20 status
    [[ ${lines[2]} == *"  18205   18205    0 "* ]]
    [[ ${lines[3]} == *"  18205   18204  205 "* ]]
    [[ ${lines[4]} == *"  18205   18203    2 "* ]]
}

@test "a dead replica has its row, in its place, and a reason" {
    fakes_start 0 1=dead 2
    HEARD=([1]=192000)
    fakes_group 0 2
    run --separate-stderr vstamp-admin -t 20 status
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "DEGRADED  primary 0  "*"tolerates 0 more failures" ]]
    [[ ${lines[3]} == \
        *" 127.0.0.1:10001  -        down       -      -       -    -      -       -    3m12s  -" ]]
    [ "${lines[5]}" = "replica 1 (127.0.0.1:10001) is down: Connection refused; \
last heard by replica 0 3m12s ago" ]
}

@test "replicas that accept and never answer cost the time-out, together" {
    fakes_start 0 1=silent 2=silent
    HEARD=([1]=60000 [2]=60000)
    fakes_group 0
    run vstamp-admin status
    [[ $output == *"replica 2 (127.0.0.1:10002) is down: no answer within 1 s"* ]]
    local start=$SECONDS
    run vstamp-admin --timeout 4 status
    ((SECONDS - start < 8))
    [ "$(grep -c 'no answer within 4 s' <<<"$output")" -eq 2 ]
}

@test "a name server that hangs costs the time-out, and no more" {
    local start library=${top_builddir:-.}/tests/cli/.libs/slow_names.so
    LD_PRELOAD=$library vstamp-admin --version || skip "LD_PRELOAD does not work here"
    fakes_start 0=dead
    printf 'replicas_addresses: ["h.hangs:1", "%s"]\n' "127.0.0.1:10001" >"$VSTAMP_CONFIG"
    start=$SECONDS
    LD_PRELOAD=$library run vstamp-admin --timeout 0.5 status
    ((SECONDS - start < 30))
    [ "$status" -eq 3 ]
    [[ $output == *"replica 0 (h.hangs:1) is down: no answer within 0.5 s"* ]]
}

@test "nobody answers: all rows all the same, and 3" {
    fakes_start 0=dead 1=dead 2=dead
    run --separate-stderr vstamp-admin status
    [ "$status" -eq 3 ]
    [[ ${lines[0]} == "UNAVAILABLE  primary none  view -  epoch -  replicas 3  "* ]]
    [ "$(grep -c ' down ' <<<"$output")" -eq 3 ]
    run --separate-stderr vstamp-admin --json status
    [ "$status" -eq 3 ]
    [ "$(grep -o '"reachable":false' <<<"$output" | wc -l)" -eq 3 ]
    [[ $output == *'"health":"UNAVAILABLE"'*'"primary":null,"view":null,"epoch":null,'* ]]
}

@test "--json is one line with an element for every configured replica" {
    fakes_start 0 1 2=dead
    fakes_group 0 1
    run --separate-stderr vstamp-admin -t 20 status --json
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == '{"health":"DEGRADED","reasons":["replica 2 (127.0.0.1:10002) '* ]]
    [[ $output == *'"primary":0,"view":4,"epoch":0,"quorum":2,"tolerates":1,"replicas":['* ]]
    [[ $output == *'{"replica":1,"address":"127.0.0.1:10001","reachable":true,'* ]]
    [[ $output == *'"commit_number":18204'*'"peers":[{'*'"lag":1}'* ]]
    [[ $output == *'{"replica":2,"address":"127.0.0.1:10002","reachable":false,'* ]]
    [[ $output == *'"reachable":false,"error":"Connection refused"}'* ]]
}

@test "odd answers are errors of that replica alone, and can't reach the terminal" {
    fakes_start 0 1 2
    fakes_group 0 1
    fakes_say 2 'hello'
    run vstamp-admin -t 20 status
    [ "$status" -eq 0 ]
    [[ $output == *"2 (127.0.0.1:10002) takes part, but its status cannot be read: its answer "* ]]
    fakes_say 2 '{"replica":1,"status":"normal"}'
    run vstamp-admin -t 20 status
    [[ $output == *"replica 1 answers there"* ]]
    rm "$BATS_TEST_TMPDIR/fake-2/status"
    run vstamp-admin -t 20 status
    [[ $output == *"answered with HTTP status 404"* ]]
    head -c 1100000 /dev/zero >"$BATS_TEST_TMPDIR/fake-2/status"
    run vstamp-admin -t 20 status
    [[ $output == *"the answer is longer than 1048576 bytes"* ]]
    fakes_say 2 '{"replica":2,"status":"odd\u001b","version":"\u001b[2J","reason":"\u001b"}'
    run vstamp-admin -t 20 status
    [[ $output != *$'\e'* ]]
}

@test "proxies of the environment are not asked" {
    fakes_start 0 1 2
    fakes_group 0 1 2
    http_proxy=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1 run vstamp-admin -t 20 status
    [[ ${lines[0]} == HEALTHY* ]]
}

@test "--replicas in place of a file: the status is at the port + 1000" {
    local address
    fakes_start 0
    address=127.0.0.1:$((FAKES_PORTS[0] - 1000))
    fakes_say 0 "{\"replica\":0,\"address\":\"$address\",\"status\":\"normal\",\"primary\":0,\
\"role\":\"primary\",\"view\":4}"
    run vstamp-admin -t 20 --replicas "$address" status
    [ "$status" -eq 0 ]
    [[ $output == "HEALTHY  primary 0  view 4  "* ]]
    run --separate-stderr vstamp-admin --replicas 127.0.0.1:65000 status
    [ "$status" -eq 2 ]
    [[ $stderr == "vstamp-admin: --replicas: 127.0.0.1:65000 has no port + 1000, "*" by --config" ]]
    run --separate-stderr vstamp-admin --replicas "$address" restore b
    [ "$status" -eq 2 ]
    [[ $stderr == "vstamp-admin: restore: --replicas is not enough for a new group: "* ]]
}

# twice PATTERN COMMAND...: COMMAND, which does not end by itself, prints two lines with PATTERN.
twice() {
    local pattern=$1 pid i
    shift
    "$@" >"$BATS_TEST_TMPDIR/out" 3>&- &
    pid=$!
    for ((i = 0; i < 400; i++)); do
        (($(grep -c "$pattern" "$BATS_TEST_TMPDIR/out") >= 2)) && break
        sleep 0.05
    done
    kill "$pid" # fails when it ended by itself
    wait "$pid" || true
    ((i < 400))
}

@test "--watch goes on, one table or object after the other where there is no terminal" {
    fakes_start 0 1 2
    fakes_group 0 1 2
    twice '^HEALTHY  primary 0' vstamp-admin -t 20 status --watch
    twice '^{"health":"HEALTHY".*}$' vstamp-admin -t 20 --json status -w
}

@test "no colour where there is no terminal, nor under NO_COLOR" {
    fakes_start 0 1 2=dead
    fakes_group 0 1
    TERM=xterm run vstamp-admin -t 20 status
    [[ $output != *$'\e'* ]]
    script -qec true /dev/null >/dev/null 2>&1 || skip "no terminal can be had"
    run script -qec "env TERM=xterm vstamp-admin -t 20 status" /dev/null
    [[ $output == *$'\e[1;33mDEGRADED\e[0m  primary 0'* ]]
    NO_COLOR=1 run script -qec "env TERM=xterm vstamp-admin -t 20 status" /dev/null
    [[ $output == *DEGRADED* ]]
    [[ $output != *$'\e'* ]]
}

@test "usage and configuration end in 2 with one line" {
    cd "$BATS_TEST_TMPDIR"
    unset VSTAMP_CONFIG
    run --separate-stderr vstamp-admin status
    [ "$status" -eq 2 ]
    [ -z "$output" ]
    [ "$stderr" = "vstamp-admin: no configuration: there is no server-config.yaml in the current \
folder: write one, or name it by --config FILE or \$VSTAMP_CONFIG" ]
    printf 'replicas_addresses: [a:1]\nheartbeat: 5\n' >bad.yaml
    run --separate-stderr vstamp-admin --config bad.yaml status
    [ "$status" -eq 2 ]
    [ "$stderr" = \
        "vstamp-admin: bad.yaml:2:1: unknown key 'heartbeat': did you mean 'heartbeat_ms'?" ]
    run --separate-stderr vstamp-admin sttaus
    [ "$status" -eq 2 ]
    [ "$stderr" = "vstamp-admin: unknown command 'sttaus': did you mean 'status'?
Try 'vstamp-admin --help'." ]
    run --separate-stderr vstamp-admin status extra
    [ "$status" -eq 2 ]
    run --separate-stderr vstamp-admin
    [ "$status" -eq 2 ]
}

@test "help and version on standard output, for each command" {
    local words
    for words in --help "status --help" "health -h" "metrics --help"; do
        # shellcheck disable=SC2086
        run --separate-stderr vstamp-admin $words
        [ "$status" -eq 0 ]
        [ -z "$stderr" ]
        [[ $output == "Usage: vstamp-admin"*"--timeout SECONDS"* ]]
    done
    run --separate-stderr vstamp-admin --version
    [ "$status" -eq 0 ]
    [[ $output == "vstamp-admin "[0-9]* ]]
    [ ! -e /dev/full ] || {
        run --separate-stderr bash -c "vstamp-admin --help >/dev/full"
        [ "$status" -eq 2 ]
        [ "$stderr" = "vstamp-admin: standard output: No space left on device" ]
    }
}

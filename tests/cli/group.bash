# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Groups of real daemons for bats files.
#
#   load group
#   teardown() { group_teardown; }
#   @test "..." {
#       group_start 3 "durability: memory"     # each further word is a line of the configuration
#       group_wait_primary                     # sets $PRIMARY
#       vstamp put greeting hello
#   }
#
# The programs come from $PATH.  Everything is written under $BATS_TEST_TMPDIR: server-config.yaml
# (exported as VSTAMP_CONFIG), data/, and replica-I.log of each replica, which grows over restarts.
# Waiting is always for a condition and always ends: GROUP_DEADLINE seconds, 60 unless a test says
# more.  Only processes started here are signalled.  Replicas are asked over /dev/tcp, so that
# neither curl nor a working vstamp-admin is needed to test the daemon.

GROUP_DEADLINE=${GROUP_DEADLINE:-60}
GROUP_PIDS=()    # by index; empty where none runs
GROUP_EXTRAS=()  # processes beside the group, see group_adopt
GROUP_PROGRAM=() # by index; vstamp-replica where none is given
GROUP_HOSTS=()   # addresses by index; GROUP_HOST where none is given
GROUP_CONFIG=()  # files by index, and ...
GROUP_INDEX=()   # ... the index there, where that is not $VSTAMP_CONFIG

# --- addresses ------------------------------------------------------------------------------------

# Each test has an address of the loopback network to itself, made of its process's id, so that no
# other one takes a port while a replica is down.  Export it where a group outlives its process.
GROUP_HOST=${GROUP_HOST:-127.$((64 + ($$ >> 16 & 63))).$(($$ >> 8 & 255)).$(($$ & 255))}

# group_ports N: sets GROUP_BASE to the first of N consecutive ports that nobody listens on, at any
# address.  They are below the ephemeral range, so no outgoing connection takes one.
group_ports() {
    local n=$1 port listening
    listening=" $(awk '$4 == "0A" { sub(/.*:/, "", $2); print $2 }' /proc/net/tcp /proc/net/tcp6 \
        2>/dev/null | tr '\n' ' ') "
    while :; do
        GROUP_BASE=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
        for ((port = GROUP_BASE; port < GROUP_BASE + n; port++)); do
            [[ $listening == *" $(printf %04X "$port") "* ]] && continue 2
        done
        return 0
    done
}

# Another name of 127.0.0.1; on a machine without /etc/hosts, another spelling.
group_other_name() {
    if getent ahostsv4 localhost >/dev/null; then echo localhost; else echo 127.1; fi
}

# --- starting and stopping ------------------------------------------------------------------------

# group_address I: where it listens for replicas and clients.
group_address() { echo "${GROUP_HOSTS[$1]:-$GROUP_HOST}:$((GROUP_BASE + $1))"; }

# group_configure N [LINE...]: choose ports and write the configuration, start nothing.
group_configure() {
    local i n=$1
    shift
    GROUP_SIZE=$n
    group_ports $((2 * n + 2)) # two that tests have for others
    export VSTAMP_CONFIG=$BATS_TEST_TMPDIR/server-config.yaml
    export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
    {
        echo "replicas_addresses:"
        for ((i = 0; i < n; i++)); do echo "  - $(group_address "$i")"; done
        echo "status_addresses:"
        for ((i = 0; i < n; i++)); do
            echo "  - ${GROUP_HOSTS[i]:-$GROUP_HOST}:$((GROUP_BASE + n + i))"
        done
        echo "data_dir: $BATS_TEST_TMPDIR/data"
        printf '%s\n' "$@"
    } >"$VSTAMP_CONFIG"
}

# group_start N [LINE...]: configure, start all replicas, and wait until each listens.  They form a
# group only when each has met all others: a test that stops one first says group_wait_agree before.
group_start() {
    local i
    group_configure "$@"
    for ((i = 0; i < GROUP_SIZE; i++)); do group_start_one "$i"; done
    group_wait_listening
}

# group_need_terminal: what follows runs on a terminal, that of script(1).
group_need_terminal() {
    script -qec true /dev/null >/dev/null 2>&1 </dev/null || skip "no terminal can be had"
}

# group_start_one I [OPTION...]: start replica I (again), with the words of GROUP_OPTIONS as well.
# GROUP_RUN, if set, is what runs it; an array: by index.  GROUP_PROGRAM is another daemon than
# vstamp-replica, likewise.
group_start_one() {
    local i=$1
    shift
    # shellcheck disable=SC2086 # they are words
    ${GROUP_RUN[i]:-${GROUP_RUN:-}} ${GROUP_PROGRAM[i]:-${GROUP_PROGRAM:-vstamp-replica}} \
        --config "${GROUP_CONFIG[i]:-$VSTAMP_CONFIG}" --index "${GROUP_INDEX[i]:-$i}" \
        ${GROUP_OPTIONS:-} "$@" \
        </dev/null >>"$BATS_TEST_TMPDIR/replica-$i.log" 2>&1 3>&- &
    GROUP_PIDS[i]=$!
}

# group_signal I SIGNAL: to that replica's process.
group_signal() {
    [[ -n ${GROUP_PIDS[$1]:-} ]] && kill "-$2" "${GROUP_PIDS[$1]}"
}

# group_reap I: wait for its end; returns its exit status.
group_reap() {
    local pid=${GROUP_PIDS[$1]} status=0
    GROUP_PIDS[$1]=
    wait "$pid" || status=$?
    return "$status"
}

group_kill() { # I...: at once, as a power cut would
    local i
    for i in "$@"; do group_signal "$i" KILL; done
    for i in "$@"; do group_reap "$i" 2>/dev/null || true; done
}

group_stop() { # I: gracefully; returns the exit status, so do not put it under `run`, a subshell
    group_signal "$1" TERM
    group_reap "$1"
}

group_pause() { group_signal "$1" STOP; }
group_cont() { group_signal "$1" CONT; }

group_running() { # I
    [[ -n ${GROUP_PIDS[$1]:-} ]] && kill -0 "${GROUP_PIDS[$1]}" 2>/dev/null
}

# Processes that replica I has begun.  Not every machine has pgrep.
group_children() { # I
    grep -lsx "PPid:.${GROUP_PIDS[$1]}" /proc/[0-9]*/status | tr -cd '0-9\n'
}

# group_adopt PID: end this process too in group_teardown.
group_adopt() { GROUP_EXTRAS+=("$1"); }

group_teardown() {
    local pid
    for pid in "${GROUP_PIDS[@]}" "${GROUP_EXTRAS[@]}"; do
        [[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null || true
    done
    for pid in "${GROUP_PIDS[@]}" "${GROUP_EXTRAS[@]}"; do
        [[ -z $pid ]] || wait "$pid" 2>/dev/null || true
    done
    GROUP_PIDS=()
    GROUP_EXTRAS=()
    return 0
}

# --- asking ---------------------------------------------------------------------------------------

# group_http I PATH [METHOD]: the whole answer, header and body, of replica I's status endpoint;
# fails when nobody answers within five seconds, as much is looked at once only, on busy machines.
# GROUP_ASK, if set, is what runs the asking; an array: by index.
group_http() {
    local host=${GROUP_HOSTS[$1]:-$GROUP_HOST} port=$((GROUP_BASE + GROUP_SIZE + $1))
    ${GROUP_ASK[$1]:-${GROUP_ASK:-}} timeout 5 bash -c '
        exec 9<>"/dev/tcp/$1/$2" || exit 1
        printf "%s %s HTTP/1.0\r\nHost: replica\r\n\r\n" "$4" "$3" >&9
        cat <&9' http "$host" "$port" "$2" "${3:-GET}" 2>/dev/null
}

# group_status I: its /status as one line of JSON.
group_status() {
    local answer
    answer=$(group_http "$1" /status) || return 1
    [[ $answer == *" 200 "* ]] || return 1
    printf '%s\n' "${answer##*$'\n'}"
}

# group_field I NAME: one field of its /status, without quotes.
group_field() {
    local status
    status=$(group_status "$1") || return 1
    [[ $status =~ \"$2\":\"?([^,\"\}]*) ]] || return 1
    printf '%s\n' "${BASH_REMATCH[1]}"
}

# group_wait WHAT COMMAND...: until COMMAND succeeds.
group_wait() {
    local what=$1 end=$((SECONDS + GROUP_DEADLINE))
    shift
    until "$@"; do
        if ((SECONDS > end)); then
            echo "gave up after $GROUP_DEADLINE s waiting for: $what" >&2
            group_show_logs
            return 1
        fi
        sleep 0.05
    done
}

# group_never COMMAND...: it must fail.  (A test does not end on the status of `! command`.)
group_never() { ! "$@"; }

# group_fails STATUS PATTERN COMMAND...: it ends in that status, with that complaint.
group_fails() {
    local expected=$1 pattern=$2
    shift 2
    run "$@"
    # shellcheck disable=SC2053,SC2154
    [[ $status -eq $expected && $output == $pattern ]] && return
    echo "ended in $status, not in $expected as \"$pattern\": $output" >&2
    return 1
}

# group_named FILE: as it stands in a command that a message names.
group_named() {
    local quoted=$1
    [[ $1 != *[[:space:]]* ]] || quoted="'$1'"
    printf '%s\n' "$quoted"
}

group_listens_or_ended() { group_status "$1" >/dev/null || ! group_running "$1"; }

# All started replicas serve their status; fails at once when one of them ended.
group_wait_listening() {
    local i
    for ((i = 0; i < GROUP_SIZE; i++)); do
        [[ -n ${GROUP_PIDS[i]:-} ]] || continue
        group_wait "replica $i to listen" group_listens_or_ended "$i" || return 1
        group_running "$i" && continue
        group_show_logs
        return 1
    done
}

group_has_primary() {
    local i
    for ((i = 0; i < GROUP_SIZE; i++)); do
        group_running "$i" || continue
        [[ $(group_http "$i" /readyz) == *" 200 "* ]] || continue
        [[ $(group_field "$i" role) == primary ]] || continue
        PRIMARY=$i
        return 0
    done
    return 1
}

# group_wait_primary: until a primary is ready to serve; sets PRIMARY.
group_wait_primary() { group_wait "a primary" group_has_primary; }

group_is() { [[ $(group_field "$1" "$2") == "$3" ]]; }

# group_wait_field I NAME VALUE
group_wait_field() { group_wait "$2=$3 at replica $1" group_is "$1" "$2" "$3"; }

# group_agree: all running replicas are normal, with one commit-number and, but for witnesses, one
# digest.
group_agree() {
    local i one commit digest first_commit= first_digest=
    for ((i = 0; i < GROUP_SIZE; i++)); do
        group_running "$i" || continue
        one=$(group_status "$i") || return 1
        [[ $one == *'"status":"normal"'* ]] || return 1
        commit=$(tr , '\n' <<<"$one" | grep '^"commit_number"')
        first_commit=${first_commit:-$commit}
        [[ $commit == "$first_commit" ]] || return 1
        [[ $one != *'"role":"witness"'* ]] || continue
        digest=$(tr , '\n' <<<"$one" | grep -E '^"(digest_number|state_digest)"')
        first_digest=${first_digest:-$digest}
        [[ $digest == "$first_digest" ]] || return 1
    done
}

group_wait_agree() { group_wait "all replicas to agree" group_agree; }

# group_acked: both other replicas of three have told the primary that they hold what it has for
# good.  What all have executed, one of them may not have written yet.
group_acked() {
    group_has_primary || return 1
    local op
    op=$(group_field "$PRIMARY" op_number) || return 1
    [[ $(group_status "$PRIMARY" | grep -o "\"acked_op\":$op\b" | wc -l) -eq 2 ]]
}

group_wait_acked() { group_wait "both backups to acknowledge all" group_acked; }

# group_wait_log I PATTERN: a line of replica I's log.
group_wait_log() {
    group_wait "$2 in the log of replica $1" grep -q "$2" "$BATS_TEST_TMPDIR/replica-$1.log"
}

group_show_logs() {
    local log
    for log in "$BATS_TEST_TMPDIR"/replica-*.log; do
        [[ -e $log ]] || continue
        echo "--- ${log##*/}" >&2
        tail -n 20 "$log" >&2
    done
}

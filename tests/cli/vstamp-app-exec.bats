#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Applications that are processes: vstamp-replica --app-exec.  In which ways a process may fail is
# the affair of tests/unit/test_app_exec, and where in a group that of vstamp-app-steps.bats.

bats_require_minimum_version 1.5.0
load group

setup() {
    build=$(cd "${top_builddir:?}" && pwd)
    examples=$(cd "${top_srcdir:-$BATS_TEST_DIRNAME/../..}/examples/exec" && pwd)
    cd "$BATS_TEST_TMPDIR"
    faults=faults
    mkdir "$faults"
}

teardown() { group_teardown; }

begin() { # OPTIONS LINE...: a group of three
    GROUP_OPTIONS=$1
    shift
    group_start 3 "$@"
    group_wait_primary
}

begin_faulty() {
    begin "--app-exec $build/tests/cli/faulty_app --app-argument $faults" \
        "app_timeout_ms: 1000" "$@"
}

apply() { printf 'call "%s"\n' "$@" | vstamp --timeout 20 shell; }
ask() { vstamp --timeout 20 call --read "$1"; }

# app_pid I: the newest process of replica I.
app_pid() { sed -n 's/.*event=app-started .*pid=\([0-9]*\).*/\1/p' "replica-$1.log" | tail -n 1; }

# What the state is must be so at each replica: ask it alone.
wait_state() { # WHAT QUERY
    group_wait_agree
    [ "$(ask "$2")" = "$1" ]
}

need_python() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
        skip "no python3 of at least 3.10"
}

@test "an application in Python: fail-over, restart, and state for one that comes empty" {
    need_python
    begin "--app-exec $examples/inventory.py" "checkpoint_ops: 16"
    [ "$(apply "add bolts 100" "take bolts 30" "take bolts 300" "add nuts 2" | tr '\n' ,)" = \
        "100,70,too few: 70,2," ]
    mapfile -t forty < <(yes "add bolts 1" | head -n 40)
    [ "$(apply "${forty[@]}" | tail -n 1)" = 110 ]
    wait_state $'bolts 110\nnuts 2' list

    group_kill "$PRIMARY" # another one takes over, with what its process knows
    drawn=$(apply draw draw)
    [ "$(wc -l <<<"$drawn")" -eq 2 ]
    before=$(ask list)
    group_start_one "$PRIMARY" # from its disk: a state, and the operations after it
    wait_state "$before" list
    grep -q "app-restored state_bytes=[1-9]" "replica-$PRIMARY.log"

    group_kill 0
    rm -r data/0
    group_start_one 0 # from the others
    group_wait_agree
    group_kill 1 2
    group_start_one 1
    wait_state "$before" list
}

@test "an application in shell" {
    begin "" "checkpoint_ops: 16" "app_exec: $examples/notes.sh"
    [ "$(apply "milk" "two  words" "ünïcode" | tr '\n' ,)" = "1,2,3," ]
    [[ $(ask 2) =~ ^20[0-9-]+\ [0-9:]+\ two\ \ words$ ]]
    mapfile -t notes < <(seq -f "note %g" 4 30)
    apply "${notes[@]}" >/dev/null
    before=$(ask all)
    [ "$(wc -l <<<"$before")" -eq 30 ]
    group_wait_agree
    group_kill 0 1 2
    for i in 0 1 2; do group_start_one "$i"; done
    wait_state "$before" all
    [[ $(ask 3) == *ünïcode ]]
    vstamp-admin backup copy # by the program, too
    vstamp-admin backup --verify copy | grep "^of .*, checked but not loaded, which takes that"
    group_kill 0 1 2
    rm -r data
    sed '/^app_exec/d' "$VSTAMP_CONFIG" >without.yaml
    group_fails 2 "vstamp-admin: copy: is of another application than the key-value store: *" \
        vstamp-admin --config without.yaml restore copy
    [ ! -e data ]
    vstamp-admin restore copy
    for i in 0 1 2; do group_start_one "$i"; done
    wait_state "$before" all
}

is_free() { [ "$(ask "$1")" = nobody ]; }

@test "an application in shell with leases: they end though nobody asks, also after a fail-over" {
    begin "--app-exec $examples/leases.sh"
    [ "$(apply "take printer ann 1" "take scanner ann 300" "take scanner bob 5" | tr '\n' ,)" = \
        "yes,yes,no: ann," ]
    [ "$(vstamp call "take printer" && ask scanner)" = "not understoodann" ]
    group_wait "the lease to end" is_free printer
    [ "$(ask all | cut -d ' ' -f 1,2)" = "scanner ann" ]
    [ "$(apply "take printer bob 1" "drop scanner ann" "drop scanner ann" | tr '\n' ,)" = \
        "yes,yes,no," ]
    group_kill "$PRIMARY"
    group_wait "the lease to end" is_free printer
    group_start_one "$PRIMARY"
    wait_state "" all
}

@test "a process that is killed is started anew, and nothing is lost or runs twice" {
    begin_faulty "checkpoint_ops: 16"
    [ "$(apply 5 7 | tr '\n' ,)" = "5,12," ]
    for i in 0 1 2; do kill -KILL "$(app_pid "$i")"; done
    [ "$(apply 1)" = 13 ] # noticed by then, or by it
    for i in 0 1 2; do group_wait_log "$i" 'event=app-.* reason="was ended by signal 9'; done
    wait_state 13 ""
}

# What a process that is replaced has executed since its state was last saved, the next one executes
# again; and the state is saved at each digest point.
no_point="digest_ops: 1048576"

# ends_by_itself OPTION...: the only replica does, as its program is not deterministic.
ends_by_itself() {
    local status=0
    group_start_one 0 "$@"
    apply pid >/dev/null
    kill -KILL "$(group_children 0)"
    run vstamp --timeout 1 call 5 # by which it is noticed, if not before
    [ "$status" -eq 3 ] || [ "$status" -eq 4 ]
    group_wait "its end" group_never group_running 0
    group_reap 0 || status=$?
    [ "$status" -eq 1 ]
}

@test "why it failed is a value in quotes, and all that is written a log that programs can read" {
    need_python
    GROUP_OPTIONS="--app-exec $build/tests/cli/faulty_app --app-argument $faults"
    group_configure 1 "$no_point"
    ends_by_itself
    grep -q 'event=application-failed reason="the application \\"sum\\" cannot .*"$' replica-0.log
    mv replica-0.log before
    ends_by_itself --log-format json
    python3 -c 'import json, sys
lines = [json.loads(line) for line in sys.stdin]
failed = [line["reason"] for line in lines if line["event"] == "application-failed"]
assert failed[0].startswith("the application \"sum\" cannot go on: "), lines
assert lines[-1]["event"] == "failed" and failed[0] in lines[-1]["reason"], lines' <replica-0.log
}

@test "a process that answers otherwise than its predecessor ends its replica" {
    begin_faulty "$no_point"
    apply pid >/dev/null
    group_wait_primary
    victim=$(((PRIMARY + 1) % 3))
    group_wait_field "$victim" commit_number "$(group_field "$PRIMARY" commit_number)"
    kill -KILL "$(app_pid "$victim")"
    [ "$(apply 5)" = 5 ]
    status=0
    group_wait "the end of replica $victim" group_never group_running "$victim"
    group_reap "$victim" || status=$?
    [ "$status" -eq 1 ]
    grep -q "gave another answer to op-number [0-9]* than before: it is not deterministic" \
        "replica-$victim.log"
    [ "$(apply 7)" = 12 ]
}

@test "a read that a process does not survive is refused, and the group goes on" {
    begin_faulty
    [ "$(apply 5)" = 5 ]
    echo stop >"$faults/query"
    run ask x
    if [ "$status" -ne 0 ]; then # else the primary's place was taken meanwhile
        [[ $output == *"the application did nothing for 1000 ms at this read" ]]
    fi
    [ "$(apply 7)" = 12 ]
    wait_state 12 x
}

@test "a question with the bytes of a call that is pending does not settle it" {
    # three times that it takes calls though it hears nobody
    begin_faulty "durability: memory" "view_change_ms: 2000"
    vstamp --session s call 1
    local i
    for i in 0 1 2; do ((i == PRIMARY)) || group_pause "$i"; done
    run -4 vstamp --session s --timeout 1 call 2
    for i in 0 1 2; do ((i == PRIMARY)) || group_cont "$i"; done
    vstamp --session s --timeout 20 call --read 2
    [[ $(vstamp --session s pending) == "s "*"call 2" ]]
    [ "$(vstamp --session s --timeout 20 call 2)" = 3 ]
    [ "$(vstamp --session s pending)" = "nothing is pending" ]
}

@test "a process ends with its replica, however that ends" {
    begin_faulty "durability: memory"
    local pids=()
    for i in 0 1 2; do pids[i]=$(app_pid "$i"); done
    group_stop 0
    group_kill 1
    group_signal 2 TERM
    group_reap 2
    for i in 0 1 2; do group_wait "the end of ${pids[i]}" group_never kill -0 "${pids[i]}"; done
    for i in 0 2; do grep -q "event=stopped" "replica-$i.log"; done
}

@test "a backup that cannot be loaded again is none" {
    begin "" "durability: memory" "app_exec: $build/tests/cli/faulty_app" "app_argument: $faults"
    [ "$(apply 5)" = 5 ]
    vstamp-admin backup copy | grep "^digest"
    echo exit >"$faults/start"
    group_fails 2 "vstamp-admin: lost: cannot be read back: *faulty_app ended with status 3*" \
        vstamp-admin backup lost
    group_never compgen -G 'lost*'
}

@test "a process has three descriptors and all signals, and what it says is in the log" {
    begin_faulty "durability: memory"
    [ "$(ls "/proc/$(app_pid 0)/fd" | tr '\n' ' ')" = "0 1 2 " ]
    # make(1) starts what it runs with two of the C library's own ignored, which nobody can change
    [ "$(grep -cE "^Sig(Blk:.0+|Ign:.0{7}[01][08]0{7})$" "/proc/$(app_pid 0)/status")" -eq 2 ]
    echo kill >"$faults/apply"
    [ "$(apply 5)" = 5 ]
    has_said() { cat replica-?.log | grep -q 'event=app-says line="about to kill"'; }
    group_wait "what it said" has_said
}

@test "what cannot be started is said" {
    start() { vstamp-replica --config "$VSTAMP_CONFIG" --index 0 "$@" 3>&-; }
    group_configure 1 "durability: memory" "app_timeout_ms: 500"
    group_fails 2 "*./missing ended with status 127; it said: cannot be executed: No such file*" \
        start --app-exec ./missing
    group_fails 2 "*true ended with status 0*" start --app-exec true
    group_fails 2 "*echo wrote 'here', which*standard error*" \
        start --app-exec echo --app-argument here
    group_fails 2 "*sleep did nothing for 2000 ms*" start --app-exec sleep --app-argument 5
    group_fails 2 "*--app and --app-exec*" start --app-exec true --app ./lib.so
    echo "app_exec: ./missing" >>"$VSTAMP_CONFIG"
    group_fails 2 "*./missing ended with status 127*" start
    vstamp-replica --config "$VSTAMP_CONFIG" --check --index 0 | grep "^replicates: .*./missing"
    echo "app: ./lib.so" >>"$VSTAMP_CONFIG"
    group_fails 2 "*app_exec and app are two applications*" start
}

#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A group moves to other members while it runs, and everybody finds it.

load group
load epochs
load fakes

teardown() {
    group_teardown
    fakes_teardown
}

# The first of that name in JSON on one line.
field() { grep -o "\"$1\":\"\?[^,\"}]*" <<<"$2" | head -n 1 | sed 's/.*:"\?//'; }

# Three replicas that are a group, as a.yaml says, with a key.
begin() {
    epochs_begin "$@"
    epochs_config a 0 1 2
    export VSTAMP_CONFIG=a.yaml
    epochs_start a 0 1 2
    vstamp --timeout 20 put k v
}

# begin_large N [LINE...]: the same, and what a new member has to fetch from three others takes it
# two seconds and more.
begin_large() {
    local i
    begin "$1" "transfer_mib_per_s: 1" "${@:2}"
    head -c 500000 /dev/urandom >value
    for i in {1..16}; do vstamp --timeout 20 put "v$i" - <value; done
}

@test "who was refused while it was blank is forgotten once it is in contact" {
    begin 4
    epochs_config b 0 1 3
    group_kill 0
    rm -r 0
    group_signal 1 STOP
    group_signal 2 STOP
    epochs_start a 0
    epochs_start b 3
    refused() { [[ $(group_field 3 refusal) == *"$(group_address 0): its configuration "* ]]; }
    group_wait "a refusal" refused
    group_signal 1 CONT
    group_signal 2 CONT
    group_wait "contact" grep "event=peer-connected peer=0" replica-3.log
    group_wait_field 3 refusal ""
}

@test "the plan: who stays, comes and goes, what is wrong; and nothing is changed by it" {
    local a answer other
    GROUP_HOST=127.0.0.1 # which has other names
    begin 5
    a=$(group_address 0)
    epochs_config b 2 1 3 4
    epochs_start b 3
    run vstamp-admin reconfigure b.yaml --dry-run
    [ "$status" -eq 1 ]
    [[ $output == "epoch 0 -> 1"* ]]
    [[ $output == *"   0  $(group_address 2)  stays  "*"was 2"* ]]
    [[ $output == *"+  2  $(group_address 3)  comes  "* ]]
    [[ $output == *"-  0  $a  goes"* ]]
    [[ $output == *"size 3 -> 4, quorum 2 -> 3, tolerates 1 -> 1 failures"* ]]
    [[ $output == *"NO  $(group_address 4) does not answer: Connection refused: start it first"* ]]
    [[ $output == *"warning: 4 replicas tolerate no more failures than 3"* ]]
    [[ $output == *"dry run: nothing changed" ]]
    group_fails 5 "*not possible as things are; nothing changed" \
        vstamp-admin reconfigure b.yaml --yes
    epochs_start b 4
    run vstamp-admin reconfigure b.yaml --dry-run
    [ "$status" -eq 0 ]
    answer=$(vstamp-admin --json reconfigure b.yaml --dry-run)
    [ "$(field possible "$answer")" = true ]
    [ "$(field outcome "$answer")" = dry-run ]
    [[ $answer == *'"may_be_switched_off":[]'* ]]
    # one replica by two names
    other=$(group_other_name)
    sed -e "s/$(group_address 1)/$other:$((GROUP_BASE + 1))/" \
        -e "s/$(group_address 3)/$other:$((GROUP_BASE + 3))/" b.yaml >names.yaml
    run vstamp-admin reconfigure names.yaml --dry-run
    [ "$status" -eq 1 ]
    for a in 1 3; do
        [[ $output == *"NO  $other:$((GROUP_BASE + a)) calls itself $(group_address "$a"): \
the new configuration must name it so"* ]]
    done
    group_fails 2 "*say --yes*" vstamp-admin reconfigure b.yaml </dev/null
    group_fails 2 "*name the configuration*" vstamp-admin reconfigure
    group_fails 2 "vstamp-admin: gone.yaml: No such file or directory: check the name" \
        vstamp-admin reconfigure gone.yaml
    # what there is nothing to do about has an object, too, and what cannot be done
    answer=$(vstamp-admin --json reconfigure a.yaml -n)
    [ "$(field outcome "$answer")" = already ]
    # nor is another key changed by it, which is said whether two files can be compared or not
    { cat a.yaml; echo "heartbeat_ms: 26"; } >keys.yaml
    [[ $(vstamp-admin reconfigure keys.yaml -n) == *"already
warning: not changed by this: heartbeat_ms: restart each replica"* ]]
    [[ $(vstamp-admin --config "$PWD/keys.yaml" reconfigure keys.yaml -n) == *"already
what else keys.yaml says counts for each replica from its next start on" ]]
    [[ $(vstamp-admin --json reconfigure keys.yaml -n) == *'"warnings":["not changed by this: '* ]]
    group_kill 4
    run bash -c 'vstamp-admin --json reconfigure b.yaml -y 2>/dev/null'
    [ "$status" -eq 5 ]
    [[ $output == *'"outcome":"refused",'*'"message":"not possible as things are; '* ]]
    run bash -c 'vstamp-admin --json reconfigure gone.yaml -y 2>/dev/null'
    [[ $output == '{"ok":false,"error":"config","outcome":"none","message":"gone.yaml: '* ]]
    epochs_wait 0 0 1 2
}

@test "one is replaced: the old one ends, clients and the old configuration find the group" {
    local answer
    begin 4
    vstamp --session s incr n
    epochs_config b 0 1 3
    epochs_start b 3
    run vstamp-admin reconfigure b.yaml --yes
    [ "$status" -eq 0 ]
    [[ $output == *"epoch 1 is running: 3 replicas, tolerates 1 failure"* ]]
    [[ $output == *"$(group_address 2) may be switched off"* ]]
    epochs_wait 1 0 1 3
    epochs_ended 2
    [ "$(vstamp get k)" = v ]
    [ "$(vstamp --session s incr n)" = 2 ]
    grep -q '"epoch": 1' s
    is_told() {
        run vstamp-admin -t 20 status
        [[ $output == "HEALTHY"*"epoch 1"* && $output == *"   2  $(group_address 3)  "*normal* ]]
    }
    group_wait "health" is_told
    [[ $output == *"   -  $(group_address 2)  "*"no member"* ]]
    answer=$(vstamp-admin -t 20 --json status)
    [[ $answer == *"{\"replica\":null,\"address\":\"$(group_address 2)\",\"reachable\":false"* ]]
    vstamp-admin backup copy
    # again: it is done already
    run vstamp-admin reconfigure b.yaml --yes
    [ "$status" -eq 0 ]
    [[ $output == "nothing to change: the group has these members already"* ]]
}

@test "what was replaced starts again with its old folder and file: it says so and ends well" {
    local status=0
    begin 5
    epochs_config b 0 1 3
    epochs_start b 3
    vstamp-admin reconfigure b.yaml --yes
    epochs_ended 2
    epochs_start_one a 2
    epochs_ended 2
    # one that was away since before, and comes back two epochs later
    group_kill 0
    epochs_config c 1 3 4
    epochs_start c 4
    vstamp-admin reconfigure c.yaml --yes
    epochs_start_one a 0
    epochs_ended 0
    epochs_wait 2 1 3 4
    [ "$(vstamp get k)" = v ]
}

@test "a plan that the group has left behind is not applied" {
    local status=0 pid
    group_need_terminal
    begin 4
    epochs_config b 0 1 3
    epochs_config c 0 1
    epochs_start b 3
    mkfifo answer
    script -qec "vstamp-admin reconfigure b.yaml" /dev/null <answer >out 2>&1 3>&- &
    pid=$!
    group_adopt "$pid"
    exec 5>answer
    group_wait "the question" grep -q "Apply?" out
    vstamp-admin reconfigure c.yaml --yes 5>&-
    echo y >&5
    exec 5>&-
    wait "$pid" || status=$?
    cat out
    [ "$status" -eq 3 ]
    grep -q "nothing changed: the group has moved to epoch 1 since the plan was made" out
    epochs_wait 1 0 1
}

@test "Ctrl-C at the question ends it by that signal, Ctrl-D is a no" {
    local status expected key=$'\003'
    group_need_terminal
    begin 4
    epochs_config b 0 1 3
    epochs_start b 3
    for expected in 130 1; do
        status=0
        mkfifo answer
        script -qec "vstamp-admin reconfigure b.yaml" /dev/null <answer >out 2>&1 3>&- &
        group_adopt $!
        exec 5>answer
        group_wait "the question" grep -q "Apply?" out
        printf %s "$key" >&5
        key=$'\004'
        wait $! || status=$?
        exec 5>&-
        rm answer
        cat out
        [ "$status" -eq "$expected" ]
        tail -n 1 out | grep -q "^nothing changed"
    done
    epochs_wait 0 0 1 2
}

@test "Ctrl-C detaches, and the change goes on; --progress shows it to its end" {
    local pid
    begin_large 4
    epochs_config b 0 1 3
    epochs_start b 3
    vstamp-admin reconfigure b.yaml --yes >out 2>&1 3>&- &
    pid=$!
    group_adopt "$pid"
    group_wait "it to be under way" grep -q "warming up" out
    kill -STOP "${GROUP_PIDS[3]}" # it does not end meanwhile
    kill -INT "$pid"
    wait "$pid" || [ $? -eq 130 ]
    grep -q "^detached: " out
    run vstamp-admin -t 20 status
    [[ $output == *"the members are being changed, to epoch 1: "* ]]
    vstamp-admin reconfigure --progress >progress 2>&1 3>&- &
    pid=$!
    group_adopt "$pid"
    group_wait "it to be shown again" grep -q "warming up" progress
    kill -CONT "${GROUP_PIDS[3]}"
    wait "$pid"
    grep -q "epoch 1 is running: 3 replicas" progress
    epochs_wait 1 0 1 3
    vstamp --timeout 20 get --raw v6 | cmp - value
    run vstamp-admin reconfigure --progress
    [[ $status -eq 0 && $output == "no change is under way: epoch 1, 3 replicas" ]]
    [[ $(vstamp-admin --json reconfigure --progress) == '{"epoch":1,"next_epoch":1,"members":['*\
'"outcome":"already","running_epoch":1,'* ]]
}

@test "a change that waits for its group is under way, not impossible" {
    local pid status=0
    begin_large 4 "view_change_ms: 60000"
    group_wait_primary
    epochs_config b 0 1 3
    epochs_start b 3
    vstamp-admin reconfigure b.yaml --yes >out 2>&1 3>&- &
    pid=$!
    group_adopt "$pid"
    group_wait "it to be under way" grep -q "warming up" out
    group_kill $(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))
    group_fails 4 "*the change does not get on, as the group does not serve: the primary, replica \
$PRIMARY, is in contact with 1 of the 2 replicas it needs: *" \
        vstamp-admin -t 1 reconfigure b.yaml --yes
    run bash -c 'vstamp-admin -t 1 --json reconfigure b.yaml --yes 2>/dev/null'
    [[ $output == *'"outcome":"unknown",'*'"may_be_switched_off":[],'*'"message":"the change '* ]]
    # nor does the one that asked for it say that nothing changed
    status=0
    wait "$pid" || status=$?
    cat out
    [ "$status" -eq 4 ]
    grep -q "^vstamp-admin: outcome unknown: .*: give the command again, it finds out" out
}

@test "two plans at the same time: the primary refuses the second, and the first goes on" {
    local pid asked second status=0
    group_need_terminal
    begin_large 5
    epochs_config b 0 1 3
    epochs_config c 0 1 4
    epochs_start b 3
    epochs_start c 4
    mkfifo answer
    script -qec "vstamp-admin reconfigure c.yaml" /dev/null <answer >asked 2>&1 3>&- &
    asked=$!
    group_adopt "$asked"
    exec 5>answer
    group_wait "the question" grep -q "Apply?" asked
    vstamp-admin reconfigure b.yaml --yes >out 2>&1 3>&- 5>&- &
    pid=$!
    group_adopt "$pid"
    group_wait "it to be under way" grep -q "warming up" out
    kill -STOP "${GROUP_PIDS[3]}"
    echo y >&5
    exec 5>&-
    wait "$asked" || status=$?
    cat asked
    [ "$status" -eq 5 ]
    grep -q "the primary refuses: another reconfiguration is under way" asked
    vstamp-admin reconfigure c.yaml --yes >second 2>&1 3>&- &
    second=$!
    group_adopt "$second"
    group_wait "the first to be waited for" grep -q "^to epoch 1: " second
    kill -CONT "${GROUP_PIDS[3]}"
    status=0
    wait "$second" || status=$?
    cat second
    [ "$status" -eq 5 ]
    grep -q "another change was under way, and has moved the group to epoch 1: " second
    wait "$pid"
    epochs_wait 1 0 1 3
    [ "$(group_field 4 group)" = 00000000000000000000000000000000 ]
    vstamp --timeout 20 get --raw v6 | cmp - value
}

@test "a new member that stands still is given up by the primary, and nothing has changed" {
    local i pid status=0
    begin_large 4
    # it is not to be over before it is seen
    for i in {11..30}; do vstamp --timeout 20 put "v$i" - <value; done
    epochs_config b 0 1 3
    epochs_start b 3
    vstamp-admin --json reconfigure b.yaml --yes >out 2>said 3>&- &
    pid=$!
    group_adopt "$pid"
    group_wait "it to be under way" grep -q "event=reconfiguration epoch=1 " replica-{0,1,2}.log
    group_pause 3
    wait "$pid" || status=$?
    cat out said
    [ "$status" -eq 5 ]
    [[ $(cat out) == *'"outcome":"refused","running_epoch":0,"may_be_switched_off":[],'* ]]
    grep -q "^vstamp-admin: the primary refuses: .*$(group_address 3)" said
    epochs_wait 0 0 1 2
}

@test "vstamp-admin is killed sooner or later, and run again: the group has moved once" {
    local ms=4 status=137 killed=0
    begin 4
    epochs_config b 0 1 3
    epochs_start b 3
    while ((status == 137)); do
        status=0
        timeout -s KILL "$((ms / 1000)).$(printf %03d $((ms % 1000)))" \
            vstamp-admin reconfigure b.yaml --yes >out 2>&1 || status=$?
        killed=$((killed + (status == 137)))
        ms=$((ms * 5 / 4 + 1))
    done
    cat out
    ((status == 0 && killed > 2))
    grep -q "^epoch 1 is running: 3 replicas" out
    epochs_wait 1 0 1 3
    epochs_ended 2
    [ "$(vstamp get k)" = v ]
}

@test "the primary dies while a new member fetches: the same command goes on with the next one" {
    local pid
    begin_large 4
    epochs_config b 0 1 2 3
    epochs_start b 3
    vstamp-admin reconfigure b.yaml --yes >out 2>&1 3>&- &
    pid=$!
    group_adopt "$pid"
    group_wait "it to be under way" grep -q "warming up" out
    group_wait_primary
    group_kill "$PRIMARY"
    wait "$pid"
    grep -q "^epoch 1 is running: 4 replicas" out
    epochs_start_one a "$PRIMARY"
    epochs_wait 1 0 1 2 3
    vstamp --timeout 20 get --raw v6 | cmp - value
}

@test "witnesses come and go with the epochs" {
    begin 5
    epochs_config b 0 1 2 3 4
    echo "witnesses: [3, 4]" >>b.yaml
    epochs_start b 3 4
    vstamp-admin reconfigure b.yaml --yes
    epochs_wait 1 0 1 2 3 4
    [ "$(group_field 3 role)" = witness ]
    epochs_config c 0 1 4
    echo "witnesses: [2]" >>c.yaml
    vstamp-admin reconfigure c.yaml --yes
    epochs_ended 2 3
    epochs_wait 2 0 1 4
    # one active replica and the witness serve
    group_kill 0
    vstamp --timeout 20 --config c.yaml put k w
    [ "$(vstamp --config c.yaml get k)" = w ]
}

# Resident memory of a replica, in kB.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/${GROUP_PIDS[$1]}/status"; }
is_small() { (($(resident "$1") < 16384)); }
is_large() { (($(resident "$1") > 32768)); }

@test "a member becomes a witness, and active again, in place" {
    local i
    begin 3 "state_bytes_max: 256MiB"
    head -c 524288 /dev/urandom >value
    for i in $(seq 70); do vstamp put "k$i" - <value; done # 35 MiB
    group_wait "it to have them" is_large 2
    epochs_config b 0 1 2
    echo "witnesses: [2]" >>b.yaml
    vstamp-admin reconfigure b.yaml --yes
    epochs_wait 1 0 1 2
    group_wait_field 2 role witness
    group_wait "its state to be given back" is_small 2
    group_wait_log 2 event=state-dropped
    # with it one active replica serves; what it was started with counts no more
    group_kill 0 2
    epochs_start a 0 2
    group_wait_field 2 role witness
    vstamp --timeout 20 put k w
    group_wait "it to be small after a start" is_small 2
    # it fetches the state while it is a witness still
    vstamp-admin reconfigure a.yaml --yes >out
    grep -q "no witness any more" out
    epochs_wait 2 0 1 2
    group_wait_field 2 role backup
    is_large 2
    group_kill 0
    vstamp-admin view-change --to 2 || true
    [ "$(vstamp --timeout 20 get k)" = w ]
    vstamp --timeout 20 get --raw k70 | cmp - value
    group_wait_log 2 event=fetched-checkpoint
}

@test "a group without a quorum is waited for as long as -t says, not for ever" {
    local pid status=0
    begin 3
    group_wait_primary
    group_kill $(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))
    group_fails 3 "*waiting for the group: *nothing changed, nor was there anything to change; but \
the group does not answer: *$(group_address "$PRIMARY"): no majority: it hears 1 of 3 replicas, \
itself included, and needs 2*" \
        vstamp-admin -t 1 reconfigure a.yaml --yes
    vstamp-admin -t 60 reconfigure a.yaml --yes >out 2>&1 3>&- &
    pid=$!
    group_adopt "$pid"
    group_wait "it to wait" grep -q "waiting for the group" out
    kill -TERM "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq 143 ]
    run cat out
    [[ $output != *committed* && $output != *detached* ]]
}

@test "a request of unknown outcome is settled by the members of a later epoch" {
    begin 5 "view_change_ms: 2000" # three times that 0 takes requests though it hears nobody
    vstamp --session s incr n
    group_kill 1 2
    group_fails 4 "*settle it with: vstamp resume s" vstamp --timeout 1 --session s incr n
    epochs_start a 1 2
    epochs_wait 0 0 1 2
    epochs_config b 2 3 4
    epochs_start b 3 4
    vstamp-admin reconfigure b.yaml --yes
    epochs_ended 0 1
    [ "$(vstamp resume s)" = 2 ]
    [ "$(vstamp get n)" = 2 ]
    # with none of its addresses left a client says which ones it asked
    epochs_config c 3 4
    vstamp-admin reconfigure c.yaml --yes
    epochs_ended 2
    group_fails 3 "*$(group_address 0): Connection refused; $(group_address 1): *" \
        vstamp --timeout 1 get n
    # and its session knows better
    [ "$(vstamp --session s get n)" = 2 ]
}

@test "shrinking, from a folder in memory too; and a group of one" {
    begin 3 "durability: memory"
    epochs_config b 1 2
    vstamp-admin reconfigure b.yaml --yes
    epochs_ended 0
    epochs_config c 2
    [[ $(vstamp-admin --json reconfigure c.yaml --yes) == *'"outcome":"done","running_epoch":2,'\
'"may_be_switched_off":["'"$(group_address 1)"'"],'* ]]
    epochs_ended 1
    epochs_wait 2 2
    [ "$(vstamp get k)" = v ]
}

@test "a new member with the state of another group is refused, and which one is said" {
    begin 6
    epochs_config other 3 4 5
    epochs_start other 3 4 5
    vstamp --timeout 20 --config other.yaml put x y
    epochs_config b 0 1 3
    run vstamp-admin reconfigure b.yaml --yes
    [ "$status" -eq 5 ]
    [[ $output == *"NO  $(group_address 3) holds the state of another group"* ]]
    epochs_wait 0 0 1 2
}

is_refused() { [[ $(group_field "$1" refusal) == "no contact with "* ]]; }

@test "a new member with other settings, or an older program, is found out by the plan" {
    local n program=$top_builddir/tests/cli/vstamp-replica-raised
    mkdir "$BATS_TEST_TMPDIR/later"
    ln -s "$program" "$BATS_TEST_TMPDIR/later/vstamp-replica"
    PATH="$BATS_TEST_TMPDIR/later:$PATH" begin 5
    n=$(group_field 0 protocol_newest)
    group_wait_field 0 protocol "$n"
    epochs_config b 0 1 3
    epochs_start b 3
    run vstamp-admin reconfigure b.yaml --dry-run
    [ "$status" -eq 1 ]
    [[ $output == *"NO  $(group_address 3) speaks no version of the protocol above $((n - 1))"* ]]
    epochs_config c 0 1 4
    cp c.yaml other.yaml
    echo "max_clients: 77" >>other.yaml
    epochs_start other 4
    group_wait "its refusal" is_refused 4
    run vstamp-admin reconfigure c.yaml --dry-run
    [ "$status" -eq 1 ]
    [[ $output == *"NO  $(group_address 4) has no contact with "*"max_clients is "* ]]
    epochs_wait 0 0 1 2
}

@test "a restart: the journal says who the group is, and whose the folder is" {
    begin 4
    epochs_config b 3 1 0
    epochs_start b 3
    vstamp-admin reconfigure b.yaml --yes
    epochs_ended 2
    # with the old file: what the journal says counts
    group_stop 1
    vstamp-admin journal 1/1 >out
    grep -q "^replica      1 of epoch 1, $(group_address 1)" out
    grep -q "^members      $(group_address 3), $(group_address 1), $(group_address 0)" out
    for n in 2 3 4 5; do vstamp-admin journal 1/1 show "$n"; done >out 2>&1 || true
    grep -q " reconfigure epoch 1: $(group_address 3) $(group_address 1) $(group_address 0)" out
    vstamp-replica --config a.yaml --index 1 --data-dir 1 --check >check
    grep -q "^its journal says that the group is another one, and that counts: epoch 1, " check
    epochs_start a 1
    grep -q "event=membership epoch=1 members=$(group_address 3)/" replica-1.log
    epochs_wait 1 0 1 3
    # with the new one, that gives it another index: the folder is that of the old index
    group_stop 0
    group_fails 2 "vstamp-replica: 0/2 is empty, and what belongs to $(group_address 0) is in \
0/0: the configuration gives it another index than before: mend the order \
of its replicas_addresses, or, if it is right, rename that to 0/2" \
        vstamp-replica --config b.yaml --index 2 --data-dir 0
    mv 0/0 0/2
    epochs_start b 0
    epochs_wait 1 0 1 3
    group_stop 0
    group_fails 2 "*0/2 belongs to the replica at $(group_address 0), and the configuration has \
$(group_address 2) at this index: *" vstamp-replica --config a.yaml --index 2 --data-dir 0
    vstamp-replica --config a.yaml --index 2 --data-dir 2 --check >check
    grep -q "^it was replaced in epoch 1 and is not needed any more" check
}

@test "a session that has moved is refused by a restored group, though its own still runs" {
    begin 5 "durability: disk"
    vstamp --session s put x 0
    vstamp --session unmoved put x 0
    epochs_wait 0 0 1 2
    epochs_config b 0 1 3
    epochs_start b 3
    vstamp-admin reconfigure b.yaml --yes
    epochs_ended 2
    vstamp --session s put x 1
    vstamp-admin backup copy
    epochs_config rest 4
    vstamp-admin -c rest.yaml restore copy
    vstamp-replica -c rest.yaml -i 0 </dev/null >replica-4.log 2>&1 3>&- &
    group_adopt $!
    group_wait "the restored group" vstamp -c rest.yaml get x
    cp s before
    group_fails 2 "vstamp: s: belongs to another group*" \
        vstamp -c rest.yaml --session s put only-in-rest 1
    group_fails 2 "*s: belongs to another group*" vstamp -c rest.yaml --session s get x
    group_fails 2 "*unmoved: belongs to another group*" \
        vstamp -c rest.yaml --session unmoved put only-in-rest 1
    group_fails 1 "*" vstamp get only-in-rest
    diff <(grep -v '"last"' before) <(grep -v '"last"' s)
    # where its group was, or is, leads to it, in another spelling too
    [ "$(vstamp -c a.yaml --session s get x)" = 1 ]
    [ "$(vstamp -c b.yaml --session s get x)" = 1 ]
    sed -i 's/127\.0\.0\.1/127.1/' b.yaml
    [ "$(vstamp -c b.yaml --session s put x 2)" = OK ]
    [ "$(vstamp -r "$(group_address 2)" --session s get x)" = 2 ]
}

@test "what is committed is found, and while it does not answer nobody may be switched off" {
    local i port staying first pid progress status=0
    cd "$BATS_TEST_TMPDIR"
    fakes_start 0 1 2 3=silent # which is where 0 is asked
    port=${FAKES_PORTS[3]}
    unset 'FAKES_PORTS[3]'
    fakes_configure
    sed -i "s/:10000$/:$port/" "$VSTAMP_CONFIG"
    sed "/:10002$/d; /:${FAKES_PORTS[2]}$/d" "$VSTAMP_CONFIG" >b.yaml
    # says EPOCH MEMBERS [FIELD]: what each of them does from now on
    says() {
        for i in 0 1 2; do
            fakes_status "$i" "$( ((i == 0)) && echo primary || echo backup)" |
                sed "s|:10000|:$port|; s|\"epoch\":0|\"group\":\"$(printf %032x 10)\",\
\"epoch\":$1,\"members\":\"$2\"${3:-}|" >said
            mv said "fake-$i/status"
        done
    }
    member() { echo "127.0.0.1:$1/127.0.0.1:${FAKES_PORTS[$2]}"; }
    staying=$(member "$port" 0),$(member 10001 1)
    says 0 "$staying,$(member 10002 2)"
    vstamp-admin --json reconfigure b.yaml --yes >out 2>complaint 3>&- &
    pid=$!
    group_adopt "$pid"
    # asking: where each connection to 0 comes from
    asking() {
        awk -v port=":$(printf %04X "$port")" '$2 ~ port && $4 == "01" { print $3 }' /proc/net/tcp
    }
    is_asked() { [ -n "$(asking)" ]; }
    group_wait "it to be asked" is_asked
    first=$(asking)
    says 0 "$staying,$(member 10002 2)" ',"reconfiguration":"to epoch 1: warming up"'
    vstamp-admin reconfigure --progress >progress 2>&1 3>&- &
    progress=$!
    group_adopt "$progress"
    group_wait "it to be under way" grep -qs "warming up" progress
    fakes_kill 2
    says 1 "$staying"
    both_ask_again() { [ "$(asking | grep -cvF "$first")" -eq 2 ]; }
    group_wait "the epoch to be asked" both_ask_again
    fakes_kill 0 # and nothing more is heard of it
    fakes_kill 1
    wait "$pid" || status=$?
    cat out complaint
    [ "$status" -eq 4 ]
    [[ $(cat complaint) == "vstamp-admin: epoch 1 is committed, but did not answer yet: \
127.0.0.1:$port: connected, but no answer: "*": switch no old replica off; look again: \
vstamp-admin reconfigure b.yaml" ]]
    [[ $(cat out) == *'"outcome":"unknown","running_epoch":1,"may_be_switched_off":[],'* ]]
    status=0
    wait "$progress" || status=$?
    cat progress
    [ "$status" -eq 4 ]
    grep -q "^vstamp-admin: epoch 1 is committed, but did not answer yet: .*: switch no old \
replica off; look again: vstamp-admin reconfigure --progress$" progress
}

#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What no honest program sends, thrown at the port: service goes on, memory stays.

load group

setup() {
    throw=${top_builddir:-.}/tests/cli/throw_frames
    group_start 3 "durability: memory" "max_connections: 256"
    group_wait_primary
}

teardown() { group_teardown; }

works() {
    vstamp --timeout 20 put k "$1"
    [ "$(vstamp --timeout 20 get k)" = "$1" ]
    for i in 0 1 2; do group_running "$i"; done
}

resident_kib() { awk '/^VmRSS:/ { print $2 }' "/proc/${GROUP_PIDS[$PRIMARY]}/status"; }

@test "bytes in pieces, and two frames in one write, are both understood" {
    "$throw" "$(group_address "$PRIMARY")" split 100
    "$throw" "$(group_address "$PRIMARY")" twice
}

@test "garbage, flipped bits, lying sizes: nothing ends, nothing grows" {
    local i before
    works first
    before=$(resident_kib)
    for i in 0 1 2; do
        "$throw" "$(group_address "$i")" garbage 200
        "$throw" "$(group_address "$i")" flipped
        "$throw" "$(group_address "$i")" lying
    done
    works afterwards
    [ "$(resident_kib)" -lt $((before + 16384)) ]
}

# fullest INDEX: the most that it read in one turn.
fullest() { group_http "$1" /metrics | awk '$1 == "vstamp_fullest_turn_bytes" { print $2 }'; }

# is_beyond OP: the primary has gone on to it.
is_beyond() { (($(group_field "$PRIMARY" op_number) > $1)); }

@test "what came while a replica was kept from running is worked off in small turns" {
    local backup=$(((PRIMARY + 1) % 3)) load
    vstamp bench -n 256 --connections 16 -d 100 >/dev/null 2>&1 3>&- &
    load=$!
    group_adopt "$load"
    group_wait "the load" is_beyond 100
    group_pause "$backup"
    group_wait "more than a turn may take" is_beyond $(($(group_field "$PRIMARY" op_number) + 200))
    group_cont "$backup"
    kill "$load"
    wait "$load" || true
    group_wait_agree
    echo "# $(fullest "$backup") bytes" >&3
    (($(fullest "$backup") >= 256 << 10)) # there was more
    (($(fullest "$backup") <= (256 + 64) << 10))
}

@test "another version, another configuration: refused with a line for each that says so" {
    local log=$BATS_TEST_TMPDIR/replica-0.log
    "$throw" "$(group_address 0)" version
    "$throw" "$(group_address 0)" stranger
    group_wait_log 0 "event=other-version"
    are_refused() {
        [ "$(grep -c 'event=peer-refused .*durability is t?pe at a:1' "$log")" -eq 4 ]
    }
    group_wait "four to be refused" are_refused
    [[ $(group_field 0 refusal) == *"durability is t?pe at a:1"* ]]
    # the real peers were not thrown out
    group_never grep -q 'event=peer-disconnected' "$log"
    works anyway
}

@test "who says that it is at our own address is refused" {
    "$throw" "$(group_address 0)" self
    group_wait_log 0 "event=peer-refused .*reason=\"it claims our own address"
    works anyway
}

@test "a replica of a release that speaks no version of ours is refused in words" {
    local log=$BATS_TEST_TMPDIR/replica-0.log n
    n=$(group_field 0 protocol_newest)
    "$throw" "$(group_address 0)" releases
    said() {
        grep -q "peer-refused peer=$1 .*$(group_address 0) speaks versions [0-9]* to $n of the \
protocol, the one at a:1 $2: upgrade the older one by way of a release that speaks both" "$log"
    }
    group_wait "what came before" said 3 "1 to [0-9]*"
    group_wait "what comes later" said 4 "$((n + 1)) to $((n + 2))"
}

# hold PORT KIND N: throw_frames holds so many connections there, until let_go.
hold() {
    rm -f "$BATS_TEST_TMPDIR/held" "$BATS_TEST_TMPDIR/held.out"
    mkfifo "$BATS_TEST_TMPDIR/held"
    "$throw" "$@" <"$BATS_TEST_TMPDIR/held" >"$BATS_TEST_TMPDIR/held.out" 3>&- &
    HOLDER=$!
    group_adopt "$HOLDER"
    exec {held}>"$BATS_TEST_TMPDIR/held"
    group_wait "all to be connected" grep -q ready "$BATS_TEST_TMPDIR/held.out"
}

let_go() {
    exec {held}>&-
    wait "$HOLDER"
}

@test "a thousand idle connections, and half frames: service goes on" {
    local kind before began=$SECONDS
    works first
    before=$(resident_kib)
    for kind in idle half; do
        hold "$(group_address "$PRIMARY")" "$kind" 1000
        works "$kind"
        let_go
    done
    [ "$(resident_kib)" -lt $((before + 16384)) ]
    # one line in ten seconds
    [ "$(grep -c 'event=connections-full' "$BATS_TEST_TMPDIR/replica-$PRIMARY.log")" -le \
        $(((SECONDS - began) / 10 + 2)) ]
}

# connected: how many connections there are to the primary.
# The last replica has none from the others: it connects to them.
connected() {
    grep -c ":$(printf %04X $((GROUP_BASE + PRIMARY))) [0-9A-F:]* 01 " /proc/net/tcp || true
}
are_connected() { (($(connected) >= $1)); }
has_heard() { (($(group_field "$PRIMARY" requests) >= $1)); }
clients_are() { group_http "$PRIMARY" /metrics | grep -q "^vstamp_client_connections $1"$'\r*$'; }
has_committed() { (($(group_field "$PRIMARY" commit_number) > 0)); }
have_answers() { [ "$(cat "$BATS_TEST_TMPDIR"/answer-* | wc -l)" -eq "$1" ]; }
refused=": as many clients are connected as max_connections allows, 16"
metric() { group_http "$PRIMARY" /metrics | awk -v name="$1" '$1 == name { print $2 }'; }

# idle_connections: to replica 0, over which the system asks now and then whether somebody is there.
idle_connections() {
    awk -v port=":$(printf %04X "$GROUP_BASE")$" \
        '$2 ~ port && $4 == "01" && $6 ~ /^02:/' /proc/net/tcp | wc -l
}

@test "half a request, or none, is not waited for; over a connection that is idle it is asked" {
    local library kind
    library=$(cd "${top_builddir:?}" && pwd)/tests/cli/.libs/fast_clock.so
    LD_PRELOAD=$library vstamp-replica --version || skip "LD_PRELOAD does not work here"
    is_asked() { (($(idle_connections) >= 5)); }
    hold "$(group_address 0)" idle 5
    group_wait "the system to ask" is_asked
    let_go
    group_teardown
    PRIMARY=0
    GROUP_RUN="env LD_PRELOAD=$library" group_start 1 "durability: memory"
    for kind in idle half; do
        hold "$(group_address 0)" "$kind" 5
        group_wait "them to be closed" group_never are_connected 1
        let_go
    done
    group_never "$throw" "$(group_address 0)" split 100000 # byte by byte, none of them late
}

@test "who waits for an answer is not closed to make room; who has it may be" {
    local before backups log i gate
    group_teardown
    group_start 3 "durability: memory" "max_connections: 16" "view_change_ms: 60000"
    group_wait_primary
    log=$BATS_TEST_TMPDIR/replica-$PRIMARY.log
    backups="$(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))"
    before=$(connected)
    mkfifo "$BATS_TEST_TMPDIR/gate"
    exec {gate}<>"$BATS_TEST_TMPDIR/gate"
    for i in $backups; do group_pause "$i"; done
    for i in {1..16}; do
        vstamp --timeout 60 shell < <(exec {gate}>&-; echo "incr n"; cat "$BATS_TEST_TMPDIR/gate") \
            {gate}>&- >"$BATS_TEST_TMPDIR/answer-$i" 2>&1 3>&- &
        group_adopt $!
    done
    group_wait "all to be connected" are_connected $((before + 16))
    group_wait "all to have asked, again and again" has_heard 64
    group_fails 3 "vstamp: no answer in 1.0 s: *$refused*: try again" vstamp --timeout 1 get k
    grep -q "level=warn .*event=connections-full max=16 evicted=0 refused=1 " "$log"
    for i in $backups; do group_cont "$i"; done
    group_wait "all answers" have_answers 16
    [ "$(cat "$BATS_TEST_TMPDIR"/answer-* | sort -n | tail -n 1)" -eq 16 ]
    [ "$(metric vstamp_client_connections_evicted_total)" -eq 0 ]
    works anyway # once one of them was idle for a second
    [ "$(metric vstamp_client_connections_evicted_total)" -gt 0 ]
    exec {gate}>&-
}

is_answered() { (($(group_field "$PRIMARY" commit_number) > $1)); }

@test "those who are in use keep their places: one more is told, and a replica gets in" {
    local load backup
    group_teardown
    group_start 3 "durability: memory" "max_connections: 16"
    group_wait_primary
    backup=$(((PRIMARY + 1) % 3))
    vstamp bench -n 16 --connections 16 -d 100 >/dev/null 2>&1 3>&- &
    load=$!
    group_adopt "$load"
    group_wait "the load" is_answered 100
    group_fails 3 "vstamp: no answer in 1.0 s: *$refused*: the operation did not and will not run: \
try again" vstamp --timeout 1 put k v
    group_fails 3 "vstamp-admin: *$refused*" vstamp-admin -t 1 backup "$BATS_TEST_TMPDIR/copy"
    group_kill "$backup"
    group_start_one "$backup"
    group_wait_field "$backup" status normal
    kill -0 "$load"
    [ "$(metric vstamp_client_connections_evicted_total)" -eq 0 ]
    (($(metric vstamp_client_connections_refused_total) > 3))
    kill "$load"
    wait "$load" || true
    works again
}

# has_come FD: something that can be read.
has_come() { IFS= read -r -t 0.05 -N 1 -u "$1"; }

@test "whoever comes after one that has gone is not sent its answer" {
    local backups i fd fds=()
    group_teardown
    group_start 3 "durability: memory" "max_connections: 16" "view_change_ms: 60000"
    group_wait_primary
    backups="$(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))"
    for i in $backups; do group_pause "$i"; done
    vstamp --timeout 60 put k v >/dev/null 2>&1 3>&- &
    group_adopt $!
    group_wait "it to have asked" has_heard 1
    kill -KILL $!
    group_wait "it to be gone" clients_are 0
    for i in {1..16}; do # in all places that there are
        exec {fd}<>"/dev/tcp/$GROUP_HOST/$((GROUP_BASE + PRIMARY))"
        fds+=("$fd")
    done
    group_wait "all to be connected" clients_are 16
    for i in $backups; do group_cont "$i"; done
    group_wait "the answer" has_committed
    for fd in "${fds[@]}"; do group_never has_come "$fd"; done
    for fd in "${fds[@]}"; do exec {fd}>&-; done
}

@test "as many connections as there may be leave descriptors for files" {
    local backup=$(((PRIMARY + 1) % 3)) fd fds=() limit=394 i
    group_kill "$backup"
    GROUP_RUN="prlimit --nofile=$limit" group_start_one "$backup"
    group_wait_agree
    hold "$(group_address "$backup")" idle 300
    for i in {1..200}; do
        exec {fd}<>"/dev/tcp/$GROUP_HOST/$((GROUP_BASE + 3 + backup))"
        fds+=("$fd")
    done
    works anyway
    i=$(ls "/proc/${GROUP_PIDS[$backup]}/fd" | wc -l)
    echo "# $i descriptors of $limit" >&3
    [ "$i" -lt $((limit - 24)) ]
    for fd in "${fds[@]}"; do exec {fd}>&-; done
}

@test "a connection for which there is no memory is not the last" {
    group_teardown
    group_start 1 "durability: memory"
    # what is as large as the highest descriptor need not grow later
    hold "$(group_address 0)" idle 550
    let_go
    prlimit --pid "${GROUP_PIDS[0]}" --as=1:
    hold "$(group_address 0)" idle 950
    let_go
    prlimit --pid "${GROUP_PIDS[0]}" --as=unlimited:
    vstamp --timeout 20 put k v
}

@test "a backup that does not read holds neither the group nor memory" {
    local i dropped slow value=$BATS_TEST_TMPDIR/value
    group_teardown
    group_start 3 "durability: memory" "view_change_ms: 60000" # one primary sends it all
    group_wait_primary
    slow=$(((PRIMARY + 1) % 3))
    head -c 500000 /dev/urandom >"$value"
    group_pause "$slow"
    for i in $(seq 50); do vstamp --timeout 20 put "k$((i % 2))" - <"$value" >/dev/null; done
    # of 25 MB that were sent to it, at most 16 MiB wait; the log and the state are small
    dropped=$(group_http "$PRIMARY" /metrics |
        sed -n "s/^vstamp_peer_frames_dropped_total{peer=\"$slow\"} //p")
    [ "$dropped" -gt 5 ]
    [ "$(resident_kib)" -lt $((150 * 1024)) ]
    group_cont "$slow"
    group_wait_agree
    vstamp --timeout 20 get --raw k1 | cmp - "$value"
}

has_read() { (($(group_field "$PRIMARY" reads) >= $1)); }

@test "answers that are not read wait, as many as there is room for" {
    local backups heard i read status=0
    group_teardown
    group_start 3 "durability: memory" "view_change_ms: 60000" # one primary has it all
    group_wait_primary
    backups="$(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))"
    head -c 500000 /dev/urandom | vstamp --timeout 20 put k -

    read=$(group_field "$PRIMARY" reads)
    hold "$(group_address "$PRIMARY")" unread 40 # more than one may have, and less than all
    group_wait "all to be answered" has_read $((read + 40))
    vstamp --timeout 20 put l others-are-served
    let_go

    read=$(group_field "$PRIMARY" reads) heard=$(group_field "$PRIMARY" requests)
    for i in $backups; do group_pause "$i"; done
    hold "$(group_address "$PRIMARY")" unread 120 # more than all may have
    group_wait "all to be asked" has_heard $((heard + 120))
    for i in $backups; do group_cont "$i"; done
    group_wait "all to be answered" has_read $((read + 120))
    let_go || status=$?
    [ "$status" -eq 3 ]
    works anyway
}

@test "a backup of another list of replicas is refused with a clear line on both sides" {
    group_kill 2
    local other=$BATS_TEST_TMPDIR/other.yaml
    sed "s/:$((GROUP_BASE + 1))\$/:$((GROUP_BASE + 6))/" "$VSTAMP_CONFIG" >"$other"
    VSTAMP_CONFIG=$other group_start_one 2
    group_wait_log 0 'event=peer-refused peer=2 .*configuration differs'
    group_wait_log 2 'event=peer-refused peer=0 .*configuration differs'
    run vstamp-admin -t 20 status
    [[ $output == *"replica 2 ("*"; no contact with the replica at "*": "*"its configuration \
differs from ours in replicas_addresses"* ]]
}

@test "of another configuration the key is named that differs, and what both say" {
    group_kill 2
    local other=$BATS_TEST_TMPDIR/other.yaml
    (cat "$VSTAMP_CONFIG" && echo "max_clients: 77") >"$other"
    local at0 at2
    at0="at $(group_address 0)" at2="at $(group_address 2)"
    VSTAMP_CONFIG=$other group_start_one 2
    group_wait_log 0 "peer-refused .*max_clients is 77 $at2 and [0-9]* $at0: all replicas need"
    group_wait_log 2 "peer-refused .*max_clients is [0-9]* $at0 and 77 $at2: all replicas need"
    run vstamp-admin -t 20 status
    [[ $output == *"replica 2 ("*"; no contact with "*": max_clients is "*" and 77 $at2"* ]]
}

@test "a new replica whose configuration names one of another group says so" {
    local other=$BATS_TEST_TMPDIR/other.yaml
    group_wait_agree
    printf 'durability: memory\nreplicas_addresses: ["127.0.0.1:%d", "127.0.0.1:%d", "%s"]\n' \
        $((GROUP_BASE + 6)) $((GROUP_BASE + 7)) "$(group_address 0)" >"$other"
    group_kill 2
    GROUP_INDEX[2]=1
    VSTAMP_CONFIG=$other group_start_one 2
    group_wait_log 2 "event=no-member epoch=0 address=$(group_address 0) hint=.*mend replicas_addr"
    works anyway
}

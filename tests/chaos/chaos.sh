#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Real daemons under real faults: groups of vstamp-replica that are killed, stopped, wiped, torn
# apart and given bad disks and clocks while clients write and read, whose history must be a
# possible one (load.c, verdict.c).  When the faults stop, the group must serve again, and all
# replicas must agree.
#
#   chaos.sh FOLDER-OF-THE-PROGRAMS
#
# From the environment:
#   CHAOS_SECONDS   of faults, all groups together; 180
#   CHAOS_SEED      of what is drawn: which fault, on whom, for how long; a new one.  When it
#                   strikes is up to the machine, so a seed repeats a plan, not a run
#   CHAOS_NEMESES   which, of the list below, with commas; all
#   CHAOS_GROUPS    DURABILITY:REPLICAS[:WITNESSES]...; memory:3 disk:3 memory:5 disk:5 disk:3:1
#                   memory:5:2
#
# As root each replica and each half of the clients has a network namespace of its own, on a switch
# that loses and delays frames (net_switch.c), and there are small file systems that fill up, all in
# a mount namespace that leaves nothing behind.  Elsewhere the group is on the loopback, and what
# needs that is skipped.
#
# Every kill is a loss of power: with durability: disk, what was written and not synced is gone, or
# torn (disk_faults.c).  What the protocol does not promise to survive is not done: never more than
# f replicas are without their state at a time; without disks nobody dies while the members change.
#
# A change of members is asked for until it is done, whatever else goes on.  Replica 0 stays, as
# clients that begin anew look for the group there.  There are two replicas that wait to be members.
#
# What this does not do: overtaking and repeated frames, which TCP hides from the daemons but for
# the delay; a lost rename or removal of a file; bad sectors (tests/sim has them).
set -u

# NAME:what it does
nemeses=(
    "kill:kill -9 of one, the primary, a minority, or all; memory: at most f without state"
    "power:kill -9 of a majority while their disks take long to sync"
    "term:SIGTERM to one, which hands over, and must end with status 0"
    "stop:SIGSTOP of the same, SIGCONT later"
    "wipe:kill -9 of one, which comes back with an empty folder"
    "eio:a disk whose writes or syncs fail"
    "full:a disk without room"
    "slow:a disk that takes half a second for each sync"
    "clock:clocks of the day that jump or run fast"
    "client:kill -9 of a client with its request under way"
    "partition:halves, an island, a bridge; clients on either side"
    "shift:an island that moves before the others have settled"
    "oneway:packets, or messages only, lost in one direction, from or to replicas or clients"
    "loss:frames lost and repeated at random"
    "delay:frames late, overtaking one another"
    "change:other members, more, fewer, or in other parts, by vstamp-admin reconfigure"
)

programs=$(cd "${1:?the folder of the programs}" && pwd) || exit 2
here=$(cd "$(dirname "$0")" && pwd)
PATH=$programs:$programs/tests/chaos:$PATH:/usr/sbin:/sbin
seconds=${CHAOS_SECONDS:-180}
seed=${CHAOS_SEED:-$((($(date +%s) * 31 + $$) % 32768))}
groups=${CHAOS_GROUPS:-memory:3 disk:3 memory:5 disk:5 disk:3:1 memory:5:2}
serve_ms=20000
n_clients=8
tmpfs_size=160m
preload=$programs/tests/chaos/.libs/disk_faults.so
export GROUP_OPTIONS="--journal-io thread" # a write through a ring passes by disk_faults.c

# --- a room of our own ----------------------------------------------------------------------------

# In a mount namespace /run is ours, so the names of network namespaces are, too.
if ((EUID == 0)) && [[ -z ${CHAOS_PRIVATE:-} ]]; then
    # shellcheck disable=SC2016 # it is for the inner shell
    if why=$(unshare --mount --propagation private bash -c \
        'PATH=$PATH:/usr/sbin:/sbin; mount -t tmpfs run /run && ip netns add try &&
            exec 9<>/dev/net/tun' 2>&1); then
        CHAOS_PRIVATE=yes exec unshare --mount --propagation private bash "$0" "$@"
    fi
fi
if [[ -n ${CHAOS_PRIVATE:-} ]]; then
    mount -t tmpfs run /run || exit 2
else
    why=${why:-network namespaces need root}
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/vstamp-chaos.XXXXXX") || exit 2
# shellcheck source=tests/cli/group.bash
. "$here/../cli/group.bash"
# shellcheck source=tests/cli/epochs.bash
. "$here/../cli/epochs.bash"
# shellcheck source=tests/chaos/members.bash
. "$here/members.bash"

# shellcheck disable=SC2317 # reached by the trap
leave() {
    local mounted
    set +e
    exec 3>&- 4>&-
    group_teardown 2>/dev/null
    for mounted in "$folder"/*/data/*; do
        mountpoint -q "$mounted" && umount -l "$mounted"
    done
    [[ -n ${failed:-} ]] || rm -rf "$folder"
}
trap leave EXIT
trap 'exit 130' INT TERM HUP

# --- what is drawn and what is said ---------------------------------------------------------------

# draw LEAST MOST: sets DRAWN.  (Not by a subshell, which would draw the same again and again.)
draw() { DRAWN=$(($1 + (RANDOM << 15 | RANDOM) % ($2 - $1 + 1))); }

# one_in N: true once in N times.
one_in() {
    draw 1 "$1"
    ((DRAWN == 1))
}

rest_ms() { # LEAST MOST
    draw "$1" "$2"
    sleep "$((DRAWN / 1000)).$(printf %03d $((DRAWN % 1000)))"
}

# note WHAT...: into the log of the faults, by the clock of the history (seconds here).
note() {
    local up
    read -r up _ </proc/uptime
    echo "$up $*" >>"$BATS_TEST_TMPDIR/faults"
}

wrong() {
    failed=yes
    note "WRONG: $*"
    echo "chaos: $*" >&2
}

# --- whom to strike -------------------------------------------------------------------------------

# Of each replica: which nemesis has it (busy; or it is not needed: spare), and whether it is
# without its state (lost).
busy=() lost=()
declare -A active=() victims=() strikes=()

n_lost() {
    local i n=0
    for ((i = 0; i < GROUP_SIZE; i++)); do [[ -z ${lost[i]:-} ]] || n=$((n + 1)); done
    echo "$n"
}

# A replica that was without state has it again when it is normal.
forget_recovered() {
    local i
    for ((i = 0; i < GROUP_SIZE; i++)); do
        if [[ -n ${lost[i]:-} && -z ${busy[i]:-} ]] && group_is "$i" status normal; then
            lost[i]=
            note "replica $i has its state again"
        fi
    done
}

# Sets FREE to the replicas that nobody has, or to all that run, in a drawn order.
find_free() { # [all]
    local i
    FREE=()
    for ((i = 0; i < GROUP_SIZE; i++)); do
        [[ -z ${busy[i]:-} || (-n ${1:-} && ${busy[i]} != spare) ]] || continue
        draw 0 ${#FREE[@]}
        FREE=("${FREE[@]:0:DRAWN}" "$i" "${FREE[@]:DRAWN}")
    done
}

# The replica that takes itself for the primary, as far as we can ask; sets PRIMARY.
find_primary() {
    local i
    for i in "${FREE[@]}"; do
        PRIMARY=$i
        [[ -n ${busy[i]:-} ]] || ! group_is "$i" role primary || return 0
    done
    return 1
}

# Puts the primary, if there is one, at the front of FREE.
primary_first() {
    local i others=()
    find_primary || return 0
    for i in "${FREE[@]}"; do ((i == PRIMARY)) || others+=("$i"); done
    FREE=("$PRIMARY" "${others[@]}")
}

# take NEMESIS MOST: one, the primary, a minority or all, at most MOST; sets victims[NEMESIS].
take() {
    local name=$1 most=$2 n=1 i chosen
    find_free
    ((most > 0 && ${#FREE[@]} > 0)) || return 1
    draw 1 6
    case $DRAWN in
    1 | 2) chosen=("${FREE[0]}") ;;
    3 | 4) primary_first && chosen=("${FREE[0]}") ;;
    5) n=$(((${#members[@]} - 1) / 2)) chosen=("${FREE[@]:0:n}") ;;
    6) chosen=("${FREE[@]}") ;;
    esac
    chosen=("${chosen[@]:0:most}")
    for i in "${chosen[@]}"; do busy[i]=$name; done
    victims[$name]=${chosen[*]}
}

give_back() { # NEMESIS
    local i
    for i in ${victims[$1]}; do busy[i]=; done
}

# start I: with its disk, and the configuration that it began with.
start() { group_start_one "$1" --data-dir "$BATS_TEST_TMPDIR/data/$1"; }

# restart I: after it ended by itself, which it may only do because a disk was made to fail, or
# because it was replaced.
restart() {
    local status=0 log=$BATS_TEST_TMPDIR/replica-$1.log
    group_reap "$1" 2>/dev/null || status=$?
    if ((status == 0)) && ! is_among "$1" "${next[@]}" &&
        tail -n 1 "$log" | grep -q 'event=stopped reason="replaced in epoch'; then
        note "replica $1 was replaced"
        set_aside "$1"
    elif ((status == 1 && ${strikes[eio]:-0} + ${strikes[full]:-0} > 0)) &&
        awk '/ event=listening / { failed = 0 }
            / event=disk-failed / { failed = 1 } END { exit !failed }' "$log"; then
        note "replica $1 starts again after its disk failed"
        start "$1"
    else
        wrong "replica $1 ended by itself with status $status: $(tail -n 1 "$log")"
        busy[$1]=dead
    fi
}

# An error of a disk that was just mended may end its replica just after.
check_running() {
    local i
    for ((i = 0; i < GROUP_SIZE; i++)); do
        [[ -n ${busy[i]:-} ]] || group_running "$i" || restart "$i"
    done
}

# --- the nemeses: begin_NAME fails when it can't strike now ---------------------------------------

# A witness that is short of room drops what an active replica may lack.  Then the group bears the
# loss of less, so with witnesses only a healthy one loses anything.
bears_loss() { [[ -z ${witnesses[*]} ]] || $ask vstamp-admin health >/dev/null; }

# How many processes may end: with their memory, the state is gone.
most_ended() {
    if [[ $durability == disk ]]; then
        echo "$GROUP_SIZE"
    elif is_changing || ! bears_loss; then
        echo 0
    else
        echo $(((${#members[@]} - 1) / 2 - $(n_lost)))
    fi
}
note_ended() { # NEMESIS
    local i
    [[ $durability == memory ]] || return 0
    for i in ${victims[$1]}; do lost[i]=yes; done
}

begin_kill() {
    take kill "$(most_ended)" || return 1
    # shellcheck disable=SC2086
    group_kill ${victims[kill]}
    note_ended kill
}
end_kill() {
    local i
    for i in ${victims[kill]}; do start "$i"; done
    give_back kill
}

# switch_on FAULT I...: of disk_faults.c.
switch_on() {
    local i
    for i in "${@:2}"; do touch "$BATS_TEST_TMPDIR/faults-$i/$1"; done
}
switch_off() { rm -f "$BATS_TEST_TMPDIR"/faults-*/"$1"; }

begin_power() {
    local i
    [[ $durability == disk ]] && find_free && ((2 * ${#FREE[@]} > ${#members[@]})) || return 1
    victims[power]=${FREE[*]}
    switch_on slow "${FREE[@]}"
    if one_in 2 && find_primary; then # in the middle of a view change
        group_kill "$PRIMARY"
        rest_ms 200 1000
    else
        rest_ms 50 500
    fi
    group_kill "${FREE[@]}"
    switch_off slow
    for i in "${FREE[@]}"; do busy[i]=power; done
}
end_power() {
    local i
    for i in ${victims[power]}; do start "$i"; done
    give_back power
}

begin_term() {
    (($(most_ended) > 0)) && take term 1 || return 1
    group_signal "${victims[term]}" TERM
    note_ended term
}
end_term() {
    local i=${victims[term]} status=0
    GROUP_DEADLINE=10 group_wait "the end of replica $i" group_never group_running "$i" ||
        group_kill "$i"
    group_reap "$i" 2>/dev/null || status=$?
    ((status == 0)) || wrong "replica $i ended with status $status on SIGTERM"
    start "$i"
    give_back term
}

begin_stop() {
    local i
    take stop "$GROUP_SIZE" || return 1
    for i in ${victims[stop]}; do group_pause "$i"; done
}
end_stop() {
    local i
    for i in ${victims[stop]}; do group_cont "$i"; done
    give_back stop
}

begin_wipe() {
    [[ $durability == disk ]] && (($(n_lost) == 0)) && ! is_changing && bears_loss &&
        take wipe 1 || return 1
    group_kill "${victims[wipe]}"
    rm -rf "$BATS_TEST_TMPDIR/data/${victims[wipe]:?}"/*
    lost[victims[wipe]]=yes
    configure "${victims[wipe]}"
}
end_wipe() {
    start "${victims[wipe]}"
    give_back wipe
}

begin_eio() {
    local what=eio-sync
    [[ $durability == disk ]] && take eio "$GROUP_SIZE" || return 1
    ! one_in 2 || what=eio-write
    # shellcheck disable=SC2086
    switch_on "$what" ${victims[eio]}
}
end_eio() {
    switch_off eio-sync
    switch_off eio-write
    give_back eio
    check_running
}

# Other nemeses may strike the same replica meanwhile: what is slowly synced is the more to lose.
begin_slow() {
    [[ $durability == disk ]] && find_free all || return 1
    if one_in 2; then draw 1 "$GROUP_SIZE"; else DRAWN=$GROUP_SIZE; fi
    switch_on slow "${FREE[@]:0:DRAWN}"
    victims[slow]=${FREE[*]:0:DRAWN}
}
end_slow() { switch_off slow; }

begin_full() {
    local i
    [[ $durability == disk ]] && take full "$GROUP_SIZE" || return 1
    for i in ${victims[full]}; do
        head -c "$tmpfs_size" /dev/zero >"$BATS_TEST_TMPDIR/data/$i/ballast" 2>/dev/null || true
    done
}
end_full() {
    rm -f "$BATS_TEST_TMPDIR"/data/*/ballast
    give_back full
    check_running
}

# Disks that say that they have synced, and show what was written for as long as there is power:
# then it is gone.  That vstamp cannot survive, and cannot notice where the journal just ends
# earlier.  Not among the nemeses by default; it is to show that the verdict bites.
begin_lie() {
    local i data
    [[ $durability == disk && -z ${active[*]} ]] || return 1
    find_free
    for i in "${FREE[@]}"; do group_pause "$i"; done
    for i in "${FREE[@]}"; do
        data=$BATS_TEST_TMPDIR/data/$i/${GROUP_INDEX[i]}
        mkdir -p "$data.stable"
        cp --sparse=always "$data"/journal-* "$data.stable"
    done
    for i in "${FREE[@]}"; do group_cont "$i"; done
    sleep 1
    group_kill "${FREE[@]}"
    for i in "${FREE[@]}"; do
        data=$BATS_TEST_TMPDIR/data/$i/${GROUP_INDEX[i]}
        rm "$data"/journal-*
        mv "$data.stable"/* "$data"
        start "$i"
    done
}
end_lie() { :; }

begin_clock() {
    local i shifts=("+3600" "-3600" "+30" "-30" "+2y" "-2y" "+0 x2.0" "+0 x0.5" "+0 x20.0")
    for ((i = 0; i < GROUP_SIZE; i++)); do
        one_in 2 || continue
        draw 0 $((${#shifts[@]} - 1))
        echo "${shifts[DRAWN]}" >"$BATS_TEST_TMPDIR/faults-$i/clock"
    done
}
end_clock() {
    local i
    for ((i = 0; i < GROUP_SIZE; i++)); do echo +0 >"$BATS_TEST_TMPDIR/faults-$i/clock"; done
}

begin_client() { kill -0 "$load" 2>/dev/null && echo kill >&3; }
end_client() { :; }

# cut packets|messages FROM TO, by ports of the switch: the replicas', then those of the clients.
cut() {
    echo "block $1 $2 $3" >&4
    note "  $1 from $2 to $3 are lost"
}
cut_both() {
    cut packets "$1" "$2"
    cut packets "$2" "$1"
}

# One of the nemeses of the network at a time.
network_is_free() {
    local name
    for name in partition shift oneway loss delay; do [[ -z ${active[$name]:-} ]] || return 1; done
    find_free all
}

begin_partition() {
    local i j port n bridge=
    network_is_free || return 1
    n=$(((${#FREE[@]} - 1) / 2))
    ! one_in 2 || primary_first # on the smaller side
    ! one_in 2 || n=1
    ! one_in 4 || bridge=${FREE[-1]}
    for i in "${FREE[@]:0:n}"; do
        for j in "${FREE[@]:n}"; do [[ $j == "$bridge" ]] || cut_both "$i" "$j"; done
    done
    for port in "${client_ports[@]}"; do # on either side, or on both
        draw 1 3
        case $DRAWN in
        1) for i in "${FREE[@]:0:n}"; do cut_both "$i" "$port"; done ;;
        2) for i in "${FREE[@]:n}"; do cut_both "$i" "$port"; done ;;
        esac
    done
}
begin_shift() {
    local i round rounds
    network_is_free || return 1
    draw 3 8
    rounds=$DRAWN
    for ((round = 0; round < rounds; round++)); do
        echo heal >&4
        find_free all
        ! one_in 2 || primary_first
        for i in "${FREE[@]:1}" "${client_ports[0]}"; do cut_both "${FREE[0]}" "$i"; done
        rest_ms 200 700
    done
}
begin_oneway() {
    local i what=packets others=()
    network_is_free || return 1
    ! one_in 2 || primary_first
    ! one_in 2 || what=messages
    draw 1 3
    ((DRAWN == 1)) || others+=("${FREE[@]:1}")
    ((DRAWN == 2)) || others+=("${client_ports[@]}")
    if one_in 2; then # deaf
        for i in "${others[@]}"; do cut "$what" "$i" "${FREE[0]}"; done
    else # dumb
        for i in "${others[@]}"; do cut "$what" "${FREE[0]}" "$i"; done
    fi
}
begin_loss() {
    network_is_free || return 1
    draw 10 250
    echo "loss $DRAWN" >&4
    ! one_in 2 || echo "twice 200" >&4
}
begin_delay() {
    network_is_free || return 1
    draw 1000 60000
    echo "delay $DRAWN" >&4
}
end_partition() { echo heal >&4; }
end_shift() { echo heal >&4; }
end_oneway() { echo heal >&4; }
end_loss() { echo heal >&4; }
end_delay() { echo heal >&4; }

# --- which of them this machine lets us have ------------------------------------------------------

for library in /usr/lib/*/faketime/libfaketimeMT.so.1; do break; done

# missing NEMESIS: why not, or nothing.
missing() {
    case $1 in
    partition | shift | oneway | loss | delay | full)
        [[ -n ${CHAOS_PRIVATE:-} ]] || echo "$why" ;;
    power | eio | slow)
        [[ -n $preload ]] || echo "LD_PRELOAD does not work here" ;;
    clock)
        if [[ ! -e $library ]]; then
            echo "no libfaketime (Debian package faketime)"
        elif ! LD_PRELOAD=$library FAKETIME=+0 vstamp-replica --version >/dev/null 2>&1; then
            echo "LD_PRELOAD does not work here"
        fi ;;
    esac
}

# Sets names to those of the nemeses that are wanted and can be had.
choose_nemeses() {
    local name reason wanted=${CHAOS_NEMESES:-}
    names=()
    LD_PRELOAD=$preload vstamp-replica --version >/dev/null 2>&1 || preload=
    [[ -n $wanted ]] || wanted=$(printf '%s\n' "${nemeses[@]%%:*}" | paste -sd,)
    for name in ${wanted//,/ }; do
        if ! declare -F "begin_$name" >/dev/null; then
            echo "chaos: there is no nemesis '$name': there are" "${nemeses[@]%%:*}" >&2
            exit 2
        fi
        reason=$(missing "$name")
        if [[ -n $reason ]]; then
            echo "skipped: $name: $reason"
        else
            names+=("$name")
        fi
    done
    ((${#names[@]} > 0)) || exit 77
}

# --- a group --------------------------------------------------------------------------------------

inside() { echo "nsenter --net=/run/netns/$1"; } # the words that run a command there

network_start() {
    local i n=$((GROUP_SIZE + ${#client_ports[@]})) paths=()
    for ((i = 0; i < n; i++)); do
        ip netns add "$i" && paths+=("/run/netns/$i") || return 1
    done
    rm -f "$folder/switch" "$folder/ready"
    mkfifo "$folder/switch"
    net_switch "${paths[@]}" >"$folder/ready" <"$folder/switch" 4>&- &
    group_adopt $!
    exec 4>"$folder/switch"
    group_wait "the switch" grep -q ready "$folder/ready" || return 1
    for ((i = 0; i < n; i++)); do
        ip -n "$i" -batch - <<END || return 1
link set lo up
address add 10.86.84.$((i + 1))/24 dev net
link set net up
END
        GROUP_HOSTS[i]=10.86.84.$((i + 1))
        GROUP_ASK[i]=$(inside "$i") # a replica is asked from where no fault is between
    done
    ask=$(inside "${client_ports[0]}")
    client_networks=("${client_ports[@]/#//run/netns/}")
}

# Words that run replica I: where its network is, with the disk and the clock that can fail, and not
# longer than this script.
run_words() {
    local i=$1 libraries=$preload
    [[ -z ${CHAOS_PRIVATE:-} ]] || inside "$i"
    [[ " ${names[*]} " != *" clock "* ]] || libraries+=:$library
    echo "setpriv --pdeathsig KILL env LD_PRELOAD=$libraries" \
        "CHAOS_DISK=$BATS_TEST_TMPDIR/faults-$i" \
        "FAKETIME_TIMESTAMP_FILE=$BATS_TEST_TMPDIR/faults-$i/clock FAKETIME_CACHE_DURATION=1" \
        "FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1"
}

# draw_bounds: sets reads, and bounds to lines of the configuration small enough that checkpoints,
# state transfer, full pipelines and evictions come all the time.
draw_bounds() {
    local checkpoint_ops pipeline
    reads=quorum
    ! one_in 2 || reads=lease
    bounds=("checkpoint_ops: 65536")
    [[ " ${names[*]} " != *" lie "* ]] || return 0 # a checkpoint would betray it
    draw 0 2
    checkpoint_ops=$((16 << 3 * DRAWN))
    draw 0 5
    pipeline=$((1 << DRAWN))
    draw $((2 * n_clients)) 60
    bounds=("checkpoint_ops: $checkpoint_ops" "pipeline: $pipeline" "max_clients: $DRAWN"
        "batch_bytes: 64KiB" "log_bytes: 256KiB")
}

# The first of the replicas are the first members; the last of those are the witnesses.
start_group() {
    local i
    epochs_begin "$GROUP_SIZE" "durability: $durability" "view_change_ms: 300" \
        "reads: $reads" "data_dir: $BATS_TEST_TMPDIR/data" "${bounds[@]}" || return 1
    epoch=-1
    write_epoch
    cp "$EPOCH_FILE" "$VSTAMP_CONFIG"
    for i in "${next[@]}"; do
        configure "$i"
        start "$i"
    done
}

begin_group() {
    local i
    n_members=$GROUP_SIZE
    BATS_TEST_TMPDIR=$folder/${group//:/-}
    busy=() lost=() active=() victims=() strikes=() changing='' GROUP_CONFIG=() GROUP_INDEX=()
    [[ " ${names[*]} " != *" change "* ]] || GROUP_SIZE=$((GROUP_SIZE + 2))
    read -ra next < <(seq -s' ' 0 $((n_members - 1)))
    next_witnesses=("${next[@]:n_members - n_witnesses}")
    members=("${next[@]}") witnesses=("${next_witnesses[@]}")
    for ((i = n_members; i < GROUP_SIZE; i++)); do busy[i]=spare; done
    client_ports=("$GROUP_SIZE" $((GROUP_SIZE + 1))) client_networks=() ask=
    GROUP_HOSTS=() GROUP_ASK=() GROUP_RUN=()
    RANDOM=$((seed + GROUP_SIZE)) # a group's plan does not hang on the groups before it
    mkdir -p "$BATS_TEST_TMPDIR"
    [[ -z ${CHAOS_PRIVATE:-} ]] || network_start || return 1
    for ((i = 0; i < GROUP_SIZE; i++)); do
        mkdir -p "$BATS_TEST_TMPDIR/faults-$i" "$BATS_TEST_TMPDIR/data/$i"
        echo +0 >"$BATS_TEST_TMPDIR/faults-$i/clock"
        GROUP_RUN[i]=$(run_words "$i" | paste -sd' ')
        [[ -z ${CHAOS_PRIVATE:-} || $durability == memory ]] ||
            mount -t tmpfs -o "size=$tmpfs_size" chaos "$BATS_TEST_TMPDIR/data/$i" || return 1
    done
    draw_bounds
    start_group && group_wait_listening && group_wait_agree || return 1
    mkfifo "$BATS_TEST_TMPDIR/load"
    draw 0 1000000
    load "$VSTAMP_CONFIG" "$BATS_TEST_TMPDIR/history" "$n_clients" "$DRAWN" "$serve_ms" \
        "${client_networks[@]}" <"$BATS_TEST_TMPDIR/load" \
        >"$BATS_TEST_TMPDIR/load.out" 2>&1 3>&- 4>&- &
    load=$!
    group_adopt "$load"
    exec 3>"$BATS_TEST_TMPDIR/load"
}

# strike NAME: begin it if it rests and not too many are at work, end it if it is at work.
strike() {
    local name=$1
    if [[ -n ${active[$name]:-} ]]; then
        note "end $name"
        "end_$name"
        unset "active[$name]"
    elif ((${#active[@]} < (${#members[@]} + 1) / 2)) && victims[$name]='' && "begin_$name"; then
        note "begin $name ${victims[$name]}"
        active[$name]=yes
        strikes[$name]=$((${strikes[$name]:-0} + 1))
    else
        return 1
    fi
}

torment() { # SECONDS
    local end=$((SECONDS + $1)) name
    while ((SECONDS < end)) && [[ -z ${failed:-} ]]; do
        draw 0 $((${#names[@]} - 1))
        name=${names[DRAWN]}
        ! is_among change "${names[@]}" || ! one_in 5 || name=change # the others go on beside it
        forget_recovered
        if strike "$name"; then rest_ms 50 1200; else sleep 0.01; fi
        check_running
        follow_change
        kill -0 "$load" 2>/dev/null || wrong "the load ended: $(cat "$BATS_TEST_TMPDIR/load.out")"
    done
    for name in "${!active[@]}"; do strike "$name"; done
    note "the faults are over"
}

is_healthy() {
    check_running
    $ask vstamp-admin health >/dev/null
}

judge() {
    local i name done=
    exec 3>&-
    wait "$load" || wrong "$(tail -n 3 "$BATS_TEST_TMPDIR/load.out")"
    GROUP_DEADLINE=60 group_wait "the change of members" has_changed ||
        wrong "the members do not change: $(tail -n 1 "$BATS_TEST_TMPDIR/changes")"
    GROUP_DEADLINE=30 group_wait_agree || wrong "the replicas do not agree"
    group_wait "health" is_healthy || wrong "not healthy: $($ask vstamp-admin health)"
    check_running
    verdict "$BATS_TEST_TMPDIR/history" >"$BATS_TEST_TMPDIR/verdict" ||
        wrong "$(head -n 1 "$BATS_TEST_TMPDIR/verdict")"
    if [[ $durability == disk && -n $preload ]]; then
        for ((i = 0; i < GROUP_SIZE; i++)); do
            [[ ! -e $BATS_TEST_TMPDIR/replica-$i.log || -e $BATS_TEST_TMPDIR/faults-$i/seen ]] ||
                wrong "no write of replica $i went through disk_faults.c: is it written otherwise?"
        done
    fi
    for name in "${names[@]}"; do done+=" $name ${strikes[$name]:-0}"; done
    echo "$durability, $n_members replicas, $n_witnesses witnesses, reads $reads:$done;" \
        "$(grep '^served' "$BATS_TEST_TMPDIR/load.out")"
    tail -n 1 "$BATS_TEST_TMPDIR/verdict"
}

end_group() {
    local i
    group_teardown 2>/dev/null
    exec 4>&-
    [[ -n ${CHAOS_PRIVATE:-} ]] || return 0
    for ((i = 0; i < GROUP_SIZE + ${#client_ports[@]}; i++)); do ip netns del "$i"; done
}

# --- all of it ------------------------------------------------------------------------------------

choose_nemeses
read -ra groups <<<"$groups"
echo "chaos: seed $seed, $seconds s: ${names[*]}"
for group in "${groups[@]}"; do
    IFS=: read -r durability GROUP_SIZE n_witnesses <<<"$group"
    n_witnesses=${n_witnesses:-0}
    if begin_group; then
        torment $((seconds / ${#groups[@]}))
        judge
    else
        wrong "no group of $GROUP_SIZE with durability: $durability"
    fi
    end_group
    [[ -z ${failed:-} ]] || break
done
if [[ -n ${failed:-} ]]; then
    echo "chaos: $group went wrong: see $BATS_TEST_TMPDIR: faults, history," \
        "verdict, replica-*.log" >&2
    echo "chaos: the same plan: CHAOS_SEED=$seed CHAOS_SECONDS=$((seconds / ${#groups[@]}))" \
        "CHAOS_GROUPS=$group CHAOS_NEMESES=$(IFS=,; echo "${names[*]}")" >&2
    exit 1
fi

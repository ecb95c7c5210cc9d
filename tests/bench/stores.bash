# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# How compare.sh runs each store: three servers on 127.0.0.1, under $folder, in a $mode.  Of a
# store S:
#
#     PACKAGE[S]       what to install for it; none: it is built here
#     S_runs           is it there, and what its load needs?
#     S_start I        start server I, and again after it was killed; S_pid of it
#     S_ready          do all three serve? sets LEADER[S], the index of the one that leads
#     S_version        what is told of it
#
# All keep their own defaults, but for addresses, folders, and what makes a mode:
#
#     disk     acknowledged once two of the three have it on stable storage
#     memory   acknowledged once two of the three have it
#
# shellcheck disable=SC2034,SC2154  # names that are of both files
declare -A PACKAGE=(
    [etcd]="etcd-server libnghttp2-dev" [zookeeper]="zookeeper" [redis]="redis-server"
    [raft]="libraft-dev")
declare -A LEADER=() PORT=() PID=()
STORES="vstamp floor raft redis etcd zookeeper"

# spawn KEY COMMAND...: a server, its output in a file, its process in PID.
spawn() {
    local key=$1
    shift
    "$@" </dev/null >>"$folder/$key.log" 2>&1 3>&- &
    PID[$key]=$!
}

# port S I: the one for clients; six more are for peers.
port() { echo $((PORT[$1] + 3 + $2)); }
peer_port() { echo $((PORT[$1] + $2)); }

# ask PORT TEXT: what comes back until the other side closes, or a line for raft_server.
ask() {
    timeout 2 bash -c 'exec 9<>"/dev/tcp/127.0.0.1/$1" && printf "%b" "$2" >&9 &&
        if [[ $3 == line ]]; then head -n 1 <&9; else cat <&9; fi' ask "$@" 2>/dev/null
}

# roles S PATTERN-OF-LEADER PATTERN-OF-FOLLOWER: count them in what S_state I tells.
roles() {
    local i state leaders=0 followers=0
    for i in 0 1 2; do
        state=$("$1_state" "$i")
        if [[ $state == *$2* ]]; then LEADER[$1]=$i leaders=$((leaders + 1)); fi
        if [[ $state == *$3* ]]; then followers=$((followers + 1)); fi
    done
    ((leaders == 1 && followers == 2))
}

vstamp_runs() { :; }
vstamp_version() { vstamp --version | sed -n '1s/.* //p'; }
vstamp_start() {
    if (($1 == 0 && ${#GROUP_PIDS[@]} == 0)); then
        group_configure 3 "durability: $mode"
    fi
    group_start_one "$1"
    PID[vstamp-$1]=${GROUP_PIDS[$1]}
    PORT[vstamp]=$((GROUP_BASE - 3))
}
vstamp_ready() { group_has_primary && group_agree && LEADER[vstamp]=$PRIMARY; }

floor_runs() { :; }
floor_version() { echo "messages$([[ $mode == memory ]] || echo " and writes") alone"; }
floor_start() {
    local journals=()
    (($1 == 0)) || return 0 # one program starts all three
    if [[ $mode == disk ]]; then
        mkdir -p "$folder/floor"
        journals=("$folder/floor")
    fi
    : >"$folder/floor-0.log"
    spawn floor-0 "$programs/relay" "$(port floor 0)" "${journals[@]}"
}
floor_ready() {
    local pids
    [[ $(<"$folder/floor-0.log") == *" "* ]] && read -r -a pids <"$folder/floor-0.log" || return 1
    PID[floor-1]=${pids[1]} PID[floor-2]=${pids[2]} LEADER[floor]=0
}

raft_runs() { build_here raft_server /usr/include/raft/uv.h; }
raft_version() { dpkg-query -W -f '${source:Upstream-Version}' libraft-dev 2>/dev/null; }
raft_start() {
    local data=$folder/raft-data-$1
    # The library has no mode without a disk; this is the nearest.
    [[ $mode == disk ]] || data=$memory_folder/raft-data-$1
    mkdir -p "$data"
    spawn "raft-$1" "$programs/raft_server" "$1" "$data" "${PORT[raft]}"
}
raft_state() { ask "$(port raft "$1")" "$(printf '?%115s' '')" line; }
raft_ready() { roles raft leader follower; }

redis_runs() { command -v redis-server >/dev/null; }
redis_version() { redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/'; }
redis_start() {
    local options=(--port "$(port redis "$1")" --bind 127.0.0.1 --save '' --daemonize no)
    options+=(--dir "$folder/redis-data-$1")
    mkdir -p "$folder/redis-data-$1"
    [[ $mode == memory ]] || options+=(--appendonly yes --appendfsync always)
    (($1 == 0)) || options+=(--replicaof 127.0.0.1 "$(port redis 0)")
    spawn "redis-$1" redis-server "${options[@]}"
}
redis_ready() {
    local state
    state=$(ask "$(port redis 0)" 'INFO replication\r\nQUIT\r\n')
    [[ $state == *slave0:*state=online*slave1:*state=online* ]] && LEADER[redis]=0
}

etcd_runs() { command -v etcd >/dev/null && build_here load_etcd /usr/include/nghttp2/nghttp2.h; }
etcd_version() { etcd --version | sed -n 's/^etcd Version: //p'; }
etcd_start() {
    local i peers=() fsync=()
    for i in 0 1 2; do peers+=("s$i=http://127.0.0.1:$(peer_port etcd "$i")"); done
    [[ $mode == disk ]] || fsync=(--unsafe-no-fsync)
    spawn "etcd-$1" etcd --name "s$1" --data-dir "$folder/etcd-data-$1" \
        --listen-peer-urls "${peers[$1]#*=}" --initial-advertise-peer-urls "${peers[$1]#*=}" \
        --listen-client-urls "http://127.0.0.1:$(port etcd "$1")" \
        --advertise-client-urls "http://127.0.0.1:$(port etcd "$1")" \
        --initial-cluster "$(IFS=, && echo "${peers[*]}")" "${fsync[@]}"
}
etcd_state() {
    local answer request='POST /v3/maintenance/status HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}'
    local member='"member_id":"([0-9]+)"' leader='"leader":"([0-9]+)"'
    answer=$(ask "$(port etcd "$1")" "$request")
    [[ $answer =~ $member ]] || return 0
    member=${BASH_REMATCH[1]}
    [[ $answer =~ $leader ]] || return 0
    if [[ $member == "${BASH_REMATCH[1]}" ]]; then echo leader; else echo follower; fi
}
etcd_ready() { roles etcd leader follower; }

zookeeper_runs() { [[ -e /usr/share/java/zookeeper.jar ]] && command -v java >/dev/null; }
zookeeper_version() { dpkg-query -W -f '${source:Upstream-Version}' zookeeper 2>/dev/null; }
zookeeper_start() {
    local i data=$folder/zookeeper-data-$1 options=()
    mkdir -p "$data"
    echo "$1" >"$data/myid"
    {
        # those of the package's example, the time-outs among them
        printf '%s\n' tickTime=2000 initLimit=10 syncLimit=5 maxClientCnxns=0
        printf '%s\n' admin.enableServer=false 4lw.commands.whitelist=srvr
        echo "dataDir=$data"
        echo "clientPort=$(port zookeeper "$1")"
        echo "clientPortAddress=127.0.0.1"
        for i in 0 1 2; do
            echo "server.$i=127.0.0.1:$(peer_port zookeeper "$i"):$((PORT[zookeeper] + 6 + i))"
        done
    } >"$data/zoo.cfg"
    [[ $mode == disk ]] || options=(-Dzookeeper.forceSync=no)
    spawn "zookeeper-$1" java "${options[@]}" -Dzookeeper.root.logger=WARN,CONSOLE \
        -cp /etc/zookeeper/conf:/usr/share/java/zookeeper.jar \
        org.apache.zookeeper.server.quorum.QuorumPeerMain "$data/zoo.cfg"
}
zookeeper_state() { ask "$(port zookeeper "$1")" srvr; }
zookeeper_ready() { roles zookeeper "Mode: leader" "Mode: follower"; }

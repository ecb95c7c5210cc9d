# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# How compare.sh runs each store: three servers on 127.0.0.1 (redis1: one), under $folder, in a
# $mode.  Of a store S:
#
#     PACKAGE[S]       what to install for it; none: it is built here
#     LOADER[S]        the load's program, where that is not load_S
#     WORK[S]          what is measured: puts, deep (many at once over a connection), gets, failover
#     S_runs           is it there, and what its load needs?
#     S_start I        start server I, and again after it was killed; S_pid of it
#     S_ready          do all of them serve? sets LEADER[S], the index of the one that leads
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
    [redis1]="redis-server" [raft]="libraft-dev")
declare -A LOADER=([lease]=load_vstamp [floor]=load_relay [redis1]=load_redis)
declare -A WORK=(
    [vstamp]="puts deep gets failover" [lease]="gets" [floor]="puts deep"
    [raft]="puts failover" [redis]="puts" [redis1]="puts deep gets"
    [etcd]="puts gets failover" [zookeeper]="puts failover")
declare -A LEADER=() PORT=() PID=()
STORES="vstamp lease floor raft redis redis1 etcd zookeeper"

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

# vstamp_server S I SETTING...: of the group S, with these lines in its configuration.
vstamp_server() {
    local i store=$1 config=$folder/$1.yaml
    [[ -e $config ]] || {
        echo "replicas_addresses:"
        for i in 0 1 2; do echo "  - 127.0.0.1:$(port "$store" "$i")"; done
        echo "status_addresses:"
        for i in 0 1 2; do echo "  - 127.0.0.1:$(peer_port "$store" "$i")"; done
        echo "data_dir: $folder/$store-data"
        printf '%s\n' "durability: $mode" "${@:3}"
    } >"$config"
    spawn "$store-$2" vstamp-replica --config "$config" --index "$2"
}
vstamp_runs() { :; }
vstamp_version() { vstamp --version | sed -n '1s/.* //p'; }
vstamp_status() { ask "$(peer_port "$1" "$2")" 'GET /status HTTP/1.0\r\n\r\n'; }
vstamp_roles() { roles "$1" '"role":"primary"' '"status":"normal"*"role":"backup"'; }
vstamp_start() { vstamp_server vstamp "$1"; }
vstamp_state() { vstamp_status vstamp "$1"; }
vstamp_ready() { vstamp_roles vstamp; }

# vstamp, where the primary answers gets by a lease
lease_runs() { :; }
lease_version() { echo "$(vstamp_version), reads: lease"; }
lease_start() { vstamp_server lease "$1" "reads: lease"; }
lease_state() { vstamp_status lease "$1"; }
lease_ready() { vstamp_roles lease; }

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
# redis_server S I OPTION...
redis_server() {
    local options=(--port "$(port "$1" "$2")" --bind 127.0.0.1 --save '' --daemonize no)
    options+=(--dir "$folder/$1-data-$2")
    mkdir -p "$folder/$1-data-$2"
    [[ $mode == memory ]] || options+=(--appendonly yes --appendfsync always)
    spawn "$1-$2" redis-server "${options[@]}" "${@:3}"
}
redis_start() {
    local replica=()
    (($1 == 0)) || replica=(--replicaof 127.0.0.1 "$(port redis 0)")
    redis_server redis "$1" "${replica[@]}"
}
redis_ready() {
    local state
    state=$(ask "$(port redis 0)" 'INFO replication\r\nQUIT\r\n')
    [[ $state == *slave0:*state=online*slave1:*state=online* ]] && LEADER[redis]=0
}

# one server, and no replicas
redis1_runs() { redis_runs; }
redis1_version() { echo "$(redis_version), not replicated"; }
redis1_start() { (($1 > 0)) || redis_server redis1 0; }
redis1_ready() { [[ $(ask "$(port redis1 0)" 'PING\r\nQUIT\r\n') == +PONG* ]] && LEADER[redis1]=0; }

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

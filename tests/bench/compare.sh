#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The same work on vstamp, on other stores and on the physical floor, one after the other, again and
# again, so that what else the machine does meets all of them; then Markdown tables, of ratios and
# of what they are made from.
#
#     tests/bench/compare.sh BUILD-FOLDER [OPTION]...
#         --install         first install what is missing (as root; Debian)
#         --seconds N       of each run (0.5), after 0.3 s that are not counted
#         --warmup N        seconds of load on each store before all that (5)
#         --rounds N        runs of each kind (9)
#         --clients LIST    at once, each with one put outstanding, or with D: NxD
#                           (1,16,64,256,64x16,1x256)
#         --gets LIST       clients at once, each with one get outstanding (64)
#         --modes LIST      disk,memory: what an acknowledged put is kept by, at two of three
#         --only LIST       of vstamp, lease, floor, raft, redis, redis1, etcd, zookeeper
#         --kills N         of the leader, to time the fail-over, in mode disk (5)
#
# Stores are run as stores.bash says and measured by load.c.  Everything happens on free ports of
# 127.0.0.1 and in a temporary folder, of TMPDIR if that is set: all stores write to the disk that
# it is on.  Only processes that were started here are ended.  What is missing is named, and left
# out.
set -euo pipefail
shopt -s inherit_errexit

usage() {
    sed -n '/^#     tests/,/^#$/s/^# \{0,5\}//p' "$0"
    exit "$1"
}

[[ ${1:-} != --help ]] || usage 0
build=$(cd "${1:-.}" && pwd)
[[ -x $build/tests/bench/load_vstamp ]] || usage 2 >&2
shift
here=$(cd "$(dirname "$0")" && pwd)
programs=$build/tests/bench
export PATH=$build:$PATH
# shellcheck source=tests/bench/stores.bash
. "$here/stores.bash"

install=no seconds=0.5 warmup=5 rounds=9 modes=disk,memory kills=5
clients=1,16,64,256,64x16,1x256 gets=64 only=${STORES// /,}
while (($# > 0)); do
    case $1 in
    --install) install=yes && shift && continue ;;
    --seconds | --warmup | --rounds | --clients | --gets | --modes | --only | --kills)
        (($# > 1)) || usage 2 >&2
        printf -v "${1#--}" %s "$2"
        ;;
    *) usage 2 >&2 ;;
    esac
    shift 2
done
IFS=, read -r -a clients <<<"$clients"
IFS=, read -r -a gets <<<"$gets"
IFS=, read -r -a modes <<<"$modes"
IFS=, read -r -a only <<<"$only"

# --- the folder, and its end ----------------------------------------------------------------------

root=$(mktemp -d "${TMPDIR:-/tmp}/vstamp-compare.XXXXXX")
memory_folder=
[[ ! -d /dev/shm ]] || memory_folder=$(mktemp -d /dev/shm/vstamp-compare.XXXXXX)
results=$root/results
# shellcheck source=tests/cli/group.bash
. "$here/../cli/group.bash"

stop_all() {
    local pid
    for pid in "${PID[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    for pid in "${PID[@]}"; do wait "$pid" 2>/dev/null || true; done
    PID=()
}
policy= # a file that keeps packages from starting their services, while they are installed
trap 'set +e; stop_all; rm -rf "$root" ${policy:+"$policy"} ${memory_folder:+"$memory_folder"}' EXIT
trap 'exit 130' INT TERM HUP

say() { echo "compare: $*" >&2; }

# --- what is there --------------------------------------------------------------------------------

install_packages() {
    local package
    ((EUID == 0)) || { say "--install is for root" && exit 2; }
    if [[ ! -e /usr/sbin/policy-rc.d ]]; then # else the packages' own services run beside ours
        policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt-get -q update
    for package; do
        DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$package" ||
            say "$package cannot be installed"
    done
}

# build_here PROGRAM HEADER: what needs a library that make check does without.
build_here() {
    [[ -e $2 ]] && env -u MAKEFLAGS make -s -C "$build" "tests/bench/$1" >&2
}

choose_stores() {
    local store packages wanted=()
    for store in "${only[@]}"; do
        [[ " $STORES " == *" $store "* ]] || { say "--only: there is no $store" && exit 2; }
        read -r -a packages <<<"${PACKAGE[$store]:-}"
        "${store}_runs" || wanted+=("${packages[@]}")
    done
    if [[ $install == yes ]] && ((${#wanted[@]} > 0)); then
        install_packages "${wanted[@]}" >&2
        [[ -z $policy ]] || rm -f "$policy"
    fi
    stores=()
    for store in "${only[@]}"; do
        if "${store}_runs"; then
            stores+=("$store")
        else
            say "left out: $store; as root, apt-get install ${PACKAGE[$store]}, or --install"
        fi
    done
    ((${#stores[@]} > 0)) || exit 77
}

# --- running --------------------------------------------------------------------------------------

# Each store has ten ports of one stretch.
start_stores() {
    local store i n=0
    folder=$root/$mode
    mkdir -p "$folder"
    group_ports $((10 * ${#stores[@]}))
    for store in "${stores[@]}"; do PORT[$store]=$((GROUP_BASE + 10 * n++)); done
    for store in "${stores[@]}"; do
        for i in 0 1 2; do "${store}_start" "$i"; done
        wait_ready "$store" || exit 1
    done
}

wait_ready() {
    local end=$((SECONDS + 60))
    until "$1_ready"; do
        if ((SECONDS > end)); then
            say "$1 does not serve; what its servers said last:"
            tail -n 20 "$folder/$1"-*.log >&2 2>/dev/null || true
            return 1
        fi
        sleep 0.1
    done
}

addresses() { # of store $1, its leader first
    local i first=${LEADER[$1]} list=()
    [[ $1 != floor && $1 != redis1 ]] || { echo "127.0.0.1:$(port "$1" 0)" && return; }
    # a session looks for the primary by itself, and by index
    [[ $1 != vstamp && $1 != lease ]] || first=0
    for ((i = first; i < first + 3; i++)); do list+=("127.0.0.1:$(port "$1" $((i % 3)))"); done
    (IFS=, && echo "${list[*]}")
}

load() { # store $1, clients $2, seconds $3, options
    "$programs/${LOADER[$1]:-load_$1}" "$2" "$3" "$(addresses "$1")" "seed=$RANDOM" "${@:4}"
}

# What a store compiles or lays out when it is first used is not compared.
warm_up() {
    local store
    for store in "${stores[@]}"; do load "$store" 64 "$warmup" warmup_ms=0 >/dev/null; done
}

pids() { # of store $1
    local i list=()
    for i in 0 1 2; do list+=(${PID[$1-$i]:-}); done
    (IFS=, && echo "${list[*]}")
}

can() { [[ " ${WORK[$1]} " == *" $2 "* ]]; }

# measure_work NAME KIND CLIENTS OPTION...: on each store whose load can do that kind.
measure_work() {
    local store line
    for store in "${order[@]}"; do
        can "$store" "$2" || continue
        line=$(load "$store" "$3" "$seconds" warmup_ms=300 "pids=$(pids "$store")" "${@:4}") ||
            failed=1
        say "$mode, round $round of $rounds, $1 clients, $store: $line"
        [[ -z $line ]] || echo "mode=$mode store=$store work=$1 round=$round $line" >>"$results"
    done
}

measure() {
    local round n order=("${stores[@]}")
    for ((round = 1; round <= rounds; round++)); do
        [[ $mode != disk ]] || measure_disk
        for n in "${clients[@]}"; do
            if [[ $n == *x* ]]; then
                measure_work "$n" deep "${n%x*}" "depth=${n#*x}"
            else
                measure_work "$n" puts "$n"
            fi
        done
        for n in "${gets[@]}"; do measure_work "$n:gets" gets "$n" gets=1; done
        order=("${order[@]:1}" "${order[0]}") # nobody is always after the same one
    done
}

# The bare disk: 4 KiB to stable storage, again and again into the same file.
measure_disk() {
    local file=$folder/bare writes=200 line
    [[ -e $file ]] || dd if=/dev/zero of="$file" bs=4096 count=$writes conv=fsync status=none
    line=$(LC_ALL=C dd if=/dev/zero of="$file" bs=4096 count=$writes oflag=direct,dsync \
        conv=notrunc 2>&1 | sed -n 's/.*copied, \([^ ]*\) s,.*/\1/p')
    echo "mode=disk bare_write_us=$(awk "BEGIN { print $line * 1e6 / $writes }")" >>"$results"
}

measure_memory() {
    local store pid kib n
    for store in "${stores[@]}"; do
        kib=0 n=0
        for pid in $(pids "$store" | tr , ' '); do
            kib=$((kib + $(awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status"))) n=$((n + 1))
        done
        echo "mode=$mode store=$store memory_kib=$((kib / n))" >>"$results"
    done
}

# The leader is killed under one client; the gap between its acknowledgements is what it felt.
measure_failover() {
    local round store leader line
    for ((round = 1; round <= kills; round++)); do
        for store in "${stores[@]}"; do
            can "$store" failover || continue
            wait_ready "$store" || { failed=1 && continue; }
            leader=${LEADER[$store]}
            line=$(load "$store" 1 0.5 patience_ms=200 "kill=${PID[$store-$leader]}") || failed=1
            wait "${PID[$store-$leader]}" 2>/dev/null || true
            say "kill $round of $kills, $store: $line"
            [[ -z $line ]] || echo "mode=$mode store=$store kill=$round $line" >>"$results"
            "${store}_start" "$leader"
        done
    done
}

machine() {
    local cpu file_system
    cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
    file_system=$(df --output=fstype "$root" | tail -n 1)
    echo "vstamp $(vstamp_version) on $(date +%F), $(nproc) processors (${cpu:-$(uname -m)})," \
        "Linux $(uname -r | cut -d. -f1-2), $file_system, all on one machine"
}

for mode in "${modes[@]}"; do
    [[ $mode == disk || $mode == memory ]] || { say "--modes: there is no $mode" && exit 2; }
done
choose_stores
failed=0
for mode in "${modes[@]}"; do
    start_stores
    for store in "${stores[@]}"; do
        echo "mode=$mode store=$store version=$("${store}_version" | tr ' ' _)" >>"$results"
    done
    say "$mode: warming up"
    warm_up
    measure
    measure_memory
    [[ $mode != disk ]] || measure_failover
    stop_all
done
awk -v machine="$(machine)" -v seconds="$seconds" -f "$here/table.awk" "$results"
exit "$failed"

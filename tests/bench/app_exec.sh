#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What the boundary to a process costs: puts a second of the store, and of programs that answer as
# the store does and do nothing else (done_app.c, done_app.py), in groups of three replicas on this
# machine, in memory.  They are measured in turn, again and again: only ratios inside a round mean
# anything.  The processor time of a put, of all replicas and their programs, is steadier.
#
#     bash tests/bench/app_exec.sh [ROUNDS [SECONDS]]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${top_builddir:-$here/../../build}
rounds=${1:-3}
seconds=${2:-2}
folder=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

start() { # NAME PORT [OPTION...]
    local name=$1 port=$2 i
    shift 2
    printf 'durability: memory\ndata_dir: %s\nreplicas_addresses:\n' "$folder" >"$folder/$name"
    for i in 0 1 2; do echo "  - 127.0.0.1:$((port + i))" >>"$folder/$name"; done
    for i in 0 1 2; do
        "$build/vstamp-replica" --config "$folder/$name" --index "$i" --log-level error "$@" &
        pids+=($!)
        echo $! >>"$folder/$name.pids"
    done
    printf -v "group_$name" '127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d' "$port" $((port + 1)) \
        $((port + 2))
}

# cpu NAME: ticks that its replicas and their programs have used.
cpu() {
    local pid all
    all=$(cat "$folder/$1.pids")
    for pid in $all; do all+=" $(cat "/proc/$pid/task/$pid/children")"; done
    for pid in $all; do cat "/proc/$pid/stat"; done |
        awk '{ ticks += $14 + $15 } END { print ticks }'
}

start store 24600
start c 24610 --app-exec "$build/tests/bench/done_app"
start python 24620 --app-exec "$here/done_app.py"
for name in store c python; do
    group=group_$name
    "$build/tests/bench/load_vstamp" 1 1 "${!group}" >/dev/null
done
for ((round = 1; round <= rounds; round++)); do
    for clients in 1 64; do
        for name in store c python; do
            group=group_$name
            before=$(cpu "$name")
            line=$("$build/tests/bench/load_vstamp" "$clients" "$seconds" "${!group}")
            [[ $line =~ done=([0-9]+)\ rate=([0-9]+)\ p50_us=([0-9.]+) ]]
            used=$((($(cpu "$name") - before) * 1000000 / $(getconf CLK_TCK)))
            printf 'round=%d clients=%d application=%s rate=%d p50_us=%s cpu_us_per_put=%d\n' \
                "$round" "$clients" "$name" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}" \
                $((used / BASH_REMATCH[1]))
        done
    done
done

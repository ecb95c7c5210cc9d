#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# How vstamp fares as things grow: keys, connections, crowds of clients, values, replicas; Markdown
# tables of it.
#
#     tests/bench/scale.sh BUILD-FOLDER [OPTION]...
#         --only LIST         of keys, connections, crowds, values, replicas
#         --rounds N          runs of each kind, in turn (5); the tables have medians
#         --seconds N         of each run (1)
#         --modes LIST        for keys and replicas: disk,memory
#         --keys LIST         that are there (1000,100000,1000000); a million: 0.3 GiB a replica
#         --connections LIST  open at once (10,100,1000,10000), as far as ulimit -n allows
#         --rate N            puts a second over all of them (4000)
#         --crowds LIST       of clients that put all at once, each when it was answered (64,1000,
#                             6000), as far as ulimit -n allows three connections for each
#         --replicas LIST     sizes of groups (3,5,7)
#
# Keys of 16 bytes, values of 100 unless said.  Whatever is compared runs side by side and is
# measured in turn, so only what stands in one table can be compared, and best as ratios.
# Everything happens on the loopback network and in a temporary folder, of TMPDIR if that is set.
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
export PATH=$build:$PATH
# shellcheck source=tests/cli/group.bash
. "$here/../cli/group.bash"

only=keys,connections,crowds,values,replicas rounds=5 seconds=1 modes=disk,memory
keys=1000,100000,1000000 connections=10,100,1000,10000 rate=4000 crowds=64,1000,6000
replicas=3,5,7
while (($# > 0)); do
    case $1 in
    --only | --rounds | --seconds | --modes | --keys | --connections | --rate | --crowds | \
        --replicas)
        (($# > 1)) || usage 2 >&2
        printf -v "${1#--}" %s "$2"
        ;;
    *) usage 2 >&2 ;;
    esac
    shift 2
done
for list in only modes keys connections crowds replicas; do
    IFS=, read -r -a "${list?}" <<<"${!list}"
done
for section in "${only[@]}"; do
    [[ " keys connections crowds values replicas " == *" $section "* ]] || usage 2 >&2
done
for mode in "${modes[@]}"; do [[ $mode == disk || $mode == memory ]] || usage 2 >&2; done

root=$(mktemp -d "${TMPDIR:-/tmp}/vstamp-scale.XXXXXX")
results=$root/results
trap 'set +e; stop_groups; rm -rf "$root"' EXIT
trap 'exit 130' INT TERM HUP
ulimit -n "$(ulimit -Hn)"

say() { echo "scale: $*" >&2; }

# --- groups side by side --------------------------------------------------------------------------

declare -A CONFIG=() PIDS=() ADDRESSES=()

# start_group NAME REPLICAS LINE...: and wait until it serves.
start_group() {
    BATS_TEST_TMPDIR=$root/$1
    mkdir "$BATS_TEST_TMPDIR"
    group_start "${@:2}"
    group_wait_primary
    CONFIG[$1]=$VSTAMP_CONFIG PIDS[$1]=${GROUP_PIDS[*]}
    ADDRESSES[$1]=$(for ((i = 0; i < $2; i++)); do group_address "$i"; done | paste -sd,)
    GROUP_PIDS=()
}

stop_groups() {
    local pids
    read -r -a pids <<<"${PIDS[*]} ${GROUP_PIDS[*]}"
    kill -KILL "${pids[@]}" 2>/dev/null || true
    wait "${pids[@]}" 2>/dev/null || true
    CONFIG=() PIDS=() ADDRESSES=() GROUP_PIDS=()
    rm -rf "$root"/*/data
}

# bench NAME OPTION...: its report, as JSON.
bench() { vstamp --config "${CONFIG[$1]}" --timeout 60 --json bench "${@:2}" 2>/dev/null; }

# field NAME of a report on one line; a number.
field() { grep -o "\"$1\":[0-9.]*" | sed -n '1s/.*://p'; }

# cpu NAME: ticks that its replicas have used.
cpu() {
    local pid sum=0
    for pid in ${PIDS[$1]}; do
        sum=$((sum + $(awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$pid/stat")))
    done
    echo "$sum"
}

# load NAME OPTION...: what load.c says.
load() { "$build/tests/bench/load_vstamp" "$2" "$seconds" "${ADDRESSES[$1]}" "${@:3}"; }

note() { # SECTION KIND NAME VALUE
    say "$1, $2: $3 $4"
    echo "$*" >>"$results"
}

# note_load SECTION KIND LINE NAME...: these fields of a line of load.c.
note_load() {
    local name
    for name in "${@:4}"; do
        note "$1" "$2" "$name" "$(grep -o "$name=[0-9.]*" <<<"$3" | cut -d= -f2)"
    done
}

# median SECTION KIND NAME
median() {
    awk -v s="$1" -v k="$2" -v n="$3" '$1 == s && $2 == k && $3 == n { print $4 }' "$results" |
        sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

head_row() {
    echo && printf '|' && printf ' %s |' "$@" && echo
    printf '|' && printf -- '---|%.0s' "$@" && echo
}

# row TITLE SECTION NAME KIND...: medians, as a row of a table.
row() {
    local kind
    printf '| %s |' "$1"
    for kind in "${@:4}"; do printf ' %.0f |' "$(median "$2" "$kind" "$3")"; done
    echo
}

ratio() { awk "BEGIN { printf \"%.2f\", $1 / $2 }"; }

# --- what is measured -----------------------------------------------------------------------------

measure_keys() {
    local mode n round first now
    head_row "puts/s, 64 connections" "${keys[@]/%/ keys}"
    for mode in "${modes[@]}"; do
        for n in "${keys[@]}"; do
            start_group "$n" 3 "durability: $mode" "state_bytes_max: $((1 + n / 2500000))GiB"
            say "$mode, $n keys: filling"
            bench "$n" -n 1024 --connections 16 --keys "$n" --reads 1 --requests 1 --keep >/dev/null
        done
        for ((round = 0; round < rounds; round++)); do
            for n in "${keys[@]}"; do
                note "keys-$mode" "$n" rate "$(bench "$n" -n 64 --connections 64 --keys "$n" \
                    -d "$seconds" --keep | field per_second)"
            done
        done
        stop_groups && rm -rf "${root:?}"/[0-9]*
        printf '| %s |' "$mode"
        first=$(median "keys-$mode" "${keys[0]}" rate)
        for n in "${keys[@]}"; do
            now=$(median "keys-$mode" "$n" rate)
            printf ' %.0f (%s) |' "$now" "$(ratio "$now" "$first")"
        done
        echo
    done
}

# The first put over a connection touches memory that nobody has touched, in all processes: not
# counted.
measure_connections() {
    local n round line possible=()
    for n in "${connections[@]}"; do
        if ((n + 100 < $(ulimit -n))); then possible+=("$n"); else say "left out: $n: ulimit -n"; fi
    done
    start_group connections 3 "durability: memory" "max_clients: 200000" "max_connections: 20000"
    for ((round = 0; round < rounds; round++)); do
        for n in "${possible[@]}"; do
            line=$(load connections "$n" "rate=$rate" "seed=$RANDOM" \
                "warmup_ms=$((n * 1000 / rate + 200))")
            note_load connections "$n" "$line" p50_us p99_us
        done
    done
    stop_groups
    head_row "$rate puts/s, due at fixed times" "${possible[@]/%/ connections}"
    row "p50, us" connections p50_us "${possible[@]}"
    row "p99, us" connections p99_us "${possible[@]}"
}

# A client that is not answered for long asks the other replicas, too.
measure_crowds() {
    local n round line possible=()
    for n in "${crowds[@]}"; do
        if ((3 * n + 100 >= $(ulimit -n))); then
            say "left out: $n: ulimit -n"
        else
            possible+=("$n")
        fi
    done
    start_group crowds 3 "durability: memory" "max_clients: 200000" "max_connections: 20000"
    for ((round = 0; round < rounds; round++)); do
        for n in "${possible[@]}"; do
            line=$(load crowds "$n" "seed=$RANDOM" "warmup_ms=$((n / 4 + 500))")
            note_load crowds "$n" "$line" rate p50_us p99_us
        done
    done
    stop_groups
    head_row "all at once" "${possible[@]/%/ clients}"
    row puts/s crowds rate "${possible[@]}"
    row "p50, us" crowds p50_us "${possible[@]}"
    row "p99, us" crowds p99_us "${possible[@]}"
}

# Small puts, five hundred a second, without and beside a client that puts 1 MiB again and again.
measure_values() {
    local round line stream
    start_group values 3 "durability: memory" "batch_bytes: 2MiB" "max_value_bytes: 1MiB"
    for ((round = 0; round < rounds; round++)); do
        line=$(load values 8 rate=500)
        note values alone p99_us "$(grep -o 'p99_us=[0-9.]*' <<<"$line" | cut -d= -f2)"
        line=$(bench values -n 1 --value-bytes 1048576 --keys 20 -d "$seconds")
        note values large p50_us "$(field p50_us <<<"$line")"
        bench values -n 1 --value-bytes 1048576 --keys 20 \
            -d "$(awk "BEGIN { print $seconds + 2 }")" >"$root/stream" &
        stream=$!
        line=$(load values 8 rate=500 warmup_ms=1000)
        note values beside p99_us "$(grep -o 'p99_us=[0-9.]*' <<<"$line" | cut -d= -f2)"
        wait "$stream"
        note values stream rate "$(field per_second <"$root/stream")"
    done
    stop_groups
    head_row "p99 of small puts, alone" "beside a stream of 1 MiB" "p50 of a 1 MiB put" \
        "of these a second"
    printf '| %.0f us | %.0f us | %.0f us | %.0f |\n' "$(median values alone p99_us)" \
        "$(median values beside p99_us)" "$(median values large p50_us)" \
        "$(median values stream rate)"
}

measure_replicas() {
    local mode n round report before
    head_row "64 connections" "${replicas[@]/%/ replicas}"
    for mode in "${modes[@]}"; do
        for n in "${replicas[@]}"; do start_group "$n" "$n" "durability: $mode"; done
        for ((round = 0; round < rounds; round++)); do
            for n in "${replicas[@]}"; do
                before=$(cpu "$n")
                report=$(bench "$n" -n 64 --connections 64 -d "$seconds" --keep)
                note "replicas-$mode" "$n" cpu "$(awk -v ticks=$(($(cpu "$n") - before)) \
                    -v hz="$(getconf CLK_TCK)" -v puts="$(field answered <<<"$report")" \
                    'BEGIN { print ticks / hz / puts * 1e5 }')"
                note "replicas-$mode" "$n" rate "$(field per_second <<<"$report")"
            done
        done
        stop_groups && rm -rf "${root:?}"/[0-9]*
        printf '| %s: CPU s of all for 100,000 puts |' "$mode"
        for n in "${replicas[@]}"; do printf ' %.2f |' "$(median "replicas-$mode" "$n" cpu)"; done
        printf '\n| %s: puts/s |' "$mode"
        for n in "${replicas[@]}"; do printf ' %.0f |' "$(median "replicas-$mode" "$n" rate)"; done
        echo
    done
}

echo "vstamp $(vstamp --version | sed -n '1s/.* //p') on $(date +%F), $(nproc) processors" \
    "($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), Linux" \
    "$(uname -r | cut -d. -f1-2), $(df --output=fstype "$root" | tail -n 1), all on one machine;" \
    "medians of $rounds runs of $seconds s"
for section in "${only[@]}"; do "measure_$section"; done

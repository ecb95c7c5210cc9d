#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What a put on an idle group costs beside the bare exchange of its messages (relay.c).  Both run in
# alternation, so that what else the machine does meets both, and the medians are compared.
#     [taskset -c 0] tests/bench/put-latency.sh BUILD-FOLDER [ROUNDS] [OPERATIONS] [VALUE-BYTES]
# On one processor the result is steady: it is the work that is compared, not the kernel's choice of
# processors.
# Everything happens in a temporary folder and on free ports of 127.0.0.1, and is gone afterwards.
set -euo pipefail

build=$(cd "${1:?the build folder}" && pwd)
rounds=${2:-5}
operations=${3:-5000}
value_bytes=${4:-64}
export PATH=$build:$PATH
BATS_TEST_TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/vstamp-bench.XXXXXX")
# shellcheck source=tests/cli/group.bash
. "$(dirname "$0")/../cli/group.bash"
trap 'set +e; group_teardown; rm -rf "$BATS_TEST_TMPDIR"' EXIT

# p50 LINE: the number of microseconds in it.
p50() { sed 's/.*p50_us=\([0-9.]*\).*/\1/' <<<"$1"; }

# median NUMBER...
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

group_start 3 "durability: memory"
group_wait_primary || exit 1
relays=()
puts=()
for ((round = 0; round < rounds; round++)); do
    line=$("$build/tests/bench/relay" "$operations" "$value_bytes")
    echo "$line"
    relays+=("$(p50 "$line")")
    line=$("$build/tests/bench/put_latency" "$VSTAMP_CONFIG" "$operations" "$value_bytes")
    echo "$line"
    puts+=("$(p50 "$line")")
done
awk -v put="$(median "${puts[@]}")" -v relay="$(median "${relays[@]}")" 'BEGIN {
    printf "median of p50: put %.1f us, relay %.1f us, ratio %.2f\n", put, relay, put / relay
}'

#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# scale.sh: that it runs, what its tables have, and that it leaves nothing behind.

bats_require_minimum_version 1.5.0
scale=$BATS_TEST_DIRNAME/scale.sh

setup() {
    export TMPDIR=$BATS_TEST_TMPDIR/scale
    mkdir "$TMPDIR"
}

@test "all tables, with a figure for each column" {
    run --separate-stderr bash "$scale" "$top_builddir" --rounds 1 --seconds 0.2 --modes memory \
        --keys 10,1000 --connections 1,20 --rate 500 --crowds 2,30 --replicas 1,3
    echo "$output" && echo "$stderr"
    [ "$status" -eq 0 ]
    grep -qE "^vstamp .* on 20..-..-.., .* processors .*; medians of 1 runs of 0.2 s" <<<"$output"
    grep -qE '^\| memory \| [1-9][0-9]* \(1.00\) \| [1-9][0-9]* \([0-9.]+\) \|$' <<<"$output"
    for name in p50 p99; do
        grep -qE "^\| $name, us \| [1-9][0-9]* \| [1-9][0-9]* \|$" <<<"$output"
    done
    [ "$(grep -cE '^\| p(50|99), us ' <<<"$output")" -eq 4 ]
    grep -qE '^\| puts/s \| [1-9][0-9]* \| [1-9][0-9]* \|$' <<<"$output"
    grep -qE '^(\| [1-9][0-9]* us ){3}\| [1-9][0-9]* \|$' <<<"$output"
    grep -qE '^\| memory: CPU s .* \| [0-9.]+ \| [0-9.]+ \|$' <<<"$output"
    grep -qE '^\| memory: puts/s \| [1-9][0-9]* \| [1-9][0-9]* \|$' <<<"$output"
    [ -z "$(ls -A "$TMPDIR")" ]
    [ -z "$(grep -l "$TMPDIR/[v]stamp-scale" /proc/[0-9]*/cmdline 2>/dev/null)" ]
}

@test "what makes no sense is refused" {
    run bash "$scale" "$top_builddir" --only flowers
    [ "$status" -eq 2 ]
    run bash "$scale" "$top_builddir" --modes paper
    [ "$status" -eq 2 ]
}

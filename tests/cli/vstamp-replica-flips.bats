#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# One replica's folder is damaged, byte by byte, file by file: it is back each time, with the state
# that the others have, and nothing is lost.
#
# VSTAMP_SOAK=1 looks at many more places.

load group

setup() {
    places=3
    [[ -z ${VSTAMP_SOAK:-} ]] || places=40
}

teardown() { group_teardown; }

data() { echo "$BATS_TEST_TMPDIR/data/2"; }

# flip FILE PLACE: all bits of that byte.
flip() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    printf "\\x$(printf %x $((255 - byte)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# used FILE: up to where something else than zeros is in it.
used() {
    local last
    last=$(od -An -v -tx8 -w4096 "$1" | grep -n '[1-9a-f]' | tail -n 1 | cut -d : -f 1)
    echo $((${last:-0} * 4096))
}

some_writes() { # VALUE
    local i
    for ((i = 0; i < 60; i++)); do echo "put k$i $1-$i"; done | vstamp --timeout 20 shell >/dev/null
}

start_with_data() {
    group_start 3 "checkpoint_ops: 16"
    round=0
    some_writes round0
    group_wait_agree
}

# back WHAT: the damaged replica is what the others are, and all serve what was written; then there
# is more to damage, of the next $round.
back() {
    group_start_one 2
    group_wait "replica 2 after $1" group_is 2 status normal
    group_wait_agree
    group_running 2
    [ "$(vstamp --timeout 20 get k59)" = "round$round-59" ]
    round=$((round + 1))
    some_writes "round$round"
}

@test "a byte is flipped anywhere in the folder of one replica" {
    local file i name place size
    start_with_data
    for file in journal pages.mdb; do
        for ((i = 0; i < places; i++)); do
            group_kill 2
            for name in "$(data)/$file"*; do
                [[ $name != *.spare ]] || continue
                size=$(used "$name")
                ((size > 0)) || continue
                place=$(((size / places * i + RANDOM % (size / places)) % size))
                flip "$name" "$place"
                echo "$name: byte $place of $size"
            done
            back "flips in $file*, round $round"
        done
    done
    group_wait_agree
}

@test "a file of the folder of one replica is cut short anywhere" {
    local file i name place size
    start_with_data
    for file in journal pages.mdb; do
        for ((i = 0; i < places; i++)); do
            group_kill 2
            name=$(ls -S "$(data)/$file"* | grep -v spare | head -n 1)
            size=$(used "$name")
            place=$((size / places * i + RANDOM % (size / places)))
            truncate -s "$place" "$name"
            echo "$name: cut to $place of $size"
            back "$file* cut to $place"
        done
    done
    group_wait_agree
}

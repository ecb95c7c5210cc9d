# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Groups whose members change, for bats files; on top of group.bash.
#
#   epochs_begin 5 "durability: disk"   ports and folders for replicas 0 to 4; starts nothing
#   epochs_config a 0 1 2               a.yaml: the group of these three
#   epochs_start a 0 1 2                start them with that file
#   epochs_config b 0 1 2 3 4
#   epochs_start b 3 4
#   vstamp-admin reconfigure b.yaml --yes
#
# A number names a replica in all epochs: what it has is $(group_address N), replica-N.log and the
# folder N/INDEX.  Its index depends on the file.  The current folder is the test's own.

# epochs_begin N [LINE...]: each further word is a line of every configuration.
epochs_begin() {
    group_configure "$@"
    EPOCHS_LINES=("${@:2}")
    cd "$BATS_TEST_TMPDIR" || return 1
}

# epochs_config NAME N...: write NAME.yaml, the group of these.
epochs_config() {
    local n name=$1
    shift
    {
        echo "replicas_addresses:"
        for n in "$@"; do echo "  - $(group_address "$n")"; done
        echo "status_addresses:"
        for n in "$@"; do
            echo "  - ${GROUP_HOSTS[n]:-$GROUP_HOST}:$((GROUP_BASE + GROUP_SIZE + n))"
        done
        printf '%s\n' "${EPOCHS_LINES[@]}"
    } >"$name.yaml"
}

# epochs_index NAME N: prints its index in NAME.yaml.
epochs_index() {
    sed -n '/^replicas_addresses/,/^status_addresses/p' "$1.yaml" | grep '^  - ' |
        awk -v address="$(group_address "$2")" '$2 == address { print NR - 1 }'
}

# epochs_start_one NAME N [OPTION...]
epochs_start_one() {
    local name=$1 n=$2
    vstamp-replica --config "$name.yaml" --index "$(epochs_index "$name" "$n")" \
        --data-dir "$n" "${@:3}" </dev/null >>"replica-$n.log" 2>&1 3>&- &
    GROUP_PIDS[n]=$!
}

# epochs_start NAME N...: and wait until all of them listen.
epochs_start() {
    local n name=$1
    shift
    for n in "$@"; do epochs_start_one "$name" "$n"; done
    for n in "$@"; do group_wait "replica $n to listen" epochs_listens "$n"; done
}

epochs_listens() { group_status "$1" >/dev/null; }

# epochs_run EPOCH N...: all of these are normal in that epoch.
epochs_run() {
    local n epoch=$1
    shift
    for n in "$@"; do
        [[ $(group_status "$n") == *"\"epoch\":$epoch,"*'"status":"normal"'* ]] || return 1
    done
}

epochs_wait() { group_wait "epoch $1 at ${*:2}" epochs_run "$@"; }

# epochs_ended N...: each ended by itself, well, and said so.
epochs_ended() {
    local n
    for n in "$@"; do
        group_wait "replica $n to end" group_never group_running "$n"
        group_reap "$n"
        tail -n 1 "replica-$n.log" | grep -q 'event=stopped reason="replaced in epoch'
    done
}

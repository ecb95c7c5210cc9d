# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Status endpoints that say what a test wants them to (fake_status.c), for vstamp-admin alone.
#
#   load fakes
#   teardown() { fakes_teardown; }
#   fakes_start 0 1 2                     # one for each index; `2=silent` accepts and never
#                                         # answers, nobody listens at `2=dead`
#   fakes_say 0 '{"replica":0,...}'       # what its /status answers from now on
#   fakes_group 0 1 2                     # or all of a group at once: 0 is the primary, all is well
#   fakes_configure                       # writes server-config.yaml, exports VSTAMP_CONFIG

bats_require_minimum_version 1.5.0
FAKES_PIDS=()
FAKES_PORTS=()

fakes_start() {
    local word i what folder
    for word in "$@"; do
        i=${word%%=*} what=${word#"$i"}
        folder=$BATS_TEST_TMPDIR/fake-$i
        mkdir -p "$folder"
        [[ $what == =silent ]] && folder=--silent
        "${top_builddir:-.}/tests/cli/fake_status" "$folder" \
            >"$BATS_TEST_TMPDIR/port-$i" 2>/dev/null 3>&- &
        FAKES_PIDS[i]=$!
        while [[ ! -s $BATS_TEST_TMPDIR/port-$i ]]; do
            kill -0 "${FAKES_PIDS[i]}" || return 1
            sleep 0.01
        done
        FAKES_PORTS[i]=$(<"$BATS_TEST_TMPDIR/port-$i")
        [[ $what == =dead ]] && fakes_kill "$i"
    done
    fakes_configure
}

fakes_configure() {
    local i
    export VSTAMP_CONFIG=$BATS_TEST_TMPDIR/server-config.yaml
    {
        echo "replicas_addresses:"
        for i in "${!FAKES_PORTS[@]}"; do echo "  - 127.0.0.1:1000$i"; done
        echo "status_addresses:"
        for i in "${!FAKES_PORTS[@]}"; do echo "  - 127.0.0.1:${FAKES_PORTS[i]}"; done
    } >"$VSTAMP_CONFIG"
}

fakes_say() { printf '%s\n' "$2" >"$BATS_TEST_TMPDIR/fake-$1/status"; }

# fakes_status I ROLE: what replica I of a group of three led by 0 says.  It heard each of the
# others 12 ms ago, or as long as HEARD says, and has acknowledgements of all, or as ACKED says.
fakes_status() {
    local j peers=
    for j in 0 1 2; do
        ((j == $1)) && continue
        peers+=",{\"replica\":$j,\"address\":\"127.0.0.1:1000$j\",\"connected\":true"
        peers+=",\"last_contact_ms\":${HEARD[j]:-12},\"acked_op\":${ACKED[j]:-18205}}"
    done
    printf '%s' "{\"replica\":$1,\"address\":\"127.0.0.1:1000$1\",\"epoch\":0,\"view\":4," \
        "\"last_normal_view\":4,\"status\":\"normal\",\"reason\":\"\",\"role\":\"$2\"," \
        "\"primary\":0," \
        "\"op_number\":18205,\"commit_number\":$((18205 - $1)),\"uptime_s\":187200," \
        "\"version\":\"0.1.0\",\"peers\":[${peers#,}]}"
}

fakes_group() {
    local i
    for i in "$@"; do
        fakes_say "$i" "$(fakes_status "$i" "$( ((i == 0)) && echo primary || echo backup)")"
    done
}

fakes_kill() {
    kill -KILL "${FAKES_PIDS[$1]}"
    wait "${FAKES_PIDS[$1]}" 2>/dev/null || true
    FAKES_PIDS[$1]=
}

fakes_teardown() {
    local i
    for i in "${!FAKES_PIDS[@]}"; do [[ -n ${FAKES_PIDS[i]} ]] && fakes_kill "$i"; done
    return 0
}

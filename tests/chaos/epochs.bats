#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A group tours its machines, 3 -> 5 -> 7 -> another 3, while 16 clients use it and members are
# killed: who, when and for how long is drawn.  Of the members before and of those after a change,
# no more are down at a time than may fail.  Nothing is lost and nothing runs twice (count.sh), and
# the clients are without an answer for less than two seconds.
#
# VSTAMP_SOAK=1 goes on for 51 epochs.  EPOCHS_SEED repeats what was drawn, though not the machine's
# timing.  The names of the replicas are numbers, as in epochs.bash.

load ../cli/group
load ../cli/epochs

pause_ms=2000

setup() {
    tours=1
    [[ -z ${VSTAMP_SOAK:-} ]] || tours=17
    seed=${EPOCHS_SEED:-$((RANDOM + 1))}
    RANDOM=$seed
    GROUP_DEADLINE=60
}

teardown() {
    local pid
    for pid in $(cat "$BATS_TEST_TMPDIR/clients"); do group_adopt "$pid"; done
    group_teardown
}

# draw LEAST MOST: sets DRAWN.
draw() { DRAWN=$(($1 + RANDOM % ($2 - $1 + 1))); }

is_among() { [[ " ${*:2} " == *" $1 "* ]]; }

# note WHAT...: into the log of the faults.
note() { echo "${EPOCHREALTIME/./} $*" >>faults; }

# --- kills ----------------------------------------------------------------------------------------

# What each was started with last; which are down, or not back yet; and when each is started again.
began_with=() down=() back_at=()

now_ms() { NOW=$((${EPOCHREALTIME/./} / 1000)); }

# spares I N...: of these no more are down, with I as well, than may fail.
spares() {
    local i n=1
    for i in "${@:2}"; do [[ -z ${down[i]:-} || $i == "$1" ]] || n=$((n + 1)); done
    ! is_among "$1" "${@:2}" || ((n <= ($# - 2) / 2))
}

# One more, if somebody can be spared; some times a change, so that it comes to an end.
strike() {
    local i all=()
    ((strikes_left > 0)) || return 0
    for i in "${!GROUP_PIDS[@]}"; do
        [[ -n ${GROUP_PIDS[i]} && -z ${down[i]:-} ]] || continue
        is_among "$i" "${members[@]}" "${next[@]}" || continue
        ! spares "$i" "${members[@]}" || ! spares "$i" "${next[@]}" || all+=("$i")
    done
    ((${#all[@]} > 0)) || return 0
    draw 0 $((${#all[@]} - 1))
    i=${all[DRAWN]}
    # one strike in three is at the primary, if that is among them
    draw 1 3
    if ((DRAWN == 1)) && group_has_primary && is_among "$PRIMARY" "${all[@]}"; then i=$PRIMARY; fi
    group_running "$i" || return 0
    group_kill "$i"
    draw 20 800
    down[i]=yes back_at[i]=$((NOW + DRAWN)) kills=$((kills + 1))
    strikes_left=$((strikes_left - 1))
    note "replica $i is killed, for $DRAWN ms"
}

# Is it well again?  A member is normal, a member to be listens, who was replaced has ended.
is_back() {
    local one
    group_running "$1" || return 0
    one=$(group_status "$1") || return 1
    is_among "$1" "${members[@]}" || return 0
    [[ $one == *'"status":"normal"'* ]]
}

revive() {
    local i
    for i in "${!down[@]}"; do
        if [[ -n ${back_at[i]:-} ]]; then
            ((NOW >= back_at[i])) || continue
            epochs_start_one "${began_with[i]}" "$i"
            back_at[i]=
        elif is_back "$i"; then
            unset "down[$i]"
            note "replica $i is back"
        fi
    done
}

# torment COMMAND...: until that succeeds.
torment() {
    local next_ms=0 end=$((SECONDS + GROUP_DEADLINE))
    until "$@"; do
        ((SECONDS < end)) || { echo "gave up waiting for: $*"; group_show_logs; return 1; }
        now_ms
        revive
        if ((NOW >= next_ms)); then
            strike
            draw 50 800
            next_ms=$((NOW + DRAWN))
        fi
        sleep 0.02
    done
}

all_back() {
    now_ms
    revive
    ((${#down[@]} == 0))
}

# --- a change -------------------------------------------------------------------------------------

has_ended() { ! kill -0 "$1" 2>/dev/null; }

# Those who were replaced have ended, well; who was killed meanwhile comes back with its old folder
# and file.
has_replaced() {
    local i status last
    for i in "${leaving[@]}"; do
        [[ -z ${back_at[i]:-} ]] || return 1
        [[ -n ${GROUP_PIDS[i]:-} ]] || continue
        ! group_running "$i" || return 1
        status=0
        group_reap "$i" || status=$?
        last=$(tail -n 1 "replica-$i.log")
        [[ $status -eq 0 && $last == *'event=stopped reason="replaced in epoch'* ]] && continue
        echo "replica $i ended with status $status: $last"
        exit 1
    done
}

has_begun() { epochs_run "$epoch" "$@"; }

# move_to N...: these are the members of the next epoch; new ones have empty folders.
move_to() {
    local i name changing
    next=("$@") leaving=() strikes_left=5
    epoch=$((epoch + 1))
    name=epoch-$epoch
    epochs_config "$name" "$@"
    for i in "${members[@]}"; do is_among "$i" "$@" || leaving+=("$i"); done
    for i in "$@"; do
        ! is_among "$i" "${members[@]}" || continue
        rm -rf "$i"
        began_with[i]=$name
        epochs_start_one "$name" "$i"
    done
    note "to ${next[*]}"
    (until vstamp-admin reconfigure "$name.yaml" --yes; do sleep 0.1; done) >>changes 2>&1 3>&- &
    changing=$!
    group_adopt "$changing"
    torment has_ended "$changing"
    members=("$@")
    note "they are the members"
    torment has_begun "$@"
    torment has_replaced
}

has_counted() { (($(cat counted-* | wc -l) == 16 * $(<asked))); }

# Each client's answers must be 1, 2, 3 and so on.  Sets PAUSE_MS, between two answers to whomever.
judge() {
    local i
    group_wait "the last answers to be written down" has_counted
    for i in {0..15}; do
        seq "$(<asked)" | diff - <(cut -d' ' -f2 "counted-$i")
    done
    PAUSE_MS=$(cut -d' ' -f1 counted-* | sort -n |
        awk 'NR > 1 && $1 - before > most { most = $1 - before } { before = $1 }
            END { printf "%d", most / 1000 }')
}

# --- the tour -------------------------------------------------------------------------------------

@test "3 -> 5 -> 7 -> another 3 under load, members killed at random: nothing lost, nothing twice" {
    local i tour counting pool all=(0 1 2 3 4 5 6 7 8 9)
    echo "EPOCHS_SEED=$seed"
    epochs_begin 10
    epochs_config epoch-0 0 1 2
    export VSTAMP_CONFIG=epoch-0.yaml
    members=(0 1 2) next=(0 1 2) epoch=0 kills=0
    for i in 0 1 2; do began_with[i]='epoch-0'; done
    epochs_start epoch-0 0 1 2
    vstamp --timeout 20 --session slept incr slept
    bash "${BATS_TEST_DIRNAME:?}/count.sh" 16 >count.out 2>&1 3>&- &
    counting=$!
    group_adopt "$counting"
    for ((tour = 0; tour < tours; tour++)); do
        pool=()
        for i in "${all[@]}"; do is_among "$i" "${members[@]}" || pool+=("$i"); done
        move_to "${members[@]}" "${pool[@]:0:2}"
        move_to "${members[@]}" "${pool[@]:2:2}"
        move_to "${pool[@]:4:3}"
        # a copy of the past: its folder and its file are two epochs old
        epochs_start_one "${began_with[pool[0]]}" "${pool[0]}"
        epochs_ended "${pool[0]}"
    done
    GROUP_DEADLINE=60 group_wait "all to be back" all_back
    touch stop
    wait "$counting" || { cat count.out; false; }
    judge
    echo "# $epoch epochs, $kills kills, $((16 * $(<asked))) increments," \
        "longest pause $PAUSE_MS ms" >&3
    ((PAUSE_MS < pause_ms && kills >= 5 * tours))
    group_wait_agree
    [ "$(vstamp --config "epoch-$epoch.yaml" --session slept incr slept)" = 2 ]
}

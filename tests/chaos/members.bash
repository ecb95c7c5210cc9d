# shellcheck shell=bash disable=SC2034,SC2154 # chaos.sh and group.bash have the rest
# SPDX-License-Identifier: BSD-2-Clause
# The members of a group under chaos.sh, and their change: the nemesis `change`.  A replica has a
# number for good; which index it has in which file is noted where group.bash looks for it.  Who is
# no member does not run (spare in `busy`), but for those that were replaced and are needed yet.

# The members, and the witnesses among them; of the next epoch, too, while a process of ours
# (changing) asks for that.
members=() witnesses=() next=() next_witnesses=() changing=

is_among() { [[ " ${*:2} " == *" $1 "* ]]; }

# without I LIST...: sets LEFT to the list but for I.
without() {
    local i one=$1
    LEFT=()
    for i in "${@:2}"; do ((i == one)) || LEFT+=("$i"); done
}

# write_epoch: the configuration of the next epoch; sets EPOCH_FILE.
write_epoch() {
    local i list=()
    epoch=$((epoch + 1))
    EPOCH_FILE=$BATS_TEST_TMPDIR/epoch-$epoch.yaml
    epochs_config "${EPOCH_FILE%.yaml}" "${next[@]}"
    for i in "${!next[@]}"; do
        ! is_among "${next[i]}" "${next_witnesses[@]}" || list+=("$i")
    done
    echo "witnesses: [$(IFS=,; echo "${list[*]}")]" >>"$EPOCH_FILE"
}

# configure I: its empty folder begins with the newest configuration.
configure() {
    GROUP_CONFIG[$1]=$EPOCH_FILE
    GROUP_INDEX[$1]=$(epochs_index "${EPOCH_FILE%.yaml}" "$1")
}

# set_aside I: it is no member, and does not run.
set_aside() {
    busy[$1]=spare
    lost[$1]=
    rm -rf "$BATS_TEST_TMPDIR/data/$1"/*
}

# Until the last of those that were replaced has ended.
is_changing() {
    local i
    [[ -z $changing ]] || return 0
    for ((i = 0; i < GROUP_SIZE; i++)); do
        [[ ${busy[i]:-} == spare ]] || is_among "$i" "${members[@]}" || return 0
    done
    return 1
}

# Is it done?  Then that is the group.
follow_change() {
    [[ -n $changing ]] && ! kill -0 "$changing" 2>/dev/null || return 0
    wait "$changing" || wrong "the members do not change: $(tail -n 1 "$BATS_TEST_TMPDIR/changes")"
    changing=''
    members=("${next[@]}") witnesses=("${next_witnesses[@]}")
    note "the members are ${members[*]}, the witnesses ${witnesses[*]}"
}

# Sets next and next_witnesses: one more, one less, one in place of another, or one in another part.
# Fails where that cannot be; there always is one that can.
draw_members() {
    local i spares=() leaving=
    for ((i = 0; i < GROUP_SIZE; i++)); do
        [[ ${busy[i]:-} != spare ]] || spares+=("$i")
    done
    next=("${members[@]}") next_witnesses=("${witnesses[@]}")
    draw 1 $((${#members[@]} - 1))
    i=${members[DRAWN]} # not the first
    draw 1 4
    case $DRAWN in
    1) ((${#spares[@]} > 0)) || return 1 ;;
    2) ((${#members[@]} > 3)) || return 1
        leaving=$i spares=() ;;
    3) ((${#spares[@]} > 0)) || return 1
        leaving=$i ;;
    4) spares=()
        without "$i" "${witnesses[@]}"
        is_among "$i" "${witnesses[@]}" || LEFT+=("$i")
        next_witnesses=("${LEFT[@]}") ;;
    esac
    if [[ -n $leaving ]]; then
        without "$leaving" "${members[@]}"
        next=("${LEFT[@]}")
        without "$leaving" "${witnesses[@]}"
        next_witnesses=("${LEFT[@]}")
    fi
    next+=("${spares[@]:0:1}")
    ((${#next_witnesses[@]} <= (${#next[@]} - 1) / 2))
}

begin_change() {
    local i
    ! is_changing && (($(n_lost) == 0)) || return 1
    until draw_members; do :; done
    write_epoch
    for i in "${next[@]}"; do
        is_among "$i" "${members[@]}" && continue
        busy[i]=
        configure "$i"
        start "$i"
    done
    (until $ask vstamp-admin reconfigure "$EPOCH_FILE" --yes; do sleep 0.3; done) \
        >>"$BATS_TEST_TMPDIR/changes" 2>&1 3>&- 4>&- &
    changing=$!
    group_adopt "$changing"
    victims[change]="to ${next[*]}, witnesses ${next_witnesses[*]}"
}
end_change() { :; } # in its own time

has_changed() {
    check_running
    follow_change
    ! is_changing
}

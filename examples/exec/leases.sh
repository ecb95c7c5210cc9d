#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Leases that end by themselves, in shell:
#
#     vstamp-replica --config FILE --index N --app-exec ./leases.sh
#
#     take NAME WHO SECONDS   "yes", from now on for so long; "no: WHO" has it, if another one has
#     drop NAME WHO           "yes"; "no" if WHO does not have it
#     read: NAME              who has it, or "nobody"
#     read: all               all of them, a line each: name, who, and the microsecond of the end
#
# "ticks" in the first answer: from then on each line that answers a change of the state ends with
# the time at which the next lease ends, and when that has come vstamp asks for a "tick", at the
# same place of the log at every replica.  An operation may come between the two, so it first ends
# what has ended by its own time.
#
# The protocol is vstamp-app-exec(5).
set -u
export LC_ALL=C
declare -A holder ends

# settle TIME: what has ended by then ends; `due` is when the next one does.
settle() {
    local name
    due=never
    for name in "${!ends[@]}"; do
        if [ "${ends[$name]}" -le "$1" ]; then
            unset 'holder[$name]' 'ends[$name]'
        elif [ "$due" = never ] || [ "${ends[$name]}" -lt "$due" ]; then
            due=${ends[$name]}
        fi
    done
}

# run TIME VERB NAME WHO SECONDS: sets `answer`.
run() {
    local name=${3-} who=${4-} now
    answer="not understood"
    case $name/$who in /* | */ | *[!A-Za-z0-9_./-]*) return ;; esac
    now=${holder[$name]-}
    case "$2 ${5-}" in
    "take "[0-9] | "take "[0-9][0-9] | "take "[0-9][0-9][0-9])
        answer="no: $now"
        if [ "$now" = "" ] || [ "$now" = "$who" ]; then
            holder[$name]=$who
            ends[$name]=$(($1 + 10#$5 * 1000000))
            answer=yes
        fi
        ;;
    "drop ")
        answer=no
        if [ "$now" = "$who" ]; then
            unset 'holder[$name]' 'ends[$name]'
            answer=yes
        fi
        ;;
    esac
}

all() { # sorted: equal states are equal bytes
    local name
    for name in "${!holder[@]}"; do
        printf '%s %s %s\n' "$name" "${holder[$name]}" "${ends[$name]}"
    done | sort
}

load() {
    local name who end
    holder=() ends=()
    while read -r name who end; do
        [ "$name" = "" ] || holder[$name]=$who ends[$name]=$end
    done <<<"$1"
}

take_body() { # SIZE
    read -r -N "$1" body
    read -r # the end of its line
}

say() { printf '%s %s %d%s\n%s\n' "$1" "$number" "${#2}" "${3-}" "$2"; } # WORD BODY [DUE]

while read -r word number op time _ _ _ size; do
    case $word in
    hello) echo hello 1 leases ticks ;;
    load) # what follows the number is the size
        take_body "$op"
        load "$body"
        settle 0
        echo "loaded $number $due"
        ;;
    apply)
        take_body "$size"
        settle "$time"
        read -r -a words <<<"$body"
        run "$time" "${words[@]}"
        settle "$time"
        say answer "$answer" " $due"
        ;;
    tick)
        settle "$time"
        echo "ticked $number $due"
        ;;
    query)
        take_body "$op"
        case $body in
        all) say answer "$(all)" ;;
        '' | *[!A-Za-z0-9_./-]*) say answer "not understood" ;;
        *) say answer "${holder[$body]-nobody}" ;;
        esac
        ;;
    save) say state "$(all)" ;;
    esac
done

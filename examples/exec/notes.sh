#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A replicated list of notes, in shell:
#
#     vstamp-replica --config FILE --index N --app-exec ./notes.sh
#
# An operation is a note, a line of text, and its answer is the note's number.  A read is a number,
# answered by the note and when it was written, or "all".  The state is the lines themselves.
#
# The protocol is vstamp-app-exec(5).  Sizes are in bytes, so the locale is that of bytes; the time
# zone is the same everywhere, for whatever differs among replicas must not get into the state.
# Notes are lines, so a line can be read for a body; a state of several lines is read by its size.
set -u
export LC_ALL=C TZ=UTC0
notes=()

say() { printf '%s %s %d\n%s\n' "$1" "$number" "${#2}" "$2"; } # WORD BODY

all() {
    local IFS=$'\n'
    printf '%s' "${notes[*]}"
}

while read -r word number op time _; do
    case $word in
    hello) echo hello 1 notes ;;
    load) # what follows the number is the size
        read -r -N "$op" state
        read -r
        mapfile -t notes <<<"$state"
        echo "loaded $number"
        ;;
    apply)
        read -r note
        printf -v date '%(%F %T)T' $((time / 1000000)) # the time is the group's, not the clock's
        notes+=("$date $note")
        say answer "${#notes[@]}"
        ;;
    query)
        read -r wanted
        case $wanted in
        all) say answer "$(all)" ;;
        *[!0-9]* | '' | 0) say answer "not a number: $wanted" ;;
        *) say answer "${notes[wanted - 1]-}" ;;
        esac
        ;;
    save) say state "$(all)" ;;
    esac
done

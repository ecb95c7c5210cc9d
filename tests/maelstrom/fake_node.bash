#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A node of Maelstrom that is not what it says: it keeps its own table and asks nobody.  Alone it is
# right, in a group it is not, and the driver must find that out.
#     fake_node.bash HOW
#       honest    answers from its table
#       denies    does each second write, and says that it did not
#       mute      never answers a write
#       rambles   writes what is no message
#       dies      ends at the first write
# Takes messages as the driver writes them: compact, members in order.
how=$1 self='' n_writes=0
declare -A table

answer() { # CLIENT MSG_ID MEMBERS
    printf '{"src":"%s","dest":"%s","body":{"in_reply_to":%s,%s}}\n' "$self" "$1" "$2" "$3"
}

write() { # CLIENT MSG_ID KEY VALUE OK
    n_writes=$((n_writes + 1))
    case $how in
    mute) return ;;
    rambles) echo "wrote $4" ;;
    dies) exit 3 ;;
    esac
    table[$3]=$4
    if [[ $how == denies && $((n_writes % 2)) == 0 ]]; then
        answer "$1" "$2" '"type":"error","code":11,"text":"not now"'
    else
        answer "$1" "$2" "\"type\":\"$5\""
    fi
}

cas() { # CLIENT MSG_ID KEY FROM TO
    if [[ -z ${table[$3]} ]]; then
        answer "$1" "$2" '"type":"error","code":20,"text":"no such key"'
    elif [[ ${table[$3]} != "$4" ]]; then
        answer "$1" "$2" '"type":"error","code":22,"text":"another value"'
    else
        write "$1" "$2" "$3" "$5" cas_ok
    fi
}

read_key() { # CLIENT MSG_ID KEY
    if [[ -z ${table[$3]} ]]; then
        answer "$1" "$2" '"type":"error","code":20,"text":"no such key"'
    else
        answer "$1" "$2" "\"type\":\"read_ok\",\"value\":${table[$3]}"
    fi
}

is_read='"key":(.*),"msg_id":([0-9]+),"type":"read"},"dest"'
is_write='"key":(.*),"msg_id":([0-9]+),"type":"write","value":(.*)},"dest"'
is_cas='"from":(.*),"key":(.*),"msg_id":([0-9]+),"to":(.*),"type":"cas"},"dest"'
is_init='"msg_id":([0-9]+),"node_id":"([^"]*)"'
while IFS= read -r line; do
    client=${line##*\"src\":\"} client=${client%%\"*}
    if [[ $line =~ $is_read ]]; then
        read_key "$client" "${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}"
    elif [[ $line =~ $is_write ]]; then
        write "$client" "${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" write_ok
    elif [[ $line =~ $is_cas ]]; then
        cas "$client" "${BASH_REMATCH[3]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}" \
            "${BASH_REMATCH[4]}"
    elif [[ $line =~ $is_init ]]; then
        self=${BASH_REMATCH[2]}
        answer "$client" "${BASH_REMATCH[1]}" '"type":"init_ok"'
    fi
done

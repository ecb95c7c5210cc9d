#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp-admin view-change: a planned hand-over of the primary.

load group

teardown() { group_teardown; }

# From JSON on one line.
field() { sed -E "s/.*\"$1\":\"?([^,\"}]*).*/\1/" <<<"$2"; }

# Has replica $1 not heard replica $2 for so long that it would not let it lead?
misses() {
    [[ $(group_status "$1") =~ \"replica\":$2,\"address\":[^}]*\"last_contact_ms\":([0-9]+) ]] &&
        ((BASH_REMATCH[1] > 1250))
}

leads() { [[ $(group_field "$1" role) == primary ]]; }

@test "the named replica leads, clients notice nothing, and no time-out passes" {
    local to answer
    group_start 3 "view_change_ms: 20000"
    group_wait_primary
    vstamp --timeout 20 put k v
    group_wait_agree
    to=$(((PRIMARY + 2) % 3))
    run vstamp-admin view-change --to "$to"
    [ "$status" -eq 0 ]
    [[ $output == "primary moved from $PRIMARY to $to in "*" ms (view 2)" ]]
    leads "$to"
    [ "$(vstamp get k)" = v ]

    answer=$(vstamp-admin --json view-change)
    [ "$(field moved "$answer")" = true ]
    [ "$(field from "$answer")" = "$to" ]
    [ "$(field to "$answer")" = $(((to + 1) % 3)) ]
    # Far below a time-out; what it takes on an idle machine is in vstamp-admin(8).
    awk -v ms="$(field ms "$answer")" 'BEGIN { exit !(ms > 0 && ms < 10000) }'

    to=$(((to + 1) % 3))
    run vstamp-admin view-change --to "$to"
    [ "$status" -eq 0 ]
    [ "$output" = "replica $to is the primary already (view 3)" ]
    [ "$(field moved "$(vstamp-admin --json view-change --to "$to")")" = false ]
}

@test "hand-overs under load: each client's increments run once" {
    local i clients=() sum=0
    group_start 3 "durability: memory"
    group_wait_primary
    for i in 1 2 3 4; do
        (for _ in {1..50}; do vstamp --timeout 20 incr "n$i" >/dev/null || exit 1; done) 3>&- &
        clients+=($!)
    done
    for i in {1..10}; do vstamp-admin --timeout 20 view-change >/dev/null; done
    for i in "${clients[@]}"; do wait "$i"; done
    for i in 1 2 3 4; do sum=$((sum + $(vstamp get "n$i"))); done
    [ "$sum" -eq 200 ]
    group_wait_agree
}

@test "who cannot lead is refused in words, and the primary stays" {
    local view
    group_start 5 "durability: memory" "witnesses: [4]" "view_change_ms: 1000"
    group_wait_agree
    group_wait_primary
    view=$(group_field "$PRIMARY" view)
    group_fails 2 "*view-change: --to: expected the index of a replica, 0 to 4, found 9" \
        vstamp-admin view-change --to 9
    group_fails 5 "*replica 4 is a witness*" vstamp-admin view-change --to 4
    run bash -c 'vstamp-admin --json view-change --to 4 2>/dev/null'
    [[ $output == '{"ok":false,"error":"refused","outcome":"none","message":"replica 4 is a '* ]]
    group_kill $(((PRIMARY + 1) % 4))
    group_wait "it to be missed" misses "$PRIMARY" $(((PRIMARY + 1) % 4))
    group_fails 5 "*is down, or cut off: the connection to it broke" \
        vstamp-admin view-change --to $(((PRIMARY + 1) % 4))
    [ "$(group_field "$PRIMARY" view)" = "$view" ]
    # without a name the one that is down is left out
    run vstamp-admin view-change
    [[ $status -eq 0 && $output == "primary moved from $PRIMARY to $(((PRIMARY + 2) % 4)) in "* ]]
}

@test "nobody to ask, nobody who leads: nothing was moved, exit 3" {
    group_configure 3 "durability: memory"
    group_fails 3 "vstamp-admin: no replica answers: see 'vstamp-admin status'" \
        vstamp-admin --timeout 0.1 view-change
    run bash -c 'vstamp-admin --timeout 0.1 --json view-change 2>/dev/null'
    [ "$status" -eq 3 ]
    [ "$output" = '{"ok":false,"error":"not-run","outcome":"none",'\
'"message":"no replica answers: see '"'vstamp-admin status'"'"}' ]
    group_start_one 0
    group_wait "replica 0" group_http 0 /livez >/dev/null
    group_fails 3 "*no primary*" vstamp-admin --timeout 2 view-change
}

@test "without a quorum it says so when the time-out is over, not ten of them" {
    local began
    group_start 3 "durability: memory"
    group_wait_agree
    group_wait_primary
    group_kill $(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))
    began=$SECONDS
    group_fails 3 "vstamp-admin: *: see 'vstamp-admin status'" vstamp-admin --timeout 3 view-change
    ((SECONDS - began < 15))
}

@test "who has just died is refused at once, and the group stays in its view" {
    local view next
    group_start 3 "durability: memory" "view_change_ms: 5000"
    group_wait_agree
    group_wait_primary
    view=$(group_field "$PRIMARY" view)
    next=$(((PRIMARY + 1) % 3))
    group_kill "$next"
    group_wait_log "$PRIMARY" "event=peer-disconnected peer=$next"
    group_fails 5 "*replica $next is down, or cut off: the connection to it broke" \
        vstamp-admin view-change --to "$next"
    [ "$(group_field "$PRIMARY" view)" = "$view" ]
    run vstamp-admin view-change
    [[ $status -eq 0 && $output == "primary moved from $PRIMARY to $(((PRIMARY + 2) % 3)) in "* ]]
}

@test "a replica that stops as it is to lead: who leads then is said, and why not the other" {
    group_start 3 "durability: memory"
    group_wait_agree
    group_wait_primary
    group_pause $(((PRIMARY + 1) % 3)) # and nobody has missed it yet
    run vstamp-admin view-change --to $(((PRIMARY + 1) % 3))
    group_cont $(((PRIMARY + 1) % 3))
    [[ $output == *"replica $(((PRIMARY + 1) % 3)) is silent: it was not heard for "* ]]
    [[ $status -eq 5 || ($status -eq 1 && $output == "primary moved from $PRIMARY to "*) ]]
}

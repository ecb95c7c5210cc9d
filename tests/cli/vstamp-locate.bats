#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Who names one member of a group finds the group, be it one that leads or not.

load group

setup() {
    GROUP_HOST=127.0.0.1 # which has other names
    group_start 3 "witnesses: [2]" "view_change_ms: 10000" "durability: memory"
    group_wait_primary
    group_wait_agree
    cd "$BATS_TEST_TMPDIR"
    backup=$((1 - PRIMARY))
    dead=127.0.0.1:1 # where nobody listens
}

teardown() { group_teardown; }

# from REPLICAS COMMAND...: no configuration helps it.
from() { env -u VSTAMP_CONFIG vstamp --timeout 20 --replicas "$@"; }

@test "a backup, a witness, another spelling, dead addresses beside them: all commands find it" {
    local names other consistency
    other=$(group_other_name)
    for names in "$(group_address $backup)" "$(group_address 2)" \
        "$(group_address 2),$(group_address $backup)" "$other:$((GROUP_BASE + backup))" \
        "$dead,$(group_address $backup)" "$dead,$other:1,$(group_address 2)"; do
        [ "$(from "$names" put "$names" v)" = OK ]
        for consistency in linearizable causal stale; do
            [ "$(from "$names" --consistency "$consistency" get "$names")" = v ]
        done
    done
    names=$(group_address $backup)
    [ "$(printf 'incr n\nget n\nget n\n' | from "$names" shell)" = $'1\n1\n1' ]
    from "$names" export >dump
    from "$names" del n
    from "$names" import <dump
    [ "$(from "$names" get n)" = 1 ]
    from "$names" bench --duration 0.2 >/dev/null
    [ "$("${top_builddir:?}/examples/increments" "$names" hits 500)" = \
        "500 done, the counter was at 500" ]
    # many requests in flight at two that do not lead
    [ "$("${top_builddir:?}/examples/increments" "$(group_address 2),$names" hits 500)" = \
        "500 done, the counter was at 1000" ]
}

@test "a session file has the members, and goes on with them when the one that was named is gone" {
    local names
    names=$(group_address $backup)
    from "$names" --session s incr n
    grep -q "\"replicas\": \"$(group_address 0),$(group_address 1),$(group_address 2)\"" s
    group_kill $backup
    [ "$(from "$names" --session s incr n)" = 2 ]
    group_fails 3 "*$names: Connection refused*" from "$names" --timeout 1 get n
    # a primary that nobody misses yet, and that cannot be asked
    group_start_one $backup
    group_wait_agree
    group_pause "$PRIMARY"
    group_fails 3 "*not-primary*: its primary cannot be reached from here*" \
        from "$names" --timeout 2 get n
    group_cont "$PRIMARY"
    [ "$(from "$names" --session s incr n)" = 3 ]
}

@test "vstamp-admin takes a file that lists one member" {
    local answer other
    printf '%s\n' "replicas_addresses:" "  - $(group_address $backup)" "status_addresses:" \
        "  - $GROUP_HOST:$((GROUP_BASE + GROUP_SIZE + backup))" >one.yaml
    group_wait "health" vstamp-admin -c one.yaml health
    answer=$(vstamp-admin -t 20 -c one.yaml status)
    [[ $answer == "HEALTHY  primary $PRIMARY "*"replicas 3 "* ]]
    vstamp-admin -c one.yaml view-change --to $backup
    vstamp-admin -c one.yaml backup copy
    run vstamp-admin -c one.yaml reconfigure "$VSTAMP_CONFIG" --yes
    [ "$status" -eq 0 ]
    [[ $output == "nothing to change"* ]]
    # by another name for its host
    other=$(group_other_name)
    sed -i "s/$GROUP_HOST/$other/" one.yaml
    group_wait "health" vstamp-admin -c one.yaml health
    answer=$(vstamp-admin -t 20 -c one.yaml status)
    [[ $answer == "HEALTHY  primary $backup "*"replicas 3 "* ]]
    [[ $answer != *$other* && $(vstamp-admin -t 20 -c one.yaml --json status) != *$other* ]]
}

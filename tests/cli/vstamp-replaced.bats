#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Replicas that were replaced while they were away, and come back when nobody they knew is there.

load group
load epochs

teardown() { group_teardown; }

# has_forgotten N...: none of these looks for a former member.
has_forgotten() {
    local n
    for n in "$@"; do [[ $(group_field "$n" former) == "" ]] || return 1; done
}

@test "epochs later, all members others, and restarted since: it is found, told where, and ends" {
    local last
    epochs_begin 9 "view_change_ms: 100"
    epochs_config a 0 1 2
    export VSTAMP_CONFIG=a.yaml
    epochs_start a 0 1 2
    vstamp --timeout 20 put k v
    epochs_wait 0 0 1 2
    group_kill 2
    epochs_config b 3 4 5
    epochs_start b 3 4 5
    vstamp-admin reconfigure b.yaml --yes
    epochs_ended 0 1
    export VSTAMP_CONFIG=b.yaml
    epochs_config c 6 7 8
    epochs_start c 6 7 8
    vstamp-admin reconfigure c.yaml --yes
    epochs_ended 3 4 5
    epochs_wait 2 6 7 8
    group_kill 6 7 8
    epochs_start c 6 7 8
    epochs_wait 2 6 7 8
    export VSTAMP_CONFIG=c.yaml
    # who has ended is not looked for
    for n in 6 7 8; do group_wait_field "$n" former "$(group_address 2)"; done
    [[ $(vstamp-admin -t 20 --json status) == *"\"former\":\"$(group_address 2)\""* ]]
    epochs_start_one a 2
    epochs_ended 2
    last=$(tail -n 1 replica-2.log)
    [[ $last == *"replaced in epoch 2, "*"; the group is at $(group_address 6), "* ]]
    group_wait "it to be forgotten" has_forgotten 6 7 8
    # it knows now
    epochs_start_one a 2
    epochs_ended 2
    [ "$(vstamp get k)" = v ]
}

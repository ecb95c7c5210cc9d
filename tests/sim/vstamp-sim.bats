#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The simulator's command line: what cannot be is said, instead of being made possible.

refused() { # WORDS OPTION...
    run vstamp-sim --seeds 1-3 "${@:2}"
    echo "$output"
    [ "$status" -eq 2 ]
    [[ $output == *"$1"* ]]
}

@test "settings that make no group are refused, and the setting named" {
    refused "--set replicas: 1 to 7" --set replicas=8
    refused "--set replicas: 1 to 7" --set replicas=0
    refused "--set clients: 1 to 16" --set clients=17
    refused "--set witnesses: a bitset, and a majority" --set replicas=3 --set witnesses=3
    refused "--set witnesses: a bitset, of replicas of the group" --set witnesses=8 --set replicas=3
    refused "not NAME=NUMBER with a name of the list" --set witness=1
    run vstamp-sim --seeds 1-3 --set replicas=3 --set witnesses=4 --ticks 300
    [ "$status" -eq 0 ]
}

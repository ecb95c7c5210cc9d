#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Completion in bash: what a person who presses the tabulator is offered.

# offered WORD...: by the completion of the program that the first word names, for the last word.
offered() {
    local file
    file=$(find "${top_srcdir:?}"/{client,admin,replica,tests/sim}/completions -name "$1.bash")
    # shellcheck source=/dev/null
    source "$file"
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    "$(complete -p "$1" | sed 's/.*-F \([^ ]*\).*/\1/')"
    output=" ${COMPREPLY[*]} "
    echo "$* offers:$output"
}

@test "each program's options are those of its --help, all of them" {
    local program
    for program in vstamp vstamp-admin vstamp-replica vstamp-sim; do
        offered "$program" --
        [ "$(tr -d ' \n' <<<"$output")" = \
            "$("$program" --help | grep -oE '^  (-.,|   ) --[a-z-]+' | grep -oE -- '--.*' |
                tr -d '\n')" ]
        [[ $output == *" --help "* && $output == *" --version "* ]]
    done
}

@test "commands and their own options" {
    offered vstamp pu
    [ "$output" = " put " ]
    offered vstamp --timeout 3 put --
    [[ $output == *" --ttl "* ]]
    offered vstamp-admin bi
    [ "$output" = " bisect " ]
}

@test "values that are one of a few words" {
    offered vstamp --consistency c
    [ "$output" = " causal " ]
    offered vstamp-replica --journal-io ''
    [ "$output" = " ring thread " ]
    offered vstamp-replica --log-level w
    [ "$output" = " warn " ]
}

@test "behind '=' and addresses, which bash cuts into words" {
    offered vstamp --replicas 127.0.0.1 : 14621,b : 2 pu
    [ "$output" = " put " ]
    offered vstamp --session = file --replicas = '[' :: '1]' : 14621 put --
    [[ $output == *" --ttl "* ]]
    offered vstamp --consistency = c
    [ "$output" = " causal " ]
    offered vstamp --consistency =
    [ "$output" = " linearizable causal stale " ]
    offered vstamp-admin --config = file bi
    [ "$output" = " bisect " ]
    offered vstamp-replica --log-level = w
    [ "$output" = " warn " ]
    offered vstamp-sim --forbid = crash_al
    [ "$output" = " crash_all_us " ]
}

@test "files where one is named, and nothing where a number is" {
    cd "$BATS_TEST_TMPDIR"
    touch mine.so
    offered vstamp-sim --app mi
    [ "$output" = " mine.so " ]
    offered vstamp-replica --config mi
    [ "$output" = " mine.so " ]
    for command in backup restore reconfigure; do
        offered vstamp-admin "$command" mi
        [ "$output" = " mine.so " ]
    done
    offered vstamp-sim --seeds ''
    [ "$output" = "  " ]
}

@test "what the simulator draws, after --set and --forbid" {
    offered vstamp-sim --set wit
    [ "$output" = " witnesses witness_log_bytes " ]
    offered vstamp-sim --seeds 1-3 --forbid crash_al
    [ "$output" = " crash_all_us " ]
}

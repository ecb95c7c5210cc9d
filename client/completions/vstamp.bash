# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# bash completion of vstamp(1): commands and options are those that --help tells.

_vstamp() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command= i
    local piece words=("") # before this one; bash takes '=' and ':' for words, too
    for piece in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ $piece == [=:]* || ${words[-1]} == *[=:] ]]; then
            words[-1]+=$piece
        else
            words+=("$piece")
        fi
    done
    [[ $previous != = ]] || previous=${COMP_WORDS[COMP_CWORD - 2]}
    [[ $word != = ]] || word=
    for ((i = 1; i < ${#words[@]}; i++)); do
        case ${words[i]} in
        -c | -r | -s | -t | --config | --replicas | --tls | --session | --timeout | --consistency)
            ((i++))
            ;;
        -*) ;;
        *) command=${words[i]} && break ;;
        esac
    done
    COMPREPLY=()
    case $previous in
    -c | --config | -s | --session | --svg)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --tls)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    --distribution)
        mapfile -t COMPREPLY < <(compgen -W "uniform zipfian" -- "$word")
        return
        ;;
    --consistency)
        mapfile -t COMPREPLY < <(compgen -W "linearizable causal stale" -- "$word")
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        local options
        options=$(vstamp ${command:+"$command"} --help 2>/dev/null |
            sed -n 's/^  .\{4\}\(--[a-z-]*\).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif [[ -z $command ]]; then
        local commands
        commands=$(vstamp --help 2>/dev/null |
            awk '/^Commands:/ { on = 1; next } /^[^ ]/ { on = 0 } on && NF { print $1 }')
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
    elif [[ $command == import || $command == export ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $command == resume || $command == abandon ]]; then
        local state=${XDG_STATE_HOME:-$HOME/.local/state}/vstamp
        mapfile -t COMPREPLY < <(compgen -f -X '!*.pending' -- "${word:-$state/}" && compgen -f -- "$word")
    fi
}
complete -o filenames -F _vstamp vstamp

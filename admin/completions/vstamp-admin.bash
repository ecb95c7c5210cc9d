# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# bash completion of vstamp-admin(8): commands and options are those that --help tells.

_vstamp_admin() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command= i words
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | -r | -t | --config | --replicas | --tls | --timeout)
            ((i++))
            [[ ${COMP_WORDS[i]} != = ]] || ((i++)) # which is a word to bash
            ;;
        -*) ;;
        *) command=${COMP_WORDS[i]} && break ;;
        esac
    done
    [[ $previous != = ]] || previous=${COMP_WORDS[COMP_CWORD - 2]}
    [[ $word != = ]] || word=
    COMPREPLY=()
    if [[ $previous == -c || $previous == --config ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $previous == --tls ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
    elif [[ $word == -* ]]; then
        words=$(vstamp-admin ${command:+"$command"} --help 2>/dev/null |
            sed -n 's/^  .\{4\}\(--[a-z-]*\).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    elif [[ -z $command ]]; then
        words=$(vstamp-admin --help 2>/dev/null |
            awk '/^Commands:/ { on = 1; next } /^[^ ]/ { on = 0 } on && NF { print $1 }')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    elif [[ $command == @(backup|reconfigure|restore) ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $command == bisect || ($command == journal && $previous == journal) ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
    elif [[ $command == journal ]]; then
        mapfile -t COMPREPLY < <(compgen -W "verify list show" -- "$word")
    fi
}
complete -o filenames -F _vstamp_admin vstamp-admin

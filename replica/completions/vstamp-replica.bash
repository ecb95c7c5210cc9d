# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# bash completion of vstamp-replica(8): options are those that --help tells.

_vstamp_replica() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words
    [[ $previous != = ]] || previous=${COMP_WORDS[COMP_CWORD - 2]} # '=' is a word to bash
    [[ $word != = ]] || word=
    COMPREPLY=()
    case $previous in
    --data-dir) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    --journal-io) mapfile -t COMPREPLY < <(compgen -W "ring thread" -- "$word") ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W "logfmt json" -- "$word") ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W "error warn info debug" -- "$word") ;;
    -c | --config | --record | --app | --app-exec)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    -i | --index | --local | --app-argument) ;;
    *)
        words=$(vstamp-replica --help 2>/dev/null | sed -n 's/^  .\{4\}\(--[a-z-]*\).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        ;;
    esac
}
complete -o filenames -F _vstamp_replica vstamp-replica

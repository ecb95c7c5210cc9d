# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# bash completion of vstamp-sim(1): options, and the names of --set, are those that --help tells.

_vstamp_sim() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words
    [[ $previous != = ]] || previous=${COMP_WORDS[COMP_CWORD - 2]} # '=' is a word to bash
    [[ $word != = ]] || word=
    COMPREPLY=()
    case $previous in
    --set | --forbid)
        words=$(vstamp-sim --help 2>/dev/null |
            awk '/^Names for/ { on = 1 } on && /^  / { print $1 }')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        ;;
    --app | --app-exec | --operations | --file | --replay)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    --seed | --seeds | --ticks | --jobs | --hang | --app-argument) ;;
    *)
        words=$(vstamp-sim --help 2>/dev/null | sed -n 's/^  .\{4\}\(--[a-z-]*\).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        ;;
    esac
}
complete -o filenames -F _vstamp_sim vstamp-sim

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make model: searches recovery.pml exhaustively within each of some bounds, and shows that it finds
# what each of its switches breaks.  Takes a minute or two and about 1.7 GB.
#
#   check-model.sh MODEL FOLDER     FOLDER is made anew, for spin's files
set -u
: "${CC:=cc}" "${SPIN:=spin}" "${MODEL_MEMORY_MB:=4000}"
model=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") || exit 1
folder=$2

if ! command -v "$SPIN" >/dev/null; then
    echo 'make model needs spin: apt-get install spin' >&2
    exit 77
fi
rm -rf "$folder"
mkdir -p "$folder" && cd "$folder" || exit 1

# search HOW OPTION...: spin's verdict goes to ./out.
search() {
    how=$1
    shift
    # shellcheck disable=SC2086 # several words
    $SPIN "$@" -a "$model" >out 2>&1 &&
        $CC -w -DSAFETY -DNOREDUCE -DMEMLIM="$MODEL_MEMORY_MB" $how -o pan pan.c >>out 2>&1 &&
        ./pan -E -m100000 -w24 >out 2>&1
    echo "exit status $?" >>out
}

failed() {
    echo "FAILED: $1"
    sed 's/^/    /' out
    exit 1
}

figure() {
    sed -n "s/$1/\1/p" out
}

proves() {
    search -O2 "$@"
    grep -q 'errors: 0$' out && grep -q '^exit status 0$' out || failed "$*"
    # a search that was cut short has proved nothing
    if grep -qE 'max search depth|out of memory|not completed|interrupted' out; then
        failed "$*"
    fi
    echo "proved: $*: $(figure '^ *\([0-9]*\) states, stored.*') states," \
        "$(figure '^pan: elapsed time \(.*\) seconds') s," \
        "$(figure '^ *\([0-9.]*\).total actual memory usage') MB"
}

# The shortest way there (breadth first), in words.
finds() {
    what=$1
    shift
    search '-O0 -DBFS' "$@"
    grep -q '^pan:1: assertion violated' out || failed "$what is not found: $*"
    echo "found: $what: $*"
    $SPIN "$@" -t -k "$(basename "$model").trail" "$model" | sed -n 's/^ *MODEL /    /p'
}

finds 'the published counterexample' -DVIEWS=2 -DCRASHES=1 -DNO_CRASH_VECTORS
finds 'a loss if nobody notes the new incarnation' -DVIEWS=2 -DCRASHES=1 -DNO_ACQUIRE
finds 'a loss if answers come amid a view change' -DVIEWS=3 -DCRASHES=1 -DANSWER_IN_VIEW_CHANGE
finds 'two lives with one number if nobody notes a restart' -DVIEWS=2 -DCRASHES=1 -DRESTARTS=1 \
    -DNO_NOTE
proves -DVIEWS=3 -DCRASHES=1 -DOPS=2
proves -DVIEWS=4 -DCRASHES=1 -DOPS=1
proves -DVIEWS=3 -DCRASHES=3 -DOPS=1
proves -DVIEWS=3 -DCRASHES=1 -DRESTARTS=1 -DOPS=1

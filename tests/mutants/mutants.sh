#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the simulator notice when a rule of the protocol is missing?  For each mutant of the table:
# edit a copy of the source, link a simulator with it, run seeds until one fails.  Where it takes
# too many of them, the table names a file of stories (tests/scenario): one of those must fail.
#
#   mutants.sh TABLE SRCDIR BUILDDIR SCRATCH [NAME...]
#
# From the environment: CC, CPPFLAGS, CFLAGS, LIBS, STORY_LIBS; MUTANT_SEEDS, the seeds a mutant
# may survive, 0: only see whether the edits fit the source.  Prints a line for each: name, the seed
# that found it, what that run complained of; or the story that did.
set -u
shopt -s nullglob
table=$1 srcdir=$2 builddir=$3 scratch=$4
shift 4
seeds=${MUTANT_SEEDS:-3000}

# edit NAME FOLDER: write the mutated files there; the words of the table must occur exactly once.
edit() {
    awk -v name="$1" -v folder="$2" -v srcdir="$srcdir" '
        function slurp(path,    text, line) {
            text = ""
            while ((getline line < path) > 0) text = text line "\n"
            close(path)
            return text
        }
        function complain(what) {
            print name ": " what > "/dev/stderr"
            failed = 1
        }
        function apply(    at) {
            in_edit = 0
            if (!(file in text)) text[file] = slurp(srcdir "/" file)
            at = index(text[file], old)
            if (at == 0 || index(substr(text[file], at + 1), old) > 0) {
                complain("not exactly once in " file ":\n" old)
                return
            }
            text[file] = substr(text[file], 1, at - 1) new substr(text[file], at + length(old))
        }
        mine && in_edit && /^(mutant|in) / { complain("no \"end\" before: " $0) }
        /^mutant / { mine = $2 == name; in_edit = 0 }
        !mine { next }
        /^in / { file = $2; old = new = ""; in_edit = 1; next }
        /^-/ { old = old substr($0, 2) "\n"; next }
        /^\+/ { new = new substr($0, 2) "\n"; next }
        /^end$/ { apply() }
        END {
            if (in_edit) complain("no \"end\" before the end of the table")
            for (file in text) {
                path = file
                gsub("/", "_", path)
                printf "%s", text[file] > (folder "/" path)
            }
            exit failed
        }' "$table"
}

# words_of NAME KIND: what the table's lines of that kind say of it, a word a line.
words_of() {
    awk -v name="$1" -v kind="$2" '
        /^mutant / { mine = $2 == name }
        mine && $1 == kind { for (i = 2; i <= NF; i++) print $i }' "$table"
}

# compile FOLDER SOURCE
compile() {
    # shellcheck disable=SC2086
    $CC -I"$srcdir/lib" -I"$srcdir/lib/include" -I"$srcdir/tests" $CPPFLAGS $CFLAGS -w -c \
        -o "$1/$(basename "${2%.c}").o" "$2"
}

# link FOLDER PROGRAM WHAT...: the mutated objects come first, the archives give only what is still
# missing.
link() {
    # shellcheck disable=SC2086
    $CC $CFLAGS -o "$1/$2" "${@:3}" "$1"/*.o "$builddir"/tests/.libs/lib{cluster,shared,sim}.a \
        "$builddir"/replica/.libs/libexec.a \
        "$builddir"/lib/.libs/lib{program,kv,node,vr,wire,base}.a $LIBS
}

# try_story NAME FOLDER FILE: one line of the result.  The file is of tests/scenario, or names its
# own folder there, as unit/test_restore does.
try_story() {
    local out path=scenario/$3 found='s/^\[  FAILED  \] \([a-z_0-9]*\)$/\1/p'
    [[ $3 == */* ]] && path=$3
    compile "$2" "$srcdir/tests/$path.c" || return 1
    LIBS="$LIBS $STORY_LIBS" link "$2" story || return 1
    if out=$("$2/story" 2>&1); then
        printf '%-44s SURVIVED the stories of %s\n' "$1" "$3"
        return 1
    fi
    printf '%-44s story      %s\n' "$1" "$(sed -n "$found" <<<"$out" | head -n 1)"
}

# try NAME: one line of the result.
try() {
    local name=$1 folder=$scratch/$1 source out seed why settings story
    if ! grep -qxF "mutant $name" "$table"; then
        echo "$name: no such mutant in $table" >&2
        return 1
    fi
    rm -rf "$folder"
    mkdir -p "$folder"
    edit "$name" "$folder" || return 1
    ((seeds > 0)) || return 0
    for source in "$folder"/*.c; do compile "$folder" "$source" || return 1; done
    story=$(words_of "$name" story)
    if [[ -n $story ]]; then
        try_story "$name" "$folder" "$story"
        return
    fi
    link "$folder" vstamp-sim "$builddir"/tests/sim/{main,campaign}.o || return 1
    mapfile -t settings < <(words_of "$name" with | sed 's/^/--set\n/')
    out=$("$folder/vstamp-sim" --seeds "1-$seeds" --until-failure --jobs 1 "${settings[@]}" \
        2>"$folder/trace")
    rm "$folder/vstamp-sim"
    read -r seed why < <(sed -n 's/^seed \([0-9]*\) FAILED at [0-9.]* s: /\1 /p' <<<"$out")
    if [[ -n $seed ]]; then
        printf '%-44s seed %4d  %s\n' "$name" "$seed" "$why"
    else
        printf '%-44s SURVIVED %d seeds\n' "$name" "$seeds"
        return 1
    fi
}

if (($# == 0)); then
    mapfile -t names < <(awk '/^mutant / { print $2 }' "$table")
    set -- "${names[@]}"
fi
status=0 n=0
for name; do
    if ((n == $(nproc))); then
        wait -n || status=1
    else
        n=$((n + 1))
    fi
    try "$name" &
done
for ((; n > 0; n--)); do wait -n || status=1; done
exit $status

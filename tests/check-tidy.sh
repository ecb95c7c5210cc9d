#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The style rules a machine can see: line, function and file length, banned calls, the licence line,
# headers that say what they are for, how messages are written, one file for the rules of a letter,
# no leftovers, no test that cannot fail for a '!' before its command, no source that the build does
# not know, and in DECISIONS.md no name of a decision that is not there.
set -u
top_srcdir=${top_srcdir:-$(dirname "$0")/..}

# Prints each offence in the tree under $1.
offences() {
    (
        cd "$1" || exit 1
        # shell and bats are held to the rules about lines, C to all
        sources=$(find lib replica client admin examples man tests \
            -name '*.[ch]' -o -name '*.def' | sort)
        scripts=$(find bootstrap .ci examples tests -name '*.sh' -o -name '*.bats' \
            -o -name '*.bash' -o -path bootstrap -o -path .ci/run | sort)
        awk '
        function offence(text) { printf "%s:%d: %s\n", FILENAME, FNR, text }
        function end_file()
        {
            if (lines > 800) printf "%s: %d lines\n", file, lines
        }
        FNR == 1 {
            end_file()
            file = FILENAME
            is_c = FILENAME ~ /\.(c|h|def)$/
            begun = 0
            if (is_c && $0 != "/* SPDX-License-Identifier: BSD-2-Clause */")
                offence("the first line is not the licence")
        }
        { lines = FNR }
        FNR == 2 && FILENAME ~ /\.(h|def)$/ && !/^\/\*/ {
            offence("it does not say what it is for")
        }
        FNR <= 2 && /^# SPDX-License-Identifier: BSD-2-Clause$/ { licensed = FILENAME }
        FNR == 2 && !is_c && licensed != FILENAME { offence("the licence is not on top") }
        length($0) > 100 { offence("longer than 100 columns") }
        /\t/ && is_c { offence("a tab") }
        /[ \t]$/ { offence("blanks at the end") }
        # bash ignores the status of such a command, but for the last one of a function
        FILENAME ~ /[.]bats$/ && /^ *! / && !/[|][|]/ { offence("it cannot fail: say run !") }
        # and that of what comes before && likewise
        two && !/^ *}/ { offence("the line before cannot fail: make it two") }
        { two = FILENAME ~ /[.]bats$/ && /^ *\[.*\] && \[[^&]*$/ && !/[|][|]/ }
        /(^|[^[:alnum:]])(FIX[M]E|X[X]X|TO[D]O)([^[:alnum:]]|$)/ { offence("a leftover") }
        !is_c { next }
        BEGIN {
            banned = "(^|[^_[:alnum:]])(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|" \
                "atoi|atol|strtok|rand|srand|alloca) *[(]"
        }
        $0 ~ banned { offence("a banned call") }
        /^ \*   [A-Z][A-Z]?[0-9]+  / {
            letter = $2
            sub(/[0-9]+$/, "", letter)
            if (!(letter in home)) home[letter] = FILENAME
            if (home[letter] != FILENAME) offence("a rule " letter ", as " home[letter] " has them")
        }
        /(diag_printf|diag_wrap|cli_complain|cli_usage|outcome_fail)[(]/ { message = FNR }
        /"/ && message > 0 {
            # the format is the first text of the call
            split($0, text, "\"")
            if (FNR <= message + 1 && text[2] ~ /^[A-Z][a-z]/) offence("a capital begins a message")
            message = 0
        }
        /"[^"]*(can|won|isn|don|doesn)\047t / { offence("a short form in a text") }
        BEGIN { type = "struct|union|enum|char|int|void|double|unsigned|const|[a-z0-9_]+_t[)]" }
        /sizeof[(][*a-z]/ && !/^#define|\\$/ && $0 !~ "sizeof[(](" type ")" {
            offence("sizeof of an object in parentheses")
        }
        /^[ \t]*#[ \t]*include[ \t]*<assert.h>/ { offence("use base/assert.h") }
        /^\{/ { begun = FNR }
        /^\}/ {
            size = FNR - begun - 1
            if (begun > 0 && size > 70) offence("a function of " size " lines")
            begun = 0
        }
        END { end_file() }
        ' $sources $scripts
        for file in $sources; do
            inside=${file#*/}
            name=$inside
            case $inside in
            include/* | bench/* | cli/* | unit/test_* | scenario/test_*) name=${inside%.c} ;;
            esac
            grep -qF "%D%/$name" "${file%%/*}/local.mk" || echo "$file: not in ${file%%/*}/local.mk"
        done
        awk -v RS= '
        /\n\*\*20/ {
            split($0, line, "\n")
            print "DECISIONS.md: no empty line between this and the next: " line[1]
        }
        { gsub(/[ \n]+/, " ") }
        /^\*\*20/ {
            title = substr($0, 15, index(substr($0, 15), ".**") - 1)
            titles = titles "\n" title # which *Later* names, or how it begins
            later = $0
            if (sub(/^.*\*Later:\*[^"]*"/, "", later))
                named[title] = substr(later, 1, index(later, "\"") - 1)
        }
        END {
            for (title in named)
                if (index(titles, "\n" named[title]) == 0)
                    print "DECISIONS.md: no title begins so: " named[title]
        }
        ' DECISIONS.md
        awk 'length > 60 && seen[$0]++ { print "DECISIONS.md: twice: " $0 }' DECISIONS.md
    )
}

bites() {
    broken=$(mktemp -d) || return 1
    mkdir -p "$broken/lib" "$broken/replica" "$broken/client" "$broken/admin" "$broken/tests" \
        "$broken/examples" "$broken/man" "$broken/.ci"
    printf '#!/bin/sh\n# SPDX-License-Identifier: BSD-2-Clause\n' |
        tee "$broken/bootstrap" >"$broken/.ci/run"
    echo '    %D%/bad.c %D%/rules.c' >"$broken/lib/local.mk"
    touch "$broken/tests/local.mk"
    printf '%s\n' '**2026-01-01. Known.** x' '*Later:* "Split".' '' \
        '**2026-01-01. Split title.** y' '**2026-01-01. Glued.** z' '' \
        '**2026-01-01. Old.** z *Later:* see "Unknown".' >"$broken/DECISIONS.md"
    (seq -s . 30 && seq -s . 30) >>"$broken/DECISIONS.md"
    {
        echo '/* no licence */'
        printf '%0101d\n' 0
        printf '\tx\n'
        echo 'x '
        echo '/* FIX''ME */'
        echo 'strcpy(a, b);'
        echo '#include <assert.h>'
        echo '{'
        seq 71
        echo '}'
        seq 727
        echo '    memset(a, 0, sizeof(*a));'
        printf 'cli_complain(cli,\n    "Something");\n"it can'"'"'t be"\n'
    } >"$broken/lib/bad.c"
    printf '/* SPDX-License-Identifier: BSD-2-Clause */\n\n *   Q1  x\n' >"$broken/lib/unknown.h"
    printf '/* SPDX-License-Identifier: BSD-2-Clause */\n *   Q2  x */\n' >"$broken/lib/rules.c"
    echo 'true' >"$broken/tests/unlicensed.sh"
    echo 'true' >>"$broken/tests/unlicensed.sh"
    printf '%s\n' '#' '# SPDX-License-Identifier: BSD-2-Clause' '    ! a' '    ! a || b' \
        '    [ a ] && [ b ]' '    c' '    [ a ] && [ b ]' '}' >"$broken/tests/a.bats"
    found=$(offences "$broken")
    rm -r "$broken"
    for expected in 'bad.c:1: the first line' '2: longer' '3: a tab' '4: blanks' '5: a leftover' \
        '6: a banned' '7: use base' 'a function of 71 lines' 'bad.c: 811 lines' '808: sizeof' \
        '810: a capital' '811: a short form' 'unknown.h:2: it does not say' 'unknown.h: not in' \
        'unknown.h:3: a rule Q, as lib/rules.c' 'unlicensed.sh:2: the licence' \
        'a.bats:3: it cannot fail' 'a.bats:6: the line before' 'the next: **2026-01-01. Split' \
        'no title begins so: Unknown' 'DECISIONS.md: twice: 1.2.3'; do
        case $found in
        *"$expected"*) ;;
        *)
            echo "# not found: $expected"
            return 1
            ;;
        esac
    done
    [ "$(echo "$found" | wc -l)" -eq 21 ]
}

echo 1..2
if bites; then echo 'ok 1 - the check bites'; else echo 'not ok 1 - the check bites'; fi
found=$(offences "$top_srcdir")
if [ -z "$found" ]; then
    echo 'ok 2 - the tree is tidy'
else
    echo 'not ok 2 - the tree is tidy'
    echo "$found" | sed 's/^/# /'
fi

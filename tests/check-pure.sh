#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The core never touches the world: its objects reference no system call, clock, thread, allocator
# or stream.  What they may reference from outside themselves is the list below and nothing else.
set -u
top_builddir=${top_builddir:-.}
NM=${NM:-nm}
CC=${CC:-cc}
: "${PURE_ARCHIVES:?is set by make check}"

allowed='
memcpy memmove memset memcmp memchr bcmp
strlen strnlen strcmp strncmp strchr strrchr strstr strspn strcspn
snprintf vsnprintf abort
XXH3_64bits XXH3_64bits_withSeed XXH3_128bits XXH3_128bits_withSeed
__memcpy_chk __memmove_chk __memset_chk __snprintf_chk __vsnprintf_chk __stack_chk_fail
_GLOBAL_OFFSET_TABLE_
__cpu_model
__popcountdi2 __udivti3 __umodti3
'
# What the compiler adds with --enable-sanitizers, --enable-fuzzers or for coverage.
instrumentation='^(__(asan|ubsan|lsan|tsan|sanitizer|sancov|gcov)_|__(start|stop)___san|llvm_)'

# Prints the symbols that the objects and archives named take from outside themselves and may not.
impure_symbols() {
    $NM -u "$@" | awk 'NF == 2 && $1 == "U" { print $2 }' | sort -u >"$scratch/undefined"
    $NM --defined-only "$@" | awk 'NF == 3 && $2 ~ /[A-Z]/ { print $3 }' |
        sort -u >"$scratch/defined"
    printf '%s\n' $allowed | sort -u >"$scratch/allowed"
    comm -23 "$scratch/undefined" "$scratch/defined" | comm -23 - "$scratch/allowed" |
        grep -Ev "$instrumentation"
}

bites() {
    cat >"$scratch/impure.c" <<'END'
#include <stdlib.h>
#include <string.h>
#include <time.h>
void *impure(void);
void *impure(void)
{
    time_t *now = malloc(sizeof *now);
    if (now != NULL) memset(now, 0, sizeof *now), time(now);
    return now;
}
END
    $CC -c -O0 -o "$scratch/impure.o" "$scratch/impure.c" || return 1
    [ "$(impure_symbols "$scratch/impure.o" | tr '\n' ' ')" = 'malloc time ' ]
}

scratch=$(mktemp -d) || exit 99
trap 'rm -r "$scratch"' EXIT

# foo/libx.la stands for foo/.libs/libx.a
archives=
for library in $PURE_ARCHIVES; do
    archives="$archives $top_builddir/${library%/*}/.libs/$(basename "$library" .la).a"
done

echo 1..2
if bites; then echo 'ok 1 - the check bites'; else echo 'not ok 1 - the check bites'; fi
if ! $NM $archives >/dev/null; then
    echo 'not ok 2 - the archives of the core can be read'
    exit 1
fi
# Without optimization the compiler keeps what xxHash before 0.8.2 has and nobody here calls.
if $NM $archives | grep -q ' t XXH_malloc$'; then allowed="$allowed malloc free"; fi
found=$(impure_symbols $archives)
if [ -z "$found" ]; then
    echo 'ok 2 - the core references nothing of the world'
else
    echo 'not ok 2 - the core references nothing of the world'
    for symbol in $found; do
        echo "# $symbol, from" $($NM -A -u $archives | grep -w "U $symbol" | sed 's/: *U.*//')
    done
fi

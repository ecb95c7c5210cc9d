#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# libvstamp exports the names of its public headers, which begin with vstamp_, and nothing else:
# whatever else got out would be a promise nobody meant to make.
set -u
top_srcdir=${top_srcdir:-$(dirname "$0")/..}
top_builddir=${top_builddir:-.}
NM=${NM:-nm}
CC=${CC:-cc}

exported() {
    $NM -D --defined-only "$1" | awk '{ print $NF }' | sort -u
}

# Prints the exported names of library $1 that no public header declares.
undeclared() {
    exported "$1" | while read -r name; do
        grep -qw "$name" "$top_srcdir"/lib/include/vstamp/*.h || echo "$name"
    done | grep -Ev '^(__(asan|ubsan|odr_asan)|___asan|_init$|_fini$)'
}

bites() {
    echo 'int vr_leaked(void); int vr_leaked(void) { return 0; }' >"$scratch/leak.c"
    $CC -shared -fPIC -nostdlib -o "$scratch/libleak.so" "$scratch/leak.c" || return 1
    [ "$(undeclared "$scratch/libleak.so")" = vr_leaked ]
}

scratch=$(mktemp -d) || exit 99
trap 'rm -r "$scratch"' EXIT
library=$top_builddir/.libs/libvstamp.so

echo 1..3
if bites; then echo 'ok 1 - the check bites'; else echo 'not ok 1 - the check bites'; fi
if exported "$library" | grep -q '^vstamp_'; then
    echo 'ok 2 - the library exports something'
else
    echo 'not ok 2 - the library exports something'
fi
found=$(undeclared "$library")
if [ -z "$found" ]; then
    echo 'ok 3 - every exported name is declared in a public header'
else
    echo 'not ok 3 - every exported name is declared in a public header'
    echo "$found" | sed 's/^/# /'
fi

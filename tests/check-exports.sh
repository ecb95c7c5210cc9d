#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The libraries export the names of the public headers, which begin with vstamp_, and nothing else:
# whatever else got out would be a promise nobody meant to make.  Each has a version, without which
# a later library could not keep an older meaning of a name.  In vstamp-replica plug-ins find those
# of <vstamp/app.h>.
set -u
top_srcdir=${top_srcdir:-$(dirname "$0")/..}
top_builddir=${top_builddir:-.}
NM=${NM:-nm}
CC=${CC:-cc}

# The versions themselves are absolute.
exported() {
    $NM -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u
}

unversioned() {
    $NM -D --defined-only "$1" | awk '$2 != "A" && $3 !~ /@@VSTAMP_/ { print $3 }'
}

# Prints the exported names of library $1 that no public header declares.
undeclared() {
    exported "$1" | while read -r name; do
        grep -qw "$name" "$top_srcdir"/lib/include/vstamp/*.h || echo "$name"
    done | grep -Ev '^(__(asan|ubsan|odr_asan)|___asan|_init$|_fini$)'
}

# Prints the functions that header $1 declares and binary $2 does not export.
missing() {
    sed -n 's/^VSTAMP_API .*[ *]\(vstamp_[a-z_]*\)(.*/\1/p' "$top_srcdir/lib/include/vstamp/$1" |
        while read -r name; do
            exported "$2" | grep -qx "$name" || echo "$name"
        done
}

bites() {
    echo 'int vr_leaked(void); int vr_leaked(void) { return 0; }' >"$scratch/leak.c"
    $CC -shared -fPIC -nostdlib -o "$scratch/libleak.so" "$scratch/leak.c" || return 1
    [ "$(undeclared "$scratch/libleak.so")" = vr_leaked ] &&
        [ "$(unversioned "$scratch/libleak.so")" = vr_leaked ] &&
        missing app.h "$scratch/libleak.so" | grep -qx vstamp_page_read &&
        missing replica.h "$scratch/libleak.so" | grep -qx vstamp_replica_main
}

scratch=$(mktemp -d) || exit 99
trap 'rm -r "$scratch"' EXIT

n=0
result() { # WHAT FOUND
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        echo "$2" | sed 's/^/# /'
    fi
}

libvstamp=$top_builddir/.libs/libvstamp.so
libreplica=$top_builddir/.libs/libvstamp-replica.so
program=$top_builddir/vstamp-replica

echo 1..7
result 'the check bites' "$(bites || echo 'it found nothing')"
for binary in "$libvstamp" "$libreplica"; do
    result "every name that ${binary##*/} exports is declared" "$(undeclared "$binary")"
done
result 'every name of the libraries has a version' \
    "$(unversioned "$libvstamp"; unversioned "$libreplica")"
result 'libvstamp exports what applications and clients need' \
    "$(missing app.h "$libvstamp"; missing error.h "$libvstamp"; missing client.h "$libvstamp"
      missing kv.h "$libvstamp")"
result 'libvstamp-replica exports what daemons need' \
    "$(missing app.h "$libreplica"; missing error.h "$libreplica"; missing replica.h "$libreplica")"
result 'vstamp-replica exports what plug-ins need' \
    "$(missing app.h "$program"; missing error.h "$program")"

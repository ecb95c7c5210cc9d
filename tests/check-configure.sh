#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# On a machine without compiler and libraries configure names all that is missing at once, with the
# line that installs it.  That machine is a PATH with everything but them.  And a folder in which
# nothing could be made is refused before anything is installed.
set -u
top_srcdir=$(cd "${top_srcdir:-$(dirname "$0")/..}" && pwd)
if [ -e "$top_srcdir/config.status" ]; then
    echo '1..0 # SKIP configure runs nowhere else while the source folder is configured'
    exit 0
fi

scratch=$(mktemp -d) || exit 99
trap 'rm -r "$scratch"' EXIT
mkdir "$scratch/bin" "$scratch/build"
ln -sf /usr/bin/* /bin/* "$scratch/bin/"
(cd "$scratch/bin" && rm -f -- *gcc* *clang* *-cc cc c89* c99* tcc pkg-config pkgconf *-pkg-config)

said=$(cd "$scratch/build" && env -u CC -u PKG_CONFIG PATH="$scratch/bin" \
    "$top_srcdir/configure" 2>&1)
status=$?
line=$(echo "$said" | grep 'apt-get install')

# Are these packages all on the line to paste?
on_line() {
    for package; do
        case " $line " in
        *" $package "*) ;;
        *) return 1 ;;
        esac
    done
}

libraries=$(sed -n 's/^VSTAMP_LIBRARY(.*\[\(lib[a-z0-9-]*-dev\)\].*/\1/p' \
    "$top_srcdir/configure.ac")

n=1
report() { # STATUS WHAT
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
    n=$((n + 1))
}

echo 1..4
[ "$status" -ne 0 ] && [ "$(echo "$said" | grep -c 'error:')" -eq 1 ]
report $? 'it stops, with one complaint'
on_line gcc libc6-dev
report $? 'the compiler is named'
[ -n "$libraries" ] && on_line pkg-config $libraries
report $? 'and so is every library'

mkdir "$scratch/a b" && cp "$top_srcdir/bootstrap" "$scratch/a b/"
said=$("$scratch/a b/bootstrap" --no-install 2>&1)
[ $? -eq 1 ] && [ "${said#bootstrap: "$scratch/a b": }" != "$said" ]
report $? 'bootstrap takes no folder with a space in its path'

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Who may include whom.  The rooms of lib are layers, the programs are edges around them; the table
# below is the architecture, and this fails when an include goes against it.  In some rooms the
# files are layers, too: there NAME.c and NAME.h are one node, and no includes lead back to it.
set -u
top_srcdir=${top_srcdir:-$(dirname "$0")/..}

# Prints each include of the tree under $1 that the table does not allow.
forbidden_includes() {
    (cd "$1" && find lib replica client admin -name '*.[ch]' -o -name '*.def' | sort | xargs awk '
    BEGIN {
        # Arrows compose: vr may include what wire may include.  The edges name their own files
        # with or without their folder, the rooms of lib always with it.
        allow["base"] = "base"
        allow["wire"] = "wire base"
        allow["vr"] = "vr wire base"
        allow["node"] = "node vr wire base"
        allow["kv"] = "kv wire base"
        allow["proxy"] = "proxy vr/session.h wire base"
        allow["tls"] = "tls base"
        allow["driver"] = "driver tls proxy wire base program/address.h"
        allow["program"] = "program base vr/config.h vr/client_table.h"
        allow["replica"] = "program tls kv node vr wire base"
        allow["client"] = "driver tls proxy program kv wire base vr/session.h " \
            "admin/commands.def"
        allow["admin"] = "program wire base node/status.h node/status.def node/copy.h " \
            "node/copier.h node/journal_walk.h node/trail.h kv/kv.h kv/ops.def " \
            "replica/storage.h replica/turn.h replica/app_exec.h vr/membership.h vr/settings.h " \
            "vr/witness.h vr/session.h driver tls proxy client/commands.def"
        allow["include"] = ""
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split(FILENAME, path, "/")
        room = path[1] == "lib" ? path[2] : path[1]
        split($0, quoted, "\"")
        target = quoted[2]
        target_room = target
        sub(/\/.*/, "", target_room)
        if (path[1] != "lib" && (target !~ /\// || target_room == room)) next
        if (index(" " allow[room] " ", " " target_room " ") == 0 &&
            index(" " allow[room] " ", " " target " ") == 0)
            printf "%s:%d: %s may not include %s\n", FILENAME, FNR, room, target
    }')
}

# Prints the files of each circle of includes in the rooms that are the other arguments, below $1.
circles() {
    (cd "$1" && shift && find "$@" -name '*.[ch]' | sort | xargs awk '
    /^[ \t]*#[ \t]*include[ \t]*".*[.]h"/ {
        from = FILENAME
        sub(/^lib\//, "", from)
        sub(/[.][ch]$/, "", from)
        split($0, quoted, "\"")
        to = quoted[2]
        sub(/[.]h$/, "", to)
        if (from != to) print from, to
    }' | LC_ALL=C tsort 2>&1 >/dev/null | sed 's/^tsort: //')
}

bites() {
    broken=$(mktemp -d) || return 1
    mkdir -p "$broken/lib/vr" "$broken/lib/base" "$broken/replica" "$broken/client" "$broken/admin"
    echo '#include "node/node.h"' >"$broken/lib/vr/upward.c"
    echo '#include "wire/codec.h"' >"$broken/lib/base/upward.h"
    echo '#include "here.h"' >"$broken/lib/base/roomless.c"
    echo '#include "replica/turn.h"' >"$broken/client/sideways.c"
    echo '#include "vr/replica.h"' >"$broken/client/inward.c"
    echo '#include "vr/session.h"' >"$broken/client/allowed.c"
    echo '#include "client/round.h"' >"$broken/client/about.h"
    echo '#include "client/about.h"' >"$broken/client/round.c"
    found=$(forbidden_includes "$broken" | wc -l)
    circle=$(circles "$broken" client)
    rm -r "$broken"
    [ "$found" -eq 5 ] && [ "$circle" = '-: input contains a loop:
client/about
client/round' ]
}

echo 1..3
if bites; then echo 'ok 1 - the check bites'; else echo 'not ok 1 - the check bites'; fi
found=$(forbidden_includes "$top_srcdir")
if [ -z "$found" ]; then
    echo 'ok 2 - every include goes down the layers'
else
    echo 'not ok 2 - every include goes down the layers'
    echo "$found" | sed 's/^/# /'
fi
found=$(circles "$top_srcdir" lib/base lib/wire lib/kv lib/proxy lib/driver client admin)
if [ -z "$found" ]; then
    echo 'ok 3 - files of one room include no circle'
else
    echo 'not ok 3 - files of one room include no circle'
    echo "$found" | sed 's/^/# /'
fi

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Who may include whom.  The rooms of lib are layers, the programs are edges around them; the table
# below is the architecture, and this fails when an include goes against it.
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
        allow["driver"] = "driver proxy wire base program/address.h"
        allow["program"] = "program base vr/config.h vr/client_table.h"
        allow["replica"] = "program kv node vr wire base"
        allow["client"] = "driver proxy program kv wire base vr/session.h"
        allow["admin"] = "program wire base node/status.h node/status.def node/copy.h " \
            "node/copier.h node/journal_walk.h node/trail.h kv/kv.h kv/ops.def " \
            "replica/storage.h replica/turn.h replica/app_exec.h vr/membership.h vr/settings.h " \
            "vr/witness.h driver proxy"
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

bites() {
    broken=$(mktemp -d) || return 1
    mkdir -p "$broken/lib/vr" "$broken/lib/base" "$broken/replica" "$broken/client" "$broken/admin"
    echo '#include "node/node.h"' >"$broken/lib/vr/upward.c"
    echo '#include "wire/codec.h"' >"$broken/lib/base/upward.h"
    echo '#include "here.h"' >"$broken/lib/base/roomless.c"
    echo '#include "replica/turn.h"' >"$broken/client/sideways.c"
    echo '#include "vr/replica.h"' >"$broken/client/inward.c"
    echo '#include "vr/session.h"' >"$broken/client/allowed.c"
    found=$(forbidden_includes "$broken" | wc -l)
    rm -r "$broken"
    [ "$found" -eq 5 ]
}

echo 1..2
if bites; then echo 'ok 1 - the check bites'; else echo 'not ok 1 - the check bites'; fi
found=$(forbidden_includes "$top_srcdir")
if [ -z "$found" ]; then
    echo 'ok 2 - every include goes down the layers'
else
    echo 'not ok 2 - every include goes down the layers'
    echo "$found" | sed 's/^/# /'
fi

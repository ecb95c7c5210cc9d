#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the programs offer is on their pages: every command and option that --help shows, every key
# of the configuration, every status field and no other, every exit status, every function of the
# libraries and of an application.  Pages are hand-written; the lists are those of the programs, of
# the .def files and of the headers.
set -u
top_srcdir=${top_srcdir:-$(dirname "$0")/..}
top_builddir=${top_builddir:-.}
man=${man:-$top_srcdir/man}

# Prints the words on standard input that page $1 does not have, or its synopsis if $2 says so; an
# option is written `.Fl -name` or `--name` there.
absent_words() {
    until='$'
    [ "${2-}" = synopsis ] && until='/^\.Sh DESCRIPTION/'
    while read -r word; do
        case $word in
        --*) pattern="(--|Fl Fl |Fl -|Fl \\\\-|\\\\-\\\\-)${word#--}([^a-z-]|$)" ;;
        *) pattern="(^|[^A-Za-z0-9_-])$word([^A-Za-z0-9_]|$)" ;;
        esac
        sed "$until q" "$man/$1" | grep -qE -e "$pattern" ||
            echo "$1: $word is missing${2:+ in the $2}"
    done
}

commands_of() {
    "$top_builddir/$1" --help |
        awk '/^Commands:/ { on = 1; next } /^[^ ]/ { on = 0 } on && NF { print $1 }'
}

options_of() {
    {
        "$top_builddir/$1" --help
        for command in $(commands_of "$1"); do "$top_builddir/$1" "$command" --help; done
    } | awk '/^ / { while (match($0, /--[a-z][a-z-]*/)) {
        print substr($0, RSTART, RLENGTH); $0 = substr($0, RSTART + RLENGTH) } }' | sort -u
}

# defined FILE MACRO N: the N-th argument of each MACRO(...) in FILE.
defined() {
    sed -n "s/^$2(\(.*\)/\1/p" "$top_srcdir/$1" | awk -F ', *' -v n="$3" '{ print $n }' | tr -d '"'
}

# What header $1 declares.
functions_of() {
    sed -n 's/^VSTAMP_API .*[ *]\(vstamp_[a-z_]*\)(.*/\1/p' "$top_srcdir/lib/include/vstamp/$1"
}

# The functions of struct vstamp_app.
hooks() {
    sed -n 's/^    [a-z].*(\*\([a-z]*\))(.*/\1/p' "$top_srcdir/lib/include/vstamp/app.h"
}

fields_of_code() {
    defined lib/node/status.def STATUS 2
    echo peers
    defined lib/node/status.def PEER_STATUS 2 | sed 's/^/peers./'
}

# Those that vstamp-replica(8) describes, in the list and in the one of each peer inside it.
fields_of_page() {
    awk '/^The fields of$/ { on = 1 }
        on && /^\.Bl/ { depth++ }
        on && /^\.It Va/ { print (depth > 1 ? "peers." : "") $3 }
        on && /^\.El/ && --depth == 0 { exit }' "$man/vstamp-replica.8"
}

absent_fields() {
    fields_of_code >"$scratch/code"
    fields_of_page >"$scratch/page"
    grep -vxF -f "$scratch/page" "$scratch/code" | sed 's/.*/vstamp-replica.8: & is missing/'
    grep -vxF -f "$scratch/code" "$scratch/page" |
        sed 's/.*/lib\/node\/status.def: & of vstamp-replica.8 is missing/'
}

absent() {
    for program in vstamp.1 vstamp-admin.8 vstamp-replica.8 vstamp-sim.1; do
        {
            commands_of "${program%.*}"
            options_of "${program%.*}"
        } | absent_words "$program"
        commands_of "${program%.*}" | absent_words "$program" synopsis
    done
    options_of vstamp-replica | grep -vxe --help -e --version |
        absent_words vstamp-replica.8 synopsis
    defined lib/program/config.def CONFIG_KEY 2 | absent_words vstamp-config.5
    absent_fields
    { functions_of app.h; functions_of error.h; hooks; } | absent_words vstamp-app.3
    functions_of client.h | absent_words vstamp-client.3
    functions_of kv.h | absent_words vstamp-kv.3
    functions_of replica.h | absent_words vstamp-replica.3
    version=$(sed -n 's/^#define WIRE_NEWEST \([0-9]*\)u$/\1/p' "$top_srcdir/lib/wire/version.h")
    grep -q "^This is version $version of the format" "$man/vstamp-format.5" ||
        echo "vstamp-format.5: WIRE_NEWEST is missing"
    grep -q "^format  *$version$" "$man/vstamp-admin.8" ||
        echo "vstamp-admin.8: WIRE_NEWEST is missing"
    defined lib/include/vstamp/errors.def VSTAMP_ERROR 3 | sort -u | absent_words vstamp.1
}

# On copies of the pages without one command, one option, one key, one field, and with a field that
# there is not.
bites() {
    sed '/incr/d; /^\.Cm call/d' "$top_srcdir/man/vstamp.1" >"$scratch/vstamp.1"
    sed '/log-level/d' "$top_srcdir/man/vstamp-replica.8" |
        sed '/^\.It Va state_digest/d; s/^\.It Va acked_op/.It Va rtt_us/' \
            >"$scratch/vstamp-replica.8"
    sed '/heartbeat_ms/d' "$top_srcdir/man/vstamp-config.5" >"$scratch/vstamp-config.5"
    sed '/vstamp_save_bytes/d; /resume/d' "$top_srcdir/man/vstamp-app.3" >"$scratch/vstamp-app.3"
    sed '/vstamp_client_wake/d' "$top_srcdir/man/vstamp-client.3" >"$scratch/vstamp-client.3"
    sed '/vstamp_kv_cas/d' "$top_srcdir/man/vstamp-kv.3" >"$scratch/vstamp-kv.3"
    sed '/vstamp_replica_main/d' "$top_srcdir/man/vstamp-replica.3" >"$scratch/vstamp-replica.3"
    sed '/^This is version/d' "$top_srcdir/man/vstamp-format.5" >"$scratch/vstamp-format.5"
    sed '/^format /d' "$top_srcdir/man/vstamp-admin.8" >"$scratch/vstamp-admin.8"
    cp "$top_srcdir/man/vstamp-sim.1" "$scratch"
    found=$(man=$scratch && absent)
    for expected in 'vstamp.1: incr' 'vstamp.1: call' 'vstamp-replica.8: --log-level' \
        'vstamp-replica.8: state_digest' 'vstamp-replica.8: peers.acked_op' \
        'lib/node/status.def: peers.rtt_us of vstamp-replica.8' 'vstamp-config.5: heartbeat_ms' \
        'vstamp-format.5: WIRE_NEWEST' 'vstamp-admin.8: WIRE_NEWEST' \
        'vstamp-app.3: vstamp_save_bytes' 'vstamp-app.3: resume' \
        'vstamp-client.3: vstamp_client_wake' 'vstamp-kv.3: vstamp_kv_cas' \
        'vstamp-replica.3: vstamp_replica_main'; do
        case $found in
        *"$expected is missing"*) ;;
        *)
            echo "# not found: $expected"
            return 1
            ;;
        esac
    done
}

result() {
    if [ -z "$2" ]; then
        echo "ok $1 - $3"
    else
        echo "not ok $1 - $3"
        echo "$2" | sed 's/^/# /'
    fi
}

scratch=$(mktemp -d) || exit 99
trap 'rm -r "$scratch"' EXIT

echo 1..4
if bites; then echo 'ok 1 - the check bites'; else echo 'not ok 1 - the check bites'; fi
count=$(for program in vstamp vstamp-admin; do commands_of $program; done | wc -l)
if [ "$count" -ge 10 ]; then
    echo 'ok 2 - the programs tell their commands'
else
    echo "not ok 2 - the programs tell their commands ($count)"
fi
result 3 "$(absent)" \
    'commands, options, keys, fields, exit statuses and functions are on their pages'
if command -v mandoc >/dev/null; then
    result 4 "$(mandoc -Tlint -W warning "$man"/*.[1-8] "$top_builddir"/man/*.7 2>&1)" \
        'mandoc has no complaint'
else
    echo 'ok 4 - mandoc # SKIP mandoc is not installed'
fi

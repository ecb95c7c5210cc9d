#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Do the edits of tests/mutants/table fit the source still?  Whether the mutants are found is a
# matter of minutes (make mutants); that they can be made is one of a second.
set -u
top_srcdir=${top_srcdir:-$(dirname "$0")/..}
scratch=$(mktemp -d) || exit 99
trap 'rm -r "$scratch"' EXIT

echo 1..1
if MUTANT_SEEDS=0 bash "$top_srcdir/tests/mutants/mutants.sh" "$top_srcdir/tests/mutants/table" \
    "$top_srcdir" . "$scratch" 2>"$scratch/complaints"; then
    echo 'ok 1 - all mutants can be made'
else
    sed 's/^/# /' "$scratch/complaints"
    echo 'not ok 1 - all mutants can be made'
fi

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The simulator over its regression seeds and a fixed range of others.  With sanitizers, where each
# takes five times as long, of each line of the former one seed, and a smaller range, in which not
# all marks need to be hit; VSTAMP_SOAK=1 runs all there, too.  It never waits, as the tests beside
# it do: they come first.
seeds=$top_srcdir/tests/sim/seeds
if [ -z "${INSTRUMENT_CFLAGS:-}" ] || [ -n "${VSTAMP_SOAK:-}" ]; then
    exec nice "$top_builddir/vstamp-sim" --tap --file "$seeds" --seeds 1-1000
fi
echo 1..1
sed 's/^\([0-9]*\)-[0-9]*/\1/' "$seeds" |
    nice "$top_builddir/vstamp-sim" --file /dev/stdin --seeds 1-300 || printf 'not '
echo 'ok 1 - one seed of each line, and 1 to 300'

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The simulator over its regression seeds and a fixed range of others: fewer where each takes five
# times as long, as long as all marks are hit.  It never waits, as the tests beside it do: they come
# first.
seeds=1-1000
[ -z "${INSTRUMENT_CFLAGS:-}" ] || seeds=1-300
exec nice "$top_builddir/vstamp-sim" --tap --file "$top_srcdir/tests/sim/seeds" --seeds $seeds

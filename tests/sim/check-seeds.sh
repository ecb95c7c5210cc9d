#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The simulator over its regression seeds and a fixed range of others.
exec "$top_builddir/vstamp-sim" --tap --file "$top_srcdir/tests/sim/seeds" --seeds 1-1000

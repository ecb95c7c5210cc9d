#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The tests of durability: disk once more, with a journal that is written as where there are no
# rings.
GROUP_OPTIONS="--journal-io thread" exec bats --tap "$top_srcdir/tests/cli/vstamp-replica-disk.bats"

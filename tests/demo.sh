#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What vstamp is for, in ten seconds: three replicas as processes of their own, a write, the primary
# killed with SIGKILL, the value read back, more writes, and the status table.  `make demo` runs it.
#     tests/demo.sh FOLDER-OF-THE-PROGRAMS
# Everything happens in a temporary folder and on free ports of 127.0.0.1, and is gone afterwards.
set -euo pipefail

export PATH=${1:?the folder of the programs}:$PATH
BATS_TEST_TMPDIR=$(mktemp -d)
# shellcheck source=tests/cli/group.bash
. "$(dirname "$0")/cli/group.bash"
trap 'set +e; group_teardown; rm -rf "$BATS_TEST_TMPDIR"' EXIT

say() { printf '\n# %s\n' "$*"; }
show() {
    printf '$ %s\n' "$*"
    "$@"
}
notices_failure() { [[ $(vstamp-admin status) == *"tolerates 0"* ]]; }

GROUP_HOST=127.0.0.1
group_start 3
group_wait_primary
say "three replicas are running (processes ${GROUP_PIDS[*]}), configured by this file:"
cat "$VSTAMP_CONFIG"

say "write, and read"
show vstamp put greeting hello
show vstamp incr visits
show vstamp-admin status

say "kill -9 the primary, replica $PRIMARY; the group goes on without it"
killed=$PRIMARY
group_kill "$killed"
value=$(vstamp get greeting)
printf '$ vstamp get greeting\n%s\n' "$value"
[[ $value == hello ]]
show vstamp incr visits
show vstamp put farewell goodbye
show vstamp list
group_wait "the others to notice" notices_failure
show vstamp-admin status

say "start replica $killed again; it catches up"
group_start_one "$killed"
group_wait_agree
show vstamp-admin status

say "the demo worked; the replicas are being stopped"
for index in 0 1 2; do group_stop "$index"; done

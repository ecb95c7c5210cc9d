#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Clients that count, each on a key of its own and in one session: what the N-th increment answers
# is N, or something was lost or ran twice.
#
#   count.sh N      until there is a file `stop`; $VSTAMP_CONFIG says where they begin
#
# Writes the answers of client I to counted-I, a line each: when it came, in microseconds, and what;
# and to `asked`, how many each was asked; to `clients`, which processes they are.  Ends with
# status 0 once all is answered.
set -u
n=$1 rounds=0
fds=() pids=()
for ((i = 0; i < n; i++)); do
    exec {fd}> >(exec vstamp --timeout 60 shell > >(
        while read -r answer; do echo "${EPOCHREALTIME/./} $answer"; done >"counted-$i"))
    fds+=("$fd") pids+=("$!")
done
echo "${pids[*]}" >clients
mkfifo never
exec {never}<>never
until [[ -e stop ]]; do
    for ((i = 0; i < n; i++)); do echo "incr count-$i" >&"${fds[i]}"; done
    rounds=$((rounds + 1))
    read -rt 0.04 -u "$never"
done
echo "$rounds" >asked
for fd in "${fds[@]}"; do exec {fd}>&-; done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=$?; done
exit "$status"

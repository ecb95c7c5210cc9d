#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What vstamp-replica says and does before it serves.

bats_require_minimum_version 1.5.0
load group

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset VSTAMP_CONFIG
}

teardown() { group_teardown; }

# refused PATTERN COMMAND...: exit 2, nothing on standard output, and the pattern in one line of
# error (a usage error adds the line that points to --help).
refused() { ends_with 2 "$@"; }

# The same with exit 1: a supervisor is to try again.
refused_for_now() { ends_with 1 "$@"; }

ends_with() {
    local wanted=$1 pattern=$2 status=0
    shift 2
    timeout 20 "$@" >out 2>err || status=$?
    cat err >&2
    sed -i /event=few-descriptors/d err # a machine may allow as few
    [ "$status" -eq "$wanted" ]
    [ ! -s out ]
    [[ $(head -n 1 err) == "vstamp-replica: "$pattern ]]
    [ "$(grep -vc "^Try '" err)" -eq 1 ]
}

@test "--help and --version go to standard output and end with 0" {
    vstamp-replica --help >out
    for option in --config --index --data-dir --check --log-level --log-format --local; do
        grep -q -- "$option" out
    done
    [[ $(vstamp-replica --version) == "vstamp-replica "[0-9]* ]]
}

@test "usage errors are one line and exit 2" {
    group_configure 3
    refused "unknown option '--indx': did you mean '--index'?" vstamp-replica --indx 1
    refused "--index is missing*" vstamp-replica
    refused "--index: expected a whole number*" vstamp-replica --index one
    refused "--log-level: expected error, warn, info or debug*" \
        vstamp-replica --index 0 --log-level loud
    refused "--log-format: expected logfmt or json*" vstamp-replica --index 0 --log-format xml
    refused "--local makes its own configuration*" vstamp-replica --local 3 --index 0
    refused "--local makes its own configuration*" vstamp-replica --local 3 --journal-io thread
    refused "one operand too many*" vstamp-replica --index 0 more
}

@test "a bad configuration is refused with file, line and column" {
    group_configure 3 "durabilty: memory"
    refused "$VSTAMP_CONFIG:10:1: unknown key 'durabilty': did you mean 'durability'?" \
        vstamp-replica --index 0
    group_configure 3 "durability: paper"
    refused "$VSTAMP_CONFIG:10:13: *" vstamp-replica --index 0
    printf 'replicas_addresses: [nowhere]\n' >bad.yaml
    refused "bad.yaml:1:22: *" vstamp-replica --config bad.yaml --index 0
    printf 'replicas_addresses: [[::1]:14621]\n' >bad.yaml
    refused "bad.yaml:1:*quote an IPv6 address*" vstamp-replica --config bad.yaml --index 0
}

@test "no configuration: says what was looked for" {
    refused "no configuration: *server-config.yaml*--config*VSTAMP_CONFIG*" vstamp-replica --index 0
    refused "nosuch.yaml: No such file*" vstamp-replica --config nosuch.yaml --index 0
}

@test "an index that the group does not have" {
    group_configure 3
    refused "$VSTAMP_CONFIG: no replica 3 in a group of 3*" vstamp-replica --index 3
}

@test "--check says what it would do, and does nothing" {
    group_configure 3
    run vstamp-replica --check
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "$VSTAMP_CONFIG: ok: 3 replicas, tolerates 1 failure, data in "* ]]
    [[ $output == *"view_change_ms: "* ]]
    run vstamp-replica --check --index 1
    [ "$status" -eq 0 ]
    [[ $output == *"replica 1: listens on $(group_address 1), status on http://"* ]]
    [ ! -e data ]
    group_configure 4 "durability: memory"
    run vstamp-replica --check
    [[ $output == *"4 replicas, tolerates 1 failure, data in memory only"* ]]
    [[ $output == *"4 replicas tolerate no more failures than 3"* ]]
    [[ $output != *"cannot recover"* ]]
    group_configure 2 "durability: memory"
    run vstamp-replica --check
    [[ $output == *"a replica of 2 that comes back empty cannot recover"* ]]
}

@test "--check says at once what a start would find damaged, and what it would do then" {
    local file=$BATS_TEST_TMPDIR/data/0/journal-0000000000000001
    mkdir -p "${file%/*}"
    truncate -s 1T "$file" # a hole, which is not read for minutes
    group_configure 3
    run -0 timeout 20 vstamp-replica --check --index 0
    [[ $output == *"note: $file: damaged: larger than any segment: started, it recovers from"* ]]
    run -0 vstamp-replica --check --index 1
    [[ $output != *damaged* ]]
    group_configure 2
    run -2 timeout 20 vstamp-replica --check --index 0
    [[ $output == *"vstamp-replica: $file: damaged: larger than any segment" ]]
}

@test "a port in use: one line that names the address, exit 2" {
    group_start 1 "durability: memory"
    refused "$(group_address 0): in use*status endpoint of another replica*" \
        vstamp-replica --index 0
    # its status port alone
    sed "s/:$GROUP_BASE\$/:$((GROUP_BASE + 2))/" "$VSTAMP_CONFIG" >other.yaml
    refused "status endpoint: $(group_address 1): in use*" \
        vstamp-replica --config other.yaml --index 0
}

@test "an address that is not of this machine may be the next time: exit 1" {
    printf 'replicas_addresses: ["192.0.2.1:14621"]\ndurability: memory\n' >other.yaml
    refused_for_now "192.0.2.1:14621: not an address of this machine, or not yet: is *" \
        vstamp-replica --config other.yaml --index 0
}

@test "an address that no name server tells of may be told the next time: exit 1" {
    unshare -n true 2>/dev/null || skip "there is no network without name servers to be had"
    printf 'replicas_addresses: ["replica.example:14621"]\ndurability: memory\n' >other.yaml
    refused_for_now "replica.example:14621: Temporary failure in name resolution" \
        unshare -n vstamp-replica --config other.yaml --index 0
}

@test "a locked folder: one line that names it, exit 2" {
    group_start 1
    sed "s/:$GROUP_BASE\$/:$((GROUP_BASE + 2))/" "$VSTAMP_CONFIG" >other.yaml
    refused "$BATS_TEST_TMPDIR/data/0: locked: *" \
        vstamp-replica --config other.yaml --index 0
    group_running 0
}

@test "a folder that cannot be made" {
    group_configure 1
    touch file
    refused "file/x: cannot create the folder*" vstamp-replica --index 0 --data-dir file/x/y
}

@test "the folder is made when missing, parents too, and for its owner only" {
    group_configure 1
    group_start_one 0 --data-dir made/on/the/way
    group_wait_primary
    [ "$(stat -c %a made made/on made/on/the/way/0)" = $'700\n700\n700' ]
}

@test "the folder of another index or another group is refused" {
    group_start 3
    group_wait_primary
    vstamp --timeout 20 put k v
    group_kill 0 1 2
    mv data/1 data/x
    mv data/0 data/1
    mv data/x data/0
    refused "$BATS_TEST_TMPDIR/data/1 *: mend the order of its replicas_addresses, or, if it is \
right, move this folder away and rename that to*" vstamp-replica --index 1
    mv data/1 data/x
    mv data/0 data/1
    mv data/x data/0
    sed "s/:$((GROUP_BASE + 0))\$/:$((GROUP_BASE + 6))/" "$VSTAMP_CONFIG" >other.yaml
    refused "$BATS_TEST_TMPDIR/data/0 *" vstamp-replica --config other.yaml --index 0
    (cat "$VSTAMP_CONFIG" && echo "batch_bytes: 128KiB") >other.yaml
    refused "*with max_value_bytes 524288, and the configuration says 126976: give it *; or \
restore a backup with the new one; or, *" \
        vstamp-replica --config other.yaml --index 0
}

@test "who was refused for its configuration may begin again with the right one, as it is told" {
    group_start 3
    group_wait_primary
    group_stop 2
    rm -r data/2
    (cat "$VSTAMP_CONFIG" && echo "max_clients: 77") >other.yaml
    GROUP_CONFIG[2]=other.yaml
    group_start_one 2
    group_wait_log 2 "max_clients is 10000 at .* and 77 at .*: all replicas need the same"
    group_wait_log 2 'event=peer-unreachable .*reason="one of the two refuses the other"'
    group_wait "whose it is to be written" \
        grep -qa "$(group_address 2)" data/2/journal-0000000000000001
    group_stop 2
    refused "*: was written with max_clients 77, and the configuration says 10000: *; or, if \
vstamp-admin journal calls this folder blank, remove it" vstamp-replica --index 2
    vstamp-admin journal data/2 | grep -q "blank: it was in no group yet"
    rm -r data/2
    GROUP_CONFIG=()
    group_start_one 2
    group_wait_agree
}

@test "the log: one event a line, logfmt or JSON" {
    group_configure 1 "durability: memory"
    group_start_one 0
    group_wait_primary
    group_stop 0
    group_never grep -v '^ts=[^ ]* level=[a-z]* replica=0 event=[a-z-]*' replica-0.log
    grep -q 'event=listening ' replica-0.log
    grep -q 'event=stopped' replica-0.log
    rm replica-0.log
    group_start_one 0 --log-format json --log-level debug
    group_wait_primary
    group_stop 0
    group_never grep -v '^{"ts":"[^"]*","level":"[a-z]*","replica":0,"event":"[a-z-]*".*}$' \
        replica-0.log
    grep -q '"level":"debug"' replica-0.log
}

@test "--local: a group in one terminal, its replicas can be killed, Ctrl-C ends all" {
    local group pid
    export TMPDIR=$BATS_TEST_TMPDIR
    vstamp-replica --local 3 >out 2>err 3>&- </dev/null &
    group=$!
    group_adopt "$group"
    group_wait "Ctrl-C" grep -q "Ctrl-C stops all" out
    VSTAMP_CONFIG=$(sed -n 's/^configuration: \(.*\) (durability: memory)$/\1/p' out)
    export VSTAMP_CONFIG XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
    # the line it says to type next
    line=$(sed -n 's/^ *\(vstamp --replicas .* put greeting hello\)$/\1/p' out)
    ${line/vstamp/vstamp --timeout 20}
    pid=$(sed -n 's/^replica 0: pid \([0-9]*\),.*/\1/p' out)
    kill -KILL "$pid"
    group_wait "its end to be told" grep -q "^replica 0 (pid $pid) was ended by signal 9" out
    [ "$(vstamp --timeout 20 get greeting)" = hello ]
    kill -INT "$group"
    wait "$group"
    [ ! -e "$VSTAMP_CONFIG" ]
    for pid in $(sed -n 's/^replica [0-9]: pid \([0-9]*\),.*/\1/p' out); do
        group_never kill -0 "$pid" 2>/dev/null
    done
}

@test "--local: an end in order warns of nothing" {
    local group
    export TMPDIR=$BATS_TEST_TMPDIR XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
    vstamp-replica --local 3 >out 2>err 3>&- </dev/null &
    group=$!
    group_adopt "$group"
    group_wait "Ctrl-C" grep -q "Ctrl-C stops all" out
    vstamp --config "$(sed -n 's/^configuration: \(.*\) (.*$/\1/p' out)" --timeout 20 put a b
    kill -INT "$group"
    wait "$group"
    cat err
    [ ! -s err ]
}

@test "--local: why its standard output could not be written is told at the end" {
    local group status=0
    export TMPDIR=$BATS_TEST_TMPDIR XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
    vstamp-replica --local 1 >/dev/full 2>err 3>&- </dev/null &
    group=$!
    group_adopt "$group"
    serves() { vstamp --config "$(echo "$TMPDIR"/vstamp-local-*/server-config.yaml)" put a b; }
    group_wait "the replica to serve" serves
    kill -INT "$group"
    wait "$group" || status=$?
    [ "$status" -eq 2 ]
    [ "$(cat err)" = "vstamp-replica: standard output: No space left on device" ]
}

@test "--local: when the parent is killed, its replicas end too" {
    local group pid
    export TMPDIR=$BATS_TEST_TMPDIR
    vstamp-replica --local 1 >out 2>err 3>&- </dev/null &
    group=$!
    group_adopt "$group"
    group_wait "Ctrl-C" grep -q "Ctrl-C stops all" out
    pid=$(sed -n 's/^replica 0: pid \([0-9]*\),.*/\1/p' out)
    kill -0 "$pid"
    kill -KILL "$group"
    group_wait "replica 0 to end" group_never kill -0 "$pid" 2>/dev/null
}

@test "--local --data-dir: the data are there the next time" {
    local group try
    export TMPDIR=$BATS_TEST_TMPDIR
    for try in 1 2; do
        vstamp-replica --local 1 --data-dir kept >out 2>err 3>&- </dev/null &
        group=$!
        group_adopt "$group"
        group_wait "Ctrl-C" grep -q "Ctrl-C stops all" out
        [ "$(vstamp --config kept/server-config.yaml --timeout 20 incr n)" -eq "$try" ]
        kill -TERM "$group"
        wait "$group"
    done
    refused "*is of a group of 1*" vstamp-replica --local 3 --data-dir kept
    touch other.so
    refused "*kept/server-config.yaml: app is \"\" there: leave --app out*" \
        vstamp-replica --local 1 --data-dir kept --app ./other.so
    refused "*app_exec is \"\" there: leave --app-exec out*" \
        vstamp-replica --local 1 --data-dir kept --app-exec cat
    mv kept moved
    refused "*moved/server-config.yaml: data_dir is \"*/kept\" there*mend that line" \
        vstamp-replica --local 1 --data-dir moved
}

@test "--local: any characters in names, and status 1 when no replica is left" {
    local group status=0 folder='a "quoted" \folder'
    vstamp-replica --local 1 --data-dir "$folder" >out 2>err 3>&- </dev/null &
    group=$!
    group_adopt "$group"
    group_wait "Ctrl-C" grep -q "Ctrl-C stops all" out
    [ -e "$folder/0/lock" ]
    kill -KILL "$(sed -n 's/^replica 0: pid \([0-9]*\),.*/\1/p' out)"
    wait "$group" || status=$?
    [ "$status" -eq 1 ]
    grep -q "^vstamp-replica: no replica is left" err
}

@test "too few descriptors for a replica are told before it starts" {
    group_configure 3
    ulimit -n 60
    refused "the system allows this process 60 open files, and a replica needs 352: *ulimit -n*" \
        vstamp-replica --index 0
}

@test "as many descriptors as the system allows are taken" {
    group_configure 1 "durability: memory" "max_connections: 32"
    GROUP_RUN="prlimit --nofile=64:" group_start_one 0 # and more, if it asks for them
    group_wait_primary
    group_never grep -q event=few-descriptors "$BATS_TEST_TMPDIR/replica-0.log"
    group_stop 0
    GROUP_RUN="prlimit --nofile=354" group_start_one 0
    group_wait_log 0 "level=warn .*event=few-descriptors limit=354 max_connections=32 hint="
}

@test "the journal of systemd is told the level of each line, and nobody else is" {
    local log=$BATS_TEST_TMPDIR/replica-0.log
    group_configure 1 "durability: memory"
    : >"$log"
    GROUP_RUN="env JOURNAL_STREAM=$(stat -c %d:%i "$log")" group_start_one 0
    group_wait_log 0 "event=listening"
    group_stop 0
    grep -q "^<6>ts=.* level=info replica=0 event=listening " "$log"
    group_never grep -v "^<[3467]>ts=" "$log"
    group_fails 2 "<3>vstamp-replica: --index is missing*" \
        env JOURNAL_STREAM="$(stat -c %d:%i "$log")" sh -c 'vstamp-replica 2>>"$1"; \
            s=$?; tail -n 2 "$1"; exit $s' sh "$log"
    : >"$log"
    GROUP_RUN="env JOURNAL_STREAM=1:1" group_start_one 0
    group_wait_log 0 "event=listening"
    group_never grep -v "^ts=" "$log"
}

@test "a replica that says nothing to who dials it is dialled again" {
    group_configure 2 "durability: memory"
    group_start_one 0
    group_wait_listening
    group_pause 0 # the system takes the connection
    group_start_one 1
    group_wait_log 1 'event=peer-unreachable peer=0 .*reason="no answer"'
    group_cont 0
    group_wait_agree
}

@test "too little address space is told before it starts, too" {
    group_configure 3
    ulimit -v 1000000
    refused "the system refuses [1-9]* MiB of address space: raise the limit (ulimit -v), or *" \
        vstamp-replica --index 0
}

@test "a name that means the loopback on its own machine is told, unless that is meant" {
    local name config
    unshare -m true 2>/dev/null || skip "nothing can be mounted"
    echo "127.0.1.1 alpha.example" >hosts
    group_configure 3 "durability: memory"
    for name in beta.example alpha.example; do
        config=$name.yaml # of which it is the second one
        sed "3s/$GROUP_HOST:/$name:/; s/$GROUP_HOST:/alpha.example:/" "$VSTAMP_CONFIG" >"$config"
        unshare -m sh -c "mount --bind hosts /etc/hosts &&
            exec timeout 20 vstamp-replica --config $config --index 0" 2>"$name.err" 3>&- &
        group_adopt $!
        group_wait "its start" grep -q event=blank "$name.err"
        kill $!
        wait $! || true
    done
    grep -q "event=address-on-loopback address=alpha.example:$GROUP_BASE ip=127.0.1.1 hint=" \
        beta.example.err
    group_never grep address-on-loopback alpha.example.err
}

#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# vstamp-admin backup and restore: copies of groups that run, and groups that begin with them.

bats_require_minimum_version 1.5.0
load group
teardown() { group_teardown; }

admin() { run --separate-stderr vstamp-admin "$@"; }

# restore_group N FILE [LINE...]: the group that runs ends, and a new one of N replicas, with other
# addresses and in a folder of its own, begins with the backup.
restore_group() {
    local i n=$1 file=$2
    shift 2
    group_teardown
    group_configure "$n" "$@"
    sed -i "s|^data_dir:.*|data_dir: $BATS_TEST_TMPDIR/restored-$n|" "$VSTAMP_CONFIG"
    vstamp-admin restore "$file"
    for ((i = 0; i < n; i++)); do group_start_one "$i"; done
    group_wait_listening
    group_wait_primary
}

# Increments the key given until it is killed; the last line of $BATS_TEST_TMPDIR/KEY is what was
# acknowledged last.
start_counter() {
    (while :; do vstamp --timeout 20 incr "$1" || exit; done) \
        >>"$BATS_TEST_TMPDIR/$1" 2>/dev/null 3>&- &
    COUNTERS+=($!)
    group_adopt $!
}
has_counted() { [[ -s $BATS_TEST_TMPDIR/$1 ]] && (($(tail -n 1 "$BATS_TEST_TMPDIR/$1") >= $2)); }

@test "what was acknowledged before is in the backup, and a new group of any size has it" {
    local n digest
    group_start 3
    group_wait_primary
    vstamp put greeting "hello there"
    head -c 300000 /dev/urandom >"$BATS_TEST_TMPDIR/large"
    vstamp put large - <"$BATS_TEST_TMPDIR/large"
    vstamp incr n
    cd "$BATS_TEST_TMPDIR"
    admin backup b
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [[ $output == *"keys       3, 300 kB"* ]]
    [ "$(stat -c %a b)" = 600 ]
    group_never compgen -G 'b.*'
    digest=$(grep '^digest ' <<<"$output")
    for n in 1 3 5; do
        restore_group "$n" b
        vstamp-admin backup --force again
        [ "$(vstamp-admin backup --verify again | grep '^digest ')" = "$digest" ]
        [ "$(vstamp get greeting)" = "hello there" ]
        vstamp get --raw large | cmp - large
        [ "$(vstamp incr n)" = 2 ]
        group_wait_agree
    done
}

@test "a group in memory can be copied, and nothing is restored into one" {
    group_start 3 "durability: memory"
    group_wait_primary
    vstamp put k v
    vstamp-admin backup "$BATS_TEST_TMPDIR/b"
    run vstamp-admin restore "$BATS_TEST_TMPDIR/b"
    [ "$status" -eq 2 ]
    [[ $output == *"with durability: memory there is no folder to restore into" ]]
    restore_group 3 "$BATS_TEST_TMPDIR/b"
    [ "$(vstamp get k)" = v ]
}

@test "an empty group gives a backup, too" {
    group_start 1
    group_wait_primary
    vstamp-admin backup "$BATS_TEST_TMPDIR/b"
    restore_group 1 "$BATS_TEST_TMPDIR/b"
    [ "$(vstamp size)" = "0 keys, 0 bytes" ]
    vstamp put k v
}

@test "under load a backup is a state that was, not older than what was acknowledged" {
    local key before=() COUNTERS=() copy
    group_start 3 "checkpoint_ops: 16"
    group_wait_primary
    for key in a b c; do start_counter "$key"; done
    for key in a b c; do group_wait "increments" has_counted "$key" 30; done
    for key in a b c; do before+=("$(tail -n 1 "$BATS_TEST_TMPDIR/$key")"); done
    for copy in 1 2 3; do vstamp-admin backup "$BATS_TEST_TMPDIR/copy-$copy"; done
    kill "${COUNTERS[@]}"
    wait "${COUNTERS[@]}" 2>/dev/null || true
    restore_group 3 "$BATS_TEST_TMPDIR/copy-1"
    for key in a b c; do
        copy=$(vstamp get "$key")
        echo "$key: ${before[0]} <= $copy <= $(tail -n 1 "$BATS_TEST_TMPDIR/$key") + 1"
        ((copy >= before[0] && copy <= $(tail -n 1 "$BATS_TEST_TMPDIR/$key") + 1))
        before=("${before[@]:1}")
    done
}

@test "a backup outlives the replicas that it is copied from, as long as the group lives" {
    local i backup
    group_start 3 "durability: memory"
    group_wait_primary
    head -c 500000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/v"
    for ((i = 0; i < 40; i++)); do vstamp put "k$i" - <"$BATS_TEST_TMPDIR/v" >/dev/null; done
    # the first backup is asked first; it stands still, then dies, while the copy waits for it
    backup=$(((PRIMARY + 1) % 3))
    group_pause "$backup"
    vstamp-admin --timeout 2 backup "$BATS_TEST_TMPDIR/b" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    group_adopt $!
    group_kill "$backup"
    wait $!
    restore_group 1 "$BATS_TEST_TMPDIR/b"
    [ "$(vstamp size)" = "40 keys, 20000110 bytes" ]
}

@test "without any replica it gives up, says why of each, and leaves nothing" {
    group_configure 2
    cd "$BATS_TEST_TMPDIR"
    admin --timeout 1 backup b # each is asked again and again
    [ "$status" -eq 3 ]
    [[ $stderr == "vstamp-admin: no replica could be copied: $(group_address 0): \
Connection refused; $(group_address 1): Connection refused" ]]
    group_never compgen -G 'b*'
}

@test "a file that is there is replaced with --force only" {
    group_start 1
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    echo precious >b
    admin backup b
    [ "$status" -eq 2 ]
    [[ $stderr == "vstamp-admin: b: it exists: choose another name, or say --force"* ]]
    [ "$(cat b)" = precious ]
    vstamp-admin backup --force b
    vstamp-admin backup --verify b
    mkfifo pipe # as it could be a device
    admin backup --force pipe
    [ "$status" -eq 2 ]
    [[ $stderr == "vstamp-admin: pipe: it is no regular file: choose another name, or '-' "* ]]
    [ -p pipe ]
    admin backup nowhere/b
    [ "$status" -eq 2 ]
    [[ $stderr == "vstamp-admin: nowhere/b: No such file or directory"* ]]
}

@test "no other file is touched, nor is what another backup writes into" {
    group_start 1
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    echo precious >precious
    ln precious b.tmp
    vstamp-admin backup b
    [ "$(cat precious)" = precious ]
    vstamp-admin backup --force b >one 3>&- &
    group_adopt $!
    vstamp-admin backup --force b >two
    wait $!
    vstamp-admin backup --verify b
    [ "$(echo b.*)" = b.tmp ]
}

@test "a damaged or cut backup is noticed, and not restored" {
    local size at
    group_start 1
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    vstamp put k v
    vstamp-admin backup b
    size=$(stat -c %s b)
    for at in 3 40 $((size / 2)) $((size - 1)); do
        cp b damaged
        printf '\xa5' | dd of=damaged bs=1 seek="$at" conv=notrunc status=none
        admin backup --verify damaged
        [ "$status" -eq 1 ]
        [[ $stderr == "vstamp-admin: damaged: "* ]]
    done
    head -c $((size - 8)) b >damaged
    admin backup --verify damaged
    [ "$status" -eq 1 ]
    admin --json backup --verify damaged
    [ "$status" -eq 1 ]
    [[ $output == '{"ok":false,"error":"corrupt","outcome":"none","message":"damaged: '* ]]
    sed -i "s|^data_dir:.*|data_dir: new|" "$VSTAMP_CONFIG"
    admin restore damaged
    [ "$status" -eq 2 ]
    [ ! -e new ]
    admin backup --verify missing
    [ "$status" -eq 2 ]
}

@test "standard output is the backup where FILE is '-', and a pipe is restored from" {
    group_start 1
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    vstamp put k v
    vstamp-admin backup - >b
    vstamp-admin backup --verify - <b
    sed -i "s|^data_dir:.*|data_dir: new|" "$VSTAMP_CONFIG"
    cat b | vstamp-admin restore -
    [ -d new/0 ]
    run vstamp-admin --json backup -
    [ "$status" -eq 2 ]
    group_fails 1 "vstamp-admin: standard input: not a backup *" \
        vstamp-admin backup --verify - </dev/null
    group_fails 2 "vstamp-admin: standard input: Bad file descriptor" \
        bash -c 'vstamp-admin restore --dry-run - <&-'
}

@test "JSON says the same, and a dry run writes nothing" {
    group_start 3
    group_wait_primary
    vstamp put k v
    cd "$BATS_TEST_TMPDIR"
    admin --json backup b
    [ "$status" -eq 0 ]
    [[ $output == '{"file":"b","file_bytes":'*',"op_number":2,"keys":1,"bytes":2,"digest":"'* ]]
    [[ $output == *'","left_out":0}' ]]
    [[ $output == *"\"group\":\"$(group_field 0 group)\""* ]]
    sed -i "s|^data_dir:.*|data_dir: new|" "$VSTAMP_CONFIG"
    admin --json restore --dry-run b
    [ "$status" -eq 0 ]
    [[ $output == *'"dry_run":true,"members":[{"replica":0,"folder":"new/0"},{"replica":1,'* ]]
    [ ! -e new ]
    local key
    [[ $(vstamp-admin --json backup $'caf\xe9') == '{"file":"caf?","file_bytes":'* ]]
    cp "$VSTAMP_CONFIG" config.yaml
    for key in "app: ./mine.so" "app_exec: ./mine" $'app_exec: ./mine\napp_argument: x'; do
        { cat config.yaml && echo "$key"; } >"$VSTAMP_CONFIG"
        admin restore b
        [ "$status" -eq 2 ]
        [[ $stderr == *"b: is of the key-value store, and $VSTAMP_CONFIG names another \
application, ./mine"* ]]
        [ ! -e new ]
    done
}

@test "members made apart are one group, and a folder that is used is refused" {
    local i
    group_start 3
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    vstamp incr n
    vstamp-admin backup b
    admin restore b
    [ "$status" -eq 2 ]
    [[ $stderr == *"/data/0: not empty: a group is restored into new folders"* ]]
    admin restore nowhere
    [ "$status" -eq 2 ]
    [ "$stderr" = "vstamp-admin: nowhere: No such file or directory" ]
    group_teardown
    sed -i "s|^data_dir:.*|data_dir: new|" "$VSTAMP_CONFIG"
    mkdir -p new/0
    touch new/0/lock
    run --separate-stderr flock new/0/lock vstamp-admin restore b
    [ "$status" -eq 2 ]
    [[ $stderr == "vstamp-admin: "*"new/0: locked: "* ]]
    # the third comes blank, and recovers from the two
    for i in 0 1; do vstamp-admin restore --index "$i" b; done
    [ ! -e new/2 ]
    for i in 0 1 2; do group_start_one "$i"; done
    group_wait_agree
    [ "$(vstamp incr n)" = 2 ]
    admin restore --index 3 b
    [ "$status" -eq 2 ]
}

@test "what root restores into the folder of another user belongs to that user" {
    ((EUID == 0)) || skip "only root can give files away"
    group_start 1
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    vstamp-admin backup b
    sed -i "s|^data_dir:.*|data_dir: new|" "$VSTAMP_CONFIG"
    mkdir -p new/0
    chown 4321:1234 new/0
    vstamp-admin restore b
    [ -e new/0/pages.mdb ]
    [ "$(stat -c %u:%g new/0 new/0/* | uniq)" = 4321:1234 ]
    [ "$(stat -c %u new)" = 0 ]
    rm -r new/0
    chown 4321:1234 new
    vstamp-admin restore b
    [ "$(stat -c %u:%g new/0 new/0/* | uniq)" = 4321:1234 ]
}

@test "no replica starts in a folder of which a restore has made a part" {
    local i
    group_start 1
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    head -c 500000 /dev/zero | tr '\0' x >v
    for ((i = 0; i < 40; i++)); do vstamp put "k$i" - <v >/dev/null; done
    vstamp-admin backup b
    group_stop 0
    sed -i "s|^data_dir:.*|data_dir: new|" "$VSTAMP_CONFIG"
    # the journal fits, the pages do not
    (ulimit -f 17000 && admin restore b && [ "$status" -eq 1 ] && [[ $stderr == *disk-failed* ]])
    [ -s new/0/journal-0000000000000002 ]
    run --separate-stderr timeout 20 vstamp-replica --index 0
    [ "$status" -eq 2 ]
    [[ $stderr == *"new/0: a restore into it was not finished: remove the folder"* ]]
    admin journal new/0
    [ "$status" -eq 1 ]
    [[ $output == *"restore-unfinished: a restore into this folder was not finished"* ]]
    rm -r new
    vstamp-admin restore b
    group_start_one 0
    [ "$(vstamp --timeout 20 get k39 | wc -c)" -ge 500000 ]
}

@test "a folder that cannot be listed is not taken for an empty one" {
    local library
    library=$(cd "${top_builddir:?}" && pwd)/tests/cli/.libs/bad_folder.so
    LD_PRELOAD=$library vstamp-admin --version || skip "LD_PRELOAD does not work here"
    group_start 1
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    vstamp-admin backup b
    sed -i "s|^data_dir:.*|data_dir: new|" "$VSTAMP_CONFIG"
    mkdir -p new/0
    touch new/0/theirs
    LD_PRELOAD=$library BAD_FOLDER_NAMES=0 admin restore b
    [ "$status" -eq 2 ]
    [[ $stderr == *"new/0: cannot list the folder: Input/output error" ]]
    [ "$(ls new/0)" = theirs ]
}

@test "sessions of the copied group are refused by the new one" {
    group_start 1
    group_wait_primary
    vstamp --session "$BATS_TEST_TMPDIR/s" incr n
    vstamp-admin backup "$BATS_TEST_TMPDIR/b"
    restore_group 1 "$BATS_TEST_TMPDIR/b"
    run vstamp --session "$BATS_TEST_TMPDIR/s" incr n
    [ "$status" -eq 2 ]
    [[ $output == *"another group"* ]]
    [ "$(vstamp get n)" = 1 ]
}

@test "a state that does not fit the new configuration is refused, with what would do" {
    group_start 1
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    head -c 400000 /dev/zero >v
    for i in 1 2 3 4; do vstamp put "k$i" - <v; done
    vstamp-admin backup b
    group_teardown
    group_configure 1 "state_bytes_max: 1MiB" "max_clients: 10"
    sed -i "s|^data_dir:.*|data_dir: new|" "$VSTAMP_CONFIG"
    admin restore b
    [ "$status" -eq 2 ]
    [[ $stderr =~ "give state_bytes_max at least "([0-9]+) ]]
    sed -i "s|^state_bytes_max:.*|state_bytes_max: ${BASH_REMATCH[1]}|" "$VSTAMP_CONFIG"
    vstamp-admin restore b
    group_start_one 0
    group_wait_primary
    vstamp get --raw k4 | cmp - v
    group_configure 1 "max_value_bytes: 1000"
    sed -i "s|^data_dir:.*|data_dir: newer|" "$VSTAMP_CONFIG"
    admin restore --dry-run b
    [[ $stderr == *"give max_value_bytes at least 524288"* ]]
}

@test "a backup or an export that is killed leaves nothing" {
    local pid
    group_start 3 "durability: memory"
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    case $(stat -f -c %T .) in
    ext* | tmpfs | xfs | btrfs) ;;
    *) skip "the file system may have no files without a name" ;;
    esac
    vstamp put k v
    writes_there() { readlink "/proc/$pid/fd/"* | grep -q "^$PWD/"; }
    killed() {
        "$@" 2>/dev/null 3>&- &
        pid=$!
        group_wait "it to wait" writes_there
        kill -KILL "$pid"
        wait "$pid" || true
        group_never compgen -G 'new*'
    }
    group_pause $(((PRIMARY + 1) % 3))
    killed vstamp-admin --timeout 4 backup new
    group_pause $(((PRIMARY + 2) % 3))
    killed vstamp --timeout 60 export new
}

@test "a signal ends a backup soon, and nothing is left, not even of a file with a name" {
    local pid status without=(unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' sh)
    group_start 3 "durability: memory"
    group_wait_primary
    mkdir "$BATS_TEST_TMPDIR/here"
    cd "$BATS_TEST_TMPDIR/here"
    writes_there() { readlink "/proc/$pid/fd/"* | grep -q "^$PWD/"; }
    ended_by() { # SIGNAL COMMAND...
        status=0
        "${@:2}" 2>../err 3>&- &
        pid=$!
        group_wait "it to wait" writes_there
        kill "-$1" "$pid"
        wait "$pid" || status=$?
        [ "$status" -eq $((128 + $(kill -l "$1"))) ]
        [ ! -s ../err ]
        group_never compgen -G 'new*'
    }
    group_pause $(((PRIMARY + 1) % 3))
    ended_by TERM vstamp-admin --timeout 3 backup new
    "${without[@]}" true 2>/dev/null || skip "may not mount"
    # these tests may run under nohup
    ended_by HUP env --default-signal=HUP "${without[@]}" vstamp-admin --timeout 3 backup new
}

@test "without /proc a file has a name until it is complete, and nobody sees a difference" {
    group_start 1
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    unshare -m mount -t tmpfs none /proc 2>/dev/null || skip "may not mount"
    vstamp put k v
    without() { unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' sh "$@"; }
    echo precious >there
    run -2 without vstamp-admin backup there
    [ "$(cat there)" = precious ]
    without vstamp-admin backup --force there
    without vstamp-admin backup new
    cmp <(vstamp-admin backup --verify new | grep digest) \
        <(vstamp-admin backup --verify there | grep digest)
    [ "$(stat -c %a new there)" = $'600\n600' ]
    without vstamp export new
    [ "$(cat new)" = $'k\tv' ]
    group_kill 0
    run -3 without vstamp --timeout 0.5 export other
    run -3 without vstamp-admin --timeout 0.05 backup other
    group_never compgen -G '*.??????'
}

@test "a disk that is full leaves no backup" {
    local disk=$BATS_TEST_TMPDIR/disk i
    group_start 1
    group_wait_primary
    head -c 500000 /dev/zero | tr '\0' x | vstamp put k -
    mkdir "$disk"
    mount -t tmpfs -o size=256k none "$disk" 2>/dev/null || skip "may not mount"
    admin backup "$disk/b"
    i=$(ls "$disk")
    umount "$disk"
    [ "$status" -eq 2 ]
    [[ $stderr == "vstamp-admin: $disk/b: No space left on device"* ]]
    [ -z "$i" ]
}

@test "on a terminal a slow restore shows its progress, and JSON never does" {
    local i
    group_need_terminal
    group_start 1 "durability: memory"
    group_wait_primary
    cd "$BATS_TEST_TMPDIR"
    head -c 500000 /dev/zero | tr '\0' x >v
    for ((i = 0; i < 60; i++)); do vstamp put "k$i" - <v >/dev/null; done
    is_asked() { grep -q ":$(printf %04X $((GROUP_BASE + 1))) [0-9A-F:]* 01 " /proc/net/tcp; }
    slowly() { # COMMAND: a replica that stands still meanwhile makes it slow
        group_pause 0
        TERM=xterm script -qec "$1" out </dev/null >/dev/null 3>&- &
        group_adopt $!
        group_wait "its first question" is_asked
        sleep 0.8 # what takes less shows nothing
        group_cont 0
        wait $!
    }
    slowly "vstamp-admin --timeout 10 backup b"
    grep -q 'backup  \[#* *' out
    grep -q '100%' out
    slowly "vstamp-admin --timeout 10 --json backup c"
    group_never grep -q 'backup  \[' out
}

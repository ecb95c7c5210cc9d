#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What others do with an installed vstamp, outside its tree: the examples are compiled with what
# pkg-config says, and run.

bats_require_minimum_version 1.5.0
load group

setup_file() {
    command -v pkg-config >/dev/null || skip "no pkg-config"
    export ROOT=$BATS_FILE_TMPDIR/root HOME_OF_TREE
    [[ $ROOT != *[[:space:]]* ]] || skip "libtool installs nothing in a path with a space"
    HOME_OF_TREE=$(cd "${top_builddir:?}" && pwd)
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$HOME_OF_TREE" install DESTDIR="$ROOT" \
        >"$BATS_FILE_TMPDIR/install.log" 2>&1 || {
        cat "$BATS_FILE_TMPDIR/install.log" >&2
        return 1
    }
    local pc
    pc=$(find "$ROOT" -name vstamp.pc)
    export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$ROOT
    export LD_LIBRARY_PATH=${PKG_CONFIG_PATH%/*}
    EXAMPLES=$(find "$ROOT" -type d -name examples)
    export EXAMPLES
    cp "$EXAMPLES"/*.c "$BATS_FILE_TMPDIR"
    cd "$BATS_FILE_TMPDIR" || return 1
    compile counter.c vstamp-replica -o counter
    compile ask.c vstamp -o ask
    compile increments.c vstamp -o increments
    compile tally.c vstamp -o tally
    local plug_in
    for plug_in in phonebook locks jobs; do
        compile "$plug_in.c" vstamp -shared -fPIC -o "$plug_in.so"
    done
    compile sql.c "vstamp sqlite3" -shared -fPIC -o sql.so
}

# compile SOURCE PACKAGE WORD...
compile() {
    local source=$1 package=$2
    shift 2
    # shellcheck disable=SC2046,SC2086 # they are words
    ${CC:-cc} ${INSTRUMENT_CFLAGS:-} -Wall -Wextra -Werror $(pkg-config --cflags $package) \
        "$source" "$@" $(pkg-config --libs $package)
}

setup() {
    PATH=$(dirname "$(find "$ROOT" -name vstamp -type f)"):$PATH
    cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() { group_teardown; }

# The pages of the installed tree name its version.
@test "pkg-config knows both libraries, and their version" {
    [ "$(pkg-config --modversion vstamp)" = "$(pkg-config --modversion vstamp-replica)" ]
    [[ $(vstamp --version) == *" $(pkg-config --modversion vstamp)" ]]
    [[ $(pkg-config --libs vstamp-replica) == *-lvstamp-replica* ]]
    [ "$(find "$ROOT" -name 'libvstamp*.so.*.*.*' | wc -l)" -eq 2 ]
}

@test "a client that is linked statically needs no library of vstamp" {
    [ -e "$LD_LIBRARY_PATH/libvstamp.a" ] || skip "configured without --enable-static"
    # shellcheck disable=SC2046 # they are words
    ${CC:-cc} -static $(pkg-config --cflags vstamp) "$EXAMPLES/ask.c" -o ask \
        $(pkg-config --static --libs vstamp)
    nm -g --defined-only "$LD_LIBRARY_PATH"/libvstamp*.a |
        awk 'NF == 3 { n++ } NF == 3 && $3 !~ /^vstamp_/ { print; bad++ } END { exit !n || bad }'
    GROUP_PROGRAM=$BATS_FILE_TMPDIR/counter
    group_start 1 "durability: memory"
    group_wait_primary
    [ "$(env -u LD_LIBRARY_PATH ./ask "$(group_address 0)" <<<5)" = 5 ]
}

# example_of PAGE [N]: the N-th C program of it, by default the first.
example_of() {
    sed '1,/^\.Sh EXAMPLES/d' "$(find "$ROOT" -name "$1")" |
        awk -v n="${2:-1}" '/^\.Bd/ { begins = 1; next } begins { on = /^#include/; k += on }
            { begins = 0 } /^\.Ed/ { on = 0 } on && k == n { gsub(/\\e/, "\\"); print }'
}

@test "the examples of the manual pages are whole, and do what they say" {
    example_of vstamp-app.3 >lottery.c
    example_of vstamp-replica.3 >register.c
    example_of vstamp-replica.3 2 >main.c
    example_of vstamp-client.3 >send.c
    [ "$(wc -l <lottery.c)" -lt 100 ]
    # shellcheck disable=SC2046,SC2086 # they are words
    ${CC:-cc} ${INSTRUMENT_CFLAGS:-} -shared -fPIC $(pkg-config --cflags vstamp) lottery.c \
        -o lottery.so
    compile main.c vstamp-replica register.c -o register
    compile send.c vstamp -o send
    [[ $(./register --version) == "register (vstamp "* ]]

    GROUP_OPTIONS="--app ./lottery.so" group_start 3 "durability: disk" "checkpoint_ops: 16"
    group_wait_primary
    for i in $(seq 20); do vstamp call "name$i"; done
    group_kill "$PRIMARY"
    [ "$(vstamp call --read x | od -An -tu4 | tr -d ' ')" = 20 ]
    for i in $(seq 20); do
        ./send "$(group_address 0),$(group_address 1),$(group_address 2)" "" >>drawn
        echo >>drawn
    done
    [ "$(sort -u drawn | grep -c '^name')" -eq 20 ]
    [ "$(vstamp call '')" = "" ]
    if script -qec true /dev/null </dev/null >/dev/null 2>&1; then # a terminal's lines end in CR
        [ "$(script -qec "vstamp call --read x" /dev/null </dev/null)" = '\x00\x00\x00\x00'$'\r' ]
    fi
    GROUP_OPTIONS="--app ./lottery.so" group_start_one "$PRIMARY"
    group_wait_field "$PRIMARY" status normal
}

@test "a program in C puts to the key-value store, and gets from it" {
    example_of vstamp-kv.3 >set.c
    compile set.c vstamp -o set
    group_start 1 "durability: memory"
    group_wait_primary
    [ "$(./set "$(group_address 0)" color blue)" = blue ]
    [ "$(vstamp get color)" = blue ]
    group_kill 0
    GROUP_PROGRAM=$BATS_FILE_TMPDIR/counter group_start_one 0
    group_wait_primary
    run -5 ./set "$(group_address 0)" color red
    [[ $output == "set: the group refused the operation as invalid" ]]
}

@test "each function of the libraries has a page of its name" {
    local pages name names=0
    pages=$(dirname "$(find "$ROOT" -name vstamp-client.3)")
    for name in $(${NM:-nm} -D --defined-only "$LD_LIBRARY_PATH"/libvstamp*.so |
        sed -n 's/.* T \(vstamp_[a-z0-9_]*\).*/\1/p'); do
        grep -q "Fn $name\>" "$pages/$name.3"
        names=$((names + 1))
    done
    [ "$names" -gt 30 ]
}

@test "the program of vstamp-app-exec(5) is installed, and answers as that page has it" {
    cd "$EXAMPLES/.."
    local said
    said=$(sed -n "/^\$ printf 'hello/,/^\.Ed/p" "$(find "$ROOT" -name vstamp-app-exec.5)" |
        sed 's/\\e/\\/g; s/^\$ //; /^\.Ed/d')
    [ "$(eval "$(head -n 2 <<<"$said")")" = "$(tail -n +3 <<<"$said")" ]
}

# command_of PAGE N: the N-th command in its examples, as it would be typed.
command_of() {
    sed '1,/^\.Sh EXAMPLES/d' "$(find "$ROOT" -name "$1")" | sed -n 's/\\e/\\/g; s/^\$ //p' |
        sed -n "$2p"
}

@test "the simulator is installed, and its page shows what it does to an application" {
    example_of vstamp-app.3 >lottery.c
    sed 's/memcpy(&chance.*/chance = (uint64_t)rand();/' lottery.c >careless.c
    compile lottery.c vstamp -shared -fPIC -o lottery.so
    compile careless.c vstamp -Wno-unused-parameter -shared -fPIC -o careless.so
    [[ $(vstamp-sim --version) == "vstamp-sim $(pkg-config --modversion vstamp)" ]]
    eval "$(command_of vstamp-sim.1 1)"
    run -0 eval "$(command_of vstamp-sim.1 2 | sed 's/1-100/1-20/')"
    [[ $output == "20 runs, 0 failed; "*" commits="* ]]
    run -1 eval "$(command_of vstamp-sim.1 3) --jobs 1"
    [[ $output == *"the application is not deterministic: at op-number"* ]]
    [[ $output == *"with: replicas="*"again: vstamp-sim --seed "*" --app ./careless.so "* ]]
}

@test "C++ takes the headers as they are" {
    command -v "${CXX:-c++}" >/dev/null || skip "no C++ compiler"
    cat >all.cc <<'END'
#include <vstamp/app.h>
#include <vstamp/client.h>
#include <vstamp/error.h>
#include <vstamp/kv.h>
#include <vstamp/replica.h>

static void apply(struct vstamp_pages *, const struct vstamp_context *, const uint8_t *, size_t,
                  struct vstamp_answer *)
{
}

static void query(const struct vstamp_pages *, const uint8_t *, size_t, struct vstamp_answer *)
{
}

static vstamp_app app;

int main(int argc, char **argv)
{
    app.abi = VSTAMP_APP_ABI;
    app.name = "nothing";
    app.apply = apply;
    app.query = query;
    return vstamp_replica_main(argc, argv, &app);
}
END
    # shellcheck disable=SC2046,SC2086 # they are words
    "${CXX:-c++}" ${INSTRUMENT_CFLAGS:-} -std=c++17 -Wall -Wextra -pedantic -Werror \
        $(pkg-config --cflags vstamp-replica) all.cc -o all $(pkg-config --libs vstamp-replica)
    [[ $(./all --version) == "all (vstamp "*")" ]]
}

@test "a daemon of one's own is a replica with another application" {
    GROUP_PROGRAM=$BATS_FILE_TMPDIR/counter
    group_start 3 "durability: disk"
    group_wait_primary
    [ "$(vstamp call 5)" = 5 ]
    [ "$(vstamp call 37)" = 42 ]
    group_kill "$PRIMARY"
    [ "$(vstamp call 8)" = 50 ]
    [ "$(vstamp call --read '')" = 50 ]
    run -5 vstamp call five
    [[ $output == *"a number is expected"* ]]
    [ "$(group_field "$(((PRIMARY + 1) % 3))" application)" = counter ]
    run -5 vstamp put key value
    [[ $output == *'this group replicates "counter"'* ]]
    [ "$(printf 'call 1\ncall --read x\n' | vstamp shell)" = $'51\\n\n51\\n' ]
    [[ $(printf 'get x\ncall --read x\nget y\n' | vstamp shell | tr '\n' '|') == \
        "(error) refused: this group"*"|51\\n|(error) refused: this group"* ]]
    [ "$(vstamp --json call 1)" = '{"op":"call","ok":true,"answer":"52\n"}' ]
    printf 3 | vstamp call - | cmp - <(echo 55)
    local group
    group=$(group_address 0),$(group_address 1),$(group_address 2)
    [ "$(printf '1\n1\n2\n' | "$BATS_FILE_TMPDIR/ask" "$group")" = $'56\n57\n59' ]
    run -5 "$BATS_FILE_TMPDIR/ask" "$group" <<<"no number"
}

has_counted() { [ "$(tail -n 1 counted)" -ge "$1" ]; }

@test "a client that is killed again and again comes back, and each of its operations ran once" {
    GROUP_PROGRAM=$BATS_FILE_TMPDIR/counter
    group_start 3 "durability: memory"
    group_wait_primary
    local group n
    group=$(group_address 0),$(group_address 1),$(group_address 2)
    echo 0 >counted
    for n in 30 60 90 120; do
        "$BATS_FILE_TMPDIR/tally" "$group" who 1000000 >>counted 2>says 3>&- &
        group_adopt $!
        group_wait "it to count" has_counted "$n"
        if ((n == 60)); then group_pause "$PRIMARY"; fi # what it has sent there comes late
        kill -KILL $!
        wait $! || true
        if ((n == 90)); then group_cont "$PRIMARY"; fi
    done
    n=$(vstamp call --read '')
    "$BATS_FILE_TMPDIR/tally" "$group" who $((n + 20)) >>counted
    [ "$(vstamp call --read '')" = $((n + 20)) ]
    sort -n -u -c counted # none is told twice, and who was killed missed one at most
    [ "$(wc -l <counted)" -ge $((n + 20 + 1 - 4 - 1)) ]
}

were_rejected() { [ "$(group_field 0 rejected)" -ge "$1" ]; }

@test "one with many calls in flight settles all that its predecessor had sent" {
    GROUP_PROGRAM=$BATS_FILE_TMPDIR/counter
    group_start 1 "durability: memory"
    group_wait_primary
    local n proxy
    mkfifo hold
    "$HOME_OF_TREE/tests/cli/lossy_proxy" "$(group_address 0)" 0 <hold >port 3>&- &
    proxy=$!
    group_adopt "$proxy"
    exec 8>hold # the proxy ends when this does
    group_wait "the proxy" test -s port
    echo 0 >counted
    "$BATS_FILE_TMPDIR/tally" "127.0.0.1:$(cat port)" who 1000000 16 >>counted 2>says 3>&- 8>&- &
    group_adopt $!
    group_wait "it to count" has_counted 30
    kill -USR1 "$proxy"
    group_wait "its calls, which are held back, to end" grep -q "waiting for the group" says
    kill -KILL $!
    wait $! || true
    n=$(vstamp call --read '')
    "$BATS_FILE_TMPDIR/tally" "$(group_address 0)" who "$n" 16 >>counted
    kill -USR1 "$proxy"
    group_wait "what was held back to come, and be rejected" were_rejected 16
    [ "$(vstamp call --read '')" = "$n" ]
    exec 8>&-
}

@test "a call whose outcome is unknown is settled as any request" {
    GROUP_PROGRAM=$BATS_FILE_TMPDIR/counter
    # three times that it takes calls though it hears nobody
    group_start 3 "durability: memory" "view_change_ms: 2000"
    group_wait_primary
    [ "$(vstamp --session s call 5)" = 5 ]
    local i
    for i in 0 1 2; do ((i == PRIMARY)) || group_pause "$i"; done
    run -4 vstamp --session s --timeout 1 call 6
    [[ $output == *"vstamp resume s" ]]
    [[ $(vstamp --session s pending) == *"call 6" ]]
    run -4 vstamp --session s --timeout 1 call 7
    [[ $output == *"an unfinished request, 'call 6'"* ]]
    for i in 0 1 2; do ((i == PRIMARY)) || group_cont "$i"; done
    [ "$(vstamp --timeout 20 resume s)" = 11 ]
    [ "$(vstamp call --read '')" = 11 ]
}

@test "replicas and folders of another application are refused by name" {
    GROUP_PROGRAM=$BATS_FILE_TMPDIR/counter
    group_start 3 "durability: disk"
    group_wait_primary
    [ "$(vstamp call 5)" = 5 ]
    group_wait_agree
    local backup=$(((PRIMARY + 1) % 3))
    group_kill "$backup"
    run -2 vstamp-replica --config "$VSTAMP_CONFIG" --index "$backup"
    [[ $output == *'holds the state of the application "counter", this is "key-value store"'* ]]
    vstamp-admin journal "data/$backup" | grep -x "replicates   counter"
    vstamp-admin journal "data/$backup" show 2 | grep "apply call 5"
    rm -r "data/$backup"
    GROUP_PROGRAM=vstamp-replica group_start_one "$backup"
    group_wait_log "$backup" "it replicates another application"
    [ "$(vstamp call 1)" = 6 ]
}

@test "what is no application of this version is refused" {
    group_configure 3 "durability: memory"
    refused() { # PATTERN WORD...
        local pattern=$1
        shift
        run -2 vstamp-replica --config "$VSTAMP_CONFIG" --index 0 "$@"
        # shellcheck disable=SC2053 # a pattern
        [[ $output == "vstamp-replica: "$pattern ]]
    }
    refused "nosuch.so: cannot load the application: *" --app nosuch.so
    echo 'int nothing;' >none.c
    "${CC:-cc}" -shared -fPIC none.c -o none.so
    refused "none.so: has no symbol vstamp_application*" --app none.so
    sed 's/VSTAMP_APP_ABI/77/' "$BATS_FILE_TMPDIR/phonebook.c" >other.c
    compile other.c vstamp -shared -fPIC -o other.so
    refused "other.so: made for interface 77 *" --app other.so
    sed '/\.load = load/d; s/\.save = save,/.save = save};/' "$BATS_FILE_TMPDIR/phonebook.c" >half.c
    sed -i 's/^static int load/static __attribute__((unused)) int load/' half.c
    compile half.c vstamp -shared -fPIC -o half.so
    refused "half.so: the application \"phone book\" has only one of save and load" --app half.so
    sed 's/\.tick = tick,//; s/^static int tick/static __attribute__((unused)) int tick/' \
        "$BATS_FILE_TMPDIR/jobs.c" >timeless.c
    compile timeless.c vstamp -shared -fPIC -o timeless.so
    refused "timeless.so: the application \"jobs\" has only one of due and tick" --app timeless.so
    refused "the application \"key-value store\" takes no argument" --app-argument x
    run -0 vstamp-replica --config "$VSTAMP_CONFIG" --index 0 --check \
        --app "$BATS_FILE_TMPDIR/phonebook.so"
    [[ $output == *"replicates: phone book"* ]]
    echo "app_exec: ./phonebook" >>"$VSTAMP_CONFIG"
    run -2 "$BATS_FILE_TMPDIR/counter" --config "$VSTAMP_CONFIG" --index 0
    [[ $output == *'this program replicates "counter" and nothing else' ]]
}

@test "a daemon of one's own and vstamp-admin share one configuration, and so a backup" {
    example_of vstamp-replica.3 >register.c
    example_of vstamp-replica.3 2 >main.c
    compile main.c vstamp-replica register.c -o register
    compile register.c vstamp -shared -fPIC -o register.so
    GROUP_PROGRAM=$BATS_TEST_TMPDIR/register
    group_start 3 "durability: disk" "app: ./register.so"
    group_wait_primary
    vstamp call 12345678
    vstamp-admin backup register.backup
    [ "$(vstamp call 87654321)" = 12345678 ]
    group_kill 0 1 2
    rm -r data
    vstamp-admin restore register.backup
    for i in 0 1 2; do group_start_one "$i"; done
    [ "$(vstamp --timeout 20 call --read '')" = 12345678 ]
    sed -i 's/"register"/"another"/' register.c
    compile register.c vstamp -shared -fPIC -o register.so
    rm -r data
    run -2 vstamp-admin restore register.backup
    [[ $output == *"register"* ]]
}

@test "a plug-in keeps its state over crashes, checkpoints and transfers" {
    GROUP_OPTIONS="--app $BATS_FILE_TMPDIR/phonebook.so"
    group_start 3 "durability: disk" "checkpoint_ops: 16"
    group_wait_primary
    for i in $(seq 40); do vstamp call "n$i=$i" >/dev/null; done
    [ "$(vstamp call ada=1)" = "" ]
    [ "$(vstamp call ada=12)" = 1 ]
    local victim=$(((PRIMARY + 1) % 3))
    group_kill "$victim"
    rm -r "data/$victim"
    vstamp call n1= >/dev/null
    group_start_one "$victim"
    group_wait_field "$victim" status normal
    group_kill 0 1 2
    for i in 0 1 2; do group_start_one "$i"; done
    [ "$(vstamp --timeout 20 call --read ada)" = 12 ]
    [ "$(vstamp call --read '' | wc -l)" -eq 40 ]
    [ "$(vstamp call --read n1)" = "" ]

    vstamp-admin backup book | tee out
    grep -q "^of  *phone book, checked but not loaded, which takes that application: " out
    echo "app: $BATS_FILE_TMPDIR/phonebook.so" >>"$VSTAMP_CONFIG"
    vstamp-admin --json backup book2 | grep '"application":"phone book"' | grep -v '"digest":""'
    group_stop 0
    group_stop 1
    group_stop 2
    rm -r data
    vstamp-admin restore book
    GROUP_OPTIONS=
    for i in 0 1 2; do group_start_one "$i"; done
    [ "$(vstamp --timeout 20 call --read ada)" = 12 ]
    [ "$(vstamp call --read '' | wc -l)" -eq 40 ]
    vstamp call 'ada=13' >/dev/null
    sed -i '/^app:/d; s/^data_dir:.*/data_dir: elsewhere/' "$VSTAMP_CONFIG"
    run -2 vstamp-admin restore --dry-run book
    [[ $output == *"another application than the key-value store: name its"*"by app"* ]]
}

# A group with one of the plug-ins that are meant to be of use.
group_of() { # NAME
    GROUP_OPTIONS="--app $BATS_FILE_TMPDIR/$1.so"
    group_start 3 "durability: disk" "checkpoint_ops: 16"
    group_wait_primary
}

is_free() { [ "$(vstamp call --read "holder $1")" = free ]; }

@test "locks are granted once, survive the primary, and end by themselves" {
    group_of locks
    [ "$(vstamp call 'acquire backup 300s')" = "granted 1" ]
    [ "$(vstamp call 'acquire backup 300s')" = "held 1" ]
    [ "$(vstamp call 'acquire brief 200ms')" = "granted 2" ]
    group_wait "the lease to end" is_free brief
    [ "$(vstamp call 'renew brief 2 300s')" = lost ]
    for i in $(seq 3 40); do
        vstamp call 'acquire brief 300s' && vstamp call "release brief $i"
    done | tail -2 | cmp - <(printf 'granted 40\nreleased\n')
    group_kill "$PRIMARY"
    [ "$(vstamp call 'acquire backup 300s')" = "held 1" ]
    [ "$(vstamp call 'release backup 2')" = lost ]
    [ "$(vstamp call 'renew backup 1 300s')" = renewed ]
    [ "$(vstamp call --read list)" = "backup 1" ]
    [ "$(vstamp call 'release backup 1')" = released ]
    run -5 vstamp call --read 'release backup 1'
    [[ $output == *"only holder and list are read: leave --read out" ]]
    run -5 vstamp call 'acquire backup soon'
    [[ $output == *"a time as 500ms or 30s is expected"* ]]
}

is_ready() { [[ $(vstamp call --read size) == "ready $1 "* ]]; }

@test "a job is delivered until it is done, and put aside if nobody does it" {
    group_of jobs
    [ "$(vstamp call 'push resize cat.png')" = "job 1" ]
    [ "$(vstamp call 'push resize dog.png')" = "job 2" ]
    [ "$(vstamp call 'take 200ms')" = "job 1 receipt 1 delivery 1: resize cat.png" ]
    group_wait "the job to come back" is_ready 2
    [ "$(vstamp call 'done 1 1')" = lost ]
    [ "$(vstamp call 'take 300s')" = "job 1 receipt 2 delivery 2: resize cat.png" ]
    group_kill "$PRIMARY"
    [ "$(vstamp call 'done 1 2')" = "done" ]
    for i in 3 4 5 6 7; do vstamp call 'take 300s' && vstamp call "back 2 $i"; done | tail -2 |
        cmp - <(printf 'job 2 receipt 7 delivery 5: resize dog.png\nback\n')
    [ "$(vstamp call 'take 300s')" = empty ]
    [ "$(vstamp call --read dead)" = "job 2: resize dog.png" ]
    [ "$(vstamp call revive)" = "revived 1" ]
    [ "$(vstamp call --read size)" = "ready 1 taken 0 dead 0" ]
    run -5 vstamp call --read 'take 30s'
    [[ $output == *"only size and dead are read: leave --read out" ]]
}

@test "SQLite has one answer at all replicas, also where it would draw lots" {
    group_of sql
    vstamp call 'create table t (n integer, at text)'
    for i in $(seq 30); do
        vstamp call "insert into t values (random(), strftime('%f', 'now')),
            ($i, hex(randomblob(9)))"
    done | sort -u | cmp - <(echo "changed 2")
    local before
    before=$(vstamp call --read 'select sum(n % 1000), max(at), count(*) from t')
    [[ $before == *"|60" ]]
    group_kill "$PRIMARY"
    [ "$(vstamp call --read 'select sum(n % 1000), max(at), count(*) from t')" = "$before" ]
    [ "$(vstamp call 'delete from t where n = 7 returning n')" = $'7\nchanged 1' ]
    [[ $(vstamp call 'delete from t; select * from nowhere') == "error: no such table: nowhere" ]]
    [ "$(vstamp call --read 'select count(*) from t')" = 59 ]
    run -5 vstamp call --read 'delete from t'
    [[ $output == "vstamp: refused: this writes"* ]]
    for refused in 'pragma user_version' 'begin' 'select changes()' 'create temp table x (y)' \
        "attach 'x' as x"; do
        [[ $(vstamp call "$refused") == "error: not authorized"* ]]
    done
    [[ $(vstamp call "with recursive r (n) as (select 1 union all select n + 1 from r)
        select count(*) from r") == "error: this takes too long" ]]
    group_start_one "$PRIMARY"
    group_wait_agree
}

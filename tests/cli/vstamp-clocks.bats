#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# One replica's clock is an hour off, and then an hour the other way: keys live as long as they were
# told to, whoever is the primary, and it is said whose clock is wrong.  So it is with the examples
# that go by time.

load group

setup() {
    library=$(echo /usr/lib/*/faketime/libfaketimeMT.so.1)
    [ -e "$library" ] || skip "no libfaketime (Debian package faketime)"
    [[ $(ldd "$(command -v vstamp-replica)") != *libasan* ]] || skip "sanitizers come first"
    cd "$BATS_TEST_TMPDIR" || return 1
    echo +0 >offset
    GROUP_RUN[1]="env LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=offset FAKETIME_NO_CACHE=1
        FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1"
}

teardown() { group_teardown; }

says() { [[ $(vstamp-admin "$1") =~ "clocks are wrong: replica 1 is "3[56][0-9][0-9]" s $2" ]]; }

is_right() {
    local status
    status=$(vstamp-admin status)
    [[ $status == HEALTHY* && $status != *clocks* ]]
}

is_gone() {
    vstamp get brief >read 2>&1
    [ $? -eq 1 ]
}

@test "keys expire by the clocks of a majority, and whose clock is off is told" {
    local off word sign primary
    group_start 3 "durability: memory"
    group_wait_primary
    vstamp put --ttl 300s long here
    while read -r off word sign; do
        echo "$off" >offset
        group_wait "the status to tell" says status "$word"
        group_wait "the health to tell" says health "$word"
        cat replica-?.log | grep -q "event=clock-off replica=1 off_ms=${sign}3[56]"
        for primary in 1 0; do
            group_wait "replica $primary to lead" vstamp-admin view-change --to "$primary"
            group_wait_primary
            vstamp put --ttl 300ms brief here
            vstamp put --ttl 60s lasting here
            group_wait "the key to expire" is_gone
            [ "$(vstamp get long)" = here ]
            [ "$(vstamp get lasting)" = here ]
        done
        echo +0 >offset
        group_wait "the clock to be right" is_right
    done <<<"+3600 ahead
-3600 behind -"
}

# leads_with OFFSET EXAMPLE: that replica leads a group with this application.
leads_with() {
    local build
    build=$(cd "${top_builddir:?}" && pwd)
    echo "$1" >offset
    GROUP_OPTIONS="--app $build/examples/.libs/$2.so"
    group_start 3 "durability: memory"
    group_wait "replica 1 to lead" vstamp-admin view-change --to 1
    group_wait_primary
}

has() { [ "$(vstamp call --read size)" = "$1" ]; }

@test "a job comes back when its time is over, and not before" {
    local off
    for off in +3600 -3600; do
        leads_with "$off" jobs
        vstamp call "push lasting"
        vstamp call "push brief"
        [ "$(vstamp call 'take 60s')" = "job 1 receipt 1 delivery 1: lasting" ]
        [ "$(vstamp call 'take 300ms')" = "job 2 receipt 2 delivery 1: brief" ]
        group_wait "the second to come back" has "ready 1 taken 1 dead 0"
        group_kill 1
        [ "$(vstamp call 'take 60s')" = "job 2 receipt 3 delivery 2: brief" ]
        [ "$(vstamp call 'take 60s')" = empty ]
        group_teardown
    done
}

@test "now is the time of the majority, in SQL too" {
    local off now
    for off in +3600 -3600; do
        leads_with "$off" sql
        now=$(vstamp call "select strftime('%s', 'now')" | head -n 1)
        ((now > EPOCHSECONDS - 60 && now <= EPOCHSECONDS + 60))
        group_teardown
    done
}

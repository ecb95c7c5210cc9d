#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# One replica's clock is an hour off, and then an hour the other way: keys live as long as they were
# told to, whoever is the primary, and it is said whose clock is wrong.

load group

setup() {
    library=$(echo /usr/lib/*/faketime/libfaketimeMT.so.1)
    [ -e "$library" ] || skip "no libfaketime (Debian package faketime)"
    [[ $(ldd "$(command -v vstamp-replica)") != *libasan* ]] || skip "sanitizers come first"
    cd "$BATS_TEST_TMPDIR" || return 1
    echo +0 >offset
    GROUP_RUN[1]="env LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=$PWD/offset FAKETIME_NO_CACHE=1
        FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1"
    group_start 3 "durability: memory"
    group_wait_primary
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
    vstamp put --ttl 300s long here
    while read -r off word sign; do
        echo "$off" >offset
        group_wait "the status to tell" says status "$word"
        says health "$word"
        grep -q "event=clock-off replica=1 off_ms=${sign}3[56]" "replica-$PRIMARY.log"
        for primary in 1 0; do
            vstamp-admin view-change --to "$primary"
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

#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Keys that expire: by themselves, for reads and writes alike, through fail-over and restart.

bats_require_minimum_version 1.5.0
load group

setup() { cd "$BATS_TEST_TMPDIR"; }
teardown() { group_teardown; }

only_one_is_left() { [ "$(keys)" -eq 1 ]; }
keys() { vstamp size | sed 's/ keys.*//'; }

is_absent() {
    local status=0
    vstamp get "$1" >/dev/null 2>&1 || status=$?
    [ "$status" -eq 1 ]
}
gone() { group_wait "$1 to be gone" is_absent "$1"; }

@test "put --ttl, expire, ttl: what they print and how they end" {
    group_start 3 "durability: memory"
    group_wait_primary
    [ "$(vstamp put --ttl 1h a 1)" = OK ]
    [[ $(vstamp ttl a) =~ ^3[56][0-9]{2}\.[0-9]{3}s$ ]]
    [[ $(vstamp --json ttl a) =~ \"found\":true,\"ttl_ms\":3[0-9]{6},\"expires_us\":[0-9]{16} ]]
    [ "$(vstamp incr a)" = 2 ]
    [[ $(vstamp ttl a) =~ ^3[56] ]]
    [ "$(vstamp put a 1)" = OK ]
    [ "$(vstamp ttl a)" = never ]
    [ "$(vstamp --json ttl a)" = \
        '{"op":"ttl","key":"a","ok":true,"found":true,"ttl_ms":null,"expires_us":null}' ]
    [ "$(vstamp expire a 2d)" = OK ]
    [[ $(vstamp ttl a) =~ ^172[78] ]]
    [ "$(vstamp expire a never)" = OK ]
    [ "$(vstamp ttl a)" = never ]
    run -1 vstamp ttl nosuch
    run -1 vstamp expire nosuch 5s
    run -2 vstamp put --ttl 5parsecs a 1
    [[ $output == *"expected a time to live like"* ]]
    run -2 vstamp expire a 0s
    [[ ${lines[0]} == "vstamp: expire: '0s': less than a microsecond" ]]
    run -2 vstamp expire a 99999d
    printf 'put b 1 --ttl 1h\nttl nosuch\nexpire b never\nttl b\n' >lines
    [ "$(vstamp shell <lines | tr '\n' /)" = "OK/(not found)/OK/never/" ]
}

@test "a key is gone in time though nobody asks, and thousands at once" {
    group_start 3 "durability: memory"
    group_wait_primary
    vstamp put stays 1
    that_end_in() { # MICROSECONDS
        seq 1 3000 | awk -v at="$(($(date +%s%6N) + $1))" '{ print "k" $1 "\tv\t" at }'
    }
    that_end_in 3600000000 >in
    [ "$(vstamp import in)" = "3000 imported" ]
    [ "$(keys)" -eq 3001 ]
    vstamp export 2>/dev/null | grep -v stays | sort >out
    sort in | cmp - out
    that_end_in 500000 >in
    [ "$(vstamp import in)" = "3000 imported" ]
    gone k3000
    gone k1
    group_wait "all to be gone" only_one_is_left
    [ "$(vstamp list)" = "$(printf 'stays\t1')" ]
}

@test "a lock that expires goes to the next one, and not before" {
    group_start 3 "durability: memory"
    group_wait_primary
    local began
    began=$(date +%s%6N)
    vstamp cas --absent --ttl 2s lock first
    group_wait "the lock" vstamp cas --absent --ttl 1h lock second
    (($(date +%s%6N) - began >= 2000000))
    run -1 vstamp cas --absent --ttl 1h lock third
    [ "$(vstamp get lock)" = second ]
}

@test "what expires while the primary is dead, or all are down, is gone afterwards" {
    group_start 3
    group_wait_primary
    vstamp put --ttl 800ms a 1
    vstamp put --ttl 1h b 2
    group_kill "$PRIMARY"
    gone a
    [[ $(vstamp ttl b) =~ ^35 ]]
    vstamp put --ttl 800ms c 3
    for i in 0 1 2; do
        if group_running "$i"; then group_kill "$i"; fi
    done
    for i in 0 1 2; do group_start_one "$i"; done
    group_wait_primary
    gone c
    [ "$(vstamp get b)" = 2 ]
}

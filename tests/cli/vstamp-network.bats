#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Links that carry one direction only, and none: three replicas, each in a network namespace of its
# own, on a bridge in a fourth, where the client lives.
#
#   hub: bridge, 10.86.83.254, client
#    +-- 0: 10.86.83.1    +-- 1: 10.86.83.2    +-- 2: 10.86.83.3
#
# A cut is a rule in the receiver's namespace.  TCP needs both directions, so when all packets of
# one are dropped the other soon stalls, too; what drops messages only, and lets TCP's own packets
# pass, is a network that loses one direction and nothing else.  Nothing is changed outside of these
# namespaces.

load group

VIEW_CHANGE_MS=1500 # a machine may stand still for some time, and no view is to move by that
SETTLE_S=2          # what a cut may stir up is over
CALM_S=5            # some times VIEW_CHANGE_MS

setup() {
    local i
    PATH=$PATH:/usr/sbin:/sbin
    NETWORK=vstamp-$$
    HUB=$NETWORK-hub
    ((EUID == 0)) || skip "network namespaces need root"
    command -v ip >/dev/null || skip "no ip (Debian package iproute2)"
    command -v nft >/dev/null || skip "no nft (Debian package nftables)"
    network_permitted 2>"$BATS_TEST_TMPDIR/denied" ||
        skip "no network of our own: $(tail -n 1 "$BATS_TEST_TMPDIR/denied")"
    network_start
    GROUP_ASK=$(network_in "$HUB")
    for i in 0 1 2; do
        GROUP_HOSTS[i]=10.86.83.$((i + 1))
        GROUP_RUN[i]=$(network_in "$NETWORK-$i")
    done
    group_start 3 "durability: memory" "view_change_ms: $VIEW_CHANGE_MS"
    group_wait_primary
    A=$(((PRIMARY + 1) % 3)) # the backups
    B=$(((PRIMARY + 2) % 3))
}

teardown() {
    local name
    group_teardown
    for name in "$NETWORK-0" "$NETWORK-1" "$NETWORK-2" "$HUB"; do
        [[ ! -e /run/netns/$name ]] || ip netns del "$name"
    done
}

# --- the network ----------------------------------------------------------------------------------

# network_in NAMESPACE: the words that run a command there, in the same process.
network_in() { echo "nsenter --net=/run/netns/$1"; }

# A namespace, a bridge and a rule: what the machine, or the container, may not let us have.
network_permitted() {
    ip netns add "$HUB" &&
        ip -n "$HUB" link add bridge type bridge &&
        $(network_in "$HUB") nft add table inet cuts
}

network_start() {
    local i
    for i in 0 1 2; do
        ip netns add "$NETWORK-$i"
        ip -n "$HUB" link add "to-$i" type veth peer name to-hub netns "$NETWORK-$i"
        ip -n "$NETWORK-$i" -batch - <<END
link set lo up
link set to-hub up
address add 10.86.83.$((i + 1))/24 dev to-hub
END
        $(network_in "$NETWORK-$i") nft -f - <<'END'
add table inet cuts
add chain inet cuts in { type filter hook input priority 0; policy accept; }
END
    done
    ip -n "$HUB" -batch - <<'END'
address add 10.86.83.254/24 dev bridge
link set to-0 master bridge up
link set to-1 master bridge up
link set to-2 master bridge up
link set bridge up
END
}

# cut packets|messages FROM TO...: TO no longer receive what FROM sends.  A message has 64 bytes at
# least, and 52 before it that are TCP's and IP's; TCP's own packets have less than 100.
cut() {
    local to what=
    [[ $1 == packets ]] || what="ip length > 100"
    for to in "${@:3}"; do
        # shellcheck disable=SC2086
        $(network_in "$NETWORK-$to") \
            nft add rule inet cuts in ip saddr "${GROUP_HOSTS[$2]}" $what counter drop
    done
}

# cut_clients: nothing of what the hub sends to replicas arrives there.
cut_clients() {
    local i
    for i in 0 1 2; do
        $(network_in "$NETWORK-$i") nft add rule inet cuts in ip saddr 10.86.83.254 \
            tcp dport "$((GROUP_BASE + i))" counter drop
    done
}

heal() {
    local i
    for i in 0 1 2; do $(network_in "$NETWORK-$i") nft flush chain inet cuts in; done
}

dropped() { # TO
    $(network_in "$NETWORK-$1") nft list chain inet cuts in | grep -q 'packets [1-9]'
}

wait_dropped() { group_wait "a drop at replica $1" dropped "$1"; }

# --- what is looked at ----------------------------------------------------------------------------

vstamp() { $(network_in "$HUB") vstamp "$@"; }

# calm I: replica I stays the primary in one view, and writes go on.
calm() {
    local end view
    sleep "$SETTLE_S"
    view=$(group_field "$1" view)
    end=$((SECONDS + CALM_S))
    while ((SECONDS <= end)); do
        vstamp incr calm
        [ "$(group_field "$1" view)" = "$view" ]
        [ "$(group_field "$1" role)" = primary ]
        sleep 0.2
    done
}

# taken_over OLD: another than OLD is the primary; sets PRIMARY.
taken_over() {
    local i
    for i in 0 1 2; do
        if ((i != $1)) && group_is "$i" role primary; then
            PRIMARY=$i
            return 0
        fi
    done
    return 1
}

# --- tests ----------------------------------------------------------------------------------------

@test "a backup that the primary does not reach: writes go on, views stay calm" {
    cut packets "$PRIMARY" "$A"
    calm "$PRIMARY"
    wait_dropped "$A"
    heal
    group_wait_agree
}

@test "a backup that does not reach the primary: writes go on, views stay calm" {
    cut messages "$A" "$PRIMARY"
    calm "$PRIMARY"
    wait_dropped "$PRIMARY"
    heal
    group_wait_agree
}

@test "a primary that can send but not receive is replaced, and writes go on" {
    local old what
    vstamp put k before
    for what in messages ${VSTAMP_SOAK:+packets}; do
        group_wait_agree
        old=$PRIMARY
        cut "$what" $(((old + 1) % 3)) "$old"
        cut "$what" $(((old + 2) % 3)) "$old"
        group_wait "another primary" taken_over "$old"
        vstamp put k "$what"
        CALM_S=1 calm "$PRIMARY"
        [ "$(vstamp get k)" = "$what" ]
        heal
    done
    group_wait_agree
}

@test "a primary that is cut off refuses, the others go on, and it comes back as a backup" {
    local end old=$PRIMARY
    vstamp put k old
    cut packets "$old" "$A" "$B"
    cut packets "$A" "$old"
    cut packets "$B" "$old"
    vstamp put k new
    # it may still take itself for the primary
    end=$((SECONDS + 2))
    while ((SECONDS <= end)); do
        run vstamp --replicas "$(group_address "$old")" --timeout 0.3 get k
        [ "$status" -eq 3 ]
    done
    run vstamp --replicas "$(group_address "$old")" --timeout 0.3 put lost x
    [ "$status" -eq 3 ] || [ "$status" -eq 4 ]
    [ "$(vstamp get k)" = new ]
    heal
    group_wait_agree
    group_wait_field "$old" role backup
    [ "$(vstamp get k)" = new ]
}

# The kernel's own pauses double: after so long they are longer than SOON_S.
CUT_S=20
SOON_S=4

@test "a client that was cut off for long is answered soon after, connected before or not" {
    local name
    mkfifo "$BATS_TEST_TMPDIR/typed"
    cd "$BATS_TEST_TMPDIR"
    vstamp --timeout 120 shell <typed >old 3>&- &
    group_adopt $!
    exec 7>typed
    echo "put old 1" >&7
    group_wait "the first answer" grep -q OK old
    cut_clients
    echo "get old" >&7
    vstamp --timeout 120 get old >new 3>&- &
    group_adopt $!
    sleep "$CUT_S"
    heal
    for name in old new; do
        GROUP_DEADLINE=$SOON_S group_wait "an answer to $name" grep -qx 1 "$name"
    done
    exec 7>&-
}

@test "a backup does not wait for a replica that answers, and does not hear the group" {
    vstamp --timeout 20 put k v
    group_wait_agree
    cut packets "$PRIMARY" "$A" # which is asked first
    cut packets "$B" "$A"
    cut packets "$A" "$PRIMARY" "$B"
    vstamp --timeout 20 put k2 v2
    $(network_in "$HUB") vstamp-admin --timeout 0.5 backup "$BATS_TEST_TMPDIR/copy" \
        >"$BATS_TEST_TMPDIR/said"
    grep "^keys  *2," "$BATS_TEST_TMPDIR/said"
}

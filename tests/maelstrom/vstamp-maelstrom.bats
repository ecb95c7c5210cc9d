#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The node of Maelstrom: its protocol on one node by hand, groups of it under the driver's faults,
# and that the driver finds out nodes that are wrong.

load ../cli/group

setup() {
    driver=${top_builddir:-.}/tests/maelstrom/driver
    fake="bash ${top_srcdir:-.}/tests/maelstrom/fake_node.bash"
    out=$BATS_TEST_TMPDIR/out log=$BATS_TEST_TMPDIR/replica-0.log
}

teardown() { group_teardown; }

# --- one node by hand -----------------------------------------------------------------------------

# A node that reads what `tell` says and writes to $out, or $1.
start_node() {
    mkfifo "$BATS_TEST_TMPDIR/in"
    vstamp-maelstrom <"$BATS_TEST_TMPDIR/in" >"${1:-$out}" 2>"$log" 3>&- &
    node=$!
    group_adopt $node
    exec 7>"$BATS_TEST_TMPDIR/in"
}

tell() { printf '{"src":"c1","dest":"n1","body":%s}\n' "$1" >&7; }

# ask BODY: with a msg_id of its own; prints the answer's body without in_reply_to.
n_asked=0
ask() {
    n_asked=$((n_asked + 1))
    tell "{\"msg_id\":$n_asked,${1#\{}"
    group_wait "an answer to $1" grep -q "\"in_reply_to\":$n_asked[,}]" "$out"
    answer=$(grep "\"in_reply_to\":$n_asked[,}]" "$out")
    [[ $answer == '{"body":'*',"dest":"c1","src":"n1"}' ]]
    answer=${answer#*:}
    answer=${answer%,\"dest\"*}
    answer=${answer/\"in_reply_to\":$n_asked,/}
}

# expect BODY ANSWER
expect() {
    ask "$1"
    echo "$1 -> $answer, expected $2" >&2
    [[ $answer == $2 ]]
}

init='{"type":"init","node_id":"n1","node_ids":["n1"]}'

@test "init, and then any JSON is a key and a value" {
    start_node
    expect '{"type":"read","key":1}' '{"code":11,*"type":"error"}'
    expect "$init" '{"type":"init_ok"}'
    expect '{"type":"write","key":{"b":[1,null],"a":"\u00e4\u0000"},"value":[1.5,{"x":true}]}' \
        '{"type":"write_ok"}'
    expect '{"type":"read","key":{"a":"ä\u0000","b":[1,null]}}' \
        '{"type":"read_ok","value":\[1.5,{"x":true}\]}'
    expect '{"type":"write","key":"1","value":null}' '{"type":"write_ok"}'
    expect '{"type":"read","key":"1"}' '{"type":"read_ok","value":null}'
    expect '{"type":"read","key":1}' '{"code":20,*"type":"error"}'
    exec 7>&-
    wait $node
}

@test "cas: no such key, another value, done, and create_if_not_exists" {
    start_node
    expect "$init" '{"type":"init_ok"}'
    expect '{"type":"cas","key":"k","from":1,"to":2}' '{"code":20,*}'
    expect '{"type":"cas","key":"k","from":1,"to":2,"create_if_not_exists":true}' \
        '{"type":"cas_ok"}'
    expect '{"type":"cas","key":"k","from":1,"to":3,"create_if_not_exists":true}' '{"code":22,*}'
    expect '{"type":"cas","key":"k","from":{"a":1},"to":3}' '{"code":22,*}'
    expect '{"type":"cas","key":"k","from":2,"to":{"a":1,"b":2}}' '{"type":"cas_ok"}'
    expect '{"type":"cas","key":"k","from":{"b":2,"a":1},"to":"x"}' '{"type":"cas_ok"}'
    expect '{"type":"read","key":"k"}' '{"type":"read_ok","value":"x"}'
}

@test "what makes no sense is refused, and the node goes on" {
    start_node
    echo 'no JSON at all' >&7
    echo '"a text"' >&7
    echo '{"src":"c1","dest":"n1"}' >&7
    expect "$init" '{"type":"init_ok"}'
    expect "$init" '{"code":12,*"text":"init: this node was initialised before"*}'
    expect '{"type":"txn","txn":[]}' '{"code":10,*}'
    expect '{"key":1}' '{"code":12,*}'
    expect '{"type":"read"}' '{"code":12,*}'
    expect '{"type":"write","key":1}' '{"code":12,*}'
    expect '{"type":"cas","key":1,"to":1}' '{"code":12,*}'
    expect "{\"type\":\"write\",\"key\":\"$(printf '%02000d' 0)\",\"value\":1}" '{"code":12,*}'
    tell '{"type":"vstamp_peer","frame":"AAAA"}'
    printf '{"src":"n1","dest":"n1","body":%s}\n' '{"type":"vstamp_peer","frame":"AAAA"}' \
        '{"type":"vstamp_request","frame":"AAAA","session":-1}' '{"type":"vstamp_reply"}' >&7
    head -c 9000000 /dev/zero | tr '\0' x >&7
    echo >&7
    expect '{"type":"read","key":1}' '{"code":20,*}'
    [ "$(grep -c event=malformed-line "$log")" -eq 4 ]
    [ "$(grep -c event=odd-frame "$log")" -eq 4 ]
}

@test "an init that makes no group is refused with the reason" {
    local ids
    start_node
    ids=$(printf ',"n%s"' $(seq 17))
    expect "{\"type\":\"init\",\"node_id\":\"n1\",\"node_ids\":[${ids#,}]}" \
        '{*at most 16 replicas*}'
    expect '{"type":"init","node_id":"n1","node_ids":["n2","n3"]}' '{*is not among node_ids*}'
    expect '{"type":"init","node_id":"n1","node_ids":["n1","n1"]}' '{*there twice*}'
    expect '{"type":"init","node_id":"n1","node_ids":["n1",2]}' '{*not all are texts*}'
    expect '{"type":"init"}' '{*needs a node_id*}'
    expect "$init" '{"type":"init_ok"}'
}

@test "without a quorum: certainly not done" {
    start_node
    expect '{"type":"init","node_id":"n1","node_ids":["n1","n2","n3"]}' '{"type":"init_ok"}'
    expect '{"type":"write","key":1,"value":1}' '{"code":11,*}'
    expect '{"type":"read","key":1}' '{"code":11,*}'
    local many
    many=$(seq 101 165 |
        sed 's/.*/{"src":"c1","dest":"n1","body":{"type":"read","msg_id":&,"key":1}}/')
    printf '%s\n' "$many" >&7
    group_wait "all 65 answers" eval '[ "$(grep -c "\"in_reply_to\":1..," "$out")" -eq 65 ]'
    [ "$(grep -c '"code":11,.*too many at a time' "$out")" -eq 1 ]
}

@test "answers that nobody reads hold the node for as long as nobody reads them" {
    mkfifo "$BATS_TEST_TMPDIR/full"
    exec 8<>"$BATS_TEST_TMPDIR/full"
    start_node "$BATS_TEST_TMPDIR/full"
    tell "{\"msg_id\":1,${init#\{}"
    seq 2 10000 | sed 's/.*/{"src":"c1","dest":"n1","body":{"type":"what","msg_id":&}}/' |
        timeout "$GROUP_DEADLINE" cat >&7
    [ "$(timeout "$GROUP_DEADLINE" head -n 10000 <&8 | grep -c '"in_reply_to"')" -eq 10000 ]
    exec 8>&-
}

# --- groups ---------------------------------------------------------------------------------------

# drive OPTION... [-- NODE...]: sets $verdict and $status.
drive() {
    echo "driver $*" >&2
    status=0
    verdict=$("$driver" "$@" 3>&-) || status=$?
    echo "$verdict" >&2
}

@test "three nodes, no fault" {
    drive --seed 1 --time 1 --answers 200 vstamp-maelstrom
    [ $status -eq 0 ]
    [[ $verdict == "ok: linearizable; 3 nodes,"*" 0 lost, 0 repeated, 0 cut off, "* ]]
}

@test "three nodes, messages lost, delayed, repeated, and partitions" {
    drive --seed 2 --time 4 --answers 100 --loss 50 --delay 5 --repeat 50 --partition 500 \
        vstamp-maelstrom
    [ $status -eq 0 ]
    [[ $verdict == "ok: linearizable; 3 nodes,"* ]]
    [[ $verdict =~ " "[1-9][0-9]*" lost, "[1-9][0-9]*" repeated, "[1-9][0-9]*" cut off, "[1-9] ]]
}

@test "five nodes, messages lost, delayed, repeated, and partitions" {
    drive --nodes 5 --seed 3 --time 4 --answers 100 --loss 50 --delay 5 --repeat 50 \
        --partition 500 vstamp-maelstrom
    [ $status -eq 0 ]
    [[ $verdict == "ok: linearizable; 5 nodes,"* ]]
    [[ $verdict =~ " "[1-9][0-9]*" lost, "[1-9][0-9]*" repeated, "[1-9][0-9]*" cut off, "[1-9] ]]
}

@test "five nodes of which two are witnesses, under the same" {
    drive --nodes 5 --seed 9 --time 4 --answers 100 --loss 50 --delay 5 --repeat 50 \
        --partition 500 -- vstamp-maelstrom --witnesses 2
    [ $status -eq 0 ]
    [[ $verdict == "ok: linearizable; 5 nodes,"* ]]
    [[ $verdict =~ " "[1-9][0-9]*" lost, "[1-9][0-9]*" repeated, "[1-9][0-9]*" cut off, "[1-9] ]]
}

# --- the driver bites -----------------------------------------------------------------------------

@test "a table of its own is right at one node, and found out at two" {
    drive --nodes 1 --seed 4 --time 0.1 --answers 200 -- $fake honest
    [ $status -eq 0 ]
    drive --nodes 2 --seed 4 --time 0.1 --answers 200 -- $fake honest
    [ $status -eq 1 ]
    [[ $verdict == "FAILED: key "*" its history is not linearizable; "* ]]
}

@test "a write that was denied and done is found out" {
    drive --nodes 1 --seed 5 --time 0.1 --answers 200 -- $fake denies
    [ $status -eq 1 ]
    [[ $verdict == "FAILED: key "*" its history is not linearizable; "* ]]
}

@test "a node that does not answer is found out" {
    drive --nodes 2 --seed 6 --time 0.2 --patience 1 -- $fake mute
    [ $status -eq 1 ]
    [[ $verdict == "FAILED: no progress after the network was healed; "* ]]
}

@test "a node that writes anything else, or ends, is found out" {
    drive --nodes 2 --seed 7 --time 1 -- $fake rambles
    [ $status -eq 1 ]
    [[ $verdict == "FAILED: node n"[01]" said what is no message of its own: wrote "* ]]
    drive --nodes 2 --seed 8 --time 1 -- $fake dies
    [ $status -eq 1 ]
    [[ $verdict == "FAILED: node n"[01]" ended with status 3; "* ]]
}

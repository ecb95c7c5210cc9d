#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# The status endpoint.

load group

teardown() { group_teardown; }

@test "/status has every field, in types a program can use" {
    local name status peers
    group_start 3 "durability: memory"
    group_wait_primary
    vstamp --timeout 20 put k v
    group_wait_agree
    status=$(group_status "$PRIMARY")
    for name in replica address epoch view last_normal_view status role primary op_number \
        commit_number checkpoint_number log_start clients uptime_s version durability state_digest \
        peers; do
        [[ $status == *"\"$name\":"* ]]
    done
    [[ $status == *'"status":"normal"'* ]]
    [[ $status == *'"role":"primary"'* ]]
    [[ $status =~ \"state_digest\":\"[0-9a-f]{32}\" ]]
    [[ $status =~ \"group\":\"[0-9a-f]{32}\" ]]
    [[ $status == *"\"primary\":$PRIMARY,"* ]]
    peers=${status#*'"peers":['}
    [[ $peers =~ ^\{\"replica\":[0-9],\"address\":\"$GROUP_HOST:[0-9]+\",\"connected\":true, ]]
    [[ $peers =~ \"connected\":true,\"last_contact_ms\":[0-9]+,\"acked_op\":[0-9]+\} ]]
}

@test "what is not known is null" {
    group_configure 3 "durability: memory"
    group_start_one 0
    group_wait_listening
    [[ $(group_status 0) == *'"last_contact_ms":null'* ]]
    [ "$(group_field 0 status)" = recovering ]
}

@test "/metrics is well formed: HELP, TYPE, then samples of that name; counters end in _total" {
    local name word metrics=$BATS_TEST_TMPDIR/metrics
    group_start 3 "durability: memory"
    group_wait_primary
    vstamp --timeout 20 put k v
    group_http "$PRIMARY" /metrics | tr -d '\r' >"$metrics"
    grep -q '^Content-Type: text/plain; version=0.0.4' "$metrics"
    sed -i '1,/^$/d' "$metrics"
    awk '
        /^# HELP / { help = $3; next }
        /^# TYPE / {
            if ($3 != help) { print "TYPE without HELP: " $0; bad = 1 }
            if (($4 == "counter") != ($3 ~ /_total$/)) { print "counter or not? " $0; bad = 1 }
            if (seen[$3]++) { print "twice: " $3; bad = 1 }
            type = $3
            next
        }
        /^[a-z_]+({[^}]*})? -?[0-9.]+$/ {
            name = $1
            sub(/{.*/, "", name)
            if (name != type) { print "out of place: " $0; bad = 1 }
            next
        }
        { print "not understood: " $0; bad = 1 }
        END { exit bad }' "$metrics"
    grep -q '^vstamp_replica_status{status="normal"} 1$' "$metrics"
    for word in view-change recovering transitioning shut-down; do
        grep -q "^vstamp_replica_status{status=\"$word\"} 0\$" "$metrics"
    done
    grep -q '^vstamp_build_info{version="[0-9.]*"} 1$' "$metrics"
    grep -q '^vstamp_commit_number [1-9]' "$metrics"
    [ "$(grep -c '^vstamp_peer_connected{peer="[0-9]"} 1$' "$metrics")" -eq 2 ]
    grep -q '^vstamp_longest_turn_us [0-9]' "$metrics"
    grep -q '^vstamp_longest_turn_cpu_us [0-9]' "$metrics"
    grep -q '^process_resident_memory_bytes [1-9]' "$metrics"
    sed -n 's/^# TYPE \(vstamp_[a-z_]*\) .*/\1/p' "$metrics" >"$metrics.names"
    [ "$(wc -l <"$metrics.names")" -gt 40 ]
    while read -r name; do # is on the page, by itself or as a field
        word=${name#vstamp_} word=${word#peer_} word=${word%_total}
        grep -qE "^\.(Li $name|It Va $word)( |\$)" "$top_srcdir/man/vstamp-replica.8"
    done <"$metrics.names"
}

@test "/livez and /readyz, and what is not there" {
    local i
    group_start 3 "durability: memory"
    group_wait_primary
    group_wait_agree
    for i in 0 1 2; do
        [[ $(group_http "$i" /livez) == "HTTP/1."?" 200 "*$'\nok' ]]
        [[ $(group_http "$i" /readyz) == "HTTP/1."?" 200 "*'{"ready":true}' ]]
    done
    [[ $(group_http 0 /) == "HTTP/1."?" 404 "* ]]
    [[ $(group_http 0 /status/) == "HTTP/1."?" 404 "* ]]
    [[ $(group_http 0 /status POST) == "HTTP/1."?" 405 "*"Allow: GET"* ]]
    [[ $(group_http 0 /status DELETE) == "HTTP/1."?" 405 "* ]]
}

@test "/readyz of a replica alone is 503 with the reason; /livez is 200" {
    group_configure 3 "durability: memory"
    group_start_one 1
    group_wait_listening
    [[ $(group_http 1 /readyz) == "HTTP/1."?" 503 "*'"ready":false,"reason":"recovering'* ]]
    [[ $(group_http 1 /livez) == "HTTP/1."?" 200 "* ]]
}

@test "a primary that reaches no majority says in its metrics that the group does not serve" {
    local i
    serves() { group_http "$1" /metrics | grep -q "^vstamp_serves $2"; }
    group_start 3 "durability: memory"
    group_wait_primary
    for i in 0 1 2; do group_wait "$i to say so" serves "$i" $((i == PRIMARY)); done
    group_kill $(((PRIMARY + 1) % 3)) $(((PRIMARY + 2) % 3))
    group_wait "it to serve no more" serves "$PRIMARY" 0
}

@test "connections that say nothing, or half of it, do not keep others from looking" {
    local i fd fds=() request=$'GET /livez HTTP/1.0\r\n' answer
    group_start 1 "durability: memory"
    group_wait_listening
    for i in {1..300}; do # four times as many as there is room for
        exec {fd}<>"/dev/tcp/$GROUP_HOST/$((GROUP_BASE + 1))"
        [ $((i % 2)) -eq 0 ] || printf '%s' "$request" >&"$fd"
        fds+=("$fd")
        # all the time, within what group_http allows
        [ $((i % 100)) -ne 0 ] || [[ $(group_http 0 /livez) == "HTTP/1."?" 200 "* ]]
    done
    # it was the oldest that were dropped: the newest may still ask
    printf '%s\r\n' "$request" >&"$fd"
    answer=$(cat <&"$fd")
    [[ $answer == "HTTP/1."?" 200 "* ]]
    for fd in "${fds[@]}"; do exec {fd}>&-; done
}

@test "who asks the port of replicas and clients for a page is not kept waiting" {
    group_start 1 "durability: memory"
    exec 4<>"/dev/tcp/$GROUP_HOST/$GROUP_BASE"
    printf 'GET /status HTTP/1.1\r\n\r\n' >&4
    run timeout 5 cat <&4 # half of what a client may take for its first frame
    exec 4<&-
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

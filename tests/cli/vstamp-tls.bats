#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Connections over TLS: who has a certificate is let in, as what it says; who has none is told so,
# and so is the operator.


bats_require_minimum_version 1.5.0
load group
load certificates

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    certificates_authority authority
    certificates_issue replica authority serverAuth,clientAuth "IP:$GROUP_HOST"
    certificates_issue alice authority clientAuth
}

teardown() { group_teardown; }

# says I WORDS...: the log of replica I does.
says() {
    local i=$1
    shift
    group_wait "replica $i to say: $*" grep -q "$*" "replica-$i.log"
}

is_refused() { # STATUS WORDS COMMAND...
    local expected=$1 words=$2
    shift 2
    run --separate-stderr "$@"
    [[ $status == "$expected" && $stderr == *"$words"* ]]
}

# refuse STATUS WORDS COMMAND...: it ends so, and says that, once it had the time to get so far.
refuse() { group_wait "$2" is_refused "$@"; }

advice="name a folder with a certificate that they take, by --tls"

@test "a group over TLS serves, survives its primary, moves, and is copied" {
    group_start 3 "tls: $PWD/replica"
    group_wait_primary
    head -c 300000 /dev/urandom | base64 -w 0 >large
    vstamp --tls alice put large <large
    vstamp --tls alice get large | cmp - <(cat large; echo)
    # more than sockets take at a time, in both directions
    vstamp --tls alice --timeout 20 bench -n 64 --connections 1 --keys 8 --value-bytes 400000 \
        --reads 50 --requests 300 --keep
    group_kill "$PRIMARY"
    [ "$(vstamp --tls alice --timeout 20 incr n)" = 1 ]
    group_start_one "$PRIMARY"
    group_wait_agree
    vstamp-admin --tls alice view-change
    vstamp-admin --tls alice backup copy
    vstamp-admin backup --verify copy
    sed "s/witnesses.*//; \$a witnesses: [2]" "$VSTAMP_CONFIG" >next.yaml
    certificates_authority other
    certificates_issue mallory other clientAuth
    cp authority/ca.crt mallory
    refuse 5 ": it does not take our certificate: unknown CA: nothing changed" \
        vstamp-admin --tls mallory --timeout 0.3 reconfigure --yes next.yaml
    [[ $stderr == "vstamp-admin: not authorised: "* ]]
    vstamp-admin --tls alice reconfigure --yes next.yaml
    vstamp --tls alice --timeout 20 bench -n 64 --connections 4 --requests 2000 --keep
    [ "$(vstamp --replicas "$(group_address 0)" --tls alice --timeout 20 incr n)" = 2 ]
}

@test "a program of one's own speaks it, too" {
    group_start 1 "tls: $PWD/replica"
    "${top_builddir:?}/tests/cli/calls_back" "$(group_address 0)" true alice
    run -2 "$top_builddir/tests/cli/calls_back" "$(group_address 0)" true nowhere
    [[ $output == *"nowhere/ca.crt: no certificates of authorities: No such file"* ]]
}

@test "a client without a certificate, or with a stranger's, learns why it is not let in" {
    certificates_authority other
    certificates_issue mallory other clientAuth
    cp authority/ca.crt mallory
    group_start 1 "tls: $PWD/replica"
    refuse 5 "it speaks TLS: name a folder with a certificate for you, by --tls" \
        vstamp --replicas "$(group_address 0)" --timeout 0.3 get k
    refuse 5 "it does not take our certificate: unknown CA" vstamp --tls mallory --timeout 0.3 get k
    refuse 5 "it does not take our certificate: unknown CA" \
        vstamp --tls mallory --timeout 0.3 --json put k v
    [[ $output == '{"op":"put","key":"k","ok":false,"error":"not-authorised","outcome":"none",'* ]]
    [ "$(vstamp pending)" = "nothing is pending" ]
    refuse 5 "nothing was sent but registrations" vstamp --tls mallory --timeout 0.3 bench -d 1
    [[ $stderr == *": $advice" ]]
    refuse 5 "" bash -c 'echo get k | vstamp --tls mallory --timeout 0.3 shell'
    [[ $output == "(error) "*": $advice" ]]
    printf 'a\t1\n' >in
    refuse 5 "" vstamp --tls mallory --timeout 0.3 import in
    [ "$stderr" = "vstamp: in:1: the replicas take another certificate than ours: \
$(group_address 0): it does not take our certificate: unknown CA: 0 pairs were imported: $advice" ]
    says 0 'event=not-let-in .*reason="it does not speak TLS 1.3'
    run ! openssl s_client -ign_eof -connect "$(group_address 0)" </dev/null
    [[ $output == *"certificate required"* ]]
    run ! openssl s_client -tls1_2 -cert alice/tls.crt -key alice/tls.key \
        -connect "$(group_address 0)" </dev/null
    [[ $output == *"alert protocol version"* ]]
    refuse 5 "vstamp-admin: $(group_address 0): it does not take our certificate: unknown CA" \
        vstamp-admin --tls mallory --timeout 0.3 view-change
    run -3 vstamp-admin --replicas "$(group_address 0)" --timeout 0.1 backup copy
    vstamp --tls alice put k v
}

@test "a client does not talk to a replica that is another host, or has no TLS" {
    certificates_issue elsewhere authority serverAuth,clientAuth DNS:elsewhere.example
    group_start 1 "tls: $PWD/elsewhere"
    refuse 3 "its certificate is not to be believed: IP address mismatch" \
        vstamp --tls alice --timeout 0.3 get k
    says 0 'event=not-let-in .*reason="it does not take our certificate: bad certificate"'
    group_teardown
    sed -i /^tls/d "$VSTAMP_CONFIG"
    group_start_one 0
    group_wait_listening
    refuse 3 "closed the connection when TLS began" vstamp --tls alice --timeout 0.3 get k
    says 0 'event=not-let-in .*reason="it speaks TLS, and tls is not set here"'
}

@test "neither a client's certificate nor none makes a replica" {
    certificates_issue posing authority clientAuth "IP:$GROUP_HOST"
    group_start 3 "tls: $PWD/replica"
    group_wait_agree
    group_stop 2
    vstamp-replica --check --index 2 --tls posing |
        grep "^note: posing/tls.crt: is not for a server and a client with the name $GROUP_HOST"
    group_start_one 2 --tls "$PWD/posing"
    says 2 'event=certificate-trouble reason="[^ ]*posing/tls.crt: is not for a server and a client'
    says 0 'event=peer-refused .*reason="its certificate is not that of a server at the address'
    says 2 'event=peer-refused .*it refuses us: its certificate is not that of a server'
    [[ $(group_status 0) == *'"replica":2,"address":"'"$(group_address 2)"'","connected":false,'* ]]
    group_stop 2 || true
    sed /^tls/d "$VSTAMP_CONFIG" >plain.yaml
    GROUP_CONFIG[2]=$PWD/plain.yaml
    group_start_one 2
    says 2 'event=peer-refused .*reason="it speaks TLS, and tls is not set here"'
    group_stop 2 || true
    unset 'GROUP_CONFIG[2]'
    group_start_one 2
    group_wait_agree
}

@test "certificates that are replaced count from then on" {
    group_start 1 "tls: $PWD/replica"
    certificates_authority next
    certificates_issue bob next clientAuth
    cat authority/ca.crt >>bob/ca.crt
    refuse 5 "it does not take our certificate" vstamp --tls bob --timeout 0.3 get k
    cat authority/ca.crt next/ca.crt >both && mv both replica/ca.crt
    says 0 event=certificates-renewed
    vstamp --tls bob put k v
    cp replica/tls.key kept
    echo damaged >replica/tls.key
    says 0 'event=certificates-kept .*tls.key: no key for tls.crt'
    [ "$(vstamp --tls bob get k)" = v ]
    mv kept replica/tls.key
    group_wait "the key to be read again" \
        bash -c '[ "$(grep -c event=certificates-renewed replica-0.log)" = 2 ]'
}

@test "a client that runs comes back with the certificate that it was given meanwhile" {
    group_start 1 "tls: $PWD/replica"
    vstamp --tls alice watch --from 1 k >seen 3>&- &
    group_adopt $!
    vstamp --tls replica put k first
    group_wait "the first change" grep -q first seen
    certificates_authority next
    cp alice/ca.crt kept
    certificates_issue alice next clientAuth
    cp kept alice/ca.crt
    cp next/ca.crt replica/ca.crt
    group_kill 0
    group_start_one 0
    group_wait_listening
    vstamp --tls alice --timeout 20 put k second
    group_wait "the second change" grep -q second seen
}

@test "a certificate that counts no more while the counters are added up is said to be the reason" {
    local pid status=0
    group_start 1 "tls: $PWD/replica"
    vstamp --tls alice --timeout 6 bench --incr --requests 10 --keys 300000 >out 2>said 3>&- &
    pid=$!
    group_adopt "$pid"
    adds_up() { [ "$(group_field 0 reads)" -gt 100 ]; }
    group_wait "the counters to be added up" adds_up
    certificates_authority next
    cp next/ca.crt replica/ca.crt
    group_kill 0
    group_start_one 0
    wait "$pid" || status=$?
    cat out said
    [ "$status" -eq 5 ]
    grep -q "^10 requests answered" out
    grep -qx "vstamp: the counters could not be read: the replicas take another certificate than \
ours: $(group_address 0): it does not take our certificate: unknown CA: $advice" said
    grep -qx "vstamp: keys that begin with bench/ were left there" said
}

# Something has come to replica 0 that it has not read.
is_unread() {
    awk -v port=":$(printf %04X "$GROUP_BASE")$" \
        '$2 ~ port && $4 == "01" && $5 !~ /:00000000$/ { n++ } END { exit !n }' /proc/net/tcp
}

@test "an import that is let in no more ends as not authorised, whatever had left before" {
    local importing status=0
    group_start 1 "tls: $PWD/replica"
    mkfifo feed
    vstamp --tls alice --json --timeout 6 import feed >out 2>said 3>&- &
    importing=$!
    group_adopt "$importing"
    exec 8>feed
    printf 'a\t1\n' >&8
    group_wait "the first pair" vstamp --tls alice get a
    vstamp --tls alice get a # which is answered behind the put: that one has its answer
    group_pause 0
    printf 'b\t2\n' >&8
    exec 8>&-
    group_wait "it to be on its way" is_unread
    certificates_authority next
    cp next/ca.crt replica/ca.crt
    group_kill 0
    group_start_one 0
    wait "$importing" || status=$?
    cat out said
    [ "$status" -eq 5 ]
    [[ $(cat out) == '{"op":"import","imported":1,"line":2,"ok":false,"error":"not-authorised",'\
'"outcome":"unknown",'* ]]
    [ "$(cat said)" = "vstamp: feed:2: the replicas take another certificate than ours: \
$(group_address 0): it does not take our certificate: unknown CA: 1 pair was imported, all before \
that line among them: $advice" ]
}

metric() { group_http 0 /metrics | awk -v name="$1" '$1 == name { print $2 }'; }

# first_word FILE: what an openssl(1) that connects says first.
first_word() {
    openssl s_client -debug -connect "$(group_address 0)" </dev/null 2>/dev/null |
        awk '/^write to/ { n++ } n == 1 && /^[0-9a-f]+ - / { print substr($0, 8, 49) }' |
        tr -s ' -' '\n' | sed -n 's/^[0-9a-f][0-9a-f]$/\\x&/p' >escaped
    # shellcheck disable=SC2059 # they are bytes
    printf "$(tr -d '\n' <escaped)" >"$1"
    [ "$(od -An -tx1 -N 1 "$1")" = " 16" ]
}

# knock N: so many say the first word of TLS at once, and no more.
knock() {
    local i fd
    for ((i = 0; i < $1; i++)); do
        exec {fd}<>"/dev/tcp/$GROUP_HOST/$GROUP_BASE"
        cat hello >&"$fd"
    done
}

@test "those who knock all at once keep nobody waiting for all of them" {
    local before spent longest
    group_start 1 "tls: $PWD/replica" "durability: memory"
    group_wait_primary
    first_word hello
    vstamp --tls alice put k v
    before=$(metric process_cpu_seconds_total)
    group_pause 0
    knock 200
    group_cont 0
    [ "$(vstamp --tls alice get k)" = v ]
    spent=$(metric process_cpu_seconds_total | awk -v b="$before" '{ print int(($1 - b) * 1e6) }')
    longest=$(metric vstamp_longest_turn_cpu_us)
    echo "# $spent us for all, $longest us in one turn" >&3
    ((longest < spent / 4))
}

@test "a certificate that has ended is told of, until there is another" {
    group_configure 1
    CERTIFICATES_DAYS=0 certificates_issue replica authority serverAuth,clientAuth "IP:$GROUP_HOST"
    vstamp-replica --check --tls replica | grep "^note: replica/tls.crt: has ended 20.*: renew it$"
    group_start 1 "tls: $PWD/replica"
    group_wait_primary
    says 0 'event=certificate-trouble .*replica/tls.crt: has ended'
    not_after() { openssl x509 -noout -enddate -in replica/tls.crt | cut -d= -f2 | date -f - +%s; }
    [ "$(metric vstamp_certificate_not_after_s)" = "$(not_after)" ]
    vstamp-admin -t 20 health |
        grep "^HEALTHY: replica 0 .*certificate: .*replica/tls.crt: has ended 20"
    certificates_issue replica authority serverAuth,clientAuth "IP:$GROUP_HOST"
    says 0 event=certificates-renewed
    vstamp --tls alice put k v
    [ "$(grep -c event=certificate-trouble replica-0.log)" = 1 ]
    [ "$(metric vstamp_certificate_not_after_s)" = "$(not_after)" ]
    [ "$(vstamp-admin -t 20 health)" = "HEALTHY: tolerates 0 more failures" ]
    run ! grep -q "^note" <(vstamp-replica --check --tls replica)
}

@test "what is wrong with the folder is said at the start" {
    local word
    group_configure 1
    run -2 vstamp-replica --index 0 --tls nowhere
    [[ $output == *"nowhere/ca.crt: no certificates of authorities: No such file or directory"* ]]
    cp -r replica wrong
    cp alice/tls.key wrong
    run -2 vstamp-replica --index 0 --tls wrong
    [[ $output == *"wrong/tls.key: no key for tls.crt: key values mismatch"* ]]
    openssl ec -aes128 -passout pass:secret -in replica/tls.key -out wrong/tls.key 2>/dev/null
    run -2 vstamp-replica --index 0 --tls wrong </dev/null
    [[ $output == *"wrong/tls.key: no key for tls.crt: "* ]]
    vstamp-replica --check --tls replica | grep "^tls: replica"
    run -2 vstamp-replica --check --tls wrong
    run -2 vstamp-replica --local 1 --tls replica
    for word in "vstamp get k" "vstamp-admin status" "vstamp-replica --index 0"; do
        # shellcheck disable=SC2086 # they are words
        run -2 $word --tls ""
        [[ $output == *": --tls: DIR is empty"* ]]
    done
    group_need_terminal # which is not asked for a passphrase
    run -2 timeout -k 1 20 script -qec "vstamp-replica --index 0 --tls wrong" /dev/null </dev/null
    [[ $output == *"wrong/tls.key: no key for tls.crt: "* ]]
}

@test "who has no TLS has no certificate that ends" {
    group_start 1
    [[ $(group_status 0) == *'"certificate_not_after_s":null,"certificate_trouble":"",'* ]]
    [ "$(metric vstamp_certificate_not_after_s)" = 18446744073709551615 ]
}

@test "who listens to a network without TLS is warned" {
    GROUP_HOSTS=(0.0.0.0)
    group_configure 1
    group_start_one 0
    says 0 'level=warn .*event=no-tls .*see tls in vstamp-config(5)'
}

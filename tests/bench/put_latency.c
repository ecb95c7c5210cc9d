/* SPDX-License-Identifier: BSD-2-Clause */
/* The latency of a put as a client sees it: one session on a real group, a closed loop, through the
 * very code that vstamp(1) uses (client/conn.c around vr/session.c).
 *
 *     put_latency CONFIG OPERATIONS VALUE-BYTES */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bench/samples.h"
#include "client/conn.h"
#include "kv/kv.h"
#include "program/config.h"

#define TIMEOUT_MS 20000u

static void run(struct conn *conn, struct session *session, enum session_task task,
                struct bytes body)
{
    uint64_t now = conn_now_ms();
    session_start(session, task, body, false, now, now + TIMEOUT_MS);
    int signal = conn_call(conn, session);
    if (signal == 0 && session->result.err == 0) return;
    fprintf(stderr, "put_latency: %s: ",
            signal != 0 ? "interrupted" : vstamp_err_text(session->result.err));
    conn_explain(conn, stderr);
    fprintf(stderr, "\n");
    exit(1);
}

/* conn_call has told the session what the registration gave it. */
static void open_session(struct conn *conn, struct session *session, size_t n_replicas)
{
    struct session_identity identity = {.registration = 1};
    uint64_t seed;
    if (getrandom(&identity.client, sizeof identity.client, 0) != sizeof identity.client ||
        getrandom(&seed, sizeof seed, 0) != sizeof seed)
        abort();
    session_init(session, &identity, (uint8_t)n_replicas, seed);
    run(conn, session, SESSION_REGISTER, (struct bytes){NULL, 0});
}

static void measure(struct conn *conn, struct session *session, size_t n_ops, size_t value_size)
{
    static uint8_t value[BENCH_VALUE_MAX], encoded[BENCH_VALUE_MAX + 4096];
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of(BENCH_KEY), .value = {value, value_size}};
    struct writer w = writer_over(encoded, sizeof encoded);
    memset(value, 'v', sizeof value);
    kv_encode_op(&op, &w);

    struct samples *samples = samples_new(n_ops);
    for (size_t i = 0; i < n_ops; i++) {
        uint64_t start = samples_now_ns();
        run(conn, session, SESSION_APPLY, (struct bytes){encoded, w.size});
        samples_add(samples, samples_now_ns() - start);

        struct kv_answer answer;
        if (kv_decode_answer(KV_PUT, session->result.body, &answer) != 0 ||
            answer.status != KV_ANSWER_DONE) {
            fprintf(stderr, "put_latency: a put was not done\n");
            exit(1);
        }
    }
    samples_print(samples, "put");
    free(samples);
}

int main(int argc, char **argv)
{
    long n_ops = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
    long value_size = argc == 4 ? strtol(argv[3], NULL, 10) : -1;
    if (n_ops < 10 || n_ops > 10000000 || value_size < 0 || value_size > (long)BENCH_VALUE_MAX) {
        fprintf(stderr, "usage: put_latency CONFIG OPERATIONS VALUE-BYTES\n");
        return 2;
    }
    static struct config config;
    static struct session session;
    struct vstamp_diag diag = {0};
    if (config_load(&config, argv[1], &diag) != 0) {
        fprintf(stderr, "put_latency: %s\n", diag.text);
        return 2;
    }
    struct conn *conn = conn_open(&config.replicas_addresses);
    open_session(conn, &session, config.replicas_addresses.n);
    measure(conn, &session, (size_t)n_ops, (size_t)value_size);
    conn_close(conn);
    return 0;
}

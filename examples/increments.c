/* SPDX-License-Identifier: BSD-2-Clause */
/* Many increments of one counter of the key-value store, a hundred in flight at a time, through
 * <vstamp/client.h> and <vstamp/kv.h>:
 *
 *     increments 127.0.0.1:14621,127.0.0.1:14622,127.0.0.1:14623 KEY COUNT
 *
 * Each runs exactly once, so the greatest answer is what the counter was, plus COUNT, also when the
 * primary is killed in between. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vstamp/kv.h>

#define IN_FLIGHT  100
#define TIMEOUT_MS 10000

struct load {
    struct vstamp_driver *driver;
    /* All calls send the same, so one copy serves for all. */
    uint8_t operation[VSTAMP_KV_OVERHEAD + VSTAMP_KV_KEY_MAX];
    size_t size;
    unsigned long left; /* to be sent */
    unsigned long done, failed;
    int64_t greatest;
};

static void on_reply(void *context, const struct vstamp_reply *reply);

static void send_one(struct load *load)
{
    load->left--;
    if (vstamp_driver_call(load->driver, VSTAMP_APPLY, load->operation, load->size, TIMEOUT_MS,
                           on_reply, load) != 0)
        load->failed++;
}

static void on_reply(void *context, const struct vstamp_reply *reply)
{
    struct load *load = context;
    struct vstamp_kv_answer answer;
    int rv = vstamp_kv_answer(load->operation, reply, &answer);
    if (rv != 0) {
        load->failed++;
        fprintf(stderr, "increments: %s\n", vstamp_err_text(rv));
    } else {
        if (answer.number > load->greatest) load->greatest = answer.number;
        load->done++;
    }
    if (load->left > 0) send_one(load);
}

int main(int argc, char **argv)
{
    const struct vstamp_client_config config = {.in_flight = IN_FLIGHT,
                                                .application = VSTAMP_KV_APPLICATION};
    struct vstamp_diag diag = {0};
    struct load load = {0};
    if (argc == 4)
        load.size = vstamp_kv_incr(load.operation, sizeof load.operation, argv[2], strlen(argv[2]),
                                   1);
    if (load.size == 0) {
        fprintf(stderr, "usage: increments ADDRESS,ADDRESS,... KEY COUNT\n");
        return 2;
    }
    load.left = strtoul(argv[3], NULL, 10);
    if (vstamp_driver_open(&load.driver, argv[1], &config, &diag) != 0) {
        fprintf(stderr, "increments: %s\n", diag.text);
        return 2;
    }
    for (int i = 0; i < IN_FLIGHT && load.left > 0; i++) send_one(&load);
    vstamp_driver_finish(load.driver);
    if (load.failed > 0) {
        char why[1000];
        vstamp_driver_explain(load.driver, why, sizeof why);
        fprintf(stderr, "increments: %lu failed: %s\n", load.failed, why);
    }
    printf("%lu done, the counter was at %" PRId64 "\n", load.done, load.greatest);
    vstamp_driver_close(load.driver);
    return load.failed > 0 ? 1 : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Many increments of one counter of the key-value store, a hundred in flight at a time, through
 * <vstamp/client.h>:
 *
 *     increments 127.0.0.1:14621,127.0.0.1:14622,127.0.0.1:14623 KEY COUNT
 *
 * Each runs exactly once, so the greatest answer is what the counter was, plus COUNT, also when the
 * primary is killed in between. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vstamp/client.h>

#define IN_FLIGHT  100
#define TIMEOUT_MS 10000

struct load {
    struct vstamp_driver *driver;
    uint8_t operation[128]; /* all calls send the same, so one copy serves for all */
    size_t size;
    unsigned long left; /* to be sent */
    unsigned long done, failed;
    uint64_t greatest;
};

static void on_reply(void *context, const struct vstamp_reply *reply);

static void send_one(struct load *load)
{
    load->left--;
    if (vstamp_driver_call(load->driver, VSTAMP_APPLY, load->operation, load->size, TIMEOUT_MS,
                           on_reply, load) != 0)
        load->failed++;
}

/* The answer of the store: a byte, 0 for done, and the sum, 8 bytes, least first. */
static void on_reply(void *context, const struct vstamp_reply *reply)
{
    struct load *load = context;
    if (reply->err != 0 || reply->size != 9 || reply->body[0] != 0) {
        load->failed++;
        fprintf(stderr, "increments: %s\n", vstamp_err_text(reply->err));
    } else {
        uint64_t sum = 0;
        for (int i = 8; i >= 1; i--) sum = sum << 8 | reply->body[i];
        if (sum > load->greatest) load->greatest = sum;
        load->done++;
    }
    if (load->left > 0) send_one(load);
}

/* incr KEY 1, as the store has it: its number 5; the key after its size, 4 bytes; 1 in 8 bytes. */
static void encode(struct load *load, const char *key)
{
    uint8_t *at = load->operation;
    size_t size = strlen(key);
    *at++ = 5;
    *at++ = (uint8_t)size;
    at += 3;
    memcpy(at, key, size);
    at += size;
    *at = 1;
    load->size = (size_t)(at + 8 - load->operation);
}

int main(int argc, char **argv)
{
    const struct vstamp_client_config config = {.in_flight = IN_FLIGHT};
    struct vstamp_diag diag = {0};
    struct load load = {0};
    if (argc != 4 || strlen(argv[2]) > 100) {
        fprintf(stderr, "usage: increments ADDRESS,ADDRESS,... KEY COUNT\n");
        return 2;
    }
    encode(&load, argv[2]);
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
    printf("%lu done, the counter was at %" PRIu64 "\n", load.done, load.greatest);
    vstamp_driver_close(load.driver);
    return load.failed > 0 ? 1 : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Every number of the configuration at its least and at its greatest value, alone and together with
 * every other: the file is refused with a sentence that names what to change, or a replica of that
 * size starts, and executes the largest put it allows.  No YAML file may end in an assertion. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/kv.h"
#include "program/config.h"
#include "program/zeros.h"
#include "wire/frame.h"
#include "unit/small.h"

#define FRAME_SIZE (9u << 20) /* the largest put, and what goes around it */

static uint8_t body[FRAME_SIZE], frame[FRAME_SIZE];
static const uint8_t value[KV_VALUE_MAX], key[KV_KEY_MAX];

/* --- a host that does nothing ------------------------------------------------------------- */

/* What the last request was answered with. */
static void note_answer(void *ctx, uint64_t origin, struct bytes bytes)
{
    struct wire_message m;
    (void)origin;
    assert_int_equal(wire_frame_decode(bytes, &m), 0);
    *(uint8_t *)ctx = m.header.command;
}

static void ask(struct node *node, uint64_t session, uint64_t number, struct bytes operation)
{
    struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    struct wire_request request = {
        .client = {1, 1}, .session = session, .number = number, .body = operation,
        .kind = session == 0 ? WIRE_KIND_REGISTER : WIRE_KIND_APPLY};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);
    assert_int_equal(node_on_client_frame(node, 1, (struct bytes){frame, size}), 0);
}

/* A group of one forms, registers a client, and executes the largest put. */
static void live(struct node *node, const struct config *config, const uint8_t *answer)
{
    struct kv_op op = {.verb = KV_PUT, .key = {key, sizeof key},
                       .value = {value, config->max_value_bytes}};
    struct writer w = writer_over(body, sizeof body);
    struct node_status status;
    kv_encode_op(&op, &w);
    assert_true(w.ok);
    for (uint64_t turn = 0; turn < 5; turn++) {
        node_clock(node, 1000 + 20000 * turn, 1000000 + turn);
        if (turn == 0) node_start(node);
        if (turn == 2) ask(node, 0, 1, (struct bytes){0});
        if (turn == 3) ask(node, 1, 1, (struct bytes){body, w.size});
        node_turn_end(node);
    }
    node_status(node, &status);
    assert_int_equal(status.commit_number, 2);
    assert_int_equal(*answer, WIRE_reply);
}

/* False: this machine has no room for it, which the program says in words. */
static bool starts(const struct config *config)
{
    uint8_t answer = 0;
    struct node_io io = {.ctx = &answer, .send = ignore_frame, .reply = note_answer,
                         .log = ignore_log};
    struct vr_config vr;
    struct vstamp_diag diag = {0};
    assert_int_equal(config_to_vr(config, 0, "0", &vr, &diag), 0);
    size_t size = node_memory(&vr);
    void *memory = zeros_map(size);
    if (memory == NULL) return false;
    struct node *node = node_init(memory, size, &vr, kv_app(), &io, (struct vstamp_id){3, 4});
    if (config->durability == CONFIG_durability_memory) live(node, config, &answer);
    zeros_unmap(memory, size);
    return true;
}

/* --- the sweep ---------------------------------------------------------------------------- */

static bool is_number(const struct config_key *k)
{
    return k->type == CONFIG_TYPE_U32 || k->type == CONFIG_TYPE_SIZE;
}

static size_t n_started, n_refused, n_without_memory;

static void try(const struct config_key *a, bool a_most, const struct config_key *b, bool b_most,
                const char *durability)
{
    static struct config config;
    char text[512];
    struct vstamp_diag diag = {0};
    int size = snprintf(text, sizeof text, "replicas_addresses: [a:1]\ndurability: %s\n%s: %" PRIu64
                        "\n", durability, a->name, a_most ? a->max : a->min);
    if (b != a)
        snprintf(text + size, sizeof text - (size_t)size, "%s: %" PRIu64 "\n", b->name,
                 b_most ? b->max : b->min);
    if (config_parse(&config, "f.yaml", text, strlen(text), &diag) != 0) {
        bool names_one = strstr(diag.text, a->name) != NULL || strstr(diag.text, b->name) != NULL;
        if (!names_one) fail_msg("%s%s", text, diag.text);
        n_refused++;
    } else if (starts(&config)) {
        n_started++;
    } else {
        n_without_memory++;
    }
}

static void each_pair_of_extremes_starts_or_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_n_keys; i++) {
        for (size_t j = i; j < config_n_keys; j++) {
            if (!is_number(&config_keys[i]) || !is_number(&config_keys[j])) continue;
            for (int most = 0; most < (i == j ? 2 : 4); most++) {
                try(&config_keys[i], most & 1, &config_keys[j], most & 2, "memory");
                try(&config_keys[i], most & 1, &config_keys[j], most & 2, "disk");
            }
        }
    }
    print_message("%zu started, %zu refused, %zu without memory\n", n_started, n_refused,
                  n_without_memory);
    assert_true(n_started > 100);
    assert_true(n_refused > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_of_extremes_starts_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

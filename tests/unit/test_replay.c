/* SPDX-License-Identifier: BSD-2-Clause */
/* Living a recording again: the verdict on sound ones, on those that end too early, and on those
 * that were changed.  The recorded life is that of a group of one: it forms, executes three
 * requests, and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/kv.h"
#include "sim/sim.h"
#include "unit/small.h"

#define VERSION "0.0-test"

static struct replay_tape life;
static char verdict[REPLAY_VERDICT_SIZE];

/* --- the life that is recorded ---------------------------------------------------------------- */

static void nothing_answered(void *ctx, uint64_t origin, struct bytes frame)
{
    (void)ctx;
    (void)origin;
    (void)frame;
}

static void record(void *ctx, enum journal_kind kind, const void *r)
{
    replay_tape_put(ctx, kind, r);
}

static void ask(struct node *node, uint64_t number)
{
    uint8_t frame[256];
    struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    struct wire_request request = {.client = {1, 1}, .number = number,
                                   .kind = WIRE_KIND_REGISTER};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);
    assert_int_equal(node_on_client_frame(node, 1, (struct bytes){frame, size}), 0);
}

static int live(void **state)
{
    struct vr_config config;
    struct sim_options options = {.replicas = 1, .heartbeat_ms = 10, .view_change_ms = 50,
                                  .max_clients = 2, .batch_bytes = 4096, .max_answer_bytes = 256,
                                  .pipeline = 1, .log_entries = 32, .log_bytes = 65536,
                                  .checkpoint_ops = 16};
    struct node_io io = {.ctx = &life, .send = ignore_frame, .reply = nothing_answered,
                         .log = ignore_log, .record = record};
    struct node_status status;
    (void)state;
    sim_options_config(&options, &config);
    config.version = VERSION;
    size_t size = (node_memory(&config) + 4095) / 4096 * 4096;
    void *memory = aligned_alloc(4096, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    struct node *node =
        node_init(memory, size, &config, kv_app(), &io, (struct vstamp_id){3, 4});
    for (uint64_t turn = 0; turn < 5; turn++) {
        node_clock(node, 1000 + 20000 * turn, 1000000 + turn);
        if (turn == 0) node_start(node);
        if (turn > 1) ask(node, turn);
        node_turn_end(node);
    }
    node_status(node, &status);
    assert_int_equal(status.commit_number, 3);
    replay_tape_put(&life, JOURNAL_RECORDED_end, &(struct wire_recorded_end){.exit_status = 0});
    free(memory);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    replay_tape_close(&life);
    return 0;
}

/* --- replays ---------------------------------------------------------------------------------- */

static void assert_verdict(enum replay_outcome expected, struct bytes recording, const char *says)
{
    enum replay_outcome outcome = replay(recording, kv_app(), NULL, VERSION, NULL, NULL, verdict);
    if (outcome != expected || strstr(verdict, says) == NULL)
        fail_msg("outcome %d and not %d with '%s': %s", outcome, expected, says, verdict);
}

/* The life with each record changed or left out by `change`; true: leave it out. */
static struct replay_tape changed(bool (*change)(struct recorded *r, uint32_t number))
{
    struct replay_tape tape = {0};
    struct journal_reader r = {.file = {life.data, life.size}, .number = RECORDING_NUMBER};
    struct recorded record;
    for (uint32_t n = 0; recording_next(&r, &record) == JOURNAL_RECORD; n++)
        if (!change(&record, n)) replay_tape_put(&tape, record.kind, &record.as);
    return tape;
}

static void assert_changed(bool (*change)(struct recorded *r, uint32_t number),
                           enum replay_outcome expected, const char *says)
{
    struct replay_tape tape = changed(change);
    assert_verdict(expected, (struct bytes){tape.data, tape.size}, says);
    replay_tape_close(&tape);
}

static void a_sound_one_gives_the_same(void **state)
{
    (void)state;
    assert_verdict(REPLAY_SAME, (struct bytes){life.data, life.size}, "ended in good order");
    assert_non_null(strstr(verdict, "as recorded: replica 0 of 1, 15 inputs in 5 turns"));
}

static void the_trace_tells_what_happened(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct bytes recording = {life.data, life.size};
    assert_int_equal(replay(recording, kv_app(), NULL, VERSION, NULL, out, verdict), REPLAY_SAME);
    fclose(out);
    assert_non_null(strstr(text, "0: starts\n"));
    assert_non_null(strstr(text, "0: group-formed "));
    assert_non_null(strstr(text, "0 <- request from=client "));
    assert_non_null(strstr(text, "client 1 <- 0: reply "));
    free(text);
}

/* Wherever the process was killed: what is there is lived again, and it is said where it ends. */
static void one_that_ends_too_early_is_replayed_to_its_end(void **state)
{
    (void)state;
    struct journal_reader r = {.file = {life.data, life.size}, .number = RECORDING_NUMBER};
    struct recorded record;
    assert_int_equal(recording_next(&r, &record), JOURNAL_RECORD);
    for (size_t size = 0; size < life.size; size++) {
        if (size < r.place)
            assert_verdict(REPLAY_REFUSED, (struct bytes){life.data, size},
                           size == 0 ? "empty" : "not a recording");
        else
            assert_verdict(REPLAY_SAME, (struct bytes){life.data, size}, "cut off at byte ");
    }
}

/* But for the last record: what is wrong there may be how the process was killed. */
static void a_flipped_bit_is_damage(void **state)
{
    (void)state;
    size_t end = life.size - 24;
    for (size_t at = 0; at < end; at++) {
        life.data[at] ^= 4;
        enum replay_outcome outcome =
            replay((struct bytes){life.data, life.size}, kv_app(), NULL, VERSION, NULL, NULL,
                   verdict);
        life.data[at] ^= 4;
        if (outcome == REPLAY_SAME) { /* the zeros between two records are no part of either */
            assert_non_null(strstr(verdict, "ended in good order"));
            continue;
        }
        assert_int_equal(outcome, REPLAY_REFUSED);
        assert_non_null(strstr(verdict, "damaged at "));
    }
}

static bool other_version(struct recorded *r, uint32_t number)
{
    if (number == 0) r->as.start.version = (struct bytes){(const uint8_t *)"9.9", 4};
    return false;
}

static bool other_format(struct recorded *r, uint32_t number)
{
    if (number == 0) r->as.start.format = 99;
    return false;
}

static bool other_machine(struct recorded *r, uint32_t number)
{
    if (number == 0) r->as.start.machine = (struct bytes){(const uint8_t *)"18 bits", 8};
    return false;
}

static bool other_application(struct recorded *r, uint32_t number)
{
    if (number == 0) r->as.start.application = (struct bytes){(const uint8_t *)"bank", 5};
    return false;
}

static bool no_sense(struct recorded *r, uint32_t number)
{
    if (number == 0) r->as.start.config.self = 1;
    return false;
}

static void one_of_another_origin_is_refused_in_words(void **state)
{
    (void)state;
    assert_changed(other_version, REPLAY_REFUSED, "recorded by vstamp 9.9, this is " VERSION);
    assert_changed(other_format, REPLAY_REFUSED, "format 99, this vstamp-sim reads format 16");
    assert_changed(other_machine, REPLAY_REFUSED, "on a machine of 18 bits, this one has ");
    assert_changed(other_application, REPLAY_REFUSED,
                   "it replicates bank, and not key-value store: name its library");
    assert_changed(no_sense, REPLAY_REFUSED, "its configuration makes no sense");
}

static bool another_op(struct recorded *r, uint32_t number)
{
    if (r->kind == JOURNAL_RECORDED_outputs && r->as.outputs.op == 2) r->as.outputs.op = 7;
    (void)number;
    return false;
}

static bool another_digest(struct recorded *r, uint32_t number)
{
    if (r->kind == JOURNAL_RECORDED_status) r->as.status.digest.lo++;
    (void)number;
    return false;
}

static bool a_request_less(struct recorded *r, uint32_t number)
{
    (void)number;
    return r->kind == JOURNAL_RECORDED_client_frame;
}

static bool twice_checked(struct recorded *r, uint32_t number)
{
    if (number == 3) r->kind = JOURNAL_RECORDED_outputs; /* instead of the end of a turn */
    return false;
}

static void what_comes_out_differently_is_told_at_its_turn(void **state)
{
    (void)state;
    assert_changed(another_op, REPLAY_FAILED, "turn 4, input 11, ");
    assert_non_null(strstr(verdict, "outputs: op=2, recorded op=7"));
    assert_changed(another_digest, REPLAY_FAILED, "status: digest");
    assert_changed(a_request_less, REPLAY_FAILED, "turn 3, input 7, ");
    assert_non_null(strstr(verdict, "outputs: op=0, recorded op=1"));
    assert_changed(twice_checked, REPLAY_FAILED, "made a check here, this one did not");
}

/* A job that nobody asked for is done: the node cannot believe that. */
static bool never_asked_for(struct recorded *r, uint32_t number)
{
    if (number == 4) *r = (struct recorded){.kind = JOURNAL_RECORDED_stored};
    return false;
}

static bool too_large(struct recorded *r, uint32_t number)
{
    if (number == 0) r->as.start.config.pipeline = PIPELINE_MAX + 1;
    return false;
}

static void a_failed_assertion_is_told_like_one_of_the_simulator(void **state)
{
    (void)state;
    assert_changed(never_asked_for, REPLAY_FAILED, "assertion failed: j->n_writing > 0 at ");
    assert_changed(too_large, REPLAY_FAILED, "assertion failed: config->pipeline");
    /* and the next one is as good as ever */
    assert_verdict(REPLAY_SAME, (struct bytes){life.data, life.size}, "ended in good order");
}

static bool no_such_peer(struct recorded *r, uint32_t number)
{
    if (number == 4)
        *r = (struct recorded){.kind = JOURNAL_RECORDED_connection,
                               .as.connection = {.replica = 200}};
    return false;
}

static bool itself(struct recorded *r, uint32_t number)
{
    if (number == 4) *r = (struct recorded){.kind = JOURNAL_RECORDED_peer_frame};
    return false;
}

static bool no_such_lane(struct recorded *r, uint32_t number)
{
    if (number == 4) *r = (struct recorded){.kind = JOURNAL_RECORDED_stored, .as.stored.lane = 9};
    return false;
}

static bool no_such_step(struct recorded *r, uint32_t number)
{
    if (number == 4) *r = (struct recorded){.kind = JOURNAL_RECORDED_step};
    return false;
}

static bool nothing(struct recorded *r, uint32_t number)
{
    (void)r;
    (void)number;
    return false;
}

static void what_no_host_gives_a_node_is_damage(void **state)
{
    (void)state;
    assert_changed(no_such_peer, REPLAY_REFUSED, "damaged at byte ");
    assert_changed(itself, REPLAY_REFUSED, "damaged at byte ");
    assert_changed(no_such_lane, REPLAY_REFUSED, "damaged at byte ");
    assert_changed(no_such_step, REPLAY_REFUSED, "damaged at byte ");

    struct replay_tape tape = changed(nothing);
    struct wire_recorded_clock clock = {0};
    replay_tape_put(&tape, JOURNAL_RECORDED_clock, &clock); /* after the end */
    assert_verdict(REPLAY_REFUSED, (struct bytes){tape.data, tape.size}, "damaged at byte ");
    replay_tape_close(&tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_one_gives_the_same),
        cmocka_unit_test(the_trace_tells_what_happened),
        cmocka_unit_test(one_that_ends_too_early_is_replayed_to_its_end),
        cmocka_unit_test(a_flipped_bit_is_damage),
        cmocka_unit_test(one_of_another_origin_is_refused_in_words),
        cmocka_unit_test(what_comes_out_differently_is_told_at_its_turn),
        cmocka_unit_test(a_failed_assertion_is_told_like_one_of_the_simulator),
        cmocka_unit_test(what_no_host_gives_a_node_is_damage),
    };
    return cmocka_run_group_tests(tests, live, forget);
}

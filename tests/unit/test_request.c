/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a request: what the user is told, and what is noted when the next process comes.
 * The test plays the group, and is in the place of client/conn.c; each process is a `struct
 * client`. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/client.h"
#include "client/request.h"
#include "unit/own_folder.h"
#include "vr/client_table.h"

enum { TIMEOUT_MS = 1000 };

static const struct vstamp_id group = {0xaaaa, 0xbbbb}, stranger = {0xcccc, 0xdddd};
static const struct operation incr = {{(const uint8_t *)"incr", 4}, OPERATION_CALL};
static const struct operation append = {{(const uint8_t *)"append", 6}, OPERATION_CALL};
static const struct operation get = {{(const uint8_t *)"get", 3}, OPERATION_QUESTION};

static struct client c;
static struct outcome o;
static struct vstamp_diag diag;

/* --- the group -------------------------------------------------------------------------------- */

/* What it does with the request of one task. */
struct turn {
    enum session_task task;
    enum { ANSWERS, IS_SILENT, REJECTS, IS_ANOTHER } how;
    uint64_t op;                           /* of the answer */
    uint8_t reason;                        /* to reject it */
    struct wire_registration registration; /* the answer to one */
};

static struct turn turns[8];
static size_t n_turns, n_taken;
static struct wire_message sent; /* the newest request that is no probe */
static uint64_t now = 1000;

static void play(struct turn turn)
{
    turns[n_turns++] = turn;
}

static void all_were_taken(void)
{
    assert_int_equal(n_taken, n_turns);
    n_taken = n_turns = 0;
}

static void deliver(struct session *s, struct vstamp_id whose, const struct wire_shape *shape,
                    const void *message)
{
    static uint8_t frame[1024]; /* results point into it */
    struct wire_header header = {.group = whose};
    size_t size = wire_frame_encode(&header, shape, message, frame, sizeof frame);
    assert_true(size > 0);
    assert_int_equal(session_on_frame(s, 0, (struct bytes){frame, size}, now), 0);
}

static void reject(struct session *s, struct vstamp_id whose, uint64_t number, uint8_t reason)
{
    struct wire_reject m = {.client = s->identity.client,
                            .session = s->request.session,
                            .number = number,
                            .request = s->request_checksum,
                            .reason = reason};
    deliver(s, whose, &wire_shape_reject, &m);
}

static void answer(struct session *s, const struct turn *turn)
{
    uint8_t body[256];
    struct writer w = writer_over(body, sizeof body);
    struct wire_reply m = {.client = s->identity.client,
                           .session = s->request.session,
                           .number = s->request.number,
                           .request = s->request_checksum,
                           .op = turn->op,
                           .body = bytes_of("done")};
    if (turn->task == SESSION_REGISTER) {
        wire_encode(&wire_shape_registration, &turn->registration, &w);
        m.body = (struct bytes){body, w.size};
    }
    deliver(s, group, &wire_shape_reply, &m);
}

/* Whatever is sent under a number can be found by the next process. */
static void look_into_the_file(void)
{
    struct session_file file;
    if (c.file.path == NULL || sent.as.request.session == 0) return;
    assert_int_equal(session_file_peek(&file, c.file.path, &diag), 0);
    assert_true(bytes_equal(file.pending.operation.bytes, sent.as.request.body));
    assert_true(vstamp_id_equal(file.identity.client, sent.as.request.client));
    assert_int_equal(file.pending.session, sent.as.request.session);
    assert_int_equal(file.pending.number, sent.as.request.number);
    session_file_close(&file);
}

int conn_call(struct conn *conn, struct session *s)
{
    static uint8_t frame[1024];
    const struct turn *turn = &turns[n_taken++];
    assert_non_null(conn);
    assert_true(n_taken <= n_turns);
    assert_int_equal(s->task, turn->task);
    for (size_t size; (size = session_send(s, 0, frame, sizeof frame)) > 0;) {
        assert_int_equal(wire_frame_decode((struct bytes){frame, size}, &sent), 0);
        bool is_probe = sent.as.request.number == s->probe;
        if (!is_probe) look_into_the_file();
        if (turn->how == IS_ANOTHER)
            reject(s, stranger, sent.as.request.number, WIRE_REJECT_UNAVAILABLE);
        else if (is_probe)
            reject(s, group, s->probe, WIRE_REJECT_UNAVAILABLE);
        else if (turn->how == ANSWERS)
            answer(s, turn);
        else if (turn->how == REJECTS)
            reject(s, group, s->request.number, turn->reason);
    }
    if (!session_ended(s)) session_on_time(s, s->deadline_ms);
    assert_true(session_ended(s));
    return 0;
}

struct conn *conn_open(const struct config_addresses *members, const struct config_addresses *begin,
                       struct tls *tls)
{
    static char any;
    assert_true(members->n == 1 && begin->n == 1);
    assert_null(tls);
    return (struct conn *)&any;
}

void conn_close(struct conn *conn)
{
    (void)conn;
}

void conn_hold_signals(struct conn *conn)
{
    assert_non_null(conn);
}

void conn_release_signals(struct conn *conn)
{
    assert_non_null(conn);
}

void conn_explain(const struct conn *conn, FILE *into)
{
    assert_non_null(conn);
    fputs("silence", into);
}

uint64_t conn_now_ms(void)
{
    return now;
}

uint8_t conn_n_replicas(const struct conn *conn)
{
    assert_non_null(conn);
    return 1;
}

const char *conn_member(const struct conn *conn, uint32_t replica)
{
    assert_non_null(conn);
    assert_int_equal(replica, 0);
    return "h:1";
}

void conn_print_replicas(const struct conn *conn, FILE *into)
{
    fputs(conn_member(conn, 0), into);
}

/* --- processes -------------------------------------------------------------------------------- */

static void end_process(void)
{
    outcome_release(&o);
    client_end(&c);
    all_were_taken();
}

static void begin_at(const char *replicas, const char *session)
{
    end_process();
    c = (struct client){.options = {.replicas = replicas,
                                    .session = session,
                                    .read_task = SESSION_READ_CAUSAL,
                                    .timeout_ms = TIMEOUT_MS}};
    assert_int_equal(client_begin(&c, NULL, &diag), 0);
}

static void begin(const char *session)
{
    begin_at("h:1", session);
}

static void run(struct operation operation)
{
    outcome_release(&o);
    assert_int_equal(client_begin(&c, NULL, &diag), 0); /* as each command does */
    request_run(&c, operation, &o);
}

static void ended(int err, bool may_have_run)
{
    all_were_taken();
    assert_int_equal(o.err, err);
    assert_int_equal(o.may_have_run, may_have_run);
}

static void done(struct operation operation)
{
    ended(0, false);
    assert_true(bytes_equal(o.called, bytes_of("done")));
    assert_int_equal(request_settled(&c, operation, &diag), 0);
}

static void play_registration(uint64_t session)
{
    play((struct turn){.task = SESSION_REGISTER,
                       .op = session,
                       .registration = {.session = session, .since = session}});
}

/* What this file tells the next process: is anything pending? */
static bool is_pending(const char *path)
{
    struct session_file file;
    assert_int_equal(session_file_peek(&file, path, &diag), 0);
    bool pending = session_file_is_pending(&file);
    session_file_close(&file);
    return pending;
}

/* Session 10 of the group has done one request; the next one was sent, and nobody answered. */
static void leave_pending(void)
{
    begin("s");
    play_registration(10);
    play((struct turn){.task = SESSION_APPLY, .op = 11});
    run(incr);
    done(incr);
    play((struct turn){.task = SESSION_APPLY, .how = IS_SILENT});
    run(append);
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
    assert_true(is_pending("s"));
}

static int clean_up(void **state)
{
    (void)state;
    n_taken = n_turns = 0;
    end_process();
    unlink("s");
    return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void what_was_never_sent_to_another_group_is_not_pending(void **state)
{
    (void)state;
    begin("s");
    play_registration(10);
    play((struct turn){.task = SESSION_APPLY, .op = 11});
    run(incr);
    done(incr);
    for (int i = 0; i < 2; i++) {
        begin_at("other:1", "s"); /* never met: it is asked whose it is before anything is sent */
        play((struct turn){.task = SESSION_APPLY, .how = IS_ANOTHER});
        run(append);
        ended(VSTAMP_E_OTHER_GROUP, false);
        assert_false(is_pending("s"));
    }
    begin("s"); /* where it was ours: who is there now is believed to be, and sent it */
    play((struct turn){.task = SESSION_APPLY, .how = IS_ANOTHER});
    run(append);
    ended(VSTAMP_E_OTHER_GROUP, true);
    assert_true(is_pending("s"));
}

/* The file that was made for a request; gone with it. */
static void settle_left_over(uint64_t number, struct vstamp_id client)
{
    glob_t found;
    assert_int_equal(glob("vstamp/*.pending", 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    end_process();
    c = (struct client){.options = {.timeout_ms = TIMEOUT_MS}};
    assert_int_equal(client_begin(&c, found.gl_pathv[0], &diag), 0);
    play((struct turn){.task = SESSION_APPLY, .op = 40});
    run(c.file.pending.operation);
    assert_int_equal(sent.as.request.number, number);
    assert_true(vstamp_id_equal(sent.as.request.client, client));
    done(incr);
    assert_int_equal(access(found.gl_pathv[0], F_OK), -1);
    globfree(&found);
    assert_int_equal(rmdir("vstamp"), 0);
}

static void what_the_group_refuses_is_not_pending(void **state)
{
    (void)state;
    begin("s");
    play_registration(10);
    play((struct turn){.task = SESSION_APPLY, .how = REJECTS, .reason = WIRE_REJECT_TOO_LARGE});
    run(incr);
    ended(VSTAMP_E_TOO_LARGE, false);
    assert_non_null(strstr(o.message, ": the operation did not run"));
    assert_false(is_pending("s"));
}

static void what_follows_an_unknown_outcome_is_no_copy_of_it(void **state)
{
    (void)state;
    begin(NULL);
    c.session.identity.epoch = 2; /* the group has moved meanwhile */
    c.session.identity.view = 3;
    play_registration(10);
    play((struct turn){.task = SESSION_APPLY, .how = IS_SILENT});
    run(incr);
    struct vstamp_id client = sent.as.request.client;
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
    play((struct turn){.task = SESSION_READ_CAUSAL, .op = 10});
    run(get);
    assert_int_equal(sent.as.request.token, 10); /* it sees what was seen before */
    assert_true(vstamp_id_equal(sent.header.group, group));
    assert_int_equal(sent.header.epoch, 2);
    assert_int_equal(sent.header.view, 3);
    done(get);
    play_registration(20);
    play((struct turn){.task = SESSION_APPLY, .op = 21});
    run(incr);
    assert_false(vstamp_id_equal(sent.as.request.client, client));
    assert_int_equal(sent.as.request.session, 20);
    done(incr);
    settle_left_over(1, client);
}

static void abandon_for_now(void)
{
    begin("s");
    play((struct turn){.task = SESSION_REGISTER, .how = IS_SILENT});
    assert_false(request_abandon(&c, &o));
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
}

static void what_a_registration_fenced_is_sent_as_a_new_request(void **state)
{
    (void)state;
    leave_pending();
    abandon_for_now();
    begin("s");
    play((struct turn){.task = SESSION_REGISTER,
                       .registration = {.session = 30, .since = 10, .number = 1}});
    play((struct turn){.task = SESSION_APPLY, .how = REJECTS, .reason = WIRE_REJECT_UNAVAILABLE});
    run(append);
    ended(VSTAMP_E_NOT_RUN, false); /* as of any other that was rejected by all */
    assert_false(is_pending("s"));
}

/* What ran, and what came of it, as the registration says that replaces its session. */
static void play_end(uint8_t outcome, const char *answer)
{
    play((struct turn){.task = SESSION_REGISTER,
                       .op = 30,
                       .registration = {.session = 30,
                                        .since = 10,
                                        .number = 2,
                                        .request = client_table_request(10, append.bytes),
                                        .op = 12,
                                        .outcome = outcome,
                                        .answer = bytes_of(answer)}});
}

static void what_ran_has_the_answer_that_a_registration_tells(void **state)
{
    (void)state;
    leave_pending();
    abandon_for_now();
    begin("s");
    play_end(WIRE_OUTCOME_ANSWERED, "done");
    run(append);
    assert_int_equal(o.op, 12); /* when it ran */
    done(append);
    assert_false(is_pending("s"));
}

static void refused_says_a_registration(uint8_t outcome, bool ran)
{
    leave_pending();
    abandon_for_now();
    begin("s");
    play_end(outcome, "no room");
    run(append);
    ended(VSTAMP_E_REFUSED, ran);
    assert_string_equal(o.message, "refused: no room");
    assert_false(is_pending("s"));
}

static void a_refusal_that_a_registration_tells_settles_it(void **state)
{
    (void)state;
    refused_says_a_registration(WIRE_OUTCOME_NOT_RUN, false);
    end_process();
    unlink("s");
    refused_says_a_registration(WIRE_OUTCOME_NO_ANSWER, true);
}

static void what_is_pending_is_asked_for_though_it_be_too_large_for_this_configuration(void **state)
{
    (void)state;
    leave_pending();
    begin("s");
    c.bytes_max.batch = 5;
    play((struct turn){.task = SESSION_APPLY, .op = 12});
    run(append);
    done(append);
    run(append);
    ended(VSTAMP_E_TOO_LARGE, false);
    assert_false(is_pending("s"));
}

static void only_what_came_counts_as_seen(void **state)
{
    (void)state;
    begin("s");
    play((struct turn){.task = SESSION_READ_CAUSAL, .op = 7});
    run(get);
    done(get);
    play((struct turn){.task = SESSION_READ_CAUSAL, .how = IS_SILENT});
    outcome_release(&o);
    request_await(&c, get, 8, TIMEOUT_MS, &o);
    assert_int_equal(sent.as.request.token, 8);
    ended(VSTAMP_E_NOT_RUN, false);
    for (int process = 0; process < 2; process++) {
        play((struct turn){.task = SESSION_READ_CAUSAL, .op = 7});
        run(get);
        assert_int_equal(sent.as.request.token, 7);
        done(get);
        begin("s");
    }
}

static void what_follows_a_call_is_for_the_store_again(void **state)
{
    (void)state;
    begin(NULL);
    play((struct turn){.task = SESSION_READ_CAUSAL, .op = 7});
    run(get);
    assert_int_equal(sent.as.request.application, 0); /* whatever there is */
    done(get);
    struct operation size = operation_encode(&(struct kv_op){.verb = KV_SIZE});
    play((struct turn){.task = SESSION_READ_CAUSAL, .how = IS_SILENT});
    run(size);
    operation_release(&size);
    assert_int_equal(sent.as.request.application, wire_application(KV_APPLICATION));
    ended(VSTAMP_E_NOT_RUN, false);
}

static int enter(void **state)
{
    if (own_folder_enter(state) != 0) return -1;
    return setenv("XDG_STATE_HOME", own_folder, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_was_never_sent_to_another_group_is_not_pending, clean_up),
        cmocka_unit_test_teardown(what_the_group_refuses_is_not_pending, clean_up),
        cmocka_unit_test_teardown(what_follows_an_unknown_outcome_is_no_copy_of_it, clean_up),
        cmocka_unit_test_teardown(what_a_registration_fenced_is_sent_as_a_new_request, clean_up),
        cmocka_unit_test_teardown(what_ran_has_the_answer_that_a_registration_tells, clean_up),
        cmocka_unit_test_teardown(a_refusal_that_a_registration_tells_settles_it, clean_up),
        cmocka_unit_test_teardown(
            what_is_pending_is_asked_for_though_it_be_too_large_for_this_configuration, clean_up),
        cmocka_unit_test_teardown(only_what_came_counts_as_seen, clean_up),
        cmocka_unit_test_teardown(what_follows_a_call_is_for_the_store_again, clean_up),
    };
    return cmocka_run_group_tests(tests, enter, own_folder_leave);
}

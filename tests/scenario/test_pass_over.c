/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations that the application cannot execute: the stories of lib/vr/pass_over.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/poison.h"

/* Rule: a quorum is stuck, so nobody executes it; its client is told, once more if it asks once
 * more, and by the next registration. */
static void what_none_can_execute_is_passed_over(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 7);
    add(1, 2, POISON);
    cluster_run(c, 200);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 1, 2);
    add(1, 2, POISON);
    cluster_settle(c);
    uint32_t n;
    assert_int_equal(WIRE_OUTCOME_NOT_RUN, outcome(c, 1, 2, &n));
    assert_int_equal(2, n);
    cluster_send_register(c, 1, 2, 0);
    cluster_settle(c);
    struct wire_registration again = cluster_answer(c, 1, 2, 0).registration;
    assert_int_equal(2, again.number);
    assert_int_equal(WIRE_OUTCOME_NOT_RUN, again.outcome);
    sessions[1] = again.session;
    assert_int_equal(2, incr(3));
    assert_true(cluster_converge(c));
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(1, core(i)->stats.passed_over);
        assert_false(vr_is_stuck(core(i)));
    }
    assert_int_equal(3, n_tries);
    cluster_free(c);
}

static void a_group_of_one_passes_over_by_itself(void **unused)
{
    (void)unused;
    struct cluster *c = group(1, 1);
    add(1, 2, POISON);
    cluster_run(c, 200);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 1, 2);
    assert_int_equal(2, incr(3));
    cluster_free(c);
}

/* Rule: until it is known whether the others can, a stuck primary takes nothing new. */
static void a_stuck_primary_waits_for_the_others(void **unused)
{
    (void)unused;
    char text[VR_OVER_SIZE];
    struct cluster *c = group(3, 7);
    session_of(2);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    add(1, 2, POISON);
    cluster_run(c, 100);
    assert_true(vr_is_stuck(core(0)));
    assert_non_null(strstr(vr_waiting_for(core(0), text, sizeof text), "cannot execute op-number"));
    add(2, 1, 1);
    cluster_settle(c);
    assert_int_equal(WIRE_REJECT_BUSY, cluster_answer(c, 2, 1, KV_INCR).reason);
    cluster_clear_rules(c);
    cluster_run(c, 100);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 1, 2);
    assert_int_equal(2, cluster_incr(c, 2, session_of(2), 1, 0));
    cluster_free(c);
}

/* Does the newest answer send that client on to the next primary, whatever it asked? */
static bool is_sent_on(struct cluster *c, uint32_t client)
{
    struct wire_message m;
    assert_int_equal(0, wire_frame_decode(cluster_newest_answer(c), &m));
    return m.header.command == WIRE_reject && m.as.reject.number == 0 &&
           m.as.reject.reason == WIRE_REJECT_NOT_PRIMARY &&
           vstamp_id_equal(m.as.reject.client, cluster_client_id(client));
}

/* It commits the operation in the turn in which it hands over.  Rule (PO1): its client waits on,
 * and is sent to the next primary when that has begun its view. */
static void a_primary_gets_stuck_as_it_leaves_its_view(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 7);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    add(1, 2, POISON);
    cluster_settle(c);
    struct sim_packet *last = c->messages[c->n_messages - 1].packet;
    node_on_peer_frame(c->members[0].node, c->messages[c->n_messages - 1].from,
                       (struct bytes){last->bytes, last->size});
    assert_int_equal(3, core(0)->commit);
    cluster_hand_over(c, 0);
    assert_true(vr_is_stuck(core(0)));
    assert_int_equal(VR_VIEW_CHANGE, core(0)->status);
    cluster_settle(c);
    assert_int_equal(1, core(0)->view);
    assert_true(is_sent_on(c, 1));
    cluster_free(c);
}

/* Rule (Q3): a lease does not help, as the state may be older than what was answered. */
static void a_stuck_primary_answers_no_read_by_its_lease(void **unused)
{
    (void)unused;
    struct cluster *c = group_with(3, CLUSTER_DISK | CLUSTER_LEASES, 7);
    cluster_run(c, 50);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    add(1, 2, POISON);
    cluster_settle(c);
    assert_true(vr_is_stuck(core(0)) && vr_lease_until_us(core(0)) > core(0)->now_us + 100000);
    assert_int_equal(-1, cluster_read(c, 0, 50));
    cluster_clear_rules(c);
    cluster_run(c, 100);
    assert_int_equal(1, cluster_read(c, 0, 50));
    cluster_free(c);
}

/* Rule: a primary that is alone with it hands over to one that has executed it, and ends. */
static void a_primary_that_is_alone_hands_over_and_ends(void **unused)
{
    (void)unused;
    char text[VR_OVER_SIZE];
    struct cluster *c = group(3, 1);
    add(1, 2, POISON);
    cluster_run(c, 1000);
    const char *why = vr_is_over(core(0), text, sizeof text);
    assert_non_null(strstr(why, "cannot execute op-number 3 of client "));
    assert_non_null(strstr(why, ": no: others have executed it: mend"));
    assert_int_not_equal(0, cluster_primary(c));
    add(1, 2, POISON);
    cluster_settle(c);
    assert_outcome(WIRE_OUTCOME_ANSWERED, 1, 2);
    assert_int_equal(1 + POISON, cluster_answer(c, 1, 2, KV_INCR).kv.number);
    cluster_free(c);
}

/* One of those that have executed it cannot lead, as its connection broke.  Rule (PO4): the other
 * does, at once. */
static void a_primary_that_is_alone_hands_over_to_whom_it_hears(void **unused)
{
    (void)unused;
    for (uint8_t cut = 1; cut < 3; cut++) {
        struct cluster *c = group(3, 1);
        add(1, 2, POISON);
        cluster_run(c, 40); /* both have said that they have executed it */
        assert_int_equal(0, core(0)->view);
        cluster_drop(c, cut, 0, CLUSTER_ALL);
        cluster_cut(c, 0, cut);
        cluster_run(c, 20);
        assert_int_equal(3 - cut, core(0)->view);
        cluster_free(c);
    }
}

static void a_backup_that_is_alone_ends(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 4);
    add(1, 2, POISON);
    cluster_run(c, 100);
    assert_true(core(2)->over);
    assert_int_equal(1 + POISON, cluster_answer(c, 1, 2, KV_INCR).kv.number);
    assert_int_equal(2 + POISON, incr(3));
    refusers = 0;
    cluster_crash(c, 2);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* The same: no COMMIT of its epoch tells it of that any more, but the next epoch does, be the log
 * up to there its own or fetched. */
static void one_that_is_alone_with_it_at_the_end_of_an_epoch_ends(void **unused)
{
    (void)unused;
    for (int fetched = 0; fetched < 2; fetched++) {
        struct cluster *c = group(3, 4);
        session_of(2);
        cluster_drop(c, CLUSTER_ALL, 2, WIRE_commit);
        if (fetched) cluster_drop(c, CLUSTER_ALL, 2, WIRE_prepare);
        add(1, 2, POISON);
        cluster_settle(c);
        cluster_send_reconfigure(c, 2, session_of(2), 1, 0, core(0), (const uint8_t[]){0, 2}, 2);
        cluster_run(c, 2000);
        assert_true(core(2)->over);
        assert_int_equal(fetched, core(2)->epoch);
        refusers = 0; /* its program is mended */
        cluster_clear_rules(c);
        cluster_crash(c, 2);
        cluster_start(c, 2);
        assert_true(cluster_converge(c));
        assert_int_equal(1, core(2)->epoch);
        assert_int_equal(2 + POISON, incr(3));
        cluster_free(c);
    }
}

/* The primary has executed it and logged the end of the epoch, behind which nothing is logged, and
 * is gone.  Rule (PO4): that end tells the others as much. */
static void those_who_find_the_end_of_an_epoch_behind_it_end(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 6);
    session_of(2);
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_commit);
    add(1, 2, POISON);
    cluster_settle(c);
    assert_outcome(WIRE_OUTCOME_ANSWERED, 1, 2);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_send_reconfigure(c, 2, session_of(2), 1, 0, core(0), (const uint8_t[]){0, 2}, 2);
    cluster_settle(c);
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    for (uint8_t i = 1; i < 3; i++) {
        assert_true(vr_is_stuck(core(i)) && vr_epoch_is_closed(core(i)));
        assert_int_equal(core(i)->commit + 1, core(i)->log.op);
    }
    cluster_run(c, 3000);
    refusers = 0; /* their program is mended */
    for (uint8_t i = 1; i < 3; i++) {
        assert_true(core(i)->over);
        cluster_crash(c, i);
    }
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    assert_int_equal(1, core(2)->epoch);
    assert_int_equal(2 + POISON, incr(3));
    cluster_free(c);
}

/* Rule: so does one that is to be a member.  The change is given up, and may be made again. */
static void a_learner_that_is_alone_with_it_ends(void **unused)
{
    (void)unused;
    const uint8_t all[] = {0, 1, 2, 3};
    struct cluster *c = group(3, 8);
    uint64_t admin = session_of(2);
    cluster_add(c, all, 4);
    cluster_hold(c, 3, 0, WIRE_learned);
    cluster_send_reconfigure(c, 2, admin, 1, 0, core(0), all, 4);
    cluster_run(c, 100);
    add(1, 2, POISON);
    for (uint32_t i = 3; i < 80; i++) {
        cluster_run(c, 20);
        assert_int_equal(POISON + i - 1, incr(i));
    }
    cluster_clear_rules(c);
    cluster_run(c, 200);
    assert_true(core(3)->over);
    cluster_run(c, 5000);
    assert_int_equal(WIRE_REJECT_CONFLICT, cluster_answer_to(c, 2, 1).reason);
    refusers = 0; /* its program is mended */
    cluster_crash(c, 3);
    cluster_start(c, 3);
    assert_true(cluster_move(c, 2, admin, 1, all, 4));
    assert_int_equal(1, core(3)->epoch);
    cluster_free(c);
}

/* Rule: who has executed what the others pass over is wrong, and fences itself. */
static void the_one_that_executed_it_is_fenced(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 3);
    add(1, 2, POISON);
    cluster_run(c, 200);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 1, 2);
    assert_int_equal(1, n_executed);
    assert_int_equal(3, core(2)->diverged_op);
    assert_true(core(2)->over);
    assert_int_equal(2, incr(3));
    cluster_free(c);
}

/* The primary logs the entry and crashes before any other has it; the next one logs its own.  Rule:
 * as long as the entry is not committed nobody goes past the operation. */
static void the_view_changes_before_the_entry_is_committed(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 7);
    add(1, 2, POISON);
    cluster_settle(c);
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_prepare);
    cluster_run(c, 60);
    assert_int_equal(4, core(0)->log.op);
    assert_int_equal(3, core(0)->commit);
    assert_int_equal(0, core(0)->stats.passed_over);
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    cluster_run(c, 2000);
    for (uint8_t i = 1; i < 3; i++) assert_int_equal(1, core(i)->stats.passed_over);
    cluster_start(c, 0);
    assert_true(cluster_converge(c));
    add(1, 2, POISON);
    cluster_settle(c);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 1, 2);
    assert_int_equal(3, n_tries);
    assert_int_equal(2, incr(3));
    cluster_free(c);
}

/* An entry of two operations, of clients 5 and 6, behind one of client 4; the primary is stuck at
 * one of them. */
static struct cluster *entry_behind(int64_t before_it, int mode, int64_t first, int64_t second)
{
    struct cluster *c = group_with(3, mode, 7);
    for (uint32_t i = 2; i <= 6; i++) session_of(i);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    for (uint32_t i = 1; i <= 6; i++) { /* four of them fill the pipeline */
        add(i, i == 1 ? 2 : 1, i == 4 ? before_it : i == 5 ? first : i == 6 ? second : 1);
        cluster_settle(c);
    }
    uint64_t before = core(0)->log.op;
    cluster_pass(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_release(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_settle(c);
    assert_int_equal(before + 1, core(0)->log.op);
    assert_true(vr_is_stuck(core(0)));
    return c;
}

static struct cluster *entry_of_two(int mode, int64_t first, int64_t second)
{
    return entry_behind(1, mode, first, second);
}

/* Rule: what is before it in its entry runs once, and its client is answered.  What is behind it
 * runs afterwards. */
static void the_others_of_its_entry_run_once_each(void **unused)
{
    (void)unused;
    for (uint8_t poison = 0; poison < 2; poison++) {
        struct cluster *c = entry_of_two(CLUSTER_DISK, poison == 0 ? POISON : 1,
                                         poison == 1 ? POISON : 1);
        assert_int_equal(poison, core(0)->done);
        uint32_t other = 6u - poison;
        assert_int_equal(poison, cluster_answer(c, other, 1, KV_INCR).n_replies);
        cluster_clear_rules(c);
        cluster_run(c, 200);
        assert_outcome(WIRE_OUTCOME_NOT_RUN, 5u + poison, 1);
        assert_int_equal(6, cluster_answer(c, other, 1, KV_INCR).kv.number);
        assert_true(cluster_converge(c));
        assert_int_equal(3, n_tries);
        cluster_free(c);
    }
}

/* The primary cannot execute the first, which the others can, and these cannot the second.  Rule
 * (PO4): who is stuck further on in the same entry has executed the first, and leads. */
static void one_that_is_stuck_further_on_leads(void **unused)
{
    (void)unused;
    local_refusers = 1;
    struct cluster *c = entry_of_two(CLUSTER_DISK, LOCAL, POISON);
    assert_int_equal(0, core(0)->done);
    cluster_clear_rules(c);
    cluster_run(c, 2000);
    assert_true(core(0)->over);
    for (uint8_t i = 1; i < 3; i++) assert_int_equal(1, core(i)->stats.passed_over);
    uint64_t another = session_of(7);
    assert_int_equal(5 + LOCAL + 1, cluster_incr(c, 7, another, 1, cluster_primary(c)));
    cluster_free(c);
}

/* The same, and the third is gone.  Rule (PO4): the one that is stuck before the primary's place
 * hears that, and ends.  Once it is mended both decide. */
static void one_that_is_stuck_before_the_primary_ends(void **unused)
{
    (void)unused;
    local_refusers = 1;
    struct cluster *c = entry_of_two(CLUSTER_DISK, LOCAL, POISON);
    cluster_clear_rules(c);
    cluster_crash(c, 2);
    cluster_run(c, 1000);
    assert_int_equal(1, cluster_primary(c));
    assert_true(vr_is_stuck(core(1)));
    assert_true(core(0)->over);
    local_refusers = 0;
    cluster_crash(c, 0);
    cluster_start(c, 0);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(1, core(i)->stats.passed_over);
    cluster_free(c);
}

/* The backup ends; with a program that executes what it could not it passes over so many. */
static void ends_and_comes_back_mended(struct cluster *c, uint32_t n_passed_over)
{
    assert_true(core(1)->over);
    local_refusers = 0;
    cluster_crash(c, 1);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    assert_int_equal(n_passed_over, core(1)->stats.passed_over);
    cluster_free(c);
}

/* The backup cannot execute the first, the primary not the second; the third is a witness.  Rule
 * (PO2): the backup does not come to the second, so nobody waits for it. */
static void one_that_is_stuck_before_it_is_not_waited_for(void **unused)
{
    (void)unused;
    local_refusers = 2;
    struct cluster *c = entry_of_two(CLUSTER_DISK | CLUSTER_WITNESS(2), LOCAL, POISON);
    assert_int_equal(1, core(0)->done);
    cluster_clear_rules(c);
    cluster_run(c, 200);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 6, 1);
    ends_and_comes_back_mended(c, 1);
}

/* The same behind an entry that is passed over: what passes that over is in the log behind both,
 * and takes the backup nowhere. */
static void nor_is_one_where_another_entry_was_passed_over(void **unused)
{
    (void)unused;
    local_refusers = 2;
    struct cluster *c = entry_behind(POISON, CLUSTER_DISK | CLUSTER_WITNESS(2), LOCAL, POISON);
    cluster_clear_rules(c);
    cluster_run(c, 400);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 4, 1);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 6, 1);
    ends_and_comes_back_mended(c, 2);
}

/* Its log lacks the entry, which more entries stand before than its own pipeline would hold.  Rule
 * (PO4): it does not take that for a word that the primary has executed the operation. */
static void a_backup_that_lags_does_not_end(void **unused)
{
    (void)unused;
    struct cluster *c = blank_group(3, CLUSTER_DISK, 7);
    c->members[2].config.pipeline = 1;
    begin();
    for (uint32_t i = 2; i <= 5; i++) session_of(i);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    for (uint32_t i = 2; i <= 5; i++) {
        add(i, 1, i == 2 ? POISON : 1);
        cluster_settle(c);
    }
    cluster_clear_rules(c);
    cluster_release(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_settle(c);
    assert_true(vr_is_stuck(core(0)));
    cluster_drop(c, 0, 2, WIRE_prepare);
    cluster_drop(c, 2, CLUSTER_ALL, WIRE_get_state);
    cluster_run(c, 150);
    for (uint8_t i = 0; i < 2; i++) assert_int_equal(1, core(i)->stats.passed_over);
    assert_true(vr_is_stuck(core(2)));
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(1, core(2)->stats.passed_over);
    cluster_free(c);
}

/* The log is full of what stands behind the operation, and a batch waits that has no room there, or
 * would take all that is left.  Rule (PO2): it waits until the operation is passed over, and not
 * the other way round. */
static void what_waits_does_not_keep_the_entry_from_the_log(void **unused)
{
    (void)unused;
    for (size_t size = 1000; size < CLUSTER_VALUE_MAX; size += 40) { /* less is logged before */
        struct cluster *c = blank_group(3, CLUSTER_DISK, 7);
        for (uint8_t i = 0; i < 3; i++) c->members[i].config.log_bytes = 16384;
        begin();
        for (uint32_t i = 2; i <= 5; i++) session_of(i);
        put(1, 2, CLUSTER_VALUE_MAX);
        put(1, 3, 2600); /* so that the bodies go around the end of the ring */
        put(1, 4, CLUSTER_VALUE_MAX);
        cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
        cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
        add(2, 1, POISON);
        cluster_settle(c);
        for (uint32_t i = 3; i <= 5; i++) put(i, 1, i < 5 ? CLUSTER_VALUE_MAX : size);
        assert_int_equal(1, core(0)->batch_count);
        cluster_clear_rules(c);
        cluster_release(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
        assert_true(vr_is_stuck(core(0)) && vr_accepts_requests(core(0))); /* to refuse them */
        assert_int_equal(1, core(0)->batch_count);
        cluster_run(c, 500);
        assert_outcome(WIRE_OUTCOME_NOT_RUN, 2, 1);
        assert_outcome(WIRE_OUTCOME_ANSWERED, 5, 1);
        cluster_free(c);
    }
}

/* The log is full of what stands behind the operation, and of what was executed since the newest
 * checkpoint.  Rule (PO2): another checkpoint makes room for the entry. */
static void what_was_executed_does_not_keep_the_entry_from_the_log(void **unused)
{
    (void)unused;
    for (size_t size = 2800; size < 3200; size += 20) {
        struct cluster *c = blank_group(3, CLUSTER_DISK, 7);
        for (uint8_t i = 0; i < 3; i++) c->members[i].config.log_bytes = 16384;
        begin();
        for (uint32_t i = 2; i <= 4; i++) session_of(i);
        put(1, 2, CLUSTER_VALUE_MAX);
        put(1, 3, 2800); /* three eighths of the log: a checkpoint */
        put(1, 4, CLUSTER_VALUE_MAX);
        put(1, 5, 2400); /* less than those */
        cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
        cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
        add(2, 1, POISON);
        cluster_settle(c);
        put(3, 1, CLUSTER_VALUE_MAX); /* around the end of the ring */
        put(4, 1, size);
        cluster_clear_rules(c);
        cluster_release(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
        assert_true(vr_is_stuck(core(0)));
        cluster_run(c, 500);
        assert_outcome(WIRE_OUTCOME_NOT_RUN, 2, 1);
        assert_outcome(WIRE_OUTCOME_ANSWERED, 4, 1);
        cluster_free(c);
    }
}

/* N5: the entry waits for room in the log, which only the disk could make, and no request is taken
 * any more. */
static void a_stuck_primary_whose_disk_hangs_leaves(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 7);
    session_of(2);
    cluster_slow_disk(c, 0, true);
    for (uint64_t n = 2; core(0)->log.op - core(0)->log.keep_after < core(0)->log.mask; n++)
        assert_int_equal(n, incr(n));
    add(2, 1, POISON); /* the last that has room */
    cluster_run(c, 1000);
    assert_true(vr_is_primary(core(0)) && vr_is_stuck(core(0)));
    assert_int_equal(0, core(0)->batch_count);
    cluster_run(c, 10000);
    assert_int_not_equal(0, cluster_primary(c));
    add(2, 1, POISON);
    cluster_settle(c);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 2, 1);
    cluster_slow_disk(c, 0, false);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* The other replicas are one that can execute it and a witness.  Rule (PO2): who is not heard for a
 * moment is not away, and so one primary that is ill does not decide for it. */
static void a_broken_connection_is_no_absence(void **unused)
{
    (void)unused;
    struct cluster *c = group_with(3, CLUSTER_DISK | CLUSTER_WITNESS(2), 1);
    cluster_drop(c, 1, 0, WIRE_commit_ok);
    add(1, 2, POISON);
    cluster_settle(c);
    assert_true(vr_is_stuck(core(0)));
    cluster_cut(c, 0, 1);
    cluster_run(c, 100);
    assert_int_equal(3, core(0)->log.op);
    cluster_clear_rules(c);
    cluster_run(c, 1000);
    assert_true(core(0)->over);
    assert_int_equal(2 + POISON, incr(3));
    cluster_free(c);
}

/* A key that expires after so many milliseconds. */
static void set_for(uint64_t number, uint64_t ms)
{
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of("k"), .value = bytes_of("v"),
                       .expiry = ms * 1000};
    cluster_send_op(running, 1, session_of(1), number, cluster_primary(running), &op);
    cluster_settle(running);
}

static void assert_ticks(uint64_t passed_over, uint64_t executed)
{
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(passed_over, core(i)->stats.passed_over);
        assert_int_equal(executed, core(i)->stats.ticks);
        assert_false(vr_is_stuck(core(i)));
    }
}

/* Rule (U6): so is a tick.  The next one comes after an operation, as what was due still is. */
static void a_tick_is_passed_over_and_rests_until_an_operation(void **unused)
{
    (void)unused;
    char text[VR_OVER_SIZE];
    struct cluster *c = group(3, 7);
    set_for(2, 50);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    cluster_run(c, 200);
    assert_non_null(strstr(vr_waiting_for(core(0), text, sizeof text),
                           "cannot execute the tick of op-number 4: no"));
    cluster_clear_rules(c);
    cluster_run(c, 1000);
    assert_ticks(1, 0);
    assert_int_equal(3, n_ticks);
    assert_int_equal(2, incr(3));
    cluster_run(c, 1000);
    assert_ticks(2, 0);
    assert_int_equal(6, n_ticks);
    refusers = 0; /* the program is mended */
    cluster_run(c, 1000);
    assert_int_equal(6, n_ticks);
    assert_int_equal(3, incr(4));
    cluster_run(c, 200);
    assert_ticks(2, 1);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule (U6): the next primary knows of it, and so does one that has replayed its journal. */
static void a_tick_that_is_passed_over_is_not_tried_by_the_next_primary(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 7);
    set_for(2, 50);
    cluster_run(c, 1000);
    assert_ticks(1, 0);
    cluster_crash(c, 0);
    cluster_run(c, 3000);
    assert_int_not_equal(0, cluster_primary(c));
    for (uint8_t i = 1; i < 3; i++) cluster_crash(c, i);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    cluster_run(c, 1000);
    assert_ticks(1, 0);
    assert_int_equal(3, n_ticks);
    cluster_free(c);
}

/* Rule (PO4): a replica that cannot execute a tick that the others have executed ends. */
static void who_is_alone_with_a_tick_ends(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 1);
    char text[VR_OVER_SIZE];
    set_for(2, 50);
    cluster_run(c, 1000);
    const char *why = vr_is_over(core(0), text, sizeof text);
    assert_non_null(strstr(why, "the tick of op-number 4: no: others have executed it: mend"));
    assert_int_not_equal(0, cluster_primary(c));
    assert_int_equal(2, incr(3));
    cluster_free(c);
}

/* Rule (A4): an answer that is too long is an outcome of its own, of an operation that ran. */
static void an_answer_that_is_too_long_is_told(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 0);
    for (int i = 0; i < 2; i++) {
        add(1, 2, VERBOSE);
        cluster_settle(c);
        uint32_t n;
        assert_int_equal(WIRE_OUTCOME_NO_ANSWER, outcome(c, 1, 2, &n));
        assert_int_equal(i + 1, n);
    }
    assert_int_equal(2 + VERBOSE, incr(3));
    assert_true(cluster_converge(c));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_none_can_execute_is_passed_over),
        cmocka_unit_test(a_group_of_one_passes_over_by_itself),
        cmocka_unit_test(a_stuck_primary_waits_for_the_others),
        cmocka_unit_test(a_primary_gets_stuck_as_it_leaves_its_view),
        cmocka_unit_test(a_stuck_primary_answers_no_read_by_its_lease),
        cmocka_unit_test(a_primary_that_is_alone_hands_over_and_ends),
        cmocka_unit_test(a_primary_that_is_alone_hands_over_to_whom_it_hears),
        cmocka_unit_test(a_backup_that_is_alone_ends),
        cmocka_unit_test(one_that_is_alone_with_it_at_the_end_of_an_epoch_ends),
        cmocka_unit_test(those_who_find_the_end_of_an_epoch_behind_it_end),
        cmocka_unit_test(a_learner_that_is_alone_with_it_ends),
        cmocka_unit_test(the_one_that_executed_it_is_fenced),
        cmocka_unit_test(the_view_changes_before_the_entry_is_committed),
        cmocka_unit_test(the_others_of_its_entry_run_once_each),
        cmocka_unit_test(one_that_is_stuck_further_on_leads),
        cmocka_unit_test(one_that_is_stuck_before_the_primary_ends),
        cmocka_unit_test(one_that_is_stuck_before_it_is_not_waited_for),
        cmocka_unit_test(nor_is_one_where_another_entry_was_passed_over),
        cmocka_unit_test(a_backup_that_lags_does_not_end),
        cmocka_unit_test(what_waits_does_not_keep_the_entry_from_the_log),
        cmocka_unit_test(what_was_executed_does_not_keep_the_entry_from_the_log),
        cmocka_unit_test(a_stuck_primary_whose_disk_hangs_leaves),
        cmocka_unit_test(a_broken_connection_is_no_absence),
        cmocka_unit_test(a_tick_is_passed_over_and_rests_until_an_operation),
        cmocka_unit_test(a_tick_that_is_passed_over_is_not_tried_by_the_next_primary),
        cmocka_unit_test(who_is_alone_with_a_tick_ends),
        cmocka_unit_test(an_answer_that_is_too_long_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

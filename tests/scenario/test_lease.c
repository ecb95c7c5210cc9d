/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads under a lease (PROTOCOL 7.3): the stories of lib/vr/lease.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario/cluster_state.h"

#define GRANT_MS 200 /* the cluster's view_change_ms */

static struct cluster *new_group(int mode)
{
    struct cluster *c = cluster_new(3, mode | CLUSTER_LEASES);
    uint64_t session = cluster_register(c, 1, 0);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    cluster_run(c, 50);
    return c;
}

static uint64_t lease_left_us(const struct cluster *c, uint8_t replica)
{
    const struct vr *core = cluster_core(c, replica);
    uint64_t until_us = vr_lease_until_us(core);
    return until_us > core->now_us ? until_us - core->now_us : 0;
}

/* It learns that another wants view 1, by a DO-VIEW-CHANGE of replica 2. */
static void invite(struct cluster *c, uint8_t replica)
{
    cluster_forge(c, 2, replica, 1, &wire_shape_do_view_change, &(struct wire_do_view_change){0});
    assert_int_equal(VR_VIEW_CHANGE, cluster_core(c, replica)->status);
}

static uint32_t n_promises(const struct cluster *c, uint8_t replica)
{
    return cluster_count_sent(c, replica, CLUSTER_ALL, WIRE_do_view_change);
}

static void a_read_under_a_lease_takes_no_round(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    uint32_t heartbeats = cluster_count_sent(c, 0, CLUSTER_ALL, WIRE_commit);
    assert_int_equal(1, cluster_read(c, 0, 0));
    assert_int_equal(heartbeats, cluster_count_sent(c, 0, CLUSTER_ALL, WIRE_commit));
    cluster_free(c);
}

/* Rule: the primary is one of those that it takes. */
static void a_bare_quorum_is_enough_for_a_lease(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    cluster_isolate(c, 2);
    cluster_run(c, 2 * GRANT_MS);
    assert_true(lease_left_us(c, 0) > 100000);
    cluster_free(c);
}

/* Rule: without a lease the read takes the confirming round, and is not lost. */
static void a_read_without_a_lease_takes_a_round(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    cluster_run(c, GRANT_MS);
    assert_int_equal(0, lease_left_us(c, 0));
    assert_int_equal(-1, cluster_read(c, 0, 50));
    cluster_clear_rules(c);
    assert_int_equal(1, cluster_read(c, 0, 50));
    cluster_free(c);
}

/* PIT-7.10.  Rule: a lease counts from when the heartbeat was sent. */
static void pit_7_10_a_lease_does_not_count_from_the_echo(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    cluster_run(c, 5);
    assert_true(lease_left_us(c, 0) > 150000);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    cluster_run(c, 25);
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_commit); /* the echoes of the last heartbeat are late */
    cluster_run(c, 130);
    cluster_release(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    assert_in_range(lease_left_us(c, 0), 1, 75000);
    cluster_free(c);
}

/* Rule: when a heartbeat was sent is known of the newest ones.  The echo of one before them counts
 * for nothing, least of all from when the one was sent that has taken its place. */
static void an_echo_of_a_forgotten_heartbeat_gives_no_lease(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 2, 0), number = 1;
    const struct vr *primary = cluster_core(c, 0);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    uint64_t next = primary->heartbeat + 1;
    while (primary->heartbeat < next + HEARTBEATS_KEPT) {
        cluster_run(c, 20);
        cluster_incr(c, 2, session, number++, 0); /* else it abdicates */
    }
    assert_true(vr_is_primary(primary));
    assert_int_equal(0, lease_left_us(c, 0));
    cluster_forge(c, 1, 0, primary->view, &wire_shape_commit_ok,
                  &(struct wire_commit_ok){.sequence = next, .granted_us = GRANT_MS * 1000});
    assert_int_equal(0, lease_left_us(c, 0));
    cluster_free(c);
}

/* Rule: who granted promises no later view before the grant is over. */
static void a_later_view_waits_for_the_grants_of_its_members(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    cluster_isolate(c, 0);
    invite(c, 1);
    cluster_run(c, GRANT_MS - 60);
    assert_int_equal(0, n_promises(c, 1));
    assert_int_equal(0, n_promises(c, 2));
    cluster_run(c, 60);
    assert_int_equal(0, lease_left_us(c, 0));
    assert_true(n_promises(c, 1) > 0);
    cluster_free(c);
}

/* Rule: who has lost its memory ends no grant, as long as it is configured as before. */
static void who_recovers_waits_for_what_it_may_have_granted(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    cluster_drop(c, 0, 1, WIRE_commit); /* else it grants anew */
    cluster_crash(c, 1);
    cluster_start(c, 1);
    cluster_settle(c);
    assert_int_equal(VR_NORMAL, cluster_core(c, 1)->status);
    cluster_isolate(c, 0);
    invite(c, 1);
    cluster_run(c, GRANT_MS - 30);
    assert_int_equal(0, n_promises(c, 1));
    cluster_run(c, 40);
    assert_true(n_promises(c, 1) > 0);
    cluster_free(c);
}

/* In the midst of a turn of replica 1. */
static void hear_from_0(struct cluster *c, uint64_t view, const struct wire_shape *shape,
                        const void *message)
{
    struct wire_header header = {.group = cluster_core(c, 1)->group, .view = view, .sender = 0};
    struct member *m = &c->members[1];
    uint8_t frame[1024];
    size_t size = wire_frame_encode(&header, shape, message, frame, sizeof frame);
    assert_true(size > 0);
    cluster_set_clock(m);
    node_on_peer_frame(m->node, 0, (struct bytes){frame, size});
}

static void hear_heartbeat(struct cluster *c)
{
    const struct vr *core = cluster_core(c, 1);
    uint64_t next = core->heartbeat + 1;
    hear_from_0(c, core->view, &wire_shape_commit,
                &(struct wire_commit){.op = core->log.op, .commit = core->commit,
                                      .sequence = next});
    assert_int_equal(next, core->heartbeat);
}

/* Rule: L3; whoever stands still between its clock and the heartbeat grants from when it goes on,
 * else that is over before the lease is. */
static void a_grant_counts_from_when_the_turn_ends(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    const struct vr *core = cluster_core(c, 1);
    hear_heartbeat(c);
    c->now_us += GRANT_MS * 1000;
    cluster_set_clock(&c->members[1]);
    node_turn_end(c->members[1].node);
    assert_int_equal(core->now_us + GRANT_MS * 1000, core->granted_until_us);
    cluster_free(c);
}

/* Rule: L5, also in the turn in which the grant was made. */
static void what_is_given_back_at_once_is_not_granted_again(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    hear_heartbeat(c);
    hear_from_0(c, 1, &wire_shape_do_view_change, &(struct wire_do_view_change){0});
    node_turn_end(c->members[1].node);
    assert_int_equal(1, cluster_core(c, 1)->view);
    assert_int_equal(0, cluster_core(c, 1)->granted_until_us);
    cluster_free(c);
}

/* 1 starts again, and is told of leases what `change` makes of its configuration. */
static void start_changed(struct cluster *c, void (*change)(struct vr_config *))
{
    cluster_crash(c, 1);
    change(&c->members[1].config);
    cluster_start(c, 1);
    cluster_run(c, 10); /* until replica 2 has let it in */
}

static void grant_the_same(struct vr_config *config)
{
    (void)config;
}

static void grant_nothing(struct vr_config *config)
{
    config->leases = false;
}

static void grant_less(struct vr_config *config)
{
    config->view_change_ms = GRANT_MS / 4;
}

/* What was granted before is not over sooner, nor much later. */
static void restart_changed(void (*change)(struct vr_config *), int times)
{
    struct cluster *c = new_group(CLUSTER_DISK);
    cluster_isolate(c, 0);
    while (times-- > 0) start_changed(c, change);
    invite(c, 1);
    cluster_run(c, GRANT_MS - 30);
    assert_int_equal(0, n_promises(c, 1));
    cluster_run(c, 40);
    assert_true(n_promises(c, 1) > 0);
    cluster_free(c);
}

/* PIT-7.12.  Rule: a replica that starts again waits as long as what it may have granted. */
static void pit_7_12_a_restart_does_not_end_a_grant(void **unused)
{
    (void)unused;
    restart_changed(grant_the_same, 1);
}

/* Rule: it waits for what it had granted, not for what it is to grant now; and if it starts once
 * more before that is over, still. */
static void a_restart_that_grants_less_does_not_end_a_grant(void **unused)
{
    (void)unused;
    restart_changed(grant_nothing, 1);
    restart_changed(grant_less, 1);
    restart_changed(grant_nothing, 2);
}

/* Rule: that is over with the life after it, once its disk says anything later. */
static void what_a_former_life_granted_is_waited_for_once(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_DISK);
    start_changed(c, grant_nothing);
    cluster_run(c, GRANT_MS);
    cluster_register(c, 2, 0);
    cluster_run(c, 100); /* it is idle, so it says up to where that is committed */
    cluster_isolate(c, 0);
    start_changed(c, grant_nothing);
    cluster_forge(c, 2, 1, 1, &wire_shape_do_view_change, &(struct wire_do_view_change){0});
    cluster_run(c, 10);
    assert_true(n_promises(c, 1) > 0);
    cluster_free(c);
}

static uint64_t granted_us(struct cluster *c, uint8_t from, uint8_t to)
{
    struct wire_message m;
    cluster_last_sent(c, from, to, WIRE_commit_ok, &m);
    return m.as.commit_ok.granted_us;
}

/* Rule: a lease is granted once the disk says to the primary of which view. */
static void nothing_is_granted_before_its_view_is_durable(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_DISK);
    cluster_isolate(c, 2);
    cluster_hand_over(c, 0);
    cluster_run(c, 2 * GRANT_MS);
    assert_true(vr_is_primary(cluster_core(c, 1)));
    cluster_slow_disk(c, 2, true);
    cluster_clear_rules(c);
    cluster_run(c, 2 * GRANT_MS);
    assert_int_equal(1, cluster_core(c, 2)->log_view);
    assert_int_equal(VR_NORMAL, cluster_core(c, 2)->status);
    assert_int_equal(0, granted_us(c, 2, 1));
    cluster_slow_disk(c, 2, false);
    cluster_run(c, 50);
    assert_int_equal(GRANT_MS * 1000, granted_us(c, 2, 1));
    cluster_free(c);
}

/* Rule: a primary that goes to a later view itself gives the grants back, so that a planned stop
 * keeps nobody waiting. */
static void a_hand_over_gives_the_lease_back(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    cluster_run(c, GRANT_MS); /* what it may have granted before it started is over */
    cluster_hand_over(c, 0);
    cluster_run(c, 10);
    assert_int_equal(1, cluster_core(c, 1)->view);
    assert_true(vr_is_primary(cluster_core(c, 1)));
    assert_int_equal(1, cluster_read(c, 1, 50));
    cluster_free(c);
}

/* Rule: what was granted in a former view of this primary, and given back when it left that, is no
 * lease in its next one. */
static void a_lease_does_not_outlive_its_view(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    cluster_run(c, GRANT_MS); /* what they may have granted before they started is over */
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    assert_true(lease_left_us(c, 0) > 100000);
    for (uint8_t i = 0; i < 3; i++) {
        cluster_hand_over(c, i);
        cluster_run(c, 5);
    }
    assert_int_equal(3, cluster_core(c, 0)->view);
    assert_true(vr_is_primary(cluster_core(c, 0)));
    assert_int_equal(0, lease_left_us(c, 0));
    cluster_free(c);
}

/* Rule: nothing is granted to who does not read under leases, and nothing is taken that was not
 * granted: the members may be configured differently while the choice is changed. */
static void nobody_reads_under_a_lease_that_was_not_granted(void **unused)
{
    (void)unused;
    struct cluster *c = new_group(CLUSTER_MEMORY);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    cluster_run(c, GRANT_MS);
    uint64_t heard = cluster_core(c, 0)->heartbeat;
    for (uint8_t i = 1; i < 3; i++)
        cluster_forge(c, i, 0, 0, &wire_shape_commit_ok,
                      &(struct wire_commit_ok){.sequence = heard, .granted_us = 0});
    assert_int_equal(0, lease_left_us(c, 0));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_under_a_lease_takes_no_round),
        cmocka_unit_test(a_bare_quorum_is_enough_for_a_lease),
        cmocka_unit_test(a_read_without_a_lease_takes_a_round),
        cmocka_unit_test(pit_7_10_a_lease_does_not_count_from_the_echo),
        cmocka_unit_test(an_echo_of_a_forgotten_heartbeat_gives_no_lease),
        cmocka_unit_test(a_later_view_waits_for_the_grants_of_its_members),
        cmocka_unit_test(pit_7_12_a_restart_does_not_end_a_grant),
        cmocka_unit_test(who_recovers_waits_for_what_it_may_have_granted),
        cmocka_unit_test(a_grant_counts_from_when_the_turn_ends),
        cmocka_unit_test(what_is_given_back_at_once_is_not_granted_again),
        cmocka_unit_test(a_restart_that_grants_less_does_not_end_a_grant),
        cmocka_unit_test(what_a_former_life_granted_is_waited_for_once),
        cmocka_unit_test(nothing_is_granted_before_its_view_is_durable),
        cmocka_unit_test(a_hand_over_gives_the_lease_back),
        cmocka_unit_test(a_lease_does_not_outlive_its_view),
        cmocka_unit_test(nobody_reads_under_a_lease_that_was_not_granted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

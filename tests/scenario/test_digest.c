/* SPDX-License-Identifier: BSD-2-Clause */
/* Replicas whose states differ: the stories of lib/vr/digest.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/store.h"
#include "scenario/cluster.h"

#define POINT 16u /* op-numbers of which digests are told: its multiples */

static char text[256];

static const char *why_over(struct cluster *c, uint8_t replica)
{
    return vr_is_over(cluster_core(c, replica), text, sizeof text);
}

static const char *diverged(struct cluster *c, uint8_t replica)
{
    return vr_diverged_text(cluster_core(c, replica), text, sizeof text);
}

/* A group that has executed so many ops: a registration and additions. */
static struct cluster *group(uint8_t n, int mode, uint64_t *session, uint64_t ops)
{
    struct cluster *c = cluster_new(n, mode);
    *session = cluster_register(c, 1, cluster_primary(c));
    for (uint64_t i = 1; i < ops; i++)
        cluster_incr(c, 1, *session, i, cluster_primary(c));
    cluster_run(c, 40); /* the heartbeat tells the backups what is committed */
    return c;
}

static void go_on(struct cluster *c, uint64_t session, uint64_t from, uint64_t to)
{
    for (uint64_t op = from; op <= to; op++)
        assert_int_equal(op - 1, cluster_incr(c, 1, session, op - 1, cluster_primary(c)));
    cluster_run(c, 40);
}

static uint8_t *first_page(struct cluster *c, uint8_t replica)
{
    const struct vr *core = cluster_core(c, replica);
    return (uint8_t *)(uintptr_t)pages_read(&core->pages, core->app_pages.first);
}

/* A bit turns that nothing depends on. */
static void flip(struct cluster *c, uint8_t replica)
{
    first_page(c, replica)[VSTAMP_PAGE_SIZE - 1] ^= 1;
}

/* One turns without which the store is as sound as before, and another: the counter's. */
static void flip_counter(struct cluster *c, uint8_t replica)
{
    uint8_t *content = first_page(c, replica);
    for (size_t at = VSTAMP_PAGE_SIZE; at-- > 0;) {
        uint64_t memory[VSTAMP_AUDIT_BYTES / sizeof(uint64_t)] = {0};
        content[at] ^= 1;
        bool sound = kv_store_audit(&cluster_core(c, replica)->app_pages, 1, memory, 1000) ==
                     VSTAMP_AUDIT_PASSES;
        if (sound) return;
        content[at] ^= 1;
    }
    fail_msg("%s", "there is no such bit");
}

/* Rule: at the next point whoever differs from a majority ends for good, also after a start from
 * its disk; with an empty one the others bring it back. */
static void the_one_that_differs_is_fenced(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group(3, CLUSTER_DISK, &session, 10);
    flip_counter(c, 1);
    go_on(c, session, 11, 15);
    assert_string_equal("", diverged(c, 0));
    go_on(c, session, 16, 16);
    assert_int_equal(16, cluster_core(c, 1)->diverged_op);
    assert_non_null(strstr(why_over(c, 1), "since op 16 or before"));
    assert_string_equal("replica 1 at op 16", diverged(c, 0));
    assert_string_equal("replica 1 at op 16", diverged(c, 2));
    assert_null(why_over(c, 0));
    assert_null(why_over(c, 2));

    cluster_crash(c, 1);
    uint32_t said = cluster_count_sent(c, 1, CLUSTER_ALL, CLUSTER_ALL);
    cluster_start(c, 1);
    cluster_run(c, 1000);
    assert_non_null(why_over(c, 1));
    assert_int_equal(said, cluster_count_sent(c, 1, CLUSTER_ALL, CLUSTER_ALL));

    cluster_crash(c, 1);
    cluster_wipe(c, 1);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    assert_string_equal("", diverged(c, 0));
    assert_string_equal("", diverged(c, 2));
    go_on(c, session, 17, 2 * POINT);
    assert_null(why_over(c, 1));
    assert_string_equal("", diverged(c, 0));
    cluster_free(c);
}

/* Rule: that holds for a primary, too; the next one has the right state. */
static void a_primary_that_differs_is_fenced(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group(3, CLUSTER_MEMORY, &session, 10);
    flip(c, 0);
    go_on(c, session, 11, 16);
    assert_non_null(strstr(why_over(c, 0), "start it again"));
    cluster_crash(c, 0);
    cluster_run(c, 1000);
    assert_int_not_equal(0, cluster_primary(c));
    go_on(c, session, 17, 20);
    cluster_start(c, 0);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: of two nobody can tell which one is wrong, be there a witness or not.  When one of them is
 * gone there is nothing left to tell. */
static void two_that_differ_both_say_so(void **unused)
{
    (void)unused;
    for (int witness = 0; witness < 2; witness++) {
        uint64_t session;
        int mode = CLUSTER_DISK | (witness ? CLUSTER_WITNESS(2) : 0);
        struct cluster *c = group(witness ? 3 : 2, mode, &session, 10);
        flip(c, 1);
        go_on(c, session, 11, 16);
        for (uint8_t i = 0; i < 2; i++) {
            assert_null(why_over(c, i));
            assert_string_equal("replicas 0,1 at op 16", diverged(c, i));
        }
        go_on(c, session, 17, 20);
        if (witness) { /* else there are too few that it could recover from */
            cluster_crash(c, 1);
            cluster_wipe(c, 1);
            cluster_drop(c, 1, 0, WIRE_digest);
            cluster_start(c, 1);
            assert_true(cluster_converge(c));
            assert_string_equal("", diverged(c, 0));
            cluster_clear_rules(c);
            go_on(c, session, 21, 2 * POINT); /* what both say is right, be it from one (D8) */
            assert_int_equal(2 * POINT, cluster_core(c, 0)->digests.agreed);
        }
        cluster_free(c);
    }
}

/* Rule: two of three that differ wait for the third to tell. */
static void the_third_tells(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group(3, CLUSTER_DISK, &session, 10);
    flip(c, 1);
    cluster_drop(c, 2, CLUSTER_ALL, WIRE_digest);
    go_on(c, session, 11, 16);
    assert_null(why_over(c, 1));
    assert_string_equal("replicas 0,1 at op 16", diverged(c, 0));
    cluster_repeat(c, 2, 1, WIRE_digest, 0);
    cluster_repeat(c, 2, 0, WIRE_digest, 0);
    cluster_settle(c);
    assert_non_null(why_over(c, 1));
    assert_string_equal("replica 1 at op 16", diverged(c, 0));
    cluster_free(c);
}

/* Rule: what nobody has changed since the last point is found by its own replica. */
static void memory_that_turns_is_found(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group(3, CLUSTER_DISK, &session, POINT);
    assert_string_equal("", diverged(c, 2));
    flip(c, 2);
    cluster_run(c, 1000);
    assert_non_null(why_over(c, 2));
    assert_true(cluster_has_traced(c, 2, "a page in memory is not what it was"));
    assert_null(why_over(c, 0));
    assert_null(why_over(c, 1));
    cluster_free(c);
}

/* Rule: of the memory of a group of two there is no other copy that a majority has. */
static void memory_of_two_that_turns_is_said(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group(2, CLUSTER_DISK, &session, POINT);
    flip(c, 1);
    cluster_run(c, 1000);
    assert_null(why_over(c, 1));
    assert_true(cluster_has_traced(c, 1, "a page in memory is not what it was"));
    cluster_free(c);
}

/* To a key of its own. */
static void put_page(struct cluster *c, uint64_t session, uint64_t number)
{
    static const uint8_t value[CLUSTER_VALUE_MAX];
    struct kv_op put = {.verb = KV_PUT,
                        .key = {(const uint8_t *)&number, sizeof number},
                        .value = {value, sizeof value}};
    cluster_send_op(c, 1, session, number, 0, &put);
    cluster_settle(c);
}

#define OPS (6 * POINT + 4) /* the log does not reach back to the first */

/* It comes back without its state, and has that of `giver`. */
static void take_from(struct cluster *c, uint8_t giver, uint8_t taker)
{
    cluster_crash(c, taker);
    cluster_wipe(c, taker);
    for (uint8_t i = 0; i < cluster_core(c, giver)->config.n_replicas; i++)
        if (i != giver) cluster_drop(c, i, taker, WIRE_tree);
    cluster_start(c, taker);
    assert_true(cluster_converge(c));
    assert_memory_equal(first_page(c, giver), first_page(c, taker), VSTAMP_PAGE_SIZE);
    cluster_clear_rules(c);
}

static void expect_undecided(struct cluster *c, const char *text_of_all)
{
    for (uint8_t i = 0; i < 3; i++) {
        assert_null(why_over(c, i));
        assert_string_equal(text_of_all, diverged(c, i));
    }
}

/* D2, D8: whoever fetched from one that is wrong is as wrong, and both are found at the next point,
 * as long as most are right.  Of three these two are more, but nobody takes their word for it. */
static void who_fetched_what_is_wrong_does_not_outvote_who_is_right(void **unused)
{
    (void)unused;
    for (uint8_t n = 3; n <= 5; n += 2) {
        uint8_t giver = 1, taker = (uint8_t)(n - 1);
        uint64_t session;
        struct cluster *c = group(n, CLUSTER_MEMORY, &session, OPS);
        flip_counter(c, giver); /* in a page that has changed since the point */
        take_from(c, giver, taker);
        assert_memory_not_equal(first_page(c, 0), first_page(c, taker), VSTAMP_PAGE_SIZE);

        go_on(c, session, OPS + 1, 7 * POINT);
        for (uint8_t i = 0; i < n; i++) {
            bool is_wrong = i == giver || i == taker;
            assert_int_equal(is_wrong && n > 3, why_over(c, i) != NULL);
        }
        if (n == 3) expect_undecided(c, "replicas 0,1,2 at op 112");
        if (n == 3) go_on(c, session, 7 * POINT + 1, 8 * POINT);
        cluster_free(c);
    }
}

/* D8: who has fetched tells with the third that its giver is wrong, which it was not by then. */
static void who_fetched_what_is_right_tells_of_its_giver(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group(3, CLUSTER_MEMORY, &session, OPS);
    take_from(c, 1, 2);
    flip_counter(c, 1);
    go_on(c, session, OPS + 1, 7 * POINT);
    assert_non_null(why_over(c, 1));
    assert_string_equal("replica 1 at op 112", diverged(c, 0));
    assert_string_equal("replica 1 at op 112", diverged(c, 2));
    cluster_free(c);
}

/* D8: two that fetched from one are one witness, whatever that one says by now: what it gave may
 * have turned where it keeps an image. */
static void two_that_fetched_from_one_are_one_witness(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group(3, CLUSTER_MEMORY, &session, OPS);
    flip_counter(c, 1);
    take_from(c, 1, 2);
    take_from(c, 1, 0);
    flip_counter(c, 1); /* as it was */
    assert_memory_not_equal(first_page(c, 1), first_page(c, 0), VSTAMP_PAGE_SIZE);
    go_on(c, session, OPS + 1, 7 * POINT);
    expect_undecided(c, "replicas 0,1,2 at op 112");
    cluster_free(c);
}

/* D8: what all say is right, and whoever has fetched is a witness of its own again. */
static void who_fetched_and_is_right_counts_from_then_on(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group(3, CLUSTER_MEMORY, &session, OPS);
    take_from(c, 1, 2);
    take_from(c, 1, 0);
    go_on(c, session, OPS + 1, 7 * POINT);
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(7 * POINT, cluster_core(c, i)->digests.agreed);
    flip_counter(c, 0);
    go_on(c, session, 7 * POINT + 1, 8 * POINT);
    assert_non_null(why_over(c, 0));
    assert_null(why_over(c, 1));
    assert_string_equal("replica 0 at op 128", diverged(c, 2));
    cluster_free(c);
}

/* D8: from whom it has its state a replica knows after a start from its disk, too. */
static void who_fetched_knows_so_after_a_restart(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group(3, CLUSTER_DISK, &session, OPS);
    flip_counter(c, 1);
    take_from(c, 1, 2);
    cluster_run(c, 1000); /* stored */
    cluster_crash(c, 2);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    go_on(c, session, OPS + 1, 7 * POINT);
    expect_undecided(c, "replicas 0,1,2 at op 112");
    cluster_free(c);
}

/* D8: two new members of the next epoch have what is wrong from one that it has replaced. */
static void who_fetched_from_a_former_member_is_known_in_the_next_epoch(void **unused)
{
    (void)unused;
    static const uint8_t next[] = {3, 0, 4};
    uint64_t session;
    struct cluster *c = group(3, CLUSTER_MEMORY, &session, OPS);
    flip_counter(c, 1);
    for (uint8_t i = 3; i <= 4; i++) {
        cluster_add(c, next, 3);
        cluster_drop(c, 0, i, WIRE_tree);
        cluster_drop(c, 2, i, WIRE_tree);
    }
    uint64_t admin = cluster_register(c, 2, 0);
    assert_true(cluster_move(c, 2, admin, 1, next, 3));
    cluster_clear_rules(c);
    for (uint64_t i = OPS; i < 7 * POINT; i++)
        cluster_incr(c, 1, session, i, cluster_primary(c));
    cluster_run(c, 40);
    assert_null(why_over(c, 0));
    for (uint8_t i = 0; i < 3; i++)
        assert_string_equal("replicas 0,1,2 at op 112", diverged(c, next[i]));
    cluster_free(c);
}

static bool tells_of(const struct trail *t, uint32_t page)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->entries[i].page == page) return true;
    return false;
}

/* R4: when files of the trail are large they give way to others, and the newest two know all pages,
 * also of what was written at the beginning only. */
static void a_trail_whose_files_turn_knows_all_pages(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group(3, CLUSTER_DISK, &session, 2);
    for (uint64_t number = 2; number < 6; number++) put_page(c, session, number);
    for (uint64_t number = 6; number < 1000; number++) cluster_incr(c, 1, session, number, 0);
    cluster_run(c, 1000);
    for (uint8_t i = 0; i < 3; i++) {
        struct trail t = cluster_trail(c, i);
        const struct vr *core = cluster_core(c, i);
        assert_true(cluster_has_traced(c, i, "another begins (R4)"));
        assert_true(t.first_op > 500);
        for (uint32_t page = 0; page < core->pages.n_used; page++)
            assert_true(pages_hash(pages_read(&core->pages, page)) == 0 || tells_of(&t, page));
        free(t.entries);
    }
    cluster_free(c);
}

/* Rule: who is wrong ends once the trail has all of the point at which that was found, which may be
 * more than waits at once: after a start all pages of the state. */
static void one_that_differs_ends_with_a_whole_trail(void **unused)
{
    (void)unused;
    uint64_t session, number = 2;
    struct cluster *c = group(3, CLUSTER_DISK | CLUSTER_LARGER, &session, 2);
    while (cluster_core(c, 0)->pages.n_used <= TRAIL_ENTRIES) put_page(c, session, number++);
    cluster_run(c, 40);
    cluster_crash(c, 1);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));

    flip(c, 1);
    cluster_slow_checkpoints(c, 1, true);
    cluster_run(c, 1000); /* a look at what is stored is under way, so the trail waits */
    for (uint64_t end = number + POINT; number < end; number++)
        cluster_try_incr(c, 1, session, number, 0);
    cluster_run(c, 40);
    const struct vr *core = cluster_core(c, 1);
    assert_non_null(why_over(c, 1));
    cluster_slow_checkpoints(c, 1, false);
    cluster_settle(c);
    assert_int_equal(0, core->trail.op);
    assert_int_equal(0, core->trail.n);
    assert_int_equal(TRAIL_GOES_ON, core->trail.then); /* its files are put aside */
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_that_differs_is_fenced),
        cmocka_unit_test(a_primary_that_differs_is_fenced),
        cmocka_unit_test(two_that_differ_both_say_so),
        cmocka_unit_test(the_third_tells),
        cmocka_unit_test(memory_that_turns_is_found),
        cmocka_unit_test(memory_of_two_that_turns_is_said),
        cmocka_unit_test(who_fetched_what_is_wrong_does_not_outvote_who_is_right),
        cmocka_unit_test(who_fetched_what_is_right_tells_of_its_giver),
        cmocka_unit_test(two_that_fetched_from_one_are_one_witness),
        cmocka_unit_test(who_fetched_and_is_right_counts_from_then_on),
        cmocka_unit_test(who_fetched_knows_so_after_a_restart),
        cmocka_unit_test(who_fetched_from_a_former_member_is_known_in_the_next_epoch),
        cmocka_unit_test(a_trail_whose_files_turn_knows_all_pages),
        cmocka_unit_test(one_that_differs_ends_with_a_whole_trail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

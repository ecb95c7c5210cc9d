/* SPDX-License-Identifier: BSD-2-Clause */
/* State transfer by pages (PROTOCOL section 4): a story for each rule of lib/vr/page_transfer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bitset.h"
#include "scenario/cluster.h"

#define N_KEYS 100u
#define VALUE_SIZE 2000u /* two of them to a page */

static void put(struct cluster *c, uint64_t session, uint64_t *number, uint32_t key)
{
    char name[8];
    uint8_t value[VALUE_SIZE] = {(uint8_t)*number, (uint8_t)(*number >> 8)};
    snprintf(name, sizeof name, "k%u", key);
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of(name), .value = {value, sizeof value}};
    cluster_send_op(c, 1, session, ++*number, cluster_primary(c), &op);
    cluster_run(c, 1);
}

static void put_range(struct cluster *c, uint64_t session, uint64_t *number, uint32_t n)
{
    for (uint32_t key = 0; key < n; key++) put(c, session, number, key);
}

static struct vr *core_of(struct cluster *c, uint8_t replica)
{
    return (struct vr *)(uintptr_t)cluster_core(c, replica);
}

static struct vstamp_id digest(struct cluster *c, uint8_t replica)
{
    return pages_digest(&core_of(c, replica)->pages);
}

/* All hold the same large state; then 2 is away while the others change `n` of its keys, each many
 * times, so that the logs do not reach back. */
struct story {
    struct cluster *c;
    struct vr *core; /* of 2 */
    uint64_t session, number;
};

static struct story away(int mode, uint32_t n)
{
    struct story s = {.c = cluster_new(3, mode | CLUSTER_LARGE)};
    s.session = cluster_register(s.c, 1, 0);
    put_range(s.c, s.session, &s.number, N_KEYS);
    assert_true(cluster_converge(s.c));
    s.core = core_of(s.c, 2);
    assert_true(s.core->pages.n_used > N_KEYS / 2);
    cluster_isolate(s.c, 2);
    for (uint32_t round = 0; round * n < 100; round++) put_range(s.c, s.session, &s.number, n);
    assert_true(cluster_core(s.c, 0)->log.first > s.core->log.op + 1);
    return s;
}

/* It comes back and asks; what `from` answers to that is held. */
static void back(struct story *s, int from, int command)
{
    cluster_clear_rules(s->c);
    cluster_hold(s->c, from, 2, command);
    for (int i = 0; i < 300 && !s->core->transfer.pages; i++) cluster_run(s->c, 1);
    assert_true(s->core->transfer.pages);
}

static void ends_well(struct story *s)
{
    cluster_clear_rules(s->c);
    assert_true(cluster_converge(s->c));
    assert_true(cluster_has_traced(s->c, 2, "fetched-checkpoint"));
    assert_true(vstamp_id_equal(digest(s->c, cluster_primary(s->c)), digest(s->c, 2)));
    cluster_free(s->c);
}

/* The point of it all (5.1). */
static void only_pages_that_differ_are_fetched(void **unused)
{
    (void)unused;
    const int modes[] = {CLUSTER_MEMORY, CLUSTER_DISK};
    for (size_t i = 0; i < 2; i++) {
        struct story s = away(modes[i], 2);
        cluster_clear_rules(s.c);
        assert_true(cluster_converge(s.c));
        assert_in_range(s.core->stats.transfer_pages, 1, 9); /* sessions, tree, changes, two keys */
        ends_well(&s);
    }
}

static void a_blank_replica_fetches_each_page_once(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_MEMORY, 50);
    cluster_crash(s.c, 2);
    cluster_clear_rules(s.c);
    cluster_start(s.c, 2);
    s.core = core_of(s.c, 2);
    assert_true(cluster_converge(s.c));
    uint32_t n_zeros = 0;
    for (uint32_t page = 0; page < s.core->pages.n_used; page++)
        n_zeros += pages_hash(pages_read(&s.core->pages, page)) == 0;
    assert_int_equal(s.core->pages.n_used - n_zeros, s.core->stats.transfer_pages);
    ends_well(&s);
}

static void those_who_have_the_same_checkpoint_share_the_work(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_MEMORY, 50);
    cluster_clear_rules(s.c);
    assert_true(cluster_converge(s.c));
    assert_true(cluster_count_sent(s.c, 2, 0, WIRE_get_pages) > 2);
    assert_true(cluster_count_sent(s.c, 2, 1, WIRE_get_pages) > 2);
    ends_well(&s);
}

/* Rule F5. */
static void what_a_dead_replica_was_asked_another_is_asked(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_MEMORY, 50);
    back(&s, 1, WIRE_pages);
    assert_true(cluster_count_sent(s.c, 1, 2, WIRE_pages) > 0);
    cluster_crash(s.c, 1);
    assert_true(cluster_converge(s.c));
    assert_true(cluster_has_traced(s.c, 2, "it is asked elsewhere (F5)"));
    ends_well(&s);
}

/* Rule F4: a view change ends the transfer, and the next one finds what it had. */
static void what_was_staged_is_not_fetched_again(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_MEMORY, 50);
    back(&s, 1, WIRE_pages); /* so it does not get far */
    uint32_t n_staged = s.core->pages.n_staged;
    assert_true(n_staged > 0 && s.core->transfer.pages);
    cluster_drop(s.c, CLUSTER_ALL, 2, WIRE_tree); /* nor does the next one, until we have looked */
    cluster_hand_over(s.c, 0);
    cluster_run(s.c, 50);
    assert_true(s.core->view > 0);
    assert_int_equal(n_staged, s.core->pages.n_staged);
    cluster_clear_rules(s.c);
    assert_true(cluster_converge(s.c));
    assert_true(cluster_has_traced(s.c, 2, "a fetch finds pages that a former one has staged"));
    assert_true(s.core->stats.transfer_pages <= 60); /* fifty keys and a few more */
    ends_well(&s);
}

/* Rule: of a checkpoint that nobody reads few pages are copied; who asks gets another image. */
static void pages_are_copied_only_for_who_reads_them(void **unused)
{
    (void)unused;
    const int modes[] = {CLUSTER_MEMORY, CLUSTER_DISK};
    for (size_t i = 0; i < 2; i++) {
        struct story s = away(modes[i], 2);
        struct vr *core = core_of(s.c, 0);
        uint32_t few = core->config.state_pages / 64 + 8; /* and those of one put */
        for (int reads = 1; reads >= 0; reads--) {
            uint32_t most = 0;
            for (uint32_t key = 0; key < N_KEYS; key++) {
                core->image_read = reads == 1;
                put(s.c, s.session, &s.number, key);
                if (core->pages.n_copies > most) most = core->pages.n_copies;
            }
            assert_int_equal(reads == 1, most > few);
            assert_int_equal(reads == 1, core->pages.has_image);
        }
        cluster_clear_rules(s.c);
        assert_true(cluster_converge(s.c));
        assert_true(cluster_has_traced(s.c, 0, "a checkpoint that was not kept") ||
                    cluster_has_traced(s.c, 1, "a checkpoint that was not kept"));
        ends_well(&s);
    }
}

/* Rule: who fetches a state can still give the one that it has. */
static void who_fetches_has_an_image_to_give(void **unused)
{
    (void)unused;
    const int modes[] = {CLUSTER_MEMORY, CLUSTER_DISK};
    for (size_t i = 0; i < 2; i++) {
        struct story s = away(modes[i], 50);
        pages_drop_image(&s.core->pages);
        back(&s, 1, WIRE_pages);
        assert_true(s.core->pages.has_image);
        assert_int_equal(s.core->applied, s.core->image_anchor.op);
        ends_well(&s);
    }
}

/* Rule F2: what has turned in a giver's memory since it was hashed is not what its tree says. */
static void what_turned_in_memory_is_taken_from_another(void **unused)
{
    (void)unused;
    const int modes[] = {CLUSTER_MEMORY, CLUSTER_DISK};
    for (size_t i = 0; i < 2; i++) {
        struct story s = away(modes[i], 2);
        struct vr *giver = core_of(s.c, 0);
        giver->digests.next_look_us = UINT64_MAX; /* it does not find it by itself (D5) */
        uint32_t page = giver->app_pages.first + 3;
        while (bitset_has(giver->pages.since, page)) page++;
        ((uint8_t *)(uintptr_t)pages_read(&giver->pages, page))[100] ^= 1;
        cluster_crash(s.c, 2);
        cluster_wipe(s.c, 2);
        cluster_clear_rules(s.c);
        cluster_drop(s.c, 1, 2, WIRE_tree);
        cluster_start(s.c, 2);
        s.core = core_of(s.c, 2);
        cluster_run(s.c, 1000);
        assert_true(cluster_has_traced(s.c, 2, "do not hash to what they should"));
        assert_true(s.core->transfer.pages);
        assert_int_equal(0, s.core->applied);
        cluster_clear_rules(s.c);
        assert_true(cluster_converge(s.c));
        assert_true(vstamp_id_equal(digest(s.c, 1), digest(s.c, 2)));
        cluster_free(s.c);
    }
}

/* Rule: a stored page that rots is stored anew from memory; one that has changed there has a
 * checkpoint taken for it, be there anything else to store or not. */
static void a_page_that_rots_is_stored_anew(void **unused)
{
    (void)unused;
    for (int changes = 0; changes < 2; changes++) {
        struct story s = away(CLUSTER_DISK, 2);
        struct vr *core = core_of(s.c, 0);
        while (core->applied != core->checkpoint_op) put(s.c, s.session, &s.number, 0);
        cluster_run(s.c, 50); /* it is stored */
        uint64_t stored = core->checkpoint_op;
        pages_drop_image(&core->pages);
        put(s.c, s.session, &s.number, 0);
        uint32_t page = 0;
        while (bitset_has(core->pages.changed, page) != (changes == 1)) page++;
        cluster_rot_page(s.c, 0, page);
        cluster_run(s.c, 3000);
        assert_true(cluster_pages_are_sound(s.c, 0));
        assert_int_equal(changes == 1, core->checkpoint_op > stored);
        cluster_clear_rules(s.c);
        assert_true(cluster_converge(s.c));
        ends_well(&s);
    }
}

/* Rule F4 with a disk: nor after a crash, though the group has a newer checkpoint by then. */
static void what_was_fetched_before_a_crash_is_not_fetched_again(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_DISK, 50);
    back(&s, 1, WIRE_pages);
    cluster_run(s.c, 2);
    uint32_t n_staged = s.core->pages.n_staged;
    assert_true(n_staged > 0 && s.core->transfer.pages);
    cluster_crash(s.c, 2);
    for (uint32_t round = 0; round < 10; round++) put_range(s.c, s.session, &s.number, 4);
    cluster_clear_rules(s.c);
    cluster_start(s.c, 2);
    s.core = core_of(s.c, 2);
    assert_int_equal(n_staged, s.core->pages.n_staged);
    assert_true(cluster_converge(s.c));
    assert_true(cluster_has_traced(s.c, 2, "a fetch finds pages that a former one has staged"));
    assert_true(s.core->stats.transfer_pages + n_staged <= 60 + 6); /* and what changed again */
    assert_int_equal(0, s.core->pages.n_staged);
    ends_well(&s);
}

/* It is of no use any more once the own checkpoint is newer, and gone with the next start. */
static void what_was_fetched_is_kept_until_a_checkpoint_is_stored(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_DISK, 50);
    cluster_clear_rules(s.c);
    assert_true(cluster_converge(s.c));
    assert_true(cluster_has_traced(s.c, 2, "fetched-checkpoint"));
    cluster_crash(s.c, 2);
    cluster_start(s.c, 2);
    s.core = core_of(s.c, 2);
    assert_int_equal(0, s.core->pages.n_staged);
    ends_well(&s);
}

/* Rule F4, PIT-4.5: the holders go on to newer checkpoints all the time, and it ends. */
static void a_target_that_moves_is_reached(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_MEMORY, 50);
    core_of(s.c, 2)->config.transfer_mib_per_s = 1; /* all of it takes longer than a checkpoint */
    back(&s, 1, WIRE_pages);
    cluster_clear_rules(s.c);
    for (uint8_t i = 0; i < 2; i++) core_of(s.c, i)->config.checkpoint_ops = 8;
    for (uint32_t i = 0; i < 200 && s.core->transfer.pages; i++) {
        put(s.c, s.session, &s.number, i % 4);
        cluster_run(s.c, 9);
    }
    assert_true(cluster_has_traced(s.c, 2, "a newer checkpoint is the target"));
    assert_false(s.core->transfer.pages);
    assert_true(s.core->stats.transfer_pages <= 60 + 40);
    ends_well(&s);
}

/* Rule F4: where pages change faster than they come, the operator is told, and it ends when they do
 * so no more. */
static void a_fetch_that_falls_behind_says_so(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_MEMORY, 50);
    s.core->config.transfer_mib_per_s = 1;
    cluster_clear_rules(s.c);
    for (uint32_t round = 0; round < 3; round++) put_range(s.c, s.session, &s.number, N_KEYS);
    assert_true(s.core->transfer.pages);
    assert_false(cluster_has_traced(s.c, 2, "fetch-falls-behind"));
    for (uint32_t round = 0; round < 20; round++) put_range(s.c, s.session, &s.number, N_KEYS);
    assert_true(s.core->transfer.pages);
    assert_true(cluster_has_traced(s.c, 2, "fetch-falls-behind"));
    ends_well(&s);
}

/* One to which nothing has come yet does not when its target moves. */
static void a_fetch_that_begins_is_not_behind(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_MEMORY, 50);
    cluster_crash(s.c, 2);
    cluster_start(s.c, 2);
    s.core = core_of(s.c, 2);
    cluster_clear_rules(s.c);
    cluster_hold(s.c, 2, CLUSTER_ALL, WIRE_get_pages);
    for (int i = 0; i < 300 && s.core->fetch.anchor.op == 0; i++) cluster_run(s.c, 1);
    put_range(s.c, s.session, &s.number, 50);
    cluster_clear_rules(s.c);
    assert_true(cluster_release(s.c, 2, CLUSTER_ALL, WIRE_get_pages) > 0);
    cluster_run(s.c, 20);
    assert_true(cluster_has_traced(s.c, 2, "a newer checkpoint is the target"));
    assert_false(cluster_has_traced(s.c, 2, "fetch-falls-behind"));
    ends_well(&s);
}

/* Rule F6: by the clock of who fetches. */
static void a_fetch_takes_no_more_than_its_share(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_MEMORY, 80);
    core_of(s.c, 2)->config.transfer_mib_per_s = 1;
    uint64_t began_us = s.core->now_us;
    cluster_clear_rules(s.c);
    for (int i = 0; i < 300 && !s.core->transfer.pages; i++) cluster_run(s.c, 1);
    assert_true(s.core->transfer.pages);
    while (s.core->transfer.pages) {
        cluster_run(s.c, 1);
        uint64_t elapsed_us = s.core->now_us - began_us;
        uint64_t allowed = (elapsed_us + 10000) * 1048576 / 1000000 + 3 * VSTAMP_PAGE_SIZE + 512;
        assert_true(s.core->stats.transfer_bytes <= allowed);
    }
    assert_true(s.core->stats.transfer_bytes > 40 * VSTAMP_PAGE_SIZE);
    assert_true(s.core->now_us - began_us < 2000000); /* and it is no slower either */
    ends_well(&s);
}

/* --- rule F2: nothing is believed but what hashes to what was asked for ----------------------- */

static struct wire_list hash_list(const uint64_t *hashes, uint8_t *buffer, size_t size)
{
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_page_hash, buffer, size);
    for (uint32_t i = 0; i < TREE_FANOUT; i++)
        assert_true(wire_list_add(&list, &(struct wire_page_hash){.value = hashes[i]}));
    return wire_list_end(&list);
}

/* The answer of `from` to the question to all, its root's children changed by `flip`, its root by
 * `other`. */
static void tell_root(struct story *s, uint8_t from, uint64_t flip, bool other)
{
    struct vr *peer = core_of(s->c, from);
    uint8_t buffer[TREE_FANOUT * 8];
    uint64_t children[TREE_FANOUT];
    assert_true(pages_settle(&peer->pages, PAGES_IMAGE, UINT32_MAX));
    const struct tree *tree = pages_tree(&peer->pages, PAGES_IMAGE);
    tree_children(tree, tree->top, 0, children);
    children[0] ^= flip;
    struct wire_tree m = {.nonce = s->core->fetch.nonce, .anchor = peer->checkpoint_anchor,
                          .root = other ? tree_root_of(children) : tree_root(tree),
                          .level = tree->top,
                          .children = hash_list(children, buffer, sizeof buffer)};
    cluster_forge(s->c, from, 2, s->core->view, &wire_shape_tree, &m);
}

static struct story asks_for_the_root(void)
{
    struct story s = away(CLUSTER_MEMORY, 50);
    back(&s, CLUSTER_ALL, WIRE_tree);
    assert_int_not_equal(0, s.core->fetch.nonce);
    return s;
}

static void a_root_that_its_children_do_not_have_is_refused(void **unused)
{
    (void)unused;
    struct story s = asks_for_the_root();
    tell_root(&s, 0, 1, false);
    assert_true(cluster_has_traced(s.c, 2, "page-hash-differs"));
    assert_int_equal(0, s.core->fetch.anchor.op);
    ends_well(&s);
}

static void two_checkpoints_of_one_op_that_differ_are_an_error(void **unused)
{
    (void)unused;
    struct story s = asks_for_the_root();
    tell_root(&s, 0, 0, false);
    tell_root(&s, 1, 1, true);
    assert_true(cluster_has_traced(s.c, 2, "checkpoint-differs"));
    assert_int_equal(1u << 0, s.core->fetch.holders);
    ends_well(&s);
}

/* Hold what 2 is answered, and give it a wrong answer to its first question instead. */
static const struct vr_question *first_question(const struct story *s, bool about_pages)
{
    for (uint32_t i = 0; i < FETCH_QUESTIONS_MAX; i++) {
        const struct vr_question *q = &s->core->fetch.questions[i];
        if (q->n > 0 && (q->level == 0) == about_pages) return q;
    }
    return NULL;
}

static void nodes_that_are_not_in_the_tree_are_refused(void **unused)
{
    (void)unused;
    struct story s = asks_for_the_root();
    tell_root(&s, 0, 0, false);
    const struct vr_question *q = first_question(&s, false);
    assert_non_null(q);
    uint8_t buffer[TREE_FANOUT * 8];
    uint64_t hashes[TREE_FANOUT] = {1, 2, 3};
    struct wire_tree m = {.nonce = q->nonce, .anchor = s.core->fetch.anchor,
                          .root = s.core->fetch.root, .level = q->level,
                          .children = hash_list(hashes, buffer, sizeof buffer)};
    assert_int_equal(1, q->n);
    cluster_forge(s.c, q->peer, 2, s.core->view, &wire_shape_tree, &m);
    assert_true(cluster_has_traced(s.c, 2, "page-hash-differs"));
    assert_int_equal(0, s.core->pages.n_staged);
    ends_well(&s);
}

static void a_page_that_was_damaged_is_fetched_elsewhere(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_MEMORY, 50);
    back(&s, CLUSTER_ALL, WIRE_pages);
    const struct vr_question *q = first_question(&s, true);
    assert_non_null(q);
    uint32_t page = q->numbers[0], n_staged = s.core->pages.n_staged;
    uint8_t content[VSTAMP_PAGE_SIZE], buffer[8192], from = q->peer;
    memcpy(content, pages_image(&cluster_core(s.c, from)->pages, page), sizeof content);
    content[77] ^= 0x10;
    struct wire_page wrong = {.number = page, .content = {content, sizeof content}};
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_page, buffer, sizeof buffer);
    assert_true(wire_list_add(&list, &wrong));
    struct wire_pages m = {.nonce = q->nonce, .checkpoint = s.core->fetch.anchor.op,
                           .pages = wire_list_end(&list)};
    cluster_forge(s.c, from, 2, s.core->view, &wire_shape_pages, &m);
    assert_true(cluster_has_traced(s.c, 2, "page-hash-differs"));
    assert_int_equal(n_staged, s.core->pages.n_staged);
    assert_false((s.core->fetch.holders >> from) & 1);
    ends_well(&s);
}

/* --- rule F7: it is looked through in steps --------------------------------------------------- */

static void what_was_fetched_is_looked_through_turn_by_turn(void **unused)
{
    (void)unused;
    struct story s = away(CLUSTER_MEMORY, 50);
    cluster_clear_rules(s.c);
    assert_true(cluster_converge(s.c));
    assert_true(cluster_has_traced(s.c, 2, "is looked through in several turns"));
    ends_well(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_pages_that_differ_are_fetched),
        cmocka_unit_test(a_blank_replica_fetches_each_page_once),
        cmocka_unit_test(those_who_have_the_same_checkpoint_share_the_work),
        cmocka_unit_test(pages_are_copied_only_for_who_reads_them),
        cmocka_unit_test(who_fetches_has_an_image_to_give),
        cmocka_unit_test(what_turned_in_memory_is_taken_from_another),
        cmocka_unit_test(a_page_that_rots_is_stored_anew),
        cmocka_unit_test(what_a_dead_replica_was_asked_another_is_asked),
        cmocka_unit_test(what_was_staged_is_not_fetched_again),
        cmocka_unit_test(what_was_fetched_before_a_crash_is_not_fetched_again),
        cmocka_unit_test(what_was_fetched_is_kept_until_a_checkpoint_is_stored),
        cmocka_unit_test(a_target_that_moves_is_reached),
        cmocka_unit_test(a_fetch_that_falls_behind_says_so),
        cmocka_unit_test(a_fetch_that_begins_is_not_behind),
        cmocka_unit_test(a_fetch_takes_no_more_than_its_share),
        cmocka_unit_test(a_root_that_its_children_do_not_have_is_refused),
        cmocka_unit_test(two_checkpoints_of_one_op_that_differ_are_an_error),
        cmocka_unit_test(nodes_that_are_not_in_the_tree_are_refused),
        cmocka_unit_test(a_page_that_was_damaged_is_fetched_elsewhere),
        cmocka_unit_test(what_was_fetched_is_looked_through_turn_by_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

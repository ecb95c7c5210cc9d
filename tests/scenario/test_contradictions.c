/* SPDX-License-Identifier: BSD-2-Clause */
/* The rule of contradictions (lib/vr/rooms.h): whatever peers say against what is committed here,
 * it stays, a line says so, and the group goes on once they make sense again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster.h"

static void incr_many(struct cluster *c, uint64_t session, uint64_t from, uint64_t to)
{
    for (uint64_t number = from; number <= to; number++) {
        cluster_incr(c, 1, session, number, 0);
        cluster_run(c, 1);
    }
}

static void ends_well(struct cluster *c, int64_t sum)
{
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(sum, cluster_read(c, cluster_primary(c), 100));
    cluster_free(c);
}

/* The newest normal view that a quorum can show has a log without what is committed at its
 * primary. */
static void a_quorum_that_lacks_what_is_committed_here_starts_no_view(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    incr_many(c, session, 1, 4);
    cluster_run(c, 50);
    const struct vr *core = cluster_core(c, 1);
    uint64_t commit = core->commit;
    assert_int_equal(5, commit);
    cluster_isolate(c, 1);
    const struct wire_do_view_change empty = {.log_view = 3};
    cluster_forge(c, 2, 1, 4, &wire_shape_do_view_change, &empty);
    assert_true(cluster_has_traced(c, 1, "do not begin"));
    assert_int_equal(VR_VIEW_CHANGE, core->status);
    assert_int_equal(commit, core->commit);
    assert_int_equal(commit, core->log.op);
    ends_well(c, 4);
}

static void a_log_of_a_view_that_has_not_been_is_no_promise(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    incr_many(c, session, 1, 2);
    cluster_isolate(c, 1);
    const struct wire_do_view_change later = {.log_view = 5};
    cluster_forge(c, 2, 1, 4, &wire_shape_do_view_change, &later);
    assert_true(cluster_has_traced(c, 1, "a log of a later view"));
    ends_well(c, 2);
}

/* What its primary says is committed is another entry than it holds there (PIT-1.10). */
static void another_entry_than_the_committed_one_is_not_executed(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    incr_many(c, session, 1, 2);
    cluster_run(c, 50);
    const struct vr *core = cluster_core(c, 1);
    cluster_drop(c, 0, 1, WIRE_commit);
    incr_many(c, session, 3, 3); /* it holds that, and hears no more of it */
    uint64_t commit = core->commit;
    assert_int_equal(commit + 1, core->log.op);
    const struct wire_commit other = {.op = commit + 1, .commit = commit + 1, .checksum = {1, 2},
                                      .sequence = core->heartbeat + 1};
    cluster_forge(c, 0, 1, 0, &wire_shape_commit, &other);
    assert_true(cluster_has_traced(c, 1, "log-diverged"));
    assert_int_equal(commit, core->commit);
    cluster_run(c, 20); /* the heartbeat behind it counts */
    ends_well(c, 3);
}

/* Replica 2 fetches a later view from replica 1, and its old view goes on meanwhile.  Returns the
 * op-number after which it has asked. */
static uint64_t fetch_while_the_old_view_goes_on(struct cluster *c, uint64_t session)
{
    const struct vr *core = cluster_core(c, 2);
    incr_many(c, session, 1, 4);
    cluster_run(c, 50);
    cluster_drop(c, 2, 1, CLUSTER_ALL), cluster_drop(c, 1, 2, CLUSTER_ALL);
    const struct wire_commit heartbeat = {.op = 6, .sequence = 1};
    cluster_forge(c, 1, 2, 1, &wire_shape_commit, &heartbeat);
    assert_int_equal(VR_TRANSFER_VIEW, core->transfer.kind);
    uint64_t after = core->staging.op;
    incr_many(c, session, 5, 6);
    cluster_run(c, 50);
    assert_int_equal(0, core->view);
    assert_true(core->commit > after);
    return after;
}

static void a_later_view_is_not_entered_with_less_than_is_committed(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    uint64_t after = fetch_while_the_old_view_goes_on(c, session);
    const struct vr *core = cluster_core(c, 2);
    const struct wire_new_state less = {
        .nonce = core->transfer.nonce, .after = after, .op = after, .commit = after, .log_view = 1};
    cluster_forge(c, 1, 2, 1, &wire_shape_new_state, &less);
    assert_true(cluster_has_traced(c, 2, "a NEW-STATE ends before what is committed here"));
    assert_int_equal(0, core->view);
    assert_int_equal(7, core->commit);
    ends_well(c, 6);
}

static void a_later_view_is_not_entered_with_another_log_than_is_committed(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    uint64_t after = fetch_while_the_old_view_goes_on(c, session);
    const struct vr *core = cluster_core(c, 2);
    uint8_t buffer[4096];
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_entry, buffer, sizeof buffer);
    struct vstamp_id parent = core->staging.base.checksum;
    uint64_t op = after;
    while (op < core->commit + 2) {
        struct wire_entry entry = {.header = {.op = ++op, .view = 1, .parent = parent}};
        entry.header.checksum = log_checksum(core->group, &entry.header, entry.body);
        parent = entry.header.checksum;
        assert_true(wire_list_add(&list, &entry));
    }
    const struct wire_new_state other = {.nonce = core->transfer.nonce, .after = after, .op = op,
                                         .commit = op, .log_view = 1,
                                         .entries = wire_list_end(&list)};
    cluster_forge(c, 1, 2, 1, &wire_shape_new_state, &other);
    assert_true(cluster_has_traced(c, 2, "log-diverged"));
    assert_int_equal(0, core->view);
    assert_int_equal(7, core->log.op);
    ends_well(c, 6);
}

/* --- checkpoints ----------------------------------------------------------------------------- */

/* Replica 2 has been away for longer than logs reach back, and is about to be told pages. */
static struct cluster *about_to_fetch_pages(enum cluster_mode mode)
{
    struct cluster *c = cluster_new(3, mode);
    uint64_t session = cluster_register(c, 1, 0);
    incr_many(c, session, 1, 8);
    cluster_run(c, 50);
    cluster_isolate(c, 2);
    incr_many(c, session, 9, 100);
    cluster_clear_rules(c);
    cluster_drop(c, CLUSTER_ALL, 2, WIRE_tree);
    for (int i = 0; i < 100 && !cluster_core(c, 2)->transfer.pages; i++) cluster_run(c, 10);
    assert_true(cluster_core(c, 2)->transfer.pages);
    return c;
}

/* Its own pages, and one that differs: all the tree of a cluster fits under the root. */
static void tell_tree(struct cluster *c, const struct wire_entry_header *anchor,
                      const struct wire_page *page)
{
    const struct vr *core = cluster_core(c, 2);
    uint8_t buffer[TREE_FANOUT * 8];
    uint64_t children[TREE_FANOUT] = {0};
    for (uint32_t i = 0; i < core->pages.n_used; i++)
        children[i] = pages_hash(pages_read(&core->pages, i));
    if (page != NULL) children[page->number] = pages_hash(page->content.data);
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_page_hash, buffer, sizeof buffer);
    for (uint32_t i = 0; i < TREE_FANOUT; i++)
        assert_true(wire_list_add(&list, &(struct wire_page_hash){.value = children[i]}));
    const struct wire_tree m = {.nonce = core->fetch.nonce, .anchor = *anchor,
                                .root = tree_root_of(children), .level = 1,
                                .children = wire_list_end(&list)};
    cluster_forge(c, core->transfer.peer, 2, core->view, &wire_shape_tree, &m);
}

/* To the only question about pages that there is. */
static void tell_page(struct cluster *c, const struct wire_page *page)
{
    const struct vr *core = cluster_core(c, 2);
    uint8_t buffer[8192];
    struct wire_list_builder list;
    const struct vr_question *q = &core->fetch.questions[0];
    assert_int_equal(1, q->n);
    wire_list_begin(&list, &wire_shape_page, buffer, sizeof buffer);
    assert_true(wire_list_add(&list, page));
    const struct wire_pages m = {.nonce = q->nonce, .checkpoint = core->fetch.anchor.op,
                                 .pages = wire_list_end(&list)};
    cluster_forge(c, q->peer, 2, core->view, &wire_shape_pages, &m);
}

static void expect_refusal(enum cluster_mode mode, uint32_t number, uint32_t offset)
{
    struct cluster *c = about_to_fetch_pages(mode);
    const struct vr *core = cluster_core(c, 2);
    uint8_t content[VSTAMP_PAGE_SIZE];
    struct vstamp_id before = pages_digest((struct pages *)&core->pages);
    uint64_t applied = core->applied;
    memcpy(content, pages_read(&core->pages, number), sizeof content);
    content[offset] ^= 0x40;
    const struct wire_page page = {.number = number, .content = {content, sizeof content}};
    cluster_hold(c, 2, CLUSTER_ALL, WIRE_get_pages);
    tell_tree(c, &cluster_core(c, 0)->checkpoint_anchor, &page);
    tell_page(c, &page);
    assert_true(cluster_has_traced(c, 2, "checkpoint-not-sound"));
    assert_int_equal(applied, core->applied);
    assert_true(vstamp_id_equal(before, pages_digest((struct pages *)&core->pages)));
    ends_well(c, 100);
}

static void a_checkpoint_with_a_damaged_client_table_is_fetched_elsewhere(void **unused)
{
    (void)unused;
    expect_refusal(CLUSTER_MEMORY, 0, 23); /* the session of the first slot */
    expect_refusal(CLUSTER_DISK, 0, 1700); /* a slot that is free */
}

static void a_checkpoint_with_a_damaged_store_is_fetched_elsewhere(void **unused)
{
    (void)unused;
    expect_refusal(CLUSTER_MEMORY, 1, 4);       /* the form of the store */
    expect_refusal(CLUSTER_DISK, 1, 8);         /* the root of its tree */
    expect_refusal(CLUSTER_MEMORY, 1, 64 + 24); /* the size of the first key */
}

/* The same pages, but after an entry that contradicts the one committed here. */
static void a_checkpoint_of_another_log_is_fetched_elsewhere(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    incr_many(c, session, 1, 8);
    cluster_run(c, 50);
    const struct vr *core = cluster_core(c, 2);
    /* A gap that needs pages; what is committed meanwhile waits to be executed. */
    const struct wire_commit heartbeat = {.op = 100, .sequence = core->heartbeat + 1};
    cluster_drop(c, 2, CLUSTER_ALL, CLUSTER_ALL);
    cluster_forge(c, 0, 2, 0, &wire_shape_commit, &heartbeat);
    assert_int_equal(VR_TRANSFER_GAP, core->transfer.kind);
    const struct wire_new_state far = {.nonce = core->transfer.nonce, .after = core->staging.op,
                                       .op = 100, .commit = 100, .base = {.op = 90}};
    cluster_forge(c, 0, 2, 0, &wire_shape_new_state, &far);
    assert_true(core->transfer.pages);
    incr_many(c, session, 9, 12);
    cluster_run(c, 50);
    assert_true(core->commit > core->applied + 1);
    struct wire_entry_header other = *log_header(&core->log, core->commit);
    other.checksum.lo ^= 1;
    tell_tree(c, &other, NULL);
    assert_true(cluster_has_traced(c, 2, "another entry is committed here"));
    ends_well(c, 12);
}

static void numbers_that_nobody_counts_to_are_not_believed(void **unused)
{
    (void)unused;
    struct cluster *c = about_to_fetch_pages(CLUSTER_MEMORY);
    struct wire_entry_header anchor = cluster_core(c, 0)->checkpoint_anchor;
    anchor.op = UINT64_MAX;
    tell_tree(c, &anchor, NULL);
    assert_true(cluster_has_traced(c, 2, "an impossible op-number"));
    uint64_t counters[] = {0, UINT64_MAX, UINT64_MAX};
    struct wire_list vector = {.count = 3, .encoded = {(const uint8_t *)counters, sizeof counters}};
    const struct wire_start_view_change vote = {.crash_vector = vector};
    cluster_forge(c, 1, 2, 0, &wire_shape_start_view_change, &vote);
    assert_int_equal(0, cluster_core(c, 2)->crash_vector[2]);
    ends_well(c, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quorum_that_lacks_what_is_committed_here_starts_no_view),
        cmocka_unit_test(a_log_of_a_view_that_has_not_been_is_no_promise),
        cmocka_unit_test(another_entry_than_the_committed_one_is_not_executed),
        cmocka_unit_test(a_later_view_is_not_entered_with_less_than_is_committed),
        cmocka_unit_test(a_later_view_is_not_entered_with_another_log_than_is_committed),
        cmocka_unit_test(a_checkpoint_with_a_damaged_client_table_is_fetched_elsewhere),
        cmocka_unit_test(a_checkpoint_with_a_damaged_store_is_fetched_elsewhere),
        cmocka_unit_test(a_checkpoint_of_another_log_is_fetched_elsewhere),
        cmocka_unit_test(numbers_that_nobody_counts_to_are_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Copying the state of a group that runs, and beginning a new one from the copy: the stories of
 * lib/vr/copy.c, lib/node/copier.c, copy.c and restore_copy.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/copier.h"
#include "program/zeros.h"
#include "scenario/cluster.h"
#include "vr/log.h"

#define PAGES_MAX 64u
#define FILE_MAX (4u << 20)
#define TIME_US UINT64_C(1700000000000000)

struct story {
    struct cluster *c;
    uint64_t session, number;
    struct copier copier;
    uint64_t hashes[PAGES_MAX];
    struct writer file;
    struct copy copy;
    void *memory;
    size_t memory_size;
};

static struct story *story_new(uint8_t n, int mode)
{
    struct story *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->c = cluster_new(n, mode);
    s->session = cluster_register(s->c, 1, cluster_primary(s->c));
    s->file = writer_over(malloc(FILE_MAX), FILE_MAX);
    return s;
}

static void story_end(struct story *s)
{
    zeros_unmap(s->memory, s->memory_size);
    cluster_free(s->c);
    free(s->file.start);
    free(s);
}

static int64_t grow(struct story *s, int n)
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum = cluster_incr(s->c, 1, s->session, ++s->number, cluster_primary(s->c));
    return sum;
}

/* Values so large that a checkpoint takes several questions. */
static void put_large(struct story *s, const char *key, int n)
{
    static uint8_t value[3000];
    memset(value, n, sizeof value);
    struct kv_op op = {
        .verb = KV_PUT, .key = bytes_of(key), .value = {value, sizeof value}};
    cluster_send_op(s->c, 1, s->session, ++s->number, cluster_primary(s->c), &op);
    cluster_settle(s->c);
    assert_int_equal(1, cluster_answer(s->c, 1, s->number, KV_PUT).n_replies);
}

static void begin(struct story *s, uint64_t target)
{
    memset(s->hashes, 0, sizeof s->hashes);
    s->file.size = 0;
    copier_init(&s->copier, target, TIME_US, "test", s->hashes, PAGES_MAX);
}

/* One question to a replica; what copier_on_frame says, or VSTAMP_E_IO if nobody answers. */
static int ask(struct story *s, uint8_t replica)
{
    uint8_t frame[COPIER_FRAME_MAX];
    struct vstamp_diag diag = {0};
    bool answered;
    size_t size = copier_ask(&s->copier, frame);
    struct bytes answer = cluster_ask(s->c, replica, (struct bytes){frame, size});
    if (answer.size == 0) return VSTAMP_E_IO;
    int rv = copier_on_frame(&s->copier, answer, &s->file, &answered, &diag);
    assert_true(answered);
    assert_true(rv == 0 || diag.text[0] != '\0');
    return rv;
}

/* Go on until the copy is complete. */
static void copy_from(struct story *s, uint8_t replica)
{
    for (int i = 0; i < 1000 && s->copier.phase != COPIER_COMPLETE; i++) {
        assert_int_equal(0, ask(s, replica));
        if (s->copier.phase == COPIER_WAITING) cluster_run(s->c, 10);
    }
    assert_int_equal(COPIER_COMPLETE, s->copier.phase);
}

static int load(struct story *s, struct vstamp_diag *diag)
{
    int rv = copy_open(&s->copy, (struct bytes){s->file.start, s->file.size}, diag);
    if (rv != 0) return rv;
    zeros_unmap(s->memory, s->memory_size);
    s->memory_size = copy_memory(&s->copy);
    s->memory = zeros_map(s->memory_size);
    assert_non_null(s->memory);
    return copy_load(&s->copy, s->memory, s->memory_size, kv_app(), diag);
}

/* The copy is complete and sound, and holds that sum. */
static void expect_sum(struct story *s, int64_t sum)
{
    struct vstamp_diag diag = {0};
    uint8_t body[64], data[4096];
    char text[32];
    if (load(s, &diag) != 0) fail_msg("%s", diag.text);
    assert_true(s->copy.op >= s->copier.target);
    struct kv_op get = {.verb = KV_GET, .key = bytes_of("n")};
    struct writer w = writer_over(body, sizeof body);
    kv_encode_op(&get, &w);
    struct vstamp_answer answer = {.data = data, .capacity = sizeof data};
    kv_app()->query(copy_pages(&s->copy), body, w.size, &answer);
    struct kv_answer kv;
    assert_int_equal(0, kv_decode_answer(KV_GET, (struct bytes){data, answer.size}, &kv));
    assert_true(kv.value.size < sizeof text);
    memcpy(text, kv.value.data, kv.value.size);
    text[kv.value.size] = '\0';
    assert_int_equal(sum, strtoll(text, NULL, 10));
}

static struct vstamp_id core_digest(const struct cluster *c, uint8_t replica)
{
    return pages_digest((struct pages *)&cluster_core(c, replica)->pages);
}

/* --- stories ---------------------------------------------------------------------------------- */

/* Rule: any replica will do, before its first checkpoint and after it, with a disk and without;
 * sessions included, the copy is what the replicas hold at that op-number. */
static void a_copy_is_the_state_at_its_op_number(void **unused)
{
    (void)unused;
    for (int mode = CLUSTER_MEMORY; mode <= CLUSTER_DISK; mode++) {
        struct story *s = story_new(3, mode);
        for (int round = 0; round < 3; round++) {
            int64_t sum = grow(s, 9);
            uint64_t target = cluster_core(s->c, cluster_primary(s->c))->applied;
            for (uint8_t replica = 0; replica < 3; replica++) {
                begin(s, target);
                copy_from(s, replica);
                expect_sum(s, sum);
                struct vstamp_id theirs = core_digest(s->c, cluster_primary(s->c));
                assert_true(vstamp_id_equal(theirs, pages_digest(&s->copy.vr->pages)));
                assert_int_equal(target, s->copy.op);
            }
        }
        assert_true(s->copy.anchor.op > 0);
        story_end(s);
    }
}

/* Rule: what is acknowledged when a copy begins is in it, also from a backup that does not know yet
 * that it is committed. */
static void a_copy_waits_for_what_was_acknowledged(void **unused)
{
    (void)unused;
    struct story *s = story_new(3, CLUSTER_MEMORY);
    cluster_run(s->c, 100);
    uint8_t primary = cluster_primary(s->c), backup = (uint8_t)((primary + 1) % 3);
    cluster_drop(s->c, primary, CLUSTER_ALL, WIRE_commit);
    int64_t sum = grow(s, 1);
    uint64_t target = cluster_core(s->c, primary)->applied;
    assert_true(cluster_core(s->c, backup)->commit < target);
    begin(s, target);
    for (int i = 0; i < 5; i++) assert_int_equal(0, ask(s, backup));
    assert_int_equal(COPIER_WAITING, s->copier.phase);
    cluster_clear_rules(s->c);
    copy_from(s, backup);
    expect_sum(s, sum);
    story_end(s);
}

/* Rule: a checkpoint that is replaced while it is copied is compared with the new one. */
static void a_checkpoint_may_be_replaced_while_it_is_copied(void **unused)
{
    (void)unused;
    struct story *s = story_new(3, CLUSTER_DISK);
    for (int i = 0; i < 8; i++) put_large(s, (const char[]){(char)('a' + i), 0}, i);
    grow(s, 16);
    begin(s, 1);
    assert_int_equal(0, ask(s, 1));
    assert_true(s->copier.page > 0 && s->copier.page < s->copier.total);
    put_large(s, "a", 99);
    int64_t sum = grow(s, 20);
    s->copier.target = cluster_core(s->c, cluster_primary(s->c))->applied;
    copy_from(s, 1);
    assert_int_equal(1, s->copier.n_restarts);
    expect_sum(s, sum);
    assert_true(vstamp_id_equal(core_digest(s->c, cluster_primary(s->c)),
                                pages_digest(&s->copy.vr->pages)));
    story_end(s);
}

/* Rule: where the log no longer has the entries behind the checkpoint, a newer one is there. */
static void a_log_that_moved_on_is_caught_up_with(void **unused)
{
    (void)unused;
    struct story *s = story_new(3, CLUSTER_MEMORY);
    grow(s, 20);
    begin(s, NUMBER_MAX);
    while (s->copier.phase == COPIER_PAGES) assert_int_equal(0, ask(s, 2));
    int64_t sum = grow(s, 100); /* the log has 64 places */
    s->copier.target = cluster_core(s->c, cluster_primary(s->c))->applied;
    copy_from(s, 2);
    assert_int_equal(1, s->copier.n_restarts);
    expect_sum(s, sum);
    story_end(s);
}

/* Rule: a copy begun at one replica is finished at another, whose checkpoint may be older. */
static void a_copy_outlives_the_replica_it_came_from(void **unused)
{
    (void)unused;
    struct story *s = story_new(3, CLUSTER_MEMORY);
    for (int i = 0; i < 8; i++) put_large(s, (const char[]){(char)('a' + i), 0}, i);
    grow(s, 10);
    cluster_isolate(s->c, 2);
    int64_t sum = grow(s, 20);
    uint8_t primary = cluster_primary(s->c);
    assert_true(cluster_core(s->c, 2)->checkpoint_op < cluster_core(s->c, primary)->checkpoint_op);
    begin(s, cluster_core(s->c, primary)->applied);
    for (int i = 0; i < 3; i++) assert_int_equal(0, ask(s, 1));
    cluster_crash(s->c, 1);
    assert_int_equal(VSTAMP_E_IO, ask(s, 1));
    cluster_clear_rules(s->c);
    copy_from(s, 2);
    expect_sum(s, sum);
    story_end(s);
}

/* Rule: who has no state, and who is of another group, says so, and nothing is lost. */
static void a_replica_without_the_state_is_passed_over(void **unused)
{
    (void)unused;
    struct story *s = story_new(3, CLUSTER_MEMORY);
    grow(s, 20);
    struct cluster *ours = s->c, *other = cluster_new(1, CLUSTER_DISK);
    cluster_crash(ours, 2);
    cluster_isolate(ours, 2);
    cluster_start(ours, 2);
    begin(s, cluster_core(ours, cluster_primary(ours))->applied + 1);
    assert_int_equal(VSTAMP_E_NOT_RUN, ask(s, 2));
    assert_int_equal(0, ask(s, 0));
    s->c = other;
    assert_int_equal(VSTAMP_E_OTHER_GROUP, ask(s, 0));
    cluster_free(other);
    s->c = ours;
    assert_int_equal(VSTAMP_E_NOT_RUN, ask(s, 2));
    int64_t sum = grow(s, 1);
    copy_from(s, 0);
    expect_sum(s, sum);
    story_end(s);
}

/* An answer with one page, or one entry, unless it has none; to be made into what no honest replica
 * gives. */
struct forged {
    struct story *s;
    struct wire_message m;
    struct wire_page page;
    struct wire_entry entry;
    bool empty;
};

/* Ask replica 0, change what it answers, and give what copier_on_frame says to that. */
static int ask_forged(struct story *s, void (*change)(struct forged *f))
{
    static uint8_t list[32768], frame[65536];
    uint8_t question[COPIER_FRAME_MAX];
    struct forged f = {.s = s};
    struct vstamp_diag diag = {0};
    struct wire_list_builder b;
    bool answered;
    size_t size = copier_ask(&s->copier, question);
    struct bytes answer = cluster_ask(s->c, 0, (struct bytes){question, size});
    assert_int_equal(0, wire_frame_decode(answer, &f.m));
    struct wire_checkpoint *checkpoint = &f.m.as.checkpoint;
    struct wire_committed *committed = &f.m.as.committed;
    bool pages = f.m.header.command == WIRE_checkpoint;
    struct reader r = wire_list_start(pages ? &checkpoint->pages : &committed->entries);
    if (pages) wire_list_next(&wire_shape_page, &r, &f.page);
    else wire_list_next(&wire_shape_entry, &r, &f.entry);
    change(&f);
    pages = f.m.header.command == WIRE_checkpoint;
    wire_list_begin(&b, pages ? &wire_shape_page : &wire_shape_entry, list, sizeof list);
    if (!f.empty) assert_true(wire_list_add(&b, pages ? (void *)&f.page : (void *)&f.entry));
    *(pages ? &checkpoint->pages : &committed->entries) = wire_list_end(&b);
    size = wire_frame_encode(&f.m.header, f.m.shape, &f.m.as, frame, sizeof frame);
    assert_true(size > 0);
    int rv = copier_on_frame(&s->copier, (struct bytes){frame, size}, &s->file, &answered, &diag);
    assert_int_equal(rv != 0, answered);
    return rv;
}

/* It comes when something else was asked. */
static void forge_late(struct forged *f)
{
    uint8_t question[COPIER_FRAME_MAX];
    copier_ask(&f->s->copier, question);
}

static void forge_no_group(struct forged *f)
{
    f->m.header.group = (struct vstamp_id){0};
}

static void forge_group(struct forged *f)
{
    f->m.header.group.lo ^= 1;
}

static void forge_command(struct forged *f)
{
    uint64_t nonce = f->m.as.checkpoint.nonce;
    f->m.header.command = WIRE_committed;
    f->m.shape = &wire_shape_committed;
    f->m.as.committed = (struct wire_committed){.nonce = nonce};
    f->empty = true;
}

static void forge_form(struct forged *f)
{
    f->m.as.checkpoint.form.max_clients++;
}

static void forge_name(struct forged *f)
{
    static const uint8_t name[200] = "x";
    f->m.as.checkpoint.form.application = (struct bytes){name, sizeof name};
}

static void forge_first(struct forged *f)
{
    f->page.number = ++f->m.as.checkpoint.first;
}

static void forge_step_back(struct forged *f)
{
    f->m.as.checkpoint.next = f->m.as.checkpoint.first - 1;
    f->empty = true;
}

static void forge_no_step(struct forged *f)
{
    f->m.as.checkpoint.next = f->m.as.checkpoint.first;
    f->empty = true;
}

static void forge_next(struct forged *f)
{
    f->m.as.checkpoint.next = f->m.as.checkpoint.total + 1;
}

/* There is no room for the hashes of so many. */
static void forge_total(struct forged *f)
{
    f->m.as.checkpoint.total = f->m.as.checkpoint.next = PAGES_MAX + 1;
}

static void forge_op(struct forged *f)
{
    f->m.as.checkpoint.anchor.op = NUMBER_MAX + 1;
}

static void forge_no_op(struct forged *f)
{
    f->m.as.checkpoint.anchor.op = 0;
}

static void forge_page_before(struct forged *f)
{
    f->page.number = f->m.as.checkpoint.first - 1;
}

static void forge_page_behind(struct forged *f)
{
    f->page.number = f->m.as.checkpoint.next;
}

static void forge_page_size(struct forged *f)
{
    f->page.content.size = VSTAMP_PAGE_SIZE - 8;
}

static void forge_after(struct forged *f)
{
    f->m.as.committed.after++;
}

static void seal_entry(struct forged *f)
{
    struct wire_entry *e = &f->entry;
    e->header.checksum = log_checksum(f->m.header.group, &e->header, e->body);
}

static void forge_entry_op(struct forged *f)
{
    f->entry.header.op++;
    seal_entry(f);
}

static void forge_entry_parent(struct forged *f)
{
    f->entry.header.parent.lo ^= 1;
    seal_entry(f);
}

static void forge_entry_body(struct forged *f)
{
    f->entry.body.size--;
}

/* Rule: nothing is taken over from an answer that makes no sense, is of others, or comes late; the
 * copy goes on as if there had been none. */
static void what_makes_no_sense_is_not_taken_over(void **unused)
{
    (void)unused;
    static const struct {
        void (*change)(struct forged *f);
        int rv;
    } in_pages[] = {
        {forge_late, 0},
        {forge_no_group, VSTAMP_E_MALFORMED},
        {forge_group, VSTAMP_E_OTHER_GROUP},
        {forge_command, VSTAMP_E_MALFORMED},
        {forge_form, VSTAMP_E_OTHER_GROUP},
        {forge_name, VSTAMP_E_MALFORMED},
        {forge_first, VSTAMP_E_MALFORMED},
        {forge_step_back, VSTAMP_E_MALFORMED},
        {forge_no_step, VSTAMP_E_MALFORMED},
        {forge_next, VSTAMP_E_MALFORMED},
        {forge_total, VSTAMP_E_MALFORMED},
        {forge_op, VSTAMP_E_MALFORMED},
        {forge_no_op, VSTAMP_E_MALFORMED},
        {forge_page_before, VSTAMP_E_MALFORMED},
        {forge_page_behind, VSTAMP_E_MALFORMED},
        {forge_page_size, VSTAMP_E_MALFORMED},
    }, in_entries[] = {
        {forge_late, 0},
        {forge_group, VSTAMP_E_OTHER_GROUP},
        {forge_after, VSTAMP_E_MALFORMED},
        {forge_entry_op, VSTAMP_E_MALFORMED},
        {forge_entry_parent, VSTAMP_E_MALFORMED},
        {forge_entry_body, VSTAMP_E_MALFORMED},
    };
    struct story *s = story_new(1, CLUSTER_MEMORY);
    for (int i = 0; i < 8; i++) put_large(s, (const char[]){(char)('a' + i), 0}, i);
    grow(s, 12);
    begin(s, cluster_core(s->c, 0)->applied + 1);
    assert_int_equal(0, ask(s, 0));
    int64_t sum = grow(s, 1);
    assert_true(s->copier.page > 0 && s->copier.page < s->copier.total);
    for (size_t i = 0; i < sizeof in_pages / sizeof in_pages[0]; i++)
        assert_int_equal(in_pages[i].rv, ask_forged(s, in_pages[i].change));
    while (s->copier.phase == COPIER_PAGES) assert_int_equal(0, ask(s, 0));
    assert_int_equal(COPIER_ENTRIES, s->copier.phase);
    for (size_t i = 0; i < sizeof in_entries / sizeof in_entries[0]; i++)
        assert_int_equal(in_entries[i].rv, ask_forged(s, in_entries[i].change));
    copy_from(s, 0);
    expect_sum(s, sum);
    story_end(s);
}

/* Rule: a copy is whole and as it was written, or it is refused. */
static void any_damage_to_a_copy_is_noticed(void **unused)
{
    (void)unused;
    struct vstamp_diag diag = {0};
    struct story *s = story_new(1, CLUSTER_MEMORY);
    grow(s, 20);
    begin(s, cluster_core(s->c, 0)->applied);
    copy_from(s, 0);
    for (size_t i = 0; i < s->file.size; i++) {
        s->file.start[i] ^= 0x10;
        assert_int_not_equal(0, copy_open(&s->copy, (struct bytes){s->file.start, s->file.size},
                                          &diag));
        s->file.start[i] ^= 0x10;
        assert_int_not_equal(0, copy_open(&s->copy, (struct bytes){s->file.start, i}, &diag));
    }
    memset(s->file.start + s->file.size, 0, 8);
    s->file.size += 8;
    assert_int_equal(VSTAMP_E_CORRUPT, load(s, &diag));
    s->file.size -= 8;
    expect_sum(s, 20);
    story_end(s);
}

/* Rule: members made one by one of one copy are one group, with its state and no sessions. */
static void a_new_group_begins_with_the_copy(void **unused)
{
    (void)unused;
    struct story *s = story_new(3, CLUSTER_MEMORY);
    int64_t sum = grow(s, 25);
    struct vstamp_id former = cluster_core(s->c, 0)->group;
    begin(s, cluster_core(s->c, cluster_primary(s->c))->applied);
    copy_from(s, 1);
    expect_sum(s, sum);
    for (uint8_t n = 1; n <= 5; n += 2) {
        struct cluster *c = cluster_new_blank(n, CLUSTER_DISK);
        for (uint8_t i = 0; i < n; i++) cluster_restore(c, i, &s->copy);
        for (uint8_t i = 0; i < n; i++) cluster_start(c, i);
        assert_true(cluster_converge(c));
        uint8_t primary = cluster_primary(c);
        assert_int_equal(s->copy.op, cluster_core(c, primary)->applied);
        assert_false(vstamp_id_equal(former, cluster_core(c, primary)->group));
        assert_int_equal(sum, cluster_read(c, primary, 100));
        struct kv_op op = cluster_incr_op();
        cluster_send_op(c, 1, s->session, s->number + 1, primary, &op);
        cluster_settle(c);
        assert_int_equal(WIRE_REJECT_EVICTED,
                         cluster_answer(c, 1, s->number + 1, KV_INCR).reason);
        uint64_t session = cluster_register(c, 2, primary);
        assert_int_equal(sum + 1, cluster_incr(c, 2, session, 1, primary));
        for (uint8_t i = 0; i < n; i++) cluster_crash(c, i);
        for (uint8_t i = 0; i < n; i++) cluster_start(c, i);
        assert_true(cluster_converge(c));
        assert_int_equal(sum + 1, cluster_read(c, cluster_primary(c), 100));
        cluster_free(c);
    }
    story_end(s);
}

/* Rule: a majority of restored members is a group; the rest may come blank and recover from it. */
static void a_blank_member_joins_a_restored_majority(void **unused)
{
    (void)unused;
    struct story *s = story_new(1, CLUSTER_MEMORY);
    int64_t sum = grow(s, 25);
    begin(s, cluster_core(s->c, 0)->applied);
    copy_from(s, 0);
    expect_sum(s, sum);
    struct cluster *c = cluster_new_blank(3, CLUSTER_DISK);
    cluster_restore(c, 1, &s->copy);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    cluster_run(c, 3000);
    assert_int_equal(VR_RECOVERING, cluster_core(c, 0)->status); /* one of three is not enough */
    cluster_crash(c, 2);
    cluster_wipe(c, 2);
    cluster_restore(c, 2, &s->copy);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    assert_int_equal(sum, cluster_read(c, cluster_primary(c), 100));
    cluster_free(c);
    story_end(s);
}

/* Rule: a witness has nothing to copy; one that is restored begins with the log behind the copy,
 * and may become active. */
static void witnesses_are_passed_over_and_restored(void **unused)
{
    (void)unused;
    struct story *s = story_new(3, CLUSTER_DISK | CLUSTER_WITNESS(2));
    int64_t sum = grow(s, 25);
    begin(s, cluster_core(s->c, cluster_primary(s->c))->applied);
    assert_int_equal(VSTAMP_E_NOT_RUN, ask(s, 2));
    copy_from(s, 1);
    expect_sum(s, sum);
    struct cluster *c = cluster_new_blank(3, CLUSTER_DISK | CLUSTER_WITNESS(2));
    for (uint8_t i = 0; i < 3; i++) cluster_restore(c, i, &s->copy);
    for (uint8_t i = 1; i < 3; i++) cluster_start(c, i); /* with the witness a majority */
    for (int i = 0; i < 100 && !vr_is_primary(cluster_core(c, 1)); i++) cluster_run(c, 20);
    assert_int_equal(sum, cluster_read(c, 1, 100));
    cluster_start(c, 0);
    assert_true(cluster_converge(c));
    uint64_t admin = cluster_register(c, 2, cluster_primary(c));
    cluster_set_witnesses(c, 0);
    assert_true(cluster_move(c, 2, admin, 1, (const uint8_t[]){0, 1, 2}, 3));
    assert_false(vr_is_witness(cluster_core(c, 2)));
    cluster_free(c);
    story_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_the_state_at_its_op_number),
        cmocka_unit_test(a_copy_waits_for_what_was_acknowledged),
        cmocka_unit_test(a_checkpoint_may_be_replaced_while_it_is_copied),
        cmocka_unit_test(a_log_that_moved_on_is_caught_up_with),
        cmocka_unit_test(a_copy_outlives_the_replica_it_came_from),
        cmocka_unit_test(a_replica_without_the_state_is_passed_over),
        cmocka_unit_test(what_makes_no_sense_is_not_taken_over),
        cmocka_unit_test(any_damage_to_a_copy_is_noticed),
        cmocka_unit_test(a_new_group_begins_with_the_copy),
        cmocka_unit_test(a_blank_member_joins_a_restored_majority),
        cmocka_unit_test(witnesses_are_passed_over_and_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

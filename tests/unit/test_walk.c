/* SPDX-License-Identifier: BSD-2-Clause */
/* A walk through a journal in memory: it finds the same however small its window is, reads little,
 * and nothing more once the disk has refused.  What it finds is tested by what uses it, too:
 * test_restore and test_folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/journal_walk.h"

#define SEGMENTS   3u
#define BLOCKS     24u /* of a segment */
#define BATCH_MAX  (3 * JOURNAL_BLOCK)
#define WINDOW_MIN (BATCH_MAX + JOURNAL_BLOCK)
#define LIFE       77u

struct fixture {
    uint8_t segments[SEGMENTS][BLOCKS * JOURNAL_BLOCK];
    struct node_batch before;
    uint64_t sequence;
    struct wire_list named; /* what that one holds */
    uint8_t names[2][256];
    uint64_t number, place; /* of the next batch, */
    void (*alter)(struct wire_batch_head *head); /* whose head says something else */
    uint64_t previous_size;
    unsigned n_reads;
    size_t n_bytes;       /* that were read */
    unsigned fails_after; /* so many reads, 0: never */
    bool reads_any;       /* version of the protocol */
    char found[8192];
};

/* --- the journal ------------------------------------------------------------------------------ */

/* A batch of two entries, which fill so many blocks. */
static void put_batch(struct fixture *f, unsigned blocks)
{
    static const uint8_t filling[BATCH_MAX];
    const size_t size = blocks * JOURNAL_BLOCK - 1024;
    uint64_t sequence = ++f->sequence;
    if (f->place + blocks * JOURNAL_BLOCK > sizeof f->segments[0]) {
        f->previous_size = f->place;
        f->number++;
        f->place = 0;
    }
    struct wire_batch_head head = {.owner = {.number = f->number,
                                             .version = WIRE_NEWEST,
                                             .previous_size = f->previous_size},
                                   .life = LIFE,
                                   .sequence = sequence,
                                   .before_number = f->before.number,
                                   .before_place = f->before.place,
                                   .before_size = f->before.size,
                                   .before_head = f->before.head,
                                   .before_life = LIFE,
                                   .before = f->named};
    struct writer w = writer_over(f->segments[f->number - 1] + f->place, blocks * JOURNAL_BLOCK);
    struct node_batch is = {.number = f->number, .place = f->place, .life = LIFE,
                            .head = journal_record_size(&wire_shape_batch_head, &head)};
    struct wire_list_builder names;
    wire_list_begin(&names, &wire_shape_batch_item, f->names[sequence % 2], sizeof f->names[0]);
    w.size = is.head;
    for (size_t i = 0; i < 2; i++) {
        const struct wire_entry entry = {.body = {filling, i == 0 ? 8 : size - w.size}};
        const struct wire_journal_entry record = {.entry = entry};
        size_t from = w.size;
        assert_true(journal_put(&w, journal_batch_identity(LIFE, sequence), from, JOURNAL_ENTRY,
                                &wire_shape_journal_entry, &record));
        const struct wire_batch_item item = {.kind = JOURNAL_ENTRY,
                                             .size = (uint32_t)(w.size - from)};
        assert_true(wire_list_add(&names, &item));
    }
    is.size = head.size = w.size;
    if (f->alter != NULL) f->alter(&head);
    struct writer at = writer_over(w.start, is.head);
    assert_true(journal_put(&at, f->number, f->place, JOURNAL_BATCH, &wire_shape_batch_head,
                            &head));
    f->named = wire_list_end(&names);
    f->before = is;
    f->place += blocks * JOURNAL_BLOCK;
}

static void make_journal(struct fixture *f)
{
    *f = (struct fixture){.number = 1};
    for (unsigned i = 0; f->number < SEGMENTS || f->place < 8 * JOURNAL_BLOCK; i++)
        put_batch(f, 1 + i % 3);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    if (*state == NULL) return -1;
    make_journal(*state);
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* What it has read when it fails is not to be looked at. */
static int read_segment(void *ctx, uint64_t number, uint64_t place, void *buffer, size_t size,
                        size_t *got, struct vstamp_diag *diag)
{
    struct fixture *f = ctx;
    (void)diag;
    assert_int_equal(place % JOURNAL_BLOCK, 0);
    size_t left = place < sizeof f->segments[0] ? sizeof f->segments[0] - (size_t)place : 0;
    *got = number <= SEGMENTS && left > 0 ? (size < left ? size : left) : 0;
    if (*got > 0) memcpy(buffer, f->segments[number - 1] + place, *got);
    f->n_reads++;
    f->n_bytes += *got;
    return f->fails_after > 0 && f->n_reads == f->fails_after ? VSTAMP_E_IO : 0;
}

/* --- a walk ----------------------------------------------------------------------------------- */

static void note(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct fixture *f, const char *format, ...)
{
    size_t used = strlen(f->found);
    va_list args;
    va_start(args, format);
    vsnprintf(f->found + used, sizeof f->found - used, format, args);
    va_end(args);
}

static void note_named(struct fixture *f, struct journal_walk *w, const struct journal_batch *batch)
{
    struct journal_reader r = journal_walk_records(w, batch);
    struct reader items = wire_list_start(&batch->named);
    for (uint32_t i = 0; i < batch->named.count; i++) {
        struct wire_batch_item item;
        struct bytes body;
        note(f, journal_walk_named(&r, &items, &item, &body) ? " sound" : " lost");
    }
}

static bool walk_batch(struct fixture *f, struct journal_walk *w)
{
    static const char *const words[] = {"whole", "named", "lost", "torn", "nothing"};
    struct journal_batch batch;
    enum journal_found found = journal_walk_look(w, &batch);
    if (w->rv != 0) assert_int_equal(found, JOURNAL_BATCH_NOTHING);
    note(f, "%u.%u %s", (unsigned)w->number, (unsigned)(w->place / JOURNAL_BLOCK), words[found]);
    if (found == JOURNAL_BATCH_NAMED) note_named(f, w, &batch);
    note(f, "\n");
    if (found != JOURNAL_BATCH_WHOLE && found != JOURNAL_BATCH_NAMED) return false;
    journal_walk_pass(w, &batch);
    return true;
}

/* Through a window of so many bytes; what went wrong. */
static int walk(struct fixture *f, size_t window)
{
    const struct node_source source = {.ctx = f, .read = read_segment};
    struct node_window through = {.capacity = window, .bytes = malloc(window)};
    uint8_t names[BATCH_MAX];
    struct vstamp_diag diag;
    struct journal_walk w = {.source = &source, .window = &through, .batch_size_max = BATCH_MAX,
                             .names = names, .oldest = WIRE_OLDEST,
                             .newest = f->reads_any ? 0 : WIRE_NEWEST, .diag = &diag};
    f->found[0] = '\0';
    f->n_reads = 0;
    f->n_bytes = 0;
    journal_walk_begin(&w, 1, SEGMENTS);
    for (uint64_t number = 1; number <= w.last && w.rv == 0; number++) {
        struct journal_head head;
        journal_walk_segment(&w, number, &head);
        while (w.rv == 0 && w.place < w.end && walk_batch(f, &w)) continue;
    }
    free(through.bytes);
    return w.rv;
}

/* --- tests ------------------------------------------------------------------------------------ */

static unsigned n_lines(const char *text)
{
    unsigned n = 0;
    for (; *text != '\0'; text++) n += *text == '\n';
    return n;
}

/* The batch behind one that is damaged names it, in the next segment, too. */
static void a_small_window_finds_what_a_large_one_does(void **state)
{
    struct fixture *f = *state;
    char expected[sizeof f->found];
    assert_int_equal(walk(f, sizeof f->segments[0]), 0);
    unsigned n = n_lines(f->found), newest = (SEGMENTS - 1) * BLOCKS +
                                             (unsigned)(f->before.place / JOURNAL_BLOCK);
    assert_int_equal(n, f->sequence + 1); /* and nothing behind them */
    for (unsigned block = 0; block < SEGMENTS * BLOCKS; block++) {
        uint8_t *at = f->segments[block / BLOCKS] + block % BLOCKS * JOURNAL_BLOCK;
        for (size_t place = 40; place < JOURNAL_BLOCK; place += 1800) {
            at[place] ^= 1;
            assert_int_equal(walk(f, sizeof f->segments[0]), 0);
            snprintf(expected, sizeof expected, "%s", f->found);
            if (block < newest) assert_int_equal(n_lines(expected), n);
            if (strstr(expected, "named") != NULL) {
                char begins[32];
                snprintf(begins, sizeof begins, "%u.%u named", block / BLOCKS + 1, block % BLOCKS);
                bool in_head = place == 40 && strstr(expected, begins) != NULL;
                assert_non_null(strstr(expected, in_head ? "named sound sound\n"
                                                         : "named sound lost\n"));
            }
            if (block == newest)
                assert_non_null(strstr(expected, place == 40 ? "nothing" : "torn"));
            for (size_t window = WINDOW_MIN; window < sizeof f->segments[0];
                 window += JOURNAL_BLOCK) {
                assert_int_equal(walk(f, window), 0);
                assert_string_equal(f->found, expected);
            }
            at[place] ^= 1;
        }
    }
}

static void what_the_disk_refuses_once_ends_it(void **state)
{
    struct fixture *f = *state;
    f->fails_after = 0;
    assert_int_equal(walk(f, WINDOW_MIN), 0);
    unsigned n = f->n_reads;
    for (f->fails_after = 1; f->fails_after <= n; f->fails_after++) {
        assert_int_equal(walk(f, WINDOW_MIN), VSTAMP_E_IO);
        assert_int_equal(f->n_reads, f->fails_after);
    }
}

static void is_former(struct wire_batch_head *head)
{
    head->owner.version = WIRE_OLDEST - 1;
}

static void is_later(struct wire_batch_head *head)
{
    head->owner.version = WIRE_NEWEST + 1;
}

static void is_elsewhere(struct wire_batch_head *head)
{
    head->owner.number++;
}

static void is_less_than_itself(struct wire_batch_head *head)
{
    head->size = 8;
}

static void is_too_large(struct wire_batch_head *head)
{
    head->size = BATCH_MAX + 1;
}

static void follows_another(struct wire_batch_head *head)
{
    head->sequence++;
}

static void was_elsewhere(struct wire_batch_head *head)
{
    head->before_number--;
}

static void was_in_another_place(struct wire_batch_head *head)
{
    head->before_place += JOURNAL_BLOCK;
}

static void was_less_than_its_head(struct wire_batch_head *head)
{
    head->before_head = head->before_size + 1;
}

static void was_too_large(struct wire_batch_head *head)
{
    head->before_size = BATCH_MAX + 1;
}

/* It checks, so that a program was wrong, or is another one. */
static void what_a_head_says_that_cannot_be_is_not_followed(void **state)
{
    static const struct {
        void (*alter)(struct wire_batch_head *head);
        bool damaged; /* the batch before it */
        int rv;
        const char *ends; /* the last line */
    } rows[] = {
        {is_former, false, VSTAMP_E_VERSION, "nothing"},
        {is_later, false, VSTAMP_E_VERSION, "nothing"},
        {is_elsewhere, false, 0, "nothing"},
        {is_less_than_itself, false, 0, "nothing"},
        {is_too_large, false, 0, "nothing"},
        {follows_another, false, 0, "nothing"},
        {was_elsewhere, false, 0, "nothing"},
        {was_in_another_place, false, 0, "nothing"},
        {was_elsewhere, true, 0, "lost"},
        {was_in_another_place, true, 0, "lost"},
        {was_less_than_its_head, true, 0, "lost"},
        {was_too_large, true, 0, "lost"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_journal(f);
        struct node_batch last = f->before;
        f->alter = rows[i].alter;
        put_batch(f, 1);
        if (rows[i].damaged) f->segments[SEGMENTS - 1][last.place + 40] ^= 1;
        assert_int_equal(walk(f, WINDOW_MIN), rows[i].rv);
        if (rows[i].rv != 0) {
            f->reads_any = true;
            assert_int_equal(walk(f, WINDOW_MIN), 0);
            continue;
        }
        const char *end = strrchr(f->found, ' ');
        assert_non_null(end);
        if (strncmp(end + 1, rows[i].ends, strlen(rows[i].ends)) != 0 ||
            n_lines(f->found) != f->sequence - rows[i].damaged)
            fail_msg("row %zu: %s", i, f->found);
    }
}

/* Of what looks like a record, larger than any batch or of another kind, in each block. */
static void what_is_no_batch_is_read_once(void **state)
{
    static const uint8_t heads[][8] = {{0xff, 0xff, 0xff, 0xff, JOURNAL_BATCH},
                                       {0, 0x2f, 0, 0, JOURNAL_ENTRY}};
    struct fixture *f = *state;
    for (size_t kind = 0; kind < 2; kind++) {
        for (unsigned block = 0; block < SEGMENTS * BLOCKS; block++)
            memcpy(f->segments[block / BLOCKS] + block % BLOCKS * JOURNAL_BLOCK, heads[kind], 8);
        assert_int_equal(walk(f, WINDOW_MIN), 0);
        assert_int_equal(f->n_bytes, sizeof f->segments);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_small_window_finds_what_a_large_one_does, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_disk_refuses_once_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_head_says_that_cannot_be_is_not_followed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_batch_is_read_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

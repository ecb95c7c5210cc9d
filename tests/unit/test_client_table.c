/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "paged.h"
#include "vr/client_table.h"

#define NEWEST 1000u /* op-number of the state */
#define MAX_CLIENTS 20u
#define MAX_ANSWER 300u

/* A slot is 72 bytes and 300 of answer, rounded up to 64: ten to a page. */
#define SLOT_SIZE 384u
#define SLOTS_PER_PAGE 10u

struct fixture {
    struct paged paged;
    struct client_table *table;
};

static struct client_table *table_over(struct paged *paged, uint32_t max_clients)
{
    return client_table_new(&paged->arena, &paged->pages, max_clients, MAX_ANSWER);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    paged_open(&f->paged, client_table_pages(MAX_CLIENTS, MAX_ANSWER), 65536);
    f->table = table_over(&f->paged, MAX_CLIENTS);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    paged_close(&f->paged);
    free(f);
    return 0;
}

static struct vstamp_id id(uint64_t n)
{
    return (struct vstamp_id){n * 3, n};
}

static uint8_t *slot(struct fixture *f, uint32_t n)
{
    return pages_write(&f->paged.pages, n / SLOTS_PER_PAGE) + n % SLOTS_PER_PAGE * SLOT_SIZE;
}

static bool add(struct client_table *t, uint64_t client, uint64_t number, uint64_t op)
{
    struct client_record r;
    bool evicted;
    client_table_register(t, id(client), number, op, &r, &evicted);
    assert_true(vstamp_id_equal(r.client, id(client)));
    return evicted;
}

static void note(struct client_table *t, uint64_t client, uint64_t number, uint64_t op,
                 const char *answer)
{
    client_table_note(t, id(client), number, 0, op, WIRE_OUTCOME_ANSWERED, bytes_of(answer));
}

static void assert_answer(const struct client_record *r, const char *answer)
{
    assert_true(bytes_equal(r->answer, bytes_of(answer)));
}

static void the_table_takes_as_many_pages_as_its_slots_need(void **state)
{
    (void)state;
    assert_int_equal(client_table_pages(1, 256), 1);
    assert_int_equal(client_table_pages(SLOTS_PER_PAGE, MAX_ANSWER), 1);
    assert_int_equal(client_table_pages(SLOTS_PER_PAGE + 1, MAX_ANSWER), 2);
    assert_int_equal(client_table_pages(7, 3584), 7);
}

static void a_counting_arena_learns_the_size_that_is_taken(void **state)
{
    struct fixture *f = *state;
    struct arena count;
    arena_init(&count, NULL, 0);
    assert_null(client_table_new(&count, &f->paged.pages, MAX_CLIENTS, MAX_ANSWER));
    size_t before = f->paged.arena.used;
    assert_non_null(table_over(&f->paged, MAX_CLIENTS));
    assert_int_equal(f->paged.arena.used - before, count.used);
}

static void a_registered_client_is_found_and_a_stranger_is_not(void **state)
{
    struct fixture *f = *state;
    struct client_record r;
    bool evicted;
    assert_false(client_table_find(f->table, id(1), &r));
    client_table_register(f->table, id(1), 4, 17, &r, &evicted);
    assert_false(evicted);
    assert_true(client_table_find(f->table, id(1), &r));
    assert_int_equal(r.session, 17);
    assert_int_equal(r.register_number, 4);
    assert_int_equal(r.number, 0);
    assert_int_equal(r.op, 0);
    assert_int_equal(r.since, 17);
    assert_int_equal(r.answer.size, 0);
    assert_false(client_table_find(f->table, id(2), &r));
    assert_int_equal(client_table_count(f->table), 1);
}

static void a_client_met_anew_is_known_since_then_however_often_it_registers(void **state)
{
    struct fixture *f = *state;
    struct client_record r;
    bool evicted;
    add(f->table, 1, 1, 10);
    for (uint64_t c = 2; c <= MAX_CLIENTS + 1; c++) add(f->table, c, 1, 10 + c); /* evicts it */
    client_table_register(f->table, id(1), 2, 90, &r, &evicted);
    assert_int_equal(r.since, 90);
    client_table_register(f->table, id(1), 2, 91, &r, &evicted); /* the answer was lost */
    assert_int_equal(r.since, 90);
    client_table_register(f->table, id(1), 3, 92, &r, &evicted);
    assert_int_equal(r.session, 92);
    assert_int_equal(r.since, 90);
    note(f->table, 1, 1, 93, "answer");
    assert_true(client_table_find(f->table, id(1), &r));
    assert_int_equal(r.since, 90);
}

static void registering_again_keeps_the_last_request_and_its_answer(void **state)
{
    struct fixture *f = *state;
    struct client_record r;
    bool evicted;
    add(f->table, 1, 1, 10);
    note(f->table, 1, 1, 11, "one");
    note(f->table, 1, 2, 12, "two");
    client_table_register(f->table, id(1), 2, 20, &r, &evicted);
    assert_false(evicted);
    assert_int_equal(r.session, 20);
    assert_int_equal(r.register_number, 2);
    assert_int_equal(r.number, 2);
    assert_int_equal(r.op, 12);
    assert_answer(&r, "two");
    assert_int_equal(client_table_count(f->table), 1);
}

static void a_duplicate_registration_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct client_record r;
    bool evicted;
    add(f->table, 1, 5, 10);
    add(f->table, 2, 1, 11);
    struct vstamp_id before = pages_digest(&f->paged.pages);
    client_table_register(f->table, id(1), 5, 12, &r, &evicted);
    assert_int_equal(r.session, 10);
    client_table_register(f->table, id(1), 4, 13, &r, &evicted);
    assert_int_equal(r.session, 10);
    assert_true(vstamp_id_equal(before, pages_digest(&f->paged.pages)));
}

static void a_shorter_answer_leaves_nothing_of_a_longer_one(void **state)
{
    struct fixture *f = *state;
    struct paged other;
    paged_open(&other, client_table_pages(MAX_CLIENTS, MAX_ANSWER), 65536);
    struct client_table *t = table_over(&other, MAX_CLIENTS);
    add(f->table, 1, 1, 10);
    note(f->table, 1, 1, 11, "a long answer");
    note(f->table, 1, 2, 12, "short");
    add(t, 1, 1, 10);
    note(t, 1, 1, 11, "other");
    note(t, 1, 2, 12, "short");
    assert_true(vstamp_id_equal(pages_digest(&f->paged.pages), pages_digest(&other.pages)));
    paged_close(&other);
}

static void an_answer_of_the_largest_size_fits(void **state)
{
    struct fixture *f = *state;
    struct client_record r;
    uint8_t answer[MAX_ANSWER];
    memset(answer, 0xab, sizeof answer);
    for (uint64_t c = 0; c < MAX_CLIENTS; c++) {
        add(f->table, c, 1, c + 1);
        client_table_note(f->table, id(c), 1, 0, 100 + c, WIRE_OUTCOME_ANSWERED,
                          (struct bytes){answer, sizeof answer});
    }
    for (uint64_t c = 0; c < MAX_CLIENTS; c++) {
        assert_true(client_table_find(f->table, id(c), &r));
        assert_int_equal(r.op, 100 + c);
        assert_true(bytes_equal(r.answer, (struct bytes){answer, sizeof answer}));
    }
}

static void the_client_that_executed_longest_ago_is_evicted(void **state)
{
    struct fixture *f = *state;
    struct client_record r;
    uint64_t op = 1;
    for (uint64_t c = 0; c < MAX_CLIENTS; c++) assert_false(add(f->table, c, 1, op++));
    note(f->table, 0, 1, op++, "used again");
    add(f->table, 1, 2, op++); /* a registration is an operation too */
    add(f->table, 2, 1, op++); /* but not a duplicate of one */
    assert_true(add(f->table, 100, 1, op++));
    assert_false(client_table_find(f->table, id(2), &r));
    assert_true(add(f->table, 101, 1, op++));
    assert_false(client_table_find(f->table, id(3), &r));
    assert_true(client_table_find(f->table, id(0), &r));
    assert_true(client_table_find(f->table, id(1), &r));
    assert_int_equal(client_table_count(f->table), MAX_CLIENTS);
}

static void an_evicted_client_that_comes_back_is_a_new_one(void **state)
{
    struct fixture *f = *state;
    struct client_record r;
    bool evicted;
    uint64_t op = 1;
    add(f->table, 500, 1, op++);
    note(f->table, 500, 9, op++, "nine");
    for (uint64_t c = 0; c < MAX_CLIENTS; c++) add(f->table, c, 1, op++);
    assert_false(client_table_find(f->table, id(500), &r));
    client_table_register(f->table, id(500), 2, op, &r, &evicted);
    assert_true(evicted);
    assert_int_equal(r.number, 0);
    assert_int_equal(r.answer.size, 0);
}

static void requests_are_told_apart_by_session_and_body(void **state)
{
    (void)state;
    uint32_t request = client_table_request(7, bytes_of("body"));
    assert_int_equal(client_table_request(7, bytes_of("body")), request);
    assert_int_not_equal(client_table_request(8, bytes_of("body")), request);
    assert_int_not_equal(client_table_request(7, bytes_of("bodies")), request);
}

static void requests_of_one_batch_share_an_op_number(void **state)
{
    struct fixture *f = *state;
    for (uint64_t c = 0; c < MAX_CLIENTS; c++) add(f->table, c, 1, 7);
    for (uint64_t c = MAX_CLIENTS; c-- > 0;) note(f->table, c, 1, 8, "");
    assert_true(client_table_reload(f->table, NEWEST));
    struct client_record r;
    assert_true(add(f->table, 100, 1, 9)); /* the last client was the first of its batch */
    assert_false(client_table_find(f->table, id(MAX_CLIENTS - 1), &r));
}

static void a_reload_of_empty_pages_is_an_empty_table(void **state)
{
    struct fixture *f = *state;
    add(f->table, 1, 1, 1);
    memset(pages_write(&f->paged.pages, 0), 0, VSTAMP_PAGE_SIZE);
    assert_true(client_table_reload(f->table, NEWEST));
    assert_int_equal(client_table_count(f->table), 0);
    struct client_record r;
    assert_false(client_table_find(f->table, id(1), &r));
    assert_false(add(f->table, 1, 1, 1));
}

/* Damage that a checksum would not have told: each makes the reload fail, undone it succeeds. */
static void damaged_pages_are_not_loaded(void **state)
{
    struct fixture *f = *state;
    const struct {
        uint32_t slot, offset;
        uint8_t byte;
        const char *what;
    } cases[] = {
        {0, 0, 2, "two slots of one client"},
        {0, 57, 2, "an answer larger than its slot"},
        {0, 56, 2, "something behind the answer"},
        {1, 60, 1, "a request without a number"},
        {2, 48, 2, "used at the same time as another"},
        {2, 48, 0, "never used"},
        {2, 16, 0, "a client without a session"},
        {1, 40, 4, "an op without a number"},
        {1, 64, 0, "a client known since no op"},
        {1, 64, 3, "a client known since after its session"},
        {0, 40, 0, "a number without an op"},
        {3, 200, 1, "a free slot that is not zeros"},
        {1, 18, 1, "a session newer than the state"},
        {0, 42, 1, "an operation newer than the state"},
        {0, 39, 0x7f, "a number that nobody counts to"},
        {2, 55, 0xff, "used more often than can be"},
    };
    for (uint64_t c = 1; c <= 3; c++) { /* ids that differ in one byte */
        struct client_record r;
        bool evicted;
        struct vstamp_id client = {.hi = c, .lo = 5};
        client_table_register(f->table, client, 1, c, &r, &evicted);
    }
    client_table_note(f->table, (struct vstamp_id){1, 5}, 1, 0, 4, WIRE_OUTCOME_ANSWERED,
                      bytes_of("abc"));
    assert_true(client_table_reload(f->table, NEWEST));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *at = slot(f, cases[i].slot) + cases[i].offset;
        uint8_t old = *at;
        assert_int_not_equal(old, cases[i].byte);
        *at = cases[i].byte;
        if (client_table_reload(f->table, NEWEST)) fail_msg("loaded: %s", cases[i].what);
        assert_int_equal(client_table_count(f->table), 0);
        *at = old;
        assert_true(client_table_reload(f->table, NEWEST));
        assert_int_equal(client_table_count(f->table), 3);
    }
}

static void a_free_slot_before_one_in_use_is_damage(void **state)
{
    struct fixture *f = *state;
    for (uint64_t c = 1; c <= 3; c++) add(f->table, c, 1, c);
    memset(slot(f, 1), 0, SLOT_SIZE);
    assert_false(client_table_reload(f->table, NEWEST));
    memset(slot(f, 2), 0, SLOT_SIZE);
    assert_true(client_table_reload(f->table, NEWEST));
    assert_int_equal(client_table_count(f->table), 1);
}

static void pages_of_another_configuration_are_not_loaded(void **state)
{
    struct fixture *f = *state;
    for (uint64_t c = 1; c <= 12; c++) add(f->table, c, 1, c);
    for (uint64_t c = 1; c <= 12; c++) note(f->table, c, 1, 20 + c, "an answer");
    struct client_table *other = client_table_new(&f->paged.arena, &f->paged.pages, 20, 128);
    assert_false(client_table_reload(other, NEWEST));
    struct client_table *smaller = table_over(&f->paged, MAX_CLIENTS);
    assert_true(client_table_reload(smaller, NEWEST));
    assert_int_equal(client_table_count(smaller), 12);
}

/* Step by step, and the live table serves meanwhile. */
static void a_table_is_loaded_from_the_candidate_and_becomes_live(void **state)
{
    struct fixture *f = *state;
    struct pages *pages = &f->paged.pages;
    uint8_t fetched[VSTAMP_PAGE_SIZE];
    struct client_record r;
    for (uint64_t c = 7; c >= 3; c--) add(f->table, c, 1, 10 - c);
    memcpy(fetched, pages_read(pages, 0), sizeof fetched);
    memset(pages_write(pages, 0), 0, VSTAMP_PAGE_SIZE);
    assert_true(client_table_reload(f->table, NEWEST));
    add(f->table, 1, 1, 1);

    struct client_table *next = table_over(&f->paged, MAX_CLIENTS);
    pages_fetch_begin(pages);
    pages_fetch_put(pages, 0, fetched);
    client_table_load(next, true, NEWEST);
    uint32_t steps = 1;
    for (; client_table_load_some(next, 1) == VSTAMP_AUDIT_GOES_ON; steps++)
        assert_true(client_table_find(f->table, id(1), &r));
    assert_true(steps > MAX_CLIENTS);
    assert_true(client_table_find(f->table, id(1), &r));
    assert_true(pages_settle(pages, PAGES_CANDIDATE, UINT32_MAX));
    pages_fetch_commit(pages);
    client_table_become_live(next);
    assert_int_equal(client_table_count(next), 5);
    assert_true(client_table_find(next, id(3), &r));
    assert_false(client_table_find(next, id(1), &r));
    note(next, 3, 1, 20, "an answer");
    assert_true(client_table_find(next, id(3), &r));
    assert_answer(&r, "an answer");
}

/* A model: an array of sessions that is searched from end to end. */
#define N_IDS 40u
struct session {
    bool present;
    uint64_t session, register_number, number, op, since, used;
    char answer[MAX_ANSWER + 1];
};

struct model {
    struct session sessions[N_IDS];
    uint64_t used;
};

static bool model_register(struct model *m, uint32_t c, uint64_t number, uint64_t op)
{
    struct session *s = &m->sessions[c];
    uint32_t n = 0, oldest = N_IDS;
    if (s->present && number <= s->register_number) return false;
    for (uint32_t i = 0; i < N_IDS; i++) {
        if (!m->sessions[i].present) continue;
        n++;
        if (oldest == N_IDS || m->sessions[i].used < m->sessions[oldest].used) oldest = i;
    }
    bool evict = !s->present && n == MAX_CLIENTS;
    if (evict) m->sessions[oldest] = (struct session){0};
    if (!s->present) s->since = op;
    s->present = true;
    s->session = op;
    s->register_number = number;
    s->used = ++m->used;
    return evict;
}

static void model_note(struct model *m, struct client_table *t, struct prng *rng, uint32_t c,
                       uint64_t op)
{
    struct session *s = &m->sessions[c];
    size_t size = prng_below(rng, MAX_ANSWER + 1);
    memset(s->answer, 0, sizeof s->answer);
    memset(s->answer, 'a' + (int)(op % 26), size);
    s->number += 1 + prng_below(rng, 3);
    s->op = op;
    s->used = ++m->used;
    note(t, c, s->number, op, s->answer);
}

static void assert_like_model(const struct client_table *t, const struct model *m)
{
    uint32_t n = 0;
    for (uint32_t c = 0; c < N_IDS; c++) {
        const struct session *s = &m->sessions[c];
        struct client_record r;
        assert_int_equal(client_table_find(t, id(c), &r), s->present);
        if (!s->present) continue;
        n++;
        assert_int_equal(r.session, s->session);
        assert_int_equal(r.register_number, s->register_number);
        assert_int_equal(r.number, s->number);
        assert_int_equal(r.op, s->op);
        assert_int_equal(r.since, s->since);
        assert_answer(&r, s->answer);
    }
    assert_int_equal(client_table_count(t), n);
}

static void any_history_is_like_a_searched_array_also_across_reloads(void **state)
{
    struct fixture *f = *state;
    struct prng rng;
    static struct model m;
    prng_seed(&rng, 11);
    struct client_table *reloaded = table_over(&f->paged, MAX_CLIENTS);
    struct client_table *t = f->table;
    for (uint64_t op = 1; op <= 4000; op++) {
        uint32_t c = (uint32_t)prng_below(&rng, N_IDS);
        if (m.sessions[c].present && prng_chance(&rng, 3, 4)) {
            model_note(&m, t, &rng, c, op);
        } else {
            uint64_t number = prng_between(&rng, 1, 1000);
            assert_int_equal(add(t, c, number, op), model_register(&m, c, number, op));
        }
        assert_like_model(t, &m);
        if (!prng_chance(&rng, 1, 100)) continue;
        struct client_table *old = t;
        assert_true(client_table_reload(reloaded, op));
        t = reloaded;
        reloaded = old;
        assert_like_model(t, &m);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_table_takes_as_many_pages_as_its_slots_need),
        TEST(a_counting_arena_learns_the_size_that_is_taken),
        TEST(a_registered_client_is_found_and_a_stranger_is_not),
        TEST(a_client_met_anew_is_known_since_then_however_often_it_registers),
        TEST(registering_again_keeps_the_last_request_and_its_answer),
        TEST(a_duplicate_registration_changes_nothing),
        TEST(a_shorter_answer_leaves_nothing_of_a_longer_one),
        TEST(an_answer_of_the_largest_size_fits),
        TEST(the_client_that_executed_longest_ago_is_evicted),
        TEST(an_evicted_client_that_comes_back_is_a_new_one),
        TEST(requests_are_told_apart_by_session_and_body),
        TEST(requests_of_one_batch_share_an_op_number),
        TEST(a_reload_of_empty_pages_is_an_empty_table),
        TEST(damaged_pages_are_not_loaded),
        TEST(a_free_slot_before_one_in_use_is_damage),
        TEST(pages_of_another_configuration_are_not_loaded),
        TEST(a_table_is_loaded_from_the_candidate_and_becomes_live),
        TEST(any_history_is_like_a_searched_array_also_across_reloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

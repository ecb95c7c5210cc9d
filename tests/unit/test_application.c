/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "core.h"

#define STATE_PAGES 12u
#define STATE_MAX   (64u << 10)

/* An application whose state is so many bytes. */
struct text {
    size_t size, load_size; /* taken up in pieces of load_size */
    bool refuses;
    const char *failure;
    uint8_t bytes[STATE_MAX];
};

static void save(const void *instance, struct vstamp_save *to)
{
    const struct text *t = instance;
    size_t half = t->size / 3;
    vstamp_save_bytes(to, t->bytes, half);
    vstamp_save_bytes(to, t->bytes + half, t->size - half);
}

static int load(void *instance, struct vstamp_load *from, struct vstamp_diag *why)
{
    struct text *t = instance;
    size_t n;
    if (t->refuses) {
        vstamp_diag_printf(why, "not today");
        return VSTAMP_E_IO;
    }
    uint64_t left = vstamp_load_left(from);
    t->size = 0;
    while ((n = vstamp_load_bytes(from, t->bytes + t->size, t->load_size)) > 0) {
        t->size += n;
        assert_int_equal(left - t->size, vstamp_load_left(from));
    }
    return 0;
}

static const char *failure(const void *instance)
{
    const struct text *t = instance;
    return t->failure;
}

static const struct vstamp_app app = {
    .abi = VSTAMP_APP_ABI, .name = "text", .save = save, .load = load, .failure = failure};

struct fixture {
    struct core core;
    struct text text;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    core_configure(&f->core, STATE_PAGES);
    core_open(&f->core, &app, &f->text);
    f->text.load_size = 1000;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    core_close(&f->core);
    free(f);
    return 0;
}

static void set(struct fixture *f, size_t size, uint8_t first)
{
    f->text.size = size;
    for (size_t i = 0; i < size; i++) f->text.bytes[i] = (uint8_t)(first + i * 7 % 251);
    f->core.vr.app_is_ahead = true;
}

static void assert_comes_back(struct fixture *f)
{
    struct text before = f->text;
    assert_true(vr_app_settle(&f->core.vr));
    memset(f->text.bytes, 0xee, sizeof f->text.bytes);
    f->text.size = 3;
    vr_app_resume(&f->core.vr);
    assert_false(f->core.vr.over);
    assert_int_equal(before.size, f->text.size);
    assert_memory_equal(before.bytes, f->text.bytes, before.size);
}

static void what_was_saved_is_loaded_whatever_its_size(void **state)
{
    static const size_t sizes[] = {0,    1,    4087, 4088, 4089, 8184, 8183, 8185, 20000,
                                   4088, 4089, 0,    1,    STATE_PAGES * VSTAMP_PAGE_SIZE - 8};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        set(f, sizes[i], (uint8_t)i);
        assert_comes_back(f);
    }
}

static void a_new_group_loads_nothing(void **state)
{
    struct fixture *f = *state;
    f->text.size = 17;
    vr_app_resume(&f->core.vr);
    assert_int_equal(0, f->text.size);
}

static void equal_states_are_equal_pages_whatever_was_saved_before(void **state)
{
    struct fixture *f = *state;
    struct prng prng;
    prng_seed(&prng, 1);
    set(f, 5000, 1);
    assert_true(vr_app_settle(&f->core.vr));
    struct vstamp_id digest = pages_digest(&f->core.vr.pages);
    for (int round = 0; round < 50; round++) {
        set(f, prng_below(&prng, STATE_PAGES * VSTAMP_PAGE_SIZE - 8), (uint8_t)round);
        assert_true(vr_app_settle(&f->core.vr));
        assert_false(vstamp_id_equal(digest, pages_digest(&f->core.vr.pages)));
        set(f, 5000, 1);
        assert_true(vr_app_settle(&f->core.vr));
        assert_true(vstamp_id_equal(digest, pages_digest(&f->core.vr.pages)));
    }
}

static void pages_that_stay_as_they_were_are_not_touched(void **state)
{
    struct fixture *f = *state;
    set(f, 20000, 1);
    assert_true(vr_app_settle(&f->core.vr));
    pages_checkpoint(&f->core.vr.pages);
    f->text.bytes[10000] ^= 1;
    f->core.vr.app_is_ahead = true;
    assert_true(vr_app_settle(&f->core.vr));
    uint32_t n_changed = 0;
    for (uint32_t page = 0; page < f->core.vr.config.state_pages; page++)
        n_changed += f->core.vr.pages.changed[page / 64] >> page % 64 & 1;
    assert_int_equal(1, n_changed);
}

/* D7 */
static void a_state_is_saved_when_there_is_nothing_else_to_do(void **state)
{
    struct fixture *f = *state;
    struct vr *r = &f->core.vr;
    r->status = VR_NORMAL;
    set(f, 20000, 1);
    r->now_us = r->digests.executed_us = 1000000;
    r->now_us += 30000;
    vr_digest_turn_end(r);
    assert_true(r->app_is_ahead);
    r->now_us += 60000;
    vr_digest_turn_end(r);
    assert_false(r->app_is_ahead);

    set(f, 20000, 2);
    r->config.digest_ops = 16; /* who says when has it saved then only */
    r->now_us += 1000000;
    vr_digest_turn_end(r);
    assert_true(r->app_is_ahead);
}

static void a_state_that_is_too_large_ends_the_replica(void **state)
{
    struct fixture *f = *state;
    set(f, STATE_PAGES * VSTAMP_PAGE_SIZE - 7, 1);
    assert_int_equal(STATE_PAGES * VSTAMP_PAGE_SIZE - 8, f->core.vr.limits.state_bytes);
    assert_false(vr_app_settle(&f->core.vr));
    char text[300];
    assert_non_null(strstr(vr_is_over(&f->core.vr, text, sizeof text), "a larger state_bytes_max"));
}

static void a_state_that_cannot_be_loaded_ends_the_replica(void **state)
{
    struct fixture *f = *state;
    f->text.refuses = true;
    vr_app_resume(&f->core.vr);
    char text[300];
    assert_string_equal("the application \"text\" cannot load its state at op-number 0: not today",
                        vr_is_over(&f->core.vr, text, sizeof text));
}

static void an_instance_that_failed_ends_the_replica(void **state)
{
    struct fixture *f = *state;
    set(f, 10, 1);
    f->text.failure = "its process ended";
    assert_false(vr_app_settle(&f->core.vr));
    char text[300];
    assert_string_equal("the application \"text\" cannot go on: its process ended",
                        vr_is_over(&f->core.vr, text, sizeof text));
}

static void a_row_that_is_longer_than_the_pages_is_not_taken(void **state)
{
    struct fixture *f = *state;
    assert_true(vr_app_is_row(&f->core.vr, &f->core.vr.app_pages));
    uint8_t *first = vstamp_page_write(&f->core.vr.app_pages, 0);
    memset(first, 0xff, 8);
    assert_false(vr_app_is_row(&f->core.vr, &f->core.vr.app_pages));
    vr_checkpoint_audit(&f->core.vr, f->core.vr.clients, false, 0);
    assert_int_equal(VSTAMP_AUDIT_FAILS, vr_checkpoint_audit_some(&f->core.vr));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_saved_is_loaded_whatever_its_size),
        TEST(a_new_group_loads_nothing),
        TEST(equal_states_are_equal_pages_whatever_was_saved_before),
        TEST(pages_that_stay_as_they_were_are_not_touched),
        TEST(a_state_is_saved_when_there_is_nothing_else_to_do),
        TEST(a_state_that_is_too_large_ends_the_replica),
        TEST(a_state_that_cannot_be_loaded_ends_the_replica),
        TEST(an_instance_that_failed_ends_the_replica),
        TEST(a_row_that_is_longer_than_the_pages_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

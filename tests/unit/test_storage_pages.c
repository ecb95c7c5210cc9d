/* SPDX-License-Identifier: BSD-2-Clause */
/* The store of pages by itself: what it gives back, what of it is damage, and what is not. */
#define _GNU_SOURCE /* O_TMPFILE */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "laned.h"

/* What a file of pages is found to hold: letters by page, '-' where there is none. */
struct found {
    uint64_t number;
    char head[16], pages[16];
};

static int find_head(void *ctx, uint64_t number, struct bytes head, struct vstamp_diag *diag)
{
    struct found *found = ctx;

    (void)diag;
    found->number = number;
    snprintf(found->head, sizeof found->head, "%.*s", (int)head.size, (const char *)head.data);
    return 0;
}

static int find_page(void *ctx, const struct node_page *page, struct vstamp_diag *diag)
{
    struct found *found = ctx;

    (void)diag;
    assert_true(page->number < sizeof found->pages - 1);
    for (size_t i = 1; i < VSTAMP_PAGE_SIZE; i++)
        assert_int_equal(page->content[i], page->content[0]);
    assert_int_equal(page->checksum, node_page_checksum(page->number, page->content));
    found->pages[page->number] = (char)page->content[0];
    return 0;
}

static void assert_pages(const struct fixture *f, uint64_t number, const char *head,
                         const char *pages)
{
    char path[64];
    struct found found = {.pages = "--------"};
    const struct pages_sink sink = {.ctx = &found, .head = find_head, .page = find_page};
    struct vstamp_diag diag = {0};
    bool any;

    snprintf(path, sizeof path, "%s/%s", f->folder, PAGES_NAME);
    assert_int_equal(pages_file_check(path, &diag), 0);
    assert_int_equal(pages_file_read(path, &sink, &any, &diag), 0);
    assert_int_equal(any, number != 0);
    assert_int_equal(found.number, number);
    assert_string_equal(found.head, head);
    assert_string_equal(found.pages, pages);
}

/* '-' removes a page, a blank leaves it as it is. */
static void write_pages(struct pages_file *file, const struct fixture *f, const char *pages)
{
    uint8_t content[VSTAMP_PAGE_SIZE];

    assert_int_equal(pages_file_begin(file, f->folder, 8), 0);
    for (uint32_t i = 0; i < strlen(pages); i++) {
        if (pages[i] == ' ') continue;
        memset(content, pages[i], sizeof content);
        struct node_page page = {i, node_page_checksum(i, content),
                                 pages[i] != '-' ? content : NULL};
        assert_int_equal(pages_file_keep(file, &page), 0);
    }
}

static void store_pages(const struct fixture *f, uint64_t number, const char *head,
                        const char *pages)
{
    struct pages_file file;

    write_pages(&file, f, pages);
    assert_int_equal(pages_file_put_head(&file, number, bytes_of(head)), 0);
    assert_int_equal(pages_file_commit(&file), 0);
    pages_file_close(&file);
}

static void a_checkpoint_comes_back_as_it_was_stored(void **state)
{
    struct fixture *f = *state;
    uint32_t rotten[NODE_CHECKED_PAGES], n = 7;

    assert_pages(f, 0, "", "--------"); /* there is no file */
    store_pages(f, 1, "one", "ab cd");
    assert_pages(f, 1, "one", "ab-cd---");
    store_pages(f, 2, "two", "-  C--e"); /* of which some were not there */
    assert_pages(f, 2, "two", "-b-C--e-");
    assert_int_equal(pages_file_find_rot(f->folder, 0, rotten, &n), 0);
    assert_int_equal(n, 0);
}

static void a_checkpoint_that_was_not_committed_never_was(void **state)
{
    struct fixture *f = *state;
    struct pages_file file;

    store_pages(f, 1, "one", "ab");
    write_pages(&file, f, "-Bc");
    assert_int_equal(pages_file_put_head(&file, 2, bytes_of("two")), 0);
    pages_file_close(&file);
    pages_file_close(&file);
    assert_pages(f, 1, "one", "ab------");
}

/* A transaction has room for all of the state, whatever was there before. */
static void a_checkpoint_may_be_of_all_pages(void **state)
{
    struct fixture *f = *state;

    store_pages(f, 1, "one", "abcdefgh");
    store_pages(f, 2, "two", "ABCDEFGH");
    store_pages(f, 3, "three", "hgfedcba");
    assert_pages(f, 3, "three", "hgfedcba");
}

/* LMDB would map what is not there any more, and begin an empty file anew. */
static void pages_that_were_cut_off_are_not_opened(void **state)
{
    struct fixture *f = *state;
    struct pages_file file;
    struct vstamp_diag diag;
    struct stat stat_of;
    char path[64];

    store_pages(f, 1, "one", "abcde");
    snprintf(path, sizeof path, "%s/%s", f->folder, PAGES_NAME);
    assert_int_equal(stat(path, &stat_of), 0);
    for (off_t size = stat_of.st_size - 1; size >= 0; size -= VSTAMP_PAGE_SIZE / 2 - 1) {
        assert_int_equal(truncate(path, size), 0);
        assert_int_not_equal(pages_file_open(&file, path), 0);
        pages_file_close(&file);
        assert_int_equal(pages_file_begin(&file, f->folder, 8), MDB_CORRUPTED);
        pages_file_close(&file);
        assert_int_equal(pages_file_check(path, &diag), VSTAMP_E_CORRUPT);
        assert_int_equal(stat(path, &stat_of), 0);
        assert_int_equal(stat_of.st_size, size);
    }
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(pages_file_begin(&file, f->folder, 8), MDB_CORRUPTED);
    pages_file_close(&file);
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_size, 0);
}

static void pages_that_cannot_be_opened_now_are_not_damaged(void **state)
{
    const struct pages_sink sink = {.head = find_head, .page = find_page};
    struct fixture *f = *state;
    uint32_t rotten[NODE_CHECKED_PAGES], n;
    struct vstamp_diag diag;
    char path[64];
    bool any;

    store_pages(f, 1, "one", "abcde");
    snprintf(path, sizeof path, "%s/%s", f->folder, PAGES_NAME);
    allow_files(f, false);
    int checked = pages_file_check(path, &diag), read = pages_file_read(path, &sink, &any, &diag);
    int rot = pages_file_find_rot(f->folder, 0, rotten, &n);
    allow_files(f, true);
    assert_int_equal(checked, VSTAMP_E_AGAIN);
    assert_int_equal(read, VSTAMP_E_AGAIN);
    assert_int_equal(rot, EMFILE);
}

/* --- no memory -------------------------------------------------------------------------------- */

/* A start would put it aside, and the replica be without its state; a look would end it. */
static void what_the_system_has_no_memory_for_is_not_damaged(void **state)
{
    const struct pages_sink sink = {.head = find_head, .page = find_page};
    const struct node_job look = {.kind = NODE_JOB_CHECK};
    struct fixture *f = *state;
    struct vstamp_diag diag;
    char path[64];
    bool any;

    store_pages(f, 1, "one", "abcde");
    snprintf(path, sizeof path, "%s/%s", f->folder, PAGES_NAME);
    open_fails = ENOMEM;
    int checked = pages_file_check(path, &diag);
    int read = pages_file_read(path, &sink, &any, &diag);
    bool looked = checkpoint_run(&f->lane, &look);
    open_fails = 0;
    assert_int_equal(checked, VSTAMP_E_AGAIN);
    assert_int_equal(read, VSTAMP_E_AGAIN);
    assert_true(looked);
    read_fails = ENOMEM;
    looked = checkpoint_run(&f->lane, &look);
    read_fails = 0;
    assert_true(looked);
    assert_int_equal(f->lane.n_rotten, 0);
}

/* --- damage that the cache hides -------------------------------------------------------------- */

static off_t forgotten = -1; /* from there on a file was not to be kept in the cache */

SHOWN int posix_fadvise(int fd, off_t from, off_t size, int advice)
{
    (void)fd;
    if (size == 0 && advice == POSIX_FADV_DONTNEED) forgotten = from;
    return 0;
}

/* A leaf cannot be mended, so the replica ends; a start that was shown the cache would go on, and
 * end there again. */
static void a_leaf_that_rots_under_the_cache_is_seen_by_the_next_start(void **state)
{
    struct fixture *f = *state;
    uint32_t rotten[NODE_CHECKED_PAGES], n;

    store_pages(f, 1, "one", "abcde");
    assert_int_equal(pages_file_find_rot(f->folder, 0, rotten, &n), 0);
    assert_int_equal(forgotten, -1);
    has_turned = true;
    int mdb = pages_file_find_rot(f->folder, 0, rotten, &n);
    has_turned = false;
    assert_int_equal(mdb, MDB_CORRUPTED);
    assert_int_equal(forgotten, 0);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* A file of LMDB that is sound, and yet none of ours: `size` bytes under a key, or nothing. */
static void assert_no_sense(struct fixture *f, size_t key, size_t size)
{
    static uint8_t zeros[2 * VSTAMP_PAGE_SIZE];
    struct found found = {.pages = "--------"};
    const struct pages_sink sink = {.ctx = &found, .head = find_head, .page = find_page};
    MDB_val k = {sizeof key, &key}, value = {size, zeros};
    uint32_t rotten[NODE_CHECKED_PAGES], n;
    struct vstamp_diag diag = {0};
    struct pages_file file;
    char path[64];
    bool any;

    store_pages(f, 1, "one", "abcde-g");
    assert_int_equal(pages_file_begin(&file, f->folder, 8), 0);
    if (size > 0) assert_int_equal(mdb_put(file.txn, file.table, &k, &value, 0), 0);
    else assert_int_equal(mdb_del(file.txn, file.table, &k, NULL), 0);
    assert_int_equal(pages_file_commit(&file), 0);
    pages_file_close(&file);
    snprintf(path, sizeof path, "%s/%s", f->folder, PAGES_NAME);
    assert_int_equal(pages_file_read(path, &sink, &any, &diag), VSTAMP_E_CORRUPT);
    if (size > 0 || key != PAGES_HEAD_KEY)
        assert_string_equal(diag.text, "its records make no sense");
    if (size == 0 || key != PAGES_HEAD_KEY)
        assert_int_equal(pages_file_find_rot(f->folder, 0, rotten, &n), MDB_CORRUPTED);
}

static void pages_are_of_two_records_each(void **state)
{
    struct fixture *f = *state;

    assert_no_sense(f, 4, 0);
    assert_no_sense(f, 5, 0);
    assert_no_sense(f, 13, 0); /* then the head is behind a first record */
    assert_no_sense(f, 11, PAGES_REST_SIZE);
    assert_no_sense(f, 4, PAGES_BEGIN - 1);
    assert_no_sense(f, 5, PAGES_REST_SIZE - 1);
    assert_no_sense(f, PAGES_HEAD_KEY, 0);
    assert_no_sense(f, PAGES_HEAD_KEY, 7);
}

static int find_sound_page(void *ctx, const struct node_page *page, struct vstamp_diag *diag)
{
    struct found *found = ctx;

    (void)diag;
    if (page->number >= sizeof found->pages - 1 ||
        page->checksum != node_page_checksum(page->number, page->content))
        return VSTAMP_E_CORRUPT;
    found->pages[page->number] = (char)page->content[0];
    return 0;
}

/* 0, and what a start would see; or VSTAMP_E_CORRUPT. */
static int see_pages(const char *path, struct found *found)
{
    const struct pages_sink sink = {.ctx = found, .head = find_head, .page = find_sound_page};
    struct vstamp_diag diag;
    bool any;
    int rv = pages_file_check(path, &diag);

    *found = (struct found){.pages = "--------"};
    return rv != 0 ? rv : pages_file_read(path, &sink, &any, &diag);
}

/* A damaged file is refused, or it was nothing that counts: then it can be used, too.  If what was
 * committed last is damaged it may be as before; that the journal does not follow that, the node
 * sees. */
static void a_byte_of_the_pages_that_rots_is_seen_or_does_not_matter(void **state)
{
    static uint8_t whole[64 * VSTAMP_PAGE_SIZE];
    struct fixture *f = *state;
    struct found found;
    size_t refused = 0, harmless = 0;
    char path[64];

    signal(SIGSEGV, SIG_DFL); /* cmocka's way to go on is not for the process that looks */
    signal(SIGBUS, SIG_DFL);
    store_pages(f, 1, "one", "abcde-g");
    store_pages(f, 2, "two", "--X");
    store_pages(f, 3, "three", "YZ");
    snprintf(path, sizeof path, "%s/%s", f->folder, PAGES_NAME);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ssize_t size = pread(fd, whole, sizeof whole, 0);
    assert_in_range(size, 8 * VSTAMP_PAGE_SIZE, sizeof whole - 1);
    for (ssize_t at = 0; at < size; at += at % VSTAMP_PAGE_SIZE < 64 ? 1 : 64) {
        uint8_t damaged = whole[at] ^ (uint8_t)(1 << (at + at / 64) % 4);
        assert_int_equal(pwrite(fd, &damaged, 1, at), 1);
        int rv = see_pages(path, &found);
        bool as_before = rv == 0 && found.number == 2 && strcmp(found.pages, "--Xde-g-") == 0;
        if (rv == 0 ? !as_before && strcmp(found.pages, "YZXde-g-") != 0 : rv != VSTAMP_E_CORRUPT)
            fail_msg("byte %zd: error %d, pages %s", at, rv, found.pages);
        refused += rv != 0;
        harmless += rv == 0;
        if (rv == 0) {
            store_pages(f, 4, "four", "  -DE--H");
            assert_pages(f, 4, "four", as_before ? "---DE--H" : "YZ-DE--H");
        }
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(pwrite(fd, whole, (size_t)size, 0), size);
    }
    close(fd);
    assert_true(refused > 0 && harmless > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_checkpoint_comes_back_as_it_was_stored, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_checkpoint_that_was_not_committed_never_was, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_checkpoint_may_be_of_all_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_that_were_cut_off_are_not_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_that_cannot_be_opened_now_are_not_damaged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_system_has_no_memory_for_is_not_damaged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_leaf_that_rots_under_the_cache_is_seen_by_the_next_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_are_of_two_records_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_byte_of_the_pages_that_rots_is_seen_or_does_not_matter, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The disk by itself: what its lanes make of the folder, what the store of pages gives back, and
 * what they tell of what failed.  That a group lives on that, whatever happens to the files, is
 * tested by tests/cli/vstamp-replica-disk.bats, and in which order they are synced by
 * vstamp-disk-order.bats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "replica/storage_lane.h"

struct fixture {
    char folder[32];
    struct storage storage;
    struct lane lane;
    struct rlimit files;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL) return -1;
    *state = f;
    f->lane = (struct lane){.storage = &f->storage, .fd = -1, .fetched_fd = -1};
    getrlimit(RLIMIT_NOFILE, &f->files);
    snprintf(f->folder, sizeof f->folder, "/tmp/vstamp-test-XXXXXX");
    if (mkdtemp(f->folder) == NULL) return -1;
    snprintf(f->storage.folder, sizeof f->storage.folder, "%s", f->folder);
    f->storage.folder_fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->storage.folder_fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    DIR *dir = opendir(f->folder);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        unlinkat(f->storage.folder_fd, entry->d_name, 0);
    if (dir != NULL) closedir(dir);
    if (f->lane.fd >= 0) close(f->lane.fd);
    close(f->storage.folder_fd);
    rmdir(f->folder);
    free(f);
    return 0;
}

/* May files be opened? */
static void allow_files(const struct fixture *f, bool allowed)
{
    struct rlimit limit = f->files;

    if (!allowed) limit.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void a_trail_that_is_not_kept_tells_of_what_failed_first(void **state)
{
    const struct node_job turns = {.kind = NODE_JOB_TRAIL, .number = TRAIL_TURNS};
    struct fixture *f = *state;

    allow_files(f, false);
    trail_append(&f->lane, &turns); /* and there is none that could be given another name */
    allow_files(f, true);
    assert_int_equal(f->lane.trail_errno, EMFILE);
}

static bool is_there(const struct fixture *f, const char *name)
{
    return faccessat(f->storage.folder_fd, name, F_OK, 0) == 0;
}

static void what_the_next_fetch_brings_is_kept_again(void **state)
{
    static const uint8_t page[16 + VSTAMP_PAGE_SIZE] = {[4] = 1}; /* page 0, with its content */
    const struct bytes data = {page, sizeof page};
    struct fixture *f = *state;

    allow_files(f, false);
    fetched_keep(&f->lane, data);
    allow_files(f, true);
    assert_int_equal(f->lane.fetched_errno, EMFILE);
    fetched_keep(&f->lane, data); /* of the same fetch */
    assert_false(is_there(f, STORAGE_FETCHED));
    fetched_remove(&f->lane);
    fetched_keep(&f->lane, data);
    assert_true(is_there(f, STORAGE_FETCHED));
    fetched_remove(&f->lane);
    assert_false(is_there(f, STORAGE_FETCHED));
}

/* --- files and their names -------------------------------------------------------------------- */

static ino_t inode_of(const struct fixture *f, const char *name)
{
    struct stat file;

    assert_int_equal(fstatat(f->storage.folder_fd, name, &file, 0), 0);
    return file.st_ino;
}

static void make_file(const struct fixture *f, const char *name, const char *text)
{
    int fd = openat(f->storage.folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int cut_file(const struct fixture *f, const char *name, off_t size)
{
    int fd = openat(f->storage.folder_fd, name, O_WRONLY | O_CLOEXEC), rv = ftruncate(fd, size);

    close(fd);
    return rv;
}

static void assert_holds(const struct fixture *f, const char *name, const char *text)
{
    char found[64];
    int fd = openat(f->storage.folder_fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, found, sizeof found - 1);

    assert_true(n >= 0);
    found[n] = '\0';
    close(fd);
    assert_string_equal(found, text);
}

static void segments_are_listed_by_number_and_nothing_else_is(void **state)
{
    enum { N = 150 };
    char name[STORAGE_NAME_SIZE];
    struct fixture *f = *state;
    uint64_t *numbers;
    size_t n;

    for (uint64_t i = 0; i < N; i++) {
        storage_segment_name(name, (i * 7 % N + 1) << 8);
        make_file(f, name, "");
    }
    make_file(f, "journal-100", "");
    make_file(f, "journal-00000000000000fG", "");
    make_file(f, "journal-00000000000000FF", "");
    make_file(f, "journal-00000000000000ff.old", "");
    make_file(f, STORAGE_SPARE, "");
    make_file(f, STORAGE_TRAIL_KEPT, "");
    assert_int_equal(storage_segments(&f->storage, &numbers, &n, NULL), 0);
    assert_int_equal(n, N);
    for (size_t i = 0; i < N; i++) assert_int_equal(numbers[i], (i + 1) << 8);
    free(numbers);
}

static void two_segments_of_those_removed_are_kept_and_none_that_rotted(void **state)
{
    static const char *const names[] = {"journal-0000000000000001", "journal-0000000000000002",
                                        "journal-0000000000000003", "journal-0000000000000004",
                                        "journal-0000000000000005"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 5; i++) make_file(f, names[i], names[i]);
    f->lane.unfit = 2;
    assert_true(lane_remove_below(&f->lane, 5));
    for (size_t i = 0; i < 4; i++) assert_false(is_there(f, names[i]));
    assert_holds(f, names[4], names[4]);
    assert_holds(f, STORAGE_SPARE, names[0]);
    assert_holds(f, STORAGE_SPARE_2, names[2]);
}

enum { SEGMENT = 3 * JOURNAL_BLOCK };

static void make_segment(struct fixture *f, uint64_t number)
{
    const struct node_job job = {.number = number};

    f->storage.journal.segment_size = SEGMENT;
    assert_true(segment_make(&f->lane, &job));
    assert_true(f->lane.fd >= 0);
    close(f->lane.fd);
    f->lane.fd = -1;
}

static void a_segment_is_made_of_zeros_or_of_a_spare_that_fits(void **state)
{
    static const char first[] = "journal-0000000000000001", second[] = "journal-0000000000000002",
                      third[] = "journal-0000000000000003";
    struct fixture *f = *state;
    struct vstamp_diag diag;
    struct stat file;

    make_file(f, STORAGE_SPARE, "no segment");
    make_segment(f, 1);
    assert_false(is_there(f, STORAGE_SPARE)); /* it would stand in the way of others */
    assert_false(is_there(f, STORAGE_TEMPORARY));
    assert_int_equal(fstatat(f->storage.folder_fd, first, &file, 0), 0);
    assert_int_equal(file.st_size, SEGMENT + JOURNAL_BLOCK);
    assert_int_equal(storage_check_end(&f->storage, 1, &diag), 0);

    ino_t inode = inode_of(f, first);
    make_segment(f, 1); /* as a process that was killed had made it */
    assert_int_equal(inode_of(f, first), inode);
    assert_int_equal(renameat(f->storage.folder_fd, first, f->storage.folder_fd, STORAGE_SPARE_2),
                     0);
    make_segment(f, 2);
    assert_int_equal(inode_of(f, second), inode);
    assert_false(is_there(f, STORAGE_SPARE_2));
    assert_int_equal(cut_file(f, second, SEGMENT), 0);
    assert_int_equal(storage_check_end(&f->storage, 2, &diag), VSTAMP_E_CORRUPT);
    assert_non_null(strstr(diag.text, "journal-0000000000000002: damaged: its end is missing"));
    assert_int_equal(storage_check_end(&f->storage, 3, &diag), VSTAMP_E_CORRUPT);
    make_segment(f, 2);
    assert_int_equal(storage_check_end(&f->storage, 2, &diag), 0);
    assert_int_not_equal(inode_of(f, second), inode);
    make_segment(f, 3);
    assert_true(is_there(f, third));
}

static void what_is_damaged_is_put_aside_and_the_rest_stays(void **state)
{
    static const char *const ours[] = {"journal-0000000000000001", STORAGE_SPARE, STORAGE_SPARE_2,
                                       STORAGE_FETCHED, PAGES_NAME};
    static const char *const others[] = {STORAGE_TRAIL, STORAGE_LOCK, "notes"};
    char aside[64];
    struct fixture *f = *state;
    struct vstamp_diag diag;
    bool any = true;

    for (size_t i = 0; i < 5; i++) make_file(f, ours[i], ours[i]);
    for (size_t i = 0; i < 3; i++) make_file(f, others[i], others[i]);
    assert_int_equal(storage_look_aside(&f->storage, &any, &diag), 0);
    assert_false(any);
    assert_int_equal(storage_put_aside(&f->storage, &diag), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_false(is_there(f, ours[i]));
        snprintf(aside, sizeof aside, STORAGE_ASIDE "%s", ours[i]);
        assert_holds(f, aside, ours[i]);
    }
    assert_int_equal(storage_look_aside(&f->storage, &any, &diag), 0);
    assert_true(any);
    assert_true(storage_remove_aside(&f->lane));
    for (size_t i = 0; i < 3; i++) assert_holds(f, others[i], others[i]);
    assert_int_equal(storage_look_aside(&f->storage, &any, &diag), 0);
    assert_false(any);
}

static void append_to_trail(struct fixture *f, const char *text, enum trail_then then)
{
    const struct node_job job = {
        .kind = NODE_JOB_TRAIL, .number = then, .data = bytes_of(text)};

    trail_append(&f->lane, &job);
    assert_int_equal(f->lane.trail_errno, 0);
}

static void a_trail_turns_and_is_kept_as_it_is_told(void **state)
{
    struct fixture *f = *state;

    append_to_trail(f, "1", TRAIL_GOES_ON);
    append_to_trail(f, "2", TRAIL_TURNS);
    append_to_trail(f, "3", TRAIL_IS_KEPT);
    assert_false(is_there(f, STORAGE_TRAIL));
    assert_false(is_there(f, STORAGE_TRAIL STORAGE_BEFORE));
    assert_holds(f, STORAGE_TRAIL_KEPT, "3");
    assert_holds(f, STORAGE_TRAIL_KEPT STORAGE_BEFORE, "12");
    append_to_trail(f, "4", TRAIL_IS_KEPT); /* there is none before that one */
    assert_holds(f, STORAGE_TRAIL_KEPT, "4");
    assert_false(is_there(f, STORAGE_TRAIL_KEPT STORAGE_BEFORE));
}

/* --- pages ------------------------------------------------------------------------------------ */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_trail_that_is_not_kept_tells_of_what_failed_first,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_next_fetch_brings_is_kept_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(segments_are_listed_by_number_and_nothing_else_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_segments_of_those_removed_are_kept_and_none_that_rotted,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_segment_is_made_of_zeros_or_of_a_spare_that_fits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_damaged_is_put_aside_and_the_rest_stays, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_trail_turns_and_is_kept_as_it_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_checkpoint_comes_back_as_it_was_stored, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_checkpoint_that_was_not_committed_never_was, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

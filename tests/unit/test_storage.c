/* SPDX-License-Identifier: BSD-2-Clause */
/* The disk by itself: what its lanes make of the folder, and what they tell of what failed.  The
 * store of pages has test_storage_pages.c.  That a group lives on that, whatever happens to the
 * files, is tested by tests/cli/vstamp-replica-disk.bats, and in which order they are synced by
 * vstamp-disk-order.bats. */
#define _GNU_SOURCE /* O_DIRECT, O_TMPFILE */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "laned.h"

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

/* So that it is known again: a file that is made anew may have its inode. */
static void mark(const struct fixture *f, const char *name)
{
    int fd = openat(f->storage.folder_fd, name, O_WRONLY | O_CLOEXEC);

    assert_int_equal(pwrite(fd, "mark", 4, 0), 4);
    close(fd);
}

static bool is_marked(const struct fixture *f, const char *name)
{
    char found[4] = {0};
    int fd = openat(f->storage.folder_fd, name, O_RDONLY | O_CLOEXEC);

    assert_int_equal(pread(fd, found, 4, 0), 4);
    close(fd);
    return memcmp(found, "mark", 4) == 0;
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
    make_file(f, "journal-0000000000000000", ""); /* they are counted from 1 */
    make_file(f, "journal-ffffffffffffffff", ""); /* and nobody counts that far */
    make_file(f, STORAGE_SPARE, "");
    make_file(f, STORAGE_TRAIL_KEPT, "");
    assert_int_equal(storage_segments(&f->storage, &numbers, &n, NULL), 0);
    assert_int_equal(n, N);
    for (size_t i = 0; i < N; i++) assert_int_equal(numbers[i], (i + 1) << 8);
    free(numbers);
}

/* Nobody else counts, a number at a time, from what is there to a stray file. */
static void what_is_behind_a_gap_is_not_looked_for(void **state)
{
    static const char *const names[] = {"0/journal-0000000000000001", "0/journal-00ffffffffffffff"};
    static struct vr_membership members;
    struct fixture *f = *state;
    bool retired;

    assert_int_equal(mkdirat(f->storage.folder_fd, "0", 0700), 0);
    for (size_t i = 0; i < 2; i++) make_file(f, names[i], "");
    alarm(60);
    assert_false(storage_read_membership(f->folder, 0, &members, &retired));
    alarm(0);
    for (size_t i = 0; i < 2; i++) unlinkat(f->storage.folder_fd, names[i], 0);
    assert_int_equal(unlinkat(f->storage.folder_fd, "0", AT_REMOVEDIR), 0);
}

static void what_an_error_means_is_known_of_each(void **state)
{
    static const struct {
        int error;
        bool is_full, is_refusal, passes;
    } cases[] = {
        {ENOSPC, true, false, true},   {EDQUOT, true, false, true},  {EMFILE, false, true, true},
        {ENFILE, false, true, true},   {ENOMEM, false, true, true},  {EAGAIN, false, false, true},
        {EACCES, false, true, false},  {EPERM, false, true, false},  {EIO, false, false, false},
        {ENOENT, false, false, false},
    };
    struct rlimit files, small;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int error = cases[i].error;

        assert_int_equal(storage_is_full(error), cases[i].is_full);
        assert_int_equal(storage_is_refusal(error), cases[i].is_refusal);
        assert_int_equal(storage_refused(error), cases[i].passes ? VSTAMP_E_AGAIN : VSTAMP_E_IO);
        assert_int_equal(strlen(storage_hint(error)) > 0, error == EACCES);
    }
    getrlimit(RLIMIT_FSIZE, &files);
    small = (struct rlimit){.rlim_cur = 8192, .rlim_max = files.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    int beyond[] = {storage_why(EIO, 8193), storage_why(EINVAL, 8193), storage_why(ENOSPC, 8193)};
    int within = storage_why(EIO, 8192);
    setrlimit(RLIMIT_FSIZE, &files);
    assert_int_equal(beyond[0], EFBIG);
    assert_int_equal(beyond[1], EFBIG);
    assert_int_equal(beyond[2], ENOSPC);
    assert_int_equal(within, EIO);
}

static void look(const struct fixture *f, int error, const char *part)
{
    struct storage s;
    struct vstamp_diag diag = {0};

    assert_int_equal(storage_look(&s, f->folder, NULL, &diag), error);
    storage_look_end(&s);
    if (strstr(diag.text, part) == NULL) fail_msg("said: %s", diag.text);
}

static void a_folder_is_that_of_a_replica_by_any_of_its_files(void **state)
{
    static const char *const names[] = {PAGES_NAME, "journal-0000000000000007",
                                        STORAGE_ASIDE "journal-0000000000000007"};
    static const char *const others[] = {STORAGE_LOCK, STORAGE_SPARE, STORAGE_TRAIL, "notes"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 4; i++) make_file(f, others[i], "");
    look(f, VSTAMP_E_CONFIG, "not a replica's folder");
    for (size_t i = 0; i < 3; i++) {
        make_file(f, names[i], "");
        look(f, 0, "");
        unlinkat(f->storage.folder_fd, names[i], 0);
    }
}

static void who_looks_keeps_those_away_who_write_and_they_keep_it_away(void **state)
{
    struct fixture *f = *state;
    struct storage s;
    struct vstamp_diag diag = {0};

    make_file(f, PAGES_NAME, ""); /* a copy of a folder may be without the lock's file */
    look(f, 0, "");
    assert_false(is_there(f, STORAGE_LOCK));
    make_file(f, STORAGE_LOCK, "");
    int fd = openat(f->storage.folder_fd, STORAGE_LOCK, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_SH), 0);
    look(f, 0, "");
    assert_int_equal(flock(fd, LOCK_EX), 0);
    look(f, VSTAMP_E_IO, "locked: a vstamp-replica is using this folder");
    close(fd);
    assert_int_equal(storage_look(&s, f->folder, NULL, &diag), 0);
    fd = openat(f->storage.folder_fd, STORAGE_LOCK, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    storage_look_end(&s);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
    unlinkat(f->storage.folder_fd, STORAGE_LOCK, 0);
    assert_int_equal(symlinkat(STORAGE_LOCK, f->storage.folder_fd, STORAGE_LOCK), 0);
    look(f, VSTAMP_E_IO, STORAGE_LOCK ": cannot open"); /* it leads to itself */
}

static void a_path_is_not_cut(void **state)
{
    static char path[PATH_MAX + 1];
    struct storage s;
    struct vstamp_diag diag;

    (void)state;
    memset(path, 'a', PATH_MAX - STORAGE_NAME_SIZE);
    assert_int_equal(storage_look(&s, path, NULL, &diag), VSTAMP_E_CONFIG);
    storage_look_end(&s);
    assert_int_equal(storage_open(&s, path, 0, 1, NULL, NULL, &diag), VSTAMP_E_CONFIG);
}

static void a_folder_that_is_being_made_says_so_to_its_end(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag;

    allow_files(f, false);
    int rv = storage_begin_making(&f->storage, &diag);
    allow_files(f, true);
    assert_int_equal(rv, VSTAMP_E_AGAIN);
    assert_int_equal(storage_begin_making(&f->storage, &diag), 0);
    assert_true(is_there(f, STORAGE_UNFINISHED));
    assert_int_equal(storage_end_making(&f->storage, &diag), 0);
    assert_false(is_there(f, STORAGE_UNFINISHED));
    assert_int_equal(storage_end_making(&f->storage, &diag), VSTAMP_E_IO); /* it is gone */
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

/* Past the cache, where the file system can do that, and else it is said. */
static void assert_goes_to_disk(const struct fixture *f)
{
    int fd = openat(f->storage.folder_fd, f->lane.name, O_RDONLY | O_DIRECT | O_CLOEXEC);

    if (fd >= 0) close(fd);
    assert_int_equal((fcntl(f->lane.fd, F_GETFL) & O_DIRECT) != 0, fd >= 0);
    assert_int_equal(f->lane.buffered, fd < 0);
}

static void make_segment(struct fixture *f, uint64_t number)
{
    const struct node_job job = {.number = number};

    f->storage.journal.segment_size = SEGMENT;
    assert_true(segment_make(&f->lane, &job));
    assert_true(f->lane.fd >= 0);
    assert_goes_to_disk(f);
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

    mark(f, first);
    make_segment(f, 1); /* as a process that was killed had made it */
    assert_true(is_marked(f, first));
    assert_int_equal(renameat(f->storage.folder_fd, first, f->storage.folder_fd, STORAGE_SPARE_2),
                     0);
    make_segment(f, 2);
    assert_true(is_marked(f, second));
    assert_false(is_there(f, STORAGE_SPARE_2));
    assert_int_equal(cut_file(f, second, SEGMENT), 0);
    assert_int_equal(storage_check_end(&f->storage, 2, &diag), VSTAMP_E_CORRUPT);
    assert_non_null(strstr(diag.text, "journal-0000000000000002: damaged: its end is missing"));
    assert_int_equal(storage_check_end(&f->storage, 3, &diag), VSTAMP_E_CORRUPT);
    make_segment(f, 2);
    assert_int_equal(storage_check_end(&f->storage, 2, &diag), 0);
    assert_false(is_marked(f, second));
    make_segment(f, 3);
    assert_true(is_there(f, third));
}

/* The system's own limit stops what would fill the disk. */
static void limit_size(rlim_t size)
{
    struct rlimit limit;

    signal(SIGXFSZ, size == RLIM_INFINITY ? SIG_DFL : SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void assert_not_made(struct fixture *f, uint64_t size, int why, const char *step)
{
    const struct node_job job = {.number = 1};
    unsigned open_before = count_open();

    f->storage.journal.segment_size = size;
    limit_size(2 * JOURNAL_BLOCK);
    bool made = segment_make(&f->lane, &job);
    limit_size(RLIM_INFINITY);
    assert_false(made);
    assert_int_equal(f->lane.failed_errno, why);
    assert_string_equal(f->lane.failed_step, step);
    assert_int_equal(f->lane.fd, -1);
    assert_int_equal(count_open(), open_before);
    assert_false(is_there(f, STORAGE_TEMPORARY)); /* it would take the room that is needed */
    assert_false(is_there(f, "journal-0000000000000001"));
}

static void a_segment_that_cannot_be_made_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    assert_not_made(f, SEGMENT, EFBIG, "write");
    assert_not_made(f, UINT64_C(1) << 60, ENOSPC, "find room for"); /* and nothing was tried */
}

/* --- reading ---------------------------------------------------------------------------------- */

static _Alignas(JOURNAL_BLOCK) uint8_t buffer[2 * JOURNAL_BLOCK];

/* Of two blocks that are asked for. */
static size_t read_two(struct storage_reading *r, uint64_t number, uint64_t place)
{
    struct vstamp_diag diag;
    size_t got;

    memset(buffer, 0xff, sizeof buffer);
    assert_int_equal(storage_read(r, number, place, buffer, sizeof buffer, &got, &diag), 0);
    return got;
}

static void a_segment_is_read_to_its_end_and_one_that_is_not_there_is_empty(void **state)
{
    struct fixture *f = *state;
    struct storage_reading r = {.storage = &f->storage, .fd = -1};

    make_segment(f, 1);
    make_segment(f, 2);
    assert_int_equal(cut_file(f, "journal-0000000000000002", JOURNAL_BLOCK + 904), 0);
    assert_int_equal(read_two(&r, 1, 0), 2 * JOURNAL_BLOCK);
    unsigned open_before = count_open();
    assert_int_equal(read_two(&r, 1, SEGMENT), JOURNAL_BLOCK);
    assert_int_equal(read_two(&r, 2, 0), JOURNAL_BLOCK + 904);
    assert_int_equal(read_two(&r, 2, SEGMENT), 0);
    assert_int_equal(read_two(&r, 1, 0), 2 * JOURNAL_BLOCK);
    assert_int_equal(count_open(), open_before);
    assert_int_equal(read_two(&r, 3, 0), 0);
    assert_int_equal(r.fd, -1);
}

/* A file with a hole of a TiB, which would take minutes to read, and an end that fits. */
static void make_huge(const struct fixture *f, const char *name)
{
    const off_t size = (off_t)1 << 40;
    char last[JOURNAL_BLOCK] = {0};

    snprintf(last, sizeof last, "vstamp journal segment, %lld bytes\n", (long long)size);
    make_file(f, name, "");
    int fd = openat(f->storage.folder_fd, name, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, last, sizeof last, size), sizeof last);
    close(fd);
}

static void what_is_larger_than_any_segment_is_told_at_once(void **state)
{
    static const char name[] = "journal-0000000000000001";
    static struct vr_membership members;
    struct fixture *f = *state;
    struct storage_reading r = {.storage = &f->storage, .fd = -1};
    struct vstamp_diag diag;
    bool retired;

    make_huge(f, name);
    assert_int_equal(read_two(&r, 1, STORAGE_SEGMENT_MAX - JOURNAL_BLOCK), JOURNAL_BLOCK);
    assert_int_equal(read_two(&r, 1, STORAGE_SEGMENT_MAX), 0);
    assert_int_equal(read_two(&r, 1, 2 * (uint64_t)STORAGE_SEGMENT_MAX), 0);
    close(r.fd);
    assert_int_equal(mkdirat(f->storage.folder_fd, "0", 0700), 0);
    assert_int_equal(renameat(f->storage.folder_fd, name, f->storage.folder_fd,
                              "0/journal-0000000000000001"), 0);
    alarm(60);
    assert_int_equal(storage_check_owner(f->folder, 0, "a:1", &diag), 0);
    assert_false(storage_read_membership(f->folder, 0, &members, &retired));
    assert_int_equal(storage_check_journal(f->folder, 0, &diag), VSTAMP_E_CORRUPT);
    alarm(0);
    assert_non_null(strstr(diag.text, "/0/journal-0000000000000001: damaged: larger than any"));
    make_file(f, "0/lock", "");
    int lock = openat(f->storage.folder_fd, "0/lock", O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(storage_check_journal(f->folder, 0, &diag), 0); /* whose folder changes */
    assert_int_equal(storage_check_journal(f->folder, 1, &diag), 0); /* and where there is none */
    close(lock);
    unlinkat(f->storage.folder_fd, "0/lock", 0);
    unlinkat(f->storage.folder_fd, "0/journal-0000000000000001", 0);
    assert_int_equal(unlinkat(f->storage.folder_fd, "0", AT_REMOVEDIR), 0);
}

/* Else it would pass for one that is not there, which is damage. */
static void a_segment_that_cannot_be_opened_now_is_opened_later(void **state)
{
    struct fixture *f = *state;
    struct storage_reading r = {.storage = &f->storage, .fd = -1};
    struct vstamp_diag diag;
    size_t got;

    make_segment(f, 1);
    for (int i = 0; i < 2; i++) {
        allow_files(f, false);
        int rv = storage_read(&r, 1, 0, buffer, sizeof buffer, &got, &diag);
        int whole = storage_check_end(&f->storage, 1, &diag);
        allow_files(f, true);
        assert_int_equal(rv, VSTAMP_E_AGAIN);
        assert_int_equal(got, 0);
        assert_int_equal(whole, VSTAMP_E_AGAIN);
        assert_non_null(strstr(diag.text, "journal-0000000000000001: cannot open: Too many"));
    }
    assert_int_equal(read_two(&r, 1, 0), 2 * JOURNAL_BLOCK);
    close(r.fd);
}

/* A start would put it aside, and the replica be without its state. */
static void what_there_is_no_memory_to_read_is_not_damaged(void **state)
{
    struct fixture *f = *state;
    struct storage_reading r = {.storage = &f->storage, .glances = true, .fd = -1};
    struct vstamp_diag diag;
    size_t got = 7;

    make_segment(f, 1);
    open_fails = ENOMEM;
    assert_int_equal(storage_check_end(&f->storage, 1, &diag), VSTAMP_E_AGAIN);
    open_fails = 0;
    read_fails = ENOMEM;
    int whole = storage_check_end(&f->storage, 1, &diag);
    int rv = storage_read(&r, 1, 0, buffer, sizeof buffer, &got, &diag);
    read_fails = 0;
    assert_int_equal(whole, VSTAMP_E_AGAIN);
    assert_int_equal(rv, VSTAMP_E_AGAIN);
    assert_int_equal(got, 0);
    assert_non_null(strstr(diag.text, "journal-0000000000000001: cannot read: Cannot allocate"));
    assert_int_equal(read_two(&r, 1, 0), 2 * JOURNAL_BLOCK);
    close(r.fd);
}

/* A folder in its place stands for a disk that cannot be read.  The first place is what is told. */
static void what_cannot_be_read_is_zeros(void **state)
{
    struct fixture *f = *state;
    struct storage_reading r = {.storage = &f->storage, .glances = true, .fd = -1};

    assert_int_equal(mkdirat(f->storage.folder_fd, "journal-0000000000000001", 0700), 0);
    assert_int_equal(read_two(&r, 1, JOURNAL_BLOCK), sizeof buffer);
    for (size_t i = 0; i < sizeof buffer; i++) assert_int_equal(buffer[i], 0);
    assert_int_equal(read_two(&r, 1, 3 * JOURNAL_BLOCK), sizeof buffer);
    assert_int_equal(r.failed_errno, EISDIR);
    assert_int_equal(r.failed_number, 1);
    assert_int_equal(r.failed_place, JOURNAL_BLOCK);
    close(r.fd);
    unlinkat(f->storage.folder_fd, "journal-0000000000000001", AT_REMOVEDIR);
}

/* Nor does what is before and behind it go with it. */
static void what_is_beside_a_bad_block_is_read(void **state)
{
    enum { N = 5, BAD = 2 };
    static _Alignas(JOURNAL_BLOCK) uint8_t found[N * JOURNAL_BLOCK];
    struct fixture *f = *state;
    struct storage_reading r = {.storage = &f->storage, .glances = true, .fd = -1};
    struct vstamp_diag diag;
    size_t got;

    make_segment(f, 1);
    int fd = openat(f->storage.folder_fd, "journal-0000000000000001", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < N; i++) {
        memset(found, 'a' + i, JOURNAL_BLOCK);
        assert_int_equal(pwrite(fd, found, JOURNAL_BLOCK, i * (off_t)JOURNAL_BLOCK),
                         JOURNAL_BLOCK);
    }
    close(fd);
    bad_place = BAD * JOURNAL_BLOCK + 512;
    int rv = storage_read(&r, 1, 0, found, sizeof found, &got, &diag);
    bad_place = -1;
    close(r.fd);
    assert_int_equal(rv, 0);
    assert_int_equal(got, sizeof found);
    for (int i = 0; i < N; i++)
        assert_int_equal(found[i * JOURNAL_BLOCK + 7], i == BAD ? 0 : 'a' + i);
    assert_int_equal(r.failed_errno, EIO);
    assert_int_equal(r.failed_place, BAD * JOURNAL_BLOCK);
}

/* --- looking at a segment while the replica runs ---------------------------------------------- */

/* How it ends, if `used` bytes of it are acknowledged. */
static struct node_checked look_at(struct fixture *f, uint64_t number, uint64_t used)
{
    static uint8_t names[JOURNAL_BLOCK];
    struct node_journal_check check = {.number = number, .last = number, .last_end = used,
                                       .window.bytes = buffer, .window_max = sizeof buffer,
                                       .names = names, .batch_size_max = JOURNAL_BLOCK};
    const struct node_job job = {.number = number, .check = &check};

    assert_true(journal_check(&f->lane, &job));
    return check.found;
}

static void a_segment_that_is_found_damaged_is_not_used_again(void **state)
{
    struct fixture *f = *state;

    for (uint64_t number = 1; number <= 3; number++) make_segment(f, number);
    assert_int_equal(cut_file(f, "journal-0000000000000003", SEGMENT), 0);
    unsigned open_before = count_open();
    assert_false(look_at(f, 1, 0).rotten);
    assert_int_equal(f->lane.unfit, 0);
    assert_true(look_at(f, 2, JOURNAL_BLOCK).rotten); /* it is of zeros */
    assert_int_equal(f->lane.unfit, 2);
    struct node_checked found = look_at(f, 3, 0);
    assert_true(found.rotten);
    assert_int_equal(found.number, 3);
    assert_int_equal(found.place, SEGMENT);
    assert_int_equal(f->lane.unfit, 3);
    assert_int_equal(count_open(), open_before);
}

/* --- what is put aside, and the trail --------------------------------------------------------- */

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

/* What a process that was killed in the midst of it has left must not look like a journal that ends
 * there. */
static void the_oldest_segment_is_put_aside_first_and_the_pages_last(void **state)
{
    static const char stuck[] = STORAGE_ASIDE "journal-000000000000000c";
    char name[STORAGE_NAME_SIZE];
    struct fixture *f = *state;
    struct vstamp_diag diag;

    make_file(f, PAGES_NAME, "");
    for (uint64_t number = 1; number <= 24; number++) {
        storage_segment_name(name, number);
        make_file(f, name, "");
    }
    assert_int_equal(mkdirat(f->storage.folder_fd, stuck, 0700), 0);
    assert_int_equal(storage_put_aside(&f->storage, &diag), VSTAMP_E_IO);
    for (uint64_t number = 1; number <= 24; number++) {
        storage_segment_name(name, number);
        assert_int_equal(is_there(f, name), number >= 12);
    }
    assert_true(is_there(f, PAGES_NAME));
    assert_int_equal(unlinkat(f->storage.folder_fd, stuck, AT_REMOVEDIR), 0);
    assert_int_equal(storage_put_aside(&f->storage, &diag), 0);
    assert_false(is_there(f, "journal-0000000000000018"));
    assert_false(is_there(f, PAGES_NAME));
}

static void a_trail_that_is_not_kept_tells_of_what_failed_first(void **state)
{
    const struct node_job turns = {.kind = NODE_JOB_TRAIL, .number = TRAIL_TURNS};
    struct fixture *f = *state;

    allow_files(f, false);
    trail_append(&f->lane, &turns); /* and there is none that could be given another name */
    allow_files(f, true);
    assert_int_equal(f->lane.trail_errno, EMFILE);
    make_file(f, STORAGE_TRAIL, "");
    assert_int_equal(mkdirat(f->storage.folder_fd, STORAGE_TRAIL STORAGE_BEFORE, 0700), 0);
    trail_append(&f->lane, &turns);
    assert_int_equal(f->lane.trail_errno, EISDIR);
    allow_files(f, false);
    trail_append(&f->lane, &turns);
    allow_files(f, true);
    assert_int_equal(f->lane.trail_errno, EMFILE);
    unlinkat(f->storage.folder_fd, STORAGE_TRAIL STORAGE_BEFORE, AT_REMOVEDIR);
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

/* --- room on the disk ------------------------------------------------------------------------- */

static bool is_nearly_full;

SHOWN int fstatvfs(int fd, struct statvfs *system)
{
    (void)fd;
    *system = (struct statvfs){.f_frsize = 1, .f_blocks = 1 << 30, .f_bfree = 1 << 30,
                               .f_bavail = is_nearly_full ? 64 << 20 : 1 << 30};
    return 0;
}

/* It is the checkpoint that needs it. */
static void what_may_be_lost_does_not_take_the_last_room(void **state)
{
    static const uint8_t page[16 + VSTAMP_PAGE_SIZE] = {[4] = 1};
    const struct node_job trail = {.kind = NODE_JOB_TRAIL, .data = bytes_of("one")};
    struct fixture *f = *state;

    is_nearly_full = true;
    trail_append(&f->lane, &trail);
    fetched_keep(&f->lane, (struct bytes){page, sizeof page});
    is_nearly_full = false;
    assert_int_equal(f->lane.trail_errno, ENOSPC);
    assert_holds(f, STORAGE_TRAIL, "");
    assert_int_equal(f->lane.fetched_errno, ENOSPC);
    assert_false(is_there(f, STORAGE_FETCHED));
    trail_append(&f->lane, &trail);
    assert_int_equal(f->lane.trail_errno, 0);
    assert_holds(f, STORAGE_TRAIL, "one");
}

static void a_trail_that_is_large_is_told(void **state)
{
    const struct node_job trail = {.kind = NODE_JOB_TRAIL, .data = bytes_of("one")};
    const struct node_job turns = {
        .kind = NODE_JOB_TRAIL, .data = bytes_of("one"), .number = TRAIL_TURNS};
    struct fixture *f = *state;

    make_file(f, STORAGE_TRAIL, "");
    assert_int_equal(cut_file(f, STORAGE_TRAIL, (16 << 20) - 4), 0);
    trail_append(&f->lane, &trail);
    assert_int_equal(f->lane.trail_size, 0);
    trail_append(&f->lane, &trail);
    assert_int_equal(f->lane.trail_size, (16 << 20) + 2);
    f->lane.trail_size = 0;
    trail_append(&f->lane, &turns);
    assert_int_equal(f->lane.trail_size, 0); /* it gives way to another as it is */
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
        cmocka_unit_test_setup_teardown(what_is_behind_a_gap_is_not_looked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_an_error_means_is_known_of_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_is_that_of_a_replica_by_any_of_its_files, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            who_looks_keeps_those_away_who_write_and_they_keep_it_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_is_not_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_is_being_made_says_so_to_its_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_segments_of_those_removed_are_kept_and_none_that_rotted,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_segment_is_made_of_zeros_or_of_a_spare_that_fits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_segment_that_cannot_be_made_leaves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_segment_is_read_to_its_end_and_one_that_is_not_there_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_larger_than_any_segment_is_told_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_segment_that_cannot_be_opened_now_is_opened_later, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_there_is_no_memory_to_read_is_not_damaged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_zeros, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_beside_a_bad_block_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_segment_that_is_found_damaged_is_not_used_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_damaged_is_put_aside_and_the_rest_stays, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            the_oldest_segment_is_put_aside_first_and_the_pages_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_trail_turns_and_is_kept_as_it_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_may_be_lost_does_not_take_the_last_room, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_trail_that_is_large_is_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

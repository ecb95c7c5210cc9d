/* SPDX-License-Identifier: BSD-2-Clause */
/* SQLite, replicated, as a plug-in.  Each operation is a script of SQL that every replica executes
 * in one transaction, exactly once.
 *
 *     cc -shared -fPIC $(pkg-config --cflags vstamp) -o sql.so sql.c -lsqlite3
 *     vstamp-replica --app ./sql.so --local 3
 *     vstamp --replicas ... call 'create table t (n integer, at text)'
 *     vstamp --replicas ... call "insert into t values (random(), datetime('now')) returning n"
 *     vstamp --replicas ... call --read 'select * from t'
 *
 * A row is a line with | between its columns.  A script that writes ends with the line "changed N";
 * one that fails changes nothing, and its answer begins with "error:".  A question that fails is
 * refused, and vstamp ends with status 5.
 *
 * The database is a file of one's own: a page of SQLite is a page of vstamp, behind a first one
 * that holds the file's size.  So a checkpoint costs what has changed, and a replica that was away
 * fetches the pages that differ.
 *
 * Replicas must not differ, so
 *   - the time, as datetime('now') or CURRENT_TIMESTAMP, is that of the log entry;
 *   - random() and randomblob() go on from a number that the primary chose and that is logged;
 *   - what depends on the connection or the machine is refused: PRAGMA, ATTACH, temporary tables,
 *     transactions of the script's own, changes(), last_insert_rowid(), 'localtime';
 *   - a script ends with an error after so many steps, not after so much time;
 *   - what is not content is zeros in the file (secure_delete), and a page reaches it only when its
 *     transaction is committed (cache_spill);
 *   - replicas with different versions of SQLite do not form a group: the name says which. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include <vstamp/app.h>

#define STEPS_AT_A_TIME 100000
#define STEPS_MAX       50 /* times that many; whoever waits for a replica must not give it up */
#define JULIAN_EPOCH_MS INT64_C(210866760000000) /* of 1970 */

struct database {
    sqlite3_vfs vfs;
    char name[32]; /* of the vfs */
    sqlite3 *db;   /* NULL: to be opened when it is needed */
    struct vstamp_pages *pages;
    bool writing;    /* an operation is executed */
    bool privileged; /* what runs is ours, not the script */
    int64_t now_ms;
    uint64_t random;
    int steps;
};

struct file {
    sqlite3_file base;
    struct database *database;
};

/* --- the file: vstamp's pages ----------------------------------------------------------------- */

static struct database *database_of(sqlite3_file *file)
{
    return ((struct file *)file)->database;
}

static int64_t file_size(const struct database *d)
{
    int64_t size;
    memcpy(&size, vstamp_page_read(d->pages, 0), sizeof size);
    return size;
}

static void set_file_size(struct database *d, int64_t size)
{
    memcpy(vstamp_page_write(d->pages, 0), &size, sizeof size);
}

static int64_t file_size_max(const struct database *d)
{
    return ((int64_t)vstamp_pages_max(d->pages) - 1) * VSTAMP_PAGE_SIZE;
}

static int file_close(sqlite3_file *file)
{
    (void)file;
    return SQLITE_OK;
}

/* SQLite reads and writes within one of its pages at a time. */
static int file_read(sqlite3_file *file, void *to, int size, sqlite3_int64 at)
{
    struct database *d = database_of(file);
    int64_t end = file_size(d), n = end - at < size ? end - at : size;
    size_t within = (size_t)(at % VSTAMP_PAGE_SIZE);
    if (end > file_size_max(d) || within + (size_t)size > VSTAMP_PAGE_SIZE)
        return SQLITE_IOERR_READ;
    memset(to, 0, (size_t)size);
    if (n <= 0) return SQLITE_IOERR_SHORT_READ;
    const uint8_t *page = vstamp_page_read(d->pages, 1 + (uint32_t)(at / VSTAMP_PAGE_SIZE));
    memcpy(to, page + within, (size_t)n);
    return n == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 at)
{
    struct database *d = database_of(file);
    size_t within = (size_t)(at % VSTAMP_PAGE_SIZE);
    if (!d->writing || within + (size_t)size > VSTAMP_PAGE_SIZE) return SQLITE_IOERR_WRITE;
    if (at + size > file_size_max(d)) return SQLITE_FULL;
    uint8_t *page = vstamp_page_write(d->pages, 1 + (uint32_t)(at / VSTAMP_PAGE_SIZE));
    memcpy(page + within, from, (size_t)size);
    if (at + size > file_size(d)) set_file_size(d, at + size);
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct database *d = database_of(file);
    int64_t page = (size + VSTAMP_PAGE_SIZE - 1) / VSTAMP_PAGE_SIZE;
    if (!d->writing || size % VSTAMP_PAGE_SIZE != 0) return SQLITE_IOERR_TRUNCATE;
    for (; page * VSTAMP_PAGE_SIZE < file_size(d); page++)
        memset(vstamp_page_write(d->pages, 1 + (uint32_t)page), 0, VSTAMP_PAGE_SIZE);
    set_file_size(d, size);
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return SQLITE_OK;
}

static int file_get_size(sqlite3_file *file, sqlite3_int64 *size)
{
    *size = file_size(database_of(file));
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int kind)
{
    (void)file;
    (void)kind;
    return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *file, int *reserved)
{
    (void)file;
    *reserved = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int request, void *argument)
{
    (void)file;
    (void)request;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file)
{
    (void)file;
    return VSTAMP_PAGE_SIZE;
}

static int file_traits(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {.iVersion = 1,
                                           .xClose = file_close,
                                           .xRead = file_read,
                                           .xWrite = file_write,
                                           .xTruncate = file_truncate,
                                           .xSync = file_sync,
                                           .xFileSize = file_get_size,
                                           .xLock = file_lock,
                                           .xUnlock = file_lock,
                                           .xCheckReservedLock = file_is_reserved,
                                           .xFileControl = file_control,
                                           .xSectorSize = file_sector,
                                           .xDeviceCharacteristics = file_traits};

/* Journals and what is temporary are in memory: no other file is ever wanted. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given)
{
    struct file *f = (struct file *)file;
    (void)name;
    f->base.pMethods = NULL;
    if (!(flags & SQLITE_OPEN_MAIN_DB)) return SQLITE_CANTOPEN;
    *f = (struct file){.base.pMethods = &methods, .database = vfs->pAppData};
    if (given != NULL) *given = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    (void)name;
    (void)sync;
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    (void)vfs;
    (void)name;
    (void)flags;
    *result = 0;
    return SQLITE_OK;
}

static int vfs_path(sqlite3_vfs *vfs, const char *name, int size, char *path)
{
    (void)vfs;
    snprintf(path, (size_t)size, "%s", name);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *bytes)
{
    (void)vfs;
    memset(bytes, 0, (size_t)size);
    return size;
}

static int vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *julian_ms)
{
    const struct database *d = vfs->pAppData;
    *julian_ms = JULIAN_EPOCH_MS + d->now_ms;
    return SQLITE_OK;
}

/* --- the connection --------------------------------------------------------------------------- */

static void random_bytes(struct database *d, uint8_t *to, size_t size)
{
    for (size_t i = 0; i < size; i++) { /* splitmix64, its lowest byte */
        uint64_t z = d->random += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        to[i] = (uint8_t)(z ^ z >> 31);
    }
}

static void sql_random(sqlite3_context *context, int n, sqlite3_value **values)
{
    int64_t number;
    (void)n;
    (void)values;
    random_bytes(sqlite3_user_data(context), (uint8_t *)&number, sizeof number);
    sqlite3_result_int64(context, number);
}

static void sql_randomblob(sqlite3_context *context, int n, sqlite3_value **values)
{
    int size = sqlite3_value_int(values[0]);
    (void)n;
    if (size < 1) size = 1;
    if (size > 1000000) {
        sqlite3_result_error_toobig(context);
        return;
    }
    uint8_t *bytes = sqlite3_malloc(size);
    if (bytes == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    random_bytes(sqlite3_user_data(context), bytes, (size_t)size);
    sqlite3_result_blob(context, bytes, size, sqlite3_free);
}

static bool is_one_of(const char *word, const char *const *list)
{
    while (*list != NULL && sqlite3_stricmp(word, *list) != 0) list++;
    return *list != NULL;
}

static int authorize(void *context, int action, const char *a, const char *b, const char *db,
                     const char *trigger)
{
    static const char *const of_the_connection[] = {
        "changes", "total_changes", "last_insert_rowid", "load_extension", "fts3_tokenizer", NULL};
    const struct database *d = context;
    (void)a;
    (void)db;
    (void)trigger;
    if (d->privileged) return SQLITE_OK;
    switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_PRAGMA:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE:
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
        return SQLITE_DENY;
    case SQLITE_FUNCTION:
        return is_one_of(b, of_the_connection) ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_OK;
    }
}

static int count_steps(void *context)
{
    struct database *d = context;
    return ++d->steps > STEPS_MAX;
}

/* Of ours: it has no answer. */
static int run(struct database *d, const char *sql)
{
    d->privileged = true;
    int rv = sqlite3_exec(d->db, sql, NULL, NULL, NULL);
    d->privileged = false;
    return rv;
}

static int connect_to(struct database *d)
{
    int rv = SQLITE_OK;
    d->steps = 0;
    if (d->db != NULL) return rv;
    rv = sqlite3_open_v2("database", &d->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, d->name);
    if (rv != SQLITE_OK) return rv;
    sqlite3_test_control(SQLITE_TESTCTRL_LOCALTIME_FAULT, 1);
    sqlite3_create_function(d->db, "random", 0, SQLITE_UTF8, d, sql_random, NULL, NULL);
    sqlite3_create_function(d->db, "randomblob", 1, SQLITE_UTF8, d, sql_randomblob, NULL, NULL);
    sqlite3_set_authorizer(d->db, authorize, d);
    sqlite3_progress_handler(d->db, STEPS_AT_A_TIME, count_steps, d);
    return run(d, "pragma page_size = 4096; pragma journal_mode = memory; pragma synchronous = off;"
                  "pragma temp_store = memory; pragma secure_delete = on;"
                  "pragma cache_spill = off; pragma trusted_schema = off;");
}

static void disconnect(struct database *d)
{
    sqlite3_close(d->db);
    d->db = NULL;
}

/* --- scripts ---------------------------------------------------------------------------------- */

/* False: it does not fit. */
__attribute__((format(printf, 2, 3))) static bool say(struct vstamp_answer *answer,
                                                      const char *format, ...)
{
    size_t left = answer->capacity - answer->size;
    va_list list;
    va_start(list, format);
    int n = vsnprintf((char *)answer->data + answer->size, left, format, list);
    va_end(list);
    if (n < 0 || (size_t)n >= left) return false;
    answer->size += (size_t)n;
    return true;
}

static bool say_row(struct vstamp_answer *answer, sqlite3_stmt *statement)
{
    int n = sqlite3_column_count(statement);
    for (int i = 0; i < n; i++) {
        const unsigned char *text = sqlite3_column_text(statement, i);
        if (!say(answer, "%s%s", i > 0 ? "|" : "", text != NULL ? (const char *)text : ""))
            return false;
    }
    return say(answer, "\n");
}

/* NULL, or what is wrong. */
static const char *run_statement(struct database *d, sqlite3_stmt *statement,
                                 struct vstamp_answer *answer)
{
    int rv;
    if (!d->writing && !sqlite3_stmt_readonly(statement)) return "this writes: call without --read";
    while ((rv = sqlite3_step(statement)) == SQLITE_ROW)
        if (!say_row(answer, statement)) return "the answer is too long: ask for less";
    if (rv == SQLITE_INTERRUPT) return "this takes too long";
    return rv == SQLITE_DONE ? NULL : sqlite3_errmsg(d->db);
}

static const char *run_script(struct database *d, const uint8_t *operation, size_t size,
                              struct vstamp_answer *answer)
{
    const char *at = (const char *)operation, *end = at + size, *wrong = NULL;
    while (wrong == NULL && at < end) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(d->db, at, (int)(end - at), &statement, &at) != SQLITE_OK)
            wrong = sqlite3_errmsg(d->db);
        else if (statement != NULL)
            wrong = run_statement(d, statement, answer);
        sqlite3_finalize(statement);
    }
    return wrong;
}

static void say_error(struct vstamp_answer *answer, const char *wrong)
{
    answer->size = 0;
    if (!say(answer, "error: %s\n", wrong)) say(answer, "error\n");
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct database *d = vstamp_pages_instance(pages);
    char wrong[200];
    d->pages = pages;
    d->writing = true;
    d->now_ms = (int64_t)(context->timestamp_us / 1000);
    memcpy(&d->random, context->prediction, sizeof d->random);
    /* What fails here fails for want of memory.  The others may have it: do not differ, end. */
    if (connect_to(d) != SQLITE_OK || run(d, "begin") != SQLITE_OK) abort();
    int64_t before = sqlite3_total_changes(d->db);
    const char *why = run_script(d, operation, size, answer);
    int64_t changed = sqlite3_total_changes(d->db) - before;
    if (why == NULL && !say(answer, "changed %" PRId64 "\n", changed))
        why = "the answer is too long";
    if (why == NULL && run(d, "commit") != SQLITE_OK) why = sqlite3_errmsg(d->db);
    if (sqlite3_errcode(d->db) == SQLITE_NOMEM) abort();
    if (why != NULL) {
        snprintf(wrong, sizeof wrong, "%s", why);
        if (!sqlite3_get_autocommit(d->db)) run(d, "rollback");
        say_error(answer, wrong);
    }
    d->writing = false;
}

static void query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer)
{
    struct database *d = vstamp_pages_instance(pages);
    d->pages = (struct vstamp_pages *)pages; /* that nothing is written, file_write sees to */
    d->now_ms = (int64_t)time(NULL) * 1000;
    const char *wrong = connect_to(d) != SQLITE_OK ? sqlite3_errmsg(d->db)
                                                   : run_script(d, operation, size, answer);
    if (wrong == NULL) return;
    answer->size = 0;
    answer->refused = true;
    say(answer, "%s", wrong);
}

static void predict(const struct vstamp_pages *pages, const uint64_t seed[VSTAMP_SEED_WORDS],
                    const uint8_t *operation, size_t size, struct vstamp_answer *prediction)
{
    (void)pages;
    (void)operation;
    (void)size;
    memcpy(prediction->data, seed, sizeof seed[0]);
    prediction->size = sizeof seed[0];
}

/* --- the instance ----------------------------------------------------------------------------- */

static int open_database(const char *argument, const struct vstamp_limits *limits, void **instance,
                         struct vstamp_diag *why)
{
    (void)argument;
    (void)limits;
    if (strcmp(sqlite3_libversion(), SQLITE_VERSION) != 0) {
        vstamp_diag_printf(why, "it was built for SQLite " SQLITE_VERSION ", and this is %s",
                           sqlite3_libversion());
        return VSTAMP_E_CONFIG;
    }
    struct database *d = *instance = calloc(1, sizeof *d);
    if (d == NULL || sqlite3_initialize() != SQLITE_OK) {
        vstamp_diag_printf(why, "out of memory");
        free(d);
        return VSTAMP_E_IO;
    }
    snprintf(d->name, sizeof d->name, "vstamp-%p", (void *)d);
    d->vfs = (sqlite3_vfs){.iVersion = 2,
                           .szOsFile = sizeof(struct file),
                           .mxPathname = 64,
                           .zName = d->name,
                           .pAppData = d,
                           .xOpen = vfs_open,
                           .xDelete = vfs_delete,
                           .xAccess = vfs_access,
                           .xFullPathname = vfs_path,
                           .xRandomness = vfs_randomness,
                           .xCurrentTimeInt64 = vfs_time};
    sqlite3_vfs_register(&d->vfs, 0);
    return 0;
}

static void close_database(void *instance)
{
    struct database *d = instance;
    disconnect(d);
    sqlite3_vfs_unregister(&d->vfs);
    free(d);
}

/* The pages are others now: what the connection remembers of them is void.  Of settling there is
 * nothing to do: a transaction that is committed is in the pages. */
static int resume(const struct vstamp_pages *pages, struct vstamp_diag *why)
{
    (void)why;
    disconnect(vstamp_pages_instance(pages));
    return 0;
}

const struct vstamp_app vstamp_application = {.abi = VSTAMP_APP_ABI,
                                              .name = "sqlite-" SQLITE_VERSION,
                                              .apply = apply,
                                              .query = query,
                                              .open = open_database,
                                              .close = close_database,
                                              .resume = resume,
                                              .predict = predict};

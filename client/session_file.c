/* SPDX-License-Identifier: BSD-2-Clause */
/* The file is one JSON object of mode 0600:
 *
 *   {"vstamp_session": 3, "client": ID, "group": ID, "registration": N, "session": N, "number": N,
 *    "seen": N, "epoch": N, "told": BOOL, "view": N, "replicas": TEXT, "witnesses": N,
 *    "known": TEXT, "one_request": BOOL, "last": TEXT,
 *    "pending": {"command": TEXT, "session": N, "number": N, "since": TIME, "operation": BASE64,
 *                "call": true}}
 *
 * "call" is there if it is bytes for any application; "command" is for people, and names keys,
 * never values.
 *
 * The file is replaced by rename, and a lock belongs to a file, not to its name.  So the new one is
 * locked before it takes the name; and who has got a lock looks whether the name still means the
 * file that it has locked, and begins again if not. */
#include <config.h>

#include "client/session_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/base64.h"
#include "client/memory.h"
#include "program/folders.h"
#include "program/id.h"
#include "program/whole_file.h"
#include "program/write_all.h"

#define FORMAT         3
#define FILE_BYTES_MAX (64u << 20) /* an operation in base64, and little else */

static int fail(struct vstamp_diag *diag, const char *path, const char *what)
{
    vstamp_diag_printf(diag, "%s: %s: %s", path, what, strerror(errno));
    return VSTAMP_E_IO;
}

static int damaged(struct vstamp_diag *diag, const char *path, const char *what)
{
    vstamp_diag_printf(diag, "%s: not a session file of this version (%s): name another file", path,
                       what);
    return VSTAMP_E_CONFIG;
}

static struct session_identity identity_new(void)
{
    struct session_identity identity = {.registration = 1};
    while (vstamp_id_is_zero(identity.client))
        if (getrandom(&identity.client, sizeof identity.client, 0) != sizeof identity.client)
            abort();
    return identity;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool take_number(const json_t *from, const char *name, uint64_t *number)
{
    const json_t *value = json_object_get(from, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static bool take_id(const json_t *from, const char *name, struct vstamp_id *id)
{
    const char *text = json_string_value(json_object_get(from, name));
    return text != NULL && id_parse(text, id);
}

static char *take_text(const json_t *from, const char *name)
{
    const char *text = json_string_value(json_object_get(from, name));
    return text == NULL ? NULL : memory_copy(text, strlen(text));
}

static bool take_pending(const json_t *from, struct session_pending *pending)
{
    if (from == NULL || json_is_null(from)) return true;
    const char *operation = json_string_value(json_object_get(from, "operation"));
    const char *since = json_string_value(json_object_get(from, "since"));
    if (operation == NULL || since == NULL || strlen(since) >= sizeof pending->since) return false;
    if (!take_number(from, "session", &pending->session) || pending->session == 0) return false;
    if (!take_number(from, "number", &pending->number) || pending->number == 0) return false;
    memcpy(pending->since, since, strlen(since) + 1);
    if (json_is_true(json_object_get(from, "call"))) pending->operation.kind = OPERATION_CALL;
    pending->operation.bytes.data = base64_decode(operation, &pending->operation.bytes.size);
    return pending->operation.bytes.data != NULL;
}

/* NULL, or what is wrong. */
static const char *take_all(struct session_file *f, const json_t *from)
{
    uint64_t format, epoch, witnesses;
    struct session_identity *id = &f->identity;
    if (!take_number(from, "vstamp_session", &format)) return "no vstamp_session";
    if (format != FORMAT) return "another format";
    if (!take_id(from, "client", &id->client) || vstamp_id_is_zero(id->client)) return "client";
    if (!take_id(from, "group", &id->group)) return "group";
    if (!take_number(from, "registration", &id->registration) || id->registration == 0)
        return "registration";
    if (!take_number(from, "session", &id->session)) return "session";
    if (!take_number(from, "number", &id->number)) return "number";
    if (!take_number(from, "seen", &id->seen)) return "seen";
    if (!take_number(from, "view", &id->view)) return "view";
    if (!take_number(from, "epoch", &epoch) || epoch > UINT32_MAX) return "epoch";
    if (!take_number(from, "witnesses", &witnesses)) return "witnesses";
    id->epoch = (uint32_t)epoch;
    f->witnesses = (uint32_t)witnesses;
    if (!take_pending(json_object_get(from, "pending"), &f->pending)) return "pending";
    if (session_file_is_pending(f) && id->session != 0 &&
        (f->pending.session != id->session || f->pending.number != id->number + 1))
        return "the pending request is not of this session";
    f->one_request = json_is_true(json_object_get(from, "one_request"));
    f->replicas = take_text(from, "replicas");
    f->told = json_is_true(json_object_get(from, "told"));
    if (f->told && f->replicas == NULL) return "replicas";
    f->known = take_text(from, "known");
    f->last = take_text(from, "last");
    return NULL;
}

static int read_from(struct session_file *f, int fd, const char *path, struct vstamp_diag *diag)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return fail(diag, path, "cannot look at it");
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX)
        return damaged(diag, path, "not a small regular file");
    if (st.st_size == 0) { /* just made, or its maker was killed before it wrote */
        f->identity = identity_new();
        return 0;
    }
    char *text = memory_new((size_t)st.st_size);
    ssize_t n = pread(fd, text, (size_t)st.st_size, 0);
    if (n < 0) {
        int rv = fail(diag, path, "cannot read");
        free(text);
        return rv;
    }
    json_error_t error;
    json_t *root = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (root == NULL) return damaged(diag, path, error.text);
    const char *wrong = take_all(f, root);
    json_decref(root);
    return wrong == NULL ? 0 : damaged(diag, path, wrong);
}

/* Open and lock the file that has this name once the lock is there. */
static int lock_named(const char *path, bool create, int *fd, struct vstamp_diag *diag)
{
    for (;;) {
        *fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | (create ? O_CREAT : 0), 0600);
        if (*fd < 0)
            return fail(diag, path,
                        create ? "cannot make the session file" : "cannot open the session file");
        struct stat locked, named;
        if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
            bool in_use = errno == EWOULDBLOCK;
            int rv = fail(diag, path, "cannot lock");
            if (in_use)
                vstamp_diag_printf(diag,
                                   "%s: in use by another vstamp: wait for it, or use another "
                                   "session file",
                                   path);
            close(*fd);
            return rv;
        }
        if (fstat(*fd, &locked) == 0 && stat(path, &named) == 0 && locked.st_ino == named.st_ino &&
            locked.st_dev == named.st_dev)
            return 0;
        close(*fd); /* replaced or removed meanwhile */
    }
}

/* A link stays one: if it became a file, the one that it names would be a copy. */
static char *follow_link(const char *path)
{
    struct stat st;
    char *target = lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? realpath(path, NULL) : NULL;
    return target != NULL ? target : memory_copy(path, strlen(path));
}

int session_file_open(struct session_file *f, const char *path, bool create,
                      struct vstamp_diag *diag)
{
    *f = (struct session_file){.fd = -1};
    if (path == NULL) {
        f->identity = identity_new();
        return 0;
    }
    int rv = lock_named(path, create, &f->fd, diag);
    if (rv != 0) {
        f->fd = -1;
        return rv;
    }
    f->path = follow_link(path);
    rv = read_from(f, f->fd, path, diag);
    if (rv != 0) session_file_close(f);
    return rv;
}

int session_file_peek(struct session_file *f, const char *path, struct vstamp_diag *diag)
{
    *f = (struct session_file){.fd = -1};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return fail(diag, path, "cannot open the session file");
    int rv = read_from(f, fd, path, diag);
    close(fd);
    f->path = memory_copy(path, strlen(path));
    return rv;
}

void session_file_close(struct session_file *f)
{
    if (f->fd >= 0) close(f->fd);
    operation_release(&f->pending.operation);
    free(f->path);
    free(f->replicas);
    free(f->known);
    free(f->last);
    *f = (struct session_file){.fd = -1};
}

/* --- writing ---------------------------------------------------------------------------------- */

static json_t *pending_json(const struct session_pending *pending)
{
    char *command = operation_described(pending->operation);
    char *operation = base64_encode(pending->operation.bytes);
    json_t *object = json_object();
    json_object_set_new(object, "command", json_string(command));
    json_object_set_new(object, "session", json_integer((json_int_t)pending->session));
    json_object_set_new(object, "number", json_integer((json_int_t)pending->number));
    json_object_set_new(object, "since", json_string(pending->since));
    json_object_set_new(object, "operation", json_string(operation));
    if (operation_is_call(pending->operation)) json_object_set_new(object, "call", json_true());
    free(command);
    free(operation);
    return object;
}

static char *as_json(const struct session_file *f)
{
    const struct session_identity *id = &f->identity;
    char client[ID_TEXT_SIZE], group[ID_TEXT_SIZE];
    id_print(client, id->client);
    id_print(group, id->group);
    json_t *root = json_object();
    json_object_set_new(root, "vstamp_session", json_integer(FORMAT));
    json_object_set_new(root, "client", json_string(client));
    json_object_set_new(root, "group", json_string(group));
    json_object_set_new(root, "registration", json_integer((json_int_t)id->registration));
    json_object_set_new(root, "session", json_integer((json_int_t)id->session));
    json_object_set_new(root, "number", json_integer((json_int_t)id->number));
    json_object_set_new(root, "seen", json_integer((json_int_t)id->seen));
    json_object_set_new(root, "epoch", json_integer((json_int_t)id->epoch));
    json_object_set_new(root, "told", json_boolean(f->told));
    json_object_set_new(root, "view", json_integer((json_int_t)id->view));
    json_object_set_new(root, "witnesses", json_integer((json_int_t)f->witnesses));
    json_object_set_new(root, "one_request", json_boolean(f->one_request));
    if (f->replicas != NULL) json_object_set_new(root, "replicas", json_string(f->replicas));
    if (f->known != NULL) json_object_set_new(root, "known", json_string(f->known));
    if (f->last != NULL) json_object_set_new(root, "last", json_string(f->last));
    if (session_file_is_pending(f))
        json_object_set_new(root, "pending", pending_json(&f->pending));
    char *text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL) abort();
    return text;
}

/* Not by whole_file.h, whose drafts get a new name each time where the file system has no files
 * without one: there every client that is killed would leave another, with what it asked for.  Here
 * the lock admits one writer, so that there is one name, and the next save takes what was left. */
int session_file_save(struct session_file *f, struct vstamp_diag *diag)
{
    if (f->path == NULL) return 0;
    char draft[PATH_MAX];
    if (snprintf(draft, sizeof draft, "%s.new", f->path) >= (int)sizeof draft) {
        errno = ENAMETOOLONG;
        return fail(diag, f->path, "cannot write the session file");
    }
    char *text = as_json(f);
    int fd = open(draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && fchmod(fd, 0600) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
              write_all(fd, bytes_of(text)) && fsync(fd) == 0 && rename(draft, f->path) == 0 &&
              whole_file_sync_folder(f->path) == 0;
    free(text);
    if (!ok) {
        int rv = fail(diag, f->path, "cannot write the session file");
        if (fd >= 0) {
            unlink(draft);
            close(fd);
        }
        return rv;
    }
    if (f->fd >= 0) close(f->fd);
    f->fd = fd;
    return 0;
}

static void forget_pending(struct session_file *f)
{
    operation_release(&f->pending.operation);
    f->pending = (struct session_pending){0};
}

int session_file_note(struct session_file *f, struct operation operation,
                      struct vstamp_diag *diag)
{
    forget_pending(f);
    f->pending.operation = operation_copy(operation);
    f->pending.session = f->identity.session;
    f->pending.number = f->identity.number + 1;
    time_t now = time(NULL);
    struct tm utc;
    strftime(f->pending.since, sizeof f->pending.since, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    return session_file_save(f, diag);
}

int session_file_clear(struct session_file *f, const char *how, struct vstamp_diag *diag)
{
    char *text = NULL;
    size_t size = 0;
    FILE *into = memory_stream(&text, &size);
    operation_describe(f->pending.operation, into);
    fprintf(into, ": %s", how);
    fclose(into);
    free(f->last);
    f->last = text;
    forget_pending(f);
    if (!f->one_request || f->path == NULL) return session_file_save(f, diag);
    if (unlink(f->path) != 0 && errno != ENOENT) return fail(diag, f->path, "cannot remove");
    return 0;
}

/* --- where the group is or was ---------------------------------------------------------------- */

bool session_file_knows(const struct session_file *f, const char *address)
{
    size_t size = strlen(address);
    for (const char *at = f->known; at != NULL && *at != '\0'; at += strspn(at, ",")) {
        size_t n = strcspn(at, ",");
        if (n == size && memcmp(at, address, n) == 0) return true;
        at += n;
    }
    return false;
}

void session_file_learn(struct session_file *f, const char *address)
{
    if (session_file_knows(f, address)) return;
    size_t before = f->known == NULL ? 0 : strlen(f->known), size = strlen(address);
    f->known = memory_resize(f->known, before + size + 2);
    if (before > 0) f->known[before++] = ',';
    memcpy(f->known + before, address, size + 1);
}

/* --- the state folder ------------------------------------------------------------------------- */

int session_file_state_path(char **path, const char *name, bool make, struct vstamp_diag *diag)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    bool absolute = state != NULL && state[0] == '/'; /* the standard: ignore any other */
    if (!absolute && (home == NULL || home[0] == '\0')) {
        vstamp_diag_printf(diag, "no state folder: set HOME or XDG_STATE_HOME");
        return VSTAMP_E_CONFIG;
    }
    size_t size = 0;
    char *folder = NULL;
    FILE *into = memory_stream(&folder, &size);
    fprintf(into, "%s%s/vstamp", absolute ? state : home, absolute ? "" : "/.local/state");
    fclose(into);
    int rv = make && folders_make(folder, diag) != 0 ? VSTAMP_E_IO : 0;
    if (rv == 0) {
        *path = memory_new(size + strlen(name) + 2);
        snprintf(*path, size + strlen(name) + 2, "%s/%s", folder, name);
    }
    free(folder);
    return rv;
}

int session_file_keep(struct session_file *f, struct vstamp_diag *diag)
{
    char name[64];
    snprintf(name, sizeof name, "%016" PRIx64 "-%" PRIu64 "%s", f->identity.client.hi,
             f->pending.number, SESSION_FILE_SUFFIX);
    int rv = session_file_state_path(&f->path, name, true, diag);
    if (rv != 0) return rv;
    f->one_request = true;
    return session_file_save(f, diag);
}

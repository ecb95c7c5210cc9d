/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/copy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/notation.h"
#include "program/escape.h"
#include "program/id.h"
#include "program/plug_in.h"
#include "program/progress.h"
#include "program/zeros.h"
#include "replica/app_exec.h"

#define PIPE_CHUNK (1u << 20)

int copy_file_refused(const char *what, struct vstamp_diag *diag)
{
    vstamp_diag_printf(diag, "%s: %s", what, strerror(errno));
    return VSTAMP_E_IO;
}

/* All that comes through a pipe. */
static int slurp(struct copy_file *f, int fd, const char *path, struct vstamp_diag *diag)
{
    uint8_t *data = NULL;
    size_t size = 0, capacity = 0;
    for (;;) {
        if (capacity - size < PIPE_CHUNK) {
            capacity = 2 * capacity + PIPE_CHUNK;
            uint8_t *grown = realloc(data, capacity);
            if (grown == NULL) break;
            data = grown;
        }
        ssize_t n = read(fd, data + size, capacity - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break;
        if (n == 0) {
            f->file = (struct bytes){data, size};
            return 0;
        }
        size += (size_t)n;
    }
    int rv = copy_file_refused(path, diag);
    free(data);
    return rv;
}

static int read_file(struct copy_file *f, const char *path, bool is_stdin,
                     struct vstamp_diag *diag)
{
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return copy_file_refused(path, diag);
    struct stat stat;
    int rv = 0;
    if (fstat(fd, &stat) != 0) {
        rv = copy_file_refused(path, diag);
    } else if (!S_ISREG(stat.st_mode) || is_stdin) {
        rv = slurp(f, fd, path, diag);
    } else if (stat.st_size > 0) {
        void *at = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        f->mapped = at != MAP_FAILED;
        if (f->mapped) f->file = (struct bytes){at, (size_t)stat.st_size};
        else rv = copy_file_refused(path, diag);
    }
    if (!is_stdin) close(fd);
    return rv;
}

bool copy_file_is_of_store(const struct copy_file *f)
{
    return bytes_equal(f->copy.head.form.application, bytes_of(KV_APPLICATION));
}

/* What the store says that it holds. */
static void ask_size(struct copy_file *f)
{
    uint8_t op[16], data[64];
    struct writer w = writer_over(op, sizeof op);
    struct vstamp_answer answer = {.data = data, .capacity = sizeof data};
    struct kv_answer size;
    kv_encode_op(&(struct kv_op){.verb = KV_SIZE}, &w);
    kv_app()->query(copy_pages(&f->copy), op, w.size, &answer);
    if (kv_decode_answer(KV_SIZE, (struct bytes){data, answer.size}, &size) != 0) return;
    f->n_keys = (uint64_t)size.number;
    f->n_bytes = (uint64_t)size.number2;
}

/* What goes wrong is in the sentence, too. */
static void ignore_event(void *ctx, bool wrong, const char *event, const char *const *pairs)
{
    (void)ctx;
    (void)wrong;
    (void)event;
    (void)pairs;
}

int copy_file_start_process(const struct config *config, const struct vstamp_limits *limits,
                            uint32_t answer_capacity, const struct vstamp_app **app,
                            void **instance, struct vstamp_diag *diag)
{
    const struct app_exec_options options = {
        .program = config->app_exec,
        .argument = config_app_argument(config),
        .timeout_ms = config->app_timeout_ms,
        .limits = *limits,
        .answer_capacity = answer_capacity,
        .tell = ignore_event,
    };
    struct app_exec *exec;
    signal(SIGPIPE, SIG_IGN);
    int rv = app_exec_open(&exec, &options, diag);
    if (rv != 0) return rv;
    *app = app_exec_app(exec);
    *instance = exec;
    return 0;
}

static int load_app(struct copy_file *f, const struct config *config, struct vstamp_diag *diag)
{
    bool is_process = config != NULL && config->app_exec[0] != '\0';
    bool named = config != NULL && (is_process || config->app[0] != '\0');
    const char *argument = named && !copy_file_is_of_store(f) ? config_app_argument(config) : NULL;
    struct vstamp_limits limits = copy_limits(&f->copy);
    int rv = 0;
    if (!copy_file_is_of_store(f) && is_process)
        return copy_file_start_process(config, &limits, f->copy.head.form.max_answer_bytes,
                                       &f->app, &f->copy.instance, diag);
    if (copy_file_is_of_store(f)) f->app = kv_app();
    else if (named) rv = plug_in_load(config->app, &f->app, diag);
    if (rv == 0 && f->app != NULL)
        rv = plug_in_open(f->app, argument, &limits, &f->copy.instance, diag);
    return rv;
}

static int load(struct copy_file *f, const char *path, const struct config *config,
                struct vstamp_diag *diag)
{
    int rv = load_app(f, config, diag);
    if (rv != 0 || f->app == NULL) return rv;
    f->memory_size = copy_memory(&f->copy);
    f->memory = zeros_map(f->memory_size);
    if (f->memory == NULL) return copy_file_refused(path, diag);
    rv = copy_load(&f->copy, f->memory, f->memory_size, f->app, diag);
    if (rv != 0) {
        vstamp_diag_wrap(diag, "%s", path);
        return rv;
    }
    if (copy_file_is_of_store(f)) ask_size(f);
    return 0;
}

int copy_file_open(struct copy_file *f, const char *path, const struct config *config,
                   struct vstamp_diag *diag)
{
    bool is_stdin = strcmp(path, "-") == 0;
    memset(f, 0, sizeof *f);
    if (is_stdin) path = "standard input";
    int rv = read_file(f, path, is_stdin, diag);
    if (rv != 0) return rv;
    rv = copy_open(&f->copy, f->file, diag);
    if (rv != 0) {
        vstamp_diag_wrap(diag, "%s", path);
        return rv;
    }
    return load(f, path, config, diag);
}

void copy_file_close(struct copy_file *f)
{
    zeros_unmap(f->memory, f->memory_size);
    if (f->app != NULL) plug_in_close(f->app, f->copy.instance);
    f->app = NULL;
    if (f->mapped)
        munmap((void *)f->file.data, f->file.size);
    else
        free((void *)f->file.data);
    f->memory = NULL;
    f->file = (struct bytes){0};
    f->mapped = false;
}

#define NAME_TEXT (VSTAMP_NAME_BYTES_MAX + 1)

/* Names come from a file. */
static void print_name(char text[static NAME_TEXT], struct bytes name)
{
    size_t n = name.size < NAME_TEXT ? name.size : NAME_TEXT - 1;
    if (n > 0) memcpy(text, name.data, n);
    text[n] = '\0';
    escape_plain(text);
}

void copy_file_print(const struct copy_file *f, const char *path, FILE *into)
{
    char group[ID_TEXT_SIZE], digest[ID_TEXT_SIZE];
    char taken[NOTATION_TIME_SIZE], name[NAME_TEXT];
    char bytes[PROGRESS_SIZE_TEXT], size[PROGRESS_SIZE_TEXT];
    id_print(group, f->copy.head.group);
    notation_time(taken, f->copy.head.time, false);
    print_name(name, f->copy.head.form.application);
    progress_print_size(bytes, f->n_bytes);
    progress_print_size(size, f->file.size);
    fprintf(into, "backup     %s, %s\n", path, size);
    fprintf(into, "taken      %s\n", taken);
    fprintf(into, "group      %s\n", group);
    fprintf(into, "op-number  %" PRIu64 "\n", f->copy.op);
    if (copy_file_is_of_store(f)) fprintf(into, "keys       %" PRIu64 ", %s\n", f->n_keys, bytes);
    else fprintf(into, "of         %s%s\n", name,
                 f->app != NULL ? "" : ", checked but not loaded, which takes that application: "
                                       "restore --dry-run does it");
    if (f->app == NULL) return;
    id_print(digest, copy_digest(&f->copy));
    fprintf(into, "digest     %s\n", digest);
    if (copy_passed_over(&f->copy) > 0)
        fprintf(into, "left out   %" PRIu64 " of the newest operations, which the application "
                "cannot execute\n", copy_passed_over(&f->copy));
}

json_t *copy_file_json(const struct copy_file *f, const char *path)
{
    char group[ID_TEXT_SIZE], digest[ID_TEXT_SIZE] = "", taken[NOTATION_TIME_SIZE];
    char name[NAME_TEXT];
    id_print(group, f->copy.head.group);
    uint64_t n_left_out = f->app != NULL ? copy_passed_over(&f->copy) : 0;
    if (f->app != NULL) id_print(digest, copy_digest(&f->copy));
    notation_time(taken, f->copy.head.time, false);
    print_name(name, f->copy.head.form.application);
    return json_pack("{s:o, s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:I}", "file",
                     notation_text(path), "file_bytes", (json_int_t)f->file.size, "taken", taken,
                     "application", name, "group", group, "op_number", (json_int_t)f->copy.op,
                     "keys", (json_int_t)f->n_keys, "bytes", (json_int_t)f->n_bytes, "digest",
                     digest, "left_out", (json_int_t)n_left_out);
}

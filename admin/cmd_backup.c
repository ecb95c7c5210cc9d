/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin backup FILE: a consistent copy of the state of a running group.
 *
 *   1. the primary tells the op-number that the copy must include: all that anybody was
 *      told is done by now is in it
 *   2. a backup is asked for its checkpoint and what follows (node/copier.h), the primary last; one
 *      that fails is replaced by the next, and what was copied stays
 *   3. what was written is read back and loaded, as a restore would, before FILE is its name
 *
 * Signals wait until a file without its name is gone, then take effect. */
#include <config.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vstamp/client.h>

#include "admin/admin.h"
#include "admin/answers.h"
#include "admin/copy_file.h"
#include "admin/notation.h"
#include "admin/talk.h"
#include "node/copier.h"
#include "program/clock.h"
#include "program/progress.h"
#include "program/signals.h"
#include "program/whole_file.h"
#include "program/write_all.h"
#include "program/zeros.h"

#define PAGES_MAX     (1u << 28) /* state_bytes_max can be no more */
#define RESTARTS_MAX  30u
#define PAUSE_MS      10 /* until a replica is asked again for what it does not have yet */

struct backup {
    const struct cli *cli;
    const struct admin *admin;
    const struct config *config;
    const struct members *members;
    struct tls *tls;
    const char *path; /* "-": standard output */
    bool force;

    struct whole_file file; /* fd -1: there is none */
    struct signals signals;
    int signal; /* that came, or 0 */
    struct progress progress;

    struct talk *talk;
    size_t source; /* the member that is asked */
    uint64_t good_ms;    /* when the copy last got on */
    uint64_t waiting_ms; /* since when this replica is known to be behind, 0: it is not */
    struct vstamp_diag why[REPLICAS_MAX]; /* why each replica was of no help */
    struct copier copier;
    uint8_t *records;
    size_t records_size;
};

/* --- the file --------------------------------------------------------------------------------- */

static bool to_stdout(const struct backup *b)
{
    return strcmp(b->path, "-") == 0;
}

static int file_open(struct backup *b, struct vstamp_diag *diag)
{
    if (to_stdout(b)) return 0;
    struct stat is;
    bool exists = stat(b->path, &is) == 0;
    if (exists && !S_ISREG(is.st_mode)) {
        vstamp_diag_printf(diag, "%s: it is no regular file: choose another name, or '-' for "
                                 "standard output", b->path);
        return VSTAMP_E_USAGE;
    }
    if (exists && !b->force) {
        vstamp_diag_printf(diag, "%s: it exists: choose another name, or say --force", b->path);
        return VSTAMP_E_USAGE;
    }
    bool is_open = whole_file_open(&b->file, b->path, 0600) == 0;
    return is_open ? 0 : copy_file_refused(b->path, diag);
}

static int file_write(struct backup *b, struct bytes data, struct vstamp_diag *diag)
{
    if (write_all(to_stdout(b) ? STDOUT_FILENO : b->file.fd, data)) return 0;
    return copy_file_refused(to_stdout(b) ? "standard output" : b->path, diag);
}

/* --- asking ----------------------------------------------------------------------------------- */

static int nobody(const struct backup *b, struct vstamp_diag *diag)
{
    char all[VSTAMP_DIAG_SIZE] = "";
    for (size_t i = 0; i < b->members->n; i++) {
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s: %s", i > 0 ? "; " : "",
                 b->members->addresses[i].text,
                 b->why[i].text[0] != '\0' ? b->why[i].text : "not asked");
    }
    vstamp_diag_printf(diag, "no replica could be copied: %s", all);
    return VSTAMP_E_NOT_RUN;
}

static void next_source(struct backup *b)
{
    talk_close(b->talk);
    b->talk = NULL;
    b->source = (b->source + 1) % b->members->n;
    b->waiting_ms = 0;
}

/* The replica that is asked does not help: the next one, after a breath. */
static void give_up_source(struct backup *b, const struct vstamp_diag *diag)
{
    b->why[b->source] = *diag;
    next_source(b);
    poll(NULL, 0, PAUSE_MS);
}

static int open_source(struct backup *b, struct vstamp_diag *diag)
{
    if (b->talk != NULL) return 0;
    b->talk = talk_open(&b->members->addresses[b->source], b->tls, b->signals.fd,
                        b->admin->timeout_ms, diag);
    return b->talk != NULL ? 0 : VSTAMP_E_IO;
}

static bool gives_up(struct backup *b)
{
    uint64_t patience_ms = ADMIN_PATIENCE * (uint64_t)b->admin->timeout_ms;
    if (b->signal == 0) b->signal = signals_take(&b->signals);
    return b->signal != 0 || vstamp_driver_now_ms() - b->good_ms > patience_ms;
}

/* What a linearizable read at the replica that is asked would see. */
static int read_op(struct backup *b, struct vstamp_diag *diag)
{
    const struct wire_request request = {.kind = WIRE_KIND_READ_NUMBER};
    struct wire_message m;
    int rv = open_source(b, diag);
    if (rv == 0)
        rv = talk_request(b->talk, (uint32_t)b->members->epoch, &request, b->admin->timeout_ms, &m,
                          diag);
    if (rv != 0) return rv;
    if (m.header.command == WIRE_reply) {
        b->copier.target = m.as.reply.op;
        b->copier.head.group = m.header.group;
        return 0;
    }
    vstamp_diag_printf(diag, "is not the primary");
    if (m.header.command == WIRE_reject && m.as.reject.text.size > 0)
        vstamp_diag_printf(diag, "%.*s", (int)m.as.reject.text.size, m.as.reject.text.data);
    return VSTAMP_E_NOT_RUN;
}

/* For the records of the next answer. */
static int make_room(struct backup *b, size_t answer_size, struct vstamp_diag *diag)
{
    if (b->records_size >= COPIER_RECORDS_MAX(answer_size)) return 0;
    free(b->records);
    b->records_size = COPIER_RECORDS_MAX(answer_size);
    b->records = malloc(b->records_size);
    if (b->records != NULL) return 0;
    b->records_size = 0;
    return copy_file_refused("memory", diag);
}

/* Who answers is the primary; all others are asked before it for the copy. */
static int find_target(struct backup *b, struct vstamp_diag *diag)
{
    while (read_op(b, diag) != 0) {
        give_up_source(b, diag);
        if (gives_up(b)) return nobody(b, diag);
    }
    b->good_ms = vstamp_driver_now_ms();
    if (b->members->n > 1) next_source(b);
    return 0;
}

/* One question and its answer; *records is what is to be written of it, also if it fails. */
static int exchange(struct backup *b, struct bytes *records, struct vstamp_diag *diag)
{
    uint8_t frame[COPIER_FRAME_MAX];
    bool answered = false;
    int rv = open_source(b, diag);
    struct bytes question = {frame, copier_ask(&b->copier, frame)};
    if (rv == 0) rv = talk_send(b->talk, question, b->admin->timeout_ms, diag);
    while (rv == 0 && !answered) {
        struct bytes answer;
        rv = talk_receive(b->talk, b->admin->timeout_ms, &answer, diag);
        if (rv == 0) rv = make_room(b, answer.size, diag);
        if (rv != 0) break;
        struct writer into = writer_over(b->records, b->records_size);
        rv = copier_on_frame(&b->copier, answer, &into, &answered, diag);
        *records = (struct bytes){b->records, into.size};
    }
    return rv;
}

/* A replica that does not hear what the group commits is not waited for any longer. */
static int check_waiting(struct backup *b, uint64_t now, struct vstamp_diag *diag)
{
    if (b->copier.phase != COPIER_WAITING) {
        b->waiting_ms = 0;
        b->good_ms = now;
        return 0;
    }
    if (b->waiting_ms == 0) b->waiting_ms = now;
    poll(NULL, 0, PAUSE_MS);
    if (now - b->waiting_ms <= b->admin->timeout_ms) return 0;
    vstamp_diag_printf(diag, "is behind the group");
    return VSTAMP_E_NOT_RUN;
}

static int copy_state(struct backup *b, struct vstamp_diag *diag)
{
    struct copier *c = &b->copier;
    while (c->phase != COPIER_COMPLETE) {
        struct bytes records = {0};
        if (gives_up(b)) return nobody(b, diag);
        int rv = exchange(b, &records, diag);
        int written = file_write(b, records, diag);
        if (written != 0) return written;
        if (rv == 0) rv = check_waiting(b, vstamp_driver_now_ms(), diag);
        if (rv != 0) give_up_source(b, diag);
        if (c->n_restarts > RESTARTS_MAX) {
            vstamp_diag_printf(diag, "the state changes faster than it can be copied: try again "
                                     "under less load, or raise checkpoint_ops");
            return VSTAMP_E_NOT_RUN;
        }
        progress_show(&b->progress, c->page * (uint64_t)VSTAMP_PAGE_SIZE,
                      c->total * (uint64_t)VSTAMP_PAGE_SIZE);
    }
    return 0;
}

/* --- the command ------------------------------------------------------------------------------ */

static void print_summary(const struct copy_file *f, const char *path, bool json)
{
    if (json) notation_print_json(copy_file_json(f, path));
    else copy_file_print(f, path, stdout);
}

static int verify(const struct cli *cli, const char *path)
{
    static struct copy_file file;
    const struct admin *admin = cli->context;
    struct vstamp_diag diag = {0};
    int rv = copy_file_open(&file, path, NULL, &diag);
    if (rv == 0) print_summary(&file, path, admin->json);
    copy_file_close(&file);
    if (rv == VSTAMP_E_CORRUPT) {
        admin_fail(cli, rv, &diag);
        return CLI_NO;
    }
    return rv == 0 ? CLI_OK : admin_fail(cli, rv, &diag);
}

/* Into the file, and read back from there. */
static int take(struct backup *b, struct copy_file *file, struct vstamp_diag *diag)
{
    uint64_t *hashes = zeros_map(PAGES_MAX * sizeof *hashes);
    if (hashes == NULL) return copy_file_refused("memory", diag);
    copier_init(&b->copier, 0, clock_us(CLOCK_REALTIME), PACKAGE_VERSION, hashes, PAGES_MAX);
    int rv = find_target(b, diag);
    if (rv == 0) rv = copy_state(b, diag);
    progress_end(&b->progress);
    talk_close(b->talk);
    zeros_unmap(hashes, PAGES_MAX * sizeof *hashes);
    free(b->records);
    if (rv != 0 || to_stdout(b)) return rv;
    rv = copy_file_open(file, b->file.place, b->config, diag);
    if (rv != 0) vstamp_diag_wrap(diag, "%s: cannot be read back", b->path);
    if (rv == 0 && whole_file_publish(&b->file, b->force) != 0)
        rv = copy_file_refused(b->path, diag);
    return rv;
}

static int run(struct backup *b, struct copy_file *file)
{
    struct vstamp_diag diag = {0};
    signals_open(&b->signals);
    signals_hold(&b->signals);
    int rv = file_open(b, &diag);
    if (rv == 0) rv = take(b, file, &diag);
    whole_file_close(&b->file);
    signals_release(&b->signals);
    signals_close(&b->signals);
    if (b->signal != 0) signals_die_by(b->signal);
    return rv == 0 ? CLI_OK : admin_fail(b->cli, rv, &diag);
}

int cmd_backup(struct cli *cli, int argc, char **argv)
{
    static struct config config;
    static struct answers answers;
    static struct copy_file file;
    static struct backup b;
    const struct admin *admin = cli->context;
    bool only_verify = false;
    struct vstamp_diag diag = {0};
    const struct cli_option options[] = {
        CLI_FLAG('f', "force", &b.force, "replace FILE if it exists"),
        CLI_FLAG(0, "verify", &only_verify, "take none: check the backup that FILE is"),
        CLI_END,
    };
    int rv = cli_parse(cli, options, argc, argv, &b.path, 1, NULL);
    if (rv != 0) return rv;
    if (only_verify) return verify(cli, b.path);
    if (to_stdout(&b) && isatty(STDOUT_FILENO))
        return cli_usage(cli, "backup: '-' is standard output, and that is a terminal");
    if (to_stdout(&b) && admin->json)
        return cli_usage(cli, "--json: standard output is the backup");
    rv = admin_find_group(admin, &config, &diag);
    if (rv == 0) rv = admin_open_tls(admin, &config, &b.tls, &diag);
    if (rv != 0) return admin_fail(cli, rv, &diag);
    b.cli = cli;
    b.file.fd = -1;
    b.admin = admin;
    b.config = &config;
    progress_begin(&b.progress, "backup", !admin->json);
    answers_ask(&answers, &config, NULL, 0, admin->timeout_ms); /* who the members are */
    answers_close(&answers);
    b.members = &answers.members;
    b.good_ms = vstamp_driver_now_ms();
    int status = run(&b, &file);
    if (status == CLI_OK && !to_stdout(&b)) print_summary(&file, b.path, admin->json);
    copy_file_close(&file);
    tls_close(b.tls);
    return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin journal DIR: what the folder of a stopped replica holds, for somebody who has to
 * find out why it does not start, or what it knows.  It needs no configuration. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "admin/admin.h"
#include "admin/folder.h"
#include "admin/notation.h"
#include "admin/versions.h"
#include "program/config_keys.h"
#include "program/id.h"
#include "program/progress.h"

struct journal_command {
    const char *folder;
    bool json;
    uint64_t first_op, limit, n_shown; /* list: from this entry on, so many */
    bool begun;
    uint64_t op;                       /* show: this entry, */
    bool found;                        /* of which there is something */
    json_t *findings;                  /* verify */
};

/* --- verify ----------------------------------------------------------------------------------- */

static void print_finding(void *ctx, const char *file, uint64_t place, const char *text)
{
    struct journal_command *c = ctx;
    if (c->json) {
        json_t *byte = place == FOLDER_NO_PLACE ? json_null() : json_integer((json_int_t)place);
        json_array_append_new(c->findings, json_pack("{s:o, s:o, s:o}", "file",
                                                     notation_text(file), "byte", byte, "text",
                                                     notation_text(text)));
    } else if (place == FOLDER_NO_PLACE) {
        printf("DAMAGED      %s: %s\n", file, text);
    } else {
        printf("DAMAGED      %s, byte %" PRIu64 ": %s\n", file, place, text);
    }
}

static const char *standing(const struct folder *f)
{
    if (!f->any_state) return "blank: it was in no group yet";
    if (f->state.lost) return "it has lost its state, and recovers it from the others";
    if (vstamp_id_is_zero(f->state.group)) return "blank: it was in no group yet";
    return f->state.taking_part ? "taking part" : "not yet let in by the others";
}

static void print_log(const struct folder *f)
{
    if (f->any_checkpoint)
        printf("checkpoint   op %" PRIu64 ", %" PRIu32 " of %" PRIu32
               " pages stored, before segment %" PRIu64 "\n",
               f->head.anchor.op, f->head.n_stored, f->head.n_pages, f->checkpoint);
    else
        puts("checkpoint   none");
    if (f->op > f->base)
        printf("entries      %" PRIu64 " to %" PRIu64 "\n", f->base + 1, f->op);
    else
        puts("entries      none");
    printf("commit       %" PRIu64 "\n", f->commit);
}

static bool is_member(const struct folder *f)
{
    return f->any_state && f->state.self < REPLICAS_MAX && !vstamp_id_is_zero(f->state.group);
}

static void print_summary(const struct folder *f)
{
    char bytes[PROGRESS_SIZE_TEXT], file[STORAGE_NAME_SIZE], group[ID_TEXT_SIZE];
    id_print(group, f->group);
    progress_print_size(bytes, f->n_bytes);
    storage_segment_name(file, f->end_number);
    printf("folder       %s\n", f->storage.folder);
    printf("group        %s\n", vstamp_id_is_zero(f->group) ? "not formed yet" : group);
    if (f->any_head && is_member(f))
        printf("replica      %u of epoch %" PRIu32 ", %s\n", f->state.self, f->state.epoch,
               f->address);
    else if (f->any_head)
        printf("replica      %s, no member of a group\n", f->address);
    else
        puts("replica      nothing says: no segment was ever written to, or all are damaged");
    for (uint8_t i = 0; i < f->members.n; i++)
        printf("%s%s", i == 0 ? "members      " : ", ", f->members.members[i].address);
    if (f->members.n > 0) puts("");
    if (f->any_head) printf("replicates   %s\n", f->application);
    if (f->any_head) printf("format       %" PRIu32 "\n", f->owner.version);
    printf("incarnation  came back empty %" PRIu64 " times, since then from its disk %" PRIu64
           " times; %s\n",
           journal_losses(f->incarnation), journal_starts(f->incarnation),
           standing(f));
    printf("view         %" PRIu64 ", its log is of view %" PRIu64 "\n", f->state.view,
           f->state.log_view);
    print_log(f);
    printf("journal      %" PRIu64 " segments, %" PRIu64 " in use, %s", f->n_segments, f->in_use,
           bytes);
    if (f->in_use > 0) printf("; ends in %s at byte %" PRIu64, file, f->end);
    puts("");
    puts(f->torn ? "last write   not finished: nobody was told that it was, and a start drops it"
                 : "last write   finished");
    if (f->n_findings == 0) puts("sound");
}

static json_t *known(bool is, uint32_t number)
{
    return is ? json_integer((json_int_t)number) : json_null();
}

static void print_summary_json(const struct folder *f, json_t *findings)
{
    char group[ID_TEXT_SIZE];
    json_t *members = json_array();
    for (uint8_t i = 0; i < f->members.n; i++)
        json_array_append_new(members, json_string(f->members.members[i].address));
    id_print(group, f->group);
    notation_print_json(json_pack(
        "{s:o, s:b, s:s, s:o, s:s, s:o, s:o, s:o, s:I, s:I, s:b, s:I, s:I, s:I, s:o, s:I, s:I, "
        "s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}",
        "folder", notation_text(f->storage.folder), "sound", f->n_findings == 0, "group", group,
        "members", members, "application", f->application, "replica",
        known(is_member(f), f->state.self), "address",
        f->any_head ? json_string(f->address) : json_null(), "format",
        known(f->any_head, f->owner.version),
        "came_back_empty", (json_int_t)journal_losses(f->incarnation),
        "came_back_from_disk", (json_int_t)journal_starts(f->incarnation), "taking_part",
        f->any_state && f->state.taking_part, "epoch", (json_int_t)f->state.epoch, "view",
        (json_int_t)f->state.view, "log_view", (json_int_t)f->state.log_view, "checkpoint_op",
        f->any_checkpoint ? json_integer((json_int_t)f->head.anchor.op) : json_null(), "first_op",
        (json_int_t)(f->op > f->base ? f->base + 1 : 0), "last_op",
        (json_int_t)(f->op > f->base ? f->op : 0), "commit", (json_int_t)f->commit, "segments",
        (json_int_t)f->n_segments, "segments_in_use", (json_int_t)f->in_use, "bytes",
        (json_int_t)f->n_bytes, "end_segment", (json_int_t)f->end_number, "end_byte",
        (json_int_t)f->end, "last_write_torn", f->torn, "findings", findings));
}

static int verify(struct folder *f, struct journal_command *c, struct vstamp_diag *diag)
{
    const struct folder_visitor visitor = {.ctx = c, .finding = print_finding};
    c->findings = json_array();
    int rv = folder_walk(f, &visitor, diag);
    if (rv != 0) {
        json_decref(c->findings);
        return rv;
    }
    if (c->json) {
        print_summary_json(f, c->findings);
    } else {
        print_summary(f);
        json_decref(c->findings);
    }
    return 0;
}

/* --- list ------------------------------------------------------------------------------------- */

static json_t *batch_json(const struct wire_batch_head *b)
{
    return json_pack("{s:I, s:I, s:I}", "batch", (json_int_t)b->sequence, "bytes",
                     (json_int_t)b->size, "before", (json_int_t)b->before_number);
}

static json_t *state_json(const struct wire_hard_state *s)
{
    char group[ID_TEXT_SIZE];
    id_print(group, s->group);
    return json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "group", group, "lost",
                     s->lost, "taking_part", s->taking_part, "epoch", (json_int_t)s->epoch, "view",
                     (json_int_t)s->view, "log_view", (json_int_t)s->log_view, "op",
                     (json_int_t)s->op, "commit", (json_int_t)s->commit, "held",
                     (json_int_t)s->held);
}

static json_t *entry_json(const struct wire_journal_entry *e, bool lost)
{
    const struct wire_entry_header *h = &e->entry.header;
    json_t *n = lost ? json_null() : json_integer(folder_n_requests(e->entry.body));
    return json_pack("{s:I, s:I, s:I, s:I, s:o}", "op", (json_int_t)h->op, "view",
                     (json_int_t)h->view, "commit", (json_int_t)e->commit, "timestamp",
                     (json_int_t)h->timestamp, "requests", n);
}

static void list_json(const struct folder_record *r)
{
    static const char *const words[] = {
        [JOURNAL_BATCH] = "batch", [JOURNAL_HARD_STATE] = "state", [JOURNAL_ENTRY] = "entry"};
    json_t *line = json_pack("{s:s, s:I, s:s, s:I, s:b}", "file", r->file, "byte",
                             (json_int_t)r->place, "kind", words[r->kind], "size",
                             (json_int_t)r->size, "damaged", r->lost);
    json_t *more = r->kind == JOURNAL_BATCH        ? batch_json(r->as.batch)
                   : r->kind == JOURNAL_HARD_STATE ? state_json(r->as.state)
                                                   : entry_json(r->as.entry, r->lost);
    json_object_update(line, more);
    json_decref(more);
    notation_print_json(line);
}

static void print_batch(const struct wire_batch_head *b)
{
    printf("batch %" PRIu64 "  %" PRIu64 " bytes", b->sequence, b->size);
    if (b->before_number > 0)
        printf(", after segment %" PRIu64 " byte %" PRIu64, b->before_number, b->before_place);
}

static void print_state(const struct wire_hard_state *s, bool lost)
{
    printf("state  view %" PRIu64 " log-view %" PRIu64 " op %" PRIu64 " commit %" PRIu64
           " held %" PRIu64 " epoch %" PRIu32,
           s->view, s->log_view, s->op, s->commit, s->held, s->epoch);
    if (s->lost) printf(", lost");
    else if (vstamp_id_is_zero(s->group)) printf(", blank");
    else if (!s->taking_part) printf(", not let in");
    if (lost) printf(" (damaged; from the next batch)");
}

static void print_entry(const struct wire_journal_entry *e, bool lost)
{
    char time[NOTATION_TIME_SIZE];
    notation_time(time, e->entry.header.timestamp, true);
    printf("entry %" PRIu64 "  view %" PRIu64 " commit %" PRIu64 " %s ", e->entry.header.op,
           e->entry.header.view, e->commit, time);
    if (lost) printf("(damaged; only its header is known)");
    else printf("requests %" PRIu32, folder_n_requests(e->entry.body));
}

static void list_text(const struct folder_record *r)
{
    printf("%s %8" PRIu64 " %6" PRIu64 "  ", r->file, r->place, r->size);
    if (r->kind == JOURNAL_BATCH) print_batch(r->as.batch);
    else if (r->kind == JOURNAL_HARD_STATE) print_state(r->as.state, r->lost);
    else print_entry(r->as.entry, r->lost);
    putchar('\n');
}

static void list_record(void *ctx, const struct folder_record *r)
{
    struct journal_command *c = ctx;
    c->begun |= c->first_op == 0 ||
                (r->kind == JOURNAL_ENTRY && r->as.entry->entry.header.op >= c->first_op);
    if (!c->begun || c->n_shown >= c->limit) return;
    c->n_shown++;
    if (c->json) list_json(r);
    else list_text(r);
}

static int list(struct folder *f, struct journal_command *c, struct vstamp_diag *diag)
{
    const struct folder_visitor visitor = {.ctx = c, .record = list_record};
    return folder_walk(f, &visitor, diag);
}

/* --- the command ------------------------------------------------------------------------------ */

static int show(struct folder *f, struct journal_command *c, struct vstamp_diag *diag)
{
    struct versions versions = {.op = c->op};
    int rv = versions_find(&versions, f, diag);
    c->found = versions.n > 0;
    if (rv == 0 && c->json) notation_print_json(versions_json(&versions, f));
    else if (rv == 0) versions_print(&versions, f);
    versions_release(&versions);
    return rv;
}

static int run(struct cli *cli, struct journal_command *c, const char *word)
{
    static struct folder folder;
    struct vstamp_diag diag = {0};
    int status = CLI_OK;
    int rv = folder_open(&folder, c->folder, &diag);
    if (rv == 0 && strcmp(word, "list") == 0) {
        rv = list(&folder, c, &diag);
    } else if (rv == 0 && strcmp(word, "show") == 0) {
        rv = show(&folder, c, &diag);
        if (!c->found) status = CLI_NO;
    } else if (rv == 0) {
        rv = verify(&folder, c, &diag);
        if (folder.n_findings > 0) status = CLI_NO;
    }
    folder_close(&folder);
    return rv == 0 ? status : admin_fail(cli, rv, &diag);
}

int cmd_journal(struct cli *cli, int argc, char **argv)
{
    const struct admin *admin = cli->context;
    static struct journal_command c;
    const char *operand[3], *first = NULL, *limit = NULL;
    size_t n;
    const struct cli_option options[] = {
        CLI_TEXT(0, "first", &first, "OP", "list: begin with this entry"),
        CLI_TEXT(0, "limit", &limit, "N", "list: so many records at most"),
        CLI_END,
    };
    int rv = cli_parse(cli, options, argc, argv, operand, 3, &n);
    if (rv != 0) return rv;
    const char *word = n > 1 ? operand[1] : "verify";
    bool shows = strcmp(word, "show") == 0, lists = strcmp(word, "list") == 0;
    c.limit = UINT64_MAX;
    c.folder = operand[0];
    c.json = admin->json;
    if (!shows && !lists && strcmp(word, "verify") != 0)
        return cli_usage(cli, "journal: expected verify, list or show OP, found '%.60s'", word);
    if (n != (shows ? 3u : n > 1 ? 2u : 1u))
        return cli_usage(cli, shows ? "journal: show wants an op-number"
                                    : "journal: one word too many");
    if (shows && !config_parse_u64(operand[2], 1, INT64_MAX, &c.op))
        return cli_usage(cli, "journal: expected an op-number, found '%.60s'", operand[2]);
    if (!lists && (first != NULL || limit != NULL))
        return cli_usage(cli, "journal: --first and --limit are for list");
    if (first != NULL && !config_parse_u64(first, 0, INT64_MAX, &c.first_op))
        return cli_usage(cli, "--first: expected an op-number, found '%.60s'", first);
    if (limit != NULL && !config_parse_u64(limit, 0, INT64_MAX, &c.limit))
        return cli_usage(cli, "--limit: expected a number, found '%.60s'", limit);
    return run(cli, &c, word);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin journal DIR: what the folder of a stopped replica holds, for somebody who has to
 * find out why it does not start, or what it knows.  It needs no configuration. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "admin/admin.h"
#include "admin/copy_file.h"
#include "admin/folder.h"
#include "kv/kv.h"
#include "program/config_keys.h"
#include "program/escape.h"
#include "program/progress.h"

/* One that `show` was asked for. */
struct version {
    char file[STORAGE_NAME_SIZE];
    uint64_t place, size, commit;
    bool lost;
    struct wire_entry_header header;
    struct bytes body;
};

struct journal_command {
    const char *folder;
    bool json;
    uint64_t first_op, limit, n_shown; /* list: from this entry on, so many */
    bool begun;
    uint64_t op;                       /* show: this entry */
    struct version *versions;
    size_t n_versions;
    json_t *findings;                  /* verify */
};

static void print_json(json_t *object)
{
    if (object == NULL) abort();
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

#define TIME_TEXT 40
static void print_time(char text[static TIME_TEXT], uint64_t time_us)
{
    time_t seconds = (time_t)(time_us / 1000000);
    char date[24];
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL || strftime(date, sizeof date, "%FT%T", &utc) == 0)
        snprintf(text, TIME_TEXT, "?");
    else
        snprintf(text, TIME_TEXT, "%s.%03" PRIu64 "Z", date, time_us / 1000 % 1000);
}

static char *id_text(struct vstamp_id id)
{
    static char text[COPY_FILE_ID_TEXT];
    copy_file_print_id(text, id);
    return text;
}

static void ignore_record(void *ctx, const struct folder_record *record)
{
    (void)ctx;
    (void)record;
}

static void ignore_finding(void *ctx, const char *file, uint64_t place, const char *text)
{
    (void)ctx;
    (void)file;
    (void)place;
    (void)text;
}

/* --- verify ----------------------------------------------------------------------------------- */

static void print_finding(void *ctx, const char *file, uint64_t place, const char *text)
{
    struct journal_command *c = ctx;
    if (c->json) {
        json_t *byte = place == FOLDER_NO_PLACE ? json_null() : json_integer((json_int_t)place);
        json_array_append_new(c->findings, json_pack("{s:s, s:o, s:s}", "file", file, "byte", byte,
                                                     "text", text));
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
    char bytes[PROGRESS_SIZE_TEXT], file[STORAGE_NAME_SIZE];
    progress_print_size(bytes, f->n_bytes);
    storage_name(file, STORAGE_JOURNAL, f->end_number);
    printf("folder       %s\n", f->storage.folder);
    printf("group        %s\n",
           vstamp_id_is_zero(f->group) ? "not formed yet" : id_text(f->group));
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
    print_json(json_pack(
        "{s:s, s:b, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:b, s:I, s:I, s:I, s:o, s:I, s:I, s:I, "
        "s:I, s:I, s:I, s:I, s:I, s:b, s:o}",
        "folder", f->storage.folder, "sound", f->n_findings == 0, "group", id_text(f->group),
        "application", f->application, "replica", known(is_member(f), f->state.self), "address",
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
    const struct folder_visitor visitor = {c, ignore_record, print_finding};
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

static uint32_t operations_in(struct bytes body)
{
    struct reader at = reader_over(body.data, body.size);
    return read_u32(&at);
}

static void list_json(const struct folder_record *r)
{
    static const char *const words[] = {
        [JOURNAL_BATCH] = "batch", [JOURNAL_HARD_STATE] = "state", [JOURNAL_ENTRY] = "entry"};
    json_t *line = json_pack("{s:s, s:I, s:s, s:I, s:b}", "file", r->file, "byte",
                             (json_int_t)r->place, "kind", words[r->kind], "size",
                             (json_int_t)r->size, "damaged", r->lost);
    json_t *more = NULL;
    if (r->kind == JOURNAL_BATCH) {
        more = json_pack("{s:I, s:I, s:I}", "batch", (json_int_t)r->as.batch->sequence, "bytes",
                         (json_int_t)r->as.batch->size, "before",
                         (json_int_t)r->as.batch->before_number);
    } else if (r->kind == JOURNAL_HARD_STATE) {
        const struct wire_hard_state *s = r->as.state;
        more = json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "group",
                         id_text(s->group), "lost", s->lost, "taking_part", s->taking_part,
                         "epoch", (json_int_t)s->epoch, "view", (json_int_t)s->view, "log_view",
                         (json_int_t)s->log_view, "op", (json_int_t)s->op, "commit",
                         (json_int_t)s->commit, "held", (json_int_t)s->held);
    } else {
        const struct wire_entry_header *h = &r->as.entry->entry.header;
        more = json_pack("{s:I, s:I, s:I, s:I, s:I}", "op", (json_int_t)h->op, "view",
                         (json_int_t)h->view, "commit", (json_int_t)r->as.entry->commit,
                         "timestamp", (json_int_t)h->timestamp, "requests",
                         (json_int_t)operations_in(r->as.entry->entry.body));
        if (r->lost) json_object_set_new(more, "requests", json_null());
    }
    json_object_update(line, more);
    json_decref(more);
    print_json(line);
}

static void list_text(const struct folder_record *r)
{
    char text[TIME_TEXT];
    printf("%s %8" PRIu64 " %6" PRIu64 "  ", r->file, r->place, r->size);
    if (r->kind == JOURNAL_BATCH) {
        const struct wire_batch_head *b = r->as.batch;
        printf("batch %" PRIu64 "  %" PRIu64 " bytes", b->sequence, b->size);
        if (b->before_number > 0)
            printf(", after segment %" PRIu64 " byte %" PRIu64, b->before_number, b->before_place);
    } else if (r->kind == JOURNAL_HARD_STATE) {
        const struct wire_hard_state *s = r->as.state;
        printf("state  view %" PRIu64 " log-view %" PRIu64 " op %" PRIu64 " commit %" PRIu64
               " held %" PRIu64 " epoch %" PRIu32 "%s%s",
               s->view, s->log_view, s->op, s->commit, s->held, s->epoch,
               s->lost                         ? ", lost"
               : vstamp_id_is_zero(s->group)   ? ", blank"
               : s->taking_part                ? ""
                                               : ", not let in",
               r->lost ? " (damaged; from the next batch)" : "");
    } else {
        const struct wire_entry *e = &r->as.entry->entry;
        print_time(text, e->header.timestamp);
        printf("entry %" PRIu64 "  view %" PRIu64 " commit %" PRIu64 " %s ", e->header.op,
               e->header.view, r->as.entry->commit, text);
        if (r->lost) printf("(damaged; only its header is known)");
        else printf("requests %" PRIu32, operations_in(e->body));
    }
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

/* --- show ------------------------------------------------------------------------------------- */

static void keep_version(void *ctx, const struct folder_record *r)
{
    struct journal_command *c = ctx;
    if (r->kind != JOURNAL_ENTRY || r->as.entry->entry.header.op != c->op) return;
    const struct wire_journal_entry *e = r->as.entry;
    c->versions = realloc(c->versions, (c->n_versions + 1) * sizeof *c->versions);
    uint8_t *body = malloc(e->entry.body.size + 1);
    if (c->versions == NULL || body == NULL) abort();
    if (e->entry.body.size > 0) memcpy(body, e->entry.body.data, e->entry.body.size);
    struct version *v = &c->versions[c->n_versions++];
    *v = (struct version){.place = r->place, .size = r->size, .commit = e->commit,
                          .lost = r->lost, .header = e->entry.header,
                          .body = {body, e->entry.body.size}};
    snprintf(v->file, sizeof v->file, "%s", r->file);
}

static void print_word(FILE *into, struct bytes word)
{
    putc(' ', into);
    escape_print(into, word, ESCAPE_WORD);
}

/* A time that was given as such, as import does, nobody types. */
static void print_expiry(FILE *into, const struct kv_op *op)
{
    uint64_t us = op->expiry & ~KV_EXPIRES_AT;
    if (op->verb != KV_EXPIRE && us > 0) fputs(" --ttl", into);
    if (op->verb == KV_EXPIRE && us == 0) fputs(" never", into);
    if (us == 0) return;
    const char *until = (op->expiry & KV_EXPIRES_AT) != 0 ? "until:" : "";
    fprintf(into, " %s%" PRIu64 ".%06" PRIu64 "s", until, us / 1000000, us % 1000000);
}

/* As one would type it. */
static void print_op(FILE *into, const struct kv_op *op)
{
    static const char *const words[] = {
#define KV_OP(name, number, word, is_write, fields, text) [KV_##name] = word,
#include "kv/ops.def"
#undef KV_OP
    };
    struct bytes keys = op->keys_encoded, key;
    fputs(words[op->verb], into);
    if (op->verb == KV_CAS_ABSENT) fputs(" --absent", into);
    if (op->key.size > 0) print_word(into, op->key);
    for (uint32_t i = 0; op->verb == KV_DEL && i < op->n_keys; i++) {
        kv_keys_next(&keys, &key);
        print_word(into, key);
    }
    if (op->verb == KV_CAS) print_word(into, op->expected);
    if (op->verb == KV_PUT || op->verb == KV_CAS || op->verb == KV_CAS_ABSENT ||
        op->verb == KV_APPEND)
        print_word(into, op->value);
    if (op->verb == KV_INCR) fprintf(into, " %" PRId64, op->number);
    print_expiry(into, op);
}

static void print_condition(FILE *into, const struct kv_condition *condition)
{
    static const char *const words[] = {
#define KV_TEST(name, number, words, has_value) [KV_TEST_##name] = words,
#include "kv/ops.def"
#undef KV_TEST
    };
    fputs("if", into);
    print_word(into, condition->key);
    fprintf(into, " %s", words[condition->test]);
    if (condition->test == KV_TEST_IS || condition->test == KV_TEST_IS_NOT)
        print_word(into, condition->value);
}

/* Its lines, separated by semicolons. */
static void print_txn(FILE *into, const struct kv_txn *txn)
{
    struct bytes conditions = txn->conditions_encoded;
    fputs("txn: ", into);
    for (uint32_t i = 0; i < txn->n_conditions; i++) {
        struct kv_condition condition;
        kv_condition_next(&conditions, &condition);
        print_condition(into, &condition);
        fputs("; ", into);
    }
    for (int branch = 0; branch < KV_BRANCHES; branch++) {
        struct bytes steps = txn->steps_encoded[branch];
        fputs(branch == KV_THEN ? "then" : "; else", into);
        for (uint32_t i = 0; i < txn->n_steps[branch]; i++) {
            struct kv_op step;
            kv_step_next(&steps, &step);
            fputs("; ", into);
            print_op(into, &step);
        }
    }
}

static void print_operation(FILE *into, const struct folder *f, struct bytes encoded)
{
    struct kv_op op;
    if (strcmp(f->application, KV_APPLICATION) != 0) {
        fputs("call", into);
        print_word(into, encoded);
        return;
    }
    const char *wrong = kv_decode_op(encoded, &op);
    if (wrong != NULL) {
        fprintf(into, "not an operation of the key-value store: %s:", wrong);
        print_word(into, encoded);
    } else if (op.verb == KV_TXN) {
        print_txn(into, &op.txn);
    } else {
        print_op(into, &op);
    }
}

static const char *kind_word(unsigned kind)
{
    static const char *const words[] = {
        [WIRE_KIND_REGISTER] = "register", [WIRE_KIND_APPLY] = "apply",
        [WIRE_KIND_RECONFIGURE] = "reconfigure", [WIRE_KIND_TICK] = "tick"};
    return kind < sizeof words / sizeof words[0] && words[kind] != NULL ? words[kind] : "unknown";
}

static void print_members(FILE *into, struct bytes body)
{
    struct wire_reconfigure m;
    if (wire_decode(&wire_shape_reconfigure, body, &m) != 0) return;
    struct reader at = wire_list_start(&m.next);
    fprintf(into, "epoch %" PRIu32 ":", m.epoch + 1);
    for (uint32_t i = 0; i < m.next.count; i++) {
        struct wire_member member;
        wire_list_next(&wire_shape_member, &at, &member);
        fprintf(into, " %.*s", (int)member.address.size, (const char *)member.address.data);
    }
}

static char *operation_text(const struct folder *f, const struct wire_operation *o)
{
    char *text = NULL;
    size_t size;
    FILE *into = open_memstream(&text, &size);
    if (into == NULL) abort();
    if (o->kind == WIRE_KIND_APPLY) print_operation(into, f, o->body);
    if (o->kind == WIRE_KIND_RECONFIGURE) print_members(into, o->body);
    fclose(into);
    return text;
}

static void print_requests(const struct folder *f, const struct version *v, json_t *list)
{
    struct reader at = reader_over(v->body.data, v->body.size);
    uint32_t n = read_u32(&at);
    for (uint32_t i = 0; i < n; i++) {
        struct wire_operation o;
        if (wire_decode_next(&wire_shape_operation, &at, &o) != 0) break;
        char *text = operation_text(f, &o);
        if (list != NULL)
            json_array_append_new(
                list, json_pack("{s:s, s:I, s:I, s:s, s:s}", "client", id_text(o.client),
                                "session", (json_int_t)o.session, "number",
                                (json_int_t)o.number, "kind", kind_word(o.kind), "operation",
                                text));
        else
            printf("  client %s session %" PRIu64 " request %" PRIu64 "  %s%s%s\n",
                   id_text(o.client), o.session, o.number, kind_word(o.kind),
                   text[0] != '\0' ? " " : "", text);
        free(text);
    }
}

static const char *fate(const struct folder *f, const struct version *v)
{
    if (f->any_checkpoint && v->header.op <= f->head.anchor.op) return "below the checkpoint";
    if (!folder_has(f, &v->header)) return "replaced, or void";
    return v->header.op <= f->commit ? "committed" : "not known to be committed";
}

static void print_version(const struct folder *f, const struct version *v)
{
    char text[TIME_TEXT];
    print_time(text, v->header.timestamp);
    printf("entry %" PRIu64 "  %s\n", v->header.op, fate(f, v));
    printf("  where      %s, byte %" PRIu64 ", %" PRIu64 " bytes\n", v->file, v->place, v->size);
    printf("  view       %" PRIu64 ", epoch %" PRIu32 "\n", v->header.view, v->header.epoch);
    printf("  timestamp  %s\n", text);
    printf("  checksum   %s\n", id_text(v->header.checksum));
    printf("  parent     %s\n", id_text(v->header.parent));
    printf("  commit     %" PRIu64 " when it was written\n", v->commit);
    if (v->lost) puts("  damaged: only its header is known, from the next batch");
    else printf("  requests   %" PRIu32 "\n", operations_in(v->body));
    print_requests(f, v, NULL);
}

static json_t *version_json(const struct folder *f, const struct version *v)
{
    json_t *requests = v->lost ? json_null() : json_array();
    if (!v->lost) print_requests(f, v, requests);
    json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s, s:o}", "file",
                               v->file, "byte", (json_int_t)v->place, "size", (json_int_t)v->size,
                               "view", (json_int_t)v->header.view, "epoch",
                               (json_int_t)v->header.epoch, "timestamp",
                               (json_int_t)v->header.timestamp, "commit", (json_int_t)v->commit,
                               "damaged", v->lost, "fate", fate(f, v), "requests", requests);
    json_object_set_new(object, "checksum", json_string(id_text(v->header.checksum)));
    json_object_set_new(object, "parent", json_string(id_text(v->header.parent)));
    return object;
}

static void print_absence(const struct folder *f, const struct journal_command *c)
{
    if (f->any_checkpoint && c->op <= f->head.anchor.op)
        printf("entry %" PRIu64 "  below the checkpoint, which was taken after entry %" PRIu64
               ": what it did is in %s, and the entry is in no segment any more\n",
               c->op, f->head.anchor.op, PAGES_NAME);
    else if (f->op > f->base)
        printf("entry %" PRIu64 "  not here: the journal holds %" PRIu64 " to %" PRIu64 "\n",
               c->op, f->base + 1, f->op);
    else
        printf("entry %" PRIu64 "  not here: the journal holds no entry\n", c->op);
}

static int show(struct folder *f, struct journal_command *c, struct vstamp_diag *diag)
{
    const struct folder_visitor visitor = {c, keep_version, ignore_finding};
    int rv = folder_walk(f, &visitor, diag);
    if (rv != 0) return rv;
    if (c->json) {
        json_t *versions = json_array();
        for (size_t i = 0; i < c->n_versions; i++)
            json_array_append_new(versions, version_json(f, &c->versions[i]));
        print_json(json_pack("{s:I, s:b, s:o}", "op", (json_int_t)c->op, "below_checkpoint",
                             f->any_checkpoint && c->op <= f->head.anchor.op, "versions",
                             versions));
    } else {
        for (size_t i = 0; i < c->n_versions; i++) print_version(f, &c->versions[i]);
        if (c->n_versions == 0) print_absence(f, c);
    }
    return 0;
}

static void forget_versions(struct journal_command *c)
{
    for (size_t i = 0; i < c->n_versions; i++) free((void *)(uintptr_t)c->versions[i].body.data);
    free(c->versions);
}

bool journal_show(const char *folder, uint64_t op)
{
    static struct folder f;
    struct vstamp_diag ignored = {0};
    struct journal_command c = {.op = op};
    const struct folder_visitor visitor = {&c, keep_version, ignore_finding};
    bool any = folder_open(&f, folder, &ignored) == 0 && folder_walk(&f, &visitor, &ignored) == 0 &&
               c.n_versions > 0;
    for (size_t i = 0; any && i < c.n_versions; i++) print_version(&f, &c.versions[i]);
    folder_close(&f);
    forget_versions(&c);
    return any;
}

/* --- the command ------------------------------------------------------------------------------ */

static int run(struct cli *cli, struct journal_command *c, const char *word)
{
    static struct folder folder;
    struct vstamp_diag diag = {0};
    const struct folder_visitor lister = {c, list_record, ignore_finding};
    int status = CLI_OK;
    int rv = folder_open(&folder, c->folder, &diag);
    if (rv == 0 && strcmp(word, "list") == 0) {
        rv = folder_walk(&folder, &lister, &diag);
    } else if (rv == 0 && strcmp(word, "show") == 0) {
        rv = show(&folder, c, &diag);
        if (c->n_versions == 0) status = CLI_NO;
    } else if (rv == 0) {
        rv = verify(&folder, c, &diag);
        if (folder.n_findings > 0) status = CLI_NO;
    }
    folder_close(&folder);
    forget_versions(c);
    return rv == 0 ? status : cli_fail(cli, rv, &diag);
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

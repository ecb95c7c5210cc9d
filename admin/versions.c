/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "admin/versions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/notation.h"
#include "admin/operation_text.h"
#include "program/id.h"
#include "vr/session.h"

static void keep_version(void *ctx, const struct folder_record *r)
{
    struct versions *v = ctx;
    if (r->kind != JOURNAL_ENTRY || r->as.entry->entry.header.op != v->op) return;
    const struct wire_journal_entry *e = r->as.entry;
    v->at = realloc(v->at, (v->n + 1) * sizeof *v->at);
    uint8_t *body = malloc(e->entry.body.size + 1);
    if (v->at == NULL || body == NULL) abort();
    if (e->entry.body.size > 0) memcpy(body, e->entry.body.data, e->entry.body.size);
    struct version *newest = &v->at[v->n++];
    *newest = (struct version){.place = r->place, .size = r->size, .commit = e->commit,
                               .lost = r->lost, .header = e->entry.header,
                               .body = {body, e->entry.body.size}};
    snprintf(newest->file, sizeof newest->file, "%s", r->file);
}

int versions_find(struct versions *v, struct folder *f, struct vstamp_diag *diag)
{
    const struct folder_visitor visitor = {.ctx = v, .record = keep_version};
    return folder_walk(f, &visitor, diag);
}

void versions_release(struct versions *v)
{
    for (size_t i = 0; i < v->n; i++) free((void *)(uintptr_t)v->at[i].body.data);
    free(v->at);
}

/* Into `list`, or onto standard output if that is NULL. */
static void print_requests(const struct folder *f, const struct version *v, json_t *list)
{
    struct reader at = reader_over(v->body.data, v->body.size);
    uint32_t n = read_u32(&at);
    char client[ID_TEXT_SIZE];
    for (uint32_t i = 0; i < n; i++) {
        struct wire_operation o;
        if (wire_decode_next(&wire_shape_operation, &at, &o) != 0) break;
        const char *kind = operation_kind_word(o.kind);
        uint64_t number = o.number;
        if (o.kind == WIRE_KIND_REGISTER && number > SESSION_REGISTRATIONS)
            number -= SESSION_REGISTRATIONS;
        char *text = operation_text(f->application, &o);
        id_print(client, o.client);
        if (list != NULL)
            json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:s, s:s}", "client", client,
                                                  "session", (json_int_t)o.session, "number",
                                                  (json_int_t)number, "kind", kind, "operation",
                                                  text));
        else
            printf("  client %s session %" PRIu64 " request %" PRIu64 "  %s%s%s\n", client,
                   o.session, number, kind, text[0] != '\0' ? " " : "", text);
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
    char time[NOTATION_TIME_SIZE], checksum[ID_TEXT_SIZE], parent[ID_TEXT_SIZE];
    notation_time(time, v->header.timestamp, true);
    id_print(checksum, v->header.checksum);
    id_print(parent, v->header.parent);
    printf("entry %" PRIu64 "  %s\n", v->header.op, fate(f, v));
    printf("  where      %s, byte %" PRIu64 ", %" PRIu64 " bytes\n", v->file, v->place, v->size);
    printf("  view       %" PRIu64 ", epoch %" PRIu32 "\n", v->header.view, v->header.epoch);
    printf("  timestamp  %s\n", time);
    printf("  checksum   %s\n", checksum);
    printf("  parent     %s\n", parent);
    printf("  commit     %" PRIu64 " when it was written\n", v->commit);
    if (v->lost) puts("  damaged: only its header is known, from the next batch");
    else printf("  requests   %" PRIu32 "\n", folder_n_requests(v->body));
    print_requests(f, v, NULL);
}

static json_t *version_json(const struct folder *f, const struct version *v)
{
    char checksum[ID_TEXT_SIZE], parent[ID_TEXT_SIZE];
    id_print(checksum, v->header.checksum);
    id_print(parent, v->header.parent);
    json_t *requests = v->lost ? json_null() : json_array();
    if (!v->lost) print_requests(f, v, requests);
    json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s, s:o}", "file",
                               v->file, "byte", (json_int_t)v->place, "size", (json_int_t)v->size,
                               "view", (json_int_t)v->header.view, "epoch",
                               (json_int_t)v->header.epoch, "timestamp",
                               (json_int_t)v->header.timestamp, "commit", (json_int_t)v->commit,
                               "damaged", v->lost, "fate", fate(f, v), "requests", requests);
    json_object_set_new(object, "checksum", json_string(checksum));
    json_object_set_new(object, "parent", json_string(parent));
    return object;
}

static void print_absence(const struct folder *f, uint64_t op)
{
    if (f->any_checkpoint && op <= f->head.anchor.op)
        printf("entry %" PRIu64 "  below the checkpoint, which was taken after entry %" PRIu64
               ": what it did is in %s, and the entry is in no segment any more\n",
               op, f->head.anchor.op, PAGES_NAME);
    else if (f->op > f->base)
        printf("entry %" PRIu64 "  not here: the journal holds %" PRIu64 " to %" PRIu64 "\n", op,
               f->base + 1, f->op);
    else
        printf("entry %" PRIu64 "  not here: the journal holds no entry\n", op);
}

void versions_print(const struct versions *v, const struct folder *f)
{
    for (size_t i = 0; i < v->n; i++) print_version(f, &v->at[i]);
    if (v->n == 0) print_absence(f, v->op);
}

json_t *versions_json(const struct versions *v, const struct folder *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n; i++) json_array_append_new(list, version_json(f, &v->at[i]));
    return json_pack("{s:I, s:b, s:o}", "op", (json_int_t)v->op, "below_checkpoint",
                     f->any_checkpoint && v->op <= f->head.anchor.op, "versions", list);
}

bool versions_show(const char *path, uint64_t op)
{
    static struct folder f;
    struct vstamp_diag ignored = {0};
    struct versions v = {.op = op};
    bool any = folder_open(&f, path, &ignored) == 0 && versions_find(&v, &f, &ignored) == 0 &&
               v.n > 0;
    if (any) versions_print(&v, &f);
    folder_close(&f);
    versions_release(&v);
    return any;
}

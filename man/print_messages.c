/* SPDX-License-Identifier: BSD-2-Clause */
/* The lists of vstamp-protocol(7) as mdoc, from the tables that the programs themselves run on. */
#include <stdbool.h>
#include <stdio.h>

#include "kv/kv.h"
#include "wire/schema.h"

static const struct wire_shape *const records[] = {
#define RECORD_BEGIN(name, text) &wire_shape_##name,
#include "wire/messages.def"
};

/* The word for a kind of field in the page; that of a record is its name. */
static const char *const kind_words[] = {
    [WIRE_U8] = "u8", [WIRE_U16] = "u16",     [WIRE_U32] = "u32", [WIRE_U64] = "u64",
    [WIRE_ID] = "id", [WIRE_BYTES] = "bytes", [WIRE_NEST] = "",   [WIRE_LIST] = "list of",
};

static void begin_list(const char *title)
{
    printf(".Ss %s\n.Bl -tag -width Ds\n", title);
}

static void end_list(void)
{
    printf(".El\n");
}

static void print_shape(const struct wire_shape *shape)
{
    if (shape->number != 0) {
        printf(".It Sy %s Pq %u\n", shape->name, shape->number);
    } else {
        printf(".It Sy %s\n", shape->name);
    }
    printf("%s%s\n", shape->text, shape->for_ever ? "; the same in all versions" : "");
    if (shape->n_fields == 0) return;
    printf(".Bl -tag -compact -width \"crash_vectorXX\" -offset indent\n");
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct wire_field *f = &shape->fields[i];
        printf(".It Va %s\n%s%s%s: %s\n", f->name, kind_words[f->kind],
               f->kind == WIRE_LIST ? " " : "", f->record != NULL ? f->record->name : "", f->text);
    }
    printf(".El\n");
}

static void print_word(unsigned number, const char *word, const char *text)
{
    printf(".It Sy %s Pq %u\n%s\n", word, number, text);
}

static void print_messages(void)
{
    size_t n;
    const struct wire_shape *const *messages = wire_messages(&n);
    begin_list("Messages");
    for (size_t i = 0; i < n; i++) print_shape(messages[i]);
    end_list();
    begin_list("Records");
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) print_shape(records[i]);
    end_list();
}

static void print_requests(void)
{
    begin_list("Kinds of requests");
#define REQUEST_KIND(name, number, text) print_word(number, wire_request_kind_name(number), text);
#include "wire/requests.def"
#undef REQUEST_KIND
    end_list();
    begin_list("Reasons of rejects");
#define REJECT_REASON(name, number, word, text) print_word(number, word, text);
#include "wire/requests.def"
#undef REJECT_REASON
    end_list();
}

static void print_operation(unsigned number, const char *word, unsigned fields, const char *text)
{
    static const struct {
        enum kv_field field;
        const char *name;
    } members[] = {
        {KV_HAS_KEY, "key"},       {KV_HAS_VALUE, "value"}, {KV_HAS_EXPECTED, "expected"},
        {KV_HAS_NUMBER, "number"}, {KV_HAS_FLAGS, "flags"}, {KV_HAS_KEYS, "keys"},
    };
    print_word(number, word, text);
    bool first = true;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if ((fields & members[i].field) == 0) continue;
        printf("%s%s", first ? "(" : ", ", members[i].name);
        first = false;
    }
    if (!first) printf(")\n");
}

static void print_operations(void)
{
    begin_list("Operations of the key-value store");
#define KV_OP(name, number, word, is_write, fields, text) \
    print_operation(number, word, fields, text);
#include "kv/ops.def"
#undef KV_OP
    end_list();
    begin_list("Answers of the key-value store");
#define KV_ANSWER(name, number, err, text) printf(".It %u\n%s\n", number, text);
#include "kv/ops.def"
#undef KV_ANSWER
    end_list();
}

int main(void)
{
    print_messages();
    print_requests();
    print_operations();
    return ferror(stdout) != 0;
}

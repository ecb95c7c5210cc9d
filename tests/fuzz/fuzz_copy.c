/* SPDX-License-Identifier: BSD-2-Clause */
/* A backup of hostile content: every record is well-formed and checks, and says what it likes.
 * copy_open and copy_load refuse it, or it is a state that the application bears to be asked about.
 *
 * The input is records, each as u8 kind (0: head), u16 size, body.  What is wrong in a way that
 * other fuzzers try, or that only makes a load long, is put right: checksums and chain of the
 * entries, the number of the format, zeros at the end of a page, bounds larger than a test has
 * memory for. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "fuzz/fuzz.h"
#include "kv/kv.h"
#include "node/copy.h"
#include "vr/log.h"

#define FILE_MAX   (1u << 20)
#define MEMORY_MAX (32u << 20)

const char fuzz_aim[] = "a copy is loaded";
unsigned long fuzz_hits;
const unsigned fuzz_copies = 200;

static uint8_t file[FILE_MAX];
static uint8_t memory[MEMORY_MAX] __attribute__((aligned(4096)));

struct maker {
    struct copy_writer copy;
    struct writer into;
    struct vstamp_id group, parent;
};

static void put(struct maker *m, enum journal_kind kind, const struct wire_shape *shape,
                const void *record)
{
    copy_put(&m->copy, &m->into, kind, shape, record);
}

static void put_head(struct maker *m, struct bytes body)
{
    struct wire_copy_head head;
    if (wire_decode(&wire_shape_copy_head, body, &head) != 0) return;
    head.version = COPY_VERSION;
    head.form.state_pages %= 1024;
    head.form.max_clients %= 64;
    head.form.batch_bytes %= 65536;
    put(m, JOURNAL_COPY_HEAD, &wire_shape_copy_head, &head);
    m->copy.number = head.time;
    m->group = head.group;
}

static void put_page(struct maker *m, struct bytes body)
{
    uint8_t content[VSTAMP_PAGE_SIZE] = {0};
    struct wire_page page;
    if (wire_decode(&wire_shape_page, body, &page) != 0) return;
    if (page.content.size > 0 && page.content.size < sizeof content) {
        memcpy(content, page.content.data, page.content.size);
        page.content = (struct bytes){content, sizeof content};
    }
    put(m, JOURNAL_COPY_PAGE, &wire_shape_page, &page);
}

static void put_entry(struct maker *m, struct bytes body)
{
    struct wire_entry entry;
    if (wire_decode(&wire_shape_entry, body, &entry) != 0) return;
    entry.header.parent = m->parent;
    entry.header.checksum = log_checksum(m->group, &entry.header, entry.body);
    m->parent = entry.header.checksum;
    put(m, JOURNAL_COPY_ENTRY, &wire_shape_entry, &entry);
}

static void put_record(struct maker *m, uint8_t kind, struct bytes body)
{
    struct wire_copy_checkpoint_end end;
    struct wire_copy_tail tail;
    switch (JOURNAL_COPY_HEAD + kind % 5) {
    case JOURNAL_COPY_HEAD: put_head(m, body); break;
    case JOURNAL_COPY_PAGE: put_page(m, body); break;
    case JOURNAL_COPY_ENTRY: put_entry(m, body); break;
    case JOURNAL_COPY_CHECKPOINT_END:
        if (wire_decode(&wire_shape_copy_checkpoint_end, body, &end) != 0) break;
        m->parent = end.anchor.checksum;
        put(m, JOURNAL_COPY_CHECKPOINT_END, &wire_shape_copy_checkpoint_end, &end);
        break;
    case JOURNAL_COPY_TAIL:
        if (wire_decode(&wire_shape_copy_tail, body, &tail) != 0) break;
        tail.n_records = m->copy.n_records;
        put(m, JOURNAL_COPY_TAIL, &wire_shape_copy_tail, &tail);
        break;
    }
}

static void query(const struct copy *c, const struct kv_op *op)
{
    static uint8_t body[2048], answer[65536];
    struct writer w = writer_over(body, sizeof body);
    struct vstamp_answer to = {.data = answer, .capacity = c->head.form.max_read_bytes};
    if (to.capacity < ANSWER_BYTES_MIN || to.capacity > sizeof answer) to.capacity = sizeof answer;
    kv_encode_op(op, &w);
    kv_app()->query(copy_pages(c), body, w.size, &to);
    assert(to.size <= to.capacity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_over(data, size);
    struct maker m = {.into = writer_over(file, sizeof file)};
    struct vstamp_diag diag = {0};
    struct copy copy;
    while (in.left > 0) {
        uint8_t kind = read_u8(&in);
        struct bytes body = read_raw(&in, read_u16(&in));
        if (!in.ok) break;
        put_record(&m, kind, body);
    }
    int rv = copy_open(&copy, (struct bytes){file, m.into.size}, &diag);
    assert(rv == 0 || diag.text[0] != '\0');
    if (rv != 0 || copy_memory(&copy) > sizeof memory) return 0;
    memset(memory, 0, copy_memory(&copy));
    rv = copy_load(&copy, memory, sizeof memory, kv_app(), &diag);
    assert(rv == 0 || diag.text[0] != '\0');
    if (rv != 0) return 0;
    fuzz_hits++;
    copy_group(&copy, &(struct vr_config){.n_replicas = 1});
    query(&copy, &(struct kv_op){.verb = KV_SIZE});
    query(&copy, &(struct kv_op){.verb = KV_LIST});
    query(&copy, &(struct kv_op){.verb = KV_GET, .key = bytes_of("n")});
    return 0;
}

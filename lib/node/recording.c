/* SPDX-License-Identifier: BSD-2-Clause */
/* A recording as it is made: the calls by which a node tells what goes in and what comes out, and
 * the records on file.  recording_feed.c goes the other way. */
#include "node/recording.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "node/node_state.h"
#include "vr/witness.h"

static const struct wire_shape *const shapes[JOURNAL_KINDS] = {
#define RECORDED(name, use) [JOURNAL_RECORDED_##name] = &wire_shape_recorded_##name,
#include "node/recording.def"
#undef RECORDED
};

/* The fields of struct vr_config that are numbers; texts and lists have their own lines below. */
#define CONFIG_NUMBERS(NUMBER)                                                                     \
    NUMBER(n_replicas)                                                                             \
    NUMBER(self)                                                                                   \
    NUMBER(durable)                                                                                \
    NUMBER(oldest)                                                                                 \
    NUMBER(newest)                                                                                 \
    NUMBER(witnesses)                                                                              \
    NUMBER(heartbeat_ms)                                                                           \
    NUMBER(view_change_ms)                                                                         \
    NUMBER(max_clients)                                                                            \
    NUMBER(batch_bytes)                                                                            \
    NUMBER(max_answer_bytes)                                                                       \
    NUMBER(max_read_bytes)                                                                         \
    NUMBER(leases)                                                                                 \
    NUMBER(clock_drift_ppm)                                                                        \
    NUMBER(pipeline)                                                                               \
    NUMBER(log_entries)                                                                            \
    NUMBER(log_bytes)                                                                              \
    NUMBER(witness_log_bytes)                                                                      \
    NUMBER(checkpoint_ops)                                                                         \
    NUMBER(digest_ops)                                                                             \
    NUMBER(transfer_mib_per_s)                                                                     \
    NUMBER(state_pages)                                                                            \
    NUMBER(segment_bytes)                                                                          \

const char *recording_machine(void)
{
    static const uint16_t one = 1;
    bool little = *(const uint8_t *)&one == 1;
    if (sizeof(void *) == 8) return little ? "64 bits, little-endian" : "64 bits, big-endian";
    return little ? "32 bits, little-endian" : "32 bits, big-endian";
}

/* --- as a node tells it ----------------------------------------------------------------------- */

void node_record(const struct node *n, enum journal_kind kind, const void *record)
{
    if (n->io.record != NULL) n->io.record(n->io.ctx, kind, record);
}

/* With its NUL, so that whoever reads it can point to it. */
static struct bytes text_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text) + 1};
}

#define ADDRESSES_SIZE (REPLICAS_MAX * (ADDRESS_BYTES_MAX + 8u))

static struct wire_list address_list(const struct vr_config *config, const char *const *texts,
                                     uint8_t buffer[static ADDRESSES_SIZE])
{
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_address, buffer, ADDRESSES_SIZE);
    for (uint8_t i = 0; i < config->n_replicas; i++) {
        struct wire_address address = {.text = text_of(texts[i] != NULL ? texts[i] : "")};
        bool fits = wire_list_add(&list, &address);
        assert(fits);
    }
    return wire_list_end(&list);
}

void node_record_start(const struct node *n, const struct vr_config *config,
                       const struct vstamp_app *app, struct vstamp_id entropy)
{
    if (n->io.record == NULL) return;
    uint8_t lists[2][ADDRESSES_SIZE];
    struct wire_recorded_start start = {.format = RECORDING_FORMAT,
                                        .version = text_of(config->version),
                                        .machine = text_of(recording_machine()),
                                        .application = text_of(app->name),
                                        .entropy = entropy};
#define NUMBER(name) start.config.name = config->name;
    CONFIG_NUMBERS(NUMBER)
#undef NUMBER
    start.config.addresses = address_list(config, config->addresses, lists[0]);
    start.config.status_addresses = address_list(config, config->status_addresses, lists[1]);
    node_record(n, JOURNAL_RECORDED_start, &start);
}

void node_record_file(const struct node *n, struct bytes file)
{
    while (n->io.record != NULL && file.size > 0) {
        size_t size = file.size < RECORDING_DATA_MAX ? file.size : RECORDING_DATA_MAX;
        NODE_RECORD(n, data, .content = {file.data, size});
        file.data += size;
        file.size -= size;
    }
}

/* What comes out is summed up, not kept: the inputs give it back. */
static void note(struct node *n, uint64_t what, uint64_t whom, struct bytes content)
{
    uint8_t seed[24];
    struct writer w = writer_over(seed, sizeof seed);
    write_u64(&w, n->outputs.checksum);
    write_u64(&w, what);
    write_u64(&w, whom);
    n->outputs.checksum =
        checksum64_seeded(content.data, content.size, checksum64(seed, sizeof seed));
}

enum { NOTE_FRAME = 1, NOTE_REPLY, NOTE_JOB, NOTE_RESULT, NOTE_SLOT };

void node_note_frame(struct node *n, uint8_t slot, struct bytes frame)
{
    if (n->io.record == NULL) return;
    n->outputs.frames++;
    note(n, NOTE_FRAME, slot, frame);
}

/* Where the frames go from now on. */
void node_note_directory(struct node *n)
{
    const struct node_directory *d = &n->directory;
    if (n->io.record == NULL) return;
    for (uint8_t i = 0; i < d->n_slots; i++)
        note(n, NOTE_SLOT, (uint64_t)d->self << 8 | i, bytes_of(d->addresses[i]));
}

void node_note_reply(struct node *n, uint64_t origin, struct bytes frame)
{
    if (n->io.record == NULL) return;
    n->outputs.replies++;
    note(n, NOTE_REPLY, origin, frame);
}

void node_note_job(struct node *n, enum node_lane lane, const struct node_job *job)
{
    if (n->io.record == NULL) return;
    n->outputs.jobs++;
    note(n, NOTE_JOB | (uint64_t)lane << 8 | (uint64_t)job->kind << 16, job->number, job->data);
}

void node_note_result(struct node *n, int rv, uint64_t value)
{
    if (n->io.record == NULL) return;
    note(n, NOTE_RESULT | (uint64_t)(uint32_t)rv << 8, value, (struct bytes){0});
}

void node_record_outputs(struct node *n)
{
    if (n->io.record == NULL) return;
    n->outputs.view = n->vr.view;
    n->outputs.op = n->vr.log.op;
    n->outputs.commit = n->vr.commit;
    n->outputs.next_timer = node_next_timer(n);
    node_record(n, JOURNAL_RECORDED_outputs, &n->outputs);
}

/* --- on file ---------------------------------------------------------------------------------- */

const struct wire_shape *recording_shape(enum journal_kind kind)
{
    return kind < JOURNAL_KINDS ? shapes[kind] : NULL;
}

bool recording_put(struct writer *w, uint64_t place, enum journal_kind kind, const void *record)
{
    assert(shapes[kind] != NULL);
    return journal_put(w, RECORDING_NUMBER, place, kind, shapes[kind], record);
}

enum journal_status recording_next(struct journal_reader *r, struct recorded *record)
{
    struct journal_reader next = *r;
    struct bytes body;
    enum journal_status status = journal_next(&next, &record->kind, &body);
    if (status != JOURNAL_RECORD) return status;
    const struct wire_shape *shape = shapes[record->kind];
    if (shape == NULL || wire_decode(shape, body, &record->as) != 0) return JOURNAL_BAD;
    *r = next;
    return JOURNAL_RECORD;
}

bool recording_origin(struct bytes file, uint32_t *format, struct recorded *start)
{
    struct journal_reader r = {.file = file, .number = RECORDING_NUMBER};
    struct bytes body;
    if (journal_next(&r, &start->kind, &body) != JOURNAL_RECORD) return false;
    if (start->kind != JOURNAL_RECORDED_start) return false;
    struct reader first = reader_over(body.data, body.size);
    *format = read_u32(&first);
    if (*format != RECORDING_FORMAT) return first.ok;
    return wire_decode(&wire_shape_recorded_start, body, &start->as) == 0;
}

static bool is_text(struct bytes b)
{
    return b.size > 0 && memchr(b.data, '\0', b.size) == b.data + b.size - 1;
}

static bool take_addresses(const struct wire_list *list, const char **texts)
{
    struct reader r = wire_list_start(list);
    for (uint32_t i = 0; i < list->count; i++) {
        struct wire_address address;
        wire_list_next(&wire_shape_address, &r, &address);
        if (!is_text(address.text) || address.text.size > ADDRESS_BYTES_MAX + 1) return false;
        texts[i] = (const char *)address.text.data;
    }
    return true;
}

bool recording_config(const struct wire_recorded_start *start, struct vr_config *config)
{
    const struct wire_recorded_config *from = &start->config;
    *config = (struct vr_config){0};
    if (!is_text(start->version) || !is_text(start->machine) || !is_text(start->application))
        return false;
    if (from->n_replicas == 0 || from->n_replicas > REPLICAS_MAX ||
        from->self >= from->n_replicas || from->durable > 1 ||
        from->addresses.count != from->n_replicas ||
        from->status_addresses.count != from->n_replicas)
        return false;
#define NUMBER(name) config->name = from->name;
    CONFIG_NUMBERS(NUMBER)
#undef NUMBER
    if (!vr_witnesses_are_sound(config)) return false;
    config->version = (const char *)start->version.data;
    return take_addresses(&from->addresses, config->addresses) &&
           take_addresses(&from->status_addresses, config->status_addresses);
}

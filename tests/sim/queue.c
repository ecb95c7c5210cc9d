/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->time != b->time ? a->time < b->time : a->sequence < b->sequence;
}

void sim_queue_push(struct sim_queue *q, struct sim_event event)
{
    if (q->count == q->capacity) {
        q->capacity = q->capacity == 0 ? 1024 : q->capacity * 2;
        q->heap = realloc(q->heap, q->capacity * sizeof *q->heap);
        assert(q->heap != NULL);
    }
    event.sequence = q->sequence++;
    size_t at = q->count++;
    while (at > 0 && before(&event, &q->heap[(at - 1) / 2])) {
        q->heap[at] = q->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    q->heap[at] = event;
}

bool sim_queue_pop(struct sim_queue *q, struct sim_event *event)
{
    if (q->count == 0) return false;
    *event = q->heap[0];
    struct sim_event last = q->heap[--q->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= q->count) break;
        if (child + 1 < q->count && before(&q->heap[child + 1], &q->heap[child])) child++;
        if (!before(&q->heap[child], &last)) break;
        q->heap[at] = q->heap[child];
        at = child;
    }
    if (q->count > 0) q->heap[at] = last;
    return true;
}

void sim_queue_clear(struct sim_queue *q)
{
    for (size_t i = 0; i < q->count; i++) sim_packet_release(q->heap[i].packet);
    free(q->heap);
    *q = (struct sim_queue){0};
}

struct sim_packet *sim_packet_new(const void *bytes, size_t size)
{
    struct sim_packet *packet = malloc(sizeof *packet + size);
    assert(packet != NULL);
    packet->references = 1;
    packet->size = (uint32_t)size;
    memcpy(packet->bytes, bytes, size);
    return packet;
}

struct sim_packet *sim_packet_share(struct sim_packet *packet)
{
    packet->references++;
    return packet;
}

void sim_packet_release(struct sim_packet *packet)
{
    if (packet != NULL && --packet->references == 0) free(packet);
}

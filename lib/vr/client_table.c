/* SPDX-License-Identifier: BSD-2-Clause */
/* The client table (paper sections 4.1 and 4.5); client_table.h says what for.
 *
 * A session is a slot, a header of 72 bytes and max_answer_bytes rounded up, little-endian:
 *
 *      0  client id (hi, lo)     40  op                    64  since
 *     16  session                48  used                  72  the answer, then zeros
 *     24  register_number        56  size of the answer (16 bits), and what it is (16 bits)
 *     32  number                 60  request
 *
 * Slots are laid out from the start of the state and never span two pages.  They are taken in order
 * and never given back, only replaced, and a free slot is all zeros, so a new group needs no
 * set-up. The counter behind `used` is the greatest one in the table: the newest is never the one
 * evicted.
 *
 * Derived, in memory of the arena: an open-addressing index by client id, at most half full, with
 * deletion by moving back what follows; and a list from the least to the most recently used. */
#include "vr/client_table.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/endian.h"
#include "base/limits.h"
#include "vr/id_hash.h"

enum slot_layout {
    SLOT_CLIENT_HI = 0,
    SLOT_CLIENT_LO = 8,
    SLOT_SESSION = 16,
    SLOT_REGISTER_NUMBER = 24,
    SLOT_NUMBER = 32,
    SLOT_OP = 40,
    SLOT_USED = 48,
    SLOT_ANSWER_SIZE = 56,
    SLOT_OUTCOME = 58,
    SLOT_REQUEST = 60,
    SLOT_SINCE = 64,
    SLOT_ANSWER = 72,
    SLOT_ALIGN = 64
};

#define NONE UINT32_MAX

struct use {
    uint32_t before, after; /* neighbours in order of use, NONE at the ends */
};

/* How far a load is. */
enum load_step {
    LOAD_SLOTS, /* the slots in use are the first ones, and go into the index and into `sorted` */
    LOAD_HEAP,  /* heap sort, as it needs no memory and no luck: make the heap, */
    LOAD_SORT,  /* take its top away */
    LOAD_ORDER, /* the list by use */
    LOAD_DONE
};

struct client_table {
    struct pages *pages;
    bool of_candidate; /* its pages are those of the candidate, not the live ones */
    uint32_t max_clients, max_answer_bytes;
    uint32_t slot_size, slots_per_page;
    uint32_t count;
    uint64_t used; /* newest value of any slot */

    uint32_t *index; /* slot + 1, by hash of the client id; 0: nobody */
    uint32_t index_mask;
    struct use *uses;
    uint32_t oldest, newest;

    enum load_step step;
    uint32_t at;      /* in this step */
    bool ended;       /* no slot in use may follow */
    uint64_t load_op; /* nothing may be newer */
    uint32_t *sorted; /* slots 0 .. count - 1 by `used`; only while loading */
};

static uint32_t slot_size_of(uint32_t max_answer_bytes)
{
    assert(max_answer_bytes <= VSTAMP_PAGE_SIZE - SLOT_ANSWER);
    return (SLOT_ANSWER + max_answer_bytes + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
}

uint64_t client_table_room(uint32_t pages, uint32_t max_answer_bytes)
{
    return (uint64_t)pages * (VSTAMP_PAGE_SIZE / slot_size_of(max_answer_bytes));
}

uint32_t client_table_pages(uint32_t max_clients, uint32_t max_answer_bytes)
{
    uint32_t slots_per_page = (uint32_t)client_table_room(1, max_answer_bytes);
    return (max_clients + slots_per_page - 1) / slots_per_page;
}

static const uint8_t *slot_read(const struct client_table *t, uint32_t slot)
{
    assert(slot < t->max_clients);
    uint32_t page = slot / t->slots_per_page;
    const uint8_t *content =
        t->of_candidate ? pages_candidate(t->pages, page) : pages_read(t->pages, page);
    return content + slot % t->slots_per_page * t->slot_size;
}

static uint8_t *slot_write(struct client_table *t, uint32_t slot)
{
    assert(slot < t->max_clients && !t->of_candidate);
    return pages_write(t->pages, slot / t->slots_per_page) +
           slot % t->slots_per_page * t->slot_size;
}

static struct vstamp_id slot_client(const uint8_t *at)
{
    return (struct vstamp_id){load_u64(at + SLOT_CLIENT_HI), load_u64(at + SLOT_CLIENT_LO)};
}

static struct client_record slot_record(const uint8_t *at)
{
    return (struct client_record){
        .client = slot_client(at),
        .session = load_u64(at + SLOT_SESSION),
        .register_number = load_u64(at + SLOT_REGISTER_NUMBER),
        .number = load_u64(at + SLOT_NUMBER),
        .op = load_u64(at + SLOT_OP),
        .used = load_u64(at + SLOT_USED),
        .request = load_u32(at + SLOT_REQUEST),
        .since = load_u64(at + SLOT_SINCE),
        .outcome = (uint8_t)load_u16(at + SLOT_OUTCOME),
        .answer = {at + SLOT_ANSWER, load_u16(at + SLOT_ANSWER_SIZE)},
    };
}

/* The index. */

static uint32_t home(const struct client_table *t, struct vstamp_id client)
{
    return id_hash(client) & t->index_mask;
}

/* The place of the client in the index, or the empty place where it would go. */
static uint32_t index_place(const struct client_table *t, struct vstamp_id client)
{
    uint32_t at = home(t, client);
    while (t->index[at] != 0 &&
           !vstamp_id_equal(slot_client(slot_read(t, t->index[at] - 1)), client)) {
        at = (at + 1) & t->index_mask;
    }
    return at;
}

/* Empty a place, and move back those behind it that would not be found across the gap. */
static void index_remove(struct client_table *t, struct vstamp_id client)
{
    uint32_t gap = index_place(t, client);
    assert(t->index[gap] != 0);
    for (uint32_t at = (gap + 1) & t->index_mask; t->index[at] != 0;
         at = (at + 1) & t->index_mask) {
        uint32_t wanted = home(t, slot_client(slot_read(t, t->index[at] - 1)));
        if (((at - wanted) & t->index_mask) < ((at - gap) & t->index_mask)) continue;
        t->index[gap] = t->index[at];
        gap = at;
    }
    t->index[gap] = 0;
}

/* The slot of a client; NONE: it has none. */
static uint32_t find_slot(const struct client_table *t, struct vstamp_id client)
{
    uint32_t place = t->index[index_place(t, client)];
    return place != 0 ? place - 1 : NONE;
}

void client_table_foresee(const struct client_table *t, const struct vstamp_id *clients,
                          uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) __builtin_prefetch(&t->index[home(t, clients[i])]);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t place = t->index[home(t, clients[i])];
        if (place == 0) continue;
        const uint8_t *at = slot_read(t, place - 1);
        __builtin_prefetch(at);
        __builtin_prefetch(at + SLOT_ANSWER);
        __builtin_prefetch(&t->uses[place - 1]);
    }
}

/* The order of use. */

static void use_unlink(struct client_table *t, uint32_t slot)
{
    struct use u = t->uses[slot];
    if (u.before != NONE) t->uses[u.before].after = u.after;
    else t->oldest = u.after;
    if (u.after != NONE) t->uses[u.after].before = u.before;
    else t->newest = u.before;
}

static void use_append(struct client_table *t, uint32_t slot)
{
    t->uses[slot] = (struct use){.before = t->newest, .after = NONE};
    if (t->newest != NONE) t->uses[t->newest].after = slot;
    else t->oldest = slot;
    t->newest = slot;
}

static void forget_derived(struct client_table *t)
{
    t->count = 0;
    t->used = 0;
    t->oldest = t->newest = NONE;
    memset(t->index, 0, ((size_t)t->index_mask + 1) * sizeof t->index[0]);
}

struct client_table *client_table_new(struct arena *arena, struct pages *pages,
                                      uint32_t max_clients, uint32_t max_answer_bytes)
{
    assert(max_clients > 0 && max_clients <= 1u << 30);
    uint32_t places = 2;
    while (places < 2 * max_clients) places *= 2;

    struct client_table *t = arena_take(arena, 1, sizeof *t);
    uint32_t *index = arena_take(arena, places, sizeof *index);
    struct use *uses = arena_take(arena, max_clients, sizeof *uses);
    uint32_t *sorted = arena_take(arena, max_clients, sizeof *sorted);
    if (t == NULL) return NULL; /* the arena only counts */

    uint32_t slot_size = slot_size_of(max_answer_bytes);
    *t = (struct client_table){
        .pages = pages,
        .max_clients = max_clients,
        .max_answer_bytes = max_answer_bytes,
        .slot_size = slot_size,
        .slots_per_page = VSTAMP_PAGE_SIZE / slot_size,
        .index = index,
        .index_mask = places - 1,
        .uses = uses,
        .oldest = NONE,
        .newest = NONE,
        .sorted = sorted,
        .step = LOAD_DONE,
    };
    assert(client_table_pages(max_clients, max_answer_bytes) <= pages->n_max);
    return t;
}

void client_table_give_back(struct client_table *t, const struct give_back *give_back)
{
    size_t n = t->max_clients;
    give_back->zero(give_back->ctx, t->index, ((size_t)t->index_mask + 1) * sizeof t->index[0]);
    give_back->zero(give_back->ctx, t->uses, n * sizeof t->uses[0]);
    give_back->zero(give_back->ctx, t->sorted, n * sizeof t->sorted[0]);
    t->count = 0;
    t->used = 0;
    t->oldest = t->newest = NONE;
    t->of_candidate = false;
    t->step = LOAD_DONE;
}

uint32_t client_table_count(const struct client_table *t)
{
    return t->count;
}

bool client_table_find(const struct client_table *t, struct vstamp_id client,
                       struct client_record *record)
{
    uint32_t slot = find_slot(t, client);
    if (slot == NONE) return false;
    *record = slot_record(slot_read(t, slot));
    return true;
}

/* The slot for a new client, zeroed: the next free one, or the least recently used one. */
static uint32_t take_slot(struct client_table *t, bool *evicted)
{
    *evicted = t->count == t->max_clients;
    if (!*evicted) return t->count++;

    uint32_t slot = t->oldest;
    assert(slot != NONE);
    index_remove(t, slot_client(slot_read(t, slot)));
    use_unlink(t, slot);
    memset(slot_write(t, slot), 0, t->slot_size);
    return slot;
}

static uint32_t insert_client(struct client_table *t, struct vstamp_id client, bool *evicted)
{
    uint32_t slot = take_slot(t, evicted);
    uint8_t *at = slot_write(t, slot);
    t->index[index_place(t, client)] = slot + 1;
    store_u64(at + SLOT_CLIENT_HI, client.hi);
    store_u64(at + SLOT_CLIENT_LO, client.lo);
    use_append(t, slot);
    return slot;
}

/* This slot is now the most recently used one. */
static void touch(struct client_table *t, uint32_t slot, uint8_t *at)
{
    store_u64(at + SLOT_USED, ++t->used);
    use_unlink(t, slot);
    use_append(t, slot);
}

void client_table_register(struct client_table *t, struct vstamp_id client, uint64_t number,
                           uint64_t op, struct client_record *record, bool *evicted)
{
    assert(op > 0); /* a slot is free while its session is 0 */
    uint32_t slot = find_slot(t, client);
    bool known = slot != NONE;
    *evicted = false;
    if (!known) slot = insert_client(t, client, evicted);

    *record = slot_record(slot_read(t, slot));
    if (known && number <= record->register_number) return;

    assert(op >= record->session && op >= record->op); /* equal within a batch (6.2) */
    uint8_t *at = slot_write(t, slot);
    store_u64(at + SLOT_SESSION, op);
    store_u64(at + SLOT_REGISTER_NUMBER, number);
    if (!known) store_u64(at + SLOT_SINCE, op);
    touch(t, slot, at);
    *record = slot_record(at);
    assert(t->count <= t->max_clients);
}

uint32_t client_table_request(uint64_t session, struct bytes body)
{
    return session == 0 ? 0 : (uint32_t)checksum64_seeded(body.data, body.size, session);
}

void client_table_note(struct client_table *t, struct vstamp_id client, uint64_t number,
                       uint32_t request, uint64_t op, enum wire_outcome outcome,
                       struct bytes answer)
{
    assert(answer.size <= t->max_answer_bytes);
    uint32_t slot = find_slot(t, client);
    assert(slot != NONE);
    uint8_t *at = slot_write(t, slot);
    assert(number > load_u64(at + SLOT_NUMBER)); /* else it would have run twice */
    assert(op >= load_u64(at + SLOT_SESSION) && op >= load_u64(at + SLOT_OP));

    uint16_t old_size = load_u16(at + SLOT_ANSWER_SIZE);
    store_u64(at + SLOT_NUMBER, number);
    store_u64(at + SLOT_OP, op);
    store_u32(at + SLOT_REQUEST, request);
    store_u16(at + SLOT_ANSWER_SIZE, (uint16_t)answer.size);
    store_u16(at + SLOT_OUTCOME, (uint16_t)outcome);
    if (answer.size > 0) memcpy(at + SLOT_ANSWER, answer.data, answer.size);
    if (answer.size < old_size) {
        memset(at + SLOT_ANSWER + answer.size, 0, old_size - answer.size);
    }
    touch(t, slot, at);
}

/* Loading */

static bool all_zeros(const uint8_t *at, size_t size)
{
    return size == 0 || (at[0] == 0 && memcmp(at, at + 1, size - 1) == 0);
}

static bool slot_makes_sense(const struct client_table *t, const uint8_t *at)
{
    uint64_t op = t->load_op;
    struct client_record r = slot_record(at);
    if (r.answer.size > t->max_answer_bytes) return false;
    if (!all_zeros(r.answer.data + r.answer.size, t->slot_size - SLOT_ANSWER - r.answer.size)) {
        return false;
    }
    if (r.session == 0) return all_zeros(at, SLOT_ANSWER);
    if (r.number == 0 && (r.answer.size != 0 || r.request != 0 || r.outcome != 0)) return false;
    if (load_u16(at + SLOT_OUTCOME) > WIRE_OUTCOME_NO_ANSWER) return false;
    if (r.session > op || r.op > op || r.number > NUMBER_MAX || r.used > NUMBER_MAX) return false;
    if ((r.op != 0) != (r.number != 0)) return false;
    return r.since != 0 && r.since <= r.session && r.used != 0;
}

static uint64_t used_of(const struct client_table *t, uint32_t slot)
{
    return load_u64(slot_read(t, slot) + SLOT_USED);
}

/* Let the entry at `top` sink to its place in the heap sorted[0 .. n - 1], greatest on top. */
static void sift_down(struct client_table *t, uint32_t top, uint32_t n)
{
    uint32_t slot = t->sorted[top];
    for (uint32_t child = 2 * top + 1; child < n; child = 2 * top + 1) {
        if (child + 1 < n &&
            used_of(t, t->sorted[child]) < used_of(t, t->sorted[child + 1])) child++;
        if (used_of(t, t->sorted[child]) <= used_of(t, slot)) break;
        t->sorted[top] = t->sorted[child];
        top = child;
    }
    t->sorted[top] = slot;
}

/* Take in a slot: the used ones must be the first, with no client twice. */
static bool load_slot(struct client_table *t, uint32_t slot)
{
    const uint8_t *at = slot_read(t, slot);
    if (!slot_makes_sense(t, at)) return false;
    if (load_u64(at + SLOT_SESSION) == 0) {
        t->ended = true;
        return true;
    }
    uint32_t place = index_place(t, slot_client(at));
    if (t->ended || t->index[place] != 0) return false;
    t->index[place] = slot + 1;
    t->sorted[t->count++] = slot;
    return true;
}

/* The greatest of the n + 1 that are still a heap has its place. */
static void load_greatest(struct client_table *t, uint32_t n)
{
    uint32_t greatest = t->sorted[0];
    t->sorted[0] = t->sorted[n];
    t->sorted[n] = greatest;
    sift_down(t, 0, n);
}

static bool load_used(struct client_table *t, uint32_t slot)
{
    uint64_t used = used_of(t, slot);
    if (used == t->used) return false; /* by the sort, equal ones are neighbours; none is 0 */
    t->used = used;
    use_append(t, slot);
    return true;
}

static void load_next(struct client_table *t, enum load_step step, uint32_t at)
{
    t->step = step;
    t->at = at;
}

static bool load_one(struct client_table *t)
{
    switch (t->step) {
    case LOAD_SLOTS:
        if (t->at < t->max_clients) return load_slot(t, t->at++);
        load_next(t, LOAD_HEAP, t->count / 2);
        break;
    case LOAD_HEAP:
        if (t->at > 0) sift_down(t, --t->at, t->count);
        else load_next(t, LOAD_SORT, t->count);
        break;
    case LOAD_SORT:
        if (t->at > 1) load_greatest(t, --t->at);
        else load_next(t, LOAD_ORDER, 0);
        break;
    case LOAD_ORDER:
        if (t->at < t->count) return load_used(t, t->sorted[t->at++]);
        t->step = LOAD_DONE;
        break;
    case LOAD_DONE: break;
    }
    return true;
}

void client_table_load(struct client_table *t, bool of_candidate, uint64_t op)
{
    forget_derived(t);
    t->of_candidate = of_candidate;
    t->load_op = op;
    t->ended = false;
    load_next(t, LOAD_SLOTS, 0);
}

enum vstamp_audit client_table_load_some(struct client_table *t, uint32_t steps)
{
    for (; steps > 0 && t->step != LOAD_DONE; steps--) {
        if (load_one(t)) continue;
        forget_derived(t);
        return VSTAMP_AUDIT_FAILS;
    }
    return t->step == LOAD_DONE ? VSTAMP_AUDIT_PASSES : VSTAMP_AUDIT_GOES_ON;
}

void client_table_become_live(struct client_table *t)
{
    assert(t->of_candidate && t->step == LOAD_DONE);
    t->of_candidate = false;
}

bool client_table_reload(struct client_table *t, uint64_t op)
{
    client_table_load(t, false, op);
    return client_table_load_some(t, UINT32_MAX) == VSTAMP_AUDIT_PASSES;
}

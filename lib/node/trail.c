/* SPDX-License-Identifier: BSD-2-Clause */
#include "node/trail.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/bitset.h"
#include "node/journal.h"

#define PAGES_MAX   (UINT32_C(1) << 28)  /* of the largest state */
#define STRETCH     (UINT32_MAX - 2)     /* noted in place of a page: here one begins; */
#define FROM_ZEROS  1u                   /* its value: with all pages zeros */

/* --- reading ---------------------------------------------------------------------------------- */

size_t trail_entries_max(size_t size)
{
    return size / TRAIL_ENTRY_BYTES + 1;
}

static void add(struct trail *t, uint32_t page, uint64_t value)
{
    t->entries[t->n++] = (struct wire_trail_entry){.page = page, .value = value};
}

static int note_owner(struct trail *t, const struct wire_trail *record, struct vstamp_diag *diag)
{
    if (record->format != TRAIL_FORMAT) {
        vstamp_diag_printf(diag, "is of format %" PRIu32 ", and this program reads %u: take the "
                                 "vstamp-admin of the release that wrote it",
                           record->format, TRAIL_FORMAT);
        return VSTAMP_E_VERSION;
    }
    if (!vstamp_id_is_zero(t->group) && !vstamp_id_equal(t->group, record->group)) {
        vstamp_diag_printf(diag, "is of another group than what is in the folder beside it");
        return VSTAMP_E_OTHER_GROUP;
    }
    t->group = record->group;
    t->app_first = record->app_first;
    if (record->address.size >= sizeof t->address) return 0;
    memcpy(t->address, record->address.data, record->address.size);
    t->address[record->address.size] = '\0';
    return 0;
}

static bool note_entry(struct trail *t, const struct wire_trail_entry *entry)
{
    if (entry->page == TRAIL_ROTTEN) {
        t->rotten = entry->value + 1;
        return true;
    }
    if (entry->page == TRAIL_OP) {
        if (entry->value <= t->stretch_op) return false;
        t->stretch_op = entry->value;
        if (t->first_op == 0 || entry->value < t->first_op) t->first_op = entry->value;
        if (entry->value > t->last_op) t->last_op = entry->value;
    } else if (entry->page >= PAGES_MAX) {
        return false;
    } else if (entry->page >= t->n_pages) {
        t->n_pages = entry->page + 1;
    }
    add(t, entry->page, entry->value);
    return true;
}

static bool note_entries(struct trail *t, const struct wire_trail *record)
{
    struct reader at = wire_list_start(&record->entries);
    if (t->n == 0 || record->place != t->next_place) {
        add(t, STRETCH, record->place == 0 ? FROM_ZEROS : 0);
        t->stretch_op = 0;
    }
    t->next_place = record->place + record->entries.count;
    for (uint32_t i = 0; i < record->entries.count; i++) {
        struct wire_trail_entry entry;
        wire_list_next(&wire_shape_trail_entry, &at, &entry);
        if (!note_entry(t, &entry)) return false;
    }
    return true;
}

/* Its record, if one begins at the front of the file; gives its size, else 0. */
static size_t next_record(struct bytes file, struct wire_trail *record)
{
    struct journal_reader r = {.file = file};
    enum journal_kind kind;
    struct bytes body;
    bool checks = journal_next(&r, &kind, &body) == JOURNAL_RECORD && kind == JOURNAL_TRAIL &&
                  wire_decode(&wire_shape_trail, body, record) == 0;
    return checks ? r.place : 0;
}

int trail_read(struct trail *t, struct bytes file, size_t *lost, struct vstamp_diag *diag)
{
    struct wire_trail record;
    *lost = 0;
    while (file.size > 0) {
        size_t size = next_record(file, &record);
        bool sound = size > 0;
        int rv = sound ? note_owner(t, &record, diag) : 0;
        if (rv != 0) return rv;
        if (!sound) size = 1; /* one may begin at the next byte */
        if (!sound || !note_entries(t, &record)) {
            t->next_place = UINT64_MAX; /* nothing goes on from there */
            *lost += size;
        }
        file = (struct bytes){file.data + size, file.size - size};
    }
    return 0;
}

/* --- comparing -------------------------------------------------------------------------------- */

/* A walk along a stretch: what its pages hold at the point that was reached. */
struct walk {
    const struct trail *trail;
    size_t begin, end;  /* the stretch */
    size_t at;          /* behind that point, */
    size_t since;       /* and behind the newest one at which both were compared */
    uint64_t op;        /* of it; 0: there is no further one */
    uint64_t *hashes;
    uint64_t *known;    /* bitset */
};

static size_t n_words(const struct trail *a, const struct trail *b)
{
    uint32_t n = a->n_pages > b->n_pages ? a->n_pages : b->n_pages;
    return n + bitset_words(n);
}

size_t trail_compare_memory(const struct trail *a, const struct trail *b)
{
    return 2 * n_words(a, b) * sizeof(uint64_t);
}

/* The stretch that begins at or behind `from`; false: there is none. */
static bool next_stretch(struct walk *w, size_t from)
{
    const struct trail *t = w->trail;
    while (from < t->n && t->entries[from].page != STRETCH) from++;
    w->begin = from;
    w->end = from + 1;
    while (w->end < t->n && t->entries[w->end].page != STRETCH) w->end++;
    return from < t->n;
}

static void begin(struct walk *w, uint32_t n_pages)
{
    bool from_zeros = w->trail->entries[w->begin].value == FROM_ZEROS;
    w->at = w->since = w->begin + 1;
    memset(w->hashes, 0, n_pages * sizeof w->hashes[0]);
    memset(w->known, from_zeros ? 0xff : 0, bitset_words(n_pages) * sizeof w->known[0]);
}

static void advance(struct walk *w)
{
    w->op = 0;
    while (w->at < w->end && w->op == 0) {
        const struct wire_trail_entry *entry = &w->trail->entries[w->at++];
        if (entry->page == TRAIL_OP) {
            w->op = entry->value;
        } else {
            w->hashes[entry->page] = entry->value;
            bitset_add(w->known, entry->page);
        }
    }
}

static bool differs(const struct walk *a, const struct walk *b, uint32_t page)
{
    return bitset_has(a->known, page) && bitset_has(b->known, page) &&
           a->hashes[page] != b->hashes[page];
}

/* Of the pages that `w` told since they were equal. */
static bool any_differs(const struct walk *w, const struct walk *other)
{
    for (size_t i = w->since; i < w->at; i++) {
        uint32_t page = w->trail->entries[i].page;
        if (page != TRAIL_OP && differs(w, other, page)) return true;
    }
    return false;
}

static void note_difference(const struct walk *a, const struct walk *b, uint32_t n_pages,
                            uint64_t after, struct trail_difference *d)
{
    d->op = a->op;
    d->after = after;
    d->n_pages = 0;
    for (uint32_t page = 0; page < n_pages; page++) {
        if (!differs(a, b, page)) continue;
        if (d->n_pages < TRAIL_PAGES_SHOWN) d->pages[d->n_pages] = page;
        d->n_pages++;
    }
}

static void compare_stretches(struct walk *a, struct walk *b, uint32_t n_pages,
                              struct trail_difference *d)
{
    uint64_t after = 0;
    begin(a, n_pages);
    begin(b, n_pages);
    advance(a);
    advance(b);
    while (a->op != 0 && b->op != 0) {
        if (a->op != b->op) {
            advance(a->op < b->op ? a : b);
            continue;
        }
        d->n_points++;
        if (d->first_op == 0 || a->op < d->first_op) d->first_op = a->op;
        if (a->op > d->last_op) d->last_op = a->op;
        if (any_differs(a, b) || any_differs(b, a)) {
            if (d->op == 0 || a->op < d->op) note_difference(a, b, n_pages, after, d);
            return;
        }
        after = a->op;
        a->since = a->at;
        b->since = b->at;
        advance(a);
        advance(b);
    }
}

void trail_compare(const struct trail *a, const struct trail *b, void *memory,
                   struct trail_difference *difference)
{
    uint32_t n_pages = a->n_pages > b->n_pages ? a->n_pages : b->n_pages;
    uint64_t *ours = memory, *theirs = ours + n_words(a, b);
    struct walk of_a = {.trail = a, .hashes = ours, .known = ours + n_pages};
    struct walk of_b = {.trail = b, .hashes = theirs, .known = theirs + n_pages};
    *difference = (struct trail_difference){0};
    for (size_t i = 0; next_stretch(&of_a, i); i = of_a.end)
        for (size_t j = 0; next_stretch(&of_b, j); j = of_b.end)
            compare_stretches(&of_a, &of_b, n_pages, difference);
}

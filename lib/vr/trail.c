/* SPDX-License-Identifier: BSD-2-Clause */
/* The trail: what each page held at each digest point, for whoever has to find out since which op
 * two replicas differ, and in which page first (vstamp-admin bisect).
 *
 *   R1  an entry is a page and the hash of what it held at a point.  Of a point come those pages
 *       that may have changed since the one before, then an entry that ends it: whoever has all
 *       entries up to there knows the hash of every page after that op;
 *   R2  entries wait here in a buffer until the disk's lane takes them, many at a time or at the
 *       point of a checkpoint.  If it is full when the next point comes, the pages that were not
 *       told yet are told with that one: the trail loses a point, and stays true;
 *   R3  at a start all pages count as zeros, and whatever is restored as a change of them;
 *   R4  when states are found to differ what was written so far is put aside, in place of what was
 *       put aside before, once the point that is being told is told whole: who is wrong itself ends
 *       only then.  A file that is large takes the place of the one before it, and another
 *       begins.  Each file begins by telling all pages anew, so it needs nothing that came before
 *       it, and goes on until that beginning is half of it at most, however large it is. */
#include "vr/rooms.h"

void vr_trail_begin(struct vr *r, struct arena *arena)
{
    if (r->config.durable)
        r->trail.entries = arena_take(arena, TRAIL_ENTRIES, sizeof r->trail.entries[0]);
}

static void add(struct vr_trail *t, uint32_t page, uint64_t value)
{
    t->entries[t->n++] = (struct wire_trail_entry){.page = page, .value = value};
}

void vr_trail_go_on(struct vr *r)
{
    struct vr_trail *t = &r->trail;
    while (t->op != 0 && t->n < TRAIL_ENTRIES - 1) { /* a page that has turned has room, too */
        t->page = pages_next_untold(&r->pages, t->page);
        if (t->page < r->pages.n_max) {
            add(t, t->page, pages_told(&r->pages, t->page));
        } else {
            add(t, TRAIL_OP, t->op);
            t->op = 0;
        }
    }
}

void vr_trail_point(struct vr *r, uint64_t op)
{
    if (r->trail.entries == NULL) return;
    r->trail.op = op;
    r->trail.page = 0;
    if (op % r->config.checkpoint_ops == 0) r->trail.due = true;
    vr_trail_go_on(r);
}

/* R2 */
void vr_trail_cut(struct vr *r)
{
    if (r->trail.op != 0) vr_mark(r, VR_MARK_trail_loses_a_point, "op=%" PRIu64, r->trail.op);
    r->trail.op = 0;
}

void vr_trail_rotten(struct vr *r, uint32_t page)
{
    if (r->trail.entries != NULL && r->trail.n < TRAIL_ENTRIES) add(&r->trail, TRAIL_ROTTEN, page);
}

void vr_trail_forget(struct vr *r)
{
    r->trail.n = 0;
    r->trail.op = 0;
    r->trail.due = false;
}

/* Once: what is said of it later must not take the place of what was known then. */
void vr_trail_keep(struct vr *r, uint64_t op)
{
    struct vr_trail *t = &r->trail;
    if (t->entries == NULL || t->kept_op > r->digests.agreed) return;
    t->kept_op = op;
    t->then = TRAIL_IS_KEPT;
}

void vr_on_large_trail(struct vr *r, uint64_t size)
{
    uint64_t anew = (uint64_t)r->pages.n_touched * TRAIL_ENTRY_BYTES;
    if (r->trail.then == TRAIL_GOES_ON && size >= 2 * anew) r->trail.then = TRAIL_TURNS;
}

enum trail_then vr_trail_taken(struct vr *r)
{
    struct vr_trail *t = &r->trail;
    enum trail_then then = t->op == 0 ? t->then : TRAIL_GOES_ON; /* a point ends in its file */
    t->place += t->n;
    t->n = 0;
    t->due = t->due && t->op != 0; /* there is more of that point */
    if (then == TRAIL_GOES_ON) return then;
    if (then == TRAIL_TURNS) vr_mark(r, VR_MARK_trail_turns, "place=%" PRIu64, t->place);
    pages_tell_anew(&r->pages); /* R4 */
    t->then = TRAIL_GOES_ON;
    return then;
}

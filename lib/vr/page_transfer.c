/* SPDX-License-Identifier: BSD-2-Clause */
/* State transfer by pages (paper sections 5.1, 5.2): for a replica that needs more than the logs of
 * its peers still hold.
 *
 *   --GET-TREE, to all-->   your newest checkpoint?      --GET-PAGES-->  these pages of it
 *   <--TREE--               op, root, its children       <---PAGES----
 *   --GET-TREE-->           the children of these
 *   <--TREE--               nodes in that tree
 *
 * The first checkpoint that is newer than what was executed here is the target; every replica that
 * names the same op-number and root is a holder of it.  From the root down, nodes of the target's
 * tree are compared with those of our own state; what is equal is left out, of what differs the
 * children are asked for, and at the bottom the pages.  Several questions are under way at once,
 * spread over the holders.
 *
 *   F1  live state stays as it is until the whole target is in hand (T1, T5);
 *   F2  nothing is believed but what hashes to what was asked for: the children of the root to the
 *       root that the holder named, those of a node and the content of a page to their hashes in
 *       the tree above; so the whole is the checkpoint with that root, whoever sent the parts.  A
 *       page that has turned in its holder's memory since a digest point is not what its tree says
 *       (pages.c), so it goes no further;
 *   F3  pages of two checkpoints are never mixed: an answer is of the target, and to a question
 *       that is still open (T3), or it is not taken;
 *   F4  when all holders have gone on to a newer checkpoint, that becomes the target.  What is
 *       staged is compared with it like all else, so nothing is fetched twice unless it changed
 *       twice (PIT-4.5); the same holds when a fetch is given up and another begins and, with a
 *       disk, after a crash (node/store_fetched.c).  A target whose holders are gone for good is
 *       given up after a while: those who are left may have only an older one.  Where pages change
 *       faster than they come this never ends; only the operator can mend that, and is told;
 *   F5  a question that is not answered in time is asked elsewhere.  Where nobody is known to hold
 *       a checkpoint, entries are asked for again: the log of another, or of a witness, may reach
 *       back to ours, and who has no checkpoint yet has all of its log;
 *   F6  questions are asked at such a pace that their answers take no more than
 *       transfer_mib_per_s;
 *   F7  what is in hand is looked through by the application in steps, and then takes the place of
 *       live state at once.
 *
 * Who answers (checkpoint.c) copies hashes and pages and computes nothing. */
#include <string.h>

#include "base/bitset.h"
#include "vr/rooms.h"

#define PACE_BURST_US UINT64_C(10000) /* so much time unused may be made up for */
#define QUESTIONS_PER_HOLDER 4u
#define PAGE_WIRE_SIZE (VSTAMP_PAGE_SIZE + 8u)
#define NODE_WIRE_SIZE (TREE_FANOUT * 8u)
#define ANSWER_WIRE_OVERHEAD 256u

/* --- pace (F6) -------------------------------------------------------------------------------- */

void vr_pace_note(struct vr *r, size_t bytes)
{
    uint64_t per_s = (uint64_t)r->config.transfer_mib_per_s << 20;
    if (per_s == 0) return; /* no bound */
    uint64_t earliest = r->now_us > PACE_BURST_US ? r->now_us - PACE_BURST_US : 0;
    if (r->pace_us < earliest) r->pace_us = earliest;
    r->pace_us += ((bytes + ANSWER_WIRE_OVERHEAD) * UINT64_C(1000000) + per_s - 1) / per_s;
}

bool vr_pace_allows(struct vr *r)
{
    if (r->pace_us <= r->now_us) return true;
    vr_timer_set(r, VR_TIMER_PACE, r->pace_us - r->now_us);
    return false;
}

/* --- what to ask for -------------------------------------------------------------------------- */

void vr_fetch_init(struct vr_fetch *f, struct arena *arena, const struct tree *like)
{
    for (uint8_t level = 0; level <= like->top; level++) {
        uint32_t n = like->levels[level].n;
        f->levels[level] = (struct vr_fetch_level){
            .hashes = arena_take(arena, n, sizeof(uint64_t)),
            .open = arena_take(arena, bitset_words(n), sizeof(uint64_t))};
    }
}

static const struct tree *candidate(const struct vr *r)
{
    return pages_tree(&r->pages, PAGES_CANDIDATE);
}

static void open_item(struct vr_fetch *f, uint8_t level, uint32_t number)
{
    struct vr_fetch_level *l = &f->levels[level];
    if (bitset_has(l->open, number)) return;
    bitset_add(l->open, number);
    l->n_open++;
}

static void reopen(struct vr_fetch *f, struct vr_question *q)
{
    for (uint32_t i = 0; i < q->n; i++) open_item(f, q->level, q->numbers[i]);
    q->n = 0;
}

/* A page of the target: the target's hash of it is `hash`. */
static void compare_page(struct vr *r, uint32_t page, uint64_t hash)
{
    struct vr_fetch *f = &r->fetch;
    f->levels[0].hashes[page] = hash;
    if (tree_leaf(candidate(r), page) == hash) return;
    if (pages_live_hash(&r->pages, page) == hash) {
        vr_mark(r, VR_MARK_fetch_drops_staged, "page=%u", page);
        pages_fetch_drop(&r->pages, page);
    } else if (hash == 0) {
        pages_fetch_put(&r->pages, page, NULL);
    } else {
        open_item(f, 0, page);
    }
}

/* The children of a node of the target are known. */
static void compare_children(struct vr *r, uint8_t level, uint32_t node, const uint64_t *children)
{
    struct vr_fetch *f = &r->fetch;
    const struct tree *ours = candidate(r);
    uint8_t below = (uint8_t)(level - 1);
    for (uint32_t i = 0; i < TREE_FANOUT; i++) {
        uint32_t child = node * TREE_FANOUT + i;
        if (child >= ours->levels[below].n) break;
        if (below == 0) {
            compare_page(r, child, children[i]);
        } else {
            f->levels[below].hashes[child] = children[i];
            if (tree_hash(ours, below, child) != children[i]) open_item(f, below, child);
        }
    }
}

static void forget_target(struct vr *r)
{
    struct vr_fetch *f = &r->fetch;
    for (uint8_t level = 0; level <= candidate(r)->top; level++) {
        uint32_t n = candidate(r)->levels[level].n;
        memset(f->levels[level].open, 0, bitset_words(n) * sizeof(uint64_t));
        f->levels[level].n_open = 0;
    }
    for (uint32_t i = 0; i < FETCH_QUESTIONS_MAX; i++) f->questions[i].n = 0;
    f->anchor = (struct wire_entry_header){0};
    f->holders = 0;
    f->complete = false;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Of a checkpoint.  To execute what was passed over takes one that our log goes on from. */
static uint64_t oldest_of_use(const struct vr *r)
{
    if (!r->bare) return r->applied + 1;
    return r->checkpoint_op > 0 ? r->checkpoint_op : 1;
}

/* Who has which checkpoint? */
void vr_fetch_ask_all(struct vr *r)
{
    struct vr_transfer *t = &r->transfer;
    uint64_t least = r->bare ? oldest_of_use(r) : 0;
    r->fetch.nonce = ++t->nonce;
    for (uint8_t i = 0; i < vr_n_sources(r); i++) {
        if (!vr_may_have_state(r, i)) continue;
        vr_send(r, i, t->view, &wire_shape_get_tree,
                &(struct wire_get_tree){.nonce = t->nonce, .checkpoint = least});
    }
}

static void send_question(struct vr *r, const struct vr_question *q)
{
    uint8_t buffer[FETCH_NUMBERS_MAX * 4];
    struct wire_list list = vr_number_list(q->numbers, q->n, buffer, sizeof buffer);
    uint64_t op = r->fetch.anchor.op, view = r->transfer.view;
    if (q->level > 0) {
        vr_send(r, q->peer, view, &wire_shape_get_tree,
                &(struct wire_get_tree){
                    .nonce = q->nonce, .checkpoint = op, .level = q->level, .nodes = list});
    } else {
        vr_send(r, q->peer, view, &wire_shape_get_pages,
                &(struct wire_get_pages){.nonce = q->nonce, .checkpoint = op, .pages = list});
    }
}

static uint32_t under_way(const struct vr_fetch *f, uint8_t peer)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < FETCH_QUESTIONS_MAX; i++)
        n += f->questions[i].n > 0 && (peer == VR_ALL || f->questions[i].peer == peer);
    return n;
}

/* The holder with the fewest questions; NOWHERE if all have enough. */
static uint8_t choose_holder(const struct vr *r)
{
    uint8_t best = NOWHERE;
    uint32_t fewest = QUESTIONS_PER_HOLDER, holders = r->fetch.holders;
    enum vr_transfer_kind kind = r->transfer.kind;
    bool spares = kind == VR_TRANSFER_LEARN || kind == VR_TRANSFER_WARM; /* nobody waits for that */
    uint32_t others = holders & ~(UINT32_C(1) << vr_primary_of(r, r->view));
    if (spares && others != 0) holders = others;
    for (uint8_t i = 0; i < vr_n_sources(r); i++) {
        uint32_t n = under_way(&r->fetch, i);
        if (!((holders >> i) & 1) || n >= fewest) continue;
        best = i;
        fewest = n;
    }
    return best;
}

/* The numbers of the next question, and what its answer will take. */
static size_t fill_question(struct vr *r, struct vr_question *q)
{
    struct vr_fetch *f = &r->fetch;
    struct vr_fetch_level *l = &f->levels[q->level];
    size_t each = q->level > 0 ? NODE_WIRE_SIZE : PAGE_WIRE_SIZE;
    size_t most = r->answer_size_max / each;
    if (most > FETCH_NUMBERS_MAX) most = FETCH_NUMBERS_MAX;
    for (uint32_t word = 0; l->n_open > 0 && q->n < most; word++) {
        for (; l->open[word] != 0 && q->n < most; l->n_open--) {
            uint32_t bit = (uint32_t)__builtin_ctzll(l->open[word]);
            l->open[word] &= l->open[word] - 1;
            q->numbers[q->n++] = word * 64 + bit;
        }
    }
    return q->n * each;
}

static bool ask_next(struct vr *r)
{
    struct vr_fetch *f = &r->fetch;
    struct vr_question *q = NULL;
    for (uint32_t i = 0; i < FETCH_QUESTIONS_MAX && q == NULL; i++)
        if (f->questions[i].n == 0) q = &f->questions[i];
    uint8_t level = candidate(r)->top, holder = choose_holder(r);
    while (level > 0 && f->levels[level].n_open == 0) level--;
    if (q == NULL || holder == NOWHERE || f->levels[level].n_open == 0) return false;
    if (!vr_pace_allows(r)) return false;
    bool several = under_way(f, VR_ALL) > under_way(f, holder);
    *q = (struct vr_question){
        .nonce = ++r->transfer.nonce, .asked_us = r->now_us, .peer = holder, .level = level};
    vr_pace_note(r, fill_question(r, q));
    send_question(r, q);
    if (several) vr_mark(r, VR_MARK_fetch_from_several, "peer=%u", holder);
    return true;
}

/* T6 */
static void refuse_target(struct vr *r, const char *why)
{
    struct vr_fetch *f = &r->fetch;
    char quoted[VR_QUOTED_SIZE];
    vr_log(r, LOG_LEVEL_ERROR, "checkpoint-not-sound", "op=%" PRIu64 " peer=%u why=%s",
           f->anchor.op, f->named_by, vr_quoted(quoted, why));
    forget_target(r);
    pages_fetch_abort(&r->pages);
    pages_fetch_forget(&r->pages);
    vr_transfer_restart(r); /* the timer asks another */
}

/* What was live is replaced by the target. */
static void adopt(struct vr *r)
{
    struct vr_fetch *f = &r->fetch;
    struct client_table *former = r->clients;
    vr_log(r, LOG_LEVEL_INFO, "fetched-checkpoint", "op=%" PRIu64 " peer=%u pages=%u", f->anchor.op,
           f->named_by, r->pages.n_staged);
    pages_fetch_commit(&r->pages);
    r->clients = r->fetched_clients;
    r->fetched_clients = former;
    client_table_become_live(r->clients);
    r->bare = false;
    vr_checkpoint_adopt(r, &f->anchor);
    vr_digest_taken_from(r, f->named_by); /* the others that held it have the same */
    forget_target(r);
    vr_transfer_go_on(r);
}

/* NULL, or why the target cannot be our state.  *done: it can, or cannot. */
static const char *look_at_target(struct vr *r, bool *done)
{
    struct vr_fetch *f = &r->fetch;
    *done = true;
    const char *wrong = vr_checkpoint_contradicts(r, &f->anchor);
    if (wrong != NULL) return wrong;
    if (!f->complete) {
        if (!vstamp_id_equal(tree_root(candidate(r)), f->root))
            return "its pages have another root"; /* F2, T5 */
        f->complete = true;
        f->nonce = 0; /* who has another one is not asked any more */
        vr_checkpoint_audit(r, r->fetched_clients, true, f->anchor.op);
    }
    enum vstamp_audit audit = vr_checkpoint_audit_some(r);
    *done = audit != VSTAMP_AUDIT_GOES_ON;
    return audit == VSTAMP_AUDIT_FAILS ? "its pages do not make sense" : NULL;
}

/* The state that a witness fetches must fit beneath the log that it has, and change nothing of that
 * (W7): is the target beyond it? */
static bool is_ahead_of_log(const struct vr *r)
{
    const struct wire_entry_header *ours = log_header(&r->log, r->fetch.anchor.op);
    bool same = ours != NULL && vstamp_id_equal(ours->checksum, r->fetch.anchor.checksum);
    return r->transfer.kind == VR_TRANSFER_WARM && !same;
}

/* All of the target is in hand (F7). */
static void look_through(struct vr *r)
{
    bool done;
    if (is_ahead_of_log(r)) {
        vr_transfer_stop(r, "the log comes first");
        return;
    }
    const char *wrong = look_at_target(r, &done);
    if (!done) {
        vr_mark(r, VR_MARK_fetched_state_takes_turns, "op=%" PRIu64, r->fetch.anchor.op);
        vr_timer_set(r, VR_TIMER_PACE, 0); /* the next part in a turn of its own */
        return;
    }
    r->transfer.pages = false;
    vr_timer_off(r, VR_TIMER_PACE);
    if (wrong != NULL) refuse_target(r, wrong);
    else adopt(r);
}

/* Whatever can be done now. */
static void pump(struct vr *r)
{
    struct vr_fetch *f = &r->fetch;
    if (!pages_settle(&r->pages, PAGES_CANDIDATE, PAGES_HASHED_AT_ONCE)) {
        vr_timer_set(r, VR_TIMER_PACE, 0); /* the next part in a turn of its own */
        return;
    }
    if (f->anchor.op == 0) {
        if (f->nonce == 0) vr_fetch_ask_all(r);
        return;
    }
    while (ask_next(r)) {
    }
    uint32_t n_open = 0;
    for (uint8_t level = 0; level <= candidate(r)->top; level++) n_open += f->levels[level].n_open;
    if (n_open == 0 && under_way(f, VR_ALL) == 0) look_through(r);
}

void vr_fetch_begin(struct vr *r)
{
    struct vr_fetch *f = &r->fetch;
    if (r->pages.n_staged > 0)
        vr_mark(r, VR_MARK_fetch_resumes, "pages=%u", r->pages.n_staged);
    vr_image_is_at_hand(r); /* what is here may be all that others find */
    pages_fetch_begin(&r->pages);
    forget_target(r);
    f->nonce = 0;
    f->n_taken = 0;
    vr_timer_set(r, VR_TIMER_TRANSFER, vr_jitter(r, vr_patience_us(r)));
    pump(r);
}

/* What was staged stays for the next one (F4). */
void vr_fetch_stop(struct vr *r)
{
    r->transfer.pages = false;
    pages_fetch_abort(&r->pages);
    forget_target(r);
    vr_timer_off(r, VR_TIMER_PACE);
}

void vr_pace_due(struct vr *r)
{
    if (r->transfer.pages) {
        pump(r);
    } else if (r->transfer.kind != VR_TRANSFER_NONE && !r->transfer.storing) {
        vr_transfer_ask(r);
    }
}

/* F5.  False: nobody is known to hold the target. */
bool vr_fetch_due(struct vr *r)
{
    struct vr_fetch *f = &r->fetch;
    for (uint32_t i = 0; i < FETCH_QUESTIONS_MAX; i++) {
        struct vr_question *q = &f->questions[i];
        if (q->n == 0 || r->now_us - q->asked_us < vr_patience_us(r)) continue;
        vr_mark(r, VR_MARK_fetch_asks_another, "peer=%u", q->peer);
        f->holders &= ~(1u << q->peer); /* until it answers again */
        reopen(f, q);
    }
    if (f->holders == 0 && !f->complete) { /* gone, and who is left may have an older one */
        if (f->anchor.op != 0)
            vr_mark(r, VR_MARK_fetch_target_is_gone, "op=%" PRIu64, f->anchor.op);
        forget_target(r);
        return false;
    }
    vr_timer_set(r, VR_TIMER_TRANSFER, vr_jitter(r, vr_patience_us(r)));
    pump(r);
    return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* The open question that this answers, or NULL (T3). */
static struct vr_question *question_of(struct vr *r, uint8_t from, uint64_t nonce)
{
    struct vr_question *found = NULL;
    for (uint32_t i = 0; i < FETCH_QUESTIONS_MAX; i++) {
        struct vr_question *q = &r->fetch.questions[i];
        if (q->n > 0 && q->nonce == nonce && q->peer == from) found = q;
    }
    return r->transfer.pages ? found : NULL;
}

/* F2: what came is not what its sender, or another holder, said of it. */
static void refuse(struct vr *r, uint8_t from, const char *what)
{
    vr_mark(r, VR_MARK_fetch_refused, "from=%u", from);
    vr_log(r, LOG_LEVEL_ERROR, "page-hash-differs", "op=%" PRIu64 " peer=%u what=%s",
           r->fetch.anchor.op, from, what);
    r->fetch.holders &= ~(1u << from);
}

static void read_children(struct reader *at, uint64_t *children)
{
    for (uint32_t i = 0; i < TREE_FANOUT; i++) {
        struct wire_page_hash hash;
        wire_list_next(&wire_shape_page_hash, at, &hash);
        children[i] = hash.value;
    }
}

/* The children of the nodes asked for. */
static void take_children(struct vr *r, uint8_t from, struct vr_question *q,
                          const struct wire_tree *m)
{
    struct vr_fetch *f = &r->fetch;
    struct vr_question asked = *q;
    struct reader at = wire_list_start(&m->children);
    bool refused = false;
    q->n = 0;
    for (uint32_t i = 0; i < asked.n; i++) {
        uint64_t children[TREE_FANOUT];
        uint32_t node = asked.numbers[i];
        read_children(&at, children);
        if (tree_hash_of(children) == f->levels[asked.level].hashes[node]) {
            compare_children(r, asked.level, node, children);
        } else {
            open_item(f, asked.level, node);
            refused = true;
        }
    }
    if (refused) refuse(r, from, "nodes");
}

/* More pages have come than if each that there is came twice, but others have changed (F4). */
static void say_if_behind(struct vr *r)
{
    if (r->fetch.n_taken <= 2 * r->pages.n_touched) return;
    vr_log(r, LOG_LEVEL_WARN, "fetch-falls-behind",
           "pages=%" PRIu32 " transfer_mib_per_s=%" PRIu32 " hint=\"pages change faster than they "
           "come: raise transfer_mib_per_s here, or log_bytes and checkpoint_ops at all replicas\"",
           r->fetch.n_taken, r->config.transfer_mib_per_s);
    r->fetch.n_taken = 0;
}

static void take_target(struct vr *r, uint8_t from, const struct wire_tree *m,
                        const uint64_t *children)
{
    struct vr_fetch *f = &r->fetch;
    if (f->anchor.op != 0) {
        vr_mark(r, VR_MARK_checkpoint_replaced, "op=%" PRIu64, m->anchor.op);
        vr_fetch_ask_all(r); /* who else has it by now? */
        say_if_behind(r);
    }
    forget_target(r);
    f->anchor = m->anchor;
    f->root = m->root;
    f->holders = 1u << from;
    f->named_by = from;
    compare_children(r, candidate(r)->top, 0, children);
}

/* What a replica's newest checkpoint is. */
static void note_checkpoint(struct vr *r, uint8_t from, const struct wire_tree *m)
{
    struct vr_fetch *f = &r->fetch;
    uint64_t children[TREE_FANOUT];
    struct reader at = wire_list_start(&m->children);
    read_children(&at, children);
    if (!vstamp_id_equal(tree_root_of(children), m->root)) {
        refuse(r, from, "root");
        return;
    }
    bool same = f->anchor.op == m->anchor.op;
    bool holds = same && vstamp_id_equal(f->root, m->root) &&
                 vstamp_id_equal(f->anchor.checksum, m->anchor.checksum);
    if (same && !holds) {
        vr_mark(r, VR_MARK_checkpoint_differs, "op=%" PRIu64, m->anchor.op);
        vr_log(r, LOG_LEVEL_ERROR, "checkpoint-differs", "op=%" PRIu64 " peer=%u other=%u",
               m->anchor.op, from, f->named_by);
    }
    f->holders &= ~(1u << from);
    if (holds) {
        f->holders |= 1u << from;
    } else if (m->anchor.op >= oldest_of_use(r) && m->anchor.op > f->anchor.op &&
               f->holders == 0) {
        take_target(r, from, m, children);
    }
}

static void answered(struct vr *r, size_t bytes)
{
    r->stats.transfer_bytes += bytes;
    r->transfer.tries = 0;
}

void vr_on_tree(struct vr *r, uint8_t from, const struct wire_tree *m)
{
    struct vr_fetch *f = &r->fetch;
    struct vr_question *q = question_of(r, from, m->nonce);
    bool to_all = r->transfer.pages && f->nonce != 0 && m->nonce == f->nonce;
    if (q == NULL && !to_all) {
        vr_mark(r, VR_MARK_pages_to_old_question, "from=%u", from);
        return;
    }
    bool of_root = m->level == candidate(r)->top && m->children.count == TREE_FANOUT;
    bool as_asked = q != NULL && q->level > 0 && m->level == q->level &&
                    m->anchor.op == f->anchor.op && m->children.count == q->n * TREE_FANOUT;
    if ((!as_asked && !of_root) || m->anchor.op == 0) {
        vr_mark(r, VR_MARK_pages_not_as_asked, "from=%u", from);
        return;
    }
    answered(r, m->children.encoded.size);
    pages_settle(&r->pages, PAGES_CANDIDATE, UINT32_MAX); /* but for what was just staged it is */
    if (as_asked) {
        take_children(r, from, q, m);
    } else {
        if (q != NULL) reopen(f, q); /* F4 */
        note_checkpoint(r, from, m);
    }
    pump(r);
}

static bool was_asked_for(const struct vr_question *q, uint32_t page)
{
    bool found = false;
    for (uint32_t i = 0; i < q->n; i++) found = found || q->numbers[i] == page;
    return found;
}

void vr_on_pages(struct vr *r, uint8_t from, const struct wire_pages *m)
{
    struct vr_fetch *f = &r->fetch;
    struct vr_question *q = question_of(r, from, m->nonce);
    if (q == NULL || q->level > 0) {
        vr_mark(r, VR_MARK_pages_to_old_question, "from=%u", from);
        return;
    }
    if (m->checkpoint != f->anchor.op) { /* F3 */
        vr_mark(r, VR_MARK_pages_not_as_asked, "from=%u", from);
        return;
    }
    answered(r, m->pages.encoded.size);
    struct reader at = wire_list_start(&m->pages);
    struct vr_question asked = *q;
    uint32_t n_taken = 0;
    reopen(f, q);
    for (uint32_t i = 0; i < m->pages.count; i++) {
        struct wire_page page;
        wire_list_next(&wire_shape_page, &at, &page);
        bool sound = was_asked_for(&asked, page.number) && page.content.size == VSTAMP_PAGE_SIZE &&
                     pages_hash(page.content.data) == f->levels[0].hashes[page.number];
        if (!sound || !bitset_has(f->levels[0].open, page.number)) continue;
        bitset_remove(f->levels[0].open, page.number);
        f->levels[0].n_open--;
        pages_fetch_put(&r->pages, page.number, page.content.data);
        n_taken++;
    }
    f->n_taken += n_taken;
    r->stats.transfer_pages += n_taken;
    if (n_taken < asked.n) refuse(r, from, "pages");
    pump(r);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a recording says went into a node, once more into a node: a function for each kind of record
 * that recording.def has FED.  A file may say anything, and a node trusts its host: what no host
 * would have given it is refused here. */
#include "base/assert.h"
#include "node/node_state.h"
#include "node/recording.h"

struct feed {
    struct node *node;
    const struct node_source *source;
    struct vstamp_diag *diag;
};

static int feed_checkpoint(const struct feed *f, const struct recorded *record)
{
    const struct wire_recorded_checkpoint *checkpoint = &record->as.checkpoint;
    return node_restore_checkpoint(f->node, checkpoint->number, checkpoint->head, f->diag);
}

static int feed_page(const struct feed *f, const struct recorded *record)
{
    const struct wire_recorded_page *page = &record->as.page;
    if (page->content.size != VSTAMP_PAGE_SIZE) return VSTAMP_E_MALFORMED;
    return node_restore_page(f->node, &(struct node_page){page->number, page->checksum,
                                                          page->content.data}, f->diag);
}

static int feed_fetched(const struct feed *f, const struct recorded *record)
{
    const struct wire_recorded_fetched *page = &record->as.fetched;
    if (page->content.size != VSTAMP_PAGE_SIZE) return VSTAMP_E_MALFORMED;
    node_restore_fetched(f->node, page->page, page->content.data);
    return 0;
}

static int feed_journal(const struct feed *f, const struct recorded *record)
{
    const struct wire_recorded_journal *journal = &record->as.journal;
    uint64_t number;
    return node_restore_journal(f->node, journal->first, journal->last, f->source, &number,
                                f->diag);
}

static int feed_clock(const struct feed *f, const struct recorded *record)
{
    node_clock(f->node, record->as.clock.monotonic_us, record->as.clock.realtime_us);
    return 0;
}

/* A node trusts its host in what concerns indexes. */
static bool is_peer(const struct node *n, uint8_t replica)
{
    return replica < vr_n_slots(&n->vr) && replica != n->vr.config.self;
}

static int feed_peer_frame(const struct feed *f, const struct recorded *record)
{
    const struct wire_recorded_peer_frame *peer = &record->as.peer_frame;
    if (!is_peer(f->node, peer->from)) return VSTAMP_E_MALFORMED;
    node_on_peer_frame(f->node, peer->from, peer->frame);
    return 0;
}

static int feed_stranger_frame(const struct feed *f, const struct recorded *record)
{
    const struct wire_recorded_stranger_frame *stranger = &record->as.stranger_frame;
    if (stranger->origin == 0) return VSTAMP_E_MALFORMED;
    node_on_stranger_frame(f->node, stranger->origin, stranger->frame);
    return 0;
}

static int feed_client_frame(const struct feed *f, const struct recorded *record)
{
    const struct wire_recorded_client_frame *client = &record->as.client_frame;
    if (client->origin == 0) return VSTAMP_E_MALFORMED;
    node_on_client_frame(f->node, client->origin, client->frame);
    return 0;
}

static int feed_connection(const struct feed *f, const struct recorded *record)
{
    const struct wire_recorded_connection *connection = &record->as.connection;
    if (!is_peer(f->node, connection->replica)) return VSTAMP_E_MALFORMED;
    node_on_peer_connected(f->node, connection->replica, connection->connected != 0);
    return 0;
}

static int feed_rot(const struct feed *f, const struct recorded *record)
{
    const struct node_checkpoint *checkpoint = &f->node->checkpoint;
    uint32_t page = record->as.rot.page;
    if (!checkpoint->busy || checkpoint->n_rotten == NODE_CHECKED_PAGES ||
        page >= f->node->vr.given.state_pages)
        return VSTAMP_E_MALFORMED;
    node_on_rot(f->node, page);
    return 0;
}

static int feed_checked(const struct feed *f, const struct recorded *record)
{
    const struct wire_recorded_checked *checked = &record->as.checked;
    if (!f->node->checkpoint.busy || f->node->scrub.rotten != 0) return VSTAMP_E_MALFORMED;
    node_on_journal_checked(f->node, &(struct node_checked){checked->number, checked->place,
                                                            checked->rotten != 0,
                                                            checked->first_op,
                                                            checked->last_op});
    return 0;
}

static int feed_large_trail(const struct feed *f, const struct recorded *record)
{
    node_on_large_trail(f->node, record->as.large_trail.size);
    return 0;
}

static int feed_stored(const struct feed *f, const struct recorded *record)
{
    if (record->as.stored.lane >= NODE_LANES) return VSTAMP_E_MALFORMED;
    node_on_stored(f->node, (enum node_lane)record->as.stored.lane);
    return 0;
}

static int feed_step(const struct feed *f, const struct recorded *record)
{
    struct node *n = f->node;
    switch ((enum recording_step)record->as.step.step) {
    case RECORDING_RESTORED: return node_restore_done(n, f->diag);
    case RECORDING_PAGES_RESTORED: return node_restore_checkpoint_done(n, f->diag);
    case RECORDING_START: node_start(n); return 0;
    case RECORDING_TURN_SEND: node_turn_send(n); return 0;
    case RECORDING_TURN_END: node_turn_end(n); return 0;
    case RECORDING_STOP: node_stop(n); return 0;
    case RECORDING_GAVE_UP: return node_restore_give_up(n) ? 0 : VSTAMP_E_MALFORMED;
    }
    return VSTAMP_E_MALFORMED;
}

static int feed_status(const struct feed *f, const struct recorded *record)
{
    struct node_status status;
    (void)record;
    node_status(f->node, &status);
    return 0;
}

#define FEED_FED(name)  feed_##name
#define FEED_KEPT(name) NULL

static int (*const feeders[JOURNAL_KINDS])(const struct feed *, const struct recorded *) = {
#define RECORDED(name, use) [JOURNAL_RECORDED_##name] = FEED_##use(name),
#include "node/recording.def"
#undef RECORDED
};

int recording_feed(struct node *n, const struct recorded *record,
                   const struct node_source *source, struct vstamp_diag *diag)
{
    const struct feed feed = {n, source, diag};
    assert(recording_shape(record->kind) != NULL);
    if (feeders[record->kind] == NULL) return 0;
    return feeders[record->kind](&feed, record);
}

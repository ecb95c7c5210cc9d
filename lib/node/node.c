/* SPDX-License-Identifier: BSD-2-Clause */
/* The node: joins core, pages, application and files, and translates between them and the host. */
#include "node/node.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "node/node_state.h"
#include "vr/witness.h"

static void sink_send(void *ctx, uint8_t slot, struct bytes frame)
{
    struct node *n = ctx;
    n->frames_sent++;
    node_note_frame(n, slot, frame);
    n->io.send(n->io.ctx, slot, frame);
}

/* Whoever was connected still is, in another slot perhaps. */
static void sink_directory(void *ctx)
{
    struct node *n = ctx;
    const struct vr *r = &n->vr;
    struct node_directory *d = &n->directory;
    bool connected[SLOTS_MAX] = {false};
    char (*before)[ADDRESS_BYTES_MAX + 1] = n->connected_addresses;
    *d = (struct node_directory){.n_members = r->config.n_replicas,
                                 .n_slots = vr_n_slots(r),
                                 .self = r->config.self,
                                 .greets = r->greets};
    for (uint8_t i = 0; i < d->n_slots; i++) {
        d->addresses[i] = vr_slot_address(r, i);
        for (uint8_t j = 0; j < n->n_slots_before; j++)
            if (n->connected[j] && strcmp(before[j], d->addresses[i]) == 0) connected[i] = true;
    }
    memcpy(n->connected, connected, sizeof connected);
    n->n_slots_before = d->n_slots;
    for (uint8_t i = 0; i < d->n_slots; i++)
        memcpy(before[i], d->addresses[i], strlen(d->addresses[i]) + 1);
    node_note_directory(n);
    if (n->io.directory != NULL) n->io.directory(n->io.ctx, d);
}

static void sink_reply(void *ctx, uint64_t origin, struct bytes frame)
{
    struct node *n = ctx;
    node_note_reply(n, origin, frame);
    n->io.reply(n->io.ctx, origin, frame);
}

static void sink_trace(void *ctx, const char *line)
{
    struct node *n = ctx;
    n->io.trace(n->io.ctx, line);
}

static void sink_log(void *ctx, enum log_level level, const char *event, const char *detail)
{
    struct node *n = ctx;
    n->io.log(n->io.ctx, level, event, detail);
}

void node_give_back(struct node *n, void *memory, size_t size)
{
    if (n->io.give_back != NULL) n->io.give_back(n->io.ctx, memory, size);
    else if (size > 0) memset(memory, 0, size);
}

static void sink_give_back(void *ctx, void *memory, size_t size)
{
    node_give_back(ctx, memory, size);
}

static void build(struct node *n, struct arena *arena, const struct vr_config *config,
                  const struct vstamp_app *app, struct vstamp_id entropy)
{
    struct vr_sink sink = {.ctx = n,
                           .send = sink_send,
                           .directory = sink_directory,
                           .reply = sink_reply,
                           .persist_entry = node_persist_entry,
                           .persist_state = node_persist_state,
                           .journal_room = node_journal_room,
                           .store_checkpoint = node_store_checkpoint,
                           .trace = n->io.trace != NULL ? sink_trace : NULL,
                           .log = sink_log,
                           .give_back = {.zero = sink_give_back, .ctx = n}};
    vr_init(&n->vr, arena, config, app, &sink, entropy);
    if (config->durable) node_store_init(n, arena, entropy);
}

size_t node_memory(const struct vr_config *config)
{
    struct arena count;
    struct node sample = {0};
    arena_init(&count, NULL, 0);
    arena_take(&count, 1, sizeof sample);
    build(&sample, &count, config, NULL, (struct vstamp_id){0});
    return count.used;
}

struct node *node_init(void *memory, size_t size, const struct vr_config *config,
                       const struct vstamp_app *app, const struct node_io *io,
                       struct vstamp_id entropy)
{
    struct arena arena;
    arena_init(&arena, memory, size);
    struct node *n = arena_take(&arena, 1, sizeof *n);
    n->io = *io;
    node_record_start(n, config, app, entropy);
    build(n, &arena, config, app, entropy);
    arena_seal(&arena);
    return n;
}

struct vstamp_limits node_limits(const struct vr_config *config)
{
    return vr_limits(config);
}

void node_set_instance(struct node *n, void *instance)
{
    n->vr.app_pages.instance = instance;
}

void node_start(struct node *n)
{
    NODE_RECORD(n, step, .step = RECORDING_START);
    if (n->vr.given.durable) node_store_start(n);
    vr_start(&n->vr);
}

void node_clock(struct node *n, uint64_t monotonic_us, uint64_t realtime_us)
{
    NODE_RECORD(n, clock, .monotonic_us = monotonic_us, .realtime_us = realtime_us);
    if (monotonic_us > n->vr.now_us) n->vr.now_us = monotonic_us;
    n->vr.wall_us = realtime_us;
}

/* In our epoch a sender names the index that we know it by. */
static bool is_its_own(const struct node *n, uint8_t slot, const struct wire_header *header)
{
    uint32_t index = slot < n->vr.config.n_replicas ? slot : NOT_A_MEMBER;
    bool same = header->epoch == n->vr.epoch && vstamp_id_equal(header->group, n->vr.group);
    return !same || header->sender == index;
}

/* Whatever the slot, if any.  0, or why the frame is dropped. */
static int decode(struct node *n, uint8_t slot, struct bytes frame, struct wire_message *m)
{
    const struct vr_config *c = &n->vr.config;
    int rv = wire_frame_decode(frame, m);
    if (rv == 0 && m->header.version != WIRE_FOR_EVER &&
        (m->header.version < c->oldest || m->header.version > c->newest))
        rv = VSTAMP_E_VERSION;
    if (rv == VSTAMP_E_VERSION) vr_on_other_version(&n->vr, slot, &m->header);
    return rv;
}

void node_on_peer_frame(struct node *n, uint8_t slot, struct bytes frame)
{
    struct wire_message m;
    NODE_RECORD(n, peer_frame, .from = slot, .frame = frame);
    n->frames_received++;
    if (decode(n, slot, frame, &m) != 0 || !is_its_own(n, slot, &m.header)) {
        n->frames_dropped++;
        return;
    }
    vr_on_message(&n->vr, slot, &m);
}

void node_on_stranger_frame(struct node *n, uint64_t origin, struct bytes frame)
{
    struct wire_message m;
    assert(origin != 0);
    NODE_RECORD(n, stranger_frame, .origin = origin, .frame = frame);
    n->frames_received++;
    if (decode(n, NOWHERE, frame, &m) != 0) {
        n->frames_dropped++;
        return;
    }
    vr_on_stranger(&n->vr, origin, &m);
}

static int from_client(struct vr *r, uint64_t origin, const struct wire_message *m)
{
    switch (m->header.command) {
    case WIRE_request: vr_on_request(r, origin, &m->header, &m->as.request); return 0;
    case WIRE_get_checkpoint:
        vr_on_get_checkpoint(r, origin, &m->header, &m->as.get_checkpoint);
        return 0;
    case WIRE_get_committed:
        vr_on_get_committed(r, origin, &m->header, &m->as.get_committed);
        return 0;
    default: return VSTAMP_E_MALFORMED;
    }
}

int node_on_client_frame(struct node *n, uint64_t origin, struct bytes frame)
{
    assert(origin != 0);
    NODE_RECORD(n, client_frame, .origin = origin, .frame = frame);
    struct wire_message m;
    int rv = wire_frame_decode(frame, &m);
    if (rv == 0) rv = from_client(&n->vr, origin, &m);
    node_note_result(n, rv, origin);
    return rv;
}

bool node_accepts_requests(const struct node *n)
{
    return vr_accepts_requests(&n->vr);
}

void node_on_peer_connected(struct node *n, uint8_t slot, bool connected)
{
    NODE_RECORD(n, connection, .replica = slot, .connected = connected);
    n->connected[slot] = connected;
    vr_on_peer_connected(&n->vr, slot, connected);
}

static void send(struct node *n)
{
    vr_on_turn_end(&n->vr);
    node_store_turn_end(n);
    n->turn_sent = true;
}

void node_turn_send(struct node *n)
{
    NODE_RECORD(n, step, .step = RECORDING_TURN_SEND);
    send(n);
}

void node_turn_end(struct node *n)
{
    NODE_RECORD(n, step, .step = RECORDING_TURN_END);
    if (!n->turn_sent) send(n);
    n->turn_sent = false;
    vr_on_turn_sent(&n->vr);
    node_store_turn_end(n);
    node_record_outputs(n);
}

uint64_t node_next_timer(const struct node *n)
{
    uint64_t next = vr_next_timer(&n->vr), check = node_checkpoint_next_timer(n);
    if (check < next) next = check;
    return n->vr.given.durable && n->journal.seal_due_us < next ? n->journal.seal_due_us : next;
}

void node_stop(struct node *n)
{
    NODE_RECORD(n, step, .step = RECORDING_STOP);
    vr_stop(&n->vr);
}

bool node_may_stop(const struct node *n)
{
    const struct vr *r = &n->vr;
    bool leads_on = r->status == VR_VIEW_CHANGE || vr_is_primary(r);
    return r->stopping && (r->config.n_replicas == 1 || !leads_on);
}

const char *node_is_over(struct node *n)
{
    if (n->vr.diverged_op != 0 && node_trail_waits(n)) return NULL; /* which shows since when */
    if (vr_epoch_lingers(&n->vr)) return NULL;
    return vr_is_over(&n->vr, n->reason, sizeof n->reason);
}

const char *node_application_is_in(const struct node *n, uint64_t *op)
{
    *op = n->vr.app_op;
    return n->vr.app_function;
}

bool node_has_failed_application(const struct node *n)
{
    return n->vr.app_failure.text[0] != '\0';
}

bool node_is_retired(const struct node *n)
{
    return n->vr.over && n->vr.retired;
}

bool node_is_diverged(const struct node *n)
{
    return n->vr.over && n->vr.diverged_op != 0;
}

void node_identity(const struct node *n, struct node_identity *identity)
{
    *identity = (struct node_identity){.group = n->vr.group,
                                       .epoch = n->vr.epoch,
                                       .members = vr_membership_checksum(&n->vr.membership),
                                       .self = n->vr.config.self,
                                       .oldest = n->vr.config.oldest,
                                       .newest = n->vr.config.newest,
                                       .address = n->vr.address,
                                       .application = n->vr.app->name,
                                       .settings = vr_settings(&n->vr.given)};
}

static void peer_status(const struct node *n, struct node_status *s)
{
    const struct vr *r = &n->vr;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (i == r->config.self) continue;
        struct node_peer_status *p = &s->peers[s->n_peers++];
        p->replica = i;
        p->connected = n->connected[i];
        p->address = r->config.addresses[i];
        p->last_contact_ms =
            r->last_heard_us[i] != 0 ? (r->now_us - r->last_heard_us[i]) / 1000 : UINT64_MAX;
        p->acked_op = r->acked_op[i];
    }
}

static const char *role_word(const struct vr *r)
{
    if (r->status != VR_NORMAL) return "none";
    if (vr_is_witness(r)) return "witness";
    return vr_is_primary(r) ? "primary" : "backup";
}

static uint64_t lease_left_ms(const struct vr *r)
{
    uint64_t until_us = vr_lease_until_us(r);
    if (until_us <= r->now_us) return 0;
    return until_us == UINT64_MAX ? r->config.view_change_ms : (until_us - r->now_us) / 1000;
}

/* The digest of the state, or of its newest checkpoint while the application's memory is ahead of
 * its pages.  If so much has changed that hashing it now would take long, the last digest stands,
 * and the turns that follow hash a part each. */
static void refresh_digest(struct node *n)
{
    struct vr *r = &n->vr;
    bool of_image = r->app_is_ahead;
    enum pages_version version = of_image ? PAGES_IMAGE : PAGES_LIVE;
    if (of_image && n->digest_op >= r->checkpoint_op) return; /* one that is newer is known */
    if (!of_image && r->done > 0) return; /* the state is between two op-numbers */
    if (!pages_settle_soon(&r->pages, version)) return;
    n->digest = tree_root(pages_tree(&r->pages, version));
    n->digest_op = of_image ? r->checkpoint_op : r->applied;
}

static const char *members_text(struct node *n)
{
    const struct vr_config *c = &n->vr.config;
    size_t used = 0;
    n->members[0] = '\0';
    for (uint8_t i = 0; i < c->n_replicas; i++) {
        const char *status = c->status_addresses[i] != NULL ? c->status_addresses[i] : "";
        bool witness = vr_among_witnesses(c->witnesses, i);
        used += (size_t)snprintf(n->members + used, sizeof n->members - used, "%s%s/%s%s",
                                 i > 0 ? "," : "", c->addresses[i], status,
                                 witness ? "/witness" : "");
        assert(used < sizeof n->members);
    }
    return n->members;
}

static const char *former_text(struct node *n)
{
    const struct vr_membership *m = &n->vr.membership;
    size_t used = 0;
    n->former[0] = '\0';
    for (uint8_t i = 0; i < m->n_former; i++)
        used += (size_t)snprintf(n->former + used, sizeof n->former - used, "%s%s",
                                 i > 0 ? "," : "", m->former[i]);
    return n->former;
}

/* Words, some of which are built in the node. */
static void put_words(struct node *n, struct node_status *s)
{
    const struct vr *r = &n->vr;
    s->address = r->address;
    s->members = members_text(n);
    s->former = former_text(n);
    s->reconfiguration = vr_proposal_text(r, n->reconfiguration, sizeof n->reconfiguration);
    s->status = r->retired && r->over ? "shut-down" : vr_status_word(r->status);
    s->reason = vr_waiting_for(r, n->reason, sizeof n->reason);
    s->role = role_word(r);
    s->version = r->config.version;
    s->application = r->app->name;
    s->durability = r->config.durable ? "disk" : "memory";
    s->journal_io = n->io.journal_io != NULL ? n->io.journal_io : "";
    s->disk_trouble = n->io.disk_trouble != NULL ? n->io.disk_trouble : "";
    s->refusal = n->io.refusal != NULL ? n->io.refusal : "";
    s->certificate_trouble =
        n->io.certificate_trouble != NULL ? n->io.certificate_trouble : "";
    s->diverged = vr_diverged_text(r, n->diverged, sizeof n->diverged);
    s->clock_trouble = vr_clocks_text(r, n->clock_trouble, sizeof n->clock_trouble);
}

void node_status(struct node *n, struct node_status *s)
{
    struct vr *r = &n->vr;
    bool normal = r->status == VR_NORMAL;
    refresh_digest(n);
    *s = (struct node_status){
        .replica = r->config.self == NOT_A_MEMBER ? -1 : r->config.self,
        .group = r->group,
        .epoch = r->epoch,
        .view = r->view,
        .last_normal_view = r->log_view,
        .primary = normal ? vr_primary_of(r, r->view) : -1,
        .op_number = r->log.op,
        .commit_number = r->commit,
        .checkpoint_number = r->checkpoint_op,
        .log_start = r->log.first,
        .held_number = r->held,
        .lease_ms = lease_left_ms(r),
        .clients = r->bare ? 0 : client_table_count(r->clients),
        .uptime_s = (r->now_us - r->started_us) / 1000000,
        .protocol = vr_version(r),
        .protocol_newest = r->config.newest,
        .protocol_missed = vr_version_is_missed(r) ? r->missed.version : 0,
        .state_digest = n->digest,
        .digest_number = n->digest_op,
        .agreed_number = r->digests.agreed,
        .diverged_replicas =
            (uint64_t)__builtin_popcount(r->digests.differ | r->digests.undecided),
        .clock_off_us = vr_clocks_off_us(r),
        .certificate_not_after_s = n->io.certificate_not_after_s != NULL
                                       ? *n->io.certificate_not_after_s
                                       : UINT64_MAX,
        .state_pages = r->pages.n_used,
        .view_changes = r->stats.view_changes,
        .state_transfers = r->stats.state_transfers,
        .transfer_bytes = r->stats.transfer_bytes,
        .transfer_pages = r->stats.transfer_pages,
        .requests = r->stats.requests,
        .duplicates = r->stats.duplicates,
        .rejected = r->stats.rejected,
        .reads = r->stats.reads,
        .ticks = r->stats.ticks,
        .stuck_number = vr_is_stuck(r) ? r->applied + 1 : 0,
        .passed_over = r->stats.passed_over,
        .evictions = r->stats.evictions,
        .entries_damaged = r->stats.entries_damaged,
        .entries_mended = r->stats.entries_mended,
        .rotten_pages = n->checkpoint.rot_found,
        .rotten_batches = n->scrub.rot_found,
        .frames_received = n->frames_received,
        .frames_dropped = n->frames_dropped + r->stats.dropped,
        .frames_sent = n->frames_sent,
    };
    put_words(n, s);
    peer_status(n, s);
    NODE_RECORD(n, status, .applied = s->digest_number, .digest = s->state_digest);
}

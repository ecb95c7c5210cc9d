/* SPDX-License-Identifier: BSD-2-Clause */
/* A node among peers that may say anything.  The input's first bytes choose the group (size, our
 * place in it, durability) and whether it is formed already; each later byte is an action: time
 * passes, a disk job is done, a connection comes or goes, a client asks, the peers carry on as a
 * group of good faith for a while (so that logs grow and checkpoints are taken), the node crashes
 * and starts again, or, most often, a forged frame comes (forge.h).  Some operations the node's
 * application cannot execute.
 *
 * Whatever came, no assert of the core fails and no sanitizer reports; all frames the node sends
 * are well-formed; what it once held to be committed it never changes in this life; and the
 * journal that it wrote can be read back. */
#include <string.h>

#include "base/assert.h"
#include "fuzz/fuzz.h"
#include "fuzz/stage.h"
#include "kv/kv.h"

#define COMMITTED 64u /* op-numbers of which the checksum is remembered */

const char fuzz_aim[] = "the node commits something";
unsigned long fuzz_hits;
const unsigned fuzz_copies = 20;

/* What the node held to be committed. */
struct memory {
    uint64_t commit;
    struct {
        uint64_t op;
        struct vstamp_id checksum;
    } committed[COMMITTED];
};

static void check(struct memory *m, const struct vr *r)
{
    if (r->status == VR_RECOVERING || r->commit < r->checkpoint_op) {
        memset(m, 0, sizeof *m); /* it has forgotten, or begins to learn */
        return;
    }
    assert(r->commit >= m->commit);
    for (uint64_t op = r->commit; op > 0 && op + 16 > r->commit; op--) {
        const struct wire_entry_header *h = log_header(&r->log, op);
        if (h == NULL) break;
        if (m->committed[op % COMMITTED].op == op) {
            assert(vstamp_id_equal(m->committed[op % COMMITTED].checksum, h->checksum));
        }
        m->committed[op % COMMITTED].op = op;
        m->committed[op % COMMITTED].checksum = h->checksum;
    }
    m->commit = r->commit;
}

/* The store, but it cannot add to a long key (lib/vr/pass_over.c). */
static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct kv_op op;
    bool is_sound = kv_decode_op((struct bytes){operation, size}, &op) == NULL;
    answer->not_executed = is_sound && op.verb == KV_INCR && op.key.size > 1;
    if (!answer->not_executed) kv_app()->apply(pages, context, operation, size, answer);
}

static void start(struct stage *s, struct memory *m)
{
    struct vstamp_diag diag = {0};
    memset(m, 0, sizeof *m);
    int rv = stage_start(s, &diag);
    assert(rv == 0); /* what it wrote itself can be read back */
}

static void crash_and_start(struct stage *s, struct memory *m, uint8_t how)
{
    struct prng prng;
    prng_seed(&prng, how);
    disk_crash(&s->disk, &prng);
    start(s, m);
}

static void connection(struct stage *s, uint8_t how)
{
    uint8_t peer = (uint8_t)(how / 2 % s->config.n_replicas);
    if (peer == s->config.self) return;
    node_on_peer_connected(s->node, peer, how % 2 != 0);
}

static void extend(struct stage *s, uint8_t how)
{
    struct vr *r = &s->node->vr;
    const struct wire_entry_header *parents[] = {
        log_last(&r->log), log_header(&r->log, r->commit), &r->checkpoint_anchor,
        &s->forge.entries[how / 8 % FORGE_ENTRIES].header};
    const struct wire_entry_header *parent = parents[how % 4];
    if (how % 8 == 7 && s->forge.n_entries > 0) {
        parent = &s->forge.entries[(s->forge.n_entries - 1) % FORGE_ENTRIES].header;
    }
    static const struct wire_entry_header none;
    forge_extend(&s->forge, parent != NULL ? parent : &none, r->view + (how >= 192));
}

static void of_the_host(struct stage *s, uint8_t how)
{
    struct node_status status;
    if (how < 128) connection(s, how);
    else if (how < 224) node_on_client_frame(s->node, how, forge_request(&s->forge));
    else if (how < 250) node_status(s->node, &status);
    else node_stop(s->node);
}

static void act(struct stage *s, struct memory *m)
{
    uint8_t what = read_u8(&s->in), from;
    if (what % 16 < 10) {
        struct bytes frame = forge_frame(&s->forge, &from);
        stage_deliver(s, from, frame);
        if (what < 208) stage_turn_end(s);
        if (what < 128) stage_finish_jobs(s);
        return;
    }
    uint8_t how = read_u8(&s->in);
    switch (what % 16) {
    case 10:
        if (how % 4 == 0) stage_pass_time(s, how * UINT64_C(5000));
        else stage_until_next_timer(s);
        break;
    case 11:
        stage_finish_job(s, how % 2 == 0 ? NODE_LANE_JOURNAL : NODE_LANE_CHECKPOINT);
        if (how < 128) stage_finish_jobs(s);
        break;
    case 12: of_the_host(s, how); break;
    case 13: stage_grow(s, (uint8_t)(how % 24)); break;
    case 14:
        if (how < 240) extend(s, how);
        else crash_and_start(s, m, how);
        break;
    default:
        if (how < 96) stage_acknowledge(s);
        else if (how < 224) stage_fall_behind(s);
        stage_turn_end(s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t sizes[] = {3, 3, 5, 2, 1, STAGE_GROUP_MAX, 4, 3};
    static struct vstamp_app app;
    static struct stage s;
    static struct memory m;
    struct reader in = reader_over(data, size);
    uint8_t group = read_u8(&in), how = read_u8(&in);
    uint8_t n_replicas = sizes[group % 8];
    uint8_t self = group / 8 % n_replicas, rest = group / 8 / n_replicas % 3;
    stage_open(&s, in, n_replicas, self, how & 1);
    app = *kv_app();
    app.apply = apply;
    s.app = &app;
    if (n_replicas > 2 && rest > 0) /* we are a witness, or the one after us is */
        s.config.witnesses = 1u << (self + rest - 1) % n_replicas;
    start(&s, &m);
    if ((how & 6) != 6) stage_form(&s);
    if (how & 8) stage_grow(&s, how / 16);
    while (s.in.ok && s.in.left > 0) {
        act(&s, &m);
        check(&m, &s.node->vr);
    }
    if (s.node->vr.commit > 0) fuzz_hits++;
    disk_wipe(&s.disk);
    return 0;
}

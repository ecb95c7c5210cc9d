/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz/forge.h"

#include <string.h>

#include "base/assert.h"
#include "fuzz/wire_random.h"
#include "kv/kv.h"

#define CLIENTS 6u /* more than the client table holds */

static uint8_t pick(struct forge *f, size_t n)
{
    return (uint8_t)(read_u8(f->in) % n);
}

/* --- numbers and ids the node has in mind ---------------------------------------------------- */

static uint64_t near_number(struct forge *f)
{
    const struct vr *r = f->vr;
    const uint64_t values[] = {
        0, r->log.op, r->commit, r->applied, r->checkpoint_op, r->log.first, r->view, r->log_view,
        r->transfer.nonce, r->transfer.target_op, r->transfer.op, r->transfer.view, r->staging.op,
        r->heartbeat, r->incarnation, r->crash_vector[0], r->crash_vector[r->config.self],
        r->view_start_op, r->fetch.nonce, r->fetch.anchor.op, r->pages.n_used,
        r->pages.n_max, UINT64_MAX, UINT32_MAX, UINT64_C(1) << 62, 1};
    size_t n = sizeof values / sizeof values[0];
    uint8_t which = read_u8(f->in);
    if (which % 32 >= n) return read_u64(f->in);
    static const int8_t steps[] = {0, 0, 0, 1, -1, 2, -2, 16};
    return values[which % 32] + (uint64_t)steps[which / 32];
}

static struct vstamp_id near_id(struct forge *f)
{
    const struct vr *r = f->vr;
    uint8_t which = read_u8(f->in);
    const struct wire_entry_header *h;
    switch (which % 8) {
    case 0: return (struct vstamp_id){0};
    case 1: return r->nonce;
    case 2: return r->group;
    case 3: return which & 8 ? r->transfer.target_checksum : r->tokens[r->config.self];
    case 4: return f->tokens[which / 8 % r->config.n_replicas];
    case 5: return f->entries[which / 8].header.checksum;
    case 6:
        h = log_header(&r->log, r->log.op - which / 8 % 8);
        return h != NULL ? h->checksum : (struct vstamp_id){which, 1};
    default: return (struct vstamp_id){read_u64(f->in), which};
    }
}

/* Every number and id of a message, those of a nested record too; lists are chosen by kind. */
static void bring_near(struct forge *f, const struct wire_shape *shape, void *record)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct wire_field *field = &shape->fields[i];
        void *at = (uint8_t *)record + field->offset;
        switch (field->kind) {
        case WIRE_U8: *(uint8_t *)at = read_u8(f->in); break;
        case WIRE_U16: *(uint16_t *)at = (uint16_t)near_number(f); break;
        case WIRE_U32: *(uint32_t *)at = (uint32_t)near_number(f); break;
        case WIRE_U64: *(uint64_t *)at = near_number(f); break;
        case WIRE_ID: *(struct vstamp_id *)at = near_id(f); break;
        case WIRE_NEST: bring_near(f, field->record, at); break;
        case WIRE_BYTES:
        case WIRE_LIST: break;
        }
    }
}

/* --- requests and entries -------------------------------------------------------------------- */

static struct bytes make_operation(struct forge *f, uint8_t *buffer, size_t size)
{
    static const enum kv_verb verbs[] = {KV_PUT, KV_APPEND, KV_INCR, KV_DEL, KV_CAS,
                                         KV_CAS_ABSENT, KV_GET, KV_LIST, KV_SIZE};
    static const char keys[] = "abcdefgh, and a key that takes more than one cell";
    static uint8_t value[400];
    uint8_t what = read_u8(f->in), which = read_u8(f->in);
    struct bytes key = {(const uint8_t *)keys + which % 8, which & 64 ? 1 : 40};
    struct kv_op op = {.verb = verbs[what % (sizeof verbs / sizeof verbs[0])],
                       .key = key,
                       .keys = &key,
                       .n_keys = 1,
                       .number = 1,
                       .value = {value, which & 128 ? (size_t)what + 140 : what / 16u}};
    struct writer w = writer_over(buffer, size);
    kv_encode_op(&op, &w);
    if (which == 255) write_u8(&w, 0); /* not well-formed */
    return (struct bytes){buffer, w.ok ? w.size : 0};
}

static struct vstamp_id client_id(uint8_t client)
{
    return (struct vstamp_id){client % CLIENTS + 1u, 7};
}

/* What one of the clients would ask next: to be registered, or an operation; or a little off. */
static struct wire_operation next_operation(struct forge *f, uint8_t *buffer, size_t size)
{
    uint8_t what = read_u8(f->in);
    struct client_record known = {0};
    struct wire_operation o = {.client = client_id(what), .kind = WIRE_KIND_APPLY};
    const struct client_table *table = f->vr->clients; /* a witness has none */
    if (table == NULL || !client_table_find(table, o.client, &known) || what >= 240) {
        o.kind = WIRE_KIND_REGISTER;
        o.number = known.register_number + 1;
        return o;
    }
    o.session = known.session;
    o.number = known.number + 1;
    o.body = make_operation(f, buffer, size);
    if (what < 16) o.number = near_number(f);
    if (what < 8) o.session = near_number(f);
    if (what < 4) o.kind = read_u8(f->in);
    return o;
}

struct bytes forge_request(struct forge *f)
{
    uint8_t body[FORGE_BODY], how = read_u8(f->in);
    struct wire_operation o = next_operation(f, body, sizeof body);
    struct wire_request m = {.client = o.client, .session = o.session, .number = o.number,
                             .kind = o.kind, .body = o.body};
    if (how >= 192) {
        static const uint8_t reads[] = {WIRE_KIND_READ, WIRE_KIND_READ_CAUSAL,
                                        WIRE_KIND_READ_STALE, WIRE_KIND_READ_NUMBER};
        m.kind = reads[how % 4];
        m.token = near_number(f);
    }
    struct wire_header header = {.group = how & 1 ? f->vr->group : (struct vstamp_id){0},
                                 .view = how & 32 ? near_number(f) : 0,
                                 .sender = WIRE_SENDER_CLIENT};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &m, f->frame, sizeof f->frame);
    assert(size > 0);
    return (struct bytes){f->frame, size};
}

/* One near to what is executed next is passed over, or any. */
static struct wire_operation pass_over(struct forge *f, uint8_t *buffer, size_t size)
{
    struct writer w = writer_over(buffer, size);
    uint8_t which = read_u8(f->in);
    struct wire_pass_over what = {
        .op = which % 4 == 0 ? near_number(f) : f->vr->applied + 1 + which / 4 % 3,
        .index = which / 16 % 3};
    wire_encode(&wire_shape_pass_over, &what, &w);
    return (struct wire_operation){.kind = WIRE_KIND_PASS_OVER, .body = {buffer, w.size}};
}

static void make_body(struct forge *f, struct forge_entry *e)
{
    uint8_t operation[FORGE_BODY];
    struct writer w = writer_over(e->body, sizeof e->body);
    uint8_t what = read_u8(f->in);
    uint32_t n = what % 4 == 0 ? what / 4 % 4 : 1;
    write_u32(&w, what == 255 ? UINT32_MAX : n);
    for (uint32_t i = 0; i < n; i++) {
        struct wire_operation o = what % 16 == 15
                                      ? pass_over(f, operation, sizeof operation)
                                      : next_operation(f, operation, sizeof operation);
        if (wire_size(&wire_shape_operation, &o) > w.capacity - w.size) break;
        wire_encode(&wire_shape_operation, &o, &w);
    }
    e->size = w.size;
}

struct forge_entry *forge_extend(struct forge *f, const struct wire_entry_header *parent,
                                 uint64_t view)
{
    struct wire_entry_header header = {.op = parent->op + 1,
                                       .view = view,
                                       .epoch = f->vr->epoch,
                                       .timestamp = parent->timestamp + 1,
                                       .parent = parent->checksum};
    struct forge_entry *e = &f->entries[f->n_entries++ % FORGE_ENTRIES];
    make_body(f, e);
    e->header = header;
    e->header.checksum =
        log_checksum(f->vr->group, &e->header, (struct bytes){e->body, e->size});
    return e;
}

/* --- logs ------------------------------------------------------------------------------------ */

/* The entry before `header`, wherever one is kept; NULL for the first one and strangers. */
static const struct wire_entry_header *parent_of(const struct forge *f,
                                                 const struct wire_entry_header *header,
                                                 struct bytes *body)
{
    const struct log *logs[] = {&f->vr->log, &f->vr->staging};
    for (uint32_t i = 0; i < FORGE_ENTRIES; i++) {
        const struct forge_entry *e = &f->entries[i];
        if (e->header.op + 1 != header->op || e->header.op == 0) continue;
        if (!vstamp_id_equal(e->header.checksum, header->parent)) continue;
        *body = (struct bytes){e->body, e->size};
        return &e->header;
    }
    for (size_t i = 0; i < 2; i++) {
        if (logs[i]->slots == NULL || !log_has(logs[i], header->op - 1)) continue;
        const struct wire_entry_header *h = log_header(logs[i], header->op - 1);
        if (!vstamp_id_equal(h->checksum, header->parent)) continue;
        *body = log_body(logs[i], h->op);
        return h;
    }
    return NULL;
}

/* A log: its newest entries, oldest first. */
struct chain {
    size_t n;
    struct wire_entry entries[MESSAGE_HEADERS_MAX];
};

static const struct wire_entry_header *chain_tip(const struct chain *c)
{
    static const struct wire_entry_header none;
    return c->n > 0 ? &c->entries[c->n - 1].header : &none;
}

/* The log that ends with an entry the input chooses: one of the node's, or a forged one. */
static void choose_chain(struct forge *f, struct chain *c, size_t n_max)
{
    const struct vr *r = f->vr;
    uint8_t which = read_u8(f->in);
    const struct wire_entry_header *at = NULL;
    struct bytes body = {0};
    if (which % 4 == 0 && log_has(&r->log, r->log.op - which / 4 % 8)) {
        at = log_header(&r->log, r->log.op - which / 4 % 8);
        body = log_body(&r->log, at->op);
    } else if (which % 4 == 1 && f->n_entries > 0) {
        const struct forge_entry *e = &f->entries[(f->n_entries - 1) % FORGE_ENTRIES];
        at = &e->header, body = (struct bytes){e->body, e->size};
    } else {
        const struct forge_entry *e = &f->entries[which / 4 % FORGE_ENTRIES];
        at = &e->header, body = (struct bytes){e->body, e->size};
    }
    c->n = 0;
    if (n_max > MESSAGE_HEADERS_MAX) n_max = MESSAGE_HEADERS_MAX;
    while (at != NULL && at->op > 0 && c->n < n_max) {
        c->entries[c->n++] = (struct wire_entry){.header = *at, .body = body};
        at = parent_of(f, at, &body);
    }
    for (size_t i = 0; i < c->n / 2; i++) {
        struct wire_entry swapped = c->entries[i];
        c->entries[i] = c->entries[c->n - 1 - i];
        c->entries[c->n - 1 - i] = swapped;
    }
}

/* Lists go to the second half of `content`, one after another; the first is wire_random's. */
struct lists {
    struct writer w;
};

static void list_begin(struct lists *l, struct wire_list_builder *b,
                       const struct wire_shape *record)
{
    wire_list_begin(b, record, l->w.start + l->w.size, l->w.capacity - l->w.size);
}

static struct wire_list list_end(struct lists *l, struct wire_list_builder *b)
{
    l->w.size += b->writer.size;
    return wire_list_end(b);
}

static struct wire_list header_list(struct lists *l, const struct chain *c)
{
    struct wire_list_builder b;
    list_begin(l, &b, &wire_shape_entry_header);
    for (size_t i = 0; i < c->n; i++) wire_list_add(&b, &c->entries[i].header);
    return list_end(l, &b);
}

static struct wire_list entry_list(struct lists *l, const struct chain *c, uint64_t after)
{
    struct wire_list_builder b;
    list_begin(l, &b, &wire_shape_entry);
    for (size_t i = 0; i < c->n; i++) {
        if (c->entries[i].header.op <= after) continue;
        if (!wire_list_add(&b, &c->entries[i])) break;
    }
    return list_end(l, &b);
}

/* The node's own knowledge, mostly. */
static struct wire_list counter_list(struct forge *f, struct lists *l)
{
    struct wire_list_builder b;
    list_begin(l, &b, &wire_shape_counter);
    uint8_t odd = read_u8(f->in);
    for (uint8_t i = 0; i < f->vr->config.n_replicas; i++) {
        struct wire_counter c = {f->vr->crash_vector[i]};
        if (odd >= 192 && odd % f->vr->config.n_replicas == i) c.value = near_number(f);
        wire_list_add(&b, &c);
    }
    return list_end(l, &b);
}

struct wire_list forge_tokens(struct forge *f, struct vstamp_id ours, uint8_t *buffer)
{
    struct vstamp_id list[REPLICAS_MAX];
    memcpy(list, f->tokens, sizeof list);
    list[f->vr->config.self] = ours;
    return vr_token_list(f->vr, list, buffer, VR_TOKENS_BYTES);
}

/* The same, or a little off. */
static struct wire_list token_list(struct forge *f, struct lists *l, struct vstamp_id ours)
{
    struct wire_list_builder b;
    list_begin(l, &b, &wire_shape_token);
    uint8_t odd = read_u8(f->in);
    for (uint8_t i = 0; i < f->vr->config.n_replicas; i++) {
        struct wire_token t = {i == f->vr->config.self ? ours : f->tokens[i]};
        if (odd >= 192 && odd % f->vr->config.n_replicas == i) t.value = near_id(f);
        wire_list_add(&b, &t);
    }
    return list_end(l, &b);
}

/* Pages as the node itself holds them, with changed places: fields of the client table and of the
 * cells of the store are all multiples of four. */
static void choose_pages(struct forge *f)
{
    f->n_pages = pick(f, FORGE_PAGES_MAX + 1);
    for (uint32_t i = 0; i < f->n_pages; i++) {
        uint8_t *content = f->pages[i].content;
        f->pages[i].number = read_u8(f->in) % f->vr->pages.n_max;
        memcpy(content, pages_read(&f->vr->pages, f->pages[i].number), VSTAMP_PAGE_SIZE);
        for (uint8_t edits = pick(f, 5); edits > 0; edits--) {
            uint32_t at = (uint32_t)read_u8(f->in) * 4 + (uint32_t)pick(f, 4) * 1024;
            uint64_t value = near_number(f);
            memcpy(content + at, &value, at + 8 <= VSTAMP_PAGE_SIZE && value > 255 ? 8 : 4);
        }
    }
}

static struct wire_list page_list(const struct forge *f, struct lists *l)
{
    struct wire_list_builder b;
    list_begin(l, &b, &wire_shape_page);
    for (uint32_t i = 0; i < f->n_pages; i++) {
        struct wire_page page = {.number = f->pages[i].number,
                                 .content = {f->pages[i].content, VSTAMP_PAGE_SIZE}};
        if (!wire_list_add(&b, &page)) break;
    }
    return list_end(l, &b);
}

/* The children of the root of a state that has those pages; one level is all a stage's tree has. */
static struct wire_list root_list(struct forge *f, struct lists *l, struct vstamp_id *root)
{
    uint64_t children[TREE_FANOUT] = {0};
    struct wire_list_builder b;
    for (uint32_t page = 0; page < f->vr->pages.n_max && page < TREE_FANOUT; page++)
        children[page] = pages_hash(pages_read(&f->vr->pages, page));
    for (uint32_t i = 0; i < f->n_pages; i++)
        children[f->pages[i].number % TREE_FANOUT] = pages_hash(f->pages[i].content);
    *root = tree_root_of(children);
    list_begin(l, &b, &wire_shape_page_hash);
    for (uint32_t i = 0; i < TREE_FANOUT; i++) {
        if (!wire_list_add(&b, &(struct wire_page_hash){.value = children[i]})) break;
    }
    return list_end(l, &b);
}

/* --- messages that make sense ---------------------------------------------------------------- */

/* What a replica of good faith would fill in, for the fields that the input does not want to be
 * odd: each bit of `odd` spares one. */

static void in_normal_operation(struct forge *f, struct wire_message *m, uint8_t odd)
{
    const struct vr *r = f->vr;
    static struct chain c;
    const struct wire_entry_header *h = log_header(&r->log, r->log.op - odd / 32);
    switch (m->shape->number) {
    case WIRE_prepare:
        choose_chain(f, &c, 1);
        if (c.n > 0) m->as.prepare.entry = c.entries[0];
        break;
    case WIRE_prepare_ok:
        if (h != NULL) m->as.prepare_ok = (struct wire_prepare_ok){h->op, h->checksum};
        break;
    case WIRE_commit_ok:
        if (h != NULL)
            m->as.commit_ok =
                (struct wire_commit_ok){.sequence = r->heartbeat, .op = h->op,
                                        .checksum = h->checksum, .clock_us = r->wall_us,
                                        .executed = r->applied + (odd & 1),
                                        .stuck_at = odd / 8 % 4 == 3 ? r->done + 1 : 0};
        break;
    case WIRE_commit:
        h = log_header(&r->log, m->as.commit.commit);
        if (h != NULL) m->as.commit.checksum = h->checksum;
        if ((odd & 1) == 0) m->as.commit.sequence = r->heartbeat + 1;
        break;
    default: break;
    }
}

static void in_a_view_change(struct forge *f, struct wire_message *m, uint8_t odd, struct lists *l)
{
    static struct chain c;
    switch (m->shape->number) {
    case WIRE_start_view_change:
        m->as.start_view_change.crash_vector = counter_list(f, l);
        break;
    case WIRE_do_view_change:
        choose_chain(f, &c, 6);
        m->as.do_view_change.headers = header_list(l, &c);
        m->as.do_view_change.crash_vector = counter_list(f, l);
        if ((odd & 1) == 0) m->as.do_view_change.op = chain_tip(&c)->op;
        break;
    case WIRE_start_view:
        choose_chain(f, &c, 6);
        m->as.start_view.headers = header_list(l, &c);
        m->as.start_view.crash_vector = counter_list(f, l);
        if ((odd & 1) == 0) m->as.start_view.op = chain_tip(&c)->op;
        break;
    default: break;
    }
}

static void in_recovery(struct forge *f, uint8_t from, struct wire_message *m, uint8_t odd,
                        struct lists *l)
{
    if (m->shape->number == WIRE_recovery) {
        m->as.recovery.crash_vector = counter_list(f, l);
        m->as.recovery.tokens = token_list(f, l, f->vr->tokens[f->vr->config.self]);
        m->as.recovery.nonces = token_list(f, l, f->vr->nonce);
        if ((odd & 1) == 0) m->as.recovery.nonce = f->tokens[from];
        if ((odd & 2) == 0) m->as.recovery.incarnation = 0;
    } else if (m->shape->number == WIRE_recovery_response) {
        m->as.recovery_response.crash_vector = counter_list(f, l);
        m->as.recovery_response.tokens = token_list(f, l, f->vr->tokens[f->vr->config.self]);
        if ((odd & 1) == 0) m->as.recovery_response.nonce = f->vr->nonce;
        if ((odd & 2) == 0) m->as.recovery_response.incarnation = f->vr->incarnation;
    }
}

static void in_state_transfer(struct forge *f, struct wire_message *m, uint8_t odd,
                              struct lists *l)
{
    const struct vr *r = f->vr;
    static struct chain c;
    if (m->shape->number == WIRE_new_state) {
        struct wire_new_state *s = &m->as.new_state;
        choose_chain(f, &c, MESSAGE_HEADERS_MAX);
        if ((odd & 1) == 0) s->nonce = r->transfer.nonce;
        if ((odd & 2) == 0) s->after = r->staging.op;
        if ((odd & 4) == 0) s->op = chain_tip(&c)->op;
        if ((odd & 8) == 0) s->log_view = r->transfer.view;
        if ((odd & 128) == 0) s->entries = entry_list(l, &c, r->staging.op);
    } else if (m->shape->number == WIRE_tree) {
        struct wire_tree *s = &m->as.tree;
        choose_chain(f, &c, 1);
        choose_pages(f);
        if ((odd & 1) == 0) s->nonce = r->fetch.nonce;
        if ((odd & 2) == 0 && c.n > 0) s->anchor = *chain_tip(&c);
        if ((odd & 4) == 0) s->children = root_list(f, l, &s->root);
        if ((odd & 8) == 0) s->level = pages_tree(&r->pages, PAGES_LIVE)->top;
    } else if (m->shape->number == WIRE_pages) {
        struct wire_pages *s = &m->as.pages;
        if ((odd & 16) != 0) choose_pages(f);
        s->pages = page_list(f, l);
        for (uint32_t i = 0; (odd & 1) == 0 && i < FETCH_QUESTIONS_MAX; i++)
            if (r->fetch.questions[i].n > 0) s->nonce = r->fetch.questions[i].nonce;
        if ((odd & 4) == 0) s->checkpoint = r->fetch.anchor.op;
    }
}

static void make_consistent(struct forge *f, uint8_t from, struct wire_message *m, uint8_t odd)
{
    struct lists l = {writer_over(f->content + sizeof f->content / 2, sizeof f->content / 2)};
    in_normal_operation(f, m, odd);
    in_a_view_change(f, m, odd, &l);
    in_recovery(f, from, m, odd, &l);
    in_state_transfer(f, m, odd, &l);
}

static uint8_t choose_sender(struct forge *f, uint8_t which, uint64_t view, uint16_t command)
{
    const struct vr *r = f->vr;
    uint8_t from = which % r->config.n_replicas;
    bool an_answer = command == WIRE_new_state || command == WIRE_tree || command == WIRE_pages;
    if (which < 128) from = an_answer ? r->transfer.peer : vr_primary_of(r, view);
    if (from == r->config.self) from = (uint8_t)((from + 1) % r->config.n_replicas);
    return from;
}

struct bytes forge_message(struct forge *f, uint8_t from, uint64_t view,
                           const struct wire_shape *shape, const void *message)
{
    struct wire_header header = {
        .epoch = f->vr->epoch, .group = f->vr->group, .view = view, .sender = from};
    size_t size = wire_frame_encode(&header, shape, message, f->frame, sizeof f->frame);
    assert(size > 0);
    return (struct bytes){f->frame, size};
}

struct bytes forge_frame(struct forge *f, uint8_t *from)
{
    static const uint16_t commands[] = {
        WIRE_prepare, WIRE_prepare_ok, WIRE_commit, WIRE_commit_ok, WIRE_start_view_change,
        WIRE_do_view_change, WIRE_start_view, WIRE_request_start_view, WIRE_recovery,
        WIRE_recovery_response, WIRE_get_state, WIRE_new_state, WIRE_get_pages, WIRE_pages,
        WIRE_get_tree, WIRE_tree};
    const struct vr *r = f->vr;
    const size_t n_commands = sizeof commands / sizeof commands[0];
    uint8_t command = read_u8(f->in), how = read_u8(f->in), odd = read_u8(f->in);
    size_t n;
    const struct wire_shape *const *all = wire_messages(&n);
    struct wire_message m = {.shape = wire_message_shape(commands[command % n_commands])};
    if (command >= 250) m.shape = all[odd % n];

    uint64_t view = r->view;
    if (how % 8 == 5) view = r->view + 1;
    if (how % 8 == 6) view = r->transfer.view;
    if (how % 8 == 7) view = near_number(f);
    *from = choose_sender(f, (uint8_t)(how / 8 * 9), view, m.shape->number);

    struct wire_random random;
    wire_random_init(&random, odd, f->content, sizeof f->content / 2);
    wire_random_fill(&random, m.shape, &m.as);
    bring_near(f, m.shape, &m.as);
    if (how != 255) make_consistent(f, *from, &m, odd);
    return forge_message(f, *from, view, m.shape, &m.as);
}

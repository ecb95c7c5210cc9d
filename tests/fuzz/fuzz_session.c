/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's half fed whatever replicas could answer.  The input is a program: its first byte
 * sets up a client, each later one does something to it; frames are always valid, and their fields
 * are mostly the ones that the session waits for.  Whatever comes, it asserts nothing, ends by its
 * deadline, and tells the truth where the harness knows it: after an end "did not run" every copy
 * that was sent has been refused, and what it answers is what some frame said. */
#include <string.h>

#include "base/assert.h"
#include "fuzz/fuzz.h"
#include "fuzz/wire_random.h"
#include "vr/session.h"

#define N_MAX 5u
#define FRAME_SIZE 4096u

const char fuzz_aim[] = "a request is answered";
unsigned long fuzz_hits;
const unsigned fuzz_copies = 300;

struct play {
    struct reader in;
    struct session s;
    uint64_t now_ms;
    uint32_t copies[SLOTS_MAX]; /* of the request under way that nobody has refused yet */
    bool lost;
    struct vstamp_id group, stranger;
    uint8_t frame[FRAME_SIZE], content[2048];
};

static const struct bytes operation = {(const uint8_t *)"operation", 9};

/* Something the session could have in mind, or anything. */
static uint64_t near_number(struct play *p)
{
    const struct session *s = &p->s;
    uint8_t pick = read_u8(&p->in);
    const uint64_t values[] = {
        s->request.number, s->request.session, s->probe, s->identity.number, s->identity.session,
        s->identity.seen, s->identity.view, SESSION_REGISTRATIONS + s->identity.registration, 0, 1,
        UINT64_MAX, UINT64_MAX / 2};
    size_t n = sizeof values / sizeof values[0];
    if (pick % 16 >= n) return read_u64(&p->in);
    return values[pick % 16] + (pick >> 4 < 12 ? 0 : (pick >> 4) - 13u);
}

static struct bytes answer_body(struct play *p)
{
    struct writer w = writer_over(p->content, sizeof p->content);
    uint8_t kind = read_u8(&p->in);
    if (kind < 192) {
        struct wire_registration given = {.session = near_number(p),
                                          .since = near_number(p),
                                          .number = near_number(p),
                                          .op = near_number(p),
                                          .answer = {(const uint8_t *)"answer", kind & 4}};
        wire_encode(&wire_shape_registration, &given, &w);
    } else {
        write_raw(&w, "answer", kind & 3);
    }
    return (struct bytes){w.start, w.size};
}

/* What the request and the frame have in common decides whether the session counts it. */
static void deliver(struct play *p, uint8_t from)
{
    const struct session *s = &p->s;
    uint8_t form = read_u8(&p->in);
    bool as_asked = (form & 1) == 0;
    struct wire_header header = {.group = (form & 6) == 6 ? p->stranger : p->group,
                                 .view = form & 8 ? near_number(p) : s->identity.view,
                                 .epoch = form & 8 ? read_u8(&p->in) : 0,
                                 .sender = from};
    if ((form & 6) == 4) header.group = (struct vstamp_id){0};
    uint64_t number = as_asked ? s->request.number : near_number(p);
    uint64_t session = as_asked ? s->request.session : near_number(p);
    uint32_t request = as_asked ? s->request_checksum : read_u8(&p->in);
    struct vstamp_id client = form & 16 ? p->stranger : s->identity.client;
    size_t size;
    bool refused = false;
    if (form & 32) {
        struct wire_reply m = {.client = client, .session = session, .number = number,
                               .request = request, .op = near_number(p), .body = answer_body(p)};
        size = wire_frame_encode(&header, &wire_shape_reply, &m, p->frame, sizeof p->frame);
    } else if (form & 64) {
        size_t n;
        const struct wire_shape *const *shapes = wire_messages(&n);
        const struct wire_shape *shape = shapes[read_u8(&p->in) % n];
        struct wire_random random;
        union wire_random_record record;
        wire_random_init(&random, read_u8(&p->in), p->content, sizeof p->content);
        wire_random_fill(&random, shape, &record);
        size = wire_frame_encode(&header, shape, &record, p->frame, sizeof p->frame);
    } else {
        struct wire_reject m = {.client = client, .session = session, .number = number,
                                .request = request, .reason = read_u8(&p->in) % 11,
                                .text = bytes_of("no")};
        refused = number == s->request.number && session == s->request.session &&
                  request == s->request_checksum &&
                  vstamp_id_equal(client, s->identity.client);
        size = wire_frame_encode(&header, &wire_shape_reject, &m, p->frame, sizeof p->frame);
    }
    assert(size > 0);
    if (refused && p->copies[from] > 0) p->copies[from]--;
    if (session_on_frame(&p->s, from, (struct bytes){p->frame, size}, p->now_ms) != SESSION_MOVED)
        return;
    for (uint8_t i = 0; i < SLOTS_MAX; i++) { /* its connections are closed */
        p->lost = p->lost || p->copies[i] > 0;
        p->copies[i] = 0;
    }
    p->s.n_others = read_u8(&p->in) % 3;
}

static void send(struct play *p, uint8_t to)
{
    size_t size = session_send(&p->s, to, p->frame, sizeof p->frame);
    struct wire_message m;
    if (size == 0) return;
    assert(wire_frame_decode((struct bytes){p->frame, size}, &m) == 0);
    assert(m.header.command == WIRE_request);
    assert(vstamp_id_equal(m.as.request.client, p->s.identity.client));
    if (m.as.request.number == p->s.request.number) p->copies[to]++;
}

static void start(struct play *p)
{
    static const enum session_task tasks[] = {SESSION_REGISTER, SESSION_APPLY, SESSION_READ,
                                              SESSION_READ_CAUSAL, SESSION_READ_STALE,
                                              SESSION_RECONFIGURE};
    uint8_t how = read_u8(&p->in);
    enum session_task task = tasks[how % 6];
    if (!session_ended(&p->s)) return;
    bool numbered = task == SESSION_APPLY || task == SESSION_RECONFIGURE;
    if (numbered && p->s.identity.session == 0) task = SESSION_REGISTER;
    memset(p->copies, 0, sizeof p->copies);
    p->lost = how & 128;
    session_start(&p->s, task, task == SESSION_REGISTER ? (struct bytes){0} : operation,
                  p->lost, p->now_ms, p->now_ms + (how & 64 ? 100000 : 1000));
}

/* C2: "did not run" is said only of an operation whose every copy came back refused. */
static void check_end(const struct play *p, bool was_running)
{
    const struct session *s = &p->s;
    if (s->running || !was_running) return;
    if (s->result.err == 0) fuzz_hits++;
    bool numbered = s->task == SESSION_APPLY || s->task == SESSION_RECONFIGURE;
    if (!numbered || s->result.err != VSTAMP_E_NOT_RUN) return;
    assert(!p->lost && !s->result.may_have_run);
    for (uint8_t i = 0; i < SLOTS_MAX; i++) assert(p->copies[i] == 0);
}

static void act(struct play *p)
{
    uint8_t what = read_u8(&p->in);
    uint8_t replica = (uint8_t)((what >> 4) % (p->s.n_replicas + p->s.n_others));
    switch (what % 8) {
    case 0: start(p); break;
    case 1:
    case 2: send(p, replica); break;
    case 3:
    case 4: deliver(p, replica); break;
    case 5:
        if (!p->s.running) break;
        if (p->copies[replica] > 0) p->lost = true;
        p->copies[replica] = 0;
        session_on_down(&p->s, replica);
        break;
    case 6:
        if (p->s.running) p->now_ms = session_wake(&p->s);
        session_on_time(&p->s, p->now_ms);
        break;
    default:
        if (replica == 0 && !p->s.running) session_renew(&p->s);
        if (replica == 1) session_stop(&p->s);
        p->now_ms += what;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play p;
    p = (struct play){.in = reader_over(data, size), .now_ms = 1000};
    uint8_t setting = read_u8(&p.in);
    p.group = (struct vstamp_id){1, 2};
    p.stranger = (struct vstamp_id){3, 4};
    struct session_identity identity = {.client = {5, 6}, .registration = 1};
    if (setting & 1) identity.group = p.group;
    if (setting & 2) identity.session = identity.seen = 10, identity.number = 3;
    session_init(&p.s, &identity, (uint8_t)(1 + (setting >> 2) % N_MAX), setting);
    while (p.in.ok && p.in.left > 0) {
        bool running = p.s.running;
        act(&p);
        check_end(&p, running);
    }
    while (!session_ended(&p.s)) {
        bool running = p.s.running;
        uint64_t wake_ms = session_wake(&p.s);
        assert(wake_ms <= p.s.deadline_ms);
        if (wake_ms > p.now_ms) p.now_ms = wake_ms;
        session_on_time(&p.s, p.now_ms);
        check_end(&p, running);
    }
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/turn.h"

#include "program/clock.h"

#define CPU_READ_US 1000u /* not more often: it is a system call */

/* What a turn reads, puts of 100 bytes, is executed in some milliseconds; requests that cost more
 * than their bytes tell are what the time is for. */
#define US_MAX       5000u
#define TAKEN_A_LOOK 16u /* frames between two looks at the clock */
#define GREETED_MAX  4u  /* steps of handshakes */

uint64_t turn_monotonic_us(void)
{
    return clock_us(CLOCK_BOOTTIME);
}

static uint64_t read_clocks(struct turn *t)
{
    uint64_t now_us = clock_us(CLOCK_BOOTTIME);

    node_clock(t->node, now_us, clock_us(CLOCK_REALTIME));
    return now_us;
}

void turn_begin(struct turn *t)
{
    if (t->begun) return;
    t->begun = true;
    t->taken_bytes = t->taken = t->greeted = t->refused = 0;
    t->late = false;
    t->begun_us = read_clocks(t);
    if (t->begun_us - t->cpu_read_us > CPU_READ_US) {
        t->cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
        t->cpu_read_us = t->begun_us;
    }
}

bool turn_has_share(const struct turn *t, const struct turn_share *share, size_t max)
{
    return share->round != t->round || share->bytes < max;
}

void turn_reads(struct turn *t, struct turn_share *share, size_t bytes)
{
    turn_begin(t);
    t->taken_bytes += bytes;
    if (t->taken_bytes > t->fullest_bytes) t->fullest_bytes = t->taken_bytes;
    if (share->round != t->round) *share = (struct turn_share){.round = t->round};
    share->bytes += bytes;
}

void turn_takes(struct turn *t)
{
    t->taken++;
    if (t->taken % TAKEN_A_LOOK == 0) t->late = turn_monotonic_us() - t->begun_us > US_MAX;
}

bool turn_may_greet(const struct turn *t)
{
    return !t->begun || t->greeted < GREETED_MAX;
}

void turn_greets(struct turn *t)
{
    turn_begin(t);
    t->greeted++;
}

bool turn_is_full(const struct turn *t)
{
    return t->begun && (t->late || t->taken_bytes >= TURN_BYTES_MAX);
}

bool turn_bears_no_more(struct turn *t, bool has_waited)
{
    turn_begin(t);
    t->refused++;
    return t->refused > (has_waited ? 3 : 2) * TURN_CROWD;
}

static void on_timer(uv_timer_t *timer)
{
    turn_begin(timer->data);
}

/* A turn that took less time than another took of the processor needs no look. */
static void note_length(struct turn *t, uint64_t now)
{
    if (now - t->begun_us > t->longest_us) t->longest_us = now - t->begun_us;
    if (now - t->begun_us <= t->longest_cpu_us) return;
    uint64_t cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - t->cpu_us;
    if (cpu_us > t->longest_cpu_us) t->longest_cpu_us = cpu_us;
}

/* What is due moves on with nearly each turn, as a backup hears of its primary: a timer that is set
 * for earlier stays, and begins a turn that finds nothing to do. */
static void arm(struct turn *t, uint64_t now)
{
    uint64_t due = node_next_timer(t->node);

    if (due == UINT64_MAX) {
        uv_timer_stop(&t->timer);
        return;
    }
    if (uv_is_active((uv_handle_t *)&t->timer) && t->armed_us <= due) return;
    t->armed_us = due;
    uv_update_time(t->timer.loop);
    uv_timer_start(&t->timer, on_timer, due <= now ? 0 : (due - now + 999) / 1000, 0);
}

static void on_rest(uv_idle_t *rest)
{
    struct turn *t = rest->data;

    if (!t->resume(t->ctx)) uv_idle_stop(rest);
}

/* As many as were fed in this turn, if it was full: who is resumed in vain costs system calls. */
static uint32_t room_after(const struct turn *t)
{
    uint32_t fed = t->taken > TAKEN_A_LOOK ? t->taken : TAKEN_A_LOOK;

    return turn_is_full(t) && fed < TURN_CROWD ? fed : TURN_CROWD;
}

static void end(struct turn *t)
{
    uint64_t now = 0;
    bool rests = false;

    if (!t->begun) return;
    while (t->begun) {
        if (turn_is_full(t)) rests = true;
        t->resumed_max = room_after(t);
        t->begun = false;
        read_clocks(t);
        node_turn_send(t->node);
        t->send(t->ctx);
        node_turn_end(t->node);
        t->after(t->ctx);
        now = turn_monotonic_us();
        note_length(t, now);
        if (!rests && t->resume != NULL) rests = t->resume(t->ctx);
    }
    if (rests) uv_idle_start(&t->rest, on_rest);
    arm(t, now);
}

static void on_check(uv_check_t *check)
{
    struct turn *t = check->data;

    if (!turn_is_full(t)) t->round++;
    end(t);
}

static void on_prepare(uv_prepare_t *prepare)
{
    end(prepare->data);
}

void turn_init(struct turn *t, uv_loop_t *loop, struct node *node, void (*send)(void *ctx),
               void (*after)(void *ctx), bool (*resume)(void *ctx), void *ctx)
{
    *t = (struct turn){
        .node = node, .round = 1, .resumed_max = TURN_CROWD, .send = send, .after = after,
        .resume = resume, .ctx = ctx};
    uv_check_init(loop, &t->check);
    uv_prepare_init(loop, &t->prepare);
    uv_timer_init(loop, &t->timer);
    uv_idle_init(loop, &t->rest);
    t->check.data = t->prepare.data = t->timer.data = t->rest.data = t;
    uv_check_start(&t->check, on_check);
    uv_prepare_start(&t->prepare, on_prepare);
}

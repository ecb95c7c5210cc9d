/* SPDX-License-Identifier: BSD-2-Clause */
/* Over a link of the client's driver (driver/link.h), waited for here. */
#include "admin/talk.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <vstamp/client.h>

#include "base/limits.h"
#include "driver/driver.h"
#include "driver/link.h"

struct talk {
    struct link link;
    int stop_fd;
};

/* Wait until the link can go on (*came), or until the address that it is trying has had its time
 * (not *came).  VSTAMP_E_IO: it is until_ms, or stop_fd can be read, or the system refuses. */
static int wait_for(struct talk *t, uint64_t until_ms, bool *came, struct vstamp_diag *diag)
{
    const struct link *l = &t->link;
    bool has_turns = l->state == LINK_CONNECTING || l->state == LINK_SECURING;
    uint64_t wake_ms = has_turns && l->due_ms < until_ms ? l->due_ms : until_ms, now;
    do {
        struct pollfd polls[] = {{.fd = l->fd, .events = POLLIN},
                                 {.fd = t->stop_fd, .events = POLLIN}};
        if (link_waits_to_write(l)) polls[0].events |= POLLOUT;
        now = vstamp_driver_now_ms();
        int n = poll(polls, 2, wake_ms > now ? (int)(wake_ms - now) : 0);
        if (n < 0 && errno != EINTR) {
            vstamp_diag_printf(diag, "it cannot be waited for: %s", strerror(errno));
            return VSTAMP_E_IO;
        }
        if (n > 0 && polls[1].revents != 0) {
            vstamp_diag_printf(diag, "interrupted");
            return VSTAMP_E_IO;
        }
        *came = n > 0;
    } while (!*came && now < wake_ms);
    if (*came || now < until_ms) return 0;
    vstamp_diag_printf(diag, "no answer in time");
    return VSTAMP_E_IO;
}

static int broken(struct talk *t, int error, struct vstamp_diag *diag)
{
    link_close(&t->link, error);
    vstamp_diag_printf(diag, "%s", link_explain(&t->link));
    return error == EPROTO && t->link.is_barred ? VSTAMP_E_NOT_AUTHORISED : VSTAMP_E_IO;
}

static int rise(struct talk *t, uint64_t until_ms, struct vstamp_diag *diag)
{
    struct link *l = &t->link;
    int rv = 0, error = link_begin(l);
    while (rv == 0 && error == 0 && l->state != LINK_UP) {
        bool came;
        rv = wait_for(t, until_ms, &came, diag);
        if (rv == 0) error = came ? link_finish(l) : link_on_time(l);
    }
    return error != 0 ? broken(t, error, diag) : rv;
}

struct talk *talk_open(const struct address *address, struct tls *tls, int stop_fd,
                       uint32_t timeout_ms, struct vstamp_diag *diag)
{
    struct talk *t = calloc(1, sizeof *t);
    if (t == NULL) {
        vstamp_diag_printf(diag, "no memory");
        return NULL;
    }
    link_init(&t->link, address, tls, TLS_BY_OPTION);
    t->stop_fd = stop_fd;
    if (rise(t, vstamp_driver_now_ms() + timeout_ms, diag) == 0) return t;
    talk_close(t);
    return NULL;
}

void talk_close(struct talk *t)
{
    if (t == NULL) return;
    link_release(&t->link);
    free(t);
}

int talk_send(struct talk *t, struct bytes frame, uint32_t timeout_ms, struct vstamp_diag *diag)
{
    struct link *l = &t->link;
    uint64_t until_ms = vstamp_driver_now_ms() + timeout_ms;
    if (!link_make_out_room(l, frame.size)) return broken(t, ENOMEM, diag);
    memcpy(l->out, frame.data, frame.size);
    l->out_size = frame.size;
    for (;;) {
        int error = link_flush(l);
        if (error == 0) return 0;
        if (error != EAGAIN) return broken(t, error, diag);
        bool came;
        int rv = wait_for(t, until_ms, &came, diag);
        if (rv != 0) return rv;
    }
}

/* Is a whole frame there? */
static int next_frame(struct talk *t, struct bytes *frame, struct vstamp_diag *diag)
{
    struct link *l = &t->link;
    struct bytes have = {l->in + l->in_used, l->in_size - l->in_used};
    size_t size = 0;
    int rv = have.size > 0 ? wire_frame_size(have, FRAME_BYTES_MAX, &size) : VSTAMP_E_TRUNCATED;
    *frame = (struct bytes){0};
    l->in_wanted = size;
    if (rv == 0 && size <= have.size) {
        *frame = (struct bytes){have.data, size};
        l->in_used += size;
        return 0;
    }
    if (rv == 0 || rv == VSTAMP_E_TRUNCATED) return 0;
    vstamp_diag_printf(diag, "does not speak the protocol of vstamp");
    return VSTAMP_E_MALFORMED;
}

int talk_receive(struct talk *t, uint32_t timeout_ms, struct bytes *frame,
                 struct vstamp_diag *diag)
{
    uint64_t until_ms = vstamp_driver_now_ms() + timeout_ms;
    for (;;) {
        int rv = next_frame(t, frame, diag);
        if (rv != 0 || frame->size > 0) return rv;
        bool came;
        rv = wait_for(t, until_ms, &came, diag);
        if (rv != 0) return rv;
        int error = link_receive(&t->link);
        if (error != EAGAIN) return broken(t, error, diag);
    }
}

int talk_request(struct talk *t, uint32_t epoch, const struct wire_request *request,
                 uint32_t timeout_ms, struct wire_message *answer, struct vstamp_diag *diag)
{
    struct wire_header header = {.epoch = epoch, .sender = WIRE_SENDER_CLIENT};
    struct wire_request sent = *request;
    uint8_t frame[256];
    struct bytes received;
    sent.number = 1;
    if (getrandom(&sent.client, sizeof sent.client, 0) != (ssize_t)sizeof sent.client) abort();
    size_t size = wire_frame_encode(&header, &wire_shape_request, &sent, frame, sizeof frame);
    int rv = talk_send(t, (struct bytes){frame, size}, timeout_ms, diag);
    if (rv == 0) rv = talk_receive(t, timeout_ms, &received, diag);
    if (rv != 0) return rv;
    if (wire_frame_decode(received, answer) == 0 &&
        (answer->header.command != WIRE_reply ||
         vstamp_id_equal(answer->as.reply.client, sent.client)))
        return 0;
    vstamp_diag_printf(diag, "its answer cannot be read");
    return VSTAMP_E_IO;
}

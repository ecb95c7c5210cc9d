/* SPDX-License-Identifier: BSD-2-Clause */
/* libcurl makes the connection, as it does for the status endpoints: names with several addresses,
 * time-outs and words for failures come with it.  Then the socket is ours. */
#include "admin/talk.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <vstamp/client.h>

#include "admin/fetch.h"
#include "base/assert.h"
#include "base/limits.h"

#define READ_SIZE 65536u

struct talk {
    CURL *easy;
    curl_socket_t socket;
    uint8_t *in;
    size_t capacity, size, used; /* used: the frame that was given out */
};

struct talk *talk_open(const struct address *address, uint32_t timeout_ms,
                       struct vstamp_diag *diag)
{
    char why[FETCH_ERROR_SIZE];
    struct talk *t = calloc(1, sizeof *t);
    if (t != NULL) t->easy = fetch_connect(address, timeout_ms, why);
    if (t != NULL && t->easy != NULL) {
        curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &t->socket);
        return t;
    }
    vstamp_diag_printf(diag, "%s", t == NULL ? "no memory" : why);
    free(t);
    return NULL;
}

void talk_close(struct talk *t)
{
    if (t == NULL) return;
    curl_easy_cleanup(t->easy);
    free(t->in);
    free(t);
}

/* Until the socket is ready, or the time is over. */
static int wait_for(struct talk *t, short events, uint64_t until_ms, struct vstamp_diag *diag)
{
    uint64_t now = vstamp_driver_now_ms();
    struct pollfd socket = {.fd = t->socket, .events = events};
    int n = poll(&socket, 1, until_ms > now ? (int)(until_ms - now) : 0);
    if (n != 0 || vstamp_driver_now_ms() < until_ms) return 0;
    vstamp_diag_printf(diag, "no answer in time");
    return VSTAMP_E_IO;
}

static int broken(struct vstamp_diag *diag)
{
    vstamp_diag_printf(diag, "closed the connection");
    return VSTAMP_E_IO;
}

int talk_send(struct talk *t, struct bytes frame, uint32_t timeout_ms, struct vstamp_diag *diag)
{
    uint64_t until_ms = vstamp_driver_now_ms() + timeout_ms;
    while (frame.size > 0) {
        size_t n = 0;
        CURLcode code = curl_easy_send(t->easy, frame.data, frame.size, &n);
        if (code == CURLE_AGAIN) {
            int rv = wait_for(t, POLLOUT, until_ms, diag);
            if (rv != 0) return rv;
        } else if (code != CURLE_OK) {
            return broken(diag);
        }
        frame.data += n;
        frame.size -= n;
    }
    return 0;
}

/* Is a whole frame there?  Else there is room for more of it. */
static int next_frame(struct talk *t, struct bytes *frame, struct vstamp_diag *diag)
{
    struct bytes have = {t->in, t->size};
    size_t want = 0;
    int rv = t->size > 0 ? wire_frame_size(have, FRAME_BYTES_MAX, &want) : VSTAMP_E_TRUNCATED;
    *frame = (struct bytes){0};
    if (rv == 0 && want <= t->size) {
        *frame = (struct bytes){t->in, want};
        t->used = want;
        return 0;
    }
    if (rv != 0 && rv != VSTAMP_E_TRUNCATED) {
        vstamp_diag_printf(diag, "does not speak the protocol of vstamp");
        return VSTAMP_E_MALFORMED;
    }
    if (want < t->size + READ_SIZE) want = t->size + READ_SIZE;
    if (want <= t->capacity) return 0;
    uint8_t *grown = realloc(t->in, want);
    if (grown == NULL) {
        vstamp_diag_printf(diag, "no memory for its answer");
        return VSTAMP_E_IO;
    }
    t->in = grown;
    t->capacity = want;
    return 0;
}

int talk_receive(struct talk *t, uint32_t timeout_ms, struct bytes *frame,
                 struct vstamp_diag *diag)
{
    uint64_t until_ms = vstamp_driver_now_ms() + timeout_ms;
    if (t->used > 0) memmove(t->in, t->in + t->used, t->size - t->used);
    t->size -= t->used;
    t->used = 0;
    for (;;) {
        int rv = next_frame(t, frame, diag);
        if (rv != 0 || frame->size > 0) return rv;
        size_t n = 0;
        CURLcode code = curl_easy_recv(t->easy, t->in + t->size, t->capacity - t->size, &n);
        if (code == CURLE_AGAIN) {
            rv = wait_for(t, POLLIN, until_ms, diag);
            if (rv != 0) return rv;
        } else if (code != CURLE_OK || n == 0) {
            return broken(diag);
        }
        t->size += n;
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

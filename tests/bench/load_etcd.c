/* SPDX-License-Identifier: BSD-2-Clause */
/* etcd, version 3: /etcdserverpb.KV/Put and Range of gRPC, which is HTTP/2 with a message of
 * protocol buffers, by libnghttp2.  One HTTP/2 connection a client, one stream a request. */
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "bench/load.h"

#define FIELD(number, type) ((uint8_t)((number) << 3 | (type)))
#define TYPE_BYTES          2u
/* flag of compression and size; then key and value with a byte of field and a byte of size each */
#define GRPC_HEAD    5u
#define MESSAGE_SIZE (GRPC_HEAD + 2 + LOAD_KEY_SIZE + 2 + LOAD_VALUE_SIZE)

_Static_assert(LOAD_VALUE_SIZE < 128, "sizes are one byte");

struct state {
    nghttp2_session *http;
    bool ok; /* of the stream that is open: the trailer said so */
    size_t size, sent;
    uint8_t message[MESSAGE_SIZE];
};

/* Hand over what the library has to send. */
static void speak(struct load_client *c)
{
    struct state *state = c->state;
    const uint8_t *data;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(state->http, &data)) > 0)
        load_send(c, c->at, data, (size_t)n);
    if (n < 0) load_fail("%s", nghttp2_strerror((int)n));
}

static ssize_t on_body(nghttp2_session *http, int32_t stream, uint8_t *into, size_t room,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)http, (void)stream, (void)user;
    struct state *state = source->ptr;
    size_t n = state->size - state->sent;
    if (n > room) n = room;
    memcpy(into, state->message + state->sent, n);
    state->sent += n;
    if (state->sent == state->size) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int on_header(nghttp2_session *http, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    (void)http, (void)frame, (void)flags;
    struct state *state = ((struct load_client *)user)->state;
    static const char status[] = "grpc-status";
    if (name_size == sizeof status - 1 && memcmp(name, status, name_size) == 0)
        state->ok = value_size == 1 && value[0] == '0';
    return 0;
}

static int on_stream_close(nghttp2_session *http, int32_t stream, uint32_t error, void *user)
{
    (void)http, (void)stream;
    struct load_client *c = user;
    struct state *state = c->state;
    if (error == 0 && state->ok)
        load_done_oldest(c);
    else
        load_ready(c); /* without a leader, or while it changes: ask again */
    return 0;
}

static void on_down(struct load_client *c, uint8_t server)
{
    (void)server;
    struct state *state = c->state;
    nghttp2_session_del(state->http);
    state->http = NULL;
}

static void on_up(struct load_client *c, uint8_t server)
{
    (void)server;
    struct state *state = c->state;
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) load_fail("out of memory");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    if (nghttp2_session_client_new(&state->http, callbacks, c) != 0) load_fail("out of memory");
    nghttp2_session_callbacks_del(callbacks);
    if (nghttp2_submit_settings(state->http, NGHTTP2_FLAG_NONE, NULL, 0) != 0)
        load_fail("HTTP/2 settings");
    load_ready(c);
    speak(c);
}

static void add_field(struct state *state, unsigned number, const void *data, size_t size)
{
    uint8_t *at = state->message + state->size;
    *at++ = FIELD(number, TYPE_BYTES);
    *at++ = (uint8_t)size;
    memcpy(at, data, size);
    state->size += 2 + size;
    state->message[GRPC_HEAD - 1] = (uint8_t)(state->size - GRPC_HEAD);
}

#define HEADER(name, value) \
    {(uint8_t *)(name), (uint8_t *)(value), sizeof name - 1, sizeof value - 1, 0}

static void call(struct load_request *r, nghttp2_nv path)
{
    const nghttp2_nv headers[] = {
        HEADER(":method", "POST"),
        HEADER(":scheme", "http"),
        path,
        HEADER(":authority", "etcd"),
        HEADER("te", "trailers"),
        HEADER("content-type", "application/grpc"),
    };
    struct state *state = r->client->state;
    nghttp2_data_provider body = {.source.ptr = state, .read_callback = on_body};
    state->sent = 0;
    state->ok = false;
    int32_t stream = nghttp2_submit_request(state->http, NULL, headers,
                                            sizeof headers / sizeof headers[0], &body, NULL);
    if (stream < 0) load_fail("%s", nghttp2_strerror(stream));
}

static void begin_message(struct load_request *r)
{
    struct state *state = r->client->state;
    memset(state->message, 0, GRPC_HEAD);
    state->size = GRPC_HEAD;
    add_field(state, 1, r->key, LOAD_KEY_SIZE);
}

static void put(struct load_request *r)
{
    begin_message(r);
    add_field(r->client->state, 2, r->value, LOAD_VALUE_SIZE);
    call(r, (nghttp2_nv)HEADER(":path", "/etcdserverpb.KV/Put"));
}

static void get(struct load_request *r)
{
    begin_message(r);
    call(r, (nghttp2_nv)HEADER(":path", "/etcdserverpb.KV/Range"));
}

static size_t hear(struct load_client *c, uint8_t server, struct bytes in)
{
    (void)server;
    struct state *state = c->state;
    ssize_t used = nghttp2_session_mem_recv(state->http, in.data, in.size);
    if (used < 0) load_fail("%s", nghttp2_strerror((int)used));
    speak(c);
    return (size_t)used;
}

const struct load_protocol load_protocol = {
    .name = "etcd",
    .state_size = sizeof(struct state),
    .on_up = on_up,
    .on_down = on_down,
    .put = put,
    .get = get,
    .hear = hear,
};

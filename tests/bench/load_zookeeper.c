/* SPDX-License-Identifier: BSD-2-Clause */
/* ZooKeeper: a session for each connection, setData for a put, and create where the node is not
 * there yet, which is then the put.  Every message has its size in front, and all numbers are
 * big-endian (org.apache.zookeeper's zookeeper.jute). */
#include <endian.h>
#include <string.h>

#include "bench/load.h"

#define SESSION_TIMEOUT_MS 30000u
#define CREATE             1u
#define SET_DATA           5u
#define NO_NODE            (-101)
#define NODE_EXISTS        (-110)
#define ANY_VERSION        0xffffffffu
#define PERMIT_ALL         31u
#define CONNECT_ANSWER     36u /* version, timeout, session, password; a newer server adds a byte */

struct state {
    bool connected;
    uint32_t number; /* of the newest request */
};

struct message {
    size_t size;
    uint8_t bytes[512];
};

static void add_u32(struct message *m, uint32_t number)
{
    number = htobe32(number);
    memcpy(m->bytes + m->size, &number, sizeof number);
    m->size += sizeof number;
}

static void add_u64(struct message *m, uint64_t number)
{
    add_u32(m, (uint32_t)(number >> 32));
    add_u32(m, (uint32_t)number);
}

static void add_bytes(struct message *m, const void *data, uint32_t size)
{
    add_u32(m, size);
    memcpy(m->bytes + m->size, data, size);
    m->size += size;
}

static void send_message(struct load_client *c, struct message *m)
{
    uint32_t size = htobe32((uint32_t)m->size);
    load_send(c, c->at, &size, sizeof size);
    load_send(c, c->at, m->bytes, m->size);
}

static void on_up(struct load_client *c, uint8_t server)
{
    static const uint8_t password[16];
    (void)server;
    struct message m = {0};
    add_u32(&m, 0); /* version */
    add_u64(&m, 0); /* newest transaction seen */
    add_u32(&m, SESSION_TIMEOUT_MS);
    add_u64(&m, 0); /* a new session */
    add_bytes(&m, password, sizeof password);
    m.bytes[m.size++] = 0; /* not for reading alone */
    ((struct state *)c->state)->connected = false;
    send_message(c, &m);
}

static void begin_request(struct load_request *r, struct message *m, uint32_t type)
{
    add_u32(m, ++((struct state *)r->client->state)->number);
    add_u32(m, type);
    add_bytes(m, r->key, LOAD_KEY_SIZE);
    add_bytes(m, r->value, LOAD_VALUE_SIZE);
}

static void put(struct load_request *r)
{
    struct message m = {0};
    begin_request(r, &m, SET_DATA);
    add_u32(&m, ANY_VERSION);
    send_message(r->client, &m);
}

static void create(struct load_request *r)
{
    struct message m = {0};
    begin_request(r, &m, CREATE);
    add_u32(&m, 1); /* one access rule */
    add_u32(&m, PERMIT_ALL);
    add_bytes(&m, "world", 5);
    add_bytes(&m, "anyone", 6);
    add_u32(&m, 0); /* a node that stays */
    send_message(r->client, &m);
}

static uint32_t number_at(struct bytes in, size_t offset)
{
    uint32_t number;
    memcpy(&number, in.data + offset, sizeof number);
    return be32toh(number);
}

static size_t hear(struct load_client *c, uint8_t server, struct bytes in)
{
    (void)server;
    struct state *state = c->state;
    if (in.size < 4 || in.size - 4 < number_at(in, 0)) return 0;
    size_t size = 4 + number_at(in, 0);
    if (!state->connected) {
        if (size < 4 + CONNECT_ANSWER || number_at(in, 8) == 0) load_fail("no session was given");
        state->connected = true;
        load_ready(c);
        return size;
    }
    if (size < 4 + 16 || number_at(in, 4) != state->number) load_fail("an unexpected answer");
    int32_t error = (int32_t)number_at(in, 16); /* after the request's number and the transaction */
    if (error == NO_NODE)
        create(c->requests);
    else if (error == NODE_EXISTS)
        put(c->requests); /* somebody else was faster */
    else if (error != 0)
        load_fail("error %d", (int)error);
    else
        load_done_oldest(c);
    return size;
}

const struct load_protocol load_protocol = {
    .name = "zookeeper",
    .state_size = sizeof(struct state),
    .on_up = on_up,
    .put = put,
    .hear = hear,
};

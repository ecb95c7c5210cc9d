/* SPDX-License-Identifier: BSD-2-Clause */
/* The server of raft_server.c: key and value out, one byte back. */
#include "bench/load.h"
#include "bench/raft_server.h"

static void on_up(struct load_client *c, uint8_t server)
{
    (void)server;
    load_ready(c);
}

static void put(struct load_request *r)
{
    struct load_client *c = r->client;
    load_send(c, c->at, r->key, LOAD_KEY_SIZE);
    load_send(c, c->at, r->value, LOAD_VALUE_SIZE);
}

static size_t hear(struct load_client *c, uint8_t server, struct bytes in)
{
    (void)server;
    if (in.data[0] == RAFT_SERVER_DONE)
        load_done_oldest(c);
    else
        load_refused(c);
    return 1;
}

const struct load_protocol load_protocol = {
    .name = "raft",
    .on_up = on_up,
    .put = put,
    .hear = hear,
};

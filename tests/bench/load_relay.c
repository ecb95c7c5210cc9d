/* SPDX-License-Identifier: BSD-2-Clause */
/* The bare relay (relay.c): as many bytes as vstamp's request has, and as many as its reply. */
#include "bench/load.h"
#include "bench/relay.h"

static struct relay_sizes sizes;

static void open_client(struct load_client *c, uint8_t n_servers)
{
    (void)c, (void)n_servers;
    sizes = relay_sizes();
}

static void on_up(struct load_client *c, uint8_t server)
{
    (void)server;
    load_ready(c);
}

static void put(struct load_request *r)
{
    struct load_client *c = r->client;
    static const uint8_t rest[1024];
    load_send(c, c->at, r->value, LOAD_VALUE_SIZE);
    load_send(c, c->at, rest, sizes.request - LOAD_VALUE_SIZE);
}

static size_t hear(struct load_client *c, uint8_t server, struct bytes in)
{
    (void)server;
    if (in.size < sizes.reply) return 0;
    load_done_oldest(c);
    return sizes.reply;
}

const struct load_protocol load_protocol = {
    .name = "relay",
    .pipelines = true,
    .open = open_client,
    .on_up = on_up,
    .put = put,
    .hear = hear,
};

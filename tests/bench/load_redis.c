/* SPDX-License-Identifier: BSD-2-Clause */
/* Redis.  A primary with replicas: SET, and WAIT until one of them has it too; both go out in one
 * write, both answers count as one put.  One server alone: SET.  Gets are of the primary. */
#include <stdio.h>
#include <string.h>

#include "bench/load.h"

static bool is_alone;

static void open_client(struct load_client *c, uint8_t n_servers)
{
    (void)c;
    is_alone = n_servers == 1;
}

static void on_up(struct load_client *c, uint8_t server)
{
    (void)server;
    load_ready(c);
}

static void put(struct load_request *r)
{
    static const char end[] = "\r\n", wait[] = "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n";
    struct load_client *c = r->client;
    char head[64];
    int size = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$%u\r\n%s\r\n$%u\r\n", LOAD_KEY_SIZE,
                        r->key, LOAD_VALUE_SIZE);
    load_send(c, c->at, head, (size_t)size);
    load_send(c, c->at, r->value, LOAD_VALUE_SIZE);
    load_send(c, c->at, end, sizeof end - 1);
    if (!is_alone) load_send(c, c->at, wait, sizeof wait - 1);
}

static void get(struct load_request *r)
{
    struct load_client *c = r->client;
    char request[64];
    int size = snprintf(request, sizeof request, "*2\r\n$3\r\nGET\r\n$%u\r\n%s\r\n", LOAD_KEY_SIZE,
                        r->key);
    load_send(c, c->at, request, (size_t)size);
}

/* The line at the start of these bytes, with its end; 0: not whole yet. */
static size_t line_size(struct bytes in)
{
    const uint8_t *end = in.size > 0 ? memchr(in.data, '\n', in.size) : NULL;
    return end != NULL ? (size_t)(end - in.data) + 1 : 0;
}

static bool is_line(struct bytes in, size_t size, const char *expected)
{
    return size == strlen(expected) && memcmp(in.data, expected, size) == 0;
}

/* "+OK" of SET, then ":1" of WAIT; "$100" and the value, or "$-1", of GET. */
static size_t hear(struct load_client *c, uint8_t server, struct bytes in)
{
    (void)server;
    size_t used = line_size(in), more;
    if (used == 0) return 0;
    if (is_line(in, used, "+OK\r\n")) {
        struct bytes rest = {in.data + used, in.size - used};
        more = is_alone ? 0 : line_size(rest);
        if (!is_alone && more == 0) return 0;
        if (!is_alone && (rest.data[0] != ':' || rest.data[1] == '0'))
            load_fail("no replica has it");
    } else if (is_line(in, used, "$100\r\n")) {
        _Static_assert(LOAD_VALUE_SIZE == 100, "the line above");
        more = LOAD_VALUE_SIZE + 2;
        if (in.size < used + more) return 0;
    } else if (is_line(in, used, "$-1\r\n")) {
        more = 0;
    } else {
        load_fail("an unexpected answer: %.*s", (int)used, (const char *)in.data);
    }
    load_done_oldest(c);
    return used + more;
}

const struct load_protocol load_protocol = {
    .name = "redis",
    .pipelines = true,
    .open = open_client,
    .on_up = on_up,
    .put = put,
    .get = get,
    .hear = hear,
};

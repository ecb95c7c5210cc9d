/* SPDX-License-Identifier: BSD-2-Clause */
/* Redis, a primary with replicas: SET, and WAIT until one of them has it too.  Both go out in one
 * write, both answers count as one put. */
#include <stdio.h>
#include <string.h>

#include "bench/load.h"

#define ANSWER "+OK\r\n:" /* and a number of replicas */

static void on_up(struct load_client *c, uint8_t server)
{
    (void)server;
    load_ready(c);
}

static void put(struct load_client *c)
{
    char request[LOAD_VALUE_SIZE + 256];
    int head = snprintf(request, sizeof request, "*3\r\n$3\r\nSET\r\n$%u\r\n%s\r\n$%u\r\n",
                        LOAD_KEY_SIZE, c->key, LOAD_VALUE_SIZE);
    memcpy(request + head, c->value, LOAD_VALUE_SIZE);
    size_t size = (size_t)head + LOAD_VALUE_SIZE;
    static const char wait[] = "\r\n*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n";
    memcpy(request + size, wait, sizeof wait - 1);
    load_send(c, c->at, request, size + sizeof wait - 1);
}

static size_t hear(struct load_client *c, uint8_t server, struct bytes in)
{
    (void)server;
    const size_t known = sizeof ANSWER - 1;
    if (memcmp(in.data, ANSWER, in.size < known ? in.size : known) != 0)
        load_fail("an unexpected answer: %.*s", (int)in.size, (const char *)in.data);
    if (in.size <= known || in.data[in.size - 1] != '\n') return 0;
    if (in.data[known] == '0') load_fail("no replica has it");
    load_done(c);
    return in.size;
}

const struct load_protocol load_protocol = {
    .name = "redis",
    .on_up = on_up,
    .put = put,
    .hear = hear,
};

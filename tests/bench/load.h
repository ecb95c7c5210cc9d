/* SPDX-License-Identifier: BSD-2-Clause */
/* The load that every store gets: clients with a connection of their own, each with one request
 * outstanding, or as many as it is told; at a rate, with none for a while.  Sockets, clocks and
 * counting are in load.c; the protocol of each store is in a file of its own, load_STORE.c, and
 * makes a program of its own with it.  So what a client costs differs only by what its store's
 * messages cost.
 *
 * Keys have LOAD_KEY_SIZE bytes and are drawn from LOAD_KEYS, values have LOAD_VALUE_SIZE. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/prng.h"

#define LOAD_SERVERS_MAX 7u
#define LOAD_KEY_SIZE    16u
#define LOAD_VALUE_SIZE  100u
#define LOAD_KEYS        10000u

struct load_link {
    struct load_client *client;
    uint8_t server;
    int fd; /* -1: none */
    bool up, blocked;
    uint64_t retry_ns; /* not to be connected before */
    size_t in_size, out_size;
    uint8_t *in, *out; /* load.room bytes each */
};

/* A put or a get. */
struct load_request {
    struct load_client *client;
    uint64_t began_ns; /* 0: none is outstanding */
    bool idle;         /* it waits until one is due */
    char key[LOAD_KEY_SIZE + 1]; /* a slash and digits */
    uint8_t value[LOAD_VALUE_SIZE];
};

struct load_client {
    struct load_link *links; /* one a server */
    uint8_t at;              /* the server that is asked, of a protocol that asks one at a time */
    uint32_t depth;          /* of requests at once */
    struct load_request *requests;
    uint32_t n_idle;   /* of these */
    uint32_t busy_at;  /* its place among the clients of which not all are */
    uint32_t oldest;   /* of a protocol that answers in order: whose answer is next */
    uint64_t heard_ns; /* newest sign of life */
    struct prng prng;
    void *state; /* the protocol's */
};

struct load_protocol {
    const char *name;
    size_t state_size;
    bool pipelines; /* a client may have many requests outstanding */

    /* Once.  NULL: nothing to do. */
    void (*open)(struct load_client *c, uint8_t n_servers);

    /* Should there be a connection?  NULL: to c->at alone, and to the next server when that breaks,
     * refuses or is silent for too long. */
    bool (*wants)(struct load_client *c, uint8_t server);

    /* It has come about; the protocol greets, and says load_ready when requests can be sent. */
    void (*on_up)(struct load_client *c, uint8_t server);
    void (*on_down)(struct load_client *c, uint8_t server); /* NULL: nothing to do */

    /* Send it, for the first time or once more.  A get is linearizable; NULL: not offered. */
    void (*put)(struct load_request *r);
    void (*get)(struct load_request *r);

    /* Bytes came.  Returns how many of them made a whole message, or several; called again while
     * there are more. */
    size_t (*hear)(struct load_client *c, uint8_t server, struct bytes in);

    void (*on_time)(struct load_client *c, uint64_t now_ms); /* NULL: nothing to do */
};

extern const struct load_protocol load_protocol;

/* What the protocols call. */
void load_send(struct load_client *c, uint8_t server, const void *data, size_t size);
size_t load_room(const struct load_client *c, uint8_t server); /* for load_send */
void load_begin(struct load_request *r);  /* it can be sent, now or again */
void load_ready(struct load_client *c);   /* all of the client's can, in order */
void load_done(struct load_request *r);   /* it is answered; the next one begins */
void load_done_oldest(struct load_client *c);
void load_refused(struct load_client *c); /* this server cannot; try the next one */
_Noreturn void load_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t load_now_ns(void);

#endif

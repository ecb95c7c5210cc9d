/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts the counter of examples/counter.c up to a number, and may be killed at any time: started
 * again with the same FILE it goes on, and no increment runs twice or is left out, as "A client
 * that comes back" in vstamp-client(3) has it.
 *
 *     tally 127.0.0.1:14621,127.0.0.1:14622,127.0.0.1:14623 FILE NUMBER [IN_FLIGHT]
 *
 * FILE holds who the client is; nobody else may use it meanwhile, nor count with that counter.  It
 * asks for IN_FLIGHT increments at a time, by default 1, and always for as many with one FILE: each
 * is a session, and the successor settles them all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <vstamp/client.h>

#define TIMEOUT_MS 1000

/* The same at each start: drawn at the first one, and on the disk before it is used. */
static int identity(const char *path, struct vstamp_id *id)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL && errno == ENOENT) {
        if (getrandom(id, sizeof *id, 0) != sizeof *id || (file = fopen(path, "wbx")) == NULL)
            return -1;
        int ok = fwrite(id, sizeof *id, 1, file) == 1 && fflush(file) == 0 &&
                 fsync(fileno(file)) == 0;
        return fclose(file) == 0 && ok ? 0 : -1;
    }
    if (file == NULL) return -1;
    int ok = fread(id, sizeof *id, 1, file) == 1;
    fclose(file);
    return ok ? 0 : -1;
}

struct tally {
    struct vstamp_driver *driver;
    unsigned long value; /* of the counter, when all was settled last, */
    unsigned long sent;  /* and increments since */
    int failed;          /* calls of which the outcome is not known, or that have to be repeated */
};

static unsigned long number_in(const struct vstamp_reply *reply)
{
    char text[24] = "";
    memcpy(text, reply->body, reply->size < sizeof text ? reply->size : sizeof text - 1);
    return strtoul(text, NULL, 10);
}

/* Whatever was asked before, also by one that was killed, has run by now or never will; and then,
 * how far is the counter? */
static int settle(struct tally *t)
{
    struct vstamp_reply reply;
    int rv;
    while ((rv = vstamp_driver_settle(t->driver, TIMEOUT_MS)) == VSTAMP_E_NOT_RUN)
        fprintf(stderr, "tally: waiting for the group\n");
    while (rv == 0 && (rv = vstamp_driver_ask(t->driver, VSTAMP_READ, "", 0, TIMEOUT_MS,
                                              &reply)) == VSTAMP_E_NOT_RUN)
        fprintf(stderr, "tally: no answer\n");
    if (rv != 0) return rv;
    t->value = number_in(&reply);
    t->sent = 0;
    t->failed = 0;
    return 0;
}

static void on_counted(void *context, const struct vstamp_reply *reply)
{
    struct tally *t = context;
    if (reply->err != 0) t->failed++;
    else printf("%lu\n", number_in(reply));
    fflush(stdout);
}

static void count_to(struct tally *t, unsigned long number)
{
    struct vstamp_client *client = vstamp_driver_client(t->driver);
    while (t->failed == 0 && t->value + t->sent < number) {
        while (t->value + t->sent < number && vstamp_client_room(client) > 0) {
            if (vstamp_driver_call(t->driver, VSTAMP_APPLY, "1", 1, TIMEOUT_MS, on_counted, t) != 0)
                t->failed++;
            t->sent++;
        }
        vstamp_driver_wait(t->driver, -1);
    }
    while (vstamp_driver_finish(t->driver) != 0) continue; /* a signal came */
}

int main(int argc, char **argv)
{
    struct vstamp_client_config config = {.application = "counter", .in_flight = 1};
    struct vstamp_diag diag = {0};
    struct tally tally = {0};
    struct timespec now;
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: tally ADDRESS,ADDRESS,... FILE NUMBER [IN_FLIGHT]\n");
        return 2;
    }
    if (identity(argv[2], &config.first) != 0) {
        perror(argv[2]);
        return 2;
    }
    if (argc == 5) config.in_flight = (uint32_t)strtoul(argv[4], NULL, 10);
    clock_gettime(CLOCK_REALTIME, &now);
    config.registration = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    if (vstamp_driver_open(&tally.driver, argv[1], &config, &diag) != 0) {
        fprintf(stderr, "tally: %s\n", diag.text);
        return 2;
    }
    int rv;
    do {
        rv = settle(&tally);
        if (rv == 0) count_to(&tally, strtoul(argv[3], NULL, 10));
    } while (rv == 0 && tally.failed > 0);
    if (rv != 0) fprintf(stderr, "tally: %s\n", vstamp_err_text(rv));
    vstamp_driver_close(tally.driver);
    return vstamp_err_exit(rv);
}

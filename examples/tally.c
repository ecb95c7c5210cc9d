/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts the counter of examples/counter.c up to a number, and may be killed at any time: started
 * again with the same FILE it goes on, and no increment runs twice or is left out, as "A client that
 * comes back" in vstamp-client(3) has it.
 *
 *     tally 127.0.0.1:14621,127.0.0.1:14622,127.0.0.1:14623 FILE NUMBER
 *
 * FILE holds who the client is; nobody else may use it meanwhile, nor count with that counter. */
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

static int ask(struct vstamp_driver *driver, enum vstamp_task task, const char *operation,
               unsigned long *value)
{
    struct vstamp_reply reply;
    char text[24] = "";
    if (vstamp_driver_ask(driver, task, operation, strlen(operation), TIMEOUT_MS, &reply) == 0 &&
        value != NULL) {
        memcpy(text, reply.body, reply.size < sizeof text ? reply.size : sizeof text - 1);
        *value = strtoul(text, NULL, 10);
    }
    return reply.err;
}

/* Whatever was asked before, also by one that was killed: it has run by the end of this, or never
 * will. */
static void settle(struct vstamp_driver *driver, unsigned long *value)
{
    while (ask(driver, VSTAMP_REGISTER, "", NULL) != 0)
        fprintf(stderr, "tally: waiting for the group\n");
    while (ask(driver, VSTAMP_READ, "", value) != 0) fprintf(stderr, "tally: no answer\n");
}

int main(int argc, char **argv)
{
    struct vstamp_client_config config = {.application = "counter"};
    struct vstamp_diag diag = {0};
    struct vstamp_driver *driver;
    struct timespec now;
    unsigned long value;
    if (argc != 4) {
        fprintf(stderr, "usage: tally ADDRESS,ADDRESS,... FILE NUMBER\n");
        return 2;
    }
    if (identity(argv[2], &config.first) != 0) {
        perror(argv[2]);
        return 2;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    config.registration = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    if (vstamp_driver_open(&driver, argv[1], &config, &diag) != 0) {
        fprintf(stderr, "tally: %s\n", diag.text);
        return 2;
    }
    settle(driver, &value);
    while (value < strtoul(argv[3], NULL, 10)) {
        if (ask(driver, VSTAMP_APPLY, "1", &value) != 0) settle(driver, &value);
        else printf("%lu\n", value);
        fflush(stdout);
    }
    vstamp_driver_close(driver);
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A client whose callback takes its time and begins the next call:
 *
 *     calls_back HOST:PORT,HOST:PORT,... COMMAND [FOLDER]
 *
 * With a FOLDER of certificates, over TLS.
 *
 * Registers three times; in the first callback COMMAND is run, and what a callback may not do is
 * tried. */
#include <stdio.h>
#include <stdlib.h>

#include <vstamp/client.h>

#define NEVER UINT64_MAX

struct course {
    struct vstamp_driver *driver;
    const char *command;
    int left, failed;
};

static void on_reply(void *context, const struct vstamp_reply *reply)
{
    struct course *c = context;
    struct vstamp_reply refused = {0};
    c->failed += reply->err != 0;
    if (c->left == 3) {
        c->failed += system(c->command) != 0;
        c->failed += vstamp_driver_ask(c->driver, VSTAMP_READ, "", 0, NEVER, &refused) !=
                     VSTAMP_E_INVALID;
        c->failed += refused.size == 0;
        c->failed += vstamp_driver_wait(c->driver, -1) != VSTAMP_E_INVALID;
    }
    if (--c->left == 0) return;
    c->failed += vstamp_driver_call(c->driver, VSTAMP_REGISTER, NULL, 0, NEVER, on_reply, c) != 0;
}

int main(int argc, char **argv)
{
    struct vstamp_diag diag = {0};
    struct course c = {.left = 3};
    if (argc < 3 || argc > 4 || vstamp_driver_open(&c.driver, argv[1], NULL, &diag) != 0 ||
        (argc == 4 && vstamp_driver_tls(c.driver, argv[3], &diag) != 0)) {
        fprintf(stderr, "usage: calls_back ADDRESS,... COMMAND [FOLDER]; %s\n", diag.text);
        vstamp_driver_close(c.driver);
        return 2;
    }
    c.command = argv[2];
    c.failed += vstamp_driver_call(c.driver, VSTAMP_REGISTER, NULL, 0, NEVER, on_reply, &c) != 0;
    c.failed += vstamp_driver_finish(c.driver) != 0;
    vstamp_driver_close(c.driver);
    printf("%d left, %d failed\n", c.left, c.failed);
    return c.failed != 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* One question after the other to any application, an operation a line of standard input:
 *
 *     cc $(pkg-config --cflags vstamp) ask.c $(pkg-config --libs vstamp)
 *     echo 5 | ./a.out 127.0.0.1:14621,127.0.0.1:14622,127.0.0.1:14623
 */
#include <stdio.h>
#include <string.h>

#include <vstamp/client.h>

int main(int argc, char **argv)
{
    struct vstamp_driver *driver;
    struct vstamp_diag diag = {0};
    struct vstamp_reply reply = {0};
    char line[1000];
    if (argc != 2) {
        fprintf(stderr, "usage: ask ADDRESS,ADDRESS,... <OPERATIONS\n");
        return 2;
    }
    if (vstamp_driver_open(&driver, argv[1], NULL, &diag) != 0) {
        fprintf(stderr, "ask: %s\n", diag.text);
        return 2;
    }
    while (reply.err == 0 && fgets(line, sizeof line, stdin) != NULL) {
        size_t size = strcspn(line, "\n");
        if (vstamp_driver_ask(driver, VSTAMP_APPLY, line, size, 5000, &reply) == 0)
            fwrite(reply.body, 1, reply.size, stdout);
        else
            fprintf(stderr, "ask: %s\n", vstamp_err_text(reply.err));
    }
    vstamp_driver_close(driver);
    return reply.err == 0 ? 0 : vstamp_err_exit(reply.err);
}

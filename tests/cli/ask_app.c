/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations of any application, one after the other, each answer a line:
 *
 *     ask_app ADDRESS,ADDRESS,... apply|read TIMEOUT_MS OPERATION...
 *
 * Ends with status 1 at the first that is not answered, after it has said why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vstamp/client.h>

static void on_reply(void *context, const struct vstamp_reply *reply)
{
    int *err = context;
    *err = reply->err;
    fprintf(reply->err == 0 ? stdout : stderr, "%s%s%.*s\n",
            reply->err == 0 ? "" : vstamp_err_name(reply->err), reply->err == 0 ? "" : ": ",
            (int)reply->size, (const char *)reply->body);
}

int main(int argc, char **argv)
{
    struct vstamp_driver *driver;
    struct vstamp_diag diag = {0};
    int err = 0;
    if (argc < 5) return 2;
    if (vstamp_driver_open(&driver, argv[1], NULL, &diag) != 0) {
        fprintf(stderr, "ask_app: %s\n", diag.text);
        return 2;
    }
    enum vstamp_task task = strcmp(argv[2], "read") == 0 ? VSTAMP_READ : VSTAMP_APPLY;
    uint64_t timeout_ms = strtoul(argv[3], NULL, 10);
    for (int i = 4; i < argc && err == 0; i++) {
        err = vstamp_driver_call(driver, task, argv[i], strlen(argv[i]), timeout_ms, on_reply,
                                 &err);
        if (err == 0) vstamp_driver_finish(driver);
    }
    vstamp_driver_close(driver);
    return err == 0 ? 0 : 1;
}

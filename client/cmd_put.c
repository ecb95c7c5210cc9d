/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp put [--ttl TTL] KEY [VALUE]: store a value; left out or '-', it is standard input, byte by
 * byte.  In the shell, whose standard input are the commands, a value left out is empty, as in the
 * seed. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "client/memory.h"
#include "client/ttl.h"

/* All of standard input, or one byte more than any group takes.  0 or an errno. */
static int read_input(struct bytes *value)
{
    size_t capacity = 1 << 16, size = 0;
    uint8_t *data = memory_new(capacity);
    while (size <= KV_VALUE_MAX) {
        if (size == capacity) {
            capacity *= 2;
            data = memory_resize(data, capacity);
        }
        ssize_t n = read(STDIN_FILENO, data + size, capacity - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            free(data);
            return errno;
        }
        if (n == 0) break;
        size += (size_t)n;
    }
    *value = (struct bytes){data, size};
    return 0;
}

int cmd_put(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    const char *operand[2], *ttl = "never", *wrong;
    const struct cli_option options[] = {TTL_OPTION(&ttl), CLI_END};
    size_t n;
    int rv = cli_parse(cli, options, argc, argv, operand, 2, &n);
    if (rv != 0) return rv;
    struct kv_op op = {.verb = KV_PUT, .key = client_word(c, operand[0])};
    wrong = ttl_parse(ttl, &op.expiry);
    if (wrong != NULL) return cli_usage(cli, "put: --ttl: '%.60s': %s", ttl, wrong);
    if (n == 2) op.value = client_word(c, operand[1]);
    bool from_input = !c->in_shell && (n == 1 || strcmp(operand[1], "-") == 0);
    if (!from_input) return client_do(c, &op);
    rv = read_input(&op.value);
    if (rv != 0) {
        struct vstamp_diag diag;
        vstamp_diag_printf(&diag, "standard input: %s: nothing was sent", strerror(rv));
        return answer_refuse(c, "put", VSTAMP_E_IO, &diag);
    }
    int status = client_do(c, &op);
    free((void *)op.value.data);
    return status;
}

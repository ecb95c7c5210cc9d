/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-replica, but at op-number $STRAY_AT it executes something else than the others, as a
 * binary does that is another one. */
#include <stdlib.h>
#include <string.h>

#include "kv/kv.h"
#include "replica/command.h"

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    static uint8_t other[65536];
    const char *at = getenv("STRAY_AT");
    bool strays = at != NULL && context->op_number == strtoull(at, NULL, 10);
    if (strays && size > 0 && size <= sizeof other) {
        memcpy(other, operation, size);
        other[size - 1] ^= 1; /* of a value, if it is a put */
        operation = other;
    }
    kv_app()->apply(pages, context, operation, size, answer);
}

int main(int argc, char **argv)
{
    static struct vstamp_app app;
    app = *kv_app();
    app.apply = apply;
    return command_run(argc, argv, &app, true);
}

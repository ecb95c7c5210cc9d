/* SPDX-License-Identifier: BSD-2-Clause */
/* A replicated daemon of one's own, whole:
 *
 *     #include <vstamp/replica.h>
 *
 *     static const struct vstamp_app app = {...};
 *
 *     int main(int argc, char **argv)
 *     {
 *         return vstamp_replica_main(argc, argv, &app);
 *     }
 *
 * It is vstamp-replica(8) with another application: the same options, configuration file, status
 * and log.  Link it with `pkg-config --libs vstamp-replica`.  vstamp(1) talks to it by
 * `vstamp call`, programs by <vstamp/client.h>.  examples/counter.c is such a daemon. */
#ifndef VSTAMP_REPLICA_H
#define VSTAMP_REPLICA_H

#include <vstamp/app.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `argc` and `argv` are those of main(); `app` is kept by pointer.  Returns the status that the
 * process is to end with (vstamp-replica(8)).  Once in a process. */
VSTAMP_API int vstamp_replica_main(int argc, char **argv, const struct vstamp_app *app);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of the messages of one put, as vstamp has them: what relay.c and its clients exchange. */
#ifndef BENCH_RELAY_H
#define BENCH_RELAY_H

#include <stddef.h>

struct relay_sizes {
    size_t request, reply; /* between client and primary */
    size_t prepare;        /* a frame with no operation in it */
    size_t operation;      /* what each adds, there and on the disk */
    size_t ack;
};

struct relay_sizes relay_sizes(void);

#endif

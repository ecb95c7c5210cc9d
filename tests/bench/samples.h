/* SPDX-License-Identifier: BSD-2-Clause */
/* Latencies of a closed loop, and the one line that both programs print of them, so that
 * put-latency.sh compares like with like. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_KEY "bench"
#define BENCH_VALUE_MAX 65536u

/* The first tenth of the operations is not counted: caches, and the kernel's idea of the
   connection. */
struct samples {
    size_t n, n_warmup, n_max;
    uint64_t ns[];
};

static inline uint64_t samples_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline struct samples *samples_new(size_t n_max)
{
    struct samples *s = malloc(sizeof *s + n_max * sizeof s->ns[0]);
    if (s == NULL) abort();
    *s = (struct samples){.n_warmup = n_max / 10, .n_max = n_max};
    return s;
}

static inline void samples_add(struct samples *s, uint64_t ns)
{
    if (s->n_warmup > 0) {
        s->n_warmup--;
    } else if (s->n < s->n_max) {
        s->ns[s->n++] = ns;
    }
}

static inline int samples_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static inline void samples_print(struct samples *s, const char *what)
{
    if (s->n == 0) abort();
    qsort(s->ns, s->n, sizeof s->ns[0], samples_order);
    printf("%s ops=%zu p50_us=%.1f p99_us=%.1f max_us=%.1f\n", what, s->n,
           (double)s->ns[s->n / 2] / 1e3, (double)s->ns[s->n * 99 / 100] / 1e3,
           (double)s->ns[s->n - 1] / 1e3);
}

#endif

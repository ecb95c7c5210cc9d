/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/zipf.h"

#include <math.h>

void zipf_init(struct zipf *z, uint64_t n, double theta)
{
    *z = (struct zipf){.n = n, .theta = theta, .alpha = 1 / (1 - theta)};
    for (uint64_t i = n; i >= 1; i--) z->zeta += 1 / pow((double)i, theta); /* the small first */
    double of_two = 1 + pow(0.5, theta);
    z->eta = n > 2 ? (1 - pow(2 / (double)n, 1 - theta)) / (1 - of_two / z->zeta) : 0;
}

uint64_t zipf_next(const struct zipf *z, struct prng *prng)
{
    double u = (double)(prng_next(prng) >> 11) * 0x1p-53; /* 0 <= u < 1 */
    double uz = u * z->zeta;
    if (uz < 1) return 0;
    if (uz < 1 + pow(0.5, z->theta)) return z->n > 1 ? 1 : 0;
    uint64_t i = (uint64_t)((double)z->n * pow(z->eta * u - z->eta + 1, z->alpha));
    return i < z->n ? i : z->n - 1;
}

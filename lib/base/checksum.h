/* SPDX-License-Identifier: BSD-2-Clause */
/* Checksums: XXH3, against damage and for identity, not against an enemy. */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include <vstamp/id.h>

/* Of `size` bytes, which may be 0.  Those of two seeds have nothing to do with each other. */
uint64_t checksum64(const void *data, size_t size);
uint64_t checksum64_seeded(const void *data, size_t size, uint64_t seed);
struct vstamp_id checksum128(const void *data, size_t size);

#endif

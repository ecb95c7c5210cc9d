/* SPDX-License-Identifier: BSD-2-Clause */
/* The checksums of checksum.h, for processors with AVX2 alone; nobody but checksum.c asks for
 * them. */
#ifndef BASE_CHECKSUM_AVX2_H
#define BASE_CHECKSUM_AVX2_H

#include <stddef.h>
#include <stdint.h>

#include <vstamp/id.h>

uint64_t checksum64_avx2(const void *data, size_t size);
uint64_t checksum64_seeded_avx2(const void *data, size_t size, uint64_t seed);
struct vstamp_id checksum128_avx2(const void *data, size_t size);

#endif

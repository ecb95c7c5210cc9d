/* SPDX-License-Identifier: BSD-2-Clause */
/* Little-endian numbers at fixed places in memory of our own, such as the pages of the state, which
 * must be the same bytes on every machine.  Untrusted bytes go through the cursors of bytes.h. */
#ifndef BASE_ENDIAN_H
#define BASE_ENDIAN_H

#include <stdint.h>

static inline uint32_t load_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t load_u64(const uint8_t *at)
{
    return (uint64_t)load_u32(at) | (uint64_t)load_u32(at + 4) << 32;
}

static inline void store_u32(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
    at[2] = (uint8_t)(v >> 16);
    at[3] = (uint8_t)(v >> 24);
}

static inline void store_u64(uint8_t *at, uint64_t v)
{
    store_u32(at, (uint32_t)v);
    store_u32(at + 4, (uint32_t)(v >> 32));
}

#endif

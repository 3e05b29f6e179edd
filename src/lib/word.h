/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight bytes at once, as a number of either byte order, wherever they lie. Written with shifts, a
 * compiler that vectorises takes them apart again; so the load is a copy, and the order a swap.
 */
#ifndef HD_LIB_WORD_H
#define HD_LIB_WORD_H

#include <stdint.h>
#include <string.h>

static inline uint64_t hd_word_le(const void *bytes)
{
    uint64_t w;

    memcpy(&w, bytes, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

/* Compared as numbers, such words say what their bytes would. */
static inline uint64_t hd_word_be(const void *bytes)
{
    return __builtin_bswap64(hd_word_le(bytes));
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of the fuzzer as a stream of decisions. Behind the end every byte is 0, so that each input
 * has one meaning. Never two draws in one expression: compilers choose their order.
 */
#ifndef HD_TESTS_FUZZ_BYTES_H
#define HD_TESTS_FUZZ_BYTES_H

#include <string.h>

#include "fuzz/fuzz.h"

struct bytes {
    const uint8_t *at, *end;
};

static inline uint8_t byte(struct bytes *b)
{
    return b->at < b->end ? *b->at++ : 0;
}

static inline uint32_t pick(struct bytes *b, uint32_t n)
{
    return byte(b) % n;
}

/* Copies up to n bytes; what is missing is 0. Returns how many there were. */
static inline size_t take(struct bytes *b, void *to, size_t n)
{
    size_t left = (size_t)(b->end - b->at), have = left < n ? left : n;

    memset(to, 0, n);
    if (have > 0)
        memcpy(to, b->at, have);
    b->at += have;
    return have;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random streams: xoshiro256** by Blackman and Vigna, its state filled by splitmix64. Bytes are
 * taken from words in little-endian order by shifts, so that a stream is the same on every machine.
 */
#include "lib/random.h"

#include "lib/base.h"
#include "lib/hash.h"

static uint64_t rotate_left(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

void hd_random_seed(struct hd_random *r, uint64_t seed, uint64_t stream)
{
    /* Both words are mixed apart first: seed 1 stream 2 must not resemble seed 2 stream 1. */
    uint64_t x = hd_mix64(seed + 0x9e3779b97f4a7c15ULL) ^ hd_mix64(~stream);

    for (unsigned i = 0; i < HD_ARRAY_LEN(r->s); i++) {
        x += 0x9e3779b97f4a7c15ULL;
        r->s[i] = hd_mix64(x);
    }
}

uint64_t hd_random_u64(struct hd_random *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t hd_random_below(struct hd_random *r, uint64_t bound)
{
    HD_ASSERT(bound > 0);
    /* The lowest 2^64 mod bound words would be favoured: they are drawn again. */
    uint64_t skip = (0 - bound) % bound;
    uint64_t x;

    do
        x = hd_random_u64(r);
    while (x < skip);
    return x % bound;
}

hd_time hd_random_jitter(struct hd_random *r, hd_time duration_ns)
{
    if (duration_ns <= 0 || duration_ns == HD_NEVER)
        return duration_ns;
    hd_time spread = (hd_time)hd_random_below(r, (uint64_t)duration_ns + 1);
    return hd_time_add(duration_ns - duration_ns / 2, spread);
}

void hd_random_bytes(struct hd_random *r, void *buf, uint32_t len)
{
    uint8_t *out = buf;
    uint64_t word = 0;

    for (uint32_t i = 0; i < len; i++) {
        if (i % 8 == 0)
            word = hd_random_u64(r);
        out[i] = (uint8_t)word;
        word >>= 8;
    }
}

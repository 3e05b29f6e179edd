/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-1 (FIPS 180-4), because KIRA names paths by it, and a keyed table hash of the SipHash family
 * (Aumasson and Bernstein; one round per word, three at the end): who does not know the salt cannot
 * choose identifiers that collide. Words are read by shifts: the same result on every machine.
 */
#include "lib/hash.h"

#include <string.h>

static uint32_t rol32(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static uint64_t rol64(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

void hd_sha1_start(struct hd_sha1 *s)
{
    *s = (struct hd_sha1){.h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}

/* The five words of a block under way. */
struct sha1_words {
    uint32_t a, b, c, d, e;
};

static inline void sha1_step(struct sha1_words *x, uint32_t f, uint32_t constant, uint32_t w)
{
    uint32_t next = rol32(x->a, 5) + f + x->e + constant + w;

    x->e = x->d;
    x->d = x->c;
    x->c = rol32(x->b, 30);
    x->b = x->a;
    x->a = next;
}

/* Twenty rounds of each function and constant (FIPS 180-4, 4.1.1 and 4.2.1). */
static void sha1_rounds(struct sha1_words *x, const uint32_t w[80])
{
    for (unsigned t = 0; t < 20; t++)
        sha1_step(x, x->d ^ (x->b & (x->c ^ x->d)), 0x5a827999u, w[t]);
    for (unsigned t = 20; t < 40; t++)
        sha1_step(x, x->b ^ x->c ^ x->d, 0x6ed9eba1u, w[t]);
    for (unsigned t = 40; t < 60; t++)
        sha1_step(x, (x->b & x->c) | (x->d & (x->b | x->c)), 0x8f1bbcdcu, w[t]);
    for (unsigned t = 60; t < 80; t++)
        sha1_step(x, x->b ^ x->c ^ x->d, 0xca62c1d6u, w[t]);
}

static void sha1_block(struct hd_sha1 *s)
{
    uint32_t w[80];

    for (unsigned t = 0; t < 16; t++) {
        const uint8_t *b = &s->block[4 * t];
        w[t] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
    for (unsigned t = 16; t < 80; t++)
        w[t] = rol32(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    struct sha1_words x = {s->h[0], s->h[1], s->h[2], s->h[3], s->h[4]};
    sha1_rounds(&x, w);
    s->h[0] += x.a;
    s->h[1] += x.b;
    s->h[2] += x.c;
    s->h[3] += x.d;
    s->h[4] += x.e;
}

void hd_sha1_add(struct hd_sha1 *s, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;

    while (len > 0) {
        size_t at = s->len % sizeof s->block;
        size_t n = sizeof s->block - at < len ? sizeof s->block - at : len;
        memcpy(&s->block[at], from, n);
        s->len += n;
        from += n;
        len -= n;
        if (at + n == sizeof s->block)
            sha1_block(s);
    }
}

void hd_sha1_end(struct hd_sha1 *s, uint8_t digest[20])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = s->len * 8;
    uint8_t length[8];

    hd_sha1_add(s, padding, 1 + (119 - s->len % 64) % 64);
    for (unsigned i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    hd_sha1_add(s, length, sizeof length);
    for (unsigned i = 0; i < 20; i++)
        digest[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rol64(v[1], 13) ^ v[0];
    v[3] = rol64(v[3], 16) ^ v[2];
    v[0] = rol64(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rol64(v[1], 17) ^ v[2];
    v[3] = rol64(v[3], 21) ^ v[0];
    v[2] = rol64(v[2], 32);
}

/* Eight bytes as a little-endian word; compilers make one load of it. */
static inline uint64_t whole_word(const uint8_t *b)
{
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
           (uint64_t)b[7] << 56;
}

/* The n < 8 bytes after `at` others; with a word before them they are the upper part of one. */
static inline uint64_t last_word(const uint8_t *b, size_t at, size_t n)
{
    uint64_t w = 0;

    if (n > 0 && at >= 8)
        return whole_word(b + at + n - 8) >> (8 * (8 - n));
    for (size_t i = 0; i < n; i++)
        w |= (uint64_t)b[at + i] << 8 * i;
    return w;
}

static inline void sip_add(uint64_t v[4], uint64_t w)
{
    v[3] ^= w;
    sip_round(v);
    v[0] ^= w;
}

uint64_t hd_hash64(uint64_t salt, const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    uint64_t k0 = salt, k1 = hd_mix64(salt + 0x9e3779b97f4a7c15ULL);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL,
                     k0 ^ 0x6c7967656e657261ULL, k1 ^ 0x7465646279746573ULL};
    size_t at = 0;

    for (; len - at >= 8; at += 8)
        sip_add(v, whole_word(b + at));
    sip_add(v, last_word(b, at, len - at) | (uint64_t)len << 56);
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

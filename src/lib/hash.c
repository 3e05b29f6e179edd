/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-1 (FIPS 180-4), because KIRA names paths by it, and a keyed table hash of the SipHash family
 * (Aumasson and Bernstein; one round per word, three at the end): who does not know the salt cannot
 * choose identifiers that collide. Words are read by shifts: the same result on every machine.
 */
#include "lib/hash.h"

#include <string.h>

#include "lib/word.h"

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

enum sha1_function { CHOOSE, PARITY, MAJORITY };

static inline uint32_t sha1_mix(enum sha1_function f, uint32_t x, uint32_t y, uint32_t z)
{
    if (f == CHOOSE)
        return z ^ (x & (y ^ z));
    if (f == PARITY)
        return x ^ y ^ z;
    return (x & y) | (z & (x | y));
}

/* One round leaves its word in e; the caller turns the names, so that nothing is moved. */
static inline void sha1_round(enum sha1_function f, uint32_t a, uint32_t *b, uint32_t c, uint32_t d,
                              uint32_t *e, uint32_t added)
{
    *e += rol32(a, 5) + sha1_mix(f, *b, c, d) + added;
    *b = rol32(*b, 30);
}

/* Twenty rounds of one function and constant (FIPS 180-4, 4.1.1 and 4.2.1). */
static inline __attribute__((always_inline)) void
sha1_rounds(enum sha1_function f, uint32_t constant, uint32_t x[5], const uint32_t w[20])
{
    uint32_t a = x[0], b = x[1], c = x[2], d = x[3], e = x[4];

    for (unsigned t = 0; t < 20; t += 5) {
        sha1_round(f, a, &b, c, d, &e, constant + w[t]);
        sha1_round(f, e, &a, b, c, &d, constant + w[t + 1]);
        sha1_round(f, d, &e, a, b, &c, constant + w[t + 2]);
        sha1_round(f, c, &d, e, a, &b, constant + w[t + 3]);
        sha1_round(f, b, &c, d, e, &a, constant + w[t + 4]);
    }
    x[0] = a, x[1] = b, x[2] = c, x[3] = d, x[4] = e;
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
    uint32_t x[5];
    memcpy(x, s->h, sizeof x);
    sha1_rounds(CHOOSE, 0x5a827999u, x, w);
    sha1_rounds(PARITY, 0x6ed9eba1u, x, w + 20);
    sha1_rounds(MAJORITY, 0x8f1bbcdcu, x, w + 40);
    sha1_rounds(PARITY, 0xca62c1d6u, x, w + 60);
    for (unsigned i = 0; i < 5; i++)
        s->h[i] += x[i];
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
    uint64_t bits = s->len * 8;
    size_t at = s->len % sizeof s->block;

    s->block[at++] = 0x80;
    if (at > 56) { /* no room for the length behind it */
        memset(&s->block[at], 0, sizeof s->block - at);
        sha1_block(s);
        at = 0;
    }
    memset(&s->block[at], 0, 56 - at);
    for (unsigned i = 0; i < 8; i++)
        s->block[56 + i] = (uint8_t)(bits >> (56 - 8 * i));
    sha1_block(s);
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

/* The n < 8 bytes after `at` others; with a word before them they are the upper part of one. */
static inline uint64_t last_word(const uint8_t *b, size_t at, size_t n)
{
    uint64_t w = 0;

    if (n > 0 && at >= 8)
        return hd_word_le(b + at + n - 8) >> (8 * (8 - n));
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
        sip_add(v, hd_word_le(b + at));
    sip_add(v, last_word(b, at, len - at) | (uint64_t)len << 56);
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

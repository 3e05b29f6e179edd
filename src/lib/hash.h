/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes. SHA-1 is the label hash of KIRA (kira.md 2.3): a name for a path, not a protection. The
 * 64-bit hash is for tables.
 */
#ifndef HD_LIB_HASH_H
#define HD_LIB_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hd_sha1 {
    uint32_t h[5];
    uint64_t len;
    uint8_t block[64];
};

void hd_sha1_start(struct hd_sha1 *s);
void hd_sha1_add(struct hd_sha1 *s, const void *bytes, size_t len);
void hd_sha1_end(struct hd_sha1 *s, uint8_t digest[20]);

/* A good mix of a 64-bit word (splitmix64's finaliser). */
static inline uint64_t hd_mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

/*
 * Hash of two words under a secret, for the keys of large tables: NH of UMAC (Black et al., 1999),
 * whose product of 128 bits is the same for two given pairs with a chance of 2^-64, folded and
 * mixed. A tenth of what hd_hash64 takes.
 */
static inline uint64_t hd_hash_two(uint64_t salt, uint64_t a, uint64_t b)
{
    unsigned __int128 product =
        (unsigned __int128)(a + hd_mix64(salt)) * (b + hd_mix64(salt + 0x9e3779b97f4a7c15ULL));

    return hd_mix64((uint64_t)product ^ (uint64_t)(product >> 64));
}

/* Hash of bytes under a secret (a table's salt). */
uint64_t hd_hash64(uint64_t salt, const void *bytes, size_t len);

#endif

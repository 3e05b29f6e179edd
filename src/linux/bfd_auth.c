/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication of BFD packets (bfd_auth.h). The digest covers the whole packet with the secret,
 * padded by zeros, in the place of the digest: an old construction, weak against who can choose
 * packets, kept for the peers that have nothing better.
 */
#include "linux/bfd_auth.h"

/* The plain functions, which are all that is linked of a large library; RFC 5880 asks for no
 * better. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <string.h>

#include "lib/base.h"

#define PACKET     24
#define AUTH_BIT   0x04
#define SHA1_LEN   20
#define MD5_LEN    16
#define SIMPLE_MAX 16

static uint32_t digest_len(uint8_t type)
{
    switch (type) {
    case HD_AUTH_MD5:
    case HD_AUTH_METICULOUS_MD5:
        return MD5_LEN;
    case HD_AUTH_SHA1:
    case HD_AUTH_METICULOUS_SHA1:
        return SHA1_LEN;
    default:
        return 0;
    }
}

static bool digest(uint8_t type, const uint8_t *bytes, uint32_t len, uint8_t *out)
{
    MD5_CTX md5;
    SHA_CTX sha1;

    if (digest_len(type) == MD5_LEN) {
        return MD5_Init(&md5) == 1 && MD5_Update(&md5, bytes, len) == 1 &&
               MD5_Final(out, &md5) == 1;
    }
    return SHA1_Init(&sha1) == 1 && SHA1_Update(&sha1, bytes, len) == 1 &&
           SHA1_Final(out, &sha1) == 1;
}

static int sign_simple(uint8_t *bytes, const struct hd_auth *a, const void *secret, uint32_t len)
{
    if (len == 0 || len > SIMPLE_MAX) {
        return HD_EINVAL;
    }
    bytes[PACKET] = a->type;
    bytes[PACKET + 1] = (uint8_t)(3 + len);
    bytes[PACKET + 2] = a->key_id;
    memcpy(bytes + PACKET + 3, secret, len);
    bytes[1] |= AUTH_BIT;
    bytes[3] = (uint8_t)(PACKET + 3 + len);
    return bytes[3];
}

int hd_bfd_auth_sign(uint8_t *bytes, const struct hd_auth *a, const void *secret,
                     uint32_t secret_len, uint32_t sequence)
{
    uint32_t dlen = digest_len(a->type);
    uint8_t out[SHA1_LEN];

    if (a->type == HD_AUTH_SIMPLE) {
        return sign_simple(bytes, a, secret, secret_len);
    }
    if (dlen == 0 || secret_len > dlen) {
        return HD_EINVAL;
    }
    uint8_t *s = bytes + PACKET;
    bytes[1] |= AUTH_BIT;
    bytes[3] = (uint8_t)(PACKET + 8 + dlen);
    s[0] = a->type;
    s[1] = (uint8_t)(8 + dlen);
    s[2] = a->key_id;
    s[3] = 0;
    for (unsigned i = 0; i < 4; i++) {
        s[4 + i] = (uint8_t)(sequence >> (24 - 8 * i));
    }
    memset(s + 8, 0, dlen);
    memcpy(s + 8, secret, secret_len);
    if (!digest(a->type, bytes, bytes[3], out)) {
        return HD_EINVAL;
    }
    memcpy(s + 8, out, dlen);
    return bytes[3];
}

static bool equal(const uint8_t *a, const uint8_t *b, uint32_t len)
{
    uint8_t differ = 0;
    for (uint32_t i = 0; i < len; i++) {
        differ |= a[i] ^ b[i];
    }
    return differ == 0;
}

bool hd_bfd_auth_verify(const uint8_t *bytes, uint32_t len, const struct hd_auth *a,
                        const void *secret, uint32_t secret_len)
{
    uint8_t copy[PACKET + HD_BFD_AUTH_BYTES], out[SHA1_LEN];
    uint32_t dlen = digest_len(a->type);

    if (len < PACKET + 3 || bytes[3] > len || bytes[3] > sizeof copy || bytes[PACKET] != a->type) {
        return false;
    }
    if (a->type == HD_AUTH_SIMPLE) {
        return bytes[3] == PACKET + 3 + secret_len && equal(bytes + PACKET + 3, secret, secret_len);
    }
    if (dlen == 0 || secret_len > dlen || bytes[3] != PACKET + 8 + dlen) {
        return false;
    }
    memcpy(copy, bytes, bytes[3]);
    memset(copy + PACKET + 8, 0, dlen);
    memcpy(copy + PACKET + 8, secret, secret_len);
    return digest(a->type, copy, bytes[3], out) && equal(bytes + PACKET + 8, out, dlen);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fabric key, its derived keys, and the ring that authenticates datagrams (keys.h). All
 * cryptography is libsodium's; what is ours is which bytes go in.
 */
#include "linux/keys.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base.h"

/* Sub-keys of the fabric key: number and context of libsodium's key derivation (BLAKE2b). */
enum key_use {
    KEY_USE_LINK = 1,
};
#define KDF_CONTEXT "hdfabric" /* crypto_kdf_CONTEXTBYTES characters */

static const char fingerprint_domain[] = "heddle fabric fingerprint 1";

int hd_keys_init(void)
{
    return sodium_init() < 0 ? HD_ESYS : HD_OK;
}

int hd_key_new(struct hd_key *fabric)
{
    size_t have = 0;
    while (have < HD_KEY_BYTES) {
        ssize_t n = getrandom(fabric->b + have, HD_KEY_BYTES - have, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            hd_key_wipe(fabric);
            return HD_ESYS;
        }
        have += (size_t)n;
    }
    return HD_OK;
}

void hd_key_wipe(struct hd_key *k)
{
    sodium_memzero(k, sizeof *k);
}

bool hd_key_equal(const struct hd_key *a, const struct hd_key *b)
{
    return sodium_memcmp(a->b, b->b, HD_KEY_BYTES) == 0;
}

void hd_key_link(const struct hd_key *fabric, struct hd_key *link)
{
    _Static_assert(HD_KEY_BYTES == crypto_kdf_KEYBYTES, "a fabric key is a master key");
    _Static_assert(sizeof KDF_CONTEXT - 1 == crypto_kdf_CONTEXTBYTES, "context has a fixed size");
    int error =
        crypto_kdf_derive_from_key(link->b, HD_KEY_BYTES, KEY_USE_LINK, KDF_CONTEXT, fabric->b);
    HD_ASSERT(error == 0); /* fails for impossible lengths only */
}

char *hd_key_fingerprint(const struct hd_key *fabric, char *buf)
{
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash(hash, sizeof hash, (const uint8_t *)fingerprint_domain,
                       sizeof fingerprint_domain - 1, fabric->b, HD_KEY_BYTES);
    sodium_bin2hex(buf, HD_FINGERPRINT_TEXT, hash, (HD_FINGERPRINT_TEXT - 1) / 2);
    sodium_memzero(hash, sizeof hash);
    return buf;
}

void hd_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len, uint8_t mac[32])
{
    crypto_auth_hmacsha256_state s;
    crypto_auth_hmacsha256_init(&s, key, key_len);
    crypto_auth_hmacsha256_update(&s, bytes, len);
    crypto_auth_hmacsha256_final(&s, mac);
    sodium_memzero(&s, sizeof s);
}

void hd_keyring_init(struct hd_keyring *r)
{
    memset(r, 0, sizeof *r);
}

void hd_keyring_free(struct hd_keyring *r)
{
    sodium_memzero(r, sizeof *r);
}

static const struct hd_keyring_slot *ring_find(const struct hd_keyring *r, uint32_t handle)
{
    for (uint32_t i = 0; i < r->count; i++) {
        if (r->slot[i].handle == handle) {
            return &r->slot[i];
        }
    }
    return NULL;
}

int hd_keyring_set(struct hd_keyring *r, uint32_t handle, const struct hd_key *k)
{
    if (handle == 0) {
        return HD_EINVAL;
    }
    const struct hd_keyring_slot *known = ring_find(r, handle);
    if (known == NULL && r->count == HD_KEYRING_MAX) {
        return HD_ELIMIT;
    }
    struct hd_keyring_slot *s = &r->slot[known == NULL ? r->count : (uint32_t)(known - r->slot)];
    s->handle = handle;
    crypto_auth_hmacsha256_init(&s->state, k->b, HD_KEY_BYTES);
    if (known == NULL) {
        r->count++;
    }
    return HD_OK;
}

void hd_keyring_del(struct hd_keyring *r, uint32_t handle)
{
    const struct hd_keyring_slot *known = ring_find(r, handle);
    if (known == NULL) {
        return;
    }
    uint32_t at = (uint32_t)(known - r->slot);
    r->count--;
    r->slot[at] = r->slot[r->count];
    sodium_memzero(&r->slot[r->count], sizeof r->slot[0]);
}

static void slot_mac(const struct hd_keyring_slot *s, const uint8_t *bytes, size_t len,
                     uint8_t mac[crypto_auth_hmacsha256_BYTES])
{
    crypto_auth_hmacsha256_state state = s->state;
    crypto_auth_hmacsha256_update(&state, bytes, len);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof state);
}

int hd_keyring_sign(const struct hd_keyring *r, uint32_t handle, uint8_t *bytes, size_t len)
{
    if (len < HD_MAC_BYTES) {
        return HD_EINVAL;
    }
    const struct hd_keyring_slot *s = ring_find(r, handle);
    if (s == NULL) {
        return HD_ENOENT;
    }
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    slot_mac(s, bytes, len - HD_MAC_BYTES, mac);
    memcpy(bytes + len - HD_MAC_BYTES, mac, HD_MAC_BYTES);
    return HD_OK;
}

uint32_t hd_keyring_verify(const struct hd_keyring *r, const uint8_t *bytes, size_t len)
{
    if (len < HD_MAC_BYTES) {
        return 0;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        uint8_t mac[crypto_auth_hmacsha256_BYTES];
        slot_mac(&r->slot[i], bytes, len - HD_MAC_BYTES, mac);
        if (sodium_memcmp(mac, bytes + len - HD_MAC_BYTES, HD_MAC_BYTES) == 0) {
            return r->slot[i].handle;
        }
    }
    return 0;
}

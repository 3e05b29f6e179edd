/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of a closed fabric (design.md section 7, kira.md 5.16 item 2).
 *
 * A fabric has one secret of 32 bytes, made once by `heddle up --new`. It travels between people as
 * a *join token*, text that survives being read over a telephone, and lies on disk as the same
 * text. It signs nothing itself: the key under which neighbours authenticate their datagrams is
 * derived from it, so that further uses (and a change of algorithm) get keys of their own.
 *
 * Cores never see a key. They name one by a handle, and the driver fills in or checks the last 16
 * bytes of a datagram: HMAC-SHA-256 over all bytes before them, truncated.
 *
 * All functions need hd_keys_init() to have succeeded once in the process.
 */
#ifndef HD_LINUX_KEYS_H
#define HD_LINUX_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "lib/error.h"

#define HD_KEY_BYTES        32
#define HD_MAC_BYTES        16  /* of the HMAC that travel */
#define HD_TOKEN_TEXT       72  /* buffer size for a join token: 70 characters and the end */
#define HD_FINGERPRINT_TEXT 9   /* 8 hex digits and the end */
#define HD_KEYS_WHY_SIZE    256 /* size of every `why` buffer */
#define HD_KEYRING_MAX      8   /* a few keys at once, for a change of key without a gap */

struct hd_key {
    uint8_t b[HD_KEY_BYTES];
};

/* Prepares the cryptographic library: 0 or HD_ESYS. May be called again. */
HD_MUST_USE int hd_keys_init(void);

/* A new fabric key from the kernel's random source: 0 or HD_ESYS. */
HD_MUST_USE int hd_key_new(struct hd_key *fabric);
void hd_key_wipe(struct hd_key *k);
/* In constant time. */
bool hd_key_equal(const struct hd_key *a, const struct hd_key *b);

/* The key of the link MAC, derived from the fabric key. */
void hd_key_link(const struct hd_key *fabric, struct hd_key *link);

/*
 * A public name of the fabric for people to compare ("3f09c1aa"): a hash from which the key cannot
 * be found. Writes HD_FINGERPRINT_TEXT bytes and returns buf.
 */
char *hd_key_fingerprint(const struct hd_key *fabric, char *buf);

/* "heddle1-" and seven groups of eight characters; buf holds HD_TOKEN_TEXT bytes; returns buf. */
char *hd_token_format(const struct hd_key *fabric, char *buf);

/*
 * Reads a join token. Upper case, blanks and missing or additional hyphens are forgiven, and so are
 * the letters that are commonly taken for digits (O, I, L). 0, or HD_EMALFORMED and a sentence in
 * `why` that says what was expected; `why` never repeats the token.
 */
HD_MUST_USE int hd_token_parse(const char *text, struct hd_key *fabric, char *why);

/*
 * Writes the key file with mode 0600, whole or not at all. With `replace` false an existing file is
 * left alone: HD_EEXIST. Otherwise 0 or HD_ESYS, and `why` says what failed.
 */
HD_MUST_USE int hd_key_save(const char *path, const struct hd_key *fabric, bool replace, char *why);

/*
 * Reads the key file: 0, HD_ENOENT (no such file), HD_EPERM (others than its owner can read or
 * write it, or it belongs to somebody else), HD_EMALFORMED or HD_ESYS, with a sentence in `why`.
 */
HD_MUST_USE int hd_key_load(const char *path, struct hd_key *fabric, char *why);

/* Full HMAC-SHA-256 under a key of any length (RFC 2104); the ring below uses 32 bytes. */
void hd_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
                    uint8_t mac[32]);

/* --- key ring ------------------------------------------------------------------------------------
 */

/* Keys by handle. Holds prepared hash states, so that a datagram costs only its own bytes. */
struct hd_keyring {
    uint32_t count;
    struct hd_keyring_slot {
        uint32_t handle; /* > 0 */
        crypto_auth_hmacsha256_state state;
    } slot[HD_KEYRING_MAX];
};

void hd_keyring_init(struct hd_keyring *r);
/* Wipes every key. */
void hd_keyring_free(struct hd_keyring *r);

/* Sets the key of a handle (> 0): 0, HD_EINVAL or HD_ELIMIT. */
HD_MUST_USE int hd_keyring_set(struct hd_keyring *r, uint32_t handle, const struct hd_key *k);
void hd_keyring_del(struct hd_keyring *r, uint32_t handle);

/*
 * Fills the last 16 of `len` bytes with the MAC over those before: 0, HD_ENOENT (no such handle) or
 * HD_EINVAL (shorter than a MAC).
 */
HD_MUST_USE int hd_keyring_sign(const struct hd_keyring *r, uint32_t handle, uint8_t *bytes,
                                size_t len);

/* The handle whose MAC the last 16 bytes are, 0 when there is none. Compares in constant time. */
uint32_t hd_keyring_verify(const struct hd_keyring *r, const uint8_t *bytes, size_t len);

#endif

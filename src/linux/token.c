/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Join tokens (keys.h).
 *
 *   heddle1-xxxxxxxx-xxxxxxxx-xxxxxxxx-xxxxxxxx-xxxxxxxx-xxxxxxxx-xxxxxxxx
 *
 * 56 characters of 5 bits are 35 bytes: the key and 3 bytes of checksum. The alphabet leaves out i,
 * l, o and u; the first three are read as the digits they resemble. The checksum is a hash under
 * the version, so that a slip of the pen is found (all but one in 16 million) before somebody
 * wonders why no neighbour answers.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base.h"
#include "linux/keys.h"

#define TOKEN_NAME    "heddle"
#define TOKEN_VERSION '1'
#define CHECK_BYTES   3
#define RAW_BYTES     (HD_KEY_BYTES + CHECK_BYTES)
#define CHARS         (RAW_BYTES * 8 / 5)
#define GROUP         8

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char check_domain[] = "heddle join token 1";

static void token_check(const uint8_t key[HD_KEY_BYTES], uint8_t check[CHECK_BYTES])
{
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash(hash, sizeof hash, (const uint8_t *)check_domain, sizeof check_domain - 1,
                       key, HD_KEY_BYTES);
    memcpy(check, hash, CHECK_BYTES);
    sodium_memzero(hash, sizeof hash);
}

char *hd_token_format(const struct hd_key *fabric, char *buf)
{
    uint8_t raw[RAW_BYTES];
    memcpy(raw, fabric->b, HD_KEY_BYTES);
    token_check(fabric->b, raw + HD_KEY_BYTES);

    char *at = buf;
    memcpy(at, TOKEN_NAME, sizeof TOKEN_NAME - 1);
    at += sizeof TOKEN_NAME - 1;
    *at++ = TOKEN_VERSION;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t next = 0;
    for (unsigned i = 0; i < CHARS; i++) {
        if (i % GROUP == 0) {
            *at++ = '-';
        }
        while (have < 5) {
            bits = bits << 8 | raw[next++];
            have += 8;
        }
        have -= 5;
        *at++ = alphabet[bits >> have & 31];
    }
    *at = 0;
    HD_ASSERT(at - buf < HD_TOKEN_TEXT);
    sodium_memzero(raw, sizeof raw);
    return buf;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_filler(char c)
{
    return c == '-' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Value of a character, -1 when it is none of the alphabet. */
static int char_value(char c)
{
    c = lower(c);
    if (c == 'o') {
        c = '0';
    } else if (c == 'i' || c == 'l') {
        c = '1';
    }
    const char *at = c == 0 ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

static int malformed(char *why, const char *sentence)
{
    snprintf(why, HD_KEYS_WHY_SIZE, "%s", sentence);
    return HD_EMALFORMED;
}

/* Steps over the name and version; NULL when they are not there. */
static const char *skip_name(const char *text, char *why)
{
    static const char name[] = TOKEN_NAME;
    for (size_t i = 0; name[i] != 0; text++) {
        if (is_filler(*text)) {
            continue;
        }
        if (lower(*text) != name[i]) {
            malformed(why, "a join token begins with \"heddle1-\"");
            return NULL;
        }
        i++;
    }
    while (is_filler(*text)) {
        text++;
    }
    if (*text != TOKEN_VERSION) {
        malformed(why,
                  "this program knows join tokens that begin with \"heddle1-\" only; the token "
                  "may come from a newer version");
        return NULL;
    }
    return text + 1;
}

/* Collects the characters into bytes: how many characters there were, or HD_EMALFORMED. */
static int read_chars(const char *text, uint8_t raw[RAW_BYTES], char *why)
{
    uint32_t bits = 0;
    unsigned have = 0, count = 0;
    size_t next = 0;
    for (; *text != 0; text++) {
        if (is_filler(*text)) {
            continue;
        }
        int value = char_value(*text);
        if (value < 0) {
            snprintf(why, HD_KEYS_WHY_SIZE,
                     "character %u after \"heddle1-\" cannot occur in a join token: expected are "
                     "digits and letters other than u",
                     count + 1);
            return HD_EMALFORMED;
        }
        count++;
        bits = bits << 5 | (uint32_t)value;
        have += 5;
        if (have >= 8 && next < RAW_BYTES) {
            have -= 8;
            raw[next++] = (uint8_t)(bits >> have);
        }
        if (count > 4 * CHARS) {
            break; /* long enough to know that it is too long */
        }
    }
    return (int)count;
}

int hd_token_parse(const char *text, struct hd_key *fabric, char *why)
{
    text = skip_name(text, why);
    if (text == NULL) {
        return HD_EMALFORMED;
    }
    uint8_t raw[RAW_BYTES] = {0};
    uint8_t check[CHECK_BYTES];
    int count = read_chars(text, raw, why);
    int error = count < 0 ? count : HD_OK;
    if (error == HD_OK && count != CHARS) {
        snprintf(why, HD_KEYS_WHY_SIZE,
                 "a join token has %d characters after \"heddle1-\", hyphens not counted; this one "
                 "has %s%d",
                 CHARS, count > 4 * CHARS ? "more than " : "",
                 count > 4 * CHARS ? 4 * CHARS : count);
        error = HD_EMALFORMED;
    }
    if (error == HD_OK) {
        token_check(raw, check);
        if (sodium_memcmp(check, raw + HD_KEY_BYTES, CHECK_BYTES) != 0) {
            error =
                malformed(why, "a character of the join token is mistyped: its checksum does not "
                               "fit");
        }
    }
    if (error == HD_OK) {
        memcpy(fabric->b, raw, HD_KEY_BYTES);
    }
    sodium_memzero(raw, sizeof raw);
    return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Fabric keys, join tokens, key files and the ring (linux/keys.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/keys.h"

static struct hd_key pattern_key(void)
{
    struct hd_key k;
    for (unsigned i = 0; i < HD_KEY_BYTES; i++) {
        k.b[i] = (uint8_t)(i * 7 + 1);
    }
    return k;
}

static void test_hmac_rfc4231(void **state)
{
    static const struct {
        const char *key_hex;
        const char *text; /* NULL: the byte `fill`, 50 times */
        uint8_t fill;
        const char *mac; /* a prefix in test case 5, as in the RFC */
    } v[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There", 0,
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", "what do ya want for nothing?", 0,
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, 0xdd,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"0102030405060708090a0b0c0d0e0f10111213141516171819", NULL, 0xcd,
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "Test With Truncation", 0,
         "a3b6167473100ee06e0c796c2955552b"},
    };
    for (size_t i = 0; i < HD_ARRAY_LEN(v); i++) {
        uint8_t key[64], data[50], mac[32];
        char hex[65];
        size_t key_len;
        assert_int_equal(sodium_hex2bin(key, sizeof key, v[i].key_hex, strlen(v[i].key_hex), NULL,
                                        &key_len, NULL),
                         0);
        memset(data, v[i].fill, sizeof data);
        if (v[i].text != NULL) {
            hd_hmac_sha256(key, key_len, v[i].text, strlen(v[i].text), mac);
        } else {
            hd_hmac_sha256(key, key_len, data, sizeof data, mac);
        }
        sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
        assert_memory_equal(hex, v[i].mac, strlen(v[i].mac));
    }
}

/* Test cases 6 and 7: a key longer than a block. */
static void test_hmac_long_key(void **state)
{
    uint8_t key[131], mac[32];
    char hex[65];
    memset(key, 0xaa, sizeof key);
    const char *six = "Test Using Larger Than Block-Size Key - Hash Key First";
    hd_hmac_sha256(key, sizeof key, six, strlen(six), mac);
    assert_string_equal(sodium_bin2hex(hex, sizeof hex, mac, sizeof mac),
                        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    const char *seven = "This is a test using a larger than block-size key and a larger than "
                        "block-size data. The key needs to be hashed before being used by the HMAC "
                        "algorithm.";
    hd_hmac_sha256(key, sizeof key, seven, strlen(seven), mac);
    assert_string_equal(sodium_bin2hex(hex, sizeof hex, mac, sizeof mac),
                        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void test_new_keys_differ(void **state)
{
    struct hd_key a, b, link_a, link_b;
    assert_int_equal(hd_key_new(&a), 0);
    assert_int_equal(hd_key_new(&b), 0);
    assert_false(hd_key_equal(&a, &b));
    hd_key_link(&a, &link_a);
    hd_key_link(&b, &link_b);
    assert_false(hd_key_equal(&a, &link_a));
    assert_false(hd_key_equal(&link_a, &link_b));
    hd_key_link(&a, &link_b);
    assert_true(hd_key_equal(&link_a, &link_b));
    hd_key_wipe(&a);
    assert_true(sodium_is_zero(a.b, sizeof a.b));
}

/*
 * The derivation is part of the wire format: nodes of different versions must agree. libsodium's
 * KDF is BLAKE2b-256 with the sub-key number as salt and the context as personalisation.
 */
static void test_link_key_is_fixed(void **state)
{
    struct hd_key fabric = pattern_key(), link;
    uint8_t salt[16] = {1}, personal[16] = "hdfabric", expected[32];
    assert_int_equal(crypto_generichash_blake2b_salt_personal(expected, 32, NULL, 0, fabric.b, 32,
                                                              salt, personal),
                     0);
    hd_key_link(&fabric, &link);
    assert_memory_equal(link.b, expected, 32);
}

static void test_fingerprint(void **state)
{
    struct hd_key a = pattern_key(), b = pattern_key();
    char one[HD_FINGERPRINT_TEXT], two[HD_FINGERPRINT_TEXT];
    b.b[31] ^= 1;
    assert_int_equal(strlen(hd_key_fingerprint(&a, one)), 8);
    assert_string_not_equal(one, hd_key_fingerprint(&b, two));
}

static void test_token_round_trip(void **state)
{
    for (unsigned i = 0; i < 200; i++) {
        struct hd_key k, back;
        char token[HD_TOKEN_TEXT], why[HD_KEYS_WHY_SIZE];
        assert_int_equal(hd_key_new(&k), 0);
        hd_token_format(&k, token);
        assert_int_equal(strlen(token), 70);
        assert_memory_equal(token, "heddle1-", 8);
        assert_null(strpbrk(token + 8, "ilou"));
        assert_int_equal(hd_token_parse(token, &back, why), 0);
        assert_true(hd_key_equal(&k, &back));
    }
}

/* The text form of one key, so that a change of format cannot pass unseen. */
static void test_token_is_fixed(void **state)
{
    struct hd_key k = pattern_key();
    char token[HD_TOKEN_TEXT];
    hd_token_format(&k, token);
    /* Groups 1 to 6 are plain base 32 of 01 08 0f 16 ...; checked by hand: 00000 00100 00100 00000.
     */
    assert_memory_equal(token, "heddle1-0440y5gx-", 17);
}

static void test_token_tolerance(void **state)
{
    struct hd_key k = pattern_key(), back;
    char token[HD_TOKEN_TEXT], bent[256], why[HD_KEYS_WHY_SIZE];
    hd_token_format(&k, token);

    size_t n = 0; /* upper case, no hyphens, look-alikes, blanks around */
    bent[n++] = ' ';
    for (size_t i = 0; token[i] != 0; i++) {
        char c = (char)toupper((unsigned char)token[i]);
        if (c == '-') {
            continue;
        }
        if (i > 8) {
            c = c == '0' ? 'O' : c == '1' ? 'L' : c;
        }
        bent[n++] = c;
        if (i % 5 == 0) {
            bent[n++] = '-';
        }
    }
    bent[n++] = '\n';
    bent[n] = 0;
    assert_int_equal(hd_token_parse(bent, &back, why), 0);
    assert_true(hd_key_equal(&k, &back));
}

static void test_token_errors(void **state)
{
    struct hd_key k = pattern_key(), back = {0};
    char token[HD_TOKEN_TEXT], bent[HD_TOKEN_TEXT + 8], why[HD_KEYS_WHY_SIZE];
    hd_token_format(&k, token);

    static const char *const not_tokens[] = {"", "h", "heddle", "rabbit1-0440", "heddle2-0440y5gx"};
    for (size_t i = 0; i < HD_ARRAY_LEN(not_tokens); i++) {
        assert_int_equal(hd_token_parse(not_tokens[i], &back, why), HD_EMALFORMED);
        assert_non_null(strstr(why, "heddle1-"));
    }
    for (size_t cut = 8; cut < strlen(token); cut++) {
        if (token[cut] == '-') {
            continue;
        }
        snprintf(bent, sizeof bent, "%.*s", (int)cut, token);
        assert_int_equal(hd_token_parse(bent, &back, why), HD_EMALFORMED);
        assert_non_null(strstr(why, "56 characters"));
    }
    snprintf(bent, sizeof bent, "%s7", token);
    assert_int_equal(hd_token_parse(bent, &back, why), HD_EMALFORMED);
    assert_non_null(strstr(why, "has 57"));
    snprintf(bent, sizeof bent, "%s", token);
    bent[9] = 'u';
    assert_int_equal(hd_token_parse(bent, &back, why), HD_EMALFORMED);
    assert_non_null(strstr(why, "character 2 "));
    for (size_t i = 8; token[i] != 0; i++) {
        if (token[i] == '-') {
            continue;
        }
        snprintf(bent, sizeof bent, "%s", token);
        bent[i] = token[i] == 'x' ? 'y' : 'x';
        assert_int_equal(hd_token_parse(bent, &back, why), HD_EMALFORMED);
        assert_non_null(strstr(why, "checksum"));
    }
    assert_true(sodium_is_zero(back.b, sizeof back.b)); /* a refused token leaves nothing behind */
}

static void test_key_file(void **state)
{
    char dir[] = "/tmp/hd-keys-XXXXXX", path[64], why[HD_KEYS_WHY_SIZE];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/fabric.key", dir);
    struct hd_key k = pattern_key(), other, back;
    assert_int_equal(hd_key_new(&other), 0);

    assert_int_equal(hd_key_load(path, &back, why), HD_ENOENT);
    mode_t mask = umask(0);
    assert_int_equal(hd_key_save(path, &k, false, why), 0);
    umask(mask);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(hd_key_load(path, &back, why), 0);
    assert_true(hd_key_equal(&k, &back));

    assert_int_equal(hd_key_save(path, &other, false, why), HD_EEXIST);
    assert_int_equal(hd_key_load(path, &back, why), 0);
    assert_true(hd_key_equal(&k, &back));
    assert_int_equal(hd_key_save(path, &other, true, why), 0);
    assert_int_equal(hd_key_load(path, &back, why), 0);
    assert_true(hd_key_equal(&other, &back));

    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(hd_key_load(path, &back, why), HD_EPERM);
    assert_non_null(strstr(why, "0640"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(hd_key_load(path, &back, why), HD_EMALFORMED);
    assert_int_equal(truncate(path, 4000), 0);
    assert_int_equal(hd_key_load(path, &back, why), HD_EMALFORMED);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_int_equal(hd_key_load(path, &back, why), HD_ESYS);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* and no temporary file is left */
    assert_int_equal(hd_key_save(path, &k, false, why), HD_ESYS);
}

static void test_ring(void **state)
{
    struct hd_keyring ring;
    struct hd_key a = pattern_key(), b = pattern_key();
    uint8_t message[80], copy[80], full[32];
    b.b[0] ^= 0x80;
    hd_keyring_init(&ring);
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)i;
    }
    assert_int_equal(hd_keyring_sign(&ring, 1, message, sizeof message), HD_ENOENT);
    assert_int_equal(hd_keyring_verify(&ring, message, sizeof message), 0);
    assert_int_equal(hd_keyring_set(&ring, 0, &a), HD_EINVAL);
    assert_int_equal(hd_keyring_set(&ring, 1, &a), 0);
    assert_int_equal(hd_keyring_set(&ring, 7, &b), 0);

    assert_int_equal(hd_keyring_sign(&ring, 7, message, sizeof message), 0);
    hd_hmac_sha256(b.b, HD_KEY_BYTES, message, sizeof message - 16, full);
    assert_memory_equal(message + sizeof message - 16, full, 16);
    assert_int_equal(hd_keyring_verify(&ring, message, sizeof message), 7);
    for (size_t bit = 0; bit < sizeof message * 8; bit++) {
        memcpy(copy, message, sizeof copy);
        copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(hd_keyring_verify(&ring, copy, sizeof copy), 0);
    }
    assert_int_equal(hd_keyring_verify(&ring, message, sizeof message - 1), 0);
    assert_int_equal(hd_keyring_verify(&ring, message, 15), 0);
    assert_int_equal(hd_keyring_sign(&ring, 7, message, 15), HD_EINVAL);

    uint8_t bare[16]; /* a datagram that is nothing but a MAC */
    assert_int_equal(hd_keyring_sign(&ring, 1, bare, sizeof bare), 0);
    assert_int_equal(hd_keyring_verify(&ring, bare, sizeof bare), 1);

    hd_keyring_del(&ring, 1);
    assert_int_equal(hd_keyring_verify(&ring, bare, sizeof bare), 0);
    assert_int_equal(hd_keyring_verify(&ring, message, sizeof message), 7);
    assert_int_equal(hd_keyring_set(&ring, 7, &a), 0); /* replaced in place */
    assert_int_equal(ring.count, 1);
    assert_int_equal(hd_keyring_verify(&ring, message, sizeof message), 0);
    for (uint32_t h = 10; h < 10 + HD_KEYRING_MAX - 1; h++) {
        assert_int_equal(hd_keyring_set(&ring, h, &a), 0);
    }
    assert_int_equal(hd_keyring_set(&ring, 99, &a), HD_ELIMIT);
    hd_keyring_free(&ring);
    assert_true(sodium_is_zero((const uint8_t *)&ring, sizeof ring));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hmac_rfc4231),
        cmocka_unit_test(test_hmac_long_key),
        cmocka_unit_test(test_new_keys_differ),
        cmocka_unit_test(test_link_key_is_fixed),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_token_round_trip),
        cmocka_unit_test(test_token_is_fixed),
        cmocka_unit_test(test_token_tolerance),
        cmocka_unit_test(test_token_errors),
        cmocka_unit_test(test_key_file),
        cmocka_unit_test(test_ring),
    };
    return hd_keys_init() == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-1 beside OpenSSL's, and the table hash: dependence on every input, spread, keys. */
#include "support/test.h"

#include <openssl/evp.h>

#include "lib/hash.h"

static void sha1_known(void **state)
{
    /* FIPS 180 example "abc" */
    static const uint8_t want[20] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
                                     0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    struct hd_sha1 s;
    uint8_t digest[20];

    hd_sha1_start(&s);
    hd_sha1_add(&s, "abc", 3);
    hd_sha1_end(&s, digest);
    assert_memory_equal(digest, want, 20);
}

/* All lengths around the block borders, fed in random pieces. */
static void sha1_against_openssl(void **state)
{
    struct hd_random r;
    uint8_t text[400], ours[20], theirs[20];

    hd_random_seed(&r, test_seed(__func__), 0);
    for (size_t len = 0; len <= sizeof text; len++) {
        hd_random_bytes(&r, text, sizeof text);
        struct hd_sha1 s;
        hd_sha1_start(&s);
        for (size_t at = 0; at < len;) {
            size_t n = 1 + hd_random_below(&r, len - at);
            hd_sha1_add(&s, text + at, n);
            at += n;
        }
        hd_sha1_end(&s, ours);
        assert_int_equal(EVP_Digest(text, len, theirs, NULL, EVP_sha1(), NULL), 1);
        assert_memory_equal(ours, theirs, 20);
    }
}

static void sha1_million(void **state)
{
    static uint8_t text[1000000];
    struct hd_sha1 s;
    uint8_t ours[20], theirs[20];

    memset(text, 'a', sizeof text);
    hd_sha1_start(&s);
    hd_sha1_add(&s, text, sizeof text);
    hd_sha1_end(&s, ours);
    assert_int_equal(EVP_Digest(text, sizeof text, theirs, NULL, EVP_sha1(), NULL), 1);
    assert_memory_equal(ours, theirs, 20);
}

/* Each bit of the input and of the salt, and the length, changes about half of the hash. */
static void hash_depends_on_everything(void **state)
{
    uint8_t text[24] = {0};
    uint64_t base = hd_hash64(5, text, 14);
    unsigned changed = 0;

    for (unsigned bit = 0; bit < 14 * 8; bit++) {
        text[bit / 8] ^= (uint8_t)(1 << bit % 8);
        unsigned n = (unsigned)__builtin_popcountll(base ^ hd_hash64(5, text, 14));
        assert_in_range(n, 10, 54);
        changed += n;
        text[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_in_range(changed / (14 * 8), 29, 35);
    for (unsigned bit = 0; bit < 64; bit++)
        assert_true(hd_hash64(5 ^ (uint64_t)1 << bit, text, 14) != base);
    for (size_t len = 0; len <= sizeof text; len++)
        if (len != 14)
            assert_true(hd_hash64(5, text, len) != base);
}

static void hash_spreads(void **state)
{
    unsigned buckets[256] = {0};

    for (uint32_t i = 0; i < 25600; i++) {
        uint8_t id[14] = {0};
        memcpy(id + 10, &i, 4);
        buckets[hd_hash64(1, id, sizeof id) & 255]++;
    }
    for (unsigned i = 0; i < 256; i++)
        assert_in_range(buckets[i], 40, 160); /* six sigma */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha1_known),   cmocka_unit_test(sha1_against_openssl),
        cmocka_unit_test(sha1_million), cmocka_unit_test(hash_depends_on_everything),
        cmocka_unit_test(hash_spreads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

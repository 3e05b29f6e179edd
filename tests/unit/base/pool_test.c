/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: classes, reuse, zeroing, exhaustion, cutting, failure injection, packed pools. */
#include "support/test.h"

static void rounds_to_classes(void **state)
{
    static const struct {
        size_t asked, got;
    } rows[] = {
        {0, 16},      {1, 16},      {16, 16},     {17, 32},       {511, 512},     {512, 512},
        {513, 640},   {640, 640},   {641, 768},   {896, 896},     {897, 1024},    {1024, 1024},
        {1025, 1280}, {2048, 2048}, {2049, 2560}, {65536, 65536}, {65537, 81920},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(rows); i++)
        assert_int_equal(hd_pool_rounded(rows[i].asked), rows[i].got);
    /* no class loses more than a fifth, none is too small, and they grow */
    size_t before = 0;
    for (size_t n = 513; n < 300000; n += 7) {
        size_t got = hd_pool_rounded(n);
        assert_true(got >= n && got >= before && (got - n) * 5 <= got);
        before = got;
    }
}

static void reuses_and_zeroes(void **state)
{
    struct hd_pool *p = test_pool(65536);
    char zero[100] = {0};
    char *a = hd_pool_alloc(p, 100);

    assert_non_null(a);
    assert_int_equal((uintptr_t)a % 16, 0);
    memset(a, 0xee, 100);
    size_t used = p->used, live = p->live;
    hd_pool_free(p, a, 100);
    assert_true(p->live < live);
    char *b = hd_pool_alloc(p, 97); /* the same class */
    assert_ptr_equal(a, b);
    assert_memory_equal(b, zero, 97);
    assert_int_equal(p->used, used);
    hd_pool_free(p, NULL, 5);
    free(p);
}

static void resizes(void **state)
{
    struct hd_pool *p = test_pool(65536);
    unsigned char *a = hd_pool_alloc(p, 20);

    memset(a, 1, 20);
    unsigned char *b = hd_pool_resize(p, a, 20, 2000); /* the last block: grows where it is */
    assert_ptr_equal(a, b);
    assert_true(b[19] == 1 && b[20] == 0 && b[1999] == 0);
    memset(b, 2, 2000);
    void *barrier = hd_pool_alloc(p, 16);
    unsigned char *c = hd_pool_resize(p, b, 2000, 5000); /* has to move */
    assert_true(c != b && c[1999] == 2 && c[2000] == 0 && c[4999] == 0);
    c = hd_pool_resize(p, c, 5000, 10); /* shrinks */
    assert_true(c[9] == 2);
    c = hd_pool_resize(p, c, 10, 16); /* in its class: the new part is zero all the same */
    assert_true(c[9] == 2 && c[10] == 0 && c[15] == 0);
    hd_pool_free(p, c, 16);
    hd_pool_free(p, barrier, 16);
    assert_int_equal(p->live, 0);
    free(p);
}

static void exhausts_and_cuts(void **state)
{
    struct hd_pool *p = test_pool(16384);
    void *blocks[1024];
    unsigned n = 0;

    void *big = hd_pool_alloc(p, 8192);
    assert_non_null(big);
    while ((blocks[n] = hd_pool_alloc(p, 64)) != NULL)
        n++;
    assert_int_equal(p->failures, 1);
    hd_pool_free(p, big, 8192);
    unsigned before = n;
    while ((blocks[n] = hd_pool_alloc(p, 64)) != NULL) /* now out of the large block */
        n++;
    assert_int_equal(n - before, 8192 / 64);
    assert_null(hd_pool_alloc(p, SIZE_MAX));
    assert_null(hd_pool_alloc(p, (size_t)1 << 40));
    while (n > 0)
        hd_pool_free(p, blocks[--n], 64);
    assert_int_equal(p->live, 0);
    free(p);
}

static void injects_failures(void **state)
{
    struct hd_pool *p = test_pool(65536);

    p->fail_after = 2;
    void *a = hd_pool_alloc(p, 16);
    void *b = hd_pool_alloc(p, 16);
    assert_true(a != NULL && b != NULL);
    assert_null(hd_pool_alloc(p, 16));
    assert_null(hd_pool_resize(p, b, 16, 512)); /* although it could grow in place */
    assert_int_equal(p->failures, 2);
    p->fail_after = UINT64_MAX;
    assert_non_null(hd_pool_alloc(p, 16));
    free(p);
}

static void too_small(void **state)
{
    void *region = test_region(64);

    assert_null(hd_pool_create(region, 64));
    free(region);
}

/* --- packed --------------------------------------------------------------------------------------
 */

#define BLOCKS 200

struct block {
    unsigned char *at;
    size_t size;
    unsigned char fill;
};

static void check_block(const struct block *b)
{
    for (size_t i = 0; i < b->size; i++)
        assert_int_equal(b->at[i], b->fill);
}

static void change_block(struct hd_pool *p, struct block *b, struct hd_random *r)
{
    size_t size = 1 + hd_random_below(r, hd_random_below(r, 4) == 0 ? 5000 : 200);
    unsigned char *at;

    if (b->at != NULL && hd_random_below(r, 3) == 0) {
        hd_pool_free(p, b->at, b->size);
        *b = (struct block){0};
        return;
    }
    size_t kept = HD_MIN(b->size, size);
    at = hd_pool_resize(p, b->at, b->size, size);
    assert_non_null(at);
    for (size_t i = 0; i < kept; i++)
        assert_int_equal(at[i], b->fill);
    for (size_t i = kept; i < size; i++)
        assert_int_equal(at[i], 0);
    *b = (struct block){at, size, (unsigned char)(1 + hd_random_below(r, 255))};
    memset(b->at, b->fill, size);
}

/* Three pools in one region never touch each other's blocks, and give back all that they took. */
static void packed_pools_share_a_region(void **state)
{
    struct hd_pool *parent = test_pool(8 << 20), *p[3];
    static struct block blocks[3][BLOCKS];
    struct hd_random r;

    hd_random_seed(&r, test_seed(__func__), 0);
    void *keep = hd_pool_alloc(parent, 100);
    size_t before = parent->live, most[3];
    for (unsigned round = 0; round < 3; round++) {
        memset(blocks, 0, sizeof blocks);
        memset(most, 0, sizeof most);
        for (unsigned i = 0; i < 3; i++)
            assert_non_null(p[i] = hd_pool_create_packed(parent, 4 << 20));
        for (unsigned i = 0; i < 20000; i++) {
            unsigned which = (unsigned)hd_random_below(&r, 3);
            change_block(p[which], &blocks[which][hd_random_below(&r, BLOCKS)], &r);
            most[which] = HD_MAX(most[which], p[which]->live);
        }
        for (unsigned i = 0; i < 3; i++) {
            for (unsigned j = 0; j < BLOCKS; j++)
                check_block(&blocks[i][j]);
            /* What was taken stays taken: it is held against the most that ever lived. */
            assert_true(p[i]->live <= p[i]->used && p[i]->used < most[i] * 3 / 2);
            hd_pool_release(p[i]);
        }
        assert_int_equal(parent->live, before);
    }
    hd_pool_free(parent, keep, 100);
    free(parent);
}

static void packed_pools_are_bounded(void **state)
{
    struct hd_pool *parent = test_pool(1 << 20);
    struct hd_pool *p = hd_pool_create_packed(parent, 16384);
    unsigned n = 0;

    assert_null(hd_pool_create_packed(parent, 1024));
    assert_null(hd_pool_alloc(p, 20000)); /* the parent would have room */
    void *big = hd_pool_alloc(p, 8192);
    assert_non_null(big);
    while (hd_pool_alloc(p, 48) != NULL)
        n++;
    assert_in_range(n, 60, 140);
    hd_pool_free(p, big, 8192);
    assert_non_null(hd_pool_alloc(p, 4096));
    assert_true(p->used <= 16384 + 256);
    hd_pool_release(p);
    unsigned char *carved = hd_pool_carve(parent, 100001);
    assert_non_null(carved);
    assert_int_equal((uintptr_t)carved % 64, 0);
    assert_int_equal(carved[100000], 0);
    assert_null(hd_pool_carve(parent, 1 << 20));
    free(parent);
}

struct idle {
    unsigned char *low, *high; /* of the block that is used */
    size_t bytes;
};

static void wipe(void *arg, void *at, size_t len)
{
    struct idle *i = arg;
    unsigned char *v = at;

    assert_true((uintptr_t)v % 4096 == 0 && len % 4096 == 0);
    assert_true(v + len <= i->low || v >= i->high);
    memset(v, 0xa5, len); /* worse than what a system makes of it */
    i->bytes += len;
}

/* What is inside of free blocks is nobody's: they are used again as ever. */
static void idle_pages_may_be_given_back(void **state)
{
    struct hd_pool *p = test_pool(8 << 20);
    size_t size = 300000;
    unsigned char *a = hd_pool_alloc(p, size), *b = hd_pool_alloc(p, size);
    unsigned char *c = hd_pool_alloc(p, size);
    struct idle i = {.low = b, .high = b + size};

    memset(b, 1, size);
    hd_pool_idle_pages(p, 4096, wipe, &i);
    assert_int_equal(i.bytes, 0);
    hd_pool_free(p, a, size);
    hd_pool_free(p, c, size);
    hd_pool_idle_pages(p, 4096, wipe, &i);
    assert_in_range(i.bytes, 2 * (size - 2 * 4096), 2 * hd_pool_rounded(size));
    size_t used = p->used;
    for (unsigned k = 0; k < 2; k++) {
        unsigned char *again = hd_pool_alloc(p, size);
        assert_true(again == a || again == c);
        for (size_t n = 0; n < size; n++)
            assert_int_equal(again[n], 0);
    }
    assert_int_equal(p->used, used);
    for (size_t n = 0; n < size; n++)
        assert_int_equal(b[n], 1);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_pages_may_be_given_back),
        cmocka_unit_test(rounds_to_classes),
        cmocka_unit_test(reuses_and_zeroes),
        cmocka_unit_test(resizes),
        cmocka_unit_test(exhausts_and_cuts),
        cmocka_unit_test(injects_failures),
        cmocka_unit_test(too_small),
        cmocka_unit_test(packed_pools_share_a_region),
        cmocka_unit_test(packed_pools_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

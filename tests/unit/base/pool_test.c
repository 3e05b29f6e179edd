/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: classes, reuse, zeroing, exhaustion, cutting, and failure injection. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_to_classes), cmocka_unit_test(reuses_and_zeroes),
        cmocka_unit_test(resizes),           cmocka_unit_test(exhausts_and_cuts),
        cmocka_unit_test(injects_failures),  cmocka_unit_test(too_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool beside a list of blocks: random allocations, resizes and frees; each block is filled
 * with its own byte, so that an overlap shows, and must come zeroed and lie inside the region.
 */
#include "support/test.h"

#define BLOCKS 400
#define STEPS  200000

struct block {
    unsigned char *at;
    size_t size;
    unsigned char fill;
};

static void check_bytes(const unsigned char *at, size_t from, size_t to, unsigned char want)
{
    for (size_t i = from; i < to; i++)
        if (at[i] != want)
            fail_msg("byte %zu is %u, not %u", i, at[i], want);
}

static size_t random_size(struct hd_random *r)
{
    return (size_t)hd_random_below(r, (uint64_t)1 << hd_random_below(r, 13));
}

static void fill(struct block *b, struct hd_random *r)
{
    b->fill = (unsigned char)(1 + hd_random_below(r, 255));
    memset(b->at, b->fill, b->size);
}

static void step(struct hd_pool *p, struct block *b, struct hd_random *r)
{
    size_t size = random_size(r);

    if (b->at == NULL) {
        b->at = hd_pool_alloc(p, size);
        if (b->at == NULL)
            return;
        assert_true((uintptr_t)b->at % 16 == 0 && b->at > (unsigned char *)p &&
                    b->at + size <= p->end);
        b->size = size;
        check_bytes(b->at, 0, size, 0);
        fill(b, r);
        return;
    }
    check_bytes(b->at, 0, b->size, b->fill);
    if (hd_random_below(r, 2) == 0) {
        hd_pool_free(p, b->at, b->size);
        b->at = NULL;
        return;
    }
    unsigned char *moved = hd_pool_resize(p, b->at, b->size, size);
    if (moved == NULL) {
        check_bytes(b->at, 0, b->size, b->fill);
        return;
    }
    b->at = moved;
    check_bytes(moved, 0, HD_MIN(size, b->size), b->fill);
    check_bytes(moved, HD_MIN(size, b->size), size, 0);
    b->size = size;
    fill(b, r);
}

static void against_a_list(size_t region, uint64_t seed, bool inject, bool wants_failures)
{
    struct hd_pool *p = test_pool(region);
    struct block blocks[BLOCKS] = {0};
    struct hd_random r;

    hd_random_seed(&r, seed, region);
    for (unsigned i = 0; i < STEPS; i++) {
        if (inject)
            p->fail_after = hd_random_below(&r, 4) == 0 ? 0 : UINT64_MAX;
        step(p, &blocks[hd_random_below(&r, BLOCKS)], &r);
        size_t live = 0;
        for (unsigned k = 0; i % 1000 == 0 && k < BLOCKS; k++)
            live += blocks[k].at != NULL ? hd_pool_rounded(blocks[k].size) : 0;
        assert_true(i % 1000 != 0 || live == p->live);
    }
    for (unsigned k = 0; k < BLOCKS; k++) {
        if (blocks[k].at != NULL)
            check_bytes(blocks[k].at, 0, blocks[k].size, blocks[k].fill);
        hd_pool_free(p, blocks[k].at, blocks[k].size);
    }
    assert_int_equal(p->live, 0);
    assert_int_equal(p->failures > 0, wants_failures);
    free(p);
}

static void roomy(void **state)
{
    against_a_list(16 << 20, test_seed(__func__), false, false);
}

static void tight(void **state)
{
    against_a_list(60000, test_seed(__func__), false, true);
}

static void failing(void **state)
{
    against_a_list(16 << 20, test_seed(__func__), true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roomy),
        cmocka_unit_test(tight),
        cmocka_unit_test(failing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of a table beside a search through the table, under random additions, removals and
 * moves, with keys that share hashes and a pool that fails now and then.
 */
#include "lib/index.h"

#include <stdlib.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "lib/random.h"
#include "support/test.h"

#define ENTRIES 300
#define STEPS   200000
#define REGION  (64 << 10)

struct table {
    uint32_t key[ENTRIES]; /* 0: no entry */
    uint32_t hashes;       /* how many different ones there are */
    uint32_t stride;       /* of the entries' numbers */
};

static uint32_t hash_of(const struct table *t, uint32_t key)
{
    return (uint32_t)hd_mix64(key % t->hashes);
}

static uint32_t hash_at(const void *table, uint32_t entry)
{
    const struct table *t = table;
    return hash_of(t, t->key[entry / t->stride]);
}

static uint32_t find(const struct hd_index *x, const struct table *t, uint32_t key)
{
    uint32_t hash = hash_of(t, key);
    uint32_t at, i = hd_index_first(x, hash, &at);

    while (i != HD_INDEX_END && t->key[i / t->stride] != key)
        i = hd_index_next(x, hash, &at);
    return i;
}

static void check(const struct hd_index *x, const struct table *t)
{
    uint32_t len = 0;

    for (uint32_t i = 0; i < ENTRIES; i++)
        if (t->key[i] != 0) {
            assert_int_equal(find(x, t, t->key[i]), i * t->stride);
            len++;
        }
    assert_int_equal(x->len, len);
    assert_int_equal(find(x, t, 0x7fffffff), HD_INDEX_END);
    assert_true(x->cap <= 8 || (uint64_t)x->len * 16 >= x->cap); /* it shrinks */
}

static void run(struct hd_random *random, uint32_t hashes, uint32_t stride, uint32_t fail_every)
{
    void *region = aligned_alloc(64, REGION);
    struct table t = {.hashes = hashes, .stride = stride};
    struct hd_index x = {0};
    struct hd_pool pool;
    uint32_t next = 1, fill = ENTRIES / 2;

    memset(region, 0, REGION);
    hd_pool_init(&pool, region, REGION);
    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)hd_random_below(random, ENTRIES);
        uint32_t j = (uint32_t)hd_random_below(random, ENTRIES);
        bool fails = fail_every > 0 && hd_random_below(random, fail_every) == 0;
        if (step % 5000 == 0)
            fill = (uint32_t)hd_random_below(random, ENTRIES);
        pool.fail_after = fails ? 0 : UINT64_MAX;
        if (t.key[i] == 0 && x.len < fill) {
            t.key[i] = next++;
            if (hd_index_add(&x, &pool, i * stride, hash_at, &t) != 0) {
                assert_true(fails);
                t.key[i] = 0;
            }
        } else if (t.key[i] != 0 && t.key[j] == 0 && step % 3 == 0) {
            t.key[j] = t.key[i];
            hd_index_move(&x, hash_of(&t, t.key[i]), i * stride, j * stride);
            t.key[i] = 0;
        } else if (t.key[i] != 0 && (x.len > fill || step % 3 == 1)) {
            hd_index_del(&x, &pool, i * stride, hash_at, &t);
            t.key[i] = 0;
        }
        if (step % 64 == 0 && fail_every == 0)
            check(&x, &t);
    }
    pool.fail_after = UINT64_MAX;
    for (uint32_t i = 0; i < ENTRIES; i++)
        if (t.key[i] != 0)
            assert_int_equal(find(&x, &t, t.key[i]), i * stride);
    hd_index_free(&x, &pool);
    assert_int_equal(pool.live, 0);
    free(region);
}

static void test_beside_a_search(void **unused)
{
    struct hd_random random;

    hd_random_seed(&random, test_seed(__func__), 0);
    run(&random, 1 << 20, 1, 0);
    run(&random, 1 << 20, 1, 3);
    run(&random, 1 << 20, 1000, 3);     /* numbers of more than 12 and 16 bits */
    run(&random, 1 << 20, 14000000, 0); /* and of all 32 */
    run(&random, 7, 1, 0);              /* long walks */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_beside_a_search)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map beside an array indexed by key, under random sets, deletions, clears and failing
 * allocations. Keys are few, so that hits, misses and marks of removed slots are all common.
 */
#include "support/test.h"

#include "lib/map.h"

#define STEPS 300000

struct reference {
    bool there[2048];
    uint32_t value[2048];
    uint32_t len;
};

/* Spread over 64 bits, but known: key number k. */
static uint64_t key_of(uint64_t k)
{
    return k * 0x0100000001000001ULL;
}

static void check_all(const struct hd_map *m, const struct reference *ref, uint64_t keys)
{
    uint32_t at = 0, value, seen = 0;
    uint64_t key;

    assert_int_equal(m->len, ref->len);
    for (uint64_t k = 0; k < keys; k++) {
        assert_int_equal(hd_map_get(m, key_of(k), &value), ref->there[k]);
        if (ref->there[k])
            assert_int_equal(value, ref->value[k]);
    }
    for (; hd_map_next(m, &at, &key, &value); seen++) {
        uint64_t k = key & 0xffffff;
        assert_true(k < keys && key == key_of(k) && ref->there[k] && ref->value[k] == value);
    }
    assert_int_equal(seen, ref->len);
    uint32_t marks = 0;
    for (uint32_t i = 0; i < m->cap; i++)
        marks += m->slots[i].state == 2;
    assert_int_equal(marks, m->removed);
    assert_true(m->cap == 0 || m->len + m->removed < m->cap); /* probes end */
}

/* greedy: far more sets than deletions, and no memory, so that the map is as full as it can be. */
static void step(struct hd_map *m, struct hd_pool *p, struct reference *ref, uint64_t keys,
                 bool greedy, struct hd_random *r)
{
    uint64_t k = hd_random_below(r, keys), op = hd_random_below(r, 10000);

    p->fail_after = greedy || hd_random_below(r, 3) == 0 ? 0 : UINT64_MAX;
    if (op == 0) {
        hd_map_clear(m);
        memset(ref, 0, sizeof *ref);
    } else if (op < (greedy ? 2000 : 5000)) {
        assert_int_equal(hd_map_del(m, key_of(k)), ref->there[k]);
        ref->len -= ref->there[k];
        ref->there[k] = false;
    } else {
        uint32_t value = (uint32_t)hd_random_u64(r);
        uint32_t cap = m->cap;
        int error = hd_map_set(m, p, key_of(k), value);
        if (error != 0) {
            assert_int_equal(error, HD_ENOMEM);
            assert_true(!ref->there[k] && p->fail_after == 0 && m->cap == cap);
            return;
        }
        ref->len += !ref->there[k];
        ref->there[k] = true;
        ref->value[k] = value;
    }
}

static void against_an_array(void **state)
{
    static const uint64_t key_counts[] = {3, 40, 2048};
    struct hd_random r;

    hd_random_seed(&r, test_seed(__func__), 0);
    for (size_t n = 0; n < HD_ARRAY_LEN(key_counts); n++) {
        struct hd_pool *p = test_pool(1 << 22);
        struct reference *ref = calloc(1, sizeof *ref);
        struct hd_map m;
        hd_map_init(&m, hd_random_u64(&r));
        for (unsigned i = 0; i < STEPS; i++) {
            step(&m, p, ref, key_counts[n], i / 20000 % 2 == 1, &r);
            if (i % (key_counts[n] * 4) == 0)
                check_all(&m, ref, key_counts[n]);
        }
        assert_true(m.cap <= 8 * key_counts[n]); /* deletions do not make it grow */
        hd_map_free(&m, p);
        assert_int_equal(p->live, 0);
        free(ref);
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_an_array)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differences between configurations: random edits of a sorted array, written, read and carried out
 * again, beside a plain merge; and bytes that are no delta.
 */
#include "support/test.h"

#include "model/config_delta.h"

#define ROWS_MAX  64
#define BYTES_MAX 8192

struct row {
    uint32_t key, value;
};

struct array {
    struct row v[2 * ROWS_MAX];
    uint32_t count;
};

static _Alignas(8) uint8_t bytes[BYTES_MAX];

/* A random array with the keys of `of` among its own. */
static void random_array(struct hd_random *rnd, struct array *a)
{
    a->count = 0;
    for (uint32_t key = 1; key <= ROWS_MAX; key++) {
        if (hd_random_below(rnd, 3) > 0)
            a->v[a->count++] = (struct row){key, (uint32_t)hd_random_below(rnd, 2)};
    }
}

static size_t write_edit(size_t at, uint32_t list, uint32_t place, const struct row *was,
                         const struct row *is)
{
    struct hd_config_edit e = {
        .list = list, .at = place, .size = sizeof(struct row), .was = was, .is = is};

    assert_true(at + hd_config_delta_edit_bytes(&e) <= BYTES_MAX);
    hd_config_delta_put_edit(bytes + at, &e);
    return at + hd_config_delta_edit_bytes(&e);
}

/* The edits of one list behind what is there; returns where they end. */
static size_t write_list(size_t at, uint32_t list, const struct array *a, const struct array *b,
                         uint32_t *count)
{
    uint32_t i = 0, k = 0;

    while (i < a->count || k < b->count) {
        const struct row *x = i < a->count ? &a->v[i] : NULL, *y = k < b->count ? &b->v[k] : NULL;
        bool was = x && (!y || x->key <= y->key), is = y && (!x || y->key <= x->key);
        if (!(was && is && x->value == y->value)) {
            at = write_edit(at, list, i, was ? x : NULL, is ? y : NULL);
            ++*count;
        }
        i += was;
        k += is;
    }
    return at;
}

static const char head[] = "a head of some length";

static size_t write_delta(const struct array *a, const struct array *b)
{
    size_t begin = hd_config_delta_head_bytes(sizeof head);
    uint32_t count = 0;
    size_t len = write_list(begin, 0, &a[0], &b[0], &count);

    len = write_list(len, 3, &a[1], &b[1], &count);
    hd_config_delta_put_head(bytes, head, sizeof head, count);
    return len;
}

static void check_list(const struct hd_config_delta *d, uint32_t list, const struct array *a,
                       const struct array *b)
{
    struct array in = *a, copy;
    uint32_t size = sizeof(struct row);

    assert_true(hd_config_delta_fits(d, list, a->v, a->count, size));
    copy.count =
        hd_config_delta_merge(d, list, (const uint8_t *)a->v, a->count, size, (uint8_t *)copy.v);
    assert_int_equal(copy.count, b->count);
    assert_memory_equal(copy.v, b->v, b->count * size);
    in.count = hd_config_delta_merge_in(d, list, in.v, in.count, size);
    assert_int_equal(in.count, b->count);
    assert_memory_equal(in.v, b->v, b->count * size);
    struct hd_config_counts n = hd_config_delta_counts(d, list);
    assert_int_equal(a->count + n.added - n.removed, b->count);
    /* it stands on these rows alone */
    in = *a;
    if (n.changed + n.removed > 0) {
        assert_false(hd_config_delta_fits(d, list, b->v, b->count, size));
        assert_false(hd_config_delta_fits(d, list, a->v, 0, size));
        assert_false(hd_config_delta_fits(d, list, a->v, a->count, size - 1));
    }
}

static void edits_make_the_new_array(void **state)
{
    struct hd_random rnd;
    struct array a[2], b[2];
    struct hd_config_delta d;

    hd_random_seed(&rnd, test_seed(__func__), 1);
    for (unsigned i = 0; i < 500; i++) {
        for (unsigned k = 0; k < 2; k++) {
            random_array(&rnd, &a[k]);
            random_array(&rnd, &b[k]);
        }
        size_t len = write_delta(a, b);
        assert_int_equal(hd_config_delta_read(bytes, len, &d), 0);
        assert_int_equal(d.head_len, sizeof head);
        assert_string_equal(d.head, head);
        check_list(&d, 0, &a[0], &b[0]);
        check_list(&d, 3, &a[1], &b[1]);
        assert_int_equal(hd_config_delta_counts(&d, 1).added, 0);
        assert_true(hd_config_delta_fits(&d, 1, NULL, 0, 24));
        /* cut off anywhere it is none */
        assert_int_equal(hd_config_delta_read(bytes, hd_random_below(&rnd, len), &d),
                         HD_EMALFORMED);
    }
}

static void order_is_part_of_the_form(void **state)
{
    static const struct row x = {1, 1}, y = {1, 2};
    size_t begin = hd_config_delta_head_bytes(4);
    const struct {
        uint32_t list[2], at[2];
        bool was[2];
        int error;
    } v[] = {
        {{0, 0}, {1, 2}, {true, true}, 0},
        {{0, 0}, {1, 1}, {false, true}, 0},
        {{0, 0}, {1, 1}, {false, false}, 0},
        {{0, 2}, {1, 0}, {true, true}, 0},
        {{0, 0}, {1, 1}, {true, true}, HD_EMALFORMED},
        {{0, 0}, {1, 1}, {true, false}, HD_EMALFORMED},
        {{0, 0}, {2, 1}, {true, true}, HD_EMALFORMED},
        {{1, 0}, {1, 2}, {true, true}, HD_EMALFORMED},
    };
    struct hd_config_delta d;

    for (size_t i = 0; i < HD_ARRAY_LEN(v); i++) {
        size_t at = begin;
        hd_config_delta_put_head(bytes, "head", 4, 2);
        for (unsigned k = 0; k < 2; k++)
            at = write_edit(at, v[i].list[k], v[i].at[k], v[i].was[k] ? &x : NULL, &y);
        assert_int_equal(hd_config_delta_read(bytes, at, &d), v[i].error);
    }
    hd_config_delta_put_head(bytes, "head", 4, 0);
    assert_int_equal(hd_config_delta_read(bytes, begin, &d), 0);
    assert_int_equal(hd_config_delta_read(bytes, begin + 8, &d), HD_EMALFORMED); /* more behind */
}

/* Whatever the bytes are, reading ends within them (the sanitizers watch). */
static void noise_is_no_delta(void **state)
{
    struct hd_random rnd;
    struct array a[2], b[2];
    struct hd_config_delta d;

    hd_random_seed(&rnd, test_seed(__func__), 1);
    for (unsigned i = 0; i < 2000; i++) {
        for (unsigned k = 0; k < 2; k++) {
            random_array(&rnd, &a[k]);
            random_array(&rnd, &b[k]);
        }
        size_t len = write_delta(a, b);
        for (unsigned n = (unsigned)hd_random_below(&rnd, 4) + 1; n-- > 0;)
            bytes[hd_random_below(&rnd, len)] = (uint8_t)hd_random_u64(&rnd);
        if (hd_config_delta_read(bytes, len, &d) == 0)
            (void)!hd_config_delta_fits(&d, 0, a[0].v, a[0].count, sizeof(struct row));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_make_the_new_array),
        cmocka_unit_test(order_is_part_of_the_form),
        cmocka_unit_test(noise_is_no_delta),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

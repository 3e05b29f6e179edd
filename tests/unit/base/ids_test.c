/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers, the table of handles, and its collection. */
#include "support/test.h"

#include "model/ids.h"

static struct hd_id id_of(uint64_t n)
{
    struct hd_id id = {0};

    for (unsigned i = 0; i < 8; i++)
        id.b[HD_ID_BYTES - 1 - i] = (uint8_t)(n >> 8 * i);
    return id;
}

static void compares(void **state)
{
    struct hd_id zero = {0}, one = id_of(1), big = {.b = {0x80}}, ones;

    memset(&ones, 0xff, sizeof ones);
    assert_true(hd_id_is_zero(&zero) && !hd_id_is_zero(&one));
    assert_true(hd_id_is_ones(&ones) && !hd_id_is_ones(&big));
    assert_int_equal(hd_id_shared_bits(&one, &one), 112);
    assert_int_equal(hd_id_shared_bits(&zero, &one), 111);
    assert_int_equal(hd_id_shared_bits(&zero, &big), 0);
    struct hd_id a = {.b = {0x12, 0x34}}, b = {.b = {0x12, 0x3c}};
    assert_int_equal(hd_id_shared_bits(&a, &b), 12);
    assert_true(hd_id_closer(&zero, &one, &big) < 0);
    assert_true(hd_id_closer(&ones, &one, &big) > 0);
    assert_true(hd_id_closer(&a, &b, &b) == 0);
    assert_true(hd_id_compare(&one, &big) < 0);
}

static void texts(void **state)
{
    static const char *const wrong[] = {"", "00", "0123456789abcdef0123456789a",
                                        "0123456789abcdef0123456789abc",
                                        "0123456789abcdef0123456789ag"};
    char text[HD_ID_TEXT];
    struct hd_id id, other;

    assert_int_equal(hd_id_parse("0123456789abcdefABCD00000042", &id), 0);
    assert_string_equal(hd_id_format(&id, text), "0123456789abcdefabcd00000042");
    for (size_t i = 0; i < HD_ARRAY_LEN(wrong); i++)
        assert_int_equal(hd_id_parse(wrong[i], &id), HD_EMALFORMED);
    assert_string_equal(hd_id_format(&id, text), "0123456789abcdefabcd00000042"); /* untouched */
    struct hd_ip6 ip = hd_id_to_ip6(&id, 0xfc00);
    assert_true(ip.b[0] == 0xfc && ip.b[1] == 0 && ip.b[15] == 0x42);
    assert_true(hd_id_from_ip6(&ip, 0xfc00, &other) && hd_id_equal(&id, &other));
    assert_false(hd_id_from_ip6(&ip, 0xfcaa, &other));
}

static void interns(void **state)
{
    struct hd_pool *p = test_pool(1 << 20);
    struct hd_ids t;
    hd_node first = 0;

    hd_ids_init(&t, p, 1000, 42);
    struct hd_id zero = id_of(0);
    assert_int_equal(hd_ids_find(&t, &zero), 0);
    for (uint64_t n = 0; n < 1000; n++) {
        struct hd_id id = id_of(n);
        hd_node h = hd_ids_intern(&t, &id);
        assert_true(h != 0 && hd_id_equal(hd_ids_get(&t, h), &id));
        assert_int_equal(hd_ids_intern(&t, &id), h);
        assert_int_equal(hd_ids_find(&t, &id), h);
        first = n == 0 ? h : first;
    }
    struct hd_id more = id_of(5000);
    assert_int_equal(hd_ids_intern(&t, &more), 0); /* the limit */
    assert_true(hd_ids_wants_collection(&t));
    assert_int_equal(hd_ids_intern(&t, &zero), first); /* known ones still have theirs */
    hd_ids_free(&t);
    assert_int_equal(p->live, 0);
    free(p);
}

static void collects(void **state)
{
    struct hd_pool *p = test_pool(1 << 20);
    struct hd_ids t;
    hd_node h[600];

    hd_ids_init(&t, p, 600, 42);
    for (unsigned n = 0; n < 600; n++) {
        struct hd_id id = id_of(n);
        assert_int_equal(hd_ids_wants_collection(&t), n >= 256);
        h[n] = hd_ids_intern(&t, &id);
    }
    hd_ids_mark_begin(&t);
    for (unsigned n = 0; n < 600; n += 3)
        hd_ids_mark(&t, h[n]);
    hd_ids_sweep(&t);
    assert_int_equal(t.live, 200);
    assert_false(hd_ids_wants_collection(&t));
    for (unsigned n = 0; n < 600; n++) {
        struct hd_id id = id_of(n);
        assert_int_equal(hd_ids_find(&t, &id), n % 3 == 0 ? h[n] : 0);
    }
    hd_ids_mark_begin(&t);
    for (unsigned n = 0; n < 400; n++) { /* freed handles come again, made ones count as marked */
        struct hd_id id = id_of(10000 + n);
        hd_node made = hd_ids_intern(&t, &id);
        assert_true(made != 0 && made <= 600);
    }
    hd_ids_sweep(&t);
    assert_int_equal(t.live, 400);
    struct hd_id gone = id_of(0);
    assert_int_equal(hd_ids_find(&t, &gone), 0);
    free(p);
}

static void shared_is_only_read(void **state)
{
    struct hd_pool *p = test_pool(1 << 20);
    struct hd_ids t;
    struct hd_id a = id_of(1), b = id_of(2);

    hd_ids_init(&t, p, 100, 42);
    hd_node h = hd_ids_intern(&t, &a);
    t.shared = true;
    struct hd_ids before = t;
    assert_int_equal(hd_ids_intern(&t, &a), h);
    assert_int_equal(hd_ids_intern(&t, &b), 0);
    assert_memory_equal(&before, &t, sizeof t);
    assert_false(hd_ids_wants_collection(&t));
    free(p);
}

/* Whatever allocation fails, the table holds exactly the identifiers it said it holds. */
static void survives_failures(void **state)
{
    struct hd_pool *p = test_pool(1 << 20);
    struct hd_ids t;

    hd_ids_init(&t, p, 1000, 42);
    unsigned known = 0;
    for (uint64_t n = 0; n < 500; n++) {
        struct hd_id id = id_of(n);
        for (unsigned fail = 0;; fail++) {
            p->fail_after = fail;
            hd_node h = hd_ids_intern(&t, &id);
            p->fail_after = UINT64_MAX;
            known += h != 0;
            assert_int_equal(t.live, known);
            assert_int_equal(t.index.len, known);
            assert_int_equal(hd_ids_find(&t, &id), h);
            if (h != 0)
                break;
        }
    }
    hd_ids_free(&t);
    assert_int_equal(p->live, 0);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(texts),
        cmocka_unit_test(interns),
        cmocka_unit_test(collects),
        cmocka_unit_test(shared_is_only_read),
        cmocka_unit_test(survives_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The effect buffer: order, sizes, zeroing, trimming, and what happens when it is full. */
#include "support/test.h"

#include "model/effects.h"

static void appends_and_reads(void **state)
{
    _Alignas(8) uint8_t buf[4096];
    struct hd_effects fx;

    memset(buf, 0xee, sizeof buf);
    hd_fx_init(&fx, buf, sizeof buf);
    assert_null(hd_fx_first(&fx));
    for (uint32_t i = 0; i < 10; i++) {
        struct hd_effect *e = hd_fx_append(&fx, 3, HD_FX_SEND, i);
        assert_non_null(e);
        for (uint32_t k = 0; k < i; k++)
            assert_int_equal(((uint8_t *)hd_fx_payload(e))[k], 0);
        e->u.send.len = i;
    }
    uint32_t n = 0;
    for (struct hd_effect *e = hd_fx_first(&fx); e != NULL; e = hd_fx_next(&fx, e)) {
        assert_true(e->type == HD_FX_SEND && e->core == 3 && e->u.send.len == n);
        assert_true(e->size % 8 == 0 && e->size >= sizeof *e + n);
        n++;
    }
    assert_true(n == 10 && fx.count == 10 && fx.lost == 0);
    hd_fx_clear(&fx);
    assert_true(hd_fx_first(&fx) == NULL && fx.count == 0);
}

static void trims(void **state)
{
    _Alignas(8) uint8_t buf[4096];
    struct hd_effects fx;

    hd_fx_init(&fx, buf, sizeof buf);
    struct hd_effect *e = hd_fx_append(&fx, 1, HD_FX_SEND, 1000);
    memset(hd_fx_payload(e), 0xff, 1000);
    hd_fx_trim(&fx, e, 3);
    assert_int_equal(e->size, sizeof *e + 8);
    uint8_t *payload = hd_fx_payload(e);
    assert_true(payload[2] == 0xff && payload[3] == 0 && payload[7] == 0);
    struct hd_effect *next = hd_fx_append(&fx, 1, HD_FX_LOG, 0);
    assert_ptr_equal(hd_fx_next(&fx, e), next);
    hd_fx_trim(&fx, next, 0);
    assert_null(hd_fx_next(&fx, next));
}

static void is_full_and_says_so(void **state)
{
    _Alignas(8) uint8_t buf[sizeof(struct hd_effect) * 2 + 8];
    struct hd_effects fx;

    hd_fx_init(&fx, buf, sizeof buf);
    assert_true(hd_fx_room(&fx, 8 + sizeof(struct hd_effect)));
    assert_false(hd_fx_room(&fx, 9 + sizeof(struct hd_effect)));
    assert_false(hd_fx_room(&fx, UINT32_MAX));
    assert_non_null(hd_fx_append(&fx, 1, HD_FX_LOG, 1));
    assert_null(hd_fx_append(&fx, 1, HD_FX_LOG, 1));
    assert_null(hd_fx_append(&fx, 1, HD_FX_LOG, UINT32_MAX));
    assert_non_null(hd_fx_append(&fx, 1, HD_FX_LOG, 0));
    assert_true(fx.lost == 2 && fx.count == 2 && fx.used == fx.size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_reads),
        cmocka_unit_test(trims),
        cmocka_unit_test(is_full_and_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

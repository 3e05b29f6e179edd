/* SPDX-License-Identifier: Apache-2.0 */
/* The timer queue beside a linear search for the smallest (time, order of arming). */
#include "support/test.h"

#include "lib/timerq.h"

#define TIMERS 100
#define STEPS  200000

struct reference {
    bool armed;
    hd_time at;
    uint64_t order;
};

static int first(const struct reference *ref)
{
    int best = -1;

    for (int i = 0; i < TIMERS; i++)
        if (ref[i].armed && (best < 0 || ref[i].at < ref[best].at ||
                             (ref[i].at == ref[best].at && ref[i].order < ref[best].order)))
            best = i;
    return best;
}

static void check_pop(struct hd_timerq *q, struct hd_timer *t, struct reference *ref, hd_time now)
{
    int want = first(ref);
    struct hd_timer *got = hd_timerq_pop(q, now);

    if (want < 0 || ref[want].at > now) {
        assert_null(got);
        return;
    }
    assert_ptr_equal(got, &t[want]);
    assert_false(hd_timer_armed(got));
    ref[want].armed = false;
}

static void against_a_search(void **state)
{
    struct hd_pool *p = test_pool(1 << 20);
    struct hd_timerq q = {0};
    struct hd_timer t[TIMERS] = {0};
    struct reference ref[TIMERS] = {0};
    struct hd_random r;
    uint64_t order = 0;
    hd_time now = 0;

    hd_random_seed(&r, test_seed(__func__), 0);
    for (unsigned i = 0; i < STEPS; i++) {
        uint64_t n = hd_random_below(&r, TIMERS), op = hd_random_below(&r, 10);
        p->fail_after = hd_random_below(&r, 4) == 0 ? 0 : UINT64_MAX;
        if (op < 6) {
            hd_time at = now + (hd_time)hd_random_below(&r, 50);
            int error = hd_timer_arm(&q, p, &t[n], at);
            assert_true(error == 0 || (p->fail_after == 0 && !ref[n].armed));
            if (error == 0)
                ref[n] = (struct reference){.armed = true, .at = at, .order = order++};
        } else if (op < 7) {
            hd_timer_stop(&q, &t[n]);
            ref[n].armed = false;
        } else {
            now += (hd_time)hd_random_below(&r, 3);
            check_pop(&q, t, ref, now);
        }
        int f = first(ref);
        assert_int_equal(hd_timerq_next(&q), f < 0 ? HD_NEVER : ref[f].at);
        assert_int_equal(hd_timer_armed(&t[n]), ref[n].armed);
    }
    while (q.len > 0)
        check_pop(&q, t, ref, HD_NEVER);
    assert_int_equal(first(ref), -1);
    hd_timerq_free(&q, p);
    assert_int_equal(p->live, 0);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_a_search)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

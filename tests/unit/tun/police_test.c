/* SPDX-License-Identifier: Apache-2.0 */
/* Policing of control traffic in the TUN back-end (linux/fwd_tun.h): who gets how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lib/base.h"
#include "linux/fwd_tun.h"

#define START   HD_SEC(100)
#define SECONDS 3

static struct hd_tun_reports reports = {.salt = 1234};

static struct hd_mac mac(uint32_t n)
{
    struct hd_mac m = {{0x02}};
    memcpy(m.b + 2, &n, sizeof n);
    return m;
}

/* How many of the packets of some seconds conform; `stations` send in turn. */
static uint32_t offer(uint32_t rate_hz, uint32_t first, uint32_t stations, bool admitted)
{
    uint32_t passed = 0;
    for (uint32_t i = 0; i < rate_hz * SECONDS; i++) {
        struct hd_mac m = mac(first + i % stations);
        passed += hd_tun_conforms(&reports, 7, &m, admitted, START + HD_SEC(1) / rate_hz * i);
    }
    return passed;
}

static void assert_about(uint32_t n, uint32_t want)
{
    assert_in_range(n, want - want / 50, want + want / 50);
}

static int begin(void **state)
{
    reports = (struct hd_tun_reports){.salt = 1234};
    return 0;
}

static void test_station(void **state)
{
    assert_int_equal(offer(1000, 1, 1, false), 3000);
    begin(state); /* time does not go back */
    assert_about(offer(100000, 2, 1, false), HD_TUN_POLICE_BURST + 3 * HD_TUN_POLICE_RATE_HZ);
    assert_about(offer(100000, 3, 1, true), HD_TUN_POLICE_BURST + 3 * HD_TUN_POLICE_RATE_HZ);
}

/* A flood with invented addresses has its bound, and takes nothing from those that are admitted. */
static void test_strangers(void **state)
{
    assert_about(offer(200000, 1000, 100000, false),
                 HD_TUN_STRANGERS_BURST + 3 * HD_TUN_STRANGERS_RATE_HZ);
    for (uint32_t n = 0; n < 8; n++) {
        assert_int_equal(offer(300, n, 1, true), 900);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_station, begin),
        cmocka_unit_test_setup(test_strangers, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

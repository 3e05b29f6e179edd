/* SPDX-License-Identifier: Apache-2.0 */
/* Policing of control traffic and of reports in the TUN back-end (linux/fwd_tun.h): who gets how
 * much. */
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

static struct hd_ip6 destination(uint32_t n)
{
    struct hd_ip6 a = {{0xfc}};
    memcpy(a.b + 4, &n, sizeof n);
    return a;
}

/*
 * A flood to invented destinations, and one flow that lasts, of a packet now and then. The flood
 * fills its own share; the other one is told at its turns, and all of its packets are.
 */
static void test_flows(void **state)
{
    const struct hd_ip6 lasting = destination(UINT32_MAX);
    uint64_t told = 0, flood = 0;
    uint32_t sent = 0;
    for (uint32_t i = 0; i < 100000 * SECONDS; i++) {
        hd_time now = START + HD_US(10) * i;
        struct hd_ip6 to = destination(i);
        flood += hd_tun_note_flow(&reports, &to, now);
        if (i % 100 == 0) {
            told += hd_tun_note_flow(&reports, &lasting, now);
            sent++;
        }
    }
    assert_about((uint32_t)flood, HD_TUN_REPORTS_BURST + SECONDS * HD_TUN_REPORTS_RATE_HZ);
    assert_in_range(told, 1, sent);
    (void)state;
}

/* What found no room is told with its next packet. */
static void test_flows_untold(void **state)
{
    uint32_t first = 0, second = 0;
    for (uint32_t i = 0; i < 2 * HD_TUN_REPORTS_BURST; i++) {
        struct hd_ip6 to = destination(i);
        first += hd_tun_note_flow(&reports, &to, START) == 1;
    }
    assert_int_equal(first, HD_TUN_REPORTS_BURST);
    for (uint32_t i = 0; i < 2 * HD_TUN_REPORTS_BURST; i++) {
        struct hd_ip6 to = destination(i);
        second += hd_tun_note_flow(&reports, &to, START + HD_SEC(1)) == 1;
    }
    assert_int_equal(second, HD_TUN_REPORTS_BURST);
    struct hd_ip6 to = destination(0);
    assert_int_equal(hd_tun_note_flow(&reports, &to, START + HD_TUN_FLOW_EVERY), 2);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_station, begin),
        cmocka_unit_test_setup(test_strangers, begin),
        cmocka_unit_test_setup(test_flows, begin),
        cmocka_unit_test_setup(test_flows_untold, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

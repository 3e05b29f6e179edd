/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask how much of a node: control traffic of neighbours and over the fabric, what reaches
 * the socket of the router at all, and how much a flood makes the data plane tell.
 */
#include "floods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "chain.h"
#include "lib/base.h"
#include "traffic.h"

/* Who writes to one invented destination after the other is not told packet by packet. */
void test_flow_flood(void **state)
{
    struct hd_route_value v = {.act = HD_ROUTE_DIRECT, .adj = chain.adj[A][RIGHT]};
    struct hd_ip6 net = node_address(E);
    const uint32_t count = 4000;

    (void)state;
    net.b[8] = 0x66;
    node_route(&chain.n[A], &net, 96, &v);
    (void)node_reports(&chain.n[A], HD_REPORT_FLOW, NULL);
    uint64_t lost = backend == HD_FWD_EBPF ? node_counter(&chain.n[A], "event.lost") : 0;
    uint64_t start = now_ns();
    assert_int_equal(udp_spread(PID(A), &net, count), count);
    sleep_ms(50);
    uint32_t told = node_reports(&chain.n[A], HD_REPORT_FLOW, NULL);
    uint64_t took_ms = (now_ns() - start) / 1000000;
    print_message("  %u destinations in %u ms, %u told\n", count, (unsigned)took_ms, told);
    assert_in_range(told, 1, 200 + took_ms + 1);
    if (backend == HD_FWD_EBPF)
        assert_int_equal(node_counter(&chain.n[A], "event.lost"), lost);
    node_route_del(&chain.n[A], &net, 96);
}

void test_police(void **state)
{
    struct hd_ip6 b = link_local_of(&chain.mac[B][LEFT]);
    const uint32_t count = 60000;
    struct received *r;

    (void)state;
    if (backend != HD_FWD_EBPF)
        skip();    /* the kernel delivers control traffic itself there */
    sleep_ms(600); /* the bucket is full again */
    pid_t pid = receiver_start(PID(B), &r, NULL, KIRA_PORT);
    uint64_t before = node_counter(&chain.n[B], "drop.policed");
    uint64_t start = now_ns();
    uint32_t sent = flood(PID(A), RIGHT_NAME, &b, count, 64);
    uint64_t took_ms = (now_ns() - start) / 1000000;
    uint32_t got = receiver_stop(pid, r, UINT32_MAX, 200);
    uint64_t dropped = node_counter(&chain.n[B], "drop.policed") - before;
    print_message("  flood: %u sent in %u ms, %u passed\n", sent, (unsigned)took_ms, got);
    /* 60,000 take more than 14 s at the rate allowed: even a busy machine is faster. */
    assert_int_equal(sent, count);
    assert_in_range(got, 2000, 2000 + 4 * took_ms + 100);
    assert_in_range(got + dropped, sent, sent + 16);
    assert_true(dropped > 0);
    receiver_free(r);
}

/* How many of some datagrams to KIRA's port reach its own socket at b. */
static uint32_t own_hears(unsigned from, const char *device, const struct hd_ip6 *to,
                          uint32_t count, uint32_t size)
{
    const struct hd_ip6 group = {{0xff, 0x02, [15] = 0x4b}};
    struct received *r;
    pid_t pid = receiver_start_own(PID(B), &r, LEFT_NAME, &group);

    assert_int_equal(flood(PID(from), device, to != NULL ? to : &group, count, size), count);
    uint32_t got = receiver_stop(pid, r, count, 200);
    receiver_free(r);
    return got;
}

/* Neighbours and small messages over the fabric; nobody on this machine or from elsewhere. */
void test_own_socket(void **state)
{
    const struct hd_ip6 loopback = {{[15] = 1}};
    const struct hd_ip6 other = {{0x20, 0x01, 0x0d, 0xb8, [15] = 0x0b}};
    const struct hd_ip6 b = node_address(B), near = link_local_of(&chain.mac[B][LEFT]);

    (void)state;
    assert_int_equal(own_hears(A, RIGHT_NAME, &near, 5, 64), 5);
    assert_int_equal(own_hears(A, RIGHT_NAME, &near, 1, 5000), 1);
    assert_int_equal(own_hears(A, RIGHT_NAME, NULL, 5, 64), 5);
    assert_int_equal(own_hears(A, NULL, &b, 5, 64), 5);
    assert_int_equal(own_hears(D, NULL, &b, 5, 1400), 5);
    assert_int_equal(own_hears(A, NULL, &b, 1, 5000), 0);
    assert_int_equal(own_hears(D, NULL, &b, 1, 1472), 0); /* in two fragments */
    assert_int_equal(own_hears(B, NULL, &loopback, 1, 64), 0);
    assert_int_equal(own_hears(B, NULL, &b, 1, 64), 0);
    assert_int_equal(own_hears(B, LEFT_NAME, &near, 1, 64), 0);
    assert_int_equal(own_hears(B, LEFT_NAME, NULL, 1, 64), 0); /* comes back to us, too */
    assert_int_equal(shell(PID(B), "ip addr add 2001:db8::b/64 dev " LEFT_NAME " nodad"), 0);
    assert_int_equal(shell(PID(A), "ip addr add 2001:db8::a/64 dev " RIGHT_NAME " nodad"), 0);
    assert_int_equal(own_hears(A, NULL, &other, 1, 64), 0);
    assert_int_equal(shell(PID(B), "ip addr del 2001:db8::b/64 dev " LEFT_NAME), 0);
    assert_int_equal(shell(PID(A), "ip addr del 2001:db8::a/64 dev " RIGHT_NAME), 0);
}

/* A flood over the fabric has its bound, and costs the last hop nothing of its own. */
void test_police_routed(void **state)
{
    const struct hd_ip6 b = node_address(B), near = link_local_of(&chain.mac[B][RIGHT]);
    uint64_t before = node_counter(&chain.n[B], "drop.policed");
    const uint32_t count = 6000;
    uint64_t start = now_ns();

    (void)state;
    uint32_t got = own_hears(D, NULL, &b, count, 64);
    uint64_t took_ms = (now_ns() - start) / 1000000;
    print_message("  flood: %u sent in %u ms, %u passed\n", count, (unsigned)took_ms, got);
    assert_in_range(got, 100, 200 + took_ms + 1);
    assert_true(node_counter(&chain.n[B], "drop.policed") > before);
    assert_int_equal(own_hears(C, LEFT_NAME, &near, 100, 64), 100);
}

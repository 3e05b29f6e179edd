/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forwarding back-end on real packets: `fwd-test ebpf`, `fwd-test tun`, or `fwd-test mixed` where
 * both alternate (kira.md 7, forwarding-on-linux.md). Five namespaces a to e in a row, joined by
 * veth with default offloads, with routes and labels written by hand. Needs root. A ping proves
 * nothing about checksums or segmentation, so each change of the path is tried with TCP,
 * UDP_SEGMENT and a packet that may not be fragmented.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "chain.h"
#include "floods.h"
#include "lib/base.h"
#include "lib/code_points.h"
#include "traffic.h"

#define BIND_KIRA0 HD_KIRA_DEVICE

static uint64_t tcp_floor_mbps(void)
{
    return backend == HD_FWD_EBPF ? 300 : 5;
}

/* --- helpers
 * ----------------------------------------------------------------------------------------- */

static void expect_udp(unsigned from, unsigned to, uint32_t count, uint32_t segments, uint32_t size)
{
    struct hd_ip6 address = node_address(to);
    struct received *r;
    pid_t pid = receiver_start(PID(to), &r, BIND_KIRA0, UDP_PORT);

    assert_int_equal(udp_send(PID(from), &address, count, segments, size, 0), count);
    assert_int_equal(receiver_stop(pid, r, count * segments, 2000), count * segments);
    assert_int_equal(r->bytes, (uint64_t)count * segments * size);
    receiver_free(r);
}

static void test_device(void **state)
{
    (void)state;
    if (!kira0_is_veth)
        skip();
    assert_int_equal(shell(PID(A), "ip -d link show kira0 | grep -q veth"), 0);
}

/* All that the path from one node to another must carry; mtu: of the inner packet. */
static void expect_path(unsigned from, unsigned to, unsigned mtu)
{
    char fits[32], too_long[32];

    snprintf(fits, sizeof fits, "-M do -s %u", mtu - 48);
    snprintf(too_long, sizeof too_long, "-M do -s %u", mtu - 47);
    assert_int_equal(ping(PID(from), "", 5, node_text(to)), 5);
    assert_int_equal(ping(PID(from), fits, 5, node_text(to)), 5);
    assert_int_equal(ping(PID(from), too_long, 2, node_text(to)), 0);
    assert_int_equal(ping(PID(from), "-s 4000", 5, node_text(to)), 5);
    expect_udp(from, to, 20, 1, mtu - 48);
    expect_udp(from, to, 20, 10, 1200);
    uint64_t mbps = tcp_mbps(PID(to), PID(from), node_text(to));
    print_message("  tcp %c to %c: %llu Mb/s\n", 'a' + (int)from, 'a' + (int)to,
                  (unsigned long long)mbps);
    assert_true(mbps >= tcp_floor_mbps());
}

/* A labelled packet from a, as b should get it for target. */
static struct made labelled(unsigned target)
{
    struct hd_label l = label_at(B, target);

    return (struct made){.from = chain.mac[A][RIGHT],
                         .to = chain.mac[B][LEFT],
                         .outer_source = node_address(A),
                         .outer_to = label_address(&l),
                         .inner_source = node_address(A),
                         .inner_to = node_address(target),
                         .outer_hops = 64,
                         .inner_hops = 64};
}

/* What a receiver at `target` sees of an injected packet: 0 or 1; *r stays until freed. */
static uint32_t arrives(const struct made *m, unsigned target, struct received **r)
{
    pid_t pid = receiver_start(PID(target), r, BIND_KIRA0, UDP_PORT);

    inject(PID(A), RIGHT_NAME, m);
    return receiver_stop(pid, *r, 1, 300);
}

static bool did_arrive(const struct made *m, unsigned target)
{
    struct received *r;
    uint32_t n = arrives(m, target, &r);

    receiver_free(r);
    return n == 1;
}

static void forget_reports(unsigned node)
{
    for (int kind = HD_REPORT_FLOW; kind <= HD_REPORT_REPAIRED; kind++)
        node_reports(&chain.n[node], (enum hd_report_kind)kind, NULL);
}

/* Reports need a moment through the ring. */
static uint32_t wait_reports(unsigned node, enum hd_report_kind kind, struct hd_in_report *last)
{
    uint32_t n = 0;

    for (int i = 0; i < 50 && n == 0; i++) {
        n = node_reports(&chain.n[node], kind, last);
        if (n == 0)
            sleep_ms(10);
    }
    return n;
}

static void assert_ip6(const struct hd_ip6 *got, const struct hd_ip6 *want)
{
    assert_memory_equal(got, want, sizeof *got);
}

/* --- paths
 * --------------------------------------------------------------------------------------------- */

static void test_one_hop(void **state)
{
    (void)state;
    expect_path(A, B, 1456);
}

static void test_two_links(void **state)
{
    (void)state;
    expect_path(C, E, 1456);
}

static void test_whole_chain(void **state)
{
    (void)state;
    expect_path(A, E, 1456);
    expect_path(E, A, 1456);
}

static void test_flow_reports(void **state)
{
    struct hd_ip6 e = node_address(E);
    struct hd_in_report r;

    (void)state;
    /* A destination is new only once in its table: one that no other test uses. */
    struct hd_route_value v = {
        .act = HD_ROUTE_ENCAP, .adj = chain.adj[A][RIGHT], .out = label_at(B, E)};
    e.b[8] = 0x77;
    node_route(&chain.n[A], &e, 128, &v);
    forget_reports(A);
    udp_send(PID(A), &e, 3, 1, 100, 0);
    assert_int_equal(wait_reports(A, HD_REPORT_FLOW, &r), 1);
    assert_ip6(&r.to, &e);
    assert_int_equal(r.packets, 1);
    sleep_ms(8200);
    udp_send(PID(A), &e, 1, 1, 100, 0);
    assert_int_equal(wait_reports(A, HD_REPORT_FLOW, &r), 1);
    assert_int_equal(r.packets, 3);
    node_route_del(&chain.n[A], &e, 128);
}

/* Where eBPF hands super-packets to a user-space node, that node has to cut them. */
static void test_super_packets(void **state)
{
    (void)state;
    if (!mixed)
        skip();
    assert_true(node_counter(&chain.n[B], "forward.segmented") > 1000);
    assert_int_equal(node_counter(&chain.n[B], "drop.malformed"), 0);
    assert_int_equal(node_counter(&chain.n[B], "drop.too-big"), 0);
}

static void test_narrow_link(void **state)
{
    struct hd_label at_b = label_at(B, E);
    struct hd_in_report r;

    (void)state;
    assert_int_equal(shell(PID(C), "ip link set " RIGHT_NAME " mtu 1400"), 0);
    assert_int_equal(shell(PID(D), "ip link set " LEFT_NAME " mtu 1400"), 0);
    assert_int_equal(node_interface(&chain.n[C], chain.ifindex[C][RIGHT], 1400, true), 0);
    assert_int_equal(node_interface(&chain.n[D], chain.ifindex[D][LEFT], 1400, true), 0);
    forget_reports(A);
    assert_int_equal(ping(PID(A), "-M do -s 1408", 2, node_text(E)), 0);
    assert_true(wait_reports(A, HD_REPORT_TOO_BIG, &r) > 0);
    assert_int_equal(r.value, 1400 - 44);
    /* The label is that with which the packet came to the narrow link: a maps it, here by hand. */
    struct hd_label at_c = label_at(C, E);
    assert_true(memcmp(&r.label, &at_c, sizeof at_c) == 0 ||
                memcmp(&r.label, &at_b, sizeof at_b) == 0);
    assert_int_equal(shell(PID(A), "ip -6 route replace %s/128 dev kira0 mtu 1356", node_text(E)),
                     0);
    assert_int_equal(shell(PID(E), "ip -6 route replace %s/128 dev kira0 mtu 1356", node_text(A)),
                     0);
    expect_path(A, E, 1356);
}

static void test_narrow_link_gone(void **state)
{
    (void)state;
    assert_int_equal(shell(PID(A), "ip -6 route del %s/128 dev kira0", node_text(E)), 0);
    assert_int_equal(shell(PID(E), "ip -6 route del %s/128 dev kira0", node_text(A)), 0);
    assert_int_equal(shell(PID(C), "ip link set " RIGHT_NAME " mtu 1500"), 0);
    assert_int_equal(shell(PID(D), "ip link set " LEFT_NAME " mtu 1500"), 0);
    assert_int_equal(node_interface(&chain.n[C], chain.ifindex[C][RIGHT], 1500, true), 0);
    assert_int_equal(node_interface(&chain.n[D], chain.ifindex[D][LEFT], 1500, true), 0);
    expect_udp(A, E, 20, 1, 1408);
}

static void test_route_mtu(void **state)
{
    struct hd_ip6 to = node_address(D);
    struct hd_route_value v = {
        .act = HD_ROUTE_ENCAP, .adj = chain.adj[A][RIGHT], .mtu = 1300, .out = label_at(B, D)};

    (void)state;
    node_route(&chain.n[A], &to, 128, &v);
    assert_int_equal(ping(PID(A), "-M do -s 1252", 3, node_text(D)), 3);
    assert_int_equal(ping(PID(A), "-M do -s 1253", 3, node_text(D)), 0);
    /* The error has reached the sender: the kernel knows the path's MTU now. */
    char out[1024];
    shell_output(PID(A), out, sizeof out, "ip -6 route get %s", node_text(D));
    assert_non_null(strstr(out, "mtu 1300"));
    set_route(A, D);
    shell(PID(A), "ip -6 route flush cache");
}

/* --- overlay hops
 * ---------------------------------------------------------------------------------------- */

static void test_overlay_hop(void **state)
{
    struct hd_ip6 e = node_address(E);
    struct received *r;

    (void)state;
    set_overlay_route(A, E, C);
    set_overlay_route(E, A, C);
    uint64_t before = node_counter(&chain.n[C], "forward.overlay");
    expect_path(A, E, 1456);
    assert_true(node_counter(&chain.n[C], "forward.overlay") > before);

    pid_t pid = receiver_start(PID(E), &r, BIND_KIRA0, UDP_PORT);
    udp_send(PID(A), &e, 1, 1, 100, 0xb8);
    assert_int_equal(receiver_stop(pid, r, 1, 1000), 1);
    assert_int_equal(r->hop_limit, 63); /* once, at c: labels do not count */
    assert_int_equal(r->traffic_class, 0xb8);
    receiver_free(r);
}

static void test_overlay_hop_limit(void **state)
{
    char out[2048];

    (void)state;
    shell_output(PID(A), out, sizeof out, "ping -6 -n -c 2 -i 0.1 -W 1 -t 1 %s", node_text(E));
    assert_non_null(strstr(out, "Time exceeded"));
    assert_non_null(strstr(out, node_text(C)));
    set_route(A, E);
    set_route(E, A);
}

/* The label ends at c, whose neighbour d is the destination. */
static void test_overlay_direct(void **state)
{
    (void)state;
    set_overlay_route(A, D, C);
    expect_path(A, D, 1456);
    set_route(A, D);
}

/* --- what is said about packets
 * ----------------------------------------------------------------------------- */

static void test_ecn(void **state)
{
    static const struct {
        uint8_t outer, inner;
        int want; /* -1: dropped */
    } cases[] = {{3, 2, 3}, {3, 1, 3}, {3, 3, 3}, {3, 0, -1}, {1, 2, 1},
                 {1, 0, 0}, {0, 2, 2}, {2, 1, 1}, {0, 3, 3}};

    (void)state;
    for (unsigned i = 0; i < HD_ARRAY_LEN(cases); i++) {
        struct made m = labelled(E);
        struct received *r;

        m.outer_class = cases[i].outer;
        m.inner_class = (uint8_t)(0xb8 | cases[i].inner);
        uint32_t n = arrives(&m, E, &r);
        int got = n == 1 ? r->traffic_class : -1;
        receiver_free(r);
        assert_int_equal(got, cases[i].want < 0 ? -1 : (0xb8 | cases[i].want));
    }
}

static void test_hop_limit(void **state)
{
    struct made m = labelled(E);
    struct hd_label at_b = label_at(B, E), at_d = label_at(D, E);
    struct hd_in_report r;

    (void)state;
    m.outer_hops = 4; /* b, c and d take one each */
    assert_true(did_arrive(&m, E));
    forget_reports(A);
    m.outer_hops = 3;
    assert_false(did_arrive(&m, E));
    assert_int_equal(wait_reports(A, HD_REPORT_UNREACHABLE, &r), 1);
    assert_memory_equal(&r.label, &at_d, sizeof at_d);
    m.outer_hops = 1;
    assert_false(did_arrive(&m, E));
    assert_int_equal(wait_reports(A, HD_REPORT_UNREACHABLE, &r), 1);
    assert_memory_equal(&r.label, &at_b, sizeof at_b);
}

static void test_unknown_label(void **state)
{
    struct made m = labelled(E);
    struct hd_label nobody;
    struct hd_in_report r;
    struct hd_ip6 a = node_address(A);

    (void)state;
    memset(&nobody, 0x5a, sizeof nobody);
    m.outer_to = label_address(&nobody);
    forget_reports(A);
    forget_reports(B);
    inject_burst(PID(A), RIGHT_NAME, &m, 200);
    sleep_ms(50);
    uint32_t n = node_reports(&chain.n[B], HD_REPORT_LABEL_UNKNOWN, &r);
    assert_in_range(n, 1, 100); /* limited */
    assert_memory_equal(&r.label, &nobody, sizeof nobody);
    assert_ip6(&r.source, &a);
    /* and the source hears of it */
    assert_true(wait_reports(A, HD_REPORT_UNREACHABLE, &r) > 0);
    assert_memory_equal(&r.label, &nobody, sizeof nobody);
}

static void test_label_deleted(void **state)
{
    struct hd_label l = label_at(C, E);

    (void)state;
    node_label_del(&chain.n[C], &l);
    assert_int_equal(ping(PID(A), "", 3, node_text(E)), 0);
    node_label(&chain.n[C], &l,
               &(struct hd_label_value){
                   .act = HD_LABEL_SWAP, .adj = chain.adj[C][RIGHT], .out = label_at(D, E)});
    assert_int_equal(ping(PID(A), "", 3, node_text(E)), 3);
}

static void test_down(void **state)
{
    struct hd_adj_value v = adj_value(B, RIGHT), own = adj_value(A, RIGHT);
    struct hd_label at_b = label_at(B, E);
    struct hd_ip6 a = node_address(A);
    struct hd_in_report r;

    (void)state;
    forget_reports(B);
    forget_reports(A);
    v.down = own.down = true;
    node_adj_set(&chain.n[B], chain.adj[B][RIGHT], &v);
    assert_int_equal(ping(PID(A), "", 3, node_text(E)), 0);
    assert_true(wait_reports(B, HD_REPORT_EGRESS_DEAD, &r) > 0);
    assert_memory_equal(&r.label, &at_b, sizeof at_b);
    assert_ip6(&r.source, &a);
    assert_int_equal(r.adj, chain.adj[B][RIGHT]);
    node_adj_set(&chain.n[A], chain.adj[A][RIGHT], &own);
    assert_int_equal(ping(PID(A), "", 3, node_text(E)), 0);
    assert_true(wait_reports(A, HD_REPORT_EGRESS_DEAD, &r) > 0);
    assert_memory_equal(&r.label, &at_b, sizeof at_b);
    v.down = own.down = false;
    node_adj_set(&chain.n[B], chain.adj[B][RIGHT], &v);
    node_adj_set(&chain.n[A], chain.adj[A][RIGHT], &own);
    assert_int_equal(ping(PID(A), "", 3, node_text(E)), 3);
}

static void test_repair(void **state)
{
    struct hd_adj_value v = adj_value(C, LEFT), b_left = adj_value(B, LEFT);
    struct hd_label then = label_at(B, A), at_c = label_at(C, A);
    struct hd_ip6 e = node_address(E);
    struct hd_in_report r;

    (void)state;
    uint32_t spare = node_adj(&chain.n[C], &v);
    uint16_t guard =
        node_guard(&chain.n[C], &(struct hd_guard_value){.adj = spare, .out = label_at(B, B)});
    forget_reports(C);
    uint64_t repaired = node_counter(&chain.n[C], "forward.repaired");
    uint64_t restored = node_counter(&chain.n[B], "forward.restored");
    set_guarded(&v, guard, &then); /* the entry's own guard */
    expect_path(E, A, 1456);       /* full-size packets and super-packets too */
    assert_true(node_counter(&chain.n[C], "forward.repaired") > repaired + 20);
    assert_true(node_counter(&chain.n[B], "forward.restored") > restored + 20);
    assert_true(wait_reports(C, HD_REPORT_REPAIRED, &r) > 0);
    assert_ip6(&r.source, &e);
    assert_memory_equal(&r.label, &at_c, sizeof at_c);
    assert_int_equal(r.adj, chain.adj[C][LEFT]);
    assert_int_equal(ping(PID(C), "", 3, node_text(A)), 3); /* a source's own packets */
    assert_int_equal(ping(PID(C), "", 3, node_text(B)), 3); /* those that had no header */
    set_overlay_route(E, A, C);
    assert_int_equal(ping(PID(E), "", 3, node_text(A)), 3); /* a path that ends here */
    set_overlay_route(E, B, C);
    assert_int_equal(ping(PID(E), "", 3, node_text(B)), 3); /* and goes on without a header */
    set_route(E, A);
    set_route(E, B);
    set_guarded(&v, guard, NULL); /* that of the adjacency, which carries the label it has */
    assert_int_equal(ping(PID(E), "", 3, node_text(A)), 3);
    assert_int_equal(ping(PID(C), "", 3, node_text(A)), 3);

    /* Once in a packet's life: the next node has a guard as well, and may not use it. */
    uint64_t twice = node_counter(&chain.n[B], "drop.repaired-twice");
    forget_reports(B);
    b_left.down = true;
    b_left.guard = node_guard(
        &chain.n[B], &(struct hd_guard_value){.adj = chain.adj[B][RIGHT], .out = label_at(C, A)});
    node_adj_set(&chain.n[B], chain.adj[B][LEFT], &b_left);
    assert_int_equal(ping(PID(E), "", 3, node_text(A)), 0);
    assert_true(node_counter(&chain.n[B], "drop.repaired-twice") >= twice + 3);
    assert_true(wait_reports(B, HD_REPORT_EGRESS_DEAD, &r) > 0);
    b_left.down = false;
    b_left.guard = 0;
    node_adj_set(&chain.n[B], chain.adj[B][LEFT], &b_left);
    set_guarded(&v, 0, NULL);
    assert_int_equal(ping(PID(E), "", 3, node_text(A)), 3);
}

/* The programs see by themselves that a carrier is gone; the TUN back-end waits for the router. */
static void test_carrier(void **state)
{
    struct hd_label key = label_at(B, E);
    struct hd_label_value l = {
        .act = HD_LABEL_SWAP, .adj = chain.adj[B][RIGHT], .out = label_at(C, E)};
    struct hd_ip6 a = node_address(A);
    struct made m = labelled(E);
    struct hd_in_report r;

    (void)state;
    if (backend != HD_FWD_EBPF)
        skip();
    uint16_t guard = node_guard(
        &chain.n[B], &(struct hd_guard_value){.adj = chain.adj[B][LEFT], .out = label_at(A, A)});
    node_repairs(&(struct hd_repair){.guard = guard});
    node_label(&chain.n[B], &key, &l);
    node_repairs(&(struct hd_repair){.guard = 0});
    m.inner_to = a; /* the way round leads back to where it came from */
    forget_reports(B);
    assert_int_equal(shell(PID(C), "ip link set " LEFT_NAME " down"), 0);
    assert_true(did_arrive(&m, A));
    assert_true(wait_reports(B, HD_REPORT_REPAIRED, &r) > 0);
    assert_int_equal(shell(PID(C), "ip link set " LEFT_NAME " up"), 0);
    node_label(&chain.n[B], &key, &l);
    assert_int_equal(ping(PID(A), "", 3, node_text(E)), 3);
}

static void test_no_route(void **state)
{
    struct hd_ip6 nowhere = node_address(0x55), e = node_address(E);
    struct hd_in_report r;
    char out[2048];

    (void)state;
    forget_reports(A);
    shell_output(PID(A), out, sizeof out, "ping -6 -n -c 2 -i 0.1 -W 1 %s", node_text(0x55));
    assert_true(wait_reports(A, HD_REPORT_NO_ROUTE, &r) > 0);
    assert_ip6(&r.to, &nowhere);
    assert_non_null(strstr(out, "unreachable"));
    /* A route that says so is no news to the router. */
    node_route(&chain.n[A], &e, 128, &(struct hd_route_value){.act = HD_ROUTE_UNREACHABLE});
    forget_reports(A);
    shell_output(PID(A), out, sizeof out, "ping -6 -n -c 2 -i 0.1 -W 1 %s", node_text(E));
    assert_non_null(strstr(out, "unreachable"));
    assert_int_equal(node_reports(&chain.n[A], HD_REPORT_NO_ROUTE, NULL), 0);
    set_route(A, E);
}

/* --- who may come in
 * -------------------------------------------------------------------------------------- */

static void test_strangers(void **state)
{
    struct made m = labelled(E), plain = labelled(B);
    struct hd_mac member = m.from;
    uint64_t before = node_counter(&chain.n[B], "drop.not-admitted");

    (void)state;
    plain.outer_to.b[0] = 0;
    assert_true(did_arrive(&m, E));
    assert_true(did_arrive(&plain, B));
    m.from.b[5] ^= 1;
    plain.from = m.from;
    assert_false(did_arrive(&m, E));
    assert_false(did_arrive(&plain, B));
    assert_int_equal(node_counter(&chain.n[B], "drop.not-admitted"), before + 2);
    plain.from = member;
    plain.inner_to = node_address(C); /* plain packets go to the neighbour itself only */
    assert_false(did_arrive(&plain, C));
    plain.inner_to = node_address(B);
    plain.inner_source = label_address(&(struct hd_label){{1}});
    assert_false(did_arrive(&plain, B));
}

static void test_admission(void **state)
{
    struct hd_adj_value v = adj_value(B, LEFT), twin = v;
    struct made m = labelled(E);

    (void)state;
    v.admitted = false;
    node_adj_set(&chain.n[B], chain.adj[B][LEFT], &v);
    assert_false(did_arrive(&m, E));
    /* Another adjacency over the same MAC admits it, whatever becomes of the first. */
    twin.link_local.b[15] ^= 1;
    node_adj(&chain.n[B], &twin);
    assert_true(did_arrive(&m, E));
    v.admitted = true;
    node_adj_set(&chain.n[B], chain.adj[B][LEFT], &v);
    v.admitted = false;
    node_adj_set(&chain.n[B], chain.adj[B][LEFT], &v);
    assert_true(did_arrive(&m, E));
    v.admitted = true;
    node_adj_set(&chain.n[B], chain.adj[B][LEFT], &v);
}

static void test_guard(void **state)
{
    struct made m = labelled(B);

    (void)state;
    m.outer_to.b[0] = 0;
    assert_true(did_arrive(&m, B));
    assert_int_equal(node_interface(&chain.n[B], chain.ifindex[B][LEFT], 0, false), 0);
    assert_false(did_arrive(&m, B));
    m = labelled(E);
    assert_false(did_arrive(&m, E));
    assert_int_equal(node_interface(&chain.n[B], chain.ifindex[B][LEFT], 1500, true), 0);
    assert_true(did_arrive(&m, E));
}

static void test_echo(void **state)
{
    struct hd_ip6 b = link_local_of(&chain.mac[B][LEFT]);
    struct received *r;
    pid_t pid = receiver_start(PID(B), &r, NULL, KIRA_PORT);

    (void)state;
    assert_int_equal(echo_ask(PID(A), RIGHT_NAME, &b), 2);
    assert_int_equal(receiver_stop(pid, r, 1, 300), 1); /* and it passes up, unharmed */
    receiver_free(r);
    /* Once more with checksums that are complete when they reach the reflector. */
    assert_int_equal(shell(PID(A), "ethtool -K " RIGHT_NAME " tx off >/dev/null"), 0);
    pid = receiver_start(PID(B), &r, NULL, KIRA_PORT);
    assert_int_equal(echo_ask(PID(A), RIGHT_NAME, &b), 2);
    assert_int_equal(receiver_stop(pid, r, 1, 300), 1);
    receiver_free(r);
    assert_int_equal(shell(PID(A), "ethtool -K " RIGHT_NAME " tx on >/dev/null"), 0);
}

/* --- restart
 * ------------------------------------------------------------------------------------------------
 */

/* As the system process does after its start. */
static void tell_interfaces(unsigned i)
{
    for (int side = LEFT; side <= RIGHT; side++)
        if (chain.ifindex[i][side] != 0)
            assert_int_equal(node_interface(&chain.n[i], chain.ifindex[i][side], 1500, true), 0);
}

static void test_restart(void **state)
{
    struct received *r;
    char out[1024];

    (void)state;
    pid_t pid = receiver_start(PID(E), &r, BIND_KIRA0, UDP_PORT);
    shell(PID(A), "(ping -6 -n -q -c 200 -i 0.005 -W 1 %s > /tmp/hd-fwd-test-ping.%d) &",
          node_text(E), (int)getpid());
    sleep_ms(100);
    assert_int_equal(node_restart(&chain.n[B]), 0);
    assert_int_equal(node_restart(&chain.n[A]), 0);
    assert_int_equal(node_restart(&chain.n[E]), 0);
    tell_interfaces(B);
    tell_interfaces(A);
    tell_interfaces(E);
    sleep_ms(1500);
    shell_output(0, out, sizeof out, "cat /tmp/hd-fwd-test-ping.%d; rm /tmp/hd-fwd-test-ping.%d",
                 (int)getpid(), (int)getpid());
    assert_non_null(strstr(out, "200 received"));
    receiver_stop(pid, r, 0, 0);
    receiver_free(r);
}

/* What the router process is: nobody, without a capability, with inherited descriptors. */
static void test_unprivileged(void **state)
{
    (void)state;
    assert_int_equal(node_unprivileged(&chain.n[B]), 0);
}

/* The TUN device, its address and sockets bound to it stay while nobody reads. */
static void test_restart_tun(void **state)
{
    struct received *r;
    char before[32], after[32];
    struct hd_ip6 b = node_address(B);

    (void)state;
    if (backend != HD_FWD_TUN)
        skip();
    pid_t pid = receiver_start(PID(B), &r, BIND_KIRA0, UDP_PORT);
    shell_output(PID(B), before, sizeof before, "ip -o link show kira0 | cut -d: -f1");
    assert_int_equal(node_restart(&chain.n[B]), 0);
    shell_output(PID(B), after, sizeof after, "ip -o link show kira0 | cut -d: -f1");
    assert_true(before[0] >= '1' && before[0] <= '9');
    assert_string_equal(before, after);
    assert_int_equal(node_counter(&chain.n[B], "forward.tables-refused"), 0);
    tell_interfaces(B);
    udp_send(PID(A), &b, 1, 1, 100, 0);
    assert_int_equal(receiver_stop(pid, r, 1, 1000), 1);
    receiver_free(r);
    expect_path(A, E, 1456);
}

static void test_sweep(void **state)
{
    struct hd_label keep = label_at(B, E);

    (void)state;
    /* One adjacency more than the chain's, from the test of admission. */
    assert_int_equal(node_adopted(&chain.n[B], HD_OBJ_ADJ), 3);
    assert_int_equal(node_adopted(&chain.n[B], HD_OBJ_LABEL), CHAIN);
    assert_int_equal(node_adopted(&chain.n[B], HD_OBJ_ROUTE), CHAIN);
    for (int side = LEFT; side <= RIGHT; side++) {
        struct hd_adj_value v = adj_value(B, (enum side)side);
        node_adj_set(&chain.n[B], chain.adj[B][side], &v);
    }
    node_label(&chain.n[B], &keep,
               &(struct hd_label_value){
                   .act = HD_LABEL_SWAP, .adj = chain.adj[B][RIGHT], .out = label_at(C, E)});
    set_route(B, E);
    set_route(B, B);
    struct made to_e = labelled(E), to_d = labelled(D);
    assert_true(did_arrive(&to_d, D));
    node_sweep(&chain.n[B]);
    assert_true(did_arrive(&to_e, E));
    assert_false(did_arrive(&to_d, D));
}

/* Nothing of the node that it was may be taken over: no table, no filter, no route. */
static void test_other_prefix(void **state)
{
    const uint16_t prefix = HD_KIRA_LABEL_PREFIX + 1;
    struct made m = labelled(E);
    struct hd_adj_value from = adj_value(B, LEFT);
    struct hd_in_report r;
    char out[1024];

    (void)state;
    assert_int_equal(node_restart_as(&chain.n[B], prefix), 0);
    assert_int_equal(node_adopted(&chain.n[B], HD_OBJ_LABEL), 0);
    assert_int_equal(node_adopted(&chain.n[B], HD_OBJ_ADJ), 0);
    shell_output(PID(B), out, sizeof out, "ip -6 route show type blackhole proto 0x4b | wc -l");
    assert_string_equal(out, "1\n");
    tell_interfaces(B);
    node_adj(&chain.n[B], &from);
    forget_reports(B);
    m.outer_to.b[0] = (uint8_t)(prefix >> 8);
    m.outer_to.b[1] = (uint8_t)prefix;
    inject(PID(A), RIGHT_NAME, &m);
    assert_int_equal(wait_reports(B, HD_REPORT_LABEL_UNKNOWN, &r), 1);
}

static void test_nothing_stays(void **state)
{
    char out[4096];

    (void)state;
    for (unsigned i = 0; i < CHAIN; i++)
        node_close(&chain.n[i]);
    assert_int_not_equal(shell(PID(B), "ip link show kira0 2>/dev/null"), 0);
    shell_output(PID(B), out, sizeof out,
                 "ip -6 route show proto 0x4b; tc qdisc show | grep clsact");
    assert_string_equal(out, "");
    shell_output(0, out, sizeof out, "ls -d /tmp/hd-fwd-test-%d 2>/dev/null", (int)PID(B));
    assert_string_equal(out, "");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device),
        cmocka_unit_test(test_one_hop),
        cmocka_unit_test(test_two_links),
        cmocka_unit_test(test_whole_chain),
        cmocka_unit_test(test_super_packets),
        cmocka_unit_test(test_narrow_link),
        cmocka_unit_test(test_narrow_link_gone),
        cmocka_unit_test(test_route_mtu),
        cmocka_unit_test(test_overlay_hop),
        cmocka_unit_test(test_overlay_hop_limit),
        cmocka_unit_test(test_overlay_direct),
        cmocka_unit_test(test_ecn),
        cmocka_unit_test(test_hop_limit),
        cmocka_unit_test(test_unknown_label),
        cmocka_unit_test(test_label_deleted),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_repair),
        cmocka_unit_test(test_carrier),
        cmocka_unit_test(test_no_route),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_police),
        cmocka_unit_test(test_own_socket),
        cmocka_unit_test(test_police_routed),
        cmocka_unit_test(test_flow_reports),
        cmocka_unit_test(test_flow_flood),
        cmocka_unit_test(test_unprivileged),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_tun),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_other_prefix),
        cmocka_unit_test(test_nothing_stays),
    };

    const char *which = argc < 2 ? "" : argv[1];
    mixed = strcmp(which, "mixed") == 0;
    kira0_is_veth = strcmp(which, "ebpf-veth") == 0;
    if (strcmp(which, "ebpf") != 0 && strcmp(which, "tun") != 0 && !mixed && !kira0_is_veth) {
        fprintf(stderr, "usage: %s ebpf|ebpf-veth|tun|mixed [pattern]\n", argv[0]);
        return 2;
    }
    if (geteuid() != 0)
        return 77; /* skipped */
    if (argc > 2)
        cmocka_set_test_filter(argv[2]);
    backend = strncmp(which, "ebpf", 4) == 0 ? HD_FWD_EBPF : HD_FWD_TUN;
    chain_make();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    chain_remove();
    return failed != 0;
}

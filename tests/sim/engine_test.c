/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator's own promises, tested with cores that have no cleverness: equal seeds give equal
 * runs, links do what they are told, old values stay in force during an installation, nodes die and
 * come back with what they saved, and checks fail when they should.
 */
#include "support/test.h"

#include "core/sample/sample.h"
#include "sim/queue.h"
#include "sim/sim.h"
#include "test_core.h"

static void *tc_config(void *user, struct hd_sim *s, uint32_t node, uint8_t core, uint32_t *len)
{
    struct hd_id *id = malloc(sizeof *id);
    *id = *hd_sim_id(s, node);
    *len = sizeof *id;
    return id;
}

static struct hd_scenario *scenario(const char *text)
{
    char err[HD_SCENARIO_ERROR];
    struct hd_scenario *sc;
    if (hd_scenario_generate(text, 1, &sc, err, sizeof err) != 0)
        fail_msg("%s", err);
    for (uint32_t i = 0; i < sc->link_count; i++)
        sc->links[i].delay_ns = HD_MS(1);
    return sc;
}

static struct hd_sim_options options(void)
{
    struct hd_sim_options o;
    hd_sim_options_default(&o);
    o.config = tc_config;
    o.region_bytes = (size_t)4 << 20;
    return o;
}

static struct hd_sim *make(const struct hd_scenario *sc, const struct hd_sim_options *o)
{
    char err[128];
    struct hd_sim *s;
    if (hd_sim_create(&s, sc, o, err, sizeof err) != 0)
        fail_msg("%s", err);
    return s;
}

static struct tc_state *state(struct hd_sim *s, uint32_t node)
{
    return hd_router_core_state(hd_sim_router(s, node), HD_CORE_KIRA);
}

static uint32_t adj_to(struct hd_sim *s, uint32_t from, uint32_t to)
{
    const struct tc_state *t = state(s, from);
    for (uint32_t i = 0; i < t->neighbour_count; i++) {
        if (hd_id_equal(&t->neighbours[i].id, hd_sim_id(s, to)))
            return t->neighbours[i].adj;
    }
    return 0;
}

static void tell(struct hd_sim *s, uint32_t node, uint16_t verb, const struct tc_command *c)
{
    (void)hd_sim_command(s, node, HD_CORE_KIRA, verb, c, sizeof *c);
    hd_sim_run(s, hd_sim_now(s));
}

static struct hd_label label(uint8_t n)
{
    return (struct hd_label){{n, 0xaa}};
}

/* A path of labels along a line 0..n-1: what a control plane would install for 0 -> n-1. */
static void install_path(struct hd_sim *s, uint32_t n)
{
    struct tc_command c = {0};
    for (uint32_t i = n - 1; i > 0; i--) {
        c.label = label((uint8_t)i);
        c.label_value = i == n - 1 ? (struct hd_label_value){.act = HD_LABEL_DECAP}
                                   : (struct hd_label_value){.act = HD_LABEL_SWAP,
                                                             .adj = adj_to(s, i, i + 1),
                                                             .out = label((uint8_t)(i + 1))};
        tell(s, i, TC_SET_LABEL, &c);
    }
    c.route = (struct hd_route_key){.prefix = hd_sim_address(s, n - 1), .len = 128};
    c.route_value =
        (struct hd_route_value){.act = HD_ROUTE_ENCAP, .adj = adj_to(s, 0, 1), .out = label(1)};
    tell(s, 0, TC_SET_ROUTE, &c);
}

/* --- order and determinism -----------------------------------------------------------------------
 */

static uint64_t digest_of(uint64_t seed, uint32_t loss_ppm)
{
    struct hd_scenario *sc = scenario("grid:4x4");
    struct hd_sim_options o = options();
    o.seed = seed;
    for (uint32_t i = 0; i < sc->link_count; i++) {
        sc->links[i].loss_ppm = loss_ppm;
        sc->links[i].jitter_ns = HD_US(300);
        sc->links[i].reorder_ppm = 10000;
        sc->links[i].duplicate_ppm = 10000;
    }
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(2));
    hd_sim_cut(s, 3);
    hd_sim_run(s, HD_SEC(3));
    uint64_t d = hd_sim_digest(s);
    for (uint32_t i = 0; i < sc->node_count; i++)
        assert_false(state(s, i)->order_broken);
    assert_true(state(s, 0)->ticks >= 29);
    hd_sim_free(s);
    hd_scenario_free(sc);
    return d;
}

static void test_equal_seeds_equal_runs(void **unused)
{
    uint64_t seed = test_seed(__func__);
    assert_int_equal(digest_of(seed, 20000), digest_of(seed, 20000));
    assert_int_not_equal(digest_of(seed, 20000), digest_of(seed + 1, 20000));
    assert_int_not_equal(digest_of(seed, 20000), digest_of(seed, 0));
}

static int by_order(const void *a, const void *b)
{
    const struct hd_sim_event *x = a, *y = b;
    const uint64_t k[2][4] = {{(uint64_t)x->at, x->receiver, x->sender, x->counter},
                              {(uint64_t)y->at, y->receiver, y->sender, y->counter}};
    for (unsigned i = 0; i < 4; i++) {
        if (k[0][i] != k[1][i])
            return k[0][i] < k[1][i] ? -1 : 1;
    }
    return 0;
}

/* Pushes in any order, pops in parts: always the order of a sorted list. */
static void test_queue_against_a_sorted_list(void **unused)
{
    enum { N = 5000 };
    struct hd_sim_event *list = calloc(N, sizeof *list), e;
    void *region = test_region(4 << 20);
    struct hd_sim_queue q = {.pool = hd_pool_create(region, 4 << 20)};
    struct hd_random r;
    hd_random_seed(&r, test_seed(__func__), 0);
    for (uint32_t i = 0; i < N; i++) {
        list[i] = (struct hd_sim_event){.at = (hd_time)hd_random_below(&r, 50),
                                        .receiver = (uint32_t)hd_random_below(&r, 4),
                                        .sender = (uint32_t)hd_random_below(&r, 3),
                                        .counter = i};
        if (hd_random_below(&r, 2) == 1)
            list[i].sender |= HD_SIM_LATE;
        hd_sim_queue_push(&q, &list[i]);
    }
    qsort(list, N, sizeof *list, by_order);
    uint32_t at = 0;
    for (hd_time until = 0; until < 50; until += 7) {
        while (hd_sim_queue_pop(&q, until, &e))
            assert_int_equal(by_order(&e, &list[at++]), 0);
        assert_true(at == N || list[at].at > until);
    }
    while (hd_sim_queue_pop(&q, HD_NEVER, &e))
        assert_int_equal(by_order(&e, &list[at++]), 0);
    assert_int_equal(at, N);
    free(region);
    free(list);
}

/* --- links ---------------------------------------------------------------------------------------
 */

static void test_cut_is_noticed_and_silence_is_not(void **unused)
{
    struct hd_scenario *sc = scenario("line:2");
    struct hd_sim_options o = options();
    o.detect_ns = HD_MS(5);
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(1));
    assert_int_equal(state(s, 0)->neighbour_count, 1);
    hd_sim_silence(s, 0, 1); /* from 0 to 1 only */
    struct tc_command c = {.ifindex = 1, .to = {{0xff, 2, [15] = 1}}};
    uint32_t at0 = state(s, 0)->datagrams, at1 = state(s, 1)->datagrams;
    tell(s, 0, TC_SEND, &c);
    tell(s, 1, TC_SEND, &c);
    hd_sim_run(s, HD_SEC(1) + HD_MS(20));
    assert_int_equal(state(s, 1)->datagrams, at1);
    assert_int_equal(state(s, 0)->datagrams, at0 + 1);
    assert_int_equal(state(s, 0)->interfaces_down + state(s, 1)->interfaces_down, 0);
    hd_sim_heal(s, 0);
    hd_sim_cut(s, 0);
    hd_sim_run(s, HD_SEC(1) + HD_MS(24));
    assert_int_equal(state(s, 0)->interfaces_down, 0);
    hd_sim_run(s, HD_SEC(1) + HD_MS(25));
    assert_int_equal(state(s, 0)->interfaces_down, 1);
    assert_int_equal(state(s, 1)->interfaces_down, 1);
    hd_sim_heal(s, 0);
    hd_sim_run(s, HD_SEC(2));
    assert_int_equal(state(s, 0)->interfaces_up, 2);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

/* 1000 datagrams of 15 bytes over a lossy link: the shares are those that were asked for. */
static void test_rates(void **unused)
{
    struct hd_scenario *sc = scenario("line:2");
    struct hd_sim_options o = options();
    o.seed = test_seed(__func__);
    sc->links[0].loss_ppm = 200000;
    sc->links[0].duplicate_ppm = 100000;
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_MS(100));
    struct tc_command c = {.ifindex = 1, .to = {{0xff, 2, [15] = 1}}};
    uint32_t before = state(s, 1)->datagrams;
    for (unsigned i = 0; i < 4000; i++)
        tell(s, 0, TC_SEND, &c);
    hd_sim_run(s, HD_SEC(1));
    uint32_t got = state(s, 1)->datagrams - before; /* 4000 * 0.8 * 1.1 = 3520 */
    assert_in_range(got, 3350, 3690);
    assert_in_range(hd_sim_stats(s)->duplicated, 230, 420);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

static void test_rate_and_queue(void **unused)
{
    struct hd_scenario *sc = scenario("line:2");
    struct hd_sim_options o = options();
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(1));
    struct hd_scenario_link v = {.rate_bps = 1000000};
    hd_sim_change_link(s, 0, &v, HD_SCENARIO_F_RATE);
    uint32_t flow = hd_sim_add_flow(s, 0, 1);
    for (unsigned i = 0; i < 10; i++) /* 1014 bytes: 8.112 ms each */
        hd_sim_send_packet(s, 0, 1, 1000, flow);
    hd_sim_run(s, HD_SEC(2));
    assert_int_equal(hd_sim_flow(s, flow)->arrived, 10);
    assert_int_equal(hd_sim_flow(s, flow)->worst_delay_ns, 10 * HD_US(8112) + HD_MS(1));
    for (unsigned i = 0; i < 1000; i++)
        hd_sim_send_packet(s, 0, 1, 1000, flow);
    hd_sim_run(s, HD_SEC(20));
    assert_int_equal(hd_sim_flow(s, flow)->arrived, 10 + 262144 / 1014 + 0);
    assert_int_equal(hd_sim_stats(s)->lost_queue, 1000 - 262144 / 1014);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

static void test_keys(void **unused)
{
    struct hd_scenario *sc = scenario("line:3");
    struct hd_sim_options o = options();
    sc->nodes[0].key = sc->nodes[1].key = 5;
    sc->nodes[2].key = 6;
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(1));
    assert_int_equal(state(s, 0)->neighbour_count, 1);
    assert_int_equal(state(s, 1)->neighbour_count, 1);
    assert_int_equal(state(s, 2)->neighbour_count, 0);
    assert_true(state(s, 1)->bad_key > 0);
    /* one flipped bit is noticed */
    struct hd_scenario_link v = {.corrupt_ppm = HD_SCENARIO_MILLION};
    hd_sim_change_link(s, 0, &v, HD_SCENARIO_F_CORRUPT);
    uint32_t bad = state(s, 1)->bad_key;
    struct tc_command c = {.ifindex = 1, .to = {{0xff, 2, [15] = 1}}};
    tell(s, 0, TC_SEND, &c);
    hd_sim_run(s, HD_SEC(2));
    assert_int_equal(state(s, 1)->bad_key, bad + 1);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

/* --- forwarding ----------------------------------------------------------------------------------
 */

static void test_labels_along_a_line(void **unused)
{
    struct hd_scenario *sc = scenario("line:5");
    struct hd_sim_options o = options();
    struct hd_sim *s = make(sc, &o);
    struct hd_sim_walk w;
    hd_sim_run(s, HD_SEC(1));
    hd_sim_walk_pair(s, 0, 1, &w);
    assert_int_equal(w.fate, HD_SIM_ARRIVED);
    hd_sim_walk_pair(s, 0, 4, &w);
    assert_int_equal(w.fate, HD_SIM_NO_ROUTE);
    install_path(s, 5);
    hd_sim_run(s, HD_SEC(2));
    hd_sim_walk_pair(s, 0, 4, &w);
    assert_int_equal(w.fate, HD_SIM_ARRIVED);
    assert_int_equal(w.hops, 4);
    assert_int_equal(w.stages, 1);
    assert_int_equal(hd_sim_distance(s, 0, 4), 4);
    uint32_t flow = hd_sim_add_flow(s, 0, 4);
    hd_sim_send_packet(s, 0, 4, 200, flow);
    hd_sim_run(s, HD_SEC(3));
    assert_int_equal(hd_sim_flow(s, flow)->arrived, 1);
    assert_int_equal(hd_sim_flow(s, flow)->worst_delay_ns, HD_MS(4));
    assert_int_equal(state(s, 0)->reports[HD_REPORT_FLOW], 1);
    /* a datagram by the forwarding plane */
    struct tc_command c = {.to = hd_sim_address(s, 4)};
    tell(s, 0, TC_SEND_ROUTED, &c);
    hd_sim_run(s, HD_SEC(4));
    assert_int_equal(state(s, 4)->routed, 1);
    c.adj = adj_to(s, 0, 1);
    tell(s, 0, TC_SAMPLE, &c);
    assert_int_equal(state(s, 0)->last_sample.tag, 77);
    assert_int_equal(state(s, 0)->last_sample.packets, 2);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

static void test_reports(void **unused)
{
    struct hd_scenario *sc = scenario("line:4");
    struct hd_sim_options o = options();
    sc->links[2].mtu = 1400;
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(1));
    install_path(s, 4);
    hd_sim_run(s, HD_SEC(2));
    uint32_t flow = hd_sim_add_flow(s, 0, 3);
    hd_sim_send_packet(s, 0, 3, 1357, flow); /* 1357 + 44 > 1400 at node 2 */
    hd_sim_run(s, HD_SEC(3));
    assert_int_equal(state(s, 0)->reports[HD_REPORT_TOO_BIG], 1);
    assert_int_equal(state(s, 0)->last_report.value, 1400);
    hd_sim_send_packet(s, 0, 3, 1356, flow);
    hd_sim_run(s, HD_SEC(4));
    assert_int_equal(hd_sim_flow(s, flow)->arrived, 1);
    struct tc_command c = {.label = label(2)};
    tell(s, 2, TC_DEL_LABEL, &c);
    hd_sim_run(s, HD_SEC(5));
    hd_sim_send_packet(s, 0, 3, 100, flow);
    hd_sim_run(s, HD_SEC(6));
    assert_int_equal(state(s, 2)->reports[HD_REPORT_LABEL_UNKNOWN], 1);
    struct hd_ip6 source = hd_sim_address(s, 0), got = state(s, 2)->last_report.source;
    assert_memory_equal(&got, &source, sizeof source);
    assert_memory_equal(&state(s, 2)->last_report.label, &c.label, sizeof c.label);
    c.adj = adj_to(s, 1, 2);
    tell(s, 1, TC_SET_ADJ_DOWN, &c);
    hd_sim_run(s, HD_SEC(7));
    hd_sim_send_packet(s, 0, 3, 100, flow);
    hd_sim_run(s, HD_SEC(8));
    assert_int_equal(state(s, 1)->reports[HD_REPORT_EGRESS_DEAD], 1);
    hd_sim_cut(s, 0); /* carrier gone: noticed before any input tells */
    hd_sim_send_packet(s, 0, 3, 100, flow);
    hd_sim_run(s, hd_sim_now(s));
    assert_int_equal(state(s, 0)->reports[HD_REPORT_EGRESS_DEAD], 1);
    struct hd_ip6 nowhere = {{0xfc, 0, 1}};
    c.to = nowhere;
    tell(s, 0, TC_SEND_ROUTED, &c);
    hd_sim_run(s, HD_SEC(9));
    assert_int_equal(state(s, 0)->reports[HD_REPORT_NO_ROUTE], 1);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

/* In a square 0-1-3, 0-2-3 the path moves: old value in force for exactly the installation time. */
static void test_old_value_in_force(void **unused)
{
    struct hd_scenario *sc = scenario("ring:4"); /* 0-1-2-3-0; from 0 to 2 over 1 or 3 */
    struct hd_sim_options o = options();
    struct hd_sim *s = make(sc, &o);
    struct hd_sim_walk w;
    struct tc_command c = {0};
    hd_sim_run(s, HD_SEC(1));
    c.label = label(9);
    c.label_value = (struct hd_label_value){.act = HD_LABEL_DECAP};
    tell(s, 2, TC_SET_LABEL, &c);
    hd_sim_walk_pair(s, 2, 0, &w);
    for (uint32_t via = 1; via <= 3; via += 2) {
        c.label = label((uint8_t)via);
        c.label_value = (struct hd_label_value){
            .act = HD_LABEL_SWAP, .adj = adj_to(s, via, 2), .out = label(9)};
        tell(s, via, TC_SET_LABEL, &c);
    }
    c.route = (struct hd_route_key){.prefix = hd_sim_address(s, 2), .len = 128};
    c.route_value =
        (struct hd_route_value){.act = HD_ROUTE_ENCAP, .adj = adj_to(s, 0, 1), .out = label(1)};
    tell(s, 0, TC_SET_ROUTE, &c);
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_NO_ROUTE); /* wanted, not yet in force */
    hd_time t = hd_sim_now(s);
    hd_sim_run(s, t + HD_US(100) - 1);
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_NO_ROUTE);
    hd_sim_run(s, t + HD_US(100));
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_ARRIVED);
    assert_int_equal(w.nodes[1], 1);

    c.route_value =
        (struct hd_route_value){.act = HD_ROUTE_ENCAP, .adj = adj_to(s, 0, 3), .out = label(3)};
    t = hd_sim_now(s);
    tell(s, 0, TC_SET_ROUTE, &c);
    hd_sim_run(s, t + HD_US(60));
    /* changed again while the first change is under way: each comes into force in its turn */
    struct hd_route_value dead = {.act = HD_ROUTE_UNREACHABLE};
    struct tc_command c2 = c;
    c2.route_value = dead;
    tell(s, 0, TC_SET_ROUTE, &c2);
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.nodes[1], 1);
    hd_sim_run(s, t + HD_US(100));
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_ARRIVED);
    assert_int_equal(w.nodes[1], 3);
    hd_sim_run(s, t + HD_US(160));
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_UNREACHABLE);

    /* a deleted label works until its deletion is in force, and again when set meanwhile */
    c2.route_value = c.route_value;
    tell(s, 0, TC_SET_ROUTE, &c2);
    hd_sim_run(s, t + HD_MS(1));
    c.label = label(3);
    c.label_value =
        (struct hd_label_value){.act = HD_LABEL_SWAP, .adj = adj_to(s, 3, 2), .out = label(9)};
    t = hd_sim_now(s);
    tell(s, 3, TC_DEL_LABEL, &c);
    hd_sim_run(s, t + HD_US(50));
    tell(s, 3, TC_SET_LABEL, &c);
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_ARRIVED);
    hd_sim_run(s, t + HD_US(120));
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_LABEL_UNKNOWN);
    hd_sim_run(s, t + HD_US(150));
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_ARRIVED);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

static void test_send_waits_for_the_model(void **unused)
{
    struct hd_scenario *sc = scenario("line:2");
    struct hd_sim_options o = options();
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(1));
    struct tc_command c = {.ifindex = 1, .to = {{0xff, 2, [15] = 1}}, .wait = true};
    hd_time t = hd_sim_now(s);
    c.label = label(7);
    c.label_value = (struct hd_label_value){.act = HD_LABEL_DECAP};
    tell(s, 0, TC_SET_LABEL, &c);
    tell(s, 0, TC_SEND, &c);
    hd_sim_run(s, HD_SEC(2));
    assert_int_equal(state(s, 1)->last_datagram_at, t + HD_US(100) + HD_MS(1));
    t = hd_sim_now(s);
    tell(s, 0, TC_SEND, &c); /* nothing outstanding: at once */
    hd_sim_run(s, HD_SEC(3));
    assert_int_equal(state(s, 1)->last_datagram_at, t + HD_MS(1));
    hd_sim_free(s);
    hd_scenario_free(sc);
}

static void test_admission(void **unused)
{
    struct hd_scenario *sc = scenario("line:2");
    struct hd_sim_options o = options();
    sc->nodes[0].key = 5; /* 0 does not accept 1's hellos, so it has no adjacency for it */
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(1));
    uint32_t flow = hd_sim_add_flow(s, 1, 0);
    assert_int_equal(state(s, 1)->neighbour_count, 1);
    hd_sim_send_packet(s, 1, 0, 100, flow);
    hd_sim_run(s, HD_SEC(2));
    assert_int_equal(hd_sim_flow(s, flow)->fates[HD_SIM_NOT_ADMITTED], 1);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

/* --- life and death ------------------------------------------------------------------------------
 */

static void test_restart_with_saved_values(void **unused)
{
    struct hd_scenario *sc = scenario("line:3");
    struct hd_sim_options o = options();
    struct hd_sim *s = make(sc, &o);
    struct tc_command c = {0};
    struct hd_sim_walk w;
    hd_sim_run(s, HD_SEC(1));
    tell(s, 1, TC_SAVE, &c);
    hd_sim_run(s, HD_SEC(2));
    assert_int_equal(state(s, 1)->saved_done, 1);
    install_path(s, 3);
    hd_sim_run(s, HD_SEC(3));
    hd_sim_kill(s, 1, HD_SIM_DEATH_PROCESS);
    assert_null(hd_sim_router(s, 1));
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_ARRIVED); /* forwarding goes on without the process */
    hd_sim_run(s, HD_SEC(4));
    hd_sim_start(s, 1);
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_ARRIVED);
    assert_int_equal(state(s, 1)->boots, 2);
    assert_true(state(s, 1)->resumed);
    assert_int_equal(state(s, 1)->adopted, 1);
    hd_sim_kill(s, 1, HD_SIM_DEATH_SILENT);
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_NODE_DEAD);
    hd_sim_run(s, HD_SEC(5));
    assert_int_equal(state(s, 0)->interfaces_down, 0);
    hd_sim_start(s, 1);
    assert_false(state(s, 1)->resumed);
    assert_int_equal(state(s, 1)->adopted, 0);
    assert_int_equal(state(s, 1)->boots, 2);
    hd_sim_kill(s, 1, HD_SIM_DEATH_POWER);
    hd_sim_run(s, HD_SEC(6));
    assert_int_equal(state(s, 0)->interfaces_down, 1);
    hd_sim_start(s, 1);
    hd_sim_run(s, HD_SEC(7));
    assert_int_equal(state(s, 0)->interfaces_up, 2);
    assert_int_equal(state(s, 1)->interfaces_up, 2);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

static void test_work_takes_time(void **unused)
{
    struct hd_scenario *sc = scenario("line:2");
    struct hd_sim_options o = options();
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(1));
    struct tc_command c = {.units = 1000};
    hd_time t = hd_sim_now(s);
    tell(s, 0, TC_WORK, &c);
    hd_sim_run(s, HD_SEC(2));
    assert_int_equal(state(s, 0)->work_calls, 7); /* slices of 150 */
    assert_int_equal(state(s, 0)->work_done_at, t + 6 * HD_US(150));
    hd_sim_free(s);
    hd_scenario_free(sc);
}

static void test_clock_skew(void **unused)
{
    struct hd_scenario *sc = scenario("line:2");
    struct hd_sim_options o = options();
    o.start_jitter_ns = 0;
    sc->nodes[0].skew_ppm = 100000;
    sc->nodes[1].skew_ppm = -100000;
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(10));
    assert_in_range(state(s, 0)->ticks, 109, 110); /* armed after each tick: rounding adds up */
    assert_in_range(state(s, 1)->ticks, 89, 90);
    assert_false(state(s, 0)->order_broken || state(s, 1)->order_broken);
    assert_null(hd_sim_failure(s));
    hd_sim_free(s);
    hd_scenario_free(sc);
}

static void lie(void *user, struct hd_sim *s, struct hd_sim_outgoing *m)
{
    (*(unsigned *)user)++;
    m->bytes[0] = 99;
    m->len = 3;
}

static void test_lying_node(void **unused)
{
    struct hd_scenario *sc = scenario("line:2");
    struct hd_sim_options o = options();
    unsigned lies = 0;
    o.hooks.user = &lies;
    o.hooks.lie = lie;
    struct hd_sim *s = make(sc, &o);
    hd_sim_set_lying(s, 0, true);
    hd_sim_run(s, HD_SEC(1));
    assert_true(lies > 0);
    assert_int_equal(state(s, 1)->neighbour_count, 0);
    assert_true(state(s, 1)->datagrams > 0);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

/* A start without memory is tried again. */
static void test_tiny_region(void **unused)
{
    struct hd_scenario *sc = scenario("line:2");
    struct hd_sim_options o = options();
    o.region_bytes = 1024;
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_MS(2500));
    assert_null(hd_sim_router(s, 0));
    assert_int_equal(hd_sim_stats(s)->start_failures, 6);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

/* --- checks --------------------------------------------------------------------------------------
 */

static void test_a_loop_is_found(void **unused)
{
    struct hd_scenario *sc = scenario("line:3");
    struct hd_sim_options o = options();
    struct hd_sim_checks checks;
    struct hd_sim_walk w;
    struct tc_command c = {0};
    struct hd_sim *s = make(sc, &o);
    hd_sim_checks_default(&checks);
    hd_sim_set_checks(s, &checks);
    hd_sim_run(s, HD_SEC(1));
    assert_null(hd_sim_failure(s));
    c.route = (struct hd_route_key){.prefix = hd_sim_address(s, 2), .len = 128};
    c.route_value = (struct hd_route_value){.act = HD_ROUTE_DIRECT, .adj = adj_to(s, 0, 1)};
    tell(s, 0, TC_SET_ROUTE, &c);
    c.route_value.adj = adj_to(s, 1, 0);
    tell(s, 1, TC_SET_ROUTE, &c);
    assert_null(hd_sim_failure(s));
    assert_false(hd_sim_run_checked(s, HD_SEC(2)));
    assert_non_null(strstr(hd_sim_failure(s), "goes round"));
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.fate, HD_SIM_LOOP);
    /* and a real packet dies of its hop limit */
    uint32_t flow = hd_sim_add_flow(s, 0, 2);
    hd_sim_send_packet(s, 0, 2, 100, flow);
    hd_sim_run(s, HD_SEC(3));
    assert_int_equal(hd_sim_flow(s, flow)->fates[HD_SIM_HOP_LIMIT], 1);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

static void test_a_black_hole_is_found(void **unused)
{
    struct hd_scenario *sc = scenario("line:3");
    struct hd_sim_options o = options();
    struct hd_sim_checks checks;
    struct hd_sim_reach r;
    struct hd_sim *s = make(sc, &o);
    hd_sim_checks_default(&checks);
    checks.reach_bound_ns = HD_SEC(2);
    hd_sim_set_checks(s, &checks);
    assert_true(hd_sim_run_checked(s, HD_SEC(2)));
    assert_false(hd_sim_run_checked(s, HD_SEC(3))); /* 0 and 2 never reach each other */
    assert_non_null(strstr(hd_sim_failure(s), "4 of 6 connected pairs"));
    hd_sim_reach(s, 0, 1, &r);
    assert_int_equal(r.connected, 6);
    assert_int_equal(r.arrived, 4);
    assert_int_equal(r.fates[HD_SIM_NO_ROUTE], 2);
    assert_int_equal(r.stretch_max, 1000);
    hd_sim_cut(s, 1);
    hd_sim_reach(s, 0, 1, &r);
    assert_int_equal(r.connected, 2);
    assert_int_equal(r.arrived, 2);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

/* --- the sample core -----------------------------------------------------------------------------
 */

static void *sample_config(void *user, struct hd_sim *s, uint32_t node, uint8_t core, uint32_t *len)
{
    struct hd_sample_config *c = malloc(sizeof *c);
    hd_sample_config_default(c);
    c->node = node + 1;
    *len = sizeof *c;
    return c;
}

/* Only neighbours can reach each other by the sample core: all of them do, and again after faults.
 */
static void test_sample_neighbours(void **unused)
{
    struct hd_scenario *sc = scenario("grid:4x4");
    struct hd_sim_options o = options();
    struct hd_sim_walk w;
    o.cores[0] = HD_CORE_SAMPLE;
    o.config = sample_config;
    o.seed = test_seed(__func__);
    struct hd_sim *s = make(sc, &o);
    for (uint32_t i = 0; i < sc->node_count; i++) {
        struct hd_ip6 a = hd_sample_address(i + 1);
        hd_sim_set_address(s, i, &a);
    }
    hd_sim_run(s, HD_SEC(2));
    hd_sim_cut(s, 0);
    hd_sim_kill(s, 5, HD_SIM_DEATH_SILENT);
    hd_sim_run(s, HD_SEC(8));
    for (uint32_t l = 0; l < sc->link_count; l++) {
        hd_sim_walk_pair(s, sc->links[l].a, sc->links[l].b, &w);
        bool dead = sc->links[l].a == 5 || sc->links[l].b == 5;
        if (l == 0 || dead) {
            assert_int_not_equal(w.fate, HD_SIM_ARRIVED);
            continue;
        }
        /* neighbours know each other but not themselves: the packet reaches the node and stops */
        assert_int_equal(w.at, sc->links[l].b);
        assert_int_equal(w.hops, 1);
    }
    hd_sim_heal(s, 0);
    hd_sim_start(s, 5);
    hd_sim_run(s, HD_SEC(10));
    for (uint32_t l = 0; l < sc->link_count; l++) {
        hd_sim_walk_pair(s, sc->links[l].a, sc->links[l].b, &w);
        assert_int_equal(w.at, sc->links[l].b);
    }
    hd_sim_free(s);
    hd_scenario_free(sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_seeds_equal_runs),
        cmocka_unit_test(test_queue_against_a_sorted_list),
        cmocka_unit_test(test_cut_is_noticed_and_silence_is_not),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_rate_and_queue),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_labels_along_a_line),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_old_value_in_force),
        cmocka_unit_test(test_send_waits_for_the_model),
        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_restart_with_saved_values),
        cmocka_unit_test(test_work_takes_time),
        cmocka_unit_test(test_clock_skew),
        cmocka_unit_test(test_lying_node),
        cmocka_unit_test(test_tiny_region),
        cmocka_unit_test(test_a_loop_is_found),
        cmocka_unit_test(test_a_black_hole_is_found),
        cmocka_unit_test(test_sample_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

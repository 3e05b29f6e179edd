/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What KIRA promises without anybody sending a packet: full reachability soon after the start, in
 * any shape of network, and when a hub grows; completeness of the last bucket, beside an oracle
 * that knows all identifiers; and one network again when two halves meet.
 */
#include "core/kira/state.h"
#include "scenario/scenario.h"
#include "sim/sim.h"
#include "support/test.h"

static struct hd_scenario *scenario(const char *text, uint64_t seed)
{
    char err[HD_SCENARIO_ERROR];
    struct hd_scenario *sc;

    if (hd_scenario_generate(text, seed, &sc, err, sizeof err) != 0)
        fail_msg("%s", err);
    for (uint32_t i = 0; i < sc->link_count; i++)
        sc->links[i].delay_ns = HD_MS(1);
    return sc;
}

static struct hd_sim *make(const struct hd_scenario *sc, uint64_t seed)
{
    char err[HD_SCENARIO_ERROR];
    struct hd_sim_options o;
    struct hd_sim *s;

    hd_sim_options_default(&o);
    o.seed = seed;
    o.config = hd_sim_kira_config;
    o.pool_max_bytes = (size_t)8 << 20;
    if (hd_sim_create(&s, sc, &o, err, sizeof err) != 0)
        fail_msg("%s", err);
    return s;
}

static void expect_all(struct hd_sim *s, const char *what)
{
    struct hd_sim_reach r;

    hd_sim_reach(s, 0, 1, &r);
    assert_true(r.connected > 0);
    assert_int_equal(hd_sim_stats(s)->packets_sent, 0); /* nobody helped */
    if (r.arrived < r.connected)
        fail_msg("%s: %llu of %llu pairs; node %u to node %u: %s at node %u", what,
                 (unsigned long long)r.arrived, (unsigned long long)r.connected, r.bad_from,
                 r.bad_to, hd_sim_fate_name(r.bad_fate), r.bad_at);
}

static void test_reachable_without_traffic(void **unused)
{
    static const char *const shapes[] = {"ba:100,2",   "er:100,4", "ws:100,4,0.1",
                                         "grid:10x10", "ring:40",  "fat-tree:8"};
    uint64_t seed = test_seed(__func__);

    for (unsigned i = 0; i < HD_ARRAY_LEN(shapes); i++) {
        struct hd_scenario *sc = scenario(shapes[i], seed + i);
        struct hd_sim *s = make(sc, seed + i);
        hd_sim_run(s, HD_SEC(20));
        expect_all(s, shapes[i]);
        hd_sim_free(s);
        hd_scenario_free(sc);
    }
}

/* --- completeness of the last bucket -------------------------------------------------------------
 */

static bool knows(struct hd_sim *s, uint32_t node, const struct hd_id *id)
{
    struct hd_router *r = hd_sim_router(s, node);
    struct kira *k = hd_router_core_state(r, HD_CORE_KIRA);
    hd_node n = hd_ids_find(hd_router_ids(r), id);

    return n != 0 && (kira_uln_alive(k, n) || kira_contact_find(k, n) != NULL);
}

/* Every node that shares at least buckets - 1 bits belongs into the last bucket. */
static void test_last_bucket_is_complete(void **unused)
{
    uint64_t seed = test_seed(__func__);
    struct hd_scenario *sc = scenario("ba:200,2", seed);
    struct hd_sim *s = make(sc, seed);
    uint32_t looked = 0, buckets = 0;

    hd_sim_run(s, HD_SEC(60));
    for (uint32_t a = 0; a < hd_sim_node_count(s); a++) {
        struct kira *k = hd_router_core_state(hd_sim_router(s, a), HD_CORE_KIRA);
        buckets += k->buckets;
        for (uint32_t b = 0; b < hd_sim_node_count(s); b++) {
            if (a == b || hd_id_shared_bits(&k->id, hd_sim_id(s, b)) + 1u < k->buckets)
                continue;
            looked++;
            if (!knows(s, a, hd_sim_id(s, b)))
                fail_msg("node %u does not know node %u of its last bucket (%u buckets)", a, b,
                         k->buckets);
        }
    }
    assert_true(buckets > 2 * hd_sim_node_count(s)); /* there was something to be complete */
    assert_true(looked > 5 * hd_sim_node_count(s));
    expect_all(s, "ba:200,2");
    hd_sim_free(s);
    hd_scenario_free(sc);
}

/* --- a hub that grows ----------------------------------------------------------------------------
 */

#define SPOKES 100
#define LEAVES 30

/*
 * Node 0 is the hub, then come its spokes, and a leaf behind each of the first. The leaves read the
 * list of the hub while it is small, and nothing changes at their own neighbour when it grows: that
 * there is no label for some paths any more they have to learn all the same (doc/decisions/0022).
 */
static void test_hub_grows_unseen(void **unused)
{
    uint64_t seed = test_seed(__func__);
    struct hd_scenario *sc = scenario("star:131", seed);

    assert_int_equal(sc->link_count, SPOKES + LEAVES);
    for (uint32_t i = 0; i < LEAVES; i++) {
        sc->links[SPOKES + i].a = 1 + i;
        sc->links[SPOKES + i].b = 1 + SPOKES + i;
    }
    struct hd_sim *s = make(sc, seed);
    for (uint32_t i = LEAVES + 10; i < SPOKES; i++)
        hd_sim_cut(s, i);
    hd_sim_run(s, HD_SEC(20));
    expect_all(s, "a small hub");
    for (uint32_t i = LEAVES + 10; i < SPOKES; i++)
        hd_sim_heal(s, i);
    hd_sim_run(s, HD_SEC(40));
    expect_all(s, "a hub that grew");
    hd_sim_free(s);
    hd_scenario_free(sc);
}

/* --- two halves ----------------------------------------------------------------------------------
 */

static void test_halves_become_one(void **unused)
{
    uint64_t seed = test_seed(__func__);
    struct hd_scenario *sc = scenario("grid:8x6", seed);
    struct hd_sim *s = make(sc, seed);
    uint32_t cut[8], n = 0;

    for (uint32_t i = 0; i < sc->link_count; i++) /* between columns 3 and 4 */
        if (sc->links[i].a % 8 == 3 && sc->links[i].b % 8 == 4)
            cut[n++] = i;
    assert_int_equal(n, 6);
    for (uint32_t i = 0; i < n; i++)
        hd_sim_cut(s, cut[i]);
    hd_sim_run(s, HD_SEC(30)); /* each half is a network of its own, and quiet */
    expect_all(s, "two halves");
    for (unsigned round = 0; round < 2; round++) {
        hd_sim_heal(s, cut[round]); /* one link is enough */
        hd_sim_run(s, hd_sim_now(s) + HD_SEC(20));
        expect_all(s, "halves joined");
        hd_sim_cut(s, cut[round]);
        hd_sim_run(s, hd_sim_now(s) + HD_SEC(90)); /* longer than failures are remembered */
        expect_all(s, "halves parted");
    }
    for (uint32_t i = 0; i < n; i++)
        hd_sim_heal(s, cut[i]);
    hd_sim_run(s, hd_sim_now(s) + HD_SEC(20));
    expect_all(s, "whole again");
    hd_sim_free(s);
    hd_scenario_free(sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reachable_without_traffic),
        cmocka_unit_test(test_last_bucket_is_complete),
        cmocka_unit_test(test_hub_grows_unseen),
        cmocka_unit_test(test_halves_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

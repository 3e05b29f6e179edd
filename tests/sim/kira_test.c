/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KIRA in small simulated networks: it joins and repairs, a run is a function of its seed whatever
 * the ID tables look like, and it survives the failure of each allocation in turn (craft.md, "How
 * it is proven", 3).
 */
#include "support/router_check.h"
#include "support/test.h"

#include "core/kira/kira.h"
#include "sim/sim.h"

#define VICTIM 2

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

static struct hd_sim *make(const struct hd_scenario *sc, const struct hd_sim_options *o)
{
    struct hd_sim_checks checks;
    char err[128];
    struct hd_sim *s;
    if (hd_sim_create(&s, sc, o, err, sizeof err) != 0)
        fail_msg("%s", err);
    hd_sim_checks_default(&checks);
    checks.reach_bound_ns = HD_SEC(1000); /* looks and probes; the tests judge themselves */
    hd_sim_set_checks(s, &checks);
    return s;
}

static uint64_t failing_after; /* for the message */

static void expect_all_pairs(struct hd_sim *s, hd_time within)
{
    hd_time end = hd_sim_now(s) + within;
    struct hd_sim_reach r;
    do {
        hd_sim_run(s, hd_sim_now(s) + HD_MS(50));
        hd_sim_reach(s, 0, 1, &r);
    } while (r.arrived < r.connected && hd_sim_now(s) < end);
    if (r.arrived < r.connected)
        fail_msg("(sweep: %llu) %llu of %llu pairs; node %u to node %u: %s at node %u",
                 (unsigned long long)failing_after, (unsigned long long)r.arrived,
                 (unsigned long long)r.connected, r.bad_from, r.bad_to,
                 hd_sim_fate_name(r.bad_fate), r.bad_at);
    assert_null(hd_sim_failure(s));
}

static struct hd_sim_options options(uint64_t seed)
{
    struct hd_sim_options o;
    hd_sim_options_default(&o);
    o.seed = seed;
    o.config = hd_sim_kira_config;
    return o;
}

static void test_join_and_repair(void **unused)
{
    struct hd_scenario *sc = scenario("ring:5");
    struct hd_sim_options o = options(test_seed(__func__));
    struct hd_sim *s = make(sc, &o);
    struct hd_sim_walk w;
    expect_all_pairs(s, HD_SEC(2));
    hd_sim_run(s, hd_sim_now(s) + HD_SEC(3)); /* working comes first, the shortest way later */
    hd_sim_walk_pair(s, 0, 2, &w);
    assert_int_equal(w.hops, 2);
    hd_sim_cut(s, hd_scenario_find_link(sc, 0, 1, 0));
    expect_all_pairs(s, HD_SEC(2));
    hd_sim_run(s, hd_sim_now(s) + HD_SEC(3));
    hd_sim_walk_pair(s, 0, 1, &w);
    assert_int_equal(w.hops, 4);
    hd_sim_silence(s, hd_scenario_find_link(sc, 2, 3, 0), 3); /* two parts: 1-2 and 3-4-0 */
    hd_sim_run(s, hd_sim_now(s) + HD_SEC(5));
    expect_all_pairs(s, HD_SEC(10));
    /* a link that comes back without a carrier event is found by the next hello, 45 s at most */
    hd_sim_heal(s, hd_scenario_find_link(sc, 2, 3, 0));
    expect_all_pairs(s, HD_SEC(60));
    hd_sim_kill(s, 4, HD_SIM_DEATH_POWER);
    hd_sim_heal(s, hd_scenario_find_link(sc, 0, 1, 0));
    expect_all_pairs(s, HD_SEC(10));
    hd_sim_free(s);
    hd_scenario_free(sc);
}

static uint64_t run_digest(uint64_t seed, bool shared_ids)
{
    struct hd_scenario *sc = scenario("grid:4x3");
    struct hd_sim_options o = options(seed);
    o.shared_ids = shared_ids;
    for (uint32_t i = 0; i < sc->link_count; i++)
        sc->links[i].loss_ppm = 10000;
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(3));
    hd_sim_cut(s, 2);
    hd_sim_run(s, HD_SEC(5));
    hd_sim_kill(s, 5, HD_SIM_DEATH_SILENT);
    hd_sim_run(s, HD_SEC(8));
    uint64_t d = hd_sim_digest(s);
    hd_sim_free(s);
    hd_scenario_free(sc);
    return d;
}

/* Handles say nothing about order: private and shared ID tables give the same run to the byte. */
static void test_run_is_a_function_of_its_seed(void **unused)
{
    uint64_t seed = test_seed(__func__);
    assert_int_equal(run_digest(seed, true), run_digest(seed, true));
    assert_int_equal(run_digest(seed, true), run_digest(seed, false));
    assert_int_not_equal(run_digest(seed, true), run_digest(seed + 1, true));
}

/* --- allocations that fail -----------------------------------------------------------------------
 */

struct sweep {
    uint64_t after; /* allocations that succeed */
    bool lasting;   /* all further ones fail, until told otherwise */
    bool armed, failed, over;
};

static void settled(void *user, struct hd_sim *s, uint32_t node)
{
    struct sweep *sw = user;
    if (node != VICTIM || hd_sim_router(s, node) == NULL)
        return;
    struct hd_pool *p = hd_router_pool(hd_sim_router(s, node));
    if (!sw->armed && !sw->over) {
        sw->armed = true;
        p->fail_after = sw->after;
    }
    sw->failed |= p->failures > 0;
    if (sw->over || (sw->failed && !sw->lasting))
        p->fail_after = UINT64_MAX;
    check_model(hd_router_model(hd_sim_router(s, node)));
    check_pool(p);
}

/*
 * A core that had no memory for an interface hears of it again when it changes: the driver tells
 * news once. After a lasting lack of memory the cables are pulled and put back.
 */
static void replug(struct hd_sim *s, const struct hd_scenario *sc)
{
    for (unsigned put = 0; put < 2; put++) {
        for (uint32_t l = 0; l < sc->link_count; l++) {
            if (sc->links[l].a != VICTIM && sc->links[l].b != VICTIM)
                continue;
            if (put)
                hd_sim_heal(s, l);
            else
                hd_sim_cut(s, l);
        }
        hd_sim_run(s, hd_sim_now(s) + HD_MS(100));
    }
}

/* Join, a cut beside the victim, repair; then memory again, and everything must work. */
static bool sweep_once(uint64_t after, bool lasting, uint64_t seed)
{
    struct sweep sw = {.after = after, .lasting = lasting};
    failing_after = after;
    struct hd_scenario *sc = scenario("ring:5");
    struct hd_sim_options o = options(seed);
    o.shared_ids = false;
    o.hooks.user = &sw;
    o.hooks.settled = settled;
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(1));
    hd_sim_cut(s, hd_scenario_find_link(sc, 1, 2, 0));
    hd_sim_run(s, HD_SEC(2));
    hd_sim_heal(s, hd_scenario_find_link(sc, 1, 2, 0));
    hd_sim_run(s, HD_SEC(3));
    sw.over = true;
    if (hd_sim_router(s, VICTIM) != NULL)
        hd_router_pool(hd_sim_router(s, VICTIM))->fail_after = UINT64_MAX;
    if (lasting)
        replug(s, sc);
    expect_all_pairs(s, HD_SEC(60));
    hd_sim_free(s);
    hd_scenario_free(sc);
    return sw.failed;
}

/* HD_SWEEP=full fails every single one; otherwise they get sparser after the first hundred. */
static void sweep(bool lasting, uint64_t seed)
{
    bool full = getenv("HD_SWEEP") != NULL;
    uint64_t n = 0, runs = 0;
    while (sweep_once(n, lasting, seed)) {
        runs++;
        n += full || n < 100 ? 1 : 1 + n / 16;
        if (runs % 50 == 0)
            print_message("allocation %llu\n", (unsigned long long)n);
    }
    print_message("%llu runs, the last allocation is below number %llu\n", (unsigned long long)runs,
                  (unsigned long long)n);
    assert_true(n > 50);
}

static void test_one_allocation_fails(void **unused)
{
    sweep(false, test_seed(__func__));
}

static void test_all_further_allocations_fail(void **unused)
{
    sweep(true, test_seed(__func__));
}

/* A ring with one end system: its neighbours reach each other the long way round. */
static void test_end_system(void **state)
{
    (void)state;
    struct hd_sim_options o = options(7);
    struct hd_scenario *sc = scenario("ring:8");
    sc->nodes[3].end_system = true;
    struct hd_sim *s = make(sc, &o);
    expect_all_pairs(s, HD_SEC(10));
    for (uint32_t a = 0; a < sc->node_count; a++)
        for (uint32_t b = 0; b < sc->node_count; b++) {
            struct hd_sim_walk w = {0};
            if (a == b)
                continue;
            hd_sim_walk_pair(s, a, b, &w);
            assert_int_equal(w.fate, HD_SIM_ARRIVED);
            for (uint32_t i = 1; i + 1 < w.node_count; i++)
                assert_int_not_equal(w.nodes[i], 3);
        }
    hd_sim_free(s);
    hd_scenario_free(sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end_system),
        cmocka_unit_test(test_join_and_repair),
        cmocka_unit_test(test_run_is_a_function_of_its_seed),
        cmocka_unit_test(test_one_allocation_fails),
        cmocka_unit_test(test_all_further_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

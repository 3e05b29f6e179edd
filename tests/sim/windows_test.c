/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: however many run a simulation, the same happens, to the byte. Random networks with
 * random faults, deaths, bad links and probes, with the real KIRA, each by one to four workers.
 */
#include "support/test.h"

#include "sim/run.h"

#define SECONDS 4

struct outcome {
    uint64_t digest, inputs, sent, bytes, hops, changes;
    uint64_t arrived, lost;
    uint64_t workers; /* no hole in the struct: it is compared as bytes */
};

static uint32_t below(struct hd_random *r, uint32_t bound)
{
    return (uint32_t)hd_random_below(r, bound);
}

static struct hd_scenario *topology(struct hd_random *r, uint64_t seed)
{
    static const char *const texts[] = {"ba:60,2", "grid:8x8", "er:70,4", "ws:50,4,0.1", "ring:40"};
    char err[HD_SCENARIO_ERROR];
    struct hd_scenario *sc;
    if (hd_scenario_generate(texts[below(r, HD_ARRAY_LEN(texts))], seed, &sc, err, sizeof err) != 0)
        fail_msg("%s", err);
    return sc;
}

static void bad_links(struct hd_scenario *sc, struct hd_random *r)
{
    for (uint32_t i = 0; i < sc->link_count; i++) {
        struct hd_scenario_link *l = &sc->links[i];
        l->delay_ns = HD_US(200 + below(r, 3000));
        l->jitter_ns = HD_US(below(r, 300));
        l->loss_ppm = below(r, 20000);
        l->duplicate_ppm = l->reorder_ppm = l->corrupt_ppm = below(r, 3000);
        if (below(r, 4) == 0)
            l->rate_bps = 2000000;
    }
    for (uint32_t i = 0; i < sc->node_count; i++)
        sc->nodes[i].skew_ppm = (int32_t)below(r, 200) - 100;
}

static void faults(struct hd_scenario *sc, struct hd_random *r)
{
    for (unsigned i = 0; i < 30; i++) {
        enum hd_scenario_action action = (enum hd_scenario_action)(1 + below(r, 8));
        struct hd_scenario_event *e =
            hd_scenario_add_event(sc, HD_MS(1000 + below(r, 1000 * (SECONDS - 1))), action);
        e->link = below(r, sc->link_count);
        e->node = below(r, sc->node_count);
        e->resumed = below(r, 2) == 1;
        if (action == HD_SCENARIO_CHANGE) {
            e->fields = HD_SCENARIO_F_DELAY | HD_SCENARIO_F_LOSS | HD_SCENARIO_F_MTU;
            e->change.delay_ns = HD_US(150 + below(r, 1000));
            e->change.mtu = 1280 + below(r, 300);
        }
    }
    for (unsigned i = 0; i < 10; i++) {
        struct hd_scenario_probe *p =
            hd_scenario_add_probe(sc, below(r, sc->node_count), below(r, sc->node_count));
        p->interval_ns = HD_MS(7);
        p->start_ns = HD_MS(500);
        p->stop_ns = HD_NEVER;
        p->size = 100 + below(r, 1300);
    }
    hd_scenario_sort(sc);
}

static struct hd_scenario *scenario(uint64_t seed)
{
    struct hd_random r;
    hd_random_seed(&r, seed, 1);
    struct hd_scenario *sc = topology(&r, seed);
    bad_links(sc, &r);
    faults(sc, &r);
    return sc;
}

static struct outcome run(const struct hd_scenario *sc, uint64_t seed, uint32_t workers, bool loops)
{
    struct hd_sim_options o;
    struct hd_sim_checks checks;
    struct hd_sim *s;
    char err[200];
    struct outcome out;
    hd_sim_options_default(&o);
    o.seed = seed;
    o.config = hd_sim_kira_config;
    o.workers = workers;
    if (hd_sim_create(&s, sc, &o, err, sizeof err) != 0)
        fail_msg("%s", err);
    hd_sim_checks_default(&checks);
    checks.loops = loops;
    hd_sim_set_checks(s, &checks);
    for (hd_time t = 0; t < HD_SEC(SECONDS);)
        hd_sim_run(s, t += HD_MS(250));
    const struct hd_sim_stats *st = hd_sim_stats(s);
    out = (struct outcome){.digest = hd_sim_digest(s),
                           .inputs = st->inputs,
                           .sent = st->datagrams_sent,
                           .bytes = st->datagram_bytes,
                           .hops = st->packet_hops,
                           .changes = st->model_changes,
                           .workers = hd_sim_workers(s)};
    for (uint32_t i = 0; i < hd_sim_flow_count(s); i++) {
        out.arrived = out.arrived * 31 + hd_sim_flow(s, i)->arrived;
        for (unsigned f = 1; f < HD_SIM_FATES; f++)
            out.lost = out.lost * 31 + hd_sim_flow(s, i)->fates[f];
    }
    hd_sim_free(s);
    return out;
}

static void test_any_number_of_workers(void **unused)
{
    uint64_t seed = test_seed(__func__);
    const char *rounds = getenv("HD_ROUNDS");
    for (int i = 0; i < (rounds != NULL ? atoi(rounds) : 2); i++, seed++) {
        struct hd_scenario *sc = scenario(seed);
        struct outcome one = run(sc, seed, 1, true);
        assert_int_equal(one.workers, 1);
        assert_true(one.inputs > 10000 && one.hops > 100);
        for (uint32_t workers = 2; workers <= 4; workers++) {
            struct outcome more = run(sc, seed, workers, i % 2 == 0);
            assert_int_equal(more.workers, workers);
            more.workers = 1;
            if (memcmp(&one, &more, sizeof one) != 0)
                fail_msg("seed %llu, %s, %u workers: another run, %llu inputs and %llu",
                         (unsigned long long)seed, sc->origin, workers,
                         (unsigned long long)one.inputs, (unsigned long long)more.inputs);
        }
        hd_scenario_free(sc);
    }
}

/* Links of no delay leave no time for windows: one worker, whatever is asked for. */
static void test_short_links_get_one_worker(void **unused)
{
    struct hd_scenario *sc = scenario(1);
    for (uint32_t i = 0; i < sc->link_count; i++)
        sc->links[i].delay_ns = HD_US(50);
    struct outcome a = run(sc, 1, 4, false), b = run(sc, 1, 1, false);
    assert_int_equal(a.workers, 1);
    assert_int_equal(a.digest, b.digest);
    hd_scenario_free(sc);
}

static void test_more_workers_than_nodes(void **unused)
{
    char err[HD_SCENARIO_ERROR];
    struct hd_scenario *sc;
    if (hd_scenario_generate("line:2", 1, &sc, err, sizeof err) != 0)
        fail_msg("%s", err);
    sc->links[0].delay_ns = HD_MS(1);
    assert_int_equal(run(sc, 1, 8, false).workers, 2);
    hd_scenario_free(sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_number_of_workers),
        cmocka_unit_test(test_short_links_get_one_worker),
        cmocka_unit_test(test_more_workers_than_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

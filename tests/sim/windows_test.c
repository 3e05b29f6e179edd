/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: however many run a simulation, the same happens, to the byte. Random networks with
 * random faults, deaths, bad links and probes, with the real KIRA, each by one to four workers.
 */
#include "scenario_of_seed.h"

struct outcome {
    uint64_t digest, inputs, sent, bytes, hops, changes;
    uint64_t arrived, lost;
    uint64_t workers; /* no hole in the struct: it is compared as bytes */
};

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
        struct hd_scenario *sc = scenario_of_seed(seed);
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
    struct hd_scenario *sc = scenario_of_seed(1);
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

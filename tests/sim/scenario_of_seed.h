/* SPDX-License-Identifier: Apache-2.0 */
/* A network of a seed with bad links, faults of all kinds and probes, for tests of the engine. */
#ifndef HD_TESTS_SIM_SCENARIO_OF_SEED_H
#define HD_TESTS_SIM_SCENARIO_OF_SEED_H

#include "support/test.h"

#include "sim/run.h"

#define SECONDS 4

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

static struct hd_scenario *scenario_of_seed(uint64_t seed)
{
    struct hd_random r;
    hd_random_seed(&r, seed, 1);
    struct hd_scenario *sc = topology(&r, seed);
    bad_links(sc, &r);
    faults(sc, &r);
    return sc;
}

#endif

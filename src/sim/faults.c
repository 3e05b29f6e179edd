/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The faults that every network is measured by (spec/kira.md 9.3), at fixed shares of a run: in the
 * middle one link loses its carrier, then one node goes silent, then a tenth of the links are cut
 * at once, and near the end everything comes back.
 */
#include <stdlib.h>

#include "lib/base.h"
#include "lib/random.h"
#include "sim/queue.h"
#include "sim/run.h"

static void add(struct hd_scenario *sc, hd_time at, enum hd_scenario_action action, uint32_t node,
                uint32_t link)
{
    struct hd_scenario_event *e = hd_scenario_add_event(sc, at, action);
    HD_ASSERT(e != NULL);
    e->node = node;
    e->link = link;
}

void hd_sim_add_faults(struct hd_scenario *sc, uint64_t seed, hd_time until)
{
    struct hd_random random;
    hd_random_seed(&random, seed, 0xfa01);
    if (sc->link_count == 0)
        return;
    hd_time link_at = until * HD_SIM_FAULT_LINK / 100, node_at = until * HD_SIM_FAULT_NODE / 100;
    hd_time many_at = until * HD_SIM_FAULT_MANY / 100, back_at = until * HD_SIM_FAULT_BACK / 100;
    uint8_t *bad = hd_sim_alloc(sc->link_count, 1);
    uint32_t first = (uint32_t)hd_random_below(&random, sc->link_count);
    uint32_t node = (uint32_t)hd_random_below(&random, sc->node_count);
    bad[first] = 1;
    add(sc, link_at, HD_SCENARIO_CUT, HD_SCENARIO_NONE, first);
    add(sc, node_at, HD_SCENARIO_KILL, node, HD_SCENARIO_NONE);
    for (uint32_t left = HD_MAX(sc->link_count / 10, 1u); left > 0; left--) {
        uint32_t link = (uint32_t)hd_random_below(&random, sc->link_count);
        if (!bad[link])
            add(sc, many_at, HD_SCENARIO_CUT, HD_SCENARIO_NONE, link);
        bad[link] = 1;
    }
    for (uint32_t i = 0; i < sc->link_count; i++) {
        if (bad[i])
            add(sc, back_at, HD_SCENARIO_HEAL, HD_SCENARIO_NONE, i);
    }
    add(sc, back_at, HD_SCENARIO_START, node, HD_SCENARIO_NONE);
    hd_scenario_sort(sc);
    free(bad);
}

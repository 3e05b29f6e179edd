/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole run: until its end, with what is measured on the way, its expectations, and the report
 * that people and programs read. And runs of random scenarios, each from one seed.
 */
#ifndef HD_SIM_RUN_H
#define HD_SIM_RUN_H

#include "sim/sim.h"

#define HD_SIM_MARKS_MAX   24
#define HD_SIM_OUTAGES_MAX 256

struct hd_sim_mark {
    hd_time at;
    uint64_t arrived, connected;
};

struct hd_sim_outage {
    hd_time fault, repaired; /* HD_NEVER: not repaired, or the next fault came first */
    uint64_t worst_missing; /* most connected pairs that did not work at a look, of those sampled */
};

struct hd_sim_run {
    hd_time until, tick_ns;
    uint64_t sample; /* pairs per look; 0: all */
    struct hd_sim_mark marks[HD_SIM_MARKS_MAX];
    unsigned mark_count;
    struct hd_sim_outage outages[HD_SIM_OUTAGES_MAX];
    unsigned outage_count;
    hd_time converged_at; /* first look at which all connected pairs worked; HD_NEVER */
    uint64_t messages_at_convergence, bytes_at_convergence;
    struct hd_sim_reach last;
    uint64_t wall_us;
    char why[HD_SIM_WHY]; /* first expectation or check that failed; empty: none */
};

/* Runs to r->until (given), looking every tick; true when nothing failed. */
bool hd_sim_run_measured(struct hd_sim *s, const struct hd_scenario *sc, struct hd_sim_run *r);

void hd_sim_report_text(struct hd_sim *s, const struct hd_scenario *sc, const struct hd_sim_run *r);
/* 0, or HD_ENOMEM. */
HD_MUST_USE int hd_sim_report_json(struct hd_sim *s, const struct hd_scenario *sc,
                                   const struct hd_sim_run *r);

/* Prints what is known about a pair that does not work. */
void hd_sim_explain(struct hd_sim *s, uint32_t from, uint32_t to);
/* Prints KIRA's counters, summed over nodes. */
void hd_sim_print_counters(struct hd_sim *s);

struct hd_sim_random_options {
    uint64_t seed;
    hd_time bound_ns; /* after the last fault */
    int log_level;
    bool verbose;   /* print the schedule of each */
    bool no_probes; /* broken pairs must be repaired without packets that use them */
};

/*
 * Makes the scenario of a seed and runs it under all checks. true when they held; text says in one
 * line what it was and how it went.
 */
bool hd_sim_random_run(const struct hd_sim_random_options *o, char *text, size_t len);

/* The scenario alone; NULL without memory. power_off: how its killed nodes die. */
struct hd_scenario *hd_sim_random_scenario(uint64_t seed, bool *power_off);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run is measured by: a census of the living nodes, stretch over many pairs, and points of a
 * time series. All of it is read from outside, so measuring changes no run.
 */
#ifndef HD_SIM_MEASURE_H
#define HD_SIM_MEASURE_H

#include "sim/sim.h"

/* Mean and order statistics of one figure over nodes. */
struct hd_sim_spread {
    uint64_t mean, p50, p99, max;
};

/* One figure per living node, in the order of nodes. */
struct hd_sim_census {
    uint32_t living, cap;
    uint32_t *node, *degree, *contacts, *labels, *routes;
    uint32_t *set_up;                          /* of the labels, those that a message asked for */
    uint64_t *memory, *used, *sent, *received; /* bytes live, bytes ever used, messages */
};

/* Counts the living nodes; the arrays are kept for the next census. */
void hd_sim_census_take(struct hd_sim *s, const struct hd_scenario *sc, struct hd_sim_census *c);
void hd_sim_census_free(struct hd_sim_census *c);
void hd_sim_spread32(const uint32_t *v, uint32_t len, struct hd_sim_spread *out);
void hd_sim_spread64(const uint64_t *v, uint32_t len, struct hd_sim_spread *out);

/* Stretch of pairs that work, in thousandths; values are sorted. */
struct hd_sim_stretch {
    uint32_t *values;
    size_t len, cap;
    uint64_t exact; /* pairs on a shortest path */
    uint32_t mean, p50, p95, p99, max;
};

/*
 * Pairs at the end of a run (spec/kira.md 9.3). `contacts`: the source has a route to that very
 * node; `first`: it has not, so that prefixes lead there; `found`: pairs of `first` after packets
 * have used them for a while.
 */
struct hd_sim_pairs {
    uint64_t pairs, connected, arrived;
    struct hd_sim_stretch all, contacts, first, found;
};

/* About `sample` pairs (0: all) by the state in force now. */
void hd_sim_pairs_measure(struct hd_sim *s, uint64_t sample, uint64_t seed, struct hd_sim_pairs *p);
/*
 * Sends a packet for each of about `sample` pairs that only a prefix serves, runs on for `wait_ns`,
 * and measures them again into p->found.
 */
void hd_sim_pairs_discover(struct hd_sim *s, uint64_t sample, uint64_t seed, hd_time wait_ns,
                           struct hd_sim_pairs *p);
void hd_sim_pairs_free(struct hd_sim_pairs *p);

struct hd_sim_point {
    hd_time at;
    uint64_t connected, arrived;
    uint32_t stretch_mean, stretch_p95, stretch_p99;
    uint64_t events, wall_us;
    uint64_t messages, bytes;
    struct hd_sim_spread memory, labels, contacts, routes;
    uint64_t by_type[256]; /* messages since the start */
};

struct hd_sim_series {
    hd_time every_ns;
    struct hd_sim_point *v;
    size_t len, cap;
    struct hd_sim_census census;
};

/* A point of now. */
void hd_sim_series_add(struct hd_sim *s, const struct hd_scenario *sc,
                       const struct hd_sim_reach *last, uint64_t wall_us,
                       struct hd_sim_series *series);
void hd_sim_series_free(struct hd_sim_series *series);

#endif

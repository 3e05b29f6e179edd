/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that run one simulation together, each its share of the nodes; they may be on several
 * machines. All that the simulator asks of what joins them is this one call (mpi.c, for one).
 *
 * Each process makes the same simulation of the same scenario, with the same options, and makes the
 * same calls in the same order: hd_sim_run, hd_sim_reach, hd_sim_walk_pair, hd_sim_digest and
 * whatever rests on them wait for all. Each then has the same answer. Faults are told to all.
 * What lies within a router is to be had in its own process only.
 */
#ifndef HD_SIM_GROUP_H
#define HD_SIM_GROUP_H

#include <stddef.h>
#include <stdint.h>

#define HD_SIM_PROCESSES_MAX 64

struct hd_sim_piece {
    void *bytes;
    size_t len;
};

struct hd_sim_group {
    uint32_t rank, size; /* this one of how many */
    void *user;
    /*
     * Called by all: out[i] goes to process i, and in[i] came from there, this one's own included.
     * What came begins at multiples of 16 and stays until the next call. A process that is lost
     * ends all.
     */
    void (*exchange)(void *user, const struct hd_sim_piece *out, struct hd_sim_piece *in);
};

#endif

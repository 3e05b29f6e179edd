/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of heddle-sim, and the commands that it leads to. */
#ifndef HD_SIM_ARGUMENTS_H
#define HD_SIM_ARGUMENTS_H

#include <stdio.h>

#include "sim/run.h"

struct hd_sim_arguments {
    uint64_t seed, count, pairs, discover, memory_max, seeds, jobs, trace_max, runs_max, workers;
    uint64_t save_every_s;
    hd_time until, tick, bound, delay, from, to;
    int64_t loss;
    int log_level;
    bool json, power_off, own_ids, keep_going, no_probes, verbose, quiet, faults, resume;
    bool seed_given, pairs_given;
    bool implied_power_off; /* the scenario says so */
    const char *out, *save, *trace, *sizes, *node, *type;
    const char *command, *scenario; /* the first words that are no options */
    int word_count;                 /* of words behind the command */
    char **words;
    const struct hd_sim_group *group; /* processes that run it together; NULL: this one alone */
    int argc;                         /* the command line as it was given */
    char **argv;
};

/* 0; 1 when help was asked for and printed; 2, told, when it makes no sense. argv is reordered. */
HD_MUST_USE int hd_sim_arguments_read(struct hd_sim_arguments *a, int argc, char **argv);
void hd_sim_arguments_free(struct hd_sim_arguments *a);
void hd_sim_usage(FILE *out);

/*
 * The command that does the same again, malloc'ed: options that only say where results go are left
 * out, seed and end are put in. scenario: a file that holds all that options said of the network,
 * or NULL for the one that was given.
 */
char *hd_sim_replay_command(const struct hd_sim_arguments *a, const char *scenario, uint64_t seed,
                            hd_time until);
/* Calls `give` for each option that a run within a sweep takes over. */
void hd_sim_arguments_for_child(const struct hd_sim_arguments *a,
                                void (*give)(void *user, char *word), void *user);

/* Each returns the exit status of the program: 0 all well, 1 a check failed, 2 wrong usage. */
int hd_sim_command_run(struct hd_sim_arguments *a);
int hd_sim_command_trace(const struct hd_sim_arguments *a);
int hd_sim_command_shrink(struct hd_sim_arguments *a);
int hd_sim_command_sweep(const struct hd_sim_arguments *a);

/* Loads the scenario that was named and applies what the command line says of it; NULL: told. */
struct hd_scenario *hd_sim_open_scenario(struct hd_sim_arguments *a);
hd_time hd_sim_end_of(const struct hd_sim_arguments *a, const struct hd_scenario *sc);
/* Options of a simulation by the command line. */
void hd_sim_fill_options(const struct hd_sim_arguments *a, const struct hd_scenario *sc,
                         struct hd_sim_options *o);
/* How long it runs and what is measured. */
void hd_sim_fill_run(const struct hd_sim_arguments *a, const struct hd_scenario *sc,
                     const struct hd_sim_options *o, struct hd_sim_run *r);
/* What is checked. */
void hd_sim_fill_checks(const struct hd_sim_arguments *a, const struct hd_scenario *sc,
                        struct hd_sim_checks *c);

#endif

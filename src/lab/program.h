/* SPDX-License-Identifier: Apache-2.0 */
/* The program heddle-lab: what its commands share. */
#ifndef HD_LAB_PROGRAM_H
#define HD_LAB_PROGRAM_H

#include "lab/lab.h"

/* A parsed command line. */
struct hd_lab_args {
    const char *command;
    char *words[4]; /* what is left when options are taken away */
    int word_count;
    char **rest; /* after "--"; NULL at the end; NULL when there was none */

    const char *name, *state, *heddled, *to, *addresses;
    bool json, no_daemon, silent;
    uint64_t seed, pairs;
    uint64_t interval_us, seconds_ms, timeout_ms, size;
    uint32_t fields; /* HD_SCENARIO_F_* of `values` */
    struct hd_scenario_link values;
};

/* Exit status of failures of ours. */
#define HD_LAB_EXIT_FAILED 1
#define HD_LAB_EXIT_USAGE  2

/* Prints the sentence as text, or as {"error":{...}}; returns HD_LAB_EXIT_FAILED. */
int hd_lab_complain(const struct hd_lab_args *a, int code, const char *text);

/* Node by name; complains and returns HD_SCENARIO_NONE when the lab has none. */
uint32_t hd_lab_arg_node(const struct hd_lab_args *a, const struct hd_lab *lab, int word);

/* Commands: each returns the exit status. */
int hd_lab_cmd_status(const struct hd_lab_args *a, struct hd_lab *lab, char *err);
int hd_lab_cmd_flow(const struct hd_lab_args *a, struct hd_lab *lab, char *err);
int hd_lab_cmd_reach(const struct hd_lab_args *a, struct hd_lab *lab, char *err);

#endif

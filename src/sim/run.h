/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole run: until its end, with what is measured on the way, its expectations, and the report
 * that people and programs read. And runs of random scenarios, each from one seed.
 */
#ifndef HD_SIM_RUN_H
#define HD_SIM_RUN_H

#include "sim/measure.h"
#include "sim/sim.h"

#define HD_SIM_MARKS_MAX   24
#define HD_SIM_OUTAGES_MAX 256

struct hd_sim_mark {
    hd_time at;
    uint64_t arrived, connected;
    uint64_t messages, bytes; /* since the start */
};

struct hd_sim_outage {
    hd_time fault, repaired; /* HD_NEVER: not repaired, or the next fault came first */
    uint64_t worst_missing; /* most connected pairs that did not work at a look, of those sampled */
};

struct hd_sim_run {
    /* given */
    hd_time until, tick_ns;
    uint64_t sample;        /* pairs per look; 0: all */
    uint64_t final_sample;  /* pairs measured at the end; 0: all */
    uint64_t discover;      /* pairs measured again after packets used them; 0: none */
    const char *command;    /* that replays this run; may be NULL */
    uint64_t seed;          /* for the report */
    unsigned workers;       /* for the report */
    const char *save_dir;   /* the state goes there while the run lasts; NULL: nowhere */
    uint64_t save_every_us; /* of wall-clock time */
    void (*progress)(void *user, struct hd_sim *s, const struct hd_sim_run *r); /* or NULL */
    void *progress_user;
    /* where the run is */
    hd_time at, next_point;
    uint64_t epoch; /* of the last look */
    unsigned next_mark;
    /* found */
    struct hd_sim_mark marks[HD_SIM_MARKS_MAX];
    unsigned mark_count;
    struct hd_sim_outage outages[HD_SIM_OUTAGES_MAX];
    unsigned outage_count;
    hd_time converged_at; /* first look at which all connected pairs worked; HD_NEVER */
    uint64_t messages_at_convergence, bytes_at_convergence;
    struct hd_sim_reach last;
    hd_time looked_at;           /* last */
    struct hd_sim_series series; /* every_ns given; 0: none is kept */
    struct hd_sim_pairs end;
    struct hd_sim_census census; /* at the end */
    struct hd_sim_stats stats;   /* at the end, before pairs were discovered */
    uint64_t digest;
    hd_time ended_at;
    uint64_t wall_us, cpu_us, peak_kib; /* of this process */
    char why[HD_SIM_WHY];               /* first expectation or check that failed; empty: none */
};

/* Runs to r->until, looking every tick; true when nothing failed. Then hd_sim_run_free. */
bool hd_sim_run_measured(struct hd_sim *s, const struct hd_scenario *sc, struct hd_sim_run *r);
void hd_sim_run_free(struct hd_sim_run *r);

/*
 * A run in the middle and its simulation, saved in r->save_dir and taken up again (save.c). What is
 * given in r stays as it is, what was found comes back. 0 or an hd_error with a sentence in err.
 */
HD_MUST_USE int hd_sim_run_save(const struct hd_sim *s, const struct hd_sim_run *r, char *err,
                                size_t errlen);
HD_MUST_USE int hd_sim_run_resume(struct hd_sim **s, const struct hd_scenario *sc,
                                  const struct hd_sim_options *o, struct hd_sim_run *r, char *err,
                                  size_t errlen);

void hd_sim_report_text(struct hd_sim *s, const struct hd_scenario *sc, const struct hd_sim_run *r);
/* The report as JSON (doc/scenario.md names its members), malloc'ed; NULL without memory. */
char *hd_sim_report_json(struct hd_sim *s, const struct hd_scenario *sc,
                         const struct hd_sim_run *r);
/* "find-node-req", "echo"; of a count of hd_sim_stats.by_type_count. */
const char *hd_sim_type_name(unsigned type);

/*
 * Writes a folder that people open: summary.json, tables as CSV, plots as SVG, and index.html with
 * all of it. Makes the folder. 0, or HD_ESYS with a sentence in err.
 */
HD_MUST_USE int hd_sim_write_folder(struct hd_sim *s, const struct hd_scenario *sc,
                                    const struct hd_sim_run *r, const char *folder, char *err,
                                    size_t errlen);

/* A line on stderr that says how far a run is (progress.c). */
struct hd_sim_progress {
    bool terminal;
    uint64_t shown_us, events_then;
    hd_time at_then;
};
void hd_sim_progress_start(struct hd_sim_progress *p);
void hd_sim_progress_show(void *user, struct hd_sim *s, const struct hd_sim_run *r);
void hd_sim_progress_end(struct hd_sim_progress *p);

/* Prints what is known about a pair that does not work. */
void hd_sim_explain(struct hd_sim *s, uint32_t from, uint32_t to);
/* Prints KIRA's counters, summed over nodes. */
void hd_sim_print_counters(struct hd_sim *s);

/* When hd_sim_add_faults lets things happen, in hundredths of a run. */
#define HD_SIM_FAULT_LINK 50
#define HD_SIM_FAULT_NODE 60
#define HD_SIM_FAULT_MANY 70
#define HD_SIM_FAULT_BACK 85

/* Adds the faults that all networks are measured by to a schedule. */
void hd_sim_add_faults(struct hd_scenario *sc, uint64_t seed, hd_time until);

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

/* SPDX-License-Identifier: Apache-2.0 */
/* A sweep: families of networks by sizes by seeds; its rows, and what is written of them. */
#ifndef HD_SIM_SWEEP_H
#define HD_SIM_SWEEP_H

#include "sim/run.h"

#define HD_SWEEP_NAME  96
#define HD_SWEEP_MARKS 6 /* reachability after 1, 2, 5, 10, 30, 60 s */

/* One run, as its summary.json tells it. Times in ms; NAN: it did not happen. */
struct hd_sweep_run {
    char family[HD_SWEEP_NAME], scenario[HD_SWEEP_NAME], folder[2 * HD_SWEEP_NAME];
    uint64_t seed, size;
    bool done, ok; /* done: it left a summary */
    char why[HD_SIM_WHY];
    double nodes, links, join_ms, reach[HD_SWEEP_MARKS];
    double first_mean, first_p50, first_p95, first_p99, first_max;
    double known_mean, known_p95, known_p99, known_exact, found_mean, found_p95, found_p99;
    double contacts_mean, contacts_max, labels_mean, labels_p99, labels_max;
    double memory_mean, memory_p99, memory_max, process_per_node;
    double join_messages, join_bytes;    /* per node, until all pairs worked */
    double steady_messages, link_steady; /* per node, or link, and second, before the faults */
    double last_change_ms, recovery_ms[4];
    double events, wall_s, cpu_s;
    char digest[20];
};

/* One line of the table: the mean over the seeds that were done. */
struct hd_sweep_row {
    struct hd_sweep_run mean; /* of its numbers */
    unsigned runs, failed;
};

struct hd_sweep {
    struct hd_sweep_run *runs; /* in the order of families, sizes and seeds */
    unsigned count;
    struct hd_sweep_row *rows;
    unsigned row_count;
    const char *folder;
};

/* Reads DIR/summary.json into the figures of a run; false when there is none that fits. */
bool hd_sweep_read(struct hd_sweep_run *run);
/* Rows of runs that are of the same family and size. */
void hd_sweep_fold(struct hd_sweep *w);
/* runs.csv, table.md, a curve per figure, and index.html; 0 or HD_ESYS, told. */
HD_MUST_USE int hd_sweep_write(struct hd_sweep *w);

#endif

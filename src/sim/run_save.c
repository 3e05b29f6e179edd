/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run in the middle: its simulation, where it stands and what it found, in one state (save.c), so
 * that hours of work outlive an interruption.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "sim/queue.h"
#include "sim/run.h"

#define POINTS_MAX 1024 /* of the time series; more are not saved */

struct saved_run {
    struct hd_sim_run r; /* its pointers mean nothing */
    uint64_t points;
    struct hd_sim_point point[POINTS_MAX];
};

int hd_sim_run_save(const struct hd_sim *s, const struct hd_sim_run *r, char *err, size_t errlen)
{
    struct saved_run *saved = hd_sim_alloc(1, sizeof *saved);
    saved->r = *r;
    saved->points = HD_MIN(r->series.len, (size_t)POINTS_MAX);
    if (saved->points > 0)
        memcpy(saved->point, r->series.v, saved->points * sizeof *saved->point);
    int error = hd_sim_save(s, r->save_dir, saved, sizeof *saved, err, errlen);
    free(saved);
    return error;
}

/* What was found is the saved run's; what is given, and memory, stay those of r. */
static void take_back(struct hd_sim_run *r, const struct saved_run *saved)
{
    const struct hd_sim_run given = *r;
    *r = saved->r;
    r->until = given.until;
    r->tick_ns = given.tick_ns;
    r->sample = given.sample;
    r->final_sample = given.final_sample;
    r->discover = given.discover;
    r->command = given.command;
    r->seed = given.seed;
    r->workers = given.workers;
    r->save_dir = given.save_dir;
    r->save_every_us = given.save_every_us;
    r->progress = given.progress;
    r->progress_user = given.progress_user;
    r->series = given.series;
    r->end = given.end;
    r->census = given.census;
    if (saved->points == 0)
        return;
    r->series.v = hd_sim_grow(r->series.v, saved->points, sizeof *r->series.v);
    memcpy(r->series.v, saved->point, saved->points * sizeof *saved->point);
    r->series.len = r->series.cap = saved->points;
}

int hd_sim_run_resume(struct hd_sim **s, const struct hd_scenario *sc,
                      const struct hd_sim_options *o, struct hd_sim_run *r, char *err,
                      size_t errlen)
{
    struct saved_run *saved = hd_sim_alloc(1, sizeof *saved);
    int error = hd_sim_resume(s, r->save_dir, sc, o, saved, sizeof *saved, err, errlen);
    if (error == 0)
        take_back(r, saved);
    free(saved);
    return error;
}

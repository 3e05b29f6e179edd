/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle-sim run: one scenario from its beginning to its end, measured and checked. What fails is
 * told with the command that does it again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "sim/arguments.h"
#include "sim/trace.h"

#define POINTS 240 /* of the time series */

/* The scenario that `random` would make of a seed: with its way of dying and its end. */
static struct hd_scenario *open_random(struct hd_sim_arguments *a, const char *seed)
{
    char *end;
    a->seed = strtoull(seed, &end, 10);
    if (*seed < '0' || *seed > '9' || *end != 0) {
        fprintf(stderr, "heddle-sim: %s: expected random:SEED\n", a->scenario);
        return NULL;
    }
    struct hd_scenario *sc = hd_sim_random_scenario(a->seed, &a->implied_power_off);
    if (sc == NULL)
        return NULL;
    sc->seed = a->seed;
    if (sc->until_ns == HD_NEVER)
        sc->until_ns =
            (sc->event_count > 0 ? sc->events[sc->event_count - 1].at_ns : HD_SEC(2)) + HD_SEC(10);
    return sc;
}

struct hd_scenario *hd_sim_open_scenario(struct hd_sim_arguments *a)
{
    struct hd_scenario *sc = NULL;
    char err[HD_SCENARIO_ERROR];
    if (strncmp(a->scenario, "random:", 7) == 0)
        sc = open_random(a, a->scenario + 7);
    else if (hd_scenario_open(a->scenario, a->seed, &sc, err, sizeof err) != 0)
        fprintf(stderr, "heddle-sim: %s\n", err);
    if (sc == NULL)
        return NULL;
    for (uint32_t i = 0; i < sc->link_count; i++) {
        if (a->loss >= 0)
            sc->links[i].loss_ppm = (uint32_t)a->loss;
        if (a->delay >= 0)
            sc->links[i].delay_ns = a->delay;
    }
    if (a->faults)
        hd_sim_add_faults(sc, a->seed, hd_sim_end_of(a, sc));
    return sc;
}

hd_time hd_sim_end_of(const struct hd_sim_arguments *a, const struct hd_scenario *sc)
{
    return a->until > 0 ? a->until : sc->until_ns != HD_NEVER ? sc->until_ns : HD_SEC(30);
}

void hd_sim_fill_options(const struct hd_sim_arguments *a, const struct hd_scenario *sc,
                         struct hd_sim_options *o)
{
    hd_sim_options_default(o);
    o->seed = a->seed_given ? a->seed : sc->seed != 0 ? sc->seed : 1;
    o->config = hd_sim_kira_config;
    o->kill_is_power_off = a->power_off || a->implied_power_off;
    o->shared_ids = !a->own_ids;
    o->log_level = a->log_level;
    o->pool_max_bytes = a->memory_max;
    o->group = a->group;
    o->workers =
        a->trace != NULL ? 1 : (uint32_t)a->workers; /* a trace is in the order of events */
}

/*
 * A pair of a small network counts; of a large one a sample, watched as soon as it is found. Where
 * changes are no longer followed one by one, the sample is the check against loops, too.
 */
static uint64_t pairs_per_look(const struct hd_sim_arguments *a, const struct hd_scenario *sc)
{
    uint64_t by_size = sc->node_count <= 64 ? 0 : sc->node_count <= 10000 ? 2000 : 100000;
    return a->pairs_given ? a->pairs : by_size;
}

void hd_sim_fill_checks(const struct hd_sim_arguments *a, const struct hd_scenario *sc,
                        struct hd_sim_checks *c)
{
    hd_sim_checks_default(c);
    c->reach_bound_ns = a->bound;
    c->sample = pairs_per_look(a, sc);
    c->probe_broken = !a->no_probes;
    c->walks_per_batch = 1;      /* each change is followed by itself */
    if (sc->node_count > 1000) { /* a look costs more, and matters as much */
        c->tick_ns = HD_SEC(1);
        c->touched_most = 20000;
        c->table_tick_ns = HD_SEC(5);
    }
}

static hd_time tick_of(const struct hd_sim_arguments *a, const struct hd_scenario *sc)
{
    if (a->tick > 0)
        return a->tick;
    if (sc->node_count <= 2000)
        return sc->node_count <= 200 ? HD_MS(10) : HD_MS(20);
    return sc->node_count <= 10000 ? HD_MS(100) : HD_SEC(1);
}

/* --- the run -------------------------------------------------------------------------------------
 */

static int run_simulation(const struct hd_sim_arguments *a, struct hd_sim *s,
                          const struct hd_scenario *sc, struct hd_sim_run *r)
{
    struct hd_sim_progress progress;
    char err[HD_SCENARIO_ERROR];
    bool speaks = a->group == NULL || a->group->rank == 0;
    hd_sim_progress_start(&progress);
    if (!a->quiet && speaks) {
        r->progress = hd_sim_progress_show;
        /* cppcheck-suppress autoVariables */
        r->progress_user = &progress; /* for this run only */
    }
    bool ok = hd_sim_run_measured(s, sc, r);
    hd_sim_progress_end(&progress);
    r->progress = NULL;
    r->progress_user = NULL;
    if (!speaks)
        return ok ? 0 : 1;
    char *text = a->json ? hd_sim_report_json(s, sc, r) : NULL;
    if (!a->json)
        hd_sim_report_text(s, sc, r);
    else if (text != NULL)
        puts(text);
    free(text);
    if (a->out != NULL && hd_sim_write_folder(s, sc, r, a->out, err, sizeof err) != 0) {
        fprintf(stderr, "heddle-sim: %s\n", err);
        return 1;
    }
    return ok ? 0 : 1;
}

void hd_sim_fill_run(const struct hd_sim_arguments *a, const struct hd_scenario *sc,
                     const struct hd_sim_options *o, struct hd_sim_run *r)
{
    r->until = hd_sim_end_of(a, sc);
    r->tick_ns = tick_of(a, sc);
    r->sample = a->pairs_given ? a->pairs : sc->node_count <= 64 ? 0 : 2000;
    r->final_sample = a->pairs_given ? a->pairs : 100000;
    r->discover = a->discover;
    r->seed = o->seed;
    r->save_dir = a->save;
    r->save_every_us = a->save_every_s * 1000000;
    if (a->out != NULL)
        r->series.every_ns = HD_MAX(r->until / POINTS, r->tick_ns);
}

static void tell_failure(const struct hd_sim_arguments *a, const struct hd_sim_run *r)
{
    char *again = hd_sim_replay_command(a, NULL, r->seed, r->ended_at);
    fprintf(stderr, "heddle-sim: FAILED %s\nreplay: %s\n", r->why,
            again != NULL ? again : a->scenario);
    free(again);
}

/* With --resume the state that was saved, when there is one. */
static int make_or_resume(const struct hd_sim_arguments *a, const struct hd_scenario *sc,
                          const struct hd_sim_options *o, struct hd_sim **s, struct hd_sim_run *r,
                          char *err, size_t errlen)
{
    char path[4096];
    if (a->save != NULL && snprintf(path, sizeof path, "%s/state", a->save) < (int)sizeof path &&
        mkdir(a->save, 0777) != 0 && errno != EEXIST) {
        snprintf(err, errlen, "%s: %s", a->save, strerror(errno));
        return HD_ESYS;
    }
    if (a->save == NULL || !a->resume || access(path, F_OK) != 0)
        return hd_sim_create(s, sc, o, err, errlen);
    int error = hd_sim_run_resume(s, sc, o, r, err, errlen);
    if (error == 0)
        fprintf(stderr, "heddle-sim: goes on at %lld ms\n",
                (long long)hd_time_to_ms(hd_sim_now(*s)));
    return error;
}

static int make_and_run(const struct hd_sim_arguments *a, const struct hd_scenario *sc,
                        struct hd_sim_run *r)
{
    struct hd_sim_options o;
    struct hd_sim_checks checks;
    struct hd_sim *s;
    struct hd_sim_trace *trace = NULL;
    char err[HD_SCENARIO_ERROR];
    hd_sim_fill_options(a, sc, &o);
    hd_sim_fill_run(a, sc, &o, r);
    if (a->trace != NULL &&
        hd_sim_trace_create(&trace, a->trace, sc, a->trace_max << 20, &o, err, sizeof err) != 0) {
        fprintf(stderr, "heddle-sim: %s\n", err);
        return 1;
    }
    if (make_or_resume(a, sc, &o, &s, r, err, sizeof err) != 0) {
        fprintf(stderr, "heddle-sim: %s\n", err);
        int unused = hd_sim_trace_close(trace, err, sizeof err);
        (void)unused;
        return 1;
    }
    r->workers = hd_sim_workers(s);
    if (a->group == NULL && r->workers < a->workers)
        fprintf(stderr, "heddle-sim: %u worker%s: %s\n", r->workers, r->workers == 1 ? "" : "s",
                a->trace != NULL ? "a trace is being written" : "links are too short for more");
    if (r->at == 0) { /* a run that goes on has its checks */
        hd_sim_fill_checks(a, sc, &checks);
        hd_sim_set_checks(s, &checks);
    }
    char *command = hd_sim_replay_command(a, NULL, o.seed, r->until);
    r->command = command;
    int status = run_simulation(a, s, sc, r);
    hd_sim_free(s);
    if (r->why[0] != 0 && (a->group == NULL || a->group->rank == 0))
        tell_failure(a, r);
    if (hd_sim_trace_close(trace, err, sizeof err) != 0) {
        fprintf(stderr, "heddle-sim: %s\n", err);
        status = 1;
    }
    hd_sim_run_free(r);
    free(command);
    return status;
}

int hd_sim_command_run(struct hd_sim_arguments *a)
{
    struct hd_scenario *sc = hd_sim_open_scenario(a);
    if (sc == NULL)
        return 2;
    struct hd_sim_run *r = calloc(1, sizeof *r);
    int status = r == NULL ? 1 : make_and_run(a, sc, r);
    free(r);
    hd_scenario_free(sc);
    return status;
}

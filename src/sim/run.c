/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A measured run. It looks at reachability once per tick, but only when something came into force
 * or broke since the last look: walks are the dear part, and a quiet network has no news.
 */
#include "sim/run.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/base.h"

#define CALM_LOOK_NS HD_MS(100)
#define SETTLING_NS  HD_SEC(2)

/* Times at which the share of working pairs is noted (kira.md 9.3, and finer below). */
static const uint32_t mark_ms[] = {100,  200,  300,  500,   700,   1000,  1500,  2000,
                                   3000, 5000, 7000, 10000, 15000, 20000, 30000, 60000};

static uint64_t wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* for the report only: nothing simulated sees it */
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void fail(struct hd_sim_run *r, hd_time at, const char *what, uint32_t from, uint32_t to,
                 uint64_t got)
{
    if (r->why[0] == 0)
        snprintf(r->why, sizeof r->why, "at %lld ms: %s (node %u to node %u: %llu)",
                 (long long)hd_time_to_ms(at), what, from, to, (unsigned long long)got);
}

static void note_outage(struct hd_sim *s, struct hd_sim_run *r, bool all)
{
    hd_time fault = hd_sim_last_fault(s);
    struct hd_sim_outage *o = r->outage_count > 0 ? &r->outages[r->outage_count - 1] : NULL;
    if (r->converged_at == HD_NEVER) {
        if (!all)
            return;
        const struct hd_sim_stats *st = hd_sim_stats(s);
        r->converged_at = hd_sim_now(s);
        r->messages_at_convergence = st->datagrams_sent;
        r->bytes_at_convergence = st->datagram_bytes;
        return;
    }
    if (fault > r->converged_at && (o == NULL || o->fault != fault)) {
        if (r->outage_count == HD_SIM_OUTAGES_MAX)
            return;
        o = &r->outages[r->outage_count++];
        *o = (struct hd_sim_outage){.fault = fault, .repaired = HD_NEVER};
    }
    if (o == NULL)
        return;
    if (all && o->repaired == HD_NEVER)
        o->repaired = hd_sim_now(s);
    else if (!all)
        o->repaired = HD_NEVER;
    o->worst_missing = HD_MAX(o->worst_missing, r->last.connected - r->last.arrived);
}

static void expect_now(struct hd_sim *s, const struct hd_scenario *sc, struct hd_sim_run *r,
                       hd_time before)
{
    struct hd_sim_walk w;
    hd_time now = hd_sim_now(s);
    for (uint32_t i = 0; i < sc->expect_count; i++) {
        const struct hd_scenario_expect *e = &sc->expects[i];
        if (e->kind == HD_SCENARIO_ALL_PAIRS && now >= e->at_ns &&
            r->last.arrived != r->last.connected)
            fail(r, now, "not all pairs work", r->last.bad_from, r->last.bad_to,
                 r->last.connected - r->last.arrived);
        if (e->kind == HD_SCENARIO_PAIR && e->at_ns > before && e->at_ns <= now) {
            hd_sim_walk_pair(s, e->from, e->to, &w);
            if ((w.fate == HD_SIM_ARRIVED) != e->reachable)
                fail(r, now, e->reachable ? "the pair should work" : "the pair should not work",
                     e->from, e->to, w.fate);
        }
    }
}

/* The gap at the end of a flow counts too: a probe that never comes back has no next arrival. */
static hd_time longest_gap(const struct hd_sim *s, const struct hd_scenario *sc, uint32_t probe)
{
    const struct hd_sim_flow *f = hd_sim_flow(s, probe);
    hd_time end = HD_MIN(sc->probes[probe].stop_ns, hd_sim_now(s));
    hd_time begin = f->arrived == 0 ? sc->probes[probe].start_ns : f->last_at;
    return f->sent == 0 ? 0 : HD_MAX(f->longest_gap_ns, end - begin);
}

static void expect_at_end(struct hd_sim *s, const struct hd_scenario *sc, struct hd_sim_run *r)
{
    hd_time now = hd_sim_now(s);
    for (uint32_t i = 0; i < sc->expect_count; i++) {
        const struct hd_scenario_expect *e = &sc->expects[i];
        if (e->kind != HD_SCENARIO_GAP && e->kind != HD_SCENARIO_LOST)
            continue;
        for (uint32_t p = 0; p < sc->probe_count; p++) {
            const struct hd_sim_flow *f = hd_sim_flow(s, p);
            if (e->probe != HD_SCENARIO_NONE && e->probe != p)
                continue;
            hd_time gap = longest_gap(s, sc, p);
            uint64_t missing = f->sent > f->arrived ? f->sent - f->arrived : 0;
            if (e->kind == HD_SCENARIO_GAP && gap > e->limit_ns &&
                (f->gap_at == 0 || f->gap_at >= e->at_ns))
                fail(r, now, "a gap is too long (us)", f->from, f->to, (uint64_t)gap / 1000);
            if (e->kind == HD_SCENARIO_LOST && missing > e->limit_count)
                fail(r, now, "too many packets lost", f->from, f->to, missing);
        }
    }
}

/*
 * While all pairs work and nothing broke, a look now and then is enough; what is broken is looked
 * at every tick, so that the time of its repair is known.
 */
static bool look_is_due(struct hd_sim *s, const struct hd_sim_run *r, uint64_t epoch)
{
    hd_time now = hd_sim_now(s);
    if (epoch == hd_sim_forwarding_epoch(s))
        return false;
    return r->last.arrived != r->last.connected || r->last.connected == 0 ||
           now - hd_sim_last_fault(s) < SETTLING_NS || now - r->looked_at >= CALM_LOOK_NS ||
           now == r->until;
}

static void look(struct hd_sim *s, struct hd_sim_run *r, uint64_t *epoch)
{
    if (look_is_due(s, r, *epoch)) {
        *epoch = hd_sim_forwarding_epoch(s);
        r->looked_at = hd_sim_now(s);
        hd_sim_reach(s, r->sample, (uint64_t)hd_sim_now(s), &r->last);
    }
    note_outage(s, r, r->last.arrived == r->last.connected && r->last.connected > 0);
}

static void mark(struct hd_sim *s, struct hd_sim_run *r, unsigned *next)
{
    while (*next < HD_ARRAY_LEN(mark_ms) && HD_MS(mark_ms[*next]) <= hd_sim_now(s)) {
        const struct hd_sim_stats *st = hd_sim_stats(s);
        r->marks[r->mark_count++] =
            (struct hd_sim_mark){HD_MS(mark_ms[*next]), r->last.arrived, r->last.connected,
                                 st->datagrams_sent, st->datagram_bytes};
        (*next)++;
    }
}

static void add_point(struct hd_sim *s, const struct hd_scenario *sc, struct hd_sim_run *r,
                      hd_time *next)
{
    if (r->series.every_ns <= 0 || hd_sim_now(s) < *next)
        return;
    hd_sim_series_add(s, sc, &r->last, r->wall_us, &r->series);
    while (*next <= hd_sim_now(s))
        *next += r->series.every_ns;
}

static void measure_end(struct hd_sim *s, const struct hd_scenario *sc, struct hd_sim_run *r)
{
    struct rusage usage;
    r->stats = *hd_sim_stats(s);
    r->digest = hd_sim_digest(s);
    r->ended_at = hd_sim_now(s);
    hd_sim_census_take(s, sc, &r->census);
    getrusage(RUSAGE_SELF, &usage);
    r->cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    r->peak_kib = (uint64_t)usage.ru_maxrss;
    hd_sim_pairs_measure(s, r->final_sample, r->seed, &r->end);
    if (r->discover > 0 && hd_sim_failure(s) == NULL)
        hd_sim_pairs_discover(s, r->discover, r->seed, HD_SEC(3), &r->end);
}

/* A state that cannot be written is a pity and no reason to end. */
static void save_now_and_then(struct hd_sim *s, struct hd_sim_run *r, uint64_t *saved_us)
{
    char err[512];
    if (r->save_dir == NULL || r->wall_us - *saved_us < r->save_every_us || r->at >= r->until)
        return;
    *saved_us = r->wall_us;
    if (hd_sim_run_save(s, r, err, sizeof err) != 0)
        fprintf(stderr, "heddle-sim: the state is not saved: %s\n", err);
}

bool hd_sim_run_measured(struct hd_sim *s, const struct hd_scenario *sc, struct hd_sim_run *r)
{
    uint64_t started = wall_us() - r->wall_us, saved_us = r->wall_us;
    bool ok = true;
    if (r->at == 0)
        r->converged_at = HD_NEVER;
    r->why[0] = 0;
    while (r->at < r->until && ok) {
        hd_time before = r->at;
        r->at = HD_MIN(r->at + r->tick_ns, r->until);
        ok = hd_sim_run_checked(s, r->at);
        look(s, r, &r->epoch);
        mark(s, r, &r->next_mark);
        expect_now(s, sc, r, before);
        r->wall_us = wall_us() - started;
        add_point(s, sc, r, &r->next_point);
        if (r->progress != NULL)
            r->progress(r->progress_user, s, r);
        save_now_and_then(s, r, &saved_us);
    }
    expect_at_end(s, sc, r);
    measure_end(s, sc, r);
    if (hd_sim_failure(s) != NULL)
        snprintf(r->why, sizeof r->why, "%s", hd_sim_failure(s));
    return r->why[0] == 0;
}

void hd_sim_run_free(struct hd_sim_run *r)
{
    hd_sim_series_free(&r->series);
    hd_sim_census_free(&r->census);
    hd_sim_pairs_free(&r->end);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random scenarios: topology, link qualities and a schedule of faults, all from one seed, run under
 * every check. They find what nobody thought of; a seed that failed once is a test for ever.
 *
 * Faults may leave the network in parts and nodes dead: what the graph still connects must work
 * within the bound after the last of them.
 */
#include "sim/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "sim/queue.h"

#define STAY_NS       HD_SEC(2)
#define AGED          10          /* one network in so many runs on */
#define AGED_NS       HD_SEC(100) /* for so long */
#define EXPLAIN_PAIRS 5

struct plan {
    struct hd_scenario *sc;
    struct hd_random r;
    uint8_t *link_bad; /* cut or silent */
    uint8_t *node_dead;
    hd_time at;
};

static uint32_t below(struct plan *p, uint32_t n)
{
    return (uint32_t)hd_random_below(&p->r, n);
}

/* One in a hundred is larger than 64 nodes. */
static void topology_text(struct plan *p, uint64_t seed, char *text, size_t len)
{
    uint32_t n = seed % 100 == 50 ? 100 + below(p, 101) : 4 + below(p, 61);
    uint32_t w = 2 + below(p, 7);
    switch (below(p, 12)) {
    case 0:
        snprintf(text, len, "line:%u", 4 + n / 4);
        break;
    case 1:
        snprintf(text, len, "ring:%u", 4 + n / 3);
        break;
    case 2:
        snprintf(text, len, "grid:%ux%u", w, HD_MAX(n / w, 2u));
        break;
    case 3:
        snprintf(text, len, "torus:%ux%u", HD_MAX(w, 3u), HD_MAX(n / HD_MAX(w, 3u), 3u));
        break;
    case 4:
        snprintf(text, len, "tree:%u,%u", n, 2 + below(p, 3));
        break;
    case 5:
        snprintf(text, len, "star:%u", n);
        break;
    case 6:
        snprintf(text, len, "full:%u", 4 + below(p, 9));
        break;
    case 7:
        snprintf(text, len, "fat-tree:4");
        break;
    case 8:
        snprintf(text, len, "ba:%u,%u", HD_MAX(n, 6u), 1 + below(p, 3));
        break;
    case 9:
        snprintf(text, len, "ws:%u,4,0.%u", HD_MAX(n, 8u), 1 + below(p, 4));
        break;
    case 10:
        snprintf(text, len, "er:%u,%u", HD_MAX(n, 6u), 3 + below(p, 4));
        break;
    default:
        snprintf(text, len, "rgg:%u,%u", HD_MAX(n, 8u), 5 + below(p, 4));
        break;
    }
}

static void link_qualities(struct plan *p)
{
    static const uint32_t losses[] = {0, 0, 0, 1000, 5000, 10000, 20000};
    uint32_t loss = losses[below(p, HD_ARRAY_LEN(losses))];
    uint32_t delay_us = below(p, 3) == 0 ? 50 : 1000;
    bool spread = below(p, 2) == 1, disorder = below(p, 4) == 0;
    for (uint32_t i = 0; i < p->sc->link_count; i++) {
        struct hd_scenario_link *l = &p->sc->links[i];
        l->delay_ns = HD_US(spread ? 50 + below(p, 20000) : delay_us);
        l->loss_ppm = loss == 0 ? 0 : below(p, loss + 1);
        if (disorder) {
            l->jitter_ns = HD_US(below(p, 2000));
            l->duplicate_ppm = below(p, 5000);
            l->reorder_ppm = below(p, 5000);
        }
    }
    hd_time spread_ns = below(p, 2) == 0 ? HD_MS(10) : HD_SEC(2);
    for (uint32_t i = 0; i < p->sc->node_count; i++)
        p->sc->nodes[i].start_ns = (hd_time)hd_random_below(&p->r, (uint64_t)spread_ns);
}

static struct hd_scenario_event *add(struct plan *p, enum hd_scenario_action action, uint32_t node,
                                     uint32_t link)
{
    struct hd_scenario_event *e = hd_scenario_add_event(p->sc, p->at, action);
    HD_ASSERT(e != NULL);
    e->node = node;
    e->link = link;
    return e;
}

static void heal(struct plan *p, uint32_t link)
{
    if (p->link_bad[link])
        add(p, HD_SCENARIO_HEAL, HD_SCENARIO_NONE, link);
    p->link_bad[link] = 0;
}

static void start(struct plan *p, uint32_t node)
{
    if (p->node_dead[node])
        add(p, HD_SCENARIO_START, node, HD_SCENARIO_NONE);
    p->node_dead[node] = 0;
}

/* Cuts every link between a connected half and the rest. */
static void partition(struct plan *p, enum hd_scenario_action action)
{
    const struct hd_scenario *sc = p->sc;
    uint8_t *in = hd_sim_alloc(sc->node_count, 1);
    in[below(p, sc->node_count)] = 1;
    uint32_t have = 1, want = 1 + below(p, HD_MAX(sc->node_count / 2, 1u));
    for (bool grew = true; grew && have < want;) {
        grew = false;
        for (uint32_t i = 0; i < sc->link_count && have < want; i++) {
            const struct hd_scenario_link *l = &sc->links[i];
            if (in[l->a] != in[l->b]) {
                in[l->a] = in[l->b] = 1;
                have++;
                grew = true;
            }
        }
    }
    for (uint32_t i = 0; i < sc->link_count; i++) {
        if (in[sc->links[i].a] != in[sc->links[i].b] && !p->link_bad[i]) {
            add(p, action, HD_SCENARIO_NONE, i);
            p->link_bad[i] = 1;
        }
    }
    free(in);
}

static void break_link(struct plan *p, enum hd_scenario_action action)
{
    uint32_t link = below(p, p->sc->link_count);
    if (!p->link_bad[link])
        add(p, action, HD_SCENARIO_NONE, link);
    p->link_bad[link] = 1;
}

static void break_node(struct plan *p, enum hd_scenario_action action)
{
    uint32_t node = below(p, p->sc->node_count);
    if (p->node_dead[node])
        return;
    struct hd_scenario_event *e = add(p, action, node, HD_SCENARIO_NONE);
    if (action == HD_SCENARIO_RESTART)
        e->resumed = below(p, 2) == 1;
    else
        p->node_dead[node] = 1;
}

static void one_fault(struct plan *p)
{
    uint32_t dice = below(p, 100);
    enum hd_scenario_action way = below(p, 3) == 0 ? HD_SCENARIO_SILENT : HD_SCENARIO_CUT;
    if (dice < 40) {
        break_link(p, way);
    } else if (dice < 55) {
        heal(p, below(p, p->sc->link_count));
    } else if (dice < 65) {
        break_node(p, HD_SCENARIO_KILL);
    } else if (dice < 70) {
        break_node(p, HD_SCENARIO_STOP);
    } else if (dice < 80) {
        break_node(p, HD_SCENARIO_RESTART);
    } else if (dice < 88) {
        partition(p, way);
    } else if (dice < 94) {
        for (uint32_t i = 0; i < p->sc->link_count; i++)
            heal(p, i);
    } else {
        for (uint32_t i = 0; i < p->sc->node_count; i++)
            start(p, i);
    }
}

static void schedule(struct plan *p)
{
    static const uint32_t pauses_ms[] = {5, 100, 1000, 5000};
    p->at = HD_MS(2000 + below(p, 8000));
    for (uint32_t faults = below(p, 12); faults > 0; faults--) {
        one_fault(p);
        p->at += HD_MS(1 + below(p, pauses_ms[below(p, HD_ARRAY_LEN(pauses_ms))]));
    }
    hd_scenario_sort(p->sc);
}

struct hd_scenario *hd_sim_random_scenario(uint64_t seed, bool *power_off)
{
    struct plan p = {0};
    char text[64], err[HD_SCENARIO_ERROR];
    hd_random_seed(&p.r, seed, 0x5ce7);
    topology_text(&p, seed, text, sizeof text);
    if (hd_scenario_generate(text, seed, &p.sc, err, sizeof err) != 0) {
        fprintf(stderr, "%s: %s\n", text, err);
        return NULL;
    }
    p.link_bad = hd_sim_alloc(p.sc->link_count, 1);
    p.node_dead = hd_sim_alloc(p.sc->node_count, 1);
    link_qualities(&p);
    *power_off = below(&p, 2) == 1;
    schedule(&p);
    free(p.link_bad);
    free(p.node_dead);
    return p.sc;
}

/*
 * Runs on until everything happened and all pairs stayed up for a while, or the bound is passed.
 * One network in ten runs until what expires has expired and what checks wait for would be seen.
 */
static bool run_under_checks(struct hd_sim *s, const struct hd_scenario *sc, uint64_t seed,
                             hd_time bound)
{
    hd_time last = sc->event_count > 0 ? sc->events[sc->event_count - 1].at_ns : HD_SEC(2);
    hd_time end = last + bound + STAY_NS + HD_SEC(1);
    if (seed % AGED == 0) {
        last += AGED_NS;
        end = HD_MAX(end, last + STAY_NS + HD_SEC(1));
    }
    for (hd_time t = 0; t < end;) {
        t += HD_MS(100);
        if (!hd_sim_run_checked(s, t))
            return false;
        if (t > last && hd_sim_all_since(s) != HD_NEVER && t - hd_sim_all_since(s) >= STAY_NS)
            return true;
    }
    return hd_sim_failure(s) == NULL;
}

static void print_schedule(const struct hd_scenario *sc)
{
    for (uint32_t i = 0; i < sc->event_count; i++) {
        const struct hd_scenario_event *e = &sc->events[i];
        printf("  %lld ms %s", (long long)hd_time_to_ms(e->at_ns),
               hd_scenario_action_name(e->action));
        if (e->link != HD_SCENARIO_NONE)
            printf(" link %u (%u-%u)", e->link, sc->links[e->link].a, sc->links[e->link].b);
        if (e->node != HD_SCENARIO_NONE)
            printf(" node %u%s", e->node, e->resumed ? " resumed" : "");
        putchar('\n');
    }
}

static struct hd_sim *make_sim(const struct hd_sim_random_options *o, const struct hd_scenario *sc,
                               bool power_off, char *text, size_t len)
{
    struct hd_sim_options so;
    struct hd_sim_checks checks;
    struct hd_sim *s;
    hd_sim_options_default(&so);
    so.seed = o->seed;
    so.config = hd_sim_kira_config;
    so.kill_is_power_off = power_off;
    so.log_level = o->log_level;
    so.digest_payload = false; /* nobody compares it here */
    so.pool_max_bytes = (size_t)16 << 20;
    if (hd_sim_create(&s, sc, &so, text, len) != 0)
        return NULL;
    hd_sim_checks_default(&checks);
    checks.reach_bound_ns = o->bound_ns;
    checks.walks_per_batch = 8;
    checks.probe_broken = !o->no_probes;
    checks.sample = sc->node_count > 64 ? 2000 : 0;
    hd_sim_set_checks(s, &checks);
    return s;
}

static void explain_some(struct hd_sim *s)
{
    unsigned shown = 0;
    for (uint32_t from = 0; from < hd_sim_node_count(s); from++) {
        for (uint32_t to = 0; to < hd_sim_node_count(s) && shown < EXPLAIN_PAIRS; to++) {
            struct hd_sim_walk w;
            if (from == to || hd_sim_distance(s, from, to) == HD_SIM_NONE)
                continue;
            hd_sim_walk_pair(s, from, to, &w);
            if (w.fate != HD_SIM_ARRIVED) {
                hd_sim_explain(s, from, to);
                shown++;
            }
        }
    }
}

bool hd_sim_random_run(const struct hd_sim_random_options *o, char *text, size_t len)
{
    bool power_off;
    struct hd_scenario *sc = hd_sim_random_scenario(o->seed, &power_off);
    if (sc == NULL) {
        snprintf(text, len, "seed %llu: no scenario", (unsigned long long)o->seed);
        return false;
    }
    if (o->verbose)
        print_schedule(sc);
    struct hd_sim *s = make_sim(o, sc, power_off, text, len);
    bool ok = s != NULL && run_under_checks(s, sc, o->seed, o->bound_ns);
    if (s != NULL && !ok && o->verbose)
        explain_some(s);
    if (s != NULL && o->verbose)
        hd_sim_print_counters(s);
    if (s != NULL) {
        const char *why = hd_sim_failure(s);
        hd_time all = hd_sim_all_since(s);
        long long repair = all == HD_NEVER ? -1 : hd_time_to_ms(all - hd_sim_last_fault(s));
        snprintf(text, len,
                 "seed %llu: %s, %u nodes, %u links, %u faults, %lld ms simulated, all pairs %lld "
                 "ms after the last fault: %s%s%s",
                 (unsigned long long)o->seed, sc->origin, sc->node_count, sc->link_count,
                 sc->event_count, (long long)hd_time_to_ms(hd_sim_now(s)), repair,
                 ok ? "ok" : "FAILED", why != NULL ? ", " : "", why != NULL ? why : "");
    }
    hd_sim_free(s);
    hd_scenario_free(sc);
    return ok;
}

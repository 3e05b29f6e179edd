/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle-sim shrink: makes a failing scenario small (delta debugging). It leaves out events,
 * probes, nodes, links and link qualities, in ever smaller portions, as long as the same kind of
 * failure is still seen, and ends time where the failure is. What remains is written as a scenario,
 * with the command that shows it.
 *
 * Each candidate runs in a process of its own, so one that aborts or does not end is a result, too.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base.h"
#include "sim/arguments.h"
#include "sim/queue.h"

#define CANDIDATE_SECONDS 60
#define ROUNDS_MAX        8
#define SMALL_NODES       40
#define SMALL_THROWS      4

/* What may be left out: a flag per item, true while it is kept. */
enum part {
    PART_EVENTS,
    PART_PROBES,
    PART_EXPECTS,
    PART_NODES,
    PART_LINKS,
    PART_QUALITIES, /* loss, jitter, duplication, reordering, corruption, rates, skew, start times
                     */
    PARTS,
};

enum quality {
    Q_LOSS,
    Q_JITTER,
    Q_DUPLICATE,
    Q_REORDER,
    Q_CORRUPT,
    Q_RATE,
    Q_DELAY,
    Q_SKEW,
    Q_START,
    QUALITIES,
};

struct verdict {
    bool failed;
    hd_time at;
    char why[HD_SIM_WHY];
};

struct shrink {
    const struct hd_sim_arguments *a;
    const struct hd_scenario *base;
    uint64_t seed;
    hd_time until;
    bool *keep[PARTS];
    uint32_t size[PARTS];
    char kind[HD_SIM_WHY]; /* of the failure that must remain */
    struct verdict last;   /* of the smallest candidate that failed */
    unsigned runs;
};

/* The sentence without its figures: what is wrong, and not where. */
static void kind_of(const char *why, char *kind)
{
    const char *from = strchr(why, ':');
    size_t len = 0;
    for (from = from == NULL ? why : from + 1; *from != 0 && len + 1 < HD_SIM_WHY; from++) {
        if ((*from < '0' || *from > '9') && *from != '.')
            kind[len++] = *from;
    }
    kind[len] = 0;
    char *detail = strchr(kind, ':'); /* how a packet ended may differ from case to case */
    if (detail != NULL)
        *detail = 0;
    detail = strstr(kind, ", though");
    if (detail != NULL)
        *detail = 0;
}

/* --- candidates ----------------------------------------------------------------------------------
 */

static void plain_link(const bool *keep, struct hd_scenario_link *l)
{
    if (!keep[Q_LOSS])
        l->loss_ppm = 0;
    if (!keep[Q_JITTER])
        l->jitter_ns = 0;
    if (!keep[Q_DUPLICATE])
        l->duplicate_ppm = 0;
    if (!keep[Q_REORDER])
        l->reorder_ppm = 0;
    if (!keep[Q_CORRUPT])
        l->corrupt_ppm = 0;
    if (!keep[Q_RATE])
        l->rate_bps = l->queue_bytes = 0;
    if (!keep[Q_DELAY])
        l->delay_ns = HD_MS(1);
}

static void copy_nodes(const struct shrink *sh, struct hd_scenario *sc, uint32_t *new_node)
{
    const bool *keep = sh->keep[PART_QUALITIES];
    for (uint32_t i = 0; i < sh->base->node_count; i++) {
        new_node[i] = HD_SCENARIO_NONE;
        if (!sh->keep[PART_NODES][i])
            continue;
        new_node[i] = sc->node_count;
        struct hd_scenario_node *n = hd_scenario_add_node(sc, sh->base->nodes[i].name);
        HD_ASSERT(n != NULL);
        *n = sh->base->nodes[i];
        if (!keep[Q_SKEW])
            n->skew_ppm = 0;
        if (!keep[Q_START] && n->start_ns != HD_NEVER)
            n->start_ns = 0;
    }
}

static void copy_links(const struct shrink *sh, struct hd_scenario *sc, const uint32_t *new_node,
                       uint32_t *new_link)
{
    for (uint32_t i = 0; i < sh->base->link_count; i++) {
        const struct hd_scenario_link *l = &sh->base->links[i];
        uint32_t a = new_node[l->a], b = new_node[l->b];
        new_link[i] = HD_SCENARIO_NONE;
        if (!sh->keep[PART_LINKS][i] || a == HD_SCENARIO_NONE || b == HD_SCENARIO_NONE)
            continue;
        new_link[i] = sc->link_count;
        struct hd_scenario_link *copy = hd_scenario_add_link(sc, a, b);
        HD_ASSERT(copy != NULL);
        *copy = *l;
        copy->a = a;
        copy->b = b;
        plain_link(sh->keep[PART_QUALITIES], copy);
    }
}

static void copy_events(const struct shrink *sh, struct hd_scenario *sc, const uint32_t *new_node,
                        const uint32_t *new_link)
{
    for (uint32_t i = 0; i < sh->base->event_count; i++) {
        const struct hd_scenario_event *e = &sh->base->events[i];
        uint32_t node = e->node == HD_SCENARIO_NONE ? HD_SCENARIO_NONE : new_node[e->node];
        uint32_t link = e->link == HD_SCENARIO_NONE ? HD_SCENARIO_NONE : new_link[e->link];
        if (!sh->keep[PART_EVENTS][i] || (node == HD_SCENARIO_NONE && link == HD_SCENARIO_NONE))
            continue;
        struct hd_scenario_event *copy = hd_scenario_add_event(sc, e->at_ns, e->action);
        HD_ASSERT(copy != NULL);
        *copy = *e;
        copy->node = node;
        copy->link = link;
    }
}

static void copy_probes(const struct shrink *sh, struct hd_scenario *sc, const uint32_t *new_node,
                        uint32_t *new_probe)
{
    for (uint32_t i = 0; i < sh->base->probe_count; i++) {
        const struct hd_scenario_probe *p = &sh->base->probes[i];
        new_probe[i] = HD_SCENARIO_NONE;
        if (!sh->keep[PART_PROBES][i] || new_node[p->from] == HD_SCENARIO_NONE ||
            new_node[p->to] == HD_SCENARIO_NONE)
            continue;
        new_probe[i] = sc->probe_count;
        struct hd_scenario_probe *copy =
            hd_scenario_add_probe(sc, new_node[p->from], new_node[p->to]);
        HD_ASSERT(copy != NULL);
        *copy = *p;
        copy->from = new_node[p->from];
        copy->to = new_node[p->to];
    }
}

static bool moved(uint32_t *index, const uint32_t *to)
{
    if (*index == HD_SCENARIO_NONE)
        return true;
    *index = to[*index];
    return *index != HD_SCENARIO_NONE;
}

static void copy_expects(const struct shrink *sh, struct hd_scenario *sc, const uint32_t *new_node,
                         const uint32_t *new_probe)
{
    for (uint32_t i = 0; i < sh->base->expect_count; i++) {
        struct hd_scenario_expect x = sh->base->expects[i];
        if (!sh->keep[PART_EXPECTS][i] || !moved(&x.from, new_node) || !moved(&x.to, new_node) ||
            !moved(&x.probe, new_probe))
            continue;
        struct hd_scenario_expect *copy = hd_scenario_add_expect(sc, x.kind);
        HD_ASSERT(copy != NULL);
        *copy = x;
    }
}

/* The scenario of what is kept. */
static struct hd_scenario *candidate(const struct shrink *sh)
{
    const struct hd_scenario *b = sh->base;
    struct hd_scenario *sc = hd_scenario_new(b->origin);
    uint32_t *new_node = hd_sim_alloc(b->node_count + 1, sizeof *new_node);
    uint32_t *new_link = hd_sim_alloc(b->link_count + 1, sizeof *new_link);
    uint32_t *new_probe = hd_sim_alloc(b->probe_count + 1, sizeof *new_probe);
    HD_ASSERT(sc != NULL);
    sc->seed = sh->seed;
    sc->until_ns = sh->until;
    copy_nodes(sh, sc, new_node);
    copy_links(sh, sc, new_node, new_link);
    copy_events(sh, sc, new_node, new_link);
    copy_probes(sh, sc, new_node, new_probe);
    copy_expects(sh, sc, new_node, new_probe);
    free(new_node);
    free(new_link);
    free(new_probe);
    return sc;
}

/* --- one run -------------------------------------------------------------------------------------
 */

static void run_here(const struct shrink *sh, const struct hd_scenario *sc, struct verdict *v)
{
    struct hd_sim_run *r = hd_sim_alloc(1, sizeof *r);
    struct hd_sim_options o;
    struct hd_sim_checks checks;
    struct hd_sim *s;
    hd_sim_fill_options(sh->a, sc, &o);
    o.seed = sh->seed;
    if (hd_sim_create(&s, sc, &o, v->why, sizeof v->why) != 0)
        return; /* no failure of what is looked for */
    hd_sim_fill_checks(sh->a, sc, &checks);
    hd_sim_set_checks(s, &checks);
    hd_sim_fill_run(sh->a, sc, &o, r);
    r->until = sh->until;
    r->final_sample = 1;
    v->failed = !hd_sim_run_measured(s, sc, r);
    v->at = r->ended_at;
    snprintf(v->why, sizeof v->why, "%s", r->why);
}

/* In a child, which sends its verdict through a pipe; one that dies has failed by dying. */
static struct verdict try(struct shrink *sh, const struct hd_scenario *sc)
{
    struct verdict v = {.failed = true, .at = sh->until};
    int pipes[2], status = 0;
    sh->runs++;
    HD_ASSERT(pipe(pipes) == 0);
    fflush(NULL);
    pid_t child = fork();
    HD_ASSERT(child >= 0);
    if (child == 0) {
        close(pipes[0]);
        alarm(CANDIDATE_SECONDS);
        v.failed = false;
        run_here(sh, sc, &v);
        _exit(write(pipes[1], &v, sizeof v) == (ssize_t)sizeof v ? 0 : 1);
    }
    close(pipes[1]);
    ssize_t got = read(pipes[0], &v, sizeof v);
    close(pipes[0]);
    waitpid(child, &status, 0);
    if (got != (ssize_t)sizeof v)
        snprintf(v.why, sizeof v.why, ": ended by %s",
                 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "itself");
    return v;
}

static bool fails_with(struct shrink *sh, const struct hd_scenario *sc)
{
    char kind[HD_SIM_WHY];
    struct verdict v = try(sh, sc);
    kind_of(v.why, kind);
    bool same = v.failed && strcmp(kind, sh->kind) == 0;
    if (same)
        sh->last = v;
    return same;
}

/*
 * Does what is kept still fail in the same way? Random streams belong to nodes by their numbers, so
 * leaving one out rolls the dice again for others: a small candidate gets a few throws.
 */
static bool still_fails(struct shrink *sh)
{
    struct hd_scenario *sc = candidate(sh);
    uint64_t before = sh->seed;
    unsigned throws = sc->node_count > SMALL_NODES ? 1 : SMALL_THROWS;
    bool same = false;
    for (unsigned i = 0; i < throws && sc->node_count > 0 && !same; i++) {
        sh->seed = before + i;
        same = fails_with(sh, sc);
    }
    if (!same)
        sh->seed = before;
    hd_scenario_free(sc);
    return same;
}

/* --- leaving out ---------------------------------------------------------------------------------
 */

static uint32_t kept(const struct shrink *sh, enum part part)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < sh->size[part]; i++)
        n += sh->keep[part][i] ? 1 : 0;
    return n;
}

/* Leaves out `count` kept items from item `from` on; the place behind them. */
static uint32_t leave_out(struct shrink *sh, enum part part, uint32_t from, uint32_t count,
                          uint32_t *taken)
{
    uint32_t at = from;
    for (*taken = 0; at < sh->size[part] && *taken < count; at++) {
        if (sh->keep[part][at]) {
            sh->keep[part][at] = false;
            taken[++*taken] = at;
        }
    }
    return at;
}

/* Portions of one size, from the end on: what comes last is most often beside the point. */
static bool portions(struct shrink *sh, enum part part, uint32_t size, uint32_t *taken)
{
    bool smaller = false;
    for (uint32_t from = 0; from < sh->size[part] && sh->runs < sh->a->runs_max;) {
        from = leave_out(sh, part, from, size, taken);
        if (*taken == 0)
            break;
        if (still_fails(sh)) {
            smaller = true;
            continue;
        }
        for (uint32_t i = 1; i <= *taken; i++)
            sh->keep[part][taken[i]] = true;
    }
    return smaller;
}

static bool cut_part(struct shrink *sh, enum part part)
{
    bool smaller = false;
    uint32_t *taken = hd_sim_alloc((size_t)sh->size[part] + 1, sizeof *taken);
    for (uint32_t size = kept(sh, part); size > 0; size /= 2)
        smaller = portions(sh, part, size, taken) || smaller;
    free(taken);
    return smaller;
}

/* Ends time `slack` after the failure: a smaller network may fail a little later. */
static bool cut_time(struct shrink *sh, hd_time slack)
{
    hd_time before = sh->until, shorter = ((sh->last.at + slack) / HD_MS(1) + 1) * HD_MS(1);
    if (shorter >= before)
        return false;
    sh->until = shorter;
    if (still_fails(sh))
        return true;
    sh->until = before;
    return false;
}

static void say(const struct shrink *sh)
{
    fprintf(stderr, "%u runs: %u nodes, %u links, %u events, %u probes, %lld ms\n", sh->runs,
            kept(sh, PART_NODES), kept(sh, PART_LINKS), kept(sh, PART_EVENTS),
            kept(sh, PART_PROBES), (long long)hd_time_to_ms(sh->until));
}

/* Links of nodes that are gone are gone, too: so counts tell what is there. */
static void drop_lost_links(struct shrink *sh)
{
    for (uint32_t i = 0; i < sh->size[PART_LINKS]; i++) {
        const struct hd_scenario_link *l = &sh->base->links[i];
        if (!sh->keep[PART_NODES][l->a] || !sh->keep[PART_NODES][l->b])
            sh->keep[PART_LINKS][i] = false;
    }
    for (uint32_t i = 0; i < sh->size[PART_EVENTS]; i++) {
        const struct hd_scenario_event *e = &sh->base->events[i];
        if ((e->node != HD_SCENARIO_NONE && !sh->keep[PART_NODES][e->node]) ||
            (e->link != HD_SCENARIO_NONE && !sh->keep[PART_LINKS][e->link]))
            sh->keep[PART_EVENTS][i] = false;
    }
}

static void cut_all(struct shrink *sh)
{
    static const enum part order[] = {PART_EVENTS, PART_NODES,   PART_LINKS,
                                      PART_PROBES, PART_EXPECTS, PART_QUALITIES};
    bool smaller = true;
    for (unsigned round = 0; smaller && round < ROUNDS_MAX && sh->runs < sh->a->runs_max; round++) {
        smaller = cut_time(sh, sh->last.at / 4 + HD_SEC(1));
        for (unsigned i = 0; i < HD_ARRAY_LEN(order); i++) {
            smaller = cut_part(sh, order[i]) || smaller;
            drop_lost_links(sh);
        }
        if (!sh->a->quiet)
            say(sh);
    }
    (void)cut_time(sh, 0);
}

/* --- the command ---------------------------------------------------------------------------------
 */

/* Identifiers are drawn in the order of nodes: pinned, they stay when others go. */
static bool pin_ids(const struct shrink *sh, struct hd_scenario *sc)
{
    struct hd_sim_options o;
    struct hd_sim *s;
    char err[HD_SCENARIO_ERROR];
    hd_sim_fill_options(sh->a, sc, &o);
    if (hd_sim_create(&s, sc, &o, err, sizeof err) != 0) {
        fprintf(stderr, "heddle-sim: %s\n", err);
        return false;
    }
    for (uint32_t i = 0; i < sc->node_count; i++) {
        memcpy(sc->nodes[i].id, hd_sim_id(s, i)->b, sizeof sc->nodes[i].id);
        sc->nodes[i].has_id = true;
    }
    hd_sim_free(s);
    return true;
}

static int write_result(struct shrink *sh)
{
    const char *path = sh->a->out != NULL ? sh->a->out : "shrunk.json";
    struct hd_scenario *sc = candidate(sh), *back = NULL;
    char err[HD_SCENARIO_ERROR], kind[HD_SIM_WHY];
    int error = hd_scenario_write(sc, path, err, sizeof err);
    if (error == 0)
        error = hd_scenario_load(path, &back, err, sizeof err);
    if (error != 0) {
        fprintf(stderr, "heddle-sim: %s\n", err);
        hd_scenario_free(sc);
        return 1;
    }
    struct verdict v = try(sh, back);
    kind_of(v.why, kind);
    bool same = v.failed && strcmp(kind, sh->kind) == 0;
    char *again = hd_sim_replay_command(sh->a, path, sh->seed, sh->until);
    printf("%s: %u nodes, %u links, %u events, %u probes, %lld ms, after %u runs\nfailure: %s\n"
           "replay: %s\n",
           path, sc->node_count, sc->link_count, sc->event_count, sc->probe_count,
           (long long)hd_time_to_ms(sh->until), sh->runs, v.why, again != NULL ? again : "");
    if (!same)
        fprintf(stderr, "heddle-sim: read back from the file it fails otherwise: has it parallel "
                        "links?\n");
    free(again);
    hd_scenario_free(sc);
    hd_scenario_free(back);
    return same ? 0 : 1;
}

static void keep_everything(struct shrink *sh)
{
    const uint32_t sizes[PARTS] = {sh->base->event_count,  sh->base->probe_count,
                                   sh->base->expect_count, sh->base->node_count,
                                   sh->base->link_count,   QUALITIES};
    for (unsigned part = 0; part < PARTS; part++) {
        sh->size[part] = sizes[part];
        sh->keep[part] = hd_sim_alloc((size_t)sizes[part] + 1, sizeof(bool));
        memset(sh->keep[part], true, sizes[part]);
    }
}

static int shrink(struct shrink *sh)
{
    keep_everything(sh);
    sh->last = try(sh, sh->base);
    if (!sh->last.failed) {
        fprintf(stderr, "heddle-sim: nothing to make small: all checks hold\n");
        return 1;
    }
    kind_of(sh->last.why, sh->kind);
    if (!sh->a->quiet)
        fprintf(stderr, "to keep: %s\n", sh->last.why);
    cut_all(sh);
    return write_result(sh);
}

int hd_sim_command_shrink(struct hd_sim_arguments *a)
{
    struct hd_scenario *sc = hd_sim_open_scenario(a);
    struct hd_sim_options o;
    struct hd_sim_run *r = hd_sim_alloc(1, sizeof *r);
    int status = 2;
    if (sc != NULL) {
        hd_sim_fill_options(a, sc, &o);
        hd_sim_fill_run(a, sc, &o, r);
        struct shrink sh = {.a = a, .base = sc, .seed = o.seed, .until = r->until};
        status = pin_ids(&sh, sc) ? shrink(&sh) : 1;
        for (unsigned part = 0; part < PARTS; part++)
            free(sh.keep[part]);
    }
    free(r);
    hd_scenario_free(sc);
    return status;
}

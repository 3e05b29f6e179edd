/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much prepared repair there is (doc/decisions/0026), in a network at rest: failures are
 * pretended one by one, in the instant, and packets are followed by what is in force.
 *
 *   links   each link X-Y, both ways: of those that any way could replace, how many does X's
 *           guard? A packet at X under the label of the path X, Y has to end at Y.
 *   nodes   triples X, Y, Z of links: the same for a packet under the label of X, Y, Z without Y.
 *   flows   each hop of the paths between random pairs, without the link, without the next node:
 *           does the packet arrive? Weighted by use, with sources and overlay hops in it.
 *   twice   the same with a second failure, put on the way round, and with a third, of a node of
 *           the way after that: packets may be dropped, and must not loop.
 *
 *   kira-guards NETWORK [--seed N] [--settle-s S] [--traffic-s S] [--pairs N] [--triples N]
 *       [--no-guards] [--min-links PER-10000] [--min-nodes PER-10000] [--min-flows PER-10000]
 *       [--min-next PER-10000] [--max-labels PER-10]
 *
 * --traffic-s: that long the pairs send a packet every two seconds, so that nodes see what is used;
 * labels are counted before. --min-next is of flows whose next node dies, --max-labels the mean of
 * a node. The minima are of what can be protected. A loop fails always.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kira/kira.h"
#include "core/kira/wire.h"
#include "lib/base.h"
#include "sim/sim.h"

struct arguments {
    const char *network;
    uint64_t seed, settle_s, traffic_s, pairs, triples;
    uint64_t min_links, min_nodes, min_flows, min_next, max_labels;
    int no_guards;
};

struct bench {
    struct hd_sim *s;
    const struct hd_scenario *sc;
    const struct arguments *a;
    struct hd_random random;
    /* of each node its links, one after the other */
    uint32_t *first, *links;
    uint32_t *queue, *mark, serial;
    uint64_t loops, walks;
    uint32_t (*pair)[2];
    bool failed;
};

static const struct hd_sim_dead nothing = {{HD_SIM_NONE, HD_SIM_NONE}, {HD_SIM_NONE, HD_SIM_NONE}};

static void *config(void *user, struct hd_sim *s, uint32_t node, uint8_t core, uint32_t *len)
{
    const struct arguments *a = user;
    struct hd_kira_config *c = hd_sim_kira_config(NULL, s, node, core, len);

    if (c != NULL)
        c->no_guards = a->no_guards != 0;
    return c;
}

/* --- the graph -----------------------------------------------------------------------------------
 */

static void graph(struct bench *b)
{
    const struct hd_scenario *sc = b->sc;

    b->first = calloc(sc->node_count + 1, sizeof *b->first);
    b->links = calloc(2 * sc->link_count + 1, sizeof *b->links);
    b->queue = calloc(sc->node_count, sizeof *b->queue);
    b->mark = calloc(sc->node_count, sizeof *b->mark);
    for (uint32_t i = 0; i < sc->link_count; i++) {
        b->first[sc->links[i].a + 1]++;
        b->first[sc->links[i].b + 1]++;
    }
    for (uint32_t n = 0; n < sc->node_count; n++)
        b->first[n + 1] += b->first[n];
    uint32_t *at = calloc(sc->node_count, sizeof *at);
    for (uint32_t i = 0; i < sc->link_count; i++) {
        uint32_t ends[2] = {sc->links[i].a, sc->links[i].b};
        for (unsigned e = 0; e < 2; e++)
            b->links[b->first[ends[e]] + at[ends[e]]++] = i;
    }
    free(at);
}

static uint32_t other_end(const struct bench *b, uint32_t link, uint32_t node)
{
    const struct hd_scenario_link *l = &b->sc->links[link];
    return l->a == node ? l->b : l->a;
}

/* Is there any way without what is dead? */
static bool connected(struct bench *b, uint32_t from, uint32_t to, const struct hd_sim_dead *d)
{
    uint32_t head = 0, tail = 0;

    b->mark[from] = ++b->serial;
    b->queue[tail++] = from;
    while (head < tail) {
        uint32_t n = b->queue[head++];
        if (n == to)
            return true;
        for (uint32_t i = b->first[n]; i < b->first[n + 1]; i++) {
            uint32_t link = b->links[i], m = other_end(b, link, n);
            if (link == d->link[0] || link == d->link[1] || m == d->node[0] || m == d->node[1] ||
                b->mark[m] == b->serial)
                continue;
            b->mark[m] = b->serial;
            b->queue[tail++] = m;
        }
    }
    return false;
}

static uint32_t link_between(const struct bench *b, uint32_t x, uint32_t y)
{
    for (uint32_t i = b->first[x]; i < b->first[x + 1]; i++)
        if (other_end(b, b->links[i], x) == y)
            return b->links[i];
    return HD_SIM_NONE;
}

/* --- figures -------------------------------------------------------------------------------------
 */

struct share {
    uint64_t all, possible, done;
};

static void say(struct bench *b, const char *what, const struct share *s, uint64_t least)
{
    double percent = s->possible == 0 ? 100 : 100.0 * (double)s->done / (double)s->possible;

    printf("%-24s %8" PRIu64 ", protectable %8" PRIu64 ", protected %8" PRIu64 " = %6.2f %%\n",
           what, s->all, s->possible, s->done, percent);
    if (s->possible > 0 && s->done * 10000 < least * s->possible) {
        printf("FAILED: less than %" PRIu64 "/10000\n", least);
        b->failed = true;
    }
}

static void note_loop(struct bench *b, const struct hd_sim_walk *w)
{
    b->walks++;
    if (w->fate == HD_SIM_LOOP || w->fate == HD_SIM_HOP_LIMIT)
        b->loops++;
}

/* Follows the label of a path given by its nodes, from the first: does it end at the last? */
static bool label_ends(struct bench *b, const uint32_t *path, uint32_t len)
{
    const struct hd_id *ids[3];
    struct hd_label label;
    struct hd_sim_walk w;

    for (uint32_t i = 0; i < len; i++)
        ids[i] = hd_sim_id(b->s, path[i]);
    hd_kira_path_label(ids, len, label.b);
    hd_sim_walk_label(b->s, path[0], &label, &w);
    note_loop(b, &w);
    return w.fate == HD_SIM_ARRIVED && w.at == path[len - 1];
}

static void measure_links(struct bench *b)
{
    struct share s = {0};

    for (uint32_t i = 0; i < b->sc->link_count; i++)
        for (unsigned e = 0; e < 2; e++) {
            const struct hd_scenario_link *l = &b->sc->links[i];
            uint32_t path[2] = {e == 0 ? l->a : l->b, e == 0 ? l->b : l->a};
            struct hd_sim_dead d = nothing;
            d.link[0] = i;
            s.all++;
            if (!connected(b, path[0], path[1], &d))
                continue;
            s.possible++;
            hd_sim_pretend(b->s, &d);
            s.done += label_ends(b, path, 2);
        }
    hd_sim_pretend(b->s, &nothing);
    say(b, "links", &s, b->a->min_links);
}

static uint32_t random_neighbour(struct bench *b, uint32_t n)
{
    uint32_t degree = b->first[n + 1] - b->first[n];

    if (degree == 0)
        return HD_SIM_NONE;
    return other_end(b, b->links[b->first[n] + hd_random_below(&b->random, degree)], n);
}

static void measure_nodes(struct bench *b)
{
    struct share s = {0};

    for (uint64_t i = 0; i < b->a->triples; i++) {
        uint32_t path[3] = {(uint32_t)hd_random_below(&b->random, b->sc->node_count)};
        struct hd_sim_dead d = nothing;
        path[1] = random_neighbour(b, path[0]);
        path[2] = path[1] == HD_SIM_NONE ? HD_SIM_NONE : random_neighbour(b, path[1]);
        if (path[2] == HD_SIM_NONE || path[2] == path[0])
            continue;
        hd_sim_pretend(b->s, &nothing);
        if (!label_ends(b, path, 3)) /* over a hub: no label, so nothing to guard */
            continue;
        s.all++;
        d.node[0] = path[1];
        if (!connected(b, path[0], path[2], &d))
            continue;
        s.possible++;
        hd_sim_pretend(b->s, &d);
        s.done += label_ends(b, path, 3);
    }
    hd_sim_pretend(b->s, &nothing);
    say(b, "nodes", &s, b->a->min_nodes);
}

static bool flow_arrives(struct bench *b, uint32_t from, uint32_t to, const struct hd_sim_dead *d,
                         struct hd_sim_walk *w)
{
    hd_sim_pretend(b->s, d);
    hd_sim_walk_pair(b->s, from, to, w);
    hd_sim_pretend(b->s, &nothing);
    note_loop(b, w);
    return w->fate == HD_SIM_ARRIVED;
}

/* A second failure on the way that the packet took after the first. */
static void measure_twice(struct bench *b, uint32_t from, uint32_t to, struct hd_sim_dead d,
                          const struct hd_sim_walk *round, struct share *s)
{
    struct hd_sim_walk w, again;

    for (uint32_t i = 0; i + 1 < round->node_count; i++) {
        d.node[0] = HD_SIM_NONE;
        d.link[1] = link_between(b, round->nodes[i], round->nodes[i + 1]);
        if (d.link[1] == d.link[0])
            continue;
        s->all++;
        s->possible += connected(b, from, to, &d);
        s->done += flow_arrives(b, from, to, &d, &w);
        for (uint32_t j = i + 1; j + 1 < w.node_count; j++) {
            d.node[0] = w.nodes[j];
            (void)flow_arrives(b, from, to, &d, &again);
        }
    }
}

static void measure_flows(struct bench *b)
{
    struct share links = {0}, nodes = {0}, twice = {0};
    struct hd_sim_walk w, round;

    for (uint64_t p = 0; p < b->a->pairs; p++) {
        uint32_t from = b->pair[p][0], to = b->pair[p][1];
        if (from == to || !flow_arrives(b, from, to, &nothing, &w))
            continue;
        for (uint32_t i = 0; i + 1 < w.node_count; i++) {
            struct hd_sim_dead d = nothing;
            d.link[0] = link_between(b, w.nodes[i], w.nodes[i + 1]);
            bool arrives = flow_arrives(b, from, to, &d, &round);
            links.all++;
            if (connected(b, from, to, &d)) {
                links.possible++;
                links.done += arrives;
            }
            if (arrives)
                measure_twice(b, from, to, d, &round, &twice);
            d = nothing;
            d.node[0] = w.nodes[i + 1];
            if (d.node[0] == to)
                continue;
            arrives = flow_arrives(b, from, to, &d, &round);
            nodes.all++;
            if (connected(b, from, to, &d)) {
                nodes.possible++;
                nodes.done += arrives;
            }
        }
    }
    say(b, "flows, link dead", &links, b->a->min_flows);
    say(b, "flows, next node dead", &nodes, b->a->min_next);
    say(b, "flows, two links dead", &twice, 0);
}

/* Packets of all pairs, so that nodes see which of their labels and routes are used. */
static void use_pairs(struct bench *b)
{
    b->pair = calloc(b->a->pairs + 1, sizeof *b->pair);
    for (uint64_t p = 0; p < b->a->pairs; p++)
        for (unsigned e = 0; e < 2; e++)
            b->pair[p][e] = (uint32_t)hd_random_below(&b->random, b->sc->node_count);
    for (uint64_t t = 0; t < b->a->traffic_s; t += 2) {
        for (uint64_t p = 0; p < b->a->pairs; p++)
            hd_sim_send_packet(b->s, b->pair[p][0], b->pair[p][1], 200, 0);
        hd_sim_run(b->s, hd_sim_now(b->s) + HD_SEC(2));
    }
}

static void say_counters(struct bench *b)
{
    struct hd_kira_row_counter rows[256];
    uint64_t sum[HD_ARRAY_LEN(rows)] = {0};
    uint32_t nodes = hd_sim_node_count(b->s), len = 0;

    for (uint32_t n = 0; n < nodes; n++) {
        struct hd_row_cursor cursor = {0};
        len = hd_router_rows(hd_sim_router(b->s, n), HD_CORE_KIRA, HD_KIRA_LIST_COUNTERS, &cursor,
                             rows, HD_ARRAY_LEN(rows), hd_sim_local_time(b->s, n));
        for (uint32_t i = 0; i < len; i++)
            sum[i] += rows[i].value;
    }
    for (uint32_t i = 0; i < len; i++)
        if (strncmp(rows[i].name, "event.guard-", 12) == 0)
            printf("  %s %.1f", rows[i].name + 6, (double)sum[i] / nodes);
    printf("\n");
}

static void say_cost(struct bench *b)
{
    uint64_t labels = 0, explicit = 0, guards = 0;
    uint32_t nodes = hd_sim_node_count(b->s);

    for (uint32_t n = 0; n < nodes; n++) {
        const struct hd_model *m = hd_router_model(hd_sim_router(b->s, n));
        for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0; labels++)
            explicit += hd_model_label_at(m, i)->owner_word & 1;
        for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_GUARD, i)) != 0;)
            guards++;
    }
    printf("per node: labels %.1f, of them set up %.1f; guards %.1f\n", (double)labels / nodes,
           (double)explicit / nodes, (double)guards / nodes);
    if (b->a->max_labels > 0 && labels * 10 > b->a->max_labels * nodes) {
        printf("FAILED: more than %" PRIu64 "/10 labels\n", b->a->max_labels);
        b->failed = true;
    }
    say_counters(b);
}

static bool run(const struct arguments *a)
{
    struct bench b = {.a = a};
    struct hd_sim_options o;
    struct hd_scenario *sc;
    char err[HD_SCENARIO_ERROR];

    if (hd_scenario_open(a->network, a->seed, &sc, err, sizeof err) != 0) {
        fprintf(stderr, "kira-guards: %s\n", err);
        exit(2);
    }
    b.sc = sc;
    for (uint32_t i = 0; i < sc->link_count; i++)
        sc->links[i].delay_ns = HD_MS(1);
    hd_sim_options_default(&o);
    o.seed = a->seed;
    o.config = config;
    o.config_user = (void *)(uintptr_t)a;
    if (hd_sim_create(&b.s, sc, &o, err, sizeof err) != 0) {
        fprintf(stderr, "kira-guards: %s\n", err);
        exit(2);
    }
    hd_random_seed(&b.random, a->seed, 91);
    printf("%s seed %" PRIu64 ": %u nodes, %u links\n", a->network, a->seed, sc->node_count,
           sc->link_count);
    graph(&b);
    hd_sim_run(b.s, HD_SEC(a->settle_s));
    say_cost(&b);
    use_pairs(&b);
    if (a->traffic_s > 0)
        say_cost(&b);
    measure_links(&b);
    measure_nodes(&b);
    measure_flows(&b);
    printf("loops %" PRIu64 " in %" PRIu64 " walks\n", b.loops, b.walks);
    b.failed = b.failed || b.loops > 0;
    free(b.pair);
    free(b.first);
    free(b.links);
    free(b.queue);
    free(b.mark);
    hd_sim_free(b.s);
    hd_scenario_free(sc);
    return b.failed;
}

int main(int argc, char **argv)
{
    struct arguments a = {.seed = 1, .settle_s = 60, .pairs = 500, .triples = 5000};
    struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {
        {"seed", &a.seed},           {"settle-s", &a.settle_s},   {"pairs", &a.pairs},
        {"triples", &a.triples},     {"min-links", &a.min_links}, {"min-nodes", &a.min_nodes},
        {"min-flows", &a.min_flows}, {"min-next", &a.min_next},   {"max-labels", &a.max_labels},
        {"traffic-s", &a.traffic_s},
    };
    struct option options[HD_ARRAY_LEN(numbers) + 2] = {{0}};
    int at = 0, option;

    for (unsigned i = 0; i < HD_ARRAY_LEN(numbers); i++)
        options[i] = (struct option){numbers[i].name, required_argument, NULL, 256 + (int)i};
    options[HD_ARRAY_LEN(numbers)] = (struct option){"no-guards", no_argument, &a.no_guards, 1};
    while ((option = getopt_long(argc, argv, "", options, &at)) != -1) {
        if (option == '?')
            return 2;
        if (option >= 256)
            *numbers[option - 256].value = strtoull(optarg, NULL, 10);
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: kira-guards NETWORK [options]\n");
        return 2;
    }
    a.network = argv[optind];
    setvbuf(stdout, NULL, _IOLBF, 0);
    return run(&a) ? 1 : 0;
}

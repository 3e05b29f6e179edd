/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must never happen, looked for while the simulation runs (design.md, section 8).
 *
 * Loops are sought where they can begin: an object that comes into force can close a loop only with
 * itself in it, so following that very label, or that very route, through the state of this
 * instant finds every loop when it begins. Random pairs are walked beside it, because a route to a
 * prefix has more destinations than one can follow.
 *
 * With several workers that is done at the end of each window, a millisecond or so, when all of
 * them stand still at one instant; each follows what came into force at its nodes. That is kept by
 * its key, since its place in a table may be another's by then.
 *
 * The rest: a router that grows past its memory, asks for a deadline in the past or has work that
 * never ends; black holes (holes.c); tables that contradict each other (tables.c). The first
 * failure is kept as a sentence with its time; the program adds the command that replays it.
 */
#include "sim/check.h"

#include <string.h>

#define ALL_PAIRS_UP_TO  16
#define WALKS_PAUSE_FROM 256       /* nodes; from here on random walks once in */
#define WALKS_PAUSE_NS   HD_MS(10) /* this time: they were most of the work */
#define EXACT_UP_TO      10000     /* nodes; beyond, only samples */
#define CHANGES_MAX      65536     /* kept between two batches; what exceeds it is sampled */
#define CHANGES_MAX      65536     /* kept between two batches; what exceeds it is sampled */
#define ROUTE_WALKS      2         /* random destinations per changed route to a prefix */

void hd_sim_checks_default(struct hd_sim_checks *c)
{
    *c = (struct hd_sim_checks){.loops = true,
                                .walks_per_batch = 64,
                                .reach_bound_ns = 0,
                                .tick_ns = HD_MS(100),
                                .touched_most = 2000,
                                .probe_broken = true,
                                .late_ns = HD_MS(1),
                                .work_bound_ns = HD_SEC(10),
                                .neighbour_bound_ns = HD_SEC(30),
                                .label_bound_ns = HD_SEC(75),
                                .table_tick_ns = HD_SEC(1)};
}

static bool ticks(const struct hd_sim *s)
{
    const struct hd_sim_checks *c = &s->checks;
    return c->tick_ns > 0 &&
           (c->reach_bound_ns > 0 || s->o.pool_max_bytes > 0 || c->table_tick_ns > 0);
}

static void queue_tick(struct hd_sim *s)
{
    if (s->tick_queued || !ticks(s))
        return;
    s->tick_queued = true;
    sim_push(s, s->now + s->checks.tick_ns, WORLD, WORLD, true, EV_TICK, NULL, 0);
}

void hd_sim_set_checks(struct hd_sim *s, const struct hd_sim_checks *c)
{
    s->checks = *c;
    if (s->checker == NULL) {
        struct checker *k = s->checker = hd_sim_take(s->pool, 1, sizeof *k);
        k->work_since = hd_sim_take(s->pool, s->node_count, sizeof *k->work_since);
        k->odd_since = hd_sim_take(s->pool, s->link_count, sizeof *k->odd_since);
        for (uint32_t i = 0; i < s->node_count; i++)
            k->work_since[i] = HD_NEVER;
        for (uint32_t i = 0; i < s->link_count; i++)
            k->odd_since[i] = HD_NEVER;
        holes_start(s);
    }
    queue_tick(s);
}

/* --- loops ---------------------------------------------------------------------------------------
 */

static void judge_walk(struct worker *w, uint32_t from, uint32_t to, const struct hd_sim_walk *k)
{
    w->stats.loop_walks++;
    if (k->fate != HD_SIM_LOOP && k->fate != HD_SIM_HOP_LIMIT)
        return;
    if (to == HD_SIM_NONE)
        sim_fail(w->s, "a label that came into force at node %u goes round at node %u", from,
                 k->at);
    else
        sim_fail(w->s, "a packet from node %u to node %u goes round at node %u", from, to, k->at);
}

void check_round(struct hd_sim *s, const struct hd_sim_pair *p)
{
    if (s->checks.loops && (p->fate == HD_SIM_LOOP || p->fate == HD_SIM_HOP_LIMIT))
        sim_fail(s, "a packet from node %u to node %u goes round at node %u", p->from, p->to,
                 p->at);
}

static void check_loop(struct worker *w, uint32_t from, uint32_t to)
{
    struct hd_sim_walk k;
    if (from == to || w->s->nodes[from].model == NULL || w->failed_at != HD_NEVER)
        return;
    walk_pair(w->s, &w->marks, from, to, &k);
    judge_walk(w, from, to, &k);
}

static uint32_t random_node(struct worker *w)
{
    return (uint32_t)hd_random_below(&w->check_random, w->s->node_count);
}

/* Follows a label from the node where it came into force to where it ends. */
static void follow_label(struct worker *w, uint32_t node, const struct hd_label *label)
{
    struct hd_sim_walk k;
    walk_label(w->s, &w->marks, node, label, &k);
    if (k.stages == 0) /* beyond the end of the label it is no longer this packet's business */
        judge_walk(w, node, HD_SIM_NONE, &k);
}

/* A route to one node has one destination; of a prefix some random ones stand for all. */
static void follow_route(struct worker *w, uint32_t node, const struct hd_route_key *key)
{
    struct hd_id id;
    uint32_t to;
    if (key->len == 128 && hd_id_from_ip6(&key->prefix, 0xfc00, &id) &&
        (to = hd_sim_find(w->s, &id)) != HD_SIM_NONE) {
        check_loop(w, node, to);
        return;
    }
    for (unsigned i = 0; i < ROUTE_WALKS; i++)
        check_loop(w, node, random_node(w));
}

static bool lacks_carrier(const struct hd_sim *s, uint32_t node)
{
    const struct node *n = &s->nodes[node];
    for (uint32_t i = 0; i < n->end_count; i++)
        if (!link_carrier(s, s->ends[s->ends_of[n->first_end + i]].link))
            return true;
    return false;
}

/* A guard is used only where something is down; then its packets are those of its labels. */
static void follow_guard(struct worker *w, uint32_t node, uint32_t guard)
{
    const struct hd_model *m = w->s->nodes[node].model;
    if (!lacks_carrier(w->s, node))
        return;
    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;) {
        const struct hd_label_entry *e = hd_model_label_at(m, i);
        const struct hd_adj *a = e->v.act == HD_LABEL_SWAP ? hd_model_adj(m, e->v.adj) : NULL;
        if (hd_model_repair(m, e->repair).guard == guard || (a != NULL && a->v.guard == guard))
            follow_label(w, node, &e->key);
    }
}

/* What went may leave its users with a shorter route, which can go round as well. */
static void follow_change(struct worker *w, const struct changed *c)
{
    const struct node *n = &w->s->nodes[c->node];
    struct force_label l;
    uint32_t unused;
    if (n->model == NULL)
        return;
    if (c->kind == HD_OBJ_ROUTE)
        follow_route(w, c->node, &c->route);
    else if (c->kind == HD_OBJ_GUARD)
        follow_guard(w, c->node, c->index);
    else if (force_label(n, &c->label, &l, &unused))
        follow_label(w, c->node, &c->label);
}

/* What is followed at the instant of its change; the rest is left to looks. */
bool check_wants(const struct worker *w, const struct hd_change *c)
{
    const struct hd_sim *s = w->s;
    return s->checks.loops && s->node_count <= EXACT_UP_TO && s->group == NULL &&
           w->in_force_count < CHANGES_MAX && c->kind != HD_OBJ_ADJ &&
           !(c->kind == HD_OBJ_LABEL && c->del);
}

static void walk_random_pairs(struct worker *w)
{
    const struct hd_sim *s = w->s;
    uint32_t n = s->node_count;
    if (n <= ALL_PAIRS_UP_TO) {
        for (uint32_t i = w->first * n; i < w->end * n; i++)
            check_loop(w, i / n, i % n);
        return;
    }
    if (n >= WALKS_PAUSE_FROM && w->now < w->walks_at)
        return;
    w->walks_at = w->now + WALKS_PAUSE_NS;
    for (uint32_t i = 0; i < s->checks.walks_per_batch; i++) {
        uint32_t from = random_node(w);
        check_loop(w, from, random_node(w));
    }
}

void check_batch(struct worker *w)
{
    for (uint32_t i = 0; i < w->in_force_count; i++)
        follow_change(w, &w->in_force[i]);
    w->in_force_count = 0;
    if (w->s->checks.loops)
        walk_random_pairs(w);
}

/* --- routers -------------------------------------------------------------------------------------
 */

/* local: the clock of the router when it was called. */
void check_answer(struct hd_sim *s, uint32_t node, const struct hd_answer *a, hd_time local)
{
    struct checker *k = s->checker;
    if (k == NULL)
        return;
    hd_time now = hd_sim_now(s);
    if (s->checks.late_ns > 0 && a->deadline < local - s->checks.late_ns)
        sim_fail(s, "node %u asks for a deadline that passed %lld us ago", node,
                 (long long)((local - a->deadline) / 1000));
    if (a->pending == HD_PENDING_NONE)
        k->work_since[node] = HD_NEVER;
    else if (k->work_since[node] == HD_NEVER)
        k->work_since[node] = now;
    else if (s->checks.work_bound_ns > 0 && now - k->work_since[node] > s->checks.work_bound_ns)
        sim_fail(s, "node %u has had work without a pause for %lld ms", node,
                 (long long)hd_time_to_ms(now - k->work_since[node]));
}

static void check_memory(struct hd_sim *s)
{
    for (uint32_t i = 0; i < s->node_count && s->o.pool_max_bytes > 0; i++) {
        const struct node *n = &s->nodes[i];
        if (n->router != NULL && hd_router_pool(n->router)->live > s->o.pool_max_bytes)
            sim_fail(s, "node %u uses %zu bytes, bound %zu", i, hd_router_pool(n->router)->live,
                     s->o.pool_max_bytes);
    }
}

/* At each tick: for all nodes, at an instant of its own. */
void check_tick(struct hd_sim *s)
{
    s->tick_queued = false;
    check_memory(s);
    if (s->checks.reach_bound_ns > 0)
        holes_look(s);
    if (s->checks.table_tick_ns > 0 && s->now >= s->checker->tables_at) {
        check_tables(s);
        s->checker->tables_at = s->now + s->checks.table_tick_ns;
    }
    queue_tick(s);
}

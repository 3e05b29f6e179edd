/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must never happen, looked for while the simulation runs (design.md, section 8).
 *
 * Loops are sought where they can begin: an object that comes into force can close a loop only with
 * itself in it, so following that very label, or that very route, through the state of this
 * instant finds every loop when it begins. Random pairs are walked beside it, because a route to a
 * prefix has more destinations than one can follow.
 *
 * Black holes have a bound: a look at sampled pairs finds those that do not work, and from then on
 * each of them is watched by itself until it works or nothing connects it any more. So a hole that
 * a sample met once is timed exactly, also while other faults go on.
 *
 * The rest: a router that grows past its memory, asks for a deadline in the past or has work that
 * never ends; tables that contradict each other (tables.c). The first failure is kept as a sentence
 * with its time; the program adds the command that replays it.
 */
#include "sim/check.h"

#include <string.h>

#define ALL_PAIRS_UP_TO   16
#define WALKS_PAUSE_FROM  256       /* nodes; from here on random walks once in */
#define WALKS_PAUSE_NS    HD_MS(10) /* this time: they were most of the work */
#define EXACT_UP_TO       10000     /* nodes; beyond, only samples */
#define CHANGES_MAX       65536     /* kept between two batches; what exceeds it is sampled */
#define ROUTE_WALKS       2         /* random destinations per changed route to a prefix */
#define WATCHED_PAIRS_MAX 4096

void hd_sim_checks_default(struct hd_sim_checks *c)
{
    *c = (struct hd_sim_checks){.loops = true,
                                .walks_per_batch = 64,
                                .reach_bound_ns = 0,
                                .stay_ns = HD_SEC(1),
                                .tick_ns = HD_MS(100),
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
        k->changes = hd_sim_take(s->pool, CHANGES_MAX, sizeof *k->changes);
        k->pairs = hd_sim_take(s->pool, WATCHED_PAIRS_MAX, sizeof *k->pairs);
        k->work_since = hd_sim_take(s->pool, s->node_count, sizeof *k->work_since);
        k->odd_since = hd_sim_take(s->pool, s->link_count, sizeof *k->odd_since);
        for (uint32_t i = 0; i < s->node_count; i++)
            k->work_since[i] = HD_NEVER;
        for (uint32_t i = 0; i < s->link_count; i++)
            k->odd_since[i] = HD_NEVER;
    }
    queue_tick(s);
}

/* --- loops ---------------------------------------------------------------------------------------
 */

static void judge_walk(struct hd_sim *s, uint32_t from, uint32_t to, const struct hd_sim_walk *w)
{
    s->stats.loop_walks++;
    if (w->fate != HD_SIM_LOOP && w->fate != HD_SIM_HOP_LIMIT)
        return;
    if (to == HD_SIM_NONE)
        sim_fail(s, "a label that came into force at node %u goes round at node %u", from, w->at);
    else
        sim_fail(s, "a packet from node %u to node %u goes round at node %u", from, to, w->at);
}

static void check_loop(struct hd_sim *s, uint32_t from, uint32_t to)
{
    struct hd_sim_walk w;
    if (from == to || s->nodes[from].model == NULL || s->failed)
        return;
    hd_sim_walk_pair(s, from, to, &w);
    judge_walk(s, from, to, &w);
}

/* Follows a label from the node where it came into force to where it ends. */
static void follow_label(struct hd_sim *s, uint32_t node, const struct hd_label *label)
{
    struct hd_sim_walk w;
    struct packet p = {.source = node,
                       .outer_source = node,
                       .size = 100,
                       .outer_hops = 64,
                       .inner_hops = 1,
                       .encap = true,
                       .label = *label};
    walk_packet(s, node, &p, &w);
    if (w.stages == 0) /* beyond the end of the label it is no longer this packet's business */
        judge_walk(s, node, HD_SIM_NONE, &w);
}

/* A route to one node has one destination; of a prefix some random ones stand for all. */
static void follow_route(struct hd_sim *s, uint32_t node, const struct hd_route_key *key)
{
    struct hd_id id;
    uint32_t to;
    if (key->len == 128 && hd_id_from_ip6(&key->prefix, 0xfc00, &id) &&
        (to = hd_sim_find(s, &id)) != HD_SIM_NONE) {
        check_loop(s, node, to);
        return;
    }
    for (unsigned i = 0; i < ROUTE_WALKS; i++)
        check_loop(s, node, (uint32_t)hd_random_below(&s->check_random, s->node_count));
}

static void follow_change(struct hd_sim *s, const struct change *c)
{
    const struct node *n = &s->nodes[c->node];
    if (n->model == NULL || s->failed)
        return;
    if (c->kind == HD_OBJ_LABEL) {
        const struct hd_label_entry *l = &n->model->labels.v[c->index];
        if (c->index < n->model->labels.len && l->o.in_use && l->o.present)
            follow_label(s, c->node, &l->key);
    } else if (c->kind == HD_OBJ_ROUTE) {
        const struct hd_route_entry *r = &n->model->routes.v[c->index];
        if (c->index < n->model->routes.len && r->o.in_use && r->o.present)
            follow_route(s, c->node, &r->key);
    }
}

void check_changed(struct hd_sim *s, uint32_t node, const struct hd_change *c)
{
    struct checker *k = s->checker;
    if (k == NULL || !s->checks.loops || c->del || c->kind == HD_OBJ_ADJ ||
        s->node_count > EXACT_UP_TO || k->change_count == CHANGES_MAX)
        return;
    k->changes[k->change_count++] = (struct change){node, c->index, (uint8_t)c->kind};
}

/* Some router's changes came into force. */
void check_batch(struct hd_sim *s)
{
    uint32_t n = s->node_count;
    struct checker *k = s->checker;
    if (k != NULL) {
        for (uint32_t i = 0; i < k->change_count; i++)
            follow_change(s, &k->changes[i]);
        k->change_count = 0;
    }
    if (!s->checks.loops || s->failed || n < 2)
        return;
    if (n <= ALL_PAIRS_UP_TO) {
        for (uint32_t i = 0; i < n * n; i++)
            check_loop(s, i / n, i % n);
        return;
    }
    if (n >= WALKS_PAUSE_FROM && s->now < s->walks_at)
        return;
    s->walks_at = s->now + WALKS_PAUSE_NS;
    for (uint32_t i = 0; i < s->checks.walks_per_batch; i++) {
        uint32_t from = (uint32_t)hd_random_below(&s->check_random, n);
        check_loop(s, from, (uint32_t)hd_random_below(&s->check_random, n));
    }
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

/* --- black holes ---------------------------------------------------------------------------------
 */

static void fail_pair(struct hd_sim *s, const struct broken_pair *b, const struct hd_sim_walk *w)
{
    sim_fail(
        s, "node %u has not reached node %u for %lld ms, though links connect them: %s at node %u",
        b->from, b->to, (long long)hd_time_to_ms(s->now - b->since), hd_sim_fate_name(w->fate),
        w->at);
}

/* Pairs that were found broken: those that work again, or are no longer connected, are let go. */
static void check_watched(struct hd_sim *s)
{
    struct checker *k = s->checker;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < k->pair_count; i++) {
        struct broken_pair *b = &k->pairs[i];
        struct hd_sim_walk w;
        if (s->nodes[b->from].router == NULL || s->nodes[b->to].router == NULL ||
            hd_sim_distance(s, b->from, b->to) == HD_SIM_NONE)
            continue;
        hd_sim_walk_pair(s, b->from, b->to, &w);
        if (w.fate == HD_SIM_ARRIVED)
            continue;
        if (s->now - b->since > s->checks.reach_bound_ns)
            fail_pair(s, b, &w);
        else if (s->checks.probe_broken)
            hd_sim_send_packet(s, b->from, b->to, 100, UINT32_MAX);
        k->pairs[kept++] = *b;
    }
    k->pair_count = kept;
}

/* reach.c found a connected pair that does not work. */
void check_broken_pair(struct hd_sim *s, uint32_t from, uint32_t to)
{
    struct checker *k = s->checker;
    if (k == NULL || !k->looking)
        return;
    for (uint32_t i = 0; i < k->watched_before; i++) {
        if (k->pairs[i].from == from && k->pairs[i].to == to)
            return;
    }
    if (s->checks.probe_broken)
        hd_sim_send_packet(s, from, to, 100, UINT32_MAX);
    if (k->pair_count < WATCHED_PAIRS_MAX)
        k->pairs[k->pair_count++] = (struct broken_pair){from, to, s->now};
}

static void judge_reach(struct hd_sim *s, const struct hd_sim_reach *r)
{
    if (r->arrived == r->connected && s->checker->pair_count == 0) {
        if (s->all_since == HD_NEVER)
            s->all_since = s->now;
        return;
    }
    s->all_since = HD_NEVER;
    if (r->arrived != r->connected && s->now - s->last_fault > s->checks.reach_bound_ns)
        sim_fail(s,
                 "%llu of %llu connected pairs work %lld ms after the last fault; node %u to node "
                 "%u: %s at node %u",
                 (unsigned long long)r->arrived, (unsigned long long)r->connected,
                 (long long)hd_time_to_ms(s->now - s->last_fault), r->bad_from, r->bad_to,
                 hd_sim_fate_name(r->bad_fate), r->bad_at);
}

static void check_reach(struct hd_sim *s)
{
    struct hd_sim_reach r;
    struct checker *k = s->checker;
    if (s->checked_epoch == s->forwarding_epoch && s->all_since != HD_NEVER)
        return;
    s->checked_epoch = s->forwarding_epoch;
    check_watched(s);
    k->watched_before = k->pair_count;
    k->looking = true;
    hd_sim_reach(s, s->checks.sample, (uint64_t)s->now, &r);
    k->looking = false;
    judge_reach(s, &r);
}

/* At each tick: for all nodes, at an instant of its own. */
void check_tick(struct hd_sim *s)
{
    s->tick_queued = false;
    check_memory(s);
    if (s->checks.reach_bound_ns > 0)
        check_reach(s);
    if (s->checks.table_tick_ns > 0 && s->now >= s->checker->tables_at) {
        check_tables(s);
        s->checker->tables_at = s->now + s->checks.table_tick_ns;
    }
    queue_tick(s);
}

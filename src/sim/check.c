/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must never happen, looked for while the simulation runs (design.md, section 8): a packet
 * that goes round, a connected pair without a working way for longer than the bound, a router that
 * grows past its memory. Deadlines served late and work without end are found where they would
 * happen, in node.c.
 *
 * The first failure is kept as a sentence with its time; the program adds the command that replays
 * it.
 */
#include "sim/engine.h"

#define ALL_PAIRS_UP_TO 16

void hd_sim_checks_default(struct hd_sim_checks *c)
{
    *c = (struct hd_sim_checks){.loops = true,
                                .walks_per_batch = 64,
                                .reach_bound_ns = 0,
                                .stay_ns = HD_SEC(1),
                                .tick_ns = HD_MS(100),
                                .probe_broken = true};
}

static void queue_tick(struct hd_sim *s)
{
    if (s->tick_queued || s->checks.tick_ns <= 0 ||
        (s->checks.reach_bound_ns == 0 && s->o.pool_max_bytes == 0))
        return;
    s->tick_queued = true;
    sim_push(s, s->now + s->checks.tick_ns, WORLD, WORLD, true, EV_TICK, NULL, 0);
}

void hd_sim_set_checks(struct hd_sim *s, const struct hd_sim_checks *c)
{
    s->checks = *c;
    queue_tick(s);
}

static void check_loop(struct hd_sim *s, uint32_t from, uint32_t to)
{
    struct hd_sim_walk w;
    if (from == to || s->nodes[from].model == NULL || s->failed)
        return;
    s->stats.loop_walks++;
    hd_sim_walk_pair(s, from, to, &w);
    if (w.fate == HD_SIM_LOOP || w.fate == HD_SIM_HOP_LIMIT)
        sim_fail(s, "a packet from node %u to node %u goes round at node %u", from, to, w.at);
}

/* Some router's changes came into force. */
void check_batch(struct hd_sim *s)
{
    uint32_t n = s->node_count;
    if (!s->checks.loops || s->failed || n < 2)
        return;
    if (n <= ALL_PAIRS_UP_TO) {
        for (uint32_t i = 0; i < n * n; i++)
            check_loop(s, i / n, i % n);
        return;
    }
    for (uint32_t i = 0; i < s->checks.walks_per_batch; i++) {
        uint32_t from = (uint32_t)hd_random_below(&s->check_random, n);
        check_loop(s, from, (uint32_t)hd_random_below(&s->check_random, n));
    }
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

static void check_reach(struct hd_sim *s)
{
    struct hd_sim_reach r;
    if (s->checked_epoch == s->forwarding_epoch && s->all_since != HD_NEVER)
        return;
    s->checked_epoch = s->forwarding_epoch;
    s->probe_broken = s->checks.probe_broken;
    hd_sim_reach(s, s->checks.sample, (uint64_t)s->now, &r);
    s->probe_broken = false;
    if (r.arrived == r.connected) {
        if (s->all_since == HD_NEVER)
            s->all_since = s->now;
        return;
    }
    s->all_since = HD_NEVER;
    if (s->now - s->last_fault > s->checks.reach_bound_ns)
        sim_fail(s,
                 "%llu of %llu connected pairs work %lld ms after the last fault; node %u to node "
                 "%u: %s at node %u",
                 (unsigned long long)r.arrived, (unsigned long long)r.connected,
                 (long long)hd_time_to_ms(s->now - s->last_fault), r.bad_from, r.bad_to,
                 hd_sim_fate_name(r.bad_fate), r.bad_at);
}

void check_tick(struct hd_sim *s)
{
    s->tick_queued = false;
    check_memory(s);
    if (s->checks.reach_bound_ns > 0)
        check_reach(s);
    queue_tick(s);
}

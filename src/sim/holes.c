/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Black holes: connected pairs of nodes that do not work, and for how long.
 *
 * All pairs of a large network cannot be followed, so a look at them has two parts. Every pair
 * whose own route came into force or went since the last look is followed: a hole that begins with
 * a route is found by the next look, in a network of any size. And a sample of all pairs is
 * followed, for holes that begin elsewhere on the way. From then on a pair that was found broken is
 * watched by itself until it works, or nothing connects it any more; so its time is its own, also
 * while other faults go on.
 *
 * Broken pairs are used (a packet is sent), which changes what happens. So which pairs are followed
 * must not depend on who ran which node when: they are a set, noted by the worker of the source.
 * When there are more than can be followed, those stay whose hash is smallest, which no order of
 * arrival changes.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "sim/check.h"

#define WATCHED_PAIRS_MAX 4096
#define SALT              0x401eULL

/* --- pairs whose route changed -------------------------------------------------------------------
 */

static bool stays(uint64_t pair, unsigned thinned)
{
    return thinned == 0 || hd_mix64(pair ^ SALT) >> (64 - thinned) == 0;
}

/* Keeps every other pair, by its hash, until few enough are left. */
static void thin(struct touched *t, struct hd_pool *pool, uint32_t most)
{
    while (t->pairs.len > most) {
        struct hd_map old = t->pairs;
        uint64_t pair;
        uint32_t at = 0, unused;
        t->thinned++;
        hd_map_init(&t->pairs, old.salt);
        while (hd_map_next(&old, &at, &pair, &unused)) {
            if (stays(pair, t->thinned))
                HD_ASSERT(hd_map_set(&t->pairs, pool, pair, 0) == 0);
        }
        hd_map_free(&old, pool);
    }
}

static void touch(struct touched *t, struct hd_pool *pool, uint64_t pair, uint32_t most)
{
    if (!stays(pair, t->thinned))
        return;
    HD_ASSERT(hd_map_set(&t->pairs, pool, pair, 0) == 0);
    if (t->pairs.len > most)
        thin(t, pool, most);
}

/* A route of this node came into force or went; a route to a prefix is left to the sample. */
void holes_note(struct worker *w, uint32_t node, const struct hd_route_key *key)
{
    const struct hd_sim *s = w->s;
    struct hd_id id;
    uint32_t to;
    if (s->checks.reach_bound_ns == 0 || key->len != 128 ||
        !hd_id_from_ip6(&key->prefix, 0xfc00, &id) || (to = hd_sim_find(s, &id)) == HD_SIM_NONE ||
        to == node)
        return;
    touch(&w->touched, w->pool, (uint64_t)node << 32 | to, s->checks.touched_most);
}

/* In a group: what all processes noted. */
static void share(struct hd_sim *s, struct touched *all)
{
    uint32_t thinned[HD_SIM_PROCESSES_MAX] = {all->thinned}, processes = 1, n = 0, at = 0, unused;
    uint64_t pair;
    if (s->group == NULL)
        return;
    uint64_t *list =
        hd_sim_alloc((size_t)s->checks.touched_most * s->group->size + 1, sizeof *list);
    while (hd_map_next(&all->pairs, &at, &pair, &unused))
        list[n++] = pair;
    hd_sim_gather(s, list, sizeof *list, &n);
    hd_sim_gather(s, thinned, sizeof *thinned, &processes);
    for (uint32_t i = 0; i < processes; i++)
        all->thinned = HD_MAX(all->thinned, thinned[i]);
    hd_map_clear(&all->pairs);
    for (uint32_t i = 0; i < n; i++)
        touch(all, s->pool, list[i], s->checks.touched_most);
    free(list);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* All that were noted, in order; malloc'ed. The notes begin anew. */
static uint64_t *collect(struct hd_sim *s, uint32_t *count)
{
    struct touched *all = &s->checker->touched;
    uint32_t most = s->checks.touched_most, at;
    uint64_t pair;
    uint32_t unused;
    for (uint32_t i = 0; i < s->worker_count; i++)
        all->thinned = HD_MAX(all->thinned, s->worker[i]->touched.thinned);
    for (uint32_t i = 0; i < s->worker_count; i++) {
        struct touched *t = &s->worker[i]->touched;
        for (at = 0; hd_map_next(&t->pairs, &at, &pair, &unused);)
            touch(all, s->pool, pair, most);
        hd_map_clear(&t->pairs);
        t->thinned = 0;
    }
    share(s, all);
    uint64_t *list = hd_sim_alloc(all->pairs.len, sizeof *list);
    uint32_t n = 0;
    for (at = 0; hd_map_next(&all->pairs, &at, &pair, &unused);)
        list[n++] = pair;
    hd_map_clear(&all->pairs);
    all->thinned = 0;
    qsort(list, n, sizeof *list, by_number);
    *count = n;
    return list;
}

static void follow_touched(struct hd_sim *s)
{
    uint32_t n;
    uint64_t *list = collect(s, &n);
    struct hd_sim_pair *pairs = hd_sim_alloc(n, sizeof *pairs);
    for (uint32_t i = 0; i < n; i++)
        pairs[i] = (struct hd_sim_pair){.from = (uint32_t)(list[i] >> 32), .to = (uint32_t)list[i]};
    hd_sim_walk_pairs(s, pairs, n);
    for (uint32_t i = 0; i < n; i++) {
        /* distances are dear: only those of pairs that do not work */
        if (pairs[i].fate != HD_SIM_ARRIVED && sim_lives(s, pairs[i].from) &&
            sim_lives(s, pairs[i].to) &&
            hd_sim_distance(s, pairs[i].from, pairs[i].to) != HD_SIM_NONE)
            check_broken_pair(s, &pairs[i]);
    }
    free(pairs);
    free(list);
}

/* --- pairs that are watched ----------------------------------------------------------------------
 */

static void fail_pair(struct hd_sim *s, const struct broken_pair *b, const struct hd_sim_pair *p)
{
    sim_fail(
        s, "node %u has not reached node %u for %lld ms, though links connect them: %s at node %u",
        b->from, b->to, (long long)hd_time_to_ms(s->now - b->since), hd_sim_fate_name(p->fate),
        p->at);
}

/* Pairs that were found broken: those that work again, or are no longer connected, are let go. */
static void check_watched(struct hd_sim *s)
{
    struct checker *k = s->checker;
    uint32_t kept = 0;
    struct hd_sim_pair *pairs = hd_sim_alloc(k->pair_count, sizeof *pairs);
    for (uint32_t i = 0; i < k->pair_count; i++)
        pairs[i] = (struct hd_sim_pair){.from = k->pairs[i].from, .to = k->pairs[i].to};
    hd_sim_walk_pairs(s, pairs, k->pair_count);
    hd_map_clear(&k->watched);
    for (uint32_t i = 0; i < k->pair_count; i++) {
        struct broken_pair b = k->pairs[i];
        if (pairs[i].fate == HD_SIM_ARRIVED || !sim_lives(s, b.from) || !sim_lives(s, b.to) ||
            hd_sim_distance(s, b.from, b.to) == HD_SIM_NONE)
            continue;
        if (s->now - b.since > s->checks.reach_bound_ns)
            fail_pair(s, &b, &pairs[i]);
        else if (s->checks.probe_broken)
            hd_sim_send_packet(s, b.from, b.to, 100, UINT32_MAX);
        HD_ASSERT(hd_map_set(&k->watched, s->pool, (uint64_t)b.from << 32 | b.to, 0) == 0);
        k->pairs[kept++] = b;
    }
    k->pair_count = kept;
    free(pairs);
}

/* A connected pair that does not work; a walk that goes round needs no bound. */
void check_broken_pair(struct hd_sim *s, const struct hd_sim_pair *p)
{
    struct checker *k = s->checker;
    uint64_t key = (uint64_t)p->from << 32 | p->to;
    uint32_t unused;
    if (k == NULL || !k->looking)
        return;
    check_round(s, p);
    if (hd_map_get(&k->watched, key, &unused))
        return;
    if (s->checks.probe_broken)
        hd_sim_send_packet(s, p->from, p->to, 100, UINT32_MAX);
    if (k->pair_count == WATCHED_PAIRS_MAX)
        return;
    HD_ASSERT(hd_map_set(&k->watched, s->pool, key, 0) == 0);
    k->pairs[k->pair_count++] = (struct broken_pair){p->from, p->to, s->now};
}

/*
 * Each pair that was seen broken has a bound of its own. This one is of the whole, of which too
 * much may be broken to be followed: some look within the bound has to find all pairs working.
 */
static void judge_reach(struct hd_sim *s, const struct hd_sim_reach *r)
{
    struct checker *k = s->checker;
    if (r->arrived == r->connected)
        k->whole_at = s->now;
    if (r->arrived == r->connected && k->pair_count == 0) {
        if (s->all_since == HD_NEVER)
            s->all_since = s->now;
        return;
    }
    s->all_since = HD_NEVER;
    if (s->now - HD_MAX(s->last_fault, k->whole_at) > s->checks.reach_bound_ns)
        sim_fail(s,
                 "%llu of %llu connected pairs work %lld ms after the last fault; node %u to node "
                 "%u: %s at node %u",
                 (unsigned long long)r->arrived, (unsigned long long)r->connected,
                 (long long)hd_time_to_ms(s->now - s->last_fault), r->bad_from, r->bad_to,
                 hd_sim_fate_name(r->bad_fate), r->bad_at);
}

void holes_start(struct hd_sim *s)
{
    struct checker *k = s->checker;
    k->pairs = hd_sim_take(s->pool, WATCHED_PAIRS_MAX, sizeof *k->pairs);
    hd_map_init(&k->watched, 15);
    hd_map_init(&k->touched.pairs, 16);
}

void holes_look(struct hd_sim *s)
{
    struct hd_sim_reach r;
    struct checker *k = s->checker;
    if (s->checked_epoch == s->forwarding_epoch && s->all_since != HD_NEVER) {
        k->whole_at = s->now;
        return;
    }
    s->checked_epoch = s->forwarding_epoch;
    k->looking = true;
    check_watched(s);
    follow_touched(s);
    hd_sim_reach(s, s->checks.sample, (uint64_t)s->now, &r);
    k->looking = false;
    judge_reach(s, &r);
}

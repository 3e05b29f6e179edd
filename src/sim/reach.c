/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reachability: a walk follows the forwarding state in force at this instant from node to node, and
 * a breadth-first search over living nodes and working links says what could be reached, and how
 * far it is. Stretch is the ratio of both, kept in thousandths.
 */
#include "sim/engine.h"

#include <stdlib.h>

/*
 * A loop is the same node twice in the same state: under labels within one encapsulation, or
 * routing the inner packet. Two stamps per node tell, marked by walk and stage.
 */
static bool seen_before(struct hd_sim *s, uint32_t node, bool encap, uint32_t stage)
{
    uint64_t mark = s->walk_serial << 16 | (encap ? (stage & 0xffffu) : 0xffffu);
    uint64_t *stamp = &s->stamp[(size_t)node * 2 + (encap ? 1 : 0)];
    bool seen = *stamp == mark;
    *stamp = mark;
    return seen;
}

static void note_node(struct hd_sim_walk *w, uint32_t node)
{
    w->at = node;
    if (w->node_count < HD_SIM_WALK_NODES)
        w->nodes[w->node_count++] = node;
}

void walk_packet(struct hd_sim *s, uint32_t node, const struct packet *packet,
                 struct hd_sim_walk *w)
{
    struct packet p = *packet;
    const struct end *in = NULL;
    struct step st;
    w->away = false;
    w->node_count = 0;
    s->walk_serial++;
    for (;;) {
        note_node(w, node);
        if (seen_before(s, node, p.encap, p.stages)) {
            w->fate = HD_SIM_LOOP;
            break;
        }
        packet_step(s, node, in, &p, &st);
        w->fate = st.fate;
        if (st.next == HD_SIM_NONE)
            break;
        const struct end *out = &s->ends[st.next];
        if (!link_passes(s, out)) {
            w->fate = HD_SIM_LINK_LOST;
            break;
        }
        in = sim_peer(s, out);
        node = in->node;
    }
    w->hops = p.hops;
    w->stages = p.stages;
    w->away = p.away;
}

void hd_sim_walk_pair(struct hd_sim *s, uint32_t from, uint32_t to, struct hd_sim_walk *w)
{
    struct packet p = {
        .to = hd_sim_address(s, to), .source = from, .size = 100, .inner_hops = 64, .origin = true};
    walk_packet(s, from, &p, w);
    if (w->fate == HD_SIM_ARRIVED && w->at != to)
        w->fate = HD_SIM_NO_ROUTE; /* somebody claims an address that is not its own */
}

/* --- shortest paths ------------------------------------------------------------------------------
 */

static bool lives(const struct hd_sim *s, uint32_t node)
{
    return s->nodes[node].router != NULL;
}

/* An end system passes nothing on for others: it is reached, and not gone through. */
static void search(struct hd_sim *s, uint32_t from)
{
    if (s->bfs_from == from && s->bfs_epoch == s->graph_epoch)
        return;
    for (uint32_t i = 0; i < s->node_count; i++)
        s->bfs_distance[i] = HD_SIM_NONE;
    s->bfs_from = from;
    s->bfs_epoch = s->graph_epoch;
    if (!lives(s, from))
        return;
    uint32_t head = 0, tail = 0;
    s->bfs_distance[from] = 0;
    s->bfs_queue[tail++] = from;
    while (head < tail) {
        uint32_t at = s->bfs_queue[head++];
        const struct node *n = &s->nodes[at];
        if (at != from && s->sc->nodes[at].end_system)
            continue;
        for (uint32_t i = 0; i < n->end_count; i++) {
            const struct end *e = &s->ends[s->ends_of[n->first_end + i]];
            const struct end *peer = sim_peer(s, e);
            if (s->bfs_distance[peer->node] != HD_SIM_NONE || !lives(s, peer->node) ||
                !link_passes(s, e) || !link_passes(s, peer))
                continue;
            s->bfs_distance[peer->node] = s->bfs_distance[at] + 1;
            s->bfs_queue[tail++] = peer->node;
        }
    }
}

uint32_t hd_sim_distance(struct hd_sim *s, uint32_t from, uint32_t to)
{
    search(s, from);
    return s->bfs_distance[to];
}

/* --- over many pairs -----------------------------------------------------------------------------
 */

struct stretches {
    uint32_t *v;
    size_t len, cap;
    uint64_t sum;
};

static void add_stretch(struct stretches *l, uint32_t hops, uint32_t shortest)
{
    if (shortest == 0)
        return;
    if (l->len == l->cap) {
        l->cap = l->cap == 0 ? 1024 : l->cap * 2;
        l->v = hd_sim_grow(l->v, l->cap, sizeof *l->v);
    }
    uint32_t stretch = (uint32_t)((uint64_t)hops * 1000 / shortest);
    l->v[l->len++] = stretch;
    l->sum += stretch;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

struct look {
    struct hd_sim_reach *r;
    struct stretches l;
};

static void look_at(void *user, struct hd_sim *s, uint32_t from, uint32_t to, uint32_t shortest)
{
    struct look *look = user;
    struct hd_sim_reach *r = look->r;
    struct hd_sim_walk w;
    r->pairs++;
    if (shortest == HD_SIM_NONE)
        return;
    r->connected++;
    hd_sim_walk_pair(s, from, to, &w);
    r->fates[w.fate]++;
    r->away += w.away ? 1 : 0;
    if (w.fate == HD_SIM_ARRIVED) {
        r->arrived++;
        add_stretch(&look->l, w.hops, shortest);
        return;
    }
    check_broken_pair(s, from, to);
    if (r->bad_from == HD_SIM_NONE) {
        r->bad_from = from;
        r->bad_to = to;
        r->bad_fate = w.fate;
        r->bad_at = w.at;
    }
}

static void finish_stretch(struct stretches *l, struct hd_sim_reach *r)
{
    if (l->len > 0) {
        qsort(l->v, l->len, sizeof *l->v, by_value);
        r->stretch_mean = (uint32_t)(l->sum / l->len);
        r->stretch_p50 = l->v[(l->len - 1) * 50 / 100];
        r->stretch_p95 = l->v[(l->len - 1) * 95 / 100];
        r->stretch_p99 = l->v[(l->len - 1) * 99 / 100];
        r->stretch_max = l->v[l->len - 1];
    }
    free(l->v);
}

/* Sampled: some sources, and for each of them as many destinations; one search per source. */
void hd_sim_each_pair(struct hd_sim *s, uint64_t sample, uint64_t seed,
                      void (*pair)(void *user, struct hd_sim *s, uint32_t from, uint32_t to,
                                   uint32_t shortest),
                      void *user)
{
    uint64_t n = s->node_count;
    uint64_t each = n;
    struct hd_random random;
    hd_random_seed(&random, seed, 0x9a17);
    bool all = sample == 0 || sample >= n * (n - 1);
    for (each = 1; !all && each < n && each * each < sample;)
        each++;
    if (all)
        each = n;
    for (uint64_t i = 0; i < each; i++) {
        uint32_t from = (uint32_t)(all ? i : hd_random_below(&random, n));
        if (!lives(s, from))
            continue;
        for (uint64_t j = 0; j < each; j++) {
            uint32_t to = (uint32_t)(all ? j : hd_random_below(&random, n));
            if (to != from && lives(s, to))
                pair(user, s, from, to, hd_sim_distance(s, from, to));
        }
    }
}

void hd_sim_reach(struct hd_sim *s, uint64_t sample, uint64_t seed, struct hd_sim_reach *r)
{
    struct look look = {.r = r};
    *r = (struct hd_sim_reach){.bad_from = HD_SIM_NONE, .bad_to = HD_SIM_NONE};
    hd_sim_each_pair(s, sample, seed, look_at, &look);
    finish_stretch(&look.l, r);
}

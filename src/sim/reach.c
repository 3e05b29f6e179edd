/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reachability: a walk follows the forwarding state in force at this instant from node to node, and
 * a breadth-first search over living nodes and working links says what could be reached, and how
 * far it is. Stretch is the ratio of both, kept in thousandths.
 */
#include "sim/engine.h"

#include <stdlib.h>

#define LOT 2048 /* pairs that are walked at a time */

/*
 * A loop is the same node twice in the same state: under labels within one encapsulation, or
 * routing the inner packet. Two stamps per node tell, marked by walk and state. A repaired packet
 * may pass a node again that it passed before: its state went on, and goes back no more.
 *
 * A member that lied may be met again under another ID that it gave itself. That packet dies there
 * of its label, so at such a node only the hop limit judges.
 */
static bool seen_before(struct marks *m, const struct walker *k)
{
    const struct packet *p = &k->p;
    uint32_t state = (p->stages * 3 + p->marked + (p->marked && !p->carries)) & 0xffffu;
    uint64_t mark = k->serial << 16 | (p->encap ? state : 0xffffu);
    uint64_t *stamp = &m->stamp[(size_t)k->node * 2 + (p->encap ? 1 : 0)];
    bool seen = *stamp == mark;
    *stamp = mark;
    return seen;
}

static void note_node(struct hd_sim_walk *w, uint32_t node)
{
    if (w != NULL && w->node_count < HD_SIM_WALK_NODES)
        w->nodes[w->node_count++] = node;
}

/* w may be NULL. False: it has come to a node of another process. */
bool walk_on(struct hd_sim *s, struct marks *m, struct walker *k, struct hd_sim_walk *w)
{
    struct step st;
    for (;;) {
        if (!sim_is_here(s, k->node))
            return false;
        note_node(w, k->node);
        if (seen_before(m, k) && !s->nodes[k->node].lied) {
            k->fate = HD_SIM_LOOP;
            return true;
        }
        packet_step(s, k->node, k->in == HD_SIM_NONE ? NULL : &s->ends[k->in], &k->p, &st);
        k->fate = st.fate;
        if (st.next == HD_SIM_NONE)
            return true;
        if (!link_passes(s, &s->ends[st.next])) {
            k->fate = HD_SIM_LINK_LOST;
            return true;
        }
        k->in = st.next ^ 1u;
        k->node = s->ends[k->in].node;
    }
}

void walk_packet(struct hd_sim *s, struct marks *m, uint32_t node, const struct packet *p,
                 struct hd_sim_walk *w)
{
    struct walker k = {.node = node, .in = HD_SIM_NONE, .serial = ++m->serial, .p = *p};
    w->node_count = 0;
    HD_ASSERT(walk_on(s, m, &k, w));
    w->fate = k.fate;
    w->at = k.node;
    w->hops = k.p.hops;
    w->stages = k.p.stages;
    w->away = k.p.away;
}

static bool has_own_route(const struct hd_sim *s, uint32_t from, const struct hd_ip6 *to)
{
    const struct node *n = &s->nodes[from];
    const struct hd_route_entry *e = n->router == NULL ? NULL : hd_model_route_lookup(n->model, to);
    return e != NULL && e->key.len == 128;
}

void walk_begin(const struct hd_sim *s, uint64_t serial, struct walker *k, uint32_t from,
                uint32_t to)
{
    k->node = from;
    k->in = HD_SIM_NONE;
    k->serial = serial;
    k->p = (struct packet){
        .to = hd_sim_address(s, to), .source = from, .size = 100, .inner_hops = 64, .origin = true};
    k->known = has_own_route(s, from, &k->p.to);
}

void walk_end(const struct walker *k, struct hd_sim_pair *p)
{
    p->fate = k->fate;
    if (p->fate == HD_SIM_ARRIVED && k->node != p->to)
        p->fate = HD_SIM_NO_ROUTE; /* somebody claims an address that is not its own */
    p->at = k->node;
    p->hops = k->p.hops;
    p->stages = k->p.stages;
    p->away = k->p.away;
    p->known = k->known;
}

void hd_sim_walk_pairs(struct hd_sim *s, struct hd_sim_pair *pairs, size_t count)
{
    if (s->group != NULL) {
        ranks_walk(s, pairs, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct walker k;
        walk_begin(s, ++s->marks.serial, &k, pairs[i].from, pairs[i].to);
        HD_ASSERT(walk_on(s, &s->marks, &k, NULL));
        walk_end(&k, &pairs[i]);
    }
}

static void tell_walk(const struct hd_sim_pair *p, struct hd_sim_walk *w)
{
    w->fate = p->fate;
    w->at = p->at;
    w->hops = p->hops;
    w->stages = p->stages;
    w->away = p->away;
}

void walk_pair(struct hd_sim *s, struct marks *m, uint32_t from, uint32_t to, struct hd_sim_walk *w)
{
    struct hd_sim_pair p = {.from = from, .to = to};
    struct walker k;
    w->node_count = 0;
    walk_begin(s, ++m->serial, &k, from, to);
    HD_ASSERT(walk_on(s, m, &k, w));
    walk_end(&k, &p);
    tell_walk(&p, w);
}

void hd_sim_walk_pair(struct hd_sim *s, uint32_t from, uint32_t to, struct hd_sim_walk *w)
{
    struct hd_sim_pair p = {.from = from, .to = to};
    if (s->group == NULL) {
        walk_pair(s, &s->marks, from, to, w);
        return;
    }
    ranks_walk(s, &p, 1);
    w->node_count = 0;
    tell_walk(&p, w);
}

void walk_label(struct hd_sim *s, struct marks *m, uint32_t node, const struct hd_label *label,
                struct hd_sim_walk *w)
{
    struct packet p = {.source = node,
                       .outer_source = node,
                       .size = 100,
                       .outer_hops = 64,
                       .inner_hops = 1,
                       .encap = true,
                       .label = *label};
    walk_packet(s, m, node, &p, w);
}

void hd_sim_walk_label(struct hd_sim *s, uint32_t node, const struct hd_label *label,
                       struct hd_sim_walk *w)
{
    walk_label(s, &s->marks, node, label, w);
    /* The packet is for nobody: without a route it ends where its label did. */
    if (w->fate == HD_SIM_NO_ROUTE && w->stages == 0)
        w->fate = HD_SIM_ARRIVED;
}

void hd_sim_pretend(struct hd_sim *s, const struct hd_sim_dead *d)
{
    s->pretend = *d;
}

/* --- shortest paths ------------------------------------------------------------------------------
 */

/* An end system passes nothing on for others: it is reached, and not gone through. */
static void search(struct hd_sim *s, uint32_t from)
{
    if (s->bfs_from == from && s->bfs_epoch == s->graph_epoch)
        return;
    for (uint32_t i = 0; i < s->node_count; i++)
        s->bfs_distance[i] = HD_SIM_NONE;
    s->bfs_from = from;
    s->bfs_epoch = s->graph_epoch;
    if (!sim_lives(s, from))
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
            if (s->bfs_distance[peer->node] != HD_SIM_NONE || !sim_lives(s, peer->node) ||
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

static void look_at(void *user, struct hd_sim *s, const struct hd_sim_pair *p)
{
    struct look *look = user;
    struct hd_sim_reach *r = look->r;
    r->pairs++;
    if (p->shortest == HD_SIM_NONE)
        return;
    r->connected++;
    r->fates[p->fate]++;
    r->away += p->away ? 1 : 0;
    if (p->fate == HD_SIM_ARRIVED) {
        r->arrived++;
        add_stretch(&look->l, p->hops, p->shortest);
        return;
    }
    check_broken_pair(s, p);
    if (r->bad_from == HD_SIM_NONE) {
        r->bad_from = p->from;
        r->bad_to = p->to;
        r->bad_fate = p->fate;
        r->bad_at = p->at;
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

/* Pairs are walked in lots. */
struct lot {
    struct hd_sim_pair pairs[LOT];
    size_t len;
    void (*pair)(void *user, struct hd_sim *s, const struct hd_sim_pair *p);
    void *user;
};

static void walk_lot(struct hd_sim *s, struct lot *l)
{
    hd_sim_walk_pairs(s, l->pairs, l->len);
    for (size_t i = 0; i < l->len; i++)
        l->pair(l->user, s, &l->pairs[i]);
    l->len = 0;
}

static void add_pair(struct hd_sim *s, struct lot *l, uint32_t from, uint32_t to)
{
    if (to == from || !sim_lives(s, to))
        return;
    l->pairs[l->len++] =
        (struct hd_sim_pair){.from = from, .to = to, .shortest = hd_sim_distance(s, from, to)};
    if (l->len == LOT)
        walk_lot(s, l);
}

/* Sampled: some sources, and for each of them as many destinations; one search per source. */
void hd_sim_each_pair(struct hd_sim *s, uint64_t sample, uint64_t seed,
                      void (*pair)(void *user, struct hd_sim *s, const struct hd_sim_pair *p),
                      void *user)
{
    uint64_t n = s->node_count;
    uint64_t each;
    struct hd_random random;
    struct lot *l = hd_sim_alloc(1, sizeof *l);
    l->pair = pair;
    l->user = user;
    hd_random_seed(&random, seed, 0x9a17);
    bool all = sample == 0 || sample >= n * (n - 1);
    for (each = 1; !all && each < n && each * each < sample;)
        each++;
    if (all)
        each = n;
    for (uint64_t i = 0; i < each; i++) {
        uint32_t from = (uint32_t)(all ? i : hd_random_below(&random, n));
        if (!sim_lives(s, from))
            continue;
        for (uint64_t j = 0; j < each; j++)
            add_pair(s, l, from, (uint32_t)(all ? j : hd_random_below(&random, n)));
    }
    walk_lot(s, l);
    free(l);
}

void hd_sim_reach(struct hd_sim *s, uint64_t sample, uint64_t seed, struct hd_sim_reach *r)
{
    struct look look = {.r = r};
    *r = (struct hd_sim_reach){.bad_from = HD_SIM_NONE, .bad_to = HD_SIM_NONE};
    hd_sim_each_pair(s, sample, seed, look_at, &look);
    finish_stretch(&look.l, r);
}

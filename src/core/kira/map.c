/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One search over everything known (doc/decisions/0006): the links of the own paths, of the
 * vicinity and of an answer's paths form a graph; its shortest paths from here are often shorter
 * than any single path that somebody named, and when a link fails they are the alternatives that
 * need no question. kira-scale.md section 4, column D, has what it brings.
 *
 * The graph lives on the caller's stack for one call: it is cheaper to gather a few thousand links
 * again than to keep a second copy of them in every router.
 */
#include "core/kira/state.h"

#define NONE 0xffff

static uint16_t kira_map_node(struct kira_map *m, hd_node n)
{
    uint32_t mask = HD_ARRAY_LEN(m->slot) - 1;
    uint32_t at = kira_node_hash(n) & mask;

    while (m->slot[at] != NONE) {
        if (m->node[m->slot[at]].node == n)
            return m->slot[at];
        at = (at + 1) & mask;
    }
    if (m->nodes == KIRA_MAP_NODES)
        return NONE;
    m->slot[at] = (uint16_t)m->nodes;
    m->node[m->nodes] = (struct kira_map_node){.node = n, .dist = NONE, .first = NONE};
    return (uint16_t)m->nodes++;
}

static void kira_map_half(struct kira_map *m, uint16_t from, uint16_t to)
{
    m->edge[m->edges] = (struct kira_map_edge){.to = to, .next = m->node[from].first};
    m->node[from].first = (uint16_t)m->edges++;
}

/*
 * Adds a link in both directions unless it is remembered as failed or the map is full. *number is
 * that of node a, NONE when it has not been looked for.
 */
static void kira_map_link_from(struct kira_call *x, struct kira_map *m, uint16_t *number, hd_node a,
                               hd_node b)
{
    if (m->edges + 2 > KIRA_MAP_EDGES || (x->k->failed.len > 0 && kira_link_is_failed(x->k, a, b)))
        return;
    if (*number == NONE)
        *number = kira_map_node(m, a);
    uint16_t i = *number, j = kira_map_node(m, b);
    if (i == NONE || j == NONE || i == j)
        return;
    kira_map_half(m, i, j);
    if (i != 0) /* nobody is reached through self */
        kira_map_half(m, j, i);
}

static void kira_map_link(struct kira_call *x, struct kira_map *m, hd_node a, hd_node b)
{
    uint16_t number = NONE;

    kira_map_link_from(x, m, &number, a, b);
}

void kira_map_build(struct kira_call *x, struct kira_map *m)
{
    struct kira *k = x->k;

    m->nodes = m->edges = 0;
    memset(m->slot, 0xff, sizeof m->slot);
    (void)kira_map_node(m, k->self); /* number 0 */
    for (uint32_t i = 0; i < k->ulns.len; i++)
        if (k->ulns.v[i]->alive)
            kira_map_link(x, m, k->self, k->ulns.v[i]->node);
    for (uint32_t i = 0; i < k->vicinity.len; i++) {
        const struct kira_vicinity *v = k->vicinity.v[i];
        uint16_t number = NONE;
        for (uint32_t j = 0; j < v->list_len; j++)
            if (v->list[j] != k->self && v->node != k->self)
                kira_map_link_from(x, m, &number, v->node, v->list[j]);
    }
    for (uint32_t t = 1; t < k->trie.len; t++)
        if (k->trie.v[t].refs > 0 && k->trie.v[t].parent != 0)
            kira_map_link(x, m, k->trie.v[k->trie.v[t].parent].node, k->trie.v[t].node);
}

static void kira_map_end_system(struct kira_map *m, hd_node n)
{
    uint16_t at = kira_map_node(m, n);

    if (at != NONE)
        m->node[at].end_system = true;
}

/* End systems are destinations; no path leads through them. */
static void kira_map_mark_end_systems(struct kira_call *x, struct kira_map *m)
{
    struct kira *k = x->k;

    for (uint32_t i = 0; i < k->ulns.len; i++)
        if (k->ulns.v[i]->end_system)
            kira_map_end_system(m, k->ulns.v[i]->node);
    for (uint32_t i = 0; i < k->vicinity.len; i++)
        if (k->vicinity.v[i]->end_system)
            kira_map_end_system(m, k->vicinity.v[i]->node);
    for (uint32_t i = 0; i < k->contacts.len; i++)
        if (k->contacts.v[i].end_system)
            kira_map_end_system(m, k->contacts.v[i].node);
}

void kira_map_add_path(struct kira_call *x, struct kira_map *m, const hd_node *path, uint32_t len)
{
    for (uint32_t i = 1; i < len; i++)
        if (path[i - 1] != x->k->self && path[i] != x->k->self)
            kira_map_link(x, m, path[i - 1], path[i]);
}

/* What a search leaves out; all zero: nothing. */
struct kira_round {
    hd_node y;
    bool node;
    uint32_t not_over;
};

static bool kira_map_passes(struct kira_call *x, const struct kira_map *m,
                            const struct kira_round *round, uint16_t from, uint16_t to)
{
    hd_node n = m->node[to].node;

    if (round->y == 0)
        return true;
    if (n == round->y && (round->node || from == 0))
        return false;
    return from != 0 || kira_guard_first_hop(x, n, round->not_over);
}

static void kira_map_search(struct kira_call *x, struct kira_map *m, const struct kira_round *round)
{
    uint32_t head = 0, tail = 0;

    kira_map_mark_end_systems(x, m);
    for (uint32_t i = 0; i < m->nodes; i++)
        m->node[i].dist = NONE;
    m->node[0].dist = 0;
    m->queue[tail++] = 0;
    while (head < tail) {
        uint16_t at = m->queue[head++];
        if (m->node[at].end_system)
            continue;
        for (uint16_t e = m->node[at].first; e != NONE; e = m->edge[e].next) {
            struct kira_map_node *n = &m->node[m->edge[e].to];
            if (n->dist != NONE || !kira_map_passes(x, m, round, at, m->edge[e].to))
                continue;
            n->dist = (uint16_t)(m->node[at].dist + 1);
            n->parent = at;
            m->queue[tail++] = m->edge[e].to;
        }
    }
}

void kira_map_solve(struct kira_call *x, struct kira_map *m)
{
    struct kira_round nothing = {0};

    kira_map_search(x, m, &nothing);
}

void kira_map_solve_round(struct kira_call *x, struct kira_map *m, hd_node y, bool node,
                          uint32_t not_over)
{
    struct kira_round round = {y, node, not_over};

    kira_map_search(x, m, &round);
}

/* The number of a node that a path leads to, else NONE. */
static uint16_t kira_map_reached(const struct kira_map *m, hd_node to)
{
    uint32_t mask = HD_ARRAY_LEN(m->slot) - 1;
    uint32_t at = kira_node_hash(to) & mask;

    while (m->slot[at] != NONE && m->node[m->slot[at]].node != to)
        at = (at + 1) & mask;
    if (m->slot[at] == NONE)
        return NONE;
    uint16_t n = m->slot[at];
    if (m->node[n].dist == NONE || m->node[n].dist == 0 || m->node[n].dist > HD_KIRA_PATH_MAX)
        return NONE;
    return n;
}

/* The node before n on the way: of those that are nearer by one, the first by identifier. */
static uint16_t kira_map_before(const struct kira_call *x, const struct kira_map *m, uint16_t n)
{
    uint16_t best = m->node[n].parent;

    for (uint16_t e = m->node[n].first; e != NONE; e = m->edge[e].next) {
        uint16_t to = m->edge[e].to;
        if (m->node[to].dist + 1 == m->node[n].dist && !m->node[to].end_system &&
            hd_id_compare(kira_id(x, m->node[to].node), kira_id(x, m->node[best].node)) < 0)
            best = to;
    }
    return best;
}

uint32_t kira_map_way(const struct kira_call *x, const struct kira_map *m, hd_node to, hd_node *out)
{
    uint16_t n = kira_map_reached(m, to);
    uint32_t len = n == NONE ? 0 : m->node[n].dist;

    for (uint32_t i = len; i > 0; i--) {
        out[i - 1] = m->node[n].node;
        if (i > 1)
            n = kira_map_before(x, m, n);
    }
    return len;
}

uint32_t kira_map_path(const struct kira_map *m, hd_node to, hd_node *out)
{
    uint16_t n = kira_map_reached(m, to);

    if (n == NONE)
        return 0;
    uint32_t len = m->node[n].dist;
    for (uint32_t i = len; i > 0; i--) {
        out[i - 1] = m->node[n].node;
        n = m->node[n].parent;
    }
    return len;
}

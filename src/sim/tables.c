/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consistency of forwarding tables, by what the models of neighbouring nodes say of each other:
 *
 *   * a label or route in force uses an adjacency that is in force;
 *   * a label that is handed to a living neighbour is known there, or soon is, or is soon withdrawn
 *     (labels are soft state, so "soon" is their lifetime and a little);
 *   * over a link that passes both ways, either both ends admit each other or none does, but for a
 *     while in which one of them is still learning.
 *
 * The last two allow for time: what is odd is kept with the instant when it was first seen so.
 */
#include "sim/check.h"

#include <string.h>

/* The end over which an adjacency in force leads; NULL: there is no such adjacency. */
static struct end *leads_to(struct hd_sim *s, uint32_t node, uint32_t adj, struct hd_adj_value *v)
{
    if (!force_adj(&s->nodes[node], adj, v))
        return NULL;
    return sim_end_of(s, node, v->ifindex);
}

static void add_dangling(struct hd_sim *s, uint32_t node, uint32_t index,
                         const struct hd_label *key, hd_time since)
{
    struct dangling_list *l = &s->checker->dangling;
    if (l->len == l->cap)
        l->v = hd_sim_more(s->pool, l->v, &l->cap, sizeof *l->v);
    l->v[l->len++] = (struct dangling){node, index, *key, since};
}

/* Since when; both lists are in the order of nodes and indices, so this is a merge. */
static hd_time dangles_since(const struct hd_sim *s, uint32_t *at, uint32_t node, uint32_t index,
                             const struct hd_label *key)
{
    const struct dangling_list *l = &s->checker->dangling_before;
    while (*at < l->len &&
           (l->v[*at].node < node || (l->v[*at].node == node && l->v[*at].index < index)))
        (*at)++;
    if (*at < l->len && l->v[*at].node == node && l->v[*at].index == index &&
        memcmp(&l->v[*at].key, key, sizeof *key) == 0)
        return l->v[*at].since;
    return s->now;
}

static void check_label(struct hd_sim *s, uint32_t node, uint32_t index, uint32_t *at)
{
    const struct hd_label_entry *l = &s->nodes[node].model->labels.v[index];
    struct hd_adj_value adj;
    struct force_label own, next;
    uint32_t unused;
    /* What is wanted may be on its way to the data plane, with what it needs. */
    if (!force_label(&s->nodes[node], &l->key, &own, &unused) || own.v.act != HD_LABEL_SWAP)
        return;
    const struct end *e = leads_to(s, node, own.v.adj, &adj);
    if (e == NULL) {
        sim_fail(s, "node %u: label entry %u leads over adjacency %u, which is not in force", node,
                 index, own.v.adj);
        return;
    }
    const struct node *peer = &s->nodes[sim_peer(s, e)->node];
    if (adj.down || !link_passes(s, e) || peer->router == NULL ||
        force_label(peer, &own.v.out, &next, &unused))
        return;
    hd_time since = dangles_since(s, at, node, index, &l->key);
    add_dangling(s, node, index, &l->key, since);
    if (s->checks.label_bound_ns > 0 && s->now - since > s->checks.label_bound_ns)
        sim_fail(s, "node %u: label entry %u leads to node %u, which has not known it for %lld ms",
                 node, index, sim_peer(s, e)->node, (long long)hd_time_to_ms(s->now - since));
}

static void check_labels(struct hd_sim *s)
{
    struct checker *k = s->checker;
    struct dangling_list before = k->dangling_before;
    uint32_t at = 0;
    k->dangling_before = k->dangling;
    k->dangling = before;
    k->dangling.len = 0;
    for (uint32_t node = 0; node < s->node_count && !s->failed; node++) {
        const struct hd_model *m = s->nodes[node].router == NULL ? NULL : s->nodes[node].model;
        for (uint32_t i = 0; m != NULL && (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;)
            check_label(s, node, i, &at);
    }
}

static void check_routes(struct hd_sim *s)
{
    for (uint32_t node = 0; node < s->node_count && !s->failed; node++) {
        const struct hd_model *m = s->nodes[node].router == NULL ? NULL : s->nodes[node].model;
        for (uint32_t i = 0; m != NULL && (i = hd_model_next(m, HD_OBJ_ROUTE, i)) != 0;) {
            const struct hd_route_entry *r = hd_model_route_at(m, i);
            struct hd_adj_value adj;
            bool uses = r->v.act != HD_ROUTE_LOCAL && r->v.act != HD_ROUTE_UNREACHABLE;
            if (r->o.present && r->o.installed && uses && leads_to(s, node, r->v.adj, &adj) == NULL)
                sim_fail(s, "node %u: a route leads over adjacency %u, which is not in force", node,
                         r->v.adj);
        }
    }
}

static bool admits_peer(struct hd_sim *s, const struct end *e)
{
    const struct node *n = &s->nodes[e->node];
    struct hd_mac mac = sim_mac(sim_peer(s, e));
    struct hd_adj_value v;
    for (uint32_t i = 1; i < n->model->adjs.len; i++) {
        if (force_adj(n, i, &v) && v.admitted && !v.down && v.ifindex == e->ifindex &&
            hd_mac_equal(&v.mac, &mac))
            return true;
    }
    return false;
}

static void check_links(struct hd_sim *s)
{
    for (uint32_t link = 0; link < s->link_count && !s->failed; link++) {
        const struct end *a = &s->ends[(size_t)link * 2], *b = a + 1;
        hd_time *since = &s->checker->odd_since[link];
        if (s->nodes[a->node].router == NULL || s->nodes[b->node].router == NULL ||
            !link_passes(s, a) || !link_passes(s, b) || admits_peer(s, a) == admits_peer(s, b)) {
            *since = HD_NEVER;
            continue;
        }
        if (*since == HD_NEVER)
            *since = s->now;
        else if (s->checks.neighbour_bound_ns > 0 && s->now - *since > s->checks.neighbour_bound_ns)
            sim_fail(
                s,
                "nodes %u and %u: for %lld ms only one of them has taken the other as a neighbour",
                a->node, b->node, (long long)hd_time_to_ms(s->now - *since));
    }
}

void check_tables(struct hd_sim *s)
{
    check_links(s);
    check_routes(s);
    check_labels(s);
}

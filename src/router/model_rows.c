/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the forwarding model. The cursor is the index of the entry shown last, so a walk over
 * pages survives edits in between: it may miss or show what changes meanwhile, but it ends.
 *
 * What the owner words mean is agreed here for all owners: bit 0 of a label's word says that
 * signalling set it up, its time is when it expires (0: never).
 */
#include "router/model_rows.h"

#include "lib/base.h"

/* Where an adjacency leads; zero when it is gone. */
static void show_adj(const struct hd_model *m, uint32_t adj, uint32_t *ifindex,
                     struct hd_ip6 *next_hop)
{
    const struct hd_adj *a = adj != 0 ? hd_model_adj(m, adj) : NULL;

    if (a == NULL)
        return;
    *ifindex = a->v.ifindex;
    *next_hop = a->v.link_local;
}

/* A guard that leads somewhere; NULL when it does not, or has a label of its own to carry and the
 * packet as well. */
static const struct hd_guard *usable(const struct hd_model *m, uint32_t guard, bool carries)
{
    const struct hd_guard *g = guard != 0 ? hd_model_guard(m, guard) : NULL;

    return g == NULL || g->v.adj == 0 || (carries && !hd_label_is_none(&g->v.then)) ? NULL : g;
}

/* What a packet would do whose egress is dead: as the data plane decides. */
static void show_way(const struct hd_model *m, uint32_t adj, uint16_t repair, bool labelled,
                     struct hd_row_way *row)
{
    const struct hd_repair r = hd_model_repair(m, repair);
    const struct hd_adj *a = adj != 0 ? hd_model_adj(m, adj) : NULL;
    const struct hd_guard *own = usable(m, r.guard, !hd_label_is_none(&r.then));
    const struct hd_guard *link = a != NULL && labelled ? usable(m, a->v.guard, true) : NULL;
    const struct hd_guard *g = own != NULL ? own : link;

    if (g == NULL)
        return;
    row->guard = g == own && (a == NULL || r.guard != a->v.guard) ? HD_GUARD_OWN : HD_GUARD_LINK;
    row->out = g->v.out;
    show_adj(m, g->v.adj, &row->ifindex, &row->next_hop);
}

static void show_label(const struct hd_model *m, uint32_t i, struct hd_row_label *row, hd_time now)
{
    const struct hd_label_entry *e = hd_model_label_at(m, i);

    *row = (struct hd_row_label){
        .label = e->key,
        .out = e->v.out,
        .act = e->v.act,
        .owner = e->o.owner,
        .installed = e->o.installed,
        .explicit_setup = e->owner_word & 1,
        .adj = e->v.adj,
        .expires_in_ns = HD_NEVER,
    };
    if (e->until_s != 0)
        row->expires_in_ns = HD_MAX(HD_SEC((hd_time)e->until_s) - now, (hd_time)0);
    show_adj(m, e->v.adj, &row->ifindex, &row->next_hop);
    show_way(m, e->v.adj, e->repair, true, &row->way);
}

static void show_route(const struct hd_model *m, uint32_t i, struct hd_row_route *row)
{
    const struct hd_route_entry *e = hd_model_route_at(m, i);

    *row = (struct hd_row_route){
        .prefix = e->key.prefix,
        .len = e->key.len,
        .act = e->v.act,
        .owner = e->o.owner,
        .installed = e->o.installed,
        .mtu = e->v.mtu,
        .adj = e->v.adj,
        .out = e->v.out,
    };
    show_adj(m, e->v.adj, &row->ifindex, &row->next_hop);
    show_way(m, e->v.adj, e->repair, e->v.act == HD_ROUTE_ENCAP, &row->way);
}

static void show_adjacency(const struct hd_model *m, uint32_t i, struct hd_row_adj *row)
{
    const struct hd_adj *a = hd_model_adj(m, i);

    *row = (struct hd_row_adj){
        .adj = i,
        .ifindex = a->v.ifindex,
        .link_local = a->v.link_local,
        .mac = a->v.mac,
        .admitted = a->v.admitted,
        .down = a->v.down,
        .installed = a->o.installed,
        .owner = a->o.owner,
    };
}

uint32_t hd_model_rows(const struct hd_model *m, uint16_t list, struct hd_row_cursor *cursor,
                       void *out, uint32_t max, hd_time now)
{
    static const enum hd_object_kind kinds[] = {
        [HD_LIST_LABELS] = HD_OBJ_LABEL,
        [HD_LIST_ROUTES] = HD_OBJ_ROUTE,
        [HD_LIST_ADJS] = HD_OBJ_ADJ,
    };
    uint32_t n = 0;

    if (list == 0 || list >= HD_ARRAY_LEN(kinds)) {
        cursor->end = true;
        return 0;
    }
    uint32_t next = hd_model_next(m, kinds[list], (uint32_t)cursor->a);
    while (next != 0 && n < max) {
        if (list == HD_LIST_LABELS)
            show_label(m, next, (struct hd_row_label *)out + n, now);
        else if (list == HD_LIST_ROUTES)
            show_route(m, next, (struct hd_row_route *)out + n);
        else
            show_adjacency(m, next, (struct hd_row_adj *)out + n);
        n++;
        cursor->a = next;
        next = hd_model_next(m, kinds[list], next);
    }
    cursor->end = next == 0;
    return n;
}

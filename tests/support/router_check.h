/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold of a router's model and pool between any two calls, whatever came in: for fuzz
 * targets, sweeps and simulations. A violation aborts with the place.
 */
#ifndef HD_TESTS_SUPPORT_ROUTER_CHECK_H
#define HD_TESTS_SUPPORT_ROUTER_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/router.h"

#define ROUTER_CHECK(cond)                                                                         \
    ((cond) ? (void)0                                                                              \
            : (fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond), abort()))

static inline bool adj_is_wanted(const struct hd_model *m, uint32_t adj)
{
    const struct hd_adj *a = hd_model_adj(m, adj);

    return adj != 0 && a != NULL && a->o.wanted;
}

static inline bool guard_is_wanted(const struct hd_model *m, uint32_t guard)
{
    const struct hd_guard *g = guard != 0 ? hd_model_guard(m, guard) : NULL;

    return guard == 0 || (g != NULL && g->o.wanted);
}

/* Every label and route that is wanted can be found by its key, and leads over a wanted adjacency.
 */
static inline void check_model(const struct hd_model *m)
{
    uint32_t queued = 0;

    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;) {
        const struct hd_label_entry *l = hd_model_label_at(m, i);
        ROUTER_CHECK(hd_model_label_find(m, &l->key) == l);
        ROUTER_CHECK(l->v.act == HD_LABEL_DECAP || l->v.act == HD_LABEL_SWAP);
        ROUTER_CHECK(l->v.act == HD_LABEL_DECAP || adj_is_wanted(m, l->v.adj));
        ROUTER_CHECK(guard_is_wanted(m, hd_model_repair(m, l->repair).guard));
    }
    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_ROUTE, i)) != 0;) {
        const struct hd_route_entry *r = hd_model_route_at(m, i);
        ROUTER_CHECK(hd_model_route_find(m, &r->key) == r);
        ROUTER_CHECK(r->v.act >= HD_ROUTE_LOCAL && r->v.act <= HD_ROUTE_UNREACHABLE);
        if (r->v.act == HD_ROUTE_DIRECT || r->v.act == HD_ROUTE_ENCAP)
            ROUTER_CHECK(adj_is_wanted(m, r->v.adj));
        ROUTER_CHECK(guard_is_wanted(m, hd_model_repair(m, r->repair).guard));
    }
    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_GUARD, i)) != 0;) {
        const struct hd_guard_value *g = &hd_model_guard(m, i)->v;
        ROUTER_CHECK(g->adj == 0 || adj_is_wanted(m, g->adj));
    }
    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_ADJ, i)) != 0;)
        ROUTER_CHECK(guard_is_wanted(m, hd_model_adj(m, i)->v.guard));
    for (uint32_t i = 1; i < m->adjs.len; i++)
        queued += m->adjs.v[i].o.queued;
    for (uint32_t i = 1; m->guards != NULL && i < m->guards->v.len; i++)
        queued += m->guards->v.v[i].o.queued;
    for (uint32_t i = 1; i < m->labels.len; i++)
        queued += m->labels.v[i].o.queued;
    for (uint32_t i = 1; i < m->routes.len; i++)
        queued += m->routes.v[i].o.queued;
    ROUTER_CHECK(queued == m->queued);
}

/* Bytes ever handed out are those in use now and those in free lists; no list runs wild or in a
 * ring. For a pool with a region of its own. */
static inline void check_pool(const struct hd_pool *p)
{
    size_t own = (sizeof *p + 15) & ~(size_t)15, free_bytes = 0, size = 0, blocks = 0;

    if (p->parent != NULL) { /* packed: it goes to pieces, which the parent accounts for */
        ROUTER_CHECK(p->live <= p->used);
        return;
    }
    for (unsigned c = 0; c < HD_POOL_CLASSES; c++) {
        size = hd_pool_rounded(size + 1);
        for (uint32_t b = p->free_list[c], next; b != 0; b = next) {
            /* Lists count grains, and go on in a block's first bytes. */
            const unsigned char *block = p->origin + (size_t)b * 16;
            size_t at = (size_t)(block - (p->next - p->used));
            memcpy(&next, block, sizeof next);
            ROUTER_CHECK(at >= own && at + size <= p->used && at % 16 == 0);
            free_bytes += size;
            ROUTER_CHECK(blocks++ <= p->used / 16);
        }
    }
    ROUTER_CHECK(p->used <= p->size);
    ROUTER_CHECK(own + p->live + free_bytes <= p->used);
    /* only a region at its end cuts blocks, and may lose what does not fit a class */
    if (p->used + ((size_t)1 << 20) < p->size)
        ROUTER_CHECK(own + p->live + free_bytes == p->used);
}

#endif

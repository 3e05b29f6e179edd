/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sync groups: virtual routers that must be Active on the same machine, because traffic comes in on
 * one interface and leaves on the other. A group runs only while every member could; when one
 * changes its state by itself, the others follow it in the same turn. What follows does not lead.
 */
#include "core/vrrp/state.h"

struct vrrp_group *vrrp_group_get(struct vrrp *v, struct hd_ctx *c, const char *name)
{
    for (uint32_t n = 0; n < v->groups.len; n++)
        if (strncmp(v->groups.v[n]->name, name, HD_VRRP_GROUP_NAME) == 0)
            return v->groups.v[n];
    struct vrrp_group *g = hd_pool_alloc(c->pool, sizeof *g);
    if (g == NULL)
        return NULL;
    memcpy(g->name, name, sizeof g->name);
    if (hd_vec_push(c->pool, &v->groups, g) != 0) {
        hd_pool_free(c->pool, g, sizeof *g);
        return NULL;
    }
    return g;
}

static void mark_members(struct vrrp *v, const struct vrrp_group *g,
                         const struct vrrp_instance *but, uint8_t follow)
{
    for (uint32_t n = 0; n < v->instances.len; n++) {
        struct vrrp_instance *i = v->instances.v[n];
        if (i->group != g || i == but)
            continue;
        if (follow != HD_VRRP_INITIALIZE)
            i->follow = follow;
        vrrp_mark(v, i, HD_VRRP_EV_SYNC_GROUP);
    }
}

void vrrp_group_join(struct vrrp_group *g, struct vrrp_instance *i)
{
    i->group = g;
    g->members++;
    g->unready += !i->ready;
}

void vrrp_group_leave(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    struct vrrp_group *g = i->group;

    if (g == NULL)
        return;
    i->group = NULL;
    g->members--;
    g->unready -= !i->ready;
    if (g->members > 0 && g->unready == 0)
        mark_members(v, g, i, HD_VRRP_INITIALIZE);
}

void vrrp_group_ready(struct vrrp *v, struct vrrp_instance *i, bool ready)
{
    struct vrrp_group *g = i->group;

    if (g == NULL)
        return;
    g->unready += ready ? (uint32_t)-1 : 1;
    if (g->unready == (ready ? 0u : 1u))
        mark_members(v, g, i, HD_VRRP_INITIALIZE);
}

void vrrp_group_follow(struct vrrp *v, struct vrrp_instance *i)
{
    if (i->group != NULL)
        mark_members(v, i->group, i, i->state);
}

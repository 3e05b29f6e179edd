/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Priorities (R19, R41): 255 for the owner; otherwise what is configured, less the decrements of
 * whatever is tracked and down, and never below 1. The same amount comes back when it is up again.
 */
#include "core/vrrp/state.h"

uint8_t vrrp_priority(const struct vrrp *v, const struct vrrp_instance *i)
{
    uint32_t down = 0;

    if (i->owner)
        return 255;
    for (uint32_t n = i->tracks; n < i->tracks + i->track_count; n++)
        down += v->tracks.v[n].down ? v->tracks.v[n].c.decrement : 0;
    return (uint8_t)(down < i->c.priority ? i->c.priority - down : 1);
}

/* A session that never came up, or that the peer has shut down, is no failure (R65). */
static bool session_is_down(struct vrrp *v, struct hd_ctx *c, struct vrrp_track *t)
{
    struct vrrp_interface *f = vrrp_interface_named(v, t->c.interface);
    const struct vrrp_session *s = vrrp_session_at(v, t->session);

    if (s != NULL && (f == NULL || f->ifindex != s->ifindex)) {
        vrrp_session_put(v, t->session);
        t->session = 0;
        s = NULL;
    }
    if (s == NULL && f != NULL) {
        const struct vrrp_session want = {.kind = 1,
                                          .ifindex = f->ifindex,
                                          .interval_us = HD_VRRP_FAST_US,
                                          .multiplier = HD_VRRP_FAST_MULTIPLIER,
                                          .remote = t->c.address};
        t->session = vrrp_session_get(v, c, &want);
        s = vrrp_session_at(v, t->session);
    }
    return f == NULL || !f->up || (s != NULL && s->broken);
}

static bool is_down(struct vrrp *v, struct hd_ctx *c, struct vrrp_track *t)
{
    if (t->c.kind == HD_VRRP_TRACK_BFD)
        return session_is_down(v, c, t);
    const struct vrrp_interface *f = vrrp_interface_named(v, t->c.interface);
    return f == NULL || !f->up;
}

void vrrp_tracks_look(struct vrrp *v, struct hd_ctx *c)
{
    for (uint32_t n = 0; n < v->tracks.len; n++) {
        struct vrrp_track *t = &v->tracks.v[n];
        bool down = is_down(v, c, t);
        if (down != t->down)
            vrrp_mark(v, v->instances.v[t->c.instance], HD_VRRP_EV_NONE);
        t->down = down;
    }
}

void vrrp_tracks_end(struct vrrp *v)
{
    for (uint32_t n = 0; n < v->tracks.len; n++) {
        if (v->tracks.v[n].session != 0)
            vrrp_session_put(v, v->tracks.v[n].session);
        v->tracks.v[n].session = 0;
    }
}

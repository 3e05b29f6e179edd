/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames and virtual interfaces in the linux driver (model/virtual.h, frames.h). The kernel is
 * changed by somebody with the privilege, who answers later; frames are sent and heard here.
 *
 * Most ports of frames are idle most of the time, and there may be two for each interface: one is
 * read when epoll says so, and all are before a deadline is served, because a process that stood
 * still must hear first what came meanwhile.
 */
#include <stdlib.h>

#include "lib/base.h"
#include "linux/driver_internal.h"
#include "router/router.h"

#define ROUNDS_MAX  16
#define SWEEP_AFTER HD_SEC(30) /* by then a configuration has said what runs */

/* --- virtual interfaces --------------------------------------------------------------------------
 */

void hd_driver_apply_virtuals(struct hd_driver *d)
{
    struct hd_virtual_change c;

    while (hd_driver_virtual_pull(d, &c)) {
        if (d->host.virt != NULL) {
            d->host.virt(d->host.user, &c);
        }
    }
}

void hd_driver_virtual_told(struct hd_driver *d, uint32_t index, const struct hd_virtual_value *v,
                            int error)
{
    const struct hd_virtual *x = hd_model_virtual(hd_router_model(d->router), index);
    uint8_t owner = x != NULL ? x->o.owner : 0;

    if (!hd_driver_virtual_done(d, index, v, error)) {
        return; /* another value is wanted by now */
    }
    struct hd_input in = {
        .type = HD_IN_VIRTUAL, .core = owner, .u.virt = {.index = index, .error = error}};
    hd_driver_input(d, &in);
}

int hd_driver_virtual_adopt(struct hd_driver *d, uint8_t owner, const struct hd_virtual_value *v)
{
    d->virtual_sweep_at = hd_clock_now() + SWEEP_AFTER;
    return hd_model_adopt_virtual(hd_router_model(d->router), owner, v);
}

bool hd_driver_virtual_wanted(const struct hd_driver *d, uint8_t owner,
                              const struct hd_virtual_value *v)
{
    const struct hd_model *m = hd_router_model(d->router);

    for (uint32_t i = 0; (i = hd_model_virtual_next(m, i)) != 0;) {
        const struct hd_virtual *x = hd_model_virtual(m, i);
        if (x->o.owner == owner && x->v.ifindex == v->ifindex && x->v.family == v->family &&
            x->v.number == v->number) {
            return true;
        }
    }
    return false;
}

/* A core that runs sweeps by itself; those that nobody configured any more cannot. */
void hd_driver_virtual_turn(struct hd_driver *d)
{
    if (d->now < d->virtual_sweep_at) {
        return;
    }
    d->virtual_sweep_at = HD_NEVER;
    for (unsigned core = 0; core < HD_CORE_COUNT; core++) {
        if (hd_router_core_state(d->router, (uint8_t)core) == NULL) {
            hd_driver_virtual_sweep(d, (uint8_t)core);
        }
    }
    hd_driver_apply_virtuals(d);
}

/* --- frames --------------------------------------------------------------------------------------
 */

static void note_frames(void *user, uint32_t events)
{
    ((struct hd_driver_port *)user)->waits = true;
}

int hd_driver_frame_port(struct hd_driver *d, struct hd_driver_port *p)
{
    if (d->frames == NULL) {
        d->frames = calloc(HD_FRAME_BATCH, sizeof *d->frames);
    }
    if (d->frames == NULL) {
        return HD_ENOMEM;
    }
    p->source = (struct hd_loop_source){p->fd, p, note_frames};
    return hd_loop_add(d->loop, &p->source);
}

void hd_driver_send_frame(struct hd_driver *d, struct hd_driver_port *p, const struct hd_fx_send *s,
                          const uint8_t *bytes)
{
    int error = (s->flags & HD_SEND_ROUTED) != 0 ? hd_frame_send_routed(p->witness, bytes, s->len)
                                                 : hd_frame_send(p->fd, s->ifindex, bytes, s->len);

    p->sent += error == 0;
    p->send_errors += error != 0;
}

static void deliver_frame(struct hd_driver *d, struct hd_driver_port *p, const struct hd_frame *f)
{
    hd_time arrived = f->wall_ns != 0 ? f->wall_ns - d->ahead : d->now;
    struct hd_input in = {
        .type = HD_IN_DATAGRAM,
        .core = (uint8_t)p->core,
        .arrived = HD_MIN(arrived, d->now),
        .u.datagram = {
            .bytes = f->bytes, .len = f->len, .port = p->spec.port, .ifindex = p->spec.ifindex}};

    p->received++;
    d->stats.datagrams++;
    d->stats.truncated += f->len == 0;
    if (f->len != 0) {
        hd_driver_deliver(d, &in);
    }
}

static void drain(struct hd_driver *d, struct hd_driver_port *p)
{
    p->waits = false;
    for (unsigned round = 0; round < ROUNDS_MAX && p->fd >= 0; round++) {
        unsigned n = hd_frame_receive(p->fd, d->frames);
        for (unsigned i = 0; i < n; i++) {
            deliver_frame(d, p, &d->frames[i]);
        }
        if (n < HD_FRAME_BATCH) {
            return;
        }
    }
}

void hd_driver_drain_frames(struct hd_driver *d, bool all)
{
    for (unsigned i = 0; i < HD_DRIVER_PORTS_MAX && d->frames != NULL; i++) {
        struct hd_driver_port *p = &d->ports[i];
        if (p->used && p->fd >= 0 && p->spec.kind == HD_PORT_FRAME && (all || p->waits)) {
            drain(d, p);
        }
    }
}

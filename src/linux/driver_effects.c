/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call into the router turns into: changes of the forwarding model first, since datagrams
 * may announce what was just installed, then the effects in their order.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/driver_internal.h"

#define FX_KEEP_BYTES (32 * 1024) /* of the effects buffer stay resident */

/* --- model ---------------------------------------------------------------------------------------
 */

/* Without a data plane every change is in force as soon as it is wanted. */
static void apply_nowhere(struct hd_model *m)
{
    struct hd_change c;
    uint32_t generation = m->generation;
    while (hd_model_pull(m, &c)) {
        hd_model_done(m, &c, 0);
    }
    hd_model_realised(m, generation);
}

static void apply_model(struct hd_driver *d)
{
    struct hd_model *m = hd_router_model(d->router);
    if (m->installed_generation == m->generation) {
        return;
    }
    if (d->fwd != NULL) {
        hd_driver_call_apply(d, m);
    } else {
        apply_nowhere(m);
    }
}

/* --- ports ---------------------------------------------------------------------------------------
 */

struct hd_driver_port *hd_driver_port_find(struct hd_driver *d, uint16_t core, uint16_t port)
{
    for (unsigned i = 0; i < HD_DRIVER_PORTS_MAX; i++) {
        struct hd_driver_port *p = &d->ports[i];
        if (p->used && p->core == core && p->spec.port == port) {
            return p;
        }
    }
    return NULL;
}

void hd_driver_port_close(struct hd_driver *d, struct hd_driver_port *p)
{
    hd_loop_del(d->loop, &p->source);
    if (p->fd >= 0) {
        close(p->fd);
    }
    if (p->witness >= 0) {
        close(p->witness);
    }
    *p = (struct hd_driver_port){.fd = -1, .witness = -1, .source.fd = -1};
}

bool hd_driver_ports_open(const struct hd_driver *d, uint16_t core)
{
    for (unsigned i = 0; i < HD_DRIVER_PORTS_MAX; i++) {
        if (d->ports[i].used && d->ports[i].core == core && d->ports[i].fd < 0) {
            return false;
        }
    }
    return true;
}

void hd_driver_repeat_ports(struct hd_driver *d)
{
    for (unsigned i = 0; i < HD_DRIVER_PORTS_MAX; i++) {
        if (d->ports[i].used && d->ports[i].fd < 0) {
            d->host.open_port(d->host.user, d->ports[i].core, &d->ports[i].spec);
        }
    }
}

static void open_port(struct hd_driver *d, uint16_t core, const struct hd_fx_port *spec)
{
    for (unsigned i = 0; i < HD_DRIVER_PORTS_MAX; i++) {
        struct hd_driver_port *p = &d->ports[i];
        if (!p->used) {
            p->used = true;
            p->core = core;
            p->spec = *spec;
            d->host.open_port(d->host.user, core, spec);
            return;
        }
    }
    hd_log_line(d->log, HD_LOG_ERROR, "too-many-ports", "core=%u port=%u", core, spec->port);
}

static void close_port(struct hd_driver *d, uint16_t core, uint16_t port)
{
    struct hd_driver_port *p = hd_driver_port_find(d, core, port);
    if (p != NULL) {
        struct hd_fx_port spec = p->spec;
        hd_driver_port_close(d, p);
        d->host.close_port(d->host.user, core, &spec);
    }
}

/* --- sending -------------------------------------------------------------------------------------
 */

static void send_datagram(struct hd_driver *d, struct hd_effect *e)
{
    const struct hd_fx_send *s = &e->u.send;
    struct hd_driver_port *p = hd_driver_port_find(d, e->core, s->port);
    uint8_t *bytes = hd_fx_payload(e);
    bool routed = (s->flags & HD_SEND_ROUTED) != 0;

    if (p == NULL || p->fd < 0) {
        d->stats.sends_unready++; /* the socket is on its way: as good as lost on the link */
        return;
    }
    /*
     * Changes are put into force before effects are looked at. If some are not, the data plane is
     * in trouble, and announcing what is not there would pull others into it.
     */
    if (hd_router_model(d->router)->installed_generation < s->after_generation) {
        d->stats.sends_unready++;
        return;
    }
    if (s->key != 0 && hd_keyring_sign(&d->keys, s->key, bytes, s->len) < 0) {
        d->stats.sends_refused++;
        return;
    }
    if (p->spec.kind == HD_PORT_FRAME) {
        hd_driver_send_frame(d, p, s, bytes);
        return;
    }
    if (hd_udp6_send(p->fd, &s->to, p->spec.number, routed ? 0 : s->ifindex, s->traffic_class,
                     bytes, s->len) < 0) {
        p->send_errors++;
        return;
    }
    p->sent++;
}

/* --- effects -------------------------------------------------------------------------------------
 */

static const char *core_name(uint16_t core)
{
    const struct hd_core_ops *ops = hd_core_ops((uint8_t)core);
    return ops != NULL ? ops->name : "model";
}

static void save(struct hd_driver *d, struct hd_effect *e)
{
    if (e->u.save.len > HD_SAVE_MAX) {
        d->stats.save_too_large++;
        return;
    }
    d->host.save(d->host.user, e->core, e->u.save.key, hd_fx_payload(e), e->u.save.len);
}

static void perform(struct hd_driver *d, struct hd_effect *e)
{
    switch ((enum hd_effect_type)e->type) {
    case HD_FX_OPEN_PORT:
        open_port(d, e->core, &e->u.port);
        break;
    case HD_FX_CLOSE_PORT:
        close_port(d, e->core, e->u.port.port);
        break;
    case HD_FX_SEND:
        send_datagram(d, e);
        break;
    case HD_FX_SAVE:
        save(d, e);
        break;
    case HD_FX_EVENT:
        d->host.event(d->host.user, e->core, e->u.event.list, hd_fx_payload(e), e->u.event.len);
        break;
    case HD_FX_REPLY:
        d->host.reply(d->host.user, e->core, &e->u.reply, hd_fx_payload(e));
        break;
    case HD_FX_LOG:
        hd_log_effect(d->log, core_name(e->core), &e->u.log, hd_fx_payload(e));
        break;
    case HD_FX_SAMPLE:
        d->stats.samples_unsupported++;
        break;
    case HD_FX_SEND_ONCE:
        hd_driver_send_once(d, &e->u.once, hd_fx_payload(e));
        break;
    case HD_FX_TRACE:
        d->stats.traces++;
        break;
    }
}

void hd_driver_realise(struct hd_driver *d)
{
    apply_model(d);
    hd_driver_apply_periodics(d);
    hd_driver_apply_virtuals(d);
    for (struct hd_effect *e = hd_fx_first(&d->fx); e != NULL; e = hd_fx_next(&d->fx, e)) {
        perform(d, e);
    }
    d->stats.effects_lost += d->fx.lost;
    if (d->fx.used > FX_KEEP_BYTES) {
        /* A long answer is rare; its pages go back. */
        madvise(d->fx.buf + FX_KEEP_BYTES, d->fx.size - FX_KEEP_BYTES, MADV_DONTNEED);
    }
    hd_fx_clear(&d->fx);
}

static void idle_pages(void *arg, void *at, size_t len)
{
    madvise(at, len, MADV_DONTNEED);
}

void hd_driver_give_back(struct hd_driver *d)
{
    hd_pool_idle_pages(hd_router_pool(d->router), (size_t)sysconf(_SC_PAGESIZE), idle_pages, NULL);
}

void hd_driver_repeat_requests(struct hd_driver *d)
{
    for (unsigned i = 0; i < HD_DRIVER_PORTS_MAX; i++) {
        if (d->ports[i].used) {
            d->host.open_port(d->host.user, d->ports[i].core, &d->ports[i].spec);
        }
    }
    hd_driver_virtuals_repeat(d);
    hd_driver_apply_virtuals(d);
    for (uint32_t i = 0; i < d->mtu_count; i++) {
        const struct hd_driver_mtu *m = &d->mtus[i];
        d->host.route_mtu(d->host.user, &m->prefix, m->len, m->mtu);
    }
}

/* --- refused objects -----------------------------------------------------------------------------
 */

static const struct hd_object *object_at(const struct hd_model *m, enum hd_object_kind kind,
                                         uint32_t i)
{
    switch (kind) {
    case HD_OBJ_ADJ:
        return &hd_model_adj(m, i)->o;
    case HD_OBJ_GUARD:
        return &hd_model_guard(m, i)->o;
    case HD_OBJ_LABEL:
        return &hd_model_label_at(m, i)->o;
    default:
        return &hd_model_route_at(m, i)->o;
    }
}

/*
 * A refusal is rare: a map is full, or the kernel has no memory. The model counts them; then it is
 * searched, at most once in a second, because whoever fills a map could make us search all the
 * time. Inputs are delivered after the search, for they change the model.
 */
void hd_driver_tell_refused(struct hd_driver *d)
{
    static const enum hd_object_kind kinds[] = {HD_OBJ_ADJ, HD_OBJ_GUARD, HD_OBJ_LABEL,
                                                HD_OBJ_ROUTE};
    struct hd_model *m = hd_router_model(d->router);
    struct hd_input in[HD_DRIVER_REFUSED_MAX];
    unsigned n = 0;

    d->refusals_seen = m->refusals;
    for (unsigned k = 0; k < HD_ARRAY_LEN(kinds); k++) {
        for (uint32_t i = hd_model_next(m, kinds[k], 0); i != 0 && n < HD_DRIVER_REFUSED_MAX;
             i = hd_model_next(m, kinds[k], i)) {
            const struct hd_object *o = object_at(m, kinds[k], i);
            if (o->reason != 0 && !o->installed && !o->queued) {
                in[n++] = (struct hd_input){
                    .type = HD_IN_MODEL,
                    .core = o->owner,
                    .arrived = d->now,
                    .u.model = {.kind = kinds[k], .index = i, .error = -o->reason}};
            }
        }
    }
    for (unsigned i = 0; i < n; i++) {
        hd_driver_deliver(d, &in[i]);
    }
}

/* --- MTUs of routes ------------------------------------------------------------------------------
 */

/*
 * A core that hears "too big" gives the route an MTU; the kernel must know it too, to tell senders
 * (forwarding-on-linux.md, 3.5). That is rare: the routes are searched after such reports, and
 * while there are exceptions now and then, to see them go.
 */
static void note_mtu(struct hd_driver *d, const struct hd_route_entry *r)
{
    for (uint32_t i = 0; i < d->mtu_count; i++) {
        struct hd_driver_mtu *m = &d->mtus[i];
        if (m->len == r->key.len && hd_ip6_equal(&m->prefix, &r->key.prefix)) {
            m->seen = true;
            if (m->mtu != r->v.mtu) {
                m->mtu = r->v.mtu;
                d->host.route_mtu(d->host.user, &m->prefix, m->len, m->mtu);
            }
            return;
        }
    }
    if (d->mtus == NULL) {
        d->mtus = calloc(HD_DRIVER_MTU_MAX, sizeof *d->mtus);
    }
    if (d->mtus == NULL || d->mtu_count == HD_DRIVER_MTU_MAX) {
        return;
    }
    d->mtus[d->mtu_count++] = (struct hd_driver_mtu){
        .prefix = r->key.prefix, .len = r->key.len, .seen = true, .mtu = r->v.mtu};
    d->host.route_mtu(d->host.user, &r->key.prefix, r->key.len, r->v.mtu);
}

void hd_driver_check_mtus(struct hd_driver *d)
{
    struct hd_model *m = hd_router_model(d->router);
    for (uint32_t i = 0; i < d->mtu_count; i++) {
        d->mtus[i].seen = false;
    }
    for (uint32_t i = hd_model_next(m, HD_OBJ_ROUTE, 0); i != 0;
         i = hd_model_next(m, HD_OBJ_ROUTE, i)) {
        const struct hd_route_entry *r = hd_model_route_at(m, i);
        if (r->v.mtu != 0) {
            note_mtu(d, r);
        }
    }
    for (uint32_t i = 0; i < d->mtu_count;) {
        if (d->mtus[i].seen) {
            i++;
            continue;
        }
        d->host.route_mtu(d->host.user, &d->mtus[i].prefix, d->mtus[i].len, 0);
        d->mtus[i] = d->mtus[--d->mtu_count];
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Effects of a router, carried out in order: datagrams become events at the other end of a link,
 * saved values stay with the node over its deaths, and a send that waits for a model generation is
 * held until that is installed.
 *
 * Keys: a real driver computes HMAC-SHA-256. Here two 64-bit keyed hashes stand in its place: the
 * simulator asks which key was used, not whether a cipher is strong.
 */
#include "sim/engine.h"

#include <stdio.h>
#include <string.h>

#include "lib/hash.h"

static const struct port *port_of(const struct node *n, uint8_t core, uint16_t port)
{
    for (unsigned i = 0; i < n->port_count; i++) {
        if (n->ports[i].core == core && n->ports[i].port == port)
            return &n->ports[i];
    }
    return NULL;
}

static void open_port(struct node *n, uint8_t core, const struct hd_fx_port *p)
{
    if (port_of(n, core, p->port) != NULL || p->kind != HD_PORT_UDP6)
        return;
    HD_ASSERT(n->port_count < HD_ARRAY_LEN(n->ports));
    n->ports[n->port_count++] = (struct port){core, p->port, p->number};
}

static void close_port(struct node *n, uint8_t core, uint16_t port)
{
    for (unsigned i = 0; i < n->port_count; i++) {
        if (n->ports[i].core == core && n->ports[i].port == port) {
            n->ports[i] = n->ports[--n->port_count];
            return;
        }
    }
}

/* --- sending -------------------------------------------------------------------------------------
 */

static void sign(const struct node *n, uint32_t handle, uint8_t *bytes, uint32_t len)
{
    for (unsigned i = 0; i < n->key_count && len >= 16; i++) {
        if (n->keys[i].handle != handle)
            continue;
        uint64_t tag[2] = {hd_hash64(n->keys[i].secret, bytes, len - 16),
                           hd_hash64(~n->keys[i].secret, bytes, len - 16)};
        memcpy(bytes + len - 16, tag, 16);
        return;
    }
}

static void count_sent(struct worker *w, struct node *n, const uint8_t *bytes, uint32_t len)
{
    n->sent++;
    n->sent_bytes += len;
    w->stats.datagrams_sent++;
    w->stats.datagram_bytes += len;
    uint8_t type = len == 0 ? 0 : bytes[0] != 0 || len == 1 ? bytes[0] : bytes[1];
    w->stats.by_type_count[type]++;
    w->stats.by_type_bytes[type] += len;
}

static void send_routed(struct worker *w, uint32_t node, const struct hd_fx_send *f,
                        uint16_t number, const uint8_t *bytes, uint32_t len)
{
    struct packet *p = packet_make(w, node, len);
    p->to = f->to;
    p->size = len + 48;
    p->number = number;
    p->traffic_class = f->traffic_class;
    memcpy(p->payload, bytes, len);
    packet_originate(w, node, p);
}

static void send_link(struct worker *w, struct end *from, const struct hd_fx_send *f,
                      uint16_t number, const uint8_t *bytes, uint32_t len)
{
    struct hd_ip6 peer = sim_link_local(sim_peer(w->s, from));
    bool multicast = f->to.b[0] == 0xff;
    if (!multicast && !hd_ip6_equal(&f->to, &peer)) {
        w->stats.lost_address++;
        return;
    }
    size_t size = sizeof(struct datagram) + len;
    struct datagram *d = hd_sim_slab_take(&w->slabs, size);
    *d = (struct datagram){.len = len,
                           .size = (uint32_t)size,
                           .number = number,
                           .hop_limit = 255,
                           .traffic_class = f->traffic_class,
                           .multicast = multicast,
                           .to = f->to};
    memcpy(d->bytes, bytes, len);
    link_send_datagram(w, from, d);
}

static void send_now(struct worker *w, uint32_t node, struct hd_effect *e)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    const struct hd_fx_send *f = &e->u.send;
    const struct port *port = port_of(n, (uint8_t)e->core, f->port);
    uint8_t *bytes = hd_fx_payload(e);
    uint32_t len = f->len;
    if (port == NULL || len > 65535 - sizeof(struct datagram)) {
        w->stats.lost_port++;
        return;
    }
    if (n->lying && s->o.hooks.lie != NULL) {
        struct hd_sim_outgoing m = {.node = node,
                                    .ifindex = f->ifindex,
                                    .number = port->number,
                                    .to = f->to,
                                    .bytes = w->lie_room,
                                    .len = len};
        memcpy(w->lie_room, bytes, len);
        s->o.hooks.lie(s->o.hooks.user, s, &m);
        if (m.len == 0 || m.len > 65535 - sizeof(struct datagram))
            return;
        bytes = m.bytes;
        len = m.len;
    }
    if (f->key != 0)
        sign(n, f->key, bytes, len);
    count_sent(w, n, bytes, len);
    struct end *from = f->flags & HD_SEND_ROUTED ? NULL : sim_end_of(s, node, f->ifindex);
    sim_seen(s, HD_SIM_SENT, node, from == NULL ? HD_SIM_NONE : from->link, port->number, bytes,
             len);
    if (f->flags & HD_SEND_ROUTED) {
        send_routed(w, node, f, port->number, bytes, len);
        return;
    }
    if (from == NULL)
        w->stats.lost_address++;
    else
        send_link(w, from, f, port->number, bytes, len);
}

static bool installed(const struct hd_model *m, uint32_t generation)
{
    return generation == 0 || (int32_t)(m->installed_generation - generation) >= 0;
}

static void send(struct worker *w, uint32_t node, struct hd_effect *e)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    if (installed(n->model, e->u.send.after_generation)) {
        send_now(w, node, e);
        return;
    }
    if (n->held_count == n->held_cap)
        n->held = hd_sim_more(w->pool, n->held, &n->held_cap, sizeof *n->held);
    struct hd_effect *copy = hd_pool_alloc(w->pool, e->size);
    HD_ASSERT(copy != NULL);
    memcpy(copy, e, e->size);
    n->held[n->held_count++] = (struct held){e->u.send.after_generation, copy};
}

void effects_release(struct worker *w, uint32_t node)
{
    struct node *n = &w->s->nodes[node];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n->held_count; i++) {
        if (!installed(n->model, n->held[i].generation)) {
            n->held[kept++] = n->held[i];
            continue;
        }
        send_now(w, node, n->held[i].effect);
        hd_pool_free(w->pool, n->held[i].effect, n->held[i].effect->size);
    }
    n->held_count = kept;
    if (kept == 0)
        effects_drop_held(w, n);
}

void effects_drop_held(struct worker *w, struct node *n)
{
    for (uint32_t i = 0; i < n->held_count; i++)
        hd_pool_free(w->pool, n->held[i].effect, n->held[i].effect->size);
    hd_pool_free(w->pool, n->held, n->held_cap * sizeof *n->held);
    n->held = NULL;
    n->held_count = n->held_cap = 0;
}

/* --- the rest ------------------------------------------------------------------------------------
 */

static void save(struct worker *w, uint32_t node, uint8_t core, struct hd_effect *e)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    uint32_t len = e->u.save.len, i = 0;
    while (i < n->saved_count && (n->saved[i].core != core || n->saved[i].key != e->u.save.key))
        i++;
    if (i == n->saved_count) {
        if (n->saved_count == n->saved_cap)
            n->saved = hd_sim_more(w->pool, n->saved, &n->saved_cap, sizeof *n->saved);
        n->saved_count++;
        n->saved[i] = (struct saved){.core = core, .key = e->u.save.key};
    }
    n->saved[i].bytes = hd_pool_resize(w->pool, n->saved[i].bytes, n->saved[i].len, len);
    HD_ASSERT(n->saved[i].bytes != NULL);
    n->saved[i].len = len;
    memcpy(n->saved[i].bytes, hd_fx_payload(e), len);
    w->stats.saved++;
    worker_push(w, w->now + s->o.save_ns, node, node, false, EV_SAVED, NULL,
                (uint64_t)core << 16 | e->u.save.key);
}

/* Counters of an object: what packets used it since the simulation began. */
static void sample(struct worker *w, uint32_t node, uint8_t core, const struct hd_fx_sample *f)
{
    uint64_t key = (uint64_t)node << 34 | (uint64_t)f->object_kind << 32 | f->object;
    uint32_t at;
    struct hd_input *in = hd_sim_slab_take(&w->slabs, sizeof *in);
    *in = (struct hd_input){.type = HD_IN_SAMPLE, .core = core};
    in->u.sample.object_kind = f->object_kind;
    in->u.sample.object = f->object;
    in->u.sample.tag = f->tag;
    if (hd_map_get(&w->usage_index, key, &at)) {
        in->u.sample.packets = w->usages[at].packets;
        in->u.sample.bytes = w->usages[at].bytes;
    }
    w->stats.samples++;
    worker_push(w, w->now, node, node, false, EV_SAMPLE, in, 0);
}

static void print_arg(const struct hd_log_arg *a)
{
    char id[HD_ID_TEXT], ip[HD_IP6_TEXT];
    fprintf(stderr, " %s=", a->key);
    switch (a->type) {
    case HD_ARG_ID:
        fputs(hd_id_format(&a->u.id, id), stderr);
        break;
    case HD_ARG_IP6:
        fputs(hd_ip6_format(&a->u.ip6, ip), stderr);
        break;
    case HD_ARG_TEXT:
        fputs(a->u.text, stderr);
        break;
    case HD_ARG_TIME:
        fprintf(stderr, "%lldms", (long long)hd_time_to_ms(a->u.time_ns));
        break;
    default:
        fprintf(stderr, "%llu", (unsigned long long)a->u.number);
        break;
    }
}

static void log_line(struct worker *w, uint32_t node, struct hd_effect *e)
{
    struct hd_sim *s = w->s;
    const struct hd_log_arg *args = hd_fx_payload(e);
    w->stats.log_lines++;
    sim_seen(s, HD_SIM_LOGGED, node, 0, e->u.log.level, e->u.log.cause,
             (uint32_t)strlen(e->u.log.cause));
    if ((int)e->u.log.level > s->o.log_level)
        return;
    flockfile(stderr);
    fprintf(stderr, "%lld.%06lld %s %s", (long long)(w->now / 1000000),
            (long long)(w->now % 1000000), s->sc->nodes[node].name, e->u.log.cause);
    for (unsigned i = 0; i < e->u.log.nargs && i < HD_LOG_ARGS_MAX; i++)
        print_arg(&args[i]);
    fputc('\n', stderr);
    funlockfile(stderr);
}

static void carry_out(struct worker *w, uint32_t node, struct hd_effect *e)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    uint8_t core = (uint8_t)e->core;
    switch (e->type) {
    case HD_FX_OPEN_PORT:
        open_port(n, core, &e->u.port);
        break;
    case HD_FX_CLOSE_PORT:
        close_port(n, core, e->u.port.port);
        break;
    case HD_FX_SEND:
        send(w, node, e);
        break;
    case HD_FX_SAVE:
        save(w, node, core, e);
        break;
    case HD_FX_EVENT:
    case HD_FX_REPLY:
        if (s->o.hooks.effect != NULL)
            s->o.hooks.effect(s->o.hooks.user, s, node, e);
        break;
    case HD_FX_SAMPLE:
        sample(w, node, core, &e->u.sample);
        break;
    case HD_FX_LOG:
        log_line(w, node, e);
        break;
    default: /* traces belong to recordings */
        break;
    }
}

void effects_consume(struct worker *w, uint32_t node)
{
    for (struct hd_effect *e = hd_fx_first(&w->fx); e != NULL; e = hd_fx_next(&w->fx, e))
        carry_out(w, node, e);
    if (w->fx.lost > 0) {
        w->stats.effects_lost += w->fx.lost;
        sim_fail(w->s, "node %u: %u effects found no room", node, w->fx.lost);
    }
    hd_fx_clear(&w->fx);
}

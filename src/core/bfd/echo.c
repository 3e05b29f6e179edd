/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Echo (RFC 5880, 6.4 and 6.8.9; RFC 5881, 4): packets to our own address over the peer, whose
 * forwarding plane returns them. Its BFD has no part in that; so the fast sign of life comes from
 * what forwards, and control packets may be slow.
 *
 * An echo is one periodic and one watch more, with a discriminator of its own at the place where
 * control packets have ours. What else is in it nobody can guess who has not seen one: 96 random
 * bits. An attacker on the link could replay it; who fears that uses authentication and no echo.
 */
#include <string.h>

#include "core/bfd/state.h"
#include "lib/base.h"
#include "lib/cursor.h"

#define ECHO_MAGIC     0x48454348u /* "HECH" */
#define ECHO_HOP_LIMIT 254         /* one hop: the peer */

static bool is_zero(const struct hd_ip6 *a)
{
    static const struct hd_ip6 zero;

    return hd_ip6_equal(a, &zero);
}

bool bfd_echo_active(const struct bfd_session *s)
{
    return s->kind == HD_BFD_SINGLE_HOP && s->state == HD_BFD_UP && s->want.echo_tx_us != 0 &&
           s->configured && s->remote_echo_us != 0 && !is_zero(&s->seen_local);
}

hd_time bfd_echo_interval(const struct bfd_session *s)
{
    return bfd_echo_active(s) ? HD_US(HD_MAX(s->want.echo_tx_us, s->remote_echo_us)) : 0;
}

static void write_echo(const struct bfd_session *s, uint32_t discr, uint8_t bytes[HD_WATCH_BYTES])
{
    struct hd_writer w = hd_writer_make(bytes, HD_WATCH_BYTES);

    hd_write_u32(&w, ECHO_MAGIC);
    hd_write_u32(&w, (uint32_t)s->nonce[0]);
    hd_write_u32(&w, discr);
    hd_write_u32(&w, (uint32_t)(s->nonce[0] >> 32));
    hd_write_u64(&w, s->nonce[1]);
}

static struct hd_watch_value watch_of(const struct bfd_session *s, uint32_t discr)
{
    struct hd_watch_value v;

    memset(&v, 0, sizeof v);
    v.from = s->seen_local;
    v.ifindex = s->ifindex;
    v.discr = discr;
    v.by = HD_WATCH_BY_DISCR;
    v.port = PORT_ECHO;
    v.hop_limit = ECHO_HOP_LIMIT;
    v.consume = true;
    write_echo(s, discr, v.steady);
    v.interval_ns = bfd_echo_interval(s);
    v.detect_ns = s->multiplier * v.interval_ns;
    return v;
}

static struct hd_periodic_value periodic_of(const struct bfd_session *s,
                                            const struct hd_watch_value *w)
{
    struct hd_periodic_value v;

    memset(&v, 0, sizeof v);
    v.from = v.to = s->seen_local;
    v.via = s->remote;
    v.interval_ns = w->interval_ns;
    v.lease_ns = BFD_LEASE;
    v.ifindex = s->ifindex;
    v.from_port = (uint16_t)(BFD_SOURCE_PORT + s->periodic);
    v.to_port = HD_BFD_ECHO_PORT;
    v.hop_limit = 255;
    v.traffic_class = BFD_TRAFFIC_CLASS;
    v.jitter_from = 75;
    v.jitter_to = s->multiplier == 1 ? 90 : 100;
    v.len = HD_WATCH_BYTES;
    memcpy(v.bytes, w->steady, HD_WATCH_BYTES);
    return v;
}

/* Without room there is no echo: control packets do without it. */
static void begin(struct hd_ctx *c, struct bfd_session *s)
{
    uint32_t discr = 1 + (uint32_t)hd_random_below(c->random, UINT32_MAX);

    s->nonce[0] = hd_random_u64(c->random);
    s->nonce[1] = hd_random_u64(c->random);
    struct hd_watch_value w = watch_of(s, discr);
    int watch = hd_model_watch_add(c->model, c->core, &w);
    if (watch < 0)
        return;
    struct hd_periodic_value p = periodic_of(s, &w);
    int periodic = hd_model_periodic_add(c->model, c->core, &p);
    if (periodic < 0) {
        hd_model_watch_del(c->model, (uint32_t)watch);
        return;
    }
    s->echo_watch = (uint32_t)watch;
    s->echo_periodic = (uint32_t)periodic;
    hd_model_watch(c->model, s->echo_watch)->owner_word = s->slot;
    hd_model_watch_seen(c->model, s->echo_watch, c->now);
}

void bfd_echo_stop(struct hd_ctx *c, struct bfd_session *s)
{
    hd_model_periodic_del(c->model, s->echo_periodic);
    hd_model_watch_del(c->model, s->echo_watch);
    s->echo_periodic = s->echo_watch = 0;
}

void bfd_echo_publish(struct hd_ctx *c, struct bfd_session *s)
{
    const struct hd_watch *w = hd_model_watch(c->model, s->echo_watch);

    if (!bfd_echo_active(s)) {
        if (s->echo_watch != 0)
            bfd_echo_stop(c, s);
    } else if (w == NULL) {
        begin(c, s);
    } else if (w->v.interval_ns != bfd_echo_interval(s) ||
               w->v.detect_ns != s->multiplier * bfd_echo_interval(s)) {
        struct hd_watch_value v = watch_of(s, w->v.discr);
        struct hd_periodic_value p = periodic_of(s, &v);
        hd_model_periodic_set(c->model, s->echo_periodic, &p);
        hd_model_watch_set(c->model, s->echo_watch, &v);
    }
}

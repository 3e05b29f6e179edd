/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet arrives (RFC 5880, 6.8.6, in its order; vrrp-and-bfd.md R42). Most never come here: what
 * a session that is up hears again and again is consumed by its watch.
 *
 * Everything that is refused leaves through bfd_drop with a reason and changes nothing. In
 * particular it is no sign of life: only the last line of bfd_on_datagram's path tells the watch.
 */
#include <string.h>

#include "core/bfd/state.h"
#include "lib/base.h"

#define SEQUENCE_WINDOW 3 /* times the multiplier (6.7.3, 6.7.4) */

void bfd_drop(struct bfd *b, enum bfd_drop why, struct bfd_session *s)
{
    b->drops[why]++;
    if (s != NULL)
        s->invalid++;
}

/* --- authentication (6.7) -------------------------------------------------------------------- */

static bool meticulous(uint8_t type)
{
    return type == HD_AUTH_METICULOUS_MD5 || type == HD_AUTH_METICULOUS_SHA1;
}

static enum bfd_drop check_sequence(struct bfd_session *s, const struct bfd_packet *p, hd_time at)
{
    hd_time detect = bfd_session_detect(s);
    uint32_t window = SEQUENCE_WINDOW * (uint32_t)HD_MAX(s->multiplier, p->multiplier);
    uint32_t ahead = p->auth_seq - s->received_seq; /* circular */

    if (s->seq_known && (detect == 0 || at - s->heard_at > 2 * detect))
        s->seq_known = false; /* R55: after that long a silence anything goes */
    if (s->seq_known && (ahead > window || (meticulous(p->auth_type) && ahead == 0)))
        return BFD_DROP_AUTH_SEQUENCE;
    s->received_seq = p->auth_seq;
    s->seq_known = true;
    return BFD_OK;
}

static enum bfd_drop check_auth(struct bfd_session *s, const struct bfd_packet *p, uint32_t key,
                                hd_time at)
{
    bool there = (p->flags & BFD_AUTH) != 0;

    if (there != (s->auth.type != HD_AUTH_NONE))
        return there ? BFD_DROP_AUTH_UNWANTED : BFD_DROP_AUTH_MISSING;
    if (!there)
        return BFD_OK;
    if (p->auth_type != s->auth.type || p->auth_key_id != s->auth.key_id)
        return BFD_DROP_AUTH_TYPE;
    if (key == 0 || key != s->auth.key)
        return BFD_DROP_AUTH_WRONG;
    return p->auth_type == HD_AUTH_SIMPLE ? BFD_OK : check_sequence(s, p, at);
}

/* --- whose it is ----------------------------------------------------------------------------- */

/* A peer without a configuration begins, where that is allowed (RFC 9468): it gets a session. */
static struct bfd_session *unsolicited(struct bfd *b, struct hd_ctx *c,
                                       const struct hd_in_datagram *d, const struct bfd_packet *p,
                                       enum bfd_drop *why)
{
    static const struct hd_ip6 any;
    struct bfd_interface *f = bfd_interface_find(b, d->ifindex);

    *why = BFD_DROP_NO_SESSION;
    if (d->port != PORT_SINGLE_HOP || f == NULL || !f->up || !f->listens || !f->listen.unsolicited)
        return NULL;
    /* What would be refused afterwards must not leave a session behind. */
    *why = BFD_DROP_AUTH_UNWANTED;
    if ((p->flags & BFD_AUTH) != 0)
        return NULL;
    *why = BFD_DROP_LIMIT;
    if (f->unsolicited >= BFD_UNSOLICITED_MAX && !bfd_session_yield(b, c, f, HD_BFD_SINGLE_HOP))
        return NULL;
    struct bfd_session *s = bfd_session_new(b, c, HD_BFD_SINGLE_HOP, f->name, &any, &d->from);
    if (s == NULL)
        return NULL;
    s->heard = true;
    f->unsolicited++;
    bfd_session_settle(b, c, s);
    if (s->periodic == 0) {
        bfd_session_free(b, c, s);
        return NULL;
    }
    *why = BFD_OK;
    return s;
}

static struct bfd_session *session_of(struct bfd *b, struct hd_ctx *c,
                                      const struct hd_in_datagram *d, const struct bfd_packet *p,
                                      enum bfd_drop *why)
{
    const struct hd_watch *w = hd_model_watch(c->model, hd_model_watch_find(c->model, d));
    struct bfd_session *s = w != NULL ? b->sessions.v[w->owner_word] : NULL;

    if (s == NULL && p->your_discr == 0)
        return unsolicited(b, c, d, p, why);
    *why = BFD_DROP_YOUR_DISCR;
    if (s == NULL)
        return NULL;
    /* Our discriminator alone names the session; that it comes from the peer is our own demand. */
    *why = BFD_DROP_SOURCE;
    if (!hd_ip6_equal(&d->from, &s->remote) || (s->ifindex != 0 && d->ifindex != s->ifindex))
        return NULL;
    *why = d->hop_limit < w->v.hop_limit ? BFD_DROP_TTL : BFD_OK;
    return s;
}

/* --- what it says ---------------------------------------------------------------------------- */

static void poll_ended(struct hd_ctx *c, struct bfd_session *s)
{
    s->polling = false;
    if (s->poll_again) {
        s->poll_again = false;
        bfd_session_poll(c, s);
        return;
    }
    s->tx_in_use_us = s->desired_tx_us;
    s->rx_in_use_us = s->required_rx_us;
}

static void learn(struct hd_ctx *c, struct bfd_session *s, const struct hd_in_datagram *d,
                  const struct bfd_packet *p, hd_time at)
{
    s->remote_discr = p->my_discr;
    s->remote_state = p->state;
    s->remote_diag = p->diag;
    s->remote_demand = (p->flags & BFD_DEMAND) != 0;
    s->remote_multiplier = p->multiplier;
    s->remote_tx_us = p->desired_tx_us;
    s->remote_rx_us = p->required_rx_us;
    s->remote_echo_us = p->required_echo_us;
    s->said_down = p->state == HD_BFD_ADMIN_DOWN;
    s->seen_local = d->to;
    s->heard_at = at;
    if (s->polling && (p->flags & BFD_FINAL) != 0)
        poll_ended(c, s);
}

/* The state machine (6.8.6, 6.2). */
static void step(struct bfd *b, struct hd_ctx *c, struct bfd_session *s, uint8_t heard)
{
    if (heard == HD_BFD_ADMIN_DOWN) {
        if (s->state != HD_BFD_DOWN)
            bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_NEIGHBOR_DOWN);
    } else if (s->state == HD_BFD_DOWN) {
        if (heard == HD_BFD_DOWN)
            bfd_session_set_state(b, c, s, HD_BFD_INIT, s->diag);
        else if (heard == HD_BFD_INIT)
            bfd_session_set_state(b, c, s, HD_BFD_UP, HD_BFD_DIAG_NONE);
    } else if (s->state == HD_BFD_INIT) {
        if (heard == HD_BFD_INIT || heard == HD_BFD_UP)
            bfd_session_set_state(b, c, s, HD_BFD_UP, HD_BFD_DIAG_NONE);
    } else if (heard == HD_BFD_DOWN) {
        bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_NEIGHBOR_DOWN);
    }
}

/* From now on a packet like this one is no news. */
static void expect_again(struct hd_ctx *c, struct bfd_session *s, const struct hd_in_datagram *d,
                         const struct bfd_packet *p)
{
    const struct hd_watch *old = hd_model_watch(c->model, s->watch);

    if (s->state != HD_BFD_UP || p->state != HD_BFD_UP || d->len != BFD_BYTES ||
        (p->flags & (BFD_POLL | BFD_FINAL | BFD_AUTH)) != 0 ||
        (old->v.consume && memcmp(old->v.steady, d->bytes, BFD_BYTES) == 0))
        return;
    struct hd_watch_value v = bfd_watch_value(s);
    v.consume = true;
    memcpy(v.steady, d->bytes, BFD_BYTES);
    hd_model_watch_set(c->model, s->watch, &v);
}

static void accept(struct bfd *b, struct hd_ctx *c, struct bfd_session *s,
                   const struct hd_in_datagram *d, const struct bfd_packet *p, hd_time at)
{
    s->received++;
    learn(c, s, d, p, at);
    if (s->state == HD_BFD_ADMIN_DOWN) {
        bfd_drop(b, BFD_DROP_ADMIN_DOWN, NULL);
        return;
    }
    step(b, c, s, p->state);
    hd_model_watch_seen(c->model, s->watch, at);
    bfd_session_negotiate(b, c, s);
    bfd_session_publish(b, c, s, (p->flags & BFD_POLL) != 0);
    expect_again(c, s, d, p);
}

void bfd_on_datagram(struct bfd *b, struct hd_ctx *c, const struct hd_input *in)
{
    const struct hd_in_datagram *d = &in->u.datagram;
    struct bfd_packet p;
    enum bfd_drop why = BFD_OK;

    b->received++;
    if (d->port == PORT_ECHO)
        why = BFD_DROP_ECHO; /* ours are consumed by their watch */
    else if (d->port == PORT_SINGLE_HOP && d->hop_limit != 255)
        why = BFD_DROP_TTL;
    else
        why = bfd_read(d->bytes, d->len, &p);
    if (why != BFD_OK) {
        bfd_drop(b, why, NULL);
        return;
    }
    if ((p.flags & BFD_MULTIPOINT) != 0) {
        bfd_tail_receive(b, c, d, &p, in->arrived);
        return;
    }
    struct bfd_session *s = session_of(b, c, d, &p, &why);
    if (why == BFD_OK)
        why = check_auth(s, &p, d->key, in->arrived);
    if (why != BFD_OK) {
        bfd_drop(b, why, s);
        return;
    }
    accept(b, c, s, d, &p, in->arrived);
}

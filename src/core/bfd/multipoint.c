/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sender, many receivers (RFC 8562; vrrp-and-bfd.md R60 to R63). A head sends to a group and
 * never hears anything; a tail hears one head and never says anything.
 *
 * A head is down for a detection time first, so that every tail of a former life has noticed, and
 * says AdminDown as long before it goes. There is no poll sequence: when it becomes slower, its
 * packets say so, marked with the P bit, for a detection time before it does.
 *
 * A tail is known by the head's address and discriminator. A head that starts again chooses another
 * one; the tail then waits until the old one is silent, and takes the new one.
 */
#include <string.h>

#include "core/bfd/state.h"
#include "lib/base.h"

/* --- head ------------------------------------------------------------------------------------ */

static void head_publish(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    s->required_rx_us = 0;
    bfd_session_publish(b, c, s, false);
}

void bfd_head_settle(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    hd_time old = s->multiplier * HD_US(s->tx_in_use_us);

    s->desired_tx_us = s->tx_us;
    if (s->tx_in_use_us == 0 || s->tx_us <= s->tx_in_use_us) {
        s->tx_in_use_us = s->tx_us;
        s->polling = false;
    } else if (!s->polling) {
        s->polling = true; /* R62 */
        bfd_session_arm(b, c, s, old);
    }
    if (s->admin_down) {
        bfd_session_set_state(b, c, s, HD_BFD_ADMIN_DOWN, HD_BFD_DIAG_ADMIN_DOWN);
    } else if (s->state == HD_BFD_ADMIN_DOWN) {
        bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_NONE);
    }
    if (s->state == HD_BFD_DOWN && !hd_timer_armed(&s->timer))
        bfd_session_arm(b, c, s, s->multiplier * HD_US(s->tx_in_use_us));
    head_publish(b, c, s);
}

void bfd_head_timer(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    if (s->polling) {
        s->polling = false;
        s->tx_in_use_us = s->desired_tx_us;
    }
    if (s->state == HD_BFD_DOWN)
        bfd_session_set_state(b, c, s, HD_BFD_UP, HD_BFD_DIAG_NONE);
    head_publish(b, c, s);
}

/* --- tail ------------------------------------------------------------------------------------ */

/* The session for a head that was not heard yet. */
static struct bfd_session *tail_for(struct bfd *b, struct hd_ctx *c, const struct hd_in_datagram *d,
                                    enum bfd_drop *why)
{
    static const struct hd_ip6 any;
    struct bfd_interface *f = bfd_interface_find(b, d->ifindex);

    *why = BFD_DROP_NO_SESSION;
    if (f == NULL || !f->up)
        return NULL;
    struct bfd_session *s = bfd_session_find(b, HD_BFD_TAIL, f->name, &any, &d->from);
    if (s != NULL) {
        /* It follows another discriminator of this head: that one must fall silent first. */
        *why = s->state != HD_BFD_UP ? BFD_OK : BFD_DROP_NO_SESSION;
        return s;
    }
    if (!f->listens || !f->listen.tails)
        return NULL;
    *why = BFD_DROP_LIMIT;
    if (f->tails >= HD_BFD_TAILS_MAX && !bfd_session_yield(b, c, f, HD_BFD_TAIL))
        return NULL;
    s = bfd_session_new(b, c, HD_BFD_TAIL, f->name, &any, &d->from);
    if (s == NULL)
        return NULL;
    s->heard = true;
    s->ifindex = f->ifindex;
    f->tails++;
    *why = BFD_OK;
    return s;
}

static void follow(struct bfd *b, struct hd_ctx *c, struct bfd_session *s, uint32_t discr)
{
    const struct hd_watch *w = hd_model_watch(c->model, s->watch);

    s->received += w != NULL ? w->packets : 0;
    s->late_before += w != NULL ? w->late : 0;
    hd_model_watch_del(c->model, s->watch);
    s->watch = 0;
    s->remote_discr = discr;
    if (bfd_add_watch(b, c, s) != 0)
        b->lost_memory++;
}

static enum bfd_drop find_tail(struct bfd *b, struct hd_ctx *c, const struct hd_in_datagram *d,
                               const struct bfd_packet *p, struct bfd_session **out)
{
    const struct hd_watch *w = hd_model_watch(c->model, hd_model_watch_find(c->model, d));
    enum bfd_drop why = BFD_OK;

    if (d->port != PORT_SINGLE_HOP)
        return BFD_DROP_MULTIPOINT;
    if (w != NULL && w->v.by == HD_WATCH_BY_SENDER) {
        *out = b->sessions.v[w->owner_word];
        return BFD_OK;
    }
    if (p->state == HD_BFD_ADMIN_DOWN) /* goodbye of somebody whom nobody followed */
        return BFD_DROP_NO_SESSION;
    *out = tail_for(b, c, d, &why);
    if (why != BFD_OK)
        return why;
    follow(b, c, *out, p->my_discr);
    if ((*out)->watch == 0) {
        if ((*out)->heard && !bfd_wanted(*out))
            bfd_session_free(b, c, *out);
        *out = NULL;
        return BFD_DROP_MEMORY;
    }
    return BFD_OK;
}

static void learn_head(struct bfd_session *s, const struct hd_in_datagram *d,
                       const struct bfd_packet *p, hd_time at)
{
    s->received++;
    s->remote_state = p->state;
    s->remote_diag = p->diag;
    s->remote_multiplier = p->multiplier;
    s->remote_tx_us = p->desired_tx_us;
    s->said_down = p->state == HD_BFD_ADMIN_DOWN;
    s->seen_local = d->to;
    s->heard_at = at;
}

/* From now on a packet like this one is no news. */
static void expect_head(struct hd_ctx *c, struct bfd_session *s, const struct hd_in_datagram *d,
                        const struct bfd_packet *p, hd_time at)
{
    struct hd_watch_value v = bfd_watch_value(s);

    v.consume = p->state == HD_BFD_UP && (p->flags & BFD_POLL) == 0 && d->len == BFD_BYTES;
    memcpy(v.steady, d->bytes, BFD_BYTES);
    hd_model_watch_seen(c->model, s->watch, at);
    hd_model_watch_set(c->model, s->watch, &v);
}

void bfd_tail_receive(struct bfd *b, struct hd_ctx *c, const struct hd_in_datagram *d,
                      const struct bfd_packet *p, hd_time at)
{
    struct bfd_session *s = NULL;
    enum bfd_drop why = p->state == HD_BFD_INIT ? BFD_DROP_STATE : BFD_OK;

    if ((p->flags & BFD_AUTH) != 0)
        why = BFD_DROP_AUTH_UNWANTED;
    if (why == BFD_OK)
        why = find_tail(b, c, d, p, &s);
    if (why != BFD_OK) {
        bfd_drop(b, why, s);
        return;
    }
    learn_head(s, d, p, at);
    if (p->state == HD_BFD_UP)
        bfd_session_set_state(b, c, s, HD_BFD_UP, HD_BFD_DIAG_NONE);
    else
        bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_NEIGHBOR_DOWN);
    expect_head(c, s, d, p, at);
}

/* Silence: first the head is down, and after as long again the tail has nothing to remember. */
void bfd_tail_silent(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    if (s->state == HD_BFD_UP) {
        bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_EXPIRED);
        struct hd_watch_value v = bfd_watch_value(s); /* should it speak again, that is news */
        hd_model_watch_seen(c->model, s->watch, c->now);
        hd_model_watch_set(c->model, s->watch, &v);
        return;
    }
    if (!bfd_wanted(s)) {
        bfd_session_free(b, c, s);
        return;
    }
    hd_model_watch_del(c->model, s->watch);
    s->watch = 0;
    s->remote_discr = 0;
}

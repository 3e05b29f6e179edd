/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One packet: from its bytes to the state machine (RFC 9568, 7.1 with its errata; R1 to R15).
 *
 * Whatever is wrong with it leaves through drop(), which counts it under its reason; nothing else
 * happens then. Checks that name a virtual router come after the VRID was found, so that each
 * counts where ietf-vrrp has its counter.
 *
 * A flood is stopped before more than heads are read. What the heads refuse takes nothing of the
 * share that an interface has: else somebody far away, whose packets the hop limit tells from real
 * ones, could use it up, and a Backup that hears nobody becomes Active.
 */
#include "core/vrrp/state.h"

/* The packet, and where it belongs. */
struct heard {
    struct vrrp_interface *f;
    struct vrrp_instance *i; /* NULL: no such virtual router */
    struct vrrp_packet p;
    struct vrrp_message m;
};

static void drop(struct vrrp *v, enum vrrp_drop reason)
{
    v->drops[reason]++;
}

/* Counts, and tells those who listen for protocol errors. */
static void drop_error(struct vrrp *v, struct hd_ctx *c, const struct heard *h,
                       enum vrrp_drop reason, enum hd_vrrp_error error)
{
    drop(v, reason);
    vrrp_tell_error(v, c, h->f, h->p.family, h->m.vrid, error, &h->p.from);
}

/* --- where it came from ------------------------------------------------------------------------
 */

static struct vrrp_interface *interface_of(struct vrrp *v, const struct hd_in_datagram *d)
{
    uint32_t slot = (d->port - 1u) / 2;
    struct vrrp_interface *f =
        d->port == 0 || slot >= HD_VRRP_INTERFACES_MAX ? NULL : v->interfaces[slot];

    return f != NULL && f->ifindex == d->ifindex && f->open[(d->port - 1) % 2] ? f : NULL;
}

static bool within_rate(struct vrrp_interface *f, hd_time now)
{
    if (now - f->window_at >= VRRP_WINDOW_NS) {
        f->window_at = now;
        f->window_count = 0;
    }
    return f->window_count++ < f->window_max;
}

/* R15: a real address of ours as source. */
static bool is_own(const struct vrrp_interface *f, const struct vrrp_packet *p)
{
    if (hd_ip6_equal(&p->from, &f->link_local))
        return true;
    for (uint32_t n = 0; n < f->addresses.len; n++)
        if (hd_ip6_equal(&f->addresses.v[n].address, &p->from))
            return true;
    return false;
}

static enum vrrp_drop frame_drop(enum vrrp_frame_fault fault)
{
    switch (fault) {
    case VRRP_FRAME_OTHER:
        return VRRP_DROP_OTHER;
    case VRRP_FRAME_FRAGMENT:
        return VRRP_DROP_FRAGMENT;
    case VRRP_FRAME_IP_CHECKSUM:
        return VRRP_DROP_IP_CHECKSUM;
    default:
        return VRRP_DROP_SHORT;
    }
}

/* --- which virtual router ----------------------------------------------------------------------
 */

static bool version_fits(const struct heard *h)
{
    const struct vrrp_instance *i = h->i;

    if (h->m.version != 2 && h->m.version != 3)
        return false;
    if (h->p.family == 6 && h->m.version != 3)
        return false;
    return i == NULL || h->m.version == i->c.version || (h->m.version == 2 && i->c.interop != 0);
}

static bool is_unicast_peer(const struct vrrp_instance *i, const struct hd_ip6 *from)
{
    for (unsigned n = 0; n < i->c.unicast_count; n++)
        if (hd_ip6_equal(&i->c.unicast[n], from))
            return true;
    return false;
}

/* Between whom it passed: groups are link-local by TTL, unicast peers are those of the list. */
static bool path_fits(struct vrrp *v, struct hd_ctx *c, const struct heard *h)
{
    const struct vrrp_instance *i = h->i;
    struct hd_ip6 group = vrrp_group(h->p.family);
    bool to_group = hd_ip6_equal(&h->p.to, &group);
    bool unicast = i != NULL && i->c.unicast_count > 0;

    if (!unicast && h->p.ttl != VRRP_TTL) {
        drop_error(v, c, h, VRRP_DROP_TTL, HD_VRRP_ERR_TTL); /* R1 */
        return false;
    }
    if (to_group == unicast) {
        drop(v, VRRP_DROP_DESTINATION);
        return false;
    }
    if (unicast ? !is_unicast_peer(i, &h->p.from)
                : h->p.family == 6 && !hd_ip6_is_link_local(&h->p.from)) {
        drop(v, VRRP_DROP_SOURCE);
        return false;
    }
    return true;
}

/* --- the message -------------------------------------------------------------------------------
 */

static bool checksum_fits(const struct heard *h)
{
    const struct vrrp_message *m = &h->m;

    if (h->p.family == 6)
        return m->checksum_pseudo;
    if (m->version == 2 || h->i->c.checksum == HD_VRRP_CHECKSUM_RFC)
        return m->checksum_plain;
    if (h->i->c.checksum == HD_VRRP_CHECKSUM_PSEUDO)
        return m->checksum_pseudo;
    return m->checksum_plain || m->checksum_pseudo; /* R12 */
}

/* Same addresses, in any order. */
static bool list_fits(const struct heard *h)
{
    const struct hd_vrrp_instance_config *c = &h->i->c;
    uint32_t found = 0;

    if (h->m.count != c->address_count)
        return false;
    for (uint32_t n = 0; n < h->m.count; n++) {
        struct hd_ip6 a = vrrp_list_address(&h->p, &h->m, n);
        for (unsigned k = 0; k < c->address_count; k++) {
            if (hd_ip6_equal(&a, &c->addresses[k])) {
                found++;
                break;
            }
        }
    }
    return found == c->address_count;
}

/* R3 to R5: type, length, checksum. */
static bool shape_fits(struct vrrp *v, struct hd_ctx *c, struct heard *h)
{
    struct vrrp_instance *i = h->i;

    if (h->m.type != VRRP_TYPE &&
        !(h->m.type == VRRP_BACKUP && h->m.version == 3 && i->c.fast == HD_VRRP_FAST_P2P)) {
        i->invalid_type++;
        drop(v, VRRP_DROP_TYPE);
        return false;
    }
    if (!vrrp_read_message(&h->p, &h->m)) {
        i->length_errors++;
        drop_error(v, c, h, VRRP_DROP_LENGTH, HD_VRRP_ERR_LENGTH);
        return false;
    }
    if (!checksum_fits(h)) {
        drop_error(v, c, h, VRRP_DROP_CHECKSUM, HD_VRRP_ERR_CHECKSUM);
        return false;
    }
    return true;
}

/* R7 to R9, R13: what no message may say. */
static bool content_fits(struct vrrp *v, const struct heard *h)
{
    const struct vrrp_message *m = &h->m;
    enum vrrp_drop reason = VRRP_DROP_COUNT;

    if (m->version == 2 && m->auth_type != 0 && (h->i->c.v2_auth_accept == 0 || m->auth_type > 2)) {
        reason = VRRP_DROP_AUTH;
    } else if (m->count == 0) {
        reason = VRRP_DROP_NO_ADDRESS;
    } else if (m->interval_cs == 0) {
        reason = VRRP_DROP_ZERO_INTERVAL;
    } else if (h->p.family == 6) {
        struct hd_ip6 first = vrrp_list_address(&h->p, m, 0);
        if (!hd_ip6_is_link_local(&first))
            reason = VRRP_DROP_NOT_LINK_LOCAL;
    }
    if (reason != VRRP_DROP_COUNT)
        drop(v, reason);
    return reason == VRRP_DROP_COUNT;
}

/* R10, R11: what differs from our configuration is noted, and with version 2 refused. */
static bool agreement_fits(struct vrrp *v, struct hd_ctx *c, struct heard *h)
{
    struct vrrp_instance *i = h->i;
    bool strict = h->m.version == 2 && i->c.version == 2;

    if (h->m.interval_cs != i->c.interval_cs && (h->m.version == i->c.version)) {
        i->interval_errors++;
        vrrp_tell_error(v, c, h->f, h->p.family, h->m.vrid, HD_VRRP_ERR_INTERVAL, &h->p.from);
        if (strict) {
            drop(v, VRRP_DROP_INTERVAL);
            return false;
        }
    }
    if (!list_fits(h)) {
        i->address_errors++;
        vrrp_tell_error(v, c, h->f, h->p.family, h->m.vrid, HD_VRRP_ERR_ADDRESS_LIST, &h->p.from);
        if (strict && h->m.priority != 255) {
            drop(v, VRRP_DROP_ADDRESSES);
            return false;
        }
    }
    return true;
}

/* R40: who sends both versions is heard by the better one. */
static bool is_doubled(struct hd_ctx *c, const struct heard *h)
{
    struct vrrp_instance *i = h->i;

    if (i->c.interop == 0)
        return false;
    if (h->m.version == 3) {
        i->v3_source = h->p.from;
        i->v3_at = c->now;
        return false;
    }
    return hd_ip6_equal(&i->v3_source, &h->p.from) && c->now - i->v3_at <= 3 * i->active_interval;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static void on_message(struct vrrp *v, struct hd_ctx *c, struct heard *h)
{
    if (!shape_fits(v, c, h) || !content_fits(v, h))
        return;
    if (h->i->state == HD_VRRP_INITIALIZE) {
        drop(v, VRRP_DROP_STATE);
        return;
    }
    if (is_doubled(c, h)) {
        drop(v, VRRP_DROP_INTEROP);
        return;
    }
    if (!agreement_fits(v, c, h))
        return;
    if (h->m.type == VRRP_TYPE)
        vrrp_advert_heard(v, c, h->i, &h->p, &h->m);
    else
        vrrp_peer_heard(v, c, h->i, &h->p.from, h->m.priority, VRRP_BACKUP);
}

void vrrp_on_frame(struct vrrp *v, struct hd_ctx *c, const struct hd_in_datagram *d)
{
    struct heard h = {.f = interface_of(v, d)};

    if (h.f == NULL) {
        drop(v, VRRP_DROP_INTERFACE);
        return;
    }
    enum vrrp_frame_fault fault = vrrp_read_frame(d->bytes, d->len, &h.p);
    if (fault == VRRP_FRAME_OK && vrrp_family_index(h.p.family) != (d->port - 1u) % 2)
        fault = VRRP_FRAME_OTHER;
    if (fault != VRRP_FRAME_OK) {
        drop(v, frame_drop(fault));
        return;
    }
    if (is_own(h.f, &h.p)) {
        drop(v, VRRP_DROP_OWN);
        return;
    }
    if (!vrrp_read_head(&h.p, &h.m)) {
        drop(v, VRRP_DROP_LENGTH);
        return;
    }
    struct vrrp_instance **table = h.f->by_vrid[vrrp_family_index(h.p.family)];
    h.i = table != NULL ? table[h.m.vrid] : NULL;
    if (!path_fits(v, c, &h))
        return;
    if (!version_fits(&h)) {
        drop_error(v, c, &h, VRRP_DROP_VERSION, HD_VRRP_ERR_VERSION);
        return;
    }
    if (h.i == NULL) {
        drop_error(v, c, &h, VRRP_DROP_VRID, HD_VRRP_ERR_VRID);
        return;
    }
    if (!within_rate(h.f, c->now)) {
        drop(v, VRRP_DROP_RATE);
        return;
    }
    on_message(v, c, &h);
}

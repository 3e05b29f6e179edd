/* SPDX-License-Identifier: Apache-2.0 */
/* What the VRRP core says: advertisements (R16 to R20), announcements (R30), events (R75). */
#include "core/vrrp/state.h"

/* --- advertisements ----------------------------------------------------------------------------
 */

static struct hd_effect *new_frame(struct hd_ctx *c, const struct vrrp_instance *i, uint8_t flags)
{
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_SEND, VRRP_FRAME_MAX);

    if (e == NULL)
        return NULL;
    e->u.send.port = vrrp_port(i->interface, vrrp_family_index(i->c.family));
    e->u.send.ifindex = i->interface->ifindex;
    e->u.send.flags = flags;
    e->u.send.traffic_class = VRRP_CLASS;
    return e;
}

static void end_frame(struct hd_ctx *c, struct hd_effect *e, uint32_t len)
{
    e->u.send.len = len;
    hd_fx_trim(c->fx, e, len);
}

static void send_one(struct hd_ctx *c, struct vrrp_instance *i, const struct vrrp_advert *a,
                     uint8_t flags)
{
    struct hd_effect *e = new_frame(c, i, flags);

    if (e == NULL)
        return;
    e->u.send.to = a->to;
    end_frame(c, e, vrrp_write_advert(hd_fx_payload(e), a));
    i->sent++;
}

static void send_version(struct hd_ctx *c, struct vrrp_instance *i, struct vrrp_advert *a)
{
    a->to = (struct hd_ip6){0};
    if (i->c.unicast_count == 0) {
        send_one(c, i, a, 0);
        return;
    }
    for (unsigned n = 0; n < i->c.unicast_count; n++) {
        a->to = i->c.unicast[n];
        send_one(c, i, a, HD_SEND_ROUTED);
    }
}

void vrrp_send_advert(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i, uint8_t type,
                      uint8_t priority)
{
    struct vrrp_advert a = {.family = i->c.family,
                            .version = i->c.version,
                            .type = type,
                            .vrid = i->c.vrid,
                            .priority = priority,
                            .count = i->c.address_count,
                            .pseudo = i->c.checksum == HD_VRRP_CHECKSUM_PSEUDO ||
                                      (i->c.checksum == HD_VRRP_CHECKSUM_AUTO && i->pseudo),
                            .interval_cs = i->c.interval_cs,
                            .mac = vrrp_instance_mac(i),
                            .from = vrrp_primary(i),
                            .addresses = i->c.addresses};

    if (i->interface == NULL)
        return;
    if (type == VRRP_BACKUP)
        a.mac = i->interface->mac; /* R16: the virtual MAC stays where the Active is */
    send_version(c, i, &a);
    if (i->c.interop != 0 && i->c.version == 3 && i->c.family == 4 && type == VRRP_TYPE) { /* R40 */
        a.version = 2;
        send_version(c, i, &a);
    }
}

/* --- announcements -----------------------------------------------------------------------------
 */

static void announce_all(struct hd_ctx *c, struct vrrp_instance *i)
{
    struct hd_mac mac = vrrp_instance_mac(i);

    for (unsigned n = 0; n < i->c.address_count; n++) {
        struct hd_effect *e = new_frame(c, i, 0);
        if (e == NULL)
            return;
        end_frame(c, e,
                  vrrp_write_announcement(hd_fx_payload(e), i->c.family, &mac, &i->c.addresses[n]));
    }
}

/* A burst now, one address after the other; single ones follow after 1 s, 5 s, and if asked for. */
void vrrp_announce(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    i->announce = false;
    i->announced = 1;
    for (unsigned n = 0; n < HD_MAX(i->c.garp_repeat, 1u); n++)
        announce_all(c, i);
    vrrp_arm(v, c, i, VRRP_TIMER_ANNOUNCE, c->now + VRRP_ANNOUNCE_AGAIN_NS);
}

void vrrp_announce_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    if (i->state != HD_VRRP_ACTIVE)
        return;
    announce_all(c, i);
    if (i->announced == 1) {
        i->announced = 2;
        vrrp_arm(v, c, i, VRRP_TIMER_ANNOUNCE,
                 c->now + VRRP_ANNOUNCE_LAST_NS - VRRP_ANNOUNCE_AGAIN_NS);
    } else if (i->c.garp_refresh_s != 0) {
        vrrp_arm(v, c, i, VRRP_TIMER_ANNOUNCE, c->now + HD_SEC(i->c.garp_refresh_s));
    }
}

/* --- events ------------------------------------------------------------------------------------
 */

/* R75: so many in a second, the rest is counted. */
static bool may_notify(struct vrrp *v, struct hd_ctx *c)
{
    if (c->now - v->notices_at >= HD_SEC(1)) {
        v->notices_at = c->now;
        v->notices = 0;
    }
    if (v->notices >= v->notices_per_s) {
        v->counts[VRRP_COUNT_NOTICES_DROPPED]++;
        return false;
    }
    v->notices++;
    return true;
}

static void log_state(struct hd_ctx *c, const struct vrrp_instance *i)
{
    static const char *const causes[] = {"vrrp-initialize", "vrrp-backup", "vrrp-active"};
    const struct hd_log_arg args[] = {
        {.key = "ifindex",
         .type = HD_ARG_UINT,
         .u.number = i->interface != NULL ? i->interface->ifindex : 0},
        {.key = "family", .type = HD_ARG_UINT, .u.number = i->c.family},
        {.key = "vrid", .type = HD_ARG_UINT, .u.number = i->c.vrid},
        {.key = "priority", .type = HD_ARG_UINT, .u.number = i->priority},
    };
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_LOG, sizeof args);

    if (e == NULL)
        return;
    e->u.log.level = HD_LOG_NOTICE;
    e->u.log.nargs = HD_ARRAY_LEN(args);
    e->u.log.cause = causes[i->state];
    memcpy(hd_fx_payload(e), args, sizeof args);
}

void vrrp_tell_state(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i, uint8_t old)
{
    struct hd_vrrp_row_event row;

    if (i->c.log_changes != 0)
        log_state(c, i);
    if (!may_notify(v, c))
        return;
    memset(&row, 0, sizeof row); /* padding is recorded, too */
    row.ifindex = i->interface != NULL ? i->interface->ifindex : 0;
    row.family = i->c.family;
    row.vrid = i->c.vrid;
    row.state = i->state;
    row.old_state = old;
    row.reason = i->reason;
    row.last_event = i->last_event;
    row.priority = i->priority;
    row.source = vrrp_primary(i);
    memcpy(row.interface, i->c.interface, sizeof row.interface);
    hd_fx_event(c->fx, c->core, HD_VRRP_LIST_EVENT, &row, sizeof row);
}

void vrrp_tell_error(struct vrrp *v, struct hd_ctx *c, const struct vrrp_interface *f,
                     uint8_t family, uint8_t vrid, enum hd_vrrp_error error,
                     const struct hd_ip6 *source)
{
    struct hd_vrrp_row_error row;

    if (!may_notify(v, c))
        return;
    memset(&row, 0, sizeof row); /* padding is recorded, too */
    row.ifindex = f->ifindex;
    row.family = family;
    row.vrid = vrid;
    row.error = (uint8_t)error;
    row.source = *source;
    memcpy(row.interface, f->name, sizeof row.interface);
    hd_fx_event(c->fx, c->core, HD_VRRP_LIST_ERROR, &row, sizeof row);
}

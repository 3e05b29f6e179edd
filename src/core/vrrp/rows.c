/* SPDX-License-Identifier: Apache-2.0 */
/* The VRRP core's state as rows. */
#include "core/vrrp/state.h"

static void copy_names(struct hd_vrrp_row_router *r, const struct vrrp_instance *i)
{
    memcpy(r->interface, i->c.interface, sizeof r->interface);
    memcpy(r->group, i->c.group, sizeof r->group);
    memcpy(r->addresses, i->c.addresses, i->c.address_count * sizeof r->addresses[0]);
    r->address_count = i->c.address_count;
}

static void copy_state(struct hd_vrrp_row_router *r, struct vrrp *v, struct hd_ctx *c,
                       const struct vrrp_instance *i)
{
    const struct hd_virtual *x = hd_model_virtual(c->model, i->virt);
    const struct vrrp_session *s = vrrp_critical(v, i);
    bool pseudo = i->c.checksum == HD_VRRP_CHECKSUM_PSEUDO ||
                  (i->c.checksum == HD_VRRP_CHECKSUM_AUTO && i->pseudo);

    r->ifindex = i->interface != NULL ? i->interface->ifindex : 0;
    r->family = i->c.family;
    r->vrid = i->c.vrid;
    r->version = i->c.version;
    r->state = i->state;
    r->owner = i->owner;
    r->priority = i->c.priority;
    r->effective_priority = i->priority;
    r->preempt = i->c.preempt;
    r->accept = i->c.accept;
    r->own_mac = i->c.own_mac;
    r->fast = i->c.fast;
    r->reason = i->reason;
    r->last_event = i->last_event;
    r->checksum = pseudo ? HD_VRRP_CHECKSUM_PSEUDO : HD_VRRP_CHECKSUM_RFC;
    r->bfd = s != NULL ? s->state : 0;
    r->installed = x != NULL && x->o.installed;
    r->mac = vrrp_instance_mac(i);
    r->primary = vrrp_primary(i);
    r->last_source = i->last_source;
}

static void copy_figures(struct hd_vrrp_row_router *r, struct hd_ctx *c,
                         const struct vrrp_instance *i)
{
    r->interval_ns = vrrp_own_interval(i);
    r->active_interval_ns = i->active_interval;
    r->down_interval_ns = vrrp_down_interval(i);
    r->skew_ns = vrrp_skew(i);
    r->up_ns = i->state == HD_VRRP_INITIALIZE ? 0 : c->now - i->up_at;
    r->state_ns = c->now - i->state_at;
    r->counting_ns = c->now - i->counting_at;
    r->transitions = i->transitions;
    r->received = i->received;
    r->sent = i->sent;
    r->zero_received = i->zero_received;
    r->zero_sent = i->zero_sent;
    r->invalid_type = i->invalid_type;
    r->interval_errors = i->interval_errors;
    r->address_errors = i->address_errors;
    r->length_errors = i->length_errors;
    r->split = i->split;
    r->bfd_switch = i->bfd_switch;
    r->false_switch = i->false_switch;
    r->late_max_ns = i->late_max;
}

static uint32_t router_rows(struct vrrp *v, struct hd_ctx *c, struct hd_row_cursor *cursor,
                            struct hd_vrrp_row_router *out, uint32_t max)
{
    uint32_t n = 0;

    for (; n < max && cursor->a < v->instances.len; cursor->a++, n++) {
        const struct vrrp_instance *i = v->instances.v[cursor->a];
        memset(&out[n], 0, sizeof out[n]);
        copy_names(&out[n], i);
        copy_state(&out[n], v, c, i);
        copy_figures(&out[n], c, i);
    }
    cursor->end = cursor->a >= v->instances.len;
    return n;
}

static void peer_row(struct hd_vrrp_row_peer *r, struct vrrp *v, struct hd_ctx *c,
                     const struct vrrp_instance *i, unsigned place)
{
    const struct vrrp_peer *p = &i->peers[place];
    const struct vrrp_session *s = vrrp_session_at(v, i->sessions[place]);

    if (i->c.fast != HD_VRRP_FAST_P2P)
        s = hd_ip6_equal(&p->address, &i->last_source) ? vrrp_critical(v, i) : NULL;
    memset(r, 0, sizeof *r);
    r->ifindex = i->interface != NULL ? i->interface->ifindex : 0;
    r->family = i->c.family;
    r->vrid = i->c.vrid;
    r->priority = p->priority;
    r->active = p->type == VRRP_TYPE;
    r->bfd = s != NULL ? s->state : 0;
    r->critical = s != NULL && s == vrrp_critical(v, i);
    r->address = p->address;
    r->seen_ns = c->now - p->seen_at;
}

static uint32_t peer_rows(struct vrrp *v, struct hd_ctx *c, struct hd_row_cursor *cursor,
                          struct hd_vrrp_row_peer *out, uint32_t max)
{
    uint32_t n = 0;

    for (; cursor->a < v->instances.len; cursor->a++, cursor->b = 0) {
        const struct vrrp_instance *i = v->instances.v[cursor->a];
        for (; cursor->b < HD_VRRP_PEERS_MAX; cursor->b++) {
            if (vrrp_address_none(&i->peers[cursor->b].address))
                continue;
            if (n == max)
                return n;
            peer_row(&out[n++], v, c, i, (unsigned)cursor->b);
        }
    }
    cursor->end = true;
    return n;
}

static uint32_t counter_rows(const struct vrrp *v, struct hd_row_cursor *cursor,
                             struct hd_vrrp_row_counter *out, uint32_t max)
{
    static const char *const names[] = {
#define X(name, text) "drop-" text,
        VRRP_DROPS(X)
#undef X
            [VRRP_DROP_COUNT + VRRP_COUNT_NOTICES_DROPPED] = "notices-dropped",
        [VRRP_DROP_COUNT + VRRP_COUNT_NO_MEMORY] = "no-memory",
        [VRRP_DROP_COUNT + VRRP_COUNT_PEERS_FULL] = "peers-full",
        [VRRP_DROP_COUNT + VRRP_COUNT_BFD_REFUSED] = "bfd-refused",
        [VRRP_DROP_COUNT + VRRP_COUNT_ADDRESSES_FULL] = "addresses-full",
        [VRRP_DROP_COUNT + VRRP_COUNT_INTERFACES_FULL] = "interfaces-full",
    };
    uint32_t n = 0;

    for (; n < max && cursor->a < HD_ARRAY_LEN(names); cursor->a++, n++) {
        bool is_drop = cursor->a < VRRP_DROP_COUNT;
        const char *name = names[cursor->a];
        memset(&out[n], 0, sizeof out[n]);
        memcpy(out[n].name, name, HD_MIN(strlen(name), sizeof out[n].name - 1));
        out[n].value = is_drop ? v->drops[cursor->a] : v->counts[cursor->a - VRRP_DROP_COUNT];
    }
    cursor->end = cursor->a >= HD_ARRAY_LEN(names);
    return n;
}

static uint32_t summary_row(const struct vrrp *v, struct hd_row_cursor *cursor,
                            struct hd_vrrp_row_summary *out, uint32_t max)
{
    if (max == 0)
        return 0;
    memset(out, 0, sizeof *out);
    out->routers = v->instances.len;
    for (uint32_t n = 0; n < v->instances.len; n++) {
        out->active += v->instances.v[n]->state == HD_VRRP_ACTIVE;
        out->backup += v->instances.v[n]->state == HD_VRRP_BACKUP;
        out->initialize += v->instances.v[n]->state == HD_VRRP_INITIALIZE;
    }
    for (unsigned s = 0; s < HD_VRRP_INTERFACES_MAX; s++)
        out->interfaces +=
            v->interfaces[s] != NULL && v->interfaces[s]->users[0] + v->interfaces[s]->users[1] > 0;
    cursor->end = true;
    return 1;
}

uint32_t vrrp_rows(const void *state, struct hd_ctx *c, uint16_t list, struct hd_row_cursor *cursor,
                   void *out, uint32_t max)
{
    struct vrrp *v = (struct vrrp *)(uintptr_t)state; /* looked at, not changed */

    switch (list) {
    case HD_VRRP_LIST_ROUTERS:
        return router_rows(v, c, cursor, out, max);
    case HD_VRRP_LIST_PEERS:
        return peer_rows(v, c, cursor, out, max);
    case HD_VRRP_LIST_COUNTERS:
        return counter_rows(v, cursor, out, max);
    case HD_VRRP_LIST_SUMMARY:
        return summary_row(v, cursor, out, max);
    default:
        cursor->end = true;
        return 0;
    }
}

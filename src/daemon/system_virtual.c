/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual interfaces for the router process (linux/virtual.h). What it asks for is checked: the
 * interface must be one that a second MAC can stand on, the MAC one that the asking protocol owns,
 * the addresses no others than could be somebody's. A protocol that is to have virtual interfaces
 * gets a line in `owners`.
 *
 * Who dies loses nothing: a new router is told what there is (and claims it), a new system finds it
 * in the kernel and is told again what is wanted.
 */
#include <errno.h>
#include <net/if_arp.h>
#include <string.h>

#include "daemon/system.h"
#include "lib/base.h"
#include "router/router.h"

/* --- what may be asked ---------------------------------------------------------------------------
 */

/* RFC 9568 7.3: 00-00-5E-00-01-VRID, and 02 for IPv6. */
static bool is_vrrp_mac(const struct hd_virtual_value *v)
{
    const uint8_t mac[6] = {0x00, 0x00, 0x5e, 0x00, v->family == 4 ? 0x01 : 0x02, v->number};
    return memcmp(v->mac.b, mac, sizeof mac) == 0;
}

static const struct {
    uint8_t core;
    bool (*is_mac)(const struct hd_virtual_value *v);
} owners[] = {
    {HD_CORE_VRRP, is_vrrp_mac},
};

static bool may_have_mac(uint8_t owner, const struct hd_virtual_value *v)
{
    for (unsigned i = 0; i < HD_ARRAY_LEN(owners); i++) {
        if (owners[i].core == owner) {
            return v->own_mac != 0 || owners[i].is_mac(v);
        }
    }
    return false;
}

static bool is_somebodys(const struct hd_system *s, uint8_t family, const struct hd_ip6 *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, zero[15];
    bool ip4 = memcmp(a->b, mapped, sizeof mapped) == 0;

    if (ip4 != (family == 4)) {
        return false;
    }
    if (ip4) {
        return a->b[12] != 0 && a->b[12] != 127 && a->b[12] < 224;
    }
    return a->b[0] != 0xff && memcmp(a->b, zero, sizeof zero) != 0 && !hd_system_is_ours(s, a);
}

static bool may_stand_on(struct hd_system *s, uint32_t ifindex)
{
    const struct hd_interface *i = hd_interfaces_find(&s->interfaces, ifindex);

    return i != NULL && i->link.type == ARPHRD_ETHER && ifindex != s->interfaces.kira0;
}

static bool is_allowed(struct hd_system *s, const struct hd_msg_virtual *m)
{
    const struct hd_virtual_value *v = &m->value;

    if ((v->family != 4 && v->family != 6) || v->count > HD_VIRTUAL_ADDRESSES_MAX ||
        !may_have_mac(m->owner, v) || !may_stand_on(s, v->ifindex)) {
        return false;
    }
    for (unsigned i = 0; i < v->count; i++) {
        if (!is_somebodys(s, v->family, &v->addresses[i])) {
            return false;
        }
    }
    return true;
}

/* --- requests ------------------------------------------------------------------------------------
 */

static int set(struct hd_system *s, const struct hd_msg_virtual *m)
{
    const struct hd_virtual_value *v = &m->value;

    if (!is_allowed(s, m)) {
        hd_log_line(&s->log, HD_LOG_ERROR, "virtual-refused", "core=%u ifindex=%u number=%u",
                    m->owner, v->ifindex, v->number);
        return HD_EPERM;
    }
    int error = hd_virtual_set(&s->virtuals, &s->rtnl, m->owner, v);
    if (error < 0) {
        hd_log_line(&s->log, HD_LOG_WARNING, "virtual-not-set",
                    "ifindex=%u family=%u number=%u active=%u error=\"%s\"", v->ifindex, v->family,
                    v->number, v->active,
                    error == HD_ESYS ? strerror(errno) : hd_error_name(error));
    }
    return error;
}

void hd_system_virtual(struct hd_system *s, const struct hd_msg_virtual *m)
{
    struct hd_msg_virtual done = *m;

    if (m->del != 0) {
        hd_virtual_del(&s->virtuals, &s->rtnl, m->owner, &m->value);
        return;
    }
    done.error = set(s, m);
    hd_system_router_tell_virtual(s, HD_MSG_VIRTUAL_DONE, &done);
}

void hd_system_virtuals_settle(struct hd_system *s)
{
    int error = hd_virtual_settle(&s->virtuals);

    if (error < 0) {
        hd_log_line(&s->log, HD_LOG_WARNING, "accept-mode-not-enforced", "error=%s why=\"%s\"",
                    hd_error_name(error), strerror(errno));
    }
}

/* What others took away, and once in a while the table of what is refused. */
void hd_system_virtuals_repair(struct hd_system *s)
{
    uint32_t n = hd_virtual_repair(&s->virtuals, &s->rtnl);

    if (n > 0) {
        hd_log_line(&s->log, HD_LOG_WARNING, "virtual-repaired", "count=%u", n);
    }
    s->virtuals.refusals_stale |= s->virtuals.v != NULL;
}

void hd_system_virtuals_tell(struct hd_system *s)
{
    for (uint32_t i = 0; s->virtuals.v != NULL && i < HD_VIRTUALS_MAX; i++) {
        const struct hd_virtual_link *l = &s->virtuals.v[i];
        struct hd_msg_virtual m = {.owner = l->owner};
        if (l->used) {
            hd_virtual_value_of(l, &m.value);
            hd_system_router_tell_virtual(s, HD_MSG_FOUND, &m);
        }
    }
}

void hd_system_virtuals_end(struct hd_system *s)
{
    hd_virtual_del_all(&s->virtuals, &s->rtnl);
    hd_system_virtuals_settle(s);
}

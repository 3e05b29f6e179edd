/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual interfaces by rtnetlink (virtual.h).
 *
 * Turning active is short, because hosts are waiting: the link comes up, then its addresses are
 * there, one request each. Turning standby goes the other way round.
 */
#include "linux/virtual.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base.h"
#include "lib/code_points.h"

/* --- the table ----------------------------------------------------------------------------------
 */

struct hd_virtual_link *hd_virtual_find(struct hd_virtual_table *t, uint32_t ifindex,
                                        uint8_t family, uint8_t number)
{
    for (uint32_t i = 0; t->v != NULL && i < HD_VIRTUALS_MAX; i++) {
        struct hd_virtual_link *l = &t->v[i];
        if (l->used && l->v.ifindex == ifindex && l->v.family == family && l->v.number == number) {
            return l;
        }
    }
    return NULL;
}

static struct hd_virtual_link *place(struct hd_virtual_table *t, uint32_t ifindex, uint8_t family,
                                     uint8_t number)
{
    struct hd_virtual_link *l = hd_virtual_find(t, ifindex, family, number);

    if (l != NULL) {
        return l;
    }
    if (t->v == NULL) {
        t->v = calloc(HD_VIRTUALS_MAX, sizeof *t->v);
    }
    for (uint32_t i = 0; t->v != NULL && i < HD_VIRTUALS_MAX; i++) {
        l = &t->v[i];
        if (!l->used) {
            *l = (struct hd_virtual_link){
                .used = true, .v = {.ifindex = ifindex, .family = family, .number = number}};
            t->count++;
            return l;
        }
    }
    return NULL;
}

static void forget(struct hd_virtual_table *t, struct hd_virtual_link *l)
{
    l->used = false;
    t->count--;
}

void hd_virtual_free(struct hd_virtual_table *t)
{
    free(t->v);
    *t = (struct hd_virtual_table){0};
}

static char *link_name(const struct hd_virtual_value *v, char name[IFNAMSIZ])
{
    snprintf(name, IFNAMSIZ, "hv%u.%u.%u", v->family % 10u, v->number, v->ifindex % 1000000u);
    return name;
}

/* --- what is there already -----------------------------------------------------------------------
 */

/* By kind, name and MAC: an alias comes only after the link. */
bool hd_virtual_found(struct hd_virtual_table *t, const struct hd_link_facts *f)
{
    static const uint8_t prefix[4] = {0x00, 0x00, 0x5e, 0x00};
    unsigned family, number, ifindex;

    if (strcmp(f->kind, "macvlan") != 0 || memcmp(f->mac.b, prefix, sizeof prefix) != 0 ||
        sscanf(f->name, "hv%u.%u.%u", &family, &number, &ifindex) != 3) {
        return false;
    }
    struct hd_virtual_link *l = place(t, ifindex, (uint8_t)family, (uint8_t)number);
    if (l == NULL) {
        return true;
    }
    if (f->gone) {
        if (l->ifindex == f->ifindex) {
            forget(t, l);
        }
        return true;
    }
    l->ifindex = f->ifindex;
    l->v.mac = f->mac;
    l->v.active = (f->flags & IFF_UP) != 0;
    return true;
}

static bool holds(const struct hd_virtual_value *v, const struct hd_ip6 *a)
{
    for (unsigned i = 0; i < v->count; i++) {
        if (hd_ip6_equal(&v->addresses[i], a)) {
            return true;
        }
    }
    return false;
}

bool hd_virtual_address(struct hd_virtual_table *t, const struct hd_address_facts *f)
{
    for (uint32_t i = 0; t->v != NULL && i < HD_VIRTUALS_MAX; i++) {
        struct hd_virtual_link *l = &t->v[i];
        if (!l->used || l->ifindex != f->ifindex || l->ifindex == 0) {
            continue;
        }
        if (!f->gone && !holds(&l->v, &f->address) && l->v.count < HD_VIRTUAL_ADDRESSES_MAX) {
            l->v.addresses[l->v.count++] = f->address;
        }
        return true;
    }
    return f->protocol == HD_ROUTE_PROTOCOL; /* without a virtual MAC */
}

/* --- requests ------------------------------------------------------------------------------------
 */

static struct nlmsghdr *link_message(struct hd_rtnl *n, uint16_t type, uint16_t flags,
                                     uint32_t ifindex)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(n->buffer);

    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
    i->ifi_family = AF_UNSPEC;
    i->ifi_index = (int)ifindex;
    return h;
}

static int link_up(struct hd_rtnl *n, uint32_t ifindex, bool up)
{
    struct nlmsghdr *h = link_message(n, RTM_SETLINK, 0, ifindex);
    struct ifinfomsg *i = mnl_nlmsg_get_payload(h);

    i->ifi_change = IFF_UP;
    i->ifi_flags = up ? IFF_UP : 0;
    return hd_rtnl_request(n, h);
}

/*
 * Answers for addresses only on the interface that has them, and speaks only with those: the MAC
 * below must never answer for a virtual address (R34).
 */
static int quieten(struct hd_rtnl *n, uint32_t ifindex, bool macvlan)
{
    struct nlmsghdr *h = link_message(n, RTM_SETLINK, 0, ifindex);
    struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
    struct nlattr *inet = mnl_attr_nest_start(h, AF_INET);
    struct nlattr *conf = mnl_attr_nest_start(h, IFLA_INET_CONF);

    mnl_attr_put_u32(h, IPV4_DEVCONF_ARP_IGNORE, 1);
    mnl_attr_put_u32(h, IPV4_DEVCONF_ARP_ANNOUNCE, 2);
    if (macvlan) {
        mnl_attr_put_u32(h, IPV4_DEVCONF_RP_FILTER, 0);
    }
    mnl_attr_nest_end(h, conf);
    mnl_attr_nest_end(h, inet);
    mnl_attr_nest_end(h, spec);
    return hd_rtnl_request(n, h);
}

/* No link-local address is made from the virtual MAC (R37). */
static int no_own_address(struct hd_rtnl *n, uint32_t ifindex)
{
    struct nlmsghdr *h = link_message(n, RTM_SETLINK, 0, ifindex);
    struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
    struct nlattr *inet6 = mnl_attr_nest_start(h, AF_INET6);

    mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(h, inet6);
    mnl_attr_nest_end(h, spec);
    return hd_rtnl_request(n, h);
}

static int link_make(struct hd_rtnl *n, const struct hd_virtual_value *v)
{
    char name[IFNAMSIZ];
    struct nlmsghdr *h = link_message(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);

    mnl_attr_put_str(h, IFLA_IFNAME, link_name(v, name));
    mnl_attr_put_u32(h, IFLA_LINK, v->ifindex);
    mnl_attr_put(h, IFLA_ADDRESS, sizeof v->mac, &v->mac);
    struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
    mnl_attr_put_str(h, IFLA_INFO_KIND, "macvlan");
    struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
    mnl_attr_put_u32(h, IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE);
    mnl_attr_nest_end(h, data);
    mnl_attr_nest_end(h, info);
    return hd_rtnl_request(n, h);
}

static void take_ifindex(void *user, const struct hd_link_facts *f)
{
    *(uint32_t *)user = f->ifindex;
}

static uint32_t link_find(struct hd_rtnl *n, const struct hd_virtual_value *v)
{
    char name[IFNAMSIZ];
    uint32_t ifindex = 0;
    struct hd_rtnl_sink sink = {.user = &ifindex, .link = take_ifindex};
    struct nlmsghdr *h = link_message(n, RTM_GETLINK, 0, 0);

    mnl_attr_put_str(h, IFLA_IFNAME, link_name(v, name));
    return hd_rtnl_ask(n, h, &sink) == 0 ? ifindex : 0;
}

static int address_request(struct hd_rtnl *n, uint32_t ifindex, const struct hd_virtual_value *v,
                           unsigned which, bool add)
{
    const struct hd_ip6 *a = &v->addresses[which];
    bool local = hd_ip6_is_link_local(a); /* whose prefix every interface has for itself */
    const void *bytes = v->family == 4 ? a->b + 12 : a->b;
    size_t size = v->family == 4 ? 4 : 16;
    struct nlmsghdr *h = mnl_nlmsg_put_header(n->buffer);

    h->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE : 0));
    struct ifaddrmsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
    i->ifa_family = v->family == 4 ? AF_INET : AF_INET6;
    i->ifa_prefixlen = local ? 64 : (uint8_t)(size * 8);
    i->ifa_scope = local ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    i->ifa_index = ifindex;
    mnl_attr_put(h, IFA_LOCAL, size, bytes);
    mnl_attr_put(h, IFA_ADDRESS, size, bytes);
    if (add) {
        mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD | (local ? 0u : IFA_F_NOPREFIXROUTE));
        mnl_attr_put_u8(h, IFA_PROTO, HD_ROUTE_PROTOCOL);
    }
    int error = hd_rtnl_request(n, h);
    if (error < 0 && add && errno == EEXIST) {
        return 0;
    }
    return error < 0 && !add && (errno == EADDRNOTAVAIL || errno == ENODEV) ? 0 : error;
}

/* --- changes -------------------------------------------------------------------------------------
 */

/* Takes off those addresses that are there and not in `keep` (NULL: all). */
static void remove_addresses(struct hd_rtnl *n, const struct hd_virtual_link *l, uint32_t ifindex,
                             const struct hd_virtual_value *keep)
{
    for (unsigned i = 0; i < l->v.count; i++) {
        if (keep == NULL || !holds(keep, &l->v.addresses[i])) {
            (void)!address_request(n, ifindex, &l->v, i, false);
        }
    }
}

static int provide_link(struct hd_rtnl *n, struct hd_virtual_link *l,
                        const struct hd_virtual_value *v)
{
    if (l->ifindex == 0) {
        l->ifindex = link_find(n, v); /* of a predecessor, not looked for yet */
    }
    if (l->ifindex == 0) {
        int error = link_make(n, v);
        if (error < 0) {
            return error;
        }
        l->ifindex = link_find(n, v);
    }
    if (l->ifindex == 0) {
        return HD_ESYS;
    }
    int error = hd_rtnl_link_alias(n, l->ifindex, HD_VIRTUAL_ALIAS); /* for people */
    if (error == 0) {
        error = quieten(n, v->ifindex, false);
    }
    if (error == 0) {
        error = quieten(n, l->ifindex, true);
    }
    if (no_own_address(n, l->ifindex) < 0 && v->family == 6) {
        error = HD_ESYS; /* where there is no IPv6, there is nothing to prevent */
    }
    return error;
}

static int activate(struct hd_rtnl *n, struct hd_virtual_link *l, const struct hd_virtual_value *v)
{
    uint32_t ifindex = v->own_mac ? v->ifindex : l->ifindex;
    int error = v->own_mac || l->v.active ? 0 : link_up(n, ifindex, true);

    for (unsigned i = 0; i < v->count && error == 0; i++) {
        if (!l->v.active || !holds(&l->v, &v->addresses[i])) {
            error = address_request(n, ifindex, v, i, true);
        }
    }
    if (l->v.active) {
        remove_addresses(n, l, ifindex, v);
    }
    return error;
}

static void deactivate(struct hd_rtnl *n, struct hd_virtual_link *l)
{
    uint32_t ifindex = l->v.own_mac ? l->v.ifindex : l->ifindex;

    remove_addresses(n, l, ifindex, NULL);
    if (!l->v.own_mac && l->ifindex != 0) {
        (void)!link_up(n, l->ifindex, false);
    }
    l->v.active = 0;
    l->v.count = 0;
}

static void remove_link(struct hd_rtnl *n, struct hd_virtual_link *l)
{
    if (l->v.active) {
        deactivate(n, l);
    }
    if (l->ifindex != 0) {
        (void)!hd_rtnl_request(n, link_message(n, RTM_DELLINK, 0, l->ifindex));
    }
    l->ifindex = 0;
}

int hd_virtual_set(struct hd_virtual_table *t, struct hd_rtnl *n, const struct hd_virtual_value *v)
{
    struct hd_virtual_link *l = place(t, v->ifindex, v->family, v->number);
    int error = 0;

    if (l == NULL) {
        return t->v == NULL ? HD_ENOMEM : HD_ELIMIT;
    }
    if (l->v.own_mac != v->own_mac) {
        remove_link(n, l);
    }
    l->v.own_mac = v->own_mac;
    if (!v->own_mac && l->ifindex == 0) {
        error = provide_link(n, l, v);
    }
    if (error == 0 && v->active) {
        error = activate(n, l, v);
    } else if (error == 0 && l->v.active) {
        deactivate(n, l);
    }
    if (error == 0) {
        l->v = *v;
        l->v.count = v->active ? v->count : 0;
    } else if (l->ifindex == 0) {
        forget(t, l);
    }
    return error;
}

void hd_virtual_del(struct hd_virtual_table *t, struct hd_rtnl *n, const struct hd_virtual_value *v)
{
    struct hd_virtual_link *l = hd_virtual_find(t, v->ifindex, v->family, v->number);

    if (l != NULL) {
        remove_link(n, l);
        forget(t, l);
    }
}

void hd_virtual_del_all(struct hd_virtual_table *t, struct hd_rtnl *n)
{
    for (uint32_t i = 0; t->v != NULL && i < HD_VIRTUALS_MAX; i++) {
        if (t->v[i].used) {
            remove_link(n, &t->v[i]);
            forget(t, &t->v[i]);
        }
    }
}

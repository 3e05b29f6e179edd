/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual interfaces by rtnetlink: the requests (virtual.h). */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base.h"
#include "lib/code_points.h"
#include "linux/virtual_internal.h"

/* Answers for addresses only on the interface that has them, and speaks only with those. */
#define ARP_IGNORE   1
#define ARP_ANNOUNCE 2

#define MARK 0x4b000000u /* then owner, family, number */

/* --- names ---------------------------------------------------------------------------------------
 */

static const char *link_name(const struct hd_virtual_link *l, char name[IFNAMSIZ])
{
    const struct hd_virtual_value *v = &l->wanted;
    snprintf(name, IFNAMSIZ, "hv%x%u.%u.%u", l->owner % 16u, v->family % 10u, v->number,
             v->ifindex % 1000000u);
    return name;
}

bool hd_virtual_name_read(const char *name, uint8_t *owner, uint8_t *family, uint8_t *number)
{
    unsigned o, f, n, below;

    if (sscanf(name, "hv%1x%1u.%3u.%u", &o, &f, &n, &below) != 4) {
        return false;
    }
    *owner = (uint8_t)o;
    *family = (uint8_t)f;
    *number = (uint8_t)n;
    return true;
}

static uint32_t mark_of(const struct hd_virtual_link *l)
{
    return MARK | (uint32_t)l->owner << 16 | (uint32_t)l->wanted.family << 8 | l->wanted.number;
}

bool hd_virtual_mark_read(uint32_t mark, uint8_t *owner, uint8_t *family, uint8_t *number)
{
    *owner = (uint8_t)(mark >> 16);
    *family = (uint8_t)(mark >> 8);
    *number = (uint8_t)mark;
    return (mark & 0xff000000u) == MARK;
}

/* --- links ---------------------------------------------------------------------------------------
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

int hd_virtual_link_up(struct hd_rtnl *n, const struct hd_virtual_link *l, bool up)
{
    struct nlmsghdr *h = link_message(n, RTM_SETLINK, 0, l->ifindex);
    struct ifinfomsg *i = mnl_nlmsg_get_payload(h);

    i->ifi_change = IFF_UP;
    i->ifi_flags = up ? IFF_UP : 0;
    return hd_rtnl_request(n, h);
}

static int set_arp(struct hd_rtnl *n, uint32_t ifindex, uint8_t ignore, uint8_t announce,
                   bool macvlan)
{
    struct nlmsghdr *h = link_message(n, RTM_SETLINK, 0, ifindex);
    struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
    struct nlattr *inet = mnl_attr_nest_start(h, AF_INET);
    struct nlattr *conf = mnl_attr_nest_start(h, IFLA_INET_CONF);

    mnl_attr_put_u32(h, IPV4_DEVCONF_ARP_IGNORE, ignore);
    mnl_attr_put_u32(h, IPV4_DEVCONF_ARP_ANNOUNCE, announce);
    if (macvlan) {
        mnl_attr_put_u32(h, IPV4_DEVCONF_RP_FILTER, 0);
    }
    mnl_attr_nest_end(h, conf);
    mnl_attr_nest_end(h, inet);
    mnl_attr_nest_end(h, spec);
    return hd_rtnl_request(n, h);
}

struct arp {
    bool known;
    uint8_t ignore, announce;
};

static void take_arp(void *user, const struct hd_link_facts *f)
{
    *(struct arp *)user = (struct arp){true, f->arp_ignore, f->arp_announce};
}

bool hd_virtual_arp_read(struct hd_rtnl *n, uint32_t ifindex, uint8_t *ignore, uint8_t *announce)
{
    struct arp a = {.known = false};
    const struct hd_rtnl_sink sink = {.user = &a, .link = take_arp};

    if (hd_rtnl_ask(n, link_message(n, RTM_GETLINK, 0, ifindex), &sink) < 0 || !a.known) {
        return false;
    }
    *ignore = a.ignore;
    *announce = a.announce;
    return true;
}

void hd_virtual_arp_back(struct hd_rtnl *n, const struct hd_virtual_link *l)
{
    uint8_t ignore, announce;

    if (l->saved && hd_virtual_arp_read(n, l->wanted.ifindex, &ignore, &announce) &&
        ignore == ARP_IGNORE && announce == ARP_ANNOUNCE) {
        (void)!set_arp(n, l->wanted.ifindex, l->arp_ignore, l->arp_announce, false);
    }
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

static int link_make(struct hd_rtnl *n, const struct hd_virtual_link *l)
{
    char name[IFNAMSIZ];
    struct nlmsghdr *h = link_message(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);

    mnl_attr_put_str(h, IFLA_IFNAME, link_name(l, name));
    mnl_attr_put_u32(h, IFLA_LINK, l->wanted.ifindex);
    mnl_attr_put(h, IFLA_ADDRESS, sizeof l->wanted.mac, &l->wanted.mac);
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

static uint32_t link_find(struct hd_rtnl *n, const struct hd_virtual_link *l)
{
    char name[IFNAMSIZ];
    uint32_t ifindex = 0;
    struct hd_rtnl_sink sink = {.user = &ifindex, .link = take_ifindex};
    struct nlmsghdr *h = link_message(n, RTM_GETLINK, 0, 0);

    mnl_attr_put_str(h, IFLA_IFNAME, link_name(l, name));
    return hd_rtnl_ask(n, h, &sink) == 0 ? ifindex : 0;
}

int hd_virtual_link_provide(struct hd_rtnl *n, struct hd_virtual_link *l)
{
    char alias[HD_RTNL_ALIAS];

    if (l->ifindex == 0 && link_make(n, l) < 0 && errno != EEXIST) {
        return HD_ESYS;
    }
    l->ifindex = l->ifindex != 0 ? l->ifindex : link_find(n, l);
    if (l->ifindex == 0) {
        return HD_ESYS;
    }
    /* The alias first: what it remembers is about to be changed. */
    snprintf(alias, sizeof alias, HD_VIRTUAL_ALIAS, l->arp_ignore, l->arp_announce);
    int error = hd_rtnl_link_alias(n, l->ifindex, alias);
    if (error == 0) { /* the MAC below must never answer for a virtual address (R34) */
        error = set_arp(n, l->wanted.ifindex, ARP_IGNORE, ARP_ANNOUNCE, false);
    }
    if (error == 0) {
        error = set_arp(n, l->ifindex, ARP_IGNORE, ARP_ANNOUNCE, true);
    }
    if (no_own_address(n, l->ifindex) < 0 && l->wanted.family == 6) {
        error = HD_ESYS; /* where there is no IPv6, there is nothing to prevent */
    }
    return error;
}

void hd_virtual_link_del(struct hd_rtnl *n, const struct hd_virtual_link *l)
{
    (void)!hd_rtnl_request(n, link_message(n, RTM_DELLINK, 0, l->ifindex));
}

/* --- addresses -----------------------------------------------------------------------------------
 */

/*
 * A link-local address on a macvlan brings the prefix with it, which that interface has for itself;
 * all others come without a route.
 */
static int address_request(struct hd_rtnl *n, const struct hd_virtual_link *l,
                           const struct hd_ip6 *a, bool add)
{
    bool local = hd_ip6_is_link_local(a), ip4 = l->wanted.family == 4;
    const void *bytes = ip4 ? a->b + 12 : a->b;
    size_t size = ip4 ? 4 : 16;
    struct nlmsghdr *h = mnl_nlmsg_put_header(n->buffer);

    h->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
    struct ifaddrmsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
    i->ifa_family = ip4 ? AF_INET : AF_INET6;
    i->ifa_prefixlen = local ? 64 : (uint8_t)(size * 8);
    i->ifa_scope = local ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    i->ifa_index = l->own_mac ? l->wanted.ifindex : l->ifindex;
    mnl_attr_put(h, IFA_LOCAL, size, bytes);
    mnl_attr_put(h, IFA_ADDRESS, size, bytes);
    if (add) {
        bool route = local && !l->own_mac;
        mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD | (route ? 0u : IFA_F_NOPREFIXROUTE));
        mnl_attr_put_u8(h, IFA_PROTO, HD_ROUTE_PROTOCOL);
        if (l->own_mac) {
            mnl_attr_put_u32(h, IFA_RT_PRIORITY, mark_of(l));
        }
    }
    return hd_rtnl_request(n, h);
}

int hd_virtual_address_add(struct hd_rtnl *n, const struct hd_virtual_link *l,
                           const struct hd_ip6 *a)
{
    int error = address_request(n, l, a, true);

    return error < 0 && errno == EEXIST ? HD_EEXIST : error;
}

void hd_virtual_address_del(struct hd_rtnl *n, const struct hd_virtual_link *l,
                            const struct hd_ip6 *a)
{
    (void)!address_request(n, l, a, false);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink by libmnl (rtnl.h). Two sockets: notifications arrive on one without waiting,
 * requests and their answers use the other, so that an answer never hides behind a burst of news.
 */
#include "linux/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base.h"
#include "lib/code_points.h"
#include "linux/rtnl_answer.h"

#define BUFFER_BYTES (32 * 1024)

/* --- reading -------------------------------------------------------------------------------------
 */

static void copy_text(char *to, size_t size, const struct nlattr *a)
{
    size_t len = HD_MIN(strnlen(mnl_attr_get_str(a), mnl_attr_get_payload_len(a)), size - 1);
    memcpy(to, mnl_attr_get_str(a), len);
    to[len] = '\0';
}

static int link_info_attr(const struct nlattr *a, void *data)
{
    struct hd_link_facts *f = data;
    if (mnl_attr_get_type(a) == IFLA_INFO_KIND) {
        copy_text(f->kind, sizeof f->kind, a);
    } else if (mnl_attr_get_type(a) == IFLA_INFO_SLAVE_KIND) {
        copy_text(f->master_kind, sizeof f->master_kind, a);
    }
    return MNL_CB_OK;
}

static int xdp_attr(const struct nlattr *a, void *data)
{
    struct hd_link_facts *f = data;
    if (mnl_attr_get_type(a) == IFLA_XDP_PROG_ID && mnl_attr_validate(a, MNL_TYPE_U32) >= 0) {
        f->xdp_program = mnl_attr_get_u32(a);
    }
    return MNL_CB_OK;
}

static int inet6_attr(const struct nlattr *a, void *data)
{
    struct hd_link_facts *f = data;
    const int32_t *conf = mnl_attr_get_payload(a);
    if (mnl_attr_get_type(a) == IFLA_INET6_CONF &&
        mnl_attr_get_payload_len(a) >= (DEVCONF_DISABLE_IPV6 + 1) * sizeof *conf) {
        f->ipv6_off = conf[DEVCONF_DISABLE_IPV6] != 0;
    }
    return MNL_CB_OK;
}

static int inet_attr(const struct nlattr *a, void *data)
{
    struct hd_link_facts *f = data;
    const int32_t *conf = mnl_attr_get_payload(a); /* numbered from 1 */
    if (mnl_attr_get_type(a) == IFLA_INET_CONF &&
        mnl_attr_get_payload_len(a) >= IPV4_DEVCONF_ARP_IGNORE * sizeof *conf) {
        f->arp_announce = (uint8_t)conf[IPV4_DEVCONF_ARP_ANNOUNCE - 1];
        f->arp_ignore = (uint8_t)conf[IPV4_DEVCONF_ARP_IGNORE - 1];
    }
    return MNL_CB_OK;
}

static int af_spec_attr(const struct nlattr *a, void *data)
{
    struct hd_link_facts *f = data;
    if (mnl_attr_get_type(a) == AF_INET6) {
        f->ipv6_off = false;
        mnl_attr_parse_nested(a, inet6_attr, f);
    } else if (mnl_attr_get_type(a) == AF_INET) {
        mnl_attr_parse_nested(a, inet_attr, f);
    }
    return MNL_CB_OK;
}

static int link_attr(const struct nlattr *a, void *data)
{
    struct hd_link_facts *f = data;
    switch (mnl_attr_get_type(a)) {
    case IFLA_IFNAME:
        copy_text(f->name, sizeof f->name, a);
        break;
    case IFLA_IFALIAS:
        copy_text(f->alias, sizeof f->alias, a);
        break;
    case IFLA_LINK:
        f->below = mnl_attr_get_u32(a);
        break;
    case IFLA_MTU:
        f->mtu = mnl_attr_get_u32(a);
        break;
    case IFLA_OPERSTATE:
        f->operstate = mnl_attr_get_u8(a);
        break;
    case IFLA_ADDRESS:
        if (mnl_attr_get_payload_len(a) == sizeof f->mac) {
            memcpy(&f->mac, mnl_attr_get_payload(a), sizeof f->mac);
        }
        break;
    case IFLA_LINKINFO:
        mnl_attr_parse_nested(a, link_info_attr, f);
        break;
    case IFLA_XDP:
        mnl_attr_parse_nested(a, xdp_attr, f);
        break;
    case IFLA_AF_SPEC:
        mnl_attr_parse_nested(a, af_spec_attr, f);
        break;
    case IFLA_PARENT_DEV_NAME:
        f->has_parent = true;
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static void read_link(const struct nlmsghdr *h, const struct hd_rtnl_sink *sink)
{
    const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
    /* A bridge speaks of its ports with its own family: that a port left is not that it is gone. */
    if (sink->link == NULL || i->ifi_family != AF_UNSPEC) {
        return;
    }
    struct hd_link_facts f = {.ifindex = (uint32_t)i->ifi_index,
                              .type = i->ifi_type,
                              .flags = i->ifi_flags,
                              .gone = h->nlmsg_type == RTM_DELLINK,
                              .ipv6_off = true}; /* no inet6 section: no IPv6 on it */
    mnl_attr_parse(h, sizeof *i, link_attr, &f);
    sink->link(sink->user, &f);
}

struct address_parse {
    struct hd_address_facts f;
    uint32_t flags;
};

static int address_attr(const struct nlattr *a, void *data)
{
    struct address_parse *p = data;
    uint16_t type = mnl_attr_get_type(a);
    if ((type == IFA_LOCAL || type == IFA_ADDRESS) &&
        mnl_attr_get_payload_len(a) == sizeof p->f.address) {
        memcpy(&p->f.address, mnl_attr_get_payload(a), sizeof p->f.address);
    } else if (type == IFA_LOCAL && mnl_attr_get_payload_len(a) == 4) {
        p->f.address = (struct hd_ip6){.b = {[10] = 0xff, [11] = 0xff}};
        memcpy(p->f.address.b + 12, mnl_attr_get_payload(a), 4);
    } else if (type == IFA_PROTO && mnl_attr_validate(a, MNL_TYPE_U8) >= 0) {
        p->f.protocol = mnl_attr_get_u8(a);
    } else if (type == IFA_RT_PRIORITY && mnl_attr_validate(a, MNL_TYPE_U32) >= 0) {
        p->f.priority = mnl_attr_get_u32(a);
    } else if (type == IFA_FLAGS && mnl_attr_validate(a, MNL_TYPE_U32) >= 0) {
        p->flags = mnl_attr_get_u32(a);
    }
    return MNL_CB_OK;
}

static void read_address(const struct nlmsghdr *h, const struct hd_rtnl_sink *sink)
{
    const struct ifaddrmsg *i = mnl_nlmsg_get_payload(h);
    bool ip4 = i->ifa_family == AF_INET;
    if (sink->address == NULL || (i->ifa_family != AF_INET6 && !ip4)) {
        return;
    }
    struct address_parse p = {.f = {.ifindex = i->ifa_index,
                                    .len = (uint8_t)(i->ifa_prefixlen + (ip4 ? 96 : 0)),
                                    .gone = h->nlmsg_type == RTM_DELADDR},
                              .flags = i->ifa_flags};
    mnl_attr_parse(h, sizeof *i, address_attr, &p);
    p.f.tentative = ((p.flags & IFA_F_TENTATIVE) != 0 && (p.flags & IFA_F_OPTIMISTIC) == 0) ||
                    (p.flags & IFA_F_DADFAILED) != 0;
    p.f.secondary = ip4 && (p.flags & IFA_F_SECONDARY) != 0;
    sink->address(sink->user, &p.f);
}

static int metric_attr(const struct nlattr *a, void *data)
{
    struct hd_route_facts *f = data;
    if (mnl_attr_get_type(a) == RTAX_MTU && mnl_attr_validate(a, MNL_TYPE_U32) >= 0) {
        f->mtu = mnl_attr_get_u32(a);
    }
    return MNL_CB_OK;
}

static int route_attr(const struct nlattr *a, void *data)
{
    struct hd_route_facts *f = data;
    switch (mnl_attr_get_type(a)) {
    case RTA_DST:
        if (mnl_attr_get_payload_len(a) == sizeof f->to) {
            memcpy(&f->to, mnl_attr_get_payload(a), sizeof f->to);
        }
        break;
    case RTA_OIF:
        f->ifindex = mnl_attr_get_u32(a);
        break;
    case RTA_TABLE:
        f->table = mnl_attr_get_u32(a);
        break;
    case RTA_METRICS:
        mnl_attr_parse_nested(a, metric_attr, f);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static void read_route(const struct nlmsghdr *h, const struct hd_rtnl_sink *sink)
{
    const struct rtmsg *r = mnl_nlmsg_get_payload(h);
    if (sink->route == NULL || (r->rtm_flags & RTM_F_CLONED) != 0) {
        return;
    }
    struct hd_route_facts f = {.family = r->rtm_family,
                               .protocol = r->rtm_protocol,
                               .type = r->rtm_type,
                               .len = r->rtm_dst_len,
                               .table = r->rtm_table,
                               .gone = h->nlmsg_type == RTM_DELROUTE};
    mnl_attr_parse(h, sizeof *r, route_attr, &f);
    sink->route(sink->user, &f);
}

static int on_message(const struct nlmsghdr *h, void *data)
{
    const struct hd_rtnl_sink *sink = data;
    switch (h->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        read_link(h, sink);
        break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        read_address(h, sink);
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        read_route(h, sink);
        break;
    case RTM_DELTFILTER:
    case RTM_DELQDISC:
        if (sink->filter_gone != NULL) {
            const struct tcmsg *t = mnl_nlmsg_get_payload(h);
            sink->filter_gone(sink->user, (uint32_t)t->tcm_ifindex);
        }
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

/* --- sockets -------------------------------------------------------------------------------------
 */

int hd_rtnl_open(struct hd_rtnl *n)
{
    uint32_t groups =
        RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE | RTMGRP_TC;
    memset(n, 0, sizeof *n);
    n->buffer = malloc(BUFFER_BYTES);
    n->requests = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    n->notifications = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (n->buffer == NULL || n->requests == NULL || n->notifications == NULL ||
        mnl_socket_bind(n->requests, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_bind(n->notifications, groups, MNL_SOCKET_AUTOPID) < 0) {
        hd_rtnl_close(n);
        return HD_ESYS;
    }
    return 0;
}

void hd_rtnl_close(struct hd_rtnl *n)
{
    if (n->requests != NULL) {
        mnl_socket_close(n->requests);
    }
    if (n->notifications != NULL) {
        mnl_socket_close(n->notifications);
    }
    free(n->buffer);
    memset(n, 0, sizeof *n);
}

int hd_rtnl_fd(const struct hd_rtnl *n)
{
    return mnl_socket_get_fd(n->notifications);
}

int hd_rtnl_read(struct hd_rtnl *n, const struct hd_rtnl_sink *sink)
{
    bool lost = false;
    for (;;) {
        ssize_t got = mnl_socket_recvfrom(n->notifications, n->buffer, BUFFER_BYTES);
        if (got > 0) {
            mnl_cb_run(n->buffer, (size_t)got, 0, 0, on_message, (void *)(uintptr_t)sink);
        } else if (got < 0 && (errno == ENOBUFS || errno == ENOSPC)) {
            lost = true; /* ENOSPC: libmnl's word for a message larger than the buffer */
        } else {
            return lost ? HD_EAGAIN : 0;
        }
    }
}

/* What is left of an answer, and a dump that stands still, go with their socket. */
static void begin_afresh(struct hd_rtnl *n)
{
    struct mnl_socket *fresh = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (fresh == NULL) {
        return; /* the answer's sequence number tells it from the next one's */
    }
    if (mnl_socket_bind(fresh, 0, MNL_SOCKET_AUTOPID) < 0) {
        mnl_socket_close(fresh);
        return;
    }
    mnl_socket_close(n->requests);
    n->requests = fresh;
}

/* Sends a request and runs through its answers: as hd_rtnl_answer. */
static int exchange(struct hd_rtnl *n, struct nlmsghdr *h, const struct hd_rtnl_sink *sink)
{
    static const struct hd_rtnl_sink nobody;
    uint32_t sequence = ++n->sequence;

    h->nlmsg_seq = sequence;
    if (mnl_socket_sendto(n->requests, h, h->nlmsg_len) < 0) {
        return HD_ESYS;
    }
    int error = hd_rtnl_answer(n->requests, sequence, n->buffer, BUFFER_BYTES, on_message,
                               (void *)(uintptr_t)(sink != NULL ? sink : &nobody));
    if (error == HD_EAGAIN) {
        begin_afresh(n);
    }
    return error;
}

/* The same of a request that is made once: 0 or HD_ESYS. */
static int talk(struct hd_rtnl *n, struct nlmsghdr *h, const struct hd_rtnl_sink *sink)
{
    int error = exchange(n, h, sink);
    if (error == HD_EAGAIN) {
        errno = EAGAIN;
        error = HD_ESYS;
    }
    return error;
}

static struct nlmsghdr *dump_message(struct hd_rtnl *n, enum hd_rtnl_what what)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(n->buffer);
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    if (what == HD_RTNL_LINKS) {
        h->nlmsg_type = RTM_GETLINK;
        struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
        i->ifi_family = AF_UNSPEC;
        mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    } else if (what == HD_RTNL_ADDRESSES || what == HD_RTNL_ADDRESSES4) {
        h->nlmsg_type = RTM_GETADDR;
        struct ifaddrmsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
        i->ifa_family = what == HD_RTNL_ADDRESSES ? AF_INET6 : AF_INET;
    } else {
        h->nlmsg_type = RTM_GETROUTE;
        struct rtmsg *r = mnl_nlmsg_put_extra_header(h, sizeof *r);
        r->rtm_family = what == HD_RTNL_ROUTES6 ? AF_INET6 : AF_INET;
    }
    return h;
}

int hd_rtnl_dump(struct hd_rtnl *n, enum hd_rtnl_what what, const struct hd_rtnl_sink *sink)
{
    int error = HD_EAGAIN;
    for (unsigned i = 1; i < HD_RTNL_TRIES && error == HD_EAGAIN; i++) {
        error = exchange(n, dump_message(n, what), sink);
    }
    return error == HD_EAGAIN ? talk(n, dump_message(n, what), sink) : error;
}

/* --- changes -------------------------------------------------------------------------------------
 */

static struct nlmsghdr *route_message(struct hd_rtnl *n, uint16_t type, uint16_t flags,
                                      const struct hd_ip6 *prefix, uint8_t len, uint32_t ifindex)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(n->buffer);
    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    struct rtmsg *r = mnl_nlmsg_put_extra_header(h, sizeof *r);
    r->rtm_family = AF_INET6;
    r->rtm_dst_len = len;
    r->rtm_table = RT_TABLE_MAIN;
    r->rtm_protocol = HD_ROUTE_PROTOCOL;
    r->rtm_scope = RT_SCOPE_UNIVERSE;
    r->rtm_type = RTN_UNICAST;
    mnl_attr_put(h, RTA_DST, sizeof *prefix, prefix);
    mnl_attr_put_u32(h, RTA_OIF, ifindex);
    return h;
}

int hd_rtnl_route_set(struct hd_rtnl *n, const struct hd_ip6 *prefix, uint8_t len, uint32_t ifindex,
                      uint32_t mtu)
{
    struct nlmsghdr *h =
        route_message(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, prefix, len, ifindex);
    struct nlattr *metrics = mnl_attr_nest_start(h, RTA_METRICS);
    mnl_attr_put_u32(h, RTAX_MTU, mtu);
    mnl_attr_nest_end(h, metrics);
    return talk(n, h, NULL);
}

int hd_rtnl_route_del(struct hd_rtnl *n, const struct hd_ip6 *prefix, uint8_t len, uint32_t ifindex)
{
    int error = talk(n, route_message(n, RTM_DELROUTE, 0, prefix, len, ifindex), NULL);
    return error == HD_ESYS && errno == ESRCH ? HD_ENOENT : error;
}

int hd_rtnl_link_alias(struct hd_rtnl *n, uint32_t ifindex, const char *alias)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(n->buffer);
    h->nlmsg_type = RTM_SETLINK;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
    i->ifi_family = AF_UNSPEC;
    i->ifi_index = (int)ifindex;
    mnl_attr_put_str(h, IFLA_IFALIAS, alias);
    return talk(n, h, NULL);
}

int hd_rtnl_request(struct hd_rtnl *n, struct nlmsghdr *h)
{
    return talk(n, h, NULL);
}

int hd_rtnl_ask(struct hd_rtnl *n, struct nlmsghdr *h, const struct hd_rtnl_sink *sink)
{
    return talk(n, h, sink);
}

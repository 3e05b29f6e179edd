/* SPDX-License-Identifier: Apache-2.0 */
/* See fwd_device.h. */
#include "linux/fwd_device.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>

#include "lib/base.h"
#include "lib/code_points.h"
#include "linux/rtnl_answer.h"

#define BUFFER_SIZE 16384 /* an answer about a link with all its statistics is about 2 KB */

struct request {
    struct nlmsghdr *head;
    char buffer[2048];
};

static int from_errno(void)
{
    switch (errno) {
    case ENODEV:
    case ENOENT:
    case ESRCH:
    case EADDRNOTAVAIL:
        return HD_ENOENT;
    case EEXIST:
        return HD_EEXIST;
    case EPERM:
    case EACCES:
        return HD_EPERM;
    case EOPNOTSUPP:
        return HD_EUNSUPPORTED;
    default:
        return HD_ESYS;
    }
}

static struct nlmsghdr *begin(struct request *r, uint16_t type, uint16_t flags)
{
    memset(r->buffer, 0, sizeof r->buffer);
    r->head = mnl_nlmsg_put_header(r->buffer);
    r->head->nlmsg_type = type;
    r->head->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    r->head->nlmsg_seq = 1;
    return r->head;
}

/* On a socket of its own, which takes with it what would be left of the answer. */
static int ask_once(struct request *r, mnl_cb_t each, void *user)
{
    char buffer[BUFFER_SIZE];
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    int rc = HD_ESYS;

    if (s == NULL)
        return HD_ESYS;
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) >= 0 &&
        mnl_socket_sendto(s, r->head, r->head->nlmsg_len) >= 0)
        rc = hd_rtnl_answer(s, r->head->nlmsg_seq, buffer, sizeof buffer, each, user);
    if (rc == HD_ESYS)
        rc = from_errno();
    int saved = errno;
    mnl_socket_close(s);
    errno = saved;
    return rc;
}

/* Sends the request and hands every answer to `each` (or none): 0 or an error. Of a dump that has
 * to be repeated it hears twice. */
static int ask(struct request *r, mnl_cb_t each, void *user)
{
    bool dump = (r->head->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    int rc = ask_once(r, each, user);

    for (unsigned i = 1; dump && i < HD_RTNL_TRIES && rc == HD_EAGAIN; i++)
        rc = ask_once(r, each, user);
    if (rc == HD_EAGAIN) {
        errno = EAGAIN;
        rc = HD_ESYS;
    }
    return rc;
}

/* --- links --------------------------------------------------------------------------------------
 */

static int read_kind(const struct nlattr *a, void *user)
{
    struct hd_fwd_device *d = user;

    if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
        strncpy(d->kind, mnl_attr_get_str(a), sizeof d->kind - 1);
    return MNL_CB_OK;
}

static int read_link_attribute(const struct nlattr *a, void *user)
{
    struct hd_fwd_device *d = user;

    switch (mnl_attr_get_type(a)) {
    case IFLA_IFNAME:
        strncpy(d->name, mnl_attr_get_str(a), sizeof d->name - 1);
        break;
    case IFLA_IFALIAS:
        strncpy(d->alias, mnl_attr_get_str(a), sizeof d->alias - 1);
        break;
    case IFLA_MTU:
        d->mtu = mnl_attr_get_u32(a);
        break;
    case IFLA_ADDRESS:
        if (mnl_attr_get_payload_len(a) == sizeof d->mac)
            memcpy(&d->mac, mnl_attr_get_payload(a), sizeof d->mac);
        break;
    case IFLA_PARENT_DEV_NAME:
        d->has_parent = true;
        break;
    case IFLA_LINKINFO:
        return mnl_attr_parse_nested(a, read_kind, d);
    default:
        break;
    }
    return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *h, void *user)
{
    const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
    struct hd_fwd_device *d = user;

    if (h->nlmsg_type != RTM_NEWLINK)
        return MNL_CB_OK;
    d->ifindex = (uint32_t)i->ifi_index;
    d->flags = i->ifi_flags;
    d->type = i->ifi_type;
    return mnl_attr_parse(h, sizeof *i, read_link_attribute, d);
}

int hd_fwd_device_get(const char *name, uint32_t ifindex, struct hd_fwd_device *d)
{
    struct request r;
    struct ifinfomsg *i;
    int rc;

    memset(d, 0, sizeof *d);
    i = mnl_nlmsg_put_extra_header(begin(&r, RTM_GETLINK, NLM_F_ACK), sizeof *i);
    if (name != NULL)
        mnl_attr_put_strz(r.head, IFLA_IFNAME, name);
    else
        i->ifi_index = (int)ifindex;
    rc = ask(&r, read_link, d);
    return rc != 0 ? rc : d->ifindex == 0 ? HD_ENOENT : 0;
}

int hd_fwd_device_add(const char *name, const char *kind, const char *peer)
{
    struct nlattr *info, *data, *other;
    struct request r;

    begin(&r, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
    mnl_nlmsg_put_extra_header(r.head, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(r.head, IFLA_IFNAME, name);
    info = mnl_attr_nest_start(r.head, IFLA_LINKINFO);
    mnl_attr_put_strz(r.head, IFLA_INFO_KIND, kind);
    if (peer != NULL) {
        data = mnl_attr_nest_start(r.head, IFLA_INFO_DATA);
        other = mnl_attr_nest_start(r.head, VETH_INFO_PEER);
        mnl_nlmsg_put_extra_header(r.head, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(r.head, IFLA_IFNAME, peer);
        mnl_attr_nest_end(r.head, other);
        mnl_attr_nest_end(r.head, data);
    }
    mnl_attr_nest_end(r.head, info);
    return ask(&r, NULL, NULL);
}

int hd_fwd_device_del(uint32_t ifindex)
{
    struct request r;
    struct ifinfomsg *i;

    i = mnl_nlmsg_put_extra_header(begin(&r, RTM_DELLINK, NLM_F_ACK), sizeof *i);
    i->ifi_index = (int)ifindex;
    return ask(&r, NULL, NULL);
}

/* No link-local address: the device has no link. Must come before it goes up. */
static int no_kernel_address(uint32_t ifindex)
{
    struct nlattr *spec, *family;
    struct ifinfomsg *i;
    struct request r;

    i = mnl_nlmsg_put_extra_header(begin(&r, RTM_SETLINK, NLM_F_ACK), sizeof *i);
    i->ifi_index = (int)ifindex;
    spec = mnl_attr_nest_start(r.head, IFLA_AF_SPEC);
    family = mnl_attr_nest_start(r.head, AF_INET6);
    mnl_attr_put_u8(r.head, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(r.head, family);
    mnl_attr_nest_end(r.head, spec);
    return ask(&r, NULL, NULL);
}

int hd_fwd_device_prepare(uint32_t ifindex, uint32_t mtu, const char *alias)
{
    struct request r;
    struct ifinfomsg *i;
    int rc = no_kernel_address(ifindex);

    if (rc != 0)
        return rc;
    i = mnl_nlmsg_put_extra_header(begin(&r, RTM_NEWLINK, NLM_F_ACK), sizeof *i);
    i->ifi_index = (int)ifindex;
    i->ifi_flags = i->ifi_change = IFF_UP | IFF_NOARP;
    mnl_attr_put_u32(r.head, IFLA_MTU, mtu);
    mnl_attr_put_str(r.head, IFLA_IFALIAS, alias);
    return ask(&r, NULL, NULL);
}

static int set_number(uint32_t ifindex, uint16_t attribute, uint32_t value)
{
    struct request r;
    struct ifinfomsg *i;

    i = mnl_nlmsg_put_extra_header(begin(&r, RTM_NEWLINK, NLM_F_ACK), sizeof *i);
    i->ifi_index = (int)ifindex;
    mnl_attr_put_u32(r.head, attribute, value);
    return ask(&r, NULL, NULL);
}

int hd_fwd_device_mtu(uint32_t ifindex, uint32_t mtu)
{
    return set_number(ifindex, IFLA_MTU, mtu);
}

int hd_fwd_device_queue(uint32_t ifindex, uint32_t packets)
{
    return set_number(ifindex, IFLA_TXQLEN, packets);
}

/* --- addresses -----------------------------------------------------------------------------------
 */

static int address_request(uint16_t type, uint32_t ifindex, uint8_t len, const void *address)
{
    struct request r;
    struct ifaddrmsg *m;
    uint16_t flags = type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0;

    m = mnl_nlmsg_put_extra_header(begin(&r, type, (uint16_t)(NLM_F_ACK | flags)), sizeof *m);
    m->ifa_family = AF_INET6;
    m->ifa_prefixlen = len;
    m->ifa_index = ifindex;
    mnl_attr_put(r.head, IFA_LOCAL, 16, address);
    if (type == RTM_NEWADDR)
        mnl_attr_put_u32(r.head, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
    return ask(&r, NULL, NULL);
}

int hd_fwd_address_add(uint32_t ifindex, const struct hd_ip6 *address)
{
    return address_request(RTM_NEWADDR, ifindex, 128, address->b);
}

struct other_addresses {
    uint32_t ifindex;
    const struct hd_ip6 *keep;
    struct hd_ip6 found[16];
    uint8_t len[16];
    uint32_t count;
};

static int read_address_attribute(const struct nlattr *a, void *user)
{
    struct other_addresses *o = user;

    if (mnl_attr_get_type(a) != IFA_ADDRESS || mnl_attr_get_payload_len(a) != 16 ||
        memcmp(mnl_attr_get_payload(a), o->keep, 16) == 0 || o->count == HD_ARRAY_LEN(o->found))
        return MNL_CB_OK;
    for (uint32_t i = 0; i < o->count; i++)
        if (memcmp(mnl_attr_get_payload(a), &o->found[i], 16) == 0)
            return MNL_CB_OK;
    memcpy(&o->found[o->count++], mnl_attr_get_payload(a), 16);
    return MNL_CB_OK;
}

static int read_address(const struct nlmsghdr *h, void *user)
{
    const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
    struct other_addresses *o = user;
    uint32_t before = o->count;
    int rc;

    if (h->nlmsg_type != RTM_NEWADDR || m->ifa_index != o->ifindex || m->ifa_family != AF_INET6)
        return MNL_CB_OK;
    rc = mnl_attr_parse(h, sizeof *m, read_address_attribute, o);
    if (o->count > before)
        o->len[before] = m->ifa_prefixlen;
    return rc;
}

int hd_fwd_address_only(uint32_t ifindex, const struct hd_ip6 *address)
{
    struct other_addresses o = {.ifindex = ifindex, .keep = address};
    struct ifaddrmsg *m;
    struct request r;
    int rc;

    m = mnl_nlmsg_put_extra_header(begin(&r, RTM_GETADDR, NLM_F_DUMP), sizeof *m);
    m->ifa_family = AF_INET6;
    rc = ask(&r, read_address, &o);
    for (uint32_t i = 0; rc == 0 && i < o.count; i++) {
        rc = address_request(RTM_DELADDR, ifindex, o.len[i], o.found[i].b);
        rc = rc == HD_ENOENT ? 0 : rc; /* gone by itself */
    }
    return rc;
}

/* --- routes
 * --------------------------------------------------------------------------------------- */

static int route_request(uint16_t type, uint16_t prefix, uint32_t ifindex,
                         const struct hd_ip6 *source)
{
    uint16_t flags = type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0;
    uint8_t to[16] = {(uint8_t)(prefix >> 8), (uint8_t)prefix};
    struct request r;
    struct rtmsg *m;

    m = mnl_nlmsg_put_extra_header(begin(&r, type, (uint16_t)(NLM_F_ACK | flags)), sizeof *m);
    m->rtm_family = AF_INET6;
    m->rtm_dst_len = 16;
    m->rtm_table = RT_TABLE_MAIN;
    m->rtm_protocol = HD_ROUTE_PROTOCOL;
    m->rtm_scope = RT_SCOPE_UNIVERSE;
    m->rtm_type = ifindex != 0 ? RTN_UNICAST : RTN_BLACKHOLE;
    mnl_attr_put(r.head, RTA_DST, 16, to);
    if (ifindex != 0)
        mnl_attr_put_u32(r.head, RTA_OIF, ifindex);
    if (source != NULL)
        mnl_attr_put(r.head, RTA_PREFSRC, 16, source->b);
    return ask(&r, NULL, NULL);
}

int hd_fwd_route_set(uint16_t prefix, uint32_t ifindex, const struct hd_ip6 *source)
{
    return route_request(RTM_NEWROUTE, prefix, ifindex, source);
}

int hd_fwd_route_del(uint16_t prefix, uint32_t ifindex)
{
    return route_request(RTM_DELROUTE, prefix, ifindex, NULL);
}

/* --- filters
 * --------------------------------------------------------------------------------------- */

struct filter_search {
    uint16_t priority; /* 0: any */
    int present;
};

static int see_filter(const struct nlmsghdr *h, void *user)
{
    struct filter_search *f = user;
    const struct tcmsg *t = mnl_nlmsg_get_payload(h);

    if (h->nlmsg_type == RTM_NEWTFILTER && (f->priority == 0 || t->tcm_info >> 16 == f->priority))
        f->present = 1;
    return MNL_CB_OK;
}

int hd_fwd_filter_there(uint32_t ifindex, bool egress, uint16_t priority)
{
    struct filter_search f = {.priority = priority};
    struct request r;
    struct tcmsg *t;
    int rc;

    t = mnl_nlmsg_put_extra_header(begin(&r, RTM_GETTFILTER, NLM_F_DUMP), sizeof *t);
    t->tcm_ifindex = (int)ifindex;
    t->tcm_parent = TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
    rc = ask(&r, see_filter, &f);
    return rc != 0 ? rc : f.present;
}

int hd_fwd_filters_present(uint32_t ifindex)
{
    int there = hd_fwd_filter_there(ifindex, false, 0);

    return there == 0 ? hd_fwd_filter_there(ifindex, true, 0) : there;
}

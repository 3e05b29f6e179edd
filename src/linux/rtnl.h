/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink as the system process needs it: dumps and notifications of links, addresses and routes
 * as plain structs, and the few changes of our own. libmnl walks the attributes.
 *
 * (The file is not called netlink.h, because src/ is on the include path and <linux/netlink.h> must
 * stay the kernel's.)
 */
#ifndef HD_LINUX_RTNL_H
#define HD_LINUX_RTNL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "model/core.h"

struct mnl_socket;

#define HD_RTNL_KIND  16
#define HD_RTNL_ALIAS 160

struct hd_link_facts {
    uint32_t ifindex;
    uint32_t below; /* of a macvlan and its like: what it stands on */
    char name[HD_IF_NAME];
    char kind[HD_RTNL_KIND];        /* "veth", "bridge"...; empty for a physical port */
    char master_kind[HD_RTNL_KIND]; /* of the device it is a port of; empty: none */
    char alias[HD_RTNL_ALIAS];
    uint16_t type;  /* ARPHRD_* */
    uint32_t flags; /* IFF_* */
    uint32_t mtu;
    uint32_t xdp_program; /* id of an attached program, 0: none */
    uint8_t operstate;
    bool gone;
    bool has_parent; /* sits on a bus: a physical or virtualised port */
    bool ipv6_off;
    uint8_t arp_ignore, arp_announce; /* as configured for it */
    struct hd_mac mac;
};

struct hd_address_facts {
    uint32_t ifindex;
    struct hd_ip6 address; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t len;           /* IPv4: 96 more than people write */
    uint8_t protocol;      /* who made it; 0: unknown */
    uint32_t priority;     /* of its prefix route; 0: the default */
    bool secondary;        /* IPv4: not the first of its prefix */
    bool tentative;        /* or failed: not to be used */
    bool gone;
};

struct hd_route_facts {
    uint8_t family;
    uint8_t protocol;
    uint8_t type; /* RTN_* */
    uint8_t len;
    uint32_t table;
    uint32_t ifindex; /* 0 for unreachable and multipath routes */
    uint32_t mtu;
    struct hd_ip6 to; /* of IPv6 routes */
    bool gone;
};

/* Whoever listens; a NULL member is not interested. */
struct hd_rtnl_sink {
    void *user;
    void (*link)(void *user, const struct hd_link_facts *f);
    void (*address)(void *user, const struct hd_address_facts *f);
    void (*route)(void *user, const struct hd_route_facts *f);
    void (*filter_gone)(void *user, uint32_t ifindex); /* or a qdisc with its filters */
};

struct hd_rtnl {
    struct mnl_socket *requests;
    struct mnl_socket *notifications;
    uint32_t sequence;
    void *buffer;
};

/* Hears of links, of addresses, of IPv6 routes, and of tc filters: 0 or HD_ESYS. */
HD_MUST_USE int hd_rtnl_open(struct hd_rtnl *n);
void hd_rtnl_close(struct hd_rtnl *n);
int hd_rtnl_fd(const struct hd_rtnl *n);

/*
 * Hands over all pending notifications: 0, or HD_EAGAIN when the kernel had to drop some and a dump
 * is needed.
 */
HD_MUST_USE int hd_rtnl_read(struct hd_rtnl *n, const struct hd_rtnl_sink *sink);

enum hd_rtnl_what {
    HD_RTNL_LINKS,
    HD_RTNL_ADDRESSES, /* IPv6 */
    HD_RTNL_ADDRESSES4,
    HD_RTNL_ROUTES6,
    HD_RTNL_ROUTES4,
};

/*
 * Asks for all objects of a kind: 0 or HD_ESYS. A dump that a change has torn is asked for again:
 * the sink may hear of the same object twice, and of one that is gone again.
 */
HD_MUST_USE int hd_rtnl_dump(struct hd_rtnl *n, enum hd_rtnl_what what,
                             const struct hd_rtnl_sink *sink);

/* Sets (or replaces) a route to a prefix over a device with an MTU: 0 or HD_ESYS. */
HD_MUST_USE int hd_rtnl_route_set(struct hd_rtnl *n, const struct hd_ip6 *prefix, uint8_t len,
                                  uint32_t ifindex, uint32_t mtu);
/* Removes such a route: 0, HD_ENOENT or HD_ESYS. */
HD_MUST_USE int hd_rtnl_route_del(struct hd_rtnl *n, const struct hd_ip6 *prefix, uint8_t len,
                                  uint32_t ifindex);
/* Marks a link with a text for people and for our next start. */
HD_MUST_USE int hd_rtnl_link_alias(struct hd_rtnl *n, uint32_t ifindex, const char *alias);

struct nlmsghdr;
/* Sends a request that was built in n->buffer, and takes its answer: 0, or HD_ESYS with errno. */
HD_MUST_USE int hd_rtnl_request(struct hd_rtnl *n, struct nlmsghdr *h);
/* The same, and hands over what comes back. */
HD_MUST_USE int hd_rtnl_ask(struct hd_rtnl *n, struct nlmsghdr *h, const struct hd_rtnl_sink *sink);

#endif

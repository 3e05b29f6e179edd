/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink as the system process needs it: dumps and notifications of links, addresses and routes as
 * plain structs, and the few changes of our own. libmnl walks the attributes.
 */
#ifndef HD_LINUX_NETLINK_H
#define HD_LINUX_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "model/core.h"

struct mnl_socket;

#define HD_NETLINK_KIND  16
#define HD_NETLINK_ALIAS 160

struct hd_link_facts {
    uint32_t ifindex;
    char name[HD_IF_NAME];
    char kind[HD_NETLINK_KIND];        /* "veth", "bridge"...; empty for a physical port */
    char master_kind[HD_NETLINK_KIND]; /* of the device it is a port of; empty: none */
    char alias[HD_NETLINK_ALIAS];
    uint16_t type; /* ARPHRD_* */
    uint32_t flags; /* IFF_* */
    uint32_t mtu;
    uint32_t xdp_program; /* id of an attached program, 0: none */
    uint8_t operstate;
    bool gone;
    bool has_parent; /* sits on a bus: a physical or virtualised port */
    bool ipv6_off;
    struct hd_mac mac;
};

struct hd_address_facts {
    uint32_t ifindex;
    struct hd_ip6 address;
    uint8_t len;
    bool tentative; /* or failed: not to be used */
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
struct hd_netlink_sink {
    void *user;
    void (*link)(void *user, const struct hd_link_facts *f);
    void (*address)(void *user, const struct hd_address_facts *f);
    void (*route)(void *user, const struct hd_route_facts *f);
};

struct hd_netlink {
    struct mnl_socket *requests;
    struct mnl_socket *notifications;
    uint32_t sequence;
    void *buffer;
};

/* routes: also hear of routes. 0 or HD_ESYS. */
HD_MUST_USE int hd_netlink_open(struct hd_netlink *n, bool routes);
void hd_netlink_close(struct hd_netlink *n);
int hd_netlink_fd(const struct hd_netlink *n);

/*
 * Hands over all pending notifications: 0, or HD_EAGAIN when the kernel had to drop some and a dump is
 * needed.
 */
HD_MUST_USE int hd_netlink_read(struct hd_netlink *n, const struct hd_netlink_sink *sink);

enum hd_netlink_what {
    HD_NETLINK_LINKS,
    HD_NETLINK_ADDRESSES, /* IPv6 */
    HD_NETLINK_ROUTES6,
    HD_NETLINK_ROUTES4,
};

/* Asks for all objects of a kind: 0 or HD_ESYS. */
HD_MUST_USE int hd_netlink_dump(struct hd_netlink *n, enum hd_netlink_what what,
                                const struct hd_netlink_sink *sink);

/* Sets (or replaces) a route to a prefix over a device with an MTU: 0 or HD_ESYS. */
HD_MUST_USE int hd_netlink_route_set(struct hd_netlink *n, const struct hd_ip6 *prefix, uint8_t len,
                                     uint32_t ifindex, uint32_t mtu);
/* Removes such a route: 0, HD_ENOENT or HD_ESYS. */
HD_MUST_USE int hd_netlink_route_del(struct hd_netlink *n, const struct hd_ip6 *prefix, uint8_t len,
                                     uint32_t ifindex);
/* Marks a link with a text for people and for our next start. */
HD_MUST_USE int hd_netlink_link_alias(struct hd_netlink *n, uint32_t ifindex, const char *alias);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual interfaces (model/virtual.h) in the kernel: for each one a macvlan in private mode on its
 * interface, with the virtual MAC. Standby it is down and has no address; active it is up and has
 * them all, without prefix routes and without duplicate address detection, since another router may
 * have had them a moment ago. The interface below keeps silent about them. Without a virtual MAC
 * the addresses are added to the interface itself. What is answered for but not accepted is refused
 * by refuse.h.
 *
 * The kernel is the memory of all of this; whoever dies finds it again. Links are ours by kind and
 * name, which says owner, family, number and interface; their alias says how the interface below
 * was set before, and is put back. Addresses without a link of their own are ours by their protocol
 * number, and the priority of a prefix route that they do not have says whose they are.
 *
 * What others do to them is learnt by looking (a dump), never by news alone: news may be older than
 * what we did ourselves a moment ago. News only say that it is time to look.
 *
 *   virtual.c            the table: what is wanted, what is there, what to do about it
 *   virtual_requests.c   the requests to the kernel
 */
#ifndef HD_LINUX_VIRTUAL_H
#define HD_LINUX_VIRTUAL_H

#include "linux/rtnl.h"
#include "model/virtual.h"

/* What is wanted and what is in the kernel of one. */
struct hd_virtual_link {
    bool used;
    bool asked;    /* `wanted` is wanted; false: found, and nobody has said anything about it yet */
    bool provided; /* prepared by this process */
    bool saved;    /* the two values below are known */
    bool refused;  /* what is not accepted is refused */
    bool own_mac, active;
    uint8_t owner;                    /* core */
    uint8_t arp_ignore, arp_announce; /* of the interface below, before us */
    uint8_t count;                    /* addresses that are there, added by us */
    uint32_t ifindex;                 /* of the macvlan, 0: none */
    struct hd_virtual_value wanted;   /* not asked: the name alone, and the MAC */
    struct hd_ip6 addresses[HD_VIRTUAL_ADDRESSES_MAX];
};

struct hd_virtual_table {
    struct hd_virtual_link *v; /* HD_VIRTUALS_MAX, made with the first */
    uint32_t count;
    struct hd_virtual_link *before; /* while a look goes on: the table as it was, and its count */
    uint32_t before_count;
    bool doubt;          /* news do not fit: look again */
    bool refusals_stale; /* what is refused has to be said again */
};

/* --- looking ------------------------------------------------------------------------------------
 */

/*
 * Around a dump of links, then of the addresses of both families. One that fails has taught
 * nothing: what was known before holds. 0 or HD_ENOMEM (nothing has begun).
 */
HD_MUST_USE int hd_virtual_look_begin(struct hd_virtual_table *t);
void hd_virtual_look_end(struct hd_virtual_table *t);
void hd_virtual_look_failed(struct hd_virtual_table *t);
/* For each that is found: true when it is one of ours. */
bool hd_virtual_found(struct hd_virtual_table *t, const struct hd_link_facts *f);
bool hd_virtual_address(struct hd_virtual_table *t, const struct hd_address_facts *f);

/* News: the same, but nothing is learnt; `doubt` is set when they do not fit. */
bool hd_virtual_link_news(struct hd_virtual_table *t, const struct hd_link_facts *f);
bool hd_virtual_address_news(struct hd_virtual_table *t, const struct hd_address_facts *f);

/* --- changing -----------------------------------------------------------------------------------
 */

/* Makes it so: 0, or an hd_error; then it is tried again by hd_virtual_repair. */
HD_MUST_USE int hd_virtual_set(struct hd_virtual_table *t, struct hd_rtnl *n, uint8_t owner,
                               const struct hd_virtual_value *v);
/* Removes it with all that belongs to it. */
void hd_virtual_del(struct hd_virtual_table *t, struct hd_rtnl *n, uint8_t owner,
                    const struct hd_virtual_value *v);
/* Does again what is wanted and not there (any more): how many that were. */
uint32_t hd_virtual_repair(struct hd_virtual_table *t, struct hd_rtnl *n);
/* Says what is refused, if that has changed; after any number of changes. 0 or an hd_error. */
HD_MUST_USE int hd_virtual_settle(struct hd_virtual_table *t);
/* Removes all. */
void hd_virtual_del_all(struct hd_virtual_table *t, struct hd_rtnl *n);

/* The entry of this name, NULL when there is none. */
struct hd_virtual_link *hd_virtual_find(struct hd_virtual_table *t, uint8_t owner, uint32_t ifindex,
                                        uint8_t family, uint8_t number);
/* What a router that comes new should take for installed. */
void hd_virtual_value_of(const struct hd_virtual_link *l, struct hd_virtual_value *v);

#endif

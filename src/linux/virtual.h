/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual interfaces (model/virtual.h) in the kernel: for each one a macvlan in private mode on its
 * interface, with the virtual MAC. Standby it is down and has no address; active it is up and has
 * them all, without prefix routes and without duplicate address detection, since another router may
 * have had them a moment ago. The interface below keeps silent about them. Without a virtual MAC
 * the addresses are added to the interface itself.
 *
 * Everything of ours can be told from what others made: links by kind, name and MAC, addresses by
 * their protocol number. So a table that was lost is found again in the kernel.
 */
#ifndef HD_LINUX_VIRTUAL_H
#define HD_LINUX_VIRTUAL_H

#include "linux/rtnl.h"
#include "model/virtual.h"

#define HD_VIRTUAL_ALIAS "heddle virtual"

/* What is in the kernel of one. */
struct hd_virtual_link {
    bool used;
    struct hd_virtual_value v; /* realised; active: what of it is there */
    uint32_t ifindex;          /* of the macvlan, 0: none */
};

struct hd_virtual_table {
    struct hd_virtual_link *v; /* HD_VIRTUALS_MAX, made with the first */
    uint32_t count;
};

/* Learns what is there already: after the links, for each of them. True when it is one of ours. */
bool hd_virtual_found(struct hd_virtual_table *t, const struct hd_link_facts *f);
/* Then the addresses: true when it is one of ours. */
bool hd_virtual_address(struct hd_virtual_table *t, const struct hd_address_facts *f);

/* Makes it so: 0, or an hd_error and nothing more than before is there. */
HD_MUST_USE int hd_virtual_set(struct hd_virtual_table *t, struct hd_rtnl *n,
                               const struct hd_virtual_value *v);
/* Removes it with all that belongs to it. */
void hd_virtual_del(struct hd_virtual_table *t, struct hd_rtnl *n,
                    const struct hd_virtual_value *v);
/* The entry of this name, NULL when there is none. */
struct hd_virtual_link *hd_virtual_find(struct hd_virtual_table *t, uint32_t ifindex,
                                        uint8_t family, uint8_t number);
/* Removes all. */
void hd_virtual_del_all(struct hd_virtual_table *t, struct hd_rtnl *n);
void hd_virtual_free(struct hd_virtual_table *t);

#endif

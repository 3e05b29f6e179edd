/* SPDX-License-Identifier: Apache-2.0 */
/* What virtual.c (the table) needs of virtual_requests.c (the kernel). */
#ifndef HD_LINUX_VIRTUAL_INTERNAL_H
#define HD_LINUX_VIRTUAL_INTERNAL_H

#include "linux/virtual.h"

#define HD_VIRTUAL_ALIAS "heddle virtual, below arp_ignore=%u arp_announce=%u"

/* Owner, family, number of a name; false: not one of ours. */
bool hd_virtual_name_read(const char *name, uint8_t *owner, uint8_t *family, uint8_t *number);
/* The same of the priority of an address without a link of its own. */
bool hd_virtual_mark_read(uint32_t mark, uint8_t *owner, uint8_t *family, uint8_t *number);

/* The macvlan is there, silent, and the interface below keeps silent for it: 0 or HD_ESYS. */
HD_MUST_USE int hd_virtual_link_provide(struct hd_rtnl *n, struct hd_virtual_link *l);
void hd_virtual_link_del(struct hd_rtnl *n, const struct hd_virtual_link *l);
HD_MUST_USE int hd_virtual_link_up(struct hd_rtnl *n, const struct hd_virtual_link *l, bool up);
/* How the interface is set now: false when there is none. */
bool hd_virtual_arp_read(struct hd_rtnl *n, uint32_t ifindex, uint8_t *ignore, uint8_t *announce);
/* Puts the interface below back, if it is still as we set it. */
void hd_virtual_arp_back(struct hd_rtnl *n, const struct hd_virtual_link *l);

/* 0; HD_EEXIST: it was there, and is somebody else's; HD_ESYS. */
HD_MUST_USE int hd_virtual_address_add(struct hd_rtnl *n, const struct hd_virtual_link *l,
                                       const struct hd_ip6 *a);
void hd_virtual_address_del(struct hd_rtnl *n, const struct hd_virtual_link *l,
                            const struct hd_ip6 *a);

#endif

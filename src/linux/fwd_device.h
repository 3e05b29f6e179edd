/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small rtnetlink requests of the forwarding set-up: make, change and remove the device kira0, its
 * address and its routes. Each call opens a socket, asks, reads the answer; all are rare. Errors
 * are HD_ENOENT, HD_EEXIST, HD_EPERM, HD_EUNSUPPORTED (the kernel lacks the kind) or HD_ESYS with
 * errno.
 */
#ifndef HD_LINUX_FWD_DEVICE_H
#define HD_LINUX_FWD_DEVICE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

#define HD_FWD_PEER  "kira1"  /* the other end, where kira0 has to be a veth */
#define HD_FWD_ALIAS "heddle" /* begins the alias of every device that is ours */

struct hd_fwd_device {
    uint32_t ifindex;
    uint32_t mtu;
    uint32_t flags; /* IFF_* */
    uint16_t type;  /* ARPHRD_* */
    struct hd_mac mac;
    char name[IFNAMSIZ];
    char kind[16]; /* "veth"...; empty: no virtual device */
    char alias[64];
    bool has_parent; /* sits on a bus: a real or virtualised NIC */
};

/* By name, or by ifindex where name is NULL. */
HD_MUST_USE int hd_fwd_device_get(const char *name, uint32_t ifindex, struct hd_fwd_device *d);
/* Makes a device of a kind; a veth gets `peer` as its other end (else NULL). */
HD_MUST_USE int hd_fwd_device_add(const char *name, const char *kind, const char *peer);
HD_MUST_USE int hd_fwd_device_del(uint32_t ifindex);
/* Up, without neighbour discovery, without an address of the kernel's choice, marked as ours. */
HD_MUST_USE int hd_fwd_device_prepare(uint32_t ifindex, uint32_t mtu, const char *alias);
HD_MUST_USE int hd_fwd_device_mtu(uint32_t ifindex, uint32_t mtu);
/* How many packets may wait in it. */
HD_MUST_USE int hd_fwd_device_queue(uint32_t ifindex, uint32_t packets);

HD_MUST_USE int hd_fwd_address_add(uint32_t ifindex, const struct hd_ip6 *address);
/* Removes all IPv6 addresses of a device but this one. */
HD_MUST_USE int hd_fwd_address_only(uint32_t ifindex, const struct hd_ip6 *address);

/* A route of ours to a 16-bit prefix over a device, or a black hole where ifindex is 0. */
HD_MUST_USE int hd_fwd_route_set(uint16_t prefix, uint32_t ifindex, const struct hd_ip6 *source);
HD_MUST_USE int hd_fwd_route_del(uint16_t prefix, uint32_t ifindex);

/* Whether tc filters hang on the clsact qdisc of a device: 1, 0 or an error. */
HD_MUST_USE int hd_fwd_filters_present(uint32_t ifindex);
/* The same for one direction and the filters of one priority. */
HD_MUST_USE int hd_fwd_filter_there(uint32_t ifindex, bool egress, uint16_t priority);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does an egress device have a carrier? Asked of the kernel's own device, per packet: no message
 * and no process stands between the cable that goes and the packet that takes another way
 * (forwarding-on-linux.md, section 6).
 *
 * From the packet's device to its namespace, to the namespace's table of devices by index, along
 * one chain of it. Only reads; what they meet is checked by the kernel as it is read. What is not
 * found within the bound counts as alive: on machines with thousands of interfaces the router is
 * told by netlink, as everywhere where the kernel is too old for this (before 6.2). There the
 * loader clears hd_reads_carrier, and the verifier never sees these functions.
 */
#ifndef HD_BPF_CARRIER_H
#define HD_BPF_CARRIER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define DEVICE_CHAINS 256 /* NETDEV_HASHENTRIES */
#define DEVICE_STEPS  8   /* along a chain */

const volatile bool hd_reads_carrier = true;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct hlist_node {
    struct hlist_node *next;
};
struct hlist_head {
    struct hlist_node *first;
};
struct net {
    struct hlist_head *dev_index_head;
};
typedef struct {
    struct net *net;
} possible_net_t;
struct net_device {
    unsigned long state;
    int ifindex;
    struct hlist_node index_hlist;
    possible_net_t nd_net;
};
struct sk_buff {
    struct net_device *dev;
};
struct xdp_rxq_info {
    struct net_device *dev;
};
struct xdp_buff {
    struct xdp_rxq_info *rxq;
};
#pragma clang attribute pop

enum netdev_state_t {
    __LINK_STATE_START,
    __LINK_STATE_PRESENT,
    __LINK_STATE_NOCARRIER,
};

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;
extern void *bpf_rdonly_cast(const void *from, __u32 type) __ksym __weak;

/* A device of the same namespace; NULL when it is not found within the bound. */
static __always_inline struct net_device *find_device(struct net_device *near, __u32 ifindex)
{
    struct net *net = near->nd_net.net;
    __u64 heads = (__u64)net->dev_index_head;
    struct hlist_head *head =
        bpf_rdonly_cast((void *)(heads + (ifindex & (DEVICE_CHAINS - 1)) * sizeof *head),
                        bpf_core_type_id_kernel(struct hlist_head));
    __u64 node = (__u64)head->first;

    for (int i = 0; i < DEVICE_STEPS && node; i++) {
        struct net_device *dev =
            bpf_rdonly_cast((void *)(node - bpf_core_field_offset(struct net_device, index_hlist)),
                            bpf_core_type_id_kernel(struct net_device));
        if ((__u32)dev->ifindex == ifindex)
            return dev;
        node = (__u64)dev->index_hlist.next;
    }
    return NULL;
}

static __always_inline bool has_carrier(struct net_device *near, __u32 ifindex)
{
    const struct net_device *dev = find_device(near, ifindex);
    unsigned long start = 1UL << bpf_core_enum_value(enum netdev_state_t, __LINK_STATE_START);
    unsigned long lost = 1UL << bpf_core_enum_value(enum netdev_state_t, __LINK_STATE_NOCARRIER);

    return !dev || (dev->state & (start | lost)) == start;
}

static __always_inline bool tc_has_carrier(struct __sk_buff *ctx, __u32 ifindex)
{
    const struct sk_buff *skb;

    if (!hd_reads_carrier)
        return true;
    skb = bpf_cast_to_kern_ctx(ctx);
    return has_carrier(skb->dev, ifindex);
}

static __always_inline bool xdp_has_carrier(struct xdp_md *ctx, __u32 ifindex)
{
    const struct xdp_buff *xdp;

    if (!hd_reads_carrier)
        return true;
    xdp = bpf_cast_to_kern_ctx(ctx);
    return has_carrier(xdp->rxq->dev, ifindex);
}

#endif

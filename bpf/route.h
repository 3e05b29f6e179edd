/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a packet goes: the node trie, adjacencies and their interfaces. Values are copied out of
 * the maps at once: an element that user space replaces meanwhile may be reused for another key.
 */
#ifndef HD_BPF_ROUTE_H
#define HD_BPF_ROUTE_H

#include "report.h"

#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG     2
#define ICMP6_TIME        3

struct egress {
    __u32 ifindex, mtu, adj;
    bool down;
    __u8 to[ETH_ALEN], from[ETH_ALEN];
};

/* Fills *out: false when the adjacency or its interface is not (or no longer) known. */
static __always_inline bool find_egress(__u32 adj, struct egress *out)
{
    const struct hd_bpf_adj *a = bpf_map_lookup_elem(&hd_adjs, &adj);
    const struct hd_bpf_if *i;
    __u32 ifindex;

    if (!a || !a->ifindex)
        return false;
    ifindex = a->ifindex;
    out->adj = adj;
    out->ifindex = ifindex;
    out->down = a->flags & HD_BPF_ADJ_DOWN;
    __builtin_memcpy(out->to, a->mac, ETH_ALEN);
    i = bpf_map_lookup_elem(&hd_ifs, &ifindex);
    if (!i || !(i->flags & HD_BPF_IF_USED))
        return false;
    out->mtu = i->mtu;
    __builtin_memcpy(out->from, i->mac, ETH_ALEN);
    return true;
}

static __always_inline bool find_node(const void *to, struct hd_bpf_node *out)
{
    struct hd_bpf_node_key key = {.prefix_len = 128};
    const struct hd_bpf_node *n;

    copy_address(key.prefix, to);
    n = bpf_map_lookup_elem(&hd_nodes, &key);
    if (n)
        *out = *n;
    return n;
}

/* The largest packet that may take this route, without an outer header. */
static __always_inline __u32 route_mtu(const struct hd_bpf_node *n, const struct egress *out)
{
    __u32 mtu = n->act == HD_BPF_NODE_ENCAP ? out->mtu - HD_BPF_ENCAP_LEN : out->mtu;

    if (n->mtu && n->mtu < mtu)
        mtu = n->mtu;
    return mtu < HD_BPF_MTU_MIN ? HD_BPF_MTU_MIN : mtu;
}

/*
 * The part that packets entering at kira0 and packets at an overlay hop have in common: `n` leads
 * on to somebody else, the packet's IPv6 header is at `offset`, `len` its length on the wire. 0
 * when it may go, else the verdict.
 */
static __always_inline int check_onward(struct __sk_buff *skb, __u32 offset, __u32 len,
                                        const struct hd_bpf_node *n, struct egress *out)
{
    struct report r = {.kind = HD_BPF_EV_ICMP};

    if (!find_egress(n->adj, out))
        return drop(HD_BPF_DROP_NO_EGRESS);
    if (out->down) {
        r.kind = HD_BPF_EV_EGRESS_DEAD;
        r.adj = n->adj;
        r.own_label = true;
        copy_address(r.label, n->label);
        return refuse(skb, offset, HD_BPF_DROP_EGRESS_DEAD, &r);
    }
    r.value = route_mtu(n, out);
    if (len > r.value) {
        r.icmp_type = ICMP6_TOO_BIG;
        return refuse(skb, offset, HD_BPF_DROP_TOO_BIG, &r);
    }
    return 0;
}

#endif

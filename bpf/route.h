/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a packet goes: the node trie, adjacencies and their interfaces. Values are copied out of
 * the maps at once: an element that user space replaces meanwhile may be reused for another key.
 */
#ifndef HD_BPF_ROUTE_H
#define HD_BPF_ROUTE_H

#include "carrier.h"
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
static __always_inline bool find_egress(struct __sk_buff *skb, __u32 adj, struct egress *out)
{
    const struct hd_bpf_adj *a = bpf_map_lookup_elem(&hd_adjs, &adj);
    const struct hd_bpf_if *i;
    __u32 ifindex;

    if (!a || !a->ifindex)
        return false;
    ifindex = a->ifindex;
    out->adj = adj;
    out->ifindex = ifindex;
    out->down = a->flags & HD_BPF_ADJ_DOWN || !tc_has_carrier(skb, ifindex);
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

/* --- repair --------------------------------------------------------------------------------------
 */

static __always_inline bool is_none(const void *address)
{
    struct address a;

    copy_address(&a, address);
    return !(a.w[0] | a.w[1] | a.w[2] | a.w[3]);
}

static __always_inline bool is_repaired(const struct ipv6hdr *ip)
{
    return ((const __u8 *)ip)[1] & HD_BPF_MARK;
}

static __always_inline void mark_repaired(struct ipv6hdr *ip, bool repaired)
{
    __u8 *second = (__u8 *)ip + 1;

    *second = (__u8)(repaired ? *second | HD_BPF_MARK : *second & ~HD_BPF_MARK);
}

/* How a packet leaves: under which label, and with which outer source (of ours, or a carry). */
struct leaving {
    struct egress out;
    bool encap, repaired;
    struct address label, source;
};

/* Takes a way if it leads to an egress that lives. */
static __noinline bool take_way(struct __sk_buff *skb, __u32 way, const __u8 then[16],
                                struct leaving *l)
{
    const struct hd_bpf_way *w = way ? bpf_map_lookup_elem(&hd_ways, &way) : NULL;

    if (!l || !then || !w || !w->adj || !(is_none(then) || is_none(w->then)) ||
        !find_egress(skb, w->adj, &l->out) || l->out.down)
        return false;
    copy_address(&l->label, w->out);
    if (!is_none(then))
        copy_address(&l->source, then);
    else if (!is_none(w->then))
        copy_address(&l->source, w->then);
    l->repaired = l->encap = true;
    return true;
}

/*
 * The way round `adj`: the entry's own, with what it carries; else that of the adjacency, which
 * leads to the next node and carries the label that the packet would have had there (NULL: it has
 * none, so there is only the first).
 */
static __noinline bool go_round(struct __sk_buff *skb, __u32 adj, __u32 way, const __u8 then[16],
                                struct leaving *l)
{
    const struct hd_bpf_adj *a;
    struct address next;

    if (!l || !then)
        return false;
    copy_address(&next, &l->label);
    if (take_way(skb, way, then, l))
        return true;
    a = bpf_map_lookup_elem(&hd_adjs, &adj);
    return a && l->encap && take_way(skb, a->way, (const __u8 *)&next, l);
}

/* The largest packet that may leave so, without an outer header. */
static __always_inline __u32 onward_mtu(const struct hd_bpf_node *n, const struct leaving *l)
{
    __u32 mtu = l->encap ? l->out.mtu - HD_BPF_ENCAP_LEN : l->out.mtu;

    if (n->mtu && n->mtu < mtu)
        mtu = n->mtu;
    return mtu < HD_BPF_MTU_MIN ? HD_BPF_MTU_MIN : mtu;
}

/*
 * The part that packets entering at kira0 and packets at an overlay hop have in common: `n` leads
 * on to somebody else, the packet's IPv6 header is at `offset`, `len` its length on the wire. 0
 * when it may leave as *l says, else the verdict. An overlay hop is nearer to the destination than
 * the one before, so a packet that was repaired on the way may be repaired again.
 */
static __always_inline int check_onward(struct __sk_buff *skb, __u32 offset, __u32 len,
                                        const struct hd_bpf_config *cfg,
                                        const struct hd_bpf_node *n, struct leaving *l)
{
    struct report r = {.kind = HD_BPF_EV_ICMP};

    l->encap = n->act == HD_BPF_NODE_ENCAP;
    l->repaired = false;
    copy_address(&l->label, n->label);
    copy_address(&l->source, cfg->own);
    if (!find_egress(skb, n->adj, &l->out))
        return drop(HD_BPF_DROP_NO_EGRESS);
    if (l->out.down) {
        r.adj = n->adj;
        r.own_label = true;
        copy_address(r.label, n->label);
        r.kind = HD_BPF_EV_EGRESS_DEAD;
        if (!go_round(skb, n->adj, n->way, n->then, l))
            return refuse(skb, offset, HD_BPF_DROP_EGRESS_DEAD, &r);
        r.kind = HD_BPF_EV_REPAIRED;
        report_packet(skb, offset, &r);
        count(HD_BPF_REPAIRED);
        r.kind = HD_BPF_EV_ICMP;
    }
    r.value = onward_mtu(n, l);
    if (len > r.value) {
        r.icmp_type = ICMP6_TOO_BIG;
        return refuse(skb, offset, HD_BPF_DROP_TOO_BIG, &r);
    }
    return 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tc egress of kira0: everything that the kernel routes into the fabric, from local sockets and
 * from hosts behind this node, comes by here, finds its node entry, and leaves over a link: plain
 * to a neighbour, with an outer IPv6 and GRE header to anybody farther (kira.md 7.1,
 * forwarding-on-linux.md 2.3). Nothing ever leaves through kira0 itself.
 *
 * adjust_room gets FIXED_GSO, without which UDP_SEGMENT packets die, and NO_CSUM_RESET, so that
 * inner checksums stay offloaded all the way. It refuses ENCAP flags for a packet that was
 * encapsulated before on this machine (a VXLAN of the user's, say): such packets get their header
 * without them.
 */
#include "route.h"

#define ROOM_FLAGS  (BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET)
#define ENCAP_FLAGS (ROOM_FLAGS | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 | BPF_F_ADJ_ROOM_ENCAP_L4_GRE)

static __always_inline int send_direct(struct __sk_buff *skb, const struct egress *out)
{
    void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

    if (data + L2_LEN > end)
        return drop(HD_BPF_DROP_FAILED);
    write_macs(data, out->to, out->from);
    count(HD_BPF_DIRECT);
    return (int)bpf_redirect(out->ifindex, 0);
}

static __always_inline int send_encapsulated(struct __sk_buff *skb, const struct leaving *l,
                                             __u8 class, __u16 inner_len)
{
    __u32 flow = bpf_get_hash_recalc(skb) & HD_BPF_FLOW_MASK;
    struct encap_headers *h;
    void *data, *end;
    __be32 first;

    if (bpf_skb_adjust_room(skb, HD_BPF_ENCAP_LEN, BPF_ADJ_ROOM_MAC, ENCAP_FLAGS) < 0 &&
        bpf_skb_adjust_room(skb, HD_BPF_ENCAP_LEN, BPF_ADJ_ROOM_MAC, ROOM_FLAGS) < 0)
        return drop(HD_BPF_DROP_FAILED);
    data = (void *)(long)skb->data;
    end = (void *)(long)skb->data_end;
    h = data;
    if (data + OUTER_LEN > end)
        return drop(HD_BPF_DROP_FAILED);
    first = bpf_htonl(6u << 28 | (__u32) class << 20 | flow);
    __builtin_memcpy(&h->ip, &first, sizeof first);
    h->ip.payload_len = bpf_htons(inner_len + 4);
    h->ip.nexthdr = IPPROTO_GRE;
    h->ip.hop_limit = HD_BPF_HOP_LIMIT;
    copy_address(&h->ip.saddr, &l->source);
    copy_address(&h->ip.daddr, &l->label);
    mark_repaired(&h->ip, l->repaired);
    h->gre = bpf_htonl(HD_BPF_GRE_IPV6);
    write_macs(&h->eth, l->out.to, l->out.from);
    h->eth.h_proto = bpf_htons(ETH_P_IPV6);
    count(HD_BPF_ENCAPSULATED);
    return (int)bpf_redirect(l->out.ifindex, 0);
}

/* No entry leads on: an error for the sender, and a report when that may be news to the router. */
static __always_inline int no_way(struct __sk_buff *skb, bool known)
{
    struct report r = {.kind = known ? HD_BPF_EV_ICMP : HD_BPF_EV_NO_ROUTE,
                       .icmp_type = ICMP6_UNREACHABLE};

    return refuse(skb, L2_LEN, known ? HD_BPF_DROP_UNREACHABLE : HD_BPF_DROP_NO_ROUTE, &r);
}

static __always_inline int route(struct __sk_buff *skb, const struct hd_bpf_config *cfg,
                                 const struct ipv6hdr *ip)
{
    __u32 len = wire_len(skb, L2_LEN, ip->nexthdr);
    struct leaving l = {};
    struct hd_bpf_node n;
    int verdict;

    if (!find_node(&ip->daddr, &n))
        return no_way(skb, false);
    if (n.act == HD_BPF_NODE_UNREACHABLE)
        return no_way(skb, true);
    /* The kernel holds our addresses as local: this one went away, and would come back here. */
    if (n.act == HD_BPF_NODE_LOCAL)
        return drop(HD_BPF_DROP_NOT_OURS);
    verdict = check_onward(skb, L2_LEN, len, cfg, &n, &l);
    if (verdict)
        return verdict;
    note_flow(&ip->daddr, n.adj);
    if (!l.encap)
        return send_direct(skb, &l.out);
    return send_encapsulated(skb, &l, traffic_class(ip), (__u16)(skb->len - L2_LEN));
}

SEC("tc")
int hd_kira0(struct __sk_buff *skb)
{
    const struct hd_bpf_config *cfg = config();
    struct plain_headers h;

    if (!cfg || skb->protocol != bpf_htons(ETH_P_IPV6))
        return TC_ACT_SHOT;
    /* A copy: what follows changes the packet, and pointers into it would have to be made anew. */
    if (bpf_skb_load_bytes(skb, 0, &h, sizeof h) < 0)
        return drop(HD_BPF_DROP_MALFORMED);
    /* Multicast and link-local have no meaning here: the kernel's own chatter. */
    if (is_multicast(&h.ip.daddr) || is_link_local(&h.ip.daddr))
        return TC_ACT_SHOT;
    return route(skb, cfg, &h.ip);
}

char _license[] SEC("license") = "Dual BSD/GPL";

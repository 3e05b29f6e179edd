/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tc ingress of every KIRA link (forwarding-on-linux.md, 3). In this order:
 *
 *   admission   what bears a node or label prefix in its source or destination must come from a MAC
 *               that the router admitted on this link; everything else of that kind dies here
 *   label       swap and go on, round the egress when that is dead; or the path ends: deliver, or
 *               change the outer header in place where the packet goes on over another path
 *               (overlay hop), or put the label back that the packet carried on its way round
 *   plain       one-hop traffic for our own address goes up through kira0, so that sockets and
 *               reverse-path filters see one interface only
 *   control     KIRA's own datagrams and fragments are policed, echo requests reflected (control.h)
 *
 * Plain packets for *another* node's address are dropped: a neighbour sends plain packets only to
 * that very neighbour, so this is a route on its way out or a lie, and forwarding it by the trie
 * could circle for ever since nobody has to lower the hop limit of a plain packet. Plain packets
 * for foreign prefixes are for the hosts behind us and go to the kernel's routing.
 *
 * What is passed on gets TC_ACT_UNSPEC: filters of others behind ours see it.
 */
#include "control.h"
#include "route.h"

#define POP_FLAGS (BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET)

/* Up through kira0; a foreign destination MAC would count as another host's packet. */
static __always_inline int deliver(struct __sk_buff *skb, const struct hd_bpf_config *cfg)
{
    __u8 mac[ETH_ALEN];

    __builtin_memcpy(mac, cfg->kira0_mac, ETH_ALEN);
    if (bpf_skb_store_bytes(skb, 0, mac, sizeof mac, 0) < 0)
        return drop(HD_BPF_DROP_FAILED);
    count(HD_BPF_DELIVERED);
    return (int)bpf_redirect(cfg->kira0_ifindex, BPF_F_INGRESS);
}

/* What the end of a path has to know of the headers; a copy of them would fill the stack. */
struct encap {
    struct address to; /* of the inner header */
    __u8 outer_class, inner_class, inner_second;
    __u8 hop_limit, next_header; /* inner */
};

static __noinline bool read_encap(struct __sk_buff *skb, struct encap *e)
{
    struct encap_headers h;

    if (!e || bpf_skb_load_bytes(skb, 0, &h, sizeof h) < 0 || h.ip.nexthdr != IPPROTO_GRE ||
        h.gre != bpf_htonl(HD_BPF_GRE_IPV6) || *(__u8 *)&h.inner >> 4 != 6)
        return false;
    copy_address(&e->to, &h.inner.daddr);
    e->outer_class = traffic_class(&h.ip);
    e->inner_class = traffic_class(&h.inner);
    e->inner_second = ((const __u8 *)&h.inner)[1];
    e->hop_limit = h.inner.hop_limit;
    e->next_header = h.inner.nexthdr;
    return true;
}

/* Removes the outer header, moving congestion marks inwards: 0, or the verdict. */
static __always_inline int pop(struct __sk_buff *skb, const struct encap *e)
{
    int ecn = ecn_after_removal(e->outer_class, e->inner_class);
    __u8 second;

    if (ecn < 0)
        return drop(HD_BPF_DROP_ECN);
    if (bpf_skb_adjust_room(skb, -HD_BPF_ENCAP_LEN, BPF_ADJ_ROOM_MAC, POP_FLAGS) < 0)
        return drop(HD_BPF_DROP_FAILED);
    if (ecn == (e->inner_class & 3))
        return 0;
    /* Two bits of the class are in the high half of the second byte, above the flow label. */
    second = (__u8)((e->inner_second & 0xcf) | ecn << 4);
    if (bpf_skb_store_bytes(skb, L2_LEN + 1, &second, 1, BPF_F_RECOMPUTE_CSUM) < 0)
        return drop(HD_BPF_DROP_FAILED);
    return 0;
}

static __always_inline int pop_and_deliver(struct __sk_buff *skb, const struct hd_bpf_config *cfg,
                                           const struct encap *e)
{
    int verdict = pop(skb, e);

    return verdict ? verdict : deliver(skb, cfg);
}

/* For our own address, where KIRA's own socket is. */
static __always_inline int end_here(struct __sk_buff *skb, const struct hd_bpf_config *cfg,
                                    const struct encap *e)
{
    if (!may_enter(skb, INNER_LEN, e->next_header))
        return drop(HD_BPF_DROP_POLICED);
    return pop_and_deliver(skb, cfg, e);
}

/* The next node is the packet's destination: plain from here on. */
static __always_inline int onward_direct(struct __sk_buff *skb, const struct encap *e,
                                         const struct egress *out)
{
    int verdict = pop(skb, e);
    void *data, *end;

    if (verdict)
        return verdict;
    if (bpf_skb_pull_data(skb, PLAIN_LEN) < 0)
        return drop(HD_BPF_DROP_FAILED);
    data = (void *)(long)skb->data;
    end = (void *)(long)skb->data_end;
    if (data + PLAIN_LEN > end)
        return drop(HD_BPF_DROP_FAILED);
    ((struct plain_headers *)data)->ip.hop_limit--;
    write_macs(data, out->to, out->from);
    count(HD_BPF_OVERLAY);
    return (int)bpf_redirect(out->ifindex, 0);
}

/* Overlay hop: same size, same segments, a new outer header in the place of the old one. */
static __always_inline int onward_in_place(struct __sk_buff *skb, const struct leaving *l)
{
    void *data, *end;
    struct encap_headers *p;

    if (bpf_skb_pull_data(skb, INNER_LEN) < 0)
        return drop(HD_BPF_DROP_FAILED);
    data = (void *)(long)skb->data;
    end = (void *)(long)skb->data_end;
    p = data;
    if (data + INNER_LEN > end)
        return drop(HD_BPF_DROP_FAILED);
    copy_address(&p->ip.saddr, &l->source);
    copy_address(&p->ip.daddr, &l->label);
    mark_repaired(&p->ip, l->repaired);
    p->ip.hop_limit = HD_BPF_HOP_LIMIT;
    p->inner.hop_limit--;
    write_macs(&p->eth, l->out.to, l->out.from);
    count(HD_BPF_OVERLAY);
    return (int)bpf_redirect(l->out.ifindex, 0);
}

static __always_inline int no_way(struct __sk_buff *skb, bool known)
{
    struct report r = {.kind = known ? HD_BPF_EV_ICMP : HD_BPF_EV_NO_ROUTE,
                       .icmp_type = ICMP6_UNREACHABLE};

    return refuse(skb, OUTER_LEN, known ? HD_BPF_DROP_UNREACHABLE : HD_BPF_DROP_NO_ROUTE, &r);
}

/* The path ended here, and the packet is for somebody else whom we know. */
static __always_inline int onward(struct __sk_buff *skb, const struct hd_bpf_config *cfg,
                                  const struct encap *e, const struct hd_bpf_node *n)
{
    struct report late = {.kind = HD_BPF_EV_ICMP, .icmp_type = ICMP6_TIME};
    struct leaving l = {};
    __u32 len;
    int verdict;

    if (e->hop_limit <= 1)
        return refuse(skb, OUTER_LEN, HD_BPF_DROP_HOP_LIMIT, &late);
    len = wire_len(skb, OUTER_LEN, e->next_header) - HD_BPF_ENCAP_LEN;
    verdict = check_onward(skb, OUTER_LEN, len, cfg, n, &l);
    if (verdict)
        return verdict;
    note_flow(&e->to, n->adj);
    if (!l.encap)
        return onward_direct(skb, e, &l.out);
    return onward_in_place(skb, &l);
}

/* Not inlined, nor is read_encap: all frames of a program share 512 bytes. */
static __noinline int path_end(struct __sk_buff *skb)
{
    const struct hd_bpf_config *cfg = config();
    struct encap e = {};
    const struct in6_addr *to = (const struct in6_addr *)&e.to;
    struct hd_bpf_node n;
    __be16 prefix;

    if (!cfg || !read_encap(skb, &e))
        return drop(HD_BPF_DROP_MALFORMED);
    if (same_address(to, cfg->own))
        return end_here(skb, cfg, &e);
    prefix = prefix_of(to);
    /* A header within a header: nobody makes that. */
    if (prefix == cfg->label_prefix || is_multicast(to) || is_link_local(to))
        return drop(HD_BPF_DROP_MALFORMED);
    if (!find_node(to, &n))
        return prefix == cfg->node_prefix ? no_way(skb, false) : pop_and_deliver(skb, cfg, &e);
    if (n.act == HD_BPF_NODE_LOCAL)
        return end_here(skb, cfg, &e);
    if (n.act == HD_BPF_NODE_UNREACHABLE)
        return no_way(skb, true);
    return onward(skb, cfg, &e, &n);
}

/* A labelled packet that a hop cannot pass on. The report is made only here: it costs the others
 * nothing. */
static __noinline int swap_refused(struct __sk_buff *skb, __u32 counter, __u32 icmp_type,
                                   __u32 value)
{
    struct report r = {.kind = HD_BPF_EV_ICMP, .icmp_type = (__u8)icmp_type};

    if (counter == HD_BPF_DROP_EGRESS_DEAD || counter == HD_BPF_DROP_REPAIRED) {
        r.kind = HD_BPF_EV_EGRESS_DEAD;
        r.adj = value;
    } else if (counter == HD_BPF_DROP_LABEL_UNKNOWN) {
        r.kind = HD_BPF_EV_LABEL_UNKNOWN;
    } else {
        r.value = value;
    }
    return refuse(skb, L2_LEN, counter, &r);
}

static __always_inline struct plain_headers *linear(struct __sk_buff *skb)
{
    void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

    return data + PLAIN_LEN <= end ? data : NULL;
}

/* Length on the wire of a labelled packet, or of one segment of it. */
static __always_inline __u32 wire_len_within(struct __sk_buff *skb)
{
    __u8 inner_next = 0;

    if (skb->gso_size)
        bpf_skb_load_bytes(skb, OUTER_LEN + offsetof(struct ipv6hdr, nexthdr), &inner_next, 1);
    return wire_len(skb, OUTER_LEN, inner_next);
}

/* The egress is dead: the way round it, once in a packet's life. */
static __noinline int swap_round(struct __sk_buff *skb, const struct hd_bpf_label *l)
{
    struct report r = {.kind = HD_BPF_EV_REPAIRED};
    struct leaving way = {.encap = true};
    struct plain_headers *h = linear(skb);
    struct address source;

    if (!l || !h)
        return drop(HD_BPF_DROP_FAILED);
    if (is_repaired(&h->ip))
        return swap_refused(skb, HD_BPF_DROP_REPAIRED, 0, l->adj);
    copy_address(&source, &h->ip.saddr);
    copy_address(&way.label, l->out);
    copy_address(&way.source, &source);
    if (!go_round(skb, l->adj, l->way, l->then, &way))
        return swap_refused(skb, HD_BPF_DROP_EGRESS_DEAD, 0, l->adj);
    if (wire_len_within(skb) > way.out.mtu)
        return swap_refused(skb, HD_BPF_DROP_TOO_BIG, ICMP6_TOO_BIG, way.out.mtu);
    r.adj = l->adj;
    report_packet(skb, L2_LEN, &r);
    h = linear(skb);
    if (!h)
        return drop(HD_BPF_DROP_FAILED);
    copy_address(&h->ip.saddr, &way.source);
    copy_address(&h->ip.daddr, &way.label);
    mark_repaired(&h->ip, true);
    h->ip.hop_limit--;
    write_macs(&h->eth, way.out.to, way.out.from);
    count(HD_BPF_REPAIRED);
    return (int)bpf_redirect(way.out.ifindex, 0);
}

/*
 * `h` lies in the packet itself. It may be written to: whoever else holds a clone of the packet has
 * got a copy of the header before the program began (the verifier adds that to every program that
 * writes).
 */
static __always_inline int swap(struct __sk_buff *skb, struct plain_headers *h,
                                const struct hd_bpf_label *l)
{
    struct egress out = {};

    if (h->ip.hop_limit <= 1)
        return swap_refused(skb, HD_BPF_DROP_HOP_LIMIT, ICMP6_TIME, 0);
    if (!find_egress(skb, l->adj, &out))
        return drop(HD_BPF_DROP_NO_EGRESS);
    if (out.down)
        return swap_round(skb, l);
    if (wire_len_within(skb) > out.mtu)
        return swap_refused(skb, HD_BPF_DROP_TOO_BIG, ICMP6_TOO_BIG, out.mtu);
    copy_address(&h->ip.daddr, l->out);
    h->ip.hop_limit--;
    write_macs(&h->eth, out.to, out.from);
    count(HD_BPF_SWAPPED);
    return (int)bpf_redirect(out.ifindex, 0);
}

static __always_inline int label(struct __sk_buff *skb, const struct hd_bpf_config *cfg,
                                 struct plain_headers *h)
{
    const struct hd_bpf_label *found;
    struct hd_bpf_label l;

    found = bpf_map_lookup_elem(&hd_labels, &h->ip.daddr); /* the label as an address is the key */
    /* A way round ends here: the packet goes on under the label that it carried. Once: the source
     * is no label after that. */
    if (found && found->act == HD_BPF_LABEL_DECAP && prefix_of(&h->ip.saddr) == cfg->label_prefix) {
        copy_address(&h->ip.daddr, &h->ip.saddr);
        copy_address(&h->ip.saddr, cfg->own);
        count(HD_BPF_RESTORED);
        found = bpf_map_lookup_elem(&hd_labels, &h->ip.daddr);
    }
    if (!found)
        return swap_refused(skb, HD_BPF_DROP_LABEL_UNKNOWN, ICMP6_UNREACHABLE, 0);
    l = *found;
    if (l.act == HD_BPF_LABEL_SWAP)
        return swap(skb, h, &l);
    return path_end(skb);
}

static __always_inline int plain(struct __sk_buff *skb, const struct hd_bpf_config *cfg,
                                 const struct plain_headers *h)
{
    if (same_address(&h->ip.daddr, cfg->own))
        return may_enter(skb, UDP_OFFSET, h->ip.nexthdr) ? deliver(skb, cfg)
                                                         : drop(HD_BPF_DROP_POLICED);
    if (is_control(skb, &h->ip) && !police(skb, h->eth.h_source, true))
        return drop(HD_BPF_DROP_POLICED);
    if (is_multicast(&h->ip.daddr) || is_link_local(&h->ip.daddr))
        return TC_ACT_UNSPEC;
    if (prefix_of(&h->ip.daddr) == cfg->node_prefix)
        return drop(HD_BPF_DROP_NOT_OURS);
    return deliver(skb, cfg);
}

/* Bears one of our prefixes. */
static __always_inline int fabric(struct __sk_buff *skb, const struct hd_bpf_config *cfg,
                                  struct plain_headers *h)
{
    if (!is_admitted(skb, h->eth.h_source))
        return drop(HD_BPF_DROP_NOT_ADMITTED);
    /* A flooding switch shows us the packets of others: forwarding them would double them. */
    if (skb->pkt_type == PACKET_OTHERHOST)
        return TC_ACT_UNSPEC;
    if (skb->pkt_type != PACKET_HOST && !is_multicast(&h->ip.daddr))
        return drop(HD_BPF_DROP_MALFORMED);
    if (prefix_of(&h->ip.daddr) == cfg->label_prefix)
        return label(skb, cfg, h);
    if (prefix_of(&h->ip.saddr) == cfg->label_prefix)
        return drop(HD_BPF_DROP_MALFORMED);
    return plain(skb, cfg, h);
}

static __always_inline bool has_our_prefix(const struct hd_bpf_config *cfg,
                                           const struct ipv6hdr *ip)
{
    __be16 to = prefix_of(&ip->daddr), from = prefix_of(&ip->saddr);

    return to == cfg->label_prefix || to == cfg->node_prefix || from == cfg->label_prefix ||
           from == cfg->node_prefix;
}

/* False for all traffic that is none of ours. A VLAN's frames are its own device's. */
static __always_inline bool is_ipv6_frame(const struct __sk_buff *skb)
{
    return skb->protocol == bpf_htons(ETH_P_IPV6) && !skb->vlan_present && skb->len >= PLAIN_LEN;
}

/* The headers up to the first IPv6 header, where they are; NULL when the kernel has no memory. */
static __always_inline struct plain_headers *headers(struct __sk_buff *skb)
{
    struct plain_headers *h = linear(skb);

    if (h)
        return h;
    return bpf_skb_pull_data(skb, PLAIN_LEN) == 0 ? linear(skb) : NULL;
}

SEC("tc")
int hd_link(struct __sk_buff *skb)
{
    const struct hd_bpf_config *cfg = config();
    struct plain_headers *h, copy;

    if (!cfg || !is_ipv6_frame(skb))
        return TC_ACT_UNSPEC;
    h = headers(skb);
    if (!h)
        return drop(HD_BPF_DROP_FAILED); /* unseen, it must not pass */
    if (has_our_prefix(cfg, &h->ip))
        return fabric(skb, cfg, h);
    copy = *h; /* the echo changes the packet */
    return control(skb, &copy);
}

/* tc ingress of interfaces that are no KIRA links: our prefixes have no business there. */
SEC("tc")
int hd_guard(struct __sk_buff *skb)
{
    const struct hd_bpf_config *cfg = config();
    const struct plain_headers *h;

    if (!cfg || !is_ipv6_frame(skb))
        return TC_ACT_UNSPEC;
    h = headers(skb);
    if (!h)
        return drop(HD_BPF_DROP_FAILED);
    if (has_our_prefix(cfg, &h->ip))
        return drop(HD_BPF_DROP_GUARD);
    return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual BSD/GPL";

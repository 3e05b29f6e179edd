/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Control traffic on a link: who may send how much of it, and the echo that answers without user
 * space.
 *
 * A neighbour's liveness must not depend on whether its router process gets the CPU in time, so its
 * data plane returns the 16-byte echo of KIRA (src/core/kira/wire.h) itself, and lets the request
 * pass up as well. Floods end here: each (interface, source MAC) has a token bucket, and all
 * sources that are not admitted share one more. What comes over the fabric has buckets of its own:
 * anybody on any node may send it, and it shall not cost the last hop its control traffic.
 */
#ifndef HD_BPF_CONTROL_H
#define HD_BPF_CONTROL_H

#include "report.h"

#define ECHO_LEN     16
#define ECHO_REQUEST 0xec01 /* magic and type */
#define ECHO_REPLY   0xec02
#define UDP_OFFSET   PLAIN_LEN
#define ECHO_OFFSET  (UDP_OFFSET + 8)

static __always_inline void source_key(struct hd_bpf_source *key, __u32 ifindex, const __u8 *mac)
{
    __builtin_memset(key, 0, sizeof *key);
    key->ifindex = ifindex;
    if (mac)
        __builtin_memcpy(key->mac, mac, ETH_ALEN);
}

static __always_inline bool is_admitted(struct __sk_buff *skb, const __u8 *mac)
{
    struct hd_bpf_source key;

    source_key(&key, skb->ifindex, mac);
    return bpf_map_lookup_elem(&hd_admitted, &key);
}

/* True when this control packet may go on. */
static __always_inline bool police(struct __sk_buff *skb, const __u8 *mac, bool admitted)
{
    __u64 now = bpf_ktime_get_ns();
    struct hd_bpf_source key;

    source_key(&key, skb->ifindex, mac);
    if (!conforms(&hd_buckets, &key, HD_BPF_POLICE_RATE, HD_BPF_POLICE_BURST, now))
        return false;
    if (admitted)
        return true;
    source_key(&key, skb->ifindex, NULL);
    return conforms(&hd_buckets, &key, HD_BPF_STRANGERS_RATE, HD_BPF_STRANGERS_BURST, now);
}

/*
 * KIRA's port; or a fragment or extension header, behind which it could hide. (For node addresses
 * only the port: their fragments are users' data.)
 */
static __always_inline bool is_control(struct __sk_buff *skb, const struct ipv6hdr *ip)
{
    __be16 port = 0;

    if (ip->nexthdr == IPPROTO_UDP) {
        bpf_skb_load_bytes(skb, UDP_OFFSET + offsetof(struct udphdr, dest), &port, sizeof port);
        return port == bpf_htons(HD_BPF_KIRA_PORT);
    }
    if (!is_link_local(&ip->daddr) && !is_multicast(&ip->daddr))
        return false;
    return ip->nexthdr == IPPROTO_FRAGMENT || ip->nexthdr == IPPROTO_HOPOPTS ||
           ip->nexthdr == IPPROTO_ROUTING || ip->nexthdr == IPPROTO_DSTOPTS;
}

/*
 * True when a packet for our own address may go on, of which `next` begins at `offset`. KIRA's
 * notices are small: whatever else has its port is nobody's who keeps to the protocol.
 */
static __noinline bool may_enter(struct __sk_buff *skb, __u32 offset, __u8 next)
{
    bool whole = !skb->gso_size;
    struct hd_bpf_source key;
    __u8 mac[ETH_ALEN];
    __be16 port = 0;
    __u8 f[8]; /* a fragment header: next, reserved, offset and flags, number */

    if (next == IPPROTO_FRAGMENT) {
        if (bpf_skb_load_bytes(skb, offset, f, sizeof f) < 0 || f[2] || f[3] & 0xf8)
            return true; /* without its first part no packet is whole */
        next = f[0];
        offset += sizeof f;
        whole = false;
    }
    if (next != IPPROTO_UDP ||
        bpf_skb_load_bytes(skb, offset + offsetof(struct udphdr, dest), &port, sizeof port) < 0 ||
        port != bpf_htons(HD_BPF_KIRA_PORT))
        return true;
    if (!whole || bpf_skb_load_bytes(skb, ETH_ALEN, mac, sizeof mac) < 0)
        return false;
    source_key(&key, skb->ifindex, mac);
    key.routed = 1;
    return conforms(&hd_buckets, &key, HD_BPF_ROUTED_RATE, HD_BPF_ROUTED_BURST, bpf_ktime_get_ns());
}

/*
 * Turns request into reply or back: addresses, ports, MACs swapped, the type changed. Swaps leave
 * the checksum as it is; l4_csum_replace corrects it for the type, and knows about sums that
 * hardware is still to complete.
 */
static __always_inline int turn_echo(struct __sk_buff *skb, const struct plain_headers *h,
                                     __be16 sport, __be16 dport, __u16 from_type, __u16 to_type)
{
    struct plain_headers n = *h;
    __be16 ports[2] = {dport, sport};
    __u8 type = (__u8)to_type;

    write_macs(&n.eth, h->eth.h_source, h->eth.h_dest);
    copy_address(&n.ip.saddr, &h->ip.daddr);
    copy_address(&n.ip.daddr, &h->ip.saddr);
    if (bpf_skb_store_bytes(skb, 0, &n, sizeof n, 0) < 0 ||
        bpf_skb_store_bytes(skb, UDP_OFFSET, ports, sizeof ports, 0) < 0 ||
        bpf_l4_csum_replace(skb, UDP_OFFSET + offsetof(struct udphdr, check), bpf_htons(from_type),
                            bpf_htons(to_type), BPF_F_MARK_MANGLED_0 | sizeof type * 2) < 0 ||
        bpf_skb_store_bytes(skb, ECHO_OFFSET + 1, &type, sizeof type, BPF_F_RECOMPUTE_CSUM) < 0)
        return -1;
    return 0;
}

/* Sends the reply as a clone and puts the request back as it was: false when that went wrong. */
static __always_inline bool reflect(struct __sk_buff *skb, const struct plain_headers *h)
{
    struct plain_headers turned = *h;
    struct udphdr udp;
    __be16 type = 0;

    if (bpf_skb_load_bytes(skb, UDP_OFFSET, &udp, sizeof udp) < 0 ||
        udp.len != bpf_htons(sizeof udp + ECHO_LEN) ||
        bpf_skb_load_bytes(skb, ECHO_OFFSET, &type, sizeof type) < 0 ||
        type != bpf_htons(ECHO_REQUEST))
        return true;
    if (turn_echo(skb, h, udp.source, udp.dest, ECHO_REQUEST, ECHO_REPLY) < 0)
        return false;
    if (bpf_clone_redirect(skb, skb->ifindex, 0) == 0)
        count(HD_BPF_REFLECTED);
    write_macs(&turned.eth, h->eth.h_source, h->eth.h_dest);
    copy_address(&turned.ip.saddr, &h->ip.daddr);
    copy_address(&turned.ip.daddr, &h->ip.saddr);
    return turn_echo(skb, &turned, udp.dest, udp.source, ECHO_REPLY, ECHO_REQUEST) == 0;
}

/* Traffic that bears none of our prefixes. Not inlined: a program's stack is small. */
static __noinline int control(struct __sk_buff *skb, const struct plain_headers *h)
{
    if (!h || !is_control(skb, &h->ip))
        return TC_ACT_UNSPEC;
    if (!police(skb, h->eth.h_source, is_admitted(skb, h->eth.h_source)))
        return drop(HD_BPF_DROP_POLICED);
    if (h->ip.nexthdr == IPPROTO_UDP && is_link_local(&h->ip.daddr) &&
        is_link_local(&h->ip.saddr) && skb->pkt_type == PACKET_HOST && !reflect(skb, h))
        return drop(HD_BPF_DROP_FAILED);
    return TC_ACT_UNSPEC;
}

#endif

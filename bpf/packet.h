/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets: headers, comparisons and copies of addresses, lengths. Everything is inlined and knows
 * nothing of maps.
 */
#ifndef HD_BPF_PACKET_H
#define HD_BPF_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "shared/hd_bpf.h"

#define L2_LEN    14
#define IP6_LEN   40
#define PLAIN_LEN (L2_LEN + IP6_LEN)                    /* up to the end of the first IPv6 header */
#define OUTER_LEN (L2_LEN + HD_BPF_ENCAP_LEN)           /* up to the inner IPv6 header */
#define INNER_LEN (L2_LEN + HD_BPF_ENCAP_LEN + IP6_LEN) /* up to its end */

struct plain_headers {
    struct ethhdr eth;
    struct ipv6hdr ip;
} __attribute__((packed, aligned(2)));

struct encap_headers {
    struct ethhdr eth;
    struct ipv6hdr ip;
    __be32 gre;
    struct ipv6hdr inner;
} __attribute__((packed, aligned(2)));

struct address {
    __u32 w[4];
};

static __always_inline void copy_address(void *to, const void *from)
{
    __builtin_memcpy(to, from, sizeof(struct address));
}

static __always_inline bool same_address(const void *a, const void *b)
{
    struct address x, y;

    copy_address(&x, a);
    copy_address(&y, b);
    return !((x.w[0] ^ y.w[0]) | (x.w[1] ^ y.w[1]) | (x.w[2] ^ y.w[2]) | (x.w[3] ^ y.w[3]));
}

static __always_inline __be16 prefix_of(const struct in6_addr *a)
{
    __be16 p;

    __builtin_memcpy(&p, a, sizeof p);
    return p;
}

static __always_inline bool is_multicast(const struct in6_addr *a)
{
    return *(const __u8 *)a == 0xff;
}

static __always_inline bool is_link_local(const struct in6_addr *a)
{
    return (prefix_of(a) & bpf_htons(0xffc0)) == bpf_htons(0xfe80);
}

/* Traffic class: four bits in each of the first two bytes. */
static __always_inline __u8 traffic_class(const struct ipv6hdr *ip)
{
    const __u8 *b = (const __u8 *)ip;

    return (__u8)(b[0] << 4 | b[1] >> 4);
}

static __always_inline void write_macs(struct ethhdr *eth, const __u8 *to, const __u8 *from)
{
    __builtin_memcpy(eth->h_dest, to, ETH_ALEN);
    __builtin_memcpy(eth->h_source, from, ETH_ALEN);
}

/*
 * RFC 6040, figure 4: the inner ECN field after removal of the outer header; -1 when the packet
 * must be dropped (congestion was marked, and the transport could not be told).
 */
static __always_inline int ecn_after_removal(__u8 outer, __u8 inner)
{
    outer &= 3;
    inner &= 3;
    if (outer == 3)
        return inner ? 3 : -1;
    if (outer == 1 && inner == 2)
        return 1;
    return inner;
}

/*
 * Length of the IPv6 packet at `ip_offset` of a frame as it will be on the wire: of one segment
 * when the frame is a super-packet, whose transport header follows the IPv6 header `last_ip` bytes
 * on.
 */
static __always_inline __u32 wire_len(struct __sk_buff *skb, __u32 last_ip, __u8 next_header)
{
    __u8 data_offset = 0;
    __u32 transport = sizeof(struct udphdr);

    if (skb->gso_size == 0)
        return skb->len - L2_LEN;
    if (next_header == IPPROTO_TCP) {
        if (bpf_skb_load_bytes(skb, last_ip + IP6_LEN + 12, &data_offset, 1) < 0)
            return skb->len - L2_LEN;
        transport = (__u32)(data_offset >> 4) * 4;
    }
    return last_ip - L2_LEN + IP6_LEN + transport + skb->gso_size;
}

#endif

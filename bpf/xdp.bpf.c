/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Native XDP on real NICs: the plain label swap and nothing else, at a quarter of the cost
 * (forwarding-on-linux.md, 3.3). Whatever is not the common case goes up unchanged to tc on the
 * same interface (link.bpf.c), which knows all cases, makes the reports and counts the drops.
 */
#include "carrier.h"
#include "maps.h"
#include "packet.h"

/* Pinned by the loader: the kernel adds a flag to device maps, which libbpf then takes for a
 * mismatch. */
struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
    __uint(max_entries, HD_BPF_IFS_MAX);
    __type(key, __u32);
    __type(value, __u32);
} hd_devs SEC(".maps");

static __always_inline bool same_mac(const __u8 *a, const __u8 *b)
{
    return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) |
             (a[5] ^ b[5]));
}

/* For us, from somebody who may: what tc asks of pkt_type and `admitted`. */
static __always_inline bool welcome(__u32 ifindex, const struct ethhdr *eth)
{
    const struct hd_bpf_if *in = bpf_map_lookup_elem(&hd_ifs, &ifindex);
    struct hd_bpf_source key = {.ifindex = ifindex};

    __builtin_memcpy(key.mac, eth->h_source, ETH_ALEN);
    return in && same_mac(in->mac, eth->h_dest) && bpf_map_lookup_elem(&hd_admitted, &key);
}

static __always_inline int swap(struct xdp_md *ctx, struct plain_headers *h, __u32 len)
{
    const struct hd_bpf_label *l;
    const struct hd_bpf_adj *a;
    const struct hd_bpf_if *out;
    struct hd_bpf_label_key key;
    __u32 adj, ifindex;

    copy_address(key.label, &h->ip.daddr);
    l = bpf_map_lookup_elem(&hd_labels, &key);
    if (!l || l->act != HD_BPF_LABEL_SWAP)
        return XDP_PASS;
    adj = l->adj;
    a = bpf_map_lookup_elem(&hd_adjs, &adj);
    if (!a || a->flags & HD_BPF_ADJ_DOWN)
        return XDP_PASS;
    ifindex = a->ifindex;
    out = bpf_map_lookup_elem(&hd_ifs, &ifindex);
    if (!out ||
        (out->flags & (HD_BPF_IF_USED | HD_BPF_IF_XDP)) != (HD_BPF_IF_USED | HD_BPF_IF_XDP) ||
        len > out->mtu + L2_LEN || !xdp_has_carrier(ctx, ifindex))
        return XDP_PASS;
    if (bpf_redirect_map(&hd_devs, ifindex, XDP_PASS) != XDP_REDIRECT)
        return XDP_PASS;
    copy_address(&h->ip.daddr, l->out);
    h->ip.hop_limit--;
    write_macs(&h->eth, a->mac, out->mac);
    count(HD_BPF_SWAPPED_XDP);
    return XDP_REDIRECT;
}

SEC("xdp")
int hd_xdp(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    const struct hd_bpf_config *cfg = config();
    struct plain_headers *h = data;

    if (!cfg || data + PLAIN_LEN > end || h->eth.h_proto != bpf_htons(ETH_P_IPV6) ||
        prefix_of(&h->ip.daddr) != cfg->label_prefix || h->ip.hop_limit <= 1 ||
        !welcome(ctx->ingress_ifindex, &h->eth))
        return XDP_PASS;
    return swap(ctx, h, (__u32)(end - data));
}

char _license[] SEC("license") = "Dual BSD/GPL";

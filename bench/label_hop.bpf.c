/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two helpers of label_hop.c: `inject` writes the same headers over each live frame, since the
 * pages come back as the program under test left them, and hands it to that program or to the
 * kernel; `sink` counts what arrives behind the hop and drops it.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct headers {
    unsigned char bytes[56];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct headers);
} template SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} arrived SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} tested SEC(".maps");

SEC("xdp")
int inject(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    __u32 zero = 0;
    const struct headers *h = bpf_map_lookup_elem(&template, &zero);

    if (!h || data + sizeof *h > end)
        return XDP_ABORTED;
    __builtin_memcpy(data, h, sizeof *h);
    bpf_tail_call(ctx, &tested, 0);
    return XDP_PASS; /* the slot is empty: what is tested is behind XDP */
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
    __u32 zero = 0;
    __u64 *n = bpf_map_lookup_elem(&arrived, &zero);

    if (n)
        *n += 1;
    return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space hears of: flows, unknown labels, dead egresses, packets that deserve an ICMPv6
 * error. Nothing a packet does can make more events than the limits in shared/hd_bpf.h.
 *
 * All limits are one 64-bit word, the theoretical arrival time of the generic cell rate algorithm
 * (ITU-T I.371): it cannot be seen torn, and racing CPUs lose at most a packet's worth of accuracy.
 */
#ifndef HD_BPF_REPORT_H
#define HD_BPF_REPORT_H

#include "maps.h"
#include "packet.h"

/* True when one more is within rate (per second) and burst. */
static __always_inline bool conforms(void *map, const void *key, __u32 rate, __u32 burst, __u64 now)
{
    __u64 cost = 1000000000ULL / rate, credit = cost * burst, fresh, at;
    __u64 *arrival = bpf_map_lookup_elem(map, key);

    if (!arrival) {
        fresh = now - credit + cost;
        bpf_map_update_elem(map, key, &fresh, BPF_ANY);
        return true;
    }
    at = *(volatile __u64 *)arrival;
    if ((__s64)(now - credit - at) > 0)
        at = now - credit;
    if ((__s64)(at + cost - now) > 0)
        return false;
    *(volatile __u64 *)arrival = at + cost;
    return true;
}

/* One more of all of its kind, whatever they are about. */
static __always_inline bool kind_allowed(__u32 kind, __u64 now)
{
    struct hd_bpf_limit_key key = {.kind = kind};

    return conforms(&hd_limits, &key, HD_BPF_EVENT_ALL_RATE, HD_BPF_EVENT_ALL_BURST, now);
}

static __always_inline bool event_allowed(__u32 kind, const void *about, const void *source)
{
    struct hd_bpf_limit_key key = {.kind = kind};
    __u64 now = bpf_ktime_get_ns();

    copy_address(key.about, about);
    copy_address(key.source, source);
    return conforms(&hd_limits, &key, HD_BPF_EVENT_RATE, HD_BPF_EVENT_BURST, now) &&
           kind_allowed(kind, now);
}

/* What an event says beside the packet. */
struct report {
    __u8 kind, icmp_type, icmp_code;
    bool own_label; /* `label` is ours; otherwise the packet's destination is the label */
    __u32 adj, value;
    __u8 label[16];
};

/*
 * Puts an event about the IPv6 packet at `offset` on the ring. Its source and destination are those
 * of that header: for a labelled packet the encapsulating node and the label.
 */
static __noinline void report_packet(struct __sk_buff *skb, __u32 offset, const struct report *r)
{
    const struct hd_bpf_config *cfg = config();
    struct hd_bpf_event *e;
    struct ipv6hdr ip;
    __u32 len, kind;

    if (!r || !cfg || bpf_skb_load_bytes(skb, offset, &ip, sizeof ip) < 0)
        return;
    /* Different errors about one label do not silence each other. */
    kind = (__u32)r->kind << 16 | (__u32)r->icmp_type << 8 | r->icmp_code;
    if (!event_allowed(kind, &ip.daddr, &ip.saddr))
        return;
    e = bpf_ringbuf_reserve(&hd_events, sizeof *e, 0);
    if (!e) {
        count(HD_BPF_EVENTS_LOST);
        return;
    }
    __builtin_memset(e, 0, sizeof *e);
    e->kind = r->kind;
    /* On its way round a packet carries a label where its sender should be: nobody is told. */
    if (prefix_of(&ip.saddr) != cfg->label_prefix)
        e->icmp_type = r->icmp_type;
    e->icmp_code = r->icmp_code;
    e->ifindex = skb->ifindex;
    e->adj = r->adj;
    e->value = r->value;
    copy_address(e->to, &ip.daddr);
    copy_address(e->source, &ip.saddr);
    copy_address(e->label, r->own_label ? r->label : (const __u8 *)&ip.daddr);
    len = skb->len - offset;
    if (len > HD_BPF_PACKET_MAX)
        len = HD_BPF_PACKET_MAX;
    asm volatile(""
                 : "+r"(len)); /* or the compiler drops the mask that the verifier wants to see */
    len &= 0xff;
    if (len >= IP6_LEN && len <= HD_BPF_PACKET_MAX &&
        bpf_skb_load_bytes(skb, offset, e->packet, len) == 0)
        e->packet_len = (__u8)len;
    else
        e->icmp_type = 0;
    bpf_ringbuf_submit(e, 0);
}

/*
 * A flow is due to be told. What there is no room for, in the limits or on the ring, is not noted
 * as told either: its next packet tries again. New flows and known ones have a share each, so that
 * somebody who writes to one invented destination after the other silences no flow that lasts.
 */
static __noinline void tell_flow(const struct hd_bpf_label_key *to, __u32 adj, __u64 now)
{
    struct hd_bpf_flow *flow, fresh = {.reported_ns = now};
    struct hd_bpf_event *e;
    __u64 packets = 1;

    if (!to)
        return;
    flow = bpf_map_lookup_elem(&hd_flows, to);
    if (!kind_allowed(HD_BPF_EV_FLOW << 16 | (flow ? 1 : 0), now))
        return;
    e = bpf_ringbuf_reserve(&hd_events, offsetof(struct hd_bpf_event, packet), 0);
    if (!e) {
        count(HD_BPF_EVENTS_LOST);
        return;
    }
    if (flow) {
        flow->reported_ns = now;
        packets = flow->packets;
        flow->packets = 0;
    } else {
        bpf_map_update_elem(&hd_flows, to, &fresh, BPF_ANY);
    }
    __builtin_memset(e, 0, offsetof(struct hd_bpf_event, packet));
    e->kind = HD_BPF_EV_FLOW;
    e->adj = adj;
    e->packets = packets;
    copy_address(e->to, to->label);
    bpf_ringbuf_submit(e, 0);
}

/* Counts a packet to a destination: the first is reported at once, then a sum every eight seconds.
 */
static __always_inline void note_flow(const void *to, __u32 adj)
{
    __u64 now = bpf_ktime_get_ns();
    struct hd_bpf_label_key key;
    struct hd_bpf_flow *flow;

    copy_address(key.label, to);
    flow = bpf_map_lookup_elem(&hd_flows, &key);
    if (flow) {
        __sync_fetch_and_add(&flow->packets, 1);
        if (now - flow->reported_ns < HD_BPF_FLOW_EVERY_NS)
            return;
    }
    tell_flow(&key, adj, now);
}

static __always_inline int drop(__u32 counter)
{
    count(counter);
    return TC_ACT_SHOT;
}

/* Drops, with an ICMPv6 error about the packet at `offset` where user space has room for one. */
static __always_inline int refuse(struct __sk_buff *skb, __u32 offset, __u32 counter,
                                  const struct report *r)
{
    report_packet(skb, offset, r);
    return drop(counter);
}

#endif

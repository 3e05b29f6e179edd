/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the eBPF programs and the user space that feeds them agree upon: keys and values of the
 * maps, records of the event ring, counters, limits. forwarding-on-linux.md, section 5.
 *
 * Included by bpf/ (compiled for the bpf target) and by src/linux/fwd_ebpf*.c alone; so it uses
 * kernel types only. No struct has hidden padding: keys are compared byte by byte.
 */
#ifndef HD_BPF_SHARED_H
#define HD_BPF_SHARED_H

#include <linux/types.h>

/* --- sizes: with them all maps of an instance stay below 2 MB of kernel memory -------------------
 */

#define HD_BPF_LABELS_MAX   65536
#define HD_BPF_NODES_MAX    8192
#define HD_BPF_ADJS_MAX     4096
#define HD_BPF_WAYS_MAX     16384
#define HD_BPF_IFS_MAX      256
#define HD_BPF_ADMITTED_MAX 4096
#define HD_BPF_FLOWS_MAX    2048
#define HD_BPF_BUCKETS_MAX  1024
#define HD_BPF_LIMITS_MAX   1024
#define HD_BPF_EVENTS_BYTES (128 * 1024) /* a power of two and of pages */

/* --- constants
 * ------------------------------------------------------------------------------------ */

#define HD_BPF_ENCAP_LEN     44 /* IPv6 and four bytes of GRE */
#define HD_BPF_GRE_IPV6      0x000086dd
#define HD_BPF_HOP_LIMIT     64      /* of a new outer header */
#define HD_BPF_FLOW_MASK     0x7ffff /* the part of the flow label that tells flows apart */
#define HD_BPF_MARK          0x08    /* its top bit, in the second byte: the packet was repaired */
#define HD_BPF_MTU_MIN       1280
#define HD_BPF_KIRA_PORT     19219
#define HD_BPF_PACKET_MAX    128 /* bytes of an offending packet in an event */
#define HD_BPF_FLOW_EVERY_NS 8000000000ULL

/* Control packets per (interface, source MAC); beyond, they never reach user space. */
#define HD_BPF_POLICE_RATE  4000
#define HD_BPF_POLICE_BURST 2000
/* The same for all sources of an interface that are not admitted, so that inventing MACs is no way
 * out. */
#define HD_BPF_STRANGERS_RATE  16000
#define HD_BPF_STRANGERS_BURST 4000
/* What comes over the fabric for our own address, per (interface, MAC of the last hop): notices, of
 * which there are few. Theirs is another share, since any user of any node may send them. */
#define HD_BPF_ROUTED_RATE  1000
#define HD_BPF_ROUTED_BURST 200
/* Events per second about one (kind, label or destination, source), and about all of a kind. New
 * flows and flows that last are two kinds, with the second limit only. */
#define HD_BPF_EVENT_RATE      10
#define HD_BPF_EVENT_BURST     5
#define HD_BPF_EVENT_ALL_RATE  1000
#define HD_BPF_EVENT_ALL_BURST 200

/* --- maps
 * ------------------------------------------------------------------------------------------ */

/* config: array of one. Changes only while nothing is attached. */
struct hd_bpf_config {
    __u32 version; /* HD_BPF_VERSION, else user space does not adopt */
    __u32 kira0_ifindex;
    __u8 own[16]; /* fc00:<own ID> */
    __u8 kira0_mac[6];
    __be16 node_prefix, label_prefix;
    __u8 zero[6];
};
#define HD_BPF_VERSION 3

/* nodes: LPM trie. */
struct hd_bpf_node_key {
    __u32 prefix_len;
    __u8 prefix[16];
};

enum hd_bpf_node_act { /* as enum hd_route_act */
                       HD_BPF_NODE_LOCAL = 1,
                       HD_BPF_NODE_DIRECT,
                       HD_BPF_NODE_ENCAP,
                       HD_BPF_NODE_UNREACHABLE,
};

struct hd_bpf_node {
    __u32 act;
    __u32 adj;
    __u8 label[16]; /* as an address */
    __u32 mtu;      /* largest inner packet; 0: no own limit */
    __u32 way;      /* as those of a label */
    __u8 then[16];
};

/* labels: hash by the label as an address. */
struct hd_bpf_label_key {
    __u8 label[16];
};

enum hd_bpf_label_act { /* as enum hd_label_act */
                        HD_BPF_LABEL_DECAP = 1,
                        HD_BPF_LABEL_SWAP,
};

struct hd_bpf_label {
    __u32 act;
    __u32 adj;
    __u8 out[16];
    __u32 way;     /* round a dead egress; 0: that of the adjacency, which carries `out` */
    __u8 then[16]; /* carried with `way`; all zero: nothing */
};

/* adjs: array by number; without an ifindex: none. Many labels point at one, so a dead neighbour is
 * one update. */
#define HD_BPF_ADJ_ADMITTED 0x01
#define HD_BPF_ADJ_DOWN     0x02

struct hd_bpf_adj {
    __u32 ifindex;
    __u32 flags;
    __u8 mac[6];
    __u8 zero[2];
    __u8 link_local[16]; /* for adoption */
    __u32 way;
};

/*
 * ways: array by number (model: guards). Where a packet goes whose egress is dead: over `adj` under
 * `out`. What it carries becomes its outer source; whoever ends the way makes that its destination.
 * A way with a `then` of its own is of use only to what has none.
 */
struct hd_bpf_way {
    __u32 adj; /* 0: none */
    __u8 out[16];
    __u8 then[16];
};

/* ifs: hash by ifindex; written by the set-up half. */
#define HD_BPF_IF_USED    0x01 /* a KIRA link */
#define HD_BPF_IF_XDP     0x02 /* has our XDP program, so it takes redirected frames */
#define HD_BPF_IF_CLSACT  0x04 /* the qdisc is ours */
#define HD_BPF_IF_GUARDED 0x08 /* not a KIRA link: our prefixes are dropped there */

struct hd_bpf_if {
    __u32 mtu;
    __u32 flags;
    __u8 mac[6];
    __u8 zero[2];
};

/* admitted: hash; its presence admits. Also the key of the police buckets. */
struct hd_bpf_source {
    __u32 ifindex;
    __u8 mac[6];
    __u8 routed; /* of buckets: 1 for what comes over the fabric */
    __u8 zero;
};

/* flows: LRU hash by destination address. */
struct hd_bpf_flow {
    __u64 reported_ns;
    __u64 packets; /* since then */
};

/* limits: LRU hash to a __u64, the theoretical arrival time of the next event (GCRA). */
struct hd_bpf_limit_key {
    __u32 kind;
    __u8 about[16];
    __u8 source[16];
};

/* --- events
 * ------------------------------------------------------------------------------------------ */

enum hd_bpf_event_kind {
    HD_BPF_EV_FLOW = 1,
    HD_BPF_EV_LABEL_UNKNOWN,
    HD_BPF_EV_EGRESS_DEAD,
    HD_BPF_EV_NO_ROUTE,
    HD_BPF_EV_ICMP, /* nothing but the error message */
    HD_BPF_EV_REPAIRED,
};

struct hd_bpf_event {
    __u8 kind;
    __u8 icmp_type; /* of the error that the packet deserves; 0: none */
    __u8 icmp_code;
    __u8 packet_len;
    __u32 ifindex;
    __u32 adj;
    __u32 value; /* MTU of a too-big message */
    __u64 packets;
    __u8 to[16];
    __u8 source[16];
    __u8 label[16];
    /* Bytes from an IPv6 header on; absent in flow events, which end here. */
    __u8 packet[HD_BPF_PACKET_MAX];
};

/* --- counters: per-CPU array of __u64
 * ----------------------------------------------------------------- */

#define HD_BPF_COUNTERS(X)                                                                         \
    X(ENCAPSULATED, "forward.encapsulated")                                                        \
    X(DIRECT, "forward.direct")                                                                    \
    X(SWAPPED, "forward.swapped")                                                                  \
    X(SWAPPED_XDP, "forward.swapped-xdp")                                                          \
    X(OVERLAY, "forward.overlay")                                                                  \
    X(REPAIRED, "forward.repaired")                                                                \
    X(RESTORED, "forward.restored")                                                                \
    X(DELIVERED, "forward.delivered")                                                              \
    X(REFLECTED, "forward.echo-reflected")                                                         \
    X(DROP_NO_ROUTE, "drop.no-route")                                                              \
    X(DROP_UNREACHABLE, "drop.unreachable")                                                        \
    X(DROP_LABEL_UNKNOWN, "drop.label-unknown")                                                    \
    X(DROP_HOP_LIMIT, "drop.hop-limit")                                                            \
    X(DROP_TOO_BIG, "drop.too-big")                                                                \
    X(DROP_EGRESS_DEAD, "drop.egress-dead")                                                        \
    X(DROP_REPAIRED, "drop.repaired-twice")                                                        \
    X(DROP_NO_EGRESS, "drop.no-egress")                                                            \
    X(DROP_NOT_ADMITTED, "drop.not-admitted")                                                      \
    X(DROP_NOT_OURS, "drop.not-ours")                                                              \
    X(DROP_GUARD, "drop.guard")                                                                    \
    X(DROP_POLICED, "drop.policed")                                                                \
    X(DROP_MALFORMED, "drop.malformed")                                                            \
    X(DROP_ECN, "drop.ecn")                                                                        \
    X(DROP_FAILED, "drop.failed")                                                                  \
    X(EVENTS_LOST, "event.lost")

enum hd_bpf_counter {
#define HD_BPF_COUNTER_ENUM(name, text) HD_BPF_##name,
    HD_BPF_COUNTERS(HD_BPF_COUNTER_ENUM)
#undef HD_BPF_COUNTER_ENUM
        HD_BPF_COUNTER_COUNT,
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `tun` back-end: what its files share. Everything that the eBPF programs of the other back-end
 * do per packet is done here by the router process: slower by two system calls and a copy per
 * packet, but it needs neither BPF nor PERFMON and runs wherever there are TUN and packet sockets.
 *
 *   fwd_tun_setup.c   system process: device, sockets, table of interfaces
 *   fwd_tun_guard.c   system process: filters that keep the kernel out
 *   fwd_tun.c         router process: open, poll, counters
 *   fwd_tun_path.c    what happens to a packet: a mirror of bpf/kira0.bpf.c and bpf/link.bpf.c
 *   fwd_tun_echo.c    the echo of neighbours, returned at once
 *   fwd_tun_io.c      queue to the links, writing to kira0
 *   fwd_tun_gso.c     super-packets and unfinished checksums; pure
 *   fwd_tun_image.c   the tables in memory that outlives the router process
 *   fwd_tun_report.c  what the router hears of: flows and problems, limited
 *
 * How packets come in. One packet socket sees every frame *before* traffic control does; its filter
 * takes what bears one of our prefixes. A classic-BPF filter on the ingress of each interface then
 * drops the same packets, so that the kernel never treats them a second time: what is for this node
 * reaches its sockets by kira0 alone, after admission.
 */
#ifndef HD_LINUX_FWD_TUN_H
#define HD_LINUX_FWD_TUN_H

#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdatomic.h>

#include "lib/code_points.h"
#include "linux/fwd_backend.h"
#include "linux/icmp.h"

#define HD_TUN_IFS_MAX   256
#define HD_TUN_PACKET    65576 /* bytes of the largest packet that is taken: 65,535 and a header */
#define HD_TUN_HEAD      256   /* room for headers that a segment gets of its own */
#define HD_TUN_GRE       0x000086ddu
#define HD_TUN_HOP_LIMIT 64 /* of a new outer header */
#define HD_IP6_BYTES     40
#define HD_TUN_FLOW_MASK 0x7ffffu /* the part of the flow label that tells flows apart */
#define HD_TUN_MARK      0x08     /* its top bit, in the second byte: the packet was repaired */

/* The 16-byte echo of KIRA (core/kira/wire.h): UDP length; magic and type. */
#define HD_TUN_ECHO_UDP     24
#define HD_TUN_ECHO_REQUEST 0xec01
#define HD_TUN_ECHO_REPLY   0xec02

/* Younger than the kernel headers of Debian 12. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* Order of the descriptors in struct hd_fwd_handles. */
enum hd_tun_handle {
    HD_TUN_FD_DEVICE = 0,
    HD_TUN_FD_RECEIVE,
    HD_TUN_FD_SEND,
    HD_TUN_FD_TABLE,
    HD_TUN_FD_IMAGE,
    HD_TUN_FD_COUNT,
};

/* Whom kept descriptors serve. They are taken by a node that is the same in every byte. */
struct hd_tun_identity {
    uint64_t layout; /* HD_TUN_LAYOUT */
    struct hd_ip6 own;
    uint16_t node_prefix, label_prefix; /* built into the receive socket's filter */
    uint32_t zero;
};

/* "hdlink", version: another one when the table or the filters of the sockets change. */
#define HD_TUN_LAYOUT 0x68646c696e6b0001ull

/*
 * Shared memory from the set-up half to the fast half: the interfaces that are KIRA links. An entry
 * is one word, ifindex above and MTU below, so it cannot be seen torn; 0 is free.
 */
struct hd_tun_table {
    struct hd_tun_identity who;
    _Atomic uint64_t ifs[HD_TUN_IFS_MAX];
};

/* --- packets ------------------------------------------------------------------------------------
 */

/* An IPv6 packet in a buffer of ours. Offsets in `vnet` count from `bytes`. */
struct hd_tun_packet {
    uint8_t *bytes;
    uint32_t len;
    struct virtio_net_hdr vnet;
};

/* One packet on the wire: `head`, then `len` bytes at `payload`. */
struct hd_tun_piece {
    uint8_t head[HD_TUN_HEAD];
    uint32_t head_len;
    const uint8_t *payload;
    uint32_t len;
};

/* Steps through the segments of a super-packet. */
struct hd_tun_cutter {
    const struct hd_tun_packet *p;
    uint32_t inner;   /* offset of the last IPv6 header */
    uint32_t headers; /* bytes up to the payload */
    uint32_t at;      /* payload bytes that are done */
    bool tcp;
};

static inline bool hd_tun_is_gso(const struct hd_tun_packet *p)
{
    return p->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

/*
 * Checks the header of a packet as it was received and brings it into order: the length is that of
 * the IPv6 header, flags that mean nothing here are gone. HD_EMALFORMED when it cannot be used.
 */
HD_MUST_USE int hd_tun_normalise(struct hd_tun_packet *p);
/* Bytes of the longest packet that will go over the wire. */
uint32_t hd_tun_wire_len(const struct hd_tun_packet *p);
/* Removes `bytes` from the front. */
void hd_tun_strip(struct hd_tun_packet *p, uint32_t bytes);
/* Finishes a checksum that was left to the hardware; not for super-packets. */
void hd_tun_finish_checksum(struct hd_tun_packet *p);
/* Begins to cut a super-packet, whose last IPv6 header is at `inner`: 0 or HD_EUNSUPPORTED. */
HD_MUST_USE int hd_tun_cut_begin(struct hd_tun_cutter *c, const struct hd_tun_packet *p,
                                 uint32_t inner);
/* The next segment with all lengths, numbers and checksums right; false after the last. */
bool hd_tun_cut_next(struct hd_tun_cutter *c, struct hd_tun_piece *piece);

/* RFC 6040, figure 4: the inner ECN field after removal of the outer header; -1: drop the packet.
 */
int hd_tun_ecn(uint8_t outer, uint8_t inner);

/* --- counters ------------------------------------------------------------------------------------
 */

/* Named as those of the other back-end. */
#define HD_TUN_COUNTERS(X)                                                                         \
    X(ENCAPSULATED, "forward.encapsulated")                                                        \
    X(DIRECT, "forward.direct")                                                                    \
    X(SWAPPED, "forward.swapped")                                                                  \
    X(OVERLAY, "forward.overlay")                                                                  \
    X(REPAIRED, "forward.repaired")                                                                \
    X(RESTORED, "forward.restored")                                                                \
    X(DELIVERED, "forward.delivered")                                                              \
    X(REFLECTED, "forward.echo-reflected")                                                         \
    X(SEGMENTED, "forward.segmented")                                                              \
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
    X(DROP_MALFORMED, "drop.malformed")                                                            \
    X(DROP_ECN, "drop.ecn")                                                                        \
    X(DROP_POLICED, "drop.policed")                                                                \
    X(DROP_FAILED, "drop.failed")                                                                  \
    X(REPORTS_LIMITED, "event.limited")                                                            \
    X(TABLES_REFUSED, "forward.tables-refused")

enum hd_tun_counter {
#define HD_TUN_COUNTER_ENUM(name, text) HD_TUN_##name,
    HD_TUN_COUNTERS(HD_TUN_COUNTER_ENUM)
#undef HD_TUN_COUNTER_ENUM
        HD_TUN_COUNTER_COUNT,
};

/* --- reports -------------------------------------------------------------------------------------
 */

#define HD_TUN_FLOWS_MAX       1024
#define HD_TUN_FLOW_EVERY      HD_SEC(8)
#define HD_TUN_LIMITS_MAX      1024
#define HD_TUN_ECHOES_MAX      256
#define HD_TUN_STATIONS_MAX    256
#define HD_TUN_REPORT_RATE_HZ  10 /* about one label or destination and source; */
#define HD_TUN_REPORT_BURST    5
#define HD_TUN_REPORTS_RATE_HZ 1000 /* about all; of new flows; of flows that last */
#define HD_TUN_REPORTS_BURST   200

/* Tables of fixed size, two places per hash: what a stranger sends can evict, never grow. */
struct hd_tun_reports {
    uint64_t salt;
    hd_time all_full_at, flows_full_at[2]; /* new, known */
    struct hd_tun_flow {
        struct hd_ip6 to;
        hd_time reported_at; /* 0: free */
        uint64_t packets;    /* since then */
    } flow[HD_TUN_FLOWS_MAX];
    struct hd_tun_limit {
        uint64_t about;
        hd_time full_at;
    } limit[HD_TUN_LIMITS_MAX], echo[HD_TUN_ECHOES_MAX];
    struct hd_tun_limit admitted[HD_TUN_STATIONS_MAX], strange[HD_TUN_STATIONS_MAX];
    struct hd_tun_limit routed[HD_TUN_STATIONS_MAX];
    hd_time strangers_full_at;
};

/* Counts a packet to a destination: the number to report now, or 0. */
uint64_t hd_tun_note_flow(struct hd_tun_reports *r, const struct hd_ip6 *to, hd_time now);
/* Whether one more report of this kind about the packet (its first IPv6 header) may be made. */
bool hd_tun_may_report(struct hd_tun_reports *r, uint32_t kind, const uint8_t *packet, hd_time now);

/*
 * Policing of control traffic, with the figures of the other back-end (bpf/shared/hd_bpf.h): so
 * much per station; and so much from all that are not admitted together, so that inventing link
 * addresses is no way out. Stations that are admitted have a table of their own, which strangers
 * cannot crowd.
 */
#define HD_TUN_POLICE_RATE_HZ    4000
#define HD_TUN_POLICE_BURST      2000
#define HD_TUN_STRANGERS_RATE_HZ 16000
#define HD_TUN_STRANGERS_BURST   4000
bool hd_tun_conforms(struct hd_tun_reports *r, uint32_t ifindex, const struct hd_mac *from,
                     bool admitted, hd_time now);

/* The same for what comes over the fabric for our own address, by its last hop. */
#define HD_TUN_ROUTED_RATE_HZ 1000
#define HD_TUN_ROUTED_BURST   200
bool hd_tun_may_enter(struct hd_tun_reports *r, uint32_t ifindex, const struct hd_mac *from,
                      hd_time now);

/* Whether an echo of this station may be answered now: as many as control packets. */
bool hd_tun_may_reflect(struct hd_tun_reports *r, uint32_t ifindex, const struct hd_mac *from,
                        hd_time now);

/* --- the fast half -------------------------------------------------------------------------------
 */

struct hd_tun_output; /* fwd_tun_io.c */
struct hd_tun_image;  /* fwd_tun_image.c */

struct hd_tun {
    struct hd_fwd base; /* first, see fwd_backend.h */
    int device, receive, send, poll;
    const struct hd_tun_table *table;
    struct hd_tun_image *image;
    uint32_t noted;   /* records of the apply that is running */
    bool image_whole; /* it holds what the model held before that apply */
    uint16_t node_prefix, label_prefix;
    struct hd_ip6 own;

    uint8_t *buffers; /* HD_TUN_BATCH packets of HD_TUN_PACKET bytes, touched as needed */
    struct hd_tun_output *out;
    struct hd_tun_reports *reports;
    uint64_t counters[HD_TUN_COUNTER_COUNT];

    /* Admitted neighbours: places in the model by hash of interface and MAC, see hd_tun_admitted.
     */
    uint32_t *admitted;
    uint32_t admitted_size; /* a power of two, or 0 */

    /* Of the poll that is running. */
    struct hd_model *model;
    const struct hd_fwd_sink *sink;
    hd_time now;
};

#define HD_TUN_BATCH 32 /* packets taken at once from each of the two sources */

/* The functions of struct hd_fwd_backend_ops. */
int hd_tun_open(struct hd_fwd **out, const struct hd_fwd_handles *h);
void hd_tun_close(struct hd_fwd *base);
int hd_tun_adopt(struct hd_fwd *base, struct hd_model *m, uint8_t owner);
void hd_tun_apply(struct hd_fwd *base, struct hd_model *m);
int hd_tun_poll_fd(const struct hd_fwd *base);
int hd_tun_poll(struct hd_fwd *base, struct hd_model *m, const struct hd_fwd_sink *sink,
                unsigned budget);
uint32_t hd_tun_counters(struct hd_fwd *base, struct hd_fwd_counter *out, uint32_t max);

/* --- the tables over a restart (fwd_tun_image.c) -------------------------------------------------
 */

/* Set-up half: the memory, as a descriptor, or HD_ESYS. It fits every table that a model can hold;
 * only what is written takes memory. */
HD_MUST_USE int hd_tun_image_make(void);
/* Whether it is such memory, of the size that this build means. */
bool hd_tun_image_fits(int fd);
/* NULL: it cannot be mapped, or does not fit. The descriptor stays the caller's. */
struct hd_tun_image *hd_tun_image_map(int fd);
void hd_tun_image_unmap(struct hd_tun_image *i);
/* Puts what it holds into an empty model as adopted: 0 (also when it was refused, which is counted)
 * or an hd_error of the model. */
HD_MUST_USE int hd_tun_image_adopt(struct hd_tun *t, struct hd_model *m, uint8_t owner);
/* Notes a pulled change, before hd_model_done... */
void hd_tun_image_note(struct hd_tun *t, const struct hd_model *m, const struct hd_change *c);
/* ...and puts all that were noted into force together. */
void hd_tun_image_commit(struct hd_tun *t, const struct hd_model *m);

/* hd_fwd_police. */
bool hd_tun_police(struct hd_fwd *base, struct hd_model *m, uint32_t ifindex,
                   const struct hd_mac *from, hd_time now);

/* MTU of a KIRA link; 0 when the interface is none. */
uint32_t hd_tun_mtu(const struct hd_tun *t, uint32_t ifindex);
/* Builds the index of admitted neighbours anew: 0 or HD_ENOMEM (nobody is admitted then). */
HD_MUST_USE int hd_tun_index_admitted(struct hd_tun *t, const struct hd_model *m);
bool hd_tun_admitted(const struct hd_tun *t, uint32_t ifindex, const struct hd_mac *mac);

/* A packet that the kernel sent into kira0. */
void hd_tun_from_device(struct hd_tun *t, struct hd_tun_packet *p);
/* A packet with one of our prefixes that arrived over a link. */
void hd_tun_from_link(struct hd_tun *t, struct hd_tun_packet *p, uint32_t ifindex,
                      const struct hd_mac *from);

/*
 * Returns an echo request to the neighbour that sent it, without waiting for the router. The kernel
 * has delivered the request itself, unharmed.
 */
void hd_tun_reflect(struct hd_tun *t, struct hd_tun_packet *p, uint32_t ifindex,
                    const struct hd_mac *from);

HD_MUST_USE int hd_tun_output_make(struct hd_tun *t);
void hd_tun_output_free(struct hd_tun *t);
/*
 * Queues a packet, with `head_len` bytes of outer header before it, to a neighbour. `inner` is the
 * offset of its last IPv6 header. The packet's bytes must stay until the flush. False when it had
 * to be dropped (counted).
 */
bool hd_tun_send(struct hd_tun *t, const struct hd_adj_value *to, const uint8_t *head,
                 uint32_t head_len, struct hd_tun_packet *p, uint32_t inner);
void hd_tun_flush(struct hd_tun *t);
/* Hands a packet to the kernel as received on kira0. */
void hd_tun_deliver(struct hd_tun *t, struct hd_tun_packet *p);

/* --- set-up half --------------------------------------------------------------------------------
 */

/*
 * Makes sure that the kernel drops what bears one of our prefixes on the ingress of the interface:
 * 0 or HD_ESYS with errno. *made_qdisc: the interface had no clsact qdisc before.
 */
HD_MUST_USE int hd_tun_guard(uint32_t ifindex, uint16_t node_prefix, uint16_t label_prefix,
                             bool *made_qdisc);
/* Whether the filter is there: 1, 0 or an error. */
HD_MUST_USE int hd_tun_guarded(uint32_t ifindex);
/* Removes the filter, and the qdisc if we made it and nobody else has a filter there. */
void hd_tun_unguard(uint32_t ifindex, bool made_qdisc);

#endif

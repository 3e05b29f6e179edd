/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Linux realisation of the forwarding model, behind one interface with two back-ends:
 *
 *   ebpf  tc egress on kira0 encapsulates, tc ingress (and native XDP on real NICs) moves labels
 *   tun   kira0 is a TUN device and user space does the same with raw packets: slow, portable
 *
 * It is split along the privilege boundary. The *set-up* half runs in the system process: it makes
 * the device kira0 and its address, loads programs, creates and pins maps, attaches to interfaces.
 * The *fast* half runs in the router process with inherited descriptors and no capability: it
 * writes map entries and reads the event ring. A back-end may put everything in one of the two.
 */
#ifndef HD_LINUX_FORWARDING_H
#define HD_LINUX_FORWARDING_H

#include <net/if.h>

#include "model/core.h"

#define HD_FWD_FDS_MAX 16

/* What the set-up half hands to the fast half: descriptors sent over the channel, in this order. */
struct hd_fwd_handles {
    uint32_t backend; /* enum hd_fwd_backend */
    uint32_t count;
    int fds[HD_FWD_FDS_MAX];
    uint32_t kira0_ifindex;
    uint16_t node_prefix, label_prefix;
    uint32_t cpus;      /* possible CPUs: a sandboxed process cannot ask (ebpf: size of counters) */
    char features[256]; /* "encapsulation tc; transit tc, xdp eth0; ..." for `status` */
};

enum hd_fwd_backend {
    HD_FWD_EBPF = 1,
    HD_FWD_TUN,
};

/* --- system process -----------------------------------------------------------------------------
 */

struct hd_fwd_setup; /* opaque */

struct hd_fwd_setup_options {
    enum hd_fwd_backend backend;
    struct hd_ip6 own_address; /* fc00:<ID>/128 for kira0 */
    struct hd_id own_id;
    uint16_t node_prefix, label_prefix;
    const char *pin_dir; /* folder of this instance for a bpffs of its own (fwd_bpffs.h) */
    bool adopt;          /* take over pinned maps and attached programs */
    /* With adopt: what hd_fwd_setup_handles gave the previous process, kept open; NULL: nothing.
     * The descriptors stay the caller's. */
    const struct hd_fwd_handles *kept;
};

/*
 * Makes or adopts kira0, programs and maps. On failure an hd_error, and `why` (256 bytes) says in
 * one sentence what was missing, so that the caller can try the other back-end.
 */
HD_MUST_USE int hd_fwd_setup_open(struct hd_fwd_setup **s, const struct hd_fwd_setup_options *o,
                                  char *why);
void hd_fwd_setup_handles(const struct hd_fwd_setup *s, struct hd_fwd_handles *h);
/* An interface becomes or stops being a KIRA link: attach, detach, record its MTU. */
HD_MUST_USE int hd_fwd_setup_interface(struct hd_fwd_setup *s, uint32_t ifindex, uint32_t mtu,
                                       bool use, char *why);
/* Whether all filters that were attached are still there: others can remove them. */
bool hd_fwd_setup_intact(struct hd_fwd_setup *s);
/* Whether an XDP program, by its id, is this one's or its predecessor's. */
bool hd_fwd_setup_has_xdp(const struct hd_fwd_setup *s, uint32_t program);
/* keep: leave everything in the kernel for the next process; otherwise remove all that is ours. */
void hd_fwd_setup_close(struct hd_fwd_setup *s, bool keep);

/* --- router process ------------------------------------------------------------------------------
 */

struct hd_fwd; /* opaque */

HD_MUST_USE int hd_fwd_open(struct hd_fwd **f, const struct hd_fwd_handles *h);
void hd_fwd_close(struct hd_fwd *f);

/* Puts what is installed into the model as adopted objects (before cores start). */
HD_MUST_USE int hd_fwd_adopt(struct hd_fwd *f, struct hd_model *m, uint8_t owner);

/* Pulls all changes of the model and realises them; returns when they are in force. */
void hd_fwd_apply(struct hd_fwd *f, struct hd_model *m);

/* Descriptor to poll for reports (event ring, TUN); -1 when there is none. */
int hd_fwd_poll_fd(const struct hd_fwd *f);

/*
 * Reads what happened and calls back with a report for the owner core, or with a packet that calls
 * for an ICMPv6 error (built by the driver, see icmp.h): at most `budget` events. Returns how many.
 */
struct hd_fwd_sink {
    void *user;
    void (*report)(void *user, const struct hd_in_report *r);
    /* type and code of the error to send about packet (the offending packet, first bytes). */
    void (*icmp_error)(void *user, uint8_t type, uint8_t code, uint32_t value,
                       const uint8_t *packet, uint32_t len);
};
int hd_fwd_poll(struct hd_fwd *f, struct hd_model *m, const struct hd_fwd_sink *sink,
                unsigned budget);

/*
 * Whether a control packet from this station, over this interface, may be looked at now. To be
 * asked before any work on it; a back-end whose kernel half polices has nothing more to say.
 */
HD_MUST_USE bool hd_fwd_police(struct hd_fwd *f, struct hd_model *m, uint32_t ifindex,
                               const struct hd_mac *from, hd_time now);

/* Counters of the data plane by name, for `counters`: number copied. */
struct hd_fwd_counter {
    const char *name; /* static */
    uint64_t value;
};
uint32_t hd_fwd_counters(struct hd_fwd *f, struct hd_fwd_counter *out, uint32_t max);

#endif

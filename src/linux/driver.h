/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The linux driver: runs one router on real interfaces (design.md, sections 1 and 4).
 *
 * A turn is: drain every socket, read the data plane's reports, serve what is due, do a slice of
 * work. So before a deadline is served everything that arrived before it has been delivered, also
 * after the process was stopped for a while. After every call into the router its model changes are
 * in force before its datagrams leave.
 *
 * The driver holds descriptors that somebody else opened and asks its host for whatever needs a
 * privilege or another process; so the same code runs in the router process and in tests.
 */
#ifndef HD_LINUX_DRIVER_H
#define HD_LINUX_DRIVER_H

#include "linux/event_loop.h"
#include "linux/forwarding.h"
#include "linux/frames.h"
#include "linux/icmp.h"
#include "linux/keys.h"
#include "linux/log.h"
#include "linux/sockets.h"
#include "linux/witness.h"
#include "model/virtual.h"
#include "replay/recorder.h"
#include "router/router.h"

#define HD_DRIVER_PORTS_MAX   160 /* of frames: two for each interface */
#define HD_DRIVER_REPORTS_MAX 32  /* of the data plane, per turn */
#define HD_DRIVER_REFUSED_MAX 64  /* refused objects told in one go */
#define HD_DRIVER_MTU_MAX     256 /* prefixes with an MTU of their own */
#define HD_DRIVER_POOL_BYTES                                                                       \
    ((size_t)256 << 20) /* address space; memory comes when it is touched */
#define HD_DRIVER_FX_BYTES (HD_FX_ROOM_BYTES + 64 * 1024)
#define HD_DRIVER_SLICE_NS HD_US(200) /* longest slice of work between two looks at the sockets */

/* What the driver cannot do itself. */
struct hd_driver_host {
    void *user;
    void (*open_port)(void *user, uint16_t core, const struct hd_fx_port *p);
    void (*close_port)(void *user, uint16_t core, const struct hd_fx_port *p);
    void (*save)(void *user, uint16_t core, uint16_t key, const void *bytes, uint32_t len);
    void (*event)(void *user, uint16_t core, uint16_t list, const void *row, uint32_t len);
    void (*reply)(void *user, uint16_t core, const struct hd_fx_reply *r, const void *rows);
    /* Inner packets to the prefix may be this large; 0: no exception any more. */
    void (*route_mtu)(void *user, const struct hd_ip6 *prefix, uint32_t len, uint32_t mtu);
    /* A virtual interface is to be like this; how it ended is told by hd_driver_virtual_told. */
    void (*virt)(void *user, const struct hd_virtual_change *c);
};

struct hd_driver_port {
    bool used;
    uint16_t core;
    struct hd_fx_port spec;
    int fd;      /* -1 until the host has opened it */
    int witness; /* says from which link address a datagram came; -1: nobody does */
    bool waits;  /* a frame port: something is in it */
    struct hd_loop_source source;
    uint64_t received, sent, send_errors;
    uint32_t overflow;
};

struct hd_driver_stats {
    uint64_t turns, datagrams, truncated, mac_unknown, reports, icmp_sent, icmp_received;
    uint64_t work_slices, effects_lost, sends_unready, sends_refused, samples_unsupported, traces;
    uint64_t save_too_large, slice_over;
};

struct hd_driver_mtu {
    struct hd_ip6 prefix;
    uint8_t len;
    bool seen;
    uint16_t mtu;
};

struct hd_driver {
    struct hd_router *router;
    uint8_t core; /* the one that gets reports of the data plane */
    struct hd_effects fx;
    struct hd_answer answer;
    hd_time now;   /* last instant handed to the router */
    hd_time ahead; /* of the wall clock over the monotonic one */
    hd_time wall_told_at;
    uint32_t work_units; /* of the next slice */
    struct hd_fwd *fwd;  /* NULL: the model goes nowhere */
    struct hd_loop_source fwd_source;
    int icmp; /* -1: none */
    struct hd_loop_source icmp_source;
    bool icmp_waits; /* something is in it */
    struct hd_icmp_limiter *icmp_limiter;
    struct hd_ip6 own_address;
    uint16_t label_prefix;
    uint32_t kira0_ifindex;
    struct hd_keyring keys;
    struct hd_driver_port ports[HD_DRIVER_PORTS_MAX];
    struct hd_udp6_batch batch;
    struct hd_frame *frames; /* HD_FRAME_BATCH, made with the first frame port */
    struct hd_witness witness;
    struct hd_driver_sender *sender; /* NULL: periodic objects go nowhere */
    struct hd_driver_mtu *mtus;      /* HD_DRIVER_MTU_MAX, made with the first */
    uint32_t mtu_count;
    hd_time virtual_sweep_at; /* of adopted virtual interfaces; HD_NEVER: there are none */
    hd_time mtu_check_at;     /* HD_NEVER: nothing to look for */
    uint32_t refusals_seen;   /* of the model's, when it was searched for refused objects */
    hd_time refusals_at;      /* not searched again before */
    struct hd_loop *loop;
    struct hd_log *log;
    struct hd_driver_host host;
    struct hd_driver_stats stats;
    struct hd_recorder recorder;
};

struct hd_driver_options {
    struct hd_loop *loop;
    struct hd_log *log;
    const struct hd_driver_host *host;
    uint8_t core; /* that will be started: owner of what is adopted */
    uint64_t seed;
    struct hd_ip6 own_address;
    uint16_t label_prefix;
    void *recording; /* zeroed memory for a recording of all calls (replay/format.h); NULL: none */
    size_t recording_bytes;
};

/* Makes the region, the buffers and an empty router: 0, HD_ENOMEM or HD_ESYS. */
HD_MUST_USE int hd_driver_init(struct hd_driver *d, const struct hd_driver_options *o);
void hd_driver_free(struct hd_driver *d);

/* Takes the data plane; adopts what is installed there when `adopt` is set. */
HD_MUST_USE int hd_driver_forwarding(struct hd_driver *d, const struct hd_fwd_handles *h,
                                     bool adopt);
/* Takes the raw ICMPv6 socket. */
HD_MUST_USE int hd_driver_icmp(struct hd_driver *d, int fd);
/* Takes the sockets of a port that the host was asked for; a closed port's are closed again. */
HD_MUST_USE int hd_driver_port_opened(struct hd_driver *d, uint16_t core, uint16_t port, int fd,
                                      int witness);

/* How a change of a virtual interface ended. Not from within the host's `virt`. */
void hd_driver_virtual_told(struct hd_driver *d, uint32_t index, const struct hd_virtual_value *v,
                            int error);
/* What a predecessor left in the kernel, before the core is started: 0 or an hd_error. */
HD_MUST_USE int hd_driver_virtual_adopt(struct hd_driver *d, uint8_t owner,
                                        const struct hd_virtual_value *v);
/* Whether the owner wants one of this name. */
bool hd_driver_virtual_wanted(const struct hd_driver *d, uint8_t owner,
                              const struct hd_virtual_value *v);

/* Whether the host has opened all that a core asked for. */
bool hd_driver_ports_open(const struct hd_driver *d, uint16_t core);
/* Asks again for those that it has not. */
void hd_driver_repeat_ports(struct hd_driver *d);

/*
 * Takes the memory of a sender (sender.h), whose descriptor it closes: periodic objects are sent
 * from now on. With `keep` what a predecessor left there is adopted for the owner, else silenced.
 */
HD_MUST_USE int hd_driver_sender(struct hd_driver *d, int fd, uint8_t owner, bool keep);
/* Gives the memory of large free blocks of the router's pool back to the system. */
void hd_driver_give_back(struct hd_driver *d);
/* The secret behind a handle of struct hd_auth; len 0: none any more. */
HD_MUST_USE int hd_driver_secret(struct hd_driver *d, uint32_t handle, const void *secret,
                                 uint32_t len);

HD_MUST_USE int hd_driver_start(struct hd_driver *d, uint8_t core, const struct hd_start *s);
/* Last messages, model emptied. */
void hd_driver_stop(struct hd_driver *d);

/* One input from the host (interface, command, saved): arrived now. */
void hd_driver_input(struct hd_driver *d, struct hd_input *in);

/* When hd_driver_turn wants to be called at the latest. */
hd_time hd_driver_deadline(const struct hd_driver *d);
void hd_driver_turn(struct hd_driver *d);

/* Asks the host again for all ports and MTUs: it lost its memory. */
void hd_driver_repeat_requests(struct hd_driver *d);

#endif

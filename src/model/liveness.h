/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs of life in the forwarding model (design.md, section 4): what a router's data plane says
 * again and again without being asked, and what it expects to hear.
 *
 * A `periodic` is a packet and an interval. The driver sends it by itself until it is changed, also
 * while the process that wrote it is replaced, as long as its lease runs. A core that has to say
 * something at once (a state that changed, an answer) says it as the periodic would, with
 * HD_FX_SEND_ONCE, so that both share source, port and authentication sequence.
 *
 * A `watch` is the other direction: packets that look exactly as expected are counted and
 * consumed, everything else goes to the core, and silence for the detection time is an input
 * (HD_IN_WATCH). The index over discriminators that this takes is also the demultiplexer of the
 * core: it keeps no second one.
 *
 * Changes of periodics are pulled by the driver, apart from those of model/fwd.h, whose order does
 * not concern them. Watches are realised right here, in the router process, for every driver; one
 * with XDP takes the packets before us and tells what it saw by hd_model_watch_seen.
 *
 * Lateness. When a packet or a timer had to wait for us longer than a quarter of an interval, then
 * silence says nothing about the peer: this process or this machine stood still, and what it did
 * not take in time may be lost. A watch that would expire within an interval of that grants the
 * peer one more, once, and a quarter for the packet's way (vrrp-and-bfd.md, A7).
 */
#ifndef HD_MODEL_LIVENESS_H
#define HD_MODEL_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/map.h"
#include "lib/timerq.h"
#include "lib/vec.h"
#include "model/fwd.h"

struct hd_in_datagram; /* model/core.h */

enum hd_auth_type { /* RFC 5880, 4.1: as on the wire */
                    HD_AUTH_NONE = 0,
                    HD_AUTH_SIMPLE,
                    HD_AUTH_MD5,
                    HD_AUTH_METICULOUS_MD5,
                    HD_AUTH_SHA1,
                    HD_AUTH_METICULOUS_SHA1,
                    HD_AUTH_END,
};

/*
 * How packets are authenticated. The secret lies outside of the router's memory under a handle; the
 * driver appends the section with its sequence number to what is sent, and says with each datagram
 * which handle's secret fits.
 */
struct hd_auth {
    uint8_t type; /* enum hd_auth_type */
    uint8_t key_id;
    uint16_t reserved;
    uint32_t key;
};

#define HD_PERIODIC_BYTES 32 /* of a packet without its authentication */
#define HD_PERIODIC_WORDS 8  /* that the owner finds again after a restart */
#define HD_PERIODICS_MAX  4096
#define HD_WATCHES_MAX    4096

/* A UDP packet that is sent for ever. */
struct hd_periodic_value {
    struct hd_ip6 from, to; /* IPv4 as ::ffff:a.b.c.d; from all zero: what the system chooses */
    struct hd_ip6 via;      /* not zero: over this neighbour, whatever the routes say of `to` */
    hd_time interval_ns;    /* 0: only HD_FX_SEND_ONCE sends */
    hd_time lease_ns;       /* sent no longer than this without the router process */
    struct hd_auth auth;
    uint32_t ifindex; /* out of this interface; 0: by the routes */
    uint16_t from_port, to_port;
    uint8_t hop_limit, traffic_class;
    uint8_t jitter_from, jitter_to; /* per cent of the interval: each pause is drawn from between */
    uint8_t len;
    uint8_t reserved[3];
    uint8_t bytes[HD_PERIODIC_BYTES];
    uint32_t words[HD_PERIODIC_WORDS]; /* the owner's; kept with the packet, never sent */
};

struct hd_periodic {
    struct hd_object o;
    struct hd_periodic_value v;
    uint32_t owner_word;
    uint64_t sent, failed; /* what the driver tells, see hd_model_periodic_count */
};

#define HD_WATCH_BYTES 24

/* How a packet finds its watch. */
enum hd_watch_by {
    HD_WATCH_BY_PEER = 0, /* bytes 8 to 11 are our `discr`, or zero: then by where it comes from */
    HD_WATCH_BY_DISCR,    /* bytes 8 to 11 are our `discr` */
    HD_WATCH_BY_SENDER,   /* bytes 4 to 7 are the sender's `discr`, and bytes 8 to 11 zero */
};

/* What is heard while all is well. */
struct hd_watch_value {
    struct hd_ip6 from; /* only from there */
    struct hd_ip6 to;   /* all zero: to any address of ours */
    uint32_t ifindex;   /* 0: on any interface */
    uint32_t discr;
    struct hd_auth auth;
    uint16_t port;     /* the core's name of it */
    uint8_t by;        /* enum hd_watch_by */
    uint8_t hop_limit; /* the smallest that is accepted */
    bool consume;      /* packets that equal `steady` are no news */
    uint8_t steady[HD_WATCH_BYTES];
    hd_time interval_ns; /* at which packets are expected */
    hd_time detect_ns;   /* silence that is an input; 0: none */
};

struct hd_watch {
    struct hd_object o;
    struct hd_watch_value v;
    struct hd_timer timer;
    uint32_t index;
    uint32_t owner_word;
    hd_time seen_at;
    bool granted;     /* one interval more, since the last packet */
    uint64_t packets; /* consumed */
    uint64_t late;    /* intervals granted, ever */
};

struct hd_liveness {
    HD_VEC(struct hd_periodic) periodics; /* index 0 unused in both */
    HD_VEC(struct hd_watch *) watches;
    struct hd_table_free periodic_free;
    uint32_t watch_count;
    struct hd_change_queue queue;
    struct hd_map by_discr, by_peer;
    struct hd_timerq timers;
    hd_time late_at; /* when something was found that had waited for us */
};

/* --- periodics, for cores --------------------------------------------------------------------- */

/* Adds one: its index (> 0), HD_ENOMEM or HD_ELIMIT. */
HD_MUST_USE int hd_model_periodic_add(struct hd_model *m, uint8_t owner,
                                      const struct hd_periodic_value *v);
/* Changes one; nothing happens when the value is the same. Claims an adopted one. */
void hd_model_periodic_set(struct hd_model *m, uint32_t index, const struct hd_periodic_value *v);
void hd_model_periodic_del(struct hd_model *m, uint32_t index);
/* NULL when there is none that is wanted. Valid until the next addition. */
struct hd_periodic *hd_model_periodic(const struct hd_model *m, uint32_t index);
/* Steps through the wanted ones: start with 0, ends with 0. */
uint32_t hd_model_periodic_next(const struct hd_model *m, uint32_t after);

/* --- periodics, for drivers ------------------------------------------------------------------- */

struct hd_periodic_change {
    uint32_t index;
    bool del;
};

/* The next change, coalesced; after a deletion the index may be given out again. */
bool hd_model_periodic_pull(struct hd_model *m, struct hd_periodic_change *c);
/* Tells how a change that was set ended: 0 or an hd_error. */
void hd_model_periodic_done(struct hd_model *m, uint32_t index, int error);
/* All go: whoever could have claimed what was adopted is not there. */
void hd_model_periodic_sweep(struct hd_model *m);
/* All of them have to be set again: the data plane lost its memory. */
void hd_model_periodics_lost(struct hd_model *m);
/* How many packets were sent since the last time, and how many could not be. */
void hd_model_periodic_count(struct hd_model *m, uint32_t index, uint64_t sent, uint64_t failed);
HD_MUST_USE int hd_model_adopt_periodic(struct hd_model *m, uint8_t owner, uint32_t index,
                                        const struct hd_periodic_value *v);

/* --- watches ---------------------------------------------------------------------------------- */

/* Adds one: its index (> 0), HD_ENOMEM, HD_ELIMIT, HD_EEXIST (discriminator or peer taken). */
HD_MUST_USE int hd_model_watch_add(struct hd_model *m, uint8_t owner,
                                   const struct hd_watch_value *v);
/*
 * Changes what is expected; addresses, port, interface and discriminator stay as they were added.
 * The time of the last packet stays, too: the silence that counts begins there.
 */
void hd_model_watch_set(struct hd_model *m, uint32_t index, const struct hd_watch_value *v);
void hd_model_watch_del(struct hd_model *m, uint32_t index);
struct hd_watch *hd_model_watch(const struct hd_model *m, uint32_t index);
/* Something that counts as a sign of life came at this time. */
void hd_model_watch_seen(struct hd_model *m, uint32_t index, hd_time at);

/*
 * The watch that a packet belongs to, 0 when there is none: by its discriminator, or, that being
 * zero, by where it came from. What the core does with a packet is up to the core.
 */
uint32_t hd_model_watch_find(const struct hd_model *m, const struct hd_in_datagram *d);

/* --- watches, for the router ------------------------------------------------------------------ */

/* True when the packet was no news to anybody: it is done. */
bool hd_model_watch_take(struct hd_model *m, uint8_t core, const struct hd_in_datagram *d,
                         hd_time arrived, hd_time now);
/* When hd_model_watch_expired wants to be asked, HD_NEVER when there is nothing to wait for. */
hd_time hd_model_watch_deadline(const struct hd_model *m);
/* The next watch whose silence is too long; it is not armed any more. NULL: none. */
const struct hd_watch *hd_model_watch_expired(struct hd_model *m, hd_time now);

/* Frees all; for hd_model_free. */
void hd_liveness_free(struct hd_model *m);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few routers with the BFD core on one link, in virtual time. The rig is their driver: it sends
 * periodics with jitter, authenticates (a digest is the number of its key), loses and delays
 * packets, and can stop a router for a while, whose packets then wait with their times of arrival.
 * A core of the test's own is the client.
 */
#ifndef HD_TESTS_BFD_RIG_H
#define HD_TESTS_BFD_RIG_H

#include "support/test.h"

#include "core/bfd/bfd.h"
#include "model/bfd_client.h"
#include "router/router.h"

#define RIG_NODES   3
#define RIG_SLOTS   80
#define RIG_PACKETS 512
#define RIG_LOG     128
#define RIG_CLIENT  HD_CORE_SAMPLE /* number of the test's own core */

struct rig_packet {
    hd_time at;
    uint64_t order;
    uint8_t to; /* node */
    uint8_t len, hop_limit;
    uint16_t to_port;
    struct hd_ip6 from, dst;
    uint8_t bytes[64];
};

struct rig_slot {
    struct hd_periodic_value v;
    bool on;
    hd_time next;
};

struct rig_node {
    struct rig *rig;
    uint8_t number;
    void *region;
    struct hd_router *r;
    struct hd_effects fx;
    struct hd_answer answer;
    struct hd_random random;
    struct hd_ip6 ip4, ip6;
    struct rig_slot slots[RIG_SLOTS];
    uint32_t seq;
    bool gone;             /* neither hears nor sends */
    bool deaf;             /* its packets are sent by themselves; the router process is away */
    hd_time stopped_until; /* the router process stands still */
    bool echoes;           /* forwards echoes of others */
    unsigned sent, once;
    hd_time sent_at[RIG_LOG]; /* ring of departures */
    uint8_t last[64];         /* the last packet that left */
    uint8_t last_len;
    unsigned lost;     /* in a row */
    unsigned lost_all; /* of its packets */
    struct hd_bfd_row_event events[RIG_LOG];
    hd_time event_at[RIG_LOG];
    unsigned event_count;
    struct hd_bfd_notice notices[RIG_LOG];
    unsigned notice_count;
    _Alignas(8) uint8_t buf[HD_FX_ROOM_BYTES];
};

struct rig {
    hd_time now, delay;
    uint64_t order;
    unsigned nodes;
    unsigned loss;    /* of a thousand */
    unsigned at_most; /* so many in a row from one node at most; 0: any number */
    uint8_t hops;     /* between any two */
    bool (*lose)(struct rig *g, unsigned from, unsigned to, const struct rig_packet *p);
    struct hd_random random;
    struct rig_packet packets[RIG_PACKETS];
    unsigned packet_count;
    struct rig_node node[RIG_NODES];
};

/* A block of configuration as hd_bfd_ops takes it. */
struct rig_config {
    struct hd_bfd_config head;
    struct hd_bfd_session_config session[8];
    /* listen configurations follow the sessions directly: rig_config_bytes moves them there */
    struct hd_bfd_listen_config listen[4];
};

struct rig *rig_new(unsigned nodes, uint64_t seed);
void rig_free(struct rig *g);

/* A single hop session between a and b over IPv4 at 10 ms, three times. */
struct hd_bfd_session_config rig_session(const struct rig *g, unsigned a, unsigned b);
struct rig_config rig_one(struct hd_bfd_session_config s);
int rig_start(struct rig *g, unsigned node, const struct rig_config *c, bool resumed);
int rig_configure(struct rig *g, unsigned node, const struct rig_config *c);
/* Two nodes with a session each, up. */
struct rig *rig_pair(uint64_t seed);

void rig_interface(struct rig *g, unsigned node, bool up, bool gone);
void rig_run(struct rig *g, hd_time for_ns);
/* Gives bytes to a node as if they had come from a peer. */
void rig_inject(struct rig *g, unsigned node, const struct rig_packet *p);
/* A well-formed packet of `from` for `to`, as its last one was. */
struct rig_packet rig_last(const struct rig *g, unsigned from, unsigned to);
void rig_request(struct rig *g, unsigned node, const struct hd_bfd_request *q);
/* The process of the router is replaced: what it had in the model of signs of life is adopted. */
void rig_replace(struct rig *g, unsigned node, const struct rig_config *c);

/* The n-th session's row; asserts that there is one. */
struct hd_bfd_row_session rig_row(struct rig *g, unsigned node, unsigned n);
unsigned rig_rows(struct rig *g, unsigned node);
uint64_t rig_counter(struct rig *g, unsigned node, const char *name);

#endif

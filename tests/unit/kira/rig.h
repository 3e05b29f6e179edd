/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One KIRA core driven by the contract: a router with nothing but it, inputs made by hand, time
 * that goes on when the test says so, and everything the core says kept for inspection. Peers are
 * only names and addresses; those that `answer` reply to discovery, echoes and probes as a living
 * node would, probes also on behalf of nodes behind them.
 */
#ifndef HD_TESTS_UNIT_KIRA_RIG_H
#define HD_TESTS_UNIT_KIRA_RIG_H

#include "core/kira/state.h"
#include "router/router.h"
#include "support/router_check.h"
#include "support/test.h"

#define RIG_PEERS 64

struct rig_peer {
    struct hd_id id;
    uint32_t ifindex;
    struct hd_ip6 address;
    struct hd_mac mac;
    uint32_t ssn;
    uint8_t capabilities;
    bool answers;
    struct hd_id list[200];
    uint32_t list_len;
    uint64_t counter; /* of its MACs */
};

struct rig_sent {
    hd_time at;
    struct hd_fx_send fx;
    uint8_t *bytes;
    bool echo;
    struct hd_kira_msg m; /* decoded, unless echo */
};

struct rig {
    void *region;
    struct hd_router *router;
    struct kira *k;
    struct hd_effects fx;
    void *fx_room;
    hd_time now;
    struct hd_answer answer;
    uint64_t next_msg_id;

    struct hd_kira_config config;
    uint32_t key;
    uint64_t seed;
    bool resumed;
    bool routed; /* what is delivered now comes by the forwarding plane */
    struct hd_saved_value saved[4];
    uint8_t saved_bytes[4][24 * 1024];
    uint32_t saved_count;

    struct rig_peer peers[RIG_PEERS];
    uint32_t peer_count;
    struct rig_sent *sent;
    uint32_t sent_len, sent_cap, answered;
    uint32_t events[32];
    struct hd_kira_row_event last_event[32];
};

struct hd_id rig_id(uint32_t n);
/* Fills in defaults and the identity; fields may be changed before rig_start. */
void rig_make(struct rig *g, struct hd_id id);
void rig_start(struct rig *g);
void rig_end(struct rig *g);

void rig_interface(struct rig *g, uint32_t ifindex, bool up);
void rig_until(struct rig *g, hd_time at);
static inline void rig_for(struct rig *g, hd_time duration)
{
    rig_until(g, g->now + duration);
}
void rig_stop(struct rig *g);
void rig_report(struct rig *g, const struct hd_in_report *r);

struct rig_peer *rig_peer(struct rig *g, struct hd_id id, uint32_t ifindex);
/* The peer asks for the list, which makes it a neighbour. */
void rig_meet(struct rig *g, struct rig_peer *p);
/* A peer with that identity, answering, that is a neighbour now. */
struct rig_peer *rig_neighbour(struct rig *g, struct hd_id id, uint32_t ifindex);
bool rig_is_neighbour(struct rig *g, const struct rig_peer *p);

/* --- messages to the core ------------------------------------------------------------------------
 */
struct rig_out {
    uint8_t bytes[16384];
    struct hd_writer w;
};
void rig_begin(struct rig *g, struct rig_out *o, uint8_t type, uint8_t flags,
               const struct hd_id *source, uint32_t ssn, const struct hd_id *dest);
void rig_route(struct rig_out *o, uint16_t index, const struct hd_id *ids, uint32_t n);
/* Ends the message, signs it when the rig has a key, and hands it over as the peer's. */
void rig_send(struct rig *g, struct rig_out *o, struct rig_peer *p);
/* The same without a valid MAC. */
void rig_send_unsigned(struct rig *g, struct rig_out *o, struct rig_peer *p);
void rig_deliver(struct rig *g, const struct rig_peer *p, const void *bytes, uint32_t len,
                 uint32_t key);
void rig_hello(struct rig *g, struct rig_peer *p);

/* --- what the core said --------------------------------------------------------------------------
 */
void rig_forget(struct rig *g);
uint32_t rig_count(const struct rig *g, uint8_t type);
const struct rig_sent *rig_last(const struct rig *g, uint8_t type);

#endif

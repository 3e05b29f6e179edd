/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routers with the VRRP core on Ethernet segments of the test, in virtual time. Segment n is what
 * interface n of every router hangs on. A frame reaches all others of its segment after a delay,
 * or is lost; one that is sent by the routes reaches who has its destination. The kernel of a
 * router takes a while to realise its virtual interfaces.
 *
 * A stub stands for the BFD core: it notes requests, and says what the test tells it to say.
 */
#ifndef HD_TESTS_UNIT_VRRP_RIG_H
#define HD_TESTS_UNIT_VRRP_RIG_H

#include "support/test.h"

#include "core/vrrp/vrrp.h"
#include "core/vrrp/wire.h"
#include "model/bfd_client.h"
#include "model/virtual.h"
#include "router/cores.h"

#define RIG_NODES     4
#define RIG_SEGMENTS  3
#define RIG_INSTANCES 8
#define RIG_TRACKS    8
#define RIG_FLIGHT    512
#define RIG_EVENTS    256
#define RIG_REQUESTS  64
#define RIG_REGION    (4 << 20)
#define RIG_BFD       3 /* HD_CORE_BFD: a stub here */

/* What a configuration is made of, ready to be handed over. */
struct rig_config {
    struct hd_vrrp_config head;
    struct hd_vrrp_instance_config instances[RIG_INSTANCES];
    struct hd_vrrp_track_config tracks[RIG_TRACKS];
};

struct rig_event {
    hd_time at;
    struct hd_vrrp_row_event row;
};

struct rig_node {
    unsigned number; /* from 1; its address on segment s is 10.s.0.number, fe80::s:number */
    void *region;
    struct hd_router *r; /* NULL: switched off */
    struct hd_effects fx;
    struct hd_answer answer;
    struct rig_config config;
    bool up[RIG_SEGMENTS + 1];
    bool open[256]; /* ports */
    uint8_t port_family[256];
    uint32_t port_interface[256];
    hd_time busy_until; /* its process stands still */
    hd_time install_ns; /* what the kernel takes */
    struct rig_event events[RIG_EVENTS];
    unsigned event_count;
    unsigned errors[HD_VRRP_ERR_END];
    unsigned adverts, backup_adverts, zero_adverts, announcements;
    hd_time advert_at, announced_at; /* the last ones */
    struct hd_mac advert_mac;
    struct hd_bfd_request requests[RIG_REQUESTS];
    unsigned request_count;
    _Alignas(8) uint8_t buf[HD_FX_ROOM_BYTES + 64 * 1024];
};

struct rig_flight {
    hd_time at;
    unsigned from, segment;
    uint64_t order;
    bool routed, install; /* install: not a frame, a kernel that is done */
    uint32_t len;
    uint32_t index;
    struct hd_virtual_value value;
    uint8_t bytes[VRRP_FRAME_MAX];
};

struct rig {
    hd_time now;
    hd_time delay_ns;
    unsigned loss_permille;
    bool cut[RIG_NODES + 1][RIG_SEGMENTS + 1]; /* what this router sends there is lost */
    struct hd_random random;
    uint64_t order;
    struct rig_node *nodes[RIG_NODES + 1]; /* from 1 */
    struct rig_flight flight[RIG_FLIGHT];
    unsigned flight_count;
    unsigned lost;
};

struct rig *rig_new(uint64_t seed);
void rig_free(struct rig *g);

/* A router with interfaces on all segments; no virtual router yet. */
struct rig_node *rig_node(struct rig *g, unsigned number);
/* The configuration of virtual router `vrid` on a segment, added to what the node has. */
struct hd_vrrp_instance_config *rig_add(struct rig_node *n, unsigned segment, uint8_t family,
                                        uint8_t vrid, uint8_t priority);
struct hd_vrrp_track_config *rig_track(struct rig_node *n, uint32_t instance, uint8_t kind,
                                       uint8_t decrement);
/* Hands the configuration over: 0 or an error. */
int rig_apply(struct rig *g, struct rig_node *n);
/* Only asks: 0 or the error. */
int rig_check(struct rig *g, struct rig_node *n);

/* Ends the router without a word, or with one; start begins a new one with its configuration. */
void rig_kill(struct rig *g, struct rig_node *n);
void rig_stop(struct rig *g, struct rig_node *n);
/* resumed: with the virtual interfaces that the last one left installed. */
void rig_start(struct rig *g, struct rig_node *n, bool resumed);

void rig_link(struct rig *g, struct rig_node *n, unsigned segment, bool up);
void rig_address(struct rig *g, struct rig_node *n, unsigned segment, const char *address,
                 bool gone);
/* Runs to an instant, or for a while. */
void rig_until(struct rig *g, hd_time at);
void rig_run(struct rig *g, hd_time duration);

/* A frame from nobody's hands, now, at one router. */
void rig_frame(struct rig *g, struct rig_node *n, unsigned segment, const uint8_t *frame,
               uint32_t len);
/* An advertisement of a stranger 10.segment.0.host (fe80::segment:host). */
struct vrrp_advert rig_advert(unsigned segment, uint8_t family, uint8_t vrid, uint8_t priority,
                              unsigned host, const struct hd_vrrp_instance_config *like);
void rig_hear(struct rig *g, struct rig_node *n, unsigned segment, const struct vrrp_advert *a);

/* The stub says something about a session. */
void rig_notice(struct rig *g, struct rig_node *n, uint32_t handle, uint8_t state, bool was_up,
                bool remote_down);
int rig_command(struct rig *g, struct rig_node *n, uint16_t verb, const struct hd_vrrp_which *w);

struct hd_vrrp_row_router rig_router(struct rig *g, struct rig_node *n, unsigned index);
uint64_t rig_counter(struct rig *g, struct rig_node *n, const char *name);
/* How many of the routers say that they are Active of the virtual router with this index. */
unsigned rig_actives(struct rig *g, unsigned index);
unsigned rig_state(struct rig *g, struct rig_node *n, unsigned index);
/* The value of its virtual interface in the model. */
const struct hd_virtual_value *rig_virtual(struct rig_node *n, unsigned vrid);

struct hd_ip6 rig_ip(const char *text);
struct hd_ip6 rig_host(unsigned segment, uint8_t family, unsigned host);

#endif

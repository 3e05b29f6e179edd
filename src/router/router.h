/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A router: the cores of one node, the forwarding model between them, and the events that one core
 * raises for another. As pure as its cores: it is what drivers run.
 *
 * A router lives in one contiguous region or in a packed pool (lib/pool.h), at addresses that it
 * keeps for life.
 */
#ifndef HD_ROUTER_ROUTER_H
#define HD_ROUTER_ROUTER_H

#include "model/core.h"

/* Numbers of cores, also owners in the model. One line per protocol here and in cores.c. */
enum hd_core_number {
    HD_CORE_MODEL = 0, /* the router's own lists: labels, routes, adjacencies */
    HD_CORE_KIRA = 1,
    HD_CORE_SAMPLE = 2,
    HD_CORE_BFD = 3, /* before its clients: it knows an interface first */
    HD_CORE_VRRP = 4,
    HD_CORE_COUNT,
};

/* Lists of HD_CORE_MODEL. */
enum hd_model_list {
    HD_LIST_LABELS = 1, /* struct hd_row_label */
    HD_LIST_ROUTES,     /* struct hd_row_route */
    HD_LIST_ADJS,       /* struct hd_row_adj */
};

/* The way round, if the egress dies (doc/decisions/0026). */
enum hd_row_guard {
    HD_GUARD_NONE = 0,
    HD_GUARD_LINK, /* to the next node, avoiding the link */
    HD_GUARD_OWN,  /* one of the entry's own: to the path's end, or to a node behind the next */
};

struct hd_row_way {
    uint8_t guard; /* enum hd_row_guard */
    uint32_t ifindex;
    struct hd_ip6 next_hop;
    struct hd_label out;
};

struct hd_row_label {
    struct hd_label label;
    struct hd_label out;
    uint8_t act;
    uint8_t owner;
    uint8_t installed;
    uint8_t explicit_setup; /* by signalling, not by precomputation */
    uint32_t adj, ifindex;
    struct hd_ip6 next_hop;
    hd_time expires_in_ns; /* HD_NEVER: does not expire */
    struct hd_row_way way;
};

struct hd_row_route {
    struct hd_ip6 prefix;
    uint8_t len;
    uint8_t act;
    uint8_t owner;
    uint8_t installed;
    uint16_t mtu;
    uint32_t adj, ifindex;
    struct hd_label out;
    struct hd_ip6 next_hop;
    struct hd_row_way way;
};

struct hd_row_adj {
    uint32_t adj, ifindex;
    struct hd_ip6 link_local;
    struct hd_mac mac;
    uint8_t admitted, down, installed, owner;
};

struct hd_router;

struct hd_router_core {
    uint8_t core; /* enum hd_core_number */
    struct hd_start start;
};

struct hd_router_start {
    uint64_t seed;
    struct hd_ids *shared_ids; /* the simulator's; NULL: a table of its own */
    uint32_t ids_limit;        /* of the own table; 0: default */
    hd_time now;
};

#define HD_ROUTER_IDS_DEFAULT 65536

const struct hd_core_ops *hd_core_ops(uint8_t core);

/* Builds an empty router in the (zeroed) region: NULL when it is too small. */
struct hd_router *hd_router_create(void *region, size_t size, const struct hd_router_start *s);
/* The same in a pool that the caller made for it alone, and gives back after it. */
struct hd_router *hd_router_create_in(struct hd_pool *pool, const struct hd_router_start *s);

/* Adopted objects are put into hd_router_model() between create and this call. */
HD_MUST_USE int hd_router_start_core(struct hd_router *r, const struct hd_router_core *c,
                                     hd_time now, struct hd_effects *fx);

struct hd_answer hd_router_input(struct hd_router *r, const struct hd_input *in, hd_time now,
                                 struct hd_effects *fx);
struct hd_answer hd_router_due(struct hd_router *r, hd_time now, struct hd_effects *fx);
struct hd_answer hd_router_work(struct hd_router *r, uint32_t units, hd_time now,
                                struct hd_effects *fx);
HD_MUST_USE int hd_router_configure(struct hd_router *r, uint8_t core, const void *config,
                                    uint32_t len, hd_time now, struct hd_effects *fx);
/* Whether the core would take this configuration (core.h, check): 0, or why not. */
HD_MUST_USE int hd_router_check(struct hd_router *r, uint8_t core, const void *config, uint32_t len,
                                hd_time now);
/*
 * The same two for what differs from the configuration that the core took last: HD_EUNSUPPORTED for
 * a core that takes the whole only.
 */
HD_MUST_USE int hd_router_check_change(struct hd_router *r, uint8_t core,
                                       const struct hd_config_delta *d, hd_time now);
HD_MUST_USE int hd_router_change(struct hd_router *r, uint8_t core, const struct hd_config_delta *d,
                                 hd_time now, struct hd_effects *fx);
/* Says goodbye for one core and forgets it; the others go on. Nothing when it does not run. */
void hd_router_stop_core(struct hd_router *r, uint8_t core, hd_time now, struct hd_effects *fx);
uint32_t hd_router_rows(struct hd_router *r, uint8_t core, uint16_t list,
                        struct hd_row_cursor *cursor, void *out, uint32_t max, hd_time now);
void hd_router_stop(struct hd_router *r, hd_time now, struct hd_effects *fx);

struct hd_model *hd_router_model(struct hd_router *r);
struct hd_ids *hd_router_ids(struct hd_router *r);
struct hd_pool *hd_router_pool(struct hd_router *r);
/* State of a started core, NULL otherwise: for tests and checkers. */
void *hd_router_core_state(struct hd_router *r, uint8_t core);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwarding model (design.md, section 4): one typed statement per router of what its data plane
 * shall do. Cores edit it; the driver pulls the changes and realises them, in an order that never
 * lets a packet meet an object which is not there: adjacencies, guards, labels, routes when things
 * appear; routes, labels, guards, adjacencies when they go.
 *
 * Each object has a wanted value, the fact whether that value is installed, a reason when it was
 * refused, and an owner core. A core keeps no second copy: KIRA's label table is the label section
 * of this model, with the owner's two words beside each entry.
 *
 * After a restart of the router process the driver puts the objects that it finds in the kernel
 * into the model as `adopted`. An owner that sets one again claims it; hd_model_sweep removes what
 * nobody claimed.
 */
#ifndef HD_MODEL_FWD_H
#define HD_MODEL_FWD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/index.h"
#include "lib/map.h"
#include "lib/time.h"
#include "lib/vec.h"
#include "model/ids.h"

#define HD_LABELS_MAX_DEFAULT 65536
#define HD_ROUTES_MAX_DEFAULT 8192
#define HD_ADJS_MAX_DEFAULT   4096
#define HD_GUARDS_MAX_DEFAULT 16383 /* their numbers fit in half of a reference (hd_repair) */

/* A neighbour over one interface: what a packet needs to leave there. */
struct hd_adj_value {
    uint32_t ifindex;
    struct hd_ip6 link_local;
    struct hd_mac mac;
    /* Packets that arrive from here with our prefixes are accepted (member of the fabric). */
    bool admitted;
    /* Packets for it are repaired or dropped, and reported, without waiting for the routes. */
    bool down;
    /* Repairs what has no guard of its own: the packet's next label waits in the carry. 0: none. */
    uint16_t guard;
};

struct hd_label {
    uint8_t b[HD_ID_BYTES]; /* PathID, kira.md 2.3 */
};

/*
 * A guard: the way round a link or a node, prepared before that fails (doc/decisions/0026). A
 * packet that meets an egress which is down leaves over `adj` under `out` instead. What it has to
 * do where that label ends stands in the *carry*: a label in the place of the outer source address,
 * which the node there puts back as destination. A packet is repaired once: it bears a mark (a bit
 * of the outer flow label), and a marked packet that meets an egress which is down is dropped.
 *
 * A guard with `then` carries its own second half. It serves packets whose path ends where the way
 * ends, and no others: what goes on from there has its own label to carry.
 */
struct hd_guard_value {
    uint32_t adj; /* 0: no way is known */
    struct hd_label out;
    struct hd_label then; /* all zero: `out` leads to the end of the way */
};

/* What repairs the packets of a label or a route. */
struct hd_repair {
    struct hd_label then; /* carried; all zero: the path ends where the guard's way does */
    uint16_t guard;       /* 0: none but that of the adjacency, which carries `out` */
};

enum hd_label_act {
    HD_LABEL_DECAP = 1, /* the path ends here */
    HD_LABEL_SWAP,      /* out label, over adj */
};

struct hd_label_value {
    struct hd_label out; /* first: no gap between the names of an entry */
    uint8_t act;
    uint32_t adj;
};

static inline bool hd_label_is_none(const struct hd_label *l)
{
    uint8_t any = 0;

    for (unsigned i = 0; i < sizeof l->b; i++)
        any |= l->b[i];
    return any == 0;
}

enum hd_route_act {
    HD_ROUTE_LOCAL = 1,   /* own address */
    HD_ROUTE_DIRECT,      /* plain IPv6 to the neighbour adj */
    HD_ROUTE_ENCAP,       /* push out label, over adj */
    HD_ROUTE_UNREACHABLE, /* answered with destination unreachable */
};

struct hd_route_key {
    struct hd_ip6 prefix; /* bits past len are zero */
    uint8_t len;
};

struct hd_route_value {
    uint8_t act;
    uint16_t mtu; /* largest inner packet; 0: that of the interfaces */
    uint32_t adj;
    struct hd_label out;
};

enum hd_object_kind {
    HD_OBJ_ADJ = 1,
    HD_OBJ_GUARD,
    HD_OBJ_LABEL,
    HD_OBJ_ROUTE,
};
#define HD_OBJ_KINDS 4

/* What every object carries. */
struct hd_object {
    uint8_t owner;  /* core that wants it */
    uint8_t reason; /* negated hd_error of the last refusal, 0 when none */
    uint8_t wanted : 1;
    uint8_t installed : 1; /* the wanted value is in the data plane */
    uint8_t present : 1;   /* some value of it is in the data plane */
    uint8_t queued : 1;
    uint8_t adopted : 1;
    uint8_t in_use : 1;     /* the slot holds an object */
    uint8_t queued_del : 1; /* queued for deletion, not for setting */
    uint8_t in_flight;      /* changes pulled and not yet done */
    uint32_t next, prev;    /* in the change queue; next also in the free list */
};

struct hd_adj {
    struct hd_object o;
    struct hd_adj_value v;
};

struct hd_guard {
    struct hd_object o;
    struct hd_guard_value v;
};

/*
 * An entry names its repair in two bytes: 0: none; a guard, and nothing is carried; or, with this
 * bit, a place in the table of those that carry. So only what carries pays for it.
 */
#define HD_REPAIR_CARRIES 0x8000u

struct hd_label_entry {
    struct hd_object o;
    struct hd_label key;
    uint16_t repair; /* hd_model_repair */
    struct hd_label_value v;
    uint32_t owner_word; /* the owner's: KIRA keeps class bits */
    uint32_t until_s;    /* the owner's: second at which it takes the label out, 0: not by time */
};

_Static_assert(sizeof(struct hd_label_entry) <= 56,
               "a router has hundreds, next to a hub thousands");

struct hd_route_entry {
    struct hd_object o;
    struct hd_route_key key;
    uint16_t repair; /* hd_model_repair */
    struct hd_route_value v;
};

_Static_assert(sizeof(struct hd_route_entry) <= 56, "a router has hundreds");

struct hd_change_queue {
    uint32_t head, tail;
};

struct hd_table_free {
    uint32_t head;
    uint32_t live;
    uint32_t limit;
};

/*
 * Installed values that edits replaced. A driver in which changes take time to come into force (the
 * simulator) lends such a list for the length of a call; other drivers leave the pointer NULL.
 */
struct hd_model_old {
    uint8_t kind; /* enum hd_object_kind */
    uint32_t index;
    union {
        struct hd_adj_value adj;
        struct hd_guard_value guard;
        struct hd_label_value label;
        struct hd_route_value route;
    } v;
    struct hd_repair repair; /* of a label or a route */
};

/* Values that the data plane refused. */
struct hd_model_refused {
    uint32_t kind; /* enum hd_object_kind */
    uint32_t index;
    int32_t error;
};

struct hd_model_refused_list {
    struct hd_model_refused *v;
    uint32_t len, cap;
    uint32_t lost; /* found no room */
};

struct hd_model_old_list {
    struct hd_model_old *v;
    uint32_t len, cap;
    uint32_t lost; /* found no room */
    /* A driver that records lends this one while it realises changes; else NULL. */
    struct hd_model_refused_list *refused;
};

/* Guards and what uses them; made with the first, so that a router without has nothing of it. */
struct hd_guards {
    HD_VEC(struct hd_guard) v; /* index 0 unused in both */
    HD_VEC(struct hd_repair) repairs;
    struct hd_table_free free;
    uint32_t repairs_free, repairs_live; /* free ones are linked by `guard` */
    struct hd_change_queue set, del;
};

struct hd_model {
    struct hd_pool *pool;
    struct hd_model_old_list *old; /* lent by the driver during a call, else NULL */
    HD_VEC(struct hd_adj) adjs;    /* index 0 unused in all three */
    HD_VEC(struct hd_label_entry) labels;
    HD_VEC(struct hd_route_entry) routes;
    struct hd_table_free adj_free, label_free, route_free;
    struct hd_index label_index, route_index;
    struct hd_guards *guards;     /* NULL: none yet */
    struct hd_virtuals *virtuals; /* model/virtual.h; NULL: none yet */
    struct hd_liveness *live;     /* periodics and watches (model/liveness.h); NULL: none yet */
    /* changes to be pulled: sets by kind, then deletions in the opposite order */
    struct hd_change_queue queue[2 * (HD_OBJ_KINDS - 1)]; /* those of guards are with them */
    uint32_t queued;
    uint32_t in_flight;            /* changes pulled and not yet done */
    uint32_t refusals;             /* wanted values that the data plane refused, ever */
    uint32_t generation;           /* counts edits */
    uint32_t installed_generation; /* all edits up to here are realised */
    uint8_t lens_used[129];        /* how many routes of each prefix length (saturating) */
    uint64_t salt;
};

int hd_model_init(struct hd_model *m, struct hd_pool *pool, uint64_t salt);
void hd_model_free(struct hd_model *m);

/* Adds an adjacency: its index (> 0), or HD_ENOMEM / HD_ELIMIT. */
HD_MUST_USE int hd_model_adj_add(struct hd_model *m, uint8_t owner, const struct hd_adj_value *v);
/* Changes one; nothing happens when the value is the same. */
void hd_model_adj_set(struct hd_model *m, uint32_t adj, const struct hd_adj_value *v);
/* Removes one; the owner has removed or moved whatever used it. */
void hd_model_adj_del(struct hd_model *m, uint32_t adj);
/* How many guards there are. */
static inline uint32_t hd_model_guards(const struct hd_model *m)
{
    return m->guards != NULL ? m->guards->free.live : 0;
}
/* NULL when there is none; one whose deletion is not done yet is still found (o.wanted is 0). */
const struct hd_adj *hd_model_adj(const struct hd_model *m, uint32_t adj);
/* An adopted adjacency over this interface with this link-local address, else 0. */
uint32_t hd_model_adj_adopted(const struct hd_model *m, uint32_t ifindex,
                              const struct hd_ip6 *link_local);

/* Guards, as adjacencies: their numbers stand in what uses them. */
HD_MUST_USE int hd_model_guard_add(struct hd_model *m, uint8_t owner,
                                   const struct hd_guard_value *v);
void hd_model_guard_set(struct hd_model *m, uint32_t guard, const struct hd_guard_value *v);
void hd_model_guard_del(struct hd_model *m, uint32_t guard);
const struct hd_guard *hd_model_guard(const struct hd_model *m, uint32_t guard);

/*
 * Sets a label, claiming it if adopted: entry or NULL (limit, memory). The pointer is valid until
 * the next set; owner words are the caller's to write.
 */
struct hd_label_entry *hd_model_label_set(struct hd_model *m, uint8_t owner,
                                          const struct hd_label *key,
                                          const struct hd_label_value *v);
struct hd_label_entry *hd_model_label_find(const struct hd_model *m, const struct hd_label *key);
void hd_model_label_del(struct hd_model *m, const struct hd_label *key);

HD_MUST_USE int hd_model_route_set(struct hd_model *m, uint8_t owner,
                                   const struct hd_route_key *key, const struct hd_route_value *v);
struct hd_route_entry *hd_model_route_find(const struct hd_model *m,
                                           const struct hd_route_key *key);
void hd_model_route_del(struct hd_model *m, const struct hd_route_key *key);
/* Member by member: there is padding between them. */
bool hd_route_value_equal(const struct hd_route_value *a, const struct hd_route_value *b);
/* Longest match over the wanted routes; NULL when none matches. */
const struct hd_route_entry *hd_model_route_lookup(const struct hd_model *m,
                                                   const struct hd_ip6 *to);

/*
 * What repairs the packets of an entry. A set keeps it, a new entry has none. HD_ELIMIT or
 * HD_ENOMEM: it could not be kept, and the entry has none now.
 */
HD_MUST_USE int hd_model_label_repair(struct hd_model *m, struct hd_label_entry *e,
                                      const struct hd_repair *r);
HD_MUST_USE int hd_model_route_repair(struct hd_model *m, struct hd_route_entry *e,
                                      const struct hd_repair *r);
struct hd_repair hd_model_repair(const struct hd_model *m, uint16_t ref);

/* Steps through the objects of a kind that are wanted: start with 0, ends with 0. */
uint32_t hd_model_next(const struct hd_model *m, enum hd_object_kind kind, uint32_t after);
static inline struct hd_label_entry *hd_model_label_at(const struct hd_model *m, uint32_t i)
{
    return &m->labels.v[i];
}
static inline struct hd_route_entry *hd_model_route_at(const struct hd_model *m, uint32_t i)
{
    return &m->routes.v[i];
}

/* Removes adopted objects of the owner that were not claimed. */
void hd_model_sweep(struct hd_model *m, uint8_t owner);

/* --- for drivers ----------------------------------------------------------------------------- */

struct hd_change {
    enum hd_object_kind kind;
    bool del;
    uint32_t index;
};

/*
 * The next change in safe order; false when there is none. Coalesced: an object comes once. When
 * nothing is on its way at all, tables of labels and routes that have become sparse are packed:
 * their entries get other indices, so nobody keeps an index or a pointer over that.
 */
bool hd_model_pull(struct hd_model *m, struct hd_change *c);
/* Says how a pulled change ended: error 0 or an hd_error. Deleted objects are forgotten here. */
void hd_model_done(struct hd_model *m, const struct hd_change *c, int error);
/*
 * What waits to be pulled, in the order in which it will be: queues 0 to 2 * HD_OBJ_KINDS - 1, each
 * of one kind, linked by `next`. NULL: that of guards, before there is one.
 */
const struct hd_change_queue *hd_model_queue(const struct hd_model *m, unsigned number,
                                             enum hd_object_kind *kind);
/* All changes pulled so far are in place: `send` effects that wait for them may go. */
void hd_model_realised(struct hd_model *m, uint32_t generation);
/* The kernel lost an object (found by reconciliation): it is queued again. */
void hd_model_lost(struct hd_model *m, enum hd_object_kind kind, uint32_t index);

/* Adoption at start-up; indices of adjacencies and guards are kept. */
HD_MUST_USE int hd_model_adopt_adj(struct hd_model *m, uint8_t owner, uint32_t adj,
                                   const struct hd_adj_value *v);
HD_MUST_USE int hd_model_adopt_guard(struct hd_model *m, uint8_t owner, uint32_t guard,
                                     const struct hd_guard_value *v);
HD_MUST_USE int hd_model_adopt_label(struct hd_model *m, uint8_t owner, const struct hd_label *key,
                                     const struct hd_label_value *v, const struct hd_repair *r);
HD_MUST_USE int hd_model_adopt_route(struct hd_model *m, uint8_t owner,
                                     const struct hd_route_key *key, const struct hd_route_value *v,
                                     const struct hd_repair *r);

#endif

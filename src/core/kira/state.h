/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal state of the KIRA core: who is who. Everything lies in the router's pool. Objects name
 * each other by node handle (model/ids.h), since tables move and shrink.
 *
 * Life of knowledge: messages.c takes a datagram in; neighbours.c and vicinity.c keep the
 * surroundings in step; contacts.c keeps the buckets, whose paths lie in one tree (paths.c); map.c
 * searches all known links at once; probe.c and search.c ask the network; failure.c takes links
 * out; labels.c and routes.c turn what is known into the forwarding model.
 */
#ifndef HD_CORE_KIRA_STATE_H
#define HD_CORE_KIRA_STATE_H

#include "core/kira/guards.h"
#include "core/kira/kira.h"
#include "core/kira/limits.h"
#include "core/kira/wire.h"
#include "lib/base.h"
#include "lib/hash.h"
#include "lib/index.h"
#include "lib/timerq.h"
#include "lib/vec.h"

/* Names of timer events. */
enum kira_timer {
    KIRA_T_HELLO = 1, /* of an interface */
    KIRA_T_LINK,      /* liveness of a link */
    KIRA_T_REQUEST,   /* a request's time-out */
    KIRA_T_SEARCH,    /* a search's next step */
    KIRA_T_QUERY,     /* vicinity queries */
    KIRA_T_JOIN,
    KIRA_T_EXPLORE,
    KIRA_T_PROBE, /* contacts that wait to be probed */
    KIRA_T_UPDATE,
    KIRA_T_GUARD, /* a pass over the guards */
    KIRA_T_TICK,  /* once per second: ages, expiry */
    KIRA_T_COMMAND,
    KIRA_T_REST, /* the sequence number is at its end */
};

enum kira_class {
    KIRA_CLASS_DISCOVERY = 0,
    KIRA_CLASS_LOOKUP,
    KIRA_CLASS_PROBE,
    KIRA_CLASS_UPDATE,
    KIRA_CLASS_ERROR,
    KIRA_CLASS_ECHO,
    KIRA_CLASSES,
};

/* A token bucket: whole tokens and the instant of the last refill in ms since the start. */
struct kira_bucket {
    uint32_t tokens;
    uint32_t refill_ms;
};

struct kira_interface {
    uint32_t ifindex;
    char name[HD_IF_NAME];
    bool up, usable;
    uint8_t why_not;
    uint32_t mtu;
    struct hd_mac mac;
    struct hd_ip6 link_local;
    hd_time hello_interval;
    struct hd_timer hello;
    struct kira_bucket strangers;
    struct kira_link *heard; /* last, over it; where there is only one it is found at once */
};

/* One of possibly several links to an underlay neighbour (ULN). */
struct kira_link {
    uint32_t ifindex;
    uint32_t adj; /* in the model */
    struct hd_ip6 link_local;
    struct hd_mac mac;
    hd_time up_since, last_heard, echo_sent;
    hd_time rtt; /* smoothed, 0: unknown */
    uint64_t nonce;
    uint64_t peer_counter; /* highest MAC counter seen, and a bit for each of the 64 before it */
    uint64_t peer_window;
    uint8_t misses;
    uint8_t loss;  /* smoothed share of lost echoes, 1/256 */
    uint8_t state; /* enum hd_kira_link_state */
    bool authenticated;
    bool dead; /* kept for its labels' sake (HD_KIRA_DOWN_MEMORY) */
    struct kira_bucket rate[KIRA_CLASSES];
    struct hd_timer timer;
    hd_node node;
};

struct kira_uln {
    hd_node node;
    uint8_t bits; /* shared with the own ID */
    uint8_t capabilities;
    bool alive;      /* at least one link is up */
    bool end_system; /* forwards nothing (kira.md 5.12): never in the middle of a path */
    uint8_t links_len;
    struct hd_label label; /* of the path that is this neighbour alone */
    struct kira_link *links[HD_KIRA_LINKS_PER_ULN];
    uint32_t labels;  /* explicit labels set up by messages from it */
    uint32_t two_hop; /* precomputed labels over it */
    uint16_t guard;   /* in the model, of its adjacencies; 0: none */
    bool asking;      /* a discovery request is under way */
    bool asked_again; /* news came meanwhile */
    bool told_hub;    /* whoever has our list knows it for a hub (kira_hub_news) */
};

/* A node at one or two hops and its neighbours, as it named them. */
struct kira_vicinity {
    hd_node node;
    uint32_t observed, synched;
    uint32_t query_ms; /* not asked before */
    hd_node *list;
    uint16_t list_len;  /* allocated exactly; a part of a hub's at two hops */
    uint16_t degree;    /* how many there are in all, 0: not known; others may have said so first */
    uint8_t distance;   /* 1, 2; 0: to be dropped */
    uint8_t query_step; /* doublings of HD_KIRA_QUERY_GAP */
    bool synched_once : 1;
    bool querying : 1;
    bool end_system : 1;
    bool can_carry : 1;
};

_Static_assert(sizeof(struct kira_vicinity) <= 32, "there are thousands around a hub");

struct kira_trie_node {
    hd_node node;
    uint16_t parent, child, next;
    uint16_t refs; /* paths that end here and children */
};

#define KIRA_CONTACT_ON_DEMAND 0x01 /* outside the buckets */
#define KIRA_CONTACT_SETUP     0x02 /* explicit labels of `active` are confirmed */
#define KIRA_CONTACT_DIRTY     0x04 /* its host route has to be looked at */
#define KIRA_CONTACT_ROUTE     0x08 /* a host route is in the model */
#define KIRA_CONTACT_PROBING   0x10 /* a probe is under way */
#define KIRA_CONTACT_WANTED    0x20 /* waits for a probe at probe_ms */
#define KIRA_CONTACT_CHOSEN    0x40 /* carries a bucket's prefix route */
#define KIRA_CONTACT_REPAIR    0x80 /* the active path replaces one that broke */

struct kira_contact {
    hd_node node;
    uint32_t ssn;
    uint32_t seen_ms;          /* last validation, ms since start */
    uint16_t active, proposed; /* ends of paths in the tree, 0: none */
    uint16_t mtu;              /* of inner packets, 0: default */
    uint16_t used_s;           /* last traffic report (kira_seconds), 0: none in the last minutes */
    uint16_t setup_s;          /* with SETUP: labels last confirmed */
    uint16_t probe_ms;         /* with WANTED: low bits of the instant, at most seconds away */
    uint8_t len, proposed_len;
    uint8_t state; /* enum hd_kira_contact_state */
    uint8_t flags;
    uint8_t bits; /* shared with the own ID */
    bool end_system;
    bool labelled; /* the host route in the model has the label of `active` */
};

_Static_assert(sizeof(struct kira_contact) <= 32, "a router has hundreds");

enum kira_request_kind {
    KIRA_REQ_DISC = 1,
    KIRA_REQ_QUERY,
    KIRA_REQ_JOIN,
    KIRA_REQ_EXPLORE,
    KIRA_REQ_PROBE, /* of a contact's active or proposed path */
    KIRA_REQ_SEARCH,
    KIRA_REQ_CHECK, /* liveness of a foreign neighbour by ProbeReq */
    KIRA_REQ_GUARD, /* a guard's way, by ProbeReq; via: round whom */
    KIRA_REQ_ROUND, /* the same, asked for by FindNodeReq */
    KIRA_REQ_PING,
    KIRA_REQ_TRACE,
    KIRA_REQ_WAY,
};

/* Asked by a person. */
static inline bool kira_request_of_command(uint8_t kind)
{
    return kind == KIRA_REQ_PING || kind == KIRA_REQ_TRACE || kind == KIRA_REQ_WAY;
}

struct kira_request {
    uint64_t msg_id;
    uint8_t kind;
    uint8_t tries;
    bool proposed;    /* PROBE: of the proposed path */
    hd_node node;     /* target */
    hd_node via;      /* GUARD, ROUND: round whom */
    uint32_t command; /* PING, TRACE, WAY */
    uint32_t number;  /* PING: sequence; TRACE: hop */
    uint32_t ifindex; /* DISC, CHECK */
    hd_time wait;     /* PROBE: this try's time-out */
    hd_time sent;
    struct hd_timer timer;
};

struct kira_search {
    hd_node node;
    uint8_t round;
    uint8_t open; /* requests under way */
    uint8_t vias_len;
    uint8_t dead_ends; /* in this round */
    bool urgent;
    hd_time wait;
    hd_node vias[HD_KIRA_SEARCH_VIA];
    struct hd_timer timer;
};

struct kira_failed_link {
    hd_node a, b; /* by identifier: a < b */
    hd_time at;
};

struct kira_update {
    hd_node node;
    uint8_t action;
};

struct kira_command {
    uint32_t id;
    uint16_t verb;
    bool resolved;
    hd_node node;
    struct hd_kira_command args;
    uint32_t sent, answered;
    hd_time end;
    struct hd_timer timer;
    /* path: the hops to be measured, first those of the way of first packets */
    bool asked_way, asking_way;
    uint16_t hops_len, hops_cap, hops_open;
    struct hd_kira_row_hop *hops;
};

/* Drops beyond those of the decoder. */
enum kira_drop {
    KIRA_DROP_DOMAIN = HD_KIRA_WIRE_ERROR_COUNT,
    KIRA_DROP_INTERFACE, /* not one of ours */
    KIRA_DROP_NOT_LINK_LOCAL,
    KIRA_DROP_UNAUTHENTICATED,
    KIRA_DROP_REPLAY,
    KIRA_DROP_RATE,
    KIRA_DROP_OWN_ID,
    KIRA_DROP_NOT_FOR_US,   /* id[index] is another node */
    KIRA_DROP_PREVIOUS_HOP, /* id[index-1] is not the sender */
    KIRA_DROP_STRANGER,     /* no neighbour, and not a message that makes one */
    KIRA_DROP_TABLE_FULL,
    KIRA_DROP_NO_MEMORY,
    KIRA_DROP_NO_REQUEST, /* a response that nobody asked for */
    KIRA_DROP_NEXT_HOP,   /* source route over a node that is no neighbour */
    KIRA_DROP_ROUTED,     /* not a notice */
    KIRA_DROP_TOO_LONG,
    KIRA_DROP_NOT_SERVED, /* DHT and code points without a procedure */
    KIRA_DROP_NO_ADDRESS, /* would make a neighbour, and its link-layer address is unknown */
    KIRA_DROP_RESTING,
    KIRA_DROPS,
};

enum kira_count {
    KIRA_N_NEIGHBOUR_UP = 0,
    KIRA_N_NEIGHBOUR_DOWN,
    KIRA_N_LINK_SILENT,
    KIRA_N_LINK_FAILED_REMOTE,
    KIRA_N_CONTACT_NEW,
    KIRA_N_CONTACT_REPLACED,
    KIRA_N_CONTACT_DEAD,
    KIRA_N_REPAIR_KNOWN,
    KIRA_N_REPAIR_SEARCH,
    KIRA_N_SEARCH,
    KIRA_N_SEARCH_FAILED,
    KIRA_N_NOTICE_SENT,
    KIRA_N_NOTICE_RECEIVED,
    KIRA_N_LABEL_REFUSED,
    KIRA_N_PATH_TOO_LONG,
    KIRA_N_NO_MEMORY,
    KIRA_N_ECHO_SENT,
    KIRA_N_ECHO_REPLY,
    KIRA_N_ID_COLLISION,
    KIRA_N_STITCHED,
    KIRA_N_GUARD_READY,
    KIRA_N_GUARD_SET_UP,
    KIRA_N_GUARD_ASKED,
    KIRA_N_GUARD_LOST,
    KIRA_COUNTS,
};

#define KIRA_TYPES 19 /* message types counted apart, see kira_type_slot */

struct kira {
    struct hd_kira_config cfg;
    struct hd_id id;
    hd_node self;
    uint32_t key;
    hd_time started;
    uint32_t ssn, ssn_ceiling;
    uint64_t mac_counter;
    bool stopping, isolated, id_collision, joined, no_memory;
    bool resting;             /* neither speaks nor listens (sequence.c) */
    bool save_late;           /* the saved list of neighbours is not that of now */
    bool collect;             /* identifiers have to be collected when nothing else is to do */
    uint8_t state;            /* enum hd_kira_state */
    bool bucket_dirty;        /* prefix routes have to be looked at, those of */
    uint64_t prefix_dirty[2]; /* the buckets whose bits are set */
    bool labels_dirty;        /* an allocation failed: rebuild the precomputed labels */
    bool vicinity_dirty;      /* distances have to be computed again */
    uint32_t contacts_dirty;

    HD_VEC(struct kira_interface *) interfaces;
    HD_VEC(struct kira_uln *) ulns;
    HD_VEC(struct kira_vicinity *) vicinity;
    HD_VEC(struct kira_contact) contacts;
    HD_VEC(struct kira_trie_node) trie;
    HD_VEC(struct kira_request *) requests;
    HD_VEC(struct kira_search *) searches;
    HD_VEC(struct kira_command *) commands;
    HD_VEC(struct kira_failed_link) failed;
    HD_VEC(struct kira_guard) guards;
    struct hd_index vicinity_index, contact_index, uln_index; /* by kira_node_hash */
    uint64_t
        uln_filter;  /* a bit for each neighbour: nearly all nodes that are asked for are none */
    uint32_t degree; /* neighbours that are alive */
    struct hd_index guard_index;
    uint32_t guards_set_up; /* ways that others keep labels for */
    uint32_t guard_at;      /* neighbour at which a pass stands */
    bool guards_off, guard_pass;
    bool some_cannot; /* put back what is carried, of those that have told */
    uint16_t trie_free;
    uint16_t buckets;                    /* how many; the last one holds the rest */
    uint16_t in_bucket[HD_ID_BITS + 1];  /* contacts by shared bits, without on-demand */
    uint8_t bucket_cost[HD_ID_BITS + 1]; /* no contact of a bucket costs more; 0: not known now */
    uint32_t on_demand;
    uint32_t labels_explicit, labels_two_hop;
    uint16_t two_hop_share; /* of the two-hop labels, for each neighbour */
    uint32_t label_sweep;   /* where the sweep of expired labels stands */
    uint16_t prefixes;      /* buckets that may have a prefix route */
    struct kira_bucket flow_searches, notices, not_via, notices_sent, doubts, saves, guard_rate;

    struct hd_timerq timers;
    struct hd_timer query, join, explore, probe, update, guard, tick, rest;
    hd_time rest_until;
    hd_time join_wait, explore_wait, last_update, last_route_change, sweep_at;
    hd_time last_bucket_news;
    uint32_t explore_window, explore_sum; /* improvement bookkeeping */
    uint32_t queries_open;
    hd_time last_notice;
    hd_node last_notice_to;
    uint32_t updates_len;
    struct kira_update updates[HD_KIRA_UPDATE_PENDING];

    uint32_t rx[KIRA_TYPES], tx[KIRA_TYPES], forwarded[KIRA_TYPES];
    uint64_t rx_bytes, tx_bytes[KIRA_TYPES], echo_bytes;
    uint32_t drops[KIRA_DROPS];
    uint32_t counts[KIRA_COUNTS];
};

/* One call into the core: its state and the caller's context. */
struct kira_call {
    struct kira *k;
    struct hd_ctx *c;
};

/* --- small helpers (kira.c) ---------------------------------------------------------------------
 */

/* Short instants: ms since the start, never 0. They wrap after 49 days, so they are compared by
 * their distance, which is at most some minutes. */
static inline uint32_t kira_ms(const struct kira *k, hd_time at)
{
    uint32_t ms = (uint32_t)((at - k->started) / HD_MS(1)) + 1;
    return ms == 0 ? 1 : ms;
}
static inline bool kira_ms_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}
/* Shorter still: seconds since the start, never 0. They wrap after 18 hours: whoever keeps one
 * clears it while it is young. */
static inline uint16_t kira_seconds(const struct kira *k, hd_time at)
{
    uint16_t s = (uint16_t)((at - k->started) / HD_SEC(1) + 1);
    return s == 0 ? 1 : s;
}
static inline hd_time kira_seconds_since(const struct kira *k, hd_time now, uint16_t then)
{
    return HD_SEC((uint16_t)(kira_seconds(k, now) - then));
}
static inline const struct hd_id *kira_id(const struct kira_call *x, hd_node n)
{
    return hd_ids_get(x->c->ids, n);
}
static inline void kira_count(struct kira_call *x, enum kira_count n)
{
    x->k->counts[n]++;
}
void kira_arm(struct kira_call *x, struct hd_timer *t, enum kira_timer kind, hd_time at);
static inline void kira_disarm(struct kira_call *x, struct hd_timer *t)
{
    hd_timer_stop(&x->k->timers, t);
}
static inline hd_time kira_jitter(struct kira_call *x, hd_time duration)
{
    return hd_random_jitter(x->c->random, duration);
}
void kira_no_memory(struct kira_call *x);
/* Tables of nodes are indexed by their handles, which nobody outside can choose. */
static inline uint32_t kira_node_hash(hd_node n)
{
    return (uint32_t)(n * 0x9e3779b97f4a7c15ULL >> 32);
}
void kira_event(struct kira_call *x, enum hd_kira_event event, hd_node node, hd_node peer,
                uint32_t ifindex, uint32_t value);
void kira_log_node(struct kira_call *x, enum hd_log_level level, const char *cause, hd_node node,
                   const char *key, uint64_t value);
bool kira_take_tokens(struct kira_call *x, struct kira_bucket *b, uint32_t rate, uint32_t burst,
                      uint32_t cost);
static inline bool kira_take_token(struct kira_call *x, struct kira_bucket *b, uint32_t rate,
                                   uint32_t burst)
{
    return kira_take_tokens(x, b, rate, burst, 1);
}
void kira_update_state(struct kira_call *x);
void kira_save(struct kira_call *x, uint16_t key, const void *bytes, uint32_t len);

/* --- sequence.c ---------------------------------------------------------------------------------
 */
/* Takes up the saved number (NULL: none). */
void kira_sequence_start(struct kira_call *x, const struct hd_saved_value *saved);
/* The own set of neighbours changed: new sequence number, hellos to all, another join. */
void kira_sequence_step(struct kira_call *x, bool gained);
/* Only the first two: what is told of a neighbour changed. */
void kira_sequence_next(struct kira_call *x);
void kira_goodbye(struct kira_call *x);
void kira_rest_due(struct kira_call *x);

/* --- interfaces.c -------------------------------------------------------------------------------
 */
void kira_interface_input(struct kira_call *x, const struct hd_in_interface *in);
struct kira_interface *kira_interface_find(struct kira *k, uint32_t ifindex);
void kira_hello_due(struct kira_call *x, struct kira_interface *i);
void kira_hello_all(struct kira_call *x, hd_time within);
void kira_hello_restart(struct kira_call *x, uint32_t ifindex);
void kira_save_neighbours(struct kira_call *x);
void kira_save_no_neighbours(struct kira_call *x);
void kira_save_tick(struct kira_call *x);
bool kira_resume_neighbours(struct kira_call *x, const void *bytes, uint32_t len);

/* --- neighbours.c -------------------------------------------------------------------------------
 */
struct kira_uln *kira_uln_find(struct kira *k, hd_node node);
static inline bool kira_uln_alive(struct kira *k, hd_node node)
{
    struct kira_uln *u = kira_uln_find(k, node);
    return u != NULL && u->alive;
}
/* What the others are told. */
static inline uint32_t kira_degree(const struct kira *k)
{
    return k->degree;
}
/* The link in use; NULL when the neighbour is down. */
struct kira_link *kira_uln_best(const struct kira_uln *u);
struct kira_link *kira_link_of(struct kira *k, uint32_t ifindex, const struct hd_ip6 *link_local,
                               struct kira_uln **uln);
/* Makes or revives the link over which a node was heard; NULL when a limit says no. */
struct kira_link *kira_link_heard(struct kira_call *x, hd_node node,
                                  const struct hd_in_datagram *d);
struct kira_link *kira_link_adopt(struct kira_call *x, hd_node node, uint32_t ifindex,
                                  const struct hd_ip6 *link_local, const struct hd_mac *mac);
void kira_link_down(struct kira_call *x, struct kira_uln *u, struct kira_link *l);
/* Brings the adjacencies of all its links up to date. */
void kira_links_model(struct kira_call *x, struct kira_uln *u);
void kira_links_of_interface_down(struct kira_call *x, uint32_t ifindex);
void kira_on_hello(struct kira_call *x, const struct hd_kira_msg *m,
                   const struct hd_in_datagram *d);
void kira_on_disc(struct kira_call *x, const struct hd_kira_msg *m, const struct hd_in_datagram *d);
void kira_ask(struct kira_call *x, struct kira_uln *u);
void kira_ask_stranger(struct kira_call *x, const struct hd_kira_msg *m,
                       const struct hd_in_datagram *d);
void kira_disc_timeout(struct kira_call *x, struct kira_request *r);
void kira_neighbours_tick(struct kira_call *x);

/* --- liveness.c ---------------------------------------------------------------------------------
 */
void kira_link_alive(struct kira_call *x, struct kira_link *l, hd_time arrived);
void kira_link_watch(struct kira_call *x, struct kira_link *l);
void kira_link_due(struct kira_call *x, struct kira_link *l, hd_time armed_for);
bool kira_link_watched(struct kira_call *x, const struct kira_link *l);
void kira_on_echo(struct kira_call *x, const struct hd_kira_echo *e,
                  const struct hd_in_datagram *d);

/* --- vicinity.c ---------------------------------------------------------------------------------
 */
struct kira_vicinity *kira_vicinity_find(struct kira *k, hd_node node);
/* A sequence number was heard of; asks the node when it is news. */
void kira_vicinity_observe(struct kira_call *x, hd_node node, uint32_t ssn);
/* The same from somebody's list, with the degree of the node as that one knows it. */
void kira_vicinity_listed(struct kira_call *x, hd_node node, uint32_t ssn, uint32_t degree);
/* What is known of a node's degree does not fit what happens: it is asked again. */
void kira_vicinity_doubt(struct kira_call *x, hd_node node);
/* A node's neighbour list, for its sequence number. */
/* degree: how many it has in all; a list that is shorter than that tells of no loss. */
void kira_vicinity_list(struct kira_call *x, hd_node node, uint32_t ssn, const hd_node *list,
                        uint32_t len, uint32_t degree);
void kira_vicinity_refresh(struct kira_call *x);
/* Our number steps: its list tells of each neighbour whether it is a hub. */
void kira_hubs_told(struct kira *k);
bool kira_vicinity_has_edge(struct kira *k, hd_node a, hd_node b);
/* The neighbour over which a node at two hops is reached, of several that with the smallest
 * identifier; 0: none. */
hd_node kira_two_hop_via(struct kira_call *x, hd_node node);
void kira_query_due(struct kira_call *x);
void kira_on_query_req(struct kira_call *x, const struct hd_kira_msg *m);
void kira_on_query_rsp(struct kira_call *x, const struct hd_kira_msg *m);
void kira_query_timeout(struct kira_call *x, struct kira_request *r);
bool kira_ssn_newer(uint32_t a, uint32_t b);

/* --- paths.c ------------------------------------------------------------------------------------
 */
/* Puts a path into the tree: its end (one more reference), or 0 when there is no room. */
uint16_t kira_path_insert(struct kira_call *x, const hd_node *path, uint32_t len);
void kira_path_release(struct kira *k, uint16_t end);
/* Nodes of the path in order into out (HD_KIRA_PATH_MAX); the length. */
uint32_t kira_path_read(const struct kira *k, uint16_t end, hd_node *out);
hd_node kira_path_first(const struct kira *k, uint16_t end);
bool kira_path_has_link(const struct kira *k, uint16_t end, hd_node self, hd_node a, hd_node b);
bool kira_path_has_node(const struct kira *k, uint16_t end, hd_node n);
/* Cuts cycles and whatever leads back to self: new length, 0 when nothing is left. */
uint32_t kira_path_clean(hd_node self, hd_node *path, uint32_t len);

/* --- map.c --------------------------------------------------------------------------------------
 */
struct kira_map;
#define KIRA_MAP_NODES 2048
#define KIRA_MAP_EDGES 6144
struct kira_map_node {
    hd_node node;
    uint16_t dist, parent; /* dist 0xffff: not reached */
    uint16_t first;        /* chain of edges */
    bool end_system;       /* reached, but nobody behind it */
};
struct kira_map_edge {
    uint16_t to, next;
};
struct kira_map {
    uint32_t nodes, edges;
    struct kira_map_node node[KIRA_MAP_NODES];
    struct kira_map_edge edge[KIRA_MAP_EDGES];
    uint16_t slot[2 * KIRA_MAP_NODES];
    uint16_t queue[KIRA_MAP_NODES];
};
/* Gathers all known links that are not remembered as failed. */
void kira_map_build(struct kira_call *x, struct kira_map *m);
/* Adds a path from self, e.g. of an answer. */
void kira_map_add_path(struct kira_call *x, struct kira_map *m, const hd_node *path, uint32_t len);
/* Shortest paths from self over everything added. */
void kira_map_solve(struct kira_call *x, struct kira_map *m);
/*
 * The same without the link to the neighbour `y`, or without y at all (node); the first hop leaves
 * over another interface than `not_over`.
 */
void kira_map_solve_round(struct kira_call *x, struct kira_map *m, hd_node y, bool node,
                          uint32_t not_over);
/*
 * The path found to a node: its length, 0 when there is none. Of several the one whose nodes, from
 * the last one backwards, come first by identifier: others choose the same, and share its labels.
 */
uint32_t kira_map_way(const struct kira_call *x, const struct kira_map *m, hd_node to,
                      hd_node *out);
/* The path that the search met first. */
uint32_t kira_map_path(const struct kira_map *m, hd_node to, hd_node *out);

/* --- contacts.c ---------------------------------------------------------------------------------
 */
struct kira_contact *kira_contact_find(struct kira *k, hd_node node);
enum kira_source {
    KIRA_VALIDATED, /* a message really travelled the path */
    KIRA_NAMED,     /* somebody named it */
};
/* Learns of a node over a path (4.4). age_ms: of the knowledge. NULL: not kept. */
struct kira_contact *kira_contact_learn(struct kira_call *x, const hd_node *path, uint32_t len,
                                        uint32_t ssn, uint32_t age_ms, enum kira_source source);
struct kira_contact *kira_contact_add_on_demand(struct kira_call *x, hd_node node);
void kira_contact_remove(struct kira_call *x, struct kira_contact *p);
/* Gives memory back that a starting network had filled. */
void kira_contacts_shrink(struct kira_call *x);
void kira_contact_dirty(struct kira_call *x, struct kira_contact *p);
void kira_contacts_dirty_all(struct kira_call *x);
/* A contact with so many shared bits may cost its bucket more than before. */
void kira_bucket_dearer(struct kira *k, uint8_t bits);
/* Nobody that shares so many bits gets into its bucket at this cost, or changes it. */
bool kira_bucket_is_closed(struct kira *k, uint8_t bits, uint32_t cost);
/* Those whose need of a set-up depends on what is known of this node. */
void kira_contacts_dirty_over(struct kira_call *x, hd_node node);
/* The same for their prefix routes alone, and not at once. */
void kira_prefixes_doubt_over(struct kira_call *x, hd_node node);
void kira_contact_set_active(struct kira_call *x, struct kira_contact *p, uint16_t end,
                             uint8_t len);
bool kira_contact_close(const struct kira *k, const struct kira_contact *p);
bool kira_contact_in_use(struct kira_call *x, const struct kira_contact *p);
/* Does it carry data or stand where it will: close, chosen, in use (doc/decisions/0004). */
bool kira_contact_carries(struct kira_call *x, const struct kira_contact *p);
uint16_t kira_bucket_of(const struct kira *k, uint8_t bits);

struct kira_candidate {
    hd_node node;
    uint8_t len; /* nodes in the path; 1 for a neighbour */
};
/*
 * Up to n known nodes closest to target by XOR, nearest first; with `through` only those that a
 * message may pass through.
 */
uint32_t kira_closest(struct kira_call *x, const struct hd_id *target, hd_node except, bool through,
                      struct kira_candidate *out, uint32_t n);
/* Next overlay hop towards target with proximity selection; 0 when nobody is closer than self. */
hd_node kira_next_hop(struct kira_call *x, const struct hd_id *target, hd_node except);
/* Path to a neighbour or contact: its length, 0 when unknown. */
uint32_t kira_path_to(struct kira_call *x, hd_node node, hd_node *out);

/* --- messages.c ---------------------------------------------------------------------------------
 */
void kira_datagram(struct kira_call *x, const struct hd_in_datagram *d, hd_time arrived);
void kira_drop(struct kira_call *x, unsigned reason);
struct kira_out {
    struct hd_effect *fx;
    struct hd_writer w;
    uint8_t type;
    bool forwarded; /* somebody else's */
    hd_node next;   /* of a reply: who gets it */
};
/* Begins a message; false when there is no room (counted). */
bool kira_out_begin(struct kira_call *x, struct kira_out *o, uint8_t type, uint8_t flags,
                    const struct hd_id *dest, uint64_t msg_id, uint32_t room);
void kira_out_route(struct kira_call *x, struct kira_out *o, const hd_node *path, uint32_t len);
void kira_out_not_via(struct kira_call *x, struct kira_out *o);
/* Ends it and hands it to a neighbour (link NULL: its best), or to all on an interface. */
void kira_out_to_uln(struct kira_call *x, struct kira_out *o, hd_node uln);
void kira_out_to_link(struct kira_call *x, struct kira_out *o, const struct kira_link *l);
void kira_out_to(struct kira_call *x, struct kira_out *o, uint32_t ifindex,
                 const struct hd_ip6 *to);
void kira_out_routed(struct kira_call *x, struct kira_out *o, hd_node node);
void kira_out_cancel(struct kira_call *x, struct kira_out *o);
/* A response over the reversed travelled route of m. */
bool kira_reply_begin(struct kira_call *x, struct kira_out *o, uint8_t type,
                      const struct hd_kira_msg *m, uint32_t room);
void kira_reply_send(struct kira_call *x, struct kira_out *o);
void kira_twin_seen(struct kira_call *x, uint32_t ifindex);
uint64_t kira_msg_id(struct kira_call *x);
/* Handles of the reversed travelled route, nearest first; 0 when an ID found no room. */
uint32_t kira_reverse_route(struct kira_call *x, const struct hd_kira_msg *m, hd_node *out);
unsigned kira_type_slot(uint8_t type);

/* --- requests.c ---------------------------------------------------------------------------------
 */
struct kira_request *kira_request_new(struct kira_call *x, uint8_t kind, hd_node node,
                                      hd_time timeout);
struct kira_request *kira_request_find(struct kira *k, uint64_t msg_id);
void kira_request_end(struct kira_call *x, struct kira_request *r);
void kira_request_due(struct kira_call *x, struct kira_request *r);
/* Ends the requests of a kind for a node; how many there were. */
uint32_t kira_requests_cancel(struct kira_call *x, uint8_t kind, hd_node node);

/* --- lookup.c -----------------------------------------------------------------------------------
 */
void kira_join_soon(struct kira_call *x, bool gained);
void kira_join_due(struct kira_call *x);
void kira_explore_due(struct kira_call *x);
bool kira_find_send(struct kira_call *x, struct kira_request *r, const struct hd_id *dest,
                    uint8_t flags, hd_node via);
void kira_on_find_req(struct kira_call *x, const struct hd_kira_msg *m);
void kira_on_find_rsp(struct kira_call *x, const struct hd_kira_msg *m);
void kira_new_close_contact(struct kira_call *x, hd_node node);
/* Learns all entries of an rtable that came from `reporter` (path given, nearest first). */
void kira_learn_rtable(struct kira_call *x, const struct hd_kira_msg *m, const hd_node *path,
                       uint32_t len, bool stitch);

/* --- probe.c ------------------------------------------------------------------------------------
 */
void kira_probe_want(struct kira_call *x, struct kira_contact *p, hd_time within);
void kira_probe_due(struct kira_call *x);
bool kira_probe_send(struct kira_call *x, struct kira_contact *p, bool proposed, hd_time timeout,
                     uint8_t tries);
void kira_probe_path(struct kira_call *x, struct kira_request *r, const hd_node *path,
                     uint32_t len);
void kira_on_probe_req(struct kira_call *x, const struct hd_kira_msg *m);
void kira_on_probe_rsp(struct kira_call *x, const struct hd_kira_msg *m);
void kira_probe_timeout(struct kira_call *x, struct kira_request *r);
void kira_contacts_tick(struct kira_call *x);

/* --- search.c -----------------------------------------------------------------------------------
 */
void kira_search_start(struct kira_call *x, hd_node node, hd_time wait, bool urgent);
struct kira_search *kira_search_find(struct kira *k, hd_node node);
void kira_search_due(struct kira_call *x, struct kira_search *s);
void kira_search_answered(struct kira_call *x, struct kira_request *r);
void kira_search_refused(struct kira_call *x, struct kira_request *r);
void kira_search_dead_end(struct kira_call *x, hd_node node);
void kira_search_end(struct kira_call *x, hd_node node);

/* --- failure.c ----------------------------------------------------------------------------------
 */
/* A link is known not to work any more: contacts over it are repaired or searched. */
void kira_link_failed(struct kira_call *x, hd_node a, hd_node b, hd_time at);
void kira_link_works(struct kira_call *x, hd_node a, hd_node b);
bool kira_link_is_failed(struct kira *k, hd_node a, hd_node b);
/* The active path of a contact is useless: alternative at once, or search. */
void kira_contact_broken(struct kira_call *x, struct kira_contact *p);
void kira_failed_tick(struct kira_call *x);
void kira_on_error(struct kira_call *x, const struct hd_kira_msg *m);
void kira_on_notice(struct kira_call *x, const struct hd_kira_msg *m);
void kira_not_via_input(struct kira_call *x, const struct hd_kira_msg *m);
void kira_segment_failure(struct kira_call *x, const struct hd_kira_msg *m, hd_node next);
void kira_send_dead_end(struct kira_call *x, const struct hd_kira_msg *m);
void kira_report(struct kira_call *x, const struct hd_in_report *r);

/* --- update.c -----------------------------------------------------------------------------------
 */
void kira_update_queue(struct kira_call *x, hd_node node, uint8_t action);
void kira_update_due(struct kira_call *x);
void kira_on_update(struct kira_call *x, const struct hd_kira_msg *m);

/* --- commands.c ---------------------------------------------------------------------------------
 */
void kira_command_input(struct kira_call *x, const struct hd_in_command *in);
void kira_command_due(struct kira_call *x, struct kira_command *q);
void kira_ping_answered(struct kira_call *x, struct kira_request *r, const struct hd_kira_msg *m);
void kira_ping_timeout(struct kira_call *x, struct kira_request *r);
void kira_commands_found(struct kira_call *x, hd_node node);
struct kira_command *kira_command_find(struct kira *k, uint32_t id);
void kira_command_free(struct kira_call *x, struct kira_command *q);
void kira_command_fail(struct kira_call *x, uint32_t id, uint16_t list, int error);
void kira_reply(struct kira_call *x, uint32_t id, uint16_t list, const void *rows, uint32_t n,
                uint32_t row_size, bool last, int error);
void kira_way_over(struct kira_call *x, struct kira_command *q);

/* --- way.c --------------------------------------------------------------------------------------
 */
/* Says where packets to m's destination go from here. */
void kira_way_answer(struct kira_call *x, const struct hd_kira_msg *m);
/* Asks for the way of first packets, if that is another than the own route; kira_way_over ends. */
bool kira_way_begin(struct kira_call *x, struct kira_command *q);
void kira_way_answered(struct kira_call *x, struct kira_request *r, const struct hd_kira_msg *m);
void kira_way_timeout(struct kira_call *x, struct kira_request *r);
/* Measures the hops of the path in use and ends the command. */
void kira_path_measure(struct kira_call *x, struct kira_command *q);
void kira_trace_answered(struct kira_call *x, struct kira_request *r);
void kira_trace_timeout(struct kira_call *x, struct kira_request *r);

/* --- rows.c -------------------------------------------------------------------------------------
 */
uint32_t kira_rows(const void *state, struct hd_ctx *c, uint16_t list, struct hd_row_cursor *cursor,
                   void *out, uint32_t max);

/* --- memory.c -----------------------------------------------------------------------------------
 */
uint32_t kira_memory(struct kira_call *x, struct hd_row_cursor *cursor,
                     struct hd_kira_row_memory *out, uint32_t max);

/* --- collect.c: marks every handle in use -------------------------------------------------------
 */
void kira_collect(struct kira_call *x);

#endif

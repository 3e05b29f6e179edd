/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KIRA: the zero-touch control plane (R2/Kad routing tier and PathID labels), as a core.
 *
 * This header is the protocol's whole public face: its configuration, the rows in which its state
 * is shown, its commands, and the ops table that a router runs. Formats are in wire.h, limits in
 * limits.h. Specified in spec/kira.md; where we leave it, doc/decisions says why.
 */
#ifndef HD_CORE_KIRA_KIRA_H
#define HD_CORE_KIRA_KIRA_H

#include "model/core.h"

extern const struct hd_core_ops hd_kira_ops;

/* Values of HD_FX_SAVE. */
enum hd_kira_saved {
    HD_KIRA_SAVED_IDENTITY = 1,   /* 14 bytes: the NodeID */
    HD_KIRA_SAVED_SEQUENCE = 2,   /* u32 big-endian: ceiling of the state sequence number */
    HD_KIRA_SAVED_NEIGHBOURS = 3, /* neighbours and sequence number, for a restart under traffic */
};

struct hd_kira_config {
    struct hd_id id;              /* all zero: the saved one, else a random one */
    uint16_t node_prefix;         /* 0xfc00 */
    uint16_t label_prefix;        /* 0xfcaa */
    uint16_t port;                /* 19219 */
    uint16_t bucket_size;         /* k: 20 */
    uint16_t shallow_bucket_size; /* of all but the last two buckets: 20 */
    bool explore_constant;        /* the 400 ms of KIRA-Rust for ever */
    bool few_routes;              /* host routes only for contacts that carry something */
    bool end_system;
    bool no_guards;    /* repairs are not prepared */
    bool require_key;  /* drop whatever does not carry the fabric's MAC */
    bool no_reflector; /* the data plane does not answer echoes: the core does */
    bool slow_echo;    /* answers come from user space: the peer shall be patient */
};

/* The defaults: fills the struct. */
void hd_kira_config_default(struct hd_kira_config *c);

/* --- rows ---------------------------------------------------------------------------------------
 */

enum hd_kira_list {
    HD_KIRA_LIST_STATUS = 1, /* one row */
    HD_KIRA_LIST_INTERFACES,
    HD_KIRA_LIST_NEIGHBOURS, /* one row per link of each neighbour */
    HD_KIRA_LIST_CONTACTS,
    HD_KIRA_LIST_VICINITY,
    HD_KIRA_LIST_COUNTERS,
    HD_KIRA_LIST_PING,  /* replies of HD_KIRA_PING */
    HD_KIRA_LIST_PATH,  /* replies of HD_KIRA_PATH */
    HD_KIRA_LIST_EVENT, /* events for `monitor` */
    HD_KIRA_LIST_MEMORY,
};

enum hd_kira_state {
    HD_KIRA_ISOLATED = 0, /* no neighbour */
    HD_KIRA_JOINING,      /* the own ID neighbourhood is not complete yet */
    HD_KIRA_JOINED,
};

struct hd_kira_row_status {
    struct hd_id id;
    struct hd_ip6 address;
    uint8_t state;        /* enum hd_kira_state */
    uint8_t open;         /* no fabric key */
    uint8_t id_collision; /* another node with this ID was heard */
    uint32_t sequence;
    uint32_t neighbours, contacts, vicinity_nodes, buckets;
    uint32_t labels_explicit, labels_precomputed;
    uint32_t interfaces_used;
    hd_time since_start_ns;
    hd_time last_change_ns; /* since the last change of the routes */
};

struct hd_kira_row_interface {
    uint32_t ifindex;
    char name[HD_IF_NAME];
    uint8_t used;
    uint8_t up;
    uint8_t why_not; /* enum hd_if_why */
    uint32_t mtu;
    struct hd_mac mac;
    struct hd_ip6 link_local;
    uint32_t neighbours;
    hd_time hello_interval_ns;
};

enum hd_kira_link_state {
    HD_KIRA_LINK_UP = 0,
    HD_KIRA_LINK_CHECKING, /* an echo is unanswered */
    HD_KIRA_LINK_ADOPTED,  /* taken over at a restart, not heard since */
};

struct hd_kira_row_neighbour {
    struct hd_id id;
    struct hd_ip6 address;
    uint32_t ifindex;
    char ifname[HD_IF_NAME];
    struct hd_ip6 link_local;
    struct hd_mac mac;
    uint8_t state; /* enum hd_kira_link_state */
    uint8_t best;  /* the link in use */
    uint8_t authenticated;
    uint8_t watched; /* by echoes */
    uint8_t heddle;  /* answers our private messages */
    uint32_t adj;
    uint32_t sequence;
    hd_time up_ns;         /* since */
    hd_time last_heard_ns; /* ago */
    hd_time rtt_ns;        /* smoothed; 0 when unknown */
};

enum hd_kira_contact_state {
    HD_KIRA_CONTACT_UNPROBED = 0, /* named by others, not yet answered itself */
    HD_KIRA_CONTACT_VALID,
    HD_KIRA_CONTACT_INVALID,
    HD_KIRA_CONTACT_SEARCHING, /* rediscovery runs */
};

#define HD_KIRA_PATH_ROW 64 /* nodes shown; path_len tells the truth */

struct hd_kira_row_contact {
    struct hd_id id;
    struct hd_ip6 address;
    uint16_t bucket;
    uint8_t state; /* enum hd_kira_contact_state */
    uint8_t on_demand;
    uint8_t in_use;    /* carries traffic */
    uint8_t installed; /* a host route exists */
    uint8_t set_up;    /* explicit labels confirmed */
    uint32_t sequence;
    hd_time last_heard_ns; /* ago */
    uint16_t path_len;     /* nodes without self, destination included */
    struct hd_id path[HD_KIRA_PATH_ROW];
};

struct hd_kira_row_vicinity {
    struct hd_id id;
    uint8_t distance;                /* 1 or 2; 3 for nodes only named */
    uint32_t observed, synchronised; /* sequence numbers */
    uint32_t degree;
};

struct hd_kira_row_counter {
    const char *name; /* static, with hyphens; grouped by a prefix: rx., tx., drop., event. */
    uint64_t value;
};

/* Memory of the router by category; "allocated" is the sum, "touched" what was ever handed out. */
struct hd_kira_row_memory {
    const char *name; /* static, with hyphens */
    uint64_t bytes, items;
};

struct hd_kira_row_ping {
    struct hd_id id;
    uint32_t number;
    uint8_t answered;
    uint16_t hops;
    hd_time rtt_ns;
};

struct hd_kira_row_hop {
    uint16_t number;
    struct hd_id id;
    uint8_t overlay; /* the packet is re-encapsulated here */
    uint8_t first;   /* on the way of packets before the node has a route of its own */
    uint8_t answered;
    hd_time rtt_ns;
};

enum hd_kira_event {
    HD_KIRA_EV_NEIGHBOUR_UP = 1,
    HD_KIRA_EV_NEIGHBOUR_DOWN,
    HD_KIRA_EV_LINK_UP,
    HD_KIRA_EV_LINK_DOWN,
    HD_KIRA_EV_CONTACT_VALID,
    HD_KIRA_EV_CONTACT_LOST, /* rediscovery begins */
    HD_KIRA_EV_CONTACT_DEAD,
    HD_KIRA_EV_PATH_CHANGED,
    HD_KIRA_EV_STATE, /* value: enum hd_kira_state */
    HD_KIRA_EV_ID_COLLISION,
    HD_KIRA_EV_INTERFACE,
};

struct hd_kira_row_event {
    uint8_t event;     /* enum hd_kira_event */
    struct hd_id id;   /* the node concerned */
    struct hd_id peer; /* the other end of a link, where there is one */
    uint32_t ifindex;
    uint32_t value;
    hd_time at;
};

/* --- commands -----------------------------------------------------------------------------------
 */

enum hd_kira_verb {
    HD_KIRA_PING = 1, /* struct hd_kira_command; answers HD_KIRA_LIST_PING */
    HD_KIRA_PATH,     /* struct hd_kira_command; answers HD_KIRA_LIST_PATH */
};

/*
 * The node meant: the first `nibbles` hex digits of its ID. 28 names a node that need not be known;
 * fewer must fit exactly one known node (HD_ENOENT: none; HD_EEXIST: several).
 */
struct hd_kira_command {
    struct hd_id id;
    uint8_t nibbles;
    uint32_t count;      /* ping: how many */
    hd_time interval_ns; /* ping: between two */
    hd_time timeout_ns;
};

#endif

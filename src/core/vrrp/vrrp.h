/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VRRP: several routers stand in for one, so that hosts keep one gateway address and one MAC
 * address (RFC 9568 for IPv4 and IPv6; version 2, RFC 3768, on request). With BFD a Backup takes
 * over within milliseconds: by a session to the Active that any peer understands (`track`), or by
 * the drafts on sessions between all routers (p2p) and from the Active to all (p2mp).
 *
 * A virtual router is named by interface, family and VRID. What it wants of the kernel (an
 * interface with the virtual MAC, its addresses) is an object of the model (model/virtual.h);
 * advertisements and announcements are frames that the core writes and reads itself.
 *
 * Addresses of both families are struct hd_ip6: those of IPv4 as ::ffff:a.b.c.d.
 */
#ifndef HD_CORE_VRRP_VRRP_H
#define HD_CORE_VRRP_VRRP_H

#include "model/core.h"

extern const struct hd_core_ops hd_vrrp_ops;

/* --- limits ----------------------------------------------------------------------------------- */

#define HD_VRRP_INSTANCES_MAX  1024
#define HD_VRRP_ADDRESSES_MAX  16   /* of one virtual router: ietf-vrrp */
#define HD_VRRP_UNICAST_MAX    8    /* unicast peers of one virtual router */
#define HD_VRRP_TRACKS_MAX     4096 /* of all together */
#define HD_VRRP_PEERS_MAX      8    /* other routers that one virtual router keeps in mind */
#define HD_VRRP_GROUP_NAME     16
#define HD_VRRP_INTERFACES_MAX 256 /* that are looked at */

/* --- configuration ---------------------------------------------------------------------------- */

enum hd_vrrp_checksum {                           /* R12: IPv4 and version 3 only */
                        HD_VRRP_CHECKSUM_RFC = 0, /* the message alone, as RFC 9568 says */
                        HD_VRRP_CHECKSUM_PSEUDO,  /* with a pseudo header, as keepalived and FRR do
                                                   */
                        HD_VRRP_CHECKSUM_AUTO, /* both are taken; sent is what the Active sent last
                                                */
};

enum hd_vrrp_fast {
    HD_VRRP_FAST_NONE = 0,
    HD_VRRP_FAST_TRACK, /* a BFD session to the Active, which may be anybody's router */
    HD_VRRP_FAST_P2P,   /* Backups advertise too, sessions between all (draft) */
    HD_VRRP_FAST_P2MP,  /* the Active is the head of a multipoint session (draft) */
};

struct hd_vrrp_instance_config {
    char interface[HD_IF_NAME];
    char group[HD_VRRP_GROUP_NAME]; /* sync group; empty: none */
    uint8_t vrid;                   /* 1..255 */
    uint8_t family;                 /* 4 or 6 */
    uint8_t version;                /* 3, or 2 with family 4 */
    uint8_t priority;               /* 1..254; 255 is found, not configured (R19) */
    uint8_t preempt;                /* preempt/enabled */
    uint8_t accept;                 /* accept-mode */
    uint8_t log_changes;            /* log-state-change */
    uint8_t own_mac;                /* 1: no virtual MAC, the interface's own is announced */
    uint8_t checksum;               /* enum hd_vrrp_checksum */
    uint8_t interop;                /* R40: both versions are sent */
    uint8_t v2_auth_accept;         /* R13: version 2 with authentication types 1 and 2 is taken */
    uint8_t garp_repeat;            /* announcements in a burst */
    uint8_t fast;                   /* enum hd_vrrp_fast */
    uint8_t fast_multiplier;
    uint8_t address_count;
    uint8_t unicast_count;
    uint16_t interval_cs;    /* 1..4095 centiseconds; version 2: a multiple of 100 up to 25400 */
    uint16_t preempt_hold_s; /* preempt/hold-time */
    uint16_t garp_refresh_s; /* 0: announced only when it becomes Active */
    uint16_t reserved;
    uint32_t fast_interval_us; /* of the BFD sessions */
    uint32_t fast_skew_us;     /* R72: each rank waits this much longer */
    uint32_t fast_skew_max_us; /* R72: where ranks are unknown, of priority 0 */
    struct hd_ip6 addresses[HD_VRRP_ADDRESSES_MAX]; /* in this order; IPv6: the first link-local */
    struct hd_ip6 unicast[HD_VRRP_UNICAST_MAX];     /* peers; none: multicast */
};

enum hd_vrrp_track_kind {
    HD_VRRP_TRACK_INTERFACE = 1, /* down: no carrier, or gone */
    HD_VRRP_TRACK_NETWORK,       /* down: no route to this prefix; refused, not made yet */
    HD_VRRP_TRACK_BFD,           /* down: a session of single hop to this address broke (R65) */
};

/* What lowers the priority of a virtual router while it is down (R41). */
struct hd_vrrp_track_config {
    uint32_t instance; /* index in the array of this configuration */
    uint8_t kind;      /* enum hd_vrrp_track_kind */
    uint8_t decrement; /* 1..254 */
    uint8_t prefix_len;
    uint8_t reserved;
    char interface[HD_IF_NAME]; /* interface; BFD: over which the session runs */
    struct hd_ip6 address;      /* network: the prefix (IPv4: prefix_len counts from its 96th bit);
                                   BFD: the peer */
};

/*
 * What `start` and `configure` take: this head, then instance_count struct hd_vrrp_instance_config,
 * then track_count struct hd_vrrp_track_config, nothing else. A virtual router that is named as
 * before goes on with its new values, without a restart (R76). The whole is checked before
 * anything changes.
 */
struct hd_vrrp_config {
    uint32_t instance_count;
    uint32_t track_count;
    uint32_t notices_per_s; /* R75: events; 0: the default */
    uint32_t reserved;
};

#define HD_VRRP_PRIORITY        100
#define HD_VRRP_INTERVAL_CS     100
#define HD_VRRP_DECREMENT       10
#define HD_VRRP_GARP_REPEAT     3
#define HD_VRRP_FAST_US         10000
#define HD_VRRP_FAST_MULTIPLIER 3
#define HD_VRRP_FAST_SKEW_US    10000
#define HD_VRRP_FAST_MAX_US     20000
#define HD_VRRP_NOTICES_PER_S   10

/* The defaults of ietf-vrrp and ours: fill the struct; names and addresses are the caller's. */
void hd_vrrp_instance_config_default(struct hd_vrrp_instance_config *c);

static inline uint32_t hd_vrrp_config_bytes(const struct hd_vrrp_config *c)
{
    return (uint32_t)(sizeof *c + c->instance_count * sizeof(struct hd_vrrp_instance_config) +
                      c->track_count * sizeof(struct hd_vrrp_track_config));
}

/* --- rows ------------------------------------------------------------------------------------- */

enum hd_vrrp_list {
    HD_VRRP_LIST_ROUTERS = 1, /* struct hd_vrrp_row_router, in the order of the configuration */
    HD_VRRP_LIST_PEERS,       /* struct hd_vrrp_row_peer */
    HD_VRRP_LIST_COUNTERS,    /* struct hd_vrrp_row_counter */
    HD_VRRP_LIST_SUMMARY,     /* struct hd_vrrp_row_summary, one */
    HD_VRRP_LIST_EVENT,       /* struct hd_vrrp_row_event: new state */
    HD_VRRP_LIST_ERROR,       /* struct hd_vrrp_row_error: protocol and virtual-router errors */
};

enum hd_vrrp_state { HD_VRRP_INITIALIZE = 0, HD_VRRP_BACKUP, HD_VRRP_ACTIVE };

enum hd_vrrp_reason { /* new-active-reason */
                      HD_VRRP_NOT_ACTIVE = 0,
                      HD_VRRP_BY_PRIORITY,
                      HD_VRRP_PREEMPTED,
                      HD_VRRP_NO_RESPONSE,
};

enum hd_vrrp_last { /* last-event */
                    HD_VRRP_EV_NONE = 0,
                    HD_VRRP_EV_STARTUP,
                    HD_VRRP_EV_SHUTDOWN,
                    HD_VRRP_EV_HIGHER_PRIORITY_BACKUP,
                    HD_VRRP_EV_ACTIVE_TIMEOUT,
                    HD_VRRP_EV_INTERFACE_UP,
                    HD_VRRP_EV_INTERFACE_DOWN,
                    HD_VRRP_EV_NO_PRIMARY_ADDRESS,
                    HD_VRRP_EV_PRIMARY_ADDRESS,
                    HD_VRRP_EV_NO_VIRTUAL_ADDRESSES,
                    HD_VRRP_EV_VIRTUAL_ADDRESSES,
                    HD_VRRP_EV_PREEMPT_HOLD_TIMEOUT,
                    HD_VRRP_EV_LOWER_PRIORITY_ACTIVE,
                    HD_VRRP_EV_OWNER_PREEMPT,
                    HD_VRRP_EV_BFD_DOWN,   /* ours: fast detection */
                    HD_VRRP_EV_SYNC_GROUP, /* ours: followed its sync group */
                    HD_VRRP_EV_RELEASED,   /* ours: an operator's HD_VRRP_RELEASE */
                    HD_VRRP_EV_END,
};

struct hd_vrrp_row_router {
    char interface[HD_IF_NAME];
    char group[HD_VRRP_GROUP_NAME];
    uint32_t ifindex; /* 0: there is no such interface */
    uint8_t family, vrid, version, state;
    uint8_t owner;              /* is-owner */
    uint8_t priority;           /* configured */
    uint8_t effective_priority; /* in force */
    uint8_t preempt, accept, own_mac, fast;
    uint8_t reason;     /* enum hd_vrrp_reason */
    uint8_t last_event; /* enum hd_vrrp_last */
    uint8_t checksum;   /* enum hd_vrrp_checksum: sent */
    uint8_t bfd;        /* state of the critical session, as in the packets */
    uint8_t address_count;
    uint8_t installed;         /* the kernel has what we want of it */
    struct hd_mac mac;         /* announced */
    struct hd_ip6 primary;     /* own source address */
    struct hd_ip6 last_source; /* last-adv-source */
    struct hd_ip6 addresses[HD_VRRP_ADDRESSES_MAX];
    hd_time interval_ns;        /* own */
    hd_time active_interval_ns; /* the Active's */
    hd_time down_interval_ns;   /* active-down-interval */
    hd_time skew_ns;            /* skew-time */
    hd_time up_ns;              /* since: the instance runs */
    hd_time state_ns;           /* in this state */
    hd_time counting_ns;        /* since: the counters run (discontinuity-datetime) */
    uint64_t transitions;       /* active-transitions */
    uint64_t received, sent;
    uint64_t zero_received, zero_sent;
    uint64_t invalid_type, interval_errors, address_errors, length_errors;
    uint64_t split;        /* times when another Active was heard for longer than an interval */
    uint64_t bfd_switch;   /* takeovers on BFD's word */
    uint64_t false_switch; /* of these: the old Active was heard again at once (R69) */
    hd_time late_max_ns;   /* the latest advertisement behind its grid */
};

struct hd_vrrp_row_peer {
    uint32_t ifindex;
    uint8_t family, vrid;
    uint8_t priority;
    uint8_t active; /* its last advertisement was that of an Active */
    uint8_t bfd;    /* state of the session with it */
    uint8_t critical;
    struct hd_ip6 address;
    hd_time seen_ns; /* ago */
};

struct hd_vrrp_row_counter {
    char name[48]; /* rows cross processes */
    uint64_t value;
};

struct hd_vrrp_row_summary {
    uint32_t routers, active, backup, initialize;
    uint32_t interfaces;
};

struct hd_vrrp_row_event {
    char interface[HD_IF_NAME];
    uint32_t ifindex;
    uint8_t family, vrid, state, old_state, reason, last_event;
    uint8_t priority;
    struct hd_ip6 source; /* own, of the new Active: active-ip-address */
};

enum hd_vrrp_error {
    HD_VRRP_ERR_CHECKSUM = 1, /* protocol-error-reason */
    HD_VRRP_ERR_TTL,
    HD_VRRP_ERR_VERSION,
    HD_VRRP_ERR_VRID,
    HD_VRRP_ERR_ADDRESS_LIST, /* virtual-router-error-reason */
    HD_VRRP_ERR_INTERVAL,
    HD_VRRP_ERR_LENGTH,
    HD_VRRP_ERR_SPLIT, /* ours: two Actives, or two owners */
    HD_VRRP_ERR_END,
};

struct hd_vrrp_row_error {
    char interface[HD_IF_NAME];
    uint32_t ifindex;
    uint8_t family, vrid, error;
    struct hd_ip6 source;
};

/* --- commands --------------------------------------------------------------------------------- */

enum hd_vrrp_verb {
    HD_VRRP_CLEAR = 1, /* struct hd_vrrp_which: counters begin at 0 */
    HD_VRRP_RELEASE,   /* struct hd_vrrp_which: an Active hands over (vrrp-force-state) */
};

struct hd_vrrp_which {
    char interface[HD_IF_NAME]; /* empty: all */
    uint8_t family, vrid;
};

#endif

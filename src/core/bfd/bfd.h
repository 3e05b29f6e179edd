/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BFD: bidirectional forwarding detection, in one or many hops (RFC 5880, 5881, 5883), and from one
 * sender to many receivers (RFC 8562). A session says within milliseconds that the way to a peer is
 * broken; protocols that want to know are its clients (model/bfd_client.h).
 *
 * The core negotiates and judges; it neither sends the stream of packets nor waits for that of the
 * peer. Both are objects of the model (model/liveness.h): a `periodic` that a driver sends by
 * itself, also while this process is replaced, and a `watch` that consumes packets without news. So
 * a session that is up costs the core nothing.
 *
 * Addresses of both families are struct hd_ip6: those of IPv4 as ::ffff:a.b.c.d.
 */
#ifndef HD_CORE_BFD_BFD_H
#define HD_CORE_BFD_BFD_H

#include "model/core.h"
#include "model/liveness.h"

extern const struct hd_core_ops hd_bfd_ops;

enum hd_bfd_kind {
    HD_BFD_SINGLE_HOP = 1, /* RFC 5881: a peer on the link of an interface */
    HD_BFD_MULTIHOP,       /* RFC 5883: a peer behind routers */
    HD_BFD_HEAD,           /* RFC 8562: we send to a group */
    HD_BFD_TAIL,           /* RFC 8562: we hear a head; made by its packets */
};

#define HD_BFD_PORT          3784 /* RFC 5881, RFC 8562 */
#define HD_BFD_ECHO_PORT     3785 /* RFC 5881 */
#define HD_BFD_MULTIHOP_PORT 4784 /* RFC 5883 */

enum hd_bfd_state { /* RFC 5880, 4.1: as on the wire */
                    HD_BFD_ADMIN_DOWN = 0,
                    HD_BFD_DOWN,
                    HD_BFD_INIT,
                    HD_BFD_UP,
};

enum hd_bfd_diag { /* RFC 5880, 4.1: as on the wire */
                   HD_BFD_DIAG_NONE = 0,
                   HD_BFD_DIAG_EXPIRED,
                   HD_BFD_DIAG_ECHO_FAILED,
                   HD_BFD_DIAG_NEIGHBOR_DOWN,
                   HD_BFD_DIAG_PLANE_RESET,
                   HD_BFD_DIAG_PATH_DOWN,
                   HD_BFD_DIAG_CONCATENATED_DOWN,
                   HD_BFD_DIAG_ADMIN_DOWN,
                   HD_BFD_DIAG_REVERSE_CONCATENATED_DOWN,
                   HD_BFD_DIAG_END,
};

/* --- configuration ---------------------------------------------------------------------------- */

/* One session. Intervals are in microseconds, as in the packets and in ietf-bfd. */
struct hd_bfd_session_config {
    char interface[HD_IF_NAME]; /* single hop and head: its name; multihop: empty */
    struct hd_ip6 local;        /* all zero: what the system chooses (not with multihop) */
    struct hd_ip6 remote;       /* the peer; of a head: the group */
    uint32_t tx_us;             /* desired-min-tx-interval */
    uint32_t rx_us;             /* required-min-rx-interval */
    uint32_t echo_tx_us;        /* single hop: echoes are sent at this interval; 0: none */
    uint32_t echo_rx_us;        /* required-min-echo-rx-interval; 0: peers must not send echoes */
    struct hd_auth auth; /* RFC 5880, 6.7; the secret lies outside of the core under a handle */
    uint8_t kind;        /* enum hd_bfd_kind, no tail */
    uint8_t multiplier;
    uint8_t demand;     /* when up, the peer is asked to be silent */
    uint8_t passive;    /* says nothing before it has heard the peer */
    uint8_t admin_down; /* disabled, and says so to the peer */
    uint8_t tx_ttl;     /* multihop; 0: 255 */
    uint8_t rx_ttl;     /* multihop: the smallest that is accepted; 0: any */
    uint8_t reserved;
};

/* An interface on which heads may be heard, and peers without a configuration (RFC 9468). */
struct hd_bfd_listen_config {
    char interface[HD_IF_NAME];
    uint32_t tx_us, rx_us; /* of unsolicited sessions */
    uint8_t multiplier;
    uint8_t unsolicited; /* a peer that begins gets a (passive) session */
    uint8_t tails;       /* heads are followed */
    uint8_t reserved;
};

/*
 * What `start` and `configure` take: this head, then session_count + multihop_count struct
 * hd_bfd_session_config, then listen_count struct hd_bfd_listen_config, nothing else. A session is
 * the same as one before when kind, interface, local and remote are; it goes on, with its new
 * values negotiated (R76). The whole is checked before anything changes.
 */
struct hd_bfd_config {
    uint32_t floor_us; /* no interval below is accepted */
    uint32_t session_count;
    uint32_t multihop_count; /* more sessions, behind them: a list of its own in ietf-bfd */
    uint32_t listen_count;
};

#define HD_BFD_FLOOR_US        3300 /* shortest of the common intervals of RFC 7419 */
#define HD_BFD_INTERVAL_US     1000000
#define HD_BFD_INTERVAL_MAX_US 4000000000u /* what a packet can say, less a little */
#define HD_BFD_MULTIPLIER      3
#define HD_BFD_SESSIONS_MAX    4096 /* all kinds together */
#define HD_BFD_TAILS_MAX       64   /* per interface */
#define HD_BFD_LISTEN_MAX      64
#define HD_BFD_CLIENTS_MAX     8 /* of one session */

/* The defaults of ietf-bfd: fill the struct; kind, addresses and interface are the caller's. */
void hd_bfd_session_config_default(struct hd_bfd_session_config *s);
void hd_bfd_config_default(struct hd_bfd_config *c);
static inline uint32_t hd_bfd_config_bytes(const struct hd_bfd_config *c)
{
    return (uint32_t)(sizeof *c +
                      (c->session_count + c->multihop_count) *
                          sizeof(struct hd_bfd_session_config) +
                      c->listen_count * sizeof(struct hd_bfd_listen_config));
}

/* --- rows ------------------------------------------------------------------------------------- */

enum hd_bfd_list {
    HD_BFD_LIST_SESSIONS = 1, /* struct hd_bfd_row_session, by local discriminator */
    HD_BFD_LIST_COUNTERS,     /* struct hd_bfd_row_counter */
    HD_BFD_LIST_SUMMARY,      /* struct hd_bfd_row_summary, one */
    HD_BFD_LIST_EVENT,        /* struct hd_bfd_row_event: a session changed its state */
    HD_BFD_LIST_NOTICE = 241, /* struct hd_bfd_notice, for clients (model/bfd_client.h) */
};

struct hd_bfd_row_session {
    uint32_t local_discr, remote_discr;
    uint32_t ifindex;
    uint8_t kind, state, remote_state, diag, remote_diag;
    uint8_t multiplier, remote_multiplier;
    uint8_t demand;      /* in force: the peer is silent */
    uint8_t polling;     /* a poll sequence is under way */
    uint8_t auth;        /* enum hd_auth_type */
    uint8_t clients;     /* protocols that asked for it, the configuration not counted */
    uint8_t configured;  /* by the configuration */
    uint8_t unsolicited; /* made by a peer's packets */
    uint16_t local_port; /* UDP, of what we send */
    uint16_t remote_port;
    struct hd_ip6 local, remote;
    hd_time tx_ns;                    /* negotiated, 0: nothing is sent */
    hd_time rx_ns;                    /* negotiated */
    hd_time detect_ns;                /* detection time, 0: none yet */
    hd_time echo_tx_ns;               /* in use, 0: none */
    hd_time since_ns;                 /* in this state */
    hd_time last_up_ns, last_down_ns; /* ago; HD_NEVER: never was */
    uint64_t ups, downs, admin_downs;
    uint64_t sent, received, invalid;
    uint64_t late; /* times when our own delay gave the peer another interval */
};

struct hd_bfd_row_counter {
    char name[48];
    uint64_t value;
};

struct hd_bfd_row_summary {
    uint32_t sessions, up, down, admin_down;
};

struct hd_bfd_row_event {
    uint32_t local_discr, remote_discr;
    uint32_t ifindex;
    uint8_t kind, state, old_state, diag;
    struct hd_ip6 local, remote;
};

/* --- commands --------------------------------------------------------------------------------- */

enum hd_bfd_verb {
    HD_BFD_CLEAR = 1, /* struct hd_bfd_clear: counters of sessions begin at 0 */
};

struct hd_bfd_clear {
    uint32_t local_discr; /* 0: all */
};

#endif

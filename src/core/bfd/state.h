/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the BFD core and what its files need of each other.
 *
 *   bfd.c       the contract: start, inputs, timers, rows
 *   config.c    what is wanted: configuration and requests of clients, interfaces
 *   session.c   one session: state, intervals, poll sequences, what the model shall do
 *   receive.c   a packet: checks, demultiplexing, the procedure of RFC 5880, 6.8.6
 *   multipoint.c  heads and tails (RFC 8562)
 *   echo.c      the echo function (RFC 5880, 6.4)
 *   wire.c      formats
 */
#ifndef HD_CORE_BFD_STATE_H
#define HD_CORE_BFD_STATE_H

#include "core/bfd/bfd.h"
#include "core/bfd/wire.h"
#include "lib/map.h"
#include "lib/timerq.h"
#include "lib/vec.h"
#include "model/bfd_client.h"

/* Limits and constants beside those of bfd.h. */
#define BFD_UNSOLICITED_MAX 64         /* per interface */
#define BFD_HEARD_MAX       HD_SEC(60) /* silence after which nobody has a right to a place */
#define BFD_YIELDS_MAX      64         /* places taken away, per interface and second */
#define BFD_INTERFACES_MAX  1024       /* that are remembered */
#define BFD_SLOW_US         1000000    /* R45: not up, no faster than this */
#define BFD_LEASE           HD_SEC(10) /* packets of a router process that is gone are sent */
#define BFD_CLAIM_AFTER     HD_SEC(20) /* what nobody wanted since the start is silenced */
#define BFD_DEMAND_POLL     HD_SEC(5)  /* R53: a silent peer is asked this often */
#define BFD_TRAFFIC_CLASS   0xc0       /* CS6 */
#define BFD_SOURCE_PORT     49152      /* R57: the first; plus the index of the periodic */
#define BFD_FX_BYTES        4096       /* what settling one session may append */
#define BFD_INTERVAL_MAX_US HD_BFD_INTERVAL_MAX_US

enum bfd_port { PORT_SINGLE_HOP = 1, PORT_MULTIHOP, PORT_ECHO };
enum bfd_timer { TIMER_SESSION = 1, TIMER_CLAIM };

struct bfd_interface {
    uint32_t ifindex;
    char name[HD_IF_NAME];
    bool up;
    struct hd_ip6 link_local;
    bool listens; /* struct below was configured */
    struct hd_bfd_listen_config listen;
    uint32_t tails, unsolicited; /* sessions that packets made */
    hd_time yields_at;           /* begin of the second in which places taken away are counted */
    uint32_t yields;
};

struct bfd_client {
    uint8_t core; /* 0: free */
    uint8_t multiplier;
    uint8_t passive;
    uint32_t handle;
    uint32_t tx_us, rx_us;
};

struct bfd_session {
    /* Which one it is. */
    uint8_t kind;
    bool configured; /* by `want` */
    bool heard;      /* a packet made it: unsolicited, or a tail nobody asked for */
    bool leaving;    /* says goodbye, then goes */
    bool dirty;      /* on the work list */
    char interface[HD_IF_NAME];
    struct hd_ip6 local, remote;
    struct hd_bfd_session_config want;
    struct bfd_client clients[HD_BFD_CLIENTS_MAX];

    /* What is in force of all that is wanted. */
    uint8_t multiplier;
    bool passive, demand, admin_down;
    uint32_t tx_us, rx_us;
    struct hd_auth auth;

    /* The model's. 0: none. */
    uint32_t slot; /* in bfd.sessions */
    uint32_t ifindex;
    uint32_t periodic, watch;
    uint32_t echo_periodic, echo_watch;

    /* State variables of RFC 5880, 6.8.1. */
    uint8_t state, remote_state, diag, remote_diag;
    bool remote_demand, polling, poll_again;
    bool was_up, said_down; /* since it exists; the peer said AdminDown */
    uint8_t remote_multiplier;
    uint32_t local_discr, remote_discr;
    uint32_t desired_tx_us, required_rx_us; /* as we say them */
    uint32_t tx_in_use_us, rx_in_use_us;    /* R49: differ from them until a poll has ended */
    uint32_t remote_tx_us, remote_rx_us, remote_echo_us;
    uint32_t received_seq;
    bool seq_known;
    hd_time heard_at;         /* last accepted packet */
    hd_time poll_since;       /* of the sequence under way */
    struct hd_ip6 seen_local; /* where the peer sends to */
    uint64_t nonce[2];        /* of our echoes */

    struct hd_timer timer; /* goodbye, head's phases, demand's next poll */
    hd_time since, last_up, last_down;
    uint64_t ups, downs, admin_downs;
    uint64_t received, invalid, sent_before, late_before;
};

struct bfd {
    HD_VEC(struct bfd_session *) sessions; /* with gaps; 0 unused */
    HD_VEC(struct bfd_interface) interfaces;
    HD_VEC(uint32_t) dirty; /* slots; room for all sessions is reserved */
    struct hd_map by_path;  /* kind, interface, local, remote: slot */
    struct hd_timerq timers;
    struct hd_timer claim;
    uint32_t count;
    uint32_t floor_us;
    struct hd_bfd_listen_config *listen;
    uint32_t listen_count;
    uint64_t salt;
    uint64_t drops[BFD_DROP_END];
    uint64_t received, refused, lost_memory;
};

/* --- config.c --------------------------------------------------------------------------------- */

/* 0, or why bfd_configure would refuse it. */
int bfd_check(const void *config, uint32_t len);
int bfd_configure(struct bfd *b, struct hd_ctx *c, const void *config, uint32_t len);
void bfd_on_interface(struct bfd *b, struct hd_ctx *c, const struct hd_in_interface *in);
void bfd_on_request(struct bfd *b, struct hd_ctx *c, uint8_t client,
                    const struct hd_bfd_request *q);
struct bfd_interface *bfd_interface_find(struct bfd *b, uint32_t ifindex);
struct bfd_interface *bfd_interface_named(struct bfd *b, const char *name);
bool bfd_wanted(const struct bfd_session *s);
/* Puts what configuration and clients want together into what is in force. */
void bfd_merge_wants(struct bfd *b, struct bfd_session *s);

/* --- session.c -------------------------------------------------------------------------------- */

/* A session that is not in the model yet; NULL at a limit or without memory. */
struct bfd_session *bfd_session_new(struct bfd *b, struct hd_ctx *c, uint8_t kind,
                                    const char *interface, const struct hd_ip6 *local,
                                    const struct hd_ip6 *remote);
struct bfd_session *bfd_session_find(struct bfd *b, uint8_t kind, const char *interface,
                                     const struct hd_ip6 *local, const struct hd_ip6 *remote);
void bfd_session_free(struct bfd *b, struct hd_ctx *c, struct bfd_session *s);
/* Takes the place of a session that a packet made for another one of the kind: false if none may
 * go. */
bool bfd_session_yield(struct bfd *b, struct hd_ctx *c, struct bfd_interface *f, uint8_t kind);
/* Queues it for bfd_session_settle. */
void bfd_session_touch(struct bfd *b, struct bfd_session *s);
/* Brings it to where its wants and its interface put it; may free it. */
void bfd_session_settle(struct bfd *b, struct hd_ctx *c, struct bfd_session *s);

void bfd_session_set_state(struct bfd *b, struct hd_ctx *c, struct bfd_session *s, uint8_t state,
                           uint8_t diag);
/* Recomputes what we say and expect; begins a poll sequence where that needs one. */
void bfd_session_negotiate(struct bfd *b, struct hd_ctx *c, struct bfd_session *s);
/* Puts it into the model; says changes at once; with `final` answers a poll in the same packet. */
void bfd_session_publish(struct bfd *b, struct hd_ctx *c, struct bfd_session *s, bool final);
void bfd_session_poll(struct hd_ctx *c, struct bfd_session *s);
void bfd_session_silent(struct bfd *b, struct hd_ctx *c, struct bfd_session *s);
void bfd_session_timer(struct bfd *b, struct hd_ctx *c, struct bfd_session *s);
void bfd_session_arm(struct bfd *b, struct hd_ctx *c, struct bfd_session *s, hd_time after_ns);
hd_time bfd_session_detect(const struct bfd_session *s);
hd_time bfd_session_tx(const struct bfd_session *s);
bool bfd_session_silenced(const struct bfd_session *s);
void bfd_tell_client(struct hd_ctx *c, const struct bfd_session *s, const struct bfd_client *to,
                     uint8_t old_state, int error);
struct hd_watch_value bfd_watch_value(const struct bfd_session *s);
int bfd_add_watch(struct bfd *b, struct hd_ctx *c, struct bfd_session *s);

/* --- receive.c -------------------------------------------------------------------------------- */

void bfd_on_datagram(struct bfd *b, struct hd_ctx *c, const struct hd_input *in);
void bfd_drop(struct bfd *b, enum bfd_drop why, struct bfd_session *s);

/* --- multipoint.c ----------------------------------------------------------------------------- */

void bfd_head_settle(struct bfd *b, struct hd_ctx *c, struct bfd_session *s);
void bfd_head_timer(struct bfd *b, struct hd_ctx *c, struct bfd_session *s);
void bfd_tail_receive(struct bfd *b, struct hd_ctx *c, const struct hd_in_datagram *d,
                      const struct bfd_packet *p, hd_time at);
void bfd_tail_silent(struct bfd *b, struct hd_ctx *c, struct bfd_session *s);

/* --- echo.c ----------------------------------------------------------------------------------- */

/* Whether echoes replace control packets as the fast sign of life (6.8.9). */
bool bfd_echo_active(const struct bfd_session *s);
hd_time bfd_echo_interval(const struct bfd_session *s);
void bfd_echo_publish(struct hd_ctx *c, struct bfd_session *s);
void bfd_echo_stop(struct hd_ctx *c, struct bfd_session *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the VRRP core, shared by its files:
 *
 *   vrrp.c         the contract: start, inputs, timers, stop, commands
 *   config.c       checking a configuration, and carrying virtual routers over to it
 *   interfaces.c   interfaces and their addresses; which virtual routers can run
 *   machine.c      the state machine (RFC 9568, section 6.4; R21 to R32)
 *   receive.c      one packet, from its bytes to the state machine (R1 to R15)
 *   send.c         advertisements, announcements, events
 *   priority.c     tracking and priorities (R41)
 *   groups.c       sync groups
 *   fast.c         BFD sessions, peers and ranks (R64 to R72)
 *   rows.c         what is shown
 *   wire.c         formats
 */
#ifndef HD_CORE_VRRP_STATE_H
#define HD_CORE_VRRP_STATE_H

#include <string.h>

#include "core/vrrp/vrrp.h"
#include "core/vrrp/wire.h"
#include "lib/base.h"
#include "lib/timerq.h"
#include "model/bfd_client.h"
#include "model/virtual.h"

/* --- limits and constants ----------------------------------------------------------------------
 */

#define VRRP_REAL_ADDRESSES_MAX 64 /* of one interface */
#define VRRP_SESSIONS_MAX       1024
#define VRRP_EVENTS_PER_CALL    32 /* to the BFD core; more wait for work */
#define VRRP_REACTIVE_MAX       4  /* adverts per interval that a losing advert may call forth */
#define VRRP_WINDOW_NS          HD_MS(100) /* over which packets are counted, per interface */
#define VRRP_WINDOW_FLOOR       32
#define VRRP_SWEEP_NS           HD_SEC(10) /* then what nobody claimed of a predecessor's goes */
#define VRRP_PEER_INTERVALS     3          /* R70 */
#define VRRP_ANNOUNCE_AGAIN_NS  HD_SEC(1)
#define VRRP_ANNOUNCE_LAST_NS   HD_SEC(5)

/* --- why a packet is dropped -------------------------------------------------------------------
 */

#define VRRP_DROPS(X)                                                                              \
    X(INTERFACE, "interface") /* not one that is used */                                           \
    X(RATE, "rate")           /* more than four times what is expected */                          \
    X(SHORT, "frame-length")  /* Ethernet or IP */                                                 \
    X(OTHER, "other-protocol")                                                                     \
    X(FRAGMENT, "fragment")                                                                        \
    X(IP_CHECKSUM, "ip-checksum")                                                                  \
    X(OWN, "own")                       /* R15: looped back */                                     \
    X(TTL, "ttl")                       /* R1 */                                                   \
    X(VERSION, "version")               /* R2 */                                                   \
    X(TYPE, "type")                     /* R3 */                                                   \
    X(LENGTH, "length")                 /* R4 */                                                   \
    X(CHECKSUM, "checksum")             /* R5, R12 */                                              \
    X(VRID, "vrid")                     /* R6 */                                                   \
    X(NO_ADDRESS, "no-address")         /* R7 */                                                   \
    X(NOT_LINK_LOCAL, "not-link-local") /* R8 */                                                   \
    X(ZERO_INTERVAL, "zero-interval")   /* R9 */                                                   \
    X(INTERVAL, "interval")             /* R10, version 2 */                                       \
    X(ADDRESSES, "address-list")        /* R11, version 2 */                                       \
    X(AUTH, "authentication")           /* R13 */                                                  \
    X(DESTINATION, "destination")       /* R17 */                                                  \
    X(SOURCE, "source")                 /* IPv6: not link-local; unicast: no peer of ours */       \
    X(STATE, "initialize")              /* not running */                                          \
    X(INTEROP, "v2-beside-v3")          /* R40 */

enum vrrp_drop {
#define X(name, text) VRRP_DROP_##name,
    VRRP_DROPS(X)
#undef X
        VRRP_DROP_COUNT,
};

enum vrrp_count { /* other counters of the core */
                  VRRP_COUNT_NOTICES_DROPPED,
                  VRRP_COUNT_NO_MEMORY,
                  VRRP_COUNT_PEERS_FULL,
                  VRRP_COUNT_BFD_REFUSED,
                  VRRP_COUNT_ADDRESSES_FULL,
                  VRRP_COUNT_INTERFACES_FULL,
                  VRRP_COUNT_COUNT,
};

/* --- objects -----------------------------------------------------------------------------------
 */

enum vrrp_timer {
    VRRP_TIMER_STATE = 1, /* Active: next advertisement; Backup: Active_Down_Timer */
    VRRP_TIMER_HOLD,      /* preempt/hold-time */
    VRRP_TIMER_ANNOUNCE,
    VRRP_TIMER_FAST,   /* R72: a Backup waits for better ones */
    VRRP_TIMER_BACKUP, /* R70: Backups advertise, peers grow old */
    VRRP_TIMER_SWEEP,
};
#define VRRP_TIMERS 5 /* of an instance */

struct vrrp_real_address {
    struct hd_ip6 address;
    uint8_t len;
    bool secondary;
};

struct vrrp_instance;

struct vrrp_interface {
    uint32_t ifindex;
    uint16_t slot; /* in the table */
    char name[HD_IF_NAME];
    bool up;
    bool open[2]; /* ports: IPv4, IPv6 */
    struct hd_mac mac;
    struct hd_ip6 link_local;
    uint16_t users[2];                 /* instances, by family */
    struct vrrp_instance **by_vrid[2]; /* 256 each, made with the first instance */
    HD_VEC(struct vrrp_real_address) addresses;
    hd_time window_at; /* begin of the window in which packets are counted */
    uint32_t window_count, window_max;
};

struct vrrp_peer {
    struct hd_ip6 address; /* all zero: no peer */
    hd_time seen_at;
    uint8_t priority;
    uint8_t type;
};

struct vrrp_group;

struct vrrp_instance {
    struct hd_vrrp_instance_config c;
    struct hd_timer timers[VRRP_TIMERS]; /* kind - 1 */
    struct vrrp_interface *interface;
    struct vrrp_group *group;
    uint32_t virt;   /* index in the model, 0: none */
    uint32_t order;  /* in the configuration */
    uint32_t tracks; /* first of its tracks */
    uint32_t track_count;
    uint8_t state;    /* enum hd_vrrp_state */
    uint8_t priority; /* in force */
    uint8_t reason, last_event;
    bool owner;
    bool ready;    /* it could run: interface, addresses */
    bool announce; /* as soon as the kernel has what is wanted */
    bool pseudo;   /* checksum of what the Active sent last */
    bool kept;     /* in the configuration that is applied */
    bool dirty;    /* waits to be looked at again */
    bool rival_told;
    uint8_t cause;  /* enum hd_vrrp_last: why it has to be looked at */
    uint8_t follow; /* state into which its group goes, 0: none */
    struct vrrp_instance *next_dirty;
    uint8_t announced; /* bursts */
    uint8_t reactive;  /* advertisements called forth in this interval */
    struct hd_ip6 last_source;
    struct hd_ip6 v3_source; /* R40 */
    hd_time v3_at;
    hd_time active_interval; /* the Active's */
    hd_time lower_at;        /* a router with lower priority was heard as Active; HD_NEVER: none */
    hd_time rival_at;        /* another Active was heard first, while we are one; HD_NEVER: none */
    hd_time rival_seen;
    hd_time up_at, state_at, counting_at;
    hd_time reactive_at;
    struct hd_ip6 bfd_source; /* the Active whose BFD session went down */
    hd_time bfd_at;           /* when we took over on that; HD_NEVER: not so */
    struct vrrp_peer peers[HD_VRRP_PEERS_MAX];
    uint16_t sessions[HD_VRRP_PEERS_MAX]; /* places in the table of sessions + 1 */
    uint64_t transitions, received, sent, zero_received, zero_sent;
    uint64_t invalid_type, interval_errors, address_errors, length_errors;
    uint64_t split, bfd_switch, false_switch;
    hd_time late_max;
};

struct vrrp_group {
    char name[HD_VRRP_GROUP_NAME];
    uint32_t members;
    uint32_t unready; /* members that could not run */
};

struct vrrp_track {
    struct hd_vrrp_track_config c;
    uint16_t session; /* + 1 */
    bool down;
};

struct vrrp_session {
    uint32_t users; /* 0: the place is free, once nothing is to be said */
    uint32_t handle;
    uint32_t ifindex;
    uint32_t interval_us;
    uint8_t kind, multiplier;
    uint8_t state; /* as told last */
    bool broken;   /* was up, and the peer did not mean it (R65) */
    bool open;     /* the BFD core was asked */
    bool dirty;    /* it has to be asked */
    struct hd_ip6 local, remote;
};

struct vrrp {
    struct hd_timerq timers;
    struct hd_timer sweep;
    HD_VEC(struct vrrp_instance *) instances; /* in the order of the configuration */
    HD_VEC(struct vrrp_track) tracks;         /* by instance */
    HD_VEC(struct vrrp_group *) groups;
    HD_VEC(struct vrrp_session) sessions;
    struct vrrp_interface *interfaces[HD_VRRP_INTERFACES_MAX];
    struct vrrp_instance *dirty_head, *dirty_tail;
    uint32_t dirty_sessions;
    uint32_t next_handle;
    uint32_t notices_per_s;
    uint32_t notices; /* in this second */
    hd_time notices_at;
    uint64_t drops[VRRP_DROP_COUNT];
    uint64_t counts[VRRP_COUNT_COUNT];
};

/* --- small helpers -----------------------------------------------------------------------------
 */

static inline unsigned vrrp_family_index(uint8_t family)
{
    return family == 4 ? 0 : 1;
}

static inline bool vrrp_address_none(const struct hd_ip6 *a)
{
    static const struct hd_ip6 none;

    return hd_ip6_equal(a, &none);
}

static inline bool vrrp_name_equal(const char *a, const char *b)
{
    return strncmp(a, b, HD_IF_NAME) == 0;
}

/* The port of an interface and family, and back. */
static inline uint16_t vrrp_port(const struct vrrp_interface *f, unsigned family_index)
{
    return (uint16_t)(f->slot * 2 + family_index + 1);
}

static inline hd_time vrrp_own_interval(const struct vrrp_instance *i)
{
    return HD_MS(10) * i->c.interval_cs;
}

static inline struct hd_timer *vrrp_timer(struct vrrp_instance *i, enum vrrp_timer kind)
{
    return &i->timers[kind - 1];
}

void vrrp_arm(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i, enum vrrp_timer kind,
              hd_time at);
void vrrp_disarm(struct vrrp *v, struct vrrp_instance *i, enum vrrp_timer kind);

/* --- config.c ----------------------------------------------------------------------------------
 */

/* Whether vrrp_configure would take it, memory aside. */
int vrrp_check(struct hd_ctx *c, const void *config, uint32_t len);
int vrrp_configure(struct vrrp *v, struct hd_ctx *c, const void *config, uint32_t len);
/* Takes an instance out: last words, model object, memory. It must not be in the table any more. */
void vrrp_instance_free(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);

/* --- interfaces.c ------------------------------------------------------------------------------
 */

void vrrp_on_interface(struct vrrp *v, struct hd_ctx *c, const struct hd_in_interface *in);
void vrrp_on_address(struct vrrp *v, struct hd_ctx *c, const struct hd_in_address *in);
/* Ties an instance to the interface of its name, when there is one; false without memory. */
bool vrrp_bind(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_unbind(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
/* The source address of what is sent, all zero when there is none (R17). */
struct hd_ip6 vrrp_primary(const struct vrrp_instance *i);
struct hd_mac vrrp_instance_mac(const struct vrrp_instance *i);
struct vrrp_interface *vrrp_interface_named(struct vrrp *v, const char *name);
/* How many packets an interface may bring in a window. */
void vrrp_interface_allow(struct vrrp *v, struct vrrp_interface *f);
void vrrp_interfaces_free(struct vrrp *v, struct hd_ctx *c);

/* --- machine.c ---------------------------------------------------------------------------------
 */

/* Puts an instance on the list of those that are looked at next. */
void vrrp_mark(struct vrrp *v, struct vrrp_instance *i, enum hd_vrrp_last cause);
/* Takes one off it; NULL: none is left. */
struct vrrp_instance *vrrp_next_marked(struct vrrp *v);
hd_time vrrp_skew(const struct vrrp_instance *i);
hd_time vrrp_down_interval(const struct vrrp_instance *i);
/* Looks again at all that it depends on: starts, ends or adapts it. */
void vrrp_evaluate(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_state_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i, hd_time at);
void vrrp_hold_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_advert_heard(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                       const struct vrrp_packet *p, const struct vrrp_message *m);
void vrrp_become_active(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                        enum hd_vrrp_last event, enum hd_vrrp_reason reason);
void vrrp_become_backup(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                        enum hd_vrrp_last event);
/* An Active's last word: priority 0 (R31). */
void vrrp_hand_over(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_become_initialize(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                            enum hd_vrrp_last event);
/* Says what the kernel shall hold; announcements follow when it does. */
void vrrp_want(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_on_virtual(struct vrrp *v, struct hd_ctx *c, const struct hd_in_virtual *in);

/* --- receive.c ---------------------------------------------------------------------------------
 */

void vrrp_on_frame(struct vrrp *v, struct hd_ctx *c, const struct hd_in_datagram *d);

/* --- send.c ------------------------------------------------------------------------------------
 */

void vrrp_send_advert(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i, uint8_t type,
                      uint8_t priority);
void vrrp_announce(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_announce_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_tell_state(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i, uint8_t old);
void vrrp_tell_error(struct vrrp *v, struct hd_ctx *c, const struct vrrp_interface *f,
                     uint8_t family, uint8_t vrid, enum hd_vrrp_error error,
                     const struct hd_ip6 *source);

/* --- priority.c --------------------------------------------------------------------------------
 */

/* The priority that tracking leaves (R41). */
uint8_t vrrp_priority(const struct vrrp *v, const struct vrrp_instance *i);
/* What is tracked may have changed: whose priority does is marked. */
void vrrp_tracks_look(struct vrrp *v, struct hd_ctx *c);
void vrrp_tracks_end(struct vrrp *v);

/* --- groups.c ----------------------------------------------------------------------------------
 */

/* The group of this name, made if need be; NULL without memory. */
struct vrrp_group *vrrp_group_get(struct vrrp *v, struct hd_ctx *c, const char *name);
void vrrp_group_join(struct vrrp_group *g, struct vrrp_instance *i);
void vrrp_group_leave(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
/* The readiness of a member changed: others begin or end with it. */
void vrrp_group_ready(struct vrrp *v, struct vrrp_instance *i, bool ready);
/* A member changed its state by itself: the others follow. */
void vrrp_group_follow(struct vrrp *v, struct vrrp_instance *i);

/* --- fast.c ------------------------------------------------------------------------------------
 */

/* The sessions that this instance needs now. */
void vrrp_fast_update(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_fast_end(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_peer_heard(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                     const struct hd_ip6 *from, uint8_t priority, uint8_t type);
void vrrp_backup_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_fast_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i);
void vrrp_on_notice(struct vrrp *v, struct hd_ctx *c, const struct hd_bfd_notice *n);
/* Asks the BFD core for what changed; at most so many requests. */
void vrrp_sessions_flush(struct vrrp *v, struct hd_ctx *c, uint32_t max);
struct vrrp_session *vrrp_session_at(struct vrrp *v, uint16_t place);
/* A user more of the session on this path; the place + 1, 0 without room. */
uint16_t vrrp_session_get(struct vrrp *v, struct hd_ctx *c, const struct vrrp_session *want);
void vrrp_session_put(struct vrrp *v, uint16_t place);
/* The session on which a takeover depends, NULL when there is none. */
struct vrrp_session *vrrp_critical(struct vrrp *v, const struct vrrp_instance *i);

/* --- rows.c ------------------------------------------------------------------------------------
 */

uint32_t vrrp_rows(const void *state, struct hd_ctx *c, uint16_t list, struct hd_row_cursor *cursor,
                   void *out, uint32_t max);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system role (design.md, section 5): the only process that changes the kernel. It follows
 * links and addresses, judges interfaces, sets up the data plane, opens sockets, writes state
 * files, and hands the results to the router process, which asks for no more than the requests of
 * channel.h. It trusts nothing of what it is asked: the router talks to the network.
 *
 *   system.c           start, loop, the channel to the keeper
 *   system_kernel.c    netlink: interfaces, foreign routes and addresses, loss of our own
 *   system_foreign.c   addresses and routes of others in our prefixes
 *   system_router.c    the channel to the router
 *   system_ports.c     sockets and their groups
 *   system_virtual.c   virtual interfaces
 */
#ifndef HD_DAEMON_SYSTEM_H
#define HD_DAEMON_SYSTEM_H

#include "daemon/channel.h"
#include "daemon/driver_rows.h"
#include "daemon/options.h"
#include "daemon/settings.h"
#include "linux/addresses.h"
#include "linux/event_loop.h"
#include "linux/forwarding.h"
#include "linux/interfaces.h"
#include "linux/keys.h"
#include "linux/log.h"
#include "linux/rtnl.h"
#include "linux/virtual.h"

#define HD_SYSTEM_PORTS_MAX      160 /* of frames: two for each interface */
#define HD_SYSTEM_RECONCILE      HD_SEC(30)
#define HD_SYSTEM_LOOK_EVERY     HD_SEC(1) /* at most so often, whatever happens */
#define HD_SYSTEM_MTU_ROUTES_MAX 512
#define HD_SYSTEM_SENTENCE       512

struct hd_system_port {
    bool used;
    uint16_t core;
    struct hd_fx_port spec;
    int fd, witness;
};

struct hd_system {
    struct hd_options options;
    struct hd_settings settings; /* of the configuration */
    struct hd_log log;
    struct hd_loop loop;
    struct hd_rtnl rtnl;
    struct hd_loop_source rtnl_source, keeper_source, router_source;
    struct hd_interfaces interfaces;
    struct hd_addresses addresses;
    struct hd_virtual_table virtuals;
    int icmp;
    struct hd_id id;
    struct hd_ip6 own_address;
    uint16_t node_prefix, label_prefix;
    bool closed;        /* there is a fabric key */
    struct hd_key link; /* derived from it */
    struct hd_fwd_setup *fwd;
    struct hd_fwd_handles handles;
    struct hd_fwd_handles kept; /* descriptors that a predecessor deposited */
    struct hd_msg_name kept_name;
    bool adopted;
    struct hd_system_port ports[HD_SYSTEM_PORTS_MAX];
    uint32_t mtu_routes;
    bool untold; /* the router has missed something */
    hd_time looked_at, reconcile_at;
    unsigned looks_failed; /* since the last that did not */
    struct hd_row_foreign foreign[HD_FOREIGN_MAX], foreign_told[HD_FOREIGN_MAX];
    uint32_t foreign_count, foreign_told_count;
    bool looking;                                             /* a dump runs */
    bool own_address_seen, node_route_seen, label_route_seen; /* in the dump that runs */
    bool stop, keep;
    int exit_status;
    char sentence[HD_SYSTEM_SENTENCE]; /* why we cannot work */
    void *buffer;                      /* HD_CHANNEL_MAX */
};

int hd_system_main(const struct hd_options *o);

/* --- between the files ---------------------------------------------------------------------------
 */

/* Notes a reason and returns the error. */
int hd_system_refuse(struct hd_system *s, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Opens netlink and learns the state of the kernel; refuses if our prefixes are taken. */
HD_MUST_USE int hd_system_kernel_open(struct hd_system *s);
/* Whether an address lies in our prefixes. */
bool hd_system_is_ours(const struct hd_system *s, const struct hd_ip6 *a);
/* Whether kira0 is there and was made by a predecessor of ours. */
bool hd_system_kira0_is_ours(const struct hd_system *s);
/* kira0 was set up: marks it, and judges the interfaces for the first time. */
HD_MUST_USE int hd_system_kernel_begin(struct hd_system *s);
/* A whole look at the kernel; leaves if it has lost what is ours. */
void hd_system_reconcile(struct hd_system *s);
/* Removes all MTU exceptions. */
void hd_system_flush_mtu_routes(struct hd_system *s);

/* A new channel to the router: tells it everything. */
void hd_system_router_connect(struct hd_system *s, int fd);
/* A record did not go out: if for lack of room, all is told anew after the next look. */
void hd_system_router_missed(struct hd_system *s, enum hd_message_type type, int error);
/* After a look: tells the router everything, if it has missed something. */
void hd_system_router_tell_missed(struct hd_system *s);
void hd_system_router_tell_interface(struct hd_system *s, const struct hd_in_interface *i);
void hd_system_router_tell_address(struct hd_system *s, const struct hd_in_address *a);
void hd_system_router_tell_foreign(struct hd_system *s);
void hd_system_router_tell_virtual(struct hd_system *s, enum hd_message_type type,
                                   const struct hd_msg_virtual *m);

/* A look at the kernel begins: what is foreign will be seen again. */
void hd_system_foreign_begin(struct hd_system *s);
/* The look has failed: what was told last still holds. */
void hd_system_foreign_failed(struct hd_system *s);
/* Logs it, and keeps it for the router. */
void hd_system_foreign_seen(struct hd_system *s, enum hd_foreign_kind kind,
                            const struct hd_ip6 *prefix, uint8_t len, uint32_t ifindex);
/* Tells the router if something has changed. */
void hd_system_foreign_tell(struct hd_system *s);

/* Leaves; the keeper starts us again, and the new instance sets things right. */
void hd_system_begin_anew(struct hd_system *s, bool keep, const char *cause);

/* A request of the router; it is answered unless something goes. */
void hd_system_virtual(struct hd_system *s, const struct hd_msg_virtual *m);
/* After any number of them, and before whatever else. */
void hd_system_virtuals_settle(struct hd_system *s);
/* After a look at the kernel. */
void hd_system_virtuals_repair(struct hd_system *s);
/* A new router is told what there is. */
void hd_system_virtuals_tell(struct hd_system *s);
/* All go. */
void hd_system_virtuals_end(struct hd_system *s);

void hd_system_ports_adopt(struct hd_system *s, struct hd_message *m);
void hd_system_port_open(struct hd_system *s, const struct hd_msg_port *p);
void hd_system_port_close(struct hd_system *s, const struct hd_msg_port *p);
/* A new router gets what its predecessor had, before it asks. */
void hd_system_ports_tell(struct hd_system *s);
/* Group memberships follow an interface. */
void hd_system_ports_interface(struct hd_system *s, uint32_t ifindex, bool use);

#endif

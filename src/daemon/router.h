/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router role (design.md, section 5): the linux driver in a process that may do nothing but use
 * the descriptors it is given. It waits until system has told everything, starts its core, and then
 * turns. It survives the other roles: while system is being restarted its requests are remembered,
 * and manage may come and go.
 *
 *   router.c          start, loop, channels to keeper and system
 *   router_host.c     what the driver asks for: ports, saving, MTUs
 *   router_manage.c   the channel to manage: rows, commands, events
 *   router_links.c    interfaces and addresses
 *   router_virtual.c  virtual interfaces
 *   router_config.c   changes of the configuration
 *   router_delta.c    parts of a change that come as what differs
 *   router_recall.c   the configuration in force, remembered for a successor
 *   router_rows.c     lists of the driver itself
 */
#ifndef HD_DAEMON_ROUTER_H
#define HD_DAEMON_ROUTER_H

#include "bind/config.h"
#include "daemon/channel.h"
#include "daemon/driver_rows.h"
#include "daemon/options.h"
#include "linux/driver.h"

#define HD_ROUTER_COMMANDS_MAX 64 /* open at once */
#define HD_ROUTER_SAVES_MAX    16 /* values on their way */

struct hd_router_save {
    struct hd_msg_value value;
    uint32_t len;
    void *bytes; /* NULL: free */
};

struct hd_router_command {
    uint32_t id;
    uint16_t core;
    bool open;
};

struct hd_router_interface {
    struct hd_in_interface i;
    bool seen; /* told since the last BEGIN */
};

struct hd_router_address {
    struct hd_in_address a;
    bool seen; /* as above */
};

/* Sockets of a predecessor, until the core that asked for them asks again. */
struct hd_router_offer {
    struct hd_msg_port port;
    int fd, witness; /* fd -1: free */
};

/* What a core is to take, while it comes in pieces. */
struct hd_router_config_part {
    bool named; /* the change is about this core */
    bool run;
    bool fresh; /* it has taken its part */
    bool delta; /* what comes is what differs from what is in force */
    uint32_t total, have;
    uint8_t *bytes;
    uint64_t base, becomes;      /* digests: of what a delta stands on, and of the outcome */
    struct hd_config_delta edit; /* of a delta, once it is found to suit */
};

struct hd_router_config {
    bool open;
    bool started;  /* cores that know no interface yet */
    bool recalled; /* it comes from our own memory */
    uint32_t id;
    int error;
    uint16_t refuser; /* core */
    bool stale;       /* a delta does not stand on what is in force */
    struct hd_router_config_part part[HD_CORE_COUNT];
    struct hd_router_config_part secrets; /* array of struct hd_config_secret */
};

struct hd_router_role {
    struct hd_options options;
    struct hd_log log;
    struct hd_loop loop;
    struct hd_loop_source keeper, system, manage;
    struct hd_driver driver;
    bool started;         /* the core runs */
    bool resumed;         /* with what the data plane held */
    bool interfaces_told; /* and knows its interfaces */
    bool stop, keep;
    int exit_status;
    hd_time started_at;
    /* what system told before the start */
    struct hd_msg_begin begin;
    bool begun;
    struct hd_fwd_handles handles;
    int icmp;
    int sender; /* memory of the thread that sends periodic objects; -1: none, or given */
    struct hd_saved_value saved[HD_ROUTER_SAVES_MAX];
    uint32_t saved_count;
    struct hd_keyring keys;
    struct hd_router_interface *interfaces;
    uint32_t interface_count, interface_cap;
    struct hd_router_address *addresses;
    uint32_t address_count, address_cap;
    struct hd_msg_virtual *found; /* virtual interfaces that a predecessor left */
    uint32_t found_count;
    struct hd_router_offer *offers; /* HD_DRIVER_PORTS_MAX, made with the first */
    hd_time offers_until;
    /* asked of system */
    struct hd_msg_virtual *outbox; /* waits for room in the channel */
    uint32_t outbox_count, outbox_cap;
    hd_time ports_retry_at; /* HD_NEVER: all that was asked for is open */
    struct hd_router_save saves[HD_ROUTER_SAVES_MAX];
    /* for manage */
    struct hd_router_command commands[HD_ROUTER_COMMANDS_MAX];
    bool subscribed;
    uint64_t events_lost;
    struct hd_recall *recall; /* memory for the configuration in force; NULL: none */
    void *recording;          /* memory of options.recording_bytes, NULL: none */
    struct hd_row_process processes[HD_ROLE_COUNT];
    hd_time processes_at;
    struct hd_row_foreign foreign[HD_FOREIGN_MAX];
    uint32_t foreign_count;                  /* of all */
    struct hd_router_config config;          /* that is coming in */
    uint32_t secrets[HD_CONFIG_SECRETS_MAX]; /* handles of those that the sender has from us */
    uint32_t secret_count;
    char sandbox[48];
    void *buffer; /* HD_CHANNEL_MAX: a record that came */
    void *rows;   /* HD_CHANNEL_TAIL_MAX: rows that go */
};

int hd_router_role_main(const struct hd_options *o);

#define HD_RECALL_BYTES ((size_t)128 << 20) /* address space; memory comes when it is written */

/* --- between the files ---------------------------------------------------------------------------
 */

/* What system tells of interfaces and addresses. */
void hd_router_on_interface(struct hd_router_role *r, const struct hd_in_interface *i);
void hd_router_on_address(struct hd_router_role *r, const struct hd_in_address *a);
/* A new system is about to tell all; it has: what it did not name is gone. */
void hd_router_links_begin(struct hd_router_role *r);
void hd_router_links_sweep(struct hd_router_role *r);

/* Sockets that a predecessor had; forget: nobody asked for them again. */
void hd_router_offer(struct hd_router_role *r, struct hd_message *m);
void hd_router_offers_forget(struct hd_router_role *r);

/* Virtual interfaces: wanted by the model, found by system, done by it. */
void hd_router_virtual_want(struct hd_router_role *r, const struct hd_virtual_change *c);
void hd_router_virtual_found(struct hd_router_role *r, const struct hd_msg_virtual *m);
void hd_router_virtual_done(struct hd_router_role *r, const struct hd_msg_virtual *m);
void hd_router_virtuals_adopt(struct hd_router_role *r);
/* What waits for room: goes, is due, goes now or never, is of no use any more. */
void hd_router_virtuals_flush(struct hd_router_role *r);
hd_time hd_router_virtuals_deadline(const struct hd_router_role *r);
void hd_router_virtuals_last(struct hd_router_role *r);
void hd_router_virtuals_drop(struct hd_router_role *r);

/* Takes the memory of the configuration in force; the descriptor stays the caller's. */
void hd_router_recall_map(struct hd_router_role *r, int fd);
/* Starts and configures cores by it, when they were just made. */
void hd_router_recall(struct hd_router_role *r);
/* r->config is in force now. */
void hd_router_remember(struct hd_router_role *r);
/* What is in force is not what is remembered. */
void hd_router_recall_forget(struct hd_router_role *r);
/* Whether the part of r->config is what is in force. */
bool hd_router_recall_same(const struct hd_router_role *r, unsigned core);

struct hd_recalled {
    const uint8_t *bytes;
    uint32_t len;
    uint64_t digest;
};

/* The remembered part of a core that runs; false: none. */
bool hd_router_recall_part(const struct hd_router_role *r, unsigned core, struct hd_recalled *is);

/*
 * A part that is a delta is made ready to be checked and taken: 0, HD_ENOMEM, or HD_EMALFORMED
 * where it does not stand on what is in force (r->config.stale).
 */
HD_MUST_USE int hd_router_delta_ready(struct hd_router_role *r, unsigned core);

extern const struct hd_driver_host hd_router_host;
/* Repeats what system has not answered yet, to a new system. */
void hd_router_host_repeat(struct hd_router_role *r);
void hd_router_host_saved(struct hd_router_role *r, const struct hd_msg_value *v);

/* Tells every core all interfaces again: one of them is new. */
void hd_router_tell_interfaces(struct hd_router_role *r);

struct hd_kira_config;
struct hd_kira_settings;

/* What KIRA is told: s is what was configured, NULL: nothing. */
void hd_router_kira_config(const struct hd_router_role *r, const struct hd_kira_settings *s,
                           struct hd_kira_config *k);
void hd_router_config_begin(struct hd_router_role *r, const struct hd_msg_config_begin *b);
void hd_router_config_part(struct hd_router_role *r, const struct hd_message *m);
void hd_router_config_end(struct hd_router_role *r, const struct hd_msg_config_end *e);
/* Who sent it is gone. */
void hd_router_config_forget(struct hd_router_role *r);

void hd_router_manage_config_done(struct hd_router_role *r, const struct hd_msg_config_done *d);
void hd_router_manage_connect(struct hd_router_role *r, int fd);
void hd_router_manage_event(struct hd_router_role *r, uint16_t core, uint16_t list, const void *row,
                            uint32_t len);
void hd_router_manage_reply(struct hd_router_role *r, uint16_t core, const struct hd_fx_reply *f,
                            const void *rows);

/* Rows of the driver's own lists, at most max of them, from cursor->a on. */
uint32_t hd_router_driver_rows(struct hd_router_role *r, uint16_t list,
                               struct hd_row_cursor *cursor, void *out, uint32_t max);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels between the processes of heddled (design.md, section 5): SOCK_SEQPACKET pairs that the
 * keeper makes. One datagram is one record: a head, then the body of its type, then for some types
 * a tail of bytes. The table in channel.c has one row per type with its sizes, and nothing that
 * does not fit it reaches a handler. Both ends are the same executable, so bodies are plain
 * structs; the first record in each direction is HELLO with the build id, and an end that hears
 * another id closes.
 *
 * Descriptor HD_CHANNEL_KEEPER_FD of a role is its channel to the keeper. Channels to other roles
 * come over it as PEER records with a descriptor, at the start and again whenever the other role
 * was restarted; a channel that reports HD_ENOENT is dead, and its owner closes it and waits for
 * the next PEER. A PEER that comes while the old channel still seems alive replaces it.
 *
 *   manage     fd 3 keeper, fd 4 the listening control socket; PEER(router) follows at once
 *   router     fd 3 keeper, fd 4 memory for its recording; PEER(system) and PEER(manage) follow
 *   system     fd 3 keeper, fd 4 the state folder (O_PATH); DEPOSITED records, then PEER(router)
 *
 * Pointers never cross a channel. Lists whose rows hold a static text (counters) travel as
 * struct hd_channel_counter rows.
 */
#ifndef HD_DAEMON_CHANNEL_H
#define HD_DAEMON_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux/forwarding.h"
#include "model/core.h"
#include "model/virtual.h"

#define HD_CHANNEL_KEEPER_FD 3
#define HD_CHANNEL_LISTEN_FD 4 /* manage */
#define HD_CHANNEL_STATE_FD  4 /* system */
/* router: memory for its recording, if the options want one */
#define HD_CHANNEL_RECORDING_FD 4

#define HD_CHANNEL_TAIL_MAX 65536 /* bytes after the body */
#define HD_CHANNEL_MAX      (HD_CHANNEL_TAIL_MAX + 1024)
#define HD_CHANNEL_FDS_MAX  HD_FWD_FDS_MAX
#define HD_CHANNEL_NAME     32
#define HD_BUILD_ID         20

enum hd_role {
    HD_ROLE_KEEPER = 0,
    HD_ROLE_SYSTEM,
    HD_ROLE_ROUTER,
    HD_ROLE_MANAGE,
    HD_ROLE_COUNT,
};

enum hd_message_type {
    HD_MSG_HELLO = 1, /* hd_msg_hello, on every channel in both directions, first */

    /* keeper and any role */
    HD_MSG_PEER,      /* to role: hd_msg_peer + 1 fd */
    HD_MSG_READY,     /* to keeper: no body; the role does its work now */
    HD_MSG_FATAL,     /* to keeper: tail is a sentence; starting again would not help */
    HD_MSG_STOP,      /* to role: hd_msg_stop */
    HD_MSG_DEPOSIT,   /* to keeper: hd_msg_name + fds to be kept under this name; none: forget it */
    HD_MSG_DEPOSITED, /* to role: hd_msg_name + fds, what its predecessor deposited */
    HD_MSG_CONTROL,   /* manage to keeper: hd_msg_control */
    HD_MSG_PROCESSES, /* keeper to router: tail is an array of struct hd_row_process */
    HD_MSG_SENDER,    /* keeper to router, before any peer: no body + 1 fd, memory of the sender */
    HD_MSG_RECALL,    /* the same: memory of the configuration in force (router_recall.c) */

    /* system to router */
    HD_MSG_BEGIN,        /* hd_msg_begin */
    HD_MSG_KEY,          /* hd_msg_key */
    HD_MSG_SAVED,        /* hd_msg_value, tail is the value: what a core saved last */
    HD_MSG_FORWARDING,   /* hd_msg_forwarding + fds */
    HD_MSG_ICMP,         /* no body + 1 fd: a raw ICMPv6 socket */
    HD_MSG_INTERFACE,    /* hd_msg_interface */
    HD_MSG_ADDRESS,      /* hd_msg_address, after its interface */
    HD_MSG_KEPT_PORT,    /* hd_msg_port + fds: open since a predecessor asked for it */
    HD_MSG_FOUND,        /* hd_msg_virtual: in the kernel since a predecessor asked for it */
    HD_MSG_FOREIGN,      /* hd_msg_foreign, tail is an array of struct hd_row_foreign */
    HD_MSG_SYNCED,       /* no body: all of the above were sent once */
    HD_MSG_PORT,         /* hd_msg_port_opened + 1 fd when error is 0 */
    HD_MSG_SAVE_DONE,    /* hd_msg_value without tail: it is durable */
    HD_MSG_VIRTUAL_DONE, /* hd_msg_virtual, with the error */

    /* router to system */
    HD_MSG_OPEN_PORT,  /* hd_msg_port */
    HD_MSG_CLOSE_PORT, /* hd_msg_port */
    HD_MSG_SAVE,       /* hd_msg_value, tail is the value */
    HD_MSG_ROUTE_MTU,  /* hd_msg_route_mtu */
    HD_MSG_VIRTUAL,    /* hd_msg_virtual: is to be like this, or to go */

    /* manage to router */
    HD_MSG_ROWS_REQ,  /* hd_msg_rows_req */
    HD_MSG_COMMAND,   /* hd_msg_command, tail is the core's struct for the verb */
    HD_MSG_SUBSCRIBE, /* hd_msg_subscribe */

    /* router to manage */
    HD_MSG_ROWS_RSP, /* hd_msg_rows_rsp, tail is row_count rows of row_size bytes */
    HD_MSG_REPLY,    /* hd_msg_reply, tail is rows as above */
    HD_MSG_EVENT,    /* hd_msg_event, tail is one row */

    /* manage and heddle-config, which is a process of manage's (config/config.h) */
    HD_MSG_CONFIG_ASK, /* to config: hd_msg_config_ask, tail is a JSON object */
    HD_MSG_CONFIG_SAY, /* to manage: hd_msg_config_say, tail is a JSON object: a page */

    /* config to router, by way of manage, which looks at none of it */
    HD_MSG_CONFIG_BEGIN, /* hd_msg_config_begin */
    HD_MSG_CONFIG_PART,  /* hd_msg_config_part, tail is a piece of what a core is to take */
    HD_MSG_CONFIG_END,   /* hd_msg_config_end: all of it takes effect, or nothing does */
    HD_MSG_CONFIG_DONE,  /* router to config: hd_msg_config_done */

    HD_MSG_TYPE_END,
};

struct hd_msg_hello {
    uint8_t build_id[HD_BUILD_ID];
    uint32_t role; /* the sender's enum hd_role */
    uint32_t pid;
};

struct hd_msg_peer {
    uint32_t role; /* who sits at the other end of the descriptor */
};

struct hd_msg_stop {
    uint32_t keep; /* 1: forwarding goes on, somebody will adopt it */
};

struct hd_msg_name {
    char name[HD_CHANNEL_NAME]; /* NUL-terminated */
};

enum hd_control {
    HD_CONTROL_RESTART = 1, /* re-execute everything, forwarding goes on */
    HD_CONTROL_DOWN,        /* orderly exit, everything of ours leaves the kernel */
};

struct hd_msg_control {
    uint32_t action; /* enum hd_control; the asker was root: manage has checked it */
};

struct hd_msg_begin {
    uint8_t core;    /* number of the core to run */
    uint8_t adopted; /* the data plane of a predecessor was taken over */
    uint16_t node_prefix, label_prefix;
    uint32_t key;    /* handle for sending, 0: open fabric */
    uint8_t backend; /* of the data plane, 0: none */
    struct hd_id id;
    struct hd_ip6 own_address; /* on kira0 */
    uint64_t seed;
    char state_dir[128];
};

struct hd_msg_key {
    uint32_t handle;
    uint8_t bytes[32]; /* the link key */
};

struct hd_msg_value {
    uint16_t core;
    uint16_t key;
};

struct hd_msg_forwarding {
    struct hd_fwd_handles handles; /* fds inside are meaningless: they come beside the record */
};

struct hd_msg_interface {
    struct hd_in_interface interface;
};

struct hd_msg_address {
    struct hd_in_address address;
};

/* A virtual interface (model/virtual.h): the same in all records about one. */
struct hd_msg_virtual {
    uint32_t index; /* in the model */
    int32_t error;
    uint8_t owner; /* core */
    uint8_t del;
    uint8_t reserved[2];
    struct hd_virtual_value value;
};

struct hd_msg_foreign {
    uint32_t count; /* of all; the rows are the first of them */
};

struct hd_msg_port {
    uint16_t core;
    struct hd_fx_port port;
};

struct hd_msg_port_opened {
    uint16_t core;
    uint16_t port;
    int32_t error;
};

struct hd_msg_route_mtu {
    struct hd_ip6 prefix; /* a node's address, or what lies behind it */
    uint32_t len;
    uint32_t mtu; /* largest inner packet; 0: the exception goes */
};

struct hd_msg_rows_req {
    uint32_t request; /* repeated in the answer */
    uint16_t core;    /* enum hd_core_number or HD_CORE_DRIVER (driver_rows.h) */
    uint16_t list;
    uint32_t max;                /* rows wanted; the answer may hold fewer before the end */
    uint32_t row_size;           /* what the asker believes: checked */
    struct hd_row_cursor cursor; /* zero at the begin, then that of the last answer */
};

struct hd_msg_rows_rsp {
    uint32_t request;
    int32_t error; /* an hd_error: HD_ENOENT unknown list, HD_EINVAL row size differs */
    uint32_t row_count;
    uint32_t row_size;
    struct hd_row_cursor cursor; /* cursor.end: that was all */
};

struct hd_msg_command {
    uint32_t id; /* repeated in replies; unique among manage's open commands */
    uint16_t core;
    uint16_t verb;
    uint32_t cancel; /* 1: the asker is gone (no tail) */
};

struct hd_msg_reply {
    uint32_t command;
    uint16_t core;
    uint16_t list;  /* row format */
    uint32_t flags; /* HD_REPLY_LAST */
    int32_t error;
    uint32_t row_count;
    uint32_t row_size;
};

struct hd_msg_subscribe {
    uint32_t on; /* 1: every event of every core from now on; 0: none */
};

struct hd_msg_event {
    uint16_t core;
    uint16_t list;
    uint32_t row_size;
};

struct hd_msg_config_ask {
    uint32_t request; /* repeated in what is said */
    uint32_t root;    /* 1: the asker may change things */
};

#define HD_CONFIG_SAY_LAST    1 /* the answer ends here */
#define HD_CONFIG_SAY_RESTART 2 /* all processes are to begin anew */
#define HD_CONFIG_SAY_CONFIRM 4 /* confirm_s is news */
#define HD_CONFIG_SAY_BEGINS  8 /* not an answer: from here on files change, or the router */

struct hd_msg_config_say {
    uint32_t request;
    uint32_t flags;
    uint32_t confirm_s; /* a confirmation must come within these seconds; 0: none has to */
};

struct hd_msg_config_begin {
    uint64_t layout; /* hd_config_layout(): whether both mean the same by a row */
    uint32_t id;     /* of the transaction */
    uint32_t reserved;
};

enum hd_config_how {
    HD_CONFIG_STOP = 0, /* the core is not to run any more; no bytes follow */
    HD_CONFIG_WHOLE,    /* the whole (bind/config.h) */
    HD_CONFIG_DELTA,    /* what differs (model/config_delta.h) */
};

struct hd_msg_config_part {
    uint32_t id;
    uint16_t core;
    uint16_t how; /* enum hd_config_how */
    uint32_t total, offset;
    uint64_t base;    /* delta: digest of what it stands on (hd_config_digest) */
    uint64_t becomes; /* digest of what the core has then */
};

struct hd_msg_config_end {
    uint32_t id;
};

struct hd_msg_config_done {
    uint32_t id;
    int32_t error; /* an hd_error */
    uint16_t core; /* who refused, when an error says so */
    uint8_t half;  /* some cores have taken their part already: the old parts must be sent again */
    uint8_t stale; /* a delta stands on something else than what is here: the whole is asked for */
};

/* A row of any list of counters, as it travels. */
struct hd_channel_counter {
    char name[48];
    uint64_t value;
};

/* --- sending and receiving -----------------------------------------------------------------------
 */

struct hd_message {
    uint16_t type;
    uint32_t tail_len;
    const void *body; /* into the caller's buffer, aligned to 8 */
    const void *tail; /* NULL when the type has none */
    int fds[HD_CHANNEL_FDS_MAX];
    unsigned nfds; /* the receiver owns them: takes (sets -1) or hd_message_close */
};

/* A pair of non-blocking close-on-exec ends: 0 or HD_ESYS. */
HD_MUST_USE int hd_channel_pair(int ends[2]);

/* Sends one record: 0, HD_EAGAIN (the queue is full), HD_ENOENT (the other end is gone), HD_EINVAL.
 */
HD_MUST_USE int hd_channel_send(int fd, enum hd_message_type type, const void *body,
                                const void *tail, size_t tail_len);
HD_MUST_USE int hd_channel_send_fds(int fd, enum hd_message_type type, const void *body,
                                    const void *tail, size_t tail_len, const int *fds,
                                    unsigned nfds);
/* As hd_channel_send, waiting up to timeout_ms for room. */
HD_MUST_USE int hd_channel_send_wait(int fd, enum hd_message_type type, const void *body,
                                     const void *tail, size_t tail_len, int timeout_ms);

/*
 * Takes the next record: 1, 0 when there is none now, HD_ENOENT when the other end is gone,
 * HD_EMALFORMED for a record outside the table (it is consumed). buf: HD_CHANNEL_MAX bytes, aligned
 * to 8.
 */
HD_MUST_USE int hd_channel_receive(int fd, void *buf, size_t size, struct hd_message *m);
/* Closes the descriptors that were not taken. */
void hd_message_close(struct hd_message *m);

/* Sends our HELLO; checks a received one: 0 or HD_EPERM for another build. */
HD_MUST_USE int hd_channel_hello(int fd, enum hd_role own);
HD_MUST_USE int hd_channel_hello_check(const struct hd_message *m);

/* The build id of this executable (HD_BUILD_ID bytes). */
const uint8_t *hd_build_id(void);

const char *hd_role_name(enum hd_role role);

#endif

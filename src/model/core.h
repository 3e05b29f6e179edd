/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core contract (design.md, section 1).
 *
 * A core is one protocol as a state machine: no system call, no clock, no randomness of its own, no
 * globals, never blocks. Its state lies in the router's pool and holds no function pointers. A
 * driver calls it through struct hd_core_ops, only ever from one thread at a time; it answers with
 * effects, edits of the forwarding model, its next deadline and whether it has pending work.
 *
 * Order: an input carries its arrival time, and before a deadline t is served everything that
 * arrived before t has been delivered. `now` never goes back.
 */
#ifndef HD_MODEL_CORE_H
#define HD_MODEL_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/pool.h"
#include "lib/random.h"
#include "lib/time.h"
#include "model/config_delta.h"
#include "model/effects.h"
#include "model/fwd.h"
#include "model/ids.h"

/* What a core may use during a call. Lives on the caller's stack. */
struct hd_ctx {
    hd_time now;
    struct hd_pool *pool;
    struct hd_model *model;
    struct hd_ids *ids;
    struct hd_random *random;
    struct hd_effects *fx;
    uint8_t core; /* the core's number in its router: owner of its model objects */
};

enum hd_pending {
    HD_PENDING_NONE = 0,
    HD_PENDING_BACKGROUND, /* when there is nothing else to do */
    HD_PENDING_URGENT,     /* before the next input */
};

struct hd_answer {
    hd_time deadline; /* HD_NEVER: no timer */
    enum hd_pending pending;
};

/* --- inputs: a closed list -------------------------------------------------------------------- */

enum hd_input_type {
    HD_IN_DATAGRAM = 1, /* datagram */
    HD_IN_INTERFACE,    /* interface: appeared, changed or (gone) vanished */
    HD_IN_COMMAND,      /* command */
    HD_IN_EVENT,        /* event of another core */
    HD_IN_MODEL,        /* model: object refused or lost; installed when the core asked */
    HD_IN_REPORT,       /* report: what the data plane saw of an object */
    HD_IN_SAMPLE,       /* sample: answer to HD_FX_SAMPLE */
    HD_IN_SAVED,        /* saved: a value of HD_FX_SAVE is durable */
    HD_IN_WALL_CLOCK,   /* wall_clock */
    HD_IN_ADDRESS,      /* address: of an interface, came or went */
    HD_IN_VIRTUAL,      /* virt: how a change of a virtual interface ended */
    HD_IN_WATCH,        /* watch: nothing was heard for its detection time */
};

struct hd_in_datagram {
    const uint8_t *bytes;
    uint32_t len;
    uint16_t port;
    uint8_t hop_limit;
    uint8_t traffic_class;
    uint32_t ifindex;
    bool routed;    /* arrived by the forwarding plane for our own address, not from a neighbour */
    bool multicast; /* sent to a group */
    /* Key handle whose HMAC over the bytes before the last 16 was right; 0: none was. */
    uint32_t key;
    struct hd_ip6 from, to;
    /* Link-layer source where the driver knows it (zero otherwise). */
    struct hd_mac from_mac;
};

#define HD_IF_NAME 16

struct hd_in_interface {
    uint32_t ifindex;
    char name[HD_IF_NAME];
    bool gone;
    bool up;         /* administratively up with carrier */
    bool usable;     /* eligible by the rules of design.md section 7, and large enough */
    uint8_t why_not; /* enum hd_if_why when not usable */
    uint32_t mtu;
    struct hd_mac mac;
    struct hd_ip6 link_local; /* zero until there is one that is not tentative */
};

/* Why an interface is left out; shown with the flag that would include it. */
enum hd_if_why {
    HD_IF_OK = 0,
    HD_IF_LOOPBACK,
    HD_IF_NOT_ETHERNET,
    HD_IF_BRIDGE_PORT,
    HD_IF_TUNNEL,
    HD_IF_WIRELESS,
    HD_IF_DEFAULT_ROUTE, /* carries the default route of the initial namespace */
    HD_IF_FOREIGN_XDP,
    HD_IF_VIRTUAL, /* initial namespace: not a physical port */
    HD_IF_NOT_SELECTED,
    HD_IF_MTU_SMALL,
    HD_IF_NO_IPV6,
    HD_IF_OURS,
    HD_IF_ATTACH, /* the data plane could not be attached: the log says why */
    HD_IF_WHY_END,
};

struct hd_in_command {
    uint32_t id; /* repeated in replies; unique among open commands */
    uint16_t verb;
    uint16_t len;
    const void *args; /* the core's own struct for the verb */
    bool cancel;      /* the asker is gone: forget the command */
};

struct hd_in_event {
    uint8_t from; /* core */
    uint16_t list;
    const void *row;
    uint32_t len;
};

struct hd_in_model {
    enum hd_object_kind kind;
    uint32_t index;
    int error; /* 0 installed, HD_ENOENT lost, else why it was refused */
};

enum hd_report_kind {
    HD_REPORT_FLOW = 1,      /* packets to `to` since the last report; first packet at once */
    HD_REPORT_LABEL_UNKNOWN, /* a packet of `source` with `label`, for which there is no entry */
    HD_REPORT_EGRESS_DEAD,   /* the entry's adjacency is down */
    HD_REPORT_NO_ROUTE,      /* nothing matches `to` */
    HD_REPORT_TOO_BIG,       /* somebody on the path of `label` says its MTU is `value` */
    HD_REPORT_UNREACHABLE,   /* an ICMPv6 unreachable about `label` came back */
    HD_REPORT_REPAIRED,      /* the entry's adjacency is down; the packet went round it */
};

struct hd_in_report {
    enum hd_report_kind kind;
    uint32_t adj;
    uint32_t value;
    uint64_t packets;
    struct hd_ip6 to;
    struct hd_ip6 source; /* outer source: the encapsulating node */
    struct hd_label label;
};

struct hd_in_sample {
    uint16_t object_kind;
    uint32_t object;
    uint32_t tag;
    uint64_t packets;
    uint64_t bytes;
};

struct hd_in_saved {
    uint16_t key;
};

struct hd_in_wall_clock {
    int64_t unix_ns; /* at `now` */
    int64_t error_ns;
};

/* Told after its interface; when that goes, its addresses go without a word. */
struct hd_in_address {
    uint32_t ifindex;
    struct hd_ip6 address; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t len;           /* of the prefix, IPv4: 96 and more */
    bool secondary;        /* IPv4: not the first of its prefix */
    bool gone;
};

/* Of an object of model/virtual.h. */
struct hd_in_virtual {
    uint32_t index;
    int error; /* 0: the kernel has what is wanted */
};

struct hd_in_watch {
    uint32_t index;  /* of the watch, which is not armed any more */
    hd_time seen_at; /* the last sign of life */
};

struct hd_input {
    enum hd_input_type type;
    uint8_t core; /* addressee; ignored for interface, address and wall clock, which go to all */
    hd_time arrived;
    union {
        struct hd_in_datagram datagram;
        struct hd_in_interface interface;
        struct hd_in_command command;
        struct hd_in_event event;
        struct hd_in_model model;
        struct hd_in_report report;
        struct hd_in_sample sample;
        struct hd_in_saved saved;
        struct hd_in_wall_clock wall_clock;
        struct hd_in_address address;
        struct hd_in_virtual virt;
        struct hd_in_watch watch;
    } u;
};

/* --- start ------------------------------------------------------------------------------------ */

struct hd_saved_value {
    uint16_t key;
    uint32_t len;
    const void *bytes;
};

struct hd_start {
    const void *config; /* the core's config struct; NULL: its defaults */
    uint32_t config_len;
    const struct hd_saved_value *saved; /* what HD_FX_SAVE stored last, by key */
    uint32_t saved_count;
    bool resumed; /* the forwarding plane kept running: the model holds adopted objects */
    uint32_t key; /* key handle for sending, 0: open fabric */
};

/* --- rows ------------------------------------------------------------------------------------- */

/* Where a walk over a list stands. Zero at its begin; the core's to use. */
struct hd_row_cursor {
    uint64_t a, b;
    bool end;
};

/* --- the calls -------------------------------------------------------------------------------- */

struct hd_core_ops {
    const char *name;
    uint32_t state_size;
    /* Builds the state in zeroed memory of state_size bytes: 0 or an hd_error. */
    int (*start)(void *state, struct hd_ctx *c, const struct hd_start *s);
    void (*input)(void *state, struct hd_ctx *c, const struct hd_input *in);
    /* Serves every timer that is due at c->now. */
    void (*due)(void *state, struct hd_ctx *c);
    /* Does at most `units` of pending work, a unit being a table entry or about 1 us. */
    void (*work)(void *state, struct hd_ctx *c, uint32_t units);
    /*
     * Whether `configure` would take this: 0, or the hd_error with which it would refuse. A change
     * of several cores is checked by all of them before the first one takes its part, so nothing
     * but HD_ENOMEM may be left for `configure` to refuse. NULL: nothing is checked beforehand.
     */
    int (*check)(const void *state, struct hd_ctx *c, const void *config, uint32_t len);
    /* Takes a whole new config struct: 0, or an hd_error and nothing changed. */
    int (*configure)(void *state, struct hd_ctx *c, const void *config, uint32_t len);
    /*
     * The same two for a change of the configuration that the core took last: the new head and the
     * rows that differ, whose old forms it has. The result is what `configure` with the whole would
     * give; the cost is that of the rows that differ. NULL, both: the lists are short, and the core
     * is given the whole.
     */
    int (*check_change)(const void *state, struct hd_ctx *c, const struct hd_config_delta *d);
    int (*change)(void *state, struct hd_ctx *c, const struct hd_config_delta *d);
    /* Copies up to max rows of a list into out; sets cursor->end after the last. */
    uint32_t (*rows)(const void *state, struct hd_ctx *c, uint16_t list,
                     struct hd_row_cursor *cursor, void *out, uint32_t max);
    /* Says goodbye: last messages, own model objects removed. */
    void (*stop)(void *state, struct hd_ctx *c);
    struct hd_answer (*answer)(const void *state);
};

#endif

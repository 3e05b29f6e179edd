/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Effects: what a core asks its driver to do. A closed list (design.md, section 1). They are
 * records in a bounded buffer that the caller of the core owns; a core appends, the driver reads
 * them in order.
 *
 * Room: before every call the driver provides at least HD_FX_ROOM_BYTES. A core's answer to one
 * input stays below that by construction; whatever walks a table goes on the core's work list and
 * asks hd_fx_room() before it produces more.
 *
 * Forwarding changes are not effects: they are edits of the model (model/fwd.h).
 */
#ifndef HD_MODEL_EFFECTS_H
#define HD_MODEL_EFFECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/time.h"
#include "model/ids.h"

#define HD_FX_ROOM_BYTES (192 * 1024)

enum hd_effect_type {
    HD_FX_OPEN_PORT = 1, /* port */
    HD_FX_CLOSE_PORT,    /* port */
    HD_FX_SEND,          /* send; payload is the datagram */
    HD_FX_SAVE,          /* save; payload is the value */
    HD_FX_EVENT,         /* event; payload is one row of the event's list */
    HD_FX_REPLY,         /* reply; payload is `rows` rows of a list */
    HD_FX_SAMPLE,        /* sample: asks for counters of a model object */
    HD_FX_LOG,           /* log; payload is an array of struct hd_log_arg */
    HD_FX_TRACE,         /* trace; payload is core-defined bytes */
    HD_FX_SEND_ONCE,     /* once; payload is the packet */
};

enum hd_port_kind {
    HD_PORT_UDP6 = 1,   /* UDP over IPv6, bound to number on all interfaces of the router */
    HD_PORT_FRAME = 16, /* Ethernet frames of ifindex; heard: those that carry IP protocol number */
    HD_PORT_UDP = 2,    /* UDP over both families, IPv4 addresses as ::ffff:a.b.c.d; only heard */
};

struct hd_fx_port {
    uint16_t port; /* the core's own name of the port */
    uint16_t kind;
    uint16_t number;     /* UDP port */
    struct hd_ip6 group; /* joined on every interface; all zero: none */
    /*
     * Of a frame port, whose group is joined there and says the family. Both ways datagrams are
     * whole frames; sent with HD_SEND_ROUTED the packet in it goes by the routes of the system
     * instead.
     */
    uint32_t ifindex;
};

#define HD_SEND_ROUTED                                                                             \
    0x01 /* by the forwarding model to a node's address, not out of an interface */

struct hd_fx_send {
    uint16_t port;
    uint8_t flags;
    uint8_t traffic_class;
    uint32_t ifindex;
    uint32_t after_generation; /* not before the model is installed up to here; 0: at once */
    /*
     * 0, or a key handle: the driver fills the last 16 bytes with the HMAC-SHA-256 over all before
     * them, truncated. Keys live outside the cores.
     */
    uint32_t key;
    struct hd_ip6 to;
    uint32_t len;
};

/* Says something at once as a periodic object of the model would say it (model/liveness.h). */
struct hd_fx_send_once {
    uint32_t periodic;
    uint32_t len; /* at most HD_PERIODIC_BYTES */
};

struct hd_fx_save {
    uint16_t key; /* the core's own name of the value; at most HD_SAVE_MAX bytes are kept */
    uint32_t len;
};
#define HD_SAVE_MAX 65536

struct hd_fx_event {
    uint16_t list; /* list number whose row format the payload has */
    uint32_t len;
};

#define HD_REPLY_LAST 0x01

struct hd_fx_reply {
    uint32_t command; /* id given in the command */
    uint16_t list;    /* row format */
    uint8_t flags;
    int32_t error; /* an hd_error; with HD_REPLY_LAST */
    uint32_t rows;
    uint32_t len;
};

struct hd_fx_sample {
    uint16_t object_kind;
    uint32_t object;
    uint32_t tag; /* repeated in the input */
};

enum hd_log_level {
    HD_LOG_ERROR = 3,
    HD_LOG_WARNING = 4,
    HD_LOG_NOTICE = 5,
    HD_LOG_INFO = 6,
    HD_LOG_DEBUG = 7,
};

enum hd_log_arg_type {
    HD_ARG_UINT = 1,
    HD_ARG_ID,
    HD_ARG_IP6,
    HD_ARG_TEXT, /* static text only */
    HD_ARG_TIME, /* a duration, printed in milliseconds */
};

struct hd_log_arg {
    const char *key; /* static */
    uint32_t type;
    union {
        uint64_t number;
        int64_t time_ns;
        struct hd_id id;
        struct hd_ip6 ip6;
        const char *text;
    } u;
};

#define HD_LOG_ARGS_MAX 6

struct hd_fx_log {
    uint16_t level;
    uint16_t nargs;
    const char *cause; /* static, short, with hyphens: the driver limits lines per cause */
};

struct hd_fx_trace {
    uint16_t kind;
    uint32_t len;
};

struct hd_effect {
    uint16_t type; /* enum hd_effect_type */
    uint16_t core; /* who produced it */
    uint32_t size; /* of the whole record with payload, a multiple of 8 */
    union {
        struct hd_fx_port port;
        struct hd_fx_send send;
        struct hd_fx_send_once once;
        struct hd_fx_save save;
        struct hd_fx_event event;
        struct hd_fx_reply reply;
        struct hd_fx_sample sample;
        struct hd_fx_log log;
        struct hd_fx_trace trace;
    } u;
};

struct hd_effects {
    uint8_t *buf; /* aligned to 8 */
    uint32_t size;
    uint32_t used;
    uint32_t count;
    uint32_t lost; /* appends that found no room: a defect of the core, counted */
};

void hd_fx_init(struct hd_effects *fx, void *buf, uint32_t size);
void hd_fx_clear(struct hd_effects *fx);

/* True while at least `bytes` of payload in one more record find room. */
bool hd_fx_room(const struct hd_effects *fx, uint32_t bytes);

/*
 * Appends a record with room for `payload` bytes (zeroed) and returns it, NULL when there is no
 * room (counted). The payload follows the struct: hd_fx_payload.
 */
struct hd_effect *hd_fx_append(struct hd_effects *fx, uint16_t core, uint16_t type,
                               uint32_t payload);

/* Appends an event: one row of a list, copied. Without room it is lost, and counted. */
void hd_fx_event(struct hd_effects *fx, uint16_t core, uint16_t list, const void *row,
                 uint32_t len);

/* Cuts the payload of the record that was appended last to fewer bytes. */
void hd_fx_trim(struct hd_effects *fx, struct hd_effect *last, uint32_t payload);

static inline void *hd_fx_payload(struct hd_effect *e)
{
    return e + 1;
}

/* First record, NULL when there is none; then the next. */
struct hd_effect *hd_fx_first(const struct hd_effects *fx);
struct hd_effect *hd_fx_next(const struct hd_effects *fx, const struct hd_effect *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KIRA on the wire: formats only (kira.md 3). A message is decoded whole, with every bound checked,
 * into a struct whose pointers lie inside the datagram; only then does anybody act on it. Encoding
 * appends to a cursor, object by object, in KIRA-Rust's order (kira.md 3.3).
 *
 * Besides the published messages there are our private ones, in ways that KIRA-Rust skips or drops:
 * the link MAC object 0xF0 (kira.md 5.16), the capabilities object 0xF3 behind hello and discovery
 * messages, the overlay-hops object 0xF2, and the 16-byte echo, which is no KIRA message at all and
 * goes only to neighbours that announced it.
 */
#ifndef HD_CORE_KIRA_WIRE_H
#define HD_CORE_KIRA_WIRE_H

#include "lib/cursor.h"
#include "model/ids.h"

#define HD_KIRA_HEADER_LEN 55

enum hd_kira_type {
    HD_KIRA_HELLO = 0x01,
    HD_KIRA_DISC_REQ = 0x03,
    HD_KIRA_DISC_RSP = 0x04,
    HD_KIRA_FIND_REQ = 0x09,
    HD_KIRA_FIND_RSP = 0x0a,
    HD_KIRA_QUERY_REQ = 0x0b,
    HD_KIRA_QUERY_RSP = 0x0c,
    HD_KIRA_UPDATE = 0x11,
    HD_KIRA_PROBE_REQ = 0x21,
    HD_KIRA_PROBE_RSP = 0x22,
    HD_KIRA_ERROR = 0x70,
    HD_KIRA_SETUP_REQ = 0x81,
    HD_KIRA_SETUP_RSP = 0x82,
    HD_KIRA_TEARDOWN_REQ = 0x83,
    HD_KIRA_STORE_REQ = 0xa1,
    HD_KIRA_STORE_RSP = 0xa2,
    HD_KIRA_FETCH_REQ = 0xa3,
    HD_KIRA_FETCH_RSP = 0xa4,
};

enum hd_kira_flag {
    HD_KIRA_EXACT = 0x01,
    HD_KIRA_ENDSYSTEM = 0x04,
    HD_KIRA_DIAGNOSTIC = 0x40,
};

enum hd_kira_object {
    HD_KIRA_OBJ_ROUTE = 0x01,
    HD_KIRA_OBJ_NOT_VIA = 0x02,
    HD_KIRA_OBJ_CONTACTS = 0x03,
    HD_KIRA_OBJ_RTABLE_REQ = 0x04,
    HD_KIRA_OBJ_RTABLE = 0x05,
    HD_KIRA_OBJ_UPDATE_INFO = 0x06,
    HD_KIRA_OBJ_ERROR = 0x07,
    HD_KIRA_OBJ_STORE_REQ = 0x80,
    HD_KIRA_OBJ_STORE_RSP = 0x81,
    HD_KIRA_OBJ_FETCH_REQ = 0x82,
    HD_KIRA_OBJ_FETCH_RSP = 0x83,
    HD_KIRA_OBJ_MAC = 0xf0,          /* key id u16, counter u64, HMAC 16; last in the message */
    HD_KIRA_OBJ_OVERLAY_HOPS = 0xf2, /* u16 each: positions in the source route of overlay hops */
    HD_KIRA_OBJ_CAPABILITIES = 0xf3, /* u8 version 1, u8 flags (enum hd_kira_capability) */
};

enum hd_kira_capability {
    HD_KIRA_CAN_ECHO = 0x01,   /* answers the 16-byte echo */
    HD_KIRA_CAN_NOTICE = 0x02, /* understands routed failure notices */
    HD_KIRA_FAST_ECHO = 0x04,  /* the kernel answers it: no answer means no link */
    HD_KIRA_CAN_CARRY = 0x08,  /* its data plane puts a carried label back (0026) */
    HD_KIRA_GOODBYE = 0x10,    /* the sender leaves: take it out at once */
};

enum hd_kira_rtable_type {
    HD_KIRA_RT_NONE = 0,
    HD_KIRA_RT_CONTACTS = 1,
    HD_KIRA_RT_OVERLAY = 2,
    HD_KIRA_RT_OVERLAY_OF_SOURCE = 3,
    HD_KIRA_RT_VICINITY = 4,
};

enum hd_kira_action {
    HD_KIRA_ANNOUNCE = 0,
    HD_KIRA_WITHDRAW = 1,
    HD_KIRA_CHANGE = 2,
    HD_KIRA_UNREACHABLE = 3,
};

enum hd_kira_error_kind {
    HD_KIRA_SEGMENT_FAILURE = 0x05,
    HD_KIRA_DEAD_END = 0x0a,
};

#define HD_KIRA_AGE_UNKNOWN    0xffffffffu
#define HD_KIRA_DEGREE_UNKNOWN 0xffffu
#define HD_KIRA_SSN_INVALID    0u
#define HD_KIRA_SSN_RESET      0xffffffffu
#define HD_KIRA_SSN_LAST       0xfffffffeu
#define HD_KIRA_MAC_OBJECT_LEN 29 /* header 3, key id 2, counter 8, MAC 16 */

struct hd_kira_header {
    uint8_t type;
    uint8_t flags;
    struct hd_id dest;
    struct hd_id source;
    uint64_t domain;
    uint64_t msg_id;
    uint32_t ssn;
    uint16_t degree;
};

/* A run of 14-byte identifiers inside the datagram. */
struct hd_kira_ids {
    const uint8_t *bytes;
    uint32_t count;
};

struct hd_kira_not_via {
    struct hd_id a, b; /* a < b */
    uint32_t age_ms;
};

struct hd_kira_contact_item {
    struct hd_id id;
    uint32_t ssn;
    uint32_t age_ms;
    uint16_t degree;
};

/* An entry of an rtable or of update-info. */
struct hd_kira_entry {
    struct hd_id id;
    struct hd_kira_ids path; /* without the reporting node, with the contact as last element */
    uint32_t ssn;
    uint32_t age_ms;
    uint16_t degree;
    uint8_t action; /* update-info only */
};

/* A decoded message. Counts of zero with NULL bytes: the object is absent (or empty). */
struct hd_kira_msg {
    struct hd_kira_header h;
    const uint8_t *bytes; /* the message, msg-length bytes */
    uint32_t len;

    bool has_route;
    uint16_t index;
    uint32_t
        index_offset; /* of the two index bytes from `bytes`; also where the route's value starts */
    struct hd_kira_ids route;

    bool has_not_via, has_contacts, has_rtable_req, has_rtable, has_update, has_error;
    struct hd_reader not_via;  /* items of 32 bytes, see hd_kira_next_not_via */
    struct hd_reader contacts; /* 24 bytes, hd_kira_next_contact */
    uint8_t rtable_req_type;
    uint8_t rtable_req_radius;
    struct hd_reader rtable; /* validated, hd_kira_next_entry */
    struct hd_reader update; /* validated, hd_kira_next_update */
    uint8_t error_kind;
    struct hd_id error_reporter, error_a, error_b;

    bool has_data; /* one of the four DHT objects */
    uint8_t data_type;
    struct hd_reader data; /* its value, validated */

    bool has_capabilities;
    uint8_t capabilities;
    bool has_overlay_hops;
    struct hd_reader overlay_hops; /* u16 each */
    bool has_mac;                  /* as the last object */
    uint16_t mac_key;
    uint64_t mac_counter;
    uint32_t mac_offset; /* of the 29-byte object from `bytes` */
};

/* Why a datagram was refused. Names by hd_kira_wire_error_name. */
enum hd_kira_wire_error {
    HD_KIRA_WIRE_OK = 0,
    HD_KIRA_WIRE_SHORT, /* below 55 bytes, or msg-length beyond the datagram or below 55 */
    HD_KIRA_WIRE_VERSION,
    HD_KIRA_WIRE_TYPE,    /* unknown message type, or 0x82 */
    HD_KIRA_WIRE_OBJECT,  /* an object runs past the end */
    HD_KIRA_WIRE_ROUTE,   /* source route breaks a rule of kira.md 3.5 */
    HD_KIRA_WIRE_MISSING, /* a mandatory object is absent */
    HD_KIRA_WIRE_NOT_VIA,
    HD_KIRA_WIRE_CONTACTS,
    HD_KIRA_WIRE_ENTRY, /* rtable, update-info: bounds, path rules, SSN 0 or reset */
    HD_KIRA_WIRE_ERROR_DATA,
    HD_KIRA_WIRE_REQUEST,  /* rtable-request of wrong size or value */
    HD_KIRA_WIRE_DATA,     /* a DHT object */
    HD_KIRA_WIRE_PRIVATE,  /* one of our private objects is malformed */
    HD_KIRA_WIRE_IDENTITY, /* an all-zero or all-one ID where a node must stand */
    HD_KIRA_WIRE_SSN,      /* SSN 0 in the header */
    HD_KIRA_WIRE_ERROR_COUNT,
};

const char *hd_kira_wire_error_name(enum hd_kira_wire_error e);
const char *hd_kira_type_name(uint8_t type); /* "find-node-req"; "unknown" */

/*
 * Decodes by the rules of kira.md 3.5, except those that need to know the receiver (domain, own ID
 * at the index). Unknown objects are skipped; of duplicates the first wins. Nothing is copied: m
 * points into bytes. Paths of entries may have up to 255 nodes (HD_KIRA_PATH_MAX), contain no node
 * twice, and end in the entry's ID.
 */
enum hd_kira_wire_error hd_kira_decode(struct hd_kira_msg *m, const uint8_t *bytes, size_t len);

static inline struct hd_id hd_kira_id_at(const struct hd_kira_ids *ids, uint32_t i)
{
    struct hd_id id;
    memcpy(id.b, ids->bytes + (size_t)i * HD_ID_BYTES, HD_ID_BYTES);
    return id;
}

/* Step through the items of a decoded object; false at the end. */
bool hd_kira_next_not_via(struct hd_reader *r, struct hd_kira_not_via *item);
bool hd_kira_next_contact(struct hd_reader *r, struct hd_kira_contact_item *item);
bool hd_kira_next_entry(struct hd_reader *r, struct hd_kira_entry *item);
bool hd_kira_next_update(struct hd_reader *r, struct hd_kira_entry *item);

/* --- writing ------------------------------------------------------------------------------------
 */

/* Writes the header; msg-length is filled in by hd_kira_write_end. */
void hd_kira_write_begin(struct hd_writer *w, const struct hd_kira_header *h);

/* Opens an object: returns its mark for hd_kira_object_end, which fills in the length. */
size_t hd_kira_object_begin(struct hd_writer *w, uint8_t type);
void hd_kira_object_end(struct hd_writer *w, size_t mark);

void hd_kira_write_id(struct hd_writer *w, const struct hd_id *id);
void hd_kira_write_contact(struct hd_writer *w, const struct hd_kira_contact_item *c);
void hd_kira_write_not_via(struct hd_writer *w, const struct hd_kira_not_via *n);
void hd_kira_write_rtable_req(struct hd_writer *w, uint8_t type, uint8_t radius); /* whole object */
/* Fixed part of an entry around its path: begin, then `plen` IDs, then end. */
void hd_kira_write_entry_begin(struct hd_writer *w, const struct hd_id *id, uint16_t plen);
void hd_kira_write_entry_end(struct hd_writer *w, uint32_t ssn, uint32_t age_ms, uint16_t degree);
void hd_kira_write_error(struct hd_writer *w, uint8_t kind, const struct hd_id *reporter,
                         const struct hd_id *a, const struct hd_id *b); /* whole object */
void hd_kira_write_capabilities(struct hd_writer *w, uint8_t flags);    /* whole object */
/* Whole object with an empty MAC, which the driver fills in (hd_fx_send.key). */
void hd_kira_write_mac(struct hd_writer *w, uint16_t key_id, uint64_t counter);

/* Fills in msg-length: 0, or HD_ELIMIT when the message did not fit the buffer or 65,535 bytes. */
HD_MUST_USE int hd_kira_write_end(struct hd_writer *w);

/* Re-encodes a decoded message from its parts (tests, vectors): byte-identical when canonical. */
HD_MUST_USE int hd_kira_encode(struct hd_writer *w, const struct hd_kira_msg *m);

/* --- echo ---------------------------------------------------------------------------------------
 */

#define HD_KIRA_ECHO_LEN     16
#define HD_KIRA_ECHO_MAGIC   0xec
#define HD_KIRA_ECHO_REQUEST 1
#define HD_KIRA_ECHO_REPLY   2

/* u8 magic, u8 type, u16 zero, u32 tag, u64 nonce. A reflector changes the type only. */
struct hd_kira_echo {
    uint8_t type;
    uint32_t tag;
    uint64_t nonce;
};

bool hd_kira_echo_decode(struct hd_kira_echo *e, const uint8_t *bytes, size_t len);
void hd_kira_echo_write(struct hd_writer *w, const struct hd_kira_echo *e);

/* --- labels (kira.md 2.3) -----------------------------------------------------------------------
 */

/* PathID of a path given as consecutive identifiers (next receiver first, destination last). */
void hd_kira_path_label(const struct hd_id *const *path, uint32_t len, uint8_t label[HD_ID_BYTES]);

#endif

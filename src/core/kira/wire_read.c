/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding a KIRA datagram (kira.md 3.2 to 3.5).
 *
 * One table has a row per message type: its name, the objects it must carry and those that are read
 * when they are there. Everything else in a message is skipped like an object nobody knows, because
 * a message is forwarded as bytes and somebody further on may know better. The scan looks at each
 * object once, in any order; the first of a kind wins. A message is refused whole or accepted
 * whole, so whoever acts on it never undoes anything.
 */
#include "core/kira/wire.h"

#include "core/kira/wire_internal.h"
#include "lib/base.h"

/* The objects as bits, to state sets of them. */
enum object_bit {
    ROUTE = 1 << 0,
    NOT_VIA = 1 << 1,
    CONTACTS = 1 << 2,
    RTABLE_REQ = 1 << 3,
    RTABLE = 1 << 4,
    UPDATE = 1 << 5,
    ERROR_DATA = 1 << 6,
    STORE_REQ = 1 << 7,
    STORE_RSP = 1 << 8,
    FETCH_REQ = 1 << 9,
    FETCH_RSP = 1 << 10,
    MAC = 1 << 11,
    HOPS = 1 << 12,
    CAPABILITIES = 1 << 13,
};

#define ON_LINK (MAC | CAPABILITIES)
#define ROUTED  (ON_LINK | NOT_VIA | HOPS)

struct message_rule {
    uint8_t type;
    bool node_dest; /* dest-id names a node that sent something before, so it is a legal ID */
    uint16_t needs; /* objects without which the message is refused */
    uint16_t reads; /* further objects that are looked at */
    const char *name;
};

/*
 * dest-id is free in the hello (all-ones), in messages addressed to a point of the ID space, and in
 * route updates, where KIRA-Rust writes various things (kira.md 8, item 15).
 */
static const struct message_rule rules[] = {
    {HD_KIRA_HELLO, false, 0, ON_LINK, "hello"},
    {HD_KIRA_DISC_REQ, true, 0, ON_LINK | CONTACTS, "disc-req"},
    {HD_KIRA_DISC_RSP, true, 0, ON_LINK | CONTACTS, "disc-rsp"},
    {HD_KIRA_FIND_REQ, false, ROUTE | RTABLE_REQ, ROUTED, "find-node-req"},
    {HD_KIRA_FIND_RSP, true, ROUTE, ROUTED | RTABLE, "find-node-rsp"},
    {HD_KIRA_QUERY_REQ, true, ROUTE | RTABLE_REQ, ROUTED, "query-route-req"},
    {HD_KIRA_QUERY_RSP, true, ROUTE, ROUTED | RTABLE, "query-route-rsp"},
    {HD_KIRA_UPDATE, false, ROUTE, ROUTED | UPDATE, "update-route-req"},
    {HD_KIRA_PROBE_REQ, true, ROUTE, ROUTED, "probe-req"},
    {HD_KIRA_PROBE_RSP, true, ROUTE, ROUTED | RTABLE, "probe-rsp"}, /* way.c */
    {HD_KIRA_ERROR, true, ROUTE | ERROR_DATA, ROUTED, "error"},
    {HD_KIRA_SETUP_REQ, true, ROUTE, ROUTED, "path-setup-req"},
    {HD_KIRA_TEARDOWN_REQ, true, ROUTE, ROUTED, "path-teardown-req"},
    {HD_KIRA_STORE_REQ, false, ROUTE | STORE_REQ, ROUTED, "store-req"},
    {HD_KIRA_STORE_RSP, true, ROUTE | STORE_RSP, ROUTED, "store-rsp"},
    {HD_KIRA_FETCH_REQ, false, ROUTE | FETCH_REQ, ROUTED, "fetch-req"},
    {HD_KIRA_FETCH_RSP, true, ROUTE | FETCH_RSP, ROUTED, "fetch-rsp"},
};

static const char *const error_names[HD_KIRA_WIRE_ERROR_COUNT] = {
    [HD_KIRA_WIRE_OK] = "ok",
    [HD_KIRA_WIRE_SHORT] = "short",
    [HD_KIRA_WIRE_VERSION] = "version",
    [HD_KIRA_WIRE_TYPE] = "message-type",
    [HD_KIRA_WIRE_OBJECT] = "object-length",
    [HD_KIRA_WIRE_ROUTE] = "source-route",
    [HD_KIRA_WIRE_MISSING] = "object-missing",
    [HD_KIRA_WIRE_NOT_VIA] = "not-via",
    [HD_KIRA_WIRE_CONTACTS] = "contact-list",
    [HD_KIRA_WIRE_ENTRY] = "rtable-entry",
    [HD_KIRA_WIRE_ERROR_DATA] = "error-data",
    [HD_KIRA_WIRE_REQUEST] = "rtable-request",
    [HD_KIRA_WIRE_DATA] = "dht-data",
    [HD_KIRA_WIRE_PRIVATE] = "private-object",
    [HD_KIRA_WIRE_IDENTITY] = "node-id",
    [HD_KIRA_WIRE_SSN] = "sequence-number",
};

static const struct message_rule *find_rule(uint8_t type)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(rules); i++) {
        if (rules[i].type == type)
            return &rules[i];
    }
    return NULL;
}

const char *hd_kira_wire_error_name(enum hd_kira_wire_error e)
{
    return (unsigned)e < HD_KIRA_WIRE_ERROR_COUNT ? error_names[e] : "unknown";
}

const char *hd_kira_type_name(uint8_t type)
{
    const struct message_rule *rule = find_rule(type);

    return rule != NULL ? rule->name : "unknown";
}

static enum hd_kira_wire_error read_header(struct hd_kira_msg *m, const uint8_t *bytes, size_t len,
                                           const struct message_rule **rule)
{
    struct hd_reader r = hd_reader_make(bytes, len);

    if (len < HD_KIRA_HEADER_LEN)
        return HD_KIRA_WIRE_SHORT;
    if (hd_read_u8(&r) != 0)
        return HD_KIRA_WIRE_VERSION;
    m->h.type = hd_read_u8(&r);
    m->h.flags = hd_read_u8(&r);
    m->bytes = bytes;
    m->len = hd_read_u16(&r);
    m->h.dest = hd_kira_read_id(&r);
    m->h.source = hd_kira_read_id(&r);
    m->h.domain = hd_read_u64(&r);
    m->h.msg_id = hd_read_u64(&r);
    m->h.ssn = hd_read_u32(&r);
    m->h.degree = hd_read_u16(&r);
    if (m->len < HD_KIRA_HEADER_LEN || m->len > len)
        return HD_KIRA_WIRE_SHORT;
    *rule = find_rule(m->h.type);
    if (*rule == NULL)
        return HD_KIRA_WIRE_TYPE;
    if (!hd_kira_is_node(&m->h.source) || ((*rule)->node_dest && !hd_kira_is_node(&m->h.dest)))
        return HD_KIRA_WIRE_IDENTITY;
    return m->h.ssn == HD_KIRA_SSN_INVALID ? HD_KIRA_WIRE_SSN : HD_KIRA_WIRE_OK;
}

static uint16_t bit_of_object(uint8_t type)
{
    switch (type) {
    case HD_KIRA_OBJ_ROUTE:
        return ROUTE;
    case HD_KIRA_OBJ_NOT_VIA:
        return NOT_VIA;
    case HD_KIRA_OBJ_CONTACTS:
        return CONTACTS;
    case HD_KIRA_OBJ_RTABLE_REQ:
        return RTABLE_REQ;
    case HD_KIRA_OBJ_RTABLE:
        return RTABLE;
    case HD_KIRA_OBJ_UPDATE_INFO:
        return UPDATE;
    case HD_KIRA_OBJ_ERROR:
        return ERROR_DATA;
    case HD_KIRA_OBJ_STORE_REQ:
        return STORE_REQ;
    case HD_KIRA_OBJ_STORE_RSP:
        return STORE_RSP;
    case HD_KIRA_OBJ_FETCH_REQ:
        return FETCH_REQ;
    case HD_KIRA_OBJ_FETCH_RSP:
        return FETCH_RSP;
    case HD_KIRA_OBJ_MAC:
        return MAC;
    case HD_KIRA_OBJ_OVERLAY_HOPS:
        return HOPS;
    case HD_KIRA_OBJ_CAPABILITIES:
        return CAPABILITIES;
    default:
        return 0;
    }
}

static enum hd_kira_wire_error check_object(struct hd_kira_msg *m, uint8_t type,
                                            struct hd_reader value)
{
    switch (type) {
    case HD_KIRA_OBJ_ROUTE:
        return hd_kira_check_route(m, value);
    case HD_KIRA_OBJ_NOT_VIA:
        return hd_kira_check_not_via(m, value);
    case HD_KIRA_OBJ_CONTACTS:
        return hd_kira_check_contacts(m, value);
    case HD_KIRA_OBJ_RTABLE_REQ:
        return hd_kira_check_rtable_req(m, value);
    case HD_KIRA_OBJ_RTABLE:
        return hd_kira_check_rtable(m, value);
    case HD_KIRA_OBJ_UPDATE_INFO:
        return hd_kira_check_update(m, value);
    case HD_KIRA_OBJ_ERROR:
        return hd_kira_check_error(m, value);
    case HD_KIRA_OBJ_MAC:
        return hd_kira_check_mac(m, value);
    case HD_KIRA_OBJ_OVERLAY_HOPS:
        return hd_kira_check_overlay_hops(m, value);
    case HD_KIRA_OBJ_CAPABILITIES:
        return hd_kira_check_capabilities(m, value);
    default:
        return hd_kira_check_data(m, type, value);
    }
}

/*
 * Walks over the objects and notes in *seen which were read. Behind a hello KIRA-Rust tolerates any
 * bytes (kira.md 3.3), so there what is no object ends the walk and nothing more.
 */
static enum hd_kira_wire_error read_objects(struct hd_kira_msg *m, const struct message_rule *rule,
                                            uint16_t *seen)
{
    struct hd_reader r = hd_reader_make(m->bytes + HD_KIRA_HEADER_LEN, m->len - HD_KIRA_HEADER_LEN);

    while (hd_reader_left(&r) > 0) {
        uint8_t type = hd_read_u8(&r);
        uint16_t len = hd_read_u16(&r);
        struct hd_reader value = hd_read_sub(&r, len);
        uint16_t bit = bit_of_object(type);
        enum hd_kira_wire_error e;

        if (r.bad)
            return m->h.type == HD_KIRA_HELLO ? HD_KIRA_WIRE_OK : HD_KIRA_WIRE_OBJECT;
        if ((bit & (rule->needs | rule->reads)) == 0 || (bit & *seen) != 0)
            continue;
        *seen = (uint16_t)(*seen | bit);
        e = check_object(m, type, value);
        if (e != HD_KIRA_WIRE_OK)
            return e;
    }
    return HD_KIRA_WIRE_OK;
}

/* Positions of overlay hops point into the route and ascend; the route may stand behind them. */
static bool overlay_hops_fit(const struct hd_kira_msg *m)
{
    struct hd_reader r = m->overlay_hops;
    uint32_t least = 0;

    while (hd_reader_left(&r) > 0) {
        uint32_t position = hd_read_u16(&r);

        if (position < least || position >= m->route.count)
            return false;
        least = position + 1;
    }
    return true;
}

/* The rules that hold between objects, or between an object and the message type. */
static enum hd_kira_wire_error check_message(const struct hd_kira_msg *m)
{
    if (m->h.type == HD_KIRA_FIND_REQ && m->rtable_req_radius == 0)
        return HD_KIRA_WIRE_REQUEST;
    if (m->h.type == HD_KIRA_QUERY_REQ && m->rtable_req_type != HD_KIRA_RT_VICINITY)
        return HD_KIRA_WIRE_REQUEST;
    if (m->has_overlay_hops && !overlay_hops_fit(m))
        return HD_KIRA_WIRE_PRIVATE;
    return HD_KIRA_WIRE_OK;
}

enum hd_kira_wire_error hd_kira_decode(struct hd_kira_msg *m, const uint8_t *bytes, size_t len)
{
    const struct message_rule *rule = NULL;
    uint16_t seen = 0;
    enum hd_kira_wire_error e;

    memset(m, 0, sizeof *m);
    e = read_header(m, bytes, len, &rule);
    if (e != HD_KIRA_WIRE_OK)
        return e;
    e = read_objects(m, rule, &seen);
    if (e != HD_KIRA_WIRE_OK)
        return e;
    if ((rule->needs & ~seen) != 0)
        return HD_KIRA_WIRE_MISSING;
    return check_message(m);
}

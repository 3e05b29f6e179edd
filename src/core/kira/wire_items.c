/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of KIRA's objects (kira.md 3.4): each is checked to its last byte when the message is
 * decoded, so that the steppers, which hand out item by item later, cannot fail.
 *
 * The costly check is "no node twice" in routes and paths, where a hostile sender chooses the
 * identifiers. A hash table could be made to degenerate, so long lists are sorted instead: 1024
 * identifiers cost about 10,000 comparisons whatever they are, and nothing leaves the stack.
 */
#include "core/kira/limits.h"
#include "core/kira/wire_internal.h"
#include "lib/base.h"

#define NOT_VIA_LEN    32
#define CONTACT_LEN    24
#define MAC_VALUE_LEN  (HD_KIRA_MAC_OBJECT_LEN - 3)
#define COMPARE_PAIRS  24 /* up to here looking at every pair is cheaper than sorting */
#define DISTINCT_LIMIT HD_KIRA_ROUTE_MAX

static const struct hd_id *id_at(const uint8_t *ids, uint32_t i)
{
    return (const struct hd_id *)(ids + (size_t)i * HD_ID_BYTES);
}

static int compare_at(const uint8_t *ids, uint32_t i, uint32_t j)
{
    return hd_id_compare(id_at(ids, i), id_at(ids, j));
}

static bool distinct_by_pairs(const uint8_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = i + 1; j < count; j++) {
            if (hd_id_equal(id_at(ids, i), id_at(ids, j)))
                return false;
        }
    }
    return true;
}

/* Merges two sorted runs of positions, [lo, mid) and [mid, hi); false when they share an ID. */
static bool merge_runs(const uint8_t *ids, const uint16_t *from, uint16_t *to, uint32_t lo,
                       uint32_t mid, uint32_t hi)
{
    uint32_t a = lo, b = mid;

    for (uint32_t out = lo; out < hi; out++) {
        int order = a == mid ? 1 : b == hi ? -1 : compare_at(ids, from[a], from[b]);

        if (order == 0)
            return false;
        to[out] = order < 0 ? from[a++] : from[b++];
    }
    return true;
}

/*
 * Merge sort from the bottom up. Equal identifiers cannot pass each other unseen: in the merge that
 * joins their runs everything smaller is taken first, so both come to stand at the heads together.
 */
static bool distinct_by_sort(const uint8_t *ids, uint32_t count)
{
    uint16_t one[DISTINCT_LIMIT], two[DISTINCT_LIMIT];
    uint16_t *from = one, *to = two;

    for (uint32_t i = 0; i < count; i++)
        from[i] = (uint16_t)i;
    for (uint32_t width = 1; width < count; width *= 2) {
        uint16_t *swap = from;

        for (uint32_t lo = 0; lo < count; lo += 2 * width) {
            uint32_t mid = HD_MIN(lo + width, count), hi = HD_MIN(lo + 2 * width, count);

            if (!merge_runs(ids, from, to, lo, mid, hi))
                return false;
        }
        from = to;
        to = swap;
    }
    return true;
}

static bool all_distinct(const uint8_t *ids, uint32_t count)
{
    return count <= COMPARE_PAIRS ? distinct_by_pairs(ids, count) : distinct_by_sort(ids, count);
}

static bool all_nodes(const struct hd_kira_ids *ids)
{
    for (uint32_t i = 0; i < ids->count; i++) {
        if (!hd_kira_is_node(id_at(ids->bytes, i)))
            return false;
    }
    return true;
}

enum hd_kira_wire_error hd_kira_check_route(struct hd_kira_msg *m, struct hd_reader value)
{
    size_t left = hd_reader_left(&value);
    struct hd_id first;

    if (left < 2 || (left - 2) % HD_ID_BYTES != 0)
        return HD_KIRA_WIRE_ROUTE;
    m->has_route = true;
    m->index_offset = (uint32_t)(value.at - m->bytes);
    m->index = hd_read_u16(&value);
    m->route.bytes = value.at;
    m->route.count = (uint32_t)((left - 2) / HD_ID_BYTES);
    if (m->route.count < 2 || m->route.count > HD_KIRA_ROUTE_MAX)
        return HD_KIRA_WIRE_ROUTE;
    if (m->index < 1 || m->index >= m->route.count)
        return HD_KIRA_WIRE_ROUTE;
    if (!all_nodes(&m->route))
        return HD_KIRA_WIRE_IDENTITY;
    first = hd_kira_id_at(&m->route, 0);
    if (!hd_id_equal(&first, &m->h.source))
        return HD_KIRA_WIRE_ROUTE;
    /* The part behind us may have loops: overlay hops append to it. The part ahead may not. */
    return all_distinct(m->route.bytes + (size_t)m->index * HD_ID_BYTES, m->route.count - m->index)
               ? HD_KIRA_WIRE_OK
               : HD_KIRA_WIRE_ROUTE;
}

/* A link is an undirected pair of different nodes, written with the smaller ID first (kira.md 2.4).
 */
static enum hd_kira_wire_error check_link(const struct hd_id *a, const struct hd_id *b,
                                          enum hd_kira_wire_error otherwise)
{
    if (!hd_kira_is_node(a) || !hd_kira_is_node(b))
        return HD_KIRA_WIRE_IDENTITY;
    return hd_id_compare(a, b) < 0 ? HD_KIRA_WIRE_OK : otherwise;
}

bool hd_kira_next_not_via(struct hd_reader *r, struct hd_kira_not_via *item)
{
    if (hd_reader_left(r) < NOT_VIA_LEN)
        return false;
    item->a = hd_kira_read_id(r);
    item->b = hd_kira_read_id(r);
    item->age_ms = hd_read_u32(r);
    return true;
}

enum hd_kira_wire_error hd_kira_check_not_via(struct hd_kira_msg *m, struct hd_reader value)
{
    struct hd_kira_not_via item;

    if (hd_reader_left(&value) % NOT_VIA_LEN != 0)
        return HD_KIRA_WIRE_NOT_VIA;
    m->has_not_via = true;
    m->not_via = value;
    while (hd_kira_next_not_via(&value, &item)) {
        enum hd_kira_wire_error e = check_link(&item.a, &item.b, HD_KIRA_WIRE_NOT_VIA);

        if (e != HD_KIRA_WIRE_OK)
            return e;
    }
    return HD_KIRA_WIRE_OK;
}

/* Third parties may neither invent the number "unset" nor reset somebody (kira.md 3.4, note 3). */
static bool ssn_of_contact_is_legal(uint32_t ssn)
{
    return ssn != HD_KIRA_SSN_INVALID && ssn != HD_KIRA_SSN_RESET;
}

bool hd_kira_next_contact(struct hd_reader *r, struct hd_kira_contact_item *item)
{
    if (hd_reader_left(r) < CONTACT_LEN)
        return false;
    item->id = hd_kira_read_id(r);
    item->ssn = hd_read_u32(r);
    item->age_ms = hd_read_u32(r);
    item->degree = hd_read_u16(r);
    return true;
}

enum hd_kira_wire_error hd_kira_check_contacts(struct hd_kira_msg *m, struct hd_reader value)
{
    struct hd_kira_contact_item item;

    if (hd_reader_left(&value) % CONTACT_LEN != 0)
        return HD_KIRA_WIRE_CONTACTS;
    m->has_contacts = true;
    m->contacts = value;
    while (hd_kira_next_contact(&value, &item)) {
        if (!hd_kira_is_node(&item.id))
            return HD_KIRA_WIRE_IDENTITY;
        if (!ssn_of_contact_is_legal(item.ssn))
            return HD_KIRA_WIRE_CONTACTS;
    }
    return HD_KIRA_WIRE_OK;
}

enum hd_kira_wire_error hd_kira_check_rtable_req(struct hd_kira_msg *m, struct hd_reader value)
{
    if (hd_reader_left(&value) != 2)
        return HD_KIRA_WIRE_REQUEST;
    m->has_rtable_req = true;
    m->rtable_req_type = hd_read_u8(&value);
    m->rtable_req_radius = hd_read_u8(&value);
    return m->rtable_req_type <= HD_KIRA_RT_VICINITY ? HD_KIRA_WIRE_OK : HD_KIRA_WIRE_REQUEST;
}

static inline void read_entry(struct hd_reader *from, struct hd_kira_entry *item)
{
    struct hd_reader r = *from; /* in registers */

    item->id = hd_kira_read_id(&r);
    item->path.count = hd_read_u16(&r);
    item->path.bytes = hd_read_bytes(&r, (size_t)item->path.count * HD_ID_BYTES);
    item->ssn = hd_read_u32(&r);
    item->age_ms = hd_read_u32(&r);
    item->degree = hd_read_u16(&r);
    item->action = HD_KIRA_ANNOUNCE;
    *from = r;
}

bool hd_kira_next_entry(struct hd_reader *r, struct hd_kira_entry *item)
{
    if (hd_reader_left(r) == 0)
        return false;
    read_entry(r, item);
    return !r->bad;
}

bool hd_kira_next_update(struct hd_reader *r, struct hd_kira_entry *item)
{
    if (hd_reader_left(r) == 0)
        return false;
    read_entry(r, item);
    item->action = hd_read_u8(r);
    return !r->bad;
}

static enum hd_kira_wire_error check_entry(const struct hd_kira_entry *item)
{
    if (item->path.count < 1 || item->path.count > HD_KIRA_PATH_MAX)
        return HD_KIRA_WIRE_ENTRY;
    if (!all_nodes(&item->path))
        return HD_KIRA_WIRE_IDENTITY;
    if (!hd_id_equal(id_at(item->path.bytes, item->path.count - 1), &item->id) ||
        !ssn_of_contact_is_legal(item->ssn))
        return HD_KIRA_WIRE_ENTRY;
    if (item->action > HD_KIRA_UNREACHABLE)
        return HD_KIRA_WIRE_ENTRY;
    return all_distinct(item->path.bytes, item->path.count) ? HD_KIRA_WIRE_OK : HD_KIRA_WIRE_ENTRY;
}

enum hd_kira_wire_error hd_kira_check_rtable(struct hd_kira_msg *m, struct hd_reader value)
{
    struct hd_kira_entry item;

    m->has_rtable = true;
    m->rtable = value;
    while (hd_kira_next_entry(&value, &item)) {
        enum hd_kira_wire_error e = check_entry(&item);

        if (e != HD_KIRA_WIRE_OK)
            return e;
    }
    return value.bad ? HD_KIRA_WIRE_ENTRY : HD_KIRA_WIRE_OK;
}

enum hd_kira_wire_error hd_kira_check_update(struct hd_kira_msg *m, struct hd_reader value)
{
    struct hd_kira_entry item;

    m->has_update = true;
    m->update = value;
    while (hd_kira_next_update(&value, &item)) {
        enum hd_kira_wire_error e = check_entry(&item);

        if (e != HD_KIRA_WIRE_OK)
            return e;
    }
    return value.bad ? HD_KIRA_WIRE_ENTRY : HD_KIRA_WIRE_OK;
}

/* Kinds that we do not know are dead ends with something behind them (kira.md 8, item 39). */
enum hd_kira_wire_error hd_kira_check_error(struct hd_kira_msg *m, struct hd_reader value)
{
    size_t left = hd_reader_left(&value);

    if (left < 1)
        return HD_KIRA_WIRE_ERROR_DATA;
    m->has_error = true;
    m->error_kind = hd_read_u8(&value);
    if (m->error_kind == HD_KIRA_DEAD_END)
        return left == 1 ? HD_KIRA_WIRE_OK : HD_KIRA_WIRE_ERROR_DATA;
    if (m->error_kind != HD_KIRA_SEGMENT_FAILURE)
        return HD_KIRA_WIRE_OK;
    if (left != 1 + 3 * HD_ID_BYTES)
        return HD_KIRA_WIRE_ERROR_DATA;
    m->error_reporter = hd_kira_read_id(&value);
    m->error_a = hd_kira_read_id(&value);
    m->error_b = hd_kira_read_id(&value);
    if (!hd_kira_is_node(&m->error_reporter))
        return HD_KIRA_WIRE_IDENTITY;
    return check_link(&m->error_a, &m->error_b, HD_KIRA_WIRE_ERROR_DATA);
}

static bool store_req_is_whole(struct hd_reader r)
{
    uint16_t dlen;

    hd_read_bytes(&r, HD_ID_BYTES);
    dlen = hd_read_u16(&r);
    hd_read_bytes(&r, dlen);
    return !r.bad && (hd_reader_left(&r) == 0 || hd_reader_left(&r) == 8);
}

static bool fetch_rsp_is_whole(struct hd_reader r)
{
    uint8_t status = hd_read_u8(&r);

    if (status == 0) {
        uint16_t count = hd_read_u16(&r);

        for (uint16_t i = 0; i < count && !r.bad; i++)
            hd_read_bytes(&r, hd_read_u16(&r));
    }
    return !r.bad && status <= 1 && hd_reader_left(&r) == 0;
}

enum hd_kira_wire_error hd_kira_check_data(struct hd_kira_msg *m, uint8_t type,
                                           struct hd_reader value)
{
    size_t left = hd_reader_left(&value);
    bool whole = false;

    if (type == HD_KIRA_OBJ_STORE_REQ)
        whole = store_req_is_whole(value);
    else if (type == HD_KIRA_OBJ_STORE_RSP)
        whole = left == 1 && value.at[0] <= 2;
    else if (type == HD_KIRA_OBJ_FETCH_REQ)
        whole = left == HD_ID_BYTES;
    else if (type == HD_KIRA_OBJ_FETCH_RSP)
        whole = fetch_rsp_is_whole(value);
    m->has_data = true;
    m->data_type = type;
    m->data = value;
    return whole ? HD_KIRA_WIRE_OK : HD_KIRA_WIRE_DATA;
}

/* Bytes behind the MAC would not be covered by it: then it is none. */
enum hd_kira_wire_error hd_kira_check_mac(struct hd_kira_msg *m, struct hd_reader value)
{
    if (hd_reader_left(&value) != MAC_VALUE_LEN || value.end != m->bytes + m->len)
        return HD_KIRA_WIRE_PRIVATE;
    m->has_mac = true;
    m->mac_offset = m->len - HD_KIRA_MAC_OBJECT_LEN;
    m->mac_key = hd_read_u16(&value);
    m->mac_counter = hd_read_u64(&value);
    return HD_KIRA_WIRE_OK;
}

enum hd_kira_wire_error hd_kira_check_overlay_hops(struct hd_kira_msg *m, struct hd_reader value)
{
    m->has_overlay_hops = true;
    m->overlay_hops = value;
    return hd_reader_left(&value) % 2 == 0 ? HD_KIRA_WIRE_OK : HD_KIRA_WIRE_PRIVATE;
}

/* A later version of the object is one that we do not know: skipped. */
enum hd_kira_wire_error hd_kira_check_capabilities(struct hd_kira_msg *m, struct hd_reader value)
{
    size_t left = hd_reader_left(&value);
    uint8_t version = hd_read_u8(&value);

    if (left >= 1 && version != 1)
        return HD_KIRA_WIRE_OK;
    if (left != 2)
        return HD_KIRA_WIRE_PRIVATE;
    m->has_capabilities = true;
    m->capabilities = hd_read_u8(&value);
    return HD_KIRA_WIRE_OK;
}

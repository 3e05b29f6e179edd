/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding KIRA messages (kira.md 3.2 to 3.4): a message is appended to a writer piece by piece,
 * and lengths are filled in when their object or the message ends. Nothing here fails midway: a
 * writer without room turns bad, and hd_kira_write_end tells. The order of objects is KIRA-Rust's
 * (kira.md 8, item 38); ours stand behind them, the MAC last.
 */
#include "core/kira/wire.h"
#include "core/kira/wire_internal.h"

#define VERSION        0
#define LENGTH_OFFSET  3 /* of msg-length */
#define CAPABILITIES_1 1 /* version of that object */
#define MAC_LEN        16

void hd_kira_write_id(struct hd_writer *w, const struct hd_id *id)
{
    hd_write_bytes(w, id->b, HD_ID_BYTES);
}

void hd_kira_write_begin(struct hd_writer *w, const struct hd_kira_header *h)
{
    hd_write_u8(w, VERSION);
    hd_write_u8(w, h->type);
    hd_write_u8(w, h->flags);
    hd_write_u16(w, 0);
    hd_kira_write_id(w, &h->dest);
    hd_kira_write_id(w, &h->source);
    hd_write_u64(w, h->domain);
    hd_write_u64(w, h->msg_id);
    hd_write_u32(w, h->ssn);
    hd_write_u16(w, h->degree);
}

int hd_kira_write_end(struct hd_writer *w)
{
    size_t len = hd_writer_len(w);

    if (w->bad || len > UINT16_MAX)
        return HD_ELIMIT;
    hd_write_u16_at(w, LENGTH_OFFSET, (uint16_t)len);
    return 0;
}

size_t hd_kira_object_begin(struct hd_writer *w, uint8_t type)
{
    hd_write_u8(w, type);
    hd_write_u16(w, 0);
    return hd_writer_len(w);
}

/* An object that is too long makes its message too long, and that is where it is refused. */
void hd_kira_object_end(struct hd_writer *w, size_t mark)
{
    if (!w->bad)
        hd_write_u16_at(w, mark - 2, (uint16_t)(hd_writer_len(w) - mark));
}

void hd_kira_write_contact(struct hd_writer *w, const struct hd_kira_contact_item *c)
{
    hd_kira_write_id(w, &c->id);
    hd_write_u32(w, c->ssn);
    hd_write_u32(w, c->age_ms);
    hd_write_u16(w, c->degree);
}

void hd_kira_write_not_via(struct hd_writer *w, const struct hd_kira_not_via *n)
{
    hd_kira_write_id(w, &n->a);
    hd_kira_write_id(w, &n->b);
    hd_write_u32(w, n->age_ms);
}

void hd_kira_write_rtable_req(struct hd_writer *w, uint8_t type, uint8_t radius)
{
    size_t mark = hd_kira_object_begin(w, HD_KIRA_OBJ_RTABLE_REQ);

    hd_write_u8(w, type);
    hd_write_u8(w, radius);
    hd_kira_object_end(w, mark);
}

void hd_kira_write_entry_begin(struct hd_writer *w, const struct hd_id *id, uint16_t plen)
{
    hd_kira_write_id(w, id);
    hd_write_u16(w, plen);
}

void hd_kira_write_entry_end(struct hd_writer *w, uint32_t ssn, uint32_t age_ms, uint16_t degree)
{
    hd_write_u32(w, ssn);
    hd_write_u32(w, age_ms);
    hd_write_u16(w, degree);
}

void hd_kira_write_error(struct hd_writer *w, uint8_t kind, const struct hd_id *reporter,
                         const struct hd_id *a, const struct hd_id *b)
{
    size_t mark = hd_kira_object_begin(w, HD_KIRA_OBJ_ERROR);

    hd_write_u8(w, kind);
    if (kind == HD_KIRA_SEGMENT_FAILURE) {
        bool ordered = hd_id_compare(a, b) < 0;

        hd_kira_write_id(w, reporter);
        hd_kira_write_id(w, ordered ? a : b);
        hd_kira_write_id(w, ordered ? b : a);
    }
    hd_kira_object_end(w, mark);
}

void hd_kira_write_capabilities(struct hd_writer *w, uint8_t flags)
{
    size_t mark = hd_kira_object_begin(w, HD_KIRA_OBJ_CAPABILITIES);

    hd_write_u8(w, CAPABILITIES_1);
    hd_write_u8(w, flags);
    hd_kira_object_end(w, mark);
}

static void write_mac(struct hd_writer *w, uint16_t key_id, uint64_t counter, const uint8_t *mac)
{
    size_t mark = hd_kira_object_begin(w, HD_KIRA_OBJ_MAC);

    hd_write_u16(w, key_id);
    hd_write_u64(w, counter);
    hd_write_bytes(w, mac, MAC_LEN);
    hd_kira_object_end(w, mark);
}

void hd_kira_write_mac(struct hd_writer *w, uint16_t key_id, uint64_t counter)
{
    static const uint8_t empty[MAC_LEN];

    write_mac(w, key_id, counter, empty);
}

/* --- a whole message again --- */

static void encode_route(struct hd_writer *w, const struct hd_kira_msg *m)
{
    size_t mark;

    if (!m->has_route)
        return;
    mark = hd_kira_object_begin(w, HD_KIRA_OBJ_ROUTE);
    hd_write_u16(w, m->index);
    for (uint32_t i = 0; i < m->route.count; i++) {
        struct hd_id id = hd_kira_id_at(&m->route, i);

        hd_kira_write_id(w, &id);
    }
    hd_kira_object_end(w, mark);
}

static void encode_not_via(struct hd_writer *w, const struct hd_kira_msg *m)
{
    struct hd_reader r = m->not_via;
    struct hd_kira_not_via item;
    size_t mark;

    if (!m->has_not_via)
        return;
    mark = hd_kira_object_begin(w, HD_KIRA_OBJ_NOT_VIA);
    while (hd_kira_next_not_via(&r, &item))
        hd_kira_write_not_via(w, &item);
    hd_kira_object_end(w, mark);
}

static void encode_contacts(struct hd_writer *w, const struct hd_kira_msg *m)
{
    struct hd_reader r = m->contacts;
    struct hd_kira_contact_item item;
    size_t mark;

    if (!m->has_contacts)
        return;
    mark = hd_kira_object_begin(w, HD_KIRA_OBJ_CONTACTS);
    while (hd_kira_next_contact(&r, &item))
        hd_kira_write_contact(w, &item);
    hd_kira_object_end(w, mark);
}

static void encode_entry(struct hd_writer *w, const struct hd_kira_entry *item)
{
    hd_kira_write_entry_begin(w, &item->id, (uint16_t)item->path.count);
    for (uint32_t i = 0; i < item->path.count; i++) {
        struct hd_id id = hd_kira_id_at(&item->path, i);

        hd_kira_write_id(w, &id);
    }
    hd_kira_write_entry_end(w, item->ssn, item->age_ms, item->degree);
}

static void encode_rtable(struct hd_writer *w, const struct hd_kira_msg *m)
{
    struct hd_reader r = m->rtable;
    struct hd_kira_entry item;
    size_t mark;

    if (!m->has_rtable)
        return;
    mark = hd_kira_object_begin(w, HD_KIRA_OBJ_RTABLE);
    while (hd_kira_next_entry(&r, &item))
        encode_entry(w, &item);
    hd_kira_object_end(w, mark);
}

static void encode_update(struct hd_writer *w, const struct hd_kira_msg *m)
{
    struct hd_reader r = m->update;
    struct hd_kira_entry item;
    size_t mark;

    if (!m->has_update)
        return;
    mark = hd_kira_object_begin(w, HD_KIRA_OBJ_UPDATE_INFO);
    while (hd_kira_next_update(&r, &item)) {
        encode_entry(w, &item);
        hd_write_u8(w, item.action);
    }
    hd_kira_object_end(w, mark);
}

static void encode_bytes(struct hd_writer *w, uint8_t type, const struct hd_reader *value)
{
    size_t mark = hd_kira_object_begin(w, type);

    hd_write_bytes(w, value->at, hd_reader_left(value));
    hd_kira_object_end(w, mark);
}

static void encode_private(struct hd_writer *w, const struct hd_kira_msg *m)
{
    if (m->has_overlay_hops)
        encode_bytes(w, HD_KIRA_OBJ_OVERLAY_HOPS, &m->overlay_hops);
    if (m->has_capabilities)
        hd_kira_write_capabilities(w, m->capabilities);
    if (m->has_mac) {
        const uint8_t *end = m->bytes + m->mac_offset + HD_KIRA_MAC_OBJECT_LEN;

        write_mac(w, m->mac_key, m->mac_counter, end - MAC_LEN);
    }
}

int hd_kira_encode(struct hd_writer *w, const struct hd_kira_msg *m)
{
    hd_kira_write_begin(w, &m->h);
    if (m->has_rtable_req)
        hd_kira_write_rtable_req(w, m->rtable_req_type, m->rtable_req_radius);
    if (m->h.type == HD_KIRA_ERROR) { /* the one message with these two the other way round */
        encode_not_via(w, m);
        encode_route(w, m);
    } else {
        encode_route(w, m);
        encode_not_via(w, m);
    }
    encode_contacts(w, m);
    encode_rtable(w, m);
    encode_update(w, m);
    if (m->has_error)
        hd_kira_write_error(w, m->error_kind, &m->error_reporter, &m->error_a, &m->error_b);
    if (m->has_data)
        encode_bytes(w, m->data_type, &m->data);
    encode_private(w, m);
    return hd_kira_write_end(w);
}

/* --- echo --- */

void hd_kira_echo_write(struct hd_writer *w, const struct hd_kira_echo *e)
{
    hd_write_u8(w, HD_KIRA_ECHO_MAGIC);
    hd_write_u8(w, e->type);
    hd_write_u16(w, 0);
    hd_write_u32(w, e->tag);
    hd_write_u64(w, e->nonce);
}

bool hd_kira_echo_decode(struct hd_kira_echo *e, const uint8_t *bytes, size_t len)
{
    struct hd_reader r = hd_reader_make(bytes, len);
    bool ours = len == HD_KIRA_ECHO_LEN && hd_read_u8(&r) == HD_KIRA_ECHO_MAGIC;

    if (!ours)
        return false;
    e->type = hd_read_u8(&r);
    if (hd_read_u16(&r) != 0)
        return false;
    e->tag = hd_read_u32(&r);
    e->nonce = hd_read_u64(&r);
    return e->type == HD_KIRA_ECHO_REQUEST || e->type == HD_KIRA_ECHO_REPLY;
}

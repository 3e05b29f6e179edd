/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of wire.h, written down as the RFCs draw them. */
#include "core/vrrp/wire.h"

#include <string.h>

#include "lib/base.h"

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_IP6 0x86dd
#define IP4_LEN       20
#define IP6_LEN       40
#define HEAD_LEN      8 /* of a VRRP message before its list */
#define AUTH_LEN      8 /* version 2 */
#define ICMP6         58
#define ICMP6_NA      136

/* --- checksums ------------------------------------------------------------------------------- */

static uint32_t add_bytes(uint32_t sum, const uint8_t *b, uint32_t len)
{
    for (uint32_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)b[i] << 8 | b[i + 1];
    return (len & 1) != 0 ? sum + ((uint32_t)b[len - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* RFC 8200, 8.1; for IPv4 the form that RFC 793 gives its pseudo header. */
static uint32_t pseudo_sum(uint8_t family, const struct hd_ip6 *from, const struct hd_ip6 *to,
                           uint32_t len, uint8_t protocol)
{
    uint32_t skip = family == 4 ? 12 : 0;
    uint32_t sum = add_bytes(0, from->b + skip, 16 - skip);

    return add_bytes(sum, to->b + skip, 16 - skip) + len + protocol;
}

/* --- reading --------------------------------------------------------------------------------- */

struct hd_mac vrrp_mac(uint8_t family, uint8_t vrid)
{
    return (struct hd_mac){{0x00, 0x00, 0x5e, 0x00, family == 4 ? 0x01 : 0x02, vrid}};
}

struct hd_ip6 vrrp_group(uint8_t family)
{
    if (family == 4)
        return vrrp_ip4((const uint8_t[4]){224, 0, 0, 18});
    return (struct hd_ip6){.b = {0xff, 0x02, [15] = 0x12}};
}

static enum vrrp_frame_fault read_ip4(struct hd_reader *r, struct vrrp_packet *p)
{
    const uint8_t *start = r->at;
    uint8_t first = hd_read_u8(r);
    uint32_t header = (uint32_t)(first & 0x0f) * 4;
    hd_read_u8(r);
    uint32_t total = hd_read_u16(r);
    hd_read_u16(r);
    uint16_t fragment = hd_read_u16(r);
    p->ttl = hd_read_u8(r);
    uint8_t protocol = hd_read_u8(r);
    hd_read_u16(r);
    const uint8_t *from = hd_read_bytes(r, 4);
    const uint8_t *to = hd_read_bytes(r, 4);

    if (r->bad || first >> 4 != 4 || header < IP4_LEN || total < header ||
        total > (uint32_t)(r->end - start))
        return VRRP_FRAME_SHORT;
    if (protocol != VRRP_PROTOCOL)
        return VRRP_FRAME_OTHER;
    if ((fragment & 0x3fff) != 0)
        return VRRP_FRAME_FRAGMENT;
    if (fold(add_bytes(0, start, header)) != 0)
        return VRRP_FRAME_IP_CHECKSUM;
    p->family = 4;
    p->from = vrrp_ip4(from);
    p->to = vrrp_ip4(to);
    p->message = start + header;
    p->len = total - header;
    return VRRP_FRAME_OK;
}

static enum vrrp_frame_fault read_ip6(struct hd_reader *r, struct vrrp_packet *p)
{
    uint8_t first = hd_read_u8(r);
    hd_read_bytes(r, 3);
    uint32_t len = hd_read_u16(r);
    uint8_t next = hd_read_u8(r);
    p->ttl = hd_read_u8(r);
    const uint8_t *from = hd_read_bytes(r, 16);
    const uint8_t *to = hd_read_bytes(r, 16);

    if (r->bad || first >> 4 != 6 || len > hd_reader_left(r))
        return VRRP_FRAME_SHORT;
    if (next != VRRP_PROTOCOL)
        return VRRP_FRAME_OTHER;
    p->family = 6;
    memcpy(p->from.b, from, 16);
    memcpy(p->to.b, to, 16);
    p->message = r->at;
    p->len = len;
    return VRRP_FRAME_OK;
}

enum vrrp_frame_fault vrrp_read_frame(const uint8_t *bytes, uint32_t len, struct vrrp_packet *p)
{
    struct hd_reader r = hd_reader_make(bytes, len);

    *p = (struct vrrp_packet){0};
    hd_read_bytes(&r, 6);
    const uint8_t *mac = hd_read_bytes(&r, 6);
    uint16_t type = hd_read_u16(&r);
    if (r.bad)
        return VRRP_FRAME_SHORT;
    memcpy(p->mac.b, mac, 6);
    if (type == ETHERTYPE_IP4)
        return read_ip4(&r, p);
    return type == ETHERTYPE_IP6 ? read_ip6(&r, p) : VRRP_FRAME_OTHER;
}

bool vrrp_read_head(const struct vrrp_packet *p, struct vrrp_message *m)
{
    struct hd_reader r = hd_reader_make(p->message, p->len);
    uint8_t first = hd_read_u8(&r);

    *m = (struct vrrp_message){.version = first >> 4, .type = first & 0x0f};
    m->vrid = hd_read_u8(&r);
    return !r.bad;
}

/*
 * The checksum covers the message; whether bytes that follow it belong to the message is a matter
 * of extensions (R14), so both readings are tried.
 */
static bool checksum_fits(const struct vrrp_packet *p, uint32_t len, bool pseudo)
{
    uint32_t sum = pseudo ? pseudo_sum(p->family, &p->from, &p->to, len, VRRP_PROTOCOL) : 0;

    return fold(add_bytes(sum, p->message, len)) == 0;
}

bool vrrp_read_message(const struct vrrp_packet *p, struct vrrp_message *m)
{
    struct hd_reader r = hd_reader_make(p->message, p->len);
    uint32_t size = p->family == 4 ? 4 : 16;

    hd_read_u16(&r);
    m->priority = hd_read_u8(&r);
    m->count = hd_read_u8(&r);
    if (m->version == 2) {
        m->auth_type = hd_read_u8(&r);
        m->interval_cs = (uint16_t)(hd_read_u8(&r) * 100);
    } else {
        m->interval_cs = hd_read_u16(&r) & 0x0fff; /* R18: what is reserved is ignored */
    }
    hd_read_u16(&r);
    m->list = hd_read_bytes(&r, m->count * size);
    if (m->version == 2)
        hd_read_bytes(&r, AUTH_LEN);
    if (r.bad)
        return false;
    m->len = (uint32_t)(r.at - p->message);
    m->checksum_plain = checksum_fits(p, m->len, false) || checksum_fits(p, p->len, false);
    m->checksum_pseudo = checksum_fits(p, m->len, true) || checksum_fits(p, p->len, true);
    return true;
}

struct hd_ip6 vrrp_list_address(const struct vrrp_packet *p, const struct vrrp_message *m,
                                uint32_t i)
{
    struct hd_ip6 a;

    if (p->family == 4)
        return vrrp_ip4(m->list + (size_t)i * 4);
    memcpy(a.b, m->list + (size_t)i * 16, 16);
    return a;
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_ether(struct hd_writer *w, const struct hd_mac *to, const struct hd_mac *from,
                        uint16_t type)
{
    hd_write_bytes(w, to->b, 6);
    hd_write_bytes(w, from->b, 6);
    hd_write_u16(w, type);
}

static void write_address(struct hd_writer *w, uint8_t family, const struct hd_ip6 *a)
{
    if (family == 4)
        hd_write_bytes(w, a->b + 12, 4);
    else
        hd_write_bytes(w, a->b, 16);
}

static void write_ip4(struct hd_writer *w, const struct vrrp_advert *a, const struct hd_ip6 *to,
                      uint32_t len)
{
    size_t start = hd_writer_len(w);

    hd_write_u8(w, 0x45);
    hd_write_u8(w, VRRP_CLASS);
    hd_write_u16(w, (uint16_t)(IP4_LEN + len));
    hd_write_u16(w, 0); /* identification: no fragments, no use (RFC 6864) */
    hd_write_u16(w, 0x4000);
    hd_write_u8(w, VRRP_TTL);
    hd_write_u8(w, VRRP_PROTOCOL);
    hd_write_u16(w, 0);
    write_address(w, 4, &a->from);
    write_address(w, 4, to);
    hd_write_u16_at(w, start + 10, fold(add_bytes(0, w->start + start, IP4_LEN)));
}

static void write_ip6(struct hd_writer *w, uint8_t next, const struct hd_ip6 *from,
                      const struct hd_ip6 *to, uint32_t len)
{
    hd_write_u32(w, 0x60000000 | (uint32_t)VRRP_CLASS << 20);
    hd_write_u16(w, (uint16_t)len);
    hd_write_u8(w, next);
    hd_write_u8(w, 255);
    write_address(w, 6, from);
    write_address(w, 6, to);
}

static void write_message(struct hd_writer *w, const struct vrrp_advert *a, const struct hd_ip6 *to,
                          uint32_t len)
{
    size_t start = hd_writer_len(w);
    bool pseudo = a->family == 6 || (a->version == 3 && a->pseudo);

    hd_write_u8(w, (uint8_t)(a->version << 4 | a->type));
    hd_write_u8(w, a->vrid);
    hd_write_u8(w, a->priority);
    hd_write_u8(w, a->count);
    hd_write_u16(w, a->version == 2 ? (uint16_t)HD_MIN((a->interval_cs + 99) / 100, 255)
                                    : a->interval_cs);
    hd_write_u16(w, 0);
    for (uint32_t i = 0; i < a->count; i++)
        write_address(w, a->family, &a->addresses[i]);
    if (a->version == 2)
        hd_write_u64(w, 0);
    uint32_t sum = pseudo ? pseudo_sum(a->family, &a->from, to, len, VRRP_PROTOCOL) : 0;
    hd_write_u16_at(w, start + 6, fold(add_bytes(sum, w->start + start, len)));
}

uint32_t vrrp_write_advert(uint8_t *frame, const struct vrrp_advert *a)
{
    static const struct hd_mac group4 = {{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12}};
    static const struct hd_mac group6 = {{0x33, 0x33, 0x00, 0x00, 0x00, 0x12}};
    static const struct hd_ip6 none;
    struct hd_writer w = hd_writer_make(frame, VRRP_FRAME_MAX);
    uint32_t len = HEAD_LEN + (uint32_t)a->count * (a->family == 4 ? 4 : 16) +
                   (a->version == 2 ? AUTH_LEN : 0);
    struct hd_ip6 to = hd_ip6_equal(&a->to, &none) ? vrrp_group(a->family) : a->to;

    if (a->family == 4) {
        write_ether(&w, &group4, &a->mac, ETHERTYPE_IP4);
        write_ip4(&w, a, &to, len);
    } else {
        write_ether(&w, &group6, &a->mac, ETHERTYPE_IP6);
        write_ip6(&w, VRRP_PROTOCOL, &a->from, &to, len);
    }
    write_message(&w, a, &to, len);
    HD_ASSERT(!w.bad);
    return (uint32_t)hd_writer_len(&w);
}

/* RFC 9568, 8.1.2 with errata 7947 and 7949: a request, sender and target are the address. */
static void write_arp(struct hd_writer *w, const struct hd_mac *mac, const struct hd_ip6 *address)
{
    static const struct hd_mac all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    static const struct hd_mac unknown;

    write_ether(w, &all, mac, ETHERTYPE_ARP);
    hd_write_u16(w, 1);
    hd_write_u16(w, ETHERTYPE_IP4);
    hd_write_u8(w, 6);
    hd_write_u8(w, 4);
    hd_write_u16(w, 1);
    hd_write_bytes(w, mac->b, 6);
    write_address(w, 4, address);
    hd_write_bytes(w, unknown.b, 6);
    write_address(w, 4, address);
}

/* RFC 9568, 8.2.2; RFC 4861, 4.4: router and override, with the MAC as option. */
static void write_na(struct hd_writer *w, const struct hd_mac *mac, const struct hd_ip6 *address)
{
    static const struct hd_mac nodes = {{0x33, 0x33, 0x00, 0x00, 0x00, 0x01}};
    static const struct hd_ip6 all = {.b = {0xff, 0x02, [15] = 0x01}};
    const uint32_t len = 32;

    write_ether(w, &nodes, mac, ETHERTYPE_IP6);
    write_ip6(w, ICMP6, address, &all, len);
    size_t start = hd_writer_len(w);
    hd_write_u8(w, ICMP6_NA);
    hd_write_u8(w, 0);
    hd_write_u16(w, 0);
    hd_write_u32(w, 0xa0000000);
    write_address(w, 6, address);
    hd_write_u8(w, 2);
    hd_write_u8(w, 1);
    hd_write_bytes(w, mac->b, 6);
    uint32_t sum = pseudo_sum(6, address, &all, len, ICMP6);
    hd_write_u16_at(w, start + 2, fold(add_bytes(sum, w->start + start, len)));
}

uint32_t vrrp_write_announcement(uint8_t *frame, uint8_t family, const struct hd_mac *mac,
                                 const struct hd_ip6 *address)
{
    struct hd_writer w = hd_writer_make(frame, VRRP_FRAME_MAX);

    if (family == 4)
        write_arp(&w, mac, address);
    else
        write_na(&w, mac, address);
    HD_ASSERT(!w.bad);
    return (uint32_t)hd_writer_len(&w);
}

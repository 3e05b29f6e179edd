/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMPv6 errors as bytes: what may be answered, how it is built, how it is read, and the limiter.
 * No system call here; sockets are in icmp_socket.c.
 */
#include "linux/icmp.h"

#include <netinet/in.h>
#include <string.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "linux/checksum.h"

#define IP6_BYTES         40
#define ICMP_HEADER_BYTES 8
#define GRE_IPV6          0x000086ddu
#define INFORMATIONAL     128 /* types from here on are not errors, */
#define REDIRECT          137 /* except that a redirect is treated like one */
#define EXTENSIONS_MAX    8   /* headers that are walked to find an ICMPv6 message */

static bool is_extension(uint8_t next)
{
    return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
           next == IPPROTO_FRAGMENT;
}

/* True when the packet is, or may be, an ICMPv6 error or redirect. */
static bool is_icmp_error(const uint8_t *packet, uint32_t len)
{
    struct hd_reader r = hd_reader_make(packet, len);
    (void)hd_read_bytes(&r, 6);
    uint8_t next = hd_read_u8(&r);
    (void)hd_read_bytes(&r, 33);

    for (unsigned i = 0; i < EXTENSIONS_MAX && is_extension(next); i++) {
        bool fragment = next == IPPROTO_FRAGMENT;
        next = hd_read_u8(&r);
        uint8_t units = hd_read_u8(&r);
        uint16_t offset = hd_read_u16(&r);
        (void)hd_read_bytes(&r, 4 + (fragment ? 0 : units * 8u));
        if (fragment && (offset & 0xfff8) != 0) {
            return next == IPPROTO_ICMPV6; /* its type is in another fragment */
        }
    }
    if (next != IPPROTO_ICMPV6) {
        return r.bad;
    }
    uint8_t type = hd_read_u8(&r);
    return r.bad || type < INFORMATIONAL || type == REDIRECT;
}

static bool is_zero(const uint8_t *address)
{
    static const uint8_t zero[16];
    return memcmp(address, zero, sizeof zero) == 0;
}

bool hd_icmp_allowed(const struct hd_icmp_error *e, const uint8_t *packet, uint32_t len)
{
    if (len < IP6_BYTES || packet[0] >> 4 != 6) {
        return false;
    }
    const uint8_t *from = packet + 8, *to = packet + 24;
    if (from[0] == 0xff || is_zero(from) || (to[0] == 0xff && e->type != HD_ICMP_TOO_BIG)) {
        return false;
    }
    return !is_icmp_error(packet, len);
}

int hd_icmp_build(struct hd_writer *w, const struct hd_icmp_error *e, const uint8_t *packet,
                  uint32_t len)
{
    uint32_t quote = HD_MIN(len, (uint32_t)(HD_ICMP_MESSAGE_MAX - ICMP_HEADER_BYTES));
    hd_write_u8(w, e->type);
    hd_write_u8(w, e->code);
    hd_write_u16(w, 0);
    hd_write_u32(w, e->type == HD_ICMP_TOO_BIG ? e->value : 0);
    hd_write_bytes(w, packet, quote);
    return w->bad ? HD_EINVAL : HD_OK;
}

int hd_icmp_build_packet(struct hd_writer *w, const struct hd_icmp_error *e,
                         const struct hd_ip6 *from, const uint8_t *packet, uint32_t len)
{
    if (len < IP6_BYTES) {
        return HD_EINVAL;
    }
    struct hd_ip6 to;
    memcpy(to.b, packet + 8, sizeof to.b);
    uint32_t body =
        ICMP_HEADER_BYTES + HD_MIN(len, (uint32_t)(HD_ICMP_MESSAGE_MAX - ICMP_HEADER_BYTES));
    hd_write_u32(w, 6u << 28);
    hd_write_u16(w, (uint16_t)body);
    hd_write_u8(w, IPPROTO_ICMPV6);
    hd_write_u8(w, 64);
    hd_write_bytes(w, from->b, sizeof from->b);
    hd_write_bytes(w, to.b, sizeof to.b);
    int error = hd_icmp_build(w, e, packet, len);
    if (error != HD_OK) {
        return error;
    }
    uint64_t sum = hd_checksum_pseudo(from, &to, body, IPPROTO_ICMPV6);
    uint16_t check = hd_checksum_end(hd_checksum_add(sum, w->at - body, body));
    memcpy(w->at - body + 2, &check, sizeof check);
    return HD_OK;
}

/* The packet that an error quotes, as far as it matters here. */
struct quoted {
    struct hd_ip6 from, to;
    bool has_inner;
    struct hd_ip6 inner_to;
};

static bool read_quoted(struct hd_reader *r, struct quoted *q)
{
    uint8_t version = (uint8_t)(hd_read_u32(r) >> 28);
    (void)hd_read_u16(r);
    uint8_t next = hd_read_u8(r);
    (void)hd_read_u8(r);
    const uint8_t *from = hd_read_bytes(r, 16), *to = hd_read_bytes(r, 16);
    uint32_t gre = hd_read_u32(r);
    if (r->bad || version != 6 || next != IPPROTO_GRE || gre != GRE_IPV6) {
        return false;
    }
    memcpy(q->from.b, from, 16);
    memcpy(q->to.b, to, 16);
    q->has_inner = hd_reader_left(r) >= IP6_BYTES;
    if (q->has_inner) {
        memcpy(q->inner_to.b, r->at + 24, 16);
    }
    return true;
}

/*
 * Kind and value of the report. An MTU below IPv6's minimum is a lie (RFC 8201, section 4), one
 * that no packet of ours can exceed says nothing.
 */
static bool read_verdict(uint8_t type, uint32_t value, struct hd_in_report *report)
{
    switch (type) {
    case HD_ICMP_TOO_BIG:
        if (value < 1280 || value > 65535 + HD_ENCAP_BYTES) {
            return false;
        }
        report->kind = HD_REPORT_TOO_BIG;
        report->value = HD_MAX(value - HD_ENCAP_BYTES, (uint32_t)HD_INNER_MTU);
        return true;
    case HD_ICMP_UNREACHABLE:
    case HD_ICMP_TIME_EXCEEDED:
        report->kind = HD_REPORT_UNREACHABLE;
        return true;
    default:
        return false;
    }
}

int hd_icmp_parse(const uint8_t *bytes, size_t len, const struct hd_ip6 *own, uint16_t label_prefix,
                  struct hd_in_report *report)
{
    struct hd_reader r = hd_reader_make(bytes, len);
    uint8_t type = hd_read_u8(&r);
    (void)hd_read_u8(&r);
    (void)hd_read_u16(&r);
    uint32_t value = hd_read_u32(&r);
    struct quoted q;
    memset(report, 0, sizeof *report);
    if (!read_quoted(&r, &q) || !read_verdict(type, value, report)) {
        return HD_EMALFORMED;
    }
    if (!hd_ip6_equal(&q.from, own) || (q.to.b[0] << 8 | q.to.b[1]) != label_prefix) {
        return HD_EMALFORMED;
    }
    memcpy(report->label.b, q.to.b + 2, sizeof report->label.b);
    report->source = q.from;
    if (q.has_inner) {
        report->to = q.inner_to;
    }
    return HD_OK;
}

void hd_icmp_limiter_init(struct hd_icmp_limiter *l, uint64_t salt)
{
    memset(l, 0, sizeof *l);
    l->salt = salt;
}

/* What the bucket will be after one more token, or HD_NEVER when it is empty. */
static hd_time bucket_after(hd_time full_at, hd_time now, int64_t rate_hz, int64_t burst)
{
    hd_time token = HD_SEC(1) / rate_hz;
    hd_time next = HD_MAX(full_at, now) + token;
    return next - now > burst * token ? HD_NEVER : next;
}

bool hd_icmp_limiter_take(struct hd_icmp_limiter *l, const struct hd_ip6 *to, hd_time now)
{
    uint64_t who = hd_hash64(l->salt, to->b, sizeof to->b);
    uint32_t at = (uint32_t)(who % HD_ICMP_SLOTS);
    if (l->slot[at].who != who && l->slot[at].full_at <= now) {
        l->slot[at].who = who;
    }
    hd_time one = bucket_after(l->slot[at].full_at, now, HD_ICMP_RATE_HZ, HD_ICMP_BURST);
    hd_time all = bucket_after(l->all_full_at, now, HD_ICMP_ALL_RATE_HZ, HD_ICMP_ALL_BURST);
    if (one == HD_NEVER || all == HD_NEVER) {
        return false;
    }
    l->slot[at].full_at = one;
    l->all_full_at = all;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Super-packets and unfinished checksums (fwd_tun.h). Between namespaces, and after a receiver's
 * aggregation, a "packet" can be a chain of segments with one header and a checksum that a network
 * card was meant to finish. Whoever takes such packets by a packet socket is told so in a virtio
 * header. On the way to kira0 it can stay like that; on the way to another link nobody else will do
 * the work, because the kernel cannot express "segments inside GRE" for packets from user space.
 *
 * Segmentation of TCP follows RFC 9293: sequence numbers move on, FIN and PSH belong to the last
 * segment; CWR to the first (RFC 3168, 6.1.2). Pure functions.
 */
#include <string.h>

#include "lib/base.h"
#include "linux/checksum.h"
#include "linux/fwd_tun.h"

#define TCP_BYTES   20
#define UDP_BYTES   8
#define TCP_FIN_PSH 0x09
#define TCP_CWR     0x80

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
    put16(at, v >> 16);
    put16(at + 2, v & 0xffff);
}

/* Bytes of the transport header of a super-packet; 0 when it is of no known kind. */
static uint32_t transport_bytes(const struct hd_tun_packet *p)
{
    uint32_t start = p->vnet.csum_start;
    if (p->vnet.gso_type == VIRTIO_NET_HDR_GSO_UDP_L4) {
        return start + UDP_BYTES <= p->len ? UDP_BYTES : 0;
    }
    if (p->vnet.gso_type != VIRTIO_NET_HDR_GSO_TCPV6 || start + TCP_BYTES > p->len) {
        return 0;
    }
    uint32_t bytes = (uint32_t)(p->bytes[start + 12] >> 4) * 4;
    return bytes >= TCP_BYTES && start + bytes <= p->len ? bytes : 0;
}

/* The part of hd_tun_normalise that is about the offload header, the packet's length being known.
 */
static int normalise_offload(struct hd_tun_packet *p)
{
    p->vnet.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
    bool unfinished = p->vnet.flags != 0;
    if (unfinished && (p->vnet.csum_start < HD_IP6_BYTES ||
                       (uint32_t)p->vnet.csum_start + p->vnet.csum_offset + 2 > p->len)) {
        return HD_EMALFORMED;
    }
    if (!hd_tun_is_gso(p)) {
        return HD_OK;
    }
    uint32_t transport = unfinished && p->vnet.gso_size > 0 ? transport_bytes(p) : 0;
    p->vnet.hdr_len = (uint16_t)(p->vnet.csum_start + transport);
    return transport == 0 ? HD_EMALFORMED : HD_OK;
}

int hd_tun_normalise(struct hd_tun_packet *p)
{
    if (p->len < HD_IP6_BYTES || p->bytes[0] >> 4 != 6) {
        return HD_EMALFORMED;
    }
    /* Whether ECN may be set in the segments is plain from the TCP flags. */
    p->vnet.gso_type &= (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
    /* Short frames are padded: the header knows how long the packet is. */
    uint32_t len = HD_IP6_BYTES + get16(p->bytes + 4);
    if (!hd_tun_is_gso(p) && len > p->len) {
        return HD_EMALFORMED;
    }
    p->len = hd_tun_is_gso(p) ? p->len : len;
    return normalise_offload(p);
}

uint32_t hd_tun_wire_len(const struct hd_tun_packet *p)
{
    return hd_tun_is_gso(p) ? HD_MIN(p->len, (uint32_t)p->vnet.hdr_len + p->vnet.gso_size) : p->len;
}

void hd_tun_strip(struct hd_tun_packet *p, uint32_t bytes)
{
    p->bytes += bytes;
    p->len -= bytes;
    if (p->vnet.flags != 0) {
        p->vnet.csum_start = (uint16_t)(p->vnet.csum_start - bytes);
        p->vnet.hdr_len = (uint16_t)(hd_tun_is_gso(p) ? p->vnet.hdr_len - bytes : 0);
    }
}

/* Zero means "no checksum" in UDP, which IPv6 does not allow; the other zero is as good. */
static void put_checksum(uint8_t *at, uint64_t sum)
{
    uint16_t check = hd_checksum_end(sum);
    check = check == 0 ? 0xffff : check;
    memcpy(at, &check, sizeof check);
}

void hd_tun_finish_checksum(struct hd_tun_packet *p)
{
    if (p->vnet.flags == 0) {
        return;
    }
    /* The field holds the sum of the pseudo-header, which so takes part. */
    uint8_t *start = p->bytes + p->vnet.csum_start;
    put_checksum(start + p->vnet.csum_offset,
                 hd_checksum_add(0, start, p->len - p->vnet.csum_start));
    memset(&p->vnet, 0, sizeof p->vnet);
}

int hd_tun_cut_begin(struct hd_tun_cutter *c, const struct hd_tun_packet *p, uint32_t inner)
{
    *c = (struct hd_tun_cutter){
        .p = p,
        .inner = inner,
        .headers = p->vnet.hdr_len,
        .tcp = p->vnet.gso_type == VIRTIO_NET_HDR_GSO_TCPV6,
    };
    if (c->headers > HD_TUN_HEAD || p->vnet.csum_start < inner + HD_IP6_BYTES) {
        return HD_EUNSUPPORTED;
    }
    return HD_OK;
}

static void cut_tcp(const struct hd_tun_cutter *c, uint8_t *tcp, bool last)
{
    uint32_t seq = get16(tcp + 4) << 16 | get16(tcp + 6);
    put32(tcp + 4, seq + c->at);
    if (!last) {
        tcp[13] &= (uint8_t)~TCP_FIN_PSH;
    }
    if (c->at > 0) {
        tcp[13] &= (uint8_t)~TCP_CWR;
    }
}

static uint64_t pseudo(const uint8_t *ip, uint32_t len, uint8_t next)
{
    struct hd_ip6 from, to;
    memcpy(from.b, ip + 8, sizeof from.b);
    memcpy(to.b, ip + 24, sizeof to.b);
    return hd_checksum_pseudo(&from, &to, len, next);
}

bool hd_tun_cut_next(struct hd_tun_cutter *c, struct hd_tun_piece *piece)
{
    const struct hd_tun_packet *p = c->p;
    uint32_t payload = p->len - c->headers;
    if (c->at >= payload && c->at != 0) {
        return false;
    }
    uint32_t len = HD_MIN(payload - c->at, (uint32_t)p->vnet.gso_size);
    uint32_t whole = c->headers + len;
    uint8_t *head = piece->head, *transport = head + p->vnet.csum_start;
    memcpy(head, p->bytes, c->headers);
    put16(head + 4, whole - HD_IP6_BYTES);
    put16(head + c->inner + 4, whole - c->inner - HD_IP6_BYTES);

    uint32_t transport_len = whole - p->vnet.csum_start;
    uint8_t *check = transport + (c->tcp ? 16 : 6);
    if (c->tcp) {
        cut_tcp(c, transport, c->at + len >= payload);
    } else {
        put16(transport + 4, transport_len);
    }
    memset(check, 0, 2);
    piece->head_len = c->headers;
    piece->payload = p->bytes + c->headers + c->at;
    piece->len = len;
    /* Transport headers are of even length, so the payload may be added as it is. */
    uint64_t sum = pseudo(head + c->inner, transport_len, c->tcp ? IPPROTO_TCP : IPPROTO_UDP);
    sum = hd_checksum_add(sum, transport, c->headers - p->vnet.csum_start);
    put_checksum(check, hd_checksum_add(sum, piece->payload, len));
    c->at += len > 0 ? len : 1; /* a super-packet without payload is one segment */
    return true;
}

int hd_tun_ecn(uint8_t outer, uint8_t inner)
{
    enum { NOT_ECT = 0, ECT_1 = 1, ECT_0 = 2, CE = 3 };
    if (outer == CE) {
        return inner == NOT_ECT ? -1 : CE;
    }
    if (outer == ECT_1 && inner == ECT_0) {
        return ECT_1;
    }
    return inner;
}

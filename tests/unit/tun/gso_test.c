/* SPDX-License-Identifier: Apache-2.0 */
/* Super-packets and unfinished checksums of the TUN back-end (linux/fwd_tun.h), ECN at removal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "lib/random.h"
#include "linux/fwd_tun.h"

/* A second opinion on checksums: 16 bits at a time, as RFC 1071 describes it. */
static uint16_t sum16(uint32_t sum, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum += (uint32_t)b[i] << (i % 2 == 0 ? 8 : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static bool checksum_right(const uint8_t *ip, uint32_t len, uint8_t next)
{
    uint32_t upper = len - 40;
    uint16_t sum = sum16(sum16(0, ip + 8, 32), (const uint8_t[]){0, next}, 2);
    sum = sum16(sum, (const uint8_t[]){(uint8_t)(upper >> 8), (uint8_t)upper}, 2);
    return sum16(sum, ip + 40, upper) == 0xffff;
}

static void put16(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

struct shape {
    uint32_t inner; /* 0 or 44 */
    bool tcp;
    uint32_t options; /* of TCP */
    uint32_t payload;
    uint16_t gso_size;
};

/* Builds a super-packet (or, with gso_size 0, a packet whose checksum is unfinished) in b. */
static struct hd_tun_packet make(uint8_t *b, const struct shape *s, struct hd_random *rng)
{
    uint32_t l4 = s->inner + 40, header = s->tcp ? 20 + s->options : 8;
    uint32_t len = l4 + header + s->payload;
    hd_random_bytes(rng, b, len);
    if (s->inner > 0) {
        b[0] = 0x60;
        put16(b + 4, len - 40);
        b[6] = 47;
        memcpy(b + 40, (const uint8_t[]){0, 0, 0x86, 0xdd}, 4);
    }
    b[s->inner] = 0x60;
    put16(b + s->inner + 4, len - s->inner - 40);
    b[s->inner + 6] = s->tcp ? 6 : 17;
    if (s->tcp) {
        b[l4 + 12] = (uint8_t)(header / 4 << 4);
        b[l4 + 13] = 0x80 | 0x10 | 0x09; /* CWR, ACK, PSH, FIN */
    } else {
        put16(b + l4 + 4, header + s->payload);
    }
    uint32_t upper = len - l4; /* the field holds the sum of the pseudo-header */
    uint16_t sum = sum16(0, b + s->inner + 8, 32);
    sum = sum16(sum, (const uint8_t[]){0, b[s->inner + 6]}, 2);
    sum = sum16(sum, (const uint8_t[]){(uint8_t)(upper >> 8), (uint8_t)upper}, 2);
    put16(b + l4 + (s->tcp ? 16 : 6), sum);
    struct hd_tun_packet p = {.bytes = b, .len = len};
    p.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;
    p.vnet.csum_start = (uint16_t)l4;
    p.vnet.csum_offset = s->tcp ? 16 : 6;
    p.vnet.gso_size = s->gso_size;
    if (s->gso_size != 0) {
        p.vnet.gso_type =
            s->tcp ? VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN : VIRTIO_NET_HDR_GSO_UDP_L4;
    }
    return p;
}

static void check_segment(const struct shape *s, const struct hd_tun_packet *p,
                          const struct hd_tun_piece *piece, uint32_t at)
{
    static uint8_t wire[HD_TUN_PACKET];
    uint32_t len = piece->head_len + piece->len, l4 = s->inner + 40;
    memcpy(wire, piece->head, piece->head_len);
    memcpy(wire + piece->head_len, piece->payload, piece->len);
    bool last = at + piece->len == s->payload;
    assert_int_equal(wire[4] << 8 | wire[5], len - 40);
    assert_int_equal(wire[s->inner + 4] << 8 | wire[s->inner + 5], len - s->inner - 40);
    assert_memory_equal(wire + s->inner + 6, p->bytes + s->inner + 6, 34);
    assert_true(checksum_right(wire + s->inner, len - s->inner, s->tcp ? 6 : 17));
    assert_true(len <= hd_tun_wire_len(p));
    assert_memory_equal(piece->payload, p->bytes + p->vnet.hdr_len + at, piece->len);
    if (s->tcp) {
        assert_int_equal(get32(wire + l4 + 4), (uint32_t)(get32(p->bytes + l4 + 4) + at));
        assert_int_equal(wire[l4 + 13], 0x10 | (last ? 0x09 : 0) | (at == 0 ? 0x80 : 0));
    } else {
        assert_int_equal(wire[l4 + 4] << 8 | wire[l4 + 5], 8 + piece->len);
    }
}

static void cut_and_check(const struct shape *s, uint8_t *b, struct hd_random *rng)
{
    struct hd_tun_packet p = make(b, s, rng);
    assert_int_equal(hd_tun_normalise(&p), 0);
    struct hd_tun_cutter c;
    struct hd_tun_piece piece;
    uint32_t at = 0, count = 0;
    assert_int_equal(hd_tun_cut_begin(&c, &p, s->inner), 0);
    while (hd_tun_cut_next(&c, &piece)) {
        check_segment(s, &p, &piece, at);
        at += piece.len;
        count++;
    }
    assert_int_equal(at, s->payload);
    assert_int_equal(count, HD_MAX(1u, (s->payload + s->gso_size - 1) / s->gso_size));
}

static void test_segments(void **state)
{
    uint8_t *b = malloc(HD_TUN_PACKET);
    struct hd_random rng;
    hd_random_seed(&rng, 7, 1);
    assert_non_null(b);
    static const struct shape edges[] = {
        {0, true, 0, 0, 1000},       {0, true, 12, 1, 1000},      {0, true, 12, 1000, 1000},
        {0, true, 12, 1001, 1000},   {44, true, 40, 65000, 1384}, {44, true, 0, 3, 1},
        {44, false, 0, 12000, 1200}, {0, false, 0, 1201, 1200},   {44, false, 0, 65000, 1199},
    };
    for (size_t i = 0; i < HD_ARRAY_LEN(edges); i++) {
        cut_and_check(&edges[i], b, &rng);
    }
    for (unsigned i = 0; i < 500; i++) {
        struct shape s = {
            .inner = hd_random_below(&rng, 2) != 0 ? 44 : 0,
            .tcp = hd_random_below(&rng, 2) != 0,
            .payload = (uint32_t)hd_random_below(&rng, 20000),
            .gso_size = (uint16_t)(1 + hd_random_below(&rng, 3000)),
            .options = (uint32_t)hd_random_below(&rng, 11) * 4,
        };
        cut_and_check(&s, b, &rng);
    }
    free(b);
}

static void test_finish_checksum(void **state)
{
    static uint8_t b[4096];
    struct hd_random rng;
    hd_random_seed(&rng, 8, 1);
    for (uint32_t payload = 0; payload < 300; payload++) {
        struct shape s = {.inner = payload % 2 * 44, .tcp = payload % 3 == 0, .payload = payload};
        struct hd_tun_packet p = make(b, &s, &rng);
        assert_int_equal(hd_tun_normalise(&p), 0);
        hd_tun_finish_checksum(&p);
        assert_true(checksum_right(b + s.inner, p.len - s.inner, s.tcp ? 6 : 17));
        assert_int_equal(p.vnet.flags, 0);
        uint16_t before = (uint16_t)(b[s.inner + 46] << 8 | b[s.inner + 47]);
        hd_tun_finish_checksum(&p); /* nothing is left to do */
        assert_int_equal(before, b[s.inner + 46] << 8 | b[s.inner + 47]);
        if (!s.tcp) {
            assert_int_not_equal(before, 0);
        }
    }
}

/* A UDP checksum that comes out as zero must be sent as its other form. */
static void test_udp_zero(void **state)
{
    uint8_t b[50] = {0x60, 0, 0, 0, 0, 10, 17, 64};
    put16(b + 44, 10);
    put16(b + 46, 17 + 10);          /* the pseudo-header's sum; with the length field again: 37 */
    put16(b + 48, 0xffff - 17 - 20); /* makes all ones */
    struct hd_tun_packet p = {.bytes = b, .len = sizeof b};
    p.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    p.vnet.csum_start = 40;
    p.vnet.csum_offset = 6;
    assert_int_equal(hd_tun_normalise(&p), 0);
    hd_tun_finish_checksum(&p);
    assert_int_equal(b[46] << 8 | b[47], 0xffff);
}

static void test_strip(void **state)
{
    static uint8_t b[4096];
    struct hd_random rng;
    hd_random_seed(&rng, 9, 1);
    struct shape s = {.inner = 44, .tcp = true, .payload = 3000, .gso_size = 1000};
    struct hd_tun_packet p = make(b, &s, &rng);
    assert_int_equal(hd_tun_normalise(&p), 0);
    assert_int_equal(p.vnet.hdr_len, 104);
    hd_tun_strip(&p, 44);
    assert_int_equal(p.vnet.csum_start, 40);
    assert_int_equal(p.vnet.hdr_len, 60);
    s.inner = 0;
    struct hd_tun_cutter c;
    struct hd_tun_piece piece;
    uint32_t at = 0;
    assert_int_equal(hd_tun_cut_begin(&c, &p, 0), 0);
    for (; hd_tun_cut_next(&c, &piece); at += piece.len) {
        check_segment(&s, &p, &piece, at);
    }
    assert_int_equal(at, 3000);
}

/* Headers that contradict the packet are refused, whatever they say; nothing is read outside. */
static void test_normalise_refuses(void **state)
{
    static uint8_t base[256];
    struct hd_random rng;
    hd_random_seed(&rng, 10, 1);
    struct shape s = {.inner = 44, .tcp = true, .payload = 50, .gso_size = 20};
    unsigned accepted = 0;
    for (unsigned i = 0; i < 200000; i++) {
        struct hd_tun_packet p = make(base, &s, &rng);
        uint32_t len = (uint32_t)hd_random_below(&rng, p.len + 1);
        uint8_t *exact = malloc(len + 1);
        assert_non_null(exact);
        memcpy(exact, base, len);
        p = (struct hd_tun_packet){.bytes = exact, .len = len};
        p.vnet.flags = (uint8_t)hd_random_below(&rng, 4);
        p.vnet.gso_type = (uint8_t)hd_random_below(&rng, 7);
        p.vnet.gso_size = (uint16_t)hd_random_below(&rng, 40);
        p.vnet.csum_start = (uint16_t)hd_random_below(&rng, i % 2 == 0 ? 200 : 65536);
        p.vnet.csum_offset = (uint16_t)hd_random_below(&rng, i % 2 == 0 ? 20 : 65536);
        if (hd_tun_normalise(&p) == 0) {
            struct hd_tun_cutter c;
            struct hd_tun_piece piece;
            accepted++;
            if (!hd_tun_is_gso(&p)) {
                hd_tun_finish_checksum(&p);
            } else if (hd_tun_cut_begin(&c, &p, 0) == 0) {
                while (hd_tun_cut_next(&c, &piece)) {
                    assert_true(piece.payload + piece.len <= exact + len);
                }
            }
        }
        free(exact);
    }
    assert_true(accepted > 100); /* the test reaches what it is about */
}

/* RFC 6040, figure 4; rows: inner Not-ECT, ECT(1), ECT(0), CE; columns: outer in the same order. */
static void test_ecn(void **state)
{
    static const int expected[4][4] = {
        {0, 0, 0, -1},
        {1, 1, 1, 3},
        {2, 1, 2, 3},
        {3, 3, 3, 3},
    };
    for (uint8_t inner = 0; inner < 4; inner++) {
        for (uint8_t outer = 0; outer < 4; outer++) {
            assert_int_equal(hd_tun_ecn(outer, inner), expected[inner][outer]);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments),          cmocka_unit_test(test_finish_checksum),
        cmocka_unit_test(test_udp_zero),          cmocka_unit_test(test_strip),
        cmocka_unit_test(test_normalise_refuses), cmocka_unit_test(test_ecn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

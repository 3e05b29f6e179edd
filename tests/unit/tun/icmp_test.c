/* SPDX-License-Identifier: Apache-2.0 */
/* ICMPv6 errors about labelled packets (linux/icmp.h), and what tshark thinks of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/checksum.h"
#include "linux/icmp.h"

#define LABEL_PREFIX 0xfcaa

static const struct hd_ip6 own = {{0xfc, 0x00, [15] = 0x0a}};
static const struct hd_ip6 transit = {{0xfc, 0x00, [15] = 0x0b}};

/* A labelled packet from `own`: 48 bytes inside, UDP 1000 -> 2000 to fc00::d. */
static const uint8_t labelled[92] = {
    0x6b, 0x90, 0x12, 0x34, 0x00, 0x34, 0x2f, 0x01,                                /* outer, GRE */
    0xfc, 0,    0,    0,    0,    0,    0,    0,    0, 0, 0, 0,  0,  0,  0,  0x0a, /* from */
    0xfc, 0xaa, 1,    2,    3,    4,    5,    6,    7, 8, 9, 10, 11, 12, 13, 14,   /* label */
    0,    0,    0x86, 0xdd,                                                        /* GRE */
    0x60, 0,    0,    0,    0,    8,    17,   63,                                  /* inner */
    0xfc, 0,    0,    0,    0,    0,    0,    0,    0, 0, 0, 0,  0,  0,  0,  0x0a, /* from */
    0xfc, 0,    0,    0,    0,    0,    0,    0,    0, 0, 0, 0,  0,  0,  0,  0x0d, /* to */
    0x03, 0xe8, 0x07, 0xd0, 0,    8,    0,    0,                                   /* UDP */
};

static uint32_t build(uint8_t *out, uint32_t size, uint8_t type, uint32_t value,
                      const uint8_t *packet, uint32_t len)
{
    struct hd_icmp_error e = {.type = type, .value = value};
    struct hd_writer w = hd_writer_make(out, size);
    assert_int_equal(hd_icmp_build(&w, &e, packet, len), 0);
    return (uint32_t)hd_writer_len(&w);
}

static void test_checksum(void **state)
{
    /* RFC 1071, section 3: the sum of these is ddf2. */
    static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    static const uint8_t expected[] = {0x22, 0x0d};
    uint16_t sum = hd_checksum_end(hd_checksum_add(0, example, sizeof example));
    assert_memory_equal(&sum, expected, 2);
    for (size_t cut = 0; cut <= sizeof example; cut += 2) { /* in pieces */
        uint64_t part = hd_checksum_add(0, example, cut);
        sum = hd_checksum_end(hd_checksum_add(part, example + cut, sizeof example - cut));
        assert_memory_equal(&sum, expected, 2);
    }
    static const uint8_t odd[] = {0x12, 0x34, 0x56};
    static const uint8_t odd_expected[] = {0x97, 0xcb}; /* ~(1234 + 5600) */
    sum = hd_checksum_end(hd_checksum_add(0, odd, sizeof odd));
    assert_memory_equal(&sum, odd_expected, 2);
}

static void test_build_bytes(void **state)
{
    uint8_t out[HD_ICMP_MESSAGE_MAX];
    static const struct {
        uint8_t type;
        uint32_t value;
        uint8_t head[8];
    } v[] = {
        {HD_ICMP_UNREACHABLE, 0, {1, 0, 0, 0, 0, 0, 0, 0}},
        {HD_ICMP_TOO_BIG, 1400, {2, 0, 0, 0, 0, 0, 0x05, 0x78}},
        {HD_ICMP_TIME_EXCEEDED, 77, {3, 0, 0, 0, 0, 0, 0, 0}},
    };
    for (size_t i = 0; i < HD_ARRAY_LEN(v); i++) {
        uint32_t len = build(out, sizeof out, v[i].type, v[i].value, labelled, sizeof labelled);
        assert_int_equal(len, 8 + sizeof labelled);
        assert_memory_equal(out, v[i].head, 8);
        assert_memory_equal(out + 8, labelled, sizeof labelled);
    }
    uint8_t big[1500] = {0x60};
    assert_int_equal(build(out, sizeof out, 2, 1400, big, sizeof big), HD_ICMP_MESSAGE_MAX);
    struct hd_writer w = hd_writer_make(out, 50);
    struct hd_icmp_error e = {.type = HD_ICMP_TOO_BIG};
    assert_int_equal(hd_icmp_build(&w, &e, big, sizeof big), HD_EINVAL);
}

static void test_build_packet(void **state)
{
    uint8_t out[HD_ICMP_PACKET_MAX];
    struct hd_icmp_error e = {.type = HD_ICMP_TOO_BIG, .value = 1400};
    struct hd_writer w = hd_writer_make(out, sizeof out);
    assert_int_equal(hd_icmp_build_packet(&w, &e, &transit, labelled, sizeof labelled), 0);
    assert_int_equal(hd_writer_len(&w), 40 + 8 + sizeof labelled);
    static const uint8_t head[8] = {0x60, 0, 0, 0, 0, 100, 58, 64};
    assert_memory_equal(out, head, 8);
    assert_memory_equal(out + 8, transit.b, 16);
    assert_memory_equal(out + 24, own.b, 16);
    /* A right checksum makes the whole sum zero. */
    uint64_t sum = hd_checksum_pseudo(&transit, &own, 100, 58);
    assert_int_equal(hd_checksum_end(hd_checksum_add(sum, out + 40, 100)), 0);
    assert_true(out[42] != 0 || out[43] != 0);
    assert_int_equal(hd_icmp_build_packet(&w, &e, &transit, labelled, 39), HD_EINVAL);
}

static void test_round_trip(void **state)
{
    uint8_t out[HD_ICMP_MESSAGE_MAX];
    struct hd_in_report r;
    static const struct {
        uint8_t type;
        uint32_t value;
        enum hd_report_kind kind;
        uint32_t reported;
    } v[] = {
        {HD_ICMP_UNREACHABLE, 0, HD_REPORT_UNREACHABLE, 0},
        {HD_ICMP_TIME_EXCEEDED, 0, HD_REPORT_UNREACHABLE, 0},
        {HD_ICMP_TOO_BIG, 1400, HD_REPORT_TOO_BIG, 1356},
        {HD_ICMP_TOO_BIG, 1324, HD_REPORT_TOO_BIG, 1280},
        {HD_ICMP_TOO_BIG, 1280, HD_REPORT_TOO_BIG, 1280},
        {HD_ICMP_TOO_BIG, 9000, HD_REPORT_TOO_BIG, 8956},
    };
    for (size_t i = 0; i < HD_ARRAY_LEN(v); i++) {
        uint32_t len = build(out, sizeof out, v[i].type, v[i].value, labelled, sizeof labelled);
        assert_int_equal(hd_icmp_parse(out, len, &own, LABEL_PREFIX, &r), 0);
        assert_int_equal(r.kind, v[i].kind);
        assert_int_equal(r.value, v[i].reported);
        assert_memory_equal(r.label.b, labelled + 26, 14);
        assert_true(hd_ip6_equal(&r.source, &own));
        assert_memory_equal(r.to.b, labelled + 68, 16);
    }
}

static void test_parse_refuses(void **state)
{
    uint8_t out[HD_ICMP_MESSAGE_MAX], bent[sizeof labelled];
    struct hd_in_report r;
    uint32_t len = build(out, sizeof out, HD_ICMP_TOO_BIG, 1400, labelled, sizeof labelled);
    /* Up to the GRE word all is needed, of the inner header nothing. */
    for (uint32_t cut = 0; cut <= len; cut++) {
        uint8_t *exact = malloc(cut + 1); /* so that a sanitiser sees reads beyond */
        assert_non_null(exact);
        uint8_t *end_aligned = exact + 1;
        memcpy(end_aligned, out, cut);
        int error = hd_icmp_parse(end_aligned, cut, &own, LABEL_PREFIX, &r);
        assert_int_equal(error, cut < 8 + 44 ? HD_EMALFORMED : 0);
        free(exact);
    }
    assert_int_equal(hd_icmp_parse(out, len, &transit, LABEL_PREFIX, &r), HD_EMALFORMED);
    assert_int_equal(hd_icmp_parse(out, len, &own, 0xfcab, &r), HD_EMALFORMED);
    static const uint8_t types[] = {0, 4, 128, 129, 137, 255};
    for (size_t i = 0; i < sizeof types; i++) {
        out[0] = types[i];
        assert_int_equal(hd_icmp_parse(out, len, &own, LABEL_PREFIX, &r), HD_EMALFORMED);
    }
    static const uint32_t lies[] = {0, 1, 1279, 65580, 0xffffffff};
    for (size_t i = 0; i < HD_ARRAY_LEN(lies); i++) {
        len = build(out, sizeof out, HD_ICMP_TOO_BIG, lies[i], labelled, sizeof labelled);
        assert_int_equal(hd_icmp_parse(out, len, &own, LABEL_PREFIX, &r), HD_EMALFORMED);
    }
    static const uint8_t places[] = {0, 6, 40, 42}; /* version, next header, GRE flags, protocol */
    for (size_t i = 0; i < sizeof places; i++) {
        memcpy(bent, labelled, sizeof bent);
        bent[places[i]] ^= 0x90;
        len = build(out, sizeof out, HD_ICMP_UNREACHABLE, 0, bent, sizeof bent);
        assert_int_equal(hd_icmp_parse(out, len, &own, LABEL_PREFIX, &r), HD_EMALFORMED);
    }
}

/* RFC 4443, 2.4 (e). */
static void test_allowed(void **state)
{
    struct hd_icmp_error unreachable = {.type = HD_ICMP_UNREACHABLE};
    struct hd_icmp_error too_big = {.type = HD_ICMP_TOO_BIG, .value = 1400};
    uint8_t p[sizeof labelled];
    memcpy(p, labelled, sizeof p);
    assert_true(hd_icmp_allowed(&unreachable, p, sizeof p));
    assert_true(hd_icmp_allowed(&unreachable, p, 40));
    assert_false(hd_icmp_allowed(&unreachable, p, 39));

    uint8_t *icmp = p + 44; /* the inner packet alone, as ICMPv6 */
    uint32_t len = sizeof p - 44;
    icmp[6] = 58;
    for (unsigned type = 0; type < 256; type++) {
        icmp[40] = (uint8_t)type;
        assert_int_equal(hd_icmp_allowed(&unreachable, icmp, len), type >= 128 && type != 137);
    }
    icmp[40] = 128;
    assert_false(hd_icmp_allowed(&unreachable, icmp, 40)); /* type not visible */
    icmp[6] = 0; /* hop-by-hop options of 8 bytes before an ICMPv6 that is cut off */
    icmp[40] = 58;
    icmp[41] = 0;
    assert_false(hd_icmp_allowed(&unreachable, icmp, len));
    icmp[40] = 17; /* before UDP */
    assert_true(hd_icmp_allowed(&unreachable, icmp, len));
    icmp[6] = 44; /* a later fragment of an ICMPv6 message */
    icmp[40] = 58;
    icmp[43] = 8;
    assert_false(hd_icmp_allowed(&unreachable, icmp, len));

    memcpy(p, labelled, sizeof p);
    p[24] = 0xff;
    assert_false(hd_icmp_allowed(&unreachable, p, sizeof p));
    assert_true(hd_icmp_allowed(&too_big, p, sizeof p));
    p[8] = 0xff;
    assert_false(hd_icmp_allowed(&too_big, p, sizeof p));
    memset(p + 8, 0, 16);
    assert_false(hd_icmp_allowed(&too_big, p, sizeof p));
}

static void test_limiter(void **state)
{
    static struct hd_icmp_limiter l;
    struct hd_ip6 a = own, b = transit;
    hd_time now = HD_SEC(1000);
    hd_icmp_limiter_init(&l, 42);
    unsigned granted = 0;
    for (unsigned i = 0; i < 100; i++) {
        granted += hd_icmp_limiter_take(&l, &a, now);
    }
    assert_int_equal(granted, HD_ICMP_BURST);
    assert_true(hd_icmp_limiter_take(&l, &b, now)); /* another has his own */
    granted = 0;
    for (unsigned ms = 1; ms <= 10000; ms++) {
        granted += hd_icmp_limiter_take(&l, &a, now + HD_MS(ms));
    }
    assert_int_equal(granted, 10 * HD_ICMP_RATE_HZ);

    /* Invented sources: the common bucket holds. */
    now += HD_SEC(100);
    granted = 0;
    for (unsigned i = 0; i < 20000; i++) {
        memcpy(a.b + 8, &i, sizeof i);
        granted += hd_icmp_limiter_take(&l, &a, now);
    }
    assert_int_equal(granted, HD_ICMP_ALL_BURST);
}

/* tshark reads the packet from a hex dump: it must find the type, the MTU, and a good checksum. */
static void test_tshark(void **state)
{
    if (system("command -v tshark text2pcap >/dev/null 2>&1") != 0) {
        skip();
    }
    char dir[] = "/tmp/hd-icmp-XXXXXX", command[512], line[256] = "";
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof command, "%s/hex", dir);
    uint8_t out[HD_ICMP_PACKET_MAX];
    struct hd_icmp_error e = {.type = HD_ICMP_TOO_BIG, .value = 1400};
    struct hd_writer w = hd_writer_make(out, sizeof out);
    assert_int_equal(hd_icmp_build_packet(&w, &e, &transit, labelled, sizeof labelled), 0);
    FILE *f = fopen(command, "w");
    assert_non_null(f);
    for (size_t i = 0; i < hd_writer_len(&w); i++) {
        if (i % 16 == 0) {
            fprintf(f, "\n%06zx", i);
        }
        fprintf(f, " %02x", out[i]);
    }
    fprintf(f, "\n");
    fclose(f);
    snprintf(command, sizeof command,
             "cd %s && text2pcap -q -l 229 hex pcap >/dev/null 2>&1 && "
             "tshark -r pcap -T fields -E separator=/s -E "
             "occurrence=f -e icmpv6.type "
             "-e icmpv6.mtu -e icmpv6.checksum.status -e gre.proto 2>/dev/null",
             dir);
    FILE *tshark = popen(command, "r");
    assert_non_null(tshark);
    (void)!fgets(line, sizeof line, tshark);
    pclose(tshark);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    assert_string_equal(line, "2 1400 1 0x86dd\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksum),      cmocka_unit_test(test_build_bytes),
        cmocka_unit_test(test_build_packet),  cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_parse_refuses), cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_limiter),       cmocka_unit_test(test_tshark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

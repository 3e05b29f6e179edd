/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMPv6 errors. Any bytes are read as one that came in, and any bytes are a packet that gets an
 * answer; the answer to a labelled packet must be understood by the reader as it was meant.
 */
#include "linux/icmp.h"
#include "fuzz/bytes.h"
#include "linux/checksum.h"

#define LABEL_PREFIX 0xfcaa
#define GRE          47

/* The source of the quoted packet, so that the reader does not stop at a foreign one. */
static struct hd_ip6 quoted_source(const uint8_t *bytes, size_t len)
{
    struct hd_ip6 own = {{0xfc}};

    if (len >= 8 + 24)
        memcpy(own.b, bytes + 8 + 8, 16);
    return own;
}

static void check_report(const struct hd_in_report *r)
{
    FUZZ_CHECK(r->kind == HD_REPORT_TOO_BIG || r->kind == HD_REPORT_UNREACHABLE);
    if (r->kind == HD_REPORT_TOO_BIG)
        FUZZ_CHECK(r->value >= HD_INNER_MTU && r->value <= 65535);
}

static void read_one(const uint8_t *bytes, size_t len)
{
    static const struct hd_ip6 stranger = {{0xfc, [15] = 1}};
    struct hd_ip6 own = quoted_source(bytes, len);
    struct hd_in_report r;

    if (hd_icmp_parse(bytes, len, &own, LABEL_PREFIX, &r) == 0)
        check_report(&r);
    if (!hd_ip6_equal(&own, &stranger))
        FUZZ_CHECK(hd_icmp_parse(bytes, len, &stranger, LABEL_PREFIX, &r) != 0);
}

static bool is_labelled(const uint8_t *packet, size_t len)
{
    static const uint8_t gre[] = {0, 0, 0x86, 0xdd};

    return len >= HD_ENCAP_BYTES && packet[0] >> 4 == 6 && packet[6] == GRE &&
           packet[24] == LABEL_PREFIX >> 8 && packet[25] == (LABEL_PREFIX & 0xff) &&
           memcmp(packet + 40, gre, sizeof gre) == 0;
}

static void answer_one(struct bytes *b)
{
    static const uint8_t types[] = {HD_ICMP_UNREACHABLE, HD_ICMP_TOO_BIG, HD_ICMP_TIME_EXCEEDED};
    struct hd_icmp_error e = {.type = types[pick(b, 3)]};
    static const struct hd_ip6 from = {{0xfc, 1}};
    uint8_t out[HD_ICMP_PACKET_MAX];
    struct hd_writer w = hd_writer_make(out, sizeof out);
    struct hd_in_report r;

    if (e.type == HD_ICMP_TOO_BIG) {
        uint32_t more = pick(b, 255);
        e.value = HD_INNER_MTU + HD_ENCAP_BYTES + more;
    }
    size_t len = (size_t)(b->end - b->at);

    if (!hd_icmp_allowed(&e, b->at, (uint32_t)len))
        return;
    FUZZ_CHECK(hd_icmp_build_packet(&w, &e, &from, b->at, (uint32_t)len) == 0);
    size_t made = hd_writer_len(&w);
    struct hd_ip6 to;

    memcpy(to.b, out + 24, sizeof to.b);
    uint64_t sum = hd_checksum_pseudo(&from, &to, (uint32_t)made - 40, out[6]);

    FUZZ_CHECK(made <= HD_ICMP_PACKET_MAX && memcmp(to.b, b->at + 8, 16) == 0);
    FUZZ_CHECK(hd_checksum_end(hd_checksum_add(sum, out + 40, (uint32_t)made - 40)) == 0);
    if (!is_labelled(b->at, len))
        return;
    FUZZ_CHECK(hd_icmp_parse(out + 40, made - 40, &to, LABEL_PREFIX, &r) == 0);
    FUZZ_CHECK(memcmp(r.label.b, b->at + 26, sizeof r.label.b) == 0);
    FUZZ_CHECK((r.kind == HD_REPORT_TOO_BIG) == (e.type == HD_ICMP_TOO_BIG));
    FUZZ_CHECK(e.type != HD_ICMP_TOO_BIG || r.value == e.value - HD_ENCAP_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct bytes b = {bytes, bytes + len};

    read_one(bytes, len);
    answer_one(&b);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: IPv6, link-layer, and the text forms of both (RFC 5952). */
#ifndef HD_LIB_ADDR_H
#define HD_LIB_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/error.h"

struct hd_ip6 {
    uint8_t b[16];
};

struct hd_mac {
    uint8_t b[6];
};

#define HD_IP6_TEXT 46 /* buffer size for hd_ip6_format */
#define HD_MAC_TEXT 18

static inline bool hd_ip6_equal(const struct hd_ip6 *a, const struct hd_ip6 *b)
{
    return memcmp(a->b, b->b, 16) == 0;
}

static inline bool hd_ip6_is_link_local(const struct hd_ip6 *a)
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static inline bool hd_mac_equal(const struct hd_mac *a, const struct hd_mac *b)
{
    return memcmp(a->b, b->b, 6) == 0;
}

static inline bool hd_mac_is_zero(const struct hd_mac *m)
{
    return hd_mac_equal(m, &(struct hd_mac){{0}});
}

/* Writes the RFC 5952 form into buf, which holds HD_IP6_TEXT bytes; returns buf. */
char *hd_ip6_format(const struct hd_ip6 *a, char *buf);
/* Reads an address without zone or prefix length: 0 or HD_EMALFORMED. */
HD_MUST_USE int hd_ip6_parse(const char *text, struct hd_ip6 *a);
char *hd_mac_format(const struct hd_mac *m, char *buf);

#endif

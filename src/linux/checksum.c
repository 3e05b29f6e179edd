/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum: see checksum.h. */
#include "linux/checksum.h"

#include <endian.h>
#include <string.h>

uint64_t hd_checksum_add(uint64_t sum, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    /* 32-bit words in a 64-bit sum: carries collect above and are folded once, at the end. */
    for (; len >= 4; at += 4, len -= 4) {
        uint32_t word;
        memcpy(&word, at, sizeof word);
        sum += word;
    }
    if (len > 0) {
        uint32_t word = 0;
        memcpy(&word, at, len);
        sum += word;
    }
    return sum;
}

uint64_t hd_checksum_pseudo(const struct hd_ip6 *from, const struct hd_ip6 *to, uint32_t len,
                            uint8_t next)
{
    uint64_t sum = hd_checksum_add(0, from->b, sizeof from->b);
    sum = hd_checksum_add(sum, to->b, sizeof to->b);
    return sum + htobe32(len) + htobe32(next);
}

uint16_t hd_checksum_end(uint64_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

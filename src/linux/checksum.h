/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum (RFC 1071) over an IPv6 pseudo-header (RFC 8200, section 8.1).
 *
 * Sums are taken over words in the byte order of the machine: the result then stands in memory as
 * it must stand in the packet, and is stored with memcpy.
 */
#ifndef HD_LINUX_CHECKSUM_H
#define HD_LINUX_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

/* Adds bytes to a running sum. Only the last piece may have an odd length. */
uint64_t hd_checksum_add(uint64_t sum, const void *bytes, size_t len);

/* Begins a sum with the pseudo-header of an upper layer of `len` bytes and protocol `next`. */
uint64_t hd_checksum_pseudo(const struct hd_ip6 *from, const struct hd_ip6 *to, uint32_t len,
                            uint8_t next);

/* The field's value, to be copied into the packet as it lies in memory. */
uint16_t hd_checksum_end(uint64_t sum);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication sections of BFD packets (RFC 5880, 4.2 to 4.4, 6.7): written and checked. */
#ifndef HD_LINUX_BFD_AUTH_H
#define HD_LINUX_BFD_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "model/liveness.h"

#define HD_BFD_AUTH_BYTES 28 /* of the longest section */

/*
 * Appends the section to a packet of 24 bytes in a buffer with room for HD_BFD_AUTH_BYTES more:
 * sets its bit and its length, counts the sequence number. The new length, or HD_EINVAL.
 */
HD_MUST_USE int hd_bfd_auth_sign(uint8_t *bytes, const struct hd_auth *a, const void *secret,
                                 uint32_t secret_len, uint32_t sequence);

/* Whether the section of a packet is right by this secret; nothing else of it is checked. */
bool hd_bfd_auth_verify(const uint8_t *bytes, uint32_t len, const struct hd_auth *a,
                        const void *secret, uint32_t secret_len);

#endif

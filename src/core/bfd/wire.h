/* SPDX-License-Identifier: Apache-2.0 */
/* The BFD control packet (RFC 5880, section 4): 24 bytes and, with the A bit, a section behind. */
#ifndef HD_CORE_BFD_WIRE_H
#define HD_CORE_BFD_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bfd/drops.h"

#define BFD_BYTES      24
#define BFD_AUTH_BYTES 28 /* of the longest section */

#define BFD_POLL        0x20
#define BFD_FINAL       0x10
#define BFD_INDEPENDENT 0x08 /* C: forwarding goes on without the control plane */
#define BFD_AUTH        0x04
#define BFD_DEMAND      0x02
#define BFD_MULTIPOINT  0x01

struct bfd_packet {
    uint8_t state, diag;
    uint8_t flags; /* BFD_POLL and friends */
    uint8_t multiplier;
    uint32_t my_discr, your_discr;
    uint32_t desired_tx_us, required_rx_us, required_echo_us;
    /* With BFD_AUTH: */
    uint8_t auth_type, auth_key_id;
    uint32_t auth_seq; /* not of type simple */
};

/*
 * Reads a packet and checks all that concerns it alone, in the order of RFC 5880, 6.8.6: 0, or
 * enum bfd_drop. What the session has to say about it is not known here.
 */
enum bfd_drop bfd_read(const uint8_t *bytes, uint32_t len, struct bfd_packet *p);

/* Writes the 24 bytes without authentication, whose section and bit the driver adds. */
void bfd_write(const struct bfd_packet *p, uint8_t bytes[BFD_BYTES]);

/* Bytes that the section of an enum hd_auth_type has at least (simple) or exactly; 0: no such. */
uint8_t bfd_auth_len(uint8_t type);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a protocol gets a BFD session (vrrp-and-bfd.md, 1.6): by events of the router, since cores
 * never include each other. A client raises HD_EVENT_BFD_REQUEST and hears struct hd_bfd_notice;
 * both directions are lines in hd_event_routes:
 *
 *     {HD_CORE_VRRP, HD_CORE_BFD, HD_EVENT_BFD_REQUEST},
 *     {HD_CORE_BFD, HD_CORE_VRRP, HD_EVENT_BFD_NOTICE},
 *
 * Sessions are shared: two clients that ask for the same path (kind, interface, local, remote) have
 * one session, with the shortest intervals and the largest multiplier that any of them asked for.
 * A client names its request by a handle of its own, and must look at `client` and `handle` of what
 * it hears, because every client hears every notice. The first notice comes within the request.
 */
#ifndef HD_MODEL_BFD_CLIENT_H
#define HD_MODEL_BFD_CLIENT_H

#include <stdint.h>

#include "lib/addr.h"

/* Numbers in the lists of every core that is a client, and of BFD. */
#define HD_EVENT_BFD_REQUEST 240
#define HD_EVENT_BFD_NOTICE  241

enum hd_bfd_op {
    HD_BFD_OPEN = 1, /* also: again with other intervals */
    HD_BFD_CLOSE,    /* only `handle` matters */
};

struct hd_bfd_request {
    uint8_t op;         /* enum hd_bfd_op */
    uint8_t kind;       /* enum hd_bfd_kind: 1 single hop, 2 multihop, 3 head, 4 tail */
    uint8_t multiplier; /* 0: the default */
    uint8_t passive;
    uint32_t handle;      /* the client's name of it, not 0 */
    uint32_t ifindex;     /* single hop, head, tail */
    uint32_t tx_us;       /* 0: the default */
    uint32_t rx_us;       /* 0: the default */
    struct hd_ip6 local;  /* IPv4 as ::ffff:a.b.c.d; all zero: what the system chooses */
    struct hd_ip6 remote; /* head: the group; tail: the head's address */
};

struct hd_bfd_notice {
    uint8_t client; /* core that asked */
    uint8_t state;  /* enum hd_bfd_state: 0 AdminDown, 1 Down, 2 Init, 3 Up */
    uint8_t old_state;
    uint8_t diag;        /* enum hd_bfd_diag, why */
    uint8_t was_up;      /* it was up before: Down means that something broke (R65) */
    uint8_t remote_down; /* the peer said AdminDown: no failure (R65) */
    uint16_t reserved;
    uint32_t handle;
    uint32_t local_discr; /* 0: the request was refused, see error */
    int32_t error;        /* an hd_error */
};

#endif

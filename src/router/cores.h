/* SPDX-License-Identifier: Apache-2.0 */
/* The two tables that say of which protocols a router can be made: see cores.c. */
#ifndef HD_ROUTER_CORES_H
#define HD_ROUTER_CORES_H

#include "router/router.h"

/* Events of `list` that core `from` raises are given to core `to`, when both run. */
struct hd_event_route {
    uint8_t from;
    uint8_t to;
    uint16_t list;
};

/* Ends with a row of zeros. */
extern const struct hd_event_route hd_event_routes[];

#endif

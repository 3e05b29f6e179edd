/* SPDX-License-Identifier: Apache-2.0 */
/* A guard as the core keeps it; what guards are is said in guards.c. Part of state.h. */
#ifndef HD_CORE_KIRA_GUARDS_H
#define HD_CORE_KIRA_GUARDS_H

#include <stdbool.h>

#include "model/ids.h"

enum kira_guard_state {
    KIRA_GUARD_NONE = 0, /* it does not exist */
    KIRA_GUARD_PROBING,
    KIRA_GUARD_READY,
};

/* The way round the link to the neighbour y, or (z not 0) round y to its neighbour z. */
struct kira_guard {
    hd_node y, z;
    uint16_t guard; /* in the model */
    uint16_t path;  /* the way, in the tree; 0: none */
    uint8_t len;
    uint8_t mid;   /* nodes of it up to one that puts back the label of the rest; 0: none does */
    uint8_t state; /* enum kira_guard_state, of its label as a whole */
    bool set_up;   /* others keep labels for it */
    uint8_t tries; /* in vain, one after the other */
    uint8_t refreshes;
    uint16_t ready_s; /* with SET_UP: labels last refreshed */
    uint16_t again_s; /* not before this second; 0: at once */
    uint16_t used_s;  /* packets were seen that it would repair; 0: not lately */
};

#endif

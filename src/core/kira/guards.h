/* SPDX-License-Identifier: Apache-2.0 */
/* Guards as the core keeps them, and what its other files ask of guards.c, which says what they
 * are. Part of state.h. */
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

struct kira;
struct kira_call;
struct kira_map;
struct kira_request;
struct hd_label;
struct hd_label_entry;

/* The model's number of a guard, made where there is none; 0: nothing can be guarded. */
uint16_t kira_guard_of(struct kira_call *x, hd_node y, hd_node z);
/* The same round y for a path that goes on to z behind it, and ends there or not. */
uint16_t kira_guard_behind(struct kira_call *x, hd_node y, hd_node z, bool ends);
/* Writes it to an entry, with what is carried (NULL: nothing). */
void kira_label_guard(struct kira_call *x, struct hd_label_entry *e, uint16_t guard,
                      const struct hd_label *then);
bool kira_can_carry(struct kira *k, hd_node node);
/* Packets take the link to y, and behind it the one to z (0: they end at y). */
void kira_guard_used(struct kira_call *x, hd_node y, hd_node z);
/* Something changed that ways depend on: a pass follows. */
void kira_guards_dirty(struct kira_call *x);
void kira_guards_due(struct kira_call *x);
void kira_guards_work(struct kira_call *x, uint32_t units);
/* A link, by its adjacency, is of no use any more. */
void kira_guards_moved(struct kira_call *x, uint32_t adj);
void kira_guards_link_failed(struct kira_call *x, hd_node a, hd_node b);
bool kira_guard_first_hop(struct kira_call *x, hd_node first, uint32_t not_over);
void kira_guard_confirmed(struct kira_call *x, struct kira_request *r, const hd_node *path,
                          uint32_t len);
void kira_guard_timeout(struct kira_call *x, struct kira_request *r);
void kira_guard_answer(struct kira_call *x, struct kira_request *r, struct kira_map *map);
void kira_guards_tick(struct kira_call *x);
/* Goodbye: none is left in the model. */
void kira_guards_drop(struct kira_call *x);

#endif

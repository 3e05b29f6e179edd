/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event queue of the simulator: a 4-ary heap of 32-byte events, and slabs for what they carry.
 *
 * The order of events is total and says nothing about memory or threads: time, receiver, inputs
 * before the receiver's own deadlines, sender, the sender's counter. Two events never compare
 * equal.
 */
#ifndef HD_SIM_QUEUE_H
#define HD_SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/time.h"

#define HD_SIM_LATE 0x80000000u /* bit of `sender`: after all inputs of that instant */

struct hd_sim_event {
    hd_time at;
    uint32_t receiver;
    uint32_t sender; /* with HD_SIM_LATE */
    uint32_t counter;
    uint32_t kind;
    union {
        void *payload;
        uint64_t number;
    } u;
};

struct hd_sim_queue {
    struct hd_sim_event *heap;
    size_t len, cap, peak;
};

void hd_sim_queue_push(struct hd_sim_queue *q, const struct hd_sim_event *e);
/* Takes the first event that is due at `until`; false when none is. */
bool hd_sim_queue_pop(struct hd_sim_queue *q, hd_time until, struct hd_sim_event *e);
void hd_sim_queue_free(struct hd_sim_queue *q);

#define HD_SIM_SLAB_CLASSES 11 /* 64 bytes to 64 KiB, by powers of two */

struct hd_sim_slabs {
    void *free_list[HD_SIM_SLAB_CLASSES];
    void *chunks; /* list of all memory taken */
    size_t live, peak;
};

/* Memory for a payload, not cleared; size up to 64 KiB. */
void *hd_sim_slab_take(struct hd_sim_slabs *s, size_t size);
void hd_sim_slab_give(struct hd_sim_slabs *s, void *block, size_t size);
void hd_sim_slabs_free(struct hd_sim_slabs *s);

/* The simulator cannot go on without memory: these never return NULL. */
void *hd_sim_alloc(size_t count, size_t size);
void *hd_sim_grow(void *block, size_t count, size_t size);

#endif

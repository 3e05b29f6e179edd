/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event queue of the simulator: a radix heap of 32-byte events, and slabs for what they carry.
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

#include "lib/pool.h"
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

_Static_assert(sizeof(struct hd_sim_event) == 32, "two events to a cache line");

#define HD_SIM_QUEUE_LEVELS 11 /* of 6 bits: all of a 63-bit time */
#define HD_SIM_QUEUE_SLOTS  64

struct hd_sim_chunk;

/* Zero but for the pool is an empty queue. */
struct hd_sim_queue {
    struct hd_pool *pool; /* of all its memory; it has a region of its own */
    /* what is due before `end`, as a 4-ary heap */
    struct hd_sim_event *heap;
    size_t heap_len, heap_cap;
    hd_time base, end;
    /* the rest, by the highest 6-bit digit in which its time differs from base */
    struct hd_sim_chunk *slot[HD_SIM_QUEUE_LEVELS][HD_SIM_QUEUE_SLOTS];
    uint64_t slots_used[HD_SIM_QUEUE_LEVELS];
    struct hd_sim_chunk *spare;
    size_t len, peak;
};

void hd_sim_queue_push(struct hd_sim_queue *q, const struct hd_sim_event *e);
/* Takes the first event that is due at `until`; false when none is. */
bool hd_sim_queue_pop(struct hd_sim_queue *q, hd_time until, struct hd_sim_event *e);
/* Time of the first event, HD_NEVER when there is none. */
hd_time hd_sim_queue_next(struct hd_sim_queue *q);

#define HD_SIM_SLAB_CLASSES 21 /* 64 bytes to 64 KiB, two per doubling */

struct hd_sim_slabs {
    struct hd_pool *pool;
    void *free_list[HD_SIM_SLAB_CLASSES];
    size_t live, peak;
};

/* Memory for a payload, not cleared; size up to 64 KiB. */
void *hd_sim_slab_take(struct hd_sim_slabs *s, size_t size);
void hd_sim_slab_give(struct hd_sim_slabs *s, void *block, size_t size);

/* The simulator cannot go on without memory: these never return NULL. */
void *hd_sim_alloc(size_t count, size_t size);                   /* malloc's, zeroed */
void *hd_sim_grow(void *block, size_t count, size_t size);       /* malloc's */
void *hd_sim_take(struct hd_pool *p, size_t count, size_t size); /* of a pool, for good, zeroed */
/*
 * Makes room in an array of a pool for at least one more than *cap items (by half more); the new
 * part is zero.
 */
void *hd_sim_more(struct hd_pool *p, void *v, uint32_t *cap, size_t item);

#endif

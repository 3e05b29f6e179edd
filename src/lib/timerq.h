/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers of one core: a 4-ary heap of intrusive nodes, ordered by (time, order of arming). A timer
 * has a kind, which its core's table of events names; armed again it moves.
 */
#ifndef HD_LIB_TIMERQ_H
#define HD_LIB_TIMERQ_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/pool.h"
#include "lib/time.h"

struct hd_timer {
    hd_time at;
    uint64_t order;
    uint32_t pos; /* index in the heap + 1; 0 when not armed */
    uint32_t kind;
};

struct hd_timerq {
    struct hd_timer **heap;
    uint32_t len, cap;
    uint64_t order;
};

/* Arms or moves a timer: 0 or HD_ENOMEM. Memory once reserved is kept, see hd_timerq_reserve. */
HD_MUST_USE int hd_timer_arm(struct hd_timerq *q, struct hd_pool *p, struct hd_timer *t,
                             hd_time at);

/* Makes sure that n timers can be armed without an allocation. */
HD_MUST_USE int hd_timerq_reserve(struct hd_timerq *q, struct hd_pool *p, uint32_t n);

void hd_timer_stop(struct hd_timerq *q, struct hd_timer *t);

static inline bool hd_timer_armed(const struct hd_timer *t)
{
    return t->pos != 0;
}

/* Time of the first timer, HD_NEVER when there is none. */
static inline hd_time hd_timerq_next(const struct hd_timerq *q)
{
    return q->len == 0 ? HD_NEVER : q->heap[0]->at;
}

/* Takes the first timer that is due at `now` off the queue; NULL when none is. */
struct hd_timer *hd_timerq_pop(struct hd_timerq *q, hd_time now);

void hd_timerq_free(struct hd_timerq *q, struct hd_pool *p);

#endif

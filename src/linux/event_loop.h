/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wait of a process of heddled: epoll with deadlines in nanoseconds. It knows descriptors and
 * whom to call, nothing else; what must happen in which order is the business of its user.
 */
#ifndef HD_LINUX_EVENT_LOOP_H
#define HD_LINUX_EVENT_LOOP_H

#include <stdint.h>

#include "lib/error.h"
#include "lib/time.h"

struct hd_loop {
    int epoll;
};

/* Embedded by its owner; stays in place while it is in the loop. */
struct hd_loop_source {
    int fd; /* -1: not in a loop */
    void *user;
    void (*ready)(void *user, uint32_t events); /* EPOLLIN and friends */
};

HD_MUST_USE int hd_loop_init(struct hd_loop *l);
void hd_loop_free(struct hd_loop *l);

/* Watches s->fd for reading: 0 or HD_ESYS. */
HD_MUST_USE int hd_loop_add(struct hd_loop *l, struct hd_loop_source *s);
/* Forgets it, without closing; s->fd becomes -1. */
void hd_loop_del(struct hd_loop *l, struct hd_loop_source *s);

/*
 * Waits until a source is ready or the monotonic clock reaches the deadline (HD_NEVER: no limit;
 * the past: only looks), then calls the ready sources. A source that its neighbour removes in the
 * same round is not called.
 */
void hd_loop_wait(struct hd_loop *l, hd_time deadline);

/* The monotonic clock, and how far the wall clock is ahead of it. */
hd_time hd_clock_now(void);
hd_time hd_clock_wall_ahead(void);

#endif

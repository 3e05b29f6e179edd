/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. One type everywhere: signed nanoseconds, either an instant on the router's monotonic clock
 * or a duration. Nothing in lib, model, core or router reads a clock: instants are handed in.
 */
#ifndef HD_LIB_TIME_H
#define HD_LIB_TIME_H

#include <stdint.h>

typedef int64_t hd_time;

#define HD_NEVER  INT64_MAX
#define HD_US(n)  ((hd_time)(n)*1000)
#define HD_MS(n)  ((hd_time)(n)*1000 * 1000)
#define HD_SEC(n) ((hd_time)(n)*1000 * 1000 * 1000)

/* Adds a duration to an instant; HD_NEVER stays HD_NEVER and nothing overflows. */
static inline hd_time hd_time_add(hd_time at, hd_time duration_ns)
{
    if (at == HD_NEVER || (duration_ns > 0 && at > HD_NEVER - duration_ns))
        return HD_NEVER;
    return at + duration_ns;
}

static inline hd_time hd_time_min(hd_time a, hd_time b)
{
    return a < b ? a : b;
}

static inline int64_t hd_time_to_ms(hd_time duration_ns)
{
    return duration_ns / 1000000;
}

#endif

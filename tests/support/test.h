/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What most test programs need: cmocka, a pool, and seeds. Random tests take a fresh seed each run
 * and print it; HD_SEED=n in the environment replays one.
 */
#ifndef HD_TESTS_SUPPORT_TEST_H
#define HD_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/base.h"
#include "lib/pool.h"
#include "lib/random.h"

/* A zeroed region for a pool or a router; free() it. */
static inline void *test_region(size_t size)
{
    void *region = aligned_alloc(64, (size + 63) & ~(size_t)63);

    assert_non_null(region);
    memset(region, 0, size);
    return region;
}

/* A pool in a region of its own; free() it. */
static inline struct hd_pool *test_pool(size_t size)
{
    struct hd_pool *p = hd_pool_create(test_region(size), size);

    assert_non_null(p);
    return p;
}

/* The seed of this run, printed with the name of the test that uses it. */
static inline uint64_t test_seed(const char *test)
{
    const char *given = getenv("HD_SEED");
    struct timespec now;
    uint64_t seed;

    if (given != NULL) {
        seed = strtoull(given, NULL, 0);
    } else {
        timespec_get(&now, TIME_UTC);
        seed = (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
    }
    printf("%s: HD_SEED=%llu\n", test, (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

#endif

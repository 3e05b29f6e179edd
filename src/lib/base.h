/* SPDX-License-Identifier: Apache-2.0 */
/* The handful of helpers that every file may use. */
#ifndef HD_LIB_BASE_H
#define HD_LIB_BASE_H

#include <stddef.h>
#include <stdint.h>

#define HD_ARRAY_LEN(a)                  (sizeof(a) / sizeof((a)[0]))
#define HD_MIN(a, b)                     ((a) < (b) ? (a) : (b))
#define HD_MAX(a, b)                     ((a) > (b) ? (a) : (b))
#define HD_CONTAINER_OF(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/*
 * Checks an invariant; stays on in release builds. Remote input must never be able to make it fail:
 * what comes from outside is checked with an if and leaves through a drop path.
 */
#define HD_ASSERT(cond) ((cond) ? (void)0 : hd_assert_failed(#cond, __FILE__, __LINE__))

void hd_assert_failed(const char *condition, const char *file, int line) __attribute__((noreturn));

#endif

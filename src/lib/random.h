/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random streams (xoshiro256**). A stream is plain state that its owner holds; equal seeds give
 * equal streams on every machine. It is not a source of keys: keys come from the operating system.
 */
#ifndef HD_LIB_RANDOM_H
#define HD_LIB_RANDOM_H

#include <stdint.h>

#include "lib/time.h"

struct hd_random {
    uint64_t s[4];
};

/* Starts a stream from a seed and a stream number; different numbers give unrelated streams. */
void hd_random_seed(struct hd_random *r, uint64_t seed, uint64_t stream);

uint64_t hd_random_u64(struct hd_random *r);

/* Uniform in [0, bound); bound > 0; no modulo bias. */
uint64_t hd_random_below(struct hd_random *r, uint64_t bound);

/* A duration multiplied by U[0.5, 1.5], the randomisation of all KIRA timers (kira.md 6). */
hd_time hd_random_jitter(struct hd_random *r, hd_time duration_ns);

/* Fills buf with len random bytes. */
void hd_random_bytes(struct hd_random *r, void *buf, uint32_t len);

#endif

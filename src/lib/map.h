/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash map from a 64-bit key to a 32-bit value, open addressing, in a pool. It has no order:
 * iteration must never decide anything that can be seen from outside (design.md, determinism).
 * Longer keys are looked up by a hash of theirs, with the caller comparing the object that the
 * value names.
 *
 * Keys that a remote node can choose are mixed with `salt`, so that nobody outside can make long
 * chains.
 */
#ifndef HD_LIB_MAP_H
#define HD_LIB_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/pool.h"

struct hd_map_slot {
    uint64_t key;
    uint32_t value;
    uint32_t state; /* 0 empty, 1 used, 2 removed */
};

struct hd_map {
    struct hd_map_slot *slots;
    uint32_t cap; /* a power of two, or 0 */
    uint32_t len;
    uint32_t removed;
    uint32_t reserved;
    uint64_t salt;
};

void hd_map_init(struct hd_map *m, uint64_t salt);
void hd_map_free(struct hd_map *m, struct hd_pool *p);

/* Sets or replaces: 0 or HD_ENOMEM (the map is unchanged then). */
HD_MUST_USE int hd_map_set(struct hd_map *m, struct hd_pool *p, uint64_t key, uint32_t value);

/* true and *value when the key is there. */
bool hd_map_get(const struct hd_map *m, uint64_t key, uint32_t *value);

/* true when the key was there. */
bool hd_map_del(struct hd_map *m, uint64_t key);

/* Removes all, keeps the memory. */
void hd_map_clear(struct hd_map *m);

/* Steps through the used slots: start with *at = 0; false at the end. */
bool hd_map_next(const struct hd_map *m, uint32_t *at, uint64_t *key, uint32_t *value);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one router: a contiguous region handed in by the driver, cut into size classes.
 *
 * All state of a router lies in its pool, so a snapshot is a copy of the region's used part, to be
 * put back at the same address by the same build; and a router that a hostile neighbour makes grow
 * ends at its region's end, not at the machine's. Blocks carry no header: the caller states the
 * size when it frees. One block has at most 32 MiB. Freed blocks go to a list of their class and
 * are never returned to the region.
 *
 * Failure injection: after `fail_after` further successful allocations every allocation fails,
 * until the field is set to UINT64_MAX again. The allocation sweeps of the tests live on it.
 */
#ifndef HD_LIB_POOL_H
#define HD_LIB_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define HD_POOL_CLASSES 96

struct hd_pool {
    unsigned char *base;
    size_t size;       /* bytes in the region */
    size_t used;       /* high-water mark: bytes from base that were ever handed out */
    size_t live;       /* bytes in blocks that are allocated now, rounded to classes */
    uint64_t failures; /* allocations that found no room or were made to fail */
    uint64_t fail_after;
    void *free_list[HD_POOL_CLASSES];
};

/*
 * Makes a pool of the region, whose memory must be zero, aligned to 16 bytes, and outlive the pool.
 * The struct itself usually stands at the start of the region: see hd_pool_create.
 */
void hd_pool_init(struct hd_pool *p, void *region, size_t size);

/* Places the pool's own struct at the start of the region. The region must be zero. */
struct hd_pool *hd_pool_create(void *region, size_t size);

/* Allocates zeroed memory, aligned to 16 bytes; NULL when the region or the injection says so. */
void *hd_pool_alloc(struct hd_pool *p, size_t size);

/* Gives back a block of hd_pool_alloc; size is what was asked for; NULL is allowed. */
void hd_pool_free(struct hd_pool *p, void *block, size_t size);

/*
 * Grows or shrinks a block; the new part is zero. On failure NULL, and the old block stays as it
 * was.
 */
void *hd_pool_resize(struct hd_pool *p, void *block, size_t old_size, size_t new_size);

/* Bytes that a block of this size really takes: growing up to there costs nothing. */
size_t hd_pool_rounded(size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one router: a contiguous region handed in by the driver, cut into size classes.
 *
 * All state of a router lies in its pool, so a snapshot is a copy of the region's used part, to be
 * put back at the same address by the same build; and a router that a hostile neighbour makes grow
 * ends at its region's end, not at the machine's. Blocks carry no header: the caller states the
 * size when it frees. One block has at most 32 MiB. Freed blocks go to a list of their class and
 * are never returned to the region; the pages inside of large ones may be (hd_pool_idle_pages).
 *
 * Many small routers share one region: a packed pool takes its memory from another pool, its
 * parent, piece by piece as it grows, so that a million routers cost what their blocks cost and not
 * a page and a page table each. Blocks of more than 1 KiB are the parent's own and go back to it
 * when they are freed.
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
    unsigned char *origin;     /* the lists count grains of 16 bytes from here */
    unsigned char *next, *end; /* bytes that were never handed out: zero */
    size_t size;               /* bound on used */
    size_t used;               /* taken from the region (high-water mark), or held of the parent */
    size_t live;               /* bytes in blocks that are allocated now, rounded to classes */
    uint64_t failures;         /* allocations that found no room or were made to fail */
    uint64_t fail_after;
    struct hd_pool *parent;     /* NULL: the pool has a region of its own */
    struct hd_pool_piece *held; /* what it has of the parent */
    uint32_t held_count, held_cap;
    uint32_t free_list[HD_POOL_CLASSES]; /* 0: none */
};

/*
 * Makes a pool of the region, whose memory must be zero, aligned to 16 bytes, and outlive the pool.
 * The struct itself usually stands at the start of the region: see hd_pool_create.
 */
void hd_pool_init(struct hd_pool *p, void *region, size_t size);

/*
 * Places the pool's own struct at the start of the region. The region must be zero and have at most
 * 64 GiB.
 */
struct hd_pool *hd_pool_create(void *region, size_t size);

/*
 * A packed pool inside of `parent`, which has a region of its own, bounded to `size` bytes; NULL
 * when the parent has no room. hd_pool_release gives all of it back, its own struct included.
 */
struct hd_pool *hd_pool_create_packed(struct hd_pool *parent, size_t size);
void hd_pool_release(struct hd_pool *p);

/*
 * Takes bytes of a pool with a region of its own for good: zeroed, aligned to 64 bytes, of any
 * size; NULL without room.
 */
void *hd_pool_carve(struct hd_pool *p, size_t size);

/* Allocates zeroed memory, aligned to 16 bytes; NULL when the region or the injection says so. */
void *hd_pool_alloc(struct hd_pool *p, size_t size);

/* Gives back a block of hd_pool_alloc; size is what was asked for; NULL is allowed. */
void hd_pool_free(struct hd_pool *p, void *block, size_t size);

/*
 * Grows or shrinks a block; the new part is zero. On failure NULL, and the old block stays as it
 * was.
 */
void *hd_pool_resize(struct hd_pool *p, void *block, size_t old_size, size_t new_size);

/*
 * Tells the insides of large free blocks, whole pages of `page` bytes: they hold nothing, and may
 * hold anything when they are used again. So the owner of the region can give their memory back.
 */
void hd_pool_idle_pages(const struct hd_pool *p, size_t page,
                        void (*idle)(void *arg, void *at, size_t len), void *arg);

/* Bytes that a block of this size really takes: growing up to there costs nothing. */
size_t hd_pool_rounded(size_t size);

#endif

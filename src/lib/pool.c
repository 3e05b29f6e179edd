/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pool: size classes over a contiguous region.
 *
 * Classes are the multiples of 16 up to 512, then four per doubling, so that at most a fifth of a
 * large block is lost to rounding. A block comes from its class's list, else from the untouched end
 * of the region (which is zero and costs no page until then). Only when the region is exhausted is
 * a free block of a larger class cut: earlier it would break up blocks that a growing table wants
 * next.
 */
#include "lib/pool.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base.h"

#define GRAIN         16u
#define SMALL_MAX     512u
#define SMALL_CLASSES (SMALL_MAX / GRAIN)

/* Bytes in a block of the class. */
static size_t class_size(unsigned class)
{
    if (class < SMALL_CLASSES)
        return (size_t)(class + 1) * GRAIN;
    unsigned step = class - SMALL_CLASSES;
    size_t base = (size_t)SMALL_MAX << step / 4;
    return base + base / 4 * (step % 4 + 1);
}

/* The smallest class whose blocks hold size bytes; HD_POOL_CLASSES when none does. */
static unsigned class_of(size_t size)
{
    if (size <= SMALL_MAX)
        return size == 0 ? 0 : (unsigned)((size - 1) / GRAIN);
    /* size - 1 has its highest bit at 9 + d, where d counts the doublings above SMALL_MAX */
    unsigned d = 63u - (unsigned)__builtin_clzll((unsigned long long)(size - 1)) - 9u;
    size_t base = (size_t)SMALL_MAX << d;
    unsigned quarter = (unsigned)((size - 1 - base) / (base / 4));
    unsigned class = SMALL_CLASSES + 4 * d + quarter;

    return class < HD_POOL_CLASSES ? class : HD_POOL_CLASSES;
}

size_t hd_pool_rounded(size_t size)
{
    unsigned class = class_of(size);

    return class == HD_POOL_CLASSES ? size : class_size(class);
}

void hd_pool_init(struct hd_pool *p, void *region, size_t size)
{
    HD_ASSERT(((uintptr_t)region & (GRAIN - 1)) == 0);
    memset(p, 0, sizeof *p);
    p->base = region;
    p->size = size;
    p->fail_after = UINT64_MAX;
}

struct hd_pool *hd_pool_create(void *region, size_t size)
{
    struct hd_pool *p = region;
    size_t own = (sizeof *p + GRAIN - 1) & ~(size_t)(GRAIN - 1);

    if (size < own)
        return NULL;
    hd_pool_init(p, region, size);
    p->used = own;
    return p;
}

/* Free blocks are linked through their first word. */
static void list_put(struct hd_pool *p, unsigned class, void *block)
{
    memcpy(block, &p->free_list[class], sizeof(void *));
    p->free_list[class] = block;
}

static void *list_take(struct hd_pool *p, unsigned class)
{
    void *block = p->free_list[class];

    if (block != NULL)
        memcpy(&p->free_list[class], block, sizeof(void *));
    return block;
}

/* Puts bytes of no particular class on the lists, largest pieces first. */
static void scatter(struct hd_pool *p, unsigned char *at, size_t left)
{
    while (left >= GRAIN) {
        unsigned class = class_of(left);
        if (class == HD_POOL_CLASSES || class_size(class) > left)
            class --;
        list_put(p, class, at);
        at += class_size(class);
        left -= class_size(class);
    }
}

/* Cuts a block of the class off the smallest larger block; NULL when there is none. */
static void *cut(struct hd_pool *p, unsigned class)
{
    for (unsigned c = class + 1; c < HD_POOL_CLASSES; c++) {
        unsigned char *block = list_take(p, c);
        if (block != NULL) {
            scatter(p, block + class_size(class), class_size(c) - class_size(class));
            return block;
        }
    }
    return NULL;
}

static bool may_allocate(struct hd_pool *p)
{
    if (p->fail_after == UINT64_MAX)
        return true;
    if (p->fail_after == 0)
        return false;
    p->fail_after--;
    return true;
}

void *hd_pool_alloc(struct hd_pool *p, size_t size)
{
    unsigned class = class_of(size);

    if (class == HD_POOL_CLASSES || !may_allocate(p)) {
        p->failures++;
        return NULL;
    }
    size_t bytes = class_size(class);
    void *block = list_take(p, class);
    if (block == NULL && bytes <= p->size - p->used) {
        block = p->base + p->used; /* zero since the start */
        p->used += bytes;
        p->live += bytes;
        return block;
    }
    if (block == NULL)
        block = cut(p, class);
    if (block == NULL) {
        p->failures++;
        return NULL;
    }
    memset(block, 0, bytes);
    p->live += bytes;
    return block;
}

void hd_pool_free(struct hd_pool *p, void *block, size_t size)
{
    if (block == NULL)
        return;
    unsigned class = class_of(size);
    size_t offset = (size_t)((unsigned char *)block - p->base);

    HD_ASSERT(class < HD_POOL_CLASSES && offset % GRAIN == 0 && offset < p->used &&
              class_size(class) <= p->used - offset && class_size(class) <= p->live);
    p->live -= class_size(class);
    list_put(p, class, block);
}

/* Grows the block in place when it is the last one before the untouched end of the region. */
static bool grow_last(struct hd_pool *p, unsigned char *block, size_t old_bytes, size_t new_bytes)
{
    if (block + old_bytes != p->base + p->used || new_bytes < old_bytes ||
        new_bytes - old_bytes > p->size - p->used || !may_allocate(p))
        return false;
    p->used += new_bytes - old_bytes;
    p->live += new_bytes - old_bytes;
    return true;
}

void *hd_pool_resize(struct hd_pool *p, void *block, size_t old_size, size_t new_size)
{
    if (block == NULL)
        return hd_pool_alloc(p, new_size);
    unsigned old_class = class_of(old_size), new_class = class_of(new_size);
    bool stays = old_class == new_class;

    if (new_class == HD_POOL_CLASSES) {
        p->failures++;
        return NULL;
    }
    if (!stays)
        stays = grow_last(p, block, class_size(old_class), class_size(new_class));
    if (stays) {
        if (new_size > old_size)
            memset((unsigned char *)block + old_size, 0, new_size - old_size);
        return block;
    }
    void *moved = hd_pool_alloc(p, new_size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, HD_MIN(old_size, new_size));
    hd_pool_free(p, block, old_size);
    return moved;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pool: size classes over a contiguous region.
 *
 * Classes are the multiples of 16 up to 512, then four per doubling, so that at most a fifth of a
 * large block is lost to rounding. A block comes from its class's list, else from the untouched end
 * of the region (which is zero and costs no page until then). Only when the region is exhausted is
 * a free block of a larger class cut: earlier it would break up blocks that a growing table wants
 * next.
 *
 * A packed pool does the same with pieces of its parent: small blocks are cut from pieces of about
 * an eighth of what it has, large ones are pieces by themselves. Its list of pieces, unsorted and
 * searched from its end, says what to give back when the router dies.
 */
#include "lib/pool.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base.h"

#define GRAIN         16u
#define SMALL_MAX     512u
#define SMALL_CLASSES (SMALL_MAX / GRAIN)
#define OWN_PIECE     1024u /* packed: blocks above this are pieces by themselves */
#define PIECE_MIN     512u  /* packed: pieces that small blocks are cut from */
#define PIECE_MAX     16384u
#define FIRST_PIECE   2048u
#define REGION_MAX    ((size_t)GRAIN << 32)

struct hd_pool_piece {
    uint32_t at; /* in grains from the origin */
    uint32_t class;
};

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
    HD_ASSERT(((uintptr_t)region & (GRAIN - 1)) == 0 && size <= REGION_MAX);
    memset(p, 0, sizeof *p);
    /* Grain 0 says "none"; a pool beside its region counts from one grain before it. */
    p->origin = (unsigned char *)region - GRAIN;
    p->next = region;
    p->end = p->next + size;
    p->size = size;
    p->fail_after = UINT64_MAX;
}

static size_t own_bytes(void)
{
    return (sizeof(struct hd_pool) + GRAIN - 1) & ~(size_t)(GRAIN - 1);
}

struct hd_pool *hd_pool_create(void *region, size_t size)
{
    struct hd_pool *p = region;

    if (size < own_bytes())
        return NULL;
    hd_pool_init(p, region, size);
    p->next += own_bytes();
    p->used = own_bytes();
    return p;
}

/* Free blocks are linked through their first four bytes. */
static void list_put(struct hd_pool *p, unsigned class, void *block)
{
    memcpy(block, &p->free_list[class], sizeof p->free_list[class]);
    p->free_list[class] = (uint32_t)((size_t)((unsigned char *)block - p->origin) / GRAIN);
}

static void *list_take(struct hd_pool *p, unsigned class)
{
    if (p->free_list[class] == 0)
        return NULL;
    unsigned char *block = p->origin + (size_t)p->free_list[class] * GRAIN;
    memcpy(&p->free_list[class], block, sizeof p->free_list[class]);
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

/* --- pieces of a parent -------------------------------------------------------------------------
 */

static uint32_t grain_of(const struct hd_pool *p, const void *block)
{
    return (uint32_t)((size_t)((const unsigned char *)block - p->origin) / GRAIN);
}

/* Room for one more piece in the list; the list itself is the parent's, outside of the bound. */
static bool room_in_list(struct hd_pool *p)
{
    if (p->held_count < p->held_cap)
        return true;
    uint32_t cap = p->held_cap == 0 ? 4 : p->held_cap + p->held_cap / 2;
    size_t item = sizeof *p->held;
    struct hd_pool_piece *grown =
        hd_pool_resize(p->parent, p->held, p->held_cap * item, cap * item);
    if (grown == NULL)
        return false;
    p->used += (cap - p->held_cap) * item;
    p->held = grown;
    p->held_cap = (uint32_t)(hd_pool_rounded(cap * item) / item);
    return true;
}

static void *take_piece(struct hd_pool *p, unsigned class)
{
    size_t bytes = class_size(class);

    if (p->used > p->size || bytes > p->size - p->used || !room_in_list(p))
        return NULL;
    void *piece = hd_pool_alloc(p->parent, bytes);
    if (piece == NULL)
        return NULL;
    p->held[p->held_count++] = (struct hd_pool_piece){grain_of(p, piece), class};
    p->used += bytes;
    return piece;
}

static void give_piece(struct hd_pool *p, void *piece, unsigned class)
{
    uint32_t at = grain_of(p, piece), i = p->held_count;

    while (i > 0 && p->held[i - 1].at != at)
        i--;
    HD_ASSERT(i > 0 && p->held[i - 1].class == class);
    p->held[i - 1] = p->held[--p->held_count];
    p->used -= class_size(class);
    hd_pool_free(p->parent, piece, class_size(class));
}

/* A new piece to cut small blocks from; what was left of the last one goes to the lists. */
static bool next_piece(struct hd_pool *p, size_t bytes)
{
    size_t want = HD_MAX(bytes, HD_MIN(HD_MAX(p->used / 8, PIECE_MIN), PIECE_MAX));
    unsigned class = class_of(want);
    unsigned char *piece = take_piece(p, class);

    if (piece == NULL)
        return false;
    scatter(p, p->next, (size_t)(p->end - p->next));
    p->next = piece;
    p->end = piece + class_size(class);
    return true;
}

struct hd_pool *hd_pool_create_packed(struct hd_pool *parent, size_t size)
{
    HD_ASSERT(parent->parent == NULL);
    if (size < FIRST_PIECE)
        return NULL;
    unsigned char *first = hd_pool_alloc(parent, FIRST_PIECE);
    if (first == NULL)
        return NULL;
    struct hd_pool *p = (void *)first;
    p->origin = parent->origin;
    p->next = first + own_bytes();
    p->end = first + FIRST_PIECE;
    p->size = size;
    p->used = FIRST_PIECE;
    p->fail_after = UINT64_MAX;
    p->parent = parent;
    return p;
}

void hd_pool_release(struct hd_pool *p)
{
    struct hd_pool *parent = p->parent;

    for (uint32_t i = 0; i < p->held_count; i++)
        hd_pool_free(parent, p->origin + (size_t)p->held[i].at * GRAIN,
                     class_size(p->held[i].class));
    hd_pool_free(parent, p->held, p->held_cap * sizeof *p->held);
    hd_pool_free(parent, p, FIRST_PIECE);
}

void *hd_pool_carve(struct hd_pool *p, size_t size)
{
    size_t gap = (size_t)(-(uintptr_t)p->next & 63), room = (size_t)(p->end - p->next);

    if (p->parent != NULL || size > room || gap > room - size)
        return NULL;
    size_t bytes = (size + GRAIN - 1) & ~(size_t)(GRAIN - 1);
    if (bytes > room - gap)
        return NULL;
    unsigned char *block = p->next + gap;
    p->next = block + bytes;
    p->used += gap + bytes;
    p->live += gap + bytes;
    return block;
}

/* --- blocks --------------------------------------------------------------------------------------
 */

/* Bytes that were never handed out; NULL when there are not that many. */
static void *untouched(struct hd_pool *p, size_t bytes)
{
    if (bytes > (size_t)(p->end - p->next))
        return NULL;
    void *block = p->next;
    p->next += bytes;
    if (p->parent == NULL)
        p->used += bytes;
    return block;
}

/* Packed: when a quarter of it lies on its lists, they are cut before the parent is asked. */
static void *more(struct hd_pool *p, unsigned class)
{
    size_t bytes = class_size(class);
    bool slack = p->used - HD_MIN(p->used, p->live) > p->used / 4;
    void *block = slack ? cut(p, class) : NULL;

    if (block == NULL && next_piece(p, bytes))
        return untouched(p, bytes);
    if (block == NULL && !slack)
        block = cut(p, class);
    if (block != NULL)
        memset(block, 0, bytes);
    return block;
}

static void *find_block(struct hd_pool *p, unsigned class)
{
    size_t bytes = class_size(class);

    if (p->parent != NULL && bytes > OWN_PIECE)
        return take_piece(p, class);
    void *block = list_take(p, class);
    if (block == NULL) {
        void *fresh = untouched(p, bytes);
        if (fresh != NULL)
            return fresh;
        if (p->parent != NULL)
            return more(p, class);
        block = cut(p, class);
    }
    if (block != NULL)
        memset(block, 0, bytes);
    return block;
}

void *hd_pool_alloc(struct hd_pool *p, size_t size)
{
    unsigned class = class_of(size);
    void *block = NULL;

    if (class < HD_POOL_CLASSES && may_allocate(p))
        block = find_block(p, class);
    if (block == NULL)
        p->failures++;
    else
        p->live += class_size(class);
    return block;
}

void hd_pool_free(struct hd_pool *p, void *block, size_t size)
{
    if (block == NULL)
        return;
    unsigned class = class_of(size);
    size_t offset = (size_t)((unsigned char *)block - p->origin);

    HD_ASSERT(class < HD_POOL_CLASSES && offset % GRAIN == 0 && offset < REGION_MAX &&
              class_size(class) <= p->live);
    HD_ASSERT(p->parent != NULL || (unsigned char *)block + class_size(class) <= p->next);
    p->live -= class_size(class);
    if (p->parent != NULL && class_size(class) > OWN_PIECE)
        give_piece(p, block, class);
    else
        list_put(p, class, block);
}

/* Grows the block in place when it is the last one before the untouched end of the region. */
static bool grow_last(struct hd_pool *p, unsigned char *block, size_t old_bytes, size_t new_bytes)
{
    if (block + old_bytes != p->next || new_bytes < old_bytes ||
        (p->parent != NULL && new_bytes > OWN_PIECE) || !may_allocate(p) ||
        untouched(p, new_bytes - old_bytes) == NULL)
        return false;
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

#define IDLE_MIN 65536u /* smaller free blocks are used again soon */

void hd_pool_idle_pages(const struct hd_pool *p, size_t page,
                        void (*idle)(void *arg, void *at, size_t len), void *arg)
{
    for (unsigned class = class_of(IDLE_MIN); class < HD_POOL_CLASSES; class ++) {
        uint32_t next = p->free_list[class];
        while (next != 0) {
            unsigned char *block = p->origin + (size_t)next * GRAIN;
            memcpy(&next, block, sizeof next); /* the first page keeps the link */
            uintptr_t from = ((uintptr_t)block + sizeof next + page - 1) / page * page;
            uintptr_t to = ((uintptr_t)block + class_size(class)) / page * page;
            if (to > from)
                idle(arg, block + (from - (uintptr_t)block), to - from);
        }
    }
}

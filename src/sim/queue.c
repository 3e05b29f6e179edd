/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Radix heap and slabs.
 *
 * A heap of a million events costs twenty steps of missed cache lines for each. Here an event is
 * only put into the slot of the highest digit in which its time differs from `base`, the time that
 * everything in the slots has in common down to that digit; when the small heap is empty, the first
 * slot is spread over the levels below it, until one is small enough (a chunk) or one instant
 * (level 0) to become the heap. So an event is copied once per digit of its distance, always in
 * runs, and compared with no more than some tens of others. The heap makes the order exact.
 *
 * A slot that was small when it became the heap may cover a long time, and then take everything
 * that is pushed into it; a heap that has grown goes back to the slots, to come back in smaller
 * parts.
 *
 * Payloads are reused at once, since at any time only those in flight exist.
 */
#include "sim/queue.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

#define DIGIT        6
#define CHUNK_EVENTS 31
#define HEAP_LONG    256                /* more than that goes back to the slots */
#define CARVE_BYTES  ((size_t)16 << 20) /* larger arrays are not for the classes of a pool */
#define REFILL_BYTES ((size_t)64 * 1024)

struct hd_sim_chunk {
    struct hd_sim_chunk *next;
    uint64_t len;
    uint64_t unused[2];
    struct hd_sim_event v[CHUNK_EVENTS];
};

/* --- memory --------------------------------------------------------------------------------------
 */

void *hd_sim_alloc(size_t count, size_t size)
{
    void *block = calloc(count == 0 ? 1 : count, size);
    HD_ASSERT(block != NULL);
    return block;
}

void *hd_sim_grow(void *block, size_t count, size_t size)
{
    void *grown = reallocarray(block, count, size);
    HD_ASSERT(grown != NULL);
    return grown;
}

void *hd_sim_take(struct hd_pool *p, size_t count, size_t size)
{
    void *block = hd_pool_carve(p, HD_MAX(count, (size_t)1) * size);
    HD_ASSERT(block != NULL);
    return block;
}

/* Arrays beyond the classes of a pool leave what they had behind: as much again in all. */
static void *resize(struct hd_pool *p, void *v, size_t old, size_t bytes)
{
    if (bytes <= CARVE_BYTES)
        return hd_pool_resize(p, v, old, bytes);
    void *grown = hd_pool_carve(p, bytes);
    if (grown == NULL || v == NULL)
        return grown;
    memcpy(grown, v, old);
    if (old <= CARVE_BYTES)
        hd_pool_free(p, v, old);
    return grown;
}

void *hd_sim_more(struct hd_pool *p, void *v, uint32_t *cap, size_t item)
{
    uint32_t want = *cap == 0 ? 4 : *cap + *cap / 2;
    v = resize(p, v, *cap * item, want * item);
    HD_ASSERT(v != NULL);
    *cap = want;
    return v;
}

/* --- the small heap ------------------------------------------------------------------------------
 */

static bool before(const struct hd_sim_event *a, const struct hd_sim_event *b)
{
    if (a->at != b->at)
        return a->at < b->at;
    if (a->receiver != b->receiver)
        return a->receiver < b->receiver;
    if (a->sender != b->sender)
        return a->sender < b->sender; /* the late bit is the highest */
    return a->counter < b->counter;
}

static void sift_up(struct hd_sim_event *heap, size_t at, const struct hd_sim_event *e)
{
    while (at > 0) {
        size_t parent = (at - 1) / 4;
        if (!before(e, &heap[parent]))
            break;
        heap[at] = heap[parent];
        at = parent;
    }
    heap[at] = *e;
}

static void sift_down(struct hd_sim_event *heap, size_t len, const struct hd_sim_event *e)
{
    size_t at = 0;
    for (;;) {
        size_t first = at * 4 + 1, best = first;
        if (first >= len)
            break;
        size_t end = HD_MIN(first + 4, len);
        for (size_t i = first + 1; i < end; i++) {
            if (before(&heap[i], &heap[best]))
                best = i;
        }
        if (!before(&heap[best], e))
            break;
        heap[at] = heap[best];
        at = best;
    }
    heap[at] = *e;
}

static void heap_push(struct hd_sim_queue *q, const struct hd_sim_event *e)
{
    if (q->heap_len == q->heap_cap) {
        size_t cap = HD_MAX(q->heap_cap * 2, (size_t)HEAP_LONG * 2), item = sizeof *e;
        q->heap = resize(q->pool, q->heap, q->heap_cap * item, cap * item);
        HD_ASSERT(q->heap != NULL);
        q->heap_cap = cap;
    }
    sift_up(q->heap, q->heap_len++, e);
}

/* --- slots ---------------------------------------------------------------------------------------
 */

static struct hd_sim_chunk *take_chunk(struct hd_sim_queue *q)
{
    struct hd_sim_chunk *c = q->spare;
    if (c == NULL) {
        c = hd_pool_alloc(q->pool, sizeof *c);
        HD_ASSERT(c != NULL);
        return c;
    }
    q->spare = c->next;
    return c;
}

static void slot_put(struct hd_sim_queue *q, const struct hd_sim_event *e)
{
    uint64_t differs = (uint64_t)e->at ^ (uint64_t)q->base;
    unsigned level = differs == 0 ? 0 : (63u - (unsigned)__builtin_clzll(differs)) / DIGIT;
    unsigned digit = (unsigned)((uint64_t)e->at >> (DIGIT * level)) & (HD_SIM_QUEUE_SLOTS - 1);
    struct hd_sim_chunk *c = q->slot[level][digit];
    if (c == NULL || c->len == CHUNK_EVENTS) {
        struct hd_sim_chunk *fresh = take_chunk(q);
        fresh->next = c;
        fresh->len = 0;
        q->slot[level][digit] = c = fresh;
        q->slots_used[level] |= (uint64_t)1 << digit;
    }
    c->v[c->len++] = *e;
}

/* Puts what lies in the slots' time back there. */
static void spread_heap(struct hd_sim_queue *q)
{
    size_t len = q->heap_len;
    q->heap_len = 0;
    q->end = q->base;
    for (size_t i = 0; i < len; i++) {
        struct hd_sim_event e = q->heap[i];
        if (e.at < q->base)
            heap_push(q, &e); /* never beyond i */
        else
            slot_put(q, &e);
    }
}

void hd_sim_queue_push(struct hd_sim_queue *q, const struct hd_sim_event *e)
{
    if (++q->len > q->peak)
        q->peak = q->len;
    if (e->at >= q->end) {
        slot_put(q, e);
        return;
    }
    heap_push(q, e);
    if (q->heap_len > HEAP_LONG && q->heap_len % HEAP_LONG == 1 && q->end - q->base > 1)
        spread_heap(q);
}

/* First instant of a slot. */
static hd_time slot_start(const struct hd_sim_queue *q, unsigned level, unsigned digit)
{
    unsigned above = DIGIT * (level + 1);
    uint64_t common = above >= 64 ? 0 : (uint64_t)q->base >> above << above;
    return (hd_time)(common | (uint64_t)digit << (DIGIT * level));
}

static void open_slot(struct hd_sim_queue *q, unsigned level, unsigned digit)
{
    struct hd_sim_chunk *c = q->slot[level][digit];
    bool small = level == 0 || c->next == NULL;
    q->slot[level][digit] = NULL;
    q->slots_used[level] &= ~((uint64_t)1 << digit);
    q->end = q->base;
    if (small)
        q->end = (hd_time)HD_MIN((uint64_t)q->base + ((uint64_t)1 << (DIGIT * level)),
                                 (uint64_t)HD_NEVER);
    while (c != NULL) {
        struct hd_sim_chunk *next = c->next;
        for (uint64_t i = 0; i < c->len; i++) {
            if (small)
                heap_push(q, &c->v[i]);
            else
                slot_put(q, &c->v[i]);
        }
        c->next = q->spare;
        q->spare = c;
        c = next;
    }
}

/* Makes the heap hold the first events, when they are due at `until`. */
static bool fill_heap(struct hd_sim_queue *q, hd_time until)
{
    while (q->heap_len == 0) {
        unsigned level = 0;
        while (level < HD_SIM_QUEUE_LEVELS && q->slots_used[level] == 0)
            level++;
        if (level == HD_SIM_QUEUE_LEVELS)
            return false;
        unsigned digit = (unsigned)__builtin_ctzll(q->slots_used[level]);
        hd_time start = slot_start(q, level, digit);
        if (start > until)
            return false;
        q->base = start;
        open_slot(q, level, digit);
    }
    return q->heap[0].at <= until;
}

bool hd_sim_queue_pop(struct hd_sim_queue *q, hd_time until, struct hd_sim_event *e)
{
    if (!fill_heap(q, until))
        return false;
    *e = q->heap[0];
    q->len--;
    if (--q->heap_len > 0) {
        struct hd_sim_event last = q->heap[q->heap_len];
        sift_down(q->heap, q->heap_len, &last);
    }
    return true;
}

hd_time hd_sim_queue_next(struct hd_sim_queue *q)
{
    return fill_heap(q, HD_NEVER) ? q->heap[0].at : HD_NEVER;
}

/* --- slabs ---------------------------------------------------------------------------------------
 */

/* 64, 96, 128, 192, 256, ... */
static size_t slab_bytes(unsigned c)
{
    return ((size_t)64 << c / 2) + (c % 2 == 0 ? 0 : (size_t)32 << c / 2);
}

static unsigned slab_class(size_t size)
{
    if (size <= 64)
        return 0;
    unsigned double_of = 63u - (unsigned)__builtin_clzll((unsigned long long)(size - 1)) - 6u;
    unsigned c = double_of * 2 + (size > slab_bytes(double_of * 2 + 1) ? 2 : 1);
    HD_ASSERT(c < HD_SIM_SLAB_CLASSES);
    return c;
}

/* The first word of a free block links the blocks. */
static void slab_refill(struct hd_sim_slabs *s, unsigned c)
{
    size_t block = slab_bytes(c), bytes = HD_MAX(REFILL_BYTES, block * 2);
    unsigned char *chunk = hd_pool_alloc(s->pool, bytes);
    HD_ASSERT(chunk != NULL);
    for (size_t at = 0; at + block <= bytes; at += block) {
        void *b = chunk + at;
        *(void **)b = s->free_list[c];
        s->free_list[c] = b;
    }
}

void *hd_sim_slab_take(struct hd_sim_slabs *s, size_t size)
{
    unsigned c = slab_class(size);
    if (s->free_list[c] == NULL)
        slab_refill(s, c);
    void *b = s->free_list[c];
    s->free_list[c] = *(void **)b;
    s->live += slab_bytes(c);
    if (s->live > s->peak)
        s->peak = s->live;
    return b;
}

void hd_sim_slab_give(struct hd_sim_slabs *s, void *block, size_t size)
{
    unsigned c = slab_class(size);
    *(void **)block = s->free_list[c];
    s->free_list[c] = block;
    s->live -= slab_bytes(c);
}

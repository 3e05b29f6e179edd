/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heap and slabs. A 4-ary heap touches half as many cache lines per step as a binary one when
 * events are two to a line; payloads are reused at once, since at any time only those in flight
 * exist.
 */
#include "sim/queue.h"

#include <stdlib.h>

#include "lib/base.h"

#define CHUNK_BYTES ((size_t)256 * 1024)

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

void hd_sim_queue_push(struct hd_sim_queue *q, const struct hd_sim_event *e)
{
    if (q->len == q->cap) {
        q->cap = q->cap == 0 ? 1024 : q->cap + q->cap / 2;
        q->heap = hd_sim_grow(q->heap, q->cap, sizeof *q->heap);
    }
    size_t at = q->len++;
    if (q->len > q->peak)
        q->peak = q->len;
    while (at > 0) {
        size_t parent = (at - 1) / 4;
        if (!before(e, &q->heap[parent]))
            break;
        q->heap[at] = q->heap[parent];
        at = parent;
    }
    q->heap[at] = *e;
}

static void sift_down(struct hd_sim_queue *q, const struct hd_sim_event *e)
{
    size_t at = 0;
    for (;;) {
        size_t first = at * 4 + 1, best = first;
        if (first >= q->len)
            break;
        size_t end = HD_MIN(first + 4, q->len);
        for (size_t i = first + 1; i < end; i++) {
            if (before(&q->heap[i], &q->heap[best]))
                best = i;
        }
        if (!before(&q->heap[best], e))
            break;
        q->heap[at] = q->heap[best];
        at = best;
    }
    q->heap[at] = *e;
}

bool hd_sim_queue_pop(struct hd_sim_queue *q, hd_time until, struct hd_sim_event *e)
{
    if (q->len == 0 || q->heap[0].at > until)
        return false;
    *e = q->heap[0];
    struct hd_sim_event last = q->heap[--q->len];
    if (q->len > 0)
        sift_down(q, &last);
    return true;
}

void hd_sim_queue_free(struct hd_sim_queue *q)
{
    free(q->heap);
    *q = (struct hd_sim_queue){0};
}

static unsigned slab_class(size_t size)
{
    unsigned c = 0;
    while (((size_t)64 << c) < size)
        c++;
    HD_ASSERT(c < HD_SIM_SLAB_CLASSES);
    return c;
}

/* The first word of a chunk links the chunks, the first word of a free block the blocks. */
static void slab_refill(struct hd_sim_slabs *s, unsigned c)
{
    size_t block = (size_t)64 << c;
    size_t bytes = HD_MAX(CHUNK_BYTES, block * 4);
    unsigned char *chunk = hd_sim_alloc(1, bytes + 64);
    *(void **)(void *)chunk = s->chunks;
    s->chunks = chunk;
    for (size_t at = 0; at + block <= bytes; at += block) {
        void *b = chunk + 64 + at;
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
    s->live += (size_t)64 << c;
    if (s->live > s->peak)
        s->peak = s->live;
    return b;
}

void hd_sim_slab_give(struct hd_sim_slabs *s, void *block, size_t size)
{
    unsigned c = slab_class(size);
    *(void **)block = s->free_list[c];
    s->free_list[c] = block;
    s->live -= (size_t)64 << c;
}

void hd_sim_slabs_free(struct hd_sim_slabs *s)
{
    while (s->chunks != NULL) {
        void *next = *(void **)s->chunks;
        free(s->chunks);
        s->chunks = next;
    }
    *s = (struct hd_sim_slabs){0};
}

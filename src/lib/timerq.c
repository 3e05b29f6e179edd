/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a 4-ary heap of pointers. Four children per node halve the depth of a binary heap, and
 * the comparisons of siblings share a cache line. The second key, the order of arming, makes equal
 * times come out in the same order on every run.
 */
#include "lib/timerq.h"

#include "lib/base.h"
#include "lib/vec.h"

static bool earlier(const struct hd_timer *a, const struct hd_timer *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct hd_timerq *q, uint32_t i, struct hd_timer *t)
{
    q->heap[i] = t;
    t->pos = i + 1;
}

static void sift_up(struct hd_timerq *q, uint32_t i, struct hd_timer *t)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 4;
        if (!earlier(t, q->heap[parent]))
            break;
        put(q, i, q->heap[parent]);
        i = parent;
    }
    put(q, i, t);
}

static void sift_down(struct hd_timerq *q, uint32_t i, struct hd_timer *t)
{
    for (;;) {
        uint64_t first = (uint64_t)i * 4 + 1;
        uint64_t end = HD_MIN(first + 4, (uint64_t)q->len);
        if (first >= end)
            break;
        uint32_t best = (uint32_t)first;
        for (uint32_t c = best + 1; c < end; c++)
            if (earlier(q->heap[c], q->heap[best]))
                best = c;
        if (!earlier(q->heap[best], t))
            break;
        put(q, i, q->heap[best]);
        i = best;
    }
    put(q, i, t);
}

/* Puts t at position i or wherever its key belongs from there. */
static void settle(struct hd_timerq *q, uint32_t i, struct hd_timer *t)
{
    if (i > 0 && earlier(t, q->heap[(i - 1) / 4]))
        sift_up(q, i, t);
    else
        sift_down(q, i, t);
}

int hd_timerq_reserve(struct hd_timerq *q, struct hd_pool *p, uint32_t n)
{
    void *heap = q->heap;
    int error = hd_vec_reserve_raw(p, &heap, &q->cap, n, sizeof(struct hd_timer *));

    q->heap = heap;
    return error;
}

int hd_timer_arm(struct hd_timerq *q, struct hd_pool *p, struct hd_timer *t, hd_time at)
{
    if (!hd_timer_armed(t)) {
        int error = hd_timerq_reserve(q, p, q->len + 1);
        if (error != 0)
            return error;
        q->len++;
        q->heap[q->len - 1] = t; /* settle puts it right */
        t->pos = q->len;
    }
    t->at = at;
    t->order = q->order++;
    settle(q, t->pos - 1, t);
    return 0;
}

void hd_timer_stop(struct hd_timerq *q, struct hd_timer *t)
{
    if (!hd_timer_armed(t))
        return;
    uint32_t i = t->pos - 1;
    HD_ASSERT(i < q->len && q->heap[i] == t);
    struct hd_timer *last = q->heap[--q->len];
    t->pos = 0;
    if (last != t)
        settle(q, i, last);
}

struct hd_timer *hd_timerq_pop(struct hd_timerq *q, hd_time now)
{
    if (q->len == 0 || q->heap[0]->at > now)
        return NULL;
    struct hd_timer *t = q->heap[0];
    hd_timer_stop(q, t);
    return t;
}

void hd_timerq_free(struct hd_timerq *q, struct hd_pool *p)
{
    for (uint32_t i = 0; i < q->len; i++)
        q->heap[i]->pos = 0;
    hd_pool_free(p, q->heap, (size_t)q->cap * sizeof(struct hd_timer *));
    *q = (struct hd_timerq){.order = q->order};
}

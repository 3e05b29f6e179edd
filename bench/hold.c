/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hold model: N events are pending; the first is taken, and one is put back at its time plus an
 * exponential delay, again and again. What a queue of events costs, and nothing else.
 *
 * Three queues in one run, with the same events and the same exact order: that of the simulator, a
 * plain 4-ary heap, and a binary heap as in std::priority_queue. They have to agree on a number
 * over all that they gave out. Each round is a process time of its own; the best of some counts.
 *
 * usage: bench-hold [events pending [million steps per round]]; prints name=value lines.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "lib/random.h"
#include "sim/queue.h"

#define ROUNDS     5
#define DELAYS     65536
#define MEAN_NS    1000000.0
#define POOL_BYTES ((size_t)8 << 30)

struct heap {
    struct hd_sim_event *v;
    size_t len;
    size_t arity;
};

static hd_time delays[DELAYS];

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* --- peers ---------------------------------------------------------------------------------------
 */

static bool before(const struct hd_sim_event *a, const struct hd_sim_event *b)
{
    if (a->at != b->at)
        return a->at < b->at;
    if (a->receiver != b->receiver)
        return a->receiver < b->receiver;
    if (a->sender != b->sender)
        return a->sender < b->sender;
    return a->counter < b->counter;
}

static inline void heap_push(struct heap *h, const struct hd_sim_event *e, size_t arity)
{
    size_t at = h->len++;
    while (at > 0 && before(e, &h->v[(at - 1) / arity])) {
        h->v[at] = h->v[(at - 1) / arity];
        at = (at - 1) / arity;
    }
    h->v[at] = *e;
}

static inline void heap_pop(struct heap *h, struct hd_sim_event *e, size_t arity)
{
    *e = h->v[0];
    struct hd_sim_event last = h->v[--h->len];
    size_t at = 0;
    for (;;) {
        size_t first = at * arity + 1, best = first;
        if (first >= h->len)
            break;
        size_t end = HD_MIN(first + arity, h->len);
        for (size_t i = first + 1; i < end; i++) {
            if (before(&h->v[i], &h->v[best]))
                best = i;
        }
        if (!before(&h->v[best], &last))
            break;
        h->v[at] = h->v[best];
        at = best;
    }
    h->v[at] = last;
}

/* --- one round -----------------------------------------------------------------------------------
 */

enum which { RADIX, FOUR, BINARY };

static const char *const names[] = {"radix-heap", "4-ary-heap", "binary-heap"};

struct queues {
    enum which which;
    struct hd_sim_queue radix;
    struct heap heap;
};

static inline void push(struct queues *q, const struct hd_sim_event *e)
{
    if (q->which == RADIX)
        hd_sim_queue_push(&q->radix, e);
    else if (q->which == FOUR)
        heap_push(&q->heap, e, 4);
    else
        heap_push(&q->heap, e, 2);
}

static inline void pop(struct queues *q, struct hd_sim_event *e)
{
    if (q->which == RADIX)
        HD_ASSERT(hd_sim_queue_pop(&q->radix, HD_NEVER, e));
    else if (q->which == FOUR)
        heap_pop(&q->heap, e, 4);
    else
        heap_pop(&q->heap, e, 2);
}

static double hold(struct queues *q, uint32_t pending, uint64_t steps, uint64_t *sum)
{
    struct hd_sim_event e;
    for (uint32_t i = 0; i < pending; i++) {
        e = (struct hd_sim_event){.at = delays[i % DELAYS] + i % 997, .receiver = i, .sender = i};
        push(q, &e);
    }
    *sum = 0;
    double began = 0;
    for (uint64_t i = 0; i < pending + steps; i++) {
        if (i == pending) /* the first lap brings the queue into its steady state */
            began = cpu_seconds();
        pop(q, &e);
        *sum = *sum * 31 + (uint64_t)e.at + e.receiver;
        e.at += delays[(e.receiver * 7919u + e.counter) % DELAYS];
        e.counter++;
        push(q, &e);
    }
    return cpu_seconds() - began;
}

static void *region(size_t size)
{
    void *r = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    HD_ASSERT(r != MAP_FAILED);
    (void)madvise(r, size, MADV_HUGEPAGE); /* for all three alike */
    return r;
}

static double one_round(enum which which, uint32_t pending, uint64_t steps, uint64_t *sum)
{
    struct queues q = {.which = which};
    size_t bytes = which == RADIX ? POOL_BYTES : (pending + (size_t)1) * sizeof *q.heap.v;
    void *r = region(bytes);
    if (which == RADIX)
        q.radix.pool = hd_pool_create(r, bytes);
    else
        q.heap.v = r;
    double took = hold(&q, pending, steps, sum);
    (void)munmap(r, bytes);
    return took;
}

int main(int argc, char **argv)
{
    uint32_t pending = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1 << 20;
    uint64_t steps = (argc > 2 ? strtoull(argv[2], NULL, 10) : 4) * 1000000, expected = 0;
    struct hd_random r;
    hd_random_seed(&r, 1, 1);
    for (uint32_t i = 0; i < DELAYS; i++) {
        double u = ((double)(hd_random_u64(&r) >> 11) + 1) / 9007199254740993.0;
        delays[i] = (hd_time)(-log(u) * MEAN_NS) + 1;
    }
    for (enum which w = RADIX; w <= BINARY; w++) {
        double best = 1e9, worst = 0;
        for (int i = 0; i < ROUNDS; i++) {
            uint64_t sum;
            double took = one_round(w, pending, steps, &sum);
            best = HD_MIN(best, took);
            worst = HD_MAX(worst, took);
            HD_ASSERT(expected == 0 || sum == expected);
            expected = sum;
        }
        printf("queue=%s pending=%" PRIu32
               " million_per_cpu_second=%.2f worst=%.2f order=%016" PRIx64 "\n",
               names[w], pending, (double)steps / best * 1e-6, (double)steps / worst * 1e-6,
               expected);
        fflush(stdout);
    }
    return 0;
}

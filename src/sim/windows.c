/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers and windows: conservative parallel simulation.
 *
 * The nodes are cut into contiguous blocks of about equal weight, one per worker. Blocks and not a
 * clever partition: generators and maps number neighbours close to each other where closeness
 * exists (grids, rings, trees, geometric graphs), and where it does not (random graphs,
 * Barabasi-Albert) no partition cuts much less than half of the links; and a block is a dense piece
 * of every array.
 *
 * What one worker does reaches another no earlier than after the delay of a link that crosses: the
 * lookahead. So all events before the earliest one of all plus the lookahead, a window, can be run
 * without asking anybody. In a window a worker puts what it sends to others into boxes, one for
 * each receiver, copied with its payload; there are two sets of boxes, so one barrier per window is
 * enough: while the boxes of the last window are emptied, those of the next are filled. The order
 * of events is total and names no worker, so the result is that of one worker.
 *
 * What looks at all nodes at once (faults, checks, reachability) happens when all workers stand
 * still, in one thread.
 */
#include "sim/windows.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* below, barriers cost more than a second worker brings */
#define LOOKAHEAD_MIN HD_US(HD_SIM_LOOKAHEAD_MIN_US)
#define SPINS         2000 /* at a barrier, before the thread sleeps */

/* --- shares --------------------------------------------------------------------------------------
 */

static hd_time delay_of(const struct hd_sim *s, uint32_t link)
{
    return HD_MAX(sim_link(s, link)->delay_ns, HD_US(1)); /* as link.c does */
}

static bool crosses(const struct hd_sim *s, uint32_t link)
{
    const struct end *e = &s->ends[(size_t)link * 2];
    return sim_owner(s, e[0].node) != sim_owner(s, e[1].node);
}

void windows_lookahead(struct hd_sim *s, uint32_t link)
{
    if (s->worker_count > 1 && crosses(s, link))
        s->lookahead = HD_MIN(s->lookahead, delay_of(s, link));
}

/* A node costs something by itself, and with each of its links. */
static void divide(struct hd_sim *s, uint32_t workers)
{
    uint64_t whole = 2 * ((uint64_t)s->node_count + s->link_count), done = 0;
    uint32_t node = 0;
    s->worker_count = workers;
    for (uint32_t i = 0; i < workers; i++) {
        s->worker[i]->first = node;
        while (node < s->node_count && done * workers < whole * (i + 1))
            done += 2 + s->nodes[node++].end_count;
        s->worker[i]->end = i + 1 == workers ? s->node_count : node;
    }
}

/* The schedule may shorten links later: that counts from the start. */
static void measure_lookahead(struct hd_sim *s)
{
    s->lookahead = HD_NEVER;
    for (uint32_t l = 0; l < s->link_count; l++)
        windows_lookahead(s, l);
    for (uint32_t i = 0; i < s->sc->event_count; i++) {
        const struct hd_scenario_event *e = &s->sc->events[i];
        if (e->action == HD_SCENARIO_CHANGE && (e->fields & HD_SCENARIO_F_DELAY) != 0 &&
            s->worker_count > 1 && crosses(s, e->link))
            s->lookahead = HD_MIN(s->lookahead, HD_MAX(e->change.delay_ns, HD_US(1)));
    }
}

int windows_make(struct hd_sim *s)
{
    divide(s, HD_MAX(HD_MIN(s->worker_count, s->node_count), 1u));
    measure_lookahead(s);
    if (s->worker_count > 1 && s->lookahead < LOOKAHEAD_MIN) {
        if (s->group != NULL)
            return HD_EUNSUPPORTED;
        divide(s, 1);
        s->lookahead = HD_NEVER;
    }
    s->here_end = HD_MIN(s->here_end, s->worker_count);
    return 0;
}

uint32_t hd_sim_workers(const struct hd_sim *s)
{
    return s->worker_count;
}

static uint32_t threads(const struct hd_sim *s)
{
    return s->here_end - s->here_first;
}

/* --- boxes ---------------------------------------------------------------------------------------
 */

static size_t padded(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

static void box_put(struct box *b, const struct hd_sim_event *e, size_t payload)
{
    size_t bytes = sizeof *e + padded(payload);
    if (b->len + bytes > b->cap) {
        b->cap = HD_MAX(b->cap * 2, b->len + bytes + 65536);
        b->bytes = hd_sim_grow(b->bytes, b->cap, 1);
    }
    memcpy(b->bytes + b->len, e, sizeof *e);
    if (payload > 0)
        memcpy(b->bytes + b->len + sizeof *e, e->u.payload, payload);
    b->first = b->len == 0 ? e->at : HD_MIN(b->first, e->at);
    b->len += bytes;
}

/* An event whose payload, if it has one, lies elsewhere: it becomes the receiver's own. */
static void take_over(struct worker *w, struct hd_sim_event e, size_t bytes)
{
    if (bytes > 0) {
        void *copy = hd_sim_slab_take(&w->slabs, bytes);
        memcpy(copy, e.u.payload, bytes);
        e.u.payload = copy;
    }
    hd_sim_queue_push(&w->queue, &e);
}

static void empty_box(struct worker *w, const struct box *b)
{
    for (size_t at = 0; at < b->len;) {
        struct hd_sim_event e;
        memcpy(&e, b->bytes + at, sizeof e);
        at += sizeof e;
        struct hd_sim_event with = e;
        with.u.payload = b->bytes + at;
        size_t bytes = payload_bytes(&with);
        take_over(w, bytes > 0 ? with : e, bytes);
        at += padded(bytes);
    }
}

void windows_hand_over(struct worker *from, uint32_t to, const struct hd_sim_event *e)
{
    struct hd_sim *s = from->s;
    size_t bytes = payload_bytes(e);
    bool parallel = s->crew != NULL && s->crew->parallel;
    if (parallel || to < s->here_first || to >= s->here_end) {
        HD_ASSERT(s->crew != NULL); /* whoever has workers elsewhere has a crew */
        struct seat *mine = &s->crew->seat[from->index];
        uint32_t parity = from->window & 1;
        HD_ASSERT(!parallel || e->at >= from->now + s->lookahead);
        box_put(&mine->box[parity][to], e, bytes);
    } else {
        take_over(s->worker[to], *e, bytes);
    }
    payload_free(from, e);
}

/* --- barrier -------------------------------------------------------------------------------------
 */

static void pause_a_little(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void barrier(struct hd_sim *s)
{
    struct crew *c = s->crew;
    if (threads(s) == 1)
        return;
    uint32_t phase = atomic_load_explicit(&c->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&c->arrived, 1, memory_order_acq_rel) + 1 == threads(s)) {
        atomic_store_explicit(&c->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&c->phase, phase + 1, memory_order_release);
        (void)syscall(SYS_futex, &c->phase, FUTEX_WAKE_PRIVATE, threads(s), NULL, NULL, 0);
        return;
    }
    for (uint32_t i = 0; i < c->spins; i++) {
        if (atomic_load_explicit(&c->phase, memory_order_acquire) != phase)
            return;
        pause_a_little();
    }
    while (atomic_load_explicit(&c->phase, memory_order_acquire) == phase)
        (void)syscall(SYS_futex, &c->phase, FUTEX_WAIT_PRIVATE, phase, NULL, NULL, 0);
}

/* --- windows -------------------------------------------------------------------------------------
 */

static void run_until(struct worker *w, hd_time until, bool stop_at_failure)
{
    struct hd_sim_event e;
    while (!(stop_at_failure && w->failed_at != HD_NEVER) &&
           hd_sim_queue_pop(&w->queue, until, &e)) {
        HD_ASSERT(e.at >= w->now);
        sim_dispatch(w, &e);
    }
}

/* What the others have to know before anybody may go on. */
static void publish(struct worker *w)
{
    struct seat *mine = &w->s->crew->seat[w->index];
    uint32_t parity = w->window & 1;
    hd_time next = hd_sim_queue_next(&w->queue);
    for (uint32_t i = 0; i < w->s->worker_count; i++) {
        if (mine->box[parity][i].len > 0)
            next = HD_MIN(next, mine->box[parity][i].first);
    }
    mine->next[parity] = next;
    mine->failed[parity] = w->failed_at != HD_NEVER;
}

/* Takes what was sent to this worker; false when the run is over for all. */
static bool next_window(struct worker *w, hd_time *until)
{
    struct crew *c = w->s->crew;
    uint32_t parity = w->window & 1;
    hd_time first = HD_NEVER;
    bool failed = false;
    for (uint32_t i = 0; i < w->s->worker_count; i++) {
        empty_box(w, &c->seat[i].box[parity][w->index]);
        first = HD_MIN(first, c->seat[i].next[parity]);
        failed |= c->seat[i].failed[parity];
    }
    w->window++;
    for (uint32_t i = 0; i < w->s->worker_count; i++)
        c->seat[w->index].box[w->window & 1][i].len = 0;
    if (first > c->until || first == HD_NEVER || (failed && c->stop_at_failure))
        return false;
    hd_time lookahead = w->s->lookahead;
    *until = lookahead > c->until - first ? c->until : first + lookahead - 1;
    return true;
}

/* All at one instant: nobody changes anything, so each may walk through the nodes of all. */
static void check_window(struct worker *w, hd_time until)
{
    barrier(w->s);
    w->now = until;
    if (w->batches > 0)
        check_batch(w);
    w->batches = 0;
}

/* What others have to know of this window is with them; so is what they know. */
static void meet(struct worker *w)
{
    struct hd_sim *s = w->s;
    barrier(s);
    if (s->group == NULL)
        return;
    if (w->index == s->here_first)
        ranks_swap(s, w->window & 1);
    barrier(s);
}

/* Loops are sought in the state of one instant, which one process alone does not have in a group.
 */
static bool looks_at_windows(const struct hd_sim *s)
{
    return s->checks.loops && s->group == NULL;
}

static void run_windows(struct worker *w)
{
    struct hd_sim *s = w->s;
    hd_time until;
    sim_run_as(w);
    for (;;) {
        publish(w);
        meet(w);
        if (!next_window(w, &until))
            break;
        run_until(w, until, false);
        if (looks_at_windows(s))
            check_window(w, until);
    }
    sim_run_as(NULL);
    barrier(s); /* nobody reads boxes any more */
}

/* What workers noted for all; and the first failure of them. */
static void fold(struct hd_sim *s)
{
    for (uint32_t i = s->here_first; i < s->here_end; i++) {
        struct worker *w = s->worker[i];
        if (w->faults > 0) {
            s->last_fault = HD_MAX(s->last_fault, w->last_fault);
            s->all_since = HD_NEVER;
        }
        s->graph_epoch += w->faults;
        s->forwarding_epoch += w->faults + w->forwarding_changes;
        w->faults = w->forwarding_changes = 0;
    }
    const struct worker *first = s->worker[s->here_first];
    for (uint32_t i = s->here_first; i < s->here_end; i++) {
        if (s->worker[i]->failed_at < first->failed_at)
            first = s->worker[i];
    }
    if (first->failed_at != HD_NEVER && !s->failed) {
        s->failed = true;
        s->failed_at = first->failed_at;
        memcpy(s->why, first->why, sizeof s->why);
    }
    for (uint32_t i = s->here_first; i < s->here_end; i++)
        s->worker[i]->failed_at = HD_NEVER;
    ranks_agree(s);
}

/* One worker: each check at once, and a failure ends the run at its event. */
static void run_alone(struct hd_sim *s, hd_time until, bool stop_at_failure)
{
    struct worker *w = s->worker[0];
    struct hd_sim_event e;
    sim_run_as(w);
    while (!(stop_at_failure && (w->failed_at != HD_NEVER || s->failed)) &&
           hd_sim_queue_pop(&w->queue, until, &e)) {
        HD_ASSERT(e.at >= s->now);
        s->now = e.at;
        sim_dispatch(w, &e);
    }
    sim_run_as(NULL);
}

void windows_run(struct hd_sim *s, hd_time until, bool stop_at_failure)
{
    struct crew *c = s->crew;
    if (c == NULL) {
        run_alone(s, until, stop_at_failure);
    } else {
        c->until = until;
        c->stop_at_failure = stop_at_failure;
        c->parallel = true;
        barrier(s); /* the helpers begin */
        run_windows(s->worker[s->here_first]);
        c->parallel = false;
    }
    fold(s);
}

/* --- threads -------------------------------------------------------------------------------------
 */

static void *helper(void *arg)
{
    struct seat *seat = arg;
    struct hd_sim *s = seat->s;
    for (;;) {
        barrier(s);
        if (s->crew->ended)
            return NULL;
        run_windows(s->worker[seat->index]);
    }
}

void windows_crew(struct hd_sim *s)
{
    if (s->worker_count == 1)
        return;
    struct crew *c = aligned_alloc(64, sizeof *c);
    HD_ASSERT(c != NULL);
    memset(c, 0, sizeof *c);
    s->crew = c;
    c->spins = (long)threads(s) <= sysconf(_SC_NPROCESSORS_ONLN) ? SPINS : 0;
    for (uint32_t i = s->here_first + 1; i < s->here_end; i++) {
        c->seat[i].s = s;
        c->seat[i].index = i;
        HD_ASSERT(pthread_create(&c->seat[i].thread, NULL, helper, &c->seat[i]) == 0);
    }
}

void windows_end(struct hd_sim *s)
{
    struct crew *c = s->crew;
    if (c == NULL)
        return;
    c->ended = true;
    barrier(s);
    for (uint32_t i = s->here_first + 1; i < s->here_end; i++)
        (void)pthread_join(c->seat[i].thread, NULL);
    for (uint32_t i = s->here_first; i < s->here_end; i++) {
        for (uint32_t j = 0; j < s->worker_count; j++) {
            free(c->seat[i].box[0][j].bytes);
            free(c->seat[i].box[1][j].bytes);
        }
    }
    free(c);
    s->crew = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One simulation in several processes.
 *
 * A worker is a share of the nodes, and whether it is a thread here or somewhere else makes one
 * difference: its boxes are emptied from memory or from what the other process sent. So at the end
 * of each window the processes hand over the seats of their workers (windows.h), and from there on
 * windows.c sees no difference.
 *
 * The world is in all of them: each has all links and knows which nodes live, takes every fault by
 * itself at its time, and keeps events only of its own nodes. What they cannot know by themselves
 * they tell each other after each run of windows and each event of the world: failures, that
 * something changed, counters.
 *
 * A walk goes through nodes of several processes. Many are walked at once: each process takes the
 * walks that are with it as far as they go here, then all hand over those that left, until none is
 * left; at the end everybody learns how each of them ended. A walk that goes round through several
 * processes may meet others on its way that wipe out its marks; its hop limit ends it then.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "sim/windows.h"

/* --- pieces --------------------------------------------------------------------------------------
 */

/* What goes to one process, as it grows; malloc'ed, kept from call to call. */
struct outbox {
    uint8_t *bytes;
    size_t len, cap;
};

struct ranks {
    struct outbox out[HD_SIM_PROCESSES_MAX];
    struct hd_sim_piece piece[HD_SIM_PROCESSES_MAX], in[HD_SIM_PROCESSES_MAX];
    uint64_t agreed_graph; /* epoch at which all knew who lives */
};

static void put(struct outbox *o, const void *bytes, size_t len)
{
    if (o->len + len > o->cap) {
        o->cap = HD_MAX(o->cap * 2, o->len + len + 4096);
        o->bytes = hd_sim_grow(o->bytes, o->cap, 1);
    }
    if (len > 0)
        memcpy(o->bytes + o->len, bytes, len);
    o->len += len;
}

/* Hands over what was put for each process, and forgets it. */
static void exchange(struct hd_sim *s)
{
    struct ranks *r = s->ranks;
    const struct hd_sim_group *g = s->group;
    for (uint32_t i = 0; i < g->size; i++) {
        r->piece[i] = (struct hd_sim_piece){r->out[i].bytes, r->out[i].len};
        r->out[i].len = 0;
    }
    g->exchange(g->user, r->piece, r->in);
}

/* The same to everybody. */
static void tell(struct hd_sim *s, const void *bytes, size_t len)
{
    struct ranks *r = s->ranks;
    const struct hd_sim_group *g = s->group;
    for (uint32_t i = 0; i < g->size; i++)
        r->piece[i] = (struct hd_sim_piece){(void *)(uintptr_t)bytes, len};
    g->exchange(g->user, r->piece, r->in);
}

void ranks_start(struct hd_sim *s)
{
    if (s->group != NULL)
        s->ranks = hd_sim_alloc(1, sizeof *s->ranks);
}

void ranks_end(struct hd_sim *s)
{
    for (unsigned i = 0; s->ranks != NULL && i < HD_SIM_PROCESSES_MAX; i++)
        free(s->ranks->out[i].bytes);
    free(s->ranks);
    s->ranks = NULL;
}

/* --- windows -------------------------------------------------------------------------------------
 */

struct seat_head {
    hd_time next;
    uint64_t failed;
    uint64_t bytes[HD_SIM_WORKERS_MAX]; /* in the boxes for the workers of the receiver */
};

static void put_seat(struct outbox *o, const struct seat *seat, uint32_t parity, uint32_t first,
                     uint32_t count)
{
    struct seat_head h = {.next = seat->next[parity], .failed = seat->failed[parity]};
    for (uint32_t j = 0; j < count; j++)
        h.bytes[j] = seat->box[parity][first + j].len;
    put(o, &h, sizeof h);
    for (uint32_t j = 0; j < count; j++)
        put(o, seat->box[parity][first + j].bytes, seat->box[parity][first + j].len);
}

/* Boxes of what came point into it: it stays until the next window's. */
static void fill_seat(struct seat *seat, uint32_t parity, uint32_t first, uint32_t count,
                      uint8_t **at)
{
    struct seat_head h;
    memcpy(&h, *at, sizeof h);
    *at += sizeof h;
    seat->next[parity] = h.next;
    seat->failed[parity] = h.failed != 0;
    for (uint32_t j = 0; j < count; j++) {
        seat->box[parity][first + j] = (struct box){.bytes = *at, .len = h.bytes[j]};
        *at += h.bytes[j];
    }
}

void ranks_swap(struct hd_sim *s, uint32_t parity)
{
    struct ranks *r = s->ranks;
    struct crew *c = s->crew;
    uint32_t each = s->o.workers, first = s->group->rank * each;
    for (uint32_t i = 0; i < s->group->size; i++) {
        for (uint32_t w = first; w < first + each && i != s->group->rank; w++)
            put_seat(&r->out[i], &c->seat[w], parity, i * each, each);
    }
    exchange(s);
    for (uint32_t i = 0; i < s->group->size; i++) {
        uint8_t *at = r->in[i].bytes;
        for (uint32_t w = i * each; w < (i + 1) * each && i != s->group->rank; w++)
            fill_seat(&c->seat[w], parity, first, each, &at);
    }
}

/* --- what all have to know -----------------------------------------------------------------------
 */

struct agreement {
    uint64_t forwarding_epoch, graph_epoch;
    hd_time last_fault, all_since, failed_at;
    bool failed;
    char why[HD_SIM_WHY];
};

static void agree_on(struct hd_sim *s, const struct agreement *a)
{
    s->forwarding_epoch = HD_MAX(s->forwarding_epoch, a->forwarding_epoch);
    s->graph_epoch = HD_MAX(s->graph_epoch, a->graph_epoch);
    s->last_fault = HD_MAX(s->last_fault, a->last_fault);
    s->all_since = HD_MAX(s->all_since, a->all_since); /* HD_NEVER: somebody saw a change */
}

/* The earliest failure, and of equal ones that of the first nodes. */
static void agree_on_failure(struct hd_sim *s)
{
    const struct agreement *first = NULL;
    for (uint32_t i = 0; i < s->group->size; i++) {
        const struct agreement *a = s->ranks->in[i].bytes;
        if (a->failed && (first == NULL || a->failed_at < first->failed_at))
            first = a;
    }
    if (first == NULL)
        return;
    s->failed = true;
    s->failed_at = first->failed_at;
    memcpy(s->why, first->why, sizeof s->why);
}

static void tell_who_lives(struct hd_sim *s)
{
    uint32_t first = s->worker[s->here_first]->first, end = s->worker[s->here_end - 1]->end;
    uint8_t *lives = hd_sim_alloc(end - first, 1);
    for (uint32_t i = first; i < end; i++)
        lives[i - first] = s->nodes[i].lives;
    tell(s, lives, end - first);
    uint32_t node = 0;
    for (uint32_t i = 0; i < s->group->size; i++) {
        const uint8_t *theirs = s->ranks->in[i].bytes;
        for (size_t j = 0; j < s->ranks->in[i].len; j++)
            s->nodes[node++].lives = theirs[j] != 0;
    }
    free(lives);
}

/* Of each flow the source's process knows what was sent, the destination's what arrived. */
static void add_flow(struct hd_sim_flow *sum, const struct hd_sim_flow *part)
{
    sum->sent += part->sent;
    sum->arrived += part->arrived;
    sum->duplicates += part->duplicates;
    sum->reordered += part->reordered;
    for (unsigned f = 0; f < HD_SIM_FATES; f++)
        sum->fates[f] += part->fates[f];
    sum->next_sequence = HD_MAX(sum->next_sequence, part->next_sequence);
    sum->last_arrived = HD_MAX(sum->last_arrived, part->last_arrived);
    sum->last_at = HD_MAX(sum->last_at, part->last_at);
    sum->longest_gap_ns = HD_MAX(sum->longest_gap_ns, part->longest_gap_ns);
    sum->gap_at = HD_MAX(sum->gap_at, part->gap_at);
    sum->worst_delay_ns = HD_MAX(sum->worst_delay_ns, part->worst_delay_ns);
}

static void tell_flows(struct hd_sim *s)
{
    tell(s, s->flows, s->flow_count * sizeof *s->flows);
    for (uint32_t i = 0; i < s->group->size; i++) {
        const struct hd_sim_flow *part = s->ranks->in[i].bytes;
        for (uint32_t f = 0; f < s->flow_count; f++) {
            if (i == 0)
                s->flow_sums[f] = part[f];
            else
                add_flow(&s->flow_sums[f], &part[f]);
        }
    }
}

static void tell_counters(struct hd_sim *s)
{
    struct outbox o = {0};
    for (uint32_t i = s->here_first; i < s->here_end; i++)
        put(&o, &s->worker[i]->stats, sizeof s->worker[i]->stats);
    tell(s, o.bytes, o.len);
    for (uint32_t i = 0; i < s->worker_count; i++) {
        uint32_t of = i / s->o.workers;
        const struct hd_sim_stats *theirs = s->ranks->in[of].bytes;
        if (of != s->group->rank)
            s->worker[i]->stats = theirs[i % s->o.workers];
    }
    free(o.bytes);
}

void ranks_agree(struct hd_sim *s)
{
    struct agreement a;
    if (s->group == NULL)
        return;
    memset(&a, 0, sizeof a);
    a.forwarding_epoch = s->forwarding_epoch;
    a.graph_epoch = s->graph_epoch;
    a.last_fault = s->last_fault;
    a.all_since = s->all_since;
    a.failed = s->failed;
    a.failed_at = s->failed_at;
    memcpy(a.why, s->why, sizeof a.why);
    tell(s, &a, sizeof a);
    for (uint32_t i = 0; i < s->group->size; i++)
        agree_on(s, s->ranks->in[i].bytes);
    agree_on_failure(s);
    if (s->graph_epoch != s->ranks->agreed_graph) {
        s->ranks->agreed_graph = s->graph_epoch;
        tell_who_lives(s);
    }
    if (s->flow_count > 0)
        tell_flows(s);
    tell_counters(s);
}

void hd_sim_gather(const struct hd_sim *s, void *array, size_t item, uint32_t *count)
{
    if (s->group == NULL)
        return;
    uint8_t *to = array;
    size_t bytes = *count * item, at = 0;
    struct hd_sim_piece out[HD_SIM_PROCESSES_MAX], in[HD_SIM_PROCESSES_MAX];
    uint8_t *copy = hd_sim_alloc(HD_MAX(bytes, (size_t)1), 1);
    memcpy(copy, array, bytes);
    for (uint32_t i = 0; i < s->group->size; i++)
        out[i] = (struct hd_sim_piece){copy, bytes};
    s->group->exchange(s->group->user, out, in);
    for (uint32_t i = 0; i < s->group->size; i++) {
        memcpy(to + at, in[i].bytes, in[i].len);
        at += in[i].len;
    }
    *count = (uint32_t)(at / item);
    free(copy);
}

/* --- walks ---------------------------------------------------------------------------------------
 */

struct ended {
    uint32_t index;
    struct hd_sim_pair pair;
};

struct lot {
    struct outbox here;  /* walkers that are with this process */
    struct outbox ended; /* struct ended, of walks that ended here */
    const struct hd_sim_pair *pairs;
};

static uint32_t process_of(const struct hd_sim *s, uint32_t node)
{
    return sim_owner(s, node) / s->o.workers;
}

static void begin_walks(struct hd_sim *s, struct lot *l, size_t count)
{
    struct walker k;
    for (size_t i = 0; i < count; i++) {
        s->marks.serial++; /* the same in all */
        if (!sim_is_here(s, l->pairs[i].from))
            continue;
        memset(&k, 0, sizeof k);
        walk_begin(s, s->marks.serial, &k, l->pairs[i].from, l->pairs[i].to);
        k.index = (uint32_t)i;
        put(&l->here, &k, sizeof k);
    }
}

/* How many left for other processes. */
static uint64_t walk_here(struct hd_sim *s, struct lot *l)
{
    struct walker k;
    uint64_t left = 0;
    for (size_t at = 0; at < l->here.len; at += sizeof k) {
        memcpy(&k, l->here.bytes + at, sizeof k);
        if (!walk_on(s, &s->marks, &k, NULL)) {
            put(&s->ranks->out[process_of(s, k.node)], &k, sizeof k);
            left++;
            continue;
        }
        struct ended e;
        memset(&e, 0, sizeof e);
        e.index = k.index;
        e.pair = l->pairs[k.index];
        walk_end(&k, &e.pair);
        put(&l->ended, &e, sizeof e);
    }
    l->here.len = 0;
    return left;
}

static uint64_t take_walkers(struct hd_sim *s, struct lot *l)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < s->group->size; i++) {
        const uint8_t *bytes = s->ranks->in[i].bytes;
        uint64_t left;
        size_t walkers = s->ranks->in[i].len - sizeof left;
        put(&l->here, bytes, walkers);
        memcpy(&left, bytes + walkers, sizeof left);
        all += left;
    }
    return all;
}

void ranks_walk(struct hd_sim *s, struct hd_sim_pair *pairs, size_t count)
{
    struct lot l = {.pairs = pairs};
    uint64_t left;
    begin_walks(s, &l, count);
    do {
        left = walk_here(s, &l);
        for (uint32_t i = 0; i < s->group->size; i++)
            put(&s->ranks->out[i], &left, sizeof left);
        exchange(s);
        left = take_walkers(s, &l);
    } while (left > 0);
    tell(s, l.ended.bytes, l.ended.len);
    for (uint32_t i = 0; i < s->group->size; i++) {
        const struct ended *e = s->ranks->in[i].bytes;
        for (size_t j = 0; j < s->ranks->in[i].len / sizeof *e; j++)
            pairs[e[j].index] = e[j].pair;
    }
    free(l.here.bytes);
    free(l.ended.bytes);
}

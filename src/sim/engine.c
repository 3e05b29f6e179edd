/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creation, and who handles which event. Events of nodes are run by workers, in windows
 * (windows.c); those of the world, which change links and lives and look at everything, one by one
 * between windows. What an event causes is again events. Nothing here depends on addresses, hashes
 * or the machine, nor on the number of workers.
 */
#include "sim/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/hash.h"
#include "lib/word.h"

#define REGION_BYTES ((size_t)64 << 20)
#define OLD_VALUES   65536

static _Thread_local struct worker *running; /* the worker whose events this thread handles */

void hd_sim_options_default(struct hd_sim_options *o)
{
    *o = (struct hd_sim_options){
        .seed = 1,
        .workers = 1,
        .cores = {HD_CORE_KIRA},
        .region_bytes = REGION_BYTES,
        .detect_ns = HD_MS(1),
        .install_ns = HD_US(100),
        .save_ns = HD_MS(1),
        .start_jitter_ns = HD_MS(10),
        .queue_bytes = (uint64_t)256 * 1024,
        .work_units = 150,
        .shared_ids = true,
        .digest_payload = true,
    };
}

struct worker *sim_current(const struct hd_sim *s)
{
    return running != NULL && running->s == s ? running : NULL;
}

struct worker *sim_enter(struct hd_sim *s, uint32_t node)
{
    struct worker *w = s->worker[sim_owner(s, node)];
    if (sim_current(s) == NULL)
        w->now = s->now;
    return w;
}

static struct hd_sim_event make_event(hd_time at, uint32_t receiver, uint32_t sender, bool late,
                                      uint32_t kind, void *payload, uint64_t number)
{
    struct hd_sim_event e = {
        .at = at, .receiver = receiver, .sender = sender | (late ? HD_SIM_LATE : 0), .kind = kind};
    if (payload != NULL)
        e.u.payload = payload;
    else
        e.u.number = number;
    return e;
}

void sim_push(struct hd_sim *s, hd_time at, uint32_t receiver, uint32_t sender, bool late,
              uint32_t kind, void *payload, uint64_t number)
{
    struct hd_sim_event e = make_event(at, receiver, sender, late, kind, payload, number);
    HD_ASSERT(sender == WORLD && at >= s->now);
    e.counter = s->world_counter++;
    if (receiver == WORLD)
        hd_sim_queue_push(&s->queue, &e);
    else if (sim_is_here(s, receiver))
        hd_sim_queue_push(&s->worker[sim_owner(s, receiver)]->queue, &e);
}

void worker_push(struct worker *w, hd_time at, uint32_t receiver, uint32_t sender, bool late,
                 uint32_t kind, void *payload, uint64_t number)
{
    struct hd_sim_event e = make_event(at, receiver, sender, late, kind, payload, number);
    HD_ASSERT(at >= w->now);
    e.counter = w->s->nodes[sender].counter++;
    if (receiver >= w->first && receiver < w->end)
        hd_sim_queue_push(&w->queue, &e);
    else
        windows_hand_over(w, sim_owner(w->s, receiver), &e);
}

void sim_fault(struct hd_sim *s)
{
    struct worker *w = sim_current(s);
    if (w != NULL) { /* told to all when the window ends */
        w->faults++;
        w->last_fault = w->now;
        return;
    }
    s->last_fault = s->now;
    s->all_since = HD_NEVER;
    s->graph_epoch++;
    s->forwarding_epoch++;
}

static void write_why(char *why, hd_time now, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void write_why(char *why, hd_time now, const char *format, va_list args)
{
    int head = snprintf(why, HD_SIM_WHY, "at %lld.%06lld ms: ", (long long)(now / 1000000),
                        (long long)(now % 1000000));
    (void)vsnprintf(why + head, HD_SIM_WHY - (size_t)head, format, args);
}

/* Of the failures of one window the earliest is kept. */
void sim_fail(struct hd_sim *s, const char *format, ...)
{
    struct worker *w = sim_current(s);
    va_list args;
    if (s->failed || (w != NULL && w->failed_at != HD_NEVER))
        return;
    va_start(args, format);
    if (w == NULL) {
        s->failed = true;
        s->failed_at = s->now;
        write_why(s->why, s->now, format, args);
    } else {
        w->failed_at = w->now;
        write_why(w->why, w->now, format, args);
    }
    va_end(args);
}

/* --- creation ------------------------------------------------------------------------------------
 */

/* Identifiers of the scenario, random ones for the rest: never zero, all-one, or one twice. */
static int make_ids(struct hd_sim *s, char *err, size_t errlen)
{
    struct hd_random random;
    hd_random_seed(&random, s->o.seed, 0x1d5);
    for (uint32_t i = 0; i < s->node_count; i++) {
        struct hd_id *id = &s->nodes[i].id;
        bool given = s->sc->nodes[i].has_id;
        if (given)
            memcpy(id->b, s->sc->nodes[i].id, HD_ID_BYTES);
        else
            hd_random_bytes(&random, id->b, HD_ID_BYTES);
        uint32_t other;
        uint64_t hash = hd_hash64(1, id->b, HD_ID_BYTES);
        if (hd_id_is_zero(id) || hd_id_is_ones(id) || hd_map_get(&s->by_id, hash, &other)) {
            snprintf(err, errlen, "node %s: its ID is zero, all ones, or another node's",
                     s->sc->nodes[i].name);
            return HD_EINVAL;
        }
        if (hd_map_set(&s->by_id, s->pool, hash, i) != 0)
            return HD_ENOMEM;
        s->nodes[i].address = hd_id_to_ip6(id, 0xfc00);
    }
    hd_ids_init(&s->ids, s->pool, s->node_count + 16, 15);
    for (uint32_t i = 0; s->o.shared_ids && i < s->node_count; i++) {
        if (hd_ids_intern(&s->ids, &s->nodes[i].id) == 0)
            return HD_ENOMEM;
    }
    s->ids.shared = s->o.shared_ids;
    return 0;
}

static void make_links(struct hd_sim *s)
{
    for (uint32_t l = 0; l < s->link_count; l++) {
        link_make_values(s, l, &s->sc->links[l]);
        s->nodes[s->sc->links[l].a].end_count++;
        s->nodes[s->sc->links[l].b].end_count++;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < s->node_count; i++) {
        s->nodes[i].first_end = at;
        at += s->nodes[i].end_count;
        s->nodes[i].end_count = 0;
    }
    for (uint32_t e = 0; e < s->link_count * 2; e++) {
        struct end *end = &s->ends[e];
        end->link = e / 2;
        end->node = e % 2 == 0 ? s->sc->links[e / 2].a : s->sc->links[e / 2].b;
        struct node *n = &s->nodes[end->node];
        s->ends_of[n->first_end + n->end_count] = e;
        end->ifindex = ++n->end_count;
    }
}

static void make_nodes(struct hd_sim *s)
{
    struct hd_random random;
    hd_random_seed(&random, s->o.seed, 0x57a7);
    for (uint32_t i = 0; i < s->node_count; i++) {
        struct node *n = &s->nodes[i];
        n->deadline = n->timer_at = HD_NEVER;
        n->powered = true;
        uint32_t key = s->sc->nodes[i].key;
        if (key != 0)
            HD_ASSERT(hd_sim_add_key(s, i, key, hd_mix64(key + 0x9e3779b97f4a7c15ULL)) == 0);
        hd_time jitter = 0;
        if (s->o.start_jitter_ns > 0)
            jitter = (hd_time)hd_random_below(&random, (uint64_t)s->o.start_jitter_ns);
        if (s->sc->nodes[i].start_ns != HD_NEVER && sim_is_here(s, i)) {
            n->start_queued = true;
            worker_push(sim_enter(s, i), s->sc->nodes[i].start_ns + jitter, i, i, false, EV_START,
                        NULL, 0);
        }
    }
}

static void option_defaults(struct hd_sim_options *o)
{
    if (o->cores[0] == 0)
        o->cores[0] = HD_CORE_KIRA;
    if (o->region_bytes == 0)
        o->region_bytes = REGION_BYTES;
    if (o->work_units == 0)
        o->work_units = 150;
    if (o->queue_bytes == 0)
        o->queue_bytes = (uint64_t)256 * 1024;
    if (o->group != NULL && o->group->size == 1)
        o->group = NULL;
    if (o->workers == 0 || o->hooks.seen != NULL) /* a trace has one order */
        o->workers = 1;
    o->workers = HD_MIN(o->workers, (uint32_t)HD_SIM_WORKERS_MAX);
}

static void make_tables(struct hd_sim *s)
{
    uint32_t ends = s->link_count * 2;
    s->nodes = hd_sim_take(s->pool, s->node_count, sizeof *s->nodes);
    s->links = hd_sim_take(s->pool, s->link_count, sizeof *s->links);
    s->ends = hd_sim_take(s->pool, ends, sizeof *s->ends);
    s->ends_of = hd_sim_take(s->pool, ends, sizeof *s->ends_of);
    s->marks.stamp = hd_sim_take(s->pool, (size_t)s->node_count * 2, sizeof *s->marks.stamp);
    s->bfs_distance = hd_sim_take(s->pool, s->node_count, sizeof *s->bfs_distance);
    s->bfs_queue = hd_sim_take(s->pool, s->node_count, sizeof *s->bfs_queue);
    s->sum = hd_sim_take(s->pool, 1, sizeof *s->sum);
    s->queue.pool = s->pool;
    s->all_since = HD_NEVER;
    s->graph_epoch = s->forwarding_epoch = 1;
    memset(&s->pretend, 0xff, sizeof s->pretend);
    hd_map_init(&s->by_id, 11);
    hd_map_init(&s->link_values_index, 12);
}

static void make_worker(struct hd_sim *s, struct worker *w, struct hd_pool *pool)
{
    uint32_t room = HD_FX_ROOM_BYTES + 64 * 1024;
    w->pool = w->queue.pool = w->slabs.pool = pool;
    hd_fx_init(&w->fx, hd_sim_take(pool, 1, room), room);
    w->old.cap = OLD_VALUES;
    w->old.v = hd_sim_take(pool, w->old.cap, sizeof *w->old.v);
    hd_map_init(&w->flow_index, 12);
    hd_map_init(&w->quiet, 13);
    hd_map_init(&w->usage_index, 14);
    hd_map_init(&w->touched.pairs, 16);
    w->marks.stamp = hd_sim_take(pool, (size_t)s->node_count * 2, sizeof *w->marks.stamp);
    hd_random_seed(&w->check_random, s->o.seed, 0xc4ec + w->index);
}

/* Of all processes; those of others are names. */
static void make_workers(struct hd_sim *s)
{
    uint32_t each = s->o.workers;
    s->group = s->o.group;
    s->worker_count = each * (s->group == NULL ? 1 : s->group->size);
    s->here_first = s->group == NULL ? 0 : s->group->rank * each;
    s->here_end = s->here_first + each;
    for (uint32_t i = 0; i < s->worker_count; i++) {
        bool here = i >= s->here_first && i < s->here_end;
        struct hd_pool *pool = here ? s->image.part[1 + i - s->here_first] : s->pool;
        struct worker *w = s->worker[i] = hd_sim_take(pool, 1, sizeof *w);
        w->s = s;
        w->index = i;
        w->failed_at = HD_NEVER;
        if (here)
            make_worker(s, w, pool);
    }
}

/* All that is told of processes that cannot share this simulation. */
static bool shareable(const struct hd_scenario *sc, const struct hd_sim_options *o, char *err,
                      size_t errlen)
{
    if (o->group == NULL)
        return true;
    uint32_t workers = o->group->size * o->workers;
    if (workers <= HD_SIM_OWNERS_MAX && workers <= sc->node_count && o->hooks.seen == NULL &&
        !o->own_regions)
        return true;
    snprintf(err, errlen, "%u processes of %u workers: %u in all, nodes and traces allowing",
             o->group->size, o->workers, HD_MIN((uint32_t)HD_SIM_OWNERS_MAX, sc->node_count));
    return false;
}

int hd_sim_create(struct hd_sim **out, const struct hd_scenario *sc, const struct hd_sim_options *o,
                  char *err, size_t errlen)
{
    struct hd_sim_options options = *o;
    struct hd_sim_image image;
    *out = NULL;
    option_defaults(&options);
    if (!shareable(sc, &options, err, errlen))
        return HD_EUNSUPPORTED;
    if (!hd_sim_fits(sc, &options, err, errlen))
        return HD_ENOMEM;
    if (hd_sim_image_make(&image, 1 + options.workers) != 0) {
        snprintf(err, errlen, "no address space for one more simulation");
        return HD_ENOMEM;
    }
    struct hd_sim *s = hd_sim_take(image.part[0], 1, sizeof *s);
    s->image = image;
    s->pool = image.part[0];
    s->sc = sc;
    s->o = options;
    s->node_count = sc->node_count;
    s->link_count = sc->link_count;
    make_tables(s);
    make_workers(s);
    ranks_start(s);
    snprintf(err, errlen, "no memory for %u nodes", s->node_count);
    int error = make_ids(s, err, errlen);
    if (error != 0) {
        hd_sim_free(s);
        return error;
    }
    make_links(s);
    error = windows_make(s);
    if (error != 0) {
        snprintf(err, errlen, "links between processes have to take %u us or more",
                 HD_SIM_LOOKAHEAD_MIN_US);
        hd_sim_free(s);
        return error;
    }
    make_nodes(s);
    schedule_start(s);
    windows_crew(s);
    err[0] = 0;
    *out = s;
    return 0;
}

size_t payload_bytes(const struct hd_sim_event *e)
{
    switch (e->kind) {
    case EV_DATAGRAM:
        return ((const struct datagram *)e->u.payload)->size;
    case EV_PACKET:
        return ((const struct packet *)e->u.payload)->block;
    case EV_REPORT:
        return sizeof(struct report);
    case EV_COMMAND:
        return ((const struct command *)e->u.payload)->block;
    case EV_SAMPLE:
        return sizeof(struct hd_input);
    default:
        return 0;
    }
}

void payload_free(struct worker *w, const struct hd_sim_event *e)
{
    size_t bytes = payload_bytes(e);
    if (bytes > 0)
        hd_sim_slab_give(&w->slabs, e->u.payload, bytes);
}

void hd_sim_free(struct hd_sim *s)
{
    if (s == NULL)
        return;
    windows_end(s);
    ranks_end(s);
    for (uint32_t i = 0; i < s->node_count; i++)
        node_free(s, i);
    struct hd_sim_image image = s->image;
    hd_sim_image_free(&image);
}

/* --- the loop ------------------------------------------------------------------------------------
 */

/* Of every byte on the wire, so by one multiplication for sixteen: nobody attacks a digest. */
static uint64_t digest_bytes(uint64_t d, const uint8_t *b, size_t len)
{
    size_t at = 0;
    d ^= (uint64_t)len * 0x9e3779b97f4a7c15ULL;
    for (; len - at >= 16; at += 16) {
        unsigned __int128 x = (unsigned __int128)(hd_word_le(b + at) ^ d ^ 0xa0761d6478bd642fULL) *
                              (hd_word_le(b + at + 8) ^ 0xe7037ed1a0b428dbULL);
        d = (uint64_t)x ^ (uint64_t)(x >> 64);
    }
    for (; at < len; at++)
        d = (d ^ b[at]) * 0x100000001b3ULL;
    return d;
}

/* Of a receiver's own events, in their order: so nobody has to wait for the events of others. */
static uint64_t digest_event(uint64_t d, const struct hd_sim_event *e, bool payload)
{
    d = hd_mix64(d + (uint64_t)e->at);
    d = hd_mix64(d ^ ((uint64_t)e->kind << 32 | e->sender));
    d = hd_mix64(d ^ e->counter);
    if (payload && e->kind == EV_DATAGRAM) {
        const struct datagram *dg = e->u.payload;
        d = digest_bytes(d, dg->bytes, dg->len);
    }
    return d;
}

uint64_t hd_sim_digest(const struct hd_sim *s)
{
    uint64_t d = s->world_digest, *all = hd_sim_alloc(s->node_count, sizeof *all);
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->node_count; i++) {
        if (sim_is_here(s, i))
            all[count++] = s->nodes[i].digest;
    }
    hd_sim_gather(s, all, sizeof *all, &count);
    for (uint32_t i = 0; i < count; i++)
        d = hd_mix64(d ^ all[i]);
    free(all);
    return d;
}

static void give_command(struct worker *w, uint32_t node, struct command *c)
{
    struct hd_input in = {.type = HD_IN_COMMAND, .core = c->core};
    in.u.command = c->c;
    in.u.command.args = c->args;
    node_input(w, node, &in);
}

static void give_saved(struct worker *w, uint32_t node, uint64_t number)
{
    struct hd_input in = {.type = HD_IN_SAVED, .core = (uint8_t)(number >> 16)};
    in.u.saved.key = (uint16_t)number;
    node_input(w, node, &in);
}

static void dispatch(struct worker *w, const struct hd_sim_event *e)
{
    uint32_t to = e->receiver;
    switch (e->kind) {
    case EV_DATAGRAM:
        node_datagram(w, e->u.payload, to);
        break;
    case EV_PACKET:
        packet_arrive(w, to, e->u.payload);
        return; /* the packet travels on, or was freed */
    case EV_CARRIER:
        node_carrier(w, (uint32_t)e->u.number);
        break;
    case EV_REPORT:
        node_report(w, to, e->u.payload);
        break;
    case EV_COMMAND:
        give_command(w, to, e->u.payload);
        break;
    case EV_SAVED:
        give_saved(w, to, e->u.number);
        break;
    case EV_SAMPLE:
        node_input(w, to, e->u.payload);
        break;
    case EV_INSTALL:
        node_install(w, to, e->u.number);
        break;
    case EV_DEADLINE:
        node_deadline(w, to, e->u.number);
        break;
    case EV_WORK:
        node_work(w, to, e->u.number);
        break;
    case EV_START:
        node_first_start(w, to, e->u.number);
        break;
    default:
        schedule_probe(w, e->u.number);
        break;
    }
    payload_free(w, e);
}

void sim_dispatch(struct worker *w, const struct hd_sim_event *e)
{
    struct node *n = &w->s->nodes[e->receiver];
    w->now = e->at;
    n->digest = digest_event(n->digest, e, w->s->o.digest_payload);
    w->stats.events++;
    dispatch(w, e);
}

void sim_run_as(struct worker *w)
{
    running = w;
}

static void world_event(struct hd_sim *s, const struct hd_sim_event *e)
{
    s->now = e->at;
    s->world_digest = digest_event(s->world_digest, e, false);
    s->stats.events++;
    if (e->kind == EV_SCHEDULE)
        schedule_event(s, e->u.number);
    else
        check_tick(s);
    ranks_agree(s);
}

/* The nodes up to the next event of the world, that event, and so on. */
static bool run(struct hd_sim *s, hd_time until, bool stop_at_failure)
{
    struct hd_sim_event e;
    while (!(stop_at_failure && s->failed)) {
        hd_time world_at = hd_sim_queue_next(&s->queue);
        windows_run(s, HD_MIN(until, world_at), stop_at_failure);
        if (stop_at_failure && s->failed)
            break;
        if (!hd_sim_queue_pop(&s->queue, until, &e)) {
            if (until != HD_NEVER)
                s->now = HD_MAX(s->now, until);
            break;
        }
        world_event(s, &e);
    }
    return !s->failed;
}

void hd_sim_run(struct hd_sim *s, hd_time until)
{
    (void)run(s, until, false);
}

bool hd_sim_run_checked(struct hd_sim *s, hd_time until)
{
    return run(s, until, true);
}

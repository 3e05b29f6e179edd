/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router (design.md, section 1): it hands inputs to cores, keeps each core's last answer, and
 * delivers the events that one core raises for another.
 *
 * Everything stands in the pool: this struct, one small slot per core that was started, and the
 * cores' states. Nothing here points to a function; the ops are found by the core's number at each
 * call, so a snapshot of the region is complete. A router with KIRA alone must stay small, a
 * million of them run in one simulation: slots and the identifier table exist only when they are
 * needed.
 *
 * Events are delivered within the call that raised them, right after the raising core returned:
 * their rows lie in the caller's effect buffer. Two cores that answer each other's events for ever
 * are stopped by a bound, and that is logged.
 */
#include "router/router.h"

#include <string.h>

#include "lib/base.h"
#include "model/liveness.h"
#include "router/cores.h"
#include "router/model_rows.h"

#define EVENTS_MAX  64 /* delivered within one call */
#define WATCHES_MAX 32 /* served within one call */

struct slot {
    void *state;
    hd_time deadline;
    struct hd_random random;
    uint8_t core;
    uint8_t pending; /* enum hd_pending */
};

struct hd_router {
    struct hd_ids *ids;
    uint64_t seed;
    uint8_t turn; /* core that worked last: equals take turns */
    struct slot *slots[HD_CORE_COUNT];
    struct hd_model model;
};

_Static_assert(sizeof(struct hd_router) + sizeof(struct slot) < 544,
               "a router is small beside its cores");

/* The stream from which a router draws its salts; cores have the streams of their numbers. */
#define STREAM_ROUTER 0xffffffffu

struct hd_router *hd_router_create(void *region, size_t size, const struct hd_router_start *s)
{
    struct hd_pool *pool = hd_pool_create(region, size);

    return pool != NULL ? hd_router_create_in(pool, s) : NULL;
}

struct hd_router *hd_router_create_in(struct hd_pool *pool, const struct hd_router_start *s)
{
    struct hd_random random;
    struct hd_router *r = hd_pool_alloc(pool, sizeof *r);
    if (r == NULL)
        return NULL;
    r->seed = s->seed;
    hd_random_seed(&random, s->seed, STREAM_ROUTER);
    if (hd_model_init(&r->model, pool, hd_random_u64(&random)) != 0)
        return NULL;
    if (s->shared_ids != NULL) {
        r->ids = s->shared_ids;
        return r;
    }
    r->ids = hd_pool_alloc(pool, sizeof *r->ids);
    if (r->ids == NULL)
        return NULL;
    hd_ids_init(r->ids, pool, s->ids_limit != 0 ? s->ids_limit : HD_ROUTER_IDS_DEFAULT,
                hd_random_u64(&random));
    return r;
}

static struct slot *slot_of(const struct hd_router *r, uint8_t core)
{
    return core < HD_CORE_COUNT ? r->slots[core] : NULL;
}

static struct hd_ctx context(struct hd_router *r, struct slot *s, hd_time now,
                             struct hd_effects *fx)
{
    return (struct hd_ctx){
        .now = now,
        .pool = r->model.pool,
        .model = &r->model,
        .ids = r->ids,
        .random = &s->random,
        .fx = fx,
        .core = s->core,
    };
}

static void remember_answer(struct slot *s)
{
    struct hd_answer a = hd_core_ops(s->core)->answer(s->state);

    s->deadline = a.deadline;
    s->pending = (uint8_t)a.pending;
}

static struct hd_answer whole_answer(const struct hd_router *r)
{
    struct hd_answer a = {.deadline = hd_model_watch_deadline(&r->model),
                          .pending = HD_PENDING_NONE};

    for (unsigned i = 0; i < HD_CORE_COUNT; i++) {
        const struct slot *s = r->slots[i];
        if (s == NULL)
            continue;
        a.deadline = hd_time_min(a.deadline, s->deadline);
        a.pending = HD_MAX(a.pending, (enum hd_pending)s->pending);
    }
    return a;
}

static void give_input(struct hd_router *r, struct slot *s, const struct hd_input *in, hd_time now,
                       struct hd_effects *fx)
{
    struct hd_ctx c = context(r, s, now, fx);

    hd_core_ops(s->core)->input(s->state, &c, in);
    remember_answer(s);
}

/* --- events between cores -------------------------------------------------------------------- */

static void log_events_dropped(uint8_t core, struct hd_effects *fx)
{
    struct hd_effect *e = hd_fx_append(fx, core, HD_FX_LOG, 0);

    if (e == NULL)
        return;
    e->u.log.level = HD_LOG_ERROR;
    e->u.log.cause = "too-many-events-between-cores";
}

/* Gives one event to whoever listens; counts deliveries and stops at the bound. */
static bool deliver_event(struct hd_router *r, struct hd_effect *e, hd_time now,
                          struct hd_effects *fx, unsigned *delivered)
{
    for (const struct hd_event_route *route = hd_event_routes; route->from != 0; route++) {
        struct slot *to = slot_of(r, route->to);
        if (route->from != e->core || route->list != e->u.event.list || to == NULL)
            continue;
        if (++*delivered > EVENTS_MAX) {
            log_events_dropped(route->to, fx);
            return false;
        }
        struct hd_input in = {.type = HD_IN_EVENT, .core = route->to, .arrived = now};
        in.u.event.from = (uint8_t)e->core;
        in.u.event.list = e->u.event.list;
        in.u.event.row = hd_fx_payload(e);
        in.u.event.len = e->u.event.len;
        give_input(r, to, &in, now, fx);
    }
    return true;
}

/* Delivers the events among the effects from `mark` on, those that listeners raise included. */
static void deliver_events(struct hd_router *r, uint32_t mark, hd_time now, struct hd_effects *fx)
{
    unsigned delivered = 0;

    if (hd_event_routes[0].from == 0)
        return;
    for (uint32_t at = mark; at < fx->used;) {
        struct hd_effect *e = (struct hd_effect *)(void *)(fx->buf + at);
        if (e->type == HD_FX_EVENT && !deliver_event(r, e, now, fx, &delivered))
            return;
        at += e->size;
    }
}

/* --- calls ------------------------------------------------------------------------------------ */

int hd_router_start_core(struct hd_router *r, const struct hd_router_core *c, hd_time now,
                         struct hd_effects *fx)
{
    const struct hd_core_ops *ops = hd_core_ops(c->core);
    uint32_t mark = fx->used;

    if (ops == NULL)
        return HD_ENOENT;
    if (r->slots[c->core] != NULL)
        return HD_EEXIST;
    int error = HD_ENOMEM;
    struct slot *s = hd_pool_alloc(r->model.pool, sizeof *s);
    if (s == NULL)
        return error;
    s->core = c->core;
    s->state = hd_pool_alloc(r->model.pool, ops->state_size);
    if (s->state == NULL)
        goto free_slot;
    hd_random_seed(&s->random, r->seed, c->core);
    struct hd_ctx ctx = context(r, s, now, fx);
    error = ops->start(s->state, &ctx, &c->start);
    if (error != 0)
        goto free_state;
    r->slots[c->core] = s;
    remember_answer(s);
    deliver_events(r, mark, now, fx);
    return 0;

free_state:
    hd_pool_free(r->model.pool, s->state, ops->state_size);
free_slot:
    hd_pool_free(r->model.pool, s, sizeof *s);
    return error;
}

/* A command for a core that does not run must not leave its asker waiting. */
static void refuse_command(const struct hd_input *in, struct hd_effects *fx)
{
    if (in->type != HD_IN_COMMAND || in->u.command.cancel)
        return;
    struct hd_effect *e = hd_fx_append(fx, in->core, HD_FX_REPLY, 0);
    if (e == NULL)
        return;
    e->u.reply.command = in->u.command.id;
    e->u.reply.flags = HD_REPLY_LAST;
    e->u.reply.error = HD_ENOENT;
}

struct hd_answer hd_router_input(struct hd_router *r, const struct hd_input *in, hd_time now,
                                 struct hd_effects *fx)
{
    uint32_t mark = fx->used;

    if (in->type == HD_IN_DATAGRAM &&
        hd_model_watch_take(&r->model, in->core, &in->u.datagram, in->arrived, now))
        return whole_answer(r);
    if (in->type == HD_IN_INTERFACE || in->type == HD_IN_ADDRESS || in->type == HD_IN_WALL_CLOCK) {
        for (unsigned i = 0; i < HD_CORE_COUNT; i++)
            if (r->slots[i] != NULL)
                give_input(r, r->slots[i], in, now, fx);
    } else if (slot_of(r, in->core) != NULL) {
        give_input(r, slot_of(r, in->core), in, now, fx);
    } else {
        refuse_command(in, fx);
    }
    deliver_events(r, mark, now, fx);
    return whole_answer(r);
}

/* Tells owners whose watches heard nothing; what finds no room this time is due at once again. */
static void serve_watches(struct hd_router *r, hd_time now, struct hd_effects *fx)
{
    for (unsigned i = 0; i < WATCHES_MAX && hd_model_watch_deadline(&r->model) <= now; i++) {
        const struct hd_watch *w = hd_model_watch_expired(&r->model, now);
        if (w == NULL || slot_of(r, w->o.owner) == NULL)
            continue;
        struct hd_input in = {.type = HD_IN_WATCH,
                              .core = w->o.owner,
                              .arrived = now,
                              .u.watch = {.index = w->index, .seen_at = w->seen_at}};
        give_input(r, slot_of(r, in.core), &in, now, fx);
    }
}

struct hd_answer hd_router_due(struct hd_router *r, hd_time now, struct hd_effects *fx)
{
    uint32_t mark = fx->used;

    serve_watches(r, now, fx);
    for (unsigned i = 0; i < HD_CORE_COUNT; i++) {
        struct slot *s = r->slots[i];
        if (s == NULL || s->deadline > now)
            continue;
        struct hd_ctx c = context(r, s, now, fx);
        hd_core_ops(s->core)->due(s->state, &c);
        remember_answer(s);
    }
    deliver_events(r, mark, now, fx);
    return whole_answer(r);
}

/* The core that works next: the most urgent one; of equals, the next after the last. */
static struct slot *choose_worker(const struct hd_router *r)
{
    struct slot *best = NULL;

    for (unsigned i = 1; i <= HD_CORE_COUNT; i++) {
        struct slot *s = r->slots[(r->turn + i) % HD_CORE_COUNT];
        if (s != NULL && s->pending > (best != NULL ? best->pending : HD_PENDING_NONE))
            best = s;
    }
    return best;
}

struct hd_answer hd_router_work(struct hd_router *r, uint32_t units, hd_time now,
                                struct hd_effects *fx)
{
    uint32_t mark = fx->used;
    struct slot *s = choose_worker(r);

    if (s != NULL) {
        struct hd_ctx c = context(r, s, now, fx);
        hd_core_ops(s->core)->work(s->state, &c, units);
        remember_answer(s);
        r->turn = s->core;
        deliver_events(r, mark, now, fx);
    }
    return whole_answer(r);
}

int hd_router_configure(struct hd_router *r, uint8_t core, const void *config, uint32_t len,
                        hd_time now, struct hd_effects *fx)
{
    struct slot *s = slot_of(r, core);
    uint32_t mark = fx->used;

    if (s == NULL)
        return HD_ENOENT;
    struct hd_ctx c = context(r, s, now, fx);
    int error = hd_core_ops(core)->configure(s->state, &c, config, len);
    remember_answer(s);
    deliver_events(r, mark, now, fx);
    return error;
}

int hd_router_check(struct hd_router *r, uint8_t core, const void *config, uint32_t len,
                    hd_time now)
{
    struct hd_effects none = {0}; /* a question has no effects */
    struct slot *s = slot_of(r, core);

    if (s == NULL)
        return HD_ENOENT;
    if (hd_core_ops(core)->check == NULL)
        return 0;
    struct hd_ctx c = context(r, s, now, &none);
    return hd_core_ops(core)->check(s->state, &c, config, len);
}

int hd_router_check_change(struct hd_router *r, uint8_t core, const struct hd_config_delta *d,
                           hd_time now)
{
    struct hd_effects none = {0};
    struct slot *s = slot_of(r, core);

    if (s == NULL)
        return HD_ENOENT;
    if (hd_core_ops(core)->check_change == NULL)
        return HD_EUNSUPPORTED;
    struct hd_ctx c = context(r, s, now, &none);
    return hd_core_ops(core)->check_change(s->state, &c, d);
}

int hd_router_change(struct hd_router *r, uint8_t core, const struct hd_config_delta *d,
                     hd_time now, struct hd_effects *fx)
{
    struct slot *s = slot_of(r, core);
    uint32_t mark = fx->used;

    if (s == NULL)
        return HD_ENOENT;
    if (hd_core_ops(core)->change == NULL)
        return HD_EUNSUPPORTED;
    struct hd_ctx c = context(r, s, now, fx);
    int error = hd_core_ops(core)->change(s->state, &c, d);
    remember_answer(s);
    deliver_events(r, mark, now, fx);
    return error;
}

uint32_t hd_router_rows(struct hd_router *r, uint8_t core, uint16_t list,
                        struct hd_row_cursor *cursor, void *out, uint32_t max, hd_time now)
{
    struct hd_effects none = {0}; /* a reader has no effects */
    struct slot *s = slot_of(r, core);

    if (core == HD_CORE_MODEL)
        return hd_model_rows(&r->model, list, cursor, out, max, now);
    if (s == NULL) {
        cursor->end = true;
        return 0;
    }
    struct hd_ctx c = context(r, s, now, &none);
    return hd_core_ops(core)->rows(s->state, &c, list, cursor, out, max);
}

void hd_router_stop_core(struct hd_router *r, uint8_t core, hd_time now, struct hd_effects *fx)
{
    struct slot *s = slot_of(r, core);

    if (s == NULL)
        return;
    const struct hd_core_ops *ops = hd_core_ops(core);
    struct hd_ctx c = context(r, s, now, fx);
    uint32_t mark = fx->used;
    ops->stop(s->state, &c);
    r->slots[core] = NULL; /* what is left of it hears no more events */
    hd_pool_free(r->model.pool, s->state, ops->state_size);
    hd_pool_free(r->model.pool, s, sizeof *s);
    deliver_events(r, mark, now, fx);
}

void hd_router_stop(struct hd_router *r, hd_time now, struct hd_effects *fx)
{
    for (unsigned i = HD_CORE_COUNT; i-- > 0;)
        hd_router_stop_core(r, (uint8_t)i, now, fx);
}

struct hd_model *hd_router_model(struct hd_router *r)
{
    return &r->model;
}

struct hd_ids *hd_router_ids(struct hd_router *r)
{
    return r->ids;
}

struct hd_pool *hd_router_pool(struct hd_router *r)
{
    return r->model.pool;
}

void *hd_router_core_state(struct hd_router *r, uint8_t core)
{
    struct slot *s = slot_of(r, core);

    return s != NULL ? s->state : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The tape of tape.h. */
#include "tape.h"

#include <sys/mman.h>

static struct tape *running;

void tape_begin(struct tape *t, size_t bytes, size_t region_bytes, uint32_t fx_bytes)
{
    memset(t, 0, sizeof *t);
    t->bytes = bytes;
    t->region_bytes = region_bytes;
    t->fx_bytes = fx_bytes;
    t->ring = test_region(bytes);
    hd_random_seed(&t->random, 1, 1);
    running = t;
}

void tape_end(struct tape *t)
{
    running = NULL;
}

void tape_free(struct tape *t)
{
    if (t->held != NULL)
        munmap(t->held, t->region_bytes);
    free(t->ring);
}

/* Only that nobody else gets the addresses: replaces what is mapped there, as one step. */
static void hold(void *region, size_t bytes)
{
    void *at = mmap(region, bytes, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

    assert_true(at == region);
}

void tape_hold(struct tape *t, void *region)
{
    hold(region, t->region_bytes);
    t->held = region;
}

/* --- wrapped calls ---------------------------------------------------------------------------- */

/* The recorder begins with the first call: the router lies at the begin of its region, in the pool.
 */
static struct hd_recorder *recorder_of(struct hd_router *r, hd_time now)
{
    struct tape *t = running;

    if (t == NULL)
        return NULL;
    if (!t->on) {
        struct hd_recorder_start s = {.ring = t->ring,
                                      .bytes = t->bytes,
                                      .region = hd_router_pool(r),
                                      .region_bytes = t->region_bytes,
                                      .router = r,
                                      .fx_bytes = t->fx_bytes,
                                      .now = now};
        assert_int_equal(hd_recorder_init(&t->recorder, &s), 0);
        t->on = true;
    }
    return &t->recorder;
}

static void realise(struct tape *t, struct hd_router *r)
{
    struct hd_model_refused v[HD_RECORDED_REFUSED_MAX];
    struct hd_model_refused_list list = {.v = v, .cap = HD_ARRAY_LEN(v)};
    struct hd_model *m = hd_router_model(r);
    struct hd_change c;

    if (m->installed_generation == m->generation)
        return;
    struct hd_model_old_list lent = {.refused = &list};
    m->old = &lent;
    while (hd_model_pull(m, &c)) {
        bool refused = t->refuse_in > 0 && hd_random_below(&t->random, t->refuse_in) == 0;
        hd_model_done(m, &c, refused ? HD_ENOMEM : 0);
    }
    hd_model_realised(m, m->generation);
    m->old = NULL;
    hd_recorder_refused(&t->recorder, &list);
}

/* A buffer is empty before a call: what the test still has in it is left out. */
static struct hd_effects rest_of(const struct hd_effects *fx)
{
    struct hd_effects rest;

    hd_fx_init(&rest, fx->buf + fx->used, fx->size - fx->used);
    return rest;
}

static void ended(struct hd_recorder *p, struct hd_router *r, int result, struct hd_answer a,
                  struct hd_effects *fx, const struct hd_effects *rest)
{
    fx->used += rest->used;
    fx->count += rest->count;
    fx->lost += rest->lost;
    if (p == NULL)
        return;
    hd_recorder_outcome(p, result, &a, rest);
    realise(running, r);
}

static const struct hd_answer none = {.deadline = HD_NEVER};

#define WRAPPED(type, name, ...)                                                                   \
    type __real_hd_router_##name(__VA_ARGS__);                                                     \
    type __wrap_hd_router_##name(__VA_ARGS__);                                                     \
    type __wrap_hd_router_##name(__VA_ARGS__)

WRAPPED(int, start_core, struct hd_router *r, const struct hd_router_core *c, hd_time now,
        struct hd_effects *fx)
{
    struct hd_recorder *p = recorder_of(r, now);
    struct hd_effects rest = rest_of(fx);

    if (p != NULL)
        hd_recorder_start_core(p, c, now);
    int result = __real_hd_router_start_core(r, c, now, &rest);
    ended(p, r, result, none, fx, &rest);
    return result;
}

WRAPPED(struct hd_answer, input, struct hd_router *r, const struct hd_input *in, hd_time now,
        struct hd_effects *fx)
{
    struct hd_recorder *p = recorder_of(r, now);
    struct hd_effects rest = rest_of(fx);

    if (p != NULL)
        hd_recorder_input(p, in, now);
    struct hd_answer a = __real_hd_router_input(r, in, now, &rest);
    ended(p, r, 0, a, fx, &rest);
    return a;
}

WRAPPED(struct hd_answer, due, struct hd_router *r, hd_time now, struct hd_effects *fx)
{
    struct hd_recorder *p = recorder_of(r, now);
    struct hd_effects rest = rest_of(fx);

    if (p != NULL)
        hd_recorder_due(p, now);
    struct hd_answer a = __real_hd_router_due(r, now, &rest);
    ended(p, r, 0, a, fx, &rest);
    return a;
}

WRAPPED(struct hd_answer, work, struct hd_router *r, uint32_t units, hd_time now,
        struct hd_effects *fx)
{
    struct hd_recorder *p = recorder_of(r, now);
    struct hd_effects rest = rest_of(fx);

    if (p != NULL)
        hd_recorder_work(p, units, now);
    struct hd_answer a = __real_hd_router_work(r, units, now, &rest);
    ended(p, r, 0, a, fx, &rest);
    return a;
}

WRAPPED(void, stop, struct hd_router *r, hd_time now, struct hd_effects *fx)
{
    struct hd_recorder *p = recorder_of(r, now);
    struct hd_effects rest = rest_of(fx);

    if (p != NULL)
        hd_recorder_stop(p, now);
    __real_hd_router_stop(r, now, &rest);
    ended(p, r, 0, none, fx, &rest);
}

/* --- playing ---------------------------------------------------------------------------------- */

static void play(struct hd_player *p, struct tape_result *t)
{
    while ((t->error = hd_player_next(p, &t->why)) == 1) {
        t->number = p->call.number;
        if (p->call.outcome == NULL) {
            t->unfinished = true;
            continue;
        }
        hd_player_make(p, &t->d);
        t->compared++;
        if (t->d.field != NULL)
            return;
    }
}

struct tape_result tape_play(const void *image, size_t bytes)
{
    return tape_play_and_look(image, bytes, NULL);
}

struct tape_result tape_play_and_look(const void *image, size_t bytes,
                                      void (*look)(struct hd_router *r))
{
    struct tape_result t = {.d.effect = -1};
    struct hd_recording *r = malloc(sizeof *r);
    struct hd_player *p = malloc(sizeof *p);

    assert_non_null(r);
    assert_non_null(p);
    t.error = hd_recording_open(r, image, bytes, &t.why);
    if (t.error == 0) {
        assert_true(hd_recording_same_cores(r));
        void *want = (void *)(uintptr_t)r->head.region_address;
        void *region = mmap(want, r->head.region_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        assert_true(region == want);
        void *fx = malloc(r->head.fx_bytes);
        assert_non_null(fx);
        hd_player_init(p, r, region, fx);
        play(p, &t);
        t.made = p->made;
        t.skipped = p->skipped;
        if (look != NULL)
            look(p->router);
        hold(region, r->head.region_bytes);
        free(fx);
    }
    free(p);
    free(r);
    return t;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Playing a recording: see player.h. What the driver did between two calls is done here as well:
 * it put the changes of the model into force, and some were refused.
 */
#include "replay/player.h"

#include <string.h>

#include "lib/base.h"
#include "model/liveness.h"

void hd_player_init(struct hd_player *p, const struct hd_recording *r, void *region, void *fx)
{
    memset(p, 0, sizeof *p);
    p->recording = r;
    p->region = region;
    p->reload = true;
    hd_fx_init(&p->fx, fx, (uint32_t)r->head.fx_bytes);
}

/* --- snapshots ---------------------------------------------------------------------------------
 */

static void load_snapshot(struct hd_player *p)
{
    const struct hd_recorded_snapshot *s = &p->call.snapshot;
    const uint8_t *page = p->call.pages;

    for (uint64_t i = 0; i < s->pages; i++) {
        uint64_t at = i * HD_RECORDING_PAGE;
        size_t len = (size_t)HD_MIN(s->used - at, (uint64_t)HD_RECORDING_PAGE);
        if (p->call.bitmap[i / 8] >> i % 8 & 1) {
            memcpy(p->region + at, page, len);
            page += len;
        } else {
            memset(p->region + at, 0, len);
        }
    }
    p->router = (struct hd_router *)(void *)(p->region + p->recording->head.router_offset);
    p->running = s->running;
}

/*
 * The first snapshot is where we begin. A later one only repeats what the calls before it made,
 * and the router goes on without it; unless the recorder could not keep some of them.
 */
static void pass_snapshot(struct hd_player *p, uint64_t last)
{
    if (!p->reload && p->call.number == last)
        return;
    if (p->made > 0)
        p->skipped += p->call.number - last;
    load_snapshot(p);
    p->reload = false;
}

/* --- edits ------------------------------------------------------------------------------------ */

static void make_edit(struct hd_player *p)
{
    const struct hd_recorded_edit *e = &p->call.edit;
    struct hd_model *m = hd_router_model(p->router);
    struct hd_periodic_change periodic;
    struct hd_virtual_change virtual;

    switch ((enum hd_recorded_edit_op)e->op) {
    case HD_EDIT_PERIODIC_PULL:
        (void)hd_model_periodic_pull(m, &periodic);
        break;
    case HD_EDIT_PERIODIC_DONE:
        hd_model_periodic_done(m, e->index, (int)e->a);
        break;
    case HD_EDIT_PERIODIC_COUNT:
        hd_model_periodic_count(m, e->index, (uint64_t)e->a, (uint64_t)e->b);
        break;
    case HD_EDIT_PERIODICS_LOST:
        hd_model_periodics_lost(m);
        break;
    case HD_EDIT_WATCH_SEEN:
        hd_model_watch_seen(m, e->index, e->a);
        break;
    case HD_EDIT_VIRTUAL_PULL:
        (void)hd_model_virtual_pull(m, &virtual);
        break;
    case HD_EDIT_VIRTUAL_DONE:
        (void)hd_model_virtual_done(m, e->index, &p->call.virtual_value, (int)e->a);
        break;
    case HD_EDIT_VIRTUALS_REPEAT:
        hd_model_virtuals_repeat(m);
        break;
    case HD_EDIT_VIRTUAL_SWEEP:
        hd_model_virtual_sweep(m, (uint8_t)e->index);
        break;
    case HD_EDIT_PERIODIC_SWEEP:
        hd_model_periodic_sweep(m);
        break;
    }
}

int hd_player_next(struct hd_player *p, const char **why)
{
    uint64_t last = p->call.number;
    int got;

    hd_fx_clear(&p->fx);
    while ((got = hd_recording_next(p->recording, &p->cursor, &p->call, why)) == 1) {
        if (p->call.type == HD_RECORD_SNAPSHOT)
            pass_snapshot(p, last);
        else if (p->call.type == HD_RECORD_EDIT && p->router != NULL)
            make_edit(p);
        else
            break;
        last = p->call.number;
    }
    if (got == 1 && p->router == NULL) {
        *why = "the recording does not begin with a snapshot";
        return HD_EMALFORMED;
    }
    p->pending = got == 1;
    return got;
}

/* --- comparing ---------------------------------------------------------------------------------
 */

struct field {
    const char *name;
    uint16_t offset, size;
};

#define FIELD(s, m)                                                                                \
    {                                                                                              \
#m, offsetof(struct s, m), sizeof(((struct s *)0)->m)                                      \
    }

/* Digests come last: the field that explains them is named first. */
static const struct field outcome_fields[] = {
    FIELD(hd_recorded_outcome, result),         FIELD(hd_recorded_outcome, effects),
    FIELD(hd_recorded_outcome, lost),           FIELD(hd_recorded_outcome, deadline),
    FIELD(hd_recorded_outcome, pending),        FIELD(hd_recorded_outcome, generation),
    FIELD(hd_recorded_outcome, queued),         FIELD(hd_recorded_outcome, changes),
    FIELD(hd_recorded_outcome, effects_digest),
};

#define EFFECT(m) FIELD(hd_recorded_effect, m)

static const struct field common_fields[] = {EFFECT(type), EFFECT(core)};
static const struct field port_fields[] = {EFFECT(u.port.port), EFFECT(u.port.kind),
                                           EFFECT(u.port.number), EFFECT(u.port.group)};
static const struct field send_fields[] = {
    EFFECT(u.send.port),    EFFECT(u.send.flags), EFFECT(u.send.traffic_class),
    EFFECT(u.send.ifindex), EFFECT(u.send.to),    EFFECT(u.send.after_generation),
    EFFECT(u.send.key),     EFFECT(u.send.len),
};
static const struct field save_fields[] = {EFFECT(u.save.key), EFFECT(u.save.len)};
static const struct field event_fields[] = {EFFECT(u.event.list), EFFECT(u.event.len)};
static const struct field reply_fields[] = {
    EFFECT(u.reply.command), EFFECT(u.reply.list), EFFECT(u.reply.flags),
    EFFECT(u.reply.error),   EFFECT(u.reply.rows), EFFECT(u.reply.len),
};
static const struct field sample_fields[] = {EFFECT(u.sample.object_kind), EFFECT(u.sample.object),
                                             EFFECT(u.sample.tag)};
static const struct field log_fields[] = {EFFECT(u.log.level), EFFECT(u.log.cause),
                                          EFFECT(u.log.nargs)};
static const struct field trace_fields[] = {EFFECT(u.trace.kind), EFFECT(u.trace.len)};
static const struct field raw_fields[] = {EFFECT(u.raw)};
static const struct field payload_fields[] = {EFFECT(payload_len), EFFECT(payload)};

#define FIELDS(a)                                                                                  \
    {                                                                                              \
        a, HD_ARRAY_LEN(a)                                                                         \
    }

static const struct {
    const struct field *v;
    unsigned n;
} fields_of[] = {
    [HD_FX_OPEN_PORT] = FIELDS(port_fields), [HD_FX_CLOSE_PORT] = FIELDS(port_fields),
    [HD_FX_SEND] = FIELDS(send_fields),      [HD_FX_SAVE] = FIELDS(save_fields),
    [HD_FX_EVENT] = FIELDS(event_fields),    [HD_FX_REPLY] = FIELDS(reply_fields),
    [HD_FX_SAMPLE] = FIELDS(sample_fields),  [HD_FX_LOG] = FIELDS(log_fields),
    [HD_FX_TRACE] = FIELDS(trace_fields),
};

/* A field as a number, as far as it is one: the first eight bytes. */
static uint64_t value_of(const void *s, const struct field *f)
{
    uint64_t v = 0;

    memcpy(&v, (const uint8_t *)s + f->offset, HD_MIN(f->size, (uint16_t)sizeof v));
    return v;
}

static bool compare(const void *recorded, const void *replayed, const struct field *f, unsigned n,
                    struct hd_difference *d)
{
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *a = (const uint8_t *)recorded + f[i].offset;
        const uint8_t *b = (const uint8_t *)replayed + f[i].offset;
        if (memcmp(a, b, f[i].size) == 0)
            continue;
        d->field = f[i].name;
        d->recorded = value_of(recorded, &f[i]);
        d->replayed = value_of(replayed, &f[i]);
        return true;
    }
    return false;
}

static bool compare_effect(const struct hd_recorded_effect *a, const struct hd_recorded_effect *b,
                           struct hd_difference *d)
{
    if (compare(a, b, common_fields, HD_ARRAY_LEN(common_fields), d))
        return true;
    if (a->type < HD_ARRAY_LEN(fields_of) && fields_of[a->type].v != NULL) {
        if (compare(a, b, fields_of[a->type].v, fields_of[a->type].n, d))
            return true;
    } else if (compare(a, b, raw_fields, HD_ARRAY_LEN(raw_fields), d)) {
        return true;
    }
    return compare(a, b, payload_fields, HD_ARRAY_LEN(payload_fields), d);
}

static void compare_outcome(const struct hd_player *p, struct hd_difference *d)
{
    const struct hd_recorded_outcome *a = p->call.outcome, *b = &p->outcome.o;
    uint32_t listed = HD_MIN(a->listed, b->listed);

    for (uint32_t i = 0; i < listed; i++) {
        if (compare_effect(&p->call.effects[i], &p->outcome.effects[i], d)) {
            d->effect = (int)i;
            return;
        }
    }
    compare(a, b, outcome_fields, HD_ARRAY_LEN(outcome_fields), d);
}

/* --- making a call -----------------------------------------------------------------------------
 */

static int call_router(struct hd_player *p, struct hd_answer *answer)
{
    const struct hd_recorded_call *c = &p->call;
    struct hd_start start;
    int result = 0;

    switch ((enum hd_record_type)c->type) {
    case HD_RECORD_START:
        start = c->start.start;
        start.saved = c->saved;
        result = hd_router_start_core(p->router, &(struct hd_router_core){c->start.core, start},
                                      c->now, &p->fx);
        break;
    case HD_RECORD_INPUT:
        *answer = hd_router_input(p->router, &c->input, c->now, &p->fx);
        break;
    case HD_RECORD_DUE:
        *answer = hd_router_due(p->router, c->now, &p->fx);
        break;
    case HD_RECORD_WORK:
        *answer = hd_router_work(p->router, c->units, c->now, &p->fx);
        break;
    case HD_RECORD_CONFIGURE:
        result = hd_router_configure(p->router, c->core, c->config, c->config_len, c->now, &p->fx);
        break;
    case HD_RECORD_CHANGE:
        result = hd_router_change(p->router, c->core, &c->delta, c->now, &p->fx);
        break;
    case HD_RECORD_STOP:
        hd_router_stop(p->router, c->now, &p->fx);
        break;
    case HD_RECORD_STOP_CORE:
        hd_router_stop_core(p->router, c->core, c->now, &p->fx);
        break;
    default:
        break;
    }
    return result;
}

static int refusal_of(const struct hd_recorded_refused *refused, const struct hd_change *c)
{
    for (uint32_t i = 0; refused != NULL && i < refused->count; i++)
        if (refused->v[i].kind == (uint32_t)c->kind && refused->v[i].index == c->index)
            return refused->v[i].error;
    return 0;
}

static void realise(struct hd_player *p)
{
    struct hd_model *m = hd_router_model(p->router);
    uint32_t generation = m->generation;
    struct hd_change c;

    if (m->installed_generation == generation)
        return;
    while (hd_model_pull(m, &c))
        hd_model_done(m, &c, refusal_of(p->call.refused, &c));
    hd_model_realised(m, generation);
}

void hd_player_make(struct hd_player *p, struct hd_difference *d)
{
    struct hd_answer answer = {.deadline = HD_NEVER};

    *d = (struct hd_difference){.effect = -1};
    HD_ASSERT(p->pending);
    p->pending = false;
    int result = call_router(p, &answer);
    hd_outcome_make(&p->outcome, result, &answer, p->router, &p->fx);
    p->made++;
    p->running = p->outcome.o.running = hd_outcome_running(p->running, &p->outcome.o);
    if (p->call.outcome != NULL) {
        compare_outcome(p, d);
        if (d->field == NULL && p->running != p->call.outcome->running)
            d->field = "running digest";
        p->reload = p->call.refused != NULL && p->call.refused->lost > 0;
    }
    realise(p);
}

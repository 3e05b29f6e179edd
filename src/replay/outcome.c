/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of outcomes (outcome.h). Everything that can be seen from outside goes in, and nothing
 * else: no address of a static text (it differs between programs), no padding.
 */
#include "replay/outcome.h"

#include <string.h>

#include "lib/base.h"
#include "lib/hash.h"

static inline uint64_t add_word(uint64_t h, uint64_t w)
{
    h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
    return h ^ (h >> 32);
}

uint64_t hd_outcome_digest(uint64_t start, const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    uint64_t h = add_word(start, len), w;

    for (; len >= 8; len -= 8, b += 8) {
        memcpy(&w, b, 8);
        h = add_word(h, w);
    }
    w = 0;
    for (size_t i = 0; i < len; i++)
        w |= (uint64_t)b[i] << 8 * i;
    return add_word(h, w);
}

static uint64_t text_digest(const char *text)
{
    return text != NULL ? hd_outcome_digest(1, text, strlen(text)) : 0;
}

static uint64_t add_id(uint64_t h, const uint8_t b[HD_ID_BYTES])
{
    return hd_outcome_digest(h, b, HD_ID_BYTES);
}

/* --- effects ---------------------------------------------------------------------------------- */

static uint64_t log_digest(const struct hd_log_arg *args, uint32_t n)
{
    uint64_t h = n;

    for (uint32_t i = 0; i < n; i++) {
        h = add_word(h, text_digest(args[i].key));
        h = add_word(h, args[i].type);
        switch ((enum hd_log_arg_type)args[i].type) {
        case HD_ARG_UINT:
            h = add_word(h, args[i].u.number);
            break;
        case HD_ARG_TIME:
            h = add_word(h, (uint64_t)args[i].u.time_ns);
            break;
        case HD_ARG_ID:
            h = add_id(h, args[i].u.id.b);
            break;
        case HD_ARG_IP6:
            h = hd_outcome_digest(h, &args[i].u.ip6, sizeof args[i].u.ip6);
            break;
        case HD_ARG_TEXT:
            h = add_word(h, text_digest(args[i].u.text));
            break;
        }
    }
    return h;
}

static void copy_reply(struct hd_fx_reply *to, const struct hd_fx_reply *from)
{
    to->command = from->command;
    to->list = from->list;
    to->flags = from->flags;
    to->error = from->error;
    to->rows = from->rows;
    to->len = from->len;
}

/* The struct's own part, member by member where there is padding. */
static void copy_head(struct hd_recorded_effect *r, const struct hd_effect *e)
{
    switch ((enum hd_effect_type)e->type) {
    case HD_FX_OPEN_PORT:
    case HD_FX_CLOSE_PORT:
        r->u.port = e->u.port;
        break;
    case HD_FX_SEND:
        r->u.send = e->u.send;
        break;
    case HD_FX_SAVE:
        r->u.save.key = e->u.save.key;
        r->u.save.len = e->u.save.len;
        break;
    case HD_FX_EVENT:
        r->u.event.list = e->u.event.list;
        r->u.event.len = e->u.event.len;
        break;
    case HD_FX_REPLY:
        copy_reply(&r->u.reply, &e->u.reply);
        break;
    case HD_FX_SAMPLE:
        r->u.sample.object_kind = e->u.sample.object_kind;
        r->u.sample.object = e->u.sample.object;
        r->u.sample.tag = e->u.sample.tag;
        break;
    case HD_FX_LOG:
        r->u.log.level = e->u.log.level;
        r->u.log.nargs = e->u.log.nargs;
        r->u.log.cause = text_digest(e->u.log.cause);
        break;
    case HD_FX_TRACE:
        r->u.trace.kind = e->u.trace.kind;
        r->u.trace.len = e->u.trace.len;
        break;
    default: /* a struct without padding, or it would say so here */
        memcpy(r->u.raw, &e->u, sizeof r->u.raw);
        break;
    }
}

static void describe(struct hd_recorded_effect *r, const struct hd_effect *e)
{
    memset(r, 0, sizeof *r);
    r->type = e->type;
    r->core = e->core;
    r->payload_len = e->size - (uint32_t)sizeof *e;
    copy_head(r, e);
    if (e->type == HD_FX_LOG)
        r->payload = log_digest((const struct hd_log_arg *)(const void *)(e + 1), e->u.log.nargs);
    else
        r->payload = hd_outcome_digest(0, e + 1, r->payload_len);
}

static void add_effects(struct hd_outcome *out, const struct hd_effects *fx)
{
    struct hd_recorded_effect more;
    uint64_t h = 0;

    for (const struct hd_effect *e = hd_fx_first(fx); e != NULL; e = hd_fx_next(fx, e)) {
        bool listed = out->o.listed < HD_RECORDED_EFFECTS_MAX;
        struct hd_recorded_effect *r = listed ? &out->effects[out->o.listed++] : &more;
        describe(r, e);
        h = hd_outcome_digest(h, r, sizeof *r);
    }
    out->o.effects = fx->count;
    out->o.lost = fx->lost;
    out->o.effects_digest = h;
}

/* --- changes of the model --------------------------------------------------------------------- */

static uint64_t add_adj(uint64_t h, const struct hd_adj_value *v)
{
    h = add_word(h, v->ifindex);
    h = hd_outcome_digest(h, &v->link_local, sizeof v->link_local);
    h = hd_outcome_digest(h, &v->mac, sizeof v->mac);
    return add_word(h, (uint64_t)v->guard << 2 | (uint64_t)v->admitted << 1 | v->down);
}

static uint64_t add_guard(uint64_t h, const struct hd_guard_value *v)
{
    return add_id(add_id(add_word(h, v->adj), v->out.b), v->then.b);
}

static uint64_t add_repair(uint64_t h, const struct hd_model *m, uint16_t ref)
{
    const struct hd_repair r = hd_model_repair(m, ref);
    return add_id(add_word(h, r.guard), r.then.b);
}

static uint64_t add_label(uint64_t h, const struct hd_model *m, const struct hd_label_entry *l)
{
    h = add_id(h, l->key.b);
    h = add_word(h, (uint64_t)l->v.act << 32 | l->v.adj);
    h = add_repair(h, m, l->repair);
    return add_id(h, l->v.out.b);
}

static uint64_t add_route(uint64_t h, const struct hd_model *m, const struct hd_route_entry *r)
{
    h = hd_outcome_digest(h, &r->key.prefix, sizeof r->key.prefix);
    h = add_word(h, (uint64_t)r->key.len << 48 | (uint64_t)r->v.act << 40 | r->v.mtu);
    h = add_word(h, r->v.adj);
    h = add_repair(h, m, r->repair);
    return add_id(h, r->v.out.b);
}

static const struct hd_object *object_at(const struct hd_model *m, unsigned kind, uint32_t i)
{
    return kind == HD_OBJ_ADJ     ? &m->adjs.v[i].o
           : kind == HD_OBJ_GUARD ? &hd_model_guard(m, i)->o
           : kind == HD_OBJ_LABEL ? &m->labels.v[i].o
                                  : &m->routes.v[i].o;
}

static uint64_t add_object(uint64_t h, const struct hd_model *m, unsigned kind, uint32_t i)
{
    h = add_word(h, (uint64_t)kind << 32 | i);
    return kind == HD_OBJ_ADJ     ? add_adj(h, &m->adjs.v[i].v)
           : kind == HD_OBJ_GUARD ? add_guard(h, &hd_model_guard(m, i)->v)
           : kind == HD_OBJ_LABEL ? add_label(h, m, &m->labels.v[i])
                                  : add_route(h, m, &m->routes.v[i]);
}

/* All that waits to be pulled, in the order in which it will be. */
static uint64_t changes_digest(const struct hd_model *m)
{
    uint64_t h = 0;

    for (unsigned q = 0; q < 2 * HD_OBJ_KINDS && m->queued > 0; q++) {
        enum hd_object_kind kind;
        const struct hd_change_queue *queue = hd_model_queue(m, q, &kind);
        h = add_word(h, q);
        for (uint32_t i = queue != NULL ? queue->head : 0; i != 0; i = object_at(m, kind, i)->next)
            h = add_object(h, m, kind, i);
    }
    return h;
}

/* --- the outcome ------------------------------------------------------------------------------ */

void hd_outcome_make(struct hd_outcome *out, int result, const struct hd_answer *answer,
                     struct hd_router *r, const struct hd_effects *fx)
{
    const struct hd_model *m = hd_router_model(r);

    memset(&out->o, 0, sizeof out->o);
    out->o.deadline = answer->deadline;
    out->o.pending = answer->pending;
    out->o.result = result;
    out->o.generation = m->generation;
    out->o.queued = m->queued;
    out->o.changes = changes_digest(m);
    add_effects(out, fx);
}

uint64_t hd_outcome_running(uint64_t before, const struct hd_recorded_outcome *o)
{
    return hd_outcome_digest(before, o, offsetof(struct hd_recorded_outcome, running));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of cores in which KIRA breaks one rule on purpose, so that the checks of the simulator
 * can be seen to catch it. Linked into heddle-sim instead of the real table; HEDDLE_BREAK_RULE
 * names the rule. KIRA itself is the real one: calls pass through, and then the rule is broken.
 */
#include <stdlib.h>
#include <string.h>

#include "core/kira/kira.h"
#include "lib/base.h"
#include "router/cores.h"

#define FROM HD_SEC(2) /* until then all is well, so that there is something to break */

static void send_all_ways_back(struct hd_ctx *c);
static void forget_routes(struct hd_ctx *c);
static void refuse_one(struct hd_ctx *c);
static void leak(struct hd_ctx *c);
static void label_to_nowhere(struct hd_ctx *c);
static void refuse_neighbours(struct hd_ctx *c);

static const struct rule {
    const char *name;
    void (*breaks)(struct hd_ctx *c);
    enum { ON_TIME, ALWAYS_LATE, LATE_ONCE } deadline;
    enum hd_pending pending;
} rules[] = {
    {"none", NULL, ON_TIME, HD_PENDING_NONE},
    {"loop", send_all_ways_back, ON_TIME, HD_PENDING_NONE},
    {"black-hole", forget_routes, ON_TIME, HD_PENDING_NONE},
    {"one-hole", refuse_one, ON_TIME, HD_PENDING_NONE},
    {"memory", leak, ON_TIME, HD_PENDING_NONE},
    {"label", label_to_nowhere, ON_TIME, HD_PENDING_NONE},
    {"neighbour", refuse_neighbours, ON_TIME, HD_PENDING_NONE},
    {"deadline", NULL, ALWAYS_LATE, HD_PENDING_NONE},
    {"late", NULL, LATE_ONCE, HD_PENDING_NONE},
    {"work", NULL, ON_TIME, HD_PENDING_BACKGROUND},
    {"urgent", NULL, ON_TIME, HD_PENDING_URGENT},
};

static const struct rule *rule = &rules[0];

static uint32_t first_adj(const struct hd_model *m)
{
    return hd_model_next(m, HD_OBJ_ADJ, 0);
}

/* Whatever the destination, the first neighbour gets the packet. */
static void send_all_ways_back(struct hd_ctx *c)
{
    uint32_t adj = first_adj(c->model);
    for (uint32_t i = 0; adj != 0 && (i = hd_model_next(c->model, HD_OBJ_ROUTE, i)) != 0;) {
        const struct hd_route_entry *r = hd_model_route_at(c->model, i);
        struct hd_route_key key = r->key;
        struct hd_route_value v = {.act = HD_ROUTE_DIRECT, .adj = adj};
        if (r->v.act == HD_ROUTE_ENCAP && key.len == 128 &&
            hd_model_route_set(c->model, c->core, &key, &v) != 0)
            return;
    }
}

static void forget_routes(struct hd_ctx *c)
{
    for (uint32_t i = 0; (i = hd_model_next(c->model, HD_OBJ_ROUTE, i)) != 0;) {
        struct hd_route_key key = hd_model_route_at(c->model, i)->key;
        if (hd_model_route_at(c->model, i)->v.act == HD_ROUTE_ENCAP)
            hd_model_route_del(c->model, &key);
    }
}

/* One node does not reach one other: a hole that no sample of pairs meets soon. */
static void refuse_one(struct hd_ctx *c)
{
    static const struct hd_pool *culprit;
    static struct hd_route_key hole;
    const struct hd_route_value v = {.act = HD_ROUTE_UNREACHABLE};
    if (culprit == NULL)
        culprit = c->pool;
    if (culprit != c->pool)
        return;
    for (uint32_t i = 0; hole.len == 0 && (i = hd_model_next(c->model, HD_OBJ_ROUTE, i)) != 0;) {
        const struct hd_route_entry *r = hd_model_route_at(c->model, i);
        if (r->v.act == HD_ROUTE_ENCAP && r->key.len == 128)
            hole = r->key;
    }
    if (hole.len > 0 && hd_model_route_set(c->model, c->core, &hole, &v) != 0)
        hole.len = 0;
}

static void leak(struct hd_ctx *c)
{
    void *lost = hd_pool_alloc(c->pool, 4096);
    (void)lost;
}

static void label_to_nowhere(struct hd_ctx *c)
{
    struct hd_label in, out;
    struct hd_label_value v = {.act = HD_LABEL_SWAP, .adj = first_adj(c->model)};
    if (v.adj == 0)
        return;
    memset(&in, 0xa5, sizeof in);
    memset(&out, 0x5a, sizeof out);
    v.out = out;
    (void)hd_model_label_set(c->model, c->core, &in, &v);
}

/* Every other node takes nobody as a neighbour, while those at the other ends do. */
static void refuse_neighbours(struct hd_ctx *c)
{
    for (uint32_t i = 0; (i = hd_model_next(c->model, HD_OBJ_ADJ, i)) != 0;) {
        struct hd_adj_value v = hd_model_adj(c->model, i)->v;
        v.admitted = false;
        if ((v.ifindex & 1) != 0)
            hd_model_adj_set(c->model, i, &v);
    }
}

/* --- the core around the core --------------------------------------------------------------------
 */

static bool after_input; /* the last call was one */

static void after(struct hd_ctx *c)
{
    if (rule->breaks != NULL && c->now >= FROM)
        rule->breaks(c);
}

static void input(void *state, struct hd_ctx *c, const struct hd_input *in)
{
    hd_kira_ops.input(state, c, in);
    after_input = true;
    after(c);
}

static void due(void *state, struct hd_ctx *c)
{
    hd_kira_ops.due(state, c);
    after_input = false;
    after(c);
}

static void work(void *state, struct hd_ctx *c, uint32_t units)
{
    hd_kira_ops.work(state, c, units);
    after(c);
}

static struct hd_answer answer(const void *state)
{
    struct hd_answer a = hd_kira_ops.answer(state);
    bool late = rule->deadline == ALWAYS_LATE || (rule->deadline == LATE_ONCE && after_input);
    if (late && a.deadline != HD_NEVER && a.deadline >= FROM)
        a.deadline = FROM - HD_SEC(1);
    a.pending = HD_MAX(a.pending, rule->pending);
    return a;
}

const struct hd_event_route hd_event_routes[] = {
    {0, 0, 0},
};

const struct hd_core_ops *hd_core_ops(uint8_t core)
{
    static struct hd_core_ops broken;
    const char *name = getenv("HEDDLE_BREAK_RULE");
    if (core != HD_CORE_KIRA)
        return NULL;
    for (size_t i = 0; name != NULL && i < HD_ARRAY_LEN(rules); i++) {
        if (strcmp(rules[i].name, name) == 0)
            rule = &rules[i];
    }
    broken = hd_kira_ops;
    broken.input = input;
    broken.due = due;
    broken.work = work;
    broken.answer = answer;
    return &broken;
}

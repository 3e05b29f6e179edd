/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model changes on their way into the data plane.
 *
 * A change that a router makes is pulled at once and comes into force after the installation time.
 * The model holds wanted values only, so for that time the value in force is kept here, per node,
 * in a list that is empty nearly always: then forwarding reads the model directly. The list is in
 * pull order, which is the order of completion.
 */
#include "sim/engine.h"

/* Before a router runs: the model may tell which installed values it replaces. */
void install_before(struct worker *w, struct node *n)
{
    w->old.len = 0;
    w->old.lost = 0;
    hd_router_model(n->router)->old = &w->old;
}

static const struct hd_object *object_of(const struct hd_model *m, const struct hd_change *c)
{
    switch (c->kind) {
    case HD_OBJ_ADJ:
        return &m->adjs.v[c->index].o;
    case HD_OBJ_GUARD:
        return &hd_model_guard(m, c->index)->o;
    case HD_OBJ_LABEL:
        return &m->labels.v[c->index].o;
    case HD_OBJ_ROUTE:
        break;
    }
    return &m->routes.v[c->index].o;
}

static struct force_label label_of(const struct hd_model *m, const struct hd_label_entry *e)
{
    return (struct force_label){e->v, hd_model_repair(m, e->repair)};
}

static struct force_route route_of(const struct hd_model *m, const struct hd_route_entry *e)
{
    return (struct force_route){e->v, hd_model_repair(m, e->repair)};
}

static void value_of(const struct hd_model *m, enum hd_object_kind kind, uint32_t index,
                     union object_value *v)
{
    switch (kind) {
    case HD_OBJ_ADJ:
        v->adj = m->adjs.v[index].v;
        break;
    case HD_OBJ_GUARD:
        v->guard = hd_model_guard(m, index)->v;
        break;
    case HD_OBJ_LABEL:
        v->label = label_of(m, &m->labels.v[index]);
        break;
    case HD_OBJ_ROUTE:
        v->route = route_of(m, &m->routes.v[index]);
        break;
    }
}

static void keys_of(const struct hd_model *m, struct pending *p)
{
    if (p->change.kind == HD_OBJ_LABEL)
        p->label = m->labels.v[p->change.index].key;
    else if (p->change.kind == HD_OBJ_ROUTE)
        p->route = m->routes.v[p->change.index].key;
}

/* The value that this call replaced, else the one in the model. */
static void old_value(const struct worker *w, const struct hd_model *m, struct pending *p)
{
    for (uint32_t i = 0; i < w->old.len; i++) {
        const struct hd_model_old *o = &w->old.v[i];
        if (o->kind != p->change.kind || o->index != p->change.index)
            continue;
        if (o->kind == HD_OBJ_ADJ)
            p->old.adj = o->v.adj;
        else if (o->kind == HD_OBJ_GUARD)
            p->old.guard = o->v.guard;
        else if (o->kind == HD_OBJ_LABEL)
            p->old.label = (struct force_label){o->v.label, o->repair};
        else
            p->old.route = (struct force_route){o->v.route, o->repair};
        return;
    }
    value_of(m, p->change.kind, p->change.index, &p->old);
}

static const struct pending *first_pending(const struct node *n, enum hd_object_kind kind,
                                           uint32_t index)
{
    for (uint32_t i = 0; i < n->pending_count; i++) {
        if (n->pending[i].change.kind == kind && n->pending[i].change.index == index)
            return &n->pending[i];
    }
    return NULL;
}

static const struct pending *last_pending(const struct node *n, const struct hd_change *c)
{
    for (uint32_t i = n->pending_count; i-- > 0;) {
        if (n->pending[i].change.kind == c->kind && n->pending[i].change.index == c->index)
            return &n->pending[i];
    }
    return NULL;
}

static void add_pending(struct worker *w, struct node *n, const struct hd_change *c, hd_time due)
{
    const struct hd_model *m = n->model;
    struct pending p = {.change = *c, .due = due};
    const struct pending *before = last_pending(n, c);
    p.had_old = before != NULL ? !before->change.del : object_of(m, c)->present;
    if (p.had_old)
        old_value(w, m, &p);
    keys_of(m, &p);
    if (n->pending_count == n->pending_cap)
        n->pending = hd_sim_more(w->pool, n->pending, &n->pending_cap, sizeof *n->pending);
    n->pending[n->pending_count++] = p;
    w->stats.model_changes++;
}

static void add_batch(struct worker *w, struct node *n, hd_time due)
{
    if (n->batch_count == n->batch_cap)
        n->batches = hd_sim_more(w->pool, n->batches, &n->batch_cap, sizeof *n->batches);
    n->batches[n->batch_count++] = (struct batch){due, n->model->generation};
    w->stats.model_batches++;
}

/* After a router ran: its changes are under way from now on. */
void install_pull(struct worker *w, uint32_t node)
{
    struct node *n = &w->s->nodes[node];
    struct hd_model *m = n->model;
    struct hd_change c;
    hd_time due = w->now + w->s->o.install_ns;
    uint32_t pulled = 0;
    m->old = NULL;
    w->stats.old_lost += w->old.lost;
    while (hd_model_pull(m, &c)) {
        add_pending(w, n, &c, due);
        pulled++;
    }
    /* an edit that was undone before it was pulled also counts as a generation to be realised */
    uint32_t last =
        n->batch_count > 0 ? n->batches[n->batch_count - 1].generation : m->installed_generation;
    if (pulled == 0 && m->generation == last)
        return;
    add_batch(w, n, due);
    if (w->s->o.install_ns > 0)
        worker_push(w, due, node, node, false, EV_INSTALL, NULL, n->incarnation);
    else
        (void)install_due(w, node);
}

static void note_in_force(struct worker *w, uint32_t node, const struct pending *p)
{
    if (p->change.kind == HD_OBJ_ROUTE)
        holes_note(w, node, &p->route);
    if (!check_wants(w, &p->change))
        return;
    if (w->in_force_count == w->in_force_cap)
        w->in_force = hd_sim_more(w->pool, w->in_force, &w->in_force_cap, sizeof *w->in_force);
    w->in_force[w->in_force_count++] = (struct changed){.node = node,
                                                        .index = p->change.index,
                                                        .kind = (uint8_t)p->change.kind,
                                                        .label = p->label,
                                                        .route = p->route};
}

static void finish(struct worker *w, struct node *n, const struct pending *p)
{
    struct hd_sim *s = w->s;
    uint32_t node = (uint32_t)(n - s->nodes);
    sim_seen(s, HD_SIM_IN_FORCE, node, p->change.index,
             (uint32_t)p->change.kind | (p->change.del ? 256u : 0u), NULL, 0);
    note_in_force(w, node, p);
    if (p->change.kind == HD_OBJ_ROUTE)
        w->stats.last_route_change = w->now;
    hd_model_done(n->model, &p->change, 0);
}

bool install_due(struct worker *w, uint32_t node)
{
    struct node *n = &w->s->nodes[node];
    uint32_t done = 0, batches = 0;
    while (done < n->pending_count && n->pending[done].due <= w->now)
        finish(w, n, &n->pending[done++]);
    n->pending_count -= done;
    if (done > 0 && n->pending_count > 0)
        memmove(n->pending, n->pending + done, n->pending_count * sizeof *n->pending);
    while (batches < n->batch_count && n->batches[batches].due <= w->now)
        hd_model_realised(n->model, n->batches[batches++].generation);
    n->batch_count -= batches;
    if (batches > 0 && n->batch_count > 0)
        memmove(n->batches, n->batches + batches, n->batch_count * sizeof *n->batches);
    if (batches > 0)
        w->forwarding_changes++;
    if (n->pending_count == 0 && n->batch_count == 0)
        install_drop(w, n);
    return batches > 0;
}

/* Everything under way arrives now: a process died, and the kernel finishes what it was told. */
void install_now(struct worker *w, struct node *n)
{
    for (uint32_t i = 0; i < n->pending_count; i++)
        finish(w, n, &n->pending[i]);
    install_drop(w, n);
}

/* Forgets what is under way; a quiet node has no lists. */
void install_drop(struct worker *w, struct node *n)
{
    hd_pool_free(w->pool, n->pending, n->pending_cap * sizeof *n->pending);
    hd_pool_free(w->pool, n->batches, n->batch_cap * sizeof *n->batches);
    n->pending = NULL;
    n->batches = NULL;
    n->pending_count = n->pending_cap = n->batch_count = n->batch_cap = 0;
}

/* --- what is in force ----------------------------------------------------------------------------
 */

bool force_adj(const struct node *n, uint32_t adj, struct hd_adj_value *v)
{
    if (n->pending_count > 0) {
        const struct pending *p = first_pending(n, HD_OBJ_ADJ, adj);
        if (p != NULL) {
            *v = p->old.adj;
            return p->had_old;
        }
    }
    const struct hd_adj *a = hd_model_adj(n->model, adj);
    if (a == NULL || !a->o.present)
        return false;
    *v = a->v;
    return true;
}

bool force_guard(const struct node *n, uint32_t guard, struct hd_guard_value *v)
{
    if (n->pending_count > 0) {
        const struct pending *p = first_pending(n, HD_OBJ_GUARD, guard);
        if (p != NULL) {
            *v = p->old.guard;
            return p->had_old;
        }
    }
    const struct hd_guard *g = hd_model_guard(n->model, guard);
    if (g == NULL || !g->o.present)
        return false;
    *v = g->v;
    return true;
}

bool force_label(const struct node *n, const struct hd_label *key, struct force_label *v,
                 uint32_t *index)
{
    for (uint32_t i = 0; i < n->pending_count; i++) {
        const struct pending *p = &n->pending[i];
        if (p->change.kind != HD_OBJ_LABEL || memcmp(&p->label, key, sizeof *key) != 0)
            continue;
        *v = p->old.label;
        *index = p->change.index;
        return p->had_old;
    }
    const struct hd_label_entry *e = hd_model_label_find(n->model, key);
    if (e == NULL || !e->o.present)
        return false;
    *v = label_of(n->model, e);
    *index = (uint32_t)(e - n->model->labels.v);
    return true;
}

static bool prefix_matches(const struct hd_route_key *k, const struct hd_ip6 *to)
{
    unsigned whole = k->len / 8, rest = k->len % 8;
    if (memcmp(k->prefix.b, to->b, whole) != 0)
        return false;
    return rest == 0 || ((k->prefix.b[whole] ^ to->b[whole]) >> (8 - rest)) == 0;
}

/* While routes are under way: the longest match over all that are in force, one by one. */
static bool force_route_slow(const struct node *n, const struct hd_ip6 *to, struct force_route *v)
{
    int best = -1;
    for (uint32_t i = 0; i < n->pending_count; i++) {
        const struct pending *p = &n->pending[i];
        if (p->change.kind != HD_OBJ_ROUTE || !p->had_old || (int)p->route.len <= best ||
            !prefix_matches(&p->route, to) || first_pending(n, HD_OBJ_ROUTE, p->change.index) != p)
            continue;
        best = p->route.len;
        *v = p->old.route;
    }
    for (uint32_t i = 0; (i = hd_model_next(n->model, HD_OBJ_ROUTE, i)) != 0;) {
        const struct hd_route_entry *e = hd_model_route_at(n->model, i);
        if (!e->o.present || (int)e->key.len <= best || !prefix_matches(&e->key, to) ||
            first_pending(n, HD_OBJ_ROUTE, i) != NULL)
            continue;
        best = e->key.len;
        *v = route_of(n->model, e);
    }
    return best >= 0;
}

bool force_route(const struct node *n, const struct hd_ip6 *to, struct force_route *v)
{
    for (uint32_t i = 0; i < n->pending_count; i++) {
        if (n->pending[i].change.kind == HD_OBJ_ROUTE)
            return force_route_slow(n, to, v);
    }
    const struct hd_route_entry *e = hd_model_route_lookup(n->model, to);
    if (e == NULL)
        return false;
    if (!e->o.present) /* wanted and refused, or lost: look for a shorter one that is there */
        return force_route_slow(n, to, v);
    *v = route_of(n->model, e);
    return true;
}

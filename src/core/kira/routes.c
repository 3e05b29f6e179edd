/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NodeID table (kira.md 4.6): a host route for every neighbour and for every contact whose path
 * is ready, and one prefix route per bucket but the last, to the bucket's contact with the shortest
 * ready path. A packet for an unknown node goes to the bucket's contact, leaves its label there,
 * meets a longer prefix, and so on: each hop shares more bits with the destination (5.10). The last
 * bucket has host routes only; a destination missing there has no route, which is also the truth in
 * a complete neighbourhood.
 *
 * With `few_routes`, for networks of a million simulated nodes, a contact that carries nothing has
 * no host route: its first packet goes by the bucket's contact, and is reported.
 *
 * A path is ready when its labels exist by precomputation (up to three nodes, the middle of three
 * no hub), or when a probe has confirmed them. While a contact of the last bucket is being repaired
 * its old route stays: nothing better is known, and what is lost on it brings the notices that
 * speed the repair up.
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

static struct hd_route_key kira_host_key(const struct kira_call *x, hd_node node)
{
    return (struct hd_route_key){.prefix = hd_id_to_ip6(kira_id(x, node), x->k->cfg.node_prefix),
                                 .len = 128};
}

/* Own bits up to `bucket`, then the inverted next one. */
static struct hd_route_key kira_prefix_key(const struct kira *k, unsigned bucket)
{
    struct hd_id id = {{0}};

    for (unsigned i = 0; i <= bucket; i++) {
        uint8_t mask = (uint8_t)(0x80u >> (i % 8));
        uint8_t own = k->id.b[i / 8] & mask;
        id.b[i / 8] |= i < bucket ? own : (uint8_t)(own ^ mask);
    }
    return (struct hd_route_key){.prefix = hd_id_to_ip6(&id, k->cfg.node_prefix),
                                 .len = (uint8_t)(16 + bucket + 1)};
}

/* False: there was no room. */
static bool kira_route_set(struct kira_call *x, const struct hd_route_key *key,
                           const struct hd_route_value *v, const struct hd_repair *repair)
{
    struct hd_model *m = x->c->model;
    uint32_t before = m->generation;

    if (hd_model_route_set(m, x->c->core, key, v) != 0) {
        kira_no_memory(x);
        return false;
    }
    if (m->generation != before)
        x->k->last_route_change = x->c->now;
    if (hd_model_route_repair(m, hd_model_route_find(m, key), repair) != 0)
        kira_no_memory(x); /* that of the adjacency has to do */
    return true;
}

void kira_route_own(struct kira_call *x)
{
    struct hd_route_key key = kira_host_key(x, x->k->self);
    struct hd_route_value v = {.act = HD_ROUTE_LOCAL};
    struct hd_repair none = {.guard = 0};

    kira_route_set(x, &key, &v, &none);
}

void kira_route_uln(struct kira_call *x, const struct kira_uln *u)
{
    struct hd_route_key key = kira_host_key(x, u->node);
    struct kira_link *l = kira_uln_best(u);
    struct hd_route_value v = {.act = HD_ROUTE_DIRECT};
    struct hd_repair repair = {.guard = 0};

    if (l == NULL)
        return;
    v.adj = l->adj;
    repair.guard = kira_guard_of(x, u->node, 0);
    kira_route_set(x, &key, &v, &repair);
}

void kira_route_drop(struct kira_call *x, hd_node node)
{
    struct hd_route_key key = kira_host_key(x, node);

    hd_model_route_del(x->c->model, &key);
}

/* An adjacency goes for good: whatever still uses it goes first. */
void kira_routes_drop(struct kira_call *x, uint32_t adj)
{
    struct hd_model *m = x->c->model;

    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_ROUTE, i)) != 0;) {
        const struct hd_route_entry *e = hd_model_route_at(m, i);
        if (e->o.owner != x->c->core || e->v.act == HD_ROUTE_LOCAL || e->v.adj != adj)
            continue;
        struct hd_route_key key = e->key;
        hd_model_route_del(m, &key);
        x->k->last_route_change = x->c->now;
    }
    kira_prefixes_dirty(x->k);
}

/* Can data be sent over the contact's active path now? */
static bool kira_ready(struct kira_call *x, const struct kira_contact *p)
{
    if (p->state != HD_KIRA_CONTACT_VALID || p->active == 0 ||
        !kira_uln_alive(x->k, kira_path_first(x->k, p->active)))
        return false;
    return (p->flags & KIRA_CONTACT_SETUP) != 0 || !kira_contact_needs_setup(x->k, p);
}

/* The label of a contact's active path: a hash, unless the host route has it. */
static struct hd_label kira_contact_label(struct kira_call *x, const struct kira_contact *p,
                                          const hd_node *path, uint32_t len)
{
    struct hd_route_key key = kira_host_key(x, p->node);
    const struct hd_route_entry *e = p->labelled ? hd_model_route_find(x->c->model, &key) : NULL;

    if (e != NULL && e->v.act == HD_ROUTE_ENCAP)
        return e->v.out;
    return kira_label(x, path, len);
}

static bool kira_encap(struct kira_call *x, const struct kira_contact *p, struct hd_route_value *v,
                       struct hd_repair *repair)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_read(x->k, p->active, path);
    struct kira_uln *u = len == 0 ? NULL : kira_uln_find(x->k, path[0]);
    struct kira_link *l = u == NULL ? NULL : kira_uln_best(u);

    if (l == NULL)
        return false;
    *v = (struct hd_route_value){.act = HD_ROUTE_ENCAP, .mtu = p->mtu, .adj = l->adj};
    v->out = kira_contact_label(x, p, path, len);
    *repair = (struct hd_repair){.guard = 0};
    repair->guard =
        len == 1 ? kira_guard_of(x, path[0], 0) : kira_guard_behind(x, path[0], path[1], len == 2);
    if (repair->guard != 0 && len > 2)
        repair->then = kira_label(x, path + 1, len - 1);
    return true;
}

/* A carrying contact whose labels are not confirmed is set up. */
static void kira_set_up(struct kira_call *x, struct kira_contact *p)
{
    if (p->state == HD_KIRA_CONTACT_VALID && kira_contact_needs_setup(x->k, p) &&
        (p->flags & (KIRA_CONTACT_SETUP | KIRA_CONTACT_PROBING)) == 0 &&
        kira_contact_carries(x, p) && hd_fx_room(x->c->fx, HD_KIRA_MSG_MAX))
        kira_probe_send(x, p, false, HD_KIRA_REPAIR_TIMEOUT * 2, 0);
}

static void kira_contact_route(struct kira_call *x, struct kira_contact *p)
{
    struct hd_route_key key = kira_host_key(x, p->node);
    struct hd_route_value v;
    struct hd_repair repair;

    bool wanted = !x->k->cfg.few_routes || kira_contact_carries(x, p);

    if (wanted && kira_ready(x, p) && kira_encap(x, p, &v, &repair)) {
        p->labelled = kira_route_set(x, &key, &v, &repair);
        p->flags |= KIRA_CONTACT_ROUTE;
        return;
    }
    kira_set_up(x, p);
    bool last = kira_bucket_of(x->k, p->bits) + 1 == x->k->buckets;
    bool coming = p->state != HD_KIRA_CONTACT_INVALID;
    if ((p->flags & KIRA_CONTACT_ROUTE) != 0 && !(last && coming)) {
        p->flags &= (uint8_t)~KIRA_CONTACT_ROUTE;
        x->k->last_route_change = x->c->now;
        kira_route_drop(x, p->node);
    }
}

/* --- prefix routes ------------------------------------------------------------------------------
 */

struct kira_best {
    hd_node node;
    uint32_t len;
    bool ready;
    bool kept; /* the one that is in force */
};

static void kira_best_take(struct kira_call *x, struct kira_best *b, hd_node node, uint32_t len,
                           bool ready, bool kept)
{
    bool better;

    if (b->node == 0)
        better = true;
    else if (ready != b->ready)
        better = ready;
    else if (len != b->len)
        better = len < b->len;
    else if (kept != b->kept)
        better = kept;
    else
        better = hd_id_compare(kira_id(x, node), kira_id(x, b->node)) < 0;
    if (better)
        *b = (struct kira_best){node, len, ready, kept};
}

static void kira_prefix_route(struct kira_call *x, uint16_t bucket, const struct kira_best *b)
{
    struct kira *k = x->k;
    struct hd_route_key key = kira_prefix_key(k, bucket);
    struct kira_contact *p = b->node == 0 ? NULL : kira_contact_find(k, b->node);
    struct hd_repair repair = {.guard = 0};
    struct hd_route_value v;

    if (p != NULL && (p->flags & KIRA_CONTACT_CHOSEN) == 0) {
        p->flags |= KIRA_CONTACT_CHOSEN;
        kira_set_up(x, p);
    }
    if (b->node == 0 || !b->ready) {
        if (b->node == 0)
            hd_model_route_del(x->c->model, &key);
        return; /* what is in force stays until the set-up is confirmed */
    }
    if (p != NULL) {
        if (kira_encap(x, p, &v, &repair))
            kira_route_set(x, &key, &v, &repair);
        return;
    }
    const struct kira_uln *u = kira_uln_find(k, b->node);
    v = (struct hd_route_value){
        .act = HD_ROUTE_ENCAP, .adj = kira_uln_best(u)->adj, .out = u->label};
    repair.guard = kira_guard_of(x, b->node, 0);
    kira_route_set(x, &key, &v, &repair);
}

static bool kira_is_in(const uint64_t buckets[2], unsigned bits)
{
    return (buckets[bits / 64] >> bits % 64 & 1) != 0;
}

/* Only the routes of buckets in which something changed are looked at. */
static void kira_prefix_routes(struct kira_call *x)
{
    struct kira *k = x->k;
    struct kira_best best[HD_ID_BITS + 1];
    uint64_t dirty[2] = {k->prefix_dirty[0], k->prefix_dirty[1]};

    memset(k->prefix_dirty, 0, sizeof k->prefix_dirty);
    memset(best, 0, (k->buckets - 1u) * sizeof best[0]);
    for (uint32_t i = 0; i < k->ulns.len; i++) {
        const struct kira_uln *u = k->ulns.v[i];
        if (u->bits + 1u < k->buckets && kira_is_in(dirty, u->bits) && u->alive && !u->end_system)
            kira_best_take(x, &best[u->bits], u->node, 1, true, false);
    }
    for (uint32_t i = 0; i < k->contacts.len; i++) {
        struct kira_contact *p = &k->contacts.v[i];
        if (!kira_is_in(dirty, p->bits))
            continue;
        bool kept = (p->flags & KIRA_CONTACT_CHOSEN) != 0;
        p->flags &= (uint8_t)~KIRA_CONTACT_CHOSEN;
        if (p->bits + 1u < k->buckets && p->state == HD_KIRA_CONTACT_VALID && !p->end_system &&
            p->active != 0 && kira_uln_alive(k, kira_path_first(k, p->active)))
            kira_best_take(x, &best[p->bits], p->node, p->len, kira_ready(x, p), kept);
    }
    for (uint16_t b = 0; b + 1 < k->buckets; b++)
        if (kira_is_in(dirty, b))
            kira_prefix_route(x, b, &best[b]);
    for (uint16_t b = (uint16_t)(k->buckets - 1); b < k->prefixes; b++) {
        struct hd_route_key key = kira_prefix_key(k, b);
        hd_model_route_del(x->c->model, &key);
    }
    k->prefixes = (uint16_t)(k->buckets - 1);
}

/* Looks at up to `units` changed contacts; the prefix routes follow once all are done. */
void kira_routes_work(struct kira_call *x, uint32_t units)
{
    struct kira *k = x->k;

    for (uint32_t i = 0; i < k->contacts.len && k->contacts_dirty > 0; i++) {
        struct kira_contact *p = &k->contacts.v[i];
        if ((p->flags & KIRA_CONTACT_DIRTY) == 0)
            continue;
        if (units-- == 0)
            return;
        p->flags &= (uint8_t)~KIRA_CONTACT_DIRTY;
        k->contacts_dirty--;
        kira_contact_route(x, p);
    }
    k->bucket_dirty = false;
    kira_prefix_routes(x);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guards: the way round a link or a node, prepared before that fails (doc/decisions/0026).
 *
 *   (Y, none)   from here to the neighbour Y without the link to it
 *   (Y, Z)      from here to Z, a neighbour of Y, without Y
 *
 * A label or route over Y towards Z uses the second, where that has no way the first. What is to
 * happen at the end of the way round, the label of the path's rest, travels in the packet (the
 * carry), so one guard serves every label over its link, no other node keeps anything for it, and
 * the packet grows by no byte. Y or Z has to understand that; it says so by a capability. Where the
 * path ends at Y or Z nothing is carried, and any KIRA node will do.
 *
 * A way comes from one search over all known links (map.c). Up to three nodes long its labels exist
 * everywhere by precomputation. One of up to five can be walked in two parts: to a node in its
 * middle, with the label of the other part carried; that serves what ends where the way does. The
 * whole of a longer way is set up by a probe and refreshed like a path, which costs labels in
 * other nodes. So it is done round links, of which there are few, and round nodes only for paths
 * whose packets are seen. If no way is known, the target is asked for by a
 * FindNodeReq through contacts that are reached without Y: the answer's own route is a way already,
 * and its entries are links to search over again.
 *
 * Loops cannot arise: see the record. Storms neither: changes are gathered for a while, a pass is
 * background work in slices, a way that still stands is kept although a shorter one is known, and
 * probes and questions have a rate and growing pauses.
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

static uint32_t kira_guard_hash_of(hd_node y, hd_node z)
{
    return (uint32_t)hd_mix64((uint64_t)y << 32 | z);
}

static uint32_t kira_guard_hash(const void *core, uint32_t i)
{
    const struct kira_guard *g = &((const struct kira *)core)->guards.v[i];
    return kira_guard_hash_of(g->y, g->z);
}

static struct kira_guard *kira_guard_find(struct kira *k, hd_node y, hd_node z)
{
    uint32_t hash = kira_guard_hash_of(y, z);
    uint32_t at, i = hd_index_first(&k->guard_index, hash, &at);

    while (i != HD_INDEX_END && (k->guards.v[i].y != y || k->guards.v[i].z != z))
        i = hd_index_next(&k->guard_index, hash, &at);
    return i == HD_INDEX_END ? NULL : &k->guards.v[i];
}

/* Where the way round ends. */
static hd_node kira_guard_target(const struct kira_guard *g)
{
    return g->z != 0 ? g->z : g->y;
}

void kira_guards_dirty(struct kira_call *x)
{
    struct kira *k = x->k;

    if (!k->guards_off && !hd_timer_armed(&k->guard))
        kira_arm(x, &k->guard, KIRA_T_GUARD, x->c->now + kira_jitter(x, HD_KIRA_GUARD_DELAY));
}

static struct kira_guard *kira_guard_new(struct kira_call *x, hd_node y, hd_node z)
{
    struct kira *k = x->k;
    struct hd_guard_value none = {0};
    struct kira_guard fresh = {.y = y, .z = z};

    if (k->guards.len >= HD_KIRA_GUARDS_MAX)
        return NULL;
    if (hd_vec_reserve(x->c->pool, &k->guards, k->guards.len + 1) != 0)
        goto no_memory;
    int made = hd_model_guard_add(x->c->model, x->c->core, &none);
    if (made < 0)
        goto no_memory;
    fresh.guard = (uint16_t)made;
    k->guards.v[k->guards.len] = fresh;
    if (hd_index_add(&k->guard_index, x->c->pool, k->guards.len, kira_guard_hash, k) != 0)
        goto no_index;
    kira_guards_dirty(x);
    return &k->guards.v[k->guards.len++];

no_index:
    hd_model_guard_del(x->c->model, fresh.guard);
no_memory:
    kira_no_memory(x);
    return NULL;
}

uint16_t kira_guard_of(struct kira_call *x, hd_node y, hd_node z)
{
    struct kira *k = x->k;

    /* After a restart numbers of the life before are still named by what was adopted. */
    if (k->guards_off || k->sweep_at != HD_NEVER || y == 0 || kira_uln_find(k, y) == NULL ||
        z == k->self || z == y)
        return 0;
    struct kira_guard *g = kira_guard_find(k, y, z);
    if (g == NULL)
        g = kira_guard_new(x, y, z);
    return g == NULL ? 0 : g->guard;
}

uint16_t kira_guard_behind(struct kira_call *x, hd_node y, hd_node z, bool ends)
{
    struct kira *k = x->k;

    if (z == 0 || !kira_vicinity_has_edge(k, y, z) || !(ends || kira_can_carry(k, z)))
        return 0;
    return kira_guard_of(x, y, z);
}

void kira_label_guard(struct kira_call *x, struct hd_label_entry *e, uint16_t guard,
                      const struct hd_label *then)
{
    struct hd_repair r = {.guard = guard};

    if (then != NULL)
        r.then = *then;
    if (hd_model_label_repair(x->c->model, e, &r) != 0)
        kira_no_memory(x); /* that of the adjacency has to do */
}

/*
 * Does a node put a carried label back? One that has not said so yet is taken for what all are that
 * have; a packet would be lost that is lost without a guard.
 */
bool kira_can_carry(struct kira *k, hd_node node)
{
    const struct kira_uln *u = kira_uln_find(k, node);
    const struct kira_vicinity *v = u == NULL ? kira_vicinity_find(k, node) : NULL;

    if (u != NULL)
        return (u->capabilities & HD_KIRA_CAN_CARRY) != 0;
    return v != NULL && v->synched_once ? v->can_carry : !k->some_cannot;
}

/* --- the model ----------------------------------------------------------------------------------
 */

/* The interface that is guarded: of the link in use, or of one that was. */
static uint32_t kira_guarded_interface(const struct kira_uln *y)
{
    const struct kira_link *l = kira_uln_best(y);

    if (l == NULL && y->links_len > 0)
        l = y->links[0];
    return l == NULL ? 0 : l->ifindex;
}

/* A link to the first node of a way; another interface than the guarded one, which fails whole. */
static const struct kira_link *kira_guard_link(struct kira *k, hd_node first, uint32_t not_over)
{
    const struct kira_uln *u = kira_uln_find(k, first);
    const struct kira_link *best = u == NULL || !u->alive ? NULL : kira_uln_best(u);

    if (best == NULL || best->ifindex != not_over)
        return best;
    for (uint32_t i = 0; i < u->links_len; i++)
        if (!u->links[i]->dead && u->links[i]->ifindex != not_over)
            return u->links[i];
    return NULL;
}

static bool kira_guard_stands(const struct kira_guard *g)
{
    return g->state == KIRA_GUARD_READY || g->mid != 0;
}

/* Brings the model's object into line with the way that is in use. */
static void kira_guard_write(struct kira_call *x, const struct kira_guard *g)
{
    struct kira *k = x->k;
    const struct kira_uln *y = kira_uln_find(k, g->y);
    struct hd_guard_value v = {0};
    hd_node path[HD_KIRA_PATH_MAX];

    if (kira_guard_stands(g) && y != NULL) {
        uint32_t len = kira_path_read(k, g->path, path);
        const struct kira_link *l = kira_guard_link(k, path[0], kira_guarded_interface(y));
        bool whole = g->state == KIRA_GUARD_READY;
        if (l != NULL) {
            v.adj = l->adj;
            v.out = kira_label(x, path, whole ? len : g->mid);
        }
        if (l != NULL && !whole)
            v.then = kira_label(x, path + g->mid - 1, len - g->mid + 1);
    }
    hd_model_guard_set(x->c->model, g->guard, &v);
}

/* Ways whose first link changed: another link to the same node, or none. */
void kira_guards_moved(struct kira_call *x, uint32_t adj)
{
    for (uint32_t i = 0; i < x->k->guards.len; i++)
        if (hd_model_guard(x->c->model, x->k->guards.v[i].guard)->v.adj == adj)
            kira_guard_write(x, &x->k->guards.v[i]);
}

/* Its labels in other nodes are refreshed no more. */
static void kira_guard_give_up(struct kira_call *x, struct kira_guard *g)
{
    if (!g->set_up)
        return;
    x->k->guards_set_up--;
    g->set_up = false;
    g->state = KIRA_GUARD_NONE;
}

/* A probe of a way that is none any more says nothing about the next one. */
static void kira_guard_probe_end(struct kira_call *x, const struct kira_guard *g)
{
    struct kira *k = x->k;

    for (uint32_t i = k->requests.len; i-- > 0;) {
        struct kira_request *r = k->requests.v[i];
        if (r->kind == KIRA_REQ_GUARD && r->via == g->y && r->node == kira_guard_target(g))
            kira_request_end(x, r);
    }
}

static void kira_guard_clear(struct kira_call *x, struct kira_guard *g)
{
    if (g->set_up)
        kira_guard_probe_end(x, g);
    if (kira_guard_stands(g))
        kira_count(x, KIRA_N_GUARD_LOST);
    kira_guard_give_up(x, g);
    kira_path_release(x->k, g->path);
    g->path = 0;
    g->len = g->mid = 0;
    g->state = KIRA_GUARD_NONE;
    kira_guard_write(x, g);
}

void kira_guards_link_failed(struct kira_call *x, hd_node a, hd_node b)
{
    struct kira *k = x->k;

    for (uint32_t i = 0; i < k->guards.len; i++) {
        struct kira_guard *g = &k->guards.v[i];
        if (g->path != 0 && kira_path_has_link(k, g->path, k->self, a, b)) {
            kira_guard_clear(x, g);
            g->again_s = 0; /* what failed was the network, not the search */
            g->tries = 0;
        }
    }
    kira_guards_dirty(x);
}

/* --- setting up ---------------------------------------------------------------------------------
 */

/* Do the labels of a way exist without us? By what the vicinity lists, not by what a path said. */
static bool kira_way_is_free(struct kira *k, const hd_node *path, uint32_t len)
{
    if (kira_path_needs_setup(k, path, len))
        return false;
    for (uint32_t i = 1; i < len; i++)
        if (!kira_vicinity_has_edge(k, path[i - 1], path[i]))
            return false;
    return true;
}

static void kira_guard_pause(struct kira_call *x, struct kira_guard *g)
{
    uint32_t wait = (uint32_t)HD_KIRA_GUARD_PAUSE_S
                    << HD_MIN(g->tries, (uint8_t)HD_KIRA_GUARD_PAUSES);

    g->again_s = (uint16_t)(kira_seconds(x->k, x->c->now) + wait);
    if (g->again_s == 0)
        g->again_s = 1;
    if (g->tries < UINT8_MAX)
        g->tries++;
}

static bool kira_guard_may(struct kira_call *x, struct kira_guard *g)
{
    uint16_t now = kira_seconds(x->k, x->c->now);

    if (g->again_s != 0 && (int16_t)(g->again_s - now) > 0)
        return false;
    return hd_fx_room(x->c->fx, HD_KIRA_MSG_MAX) &&
           kira_take_token(x, &x->k->guard_rate, HD_KIRA_RATE_GUARD);
}

/* Asks the end of a way over the way itself: every hop takes its label, the answer confirms it. */
static bool kira_guard_probe(struct kira_call *x, const struct kira_guard *g)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_read(x->k, g->path, path);
    struct kira_request *r =
        kira_request_new(x, KIRA_REQ_GUARD, kira_guard_target(g), HD_KIRA_PROBE_TIMEOUT);

    if (r == NULL)
        return false;
    r->via = g->y;
    kira_probe_path(x, r, path, len);
    return true;
}

/* Where a way can be parted so that both labels exist: nodes up to there, 0: nowhere. */
static uint8_t kira_way_middle(struct kira *k, const hd_node *path, uint32_t len)
{
    for (uint8_t mid = 1; mid <= HD_KIRA_NO_SETUP_LEN && mid < len; mid++)
        if (kira_can_carry(k, path[mid - 1]) && kira_way_is_free(k, path, mid) &&
            len - mid + 1 <= HD_KIRA_NO_SETUP_LEN &&
            kira_way_is_free(k, path + mid - 1, len - mid + 1))
            return mid;
    return 0;
}

static bool kira_guard_is_used(const struct kira_call *x, const struct kira_guard *g)
{
    return g->used_s != 0 && kira_seconds_since(x->k, x->c->now, g->used_s) < HD_KIRA_GUARD_USE;
}

/* Is it worth labels in other nodes? A link always, a node for those whose packets are seen. */
static bool kira_guard_is_worth(struct kira_call *x, const struct kira_guard *g)
{
    struct kira *k = x->k;

    if (g->mid != 0 && !kira_can_carry(k, kira_guard_target(g)))
        return false; /* nothing goes on from there */
    return g->z == 0 || kira_guard_is_used(x, g);
}

static void kira_guard_set_up(struct kira_call *x, struct kira_guard *g)
{
    struct kira *k = x->k;

    if (g->state != KIRA_GUARD_NONE || g->path == 0 || k->guards_set_up >= HD_KIRA_GUARD_SETUPS ||
        !kira_guard_is_worth(x, g) || !kira_guard_may(x, g) || !kira_guard_probe(x, g))
        return;
    g->set_up = true;
    g->state = KIRA_GUARD_PROBING;
    k->guards_set_up++;
    kira_count(x, KIRA_N_GUARD_SET_UP);
}

/* A way that was found. What needs no set-up is in force at once. */
static void kira_guard_take(struct kira_call *x, struct kira_guard *g, const hd_node *path,
                            uint32_t len)
{
    struct kira *k = x->k;
    uint16_t end = kira_path_insert(x, path, len);

    if (end == 0)
        return;
    kira_guard_clear(x, g);
    g->path = end;
    g->len = (uint8_t)len;
    if (kira_way_is_free(k, path, len))
        g->state = KIRA_GUARD_READY;
    else
        g->mid = kira_way_middle(k, path, len);
    if (kira_guard_stands(g)) {
        g->tries = 0;
        kira_count(x, KIRA_N_GUARD_READY);
        kira_guard_write(x, g);
    }
    kira_guard_set_up(x, g);
}

void kira_guard_used(struct kira_call *x, hd_node y, hd_node z)
{
    struct kira_guard *g = kira_guard_find(x->k, y, z);

    if (g == NULL)
        return;
    if (g->used_s == 0 && g->state == KIRA_GUARD_NONE)
        kira_guards_dirty(x);
    g->used_s = kira_seconds(x->k, x->c->now);
}

void kira_guard_confirmed(struct kira_call *x, struct kira_request *r, const hd_node *path,
                          uint32_t len)
{
    struct kira_guard *g = kira_guard_find(x->k, r->via, r->node == r->via ? 0 : r->node);
    hd_node own[HD_KIRA_PATH_MAX];

    bool stands = g != NULL && g->path != 0 && g->set_up;
    if (stands &&
        (kira_path_read(x->k, g->path, own) != len || memcmp(own, path, len * sizeof own[0]) != 0))
        return; /* over another route: no answer to what was asked, which times out */
    kira_request_end(x, r);
    if (!stands)
        return;
    if (!kira_guard_stands(g))
        kira_count(x, KIRA_N_GUARD_READY);
    g->state = KIRA_GUARD_READY;
    g->tries = g->refreshes = 0;
    g->ready_s = kira_seconds(x->k, x->c->now);
    kira_guard_write(x, g);
}

void kira_guard_timeout(struct kira_call *x, struct kira_request *r)
{
    struct kira_guard *g = kira_guard_find(x->k, r->via, r->node == r->via ? 0 : r->node);

    kira_request_end(x, r);
    if (g == NULL || g->state == KIRA_GUARD_NONE || !g->set_up)
        return;
    kira_guard_clear(x, g); /* also a way in two parts: it is the same */
    kira_guard_pause(x, g);
    kira_guards_dirty(x);
}

/* --- asking -------------------------------------------------------------------------------------
 */

/* Through contacts near the target whose way there does not begin with Y. */
static void kira_guard_ask(struct kira_call *x, struct kira_guard *g)
{
    struct kira *k = x->k;
    hd_node to = kira_guard_target(g), y = g->y;
    struct kira_candidate near[HD_KIRA_GUARD_ASK * 4];
    unsigned asked = 0;

    if (!k->joined || !kira_guard_may(x, g))
        return;
    kira_guard_pause(x, g);
    uint32_t n = kira_closest(x, kira_id(x, to), to, true, near, HD_ARRAY_LEN(near));
    for (uint32_t i = 0; i < n && asked < HD_KIRA_GUARD_ASK; i++) {
        hd_node path[HD_KIRA_PATH_MAX];
        if (near[i].node == y || kira_path_to(x, near[i].node, path) == 0 || path[0] == y)
            continue;
        struct kira_request *r = kira_request_new(x, KIRA_REQ_ROUND, to, HD_KIRA_FIND_TIMEOUT);
        if (r == NULL)
            return;
        r->via = y;
        if (kira_find_send(x, r, kira_id(x, to), HD_KIRA_EXACT, near[i].node)) {
            kira_count(x, KIRA_N_GUARD_ASKED);
            asked++;
        } else {
            kira_request_end(x, r);
        }
    }
}

static uint32_t kira_guard_way(struct kira_call *x, struct kira_map *map, hd_node y, hd_node z,
                               hd_node *path);

/* An answer: its travelled route and its entries are links; is there a way now? */
void kira_guard_answer(struct kira_call *x, struct kira_request *r, struct kira_map *map)
{
    hd_node y = r->via, z = r->node == r->via ? 0 : r->node;
    struct kira_guard *g = kira_guard_find(x->k, y, z);
    hd_node way[HD_KIRA_PATH_MAX];

    kira_request_end(x, r);
    if (g == NULL || g->path != 0)
        return;
    uint32_t len = kira_guard_way(x, map, y, z, way);
    g->again_s = 0;
    if (len > 0)
        kira_guard_take(x, g, way, len);
    if (g->path == 0)
        kira_guard_pause(x, g);
}

/* --- a pass -------------------------------------------------------------------------------------
 */

/* The way from here to Y or Z that the map knows: its length, 0 when there is none. */
static uint32_t kira_guard_way(struct kira_call *x, struct kira_map *map, hd_node y, hd_node z,
                               hd_node *path)
{
    const struct kira_uln *u = kira_uln_find(x->k, y);

    if (u == NULL)
        return 0;
    uint32_t ifindex = kira_guarded_interface(u);
    if (z == 0 && kira_guard_link(x->k, y, ifindex) != NULL) { /* a second link to Y */
        path[0] = y;
        return 1;
    }
    kira_map_solve_round(x, map, y, z != 0, ifindex);
    return kira_map_way(x, map, z != 0 ? z : y, path);
}

bool kira_guard_first_hop(struct kira_call *x, hd_node first, uint32_t not_over)
{
    return kira_guard_link(x->k, first, not_over) != NULL;
}

/* Keeps the way in use while it stands, takes one where there was none, asks where none is known.
 */
static void kira_guard_look(struct kira_call *x, struct kira_guard *g, const struct kira_map *map)
{
    hd_node path[HD_KIRA_PATH_MAX];

    if (g->state == KIRA_GUARD_PROBING)
        return;
    const struct kira_uln *y = kira_uln_find(x->k, g->y);
    if (kira_guard_stands(g) &&
        (y == NULL ||
         !kira_guard_first_hop(x, kira_path_first(x->k, g->path), kira_guarded_interface(y))))
        kira_guard_clear(x, g); /* its first hop is to be had over the guarded interface alone */
    uint32_t len = kira_map_way(x, map, kira_guard_target(g), path);
    if (kira_guard_stands(g)) {
        bool better = len > 0 && len < g->len && kira_way_is_free(x->k, path, len);
        if (!better) {
            kira_guard_write(x, g); /* links to the first node may have changed */
            kira_guard_set_up(x, g);
            return;
        }
    }
    if (len > 0)
        kira_guard_take(x, g, path, len);
    else if (g->path == 0 && (g->z == 0 || kira_guard_is_used(x, g)))
        kira_guard_ask(x, g);
}

/* All guards of a neighbour: two searches. */
static void kira_guards_of(struct kira_call *x, struct kira_uln *u, struct kira_map *map)
{
    struct kira *k = x->k;
    struct kira_guard *g = kira_guard_find(k, u->node, 0);
    uint32_t ifindex = kira_guarded_interface(u);
    hd_node path[1] = {u->node};

    if (g != NULL && kira_guard_link(k, u->node, ifindex) != NULL) {
        if (g->state != KIRA_GUARD_READY || g->len > 1)
            kira_guard_take(x, g, path, 1);
        else
            kira_guard_write(x, g);
    } else if (g != NULL) {
        kira_map_solve_round(x, map, u->node, false, ifindex);
        kira_guard_look(x, g, map);
    }
    const struct kira_vicinity *v = kira_vicinity_find(k, u->node);
    bool solved = false;
    for (uint32_t i = 0; v != NULL && i < v->list_len; i++) {
        if ((g = kira_guard_find(k, u->node, v->list[i])) == NULL)
            continue;
        if (!solved)
            kira_map_solve_round(x, map, u->node, true, ifindex);
        solved = true;
        kira_guard_look(x, g, map);
    }
}

/* The adjacencies of a neighbour name its guard when it can put back what they carry. */
static void kira_guards_link(struct kira_call *x, struct kira_uln *u)
{
    uint16_t guard = kira_can_carry(x->k, u->node) ? kira_guard_of(x, u->node, 0) : 0;

    if (guard != u->guard) {
        u->guard = guard;
        kira_links_model(x, u);
    }
}

/* Goes on with a pass for some neighbours: a map takes what some thousand links cost to gather. */
void kira_guards_work(struct kira_call *x, uint32_t units)
{
    struct kira *k = x->k;
    struct kira_map map;

    kira_map_build(x, &map);
    uint32_t cost = 1 + map.nodes / 32, spent = cost;
    do {
        if (k->guard_at >= k->ulns.len) {
            k->guard_at = 0;
            k->guard_pass = false;
            return;
        }
        struct kira_uln *u = k->ulns.v[k->guard_at++];
        kira_guards_link(x, u);
        kira_guards_of(x, u, &map);
        spent += 2 * cost;
    } while (spent < units);
}

void kira_guards_due(struct kira_call *x)
{
    struct kira *k = x->k;

    if (k->guard_pass) { /* that one may have seen what is different now: another behind it */
        kira_arm(x, &k->guard, KIRA_T_GUARD, x->c->now + HD_KIRA_GUARD_DELAY);
        return;
    }
    k->some_cannot = false;
    for (uint32_t i = 0; i < k->ulns.len; i++)
        k->some_cannot |= !kira_can_carry(k, k->ulns.v[i]->node);
    for (uint32_t i = 0; i < k->vicinity.len; i++)
        k->some_cannot |= k->vicinity.v[i]->synched_once && !k->vicinity.v[i]->can_carry;
    k->guard_pass = true;
    k->guard_at = 0;
}

/* --- once per second ----------------------------------------------------------------------------
 */

/* Without its neighbour, or without the link from that to Z, a guard has nothing to guard. */
static bool kira_guard_is_idle(struct kira *k, const struct kira_guard *g)
{
    const struct kira_uln *y = kira_uln_find(k, g->y);

    if (y == NULL || y->links_len == 0)
        return true;
    return y->alive && g->z != 0 && !kira_vicinity_has_edge(k, g->y, g->z);
}

/* Takes a guard's number out of whatever still names it. */
static void kira_guard_forget(struct kira_call *x, uint16_t guard)
{
    struct hd_model *m = x->c->model;
    struct hd_repair none = {.guard = 0};

    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;) {
        struct hd_label_entry *e = hd_model_label_at(m, i);
        if (e->o.owner == x->c->core && hd_model_repair(m, e->repair).guard == guard)
            kira_label_guard(x, e, 0, NULL);
    }
    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_ROUTE, i)) != 0;) {
        struct hd_route_entry *e = hd_model_route_at(m, i);
        if (e->o.owner == x->c->core && hd_model_repair(m, e->repair).guard == guard &&
            hd_model_route_repair(m, e, &none) != 0)
            kira_no_memory(x);
    }
}

static void kira_guard_remove(struct kira_call *x, uint32_t at)
{
    struct kira *k = x->k;
    struct kira_guard *g = &k->guards.v[at];
    struct kira_uln *u = kira_uln_find(k, g->y);
    uint32_t last = k->guards.len - 1;
    uint16_t guard = g->guard;

    kira_guard_clear(x, g);
    if (u != NULL && u->guard == guard) {
        u->guard = 0;
        kira_links_model(x, u);
    }
    kira_guard_forget(x, guard);
    hd_model_guard_del(x->c->model, guard);
    hd_index_del(&k->guard_index, x->c->pool, at, kira_guard_hash, k);
    if (at != last) {
        const struct kira_guard *moved = &k->guards.v[last];
        hd_index_move(&k->guard_index, kira_guard_hash_of(moved->y, moved->z), last, at);
    }
    hd_vec_remove_swap(&k->guards, at);
}

/*
 * A PathSetupReq keeps the labels; now and then a probe behind it shows that the way still works. A
 * probe alone would look like the refresh of a path with traffic (kira_label_explicit).
 */
static void kira_guard_refresh(struct kira_call *x, struct kira_guard *g)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_read(x->k, g->path, path);
    struct kira_out o;

    if (!kira_guard_is_worth(x, g)) {
        kira_guard_give_up(x, g);
        kira_guard_write(x, g);
        return;
    }
    g->ready_s = kira_seconds(x->k, x->c->now);
    if (!kira_out_begin(x, &o, HD_KIRA_SETUP_REQ, 0, kira_id(x, path[len - 1]), kira_msg_id(x),
                        HD_ID_BYTES * (len + 1) + 16))
        return;
    kira_out_route(x, &o, path, len);
    kira_out_to_uln(x, &o, path[0]);
    if (++g->refreshes % HD_KIRA_GUARD_PROBE_EVERY == 0)
        (void)kira_guard_probe(x, g);
}

void kira_guards_tick(struct kira_call *x)
{
    struct kira *k = x->k;
    bool waits = false;
    unsigned removed = 0;

    for (uint32_t i = k->guards.len; i-- > 0;) {
        struct kira_guard *g = &k->guards.v[i];
        uint16_t now = kira_seconds(k, x->c->now);
        if (!kira_guard_is_used(x, g))
            g->used_s = 0;
        if (g->again_s != 0 && (int16_t)(g->again_s - now) <= 0)
            g->again_s = 0;
        if (kira_guard_is_idle(k, g)) {
            if (removed++ < HD_KIRA_GUARDS_REMOVED) /* each walks over all labels */
                kira_guard_remove(x, i);
        } else if (g->state == KIRA_GUARD_READY && g->set_up &&
                   kira_seconds_since(k, x->c->now, g->ready_s) > HD_KIRA_LABEL_REFRESH &&
                   hd_fx_room(x->c->fx, HD_KIRA_MSG_MAX)) {
            kira_guard_refresh(x, g);
        } else if (g->state == KIRA_GUARD_NONE) {
            waits = waits || (g->again_s == 0 && g->path == 0 && (g->z == 0 || g->used_s != 0));
        }
    }
    if (waits)
        kira_guards_dirty(x);
}

void kira_guards_drop(struct kira_call *x)
{
    for (uint32_t i = x->k->guards.len; i-- > 0;)
        kira_guard_remove(x, i);
}

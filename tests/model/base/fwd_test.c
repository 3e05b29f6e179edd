/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forwarding model beside plain arrays, under random edits, while a driver of ours pulls with a
 * window, refuses some changes, loses objects, and finishes changes in order. Checked after each
 * step:
 *
 *   what is wanted is what the owner said last, in find, next and the longest match;
 *   `installed` is never said of a value that our data plane does not hold;
 *   a walk through the queues goes in safe order, and an object comes once per edit at most;
 *   in the end, without refusals, the data plane is what is wanted and every slot is given back.
 */
#include "support/test.h"

#include "model/fwd.h"

#define KEYS   24
#define WINDOW 12
#define STEPS  60000

/* Values are small numbers: 0 is "none". */
struct reference {
    uint32_t label[KEYS], route[KEYS]; /* wanted */
    uint32_t adj_of[KEYS], adj[KEYS];  /* index in the model, wanted value */
};

struct plane { /* what our data plane holds: adjacencies by index, the others by key, as data planes
                  do */
    uint32_t adj[256], label[256], route[256];
};

struct pending {
    struct hd_change c;
    uint32_t value;
};

struct world {
    struct hd_pool *pool;
    struct hd_model m;
    struct hd_random r;
    struct reference ref;
    struct plane plane;
    struct pending window[WINDOW];
    unsigned in_window;
    uint64_t edits, pulls;
};

static struct hd_label label_of(uint64_t k)
{
    return (struct hd_label){.b = {(uint8_t)k}};
}

/* Nested prefixes of several lengths, the longest being hosts. */
static struct hd_route_key route_of(uint64_t k)
{
    static const uint8_t lens[] = {0, 1, 7, 8, 9, 16, 63, 127};
    struct hd_route_key key = {.len = 128};

    if (k < 8)
        key.len = lens[k];
    else if (k < 16)
        key.prefix.b[0] = (uint8_t)(k << 4);
    else
        key.prefix.b[15] = (uint8_t)(k - 16);
    if (k < 8 && k > 0 && k % 2 == 0)
        key.prefix.b[0] = 0x80;
    return key;
}

static struct hd_adj_value adj_value(uint32_t v)
{
    return (struct hd_adj_value){.ifindex = v};
}

static struct hd_label_value label_value(uint32_t v)
{
    return (struct hd_label_value){.act = HD_LABEL_SWAP, .adj = v};
}

static struct hd_route_value route_value(uint32_t v)
{
    return (struct hd_route_value){.act = HD_ROUTE_DIRECT, .adj = v};
}

/* --- edits ------------------------------------------------------------------------------------ */

static void edit_adj(struct world *w, uint64_t k, uint32_t v)
{
    struct hd_adj_value value = adj_value(v);

    if (v == 0 && w->ref.adj[k] != 0) {
        hd_model_adj_del(&w->m, w->ref.adj_of[k]);
        w->ref.adj[k] = w->ref.adj_of[k] = 0;
    } else if (v != 0 && w->ref.adj[k] != 0) {
        hd_model_adj_set(&w->m, w->ref.adj_of[k], &value);
        w->ref.adj[k] = v;
    } else if (v != 0) {
        int index = hd_model_adj_add(&w->m, 1, &value);
        assert_true(index > 0 || (index == HD_ENOMEM && w->pool->fail_after != UINT64_MAX));
        if (index < 0)
            return;
        w->ref.adj_of[k] = (uint32_t)index;
        w->ref.adj[k] = v;
    }
}

static void edit_label(struct world *w, uint64_t k, uint32_t v)
{
    struct hd_label key = label_of(k);
    struct hd_label_value value = label_value(v);

    if (v == 0) {
        hd_model_label_del(&w->m, &key);
    } else if (hd_model_label_set(&w->m, 1, &key, &value) == NULL) {
        assert_true(w->ref.label[k] == 0 && w->pool->fail_after != UINT64_MAX);
        return;
    }
    w->ref.label[k] = v;
}

static void edit_route(struct world *w, uint64_t k, uint32_t v)
{
    struct hd_route_key key = route_of(k);
    struct hd_route_value value = route_value(v);

    if (v == 0) {
        hd_model_route_del(&w->m, &key);
    } else {
        int error = hd_model_route_set(&w->m, 1, &key, &value);
        assert_true(error == 0 || (error == HD_ENOMEM && w->ref.route[k] == 0 &&
                                   w->pool->fail_after != UINT64_MAX));
        if (error != 0)
            return;
    }
    w->ref.route[k] = v;
}

static void edit(struct world *w)
{
    uint64_t k = hd_random_below(&w->r, KEYS);
    uint32_t v = (uint32_t)hd_random_below(&w->r, 4);

    w->edits++;
    if (hd_random_below(&w->r, 4) == 0)
        w->pool->fail_after = hd_random_below(&w->r, 3);
    switch (hd_random_below(&w->r, 3)) {
    case 0:
        edit_adj(w, k, v);
        break;
    case 1:
        edit_label(w, k, v);
        break;
    default:
        edit_route(w, k, v);
        break;
    }
    w->pool->fail_after = UINT64_MAX;
}

/* --- the driver ------------------------------------------------------------------------------- */

static bool same_route(struct hd_route_key a, const struct hd_route_key *b)
{
    return a.len == b->len && hd_ip6_equal(&a.prefix, &b->prefix);
}

/* Labels and routes move to other indices when their tables are packed; their keys stay. */
static uint32_t key_at(struct world *w, enum hd_object_kind kind, uint32_t index)
{
    uint64_t k = 0;

    if (kind == HD_OBJ_LABEL)
        return hd_model_label_at(&w->m, index)->key.b[0];
    const struct hd_route_key *key = &hd_model_route_at(&w->m, index)->key;
    while (k < KEYS && !same_route(route_of(k), key))
        k++;
    assert_true(k < KEYS);
    return (uint32_t)k;
}

static uint32_t *plane_at(struct world *w, enum hd_object_kind kind, uint32_t index)
{
    assert_true(index > 0 && index < 256);
    return kind == HD_OBJ_ADJ     ? &w->plane.adj[index]
           : kind == HD_OBJ_LABEL ? &w->plane.label[key_at(w, kind, index)]
                                  : &w->plane.route[key_at(w, kind, index)];
}

static uint32_t value_at(struct world *w, enum hd_object_kind kind, uint32_t index)
{
    return kind == HD_OBJ_ADJ     ? hd_model_adj(&w->m, index)->v.ifindex
           : kind == HD_OBJ_LABEL ? hd_model_label_at(&w->m, index)->v.adj
                                  : hd_model_route_at(&w->m, index)->v.adj;
}

static const struct hd_object *object_at(struct world *w, enum hd_object_kind kind, uint32_t index)
{
    return kind == HD_OBJ_ADJ     ? &w->m.adjs.v[index].o
           : kind == HD_OBJ_LABEL ? &w->m.labels.v[index].o
                                  : &w->m.routes.v[index].o;
}

static bool pull(struct world *w)
{
    struct pending *p = &w->window[w->in_window];

    if (w->in_window == WINDOW || !hd_model_pull(&w->m, &p->c))
        return false;
    p->value = p->c.del ? 0 : value_at(w, p->c.kind, p->c.index);
    assert_true(p->c.del || p->value != 0);
    w->in_window++;
    w->pulls++;
    return true;
}

/* Finishes the oldest change. */
static void finish(struct world *w, bool refuse)
{
    struct pending p = w->window[0];

    if (w->in_window == 0)
        return;
    w->in_window--;
    memmove(&w->window[0], &w->window[1], w->in_window * sizeof p);
    if (!refuse)
        *plane_at(w, p.c.kind, p.c.index) = p.value;
    hd_model_done(&w->m, &p.c, refuse ? HD_ESYS : 0);
}

static void lose(struct world *w)
{
    uint32_t index = hd_model_next(&w->m, HD_OBJ_LABEL, (uint32_t)hd_random_below(&w->r, KEYS));

    if (index == 0)
        return;
    *plane_at(w, HD_OBJ_LABEL, index) = 0;
    hd_model_lost(&w->m, HD_OBJ_LABEL, index);
    w->edits++;
}

/* --- checks ----------------------------------------------------------------------------------- */

static void check_lookup(struct world *w)
{
    struct hd_ip6 to = {0};
    int best = -1;

    to.b[0] = (uint8_t)(hd_random_below(&w->r, 16) << 4);
    to.b[15] = (uint8_t)hd_random_below(&w->r, 8);
    for (int k = 0; k < KEYS; k++) {
        struct hd_route_key key = route_of((uint64_t)k);
        bool match = true;
        for (unsigned bit = 0; bit < key.len; bit++)
            match &= ((to.b[bit / 8] ^ key.prefix.b[bit / 8]) >> (7 - bit % 8) & 1) == 0;
        if (match && w->ref.route[k] != 0 && (best < 0 || key.len > route_of((uint64_t)best).len))
            best = k;
    }
    const struct hd_route_entry *e = hd_model_route_lookup(&w->m, &to);
    assert_int_equal(e != NULL, best >= 0);
    if (e != NULL)
        assert_int_equal(e->v.adj, w->ref.route[best]);
}

/* Every object that is wanted: how many, and that `installed` tells the truth. */
static uint32_t check_kind(struct world *w, enum hd_object_kind kind)
{
    uint32_t n = 0;

    for (uint32_t i = hd_model_next(&w->m, kind, 0); i != 0; i = hd_model_next(&w->m, kind, i)) {
        n++;
        if (object_at(w, kind, i)->installed)
            assert_int_equal(*plane_at(w, kind, i), value_at(w, kind, i));
    }
    return n;
}

static void check(struct world *w)
{
    uint32_t adjs = 0, labels = 0, routes = 0;

    for (uint64_t k = 0; k < KEYS; k++) {
        struct hd_label l = label_of(k);
        struct hd_route_key key = route_of(k);
        const struct hd_label_entry *e = hd_model_label_find(&w->m, &l);
        const struct hd_route_entry *f = hd_model_route_find(&w->m, &key);
        assert_int_equal(e != NULL ? e->v.adj : 0, w->ref.label[k]);
        assert_int_equal(f != NULL ? f->v.adj : 0, w->ref.route[k]);
        if (w->ref.adj[k] != 0)
            assert_int_equal(hd_model_adj(&w->m, w->ref.adj_of[k])->v.ifindex, w->ref.adj[k]);
        adjs += w->ref.adj[k] != 0;
        labels += w->ref.label[k] != 0;
        routes += w->ref.route[k] != 0;
    }
    assert_int_equal(check_kind(w, HD_OBJ_ADJ), adjs);
    assert_int_equal(check_kind(w, HD_OBJ_LABEL), labels);
    assert_int_equal(check_kind(w, HD_OBJ_ROUTE), routes);
    check_lookup(w);
}

/* Drains all queues, in safe order. */
static void drain(struct world *w)
{
    int last = -1;

    for (;;) {
        if (!pull(w)) {
            if (w->in_window == 0)
                break;
            finish(w, false);
            continue;
        }
        const struct hd_change *c = &w->window[w->in_window - 1].c;
        int rank = c->del ? 2 + HD_OBJ_ROUTE - (int)c->kind + HD_OBJ_ADJ : (int)c->kind - 1;
        assert_true(rank >= last);
        last = rank;
    }
    assert_int_equal(w->m.queued, 0);
}

static uint32_t held(const uint32_t *values)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < 256; i++)
        n += values[i] != 0;
    return n;
}

/* After the owner said everything once more and nothing was refused, the two sides agree. */
static void settle(struct world *w)
{
    for (uint64_t k = 0; k < KEYS; k++) {
        edit_adj(w, k, w->ref.adj[k]);
        edit_label(w, k, w->ref.label[k]);
        edit_route(w, k, w->ref.route[k]);
    }
    w->edits += (uint64_t)3 * KEYS;
    drain(w);
    check(w);
    static const enum hd_object_kind kinds[] = {HD_OBJ_ADJ, HD_OBJ_LABEL, HD_OBJ_ROUTE};
    for (unsigned i = 0; i < 3; i++)
        for (uint32_t n = hd_model_next(&w->m, kinds[i], 0); n != 0;
             n = hd_model_next(&w->m, kinds[i], n))
            assert_true(object_at(w, kinds[i], n)->installed);
    assert_int_equal(held(w->plane.adj), w->m.adj_free.live);
    assert_int_equal(held(w->plane.label), w->m.label_free.live);
    assert_int_equal(held(w->plane.route), w->m.route_free.live);
    assert_int_equal(w->m.label_free.live, w->m.label_index.len);
    assert_int_equal(w->m.route_free.live, w->m.route_index.len);
    assert_true(w->pulls <= w->edits);
}

/* One life of a model, from an empty one, so that its tables grow under failing allocations too. */
static void live(uint64_t seed, unsigned steps)
{
    struct world *w = calloc(1, sizeof *w);

    w->pool = test_pool(1 << 20);
    hd_random_seed(&w->r, seed, steps);
    assert_int_equal(hd_model_init(&w->m, w->pool, hd_random_u64(&w->r)), 0);
    for (unsigned i = 0; i < steps; i++) {
        uint64_t op = hd_random_below(&w->r, 100);
        if (op < 50)
            edit(w);
        else if (op < 75)
            pull(w);
        else if (op < 98)
            finish(w, w->in_window > 0 && !w->window[0].c.del && hd_random_below(&w->r, 8) == 0);
        else
            lose(w);
        check(w);
        if (i % 500 == steps % 500) {
            drain(w);
            settle(w);
        }
    }
    drain(w);
    settle(w);
    hd_model_free(&w->m);
    assert_int_equal(w->pool->live, 0);
    free(w->pool);
    free(w);
}

static void against_arrays(void **state)
{
    live(test_seed(__func__), STEPS);
}

static void against_arrays_from_the_start(void **state)
{
    uint64_t seed = test_seed(__func__);

    for (unsigned i = 0; i < 300; i++)
        live(seed + i, 20 + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_arrays),
                                       cmocka_unit_test(against_arrays_from_the_start)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

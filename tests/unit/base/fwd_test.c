/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forwarding model by cases: order of changes, coalescing, edits while a change is on the way,
 * refusal, loss, adoption, limits. What random edits do: tests/model/base/fwd_test.c.
 */
#include "support/test.h"

#include "model/fwd.h"

struct fixture {
    struct hd_pool *pool;
    struct hd_model m;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->pool = test_pool(1 << 20);
    assert_int_equal(hd_model_init(&f->m, f->pool, 7), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hd_model_free(&f->m);
    assert_int_equal(f->pool->live, 0);
    free(f->pool);
    free(f);
    return 0;
}

static struct hd_label label(uint8_t n)
{
    return (struct hd_label){.b = {n}};
}

static struct hd_route_key prefix(const char *text, uint8_t len)
{
    struct hd_route_key k = {.len = len};

    assert_int_equal(hd_ip6_parse(text, &k.prefix), 0);
    return k;
}

static const struct hd_adj_value an_adj = {.ifindex = 2, .admitted = true};
static const struct hd_label_value a_swap = {.act = HD_LABEL_SWAP, .adj = 1, .out = {{9}}};
static const struct hd_label_value a_decap = {.act = HD_LABEL_DECAP};
static const struct hd_repair none;
static const struct hd_route_value a_route = {.act = HD_ROUTE_ENCAP, .adj = 1};

static void expect(struct hd_model *m, enum hd_object_kind kind, bool del, struct hd_change *c)
{
    assert_true(hd_model_pull(m, c));
    assert_int_equal(c->kind, kind);
    assert_int_equal(c->del, del);
}

static void expect_done(struct hd_model *m, enum hd_object_kind kind, bool del)
{
    struct hd_change c;

    expect(m, kind, del, &c);
    hd_model_done(m, &c, 0);
}

static void expect_nothing(struct hd_model *m)
{
    struct hd_change c;

    assert_false(hd_model_pull(m, &c));
    assert_int_equal(m->queued, 0);
}

static void safe_order(void **state)
{
    struct hd_model *m = &((struct fixture *)*state)->m;
    struct hd_label l = label(1);
    struct hd_route_key k = prefix("fc00::1", 128);

    assert_int_equal(hd_model_route_set(m, 1, &k, &a_route), 0);
    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    assert_int_equal(hd_model_adj_add(m, 1, &an_adj), 1);
    expect_done(m, HD_OBJ_ADJ, false);
    expect_done(m, HD_OBJ_LABEL, false);
    expect_done(m, HD_OBJ_ROUTE, false);
    expect_nothing(m);
    hd_model_adj_del(m, 1);
    hd_model_label_del(m, &l);
    hd_model_route_del(m, &k);
    assert_null(hd_model_label_find(m, &l));
    assert_null(hd_model_route_find(m, &k));
    /* what appears goes before what disappears */
    struct hd_label l2 = label(2);
    assert_non_null(hd_model_label_set(m, 1, &l2, &a_decap));
    expect_done(m, HD_OBJ_LABEL, false);
    expect_done(m, HD_OBJ_ROUTE, true);
    expect_done(m, HD_OBJ_LABEL, true);
    assert_non_null(hd_model_adj(m, 1)); /* the driver still needs it */
    expect_done(m, HD_OBJ_ADJ, true);
    assert_null(hd_model_adj(m, 1));
    expect_nothing(m);
}

static void coalesces(void **state)
{
    struct hd_model *m = &((struct fixture *)*state)->m;
    struct hd_label l = label(1);
    struct hd_change c;

    /* set and deleted before anybody looked: nothing happened */
    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    hd_model_label_del(m, &l);
    expect_nothing(m);
    assert_int_equal(m->label_free.live, 0);
    /* three values: one change with the last */
    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    assert_non_null(hd_model_label_set(m, 1, &l, &a_decap));
    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    expect(m, HD_OBJ_LABEL, false, &c);
    assert_int_equal(hd_model_label_at(m, c.index)->v.act, HD_LABEL_SWAP);
    hd_model_done(m, &c, 0);
    /* deleted and set again with the same value: it never left */
    hd_model_label_del(m, &l);
    assert_null(hd_model_label_find(m, &l));
    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    expect_nothing(m);
    assert_true(hd_model_label_find(m, &l)->o.installed);
    /* and with another one: a set, no deletion */
    hd_model_label_del(m, &l);
    assert_non_null(hd_model_label_set(m, 1, &l, &a_decap));
    expect_done(m, HD_OBJ_LABEL, false);
    expect_nothing(m);
    /* the same value again is no edit */
    uint32_t generation = m->generation;
    assert_non_null(hd_model_label_set(m, 1, &l, &a_decap));
    assert_int_equal(m->generation, generation);
}

static void replaced_then_deleted(void **state)
{
    struct hd_model *m = &((struct fixture *)*state)->m;
    struct hd_label l = label(1);

    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    expect_done(m, HD_OBJ_LABEL, false);
    assert_non_null(hd_model_label_set(m, 1, &l, &a_decap)); /* queued, the old value present */
    assert_false(hd_model_label_find(m, &l)->o.installed);
    assert_true(hd_model_label_find(m, &l)->o.present);
    hd_model_label_del(m, &l);
    expect_done(m, HD_OBJ_LABEL, true); /* the old value has to go */
    expect_nothing(m);
    assert_int_equal(m->label_free.live, 0);
}

/* Edits between pull and done. */
static void edits_in_flight(void **state)
{
    struct hd_model *m = &((struct fixture *)*state)->m;
    struct hd_label l = label(1);
    struct hd_change set, again, del;

    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    expect(m, HD_OBJ_LABEL, false, &set);
    assert_non_null(hd_model_label_set(m, 1, &l, &a_decap));
    hd_model_done(m, &set, 0);
    assert_false(hd_model_label_find(m, &l)->o.installed); /* that was the value before */
    expect(m, HD_OBJ_LABEL, false, &again);
    hd_model_label_del(m, &l);
    expect(m, HD_OBJ_LABEL, true, &del);
    hd_model_done(m, &again, 0);
    assert_int_equal(m->label_free.live, 1); /* its slot waits for the deletion */
    assert_non_null(hd_model_label_set(m, 1, &l, &a_decap));
    hd_model_done(m, &del, 0);
    assert_non_null(hd_model_label_find(m, &l));
    assert_false(hd_model_label_find(m, &l)->o.present);
    expect_done(m, HD_OBJ_LABEL, false);
    assert_true(hd_model_label_find(m, &l)->o.installed);
    /* deleted while the first set is on the way, which is then refused: nothing is left to delete
     */
    struct hd_label l2 = label(2);
    assert_non_null(hd_model_label_set(m, 1, &l2, &a_swap));
    expect(m, HD_OBJ_LABEL, false, &set);
    hd_model_label_del(m, &l2);
    hd_model_done(m, &set, HD_ESYS);
    expect_nothing(m);
    assert_int_equal(m->label_free.live, 1);
}

static void refused_and_lost(void **state)
{
    struct hd_model *m = &((struct fixture *)*state)->m;
    struct hd_label l = label(1);
    struct hd_change c;

    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    expect(m, HD_OBJ_LABEL, false, &c);
    hd_model_done(m, &c, HD_ESYS);
    struct hd_label_entry *e = hd_model_label_find(m, &l);
    assert_true(!e->o.installed && !e->o.present && e->o.reason == -HD_ESYS);
    expect_nothing(m); /* not tried for ever */
    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    expect_done(m, HD_OBJ_LABEL, false); /* but when the owner says it again */
    assert_true(e->o.installed && e->o.reason == 0);
    hd_model_lost(m, HD_OBJ_LABEL, c.index);
    assert_false(e->o.installed);
    hd_model_lost(m, HD_OBJ_LABEL, c.index);
    expect_done(m, HD_OBJ_LABEL, false);
    assert_true(e->o.installed);
    hd_model_label_del(m, &l);
    hd_model_lost(m, HD_OBJ_LABEL, c.index); /* gone by itself before we deleted it */
    expect_nothing(m);
    assert_int_equal(m->label_free.live, 0);
    /* refused, then deleted: it was never there */
    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    expect(m, HD_OBJ_LABEL, false, &c);
    hd_model_done(m, &c, HD_ESYS);
    hd_model_label_del(m, &l);
    expect_nothing(m);
}

static void adopts_and_sweeps(void **state)
{
    struct hd_model *m = &((struct fixture *)*state)->m;
    struct hd_label l1 = label(1), l2 = label(2), l3 = label(3);
    struct hd_route_key k = prefix("fc00::", 16);
    struct hd_adj_value v = an_adj;

    assert_int_equal(hd_model_adopt_adj(m, 1, 0, &v), HD_EINVAL);
    assert_int_equal(hd_model_adopt_adj(m, 1, 5, &v), 0);
    assert_int_equal(hd_model_adopt_adj(m, 1, 5, &v), HD_EEXIST);
    assert_int_equal(hd_model_adopt_adj(m, 1, 2, &v), 0);
    assert_int_equal(hd_model_adopt_adj(m, 1, HD_ADJS_MAX_DEFAULT + 1, &v), HD_ELIMIT);
    assert_int_equal(hd_model_adj_adopted(m, 2, &v.link_local), 2);
    assert_int_equal(hd_model_adj_adopted(m, 3, &v.link_local), 0);
    assert_int_equal(hd_model_adopt_label(m, 1, &l1, &a_swap, &none), 0);
    assert_int_equal(hd_model_adopt_label(m, 1, &l1, &a_swap, &none), HD_EEXIST);
    assert_int_equal(hd_model_adopt_label(m, 1, &l2, &a_swap, &none), 0);
    assert_int_equal(hd_model_adopt_label(m, 2, &l3, &a_swap, &none), 0);
    assert_int_equal(hd_model_adopt_route(m, 1, &k, &a_route, &none), 0);
    expect_nothing(m); /* it is all in force */
    hd_model_adj_set(m, 5, &v);
    assert_int_equal(hd_model_adj_adopted(m, 2, &v.link_local), 2);
    assert_non_null(hd_model_label_set(m, 1, &l1, &a_swap)); /* claimed: nothing to do */
    expect_nothing(m);
    hd_model_sweep(m, 1);
    expect_done(m, HD_OBJ_ROUTE, true);
    expect_done(m, HD_OBJ_LABEL, true);
    expect_done(m, HD_OBJ_ADJ, true);
    expect_nothing(m);
    assert_true(hd_model_label_find(m, &l1) != NULL && hd_model_label_find(m, &l2) == NULL);
    assert_non_null(hd_model_label_find(m, &l3)); /* another owner's */
    assert_true(hd_model_adj(m, 5) != NULL && hd_model_adj(m, 2) == NULL);
    bool seen[8] = {false};
    for (unsigned i = 0; i < 4; i++) { /* the gaps are handed out, no index twice */
        int adj = hd_model_adj_add(m, 1, &v);
        assert_true(adj > 0 && adj < 8 && adj != 5 && !seen[adj]);
        seen[adj] = true;
    }
}

static void limits(void **state)
{
    struct hd_model *m = &((struct fixture *)*state)->m;

    m->label_free.limit = 2;
    m->route_free.limit = 1;
    m->adj_free.limit = 1;
    for (uint8_t n = 1; n <= 3; n++) {
        struct hd_label l = label(n);
        assert_int_equal(hd_model_label_set(m, 1, &l, &a_swap) != NULL, n <= 2);
    }
    struct hd_route_key k = prefix("fc00::1", 128), k2 = prefix("fc00::2", 128);
    assert_int_equal(hd_model_route_set(m, 1, &k, &a_route), 0);
    assert_int_equal(hd_model_route_set(m, 1, &k2, &a_route), HD_ELIMIT);
    assert_int_equal(hd_model_route_set(m, 1, &k, &a_route), 0);
    assert_int_equal(hd_model_adj_add(m, 1, &an_adj), 1);
    assert_int_equal(hd_model_adj_add(m, 1, &an_adj), HD_ELIMIT);
}

static void longest_match(void **state)
{
    struct hd_model *m = &((struct fixture *)*state)->m;
    static const struct {
        const char *prefix;
        uint8_t len;
    } routes[] = {{"::", 0}, {"fc00::", 16}, {"fc00:8000::", 17}, {"fc00:8000::1", 128}};
    static const struct {
        const char *to;
        int want; /* index of the route */
    } rows[] = {{"fc00:8000::1", 3}, {"fc00:8000::2", 2}, {"fc00:4000::1", 1}, {"fd00::1", 0}};
    struct hd_ip6 to;

    assert_int_equal(hd_ip6_parse("fc00::1", &to), 0);
    assert_null(hd_model_route_lookup(m, &to));
    for (size_t i = 0; i < HD_ARRAY_LEN(routes); i++) {
        struct hd_route_key k = prefix(routes[i].prefix, routes[i].len);
        assert_int_equal(hd_model_route_set(m, 1, &k, &a_route), 0);
    }
    for (size_t i = 0; i < HD_ARRAY_LEN(rows); i++) {
        assert_int_equal(hd_ip6_parse(rows[i].to, &to), 0);
        assert_int_equal(hd_model_route_lookup(m, &to)->key.len, routes[rows[i].want].len);
    }
    struct hd_route_key k = prefix("fc00:8000::1", 128);
    hd_model_route_del(m, &k); /* not wanted: not found, before the driver heard of it */
    assert_int_equal(hd_model_route_lookup(m, &k.prefix)->key.len, 17);
    k = prefix("fc00:ffff::1", 17); /* bits past the length do not matter */
    assert_non_null(hd_model_route_find(m, &k));
}

static void too_many_in_flight(void **state)
{
    struct hd_model *m = &((struct fixture *)*state)->m;
    struct hd_label l = label(1);
    struct hd_change c[255], more;

    for (unsigned i = 0; i < 255; i++) {
        assert_non_null(hd_model_label_set(m, 1, &l, i % 2 ? &a_swap : &a_decap));
        expect(m, HD_OBJ_LABEL, false, &c[i]);
    }
    assert_non_null(hd_model_label_set(m, 1, &l, &a_swap));
    assert_false(hd_model_pull(m, &more));
    for (unsigned i = 0; i < 255; i++)
        hd_model_done(m, &c[i], 0);
    expect_done(m, HD_OBJ_LABEL, false);
    assert_true(hd_model_label_find(m, &l)->o.installed);
}

/* What lies between the members of a route's value has no say. */
static void values_without_padding(void **state)
{
    struct hd_route_value a, b, c;

    (void)state;
    memset(&a, 0, sizeof a);
    memset(&b, 0xff, sizeof b);
    a.act = b.act = HD_ROUTE_ENCAP;
    a.mtu = b.mtu = 1400;
    a.adj = b.adj = 3;
    a.out = b.out = (struct hd_label){{9}};
    assert_true(hd_route_value_equal(&a, &b));
    c = b;
    c.act = HD_ROUTE_DIRECT;
    assert_false(hd_route_value_equal(&a, &c));
    c = b;
    c.mtu = 0;
    assert_false(hd_route_value_equal(&a, &c));
    c = b;
    c.adj = 4;
    assert_false(hd_route_value_equal(&a, &c));
    c = b;
    c.out.b[HD_ID_BYTES - 1] = 1;
    assert_false(hd_route_value_equal(&a, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(safe_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(coalesces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replaced_then_deleted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(edits_in_flight, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_and_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(adopts_and_sweeps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(longest_match, set_up, tear_down),
        cmocka_unit_test(values_without_padding),
        cmocka_unit_test_setup_teardown(too_many_in_flight, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

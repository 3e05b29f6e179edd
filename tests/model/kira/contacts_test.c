/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contact table (src/core/kira/contacts.c) under random learning, failing, removing and growing
 * on demand, beside the statements that make it what it is: the index finds every contact and
 * nothing else; counts are those of a recount; no bucket holds more than its capacity; only the
 * last one splits; every path in use can be read, begins at a neighbour when learned, ends in its
 * contact; the tree has no reference but theirs; closest and next hop are what a sort says.
 */
#include "core/kira/forwarding.h"
#include "world.h"

#define NEIGHBOURS 6
#define STEPS      12000

struct table {
    struct world w;
    hd_node neighbour[NEIGHBOURS];
    uint64_t capacity_seen;
};

static uint32_t below(struct table *t, uint32_t n)
{
    return (uint32_t)hd_random_below(&t->w.random, n);
}

/* An identifier that shares about `bits` bits with the own one. */
static hd_node draw_node(struct table *t)
{
    struct hd_id id = world_random_id(&t->w);
    uint32_t bits = below(t, 12);

    for (uint32_t i = 0; i < bits; i++) {
        uint8_t mask = (uint8_t)(0x80u >> (i % 8));
        id.b[i / 8] = (uint8_t)((id.b[i / 8] & ~mask) | (t->w.k->id.b[i / 8] & mask));
    }
    id.b[4] = id.b[5] = id.b[6] = 0; /* some come again */
    id.b[7] &= 0x0f;
    memset(id.b + 8, 0, 6);
    id.b[2] = 1;
    if (hd_id_equal(&id, &t->w.k->id))
        id.b[13] ^= 1;
    return world_node(&t->w, &id);
}

static void learn(struct table *t)
{
    hd_node path[10];
    uint32_t len = 2 + below(t, 7);

    path[0] = t->neighbour[below(t, NEIGHBOURS)];
    for (uint32_t i = 1; i < len; i++)
        path[i] = draw_node(t);
    kira_contact_learn(&t->w.x, path, len, 1 + below(t, 5), below(t, 1000),
                       below(t, 2) ? KIRA_VALIDATED : KIRA_NAMED);
}

static struct kira_contact *any(struct table *t)
{
    struct kira *k = t->w.k;

    return k->contacts.len == 0 ? NULL : &k->contacts.v[below(t, k->contacts.len)];
}

static void step(struct table *t)
{
    struct kira_contact *p = any(t);
    uint32_t op = below(t, 100);

    hd_fx_clear(&t->w.fx);
    t->w.ctx.now += HD_MS(below(t, 20));
    if (op < 80) {
        learn(t);
    } else if (op < 86 && p != NULL) {
        kira_contact_remove(&t->w.x, p);
    } else if (op < 90 && p != NULL) {
        p->used_s = kira_seconds(t->w.k, t->w.ctx.now);
    } else if (op < 93) {
        hd_node n = draw_node(t);
        if (kira_contact_find(t->w.k, n) == NULL)
            kira_contact_add_on_demand(&t->w.x, n);
    } else if (op < 97 && p != NULL && p->active != 0) {
        hd_node path[HD_KIRA_PATH_MAX];
        uint32_t len = kira_path_read(t->w.k, p->active, path);
        uint32_t at = below(t, len);
        hd_node a = at == 0 ? t->w.k->self : path[at - 1];
        if (a != t->w.k->self)
            kira_link_failed(&t->w.x, a, path[at], t->w.ctx.now);
    } else {
        kira_routes_work(&t->w.x, UINT32_MAX);
    }
}

static void check_counts(struct table *t)
{
    struct kira *k = t->w.k;
    uint16_t in_bucket[HD_ID_BITS + 1] = {0};
    uint32_t on_demand = 0, dirty = 0, indexed = 0;

    for (uint32_t i = 0; i < k->contacts.len; i++) {
        const struct kira_contact *p = &k->contacts.v[i];
        assert_ptr_equal(kira_contact_find(k, p->node), p);
        assert_int_equal(p->bits, hd_id_shared_bits(&k->id, kira_id(&t->w.x, p->node)));
        if (p->flags & KIRA_CONTACT_ON_DEMAND)
            on_demand++;
        else
            in_bucket[p->bits]++;
        dirty += (p->flags & KIRA_CONTACT_DIRTY) != 0;
    }
    assert_int_equal(on_demand, k->on_demand);
    assert_int_equal(dirty, k->contacts_dirty);
    assert_memory_equal(in_bucket, k->in_bucket, sizeof in_bucket);
    for (uint32_t i = 0; i < k->contact_index.cap; i++)
        indexed += k->contact_index.slots[i] != 0;
    assert_int_equal(indexed, k->contacts.len);
}

/* With equal capacities no bucket ever holds more than k, and a split was needed. */
static void check_buckets(struct table *t)
{
    struct kira *k = t->w.k;
    uint32_t last = 0;

    assert_true(k->buckets >= 1 && k->buckets <= HD_ID_BITS);
    for (uint16_t b = 0; b + 1 < k->buckets; b++) {
        assert_true(k->in_bucket[b] <= k->cfg.bucket_size);
        t->capacity_seen += k->in_bucket[b] == k->cfg.bucket_size;
    }
    for (unsigned bits = k->buckets - 1u; bits <= HD_ID_BITS; bits++)
        last += k->in_bucket[bits];
    assert_true(last <= k->cfg.bucket_size);
    if (k->buckets > 1) /* else the two would be one */
        assert_true(last + k->in_bucket[k->buckets - 2] > k->cfg.bucket_size / 2u);
}

static void check_paths(struct table *t)
{
    struct kira *k = t->w.k;
    uint32_t ends = 0, refs = 0, children = 0;

    for (uint32_t i = 0; i < k->contacts.len; i++) {
        const struct kira_contact *p = &k->contacts.v[i];
        hd_node path[HD_KIRA_PATH_MAX];
        if (p->active != 0) {
            assert_int_equal(kira_path_read(k, p->active, path), p->len);
            assert_int_equal(path[p->len - 1], p->node);
            assert_true(kira_uln_alive(k, path[0]));
        } else {
            assert_true(p->state != HD_KIRA_CONTACT_VALID);
        }
        if (p->proposed != 0) {
            assert_int_equal(kira_path_read(k, p->proposed, path), p->proposed_len);
            assert_int_equal(path[p->proposed_len - 1], p->node);
        }
        ends += (p->active != 0 ? 1u : 0u) + (p->proposed != 0 ? 1u : 0u);
    }
    for (uint32_t i = 1; i < k->trie.len; i++) {
        refs += k->trie.v[i].refs;
        children += k->trie.v[i].refs > 0 && k->trie.v[i].parent != 0;
    }
    assert_int_equal(refs, ends + children);
}

static const struct hd_id *target_of_sort;
static struct table *table_of_sort;

static int nearer(const void *a, const void *b)
{
    return hd_id_closer(target_of_sort, kira_id(&table_of_sort->w.x, *(const hd_node *)a),
                        kira_id(&table_of_sort->w.x, *(const hd_node *)b));
}

static void check_choice(struct table *t)
{
    struct kira *k = t->w.k;
    static hd_node all[HD_KIRA_CONTACTS_MAX + NEIGHBOURS];
    struct hd_id target = *kira_id(&t->w.x, draw_node(t));
    struct kira_candidate out[25];
    uint32_t n = 0;

    for (uint32_t i = 0; i < NEIGHBOURS; i++)
        all[n++] = t->neighbour[i];
    for (uint32_t i = 0; i < k->contacts.len; i++) {
        const struct kira_contact *p = &k->contacts.v[i];
        if (p->active != 0 &&
            (p->state == HD_KIRA_CONTACT_VALID || p->state == HD_KIRA_CONTACT_UNPROBED))
            all[n++] = p->node;
    }
    target_of_sort = &target;
    table_of_sort = t;
    qsort(all, n, sizeof all[0], nearer);
    uint32_t len = kira_closest(&t->w.x, &target, 0, false, out, HD_ARRAY_LEN(out));
    assert_int_equal(len, HD_MIN(n, HD_ARRAY_LEN(out)));
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(out[i].node, all[i]);
    hd_node next = kira_next_hop(&t->w.x, &target, 0);
    if (next == 0)
        assert_true(hd_id_closer(&target, kira_id(&t->w.x, all[0]), &k->id) >= 0);
    else /* strictly closer, always: the argument of loop freedom */
        assert_true(hd_id_closer(&target, kira_id(&t->w.x, next), &k->id) < 0);
}

static void run(uint64_t seed, uint16_t k, uint16_t shallow)
{
    static struct table t;
    struct hd_kira_config config;

    memset(&t, 0, sizeof t);
    hd_kira_config_default(&config);
    config.bucket_size = k;
    config.shallow_bucket_size = shallow;
    world_start(&t.w, seed, &config);
    for (uint32_t i = 0; i < NEIGHBOURS; i++)
        t.neighbour[i] = world_neighbour(&t.w, i + 1);
    for (uint32_t i = 0; i < STEPS; i++) {
        step(&t);
        check_counts(&t);
        check_paths(&t);
        if (k == shallow)
            check_buckets(&t);
        if (i % 16 == 0)
            check_choice(&t);
        if (i % 500 == 0)
            check_model(t.w.ctx.model);
    }
    assert_true(t.w.k->buckets > 3);
    if (k == shallow)
        assert_true(t.capacity_seen > 1000); /* capacities were met all the time */
    while (t.w.k->contacts.len > 0)
        kira_contact_remove(&t.w.x, &t.w.k->contacts.v[0]);
    assert_int_equal(t.w.k->buckets, 1);
    for (uint32_t i = 1; i < t.w.k->trie.len; i++)
        assert_int_equal(t.w.k->trie.v[i].refs, 0);
    check_counts(&t);
    world_end(&t.w);
}

static void test_equal_buckets(void **unused)
{
    run(test_seed(__func__), 20, 20);
}

static void test_small_buckets(void **unused)
{
    run(test_seed(__func__), 3, 3);
}

static void test_shallow_buckets(void **unused)
{
    run(test_seed(__func__), 20, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_buckets),
        cmocka_unit_test(test_small_buckets),
        cmocka_unit_test(test_shallow_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of paths (src/core/kira/paths.c) beside a plain list of paths: random insertions and
 * releases over few nodes, so that prefixes are shared, paths end inside others, and the same path
 * is held several times. Whatever is held must read back whole; what nobody holds must be gone.
 */
#include "world.h"

#define NODES   12
#define HELD    400
#define LEN_MAX 9
#define STEPS   60000

struct held {
    uint16_t end;
    uint32_t len;
    hd_node path[LEN_MAX];
};

struct paths {
    struct world w;
    hd_node node[NODES];
    struct held held[HELD];
    uint32_t count;
};

static uint32_t below(struct paths *p, uint32_t n)
{
    return (uint32_t)hd_random_below(&p->w.random, n);
}

/* A path of distinct nodes. */
static uint32_t draw(struct paths *p, hd_node *path)
{
    uint32_t len = 1 + below(p, LEN_MAX), order[NODES];

    for (uint32_t i = 0; i < NODES; i++)
        order[i] = i;
    for (uint32_t i = 0; i < len; i++) {
        uint32_t j = i + below(p, below(p, 2) ? 2 : NODES - i); /* often the same way */
        j = HD_MIN(j, NODES - 1u);
        uint32_t t = order[i];
        order[i] = order[j];
        order[j] = t;
        path[i] = p->node[order[i]];
    }
    return len;
}

/* Distinct prefixes of all held paths: what the tree must have, and no more. */
static uint32_t distinct_prefixes(const struct paths *p)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->count; i++)
        for (uint32_t len = 1; len <= p->held[i].len; len++) {
            bool seen = false;
            for (uint32_t j = 0; j < i && !seen; j++)
                seen = p->held[j].len >= len &&
                       memcmp(p->held[j].path, p->held[i].path, len * sizeof(hd_node)) == 0;
            n += !seen;
        }
    return n;
}

static uint32_t tree_size(const struct kira *k)
{
    uint32_t n = 0;

    for (uint32_t t = 1; t < k->trie.len; t++)
        n += k->trie.v[t].refs > 0;
    return n;
}

static void check_held(struct paths *p, const struct held *h)
{
    struct kira *k = p->w.k;
    hd_node out[HD_KIRA_PATH_MAX];

    assert_int_equal(kira_path_read(k, h->end, out), h->len);
    assert_memory_equal(out, h->path, h->len * sizeof out[0]);
    assert_int_equal(kira_path_first(k, h->end), h->path[0]);
    hd_node a = p->node[below(p, NODES)], b = p->node[below(p, NODES)];
    bool link = false, node = false;
    for (uint32_t i = 0; i < h->len; i++) {
        hd_node before = i == 0 ? k->self : h->path[i - 1];
        link |= (before == a && h->path[i] == b) || (before == b && h->path[i] == a);
        node |= h->path[i] == a;
    }
    assert_int_equal(kira_path_has_link(k, h->end, k->self, a, b), link);
    assert_int_equal(kira_path_has_node(k, h->end, a), node);
    assert_int_equal(kira_path_has_link(k, h->end, k->self, k->self, h->path[0]), true);
}

static void release(struct paths *p, uint32_t i)
{
    kira_path_release(p->w.k, p->held[i].end);
    p->held[i] = p->held[--p->count];
}

static void test_tree_beside_a_list(void **unused)
{
    static struct paths p;
    uint64_t seed = test_seed(__func__);

    memset(&p, 0, sizeof p);
    world_start(&p.w, seed, NULL);
    for (uint32_t i = 0; i < NODES; i++) {
        struct hd_id id = world_random_id(&p.w);
        p.node[i] = world_node(&p.w, &id);
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        bool grow = step / 2000 % 2 == 0;
        if (p.count < HELD && (p.count == 0 || below(&p, 10) < (grow ? 7u : 3u))) {
            struct held *h = &p.held[p.count++];
            h->len = draw(&p, h->path);
            h->end = kira_path_insert(&p.w.x, h->path, h->len);
            assert_int_not_equal(h->end, 0);
        } else {
            release(&p, below(&p, p.count));
        }
        if (p.count > 0)
            check_held(&p, &p.held[below(&p, p.count)]);
        if (step % 1000 == 0)
            assert_int_equal(tree_size(p.w.k), distinct_prefixes(&p));
    }
    while (p.count > 0)
        release(&p, p.count - 1);
    assert_int_equal(tree_size(p.w.k), 0);
    assert_int_equal(p.w.k->trie.v[0].child, 0);
    world_end(&p.w);
}

/* A full pool refuses a path and leaves no part of it behind. */
static void test_refused_path_leaves_nothing(void **unused)
{
    struct world w;
    hd_node path[200];

    world_start(&w, test_seed(__func__), NULL);
    for (uint32_t i = 0; i < HD_ARRAY_LEN(path); i++) {
        struct hd_id id = world_random_id(&w);
        path[i] = world_node(&w, &id);
    }
    for (uint64_t n = 0; n < 6; n++) {
        w.ctx.pool->fail_after = n;
        uint16_t end = kira_path_insert(&w.x, path, HD_ARRAY_LEN(path));
        w.ctx.pool->fail_after = UINT64_MAX;
        if (end != 0)
            kira_path_release(w.k, end);
        assert_int_equal(tree_size(w.k), 0);
    }
    world_end(&w);
}

/* The limit of the tree is met without harm, and space comes back. */
static void test_tree_is_bounded(void **unused)
{
    static uint16_t ends[HD_KIRA_TRIE_MAX];
    struct world w;
    uint32_t n = 0;

    world_start(&w, test_seed(__func__), NULL);
    for (;;) {
        struct hd_id id = world_random_id(&w);
        hd_node path[1] = {hd_ids_intern(w.ctx.ids, &id)};
        if (path[0] == 0 || n == HD_ARRAY_LEN(ends))
            break;
        if ((ends[n] = kira_path_insert(&w.x, path, 1)) == 0)
            break;
        if (++n == 3000) /* children of one parent lie in a chain: enough of them */
            break;
    }
    /* one long chain below each, until the tree is full */
    uint32_t chains = 0;
    static uint16_t tails[HD_KIRA_TRIE_MAX];
    hd_node first[3000];
    for (uint32_t i = 0; i < n; i++)
        first[i] = kira_path_first(w.k, ends[i]);
    for (uint32_t i = 0; i < n; i++) {
        hd_node path[HD_KIRA_PATH_MAX];
        for (uint32_t j = 0; j < HD_KIRA_PATH_MAX; j++)
            path[j] = first[(i + j) % n];
        uint16_t end = kira_path_insert(&w.x, path, HD_KIRA_PATH_MAX);
        if (end == 0)
            break;
        tails[chains++] = end;
    }
    assert_true(chains > 100 && chains < n); /* the limit was met */
    assert_true(w.k->trie.len <= HD_KIRA_TRIE_MAX);
    assert_true(w.k->counts[KIRA_N_PATH_TOO_LONG] > 0);
    while (chains > 0)
        kira_path_release(w.k, tails[--chains]);
    while (n > 0)
        kira_path_release(w.k, ends[--n]);
    assert_int_equal(tree_size(w.k), 0);
    world_end(&w);
}

/* Cutting cycles: the result has no node twice, begins behind the last self, keeps the end. */
static void test_clean_path(void **unused)
{
    struct world w;

    world_start(&w, test_seed(__func__), NULL);
    for (unsigned round = 0; round < 20000; round++) {
        hd_node path[24], given[24];
        uint32_t len = 1 + (uint32_t)hd_random_below(&w.random, HD_ARRAY_LEN(path));
        for (uint32_t i = 0; i < len; i++)
            given[i] = path[i] = 1 + (hd_node)hd_random_below(&w.random, 10);
        uint32_t n = kira_path_clean(1, path, len);
        assert_true(n <= len);
        if (given[len - 1] == 1) {
            assert_int_equal(n, 0);
            continue;
        }
        assert_true(n > 0);
        assert_int_equal(path[n - 1], given[len - 1]);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_not_equal(path[i], 1);
            for (uint32_t j = 0; j < i; j++)
                assert_int_not_equal(path[i], path[j]);
        }
        for (uint32_t i = 1; i < n; i++) { /* every link kept was there */
            bool there = false;
            for (uint32_t j = 1; j < len; j++)
                there |= given[j - 1] == path[i - 1] && given[j] == path[i];
            assert_true(there);
        }
    }
    world_end(&w);
}

/* What kira_path_clean says of long paths, as plainly as it can be said. */
static uint32_t clean_plainly(hd_node self, const hd_node *path, uint32_t len, hd_node *out)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < len; i++) {
        if (path[i] == self) {
            n = 0;
            continue;
        }
        for (uint32_t k = 0; k < n; k++)
            if (out[k] == path[i])
                n = k;
        out[n++] = path[i];
    }
    return n;
}

static void test_clean_long_path(void **unused)
{
    static hd_node path[HD_KIRA_ROUTE_MAX + HD_KIRA_PATH_MAX], expected[HD_ARRAY_LEN(path)];
    struct world w;

    world_start(&w, test_seed(__func__), NULL);
    for (unsigned round = 0; round < 3000; round++) {
        uint32_t len = 1 + (uint32_t)hd_random_below(&w.random, HD_ARRAY_LEN(path));
        uint64_t nodes = 10 + hd_random_below(&w.random, round % 2 == 0 ? 100 : 100000);
        for (uint32_t i = 0; i < len; i++)
            path[i] = 1 + (hd_node)hd_random_below(&w.random, nodes);
        uint32_t n = clean_plainly(1, path, len, expected);
        assert_int_equal(kira_path_clean(1, path, len), n);
        assert_memory_equal(path, expected, n * sizeof *path);
    }
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_beside_a_list),
        cmocka_unit_test(test_refused_path_leaves_nothing),
        cmocka_unit_test(test_tree_is_bounded),
        cmocka_unit_test(test_clean_path),
        cmocka_unit_test(test_clean_long_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

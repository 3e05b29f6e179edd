/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search over all known links (src/core/kira/map.c) beside a trivial one over a matrix: random
 * neighbours, lists of theirs, paths in the tree, added paths and failed links. Lengths must be
 * equal, and each path must consist of known links that have not failed.
 */
#include "world.h"

#define NODES 40 /* 0 is self */

struct graph {
    struct world w;
    hd_node node[NODES];
    bool edge[NODES][NODES];
    uint32_t neighbours;
};

static uint32_t below(struct graph *g, uint32_t n)
{
    return (uint32_t)hd_random_below(&g->w.random, n);
}

static uint32_t index_of(const struct graph *g, hd_node n)
{
    uint32_t i = 0;

    while (g->node[i] != n)
        HD_ASSERT(++i < NODES);
    return i;
}

/* Known from `a` to `b`: nobody is reached through self, so links back to it do not count. */
static void put(struct graph *g, uint32_t a, uint32_t b)
{
    if (a != b)
        g->edge[a][b] = g->edge[b][a] = true;
}

static void neighbours(struct graph *g)
{
    g->neighbours = 1 + below(g, 5);
    for (uint32_t i = 1; i <= g->neighbours; i++) {
        g->node[i] = world_neighbour(&g->w, i);
        put(g, 0, i);
    }
    for (uint32_t i = g->neighbours + 1; i < NODES; i++) {
        struct hd_id id = world_random_id(&g->w);
        g->node[i] = world_node(&g->w, &id);
    }
}

static void lists(struct graph *g)
{
    for (uint32_t i = 1; i <= g->neighbours; i++) {
        hd_node list[8];
        uint32_t len = 0;
        list[len++] = g->node[0];
        for (uint32_t n = below(g, 6); n > 0; n--) {
            uint32_t to = 1 + below(g, NODES - 1);
            bool twice = to == i;
            for (uint32_t j = 0; j < len; j++)
                twice |= list[j] == g->node[to];
            if (twice)
                continue;
            list[len++] = g->node[to];
            put(g, i, to);
        }
        hd_fx_clear(&g->w.fx);
        kira_vicinity_list(&g->w.x, g->node[i], 7, list, len, len);
    }
}

static uint32_t draw_path(struct graph *g, hd_node *path)
{
    uint32_t at = 1 + below(g, g->neighbours), len = 0, limit = 2 + below(g, 7);
    bool used[NODES] = {true};

    while (len < limit && !used[at]) {
        used[at] = true;
        path[len++] = g->node[at];
        at = 1 + below(g, NODES - 1);
    }
    return len;
}

static void paths(struct graph *g, struct kira_map *m)
{
    hd_node path[16];

    for (uint32_t n = below(g, 12); n > 0; n--) {
        uint32_t len = draw_path(g, path);
        if (m == NULL)
            assert_int_not_equal(kira_path_insert(&g->w.x, path, len), 0);
        else
            kira_map_add_path(&g->w.x, m, path, len);
        for (uint32_t i = 1; i < len; i++)
            put(g, index_of(g, path[i - 1]), index_of(g, path[i]));
    }
}

static void failures(struct graph *g)
{
    for (uint32_t n = below(g, 10); n > 0; n--) {
        uint32_t a = below(g, NODES), b = below(g, NODES);
        if (a == b)
            continue;
        hd_fx_clear(&g->w.fx);
        kira_link_failed(&g->w.x, g->node[a], g->node[b], g->w.ctx.now);
    }
}

static void shortest(struct graph *g, uint32_t *dist)
{
    uint32_t queue[NODES], head = 0, tail = 0;

    for (uint32_t i = 0; i < NODES; i++)
        dist[i] = UINT32_MAX;
    dist[0] = 0;
    queue[tail++] = 0;
    while (head < tail) {
        uint32_t at = queue[head++];
        for (uint32_t to = 1; to < NODES; to++)
            if (g->edge[at][to] && dist[to] == UINT32_MAX &&
                !kira_link_is_failed(g->w.k, g->node[at], g->node[to])) {
                dist[to] = dist[at] + 1;
                queue[tail++] = to;
            }
    }
}

static void compare(struct graph *g, const struct kira_map *m)
{
    uint32_t dist[NODES];
    hd_node path[HD_KIRA_PATH_MAX];

    shortest(g, dist);
    for (uint32_t to = 1; to < NODES; to++) {
        uint32_t len = kira_map_path(m, g->node[to], path);
        assert_int_equal(len, dist[to] == UINT32_MAX ? 0 : dist[to]);
        for (uint32_t i = 0, at = 0; i < len; i++) {
            uint32_t next = index_of(g, path[i]);
            assert_true(g->edge[at][next]);
            assert_false(kira_link_is_failed(g->w.k, g->node[at], g->node[next]));
            at = next;
        }
        if (len > 0)
            assert_int_equal(path[len - 1], g->node[to]);
    }
    assert_int_equal(kira_map_path(m, g->node[0], path), 0);
}

static void test_map_beside_a_matrix(void **unused)
{
    static struct graph g;
    static struct kira_map m;
    uint64_t seed = test_seed(__func__);

    for (uint64_t i = 0; i < 100; i++) {
        memset(&g, 0, sizeof g);
        world_start(&g.w, seed + i, NULL);
        g.node[0] = g.w.k->self;
        neighbours(&g);
        lists(&g);
        paths(&g, NULL);
        failures(&g);
        kira_map_build(&g.w.x, &m);
        paths(&g, &m);
        kira_map_solve(&g.w.x, &m);
        compare(&g, &m);
        world_end(&g.w);
    }
}

/* More links than the map holds: it stays within its arrays and what it says is still true. */
static void test_map_is_bounded(void **unused)
{
    static struct kira_map m;
    struct world w;
    hd_node path[HD_KIRA_PATH_MAX];

    world_start(&w, test_seed(__func__), NULL);
    hd_node first = world_neighbour(&w, 1);
    kira_map_build(&w.x, &m);
    for (unsigned round = 0; round < 200; round++) {
        hd_node chain[100] = {first};
        for (uint32_t i = 1; i < HD_ARRAY_LEN(chain); i++) {
            struct hd_id id = world_random_id(&w);
            chain[i] = world_node(&w, &id);
        }
        kira_map_add_path(&w.x, &m, chain, HD_ARRAY_LEN(chain));
        kira_map_solve(&w.x, &m);
        uint32_t len = kira_map_path(&m, chain[99], path);
        assert_true(len == 0 || len == 100);
        assert_int_equal(kira_map_path(&m, first, path), 1);
    }
    assert_true(m.nodes <= KIRA_MAP_NODES && m.edges <= KIRA_MAP_EDGES);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_beside_a_matrix),
        cmocka_unit_test(test_map_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

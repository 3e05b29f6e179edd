/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random topologies, drawn from the scenario's seed in integers only. Each generator has a random
 * stream of its own, so that adding one changes none of the others. ws, er and rgg may come out in
 * several parts: the largest is kept.
 */
#include <stdlib.h>

#include "lib/random.h"
#include "scenario/internal.h"

enum stream {
    STREAM_BA = 0x6261,
    STREAM_WS = 0x7773,
    STREAM_ER = 0x6572,
    STREAM_RGG = 0x726767,
};

static int add_link(struct hd_scenario *s, uint32_t a, uint32_t b)
{
    return hd_scenario_add_link(s, a, b) == NULL ? HD_ENOMEM : 0;
}

/* --- Barabasi and Albert: new nodes prefer nodes that have many links ----------------------------
 */

/*
 * Draws m different nodes below `node`. The end of a link drawn evenly is a node drawn by its
 * degree: the links so far are the urn.
 */
static void draw_targets(const struct hd_scenario *s, struct hd_random *r, uint32_t m,
                         uint32_t *targets)
{
    for (uint32_t have = 0; have < m;) {
        uint64_t end = hd_random_below(r, 2 * (uint64_t)s->link_count);
        const struct hd_scenario_link *l = &s->links[end / 2];
        uint32_t candidate = end % 2 == 0 ? l->a : l->b;
        bool taken = false;

        for (uint32_t i = 0; i < have && !taken; i++)
            taken = targets[i] == candidate;
        if (!taken)
            targets[have++] = candidate;
    }
}

static int grow_barabasi(struct hd_scenario *s, struct hd_random *r, uint32_t m, uint32_t *targets)
{
    int rc = 0;

    for (uint32_t node = m + 1; rc == 0 && node < s->node_count; node++) {
        draw_targets(s, r, m, targets);
        for (uint32_t i = 0; rc == 0 && i < m; i++)
            rc = add_link(s, targets[i], node);
    }
    return rc;
}

/* Starts from m + 1 nodes that are all linked to each other. */
int hd_scn_barabasi(struct hd_scenario *s, uint32_t n, uint32_t m)
{
    struct hd_random r;

    if (m == 0 || m >= n)
        return HD_EINVAL;
    if ((uint64_t)m * n > HD_SCENARIO_LINKS_MAX)
        return HD_ELIMIT;
    int rc = hd_scn_add_nodes(s, n);

    for (uint32_t i = 0; i <= m; i++)
        for (uint32_t k = i + 1; rc == 0 && k <= m; k++)
            rc = add_link(s, i, k);
    uint32_t *targets = calloc(m, sizeof *targets);

    if (targets == NULL)
        rc = HD_ENOMEM;
    hd_random_seed(&r, s->seed, STREAM_BA);
    if (rc == 0)
        rc = grow_barabasi(s, &r, m, targets);
    free(targets);
    return rc;
}

/* --- Watts and Strogatz: a ring of near neighbours with shortcuts --------------------------------
 */

static int ring_of_neighbours(struct hd_scenario *s, uint32_t k, struct hd_scn_pairs *pairs)
{
    for (uint32_t step = 1; step <= k / 2; step++) {
        for (uint32_t i = 0; i < s->node_count; i++) {
            uint32_t to = (i + step) % s->node_count;
            int rc = hd_scn_pairs_add(pairs, i, to);

            if (rc > 0)
                rc = add_link(s, i, to);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* A node that `from` has no link to yet; tries are bounded, since a small graph may be full. */
static uint32_t draw_stranger(const struct hd_scenario *s, struct hd_random *r,
                              const struct hd_scn_pairs *pairs, uint32_t from)
{
    for (int tries = 0; tries < 64; tries++) {
        uint32_t to = (uint32_t)hd_random_below(r, s->node_count);

        if (to != from && !hd_scn_pairs_has(pairs, from, to))
            return to;
    }
    return HD_SCENARIO_NONE;
}

static int add_shortcuts(struct hd_scenario *s, struct hd_random *r, uint32_t p_ppm, bool keep,
                         struct hd_scn_pairs *pairs)
{
    uint32_t ring = s->link_count;

    for (uint32_t i = 0; i < ring; i++) {
        if (hd_random_below(r, HD_SCENARIO_MILLION) >= p_ppm)
            continue;
        uint32_t from = s->links[i].a, to = draw_stranger(s, r, pairs, from);

        if (to == HD_SCENARIO_NONE)
            continue;
        int rc = hd_scn_pairs_add(pairs, from, to);

        if (rc < 0)
            return rc;
        if (keep) {
            rc = add_link(s, from, to);
        } else {
            hd_scn_pairs_del(pairs, from, s->links[i].b);
            s->links[i].b = to;
            rc = 0;
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

int hd_scn_watts(struct hd_scenario *s, uint32_t n, uint32_t k, uint32_t p_ppm, bool keep)
{
    struct hd_scn_pairs pairs = {0};
    struct hd_random r;

    if (k == 0 || k % 2 != 0 || k >= n || p_ppm > HD_SCENARIO_MILLION)
        return HD_EINVAL;
    if ((uint64_t)n * k > HD_SCENARIO_LINKS_MAX)
        return HD_ELIMIT;
    int rc = hd_scn_add_nodes(s, n);

    hd_random_seed(&r, s->seed, STREAM_WS);
    if (rc == 0)
        rc = ring_of_neighbours(s, k, &pairs);
    if (rc == 0)
        rc = add_shortcuts(s, &r, p_ppm, keep, &pairs);
    hd_scn_pairs_free(&pairs);
    return rc == 0 ? hd_scn_keep_largest(s) : rc;
}

/* --- Erdos and Renyi: so many links between nodes drawn evenly -----------------------------------
 */

int hd_scn_erdos(struct hd_scenario *s, uint32_t n, uint64_t degree_milli)
{
    struct hd_scn_pairs pairs = {0};
    struct hd_random r;

    if (n < 2 || degree_milli >= (uint64_t)n * 1000)
        return HD_EINVAL;
    uint64_t links = (uint64_t)n * degree_milli / 2000, all = (uint64_t)n * (n - 1) / 2;

    if (links > HD_SCENARIO_LINKS_MAX)
        return HD_ELIMIT;
    if (links > all)
        links = all;
    int rc = hd_scn_add_nodes(s, n);

    hd_random_seed(&r, s->seed, STREAM_ER);
    while (rc == 0 && s->link_count < links) {
        uint32_t a = (uint32_t)hd_random_below(&r, n), b = (uint32_t)hd_random_below(&r, n);

        if (a == b)
            continue;
        rc = hd_scn_pairs_add(&pairs, a, b);
        if (rc > 0)
            rc = add_link(s, a, b);
    }
    hd_scn_pairs_free(&pairs);
    return rc == 0 ? hd_scn_keep_largest(s) : rc;
}

/* --- random geometric graph: points in a square, linked when near
 * --------------------------------- */

#define SIDE_BITS 31

struct point {
    int64_t x, y;
};

/* Points sorted into square cells at least as wide as the radius. */
struct cells {
    uint32_t side;   /* cells per row */
    uint32_t *first; /* by cell: index into order; side * side + 1 entries */
    uint32_t *order; /* points by cell, by number within */
};

static uint64_t root64(uint64_t n)
{
    uint64_t low = 0, high = UINT32_MAX;

    while (low < high) {
        uint64_t mid = low + (high - low + 1) / 2;

        if (mid * mid <= n)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

static uint32_t cell_of(const struct cells *c, const struct point *p)
{
    uint32_t x = (uint32_t)((uint64_t)p->x * c->side >> SIDE_BITS);
    uint32_t y = (uint32_t)((uint64_t)p->y * c->side >> SIDE_BITS);

    return y * c->side + x;
}

static int sort_into_cells(struct cells *c, const struct point *points, uint32_t n)
{
    size_t count = (size_t)c->side * c->side;

    c->first = calloc(count + 2, sizeof *c->first);
    c->order = calloc(n, sizeof *c->order);
    if (c->first == NULL || c->order == NULL)
        return HD_ENOMEM;
    /* Shifted by one, so that filling moves each begin to its place. */
    for (uint32_t i = 0; i < n; i++)
        c->first[cell_of(c, &points[i]) + 2]++;
    for (size_t i = 2; i < count + 2; i++)
        c->first[i] += c->first[i - 1];
    for (uint32_t i = 0; i < n; i++)
        c->order[c->first[cell_of(c, &points[i]) + 1]++] = i;
    return 0;
}

/* Links of node i to near nodes of higher number in one cell. */
static int link_cell(struct hd_scenario *s, const struct cells *c, const struct point *points,
                     uint32_t i, uint32_t cell, uint64_t radius2)
{
    for (uint32_t at = c->first[cell]; at < c->first[cell + 1]; at++) {
        uint32_t k = c->order[at];
        int64_t dx = points[k].x - points[i].x, dy = points[k].y - points[i].y;

        if (k <= i || (uint64_t)(dx * dx) + (uint64_t)(dy * dy) > radius2)
            continue;
        if (s->link_count >= HD_SCENARIO_LINKS_MAX)
            return HD_ELIMIT;
        int rc = add_link(s, i, k);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int link_near(struct hd_scenario *s, const struct cells *c, const struct point *points,
                     uint64_t radius2)
{
    for (uint32_t i = 0; i < s->node_count; i++) {
        uint32_t cell = cell_of(c, &points[i]);
        int64_t x = cell % c->side, y = cell / c->side;

        for (int64_t yy = y - 1; yy <= y + 1; yy++) {
            for (int64_t xx = x - 1; xx <= x + 1; xx++) {
                if (xx < 0 || yy < 0 || xx >= c->side || yy >= c->side)
                    continue;
                int rc = link_cell(s, c, points, i, (uint32_t)(yy * c->side + xx), radius2);

                if (rc < 0)
                    return rc;
            }
        }
    }
    return 0;
}

/* pi * r^2 * (n - 1) is the mean degree away from the border. */
static uint64_t radius_squared(uint32_t n, uint64_t degree_milli)
{
    unsigned __int128 area = (unsigned __int128)1 << (2 * SIDE_BITS);

    return (uint64_t)(area * degree_milli * 1000 / ((unsigned __int128)3141593 * (n - 1)));
}

int hd_scn_geometric(struct hd_scenario *s, uint32_t n, uint64_t degree_milli)
{
    struct cells c = {0};
    struct hd_random r;

    if (n < 2 || degree_milli == 0 || degree_milli >= (uint64_t)n * 1000)
        return HD_EINVAL;
    uint64_t radius2 = radius_squared(n, degree_milli);
    uint64_t cells = (UINT64_C(1) << SIDE_BITS) / (root64(radius2) + 1);

    c.side = cells == 0 ? 1 : cells > 2048 ? 2048 : (uint32_t)cells;
    struct point *points = calloc(n, sizeof *points);
    int rc = points == NULL ? HD_ENOMEM : hd_scn_add_nodes(s, n);

    hd_random_seed(&r, s->seed, STREAM_RGG);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        points[i].x = (int64_t)hd_random_below(&r, UINT64_C(1) << SIDE_BITS);
        points[i].y = (int64_t)hd_random_below(&r, UINT64_C(1) << SIDE_BITS);
    }
    if (rc == 0)
        rc = sort_into_cells(&c, points, n);
    if (rc == 0)
        rc = link_near(s, &c, points, radius2);
    free(points);
    free(c.first);
    free(c.order);
    return rc == 0 ? hd_scn_keep_largest(s) : rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generators: "name:parameters" becomes a topology. The regular ones are here, the random ones in
 * generate_random.c. One row per generator says how its parameters look, so that the message about
 * a wrong one can say it too.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base.h"
#include "scenario/internal.h"

#define PARAMS_MAX 3

/* Parameters as read: whole numbers, or in thousandths / millionths where the row says so. */
struct params {
    uint64_t v[PARAMS_MAX];
    unsigned count;
};

struct generator {
    const char *name;
    const char *form;            /* "grid:WxH" */
    unsigned min, max;           /* number of parameters */
    unsigned digits[PARAMS_MAX]; /* decimal digits kept of each */
    int (*make)(struct hd_scenario *s, const struct params *p);
};

int hd_scn_add_nodes(struct hd_scenario *s, uint32_t n)
{
    if (n > HD_SCENARIO_NODES_MAX)
        return HD_ELIMIT;
    for (uint32_t i = 0; i < n; i++) {
        if (hd_scenario_add_node(s, NULL) == NULL)
            return HD_ENOMEM;
    }
    return 0;
}

static int add_link(struct hd_scenario *s, uint32_t a, uint32_t b)
{
    if (s->link_count >= HD_SCENARIO_LINKS_MAX)
        return HD_ELIMIT;
    return hd_scenario_add_link(s, a, b) == NULL ? HD_ENOMEM : 0;
}

static uint32_t u32(uint64_t v)
{
    return v > HD_SCENARIO_NODES_MAX ? HD_SCENARIO_NODES_MAX + 1 : (uint32_t)v;
}

static int make_line(struct hd_scenario *s, const struct params *p)
{
    int rc = hd_scn_add_nodes(s, u32(p->v[0]));

    for (uint32_t i = 1; rc == 0 && i < s->node_count; i++)
        rc = add_link(s, i - 1, i);
    return rc;
}

static int make_ring(struct hd_scenario *s, const struct params *p)
{
    int rc = make_line(s, p);

    return rc == 0 && s->node_count > 2 ? add_link(s, s->node_count - 1, 0) : rc;
}

static int make_star(struct hd_scenario *s, const struct params *p)
{
    int rc = hd_scn_add_nodes(s, u32(p->v[0]));

    for (uint32_t i = 1; rc == 0 && i < s->node_count; i++)
        rc = add_link(s, 0, i);
    return rc;
}

static int make_full(struct hd_scenario *s, const struct params *p)
{
    uint64_t n = u32(p->v[0]);

    /* Said before gigabytes of it are made. */
    if (n * (n - 1) / 2 > HD_SCENARIO_LINKS_MAX)
        return HD_ELIMIT;
    int rc = hd_scn_add_nodes(s, (uint32_t)n);

    for (uint32_t i = 0; rc == 0 && i < s->node_count; i++)
        for (uint32_t k = i + 1; rc == 0 && k < s->node_count; k++)
            rc = add_link(s, i, k);
    return rc;
}

static int make_tree(struct hd_scenario *s, const struct params *p)
{
    uint64_t children = p->count > 1 ? p->v[1] : 2;

    if (children == 0)
        return HD_EINVAL;
    int rc = hd_scn_add_nodes(s, u32(p->v[0]));

    for (uint32_t i = 1; rc == 0 && i < s->node_count; i++)
        rc = add_link(s, (uint32_t)((i - 1) / children), i);
    return rc;
}

/* Rows of w nodes; wrapped in a direction only where that adds a link of its own. */
static int make_mesh(struct hd_scenario *s, const struct params *p, bool wrap)
{
    uint32_t w = u32(p->v[0]), h = u32(p->v[1]);
    uint64_t n = (uint64_t)w * h;
    int rc = hd_scn_add_nodes(s, u32(n));

    for (uint32_t i = 0; rc == 0 && w > 0 && i < s->node_count; i++) {
        uint32_t x = i % w, y = i / w;

        if (x + 1 < w)
            rc = add_link(s, i, i + 1);
        else if (wrap && w > 2)
            rc = add_link(s, i, i - x);
        if (rc == 0 && y + 1 < h)
            rc = add_link(s, i, i + w);
        else if (rc == 0 && wrap && h > 2)
            rc = add_link(s, i, x);
    }
    return rc;
}

static int make_grid(struct hd_scenario *s, const struct params *p)
{
    return make_mesh(s, p, false);
}

static int make_torus(struct hd_scenario *s, const struct params *p)
{
    return make_mesh(s, p, true);
}

static int add_named(struct hd_scenario *s, char kind, uint32_t pod, uint32_t i)
{
    char name[HD_SCENARIO_NAME_MAX];

    snprintf(name, sizeof name, "%c%u-%u", kind, pod, i);
    return hd_scenario_add_node(s, name) == NULL ? HD_ENOMEM : 0;
}

/* One pod: `half` aggregation and `half` edge switches, full mesh between them, hosts below. */
static int add_pod(struct hd_scenario *s, uint32_t pod, uint32_t half, uint32_t hosts)
{
    uint32_t agg = s->node_count, edge = agg + half;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < half; i++)
        rc = add_named(s, 'a', pod, i);
    for (uint32_t i = 0; rc == 0 && i < half; i++)
        rc = add_named(s, 'e', pod, i);
    for (uint32_t i = 0; i < half; i++) {
        for (uint32_t k = 0; rc == 0 && k < half; k++)
            rc = add_link(s, i * half + k, agg + i); /* to the core */
        for (uint32_t k = 0; rc == 0 && k < half; k++)
            rc = add_link(s, agg + i, edge + k);
    }
    for (uint32_t i = 0; rc == 0 && i < half * hosts; i++) {
        rc = add_named(s, 'h', pod, i);
        if (rc == 0)
            rc = add_link(s, edge + i / hosts, s->node_count - 1);
    }
    return rc;
}

static int make_fat_tree(struct hd_scenario *s, const struct params *p)
{
    uint32_t k = u32(p->v[0]), half = k / 2, hosts = p->count > 1 ? u32(p->v[1]) : 0;
    int rc = 0;

    if (k == 0 || k % 2 != 0 || k > 256 || hosts > 256)
        return HD_EINVAL;
    for (uint32_t i = 0; rc == 0 && i < half * half; i++) {
        char name[HD_SCENARIO_NAME_MAX];

        snprintf(name, sizeof name, "c%u", i);
        rc = hd_scenario_add_node(s, name) == NULL ? HD_ENOMEM : 0;
    }
    for (uint32_t pod = 0; rc == 0 && pod < k; pod++)
        rc = add_pod(s, pod, half, hosts);
    return rc;
}

static int make_ba(struct hd_scenario *s, const struct params *p)
{
    return hd_scn_barabasi(s, u32(p->v[0]), u32(p->v[1]));
}

static int make_ws(struct hd_scenario *s, const struct params *p)
{
    return hd_scn_watts(s, u32(p->v[0]), u32(p->v[1]), (uint32_t)HD_MIN(p->v[2], UINT32_MAX),
                        false);
}

static int make_nws(struct hd_scenario *s, const struct params *p)
{
    return hd_scn_watts(s, u32(p->v[0]), u32(p->v[1]), (uint32_t)HD_MIN(p->v[2], UINT32_MAX), true);
}

static int make_er(struct hd_scenario *s, const struct params *p)
{
    return hd_scn_erdos(s, u32(p->v[0]), p->v[1]);
}

static int make_rgg(struct hd_scenario *s, const struct params *p)
{
    return hd_scn_geometric(s, u32(p->v[0]), p->v[1]);
}

static const struct generator generators[] = {
    {"line", "line:N", 1, 1, {0}, make_line},
    {"ring", "ring:N", 1, 1, {0}, make_ring},
    {"star", "star:N", 1, 1, {0}, make_star},
    {"full", "full:N", 1, 1, {0}, make_full},
    {"tree", "tree:N,K with K children per node", 1, 2, {0}, make_tree},
    {"grid", "grid:WxH", 2, 2, {0}, make_grid},
    {"torus", "torus:WxH", 2, 2, {0}, make_torus},
    {"fat-tree",
     "fat-tree:K or fat-tree:K,HOSTS with K even, at most 256, and hosts per edge switch",
     1,
     2,
     {0},
     make_fat_tree},
    {"ba", "ba:N,M with 1 <= M < N", 2, 2, {0}, make_ba},
    {"ws", "ws:N,K,P with K even and below N, P from 0 to 1", 3, 3, {0, 0, 6}, make_ws},
    {"nws", "nws:N,K,P with K even and below N, P from 0 to 1", 3, 3, {0, 0, 6}, make_nws},
    {"er", "er:N,D with the mean degree D below N", 2, 2, {0, 3}, make_er},
    {"rgg", "rgg:N,D with the mean degree D below N", 2, 2, {0, 3}, make_rgg},
};

static const struct generator *find_generator(const char *text, size_t len)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(generators); i++) {
        if (strlen(generators[i].name) == len && strncmp(generators[i].name, text, len) == 0)
            return &generators[i];
    }
    return NULL;
}

/* Numbers separated by ',' or 'x': true when all of the text fits the row. */
static bool read_params(const struct generator *g, const char *text, struct params *p)
{
    for (p->count = 0; p->count < g->max; text++) {
        if (hd_scn_decimal(text, g->digits[p->count], &p->v[p->count], &text) < 0)
            return false;
        p->count++;
        if (*text == '\0')
            return p->count >= g->min;
        if (*text != ',' && *text != 'x')
            return false;
    }
    return false;
}

static int unknown_generator(const char *text, const struct hd_scn_err *e)
{
    char list[160] = "";

    for (size_t i = 0; i < HD_ARRAY_LEN(generators); i++) {
        size_t len = strlen(list);

        snprintf(list + len, sizeof list - len, "%s%s", i == 0 ? "" : ", ", generators[i].name);
    }
    return hd_scn_fail(e, HD_EINVAL,
                       "\"%.40s\" is neither a file nor a generator; expected one of %s", text,
                       list);
}

int hd_scn_run_generator(struct hd_scenario *s, const char *text, const struct hd_scn_err *e)
{
    size_t len = strcspn(text, ":");
    const struct generator *g = find_generator(text, len);
    struct params p = {{0}, 0};

    if (g == NULL || text[len] == '\0')
        return unknown_generator(text, e);
    int rc = read_params(g, text + len + 1, &p) && p.v[0] > 0 ? g->make(s, &p) : HD_EINVAL;

    if (rc == HD_ELIMIT)
        return hd_scn_fail(e, rc, "\"%.60s\": more than %d nodes or %d links", text,
                           HD_SCENARIO_NODES_MAX, HD_SCENARIO_LINKS_MAX);
    if (rc == HD_EINVAL)
        return hd_scn_fail(e, rc, "\"%.60s\": expected %s", text, g->form);
    return rc;
}

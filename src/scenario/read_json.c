/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON form of a scenario (doc/scenario.md), read with jansson: topology, nodes, links, probes
 * and expectations. The schedule is in json_schedule.c. Names must be there before what refers to
 * them, so the parts are read in this order whatever their order in the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "scenario/json_values.h"

#define WHERE 64

/* --- topology ------------------------------------------------------------------------------------
 */

/* A topology file is named relative to the scenario's own folder. */
static int read_topology_file(const struct hd_scn_json *j, const char *file, bool values)
{
    const char *slash = strrchr(j->path, '/');
    char path[4096];

    if (file[0] == '/' || slash == NULL)
        snprintf(path, sizeof path, "%s", file);
    else
        snprintf(path, sizeof path, "%.*s%s", (int)(slash - j->path + 1), j->path, file);
    return hd_scn_read_topology(j->s, path, values, j->e);
}

/* A generator's sentence knows its text alone. */
static int say_where(const struct hd_scn_json *j, int error)
{
    char sentence[HD_SCENARIO_ERROR];
    unsigned line, column;

    snprintf(sentence, sizeof sentence, "%s", j->e->text);
    if (!hd_scn_json_place(j->path, "topology.generator", &line, &column))
        return error;
    return hd_scn_fail(j->e, error, "%s: line %u, column %u: topology.generator: %s", j->path, line,
                       column, sentence);
}

static int read_topology(const struct hd_scn_json *j, const json_t *t)
{
    struct {
        uint64_t seed;
        bool values;
    } v = {j->s->seed, false};
    static const struct hd_scn_field fields[] = {
        {"generator", HD_SCN_OTHER, 0, 0, 0, 0},
        {"file", HD_SCN_OTHER, 0, 0, 0, 0},
        {"seed", HD_SCN_U64, 0, 0, 0, 0},
        {"values", HD_SCN_BOOL, sizeof(uint64_t), 0, 0, 0},
    };
    const char *generator = json_string_value(json_object_get(t, "generator"));
    const char *file = json_string_value(json_object_get(t, "file"));
    uint64_t seed = j->s->seed;
    int rc = hd_scn_json_object(j, t, "topology", fields, HD_ARRAY_LEN(fields), &v, NULL);

    if (rc < 0)
        return rc;
    if ((generator == NULL) == (file == NULL))
        return hd_scn_json_fail(j, "topology", NULL,
                                "either \"generator\" or \"file\", as a string");
    if (file != NULL)
        return read_topology_file(j, file, v.values);
    j->s->seed = v.seed;
    rc = hd_scn_run_generator(j->s, generator, j->e);
    j->s->seed = seed;
    return rc == HD_EMALFORMED || rc == HD_EINVAL ? say_where(j, rc) : rc;
}

/* --- nodes ---------------------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int read_id(const struct hd_scn_json *j, const json_t *v, const char *where,
                   struct hd_scenario_node *n)
{
    const char *text = json_string_value(v);
    bool ok = text != NULL && strlen(text) == 2 * sizeof n->id;

    for (size_t i = 0; ok && i < sizeof n->id; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

        ok = high >= 0 && low >= 0;
        n->id[i] = ok ? (uint8_t)(high << 4 | low) : 0;
    }
    n->has_id = ok;
    return ok ? 0 : hd_scn_json_fail(j, where, "id", "28 hexadecimal digits");
}

/* The node of that name, made when there is none. */
static int node_of_name(const struct hd_scn_json *j, const json_t *v, const char *where,
                        struct hd_scenario_node **n)
{
    const char *name = json_string_value(v);

    if (name == NULL || !hd_scn_name_ok(name))
        return hd_scn_json_fail(
            j, where, "name", "at most 47 letters, digits and . _ ~ -, not beginning with . or -");
    uint32_t i = hd_scenario_find_node(j->s, name);

    *n = i != HD_SCENARIO_NONE ? &j->s->nodes[i] : hd_scenario_add_node(j->s, name);
    return *n == NULL ? HD_ENOMEM : 0;
}

#define NODE(member) offsetof(struct hd_scenario_node, member)
static int read_node(const struct hd_scn_json *j, const json_t *v, const char *where)
{
    static const struct hd_scn_field fields[] = {
        {"name", HD_SCN_OTHER, 0, 0, 0, 0},
        {"id", HD_SCN_OTHER, 0, 0, 0, 0},
        {"end_system", HD_SCN_BOOL, NODE(end_system), 0, 0, 0},
        {"key", HD_SCN_U32, NODE(key), 0, 0, 0},
        {"skew_ppm", HD_SCN_I32, NODE(skew_ppm), 0, 0, 0},
        {"start_ms", HD_SCN_MS, NODE(start_ns), 0, 0, 0},
        {"started", HD_SCN_OTHER, 0, 0, 0, 0},
    };
    struct hd_scenario_node *n = NULL;
    bool object = json_is_object(v);
    int rc = node_of_name(j, object ? json_object_get(v, "name") : v, where, &n);

    if (rc < 0 || n == NULL || !object)
        return rc;
    rc = hd_scn_json_object(j, v, where, fields, HD_ARRAY_LEN(fields), n, NULL);
    if (rc == 0 && json_is_false(json_object_get(v, "started")))
        n->start_ns = HD_NEVER;
    if (rc == 0 && json_object_get(v, "id") != NULL)
        rc = read_id(j, json_object_get(v, "id"), where, n);
    return rc;
}

/* --- links ---------------------------------------------------------------------------------------
 */

static const char *const link_others[] = {"a", "b", NULL};

static int link_ends(const struct hd_scn_json *j, const json_t *v, const char *where, uint32_t *a,
                     uint32_t *b)
{
    bool pair = json_is_array(v);
    int rc;

    if (pair ? json_array_size(v) != 2 : !json_is_object(v))
        return hd_scn_json_fail(j, where, NULL,
                                "[\"n1\", \"n2\"] or {\"a\": \"n1\", \"b\": \"n2\", ...}");
    rc = hd_scn_json_node(j, pair ? json_array_get(v, 0) : json_object_get(v, "a"), where, "a", a);
    if (rc == 0)
        rc = hd_scn_json_node(j, pair ? json_array_get(v, 1) : json_object_get(v, "b"), where, "b",
                              b);
    if (rc == 0 && *a == *b)
        rc = hd_scn_json_fail(j, where, NULL, "two different nodes");
    return rc;
}

/* A pair that the topology linked takes the values; any other pair gets a new link. */
static int read_link(const struct hd_scn_json *j, const json_t *v, const char *where,
                     const json_t *defaults, uint32_t topology_links)
{
    uint32_t a, b;
    int rc = link_ends(j, v, where, &a, &b);
    bool found = false;

    if (rc < 0)
        return rc;
    for (uint32_t i = topology_links == 0 ? HD_SCENARIO_NONE : hd_scenario_find_link(j->s, a, b, 0);
         rc == 0 && i < topology_links; i = hd_scenario_find_link(j->s, a, b, i + 1)) {
        found = true;
        if (json_is_object(v))
            rc = hd_scn_json_link_values(j, v, where, link_others, &j->s->links[i], NULL);
    }
    if (found || rc < 0)
        return rc;
    struct hd_scenario_link *l = hd_scenario_add_link(j->s, a, b);

    if (l == NULL)
        return HD_ENOMEM;
    if (defaults != NULL)
        rc = hd_scn_json_link_values(j, defaults, "link_defaults", link_others + 2, l, NULL);
    if (rc == 0 && json_is_object(v))
        rc = hd_scn_json_link_values(j, v, where, link_others, l, NULL);
    return rc;
}

/* --- probes and expectations ---------------------------------------------------------------------
 */

#define PROBE(member) offsetof(struct hd_scenario_probe, member)
static int read_probe(const struct hd_scn_json *j, const json_t *v, const char *where)
{
    static const struct hd_scn_field fields[] = {
        {"from", HD_SCN_NODE, PROBE(from), 0, 0, 1},
        {"to", HD_SCN_NODE, PROBE(to), 0, 0, 2},
        {"size", HD_SCN_U32, PROBE(size), 24, 65000, 0},
        {"interval_us", HD_SCN_US, PROBE(interval_ns), 0, 0, 0},
        {"start_ms", HD_SCN_MS, PROBE(start_ns), 0, 0, 0},
        {"stop_ms", HD_SCN_MS, PROBE(stop_ns), 0, 0, 0},
    };
    struct hd_scenario_probe *p = hd_scenario_add_probe(j->s, 0, 0);
    uint32_t seen = 0;

    if (p == NULL)
        return HD_ENOMEM;
    int rc = hd_scn_json_object(j, v, where, fields, HD_ARRAY_LEN(fields), p, &seen);

    if (rc == 0 && seen != 3)
        rc = hd_scn_json_fail(j, where, NULL, "\"from\" and \"to\"");
    if (rc == 0 && p->interval_ns == 0)
        rc = hd_scn_json_fail(j, where, "interval_us", "more than 0");
    return rc;
}

enum {
    X_AT = 1,
    X_PAIR_FROM = 2,
    X_PAIR_TO = 4,
    X_GAP = 8,
    X_MAX = 16,
};

static const struct {
    const char *name;
    enum hd_scenario_expect_kind kind;
    uint32_t needs;
    const char *expected;
} expectations[] = {
    {"all_pairs", HD_SCENARIO_ALL_PAIRS, X_AT, "\"by_ms\""},
    {"pair", HD_SCENARIO_PAIR, X_AT | X_PAIR_FROM | X_PAIR_TO, "\"from\", \"to\" and \"by_ms\""},
    {"gap", HD_SCENARIO_GAP, X_GAP, "\"max_ms\""},
    {"no_loop", HD_SCENARIO_NO_LOOP, 0, ""},
    {"lost", HD_SCENARIO_LOST, X_MAX, "\"max\""},
};

#define EXPECT(member) offsetof(struct hd_scenario_expect, member)
static const struct hd_scn_field expect_fields[] = {
    {"expect", HD_SCN_OTHER, 0, 0, 0, 0},
    {"by_ms", HD_SCN_MS, EXPECT(at_ns), 0, 0, X_AT},
    {"from", HD_SCN_NODE, EXPECT(from), 0, 0, X_PAIR_FROM},
    {"to", HD_SCN_NODE, EXPECT(to), 0, 0, X_PAIR_TO},
    {"reachable", HD_SCN_BOOL, EXPECT(reachable), 0, 0, 0},
    {"max_ms", HD_SCN_MS, EXPECT(limit_ns), 0, 0, X_GAP},
    {"max", HD_SCN_U64, EXPECT(limit_count), 0, 0, X_MAX},
    {"probe", HD_SCN_U32, EXPECT(probe), 0, 0, 0},
};

static int read_expect(const struct hd_scn_json *j, const json_t *v, const char *where)
{
    const char *name = json_string_value(json_object_get(v, "expect"));
    struct hd_scenario_expect *x = hd_scenario_add_expect(j->s, HD_SCENARIO_ALL_PAIRS);
    uint32_t seen = 0;
    size_t i = 0;

    if (x == NULL)
        return HD_ENOMEM;
    int rc = hd_scn_json_object(j, v, where, expect_fields, HD_ARRAY_LEN(expect_fields), x, &seen);

    if (rc < 0)
        return rc;
    while (i < HD_ARRAY_LEN(expectations) &&
           (name == NULL || strcmp(expectations[i].name, name) != 0))
        i++;
    if (i == HD_ARRAY_LEN(expectations))
        return hd_scn_json_fail(j, where, "expect", "one of all_pairs, pair, gap, no_loop, lost");
    x->kind = expectations[i].kind;
    if ((seen & expectations[i].needs) != expectations[i].needs)
        return hd_scn_json_fail(j, where, NULL, expectations[i].expected);
    if (x->probe != HD_SCENARIO_NONE && x->probe >= j->s->probe_count)
        return hd_scn_json_fail(j, where, "probe", "the number of a probe, counted from 0");
    return 0;
}

/* --- the whole -----------------------------------------------------------------------------------
 */

typedef int read_item(const struct hd_scn_json *j, const json_t *v, const char *where);

static int read_array(const struct hd_scn_json *j, const json_t *root, const char *key,
                      read_item *read)
{
    const json_t *array = json_object_get(root, key);
    char where[WHERE];

    if (array == NULL)
        return 0;
    if (!json_is_array(array))
        return hd_scn_json_fail(j, "", key, "an array");
    for (size_t i = 0; i < json_array_size(array); i++) {
        snprintf(where, sizeof where, "%s[%zu]", key, i);
        int rc = read(j, json_array_get(array, i), where);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int apply_defaults(const struct hd_scn_json *j, const json_t *defaults)
{
    if (defaults != NULL && !json_is_object(defaults))
        return hd_scn_json_fail(j, "link_defaults", NULL, "an object");
    for (uint32_t i = 0; defaults != NULL && i < j->s->link_count; i++) {
        int rc = hd_scn_json_link_values(j, defaults, "link_defaults", link_others + 2,
                                         &j->s->links[i], NULL);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_links(const struct hd_scn_json *j, const json_t *root, const json_t *defaults)
{
    const json_t *array = json_object_get(root, "links");
    uint32_t topology_links = j->s->link_count;
    int rc = apply_defaults(j, defaults);

    if (rc == 0 && array != NULL && !json_is_array(array))
        rc = hd_scn_json_fail(j, "", "links", "an array");
    for (size_t i = 0; rc == 0 && i < json_array_size(array); i++) {
        char where[WHERE];

        snprintf(where, sizeof where, "links[%zu]", i);
        rc = read_link(j, json_array_get(array, i), where, defaults, topology_links);
    }
    return rc;
}

static int read_parts(const struct hd_scn_json *j, const json_t *root)
{
    const json_t *topology = json_object_get(root, "topology");
    const json_t *schedule = json_object_get(root, "schedule");
    int rc = topology != NULL ? read_topology(j, topology) : 0;

    if (rc == 0)
        rc = read_array(j, root, "nodes", read_node);
    if (rc == 0 && j->s->node_count == 0)
        rc = hd_scn_json_fail(j, "nodes", NULL, "at least one node, here or by \"topology\"");
    if (rc == 0)
        rc = read_links(j, root, json_object_get(root, "link_defaults"));
    if (rc == 0 && schedule != NULL)
        rc = hd_scn_json_schedule(j, schedule);
    if (rc == 0)
        rc = read_array(j, root, "probes", read_probe);
    if (rc == 0)
        rc = read_array(j, root, "expect", read_expect);
    return rc;
}

static int read_root(const struct hd_scn_json *j, const json_t *root)
{
    static const struct hd_scn_field fields[] = {
        {"name", HD_SCN_OTHER, 0, 0, 0, 0},
        {"seed", HD_SCN_U64, offsetof(struct hd_scenario, seed), 0, 0, 0},
        {"until_ms", HD_SCN_MS, offsetof(struct hd_scenario, until_ns), 0, 0, 0},
        {"topology", HD_SCN_OTHER, 0, 0, 0, 0},
        {"nodes", HD_SCN_OTHER, 0, 0, 0, 0},
        {"link_defaults", HD_SCN_OTHER, 0, 0, 0, 0},
        {"links", HD_SCN_OTHER, 0, 0, 0, 0},
        {"schedule", HD_SCN_OTHER, 0, 0, 0, 0},
        {"probes", HD_SCN_OTHER, 0, 0, 0, 0},
        {"expect", HD_SCN_OTHER, 0, 0, 0, 0},
    };
    const json_t *name = json_object_get(root, "name");
    int rc = hd_scn_json_object(j, root, "", fields, HD_ARRAY_LEN(fields), j->s, NULL);

    if (rc < 0)
        return rc;
    if (name != NULL) {
        if (!json_is_string(name))
            return hd_scn_json_fail(j, "", "name", "a string");
        j->s->name = strdup(json_string_value(name));
        if (j->s->name == NULL)
            return HD_ENOMEM;
    }
    return read_parts(j, root);
}

int hd_scn_read_json(struct hd_scenario *s, const char *path, const struct hd_scn_err *e)
{
    const struct hd_scn_json j = {s, e, path};
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (root == NULL && error.line <= 0)
        return hd_scn_fail(e, HD_ESYS, "%s: %s", path, error.text);
    if (root == NULL)
        return hd_scn_fail(e, HD_EMALFORMED, "%s: line %d, column %d: %s", path, error.line,
                           error.column, error.text);
    int rc = read_root(&j, root);

    json_decref(root);
    return rc;
}

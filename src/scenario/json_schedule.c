/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schedule of a JSON scenario. One entry may stand for many events: "*" is every link or node,
 * a pair is every parallel link, a partition is every link between a set of nodes and the rest, and
 * `repeat` does it again. All of that is spelled out here, so that who plays a schedule sees single
 * events of single objects.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "scenario/json_values.h"

#define EVENTS_MAX 1000000

enum target {
    TARGET_LINK,
    TARGET_NODE,
    TARGET_SET, /* "nodes": the links between them and the rest */
};

/* Actions as the file names them; `needs` are the values that must be given. */
static const struct action {
    const char *name;
    enum hd_scenario_action action;
    enum target target;
    bool values;
    uint32_t needs;
} actions[] = {
    {"cut", HD_SCENARIO_CUT, TARGET_LINK, false, 0},
    {"silent", HD_SCENARIO_SILENT, TARGET_LINK, false, 0},
    {"heal", HD_SCENARIO_HEAL, TARGET_LINK, false, 0},
    {"change", HD_SCENARIO_CHANGE, TARGET_LINK, true, 0},
    {"loss", HD_SCENARIO_CHANGE, TARGET_LINK, true, HD_SCENARIO_F_LOSS},
    {"delay", HD_SCENARIO_CHANGE, TARGET_LINK, true, HD_SCENARIO_F_DELAY},
    {"rate", HD_SCENARIO_CHANGE, TARGET_LINK, true, HD_SCENARIO_F_RATE},
    {"kill", HD_SCENARIO_KILL, TARGET_NODE, false, 0},
    {"start", HD_SCENARIO_START, TARGET_NODE, false, 0},
    {"restart", HD_SCENARIO_RESTART, TARGET_NODE, false, 0},
    {"stop", HD_SCENARIO_STOP, TARGET_NODE, false, 0},
    {"partition", HD_SCENARIO_CUT, TARGET_SET, false, 0},
    {"silent-partition", HD_SCENARIO_SILENT, TARGET_SET, false, 0},
    {"merge", HD_SCENARIO_HEAL, TARGET_SET, false, 0},
};

/* One entry while it is read. */
struct entry {
    const struct hd_scn_json *j;
    const char *where;
    const struct action *action;
    struct hd_scenario_event event; /* what all its events have in common */
    hd_time every_ns;
    uint32_t times;
};

static int add(const struct entry *x, uint32_t node, uint32_t link)
{
    struct hd_scenario *s = x->j->s;

    if ((uint64_t)s->event_count + x->times > EVENTS_MAX)
        return hd_scn_json_fail(x->j, x->where, NULL, "at most a million events in all");
    for (uint32_t i = 0; i < x->times; i++) {
        struct hd_scenario_event *v = hd_scenario_add_event(s, 0, x->action->action);

        if (v == NULL)
            return HD_ENOMEM;
        *v = x->event;
        v->at_ns = hd_time_add(v->at_ns, x->every_ns * i);
        v->node = node;
        v->link = link;
    }
    return 0;
}

static int add_all(const struct entry *x)
{
    bool nodes = x->action->target == TARGET_NODE;
    uint32_t count = nodes ? x->j->s->node_count : x->j->s->link_count;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < count; i++)
        rc = add(x, nodes ? i : HD_SCENARIO_NONE, nodes ? HD_SCENARIO_NONE : i);
    return rc;
}

static int add_pair(const struct entry *x, const json_t *target)
{
    const struct hd_scenario *s = x->j->s;
    uint32_t a, b;
    int rc = hd_scn_json_node(x->j, json_array_get(target, 0), x->where, "target", &a);

    if (rc == 0)
        rc = hd_scn_json_node(x->j, json_array_get(target, 1), x->where, "target", &b);
    if (rc < 0)
        return rc;
    uint32_t link = hd_scenario_find_link(s, a, b, 0);

    if (link == HD_SCENARIO_NONE)
        return hd_scn_json_fail(x->j, x->where, "target", "two nodes that a link joins");
    for (; rc == 0 && link != HD_SCENARIO_NONE; link = hd_scenario_find_link(s, a, b, link + 1))
        rc = add(x, HD_SCENARIO_NONE, link);
    return rc;
}

static int add_target(const struct entry *x, const json_t *target)
{
    const char *text = json_string_value(target);
    uint32_t node;

    if (text != NULL && strcmp(text, "*") == 0)
        return add_all(x);
    if (x->action->target == TARGET_LINK) {
        if (!json_is_array(target) || json_array_size(target) != 2)
            return hd_scn_json_fail(x->j, x->where, "target", "[\"n1\", \"n2\"] or \"*\"");
        return add_pair(x, target);
    }
    int rc = hd_scn_json_node(x->j, target, x->where, "target", &node);

    return rc == 0 ? add(x, node, HD_SCENARIO_NONE) : rc;
}

/* The links with one end in the set. */
static int add_border(const struct entry *x, const json_t *nodes)
{
    const struct hd_scenario *s = x->j->s;
    bool *inside = calloc(s->node_count, sizeof *inside);
    int rc = inside == NULL ? HD_ENOMEM : 0;

    if (rc == 0 && json_array_size(nodes) == 0)
        rc = hd_scn_json_fail(x->j, x->where, "nodes", "an array of node names");
    for (size_t i = 0; rc == 0 && i < json_array_size(nodes); i++) {
        uint32_t node;

        rc = hd_scn_json_node(x->j, json_array_get(nodes, i), x->where, "nodes", &node);
        if (rc == 0)
            inside[node] = true;
    }
    for (uint32_t i = 0; rc == 0 && i < s->link_count; i++) {
        if (inside[s->links[i].a] != inside[s->links[i].b])
            rc = add(x, HD_SCENARIO_NONE, i);
    }
    free(inside);
    return rc;
}

static int read_repeat(struct entry *x, const json_t *repeat)
{
    struct {
        hd_time every_ns;
        uint32_t times;
    } v = {0, 1};
    static const struct hd_scn_field fields[] = {
        {"every_ms", HD_SCN_MS, 0, 0, 0, 1},
        {"times", HD_SCN_U32, sizeof(hd_time), 1, 100000, 2},
    };
    char where[96];
    uint32_t seen = 0;

    x->times = 1;
    x->every_ns = 0;
    if (repeat == NULL)
        return 0;
    snprintf(where, sizeof where, "%s.repeat", x->where);
    int rc = hd_scn_json_object(x->j, repeat, where, fields, HD_ARRAY_LEN(fields), &v, &seen);

    if (rc == 0 && (seen != 3 || v.every_ns > HD_SEC(86400)))
        rc = hd_scn_json_fail(x->j, where, NULL, "\"every_ms\" (at most a day) and \"times\"");
    x->times = v.times;
    x->every_ns = v.every_ns;
    return rc;
}

static int find_action(struct entry *x, const json_t *v)
{
    const char *name = json_string_value(v);
    char expected[HD_SCENARIO_ERROR] = "one of";

    for (size_t i = 0; i < HD_ARRAY_LEN(actions); i++) {
        size_t len = strlen(expected);

        if (name != NULL && strcmp(actions[i].name, name) == 0) {
            x->action = &actions[i];
            return 0;
        }
        snprintf(expected + len, sizeof expected - len, "%s %s", i == 0 ? "" : ",",
                 actions[i].name);
    }
    return hd_scn_json_fail(x->j, x->where, "action", expected);
}

/* Time, flags and, for changes, the values of a link. */
static int read_common(struct entry *x, const json_t *v)
{
    static const char *const known[] = {"at_ms",  "action",  "target", "nodes",
                                        "repeat", "resumed", NULL};
    static const struct hd_scn_field fields[] = {
        {"at_ms", HD_SCN_MS, offsetof(struct hd_scenario_event, at_ns), 0, 0, 1},
        {"action", HD_SCN_OTHER, 0, 0, 0, 0},
        {"target", HD_SCN_OTHER, 0, 0, 0, 2},
        {"nodes", HD_SCN_OTHER, 0, 0, 0, 4},
        {"repeat", HD_SCN_OTHER, 0, 0, 0, 0},
        {"resumed", HD_SCN_BOOL, offsetof(struct hd_scenario_event, resumed), 0, 0, 0},
    };
    uint32_t seen = 0;
    json_t *own = json_object();
    int rc;

    if (own == NULL)
        return HD_ENOMEM;
    for (size_t i = 0; x->action->values && known[i] != NULL; i++) {
        if (json_object_get(v, known[i]) != NULL)
            json_object_set(own, known[i], json_object_get(v, known[i]));
    }
    rc = hd_scn_json_object(x->j, x->action->values ? own : v, x->where, fields,
                            HD_ARRAY_LEN(fields), &x->event, &seen);
    json_decref(own);
    if (rc == 0 && x->action->values)
        rc = hd_scn_json_link_values(x->j, v, x->where, known, &x->event.change, &x->event.fields);
    if (rc == 0 && (seen & 1) == 0)
        rc = hd_scn_json_fail(x->j, x->where, "at_ms", "a time");
    return rc;
}

static int read_entry(const struct hd_scn_json *j, const json_t *v, const char *where)
{
    struct entry x = {.j = j, .where = where};
    int rc;

    if (!json_is_object(v))
        return hd_scn_json_fail(j, where, NULL, "an object");
    rc = find_action(&x, json_object_get(v, "action"));
    if (rc < 0)
        return rc;
    x.event.action = x.action->action;
    x.event.change.mtu = 1500;
    rc = read_common(&x, v);
    if (rc == 0)
        rc = read_repeat(&x, json_object_get(v, "repeat"));
    if (rc < 0)
        return rc;
    if (x.action->values &&
        (x.event.fields == 0 || (x.event.fields & x.action->needs) != x.action->needs))
        return hd_scn_json_fail(j, where, NULL, "a value to change, such as \"loss\": \"1%\"");
    if (x.action->target == TARGET_SET)
        return add_border(&x, json_object_get(v, "nodes"));
    return add_target(&x, json_object_get(v, "target"));
}

int hd_scn_json_schedule(const struct hd_scn_json *j, const json_t *array)
{
    if (!json_is_array(array))
        return hd_scn_json_fail(j, "schedule", NULL, "an array");
    for (size_t i = 0; i < json_array_size(array); i++) {
        char where[64];

        snprintf(where, sizeof where, "schedule[%zu]", i);
        int rc = read_entry(j, json_array_get(array, i), where);

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GraphML as the Internet Topology Zoo writes it, read by libxml2: nodes with `label`, `Latitude`
 * and `Longitude`, edges with `LinkSpeedRaw` (bits per second). Parallel edges stay parallel links,
 * loops are left out. With `values`, a link gets its speed as its rate and the delay of light in
 * fibre between its ends.
 */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "scenario/internal.h"

/* The attributes we read, and the key ids under which the file has them. */
enum attribute {
    LABEL,
    LATITUDE,
    LONGITUDE,
    SPEED,
    ATTRIBUTES,
};
static const struct {
    const char *name, *element;
} attributes[ATTRIBUTES] = {
    {"label", "node"}, {"Latitude", "node"}, {"Longitude", "node"}, {"LinkSpeedRaw", "edge"}};

struct place {
    int64_t latitude, longitude; /* millionths of a degree */
    bool known;
};

struct graphml {
    struct hd_scenario *s;
    struct hd_scenario *ids; /* nodes of the same index, named by their id in the file */
    struct place *places;
    uint32_t place_cap;
    xmlChar *keys[ATTRIBUTES];
    const struct hd_scn_err *e;
    const char *path;
    bool values;
};

static bool is_element(const xmlNode *n, const char *name)
{
    return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0;
}

static const xmlNode *child(const xmlNode *n, const char *name)
{
    for (n = n->children; n != NULL; n = n->next) {
        if (is_element(n, name))
            return n;
    }
    return NULL;
}

static bool attribute_is(const xmlNode *n, const char *name, const char *value)
{
    xmlChar *text = xmlGetProp(n, (const xmlChar *)name);
    bool same = text != NULL && strcmp((const char *)text, value) == 0;

    xmlFree(text);
    return same;
}

static void find_keys(struct graphml *g, const xmlNode *root)
{
    for (const xmlNode *n = root->children; n != NULL; n = n->next) {
        if (!is_element(n, "key"))
            continue;
        for (int i = 0; i < ATTRIBUTES; i++) {
            if (g->keys[i] == NULL && attribute_is(n, "attr.name", attributes[i].name) &&
                attribute_is(n, "for", attributes[i].element))
                g->keys[i] = xmlGetProp(n, (const xmlChar *)"id");
        }
    }
}

/* The text of an attribute of an element (xmlFree), or NULL. */
static xmlChar *data_of(const struct graphml *g, const xmlNode *element, enum attribute which)
{
    if (g->keys[which] == NULL)
        return NULL;
    for (const xmlNode *n = element->children; n != NULL; n = n->next) {
        if (is_element(n, "data") && attribute_is(n, "key", (const char *)g->keys[which]))
            return xmlNodeGetContent(n);
    }
    return NULL;
}

static bool degrees_of(const struct graphml *g, const xmlNode *element, enum attribute which,
                       int64_t *degrees)
{
    xmlChar *text = data_of(g, element, which);
    const char *at = (const char *)text, *end;
    uint64_t v = 0;
    bool negative = at != NULL && *at == '-';
    bool ok = at != NULL && hd_scn_decimal(at + negative, 6, &v, &end) == 0 && v <= 360000000;

    *degrees = negative ? -(int64_t)v : (int64_t)v;
    xmlFree(text);
    return ok;
}

static int remember_place(struct graphml *g, const xmlNode *n)
{
    uint32_t i = g->ids->node_count - 1;

    if (i >= g->place_cap) {
        uint32_t cap = HD_MAX(64, 2 * g->place_cap);
        struct place *p = reallocarray(g->places, cap, sizeof *p);

        if (p == NULL)
            return HD_ENOMEM;
        g->places = p;
        g->place_cap = cap;
    }
    g->places[i].known = degrees_of(g, n, LATITUDE, &g->places[i].latitude) &&
                         degrees_of(g, n, LONGITUDE, &g->places[i].longitude);
    return 0;
}

static int fail(const struct graphml *g, const xmlNode *n, const char *expected)
{
    return hd_scn_fail(g->e, HD_EMALFORMED, "%s: line %ld: expected %s", g->path, xmlGetLineNo(n),
                       expected);
}

static int read_node(struct graphml *g, const xmlNode *n)
{
    char name[HD_SCENARIO_NAME_MAX];
    xmlChar *id = xmlGetProp(n, (const xmlChar *)"id");
    int rc = 0;

    if (id == NULL || strlen((const char *)id) >= HD_SCENARIO_NAME_MAX ||
        hd_scenario_find_node(g->ids, (const char *)id) != HD_SCENARIO_NONE)
        rc = fail(g, n, "a node id of its own, shorter than 48 characters");
    if (rc == 0) {
        xmlChar *label = data_of(g, n, LABEL);

        hd_scn_name_from_label(g->s, label != NULL ? (const char *)label : (const char *)id, name);
        xmlFree(label);
        if (hd_scenario_add_node(g->ids, (const char *)id) == NULL ||
            hd_scenario_add_node(g->s, name) == NULL)
            rc = HD_ENOMEM;
    }
    xmlFree(id);
    return rc == 0 ? remember_place(g, n) : rc;
}

static uint32_t edge_end(const struct graphml *g, const xmlNode *n, const char *which)
{
    xmlChar *id = xmlGetProp(n, (const xmlChar *)which);
    uint32_t node = id == NULL ? HD_SCENARIO_NONE : hd_scenario_find_node(g->ids, (const char *)id);

    xmlFree(id);
    return node;
}

static void take_values(const struct graphml *g, const xmlNode *n, struct hd_scenario_link *l)
{
    const struct place *a = &g->places[l->a], *b = &g->places[l->b];
    xmlChar *text = data_of(g, n, SPEED);
    const char *end;
    uint64_t rate;

    if (text != NULL && hd_scn_decimal((const char *)text, 0, &rate, &end) == 0 && *end == '\0')
        l->rate_bps = rate;
    xmlFree(text);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there is a place for each node */
    if (a->known && b->known)
        l->delay_ns = hd_scn_fibre_delay(a->latitude, a->longitude, b->latitude, b->longitude);
}

static int read_edge(struct graphml *g, const xmlNode *n)
{
    uint32_t a = edge_end(g, n, "source"), b = edge_end(g, n, "target");

    if (a == HD_SCENARIO_NONE || b == HD_SCENARIO_NONE)
        return fail(g, n, "source and target to be ids of nodes");
    if (a == b)
        return 0;
    struct hd_scenario_link *l = hd_scenario_add_link(g->s, a, b);

    if (l == NULL)
        return HD_ENOMEM;
    if (g->values)
        take_values(g, n, l);
    return 0;
}

static int read_document(struct graphml *g, const xmlNode *root)
{
    const xmlNode *graph = is_element(root, "graphml") ? child(root, "graph") : NULL;
    int rc = 0;

    if (graph == NULL)
        return fail(g, root, "a <graphml> element with a <graph>");
    find_keys(g, root);
    for (const xmlNode *n = graph->children; rc == 0 && n != NULL; n = n->next) {
        if (is_element(n, "node"))
            rc = read_node(g, n);
    }
    for (const xmlNode *n = graph->children; rc == 0 && n != NULL; n = n->next) {
        if (is_element(n, "edge"))
            rc = read_edge(g, n);
    }
    if (rc == 0 && g->s->node_count == 0)
        rc = fail(g, graph, "at least one <node>");
    return rc;
}

static int parse_failed(const char *path, const struct hd_scn_err *e)
{
    const xmlError *x = xmlGetLastError();
    char text[160];

    if (x == NULL || x->message == NULL)
        return hd_scn_fail(e, HD_EMALFORMED, "%s: not readable as XML", path);
    snprintf(text, sizeof text, "%s", x->message);
    text[strcspn(text, "\n")] = '\0';
    if (x->line == 0)
        return hd_scn_fail(e, HD_ESYS, "%s: %s", path, text);
    return hd_scn_fail(e, HD_EMALFORMED, "%s: line %d: %s", path, x->line, text);
}

int hd_scn_read_graphml(struct hd_scenario *s, const char *path, bool values,
                        const struct hd_scn_err *e)
{
    struct graphml g = {.s = s, .e = e, .path = path, .values = values};
    xmlDoc *doc;

    xmlResetLastError();
    doc = xmlReadFile(path, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (doc == NULL)
        return parse_failed(path, e);
    g.ids = hd_scenario_new(path);
    int rc = g.ids == NULL ? HD_ENOMEM : read_document(&g, xmlDocGetRootElement(doc));

    for (int i = 0; i < ATTRIBUTES; i++)
        xmlFree(g.keys[i]);
    free(g.places);
    hd_scenario_free(g.ids);
    xmlFreeDoc(doc);
    return rc;
}

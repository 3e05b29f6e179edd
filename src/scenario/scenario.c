/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scenario as a container: growing arrays, the table of names, the order of the schedule, the
 * largest connected part. What fills it are the generators and readers beside this file.
 */
#include "scenario/scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/hash.h"
#include "scenario/internal.h"

int hd_scn_fail(const struct hd_scn_err *e, int code, const char *fmt, ...)
{
    va_list ap;

    if (e->len == 0)
        return code;
    va_start(ap, fmt);
    vsnprintf(e->text, e->len, fmt, ap);
    va_end(ap);
    return code;
}

struct hd_scenario *hd_scenario_new(const char *origin)
{
    struct hd_scenario *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->until_ns = HD_NEVER;
    s->origin = strdup(origin);
    if (s->origin == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

void hd_scenario_free(struct hd_scenario *s)
{
    if (s == NULL)
        return;
    free(s->origin);
    free(s->name);
    free(s->nodes);
    free(s->links);
    free(s->events);
    free(s->probes);
    free(s->expects);
    free(s->name_table);
    free(s);
}

/* Room for one more item; NULL without memory or when `max` are there. */
static void *append(void **items, uint32_t *count, uint32_t *cap, size_t size, uint32_t max)
{
    if (*count >= max)
        return NULL;
    if (*count == *cap) {
        uint32_t want = *cap < 16 ? 16 : *cap + *cap / 2;
        void *p = reallocarray(*items, want, size);

        if (p == NULL)
            return NULL;
        *items = p;
        *cap = want;
    }
    void *item = (char *)*items + size * (*count)++;

    memset(item, 0, size);
    return item;
}

struct hd_scenario_node *hd_scenario_add_node(struct hd_scenario *s, const char *name)
{
    struct hd_scenario_node *n =
        append((void **)&s->nodes, &s->node_count, &s->node_cap, sizeof *n, HD_SCENARIO_NODES_MAX);

    if (n == NULL)
        return NULL;
    if (name != NULL)
        snprintf(n->name, sizeof n->name, "%s", name);
    else
        snprintf(n->name, sizeof n->name, "n%u", s->node_count - 1);
    return n;
}

static void link_defaults(struct hd_scenario_link *l)
{
    l->mtu = 1500;
}

struct hd_scenario_link *hd_scenario_add_link(struct hd_scenario *s, uint32_t a, uint32_t b)
{
    struct hd_scenario_link *l =
        append((void **)&s->links, &s->link_count, &s->link_cap, sizeof *l, HD_SCENARIO_LINKS_MAX);

    if (l == NULL)
        return NULL;
    link_defaults(l);
    l->a = a;
    l->b = b;
    return l;
}

struct hd_scenario_event *hd_scenario_add_event(struct hd_scenario *s, hd_time at_ns,
                                                enum hd_scenario_action action)
{
    struct hd_scenario_event *v = append((void **)&s->events, &s->event_count, &s->event_cap,
                                         sizeof *v, HD_SCENARIO_LINKS_MAX);

    if (v == NULL)
        return NULL;
    v->at_ns = at_ns;
    v->action = action;
    v->node = v->link = HD_SCENARIO_NONE;
    link_defaults(&v->change);
    return v;
}

struct hd_scenario_probe *hd_scenario_add_probe(struct hd_scenario *s, uint32_t from, uint32_t to)
{
    struct hd_scenario_probe *p = append((void **)&s->probes, &s->probe_count, &s->probe_cap,
                                         sizeof *p, HD_SCENARIO_NODES_MAX);

    if (p == NULL)
        return NULL;
    p->from = from;
    p->to = to;
    p->size = 64;
    p->interval_ns = HD_MS(1);
    p->stop_ns = HD_NEVER;
    return p;
}

struct hd_scenario_expect *hd_scenario_add_expect(struct hd_scenario *s,
                                                  enum hd_scenario_expect_kind kind)
{
    struct hd_scenario_expect *x = append((void **)&s->expects, &s->expect_count, &s->expect_cap,
                                          sizeof *x, HD_SCENARIO_NODES_MAX);

    if (x == NULL)
        return NULL;
    x->kind = kind;
    x->from = x->to = x->probe = HD_SCENARIO_NONE;
    x->reachable = true;
    return x;
}

/*
 * A merge sort by time alone: the order of the file decides within one time. `tmp` holds as many
 * items as v.
 */
static void sort_events(struct hd_scenario_event *v, struct hd_scenario_event *tmp, uint32_t n)
{
    uint32_t half = n / 2, i = 0, j = half;

    if (n < 2)
        return;
    sort_events(v, tmp, half);
    sort_events(v + half, tmp, n - half);
    for (uint32_t k = 0; k < n; k++)
        tmp[k] = j >= n || (i < half && v[i].at_ns <= v[j].at_ns) ? v[i++] : v[j++];
    memcpy(v, tmp, n * sizeof *v);
}

void hd_scenario_sort(struct hd_scenario *s)
{
    struct hd_scenario_event *tmp = NULL;

    if (s->event_count < 2)
        return;
    tmp = calloc(s->event_count, sizeof *tmp);
    if (tmp != NULL) {
        sort_events(s->events, tmp, s->event_count);
        free(tmp);
        return;
    }
    /* Without memory: slow, but right. */
    for (uint32_t i = 1; i < s->event_count; i++) {
        struct hd_scenario_event v = s->events[i];
        uint32_t k = i;

        for (; k > 0 && s->events[k - 1].at_ns > v.at_ns; k--)
            s->events[k] = s->events[k - 1];
        s->events[k] = v;
    }
}

/* --- names ---------------------------------------------------------------------------------------
 */

static uint32_t name_slot(const struct hd_scenario *s, const char *name)
{
    uint32_t mask = s->name_table_size - 1;
    uint32_t at = (uint32_t)hd_hash64(0, name, strlen(name)) & mask;

    while (s->name_table[at] != 0 && strcmp(s->nodes[s->name_table[at] - 1].name, name) != 0)
        at = (at + 1) & mask;
    return at;
}

/* Brings the table up to the number of nodes. */
static int name_table_update(struct hd_scenario *s)
{
    if (s->name_table_size < 2 * s->node_count || s->name_table_nodes > s->node_count) {
        uint32_t want = 64;

        while (want < 4 * s->node_count)
            want *= 2;
        uint32_t *t = calloc(want, sizeof *t);

        if (t == NULL)
            return HD_ENOMEM;
        free(s->name_table);
        s->name_table = t;
        s->name_table_size = want;
        s->name_table_nodes = 0;
    }
    for (; s->name_table_nodes < s->node_count; s->name_table_nodes++) {
        uint32_t at = name_slot(s, s->nodes[s->name_table_nodes].name);

        if (s->name_table[at] == 0)
            s->name_table[at] = s->name_table_nodes + 1;
    }
    return 0;
}

uint32_t hd_scenario_find_node(struct hd_scenario *s, const char *name)
{
    if (s->node_count == 0 || name_table_update(s) < 0)
        return HD_SCENARIO_NONE;
    uint32_t found = s->name_table[name_slot(s, name)];

    return found == 0 ? HD_SCENARIO_NONE : found - 1;
}

uint32_t hd_scenario_find_link(const struct hd_scenario *s, uint32_t a, uint32_t b, uint32_t from)
{
    for (uint32_t i = from; i < s->link_count; i++) {
        const struct hd_scenario_link *l = &s->links[i];

        if ((l->a == a && l->b == b) || (l->a == b && l->b == a))
            return i;
    }
    return HD_SCENARIO_NONE;
}

static bool name_char_ok(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '~';
}

bool hd_scn_name_ok(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len >= HD_SCENARIO_NAME_MAX || name[0] == '.' || name[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!name_char_ok(name[i]))
            return false;
    }
    return true;
}

void hd_scn_name_from_label(struct hd_scenario *s, const char *label, char *name)
{
    size_t len = 0;

    for (; *label != '\0' && len < HD_SCENARIO_NAME_MAX - 12; label++) {
        bool ok = name_char_ok(*label) && (len > 0 || (*label != '.' && *label != '-'));

        if (ok)
            name[len++] = *label;
        else if (len > 0 && name[len - 1] != '-')
            name[len++] = '-';
    }
    while (len > 0 && name[len - 1] == '-')
        len--;
    name[len] = '\0';
    if (len == 0)
        len = (size_t)snprintf(name, HD_SCENARIO_NAME_MAX, "n%u", s->node_count);
    for (uint32_t k = 2; hd_scenario_find_node(s, name) != HD_SCENARIO_NONE; k++)
        snprintf(name + len, HD_SCENARIO_NAME_MAX - len, "~%u", k);
}

const char *hd_scenario_action_name(enum hd_scenario_action action)
{
    static const char *const names[] = {
        [HD_SCENARIO_CUT] = "cut",         [HD_SCENARIO_SILENT] = "silent",
        [HD_SCENARIO_HEAL] = "heal",       [HD_SCENARIO_CHANGE] = "change",
        [HD_SCENARIO_KILL] = "kill",       [HD_SCENARIO_START] = "start",
        [HD_SCENARIO_RESTART] = "restart", [HD_SCENARIO_STOP] = "stop",
    };

    if (action < HD_SCENARIO_CUT || action > HD_SCENARIO_STOP)
        return "unknown";
    return names[action];
}

/* --- connected parts -----------------------------------------------------------------------------
 */

static uint32_t find_root(uint32_t *parent, uint32_t n)
{
    while (parent[n] != n) {
        parent[n] = parent[parent[n]];
        n = parent[n];
    }
    return n;
}

/* Joins parts so that the root of each is its lowest node. */
static void join_links(const struct hd_scenario *s, uint32_t *parent)
{
    for (uint32_t i = 0; i < s->node_count; i++)
        parent[i] = i;
    for (uint32_t i = 0; i < s->link_count; i++) {
        uint32_t a = find_root(parent, s->links[i].a), b = find_root(parent, s->links[i].b);

        if (a < b)
            parent[b] = a;
        else
            parent[a] = b;
    }
}

static uint32_t largest_root(const struct hd_scenario *s, uint32_t *parent, uint32_t *size)
{
    uint32_t best = 0;

    for (uint32_t i = 0; i < s->node_count; i++)
        size[find_root(parent, i)]++;
    for (uint32_t i = 0; i < s->node_count; i++) {
        if (size[i] > size[best])
            best = i;
    }
    return best;
}

/* Nodes named by number are numbered anew, so that n0..n<count-1> holds after the cut as well. */
static void compact(struct hd_scenario *s, uint32_t *parent, uint32_t root, uint32_t *number)
{
    uint32_t nodes = 0, links = 0;

    for (uint32_t i = 0; i < s->node_count; i++) {
        char plain[HD_SCENARIO_NAME_MAX];

        if (find_root(parent, i) != root) {
            s->dropped_nodes++;
            continue;
        }
        snprintf(plain, sizeof plain, "n%u", i);
        bool numbered = strcmp(plain, s->nodes[i].name) == 0;

        number[i] = nodes;
        s->nodes[nodes] = s->nodes[i];
        if (numbered)
            snprintf(s->nodes[nodes].name, sizeof s->nodes[nodes].name, "n%u", nodes);
        nodes++;
    }
    for (uint32_t i = 0; i < s->link_count; i++) {
        struct hd_scenario_link l = s->links[i];

        if (find_root(parent, l.a) != root)
            continue;
        l.a = number[l.a];
        l.b = number[l.b];
        s->links[links++] = l;
    }
    s->node_count = nodes;
    s->link_count = links;
    free(s->name_table);
    s->name_table = NULL;
    s->name_table_size = s->name_table_nodes = 0;
}

int hd_scn_keep_largest(struct hd_scenario *s)
{
    uint32_t *parent = calloc(3 * (size_t)s->node_count + 1, sizeof *parent);

    if (parent == NULL)
        return HD_ENOMEM;
    if (s->node_count > 0) {
        uint32_t *size = parent + s->node_count;

        join_links(s, parent);
        uint32_t root = largest_root(s, parent, size);

        if (size[root] != s->node_count)
            compact(s, parent, root, size + s->node_count);
    }
    free(parent);
    return 0;
}

/* --- the rest ------------------------------------------------------------------------------------
 */

uint64_t hd_scenario_hash(const struct hd_scenario *s)
{
    uint64_t h = s->node_count;

    for (uint32_t i = 0; i < s->node_count; i++)
        h = hd_hash64(h, s->nodes[i].name, strlen(s->nodes[i].name));
    for (uint32_t i = 0; i < s->link_count; i++) {
        const struct hd_scenario_link *l = &s->links[i];
        const uint64_t values[] = {l->a,
                                   l->b,
                                   l->mtu,
                                   l->loss_ppm,
                                   l->duplicate_ppm,
                                   l->reorder_ppm,
                                   l->corrupt_ppm,
                                   (uint64_t)l->delay_ns,
                                   (uint64_t)l->jitter_ns,
                                   l->rate_bps,
                                   l->queue_bytes};

        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++)
            h = hd_mix64(h * 31 + values[k]);
    }
    return h;
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);

    return n >= m && strcmp(text + n - m, suffix) == 0;
}

static int out_of_memory(const struct hd_scn_err *e)
{
    return hd_scn_fail(e, HD_ENOMEM, "out of memory");
}

int hd_scenario_load(const char *path, struct hd_scenario **s, char *err, size_t errlen)
{
    const struct hd_scn_err e = {err, errlen};
    struct hd_scenario *made = hd_scenario_new(path);
    int rc;

    *s = NULL;
    if (made == NULL)
        return out_of_memory(&e);
    if (has_suffix(path, ".json"))
        rc = hd_scn_read_json(made, path, &e);
    else
        rc = hd_scn_read_topology(made, path, false, &e);
    if (rc == HD_ENOMEM)
        rc = out_of_memory(&e);
    if (rc < 0) {
        hd_scenario_free(made);
        return rc;
    }
    hd_scenario_sort(made);
    *s = made;
    return 0;
}

int hd_scenario_generate(const char *text, uint64_t seed, struct hd_scenario **s, char *err,
                         size_t errlen)
{
    const struct hd_scn_err e = {err, errlen};
    struct hd_scenario *made = hd_scenario_new(text);
    int rc;

    *s = NULL;
    if (made == NULL)
        return out_of_memory(&e);
    made->seed = seed;
    rc = hd_scn_run_generator(made, text, &e);
    if (rc == HD_ENOMEM)
        rc = out_of_memory(&e);
    if (rc < 0) {
        hd_scenario_free(made);
        return rc;
    }
    *s = made;
    return 0;
}

int hd_scenario_open(const char *path_or_generator, uint64_t seed, struct hd_scenario **s,
                     char *err, size_t errlen)
{
    if (strchr(path_or_generator, ':') == NULL || access(path_or_generator, F_OK) == 0)
        return hd_scenario_load(path_or_generator, s, err, errlen);
    return hd_scenario_generate(path_or_generator, seed, s, err, errlen);
}

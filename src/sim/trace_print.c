/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle-sim trace: prints a trace, all of it or what a filter lets through, as text or as one JSON
 * object per line. The file may be cut short or foreign, so every number in it is checked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "lib/json.h"
#include "sim/arguments.h"
#include "sim/queue.h"
#include "sim/trace.h"

struct trace {
    FILE *file;
    const char *path;
    uint64_t room, written, tail;
    char **names, **causes;
    uint32_t *ends; /* two nodes per link */
    uint32_t name_count, link_count, cause_count;
};

struct record {
    hd_time at;
    uint32_t node, other, value;
    uint16_t len;
    uint8_t kind, type;
};

static uint64_t get(const uint8_t *b, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)b[i] << (8 * i);
    return v;
}

static bool read_number(struct trace *t, uint32_t limit, uint32_t *v)
{
    uint8_t b[4];
    if (fread(b, 1, 4, t->file) != 4)
        return false;
    *v = (uint32_t)get(b, 4);
    return *v <= limit;
}

static bool read_texts(struct trace *t, uint32_t limit, char ***texts, uint32_t *count)
{
    uint32_t n;
    if (!read_number(t, limit, &n))
        return false;
    *texts = hd_sim_alloc(n + 1, sizeof **texts);
    for (*count = 0; *count < n; (*count)++) {
        int len = fgetc(t->file);
        char *text = len == EOF ? NULL : hd_sim_alloc((size_t)len + 1, 1);
        if (text == NULL)
            return false;
        (*texts)[*count] = text;
        if (fread(text, 1, (size_t)len, t->file) != (size_t)len) {
            (*count)++;
            return false;
        }
    }
    return true;
}

static bool read_links(struct trace *t)
{
    uint32_t n;
    if (!read_number(t, HD_SCENARIO_LINKS_MAX, &n))
        return false;
    t->ends = hd_sim_alloc((size_t)n * 2 + 1, sizeof *t->ends);
    for (uint32_t i = 0; i < n * 2; i++) {
        if (!read_number(t, UINT32_MAX, &t->ends[i]))
            return false;
    }
    t->link_count = n;
    return true;
}

/* Names are a help, not a need: a file without its tail prints numbers. */
static void read_tail(struct trace *t)
{
    if (t->tail == 0 || fseeko(t->file, (off_t)t->tail, SEEK_SET) != 0 ||
        !read_texts(t, HD_SCENARIO_NODES_MAX, &t->names, &t->name_count) || !read_links(t) ||
        !read_texts(t, 65535, &t->causes, &t->cause_count))
        fprintf(stderr, "heddle-sim: %s: not closed, or cut short; some names are numbers\n",
                t->path);
}

static bool open_trace(struct trace *t)
{
    uint8_t b[HD_SIM_TRACE_HEADER];
    t->file = fopen(t->path, "re");
    if (t->file == NULL) {
        perror(t->path);
        return false;
    }
    if (fread(b, 1, sizeof b, t->file) != sizeof b || get(b, 8) != HD_SIM_TRACE_MAGIC) {
        fprintf(stderr, "heddle-sim: %s: expected a trace of heddle-sim\n", t->path);
        fclose(t->file);
        return false;
    }
    t->room = get(b + 8, 8);
    t->written = get(b + 16, 8);
    t->tail = get(b + 24, 8);
    if (t->tail == 0) { /* not closed: what lies in the file, whatever was overwritten */
        t->written = UINT64_MAX;
        t->room = UINT64_MAX;
    }
    read_tail(t);
    return true;
}

static void close_trace(struct trace *t)
{
    for (uint32_t i = 0; i < t->name_count; i++)
        free(t->names[i]);
    for (uint32_t i = 0; i < t->cause_count; i++)
        free(t->causes[i]);
    free(t->names);
    free(t->causes);
    free(t->ends);
    fclose(t->file);
}

/* --- names ---------------------------------------------------------------------------------------
 */

static const char *node_name(const struct trace *t, uint32_t node, char *text, size_t len)
{
    if (node < t->name_count)
        return t->names[node];
    snprintf(text, len, "#%u", node);
    return text;
}

/* The other end of a link, seen from a node; both ends when it is neither. */
static const char *link_name(const struct trace *t, uint32_t link, char *text, size_t len)
{
    char a[32], b[32];
    if (link == HD_SIM_NONE)
        snprintf(text, len, "routed");
    else if (link >= t->link_count)
        snprintf(text, len, "link #%u", link);
    else
        snprintf(text, len, "%s-%s", node_name(t, t->ends[(size_t)link * 2], a, sizeof a),
                 node_name(t, t->ends[(size_t)link * 2 + 1], b, sizeof b));
    return text;
}

static const char *object_name(uint32_t kind)
{
    static const char *const names[] = {[HD_OBJ_ADJ] = "adjacency",
                                        [HD_OBJ_GUARD] = "guard",
                                        [HD_OBJ_LABEL] = "label",
                                        [HD_OBJ_ROUTE] = "route"};
    return kind < HD_ARRAY_LEN(names) && names[kind] != NULL ? names[kind] : "object";
}

static const char *const deaths[] = {"silent", "power", "process"};

/* What it is about, behind node and kind. */
static void about(const struct trace *t, const struct record *r, char *text, size_t len)
{
    char name[128];
    switch (r->kind) {
    case HD_SIM_SENT:
    case HD_SIM_LOST:
        snprintf(text, len, "%s, %u bytes, %s", r->value == 0 ? "data" : hd_sim_type_name(r->type),
                 r->len, link_name(t, r->other, name, sizeof name));
        break;
    case HD_SIM_RECEIVED:
        snprintf(text, len, "%s, %u bytes, from %s", hd_sim_type_name(r->type), r->len,
                 r->other == HD_SIM_NONE ? "afar" : node_name(t, r->other, name, sizeof name));
        break;
    case HD_SIM_IN_FORCE:
        snprintf(text, len, "%s %u%s", object_name(r->value & 255), r->other,
                 r->value & 256 ? " gone" : "");
        break;
    case HD_SIM_PACKET:
        snprintf(text, len, "%s, from %s", hd_sim_fate_name((enum hd_sim_fate)r->value),
                 node_name(t, r->other, name, sizeof name));
        break;
    case HD_SIM_LINK_CHANGED:
        snprintf(text, len, "%s %s%s", link_name(t, r->other, name, sizeof name),
                 r->value & 1 ? "no carrier" : "carrier", r->value & 6 ? ", silent" : "");
        break;
    case HD_SIM_DIED:
        snprintf(text, len, "%s", r->value < HD_ARRAY_LEN(deaths) ? deaths[r->value] : "");
        break;
    case HD_SIM_LOGGED:
        snprintf(text, len, "%s", r->other < t->cause_count ? t->causes[r->other] : "?");
        break;
    default:
        text[0] = 0;
        break;
    }
}

/* --- filter and output ---------------------------------------------------------------------------
 */

static bool is_message(const struct record *r)
{
    return r->kind == HD_SIM_SENT || r->kind == HD_SIM_RECEIVED ||
           (r->kind == HD_SIM_LOST && r->value != 0);
}

/* The type is a kind or a message; several are separated by commas. */
static bool type_fits(const char *wanted, const struct record *r)
{
    const char *names[2] = {hd_sim_sight_name(r->kind),
                            is_message(r) ? hd_sim_type_name(r->type) : ""};
    for (const char *at = wanted; *at != 0;) {
        size_t len = strcspn(at, ",");
        for (unsigned i = 0; i < 2; i++) {
            if (strlen(names[i]) == len && strncmp(at, names[i], len) == 0)
                return true;
        }
        at += len + (at[len] == ',' ? 1 : 0);
    }
    return false;
}

static bool node_fits(const struct trace *t, const char *wanted, const struct record *r)
{
    char name[32];
    if (strcmp(node_name(t, r->node, name, sizeof name), wanted) == 0)
        return true;
    if (r->kind == HD_SIM_RECEIVED || r->kind == HD_SIM_PACKET)
        return strcmp(node_name(t, r->other, name, sizeof name), wanted) == 0;
    bool link = r->kind == HD_SIM_SENT || r->kind == HD_SIM_LOST || r->kind == HD_SIM_LINK_CHANGED;
    for (unsigned i = 0; link && r->other < t->link_count && i < 2; i++) {
        if (strcmp(node_name(t, t->ends[(size_t)r->other * 2 + i], name, sizeof name), wanted) == 0)
            return true;
    }
    return false;
}

static bool fits(const struct trace *t, const struct hd_sim_arguments *a, const struct record *r)
{
    return r->at >= a->from && r->at <= a->to && (a->type == NULL || type_fits(a->type, r)) &&
           (a->node == NULL || node_fits(t, a->node, r));
}

static void print_text(const struct trace *t, const struct record *r)
{
    char what[320], name[32];
    about(t, r, what, sizeof what);
    printf("%lld.%06lld ms  %-12s %-9s %s\n", (long long)(r->at / 1000000),
           (long long)(r->at % 1000000), node_name(t, r->node, name, sizeof name),
           hd_sim_sight_name(r->kind), what);
}

static bool print_json(const struct trace *t, const struct record *r)
{
    struct hd_json j;
    char name[128];
    hd_json_init(&j);
    hd_json_object(&j);
    hd_json_key(&j, "at_ms");
    hd_json_decimal(&j, r->at, 6);
    hd_json_kv_string(&j, "node", node_name(t, r->node, name, sizeof name));
    hd_json_kv_string(&j, "kind", hd_sim_sight_name(r->kind));
    if (is_message(r))
        hd_json_kv_string(&j, "type", hd_sim_type_name(r->type));
    if (is_message(r))
        hd_json_kv_uint(&j, "bytes", r->len);
    if (r->kind == HD_SIM_SENT || r->kind == HD_SIM_LOST || r->kind == HD_SIM_LINK_CHANGED)
        hd_json_kv_string(&j, "link", link_name(t, r->other, name, sizeof name));
    if ((r->kind == HD_SIM_RECEIVED || r->kind == HD_SIM_PACKET) && r->other != HD_SIM_NONE)
        hd_json_kv_string(&j, "from", node_name(t, r->other, name, sizeof name));
    if (r->kind == HD_SIM_PACKET)
        hd_json_kv_string(&j, "fate", hd_sim_fate_name((enum hd_sim_fate)r->value));
    if (r->kind == HD_SIM_IN_FORCE) {
        hd_json_kv_string(&j, "object", object_name(r->value & 255));
        hd_json_kv_uint(&j, "index", r->other);
        hd_json_kv_bool(&j, "gone", (r->value & 256) != 0);
    }
    if (r->kind == HD_SIM_LINK_CHANGED) {
        hd_json_kv_bool(&j, "carrier", (r->value & 1) == 0);
        hd_json_kv_bool(&j, "silent", (r->value & 6) != 0);
    }
    if (r->kind == HD_SIM_DIED && r->value < HD_ARRAY_LEN(deaths))
        hd_json_kv_string(&j, "death", deaths[r->value]);
    if (r->kind == HD_SIM_LOGGED) {
        hd_json_kv_uint(&j, "level", r->value);
        hd_json_kv_string(&j, "cause", r->other < t->cause_count ? t->causes[r->other] : "?");
    }
    hd_json_end(&j);
    char *text = hd_json_take(&j);
    if (text != NULL)
        puts(text);
    free(text);
    return text != NULL;
}

static bool read_record(struct trace *t, struct record *r)
{
    uint8_t b[HD_SIM_TRACE_RECORD];
    if (fread(b, 1, sizeof b, t->file) != sizeof b)
        return false;
    *r = (struct record){(hd_time)get(b, 8),
                         (uint32_t)get(b + 8, 4),
                         (uint32_t)get(b + 12, 4),
                         (uint32_t)get(b + 16, 4),
                         (uint16_t)get(b + 20, 2),
                         b[22],
                         b[23]};
    return r->kind > 0 && r->kind < HD_SIM_SIGHTS;
}

/* From the oldest record on, around the ring. */
static void print_all(struct trace *t, const struct hd_sim_arguments *a)
{
    bool wrapped = t->written > t->room && t->tail != 0;
    uint64_t records = HD_MIN(t->written, t->room), at = wrapped ? t->written % t->room : 0;
    struct record r;
    if (wrapped)
        fprintf(stderr, "heddle-sim: %llu older records were overwritten\n",
                (unsigned long long)(t->written - t->room));
    for (uint64_t i = 0; i < records; i++, at++) {
        if (wrapped && at == t->room)
            at = 0;
        if ((i == 0 || at == 0) &&
            fseeko(t->file, (off_t)(HD_SIM_TRACE_HEADER + at * HD_SIM_TRACE_RECORD), SEEK_SET) != 0)
            return;
        if (!read_record(t, &r) || ferror(stdout))
            return;
        if (!fits(t, a, &r))
            continue;
        if (!a->json)
            print_text(t, &r);
        else if (!print_json(t, &r))
            return;
    }
}

int hd_sim_command_trace(const struct hd_sim_arguments *a)
{
    struct trace t = {.path = a->scenario};
    if (!open_trace(&t))
        return 2;
    print_all(&t, a);
    close_trace(&t);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that are composed of several lists: `status`, which a person reads as one thing, and
 * `metrics`, where all samples of a family must stand together. A source whose core does not run is
 * left out.
 */
#include "manage/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/driver_rows.h"
#include "router/router.h"

void hd_gather_free(struct hd_gather *g)
{
    free(g->rows);
    hd_json_free(&g->json);
    hd_text_free(&g->text);
    memset(g, 0, sizeof *g);
}

static bool append(struct hd_gather *g, const uint8_t *bytes, size_t len)
{
    size_t cap = g->cap ? g->cap : 4096;
    uint8_t *v;

    if (g->len + len > HD_GATHER_MAX)
        return false;
    while (cap < g->len + len)
        cap *= 2;
    if (cap != g->cap) {
        v = realloc(g->rows, cap);
        if (!v)
            return false;
        g->rows = v;
        g->cap = cap;
    }
    if (len > 0)
        memcpy(g->rows + g->len, bytes, len);
    g->len += len;
    return true;
}

static void finish(struct hd_client *c)
{
    struct hd_gather *g = &c->gather;

    if (!g->found) {
        hd_client_error(c, "not-running", "command", "the router runs nothing that could tell");
        return;
    }
    c->walk.verb->compose(g, NULL, NULL, 0);
    hd_client_put_json(c, &g->json);
    hd_answer_end(c);
}

void hd_gather_rows(struct hd_manage *m, struct hd_client *c, const struct hd_msg_rows_rsp *r,
                    const uint8_t *tail)
{
    struct hd_gather *g = &c->gather;
    struct hd_source s = {0};
    const struct hd_list *l;

    if (!hd_request_source(c, &s))
        return;
    l = hd_list_find(s.core, s.list);
    if (r->error == 0 && !append(g, tail, (size_t)r->row_count * l->row_size)) {
        hd_client_error(c, "no-memory", NULL, "that is more than one answer can hold");
        return;
    }
    if (r->error == 0)
        g->count += r->row_count;
    c->walk.cursor = r->cursor;
    if (r->error != 0 || r->cursor.end) {
        if (r->error == 0) {
            g->found = true;
            c->walk.verb->compose(g, l, g->rows, g->count);
        }
        g->len = 0;
        g->count = 0;
        c->walk.source++;
        memset(&c->walk.cursor, 0, sizeof c->walk.cursor);
    }
    if (!hd_request_source(c, &s)) {
        finish(c);
        return;
    }
    c->asked = false;
    hd_request_send(m, c);
}

/* --- status ---------------------------------------------------------------- */

static void open_status(struct hd_json *j)
{
    if (j->depth > 0)
        return;
    hd_json_object(j);
    hd_json_key(j, "rows");
    hd_json_array(j);
    hd_json_object(j);
}

/* Whether `--interface NAME` would include what was left out for this reason. */
static bool selectable(uint8_t why)
{
    switch (why) {
    case HD_IF_BRIDGE_PORT:
    case HD_IF_WIRELESS:
    case HD_IF_DEFAULT_ROUTE:
    case HD_IF_VIRTUAL:
    case HD_IF_NOT_SELECTED:
        return true;
    default:
        return false;
    }
}

static void left_out_json(const struct hd_list *l, const uint8_t *row, struct hd_json *j)
{
    char name[HD_CELL_MAX], why[HD_CELL_MAX], flag[HD_CELL_MAX + 16];
    const struct hd_column *c = hd_column_named(l, "why-not");

    hd_row_cell(hd_column_named(l, "name"), row, name);
    hd_row_cell(c, row, why);
    hd_json_object(j);
    hd_json_kv_string(j, "name", name);
    hd_json_kv_string(j, "why", why);
    if (selectable(row[c->offset])) {
        snprintf(flag, sizeof flag, "--interface %s", name);
        hd_json_kv_string(j, "include-with", flag);
    }
    hd_json_end(j);
}

/* Interfaces that nobody would expect here are no news. */
static bool worth_telling(uint8_t why)
{
    return why != HD_IF_OK && why != HD_IF_LOOPBACK && why != HD_IF_OURS;
}

static void interfaces_json(const struct hd_list *l, const uint8_t *rows, uint32_t count,
                            struct hd_json *j)
{
    const struct hd_column *why = hd_column_named(l, "why-not");
    const struct hd_column *usable = hd_column_named(l, "usable");
    char name[HD_CELL_MAX];

    hd_json_key(j, "interfaces");
    hd_json_array(j);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = rows + (size_t)i * l->row_size;
        if (row[usable->offset]) {
            hd_row_cell(hd_column_named(l, "name"), row, name);
            hd_json_string(j, name);
        }
    }
    hd_json_end(j);
    hd_json_key(j, "left-out");
    hd_json_array(j);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = rows + (size_t)i * l->row_size;
        if (!row[usable->offset] && worth_telling(row[why->offset]))
            left_out_json(l, row, j);
    }
    hd_json_end(j);
}

/* Until its core runs, the router has no state of its own to tell. */
static void daemon_json(struct hd_gather *g, const struct hd_list *l, const uint8_t *rows,
                        uint32_t count)
{
    struct hd_json *j = &g->json;
    char core[HD_CELL_MAX] = "";

    if (count > 0)
        hd_row_cell(hd_column_named(l, "core"), rows, core);
    if (core[0] == '\0' && !g->has_state)
        hd_json_kv_string(j, "state", "starting");
    hd_json_key(j, "daemon");
    if (count > 0)
        hd_row_json(l, rows, j);
    else
        hd_json_null(j);
}

void hd_gather_status(struct hd_gather *g, const struct hd_list *l, const uint8_t *rows,
                      uint32_t count)
{
    struct hd_json *j = &g->json;

    open_status(j);
    if (!l) {
        hd_json_end(j);
        hd_json_end(j);
        hd_json_kv_bool(j, "more", false);
        hd_json_end(j);
    } else if (l->core == HD_CORE_KIRA) {
        if (count > 0) {
            hd_row_json_members(l, rows, j);
            g->has_state = true;
        }
    } else if (l->list == HD_DRIVER_LIST_INTERFACES) {
        interfaces_json(l, rows, count, j);
    } else if (l->flags & HD_LIST_ONE) {
        daemon_json(g, l, rows, count);
    } else {
        hd_json_key(j, l->name);
        hd_json_array(j);
        for (uint32_t i = 0; i < count; i++)
            hd_row_json(l, rows + (size_t)i * l->row_size, j);
        hd_json_end(j);
    }
}

/* --- metrics --------------------------------------------------------------- */

void hd_gather_metrics(struct hd_gather *g, const struct hd_list *l, const uint8_t *rows,
                       uint32_t count)
{
    struct hd_json *j = &g->json;

    if (l) {
        hd_rows_metrics(l, rows, count, &g->text);
        return;
    }
    hd_text_printf(&g->text, "# EOF\n");
    hd_json_object(j);
    hd_json_kv_string(j, "text", g->text.failed || !g->text.v ? "# EOF\n" : g->text.v);
    hd_json_kv_bool(j, "more", false);
    hd_json_end(j);
}

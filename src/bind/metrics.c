/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as OpenMetrics (the text format of OpenMetrics 1.0): gauges, counters and state sets. All
 * lines of a family stand together, so the columns are the outer loop and the rows the inner one.
 */
#include "bind/columns.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/time.h"

void hd_text_free(struct hd_text *t)
{
    free(t->v);
    memset(t, 0, sizeof *t);
}

static bool grow(struct hd_text *t, size_t more)
{
    size_t cap = t->cap ? t->cap : 1024;
    char *v;

    while (cap < t->len + more + 1)
        cap *= 2;
    if (cap == t->cap)
        return true;
    v = realloc(t->v, cap);
    if (!v) {
        t->failed = true;
        return false;
    }
    t->v = v;
    t->cap = cap;
    return true;
}

void hd_text_printf(struct hd_text *t, const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n < 0 || t->failed || !grow(t, (size_t)n))
        return;
    va_start(ap, format);
    vsnprintf(t->v + t->len, (size_t)n + 1, format, ap);
    va_end(ap);
    t->len += (size_t)n;
}

/* heddle_kira_neighbours_rtt: letters, digits and underscores only. */
static void family_name(const struct hd_list *l, const char *column, char *buf, size_t size)
{
    bool lone = l->flags & HD_LIST_ONE;

    snprintf(buf, size, "heddle_%s_%s%s%s", hd_list_core_name(l->core), lone ? "" : l->name,
             lone ? "" : "_", column);
    for (char *p = buf; *p; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9')))
            *p = '_';
    }
}

static void label_value(struct hd_text *t, const char *name, const char *value, bool first)
{
    hd_text_printf(t, "%s", first ? "" : ",");
    for (const char *p = name; *p; p++)
        hd_text_printf(t, "%c", *p == '-' ? '_' : *p);
    hd_text_printf(t, "=\"");
    for (const char *p = value; *p; p++)
        hd_text_printf(t, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    hd_text_printf(t, "\"");
}

static void labels(const struct hd_list *l, const void *row, struct hd_text *t, const char *more,
                   const char *more_value)
{
    char cell[HD_CELL_MAX];
    bool first = true;

    for (size_t i = 0; i < l->column_count; i++) {
        const struct hd_column *c = &l->columns[i];
        if (!(c->flags & HD_COL_KEY))
            continue;
        if (hd_column_is_number(c))
            hd_row_cell(c, row, cell);
        else
            hd_column_text(c, row, cell);
        hd_text_printf(t, "%s", first ? "{" : "");
        label_value(t, c->name, cell, first);
        first = false;
    }
    if (more) {
        hd_text_printf(t, "%s", first ? "{" : "");
        label_value(t, more, more_value, first);
        first = false;
    }
    hd_text_printf(t, "%s", first ? "" : "}");
}

static void value(const struct hd_column *c, const void *row, struct hd_text *t)
{
    if (c->type == HD_COL_DURATION || c->type == HD_COL_AGE) {
        hd_time ns = hd_column_int(c, row);
        uint64_t abs_ns = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
        hd_text_printf(t, " %s%" PRIu64 ".%09" PRIu64 "\n", ns < 0 ? "-" : "", abs_ns / 1000000000u,
                       abs_ns % 1000000000u);
    } else if (c->type == HD_COL_INT) {
        hd_text_printf(t, " %" PRId64 "\n", hd_column_int(c, row));
    } else if (c->type == HD_COL_BOOL) {
        hd_text_printf(t, " %d\n", hd_column_uint(c, row) != 0);
    } else {
        hd_text_printf(t, " %" PRIu64 "\n", hd_column_uint(c, row));
    }
}

static bool has_value(const struct hd_column *c, const void *row)
{
    bool duration = c->type == HD_COL_DURATION || c->type == HD_COL_AGE;

    return !hd_column_unknown(c, row) && !(duration && hd_column_int(c, row) == HD_NEVER);
}

static void number_family(const struct hd_list *l, const struct hd_column *c, const uint8_t *rows,
                          uint32_t count, struct hd_text *t)
{
    bool duration = c->type == HD_COL_DURATION || c->type == HD_COL_AGE;
    bool counter = c->flags & HD_COL_COUNTER;
    char name[160], plain[64];
    size_t n = (size_t)snprintf(plain, sizeof plain, "%s", c->name);

    if (duration && n > 3 && n < sizeof plain && strcmp(plain + n - 3, "-ms") == 0)
        snprintf(plain + n - 3, sizeof plain - n + 3, "%s", "-seconds");
    family_name(l, plain, name, sizeof name);
    hd_text_printf(t, "# TYPE %s %s\n", name, counter ? "counter" : "gauge");
    if (duration)
        hd_text_printf(t, "# UNIT %s seconds\n", name);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = rows + (size_t)i * l->row_size;
        if (!has_value(c, row))
            continue;
        hd_text_printf(t, "%s%s", name, counter ? "_total" : "");
        labels(l, row, t, NULL, NULL);
        value(c, row, t);
    }
}

static void state_family(const struct hd_list *l, const struct hd_column *c, const uint8_t *rows,
                         uint32_t count, struct hd_text *t)
{
    char name[160];

    family_name(l, c->name, name, sizeof name);
    hd_text_printf(t, "# TYPE %s stateset\n", name);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = rows + (size_t)i * l->row_size;
        for (uint8_t k = 0; k < c->names_count; k++) {
            if (!c->names[k].name)
                continue;
            hd_text_printf(t, "%s", name);
            labels(l, row, t, name, c->names[k].name);
            hd_text_printf(t, " %d\n", hd_column_uint(c, row) == k);
        }
    }
}

/* A list of named counters: each row is a family of its own. */
static void named_counters(const struct hd_list *l, const struct hd_column *key,
                           const struct hd_column *number, const uint8_t *rows, uint32_t count,
                           struct hd_text *t)
{
    char cell[HD_CELL_MAX], name[HD_CELL_MAX + 64];

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = rows + (size_t)i * l->row_size;
        hd_column_text(key, row, cell);
        family_name(l, cell, name, sizeof name);
        hd_text_printf(t, "# TYPE %s counter\n%s_total %" PRIu64 "\n", name, name,
                       hd_column_uint(number, row));
    }
}

void hd_rows_metrics(const struct hd_list *l, const void *rows, uint32_t count, struct hd_text *t)
{
    const struct hd_column *key = hd_column_named(l, "name");
    const struct hd_column *number = hd_column_named(l, "value");

    if (count == 0 || (l->flags & (HD_LIST_REPLY | HD_LIST_EVENTS)))
        return;
    if (key && number && (number->flags & HD_COL_COUNTER)) {
        named_counters(l, key, number, rows, count, t);
        return;
    }
    for (size_t i = 0; i < l->column_count; i++) {
        const struct hd_column *c = &l->columns[i];
        if (c->flags & HD_COL_KEY)
            continue;
        if (hd_column_is_number(c) || c->type == HD_COL_BOOL)
            number_family(l, c, rows, count, t);
        else if (c->type == HD_COL_ENUM)
            state_family(l, c, rows, count, t);
    }
}

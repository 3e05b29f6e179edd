/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plots of a run: what it did over time, with its faults as marks, and how figures are spread
 * over pairs and nodes at its end. Each goes into a file of its own and into the page.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "sim/folder.h"
#include "sim/plot.h"
#include "sim/queue.h"

#define TYPES_SHOWN 5

static void put_plot(struct folder *f, const char *name, struct hd_plot *p)
{
    char text[96];
    FILE *out = hd_folder_open(f, name);
    if (p->subtitle == NULL) {
        snprintf(text, sizeof text, "%.60s, %u nodes, seed %llu", f->sc->origin, f->sc->node_count,
                 (unsigned long long)f->r->seed);
        p->subtitle = text;
    }
    if (out != NULL) {
        hd_plot_write(p, out);
        hd_folder_close(f, out, name);
    }
    if (f->page != NULL)
        hd_plot_write(p, f->page);
    p->subtitle = NULL;
}

static void add_faults(const struct folder *f, struct hd_plot *p)
{
    for (unsigned i = 0; i < f->r->outage_count && p->mark_count < HD_PLOT_MARKS_MAX; i++)
        p->marks[p->mark_count++] = (double)f->r->outages[i].fault / 1e9;
    p->mark_name = "fault";
}

/* Columns of the series as curves; all are freed together. */
struct columns {
    double *x;
    double *y[HD_PLOT_CURVES_MAX];
    unsigned count;
    size_t len;
};

static double *new_column(struct columns *c)
{
    return c->y[c->count++] = hd_sim_alloc(c->len + 1, sizeof(double));
}

static void columns_of(const struct folder *f, struct columns *c)
{
    *c = (struct columns){.len = f->r->series.len};
    c->x = hd_sim_alloc(c->len + 1, sizeof *c->x);
    for (size_t i = 0; i < c->len; i++)
        c->x[i] = (double)f->r->series.v[i].at / 1e9;
}

static void columns_free(struct columns *c)
{
    for (unsigned i = 0; i < c->count; i++)
        free(c->y[i]);
    free(c->x);
}

static void add_curve(struct hd_plot *p, const struct columns *c, const char *name, const double *y)
{
    p->curves[p->curve_count++] =
        (struct hd_plot_curve){.name = name, .x = c->x, .y = y, .len = c->len};
}

static void plot_reach(struct folder *f)
{
    struct columns c;
    columns_of(f, &c);
    struct hd_plot p = {.title = "Reachability: connected pairs whose packets arrive",
                        .x_label = "simulated time (s)",
                        .y_label = "pairs that work (%)",
                        .y_from_zero = true,
                        .y_max_least = 100};
    double *y = new_column(&c);
    for (size_t i = 0; i < c.len; i++) {
        const struct hd_sim_point *v = &f->r->series.v[i];
        y[i] = v->connected == 0 ? NAN : (double)v->arrived * 100 / (double)v->connected;
    }
    add_curve(&p, &c, "pairs that work", y);
    add_faults(f, &p);
    put_plot(f, "reachability.svg", &p);
    columns_free(&c);
}

static void plot_stretch_time(struct folder *f)
{
    struct columns c;
    columns_of(f, &c);
    struct hd_plot p = {.title = "Stretch: hops taken / hops of a shortest path",
                        .x_label = "simulated time (s)",
                        .y_label = "stretch",
                        .y_max_least = 1.5};
    double *mean = new_column(&c), *p95 = new_column(&c), *p99 = new_column(&c);
    for (size_t i = 0; i < c.len; i++) {
        const struct hd_sim_point *v = &f->r->series.v[i];
        mean[i] = v->stretch_mean == 0 ? NAN : v->stretch_mean / 1000.0;
        p95[i] = v->stretch_p95 == 0 ? NAN : v->stretch_p95 / 1000.0;
        p99[i] = v->stretch_p99 == 0 ? NAN : v->stretch_p99 / 1000.0;
    }
    add_curve(&p, &c, "mean", mean);
    add_curve(&p, &c, "95 % below", p95);
    add_curve(&p, &c, "99 % below", p99);
    add_faults(f, &p);
    put_plot(f, "stretch.svg", &p);
    columns_free(&c);
}

static void spread_curves(struct columns *c, const struct folder *f, struct hd_plot *p,
                          const struct hd_sim_spread *(*of)(const struct hd_sim_point *),
                          double unit, const char *const names[2])
{
    double *mean = new_column(c), *max = new_column(c);
    for (size_t i = 0; i < c->len; i++) {
        mean[i] = (double)of(&f->r->series.v[i])->mean / unit;
        max[i] = (double)of(&f->r->series.v[i])->max / unit;
    }
    add_curve(p, c, names[0], mean);
    add_curve(p, c, names[1], max);
}

static const struct hd_sim_spread *memory_of(const struct hd_sim_point *p)
{
    return &p->memory;
}

static const struct hd_sim_spread *labels_of(const struct hd_sim_point *p)
{
    return &p->labels;
}

static const struct hd_sim_spread *contacts_of(const struct hd_sim_point *p)
{
    return &p->contacts;
}

static void plot_memory(struct folder *f)
{
    static const char *const names[2] = {"mean", "largest node"};
    struct columns c;
    columns_of(f, &c);
    struct hd_plot p = {.title = "Memory of a router",
                        .x_label = "simulated time (s)",
                        .y_label = "in use (KiB per node)",
                        .y_from_zero = true};
    spread_curves(&c, f, &p, memory_of, 1024, names);
    add_faults(f, &p);
    put_plot(f, "memory.svg", &p);
    columns_free(&c);
}

static void plot_tables(struct folder *f)
{
    static const char *const labels[2] = {"labels, mean", "labels, most"};
    static const char *const contacts[2] = {"contacts, mean", "contacts, most"};
    struct columns c;
    columns_of(f, &c);
    struct hd_plot p = {.title = "Tables of a router",
                        .x_label = "simulated time (s)",
                        .y_label = "entries per node",
                        .y_from_zero = true};
    spread_curves(&c, f, &p, labels_of, 1, labels);
    spread_curves(&c, f, &p, contacts_of, 1, contacts);
    add_faults(f, &p);
    put_plot(f, "tables.svg", &p);
    columns_free(&c);
}

/* The types sent most, by messages per node and second between two points. */
static void busiest_types(const struct hd_sim_stats *st, unsigned *types, unsigned *count)
{
    bool taken[256] = {false};
    for (*count = 0; *count < TYPES_SHOWN; (*count)++) {
        unsigned best = 256;
        for (unsigned t = 0; t < 256; t++) {
            if (!taken[t] && st->by_type_count[t] > 0 &&
                (best == 256 || st->by_type_count[t] > st->by_type_count[best]))
                best = t;
        }
        if (best == 256)
            return;
        taken[best] = true;
        types[*count] = best;
    }
}

static void rates(const struct folder *f, double *y, unsigned type)
{
    const struct hd_sim_point *v = f->r->series.v;
    for (size_t i = 0; i < f->r->series.len; i++) {
        double seconds = i == 0 ? 0 : (double)(v[i].at - v[i - 1].at) / 1e9;
        uint64_t now = type == 256 ? v[i].messages : v[i].by_type[type];
        uint64_t then = i == 0 ? 0 : type == 256 ? v[i - 1].messages : v[i - 1].by_type[type];
        y[i] = seconds <= 0 ? NAN : (double)(now - then) / seconds / f->sc->node_count;
    }
}

static void plot_messages(struct folder *f)
{
    unsigned types[TYPES_SHOWN], count;
    struct columns c;
    columns_of(f, &c);
    struct hd_plot p = {.title = "Messages sent per node and second",
                        .x_label = "simulated time (s)",
                        .y_label = "messages / (node s)",
                        .log_y = true};
    double *all = new_column(&c);
    rates(f, all, 256);
    add_curve(&p, &c, "all", all);
    busiest_types(&f->r->stats, types, &count);
    for (unsigned i = 0; i < count; i++) {
        double *y = new_column(&c);
        rates(f, y, types[i]);
        add_curve(&p, &c, hd_sim_type_name(types[i]), y);
    }
    add_faults(f, &p);
    put_plot(f, "messages.svg", &p);
    columns_free(&c);
}

/* A distribution has at most this many points in a plot: more nobody sees. */
#define SHOWN_MAX 400

static void share_curve(struct hd_plot *p, struct columns *c, const char *name,
                        double (*value)(const void *v, size_t i), const void *values, size_t len)
{
    size_t shown = HD_MIN(len, (size_t)SHOWN_MAX);
    if (len == 0)
        return;
    double *x = c->y[c->count++] = hd_sim_alloc(shown + 1, sizeof *x);
    double *y = c->y[c->count++] = hd_sim_alloc(shown + 1, sizeof *y);
    for (size_t i = 0; i < shown; i++) {
        size_t at = shown == 1 ? 0 : i * (len - 1) / (shown - 1);
        x[i] = value(values, at);
        y[i] = (double)(at + 1) * 100 / (double)len;
    }
    p->curves[p->curve_count++] =
        (struct hd_plot_curve){.name = name, .x = x, .y = y, .len = shown, .style = HD_PLOT_STEPS};
}

static double thousandths(const void *v, size_t i)
{
    return ((const uint32_t *)v)[i] / 1000.0;
}

static double plain32(const void *v, size_t i)
{
    return ((const uint32_t *)v)[i];
}

static void plot_stretch_shares(struct folder *f)
{
    const struct hd_sim_pairs *e = &f->r->end;
    struct columns c = {0};
    struct hd_plot p = {.title = "Stretch at the end: share of pairs",
                        .x_label = "stretch at most",
                        .y_label = "share of pairs (%)",
                        .y_from_zero = true,
                        .y_max_least = 100};
    share_curve(&p, &c, "all pairs", thousandths, e->all.values, e->all.len);
    share_curve(&p, &c, "known nodes", thousandths, e->contacts.values, e->contacts.len);
    share_curve(&p, &c, "first packet", thousandths, e->first.values, e->first.len);
    share_curve(&p, &c, "after use", thousandths, e->found.values, e->found.len);
    put_plot(f, "stretch-shares.svg", &p);
    columns_free(&c);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void plot_node_shares(struct folder *f)
{
    const struct hd_sim_census *n = &f->r->census;
    const uint32_t *figures[] = {n->labels, n->contacts, n->routes};
    static const char *const names[] = {"labels", "contacts", "routes"};
    uint32_t *sorted[HD_ARRAY_LEN(figures)];
    struct columns c = {0};
    struct hd_plot p = {.title = "Tables at the end: share of nodes",
                        .x_label = "entries at most",
                        .y_label = "share of nodes (%)",
                        .y_from_zero = true,
                        .y_max_least = 100};
    for (unsigned i = 0; i < HD_ARRAY_LEN(figures); i++) {
        sorted[i] = hd_sim_alloc(n->living + 1, sizeof *sorted[i]);
        memcpy(sorted[i], figures[i], n->living * sizeof *sorted[i]);
        qsort(sorted[i], n->living, sizeof *sorted[i], by_number);
        share_curve(&p, &c, names[i], plain32, sorted[i], n->living);
    }
    put_plot(f, "table-shares.svg", &p);
    for (unsigned i = 0; i < HD_ARRAY_LEN(figures); i++)
        free(sorted[i]);
    columns_free(&c);
}

void hd_folder_plots(struct folder *f)
{
    plot_reach(f);
    plot_stretch_time(f);
    plot_stretch_shares(f);
    plot_messages(f);
    plot_memory(f);
    plot_tables(f);
    plot_node_shares(f);
}

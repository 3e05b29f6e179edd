/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of a run: what a program reads (summary.json, CSV) beside what a person looks at
 * (plots, index.html). The page holds its plots within itself, so it can be sent around alone.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "sim/folder.h"
#include "sim/plot.h"

FILE *hd_folder_open(struct folder *f, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *file = f->error == 0 ? fopen(path, "we") : NULL;
    if (file == NULL && f->error == 0) {
        snprintf(f->err, f->errlen, "%s: %s", path, strerror(errno));
        f->error = HD_ESYS;
    }
    return file;
}

void hd_folder_close(struct folder *f, FILE *file, const char *name)
{
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) {
        if (f->error == 0)
            snprintf(f->err, f->errlen, "%s/%s: not written: %s", f->path, name, strerror(errno));
        f->error = HD_ESYS;
    }
}

/* --- CSV -----------------------------------------------------------------------------------------
 */

static void series_line(FILE *out, const struct hd_sim_point *p)
{
    fprintf(out, "%.3f,%llu,%llu,%.3f,%.3f,%.3f,%llu,%llu,%llu,%.3f", (double)p->at / 1e6,
            (unsigned long long)p->connected, (unsigned long long)p->arrived,
            p->stretch_mean / 1000.0, p->stretch_p95 / 1000.0, p->stretch_p99 / 1000.0,
            (unsigned long long)p->messages, (unsigned long long)p->bytes,
            (unsigned long long)p->events, (double)p->wall_us / 1e6);
    const struct hd_sim_spread *spreads[] = {&p->memory, &p->labels, &p->contacts, &p->routes};
    for (unsigned i = 0; i < HD_ARRAY_LEN(spreads); i++)
        fprintf(out, ",%llu,%llu,%llu", (unsigned long long)spreads[i]->mean,
                (unsigned long long)spreads[i]->p99, (unsigned long long)spreads[i]->max);
    fputc('\n', out);
}

static void write_series(struct folder *f)
{
    FILE *out = hd_folder_open(f, "series.csv");
    if (out == NULL)
        return;
    fputs("at_ms,connected_pairs,working_pairs,stretch_mean,stretch_p95,stretch_p99,messages,"
          "message_bytes,events,wall_s,memory_mean,memory_p99,memory_max,labels_mean,labels_p99,"
          "labels_max,contacts_mean,contacts_p99,contacts_max,routes_mean,routes_p99,routes_max\n",
          out);
    for (size_t i = 0; i < f->r->series.len; i++)
        series_line(out, &f->r->series.v[i]);
    hd_folder_close(f, out, "series.csv");
}

static void write_messages(struct folder *f)
{
    const struct hd_sim_series *series = &f->r->series;
    FILE *out = hd_folder_open(f, "messages.csv");
    if (out == NULL)
        return;
    fputs("at_ms", out);
    for (unsigned t = 0; t < 256; t++) {
        if (f->r->stats.by_type_count[t] > 0)
            fprintf(out, ",%s", hd_sim_type_name(t));
    }
    fputc('\n', out);
    for (size_t i = 0; i < series->len; i++) {
        fprintf(out, "%.3f", (double)series->v[i].at / 1e6);
        for (unsigned t = 0; t < 256; t++) {
            if (f->r->stats.by_type_count[t] > 0)
                fprintf(out, ",%llu", (unsigned long long)series->v[i].by_type[t]);
        }
        fputc('\n', out);
    }
    hd_folder_close(f, out, "messages.csv");
}

static void write_nodes(struct folder *f)
{
    const struct hd_sim_census *c = &f->r->census;
    FILE *out = hd_folder_open(f, "nodes.csv");
    if (out == NULL)
        return;
    fputs("node,degree,contacts,labels,labels_set_up,routes,memory_bytes,memory_most_bytes,sent,"
          "received\n",
          out);
    for (uint32_t i = 0; i < c->living; i++)
        fprintf(out, "%s,%u,%u,%u,%u,%u,%llu,%llu,%llu,%llu\n", f->sc->nodes[c->node[i]].name,
                c->degree[i], c->contacts[i], c->labels[i], c->set_up[i], c->routes[i],
                (unsigned long long)c->memory[i], (unsigned long long)c->used[i],
                (unsigned long long)c->sent[i], (unsigned long long)c->received[i]);
    hd_folder_close(f, out, "nodes.csv");
}

/* A line per distinct value: how many pairs have at most that stretch. */
static void stretch_lines(FILE *out, const char *kind, const struct hd_sim_stretch *l)
{
    for (size_t i = 0; i < l->len; i++) {
        if (i + 1 == l->len || l->values[i + 1] != l->values[i])
            fprintf(out, "%s,%.3f,%zu,%.6f\n", kind, l->values[i] / 1000.0, i + 1,
                    (double)(i + 1) / (double)l->len);
    }
}

static void write_stretch(struct folder *f)
{
    FILE *out = hd_folder_open(f, "stretch.csv");
    if (out == NULL)
        return;
    fputs("pairs,stretch,at_most,share\n", out);
    stretch_lines(out, "all", &f->r->end.all);
    stretch_lines(out, "contacts", &f->r->end.contacts);
    stretch_lines(out, "first_packet", &f->r->end.first);
    stretch_lines(out, "after_use", &f->r->end.found);
    hd_folder_close(f, out, "stretch.csv");
}

/* --- the page ------------------------------------------------------------------------------------
 */

static void row(struct folder *f, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void row(struct folder *f, const char *name, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fputs("<tr><th>", f->page);
    hd_plot_text(f->page, name);
    fputs("</th><td>", f->page);
    hd_plot_text(f->page, text);
    fputs("</td></tr>\n", f->page);
}

static void spread_row(struct folder *f, const char *name, const struct hd_sim_spread *x)
{
    row(f, name, "mean %llu, 99 %% below %llu, most %llu", (unsigned long long)x->mean,
        (unsigned long long)x->p99, (unsigned long long)x->max);
}

static void stretch_row(struct folder *f, const char *name, const struct hd_sim_stretch *l)
{
    if (l->len > 0)
        row(f, name, "mean %.3f, 95 %% below %.3f, 99 %% below %.3f, most %.3f (%zu pairs)",
            l->mean / 1000.0, l->p95 / 1000.0, l->p99 / 1000.0, l->max / 1000.0, l->len);
}

static void fault_rows(struct folder *f)
{
    for (unsigned i = 0; i < f->r->outage_count && i < 20; i++) {
        const struct hd_sim_outage *o = &f->r->outages[i];
        char name[48];
        snprintf(name, sizeof name, "Fault at %.3f s", (double)o->fault / 1e9);
        if (o->repaired == HD_NEVER)
            row(f, name, "not repaired before the next fault or the end");
        else
            row(f, name, "all connected pairs worked after %.0f ms; at most %llu pairs did not",
                (double)(o->repaired - o->fault) / 1e6, (unsigned long long)o->worst_missing);
    }
    if (f->r->outage_count > 20)
        row(f, "More faults", "%u in all, in summary.json", f->r->outage_count);
}

static void page_table(struct folder *f)
{
    const struct hd_sim_run *r = f->r;
    const struct hd_sim_census *c = &r->census;
    struct hd_sim_spread x;
    fputs("<table>\n", f->page);
    row(f, "Network", "%s: %u nodes, %u links, seed %llu", f->sc->origin, f->sc->node_count,
        f->sc->link_count, (unsigned long long)r->seed);
    row(f, "Simulated", "%.3f s in %.1f s, %llu events, %u %s", (double)r->ended_at / 1e9,
        (double)r->wall_us / 1e6, (unsigned long long)r->stats.events, r->workers,
        r->workers == 1 ? "worker" : "workers");
    if (r->converged_at == HD_NEVER)
        row(f, "All connected pairs", "never worked at once");
    else
        row(f, "All connected pairs", "first worked at %.0f ms", (double)r->converged_at / 1e6);
    row(f, "At the end", "%llu of %llu connected pairs work", (unsigned long long)r->last.arrived,
        (unsigned long long)r->last.connected);
    stretch_row(f, "Stretch, all pairs", &r->end.all);
    stretch_row(f, "Stretch, known nodes", &r->end.contacts);
    stretch_row(f, "Stretch, first packet", &r->end.first);
    stretch_row(f, "Stretch, after use", &r->end.found);
    hd_sim_spread64(c->memory, c->living, &x);
    spread_row(f, "Memory per node (bytes)", &x);
    hd_sim_spread32(c->labels, c->living, &x);
    spread_row(f, "Labels per node", &x);
    hd_sim_spread32(c->contacts, c->living, &x);
    spread_row(f, "Contacts per node", &x);
    row(f, "Messages", "%llu, %.1f per node and second",
        (unsigned long long)r->stats.datagrams_sent,
        (double)r->stats.datagrams_sent / f->sc->node_count / ((double)r->ended_at / 1e9 + 1e-9));
    fault_rows(f);
    row(f, "Checks", "%s", r->why[0] == 0 ? "all held" : r->why);
    if (r->command != NULL)
        row(f, "Again", "%s", r->command);
    fputs("</table>\n", f->page);
}

static void page_head(struct folder *f)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>", f->page);
    hd_plot_text(f->page, f->sc->name != NULL ? f->sc->name : f->sc->origin);
    fputs("</title>\n<style>body{font-family:sans-serif;max-width:62rem;margin:2rem auto;"
          "padding:0 1rem;color:#222;background:#fff}table{border-collapse:collapse}"
          "th{text-align:left;font-weight:600;padding:.25rem 1.5rem .25rem 0;vertical-align:top;"
          "white-space:nowrap}td{padding:.25rem 0}tr{border-bottom:1px solid #e3e3e3}"
          "svg{max-width:100%;height:auto;margin:1.2rem 0}code{background:#f4f4f4}</style>\n"
          "</head><body>\n<h1>",
          f->page);
    hd_plot_text(f->page, f->sc->name != NULL ? f->sc->name : f->sc->origin);
    fputs("</h1>\n", f->page);
    fprintf(f->page, "<p>%s</p>\n",
            f->r->why[0] == 0 ? "All checks and expectations held." : "<b>A check failed.</b>");
}

static void write_page(struct folder *f)
{
    f->page = hd_folder_open(f, "index.html");
    if (f->page == NULL)
        return;
    page_head(f);
    page_table(f);
    hd_folder_plots(f);
    fputs("<p>Figures: <code>summary.json</code>, <code>series.csv</code>, "
          "<code>messages.csv</code>, <code>nodes.csv</code>, <code>stretch.csv</code> in this "
          "folder.</p>\n</body></html>\n",
          f->page);
    hd_folder_close(f, f->page, "index.html");
    f->page = NULL;
}

static void write_summary(struct folder *f)
{
    char *text = hd_sim_report_json(f->s, f->sc, f->r);
    FILE *out = hd_folder_open(f, "summary.json");
    if (text == NULL && f->error == 0) {
        snprintf(f->err, f->errlen, "no memory for the summary");
        f->error = HD_ENOMEM;
    }
    if (out != NULL) {
        if (text != NULL)
            fprintf(out, "%s\n", text);
        hd_folder_close(f, out, "summary.json");
    }
    free(text);
}

int hd_sim_write_folder(struct hd_sim *s, const struct hd_scenario *sc, const struct hd_sim_run *r,
                        const char *folder, char *err, size_t errlen)
{
    struct folder f = {.path = folder, .s = s, .sc = sc, .r = r, .err = err, .errlen = errlen};
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        snprintf(err, errlen, "%s: %s", folder, strerror(errno));
        return HD_ESYS;
    }
    write_summary(&f);
    write_series(&f);
    write_messages(&f);
    write_nodes(&f);
    write_stretch(&f);
    write_page(&f);
    return f.error;
}

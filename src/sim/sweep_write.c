/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sweep leaves: a line per run (runs.csv), the tables of spec/kira.md 9.3 as Markdown
 * (table.md), a curve per figure over the number of nodes, and a page with all of it.
 */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "sim/plot.h"
#include "sim/queue.h"
#include "sim/sweep.h"

#define M(member) offsetof(struct hd_sweep_run, member)

/* A figure: where it is, how it is called, how many decimals. */
struct figure {
    const char *name; /* in CSV */
    const char *head; /* in the table */
    size_t member;
    double unit; /* divides it */
    int decimals;
};

static const struct figure network[] = {
    {"nodes", "nodes", M(nodes), 1, 0},
    {"links", "links", M(links), 1, 0},
    {"join_ms", "all pairs (ms)", M(join_ms), 1, 0},
    {"reach_1s", "1 s (%)", M(reach[0]), 0.01, 2},
    {"reach_2s", "2 s (%)", M(reach[1]), 0.01, 2},
    {"reach_5s", "5 s (%)", M(reach[2]), 0.01, 2},
    {"reach_10s", "10 s (%)", M(reach[3]), 0.01, 2},
    {"last_change_ms", "last change (ms)", M(last_change_ms), 1, 0},
};

static const struct figure stretch[] = {
    {"first_mean", "first packet, mean", M(first_mean), 1, 2},
    {"first_p50", "median", M(first_p50), 1, 2},
    {"first_p95", "95 %", M(first_p95), 1, 2},
    {"first_p99", "99 %", M(first_p99), 1, 2},
    {"first_max", "most", M(first_max), 1, 2},
    {"known_mean", "known nodes, mean", M(known_mean), 1, 3},
    {"known_p99", "99 %", M(known_p99), 1, 2},
    {"known_exact", "shortest (%)", M(known_exact), 0.01, 1},
    {"found_mean", "after use, mean", M(found_mean), 1, 3},
    {"found_p95", "95 %", M(found_p95), 1, 2},
    {"found_p99", "99 %", M(found_p99), 1, 2},
};

static const struct figure tables[] = {
    {"contacts_mean", "contacts, mean", M(contacts_mean), 1, 0},
    {"contacts_max", "most", M(contacts_max), 1, 0},
    {"labels_mean", "labels, mean", M(labels_mean), 1, 0},
    {"labels_p99", "99 %", M(labels_p99), 1, 0},
    {"labels_max", "most", M(labels_max), 1, 0},
    {"memory_mean_kib", "memory, mean (KiB)", M(memory_mean), 1024, 1},
    {"memory_p99_kib", "99 %", M(memory_p99), 1024, 1},
    {"memory_max_kib", "most", M(memory_max), 1024, 1},
    {"process_kib_per_node", "process / node (KiB)", M(process_per_node), 1024, 1},
};

static const struct figure work[] = {
    {"join_messages", "to join: messages / node", M(join_messages), 1, 0},
    {"join_kib", "KiB / node", M(join_bytes), 1024, 1},
    {"steady_messages", "before the faults: messages / (node s)", M(steady_messages), 1, 1},
    {"steady_link", "messages / (link s)", M(link_steady), 1, 1},
    {"recovery_link_ms", "repair: link (ms)", M(recovery_ms[0]), 1, 0},
    {"recovery_node_ms", "node (ms)", M(recovery_ms[1]), 1, 0},
    {"recovery_many_ms", "10 % of links (ms)", M(recovery_ms[2]), 1, 0},
    {"recovery_back_ms", "all back (ms)", M(recovery_ms[3]), 1, 0},
    {"million_events", "events (million)", M(events), 1e6, 2},
    {"wall_s", "wall (s)", M(wall_s), 1, 1},
};

static const struct {
    const char *title;
    const struct figure *figures;
    size_t count;
} groups[] = {
    {"Network and reachability", network, HD_ARRAY_LEN(network)},
    {"Stretch", stretch, HD_ARRAY_LEN(stretch)},
    {"Tables and memory of a node", tables, HD_ARRAY_LEN(tables)},
    {"Messages, repair, cost of the run", work, HD_ARRAY_LEN(work)},
};

static double value_of(const struct hd_sweep_run *run, const struct figure *f)
{
    return *(const double *)((const char *)run + f->member) / f->unit;
}

static FILE *open_in(const struct hd_sweep *w, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", w->folder, name);
    FILE *out = fopen(path, "we");
    if (out == NULL)
        fprintf(stderr, "heddle-sim: %s: %s\n", path, strerror(errno));
    return out;
}

static int close_out(FILE *out)
{
    bool bad = ferror(out) != 0;
    if (fclose(out) == 0 && !bad)
        return 0;
    fprintf(stderr, "heddle-sim: results not written: %s\n", strerror(errno));
    return HD_ESYS;
}

static void csv_run(FILE *out, const struct hd_sweep_run *run)
{
    fprintf(out, "%s,\"%s\",%llu,%s", run->family, run->scenario, (unsigned long long)run->seed,
            !run->done ? "none"
            : run->ok  ? "ok"
                       : "failed");
    for (size_t g = 0; g < HD_ARRAY_LEN(groups); g++) {
        for (size_t i = 0; i < groups[g].count; i++) {
            double v = run->done ? value_of(run, &groups[g].figures[i]) : NAN;
            if (isfinite(v))
                fprintf(out, ",%.*f", groups[g].figures[i].decimals + 1, v);
            else
                fputc(',', out);
        }
    }
    fprintf(out, ",%s\n", run->digest);
}

static int write_csv(const struct hd_sweep *w)
{
    FILE *out = open_in(w, "runs.csv");
    if (out == NULL)
        return HD_ESYS;
    fputs("family,scenario,seed,result", out);
    for (size_t g = 0; g < HD_ARRAY_LEN(groups); g++) {
        for (size_t i = 0; i < groups[g].count; i++)
            fprintf(out, ",%s", groups[g].figures[i].name);
    }
    fputs(",digest\n", out);
    for (unsigned i = 0; i < w->count; i++)
        csv_run(out, &w->runs[i]);
    return close_out(out);
}

static void row_name(const struct hd_sweep_row *row, char *text, size_t len)
{
    char file[HD_SWEEP_NAME];
    const char *slash = strrchr(row->mean.scenario, '/');
    snprintf(file, sizeof file, "%s", slash != NULL ? slash + 1 : row->mean.scenario);
    if (row->failed > 0)
        snprintf(text, len, "%s (%u of %u failed)", file, row->failed,
                 HD_MAX(row->runs, row->failed));
    else
        snprintf(text, len, "%s", file);
}

static void cell(FILE *out, double v, int decimals, bool html)
{
    fputs(html ? "<td>" : " | ", out);
    if (isfinite(v))
        fprintf(out, "%.*f", decimals, v);
    else
        fputs("-", out);
    fputs(html ? "</td>" : "", out);
}

static void write_group(const struct hd_sweep *w, FILE *out, size_t g, bool html)
{
    char name[2 * HD_SWEEP_NAME];
    fprintf(out, html ? "<h2>%s</h2>\n<table><tr><th>network</th>" : "### %s\n\n| network",
            groups[g].title);
    for (size_t i = 0; i < groups[g].count; i++)
        fprintf(out, html ? "<th>%s</th>" : " | %s", groups[g].figures[i].head);
    fputs(html ? "</tr>\n" : " |\n|---", out);
    for (size_t i = 0; !html && i < groups[g].count; i++)
        fputs("|---:", out);
    fputs(html ? "" : "|\n", out);
    for (unsigned r = 0; r < w->row_count; r++) {
        row_name(&w->rows[r], name, sizeof name);
        fputs(html ? "<tr><th>" : "| ", out);
        hd_plot_text(out, name);
        fputs(html ? "</th>" : "", out);
        for (size_t i = 0; i < groups[g].count; i++)
            cell(out, value_of(&w->rows[r].mean, &groups[g].figures[i]),
                 groups[g].figures[i].decimals, html);
        fputs(html ? "</tr>\n" : " |\n", out);
    }
    fputs(html ? "</table>\n" : "\n", out);
}

static int write_table(const struct hd_sweep *w)
{
    FILE *out = open_in(w, "table.md");
    if (out == NULL)
        return HD_ESYS;
    for (size_t g = 0; g < HD_ARRAY_LEN(groups); g++)
        write_group(w, out, g, false);
    return close_out(out);
}

/* --- curves --------------------------------------------------------------------------------------
 */

static const struct {
    const char *file, *title, *y;
    size_t member;
    double unit;
    bool log;
} growth[] = {
    {"join-time.svg", "Join: until all pairs worked", "simulated time (ms)", M(join_ms), 1, true},
    {"join-messages.svg", "Join: messages per node until all pairs worked", "messages per node",
     M(join_messages), 1, true},
    {"steady-messages.svg", "Messages per node and second before the faults", "messages / (node s)",
     M(steady_messages), 1, true},
    {"memory.svg", "Memory of a node, mean", "KiB per node", M(memory_mean), 1024, false},
    {"labels.svg", "Labels of a node, mean", "entries", M(labels_mean), 1, false},
    {"contacts.svg", "Contacts of a node, mean", "entries", M(contacts_mean), 1, false},
    {"stretch-first.svg", "Stretch of first packets, mean", "stretch", M(first_mean), 1, false},
    {"stretch-first-p99.svg", "Stretch of first packets, 99 % below", "stretch", M(first_p99), 1,
     false},
    {"stretch-used.svg", "Stretch after use, mean", "stretch", M(found_mean), 1, false},
    {"repair-link.svg", "Repair after one link", "all pairs work after (ms)", M(recovery_ms[0]), 1,
     false},
    {"repair-many.svg", "Repair after a tenth of the links", "all pairs work after (ms)",
     M(recovery_ms[2]), 1, false},
    {"wall.svg", "Cost of a run", "wall clock (s)", M(wall_s), 1, true},
};

/* Points of one family, in the order of sizes. */
static unsigned family_points(const struct hd_sweep *w, unsigned from, size_t member, double unit,
                              double *x, double *y, size_t *len)
{
    unsigned at = from;
    for (*len = 0;
         at < w->row_count && strcmp(w->rows[at].mean.family, w->rows[from].mean.family) == 0;
         at++) {
        x[*len] = w->rows[at].mean.nodes;
        y[(*len)++] = *(const double *)((const char *)&w->rows[at].mean + member) / unit;
    }
    return at;
}

static int write_curve(const struct hd_sweep *w, size_t g, FILE *page)
{
    struct hd_plot p = {.title = growth[g].title,
                        .x_label = "nodes",
                        .y_label = growth[g].y,
                        .log_x = true,
                        .log_y = growth[g].log,
                        .y_from_zero = true};
    double *x = hd_sim_alloc(w->row_count + 1, 2 * sizeof *x), *y = x + w->row_count + 1;
    size_t used = 0;
    for (unsigned at = 0; at < w->row_count && p.curve_count < HD_PLOT_CURVES_MAX;) {
        struct hd_plot_curve *c = &p.curves[p.curve_count++];
        *c = (struct hd_plot_curve){
            .name = w->rows[at].mean.family, .x = x + used, .y = y + used, .style = HD_PLOT_BOTH};
        at = family_points(w, at, growth[g].member, growth[g].unit, x + used, y + used, &c->len);
        used += c->len;
    }
    FILE *out = open_in(w, growth[g].file);
    if (out != NULL)
        hd_plot_write(&p, out);
    hd_plot_write(&p, page);
    free(x);
    return out == NULL ? HD_ESYS : close_out(out);
}

static int write_page(const struct hd_sweep *w)
{
    FILE *page = open_in(w, "index.html");
    int error = page == NULL ? HD_ESYS : 0;
    if (page == NULL)
        return error;
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sweep</title>\n"
          "<style>body{font-family:sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem;"
          "color:#222;background:#fff}table{border-collapse:collapse;font-size:.85rem;"
          "margin-bottom:2rem}th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid "
          "#e3e3e3}tr>th:first-child{text-align:left;white-space:nowrap}svg{max-width:100%;"
          "height:auto;margin:1rem 0}</style>\n</head><body>\n<h1>Sweep</h1>\n",
          page);
    fprintf(page, "<p>%u runs; each line is the mean over the seeds of one network and size.</p>\n",
            w->count);
    for (size_t g = 0; g < HD_ARRAY_LEN(groups); g++)
        write_group(w, page, g, true);
    for (size_t g = 0; g < HD_ARRAY_LEN(growth) && error == 0; g++)
        error = write_curve(w, g, page);
    fputs("</body></html>\n", page);
    int closed = close_out(page);
    return error != 0 ? error : closed;
}

int hd_sweep_write(struct hd_sweep *w)
{
    int error = write_csv(w);
    if (error == 0)
        error = write_table(w);
    return error != 0 ? error : write_page(w);
}

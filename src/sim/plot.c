/* SPDX-License-Identifier: Apache-2.0 */
/* Plots as SVG (plot.h): scales, ticks, curves, legend. */
#include "sim/plot.h"

#include <math.h>
#include <string.h>

#include "lib/base.h"

#define WIDTH  820.0
#define HEIGHT 430.0
#define LEFT   78.0
#define RIGHT  180.0 /* for the legend */
#define TOP    58.0
#define BOTTOM 58.0
#define TICKS  6.0

/* Okabe and Ito's palette without its yellow, which a light background swallows. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9",
                                      "#e69f00", "#000000", "#7f7f7f", "#5d3a9b", "#8c510a"};
static const char *const dashes[] = {"none", "7 3",  "2 3", "9 3 2 3", "none",
                                     "5 5",  "none", "3 2", "12 4",    "1 4"};

struct axis {
    double low, high, step; /* in logarithms to base ten when log */
    bool log;
    double from, to; /* pixels */
};

void hd_plot_text(FILE *out, const char *text)
{
    for (; *text != 0; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
            break;
        }
    }
}

/* --- scales --------------------------------------------------------------------------------------
 */

static bool usable(const struct axis *a, double v)
{
    return isfinite(v) && (!a->log || v > 0);
}

static double pixel(const struct axis *a, double v)
{
    if (a->log)
        v = log10(v);
    return a->from + (v - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* The next 1, 2 or 5 times a power of ten. */
static double round_step(double rough)
{
    double power = pow(10, floor(log10(rough)));
    double part = rough / power;
    return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

static void stretch_over(struct axis *a, double v)
{
    if (!usable(a, v))
        return;
    if (a->log)
        v = log10(v);
    a->low = HD_MIN(a->low, v);
    a->high = HD_MAX(a->high, v);
}

static void finish_axis(struct axis *a, bool from_zero, double least)
{
    if (a->low > a->high) /* no value at all */
        a->low = 0, a->high = 1;
    if (from_zero && !a->log)
        a->low = HD_MIN(a->low, 0);
    if (least != 0)
        a->high = HD_MAX(a->high, a->log ? log10(least) : least);
    if (a->log) {
        a->low = floor(a->low + 1e-9);
        a->high = HD_MAX(ceil(a->high - 1e-9), a->low + 1);
        a->step = 1;
        return;
    }
    if (a->high - a->low < 1e-9 * HD_MAX(fabs(a->high), 1.0))
        a->high = a->low + HD_MAX(fabs(a->low) * 0.1, 1.0);
    a->step = round_step((a->high - a->low) / TICKS);
    a->low = floor(a->low / a->step + 1e-9) * a->step;
    a->high = ceil(a->high / a->step - 1e-9) * a->step;
}

/* 1 500 000 is easier read as 1.5 M. */
static void number_text(double v, char *text, size_t len)
{
    double size = fabs(v);
    if (size < 1e-12)
        snprintf(text, len, "0");
    else if (size >= 999999.5)
        snprintf(text, len, "%.4g M", v / 1e6);
    else if (size >= 9999.5)
        snprintf(text, len, "%.4g k", v / 1e3);
    else
        snprintf(text, len, "%.6g", v);
}

/* --- parts ---------------------------------------------------------------------------------------
 */

static void label(FILE *out, double x, double y, const char *anchor, const char *class,
                  const char *text)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor,
            class);
    hd_plot_text(out, text);
    fputs("</text>\n", out);
}

static void line(FILE *out, double x1, double y1, double x2, double y2, const char *class)
{
    fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1,
            x2, y2, class);
}

static void tick(FILE *out, const struct axis *x, const struct axis *y, bool horizontal, double v,
                 bool named)
{
    char text[32];
    number_text(v, text, sizeof text);
    if (horizontal) {
        double at = pixel(x, v);
        line(out, at, y->from, at, y->to, "g");
        if (named)
            label(out, at, y->from + 17, "middle", "t", text);
    } else {
        double at = pixel(y, v);
        line(out, x->from, at, x->to, at, "g");
        if (named)
            label(out, x->from - 7, at + 4, "end", "t", text);
    }
}

static void ticks(FILE *out, const struct axis *x, const struct axis *y, bool horizontal)
{
    const struct axis *a = horizontal ? x : y;
    if (!a->log) {
        for (long i = 0; i <= lround((a->high - a->low) / a->step); i++)
            tick(out, x, y, horizontal, a->low + (double)i * a->step, true);
        return;
    }
    bool between = a->high - a->low <= 3;
    for (long decade = lround(a->low); decade <= lround(a->high); decade++) {
        double v = pow(10, (double)decade);
        tick(out, x, y, horizontal, v, true);
        for (unsigned k = 2; between && k <= 5 && decade < lround(a->high); k += 3)
            tick(out, x, y, horizontal, v * k, a->high - a->low <= 2);
    }
}

static void curve_path(FILE *out, const struct axis *x, const struct axis *y,
                       const struct hd_plot_curve *c, unsigned number)
{
    bool pen = false;
    fprintf(out,
            "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" stroke-dasharray=\"%s\" "
            "stroke-linejoin=\"round\" d=\"",
            colours[number % HD_ARRAY_LEN(colours)], dashes[number % HD_ARRAY_LEN(dashes)]);
    for (size_t i = 0; i < c->len; i++) {
        if (!usable(x, c->x[i]) || !usable(y, c->y[i])) {
            pen = false;
            continue;
        }
        if (pen && c->style == HD_PLOT_STEPS)
            fprintf(out, "H%.1f", pixel(x, c->x[i]));
        fprintf(out, "%c%.1f %.1f", pen ? 'L' : 'M', pixel(x, c->x[i]), pixel(y, c->y[i]));
        pen = true;
    }
    fputs("\"/>\n", out);
}

static void curve_dots(FILE *out, const struct axis *x, const struct axis *y,
                       const struct hd_plot_curve *c, unsigned number)
{
    double radius = c->style == HD_PLOT_BOTH ? 3.2 : 2.0;
    fprintf(out, "<g fill=\"%s\"%s>\n", colours[number % HD_ARRAY_LEN(colours)],
            c->style == HD_PLOT_BOTH ? "" : " fill-opacity=\"0.55\"");
    for (size_t i = 0; i < c->len; i++) {
        if (usable(x, c->x[i]) && usable(y, c->y[i]))
            fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", pixel(x, c->x[i]),
                    pixel(y, c->y[i]), radius);
    }
    fputs("</g>\n", out);
}

static void legend_line(FILE *out, const struct hd_plot *p, unsigned i, double x, double y)
{
    const struct hd_plot_curve *c = &p->curves[i];
    const char *colour = colours[i % HD_ARRAY_LEN(colours)];
    if (c->style != HD_PLOT_DOTS)
        fprintf(out,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
                "stroke-width=\"2.2\" stroke-dasharray=\"%s\"/>\n",
                x, y - 4, x + 26, y - 4, colour, dashes[i % HD_ARRAY_LEN(dashes)]);
    if (c->style == HD_PLOT_DOTS || c->style == HD_PLOT_BOTH)
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"%s\"/>\n", x + 13, y - 4,
                colour);
    label(out, x + 32, y, "start", "t", c->name);
}

static void legend(FILE *out, const struct hd_plot *p)
{
    double x = WIDTH - RIGHT + 14, y = TOP + 12;
    for (unsigned i = 0; i < p->curve_count; i++) {
        legend_line(out, p, i, x, y);
        y += 20;
    }
    if (p->mark_count > 0 && p->mark_name != NULL) {
        line(out, x + 13, y - 11, x + 13, y + 3, "m");
        label(out, x + 32, y, "start", "t", p->mark_name);
    }
}

static void head(const struct hd_plot *p, FILE *out)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
            "height=\"%.0f\" role=\"img\">\n<style>text{font-family:sans-serif;fill:#222}"
            ".h{font-size:16px;font-weight:600}.s{font-size:12px;fill:#555}.t{font-size:12px}"
            ".a{font-size:13px}.g{stroke:#e3e3e3;stroke-width:1}"
            ".f{stroke:#666;stroke-width:1}.m{stroke:#999;stroke-width:1.2;stroke-dasharray:3 3}"
            "</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    label(out, LEFT, 24, "start", "h", p->title);
    if (p->subtitle != NULL)
        label(out, LEFT, 43, "start", "s", p->subtitle);
}

static void frame(const struct hd_plot *p, const struct axis *x, const struct axis *y, FILE *out)
{
    line(out, x->from, y->from, x->to, y->from, "f");
    line(out, x->from, y->from, x->from, y->to, "f");
    label(out, (x->from + x->to) / 2, HEIGHT - 14, "middle", "a", p->x_label);
    fprintf(out, "<g transform=\"rotate(-90 18 %.1f)\">", (y->from + y->to) / 2);
    label(out, 18, (y->from + y->to) / 2 + 4, "middle", "a", p->y_label);
    fputs("</g>\n", out);
}

void hd_plot_write(const struct hd_plot *p, FILE *out)
{
    struct axis x = {HUGE_VAL, -HUGE_VAL, 0, p->log_x, LEFT, WIDTH - RIGHT};
    struct axis y = {HUGE_VAL, -HUGE_VAL, 0, p->log_y, HEIGHT - BOTTOM, TOP};
    for (unsigned i = 0; i < p->curve_count; i++) {
        for (size_t k = 0; k < p->curves[i].len; k++) {
            stretch_over(&x, p->curves[i].x[k]);
            stretch_over(&y, p->curves[i].y[k]);
        }
    }
    finish_axis(&x, false, 0);
    finish_axis(&y, p->y_from_zero, p->y_max_least);
    head(p, out);
    ticks(out, &x, &y, true);
    ticks(out, &x, &y, false);
    for (unsigned i = 0; i < p->mark_count; i++) {
        double at = pixel(&x, p->marks[i]);
        if (usable(&x, p->marks[i]) && at >= x.from && at <= x.to)
            line(out, at, y.from, at, y.to, "m");
    }
    frame(p, &x, &y, out);
    for (unsigned i = 0; i < p->curve_count; i++) {
        const struct hd_plot_curve *c = &p->curves[i];
        if (c->style != HD_PLOT_DOTS)
            curve_path(out, &x, &y, c, i);
        if (c->style == HD_PLOT_DOTS || c->style == HD_PLOT_BOTH)
            curve_dots(out, &x, &y, c, i);
    }
    legend(out, p);
    fputs("</svg>\n", out);
}

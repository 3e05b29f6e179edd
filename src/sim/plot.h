/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plots as SVG, by a small writer of our own: axes with round ticks and units, a legend beside the
 * plot (so that it hides nothing), colours that the colour-blind can tell apart, and a line style
 * per curve for paper. An output is a text file that any browser shows and any diff compares.
 */
#ifndef HD_SIM_PLOT_H
#define HD_SIM_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define HD_PLOT_CURVES_MAX 10
#define HD_PLOT_MARKS_MAX  64

enum hd_plot_style {
    HD_PLOT_LINE,  /* through the points, in their order */
    HD_PLOT_STEPS, /* each value holds until the next point */
    HD_PLOT_DOTS,  /* points alone */
    HD_PLOT_BOTH,  /* points joined by lines */
};

struct hd_plot_curve {
    const char *name;
    const double *x, *y; /* the caller's; a y that is not finite leaves a gap */
    size_t len;
    enum hd_plot_style style;
};

struct hd_plot {
    const char *title, *subtitle; /* subtitle may be NULL */
    const char *x_label, *y_label;
    bool log_x, log_y;  /* values of 0 and less are left out then */
    bool y_from_zero;   /* the axis begins at 0 */
    double y_max_least; /* the axis reaches at least here; 0: as the values are */
    struct hd_plot_curve curves[HD_PLOT_CURVES_MAX];
    unsigned curve_count;
    double marks[HD_PLOT_MARKS_MAX]; /* vertical lines: faults */
    unsigned mark_count;
    const char *mark_name;
};

/* Writes the plot as one <svg> element. */
void hd_plot_write(const struct hd_plot *p, FILE *out);

/* Text with the characters that XML and HTML reserve replaced. */
void hd_plot_text(FILE *out, const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of results while it is written; shared by folder.c and folder_plots.c. */
#ifndef HD_SIM_FOLDER_H
#define HD_SIM_FOLDER_H

#include <stdio.h>

#include "sim/run.h"

struct folder {
    const char *path;
    struct hd_sim *s;
    const struct hd_scenario *sc;
    const struct hd_sim_run *r;
    FILE *page; /* index.html under way */
    char *err;
    size_t errlen;
    int error;
};

/* NULL after an error, which the folder keeps; only the first one counts. */
FILE *hd_folder_open(struct folder *f, const char *name);
void hd_folder_close(struct folder *f, FILE *file, const char *name);

/* All plots, as files and into f->page. */
void hd_folder_plots(struct folder *f);

#endif

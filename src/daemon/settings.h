/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says about the node itself, as the system process reads it: settings.c. */
#ifndef HD_DAEMON_SETTINGS_H
#define HD_DAEMON_SETTINGS_H

#include "bind/config.h"
#include "daemon/options.h"

struct hd_settings {
    bool open;
    struct hd_id id;                    /* all zero: not configured */
    uint16_t node_prefix, label_prefix; /* 0: not configured */
    unsigned glob_count;
    char globs[HD_GLOBS_MAX][HD_SETTINGS_GLOB];
};

/* The lines of a text, which is cut up. */
void hd_settings_parse(struct hd_settings *s, char *text);
/* Those of the state folder (its descriptor); nothing is configured when there are none. */
void hd_settings_read(struct hd_settings *s, int state);

#endif

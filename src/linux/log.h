/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines: one event is one line of key=value on stderr. Each cause has a token bucket, so that
 * nobody on an attached link can fill a disk; the next line that passes says how many did not
 * (`suppressed=N`). A line for which the reader has left no room is not waited for; the next one
 * that is written says how many went so, of any cause (`lost=N`).
 */
#ifndef HD_LINUX_LOG_H
#define HD_LINUX_LOG_H

#include "model/effects.h"

#define HD_LOG_CAUSES 32
#define HD_LOG_BURST  10        /* lines of one cause at once */
#define HD_LOG_EVERY  HD_SEC(1) /* then one in this time */

struct hd_log_cause {
    uint64_t hash;   /* of the cause's text; 0: free */
    hd_time full_at; /* when the bucket will be full again */
    uint32_t suppressed;
};

struct hd_log {
    const char *role; /* static */
    int level;        /* enum hd_log_level: lines above it are left out */
    uint32_t lost;    /* lines, since the last one that was written */
    bool stamp;       /* stderr is not the journal's: lines need a time */
    struct hd_log_cause causes[HD_LOG_CAUSES];
};

void hd_log_init(struct hd_log *l, const char *role, int level);

/* A line of our own: the format gives `key=value` pairs. */
void hd_log_line(struct hd_log *l, int level, const char *cause, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The line of a core's log effect. */
void hd_log_effect(struct hd_log *l, const char *core, const struct hd_fx_log *e,
                   const struct hd_log_arg *args);

/* "error", "warning", "notice", "info", "debug" to its number, else HD_EINVAL. */
HD_MUST_USE int hd_log_level_parse(const char *name);

#endif

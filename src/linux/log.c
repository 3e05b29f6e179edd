/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines with a limit per cause (log.h). A line is written by one write(2) and never split. */
#include "linux/log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "linux/event_loop.h"

#define LINE_MAX_BYTES 768

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

static const char *const level_names[] = {"emergency", "alert",  "critical", "error",
                                          "warning",   "notice", "info",     "debug"};

void hd_log_init(struct hd_log *l, const char *role, int level)
{
    memset(l, 0, sizeof *l);
    l->role = role;
    l->level = level;
    l->stamp = getenv("JOURNAL_STREAM") == NULL;
}

int hd_log_level_parse(const char *name)
{
    for (int i = HD_LOG_ERROR; i <= HD_LOG_DEBUG; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            return i;
        }
    }
    return HD_EINVAL;
}

__attribute__((format(printf, 2, 0))) static void add_v(struct line *n, const char *format,
                                                        va_list args)
{
    size_t room = sizeof n->text - 1 - n->len; /* one byte stays for the newline */
    int wrote = vsnprintf(n->text + n->len, room, format, args);
    if (wrote > 0) {
        n->len += HD_MIN((size_t)wrote, room - 1);
    }
}

__attribute__((format(printf, 2, 3))) static void add(struct line *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_v(n, format, args);
    va_end(args);
}

/* The cause's slot; when all are taken, the one that has been quiet for longest. */
static struct hd_log_cause *slot_of(struct hd_log *l, const char *cause)
{
    uint64_t hash = hd_hash64(1, cause, strlen(cause)) | 1;
    struct hd_log_cause *oldest = &l->causes[0];
    for (unsigned i = 0; i < HD_LOG_CAUSES; i++) {
        struct hd_log_cause *c = &l->causes[i];
        if (c->hash == hash) {
            return c;
        }
        if (c->hash == 0) {
            oldest = c;
            break; /* slots are never emptied: behind a free one there are only free ones */
        }
        if (c->full_at < oldest->full_at) {
            oldest = c;
        }
    }
    *oldest = (struct hd_log_cause){.hash = hash};
    return oldest;
}

/*
 * Whoever reads may stand still, and we must not stand still with it. A pipe or a socket that says
 * it has room takes a whole line.
 */
static bool has_room(void)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&p, 1, 0) != 0;
}

/* Begins a line if level, bucket and reader allow it. */
static bool begin(struct hd_log *l, struct line *n, int level, const char *cause)
{
    if (level > l->level) {
        return false;
    }
    hd_time now = hd_clock_now();
    struct hd_log_cause *c = slot_of(l, cause);
    hd_time full_at = (c->full_at > now ? c->full_at : now) + HD_LOG_EVERY;
    if (full_at - now > HD_LOG_BURST * HD_LOG_EVERY) {
        c->suppressed++;
        return false;
    }
    c->full_at = full_at;
    if (!has_room()) {
        l->lost++;
        return false;
    }
    n->len = 0;
    if (l->stamp) {
        struct timespec t;
        struct tm tm;
        clock_gettime(CLOCK_REALTIME, &t);
        gmtime_r(&t.tv_sec, &tm);
        n->len = strftime(n->text, sizeof n->text, "%FT%T", &tm);
        add(n, ".%03ldZ ", t.tv_nsec / 1000000);
    }
    add(n, "level=%s role=%s cause=%s", level_names[level], l->role, cause);
    if (c->suppressed > 0) {
        add(n, " suppressed=%" PRIu32, c->suppressed);
        c->suppressed = 0;
    }
    if (l->lost > 0) {
        add(n, " lost=%" PRIu32, l->lost);
        l->lost = 0;
    }
    return true;
}

static void finish(struct line *n)
{
    n->text[n->len++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, n->text, n->len);
    (void)ignored; /* a log that cannot be written has nobody to tell */
}

void hd_log_line(struct hd_log *l, int level, const char *cause, const char *format, ...)
{
    struct line n;
    if (!begin(l, &n, level, cause)) {
        return;
    }
    va_list args;
    va_start(args, format);
    add(&n, " ");
    add_v(&n, format, args);
    va_end(args);
    finish(&n);
}

static void add_arg(struct line *n, const struct hd_log_arg *a)
{
    char text[HD_IP6_TEXT];
    switch ((enum hd_log_arg_type)a->type) {
    case HD_ARG_UINT:
        add(n, " %s=%" PRIu64, a->key, a->u.number);
        break;
    case HD_ARG_ID:
        add(n, " %s=%s", a->key, hd_id_format(&a->u.id, text));
        break;
    case HD_ARG_IP6:
        add(n, " %s=%s", a->key, hd_ip6_format(&a->u.ip6, text));
        break;
    case HD_ARG_TEXT:
        add(n, " %s=%s", a->key, a->u.text);
        break;
    case HD_ARG_TIME:
        add(n, " %s=%" PRId64 ".%03dms", a->key, a->u.time_ns / 1000000,
            (int)(llabs(a->u.time_ns) / 1000 % 1000));
        break;
    }
}

void hd_log_effect(struct hd_log *l, const char *core, const struct hd_fx_log *e,
                   const struct hd_log_arg *args)
{
    struct line n;
    int level = HD_MIN(HD_MAX((int)e->level, HD_LOG_ERROR), HD_LOG_DEBUG);
    if (!begin(l, &n, level, e->cause)) {
        return;
    }
    add(&n, " core=%s", core);
    for (unsigned i = 0; i < e->nargs && i < HD_LOG_ARGS_MAX; i++) {
        add_arg(&n, &args[i]);
    }
    finish(&n);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a run is: on a terminal one line that is written over, elsewhere a line now and then. The
 * end is estimated from the pace of the last while, since a join costs far more than what follows.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "sim/run.h"

#define TERMINAL_US 200000
#define LINES_US    10000000
#define SHORT_US    1000000 /* runs that end within this say nothing */

void hd_sim_progress_start(struct hd_sim_progress *p)
{
    *p = (struct hd_sim_progress){.terminal = isatty(STDERR_FILENO) == 1};
}

static void duration(uint64_t seconds, char *text, size_t len)
{
    if (seconds < 120)
        snprintf(text, len, "%llu s", (unsigned long long)seconds);
    else if (seconds < 7200)
        snprintf(text, len, "%llu min", (unsigned long long)(seconds + 30) / 60);
    else
        snprintf(text, len, "%llu h %llu min", (unsigned long long)seconds / 3600,
                 (unsigned long long)seconds % 3600 / 60);
}

void hd_sim_progress_show(void *user, struct hd_sim *s, const struct hd_sim_run *r)
{
    struct hd_sim_progress *p = user;
    uint64_t since = r->wall_us - p->shown_us;
    char left[32];
    if (r->wall_us < SHORT_US || since < (p->terminal ? TERMINAL_US : LINES_US))
        return;
    hd_time now = hd_sim_now(s), moved = now - p->at_then;
    uint64_t events = hd_sim_stats(s)->events, rate = (events - p->events_then) * 1000 / since;
    if (moved > 0)
        duration((uint64_t)((double)(r->until - now) / (double)moved * (double)since / 1e6), left,
                 sizeof left);
    else
        snprintf(left, sizeof left, "unknown");
    double share =
        r->last.connected == 0 ? 0 : (double)r->last.arrived * 100 / (double)r->last.connected;
    fprintf(stderr,
            "%s%.2f of %.2f s simulated, %llu k events/s, %.2f %% of pairs work, about %s left%s",
            p->terminal ? "\r" : "", (double)now / 1e9, (double)r->until / 1e9,
            (unsigned long long)rate, share, left, p->terminal ? "\033[K" : "\n");
    fflush(stderr);
    p->shown_us = r->wall_us;
    p->events_then = events;
    p->at_then = now;
}

void hd_sim_progress_end(struct hd_sim_progress *p)
{
    if (p->terminal && p->shown_us > 0)
        fputs("\r\033[K", stderr);
}

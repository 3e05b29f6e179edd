/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a trace (trace.h): a ring of fixed records through a buffer, and a tail at the end. */
#include "sim/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "sim/queue.h"

#define CAUSES_MAX 1024

struct hd_sim_trace {
    const struct hd_scenario *sc;
    char *path;
    FILE *file;
    uint64_t room, written; /* records */
    const char *causes[CAUSES_MAX];
    uint32_t cause_count;
    bool failed;
};

const char *hd_sim_sight_name(unsigned kind)
{
    static const char *const names[HD_SIM_SIGHTS] = {
        "unknown", "sent", "received", "lost", "in-force",
        "packet",  "link", "started",  "died", "log",
    };
    return names[kind < HD_SIM_SIGHTS ? kind : 0];
}

static void put(uint8_t *at, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

static void write_bytes(struct hd_sim_trace *t, const void *bytes, size_t len)
{
    if (fwrite(bytes, 1, len, t->file) != len)
        t->failed = true;
}

static void write_number(struct hd_sim_trace *t, uint32_t v)
{
    uint8_t b[4];
    put(b, v, 4);
    write_bytes(t, b, 4);
}

static void write_text(struct hd_sim_trace *t, const char *text)
{
    size_t len = HD_MIN(strlen(text), (size_t)255);
    uint8_t n = (uint8_t)len;
    write_bytes(t, &n, 1);
    write_bytes(t, text, len);
}

static void write_header(struct hd_sim_trace *t, uint64_t tail)
{
    uint8_t b[HD_SIM_TRACE_HEADER] = {0};
    put(b, HD_SIM_TRACE_MAGIC, 8);
    put(b + 8, t->room, 8);
    put(b + 16, t->written, 8);
    put(b + 24, tail, 8);
    if (fseeko(t->file, 0, SEEK_SET) != 0)
        t->failed = true;
    write_bytes(t, b, sizeof b);
}

/* Causes are constants of the cores, few of them; equal texts may have two addresses. */
static uint32_t cause_number(struct hd_sim_trace *t, const char *text)
{
    for (uint32_t i = 0; i < t->cause_count; i++) {
        if (t->causes[i] == text || strcmp(t->causes[i], text) == 0)
            return i;
    }
    if (t->cause_count == CAUSES_MAX)
        return CAUSES_MAX - 1;
    t->causes[t->cause_count] = text;
    return t->cause_count++;
}

/* The first byte is the type, or the second behind a zero, as in hd_sim_stats. */
static uint8_t type_of(const struct hd_sim_sight *e)
{
    const uint8_t *b = e->bytes;
    if (e->len == 0 || b == NULL)
        return 0;
    return e->len > 1 && b[0] == 0 ? b[1] : b[0];
}

static void seen(void *user, struct hd_sim *s, const struct hd_sim_sight *e)
{
    struct hd_sim_trace *t = user;
    uint8_t b[HD_SIM_TRACE_RECORD];
    bool log = e->kind == HD_SIM_LOGGED;
    if (t->written > 0 && t->written % t->room == 0 &&
        fseeko(t->file, HD_SIM_TRACE_HEADER, SEEK_SET) != 0)
        t->failed = true;
    put(b, (uint64_t)e->at, 8);
    put(b + 8, e->node, 4);
    put(b + 12, log ? cause_number(t, e->bytes) : e->other, 4);
    put(b + 16, e->value, 4);
    put(b + 20, log ? 0 : HD_MIN(e->len, 65535u), 2);
    b[22] = (uint8_t)e->kind;
    b[23] = log ? 0 : type_of(e);
    write_bytes(t, b, sizeof b);
    t->written++;
}

static int fail(const char *path, char *err, size_t errlen)
{
    snprintf(err, errlen, "%s: %s", path, strerror(errno));
    return HD_ESYS;
}

int hd_sim_trace_create(struct hd_sim_trace **out, const char *path, const struct hd_scenario *sc,
                        uint64_t max_bytes, struct hd_sim_options *o, char *err, size_t errlen)
{
    FILE *file = fopen(path, "w+e");
    *out = NULL;
    if (file == NULL)
        return fail(path, err, errlen);
    struct hd_sim_trace *t = hd_sim_alloc(1, sizeof *t);
    t->sc = sc;
    t->file = file;
    t->path = strdup(path);
    t->room = HD_MAX(max_bytes / HD_SIM_TRACE_RECORD, (uint64_t)1);
    write_header(t, 0);
    o->hooks.user = t;
    o->hooks.seen = seen;
    *out = t;
    return 0;
}

static void write_tail(struct hd_sim_trace *t)
{
    uint64_t records = HD_MIN(t->written, t->room);
    uint64_t tail = HD_SIM_TRACE_HEADER + records * HD_SIM_TRACE_RECORD;
    if (fseeko(t->file, (off_t)tail, SEEK_SET) != 0)
        t->failed = true;
    write_number(t, t->sc->node_count);
    for (uint32_t i = 0; i < t->sc->node_count; i++)
        write_text(t, t->sc->nodes[i].name);
    write_number(t, t->sc->link_count);
    for (uint32_t i = 0; i < t->sc->link_count; i++) {
        write_number(t, t->sc->links[i].a);
        write_number(t, t->sc->links[i].b);
    }
    write_number(t, t->cause_count);
    for (uint32_t i = 0; i < t->cause_count; i++)
        write_text(t, t->causes[i]);
    write_header(t, tail);
}

int hd_sim_trace_close(struct hd_sim_trace *t, char *err, size_t errlen)
{
    int error = 0;
    if (t == NULL)
        return 0;
    write_tail(t);
    if (fclose(t->file) != 0 || t->failed)
        error = fail(t->path != NULL ? t->path : "trace", err, errlen);
    free(t->path);
    free(t);
    return error;
}

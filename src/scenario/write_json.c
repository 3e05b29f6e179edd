/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario as a JSON file (doc/scenario.md), spelled out: every node, link and event by itself.
 * Reading it back gives an equal scenario, with one exception that the format has: an event of one
 * of several parallel links acts on all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "scenario/internal.h"

static void put_ms(struct hd_json *j, const char *key, hd_time t)
{
    hd_json_key(j, key);
    hd_json_decimal(j, t, 6);
}

static void put_us(struct hd_json *j, const char *key, hd_time t)
{
    hd_json_key(j, key);
    hd_json_decimal(j, t, 3);
}

static void put_node(struct hd_json *j, const struct hd_scenario_node *n)
{
    char id[2 * sizeof n->id + 1];
    hd_json_object(j);
    hd_json_kv_string(j, "name", n->name);
    for (size_t i = 0; i < sizeof n->id; i++)
        snprintf(id + 2 * i, 3, "%02x", n->id[i]);
    if (n->has_id)
        hd_json_kv_string(j, "id", id);
    if (n->end_system)
        hd_json_kv_bool(j, "end_system", true);
    if (n->key != 0)
        hd_json_kv_uint(j, "key", n->key);
    if (n->skew_ppm != 0)
        hd_json_kv_int(j, "skew_ppm", n->skew_ppm);
    if (n->start_ns == HD_NEVER)
        hd_json_kv_bool(j, "started", false);
    else if (n->start_ns != 0)
        put_ms(j, "start_ms", n->start_ns);
    hd_json_end(j);
}

/* Values named in `fields`; of a whole link those that differ from the defaults. */
static void put_values(struct hd_json *j, const struct hd_scenario_link *l, uint32_t fields)
{
    if (fields & HD_SCENARIO_F_DELAY)
        put_us(j, "delay_us", l->delay_ns);
    if (fields & HD_SCENARIO_F_JITTER)
        put_us(j, "jitter_us", l->jitter_ns);
    if (fields & HD_SCENARIO_F_LOSS)
        hd_json_kv_uint(j, "loss", l->loss_ppm);
    if (fields & HD_SCENARIO_F_DUPLICATE)
        hd_json_kv_uint(j, "duplicate", l->duplicate_ppm);
    if (fields & HD_SCENARIO_F_REORDER)
        hd_json_kv_uint(j, "reorder", l->reorder_ppm);
    if (fields & HD_SCENARIO_F_CORRUPT)
        hd_json_kv_uint(j, "corrupt", l->corrupt_ppm);
    if (fields & HD_SCENARIO_F_RATE)
        hd_json_kv_uint(j, "rate_bps", l->rate_bps);
    if (fields & HD_SCENARIO_F_RATE && l->queue_bytes != 0)
        hd_json_kv_uint(j, "queue_bytes", l->queue_bytes);
    if (fields & HD_SCENARIO_F_MTU)
        hd_json_kv_uint(j, "mtu", l->mtu);
}

static uint32_t special(const struct hd_scenario_link *l)
{
    return (l->delay_ns != 0 ? HD_SCENARIO_F_DELAY : 0u) |
           (l->jitter_ns != 0 ? HD_SCENARIO_F_JITTER : 0u) |
           (l->loss_ppm != 0 ? HD_SCENARIO_F_LOSS : 0u) |
           (l->duplicate_ppm != 0 ? HD_SCENARIO_F_DUPLICATE : 0u) |
           (l->reorder_ppm != 0 ? HD_SCENARIO_F_REORDER : 0u) |
           (l->corrupt_ppm != 0 ? HD_SCENARIO_F_CORRUPT : 0u) |
           (l->rate_bps != 0 ? HD_SCENARIO_F_RATE : 0u) | (l->mtu != 1500 ? HD_SCENARIO_F_MTU : 0u);
}

static void put_link(struct hd_json *j, const struct hd_scenario *s,
                     const struct hd_scenario_link *l)
{
    hd_json_object(j);
    hd_json_kv_string(j, "a", s->nodes[l->a].name);
    hd_json_kv_string(j, "b", s->nodes[l->b].name);
    put_values(j, l, special(l));
    hd_json_end(j);
}

static void put_event(struct hd_json *j, const struct hd_scenario *s,
                      const struct hd_scenario_event *e)
{
    hd_json_object(j);
    put_ms(j, "at_ms", e->at_ns);
    hd_json_kv_string(j, "action", hd_scenario_action_name(e->action));
    hd_json_key(j, "target");
    if (e->link != HD_SCENARIO_NONE) {
        hd_json_array(j);
        hd_json_string(j, s->nodes[s->links[e->link].a].name);
        hd_json_string(j, s->nodes[s->links[e->link].b].name);
        hd_json_end(j);
    } else {
        hd_json_string(j, s->nodes[e->node].name);
    }
    if (e->resumed)
        hd_json_kv_bool(j, "resumed", true);
    if (e->action == HD_SCENARIO_CHANGE)
        put_values(j, &e->change, e->fields);
    hd_json_end(j);
}

static void put_probe(struct hd_json *j, const struct hd_scenario *s,
                      const struct hd_scenario_probe *p)
{
    hd_json_object(j);
    hd_json_kv_string(j, "from", s->nodes[p->from].name);
    hd_json_kv_string(j, "to", s->nodes[p->to].name);
    put_us(j, "interval_us", p->interval_ns);
    hd_json_kv_uint(j, "size", p->size);
    put_ms(j, "start_ms", p->start_ns);
    if (p->stop_ns != HD_NEVER)
        put_ms(j, "stop_ms", p->stop_ns);
    hd_json_end(j);
}

static void put_expect(struct hd_json *j, const struct hd_scenario *s,
                       const struct hd_scenario_expect *x)
{
    static const char *const names[] = {"", "all_pairs", "pair", "gap", "no_loop", "lost"};
    hd_json_object(j);
    hd_json_kv_string(j, "expect", names[x->kind]);
    if (x->kind != HD_SCENARIO_NO_LOOP && x->kind != HD_SCENARIO_LOST)
        put_ms(j, "by_ms", x->at_ns);
    if (x->kind == HD_SCENARIO_PAIR) {
        hd_json_kv_string(j, "from", s->nodes[x->from].name);
        hd_json_kv_string(j, "to", s->nodes[x->to].name);
        hd_json_kv_bool(j, "reachable", x->reachable);
    }
    if (x->kind == HD_SCENARIO_GAP)
        put_ms(j, "max_ms", x->limit_ns);
    if (x->kind == HD_SCENARIO_LOST)
        hd_json_kv_uint(j, "max", x->limit_count);
    if ((x->kind == HD_SCENARIO_GAP || x->kind == HD_SCENARIO_LOST) && x->probe != HD_SCENARIO_NONE)
        hd_json_kv_uint(j, "probe", x->probe);
    hd_json_end(j);
}

#define PUT_ARRAY(j, key, count, put)                                                              \
    do {                                                                                           \
        if ((count) == 0)                                                                          \
            break;                                                                                 \
        hd_json_key((j), (key));                                                                   \
        hd_json_array(j);                                                                          \
        for (uint32_t i = 0; i < (count); i++)                                                     \
            put;                                                                                   \
        hd_json_end(j);                                                                            \
    } while (0)

static char *scenario_text(const struct hd_scenario *s)
{
    struct hd_json j;
    hd_json_init(&j);
    hd_json_object(&j);
    if (s->name != NULL)
        hd_json_kv_string(&j, "name", s->name);
    hd_json_kv_uint(&j, "seed", s->seed);
    if (s->until_ns != HD_NEVER)
        put_ms(&j, "until_ms", s->until_ns);
    PUT_ARRAY(&j, "nodes", s->node_count, put_node(&j, &s->nodes[i]));
    PUT_ARRAY(&j, "links", s->link_count, put_link(&j, s, &s->links[i]));
    PUT_ARRAY(&j, "schedule", s->event_count, put_event(&j, s, &s->events[i]));
    PUT_ARRAY(&j, "probes", s->probe_count, put_probe(&j, s, &s->probes[i]));
    PUT_ARRAY(&j, "expect", s->expect_count, put_expect(&j, s, &s->expects[i]));
    hd_json_end(&j);
    return hd_json_take(&j);
}

/* One item per line: a file of thousands of nodes is still read with an editor. */
static void write_lines(const char *text, FILE *out)
{
    unsigned depth = 0;
    bool quoted = false;
    for (; *text != 0; text++) {
        bool open = *text == '{' || *text == '[', close = *text == '}' || *text == ']';
        if (*text == '"')
            quoted = !quoted; /* names have no escapes: hd_scn_name_ok; others end balanced */
        if (*text == '\\' && quoted) {
            fputc(*text++, out);
            fputc(*text, out);
            continue;
        }
        if (!quoted && close)
            depth--;
        if (!quoted && close && depth == 0)
            fputc('\n', out);
        fputc(*text, out);
        if (!quoted && open)
            depth++;
        if (!quoted && ((open && depth <= 2) || (*text == ',' && depth <= 2)))
            fputs(depth == 1 ? "\n  " : "\n    ", out);
    }
    fputc('\n', out);
}

int hd_scenario_write(const struct hd_scenario *s, const char *path, char *err, size_t errlen)
{
    const struct hd_scn_err e = {err, errlen};
    char *text = scenario_text(s);
    if (text == NULL)
        return hd_scn_fail(&e, HD_ENOMEM, "%s: no memory to write it", path);
    FILE *out = fopen(path, "we");
    bool ok = out != NULL;
    if (ok)
        write_lines(text, out);
    free(text);
    ok = ok && !ferror(out);
    if (out != NULL && fclose(out) != 0)
        ok = false;
    return ok ? 0 : hd_scn_fail(&e, HD_ESYS, "%s: %s", path, strerror(errno));
}

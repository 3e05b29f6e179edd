/* SPDX-License-Identifier: Apache-2.0 */
/* Census, pairs and series (measure.h). */
#include "sim/measure.h"

#include <stdlib.h>
#include <string.h>

#include "core/kira/kira.h"
#include "lib/base.h"
#include "sim/queue.h"

/* --- census --------------------------------------------------------------------------------------
 */

static void census_room(struct hd_sim_census *c, uint32_t n)
{
    if (c->cap >= n)
        return;
    hd_sim_census_free(c);
    c->cap = n;
    uint32_t **small[] = {&c->node, &c->degree, &c->contacts, &c->labels, &c->set_up, &c->routes};
    uint64_t **large[] = {&c->memory, &c->used, &c->sent, &c->received};
    for (unsigned i = 0; i < HD_ARRAY_LEN(small); i++)
        *small[i] = hd_sim_alloc(n, sizeof **small[i]);
    for (unsigned i = 0; i < HD_ARRAY_LEN(large); i++)
        *large[i] = hd_sim_alloc(n, sizeof **large[i]);
}

void hd_sim_census_free(struct hd_sim_census *c)
{
    free(c->node);
    free(c->degree);
    free(c->contacts);
    free(c->labels);
    free(c->set_up);
    free(c->routes);
    free(c->memory);
    free(c->used);
    free(c->sent);
    free(c->received);
    *c = (struct hd_sim_census){0};
}

static struct hd_kira_row_status status_of(struct hd_sim *s, uint32_t node)
{
    struct hd_kira_row_status row;
    struct hd_row_cursor cursor = {0};
    uint32_t n = hd_router_rows(hd_sim_router(s, node), HD_CORE_KIRA, HD_KIRA_LIST_STATUS, &cursor,
                                &row, 1, hd_sim_local_time(s, node));
    return n == 1 ? row : (struct hd_kira_row_status){0};
}

/* Of all processes, which have their nodes one behind the other. */
static void gather_census(const struct hd_sim *s, struct hd_sim_census *c)
{
    uint32_t *small[] = {c->node, c->degree, c->contacts, c->labels, c->set_up, c->routes};
    uint64_t *large[] = {c->memory, c->used, c->sent, c->received};
    uint32_t own = c->living;
    for (unsigned i = 0; i < HD_ARRAY_LEN(small); i++) {
        c->living = own;
        hd_sim_gather(s, small[i], sizeof *small[i], &c->living);
    }
    for (unsigned i = 0; i < HD_ARRAY_LEN(large); i++) {
        c->living = own;
        hd_sim_gather(s, large[i], sizeof *large[i], &c->living);
    }
}

void hd_sim_census_take(struct hd_sim *s, const struct hd_scenario *sc, struct hd_sim_census *c)
{
    uint32_t n = hd_sim_node_count(s);
    uint32_t *degree = hd_sim_alloc(n, sizeof *degree);
    census_room(c, n);
    c->living = 0;
    for (uint32_t i = 0; i < sc->link_count; i++) {
        degree[sc->links[i].a]++;
        degree[sc->links[i].b]++;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct hd_sim_node_stats st;
        hd_sim_node_stats(s, i, &st);
        if (!st.alive)
            continue;
        struct hd_kira_row_status row = status_of(s, i);
        uint32_t at = c->living++;
        c->node[at] = i;
        c->degree[at] = degree[i];
        c->contacts[at] = row.contacts;
        c->labels[at] = st.labels;
        c->set_up[at] = row.labels_explicit;
        c->routes[at] = st.routes;
        c->memory[at] = st.pool_live;
        c->used[at] = st.pool_used;
        c->sent[at] = st.sent;
        c->received[at] = st.received;
    }
    free(degree);
    gather_census(s, c);
}

static int by_size64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int by_size32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void hd_sim_spread64(const uint64_t *v, uint32_t len, struct hd_sim_spread *out)
{
    *out = (struct hd_sim_spread){0};
    if (len == 0)
        return;
    uint64_t *sorted = hd_sim_alloc(len, sizeof *sorted), sum = 0;
    memcpy(sorted, v, len * sizeof *sorted);
    qsort(sorted, len, sizeof *sorted, by_size64);
    for (uint32_t i = 0; i < len; i++)
        sum += v[i];
    *out = (struct hd_sim_spread){sum / len, sorted[(len - 1) / 2],
                                  sorted[(uint64_t)(len - 1) * 99 / 100], sorted[len - 1]};
    free(sorted);
}

void hd_sim_spread32(const uint32_t *v, uint32_t len, struct hd_sim_spread *out)
{
    uint64_t *wide = hd_sim_alloc(HD_MAX(len, 1u), sizeof *wide);
    for (uint32_t i = 0; i < len; i++)
        wide[i] = v[i];
    hd_sim_spread64(wide, len, out);
    free(wide);
}

/* --- pairs ---------------------------------------------------------------------------------------
 */

static void stretch_add(struct hd_sim_stretch *l, uint32_t hops, uint32_t shortest)
{
    if (shortest == 0)
        return;
    if (l->len == l->cap) {
        l->cap = l->cap == 0 ? 1024 : l->cap * 2;
        l->values = hd_sim_grow(l->values, l->cap, sizeof *l->values);
    }
    l->values[l->len++] = (uint32_t)((uint64_t)hops * 1000 / shortest);
    l->exact += hops == shortest ? 1 : 0;
}

static void stretch_finish(struct hd_sim_stretch *l)
{
    uint64_t sum = 0;
    if (l->len == 0)
        return;
    qsort(l->values, l->len, sizeof *l->values, by_size32);
    for (size_t i = 0; i < l->len; i++)
        sum += l->values[i];
    l->mean = (uint32_t)(sum / l->len);
    l->p50 = l->values[(l->len - 1) * 50 / 100];
    l->p95 = l->values[(l->len - 1) * 95 / 100];
    l->p99 = l->values[(l->len - 1) * 99 / 100];
    l->max = l->values[l->len - 1];
}

static void measure_pair(void *user, struct hd_sim *s, const struct hd_sim_pair *pair)
{
    struct hd_sim_pairs *p = user;
    p->pairs++;
    if (pair->shortest == HD_SIM_NONE)
        return;
    p->connected++;
    if (pair->fate != HD_SIM_ARRIVED)
        return;
    p->arrived++;
    stretch_add(&p->all, pair->hops, pair->shortest);
    stretch_add(pair->known ? &p->contacts : &p->first, pair->hops, pair->shortest);
}

void hd_sim_pairs_measure(struct hd_sim *s, uint64_t sample, uint64_t seed, struct hd_sim_pairs *p)
{
    *p = (struct hd_sim_pairs){0};
    hd_sim_each_pair(s, sample, seed, measure_pair, p);
    stretch_finish(&p->all);
    stretch_finish(&p->contacts);
    stretch_finish(&p->first);
}

struct asked_list {
    struct hd_sim_pair *v;
    size_t len, cap;
};

static void ask_pair(void *user, struct hd_sim *s, const struct hd_sim_pair *pair)
{
    struct asked_list *l = user;
    if (pair->shortest == HD_SIM_NONE || pair->known)
        return;
    if (l->len == l->cap) {
        l->cap = l->cap == 0 ? 256 : l->cap * 2;
        l->v = hd_sim_grow(l->v, l->cap, sizeof *l->v);
    }
    l->v[l->len++] = *pair;
    hd_sim_send_packet(s, pair->from, pair->to, 100, UINT32_MAX);
}

void hd_sim_pairs_discover(struct hd_sim *s, uint64_t sample, uint64_t seed, hd_time wait_ns,
                           struct hd_sim_pairs *p)
{
    struct asked_list asked = {0};
    hd_sim_each_pair(s, sample, seed, ask_pair, &asked);
    (void)hd_sim_run_checked(s, hd_sim_now(s) + wait_ns);
    hd_sim_walk_pairs(s, asked.v, asked.len);
    for (size_t i = 0; i < asked.len; i++) {
        uint32_t shortest = hd_sim_distance(s, asked.v[i].from, asked.v[i].to);
        if (shortest != HD_SIM_NONE && asked.v[i].fate == HD_SIM_ARRIVED)
            stretch_add(&p->found, asked.v[i].hops, shortest);
    }
    stretch_finish(&p->found);
    free(asked.v);
}

void hd_sim_pairs_free(struct hd_sim_pairs *p)
{
    free(p->all.values);
    free(p->contacts.values);
    free(p->first.values);
    free(p->found.values);
    *p = (struct hd_sim_pairs){0};
}

/* --- series --------------------------------------------------------------------------------------
 */

void hd_sim_series_add(struct hd_sim *s, const struct hd_scenario *sc,
                       const struct hd_sim_reach *last, uint64_t wall_us,
                       struct hd_sim_series *series)
{
    const struct hd_sim_stats *st = hd_sim_stats(s);
    struct hd_sim_census *c = &series->census;
    if (series->len == series->cap) {
        series->cap = series->cap == 0 ? 256 : series->cap * 2;
        series->v = hd_sim_grow(series->v, series->cap, sizeof *series->v);
    }
    struct hd_sim_point *p = &series->v[series->len++];
    *p = (struct hd_sim_point){.at = hd_sim_now(s),
                               .connected = last->connected,
                               .arrived = last->arrived,
                               .stretch_mean = last->stretch_mean,
                               .stretch_p95 = last->stretch_p95,
                               .stretch_p99 = last->stretch_p99,
                               .events = st->events,
                               .wall_us = wall_us,
                               .messages = st->datagrams_sent,
                               .bytes = st->datagram_bytes};
    memcpy(p->by_type, st->by_type_count, sizeof p->by_type);
    hd_sim_census_take(s, sc, c);
    hd_sim_spread64(c->memory, c->living, &p->memory);
    hd_sim_spread32(c->labels, c->living, &p->labels);
    hd_sim_spread32(c->contacts, c->living, &p->contacts);
    hd_sim_spread32(c->routes, c->living, &p->routes);
}

void hd_sim_series_free(struct hd_sim_series *series)
{
    hd_sim_census_free(&series->census);
    free(series->v);
    *series = (struct hd_sim_series){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Report of a run, as text for people and as JSON. Figures are integers or exact decimals; what is
 * per node is an arithmetic mean over living nodes, with the maximum beside it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/kira/kira.h"
#include "core/kira/wire.h"
#include "lib/base.h"
#include "lib/json.h"
#include "sim/run.h"

struct per_node {
    uint64_t living, labels, labels_max, routes, routes_max, contacts, contacts_max;
    uint64_t live, live_max, used_max, sent_max;
};

static uint32_t contacts_of(struct hd_sim *s, uint32_t node)
{
    struct hd_kira_row_status row;
    struct hd_row_cursor cursor = {0};
    uint32_t n = hd_router_rows(hd_sim_router(s, node), HD_CORE_KIRA, HD_KIRA_LIST_STATUS, &cursor,
                                &row, 1, hd_sim_local_time(s, node));
    return n == 1 ? row.contacts : 0;
}

static void collect(struct hd_sim *s, struct per_node *p)
{
    *p = (struct per_node){0};
    for (uint32_t i = 0; i < hd_sim_node_count(s); i++) {
        struct hd_sim_node_stats n;
        hd_sim_node_stats(s, i, &n);
        p->sent_max = HD_MAX(p->sent_max, n.sent);
        if (!n.alive)
            continue;
        uint32_t contacts = contacts_of(s, i);
        p->living++;
        p->labels += n.labels;
        p->labels_max = HD_MAX(p->labels_max, n.labels);
        p->routes += n.routes;
        p->routes_max = HD_MAX(p->routes_max, n.routes);
        p->contacts += contacts;
        p->contacts_max = HD_MAX(p->contacts_max, contacts);
        p->live += n.pool_live;
        p->live_max = HD_MAX(p->live_max, n.pool_live);
        p->used_max = HD_MAX(p->used_max, n.pool_used);
    }
    p->living = HD_MAX(p->living, (uint64_t)1);
}

static const char *type_name(unsigned type)
{
    return type == HD_KIRA_ECHO_MAGIC ? "echo" : hd_kira_type_name((uint8_t)type);
}

static long long ms_or_minus(hd_time t)
{
    return t == HD_NEVER ? -1 : (long long)hd_time_to_ms(t);
}

/* --- text ----------------------------------------------------------------------------------------
 */

static void print_thousandths(const char *name, uint32_t v)
{
    printf("  %s %u.%03u", name, v / 1000, v % 1000);
}

static void text_reach(const struct hd_sim_run *r)
{
    printf("reachability:");
    for (unsigned i = 0; i < r->mark_count; i++) {
        const struct hd_sim_mark *m = &r->marks[i];
        uint64_t share = m->connected == 0 ? 0 : m->arrived * 10000 / m->connected;
        printf("  %lld ms %llu.%02llu %%", (long long)hd_time_to_ms(m->at),
               (unsigned long long)share / 100, (unsigned long long)share % 100);
    }
    printf("\nall connected pairs first worked at: %lld ms\n", ms_or_minus(r->converged_at));
    printf("at the end: %llu of %llu connected pairs work", (unsigned long long)r->last.arrived,
           (unsigned long long)r->last.connected);
    for (unsigned f = 1; f < HD_SIM_FATES; f++) {
        if (r->last.fates[f] > 0)
            printf(", %llu %s", (unsigned long long)r->last.fates[f],
                   hd_sim_fate_name((enum hd_sim_fate)f));
    }
    printf("\nstretch:");
    print_thousandths("mean", r->last.stretch_mean);
    print_thousandths("p50", r->last.stretch_p50);
    print_thousandths("p95", r->last.stretch_p95);
    print_thousandths("p99", r->last.stretch_p99);
    print_thousandths("max", r->last.stretch_max);
    printf("\n");
}

static void text_outages(const struct hd_sim_run *r)
{
    for (unsigned i = 0; i < r->outage_count; i++) {
        const struct hd_sim_outage *o = &r->outages[i];
        printf("fault at %lld ms: at most %llu pairs did not work, ",
               (long long)hd_time_to_ms(o->fault), (unsigned long long)o->worst_missing);
        if (o->repaired == HD_NEVER)
            printf("not repaired before the next\n");
        else
            printf("all worked after %lld ms\n", (long long)hd_time_to_ms(o->repaired - o->fault));
    }
}

static void text_flows(const struct hd_sim *s, const struct hd_scenario *sc)
{
    for (uint32_t i = 0; i < sc->probe_count; i++) {
        const struct hd_sim_flow *f = hd_sim_flow(s, i);
        printf("probe %s -> %s: sent %llu, arrived %llu, longest gap %lld us, worst delay %lld us",
               sc->nodes[f->from].name, sc->nodes[f->to].name, (unsigned long long)f->sent,
               (unsigned long long)f->arrived, (long long)(f->longest_gap_ns / 1000),
               (long long)(f->worst_delay_ns / 1000));
        for (unsigned k = 1; k < HD_SIM_FATES; k++) {
            if (f->fates[k] > 0)
                printf(", %llu %s", (unsigned long long)f->fates[k],
                       hd_sim_fate_name((enum hd_sim_fate)k));
        }
        printf("\n");
    }
}

static void text_messages(const struct hd_sim *s, const struct hd_sim_run *r)
{
    const struct hd_sim_stats *st = hd_sim_stats(s);
    uint64_t n = hd_sim_node_count(s);
    printf("messages: %llu, %llu bytes; per node %llu and %llu",
           (unsigned long long)st->datagrams_sent, (unsigned long long)st->datagram_bytes,
           (unsigned long long)(st->datagrams_sent / n),
           (unsigned long long)(st->datagram_bytes / n));
    if (r->converged_at != HD_NEVER)
        printf("; until all pairs worked, per node %llu and %llu",
               (unsigned long long)(r->messages_at_convergence / n),
               (unsigned long long)(r->bytes_at_convergence / n));
    printf("\n");
    for (unsigned t = 0; t < 256; t++) {
        if (st->by_type_count[t] > 0)
            printf("  %-16s %10llu  %12llu bytes  per node %llu\n", type_name(t),
                   (unsigned long long)st->by_type_count[t],
                   (unsigned long long)st->by_type_bytes[t],
                   (unsigned long long)(st->by_type_count[t] / n));
    }
    printf("not delivered: %llu loss, %llu silent or cut, %llu queue, %llu dead node, %llu port, "
           "%llu address; fragmented %llu\n",
           (unsigned long long)st->lost_link, (unsigned long long)st->lost_silent,
           (unsigned long long)st->lost_queue, (unsigned long long)st->lost_dead,
           (unsigned long long)st->lost_port, (unsigned long long)st->lost_address,
           (unsigned long long)st->fragmented);
}

void hd_sim_report_text(struct hd_sim *s, const struct hd_scenario *sc, const struct hd_sim_run *r)
{
    const struct hd_sim_stats *st = hd_sim_stats(s);
    struct per_node p;
    collect(s, &p);
    printf("%s: %u nodes, %u links, until %lld ms\n", sc->origin, sc->node_count, sc->link_count,
           (long long)hd_time_to_ms(hd_sim_now(s)));
    text_reach(r);
    text_outages(r);
    text_flows(s, sc);
    printf("per node, mean and max: contacts %llu %llu, labels %llu %llu, routes %llu %llu, "
           "memory %llu %llu bytes (most ever %llu)\n",
           (unsigned long long)(p.contacts / p.living), (unsigned long long)p.contacts_max,
           (unsigned long long)(p.labels / p.living), (unsigned long long)p.labels_max,
           (unsigned long long)(p.routes / p.living), (unsigned long long)p.routes_max,
           (unsigned long long)(p.live / p.living), (unsigned long long)p.live_max,
           (unsigned long long)p.used_max);
    text_messages(s, r);
    printf("last change of a route: %lld ms; packets %llu, reports %llu, overlay stages that led "
           "away %llu\n",
           (long long)hd_time_to_ms(st->last_route_change), (unsigned long long)st->packets_sent,
           (unsigned long long)st->reports, (unsigned long long)r->last.away);
    printf("engine: %llu events in %llu ms, %llu inputs, %llu deadlines, digest %016llx\n",
           (unsigned long long)st->events, (unsigned long long)(r->wall_us / 1000),
           (unsigned long long)st->inputs, (unsigned long long)st->deadlines,
           (unsigned long long)hd_sim_digest(s));
}

/* --- JSON ----------------------------------------------------------------------------------------
 */

static void json_time(struct hd_json *j, const char *key, hd_time t)
{
    hd_json_key(j, key);
    if (t == HD_NEVER)
        hd_json_null(j);
    else
        hd_json_decimal(j, t / 1000, 3);
}

static void json_decimal(struct hd_json *j, const char *key, uint32_t thousandths)
{
    hd_json_key(j, key);
    hd_json_decimal(j, thousandths, 3);
}

static void json_reach(struct hd_json *j, const struct hd_sim_run *r)
{
    hd_json_key(j, "reachability");
    hd_json_array(j);
    for (unsigned i = 0; i < r->mark_count; i++) {
        hd_json_object(j);
        json_time(j, "at_ms", r->marks[i].at);
        hd_json_kv_uint(j, "connected", r->marks[i].connected);
        hd_json_kv_uint(j, "arrived", r->marks[i].arrived);
        hd_json_end(j);
    }
    hd_json_end(j);
    json_time(j, "all_pairs_at_ms", r->converged_at);
    hd_json_kv_uint(j, "connected", r->last.connected);
    hd_json_kv_uint(j, "arrived", r->last.arrived);
    hd_json_key(j, "stretch");
    hd_json_object(j);
    json_decimal(j, "mean", r->last.stretch_mean);
    json_decimal(j, "p50", r->last.stretch_p50);
    json_decimal(j, "p95", r->last.stretch_p95);
    json_decimal(j, "p99", r->last.stretch_p99);
    json_decimal(j, "max", r->last.stretch_max);
    hd_json_end(j);
    hd_json_key(j, "faults");
    hd_json_array(j);
    for (unsigned i = 0; i < r->outage_count; i++) {
        const struct hd_sim_outage *o = &r->outages[i];
        hd_json_object(j);
        json_time(j, "at_ms", o->fault);
        json_time(j, "repaired_after_ms",
                  o->repaired == HD_NEVER ? HD_NEVER : o->repaired - o->fault);
        hd_json_kv_uint(j, "worst_missing_pairs", o->worst_missing);
        hd_json_end(j);
    }
    hd_json_end(j);
}

static void json_flows(struct hd_json *j, const struct hd_sim *s, const struct hd_scenario *sc)
{
    hd_json_key(j, "probes");
    hd_json_array(j);
    for (uint32_t i = 0; i < sc->probe_count; i++) {
        const struct hd_sim_flow *f = hd_sim_flow(s, i);
        hd_json_object(j);
        hd_json_kv_string(j, "from", sc->nodes[f->from].name);
        hd_json_kv_string(j, "to", sc->nodes[f->to].name);
        hd_json_kv_uint(j, "sent", f->sent);
        hd_json_kv_uint(j, "arrived", f->arrived);
        hd_json_kv_uint(j, "duplicates", f->duplicates);
        hd_json_kv_uint(j, "reordered", f->reordered);
        json_time(j, "longest_gap_ms", f->longest_gap_ns);
        json_time(j, "worst_delay_ms", f->worst_delay_ns);
        hd_json_end(j);
    }
    hd_json_end(j);
}

static void json_nodes(struct hd_json *j, const struct per_node *p)
{
    hd_json_key(j, "per_node");
    hd_json_object(j);
    hd_json_kv_uint(j, "living", p->living);
    hd_json_kv_uint(j, "contacts_mean", p->contacts / p->living);
    hd_json_kv_uint(j, "contacts_max", p->contacts_max);
    hd_json_kv_uint(j, "labels_mean", p->labels / p->living);
    hd_json_kv_uint(j, "labels_max", p->labels_max);
    hd_json_kv_uint(j, "routes_mean", p->routes / p->living);
    hd_json_kv_uint(j, "routes_max", p->routes_max);
    hd_json_kv_uint(j, "memory_mean_bytes", p->live / p->living);
    hd_json_kv_uint(j, "memory_max_bytes", p->live_max);
    hd_json_kv_uint(j, "memory_used_max_bytes", p->used_max);
    hd_json_end(j);
}

static void json_messages(struct hd_json *j, const struct hd_sim *s, const struct hd_sim_run *r)
{
    const struct hd_sim_stats *st = hd_sim_stats(s);
    hd_json_kv_uint(j, "messages", st->datagrams_sent);
    hd_json_kv_uint(j, "message_bytes", st->datagram_bytes);
    hd_json_kv_uint(j, "messages_until_all_pairs", r->messages_at_convergence);
    hd_json_kv_uint(j, "message_bytes_until_all_pairs", r->bytes_at_convergence);
    hd_json_key(j, "by_type");
    hd_json_array(j);
    for (unsigned t = 0; t < 256; t++) {
        if (st->by_type_count[t] == 0)
            continue;
        hd_json_object(j);
        hd_json_kv_string(j, "type", type_name(t));
        hd_json_kv_uint(j, "number", t);
        hd_json_kv_uint(j, "messages", st->by_type_count[t]);
        hd_json_kv_uint(j, "bytes", st->by_type_bytes[t]);
        hd_json_end(j);
    }
    hd_json_end(j);
}

int hd_sim_report_json(struct hd_sim *s, const struct hd_scenario *sc, const struct hd_sim_run *r)
{
    const struct hd_sim_stats *st = hd_sim_stats(s);
    struct hd_json j;
    struct per_node p;
    char digest[17];
    collect(s, &p);
    hd_json_init(&j);
    hd_json_object(&j);
    hd_json_kv_string(&j, "scenario", sc->origin);
    hd_json_kv_uint(&j, "nodes", sc->node_count);
    hd_json_kv_uint(&j, "links", sc->link_count);
    json_time(&j, "until_ms", hd_sim_now(s));
    hd_json_kv_bool(&j, "ok", r->why[0] == 0);
    if (r->why[0] != 0)
        hd_json_kv_string(&j, "failure", r->why);
    json_reach(&j, r);
    json_flows(&j, s, sc);
    json_nodes(&j, &p);
    json_messages(&j, s, r);
    json_time(&j, "last_route_change_ms", st->last_route_change);
    hd_json_kv_uint(&j, "events", st->events);
    hd_json_kv_uint(&j, "wall_ms", r->wall_us / 1000);
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)hd_sim_digest(s));
    hd_json_kv_string(&j, "digest", digest);
    hd_json_end(&j);
    char *text = hd_json_take(&j);
    if (text == NULL)
        return HD_ENOMEM;
    puts(text);
    free(text);
    return 0;
}

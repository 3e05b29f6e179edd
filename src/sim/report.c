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

const char *hd_sim_type_name(unsigned type)
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
    const struct hd_sim_stats *st = &r->stats;
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
            printf("  %-16s %10llu  %12llu bytes  per node %llu\n", hd_sim_type_name(t),
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

static void text_spread(const char *name, const struct hd_sim_spread *x, const char *unit)
{
    printf("  %-9s mean %llu, p99 %llu, max %llu%s\n", name, (unsigned long long)x->mean,
           (unsigned long long)x->p99, (unsigned long long)x->max, unit);
}

static void text_nodes(const struct hd_sim_census *c)
{
    struct hd_sim_spread x;
    printf("per living node (%u):\n", c->living);
    hd_sim_spread32(c->contacts, c->living, &x);
    text_spread("contacts", &x, "");
    hd_sim_spread32(c->labels, c->living, &x);
    text_spread("labels", &x, "");
    hd_sim_spread32(c->routes, c->living, &x);
    text_spread("routes", &x, "");
    hd_sim_spread64(c->memory, c->living, &x);
    text_spread("memory", &x, " bytes");
}

static void text_pairs(const char *name, const struct hd_sim_stretch *l)
{
    if (l->len == 0)
        return;
    printf("  %-34s %8zu pairs ", name, l->len);
    print_thousandths("mean", l->mean);
    print_thousandths("p95", l->p95);
    print_thousandths("p99", l->p99);
    print_thousandths("max", l->max);
    printf("  shortest %llu.%llu %%\n", (unsigned long long)(l->exact * 1000 / l->len / 10),
           (unsigned long long)(l->exact * 1000 / l->len % 10));
}

static void text_end(const struct hd_sim_pairs *p)
{
    printf("stretch at the end, of %llu pairs looked at:\n", (unsigned long long)p->pairs);
    text_pairs("all", &p->all);
    text_pairs("to nodes that the source knows", &p->contacts);
    text_pairs("first packet, by prefixes", &p->first);
    text_pairs("the same pairs after they were used", &p->found);
}

void hd_sim_report_text(struct hd_sim *s, const struct hd_scenario *sc, const struct hd_sim_run *r)
{
    const struct hd_sim_stats *st = &r->stats;
    printf("%s: %u nodes, %u links, until %lld ms\n", sc->origin, sc->node_count, sc->link_count,
           (long long)hd_time_to_ms(r->ended_at));
    text_reach(r);
    text_outages(r);
    text_flows(s, sc);
    text_end(&r->end);
    text_nodes(&r->census);
    text_messages(s, r);
    printf("last change of a route: %lld ms; packets %llu, reports %llu, overlay stages that led "
           "away %llu\n",
           (long long)hd_time_to_ms(st->last_route_change), (unsigned long long)st->packets_sent,
           (unsigned long long)st->reports, (unsigned long long)r->last.away);
    printf("engine: %llu events in %llu ms, %llu inputs, %llu deadlines, digest %016llx\n",
           (unsigned long long)st->events, (unsigned long long)(r->wall_us / 1000),
           (unsigned long long)st->inputs, (unsigned long long)st->deadlines,
           (unsigned long long)r->digest);
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

static void json_reach(struct hd_json *j, const struct hd_sim_run *r)
{
    hd_json_key(j, "reachability");
    hd_json_array(j);
    for (unsigned i = 0; i < r->mark_count; i++) {
        hd_json_object(j);
        json_time(j, "at_ms", r->marks[i].at);
        hd_json_kv_uint(j, "connected", r->marks[i].connected);
        hd_json_kv_uint(j, "arrived", r->marks[i].arrived);
        hd_json_kv_uint(j, "messages", r->marks[i].messages);
        hd_json_kv_uint(j, "message_bytes", r->marks[i].bytes);
        hd_json_end(j);
    }
    hd_json_end(j);
    json_time(j, "all_pairs_at_ms", r->converged_at);
    hd_json_kv_uint(j, "connected", r->last.connected);
    hd_json_kv_uint(j, "arrived", r->last.arrived);
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

static void json_spread(struct hd_json *j, const char *key, const struct hd_sim_spread *x)
{
    hd_json_key(j, key);
    hd_json_object(j);
    hd_json_kv_uint(j, "mean", x->mean);
    hd_json_kv_uint(j, "p50", x->p50);
    hd_json_kv_uint(j, "p99", x->p99);
    hd_json_kv_uint(j, "max", x->max);
    hd_json_end(j);
}

static void json_nodes(struct hd_json *j, const struct hd_sim_census *c)
{
    const struct {
        const char *name;
        const uint32_t *small;
        const uint64_t *large;
    } figures[] = {
        {"contacts", c->contacts, NULL},      {"labels", c->labels, NULL},
        {"routes", c->routes, NULL},          {"memory_bytes", NULL, c->memory},
        {"memory_most_bytes", NULL, c->used}, {"messages_sent", NULL, c->sent},
    };
    struct hd_sim_spread x;
    hd_json_key(j, "per_node");
    hd_json_object(j);
    hd_json_kv_uint(j, "living", c->living);
    for (unsigned i = 0; i < HD_ARRAY_LEN(figures); i++) {
        if (figures[i].small != NULL)
            hd_sim_spread32(figures[i].small, c->living, &x);
        else
            hd_sim_spread64(figures[i].large, c->living, &x);
        json_spread(j, figures[i].name, &x);
    }
    hd_json_end(j);
}

static void json_decimal(struct hd_json *j, const char *key, uint32_t thousandths)
{
    hd_json_key(j, key);
    hd_json_decimal(j, thousandths, 3);
}

static void json_stretch(struct hd_json *j, const char *key, const struct hd_sim_stretch *l)
{
    hd_json_key(j, key);
    hd_json_object(j);
    hd_json_kv_uint(j, "pairs", l->len);
    hd_json_kv_uint(j, "shortest", l->exact);
    if (l->len > 0) { /* of no pair there is no figure */
        json_decimal(j, "mean", l->mean);
        json_decimal(j, "p50", l->p50);
        json_decimal(j, "p95", l->p95);
        json_decimal(j, "p99", l->p99);
        json_decimal(j, "max", l->max);
    }
    hd_json_end(j);
}

static void json_end_pairs(struct hd_json *j, const struct hd_sim_pairs *p)
{
    hd_json_key(j, "stretch");
    hd_json_object(j);
    json_stretch(j, "all", &p->all);
    json_stretch(j, "contacts", &p->contacts);
    json_stretch(j, "first_packet", &p->first);
    json_stretch(j, "after_use", &p->found);
    hd_json_end(j);
}

static void json_messages(struct hd_json *j, const struct hd_sim_run *r)
{
    const struct hd_sim_stats *st = &r->stats;
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
        hd_json_kv_string(j, "type", hd_sim_type_name(t));
        hd_json_kv_uint(j, "number", t);
        hd_json_kv_uint(j, "messages", st->by_type_count[t]);
        hd_json_kv_uint(j, "bytes", st->by_type_bytes[t]);
        hd_json_end(j);
    }
    hd_json_end(j);
}

char *hd_sim_report_json(struct hd_sim *s, const struct hd_scenario *sc, const struct hd_sim_run *r)
{
    const struct hd_sim_stats *st = &r->stats;
    struct hd_json j;
    char digest[17];
    hd_json_init(&j);
    hd_json_object(&j);
    hd_json_kv_string(&j, "schema", "heddle-sim-summary/1");
    hd_json_kv_string(&j, "scenario", sc->origin);
    if (r->command != NULL)
        hd_json_kv_string(&j, "command", r->command);
    hd_json_kv_uint(&j, "seed", r->seed);
    hd_json_kv_uint(&j, "nodes", sc->node_count);
    hd_json_kv_uint(&j, "links", sc->link_count);
    json_time(&j, "until_ms", r->ended_at);
    hd_json_kv_bool(&j, "ok", r->why[0] == 0);
    if (r->why[0] != 0)
        hd_json_kv_string(&j, "failure", r->why);
    json_reach(&j, r);
    json_end_pairs(&j, &r->end);
    json_flows(&j, s, sc);
    json_nodes(&j, &r->census);
    json_messages(&j, r);
    json_time(&j, "last_route_change_ms", st->last_route_change);
    hd_json_kv_uint(&j, "events", st->events);
    hd_json_kv_uint(&j, "workers", r->workers);
    hd_json_kv_uint(&j, "wall_ms", r->wall_us / 1000);
    hd_json_kv_uint(&j, "cpu_ms", r->cpu_us / 1000);
    hd_json_kv_uint(&j, "process_peak_bytes", r->peak_kib * 1024);
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)r->digest);
    hd_json_kv_string(&j, "digest", digest);
    hd_json_end(&j);
    return hd_json_take(&j);
}

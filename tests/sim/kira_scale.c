/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KIRA's cost and quality in a large network, in figures: memory by category, messages that a node
 * originates in a steady network, stretch of first packets and of flows, recovery when a share of
 * all links breaks in one instant. It prints; bounds given as options make it a test.
 *
 *   kira-scale GENERATOR [--seed N] [--settle-s S] [--steady-s S] [--cut PERMILLE] [--lean]
 *       [--workers N] [--join] [--start-ms MS] [--seconds]
 *       [--max-mean-bytes N] [--max-rate MILLI] [--max-stretch MILLI] [--min-repaired PER-10000]
 *
 * --lean: 8 contacts in the shallow buckets, host routes only for what carries something. --join:
 * the first seconds only, nothing after. --start-ms: nodes start within so much time, in place of
 * 10 ms. --seconds: the cost of each second of the start by itself. Checkers are off, so "messages
 * handled per CPU second" is what the protocol and the engine cost.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/kira/kira.h"
#include "lib/base.h"
#include "sim/sim.h"

#define ROWS_MAX 256
#define FLOWS    400

struct arguments {
    const char *generator;
    uint64_t seed, settle_s, steady_s, cut, workers, start_ms;
    uint64_t max_bytes, max_rate, max_stretch, min_repaired;
    int lean, join, seconds;
};

static bool failed;

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct cost {
    double cpu, wall;
    uint64_t received, events;
};

static struct cost cost_now(const struct hd_sim *s)
{
    const struct hd_sim_stats *st = hd_sim_stats(s);
    return (struct cost){seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_MONOTONIC),
                         st->datagrams_received, st->events};
}

static void print_cost(const struct hd_sim *s, const struct cost *from)
{
    struct cost to = cost_now(s);
    double cpu = to.cpu - from->cpu;
    printf("until %.0f s: %.3f M messages handled, %.3f M events, %.2f CPU s, %.2f s by the clock; "
           "%.0f k messages handled per CPU second; digest %016" PRIx64 "\n",
           (double)hd_sim_now(s) / 1e9, (double)(to.received - from->received) / 1e6,
           (double)(to.events - from->events) / 1e6, cpu, to.wall - from->wall,
           (double)(to.received - from->received) / cpu / 1e3, hd_sim_digest(s));
}

static void *config(void *user, struct hd_sim *s, uint32_t node, uint8_t core, uint32_t *len)
{
    const struct arguments *a = user;
    struct hd_kira_config *c = hd_sim_kira_config(NULL, s, node, core, len);

    if (c != NULL && a->lean)
        c->shallow_bucket_size = 8, c->few_routes = true;
    return c;
}

/* --- memory --------------------------------------------------------------------------------------
 */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print_memory(struct hd_sim *s, const struct arguments *a)
{
    struct hd_kira_row_memory rows[ROWS_MAX];
    uint64_t sum[ROWS_MAX] = {0}, items[ROWS_MAX] = {0};
    uint32_t nodes = hd_sim_node_count(s), n = 0;
    uint64_t *all[ROWS_MAX] = {NULL};

    for (uint32_t i = 0; i < nodes; i++) {
        struct hd_row_cursor cursor = {0};
        n = hd_router_rows(hd_sim_router(s, i), HD_CORE_KIRA, HD_KIRA_LIST_MEMORY, &cursor, rows,
                           ROWS_MAX, hd_sim_local_time(s, i));
        for (uint32_t j = 0; j < n; j++) {
            if (all[j] == NULL)
                all[j] = calloc(nodes, sizeof *all[j]);
            sum[j] += rows[j].bytes;
            items[j] += rows[j].items;
            all[j][i] = rows[j].bytes;
        }
    }
    printf("%-16s %9s %9s %9s %9s %9s\n", "memory (bytes)", "items", "mean", "p50", "p99", "max");
    for (uint32_t j = 0; j < n; j++) {
        qsort(all[j], nodes, sizeof *all[j], by_value);
        printf("%-16s %9.1f %9.0f %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n", rows[j].name,
               (double)items[j] / nodes, (double)sum[j] / nodes, all[j][nodes / 2],
               all[j][nodes * 99 / 100], all[j][nodes - 1]);
        if (a->max_bytes > 0 && strcmp(rows[j].name, "allocated") == 0 &&
            sum[j] / nodes > a->max_bytes) {
            printf("FAILED: more than %" PRIu64 " bytes\n", a->max_bytes);
            failed = true;
        }
        free(all[j]);
    }
}

/* --- messages ------------------------------------------------------------------------------------
 */

struct counters {
    struct hd_kira_row_counter rows[ROWS_MAX];
    uint32_t len;
    hd_time at;
};

static void count(struct hd_sim *s, struct counters *c)
{
    struct hd_kira_row_counter rows[ROWS_MAX];

    c->len = 0;
    c->at = hd_sim_now(s);
    for (uint32_t i = 0; i < hd_sim_node_count(s); i++) {
        struct hd_row_cursor cursor = {0};
        uint32_t n = hd_router_rows(hd_sim_router(s, i), HD_CORE_KIRA, HD_KIRA_LIST_COUNTERS,
                                    &cursor, rows, ROWS_MAX, hd_sim_local_time(s, i));
        for (uint32_t j = 0; j < n; j++)
            c->rows[j] = (struct hd_kira_row_counter){
                rows[j].name, rows[j].value + (j < c->len ? c->rows[j].value : 0)};
        c->len = n;
    }
}

/* "tx." less "forwarded." of the same type is what nodes originated. */
static void print_messages(const struct hd_sim *s, const struct arguments *a,
                           const struct counters *from, const struct counters *to)
{
    double per = (double)hd_sim_node_count(s) * (double)(to->at - from->at) / 1e9;
    double sent = 0, own = 0;

    printf("per node and second       originated   sent on a link\n");
    for (uint32_t i = 0; i < to->len; i++) {
        const char *name = to->rows[i].name;
        uint64_t d = to->rows[i].value - from->rows[i].value, forwarded = 0;
        if (strncmp(name, "tx.", 3) != 0 || strcmp(name, "tx.bytes") == 0 || d == 0)
            continue;
        for (uint32_t j = 0; j < to->len; j++)
            if (strncmp(to->rows[j].name, "forwarded.", 10) == 0 &&
                strcmp(to->rows[j].name + 10, name + 3) == 0)
                forwarded = to->rows[j].value - from->rows[j].value;
        printf("  %-22s %11.3f %16.3f\n", name + 3, (double)(d - forwarded) / per, (double)d / per);
        sent += (double)d / per;
        own += (double)(d - forwarded) / per;
    }
    printf("  %-22s %11.3f %16.3f\n", "all but echoes", own, sent);
    for (uint32_t i = 0; i < to->len; i++)
        if (strncmp(to->rows[i].name, "event.", 6) == 0 && to->rows[i].value != from->rows[i].value)
            printf("  %-22s %11.3f\n", to->rows[i].name,
                   (double)(to->rows[i].value - from->rows[i].value) / per);
    if (a->max_rate > 0 && own * 1000 > (double)a->max_rate) {
        printf("FAILED: more than %" PRIu64 "/1000 per node and second\n", a->max_rate);
        failed = true;
    }
}

/* --- stretch -------------------------------------------------------------------------------------
 */

static void print_reach(const char *what, const struct hd_sim_reach *r)
{
    printf("%-28s %7" PRIu64 " of %7" PRIu64 " pairs; stretch mean %u.%03u p50 %u.%03u p95 "
           "%u.%03u p99 %u.%03u max %u.%03u\n",
           what, r->arrived, r->connected, r->stretch_mean / 1000, r->stretch_mean % 1000,
           r->stretch_p50 / 1000, r->stretch_p50 % 1000, r->stretch_p95 / 1000,
           r->stretch_p95 % 1000, r->stretch_p99 / 1000, r->stretch_p99 % 1000,
           r->stretch_max / 1000, r->stretch_max % 1000);
}

static void print_flows(struct hd_sim *s, const char *what, const uint32_t (*pairs)[2],
                        const struct arguments *a)
{
    uint64_t stretch[FLOWS], n = 0, sum = 0, exact = 0;

    for (unsigned i = 0; i < FLOWS; i++) {
        struct hd_sim_walk w;
        uint32_t d = hd_sim_distance(s, pairs[i][0], pairs[i][1]);
        hd_sim_walk_pair(s, pairs[i][0], pairs[i][1], &w);
        if (d == 0 || d == HD_SIM_NONE || w.fate != HD_SIM_ARRIVED)
            continue;
        stretch[n] = (uint64_t)w.hops * 1000 / d;
        exact += w.hops == d;
        sum += stretch[n++];
    }
    if (n == 0)
        return;
    qsort(stretch, n, sizeof stretch[0], by_value);
    printf("%-28s %7" PRIu64 " of %7u flows; stretch mean %.3f p50 %.3f p95 %.3f p99 %.3f max "
           "%.3f; shortest %.1f %%\n",
           what, n, FLOWS, (double)sum / (double)n / 1000, (double)stretch[n / 2] / 1000,
           (double)stretch[n * 95 / 100] / 1000, (double)stretch[n * 99 / 100] / 1000,
           (double)stretch[n - 1] / 1000, 100.0 * (double)exact / (double)n);
    if (a->max_stretch > 0 && sum / n > a->max_stretch) {
        printf("FAILED: stretch more than %" PRIu64 "/1000\n", a->max_stretch);
        failed = true;
    }
}

static void measure_flows(struct hd_sim *s, struct arguments *a)
{
    static const unsigned at_ms[] = {500, 3000};
    static uint32_t pairs[FLOWS][2];
    struct hd_random random;
    hd_time start = hd_sim_now(s);

    hd_random_seed(&random, a->seed, 77);
    for (unsigned i = 0; i < FLOWS; i++) {
        pairs[i][0] = (uint32_t)hd_random_below(&random, hd_sim_node_count(s));
        pairs[i][1] = (uint32_t)hd_random_below(&random, hd_sim_node_count(s));
    }
    struct arguments none = *a;
    none.max_stretch = 0;
    print_flows(s, "first packets", pairs, &none);
    for (unsigned ms = 0, next = 0; next < HD_ARRAY_LEN(at_ms); ms += 100) {
        for (unsigned i = 0; i < FLOWS; i++)
            hd_sim_send_packet(s, pairs[i][0], pairs[i][1], 100, UINT32_MAX);
        hd_sim_run(s, start + HD_MS(ms + 100));
        if (ms + 100 != at_ms[next])
            continue;
        char what[64];
        snprintf(what, sizeof what, "flows after %u ms", at_ms[next]);
        print_flows(s, what, pairs, ++next == HD_ARRAY_LEN(at_ms) ? a : &none);
    }
}

/* --- recovery ------------------------------------------------------------------------------------
 */

#define PAIRS 20000

/* Pairs that work, per 10,000 of those connected; a packet goes out for each that does not. */
static uint64_t look(struct hd_sim *s, const uint32_t (*pairs)[2], bool use)
{
    uint64_t connected = 0, arrived = 0;

    for (unsigned i = 0; i < PAIRS; i++) {
        struct hd_sim_walk w;
        if (hd_sim_distance(s, pairs[i][0], pairs[i][1]) == HD_SIM_NONE)
            continue;
        connected++;
        hd_sim_walk_pair(s, pairs[i][0], pairs[i][1], &w);
        arrived += w.fate == HD_SIM_ARRIVED;
        if (w.fate != HD_SIM_ARRIVED && use)
            hd_sim_send_packet(s, pairs[i][0], pairs[i][1], 100, UINT32_MAX);
    }
    return connected == 0 ? 10000 : arrived * 10000 / connected;
}

static void choose_pairs(uint32_t (*pairs)[2], uint32_t nodes, uint64_t seed)
{
    struct hd_random random;

    hd_random_seed(&random, seed, 79);
    for (unsigned i = 0; i < PAIRS; i++) {
        if (i % 50 == 0) /* fifty destinations each: one search for shortest paths serves them */
            pairs[i][0] = (uint32_t)hd_random_below(&random, nodes);
        else
            pairs[i][0] = pairs[i - 1][0];
        pairs[i][1] = (uint32_t)hd_random_below(&random, nodes);
    }
}

/* A share of all links breaks in one instant; every pair looked at is used from then on. */
static void measure_recovery(struct hd_sim *s, const struct arguments *a)
{
    static const unsigned print_ms[] = {0, 100, 200, 500, 1000, 2000, 3000, 5000, 10000};
    static uint32_t used[PAIRS][2], idle[PAIRS][2];
    struct hd_random random;
    uint32_t links = hd_sim_link_count(s), cut = 0;
    hd_time start = hd_sim_now(s);

    choose_pairs(used, hd_sim_node_count(s), a->seed);
    choose_pairs(idle, hd_sim_node_count(s), a->seed + 1);
    hd_random_seed(&random, a->seed, 78);
    for (uint32_t i = 0; i < links; i++)
        if (hd_random_below(&random, 1000) < a->cut) {
            hd_sim_cut(s, i);
            cut++;
        }
    printf("%u of %u links cut; pairs that work, per 10000, in use and idle\n", cut, links);
    for (unsigned ms = 0, next = 0; next < HD_ARRAY_LEN(print_ms); ms += 50) {
        hd_sim_run(s, start + HD_MS(ms));
        uint64_t share = look(s, used, true);
        if (ms != print_ms[next])
            continue;
        next++;
        printf("  after %5u ms %6" PRIu64 " %6" PRIu64 "\n", ms, share, look(s, idle, false));
        if (ms == 3000 && share < a->min_repaired) {
            printf("FAILED: less than %" PRIu64 "/10000 of pairs\n", a->min_repaired);
            failed = true;
        }
    }
}

static void run(struct arguments *a)
{
    struct hd_sim_options o;
    struct hd_scenario *sc;
    struct hd_sim *s;
    struct hd_sim_reach r;
    static struct counters before, after;
    char err[HD_SCENARIO_ERROR];

    if (hd_scenario_generate(a->generator, a->seed, &sc, err, sizeof err) != 0) {
        fprintf(stderr, "kira-scale: %s\n", err);
        exit(2);
    }
    for (uint32_t i = 0; i < sc->link_count; i++)
        sc->links[i].delay_ns = HD_MS(1);
    hd_sim_options_default(&o);
    o.seed = a->seed;
    o.config = config;
    o.config_user = a;
    o.workers = (uint32_t)a->workers;
    o.start_jitter_ns = HD_MS((hd_time)a->start_ms);
    if (hd_sim_create(&s, sc, &o, err, sizeof err) != 0) {
        fprintf(stderr, "kira-scale: %s\n", err);
        exit(2);
    }
    printf("%s seed %" PRIu64 ": %u nodes, %u links\n", a->generator, a->seed, sc->node_count,
           sc->link_count);
    struct cost start = cost_now(s);
    for (uint64_t i = 1; a->seconds && i < a->settle_s; i++) {
        hd_sim_run(s, HD_SEC(i));
        print_cost(s, &start);
        start = cost_now(s);
    }
    hd_sim_run(s, HD_SEC(a->settle_s));
    print_cost(s, &start);
    if (a->join) {
        hd_sim_free(s);
        hd_scenario_free(sc);
        return;
    }
    count(s, &before);
    start = cost_now(s);
    hd_sim_run(s, HD_SEC(a->settle_s + a->steady_s));
    print_cost(s, &start);
    count(s, &after);
    print_messages(s, a, &before, &after);
    print_memory(s, a);
    hd_sim_reach(s, 40000, a->seed, &r);
    print_reach("all pairs, no traffic", &r);
    if (r.bad_from != HD_SIM_NONE)
        printf("  e.g. node %u to node %u: %s at node %u\n", r.bad_from, r.bad_to,
               hd_sim_fate_name(r.bad_fate), r.bad_at);
    measure_flows(s, a);
    if (a->cut > 0)
        measure_recovery(s, a);
    hd_sim_free(s);
    hd_scenario_free(sc);
}

int main(int argc, char **argv)
{
    struct arguments a = {
        .seed = 1, .settle_s = 60, .steady_s = 30, .cut = 100, .workers = 1, .start_ms = 10};
    struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {
        {"seed", &a.seed},
        {"settle-s", &a.settle_s},
        {"steady-s", &a.steady_s},
        {"cut", &a.cut},
        {"workers", &a.workers},
        {"start-ms", &a.start_ms},
        {"max-mean-bytes", &a.max_bytes},
        {"max-rate", &a.max_rate},
        {"max-stretch", &a.max_stretch},
        {"min-repaired", &a.min_repaired},
    };
    struct option options[HD_ARRAY_LEN(numbers) + 4] = {{0}};
    int at = 0, option;

    for (unsigned i = 0; i < HD_ARRAY_LEN(numbers); i++)
        options[i] = (struct option){numbers[i].name, required_argument, NULL, 256 + (int)i};
    options[HD_ARRAY_LEN(numbers)] = (struct option){"lean", no_argument, &a.lean, 1};
    options[HD_ARRAY_LEN(numbers) + 1] = (struct option){"join", no_argument, &a.join, 1};
    options[HD_ARRAY_LEN(numbers) + 2] = (struct option){"seconds", no_argument, &a.seconds, 1};
    while ((option = getopt_long(argc, argv, "", options, &at)) != -1) {
        if (option == '?')
            return 2;
        if (option >= 256)
            *numbers[option - 256].value = strtoull(optarg, NULL, 10);
    }
    if (optind + 1 != argc || a.steady_s == 0) {
        fprintf(stderr, "usage: kira-scale GENERATOR [options]\n");
        return 2;
    }
    a.generator = argv[optind];
    setvbuf(stdout, NULL, _IOLBF, 0);
    run(&a);
    return failed ? 1 : 0;
}

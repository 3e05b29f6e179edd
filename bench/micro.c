/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hot operations of a node cost, in nanoseconds, each beside a floor measured in the same
 * run: the copy of as many bytes. Ratios to the floor travel from machine to machine, times do not.
 *
 * The state is no toy: a Barabasi-Albert network of 100 nodes is simulated for 20 s, and then the
 * first large FindNodeRsp on its way to the node that asked is caught. It is decoded, and given to
 * that node's router again and again, the router's region being put back in between (design.md:
 * a router is its region).
 *
 * usage: bench-micro [milliseconds per round]; prints name=value lines.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/kira/state.h"
#include "core/kira/wire.h"
#include "lib/timerq.h"
#include "sim/engine.h"

#define SETTLE       HD_SEC(20)
#define GIVE_UP      HD_SEC(120)
#define LEN_MIN      800 /* of the answer that is caught */
#define TIMERS       1000
#define ROUNDS       7
#define EFFECT_BYTES (256 * 1024)

struct bench {
    struct hd_sim *sim;
    int64_t round_ns;
    bool done;
    /* the answer, and who gets it */
    struct hd_input in;
    struct hd_router *router;
    void *region;
    hd_time now;
    uint8_t *copy;
    size_t used;
    struct hd_effects fx;
    /* timers */
    struct hd_pool *pool;
    struct hd_timerq queue;
    struct hd_timer timers[TIMERS];
    hd_time clock;
    struct hd_random random;
    struct kira_map map;
    uint8_t from[65536], to[65536];
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench-micro: %s\n", what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- measuring -----------------------------------------------------------------------------------
 */

/* Does something once; returns the nanoseconds that do not count. */
typedef int64_t operation(struct bench *b, uint32_t size);

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double one_round(struct bench *b, operation *op, uint32_t size)
{
    int64_t begun = now_ns(), apart = 0, took = 0;
    uint64_t count = 0;

    do {
        for (int i = 0; i < 16; i++)
            apart += op(b, size);
        count += 16;
        took = now_ns() - begun;
    } while (took < b->round_ns);
    return (double)(took - apart) / (double)count;
}

/* Median and range of some rounds, the first one left out. */
static double measure(struct bench *b, operation *op, uint32_t size, double range[2])
{
    double r[ROUNDS];

    (void)one_round(b, op, size);
    for (int i = 0; i < ROUNDS; i++)
        r[i] = one_round(b, op, size);
    qsort(r, ROUNDS, sizeof r[0], compare);
    range[0] = r[0];
    range[1] = r[ROUNDS - 1];
    return r[ROUNDS / 2];
}

static int64_t op_floor(struct bench *b, uint32_t size)
{
    memcpy(b->to, b->from, size);
    __asm__ volatile("" : : "r"(b->to) : "memory");
    return 0;
}

static void report(struct bench *b, const char *name, operation *op, uint32_t bytes)
{
    double range[2], floor_range[2];
    double floor = measure(b, op_floor, bytes, floor_range);
    double ns = measure(b, op, bytes, range);

    printf("operation=%s ns=%.1f min=%.1f max=%.1f bytes=%u floor_ns=%.1f times_floor=%.1f\n", name,
           ns, range[0], range[1], bytes, floor, ns / floor);
    fflush(stdout);
}

/* --- operations ----------------------------------------------------------------------------------
 */

static int64_t op_decode(struct bench *b, uint32_t size)
{
    struct hd_kira_msg m;

    must(hd_kira_decode(&m, b->in.u.datagram.bytes, size) == HD_KIRA_WIRE_OK, "decode");
    return 0;
}

static int64_t op_label(struct bench *b, uint32_t size)
{
    const struct hd_id *path[8];
    uint8_t label[HD_ID_BYTES];

    for (uint32_t i = 0; i < size / HD_ID_BYTES; i++)
        path[i] = (const struct hd_id *)(b->from + i * HD_ID_BYTES);
    hd_kira_path_label(path, size / HD_ID_BYTES, label);
    b->from[0] ^= label[0]; /* the next one is another */
    return 0;
}

/* The first timer fires and is armed again within a second, among a thousand. */
static int64_t op_timer(struct bench *b, uint32_t size)
{
    struct hd_timer *t = hd_timerq_pop(&b->queue, HD_NEVER - 1);

    (void)size;
    must(t != NULL, "an empty timer queue");
    b->clock = t->at;
    int error = hd_timer_arm(&b->queue, b->pool, t,
                             b->clock + (hd_time)hd_random_below(&b->random, HD_SEC(1)));
    must(error == 0, "a timer");
    return 0;
}

/* Puts the router back as it was when the answer came; how long that took. */
static int64_t restore(struct bench *b)
{
    int64_t begun = now_ns();

    memcpy(b->region, b->copy, b->used);
    hd_fx_clear(&b->fx);
    return now_ns() - begun;
}

static int64_t op_input(struct bench *b, uint32_t size)
{
    int64_t apart = restore(b);
    struct hd_answer a = hd_router_input(b->router, &b->in, b->now, &b->fx);

    (void)size;
    while (a.pending == HD_PENDING_URGENT)
        a = hd_router_work(b->router, 150, b->now, &b->fx);
    return apart;
}

static int64_t op_map(struct bench *b, uint32_t size)
{
    struct kira *k = hd_router_core_state(b->router, HD_CORE_KIRA);
    struct hd_ctx c = {.now = b->now, .ids = hd_router_ids(b->router)};
    struct kira_call x = {k, &c};

    (void)size;
    kira_map_build(&x, &b->map);
    kira_map_solve(&x, &b->map);
    return 0;
}

/* --- the state -----------------------------------------------------------------------------------
 */

static void print_state(struct bench *b, const struct hd_kira_msg *m)
{
    const struct kira *k = hd_router_core_state(b->router, HD_CORE_KIRA);

    printf("state: nodes=100 contacts=%u vicinity=%u neighbours=%u map_nodes=%u map_edges=%u "
           "answer_bytes=%u route_nodes=%u router_bytes=%zu\n",
           k->contacts.len, k->vicinity.len, k->ulns.len, b->map.nodes, b->map.edges, m->len,
           m->route.count, b->used);
}

static uint32_t drops(const struct bench *b)
{
    const struct kira *k = hd_router_core_state(b->router, HD_CORE_KIRA);
    uint32_t sum = 0;

    for (uint32_t i = 0; i < KIRA_DROPS; i++)
        sum += k->drops[i];
    return sum;
}

static void run_all(struct bench *b, const struct hd_kira_msg *m)
{
    uint32_t before = drops(b);

    (void)op_map(b, 0);
    print_state(b, m);
    /* An answer that nobody asked for is dropped at once: that would be no measurement. */
    (void)op_input(b, m->len);
    must(drops(b) == before, "the router dropped the answer");
    report(b, "decode", op_decode, m->len);
    report(b, "label-of-3-nodes", op_label, 3 * HD_ID_BYTES);
    report(b, "timer-pop-and-arm", op_timer, sizeof(struct hd_timer));
    report(b, "map-build-and-solve", op_map,
           (uint32_t)(sizeof b->map.slot + b->map.nodes * sizeof b->map.node[0] +
                      b->map.edges * sizeof b->map.edge[0]));
    report(b, "router-input-find-node-rsp", op_input, m->len);
}

/* Is it a large FindNodeRsp on its last link? */
static bool fits(struct hd_kira_msg *m, const struct hd_sim_outgoing *o)
{
    return hd_kira_decode(m, o->bytes, o->len) == HD_KIRA_WIRE_OK &&
           m->h.type == HD_KIRA_FIND_RSP && o->len >= LEN_MIN && m->index + 1u == m->route.count;
}

static void catch_answer(void *user, struct hd_sim *s, struct hd_sim_outgoing *o)
{
    struct bench *b = user;
    struct hd_kira_msg m;

    if (b->done || hd_sim_now(s) < SETTLE || !fits(&m, o))
        return;
    struct end *from = sim_end_of(s, o->node, o->ifindex), *to = sim_peer(s, from);
    struct node *n = &s->nodes[to->node];

    b->in = (struct hd_input){.type = HD_IN_DATAGRAM, .core = HD_CORE_KIRA};
    b->in.u.datagram = (struct hd_in_datagram){.bytes = o->bytes,
                                               .len = o->len,
                                               .port = 1,
                                               .hop_limit = 255,
                                               .ifindex = to->ifindex,
                                               .from = sim_link_local(from),
                                               .to = sim_link_local(to),
                                               .from_mac = sim_mac(from)};
    b->now = b->in.arrived = node_local(s, to->node, s->now);
    b->router = n->router;
    b->region = n->pool; /* a mapping of its own begins with it */
    b->used = hd_router_pool(n->router)->used;
    b->copy = malloc(b->used);
    must(b->copy != NULL, "out of memory");
    hd_router_model(n->router)->old = NULL; /* the simulator's list would grow */
    memcpy(b->copy, b->region, b->used);
    run_all(b, &m);
    b->done = true;
}

static void arm_timers(struct bench *b)
{
    size_t size = 1 << 20;
    void *region = calloc(1, size);

    must(region != NULL, "out of memory");
    b->pool = hd_pool_create(region, size);
    must(b->pool != NULL, "no pool");
    for (uint32_t i = 0; i < TIMERS; i++) {
        int error = hd_timer_arm(&b->queue, b->pool, &b->timers[i],
                                 (hd_time)hd_random_below(&b->random, HD_SEC(1)));
        must(error == 0, "a timer");
    }
}

int main(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof *b);
    struct hd_sim_options o;
    struct hd_scenario *sc;
    char err[512];

    must(b != NULL, "out of memory");
    b->round_ns = (argc > 1 ? strtoll(argv[1], NULL, 10) : 100) * 1000000;
    hd_random_seed(&b->random, 1, 1);
    hd_random_bytes(&b->random, b->from, sizeof b->from);
    arm_timers(b);
    void *effects = malloc(EFFECT_BYTES);
    must(effects != NULL, "out of memory");
    hd_fx_init(&b->fx, effects, EFFECT_BYTES);
    must(hd_scenario_open("ba:100,2", 1, &sc, err, sizeof err) == 0, err);
    hd_sim_options_default(&o);
    o.config = hd_sim_kira_config;
    o.own_regions = true;
    o.hooks.user = b;
    o.hooks.lie = catch_answer;
    must(hd_sim_create(&b->sim, sc, &o, err, sizeof err) == 0, err);
    for (uint32_t i = 0; i < hd_sim_node_count(b->sim); i++)
        hd_sim_set_lying(b->sim, i, true);
    while (!b->done && hd_sim_now(b->sim) < GIVE_UP)
        hd_sim_run(b->sim, hd_sim_now(b->sim) + HD_MS(100));
    must(b->done, "no answer of that size was seen");
    return 0; /* the router has been put back too often for the simulation to go on */
}

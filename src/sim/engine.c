/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creation and the loop. The loop takes the first event and gives it to the file that knows its
 * kind; what an event causes is again events. Nothing here depends on addresses, hashes or the
 * machine.
 */
#include "sim/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/hash.h"

#define POOL_BYTES_PER_NODE ((size_t)4096)
#define POOL_BYTES_MIN      ((size_t)1 << 30) /* of address space */
#define REGION_BYTES        ((size_t)64 << 20)
#define OLD_VALUES          65536

void hd_sim_options_default(struct hd_sim_options *o)
{
    *o = (struct hd_sim_options){
        .seed = 1,
        .cores = {HD_CORE_KIRA},
        .region_bytes = REGION_BYTES,
        .detect_ns = HD_MS(1),
        .install_ns = HD_US(100),
        .save_ns = HD_MS(1),
        .start_jitter_ns = HD_MS(10),
        .queue_bytes = (uint64_t)256 * 1024,
        .work_units = 150,
        .shared_ids = true,
        .digest_payload = true,
    };
}

void sim_push(struct hd_sim *s, hd_time at, uint32_t receiver, uint32_t sender, bool late,
              uint32_t kind, void *payload, uint64_t number)
{
    uint32_t *counter = sender == WORLD ? &s->world_counter : &s->nodes[sender].counter;
    struct hd_sim_event e = {.at = at,
                             .receiver = receiver,
                             .sender = sender | (late ? HD_SIM_LATE : 0),
                             .counter = (*counter)++,
                             .kind = kind};
    if (payload != NULL)
        e.u.payload = payload;
    else
        e.u.number = number;
    HD_ASSERT(at >= s->now);
    hd_sim_queue_push(&s->queue, &e);
}

void sim_fault(struct hd_sim *s)
{
    s->last_fault = s->now;
    s->all_since = HD_NEVER;
    s->graph_epoch++;
    s->forwarding_epoch++;
}

void sim_fail(struct hd_sim *s, const char *format, ...)
{
    if (s->failed)
        return;
    s->failed = true;
    int head = snprintf(s->why, sizeof s->why, "at %lld.%06lld ms: ", (long long)(s->now / 1000000),
                        (long long)(s->now % 1000000));
    va_list args;
    va_start(args, format);
    (void)vsnprintf(s->why + head, sizeof s->why - (size_t)head, format, args);
    va_end(args);
}

struct hd_ip6 sim_link_local(const struct end *e)
{
    struct hd_ip6 a = {{0xfe, 0x80}};
    uint32_t node = e->node + 1;
    for (unsigned i = 0; i < 4; i++) {
        a.b[8 + i] = (uint8_t)(node >> (24 - 8 * i));
        a.b[12 + i] = (uint8_t)(e->ifindex >> (24 - 8 * i));
    }
    return a;
}

/* Locally administered; 24 bits of node and 16 of interface: unique on each link at any size. */
struct hd_mac sim_mac(const struct end *e)
{
    uint32_t node = e->node + 1;
    return (struct hd_mac){{0x02, (uint8_t)(node >> 16), (uint8_t)(node >> 8), (uint8_t)node,
                            (uint8_t)(e->ifindex >> 8), (uint8_t)e->ifindex}};
}

uint32_t hd_sim_find(const struct hd_sim *s, const struct hd_id *id)
{
    uint32_t node;
    if (!hd_map_get(&s->by_id, hd_hash64(1, id->b, HD_ID_BYTES), &node) ||
        !hd_id_equal(&s->nodes[node].id, id))
        return HD_SIM_NONE;
    return node;
}

/* --- creation ------------------------------------------------------------------------------------
 */

static int make_pool(struct hd_sim *s)
{
    s->pool_size = POOL_BYTES_MIN + s->node_count * POOL_BYTES_PER_NODE;
    void *region = mmap(NULL, s->pool_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        return HD_ENOMEM;
    s->pool = hd_pool_create(region, s->pool_size);
    hd_map_init(&s->by_id, 11);
    hd_map_init(&s->flow_index, 12);
    hd_map_init(&s->quiet, 13);
    hd_map_init(&s->usage_index, 14);
    return 0;
}

/* Identifiers of the scenario, random ones for the rest: never zero, all-one, or one twice. */
static int make_ids(struct hd_sim *s, char *err, size_t errlen)
{
    struct hd_random random;
    hd_random_seed(&random, s->o.seed, 0x1d5);
    for (uint32_t i = 0; i < s->node_count; i++) {
        struct hd_id *id = &s->nodes[i].id;
        bool given = s->sc->nodes[i].has_id;
        if (given)
            memcpy(id->b, s->sc->nodes[i].id, HD_ID_BYTES);
        else
            hd_random_bytes(&random, id->b, HD_ID_BYTES);
        uint32_t other;
        uint64_t hash = hd_hash64(1, id->b, HD_ID_BYTES);
        if (hd_id_is_zero(id) || hd_id_is_ones(id) || hd_map_get(&s->by_id, hash, &other)) {
            snprintf(err, errlen, "node %s: its ID is zero, all ones, or another node's",
                     s->sc->nodes[i].name);
            return HD_EINVAL;
        }
        if (hd_map_set(&s->by_id, s->pool, hash, i) != 0)
            return HD_ENOMEM;
        s->nodes[i].address = hd_id_to_ip6(id, 0xfc00);
    }
    hd_ids_init(&s->ids, s->pool, s->node_count + 16, 15);
    for (uint32_t i = 0; s->o.shared_ids && i < s->node_count; i++) {
        if (hd_ids_intern(&s->ids, &s->nodes[i].id) == 0)
            return HD_ENOMEM;
    }
    s->ids.shared = s->o.shared_ids;
    return 0;
}

static void make_links(struct hd_sim *s)
{
    for (uint32_t l = 0; l < s->link_count; l++) {
        s->links[l].o = s->sc->links[l];
        s->nodes[s->sc->links[l].a].end_count++;
        s->nodes[s->sc->links[l].b].end_count++;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < s->node_count; i++) {
        s->nodes[i].first_end = at;
        at += s->nodes[i].end_count;
        s->nodes[i].end_count = 0;
    }
    for (uint32_t e = 0; e < s->link_count * 2; e++) {
        struct end *end = &s->ends[e];
        end->link = e / 2;
        end->node = e % 2 == 0 ? s->sc->links[e / 2].a : s->sc->links[e / 2].b;
        struct node *n = &s->nodes[end->node];
        s->ends_of[n->first_end + n->end_count] = e;
        end->ifindex = ++n->end_count;
        hd_random_seed(&end->random, s->o.seed, 0x100000000ULL + e);
    }
}

static void make_nodes(struct hd_sim *s)
{
    struct hd_random random;
    hd_random_seed(&random, s->o.seed, 0x57a7);
    for (uint32_t i = 0; i < s->node_count; i++) {
        struct node *n = &s->nodes[i];
        n->deadline = n->timer_at = HD_NEVER;
        n->powered = true;
        if (s->sc->nodes[i].key != 0) {
            n->keys[0].handle = s->sc->nodes[i].key;
            n->keys[0].secret = hd_mix64(s->sc->nodes[i].key + 0x9e3779b97f4a7c15ULL);
        }
        hd_time jitter = 0;
        if (s->o.start_jitter_ns > 0)
            jitter = (hd_time)hd_random_below(&random, (uint64_t)s->o.start_jitter_ns);
        if (s->sc->nodes[i].start_ns != HD_NEVER) {
            n->start_queued = true;
            sim_push(s, s->sc->nodes[i].start_ns + jitter, i, i, false, EV_START, NULL, 0);
        }
    }
}

static void option_defaults(struct hd_sim_options *o)
{
    if (o->cores[0] == 0)
        o->cores[0] = HD_CORE_KIRA;
    if (o->region_bytes == 0)
        o->region_bytes = REGION_BYTES;
    if (o->work_units == 0)
        o->work_units = 150;
    if (o->queue_bytes == 0)
        o->queue_bytes = (uint64_t)256 * 1024;
}

int hd_sim_create(struct hd_sim **out, const struct hd_scenario *sc, const struct hd_sim_options *o,
                  char *err, size_t errlen)
{
    struct hd_sim *s = hd_sim_alloc(1, sizeof *s);
    *out = NULL;
    s->sc = sc;
    s->o = *o;
    option_defaults(&s->o);
    s->node_count = sc->node_count;
    s->link_count = sc->link_count;
    s->nodes = hd_sim_alloc(s->node_count, sizeof *s->nodes);
    s->links = hd_sim_alloc(s->link_count, sizeof *s->links);
    s->ends = hd_sim_alloc((size_t)s->link_count * 2, sizeof *s->ends);
    s->ends_of = hd_sim_alloc((size_t)s->link_count * 2, sizeof *s->ends_of);
    s->stamp = hd_sim_alloc((size_t)s->node_count * 2, sizeof *s->stamp);
    s->bfs_distance = hd_sim_alloc(s->node_count, sizeof *s->bfs_distance);
    s->bfs_queue = hd_sim_alloc(s->node_count, sizeof *s->bfs_queue);
    s->old.cap = OLD_VALUES;
    s->old.v = hd_sim_alloc(s->old.cap, sizeof *s->old.v);
    uint32_t room = HD_FX_ROOM_BYTES + 64 * 1024;
    hd_fx_init(&s->fx, hd_sim_alloc(1, room), room);
    s->all_since = HD_NEVER;
    s->graph_epoch = s->forwarding_epoch = 1;
    hd_random_seed(&s->check_random, s->o.seed, 0xc4ec);
    snprintf(err, errlen, "no memory for %u nodes", s->node_count);
    int error = make_pool(s);
    if (error == 0)
        error = make_ids(s, err, errlen);
    if (error != 0) {
        hd_sim_free(s);
        return error;
    }
    make_links(s);
    make_nodes(s);
    schedule_start(s);
    err[0] = 0;
    *out = s;
    return 0;
}

static void free_event(struct hd_sim *s, const struct hd_sim_event *e)
{
    switch (e->kind) {
    case EV_DATAGRAM:
        hd_sim_slab_give(&s->slabs, e->u.payload, ((struct datagram *)e->u.payload)->size);
        break;
    case EV_PACKET:
        packet_free(s, e->u.payload);
        break;
    case EV_REPORT:
        hd_sim_slab_give(&s->slabs, e->u.payload, sizeof(struct report));
        break;
    case EV_COMMAND:
        hd_sim_slab_give(&s->slabs, e->u.payload, ((struct command *)e->u.payload)->block);
        break;
    case EV_SAMPLE:
        hd_sim_slab_give(&s->slabs, e->u.payload, sizeof(struct hd_input));
        break;
    default:
        break;
    }
}

void hd_sim_free(struct hd_sim *s)
{
    if (s == NULL)
        return;
    struct hd_sim_event e;
    while (hd_sim_queue_pop(&s->queue, HD_NEVER, &e))
        free_event(s, &e);
    for (uint32_t i = 0; i < s->node_count; i++)
        node_free(s, i);
    hd_sim_queue_free(&s->queue);
    hd_sim_slabs_free(&s->slabs);
    if (s->pool != NULL)
        munmap(s->pool, s->pool_size);
    check_free(s);
    free(s->fx.buf);
    free(s->old.v);
    free(s->nodes);
    free(s->links);
    free(s->ends);
    free(s->ends_of);
    free(s->stamp);
    free(s->bfs_distance);
    free(s->bfs_queue);
    free(s->flows_seen);
    free(s->usages);
    free(s->flows);
    free(s);
}

/* --- the loop ------------------------------------------------------------------------------------
 */

static void digest_event(struct hd_sim *s, const struct hd_sim_event *e)
{
    uint64_t d = s->digest;
    d = hd_mix64(d + (uint64_t)e->at);
    d = hd_mix64(d ^ ((uint64_t)e->receiver << 32 | e->sender));
    d = hd_mix64(d ^ ((uint64_t)e->counter << 32 | e->kind));
    if (s->o.digest_payload && e->kind == EV_DATAGRAM) {
        const struct datagram *dg = e->u.payload;
        d ^= hd_hash64(2, dg->bytes, dg->len);
    }
    s->digest = d;
    s->stats.events++;
}

static void give_command(struct hd_sim *s, uint32_t node, struct command *c)
{
    struct hd_input in = {.type = HD_IN_COMMAND, .core = c->core};
    in.u.command = c->c;
    in.u.command.args = c->args;
    node_input(s, node, &in);
}

static void give_saved(struct hd_sim *s, uint32_t node, uint64_t number)
{
    struct hd_input in = {.type = HD_IN_SAVED, .core = (uint8_t)(number >> 16)};
    in.u.saved.key = (uint16_t)number;
    node_input(s, node, &in);
}

static void start_queued(struct hd_sim *s, uint32_t node, uint64_t incarnation)
{
    struct node *n = &s->nodes[node];
    if (n->incarnation == incarnation && n->router == NULL)
        node_start(s, node);
}

static void dispatch(struct hd_sim *s, const struct hd_sim_event *e)
{
    uint32_t to = e->receiver;
    switch (e->kind) {
    case EV_DATAGRAM:
        node_datagram(s, e->u.payload, to);
        break;
    case EV_PACKET:
        packet_arrive(s, to, e->u.payload);
        return; /* the packet travels on, or was freed */
    case EV_CARRIER:
        node_carrier(s, (uint32_t)e->u.number);
        break;
    case EV_REPORT:
        node_report(s, to, e->u.payload);
        break;
    case EV_COMMAND:
        give_command(s, to, e->u.payload);
        break;
    case EV_SAVED:
        give_saved(s, to, e->u.number);
        break;
    case EV_SAMPLE:
        node_input(s, to, e->u.payload);
        break;
    case EV_INSTALL:
        node_install(s, to, e->u.number);
        break;
    case EV_DEADLINE:
        node_deadline(s, to, e->u.number);
        break;
    case EV_WORK:
        node_work(s, to, e->u.number);
        break;
    case EV_START:
        start_queued(s, to, e->u.number);
        break;
    case EV_PROBE:
        schedule_probe(s, e->u.number);
        break;
    case EV_SCHEDULE:
        schedule_event(s, e->u.number);
        break;
    default:
        check_tick(s);
        break;
    }
    free_event(s, e);
}

static bool run(struct hd_sim *s, hd_time until, bool stop_at_failure)
{
    struct hd_sim_event e;
    while (!(stop_at_failure && s->failed) && hd_sim_queue_pop(&s->queue, until, &e)) {
        HD_ASSERT(e.at >= s->now);
        s->now = e.at;
        digest_event(s, &e);
        dispatch(s, &e);
    }
    if (!(stop_at_failure && s->failed) && until != HD_NEVER && until > s->now)
        s->now = until;
    s->stats.queue_peak = s->queue.peak;
    s->stats.payload_peak = s->slabs.peak;
    return !s->failed;
}

void hd_sim_run(struct hd_sim *s, hd_time until)
{
    (void)run(s, until, false);
}

bool hd_sim_run_checked(struct hd_sim *s, hd_time until)
{
    return run(s, until, true);
}

/* --- looking in ----------------------------------------------------------------------------------
 */

hd_time hd_sim_now(const struct hd_sim *s)
{
    return s->now;
}

uint32_t hd_sim_node_count(const struct hd_sim *s)
{
    return s->node_count;
}

uint32_t hd_sim_link_count(const struct hd_sim *s)
{
    return s->link_count;
}

uint64_t hd_sim_digest(const struct hd_sim *s)
{
    return s->digest;
}

const char *hd_sim_failure(const struct hd_sim *s)
{
    return s->failed ? s->why : NULL;
}

struct hd_router *hd_sim_router(const struct hd_sim *s, uint32_t node)
{
    return s->nodes[node].router;
}

struct hd_ip6 hd_sim_address(const struct hd_sim *s, uint32_t node)
{
    return s->nodes[node].address;
}

void hd_sim_set_address(struct hd_sim *s, uint32_t node, const struct hd_ip6 *a)
{
    s->nodes[node].address = *a;
}

uint64_t hd_sim_forwarding_epoch(const struct hd_sim *s)
{
    return s->forwarding_epoch;
}

const struct hd_id *hd_sim_id(const struct hd_sim *s, uint32_t node)
{
    return &s->nodes[node].id;
}

uint32_t hd_sim_ifindex(const struct hd_sim *s, uint32_t link, uint32_t node)
{
    const struct end *e = &s->ends[(size_t)link * 2];
    return e->node == node ? e->ifindex : e[1].ifindex;
}

hd_time hd_sim_local_time(const struct hd_sim *s, uint32_t node)
{
    return node_local(s, node, s->now);
}

uint32_t hd_sim_command(struct hd_sim *s, uint32_t node, uint8_t core, uint16_t verb,
                        const void *args, uint16_t len)
{
    size_t size = sizeof(struct command) + len;
    struct command *c = hd_sim_slab_take(&s->slabs, size);
    *c = (struct command){.block = (uint32_t)size, .core = core};
    c->c = (struct hd_in_command){.id = ++s->command_id, .verb = verb, .len = len};
    if (len > 0)
        memcpy(c->args, args, len);
    sim_push(s, s->now, node, WORLD, false, EV_COMMAND, c, 0);
    return s->command_id;
}

hd_time hd_sim_all_since(const struct hd_sim *s)
{
    return s->all_since;
}

hd_time hd_sim_last_fault(const struct hd_sim *s)
{
    return s->last_fault;
}

const struct hd_sim_stats *hd_sim_stats(const struct hd_sim *s)
{
    return &s->stats;
}

void hd_sim_node_stats(struct hd_sim *s, uint32_t node, struct hd_sim_node_stats *out)
{
    struct node *n = &s->nodes[node];
    *out = (struct hd_sim_node_stats){.alive = n->router != NULL,
                                      .sent = n->sent,
                                      .sent_bytes = n->sent_bytes,
                                      .received = n->received};
    if (n->router == NULL)
        return;
    const struct hd_pool *p = hd_router_pool(n->router);
    const struct hd_model *m = hd_router_model(n->router);
    out->pool_used = p->used;
    out->pool_live = p->live;
    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;)
        out->labels++;
    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_ROUTE, i)) != 0;)
        out->routes++;
    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_ADJ, i)) != 0;)
        out->adjs++;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a simulation shows of itself: addresses and identifiers, routers, time, counters. Between
 * windows; from the hooks also while workers run, for the node that the hook is about.
 */
#include "sim/engine.h"

#include "lib/hash.h"

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

hd_time hd_sim_now(const struct hd_sim *s)
{
    const struct worker *w = sim_current(s);
    return w != NULL ? w->now : s->now;
}

uint32_t hd_sim_node_count(const struct hd_sim *s)
{
    return s->node_count;
}

uint32_t hd_sim_link_count(const struct hd_sim *s)
{
    return s->link_count;
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
    return node_local(s, node, hd_sim_now(s));
}

uint32_t hd_sim_command(struct hd_sim *s, uint32_t node, uint8_t core, uint16_t verb,
                        const void *args, uint16_t len)
{
    if (!sim_is_here(s, node)) {
        s->world_counter++;
        return ++s->command_id;
    }
    size_t size = sizeof(struct command) + len;
    struct command *c = hd_sim_slab_take(&sim_enter(s, node)->slabs, size);
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

static void add_stats(struct hd_sim_stats *sum, const struct hd_sim_stats *more)
{
    hd_time last = HD_MAX(sum->last_route_change, more->last_route_change);
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *from = (const uint64_t *)(const void *)more;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
    sum->last_route_change = last;
}

_Static_assert(sizeof(struct hd_sim_stats) % sizeof(uint64_t) == 0 && sizeof(size_t) == 8 &&
                   sizeof(hd_time) == 8,
               "counters are added up word by word");

const struct hd_sim_stats *hd_sim_stats(const struct hd_sim *s)
{
    *s->sum = s->stats;
    s->sum->queue_peak = s->queue.peak;
    for (uint32_t i = 0; i < s->worker_count; i++) {
        struct worker *w = s->worker[i];
        if (w->pool != NULL) {
            w->stats.queue_peak = w->queue.peak;
            w->stats.payload_peak = w->slabs.peak;
        }
        add_stats(s->sum, &w->stats);
    }
    return s->sum;
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

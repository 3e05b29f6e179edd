/* SPDX-License-Identifier: Apache-2.0 */
/* See chain.h. */
#include "chain.h"

#include <string.h>

#include "lib/base.h"
#include "lib/code_points.h"

struct chain chain;
enum hd_fwd_backend backend = HD_FWD_EBPF;
bool mixed;
bool kira0_is_veth;

static const char *const names[] = {[LEFT] = LEFT_NAME, [RIGHT] = RIGHT_NAME};

struct hd_label label_at(unsigned node, unsigned target)
{
    struct hd_label l;

    memset(&l, 0xab, sizeof l);
    l.b[0] = (uint8_t)(node + 1);
    l.b[13] = (uint8_t)(target + 1);
    return l;
}

struct hd_ip6 label_address(const struct hd_label *l)
{
    struct hd_ip6 a = {{HD_KIRA_LABEL_PREFIX >> 8, HD_KIRA_LABEL_PREFIX & 0xff}};

    memcpy(a.b + 2, l->b, sizeof l->b);
    return a;
}

enum side towards(unsigned node, unsigned target)
{
    return target < node ? LEFT : RIGHT;
}

static bool has_side(unsigned node, enum side side)
{
    return side == LEFT ? node > 0 : node < CHAIN - 1;
}

static unsigned neighbour(unsigned node, enum side side)
{
    return side == LEFT ? node - 1 : node + 1;
}

struct hd_adj_value adj_value(unsigned node, enum side side)
{
    const struct hd_mac *mac = &chain.mac[neighbour(node, side)][side == LEFT ? RIGHT : LEFT];

    return (struct hd_adj_value){.ifindex = chain.ifindex[node][side],
                                 .link_local = link_local_of(mac),
                                 .mac = *mac,
                                 .admitted = true};
}

void set_overlay_route(unsigned node, unsigned target, unsigned end)
{
    enum side side = towards(node, end);
    unsigned next = neighbour(node, side);
    struct hd_ip6 to = node_address(target);
    struct hd_route_value v = {.act = HD_ROUTE_ENCAP, .adj = chain.adj[node][side]};

    v.out = label_at(next, end);
    if (next == target)
        v.act = HD_ROUTE_DIRECT;
    node_route(&chain.n[node], &to, 128, &v);
}

void set_route(unsigned node, unsigned target)
{
    struct hd_ip6 own = node_address(node);

    if (node == target)
        node_route(&chain.n[node], &own, 128, &(struct hd_route_value){.act = HD_ROUTE_LOCAL});
    else
        set_overlay_route(node, target, target);
}

static void set_label(unsigned node, unsigned target)
{
    struct hd_label key = label_at(node, target);
    struct hd_label_value v = {.act = HD_LABEL_DECAP};
    enum side side = towards(node, target);

    if (node != target) {
        v.act = HD_LABEL_SWAP;
        v.adj = chain.adj[node][side];
        v.out = label_at(neighbour(node, side), target);
    }
    node_label(&chain.n[node], &key, &v);
}

/* With then: a guard of the entries' own; else that of the adjacency. */
void set_guarded(struct hd_adj_value *v, uint16_t guard, const struct hd_label *then)
{
    struct hd_label key = label_at(2, 0);
    struct hd_ip6 a = node_address(0), b = node_address(1);
    struct hd_label_value l = {
        .act = HD_LABEL_SWAP, .adj = chain.adj[2][LEFT], .out = label_at(1, 0)};
    struct hd_route_value far = {
        .act = HD_ROUTE_ENCAP, .adj = chain.adj[2][LEFT], .out = label_at(1, 0)};
    struct hd_route_value near = {.act = HD_ROUTE_DIRECT, .adj = chain.adj[2][LEFT]};
    struct hd_repair repair = {.guard = then != NULL ? guard : 0};

    if (then != NULL)
        repair.then = *then;
    v->down = guard != 0;
    v->guard = then != NULL ? 0 : guard;
    node_adj_set(&chain.n[2], chain.adj[2][LEFT], v);
    node_repairs(&repair);
    node_label(&chain.n[2], &key, &l);
    node_route(&chain.n[2], &a, 128, &far);
    node_repairs(&(struct hd_repair){.guard = guard});
    node_route(&chain.n[2], &b, 128, &near);
    node_repairs(&(struct hd_repair){.guard = 0});
}

static void look_at_links(unsigned node)
{
    for (enum side side = LEFT; side <= RIGHT; side++) {
        if (!has_side(node, side))
            continue;
        chain.mac[node][side] = mac_of(chain.n[node].pid, names[side]);
        chain.ifindex[node][side] = ifindex_of(chain.n[node].pid, names[side]);
    }
}

void chain_fill(unsigned node)
{
    for (enum side side = LEFT; side <= RIGHT; side++) {
        if (!has_side(node, side))
            continue;
        HD_ASSERT(node_interface(&chain.n[node], chain.ifindex[node][side], 1500, true) == 0);
        struct hd_adj_value v = adj_value(node, side);
        chain.adj[node][side] = node_adj(&chain.n[node], &v);
    }
    for (unsigned target = 0; target < CHAIN; target++) {
        set_label(node, target);
        set_route(node, target);
    }
}

/* Adopting finds the device that an earlier start had to be content with. */
static void make_veth(unsigned node)
{
    HD_ASSERT(shell(chain.n[node].pid, "ip link add kira0 type veth peer name kira1 && "
                                       "ip link set kira0 alias heddle") == 0);
}

void chain_make(void)
{
    for (unsigned i = 0; i < CHAIN; i++)
        node_start(&chain.n[i], i, mixed && i % 2 == 0 ? HD_FWD_EBPF : backend);
    for (unsigned i = 0; i + 1 < CHAIN; i++)
        join(chain.n[i].pid, chain.n[i + 1].pid);
    for (unsigned i = 0; i < CHAIN; i++)
        look_at_links(i);
    for (unsigned i = 0; i < CHAIN; i++) {
        if (kira0_is_veth)
            make_veth(i);
        HD_ASSERT(node_open(&chain.n[i], kira0_is_veth) == 0);
        chain_fill(i);
    }
}

void chain_remove(void)
{
    /* The last first: each process holds the channels to those started before it. */
    for (unsigned i = CHAIN; i-- > 0;)
        node_stop(&chain.n[i]);
}

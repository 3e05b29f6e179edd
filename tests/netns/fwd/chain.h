/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Five nodes in a row, every one reaching every other: plain to neighbours, by labels beyond. The
 * label with which a packet for node t arrives at node n is label_at(n, t); it need not be a hash
 * of a path, since the data plane does not look into it.
 */
#ifndef TEST_FWD_CHAIN_H
#define TEST_FWD_CHAIN_H

#include "node.h"

enum { A, B, C, D, E };
enum side { LEFT, RIGHT };

#define PID(node) (chain.n[node].pid)

struct chain {
    struct node n[CHAIN];
    struct hd_mac mac[CHAIN][2];
    uint32_t ifindex[CHAIN][2];
    uint32_t adj[CHAIN][2];
};

extern struct chain chain;
extern enum hd_fwd_backend backend;
/* Every other node, from the first on, has the ebpf back-end nevertheless. */
extern bool mixed;
extern bool kira0_is_veth; /* as where the kernel has neither dummy nor ifb */

struct hd_label label_at(unsigned node, unsigned target);
struct hd_ip6 label_address(const struct hd_label *l);
/* The side of node n on which target lies. */
enum side towards(unsigned node, unsigned target);
struct hd_adj_value adj_value(unsigned node, enum side side);

/* Tells a node of its links, adjacencies, labels and routes: all objects are new. */
void chain_fill(unsigned node);
void chain_make(void);
void chain_remove(void);
/* Routes from `node` to `target` as they are at first. */
void set_route(unsigned node, unsigned target);
/* Over a path that ends at `end`, which has to send the packet on. */
void set_overlay_route(unsigned node, unsigned target, unsigned end);
/*
 * Prepared repair at the third node, for what goes left. The line has no second way: ways round
 * lead over a second adjacency of the same link. 0: as before; without `then` only the adjacency
 * *v has the guard.
 */
void set_guarded(struct hd_adj_value *v, uint16_t guard, const struct hd_label *then);

#endif

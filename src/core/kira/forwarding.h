/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and routes: what the parts of the core ask of labels.c and routes.c, which keep the tables
 * of the model. */
#ifndef HEDDLE_CORE_KIRA_FORWARDING_H
#define HEDDLE_CORE_KIRA_FORWARDING_H

#include "core/kira/state.h"

/* --- labels.c -----------------------------------------------------------------------------------
 */
#define KIRA_LABEL_EXPLICIT 0x1u /* rows show it */
#define KIRA_LABEL_ULN      0x2u
#define KIRA_LABEL_TWO_HOP  0x4u
#define KIRA_LABEL_OWN      0x8u
struct hd_label kira_label(const struct kira_call *x, const hd_node *path, uint32_t len);
void kira_label_own(struct kira_call *x);
void kira_label_uln(struct kira_call *x, struct kira_uln *u, bool add);
void kira_label_two_hop(struct kira_call *x, struct kira_uln *u, hd_node z, bool add);
/* Removes all two-hop labels over a neighbour whose list is to be told anew. */
void kira_labels_two_hop_forget(struct kira_call *x, struct kira_uln *u);
/* How many two-hop labels a node with so many neighbours keeps over each of them. */
uint32_t kira_two_hop_share(uint32_t degree);
/* Up to how many neighbours of a middle others rely on such a node to have them all. */
uint32_t kira_two_hop_trust(uint32_t degree);
/* The number of living neighbours changed: the share of each is another. */
void kira_labels_share_anew(struct kira_call *x);
/* Do data need labels on the way that only a set-up leaves there? */
bool kira_path_needs_setup(struct kira *k, const hd_node *path, uint32_t len);
bool kira_contact_needs_setup(struct kira *k, const struct kira_contact *p);
void kira_label_explicit(struct kira_call *x, const struct hd_kira_msg *m);
void kira_labels_move(struct kira_call *x, uint32_t from_adj, uint32_t to_adj);
void kira_labels_drop(struct kira_call *x, uint32_t adj);
void kira_labels_unclaimed(struct kira_call *x);
void kira_labels_tick(struct kira_call *x);
void kira_labels_rebuild(struct kira_call *x);
void kira_labels_adopt(struct kira_call *x);

/* --- routes.c -----------------------------------------------------------------------------------
 */
/* The prefix route of nodes that share so many bits has to be looked at, with the next one. */
static inline void kira_prefix_doubt(struct kira *k, uint8_t bits)
{
    k->prefix_dirty[bits / 64] |= UINT64_C(1) << bits % 64;
}
static inline void kira_prefix_dirty(struct kira *k, uint8_t bits)
{
    kira_prefix_doubt(k, bits);
    k->bucket_dirty = true;
}
/* All of them. */
static inline void kira_prefixes_dirty(struct kira *k)
{
    memset(k->prefix_dirty, 0xff, sizeof k->prefix_dirty);
    k->bucket_dirty = true;
}
void kira_routes_work(struct kira_call *x, uint32_t units);
void kira_route_own(struct kira_call *x);
void kira_route_uln(struct kira_call *x, const struct kira_uln *u);
void kira_route_drop(struct kira_call *x, hd_node node);
void kira_routes_drop(struct kira_call *x, uint32_t adj);

#endif

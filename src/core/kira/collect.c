/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collection of identifiers: remote nodes name many, of which few stay in use. When the table asks
 * for it, every handle in the core's state is marked and the others are freed. A new field of type
 * hd_node in state.h belongs here too; tests/model/kira_collect_test.c runs with a collection after
 * every call.
 */
#include "core/kira/state.h"

void kira_collect(struct kira_call *x)
{
    struct kira *k = x->k;
    struct hd_ids *t = x->c->ids;

    hd_ids_mark_begin(t);
    hd_ids_mark(t, k->self);
    for (uint32_t i = 0; i < k->ulns.len; i++)
        hd_ids_mark(t, k->ulns.v[i]->node);
    for (uint32_t i = 0; i < k->vicinity.len; i++) {
        hd_ids_mark(t, k->vicinity.v[i]->node);
        for (uint32_t j = 0; j < k->vicinity.v[i]->list_len; j++)
            hd_ids_mark(t, k->vicinity.v[i]->list[j]);
    }
    for (uint32_t i = 0; i < k->contacts.len; i++)
        hd_ids_mark(t, k->contacts.v[i].node);
    for (uint32_t i = 0; i < k->trie.len; i++)
        if (k->trie.v[i].node != 0)
            hd_ids_mark(t, k->trie.v[i].node);
    for (uint32_t i = 0; i < k->requests.len; i++) {
        hd_ids_mark(t, k->requests.v[i]->node);
        hd_ids_mark(t, k->requests.v[i]->via);
    }
    for (uint32_t i = 0; i < k->searches.len; i++) {
        hd_ids_mark(t, k->searches.v[i]->node);
        for (uint8_t j = 0; j < k->searches.v[i]->vias_len; j++)
            hd_ids_mark(t, k->searches.v[i]->vias[j]);
    }
    for (uint32_t i = 0; i < k->commands.len; i++)
        hd_ids_mark(t, k->commands.v[i]->node);
    for (uint32_t i = 0; i < k->failed.len; i++) {
        hd_ids_mark(t, k->failed.v[i].a);
        hd_ids_mark(t, k->failed.v[i].b);
    }
    for (uint32_t i = 0; i < k->updates_len; i++)
        hd_ids_mark(t, k->updates[i].node);
    for (uint32_t i = 0; i < k->guards.len; i++) {
        hd_ids_mark(t, k->guards.v[i].y);
        hd_ids_mark(t, k->guards.v[i].z);
    }
    hd_ids_mark(t, k->last_notice_to);
    /* labels name a neighbour by handle in their owner word; a wrong one there only miscounts */
    hd_ids_sweep(t);
}

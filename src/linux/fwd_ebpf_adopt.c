/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a restart of the router process the maps are as they were: their entries become adopted
 * objects of the new model, which its cores claim or sweep. Adjacencies keep their numbers, since
 * labels and routes name them.
 */
#include <bpf/bpf.h>
#include <errno.h>

#include "linux/fwd_ebpf.h"

#define BATCH 128

union key {
    uint32_t index;
    struct hd_bpf_label_key label;
    struct hd_bpf_node_key node;
};

union value {
    struct hd_bpf_adj adj;
    struct hd_bpf_way way;
    struct hd_bpf_label label;
    struct hd_bpf_node node;
};

struct adoption {
    struct hd_model *model;
    uint8_t owner;
    int (*take)(const struct adoption *a, const union key *k, const union value *v);
};

static int take_adj(const struct adoption *a, const union key *k, const union value *v)
{
    struct hd_adj_value adj = {.ifindex = v->adj.ifindex,
                               .admitted = (v->adj.flags & HD_BPF_ADJ_ADMITTED) != 0,
                               .down = (v->adj.flags & HD_BPF_ADJ_DOWN) != 0,
                               .guard = (uint16_t)v->adj.way};

    if (v->adj.ifindex == 0) /* an empty element */
        return 0;
    memcpy(&adj.mac, v->adj.mac, sizeof adj.mac);
    memcpy(&adj.link_local, v->adj.link_local, sizeof adj.link_local);
    return hd_model_adopt_adj(a->model, a->owner, k->index, &adj);
}

static int take_guard(const struct adoption *a, const union key *k, const union value *v)
{
    struct hd_guard_value guard = {.adj = v->way.adj};

    if (v->way.adj == 0) /* an empty element, which says nothing of its object */
        return 0;
    memcpy(&guard.out, v->way.out + 2, sizeof guard.out);
    memcpy(&guard.then, v->way.then + 2, sizeof guard.then);
    return hd_model_adopt_guard(a->model, a->owner, k->index, &guard);
}

static int take_label(const struct adoption *a, const union key *k, const union value *v)
{
    struct hd_label_value label = {.act = (uint8_t)v->label.act, .adj = v->label.adj};
    struct hd_repair repair = {.guard = (uint16_t)v->label.way};
    struct hd_label key;

    memcpy(&key, k->label.label + 2, sizeof key);
    memcpy(&label.out, v->label.out + 2, sizeof label.out);
    memcpy(&repair.then, v->label.then + 2, sizeof repair.then);
    return hd_model_adopt_label(a->model, a->owner, &key, &label, &repair);
}

static int take_route(const struct adoption *a, const union key *k, const union value *v)
{
    struct hd_route_value route = {
        .act = (uint8_t)v->node.act, .mtu = (uint16_t)v->node.mtu, .adj = v->node.adj};
    struct hd_repair repair = {.guard = (uint16_t)v->node.way};
    struct hd_route_key key = {.len = (uint8_t)k->node.prefix_len};

    memcpy(&key.prefix, k->node.prefix, sizeof key.prefix);
    memcpy(&route.out, v->node.label + 2, sizeof route.out);
    memcpy(&repair.then, v->node.then + 2, sizeof repair.then);
    return hd_model_adopt_route(a->model, a->owner, &key, &route, &repair);
}

static int walk(int map, const struct adoption *a)
{
    union key at, next;
    union value v;
    int error = 0, rc;

    for (rc = bpf_map_get_next_key(map, NULL, &next); rc == 0 && error == 0;
         rc = bpf_map_get_next_key(map, &at, &next)) {
        if (bpf_map_lookup_elem(map, &next, &v) != 0)
            return HD_ESYS;
        error = a->take(a, &next, &v);
        at = next;
    }
    if (error != 0)
        return error;
    return errno == ENOENT ? 0 : HD_ESYS;
}

/* An array, read by the piece: most of it is empty. */
static int walk_array(int map, size_t size, const struct adoption *a)
{
    uint32_t keys[BATCH], at = 0, count;
    union value values[BATCH], v; /* elements of so many bytes, one behind the other */
    int rc = 0, error = 0;

    for (bool first = true; rc == 0 && error == 0; first = false) {
        count = BATCH;
        rc = bpf_map_lookup_batch(map, first ? NULL : &at, &at, keys, values, &count, NULL);
        if (rc != 0 && errno != ENOENT)
            return HD_ESYS;
        for (uint32_t i = 0; i < count && error == 0; i++) {
            memcpy(&v, (const uint8_t *)values + i * size, size);
            error = a->take(a, &(union key){.index = keys[i]}, &v);
        }
    }
    return error;
}

int hd_fwd_ebpf_adopt(const int *maps, struct hd_model *m, uint8_t owner)
{
    struct adoption a = {.model = m, .owner = owner, .take = take_adj};
    int error = walk_array(maps[HD_EBPF_ADJS], sizeof(struct hd_bpf_adj), &a);

    a.take = take_guard;
    if (error == 0)
        error = walk_array(maps[HD_EBPF_WAYS], sizeof(struct hd_bpf_way), &a);
    a.take = take_label;
    if (error == 0)
        error = walk(maps[HD_EBPF_LABELS], &a);
    a.take = take_route;
    if (error == 0)
        error = walk(maps[HD_EBPF_NODES], &a);
    return error;
}

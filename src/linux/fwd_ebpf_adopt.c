/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a restart of the router process the maps are as they were: their entries become adopted
 * objects of the new model, which its cores claim or sweep. Adjacencies keep their numbers, since
 * labels and routes name them.
 */
#include <bpf/bpf.h>
#include <errno.h>

#include "linux/fwd_ebpf.h"

#define ADJ_BATCH 128

union key {
    uint32_t adj;
    struct hd_bpf_label_key label;
    struct hd_bpf_node_key node;
};

union value {
    struct hd_bpf_adj adj;
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

    memcpy(&adj.mac, v->adj.mac, sizeof adj.mac);
    memcpy(&adj.link_local, v->adj.link_local, sizeof adj.link_local);
    return hd_model_adopt_adj(a->model, a->owner, k->adj, &adj);
}

static int take_guard(const struct adoption *a, uint32_t guard, const struct hd_bpf_way *w)
{
    struct hd_guard_value v = {.adj = w->adj};

    memcpy(&v.out, w->out + 2, sizeof v.out);
    memcpy(&v.then, w->then + 2, sizeof v.then);
    return hd_model_adopt_guard(a->model, a->owner, guard, &v);
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

/* The adjacencies are an array, read by the piece: most of it is empty. */
static int walk_adjs(int map, const struct adoption *a)
{
    uint32_t keys[ADJ_BATCH], at = 0, count;
    union value v;
    struct hd_bpf_adj values[ADJ_BATCH];
    int rc = 0, error = 0;

    for (bool first = true; rc == 0 && error == 0; first = false) {
        count = ADJ_BATCH;
        rc = bpf_map_lookup_batch(map, first ? NULL : &at, &at, keys, values, &count, NULL);
        if (rc != 0 && errno != ENOENT)
            return HD_ESYS;
        for (uint32_t i = 0; i < count && error == 0; i++) {
            if (values[i].ifindex == 0)
                continue;
            v.adj = values[i];
            error = a->take(a, &(union key){.adj = keys[i]}, &v);
        }
    }
    return error;
}

/* Only those that lead somewhere: an empty element says nothing of its object. */
static int walk_ways(int map, const struct adoption *a)
{
    uint32_t keys[ADJ_BATCH], at = 0, count;
    struct hd_bpf_way values[ADJ_BATCH];
    int rc = 0, error = 0;

    for (bool first = true; rc == 0 && error == 0; first = false) {
        count = ADJ_BATCH;
        rc = bpf_map_lookup_batch(map, first ? NULL : &at, &at, keys, values, &count, NULL);
        if (rc != 0 && errno != ENOENT)
            return HD_ESYS;
        for (uint32_t i = 0; i < count && error == 0; i++)
            if (values[i].adj != 0)
                error = take_guard(a, keys[i], &values[i]);
    }
    return error;
}

int hd_fwd_ebpf_adopt(const int *maps, struct hd_model *m, uint8_t owner)
{
    struct adoption a = {.model = m, .owner = owner, .take = take_adj};
    int error = walk_adjs(maps[HD_EBPF_ADJS], &a);

    if (error == 0)
        error = walk_ways(maps[HD_EBPF_WAYS], &a);
    a.take = take_label;
    if (error == 0)
        error = walk(maps[HD_EBPF_LABELS], &a);
    a.take = take_route;
    if (error == 0)
        error = walk(maps[HD_EBPF_NODES], &a);
    return error;
}

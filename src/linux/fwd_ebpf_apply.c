/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model changes become map entries. Changes of one kind that follow each other go to the kernel in
 * one batch; when it refuses one, the rest of that batch goes entry by entry so that each object
 * learns its own fate. forwarding-on-linux.md, 5 and 8: all of it works without privilege on
 * inherited maps.
 */
#include <bpf/bpf.h>
#include <errno.h>

#include "lib/base.h"
#include "linux/fwd_ebpf.h"

#define BATCH 64

struct batch {
    const int *maps;
    struct hd_model *model;
    uint16_t label_prefix;
    enum hd_object_kind kind;
    bool del;
    uint32_t count;
    struct hd_change changes[BATCH];
    union {
        struct hd_bpf_label_key labels[BATCH];
        struct hd_bpf_node_key nodes[BATCH];
    } keys;
    union {
        struct hd_bpf_label labels[BATCH];
        struct hd_bpf_node nodes[BATCH];
    } values;
};

static int map_error(void)
{
    switch (errno) {
    case E2BIG:
    case ENOSPC:
        return HD_ELIMIT;
    case ENOMEM:
        return HD_ENOMEM;
    case ENOENT:
        return HD_ENOENT;
    case EPERM:
        return HD_EPERM;
    default:
        return HD_ESYS;
    }
}

static int map_set(int map, const void *key, const void *value)
{
    return bpf_map_update_elem(map, key, value, BPF_ANY) == 0 ? 0 : map_error();
}

/* What is not there need not be removed. */
static int map_del(int map, const void *key)
{
    int error = bpf_map_delete_elem(map, key) == 0 ? 0 : map_error();

    return error == HD_ENOENT ? 0 : error;
}

/* --- adjacencies
 * ---------------------------------------------------------------------------------- */

static struct hd_bpf_source source_of(uint32_t ifindex, const void *mac)
{
    struct hd_bpf_source s = {.ifindex = ifindex};

    memcpy(s.mac, mac, sizeof s.mac);
    return s;
}

/* Two adjacencies may lie behind one MAC of one interface. */
static bool still_admitted(const struct hd_model *m, const struct hd_bpf_source *s)
{
    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_ADJ, i)) != 0;) {
        const struct hd_adj_value *v = &hd_model_adj(m, i)->v;
        if (v->admitted && v->ifindex == s->ifindex && memcmp(&v->mac, s->mac, sizeof s->mac) == 0)
            return true;
    }
    return false;
}

/* Takes back the admission that the adjacency's installed value had brought. */
static int withdraw(const struct batch *b, const struct hd_bpf_adj *old)
{
    struct hd_bpf_source s = source_of(old->ifindex, old->mac);

    if (!(old->flags & HD_BPF_ADJ_ADMITTED) || still_admitted(b->model, &s))
        return 0;
    return map_del(b->maps[HD_EBPF_ADMITTED], &s);
}

/*
 * An array's elements are overwritten in place. Whoever reads one meanwhile must not send to the
 * new MAC over the old interface: where these change, the element is empty in between.
 */
static int write_adj(int map, uint32_t adj, const struct hd_bpf_adj *old,
                     const struct hd_bpf_adj *new)
{
    static const struct hd_bpf_adj none;
    bool moves = old->ifindex != new->ifindex || memcmp(old->mac, new->mac, sizeof new->mac) != 0;

    if (old->ifindex != 0 && moves && map_set(map, &adj, &none) != 0)
        return map_error();
    return map_set(map, &adj, new);
}

static int set_adj(const struct batch *b, uint32_t adj, const struct hd_adj_value *v)
{
    struct hd_bpf_source s = source_of(v->ifindex, &v->mac);
    struct hd_bpf_adj old = {0}, new = {.ifindex = v->ifindex};
    int error = bpf_map_lookup_elem(b->maps[HD_EBPF_ADJS], &adj, &old) == 0 ? 0 : map_error();

    memcpy(new.mac, &v->mac, sizeof new.mac);
    new.way = v->guard;
    memcpy(new.link_local, &v->link_local, sizeof new.link_local);
    new.flags = (v->admitted ? HD_BPF_ADJ_ADMITTED : 0) | (v->down ? HD_BPF_ADJ_DOWN : 0);
    if (error == 0 && v->admitted)
        error = map_set(b->maps[HD_EBPF_ADMITTED], &s, &adj);
    if (error == 0)
        error = write_adj(b->maps[HD_EBPF_ADJS], adj, &old, &new);
    if (error == 0)
        error = withdraw(b, &old);
    return error;
}

static int del_adj(const struct batch *b, uint32_t adj)
{
    static const struct hd_bpf_adj none;
    struct hd_bpf_adj old = {0};
    int error;

    if (bpf_map_lookup_elem(b->maps[HD_EBPF_ADJS], &adj, &old) != 0 || old.ifindex == 0)
        return 0;
    error = map_set(b->maps[HD_EBPF_ADJS], &adj, &none);
    return error != 0 ? error : withdraw(b, &old);
}

static void change_adj(const struct batch *b, const struct hd_change *c)
{
    int error =
        c->del ? del_adj(b, c->index) : set_adj(b, c->index, &hd_model_adj(b->model, c->index)->v);

    hd_model_done(b->model, c, error);
}

/* What is carried round: an address, or all zero. */
static void then_address(uint8_t address[16], uint16_t prefix, const struct hd_label *then)
{
    memset(address, 0, 16);
    if (!hd_label_is_none(then))
        hd_fwd_ebpf_label(address, prefix, then);
}

/* An element may be read half new, half old: where it changes, it is empty in between. */
static void change_guard(const struct batch *b, const struct hd_change *c)
{
    static const struct hd_bpf_way none;
    struct hd_bpf_way old = {0}, new = {0};
    int map = b->maps[HD_EBPF_WAYS], error = 0;

    if (!c->del) {
        const struct hd_guard_value *v = &hd_model_guard(b->model, c->index)->v;
        new.adj = v->adj;
        if (v->adj != 0)
            hd_fwd_ebpf_label(new.out, b->label_prefix, &v->out);
        if (v->adj != 0)
            then_address(new.then, b->label_prefix, &v->then);
    }
    if (bpf_map_lookup_elem(map, &c->index, &old) != 0)
        error = map_error();
    if (error == 0 && old.adj != 0 && new.adj != 0)
        error = map_set(map, &c->index, &none);
    if (error == 0)
        error = map_set(map, &c->index, &new);
    hd_model_done(b->model, c, error);
}

/* --- labels and routes, in batches
 * ---------------------------------------------------------------- */

static int map_of(const struct batch *b)
{
    return b->maps[b->kind == HD_OBJ_LABEL ? HD_EBPF_LABELS : HD_EBPF_NODES];
}

static const void *key_at(const struct batch *b, uint32_t i)
{
    return b->kind == HD_OBJ_LABEL ? (const void *)&b->keys.labels[i]
                                   : (const void *)&b->keys.nodes[i];
}

static const void *value_at(const struct batch *b, uint32_t i)
{
    return b->kind == HD_OBJ_LABEL ? (const void *)&b->values.labels[i]
                                   : (const void *)&b->values.nodes[i];
}

/* How many of the batch the kernel took in one call; the rest gets its turn singly. */
static uint32_t flush_together(const struct batch *b)
{
    uint32_t count = b->count;
    int rc;

    if (count < 2)
        return 0;
    rc = b->del ? bpf_map_delete_batch(map_of(b), key_at(b, 0), &count, NULL)
                : bpf_map_update_batch(map_of(b), key_at(b, 0), value_at(b, 0), &count, NULL);
    if (rc == 0)
        return b->count;
    /* EFAULT and friends leave the count alone; then nothing is known to be done. */
    return count < b->count ? count : 0;
}

static void flush(struct batch *b)
{
    uint32_t together = flush_together(b);

    for (uint32_t i = 0; i < b->count; i++) {
        int error = 0;
        if (i >= together)
            error = b->del ? map_del(map_of(b), key_at(b, i))
                           : map_set(map_of(b), key_at(b, i), value_at(b, i));
        hd_model_done(b->model, &b->changes[i], error);
    }
    b->count = 0;
}

static void add_label(struct batch *b, uint32_t index)
{
    const struct hd_label_entry *e = hd_model_label_at(b->model, index);
    const struct hd_repair repair = hd_model_repair(b->model, e->repair);
    struct hd_bpf_label *v = &b->values.labels[b->count];

    hd_fwd_ebpf_label(b->keys.labels[b->count].label, b->label_prefix, &e->key);
    v->act = e->v.act;
    v->adj = e->v.adj;
    hd_fwd_ebpf_label(v->out, b->label_prefix, &e->v.out);
    v->way = repair.guard;
    then_address(v->then, b->label_prefix, &repair.then);
}

static void add_route(struct batch *b, uint32_t index)
{
    const struct hd_route_entry *e = hd_model_route_at(b->model, index);
    const struct hd_repair repair = hd_model_repair(b->model, e->repair);
    struct hd_bpf_node_key *k = &b->keys.nodes[b->count];
    struct hd_bpf_node *v = &b->values.nodes[b->count];

    k->prefix_len = e->key.len;
    memcpy(k->prefix, &e->key.prefix, sizeof k->prefix);
    v->act = e->v.act;
    v->adj = e->v.adj;
    v->mtu = e->v.mtu;
    hd_fwd_ebpf_label(v->label, b->label_prefix, &e->v.out);
    v->way = repair.guard;
    then_address(v->then, b->label_prefix, &repair.then);
}

static void add(struct batch *b, const struct hd_change *c)
{
    if (b->count == BATCH || b->kind != c->kind || b->del != c->del)
        flush(b);
    b->kind = c->kind;
    b->del = c->del;
    b->changes[b->count] = *c;
    if (c->kind == HD_OBJ_LABEL)
        add_label(b, c->index);
    else
        add_route(b, c->index);
    b->count++;
}

_Static_assert((int)HD_BPF_NODE_LOCAL == HD_ROUTE_LOCAL, "acts are copied");
_Static_assert((int)HD_BPF_NODE_DIRECT == HD_ROUTE_DIRECT, "acts are copied");
_Static_assert((int)HD_BPF_NODE_ENCAP == HD_ROUTE_ENCAP, "acts are copied");
_Static_assert((int)HD_BPF_NODE_UNREACHABLE == HD_ROUTE_UNREACHABLE, "acts are copied");
_Static_assert((int)HD_BPF_LABEL_DECAP == HD_LABEL_DECAP, "acts are copied");
_Static_assert((int)HD_BPF_LABEL_SWAP == HD_LABEL_SWAP, "acts are copied");

void hd_fwd_ebpf_apply(const int *maps, uint16_t label_prefix, struct hd_model *m)
{
    struct batch b;
    struct hd_change c;

    b.maps = maps;
    b.model = m;
    b.label_prefix = label_prefix;
    b.kind = HD_OBJ_LABEL;
    b.del = false;
    b.count = 0;
    while (hd_model_pull(m, &c)) {
        if (c.kind == HD_OBJ_ADJ) {
            flush(&b);
            change_adj(&b, &c);
        } else if (c.kind == HD_OBJ_GUARD) {
            flush(&b);
            change_guard(&b, &c);
        } else {
            add(&b, &c);
        }
    }
    flush(&b);
    hd_model_realised(m, m->generation);
}

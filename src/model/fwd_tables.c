/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of the forwarding model: vectors with free lists, an index for labels and one for
 * routes. Entry 0 is unused in all of them, so that 0 can mean "none". What is special about guards
 * is in fwd_guards.c.
 *
 * The indices find an entry by a salted hash of its key. Labels come and go by hundreds while a
 * network finds itself and few stay: tables that have become sparse are packed when nothing is on
 * its way to the data plane, since until then an entry's number names it.
 *
 * The longest match tries the prefix lengths in use, longest first. A fabric uses a handful (128
 * for nodes, one or two for aggregates), so this is one or two probes and no tree has to be kept.
 */
#include <string.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "lib/word.h"
#include "model/fwd_queue.h"
#include "model/liveness.h"
#include "model/virtual.h"

int hd_model_init(struct hd_model *m, struct hd_pool *pool, uint64_t salt)
{
    memset(m, 0, sizeof *m);
    m->pool = pool;
    m->salt = salt;
    m->adj_free.limit = HD_ADJS_MAX_DEFAULT;
    m->label_free.limit = HD_LABELS_MAX_DEFAULT;
    m->route_free.limit = HD_ROUTES_MAX_DEFAULT;
    return 0;
}

void hd_model_free(struct hd_model *m)
{
    hd_vec_free(m->pool, &m->adjs);
    hd_guards_free(m);
    hd_vec_free(m->pool, &m->labels);
    hd_vec_free(m->pool, &m->routes);
    hd_index_free(&m->label_index, m->pool);
    hd_index_free(&m->route_index, m->pool);
    hd_virtuals_free(m);
    hd_liveness_free(m);
}

struct hd_object *hd_object_at(const struct hd_model *m, enum hd_object_kind kind, uint32_t index)
{
    switch (kind) {
    case HD_OBJ_ADJ:
        HD_ASSERT(index < m->adjs.len);
        return &m->adjs.v[index].o;
    case HD_OBJ_GUARD:
        HD_ASSERT(m->guards != NULL && index < m->guards->v.len);
        return &m->guards->v.v[index].o;
    case HD_OBJ_LABEL:
        HD_ASSERT(index < m->labels.len);
        return &m->labels.v[index].o;
    case HD_OBJ_ROUTE:
        HD_ASSERT(index < m->routes.len);
        return &m->routes.v[index].o;
    }
    hd_assert_failed("kind of object", __FILE__, __LINE__);
}

static struct hd_table_free *table_free(struct hd_model *m, enum hd_object_kind kind)
{
    return kind == HD_OBJ_ADJ     ? &m->adj_free
           : kind == HD_OBJ_GUARD ? &m->guards->free
           : kind == HD_OBJ_LABEL ? &m->label_free
                                  : &m->route_free;
}

/* Makes a table at least `want` entries long; new entries are zero. */
static int table_extend(struct hd_model *m, enum hd_object_kind kind, uint32_t want)
{
    int error;

    switch (kind) {
    case HD_OBJ_ADJ:
        error = hd_vec_reserve(m->pool, &m->adjs, want);
        if (error == 0)
            m->adjs.len = want;
        return error;
    case HD_OBJ_GUARD:
        error = hd_vec_reserve(m->pool, &m->guards->v, want);
        if (error == 0)
            m->guards->v.len = want;
        return error;
    case HD_OBJ_LABEL:
        error = hd_vec_reserve(m->pool, &m->labels, want);
        if (error == 0)
            m->labels.len = want;
        return error;
    case HD_OBJ_ROUTE:
        error = hd_vec_reserve(m->pool, &m->routes, want);
        if (error == 0)
            m->routes.len = want;
        return error;
    }
    return HD_EINVAL;
}

int hd_slot_take(struct hd_model *m, enum hd_object_kind kind, uint32_t len)
{
    struct hd_table_free *f = table_free(m, kind);
    uint32_t index = f->head;

    if (f->live >= f->limit)
        return HD_ELIMIT;
    if (index == 0) {
        index = HD_MAX(len, 1u);
        int error = table_extend(m, kind, index + 1);
        if (error != 0)
            return error;
    }
    struct hd_object *o = hd_object_at(m, kind, index);
    if (f->head != 0)
        f->head = o->next;
    o->next = 0;
    o->in_use = 1;
    f->live++;
    return (int)index;
}

/* Gives a slot back; its content must be gone from the indices. */
static void slot_release(struct hd_model *m, enum hd_object_kind kind, uint32_t index)
{
    struct hd_table_free *f = table_free(m, kind);

    switch (kind) {
    case HD_OBJ_ADJ:
        memset(&m->adjs.v[index], 0, sizeof m->adjs.v[index]);
        break;
    case HD_OBJ_GUARD:
        memset(&m->guards->v.v[index], 0, sizeof m->guards->v.v[index]);
        break;
    case HD_OBJ_LABEL:
        hd_repair_drop(m, &m->labels.v[index].repair);
        memset(&m->labels.v[index], 0, sizeof m->labels.v[index]);
        break;
    case HD_OBJ_ROUTE:
        hd_repair_drop(m, &m->routes.v[index].repair);
        memset(&m->routes.v[index], 0, sizeof m->routes.v[index]);
        break;
    }
    hd_object_at(m, kind, index)->next = f->head;
    f->head = index;
    HD_ASSERT(f->live > 0);
    f->live--;
}

/* --- adjacencies ----------------------------------------------------------------------------- */

/*
 * Tells a driver that asked which value is in the data plane, or on its way there, when another
 * takes its place. One that was never pulled is of no interest: the driver has not seen it.
 */
void hd_object_tell_old(struct hd_model *m, enum hd_object_kind kind, uint32_t index)
{
    const struct hd_object *o = hd_object_at(m, kind, index);
    struct hd_model_old_list *list = m->old;

    if (list == NULL || !(o->present || o->in_flight > 0) || (o->queued && !o->queued_del))
        return;
    if (list->len == list->cap) {
        list->lost++;
        return;
    }
    struct hd_model_old *old = &list->v[list->len++];
    old->kind = (uint8_t)kind;
    old->index = index;
    if (kind == HD_OBJ_ADJ)
        old->v.adj = m->adjs.v[index].v;
    else if (kind == HD_OBJ_GUARD)
        old->v.guard = m->guards->v.v[index].v;
    else if (kind == HD_OBJ_LABEL) {
        old->v.label = m->labels.v[index].v;
        old->repair = hd_model_repair(m, m->labels.v[index].repair);
    } else {
        old->v.route = m->routes.v[index].v;
        old->repair = hd_model_repair(m, m->routes.v[index].repair);
    }
}

static bool adj_value_equal(const struct hd_adj_value *a, const struct hd_adj_value *b)
{
    return a->ifindex == b->ifindex && hd_ip6_equal(&a->link_local, &b->link_local) &&
           hd_mac_equal(&a->mac, &b->mac) && a->admitted == b->admitted && a->down == b->down &&
           a->guard == b->guard;
}

int hd_model_adj_add(struct hd_model *m, uint8_t owner, const struct hd_adj_value *v)
{
    int index = hd_slot_take(m, HD_OBJ_ADJ, m->adjs.len);

    if (index < 0)
        return index;
    m->adjs.v[index].v = *v;
    hd_object_want(m, HD_OBJ_ADJ, (uint32_t)index, owner, true);
    return index;
}

void hd_model_adj_set(struct hd_model *m, uint32_t adj, const struct hd_adj_value *v)
{
    HD_ASSERT(adj > 0 && adj < m->adjs.len && m->adjs.v[adj].o.wanted);
    struct hd_adj *a = &m->adjs.v[adj];
    bool changed = !adj_value_equal(&a->v, v);

    if (changed)
        hd_object_tell_old(m, HD_OBJ_ADJ, adj);
    a->v = *v;
    hd_object_want(m, HD_OBJ_ADJ, adj, a->o.owner, changed);
}

void hd_model_adj_del(struct hd_model *m, uint32_t adj)
{
    if (adj > 0 && adj < m->adjs.len)
        hd_object_unwant(m, HD_OBJ_ADJ, adj);
}

const struct hd_adj *hd_model_adj(const struct hd_model *m, uint32_t adj)
{
    return adj < m->adjs.len && m->adjs.v[adj].o.in_use ? &m->adjs.v[adj] : NULL;
}

uint32_t hd_model_adj_adopted(const struct hd_model *m, uint32_t ifindex,
                              const struct hd_ip6 *link_local)
{
    for (uint32_t i = 1; i < m->adjs.len; i++) {
        const struct hd_adj *a = &m->adjs.v[i];
        if (a->o.adopted && a->v.ifindex == ifindex && hd_ip6_equal(&a->v.link_local, link_local))
            return i;
    }
    return 0;
}

/* --- labels ---------------------------------------------------------------------------------- */

static bool label_value_equal(const struct hd_label_value *a, const struct hd_label_value *b)
{
    return a->act == b->act && a->adj == b->adj && memcmp(&a->out, &b->out, sizeof a->out) == 0;
}

static uint32_t label_hash(const struct hd_model *m, const struct hd_label *key)
{
    return (uint32_t)hd_hash_two(m->salt, hd_word_le(key->b),
                                 hd_word_le(key->b + sizeof key->b - 8));
}

static uint32_t label_hash_at(const void *model, uint32_t index)
{
    const struct hd_model *m = model;
    return label_hash(m, &m->labels.v[index].key);
}

/* The slot of a key, wanted or on its way out; 0 when there is none. */
static uint32_t label_slot(const struct hd_model *m, const struct hd_label *key)
{
    uint32_t hash = label_hash(m, key);
    uint32_t at, i = hd_index_first(&m->label_index, hash, &at);

    while (i != HD_INDEX_END && memcmp(&m->labels.v[i].key, key, sizeof *key) != 0)
        i = hd_index_next(&m->label_index, hash, &at);
    return i == HD_INDEX_END ? 0 : i;
}

/* Makes the slot of a new key: its index or an hd_error. */
static int label_new(struct hd_model *m, const struct hd_label *key)
{
    int index = hd_slot_take(m, HD_OBJ_LABEL, m->labels.len);

    if (index < 0)
        return index;
    m->labels.v[index].key = *key;
    if (hd_index_add(&m->label_index, m->pool, (uint32_t)index, label_hash_at, m) != 0) {
        slot_release(m, HD_OBJ_LABEL, (uint32_t)index);
        return HD_ENOMEM;
    }
    return index;
}

struct hd_label_entry *hd_model_label_set(struct hd_model *m, uint8_t owner,
                                          const struct hd_label *key,
                                          const struct hd_label_value *v)
{
    bool changed = true;
    uint32_t index = label_slot(m, key);

    if (index == 0) {
        int made = label_new(m, key);
        if (made < 0)
            return NULL;
        index = (uint32_t)made;
    } else {
        changed = !label_value_equal(&m->labels.v[index].v, v);
        if (changed)
            hd_object_tell_old(m, HD_OBJ_LABEL, index);
    }
    struct hd_label_entry *e = &m->labels.v[index];
    if (!e->o.wanted) { /* all this belongs to the owner before */
        e->owner_word = 0;
        e->until_s = 0;
        changed = changed || e->repair != 0;
        hd_repair_drop(m, &e->repair);
    }
    e->v = *v;
    hd_object_want(m, HD_OBJ_LABEL, index, owner, changed);
    return e;
}

struct hd_label_entry *hd_model_label_find(const struct hd_model *m, const struct hd_label *key)
{
    uint32_t index = label_slot(m, key);

    return index != 0 && m->labels.v[index].o.wanted ? &m->labels.v[index] : NULL;
}

void hd_model_label_del(struct hd_model *m, const struct hd_label *key)
{
    uint32_t index = label_slot(m, key);

    if (index != 0)
        hd_object_unwant(m, HD_OBJ_LABEL, index);
}

/* --- routes ---------------------------------------------------------------------------------- */

bool hd_route_value_equal(const struct hd_route_value *a, const struct hd_route_value *b)
{
    return a->act == b->act && a->mtu == b->mtu && a->adj == b->adj &&
           memcmp(&a->out, &b->out, sizeof a->out) == 0;
}

/* A prefix of an address: the bits past len are zero. */
static struct hd_route_key route_key(const struct hd_ip6 *prefix, unsigned len)
{
    struct hd_route_key key = {.prefix = *prefix, .len = (uint8_t)len};

    HD_ASSERT(len <= 128);
    for (unsigned i = (len + 7) / 8; i < 16; i++)
        key.prefix.b[i] = 0;
    if (len % 8 != 0)
        key.prefix.b[len / 8] &= (uint8_t)(0xff00u >> len % 8);
    return key;
}

static uint32_t route_hash(const struct hd_model *m, const struct hd_route_key *key)
{
    return (uint32_t)hd_hash_two(m->salt + key->len, hd_word_le(key->prefix.b),
                                 hd_word_le(key->prefix.b + 8));
}

static uint32_t route_hash_at(const void *model, uint32_t index)
{
    const struct hd_model *m = model;
    return route_hash(m, &m->routes.v[index].key);
}

static uint32_t route_slot(const struct hd_model *m, const struct hd_route_key *key)
{
    uint32_t hash = route_hash(m, key);
    uint32_t at, i = hd_index_first(&m->route_index, hash, &at);

    while (i != HD_INDEX_END && (m->routes.v[i].key.len != key->len ||
                                 !hd_ip6_equal(&m->routes.v[i].key.prefix, &key->prefix)))
        i = hd_index_next(&m->route_index, hash, &at);
    return i == HD_INDEX_END ? 0 : i;
}

static int route_new(struct hd_model *m, const struct hd_route_key *key)
{
    int index = hd_slot_take(m, HD_OBJ_ROUTE, m->routes.len);

    if (index < 0)
        return index;
    m->routes.v[index].key = *key;
    if (hd_index_add(&m->route_index, m->pool, (uint32_t)index, route_hash_at, m) != 0) {
        slot_release(m, HD_OBJ_ROUTE, (uint32_t)index);
        return HD_ENOMEM;
    }
    if (m->lens_used[key->len] < UINT8_MAX)
        m->lens_used[key->len]++;
    return index;
}

int hd_model_route_set(struct hd_model *m, uint8_t owner, const struct hd_route_key *key,
                       const struct hd_route_value *v)
{
    struct hd_route_key k = route_key(&key->prefix, key->len);
    bool changed = true;
    uint32_t index = route_slot(m, &k);

    if (index == 0) {
        int made = route_new(m, &k);
        if (made < 0)
            return made;
        index = (uint32_t)made;
    } else {
        changed = !hd_route_value_equal(&m->routes.v[index].v, v);
        if (changed)
            hd_object_tell_old(m, HD_OBJ_ROUTE, index);
    }
    struct hd_route_entry *e = &m->routes.v[index];
    if (!e->o.wanted) {
        changed = changed || e->repair != 0;
        hd_repair_drop(m, &e->repair);
    }
    e->v = *v;
    hd_object_want(m, HD_OBJ_ROUTE, index, owner, changed);
    return 0;
}

static uint32_t route_find(const struct hd_model *m, const struct hd_ip6 *prefix, unsigned len)
{
    struct hd_route_key k = route_key(prefix, len);
    uint32_t index = route_slot(m, &k);

    return index != 0 && m->routes.v[index].o.wanted ? index : 0;
}

struct hd_route_entry *hd_model_route_find(const struct hd_model *m, const struct hd_route_key *key)
{
    uint32_t index = route_find(m, &key->prefix, key->len);

    return index != 0 ? &m->routes.v[index] : NULL;
}

void hd_model_route_del(struct hd_model *m, const struct hd_route_key *key)
{
    uint32_t index = route_find(m, &key->prefix, key->len);

    if (index != 0)
        hd_object_unwant(m, HD_OBJ_ROUTE, index);
}

const struct hd_route_entry *hd_model_route_lookup(const struct hd_model *m,
                                                   const struct hd_ip6 *to)
{
    for (unsigned len = 129; len-- > 0;) {
        uint32_t index = m->lens_used[len] != 0 ? route_find(m, to, len) : 0;
        if (index != 0)
            return &m->routes.v[index];
    }
    return NULL;
}

/* --- packing --------------------------------------------------------------------------------- */

#define SPARSE_MIN 32u /* entries below which a table stays as it is */

/*
 * Is a quarter of the table's memory empty, and some entries more? What has just been packed is
 * not, although its block was rounded up by as much as a quarter.
 */
bool hd_table_is_sparse(uint32_t live, uint32_t cap)
{
    return cap > SPARSE_MIN && (uint64_t)live + live * 3 / 8 + SPARSE_MIN / 4 < cap;
}

static uint32_t packed_len(const struct hd_table_free *f)
{
    return f->live + f->live / 16 + 2;
}

/* Without memory for the smaller table the large one stays. */
static void pack_labels(struct hd_model *m)
{
    HD_VEC(struct hd_label_entry) packed = {0};

    if (hd_vec_reserve(m->pool, &packed, packed_len(&m->label_free)) != 0)
        return;
    packed.len = 1;
    for (uint32_t i = 1; i < m->labels.len; i++) {
        const struct hd_label_entry *e = &m->labels.v[i];
        if (!e->o.in_use)
            continue;
        hd_index_move(&m->label_index, label_hash(m, &e->key), i, packed.len);
        packed.v[packed.len++] = *e;
    }
    hd_vec_free(m->pool, &m->labels);
    memcpy(&m->labels, &packed, sizeof packed);
    m->label_free.head = 0;
}

static void pack_routes(struct hd_model *m)
{
    HD_VEC(struct hd_route_entry) packed = {0};

    if (hd_vec_reserve(m->pool, &packed, packed_len(&m->route_free)) != 0)
        return;
    packed.len = 1;
    for (uint32_t i = 1; i < m->routes.len; i++) {
        const struct hd_route_entry *e = &m->routes.v[i];
        if (!e->o.in_use)
            continue;
        hd_index_move(&m->route_index, route_hash(m, &e->key), i, packed.len);
        packed.v[packed.len++] = *e;
    }
    hd_vec_free(m->pool, &m->routes);
    memcpy(&m->routes, &packed, sizeof packed);
    m->route_free.head = 0;
}

void hd_tables_pack(struct hd_model *m)
{
    if (hd_table_is_sparse(m->label_free.live, m->labels.cap))
        pack_labels(m);
    if (hd_table_is_sparse(m->route_free.live, m->routes.cap))
        pack_routes(m);
    hd_repairs_pack(m);
}

/* --- leaving and adopting -------------------------------------------------------------------- */

void hd_object_forget(struct hd_model *m, enum hd_object_kind kind, uint32_t index)
{
    if (kind == HD_OBJ_LABEL) {
        hd_index_del(&m->label_index, m->pool, index, label_hash_at, m);
    } else if (kind == HD_OBJ_ROUTE) {
        const struct hd_route_key *key = &m->routes.v[index].key;
        hd_index_del(&m->route_index, m->pool, index, route_hash_at, m);
        if (m->lens_used[key->len] < UINT8_MAX) /* a count that saturated once stays a mere hint */
            m->lens_used[key->len]--;
    }
    slot_release(m, kind, index);
}

void hd_object_adopt(struct hd_object *o, uint8_t owner)
{
    o->owner = owner;
    o->wanted = o->installed = o->present = o->adopted = 1;
}

int hd_slot_take_at(struct hd_model *m, enum hd_object_kind kind, uint32_t len, uint32_t index)
{
    struct hd_table_free *f = table_free(m, kind);

    if (f->live >= f->limit || index > f->limit)
        return HD_ELIMIT;
    if (index >= len) {
        int error = table_extend(m, kind, index + 1);
        if (error != 0)
            return error;
        for (uint32_t i = index; i >= HD_MAX(len, 1u); i--) {
            hd_object_at(m, kind, i)->next = f->head;
            f->head = i;
        }
    }
    uint32_t *link = &f->head;
    while (*link != index) {
        if (*link == 0)
            return HD_EEXIST;
        link = &hd_object_at(m, kind, *link)->next;
    }
    struct hd_object *o = hd_object_at(m, kind, index);
    *link = o->next;
    o->next = 0;
    o->in_use = 1;
    f->live++;
    return 0;
}

int hd_model_adopt_adj(struct hd_model *m, uint8_t owner, uint32_t adj,
                       const struct hd_adj_value *v)
{
    if (adj == 0)
        return HD_EINVAL;
    int error = hd_slot_take_at(m, HD_OBJ_ADJ, m->adjs.len, adj);
    if (error != 0)
        return error;
    m->adjs.v[adj].v = *v;
    hd_object_adopt(&m->adjs.v[adj].o, owner);
    return 0;
}

int hd_model_adopt_label(struct hd_model *m, uint8_t owner, const struct hd_label *key,
                         const struct hd_label_value *v, const struct hd_repair *r)
{
    if (label_slot(m, key) != 0)
        return HD_EEXIST;
    int index = label_new(m, key);
    if (index < 0)
        return index;
    m->labels.v[index].v = *v;
    hd_object_adopt(&m->labels.v[index].o, owner);
    return hd_repair_set(m, &m->labels.v[index].repair, r);
}

int hd_model_adopt_route(struct hd_model *m, uint8_t owner, const struct hd_route_key *key,
                         const struct hd_route_value *v, const struct hd_repair *r)
{
    struct hd_route_key k = route_key(&key->prefix, key->len);

    if (route_slot(m, &k) != 0)
        return HD_EEXIST;
    int index = route_new(m, &k);
    if (index < 0)
        return index;
    m->routes.v[index].v = *v;
    hd_object_adopt(&m->routes.v[index].o, owner);
    return hd_repair_set(m, &m->routes.v[index].repair, r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Periodic objects (liveness.h): a table with a free list, and one queue of those that the driver
 * has to look at again. They depend on nothing, so their order does not matter and a change that
 * was pulled counts as done; the driver says so only when it failed.
 */
#include <string.h>

#include "lib/base.h"
#include "model/liveness.h"
#include "model/liveness_internal.h"

struct hd_liveness *hd_liveness_of(struct hd_model *m)
{
    if (m->live == NULL) {
        m->live = hd_pool_alloc(m->pool, sizeof *m->live);
        if (m->live == NULL)
            return NULL;
        hd_map_init(&m->live->by_discr, m->salt);
        hd_map_init(&m->live->by_peer, m->salt);
        m->live->periodic_free.limit = HD_PERIODICS_MAX;
        m->live->late_at = INT64_MIN / 2; /* never */
    }
    return m->live;
}

void hd_liveness_free(struct hd_model *m)
{
    if (m->live == NULL)
        return;
    hd_watches_free(m);
    hd_vec_free(m->pool, &m->live->periodics);
    hd_pool_free(m->pool, m->live, sizeof *m->live);
    m->live = NULL;
}

static struct hd_periodic *slot_at(const struct hd_model *m, uint32_t index)
{
    struct hd_liveness *l = m->live;

    return l != NULL && index != 0 && index < l->periodics.len ? &l->periodics.v[index] : NULL;
}

static void enqueue(struct hd_liveness *l, uint32_t index)
{
    struct hd_object *o = &l->periodics.v[index].o;

    if (o->queued)
        return;
    o->queued = 1;
    o->next = 0;
    if (l->queue.tail != 0)
        l->periodics.v[l->queue.tail].o.next = index;
    else
        l->queue.head = index;
    l->queue.tail = index;
}

/* Makes the table long enough; what it grows by becomes free. */
static int extend(struct hd_model *m, uint32_t want)
{
    struct hd_liveness *l = m->live;
    uint32_t len = l->periodics.len;
    int error = hd_vec_reserve(m->pool, &l->periodics, want);

    if (error != 0)
        return error;
    l->periodics.len = want;
    for (uint32_t i = want; i-- > HD_MAX(len, 1u);) {
        l->periodics.v[i].o.next = l->periodic_free.head;
        l->periodic_free.head = i;
    }
    return 0;
}

/* Takes a certain free slot, or with 0 any: its index or an hd_error. */
static int slot_take(struct hd_model *m, uint32_t index)
{
    struct hd_liveness *l = hd_liveness_of(m);
    int error = 0;

    if (l == NULL)
        return HD_ENOMEM;
    if (l->periodic_free.live >= l->periodic_free.limit || index > l->periodic_free.limit)
        return HD_ELIMIT;
    if (index >= l->periodics.len || l->periodic_free.head == 0)
        error = extend(m, HD_MAX(index, HD_MAX(l->periodics.len, 1u)) + 1);
    if (error != 0)
        return error;
    uint32_t *link = &l->periodic_free.head;
    while (index != 0 && *link != 0 && *link != index)
        link = &l->periodics.v[*link].o.next;
    if (*link == 0)
        return HD_EEXIST;
    index = *link;
    struct hd_periodic *p = &l->periodics.v[index];
    *link = p->o.next;
    *p = (struct hd_periodic){.o = {.in_use = 1, .wanted = 1}};
    l->periodic_free.live++;
    return (int)index;
}

int hd_model_periodic_add(struct hd_model *m, uint8_t owner, const struct hd_periodic_value *v)
{
    int index = slot_take(m, 0);

    if (index < 0)
        return index;
    struct hd_periodic *p = &m->live->periodics.v[index];
    p->o.owner = owner;
    p->v = *v;
    enqueue(m->live, (uint32_t)index);
    return index;
}

int hd_model_adopt_periodic(struct hd_model *m, uint8_t owner, uint32_t index,
                            const struct hd_periodic_value *v)
{
    int taken = index != 0 ? slot_take(m, index) : HD_EINVAL;

    if (taken < 0)
        return taken;
    struct hd_periodic *p = &m->live->periodics.v[index];
    p->o.owner = owner;
    p->o.adopted = p->o.installed = p->o.present = 1;
    p->v = *v;
    return 0;
}

void hd_model_periodic_set(struct hd_model *m, uint32_t index, const struct hd_periodic_value *v)
{
    struct hd_periodic *p = hd_model_periodic(m, index);

    HD_ASSERT(p != NULL);
    p->o.adopted = 0;
    if (memcmp(&p->v, v, sizeof *v) == 0)
        return;
    p->v = *v;
    p->o.installed = 0;
    enqueue(m->live, index);
}

void hd_model_periodic_del(struct hd_model *m, uint32_t index)
{
    struct hd_periodic *p = hd_model_periodic(m, index);

    if (p == NULL)
        return;
    p->o.wanted = p->o.adopted = 0;
    enqueue(m->live, index); /* also when no driver has seen it: the next pull frees the slot */
}

struct hd_periodic *hd_model_periodic(const struct hd_model *m, uint32_t index)
{
    struct hd_periodic *p = slot_at(m, index);

    return p != NULL && p->o.wanted ? p : NULL;
}

uint32_t hd_model_periodic_next(const struct hd_model *m, uint32_t after)
{
    uint32_t len = m->live != NULL ? m->live->periodics.len : 0;

    for (uint32_t i = after + 1; i < len; i++)
        if (m->live->periodics.v[i].o.wanted)
            return i;
    return 0;
}

/* --- for drivers ----------------------------------------------------------------------------- */

bool hd_model_periodic_pull(struct hd_model *m, struct hd_periodic_change *c)
{
    struct hd_liveness *l = m->live;

    if (l == NULL || l->queue.head == 0)
        return false;
    uint32_t index = l->queue.head;
    struct hd_periodic *p = &l->periodics.v[index];
    l->queue.head = p->o.next;
    if (l->queue.head == 0)
        l->queue.tail = 0;
    p->o.queued = 0;
    p->o.next = 0;
    *c = (struct hd_periodic_change){.index = index, .del = !p->o.wanted};
    if (c->del) {
        memset(p, 0, sizeof *p);
        p->o.next = l->periodic_free.head;
        l->periodic_free.head = index;
        l->periodic_free.live--;
    } else {
        p->o.installed = p->o.present = 1;
        p->o.reason = 0;
    }
    return true;
}

void hd_model_periodic_done(struct hd_model *m, uint32_t index, int error)
{
    struct hd_periodic *p = hd_model_periodic(m, index);

    if (p == NULL || error == 0)
        return;
    p->o.installed = 0;
    p->o.reason = (uint8_t)-error;
}

void hd_model_periodic_sweep(struct hd_model *m)
{
    for (uint32_t i = 0; (i = hd_model_periodic_next(m, i)) != 0;)
        hd_model_periodic_del(m, i);
}

void hd_model_periodics_lost(struct hd_model *m)
{
    for (uint32_t i = 0; (i = hd_model_periodic_next(m, i)) != 0;)
        enqueue(m->live, i);
}

void hd_model_periodic_count(struct hd_model *m, uint32_t index, uint64_t sent, uint64_t failed)
{
    struct hd_periodic *p = hd_model_periodic(m, index);

    if (p == NULL)
        return;
    p->sent += sent;
    p->failed += failed;
}

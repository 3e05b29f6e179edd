/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual interfaces (virtual.h): a short table and a queue of those that the driver has to look
 * at. They depend on no other object of the model. Tables are walked: there are at most a
 * thousand, and they change when somebody configures or a router fails.
 */
#include "model/virtual.h"

#include <string.h>

#include "lib/base.h"

static struct hd_virtual *slot_at(const struct hd_model *m, uint32_t index)
{
    struct hd_virtuals *t = m->virtuals;

    return t != NULL && index != 0 && index < t->v.len ? &t->v.v[index] : NULL;
}

static void enqueue(struct hd_virtuals *t, uint32_t index)
{
    struct hd_object *o = &t->v.v[index].o;

    if (o->queued)
        return;
    o->queued = 1;
    o->next = 0;
    if (t->queue.tail != 0)
        t->v.v[t->queue.tail].o.next = index;
    else
        t->queue.head = index;
    t->queue.tail = index;
}

/* A slot that nothing uses, the table grown by one if need be: its index or an hd_error. */
static int slot_take(struct hd_model *m, uint8_t owner, const struct hd_virtual_value *v)
{
    struct hd_virtuals *t = m->virtuals;
    uint32_t i = 1;

    if (t == NULL) {
        t = m->virtuals = hd_pool_alloc(m->pool, sizeof *t);
        if (t == NULL)
            return HD_ENOMEM;
    }
    if (t->live >= HD_VIRTUALS_MAX)
        return HD_ELIMIT;
    while (i < t->v.len && t->v.v[i].o.in_use)
        i++;
    if (i >= t->v.len) {
        int error = hd_vec_reserve(m->pool, &t->v, i + 1);
        if (error != 0)
            return error;
        t->v.len = i + 1;
    }
    t->v.v[i] = (struct hd_virtual){.o = {.in_use = 1, .wanted = 1, .owner = owner}, .v = *v};
    t->live++;
    return (int)i;
}

static bool same_name(const struct hd_virtual_value *a, uint32_t ifindex, uint8_t family,
                      uint8_t number)
{
    return a->ifindex == ifindex && a->family == family && a->number == number;
}

/* The first wanted one behind this index, which becomes its own; NULL behind the last. */
static struct hd_virtual *wanted_after(const struct hd_model *m, uint32_t *index)
{
    struct hd_virtual *x;

    while ((x = slot_at(m, ++*index)) != NULL)
        if (x->o.wanted)
            return x;
    return NULL;
}

static uint32_t find_adopted(const struct hd_model *m, uint8_t owner, uint32_t ifindex,
                             uint8_t family, uint8_t number)
{
    const struct hd_virtual *x;

    for (uint32_t i = 0; (x = wanted_after(m, &i)) != NULL;)
        if (x->o.adopted && x->o.owner == owner && same_name(&x->v, ifindex, family, number))
            return i;
    return 0;
}

int hd_model_virtual_add(struct hd_model *m, uint8_t owner, const struct hd_virtual_value *v)
{
    uint32_t adopted = find_adopted(m, owner, v->ifindex, v->family, v->number);

    if (adopted != 0) {
        (void)hd_model_virtual_set(m, adopted, v);
        return (int)adopted;
    }
    int index = slot_take(m, owner, v);
    if (index > 0)
        enqueue(m->virtuals, (uint32_t)index);
    return index;
}

int hd_model_adopt_virtual(struct hd_model *m, uint8_t owner, const struct hd_virtual_value *v)
{
    int index = slot_take(m, owner, v);

    if (index < 0)
        return index;
    struct hd_virtual *x = &m->virtuals->v.v[index];
    x->o.adopted = x->o.installed = x->o.present = 1;
    return 0;
}

bool hd_model_virtual_set(struct hd_model *m, uint32_t index, const struct hd_virtual_value *v)
{
    struct hd_virtual *x = hd_model_virtual(m, index);

    HD_ASSERT(x != NULL);
    x->o.adopted = 0;
    if (memcmp(&x->v, v, sizeof *v) == 0)
        return !x->o.installed;
    x->v = *v;
    x->o.installed = 0;
    enqueue(m->virtuals, index);
    return true;
}

void hd_model_virtual_del(struct hd_model *m, uint32_t index)
{
    struct hd_virtual *x = hd_model_virtual(m, index);

    if (x == NULL)
        return;
    x->o.wanted = x->o.adopted = 0;
    enqueue(m->virtuals, index);
}

struct hd_virtual *hd_model_virtual(const struct hd_model *m, uint32_t index)
{
    struct hd_virtual *x = slot_at(m, index);

    return x != NULL && x->o.wanted ? x : NULL;
}

const struct hd_virtual *hd_model_virtual_adopted(const struct hd_model *m, uint8_t owner,
                                                  uint32_t ifindex, uint8_t family, uint8_t number)
{
    return slot_at(m, find_adopted(m, owner, ifindex, family, number));
}

uint32_t hd_model_virtual_next(const struct hd_model *m, uint32_t after)
{
    return wanted_after(m, &after) != NULL ? after : 0;
}

void hd_model_virtual_sweep(struct hd_model *m, uint8_t owner)
{
    const struct hd_virtual *x;

    for (uint32_t i = 0; (x = wanted_after(m, &i)) != NULL;)
        if (x->o.adopted && x->o.owner == owner)
            hd_model_virtual_del(m, i);
}

/* --- for drivers ----------------------------------------------------------------------------- */

bool hd_model_virtual_pull(struct hd_model *m, struct hd_virtual_change *c)
{
    struct hd_virtuals *t = m->virtuals;

    if (t == NULL || t->queue.head == 0)
        return false;
    uint32_t index = t->queue.head;
    struct hd_virtual *x = &t->v.v[index];
    t->queue.head = x->o.next;
    if (t->queue.head == 0)
        t->queue.tail = 0;
    x->o.queued = 0;
    x->o.next = 0;
    *c = (struct hd_virtual_change){
        .index = index, .owner = x->o.owner, .del = !x->o.wanted, .v = x->v};
    if (c->del) {
        memset(x, 0, sizeof *x);
        t->live--;
    }
    return true;
}

bool hd_model_virtual_done(struct hd_model *m, uint32_t index, const struct hd_virtual_value *v,
                           int error)
{
    struct hd_virtual *x = hd_model_virtual(m, index);

    if (x == NULL || memcmp(&x->v, v, sizeof *v) != 0)
        return false; /* another value is wanted by now, and is on its way */
    x->o.installed = error == 0;
    x->o.present = x->o.present || error == 0;
    x->o.reason = (uint8_t)-error;
    return true;
}

void hd_model_virtuals_repeat(struct hd_model *m)
{
    for (uint32_t i = 0; (i = hd_model_virtual_next(m, i)) != 0;)
        enqueue(m->virtuals, i);
}

void hd_virtuals_free(struct hd_model *m)
{
    if (m->virtuals == NULL)
        return;
    hd_vec_free(m->pool, &m->virtuals->v);
    hd_pool_free(m->pool, m->virtuals, sizeof *m->virtuals);
    m->virtuals = NULL;
}

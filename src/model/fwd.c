/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the forwarding model: which objects the driver has still to set or to delete.
 *
 * An object stands in at most one of eight queues, so that any number of edits between two pulls
 * costs the driver one operation. The queues are doubly linked through the objects: an edit that
 * turns a waiting set into a deletion (or back) moves the object in constant time and allocates
 * nothing, which is why edits of existing objects cannot fail.
 *
 * A driver may have several changes of one object on the way (`in_flight`), which it realises in
 * the order in which it pulled them. The slot of a deleted object lives until none is, since its
 * index names it in the kernel.
 *
 *   wanted     what the owner said last
 *   present    some value is in the data plane, as far as the finished changes tell
 *   installed  the wanted value is there; kept while a deletion waits, so that a set of the same
 * value merely takes the object off the queue
 */
#include "model/fwd.h"

#include <string.h>

#include "lib/base.h"
#include "model/fwd_queue.h"

/* Queue number of a change: sets by kind, then deletions in the opposite order. */
static unsigned queue_number(enum hd_object_kind kind, bool del)
{
    unsigned k = (unsigned)kind - HD_OBJ_ADJ;

    return del ? 2 * HD_OBJ_KINDS - 1 - k : k;
}

static enum hd_object_kind queue_kind(unsigned number)
{
    return (enum hd_object_kind)(HD_OBJ_ADJ +
                                 (number < HD_OBJ_KINDS ? number : 2 * HD_OBJ_KINDS - 1 - number));
}

static struct hd_change_queue *queue_at(struct hd_model *m, unsigned number)
{
    static const uint8_t place[2 * HD_OBJ_KINDS] = {0, 0, 1, 2, 3, 4, 0, 5};

    if (queue_kind(number) != HD_OBJ_GUARD)
        return &m->queue[place[number]];
    if (m->guards == NULL)
        return NULL;
    return number < HD_OBJ_KINDS ? &m->guards->set : &m->guards->del;
}

const struct hd_change_queue *hd_model_queue(const struct hd_model *m, unsigned number,
                                             enum hd_object_kind *kind)
{
    *kind = queue_kind(number);
    return queue_at((struct hd_model *)m, number);
}

static void enqueue(struct hd_model *m, enum hd_object_kind kind, uint32_t index, bool del)
{
    struct hd_change_queue *q = queue_at(m, queue_number(kind, del));
    struct hd_object *o = hd_object_at(m, kind, index);

    HD_ASSERT(!o->queued);
    o->queued = 1;
    o->queued_del = del;
    o->next = 0;
    o->prev = q->tail;
    if (q->tail != 0)
        hd_object_at(m, kind, q->tail)->next = index;
    else
        q->head = index;
    q->tail = index;
    m->queued++;
}

static void dequeue(struct hd_model *m, enum hd_object_kind kind, uint32_t index)
{
    struct hd_object *o = hd_object_at(m, kind, index);
    struct hd_change_queue *q = queue_at(m, queue_number(kind, o->queued_del));

    HD_ASSERT(o->queued && m->queued > 0);
    if (o->prev != 0)
        hd_object_at(m, kind, o->prev)->next = o->next;
    else
        q->head = o->next;
    if (o->next != 0)
        hd_object_at(m, kind, o->next)->prev = o->prev;
    else
        q->tail = o->prev;
    o->queued = 0;
    o->queued_del = 0;
    o->next = o->prev = 0;
    m->queued--;
}

void hd_object_want(struct hd_model *m, enum hd_object_kind kind, uint32_t index, uint8_t owner,
                    bool changed)
{
    struct hd_object *o = hd_object_at(m, kind, index);
    bool was_wanted = o->wanted;

    o->owner = owner;
    o->adopted = 0;
    o->wanted = 1;
    if (o->queued && o->queued_del)
        dequeue(m, kind, index);
    if (changed)
        o->installed = 0;
    if (o->installed) { /* also when it comes back unchanged before its deletion was pulled */
        if (!was_wanted)
            m->generation++;
        return;
    }
    /* The same value again is news only to a driver that refused it or was told to delete it. */
    bool on_the_way = o->queued || o->in_flight > 0;
    if (was_wanted && !changed && on_the_way)
        return;
    m->generation++;
    o->reason = 0;
    if (!o->queued)
        enqueue(m, kind, index, false);
}

void hd_object_unwant(struct hd_model *m, enum hd_object_kind kind, uint32_t index)
{
    struct hd_object *o = hd_object_at(m, kind, index);

    if (!o->wanted)
        return;
    o->wanted = 0;
    o->adopted = 0;
    m->generation++;
    if (o->queued)
        dequeue(m, kind, index);
    if (o->present || o->in_flight > 0)
        enqueue(m, kind, index, true);
    else
        hd_object_forget(m, kind, index);
}

bool hd_model_pull(struct hd_model *m, struct hd_change *c)
{
    for (unsigned i = 0; i < 2 * HD_OBJ_KINDS; i++) {
        const struct hd_change_queue *q = queue_at(m, i);
        uint32_t index = q != NULL ? q->head : 0;
        if (index == 0)
            continue;
        enum hd_object_kind kind = queue_kind(i);
        struct hd_object *o = hd_object_at(m, kind, index);
        if (o->in_flight == UINT8_MAX) /* the driver must finish some first */
            return false;
        *c = (struct hd_change){.kind = kind, .index = index, .del = o->queued_del};
        dequeue(m, kind, index);
        o->in_flight++;
        m->in_flight++;
        if (c->del)
            o->installed = 0;
        return true;
    }
    if (m->in_flight == 0)
        hd_tables_pack(m);
    return false;
}

static void tell_refused(struct hd_model_refused_list *list, const struct hd_change *c, int error)
{
    if (list->len == list->cap) {
        list->lost++;
        return;
    }
    list->v[list->len++] = (struct hd_model_refused){c->kind, c->index, error};
}

void hd_model_done(struct hd_model *m, const struct hd_change *c, int error)
{
    struct hd_object *o = hd_object_at(m, c->kind, c->index);

    HD_ASSERT(o->in_use && o->in_flight > 0 && m->in_flight > 0);
    m->in_flight--;
    if (error != 0 && m->old != NULL && m->old->refused != NULL)
        tell_refused(m->old->refused, c, error);
    o->in_flight--;
    if (c->del)
        o->present = 0; /* a refused deletion is left to reconciliation: nobody wants the object */
    else if (error == 0)
        o->present = 1;
    /* Only the last change that was pulled speaks about the value wanted now. */
    bool last = o->in_flight == 0 && !o->queued;
    if (!c->del && last && o->wanted) {
        o->installed = error == 0;
        o->reason = (uint8_t)-error;
        m->refusals += error != 0;
    }
    /* A deletion that waits has nothing to do when the set before it was refused. */
    if (!o->wanted && o->in_flight == 0 && (last || !o->present)) {
        if (o->queued)
            dequeue(m, c->kind, c->index);
        hd_object_forget(m, c->kind, c->index);
    }
}

void hd_model_realised(struct hd_model *m, uint32_t generation)
{
    m->installed_generation = generation;
}

void hd_model_lost(struct hd_model *m, enum hd_object_kind kind, uint32_t index)
{
    struct hd_object *o = hd_object_at(m, kind, index);

    if (!o->in_use)
        return;
    o->present = 0;
    o->installed = 0;
    if (o->wanted && !o->queued) {
        enqueue(m, kind, index, false);
    } else if (!o->wanted && o->in_flight == 0) {
        if (o->queued)
            dequeue(m, kind, index);
        hd_object_forget(m, kind, index);
    }
}

static uint32_t table_len(const struct hd_model *m, enum hd_object_kind kind)
{
    switch (kind) {
    case HD_OBJ_ADJ:
        return m->adjs.len;
    case HD_OBJ_GUARD:
        return m->guards != NULL ? m->guards->v.len : 0;
    case HD_OBJ_LABEL:
        return m->labels.len;
    case HD_OBJ_ROUTE:
        return m->routes.len;
    }
    return 0;
}

uint32_t hd_model_next(const struct hd_model *m, enum hd_object_kind kind, uint32_t after)
{
    for (uint32_t i = after + 1; i < table_len(m, kind); i++)
        if (hd_object_at(m, kind, i)->wanted)
            return i;
    return 0;
}

void hd_model_sweep(struct hd_model *m, uint8_t owner)
{
    /* Users first, so that no queue ever holds an adjacency whose labels stay. */
    static const enum hd_object_kind kinds[] = {HD_OBJ_ROUTE, HD_OBJ_LABEL, HD_OBJ_GUARD,
                                                HD_OBJ_ADJ};

    for (unsigned k = 0; k < HD_ARRAY_LEN(kinds); k++) {
        for (uint32_t i = 1; i < table_len(m, kinds[k]); i++) {
            const struct hd_object *o = hd_object_at(m, kinds[k], i);
            if (o->wanted && o->adopted && o->owner == owner)
                hd_object_unwant(m, kinds[k], i);
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guards, and the repairs that name them (doc/decisions/0026).
 *
 * A guard is an object like an adjacency: it has a number, which the data plane knows, and many
 * labels and routes lead over it. What differs between these is the label that a packet carries on
 * its way round. Most carry none, since their path ends where the way does; they name the guard
 * itself. The others name an entry of a table beside the labels, in which an entry has one owner.
 * So a router that guards nothing pays a pointer, and a label or route two bytes that were padding.
 */
#include <string.h>

#include "lib/base.h"
#include "model/fwd_queue.h"

_Static_assert(HD_GUARDS_MAX_DEFAULT < HD_REPAIR_CARRIES, "a reference is a guard or a place");
_Static_assert(sizeof(struct hd_repair) == 16, "there is one for every longer path");

int hd_guards_make(struct hd_model *m)
{
    if (m->guards != NULL)
        return 0;
    m->guards = hd_pool_alloc(m->pool, sizeof *m->guards);
    if (m->guards == NULL)
        return HD_ENOMEM;
    m->guards->free.limit = HD_GUARDS_MAX_DEFAULT;
    return 0;
}

void hd_guards_free(struct hd_model *m)
{
    if (m->guards == NULL)
        return;
    hd_vec_free(m->pool, &m->guards->v);
    hd_vec_free(m->pool, &m->guards->repairs);
    hd_pool_free(m->pool, m->guards, sizeof *m->guards);
    m->guards = NULL;
}

/* --- guards --------------------------------------------------------------------------------------
 */

int hd_model_guard_add(struct hd_model *m, uint8_t owner, const struct hd_guard_value *v)
{
    int index = hd_guards_make(m);

    if (index == 0)
        index = hd_slot_take(m, HD_OBJ_GUARD, m->guards->v.len);
    if (index < 0)
        return index;
    m->guards->v.v[index].v = *v;
    hd_object_want(m, HD_OBJ_GUARD, (uint32_t)index, owner, true);
    return index;
}

void hd_model_guard_set(struct hd_model *m, uint32_t guard, const struct hd_guard_value *v)
{
    HD_ASSERT(guard > 0 && guard < m->guards->v.len && m->guards->v.v[guard].o.wanted);
    struct hd_guard *g = &m->guards->v.v[guard];
    bool changed = g->v.adj != v->adj || memcmp(&g->v.out, &v->out, sizeof v->out) != 0 ||
                   memcmp(&g->v.then, &v->then, sizeof v->then) != 0;

    if (changed)
        hd_object_tell_old(m, HD_OBJ_GUARD, guard);
    g->v = *v;
    hd_object_want(m, HD_OBJ_GUARD, guard, g->o.owner, changed);
}

void hd_model_guard_del(struct hd_model *m, uint32_t guard)
{
    if (m->guards != NULL && guard > 0 && guard < m->guards->v.len)
        hd_object_unwant(m, HD_OBJ_GUARD, guard);
}

const struct hd_guard *hd_model_guard(const struct hd_model *m, uint32_t guard)
{
    if (m->guards == NULL || guard >= m->guards->v.len || !m->guards->v.v[guard].o.in_use)
        return NULL;
    return &m->guards->v.v[guard];
}

int hd_model_adopt_guard(struct hd_model *m, uint8_t owner, uint32_t guard,
                         const struct hd_guard_value *v)
{
    int error = guard == 0 ? HD_EINVAL : hd_guards_make(m);

    if (error == 0)
        error = hd_slot_take_at(m, HD_OBJ_GUARD, m->guards->v.len, guard);
    if (error != 0)
        return error;
    m->guards->v.v[guard].v = *v;
    hd_object_adopt(&m->guards->v.v[guard].o, owner);
    return 0;
}

/* --- repairs -------------------------------------------------------------------------------------
 */

static bool carries(uint16_t ref)
{
    return (ref & HD_REPAIR_CARRIES) != 0;
}

static struct hd_repair *place(const struct hd_model *m, uint16_t ref)
{
    uint32_t at = ref & (HD_REPAIR_CARRIES - 1);

    HD_ASSERT(m->guards != NULL && at > 0 && at < m->guards->repairs.len);
    return &m->guards->repairs.v[at];
}

struct hd_repair hd_model_repair(const struct hd_model *m, uint16_t ref)
{
    return carries(ref) ? *place(m, ref) : (struct hd_repair){.guard = ref};
}

void hd_repair_drop(struct hd_model *m, uint16_t *ref)
{
    if (carries(*ref)) {
        struct hd_guards *g = m->guards;
        *place(m, *ref) = (struct hd_repair){.guard = (uint16_t)g->repairs_free};
        g->repairs_free = *ref & (HD_REPAIR_CARRIES - 1);
        g->repairs_live--;
    }
    *ref = 0;
}

/* A free place of the table: a reference, or 0 and an hd_error. */
static uint16_t take_place(struct hd_model *m, int *error)
{
    *error = hd_guards_make(m);
    if (*error != 0)
        return 0;
    struct hd_guards *g = m->guards;
    uint32_t at = g->repairs_free;
    if (at != 0) {
        g->repairs_free = g->repairs.v[at].guard;
    } else {
        at = HD_MAX(g->repairs.len, 1u);
        *error = at < HD_REPAIR_CARRIES ? hd_vec_reserve(m->pool, &g->repairs, at + 1) : HD_ELIMIT;
        if (*error != 0)
            return 0;
        g->repairs.len = at + 1;
    }
    g->repairs_live++;
    return (uint16_t)(HD_REPAIR_CARRIES | at);
}

int hd_repair_set(struct hd_model *m, uint16_t *ref, const struct hd_repair *r)
{
    int error = 0;

    if (r->guard == 0 || hd_label_is_none(&r->then)) {
        hd_repair_drop(m, ref);
        *ref = r->guard;
        return 0;
    }
    if (!carries(*ref))
        *ref = take_place(m, &error);
    if (error == 0)
        *place(m, *ref) = *r;
    return error;
}

/* The entry is told of before it changes, and queued after. */
static int entry_repair(struct hd_model *m, enum hd_object_kind kind, uint32_t index, uint16_t *ref,
                        const struct hd_repair *r)
{
    struct hd_repair old = hd_model_repair(m, *ref);

    if (old.guard == r->guard &&
        (r->guard == 0 || memcmp(&old.then, &r->then, sizeof old.then) == 0))
        return 0;
    hd_object_tell_old(m, kind, index);
    int error = hd_repair_set(m, ref, r);
    hd_object_want(m, kind, index, hd_object_at(m, kind, index)->owner, true);
    return error;
}

int hd_model_label_repair(struct hd_model *m, struct hd_label_entry *e, const struct hd_repair *r)
{
    return entry_repair(m, HD_OBJ_LABEL, (uint32_t)(e - m->labels.v), &e->repair, r);
}

int hd_model_route_repair(struct hd_model *m, struct hd_route_entry *e, const struct hd_repair *r)
{
    return entry_repair(m, HD_OBJ_ROUTE, (uint32_t)(e - m->routes.v), &e->repair, r);
}

/* --- packing -------------------------------------------------------------------------------------
 */

static uint16_t moved(const struct hd_model *m, struct hd_repair *to, uint32_t *len, uint16_t ref)
{
    if (!carries(ref))
        return ref;
    to[*len] = *place(m, ref);
    return (uint16_t)(HD_REPAIR_CARRIES | (*len)++);
}

/* Without memory for the smaller table the large one stays. */
void hd_repairs_pack(struct hd_model *m)
{
    struct hd_guards *g = m->guards;
    HD_VEC(struct hd_repair) packed = {0};

    if (g == NULL || !hd_table_is_sparse(g->repairs_live, g->repairs.cap) ||
        hd_vec_reserve(m->pool, &packed, g->repairs_live + g->repairs_live / 8 + 2) != 0)
        return;
    packed.len = 1;
    for (uint32_t i = 1; i < m->labels.len; i++)
        m->labels.v[i].repair = moved(m, packed.v, &packed.len, m->labels.v[i].repair);
    for (uint32_t i = 1; i < m->routes.len; i++)
        m->routes.v[i].repair = moved(m, packed.v, &packed.len, m->routes.v[i].repair);
    hd_vec_free(m->pool, &g->repairs);
    memcpy(&g->repairs, &packed, sizeof packed);
    g->repairs_free = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels (kira.md 2.3, 4.6, 5.6): the PathID entries of this node, kept in the model's label
 * section and nowhere else. The owner's words beside an entry say its class and, for explicit ones,
 * which neighbour's message set it up and when it ends.
 *
 *   own       H(X)        decapsulate
 *   ULN       H(X,Y)    -> H(Y) to Y
 *   two hops  H(X,Y,Z)  -> H(Y,Z) to Y, for each Z that Y lists
 *   explicit  H(X,r...) -> H(r...) to r1, from PathSetupReq and ProbeReq; 60 s
 *
 * Over a hub, a node with more than 64 neighbours, only so many two-hop labels exist, and fewer
 * where this node has many neighbours itself (kira_two_hop_share). Whoever uses such a path sees in
 * the degrees of its first two nodes that the label may be missing, and sets it up like a longer
 * one (doc/decisions/0017).
 *
 * One neighbour may fill a quarter of the table. A refused label is not reported: the originator's
 * probe is answered and its data then meets an unknown label, whose notice makes it try again.
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

#define KIRA_LABEL_SWEEP 4096 /* entries looked at per second */

_Static_assert(HD_KIRA_EXPLICIT_LABELS + HD_KIRA_TWO_HOP_LABELS + HD_KIRA_ULNS_MAX + 1 <=
                   HD_LABELS_MAX_DEFAULT,
               "what others set up leaves room for the precomputed labels");

struct hd_label kira_label(const struct kira_call *x, const hd_node *path, uint32_t len)
{
    const struct hd_id *ids[HD_KIRA_PATH_MAX + 1];
    struct hd_label label;

    HD_ASSERT(len > 0 && len <= HD_ARRAY_LEN(ids));
    for (uint32_t i = 0; i < len; i++)
        ids[i] = kira_id(x, path[i]);
    hd_kira_path_label(ids, len, label.b);
    return label;
}

/* The second by which a life that begins now has ended. */
static uint32_t kira_until(const struct kira_call *x, hd_time life)
{
    return (uint32_t)((x->c->now + life + HD_SEC(1) - 1) / HD_SEC(1));
}

/* A label of either counted class leaves its class. */
static void kira_label_uncount(struct kira_call *x, const struct hd_label_entry *e)
{
    struct kira_uln *u = kira_uln_find(x->k, e->owner_word >> 8);

    if ((e->owner_word & KIRA_LABEL_EXPLICIT) != 0) {
        x->k->labels_explicit--;
        if (u != NULL && u->labels > 0)
            u->labels--;
    } else if ((e->owner_word & KIRA_LABEL_TWO_HOP) != 0) {
        x->k->labels_two_hop--;
        if (u != NULL && u->two_hop > 0)
            u->two_hop--;
    }
}

uint32_t kira_two_hop_share(uint32_t degree)
{
    return HD_MIN(HD_KIRA_TWO_HOP_LABELS / HD_MAX(degree, 1u), (uint32_t)HD_KIRA_HUB_DEGREE);
}

/* A quarter less than the share: what the middle gains is not known here at once. */
uint32_t kira_two_hop_trust(uint32_t degree)
{
    return kira_two_hop_share(degree) * 3 / 4;
}

/*
 * A node that has told nothing yet counts as no hub: it is being asked, and its answer looks at
 * such paths again (kira_contacts_dirty_over). Else a network that starts would probe most of its
 * paths. Of a middle that the first node did not name, or of whom not all is kept, the worse is
 * assumed.
 */
bool kira_path_needs_setup(struct kira *k, const hd_node *path, uint32_t len)
{
    if (len != HD_KIRA_NO_SETUP_LEN)
        return len > HD_KIRA_NO_SETUP_LEN;
    const struct kira_vicinity *first = kira_vicinity_find(k, path[0]);
    const struct kira_vicinity *middle = kira_vicinity_find(k, path[1]);
    if (first == NULL)
        return true;
    if (middle == NULL)
        return first->synched_once;
    return middle->degree > kira_two_hop_trust(first->degree);
}

bool kira_contact_needs_setup(struct kira *k, const struct kira_contact *p)
{
    hd_node path[HD_KIRA_NO_SETUP_LEN];

    if (p->len != HD_KIRA_NO_SETUP_LEN || p->active == 0)
        return p->len > HD_KIRA_NO_SETUP_LEN;
    (void)kira_path_read(k, p->active, path);
    return kira_path_needs_setup(k, path, p->len);
}

/* `guard`: of packets whose path ends where that does; 0: none. */
static bool kira_label_put(struct kira_call *x, const struct hd_label *key,
                           const struct hd_label_value *v, uint16_t guard, uint32_t word)
{
    struct hd_label_entry *e = hd_model_label_find(x->c->model, key);

    if (e != NULL && (e->owner_word & KIRA_LABEL_EXPLICIT) != 0) {
        kira_label_uncount(x, e); /* adopted as explicit, known now to be precomputed */
        e->owner_word = 0;
    }
    e = hd_model_label_set(x->c->model, x->c->core, key, v);
    if (e == NULL) {
        kira_count(x, KIRA_N_LABEL_REFUSED);
        return false;
    }
    e->owner_word = word;
    e->until_s = 0;
    kira_label_guard(x, e, guard, NULL);
    return true;
}

static void kira_label_remove(struct kira_call *x, struct hd_label_entry *e)
{
    struct hd_label key = e->key;

    kira_label_uncount(x, e);
    hd_model_label_del(x->c->model, &key);
}

void kira_label_own(struct kira_call *x)
{
    struct hd_label_value v = {.act = HD_LABEL_DECAP};
    struct hd_label key = kira_label(x, &x->k->self, 1);

    kira_label_put(x, &key, &v, 0, KIRA_LABEL_OWN);
}

void kira_label_two_hop(struct kira_call *x, struct kira_uln *u, hd_node z, bool add)
{
    struct kira *k = x->k;
    struct kira_link *l = kira_uln_best(u);
    hd_node path[3] = {k->self, u->node, z};

    if (z == k->self || z == u->node)
        return;
    if (!add) {
        struct hd_label key = kira_label(x, path, 3);
        struct hd_label_entry *e = hd_model_label_find(x->c->model, &key);
        if (e != NULL && (e->owner_word & KIRA_LABEL_TWO_HOP) != 0) {
            kira_label_uncount(x, e);
            hd_model_label_del(x->c->model, &key);
        }
        return;
    }
    if (l == NULL || u->end_system || k->cfg.end_system)
        return;
    struct hd_label key = kira_label(x, path, 3);
    struct hd_label_entry *e = hd_model_label_find(x->c->model, &key);
    bool had = e != NULL && (e->owner_word & KIRA_LABEL_TWO_HOP) != 0;
    if (!had && (u->two_hop >= k->two_hop_share || k->labels_two_hop >= HD_KIRA_TWO_HOP_LABELS))
        return;
    struct hd_label_value v = {
        .act = HD_LABEL_SWAP, .adj = l->adj, .out = kira_label(x, path + 1, 2)};
    if (kira_label_put(x, &key, &v, kira_guard_of(x, u->node, z),
                       KIRA_LABEL_TWO_HOP | (u->node << 8)) &&
        !had) {
        k->labels_two_hop++;
        u->two_hop++;
    }
}

void kira_labels_two_hop_forget(struct kira_call *x, struct kira_uln *u)
{
    struct hd_model *m = x->c->model;
    uint32_t word = KIRA_LABEL_TWO_HOP | (u->node << 8);

    for (uint32_t i = 0; u->two_hop > 0 && (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;)
        if (hd_model_label_at(m, i)->o.owner == x->c->core &&
            hd_model_label_at(m, i)->owner_word == word)
            kira_label_remove(x, hd_model_label_at(m, i));
}

/* What is beyond the share goes, wherever it is met: paths over such a neighbour are set up. */
static void kira_labels_two_hop_trim(struct kira_call *x)
{
    struct hd_model *m = x->c->model;

    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;) {
        struct hd_label_entry *e = hd_model_label_at(m, i);
        if (e->o.owner != x->c->core || (e->owner_word & KIRA_LABEL_TWO_HOP) == 0)
            continue;
        const struct kira_uln *u = kira_uln_find(x->k, e->owner_word >> 8);
        if (u != NULL && u->two_hop > x->k->two_hop_share)
            kira_label_remove(x, e);
    }
}

void kira_labels_share_anew(struct kira_call *x)
{
    struct kira *k = x->k;
    uint32_t before = k->two_hop_share;

    k->two_hop_share = (uint16_t)kira_two_hop_share(kira_degree(k));
    if (k->two_hop_share < before)
        kira_labels_two_hop_trim(x);
    for (uint32_t i = 0; k->two_hop_share > before && i < k->ulns.len; i++)
        if (k->ulns.v[i]->alive && k->ulns.v[i]->two_hop >= before)
            kira_label_uln(x, k->ulns.v[i], true);
}

void kira_label_uln(struct kira_call *x, struct kira_uln *u, bool add)
{
    struct kira *k = x->k;
    struct kira_link *l = kira_uln_best(u);
    const struct kira_vicinity *n = kira_vicinity_find(k, u->node);
    hd_node path[2] = {k->self, u->node};
    struct hd_label key = kira_label(x, path, 2);

    if (add && l != NULL && !k->cfg.end_system) {
        struct hd_label_value v = {.act = HD_LABEL_SWAP, .adj = l->adj, .out = u->label};
        kira_label_put(x, &key, &v, kira_guard_of(x, u->node, 0), KIRA_LABEL_ULN);
    } else if (!add) {
        struct hd_label_entry *e = hd_model_label_find(x->c->model, &key);
        if (e != NULL)
            kira_label_remove(x, e);
    }
    for (uint32_t i = 0; n != NULL && i < n->list_len; i++)
        kira_label_two_hop(x, u, n->list[i], add);
}

/* --- explicit -----------------------------------------------------------------------------------
 */

/* Round the next node to the one behind it, where what is left of the path goes on. */
static void kira_label_explicit_guard(struct kira_call *x, struct hd_label_entry *e, hd_node y,
                                      const struct hd_id *const *ids, uint32_t rest)
{
    bool ends = rest == HD_KIRA_NO_SETUP_LEN;
    uint16_t guard = kira_guard_behind(x, y, hd_ids_find(x->c->ids, ids[2]), ends);
    struct hd_label then;

    if (guard == 0 || ends) {
        kira_label_guard(x, e, guard, NULL);
        return;
    }
    hd_kira_path_label(ids + 2, rest - 2, then.b);
    kira_label_guard(x, e, guard, &then);
}

/*
 * The rest of a set-up's route becomes a label here, if its labels do not exist anyway. A rest of
 * two hops exists by precomputation once the neighbour's list is known; until then it is set up
 * like a longer one, or its packets would be lost although every probe is answered.
 */
void kira_label_explicit(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira *k = x->k;
    const struct hd_id *ids[HD_KIRA_PATH_MAX + 2];
    uint32_t rest = m->route.count - m->index; /* with this node */
    struct hd_id copy[HD_KIRA_PATH_MAX + 2];
    struct hd_label key, out;

    if (rest < HD_KIRA_NO_SETUP_LEN || rest > HD_KIRA_PATH_MAX)
        return;
    for (uint32_t i = 0; i < rest; i++) {
        copy[i] = hd_kira_id_at(&m->route, m->index + i);
        ids[i] = &copy[i];
    }
    struct hd_id prev_id = hd_kira_id_at(&m->route, m->index - 1u);
    struct kira_uln *prev = kira_uln_find(k, hd_ids_find(x->c->ids, &prev_id));
    struct kira_uln *next = kira_uln_find(k, hd_ids_find(x->c->ids, &copy[1]));
    struct kira_link *l = next == NULL ? NULL : kira_uln_best(next);
    if (prev == NULL || l == NULL)
        return;
    hd_kira_path_label(ids, rest, key.b);
    struct hd_label_entry *old = hd_model_label_find(x->c->model, &key);
    bool had = old != NULL && (old->owner_word & KIRA_LABEL_EXPLICIT) != 0;
    if (rest == HD_KIRA_NO_SETUP_LEN && old != NULL && !had)
        return; /* precomputed */
    if (!had && (prev->labels >= HD_LABELS_MAX_DEFAULT / HD_KIRA_LABELS_PER_ULN_SHARE ||
                 k->labels_explicit >= HD_KIRA_EXPLICIT_LABELS)) {
        kira_count(x, KIRA_N_LABEL_REFUSED);
        return;
    }
    if (old != NULL && old->v.act == HD_LABEL_SWAP)
        out = old->v.out; /* of the same path */
    else
        hd_kira_path_label(ids + 1, rest - 1, out.b);
    struct hd_label_value v = {.act = HD_LABEL_SWAP, .adj = l->adj, .out = out};
    struct hd_label_entry *e = hd_model_label_set(x->c->model, x->c->core, &key, &v);
    if (e == NULL) {
        kira_count(x, KIRA_N_LABEL_REFUSED);
        return;
    }
    if (!had) {
        e->owner_word = KIRA_LABEL_EXPLICIT | (prev->node << 8);
        prev->labels++;
        k->labels_explicit++;
    }
    /* A path with traffic is refreshed by probes, one without is not (0004). */
    bool in_use =
        had && m->h.type == HD_KIRA_PROBE_REQ &&
        kira_until(x, HD_KIRA_LABEL_LIFE - HD_KIRA_LABEL_REFRESH + HD_SEC(4)) > e->until_s;
    e->until_s = kira_until(x, HD_KIRA_LABEL_LIFE);
    kira_label_explicit_guard(x, e, next->node, ids, rest);
    if (in_use) {
        kira_guard_used(x, next->node, 0);
        kira_guard_used(x, next->node, hd_ids_find(x->c->ids, &copy[2]));
    }
}

/* --- maintenance --------------------------------------------------------------------------------
 */

void kira_labels_move(struct kira_call *x, uint32_t from_adj, uint32_t to_adj)
{
    struct hd_model *m = x->c->model;

    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;) {
        struct hd_label_entry *e = hd_model_label_at(m, i);
        if (e->o.owner != x->c->core || e->v.act != HD_LABEL_SWAP || e->v.adj != from_adj)
            continue;
        struct hd_label key = e->key;
        struct hd_label_value v = e->v;
        uint32_t word = e->owner_word;
        uint32_t until_s = e->until_s;
        v.adj = to_adj;
        if ((e = hd_model_label_set(m, x->c->core, &key, &v)) != NULL) {
            e->owner_word = word;
            e->until_s = until_s;
        }
    }
}

void kira_labels_drop(struct kira_call *x, uint32_t adj)
{
    struct hd_model *m = x->c->model;

    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;) {
        struct hd_label_entry *e = hd_model_label_at(m, i);
        if (e->o.owner == x->c->core && e->v.act == HD_LABEL_SWAP && e->v.adj == adj)
            kira_label_remove(x, e);
    }
}

/* The next neighbour may get the number of an adjacency that nobody claimed after a restart. */
void kira_labels_unclaimed(struct kira_call *x)
{
    struct hd_model *m = x->c->model;

    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_ADJ, i)) != 0;) {
        const struct hd_object *o = &hd_model_adj(m, i)->o;
        if (o->adopted && o->owner == x->c->core)
            kira_labels_drop(x, i);
    }
}

/* Looks at a part of the table each second and removes what nobody refreshed. */
void kira_labels_tick(struct kira_call *x)
{
    struct hd_model *m = x->c->model;
    uint32_t i = x->k->label_sweep;

    for (unsigned n = 0; n < KIRA_LABEL_SWEEP; n++) {
        i = hd_model_next(m, HD_OBJ_LABEL, i);
        if (i == 0)
            break;
        struct hd_label_entry *e = hd_model_label_at(m, i);
        if (e->o.owner == x->c->core && e->until_s != 0 && HD_SEC((hd_time)e->until_s) <= x->c->now)
            kira_label_remove(x, e);
    }
    x->k->label_sweep = i;
}

void kira_labels_rebuild(struct kira_call *x)
{
    kira_label_own(x);
    kira_route_own(x);
    for (uint32_t i = 0; i < x->k->ulns.len; i++)
        if (x->k->ulns.v[i]->alive) {
            kira_label_uln(x, x->k->ulns.v[i], true);
            kira_route_uln(x, x->k->ulns.v[i]);
        }
}

/* After a restart all labels found are kept for a while: their originators refresh them meanwhile.
 */
void kira_labels_adopt(struct kira_call *x)
{
    struct hd_model *m = x->c->model;

    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;) {
        struct hd_label_entry *e = hd_model_label_at(m, i);
        if (e->o.owner != x->c->core || !e->o.adopted || e->v.act != HD_LABEL_SWAP)
            continue;
        struct hd_label key = e->key;
        struct hd_label_value v = e->v;
        if ((e = hd_model_label_set(m, x->c->core, &key, &v)) == NULL)
            continue;
        kira_label_guard(x, e, 0, NULL); /* those of the life before are swept */
        e->owner_word = KIRA_LABEL_EXPLICIT;
        e->until_s = kira_until(x, HD_KIRA_ADOPT_LABELS);
        x->k->labels_explicit++;
    }
}

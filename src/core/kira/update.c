/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contact updates (kira.md 5.9). Only news that the closest contacts need are told: a node that was
 * lost, and a new one in the last bucket. They are gathered and sent at most once per second:
 * untamed, updates were the largest cost of all (kira-scale.md 3.1, doc/decisions/0007).
 */
#include "core/kira/state.h"

void kira_update_queue(struct kira_call *x, hd_node node, uint8_t action)
{
    struct kira *k = x->k;

    if (k->stopping || k->resting)
        return;
    for (uint32_t i = 0; i < k->updates_len; i++)
        if (k->updates[i].node == node) {
            k->updates[i].action = action;
            return;
        }
    if (k->updates_len == HD_KIRA_UPDATE_PENDING)
        return;
    k->updates[k->updates_len++] = (struct kira_update){node, action};
    if (!hd_timer_armed(&k->update)) {
        hd_time soon = x->c->now + kira_jitter(x, HD_MS(20));
        hd_time next = k->last_update == 0 ? 0 : k->last_update + HD_KIRA_UPDATE_GAP;
        kira_arm(x, &k->update, KIRA_T_UPDATE, HD_MAX(soon, next));
    }
}

static void kira_update_entry(struct kira_call *x, struct kira_out *o, const struct kira_update *u)
{
    hd_node path[HD_KIRA_PATH_MAX] = {u->node};
    const struct kira_contact *p = kira_contact_find(x->k, u->node);
    const struct kira_vicinity *v = kira_vicinity_find(x->k, u->node);
    uint32_t len = u->action == HD_KIRA_ANNOUNCE ? kira_path_to(x, u->node, path) : 1;
    uint32_t ssn = p != NULL ? p->ssn : v != NULL ? v->observed : 0;

    if (len == 0 || hd_writer_len(&o->w) + 27 + HD_ID_BYTES * len > HD_KIRA_MSG_TARGET)
        return;
    hd_kira_write_entry_begin(&o->w, kira_id(x, u->node), (uint16_t)len);
    for (uint32_t i = 0; i < len; i++)
        hd_kira_write_id(&o->w, kira_id(x, path[i]));
    hd_kira_write_entry_end(&o->w, ssn == 0 || ssn == HD_KIRA_SSN_RESET ? 1 : ssn, 0,
                            HD_KIRA_DEGREE_UNKNOWN);
    hd_write_u8(&o->w, u->action);
}

static void kira_update_send(struct kira_call *x, hd_node to)
{
    struct kira *k = x->k;
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_to(x, to, path);
    struct kira_out o;

    if (len == 0 || !kira_out_begin(x, &o, HD_KIRA_UPDATE, 0, kira_id(x, to), kira_msg_id(x),
                                    HD_KIRA_MSG_TARGET + HD_ID_BYTES * len))
        return;
    kira_out_route(x, &o, path, len);
    kira_out_not_via(x, &o);
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_UPDATE_INFO);
    for (uint32_t i = 0; i < k->updates_len; i++)
        if (k->updates[i].node != to)
            kira_update_entry(x, &o, &k->updates[i]);
    hd_kira_object_end(&o.w, mark);
    kira_out_to_uln(x, &o, path[0]);
}

void kira_update_due(struct kira_call *x)
{
    struct kira *k = x->k;
    struct kira_candidate near[4];
    uint32_t n = kira_closest(x, &k->id, 0, false, near, HD_ARRAY_LEN(near));

    for (uint32_t i = 0; i < n; i++)
        kira_update_send(x, near[i].node);
    k->updates_len = 0;
    k->last_update = x->c->now;
}

/* "Unreachable" and "withdraw" concern us when our own path uses the link from the sender (5.9). */
static void kira_update_lost(struct kira_call *x, const struct hd_kira_entry *e, hd_node source)
{
    hd_node node = hd_ids_find(x->c->ids, &e->id);
    struct kira_contact *p = node == 0 ? NULL : kira_contact_find(x->k, node);

    if (p != NULL && kira_path_has_link(x->k, p->active, x->k->self, source, node) &&
        !kira_ssn_newer(p->ssn, e->ssn))
        kira_link_failed(x, source, node, x->c->now);
}

void kira_on_update(struct kira_call *x, const struct hd_kira_msg *m)
{
    hd_node path[HD_KIRA_ROUTE_MAX + HD_KIRA_PATH_MAX];
    struct hd_reader items = m->update;
    struct hd_kira_entry e;
    uint32_t len = kira_reverse_route(x, m, path);
    hd_node source = len == 0 ? 0 : path[len - 1];

    while (source != 0 && hd_kira_next_update(&items, &e)) {
        if (e.action == HD_KIRA_UNREACHABLE || e.action == HD_KIRA_WITHDRAW) {
            kira_update_lost(x, &e, source);
            continue;
        }
        uint32_t n = len < HD_KIRA_PATH_MAX ? len : 0; /* nothing behind a longer one is kept */
        for (uint32_t i = 0; i < e.path.count && n != 0; i++) {
            struct hd_id id = hd_kira_id_at(&e.path, i);
            hd_node next = hd_ids_intern(x->c->ids, &id);
            path[len + i] = next;
            n = next == 0 ? 0 : n + 1;
        }
        if (n > len)
            kira_contact_learn(x, path, n, e.ssn, e.age_ms, KIRA_NAMED);
    }
}

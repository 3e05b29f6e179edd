/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `heddle path`: the way of packets to a node, hop by hop, with the time to each.
 *
 * A packet to a node without a route of its own goes from overlay hop to overlay hop, and each of
 * them decides anew (5.11). So the way of first packets is asked for stage by stage: a ProbeReq
 * over the way that is known so far, with the destination in its header and the overlay-hops object
 * behind its route, asks the last overlay hop where packets go from there; the answer names one
 * node with the path to it. Every answer must come closer to the destination, so it ends. Where
 * first packets go by the own route at once, there is only that one way to show.
 *
 * The time to a hop is that of a probe over the way to it without its circles.
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

/* --- onward from here ---------------------------------------------------------------------------
 */

static bool kira_way_fits(struct kira_call *x, const struct hd_label *out, const hd_node *path,
                          uint32_t len)
{
    if (len == 0)
        return false;
    struct hd_label label = kira_label(x, path, len);
    return memcmp(label.b, out->b, sizeof label.b) == 0;
}

/* The path whose label a packet to that node gets here: its length, 0: none is known. */
static uint32_t kira_way_onward(struct kira_call *x, const struct hd_id *to, hd_node *path)
{
    struct kira *k = x->k;
    struct hd_ip6 address = hd_id_to_ip6(to, k->cfg.node_prefix);
    const struct hd_route_entry *r = hd_model_route_lookup(x->c->model, &address);
    hd_node node = hd_ids_find(x->c->ids, to);

    if (r != NULL && r->v.act == HD_ROUTE_DIRECT && node != 0) {
        path[0] = node;
        return 1;
    }
    if (r == NULL || r->v.act != HD_ROUTE_ENCAP)
        return 0;
    for (uint32_t i = 0; i < k->ulns.len; i++)
        if (k->ulns.v[i]->alive && kira_way_fits(x, &r->v.out, &k->ulns.v[i]->node, 1)) {
            path[0] = k->ulns.v[i]->node;
            return 1;
        }
    for (uint32_t i = 0; i < k->contacts.len; i++) {
        const struct kira_contact *p = &k->contacts.v[i];
        if (p->active == 0 || (p->node != node && (p->flags & KIRA_CONTACT_CHOSEN) == 0))
            continue;
        uint32_t len = kira_path_read(k, p->active, path);
        if (kira_way_fits(x, &r->v.out, path, len))
            return len;
    }
    return 0;
}

void kira_way_answer(struct kira_call *x, const struct hd_kira_msg *m)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_way_onward(x, &m->h.dest, path);
    struct kira_out o;

    if (len == 0) {
        kira_send_dead_end(x, m);
        return;
    }
    if (!kira_reply_begin(x, &o, HD_KIRA_PROBE_RSP, m, 32 + HD_ID_BYTES * len))
        return;
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_RTABLE);
    hd_kira_write_entry_begin(&o.w, kira_id(x, path[len - 1]), (uint16_t)len);
    for (uint32_t i = 0; i < len; i++)
        hd_kira_write_id(&o.w, kira_id(x, path[i]));
    hd_kira_write_entry_end(&o.w, 1, HD_KIRA_AGE_UNKNOWN, HD_KIRA_DEGREE_UNKNOWN);
    hd_kira_object_end(&o.w, mark);
    kira_reply_send(x, &o);
}

/* --- hops of a command --------------------------------------------------------------------------
 */

static bool kira_hops_room(struct kira_call *x, struct kira_command *q, uint32_t more)
{
    uint32_t cap = q->hops_len + more;

    if (cap > HD_KIRA_PATH_MAX)
        return false;
    struct hd_kira_row_hop *hops =
        hd_pool_resize(x->c->pool, q->hops, q->hops_cap * sizeof *hops, cap * sizeof *hops);
    if (hops == NULL)
        return false;
    q->hops = hops;
    q->hops_cap = (uint16_t)cap;
    return true;
}

/* Appends a stage; its last node gives packets another label, unless it is the destination. */
static bool kira_hops_add(struct kira_call *x, struct kira_command *q, const struct hd_id *stage,
                          uint32_t len)
{
    if (len == 0 || !kira_hops_room(x, q, len))
        return false;
    for (uint32_t i = 0; i < len; i++) {
        struct hd_kira_row_hop *hop = &q->hops[q->hops_len++];
        memset(hop, 0, sizeof *hop);
        hop->number = q->hops_len;
        hop->id = stage[i];
        hop->first = q->asking_way;
        hop->overlay = i + 1 == len && !hd_id_equal(&hop->id, kira_id(x, q->node));
    }
    return true;
}

static bool kira_hops_add_nodes(struct kira_call *x, struct kira_command *q, const hd_node *path,
                                uint32_t len)
{
    struct hd_id stage[HD_KIRA_PATH_MAX];

    for (uint32_t i = 0; i < len; i++)
        stage[i] = *kira_id(x, path[i]);
    return kira_hops_add(x, q, stage, len);
}

/* The way to hop n without circles; 0 when it cannot be gone. */
static uint32_t kira_hops_path(struct kira_call *x, const struct kira_command *q, uint32_t n,
                               hd_node *path)
{
    for (uint32_t i = 0; i <= n; i++)
        if ((path[i] = hd_ids_intern(x->c->ids, &q->hops[i].id)) == 0)
            return 0;
    return kira_path_clean(x->k->self, path, n + 1);
}

static void kira_hops_free(struct kira_call *x, struct kira_command *q)
{
    hd_pool_free(x->c->pool, q->hops, q->hops_cap * sizeof *q->hops);
    q->hops = NULL;
    q->hops_len = q->hops_cap = 0;
}

/* All is measured: the rows go out. Behind the way of first packets the node's own route follows.
 */
static void kira_hops_done(struct kira_call *x, struct kira_command *q)
{
    bool last = !q->asking_way;

    kira_reply(x, q->id, HD_KIRA_LIST_PATH, q->hops, q->hops_len, sizeof *q->hops, last, 0);
    kira_hops_free(x, q);
    if (last)
        kira_command_free(x, q);
    else
        kira_way_over(x, q);
}

static void kira_hop_done(struct kira_call *x, struct kira_request *r, bool answered)
{
    struct kira_command *q = kira_command_find(x->k, r->command);
    uint32_t hop = r->number;
    hd_time rtt = x->c->now - r->sent;

    kira_request_end(x, r);
    if (q == NULL || hop >= q->hops_len)
        return;
    q->hops[hop].answered = answered;
    q->hops[hop].rtt_ns = answered ? rtt : 0;
    if (--q->hops_open == 0)
        kira_hops_done(x, q);
}

void kira_trace_answered(struct kira_call *x, struct kira_request *r)
{
    kira_hop_done(x, r, true);
}

void kira_trace_timeout(struct kira_call *x, struct kira_request *r)
{
    kira_hop_done(x, r, false);
}

static void kira_hops_measure(struct kira_call *x, struct kira_command *q)
{
    hd_node path[HD_KIRA_PATH_MAX];

    q->hops_open = 1; /* held until all are asked */
    for (uint32_t i = 0; i < q->hops_len; i++) {
        uint32_t len = kira_hops_path(x, q, i, path);
        struct kira_request *r =
            len == 0 ? NULL
                     : kira_request_new(x, KIRA_REQ_TRACE, path[len - 1], q->args.timeout_ns);
        if (r == NULL)
            continue;
        r->command = q->id;
        r->number = i;
        q->hops_open++;
        kira_probe_path(x, r, path, len);
    }
    if (--q->hops_open == 0)
        kira_hops_done(x, q);
}

void kira_path_measure(struct kira_call *x, struct kira_command *q)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_to(x, q->node, path);

    if (!kira_hops_add_nodes(x, q, path, len)) {
        kira_command_fail(x, q->id, HD_KIRA_LIST_PATH, HD_ENOMEM);
        kira_command_free(x, q);
        return;
    }
    kira_hops_measure(x, q);
}

/* --- the way of first packets -------------------------------------------------------------------
 */

/* Asks the last hop that is known, an overlay hop; false when that is not possible. */
static bool kira_way_ask(struct kira_call *x, struct kira_command *q)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_hops_path(x, q, q->hops_len - 1u, path);
    struct kira_request *r;
    struct kira_out o;

    if (len == 0)
        return false;
    r = kira_request_new(x, KIRA_REQ_WAY, path[len - 1], q->args.timeout_ns);
    if (r == NULL)
        return false;
    r->command = q->id;
    if (!kira_out_begin(x, &o, HD_KIRA_PROBE_REQ, HD_KIRA_EXACT, kira_id(x, q->node), r->msg_id,
                        HD_ID_BYTES * (len + 1) + 16)) {
        kira_request_end(x, r);
        return false;
    }
    kira_out_route(x, &o, path, len);
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_OVERLAY_HOPS);
    hd_write_u16(&o.w, (uint16_t)len); /* the last of the route */
    hd_kira_object_end(&o.w, mark);
    kira_out_to_uln(x, &o, path[0]);
    return true;
}

/* False: packets go by the node's own route, or nobody knows where to. */
bool kira_way_begin(struct kira_call *x, struct kira_command *q)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_way_onward(x, kira_id(x, q->node), path);

    if (len == 0 || path[len - 1] == q->node)
        return false;
    q->asking_way = true;
    if (kira_hops_add_nodes(x, q, path, len) && kira_way_ask(x, q))
        return true;
    kira_hops_free(x, q);
    q->asking_way = false;
    return false;
}

/* The next stage, if it leads on; a node that says otherwise is not believed. */
static bool kira_way_add(struct kira_call *x, struct kira_command *q, const struct hd_kira_msg *m)
{
    struct hd_reader items = m->rtable;
    struct hd_kira_entry e;
    struct hd_id stage[HD_KIRA_PATH_MAX];

    if (!m->has_rtable || !hd_kira_next_entry(&items, &e) ||
        hd_id_closer(kira_id(x, q->node), &e.id, &m->h.source) >= 0)
        return false;
    for (uint32_t i = 0; i < e.path.count; i++)
        stage[i] = hd_kira_id_at(&e.path, i);
    return kira_hops_add(x, q, stage, e.path.count);
}

void kira_way_answered(struct kira_call *x, struct kira_request *r, const struct hd_kira_msg *m)
{
    struct kira_command *q = kira_command_find(x->k, r->command);

    kira_request_end(x, r);
    if (q == NULL)
        return;
    bool more = kira_way_add(x, q, m) && q->hops[q->hops_len - 1].overlay;
    if (!more || !kira_way_ask(x, q))
        kira_hops_measure(x, q);
}

void kira_way_timeout(struct kira_call *x, struct kira_request *r)
{
    struct kira_command *q = kira_command_find(x->k, r->command);

    kira_request_end(x, r);
    if (q != NULL)
        kira_hops_measure(x, q);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failures (kira.md 5.7). Whatever tells that a link does not work ends in kira_link_failed: the
 * loss of an own neighbour, an Error on a probe's way, a neighbour list that lost an entry, a
 * not-via list, and the notice of a node that had to drop a packet.
 *
 * Repair does not wait: one search over all known links (map.c) gives every contact that used the
 * link a replacement, if there is one. Up to three nodes it is in force at once, since its labels
 * exist by precomputation and its links are known from the vicinity; a longer one, or one over a
 * hub (doc/decisions/0017), is set up by a probe first, which takes one round trip. Only contacts
 * without an alternative are searched for (doc/decisions/0002).
 *
 * Notices: a node that cannot forward a labelled packet tells the encapsulating node, by an Error
 * sent over the forwarding plane, which link is broken (doc/decisions/0005). The receiver acts only
 * when a path of its own uses that link; a liar on a path can thus make its victim avoid the liar.
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

static void kira_link_order(const struct kira_call *x, hd_node *a, hd_node *b)
{
    if (hd_id_compare(kira_id(x, *a), kira_id(x, *b)) > 0) {
        hd_node t = *a;
        *a = *b;
        *b = t;
    }
}

bool kira_link_is_failed(struct kira *k, hd_node a, hd_node b)
{
    for (uint32_t i = 0; i < k->failed.len; i++) {
        const struct kira_failed_link *f = &k->failed.v[i];
        if ((f->a == a && f->b == b) || (f->a == b && f->b == a))
            return true;
    }
    return false;
}

void kira_link_works(struct kira_call *x, hd_node a, hd_node b)
{
    struct kira *k = x->k;

    for (uint32_t i = 0; i < k->failed.len; i++) {
        const struct kira_failed_link *f = &k->failed.v[i];
        if ((f->a == a && f->b == b) || (f->a == b && f->b == a)) {
            hd_vec_remove(&k->failed, i);
            return;
        }
    }
}

static void kira_failed_remember(struct kira_call *x, hd_node a, hd_node b, hd_time at)
{
    struct kira *k = x->k;
    struct kira_failed_link f = {.at = at};

    kira_link_works(x, a, b); /* a newer report replaces the old one, at the end */
    kira_link_order(x, &a, &b);
    f.a = a;
    f.b = b;
    if (k->failed.len >= HD_KIRA_FAILED_MAX)
        hd_vec_remove(&k->failed, 0);
    if (hd_vec_push(x->c->pool, &k->failed, f) != 0)
        kira_no_memory(x);
}

void kira_failed_tick(struct kira_call *x)
{
    struct kira *k = x->k;

    for (uint32_t i = k->failed.len; i-- > 0;)
        if (x->c->now - k->failed.v[i].at > HD_KIRA_FAILED_MEMORY)
            hd_vec_remove(&k->failed, i);
}

/* --- repair -------------------------------------------------------------------------------------
 */

static hd_time kira_search_wait(struct kira_call *x, const struct kira_contact *p)
{
    if (kira_contact_close(x->k, p))
        return HD_KIRA_SEARCH_CLOSE;
    return p->active != 0 && !kira_uln_alive(x->k, kira_path_first(x->k, p->active))
               ? HD_KIRA_SEARCH_FIRST
               : HD_KIRA_SEARCH_OTHER;
}

static void kira_contact_lost(struct kira_call *x, struct kira_contact *p)
{
    bool carries = kira_contact_carries(x, p);

    if (p->state != HD_KIRA_CONTACT_SEARCHING)
        kira_event(x, HD_KIRA_EV_CONTACT_LOST, p->node, 0, 0, 0);
    /* one that carries nothing is forgotten by the next tick; its bucket finds others */
    p->state = carries ? HD_KIRA_CONTACT_SEARCHING : HD_KIRA_CONTACT_INVALID;
    kira_bucket_dearer(x->k, p->bits);
    p->flags &= (uint8_t) ~(KIRA_CONTACT_SETUP | KIRA_CONTACT_REPAIR);
    kira_contact_dirty(x, p);
    if (carries)
        kira_search_start(x, p->node, kira_search_wait(x, p), true);
}

void kira_contact_broken(struct kira_call *x, struct kira_contact *p)
{
    kira_contact_lost(x, p);
}

/* Puts a contact on the path that the map found, or has it searched for. */
static void kira_contact_repair(struct kira_call *x, struct kira_contact *p,
                                const struct kira_map *map)
{
    struct kira *k = x->k;
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_map_path(map, p->node, path);
    uint16_t end = len < 2 ? 0 : kira_path_insert(x, path, len);

    kira_requests_cancel(x, KIRA_REQ_PROBE, p->node);
    p->flags &= (uint8_t)~KIRA_CONTACT_PROBING;
    if (end == 0) {
        kira_contact_lost(x, p);
        return;
    }
    kira_count(x, KIRA_N_REPAIR_KNOWN);
    kira_contact_set_active(x, p, end, (uint8_t)len);
    kira_event(x, HD_KIRA_EV_PATH_CHANGED, p->node, 0, 0, len);
    bool vicinity =
        !kira_path_needs_setup(k, path, len) && kira_vicinity_has_edge(k, path[0], path[1]);
    if (!vicinity || p->state != HD_KIRA_CONTACT_VALID)
        p->state = HD_KIRA_CONTACT_UNPROBED;
    kira_bucket_dearer(k, p->bits);
    p->flags |= KIRA_CONTACT_REPAIR;
    if (kira_contact_carries(x, p))
        kira_probe_send(x, p, false, HD_KIRA_REPAIR_TIMEOUT, 0);
    else
        kira_probe_want(x, p, 4 * HD_KIRA_PROBE_DELAY);
}

void kira_link_failed(struct kira_call *x, hd_node a, hd_node b, hd_time at)
{
    struct kira *k = x->k;
    uint32_t at_ms = kira_ms(k, at);
    struct kira_map map;
    bool solved = false;

    if (a == b)
        return;
    kira_failed_remember(x, a, b, at);
    kira_guards_link_failed(x, a, b);
    for (uint32_t i = 0; i < k->contacts.len; i++) {
        struct kira_contact *p = &k->contacts.v[i];
        if (p->proposed != 0 && kira_path_has_link(k, p->proposed, k->self, a, b)) {
            kira_path_release(k, p->proposed);
            p->proposed = 0;
            p->proposed_len = 0;
        }
        if (p->active == 0 || kira_ms_after(p->seen_ms, at_ms) ||
            !kira_path_has_link(k, p->active, k->self, a, b) ||
            p->state == HD_KIRA_CONTACT_SEARCHING)
            continue;
        if (!solved) {
            kira_map_build(x, &map);
            kira_map_solve(x, &map);
            solved = true;
        }
        kira_contact_repair(x, p, &map);
    }
}

/* --- errors and not-via lists -------------------------------------------------------------------
 */

void kira_not_via_input(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira *k = x->k;
    struct hd_reader items = m->not_via;
    struct hd_kira_not_via v;
    unsigned n = 0;

    while (n++ < HD_KIRA_NOT_VIA_SENT && hd_kira_next_not_via(&items, &v)) {
        hd_node a = hd_ids_find(x->c->ids, &v.a), b = hd_ids_find(x->c->ids, &v.b);
        hd_time age = HD_MS((hd_time)v.age_ms);
        if (a == 0 || b == 0 || a == k->self || b == k->self || age > HD_KIRA_FAILED_MEMORY)
            continue; /* own knowledge is better */
        if (kira_link_is_failed(k, a, b) || age > x->c->now - k->started)
            continue;
        /* each costs probes, whose answers show that the link works: a liar would keep that going
         */
        if (!kira_take_token(x, &k->not_via, HD_KIRA_RATE_NOT_VIA)) {
            kira_drop(x, KIRA_DROP_RATE);
            return;
        }
        kira_count(x, KIRA_N_LINK_FAILED_REMOTE);
        kira_link_failed(x, a, b, x->c->now - age);
    }
}

/* The link that an Error names; false when it does not concern this node or makes no sense. */
static bool kira_error_link(struct kira_call *x, const struct hd_kira_msg *m, hd_node *a,
                            hd_node *b)
{
    if (m->error_kind != HD_KIRA_SEGMENT_FAILURE ||
        !hd_id_equal(&m->error_reporter, &m->h.source) || /* nobody speaks for another (3.5) */
        !(hd_id_equal(&m->error_reporter, &m->error_a) ||
          hd_id_equal(&m->error_reporter, &m->error_b)))
        return false;
    *a = hd_ids_find(x->c->ids, &m->error_a);
    *b = hd_ids_find(x->c->ids, &m->error_b);
    return *a != 0 && *b != 0 && *a != x->k->self && *b != x->k->self;
}

static void kira_error_request(struct kira_call *x, struct kira_request *r)
{
    switch ((enum kira_request_kind)r->kind) {
    case KIRA_REQ_SEARCH:
        kira_search_refused(x, r);
        break;
    case KIRA_REQ_QUERY:
        kira_query_timeout(x, r);
        break;
    case KIRA_REQ_GUARD:
        kira_guard_timeout(x, r);
        break;
    case KIRA_REQ_PROBE:
        r->tries = HD_KIRA_PROBE_TRIES;
        kira_probe_timeout(x, r);
        break;
    case KIRA_REQ_PING:
        kira_ping_timeout(x, r);
        break;
    case KIRA_REQ_TRACE:
        kira_trace_timeout(x, r);
        break;
    case KIRA_REQ_WAY:
        kira_way_timeout(x, r);
        break;
    case KIRA_REQ_DISC: /* has no route, so no Error is about it */
        break;
    case KIRA_REQ_JOIN:
    case KIRA_REQ_EXPLORE:
    case KIRA_REQ_CHECK:
    case KIRA_REQ_ROUND:
        kira_request_end(x, r);
        break;
    }
}

/* At every node that the Error passes, and at its end. */
void kira_on_error(struct kira_call *x, const struct hd_kira_msg *m)
{
    bool last = m->index + 1u == m->route.count;
    hd_node a, b;

    if (kira_error_link(x, m, &a, &b)) {
        kira_count(x, KIRA_N_LINK_FAILED_REMOTE);
        kira_link_failed(x, a, b, x->c->now);
    }
    struct kira_request *r = last ? kira_request_find(x->k, m->h.msg_id) : NULL;
    if (r != NULL && r->kind == KIRA_REQ_SEARCH && m->error_kind == HD_KIRA_DEAD_END)
        kira_search_dead_end(x, r->node);
    if (r != NULL)
        kira_error_request(x, r);
}

void kira_segment_failure(struct kira_call *x, const struct hd_kira_msg *m, hd_node next)
{
    struct kira_out o;
    hd_node a = x->k->self, b = next;

    if (m->h.type == HD_KIRA_ERROR || m->h.type == HD_KIRA_UPDATE)
        return;
    kira_link_order(x, &a, &b);
    if (!kira_reply_begin(x, &o, HD_KIRA_ERROR, m, 64))
        return;
    hd_kira_write_error(&o.w, HD_KIRA_SEGMENT_FAILURE, &x->k->id, kira_id(x, a), kira_id(x, b));
    kira_reply_send(x, &o);
}

void kira_send_dead_end(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira_out o;

    if (!kira_reply_begin(x, &o, HD_KIRA_ERROR, m, 16))
        return;
    hd_kira_write_error(&o.w, HD_KIRA_DEAD_END, &x->k->id, &x->k->id, &x->k->id);
    kira_reply_send(x, &o);
}

/* --- notices ------------------------------------------------------------------------------------
 */

static void kira_notice_send(struct kira_call *x, const struct hd_ip6 *source, hd_node next)
{
    struct kira *k = x->k;
    struct kira_out o;
    struct hd_id id;
    hd_node node, path[1];

    if (!hd_id_from_ip6(source, k->cfg.node_prefix, &id) || hd_id_equal(&id, &k->id) ||
        (node = hd_ids_intern(x->c->ids, &id)) == 0)
        return;
    if (k->last_notice_to == node && x->c->now - k->last_notice < HD_KIRA_NOTICE_GAP)
        return;
    if (!kira_take_token(x, &k->notices_sent, HD_KIRA_RATE_NOTICE) ||
        !kira_out_begin(x, &o, HD_KIRA_ERROR, 0, &id, kira_msg_id(x), 128))
        return;
    k->last_notice_to = node;
    k->last_notice = x->c->now;
    kira_count(x, KIRA_N_NOTICE_SENT);
    path[0] = node;
    kira_out_route(x, &o, path, 1);
    if (next != 0) {
        hd_node a = k->self, b = next;
        kira_link_order(x, &a, &b);
        hd_kira_write_error(&o.w, HD_KIRA_SEGMENT_FAILURE, &k->id, kira_id(x, a), kira_id(x, b));
    } else {
        hd_kira_write_error(&o.w, HD_KIRA_DEAD_END, &k->id, &k->id, &k->id);
    }
    kira_out_routed(x, &o, node);
}

/*
 * The first node of a path of three has no label for it: what is known of the middle's degree is
 * too old, or that of the first node is.
 */
static void kira_doubt_middle(struct kira_call *x, const struct kira_contact *p, hd_node reporter)
{
    hd_node path[HD_KIRA_NO_SETUP_LEN];

    if (p->len != HD_KIRA_NO_SETUP_LEN || kira_contact_needs_setup(x->k, p))
        return;
    (void)kira_path_read(x->k, p->active, path);
    if (path[0] == reporter)
        kira_vicinity_doubt(x, path[1]);
}

/* A node on the way knows no label: contacts over it are set up again. */
static void kira_notice_label(struct kira_call *x, hd_node reporter)
{
    struct kira *k = x->k;

    for (uint32_t i = 0; i < k->contacts.len; i++) {
        struct kira_contact *p = &k->contacts.v[i];
        if (p->state != HD_KIRA_CONTACT_VALID || (p->flags & KIRA_CONTACT_PROBING) != 0 ||
            p->node == reporter || !kira_path_has_node(k, p->active, reporter))
            continue;
        if (!kira_take_token(x, &k->doubts, HD_KIRA_RATE_DOUBT))
            return; /* one small packet must not make us send hundreds again and again */
        kira_doubt_middle(x, p, reporter);
        p->flags |= KIRA_CONTACT_REPAIR;
        kira_probe_send(x, p, false, HD_KIRA_REPAIR_TIMEOUT, 0);
    }
}

void kira_on_notice(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira *k = x->k;
    hd_node reporter = hd_ids_find(x->c->ids, &m->h.source);
    hd_node a, b;

    if (reporter == 0 || !kira_take_token(x, &k->notices, HD_KIRA_RATE_ERROR)) {
        kira_drop(x, reporter == 0 ? KIRA_DROP_STRANGER : KIRA_DROP_RATE);
        return;
    }
    kira_count(x, KIRA_N_NOTICE_RECEIVED);
    if (m->error_kind != HD_KIRA_SEGMENT_FAILURE) {
        kira_notice_label(x, reporter);
        return;
    }
    if (!kira_error_link(x, m, &a, &b) || (a != reporter && b != reporter))
        return;
    for (uint32_t i = 0; i < k->contacts.len; i++)
        if (kira_path_has_link(k, k->contacts.v[i].active, k->self, a, b)) {
            kira_link_failed(x, a, b, x->c->now);
            return;
        }
}

/* --- what the data plane saw --------------------------------------------------------------------
 */

static hd_node kira_adj_node(struct kira *k, uint32_t adj)
{
    for (uint32_t i = 0; i < k->ulns.len; i++)
        for (uint32_t j = 0; j < k->ulns.v[i]->links_len; j++)
            if (k->ulns.v[i]->links[j]->adj == adj)
                return k->ulns.v[i]->node;
    return 0;
}

/* Round its first link, and round its first node. */
static void kira_contact_guards_used(struct kira_call *x, const struct kira_contact *p)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = p->active == 0 ? 0 : kira_path_read(x->k, p->active, path);

    if (len > 0)
        kira_guard_used(x, path[0], 0);
    if (len > 1)
        kira_guard_used(x, path[0], path[1]);
}

/* A destination with traffic: contact on demand where there is none, search where it is lost. */
static void kira_report_flow(struct kira_call *x, const struct hd_ip6 *to)
{
    struct kira *k = x->k;
    struct kira_contact *p;
    struct hd_id id;
    hd_node node;

    if (!hd_id_from_ip6(to, k->cfg.node_prefix, &id) || hd_id_equal(&id, &k->id) ||
        hd_id_is_zero(&id) || hd_id_is_ones(&id))
        return;
    node = hd_ids_find(x->c->ids, &id);
    p = node == 0 ? NULL : kira_contact_find(k, node);
    if (p != NULL) {
        bool was = kira_contact_in_use(x, p);
        p->used_s = kira_seconds(k, x->c->now);
        kira_contact_guards_used(x, p);
        if (!was)
            kira_contact_dirty(x, p); /* its explicit path may have to be set up */
        if (p->state == HD_KIRA_CONTACT_SEARCHING || p->state == HD_KIRA_CONTACT_INVALID)
            kira_search_start(x, p->node, HD_KIRA_SEARCH_SOON, true);
        else if (p->state == HD_KIRA_CONTACT_UNPROBED)
            kira_probe_want(x, p, HD_KIRA_PROBE_SOON);
        return;
    }
    if ((node != 0 && kira_uln_alive(k, node)) || k->isolated ||
        !kira_take_token(x, &k->flow_searches, 50, 200))
        return;
    node = hd_ids_intern(x->c->ids, &id);
    p = node == 0 ? NULL : kira_contact_add_on_demand(x, node);
    if (p == NULL)
        return;
    p->used_s = kira_seconds(k, x->c->now);
    p->state = HD_KIRA_CONTACT_SEARCHING;
    kira_search_start(x, node, HD_KIRA_SEARCH_SOON, true);
}

/* Every hop rewrites the label, so an error quotes that of the path's rest where it arose. */
static bool kira_path_bears(struct kira_call *x, const struct kira_contact *p,
                            const struct hd_label *label)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_read(x->k, p->active, path);

    for (uint32_t i = 0; i < len; i++) {
        struct hd_label rest = kira_label(x, path + i, len - i);
        if (memcmp(rest.b, label->b, sizeof rest.b) == 0)
            return true;
    }
    return false;
}

/*
 * The contact by whose path a packet went that an ICMPv6 error is about: that of its destination,
 * or the one that carries the destination's bucket. The label must be of that path, so that
 * nobody who has not seen a packet can invent an error.
 */
static struct kira_contact *kira_contact_blamed(struct kira_call *x, const struct hd_in_report *r)
{
    struct kira *k = x->k;
    struct hd_id id;

    if (!hd_id_from_ip6(&r->to, k->cfg.node_prefix, &id))
        return NULL;
    hd_node node = hd_ids_find(x->c->ids, &id);
    unsigned bits = hd_id_shared_bits(&k->id, &id);
    for (uint32_t i = 0; i < k->contacts.len; i++) {
        struct kira_contact *p = &k->contacts.v[i];
        bool carries = (p->flags & KIRA_CONTACT_CHOSEN) != 0 && p->bits == bits;
        if ((carries || (node != 0 && p->node == node)) && kira_path_bears(x, p, &r->label))
            return p;
    }
    return NULL;
}

void kira_report(struct kira_call *x, const struct hd_in_report *r)
{
    struct kira_contact *p;

    switch (r->kind) {
    case HD_REPORT_FLOW:
    case HD_REPORT_NO_ROUTE:
        kira_report_flow(x, &r->to);
        break;
    case HD_REPORT_LABEL_UNKNOWN:
        kira_notice_send(x, &r->source, 0);
        break;
    case HD_REPORT_EGRESS_DEAD:
    case HD_REPORT_REPAIRED: /* nothing was lost, and the source shall know all the same */
        kira_notice_send(x, &r->source, kira_adj_node(x->k, r->adj));
        break;
    case HD_REPORT_TOO_BIG:
        if (r->value >= 1280 && r->value <= 65535 && (p = kira_contact_blamed(x, r)) != NULL &&
            (p->mtu == 0 || r->value < p->mtu)) {
            p->mtu = (uint16_t)r->value;
            kira_contact_dirty(x, p);
        }
        break;
    case HD_REPORT_UNREACHABLE:
        if ((p = kira_contact_blamed(x, r)) != NULL && (p->flags & KIRA_CONTACT_PROBING) == 0)
            kira_probe_send(x, p, false, HD_KIRA_REPAIR_TIMEOUT, 0);
        break;
    }
}

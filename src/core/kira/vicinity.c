/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vicinity (kira.md 4.5, 5.3): nodes at one and two hops with their own neighbour lists, the
 * third ring only as names in those lists. Each record remembers the newest sequence number heard
 * of (observed) and the one whose list it holds (synched); when they differ the node is asked: a
 * neighbour by ULNDiscReq, a node at two hops by QueryRouteReq.
 *
 * A node that keeps changing is asked with growing gaps, so that a hub at start-up is not asked by
 * its whole surroundings for every single change.
 *
 * A neighbour that a node no longer lists is a failed link, and known as such before any packet is
 * lost on it. Lists also give the two-hop labels (4.6). A path of three nodes relies on them unless
 * its middle is a hub; so what is told of a node's degree, here and to others, decides which paths
 * need a set-up (doc/decisions/0017). A degree that passes the mark is news of ours too: its
 * neighbours step their sequence numbers, and whoever reads their lists asks the hub.
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

bool kira_ssn_newer(uint32_t a, uint32_t b)
{
    return a == HD_KIRA_SSN_RESET ||
           (a != HD_KIRA_SSN_INVALID && (b == HD_KIRA_SSN_INVALID || a > b));
}

static uint32_t kira_vicinity_hash(const void *core, uint32_t i)
{
    return kira_node_hash(((const struct kira *)core)->vicinity.v[i]->node);
}

struct kira_vicinity *kira_vicinity_find(struct kira *k, hd_node node)
{
    uint32_t hash = kira_node_hash(node);
    uint32_t at, i = hd_index_first(&k->vicinity_index, hash, &at);

    while (i != HD_INDEX_END && k->vicinity.v[i]->node != node)
        i = hd_index_next(&k->vicinity_index, hash, &at);
    return i == HD_INDEX_END ? NULL : k->vicinity.v[i];
}

static struct kira_vicinity *kira_vicinity_add(struct kira_call *x, hd_node node)
{
    struct kira *k = x->k;
    struct kira_vicinity *v;

    if (k->vicinity.len >= HD_KIRA_VICINITY_MAX)
        return NULL;
    v = hd_pool_alloc(x->c->pool, sizeof *v);
    if (v == NULL || hd_vec_reserve(x->c->pool, &k->vicinity, k->vicinity.len + 1) != 0)
        goto no_memory;
    v->node = node;
    v->query_ms = kira_ms(k, x->c->now);
    k->vicinity.v[k->vicinity.len] = v;
    if (hd_index_add(&k->vicinity_index, x->c->pool, k->vicinity.len, kira_vicinity_hash, k) != 0)
        goto no_memory;
    k->vicinity.len++;
    kira_prefixes_doubt_over(x, node); /* of what is not known the worse was assumed */
    return v;

no_memory:
    hd_pool_free(x->c->pool, v, sizeof *v);
    kira_no_memory(x);
    return NULL;
}

static void kira_vicinity_remove(struct kira_call *x, uint32_t at)
{
    struct kira *k = x->k;
    struct kira_vicinity *v = k->vicinity.v[at];

    uint32_t last = k->vicinity.len - 1;
    kira_contacts_dirty_over(x, v->node); /* of what is not known the worse is assumed */
    hd_index_del(&k->vicinity_index, x->c->pool, at, kira_vicinity_hash, k);
    if (at != last)
        hd_index_move(&k->vicinity_index, kira_node_hash(k->vicinity.v[last]->node), last, at);
    hd_vec_remove_swap(&k->vicinity, at);
    hd_pool_free(x->c->pool, v->list, v->list_len * sizeof *v->list);
    hd_pool_free(x->c->pool, v, sizeof *v);
}

bool kira_vicinity_has_edge(struct kira *k, hd_node a, hd_node b)
{
    const struct kira_vicinity *v = kira_vicinity_find(k, a);

    for (uint32_t i = 0; v != NULL && i < v->list_len; i++)
        if (v->list[i] == b)
            return true;
    return false;
}

/* --- distances ----------------------------------------------------------------------------------
 */

static void kira_vicinity_mark(struct kira_call *x, hd_node node, uint8_t distance)
{
    struct kira_vicinity *v;

    if (node == x->k->self)
        return;
    v = kira_vicinity_find(x->k, node);
    if (v == NULL)
        v = kira_vicinity_add(x, node);
    if (v != NULL && (v->distance == 0 || v->distance > distance))
        v->distance = distance;
}

/* Soon, also when the timer waits longer for somebody who does not answer. */
static void kira_query_schedule(struct kira_call *x)
{
    hd_time at = x->c->now + kira_jitter(x, HD_KIRA_QUERY_DELAY);

    if (!hd_timer_armed(&x->k->query) || x->k->query.at > at)
        kira_arm(x, &x->k->query, KIRA_T_QUERY, at);
}

static bool kira_vicinity_stale(const struct kira_vicinity *v)
{
    return !v->synched_once || (v->observed != 0 && v->observed != v->synched);
}

/*
 * About `share` of a crowd of `of` nodes, by a hash of both ends' identifiers: each onlooker takes
 * others, and nobody changes its choice because one more came.
 */
static bool kira_chosen(struct kira_call *x, hd_node node, uint32_t share, uint32_t of)
{
    uint64_t salt;

    if (of <= share)
        return true;
    memcpy(&salt, x->k->id.b, sizeof salt);
    uint32_t h = (uint32_t)hd_hash64(salt, kira_id(x, node)->b, HD_ID_BYTES);
    return (uint64_t)h * of >> 32 < share;
}

/* How many nodes at two hops are kept over each neighbour. */
static uint32_t kira_ring_share(const struct kira *k)
{
    uint32_t share = HD_KIRA_RING_MAX / HD_MAX(k->ulns.len, 1u);

    return HD_MIN(HD_MAX(share, (uint32_t)HD_KIRA_RING_SHARE_MIN), (uint32_t)HD_KIRA_HUB_DEGREE);
}

/* Gives every record its distance anew and drops what is farther than two hops. */
void kira_vicinity_refresh(struct kira_call *x)
{
    struct kira *k = x->k;

    for (uint32_t i = 0; i < k->vicinity.len; i++)
        k->vicinity.v[i]->distance = 0;
    for (uint32_t i = 0; i < k->ulns.len; i++)
        if (k->ulns.v[i]->alive)
            kira_vicinity_mark(x, k->ulns.v[i]->node, 1);
    uint32_t share = kira_ring_share(k);
    for (uint32_t i = 0; i < k->ulns.len; i++) {
        const struct kira_vicinity *v =
            k->ulns.v[i]->alive ? kira_vicinity_find(k, k->ulns.v[i]->node) : NULL;
        for (uint32_t j = 0; v != NULL && j < v->list_len; j++)
            if (kira_chosen(x, v->list[j], share, v->list_len))
                kira_vicinity_mark(x, v->list[j], 2);
    }
    bool stale = false;
    for (uint32_t i = k->vicinity.len; i-- > 0;) {
        if (k->vicinity.v[i]->distance == 0)
            kira_vicinity_remove(x, i);
        else if (kira_vicinity_stale(k->vicinity.v[i]))
            stale = true;
    }
    if (stale)
        kira_query_schedule(x);
}

/* --- news ---------------------------------------------------------------------------------------
 */

void kira_vicinity_observe(struct kira_call *x, hd_node node, uint32_t ssn)
{
    struct kira_vicinity *v = kira_vicinity_find(x->k, node);

    if (node == x->k->self && kira_ssn_newer(ssn, x->k->ssn)) {
        kira_twin_seen(x, 0); /* a number that we never used (5.12) */
        return;
    }
    if (v == NULL || !kira_ssn_newer(ssn, v->observed))
        return;
    v->observed = ssn;
    if (kira_vicinity_stale(v))
        kira_query_schedule(x);
}

void kira_vicinity_listed(struct kira_call *x, hd_node node, uint32_t ssn, uint32_t degree)
{
    struct kira_vicinity *v = kira_vicinity_find(x->k, node);

    if (v != NULL && !v->synched_once && degree != HD_KIRA_DEGREE_UNKNOWN && degree != v->degree) {
        v->degree = (uint16_t)degree;
        kira_contacts_dirty_over(x, node);
    }
    kira_vicinity_observe(x, node, ssn);
}

void kira_vicinity_doubt(struct kira_call *x, hd_node node)
{
    struct kira_vicinity *v = kira_vicinity_find(x->k, node);

    if (v == NULL || v->distance != 2)
        return;
    v->synched_once = false;
    v->degree = HD_KIRA_DEGREE_UNKNOWN; /* more than anybody trusts, until it has answered */
    kira_contacts_dirty_over(x, node);
    kira_query_schedule(x);
}

static bool kira_list_has(const hd_node *list, uint32_t len, hd_node n)
{
    for (uint32_t i = 0; i < len; i++)
        if (list[i] == n)
            return true;
    return false;
}

/*
 * The same for item `at` of one list and the whole of another: a node tells its neighbours in about
 * the same order each time, so nearly always the same place of the other list says it.
 */
static bool kira_lists_share(const hd_node *list, uint32_t len, const hd_node *other, uint32_t at)
{
    return (at < len && list[at] == other[at]) || kira_list_has(list, len, other[at]);
}

/*
 * Would a node that is not in what was kept of the list before have been? Of a list that was kept
 * in part, only the chosen ones can be missed.
 */
static bool kira_list_is_news(struct kira_call *x, const struct kira_vicinity *v, hd_node n)
{
    return v->list_len >= v->degree ||
           (v->distance == 2 && kira_chosen(x, n, HD_KIRA_HUB_DEGREE, v->degree));
}

/* Two-hop labels and failed links follow the difference of the lists. */
static void kira_list_changed(struct kira_call *x, struct kira_vicinity *v, const hd_node *list,
                              uint32_t len)
{
    struct kira_uln *u = kira_uln_find(x->k, v->node);
    bool labels = u != NULL && u->alive;

    if (labels && !v->synched_once) /* those of its life before, if it had one */
        kira_labels_two_hop_forget(x, u);
    for (uint32_t i = 0; i < len; i++) {
        if (list[i] == x->k->self)
            continue;
        bool listed = kira_lists_share(v->list, v->list_len, list, i);
        if (labels && !listed)
            kira_label_two_hop(x, u, list[i], true);
        if (!v->synched_once || (!listed && kira_list_is_news(x, v, list[i])))
            kira_link_works(x, v->node, list[i]);
    }
}

/*
 * old and fresh: what it listed before, and lists now. What a list leaves out that does not hold
 * all may be there still: its label makes room, the link is not given up.
 */
static void kira_list_lost(struct kira_call *x, hd_node node, const hd_node *old, uint32_t old_len,
                           const hd_node *fresh, uint32_t len, bool whole)
{
    for (uint32_t i = 0; i < old_len; i++) {
        if (old[i] == x->k->self || kira_lists_share(fresh, len, old, i))
            continue;
        struct kira_uln *u = kira_uln_find(x->k, node);
        if (u != NULL)
            kira_label_two_hop(x, u, old[i], false);
        if (whole)
            kira_link_failed(x, node, old[i], x->c->now);
    }
}

/* Lists are kept at their exact length: most change seldom, and there are many. */
static bool kira_list_resize(struct kira_call *x, struct kira_vicinity *v, uint32_t len)
{
    size_t size = sizeof *v->list;
    hd_node *list = NULL;

    if (len > 0 &&
        (list = hd_pool_resize(x->c->pool, v->list, v->list_len * size, len * size)) == NULL)
        return false;
    if (len == 0)
        hd_pool_free(x->c->pool, v->list, v->list_len * size);
    v->list = list;
    v->list_len = (uint16_t)len;
    return true;
}

/* Keeps a list: of a hub at two hops a part, which the search for other ways can use. */
static bool kira_list_keep(struct kira_call *x, struct kira_vicinity *v, const hd_node *list,
                           uint32_t len)
{
    hd_node part[HD_KIRA_LIST_MAX];
    uint32_t n = 0;
    /* The distance follows later when somebody becomes a neighbour. */
    bool whole = v->distance == 1 || kira_uln_alive(x->k, v->node);

    for (uint32_t i = 0; i < len; i++)
        if (whole || kira_chosen(x, list[i], HD_KIRA_HUB_DEGREE, len))
            part[n++] = list[i];
    if (!kira_list_resize(x, v, n))
        return false;
    if (n > 0)
        memcpy(v->list, part, n * sizeof part[0]);
    return true;
}

/* Entries that found no room when their neighbour was a hub get their labels when there is room
 * again. */
static void kira_list_refill(struct kira_call *x, hd_node node, const hd_node *list, uint32_t len)
{
    struct kira_uln *u = kira_uln_find(x->k, node);
    uint32_t most = HD_MIN(len, (uint32_t)x->k->two_hop_share);

    if (u == NULL || !u->alive || u->two_hop >= most)
        return;
    if (most - u->two_hop == 1 && kira_list_has(list, len, x->k->self))
        return; /* we are no destination of ours */
    for (uint32_t i = 0; i < len; i++)
        kira_label_two_hop(x, u, list[i], true);
}

/*
 * Others rely on our labels over a neighbour as long as they take it for no hub. Past the mark it
 * is one, and our number steps, so that they read it in our list. Below, it counts as untold again,
 * and only a rise over the whole quarter between steps once more.
 */
static void kira_hub_news(struct kira_call *x, hd_node node, uint32_t degree)
{
    struct kira_uln *u = kira_uln_find(x->k, node);

    if (u == NULL || !u->alive)
        return;
    if (degree <= kira_two_hop_trust(kira_degree(x->k)))
        u->told_hub = false;
    else if (degree > x->k->two_hop_share && !u->told_hub)
        kira_sequence_next(x);
}

/* A new number of ours: whoever asks for it learns which of our neighbours are hubs now. */
void kira_hubs_told(struct kira *k)
{
    uint32_t trust = kira_two_hop_trust(kira_degree(k));

    for (uint32_t i = 0; i < k->ulns.len; i++) {
        const struct kira_vicinity *v = kira_vicinity_find(k, k->ulns.v[i]->node);
        k->ulns.v[i]->told_hub = v != NULL && v->degree > trust;
    }
}

void kira_vicinity_list(struct kira_call *x, hd_node node, uint32_t ssn, const hd_node *list,
                        uint32_t len, uint32_t degree)
{
    struct kira_vicinity *v = kira_vicinity_find(x->k, node);

    if (v == NULL && kira_uln_alive(x->k, node)) {
        kira_vicinity_mark(x, node, 1);
        v = kira_vicinity_find(x->k, node);
    }
    if (v == NULL)
        return;
    kira_list_changed(x, v, list, len);
    hd_node old[HD_KIRA_LIST_MAX];
    uint32_t old_len = v->list_len;
    if (old_len > 0)
        memcpy(old, v->list, old_len * sizeof old[0]);
    if (!kira_list_keep(x, v, list, len)) {
        kira_no_memory(x);
        return;
    }
    bool whole = degree == HD_KIRA_DEGREE_UNKNOWN || len >= degree;
    uint16_t now = (uint16_t)(whole ? len : degree);
    if (!v->synched_once || v->degree != now)
        kira_contacts_dirty_over(x, node);
    v->degree = now;
    /* "reset" means: newer than anything, then store the next real value (section 8, item 12) */
    v->synched = ssn == HD_KIRA_SSN_RESET ? 0 : ssn;
    v->observed = v->synched;
    v->synched_once = true;
    x->k->vicinity_dirty = true;
    kira_list_lost(x, node, old, old_len, list, len, whole);
    kira_list_refill(x, node, list, len);
    kira_hub_news(x, node, now);
}

/* --- queries ------------------------------------------------------------------------------------
 */

hd_node kira_two_hop_via(struct kira_call *x, hd_node node)
{
    struct kira *k = x->k;
    hd_node best = 0;

    for (uint32_t i = 0; i < k->ulns.len; i++) {
        hd_node u = k->ulns.v[i]->node;
        if (!k->ulns.v[i]->alive || k->ulns.v[i]->end_system ||
            !kira_vicinity_has_edge(k, u, node) || kira_link_is_failed(k, u, node))
            continue;
        if (best == 0 || hd_id_compare(kira_id(x, u), kira_id(x, best)) < 0)
            best = u;
    }
    return best;
}

static bool kira_query_send(struct kira_call *x, struct kira_request *r, hd_node via)
{
    hd_node path[2] = {via, r->node};
    struct kira_out o;

    if (!kira_out_begin(x, &o, HD_KIRA_QUERY_REQ, HD_KIRA_EXACT, kira_id(x, r->node), r->msg_id,
                        128))
        return false;
    hd_kira_write_rtable_req(&o.w, HD_KIRA_RT_VICINITY,
                             (uint8_t)HD_MIN(HD_MAX(x->k->ulns.len, 1u), 255u));
    kira_out_route(x, &o, path, 2);
    kira_out_to_uln(x, &o, via);
    return true;
}

static void kira_query_start(struct kira_call *x, struct kira_vicinity *v)
{
    struct kira_uln *u = kira_uln_find(x->k, v->node);
    struct kira_request *r;
    hd_node via;

    if (kira_ms(x->k, x->c->now) - v->query_ms > HD_KIRA_QUERY_QUIET / HD_MS(1))
        v->query_step = 0;
    hd_time gap = hd_time_min(HD_KIRA_QUERY_GAP << v->query_step, HD_KIRA_QUERY_GAP_LAST);
    v->query_ms = kira_ms(x->k, x->c->now + kira_jitter(x, gap));
    if (gap < HD_KIRA_QUERY_GAP_LAST)
        v->query_step++;
    if (u != NULL && u->alive) {
        kira_ask(x, u);
        return;
    }
    if ((via = kira_two_hop_via(x, v->node)) == 0)
        return;
    r = kira_request_new(x, KIRA_REQ_QUERY, v->node, HD_KIRA_QUERY_TIMEOUT);
    if (r == NULL)
        return;
    v->querying = true;
    x->k->queries_open++;
    kira_query_send(x, r, via);
}

/*
 * Milliseconds until a record may be asked again. The clock of records goes round in 49 days, so
 * what lies farther ahead than any pause is the past.
 */
static uint32_t kira_query_pause(const struct kira_vicinity *v, uint32_t now_ms)
{
    uint32_t pause = v->query_ms - now_ms;

    return pause <= 2 * (uint32_t)(HD_KIRA_QUERY_GAP_LAST / HD_MS(1)) ? pause : 0;
}

/* Asks nodes whose list is old: neighbours first, up to ten at a time. */
void kira_query_due(struct kira_call *x)
{
    struct kira *k = x->k;
    uint32_t now_ms = kira_ms(k, x->c->now), next = UINT32_MAX; /* ms from now */

    for (uint8_t distance = 1; distance <= 2; distance++)
        for (uint32_t i = 0; i < k->vicinity.len; i++) {
            struct kira_vicinity *v = k->vicinity.v[i];
            if (v->distance != distance || v->querying || !kira_vicinity_stale(v))
                continue;
            if (kira_query_pause(v, now_ms) == 0 && k->queries_open < HD_KIRA_QUERY_PARALLEL)
                kira_query_start(x, v);
            if (kira_vicinity_stale(v) && kira_query_pause(v, now_ms) > 0)
                next = HD_MIN(next, kira_query_pause(v, now_ms));
        }
    if (next != UINT32_MAX)
        kira_arm(x, &k->query, KIRA_T_QUERY, x->c->now + HD_MS((hd_time)next));
}

static void kira_query_ended(struct kira_call *x, hd_node node)
{
    struct kira_vicinity *v = kira_vicinity_find(x->k, node);

    if (x->k->queries_open > 0)
        x->k->queries_open--;
    if (v != NULL)
        v->querying = false;
    kira_query_schedule(x);
}

void kira_query_timeout(struct kira_call *x, struct kira_request *r)
{
    hd_node node = r->node;

    kira_request_end(x, r);
    kira_query_ended(x, node);
}

/* The neighbours of this node, each with the one-node path to it (5.3). */
void kira_on_query_req(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira *k = x->k;
    struct kira_out o;

    if (m->rtable_req_type != HD_KIRA_RT_VICINITY) {
        kira_send_dead_end(x, m);
        return;
    }
    if (!kira_reply_begin(x, &o, HD_KIRA_QUERY_RSP, m, 40 * k->ulns.len + 64))
        return;
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_RTABLE);
    for (uint32_t i = 0; i < k->ulns.len; i++) {
        const struct kira_uln *u = k->ulns.v[i];
        if (!u->alive || hd_writer_left(&o.w) < 128)
            continue;
        const struct kira_vicinity *v = kira_vicinity_find(k, u->node);
        hd_kira_write_entry_begin(&o.w, kira_id(x, u->node), 1);
        hd_kira_write_id(&o.w, kira_id(x, u->node));
        hd_kira_write_entry_end(&o.w, v != NULL && v->observed != 0 ? v->observed : 1, 0,
                                v != NULL && v->synched_once ? v->degree : HD_KIRA_DEGREE_UNKNOWN);
    }
    hd_kira_object_end(&o.w, mark);
    kira_reply_send(x, &o);
}

void kira_on_query_rsp(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira_request *r = kira_request_find(x->k, m->h.msg_id);
    struct hd_reader items = m->rtable;
    struct hd_kira_entry e;
    hd_node list[HD_KIRA_LIST_MAX];
    uint32_t len = 0;

    if (r == NULL || r->kind != KIRA_REQ_QUERY || !hd_id_equal(kira_id(x, r->node), &m->h.source)) {
        kira_drop(x, KIRA_DROP_NO_REQUEST);
        return;
    }
    hd_node node = r->node;
    struct kira_vicinity *v = kira_vicinity_find(x->k, node);
    kira_request_end(x, r);
    while (len < HD_KIRA_LIST_MAX && hd_kira_next_entry(&items, &e)) {
        hd_node n = e.path.count == 1 ? hd_ids_intern(x->c->ids, &e.id) : 0;
        if (n != 0)
            list[len++] = n;
    }
    if (v != NULL) {
        v->end_system = (m->h.flags & HD_KIRA_ENDSYSTEM) != 0;
        v->can_carry = m->has_capabilities && (m->capabilities & HD_KIRA_CAN_CARRY) != 0;
        kira_vicinity_list(x, node, m->h.ssn, list, len, m->h.degree);
        items = m->rtable;
        while (hd_kira_next_entry(&items, &e)) {
            hd_node n = hd_ids_find(x->c->ids, &e.id);
            if (n != 0)
                kira_vicinity_listed(x, n, e.ssn, e.degree);
        }
    }
    kira_query_ended(x, node);
}

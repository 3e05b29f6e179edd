/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Underlay neighbours (kira.md 4.2, 5.2). A neighbour is a node with one or more links to it; the
 * best link (lowest interface number) carries its labels. Only a neighbour that appears or
 * disappears steps the sequence number: parallel links come and go unseen by others (section 8,
 * item 19).
 *
 * A lost neighbour is kept for a minute with its adjacency marked down. Packets that still arrive
 * for its labels are then answered with the name of the broken link, which lets the encapsulating
 * node repair at once; deleted labels could only say "unknown".
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

static uint32_t kira_uln_hash(const void *core, uint32_t i)
{
    return kira_node_hash(((const struct kira *)core)->ulns.v[i]->node);
}

static uint64_t kira_uln_bit(uint32_t hash)
{
    return UINT64_C(1) << (hash >> 26);
}

struct kira_uln *kira_uln_find(struct kira *k, hd_node node)
{
    uint32_t at, hash = kira_node_hash(node);

    if ((k->uln_filter & kira_uln_bit(hash)) == 0)
        return NULL;
    uint32_t i = hd_index_first(&k->uln_index, hash, &at);
    while (i != HD_INDEX_END && k->ulns.v[i]->node != node)
        i = hd_index_next(&k->uln_index, hash, &at);
    return i == HD_INDEX_END ? NULL : k->ulns.v[i];
}

struct kira_link *kira_uln_best(const struct kira_uln *u)
{
    struct kira_link *best = NULL;

    for (uint32_t i = 0; i < u->links_len; i++)
        if (!u->links[i]->dead && (best == NULL || u->links[i]->ifindex < best->ifindex))
            best = u->links[i];
    return best;
}

static struct kira_link *kira_link_search(struct kira *k, uint32_t ifindex,
                                          const struct hd_ip6 *link_local)
{
    for (uint32_t i = 0; i < k->ulns.len; i++)
        for (uint32_t j = 0; j < k->ulns.v[i]->links_len; j++) {
            struct kira_link *l = k->ulns.v[i]->links[j];
            if (l->ifindex == ifindex && hd_ip6_equal(&l->link_local, link_local))
                return l;
        }
    return NULL;
}

struct kira_link *kira_link_of(struct kira *k, uint32_t ifindex, const struct hd_ip6 *link_local,
                               struct kira_uln **uln)
{
    struct kira_interface *i = kira_interface_find(k, ifindex);
    struct kira_link *l = i == NULL ? NULL : i->heard;

    if (l == NULL || !hd_ip6_equal(&l->link_local, link_local))
        l = kira_link_search(k, ifindex, link_local);
    if (l != NULL && i != NULL)
        i->heard = l;
    if (l != NULL && uln != NULL)
        *uln = kira_uln_find(k, l->node);
    return l;
}

static struct kira_uln *kira_uln_add(struct kira_call *x, hd_node node)
{
    struct kira *k = x->k;
    struct kira_uln *u;

    if (k->ulns.len >= HD_KIRA_ULNS_MAX) {
        kira_drop(x, KIRA_DROP_TABLE_FULL);
        return NULL;
    }
    u = hd_pool_alloc(x->c->pool, sizeof *u);
    if (u == NULL)
        goto no_memory;
    if (hd_vec_reserve(x->c->pool, &k->ulns, k->ulns.len + 1) != 0)
        goto free_uln;
    u->node = node;
    u->bits = (uint8_t)hd_id_shared_bits(&k->id, kira_id(x, node));
    u->label = kira_label(x, &node, 1);
    k->ulns.v[k->ulns.len] = u;
    if (hd_index_add(&k->uln_index, x->c->pool, k->ulns.len, kira_uln_hash, k) != 0)
        goto free_uln;
    k->ulns.len++;
    k->uln_filter |= kira_uln_bit(kira_node_hash(node));
    return u;

free_uln:
    hd_pool_free(x->c->pool, u, sizeof *u);
no_memory:
    kira_no_memory(x);
    return NULL;
}

static void kira_uln_remove(struct kira_call *x, struct kira_uln *u)
{
    struct kira *k = x->k;
    uint32_t at = 0, last = k->ulns.len - 1;

    HD_ASSERT(!u->alive);
    kira_label_uln(x, u, false);
    while (k->ulns.v[at] != u)
        at++;
    hd_index_del(&k->uln_index, x->c->pool, at, kira_uln_hash, k);
    if (at != last)
        hd_index_move(&k->uln_index, kira_node_hash(k->ulns.v[last]->node), last, at);
    hd_vec_remove_swap(&k->ulns, at);
    hd_pool_free(x->c->pool, u, sizeof *u);
    k->uln_filter = 0;
    for (uint32_t i = 0; i < k->ulns.len; i++)
        k->uln_filter |= kira_uln_bit(kira_node_hash(k->ulns.v[i]->node));
}

static void kira_link_model(struct kira_call *x, struct kira_link *l)
{
    const struct kira_uln *u = kira_uln_find(x->k, l->node);
    struct hd_adj_value v = {
        .ifindex = l->ifindex,
        .link_local = l->link_local,
        .mac = l->mac,
        .admitted = !l->dead,
        .down = l->dead,
        .guard = u == NULL ? 0 : u->guard,
    };

    hd_model_adj_set(x->c->model, l->adj, &v);
}

void kira_links_model(struct kira_call *x, struct kira_uln *u)
{
    for (uint32_t i = 0; i < u->links_len; i++)
        kira_link_model(x, u->links[i]);
}

static struct kira_link *kira_link_add(struct kira_call *x, struct kira_uln *u, uint32_t ifindex,
                                       const struct hd_ip6 *link_local, const struct hd_mac *mac)
{
    struct hd_adj_value v = {
        .ifindex = ifindex, .link_local = *link_local, .mac = *mac, .admitted = true};
    struct kira_link *l;
    int adj;

    if (u->links_len == HD_KIRA_LINKS_PER_ULN) {
        kira_drop(x, KIRA_DROP_TABLE_FULL);
        return NULL;
    }
    l = hd_pool_alloc(x->c->pool, sizeof *l);
    if (l == NULL) {
        kira_no_memory(x);
        return NULL;
    }
    adj = (int)hd_model_adj_adopted(x->c->model, ifindex, link_local);
    if (adj > 0)
        hd_model_adj_set(x->c->model, (uint32_t)adj, &v);
    else
        adj = hd_model_adj_add(x->c->model, x->c->core, &v);
    if (adj <= 0) {
        hd_pool_free(x->c->pool, l, sizeof *l);
        kira_no_memory(x);
        return NULL;
    }
    *l = (struct kira_link){.ifindex = ifindex,
                            .adj = (uint32_t)adj,
                            .link_local = *link_local,
                            .mac = *mac,
                            .up_since = x->c->now,
                            .last_heard = x->c->now,
                            .node = u->node};
    u->links[u->links_len++] = l;
    return l;
}

static void kira_link_remove(struct kira_call *x, struct kira_uln *u, uint32_t i)
{
    struct kira_link *l = u->links[i];
    struct kira_interface *over = kira_interface_find(x->k, l->ifindex);

    if (over != NULL && over->heard == l)
        over->heard = NULL;
    kira_disarm(x, &l->timer);
    kira_labels_drop(x, l->adj);
    kira_routes_drop(x, l->adj);
    kira_guards_moved(x, l->adj);
    hd_model_adj_del(x->c->model, l->adj);
    u->links[i] = u->links[--u->links_len];
    hd_pool_free(x->c->pool, l, sizeof *l);
}

/* The neighbour has become reachable: labels, route, vicinity, sequence number. */
static void kira_uln_up(struct kira_call *x, struct kira_uln *u)
{
    struct kira *k = x->k;
    struct kira_contact *p;

    u->alive = true;
    k->degree++;
    kira_labels_share_anew(x);
    kira_count(x, KIRA_N_NEIGHBOUR_UP);
    kira_event(x, HD_KIRA_EV_NEIGHBOUR_UP, u->node, 0, 0, 0);
    kira_link_works(x, k->self, u->node);
    kira_guards_dirty(x);
    kira_label_uln(x, u, true);
    kira_route_uln(x, u);
    if ((p = kira_contact_find(k, u->node)) != NULL) /* neighbours stand beside the buckets */
        kira_contact_remove(x, p);
    kira_search_end(x, u->node);
    k->vicinity_dirty = true;
    kira_prefixes_dirty(k);
    kira_sequence_step(x, true);
    kira_update_state(x);
    kira_commands_found(x, u->node);
}

/* The labels and routes of the neighbour follow its best link. */
static void kira_uln_rehome(struct kira_call *x, struct kira_uln *u, const struct kira_link *from)
{
    struct kira_link *best = kira_uln_best(u);

    if (best == NULL || best == from)
        return;
    kira_labels_move(x, from->adj, best->adj);
    kira_guards_dirty(x);
    kira_route_uln(x, u);
    for (uint32_t i = 0; i < x->k->contacts.len; i++)
        if (kira_path_first(x->k, x->k->contacts.v[i].active) == u->node)
            kira_contact_dirty(x, &x->k->contacts.v[i]);
    kira_prefixes_dirty(x->k);
}

static void kira_link_up(struct kira_call *x, struct kira_uln *u, struct kira_link *l,
                         struct kira_link *best_before)
{
    l->dead = false;
    l->misses = 0;
    l->up_since = x->c->now;
    kira_link_model(x, l);
    kira_link_watch(x, l);
    kira_event(x, HD_KIRA_EV_LINK_UP, u->node, 0, l->ifindex, 0);
    if (u->alive) {
        if (best_before != NULL)
            kira_uln_rehome(x, u, best_before);
        return;
    }
    for (uint32_t i = 0; i < u->links_len; i++) /* what others set up waited on a dead link */
        if (u->links[i] != l)
            kira_labels_move(x, u->links[i]->adj, l->adj);
    kira_uln_up(x, u);
}

/* A node moved to a link that belonged to another one (new identity behind the same address). */
static void kira_link_take_over(struct kira_call *x, struct kira_uln *old, struct kira_link *l)
{
    if (!l->dead)
        kira_link_down(x, old, l);
    for (uint32_t i = 0; i < old->links_len; i++)
        if (old->links[i] == l)
            kira_link_remove(x, old, i);
    if (old->links_len == 0)
        kira_uln_remove(x, old);
}

/*
 * A message of the neighbour itself: the link works, from this address. The driver misses the MAC
 * address now and then (witness.h): what is known stays.
 */
static void kira_link_said(struct kira_call *x, struct kira_link *l, const struct hd_in_datagram *d)
{
    if (!hd_mac_equal(&l->mac, &d->from_mac) && !hd_mac_is_zero(&d->from_mac)) {
        l->mac = d->from_mac;
        kira_link_model(x, l);
    }
    kira_link_alive(x, l, x->c->now);
    l->authenticated = d->key != 0;
}

struct kira_link *kira_link_heard(struct kira_call *x, hd_node node, const struct hd_in_datagram *d)
{
    struct kira_uln *u = NULL;
    struct kira_link *l = kira_link_of(x->k, d->ifindex, &d->from, &u);
    struct kira_link *best;

    if (l != NULL && u->node != node) {
        kira_link_take_over(x, u, l);
        l = NULL;
    }
    u = kira_uln_find(x->k, node);
    if (u == NULL && (u = kira_uln_add(x, node)) == NULL)
        return NULL;
    best = kira_uln_best(u);
    bool fresh = l == NULL;
    if (l == NULL && (l = kira_link_add(x, u, d->ifindex, &d->from, &d->from_mac)) == NULL) {
        if (u->links_len == 0)
            kira_uln_remove(x, u);
        return NULL;
    }
    kira_link_said(x, l, d);
    if (fresh || l->dead)
        kira_link_up(x, u, l, best);
    return l;
}

struct kira_link *kira_link_adopt(struct kira_call *x, hd_node node, uint32_t ifindex,
                                  const struct hd_ip6 *link_local, const struct hd_mac *mac)
{
    struct kira_uln *u = kira_uln_find(x->k, node);
    struct kira_link *l;

    if (u == NULL && (u = kira_uln_add(x, node)) == NULL)
        return NULL;
    l = kira_link_add(x, u, ifindex, link_local, mac);
    if (l == NULL)
        return NULL;
    l->state = HD_KIRA_LINK_ADOPTED;
    u->capabilities = HD_KIRA_CAN_ECHO; /* an echo decides whether it is still there */
    kira_link_model(x, l);
    kira_link_watch(x, l);
    if (!u->alive) {
        u->alive = true;
        x->k->degree++;
        kira_labels_share_anew(x);
        kira_label_uln(x, u, true);
        kira_route_uln(x, u);
        x->k->vicinity_dirty = true;
        kira_prefixes_dirty(x->k);
        kira_update_state(x);
    }
    return l;
}

/* --- losing -------------------------------------------------------------------------------------
 */

static void kira_uln_down(struct kira_call *x, struct kira_uln *u)
{
    struct kira *k = x->k;

    u->alive = false;
    k->degree--;
    kira_labels_share_anew(x);
    kira_count(x, KIRA_N_NEIGHBOUR_DOWN);
    kira_event(x, HD_KIRA_EV_NEIGHBOUR_DOWN, u->node, 0, 0, 0);
    u->asking = false;
    kira_requests_cancel(x, KIRA_REQ_DISC, u->node);
    kira_route_drop(x, u->node);
    k->vicinity_dirty = true;
    kira_prefixes_dirty(k);
    kira_vicinity_refresh(x);
    kira_link_failed(x, k->self, u->node, x->c->now);
    kira_sequence_step(x, false);
    kira_update_queue(x, u->node, HD_KIRA_UNREACHABLE);
    kira_update_state(x);
    if (!k->isolated)
        kira_search_start(x, u->node, HD_KIRA_SEARCH_ULN, true);
}

void kira_link_down(struct kira_call *x, struct kira_uln *u, struct kira_link *l)
{
    if (l->dead)
        return;
    l->dead = true;
    l->last_heard = x->c->now; /* from here the memory of its labels counts */
    kira_disarm(x, &l->timer);
    kira_link_model(x, l);
    kira_guards_moved(x, l->adj);
    kira_event(x, HD_KIRA_EV_LINK_DOWN, u->node, 0, l->ifindex, 0);
    kira_hello_restart(x, l->ifindex);
    if (kira_uln_best(u) == NULL)
        kira_uln_down(x, u);
    else
        kira_uln_rehome(x, u, l);
}

void kira_links_of_interface_down(struct kira_call *x, uint32_t ifindex)
{
    struct kira *k = x->k;

    for (uint32_t i = 0; i < k->ulns.len; i++) {
        struct kira_uln *u = k->ulns.v[i];
        for (uint32_t j = 0; j < u->links_len; j++)
            if (u->links[j]->ifindex == ifindex)
                kira_link_down(x, u, u->links[j]);
    }
}

/* Forgets dead links whose minute is over, and neighbours without links. */
void kira_neighbours_tick(struct kira_call *x)
{
    struct kira *k = x->k;

    for (uint32_t i = k->ulns.len; i-- > 0;) {
        struct kira_uln *u = k->ulns.v[i];
        for (uint32_t j = u->links_len; j-- > 0;) {
            struct kira_link *l = u->links[j];
            if (l->dead && x->c->now - l->last_heard > HD_KIRA_DOWN_MEMORY)
                kira_link_remove(x, u, j);
            else if (!l->dead && !hd_timer_armed(&l->timer))
                kira_link_watch(x, l); /* an allocation had failed */
        }
        if (u->links_len == 0)
            kira_uln_remove(x, u);
    }
}

/* --- discovery ----------------------------------------------------------------------------------
 */

static void kira_disc_write(struct kira_call *x, struct kira_out *o)
{
    struct kira *k = x->k;
    size_t mark = 0;

    for (uint32_t i = 0; i < k->ulns.len; i++) {
        const struct kira_uln *u = k->ulns.v[i];
        if (!u->alive || hd_writer_left(&o->w) < 128)
            continue;
        if (mark == 0)
            mark = hd_kira_object_begin(&o->w, HD_KIRA_OBJ_CONTACTS);
        const struct kira_vicinity *v = kira_vicinity_find(k, u->node);
        struct hd_kira_contact_item item = {
            .id = *kira_id(x, u->node),
            .ssn = v != NULL && v->observed != 0 ? v->observed : 1,
            .age_ms = 0,
            .degree = v != NULL && v->synched_once ? v->degree : HD_KIRA_DEGREE_UNKNOWN,
        };
        hd_kira_write_contact(&o->w, &item);
    }
    if (mark != 0)
        hd_kira_object_end(&o->w, mark);
}

static bool kira_disc_send(struct kira_call *x, const struct kira_request *r, uint32_t ifindex,
                           const struct hd_ip6 *to)
{
    struct kira_out o;
    uint32_t room = 24 * x->k->ulns.len + 64;

    if (!kira_out_begin(x, &o, HD_KIRA_DISC_REQ, 0, kira_id(x, r->node), r->msg_id, room))
        return false;
    kira_disc_write(x, &o);
    kira_out_to(x, &o, ifindex, to);
    return true;
}

/* Asks a neighbour for its list over its best link. */
void kira_ask(struct kira_call *x, struct kira_uln *u)
{
    struct kira_link *l = kira_uln_best(u);
    struct kira_request *r;

    if (l == NULL)
        return;
    if (u->asking) {
        u->asked_again = true;
        return;
    }
    r = kira_request_new(x, KIRA_REQ_DISC, u->node, kira_jitter(x, HD_KIRA_DISC_TIMEOUT));
    if (r == NULL)
        return;
    u->asking = true;
    r->ifindex = l->ifindex;
    kira_disc_send(x, r, l->ifindex, &l->link_local);
}

void kira_disc_timeout(struct kira_call *x, struct kira_request *r)
{
    struct kira_uln *u = kira_uln_find(x->k, r->node);
    struct kira_link *l = u == NULL ? NULL : kira_uln_best(u);

    if (l == NULL || r->tries >= HD_KIRA_DISC_RETRIES) {
        if (u != NULL)
            u->asking = false;
        kira_request_end(x, r);
        return;
    }
    r->tries++;
    r->ifindex = l->ifindex;
    kira_arm(x, &r->timer, KIRA_T_REQUEST,
             x->c->now + kira_jitter(x, HD_KIRA_DISC_TIMEOUT << r->tries));
    kira_disc_send(x, r, l->ifindex, &l->link_local);
}

/*
 * Who of a pair asks: by the low 32 bits of the difference of the identifiers, so that exactly one
 * does (5.2, section 8 item 9).
 */
static bool kira_i_ask(const struct hd_id *own, const struct hd_id *other)
{
    struct hd_reader a = hd_reader_make(own->b + 10, 4), b = hd_reader_make(other->b + 10, 4);
    uint32_t d = hd_read_u32(&b) - hd_read_u32(&a);

    if (d == 0 || d == 0x80000000u)
        return hd_id_compare(own, other) < 0;
    return d < 0x80000000u;
}

/* One question without a second try; the next hello brings it. */
static void kira_disc_once(struct kira_call *x, hd_node node, uint32_t ifindex,
                           const struct hd_ip6 *to)
{
    struct kira_request *r =
        kira_request_new(x, KIRA_REQ_DISC, node, kira_jitter(x, HD_KIRA_DISC_TIMEOUT));

    if (r == NULL)
        return;
    r->ifindex = ifindex;
    r->tries = HD_KIRA_DISC_RETRIES;
    kira_disc_send(x, r, ifindex, to);
}

static bool kira_disc_pending(const struct kira *k, hd_node node, uint32_t ifindex)
{
    for (uint32_t i = 0; i < k->requests.len; i++)
        if (k->requests.v[i]->kind == KIRA_REQ_DISC && k->requests.v[i]->node == node &&
            k->requests.v[i]->ifindex == ifindex)
            return true;
    return false;
}

/* A hello of a node that is no neighbour yet is answered by asking it, or by waiting for its
 * question. */
void kira_ask_stranger(struct kira_call *x, const struct hd_kira_msg *m,
                       const struct hd_in_datagram *d)
{
    hd_node node = hd_ids_intern(x->c->ids, &m->h.source);

    if (node == 0) {
        kira_drop(x, KIRA_DROP_TABLE_FULL);
        return;
    }
    if (kira_disc_pending(x->k, node, d->ifindex))
        return;
    bool mine = kira_i_ask(&x->k->id, &m->h.source);
    struct kira_interface *i = kira_interface_find(x->k, d->ifindex);
    if (!mine && i != NULL && i->hello_interval < HD_SEC(1)) {
        /* the other one asks; our own hello, which it may have missed, makes sure that it can */
        kira_hello_all(x, HD_KIRA_ASKER_FALLBACK);
        return;
    }
    kira_disc_once(x, node, d->ifindex, &d->from);
}

void kira_on_hello(struct kira_call *x, const struct hd_kira_msg *m, const struct hd_in_datagram *d)
{
    struct kira_uln *u = NULL;
    struct kira_link *l = kira_link_of(x->k, d->ifindex, &d->from, &u);
    hd_node node = hd_ids_find(x->c->ids, &m->h.source);

    if (l == NULL || l->dead || node == 0 || u->node != node) {
        kira_ask_stranger(x, m, d);
        return;
    }
    if (m->has_capabilities)
        u->capabilities = m->capabilities;
    kira_link_said(x, l, d);
    kira_vicinity_observe(x, node, m->h.ssn);
}

/* The link on which this node is, or was, the neighbour. */
static struct kira_link *kira_link_to(struct kira_call *x, const struct hd_in_datagram *d,
                                      const struct hd_id *id)
{
    struct kira_link *l = kira_link_of(x->k, d->ifindex, &d->from, NULL);

    return l != NULL && hd_id_equal(kira_id(x, l->node), id) ? l : NULL;
}

/*
 * The MAC says that a member made the message, not when and for which link: a stranger may have
 * heard it elsewhere. So in a closed fabric nobody becomes a neighbour by a question: it is
 * answered, and asked back. The answer to a number drawn just now is fresh.
 */
static void kira_challenge(struct kira_call *x, const struct hd_kira_msg *m,
                           const struct hd_in_datagram *d)
{
    struct kira *k = x->k;
    struct kira_out o;
    hd_node node = hd_ids_intern(x->c->ids, &m->h.source);

    if (node == 0) {
        kira_drop(x, KIRA_DROP_TABLE_FULL);
        return;
    }
    if (kira_out_begin(x, &o, HD_KIRA_DISC_RSP, 0, &m->h.source, m->h.msg_id,
                       24 * k->ulns.len + 64)) {
        kira_disc_write(x, &o);
        kira_out_to(x, &o, d->ifindex, &d->from);
    }
    if (!kira_disc_pending(k, node, d->ifindex))
        kira_disc_once(x, node, d->ifindex, &d->from);
}

/*
 * A neighbour seen on one more link. If there are two nodes with its identity, those on the other
 * links now hear a sequence number that they never used (5.12).
 */
static void kira_ask_elsewhere(struct kira_call *x, const struct kira_uln *u, uint32_t adj)
{
    for (uint32_t i = 0; i < u->links_len; i++)
        if (!u->links[i]->dead && u->links[i]->adj != adj)
            kira_disc_once(x, u->node, u->links[i]->ifindex, &u->links[i]->link_local);
}

/* Whether the list is to be read. An answer must be to a question of ours, which ends here. */
static bool kira_disc_admit(struct kira_call *x, const struct hd_kira_msg *m,
                            const struct hd_in_datagram *d, bool *answer)
{
    struct kira *k = x->k;
    struct kira_link *l = kira_link_to(x, d, &m->h.source);
    struct kira_request *r;

    if (k->cfg.require_key && !hd_id_equal(&m->h.dest, &k->id)) {
        kira_drop(x, KIRA_DROP_NOT_FOR_US); /* a member's message to another, played to us */
        return false;
    }
    *answer = m->h.type == HD_KIRA_DISC_RSP;
    if (!*answer) {
        if (l != NULL || !k->cfg.require_key)
            return true;
        kira_challenge(x, m, d);
        return false;
    }
    if (m->has_capabilities && (m->capabilities & HD_KIRA_GOODBYE) != 0) {
        struct kira_uln *u = l == NULL ? NULL : kira_uln_find(k, l->node);
        for (uint32_t i = 0; u != NULL && i < u->links_len; i++) /* it says so on one link only */
            kira_link_down(x, u, u->links[i]);
        return false;
    }
    r = kira_request_find(k, m->h.msg_id);
    if (r == NULL || r->kind != KIRA_REQ_DISC || r->ifindex != d->ifindex ||
        !hd_id_equal(kira_id(x, r->node), &m->h.source)) {
        kira_drop(x, KIRA_DROP_NO_REQUEST);
        return false;
    }
    struct kira_uln *u = kira_uln_find(k, r->node);
    if (u != NULL)
        u->asking = false;
    kira_request_end(x, r);
    return true;
}

/* Both ULNDiscReq and ULNDiscRsp: the sender is a neighbour, and this is its list. */
void kira_on_disc(struct kira_call *x, const struct hd_kira_msg *m, const struct hd_in_datagram *d)
{
    struct kira *k = x->k;
    struct hd_kira_contact_item item;
    struct hd_reader items = m->contacts;
    hd_node list[HD_KIRA_LIST_MAX];
    uint32_t len = 0;
    struct kira_link *l;
    struct kira_uln *u;
    struct kira_out o;
    bool answer;

    if (!kira_disc_admit(x, m, d, &answer))
        return;
    bool fresh = kira_link_to(x, d, &m->h.source) == NULL;
    hd_node node = hd_ids_intern(x->c->ids, &m->h.source);
    if (node == 0 || (l = kira_link_heard(x, node, d)) == NULL) {
        kira_drop(x, KIRA_DROP_TABLE_FULL);
        return;
    }
    u = kira_uln_find(k, node);
    if (m->has_capabilities)
        u->capabilities = m->capabilities;
    else
        u->capabilities = 0;
    bool end_system = (m->h.flags & HD_KIRA_ENDSYSTEM) != 0;
    if (u->end_system != end_system) {
        u->end_system = end_system;
        kira_prefix_dirty(x->k, u->bits);
    }
    while (len < HD_KIRA_LIST_MAX && hd_kira_next_contact(&items, &item)) {
        hd_node n = hd_ids_intern(x->c->ids, &item.id);
        if (n != 0)
            list[len++] = n;
    }
    kira_vicinity_list(x, node, m->h.ssn, list, len, m->h.degree);
    items = m->contacts;
    while (hd_kira_next_contact(&items, &item)) {
        hd_node n = hd_ids_find(x->c->ids, &item.id);
        if (n != 0)
            kira_vicinity_listed(x, n, item.ssn, item.degree);
    }
    if (u->asked_again && !u->asking) {
        u->asked_again = false;
        kira_ask(x, u);
    }
    if (fresh)
        kira_ask_elsewhere(x, u, l->adj);
    if (!answer && kira_out_begin(x, &o, HD_KIRA_DISC_RSP, 0, &m->h.source, m->h.msg_id,
                                  24 * k->ulns.len + 64)) {
        kira_disc_write(x, &o);
        kira_out_to_link(x, &o, l);
    }
}

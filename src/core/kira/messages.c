/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in and out (kira.md 5.1). A datagram is checked, decoded whole, limited per neighbour
 * and class, and then handled by one row of a table. Source-routed messages first teach: their
 * source was reached over the reversed route, their not-via list tells of failures, set-ups and
 * probes leave a label; then they are forwarded as received, with only the index rewritten, or
 * handled here at the end of their route.
 *
 * With a fabric key every message to a neighbour ends in the link MAC object: forwarding strips the
 * old one and puts a new one. The counter grows over restarts, because its upper half is the saved
 * ceiling of the sequence number; a window of 64 tolerates reordering and refuses replays.
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

void kira_drop(struct kira_call *x, unsigned reason)
{
    x->k->drops[reason]++;
}

/* --- types --------------------------------------------------------------------------------------
 */

struct kira_row {
    uint8_t type;
    uint8_t class;
    void (*handle)(struct kira_call *x, const struct hd_kira_msg *m); /* at the end of the route */
};

static void kira_not_served(struct kira_call *x, const struct hd_kira_msg *m)
{
    kira_drop(x, KIRA_DROP_NOT_SERVED);
    if (m->h.type == HD_KIRA_STORE_REQ || m->h.type == HD_KIRA_FETCH_REQ)
        kira_send_dead_end(x, m);
}

static void kira_taught(struct kira_call *x, const struct hd_kira_msg *m)
{
    (void)x; /* a set-up is done with once the hops have taken their labels */
    (void)m;
}

static const struct kira_row kira_table[] = {
    {HD_KIRA_HELLO, KIRA_CLASS_DISCOVERY, NULL},
    {HD_KIRA_DISC_REQ, KIRA_CLASS_DISCOVERY, NULL},
    {HD_KIRA_DISC_RSP, KIRA_CLASS_DISCOVERY, NULL},
    {HD_KIRA_FIND_REQ, KIRA_CLASS_LOOKUP, kira_on_find_req},
    {HD_KIRA_FIND_RSP, KIRA_CLASS_LOOKUP, kira_on_find_rsp},
    {HD_KIRA_QUERY_REQ, KIRA_CLASS_LOOKUP, kira_on_query_req},
    {HD_KIRA_QUERY_RSP, KIRA_CLASS_LOOKUP, kira_on_query_rsp},
    {HD_KIRA_UPDATE, KIRA_CLASS_UPDATE, kira_on_update},
    {HD_KIRA_PROBE_REQ, KIRA_CLASS_PROBE, kira_on_probe_req},
    {HD_KIRA_PROBE_RSP, KIRA_CLASS_PROBE, kira_on_probe_rsp},
    {HD_KIRA_ERROR, KIRA_CLASS_ERROR, kira_on_error},
    {HD_KIRA_SETUP_REQ, KIRA_CLASS_PROBE, kira_taught},
    {HD_KIRA_TEARDOWN_REQ, KIRA_CLASS_PROBE, kira_taught},
    {HD_KIRA_STORE_REQ, KIRA_CLASS_LOOKUP, kira_not_served},
    {HD_KIRA_STORE_RSP, KIRA_CLASS_LOOKUP, kira_not_served},
    {HD_KIRA_FETCH_REQ, KIRA_CLASS_LOOKUP, kira_not_served},
    {HD_KIRA_FETCH_RSP, KIRA_CLASS_LOOKUP, kira_not_served},
};

_Static_assert(HD_ARRAY_LEN(kira_table) <= KIRA_TYPES, "a slot per type");

unsigned kira_type_slot(uint8_t type)
{
    unsigned i = 0;
    while (i < HD_ARRAY_LEN(kira_table) && kira_table[i].type != type)
        i++;
    return i;
}

static bool kira_class_tokens(struct kira_call *x, struct kira_bucket *b, uint8_t class,
                              uint32_t cost)
{
    static const struct {
        uint32_t rate, burst;
    } limits[KIRA_CLASSES] = {
        [KIRA_CLASS_DISCOVERY] = {HD_KIRA_RATE_DISCOVERY},
        [KIRA_CLASS_LOOKUP] = {HD_KIRA_RATE_LOOKUP},
        [KIRA_CLASS_PROBE] = {HD_KIRA_RATE_PROBE},
        [KIRA_CLASS_UPDATE] = {HD_KIRA_RATE_UPDATE},
        [KIRA_CLASS_ERROR] = {HD_KIRA_RATE_ERROR},
        [KIRA_CLASS_ECHO] = {HD_KIRA_RATE_ECHO},
    };
    return kira_take_tokens(x, b, limits[class].rate, limits[class].burst, cost);
}

/* --- out ----------------------------------------------------------------------------------------
 */

uint64_t kira_msg_id(struct kira_call *x)
{
    uint64_t id = hd_random_u64(x->c->random);
    return id == 0 ? 1 : id;
}

bool kira_out_begin(struct kira_call *x, struct kira_out *o, uint8_t type, uint8_t flags,
                    const struct hd_id *dest, uint64_t msg_id, uint32_t room)
{
    struct kira *k = x->k;
    uint32_t size = HD_KIRA_HEADER_LEN + room + HD_KIRA_MAC_OBJECT_LEN + 16;

    size = HD_MIN(size, (uint32_t)HD_KIRA_MSG_MAX);
    if (!hd_fx_room(x->c->fx, size)) {
        kira_drop(x, KIRA_DROP_NO_MEMORY);
        return false;
    }
    o->fx = hd_fx_append(x->c->fx, x->c->core, HD_FX_SEND, size);
    if (o->fx == NULL)
        return false;
    o->type = type;
    o->forwarded = false;
    o->w = hd_writer_make(hd_fx_payload(o->fx), size);
    struct hd_kira_header h = {
        .type = type,
        .flags = (uint8_t)(flags | (k->cfg.end_system ? HD_KIRA_ENDSYSTEM : 0)),
        .dest = *dest,
        .source = k->id,
        .msg_id = msg_id,
        .ssn = k->ssn,
        .degree = (uint16_t)kira_degree(k),
    };
    hd_kira_write_begin(&o->w, &h);
    return true;
}

/* The route of a message that starts here: self, then the path. */
void kira_out_route(struct kira_call *x, struct kira_out *o, const hd_node *path, uint32_t len)
{
    size_t mark = hd_kira_object_begin(&o->w, HD_KIRA_OBJ_ROUTE);

    hd_write_u16(&o->w, 1);
    hd_kira_write_id(&o->w, &x->k->id);
    for (uint32_t i = 0; i < len; i++)
        hd_kira_write_id(&o->w, kira_id(x, path[i]));
    hd_kira_object_end(&o->w, mark);
}

/* The failed links that are remembered, newest first. */
void kira_out_not_via(struct kira_call *x, struct kira_out *o)
{
    struct kira *k = x->k;
    size_t mark;

    if (k->failed.len == 0)
        return;
    mark = hd_kira_object_begin(&o->w, HD_KIRA_OBJ_NOT_VIA);
    for (uint32_t i = k->failed.len, n = 0; i-- > 0 && n < HD_KIRA_NOT_VIA_SENT; n++) {
        const struct kira_failed_link *f = &k->failed.v[i];
        struct hd_kira_not_via item = {
            .a = *kira_id(x, f->a),
            .b = *kira_id(x, f->b),
            .age_ms = (uint32_t)hd_time_to_ms(x->c->now - f->at),
        };
        hd_kira_write_not_via(&o->w, &item);
    }
    hd_kira_object_end(&o->w, mark);
}

void kira_out_cancel(struct kira_call *x, struct kira_out *o)
{
    hd_fx_trim(x->c->fx, o->fx, 0);
    o->fx->type = HD_FX_TRACE;
    o->fx->u.trace = (struct hd_fx_trace){0};
}

static uint8_t kira_capabilities(const struct kira *k)
{
    return (uint8_t)(HD_KIRA_CAN_ECHO | HD_KIRA_CAN_NOTICE | HD_KIRA_CAN_CARRY |
                     (k->cfg.slow_echo ? 0 : HD_KIRA_FAST_ECHO) |
                     (k->stopping || k->resting ? HD_KIRA_GOODBYE : 0));
}

static bool kira_out_end(struct kira_call *x, struct kira_out *o, bool mac)
{
    struct kira *k = x->k;

    if (o->type == HD_KIRA_HELLO || o->type == HD_KIRA_DISC_REQ || o->type == HD_KIRA_DISC_RSP ||
        (o->type == HD_KIRA_QUERY_RSP && !o->forwarded))
        hd_kira_write_capabilities(&o->w, kira_capabilities(k));
    if (mac && k->key != 0)
        hd_kira_write_mac(&o->w, (uint16_t)k->key,
                          ((uint64_t)k->ssn_ceiling << 32) + ++k->mac_counter);
    if (hd_kira_write_end(&o->w) != 0) {
        kira_drop(x, KIRA_DROP_TOO_LONG);
        kira_out_cancel(x, o);
        return false;
    }
    uint32_t len = (uint32_t)hd_writer_len(&o->w);
    hd_fx_trim(x->c->fx, o->fx, len);
    o->fx->u.send =
        (struct hd_fx_send){.port = 1, .traffic_class = 0xc0, .len = len, .key = mac ? k->key : 0};
    k->tx[kira_type_slot(o->type)]++;
    k->tx_bytes[kira_type_slot(o->type)] += len;
    return true;
}

void kira_out_to(struct kira_call *x, struct kira_out *o, uint32_t ifindex, const struct hd_ip6 *to)
{
    if (!kira_out_end(x, o, true))
        return;
    o->fx->u.send.ifindex = ifindex;
    o->fx->u.send.to = *to;
}

void kira_out_to_link(struct kira_call *x, struct kira_out *o, const struct kira_link *l)
{
    kira_out_to(x, o, l->ifindex, &l->link_local);
}

void kira_out_to_uln(struct kira_call *x, struct kira_out *o, hd_node uln)
{
    struct kira_uln *u = kira_uln_find(x->k, uln);
    struct kira_link *l = u == NULL ? NULL : kira_uln_best(u);

    if (l == NULL) {
        kira_drop(x, KIRA_DROP_NEXT_HOP);
        kira_out_cancel(x, o);
        return;
    }
    kira_out_to_link(x, o, l);
}

/* To a node by the forwarding plane; membership is proved hop by hop there, so it has no MAC. */
void kira_out_routed(struct kira_call *x, struct kira_out *o, hd_node node)
{
    if (!kira_out_end(x, o, false))
        return;
    o->fx->u.send.flags = HD_SEND_ROUTED;
    o->fx->u.send.to = hd_id_to_ip6(kira_id(x, node), x->k->cfg.node_prefix);
}

/*
 * The travelled route backwards, without its cycles: a route that an overlay hop extended may pass
 * a node twice, and a receiver refuses a route that does (3.5). Ids into out; their number.
 */
static uint32_t kira_way_back(const struct hd_kira_msg *m, struct hd_id *out)
{
    uint32_t len = 0;

    for (uint32_t i = 0; i <= m->index; i++) {
        struct hd_id id = hd_kira_id_at(&m->route, m->index - i);
        uint32_t seen = 0;
        while (seen < len && !hd_id_equal(&out[seen], &id))
            seen++;
        len = seen;
        out[len++] = id;
    }
    return len;
}

bool kira_reply_begin(struct kira_call *x, struct kira_out *o, uint8_t type,
                      const struct hd_kira_msg *m, uint32_t room)
{
    struct hd_id way[HD_KIRA_ROUTE_MAX];
    uint32_t n = kira_way_back(m, way);

    if (n < 2 ||
        !kira_out_begin(x, o, type, 0, &m->h.source, m->h.msg_id,
                        room + HD_ID_BYTES * n + 8 + (uint32_t)hd_reader_left(&m->not_via)))
        return false;
    o->next = hd_ids_find(x->c->ids, &way[1]);
    size_t mark = hd_kira_object_begin(&o->w, HD_KIRA_OBJ_ROUTE);
    hd_write_u16(&o->w, 1);
    for (uint32_t i = 0; i < n; i++)
        hd_kira_write_id(&o->w, &way[i]);
    hd_kira_object_end(&o->w, mark);
    if (m->has_not_via && type != HD_KIRA_ERROR) {
        mark = hd_kira_object_begin(&o->w, HD_KIRA_OBJ_NOT_VIA);
        hd_write_bytes(&o->w, m->not_via.at, hd_reader_left(&m->not_via));
        hd_kira_object_end(&o->w, mark);
    }
    return true;
}

void kira_reply_send(struct kira_call *x, struct kira_out *o)
{
    kira_out_to_uln(x, o, o->next);
}

/* The message as it came, with the next index, without the MAC of the last link. */
static void kira_forward(struct kira_call *x, const struct hd_kira_msg *m, hd_node next)
{
    uint32_t len = m->has_mac ? m->mac_offset : m->len;
    uint32_t size = len + HD_KIRA_MAC_OBJECT_LEN + 8;
    struct kira_out o = {.type = m->h.type, .forwarded = true};

    if (!hd_fx_room(x->c->fx, size) ||
        (o.fx = hd_fx_append(x->c->fx, x->c->core, HD_FX_SEND, size)) == NULL) {
        kira_drop(x, KIRA_DROP_NO_MEMORY);
        return;
    }
    o.w = hd_writer_make(hd_fx_payload(o.fx), size);
    hd_write_bytes(&o.w, m->bytes, len);
    hd_write_u16_at(&o.w, m->index_offset, (uint16_t)(m->index + 1));
    x->k->forwarded[kira_type_slot(o.type)]++;
    kira_out_to_uln(x, &o, next);
}

/* --- in -----------------------------------------------------------------------------------------
 */

uint32_t kira_reverse_route(struct kira_call *x, const struct hd_kira_msg *m, hd_node *out)
{
    for (uint32_t i = 0; i < m->index; i++) {
        struct hd_id id = hd_kira_id_at(&m->route, m->index - 1u - i);
        if ((out[i] = hd_ids_intern(x->c->ids, &id)) == 0)
            return 0;
    }
    return m->index;
}

void kira_twin_seen(struct kira_call *x, uint32_t ifindex)
{
    struct kira *k = x->k;

    kira_count(x, KIRA_N_ID_COLLISION);
    if (k->id_collision)
        return;
    k->id_collision = true;
    kira_event(x, HD_KIRA_EV_ID_COLLISION, k->self, 0, ifindex, 0);
    kira_log_node(x, HD_LOG_ERROR, "another-node-has-our-id", k->self, "ifindex", ifindex);
}

/*
 * The own ID as a source (5.12). A source-routed message may be one of ours whose route leads back
 * through us: it goes on. What a neighbour says for itself, or what carries a sequence number that
 * we never used, is the sign of a second node with our identity.
 */
static void kira_own_id_heard(struct kira_call *x, const struct hd_kira_msg *m,
                              const struct hd_in_datagram *d, const struct kira_link *l)
{
    struct kira *k = x->k;

    if (!m->has_route || kira_ssn_newer(m->h.ssn, k->ssn)) {
        kira_drop(x, KIRA_DROP_OWN_ID);
        kira_twin_seen(x, d->ifindex);
        return;
    }
    struct hd_id here = hd_kira_id_at(&m->route, m->index);
    struct hd_id from = hd_kira_id_at(&m->route, m->index - 1u);
    if (!hd_id_equal(&here, &k->id) || m->index + 1u >= m->route.count) {
        kira_drop(x, KIRA_DROP_OWN_ID);
        return;
    }
    if (l == NULL || l->dead || !hd_id_equal(kira_id(x, l->node), &from)) {
        kira_drop(x, KIRA_DROP_PREVIOUS_HOP);
        return;
    }
    struct hd_id next = hd_kira_id_at(&m->route, m->index + 1u);
    hd_node node = hd_ids_find(x->c->ids, &next);
    if (node != 0 && kira_uln_alive(k, node))
        kira_forward(x, m, node);
    else
        kira_drop(x, KIRA_DROP_NEXT_HOP);
}

/* Two own interfaces on one segment hear each other. */
static bool kira_from_self(const struct kira *k, const struct hd_in_datagram *d)
{
    for (uint32_t i = 0; i < k->interfaces.len; i++)
        if (hd_ip6_equal(&k->interfaces.v[i]->link_local, &d->from))
            return true;
    return false;
}

static bool kira_replayed(struct kira_link *l, uint64_t counter)
{
    if (counter > l->peer_counter) {
        uint64_t step = counter - l->peer_counter;
        l->peer_window = step >= 64 ? 1 : (l->peer_window << step) | 1;
        l->peer_counter = counter;
        return false;
    }
    uint64_t back = l->peer_counter - counter;
    if (back >= 64 || (l->peer_window >> back & 1) != 0)
        return true;
    l->peer_window |= UINT64_C(1) << back;
    return false;
}

/*
 * Did the node at the other end of the link, dead or alive, put the MAC on? A new node behind its
 * address has a counter of its own.
 */
static bool kira_is_sender(struct kira_call *x, const struct hd_kira_msg *m,
                           const struct kira_link *l)
{
    struct hd_id sender = m->has_route ? hd_kira_id_at(&m->route, m->index - 1u) : m->h.source;

    return l != NULL && hd_id_equal(kira_id(x, l->node), &sender);
}

/*
 * A neighbour is admitted by its link-layer address, and packets go to that: without it there is
 * none. The sender repeats what would have made it one.
 */
static bool kira_is_nameless(struct kira_call *x, const struct hd_kira_msg *m,
                             const struct hd_in_datagram *d, const struct kira_link *l)
{
    bool disc = m->h.type == HD_KIRA_DISC_REQ || m->h.type == HD_KIRA_DISC_RSP;

    return hd_mac_is_zero(&d->from_mac) &&
           (l == NULL || l->dead || (disc && !hd_id_equal(kira_id(x, l->node), &m->h.source)));
}

/* Whether the message may have come from this link: key, replay, address, rate. */
static bool kira_admit(struct kira_call *x, const struct hd_kira_msg *m,
                       const struct hd_in_datagram *d, struct kira_link *l)
{
    struct kira *k = x->k;
    struct kira_interface *i = kira_interface_find(k, d->ifindex);
    const struct kira_row *row = &kira_table[kira_type_slot(m->h.type)];

    if (k->cfg.require_key && (d->key == 0 || !m->has_mac)) {
        kira_drop(x, KIRA_DROP_UNAUTHENTICATED);
        return false;
    }
    if (d->key != 0 && kira_is_sender(x, m, l) && kira_replayed(l, m->mac_counter)) {
        kira_drop(x, KIRA_DROP_REPLAY);
        return false;
    }
    if (kira_is_nameless(x, m, d, l)) {
        kira_drop(x, KIRA_DROP_NO_ADDRESS);
        return false;
    }
    uint32_t cost = 1 + m->len / HD_KIRA_RATE_BYTES;
    bool token = l != NULL ? kira_class_tokens(x, &l->rate[row->class], row->class, cost)
                           : kira_take_tokens(x, &i->strangers, HD_KIRA_RATE_STRANGER, cost);
    if (!token)
        kira_drop(x, KIRA_DROP_RATE);
    return token;
}

/* The neighbour that handed over a source-routed message; makes it one if it was none. */
static struct kira_link *kira_previous(struct kira_call *x, const struct hd_kira_msg *m,
                                       const struct hd_in_datagram *d, struct kira_link *l)
{
    struct hd_id id = hd_kira_id_at(&m->route, m->index - 1u);
    hd_node node;

    if (l != NULL && !l->dead) {
        if (hd_id_equal(kira_id(x, l->node), &id))
            return l;
        kira_drop(x, KIRA_DROP_PREVIOUS_HOP);
        return NULL;
    }
    /* in a closed fabric only an answer makes a neighbour: this may be old (kira_challenge) */
    if (x->k->cfg.require_key && (l == NULL || !hd_id_equal(kira_id(x, l->node), &id))) {
        kira_drop(x, KIRA_DROP_STRANGER);
        return NULL;
    }
    node = hd_ids_intern(x->c->ids, &id);
    if (node == 0 || node == x->k->self || (l = kira_link_heard(x, node, d)) == NULL) {
        kira_drop(x, KIRA_DROP_TABLE_FULL);
        return NULL;
    }
    kira_ask(x, kira_uln_find(x->k, node));
    return l;
}

static void kira_source_routed(struct kira_call *x, const struct hd_kira_msg *m,
                               const struct hd_in_datagram *d, struct kira_link *l, hd_time arrived)
{
    struct kira *k = x->k;
    struct hd_id here = hd_kira_id_at(&m->route, m->index);
    hd_node path[HD_KIRA_ROUTE_MAX];

    if (!hd_id_equal(&here, &k->id)) {
        kira_drop(x, KIRA_DROP_NOT_FOR_US);
        return;
    }
    if ((l = kira_previous(x, m, d, l)) == NULL)
        return;
    kira_link_alive(x, l, arrived);
    uint32_t len = kira_reverse_route(x, m, path);
    if (len == 0) {
        kira_drop(x, KIRA_DROP_TABLE_FULL);
        return;
    }
    kira_not_via_input(x, m);
    struct kira_contact *p = kira_contact_learn(x, path, len, m->h.ssn, 0, KIRA_VALIDATED);
    bool end_system = (m->h.flags & HD_KIRA_ENDSYSTEM) != 0;
    if (p != NULL && p->end_system != end_system) {
        p->end_system = end_system;
        kira_prefix_dirty(k, p->bits);
    }
    bool last = m->index + 1u == m->route.count;
    bool sets_up =
        m->h.type == HD_KIRA_SETUP_REQ || (m->h.type == HD_KIRA_PROBE_REQ && !m->has_overlay_hops);
    if (sets_up && !k->cfg.end_system)
        kira_label_explicit(x, m);
    if (last) {
        kira_table[kira_type_slot(m->h.type)].handle(x, m);
        return;
    }
    if (m->has_rtable && m->h.type == HD_KIRA_FIND_RSP && len < HD_KIRA_PATH_MAX)
        kira_learn_rtable(x, m, path, len, false);
    if (m->h.type == HD_KIRA_ERROR)
        kira_on_error(x, m);
    struct hd_id next_id = hd_kira_id_at(&m->route, m->index + 1u);
    hd_node next = hd_ids_find(x->c->ids, &next_id);
    if (next != 0 && kira_uln_alive(k, next) && !k->cfg.end_system) {
        /* a set-up ends where the rest exists by precomputation (5.6) */
        if (m->h.type == HD_KIRA_SETUP_REQ && m->route.count - m->index - 1u < HD_KIRA_NO_SETUP_LEN)
            return;
        kira_forward(x, m, next);
        return;
    }
    kira_drop(x, KIRA_DROP_NEXT_HOP);
    if ((next = hd_ids_intern(x->c->ids, &next_id)) != 0)
        kira_segment_failure(x, m, next);
}

/* What arrives over the forwarding plane may only be a failure notice. */
static void kira_routed_input(struct kira_call *x, const struct hd_in_datagram *d)
{
    struct hd_kira_msg m;
    enum hd_kira_wire_error e = hd_kira_decode(&m, d->bytes, d->len);

    if (e != HD_KIRA_WIRE_OK)
        kira_drop(x, e);
    else if (m.h.type != HD_KIRA_ERROR || !hd_id_equal(&m.h.dest, &x->k->id) ||
             hd_id_equal(&m.h.source, &x->k->id))
        kira_drop(x, KIRA_DROP_ROUTED);
    else
        kira_on_notice(x, &m);
}

static bool kira_from_link(struct kira_call *x, const struct hd_in_datagram *d)
{
    const struct kira_interface *i = kira_interface_find(x->k, d->ifindex);

    if (i == NULL || !i->up || !i->usable) {
        kira_drop(x, KIRA_DROP_INTERFACE);
        return false;
    }
    if (!hd_ip6_is_link_local(&d->from)) {
        kira_drop(x, KIRA_DROP_NOT_LINK_LOCAL);
        return false;
    }
    return true;
}

void kira_datagram(struct kira_call *x, const struct hd_in_datagram *d, hd_time arrived)
{
    struct kira *k = x->k;
    struct hd_kira_echo echo;
    struct hd_kira_msg m;

    if (k->resting) {
        kira_drop(x, KIRA_DROP_RESTING);
        return;
    }
    if (d->routed) {
        kira_routed_input(x, d);
        return;
    }
    if (!kira_from_link(x, d))
        return;
    if (hd_kira_echo_decode(&echo, d->bytes, d->len)) {
        k->echo_bytes += d->len;
        kira_on_echo(x, &echo, d);
        return;
    }
    k->rx_bytes += d->len;
    enum hd_kira_wire_error e = hd_kira_decode(&m, d->bytes, d->len);
    if (e != HD_KIRA_WIRE_OK) {
        kira_drop(x, e);
        return;
    }
    k->rx[kira_type_slot(m.h.type)]++;
    if (m.h.domain != 0) {
        kira_drop(x, KIRA_DROP_DOMAIN);
        return;
    }
    bool own = hd_id_equal(&m.h.source, &k->id);
    if (own && kira_from_self(k, d)) {
        kira_drop(x, KIRA_DROP_OWN_ID);
        return;
    }
    struct kira_link *l = kira_link_of(k, d->ifindex, &d->from, NULL);
    if (!kira_admit(x, &m, d, l))
        return;
    if (own)
        kira_own_id_heard(x, &m, d, l);
    else if (m.h.type == HD_KIRA_HELLO)
        kira_on_hello(x, &m, d);
    else if (m.h.type == HD_KIRA_DISC_REQ || m.h.type == HD_KIRA_DISC_RSP)
        kira_on_disc(x, &m, d);
    else
        kira_source_routed(x, &m, d, l, arrived);
    /* the message that made the link begins its window */
    if (d->key != 0 && (l = kira_link_of(k, d->ifindex, &d->from, NULL)) != NULL &&
        l->peer_counter == 0)
        (void)kira_replayed(l, m.mac_counter);
}

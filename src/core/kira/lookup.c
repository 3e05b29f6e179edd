/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FindNode: join, exploration, and the overlay hop's part (kira.md 5.4).
 *
 * Join looks up the own ID through the closest contact and also through a random one of a shallow
 * bucket: through the closest alone, nodes of one ID neighbourhood can form islands that know
 * themselves and not each other (kira-scale.md 3.2). A new contact in the last bucket is asked for
 * its view at once, within a rate. Exploration looks for random IDs; it slows down by what it
 * brings: when a window of eight lookups shortens the paths by less than 2 %, the interval doubles,
 * and after one that shortens none it grows fourfold. At rest answers name few contacts, and the
 * windows are shorter (doc/decisions/0027).
 */
#include "core/kira/state.h"

/* --- join ---------------------------------------------------------------------------------------
 */

/*
 * The own surroundings changed: look up anew. A neighbour gained may be the way to all others, so
 * that is urgent; after a loss the repair comes first, and the lookups would only be in its way.
 */
void kira_join_soon(struct kira_call *x, bool gained)
{
    struct kira *k = x->k;
    hd_time first = gained ? HD_KIRA_JOIN_FIRST : HD_KIRA_JOIN_AFTER_LOSS;
    hd_time at = x->c->now + kira_jitter(x, first);

    if (k->stopping)
        return;
    k->join_wait = HD_MIN(HD_MAX(k->join_wait, HD_KIRA_JOIN_FIRST), first);
    if (gained)
        k->explore_wait = HD_KIRA_EXPLORE_FIRST;
    if (!hd_timer_armed(&k->join) || k->join.at > at)
        kira_arm(x, &k->join, KIRA_T_JOIN, at);
    if (!hd_timer_armed(&k->explore) || k->explore.at > x->c->now + 2 * HD_KIRA_EXPLORE_FIRST)
        kira_arm(x, &k->explore, KIRA_T_EXPLORE, x->c->now + kira_jitter(x, HD_KIRA_EXPLORE_FIRST));
}

/*
 * How many contacts an answer shall name: exploration is after shorter paths, a search after one.
 * Once the rounds have become slow, both only look whether something was missed: the nearest tell.
 */
static uint8_t kira_wanted(const struct kira *k, uint8_t kind)
{
    unsigned size = k->cfg.bucket_size;
    bool rest = kind == KIRA_REQ_EXPLORE ? k->explore_wait >= HD_KIRA_EXPLORE_REST
                                         : k->join_wait >= HD_KIRA_JOIN_REST;

    if ((kind != KIRA_REQ_JOIN && kind != KIRA_REQ_EXPLORE) || rest)
        size = (size + 3) / 4;
    else if (kind == KIRA_REQ_EXPLORE)
        size = (size + 1) / 2;
    return (uint8_t)HD_MIN(size, 255u);
}

bool kira_find_send(struct kira_call *x, struct kira_request *r, const struct hd_id *dest,
                    uint8_t flags, hd_node via)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_to(x, via, path);
    struct kira_out o;

    if (len == 0 || !kira_out_begin(x, &o, HD_KIRA_FIND_REQ, flags, dest, r->msg_id,
                                    HD_ID_BYTES * (len + 1) + 32 * HD_KIRA_NOT_VIA_SENT + 32))
        return false;
    hd_kira_write_rtable_req(&o.w, HD_KIRA_RT_OVERLAY, kira_wanted(x->k, r->kind));
    kira_out_route(x, &o, path, len);
    if (r->kind != KIRA_REQ_EXPLORE && r->kind != KIRA_REQ_JOIN)
        kira_out_not_via(x, &o);
    kira_out_to_uln(x, &o, path[0]);
    return true;
}

static void kira_join_ask(struct kira_call *x, hd_node via, const struct hd_id *target)
{
    struct kira_request *r = kira_request_new(x, KIRA_REQ_JOIN, x->k->self, HD_KIRA_FIND_TIMEOUT);

    if (r != NULL && !kira_find_send(x, r, target, 0, via))
        kira_request_end(x, r);
}

/* A random identifier that would belong into the last bucket. */
static struct hd_id kira_last_bucket_target(struct kira_call *x)
{
    struct hd_id id = {{0}};

    hd_random_bytes(x->c->random, id.b, HD_ID_BYTES);
    for (unsigned i = 0; i + 1u < x->k->buckets; i++) {
        uint8_t mask = (uint8_t)(0x80u >> (i % 8));
        id.b[i / 8] = (uint8_t)((id.b[i / 8] & ~mask) | (x->k->id.b[i / 8] & mask));
    }
    return id;
}

/* Any neighbour or contact outside the last bucket, by chance. */
static hd_node kira_random_shallow(struct kira_call *x)
{
    struct kira *k = x->k;
    hd_node chosen = 0;
    uint64_t seen = 0;

    for (uint32_t i = 0; i < k->contacts.len; i++) {
        const struct kira_contact *p = &k->contacts.v[i];
        if (p->state == HD_KIRA_CONTACT_VALID && !p->end_system &&
            kira_bucket_of(k, p->bits) + 1 < k->buckets &&
            hd_random_below(x->c->random, ++seen) == 0)
            chosen = p->node;
    }
    for (uint32_t i = 0; i < k->ulns.len && chosen == 0; i++)
        if (k->ulns.v[i]->alive && !k->ulns.v[i]->end_system &&
            hd_random_below(x->c->random, ++seen) == 0)
            chosen = k->ulns.v[i]->node;
    return chosen;
}

void kira_join_due(struct kira_call *x)
{
    struct kira *k = x->k;
    struct kira_candidate near[HD_KIRA_JOIN_VIA];
    uint32_t n = kira_closest(x, &k->id, 0, true, near, HD_KIRA_JOIN_VIA);

    if (n == 0)
        return; /* isolated: the next neighbour starts again */
    kira_join_ask(x, near[0].node, &k->id);
    /* an answer holds some ten entries: the rest of the last bucket is asked for by other targets
     */
    struct hd_id other = kira_last_bucket_target(x);
    kira_join_ask(x, near[hd_random_below(x->c->random, n)].node, &other);
    hd_node shallow = kira_random_shallow(x);
    if (shallow != 0 && shallow != near[0].node)
        kira_join_ask(x, shallow, &k->id);
    kira_arm(x, &k->join, KIRA_T_JOIN, x->c->now + kira_jitter(x, k->join_wait));
    k->join_wait = hd_time_min(2 * k->join_wait, HD_KIRA_JOIN_LAST);
}

/*
 * A node that was not known to stand near by in ID space: either it is new, or a partition has
 * healed and it brings a crowd. A join that had become slow is drawn forward, so that the lookups
 * which follow find the others; those of a starting network are soon enough.
 */
static void kira_join_again(struct kira_call *x)
{
    struct kira *k = x->k;
    hd_time at = x->c->now + kira_jitter(x, HD_KIRA_JOIN_AFTER_LOSS);

    if (hd_timer_armed(&k->join) && k->join.at <= at + HD_KIRA_JOIN_AFTER_LOSS)
        return;
    k->join_wait = HD_KIRA_JOIN_AFTER_LOSS;
    kira_arm(x, &k->join, KIRA_T_JOIN, at);
}

/* Asks a newcomer of the last bucket for the own neighbourhood (section 8, item 34), within a rate.
 */
void kira_new_close_contact(struct kira_call *x, hd_node node)
{
    struct kira *k = x->k;
    bool young = x->c->now - k->started < HD_SEC(10);

    kira_join_again(x);
    if (k->isolated || x->c->now - k->last_bucket_news < (young ? HD_MS(100) : HD_SEC(1))) {
        kira_probe_want(x, kira_contact_find(k, node), HD_KIRA_PROBE_DELAY);
        return;
    }
    k->last_bucket_news = x->c->now;
    kira_join_ask(x, node, &k->id);
    kira_update_queue(x, node, HD_KIRA_ANNOUNCE);
}

/* --- exploration --------------------------------------------------------------------------------
 */

static void kira_explore_slow_down(struct kira_call *x)
{
    struct kira *k = x->k;
    uint32_t missing = 0, sum = 0;
    uint32_t window = HD_KIRA_EXPLORE_WINDOW;

    if (k->explore_wait >= HD_KIRA_EXPLORE_REST)
        window /= 2;
    if (k->cfg.explore_constant || ++k->explore_window < window)
        return;
    k->explore_window = 0;
    for (uint32_t i = 0; i < k->contacts.len; i++)
        sum += k->contacts.v[i].len;
    for (uint16_t b = 0; b + 1 < k->buckets; b++)
        missing += (uint32_t)HD_MAX(k->cfg.shallow_bucket_size - k->in_bucket[b], 0);
    sum += missing * 16;                             /* a missing contact counts like a long path */
    uint32_t enough = k->explore_sum * window / 400; /* 2 % by eight */
    bool gained = k->explore_sum == 0 || sum + enough < k->explore_sum;
    hd_time factor = sum < k->explore_sum ? 2 : 4;
    k->explore_sum = sum;
    if (gained)
        k->explore_wait = HD_MAX(k->explore_wait / 2, HD_KIRA_EXPLORE_FIRST);
    else
        k->explore_wait = hd_time_min(factor * k->explore_wait, HD_KIRA_EXPLORE_LAST);
}

/* Half of the lookups are uniform; half aim at a bucket chosen at random, which uniform IDs
 * neglect. */
static struct hd_id kira_explore_target(struct kira_call *x)
{
    struct kira *k = x->k;
    struct hd_id id = {{0}};

    hd_random_bytes(x->c->random, id.b, HD_ID_BYTES);
    if (k->buckets > 1 && hd_random_below(x->c->random, 2) == 0) {
        unsigned bits = (unsigned)hd_random_below(x->c->random, k->buckets);
        for (unsigned i = 0; i <= bits; i++) {
            uint8_t mask = (uint8_t)(0x80u >> (i % 8));
            uint8_t own = k->id.b[i / 8] & mask;
            uint8_t want = i < bits ? own : (uint8_t)(own ^ mask);
            id.b[i / 8] = (uint8_t)((id.b[i / 8] & ~mask) | want);
        }
    }
    return id;
}

void kira_explore_due(struct kira_call *x)
{
    struct kira *k = x->k;
    struct hd_id target = kira_explore_target(x);
    struct kira_candidate via;
    struct kira_request *r;

    kira_arm(x, &k->explore, KIRA_T_EXPLORE, x->c->now + kira_jitter(x, k->explore_wait));
    if (kira_closest(x, &target, 0, true, &via, 1) == 0)
        return;
    r = kira_request_new(x, KIRA_REQ_EXPLORE, 0, HD_KIRA_FIND_TIMEOUT);
    if (r != NULL && !kira_find_send(x, r, &target, 0, via.node))
        kira_request_end(x, r);
    kira_explore_slow_down(x);
}

/* --- the overlay hop ----------------------------------------------------------------------------
 */

/*
 * The travelled route without its cycles, as positions of m's route; their number. What is cut off
 * was travelled in vain, and the rest still leads from hop to hop.
 */
static uint32_t kira_travelled(const struct hd_kira_msg *m, uint16_t *out)
{
    uint32_t len = 0;

    for (uint32_t i = 0; i <= m->index; i++) {
        const uint8_t *id = m->route.bytes + (size_t)i * HD_ID_BYTES;
        uint32_t seen = 0;
        while (seen < len &&
               /* cppcheck-suppress uninitvar */
               memcmp(m->route.bytes + (size_t)out[seen] * HD_ID_BYTES, id, HD_ID_BYTES) != 0)
            seen++;
        len = seen;
        out[len++] = (uint16_t)i;
    }
    return len;
}

/* Extends the travelled route by the path to the next overlay hop; everything else is kept. */
static void kira_find_forward(struct kira_call *x, const struct hd_kira_msg *m, const hd_node *path,
                              uint32_t len)
{
    uint16_t travelled[HD_KIRA_ROUTE_MAX];
    uint32_t n = kira_travelled(m, travelled);
    uint32_t end = m->has_mac ? m->mac_offset : m->len;
    uint32_t route_end = m->index_offset + 2 + m->route.count * HD_ID_BYTES;
    uint32_t size = end + len * HD_ID_BYTES + HD_KIRA_MAC_OBJECT_LEN + 16;
    struct kira_out o = {.type = m->h.type};

    if (n + len > HD_KIRA_ROUTE_MAX || size > HD_KIRA_MSG_MAX) {
        kira_drop(x, KIRA_DROP_TOO_LONG);
        kira_send_dead_end(x, m);
        return;
    }
    if (!hd_fx_room(x->c->fx, size) ||
        (o.fx = hd_fx_append(x->c->fx, x->c->core, HD_FX_SEND, size)) == NULL) {
        kira_drop(x, KIRA_DROP_NO_MEMORY);
        return;
    }
    o.w = hd_writer_make(hd_fx_payload(o.fx), size);
    hd_write_bytes(&o.w, m->bytes, m->index_offset - 2);
    hd_write_u16(&o.w, (uint16_t)(2 + (n + len) * HD_ID_BYTES));
    hd_write_u16(&o.w, (uint16_t)n);
    for (uint32_t i = 0; i < n; i++)
        hd_write_bytes(&o.w, m->route.bytes + (size_t)travelled[i] * HD_ID_BYTES, HD_ID_BYTES);
    for (uint32_t i = 0; i < len; i++)
        hd_kira_write_id(&o.w, kira_id(x, path[i]));
    hd_write_bytes(&o.w, m->bytes + route_end, end - route_end);
    x->k->forwarded[kira_type_slot(o.type)]++;
    kira_out_to_uln(x, &o, path[0]);
}

/* A node that a neighbour lists is reached over it, whether it is a contact or not. */
static uint32_t kira_vicinity_path(struct kira_call *x, hd_node node, hd_node *out)
{
    out[0] = node == 0 ? 0 : kira_two_hop_via(x, node);
    out[1] = node;
    return out[0] == 0 ? 0 : 2;
}

static void kira_find_answer(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira *k = x->k;
    struct kira_candidate near[HD_KIRA_CLOSEST_MAX];
    hd_node path[HD_KIRA_PATH_MAX];
    hd_node source = hd_ids_find(x->c->ids, &m->h.source);
    uint32_t n = kira_closest(x, &m->h.dest, source, false, near, HD_MAX(m->rtable_req_radius, 1));
    struct kira_out o;

    if (!kira_reply_begin(x, &o, HD_KIRA_FIND_RSP, m, HD_KIRA_MSG_TARGET + 4096))
        return;
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_RTABLE);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = kira_path_to(x, near[i].node, path);
        if (len == 0)
            continue;
        if (hd_writer_len(&o.w) + 26 + HD_ID_BYTES * len > HD_KIRA_MSG_TARGET && i >= 2)
            break; /* the farthest are left out (3.1) */
        const struct kira_contact *p = kira_contact_find(k, near[i].node);
        const struct kira_vicinity *v = kira_vicinity_find(k, near[i].node);
        uint32_t ssn = p != NULL ? p->ssn : v != NULL ? v->observed : 1;
        hd_kira_write_entry_begin(&o.w, kira_id(x, near[i].node), (uint16_t)len);
        for (uint32_t j = 0; j < len; j++)
            hd_kira_write_id(&o.w, kira_id(x, path[j]));
        hd_kira_write_entry_end(&o.w, ssn == 0 || ssn == HD_KIRA_SSN_RESET ? 1 : ssn,
                                p != NULL ? kira_ms(k, x->c->now) - p->seen_ms : 0,
                                HD_KIRA_DEGREE_UNKNOWN);
    }
    hd_kira_object_end(&o.w, mark);
    kira_reply_send(x, &o);
}

void kira_on_find_req(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira *k = x->k;
    hd_node path[HD_KIRA_PATH_MAX];
    hd_node source = hd_ids_find(x->c->ids, &m->h.source);
    bool exact = (m->h.flags & HD_KIRA_EXACT) != 0;

    if (hd_id_equal(&m->h.dest, &k->id) || (k->cfg.end_system && !exact)) {
        kira_find_answer(x, m);
        return;
    }
    if (k->cfg.end_system) {
        kira_send_dead_end(x, m);
        return;
    }
    hd_node dest = hd_ids_find(x->c->ids, &m->h.dest);
    uint32_t len = exact && dest != source ? kira_vicinity_path(x, dest, path) : 0;
    hd_node next = len > 0 ? dest : kira_next_hop(x, &m->h.dest, source);
    if (len == 0 && next != 0)
        len = kira_path_to(x, next, path);
    if (dest != 0 && kira_uln_alive(k, dest) && dest != source) {
        path[0] = dest;
        len = 1;
    }
    if (len > 0)
        kira_find_forward(x, m, path, len);
    else if (exact)
        kira_send_dead_end(x, m);
    else
        kira_find_answer(x, m);
}

/* --- the answer ---------------------------------------------------------------------------------
 */

/* Concatenates the path to the reporter and an entry's path; 0 when an ID finds no room. */
static uint32_t kira_entry_path(struct kira_call *x, const struct hd_kira_entry *e,
                                const hd_node *path, uint32_t len, hd_node *out)
{
    memcpy(out, path, len * sizeof out[0]);
    for (uint32_t i = 0; i < e->path.count; i++) {
        struct hd_id id = hd_kira_id_at(&e->path, i);
        if ((out[len + i] = hd_ids_intern(x->c->ids, &id)) == 0)
            return 0;
    }
    return len + e->path.count;
}

/*
 * Can nothing come of an entry, whatever its path? Two nodes are the shortest path to what is no
 * neighbour, and what is only named costs one more: nearly all entries find a full bucket that has
 * nobody as dear, or are known over a path that is as short.
 */
static bool kira_entry_is_vain(struct kira_call *x, const struct hd_kira_entry *e)
{
    struct kira *k = x->k;
    hd_node node = hd_ids_find(x->c->ids, &e->id);
    struct kira_contact *p = node == 0 ? NULL : kira_contact_find(k, node);

    if (k->failed.len > 0) /* a path over such a link is no knowledge at all */
        return false;
    if (node != 0 && (node == k->self || kira_uln_alive(k, node)))
        return true;
    if (p == NULL)
        return kira_bucket_is_closed(k, (uint8_t)hd_id_shared_bits(&k->id, &e->id), 3);
    if (p->len > 2 || (p->state != HD_KIRA_CONTACT_VALID && p->state != HD_KIRA_CONTACT_UNPROBED))
        return false;
    if (kira_ssn_newer(e->ssn, p->ssn))
        p->ssn = e->ssn;
    return true;
}

static void kira_learn_entries(struct kira_call *x, const struct hd_kira_msg *m,
                               const hd_node *path, uint32_t len, struct kira_map *map)
{
    hd_node full[HD_KIRA_ROUTE_MAX + HD_KIRA_PATH_MAX];
    struct hd_reader items = m->rtable;
    struct hd_kira_entry e;

    while (hd_kira_next_entry(&items, &e)) {
        uint32_t n = kira_entry_is_vain(x, &e) ? 0 : kira_entry_path(x, &e, path, len, full);
        if (n == 0)
            continue;
        hd_node node = full[n - 1];
        if (map != NULL) {
            hd_node shorter[HD_KIRA_PATH_MAX];
            uint32_t s = kira_map_path(map, node, shorter);
            if (s > 0 && s < n) {
                kira_contact_learn(x, shorter, s, e.ssn, e.age_ms, KIRA_NAMED);
                continue;
            }
        }
        kira_contact_learn(x, full, n, e.ssn, e.age_ms, KIRA_NAMED);
    }
}

/* The answer may also have brought shortcuts to contacts that it does not name. */
static void kira_stitch_contacts(struct kira_call *x, const struct kira_map *map)
{
    struct kira *k = x->k;
    hd_node path[HD_KIRA_PATH_MAX];

    for (uint32_t i = k->contacts.len; i-- > 0;) {
        if (i >= k->contacts.len)
            continue;
        struct kira_contact *p = &k->contacts.v[i];
        if (p->state != HD_KIRA_CONTACT_VALID || p->len < 2)
            continue;
        uint32_t n = kira_map_path(map, p->node, path);
        if (n < 2 || n >= p->len || (p->proposed != 0 && n >= p->proposed_len))
            continue;
        kira_count(x, KIRA_N_STITCHED);
        kira_contact_learn(x, path, n, p->ssn, 0, KIRA_NAMED);
    }
}

void kira_learn_rtable(struct kira_call *x, const struct hd_kira_msg *m, const hd_node *path,
                       uint32_t len, bool stitch)
{
    struct kira_map map;
    hd_node full[HD_KIRA_ROUTE_MAX + HD_KIRA_PATH_MAX];
    struct hd_reader items = m->rtable;
    struct hd_kira_entry e;

    if (!stitch) {
        kira_learn_entries(x, m, path, len, NULL);
        return;
    }
    kira_map_build(x, &map);
    kira_map_add_path(x, &map, path, len);
    while (hd_kira_next_entry(&items, &e)) {
        uint32_t n = kira_entry_path(x, &e, path, len, full);
        if (n > 0)
            kira_map_add_path(x, &map, full, n);
    }
    kira_map_solve(x, &map);
    kira_learn_entries(x, m, path, len, &map);
    kira_stitch_contacts(x, &map);
    struct kira_request *r = kira_request_find(x->k, m->h.msg_id);
    if (r != NULL && r->kind == KIRA_REQ_ROUND)
        kira_guard_answer(x, r, &map);
}

void kira_on_find_rsp(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira *k = x->k;
    struct kira_request *r = kira_request_find(k, m->h.msg_id);
    hd_node path[HD_KIRA_ROUTE_MAX];
    uint32_t contacts = k->contacts.len;

    if (r == NULL || (r->kind != KIRA_REQ_JOIN && r->kind != KIRA_REQ_EXPLORE &&
                      r->kind != KIRA_REQ_SEARCH && r->kind != KIRA_REQ_ROUND)) {
        kira_drop(x, KIRA_DROP_NO_REQUEST);
        return;
    }
    uint32_t len = kira_reverse_route(x, m, path);
    len = kira_path_clean(k->self, path, len);
    if (len == 0 || len > HD_KIRA_PATH_MAX)
        return;
    uint64_t msg_id = m->h.msg_id;
    kira_learn_rtable(x, m, path, len, true);
    r = kira_request_find(k, msg_id); /* learning may have ended it */
    if (r == NULL)
        return;
    if (r->kind == KIRA_REQ_JOIN && !k->joined && k->contacts.len == contacts) {
        k->joined = true;
        kira_update_state(x);
    }
    if (r->kind == KIRA_REQ_SEARCH)
        kira_search_answered(x, r);
    else
        kira_request_end(x, r);
}

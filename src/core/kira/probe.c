/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes (kira.md 5.5, 5.6). A ProbeReq over a path does three things at once: it shows that the
 * path works, every hop on the way takes the explicit label of the rest, and the answer confirms
 * both. So one exchange sets a path up, and its repetition every 28 s keeps the labels alive (they
 * live 60 s).
 *
 * Only what carries data, or stands where it will, is set up and refreshed; other contacts are
 * asked once in five minutes (doc/decisions/0004).
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

/* --- waiting to be asked ------------------------------------------------------------------------
 */

void kira_probe_want(struct kira_call *x, struct kira_contact *p, hd_time within)
{
    struct kira *k = x->k;

    if (p == NULL)
        return;
    hd_time at = x->c->now + kira_jitter(x, within);
    uint16_t at_ms = (uint16_t)kira_ms(k, at);
    if ((p->flags & KIRA_CONTACT_WANTED) != 0 && (int16_t)(p->probe_ms - at_ms) <= 0)
        return;
    p->flags |= KIRA_CONTACT_WANTED;
    p->probe_ms = at_ms;
    if (!hd_timer_armed(&k->probe) || k->probe.at > at)
        kira_arm(x, &k->probe, KIRA_T_PROBE, at);
}

static bool kira_probe_wanted(struct kira_call *x, struct kira_contact *p)
{
    p->flags &= (uint8_t)~KIRA_CONTACT_WANTED;
    if ((p->flags & KIRA_CONTACT_PROBING) != 0)
        return false;
    if (p->proposed != 0 && p->state == HD_KIRA_CONTACT_VALID)
        return kira_probe_send(x, p, true, HD_KIRA_PROBE_TIMEOUT, 0);
    if (p->active != 0 && p->state == HD_KIRA_CONTACT_UNPROBED)
        return kira_probe_send(x, p, false, HD_KIRA_PROBE_TIMEOUT, 0);
    return false;
}

void kira_probe_due(struct kira_call *x)
{
    struct kira *k = x->k;
    uint32_t now_ms = kira_ms(k, x->c->now), next = UINT32_MAX; /* ms from now */
    unsigned sent = 0;

    for (uint32_t i = 0; i < k->contacts.len; i++) {
        struct kira_contact *p = &k->contacts.v[i];
        if ((p->flags & KIRA_CONTACT_WANTED) == 0)
            continue;
        int16_t to_go = (int16_t)(p->probe_ms - (uint16_t)now_ms);
        uint32_t ahead = (uint32_t)HD_MAX(to_go, 0);
        if (ahead == 0 && sent < 16)
            sent += kira_probe_wanted(x, p);
        else
            next = HD_MIN(next, HD_MAX(ahead, 1u));
    }
    if (next != UINT32_MAX) {
        hd_time this_ms = x->c->now - (x->c->now - k->started) % HD_MS(1);
        kira_arm(x, &k->probe, KIRA_T_PROBE, this_ms + HD_MS((hd_time)next + 1));
    }
}

/* --- asking -------------------------------------------------------------------------------------
 */

void kira_probe_path(struct kira_call *x, struct kira_request *r, const hd_node *path, uint32_t len)
{
    struct kira_out o;

    if (!kira_out_begin(x, &o, HD_KIRA_PROBE_REQ, HD_KIRA_EXACT, kira_id(x, path[len - 1]),
                        r->msg_id, HD_ID_BYTES * (len + 1) + 16))
        return;
    kira_out_route(x, &o, path, len);
    if (r->kind == KIRA_REQ_CHECK) {
        struct kira_uln *u = kira_uln_find(x->k, path[0]);
        for (uint32_t i = 0; u != NULL && i < u->links_len; i++)
            if (u->links[i]->ifindex == r->ifindex) {
                kira_out_to_link(x, &o, u->links[i]);
                return;
            }
    }
    kira_out_to_uln(x, &o, path[0]);
}

bool kira_probe_send(struct kira_call *x, struct kira_contact *p, bool proposed, hd_time timeout,
                     uint8_t tries)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_read(x->k, proposed ? p->proposed : p->active, path);
    struct kira_request *r;

    if (len == 0)
        return false;
    r = kira_request_new(x, KIRA_REQ_PROBE, p->node, timeout);
    if (r == NULL)
        return false;
    r->proposed = proposed;
    r->tries = tries;
    r->wait = timeout;
    p->flags |= KIRA_CONTACT_PROBING;
    kira_probe_path(x, r, path, len);
    return true;
}

/*
 * Refreshes the labels of a path that carries nothing now by a PathSetupReq: it has no answer and
 * ends where the rest exists by precomputation, so it costs a hop or two where a probe costs the
 * whole way and back.
 */
static void kira_refresh(struct kira_call *x, struct kira_contact *p)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_read(x->k, p->active, path);
    struct kira_out o;

    if (!kira_out_begin(x, &o, HD_KIRA_SETUP_REQ, 0, kira_id(x, p->node), kira_msg_id(x),
                        HD_ID_BYTES * (len + 1) + 16))
        return;
    kira_out_route(x, &o, path, len);
    kira_out_to_uln(x, &o, path[0]);
    p->setup_s = kira_seconds(x->k, x->c->now);
}

void kira_on_probe_req(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira_out o;

    if (m->has_overlay_hops && !hd_id_equal(&m->h.dest, &x->k->id))
        kira_way_answer(x, m);
    else if (kira_reply_begin(x, &o, HD_KIRA_PROBE_RSP, m, 0))
        kira_reply_send(x, &o);
}

/* --- the answer ---------------------------------------------------------------------------------
 */

static bool kira_same_path(const struct kira *k, uint16_t end, const hd_node *path, uint32_t len)
{
    hd_node own[HD_KIRA_PATH_MAX];

    return end != 0 && kira_path_read(k, end, own) == len &&
           memcmp(own, path, len * sizeof own[0]) == 0;
}

static void kira_proposed_drop(struct kira *k, struct kira_contact *p)
{
    kira_path_release(k, p->proposed);
    p->proposed = 0;
    p->proposed_len = 0;
}

static void kira_probe_confirmed(struct kira_call *x, struct kira_contact *p, const hd_node *path,
                                 uint32_t len)
{
    struct kira *k = x->k;

    if (kira_same_path(k, p->proposed, path, len)) {
        uint16_t end = p->proposed;
        p->proposed = 0;
        if (p->proposed_len < p->len || p->state != HD_KIRA_CONTACT_VALID) {
            kira_contact_set_active(x, p, end, p->proposed_len);
            kira_event(x, HD_KIRA_EV_PATH_CHANGED, p->node, 0, 0, p->len);
        } else {
            kira_path_release(k, end);
        }
        p->proposed_len = 0;
    }
    if (!kira_same_path(k, p->active, path, len))
        return;
    if (p->state != HD_KIRA_CONTACT_VALID) {
        p->state = HD_KIRA_CONTACT_VALID;
        kira_event(x, HD_KIRA_EV_CONTACT_VALID, p->node, 0, 0, len);
        kira_search_end(x, p->node);
    }
    p->flags &= (uint8_t)~KIRA_CONTACT_REPAIR;
    if (kira_contact_needs_setup(k, p)) {
        if ((p->flags & KIRA_CONTACT_SETUP) == 0)
            kira_contact_dirty(x, p);
        p->flags |= KIRA_CONTACT_SETUP;
        p->setup_s = kira_seconds(k, x->c->now);
    }
    p->seen_ms = kira_ms(k, x->c->now);
}

void kira_on_probe_rsp(struct kira_call *x, const struct hd_kira_msg *m)
{
    struct kira_request *r = kira_request_find(x->k, m->h.msg_id);
    hd_node path[HD_KIRA_ROUTE_MAX];

    if (r == NULL || (r->node != 0 && !hd_id_equal(kira_id(x, r->node), &m->h.source))) {
        kira_drop(x, KIRA_DROP_NO_REQUEST);
        return;
    }
    switch ((enum kira_request_kind)r->kind) {
    case KIRA_REQ_PING:
        kira_ping_answered(x, r, m);
        return;
    case KIRA_REQ_TRACE:
        kira_trace_answered(x, r);
        return;
    case KIRA_REQ_WAY:
        kira_way_answered(x, r, m);
        return;
    case KIRA_REQ_GUARD: {
        uint32_t way = kira_reverse_route(x, m, path);
        kira_guard_confirmed(x, r, path, way);
        return;
    }
    case KIRA_REQ_PROBE:
        break;
    case KIRA_REQ_CHECK:
        kira_request_end(x, r);
        return;
    default: /* no answer to that question, which stays open */
        kira_drop(x, KIRA_DROP_NO_REQUEST);
        return;
    }
    struct kira_contact *p = kira_contact_find(x->k, r->node);
    kira_request_end(x, r);
    if (p == NULL)
        return;
    p->flags &= (uint8_t)~KIRA_CONTACT_PROBING;
    uint32_t len = kira_reverse_route(x, m, path);
    if (len > 0 && len <= HD_KIRA_PATH_MAX)
        kira_probe_confirmed(x, p, path, len);
    p = kira_contact_find(x->k, p->node);
    if (p != NULL && p->proposed != 0)
        kira_probe_want(x, p, HD_KIRA_PROBE_SOON);
    if (p != NULL && (p->flags & KIRA_CONTACT_SETUP) == 0 && kira_contact_needs_setup(x->k, p))
        kira_contact_dirty(x, p); /* it answered over another path than the one in use */
}

void kira_probe_timeout(struct kira_call *x, struct kira_request *r)
{
    struct kira *k = x->k;
    struct kira_contact *p = kira_contact_find(k, r->node);
    bool proposed = r->proposed;
    uint8_t tries = r->tries;
    hd_time wait = r->wait;

    kira_request_end(x, r);
    if (p == NULL)
        return;
    p->flags &= (uint8_t)~KIRA_CONTACT_PROBING;
    bool repair = (p->flags & KIRA_CONTACT_REPAIR) != 0;
    uint8_t most = repair ? HD_KIRA_PROBE_TRIES - 1 : HD_KIRA_PROBE_TRIES;
    if (tries + 1 < most && (proposed ? p->proposed : p->active) != 0) {
        kira_probe_send(x, p, proposed, repair ? wait : 2 * wait, (uint8_t)(tries + 1));
        return;
    }
    if (proposed) {
        kira_proposed_drop(k, p);
        return;
    }
    if (p->state == HD_KIRA_CONTACT_UNPROBED && !repair)
        kira_contact_remove(x, p); /* named by others, never heard */
    else
        kira_contact_broken(x, p);
}

/* --- ages, once per second ----------------------------------------------------------------------
 */

static bool kira_older(uint32_t now_ms, uint32_t then_ms, hd_time limit)
{
    return now_ms - then_ms > (uint32_t)hd_time_to_ms(limit);
}

/* What a contact is due for; true when it was removed. */
static bool kira_contact_age(struct kira_call *x, struct kira_contact *p, uint32_t now_ms)
{
    bool valid = p->state == HD_KIRA_CONTACT_VALID;
    bool probing = (p->flags & KIRA_CONTACT_PROBING) != 0;
    bool explicit_path = kira_contact_needs_setup(x->k, p);
    hd_time now = x->c->now;

    if (p->used_s != 0 && kira_seconds_since(x->k, now, p->used_s) > HD_KIRA_ON_DEMAND_IDLE)
        p->used_s = 0;
    if (x->k->cfg.few_routes && (p->flags & KIRA_CONTACT_ROUTE) != 0 && !kira_contact_carries(x, p))
        kira_contact_dirty(x, p);
    if ((p->flags & KIRA_CONTACT_ON_DEMAND) != 0 && p->used_s == 0 &&
        kira_older(now_ms, p->seen_ms, HD_KIRA_ON_DEMAND_IDLE)) {
        kira_search_end(x, p->node);
        kira_contact_remove(x, p);
        return true;
    }
    if (p->state == HD_KIRA_CONTACT_UNPROBED &&
        kira_older(now_ms, p->seen_ms, HD_KIRA_THIRD_PARTY_AGE)) {
        kira_contact_remove(x, p);
        return true;
    }
    if ((p->flags & KIRA_CONTACT_SETUP) != 0 &&
        kira_seconds_since(x->k, now, p->setup_s) > HD_KIRA_LABEL_TRUST) {
        p->flags &= (uint8_t)~KIRA_CONTACT_SETUP;
        kira_contact_dirty(x, p);
    }
    bool refresh = valid && !probing && explicit_path && (p->flags & KIRA_CONTACT_SETUP) != 0 &&
                   kira_contact_carries(x, p) &&
                   kira_seconds_since(x->k, now, p->setup_s) > HD_KIRA_LABEL_REFRESH;
    if (refresh && kira_contact_in_use(x, p))
        kira_probe_send(x, p, false, HD_KIRA_PROBE_TIMEOUT, 0);
    else if (refresh)
        kira_refresh(x, p);
    else if (valid && !probing && explicit_path && (p->flags & KIRA_CONTACT_SETUP) == 0 &&
             kira_contact_carries(x, p))
        kira_probe_send(x, p, false, HD_KIRA_PROBE_TIMEOUT, 0);
    else if (valid && !probing && kira_older(now_ms, p->seen_ms, HD_KIRA_AGE_PROBE))
        kira_probe_send(x, p, false, HD_KIRA_PROBE_TIMEOUT, 0);
    else if (p->state == HD_KIRA_CONTACT_UNPROBED && !probing && kira_contact_carries(x, p) &&
             (p->flags & KIRA_CONTACT_WANTED) == 0)
        kira_probe_want(x, p, HD_KIRA_PROBE_DELAY);
    else if (p->state == HD_KIRA_CONTACT_INVALID || p->state == HD_KIRA_CONTACT_SEARCHING) {
        if (kira_search_find(x->k, p->node) != NULL)
            return false;
        if (!kira_contact_carries(x, p)) {
            kira_contact_remove(x, p);
            return true;
        }
        kira_search_start(x, p->node, HD_KIRA_SEARCH_CLOSE, false);
    }
    return false;
}

void kira_contacts_tick(struct kira_call *x)
{
    struct kira *k = x->k;
    uint32_t now_ms = kira_ms(k, x->c->now);

    for (uint32_t i = k->contacts.len; i-- > 0;)
        if (i < k->contacts.len && hd_fx_room(x->c->fx, HD_KIRA_MSG_MAX))
            kira_contact_age(x, &k->contacts.v[i], now_ms);
    kira_contacts_shrink(x);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rediscovery (kira.md 5.8), also used to find a destination with traffic (5.11). A search asks for
 * one node by FindNodeReq EXACT through contacts that are close to it, two at a time, each for 250
 * ms, with the failed links in the not-via list; up to five rounds with doubling waits between
 * them.
 *
 * Waits come before searches only: what is known already has been used by failure.c before a search
 * begins, and a search that traffic or the close buckets wait for starts within 20 ms
 * (doc/decisions/0002).
 */
#include "core/kira/state.h"

struct kira_search *kira_search_find(struct kira *k, hd_node node)
{
    for (uint32_t i = 0; i < k->searches.len; i++)
        if (k->searches.v[i]->node == node)
            return k->searches.v[i];
    return NULL;
}

void kira_search_start(struct kira_call *x, hd_node node, hd_time wait, bool urgent)
{
    struct kira *k = x->k;
    struct kira_search *s = kira_search_find(k, node);
    hd_time at = x->c->now + (urgent ? (hd_time)hd_random_below(x->c->random, HD_KIRA_SEARCH_SOON)
                                     : kira_jitter(x, wait));

    if (s != NULL) {
        if (urgent && !s->urgent && s->open == 0) {
            s->urgent = true;
            kira_arm(x, &s->timer, KIRA_T_SEARCH, at);
        }
        return;
    }
    if (k->searches.len >= HD_KIRA_SEARCHES_MAX)
        return; /* the tick comes back to it */
    s = hd_pool_alloc(x->c->pool, sizeof *s);
    if (s == NULL || hd_vec_push(x->c->pool, &k->searches, s) != 0) {
        hd_pool_free(x->c->pool, s, sizeof *s);
        kira_no_memory(x);
        return;
    }
    s->node = node;
    s->wait = wait;
    s->urgent = urgent;
    kira_count(x, KIRA_N_SEARCH);
    kira_arm(x, &s->timer, KIRA_T_SEARCH, at);
}

static void kira_search_free(struct kira_call *x, struct kira_search *s)
{
    struct kira *k = x->k;

    kira_disarm(x, &s->timer);
    for (uint32_t i = 0; i < k->searches.len; i++)
        if (k->searches.v[i] == s) {
            hd_vec_remove_swap(&k->searches, i);
            break;
        }
    hd_pool_free(x->c->pool, s, sizeof *s);
}

void kira_search_end(struct kira_call *x, hd_node node)
{
    struct kira_search *s = kira_search_find(x->k, node);

    if (s == NULL)
        return;
    kira_search_free(x, s);
    kira_requests_cancel(x, KIRA_REQ_SEARCH, node);
}

static bool kira_search_used(const struct kira_search *s, hd_node via)
{
    for (uint8_t i = 0; i < s->vias_len; i++)
        if (s->vias[i] == via)
            return true;
    return false;
}

/*
 * The node closest to the target says that nobody is closer. A few such answers over different ways
 * are as good as all: the round is over, and the network is spared the rest.
 */
void kira_search_dead_end(struct kira_call *x, hd_node node)
{
    struct kira_search *s = kira_search_find(x->k, node);

    if (s != NULL && s->dead_ends < 255)
        s->dead_ends++;
}

/* Asks through the next contact near the target that was not asked in this round. */
static bool kira_search_ask(struct kira_call *x, struct kira_search *s,
                            const struct kira_candidate *near, uint32_t n)
{
    if (s->dead_ends >= HD_KIRA_SEARCH_DEAD_ENDS)
        return false;
    for (uint32_t i = 0; i < n && s->vias_len < HD_KIRA_SEARCH_VIA; i++) {
        if (kira_search_used(s, near[i].node))
            continue;
        struct kira_request *r =
            kira_request_new(x, KIRA_REQ_SEARCH, s->node, HD_KIRA_SEARCH_TIMEOUT);
        if (r == NULL)
            return false;
        s->vias[s->vias_len++] = near[i].node;
        if (!kira_find_send(x, r, kira_id(x, s->node), HD_KIRA_EXACT, near[i].node)) {
            kira_request_end(x, r);
            continue;
        }
        s->open++;
        return true;
    }
    return false;
}

static void kira_search_round_ends(struct kira_call *x, struct kira_search *s)
{
    struct kira_contact *p;
    hd_node node = s->node;

    s->vias_len = s->dead_ends = 0;
    if (++s->round < HD_KIRA_SEARCH_ROUNDS) {
        kira_arm(x, &s->timer, KIRA_T_SEARCH,
                 x->c->now +
                     kira_jitter(x, HD_MAX(s->wait, HD_KIRA_SEARCH_CLOSE) << (s->round - 1)));
        return;
    }
    kira_search_free(x, s);
    kira_count(x, KIRA_N_SEARCH_FAILED);
    p = kira_contact_find(x->k, node);
    if (p != NULL && p->state != HD_KIRA_CONTACT_VALID) {
        kira_count(x, KIRA_N_CONTACT_DEAD);
        kira_event(x, HD_KIRA_EV_CONTACT_DEAD, node, 0, 0, 0);
        kira_update_queue(x, node, HD_KIRA_UNREACHABLE);
        kira_contact_remove(x, p);
    }
}

void kira_search_due(struct kira_call *x, struct kira_search *s)
{
    struct kira *k = x->k;
    struct kira_candidate near[HD_KIRA_SEARCH_VIA + 4];
    struct kira_contact *p = kira_contact_find(k, s->node);

    if (kira_uln_alive(k, s->node) || (p != NULL && p->state == HD_KIRA_CONTACT_VALID)) {
        kira_search_end(x, s->node);
        return;
    }
    uint32_t n = kira_closest(x, kira_id(x, s->node), s->node, true, near, HD_ARRAY_LEN(near));
    while (s->open < HD_KIRA_SEARCH_PARALLEL && kira_search_ask(x, s, near, n))
        ;
    if (s->open == 0)
        kira_search_round_ends(x, s);
}

/* A question ended without success: the next contact is asked. */
void kira_search_refused(struct kira_call *x, struct kira_request *r)
{
    struct kira_search *s = kira_search_find(x->k, r->node);

    kira_request_end(x, r);
    if (s == NULL)
        return;
    if (s->open > 0)
        s->open--;
    kira_arm(x, &s->timer, KIRA_T_SEARCH, x->c->now + HD_MS(1));
}

void kira_search_answered(struct kira_call *x, struct kira_request *r)
{
    struct kira *k = x->k;
    struct kira_contact *p = kira_contact_find(k, r->node);
    hd_node node = r->node;

    if (kira_uln_alive(k, node) || (p != NULL && p->state == HD_KIRA_CONTACT_VALID)) {
        kira_count(x, KIRA_N_REPAIR_SEARCH);
        kira_commands_found(x, node);
        kira_search_end(x, node);
        return;
    }
    kira_search_refused(x, r);
}

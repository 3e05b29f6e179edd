/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests under way. Each has a random message id, which its answer repeats, and a time-out. A
 * response that nobody asked for changes nothing beyond what its route teaches.
 */
#include "core/kira/state.h"

/* A person's commands leave the protocol its share. */
static bool kira_too_many_commands(const struct kira *k, uint8_t kind)
{
    uint32_t n = 0;

    if (!kira_request_of_command(kind))
        return false;
    for (uint32_t i = 0; i < k->requests.len; i++)
        n += kira_request_of_command(k->requests.v[i]->kind);
    return n >= HD_KIRA_COMMAND_REQUESTS_MAX;
}

struct kira_request *kira_request_new(struct kira_call *x, uint8_t kind, hd_node node,
                                      hd_time timeout)
{
    struct kira *k = x->k;
    struct kira_request *r;

    if (k->requests.len >= HD_KIRA_REQUESTS_MAX || kira_too_many_commands(k, kind)) {
        kira_drop(x, KIRA_DROP_TABLE_FULL);
        return NULL;
    }
    r = hd_pool_alloc(x->c->pool, sizeof *r);
    if (r == NULL || hd_vec_push(x->c->pool, &k->requests, r) != 0) {
        hd_pool_free(x->c->pool, r, sizeof *r);
        kira_no_memory(x);
        return NULL;
    }
    r->kind = kind;
    r->node = node;
    r->msg_id = kira_msg_id(x);
    r->sent = x->c->now;
    r->timer.kind = KIRA_T_REQUEST;
    if (hd_timer_arm(&k->timers, x->c->pool, &r->timer, x->c->now + timeout) != 0) {
        k->requests.len--;
        hd_pool_free(x->c->pool, r, sizeof *r);
        kira_no_memory(x);
        return NULL;
    }
    return r;
}

struct kira_request *kira_request_find(struct kira *k, uint64_t msg_id)
{
    for (uint32_t i = 0; i < k->requests.len; i++)
        if (k->requests.v[i]->msg_id == msg_id)
            return k->requests.v[i];
    return NULL;
}

void kira_request_end(struct kira_call *x, struct kira_request *r)
{
    struct kira *k = x->k;

    kira_disarm(x, &r->timer);
    for (uint32_t i = 0; i < k->requests.len; i++)
        if (k->requests.v[i] == r) {
            hd_vec_remove_swap(&k->requests, i);
            break;
        }
    hd_pool_free(x->c->pool, r, sizeof *r);
}

uint32_t kira_requests_cancel(struct kira_call *x, uint8_t kind, hd_node node)
{
    struct kira *k = x->k;
    uint32_t n = 0;

    for (uint32_t i = k->requests.len; i-- > 0;)
        if (k->requests.v[i]->kind == kind && k->requests.v[i]->node == node) {
            kira_request_end(x, k->requests.v[i]);
            n++;
        }
    return n;
}

void kira_request_due(struct kira_call *x, struct kira_request *r)
{
    switch ((enum kira_request_kind)r->kind) {
    case KIRA_REQ_DISC:
        kira_disc_timeout(x, r);
        break;
    case KIRA_REQ_QUERY:
        kira_query_timeout(x, r);
        break;
    case KIRA_REQ_GUARD:
        kira_guard_timeout(x, r);
        break;
    case KIRA_REQ_PROBE:
        kira_probe_timeout(x, r);
        break;
    case KIRA_REQ_SEARCH:
        kira_search_refused(x, r);
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
    case KIRA_REQ_JOIN: /* the next round comes by itself */
    case KIRA_REQ_EXPLORE:
    case KIRA_REQ_ROUND:
    case KIRA_REQ_CHECK: /* liveness.c counts what was not answered */
        kira_request_end(x, r);
        break;
    }
}

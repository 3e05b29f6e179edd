/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of a person: ping and path. Both make sure that the node is reached: an unknown one is
 * searched for like a destination with traffic. `ping` then probes the path in use. `path` looks
 * first where packets go without a search (way.c), then waits until the destination has its own
 * route, and probes each node on it.
 */
#include "core/kira/state.h"

#define KIRA_FIND_PATIENCE HD_SEC(3)
#define KIRA_PATH_POLL     HD_MS(50)

struct kira_command *kira_command_find(struct kira *k, uint32_t id)
{
    for (uint32_t i = 0; i < k->commands.len; i++)
        if (k->commands.v[i]->id == id)
            return k->commands.v[i];
    return NULL;
}

void kira_command_free(struct kira_call *x, struct kira_command *q)
{
    struct kira *k = x->k;

    kira_disarm(x, &q->timer);
    for (uint32_t i = k->requests.len; i-- > 0;)
        if (k->requests.v[i]->command == q->id && kira_request_of_command(k->requests.v[i]->kind))
            kira_request_end(x, k->requests.v[i]);
    for (uint32_t i = 0; i < k->commands.len; i++)
        if (k->commands.v[i] == q) {
            hd_vec_remove_swap(&k->commands, i);
            break;
        }
    hd_pool_free(x->c->pool, q->hops, q->hops_cap * sizeof *q->hops);
    hd_pool_free(x->c->pool, q, sizeof *q);
}

void kira_reply(struct kira_call *x, uint32_t id, uint16_t list, const void *rows, uint32_t n,
                uint32_t row_size, bool last, int error)
{
    uint32_t len = n * row_size;
    struct hd_effect *e = hd_fx_append(x->c->fx, x->c->core, HD_FX_REPLY, len);

    if (e == NULL)
        return;
    e->u.reply = (struct hd_fx_reply){.command = id,
                                      .list = list,
                                      .flags = last ? HD_REPLY_LAST : 0,
                                      .error = error,
                                      .rows = n,
                                      .len = len};
    if (len > 0)
        memcpy(hd_fx_payload(e), rows, len);
}

void kira_command_fail(struct kira_call *x, uint32_t id, uint16_t list, int error)
{
    kira_reply(x, id, list, NULL, 0, 0, true, error);
}

static uint16_t kira_command_list(const struct kira_command *q)
{
    return q->verb == HD_KIRA_PING ? HD_KIRA_LIST_PING : HD_KIRA_LIST_PATH;
}

/* --- which node is meant ------------------------------------------------------------------------
 */

static bool kira_prefix_matches(const struct hd_id *id, const struct hd_id *prefix, uint8_t nibbles)
{
    if (memcmp(id->b, prefix->b, nibbles / 2) != 0)
        return false;
    return nibbles % 2 == 0 || (id->b[nibbles / 2] & 0xf0) == (prefix->b[nibbles / 2] & 0xf0);
}

static void kira_match(struct kira_call *x, const struct hd_kira_command *a, hd_node node,
                       hd_node *found, int *error)
{
    if (*found == node || !kira_prefix_matches(kira_id(x, node), &a->id, a->nibbles))
        return;
    *error = *found == 0 ? 0 : HD_EEXIST;
    *found = node;
}

static int kira_resolve(struct kira_call *x, const struct hd_kira_command *a, hd_node *node)
{
    struct kira *k = x->k;
    int error = HD_ENOENT;

    *node = 0;
    if (a->nibbles >= 2 * HD_ID_BYTES) {
        if (hd_id_is_zero(&a->id) || hd_id_is_ones(&a->id))
            return HD_EINVAL;
        *node = hd_ids_intern(x->c->ids, &a->id);
        return *node == 0 ? HD_ELIMIT : 0;
    }
    kira_match(x, a, k->self, node, &error);
    for (uint32_t i = 0; i < k->ulns.len && error != HD_EEXIST; i++)
        if (k->ulns.v[i]->alive)
            kira_match(x, a, k->ulns.v[i]->node, node, &error);
    for (uint32_t i = 0; i < k->contacts.len && error != HD_EEXIST; i++)
        kira_match(x, a, k->contacts.v[i].node, node, &error);
    for (uint32_t i = 0; i < k->vicinity.len && error != HD_EEXIST; i++) {
        const struct kira_vicinity *v = k->vicinity.v[i];
        kira_match(x, a, v->node, node, &error);
        for (uint32_t j = 0; j < v->list_len && error != HD_EEXIST; j++)
            kira_match(x, a, v->list[j], node, &error);
    }
    return error;
}

/* True when the node can be probed now; otherwise it is being searched for. */
static bool kira_command_reach(struct kira_call *x, hd_node node)
{
    struct kira *k = x->k;
    struct kira_contact *p = kira_contact_find(k, node);

    if (node == k->self || kira_uln_alive(k, node))
        return true;
    if (p == NULL && (p = kira_contact_add_on_demand(x, node)) != NULL)
        p->state = HD_KIRA_CONTACT_SEARCHING;
    if (p == NULL)
        return false;
    p->used_s = kira_seconds(k, x->c->now);
    if (p->state == HD_KIRA_CONTACT_VALID) {
        kira_contact_dirty(x, p);
        return true;
    }
    kira_search_start(x, node, HD_KIRA_SEARCH_SOON, true);
    return false;
}

void kira_command_input(struct kira_call *x, const struct hd_in_command *in)
{
    struct kira *k = x->k;
    struct kira_command *q = kira_command_find(k, in->id);
    uint16_t list = in->verb == HD_KIRA_PING ? HD_KIRA_LIST_PING : HD_KIRA_LIST_PATH;
    hd_node node;
    int error;

    if (in->cancel) {
        if (q != NULL)
            kira_command_free(x, q);
        return;
    }
    if (q != NULL || (in->verb != HD_KIRA_PING && in->verb != HD_KIRA_PATH) ||
        in->len != sizeof q->args) {
        kira_command_fail(x, in->id, list, HD_EINVAL);
        return;
    }
    struct hd_kira_command args;
    memcpy(&args, in->args, sizeof args);
    error = kira_resolve(x, &args, &node);
    if (error == 0 && k->commands.len >= HD_KIRA_COMMANDS_MAX)
        error = HD_ELIMIT;
    if (error == 0 && node == k->self && in->verb == HD_KIRA_PATH)
        error = HD_EINVAL;
    q = error == 0 ? hd_pool_alloc(x->c->pool, sizeof *q) : NULL;
    if (error == 0 && (q == NULL || hd_vec_push(x->c->pool, &k->commands, q) != 0)) {
        hd_pool_free(x->c->pool, q, sizeof *q);
        error = HD_ENOMEM;
    }
    if (error != 0) {
        kira_command_fail(x, in->id, list, error);
        return;
    }
    q->id = in->id;
    q->verb = in->verb;
    q->node = node;
    q->args = args;
    q->args.count = HD_MIN(HD_MAX(args.count, 1u), 1000000u);
    q->args.interval_ns = HD_MAX(args.interval_ns, HD_MS(1));
    q->args.timeout_ns = args.timeout_ns > 0 ? hd_time_min(args.timeout_ns, HD_SEC(60)) : HD_SEC(1);
    q->end = x->c->now + KIRA_FIND_PATIENCE;
    kira_arm(x, &q->timer, KIRA_T_COMMAND, x->c->now);
}

/* A searched node has been found: do not wait for the poll. */
void kira_commands_found(struct kira_call *x, hd_node node)
{
    for (uint32_t i = 0; i < x->k->commands.len; i++) {
        struct kira_command *q = x->k->commands.v[i];
        if (q->node == node && !q->resolved)
            kira_arm(x, &q->timer, KIRA_T_COMMAND, x->c->now);
    }
}

/* --- ping ---------------------------------------------------------------------------------------
 */

static void kira_ping_row(struct kira_call *x, uint32_t command, hd_node node, uint32_t number,
                          bool answered, uint16_t hops, hd_time rtt)
{
    struct kira_command *q = kira_command_find(x->k, command);
    struct hd_kira_row_ping row;

    if (q == NULL)
        return;
    memset(&row, 0, sizeof row); /* what lies between the members is replayed, too */
    row.id = *kira_id(x, node);
    row.number = number;
    row.answered = answered;
    row.hops = hops;
    row.rtt_ns = rtt;
    bool last = ++q->answered >= q->args.count;
    kira_reply(x, command, HD_KIRA_LIST_PING, &row, 1, sizeof row, last, 0);
    if (last)
        kira_command_free(x, q);
}

void kira_ping_answered(struct kira_call *x, struct kira_request *r, const struct hd_kira_msg *m)
{
    uint32_t command = r->command, number = r->number;
    hd_time rtt = x->c->now - r->sent;
    hd_node node = r->node;

    kira_request_end(x, r);
    kira_ping_row(x, command, node, number, true, (uint16_t)(m->route.count - 1), rtt);
}

void kira_ping_timeout(struct kira_call *x, struct kira_request *r)
{
    uint32_t command = r->command, number = r->number;
    hd_node node = r->node;

    kira_request_end(x, r);
    kira_ping_row(x, command, node, number, false, 0, 0);
}

static void kira_ping_send(struct kira_call *x, struct kira_command *q)
{
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_to(x, q->node, path);
    uint32_t number = ++q->sent;
    struct kira_request *r;

    if (q->sent < q->args.count)
        kira_arm(x, &q->timer, KIRA_T_COMMAND, x->c->now + q->args.interval_ns);
    if (q->node == x->k->self) {
        kira_ping_row(x, q->id, q->node, number, true, 0, 0);
        return;
    }
    r = kira_request_new(x, KIRA_REQ_PING, q->node, q->args.timeout_ns);
    if (r == NULL || len == 0) {
        if (r != NULL)
            kira_request_end(x, r);
        kira_ping_row(x, q->id, q->node, number, false, 0, 0);
        return;
    }
    r->command = q->id;
    r->number = number;
    kira_probe_path(x, r, path, len);
}

/* --- path ---------------------------------------------------------------------------------------
 */

/* The way of first packets is known: now the node is searched for, with all patience. */
void kira_way_over(struct kira_call *x, struct kira_command *q)
{
    q->asking_way = false;
    q->end = x->c->now + KIRA_FIND_PATIENCE;
    kira_arm(x, &q->timer, KIRA_T_COMMAND, x->c->now);
}

/* The destination's own route is waited for; what it is meanwhile is not worth showing. */
static bool kira_path_ready(struct kira_call *x, const struct kira_command *q)
{
    const struct kira_contact *p = kira_contact_find(x->k, q->node);

    return p == NULL || (p->flags & KIRA_CONTACT_ROUTE) != 0 || x->c->now >= q->end;
}

void kira_command_due(struct kira_call *x, struct kira_command *q)
{
    if (q->asking_way)
        return; /* its answers lead on */
    if (q->verb == HD_KIRA_PATH && !q->asked_way) {
        q->asked_way = true;
        if (kira_way_begin(x, q))
            return;
    }
    if (!q->resolved && !kira_command_reach(x, q->node)) {
        if (x->c->now >= q->end) {
            kira_command_fail(x, q->id, kira_command_list(q), HD_ETIMEOUT);
            kira_command_free(x, q);
            return;
        }
        kira_arm(x, &q->timer, KIRA_T_COMMAND, hd_time_min(q->end, x->c->now + HD_MS(200)));
        return;
    }
    q->resolved = true;
    if (q->verb == HD_KIRA_PING)
        kira_ping_send(x, q);
    else if (kira_path_ready(x, q))
        kira_path_measure(x, q);
    else
        kira_arm(x, &q->timer, KIRA_T_COMMAND, x->c->now + KIRA_PATH_POLL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The KIRA core's frame: start, the table of timer events, pending work, stop. What the protocol
 * does stands in the files beside this one; state.h says who is who.
 *
 * Two kinds of work are put off until the input that caused them is done, so that ten changes cost
 * one pass: forwarding entries (urgent: a packet may be waiting for them) and the collection of
 * identifiers (background).
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

void hd_kira_config_default(struct hd_kira_config *c)
{
    *c = (struct hd_kira_config){
        .node_prefix = 0xfc00,
        .label_prefix = 0xfcaa,
        .port = 19219,
        .bucket_size = HD_KIRA_BUCKET_SIZE,
        .shallow_bucket_size = HD_KIRA_BUCKET_SIZE,
    };
}

/* --- helpers ------------------------------------------------------------------------------------
 */

void kira_no_memory(struct kira_call *x)
{
    x->k->no_memory = true;
    kira_count(x, KIRA_N_NO_MEMORY);
}

/*
 * Arms a timer. To arm again what has just been served never fails, since the queue keeps its
 * memory; where more room is needed and the pool is at its end, the once-per-second tick finds what
 * was left unarmed (kira_after_no_memory).
 */
void kira_arm(struct kira_call *x, struct hd_timer *t, enum kira_timer kind, hd_time at)
{
    t->kind = kind;
    if (hd_timer_arm(&x->k->timers, x->c->pool, t, at) != 0)
        kira_no_memory(x);
}

void kira_event(struct kira_call *x, enum hd_kira_event event, hd_node node, hd_node peer,
                uint32_t ifindex, uint32_t value)
{
    struct hd_effect *e;
    struct hd_kira_row_event *row;

    if (!hd_fx_room(x->c->fx, sizeof *row))
        return;
    e = hd_fx_append(x->c->fx, x->c->core, HD_FX_EVENT, sizeof *row);
    if (e == NULL)
        return;
    e->u.event.list = HD_KIRA_LIST_EVENT;
    e->u.event.len = sizeof *row;
    row = hd_fx_payload(e);
    row->event = (uint8_t)event;
    if (node != 0)
        row->id = *kira_id(x, node);
    if (peer != 0)
        row->peer = *kira_id(x, peer);
    row->ifindex = ifindex;
    row->value = value;
    row->at = x->c->now;
}

void kira_log_node(struct kira_call *x, enum hd_log_level level, const char *cause, hd_node node,
                   const char *key, uint64_t value)
{
    uint32_t n = (node != 0 ? 1u : 0u) + (key != NULL ? 1u : 0u);
    struct hd_effect *e;
    struct hd_log_arg *arg;

    if (!hd_fx_room(x->c->fx, 2 * sizeof *arg))
        return;
    e = hd_fx_append(x->c->fx, x->c->core, HD_FX_LOG, (uint32_t)(n * sizeof *arg));
    if (e == NULL)
        return;
    e->u.log.level = (uint16_t)level;
    e->u.log.cause = cause;
    e->u.log.nargs = (uint16_t)n;
    arg = hd_fx_payload(e);
    if (node != 0)
        *arg++ = (struct hd_log_arg){.key = "node", .type = HD_ARG_ID, .u.id = *kira_id(x, node)};
    if (key != NULL)
        *arg = (struct hd_log_arg){.key = key, .type = HD_ARG_UINT, .u.number = value};
}

bool kira_take_tokens(struct kira_call *x, struct kira_bucket *b, uint32_t rate, uint32_t burst,
                      uint32_t cost)
{
    uint32_t now = kira_ms(x->k, x->c->now);

    if (b->refill_ms == 0) {
        b->tokens = burst;
        b->refill_ms = now;
    }
    uint64_t add = (uint64_t)(now - b->refill_ms) * rate / 1000;
    if (add > 0) {
        b->tokens = (uint32_t)HD_MIN((uint64_t)burst, b->tokens + add);
        b->refill_ms = now;
    }
    if (b->tokens < cost)
        return false;
    b->tokens -= cost;
    return true;
}

/* The state that `status` shows: isolated, joining, joined. */
void kira_update_state(struct kira_call *x)
{
    struct kira *k = x->k;

    k->isolated = k->degree == 0;
    if (k->isolated)
        k->joined = false;
    uint8_t state = k->isolated ? HD_KIRA_ISOLATED : k->joined ? HD_KIRA_JOINED : HD_KIRA_JOINING;
    if (state == k->state)
        return;
    k->state = state;
    kira_event(x, HD_KIRA_EV_STATE, 0, 0, 0, state);
}

/* --- start --------------------------------------------------------------------------------------
 */

static const struct hd_saved_value *kira_saved(const struct hd_start *s, uint16_t key, uint32_t len)
{
    for (uint32_t i = 0; i < s->saved_count; i++)
        if (s->saved[i].key == key && s->saved[i].len >= len)
            return &s->saved[i];
    return NULL;
}

void kira_save(struct kira_call *x, uint16_t key, const void *bytes, uint32_t len)
{
    struct hd_effect *e = hd_fx_append(x->c->fx, x->c->core, HD_FX_SAVE, len);

    if (e == NULL)
        return;
    e->u.save.key = key;
    e->u.save.len = len;
    memcpy(hd_fx_payload(e), bytes, len);
}

static void kira_choose_identity(struct kira_call *x, const struct hd_start *s)
{
    struct kira *k = x->k;
    const struct hd_saved_value *v = kira_saved(s, HD_KIRA_SAVED_IDENTITY, HD_ID_BYTES);

    k->id = k->cfg.id;
    if (hd_id_is_zero(&k->id) && v != NULL)
        memcpy(k->id.b, v->bytes, HD_ID_BYTES);
    while (hd_id_is_zero(&k->id) || hd_id_is_ones(&k->id))
        hd_random_bytes(x->c->random, k->id.b, HD_ID_BYTES);
    if (v == NULL || memcmp(v->bytes, k->id.b, HD_ID_BYTES) != 0)
        kira_save(x, HD_KIRA_SAVED_IDENTITY, k->id.b, HD_ID_BYTES);
}

static void kira_open_port(struct kira_call *x)
{
    struct hd_effect *e = hd_fx_append(x->c->fx, x->c->core, HD_FX_OPEN_PORT, 0);

    if (e == NULL)
        return;
    e->u.port = (struct hd_fx_port){
        .port = 1,
        .kind = HD_PORT_UDP6,
        .number = x->k->cfg.port,
        .group = {{0xff, 0x02, [15] = 0x01}},
    };
}

static int kira_start(void *state, struct hd_ctx *c, const struct hd_start *s)
{
    struct kira *k = state;
    struct kira_call x = {k, c};

    if (s->config != NULL && s->config_len != sizeof k->cfg)
        return HD_EINVAL;
    if (s->config != NULL)
        memcpy(&k->cfg, s->config, sizeof k->cfg);
    else
        hd_kira_config_default(&k->cfg);
    if (k->cfg.bucket_size == 0 || k->cfg.shallow_bucket_size == 0)
        return HD_EINVAL;
    k->guards_off = k->cfg.no_guards || k->cfg.few_routes || k->cfg.end_system;
    k->key = s->key;
    k->started = c->now;
    k->isolated = true;
    k->buckets = 1;
    k->two_hop_share = (uint16_t)kira_two_hop_share(0);
    kira_choose_identity(&x, s);
    kira_sequence_start(&x, kira_saved(s, HD_KIRA_SAVED_SEQUENCE, 4));
    k->self = hd_ids_intern(c->ids, &k->id);
    if (k->self == 0)
        return HD_ENOMEM;
    /* tree entry 0 is the root: the node itself */
    struct kira_trie_node root = {.node = k->self, .refs = 1};
    if (hd_vec_push(c->pool, &k->trie, root) != 0)
        return HD_ENOMEM;
    kira_open_port(&x);
    kira_label_own(&x);
    kira_route_own(&x);
    kira_arm(&x, &k->tick, KIRA_T_TICK, c->now + kira_jitter(&x, HD_KIRA_TICK));
    k->explore_wait = HD_KIRA_EXPLORE_FIRST;
    k->sweep_at = HD_NEVER;
    if (s->resumed) {
        const struct hd_saved_value *v = kira_saved(s, HD_KIRA_SAVED_NEIGHBOURS, 4);
        k->sweep_at = c->now + HD_KIRA_ADOPT_SWEEP;
        kira_labels_adopt(&x);
        if (v != NULL)
            kira_resume_neighbours(&x, v->bytes, v->len);
    }
    return 0;
}

/* --- inputs -------------------------------------------------------------------------------------
 */

static void kira_model_input(struct kira_call *x, const struct hd_in_model *m)
{
    if (m->error == 0)
        return;
    kira_prefixes_dirty(x->k);
    if (m->kind == HD_OBJ_LABEL)
        x->k->labels_dirty = true;
    if (m->kind == HD_OBJ_ROUTE)
        kira_contacts_dirty_all(x);
    kira_log_node(x, HD_LOG_WARNING, "forwarding-object-refused", 0, "error", (uint64_t)-m->error);
}

static void kira_input(void *state, struct hd_ctx *c, const struct hd_input *in)
{
    struct kira_call x = {state, c};

    switch (in->type) {
    case HD_IN_DATAGRAM:
        kira_datagram(&x, &in->u.datagram, in->arrived);
        break;
    case HD_IN_INTERFACE:
        kira_interface_input(&x, &in->u.interface);
        break;
    case HD_IN_COMMAND:
        kira_command_input(&x, &in->u.command);
        break;
    case HD_IN_MODEL:
        kira_model_input(&x, &in->u.model);
        break;
    case HD_IN_REPORT:
        if (!x.k->resting)
            kira_report(&x, &in->u.report);
        break;
    case HD_IN_EVENT:
    case HD_IN_SAMPLE:
    case HD_IN_SAVED:
    case HD_IN_WALL_CLOCK:
    case HD_IN_WATCH:
    case HD_IN_ADDRESS:
    case HD_IN_VIRTUAL:
        break;
    }
}

static void kira_arm_left(struct kira_call *x, struct hd_timer *t, enum kira_timer kind)
{
    if (!hd_timer_armed(t))
        kira_arm(x, t, kind, x->c->now);
}

/* Some allocation failed in the last second: timers that were not armed, entries not made. */
static void kira_after_no_memory(struct kira_call *x)
{
    struct kira *k = x->k;

    k->no_memory = false; /* set again by what fails again */
    k->labels_dirty = k->vicinity_dirty = true;
    kira_prefixes_dirty(k);
    kira_contacts_dirty_all(x);
    kira_hello_all(x, HD_KIRA_TICK);
    for (uint32_t i = 0; i < k->searches.len; i++)
        if (k->searches.v[i]->open == 0)
            kira_arm_left(x, &k->searches.v[i]->timer, KIRA_T_SEARCH);
    for (uint32_t i = 0; i < k->commands.len; i++)
        if (!k->commands.v[i]->resolved)
            kira_arm_left(x, &k->commands.v[i]->timer, KIRA_T_COMMAND);
    kira_arm_left(x, &k->query, KIRA_T_QUERY);
    kira_arm_left(x, &k->probe, KIRA_T_PROBE);
    if (k->updates_len > 0)
        kira_arm_left(x, &k->update, KIRA_T_UPDATE);
    if (k->ssn == HD_KIRA_SSN_LAST)
        kira_arm_left(x, &k->rest, KIRA_T_REST);
    if (!k->isolated && !(hd_timer_armed(&k->join) && hd_timer_armed(&k->explore)))
        kira_join_soon(x, false);
}

/* Once per second: everything whose exact moment does not matter. */
static void kira_tick_due(struct kira_call *x)
{
    struct kira *k = x->k;

    kira_arm(x, &k->tick, KIRA_T_TICK, x->c->now + kira_jitter(x, HD_KIRA_TICK));
    kira_failed_tick(x);
    kira_neighbours_tick(x);
    kira_contacts_tick(x);
    kira_labels_tick(x);
    kira_guards_tick(x);
    kira_save_tick(x);
    if (x->c->now >= k->sweep_at) {
        k->sweep_at = HD_NEVER;
        kira_labels_unclaimed(x);
        hd_model_sweep(x->c->model, x->c->core);
        k->labels_dirty = true; /* from here on there are guards */
        kira_contacts_dirty_all(x);
        kira_guards_dirty(x);
    }
    /* once per second at most: a table full of what is in use would be walked for ever */
    k->collect = hd_ids_wants_collection(x->c->ids);
    if (k->no_memory)
        kira_after_no_memory(x);
}

static void kira_timer_due(struct kira_call *x, struct hd_timer *t)
{
    hd_time at = t->at;

    switch ((enum kira_timer)t->kind) {
    case KIRA_T_HELLO:
        kira_hello_due(x, HD_CONTAINER_OF(t, struct kira_interface, hello));
        break;
    case KIRA_T_LINK:
        kira_link_due(x, HD_CONTAINER_OF(t, struct kira_link, timer), at);
        break;
    case KIRA_T_REQUEST:
        kira_request_due(x, HD_CONTAINER_OF(t, struct kira_request, timer));
        break;
    case KIRA_T_SEARCH:
        kira_search_due(x, HD_CONTAINER_OF(t, struct kira_search, timer));
        break;
    case KIRA_T_QUERY:
        kira_query_due(x);
        break;
    case KIRA_T_JOIN:
        kira_join_due(x);
        break;
    case KIRA_T_EXPLORE:
        kira_explore_due(x);
        break;
    case KIRA_T_PROBE:
        kira_probe_due(x);
        break;
    case KIRA_T_UPDATE:
        kira_update_due(x);
        break;
    case KIRA_T_GUARD:
        kira_guards_due(x);
        break;
    case KIRA_T_TICK:
        kira_tick_due(x);
        break;
    case KIRA_T_COMMAND:
        kira_command_due(x, HD_CONTAINER_OF(t, struct kira_command, timer));
        break;
    case KIRA_T_REST:
        kira_rest_due(x);
        break;
    }
}

static void kira_due(void *state, struct hd_ctx *c)
{
    struct kira *k = state;
    struct kira_call x = {k, c};
    struct hd_timer *t;

    /* a full effects buffer puts the rest off: the deadline stays in the past */
    while (hd_fx_room(c->fx, HD_KIRA_MSG_MAX * 2) &&
           (t = hd_timerq_pop(&k->timers, c->now)) != NULL)
        kira_timer_due(&x, t);
}

static void kira_work(void *state, struct hd_ctx *c, uint32_t units)
{
    struct kira *k = state;
    struct kira_call x = {k, c};

    if (k->vicinity_dirty) {
        k->vicinity_dirty = false;
        kira_vicinity_refresh(&x);
        kira_guards_dirty(&x);
    }
    if (k->labels_dirty) {
        k->labels_dirty = false;
        kira_labels_rebuild(&x);
    }
    if (k->contacts_dirty > 0 || k->bucket_dirty)
        kira_routes_work(&x, HD_MAX(units, 1u));
    else if (k->guard_pass)
        kira_guards_work(&x, units);
    else if (k->collect) {
        k->collect = false;
        kira_collect(&x);
    }
}

static struct hd_answer kira_answer(const void *state)
{
    const struct kira *k = state;
    struct hd_answer a = {.deadline = hd_timerq_next(&k->timers)};

    if (k->contacts_dirty > 0 || k->bucket_dirty || k->vicinity_dirty || k->labels_dirty)
        a.pending = HD_PENDING_URGENT;
    else if (k->collect || k->guard_pass)
        a.pending = HD_PENDING_BACKGROUND;
    return a;
}

/* --- configuration and stop ---------------------------------------------------------------------
 */

/* Prefixes, port and identity stand for the life of the core; the rest changes at once. */
static int kira_configure(void *state, struct hd_ctx *c, const void *config, uint32_t len)
{
    struct kira *k = state;
    const struct hd_kira_config *n = config;

    (void)c;
    if (len != sizeof *n || n->bucket_size == 0 || n->shallow_bucket_size == 0)
        return HD_EINVAL;
    if (n->node_prefix != k->cfg.node_prefix || n->label_prefix != k->cfg.label_prefix ||
        n->port != k->cfg.port)
        return HD_EUNSUPPORTED;
    struct hd_id id = k->cfg.id;
    k->cfg = *n;
    k->cfg.id = id;
    return 0;
}

static void kira_stop(void *state, struct hd_ctx *c)
{
    struct kira *k = state;
    struct kira_call x = {k, c};

    k->stopping = true;
    k->ssn = HD_MIN(k->ssn + 1, HD_KIRA_SSN_LAST);
    kira_goodbye(&x);
    for (uint32_t i = 0; (i = hd_model_next(c->model, HD_OBJ_ROUTE, i)) != 0;)
        if (hd_model_route_at(c->model, i)->o.owner == c->core) {
            struct hd_route_key key = hd_model_route_at(c->model, i)->key;
            hd_model_route_del(c->model, &key);
        }
    for (uint32_t i = 0; (i = hd_model_next(c->model, HD_OBJ_LABEL, i)) != 0;)
        if (hd_model_label_at(c->model, i)->o.owner == c->core) {
            struct hd_label key = hd_model_label_at(c->model, i)->key;
            hd_model_label_del(c->model, &key);
        }
    kira_guards_drop(&x);
    for (uint32_t i = 0; (i = hd_model_next(c->model, HD_OBJ_ADJ, i)) != 0;)
        if (hd_model_adj(c->model, i)->o.owner == c->core)
            hd_model_adj_del(c->model, i);
}

const struct hd_core_ops hd_kira_ops = {
    .name = "kira",
    .state_size = sizeof(struct kira),
    .start = kira_start,
    .input = kira_input,
    .due = kira_due,
    .work = kira_work,
    .configure = kira_configure,
    .rows = kira_rows,
    .stop = kira_stop,
    .answer = kira_answer,
};

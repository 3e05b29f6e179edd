/* SPDX-License-Identifier: Apache-2.0 */
/* The engine tests' own core, and the table of cores that they link instead of the product's. */
#include "test_core.h"

#include <string.h>

#include "core/sample/sample.h"
#include "lib/base.h"
#include "router/cores.h"

#define PORT 3

enum { HELLO = 1, DATA = 2 };

const struct hd_event_route hd_event_routes[] = {{0, 0, 0}};

const struct hd_core_ops *hd_core_ops(uint8_t core)
{
    return core == HD_CORE_KIRA ? &tc_ops : core == HD_CORE_SAMPLE ? &hd_sample_ops : NULL;
}

static struct hd_effect *send(struct hd_ctx *c, uint32_t ifindex, const struct hd_ip6 *to,
                              uint8_t type, const struct hd_id *id, uint32_t key)
{
    uint32_t len = 1 + HD_ID_BYTES + (key != 0 ? 16 : 0);
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_SEND, len);
    HD_ASSERT(e != NULL);
    e->u.send =
        (struct hd_fx_send){.port = PORT, .ifindex = ifindex, .key = key, .to = *to, .len = len};
    uint8_t *b = hd_fx_payload(e);
    b[0] = type;
    memcpy(b + 1, id->b, HD_ID_BYTES);
    return e;
}

static void hello(struct tc_state *s, struct hd_ctx *c, uint32_t ifindex)
{
    struct hd_ip6 all = {{0xff, 2, [15] = 1}};
    send(c, ifindex, &all, HELLO, &s->id, s->key);
}

static void on_hello(struct tc_state *s, struct hd_ctx *c, const struct hd_in_datagram *d)
{
    struct hd_id id;
    memcpy(id.b, d->bytes + 1, HD_ID_BYTES);
    for (uint32_t i = 0; i < s->neighbour_count; i++) {
        if (hd_id_equal(&s->neighbours[i].id, &id) && s->neighbours[i].ifindex == d->ifindex)
            return;
    }
    HD_ASSERT(s->neighbour_count < HD_ARRAY_LEN(s->neighbours));
    struct hd_adj_value v = {
        .ifindex = d->ifindex, .link_local = d->from, .mac = d->from_mac, .admitted = true};
    int adj = hd_model_adj_add(c->model, c->core, &v);
    HD_ASSERT(adj > 0);
    struct hd_route_key key = {.prefix = hd_id_to_ip6(&id, 0xfc00), .len = 128};
    struct hd_route_value r = {.act = HD_ROUTE_DIRECT, .adj = (uint32_t)adj};
    HD_ASSERT(hd_model_route_set(c->model, c->core, &key, &r) == 0);
    s->neighbours[s->neighbour_count++] = (struct tc_neighbour){id, d->ifindex, (uint32_t)adj};
    hello(s, c, d->ifindex);
}

static void on_datagram(struct tc_state *s, struct hd_ctx *c, const struct hd_in_datagram *d)
{
    s->datagrams++;
    s->routed += d->routed;
    s->last_datagram_at = c->now;
    if (s->key != 0) {
        s->keyed += d->key == s->key;
        s->bad_key += d->key != s->key;
        if (d->key != s->key)
            return;
    }
    if (d->len >= 1 + HD_ID_BYTES && d->bytes[0] == HELLO)
        on_hello(s, c, d);
}

static void on_interface(struct tc_state *s, struct hd_ctx *c, const struct hd_in_interface *i)
{
    s->interfaces_up += i->up;
    s->interfaces_down += !i->up;
    if (i->up)
        hello(s, c, i->ifindex);
}

static void on_send(struct tc_state *s, struct hd_ctx *c, const struct tc_command *a, bool routed)
{
    struct hd_effect *e = send(c, a->ifindex, &a->to, DATA, &s->id, s->key);
    if (a->wait)
        e->u.send.after_generation = c->model->generation;
    if (routed)
        e->u.send.flags = HD_SEND_ROUTED;
}

static void save_boots(struct tc_state *s, struct hd_ctx *c)
{
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_SAVE, sizeof s->boots);
    HD_ASSERT(e != NULL);
    e->u.save.key = 9;
    e->u.save.len = sizeof s->boots;
    memcpy(hd_fx_payload(e), &s->boots, sizeof s->boots);
}

static void on_command(struct tc_state *s, struct hd_ctx *c, const struct hd_in_command *in)
{
    const struct tc_command *a = in->args;
    struct hd_effect *e;
    struct hd_adj_value v;
    switch (in->verb) {
    case TC_SET_LABEL:
        HD_ASSERT(hd_model_label_set(c->model, c->core, &a->label, &a->label_value) != NULL);
        break;
    case TC_DEL_LABEL:
        hd_model_label_del(c->model, &a->label);
        break;
    case TC_SET_ROUTE:
        HD_ASSERT(hd_model_route_set(c->model, c->core, &a->route, &a->route_value) == 0);
        break;
    case TC_SET_ADJ_DOWN:
        v = hd_model_adj(c->model, a->adj)->v;
        v.down = true;
        hd_model_adj_set(c->model, a->adj, &v);
        break;
    case TC_SEND:
    case TC_SEND_ROUTED:
        on_send(s, c, a, in->verb == TC_SEND_ROUTED);
        break;
    case TC_WORK:
        s->work_left = a->units;
        break;
    case TC_SAVE:
        save_boots(s, c);
        break;
    default:
        e = hd_fx_append(c->fx, c->core, HD_FX_SAMPLE, 0);
        e->u.sample = (struct hd_fx_sample){HD_OBJ_ADJ, a->adj, 77};
        break;
    }
}

static void input(void *state, struct hd_ctx *c, const struct hd_input *in)
{
    struct tc_state *s = state;
    s->order_broken |= in->arrived < s->last_input || in->arrived > c->now;
    /* a deadline of before this instant must have been served */
    s->order_broken |= hd_timerq_next(&s->timers) < c->now;
    s->last_input = in->arrived;
    if (in->type == HD_IN_DATAGRAM)
        on_datagram(s, c, &in->u.datagram);
    else if (in->type == HD_IN_INTERFACE)
        on_interface(s, c, &in->u.interface);
    else if (in->type == HD_IN_COMMAND)
        on_command(s, c, &in->u.command);
    else if (in->type == HD_IN_SAVED)
        s->saved_done++;
    else if (in->type == HD_IN_SAMPLE)
        s->last_sample = in->u.sample;
    else if (in->type == HD_IN_REPORT) {
        s->reports[in->u.report.kind]++;
        s->last_report = in->u.report;
    }
}

static int start(void *state, struct hd_ctx *c, const struct hd_start *in)
{
    struct tc_state *s = state;
    s->boots = 1;
    s->resumed = in->resumed;
    s->key = in->key;
    if (in->config != NULL && in->config_len == sizeof s->id)
        memcpy(&s->id, in->config, sizeof s->id);
    for (uint32_t i = 0; i < in->saved_count; i++) {
        uint32_t before;
        HD_ASSERT(in->saved[i].key == 9 && in->saved[i].len == sizeof before);
        memcpy(&before, in->saved[i].bytes, sizeof before);
        s->boots = before + 1;
    }
    for (uint32_t i = 0; (i = hd_model_next(c->model, HD_OBJ_LABEL, i)) != 0;)
        s->adopted += c->model->labels.v[i].o.adopted;
    struct hd_route_key key = {.prefix = hd_id_to_ip6(&s->id, 0xfc00), .len = 128};
    struct hd_route_value local = {.act = HD_ROUTE_LOCAL};
    if (hd_model_route_set(c->model, c->core, &key, &local) != 0)
        return HD_ENOMEM;
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_OPEN_PORT, 0);
    e->u.port = (struct hd_fx_port){.port = PORT, .kind = HD_PORT_UDP6, .number = TC_PORT};
    return hd_timer_arm(&s->timers, c->pool, &s->tick, c->now + HD_MS(100));
}

static void due(void *state, struct hd_ctx *c)
{
    struct tc_state *s = state;
    while (hd_timerq_pop(&s->timers, c->now) != NULL) {
        s->ticks++;
        s->order_broken |= hd_timer_arm(&s->timers, c->pool, &s->tick, c->now + HD_MS(100)) != 0;
    }
}

static void work(void *state, struct hd_ctx *c, uint32_t units)
{
    struct tc_state *s = state;
    s->work_calls++;
    s->work_left -= HD_MIN(units, s->work_left);
    s->work_done_at = c->now;
}

static void stop(void *state, struct hd_ctx *c)
{
    struct tc_state *s = state;
    hd_timerq_free(&s->timers, c->pool);
}

static struct hd_answer answer(const void *state)
{
    const struct tc_state *s = state;
    return (struct hd_answer){.deadline = hd_timerq_next(&s->timers),
                              .pending =
                                  s->work_left > 0 ? HD_PENDING_BACKGROUND : HD_PENDING_NONE};
}

static int configure(void *state, struct hd_ctx *c, const void *config, uint32_t len)
{
    return HD_EUNSUPPORTED;
}

static uint32_t rows(const void *state, struct hd_ctx *c, uint16_t list,
                     struct hd_row_cursor *cursor, void *out, uint32_t max)
{
    cursor->end = true;
    return 0;
}

const struct hd_core_ops tc_ops = {
    .name = "test",
    .state_size = sizeof(struct tc_state),
    .start = start,
    .input = input,
    .due = due,
    .work = work,
    .configure = configure,
    .rows = rows,
    .stop = stop,
    .answer = answer,
};

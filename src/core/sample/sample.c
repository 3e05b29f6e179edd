/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sample core (see sample.h and doc/new-protocol.md).
 *
 * All it may keep is in struct sample and in blocks of the router's pool. Room for every timer is
 * reserved at the start, so that arming one later cannot fail; a neighbour is made whole or not at
 * all.
 */
#include "core/sample/sample.h"

#include <string.h>

#include "lib/base.h"
#include "lib/code_points.h"
#include "lib/cursor.h"
#include "lib/timerq.h"

#define PORT      1 /* our own name of the only port */
#define VERSION   1
#define HELLO_LEN 8

enum message { HELLO = 1, GOODBYE = 2 };
enum timer_kind { TIMER_HELLO = 1, TIMER_HOLD };

struct interface {
    struct hd_timer timer; /* TIMER_HELLO */
    uint32_t ifindex;
};

struct neighbour {
    struct hd_timer timer; /* TIMER_HOLD */
    uint32_t node;
    uint32_t ifindex;
    uint32_t adj;
    struct hd_ip6 link_local;
    hd_time since;
};

struct sample {
    struct hd_sample_config config;
    struct hd_timerq timers;
    struct interface *interfaces[HD_SAMPLE_INTERFACES_MAX];
    struct neighbour *neighbours[HD_SAMPLE_NEIGHBOURS_MAX];
    struct hd_sample_object *objects; /* config.object_count of them, by number */
    uint32_t object_room;
};

static const struct hd_ip6 group = {.b = HD_SAMPLE_GROUP};

void hd_sample_config_default(struct hd_sample_config *c)
{
    *c = (struct hd_sample_config){.hello_interval_ns = HD_SEC(1), .hold_ns = HD_SEC(4)};
}

struct hd_ip6 hd_sample_address(uint32_t node)
{
    struct hd_ip6 a = {.b = {0xfd, 0x5a}};

    for (unsigned i = 0; i < 4; i++)
        a.b[12 + i] = (uint8_t)(node >> (24 - 8 * i));
    return a;
}

static void arm(struct sample *s, struct hd_ctx *c, struct hd_timer *t, hd_time after_ns)
{
    int error = hd_timer_arm(&s->timers, c->pool, t, hd_time_add(c->now, after_ns));

    HD_ASSERT(error == 0); /* reserved at the start */
}

static void send_message(struct sample *s, struct hd_ctx *c, uint32_t ifindex, enum message type)
{
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_SEND, HELLO_LEN);

    if (e == NULL)
        return;
    e->u.send.port = PORT;
    e->u.send.ifindex = ifindex;
    e->u.send.to = group;
    e->u.send.len = HELLO_LEN;
    struct hd_writer w = hd_writer_make(hd_fx_payload(e), HELLO_LEN);
    hd_write_u8(&w, VERSION);
    hd_write_u8(&w, (uint8_t)type);
    hd_write_u16(&w, 0);
    hd_write_u32(&w, s->config.node);
}

static void raise_event(struct hd_ctx *c, uint32_t node, bool up)
{
    struct hd_sample_row_event row = {.node = node, .up = up};

    hd_fx_event(c->fx, c->core, HD_SAMPLE_LIST_EVENT, &row, sizeof row);
}

/* --- neighbours ------------------------------------------------------------------------------ */

/* The place of a number; of 0: a free place. NULL when there is none. */
static struct neighbour **neighbour_place(struct sample *s, uint32_t node)
{
    for (unsigned i = 0; i < HD_SAMPLE_NEIGHBOURS_MAX; i++) {
        struct neighbour *n = s->neighbours[i];
        if ((n != NULL ? n->node : 0) == node)
            return &s->neighbours[i];
    }
    return NULL;
}

static struct hd_route_key route_key(uint32_t node)
{
    return (struct hd_route_key){.prefix = hd_sample_address(node), .len = 128};
}

/* Makes a neighbour with its adjacency and its route; without memory the next hello tries again. */
static void neighbour_up(struct sample *s, struct hd_ctx *c, const struct hd_in_datagram *d,
                         uint32_t node)
{
    struct neighbour **place = neighbour_place(s, 0);
    struct neighbour *n = place != NULL ? hd_pool_alloc(c->pool, sizeof *n) : NULL;
    struct hd_adj_value adj = {
        .ifindex = d->ifindex, .link_local = d->from, .mac = d->from_mac, .admitted = true};
    struct hd_route_key key = route_key(node);

    if (n == NULL)
        return;
    *n = (struct neighbour){.timer.kind = TIMER_HOLD,
                            .node = node,
                            .ifindex = d->ifindex,
                            .link_local = d->from,
                            .since = c->now};
    int made = hd_model_adj_add(c->model, c->core, &adj);
    if (made < 0)
        goto free_neighbour;
    n->adj = (uint32_t)made;
    struct hd_route_value route = {.act = HD_ROUTE_DIRECT, .adj = n->adj};
    if (hd_model_route_set(c->model, c->core, &key, &route) != 0)
        goto delete_adj;
    *place = n;
    arm(s, c, &n->timer, s->config.hold_ns);
    raise_event(c, node, true);
    return;

delete_adj:
    hd_model_adj_del(c->model, n->adj);
free_neighbour:
    hd_pool_free(c->pool, n, sizeof *n);
}

static void neighbour_down(struct sample *s, struct hd_ctx *c, struct neighbour **place)
{
    struct neighbour *n = *place;
    struct hd_route_key key = route_key(n->node);

    *place = NULL;
    hd_timer_stop(&s->timers, &n->timer);
    hd_model_route_del(c->model, &key);
    hd_model_adj_del(c->model, n->adj);
    raise_event(c, n->node, false);
    hd_pool_free(c->pool, n, sizeof *n);
}

/* --- interfaces ------------------------------------------------------------------------------ */

static struct interface **interface_place(struct sample *s, uint32_t ifindex)
{
    for (unsigned i = 0; i < HD_SAMPLE_INTERFACES_MAX; i++) {
        struct interface *f = s->interfaces[i];
        if ((f != NULL ? f->ifindex : 0) == ifindex)
            return &s->interfaces[i];
    }
    return NULL;
}

static void interface_up(struct sample *s, struct hd_ctx *c, uint32_t ifindex)
{
    struct interface **place = interface_place(s, 0);
    struct interface *f = place != NULL ? hd_pool_alloc(c->pool, sizeof *f) : NULL;

    if (f == NULL)
        return;
    *f = (struct interface){.timer.kind = TIMER_HELLO, .ifindex = ifindex};
    *place = f;
    arm(s, c, &f->timer, 0);
}

static void interface_down(struct sample *s, struct hd_ctx *c, struct interface **place)
{
    struct interface *f = *place;

    *place = NULL;
    hd_timer_stop(&s->timers, &f->timer);
    for (unsigned i = 0; i < HD_SAMPLE_NEIGHBOURS_MAX; i++)
        if (s->neighbours[i] != NULL && s->neighbours[i]->ifindex == f->ifindex)
            neighbour_down(s, c, &s->neighbours[i]);
    hd_pool_free(c->pool, f, sizeof *f);
}

/* --- inputs ---------------------------------------------------------------------------------- */

static void on_interface(struct sample *s, struct hd_ctx *c, const struct hd_in_interface *in)
{
    struct interface **place = interface_place(s, in->ifindex);
    bool use = in->up && in->usable && !in->gone;

    if (use && place == NULL)
        interface_up(s, c, in->ifindex);
    else if (!use && place != NULL)
        interface_down(s, c, place);
}

static void on_datagram(struct sample *s, struct hd_ctx *c, const struct hd_in_datagram *d)
{
    struct hd_reader r = hd_reader_make(d->bytes, d->len);
    uint8_t version = hd_read_u8(&r);
    uint8_t type = hd_read_u8(&r);
    hd_read_u16(&r);
    uint32_t node = hd_read_u32(&r);

    if (r.bad || version != VERSION || (type != HELLO && type != GOODBYE) || node == 0 ||
        node == s->config.node || d->routed || !hd_ip6_is_link_local(&d->from) ||
        interface_place(s, d->ifindex) == NULL)
        return;
    struct neighbour **place = neighbour_place(s, node);
    if (place == NULL) {
        if (type == HELLO)
            neighbour_up(s, c, d, node);
        return;
    }
    /* Somebody else with this number, or it over a second link: the first holds until it is silent.
     */
    if ((*place)->ifindex != d->ifindex || !hd_ip6_equal(&(*place)->link_local, &d->from))
        return;
    if (type == HELLO)
        arm(s, c, &(*place)->timer, s->config.hold_ns);
    else
        neighbour_down(s, c, place);
}

static void on_command(struct sample *s, struct hd_ctx *c, const struct hd_in_command *in)
{
    int error = HD_EUNSUPPORTED;

    if (in->cancel) /* we answer at once: nothing is open */
        return;
    if (in->verb == HD_SAMPLE_FORGET && in->len == sizeof(struct hd_sample_forget)) {
        const struct hd_sample_forget *args = in->args;
        struct neighbour **place = args->node != 0 ? neighbour_place(s, args->node) : NULL;
        if (place != NULL)
            neighbour_down(s, c, place);
        error = place != NULL ? 0 : HD_ENOENT;
    }
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_REPLY, 0);
    if (e == NULL)
        return;
    e->u.reply.command = in->id;
    e->u.reply.flags = HD_REPLY_LAST;
    e->u.reply.error = error;
}

/* --- the contract ---------------------------------------------------------------------------- */

static const struct hd_sample_object *objects_of(const struct hd_sample_config *c)
{
    return (const struct hd_sample_object *)(const void *)(c + 1);
}

static int check_head(const struct hd_sample_config *n)
{
    if (n->object_count > HD_SAMPLE_OBJECTS_MAX || n->hello_interval_ns <= 0 ||
        n->hold_ns < n->hello_interval_ns)
        return HD_EINVAL;
    return 0;
}

/* Nothing may be wrong with a configuration but the want of memory once this has said yes. */
static int check(const void *state, struct hd_ctx *c, const void *config, uint32_t len)
{
    const struct hd_sample_config *n = config;

    if (len < sizeof *n || check_head(n) != 0 ||
        len != sizeof *n + n->object_count * sizeof(struct hd_sample_object))
        return HD_EINVAL;
    for (uint32_t i = 1; i < n->object_count; i++) {
        if (objects_of(n)[i - 1].number >= objects_of(n)[i].number)
            return HD_EINVAL;
    }
    return 0;
}

static size_t objects_size(uint32_t count)
{
    return count * sizeof(struct hd_sample_object);
}

static void take_head(struct sample *s, const struct hd_sample_config *n)
{
    uint32_t node = n->node != 0 ? n->node : s->config.node; /* kept when none is named */

    s->config = *n;
    s->config.node = node;
}

static int configure(void *state, struct hd_ctx *c, const void *config, uint32_t len)
{
    struct sample *s = state;
    const struct hd_sample_config *n = config;
    struct hd_sample_object *objects = NULL;
    int error = check(s, c, config, len);

    if (error != 0)
        return error;
    if (n->object_count > 0) {
        objects = hd_pool_alloc(c->pool, objects_size(n->object_count));
        if (objects == NULL)
            return HD_ENOMEM;
        memcpy(objects, objects_of(n), objects_size(n->object_count));
    }
    hd_pool_free(c->pool, s->objects, objects_size(s->object_room));
    s->objects = objects;
    s->object_room = n->object_count;
    take_head(s, n);
    return 0;
}

/* --- the same by what differs -----------------------------------------------------------------
 *
 * A list that may be as long as this one is not handed over whole for one row of it.
 */

/* A row that changes keeps its number; one that comes lies between its neighbours. */
static bool in_order(const struct sample *s, const struct hd_config_edit *e,
                     const struct hd_sample_object *before)
{
    const struct hd_sample_object *is = e->is, *was = e->was;
    uint32_t count = s->config.object_count;

    if (is == NULL || was != NULL)
        return is == NULL || is->number == was->number;
    return (before == NULL || before->number < is->number) &&
           (e->at == 0 || s->objects[e->at - 1].number < is->number) &&
           (e->at == count || is->number < s->objects[e->at].number);
}

static int check_change(const void *state, struct hd_ctx *c, const struct hd_config_delta *d)
{
    const struct sample *s = state;
    const struct hd_sample_config *n = d->head;
    const struct hd_sample_object *before = NULL;
    struct hd_config_counts rows = hd_config_delta_counts(d, 0);
    struct hd_config_cursor at = {0};

    if (d->head_len != sizeof *n || check_head(n) != 0 ||
        n->object_count != s->config.object_count + rows.added - rows.removed ||
        rows.added + rows.removed + rows.changed != d->edit_count ||
        !hd_config_delta_fits(d, 0, s->objects, s->config.object_count, sizeof *s->objects))
        return HD_EINVAL;
    while (hd_config_delta_next(d, &at)) {
        if (!in_order(s, &at.edit, before))
            return HD_EINVAL;
        before = at.edit.was == NULL ? at.edit.is : NULL;
    }
    return 0;
}

/* Room for so many objects; less than half of it in use is given back, where that can be done. */
static int make_room(struct sample *s, struct hd_ctx *c, uint32_t count)
{
    struct hd_sample_object *objects;

    if (count == 0) {
        hd_pool_free(c->pool, s->objects, objects_size(s->object_room));
        s->objects = NULL;
        s->object_room = 0;
    }
    if (count <= s->object_room && count >= s->object_room / 2)
        return 0;
    objects =
        hd_pool_resize(c->pool, s->objects, objects_size(s->object_room), objects_size(count));
    if (objects == NULL)
        return count <= s->object_room ? 0 : HD_ENOMEM;
    s->objects = objects;
    s->object_room = count;
    return 0;
}

static int change(void *state, struct hd_ctx *c, const struct hd_config_delta *d)
{
    struct sample *s = state;
    uint32_t count = s->config.object_count, added = hd_config_delta_counts(d, 0).added;
    int error = check_change(s, c, d);

    if (error == 0 && added > 0)
        error = make_room(s, c, count + added);
    if (error != 0)
        return error;
    count = hd_config_delta_merge_in(d, 0, s->objects, count, sizeof *s->objects);
    take_head(s, d->head);
    return make_room(s, c, count);
}

static int start(void *state, struct hd_ctx *c, const struct hd_start *in)
{
    struct sample *s = state;

    hd_sample_config_default(&s->config);
    s->config.node = 1 + (uint32_t)hd_random_below(c->random, UINT32_MAX);
    if (in->config != NULL) {
        int error = configure(s, c, in->config, in->config_len);
        if (error != 0)
            return error;
    }
    int error =
        hd_timerq_reserve(&s->timers, c->pool, HD_SAMPLE_NEIGHBOURS_MAX + HD_SAMPLE_INTERFACES_MAX);
    if (error != 0) {
        hd_pool_free(c->pool, s->objects, objects_size(s->object_room));
        return error;
    }
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_OPEN_PORT, 0);
    if (e != NULL)
        e->u.port = (struct hd_fx_port){
            .port = PORT, .kind = HD_PORT_UDP6, .number = HD_SAMPLE_UDP_PORT, .group = group};
    return 0;
}

static void input(void *state, struct hd_ctx *c, const struct hd_input *in)
{
    if (in->type == HD_IN_DATAGRAM)
        on_datagram(state, c, &in->u.datagram);
    else if (in->type == HD_IN_INTERFACE)
        on_interface(state, c, &in->u.interface);
    else if (in->type == HD_IN_COMMAND)
        on_command(state, c, &in->u.command);
}

static void due(void *state, struct hd_ctx *c)
{
    struct sample *s = state;
    struct hd_timer *t;

    while ((t = hd_timerq_pop(&s->timers, c->now)) != NULL) {
        if (t->kind == TIMER_HELLO) {
            struct interface *f = HD_CONTAINER_OF(t, struct interface, timer);
            send_message(s, c, f->ifindex, HELLO);
            arm(s, c, t, hd_random_jitter(c->random, s->config.hello_interval_ns));
        } else {
            struct neighbour *n = HD_CONTAINER_OF(t, struct neighbour, timer);
            struct neighbour **place = neighbour_place(s, n->node);
            HD_ASSERT(place != NULL && *place == n); /* a timer runs only while it has a place */
            neighbour_down(s, c, place);
        }
    }
}

static void work(void *state, struct hd_ctx *c, uint32_t units)
{
    /* Every input is answered at once: no table here is long enough to be walked in slices. */
}

/* The cursor is an index: the list changes as a whole, and a page more or less does no harm. */
static uint32_t object_rows(const struct sample *s, struct hd_row_cursor *cursor,
                            struct hd_sample_object *out, uint32_t max)
{
    uint32_t from = (uint32_t)HD_MIN(cursor->a, (uint64_t)s->config.object_count);
    uint32_t n = HD_MIN(max, s->config.object_count - from);

    if (n > 0)
        memcpy(out, s->objects + from, n * sizeof *out);
    cursor->a = from + n;
    cursor->end = cursor->a >= s->config.object_count;
    return n;
}

static uint32_t rows(const void *state, struct hd_ctx *c, uint16_t list,
                     struct hd_row_cursor *cursor, void *out, uint32_t max)
{
    const struct sample *s = state;
    struct hd_sample_row_neighbour *row = out;
    uint32_t n = 0;

    if (list == HD_SAMPLE_LIST_OBJECTS)
        return object_rows(s, cursor, out, max);
    for (;;) { /* the neighbour with the smallest number above the cursor */
        const struct neighbour *next = NULL;
        for (unsigned i = 0; i < HD_SAMPLE_NEIGHBOURS_MAX; i++) {
            const struct neighbour *o = s->neighbours[i];
            if (o != NULL && o->node > cursor->a && (next == NULL || o->node < next->node))
                next = o;
        }
        cursor->end = next == NULL || list != HD_SAMPLE_LIST_NEIGHBOURS;
        if (cursor->end || n == max)
            return n;
        row[n++] = (struct hd_sample_row_neighbour){.node = next->node,
                                                    .ifindex = next->ifindex,
                                                    .adj = next->adj,
                                                    .address = hd_sample_address(next->node),
                                                    .link_local = next->link_local,
                                                    .up_ns = c->now - next->since};
        cursor->a = next->node;
    }
}

static void stop(void *state, struct hd_ctx *c)
{
    struct sample *s = state;

    for (unsigned i = 0; i < HD_SAMPLE_INTERFACES_MAX; i++) {
        if (s->interfaces[i] == NULL)
            continue;
        send_message(s, c, s->interfaces[i]->ifindex, GOODBYE);
        interface_down(s, c, &s->interfaces[i]);
    }
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_CLOSE_PORT, 0);
    if (e != NULL)
        e->u.port.port = PORT;
    hd_timerq_free(&s->timers, c->pool);
    hd_pool_free(c->pool, s->objects, objects_size(s->object_room));
}

static struct hd_answer answer(const void *state)
{
    const struct sample *s = state;

    return (struct hd_answer){.deadline = hd_timerq_next(&s->timers)};
}

const struct hd_core_ops hd_sample_ops = {
    .name = "sample",
    .state_size = sizeof(struct sample),
    .start = start,
    .input = input,
    .due = due,
    .work = work,
    .check = check,
    .configure = configure,
    .check_change = check_change,
    .change = change,
    .rows = rows,
    .stop = stop,
    .answer = answer,
};

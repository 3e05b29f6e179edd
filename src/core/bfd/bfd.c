/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BFD core behind its contract (bfd.h): start, inputs, timers, work, rows.
 *
 * What is left from a predecessor of this process, and wanted by nobody within BFD_CLAIM_AFTER, is
 * silenced then: clients have had the time to ask again.
 */
#include <string.h>

#include "core/bfd/state.h"
#include "lib/base.h"

static void open_port(struct hd_ctx *c, uint16_t port, uint16_t number)
{
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_OPEN_PORT, 0);

    if (e != NULL)
        e->u.port = (struct hd_fx_port){.port = port, .kind = HD_PORT_UDP, .number = number};
}

static bool has_adopted(struct hd_ctx *c)
{
    for (uint32_t i = 0; (i = hd_model_periodic_next(c->model, i)) != 0;) {
        const struct hd_periodic *p = hd_model_periodic(c->model, i);
        if (p->o.adopted && p->o.owner == c->core)
            return true;
    }
    return false;
}

static int start(void *state, struct hd_ctx *c, const struct hd_start *in)
{
    struct bfd *b = state;

    b->salt = hd_random_u64(c->random);
    b->floor_us = HD_BFD_FLOOR_US;
    b->claim.kind = TIMER_CLAIM;
    hd_map_init(&b->by_path, b->salt);
    int error = hd_timerq_reserve(&b->timers, c->pool, 1);
    if (error == 0 && in->config != NULL)
        error = bfd_configure(b, c, in->config, in->config_len);
    if (error == 0 && has_adopted(c))
        error = hd_timer_arm(&b->timers, c->pool, &b->claim, hd_time_add(c->now, BFD_CLAIM_AFTER));
    if (error != 0)
        return error;
    open_port(c, PORT_SINGLE_HOP, HD_BFD_PORT);
    open_port(c, PORT_MULTIHOP, HD_BFD_MULTIHOP_PORT);
    open_port(c, PORT_ECHO, HD_BFD_ECHO_PORT);
    return 0;
}

/* --- inputs ---------------------------------------------------------------------------------- */

static void on_watch(struct bfd *b, struct hd_ctx *c, const struct hd_in_watch *in)
{
    const struct hd_watch *w = hd_model_watch(c->model, in->index);
    struct bfd_session *s =
        w != NULL && w->owner_word < b->sessions.len ? b->sessions.v[w->owner_word] : NULL;

    if (s == NULL)
        return;
    if (in->index == s->echo_watch) { /* R54 */
        bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_ECHO_FAILED);
        bfd_session_negotiate(b, c, s);
        bfd_session_publish(b, c, s, false);
    } else if (s->kind == HD_BFD_TAIL) {
        bfd_tail_silent(b, c, s);
    } else {
        bfd_session_silent(b, c, s);
    }
}

static void clear(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    struct hd_periodic *p = hd_model_periodic(c->model, s->periodic);
    struct hd_watch *w = hd_model_watch(c->model, s->watch);

    s->ups = s->downs = s->admin_downs = 0;
    s->received = s->invalid = s->sent_before = s->late_before = 0;
    if (p != NULL)
        p->sent = p->failed = 0;
    if (w != NULL)
        w->packets = w->late = 0;
}

static int clear_counters(struct bfd *b, struct hd_ctx *c, uint32_t discr)
{
    int error = discr == 0 ? 0 : HD_ENOENT;

    for (uint32_t i = 1; i < b->sessions.len; i++) {
        struct bfd_session *s = b->sessions.v[i];
        if (s != NULL && (discr == 0 || s->local_discr == discr)) {
            clear(b, c, s);
            error = 0;
        }
    }
    return error;
}

static void on_command(struct bfd *b, struct hd_ctx *c, const struct hd_in_command *in)
{
    int error = HD_EUNSUPPORTED;

    if (in->cancel) /* we answer at once: nothing is open */
        return;
    if (in->verb == HD_BFD_CLEAR && in->len == sizeof(struct hd_bfd_clear)) {
        const struct hd_bfd_clear *args = in->args;
        error = clear_counters(b, c, args->local_discr);
    }
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_REPLY, 0);
    if (e == NULL)
        return;
    e->u.reply.command = in->id;
    e->u.reply.flags = HD_REPLY_LAST;
    e->u.reply.error = error;
}

static void on_event(struct bfd *b, struct hd_ctx *c, const struct hd_in_event *in)
{
    if (in->list == HD_EVENT_BFD_REQUEST && in->len == sizeof(struct hd_bfd_request))
        bfd_on_request(b, c, in->from, in->row);
}

static void input(void *state, struct hd_ctx *c, const struct hd_input *in)
{
    if (in->type == HD_IN_DATAGRAM)
        bfd_on_datagram(state, c, in);
    else if (in->type == HD_IN_WATCH)
        on_watch(state, c, &in->u.watch);
    else if (in->type == HD_IN_INTERFACE)
        bfd_on_interface(state, c, &in->u.interface);
    else if (in->type == HD_IN_EVENT)
        on_event(state, c, &in->u.event);
    else if (in->type == HD_IN_COMMAND)
        on_command(state, c, &in->u.command);
}

/* --- time ------------------------------------------------------------------------------------ */

static void silence_unclaimed(struct hd_ctx *c)
{
    for (uint32_t i = 0; (i = hd_model_periodic_next(c->model, i)) != 0;) {
        const struct hd_periodic *p = hd_model_periodic(c->model, i);
        if (p->o.adopted && p->o.owner == c->core)
            hd_model_periodic_del(c->model, i);
    }
}

static void due(void *state, struct hd_ctx *c)
{
    struct bfd *b = state;
    struct hd_timer *t;

    while (hd_fx_room(c->fx, BFD_FX_BYTES) && (t = hd_timerq_pop(&b->timers, c->now)) != NULL) {
        if (t->kind == TIMER_CLAIM)
            silence_unclaimed(c);
        else
            bfd_session_timer(b, c, HD_CONTAINER_OF(t, struct bfd_session, timer));
    }
}

static void work(void *state, struct hd_ctx *c, uint32_t units)
{
    struct bfd *b = state;

    for (; units > 0 && b->dirty.len > 0 && hd_fx_room(c->fx, BFD_FX_BYTES); units--) {
        struct bfd_session *s = b->sessions.v[b->dirty.v[--b->dirty.len]];
        if (s != NULL && s->dirty)
            bfd_session_settle(b, c, s);
    }
}

static int check(const void *state, struct hd_ctx *c, const void *config, uint32_t len)
{
    return bfd_check(config, len);
}

static int configure(void *state, struct hd_ctx *c, const void *config, uint32_t len)
{
    return bfd_configure(state, c, config, len);
}

/* --- rows ------------------------------------------------------------------------------------ */

static hd_time ago(const struct hd_ctx *c, hd_time at)
{
    return at == HD_NEVER ? HD_NEVER : c->now - at;
}

static void fill_counts(struct hd_bfd_row_session *r, struct hd_ctx *c, const struct bfd_session *s)
{
    const struct hd_periodic *p = hd_model_periodic(c->model, s->periodic);
    const struct hd_watch *w = hd_model_watch(c->model, s->watch);

    r->ups = s->ups;
    r->downs = s->downs;
    r->admin_downs = s->admin_downs;
    r->invalid = s->invalid;
    r->sent = s->sent_before + (p != NULL ? p->sent : 0);
    r->received = s->received + (w != NULL ? w->packets : 0);
    r->late = s->late_before + (w != NULL ? w->late : 0);
}

static void fill_session(struct hd_bfd_row_session *r, struct hd_ctx *c,
                         const struct bfd_session *s)
{
    const struct hd_periodic *p = hd_model_periodic(c->model, s->periodic);
    const struct hd_watch *w = hd_model_watch(c->model, s->watch);
    static const struct hd_ip6 any;

    *r = (struct hd_bfd_row_session){
        .local_discr = s->local_discr,
        .remote_discr = s->remote_discr,
        .ifindex = s->ifindex,
        .kind = s->kind,
        .state = s->state,
        .remote_state = s->remote_state,
        .diag = s->diag,
        .remote_diag = s->remote_diag,
        .multiplier = s->multiplier,
        .remote_multiplier = s->remote_multiplier,
        .demand = p != NULL && (p->v.bytes[1] & BFD_DEMAND) != 0,
        .polling = s->polling,
        .auth = s->auth.type,
        .configured = s->configured,
        .unsolicited = s->heard,
        .local_port = p != NULL ? p->v.from_port : 0,
        .remote_port = s->kind == HD_BFD_MULTIHOP ? HD_BFD_MULTIHOP_PORT : HD_BFD_PORT,
        .local = hd_ip6_equal(&s->local, &any) ? s->seen_local : s->local,
        .remote = s->remote,
        .tx_ns = p != NULL ? p->v.interval_ns : 0,
        .rx_ns = w != NULL ? w->v.interval_ns : 0,
        .detect_ns = bfd_session_detect(s),
        .echo_tx_ns = s->echo_watch != 0 ? bfd_echo_interval(s) : 0,
        .since_ns = c->now - s->since,
        .last_up_ns = ago(c, s->last_up),
        .last_down_ns = ago(c, s->last_down)};
    for (unsigned i = 0; i < HD_BFD_CLIENTS_MAX; i++)
        if (s->clients[i].core != 0)
            r->clients++;
    fill_counts(r, c, s);
}

static uint32_t session_rows(const struct bfd *b, struct hd_ctx *c, struct hd_row_cursor *cursor,
                             struct hd_bfd_row_session *out, uint32_t max)
{
    uint32_t n = 0, i = (uint32_t)cursor->a + 1;

    for (; i < b->sessions.len && n < max; i++) {
        if (b->sessions.v[i] != NULL)
            fill_session(&out[n++], c, b->sessions.v[i]);
        cursor->a = i;
    }
    cursor->end = i >= b->sessions.len;
    return n;
}

static struct hd_bfd_row_counter named(const char *name, uint64_t value)
{
    struct hd_bfd_row_counter r = {.value = value};

    memcpy(r.name, name, HD_MIN(strlen(name), sizeof r.name - 1));
    return r;
}

static struct hd_bfd_row_counter counter_at(const struct bfd *b, uint32_t i)
{
    const struct {
        const char *name;
        uint64_t value;
    } own[] = {
        {"packets-to-core", b->received},
        {"requests-refused", b->refused},
        {"out-of-memory", b->lost_memory},
    };

    if (i < HD_ARRAY_LEN(own))
        return named(own[i].name, own[i].value);
    i -= (uint32_t)HD_ARRAY_LEN(own) - 1; /* reasons begin at 1 */
    return i < BFD_DROP_END ? named(bfd_drop_name((enum bfd_drop)i), b->drops[i])
                            : (struct hd_bfd_row_counter){0};
}

static uint32_t counter_rows(const struct bfd *b, struct hd_row_cursor *cursor,
                             struct hd_bfd_row_counter *out, uint32_t max)
{
    uint32_t n = 0;

    for (; n < max; n++, cursor->a++) {
        out[n] = counter_at(b, (uint32_t)cursor->a);
        if (out[n].name[0] == '\0')
            break;
    }
    cursor->end = counter_at(b, (uint32_t)cursor->a).name[0] == '\0';
    return n;
}

static uint32_t summary_row(const struct bfd *b, struct hd_row_cursor *cursor,
                            struct hd_bfd_row_summary *out, uint32_t max)
{
    struct hd_bfd_row_summary r = {0};

    cursor->end = true;
    for (uint32_t i = 1; i < b->sessions.len; i++) {
        const struct bfd_session *s = b->sessions.v[i];
        if (s == NULL)
            continue;
        r.sessions++;
        r.up += s->state == HD_BFD_UP;
        r.admin_down += s->state == HD_BFD_ADMIN_DOWN;
        r.down += s->state == HD_BFD_DOWN || s->state == HD_BFD_INIT;
    }
    if (max == 0)
        return 0;
    *out = r;
    return 1;
}

static uint32_t rows(const void *state, struct hd_ctx *c, uint16_t list,
                     struct hd_row_cursor *cursor, void *out, uint32_t max)
{
    switch (list) {
    case HD_BFD_LIST_SESSIONS:
        return session_rows(state, c, cursor, out, max);
    case HD_BFD_LIST_COUNTERS:
        return counter_rows(state, cursor, out, max);
    case HD_BFD_LIST_SUMMARY:
        return summary_row(state, cursor, out, max);
    default:
        cursor->end = true;
        return 0;
    }
}

/* --- end ------------------------------------------------------------------------------------- */

static void close_port(struct hd_ctx *c, uint16_t port)
{
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_CLOSE_PORT, 0);

    if (e != NULL)
        e->u.port.port = port;
}

/* Each peer hears AdminDown once, as far as there is room; then nobody sends for us any more. */
static void stop(void *state, struct hd_ctx *c)
{
    struct bfd *b = state;

    for (uint32_t i = 1; i < b->sessions.len; i++) {
        struct bfd_session *s = b->sessions.v[i];
        if (s == NULL)
            continue;
        if (s->kind != HD_BFD_TAIL && s->periodic != 0 && hd_fx_room(c->fx, BFD_FX_BYTES)) {
            bfd_session_set_state(b, c, s, HD_BFD_ADMIN_DOWN, HD_BFD_DIAG_ADMIN_DOWN);
            bfd_session_publish(b, c, s, false);
        }
        bfd_session_free(b, c, s);
    }
    silence_unclaimed(c);
    close_port(c, PORT_SINGLE_HOP);
    close_port(c, PORT_MULTIHOP);
    close_port(c, PORT_ECHO);
    hd_pool_free(c->pool, b->listen, b->listen_count * sizeof *b->listen);
    hd_map_free(&b->by_path, c->pool);
    hd_vec_free(c->pool, &b->sessions);
    hd_vec_free(c->pool, &b->interfaces);
    hd_vec_free(c->pool, &b->dirty);
    hd_timerq_free(&b->timers, c->pool);
}

static struct hd_answer answer(const void *state)
{
    const struct bfd *b = state;

    return (struct hd_answer){.deadline = hd_timerq_next(&b->timers),
                              .pending = b->dirty.len > 0 ? HD_PENDING_URGENT : HD_PENDING_NONE};
}

const struct hd_core_ops hd_bfd_ops = {
    .name = "bfd",
    .state_size = sizeof(struct bfd),
    .start = start,
    .input = input,
    .due = due,
    .work = work,
    .check = check,
    .configure = configure,
    .rows = rows,
    .stop = stop,
    .answer = answer,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VRRP core's contract (model/core.h): inputs are handed to the files that know them, timers to
 * the instances that they belong to, and instances that were marked are looked at as urgent work.
 */
#include "core/vrrp/state.h"

#define UNITS_PER_INSTANCE 16
/* What looking at one instance, or one of its timers, can produce at most. */
#define INSTANCE_BYTES (48u * 1024)

/* --- timers ------------------------------------------------------------------------------------
 */

void vrrp_arm(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i, enum vrrp_timer kind,
              hd_time at)
{
    int error = hd_timer_arm(&v->timers, c->pool, vrrp_timer(i, kind), at);

    HD_ASSERT(error == 0); /* reserved by the configuration */
}

void vrrp_disarm(struct vrrp *v, struct vrrp_instance *i, enum vrrp_timer kind)
{
    hd_timer_stop(&v->timers, vrrp_timer(i, kind));
}

static void sweep(struct vrrp *v, struct hd_ctx *c)
{
    hd_model_virtual_sweep(c->model, c->core);
    for (uint32_t n = 0; n < v->instances.len; n++)
        vrrp_mark(v, v->instances.v[n], HD_VRRP_EV_NONE);
}

static void serve(struct vrrp *v, struct hd_ctx *c, struct hd_timer *t)
{
    if (t->kind == VRRP_TIMER_SWEEP) {
        sweep(v, c);
        return;
    }
    struct hd_timer *first = t - (t->kind - 1);
    struct vrrp_instance *i = HD_CONTAINER_OF(first, struct vrrp_instance, timers);
    switch ((enum vrrp_timer)t->kind) {
    case VRRP_TIMER_STATE:
        vrrp_state_timer(v, c, i, t->at);
        break;
    case VRRP_TIMER_HOLD:
        vrrp_hold_timer(v, c, i);
        break;
    case VRRP_TIMER_ANNOUNCE:
        vrrp_announce_timer(v, c, i);
        break;
    case VRRP_TIMER_FAST:
        vrrp_fast_timer(v, c, i);
        break;
    case VRRP_TIMER_BACKUP:
        vrrp_backup_timer(v, c, i);
        break;
    case VRRP_TIMER_SWEEP:
        break;
    }
}

/* What finds no room for its effects stays due, and the driver calls again. */
static void due(void *state, struct hd_ctx *c)
{
    struct vrrp *v = state;
    struct hd_timer *t;

    while (hd_fx_room(c->fx, INSTANCE_BYTES) && (t = hd_timerq_pop(&v->timers, c->now)) != NULL)
        serve(v, c, t);
}

/* --- work --------------------------------------------------------------------------------------
 */

static void work(void *state, struct hd_ctx *c, uint32_t units)
{
    struct vrrp *v = state;
    struct vrrp_instance *i;

    for (; hd_fx_room(c->fx, INSTANCE_BYTES) && (i = vrrp_next_marked(v)) != NULL;
         units -= UNITS_PER_INSTANCE) {
        vrrp_evaluate(v, c, i);
        if (units < 2 * UNITS_PER_INSTANCE)
            break;
    }
    vrrp_sessions_flush(v, c, VRRP_EVENTS_PER_CALL);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static void clear_counters(struct vrrp_instance *i, hd_time now)
{
    i->transitions = i->received = i->sent = i->zero_received = i->zero_sent = 0;
    i->invalid_type = i->interval_errors = i->address_errors = i->length_errors = 0;
    i->split = i->bfd_switch = i->false_switch = 0;
    i->late_max = 0;
    i->counting_at = now;
}

static bool is_meant(const struct vrrp_instance *i, const struct hd_vrrp_which *w)
{
    if (w->interface[0] == '\0')
        return true;
    return vrrp_name_equal(i->c.interface, w->interface) && i->c.family == w->family &&
           i->c.vrid == w->vrid;
}

/* Hands over by priority 0, and waits as any Backup does. */
static int release(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    if (i->state != HD_VRRP_ACTIVE)
        return HD_EINVAL;
    vrrp_hand_over(v, c, i);
    vrrp_become_backup(v, c, i, HD_VRRP_EV_RELEASED);
    return 0;
}

static int run_command(struct vrrp *v, struct hd_ctx *c, const struct hd_in_command *in)
{
    const struct hd_vrrp_which *w = in->args;
    int error = HD_ENOENT;

    if ((in->verb != HD_VRRP_CLEAR && in->verb != HD_VRRP_RELEASE) || in->len != sizeof *w)
        return HD_EUNSUPPORTED;
    if (in->verb == HD_VRRP_RELEASE && w->interface[0] == '\0')
        return HD_EINVAL; /* one at a time */
    for (uint32_t n = 0; n < v->instances.len; n++) {
        struct vrrp_instance *i = v->instances.v[n];
        if (!is_meant(i, w))
            continue;
        error = 0;
        if (in->verb == HD_VRRP_RELEASE)
            return release(v, c, i);
        clear_counters(i, c->now);
    }
    if (in->verb == HD_VRRP_CLEAR && w->interface[0] == '\0') {
        memset(v->drops, 0, sizeof v->drops);
        memset(v->counts, 0, sizeof v->counts);
        return 0;
    }
    return error;
}

static void on_command(struct vrrp *v, struct hd_ctx *c, const struct hd_in_command *in)
{
    if (in->cancel) /* all are answered at once */
        return;
    int error = run_command(v, c, in);
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_REPLY, 0);
    if (e == NULL)
        return;
    e->u.reply.command = in->id;
    e->u.reply.flags = HD_REPLY_LAST;
    e->u.reply.error = error;
}

/* --- the contract ------------------------------------------------------------------------------
 */

static int start(void *state, struct hd_ctx *c, const struct hd_start *in)
{
    struct vrrp *v = state;

    v->notices_per_s = HD_VRRP_NOTICES_PER_S;
    int error = in->config != NULL ? vrrp_configure(v, c, in->config, in->config_len)
                                   : hd_timerq_reserve(&v->timers, c->pool, 1);
    if (error != 0)
        return error;
    v->sweep.kind = VRRP_TIMER_SWEEP;
    error = hd_timer_arm(&v->timers, c->pool, &v->sweep, hd_time_add(c->now, VRRP_SWEEP_NS));
    HD_ASSERT(error == 0); /* reserved just now */
    return 0;
}

static void input(void *state, struct hd_ctx *c, const struct hd_input *in)
{
    struct vrrp *v = state;

    switch (in->type) {
    case HD_IN_DATAGRAM:
        vrrp_on_frame(v, c, &in->u.datagram);
        break;
    case HD_IN_INTERFACE:
        vrrp_on_interface(v, c, &in->u.interface);
        break;
    case HD_IN_ADDRESS:
        vrrp_on_address(v, c, &in->u.address);
        break;
    case HD_IN_VIRTUAL:
        vrrp_on_virtual(v, c, &in->u.virt);
        break;
    case HD_IN_COMMAND:
        on_command(v, c, &in->u.command);
        break;
    case HD_IN_EVENT:
        if (in->u.event.list == HD_EVENT_BFD_NOTICE &&
            in->u.event.len == sizeof(struct hd_bfd_notice))
            vrrp_on_notice(v, c, in->u.event.row);
        break;
    default:
        break;
    }
}

static int check(const void *state, struct hd_ctx *c, const void *config, uint32_t len)
{
    return vrrp_check(c, config, len);
}

static int configure(void *state, struct hd_ctx *c, const void *config, uint32_t len)
{
    return vrrp_configure(state, c, config, len);
}

static void stop(void *state, struct hd_ctx *c)
{
    struct vrrp *v = state;

    v->notices_per_s = 0; /* last words, no more */
    vrrp_tracks_end(v);
    while (v->instances.len > 0)
        vrrp_instance_free(v, c, v->instances.v[--v->instances.len]);
    vrrp_sessions_flush(v, c, VRRP_EVENTS_PER_CALL);
    hd_model_virtual_sweep(c->model, c->core);
    for (uint32_t n = 0; n < v->groups.len; n++)
        hd_pool_free(c->pool, v->groups.v[n], sizeof *v->groups.v[n]);
    hd_vec_free(c->pool, &v->groups);
    hd_vec_free(c->pool, &v->instances);
    hd_vec_free(c->pool, &v->tracks);
    hd_vec_free(c->pool, &v->sessions);
    vrrp_interfaces_free(v, c);
    hd_timerq_free(&v->timers, c->pool);
}

static struct hd_answer answer(const void *state)
{
    const struct vrrp *v = state;
    bool pending = v->dirty_head != NULL || v->dirty_sessions > 0;

    return (struct hd_answer){.deadline = hd_timerq_next(&v->timers),
                              .pending = pending ? HD_PENDING_URGENT : HD_PENDING_NONE};
}

const struct hd_core_ops hd_vrrp_ops = {
    .name = "vrrp",
    .state_size = sizeof(struct vrrp),
    .start = start,
    .input = input,
    .due = due,
    .work = work,
    .check = check,
    .configure = configure,
    .rows = vrrp_rows,
    .stop = stop,
    .answer = answer,
};

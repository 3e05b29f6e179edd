/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of one virtual router (RFC 9568, section 6.4; R21 to R32).
 *
 * Deadlines are absolute: an advertisement that left late does not move the next one (section 4.1).
 * What depends on tables of unknown length (an interface goes and takes 500 virtual routers with
 * it, a group follows one of its members) marks instances, and they are looked at one after the
 * other as urgent work.
 *
 * After a restart of the process, the model holds what the predecessor wanted of the kernel. An
 * instance that finds itself active there goes on as Active: it advertises at once and counts no
 * transition.
 */
#include "core/vrrp/state.h"

#define V2_SKEW_NS HD_SEC(1)

hd_time vrrp_skew(const struct vrrp_instance *i)
{
    hd_time of = i->c.version == 2 ? V2_SKEW_NS : i->active_interval;

    return of * (256 - i->priority) / 256;
}

hd_time vrrp_down_interval(const struct vrrp_instance *i)
{
    return 3 * i->active_interval + vrrp_skew(i);
}

/* --- what the kernel holds -------------------------------------------------------------------- */

static struct hd_virtual_value wanted_value(const struct vrrp_instance *i)
{
    struct hd_virtual_value w = {.ifindex = i->interface->ifindex,
                                 .family = i->c.family,
                                 .number = i->c.vrid,
                                 .active = i->state == HD_VRRP_ACTIVE,
                                 .accept = i->c.accept != 0 || i->owner,
                                 .own_mac = i->c.own_mac,
                                 .count = i->c.address_count,
                                 .mac = vrrp_instance_mac(i)};

    memcpy(w.addresses, i->c.addresses, i->c.address_count * sizeof w.addresses[0]);
    return w;
}

/* An object of a predecessor that was active, and about which nothing was decided yet. */
static bool was_active(struct hd_ctx *c, const struct vrrp_instance *i)
{
    const struct hd_virtual *a =
        i->interface == NULL || i->virt != 0
            ? NULL
            : hd_model_virtual_adopted(c->model, c->core, i->interface->ifindex, i->c.family,
                                       i->c.vrid);

    return a != NULL && a->v.active != 0;
}

void vrrp_want(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    if (i->interface == NULL || i->c.address_count == 0) {
        if (i->virt != 0)
            hd_model_virtual_del(c->model, i->virt);
        i->virt = 0;
        return;
    }
    struct hd_virtual_value w = wanted_value(i);
    if (i->virt == 0) {
        int index = hd_model_virtual_add(c->model, c->core, &w);
        v->counts[VRRP_COUNT_NO_MEMORY] += index < 0;
        i->virt = index > 0 ? (uint32_t)index : 0; /* the next look tries again */
    } else {
        (void)hd_model_virtual_set(c->model, i->virt, &w);
    }
    const struct hd_virtual *x = hd_model_virtual(c->model, i->virt);
    if (i->announce && (x == NULL || x->o.installed))
        vrrp_announce(v, c, i);
}

void vrrp_on_virtual(struct vrrp *v, struct hd_ctx *c, const struct hd_in_virtual *in)
{
    for (uint32_t n = 0; n < v->instances.len; n++) {
        struct vrrp_instance *i = v->instances.v[n];
        if (i->virt != in->index || in->index == 0)
            continue;
        if (in->error == 0 && i->announce && i->state == HD_VRRP_ACTIVE)
            vrrp_announce(v, c, i); /* R36: not before address and MAC are in place */
        return;
    }
}

/* --- transitions ------------------------------------------------------------------------------ */

static void enter(struct vrrp *v, struct vrrp_instance *i, enum hd_vrrp_state state,
                  enum hd_vrrp_last event)
{
    i->state = (uint8_t)state;
    i->last_event = (uint8_t)event;
    i->lower_at = i->rival_at = HD_NEVER;
    i->rival_told = false;
    i->announce = false;
    i->announced = 0;
    for (unsigned k = VRRP_TIMER_STATE; k <= VRRP_TIMERS; k++)
        vrrp_disarm(v, i, (enum vrrp_timer)k);
}

static void begin_active(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    i->active_interval = vrrp_own_interval(i);
    vrrp_send_advert(v, c, i, VRRP_TYPE, i->priority);
    vrrp_arm(v, c, i, VRRP_TIMER_STATE, c->now + vrrp_own_interval(i));
    if (i->c.fast == HD_VRRP_FAST_P2P)
        vrrp_arm(v, c, i, VRRP_TIMER_BACKUP, c->now + vrrp_own_interval(i));
}

void vrrp_become_active(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                        enum hd_vrrp_last event, enum hd_vrrp_reason reason)
{
    uint8_t old = i->state;

    enter(v, i, HD_VRRP_ACTIVE, event);
    i->reason = (uint8_t)reason;
    i->transitions++;
    i->state_at = c->now;
    begin_active(v, c, i);
    i->announce = true;
    vrrp_want(v, c, i);
    vrrp_tell_state(v, c, i, old);
    vrrp_fast_update(v, c, i);
    if (event != HD_VRRP_EV_SYNC_GROUP)
        vrrp_group_follow(v, i);
}

/* Goes on where a predecessor was killed. */
static void resume_active(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    enter(v, i, HD_VRRP_ACTIVE, HD_VRRP_EV_STARTUP);
    i->reason = HD_VRRP_BY_PRIORITY;
    i->state_at = i->up_at = c->now;
    begin_active(v, c, i);
    i->announce = i->c.own_mac != 0; /* another one may have stood in, with a MAC of its own */
    vrrp_want(v, c, i);
    vrrp_fast_update(v, c, i);
}

void vrrp_become_backup(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                        enum hd_vrrp_last event)
{
    uint8_t old = i->state;

    enter(v, i, HD_VRRP_BACKUP, event);
    i->reason = HD_VRRP_NOT_ACTIVE;
    i->bfd_at = HD_NEVER;
    i->state_at = c->now;
    vrrp_arm(v, c, i, VRRP_TIMER_STATE, c->now + vrrp_down_interval(i));
    vrrp_want(v, c, i);
    vrrp_tell_state(v, c, i, old);
    vrrp_fast_update(v, c, i);
    if (i->c.fast == HD_VRRP_FAST_P2P)
        vrrp_backup_timer(v, c, i);
    if (old == HD_VRRP_ACTIVE && event != HD_VRRP_EV_SYNC_GROUP)
        vrrp_group_follow(v, i);
}

void vrrp_hand_over(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    struct hd_ip6 primary = vrrp_primary(i);

    if (i->interface == NULL || !i->interface->up || vrrp_address_none(&primary))
        return;
    vrrp_send_advert(v, c, i, VRRP_TYPE, 0);
    i->zero_sent++;
}

void vrrp_become_initialize(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                            enum hd_vrrp_last event)
{
    uint8_t old = i->state;

    if (old == HD_VRRP_ACTIVE)
        vrrp_hand_over(v, c, i); /* R31 */
    enter(v, i, HD_VRRP_INITIALIZE, event);
    i->reason = HD_VRRP_NOT_ACTIVE;
    i->last_source = (struct hd_ip6){0};
    memset(i->peers, 0, sizeof i->peers);
    i->state_at = c->now;
    vrrp_want(v, c, i);
    vrrp_fast_end(v, c, i);
    if (old != HD_VRRP_INITIALIZE)
        vrrp_tell_state(v, c, i, old);
}

static void startup(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                    enum hd_vrrp_last event)
{
    if (was_active(c, i)) {
        resume_active(v, c, i);
        return;
    }
    i->up_at = c->now;
    i->active_interval = vrrp_own_interval(i);
    if (i->owner)
        vrrp_become_active(v, c, i, event, HD_VRRP_BY_PRIORITY); /* R21 */
    else
        vrrp_become_backup(v, c, i, event);
}

/* --- looking again ---------------------------------------------------------------------------- */

void vrrp_mark(struct vrrp *v, struct vrrp_instance *i, enum hd_vrrp_last cause)
{
    if (i->cause == HD_VRRP_EV_NONE)
        i->cause = (uint8_t)cause;
    if (i->dirty)
        return;
    i->dirty = true;
    i->next_dirty = NULL;
    if (v->dirty_tail != NULL)
        v->dirty_tail->next_dirty = i;
    else
        v->dirty_head = i;
    v->dirty_tail = i;
}

struct vrrp_instance *vrrp_next_marked(struct vrrp *v)
{
    struct vrrp_instance *i = v->dirty_head;

    if (i == NULL)
        return NULL;
    v->dirty_head = i->next_dirty;
    if (v->dirty_head == NULL)
        v->dirty_tail = NULL;
    i->dirty = false;
    i->next_dirty = NULL;
    return i;
}

/* R19: every address is a real one of the interface. */
static bool owns_addresses(const struct vrrp_instance *i)
{
    const struct vrrp_interface *f = i->interface;

    if (f == NULL || i->c.address_count == 0)
        return false;
    for (unsigned a = 0; a < i->c.address_count; a++) {
        bool real = false;
        for (uint32_t n = 0; n < f->addresses.len && !real; n++)
            real = hd_ip6_equal(&f->addresses.v[n].address, &i->c.addresses[a]);
        if (!real)
            return false;
    }
    return true;
}

/* HD_VRRP_EV_NONE when it can run, else what is missing (R32). */
static enum hd_vrrp_last what_is_missing(const struct vrrp_instance *i)
{
    struct hd_ip6 primary = vrrp_primary(i);

    if (i->interface == NULL || !i->interface->up)
        return HD_VRRP_EV_INTERFACE_DOWN;
    if (vrrp_address_none(&primary))
        return HD_VRRP_EV_NO_PRIMARY_ADDRESS;
    return i->c.address_count == 0 ? HD_VRRP_EV_NO_VIRTUAL_ADDRESSES : HD_VRRP_EV_NONE;
}

/* A member of the group went before: this one goes the same way, and says so to who waits. */
static void follow_group(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    uint8_t state = i->follow;

    i->follow = HD_VRRP_INITIALIZE;
    if (state == HD_VRRP_ACTIVE && i->state == HD_VRRP_BACKUP)
        vrrp_become_active(v, c, i, HD_VRRP_EV_SYNC_GROUP, HD_VRRP_PREEMPTED);
    if (state == HD_VRRP_BACKUP && i->state == HD_VRRP_ACTIVE) {
        vrrp_hand_over(v, c, i);
        vrrp_become_backup(v, c, i, HD_VRRP_EV_SYNC_GROUP);
    }
}

void vrrp_evaluate(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    enum hd_vrrp_last cause = (enum hd_vrrp_last)i->cause, missing = what_is_missing(i);

    i->cause = HD_VRRP_EV_NONE;
    i->owner = owns_addresses(i);
    i->priority = vrrp_priority(v, i);
    if (i->ready != (missing == HD_VRRP_EV_NONE)) {
        i->ready = !i->ready;
        vrrp_group_ready(v, i, i->ready);
    }
    bool group_rests = i->group != NULL && i->group->unready > 0;
    if (i->state != HD_VRRP_INITIALIZE && (!i->ready || group_rests))
        vrrp_become_initialize(v, c, i, i->ready ? HD_VRRP_EV_SYNC_GROUP : missing);
    else if (i->state == HD_VRRP_INITIALIZE && i->ready && !group_rests)
        startup(v, c, i, cause);
    else if (!was_active(c, i)) {
        vrrp_want(v, c, i);
        vrrp_fast_update(v, c, i);
    }
    follow_group(v, c, i);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void advert_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i, hd_time at)
{
    hd_time interval = vrrp_own_interval(i);
    hd_time next = hd_time_add(at, interval);

    i->late_max = HD_MAX(i->late_max, c->now - at);
    vrrp_send_advert(v, c, i, VRRP_TYPE, i->priority);
    vrrp_arm(v, c, i, VRRP_TIMER_STATE, next > c->now ? next : c->now + interval);
}

static void down_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    bool lower = i->lower_at != HD_NEVER && c->now - i->lower_at <= 2 * i->active_interval;

    if (i->owner)
        vrrp_become_active(v, c, i, HD_VRRP_EV_OWNER_PREEMPT, HD_VRRP_PREEMPTED);
    else if (lower)
        vrrp_become_active(v, c, i, HD_VRRP_EV_LOWER_PRIORITY_ACTIVE, HD_VRRP_PREEMPTED);
    else
        vrrp_become_active(v, c, i, HD_VRRP_EV_ACTIVE_TIMEOUT, HD_VRRP_NO_RESPONSE);
}

void vrrp_state_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i, hd_time at)
{
    if (i->state == HD_VRRP_ACTIVE)
        advert_timer(v, c, i, at);
    else if (i->state == HD_VRRP_BACKUP)
        down_timer(v, c, i); /* R26 */
}

void vrrp_hold_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    if (i->state == HD_VRRP_BACKUP)
        vrrp_become_active(v, c, i, HD_VRRP_EV_PREEMPT_HOLD_TIMEOUT, HD_VRRP_PREEMPTED);
}

/* --- advertisements of others ----------------------------------------------------------------- */

/* R28: unsigned, in network order. */
static bool beats_us(const struct vrrp_instance *i, const struct vrrp_packet *p,
                     const struct vrrp_message *m)
{
    struct hd_ip6 own = vrrp_primary(i);

    return m->priority > i->priority ||
           (m->priority == i->priority && memcmp(p->from.b, own.b, 16) > 0);
}

/* Takes over the Active's ways (R23). */
static void learn(struct vrrp_instance *i, const struct vrrp_packet *p,
                  const struct vrrp_message *m)
{
    i->active_interval = HD_MS(10) * m->interval_cs;
    i->last_source = p->from;
}

/* Another Active that does not beat us: our answer makes it, and the switches, see that (R29). */
static void rival_heard(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                        const struct vrrp_packet *p)
{
    hd_time interval = vrrp_own_interval(i);

    if (i->rival_at == HD_NEVER || c->now - i->rival_seen > 3 * interval) {
        i->rival_at = c->now;
        i->rival_told = false;
    } else if (!i->rival_told && c->now - i->rival_at > interval) {
        i->rival_told = true;
        i->split++;
        vrrp_tell_error(v, c, i->interface, i->c.family, i->c.vrid, HD_VRRP_ERR_SPLIT, &p->from);
    }
    i->rival_seen = c->now;
    if (c->now - i->reactive_at >= interval) {
        i->reactive_at = c->now;
        i->reactive = 0;
    }
    if (i->reactive < VRRP_REACTIVE_MAX) {
        i->reactive++;
        vrrp_send_advert(v, c, i, VRRP_TYPE, i->priority);
    }
}

static void heard_as_active(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                            const struct vrrp_packet *p, const struct vrrp_message *m)
{
    if (m->priority == 0) { /* R27 */
        vrrp_send_advert(v, c, i, VRRP_TYPE, i->priority);
        vrrp_arm(v, c, i, VRRP_TIMER_STATE, c->now + vrrp_own_interval(i));
        return;
    }
    if (i->bfd_at != HD_NEVER && hd_ip6_equal(&p->from, &i->bfd_source)) {
        if (c->now - i->bfd_at <= 3 * HD_MS(10) * m->interval_cs)
            i->false_switch++; /* R69: it had never been away */
        i->bfd_at = HD_NEVER;
    }
    if (beats_us(i, p, m)) {
        learn(i, p, m);
        vrrp_become_backup(v, c, i, HD_VRRP_EV_HIGHER_PRIORITY_BACKUP);
    } else {
        rival_heard(v, c, i, p);
    }
}

static void accept_active(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                          const struct vrrp_packet *p, const struct vrrp_message *m)
{
    bool other = !hd_ip6_equal(&i->last_source, &p->from);

    learn(i, p, m);
    vrrp_disarm(v, i, VRRP_TIMER_FAST);
    vrrp_arm(v, c, i, VRRP_TIMER_STATE, c->now + vrrp_down_interval(i));
    if (other)
        vrrp_fast_update(v, c, i);
}

static void heard_as_backup(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                            const struct vrrp_packet *p, const struct vrrp_message *m)
{
    if (m->priority == 0) { /* R22 */
        vrrp_arm(v, c, i, VRRP_TIMER_STATE, c->now + vrrp_skew(i));
        return;
    }
    if (m->priority >= i->priority || (i->c.preempt == 0 && !i->owner)) {
        i->lower_at = HD_NEVER;
        vrrp_disarm(v, i, VRRP_TIMER_HOLD);
        accept_active(v, c, i, p, m);
        return;
    }
    i->lower_at = c->now; /* R24 */
    if (i->c.preempt_hold_s == 0 || i->owner)
        return;
    if (!hd_timer_armed(vrrp_timer(i, VRRP_TIMER_HOLD))) /* R25 */
        vrrp_arm(v, c, i, VRRP_TIMER_HOLD, c->now + HD_SEC(i->c.preempt_hold_s));
    accept_active(v, c, i, p, m);
}

void vrrp_advert_heard(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                       const struct vrrp_packet *p, const struct vrrp_message *m)
{
    i->received++;
    i->zero_received += m->priority == 0;
    vrrp_peer_heard(v, c, i, &p->from, m->priority, VRRP_TYPE);
    /* R12: also of one that we will not follow, since it must understand that we are better */
    if (i->c.checksum == HD_VRRP_CHECKSUM_AUTO && m->version == 3 && p->family == 4)
        i->pseudo = !m->checksum_plain;
    if (i->state == HD_VRRP_ACTIVE)
        heard_as_active(v, c, i, p, m);
    else
        heard_as_backup(v, c, i, p, m);
}

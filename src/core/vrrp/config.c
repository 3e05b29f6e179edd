/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new configuration: checked whole, given all memory that it needs, and only then put into force,
 * which cannot fail. A virtual router that keeps its name keeps its state (R76); what its new
 * values mean for it is found by looking at it again, as after any other change.
 */
#include "core/vrrp/state.h"

#define BUCKETS 512 /* of names: VRID and family */
#define NONE    UINT32_MAX

#define GARP_REPEAT_MAX 10
#define FAST_FLOOR_US   1000

void hd_vrrp_instance_config_default(struct hd_vrrp_instance_config *c)
{
    *c = (struct hd_vrrp_instance_config){.family = 4,
                                          .version = 3,
                                          .priority = HD_VRRP_PRIORITY,
                                          .preempt = 1,
                                          .garp_repeat = HD_VRRP_GARP_REPEAT,
                                          .fast_multiplier = HD_VRRP_FAST_MULTIPLIER,
                                          .interval_cs = HD_VRRP_INTERVAL_CS,
                                          .fast_interval_us = HD_VRRP_FAST_US,
                                          .fast_skew_us = HD_VRRP_FAST_SKEW_US,
                                          .fast_skew_max_us = HD_VRRP_FAST_MAX_US};
}

/* --- checking ----------------------------------------------------------------------------------
 */

static bool is_name(const char *name, size_t size)
{
    return memchr(name, '\0', size) != NULL;
}

static bool is_unicast(uint8_t family, const struct hd_ip6 *a)
{
    if (vrrp_address_none(a) || vrrp_is_ip4(a) != (family == 4))
        return false;
    if (family == 6)
        return a->b[0] != 0xff;
    return a->b[12] != 0 && a->b[12] < 224;
}

static bool addresses_fit(const struct hd_vrrp_instance_config *c)
{
    if (c->address_count > HD_VRRP_ADDRESSES_MAX || c->unicast_count > HD_VRRP_UNICAST_MAX)
        return false;
    for (unsigned n = 0; n < c->address_count; n++) {
        if (!is_unicast(c->family, &c->addresses[n]))
            return false;
        for (unsigned k = 0; k < n; k++)
            if (hd_ip6_equal(&c->addresses[k], &c->addresses[n]))
                return false;
    }
    for (unsigned n = 0; n < c->unicast_count; n++)
        if (!is_unicast(c->family, &c->unicast[n]))
            return false;
    return c->family == 4 || c->address_count == 0 || hd_ip6_is_link_local(&c->addresses[0]);
}

static bool timing_fits(const struct hd_vrrp_instance_config *c)
{
    if (c->version == 2)
        return c->interval_cs >= 100 && c->interval_cs <= 25400 && c->interval_cs % 100 == 0;
    return c->interval_cs >= 1 && c->interval_cs <= 4095;
}

static bool fast_fits(const struct hd_vrrp_instance_config *c)
{
    if (c->fast == HD_VRRP_FAST_NONE)
        return true;
    if (c->fast == HD_VRRP_FAST_P2P && c->version != 3)
        return false;
    return c->fast <= HD_VRRP_FAST_P2MP && c->fast_multiplier > 0 &&
           c->fast_interval_us >= FAST_FLOOR_US && c->fast_interval_us <= 60000000 &&
           c->fast_skew_us <= 1000000 && c->fast_skew_max_us <= 1000000;
}

static bool instance_fits(const struct hd_vrrp_instance_config *c)
{
    return is_name(c->interface, sizeof c->interface) && c->interface[0] != '\0' &&
           is_name(c->group, sizeof c->group) && c->vrid != 0 &&
           (c->family == 4 || c->family == 6) &&
           (c->version == 3 || (c->version == 2 && c->family == 4)) && c->priority >= 1 &&
           c->priority <= 254 && c->checksum <= HD_VRRP_CHECKSUM_AUTO &&
           c->garp_repeat <= GARP_REPEAT_MAX && addresses_fit(c) && timing_fits(c) && fast_fits(c);
}

static int track_check(const struct hd_vrrp_track_config *t, uint32_t instances)
{
    if (t->instance >= instances || t->decrement == 0 || t->decrement == 255 ||
        !is_name(t->interface, sizeof t->interface))
        return HD_EINVAL;
    if (t->kind == HD_VRRP_TRACK_NETWORK)
        return HD_EUNSUPPORTED;
    if (t->kind == HD_VRRP_TRACK_BFD && vrrp_address_none(&t->address))
        return HD_EINVAL;
    return t->kind <= HD_VRRP_TRACK_BFD && t->kind != 0 && t->interface[0] != '\0' ? 0 : HD_EINVAL;
}

static bool same_name(const struct hd_vrrp_instance_config *a,
                      const struct hd_vrrp_instance_config *b)
{
    return a->vrid == b->vrid && a->family == b->family &&
           vrrp_name_equal(a->interface, b->interface);
}

static unsigned bucket_of(const struct hd_vrrp_instance_config *c)
{
    return c->vrid + 256 * vrrp_family_index(c->family);
}

/* --- the new configuration while it is prepared ------------------------------------------------
 */

struct plan {
    const struct hd_vrrp_config *head;
    const struct hd_vrrp_instance_config *instances;
    const struct hd_vrrp_track_config *tracks;
    struct vrrp_instance **v; /* by the order of the configuration */
    struct vrrp_group **groups;
    struct vrrp_track *t;
    uint32_t heads[BUCKETS]; /* of chains of instances in force that are in no plan yet */
    uint32_t *next;
    uint32_t next_len;
};

/* The parts of the bytes: false when they do not add up. */
static bool read_parts(struct plan *p, const void *config, uint32_t len)
{
    const struct hd_vrrp_config *h = config;

    if (len < sizeof *h || h->instance_count > HD_VRRP_INSTANCES_MAX ||
        h->track_count > HD_VRRP_TRACKS_MAX || len != hd_vrrp_config_bytes(h))
        return false;
    p->head = h;
    p->instances = (const void *)(h + 1);
    p->tracks = (const void *)(p->instances + h->instance_count);
    return true;
}

static int check_all(struct plan *p)
{
    uint32_t n = p->head->instance_count;

    for (uint32_t k = 0; k < n; k++)
        if (!instance_fits(&p->instances[k]))
            return HD_EINVAL;
    for (uint32_t k = 0; k < p->head->track_count; k++) {
        int error = track_check(&p->tracks[k], n);
        if (error != 0)
            return error;
    }
    memset(p->heads, 0xff, sizeof p->heads);
    for (uint32_t k = 0; k < n; k++) { /* no name twice */
        uint32_t *head = &p->heads[bucket_of(&p->instances[k])];
        for (uint32_t o = *head; o != NONE; o = p->next[o])
            if (same_name(&p->instances[o], &p->instances[k]))
                return HD_EEXIST;
        p->next[k] = *head;
        *head = k;
    }
    return 0;
}

static void chain_old(struct vrrp *v, struct plan *p)
{
    memset(p->heads, 0xff, sizeof p->heads);
    for (uint32_t k = 0; k < v->instances.len; k++) {
        uint32_t *head = &p->heads[bucket_of(&v->instances.v[k]->c)];
        p->next[k] = *head;
        *head = k;
        v->instances.v[k]->kept = false;
    }
}

static struct vrrp_instance *find_old(struct vrrp *v, const struct plan *p,
                                      const struct hd_vrrp_instance_config *c)
{
    for (uint32_t o = p->heads[bucket_of(c)]; o != NONE; o = p->next[o])
        if (same_name(&v->instances.v[o]->c, c))
            return v->instances.v[o];
    return NULL;
}

static struct vrrp_instance *instance_new(struct hd_ctx *c)
{
    struct vrrp_instance *i = hd_pool_alloc(c->pool, sizeof *i);

    if (i == NULL)
        return NULL;
    for (unsigned k = 0; k < VRRP_TIMERS; k++)
        i->timers[k].kind = k + 1;
    i->lower_at = i->rival_at = i->bfd_at = HD_NEVER;
    i->counting_at = i->state_at = c->now;
    i->active_interval = HD_SEC(1);
    return i;
}

/* All memory that the new configuration needs: 0 or HD_ENOMEM. */
static int provide(struct vrrp *v, struct hd_ctx *c, struct plan *p)
{
    uint32_t n = p->head->instance_count;

    if (hd_timerq_reserve(&v->timers, c->pool, (n + v->instances.len) * VRRP_TIMERS + 1) != 0)
        return HD_ENOMEM;
    chain_old(v, p);
    for (uint32_t k = 0; k < n; k++) {
        const struct hd_vrrp_instance_config *want = &p->instances[k];
        struct vrrp_instance *old = find_old(v, p, want);
        p->v[k] = old != NULL ? old : instance_new(c);
        if (p->v[k] == NULL)
            return HD_ENOMEM;
        p->v[k]->kept = old != NULL;
        if (want->group[0] == '\0')
            continue;
        p->groups[k] = vrrp_group_get(v, c, want->group);
        if (p->groups[k] == NULL)
            return HD_ENOMEM;
    }
    return 0;
}

static void drop_empty_groups(struct vrrp *v, struct hd_ctx *c)
{
    for (uint32_t k = v->groups.len; k-- > 0;) {
        if (v->groups.v[k]->members > 0)
            continue;
        hd_pool_free(c->pool, v->groups.v[k], sizeof *v->groups.v[k]);
        hd_vec_remove_swap(&v->groups, k);
    }
}

/* Nothing was put into force: what was made for it goes. */
static void give_up(struct vrrp *v, struct hd_ctx *c, struct plan *p)
{
    for (uint32_t k = 0; k < p->head->instance_count; k++)
        if (p->v[k] != NULL && !p->v[k]->kept)
            hd_pool_free(c->pool, p->v[k], sizeof *p->v[k]);
    drop_empty_groups(v, c);
}

/* --- putting it into force ---------------------------------------------------------------------
 */

static void unmark(struct vrrp *v, struct vrrp_instance *i)
{
    struct vrrp_instance *last = NULL;

    if (!i->dirty)
        return;
    for (struct vrrp_instance **at = &v->dirty_head; *at != NULL; at = &(*at)->next_dirty) {
        if (*at == i)
            *at = i->next_dirty;
        if (*at == NULL)
            break;
        last = *at;
    }
    v->dirty_tail = last;
    i->dirty = false;
}

void vrrp_instance_free(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    if (i->state != HD_VRRP_INITIALIZE)
        vrrp_become_initialize(v, c, i, HD_VRRP_EV_SHUTDOWN);
    vrrp_fast_end(v, c, i);
    vrrp_unbind(v, c, i);
    vrrp_group_leave(v, c, i);
    for (unsigned k = VRRP_TIMER_STATE; k <= VRRP_TIMERS; k++)
        vrrp_disarm(v, i, (enum vrrp_timer)k);
    unmark(v, i);
    hd_pool_free(c->pool, i, sizeof *i);
}

/* What an Active does about its new values at once. */
static void adapt_active(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                         const struct hd_vrrp_instance_config *old)
{
    struct hd_timer *t = vrrp_timer(i, VRRP_TIMER_STATE);
    hd_time soonest = c->now + vrrp_own_interval(i);

    if (t->at > soonest)
        vrrp_arm(v, c, i, VRRP_TIMER_STATE, soonest);
    i->active_interval = vrrp_own_interval(i);
    i->announce = i->announce || i->c.address_count != old->address_count ||
                  i->c.own_mac != old->own_mac ||
                  memcmp(i->c.addresses, old->addresses, sizeof old->addresses) != 0;
}

static void take_config(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                        const struct hd_vrrp_instance_config *want, struct vrrp_group *group)
{
    struct hd_vrrp_instance_config old = i->c;

    i->c = *want;
    if (i->group != group) {
        vrrp_group_leave(v, c, i);
        if (group != NULL)
            vrrp_group_join(group, i);
    }
    (void)vrrp_bind(v, c, i);
    if (i->state == HD_VRRP_ACTIVE)
        adapt_active(v, c, i, &old);
    if (i->state != HD_VRRP_INITIALIZE && i->c.fast == HD_VRRP_FAST_P2P &&
        !hd_timer_armed(vrrp_timer(i, VRRP_TIMER_BACKUP)))
        vrrp_arm(v, c, i, VRRP_TIMER_BACKUP, c->now);
    vrrp_mark(v, i, HD_VRRP_EV_STARTUP);
}

/* Tracks lie by instance, in the order of the configuration. */
static void take_tracks(struct vrrp *v, struct plan *p)
{
    uint32_t at = 0;

    vrrp_tracks_end(v);
    for (uint32_t k = 0; k < p->head->instance_count; k++)
        p->v[k]->track_count = 0;
    for (uint32_t k = 0; k < p->head->track_count; k++)
        p->v[p->tracks[k].instance]->track_count++;
    for (uint32_t k = 0; k < p->head->instance_count; k++) {
        p->v[k]->tracks = at;
        at += p->v[k]->track_count;
        p->v[k]->track_count = 0;
    }
    for (uint32_t k = 0; k < p->head->track_count; k++) {
        struct vrrp_instance *i = p->v[p->tracks[k].instance];
        p->t[i->tracks + i->track_count++] = (struct vrrp_track){.c = p->tracks[k]};
    }
}

static void put_into_force(struct vrrp *v, struct hd_ctx *c, struct plan *p)
{
    uint32_t n = p->head->instance_count, tracks = p->head->track_count;
    struct vrrp_instance **old = v->instances.v;
    uint32_t old_len = v->instances.len, old_cap = v->instances.cap;

    take_tracks(v, p);
    hd_vec_free(c->pool, &v->tracks);
    v->tracks.v = p->t;
    v->tracks.len = v->tracks.cap = tracks;
    v->instances.v = p->v;
    v->instances.len = v->instances.cap = n;
    for (uint32_t k = 0; k < old_len; k++)
        if (!old[k]->kept)
            vrrp_instance_free(v, c, old[k]); /* nobody finds it in the table any more */
    hd_pool_free(c->pool, old, old_cap * sizeof(struct vrrp_instance *));
    for (uint32_t k = 0; k < n; k++)
        take_config(v, c, p->v[k], &p->instances[k], p->groups[k]);
    vrrp_tracks_look(v, c);
    drop_empty_groups(v, c);
    for (unsigned s = 0; s < HD_VRRP_INTERFACES_MAX; s++)
        if (v->interfaces[s] != NULL)
            vrrp_interface_allow(v, v->interfaces[s]);
    v->notices_per_s = p->head->notices_per_s != 0 ? p->head->notices_per_s : HD_VRRP_NOTICES_PER_S;
}

int vrrp_check(struct hd_ctx *c, const void *config, uint32_t len)
{
    struct plan p = {0};

    if (!read_parts(&p, config, len))
        return HD_EINVAL;
    size_t bytes = HD_MAX(p.head->instance_count, 1u) * sizeof *p.next;
    p.next = hd_pool_alloc(c->pool, bytes);
    if (p.next == NULL)
        return HD_ENOMEM;
    int error = check_all(&p);
    hd_pool_free(c->pool, p.next, bytes);
    return error;
}

int vrrp_configure(struct vrrp *v, struct hd_ctx *c, const void *config, uint32_t len)
{
    struct plan p = {0};

    if (!read_parts(&p, config, len))
        return HD_EINVAL;
    uint32_t n = p.head->instance_count, tracks = p.head->track_count;
    uint32_t most = HD_MAX(HD_MAX(n, v->instances.len), 1u);
    p.v = n > 0 ? hd_pool_alloc(c->pool, n * sizeof *p.v) : NULL;
    p.groups = n > 0 ? hd_pool_alloc(c->pool, n * sizeof(struct vrrp_group *)) : NULL;
    p.t = tracks > 0 ? hd_pool_alloc(c->pool, tracks * sizeof *p.t) : NULL;
    p.next = hd_pool_alloc(c->pool, most * sizeof *p.next);
    int error = (n > 0 && (p.v == NULL || p.groups == NULL)) || (tracks > 0 && p.t == NULL) ||
                        p.next == NULL
                    ? HD_ENOMEM
                    : check_all(&p);
    if (error == 0) {
        error = provide(v, c, &p);
        if (error != 0)
            give_up(v, c, &p);
    }
    if (error == 0) {
        put_into_force(v, c, &p);
    } else {
        hd_pool_free(c->pool, p.v, n * sizeof *p.v);
        hd_pool_free(c->pool, p.t, tracks * sizeof *p.t);
    }
    hd_pool_free(c->pool, p.groups, n * sizeof(struct vrrp_group *));
    hd_pool_free(c->pool, p.next, most * sizeof *p.next);
    return error;
}

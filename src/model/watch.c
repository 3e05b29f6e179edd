/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches (liveness.h): two indices, by discriminator and by peer, and a timer for each.
 *
 * A packet that is no news costs a hash look-up and a comparison: its timer is not moved. When the
 * timer fires it is armed again for where the last packet has put the deadline meanwhile; a watch
 * of a living peer wakes up about once per detection time, not once per packet.
 */
#include <string.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "model/core.h"
#include "model/liveness.h"
#include "model/liveness_internal.h"

/* --- keys ------------------------------------------------------------------------------------ */

/* Where packets without our discriminator come from; of a head also which one they carry. */
static uint64_t peer_key(const struct hd_model *m, uint16_t port, uint32_t ifindex, uint32_t discr,
                         const struct hd_ip6 *from, const struct hd_ip6 *to)
{
    uint8_t bytes[42] = {(uint8_t)(port >> 8), (uint8_t)port};
    uint32_t numbers[2] = {ifindex, discr};

    memcpy(bytes + 2, numbers, sizeof numbers);
    memcpy(bytes + 10, from, 16);
    if (to != NULL)
        memcpy(bytes + 26, to, 16);
    return hd_hash64(m->salt, bytes, sizeof bytes);
}

static uint64_t own_peer_key(const struct hd_model *m, const struct hd_watch_value *v)
{
    return peer_key(m, v->port, v->ifindex, v->by == HD_WATCH_BY_SENDER ? v->discr : 0, &v->from,
                    v->ifindex == 0 ? &v->to : NULL);
}

static bool has_discr(const struct hd_watch_value *v)
{
    return v->by != HD_WATCH_BY_SENDER;
}

static bool has_peer(const struct hd_watch_value *v)
{
    return v->by != HD_WATCH_BY_DISCR;
}

static uint32_t read_word(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* --- the table ------------------------------------------------------------------------------- */

struct hd_watch *hd_model_watch(const struct hd_model *m, uint32_t index)
{
    struct hd_liveness *l = m->live;

    return l != NULL && index < l->watches.len ? l->watches.v[index] : NULL;
}

static int free_index(struct hd_model *m, struct hd_liveness *l)
{
    int error = l->watches.len == 0 ? hd_vec_push(m->pool, &l->watches, NULL) : 0;

    for (uint32_t i = 1; error == 0 && l->watch_count + 1 < l->watches.len && i < l->watches.len;
         i++)
        if (l->watches.v[i] == NULL)
            return (int)i;
    if (error == 0)
        error = hd_vec_push(m->pool, &l->watches, NULL);
    return error == 0 ? (int)l->watches.len - 1 : error;
}

static int make_room(struct hd_model *m, struct hd_liveness *l, const struct hd_watch_value *v)
{
    uint32_t other;

    if (l->watch_count >= HD_WATCHES_MAX)
        return HD_ELIMIT;
    if ((has_discr(v) && hd_map_get(&l->by_discr, v->discr, &other)) ||
        (has_peer(v) && hd_map_get(&l->by_peer, own_peer_key(m, v), &other)))
        return HD_EEXIST;
    return hd_timerq_reserve(&l->timers, m->pool, l->watch_count + 1);
}

static int add_to_indices(struct hd_model *m, const struct hd_watch *w)
{
    struct hd_liveness *l = m->live;
    int error = 0;

    if (has_discr(&w->v))
        error = hd_map_set(&l->by_discr, m->pool, w->v.discr, w->index);
    if (error != 0 || !has_peer(&w->v))
        return error;
    error = hd_map_set(&l->by_peer, m->pool, own_peer_key(m, &w->v), w->index);
    if (error != 0 && has_discr(&w->v))
        hd_map_del(&l->by_discr, w->v.discr);
    return error;
}

int hd_model_watch_add(struct hd_model *m, uint8_t owner, const struct hd_watch_value *v)
{
    struct hd_liveness *l = hd_liveness_of(m);
    int error = l != NULL ? make_room(m, l, v) : HD_ENOMEM;

    if (error != 0)
        return error;
    struct hd_watch *w = hd_pool_alloc(m->pool, sizeof *w);
    if (w == NULL)
        return HD_ENOMEM;
    int index = free_index(m, l);
    if (index < 0) {
        error = index;
        goto free_watch;
    }
    *w = (struct hd_watch){.o = {.owner = owner, .wanted = 1, .installed = 1, .in_use = 1},
                           .v = *v,
                           .index = (uint32_t)index};
    error = add_to_indices(m, w);
    if (error != 0)
        goto free_watch;
    l->watches.v[index] = w;
    l->watch_count++;
    return index;

free_watch:
    hd_pool_free(m->pool, w, sizeof *w);
    return error;
}

void hd_model_watch_del(struct hd_model *m, uint32_t index)
{
    struct hd_watch *w = hd_model_watch(m, index);

    if (w == NULL)
        return;
    hd_timer_stop(&m->live->timers, &w->timer);
    if (has_discr(&w->v))
        hd_map_del(&m->live->by_discr, w->v.discr);
    if (has_peer(&w->v))
        hd_map_del(&m->live->by_peer, own_peer_key(m, &w->v));
    m->live->watches.v[index] = NULL;
    m->live->watch_count--;
    hd_pool_free(m->pool, w, sizeof *w);
}

void hd_watches_free(struct hd_model *m)
{
    for (uint32_t i = 1; i < m->live->watches.len; i++)
        hd_model_watch_del(m, i);
    hd_vec_free(m->pool, &m->live->watches);
    hd_map_free(&m->live->by_discr, m->pool);
    hd_map_free(&m->live->by_peer, m->pool);
    hd_timerq_free(&m->live->timers, m->pool);
}

/* --- time ------------------------------------------------------------------------------------ */

static hd_time deadline_of(const struct hd_watch *w)
{
    hd_time more = w->granted ? w->v.interval_ns + w->v.interval_ns / 4 : 0;

    return hd_time_add(w->seen_at, w->v.detect_ns + more);
}

static void arm(struct hd_model *m, struct hd_watch *w, hd_time at)
{
    int error = hd_timer_arm(&m->live->timers, m->pool, &w->timer, at);

    HD_ASSERT(error == 0); /* reserved when it was added */
}

void hd_model_watch_set(struct hd_model *m, uint32_t index, const struct hd_watch_value *v)
{
    struct hd_watch *w = hd_model_watch(m, index);

    HD_ASSERT(w != NULL);
    w->v.consume = v->consume;
    w->v.auth = v->auth;
    w->v.hop_limit = v->hop_limit;
    memcpy(w->v.steady, v->steady, sizeof w->v.steady);
    w->v.interval_ns = v->interval_ns;
    w->v.detect_ns = v->detect_ns;
    if (w->v.detect_ns == 0)
        hd_timer_stop(&m->live->timers, &w->timer);
    else
        arm(m, w, deadline_of(w));
}

static void saw(struct hd_watch *w, hd_time at)
{
    w->seen_at = HD_MAX(w->seen_at, at);
    w->granted = false;
}

void hd_model_watch_seen(struct hd_model *m, uint32_t index, hd_time at)
{
    struct hd_watch *w = hd_model_watch(m, index);

    HD_ASSERT(w != NULL);
    saw(w, at);
    if (w->v.detect_ns != 0 && !hd_timer_armed(&w->timer))
        arm(m, w, deadline_of(w));
}

hd_time hd_model_watch_deadline(const struct hd_model *m)
{
    return m->live != NULL ? hd_timerq_next(&m->live->timers) : HD_NEVER;
}

/* What happened at `at` is looked at now: too late to judge the peers of this watch's speed? */
static void note_lateness(struct hd_liveness *l, const struct hd_watch *w, hd_time at, hd_time now)
{
    if (now - at > w->v.interval_ns / 4)
        l->late_at = now;
}

/* Whether the silence is the peer's: the watch is armed again when it is not. */
static bool is_silent(struct hd_model *m, struct hd_watch *w, hd_time now)
{
    hd_time deadline = deadline_of(w), interval = w->v.interval_ns;

    if (deadline > now) {
        arm(m, w, deadline);
        return false;
    }
    if (!w->granted && now - m->live->late_at <= interval + interval / 4) {
        w->granted = true;
        w->late++;
        w->seen_at = now - w->v.detect_ns; /* the time that we missed is nobody's */
        arm(m, w, deadline_of(w));
        return false;
    }
    return true;
}

const struct hd_watch *hd_model_watch_expired(struct hd_model *m, hd_time now)
{
    struct hd_timer *t;

    if (m->live == NULL)
        return NULL;
    while ((t = hd_timerq_pop(&m->live->timers, now)) != NULL) {
        struct hd_watch *w = HD_CONTAINER_OF(t, struct hd_watch, timer);
        note_lateness(m->live, w, t->at, now);
        if (is_silent(m, w, now))
            return w;
    }
    return NULL;
}

/* --- packets --------------------------------------------------------------------------------- */

uint32_t hd_model_watch_find(const struct hd_model *m, const struct hd_in_datagram *d)
{
    uint32_t index = 0;

    if (m->live == NULL || d->len < 12)
        return 0;
    uint32_t theirs = read_word(d->bytes + 4), ours = read_word(d->bytes + 8);
    if (ours != 0) {
        bool known = hd_map_get(&m->live->by_discr, ours, &index);
        return known && hd_model_watch(m, index)->v.port == d->port ? index : 0;
    }
    /* A head on this link; a peer on this link; a peer behind routers. */
    if (hd_map_get(&m->live->by_peer, peer_key(m, d->port, d->ifindex, theirs, &d->from, NULL),
                   &index) ||
        hd_map_get(&m->live->by_peer, peer_key(m, d->port, d->ifindex, 0, &d->from, NULL),
                   &index) ||
        hd_map_get(&m->live->by_peer, peer_key(m, d->port, 0, 0, &d->from, &d->to), &index))
        return index;
    return 0;
}

bool hd_model_watch_take(struct hd_model *m, uint8_t core, const struct hd_in_datagram *d,
                         hd_time arrived, hd_time now)
{
    if (m->live == NULL || d->len != HD_WATCH_BYTES)
        return false;
    struct hd_watch *w = hd_model_watch(m, hd_model_watch_find(m, d));
    if (w == NULL || !w->v.consume || w->o.owner != core || d->hop_limit < w->v.hop_limit ||
        !hd_ip6_equal(&d->from, &w->v.from) || (w->v.ifindex != 0 && w->v.ifindex != d->ifindex) ||
        memcmp(d->bytes, w->v.steady, HD_WATCH_BYTES) != 0)
        return false;
    saw(w, arrived);
    note_lateness(m->live, w, arrived, now);
    w->packets++;
    return true;
}

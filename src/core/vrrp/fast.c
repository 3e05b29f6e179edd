/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast takeover by BFD (vrrp-and-bfd.md, 1.6, 4.6, 4.7; R64 to R72).
 *
 *   track   a Backup has a session of single hop to the router whose advertisements it follows
 *   p2p     Backups advertise too (type 2), so that all know each other; sessions between all
 *   p2mp    the Active is the head of a multipoint session, Backups are its tails
 *
 * When the session to the Active breaks, a Backup takes over without waiting for silence; the
 * timers of VRRP run on as the fallback. It acts at once where it is the best, or cannot know
 * (track: a worse one gives way after one advertisement), and later by its rank or priority where
 * others may be better. A session that never came up, or that the peer ended, says nothing.
 *
 * Sessions are shared by all virtual routers that need the same one. Requests to the BFD core are
 * events, of which a call may raise only some; the rest is urgent work.
 */
#include "core/vrrp/state.h"

enum { KIND_SINGLE_HOP = 1, KIND_HEAD = 3, KIND_TAIL = 4 }; /* enum hd_bfd_kind */
enum { STATE_DOWN = 1 };                                    /* enum hd_bfd_state */

/* --- sessions ----------------------------------------------------------------------------------
 */

struct vrrp_session *vrrp_session_at(struct vrrp *v, uint16_t place)
{
    return place != 0 && place <= v->sessions.len ? &v->sessions.v[place - 1] : NULL;
}

static bool same_session(const struct vrrp_session *a, const struct vrrp_session *b)
{
    return a->kind == b->kind && a->ifindex == b->ifindex && a->interval_us == b->interval_us &&
           a->multiplier == b->multiplier && hd_ip6_equal(&a->local, &b->local) &&
           hd_ip6_equal(&a->remote, &b->remote);
}

static void mark_session(struct vrrp *v, struct vrrp_session *s)
{
    v->dirty_sessions += !s->dirty;
    s->dirty = true;
}

uint16_t vrrp_session_get(struct vrrp *v, struct hd_ctx *c, const struct vrrp_session *want)
{
    uint32_t place = 0;

    for (uint32_t n = v->sessions.len; n-- > 0;) {
        struct vrrp_session *s = &v->sessions.v[n];
        if (s->kind == 0) {
            place = n + 1;
        } else if (same_session(s, want)) {
            s->users++;
            return (uint16_t)(n + 1);
        }
    }
    if (place == 0) {
        if (v->sessions.len == VRRP_SESSIONS_MAX ||
            hd_vec_push(c->pool, &v->sessions, (struct vrrp_session){0}) != 0) {
            v->counts[VRRP_COUNT_NO_MEMORY]++;
            return 0;
        }
        place = v->sessions.len;
    }
    struct vrrp_session *s = &v->sessions.v[place - 1];
    *s = *want;
    s->users = 1;
    s->state = STATE_DOWN;
    s->handle = ++v->next_handle != 0 ? v->next_handle : ++v->next_handle;
    mark_session(v, s);
    return (uint16_t)place;
}

void vrrp_session_put(struct vrrp *v, uint16_t place)
{
    struct vrrp_session *s = vrrp_session_at(v, place);

    if (s == NULL || --s->users > 0)
        return;
    mark_session(v, s);
}

static void request(struct hd_ctx *c, const struct vrrp_session *s, enum hd_bfd_op op)
{
    struct hd_bfd_request q = {.op = (uint8_t)op,
                               .kind = s->kind,
                               .multiplier = s->multiplier,
                               .handle = s->handle,
                               .ifindex = s->ifindex,
                               .tx_us = s->interval_us,
                               .rx_us = s->interval_us,
                               .local = s->local,
                               .remote = s->remote};

    hd_fx_event(c->fx, c->core, HD_EVENT_BFD_REQUEST, &q, sizeof q);
}

void vrrp_sessions_flush(struct vrrp *v, struct hd_ctx *c, uint32_t max)
{
    for (uint32_t n = 0; n < v->sessions.len && v->dirty_sessions > 0 && max > 0; n++) {
        struct vrrp_session *s = &v->sessions.v[n];
        if (!s->dirty)
            continue;
        s->dirty = false;
        v->dirty_sessions--;
        max--;
        if (s->users > 0 && !s->open) {
            s->open = true;
            request(c, s, HD_BFD_OPEN);
        } else if (s->users == 0) {
            if (s->open)
                request(c, s, HD_BFD_CLOSE);
            *s = (struct vrrp_session){0};
        }
    }
}

/* --- which ones an instance needs --------------------------------------------------------------
 */

static void want_session(struct vrrp *v, struct hd_ctx *c, const struct vrrp_instance *i,
                         uint8_t kind, const struct hd_ip6 *remote, uint16_t *place)
{
    struct vrrp_session want = {.kind = kind,
                                .ifindex = i->interface->ifindex,
                                .interval_us = i->c.fast_interval_us,
                                .multiplier = i->c.fast_multiplier,
                                .remote = *remote};

    if (kind == KIND_HEAD)
        want.local = vrrp_primary(i); /* a group does not tell which address is the nearest */
    *place = vrrp_session_get(v, c, &want);
}

static void want_all(struct vrrp *v, struct hd_ctx *c, const struct vrrp_instance *i,
                     uint16_t places[HD_VRRP_PEERS_MAX])
{
    bool follows = i->state == HD_VRRP_BACKUP && !vrrp_address_none(&i->last_source);
    struct hd_ip6 group = vrrp_group(i->c.family);

    if (i->state == HD_VRRP_INITIALIZE || i->interface == NULL)
        return;
    if (i->c.fast == HD_VRRP_FAST_TRACK && follows)
        want_session(v, c, i, KIND_SINGLE_HOP, &i->last_source, &places[0]);
    else if (i->c.fast == HD_VRRP_FAST_P2MP && i->state == HD_VRRP_ACTIVE)
        want_session(v, c, i, KIND_HEAD, &group, &places[0]);
    else if (i->c.fast == HD_VRRP_FAST_P2MP && follows)
        want_session(v, c, i, KIND_TAIL, &i->last_source, &places[0]);
    for (unsigned n = 0; n < HD_VRRP_PEERS_MAX && i->c.fast == HD_VRRP_FAST_P2P; n++)
        if (!vrrp_address_none(&i->peers[n].address))
            want_session(v, c, i, KIND_SINGLE_HOP, &i->peers[n].address, &places[n]);
}

void vrrp_fast_update(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    uint16_t places[HD_VRRP_PEERS_MAX] = {0};

    want_all(v, c, i, places); /* before the old ones are given back, so that what stays, stays */
    vrrp_fast_end(v, c, i);
    memcpy(i->sessions, places, sizeof places);
}

void vrrp_fast_end(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    for (unsigned n = 0; n < HD_VRRP_PEERS_MAX; n++) {
        if (i->sessions[n] != 0)
            vrrp_session_put(v, i->sessions[n]);
        i->sessions[n] = 0;
    }
}

/* --- peers -------------------------------------------------------------------------------------
 */

static struct vrrp_peer *peer_place(struct vrrp *v, struct vrrp_instance *i,
                                    const struct hd_ip6 *address, hd_time now)
{
    struct vrrp_peer *place = NULL;

    for (unsigned n = 0; n < HD_VRRP_PEERS_MAX; n++) {
        struct vrrp_peer *p = &i->peers[n];
        if (hd_ip6_equal(&p->address, address))
            return p;
        bool old = now - p->seen_at > VRRP_PEER_INTERVALS * vrrp_own_interval(i);
        if (vrrp_address_none(&p->address) || old)
            place = p;
    }
    v->counts[VRRP_COUNT_PEERS_FULL] += place == NULL;
    return place;
}

void vrrp_peer_heard(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                     const struct hd_ip6 *from, uint8_t priority, uint8_t type)
{
    struct vrrp_peer *p = peer_place(v, i, from, c->now);

    if (p == NULL)
        return;
    bool new = !hd_ip6_equal(&p->address, from);
    *p =
        (struct vrrp_peer){.address = *from, .seen_at = c->now, .priority = priority, .type = type};
    if (new && i->c.fast == HD_VRRP_FAST_P2P)
        vrrp_fast_update(v, c, i);
}

/* The session with a router, NULL when there is none. */
static struct vrrp_session *session_with(struct vrrp *v, const struct vrrp_instance *i,
                                         const struct hd_ip6 *remote)
{
    for (unsigned n = 0; n < HD_VRRP_PEERS_MAX; n++) {
        struct vrrp_session *s = vrrp_session_at(v, i->sessions[n]);
        if (s != NULL && s->kind != KIND_HEAD && hd_ip6_equal(&s->remote, remote))
            return s;
    }
    return NULL;
}

static bool peer_is_better(const struct vrrp_peer *p, uint8_t priority,
                           const struct hd_ip6 *address)
{
    return p->priority > priority ||
           (p->priority == priority && memcmp(p->address.b, address->b, 16) > 0);
}

/* R70: live peers that are better, without the Active. */
static unsigned rank_of(struct vrrp *v, struct hd_ctx *c, const struct vrrp_instance *i)
{
    struct hd_ip6 own = vrrp_primary(i);
    unsigned rank = 0;

    for (unsigned n = 0; n < HD_VRRP_PEERS_MAX; n++) {
        const struct vrrp_peer *p = &i->peers[n];
        if (vrrp_address_none(&p->address) || hd_ip6_equal(&p->address, &i->last_source) ||
            c->now - p->seen_at > VRRP_PEER_INTERVALS * vrrp_own_interval(i))
            continue;
        const struct vrrp_session *s = session_with(v, i, &p->address);
        if ((s == NULL || !s->broken) && peer_is_better(p, i->priority, &own))
            rank++;
    }
    return rank;
}

struct vrrp_session *vrrp_critical(struct vrrp *v, const struct vrrp_instance *i)
{
    const struct vrrp_peer *best = NULL;

    if (i->state == HD_VRRP_BACKUP)
        return session_with(v, i, &i->last_source);
    for (unsigned n = 0; n < HD_VRRP_PEERS_MAX; n++) {
        const struct vrrp_peer *p = &i->peers[n];
        if (!vrrp_address_none(&p->address) &&
            (best == NULL || peer_is_better(p, best->priority, &best->address)))
            best = p;
    }
    return best != NULL ? session_with(v, i, &best->address) : NULL;
}

/* A Backup of p2p mode advertises; old peers go (R70). */
void vrrp_backup_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    bool changed = false;

    if (i->state == HD_VRRP_INITIALIZE || i->c.fast != HD_VRRP_FAST_P2P)
        return;
    if (i->state == HD_VRRP_BACKUP)
        vrrp_send_advert(v, c, i, VRRP_BACKUP, i->priority);
    for (unsigned n = 0; n < HD_VRRP_PEERS_MAX; n++) {
        struct vrrp_peer *p = &i->peers[n];
        if (vrrp_address_none(&p->address) ||
            c->now - p->seen_at <= VRRP_PEER_INTERVALS * vrrp_own_interval(i))
            continue;
        *p = (struct vrrp_peer){0};
        changed = true;
    }
    if (changed)
        vrrp_fast_update(v, c, i);
    vrrp_arm(v, c, i, VRRP_TIMER_BACKUP, c->now + vrrp_own_interval(i));
}

/* --- takeover ----------------------------------------------------------------------------------
 */

/* How long better Backups are given (R72). */
static hd_time patience(struct vrrp *v, struct hd_ctx *c, const struct vrrp_instance *i)
{
    if (i->c.fast == HD_VRRP_FAST_P2P)
        return HD_US(i->c.fast_skew_us) * rank_of(v, c, i);
    if (i->c.fast == HD_VRRP_FAST_P2MP)
        return HD_US(i->c.fast_skew_max_us) * (256 - i->priority) / 256;
    return 0;
}

static void broken_for(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i,
                       const struct vrrp_session *s)
{
    if (i->state == HD_VRRP_BACKUP && vrrp_critical(v, i) == s)
        vrrp_arm(v, c, i, VRRP_TIMER_FAST, c->now + patience(v, c, i));
}

void vrrp_fast_timer(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    const struct vrrp_session *s = vrrp_critical(v, i);

    if (i->state != HD_VRRP_BACKUP || s == NULL || !s->broken)
        return;
    i->bfd_switch++;
    i->bfd_source = i->last_source;
    vrrp_become_active(v, c, i, HD_VRRP_EV_BFD_DOWN, HD_VRRP_NO_RESPONSE);
    i->bfd_at = c->now;
}

void vrrp_on_notice(struct vrrp *v, struct hd_ctx *c, const struct hd_bfd_notice *n)
{
    struct vrrp_session *s = NULL;

    uint32_t at = 0;

    for (uint32_t k = 0; k < v->sessions.len && s == NULL; k++)
        if (v->sessions.v[k].handle == n->handle && v->sessions.v[k].kind != 0)
            s = &v->sessions.v[at = k];
    if (n->client != c->core || s == NULL)
        return;
    v->counts[VRRP_COUNT_BFD_REFUSED] += n->error != 0;
    bool was_broken = s->broken;
    s->state = n->error == 0 ? n->state : 0;
    s->broken = n->error == 0 && n->state == STATE_DOWN && n->was_up != 0 && n->remote_down == 0;
    if (s->broken == was_broken)
        return;
    vrrp_tracks_look(v, c);
    s = &v->sessions.v[at]; /* a track that asks for its session can move them all */
    for (uint32_t k = 0; k < v->instances.len && s->broken; k++)
        broken_for(v, c, v->instances.v[k], s);
}

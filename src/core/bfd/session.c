/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session (RFC 5880, 6.8): its state, the intervals that both ends agree on, and what the model
 * shall send and expect for it.
 *
 * Whatever happens to a session ends in the same two steps. bfd_session_negotiate works out what
 * follows from its state and wants, and begins a poll sequence when the peer has to agree;
 * bfd_session_publish writes the packet that says so into the model, and says it once more at once
 * when it is news. So there is no place where a packet could be out of date.
 *
 * A change that makes us slower, or the peer's packets more frequent than we expect, must not be in
 * force before the peer has heard of it (6.8.3): `desired` and `required` are what we say, the
 * `in_use` beside them what we do until the poll sequence has ended.
 */
#include <string.h>

#include "core/bfd/state.h"
#include "lib/base.h"
#include "lib/hash.h"

#define DISCR_TRIES 8
#define RETRY_AFTER HD_SEC(1) /* after a lack of memory */

/* --- the table ------------------------------------------------------------------------------- */

/* In one hop the interface and the peer are the key (RFC 5881, 3): our address is a property. */
static uint64_t path_key(const struct bfd *b, uint8_t kind, const char *interface,
                         const struct hd_ip6 *local, const struct hd_ip6 *remote)
{
    uint8_t bytes[1 + HD_IF_NAME + 32] = {kind};

    for (unsigned i = 0; i < HD_IF_NAME && interface[i] != '\0'; i++)
        bytes[1 + i] = (uint8_t)interface[i];
    if (kind != HD_BFD_SINGLE_HOP)
        memcpy(bytes + 1 + HD_IF_NAME, local, 16);
    memcpy(bytes + 17 + HD_IF_NAME, remote, 16);
    return hd_hash64(b->salt, bytes, sizeof bytes);
}

static uint64_t own_path_key(const struct bfd *b, const struct bfd_session *s)
{
    return path_key(b, s->kind, s->interface, &s->local, &s->remote);
}

struct bfd_session *bfd_session_find(struct bfd *b, uint8_t kind, const char *interface,
                                     const struct hd_ip6 *local, const struct hd_ip6 *remote)
{
    uint32_t slot;

    return hd_map_get(&b->by_path, path_key(b, kind, interface, local, remote), &slot)
               ? b->sessions.v[slot]
               : NULL;
}

/* A free slot with everything that a session's life needs reserved; 0: no memory. */
static uint32_t reserve_slot(struct bfd *b, struct hd_pool *pool)
{
    if (hd_timerq_reserve(&b->timers, pool, b->count + 2) != 0 ||
        hd_vec_reserve(pool, &b->dirty, 2 * (b->count + 1)) != 0 ||
        hd_vec_reserve(pool, &b->sessions, b->sessions.len + 2) != 0)
        return 0;
    if (b->sessions.len == 0)
        b->sessions.v[b->sessions.len++] = NULL;
    for (uint32_t i = 1; b->count + 1 < b->sessions.len && i < b->sessions.len; i++)
        if (b->sessions.v[i] == NULL)
            return i;
    b->sessions.v[b->sessions.len] = NULL;
    return b->sessions.len++;
}

struct bfd_session *bfd_session_new(struct bfd *b, struct hd_ctx *c, uint8_t kind,
                                    const char *interface, const struct hd_ip6 *local,
                                    const struct hd_ip6 *remote)
{
    uint32_t slot = b->count < HD_BFD_SESSIONS_MAX ? reserve_slot(b, c->pool) : 0;
    struct bfd_session *s = slot != 0 ? hd_pool_alloc(c->pool, sizeof *s) : NULL;

    if (s == NULL)
        return NULL;
    *s = (struct bfd_session){.kind = kind,
                              .local = *local,
                              .remote = *remote,
                              .slot = slot,
                              .state = HD_BFD_DOWN,
                              .remote_state = HD_BFD_DOWN,
                              .remote_rx_us = 1,
                              .since = c->now,
                              .last_up = HD_NEVER,
                              .last_down = HD_NEVER,
                              .timer.kind = TIMER_SESSION};
    for (unsigned i = 0; i < HD_IF_NAME - 1 && interface[i] != '\0'; i++)
        s->interface[i] = interface[i];
    hd_bfd_session_config_default(&s->want);
    if (hd_map_set(&b->by_path, c->pool, own_path_key(b, s), slot) != 0) {
        hd_pool_free(c->pool, s, sizeof *s);
        return NULL;
    }
    b->sessions.v[slot] = s;
    b->count++;
    return s;
}

/* Takes it out of the model. */
static void withdraw(struct hd_ctx *c, struct bfd_session *s)
{
    const struct hd_periodic *p = hd_model_periodic(c->model, s->periodic);
    const struct hd_watch *w = hd_model_watch(c->model, s->watch);

    bfd_echo_stop(c, s);
    s->sent_before += p != NULL ? p->sent : 0;
    s->received += w != NULL ? w->packets : 0;
    s->late_before += w != NULL ? w->late : 0;
    hd_model_periodic_del(c->model, s->periodic);
    hd_model_watch_del(c->model, s->watch);
    s->periodic = s->watch = 0;
    s->local_discr = s->remote_discr = 0;
}

static void count_heard(struct bfd *b, const struct bfd_session *s)
{
    struct bfd_interface *f = bfd_interface_named(b, s->interface);

    if (!s->heard || f == NULL)
        return;
    if (s->kind == HD_BFD_TAIL && f->tails > 0)
        f->tails--;
    else if (s->kind == HD_BFD_SINGLE_HOP && f->unsolicited > 0)
        f->unsolicited--;
}

void bfd_session_free(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    count_heard(b, s);
    withdraw(c, s);
    hd_timer_stop(&b->timers, &s->timer);
    hd_map_del(&b->by_path, own_path_key(b, s));
    b->sessions.v[s->slot] = NULL;
    b->count--;
    hd_pool_free(c->pool, s, sizeof *s);
}

void bfd_session_touch(struct bfd *b, struct bfd_session *s)
{
    if (s->dirty || b->dirty.len >= b->dirty.cap) /* cap is twice the sessions: never full */
        return;
    s->dirty = true;
    b->dirty.v[b->dirty.len++] = s->slot;
}

void bfd_session_arm(struct bfd *b, struct hd_ctx *c, struct bfd_session *s, hd_time after_ns)
{
    int error = hd_timer_arm(&b->timers, c->pool, &s->timer, hd_time_add(c->now, after_ns));

    HD_ASSERT(error == 0); /* reserved with the session */
}

/* --- state ----------------------------------------------------------------------------------- */

void bfd_tell_client(struct hd_ctx *c, const struct bfd_session *s, const struct bfd_client *to,
                     uint8_t old_state, int error)
{
    struct hd_bfd_notice n = {.client = to->core,
                              .handle = to->handle,
                              .state = s != NULL ? s->state : HD_BFD_DOWN,
                              .old_state = old_state,
                              .diag = s != NULL ? s->diag : HD_BFD_DIAG_NONE,
                              .was_up = s != NULL && s->was_up,
                              .remote_down = s != NULL && s->said_down,
                              .local_discr = s != NULL ? s->local_discr : 0,
                              .error = error};

    hd_fx_event(c->fx, c->core, HD_BFD_LIST_NOTICE, &n, sizeof n);
}

static void raise_event(struct hd_ctx *c, const struct bfd_session *s, uint8_t old_state)
{
    struct hd_bfd_row_event row = {.local_discr = s->local_discr,
                                   .remote_discr = s->remote_discr,
                                   .ifindex = s->ifindex,
                                   .kind = s->kind,
                                   .state = s->state,
                                   .old_state = old_state,
                                   .diag = s->diag,
                                   .local = s->local,
                                   .remote = s->remote};

    hd_fx_event(c->fx, c->core, HD_BFD_LIST_EVENT, &row, sizeof row);
    for (unsigned i = 0; i < HD_BFD_CLIENTS_MAX; i++)
        if (s->clients[i].core != 0)
            bfd_tell_client(c, s, &s->clients[i], old_state, 0);
}

void bfd_session_set_state(struct bfd *b, struct hd_ctx *c, struct bfd_session *s, uint8_t state,
                           uint8_t diag)
{
    uint8_t old = s->state;

    if (old == state)
        return;
    s->state = state;
    s->diag = diag;
    s->since = c->now;
    if (state == HD_BFD_UP) {
        s->was_up = true;
        s->said_down = false;
        s->ups++;
        s->last_up = c->now;
    } else if (old == HD_BFD_UP) {
        s->downs++;
        s->last_down = c->now;
    }
    s->admin_downs += state == HD_BFD_ADMIN_DOWN;
    raise_event(c, s, old);
}

/* --- intervals ------------------------------------------------------------------------------- */

static bool both_up(const struct bfd_session *s)
{
    return s->state == HD_BFD_UP && s->remote_state == HD_BFD_UP;
}

/* We have asked the peer to be silent, and it may be (6.6). */
static bool demands(const struct bfd_session *s)
{
    return s->demand && s->kind != HD_BFD_HEAD && both_up(s);
}

/* The peer has asked us to be silent; a poll sequence is the exception (6.8.7). */
bool bfd_session_silenced(const struct bfd_session *s)
{
    return s->remote_demand && both_up(s) && !s->polling;
}

static hd_time us(uint64_t n)
{
    return HD_US(HD_MIN(n, (uint64_t)INT64_MAX / 1000 / 256));
}

/* A packet made it, and nobody here asks for it. */
static bool is_only_heard(const struct bfd_session *s)
{
    return s->heard && !bfd_wanted(s);
}

/* Detection time (6.8.4), 0: nothing can be expected. */
static hd_time agreed_detect(const struct bfd_session *s)
{
    if (s->kind == HD_BFD_TAIL)
        return s->remote_multiplier * us(s->remote_tx_us);
    if (s->kind == HD_BFD_HEAD || s->remote_multiplier == 0 || s->remote_discr == 0)
        return 0;
    if (!demands(s))
        return s->remote_multiplier * us(HD_MAX(s->rx_in_use_us, s->remote_tx_us));
    return s->polling ? s->multiplier * us(HD_MAX(s->tx_in_use_us, s->remote_rx_us)) : 0;
}

/*
 * The detection time that is in force. One of days, which any packet may demand, is agreed with
 * nobody before the session is up: until then it has a bound where only that packet wants it.
 */
hd_time bfd_session_detect(const struct bfd_session *s)
{
    hd_time agreed = agreed_detect(s);

    if (s->state != HD_BFD_UP && is_only_heard(s))
        return HD_MIN(agreed, BFD_HEARD_MAX);
    return agreed;
}

/* The interval at which we send (6.8.7), 0: not by ourselves. */
hd_time bfd_session_tx(const struct bfd_session *s)
{
    if (s->kind == HD_BFD_TAIL || (s->passive && s->remote_discr == 0) || s->remote_rx_us == 0 ||
        bfd_session_silenced(s))
        return 0;
    return us(HD_MAX(s->tx_in_use_us, s->remote_rx_us));
}

void bfd_session_poll(struct hd_ctx *c, struct bfd_session *s)
{
    if (s->polling) { /* one at a time: what changed meanwhile comes with the next (R49) */
        s->poll_again = true;
        return;
    }
    s->polling = true;
    s->poll_since = c->now;
    if (demands(s)) /* silence was in order until now */
        hd_model_watch_seen(c->model, s->watch, c->now);
}

void bfd_session_negotiate(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    bool up = s->state == HD_BFD_UP;
    uint32_t tx = up ? s->tx_us : HD_MAX(s->tx_us, (uint32_t)BFD_SLOW_US);
    uint32_t rx = bfd_echo_active(s) ? HD_MAX(s->rx_us, (uint32_t)BFD_SLOW_US) : s->rx_us;
    bool changed = tx != s->desired_tx_us || rx != s->required_rx_us;

    s->desired_tx_us = tx;
    s->required_rx_us = rx;
    if (!up || s->remote_discr == 0) {
        s->tx_in_use_us = tx;
        s->rx_in_use_us = rx;
        s->polling = s->poll_again = false;
        return;
    }
    s->tx_in_use_us = HD_MIN(s->tx_in_use_us, tx);
    s->rx_in_use_us = HD_MAX(s->rx_in_use_us, rx);
    if (changed)
        bfd_session_poll(c, s);
    if (demands(s) && !s->polling && !hd_timer_armed(&s->timer))
        bfd_session_arm(b, c, s, BFD_DEMAND_POLL);
}

/* --- what the model shall do ----------------------------------------------------------------- */

static struct bfd_packet packet_of(const struct bfd_session *s)
{
    struct bfd_packet p = {.state = s->state,
                           .diag = s->diag,
                           .flags = BFD_INDEPENDENT,
                           .multiplier = s->multiplier,
                           .my_discr = s->local_discr,
                           .your_discr = s->remote_discr,
                           .desired_tx_us = s->desired_tx_us,
                           .required_rx_us = s->required_rx_us,
                           .required_echo_us = s->want.echo_rx_us};

    p.flags |= s->polling ? BFD_POLL : 0;
    p.flags |= demands(s) ? BFD_DEMAND : 0;
    if (s->kind == HD_BFD_HEAD) { /* RFC 8562, 5.4 */
        p.flags |= BFD_MULTIPOINT | BFD_DEMAND;
        p.your_discr = p.required_rx_us = p.required_echo_us = 0;
    }
    if (s->kind == HD_BFD_MULTIHOP)
        p.required_echo_us = 0; /* R58 */
    return p;
}

/* What a successor of this process needs beside the packet itself. */
static void remember(const struct bfd_session *s, uint32_t words[HD_PERIODIC_WORDS])
{
    words[0] = s->remote_tx_us;
    words[1] = s->remote_rx_us;
    words[2] = s->remote_echo_us;
    words[3] = (uint32_t)s->remote_state << 16 | (uint32_t)s->remote_multiplier << 8 |
               (uint32_t)s->remote_demand << 1 | (uint32_t)s->was_up;
    words[4] = s->tx_in_use_us;
    words[5] = s->rx_in_use_us;
}

static struct hd_periodic_value periodic_of(const struct bfd_session *s,
                                            const uint8_t bytes[BFD_BYTES])
{
    bool multihop = s->kind == HD_BFD_MULTIHOP;
    struct hd_periodic_value v;

    memset(&v, 0, sizeof v); /* compared as a whole */
    v.from = s->local;
    v.to = s->remote;
    v.interval_ns = bfd_session_tx(s);
    v.lease_ns = BFD_LEASE;
    v.auth = s->auth;
    v.ifindex = s->ifindex;
    v.from_port = (uint16_t)(BFD_SOURCE_PORT + s->periodic);
    v.to_port = multihop ? HD_BFD_MULTIHOP_PORT : HD_BFD_PORT;
    v.hop_limit = multihop && s->want.tx_ttl != 0 ? s->want.tx_ttl : 255;
    v.traffic_class = BFD_TRAFFIC_CLASS;
    v.jitter_from = 75; /* R46 */
    v.jitter_to = s->multiplier == 1 ? 90 : 100;
    v.len = BFD_BYTES;
    memcpy(v.bytes, bytes, BFD_BYTES);
    remember(s, v.words);
    return v;
}

static void say_once(struct hd_ctx *c, const struct bfd_session *s, const uint8_t *bytes)
{
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_SEND_ONCE, BFD_BYTES);

    if (e == NULL)
        return;
    e->u.once = (struct hd_fx_send_once){.periodic = s->periodic, .len = BFD_BYTES};
    memcpy(hd_fx_payload(e), bytes, BFD_BYTES);
}

/* Whether a packet says something else than the one before, poll and final apart (6.8.7). */
static bool is_news(const uint8_t *before, uint8_t before_len, const uint8_t *now)
{
    uint8_t flags = (uint8_t) ~(BFD_POLL | BFD_FINAL);

    return before_len != BFD_BYTES || before[0] != now[0] ||
           (before[1] & flags) != (now[1] & flags) ||
           memcmp(before + 2, now + 2, BFD_BYTES - 2) != 0;
}

static void publish_packet(struct hd_ctx *c, struct bfd_session *s, bool final)
{
    const struct hd_periodic *old = hd_model_periodic(c->model, s->periodic);
    struct bfd_packet p = packet_of(s);
    uint8_t bytes[BFD_BYTES];

    if (old == NULL)
        return;
    bfd_write(&p, bytes);
    bool polls = (bytes[1] & BFD_POLL) != 0 && (old->v.bytes[1] & BFD_POLL) == 0;
    bool news = is_news(old->v.bytes, old->v.len, bytes) || polls;
    struct hd_periodic_value v = periodic_of(s, bytes);
    hd_model_periodic_set(c->model, s->periodic, &v);
    if (final) {
        bytes[1] = (uint8_t)((bytes[1] & ~BFD_POLL) | BFD_FINAL);
        say_once(c, s, bytes);
    } else if (news && !(s->passive && s->remote_discr == 0)) {
        say_once(c, s, bytes);
    }
}

struct hd_watch_value bfd_watch_value(const struct bfd_session *s)
{
    bool multihop = s->kind == HD_BFD_MULTIHOP, tail = s->kind == HD_BFD_TAIL;
    struct hd_watch_value v;

    memset(&v, 0, sizeof v);
    v.from = s->remote;
    v.ifindex = s->ifindex;
    v.discr = tail ? s->remote_discr : s->local_discr;
    v.by = tail ? HD_WATCH_BY_SENDER : HD_WATCH_BY_PEER;
    v.auth = s->auth;
    v.port = multihop ? PORT_MULTIHOP : PORT_SINGLE_HOP;
    v.hop_limit = multihop ? s->want.rx_ttl : 255;
    if (multihop)
        v.to = s->local;
    v.detect_ns = bfd_session_detect(s);
    uint8_t multiplier = demands(s) ? s->multiplier : s->remote_multiplier;
    v.interval_ns = multiplier != 0 ? v.detect_ns / multiplier : 0;
    return v;
}

static void publish_watch(struct hd_ctx *c, struct bfd_session *s)
{
    const struct hd_watch *old = hd_model_watch(c->model, s->watch);
    struct hd_watch_value v = bfd_watch_value(s);

    if (old == NULL)
        return;
    memcpy(v.steady, old->v.steady, sizeof v.steady);
    v.consume = old->v.consume && s->state == HD_BFD_UP && s->auth.type == HD_AUTH_NONE;
    if (v.consume != old->v.consume || v.detect_ns != old->v.detect_ns ||
        v.interval_ns != old->v.interval_ns || v.hop_limit != old->v.hop_limit ||
        memcmp(&v.auth, &old->v.auth, sizeof v.auth) != 0)
        hd_model_watch_set(c->model, s->watch, &v);
}

void bfd_session_publish(struct bfd *b, struct hd_ctx *c, struct bfd_session *s, bool final)
{
    publish_watch(c, s);
    publish_packet(c, s, final);
    bfd_echo_publish(c, s);
}

/* --- into the model -------------------------------------------------------------------------- */

static bool is_heads(const struct bfd *b, uint32_t discr)
{
    for (uint32_t i = 1; i < b->sessions.len; i++)
        if (b->sessions.v[i] != NULL && b->sessions.v[i]->kind == HD_BFD_HEAD &&
            b->sessions.v[i]->local_discr == discr)
            return true;
    return false;
}

static uint32_t random_discr(struct hd_ctx *c)
{
    return 1 + (uint32_t)hd_random_below(c->random, UINT32_MAX);
}

/* A head hears nothing, so it has no watch whose index would keep its discriminator unique. */
static uint32_t head_discr(const struct bfd *b, struct hd_ctx *c)
{
    uint32_t discr = random_discr(c);

    for (unsigned i = 0; i < DISCR_TRIES && is_heads(b, discr); i++)
        discr = random_discr(c);
    return discr;
}

/* R43: our discriminator is random, and nobody else's; a tail has none. */
int bfd_add_watch(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    bool choose = s->local_discr == 0 && s->kind != HD_BFD_TAIL;
    int made = HD_EEXIST;

    for (unsigned i = 0; i < (choose ? DISCR_TRIES : 1) && made == HD_EEXIST; i++) {
        if (choose)
            s->local_discr = random_discr(c);
        struct hd_watch_value v = bfd_watch_value(s);
        made = hd_model_watch_add(c->model, c->core, &v);
    }
    if (made < 0)
        return made;
    s->watch = (uint32_t)made;
    hd_model_watch(c->model, s->watch)->owner_word = s->slot;
    return 0;
}

static bool same_path(const struct bfd_session *s, const struct hd_periodic *p, uint8_t core)
{
    uint16_t port = s->kind == HD_BFD_MULTIHOP ? HD_BFD_MULTIHOP_PORT : HD_BFD_PORT;
    bool head = (p->v.bytes[1] & BFD_MULTIPOINT) != 0;

    return p->o.adopted && p->o.owner == core && p->v.to_port == port &&
           head == (s->kind == HD_BFD_HEAD) && p->v.ifindex == s->ifindex &&
           hd_ip6_equal(&p->v.to, &s->remote) && hd_ip6_equal(&p->v.from, &s->local);
}

/* The index of what a predecessor of this process sends for this session, and what it says; or 0.
 */
static uint32_t find_predecessor(const struct hd_ctx *c, const struct bfd_session *s,
                                 struct bfd_packet *was)
{
    for (uint32_t i = 0; (i = hd_model_periodic_next(c->model, i)) != 0;) {
        const struct hd_periodic *p = hd_model_periodic(c->model, i);
        if (same_path(s, p, c->core) && p->v.len == BFD_BYTES &&
            bfd_read(p->v.bytes, BFD_BYTES, was) == BFD_OK)
            return i;
    }
    return 0;
}

/* Goes on where a predecessor of this process was: its packets are still being sent. */
static bool resume(struct hd_ctx *c, struct bfd_session *s)
{
    struct bfd_packet was;
    uint32_t index = find_predecessor(c, s, &was);

    if (index == 0)
        return false;
    struct hd_periodic *p = hd_model_periodic(c->model, index);
    p->o.adopted = 0;
    s->periodic = index;
    s->local_discr = was.my_discr;
    s->remote_discr = was.your_discr;
    s->desired_tx_us = was.desired_tx_us;
    s->required_rx_us = was.required_rx_us;
    s->remote_tx_us = p->v.words[0];
    s->remote_rx_us = p->v.words[1];
    s->remote_echo_us = p->v.words[2];
    s->remote_state = p->v.words[3] >> 16 & 3;
    s->remote_multiplier = (uint8_t)(p->v.words[3] >> 8);
    s->remote_demand = (p->v.words[3] & 2) != 0;
    s->was_up = (p->v.words[3] & 1) != 0;
    s->tx_in_use_us = p->v.words[4];
    s->rx_in_use_us = p->v.words[5];
    s->state = was.state != HD_BFD_ADMIN_DOWN ? was.state : HD_BFD_DOWN;
    s->diag = was.diag;
    return true;
}

static int add_periodic(struct hd_ctx *c, struct bfd_session *s)
{
    struct hd_periodic_value v;

    memset(&v, 0, sizeof v); /* its port follows from its index; bfd_session_publish fills it in */
    int made = hd_model_periodic_add(c->model, c->core, &v);
    if (made < 0)
        return made;
    s->periodic = (uint32_t)made;
    return 0;
}

/* Makes the objects of a session that has none; without memory it tries again later. */
static bool enter(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    bool resumed = resume(c, s);
    int error = resumed ? 0 : add_periodic(c, s);

    if (error == 0 && s->kind != HD_BFD_HEAD)
        error = bfd_add_watch(b, c, s);
    if (error != 0) {
        withdraw(c, s);
        b->lost_memory++;
        bfd_session_arm(b, c, s, RETRY_AFTER);
        return false;
    }
    if (s->local_discr == 0)
        s->local_discr = head_discr(b, c);
    if (resumed && s->watch != 0) {
        hd_model_watch_seen(c->model, s->watch, c->now);
        if (s->state == HD_BFD_UP) /* what the peer wants now is not known: ask */
            bfd_session_poll(c, s);
    }
    return true;
}

/* --- coming and going ------------------------------------------------------------------------ */

/* R51: says AdminDown for a detection time, then it is gone. */
static void leave(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    if (s->leaving)
        return;
    if (s->periodic == 0 || s->remote_discr == 0) {
        if (s->kind != HD_BFD_HEAD || s->periodic == 0) {
            if (s->state > HD_BFD_DOWN)
                bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_ADMIN_DOWN);
            bfd_session_free(b, c, s);
            return;
        }
    }
    s->leaving = true;
    hd_time last = HD_MAX(bfd_session_detect(s), s->multiplier * bfd_session_tx(s));
    bfd_session_set_state(b, c, s, HD_BFD_ADMIN_DOWN, HD_BFD_DIAG_ADMIN_DOWN);
    bfd_session_publish(b, c, s, false);
    bfd_session_arm(b, c, s, last);
}

/* The interface that it runs over, or none that works. */
static bool follow_interface(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    if (s->kind == HD_BFD_MULTIHOP)
        return true;
    const struct bfd_interface *f = bfd_interface_named(b, s->interface);
    uint32_t ifindex = f != NULL ? f->ifindex : 0;
    bool moves =
        s->kind == HD_BFD_SINGLE_HOP && s->configured && !hd_ip6_equal(&s->local, &s->want.local);
    if (ifindex != s->ifindex || moves) {
        if (s->state > HD_BFD_DOWN)
            bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_PATH_DOWN);
        withdraw(c, s);
        s->ifindex = ifindex;
        s->local = moves ? s->want.local : s->local;
    }
    return f != NULL && f->up;
}

static void settle_peer(struct bfd *b, struct hd_ctx *c, struct bfd_session *s, bool usable)
{
    if (s->admin_down && s->state != HD_BFD_ADMIN_DOWN)
        bfd_session_set_state(b, c, s, HD_BFD_ADMIN_DOWN, HD_BFD_DIAG_ADMIN_DOWN);
    else if (!s->admin_down && s->state == HD_BFD_ADMIN_DOWN)
        bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_NONE);
    else if (!usable && s->state > HD_BFD_DOWN)
        bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_PATH_DOWN);
    bfd_session_negotiate(b, c, s);
    bfd_session_publish(b, c, s, false);
}

void bfd_session_settle(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    bool usable = follow_interface(b, c, s);
    bool placed = s->kind == HD_BFD_MULTIHOP || s->ifindex != 0;

    s->dirty = false;
    bfd_merge_wants(b, s);
    if (!bfd_wanted(s) && !(s->heard && placed)) {
        leave(b, c, s);
        return;
    }
    if (s->leaving) {
        s->leaving = false;
        hd_timer_stop(&b->timers, &s->timer);
        bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_NONE);
    }
    if (s->kind == HD_BFD_TAIL || !placed || (s->periodic == 0 && !enter(b, c, s)))
        return;
    if (s->kind == HD_BFD_HEAD)
        bfd_head_settle(b, c, s);
    else
        settle_peer(b, c, s, usable);
}

/* --- time ------------------------------------------------------------------------------------ */

/* The detection time has passed (6.8.4). */
void bfd_session_silent(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    s->remote_discr = 0; /* R44 */
    s->remote_demand = false;
    s->remote_rx_us = 1;
    s->remote_state = HD_BFD_DOWN;
    if (s->state > HD_BFD_DOWN)
        bfd_session_set_state(b, c, s, HD_BFD_DOWN, HD_BFD_DIAG_EXPIRED);
    if (s->heard && !bfd_wanted(s)) {
        bfd_session_free(b, c, s);
        return;
    }
    bfd_session_negotiate(b, c, s);
    bfd_session_publish(b, c, s, false);
}

void bfd_session_timer(struct bfd *b, struct hd_ctx *c, struct bfd_session *s)
{
    if (s->leaving) {
        bfd_session_free(b, c, s);
    } else if (s->kind == HD_BFD_HEAD && s->periodic != 0) {
        bfd_head_timer(b, c, s);
    } else if (s->periodic == 0) {
        bfd_session_settle(b, c, s);
    } else if (demands(s)) {
        bfd_session_poll(c, s);
        bfd_session_publish(b, c, s, false);
    }
}

/* --- room for others ------------------------------------------------------------------------- */

static hd_time last_heard(const struct hd_ctx *c, const struct bfd_session *s)
{
    const struct hd_watch *w = hd_model_watch(c->model, s->watch);

    return w != NULL ? w->seen_at : s->heard_at;
}

/* Whether it may go for another one: it never came up, or has been silent for long. */
static bool may_go(const struct hd_ctx *c, const struct bfd_session *s)
{
    return is_only_heard(s) && !s->leaving &&
           (s->state != HD_BFD_UP || c->now - last_heard(c, s) > BFD_HEARD_MAX);
}

static bool within_yields(struct bfd_interface *f, hd_time now)
{
    if (now - f->yields_at >= HD_SEC(1)) {
        f->yields_at = now;
        f->yields = 0;
    }
    return f->yields < BFD_YIELDS_MAX;
}

/*
 * Packets with invented sources may fill all places, but keep no real peer out: the one that was
 * not heard for longest goes. A peer is up a round trip after its first packet, and then stays. How
 * often that happens is limited, since making and ending sessions is work.
 */
bool bfd_session_yield(struct bfd *b, struct hd_ctx *c, struct bfd_interface *f, uint8_t kind)
{
    struct bfd_session *oldest = NULL;

    if (!within_yields(f, c->now))
        return false;
    for (uint32_t i = 1; i < b->sessions.len; i++) {
        struct bfd_session *s = b->sessions.v[i];
        if (s != NULL && s->kind == kind && s->ifindex == f->ifindex && may_go(c, s) &&
            (oldest == NULL || last_heard(c, s) < last_heard(c, oldest)))
            oldest = s;
    }
    if (oldest == NULL)
        return false;
    f->yields++;
    if (oldest->state > HD_BFD_DOWN)
        bfd_session_set_state(b, c, oldest, HD_BFD_DOWN, HD_BFD_DIAG_EXPIRED);
    bfd_session_free(b, c, oldest);
    return true;
}

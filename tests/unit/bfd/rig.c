/* SPDX-License-Identifier: Apache-2.0 */
/* Routers with BFD on a link in virtual time (rig.h). */
#include "unit/bfd/rig.h"

#include "router/cores.h"

#define REGION (4 << 20)

/* --- the client: passes requests on, and shows what it hears ---------------------------------- */

struct client {
    uint32_t unused;
};

static int client_start(void *state, struct hd_ctx *c, const struct hd_start *s)
{
    return 0;
}

static void client_input(void *state, struct hd_ctx *c, const struct hd_input *in)
{
    const void *row = NULL;
    uint16_t list = 0;
    uint32_t len = 0;

    if (in->type == HD_IN_COMMAND) {
        list = HD_EVENT_BFD_REQUEST;
        row = in->u.command.args;
        len = in->u.command.len;
    } else if (in->type == HD_IN_EVENT) {
        assert_int_equal(in->u.event.list, HD_EVENT_BFD_NOTICE);
        return;
    } else {
        return;
    }
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_EVENT, len);
    assert_non_null(e);
    e->u.event.list = list;
    e->u.event.len = len;
    memcpy(hd_fx_payload(e), row, len);
}

static void client_nothing(void *state, struct hd_ctx *c)
{
}

static void client_work(void *state, struct hd_ctx *c, uint32_t units)
{
}

static struct hd_answer client_answer(const void *state)
{
    return (struct hd_answer){.deadline = HD_NEVER};
}

static const struct hd_core_ops client_ops = {
    .name = "client",
    .state_size = sizeof(struct client),
    .start = client_start,
    .input = client_input,
    .due = client_nothing,
    .work = client_work,
    .stop = client_nothing,
    .answer = client_answer,
};

const struct hd_core_ops *hd_core_ops(uint8_t core)
{
    return core == HD_CORE_BFD ? &hd_bfd_ops : core == RIG_CLIENT ? &client_ops : NULL;
}

const struct hd_event_route hd_event_routes[] = {
    {RIG_CLIENT, HD_CORE_BFD, HD_EVENT_BFD_REQUEST},
    {HD_CORE_BFD, RIG_CLIENT, HD_EVENT_BFD_NOTICE},
    {0, 0, 0},
};

/* --- the wire ----------------------------------------------------------------------------------
 */

static bool is_group(const struct hd_ip6 *a)
{
    return a->b[0] == 0xff || (a->b[0] == 0 && a->b[10] == 0xff && a->b[12] == 224);
}

static bool is_ip4(const struct hd_ip6 *a)
{
    return a->b[0] == 0 && a->b[10] == 0xff;
}

static bool is_lost(struct rig *g, unsigned from, unsigned to, const struct rig_packet *p)
{
    struct rig_node *n = &g->node[from];
    bool lost =
        hd_random_below(&g->random, 1000) < g->loss && (g->at_most == 0 || n->lost < g->at_most);

    n->lost = lost ? n->lost + 1 : 0;
    n->lost_all += lost;
    return lost || (g->lose != NULL && g->lose(g, from, to, p));
}

static void fly(struct rig *g, unsigned from, unsigned to, struct rig_packet p)
{
    struct rig_node *n = &g->node[from];

    if (n->gone || g->node[to].gone || g->node[to].r == NULL || is_lost(g, from, to, &p))
        return;
    p.at = g->now + g->delay;
    p.to = (uint8_t)to;
    p.order = g->order++;
    assert_true(g->packet_count < RIG_PACKETS);
    g->packets[g->packet_count++] = p;
}

/* The section that a driver appends: its digest is the number of the key. */
static uint8_t authenticate(struct rig_node *n, const struct hd_auth *a, uint8_t *bytes)
{
    uint8_t len = a->type == HD_AUTH_SIMPLE                                     ? 7
                  : a->type == HD_AUTH_MD5 || a->type == HD_AUTH_METICULOUS_MD5 ? 24
                                                                                : 28;
    uint8_t *s = bytes + 24;

    memset(s, 0, len);
    s[0] = a->type;
    s[1] = len;
    s[2] = a->key_id;
    n->seq++;
    if (a->type != HD_AUTH_SIMPLE)
        for (unsigned i = 0; i < 4; i++)
            s[4 + i] = (uint8_t)(n->seq >> (24 - 8 * i));
    memcpy(s + len - 4, &a->key, 4);
    bytes[1] |= 0x04;
    bytes[3] = (uint8_t)(24 + len);
    return bytes[3];
}

static void depart(struct rig_node *n, const struct hd_periodic_value *v, const uint8_t *bytes,
                   uint8_t len)
{
    struct rig *g = n->rig;
    static const struct hd_ip6 zero;
    struct rig_packet p = {.len = len, .to_port = v->to_port, .dst = v->to};

    assert_true(v->from_port >= 49152); /* R57 */
    memcpy(p.bytes, bytes, len);
    if (v->auth.type != HD_AUTH_NONE)
        p.len = authenticate(n, &v->auth, p.bytes);
    p.from = !hd_ip6_equal(&v->from, &zero) ? v->from : is_ip4(&v->to) ? n->ip4 : n->ip6;
    p.hop_limit = (uint8_t)(v->hop_limit - g->hops);
    n->sent_at[n->sent++ % RIG_LOG] = g->now;
    memcpy(n->last, p.bytes, p.len);
    n->last_len = p.len;
    if (!hd_ip6_equal(&v->via, &zero)) { /* an echo: there and back */
        for (unsigned i = 0; i < g->nodes; i++)
            if ((hd_ip6_equal(&g->node[i].ip4, &v->via) ||
                 hd_ip6_equal(&g->node[i].ip6, &v->via)) &&
                g->node[i].echoes && !g->node[i].gone) {
                p.hop_limit--;
                fly(g, n->number, n->number, p);
            }
        return;
    }
    for (unsigned i = 0; i < g->nodes; i++)
        if (i != n->number && (is_group(&v->to) || hd_ip6_equal(&g->node[i].ip4, &v->to) ||
                               hd_ip6_equal(&g->node[i].ip6, &v->to)))
            fly(g, n->number, i, p);
}

/* --- the driver ---------------------------------------------------------------------------------
 */

static hd_time next_departure(struct rig_node *n, const struct hd_periodic_value *v)
{
    uint64_t span = (uint64_t)(v->jitter_to - v->jitter_from) * (uint64_t)v->interval_ns / 100;

    return n->rig->now + v->interval_ns * v->jitter_from / 100 +
           (hd_time)hd_random_below(&n->random, span + 1);
}

static void pull(struct rig_node *n)
{
    struct hd_model *m = hd_router_model(n->r);
    struct hd_periodic_change c;

    while (hd_model_periodic_pull(m, &c)) {
        assert_true(c.index < RIG_SLOTS);
        struct rig_slot *s = &n->slots[c.index];
        if (c.del) {
            s->on = false; /* what is said once in the same breath still finds its addresses */
            continue;
        }
        hd_time old = s->on ? s->v.interval_ns : 0;
        s->v = hd_model_periodic(m, c.index)->v;
        s->on = s->v.interval_ns != 0;
        if (s->on && old == 0)
            s->next = next_departure(n, &s->v);
        else if (s->on && s->v.interval_ns != old)
            s->next = HD_MIN(s->next, next_departure(n, &s->v));
    }
}

static void keep_event(struct rig_node *n, const struct hd_effect *e, const void *row)
{
    if (e->core == HD_CORE_BFD && e->u.event.list == HD_BFD_LIST_EVENT) {
        n->event_at[n->event_count % RIG_LOG] = n->rig->now;
        n->events[n->event_count++ % RIG_LOG] = *(const struct hd_bfd_row_event *)row;
    } else if (e->core == HD_CORE_BFD && e->u.event.list == HD_BFD_LIST_NOTICE) {
        n->notices[n->notice_count++ % RIG_LOG] = *(const struct hd_bfd_notice *)row;
    }
}

static void realise(struct rig_node *n)
{
    for (;;) {
        pull(n);
        for (struct hd_effect *e = hd_fx_first(&n->fx); e != NULL; e = hd_fx_next(&n->fx, e)) {
            if (e->type == HD_FX_SEND_ONCE) {
                n->once++;
                depart(n, &n->slots[e->u.once.periodic].v, hd_fx_payload(e),
                       (uint8_t)e->u.once.len);
            } else if (e->type == HD_FX_EVENT) {
                keep_event(n, e, hd_fx_payload(e));
            }
        }
        assert_int_equal(n->fx.lost, 0);
        hd_fx_clear(&n->fx);
        if (n->answer.pending == HD_PENDING_NONE)
            return;
        n->answer = hd_router_work(n->r, 8, n->rig->now, &n->fx);
    }
}

static void give(struct rig_node *n, struct hd_input *in)
{
    n->answer = hd_router_input(n->r, in, n->rig->now, &n->fx);
    realise(n);
}

static void arrive(struct rig_node *n, const struct rig_packet *p)
{
    struct hd_input in = {.type = HD_IN_DATAGRAM, .core = HD_CORE_BFD, .arrived = p->at};
    struct hd_in_datagram *d = &in.u.datagram;
    uint8_t *exact = malloc(p->len); /* so that a sanitizer sees the first byte too many */

    memcpy(exact, p->bytes, p->len);
    *d = (struct hd_in_datagram){.bytes = exact,
                                 .len = p->len,
                                 .port = p->to_port == HD_BFD_PORT            ? 1
                                         : p->to_port == HD_BFD_MULTIHOP_PORT ? 2
                                                                              : 3,
                                 .hop_limit = p->hop_limit,
                                 .ifindex = 1,
                                 .from = p->from,
                                 .to = p->dst};
    if (p->len > 28 && p->bytes[3] == p->len)
        memcpy(&d->key, p->bytes + p->len - 4, 4);
    give(n, &in);
    free(exact);
}

void rig_inject(struct rig *g, unsigned node, const struct rig_packet *p)
{
    struct rig_packet now = *p;

    now.at = g->now;
    arrive(&g->node[node], &now);
}

struct rig_packet rig_last(const struct rig *g, unsigned from, unsigned to)
{
    const struct rig_node *n = &g->node[from];
    struct rig_packet p = {.len = n->last_len,
                           .hop_limit = 255,
                           .to_port = HD_BFD_PORT,
                           .from = n->ip4,
                           .dst = g->node[to].ip4};

    memcpy(p.bytes, n->last, n->last_len);
    return p;
}

/* --- time ----------------------------------------------------------------------------------------
 */

static hd_time ready_at(const struct rig_node *n, hd_time at)
{
    return n->deaf || at == HD_NEVER ? HD_NEVER : HD_MAX(at, n->stopped_until);
}

/* The packet that is delivered first: by time of delivery, then in the order of sending. */
static struct rig_packet *first_packet(struct rig *g, hd_time *at)
{
    struct rig_packet *best = NULL;

    *at = HD_NEVER;
    for (unsigned i = 0; i < g->packet_count; i++) {
        struct rig_packet *p = &g->packets[i];
        hd_time t = ready_at(&g->node[p->to], p->at);
        if (t < *at || (t == *at && best != NULL && t != HD_NEVER &&
                        (p->at < best->at || (p->at == best->at && p->order < best->order)))) {
            *at = t;
            best = p;
        }
    }
    return best;
}

static struct rig_slot *first_slot(struct rig *g, unsigned *node)
{
    struct rig_slot *best = NULL;

    for (unsigned i = 0; i < g->nodes; i++)
        for (unsigned j = 1; j < RIG_SLOTS; j++) {
            struct rig_slot *s = &g->node[i].slots[j];
            if (s->on && (best == NULL || s->next < best->next)) {
                best = s;
                *node = i;
            }
        }
    return best;
}

static struct rig_node *first_deadline(struct rig *g, hd_time *at)
{
    struct rig_node *best = NULL;

    *at = HD_NEVER;
    for (unsigned i = 0; i < g->nodes; i++) {
        hd_time t = ready_at(&g->node[i], g->node[i].answer.deadline);
        if (t < *at) {
            *at = t;
            best = &g->node[i];
        }
    }
    return best;
}

static void deliver(struct rig *g, struct rig_packet *p)
{
    struct rig_packet copy = *p;

    *p = g->packets[--g->packet_count];
    arrive(&g->node[copy.to], &copy);
}

static bool one_step(struct rig *g, hd_time until)
{
    hd_time packet_at, deadline_at;
    unsigned sender = 0;
    struct rig_packet *p = first_packet(g, &packet_at);
    struct rig_slot *s = first_slot(g, &sender);
    struct rig_node *n = first_deadline(g, &deadline_at);
    hd_time sends_at = s != NULL ? s->next : HD_NEVER;
    hd_time at = hd_time_min(packet_at, hd_time_min(sends_at, deadline_at));

    if (at > until)
        return false;
    g->now = HD_MAX(g->now, at);
    if (sends_at == at) {
        depart(&g->node[sender], &s->v, s->v.bytes, s->v.len);
        s->next = next_departure(&g->node[sender], &s->v);
    } else if (packet_at == at) {
        deliver(g, p);
    } else {
        n->answer = hd_router_due(n->r, g->now, &n->fx);
        realise(n);
    }
    return true;
}

void rig_run(struct rig *g, hd_time for_ns)
{
    hd_time until = g->now + for_ns;

    while (one_step(g, until))
        continue;
    g->now = until;
}

/* --- nodes
 * ---------------------------------------------------------------------------------------- */

struct rig *rig_new(unsigned nodes, uint64_t seed)
{
    struct rig *g = calloc(1, sizeof *g);

    assert_non_null(g);
    g->nodes = nodes;
    g->delay = HD_US(100);
    g->now = HD_SEC(1);
    hd_random_seed(&g->random, seed, 99);
    for (unsigned i = 0; i < nodes; i++) {
        struct rig_node *n = &g->node[i];
        n->rig = g;
        n->number = (uint8_t)i;
        n->ip4 = (struct hd_ip6){.b = {[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)(i + 1)}};
        n->ip6 = (struct hd_ip6){.b = {0xfe, 0x80, [15] = (uint8_t)(i + 1)}};
        n->echoes = true;
        hd_random_seed(&n->random, seed, i);
        hd_fx_init(&n->fx, n->buf, sizeof n->buf);
        n->answer.deadline = HD_NEVER;
    }
    return g;
}

void rig_free(struct rig *g)
{
    for (unsigned i = 0; i < g->nodes; i++)
        free(g->node[i].region);
    free(g);
}

struct hd_bfd_session_config rig_session(const struct rig *g, unsigned a, unsigned b)
{
    struct hd_bfd_session_config s;

    hd_bfd_session_config_default(&s);
    s.kind = HD_BFD_SINGLE_HOP;
    memcpy(s.interface, "eth0", 5);
    s.remote = g->node[b].ip4;
    s.tx_us = s.rx_us = 10000;
    return s;
}

struct rig_config rig_one(struct hd_bfd_session_config s)
{
    struct rig_config c = {.head.session_count = 1, .session[0] = s};

    hd_bfd_config_default(&c.head);
    c.head.session_count = 1;
    return c;
}

/* The parts one after the other, as the core wants them. */
static uint32_t flatten(const struct rig_config *c, uint8_t *out)
{
    uint32_t at = sizeof c->head;

    assert_int_equal(c->head.multihop_count, 0);
    memcpy(out, &c->head, at);
    memcpy(out + at, c->session, c->head.session_count * sizeof c->session[0]);
    at += (uint32_t)(c->head.session_count * sizeof c->session[0]);
    memcpy(out + at, c->listen, c->head.listen_count * sizeof c->listen[0]);
    at += (uint32_t)(c->head.listen_count * sizeof c->listen[0]);
    assert_int_equal(at, hd_bfd_config_bytes(&c->head));
    return at;
}

static int start_cores(struct rig *g, unsigned node, const struct rig_config *c, bool resumed)
{
    struct rig_node *n = &g->node[node];
    _Alignas(8) uint8_t flat[sizeof *c];
    struct hd_router_core bfd = {.core = HD_CORE_BFD, .start.resumed = resumed};
    struct hd_router_core client = {.core = RIG_CLIENT};

    if (c != NULL) {
        bfd.start.config_len = flatten(c, flat);
        bfd.start.config = flat;
    }
    int error = hd_router_start_core(n->r, &bfd, g->now, &n->fx);
    if (error != 0)
        return error;
    assert_int_equal(hd_router_start_core(n->r, &client, g->now, &n->fx), 0);
    rig_interface(g, node, true, false);
    return 0;
}

int rig_start(struct rig *g, unsigned node, const struct rig_config *c, bool resumed)
{
    struct rig_node *n = &g->node[node];
    struct hd_router_start s = {.seed = hd_random_u64(&g->random)};

    n->region = test_region(REGION);
    n->r = hd_router_create(n->region, REGION, &s);
    assert_non_null(n->r);
    return start_cores(g, node, c, resumed);
}

int rig_configure(struct rig *g, unsigned node, const struct rig_config *c)
{
    struct rig_node *n = &g->node[node];
    _Alignas(8) uint8_t flat[sizeof *c];
    uint32_t len = flatten(c, flat);
    int error = hd_router_configure(n->r, HD_CORE_BFD, flat, len, g->now, &n->fx);

    n->answer = hd_router_work(n->r, 1, g->now, &n->fx);
    realise(n);
    return error;
}

struct rig *rig_pair(uint64_t seed)
{
    struct rig *g = rig_new(2, seed);
    struct rig_config a = rig_one(rig_session(g, 0, 1)), b = rig_one(rig_session(g, 1, 0));

    assert_int_equal(rig_start(g, 0, &a, false), 0);
    assert_int_equal(rig_start(g, 1, &b, false), 0);
    rig_run(g, HD_SEC(3));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
    assert_int_equal(rig_row(g, 1, 0).state, HD_BFD_UP);
    return g;
}

void rig_interface(struct rig *g, unsigned node, bool up, bool gone)
{
    struct hd_input in = {.type = HD_IN_INTERFACE, .arrived = g->now};

    in.u.interface = (struct hd_in_interface){.ifindex = 1,
                                              .name = "eth0",
                                              .up = up,
                                              .usable = up,
                                              .gone = gone,
                                              .mtu = 1500,
                                              .link_local = g->node[node].ip6};
    give(&g->node[node], &in);
}

void rig_request(struct rig *g, unsigned node, const struct hd_bfd_request *q)
{
    struct hd_input in = {.type = HD_IN_COMMAND, .core = RIG_CLIENT, .arrived = g->now};

    in.u.command = (struct hd_in_command){.id = 1, .args = q, .len = sizeof *q};
    give(&g->node[node], &in);
}

void rig_replace(struct rig *g, unsigned node, const struct rig_config *c)
{
    struct rig_node *n = &g->node[node];
    struct hd_router_start s = {.seed = hd_random_u64(&g->random)};

    free(n->region);
    n->region = test_region(REGION);
    n->r = hd_router_create(n->region, REGION, &s);
    n->deaf = false;
    for (uint32_t i = 1; i < RIG_SLOTS; i++)
        if (n->slots[i].on)
            assert_int_equal(
                hd_model_adopt_periodic(hd_router_model(n->r), HD_CORE_BFD, i, &n->slots[i].v), 0);
    assert_int_equal(start_cores(g, node, c, true), 0);
}

/* --- looking
 * -------------------------------------------------------------------------------------- */

static unsigned read_rows(struct rig *g, unsigned node, struct hd_bfd_row_session *out,
                          unsigned max)
{
    struct hd_row_cursor cursor = {0};
    unsigned count = 0;

    while (!cursor.end && count < max) /* pages of two */
        count += hd_router_rows(g->node[node].r, HD_CORE_BFD, HD_BFD_LIST_SESSIONS, &cursor,
                                out + count, HD_MIN(2u, max - count), g->now);
    return count;
}

struct hd_bfd_row_session rig_row(struct rig *g, unsigned node, unsigned n)
{
    struct hd_bfd_row_session rows[RIG_SLOTS];

    assert_true(read_rows(g, node, rows, RIG_SLOTS) > n);
    return rows[n];
}

unsigned rig_rows(struct rig *g, unsigned node)
{
    struct hd_bfd_row_session rows[RIG_SLOTS];

    return read_rows(g, node, rows, RIG_SLOTS);
}

uint64_t rig_counter(struct rig *g, unsigned node, const char *name)
{
    struct hd_bfd_row_counter rows[64];
    struct hd_row_cursor cursor = {0};
    uint32_t n = hd_router_rows(g->node[node].r, HD_CORE_BFD, HD_BFD_LIST_COUNTERS, &cursor, rows,
                                64, g->now);

    assert_true(cursor.end);
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].value;
    fail_msg("no counter %s", name);
    return 0;
}

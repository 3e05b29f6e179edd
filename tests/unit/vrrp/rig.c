/* SPDX-License-Identifier: Apache-2.0 */
/* Segments, routers and kernels in virtual time (rig.h); what happens at one instant keeps its
 * order. */
#include "rig.h"

#include <arpa/inet.h>

/* --- the stub of BFD ---------------------------------------------------------------------------
 */

static int stub_start(void *state, struct hd_ctx *c, const struct hd_start *s)
{
    return 0;
}

/* Commands carry notices that the stub raises; requests are found among the events. */
static void stub_input(void *state, struct hd_ctx *c, const struct hd_input *in)
{
    if (in->type != HD_IN_COMMAND)
        return;
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_EVENT, in->u.command.len);
    assert_non_null(e);
    e->u.event.list = HD_EVENT_BFD_NOTICE;
    e->u.event.len = in->u.command.len;
    memcpy(hd_fx_payload(e), in->u.command.args, in->u.command.len);
}

static void stub_nothing(void *state, struct hd_ctx *c)
{
}

static void stub_work(void *state, struct hd_ctx *c, uint32_t units)
{
}

static uint32_t stub_rows(const void *state, struct hd_ctx *c, uint16_t list,
                          struct hd_row_cursor *cursor, void *out, uint32_t max)
{
    cursor->end = true;
    return 0;
}

static struct hd_answer stub_answer(const void *state)
{
    return (struct hd_answer){.deadline = HD_NEVER};
}

static const struct hd_core_ops stub_ops = {.name = "stub",
                                            .state_size = 16,
                                            .start = stub_start,
                                            .input = stub_input,
                                            .due = stub_nothing,
                                            .work = stub_work,
                                            .rows = stub_rows,
                                            .stop = stub_nothing,
                                            .answer = stub_answer};

const struct hd_core_ops *hd_core_ops(uint8_t core)
{
    return core == HD_CORE_VRRP ? &hd_vrrp_ops : core == RIG_BFD ? &stub_ops : NULL;
}

const struct hd_event_route hd_event_routes[] = {
    {HD_CORE_VRRP, RIG_BFD, HD_EVENT_BFD_REQUEST},
    {RIG_BFD, HD_CORE_VRRP, HD_EVENT_BFD_NOTICE},
    {0, 0, 0},
};

/* --- addresses ---------------------------------------------------------------------------------
 */

struct hd_ip6 rig_ip(const char *text)
{
    struct hd_ip6 a = {.b = {[10] = 0xff, [11] = 0xff}};

    if (inet_pton(AF_INET, text, a.b + 12) != 1)
        assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
    return a;
}

struct hd_ip6 rig_host(unsigned segment, uint8_t family, unsigned host)
{
    if (family == 4)
        return vrrp_ip4((const uint8_t[4]){10, (uint8_t)segment, 0, (uint8_t)host});
    return (struct hd_ip6){.b = {0xfe, 0x80, [13] = (uint8_t)segment, [15] = (uint8_t)host}};
}

static struct hd_mac mac_of(unsigned segment, unsigned host)
{
    return (struct hd_mac){{2, 0, 0, 0, (uint8_t)segment, (uint8_t)host}};
}

/* --- what a call produces ----------------------------------------------------------------------
 */

static struct rig_flight *depart(struct rig *g, hd_time at)
{
    assert_true(g->flight_count < RIG_FLIGHT);
    struct rig_flight *f = &g->flight[g->flight_count++];
    memset(f, 0, sizeof *f);
    f->at = at;
    f->order = ++g->order;
    return f;
}

static void note_frame(struct rig *g, struct rig_node *n, const uint8_t *frame, uint32_t len)
{
    struct vrrp_packet p;
    struct vrrp_message m;

    if (vrrp_read_frame(frame, len, &p) != VRRP_FRAME_OK) {
        n->announcements++;
        n->announced_at = g->now;
        return;
    }
    assert_true(vrrp_read_head(&p, &m) && vrrp_read_message(&p, &m));
    n->adverts += m.type == VRRP_TYPE;
    n->backup_adverts += m.type == VRRP_BACKUP;
    n->zero_adverts += m.priority == 0;
    n->advert_at = g->now;
    n->advert_mac = p.mac;
}

static void on_send(struct rig *g, struct rig_node *n, struct hd_effect *e)
{
    const struct hd_fx_send *s = &e->u.send;
    unsigned segment = s->ifindex;

    assert_true(n->open[s->port] && n->port_interface[s->port] == s->ifindex);
    assert_true(s->len <= VRRP_FRAME_MAX);
    note_frame(g, n, hd_fx_payload(e), s->len);
    if (!n->up[segment] || g->cut[n->number][segment] ||
        hd_random_below(&g->random, 1000) < g->loss_permille) {
        g->lost++;
        return;
    }
    struct rig_flight *f = depart(g, g->now + g->delay_ns);
    f->from = n->number;
    f->segment = segment;
    f->routed = (s->flags & HD_SEND_ROUTED) != 0;
    f->len = s->len;
    memcpy(f->bytes, hd_fx_payload(e), s->len);
}

static void on_event(struct rig *g, struct rig_node *n, struct hd_effect *e)
{
    if (e->core == HD_CORE_VRRP && e->u.event.list == HD_VRRP_LIST_EVENT) {
        assert_true(n->event_count < RIG_EVENTS);
        n->events[n->event_count].at = g->now;
        memcpy(&n->events[n->event_count++].row, hd_fx_payload(e),
               sizeof(struct hd_vrrp_row_event));
    } else if (e->core == HD_CORE_VRRP && e->u.event.list == HD_VRRP_LIST_ERROR) {
        const struct hd_vrrp_row_error *row = hd_fx_payload(e);
        n->errors[row->error]++;
    } else if (e->u.event.list == HD_EVENT_BFD_REQUEST) {
        assert_true(n->request_count < RIG_REQUESTS);
        memcpy(&n->requests[n->request_count++], hd_fx_payload(e), sizeof(struct hd_bfd_request));
    }
}

static void read_effects(struct rig *g, struct rig_node *n)
{
    for (struct hd_effect *e = hd_fx_first(&n->fx); e != NULL; e = hd_fx_next(&n->fx, e)) {
        if (e->type == HD_FX_OPEN_PORT) {
            n->open[e->u.port.port] = true;
            n->port_interface[e->u.port.port] = e->u.port.ifindex;
            n->port_family[e->u.port.port] = vrrp_is_ip4(&e->u.port.group) ? 4 : 6;
        } else if (e->type == HD_FX_CLOSE_PORT) {
            n->open[e->u.port.port] = false;
        } else if (e->type == HD_FX_SEND) {
            on_send(g, n, e);
        } else if (e->type == HD_FX_EVENT) {
            on_event(g, n, e);
        }
    }
    assert_int_equal(n->fx.lost, 0);
    hd_fx_clear(&n->fx);
}

static void read_model(struct rig *g, struct rig_node *n)
{
    struct hd_virtual_change change;

    while (n->r != NULL && hd_model_virtual_pull(hd_router_model(n->r), &change)) {
        if (change.del)
            continue;
        struct rig_flight *f = depart(g, g->now + n->install_ns);
        f->from = n->number;
        f->install = true;
        f->index = change.index;
        f->value = change.v;
    }
}

static void settle(struct rig *g, struct rig_node *n, struct hd_answer answer)
{
    n->answer = answer;
    read_effects(g, n);
    for (unsigned i = 0; n->answer.pending != HD_PENDING_NONE; i++) {
        assert_true(i < 1000);
        n->answer = hd_router_work(n->r, 64, g->now, &n->fx);
        read_effects(g, n);
    }
    read_model(g, n);
}

static void give(struct rig *g, struct rig_node *n, struct hd_input *in)
{
    if (n->r == NULL)
        return;
    in->arrived = g->now;
    settle(g, n, hd_router_input(n->r, in, g->now, &n->fx));
}

/* --- nodes -------------------------------------------------------------------------------------
 */

static struct hd_in_interface interface_of(const struct rig_node *n, unsigned segment)
{
    struct hd_in_interface in = {.ifindex = segment,
                                 .up = n->up[segment],
                                 .usable = true,
                                 .mtu = 1500,
                                 .mac = mac_of(segment, n->number),
                                 .link_local = rig_host(segment, 6, n->number)};

    snprintf(in.name, sizeof in.name, "eth%u", segment);
    return in;
}

static void tell_interfaces(struct rig *g, struct rig_node *n)
{
    for (unsigned s = 1; s <= RIG_SEGMENTS; s++) {
        struct hd_input in = {.type = HD_IN_INTERFACE, .u.interface = interface_of(n, s)};
        give(g, n, &in);
        struct hd_input address = {
            .type = HD_IN_ADDRESS,
            .u.address = {.ifindex = s, .address = rig_host(s, 4, n->number), .len = 120}};
        give(g, n, &address);
    }
}

static void adopt(struct rig_node *n, const struct hd_virtual_value *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(hd_model_adopt_virtual(hd_router_model(n->r), HD_CORE_VRRP, &values[i]),
                         0);
}

static uint32_t packed(const struct rig_node *n, uint8_t *buf)
{
    const struct rig_config *c = &n->config;
    uint32_t at = sizeof c->head, bytes;

    memcpy(buf, &c->head, at);
    bytes = c->head.instance_count * (uint32_t)sizeof c->instances[0];
    memcpy(buf + at, c->instances, bytes);
    at += bytes;
    bytes = c->head.track_count * (uint32_t)sizeof c->tracks[0];
    memcpy(buf + at, c->tracks, bytes);
    return at + bytes;
}

static void boot(struct rig *g, struct rig_node *n, const struct hd_virtual_value *kept,
                 unsigned kept_count)
{
    static _Alignas(8) uint8_t buf[sizeof(struct rig_config)];
    struct hd_router_start s = {.seed = n->number, .now = g->now};
    struct hd_router_core bfd = {.core = RIG_BFD};
    struct hd_router_core vrrp = {
        .core = HD_CORE_VRRP,
        .start = {.config = buf, .config_len = packed(n, buf), .resumed = kept_count > 0}};

    n->region = test_region(RIG_REGION);
    n->r = hd_router_create(n->region, RIG_REGION, &s);
    assert_non_null(n->r);
    memset(n->open, 0, sizeof n->open);
    adopt(n, kept, kept_count);
    assert_int_equal(hd_router_start_core(n->r, &bfd, g->now, &n->fx), 0);
    assert_int_equal(hd_router_start_core(n->r, &vrrp, g->now, &n->fx), 0);
    struct hd_input clock = {.type = HD_IN_WALL_CLOCK};
    give(g, n, &clock);
    tell_interfaces(g, n);
}

struct rig_node *rig_node(struct rig *g, unsigned number)
{
    struct rig_node *n = calloc(1, sizeof *n);

    assert_non_null(n);
    g->nodes[number] = n;
    n->number = number;
    n->install_ns = HD_US(300);
    for (unsigned s = 0; s <= RIG_SEGMENTS; s++)
        n->up[s] = true;
    hd_fx_init(&n->fx, n->buf, sizeof n->buf);
    boot(g, n, NULL, 0);
    return n;
}

struct hd_vrrp_instance_config *rig_add(struct rig_node *n, unsigned segment, uint8_t family,
                                        uint8_t vrid, uint8_t priority)
{
    struct hd_vrrp_instance_config *c = &n->config.instances[n->config.head.instance_count++];

    assert_true(n->config.head.instance_count <= RIG_INSTANCES);
    hd_vrrp_instance_config_default(c);
    snprintf(c->interface, sizeof c->interface, "eth%u", segment);
    c->family = family;
    c->vrid = vrid;
    c->priority = priority;
    c->address_count = 1;
    c->addresses[0] = rig_host(segment, family, 254);
    return c;
}

struct hd_vrrp_track_config *rig_track(struct rig_node *n, uint32_t instance, uint8_t kind,
                                       uint8_t decrement)
{
    struct hd_vrrp_track_config *t = &n->config.tracks[n->config.head.track_count++];

    *t = (struct hd_vrrp_track_config){.instance = instance, .kind = kind, .decrement = decrement};
    return t;
}

int rig_apply(struct rig *g, struct rig_node *n)
{
    static _Alignas(8) uint8_t buf[sizeof(struct rig_config)];
    uint32_t len = packed(n, buf);
    int error = hd_router_configure(n->r, HD_CORE_VRRP, buf, len, g->now, &n->fx);

    struct hd_input clock = {.type = HD_IN_WALL_CLOCK};
    give(g, n, &clock); /* any call, for its answer */
    return error;
}

int rig_check(struct rig *g, struct rig_node *n)
{
    static _Alignas(8) uint8_t buf[sizeof(struct rig_config)];

    return hd_router_check(n->r, HD_CORE_VRRP, buf, packed(n, buf), g->now);
}

static void forget_router(struct rig *g, struct rig_node *n)
{
    hd_fx_clear(&n->fx);
    free(n->region);
    n->r = NULL;
    n->answer = (struct hd_answer){.deadline = HD_NEVER};
    for (unsigned i = 0; i < g->flight_count;) {
        if (g->flight[i].install && g->flight[i].from == n->number)
            g->flight[i] = g->flight[--g->flight_count];
        else
            i++;
    }
}

static struct hd_virtual_value left[RIG_NODES + 1][RIG_INSTANCES];
static unsigned left_count[RIG_NODES + 1];

void rig_kill(struct rig *g, struct rig_node *n)
{
    const struct hd_model *m = hd_router_model(n->r);

    left_count[n->number] = 0;
    for (uint32_t i = 0; (i = hd_model_virtual_next(m, i)) != 0;)
        left[n->number][left_count[n->number]++] = hd_model_virtual(m, i)->v;
    forget_router(g, n);
}

void rig_stop(struct rig *g, struct rig_node *n)
{
    struct hd_virtual_change change;

    hd_router_stop(n->r, g->now, &n->fx);
    read_effects(g, n);
    while (hd_model_virtual_pull(hd_router_model(n->r), &change))
        assert_true(change.del);
    forget_router(g, n);
    left_count[n->number] = 0;
}

void rig_start(struct rig *g, struct rig_node *n, bool resumed)
{
    boot(g, n, left[n->number], resumed ? left_count[n->number] : 0);
}

struct rig *rig_new(uint64_t seed)
{
    struct rig *g = calloc(1, sizeof *g);

    assert_non_null(g);
    g->now = HD_SEC(1);
    g->delay_ns = HD_US(50);
    hd_random_seed(&g->random, seed, 1);
    return g;
}

void rig_free(struct rig *g)
{
    for (unsigned i = 1; i <= RIG_NODES; i++) {
        if (g->nodes[i] == NULL)
            continue;
        if (g->nodes[i]->r != NULL)
            rig_stop(g, g->nodes[i]);
        free(g->nodes[i]);
    }
    free(g);
}

/* --- time --------------------------------------------------------------------------------------
 */

void rig_frame(struct rig *g, struct rig_node *n, unsigned segment, const uint8_t *frame,
               uint32_t len)
{
    if (n->r == NULL || !n->up[segment])
        return;
    for (unsigned p = 1; p < 256; p++) {
        if (!n->open[p] || n->port_interface[p] != segment ||
            (n->port_family[p] == 6) != (len > 13 && frame[12] == 0x86))
            continue;
        struct hd_input in = {.type = HD_IN_DATAGRAM, .core = HD_CORE_VRRP};
        in.u.datagram = (struct hd_in_datagram){
            .bytes = frame, .len = len, .port = (uint16_t)p, .ifindex = segment};
        give(g, n, &in);
    }
}

static void arrive(struct rig *g, const struct rig_flight *f)
{
    if (f->install) {
        struct rig_node *n = g->nodes[f->from];
        if (n->r == NULL || !hd_model_virtual_done(hd_router_model(n->r), f->index, &f->value, 0))
            return;
        struct hd_input in = {.type = HD_IN_VIRTUAL, .core = HD_CORE_VRRP};
        in.u.virt.index = f->index;
        give(g, n, &in);
        return;
    }
    struct vrrp_packet p;
    bool vrrp = vrrp_read_frame(f->bytes, f->len, &p) == VRRP_FRAME_OK;
    for (unsigned i = 1; i <= RIG_NODES; i++) {
        struct rig_node *n = g->nodes[i];
        if (n == NULL || i == f->from || !vrrp)
            continue;
        struct hd_ip6 own = rig_host(f->segment, p.family, i);
        if (!f->routed || hd_ip6_equal(&own, &p.to))
            rig_frame(g, n, f->segment, f->bytes, f->len);
    }
}

/* The next thing that happens: a flight's index, or a node's number + RIG_FLIGHT. */
static unsigned next_thing(const struct rig *g, hd_time *at)
{
    unsigned what = UINT32_MAX;
    uint64_t order = UINT64_MAX;

    *at = HD_NEVER;
    for (unsigned i = 0; i < g->flight_count; i++) {
        const struct rig_flight *f = &g->flight[i];
        const struct rig_node *n = g->nodes[f->from];
        hd_time when = f->install && n->busy_until > f->at ? n->busy_until : f->at;
        if (when < *at || (when == *at && f->order < order)) {
            *at = when;
            order = f->order;
            what = i;
        }
    }
    for (unsigned i = 1; i <= RIG_NODES; i++) {
        const struct rig_node *n = g->nodes[i];
        if (n == NULL || n->r == NULL || n->answer.deadline == HD_NEVER)
            continue;
        hd_time when = HD_MAX(n->answer.deadline, n->busy_until);
        if (when < *at) { /* at the same instant frames come first */
            *at = when;
            what = RIG_FLIGHT + i;
        }
    }
    return what;
}

void rig_until(struct rig *g, hd_time until)
{
    hd_time at;

    for (;;) {
        unsigned what = next_thing(g, &at);
        if (at > until)
            break;
        g->now = HD_MAX(g->now, at);
        if (what >= RIG_FLIGHT) {
            struct rig_node *n = g->nodes[what - RIG_FLIGHT];
            settle(g, n, hd_router_due(n->r, g->now, &n->fx));
            continue;
        }
        struct rig_flight f = g->flight[what];
        g->flight[what] = g->flight[--g->flight_count];
        arrive(g, &f);
    }
    g->now = until;
}

void rig_run(struct rig *g, hd_time duration)
{
    rig_until(g, g->now + duration);
}

/* --- what happens to nodes ---------------------------------------------------------------------
 */

void rig_link(struct rig *g, struct rig_node *n, unsigned segment, bool up)
{
    n->up[segment] = up;
    struct hd_input in = {.type = HD_IN_INTERFACE, .u.interface = interface_of(n, segment)};
    give(g, n, &in);
}

void rig_address(struct rig *g, struct rig_node *n, unsigned segment, const char *address,
                 bool gone)
{
    struct hd_input in = {
        .type = HD_IN_ADDRESS,
        .u.address = {.ifindex = segment, .address = rig_ip(address), .len = 120, .gone = gone}};
    give(g, n, &in);
}

struct vrrp_advert rig_advert(unsigned segment, uint8_t family, uint8_t vrid, uint8_t priority,
                              unsigned host, const struct hd_vrrp_instance_config *like)
{
    return (struct vrrp_advert){.family = family,
                                .version = like->version,
                                .type = VRRP_TYPE,
                                .vrid = vrid,
                                .priority = priority,
                                .count = like->address_count,
                                .interval_cs = like->interval_cs,
                                .mac = vrrp_mac(family, vrid),
                                .from = rig_host(segment, family, host),
                                .addresses = like->addresses};
}

void rig_hear(struct rig *g, struct rig_node *n, unsigned segment, const struct vrrp_advert *a)
{
    uint8_t frame[VRRP_FRAME_MAX];

    rig_frame(g, n, segment, frame, vrrp_write_advert(frame, a));
}

void rig_notice(struct rig *g, struct rig_node *n, uint32_t handle, uint8_t state, bool was_up,
                bool remote_down)
{
    struct hd_bfd_notice notice = {.client = HD_CORE_VRRP,
                                   .state = state,
                                   .was_up = was_up,
                                   .remote_down = remote_down,
                                   .handle = handle,
                                   .local_discr = 1};
    struct hd_input in = {.type = HD_IN_COMMAND, .core = RIG_BFD};

    in.u.command = (struct hd_in_command){.len = sizeof notice, .args = &notice};
    give(g, n, &in);
}

int rig_command(struct rig *g, struct rig_node *n, uint16_t verb, const struct hd_vrrp_which *w)
{
    struct hd_input in = {.type = HD_IN_COMMAND, .core = HD_CORE_VRRP, .arrived = g->now};
    int error = 1;

    in.u.command = (struct hd_in_command){.id = 7, .verb = verb, .len = sizeof *w, .args = w};
    struct hd_answer answer = hd_router_input(n->r, &in, g->now, &n->fx);
    for (struct hd_effect *e = hd_fx_first(&n->fx); e != NULL; e = hd_fx_next(&n->fx, e)) {
        if (e->type == HD_FX_REPLY) {
            assert_true(e->u.reply.command == 7 && e->u.reply.flags == HD_REPLY_LAST);
            error = e->u.reply.error;
        }
    }
    settle(g, n, answer);
    return error;
}

/* --- what is seen ------------------------------------------------------------------------------
 */

struct hd_vrrp_row_router rig_router(struct rig *g, struct rig_node *n, unsigned index)
{
    struct hd_vrrp_row_router row;
    struct hd_row_cursor cursor = {.a = index};

    assert_int_equal(
        hd_router_rows(n->r, HD_CORE_VRRP, HD_VRRP_LIST_ROUTERS, &cursor, &row, 1, g->now), 1);
    return row;
}

uint64_t rig_counter(struct rig *g, struct rig_node *n, const char *name)
{
    struct hd_vrrp_row_counter rows[64];
    struct hd_row_cursor cursor = {0};
    uint32_t count =
        hd_router_rows(n->r, HD_CORE_VRRP, HD_VRRP_LIST_COUNTERS, &cursor, rows, 64, g->now);

    assert_true(cursor.end);
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].value;
    fail_msg("no counter %s", name);
    return 0;
}

unsigned rig_state(struct rig *g, struct rig_node *n, unsigned index)
{
    return n->r != NULL ? rig_router(g, n, index).state : HD_VRRP_INITIALIZE;
}

unsigned rig_actives(struct rig *g, unsigned index)
{
    unsigned count = 0;

    for (unsigned i = 1; i <= RIG_NODES; i++)
        if (g->nodes[i] != NULL && g->nodes[i]->config.head.instance_count > index)
            count += rig_state(g, g->nodes[i], index) == HD_VRRP_ACTIVE;
    return count;
}

const struct hd_virtual_value *rig_virtual(struct rig_node *n, unsigned vrid)
{
    const struct hd_model *m = hd_router_model(n->r);

    for (uint32_t i = 0; (i = hd_model_virtual_next(m, i)) != 0;)
        if (hd_model_virtual(m, i)->v.number == vrid)
            return &hd_model_virtual(m, i)->v;
    return NULL;
}

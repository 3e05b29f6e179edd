/* SPDX-License-Identifier: Apache-2.0 */
/* The rig of rig.h. */
#include "rig.h"

#include <sys/mman.h>

#define REGION ((size_t)256 << 20) /* address space; pages come as they are used */

struct hd_id rig_id(uint32_t n)
{
    return (struct hd_id){{[10] = (uint8_t)(n >> 24),
                           [11] = (uint8_t)(n >> 16),
                           [12] = (uint8_t)(n >> 8),
                           [13] = (uint8_t)n}};
}

void rig_make(struct rig *g, struct hd_id id)
{
    memset(g, 0, sizeof *g);
    hd_kira_config_default(&g->config);
    g->config.id = id;
    g->config.no_reflector = true;
    g->seed = 1;
    g->next_msg_id = 1000;
    g->now = HD_SEC(100);
    g->answer.deadline = HD_NEVER;
    g->fx_room = malloc(HD_FX_ROOM_BYTES);
    assert_non_null(g->fx_room);
    g->region = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(g->region != MAP_FAILED);
}

/* --- what the core says --------------------------------------------------------------------------
 */

static void keep_sent(struct rig *g, const struct hd_effect *e)
{
    const uint8_t *bytes = (const uint8_t *)(e + 1);
    struct hd_kira_echo echo;

    if (g->sent_len == g->sent_cap) {
        g->sent_cap = g->sent_cap == 0 ? 64 : 2 * g->sent_cap;
        g->sent = realloc(g->sent, g->sent_cap * sizeof *g->sent);
        assert_non_null(g->sent);
    }
    struct rig_sent *s = &g->sent[g->sent_len++];
    *s = (struct rig_sent){.at = g->now, .fx = e->u.send, .bytes = malloc(e->u.send.len)};
    assert_non_null(s->bytes);
    memcpy(s->bytes, bytes, e->u.send.len);
    s->echo = hd_kira_echo_decode(&echo, s->bytes, s->fx.len);
    if (s->echo)
        return;
    assert_int_equal(hd_kira_decode(&s->m, s->bytes, s->fx.len), HD_KIRA_WIRE_OK);
    assert_true(s->m.h.ssn != HD_KIRA_SSN_INVALID && s->m.h.ssn != HD_KIRA_SSN_RESET);
}

static void keep_saved(struct rig *g, const struct hd_effect *e)
{
    uint32_t i = 0;

    while (i < g->saved_count && g->saved[i].key != e->u.save.key)
        i++;
    if (i == g->saved_count)
        g->saved_count++;
    assert_true(g->saved_count <= HD_ARRAY_LEN(g->saved));
    assert_true(e->u.save.len <= sizeof g->saved_bytes[i]);
    memcpy(g->saved_bytes[i], e + 1, e->u.save.len);
    g->saved[i] = (struct hd_saved_value){e->u.save.key, e->u.save.len, g->saved_bytes[i]};
}

static void consume(struct rig *g)
{
    assert_int_equal(g->fx.lost, 0);
    for (struct hd_effect *e = hd_fx_first(&g->fx); e != NULL; e = hd_fx_next(&g->fx, e)) {
        if (e->type == HD_FX_SEND)
            keep_sent(g, e);
        if (e->type == HD_FX_SAVE)
            keep_saved(g, e);
        if (e->type == HD_FX_EVENT && e->u.event.list == HD_KIRA_LIST_EVENT) {
            struct hd_kira_row_event row;
            memcpy(&row, e + 1, sizeof row);
            g->events[row.event]++;
            g->last_event[row.event] = row;
        }
    }
    hd_fx_clear(&g->fx);
}

static void settle(struct rig *g)
{
    struct hd_change c;

    consume(g);
    for (unsigned i = 0; g->answer.pending != HD_PENDING_NONE; i++) {
        assert_true(i < 10000);
        g->answer = hd_router_work(g->router, 150, g->now, &g->fx);
        consume(g);
    }
    struct hd_model *m = hd_router_model(g->router);
    uint32_t generation = m->generation;
    while (hd_model_pull(m, &c))
        hd_model_done(m, &c, 0);
    hd_model_realised(m, generation);
}

/* --- answers of peers ----------------------------------------------------------------------------
 */

static void answer_disc(struct rig *g, struct rig_peer *p, uint64_t msg_id, uint8_t type)
{
    struct rig_out o;

    rig_begin(g, &o, type, 0, &p->id, p->ssn, &g->k->id);
    hd_write_u16_at(&o.w, 41, (uint16_t)(msg_id >> 48));
    hd_write_u16_at(&o.w, 43, (uint16_t)(msg_id >> 32));
    hd_write_u16_at(&o.w, 45, (uint16_t)(msg_id >> 16));
    hd_write_u16_at(&o.w, 47, (uint16_t)msg_id);
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_CONTACTS);
    for (uint32_t i = 0; i < p->list_len; i++) {
        struct hd_kira_contact_item item = {.id = p->list[i], .ssn = 1, .degree = 1};
        hd_kira_write_contact(&o.w, &item);
    }
    hd_kira_object_end(&o.w, mark);
    hd_kira_write_capabilities(&o.w, p->capabilities);
    rig_send(g, &o, p);
}

static void answer_probe(struct rig *g, struct rig_peer *p, const struct hd_kira_msg *m)
{
    struct hd_id ids[64];
    struct rig_out o;
    uint32_t n = m->route.count;

    assert_true(n <= HD_ARRAY_LEN(ids));
    for (uint32_t i = 0; i < n; i++)
        ids[i] = hd_kira_id_at(&m->route, n - 1 - i);
    rig_begin(g, &o, HD_KIRA_PROBE_RSP, 0, &ids[0], p->ssn, &g->k->id);
    hd_write_u16_at(&o.w, 41, (uint16_t)(m->h.msg_id >> 48));
    hd_write_u16_at(&o.w, 43, (uint16_t)(m->h.msg_id >> 32));
    hd_write_u16_at(&o.w, 45, (uint16_t)(m->h.msg_id >> 16));
    hd_write_u16_at(&o.w, 47, (uint16_t)m->h.msg_id);
    rig_route(&o, (uint16_t)(n - 1), ids, n);
    rig_send(g, &o, p);
}

static void answer_one(struct rig *g, const struct rig_sent *sent)
{
    struct rig_sent s = *sent; /* the list may move */

    for (uint32_t i = 0; i < g->peer_count; i++) {
        struct rig_peer *p = &g->peers[i];
        if (!p->answers || p->ifindex != s.fx.ifindex || !hd_ip6_equal(&p->address, &s.fx.to))
            continue;
        if (s.echo && s.bytes[1] == HD_KIRA_ECHO_REQUEST) {
            uint8_t reply[HD_KIRA_ECHO_LEN];
            memcpy(reply, s.bytes, sizeof reply);
            reply[1] = HD_KIRA_ECHO_REPLY;
            rig_deliver(g, p, reply, sizeof reply, 0);
        } else if (!s.echo && s.m.h.type == HD_KIRA_DISC_REQ) {
            answer_disc(g, p, s.m.h.msg_id, HD_KIRA_DISC_RSP);
        } else if (!s.echo && s.m.h.type == HD_KIRA_PROBE_REQ) {
            answer_probe(g, p, &s.m);
        }
        return;
    }
}

static void answer_all(struct rig *g)
{
    while (g->answered < g->sent_len)
        answer_one(g, &g->sent[g->answered++]);
}

/* --- driving -------------------------------------------------------------------------------------
 */

void rig_start(struct rig *g)
{
    struct hd_router_start start = {.seed = g->seed};
    struct hd_router_core core = {.core = HD_CORE_KIRA};

    hd_fx_init(&g->fx, g->fx_room, HD_FX_ROOM_BYTES);
    g->router = hd_router_create(g->region, REGION, &start);
    assert_non_null(g->router);
    core.start = (struct hd_start){.config = &g->config,
                                   .config_len = sizeof g->config,
                                   .saved = g->saved,
                                   .saved_count = g->saved_count,
                                   .resumed = g->resumed,
                                   .key = g->key};
    assert_int_equal(hd_router_start_core(g->router, &core, g->now, &g->fx), 0);
    g->k = hd_router_core_state(g->router, HD_CORE_KIRA);
    g->answer = hd_router_work(g->router, 150, g->now, &g->fx);
    settle(g);
}

void rig_end(struct rig *g)
{
    check_model(hd_router_model(g->router));
    check_pool(hd_router_pool(g->router));
    rig_forget(g);
    free(g->sent);
    free(g->fx_room);
    munmap(g->region, REGION);
}

static void input(struct rig *g, struct hd_input *in)
{
    in->core = HD_CORE_KIRA;
    in->arrived = g->now;
    g->answer = hd_router_input(g->router, in, g->now, &g->fx);
    settle(g);
}

void rig_interface(struct rig *g, uint32_t ifindex, bool up)
{
    struct hd_input in = {.type = HD_IN_INTERFACE};

    in.u.interface = (struct hd_in_interface){
        .ifindex = ifindex,
        .up = up,
        .usable = true,
        .mtu = 1500,
        .mac = {{2, 1, 0, 0, 0, (uint8_t)ifindex}},
        .link_local = {{0xfe, 0x80, [14] = 0xff, [15] = (uint8_t)ifindex}},
    };
    snprintf(in.u.interface.name, sizeof in.u.interface.name, "if%u", ifindex);
    input(g, &in);
    answer_all(g);
}

void rig_report(struct rig *g, const struct hd_in_report *r)
{
    struct hd_input in = {.type = HD_IN_REPORT, .u.report = *r};

    input(g, &in);
    answer_all(g);
}

void rig_until(struct rig *g, hd_time at)
{
    answer_all(g);
    for (unsigned i = 0; g->answer.deadline <= at; i++) {
        assert_true(i < 1000000);
        g->now = HD_MAX(g->now, g->answer.deadline);
        g->answer = hd_router_due(g->router, g->now, &g->fx);
        settle(g);
        answer_all(g);
    }
    g->now = HD_MAX(g->now, at);
}

void rig_stop(struct rig *g)
{
    hd_router_stop(g->router, g->now, &g->fx);
    consume(g);
    g->answer = (struct hd_answer){.deadline = HD_NEVER};
}

void rig_deliver(struct rig *g, const struct rig_peer *p, const void *bytes, uint32_t len,
                 uint32_t key)
{
    struct hd_input in = {.type = HD_IN_DATAGRAM};
    uint8_t *copy = malloc(len > 0 ? len : 1); /* the right size: a read past it is seen */

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    in.u.datagram = (struct hd_in_datagram){.bytes = copy,
                                            .len = len,
                                            .port = 1,
                                            .hop_limit = 255,
                                            .ifindex = p->ifindex,
                                            .routed = g->routed,
                                            .key = key,
                                            .from = p->address,
                                            .to = {{0xfe, 0x80, [14] = 0xff}},
                                            .from_mac = p->mac};
    input(g, &in);
    free(copy);
}

/* --- peers ---------------------------------------------------------------------------------------
 */

struct rig_peer *rig_peer(struct rig *g, struct hd_id id, uint32_t ifindex)
{
    assert_true(g->peer_count < RIG_PEERS);
    struct rig_peer *p = &g->peers[g->peer_count++];

    *p = (struct rig_peer){
        .id = id,
        .ifindex = ifindex,
        .address = {{0xfe, 0x80, [15] = (uint8_t)g->peer_count}},
        .mac = {{2, 0, 0, 0, 0, (uint8_t)g->peer_count}},
        .ssn = 5,
        .capabilities = HD_KIRA_CAN_ECHO | HD_KIRA_CAN_NOTICE | HD_KIRA_FAST_ECHO,
    };
    return p;
}

void rig_meet(struct rig *g, struct rig_peer *p)
{
    answer_disc(g, p, g->next_msg_id++, HD_KIRA_DISC_REQ);
    answer_all(g);
}

struct rig_peer *rig_neighbour(struct rig *g, struct hd_id id, uint32_t ifindex)
{
    struct rig_peer *p = rig_peer(g, id, ifindex);

    p->answers = true;
    p->list[p->list_len++] = g->k->id;
    rig_meet(g, p);
    assert_true(rig_is_neighbour(g, p));
    return p;
}

bool rig_is_neighbour(struct rig *g, const struct rig_peer *p)
{
    return kira_uln_alive(g->k, hd_ids_find(hd_router_ids(g->router), &p->id));
}

/* --- messages ------------------------------------------------------------------------------------
 */

void rig_begin(struct rig *g, struct rig_out *o, uint8_t type, uint8_t flags,
               const struct hd_id *source, uint32_t ssn, const struct hd_id *dest)
{
    struct hd_kira_header h = {.type = type,
                               .flags = flags,
                               .dest = *dest,
                               .source = *source,
                               .msg_id = g->next_msg_id++,
                               .ssn = ssn,
                               .degree = 1};

    o->w = hd_writer_make(o->bytes, sizeof o->bytes);
    hd_kira_write_begin(&o->w, &h);
}

void rig_route(struct rig_out *o, uint16_t index, const struct hd_id *ids, uint32_t n)
{
    size_t mark = hd_kira_object_begin(&o->w, HD_KIRA_OBJ_ROUTE);

    hd_write_u16(&o->w, index);
    for (uint32_t i = 0; i < n; i++)
        hd_kira_write_id(&o->w, &ids[i]);
    hd_kira_object_end(&o->w, mark);
}

void rig_send(struct rig *g, struct rig_out *o, struct rig_peer *p)
{
    if (g->key != 0)
        hd_kira_write_mac(&o->w, (uint16_t)g->key, ++p->counter);
    assert_int_equal(hd_kira_write_end(&o->w), 0);
    rig_deliver(g, p, o->bytes, (uint32_t)hd_writer_len(&o->w), g->key);
}

void rig_send_unsigned(struct rig *g, struct rig_out *o, struct rig_peer *p)
{
    assert_int_equal(hd_kira_write_end(&o->w), 0);
    rig_deliver(g, p, o->bytes, (uint32_t)hd_writer_len(&o->w), 0);
}

void rig_hello(struct rig *g, struct rig_peer *p)
{
    struct hd_id all;
    struct rig_out o;

    memset(all.b, 0xff, sizeof all.b);
    rig_begin(g, &o, HD_KIRA_HELLO, 0, &p->id, p->ssn, &all);
    hd_kira_write_capabilities(&o.w, p->capabilities);
    rig_send(g, &o, p);
}

/* --- looking -------------------------------------------------------------------------------------
 */

void rig_forget(struct rig *g)
{
    for (uint32_t i = 0; i < g->sent_len; i++)
        free(g->sent[i].bytes);
    g->sent_len = g->answered = 0;
}

uint32_t rig_count(const struct rig *g, uint8_t type)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < g->sent_len; i++)
        n += !g->sent[i].echo && g->sent[i].m.h.type == type;
    return n;
}

const struct rig_sent *rig_last(const struct rig *g, uint8_t type)
{
    for (uint32_t i = g->sent_len; i-- > 0;)
        if (!g->sent[i].echo && g->sent[i].m.h.type == type)
            return &g->sent[i];
    return NULL;
}

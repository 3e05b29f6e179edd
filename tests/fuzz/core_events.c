/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of inputs into one router with the KIRA core: datagrams (valid ones built from a
 * small world of nodes, answers to requests that the core sent, mutations, noise), interfaces,
 * time, reports, commands, saved values, refused and delayed model changes, allocations that fail.
 * After each step the model must be consistent, the pool balanced, no effect lost; timers must move
 * and work must end.
 *
 * Besides the two usual ways to run a fuzz target (fuzz.h), `core_events --runs N --seed S` makes
 * its own bytes: RUNS sequences from seeds S, S+1, ...
 */
#include <string.h>
#include <sys/mman.h>

#include "core/kira/kira.h"
#include "core/kira/wire.h"
#include "fuzz/fuzz.h"
#include "lib/base.h"
#include "lib/random.h"
#include "support/router_check.h"

#define REGION     ((size_t)32 << 20)
#define STEPS_MAX  200
#define WORLD      24 /* identifiers that occur; 0 is the router's own */
#define NEIGHBOURS 6  /* 1 to 6, two on each of three interfaces */
#define ASKED_MAX  16 /* requests of the core that are remembered */
#define PULLED_MAX 64
#define CALLS_MAX  20000

struct asked {
    uint64_t msg_id;
    uint8_t type;
    struct hd_id dest;
    uint32_t ifindex;
};

struct world {
    const uint8_t *at, *end;
    struct hd_router *router;
    struct hd_effects fx;
    struct hd_answer answer;
    hd_time now;
    struct asked asked[ASKED_MAX];
    uint32_t asked_count;
    struct hd_change pulled[PULLED_MAX];
    uint32_t pulled_count, pulled_generation;
    uint8_t echo[HD_KIRA_ECHO_LEN]; /* the last one that the core sent */
    uint32_t echo_ifindex;
    uint32_t failing_for; /* steps until allocations succeed again */
};

static void *region;
static uint8_t *fx_room;

/* Bytes decide in the order of statements: never two in one expression, whose order compilers
 * choose. */
static uint8_t byte(struct world *w)
{
    return w->at < w->end ? *w->at++ : 0;
}

static uint32_t pick(struct world *w, uint32_t n)
{
    return byte(w) % n;
}

/* Node 0 is the router; the rest lie near and far by XOR. */
static struct hd_id world_id(uint32_t n)
{
    struct hd_id id = {{0x40}};
    id.b[0] = (uint8_t)(id.b[0] ^ (n % 8) << 5);
    id.b[7] = (uint8_t)(n / 3);
    id.b[13] = (uint8_t)(n + 1);
    return id;
}

static struct hd_ip6 link_local(uint32_t n)
{
    return (struct hd_ip6){{0xfe, 0x80, [15] = (uint8_t)(n + 1)}};
}

static struct hd_mac mac_of(uint32_t n)
{
    return (struct hd_mac){{2, 0, 0, 0, 0, (uint8_t)(n + 1)}};
}

static uint32_t interface_of(uint32_t neighbour)
{
    return (neighbour - 1) / 2 + 1;
}

/* --- what the router says ------------------------------------------------------------------------
 */

static void remember(struct world *w, const struct hd_effect *e)
{
    const uint8_t *b = (const uint8_t *)(e + 1);
    struct hd_kira_msg m;
    if (e->u.send.len == HD_KIRA_ECHO_LEN) {
        memcpy(w->echo, b, HD_KIRA_ECHO_LEN);
        w->echo_ifindex = e->u.send.ifindex;
        return;
    }
    /* what the core sends must be readable by itself */
    enum hd_kira_wire_error error = hd_kira_decode(&m, b, e->u.send.len);
    if (error != HD_KIRA_WIRE_OK)
        fprintf(stderr, "the core sent a message of type 0x%02x that is refused: %s\n", b[1],
                hd_kira_wire_error_name(error));
    FUZZ_CHECK(error == HD_KIRA_WIRE_OK);
    w->asked[w->asked_count++ % ASKED_MAX] =
        (struct asked){m.h.msg_id, m.h.type, m.h.dest, e->u.send.ifindex};
}

static void consume(struct world *w)
{
    FUZZ_CHECK(w->fx.lost == 0);
    for (struct hd_effect *e = hd_fx_first(&w->fx); e != NULL; e = hd_fx_next(&w->fx, e)) {
        if (e->type == HD_FX_SEND && !(e->u.send.flags & HD_SEND_ROUTED))
            remember(w, e);
        if (e->type == HD_FX_SAVE)
            FUZZ_CHECK(e->u.save.len <= HD_SAVE_MAX);
    }
    hd_fx_clear(&w->fx);
}

static void settle(struct world *w)
{
    consume(w);
    for (unsigned i = 0; w->answer.pending == HD_PENDING_URGENT; i++) {
        FUZZ_CHECK(i < CALLS_MAX);
        w->answer = hd_router_work(w->router, 150, w->now, &w->fx);
        consume(w);
    }
}

static void input(struct world *w, struct hd_input *in)
{
    in->core = HD_CORE_KIRA;
    in->arrived = w->now;
    w->answer = hd_router_input(w->router, in, w->now, &w->fx);
    settle(w);
}

/* --- datagrams -----------------------------------------------------------------------------------
 */

static void deliver(struct world *w, uint32_t neighbour, const uint8_t *bytes, uint32_t len,
                    bool multicast)
{
    struct hd_input in = {.type = HD_IN_DATAGRAM};
    uint8_t *copy = malloc(len > 0 ? len : 1); /* the right size: a read past it is seen */
    FUZZ_CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    in.u.datagram = (struct hd_in_datagram){.bytes = copy,
                                            .len = len,
                                            .port = 1,
                                            .hop_limit = 255,
                                            .ifindex = interface_of(neighbour),
                                            .multicast = multicast,
                                            .from = link_local(neighbour),
                                            .to = link_local(0),
                                            .from_mac = mac_of(neighbour)};
    input(w, &in);
    free(copy);
}

static void write_contacts(struct world *w, struct hd_writer *o)
{
    size_t mark = hd_kira_object_begin(o, HD_KIRA_OBJ_CONTACTS);
    for (uint32_t n = pick(w, 8); n > 0; n--) {
        struct hd_kira_contact_item c = {.id = world_id(pick(w, WORLD))};
        c.ssn = 1 + pick(w, 16);
        c.age_ms = pick(w, 4) * 1000u;
        c.degree = (uint16_t)pick(w, 9);
        hd_kira_write_contact(o, &c);
    }
    hd_kira_object_end(o, mark);
}

static void write_not_via(struct world *w, struct hd_writer *o)
{
    size_t mark = hd_kira_object_begin(o, HD_KIRA_OBJ_NOT_VIA);
    for (uint32_t n = 1 + pick(w, 3); n > 0; n--) {
        struct hd_kira_not_via v = {.a = world_id(pick(w, WORLD))};
        v.b = world_id(pick(w, WORLD));
        if (hd_id_compare(&v.a, &v.b) > 0) {
            struct hd_id t = v.a;
            v.a = v.b;
            v.b = t;
        }
        if (!hd_id_equal(&v.a, &v.b))
            hd_kira_write_not_via(o, &v);
    }
    hd_kira_object_end(o, mark);
}

/* Entries with paths of distinct nodes that end in the entry's. */
static void write_entries(struct world *w, struct hd_writer *o, uint8_t object)
{
    size_t mark = hd_kira_object_begin(o, object);
    for (uint32_t n = pick(w, 6); n > 0; n--) {
        uint32_t first = pick(w, WORLD), step = 1 + 2 * pick(w, 3), len = 1 + pick(w, 6);
        struct hd_id last = world_id((first + (len - 1) * step) % WORLD);
        hd_kira_write_entry_begin(o, &last, (uint16_t)len);
        for (uint32_t i = 0; i < len; i++) {
            struct hd_id id = world_id((first + i * step) % WORLD);
            hd_kira_write_id(o, &id);
        }
        uint32_t ssn = 1 + pick(w, 16), age_ms = pick(w, 3) * 1000u;
        hd_kira_write_entry_end(o, ssn, age_ms, (uint16_t)pick(w, 9));
        if (object == HD_KIRA_OBJ_UPDATE_INFO)
            hd_write_u8(o, (uint8_t)pick(w, 4));
    }
    hd_kira_object_end(o, mark);
}

/* The route: from the source over some nodes and the sending neighbour to us, and on. */
static void write_route(struct world *w, struct hd_writer *o, uint32_t source, uint32_t sender,
                        uint32_t dest)
{
    size_t mark = hd_kira_object_begin(o, HD_KIRA_OBJ_ROUTE);
    uint32_t before = source == sender ? 0 : 1 + pick(w, 3), after = pick(w, 4);
    uint32_t own_at = source == sender ? 1 : before + 1;
    hd_write_u16(o, (uint16_t)own_at);
    struct hd_id id = world_id(source);
    hd_kira_write_id(o, &id);
    for (uint32_t i = 1; i < own_at; i++) {
        id = world_id(i + 1 == own_at ? sender : 7 + pick(w, WORLD - 7));
        hd_kira_write_id(o, &id);
    }
    id = world_id(0);
    hd_kira_write_id(o, &id);
    for (uint32_t i = 0; i < after; i++) {
        id = world_id(i + 1 == after && dest != 0 ? dest : 1 + pick(w, WORLD - 1));
        hd_kira_write_id(o, &id);
    }
    hd_kira_object_end(o, mark);
}

static bool has_route(uint8_t type)
{
    return type != HD_KIRA_HELLO && type != HD_KIRA_DISC_REQ && type != HD_KIRA_DISC_RSP;
}

static void write_body(struct world *w, struct hd_writer *o, uint8_t type)
{
    struct hd_id a = world_id(pick(w, WORLD)), b = world_id(pick(w, WORLD));
    if (type == HD_KIRA_DISC_REQ || type == HD_KIRA_DISC_RSP)
        write_contacts(w, o);
    if (type == HD_KIRA_FIND_REQ)
        hd_kira_write_rtable_req(o, HD_KIRA_RT_OVERLAY, (uint8_t)(1 + pick(w, 30)));
    if (type == HD_KIRA_QUERY_REQ)
        hd_kira_write_rtable_req(o, HD_KIRA_RT_VICINITY, (uint8_t)pick(w, 9));
    if (type == HD_KIRA_FIND_RSP || type == HD_KIRA_QUERY_RSP)
        write_entries(w, o, HD_KIRA_OBJ_RTABLE);
    if (type == HD_KIRA_UPDATE)
        write_entries(w, o, HD_KIRA_OBJ_UPDATE_INFO);
    if (type == HD_KIRA_ERROR)
        hd_kira_write_error(o, pick(w, 2) ? HD_KIRA_DEAD_END : HD_KIRA_SEGMENT_FAILURE, &a, &a, &b);
    if (type >= HD_KIRA_STORE_REQ) {
        size_t mark =
            hd_kira_object_begin(o, (uint8_t)(HD_KIRA_OBJ_STORE_REQ + type - HD_KIRA_STORE_REQ));
        for (uint32_t n = pick(w, 24); n > 0; n--)
            hd_write_u8(o, byte(w));
        hd_kira_object_end(o, mark);
    }
    if (pick(w, 4) == 0)
        write_not_via(w, o);
    if (pick(w, 2) == 0)
        hd_kira_write_capabilities(o, byte(w));
}

static void mutate(struct world *w, uint8_t *bytes, uint32_t *len)
{
    for (uint32_t n = 1 + pick(w, 4); n > 0 && *len > 0; n--) {
        uint32_t high = byte(w);
        uint32_t at = (high << 8 | byte(w)) % *len;
        bytes[at] = byte(w);
    }
    if (pick(w, 4) == 0)
        *len -= pick(w, 32) % (*len + 1);
}

static void datagram(struct world *w)
{
    static const uint8_t types[] = {HD_KIRA_HELLO,     HD_KIRA_DISC_REQ,     HD_KIRA_DISC_RSP,
                                    HD_KIRA_FIND_REQ,  HD_KIRA_FIND_RSP,     HD_KIRA_QUERY_REQ,
                                    HD_KIRA_QUERY_RSP, HD_KIRA_UPDATE,       HD_KIRA_PROBE_REQ,
                                    HD_KIRA_PROBE_RSP, HD_KIRA_ERROR,        HD_KIRA_SETUP_REQ,
                                    HD_KIRA_SETUP_RSP, HD_KIRA_TEARDOWN_REQ, HD_KIRA_STORE_REQ,
                                    HD_KIRA_STORE_RSP, HD_KIRA_FETCH_REQ,    HD_KIRA_FETCH_RSP};
    static uint8_t bytes[4096];
    struct hd_writer o = hd_writer_make(bytes, sizeof bytes);
    uint32_t sender = 1 + pick(w, NEIGHBOURS);
    uint8_t type = types[pick(w, HD_ARRAY_LEN(types))];
    uint32_t source = has_route(type) ? (pick(w, 2) ? sender : 1 + pick(w, WORLD - 1)) : sender;
    uint32_t dest = pick(w, WORLD);
    struct hd_kira_header h = {.type = type, .source = world_id(source)};
    h.flags = HD_KIRA_EXACT;
    if (pick(w, 2) == 0)
        h.flags = byte(w);
    h.dest = world_id(pick(w, 3) == 0 ? dest : 0);
    h.msg_id = byte(w);
    h.ssn = 1 + pick(w, 16);
    h.degree = (uint16_t)pick(w, 9);
    if (w->asked_count > 0 && pick(w, 3) != 0) { /* an answer to something that was asked */
        const struct asked *a = &w->asked[pick(w, HD_MIN(w->asked_count, ASKED_MAX))];
        h.msg_id = a->msg_id;
        if (a->type < HD_KIRA_ERROR && (a->type & 1) && pick(w, 4) != 0 && a->type != HD_KIRA_HELLO)
            h.type = type = (uint8_t)(a->type + 1);
    }
    if (type == HD_KIRA_HELLO)
        memset(h.dest.b, 0xff, HD_ID_BYTES);
    hd_kira_write_begin(&o, &h);
    if (has_route(type))
        write_route(w, &o, source, sender, dest);
    write_body(w, &o, type);
    if (hd_kira_write_end(&o) != 0)
        return;
    uint32_t len = (uint32_t)hd_writer_len(&o);
    if (pick(w, 5) == 0)
        mutate(w, bytes, &len);
    deliver(w, sender, bytes, len, type == HD_KIRA_HELLO);
}

static void noise(struct world *w)
{
    uint8_t bytes[255];
    uint32_t len = byte(w);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = byte(w);
    uint32_t sender = 1 + pick(w, NEIGHBOURS);
    deliver(w, sender, bytes, len, pick(w, 2) == 0);
}

static void echo(struct world *w)
{
    uint8_t bytes[HD_KIRA_ECHO_LEN];
    uint32_t len = sizeof bytes;
    memcpy(bytes, w->echo, sizeof bytes);
    bytes[0] = HD_KIRA_ECHO_MAGIC;
    bytes[1] = pick(w, 2) ? HD_KIRA_ECHO_REPLY : HD_KIRA_ECHO_REQUEST;
    if (pick(w, 4) == 0)
        mutate(w, bytes, &len);
    deliver(w, 1 + pick(w, NEIGHBOURS), bytes, len, false);
}

/* --- the rest of the inputs ----------------------------------------------------------------------
 */

static void interface(struct world *w, uint32_t ifindex, uint8_t how)
{
    struct hd_input in = {.type = HD_IN_INTERFACE};
    struct hd_in_interface *i = &in.u.interface;
    i->ifindex = ifindex;
    snprintf(i->name, sizeof i->name, "if%u", ifindex);
    i->gone = how % 7 == 6;
    i->up = how % 4 != 3;
    i->usable = how % 5 != 4;
    i->mtu = how % 9 == 8 ? 1400 : 1500;
    i->mac = mac_of(100 + ifindex);
    i->link_local = link_local(100 + ifindex);
    input(w, &in);
}

static void any_interface(struct world *w)
{
    uint32_t ifindex = 1 + pick(w, 4);
    interface(w, ifindex, byte(w));
}

static void serve_deadlines(struct world *w, hd_time until)
{
    for (unsigned i = 0; w->answer.deadline <= until; i++) {
        FUZZ_CHECK(i < CALLS_MAX);
        w->now = HD_MAX(w->now, w->answer.deadline);
        w->answer = hd_router_due(w->router, w->now, &w->fx);
        settle(w);
    }
    w->now = until;
}

static void pass_time(struct world *w)
{
    static const uint32_t steps_ms[] = {1, 5, 20, 100, 300, 1000, 5000, 60000};
    hd_time step_ns = HD_MS(steps_ms[pick(w, 8)]);
    step_ns += HD_US(pick(w, 200));
    serve_deadlines(w, w->now + step_ns);
}

static void report(struct world *w)
{
    struct hd_input in = {.type = HD_IN_REPORT};
    struct hd_in_report *r = &in.u.report;
    struct hd_id id = world_id(pick(w, WORLD)), source = world_id(pick(w, WORLD));
    struct hd_model *m = hd_router_model(w->router);
    r->kind = (enum hd_report_kind)(1 + pick(w, 6));
    r->adj = pick(w, 8);
    r->value = 1200 + pick(w, 255) * 2;
    r->packets = byte(w);
    r->to = hd_id_to_ip6(&id, pick(w, 8) ? 0xfc00 : 0xfd00);
    r->source = hd_id_to_ip6(&source, 0xfc00);
    uint32_t label = hd_model_next(m, HD_OBJ_LABEL, pick(w, 16));
    if (label != 0)
        r->label = hd_model_label_at(m, label)->key;
    input(w, &in);
}

static void command(struct world *w)
{
    struct hd_input in = {.type = HD_IN_COMMAND};
    struct hd_kira_command c = {.id = world_id(pick(w, WORLD))};
    struct hd_in_command *q = &in.u.command;
    c.nibbles = (uint8_t)pick(w, 30);
    c.count = pick(w, 5);
    c.interval_ns = HD_MS(pick(w, 200));
    c.timeout_ns = HD_MS(pick(w, 255) * 8);
    q->id = 1 + pick(w, 40);
    q->verb = (uint16_t)pick(w, 4);
    q->cancel = pick(w, 5) == 0;
    q->len = sizeof c;
    q->args = &c;
    input(w, &in);
}

/* The data plane takes its time, refuses some, and loses some that it had. */
static void realise(struct world *w, bool all)
{
    struct hd_model *m = hd_router_model(w->router);
    for (uint32_t i = 0; i < w->pulled_count; i++) {
        int error = !all && pick(w, 16) == 0 ? HD_ELIMIT : 0;
        hd_model_done(m, &w->pulled[i], error);
        if (error != 0) {
            struct hd_input in = {.type = HD_IN_MODEL};
            in.u.model = (struct hd_in_model){w->pulled[i].kind, w->pulled[i].index, error};
            input(w, &in);
        }
    }
    if (w->pulled_count > 0)
        hd_model_realised(m, w->pulled_generation);
    w->pulled_count = 0;
    w->pulled_generation = m->generation;
    while (w->pulled_count < PULLED_MAX && hd_model_pull(m, &w->pulled[w->pulled_count]))
        w->pulled_count++;
    if (!all && pick(w, 6) == 0) {
        enum hd_object_kind kind = (enum hd_object_kind)(1 + pick(w, 3));
        uint32_t index = hd_model_next(m, kind, pick(w, 8));
        struct hd_input in = {.type = HD_IN_MODEL};
        if (index != 0 && w->pulled_count == 0) {
            hd_model_lost(m, kind, index);
            in.u.model = (struct hd_in_model){kind, index, HD_ENOENT};
            input(w, &in);
        }
    }
}

static void fail_allocations(struct world *w)
{
    hd_router_pool(w->router)->fail_after = pick(w, 24);
    w->failing_for = 1 + pick(w, 12);
}

static void routed(struct world *w)
{
    uint8_t bytes[64];
    struct hd_input in = {.type = HD_IN_DATAGRAM};
    struct hd_id id = world_id(pick(w, WORLD)), own = world_id(0);
    uint32_t len = pick(w, sizeof bytes);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = byte(w);
    in.u.datagram = (struct hd_in_datagram){.bytes = bytes,
                                            .len = len,
                                            .port = 1,
                                            .hop_limit = 60,
                                            .routed = true,
                                            .from = hd_id_to_ip6(&id, 0xfc00),
                                            .to = hd_id_to_ip6(&own, 0xfc00)};
    input(w, &in);
}

static void read_rows(struct world *w)
{
    static union {
        struct hd_kira_row_contact contact[4];
        struct hd_kira_row_neighbour neighbour[4];
        struct hd_kira_row_counter counter[16];
    } rows;
    struct hd_row_cursor cursor = {0};
    uint16_t list = (uint16_t)(1 + pick(w, HD_KIRA_LIST_COUNTERS));
    for (unsigned i = 0; !cursor.end; i++) {
        FUZZ_CHECK(i < CALLS_MAX);
        FUZZ_CHECK(hd_router_rows(w->router, HD_CORE_KIRA, list, &cursor, &rows, 4, w->now) <= 4);
    }
}

static void step(struct world *w)
{
    uint8_t op = byte(w) % 32;
    if (op < 14)
        datagram(w);
    else if (op < 15)
        noise(w);
    else if (op < 17)
        echo(w);
    else if (op < 18)
        any_interface(w);
    else if (op < 23)
        pass_time(w);
    else if (op < 25)
        report(w);
    else if (op < 26)
        command(w);
    else if (op < 28)
        realise(w, false);
    else if (op < 29)
        fail_allocations(w);
    else if (op < 30)
        routed(w);
    else if (op < 31)
        read_rows(w);
    else
        pass_time(w);
}

static void check(struct world *w)
{
    struct hd_pool *p = hd_router_pool(w->router);
    check_model(hd_router_model(w->router));
    check_pool(p);
    if (w->failing_for > 0 && --w->failing_for == 0)
        p->fail_after = UINT64_MAX;
}

static bool begin(struct world *w)
{
    struct hd_router_start start = {.seed = 1, .ids_limit = 64};
    struct hd_kira_config config;
    struct hd_router_core core = {.core = HD_CORE_KIRA};
    if (region == NULL) {
        region = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        fx_room = malloc(HD_FX_ROOM_BYTES);
        FUZZ_CHECK(region != MAP_FAILED && fx_room != NULL);
    }
    hd_fx_init(&w->fx, fx_room, HD_FX_ROOM_BYTES);
    w->router = hd_router_create(region, REGION, &start);
    FUZZ_CHECK(w->router != NULL);
    hd_kira_config_default(&config);
    config.id = world_id(0);
    core.start.config = &config;
    core.start.config_len = sizeof config;
    uint8_t fail = byte(w);
    if (fail < 32)
        hd_router_pool(w->router)->fail_after = fail;
    int error = hd_router_start_core(w->router, &core, 0, &w->fx);
    hd_router_pool(w->router)->fail_after = UINT64_MAX;
    hd_fx_clear(&w->fx);
    w->answer.deadline = HD_NEVER;
    return error == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct world w = {.at = bytes, .end = bytes + len};
    if (begin(&w)) {
        for (uint32_t i = 1; i <= 3; i++)
            interface(&w, i, 0);
        for (unsigned i = 0; i < STEPS_MAX && w.at < w.end; i++) {
            step(&w);
            check(&w);
        }
        /* alone again, with memory and time: everything that was under way ends */
        hd_router_pool(w.router)->fail_after = UINT64_MAX;
        for (uint32_t i = 1; i <= 4; i++)
            interface(&w, i, 3);
        serve_deadlines(&w, w.now + HD_SEC(400));
        realise(&w, true);
        check(&w);
        hd_router_stop(w.router, w.now, &w.fx);
        FUZZ_CHECK(w.fx.lost == 0);
        check_pool(hd_router_pool(w.router));
    }
    memset(region, 0, hd_router_pool(w.router)->used);
    return 0;
}

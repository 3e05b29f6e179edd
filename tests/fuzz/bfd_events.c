/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of inputs into one router with the BFD core: packets of peers right and wrong (so
 * the decoder, too), interfaces, time, configurations, rows, allocations that fail. Nothing may be
 * lost, no table may grow past its limit, and the end must leave nothing behind.
 */
#include <sys/mman.h>

#include "core/bfd/bfd.h"
#include "fuzz/bytes.h"
#include "lib/base.h"
#include "model/liveness.h"
#include "router/router.h"

#define REGION    ((size_t)4 << 20)
#define STEPS_MAX 300
#define CALLS_MAX 20000

struct world {
    struct bytes b;
    struct hd_router *router;
    struct hd_effects fx;
    struct hd_answer answer;
    hd_time now;
    uint32_t discr; /* ours, of the last packet that was written into the model */
    uint32_t calls;
};

static void *region;
static uint8_t *fx_room;

static void settle(struct world *w)
{
    struct hd_model *m = hd_router_model(w->router);
    struct hd_periodic_change c;

    for (;;) {
        FUZZ_CHECK(w->fx.lost == 0);
        while (hd_model_periodic_pull(m, &c)) {
            if (c.del)
                continue;
            const uint8_t *p = hd_model_periodic(m, c.index)->v.bytes;
            w->discr = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
        }
        hd_fx_clear(&w->fx);
        if (w->answer.pending == HD_PENDING_NONE || ++w->calls > CALLS_MAX)
            return;
        w->answer = hd_router_work(w->router, 16, w->now, &w->fx);
    }
}

static void input(struct world *w, struct hd_input *in)
{
    in->core = HD_CORE_BFD;
    in->arrived = w->now;
    w->answer = hd_router_input(w->router, in, w->now, &w->fx);
    settle(w);
}

static struct hd_ip6 peer(uint32_t n)
{
    return (struct hd_ip6){.b = {[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)n}};
}

static void put_word(uint8_t *at, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* A well-formed packet whose fields are drawn; now and then bytes of it are anything. */
static void datagram(struct world *w)
{
    uint8_t bytes[56] = {0x20, 0x40, 3, 24};
    struct hd_input in = {.type = HD_IN_DATAGRAM};
    uint32_t how = byte(&w->b);

    bytes[1] = (uint8_t)byte(&w->b);
    put_word(bytes + 4, 1 + pick(&w->b, 3));
    put_word(bytes + 8, how % 2 != 0 ? w->discr : 0);
    put_word(bytes + 12, 1000 * (1 + pick(&w->b, 200)));
    put_word(bytes + 16, how % 16 == 3 ? 0 : 10000);
    if ((bytes[1] & 4) != 0) {
        bytes[3] = 52;
        bytes[24] = (uint8_t)(1 + how % 6);
        bytes[25] = 28;
        bytes[31] = (uint8_t)how;
    }
    if (how % 8 == 0)
        (void)take(&w->b, bytes, sizeof bytes);
    uint32_t port = 1 + pick(&w->b, 3), ifindex = 1 + pick(&w->b, 2), from = 1 + pick(&w->b, 80);
    uint32_t cut = pick(&w->b, 56);
    in.u.datagram = (struct hd_in_datagram){.bytes = bytes,
                                            .len = how % 32 == 5 ? cut : bytes[3],
                                            .port = (uint16_t)port,
                                            .hop_limit = how % 32 == 6 ? 254 : 255,
                                            .ifindex = ifindex,
                                            .key = how % 4,
                                            .from = peer(from),
                                            .to = peer(200)};
    if (in.u.datagram.len > sizeof bytes)
        in.u.datagram.len = sizeof bytes;
    input(w, &in);
}

static void interface(struct world *w)
{
    struct hd_input in = {.type = HD_IN_INTERFACE};
    uint32_t how = byte(&w->b);

    in.u.interface = (struct hd_in_interface){
        .ifindex = 1 + how % 2, .up = how % 8 != 3, .usable = true, .gone = how % 8 == 5};
    memcpy(in.u.interface.name, how % 16 < 8 ? "eth0" : "eth1", 5);
    input(w, &in);
}

static void configure(struct world *w)
{
    struct {
        struct hd_bfd_config head;
        struct hd_bfd_session_config s[3];
        struct hd_bfd_listen_config l;
    } c;
    uint32_t how = byte(&w->b);

    memset(&c, 0, sizeof c);
    hd_bfd_config_default(&c.head);
    c.head.session_count = 3;
    c.head.listen_count = 1;
    for (unsigned i = 0; i < 3; i++) {
        struct hd_bfd_session_config *s = &c.s[i];
        hd_bfd_session_config_default(s);
        s->kind = (uint8_t)(1 + i);
        s->tx_us = s->rx_us = 5000u * (1u + byte(&w->b));
        s->multiplier = (uint8_t)(1 + how % 4);
        s->local = peer(200);
        s->remote = i == 2 ? (struct hd_ip6){.b = {[10] = 0xff, 0xff, 224, 0, 0, 18}} : peer(1);
        if (i != 1)
            memcpy(s->interface, "eth0", 5);
        s->demand = i == 0 && how % 8 == 1;
        s->admin_down = how % 16 == 2;
        s->echo_tx_us = i == 0 && how % 4 == 3 ? 10000 : 0;
        if (i == 0 && how % 8 == 4)
            s->auth = (struct hd_auth){.type = (uint8_t)(1 + how / 8 % 5), .key = 1 + how % 3};
    }
    memcpy(c.l.interface, "eth1", 5);
    c.l.tx_us = c.l.rx_us = 20000;
    c.l.multiplier = 3;
    c.l.unsolicited = c.l.tails = 1;
    uint8_t *bytes = (uint8_t *)&c;
    uint32_t len = sizeof c;
    if (how % 16 == 15 && take(&w->b, &len, 1) == 1)
        bytes[len % sizeof c] ^= (uint8_t)how;
    (void)!hd_router_configure(w->router, HD_CORE_BFD, bytes, sizeof c, w->now, &w->fx);
    w->answer = hd_router_work(w->router, 16, w->now, &w->fx);
    settle(w);
}

static void pass_time(struct world *w)
{
    hd_time length = byte(&w->b), factor = pick(&w->b, 16) == 0 ? 100 : 1;

    w->now += HD_US(100) * (1 + length * factor);
    while (w->answer.deadline <= w->now && ++w->calls < CALLS_MAX) {
        w->answer = hd_router_due(w->router, w->now, &w->fx);
        settle(w);
    }
}

static void look(struct world *w)
{
    struct hd_row_cursor cursor = {0};
    struct hd_bfd_row_session rows[4];
    uint32_t sessions = 0;

    while (!cursor.end)
        sessions +=
            hd_router_rows(w->router, HD_CORE_BFD, HD_BFD_LIST_SESSIONS, &cursor, rows, 4, w->now);
    FUZZ_CHECK(sessions <= 3 + 2 * (64 + HD_BFD_TAILS_MAX) + 8);
}

static void step(struct world *w)
{
    switch (byte(&w->b) % 8) {
    case 0:
        interface(w);
        break;
    case 1:
        configure(w);
        break;
    case 2:
        look(w);
        break;
    case 3:
        hd_router_pool(w->router)->fail_after = byte(&w->b) % 8 != 0 ? UINT64_MAX : byte(&w->b);
        break;
    case 4:
        pass_time(w);
        break;
    default:
        datagram(w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_router_start start = {.seed = size};
    struct hd_router_core core = {.core = HD_CORE_BFD};
    struct world w = {.b = {data, data + size}, .now = HD_SEC(1)};

    if (region == NULL) {
        region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        fx_room = aligned_alloc(64, HD_FX_ROOM_BYTES);
    }
    madvise(region, REGION, MADV_DONTNEED);
    hd_fx_init(&w.fx, fx_room, HD_FX_ROOM_BYTES);
    w.router = hd_router_create(region, REGION, &start);
    FUZZ_CHECK(w.router != NULL && hd_router_start_core(w.router, &core, w.now, &w.fx) == 0);
    w.answer.deadline = HD_NEVER;
    for (unsigned i = 0; i < STEPS_MAX && w.b.at < w.b.end; i++)
        step(&w);
    hd_router_pool(w.router)->fail_after = UINT64_MAX;
    hd_router_stop(w.router, w.now, &w.fx);
    const struct hd_model *m = hd_router_model(w.router);
    FUZZ_CHECK(hd_model_periodic_next(m, 0) == 0 && (m->live == NULL || m->live->watch_count == 0));
    return 0;
}

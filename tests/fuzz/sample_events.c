/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of inputs into one router with the sample core: hellos right and wrong, interfaces,
 * time, commands, configurations, rows, allocations that fail. After each step the model is
 * consistent and the pool balanced; at the end, alone for longer than the hold time, it has no
 * neighbour left.
 */
#include <sys/mman.h>

#include "core/sample/sample.h"
#include "fuzz/bytes.h"
#include "lib/base.h"
#include "support/router_check.h"

#define REGION    ((size_t)1 << 20)
#define STEPS_MAX 400
#define CALLS_MAX 40000
#define HOLD_MAX  HD_MS(255 * 160)

struct world {
    struct bytes b;
    struct hd_router *router;
    struct hd_effects fx;
    struct hd_answer answer;
    hd_time now;
    struct hd_sample_config config;
    int64_t known; /* neighbours by the events: up less down */
};

static void *region;
static uint8_t *fx_room;

static void settle(struct world *w)
{
    FUZZ_CHECK(w->fx.lost == 0 && w->answer.pending == HD_PENDING_NONE);
    for (struct hd_effect *e = hd_fx_first(&w->fx); e != NULL; e = hd_fx_next(&w->fx, e)) {
        const struct hd_sample_row_event *row = hd_fx_payload(e);
        if (e->type == HD_FX_EVENT)
            w->known += row->up ? 1 : -1;
        if (e->type == HD_FX_SEND)
            FUZZ_CHECK(e->u.send.len == 8);
    }
    FUZZ_CHECK(w->known >= 0 && w->known <= HD_SAMPLE_NEIGHBOURS_MAX);
    hd_fx_clear(&w->fx);
    check_model(hd_router_model(w->router));
    check_pool(hd_router_pool(w->router));
}

static void input(struct world *w, struct hd_input *in)
{
    in->core = HD_CORE_SAMPLE;
    in->arrived = w->now;
    w->answer = hd_router_input(w->router, in, w->now, &w->fx);
    settle(w);
}

static void datagram(struct world *w)
{
    uint8_t bytes[12] = {1, 1};
    struct hd_input in = {.type = HD_IN_DATAGRAM};
    uint32_t how = byte(&w->b), from = pick(&w->b, 100);

    if (how % 8 == 0)
        (void)take(&w->b, bytes, sizeof bytes);
    else
        bytes[7] = (uint8_t)from;
    bytes[1] = how % 8 == 1 ? 2 : bytes[1];
    in.u.datagram = (struct hd_in_datagram){.bytes = bytes,
                                            .len = how % 16 == 2 ? pick(&w->b, 12) : 8,
                                            .port = 1,
                                            .hop_limit = 255,
                                            .ifindex = 1 + how / 8 % 3,
                                            .multicast = true,
                                            .routed = how == 255,
                                            .from = {{0xfe, 0x80, [15] = (uint8_t)from}}};
    input(w, &in);
}

static void interface(struct world *w, uint32_t ifindex, uint32_t how)
{
    struct hd_input in = {.type = HD_IN_INTERFACE};

    in.u.interface = (struct hd_in_interface){.ifindex = ifindex,
                                              .mtu = 1500,
                                              .up = how % 4 != 1,
                                              .usable = how % 4 != 2,
                                              .gone = how % 4 == 3};
    input(w, &in);
}

static void pass_time(struct world *w, hd_time step_ns)
{
    hd_time until = w->now + step_ns;

    for (unsigned i = 0; w->answer.deadline <= until; i++) {
        FUZZ_CHECK(i < CALLS_MAX);
        w->now = HD_MAX(w->now, w->answer.deadline);
        w->answer = hd_router_due(w->router, w->now, &w->fx);
        settle(w);
    }
    w->now = until;
}

static void command(struct world *w)
{
    struct hd_input in = {.type = HD_IN_COMMAND};
    struct hd_sample_forget args = {.node = pick(&w->b, 100)};
    uint32_t how = byte(&w->b);

    in.u.command = (struct hd_in_command){.id = 7,
                                          .verb = (uint16_t)(how % 8 == 0 ? 9 : HD_SAMPLE_FORGET),
                                          .len = how % 8 == 1 ? 1 : sizeof args,
                                          .args = &args,
                                          .cancel = how % 8 == 2};
    input(w, &in);
}

static void configure(struct world *w)
{
    struct hd_sample_config c = w->config;
    uint32_t hello = byte(&w->b), hold = byte(&w->b);

    c.hello_interval_ns = HD_MS((int64_t)hello * 40);
    c.hold_ns = HD_MS((int64_t)hold * 160);
    int error = hd_router_configure(w->router, HD_CORE_SAMPLE, &c, sizeof c, w->now, &w->fx);

    FUZZ_CHECK((error == 0) == (c.hello_interval_ns > 0 && c.hold_ns >= c.hello_interval_ns));
    if (error == 0)
        w->config = c;
    settle(w);
}

/* Sorted, without doubles, and as many as the events told. */
static void read_rows(struct world *w)
{
    struct hd_sample_row_neighbour rows[3];
    struct hd_row_cursor cursor = {0};
    uint32_t last = 0, most = 1 + pick(&w->b, 3);
    int64_t count = 0;

    while (!cursor.end) {
        uint32_t n = hd_router_rows(w->router, HD_CORE_SAMPLE, HD_SAMPLE_LIST_NEIGHBOURS, &cursor,
                                    rows, most, w->now);
        FUZZ_CHECK(n <= most && (n > 0 || cursor.end));
        for (uint32_t i = 0; i < n; i++, count++) {
            FUZZ_CHECK(rows[i].node > last && rows[i].up_ns >= 0);
            last = rows[i].node;
        }
    }
    FUZZ_CHECK(count == w->known);
}

static void step(struct world *w)
{
    struct hd_pool *pool = hd_router_pool(w->router);
    uint8_t op = byte(&w->b) % 16;

    if (op < 8)
        datagram(w);
    else if (op < 10) {
        uint32_t ifindex = 1 + pick(&w->b, 24), how = byte(&w->b);
        interface(w, ifindex, how);
    } else if (op < 12)
        pass_time(w, HD_MS((int64_t)byte(&w->b) * 40));
    else if (op < 13)
        command(w);
    else if (op < 14)
        configure(w);
    else if (op < 15)
        read_rows(w);
    else
        pool->fail_after = byte(&w->b) < 128 ? UINT64_MAX : pick(&w->b, 4);
}

static bool begin(struct world *w)
{
    struct hd_router_start start = {.seed = 1, .ids_limit = 64};
    struct hd_router_core core = {.core = HD_CORE_SAMPLE};

    if (region == NULL) {
        region = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        fx_room = malloc(HD_FX_ROOM_BYTES);
        FUZZ_CHECK(region != MAP_FAILED && fx_room != NULL);
    }
    hd_fx_init(&w->fx, fx_room, HD_FX_ROOM_BYTES);
    w->router = hd_router_create(region, REGION, &start);
    FUZZ_CHECK(w->router != NULL);
    hd_sample_config_default(&w->config);
    w->config.node = 200;
    core.start.config = &w->config;
    core.start.config_len = sizeof w->config;
    uint8_t fail = byte(&w->b);
    if (fail < 16)
        hd_router_pool(w->router)->fail_after = fail;
    int error = hd_router_start_core(w->router, &core, 0, &w->fx);

    hd_router_pool(w->router)->fail_after = UINT64_MAX;
    hd_fx_clear(&w->fx);
    w->answer = (struct hd_answer){.deadline = HD_NEVER};
    return error == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct world w = {.b = {bytes, bytes + len}};

    if (begin(&w)) {
        for (uint32_t i = 1; i <= 3; i++)
            interface(&w, i, 0);
        for (unsigned i = 0; i < STEPS_MAX && w.b.at < w.b.end; i++)
            step(&w);
        hd_router_pool(w.router)->fail_after = UINT64_MAX;
        pass_time(&w, HOLD_MAX + HD_SEC(1)); /* timers may run from before a configuration */
        FUZZ_CHECK(w.known == 0);
        hd_router_stop(w.router, w.now, &w.fx);
        FUZZ_CHECK(w.fx.lost == 0);
        check_pool(hd_router_pool(w.router));
    }
    memset(region, 0, hd_router_pool(w.router)->used);
    return 0;
}

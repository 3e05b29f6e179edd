/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of inputs into one router with the VRRP core: frames right, wrong and of random
 * bytes, interfaces, addresses, time, commands, configurations, words of BFD, kernels that are slow
 * or refuse, allocations that fail. After each step effects have found room, the pool is balanced,
 * and nobody is Active without an interface.
 */
#include <sys/mman.h>

#include "core/vrrp/vrrp.h"
#include "core/vrrp/wire.h"
#include "fuzz/bytes.h"
#include "lib/base.h"
#include "model/bfd_client.h"
#include "model/virtual.h"
#include "support/router_check.h"

#define REGION    ((size_t)4 << 20)
#define STEPS_MAX 300
#define ROUTERS   4

struct world {
    struct bytes b;
    struct hd_router *router;
    struct hd_effects fx;
    struct hd_answer answer;
    hd_time now;
    uint16_t ports[16]; /* open: port, then interface */
    uint32_t port_interface[16];
};

static struct {
    struct hd_vrrp_config head;
    struct hd_vrrp_instance_config routers[ROUTERS];
    struct hd_vrrp_track_config tracks[2];
} config;

static void note_effect(struct world *w, struct hd_effect *e)
{
    for (unsigned i = 0; e->type == HD_FX_OPEN_PORT && i < 16; i++) {
        if (w->ports[i] == 0) {
            w->ports[i] = e->u.port.port;
            w->port_interface[i] = e->u.port.ifindex;
            return;
        }
    }
    for (unsigned i = 0; e->type == HD_FX_CLOSE_PORT && i < 16; i++)
        if (w->ports[i] == e->u.port.port)
            w->ports[i] = 0;
    if (e->type == HD_FX_SEND)
        FUZZ_CHECK(e->u.send.len >= 42 && e->u.send.len <= VRRP_FRAME_MAX);
}

static void read_effects(struct world *w)
{
    FUZZ_CHECK(w->fx.lost == 0);
    for (struct hd_effect *e = hd_fx_first(&w->fx); e != NULL; e = hd_fx_next(&w->fx, e))
        note_effect(w, e);
    hd_fx_clear(&w->fx);
}

static void check_rows(struct world *w)
{
    struct hd_vrrp_row_router r;
    struct hd_row_cursor cursor = {0};

    while (!cursor.end)
        if (hd_router_rows(w->router, HD_CORE_VRRP, HD_VRRP_LIST_ROUTERS, &cursor, &r, 1, w->now) !=
            0)
            FUZZ_CHECK(r.state == HD_VRRP_INITIALIZE || r.ifindex != 0);
}

static void settle(struct world *w)
{
    read_effects(w);
    for (unsigned i = 0; w->answer.pending != HD_PENDING_NONE; i++) {
        FUZZ_CHECK(i < 1000);
        w->answer = hd_router_work(w->router, 64, w->now, &w->fx);
        read_effects(w);
    }
    check_model(hd_router_model(w->router));
    check_pool(hd_router_pool(w->router));
    check_rows(w);
}

static void give(struct world *w, struct hd_input *in)
{
    in->core = HD_CORE_VRRP;
    in->arrived = w->now;
    w->answer = hd_router_input(w->router, in, w->now, &w->fx);
    settle(w);
}

static struct hd_ip6 some_address(struct world *w, uint8_t family)
{
    uint8_t low = byte(&w->b);

    if (family == 4)
        return vrrp_ip4((const uint8_t[4]){10, 0, 0, low});
    return (struct hd_ip6){.b = {0xfe, 0x80, [15] = low}};
}

static void interface(struct world *w)
{
    struct hd_input in = {.type = HD_IN_INTERFACE};
    uint8_t what = byte(&w->b);

    in.u.interface = (struct hd_in_interface){.ifindex = 1 + what % 3,
                                              .name = {'e', (char)('0' + (what >> 2) % 3)},
                                              .gone = what % 16 == 15,
                                              .up = (what & 0x40) == 0,
                                              .mtu = 1500,
                                              .mac = {{2, 0, 0, 0, 0, what}},
                                              .link_local = some_address(w, 6)};
    give(w, &in);
}

static void address(struct world *w)
{
    struct hd_input in = {.type = HD_IN_ADDRESS};
    uint8_t what = byte(&w->b), len = byte(&w->b);

    in.u.address = (struct hd_in_address){.ifindex = 1 + what % 3,
                                          .address = some_address(w, what & 4 ? 4 : 6),
                                          .len = len,
                                          .secondary = (what & 8) != 0,
                                          .gone = (what & 16) != 0};
    give(w, &in);
}

static void flip(struct world *w, uint8_t *bytes, uint32_t len)
{
    uint8_t at = byte(&w->b), to = byte(&w->b);

    bytes[at % len] = to;
}

/* An advertisement of which some bytes may be others, or bytes that are none. */
static void frame(struct world *w)
{
    uint8_t bytes[VRRP_FRAME_MAX], what = byte(&w->b);
    struct hd_ip6 list[16];
    struct vrrp_advert a = {.family = what & 1 ? 4 : 6, .version = 3};
    struct hd_input in = {.type = HD_IN_DATAGRAM};
    unsigned slot = byte(&w->b) % 16;

    a.version = a.family == 4 && (what & 2) != 0 ? 2 : 3;
    a.type = what & 4 ? 2 : 1;
    a.pseudo = (what & 8) != 0;
    a.vrid = byte(&w->b) % 4;
    a.priority = byte(&w->b);
    a.count = byte(&w->b) % 17;
    a.interval_cs = (uint16_t)(byte(&w->b) * 10);
    a.from = some_address(w, a.family);
    for (unsigned i = 0; i < a.count; i++)
        list[i] = some_address(w, a.family);
    a.addresses = list;
    uint32_t len = vrrp_write_advert(bytes, &a);
    for (unsigned i = what >> 5; i > 0; i--)
        flip(w, bytes, len);
    if ((what & 16) != 0)
        len = byte(&w->b) % (len + 1);
    in.u.datagram = (struct hd_in_datagram){
        .bytes = bytes, .len = len, .port = w->ports[slot], .ifindex = w->port_interface[slot]};
    give(w, &in);
}

static void command(struct world *w)
{
    uint8_t what = byte(&w->b);
    struct hd_vrrp_which which = {.interface = {'e', (char)('0' + what % 4)},
                                  .family = what & 4 ? 4 : 6,
                                  .vrid = (what >> 3) % 4};
    struct hd_input in = {.type = HD_IN_COMMAND};

    in.u.command = (struct hd_in_command){
        .id = 1, .verb = (what >> 5) % 4, .len = sizeof which, .args = &which};
    give(w, &in);
}

static void bfd(struct world *w)
{
    uint8_t handle = byte(&w->b), what = byte(&w->b);
    struct hd_bfd_notice n = {.client = HD_CORE_VRRP,
                              .handle = handle % 16,
                              .state = what % 4,
                              .was_up = (what & 4) != 0};
    struct hd_input in = {.type = HD_IN_EVENT};

    in.u.event =
        (struct hd_in_event){.from = 3, .list = HD_EVENT_BFD_NOTICE, .row = &n, .len = sizeof n};
    give(w, &in);
}

static void kernel(struct world *w)
{
    struct hd_virtual_change c;

    while (hd_model_virtual_pull(hd_router_model(w->router), &c)) {
        int error = byte(&w->b) % 8 == 0 ? HD_ESYS : 0;
        if (c.del || !hd_model_virtual_done(hd_router_model(w->router), c.index, &c.v, error))
            continue;
        struct hd_input in = {.type = HD_IN_VIRTUAL};
        in.u.virt.index = c.index;
        in.u.virt.error = error;
        give(w, &in);
    }
}

static void make_router(struct world *w, struct hd_vrrp_instance_config *c)
{
    uint8_t what = byte(&w->b);

    hd_vrrp_instance_config_default(c);
    c->interface[0] = 'e';
    c->interface[1] = (char)('0' + what % 3);
    c->family = what & 4 ? 4 : 6;
    c->version = what & 8 ? 2 : 3;
    c->vrid = byte(&w->b) % 4;
    c->priority = byte(&w->b);
    c->interval_cs = (uint16_t)(byte(&w->b) * 10);
    c->checksum = byte(&w->b) % 4;
    c->fast = byte(&w->b) % 5;
    c->preempt_hold_s = byte(&w->b) % 4;
    c->interop = (what & 16) != 0;
    c->own_mac = (what & 32) != 0;
    c->preempt = (what & 64) != 0;
    c->group[0] = what & 128 ? 'g' : '\0';
    c->address_count = byte(&w->b) % 18;
    for (unsigned i = 0; i < c->address_count && i < HD_VRRP_ADDRESSES_MAX; i++)
        c->addresses[i] = some_address(w, c->family);
    c->unicast_count = byte(&w->b) % 16 == 0;
    c->unicast[0] = some_address(w, c->family);
}

static void make_track(struct world *w, struct hd_vrrp_track_config *t)
{
    uint8_t what = byte(&w->b), decrement = byte(&w->b);

    memset(t, 0, sizeof *t);
    t->instance = what % ROUTERS;
    t->kind = (what >> 2) % 4;
    t->decrement = decrement;
    memcpy(t->interface, "e1", 2);
    t->address = some_address(w, 4);
}

static void configure(struct world *w)
{
    static _Alignas(8) uint8_t flat[sizeof config];
    uint32_t at = sizeof config.head;

    config.head.instance_count = byte(&w->b) % (ROUTERS + 1);
    config.head.track_count = byte(&w->b) % 3;
    for (unsigned i = 0; i < config.head.instance_count; i++)
        make_router(w, &config.routers[i]);
    for (unsigned i = 0; i < config.head.track_count; i++)
        make_track(w, &config.tracks[i]);
    memcpy(flat, &config.head, at);
    memcpy(flat + at, config.routers, config.head.instance_count * sizeof config.routers[0]);
    at += config.head.instance_count * (uint32_t)sizeof config.routers[0];
    memcpy(flat + at, config.tracks, config.head.track_count * sizeof config.tracks[0]);
    int may =
        hd_router_check(w->router, HD_CORE_VRRP, flat, hd_vrrp_config_bytes(&config.head), w->now);
    int did = hd_router_configure(w->router, HD_CORE_VRRP, flat, hd_vrrp_config_bytes(&config.head),
                                  w->now, &w->fx);
    FUZZ_CHECK(may == did || may == HD_ENOMEM || did == HD_ENOMEM);
    struct hd_input clock = {.type = HD_IN_WALL_CLOCK};
    give(w, &clock);
}

static void pass_time(struct world *w)
{
    uint8_t much = byte(&w->b), times = byte(&w->b);
    hd_time until = w->now + HD_MS(10) * much * (1 + times % 8);

    for (unsigned i = 0; w->answer.deadline <= until && i < 5000; i++) {
        w->now = HD_MAX(w->now, w->answer.deadline);
        w->answer = hd_router_due(w->router, w->now, &w->fx);
        settle(w);
    }
    w->now = until;
}

static void step(struct world *w)
{
    uint8_t what = byte(&w->b);
    struct hd_pool *pool = hd_router_pool(w->router);

    pool->fail_after = what >= 0xf0 ? what - 0xf0u : UINT64_MAX;
    switch (what % 8) {
    case 0:
        interface(w);
        break;
    case 1:
        address(w);
        break;
    case 2:
    case 3:
        frame(w);
        break;
    case 4:
        byte(&w->b) % 2 == 0 ? command(w) : bfd(w);
        break;
    case 5:
        kernel(w);
        break;
    case 6:
        configure(w);
        break;
    default:
        pass_time(w);
        break;
    }
    pool->fail_after = UINT64_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void *region;
    static uint8_t *room;
    struct world w = {.b = {data, data + size}, .now = HD_SEC(1)};
    struct hd_router_start start = {.seed = 1, .now = w.now};
    struct hd_router_core core = {.core = HD_CORE_VRRP};

    if (region == NULL) {
        region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        room = malloc(HD_FX_ROOM_BYTES + 65536);
    }
    memset(region, 0, REGION);
    hd_fx_init(&w.fx, room, HD_FX_ROOM_BYTES + 65536);
    w.router = hd_router_create(region, REGION, &start);
    FUZZ_CHECK(hd_router_start_core(w.router, &core, w.now, &w.fx) == 0);
    struct hd_input clock = {.type = HD_IN_WALL_CLOCK};
    give(&w, &clock);
    for (unsigned i = 0; i < STEPS_MAX && w.b.at < w.b.end; i++)
        step(&w);
    hd_router_stop(w.router, w.now, &w.fx);
    check_pool(hd_router_pool(w.router));
    return 0;
}

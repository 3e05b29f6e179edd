/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One KIRA core whose inner functions a model test calls directly: a router with the core, an
 * effects buffer that is emptied before each use, and random identifiers as handles.
 */
#ifndef HD_TESTS_MODEL_KIRA_WORLD_H
#define HD_TESTS_MODEL_KIRA_WORLD_H

#include "core/kira/state.h"
#include "router/router.h"
#include "support/router_check.h"
#include "support/test.h"

#define WORLD_REGION ((size_t)16 << 20)

struct world {
    void *region;
    struct hd_router *router;
    struct kira *k;
    struct hd_random random; /* of the test; the core has another one */
    struct hd_random core_random;
    struct hd_effects fx;
    void *fx_room;
    struct hd_ctx ctx;
    struct kira_call x;
};

static inline struct hd_id world_random_id(struct world *w)
{
    struct hd_id id;

    do
        hd_random_bytes(&w->random, id.b, HD_ID_BYTES);
    while (hd_id_is_zero(&id) || hd_id_is_ones(&id));
    return id;
}

static inline hd_node world_node(struct world *w, const struct hd_id *id)
{
    hd_node n = hd_ids_intern(w->ctx.ids, id);

    assert_int_not_equal(n, 0);
    return n;
}

static inline void world_start(struct world *w, uint64_t seed, const struct hd_kira_config *given)
{
    struct hd_kira_config config;
    struct hd_router_start start = {.seed = seed};
    struct hd_router_core core = {.core = HD_CORE_KIRA};

    memset(w, 0, sizeof *w);
    hd_random_seed(&w->random, seed, 1);
    hd_random_seed(&w->core_random, seed, 2);
    w->region = test_region(WORLD_REGION);
    w->fx_room = malloc(HD_FX_ROOM_BYTES);
    assert_non_null(w->fx_room);
    hd_fx_init(&w->fx, w->fx_room, HD_FX_ROOM_BYTES);
    w->router = hd_router_create(w->region, WORLD_REGION, &start);
    assert_non_null(w->router);
    hd_kira_config_default(&config);
    if (given != NULL)
        config = *given;
    config.id = world_random_id(w);
    core.start.config = &config;
    core.start.config_len = sizeof config;
    assert_int_equal(hd_router_start_core(w->router, &core, 0, &w->fx), 0);
    hd_fx_clear(&w->fx);
    w->k = hd_router_core_state(w->router, HD_CORE_KIRA);
    w->ctx = (struct hd_ctx){.now = HD_SEC(1),
                             .pool = hd_router_pool(w->router),
                             .model = hd_router_model(w->router),
                             .ids = hd_router_ids(w->router),
                             .random = &w->core_random,
                             .fx = &w->fx,
                             .core = HD_CORE_KIRA};
    w->x = (struct kira_call){w->k, &w->ctx};
}

/* A neighbour over a link of its own, as a discovery message would make it. */
static inline hd_node world_neighbour(struct world *w, uint32_t number)
{
    struct hd_id id = world_random_id(w);
    struct hd_in_datagram d = {
        .ifindex = number,
        .from = {{0xfe, 0x80, [14] = (uint8_t)(number >> 8), [15] = (uint8_t)number}}};
    hd_node n = world_node(w, &id);

    hd_fx_clear(&w->fx);
    assert_non_null(kira_link_heard(&w->x, n, &d));
    return n;
}

static inline void world_end(struct world *w)
{
    check_model(w->ctx.model);
    check_pool(w->ctx.pool);
    free(w->region);
    free(w->fx_room);
}

#endif

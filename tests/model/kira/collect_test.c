/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collection of identifiers (src/core/kira/collect.c): a network with churn, once left alone and
 * once with every router's identifiers collected after every call. A handle that the collection
 * forgot names another node at once, since strange identifiers take all freed handles; then the two
 * runs differ, to the byte on the wire.
 */
#include "core/kira/state.h"
#include "lib/hash.h"
#include "scenario/scenario.h"
#include "sim/sim.h"
#include "support/router_check.h"
#include "support/test.h"

#define STRANGERS 4

struct run {
    bool collect;
    uint64_t collections, freed;
    struct hd_random random;
};

/* Frees all handles that no state holds, and gives them to strangers. */
static void collect(struct run *r, struct kira *k, struct hd_ctx *c)
{
    struct kira_call x = {k, c};
    uint32_t before = c->ids->live;

    kira_collect(&x);
    r->collections++;
    r->freed += before - c->ids->live;
    for (uint32_t i = 0; i < STRANGERS; i++) {
        struct hd_id id;
        hd_random_bytes(&r->random, id.b, HD_ID_BYTES);
        assert_int_not_equal(hd_ids_intern(c->ids, &id), 0);
    }
}

/*
 * In both runs all nodes of the network have a handle at any time, though not the same one: whether
 * an identifier is known decides if a not-via list or an Error that names it is news (failure.c).
 */
static void settled(void *user, struct hd_sim *s, uint32_t node)
{
    struct run *r = user;
    struct hd_router *router = hd_sim_router(s, node);
    struct kira *k = router == NULL ? NULL : hd_router_core_state(router, HD_CORE_KIRA);

    if (k == NULL)
        return;
    struct hd_ctx c = {.ids = hd_router_ids(router)};
    if (r->collect)
        collect(r, k, &c);
    for (uint32_t i = 0; i < hd_sim_node_count(s); i++)
        assert_int_not_equal(hd_ids_intern(c.ids, hd_sim_id(s, i)), 0);
}

/* What a person would see of all tables at the end, as one number. */
static uint64_t tables(struct hd_sim *s)
{
    uint64_t h = 0;

    for (uint32_t n = 0; n < hd_sim_node_count(s); n++) {
        struct hd_router *r = hd_sim_router(s, n);
        if (r == NULL)
            continue;
        static struct hd_kira_row_contact rows[64];
        struct hd_row_cursor cursor = {0};
        while (!cursor.end) {
            memset(rows, 0, sizeof rows);
            uint32_t len = hd_router_rows(r, HD_CORE_KIRA, HD_KIRA_LIST_CONTACTS, &cursor, rows,
                                          HD_ARRAY_LEN(rows), hd_sim_now(s));
            for (uint32_t i = 0; i < len; i++) {
                h += hd_hash64(1, &rows[i].id, sizeof rows[i].id);
                h = hd_hash64(h, rows[i].path, sizeof rows[i].path[0] * rows[i].path_len);
            }
        }
        const struct hd_model *m = hd_router_model(r);
        for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;)
            h += hd_hash64(2, &hd_model_label_at(m, i)->key, sizeof(struct hd_label));
        for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_ROUTE, i)) != 0;)
            h += hd_hash64(3, &hd_model_route_at(m, i)->v.out, sizeof(struct hd_label));
    }
    return h;
}

/* Small buckets: most names that pass by are held in one place only. */
static void *small_buckets(void *user, struct hd_sim *s, uint32_t node, uint8_t core, uint32_t *len)
{
    struct hd_kira_config *c = hd_sim_kira_config(user, s, node, core, len);

    if (c != NULL)
        c->bucket_size = c->shallow_bucket_size = 2;
    return c;
}

/* A person asks for nodes, one of which does not exist. */
static void ask(struct hd_sim *s, uint32_t i)
{
    struct hd_kira_command c = {
        .nibbles = 28, .count = 2, .interval_ns = HD_MS(300), .timeout_ns = HD_MS(500)};

    c.id = *hd_sim_id(s, i % hd_sim_node_count(s));
    if (i % 3 == 0)
        c.id.b[13] ^= 0x55;
    if (hd_sim_router(s, 1) != NULL && i % hd_sim_node_count(s) != 1)
        hd_sim_command(s, 1, HD_CORE_KIRA, i % 2 ? HD_KIRA_PATH : HD_KIRA_PING, &c, sizeof c);
}

static uint64_t churn(const char *topology, uint64_t seed, struct run *r, uint64_t *final)
{
    char err[HD_SCENARIO_ERROR];
    struct hd_scenario *sc;
    struct hd_sim_options o;
    struct hd_sim *s;

    assert_int_equal(hd_scenario_generate(topology, seed, &sc, err, sizeof err), 0);
    for (uint32_t i = 0; i < sc->link_count; i++) {
        sc->links[i].delay_ns = HD_MS(1);
        sc->links[i].loss_ppm = 5000;
    }
    hd_sim_options_default(&o);
    o.seed = seed;
    o.config = sc->node_count > 10 ? small_buckets : hd_sim_kira_config;
    o.digest_payload = true;
    o.shared_ids = false; /* a table per router: shared ones are never collected */
    o.hooks.user = r;
    o.hooks.settled = settled;
    assert_int_equal(hd_sim_create(&s, sc, &o, err, sizeof err), 0);
    uint32_t flow = hd_sim_add_flow(s, 0, 9);
    for (uint32_t i = 0; i < 12; i++) {
        hd_sim_run(s, hd_sim_now(s) + HD_MS(1500));
        hd_sim_cut(s, i % sc->link_count);
        hd_sim_silence(s, (i + 5) % sc->link_count, 1);
        hd_sim_send_packet(s, 0, 9, 100, flow);
        ask(s, 5 * i + 4);
        hd_sim_run(s, hd_sim_now(s) + HD_MS(1500));
        hd_sim_heal(s, i % sc->link_count);
        hd_sim_heal(s, (i + 5) % sc->link_count);
        if (i % 4 == 1)
            hd_sim_kill(s, 3, HD_SIM_DEATH_SILENT);
        if (i % 4 == 3)
            hd_sim_start(s, 3);
    }
    hd_sim_run(s, hd_sim_now(s) + HD_SEC(70)); /* remembered failures and labels end */
    uint64_t digest = hd_sim_digest(s);
    *final = tables(s);
    hd_sim_free(s);
    hd_scenario_free(sc);
    return digest;
}

static void compare(const char *topology, uint64_t seed)
{
    uint64_t final_without, final_with;
    struct run without = {0}, with = {.collect = true};

    hd_random_seed(&with.random, seed, 3);
    uint64_t a = churn(topology, seed, &without, &final_without);
    uint64_t b = churn(topology, seed, &with, &final_with);
    assert_int_equal(final_without, final_with);
    assert_int_equal(a, b);
    assert_true(with.collections > 1000);
    print_message("%s: %llu collections freed %llu identifiers\n", topology,
                  (unsigned long long)with.collections, (unsigned long long)with.freed);
}

static void test_collection_changes_nothing(void **unused)
{
    compare("ba:10,2", test_seed(__func__));
}

static void test_collection_with_small_buckets(void **unused)
{
    uint64_t seed = test_seed(__func__);

    compare("ring:20", seed);
    compare("grid:5x5", seed + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collection_changes_nothing),
        cmocka_unit_test(test_collection_with_small_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

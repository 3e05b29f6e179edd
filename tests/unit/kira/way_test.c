/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `path` beside the simulator's own walk over the forwarding tables: the way of first packets is
 * told hop by hop as they go, with the same overlay hops, and then that of the node's own route.
 * Small buckets make nodes that have no route of their own.
 */
#include "core/kira/state.h"
#include "scenario/scenario.h"
#include "sim/sim.h"
#include "support/test.h"

#define NODES 60
#define ROWS  128

struct net {
    struct hd_scenario *sc;
    struct hd_sim *s;
    struct hd_kira_row_hop hop[ROWS];
    uint32_t rows, replies, last;
    int error;
};

static struct net g;

static void effect(void *user, struct hd_sim *s, uint32_t node, struct hd_effect *e)
{
    (void)user;
    (void)s;
    (void)node;
    if (e->type != HD_FX_REPLY)
        return;
    const struct hd_fx_reply *r = &e->u.reply;
    g.replies++;
    g.error = r->error;
    g.last += (r->flags & HD_REPLY_LAST) != 0;
    assert_true(g.rows + r->rows <= ROWS);
    memcpy(g.hop + g.rows, hd_fx_payload(e), r->rows * sizeof g.hop[0]);
    g.rows += r->rows;
}

static void *config(void *user, struct hd_sim *s, uint32_t node, uint8_t core, uint32_t *len)
{
    struct hd_kira_config *c = hd_sim_kira_config(user, s, node, core, len);

    if (c != NULL)
        c->bucket_size = 3, c->shallow_bucket_size = 2;
    return c;
}

static void start(void)
{
    char err[HD_SCENARIO_ERROR];
    struct hd_sim_options o;

    memset(&g, 0, sizeof g);
    assert_int_equal(hd_scenario_generate("ba:60,2", 3, &g.sc, err, sizeof err), 0);
    for (uint32_t i = 0; i < g.sc->link_count; i++)
        g.sc->links[i].delay_ns = HD_MS(1);
    hd_sim_options_default(&o);
    o.seed = 3;
    o.config = config;
    o.hooks.effect = effect;
    assert_int_equal(hd_sim_create(&g.s, g.sc, &o, err, sizeof err), 0);
    hd_sim_run(g.s, HD_SEC(20));
}

static void end(void)
{
    hd_sim_free(g.s);
    hd_scenario_free(g.sc);
}

static void ask(uint32_t from, uint32_t to)
{
    struct hd_kira_command c = {
        .id = *hd_sim_id(g.s, to), .nibbles = 28, .count = 1, .timeout_ns = HD_MS(500)};

    g.rows = g.replies = g.last = 0;
    g.error = 0;
    hd_sim_command(g.s, from, HD_CORE_KIRA, HD_KIRA_PATH, &c, sizeof c);
    hd_sim_run(g.s, hd_sim_now(g.s) + HD_SEC(5));
    assert_int_equal(g.last, 1);
}

/* A pair whose packets go by overlay hops; with `twice` they pass some node more than once. */
static bool find_pair(bool twice, uint32_t *from, uint32_t *to, struct hd_sim_walk *w)
{
    for (uint32_t i = 0; i < NODES * NODES; i++) {
        *from = i / NODES, *to = i % NODES;
        if (*from == *to)
            continue;
        hd_sim_walk_pair(g.s, *from, *to, w);
        bool circle = false;
        for (uint32_t a = 0; a < w->node_count; a++)
            for (uint32_t b = a + 1; b < w->node_count; b++)
                circle = circle || w->nodes[a] == w->nodes[b];
        if (w->fate == HD_SIM_ARRIVED && w->stages > 1 && circle == twice)
            return true;
    }
    return false;
}

static void expect_walk(const struct hd_sim_walk *w)
{
    uint32_t overlay = 0;

    for (uint32_t i = 0; i < w->hops; i++) {
        assert_true(g.hop[i].first);
        assert_int_equal(g.hop[i].number, i + 1);
        assert_true(g.hop[i].answered);
        assert_true(hd_id_equal(&g.hop[i].id, hd_sim_id(g.s, w->nodes[i + 1])));
        assert_true(g.hop[i].rtt_ns >= HD_MS(2) ||
                    hd_id_equal(&g.hop[i].id, hd_sim_id(g.s, w->nodes[0])));
        overlay += g.hop[i].overlay;
    }
    assert_int_equal(overlay, w->stages - 1);
}

static void test_first_packets(void **unused)
{
    struct hd_sim_walk w;
    uint32_t from, to;

    start();
    for (unsigned twice = 0; twice < 2; twice++) {
        assert_true(find_pair(twice == 1, &from, &to, &w));
        ask(from, to);
        assert_int_equal(g.error, 0);
        assert_int_equal(g.replies, 2);
        expect_walk(&w);
        hd_sim_walk_pair(g.s, from, to, &w); /* the command gave it a route of its own */
        assert_int_equal(w.stages, 1);
        assert_true(g.rows > w.hops);
        uint32_t begin = g.rows - w.hops;
        for (uint32_t i = 0; i < w.hops; i++) {
            const struct hd_kira_row_hop *h = &g.hop[begin + i];
            assert_false(h->first || h->overlay);
            assert_int_equal(h->number, i + 1);
            assert_true(hd_id_equal(&h->id, hd_sim_id(g.s, w.nodes[i + 1])));
        }
        ask(from, to); /* now first packets go by it too */
        assert_int_equal(g.replies, 1);
        assert_int_equal(g.rows, w.hops);
        assert_false(g.hop[0].first);
    }
    end();
}

/* An overlay hop that says nothing: the way up to it is shown, and the command still ends. */
static void test_overlay_hop_is_dead(void **unused)
{
    struct hd_sim_walk w;
    uint32_t from, to, hop = 0, node;

    start();
    assert_true(find_pair(false, &from, &to, &w));
    ask(from, to);
    while (!g.hop[hop].overlay)
        hop++;
    node = w.nodes[hop + 1];
    end();
    start(); /* the same network, so the same way */
    hd_sim_kill(g.s, node, HD_SIM_DEATH_SILENT);
    ask(from, to);
    assert_true(g.replies == 2);
    assert_true(g.hop[hop].first && g.hop[hop].overlay && !g.hop[hop].answered);
    assert_true(hd_id_equal(&g.hop[hop].id, hd_sim_id(g.s, node)));
    assert_false(g.hop[hop + 1].first);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_packets),
        cmocka_unit_test(test_overlay_hop_is_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

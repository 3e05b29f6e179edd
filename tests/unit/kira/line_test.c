/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Five cores on a line, A to E with the identifiers 0x0a to 0x0e: the worked example of kira.md 7.6
 * with its exact labels, the commands of a person, and a router that is killed and resumes.
 */
#include "core/kira/state.h"
#include "scenario/scenario.h"
#include "sim/sim.h"
#include "support/test.h"

enum { A, B, C, D, E, NODES };

struct line {
    struct hd_scenario *sc;
    struct hd_sim *s;
    uint32_t replies, rows, last;
    int error;
    struct hd_kira_row_ping ping[8];
    struct hd_kira_row_hop hop[8];
    uint32_t collisions, downs;
};

static void effect(void *user, struct hd_sim *s, uint32_t node, struct hd_effect *e)
{
    struct line *l = user;

    (void)s;
    (void)node;
    if (e->type == HD_FX_EVENT) {
        const struct hd_kira_row_event *row = hd_fx_payload(e);
        l->collisions += row->event == HD_KIRA_EV_ID_COLLISION;
        l->downs += row->event == HD_KIRA_EV_NEIGHBOUR_DOWN;
        return;
    }
    if (e->type != HD_FX_REPLY)
        return;
    const struct hd_fx_reply *r = &e->u.reply;
    l->replies++;
    l->error = r->error;
    l->last += (r->flags & HD_REPLY_LAST) != 0;
    for (uint32_t i = 0; i < r->rows && l->rows < 8; i++, l->rows++) {
        if (r->list == HD_KIRA_LIST_PING)
            l->ping[l->rows] = ((const struct hd_kira_row_ping *)hd_fx_payload(e))[i];
        else
            l->hop[l->rows] = ((const struct hd_kira_row_hop *)hd_fx_payload(e))[i];
    }
}

static void start(struct line *l)
{
    char err[HD_SCENARIO_ERROR];
    struct hd_sim_options o;

    memset(l, 0, sizeof *l);
    assert_int_equal(hd_scenario_generate("line:5", 1, &l->sc, err, sizeof err), 0);
    for (uint32_t i = 0; i < NODES; i++) {
        l->sc->nodes[i].has_id = true;
        memset(l->sc->nodes[i].id, 0, 14);
        l->sc->nodes[i].id[13] = (uint8_t)(0x0a + i);
    }
    for (uint32_t i = 0; i < l->sc->link_count; i++)
        l->sc->links[i].delay_ns = HD_MS(1);
    hd_sim_options_default(&o);
    o.seed = 1;
    o.config = hd_sim_kira_config;
    o.shared_ids = false;
    o.hooks.user = l;
    o.hooks.effect = effect;
    assert_int_equal(hd_sim_create(&l->s, l->sc, &o, err, sizeof err), 0);
    hd_sim_run(l->s, HD_SEC(6));
    l->downs = 0;
}

static void end(struct line *l)
{
    assert_null(hd_sim_failure(l->s));
    hd_sim_free(l->s);
    hd_scenario_free(l->sc);
}

static struct hd_label label(const char *hex)
{
    struct hd_id id;
    struct hd_label v;

    assert_int_equal(hd_id_parse(hex, &id), 0);
    memcpy(v.b, id.b, sizeof v.b);
    return v;
}

static struct hd_model *model(struct line *l, uint32_t node)
{
    return hd_router_model(hd_sim_router(l->s, node));
}

/* The entry leads to the neighbour's link-local address, over the link between both. */
static void expect_over(struct line *l, uint32_t node, uint32_t adj, uint32_t next)
{
    uint32_t link = hd_scenario_find_link(l->sc, node, next, 0);

    assert_int_equal(hd_model_adj(model(l, node), adj)->v.ifindex,
                     hd_sim_ifindex(l->s, link, node));
}

static void expect_swap(struct line *l, uint32_t node, const char *in, const char *out,
                        uint32_t next)
{
    struct hd_label key = label(in), want = label(out);
    const struct hd_label_entry *e = hd_model_label_find(model(l, node), &key);

    assert_non_null(e);
    assert_int_equal(e->v.act, HD_LABEL_SWAP);
    assert_memory_equal(e->v.out.b, want.b, sizeof want.b);
    expect_over(l, node, e->v.adj, next);
}

static void expect_decap(struct line *l, uint32_t node, const char *in)
{
    struct hd_label key = label(in);
    const struct hd_label_entry *e = hd_model_label_find(model(l, node), &key);

    assert_non_null(e);
    assert_int_equal(e->v.act, HD_LABEL_DECAP);
}

static void expect_encap(struct line *l, uint32_t node, uint32_t to, const char *out, uint32_t next)
{
    struct hd_route_key key = {.prefix = hd_id_to_ip6(hd_sim_id(l->s, to), 0xfc00), .len = 128};
    const struct hd_route_entry *r = hd_model_route_find(model(l, node), &key);
    struct hd_label want = label(out);

    assert_non_null(r);
    assert_int_equal(r->v.act, HD_ROUTE_ENCAP);
    assert_memory_equal(r->v.out.b, want.b, sizeof want.b);
    expect_over(l, node, r->v.adj, next);
}

static void test_worked_example(void **unused)
{
    struct line l;

    start(&l);
    expect_encap(&l, A, D, "f0843776bb85d3481c816856799a", B);
    expect_swap(&l, B, "f0843776bb85d3481c816856799a", "c6b09add50fcad217288f4ea08f3", C);
    expect_swap(&l, C, "c6b09add50fcad217288f4ea08f3", "5278f7d662feed53099ffcd1c1ff", D);
    expect_decap(&l, D, "5278f7d662feed53099ffcd1c1ff");
    expect_encap(&l, A, E, "c5b34674e7b351e0a89bdb1d7f4b", B);
    expect_swap(&l, B, "c5b34674e7b351e0a89bdb1d7f4b", "9a203a71dfff1cd49275d3a88ee9", C);
    expect_swap(&l, C, "9a203a71dfff1cd49275d3a88ee9", "d49d9efa3a74842f73e23cef5dce", D);
    expect_swap(&l, D, "d49d9efa3a74842f73e23cef5dce", "15c20facee0a3ec56e1db0fa88ad", E);
    expect_decap(&l, E, "15c20facee0a3ec56e1db0fa88ad");
    /* all other labels at B and C are precomputed: one entry needed a message */
    struct kira *b = hd_router_core_state(hd_sim_router(l.s, B), HD_CORE_KIRA);
    assert_int_equal(b->labels_explicit, 1);
    assert_int_equal(l.collisions, 0); /* own messages that lead back are no twins */
    end(&l);
}

/* --- commands ------------------------------------------------------------------------------------
 */

static void command(struct line *l, uint16_t verb, struct hd_id id, uint8_t nibbles, uint32_t count)
{
    struct hd_kira_command c = {.id = id,
                                .nibbles = nibbles,
                                .count = count,
                                .interval_ns = HD_MS(100),
                                .timeout_ns = HD_SEC(1)};

    l->replies = l->rows = l->last = 0;
    l->error = 0;
    hd_sim_command(l->s, A, HD_CORE_KIRA, verb, &c, sizeof c);
    hd_sim_run(l->s, hd_sim_now(l->s) + HD_SEC(5));
}

static void expect_refused(struct line *l, int error)
{
    assert_int_equal(l->replies, 1);
    assert_int_equal(l->last, 1);
    assert_int_equal(l->rows, 0);
    assert_int_equal(l->error, error);
}

static void test_ping(void **unused)
{
    struct line l;

    start(&l);
    command(&l, HD_KIRA_PING, *hd_sim_id(l.s, E), 28, 3);
    assert_int_equal(l.rows, 3);
    assert_int_equal(l.last, 1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(l.ping[i].answered);
        assert_int_equal(l.ping[i].number, i + 1);
        assert_int_equal(l.ping[i].hops, 4);
        assert_true(hd_id_equal(&l.ping[i].id, hd_sim_id(l.s, E)));
        assert_in_range(l.ping[i].rtt_ns, HD_MS(8), HD_MS(9));
    }
    command(&l, HD_KIRA_PING, *hd_sim_id(l.s, A), 28, 1); /* self */
    assert_int_equal(l.rows, 1);
    assert_int_equal(l.ping[0].hops, 0);
    hd_sim_kill(l.s, C, HD_SIM_DEATH_SILENT);
    hd_sim_run(l.s, hd_sim_now(l.s) + HD_MS(10));
    command(&l, HD_KIRA_PING, *hd_sim_id(l.s, E), 28, 1);
    assert_int_equal(l.last, 1);
    assert_true(l.rows == 0 || !l.ping[0].answered);
    end(&l);
}

static void test_path(void **unused)
{
    struct line l;

    start(&l);
    command(&l, HD_KIRA_PATH, *hd_sim_id(l.s, E), 28, 1);
    assert_int_equal(l.last, 1);
    assert_int_equal(l.rows, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(l.hop[i].number, i + 1);
        assert_true(l.hop[i].answered);
        assert_true(hd_id_equal(&l.hop[i].id, hd_sim_id(l.s, B + i)));
        assert_in_range(l.hop[i].rtt_ns, HD_MS(2 * (i + 1)), HD_MS(2 * (i + 1) + 1));
    }
    command(&l, HD_KIRA_PATH, *hd_sim_id(l.s, A), 28, 1);
    expect_refused(&l, HD_EINVAL);
    end(&l);
}

static void test_which_node_is_meant(void **unused)
{
    struct hd_id none = {{0x77}}, zero = {{0}};
    struct line l;

    start(&l);
    command(&l, HD_KIRA_PING, *hd_sim_id(l.s, D), 27, 1); /* all begin alike */
    expect_refused(&l, HD_EEXIST);
    command(&l, HD_KIRA_PATH, none, 2, 1);
    expect_refused(&l, HD_ENOENT);
    command(&l, HD_KIRA_PING, none, 28, 1); /* may exist: searched for, in vain */
    expect_refused(&l, HD_ETIMEOUT);
    command(&l, HD_KIRA_PING, zero, 28, 1);
    expect_refused(&l, HD_EINVAL);
    end(&l);
}

/* --- resuming ------------------------------------------------------------------------------------
 */

static void test_killed_router_resumes_unnoticed(void **unused)
{
    struct line l;

    start(&l);
    struct kira *c = hd_router_core_state(hd_sim_router(l.s, C), HD_CORE_KIRA);
    struct kira *b = hd_router_core_state(hd_sim_router(l.s, B), HD_CORE_KIRA);
    uint32_t ssn = c->ssn, ssn_b = b->ssn;
    for (unsigned i = 0; i < 5; i++) {
        hd_sim_kill(l.s, C, HD_SIM_DEATH_PROCESS);
        hd_sim_run(l.s, hd_sim_now(l.s) + HD_MS(100));
        hd_sim_start(l.s, C);
        hd_sim_run(l.s, hd_sim_now(l.s) + HD_SEC(1));
        c = hd_router_core_state(hd_sim_router(l.s, C), HD_CORE_KIRA);
        assert_int_equal(c->ulns.len, 2);
        assert_int_equal(c->ssn, ssn);
        struct hd_sim_reach r;
        hd_sim_reach(l.s, 0, 1, &r);
        assert_int_equal(r.arrived, r.connected);
        hd_sim_run(l.s, hd_sim_now(l.s) + HD_SEC(15));
    }
    assert_int_equal(l.downs, 0); /* nobody noticed */
    assert_int_equal(b->ssn, ssn_b);
    struct kira_vicinity *v =
        kira_vicinity_find(b, hd_ids_find(hd_router_ids(hd_sim_router(l.s, B)), hd_sim_id(l.s, C)));
    assert_non_null(v);
    assert_int_equal(v->list_len, 2);
    end(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_example),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_which_node_is_meant),
        cmocka_unit_test(test_killed_router_resumes_unnoticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

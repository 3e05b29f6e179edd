/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that are well-formed and mean harm: answers of the wrong kind, floods that shall hide
 * something else. What they are about must go on as if they had not come.
 */
#include "rig.h"

#define NAMED 12 /* more than queries go out at a time */

static struct rig g;
static struct rig_peer *bad;

static void start(void)
{
    rig_make(&g, rig_id(10));
    rig_start(&g);
    rig_interface(&g, 1, true);
    bad = rig_neighbour(&g, rig_id(11), 1);
    rig_for(&g, HD_SEC(3));
    rig_forget(&g);
}

/* A reply over two hops, of a node behind the bad one, to the question with this number. */
static void reply_from(struct hd_id far, uint8_t type, uint64_t msg_id)
{
    struct hd_id route[3] = {far, bad->id, g.k->id};
    struct rig_out o;

    g.next_msg_id = msg_id;
    rig_begin(&g, &o, type, 0, &far, 1, &g.k->id);
    g.next_msg_id = 1u << 20;
    rig_route(&o, 2, route, 3);
    rig_send(&g, &o, bad);
}

static void answer_queries_wrongly(void)
{
    for (uint32_t i = 0; i < g.sent_len; i++) {
        const struct hd_kira_msg *m = &g.sent[i].m;
        if (!g.sent[i].echo && m->h.type == HD_KIRA_QUERY_REQ)
            reply_from(m->h.dest, HD_KIRA_PROBE_RSP, m->h.msg_id);
    }
    rig_forget(&g);
}

static void test_wrong_answers_end_no_question(void **unused)
{
    start();
    for (uint32_t i = 0; i < NAMED; i++)
        bad->list[bad->list_len++] = rig_id(0x200 + i);
    bad->ssn++;
    rig_meet(&g, bad);
    for (unsigned i = 0; i < 100; i++) {
        answer_queries_wrongly();
        rig_for(&g, HD_MS(100));
    }
    rig_forget(&g);
    rig_for(&g, HD_SEC(10)); /* nobody answers now: all are asked again and again */
    assert_true(rig_count(&g, HD_KIRA_QUERY_REQ) >= NAMED);
    uint32_t open = 0;
    for (uint32_t i = 0; i < g.k->requests.len; i++)
        open += g.k->requests.v[i]->kind == KIRA_REQ_QUERY;
    assert_int_equal(g.k->queries_open, open);
    rig_end(&g);
}

/* Echoes carry no key. Somebody who takes a neighbour's address sends answers nobody asked for. */
static void test_false_echoes_hide_no_true_one(void **unused)
{
    uint8_t echo[HD_KIRA_ECHO_LEN] = {HD_KIRA_ECHO_MAGIC, HD_KIRA_ECHO_REPLY, [15] = 1};

    start();
    for (unsigned i = 0; i < 5000; i++) {
        for (unsigned n = 0; n < 3 && i / 13 != 20; n++) /* a pause, out of step with the beat */
            rig_deliver(&g, bad, echo, sizeof echo, 0);
        rig_for(&g, HD_MS(1));
        rig_forget(&g);
        assert_true(rig_is_neighbour(&g, bad));
    }
    uint32_t cut = g.k->drops[KIRA_DROP_RATE];
    rig_hello(&g, bad); /* and its messages are heard */
    assert_int_equal(g.k->drops[KIRA_DROP_RATE], cut);
    rig_end(&g);
}

/* A question over a route as long as can be costs a millisecond: few are taken. */
static void test_long_messages_count_as_several(void **unused)
{
    static struct hd_id route[HD_KIRA_ROUTE_MAX];
    static struct rig_out o;
    const uint32_t n = HD_KIRA_ROUTE_MAX, sent = 800;

    start();
    for (uint32_t i = 0; i < n - 2; i++)
        route[i] = rig_id(0x10000 + i);
    route[n - 2] = bad->id;
    route[n - 1] = g.k->id;
    for (uint32_t i = 0; i < sent; i++) {
        rig_begin(&g, &o, HD_KIRA_PROBE_REQ, 0, &route[0], 1, &g.k->id);
        rig_route(&o, (uint16_t)(n - 1), route, n);
        rig_send(&g, &o, bad);
        rig_forget(&g);
    }
    assert_true(g.k->drops[KIRA_DROP_RATE] >= sent - 4000 / 10);
    rig_end(&g);
}

/* --- notices -------------------------------------------------------------------------------------
 */

static void name(const struct hd_id *ids, uint32_t n)
{
    struct hd_id route[2] = {bad->id, g.k->id};
    struct rig_out o;

    rig_begin(&g, &o, HD_KIRA_UPDATE, 0, &bad->id, bad->ssn, &g.k->id);
    rig_route(&o, 1, route, 2);
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_UPDATE_INFO);
    for (uint32_t i = 0; i < n; i++) {
        hd_kira_write_entry_begin(&o.w, &ids[i], 1);
        hd_kira_write_id(&o.w, &ids[i]);
        hd_kira_write_entry_end(&o.w, 1, 0, 1);
        hd_write_u8(&o.w, HD_KIRA_ANNOUNCE);
    }
    hd_kira_object_end(&o.w, mark);
    rig_send(&g, &o, bad);
}

/* "I do not know this label", by the forwarding plane. */
static void notice(void)
{
    struct hd_id route[2] = {bad->id, g.k->id};
    struct rig_out o;

    rig_begin(&g, &o, HD_KIRA_ERROR, 0, &bad->id, bad->ssn, &g.k->id);
    rig_route(&o, 1, route, 2);
    hd_kira_write_error(&o.w, HD_KIRA_DEAD_END, &bad->id, &bad->id, &bad->id);
    g.routed = true;
    rig_send(&g, &o, bad);
    g.routed = false;
}

static void test_notices_make_few_probes(void **unused)
{
    struct hd_id ids[40];
    uint32_t probes = 0;

    start();
    for (uint32_t i = 0; i < HD_ARRAY_LEN(ids); i++) {
        ids[i] = rig_id(0x300 + i);
        ids[i].b[0] = i % 2 == 0 ? 0x80 : 0;
    }
    name(ids, HD_ARRAY_LEN(ids));
    rig_for(&g, HD_SEC(10));
    rig_forget(&g);
    for (unsigned i = 0; i < 1000; i++) {
        notice();
        rig_for(&g, HD_MS(2));
        probes += rig_count(&g, HD_KIRA_PROBE_REQ);
        rig_forget(&g);
    }
    assert_true(probes > 10);                  /* they are heeded */
    assert_true(probes < 500 + 2 * 200 + 100); /* the burst, two seconds, and its own business */
    rig_end(&g);
}

/* On a shared link anybody can play to one member what another said goodbye to a third with. */
static void test_discovery_is_for_the_addressee(void **unused)
{
    struct hd_id other = rig_id(77);
    struct rig_out o;

    rig_make(&g, rig_id(10));
    g.key = 1;
    g.config.require_key = true;
    rig_start(&g);
    rig_interface(&g, 1, true);
    bad = rig_neighbour(&g, rig_id(11), 1);
    rig_begin(&g, &o, HD_KIRA_DISC_RSP, 0, &bad->id, bad->ssn, &other);
    hd_kira_write_capabilities(&o.w, HD_KIRA_GOODBYE);
    rig_send(&g, &o, bad);
    assert_true(rig_is_neighbour(&g, bad));
    rig_begin(&g, &o, HD_KIRA_DISC_RSP, 0, &bad->id, bad->ssn, &g.k->id);
    hd_kira_write_capabilities(&o.w, HD_KIRA_GOODBYE);
    rig_send(&g, &o, bad);
    assert_false(rig_is_neighbour(&g, bad));
    rig_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_answers_end_no_question),
        cmocka_unit_test(test_false_echoes_hide_no_true_one),
        cmocka_unit_test(test_long_messages_count_as_several),
        cmocka_unit_test(test_notices_make_few_probes),
        cmocka_unit_test(test_discovery_is_for_the_addressee),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hellos, who asks whom, neighbours that come and go, sequence numbers, parallel links, goodbye and
 * resuming (kira.md 2.4, 4.2, 5.2): one core by hand.
 */
#include "rig.h"

static struct rig g;

static void start(uint32_t id)
{
    rig_make(&g, rig_id(id));
    rig_start(&g);
}

static void test_hello_schedule(void **unused)
{
    rig_make(&g, rig_id(10));
    g.seed = test_seed(__func__);
    rig_start(&g);
    assert_int_equal(rig_count(&g, HD_KIRA_HELLO), 0);
    rig_interface(&g, 1, true);
    rig_for(&g, 0);
    assert_int_equal(rig_count(&g, HD_KIRA_HELLO), 1); /* at once */
    hd_time last = g.now, interval = HD_MS(200), began = g.now;
    for (uint32_t n = 2; n < 16; n++) {
        while (rig_count(&g, HD_KIRA_HELLO) < n && g.now < began + HD_SEC(600))
            rig_for(&g, HD_MS(1));
        hd_time at = rig_last(&g, HD_KIRA_HELLO)->at;
        assert_true(at - last >= interval / 2 - HD_MS(1) && at - last <= interval * 3 / 2);
        last = at;
        interval = hd_time_min(2 * interval, HD_SEC(30));
    }
    const struct rig_sent *s = rig_last(&g, HD_KIRA_HELLO);
    static const uint8_t group[16] = {0xff, 0x02, [15] = 1};
    assert_memory_equal(s->fx.to.b, group, 16);
    assert_int_equal(s->fx.ifindex, 1);
    assert_true(hd_id_is_ones(&s->m.h.dest));
    uint32_t before = rig_count(&g, HD_KIRA_HELLO);
    rig_interface(&g, 1, false);
    rig_for(&g, HD_SEC(100));
    assert_int_equal(rig_count(&g, HD_KIRA_HELLO), before);
    rig_end(&g);
}

static bool asks(struct hd_id own, struct hd_id other)
{
    rig_make(&g, own);
    rig_start(&g);
    rig_interface(&g, 1, true);
    rig_for(&g, 0);
    rig_hello(&g, rig_peer(&g, other, 1));
    bool yes = rig_count(&g, HD_KIRA_DISC_REQ) > 0;
    rig_end(&g);
    return yes;
}

static void expect_one_asker(struct hd_id a, struct hd_id b)
{
    char ta[HD_ID_TEXT], tb[HD_ID_TEXT];

    if (asks(a, b) == asks(b, a))
        fail_msg("%s and %s: both ask, or none", hd_id_format(&a, ta), hd_id_format(&b, tb));
}

static void test_exactly_one_asks(void **unused)
{
    static const uint32_t edges[] = {0, 1, 0x7fffffffu, 0x80000000u, 0x80000001u, 0xffffffffu};
    struct hd_random r;

    hd_random_seed(&r, test_seed(__func__), 0);
    for (unsigned i = 0; i < 300; i++) {
        struct hd_id a, b;
        hd_random_bytes(&r, a.b, sizeof a.b);
        hd_random_bytes(&r, b.b, sizeof b.b);
        if (i < 10 * HD_ARRAY_LEN(edges)) { /* the same low bits but for this difference */
            struct hd_reader in = hd_reader_make(a.b + 10, 4);
            struct hd_writer out = hd_writer_make(b.b + 10, 4);
            hd_write_u32(&out, hd_read_u32(&in) + edges[i % HD_ARRAY_LEN(edges)]);
        }
        expect_one_asker(a, b);
    }
}

/* Who is expected to ask and does not is asked after all, when hellos have become rare. */
static void test_fallback_asks(void **unused)
{
    start(10);
    rig_interface(&g, 1, true);
    rig_for(&g, 0);
    struct rig_peer *p = rig_peer(&g, rig_id(9), 1); /* 9 asks, 10 waits */
    p->answers = true;
    rig_hello(&g, p);
    assert_int_equal(rig_count(&g, HD_KIRA_DISC_REQ), 0);
    rig_for(&g, HD_MS(300));
    assert_true(rig_count(&g, HD_KIRA_HELLO) >= 2); /* at the latest then it can hear of us */
    rig_for(&g, HD_SEC(5));
    rig_hello(&g, p);
    assert_int_equal(rig_count(&g, HD_KIRA_DISC_REQ), 1);
    rig_for(&g, HD_MS(1));
    assert_true(rig_is_neighbour(&g, p));
    rig_end(&g);
}

static const struct hd_route_entry *route_to(const struct hd_id *id)
{
    struct hd_route_key key = {.prefix = hd_id_to_ip6(id, 0xfc00), .len = 128};

    return hd_model_route_find(hd_router_model(g.router), &key);
}

static void test_discovery_makes_a_neighbour(void **unused)
{
    start(10);
    rig_interface(&g, 1, true);
    rig_for(&g, HD_MS(1));
    uint32_t ssn = g.k->ssn;
    struct rig_peer *p = rig_neighbour(&g, rig_id(11), 1);
    assert_int_equal(g.events[HD_KIRA_EV_NEIGHBOUR_UP], 1);
    assert_int_equal(g.k->ssn, ssn + 1);
    const struct hd_route_entry *r = route_to(&p->id);
    assert_non_null(r);
    assert_int_equal(r->v.act, HD_ROUTE_DIRECT);
    const struct hd_adj *a = hd_model_adj(hd_router_model(g.router), r->v.adj);
    assert_true(a->v.admitted && !a->v.down && a->v.ifindex == 1);
    assert_true(hd_ip6_equal(&a->v.link_local, &p->address));
    assert_int_equal(rig_count(&g, HD_KIRA_DISC_RSP), 1); /* its question was answered */
    rig_forget(&g);
    rig_for(&g, HD_MS(10)); /* the news is told within the gap */
    const struct rig_sent *h = rig_last(&g, HD_KIRA_HELLO);
    assert_non_null(h);
    assert_int_equal(h->m.h.ssn, ssn + 1);
    assert_int_equal(h->m.h.degree, 1);
    rig_hello(&g, p); /* no news: nobody is asked */
    rig_for(&g, HD_MS(50));
    assert_int_equal(rig_count(&g, HD_KIRA_DISC_REQ), 0);
    p->ssn++;
    rig_hello(&g, p);
    rig_for(&g, HD_MS(500));
    assert_true(rig_count(&g, HD_KIRA_DISC_REQ) >= 1);
    rig_end(&g);
}

/* An answer that nobody asked for makes no neighbour. */
static void test_unasked_answer_is_dropped(void **unused)
{
    struct rig_out o;

    start(10);
    rig_interface(&g, 1, true);
    struct rig_peer *p = rig_peer(&g, rig_id(11), 1);
    rig_begin(&g, &o, HD_KIRA_DISC_RSP, 0, &p->id, 5, &g.k->id);
    rig_send(&g, &o, p);
    assert_false(rig_is_neighbour(&g, p));
    assert_int_equal(g.k->drops[KIRA_DROP_NO_REQUEST], 1);
    rig_end(&g);
}

static uint32_t saved_sequence(void)
{
    for (uint32_t i = 0; i < g.saved_count; i++)
        if (g.saved[i].key == HD_KIRA_SAVED_SEQUENCE) {
            struct hd_reader r = hd_reader_make(g.saved[i].bytes, 4);
            return hd_read_u32(&r);
        }
    fail_msg("no sequence number was saved");
    return 0;
}

/* Every change is a step; what is saved always lies ahead; a crash repeats no number. */
static void test_sequence_is_saved_ahead(void **unused)
{
    static struct rig after;

    start(10);
    rig_interface(&g, 1, true);
    struct rig_peer *p = rig_neighbour(&g, rig_id(11), 1);
    for (unsigned i = 0; i < 700; i++) {
        rig_interface(&g, 1, false);
        rig_interface(&g, 1, true);
        rig_for(&g, HD_MS(100));
        rig_meet(&g, p);
        rig_for(&g, HD_MS(100));
        assert_true(saved_sequence() > g.k->ssn);
    }
    assert_true(g.k->ssn > 1400);
    uint32_t last = g.k->ssn;
    rig_make(&after, rig_id(10));
    memcpy(after.saved_bytes, g.saved_bytes, sizeof after.saved_bytes);
    after.saved_count = g.saved_count;
    for (uint32_t i = 0; i < g.saved_count; i++)
        after.saved[i] =
            (struct hd_saved_value){g.saved[i].key, g.saved[i].len, after.saved_bytes[i]};
    rig_start(&after);
    assert_true(after.k->ssn > last);
    rig_end(&after);
    rig_end(&g);
}

/* At the end of the numbers: neither 0 nor all ones is ever sent (rig.c looks at each message). */
static void test_sequence_never_reserved(void **unused)
{
    start(10);
    rig_interface(&g, 1, true);
    struct rig_peer *p = rig_neighbour(&g, rig_id(11), 1);
    g.k->ssn = 0xfffffff0u;
    g.k->ssn_ceiling = 0xfffffff8u;
    for (unsigned i = 0; i < 20; i++) {
        rig_interface(&g, 1, false);
        rig_interface(&g, 1, true);
        rig_meet(&g, p);
        rig_for(&g, HD_MS(50));
        assert_true(g.k->ssn != 0 && g.k->ssn != 0xffffffffu);
    }
    assert_true(g.k->resting); /* uptime_test.c goes on from here */
    rig_stop(&g);
    rig_end(&g);
}

static void test_parallel_links(void **unused)
{
    start(10);
    rig_interface(&g, 1, true);
    rig_interface(&g, 2, true);
    struct rig_peer *second = rig_neighbour(&g, rig_id(11), 2);
    uint32_t ssn = g.k->ssn;
    struct rig_peer *first = rig_neighbour(&g, rig_id(11), 1);
    struct kira_uln *u = g.k->ulns.v[0];
    assert_int_equal(g.k->ulns.len, 1);
    assert_int_equal(u->links_len, 2);
    assert_int_equal(g.k->ssn, ssn); /* others need not know */
    assert_int_equal(kira_uln_best(u)->ifindex, 1);
    uint32_t adj = kira_uln_best(u)->adj;
    assert_int_equal(route_to(&first->id)->v.adj, adj);
    rig_interface(&g, 1, false);
    assert_int_equal(g.k->ssn, ssn);
    assert_int_equal(g.events[HD_KIRA_EV_NEIGHBOUR_DOWN], 0);
    assert_int_equal(kira_uln_best(u)->ifindex, 2);
    assert_int_not_equal(route_to(&first->id)->v.adj, adj);
    struct hd_model *m = hd_router_model(g.router);
    for (uint32_t i = 0; (i = hd_model_next(m, HD_OBJ_LABEL, i)) != 0;)
        if (hd_model_label_at(m, i)->v.act == HD_LABEL_SWAP)
            assert_int_equal(hd_model_label_at(m, i)->v.adj, kira_uln_best(u)->adj);
    rig_interface(&g, 2, false);
    assert_int_equal(g.k->ssn, ssn + 1);
    assert_int_equal(g.events[HD_KIRA_EV_NEIGHBOUR_DOWN], 1);
    assert_null(route_to(&first->id));
    assert_false(rig_is_neighbour(&g, second));
    rig_end(&g);
}

static void test_stop_removes_all_and_says_goodbye(void **unused)
{
    start(10);
    rig_interface(&g, 1, true);
    rig_interface(&g, 2, true);
    rig_neighbour(&g, rig_id(11), 1);
    rig_neighbour(&g, rig_id(12), 2);
    rig_for(&g, HD_SEC(2));
    rig_forget(&g);
    rig_stop(&g);
    assert_int_equal(rig_count(&g, HD_KIRA_DISC_RSP), 2);
    for (uint32_t i = 0; i < g.sent_len; i++)
        assert_true(g.sent[i].m.has_capabilities &&
                    (g.sent[i].m.capabilities & HD_KIRA_GOODBYE) != 0);
    const struct hd_model *m = hd_router_model(g.router);
    assert_int_equal(hd_model_next(m, HD_OBJ_ROUTE, 0), 0);
    assert_int_equal(hd_model_next(m, HD_OBJ_LABEL, 0), 0);
    assert_int_equal(hd_model_next(m, HD_OBJ_ADJ, 0), 0);
    rig_end(&g);
}

static void test_goodbye_takes_out_at_once(void **unused)
{
    struct rig_out o;

    start(10);
    rig_interface(&g, 1, true);
    struct rig_peer *p = rig_neighbour(&g, rig_id(11), 1);
    struct rig_peer *liar = rig_neighbour(&g, rig_id(12), 1);
    rig_begin(&g, &o, HD_KIRA_DISC_RSP, 0, &p->id, 9, &g.k->id);
    hd_kira_write_capabilities(&o.w, HD_KIRA_GOODBYE);
    rig_send(&g, &o, liar); /* in another's name */
    assert_true(rig_is_neighbour(&g, p));
    rig_begin(&g, &o, HD_KIRA_DISC_RSP, 0, &p->id, 9, &g.k->id);
    hd_kira_write_capabilities(&o.w, HD_KIRA_GOODBYE);
    rig_send(&g, &o, p);
    assert_false(rig_is_neighbour(&g, p));
    rig_end(&g);
}

/* A killed router comes back with its neighbours, its number and whole lists. */
static void test_resume(void **unused)
{
    static struct rig after;

    start(10);
    rig_interface(&g, 1, true);
    rig_interface(&g, 2, true);
    rig_neighbour(&g, rig_id(11), 1);
    rig_neighbour(&g, rig_id(12), 2);
    rig_neighbour(&g, rig_id(12), 1);
    rig_for(&g, HD_SEC(1));
    uint32_t ssn = g.k->ssn;
    rig_make(&after, rig_id(10));
    memcpy(after.saved_bytes, g.saved_bytes, sizeof after.saved_bytes);
    memcpy(after.peers, g.peers, sizeof after.peers);
    after.peer_count = g.peer_count;
    after.saved_count = g.saved_count;
    for (uint32_t i = 0; i < g.saved_count; i++)
        after.saved[i] =
            (struct hd_saved_value){g.saved[i].key, g.saved[i].len, after.saved_bytes[i]};
    after.resumed = true;
    rig_start(&after);
    assert_int_equal(after.k->ssn, ssn);
    assert_int_equal(after.k->ulns.len, 2);
    rig_interface(&after, 1, true);
    rig_interface(&after, 2, true);
    rig_for(&after, HD_SEC(1));
    uint32_t seen = 0;
    for (uint32_t i = 0; i < after.sent_len; i++) {
        const struct rig_sent *s = &after.sent[i];
        if (s->echo || (s->m.h.type != HD_KIRA_DISC_REQ && s->m.h.type != HD_KIRA_DISC_RSP))
            continue;
        struct hd_reader items = s->m.contacts;
        struct hd_kira_contact_item item;
        uint32_t n = 0;
        while (hd_kira_next_contact(&items, &item))
            n++;
        assert_int_equal(n, 2); /* never half a list under the old number */
        seen++;
    }
    assert_true(seen > 0);
    rig_for(&after, HD_SEC(15)); /* past the sweep */
    assert_int_equal(after.k->ssn, ssn);
    assert_true(rig_is_neighbour(&after, &after.peers[0]));
    assert_true(rig_is_neighbour(&after, &after.peers[1]));
    assert_int_equal(after.events[HD_KIRA_EV_NEIGHBOUR_DOWN], 0);
    rig_end(&after);
    rig_end(&g);
}

/* Datagrams of which the driver could not tell the link-layer address (witness.h). */
static void test_unknown_link_address(void **unused)
{
    static const struct hd_mac unknown;

    start(10);
    rig_interface(&g, 1, true);
    struct rig_peer *p = rig_neighbour(&g, rig_id(11), 1);
    struct hd_mac known = p->mac;
    const struct hd_route_entry *r = route_to(&p->id);
    p->mac = unknown;
    rig_meet(&g, p); /* a neighbour stays one, at the address that is known */
    assert_true(rig_is_neighbour(&g, p));
    assert_true(hd_mac_equal(&hd_model_adj(hd_router_model(g.router), r->v.adj)->v.mac, &known));
    p->mac = (struct hd_mac){{2, 9}};
    rig_meet(&g, p); /* another card */
    assert_true(hd_mac_equal(&hd_model_adj(hd_router_model(g.router), r->v.adj)->v.mac, &p->mac));

    struct rig_peer *s = rig_peer(&g, rig_id(12), 1);
    struct hd_mac its = s->mac;
    s->mac = unknown;
    rig_meet(&g, s); /* packets could not be sent to it */
    rig_hello(&g, s);
    rig_for(&g, HD_MS(100));
    assert_false(rig_is_neighbour(&g, s));
    s->mac = its;
    rig_meet(&g, s);
    assert_true(rig_is_neighbour(&g, s));
    rig_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello_schedule),
        cmocka_unit_test(test_exactly_one_asks),
        cmocka_unit_test(test_fallback_asks),
        cmocka_unit_test(test_discovery_makes_a_neighbour),
        cmocka_unit_test(test_unasked_answer_is_dropped),
        cmocka_unit_test(test_sequence_is_saved_ahead),
        cmocka_unit_test(test_sequence_never_reserved),
        cmocka_unit_test(test_parallel_links),
        cmocka_unit_test(test_stop_removes_all_and_says_goodbye),
        cmocka_unit_test(test_goodbye_takes_out_at_once),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_unknown_link_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Liveness of links (kira.md 5.7, doc/decisions/0003) and who is let in over them: echoes, late
 * timers, wrong nonces, the replay window and the fabric key.
 */
#include "rig.h"

static struct rig g;

static struct rig_peer *start_with_neighbour(void)
{
    rig_start(&g);
    rig_interface(&g, 1, true);
    return rig_neighbour(&g, rig_id(11), 1);
}

static struct kira_link *the_link(void)
{
    return g.k->ulns.v[0]->links[0];
}

static void test_answered_echoes_keep_the_link(void **unused)
{
    rig_make(&g, rig_id(10));
    struct rig_peer *p = start_with_neighbour();
    rig_for(&g, HD_SEC(120));
    assert_true(rig_is_neighbour(&g, p));
    assert_true(g.k->counts[KIRA_N_ECHO_SENT] > 300);
    assert_int_equal(g.k->counts[KIRA_N_ECHO_SENT], g.k->counts[KIRA_N_ECHO_REPLY]);
    rig_end(&g);
}

/* Time from the last sign of life to the loss, over many phases of the timers. */
static void expect_down_within(uint8_t capabilities, hd_time least, hd_time most)
{
    for (uint64_t seed = 1; seed < 40; seed++) {
        rig_make(&g, rig_id(10));
        g.seed = seed;
        rig_start(&g);
        rig_interface(&g, 1, true);
        struct rig_peer *p = rig_peer(&g, rig_id(11), 1);
        p->capabilities = capabilities;
        p->answers = true;
        rig_meet(&g, p);
        rig_for(&g, HD_SEC(3) + HD_MS(17 * (hd_time)seed));
        assert_true(rig_is_neighbour(&g, p));
        hd_time heard = the_link()->last_heard;
        p->answers = false;
        while (rig_is_neighbour(&g, p) && g.now < heard + HD_SEC(60))
            rig_for(&g, HD_MS(1));
        hd_time took = g.now - heard;
        if (took < least || took > most)
            fail_msg("seed %llu: down after %lld ms", (unsigned long long)seed,
                     (long long)hd_time_to_ms(took));
        assert_int_equal(g.k->counts[KIRA_N_LINK_SILENT], 1);
        assert_int_equal(g.events[HD_KIRA_EV_NEIGHBOUR_DOWN], 1);
        rig_end(&g);
    }
}

static void test_silent_link_goes_down(void **unused)
{
    /* 300 ms, then 150, 150, 100 ms; less a beat of rounding */
    expect_down_within(HD_KIRA_CAN_ECHO | HD_KIRA_FAST_ECHO, HD_MS(540), HD_MS(720));
}

static void test_slow_peer_gets_patience(void **unused)
{
    expect_down_within(HD_KIRA_CAN_ECHO, HD_MS(1000), HD_MS(1250));
}

/* Other implementations are asked by ProbeReq: 3 s, then three times 1 s. */
static void test_foreign_peer_is_probed(void **unused)
{
    expect_down_within(0, HD_MS(4000), HD_MS(6100));
}

/* A process that was stopped for seconds finds timers long past: that is no evidence. */
static void test_own_lateness_is_no_evidence(void **unused)
{
    rig_make(&g, rig_id(10));
    struct rig_peer *p = start_with_neighbour();
    for (unsigned i = 0; i < 50; i++) {
        rig_for(&g, HD_MS(313)); /* an echo may be under way */
        p->answers = false;
        rig_for(&g, HD_MS(61 * (hd_time)(i % 8)));
        if (!rig_is_neighbour(&g, p))
            break;
        g.now += HD_SEC(5); /* nothing served, nothing read */
        p->answers = true;
        rig_for(&g, 0);
        assert_true(rig_is_neighbour(&g, p));
        rig_for(&g, HD_SEC(1));
        assert_true(rig_is_neighbour(&g, p));
    }
    assert_int_equal(g.k->counts[KIRA_N_LINK_SILENT], 0);
    rig_end(&g);
}

static void test_wrong_nonce_is_no_life(void **unused)
{
    struct rig_peer *p;
    uint32_t forged = 0;

    rig_make(&g, rig_id(10));
    p = start_with_neighbour();
    rig_for(&g, HD_SEC(1));
    p->answers = false;
    hd_time until = g.now + HD_SEC(2);
    while (rig_is_neighbour(&g, p) && g.now < until) {
        rig_for(&g, HD_MS(10));
        for (uint32_t i = 0; i < g.sent_len; i++)
            if (g.sent[i].echo && g.sent[i].bytes[1] == HD_KIRA_ECHO_REQUEST) {
                uint8_t reply[HD_KIRA_ECHO_LEN];
                memcpy(reply, g.sent[i].bytes, sizeof reply);
                reply[1] = HD_KIRA_ECHO_REPLY;
                reply[15] ^= 1;
                rig_deliver(&g, p, reply, sizeof reply, 0);
                forged++;
                break;
            }
        rig_forget(&g);
    }
    assert_false(rig_is_neighbour(&g, p));
    assert_true(forged > 0);
    assert_true(g.k->drops[KIRA_DROP_NO_REQUEST] >= forged);
    rig_end(&g);
}

/* --- the fabric key ------------------------------------------------------------------------------
 */

static void keyed(void)
{
    rig_make(&g, rig_id(10));
    g.key = 7;
    g.config.require_key = true;
}

/* A probe of the peer with this counter, signed. */
static void probe_with_counter(struct rig_peer *p, uint64_t counter)
{
    struct hd_id route[2] = {p->id, g.k->id};
    struct rig_out o;

    rig_begin(&g, &o, HD_KIRA_PROBE_REQ, HD_KIRA_EXACT, &p->id, p->ssn, &g.k->id);
    rig_route(&o, 1, route, 2);
    p->counter = counter - 1;
    rig_send(&g, &o, p);
}

static void test_replay_window(void **unused)
{
    keyed();
    struct rig_peer *p = start_with_neighbour();
    struct {
        uint64_t counter;
        bool accepted;
    } steps[] = {{1000, true},  {1000, false}, {1001, true},  {999, true},   {999, false},
                 {1100, true},  {1037, true},  {1036, false}, {1037, false}, {1099, true},
                 {1100, false}, {5000, true},  {4937, true},  {4936, false}, {1, false}};
    for (unsigned i = 0; i < HD_ARRAY_LEN(steps); i++) {
        uint32_t before = g.k->drops[KIRA_DROP_REPLAY];
        rig_forget(&g);
        probe_with_counter(p, steps[i].counter);
        assert_int_equal(g.k->drops[KIRA_DROP_REPLAY] - before, !steps[i].accepted);
        assert_int_equal(rig_count(&g, HD_KIRA_PROBE_RSP), steps[i].accepted);
    }
    rig_end(&g);
}

/* What was recorded of a member neither makes it a neighbour nor revives it. */
static void test_replays_make_no_neighbour(void **unused)
{
    struct rig_out o;

    keyed();
    struct rig_peer *p = start_with_neighbour();
    rig_begin(&g, &o, HD_KIRA_DISC_REQ, 0, &p->id, p->ssn, &g.k->id);
    rig_send(&g, &o, p);
    uint32_t len = (uint32_t)hd_writer_len(&o.w);
    uint32_t replays = g.k->drops[KIRA_DROP_REPLAY];
    rig_deliver(&g, p, o.bytes, len, g.key);
    assert_int_equal(g.k->drops[KIRA_DROP_REPLAY], replays + 1);
    p->answers = false;
    rig_for(&g, HD_SEC(10)); /* it goes down */
    assert_false(rig_is_neighbour(&g, p));
    rig_deliver(&g, p, o.bytes, len, g.key);
    assert_int_equal(g.k->drops[KIRA_DROP_REPLAY], replays + 2);
    assert_false(rig_is_neighbour(&g, p));
    rig_for(&g, HD_SEC(70)); /* its link is forgotten, and so is the window */
    rig_deliver(&g, p, o.bytes, len, g.key);
    rig_for(&g, HD_SEC(5));
    assert_false(rig_is_neighbour(&g, p));
    p->answers = true;
    rig_meet(&g, p);
    assert_true(rig_is_neighbour(&g, p)); /* the node itself comes back */
    rig_end(&g);
}

static void test_key_is_required(void **unused)
{
    struct hd_id route[2];
    struct rig_out o;

    keyed();
    struct rig_peer *member = start_with_neighbour();
    struct rig_peer *stranger = rig_peer(&g, rig_id(13), 1);
    uint32_t unauthenticated = g.k->drops[KIRA_DROP_UNAUTHENTICATED];
    rig_forget(&g);
    rig_begin(&g, &o, HD_KIRA_DISC_REQ, 0, &stranger->id, 3, &g.k->id);
    rig_send_unsigned(&g, &o, stranger);
    struct hd_id all;
    memset(all.b, 0xff, sizeof all.b);
    rig_begin(&g, &o, HD_KIRA_HELLO, 0, &stranger->id, 3, &all);
    rig_send_unsigned(&g, &o, stranger);
    route[0] = stranger->id;
    route[1] = g.k->id;
    rig_begin(&g, &o, HD_KIRA_PROBE_REQ, 0, &stranger->id, 3, &g.k->id);
    rig_route(&o, 1, route, 2);
    rig_send_unsigned(&g, &o, stranger);
    assert_int_equal(g.k->drops[KIRA_DROP_UNAUTHENTICATED], unauthenticated + 3);
    assert_int_equal(g.sent_len, 0); /* gets nothing */
    assert_false(rig_is_neighbour(&g, stranger));
    assert_true(rig_is_neighbour(&g, member));
    /* every message of ours carries the object, last and with a counter that grows */
    rig_for(&g, HD_SEC(3));
    uint64_t counter = 0;
    for (uint32_t i = 0; i < g.sent_len; i++)
        if (!g.sent[i].echo) {
            assert_true(g.sent[i].m.has_mac && g.sent[i].fx.key == g.key);
            assert_true(g.sent[i].m.mac_counter > counter);
            counter = g.sent[i].m.mac_counter;
        }
    rig_end(&g);
}

/* Nor does our own name open the door: neither a twin's alarm nor a forwarded message. */
static void test_own_name_is_no_key(void **unused)
{
    struct rig_out o;

    keyed();
    struct rig_peer *member = start_with_neighbour();
    struct rig_peer *stranger = rig_peer(&g, rig_id(13), 1);
    struct hd_id route[4] = {g.k->id, stranger->id, g.k->id, member->id};
    rig_forget(&g);
    rig_begin(&g, &o, HD_KIRA_PROBE_REQ, 0, &g.k->id, 1, &member->id);
    rig_route(&o, 2, route, 4);
    rig_send_unsigned(&g, &o, stranger);
    assert_int_equal(g.sent_len, 0);
    rig_begin(&g, &o, HD_KIRA_DISC_REQ, 0, &g.k->id, 1, &g.k->id);
    rig_send_unsigned(&g, &o, stranger);
    assert_int_equal(g.events[HD_KIRA_EV_ID_COLLISION], 0);
    assert_int_equal(g.sent_len, 0);
    rig_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answered_echoes_keep_the_link),
        cmocka_unit_test(test_silent_link_goes_down),
        cmocka_unit_test(test_slow_peer_gets_patience),
        cmocka_unit_test(test_foreign_peer_is_probed),
        cmocka_unit_test(test_own_lateness_is_no_evidence),
        cmocka_unit_test(test_wrong_nonce_is_no_life),
        cmocka_unit_test(test_replay_window),
        cmocka_unit_test(test_replays_make_no_neighbour),
        cmocka_unit_test(test_key_is_required),
        cmocka_unit_test(test_own_name_is_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

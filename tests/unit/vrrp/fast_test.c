/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takeover by BFD, by requirement (vrrp-and-bfd.md, 1.6). BFD itself is a stub that says what the
 * test wants; with the real one the two meet in tests/netns/vrrp.
 */
#include "rig.h"

enum { ADMIN_DOWN = 0, DOWN = 1, UP = 3 };

static struct rig *routers(unsigned count, uint8_t fast)
{
    struct rig *g = rig_new(1);

    for (unsigned i = 1; i <= count; i++) {
        struct rig_node *n = rig_node(g, i);
        rig_add(n, 1, 4, 51, (uint8_t)(250 - 50 * i))->fast = fast;
        assert_int_equal(rig_apply(g, n), 0);
    }
    rig_run(g, HD_SEC(10));
    assert_int_equal(rig_actives(g, 0), 1);
    assert_int_equal(rig_state(g, g->nodes[1], 0), HD_VRRP_ACTIVE);
    return g;
}

/* The handle of the open session with a router, 0 when there is none. */
static uint32_t session(const struct rig_node *n, uint8_t kind, struct hd_ip6 remote)
{
    uint32_t handle = 0;

    for (unsigned i = 0; i < n->request_count; i++) {
        const struct hd_bfd_request *q = &n->requests[i];
        if (q->op == HD_BFD_OPEN && q->kind == kind && hd_ip6_equal(&q->remote, &remote))
            handle = q->handle;
        else if (q->op == HD_BFD_CLOSE && q->handle == handle)
            handle = 0;
    }
    return handle;
}

/* R64, R67: a Backup asks for a session to the Active, and takes over when it breaks. */
static void track_takes_over_at_once(void **state)
{
    struct rig *g = routers(2, HD_VRRP_FAST_TRACK);
    struct rig_node *b = g->nodes[2];
    uint32_t h = session(b, 1, rig_host(1, 4, 1));

    assert_true(h != 0);
    assert_int_equal(b->requests[0].tx_us, 10000);
    assert_int_equal(b->requests[0].multiplier, 3);
    rig_notice(g, b, h, UP, true, false);
    assert_int_equal(rig_router(g, b, 0).bfd, UP);
    rig_kill(g, g->nodes[1]);
    hd_time at = g->now;
    rig_notice(g, b, h, DOWN, true, false);
    rig_run(g, HD_MS(1));
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_ACTIVE);
    const struct rig_event *e = &b->events[b->event_count - 1];
    assert_int_equal(e->at, at);
    assert_int_equal(e->row.last_event, HD_VRRP_EV_BFD_DOWN);
    assert_int_equal(rig_router(g, b, 0).bfd_switch, 1);
    assert_int_equal(session(b, 1, rig_host(1, 4, 1)), 0);
    rig_free(g);
}

/* R65, R66: AdminDown, and a session that never was up, are no failures; Up changes nothing. */
static void what_is_no_failure(void **state)
{
    struct rig *g = routers(2, HD_VRRP_FAST_TRACK);
    struct rig_node *b = g->nodes[2];
    uint32_t h = session(b, 1, rig_host(1, 4, 1));

    rig_notice(g, b, h, DOWN, false, false);
    rig_notice(g, b, h, UP, true, false);
    rig_notice(g, b, h, DOWN, true, true);
    rig_notice(g, b, h, ADMIN_DOWN, true, false);
    rig_notice(g, b, h + 1000, DOWN, true, false);
    rig_run(g, HD_SEC(2));
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_BACKUP);
    assert_int_equal(rig_router(g, b, 0).bfd_switch, 0);
    /* R64: the timers are there in any case. */
    rig_kill(g, g->nodes[1]);
    rig_run(g, HD_SEC(4));
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_ACTIVE);
    assert_int_equal(rig_router(g, b, 0).last_event, HD_VRRP_EV_ACTIVE_TIMEOUT);
    rig_free(g);
}

/* R69: a false alarm heals by one exchange of advertisements, and is counted. */
static void false_alarm_heals(void **state)
{
    struct rig *g = routers(2, HD_VRRP_FAST_TRACK);
    struct rig_node *b = g->nodes[2];
    uint32_t h = session(b, 1, rig_host(1, 4, 1));

    rig_notice(g, b, h, UP, true, false);
    rig_notice(g, b, h, DOWN, true, false);
    rig_run(g, HD_MS(2));
    assert_int_equal(rig_actives(g, 0), 1);
    assert_int_equal(rig_state(g, g->nodes[1], 0), HD_VRRP_ACTIVE);
    assert_int_equal(rig_router(g, b, 0).false_switch, 1);
    assert_true(session(b, 1, rig_host(1, 4, 1)) != 0);
    rig_free(g);
}

/* R70: all advertise, all have sessions with all; the virtual MAC stays with the Active (R16). */
static void p2p_knows_its_peers(void **state)
{
    struct rig *g = routers(3, HD_VRRP_FAST_P2P);
    struct hd_mac own = {{2, 0, 0, 0, 1, 2}};
    struct hd_vrrp_row_peer rows[8];

    for (unsigned i = 1; i <= 3; i++) {
        struct hd_row_cursor cursor = {0};
        assert_int_equal(hd_router_rows(g->nodes[i]->r, HD_CORE_VRRP, HD_VRRP_LIST_PEERS, &cursor,
                                        rows, 8, g->now),
                         2);
        for (unsigned k = 1; k <= 3; k++)
            assert_int_equal(session(g->nodes[i], 1, rig_host(1, 4, k)) != 0, i != k);
    }
    assert_true(g->nodes[2]->backup_adverts > 5);
    assert_true(hd_mac_equal(&g->nodes[2]->advert_mac, &own));
    assert_true(g->nodes[1]->backup_adverts <= 5); /* only before it was Active */
    rig_kill(g, g->nodes[3]); /* R68, R70: a peer that is silent is forgotten, nothing else */
    rig_run(g, HD_SEC(5));
    assert_int_equal(session(g->nodes[1], 1, rig_host(1, 4, 3)), 0);
    assert_int_equal(rig_state(g, g->nodes[1], 0), HD_VRRP_ACTIVE);
    rig_free(g);
}

/* Every session between routers that live is up. */
static void all_up(struct rig *g)
{
    for (unsigned i = 1; i <= 3; i++) {
        for (unsigned k = 1; k <= 3; k++) {
            struct rig_node *n = g->nodes[i];
            uint32_t h = session(n, 1, rig_host(1, 4, k));
            if (n->r != NULL && g->nodes[k]->r != NULL && h != 0)
                rig_notice(g, n, h, UP, true, false);
        }
    }
}

/* R70, R72: the best Backup acts at once, the next one waits; two failures in a row. */
static void p2p_acts_by_rank(void **state)
{
    struct rig *g = routers(3, HD_VRRP_FAST_P2P);
    struct rig_node *b = g->nodes[2], *c = g->nodes[3];

    all_up(g);
    rig_kill(g, g->nodes[1]);
    hd_time at = g->now;
    rig_notice(g, c, session(c, 1, rig_host(1, 4, 1)), DOWN, true, false); /* the worse one first */
    rig_notice(g, b, session(b, 1, rig_host(1, 4, 1)), DOWN, true, false);
    rig_run(g, HD_MS(30));
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_ACTIVE);
    assert_int_equal(b->events[b->event_count - 1].at, at);
    assert_int_equal(rig_state(g, c, 0), HD_VRRP_BACKUP);
    assert_int_equal(rig_router(g, c, 0).transitions, 0);
    rig_run(g, HD_MS(200));
    all_up(g);
    rig_kill(g, b);
    at = g->now;
    rig_notice(g, c, session(c, 1, rig_host(1, 4, 2)), DOWN, true, false);
    rig_run(g, HD_MS(30));
    assert_int_equal(rig_state(g, c, 0), HD_VRRP_ACTIVE);
    assert_int_equal(c->events[c->event_count - 1].at, at);
    rig_free(g);
}

/* R72: where the best Backup does not act, the next one does after fast-skew. */
static void p2p_second_follows(void **state)
{
    struct rig *g = routers(3, HD_VRRP_FAST_P2P);
    struct rig_node *c = g->nodes[3];

    all_up(g);
    rig_kill(g, g->nodes[1]);
    hd_time at = g->now;
    rig_notice(g, c, session(c, 1, rig_host(1, 4, 1)), DOWN, true, false);
    rig_run(g, HD_MS(50));
    assert_int_equal(rig_state(g, c, 0), HD_VRRP_ACTIVE);
    assert_int_equal(c->events[c->event_count - 1].at, at + HD_MS(10));
    rig_free(g);
}

/* R71, R72: the Active is head, Backups are tails and wait by priority. */
static void p2mp_head_and_tails(void **state)
{
    struct rig *g = routers(3, HD_VRRP_FAST_P2MP);
    struct rig_node *a = g->nodes[1], *b = g->nodes[2], *c = g->nodes[3];

    assert_true(session(a, 3, rig_ip("224.0.0.18")) != 0);
    assert_true(session(b, 4, rig_host(1, 4, 1)) != 0 && session(c, 4, rig_host(1, 4, 1)) != 0);
    assert_int_equal(session(b, 3, rig_ip("224.0.0.18")), 0);
    rig_notice(g, b, session(b, 4, rig_host(1, 4, 1)), UP, true, false);
    rig_notice(g, c, session(c, 4, rig_host(1, 4, 1)), UP, true, false);
    rig_kill(g, a);
    hd_time at = g->now;
    rig_notice(g, c, session(c, 4, rig_host(1, 4, 1)), DOWN, true, false);
    rig_notice(g, b, session(b, 4, rig_host(1, 4, 1)), DOWN, true, false);
    rig_run(g, HD_MS(50));
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_ACTIVE);
    assert_int_equal(b->events[b->event_count - 1].at, at + HD_MS(20) * (256 - 150) / 256);
    assert_int_equal(rig_state(g, c, 0), HD_VRRP_BACKUP);
    assert_true(session(b, 3, rig_ip("224.0.0.18")) != 0);
    assert_true(session(c, 4, rig_host(1, 4, 2)) != 0);
    assert_int_equal(session(c, 4, rig_host(1, 4, 1)), 0);
    rig_free(g);
}

/* Virtual routers that follow the same Active share one session. */
static void sessions_are_shared(void **state)
{
    struct rig *g = rig_new(1);

    for (unsigned i = 1; i <= 2; i++) {
        struct rig_node *n = rig_node(g, i);
        for (unsigned vrid = 1; vrid <= 5; vrid++) {
            struct hd_vrrp_instance_config *c =
                rig_add(n, 1, 4, (uint8_t)vrid, (uint8_t)(250 - 50 * i));
            c->fast = HD_VRRP_FAST_TRACK;
            c->addresses[0] = rig_host(1, 4, 200 + vrid);
        }
        assert_int_equal(rig_apply(g, n), 0);
    }
    rig_run(g, HD_SEC(10));
    struct rig_node *b = g->nodes[2];
    assert_int_equal(b->request_count, 1);
    rig_notice(g, b, b->requests[0].handle, UP, true, false);
    rig_kill(g, g->nodes[1]);
    rig_notice(g, b, b->requests[0].handle, DOWN, true, false);
    rig_run(g, HD_MS(1));
    for (unsigned k = 0; k < 5; k++)
        assert_int_equal(rig_state(g, b, k), HD_VRRP_ACTIVE);
    assert_int_equal(b->requests[b->request_count - 1].op, HD_BFD_CLOSE);
    rig_free(g);
}

/* R41: a BFD session that is tracked lowers the priority while it is broken. */
static void tracked_session(void **state)
{
    struct rig *g = rig_new(1);
    struct rig_node *n = rig_node(g, 1);

    (void)rig_add(n, 1, 4, 51, 100);
    struct hd_vrrp_track_config *t = rig_track(n, 0, HD_VRRP_TRACK_BFD, 30);
    snprintf(t->interface, sizeof t->interface, "eth2");
    t->address = rig_host(2, 4, 9);
    assert_int_equal(rig_apply(g, n), 0);
    uint32_t h = session(n, 1, rig_host(2, 4, 9));
    assert_true(h != 0);
    assert_int_equal(rig_router(g, n, 0).effective_priority, 100); /* R65: never came up */
    rig_notice(g, n, h, UP, true, false);
    rig_notice(g, n, h, DOWN, true, false);
    assert_int_equal(rig_router(g, n, 0).effective_priority, 70);
    rig_notice(g, n, h, UP, true, false);
    assert_int_equal(rig_router(g, n, 0).effective_priority, 100);
    n->config.head.track_count = 0;
    assert_int_equal(rig_apply(g, n), 0);
    assert_int_equal(session(n, 1, rig_host(2, 4, 9)), 0);
    rig_free(g);
}

/* A6, in small: three routers, loss, failures at random: never two Actives for long. */
static void random_failures(void **state)
{
    uint64_t seed = test_seed("random_failures");

    for (unsigned round = 0; round < 20; round++) {
        struct rig *g = rig_new(seed + round);
        g->loss_permille = 50;
        for (unsigned i = 1; i <= 3; i++) {
            struct rig_node *n = rig_node(g, i);
            for (unsigned s = 1; s <= 2; s++) {
                struct hd_vrrp_instance_config *c =
                    rig_add(n, s, s == 1 ? 4 : 6, 7, (uint8_t)(250 - 50 * i));
                c->interval_cs = 10;
                if (round % 2 == 0)
                    snprintf(c->group, sizeof c->group, "both");
            }
            assert_int_equal(rig_apply(g, n), 0);
        }
        rig_run(g, HD_SEC(2));
        for (unsigned k = 0; k < 20; k++) {
            struct rig_node *n = g->nodes[1 + hd_random_below(&g->random, 3)];
            unsigned what = (unsigned)hd_random_below(&g->random, 4);
            if (n->r == NULL)
                rig_start(g, n, false);
            else if (what == 0)
                rig_kill(g, n);
            else if (what == 1)
                rig_stop(g, n);
            else
                rig_link(g, n, 1 + what % 2, !n->up[1 + what % 2]);
            rig_run(g, (hd_time)hd_random_below(&g->random, (uint64_t)HD_SEC(2)));
        }
        for (unsigned i = 1; i <= 3; i++) {
            if (g->nodes[i]->r == NULL)
                rig_start(g, g->nodes[i], false);
            for (unsigned s = 1; s <= 2; s++)
                rig_link(g, g->nodes[i], s, true);
        }
        g->loss_permille = 0;
        rig_run(g, HD_SEC(3));
        for (unsigned k = 0; k < 2; k++) {
            assert_int_equal(rig_actives(g, k), 1);
            assert_int_equal(rig_state(g, g->nodes[1], k), HD_VRRP_ACTIVE);
        }
        rig_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(track_takes_over_at_once), cmocka_unit_test(what_is_no_failure),
        cmocka_unit_test(false_alarm_heals),        cmocka_unit_test(p2p_knows_its_peers),
        cmocka_unit_test(p2p_acts_by_rank),         cmocka_unit_test(p2p_second_follows),
        cmocka_unit_test(p2mp_head_and_tails),      cmocka_unit_test(sessions_are_shared),
        cmocka_unit_test(tracked_session),          cmocka_unit_test(random_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

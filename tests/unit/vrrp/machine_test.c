/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VRRP state machine by requirement (vrrp-and-bfd.md, 1.2, 1.3, 1.7): each test names those it
 * shows. Times are those of RFC 9568 to the nanosecond.
 */
#include "rig.h"

#define DELAY HD_US(50)

/* Two routers with virtual router 51, of priorities 200 and 100, both running for `after`. */
static struct rig *pair(uint8_t family, uint16_t interval_cs, hd_time after)
{
    struct rig *g = rig_new(1);

    for (unsigned i = 1; i <= 2; i++) {
        struct rig_node *n = rig_node(g, i);
        rig_add(n, 1, family, 51, i == 1 ? 200 : 100)->interval_cs = interval_cs;
        assert_int_equal(rig_apply(g, n), 0);
    }
    rig_run(g, after);
    return g;
}

static void one_active_is_elected(void **state)
{
    for (unsigned family = 4; family <= 6; family += 2) {
        struct rig *g = pair((uint8_t)family, 100, HD_SEC(10));
        assert_int_equal(rig_state(g, g->nodes[1], 0), HD_VRRP_ACTIVE);
        assert_int_equal(rig_state(g, g->nodes[2], 0), HD_VRRP_BACKUP);
        struct hd_vrrp_row_router b = rig_router(g, g->nodes[2], 0);
        struct hd_ip6 active = rig_host(1, (uint8_t)family, 1);
        assert_true(hd_ip6_equal(&b.last_source, &active));
        assert_int_equal(b.skew_ns, HD_SEC(1) * 156 / 256);
        assert_int_equal(b.down_interval_ns, HD_SEC(3) + HD_SEC(1) * 156 / 256);
        assert_int_equal(b.transitions, 0);
        assert_int_equal(b.address_errors + b.interval_errors + b.length_errors, 0);
        rig_free(g);
    }
}

/* R21, R30: an owner is Active at once; R19: its priority is 255. */
static void owner_begins_as_active(void **state)
{
    struct rig *g = rig_new(1);
    struct rig_node *n = rig_node(g, 1);
    struct hd_vrrp_instance_config *c = rig_add(n, 1, 4, 51, 100);

    c->addresses[0] = rig_host(1, 4, 1);
    assert_int_equal(rig_apply(g, n), 0);
    struct hd_vrrp_row_router r = rig_router(g, n, 0);
    assert_true(r.state == HD_VRRP_ACTIVE && r.owner && r.effective_priority == 255);
    assert_int_equal(r.reason, HD_VRRP_BY_PRIORITY);
    assert_int_equal(n->adverts, 1);
    rig_free(g);
}

/* R26: the Backup takes over when Active_Down_Interval has passed, at 1 s, 100 ms and 10 ms. */
static void silence_is_noticed_in_time(void **state)
{
    static const uint16_t intervals[] = {100, 10, 1};

    for (unsigned k = 0; k < HD_ARRAY_LEN(intervals); k++) {
        struct rig *g = pair(4, intervals[k], HD_SEC(20));
        hd_time interval = HD_MS(10) * intervals[k], last = g->nodes[1]->advert_at;
        rig_kill(g, g->nodes[1]);
        rig_run(g, HD_SEC(10));
        struct rig_node *b = g->nodes[2];
        assert_int_equal(b->event_count, 2); /* Backup at the start, then Active */
        assert_int_equal(b->events[1].row.state, HD_VRRP_ACTIVE);
        assert_int_equal(b->events[1].row.last_event, HD_VRRP_EV_ACTIVE_TIMEOUT);
        assert_int_equal(b->events[1].row.reason, HD_VRRP_NO_RESPONSE);
        assert_int_equal(b->events[1].at, last + DELAY + 3 * interval + interval * 156 / 256);
        rig_free(g);
    }
}

/* R36, R30: announced is when address and MAC are in place: 3 in a burst, then after 1 s and 5 s.
 */
static void announcements_wait_for_the_kernel(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(20));
    struct rig_node *b = g->nodes[2];

    b->install_ns = HD_MS(40);
    rig_kill(g, g->nodes[1]);
    b->adverts = b->announcements = 0;
    while (b->adverts == 0)
        rig_run(g, HD_MS(1));
    assert_int_equal(b->announcements, 0);
    hd_time active_at = b->advert_at;
    rig_until(g, active_at + HD_MS(39));
    assert_int_equal(b->announcements, 0);
    rig_until(g, active_at + HD_MS(40));
    assert_int_equal(b->announcements, 3);
    rig_run(g, HD_SEC(1));
    assert_int_equal(b->announcements, 4);
    rig_run(g, HD_SEC(4));
    assert_int_equal(b->announcements, 5);
    rig_run(g, HD_SEC(100));
    assert_int_equal(b->announcements, 5);
    rig_free(g);
}

static void refresh_goes_on(void **state)
{
    struct rig *g = rig_new(1);
    struct rig_node *n = rig_node(g, 1);
    struct hd_vrrp_instance_config *c = rig_add(n, 1, 6, 9, 100);

    c->garp_refresh_s = 10;
    c->address_count = 2;
    c->addresses[1] = rig_ip("2001:db8::254");
    assert_int_equal(rig_apply(g, n), 0);
    rig_run(g, HD_SEC(4) + HD_SEC(5) + HD_SEC(30));
    assert_int_equal(n->announcements, 2 * (3 + 2 + 3));
    rig_free(g);
}

/* R31, R22: a router that is stopped says so, and the Backup waits for Skew_Time alone. */
static void goodbye_is_quick(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(20));
    hd_time at = g->now;

    rig_stop(g, g->nodes[1]);
    assert_int_equal(g->nodes[1]->zero_adverts, 1);
    rig_run(g, HD_SEC(1));
    struct rig_node *b = g->nodes[2];
    assert_int_equal(b->events[1].at, at + DELAY + HD_SEC(1) * 156 / 256);
    assert_int_equal(rig_router(g, b, 0).zero_received, 1);
    rig_free(g);
}

/* R23, R28: interval, skew and down interval are those of the Active. */
static void backup_learns_the_interval(void **state)
{
    struct rig *g = rig_new(1);

    for (unsigned i = 1; i <= 2; i++) {
        struct rig_node *n = rig_node(g, i);
        rig_add(n, 1, 4, 51, i == 1 ? 200 : 100)->interval_cs = i == 1 ? 20 : 100;
        assert_int_equal(rig_apply(g, n), 0);
    }
    rig_run(g, HD_SEC(10));
    struct hd_vrrp_row_router b = rig_router(g, g->nodes[2], 0);
    assert_int_equal(b.state, HD_VRRP_BACKUP);
    assert_int_equal(b.active_interval_ns, HD_MS(200));
    assert_int_equal(b.skew_ns, HD_MS(200) * 156 / 256);
    assert_true(b.interval_errors > 10); /* R10: noted, and taken */
    rig_free(g);
}

/* R24, R26: a lower router is preempted when it was ignored for the down interval. */
static void higher_priority_preempts(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));

    rig_stop(g, g->nodes[1]);
    rig_run(g, HD_SEC(5));
    assert_int_equal(rig_state(g, g->nodes[2], 0), HD_VRRP_ACTIVE);
    rig_start(g, g->nodes[1], false);
    hd_time at = g->now;
    rig_run(g, HD_SEC(10));
    struct rig_node *a = g->nodes[1];
    const struct rig_event *last = &a->events[a->event_count - 1];
    assert_int_equal(last->row.state, HD_VRRP_ACTIVE);
    assert_int_equal(last->row.reason, HD_VRRP_PREEMPTED);
    assert_int_equal(last->row.last_event, HD_VRRP_EV_LOWER_PRIORITY_ACTIVE);
    assert_int_equal(last->at, at + HD_SEC(3) + HD_SEC(1) * 56 / 256);
    assert_int_equal(rig_state(g, g->nodes[2], 0), HD_VRRP_BACKUP);
    assert_int_equal(rig_router(g, g->nodes[2], 0).last_event, HD_VRRP_EV_HIGHER_PRIORITY_BACKUP);
    rig_free(g);
}

/* R23: without preemption the lower router stays. */
static void no_preemption(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));

    g->nodes[1]->config.instances[0].preempt = 0;
    rig_stop(g, g->nodes[1]);
    rig_run(g, HD_SEC(5));
    rig_start(g, g->nodes[1], false);
    rig_run(g, HD_SEC(60));
    assert_int_equal(rig_state(g, g->nodes[1], 0), HD_VRRP_BACKUP);
    assert_int_equal(rig_state(g, g->nodes[2], 0), HD_VRRP_ACTIVE);
    rig_free(g);
}

/* R25: preemption waits for hold-time from the first lower advertisement on. */
static void preemption_is_held(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));
    struct rig_node *a = g->nodes[1];

    a->config.instances[0].preempt_hold_s = 30;
    rig_stop(g, a);
    rig_run(g, HD_SEC(5));
    rig_start(g, a, false);
    hd_time at = g->now;
    rig_run(g, HD_SEC(29));
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_BACKUP);
    rig_run(g, HD_SEC(3));
    const struct rig_event *last = &a->events[a->event_count - 1];
    assert_int_equal(last->row.state, HD_VRRP_ACTIVE);
    assert_int_equal(last->row.last_event, HD_VRRP_EV_PREEMPT_HOLD_TIMEOUT);
    assert_true(last->at >= at + HD_SEC(30) && last->at <= at + HD_SEC(31) + DELAY);
    rig_free(g);
}

/* R25: an owner preempts also where preemption is off. */
static void owner_always_preempts(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));
    struct rig_node *b = g->nodes[2];

    b->config.instances[0].preempt = 0;
    assert_int_equal(rig_apply(g, b), 0);
    rig_address(g, b, 1, "10.1.0.254", false);
    rig_run(g, HD_SEC(5));
    struct hd_vrrp_row_router r = rig_router(g, b, 0);
    assert_true(r.state == HD_VRRP_ACTIVE && r.owner && r.effective_priority == 255);
    assert_int_equal(r.last_event, HD_VRRP_EV_OWNER_PREEMPT);
    assert_int_equal(rig_state(g, g->nodes[1], 0), HD_VRRP_BACKUP);
    rig_free(g);
}

/* R27: an Active that hears priority 0 advertises at once, and counts its interval anew. */
static void active_answers_priority_zero(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));
    struct rig_node *a = g->nodes[1];
    struct vrrp_advert zero = rig_advert(1, 4, 51, 0, 9, &a->config.instances[0]);

    rig_run(g, HD_MS(300));
    unsigned before = a->adverts;
    hd_time at = g->now;
    rig_hear(g, a, 1, &zero);
    assert_int_equal(a->adverts, before + 1);
    assert_true(a->advert_at == at);
    rig_until(g, at + HD_MS(999));
    assert_int_equal(a->adverts, before + 1);
    rig_until(g, at + HD_MS(1000));
    assert_int_equal(a->adverts, before + 2);
    rig_free(g);
}

/* R28: equal priorities are decided by the greater address. */
static void equal_priorities_go_by_address(void **state)
{
    for (unsigned family = 4; family <= 6; family += 2) {
        struct rig *g = rig_new(3);
        for (unsigned i = 1; i <= 3; i++) {
            struct rig_node *n = rig_node(g, i);
            rig_add(n, 1, (uint8_t)family, 7, 100);
            assert_int_equal(rig_apply(g, n), 0);
        }
        rig_run(g, HD_SEC(20));
        assert_int_equal(rig_actives(g, 0), 1);
        assert_int_equal(rig_state(g, g->nodes[3], 0), HD_VRRP_ACTIVE);
        rig_free(g);
    }
}

/* R29: an Active that hears a worse one answers at once, but not without end. */
static void losing_advert_is_answered(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));
    struct rig_node *a = g->nodes[1];
    struct vrrp_advert worse = rig_advert(1, 4, 51, 150, 9, &a->config.instances[0]);
    unsigned before = a->adverts;

    rig_run(g, HD_MS(300));
    before = a->adverts;
    rig_hear(g, a, 1, &worse);
    assert_int_equal(a->adverts, before + 1);
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_ACTIVE);
    for (unsigned i = 0; i < 25; i++)
        rig_hear(g, a, 1, &worse);
    assert_int_equal(a->adverts, before + 4);
    rig_free(g);
}

/* R32: interface down, or no primary address: Initialize. */
static void needs_interface_and_address(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));
    struct rig_node *a = g->nodes[1];

    rig_link(g, a, 1, false);
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_INITIALIZE);
    assert_int_equal(rig_router(g, a, 0).last_event, HD_VRRP_EV_INTERFACE_DOWN);
    assert_false(rig_virtual(a, 51)->active);
    rig_link(g, a, 1, true);
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_BACKUP);
    assert_int_equal(rig_router(g, a, 0).last_event, HD_VRRP_EV_INTERFACE_UP);
    rig_address(g, a, 1, "10.1.0.1", true);
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_INITIALIZE);
    assert_int_equal(rig_router(g, a, 0).last_event, HD_VRRP_EV_NO_PRIMARY_ADDRESS);
    rig_address(g, a, 1, "10.1.0.1", false);
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_BACKUP);
    assert_int_equal(rig_router(g, a, 0).last_event, HD_VRRP_EV_PRIMARY_ADDRESS);
    rig_free(g);
}

static void no_virtual_address(void **state)
{
    struct rig *g = rig_new(1);
    struct rig_node *n = rig_node(g, 1);
    struct hd_vrrp_instance_config *c = rig_add(n, 1, 4, 51, 100);

    c->address_count = 0;
    assert_int_equal(rig_apply(g, n), 0);
    rig_run(g, HD_SEC(10));
    assert_int_equal(rig_state(g, n, 0), HD_VRRP_INITIALIZE);
    assert_int_equal(n->adverts, 0);
    assert_null(rig_virtual(n, 51));
    c->address_count = 1;
    assert_int_equal(rig_apply(g, n), 0);
    rig_run(g, HD_SEC(10));
    assert_int_equal(rig_state(g, n, 0), HD_VRRP_ACTIVE);
    rig_free(g);
}

/* R33 to R35: what the kernel shall hold in each state. */
static void kernel_follows_the_state(void **state)
{
    struct rig *g = pair(6, 100, HD_SEC(10));
    const struct hd_virtual_value *a = rig_virtual(g->nodes[1], 51);
    const struct hd_virtual_value *b = rig_virtual(g->nodes[2], 51);
    struct hd_mac mac = {{0x00, 0x00, 0x5e, 0x00, 0x02, 51}};

    assert_true(a->active && !a->accept && !a->own_mac && hd_mac_equal(&a->mac, &mac));
    assert_true(!b->active && hd_mac_equal(&b->mac, &mac) && b->ifindex == 1);
    assert_true(a->count == 1 &&
                hd_ip6_equal(&a->addresses[0], &g->nodes[1]->config.instances[0].addresses[0]));
    assert_true(rig_router(g, g->nodes[1], 0).installed);
    g->nodes[1]->config.instances[0].accept = 1;
    assert_int_equal(rig_apply(g, g->nodes[1]), 0);
    assert_true(rig_virtual(g->nodes[1], 51)->accept);
    rig_free(g);
}

/* A cloud that drops foreign MACs: frames and announcements have the interface's own. */
static void works_without_a_virtual_mac(void **state)
{
    struct rig *g = rig_new(1);
    struct rig_node *n = rig_node(g, 1);
    struct hd_mac own = {{2, 0, 0, 0, 1, 1}}, virt = {{0, 0, 0x5e, 0, 1, 51}};

    rig_add(n, 1, 4, 51, 100);
    assert_int_equal(rig_apply(g, n), 0);
    rig_run(g, HD_SEC(10));
    assert_true(hd_mac_equal(&n->advert_mac, &virt));
    n->config.instances[0].own_mac = 1;
    unsigned before = n->announcements;
    assert_int_equal(rig_apply(g, n), 0);
    rig_run(g, HD_SEC(3));
    assert_true(hd_mac_equal(&n->advert_mac, &own));
    assert_true(rig_virtual(n, 51)->own_mac);
    assert_true(n->announcements > before);
    rig_free(g);
}

static void unicast_peers(void **state)
{
    struct rig *g = rig_new(1);

    for (unsigned i = 1; i <= 3; i++) {
        struct rig_node *n = rig_node(g, i);
        struct hd_vrrp_instance_config *c = rig_add(n, 1, 4, 51, (uint8_t)(100 + i));
        c->own_mac = 1;
        for (unsigned k = 1; k <= 3; k++)
            if (k != i)
                c->unicast[c->unicast_count++] = rig_host(1, 4, k);
        assert_int_equal(rig_apply(g, n), 0);
    }
    rig_run(g, HD_SEC(10));
    assert_int_equal(rig_actives(g, 0), 1);
    assert_int_equal(rig_state(g, g->nodes[3], 0), HD_VRRP_ACTIVE);
    /* Strangers, and what comes by the group, are not heard. */
    struct vrrp_advert a = rig_advert(1, 4, 51, 250, 77, &g->nodes[3]->config.instances[0]);
    rig_hear(g, g->nodes[3], 1, &a);
    assert_int_equal(rig_counter(g, g->nodes[3], "drop-destination"), 1);
    a.to = rig_host(1, 4, 3);
    rig_hear(g, g->nodes[3], 1, &a);
    assert_int_equal(rig_counter(g, g->nodes[3], "drop-source"), 1);
    assert_int_equal(rig_state(g, g->nodes[3], 0), HD_VRRP_ACTIVE);
    rig_free(g);
}

/* R40: the upgrade aid speaks both versions, and hears who speaks both only once. */
static void both_versions(void **state)
{
    struct rig *g = rig_new(1);
    struct rig_node *a = rig_node(g, 1), *b = rig_node(g, 2), *old = rig_node(g, 3);

    rig_add(a, 1, 4, 51, 200)->interop = 1;
    rig_add(b, 1, 4, 51, 150)->interop = 1;
    rig_add(old, 1, 4, 51, 100)->version = 2;
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(rig_apply(g, g->nodes[i]), 0);
    rig_run(g, HD_SEC(20));
    assert_int_equal(rig_actives(g, 0), 1);
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_ACTIVE);
    assert_true(rig_counter(g, b, "drop-v2-beside-v3") > 5);
    assert_true(rig_router(g, old, 0).received > 5);
    rig_kill(g, a);
    rig_kill(g, b);
    rig_run(g, HD_SEC(5));
    assert_int_equal(rig_state(g, old, 0), HD_VRRP_ACTIVE);
    rig_start(g, b, false);
    rig_run(g, HD_SEC(5));
    assert_int_equal(rig_state(g, old, 0), HD_VRRP_BACKUP);
    rig_free(g);
}

/* Version 2: Skew_Time does not scale with the interval (RFC 3768, 6.1). */
static void version_two(void **state)
{
    struct rig *g = rig_new(1);

    for (unsigned i = 1; i <= 2; i++) {
        struct rig_node *n = rig_node(g, i);
        struct hd_vrrp_instance_config *c = rig_add(n, 1, 4, 51, i == 1 ? 200 : 100);
        c->version = 2;
        c->interval_cs = 300;
        assert_int_equal(rig_apply(g, n), 0);
    }
    rig_run(g, HD_SEC(30));
    struct hd_vrrp_row_router b = rig_router(g, g->nodes[2], 0);
    assert_int_equal(b.state, HD_VRRP_BACKUP);
    assert_int_equal(b.skew_ns, HD_SEC(1) * 156 / 256);
    assert_int_equal(b.down_interval_ns, HD_SEC(9) + HD_SEC(1) * 156 / 256);
    rig_free(g);
}

/* R12: with `auto` we send the form that the Active sent last. */
static void checksum_form_is_learnt(void **state)
{
    struct rig *g = rig_new(1);
    struct rig_node *a = rig_node(g, 1), *b = rig_node(g, 2);

    rig_add(a, 1, 4, 51, 200)->checksum = HD_VRRP_CHECKSUM_PSEUDO;
    rig_add(b, 1, 4, 51, 100)->checksum = HD_VRRP_CHECKSUM_AUTO;
    assert_int_equal(rig_apply(g, a), 0);
    assert_int_equal(rig_apply(g, b), 0);
    assert_int_equal(rig_router(g, b, 0).checksum, HD_VRRP_CHECKSUM_RFC);
    rig_run(g, HD_SEC(10));
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_BACKUP);
    assert_int_equal(rig_router(g, b, 0).checksum, HD_VRRP_CHECKSUM_PSEUDO);
    rig_stop(g, a);
    rig_run(g, HD_SEC(5));
    a->config.instances[0].preempt = 0;
    rig_start(g, a, false); /* and hears us, in its form */
    rig_run(g, HD_SEC(10));
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_ACTIVE);
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_BACKUP);
    rig_free(g);
}

/* R12: nor do we preempt in a form that the other one drops, or it would stay Active beside us. */
static void checksum_form_is_learnt_from_worse_ones(void **state)
{
    struct rig *g = rig_new(1);
    struct rig_node *a = rig_node(g, 1), *b = rig_node(g, 2);

    rig_add(b, 1, 4, 51, 100)->checksum = HD_VRRP_CHECKSUM_PSEUDO;
    assert_int_equal(rig_apply(g, b), 0);
    rig_run(g, HD_SEC(10));
    rig_add(a, 1, 4, 51, 200)->checksum = HD_VRRP_CHECKSUM_AUTO;
    assert_int_equal(rig_apply(g, a), 0);
    rig_run(g, HD_SEC(10));
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_ACTIVE);
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_BACKUP);
    rig_free(g);
}

/* R41: tracked interfaces lower the priority, which comes back by the same amount. */
static void tracking_lowers_the_priority(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));
    struct rig_node *a = g->nodes[1];

    snprintf(rig_track(a, 0, HD_VRRP_TRACK_INTERFACE, 60)->interface, HD_IF_NAME, "eth2");
    snprintf(rig_track(a, 0, HD_VRRP_TRACK_INTERFACE, 50)->interface, HD_IF_NAME, "eth3");
    assert_int_equal(rig_apply(g, a), 0);
    unsigned events = a->event_count;
    rig_link(g, a, 2, false);
    rig_run(g, HD_SEC(5));
    assert_int_equal(rig_router(g, a, 0).effective_priority, 140);
    assert_int_equal(a->event_count, events); /* still the best: nothing happens */
    rig_link(g, a, 3, false);
    rig_run(g, HD_SEC(5));
    assert_int_equal(rig_router(g, a, 0).effective_priority, 90);
    assert_int_equal(rig_state(g, g->nodes[2], 0), HD_VRRP_ACTIVE);
    rig_link(g, a, 2, true);
    rig_link(g, a, 3, true);
    rig_run(g, HD_SEC(5));
    assert_int_equal(rig_router(g, a, 0).effective_priority, 200);
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_ACTIVE);
    a->config.tracks[0].decrement = 254;
    assert_int_equal(rig_apply(g, a), 0);
    rig_link(g, a, 2, false);
    assert_int_equal(rig_router(g, a, 0).effective_priority, 1); /* never below */
    rig_free(g);
}

/* Sync groups: both virtual routers are Active on the same machine. */
static void group_moves_together(void **state)
{
    struct rig *g = rig_new(1);

    for (unsigned i = 1; i <= 2; i++) {
        struct rig_node *n = rig_node(g, i);
        for (unsigned s = 1; s <= 2; s++)
            snprintf(rig_add(n, s, 4, (uint8_t)s, i == 1 ? 200 : 100)->group, HD_VRRP_GROUP_NAME,
                     "north");
        assert_int_equal(rig_apply(g, n), 0);
    }
    rig_run(g, HD_SEC(10));
    struct rig_node *a = g->nodes[1], *b = g->nodes[2];
    assert_int_equal(rig_state(g, a, 0) + rig_state(g, a, 1), 2 * HD_VRRP_ACTIVE);
    assert_int_equal(rig_state(g, b, 0) + rig_state(g, b, 1), 2 * HD_VRRP_BACKUP);
    rig_link(g, a, 2, false); /* one of them cannot run: none does */
    assert_int_equal(rig_state(g, a, 0) + rig_state(g, a, 1), 2 * HD_VRRP_INITIALIZE);
    assert_int_equal(a->zero_adverts, 1);
    rig_run(g, HD_SEC(1));
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_ACTIVE);
    assert_int_equal(rig_state(g, b, 1), HD_VRRP_ACTIVE); /* followed, before its own timer */
    assert_int_equal(rig_router(g, b, 1).last_event, HD_VRRP_EV_SYNC_GROUP);
    rig_link(g, a, 2, true);
    rig_run(g, HD_SEC(10));
    assert_int_equal(rig_state(g, a, 0) + rig_state(g, a, 1), 2 * HD_VRRP_ACTIVE);
    assert_int_equal(rig_state(g, b, 0) + rig_state(g, b, 1), 2 * HD_VRRP_BACKUP);
    rig_free(g);
}

/* A killed process: its successor goes on as Active, without a transition or an announcement. */
static void restart_is_no_transition(void **state)
{
    struct rig *g = pair(4, 10, HD_SEC(10));
    struct rig_node *a = g->nodes[1], *b = g->nodes[2];
    unsigned announced = a->announcements, events = a->event_count, others = b->event_count;

    rig_kill(g, a);
    rig_run(g, HD_MS(250));
    rig_start(g, a, true);
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_ACTIVE);
    rig_run(g, HD_SEC(20));
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_ACTIVE);
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_BACKUP);
    assert_int_equal(a->event_count, events);
    assert_int_equal(b->event_count, others);
    assert_int_equal(a->announcements, announced);
    assert_int_equal(rig_router(g, a, 0).transitions, 0);
    assert_true(rig_virtual(a, 51)->active && rig_router(g, a, 0).installed);
    rig_free(g);
}

/* What a predecessor left and no configuration names any more goes. */
static void leftovers_are_swept(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));
    struct rig_node *a = g->nodes[1];

    rig_kill(g, a);
    a->config.head.instance_count = 0;
    rig_start(g, a, true);
    assert_non_null(rig_virtual(a, 51));
    rig_run(g, HD_SEC(11));
    assert_null(rig_virtual(a, 51));
    rig_free(g);
}

/* Section 4.1: a process that stood still does not move its grid, and does not flap others. */
static void late_advertisements_keep_the_grid(void **state)
{
    struct rig *g = pair(4, 10, HD_SEC(10));
    struct rig_node *a = g->nodes[1];
    hd_time grid = a->advert_at;

    a->busy_until = grid + HD_MS(130);
    rig_until(g, grid + HD_MS(130));
    assert_int_equal(a->advert_at, grid + HD_MS(130));
    rig_until(g, grid + HD_MS(200));
    assert_int_equal(a->advert_at, grid + HD_MS(200));
    assert_int_equal(rig_router(g, a, 0).late_max_ns, HD_MS(30));
    assert_int_equal(rig_state(g, g->nodes[2], 0), HD_VRRP_BACKUP);
    rig_free(g);
}

/* Two Actives for longer than an interval: counted and told, once. */
static void split_brain_is_told(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));

    g->cut[1][1] = true; /* the Backup hears nothing of the Active, which hears it */
    rig_run(g, HD_SEC(10));
    assert_int_equal(rig_actives(g, 0), 2);
    struct hd_vrrp_row_router a = rig_router(g, g->nodes[1], 0);
    assert_int_equal(a.split, 1);
    assert_int_equal(g->nodes[1]->errors[HD_VRRP_ERR_SPLIT], 1);
    g->cut[1][1] = false;
    rig_run(g, HD_SEC(2));
    assert_int_equal(rig_actives(g, 0), 1);
    rig_free(g);
}

/* R74: counters last over state changes and are cleared by command; release hands over. */
static void commands(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));
    struct rig_node *a = g->nodes[1], *b = g->nodes[2];
    struct hd_vrrp_which w = {.interface = "eth1", .family = 4, .vrid = 51}, none = {.vrid = 0};

    assert_int_equal(rig_command(g, b, HD_VRRP_RELEASE, &w), HD_EINVAL); /* no Active */
    assert_int_equal(rig_command(g, a, HD_VRRP_RELEASE, &none), HD_EINVAL);
    assert_int_equal(rig_command(g, a, 99, &none), HD_EUNSUPPORTED);
    w.vrid = 52;
    assert_int_equal(rig_command(g, a, HD_VRRP_RELEASE, &w), HD_ENOENT);
    w.vrid = 51;
    assert_int_equal(rig_command(g, a, HD_VRRP_RELEASE, &w), 0);
    rig_run(g, HD_SEC(1));
    assert_int_equal(rig_state(g, b, 0), HD_VRRP_ACTIVE);
    assert_int_equal(rig_state(g, a, 0), HD_VRRP_BACKUP);
    assert_int_equal(rig_router(g, a, 0).last_event, HD_VRRP_EV_RELEASED);
    assert_true(rig_router(g, a, 0).transitions == 1 && rig_router(g, a, 0).sent > 5);
    assert_int_equal(rig_command(g, a, HD_VRRP_CLEAR, &none), 0);
    struct hd_vrrp_row_router r = rig_router(g, a, 0);
    assert_true(r.transitions == 0 && r.sent == 0 && r.counting_ns == 0);
    rig_free(g);
}

/* R75: events are limited, and what was not told is counted. */
static void events_are_limited(void **state)
{
    struct rig *g = pair(4, 100, HD_SEC(10));
    struct rig_node *a = g->nodes[1];
    struct vrrp_advert bad = rig_advert(1, 4, 99, 100, 9, &a->config.instances[0]);

    for (unsigned i = 0; i < 30; i++)
        rig_hear(g, a, 1, &bad);
    assert_int_equal(a->errors[HD_VRRP_ERR_VRID], HD_VRRP_NOTICES_PER_S);
    assert_int_equal(rig_counter(g, a, "drop-vrid"), 30);
    assert_int_equal(rig_counter(g, a, "notices-dropped"), 20);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_active_is_elected),
        cmocka_unit_test(owner_begins_as_active),
        cmocka_unit_test(silence_is_noticed_in_time),
        cmocka_unit_test(announcements_wait_for_the_kernel),
        cmocka_unit_test(refresh_goes_on),
        cmocka_unit_test(goodbye_is_quick),
        cmocka_unit_test(backup_learns_the_interval),
        cmocka_unit_test(higher_priority_preempts),
        cmocka_unit_test(no_preemption),
        cmocka_unit_test(preemption_is_held),
        cmocka_unit_test(owner_always_preempts),
        cmocka_unit_test(active_answers_priority_zero),
        cmocka_unit_test(equal_priorities_go_by_address),
        cmocka_unit_test(losing_advert_is_answered),
        cmocka_unit_test(needs_interface_and_address),
        cmocka_unit_test(no_virtual_address),
        cmocka_unit_test(kernel_follows_the_state),
        cmocka_unit_test(works_without_a_virtual_mac),
        cmocka_unit_test(unicast_peers),
        cmocka_unit_test(both_versions),
        cmocka_unit_test(version_two),
        cmocka_unit_test(checksum_form_is_learnt),
        cmocka_unit_test(checksum_form_is_learnt_from_worse_ones),
        cmocka_unit_test(tracking_lowers_the_priority),
        cmocka_unit_test(group_moves_together),
        cmocka_unit_test(restart_is_no_transition),
        cmocka_unit_test(leftovers_are_swept),
        cmocka_unit_test(late_advertisements_keep_the_grid),
        cmocka_unit_test(split_brain_is_told),
        cmocka_unit_test(commands),
        cmocka_unit_test(events_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

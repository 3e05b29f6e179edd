/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long uptime, and times of need.
 *
 * Short instants are 32 bits of milliseconds and wrap after 49 days. The core is told
 * that it started that long ago less a few seconds, and has to live through the wrap as if nothing
 * happened: contacts are still probed when their time has come, and no timer is served for ever.
 */
#include "rig.h"

#include <unistd.h>

static struct rig g;

/* The peer names a node behind it. */
static void name(struct rig_peer *p, struct hd_id id)
{
    struct hd_id route[2] = {p->id, g.k->id};
    struct rig_out o;

    rig_begin(&g, &o, HD_KIRA_UPDATE, 0, &p->id, p->ssn, &g.k->id);
    rig_route(&o, 1, route, 2);
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_UPDATE_INFO);
    hd_kira_write_entry_begin(&o.w, &id, 1);
    hd_kira_write_id(&o.w, &id);
    hd_kira_write_entry_end(&o.w, 1, 0, 1);
    hd_write_u8(&o.w, HD_KIRA_ANNOUNCE);
    hd_kira_object_end(&o.w, mark);
    rig_send(&g, &o, p);
}

static void test_the_wrap_goes_unnoticed(void **unused)
{
    const uint32_t left_ms = 5000;

    alarm(60); /* a timer that is armed for the past would be served for ever */
    rig_make(&g, rig_id(10));
    rig_start(&g);
    g.k->started -= HD_MS((hd_time)UINT32_MAX - left_ms);
    rig_interface(&g, 1, true);
    struct rig_peer *p = rig_neighbour(&g, rig_id(11), 1);
    hd_time wrap = g.now + HD_MS(left_ms);
    /* new contacts, close ones and distant ones, wait for their probes across the wrap */
    rig_until(&g, wrap - HD_MS(300));
    for (uint32_t n = 0; g.now < wrap + HD_SEC(1); n++) {
        struct hd_id id = rig_id(0x100 + n);
        id.b[0] = n % 2 == 0 ? 0x80 : 0;
        name(p, id);
        rig_for(&g, HD_MS(20));
        rig_forget(&g);
    }
    rig_for(&g, HD_SEC(5));
    for (uint32_t i = 0; i < g.k->contacts.len; i++)
        if (kira_contact_close(g.k, &g.k->contacts.v[i]))
            assert_int_equal(g.k->contacts.v[i].state, HD_KIRA_CONTACT_VALID);
    assert_true(g.k->contacts.len > 10);
    rig_for(&g, HD_SEC(90));
    assert_true(rig_is_neighbour(&g, p));
    assert_true(g.k->contacts.len > 10);
    rig_end(&g);
    alarm(0);
}

/* As if timers and a route had found no memory: the next tick makes up for it. */
static void test_failed_allocations_are_made_up_for(void **unused)
{
    struct hd_id far = rig_id(0x200);

    rig_make(&g, rig_id(10));
    rig_start(&g);
    rig_interface(&g, 1, true);
    struct rig_peer *p = rig_neighbour(&g, rig_id(11), 1);
    name(p, far);
    rig_for(&g, HD_SEC(3));
    struct hd_model *m = hd_router_model(g.router);
    struct hd_route_key key = {.prefix = hd_id_to_ip6(&far, g.config.node_prefix), .len = 128};
    assert_non_null(hd_model_route_find(m, &key));
    hd_model_route_del(m, &key);
    hd_timer_stop(&g.k->timers, &g.k->join);
    hd_timer_stop(&g.k->timers, &g.k->explore);
    hd_timer_stop(&g.k->timers, &g.k->interfaces.v[0]->hello);
    g.k->no_memory = true;
    rig_for(&g, HD_SEC(3));
    assert_non_null(hd_model_route_find(m, &key));
    assert_true(hd_timer_armed(&g.k->join) && hd_timer_armed(&g.k->explore));
    assert_true(hd_timer_armed(&g.k->interfaces.v[0]->hello));
    rig_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_wrap_goes_unnoticed),
        cmocka_unit_test(test_failed_allocations_are_made_up_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long uptime, the end of the sequence numbers, and times of need.
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

/* --- the end of the sequence numbers -------------------------------------------------------------
 */

static void save_sequence(uint32_t ssn)
{
    struct hd_writer w = hd_writer_make(g.saved_bytes[0], 4);

    hd_write_u32(&w, ssn);
    g.saved[0] = (struct hd_saved_value){HD_KIRA_SAVED_SEQUENCE, 4, g.saved_bytes[0]};
    g.saved_count = 1;
}

static uint32_t goodbyes(void)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < g.sent_len; i++)
        n += !g.sent[i].echo && (g.sent[i].m.capabilities & HD_KIRA_GOODBYE) != 0;
    return n;
}

static uint32_t messages(void)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < g.sent_len; i++)
        n += !g.sent[i].echo;
    return n;
}

/* Says goodbye, keeps silent until everybody has forgotten it, and begins at 1 as the same node. */
static void rest(struct rig_peer *p)
{
    assert_true(g.k->resting);
    assert_true(goodbyes() > 0);
    rig_for(&g, HD_KIRA_REST_GOODBYES + HD_SEC(2));
    assert_true(goodbyes() >= 5); /* some may be lost */
    assert_false(rig_is_neighbour(&g, p));
    rig_forget(&g);
    hd_time until = g.now + HD_KIRA_REST - HD_KIRA_REST_GOODBYES - HD_SEC(5);
    while (g.now < until) {
        rig_hello(&g, p);
        rig_for(&g, HD_SEC(5));
    }
    assert_int_equal(messages(), 0);
    rig_for(&g, HD_SEC(10));
    assert_false(g.k->resting);
    assert_true(rig_last(&g, HD_KIRA_HELLO) != NULL);
    assert_int_equal(rig_last(&g, HD_KIRA_HELLO)->m.h.ssn, 1);
    rig_meet(&g, p);
    assert_true(rig_is_neighbour(&g, p));
    assert_int_equal(g.k->ssn, 2);
    assert_true(g.k->ssn_ceiling <= 1025);
}

static void test_number_comes_to_its_end(void **unused)
{
    rig_make(&g, rig_id(10));
    save_sequence(HD_KIRA_SSN_LAST - 3);
    rig_start(&g);
    assert_int_equal(g.k->ssn_ceiling, HD_KIRA_SSN_LAST);
    rig_interface(&g, 1, true);
    struct rig_peer *p = rig_neighbour(&g, rig_id(11), 1);
    rig_for(&g, HD_SEC(5));
    rig_interface(&g, 1, false);
    assert_false(g.k->resting);
    rig_interface(&g, 1, true);
    rig_forget(&g);
    rig_meet(&g, p);
    rig_for(&g, HD_MS(1)); /* no number was sent that is none: rig.c looks at each */
    rest(p);
    rig_end(&g);
}

/* A router that ended at the last number, or while it rested, rests from its start. */
static void test_rest_survives_a_restart(void **unused)
{
    rig_make(&g, rig_id(10));
    save_sequence(HD_KIRA_SSN_LAST);
    g.key = 7;
    g.config.require_key = true;
    rig_start(&g);
    rig_interface(&g, 1, true);
    rig_for(&g, HD_KIRA_REST - HD_SEC(1));
    assert_true(g.k->resting);
    assert_int_equal(messages(), 0);
    rig_for(&g, HD_SEC(2));
    assert_false(g.k->resting);
    struct rig_peer *p = rig_neighbour(&g, rig_id(11), 1);
    rig_for(&g, HD_SEC(1));
    assert_true(rig_is_neighbour(&g, p));
    assert_true(g.k->ssn <= 3);
    rig_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_wrap_goes_unnoticed),
        cmocka_unit_test(test_failed_allocations_are_made_up_for),
        cmocka_unit_test(test_number_comes_to_its_end),
        cmocka_unit_test(test_rest_survives_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source-routed messages (kira.md 5.1, 5.4, 5.7, 5.9, 5.12): who may hand them over, where they go,
 * what is answered when they cannot, and which claims of others are believed. The core is node 10
 * with the neighbours 11 and 12.
 */
#include "rig.h"

static struct rig g;
static struct rig_peer *p11, *p12;

static void start(void)
{
    rig_make(&g, rig_id(10));
    rig_start(&g);
    rig_interface(&g, 1, true);
    rig_interface(&g, 2, true);
    p11 = rig_neighbour(&g, rig_id(11), 1);
    p12 = rig_neighbour(&g, rig_id(12), 2);
    rig_for(&g, HD_MS(50));
    rig_forget(&g);
}

static hd_node node(uint32_t n)
{
    struct hd_id id = rig_id(n);
    return hd_ids_find(hd_router_ids(g.router), &id);
}

static struct kira_contact *contact(uint32_t n)
{
    return kira_contact_find(g.k, node(n));
}

/* Source ... over the given nodes; the message stands at position `index`. */
static void routed(struct rig_out *o, uint8_t type, uint8_t flags, uint32_t dest, uint16_t index,
                   uint32_t count, const uint32_t *nodes)
{
    struct hd_id ids[32], to = rig_id(dest);

    for (uint32_t i = 0; i < count; i++)
        ids[i] = rig_id(nodes[i]);
    rig_begin(&g, o, type, flags, &ids[0], 5, &to);
    if (type == HD_KIRA_FIND_REQ)
        hd_kira_write_rtable_req(&o->w, HD_KIRA_RT_OVERLAY, 20);
    rig_route(o, index, ids, count);
}

#define ROUTE(...)                                                                                 \
    HD_ARRAY_LEN(((uint32_t[]){__VA_ARGS__})), (uint32_t[])                                        \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* A probe from `nodes[0]` teaches the core the way back. */
static void teach(struct rig_peer *from, uint32_t count, const uint32_t *nodes)
{
    struct rig_out o;

    routed(&o, HD_KIRA_PROBE_REQ, HD_KIRA_EXACT, 10, (uint16_t)(count - 1), count, nodes);
    rig_send(&g, &o, from);
}

static void expect_path(uint32_t to, uint32_t count, const uint32_t *nodes)
{
    const struct kira_contact *p = contact(to);
    hd_node path[HD_KIRA_PATH_MAX];

    assert_non_null(p);
    assert_int_equal(kira_path_read(g.k, p->active, path), count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(path[i], node(nodes[i]));
}

static void test_violations_are_dropped(void **unused)
{
    struct rig_out o;

    start();
    routed(&o, HD_KIRA_PROBE_REQ, 0, 10, 1, ROUTE(11, 77, 10)); /* stands at another node */
    rig_send(&g, &o, p11);
    assert_int_equal(g.k->drops[KIRA_DROP_NOT_FOR_US], 1);
    routed(&o, HD_KIRA_PROBE_REQ, 0, 10, 2, ROUTE(77, 12, 10)); /* came from 11, says 12 */
    rig_send(&g, &o, p11);
    assert_int_equal(g.k->drops[KIRA_DROP_PREVIOUS_HOP], 1);
    assert_null(contact(77));
    assert_int_equal(g.sent_len, 0);
    rig_end(&g);
}

/* Only the index changes on the way; the source is learned over the way back. */
static void test_forwarding_keeps_the_bytes(void **unused)
{
    struct rig_out o;

    start();
    routed(&o, HD_KIRA_PROBE_REQ, HD_KIRA_EXACT, 12, 2, ROUTE(20, 11, 10, 12));
    size_t mark = hd_kira_object_begin(&o.w, 0x55); /* unknown: kept */
    hd_write_u32(&o.w, 0xdeadbeef);
    hd_kira_object_end(&o.w, mark);
    p12->answers = false;
    rig_send(&g, &o, p11);
    const struct rig_sent *s = rig_last(&g, HD_KIRA_PROBE_REQ);
    assert_non_null(s);
    assert_int_equal(s->fx.ifindex, 2);
    assert_int_equal(s->m.index, 3);
    assert_int_equal(s->fx.len, hd_writer_len(&o.w));
    for (uint32_t i = 0; i < s->fx.len; i++)
        if (i != s->m.index_offset + 1)
            assert_int_equal(s->bytes[i], o.bytes[i]);
    expect_path(20, ROUTE(11, 20));
    rig_end(&g);
}

static void test_broken_segment_is_answered(void **unused)
{
    struct hd_id id10 = rig_id(10), id99 = rig_id(99);
    struct rig_out o;

    start();
    routed(&o, HD_KIRA_PROBE_REQ, HD_KIRA_EXACT, 99, 2, ROUTE(20, 11, 10, 99));
    rig_send(&g, &o, p11);
    const struct rig_sent *s = rig_last(&g, HD_KIRA_ERROR);
    assert_non_null(s);
    assert_int_equal(s->m.error_kind, HD_KIRA_SEGMENT_FAILURE);
    assert_true(hd_id_equal(&s->m.error_reporter, &id10));
    assert_true(hd_id_equal(&s->m.error_a, &id10) && hd_id_equal(&s->m.error_b, &id99));
    assert_int_equal(s->m.route.count, 3); /* 10, 11, 20 */
    assert_int_equal(s->m.index, 1);
    rig_forget(&g);
    routed(&o, HD_KIRA_UPDATE, 0, 99, 2, ROUTE(20, 11, 10, 99)); /* no answer is expected */
    rig_send(&g, &o, p11);
    routed(&o, HD_KIRA_ERROR, 0, 99, 2, ROUTE(20, 11, 10, 99)); /* errors make no errors */
    struct hd_id id20 = rig_id(20);
    hd_kira_write_error(&o.w, HD_KIRA_DEAD_END, &id20, &id20, &id20);
    rig_send(&g, &o, p11);
    assert_int_equal(g.sent_len, 0);
    rig_end(&g);
}

/* At an overlay hop a lookup goes on to somebody strictly closer, or it ends here. */
static void test_lookup_goes_strictly_closer(void **unused)
{
    struct rig_out o;

    start();
    routed(&o, HD_KIRA_FIND_REQ, 0, 13, 1, ROUTE(11, 10)); /* 12^13 = 1, 10^13 = 7, 11 asks */
    rig_send(&g, &o, p11);
    const struct rig_sent *s = rig_last(&g, HD_KIRA_FIND_REQ);
    assert_non_null(s);
    assert_int_equal(s->fx.ifindex, 2);
    assert_int_equal(s->m.route.count, 3);
    assert_int_equal(s->m.index, 2);
    rig_forget(&g);
    routed(&o, HD_KIRA_FIND_REQ, 0, 10 ^ 0x40, 1, ROUTE(11, 10)); /* nobody is closer */
    rig_send(&g, &o, p11);
    assert_int_equal(rig_count(&g, HD_KIRA_FIND_REQ), 0);
    assert_int_equal(rig_count(&g, HD_KIRA_FIND_RSP), 1);
    rig_forget(&g);
    routed(&o, HD_KIRA_FIND_REQ, HD_KIRA_EXACT, 10 ^ 0x40, 1, ROUTE(11, 10)); /* must exist */
    rig_send(&g, &o, p11);
    assert_int_equal(rig_count(&g, HD_KIRA_FIND_RSP), 0);
    s = rig_last(&g, HD_KIRA_ERROR);
    assert_non_null(s);
    assert_int_equal(s->m.error_kind, HD_KIRA_DEAD_END);
    rig_forget(&g);
    routed(&o, HD_KIRA_FIND_REQ, HD_KIRA_EXACT, 10, 1, ROUTE(11, 10)); /* it is this one */
    rig_send(&g, &o, p11);
    s = rig_last(&g, HD_KIRA_FIND_RSP);
    assert_non_null(s);
    struct hd_reader items = s->m.rtable;
    struct hd_kira_entry e;
    uint32_t n = 0;
    while (hd_kira_next_entry(&items, &e)) {
        struct hd_id id12 = rig_id(12); /* the asker itself is not told about itself */
        assert_true(hd_id_equal(&e.id, &id12));
        n++;
    }
    assert_int_equal(n, 1);
    rig_end(&g);
}

static void write_not_via(struct rig_out *o, uint32_t a, uint32_t b, uint32_t age_ms)
{
    struct hd_kira_not_via v = {.a = rig_id(a), .b = rig_id(b), .age_ms = age_ms};
    size_t mark = hd_kira_object_begin(&o->w, HD_KIRA_OBJ_NOT_VIA);

    hd_kira_write_not_via(&o->w, &v);
    hd_kira_object_end(&o->w, mark);
}

static void test_not_via(void **unused)
{
    struct rig_out o;

    start();
    teach(p11, ROUTE(21, 20, 11, 10));
    expect_path(21, ROUTE(11, 20, 21));
    rig_for(&g, HD_SEC(2));
    routed(&o, HD_KIRA_PROBE_REQ, 0, 10, 1, ROUTE(12, 10));
    write_not_via(&o, 10, 11, 0); /* our own link: we know better */
    rig_send(&g, &o, p12);
    assert_true(rig_is_neighbour(&g, p11));
    assert_int_equal(g.k->failed.len, 0);
    assert_int_equal(contact(21)->state, HD_KIRA_CONTACT_VALID);
    routed(&o, HD_KIRA_PROBE_REQ, 0, 10, 1, ROUTE(12, 10));
    write_not_via(&o, 20, 21, 1900); /* older than what we know, which is from just now */
    g.k->contacts.v[contact(21) - g.k->contacts.v].seen_ms = kira_ms(g.k, g.now);
    rig_send(&g, &o, p12);
    assert_int_equal(contact(21)->state, HD_KIRA_CONTACT_VALID);
    kira_link_works(&(struct kira_call){g.k, NULL}, node(20), node(21));
    rig_for(&g, HD_MS(100));
    p11->answers = false; /* what is asked now stays unanswered */
    routed(&o, HD_KIRA_PROBE_REQ, 0, 10, 1, ROUTE(12, 10));
    write_not_via(&o, 20, 21, 0);
    rig_send(&g, &o, p12);
    assert_true(kira_link_is_failed(g.k, node(20), node(21)));
    assert_int_equal(contact(21)->state, HD_KIRA_CONTACT_SEARCHING);
    rig_for(&g, HD_SEC(62)); /* and forgotten after a minute */
    assert_false(kira_link_is_failed(g.k, node(20), node(21)));
    rig_end(&g);
}

static void error_from(struct rig_peer *p, uint32_t source, uint32_t reporter, uint32_t a,
                       uint32_t b)
{
    struct hd_id r = rig_id(reporter), ia = rig_id(a), ib = rig_id(b);
    struct rig_out o;

    if (source == 11)
        routed(&o, HD_KIRA_ERROR, 0, 10, 1, ROUTE(11, 10));
    else
        routed(&o, HD_KIRA_ERROR, 0, 10, 2, ROUTE(source, 11, 10));
    hd_kira_write_error(&o.w, HD_KIRA_SEGMENT_FAILURE, &r, &ia, &ib);
    rig_send(&g, &o, p);
}

static void test_errors_are_believed_by_their_ends_only(void **unused)
{
    start();
    teach(p11, ROUTE(21, 20, 11, 10));
    rig_for(&g, HD_MS(100));
    error_from(p11, 11, 11, 20, 21); /* 11 is no end of it */
    assert_int_equal(g.k->failed.len, 0);
    assert_int_equal(contact(21)->state, HD_KIRA_CONTACT_VALID);
    error_from(p11, 11, 11, 10, 11); /* our own link */
    assert_int_equal(g.k->failed.len, 0);
    assert_true(rig_is_neighbour(&g, p11));
    p11->answers = false;
    error_from(p11, 20, 20, 20, 21);
    assert_int_equal(g.k->failed.len, 1);
    assert_int_not_equal(contact(21)->state, HD_KIRA_CONTACT_VALID);
    rig_end(&g);
}

/* The signature-less core can at least see who speaks: the reporter is the Error's source. */
static void test_errors_name_their_source(void **unused)
{
    start();
    teach(p11, ROUTE(21, 20, 11, 10));
    rig_for(&g, HD_MS(100));
    error_from(p11, 11, 20, 20, 21); /* 11 speaks for 20 */
    assert_int_equal(g.k->failed.len, 0);
    assert_int_equal(contact(21)->state, HD_KIRA_CONTACT_VALID);
    rig_end(&g);
}

static void update_from(struct rig_peer *p, uint32_t source, uint32_t about, uint32_t ssn,
                        uint8_t action)
{
    struct rig_out o;
    struct hd_id id = rig_id(about);

    if (source == 11)
        routed(&o, HD_KIRA_UPDATE, 0, 10, 1, ROUTE(11, 10));
    else
        routed(&o, HD_KIRA_UPDATE, 0, 10, 2, ROUTE(source, 11, 10));
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_UPDATE_INFO);
    hd_kira_write_entry_begin(&o.w, &id, 1);
    hd_kira_write_id(&o.w, &id);
    hd_kira_write_entry_end(&o.w, ssn, 0, 1);
    hd_write_u8(&o.w, action);
    hd_kira_object_end(&o.w, mark);
    rig_send(&g, &o, p);
}

static void test_updates(void **unused)
{
    start();
    teach(p11, ROUTE(21, 20, 11, 10)); /* with number 5 */
    rig_for(&g, HD_MS(100));
    p11->answers = p12->answers = false;
    rig_forget(&g);
    update_from(p11, 11, 21, 9, HD_KIRA_UNREACHABLE); /* our path does not use 11-21 */
    update_from(p11, 20, 21, 4, HD_KIRA_UNREACHABLE); /* older than what we know */
    update_from(p11, 20, 77, 4, HD_KIRA_UNREACHABLE); /* unknown */
    update_from(p11, 20, 12, 9, HD_KIRA_WITHDRAW);    /* a neighbour */
    assert_int_equal(contact(21)->state, HD_KIRA_CONTACT_VALID);
    assert_int_equal(g.k->failed.len, 0);
    assert_true(rig_is_neighbour(&g, p12));
    update_from(p11, 11, 21, 6, HD_KIRA_ANNOUNCE); /* a shorter way, once it has been probed */
    assert_int_equal(contact(21)->state, HD_KIRA_CONTACT_VALID);
    assert_int_equal(contact(21)->len, 3);
    assert_int_equal(contact(21)->proposed_len, 2);
    update_from(p11, 20, 21, 6, HD_KIRA_UNREACHABLE);
    assert_int_equal(g.k->failed.len, 1);
    assert_int_equal(rig_count(&g, HD_KIRA_UPDATE), 0); /* and nothing is passed on */
    rig_end(&g);
}

/* --- the own identity ----------------------------------------------------------------------------
 */

static void test_twin_by_hello(void **unused)
{
    start();
    struct rig_peer *twin = rig_peer(&g, rig_id(10), 1);
    rig_hello(&g, twin);
    assert_int_equal(g.events[HD_KIRA_EV_ID_COLLISION], 1);
    assert_int_equal(g.last_event[HD_KIRA_EV_ID_COLLISION].ifindex, 1);
    rig_hello(&g, twin); /* said once */
    assert_int_equal(g.events[HD_KIRA_EV_ID_COLLISION], 1);
    rig_end(&g);
}

static void test_twin_by_number(void **unused)
{
    struct hd_id route[3] = {rig_id(10), rig_id(11), rig_id(10)}, dest = rig_id(11);
    struct rig_out o;

    start();
    rig_begin(&g, &o, HD_KIRA_PROBE_REQ, 0, &route[0], g.k->ssn + 1, &dest);
    rig_route(&o, 2, route, 3);
    rig_send(&g, &o, p11);
    assert_int_equal(g.events[HD_KIRA_EV_ID_COLLISION], 1);
    rig_end(&g);
}

/* What is ours and leads back is no sign of a twin, and goes on. */
static void test_own_message_that_returns(void **unused)
{
    struct hd_id route[4] = {rig_id(10), rig_id(11), rig_id(10), rig_id(12)}, dest = rig_id(12);
    struct rig_out o;

    start();
    rig_begin(&g, &o, HD_KIRA_FIND_REQ, 0, &route[0], g.k->ssn, &dest);
    hd_kira_write_rtable_req(&o.w, HD_KIRA_RT_OVERLAY, 20);
    rig_route(&o, 2, route, 4);
    rig_send(&g, &o, p11);
    const struct rig_sent *s = rig_last(&g, HD_KIRA_FIND_REQ);
    assert_non_null(s);
    assert_int_equal(s->fx.ifindex, 2);
    assert_int_equal(s->m.index, 3);
    /* the own hello on a second interface of one segment */
    struct rig_peer *self = rig_peer(&g, rig_id(10), 1);
    self->address = (struct hd_ip6){{0xfe, 0x80, [14] = 0xff, [15] = 2}};
    rig_hello(&g, self);
    assert_int_equal(g.events[HD_KIRA_EV_ID_COLLISION], 0);
    /* handed over by somebody whom its route does not name */
    rig_forget(&g);
    rig_begin(&g, &o, HD_KIRA_FIND_REQ, 0, &route[0], g.k->ssn, &dest);
    hd_kira_write_rtable_req(&o.w, HD_KIRA_RT_OVERLAY, 20);
    rig_route(&o, 2, route, 4);
    rig_send(&g, &o, p12);
    assert_int_equal(g.sent_len, 0);
    rig_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_violations_are_dropped),
        cmocka_unit_test(test_forwarding_keeps_the_bytes),
        cmocka_unit_test(test_broken_segment_is_answered),
        cmocka_unit_test(test_lookup_goes_strictly_closer),
        cmocka_unit_test(test_not_via),
        cmocka_unit_test(test_errors_are_believed_by_their_ends_only),
        cmocka_unit_test(test_errors_name_their_source),
        cmocka_unit_test(test_updates),
        cmocka_unit_test(test_twin_by_hello),
        cmocka_unit_test(test_twin_by_number),
        cmocka_unit_test(test_own_message_that_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

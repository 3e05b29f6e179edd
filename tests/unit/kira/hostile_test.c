/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile neighbour can make one core do (kira.md 5.16): floods of each class are cut at the
 * burst, others do not feel it, and whatever can be made to grow has its bound.
 */
#include "rig.h"

#define FLOOD 6000

static struct rig g;
static struct rig_peer *bad, *good;

static void start(void)
{
    rig_make(&g, rig_id(10));
    rig_start(&g);
    rig_interface(&g, 1, true);
    rig_interface(&g, 2, true);
    bad = rig_neighbour(&g, rig_id(11), 1);
    good = rig_neighbour(&g, rig_id(12), 2);
    rig_for(&g, HD_SEC(3)); /* buckets are full */
    rig_forget(&g);
}

static void probe(struct rig_peer *p)
{
    struct hd_id route[2] = {p->id, g.k->id};
    struct rig_out o;

    rig_begin(&g, &o, HD_KIRA_PROBE_REQ, HD_KIRA_EXACT, &p->id, p->ssn, &g.k->id);
    rig_route(&o, 1, route, 2);
    rig_send(&g, &o, p);
}

static void message(uint8_t type, struct rig_peer *p)
{
    struct hd_id route[2] = {p->id, g.k->id};
    struct rig_out o;

    rig_begin(&g, &o, type, 0, &p->id, p->ssn, &g.k->id);
    if (type == HD_KIRA_FIND_REQ)
        hd_kira_write_rtable_req(&o.w, HD_KIRA_RT_OVERLAY, 20);
    if (type != HD_KIRA_HELLO && type != HD_KIRA_DISC_REQ)
        rig_route(&o, 1, route, 2);
    if (type == HD_KIRA_ERROR)
        hd_kira_write_error(&o.w, HD_KIRA_SEGMENT_FAILURE, &p->id, &p->id, &g.k->id);
    rig_send(&g, &o, p);
}

static void test_floods_are_cut(void **unused)
{
    static const struct {
        uint8_t type;
        uint32_t burst;
    } classes[] = {{HD_KIRA_DISC_REQ, 200},
                   {HD_KIRA_FIND_REQ, 2000},
                   {HD_KIRA_PROBE_REQ, 4000},
                   {HD_KIRA_UPDATE, 400},
                   {HD_KIRA_ERROR, 1000}};
    for (unsigned c = 0; c < HD_ARRAY_LEN(classes); c++) {
        start();
        uint32_t before = g.k->drops[KIRA_DROP_RATE];
        for (unsigned i = 0; i < FLOOD; i++) {
            message(classes[c].type, bad);
            if (i % 256 == 0)
                rig_forget(&g);
        }
        uint32_t cut = g.k->drops[KIRA_DROP_RATE] - before;
        assert_true(cut >= FLOOD - classes[c].burst);
        assert_true(cut <= FLOOD - classes[c].burst + 8); /* what start() used */
        rig_forget(&g);
        message(classes[c].type, good); /* others have buckets of their own */
        assert_int_equal(g.k->drops[KIRA_DROP_RATE] - before, cut);
        probe(good);
        assert_true(rig_count(&g, HD_KIRA_PROBE_RSP) > 0);
        rig_for(&g, HD_SEC(1)); /* and the flooder gets its rate again */
        before = g.k->drops[KIRA_DROP_RATE];
        message(classes[c].type, bad);
        assert_int_equal(g.k->drops[KIRA_DROP_RATE], before);
        rig_end(&g);
    }
}

static void test_echo_flood_is_cut(void **unused)
{
    uint8_t echo[HD_KIRA_ECHO_LEN] = {HD_KIRA_ECHO_MAGIC, HD_KIRA_ECHO_REQUEST};

    start();
    for (unsigned i = 0; i < FLOOD; i++)
        rig_deliver(&g, bad, echo, sizeof echo, 0);
    assert_true(g.k->drops[KIRA_DROP_RATE] >= FLOOD - 200);
    assert_true(g.sent_len <= 200);
    rig_end(&g);
}

/* --- strangers -----------------------------------------------------------------------------------
 */

/* Stranger n, with an address of its own, names as many nodes as a list may hold. */
static void stranger(uint32_t n, uint32_t names)
{
    struct rig_peer p = {
        .id = rig_id(0x10000000u + n),
        .ifindex = 1,
        .address = {{0xfe, 0x80, [8] = 0x77, [12] = (uint8_t)(n >> 24), [13] = (uint8_t)(n >> 16),
                     [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n}},
        .mac = {{2, 0x77, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}},
        .ssn = 1};
    static struct rig_out o;

    rig_begin(&g, &o, HD_KIRA_DISC_REQ, 0, &p.id, 1, &g.k->id);
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_CONTACTS);
    for (uint32_t i = 0; i < names; i++) {
        struct hd_kira_contact_item item = {.id = rig_id(0x40000000u + n * 640 + i), .ssn = 1};
        hd_kira_write_contact(&o.w, &item);
    }
    hd_kira_object_end(&o.w, mark);
    rig_send(&g, &o, &p);
}

static void flood_of_strangers(uint32_t count, uint32_t names)
{
    size_t peak = 0;

    for (uint32_t n = 0; n < count; n++) {
        stranger(n, names);
        if (n % 10 == 0)
            rig_for(&g, HD_MS(1)); /* 10,000 in a second */
        rig_forget(&g);
        peak = HD_MAX(peak, hd_router_pool(g.router)->live);
    }
    print_message("%u strangers: at most %zu KiB, %u neighbours, %u identifiers\n", count,
                  peak / 1024, g.k->ulns.len, hd_router_ids(g.router)->live);
    assert_true(peak < (size_t)32 << 20);
    assert_true(g.k->ulns.len <= HD_KIRA_ULNS_MAX);
    assert_true(g.k->vicinity.len <= HD_KIRA_VICINITY_MAX);
    assert_true(g.k->contacts.len <= HD_KIRA_CONTACTS_MAX);
    assert_true(g.k->requests.len <= HD_KIRA_REQUESTS_MAX);
    assert_true(rig_is_neighbour(&g, bad) && rig_is_neighbour(&g, good));
}

static void expect_service(void)
{
    rig_forget(&g);
    probe(good);
    assert_true(rig_count(&g, HD_KIRA_PROBE_RSP) > 0);
    struct rig_peer *late = rig_neighbour(&g, rig_id(13), 2); /* on the other link */
    assert_true(rig_is_neighbour(&g, late));
}

static void test_a_hundred_thousand_strangers(void **unused)
{
    start();
    flood_of_strangers(100000, 0);
    assert_true(g.k->drops[KIRA_DROP_RATE] > 90000);
    expect_service();
    rig_for(&g, HD_SEC(200)); /* none of them answers: all are forgotten */
    assert_int_equal(g.k->ulns.len, 3);
    assert_true(hd_router_pool(g.router)->live < (size_t)4 << 20);
    expect_service();
    rig_end(&g);
}

static void test_strangers_with_long_lists(void **unused)
{
    start();
    flood_of_strangers(20000, 600);
    expect_service(); /* although they name more nodes than can be known */
    rig_for(&g, HD_SEC(200));
    assert_int_equal(g.k->ulns.len, 3);
    expect_service();
    rig_end(&g);
}

/* --- labels --------------------------------------------------------------------------------------
 */

static void test_labels_of_one_neighbour_are_bounded(void **unused)
{
    struct rig_out o;
    uint32_t n = 0, most = HD_LABELS_MAX_DEFAULT / HD_KIRA_LABELS_PER_ULN_SHARE;

    start();
    while (n < most + 2000) {
        struct hd_id route[6] = {bad->id,          g.k->id,         good->id, rig_id(0x200000 + n),
                                 rig_id(0x300000), rig_id(0x300001)};
        rig_begin(&g, &o, HD_KIRA_SETUP_REQ, 0, &bad->id, bad->ssn, &route[5]);
        rig_route(&o, 1, route, 6);
        rig_send(&g, &o, bad);
        if (++n % 1000 == 0)
            rig_for(&g, HD_MS(600));
        rig_forget(&g);
    }
    assert_int_equal(g.k->drops[KIRA_DROP_RATE], 0);
    assert_int_equal(g.k->labels_explicit, most);
    assert_true(g.k->counts[KIRA_N_LABEL_REFUSED] >= 2000);
    struct hd_id route[6] = {good->id,         g.k->id,          bad->id,
                             rig_id(0x400000), rig_id(0x400001), rig_id(0x400002)};
    rig_begin(&g, &o, HD_KIRA_SETUP_REQ, 0, &good->id, good->ssn, &route[5]);
    rig_route(&o, 1, route, 6);
    rig_send(&g, &o, good);
    assert_int_equal(g.k->labels_explicit, most + 1); /* others have their share */
    rig_for(&g, HD_SEC(90));                          /* nobody refreshed them */
    assert_int_equal(g.k->labels_explicit, 0);
    assert_int_equal(kira_uln_find(g.k, hd_ids_find(hd_router_ids(g.router), &bad->id))->labels, 0);
    rig_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floods_are_cut),
        cmocka_unit_test(test_echo_flood_is_cut),
        cmocka_unit_test(test_a_hundred_thousand_strangers),
        cmocka_unit_test(test_strangers_with_long_lists),
        cmocka_unit_test(test_labels_of_one_neighbour_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A neighbour with many neighbours of its own (doc/decisions/0017): it fills neither the vicinity
 * nor the labels, paths over it are set up, and what is left of its life before goes with its
 * return. And neighbours that come and go all the time.
 */
#include "core/kira/forwarding.h"
#include "rig.h"

#define CROWD 190

static struct rig g;
static struct rig_peer *hub;

static void start(void)
{
    rig_make(&g, rig_id(10));
    rig_start(&g);
    rig_interface(&g, 1, true);
    hub = rig_neighbour(&g, rig_id(11), 1);
    rig_for(&g, HD_SEC(1));
}

/* The hub lists itself, us, and n others. */
static void list(uint32_t first, uint32_t n)
{
    hub->list_len = 1;
    for (uint32_t i = 0; i < n; i++)
        hub->list[hub->list_len++] = rig_id(first + i);
    hub->ssn++;
    rig_meet(&g, hub);
    rig_for(&g, HD_MS(100));
}

static bool label_over_hub(uint32_t z)
{
    struct hd_id end = rig_id(z);
    const struct hd_id *path[3] = {&g.k->id, &hub->id, &end};
    struct hd_label label;

    hd_kira_path_label(path, 3, label.b);
    return hd_model_label_find(hd_router_model(g.router), &label) != NULL;
}

/* Does a path over this first node and middle need a set-up? */
static bool needs_setup(struct rig_peer *first, struct hd_id middle)
{
    struct hd_ids *ids = hd_router_ids(g.router);
    struct hd_id end = rig_id(0x9999);
    hd_node path[3] = {hd_ids_find(ids, &first->id), hd_ids_find(ids, &middle),
                       hd_ids_intern(ids, &end)};

    return kira_path_needs_setup(g.k, path, 3);
}

static void test_hub_takes_its_share(void **unused)
{
    start();
    list(0x400, 20);
    assert_int_equal(g.k->labels_two_hop, 20);
    assert_int_equal(g.k->vicinity.len, 21);
    list(0x400, CROWD);
    assert_int_equal(g.k->labels_two_hop, HD_KIRA_HUB_DEGREE);
    assert_true(g.k->vicinity.len > HD_KIRA_HUB_DEGREE / 2);
    assert_true(g.k->vicinity.len < 2 * HD_KIRA_HUB_DEGREE);
    hd_node node = hd_ids_find(hd_router_ids(g.router), &hub->id);
    assert_int_equal(kira_vicinity_find(g.k, node)->degree, CROWD + 1);
    list(0x400 + CROWD - 20, 20); /* what it loses makes room again, for those that had none too */
    assert_int_equal(g.k->labels_two_hop, 20);
    rig_end(&g);
}

/* A neighbour lists one node, and says which number and degree that has. */
static void name(struct rig_peer *p, struct hd_id id, uint32_t ssn, uint16_t degree)
{
    struct rig_out o;

    rig_begin(&g, &o, HD_KIRA_DISC_REQ, 0, &p->id, ++p->ssn, &g.k->id);
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_CONTACTS);
    struct hd_kira_contact_item own = {.id = g.k->id, .ssn = 1, .degree = 1};
    struct hd_kira_contact_item item = {.id = id, .ssn = ssn, .degree = degree};
    hd_kira_write_contact(&o.w, &own);
    hd_kira_write_contact(&o.w, &item);
    hd_kira_object_end(&o.w, mark);
    hd_kira_write_capabilities(&o.w, p->capabilities);
    rig_send(&g, &o, p);
}

/* The middle of a path tells its degree itself, or somebody does: it counts as small till then. */
static void test_what_is_known_of_a_middle(void **unused)
{
    struct hd_id middle = rig_id(0x700);

    start();
    name(hub, middle, 5, HD_KIRA_DEGREE_UNKNOWN);
    rig_for(&g, HD_MS(1));
    assert_false(needs_setup(hub, middle)); /* is being asked */
    name(hub, middle, 5, 20);
    rig_for(&g, HD_MS(1));
    assert_false(needs_setup(hub, middle));
    name(hub, middle, 5, 49);
    rig_for(&g, HD_MS(1));
    assert_true(needs_setup(hub, middle)); /* may have grown since */
    assert_true(needs_setup(hub, rig_id(0x701)));
    rig_end(&g);
}

/* Who has many neighbours keeps fewer labels over each, and everybody can tell how many. */
static void test_share_follows_from_the_degree(void **unused)
{
    assert_int_equal(kira_two_hop_share(0), HD_KIRA_HUB_DEGREE);
    assert_int_equal(kira_two_hop_share(128), HD_KIRA_HUB_DEGREE);
    assert_int_equal(kira_two_hop_share(129), 63);
    for (uint32_t degree = 1; degree <= HD_KIRA_ULNS_MAX; degree++) {
        assert_true(degree * kira_two_hop_share(degree) <= HD_KIRA_TWO_HOP_LABELS);
        assert_true(kira_two_hop_trust(degree) < kira_two_hop_share(degree));
    }
    start();
    list(0x400, 60);
    assert_int_equal(g.k->labels_two_hop, 60);
    g.k->two_hop_share = 80; /* as if there had been few neighbours */
    list(0x400, 75);
    assert_int_equal(g.k->labels_two_hop, 75);
    rig_neighbour(&g, rig_id(12), 1);
    assert_int_equal(g.k->two_hop_share, HD_KIRA_HUB_DEGREE);
    assert_int_equal(kira_uln_find(g.k, hd_ids_find(hd_router_ids(g.router), &hub->id))->two_hop,
                     HD_KIRA_HUB_DEGREE);
    rig_end(&g);
}

/* A neighbour becomes a hub: the number steps once, and again only after it was none for sure. */
static void test_hub_is_news(void **unused)
{
    uint32_t ssn;

    start();
    list(0x400, 30);
    ssn = g.k->ssn;
    list(0x400, 60);
    assert_int_equal(g.k->ssn, ssn); /* all labels are there */
    list(0x400, 70);
    assert_int_equal(g.k->ssn, ssn + 1);
    list(0x400, 55);
    list(0x400, 70);
    assert_int_equal(g.k->ssn, ssn + 1);
    list(0x400, 20);
    list(0x400, 70);
    assert_int_equal(g.k->ssn, ssn + 2);
    rig_end(&g);
}

/* A list that does not hold all says of no link that it failed, and of none that it works again. */
static void test_lists_in_part(void **unused)
{
    struct rig_out o;
    struct hd_ids *ids;

    start();
    ids = hd_router_ids(g.router);
    list(0x400, 30);
    struct hd_id out = rig_id(0x41d);
    hd_node h = hd_ids_find(ids, &hub->id), b = hd_ids_find(ids, &out);
    assert_true(label_over_hub(0x41d));
    rig_begin(&g, &o, HD_KIRA_DISC_REQ, 0, &hub->id, ++hub->ssn, &g.k->id);
    hd_write_u16_at(&o.w, 53, 1000); /* of a thousand it lists ten */
    size_t mark = hd_kira_object_begin(&o.w, HD_KIRA_OBJ_CONTACTS);
    for (uint32_t i = 0; i < 10; i++) {
        struct hd_kira_contact_item item = {.id = rig_id(0x400 + i), .ssn = 1, .degree = 1};
        hd_kira_write_contact(&o.w, &item);
    }
    hd_kira_object_end(&o.w, mark);
    rig_send(&g, &o, hub);
    assert_false(label_over_hub(0x41d)); /* makes room */
    assert_true(label_over_hub(0x401));
    assert_false(kira_link_is_failed(g.k, h, b));
    assert_int_equal(kira_vicinity_find(g.k, h)->degree, 1000);
    rig_end(&g);
}

static void test_labels_end_with_the_life(void **unused)
{
    start();
    list(0x400, 5);
    assert_true(label_over_hub(0x402));
    rig_interface(&g, 1, false);
    assert_false(rig_is_neighbour(&g, hub));
    rig_for(&g, HD_SEC(5));
    assert_true(label_over_hub(0x402)); /* answers "dead link" for a minute */
    rig_interface(&g, 1, true);
    list(0x500, 5);
    assert_true(rig_is_neighbour(&g, hub));
    assert_true(label_over_hub(0x502));
    assert_false(label_over_hub(0x402));
    assert_int_equal(g.k->labels_two_hop, 5);
    rig_end(&g);
}

/* The list is saved at a rate; what is saved in between says that there is none to go on with. */
static void test_flapping_saves_little(void **unused)
{
    const struct hd_saved_value *v = NULL;
    uint32_t ssn;

    start();
    for (unsigned i = 0; i < 100; i++) {
        rig_interface(&g, 1, false);
        rig_interface(&g, 1, true);
        rig_meet(&g, hub);
    }
    for (uint32_t i = 0; i < g.saved_count; i++)
        if (g.saved[i].key == HD_KIRA_SAVED_NEIGHBOURS)
            v = &g.saved[i];
    assert_non_null(v);
    assert_true(g.k->save_late);
    assert_int_equal(v->len, 4);
    rig_for(&g, HD_SEC(3));
    assert_false(g.k->save_late);
    assert_int_equal(v->len, 4 + 40);
    struct hd_reader r = hd_reader_make(v->bytes, v->len);
    ssn = hd_read_u32(&r);
    assert_int_equal(ssn, g.k->ssn);
    rig_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hub_takes_its_share),
        cmocka_unit_test(test_what_is_known_of_a_middle),
        cmocka_unit_test(test_share_follows_from_the_degree),
        cmocka_unit_test(test_hub_is_news),
        cmocka_unit_test(test_lists_in_part),
        cmocka_unit_test(test_labels_end_with_the_life),
        cmocka_unit_test(test_flapping_saves_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

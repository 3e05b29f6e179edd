/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A neighbour with many neighbours of its own (doc/decisions/0017): it fills neither the vicinity
 * nor the labels, paths over it are set up, and what is left of its life before goes with its
 * return. And neighbours that come and go all the time.
 */
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

static void test_hub_takes_its_share(void **unused)
{
    struct hd_ids *ids;
    hd_node path[3];

    start();
    ids = hd_router_ids(g.router);
    list(0x400, 20);
    assert_int_equal(g.k->labels_two_hop, 20);
    assert_int_equal(g.k->vicinity.len, 21);
    for (unsigned i = 0; i < 3; i++)
        path[i] = hd_ids_find(ids, i == 1 ? &hub->id : &g.k->id);
    assert_false(kira_path_needs_setup(g.k, path, 3)); /* X, hub, Z: exists by precomputation */
    list(0x400, CROWD);
    assert_int_equal(g.k->labels_two_hop, HD_KIRA_HUB_DEGREE);
    assert_true(g.k->vicinity.len > HD_KIRA_HUB_DEGREE / 2);
    assert_true(g.k->vicinity.len < 2 * HD_KIRA_HUB_DEGREE);
    assert_int_equal(kira_vicinity_find(g.k, path[1])->degree, CROWD + 1);
    assert_true(kira_path_needs_setup(g.k, path, 3));
    list(0x400 + CROWD - 20, 20); /* what it loses makes room again, for those that had none too */
    assert_int_equal(g.k->labels_two_hop, 20);
    assert_false(kira_path_needs_setup(g.k, path, 3));
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
        cmocka_unit_test(test_labels_end_with_the_life),
        cmocka_unit_test(test_flapping_saves_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios: every generator (counts, connectivity, equal graphs for equal seeds by a pinned
 * number), every reader, every kind of message about wrong input. Real topologies are read from
 * ../shared when that is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base.h"
#include "scenario/internal.h"

static char err[HD_SCENARIO_ERROR];

static struct hd_scenario *generate(const char *text, uint64_t seed)
{
    struct hd_scenario *s;
    int rc = hd_scenario_generate(text, seed, &s, err, sizeof err);

    if (rc < 0)
        fail_msg("%s: %s", text, err);
    return s;
}

/* Number of nodes reached from node 0. */
static uint32_t reached(const struct hd_scenario *s)
{
    bool *in = calloc(s->node_count, sizeof *in);
    uint32_t count = 1;

    in[0] = true;
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < s->link_count; i++) {
            const struct hd_scenario_link *l = &s->links[i];

            assert_true(l->a < s->node_count && l->b < s->node_count && l->a != l->b);
            if (in[l->a] != in[l->b]) {
                in[l->a] = in[l->b] = true;
                count++;
                more = true;
            }
        }
    }
    free(in);
    return count;
}

static void test_regular(void **state)
{
    static const struct {
        const char *text;
        uint32_t nodes, links;
    } want[] = {
        {"line:1", 1, 0},         {"line:5", 5, 4},
        {"ring:5", 5, 5},         {"ring:2", 2, 1},
        {"star:6", 6, 5},         {"full:6", 6, 15},
        {"tree:7,2", 7, 6},       {"grid:3x3", 9, 12},
        {"grid:5x2", 10, 13},     {"torus:4x5", 20, 40},
        {"torus:2x3", 6, 9},      {"fat-tree:4", 20, 32},
        {"fat-tree:4,2", 36, 48}, {"ba:50,3", 50, 6 + 46 * 3},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(want); i++) {
        struct hd_scenario *s = generate(want[i].text, 1);

        assert_int_equal(s->node_count, want[i].nodes);
        assert_int_equal(s->link_count, want[i].links);
        assert_int_equal(reached(s), s->node_count);
        hd_scenario_free(s);
    }
}

/* Grid links join neighbours in the plane; nodes of a torus all have degree 4. */
static void test_shape(void **state)
{
    struct hd_scenario *s = generate("grid:4x3", 1);
    uint32_t degree[20] = {0};

    for (uint32_t i = 0; i < s->link_count; i++) {
        int dx = abs((int)(s->links[i].a % 4) - (int)(s->links[i].b % 4));
        int dy = abs((int)(s->links[i].a / 4) - (int)(s->links[i].b / 4));

        assert_int_equal(dx + dy, 1);
    }
    hd_scenario_free(s);
    s = generate("torus:4x5", 1);
    for (uint32_t i = 0; i < s->link_count; i++) {
        degree[s->links[i].a]++;
        degree[s->links[i].b]++;
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(degree[i], 4);
    hd_scenario_free(s);
}

/* The number pinned here is the graph: it must be the same on every machine and for ever. */
static void test_random_pinned(void **state)
{
    static const struct {
        const char *text;
        uint64_t hash;
    } want[] = {
        {"ba:200,2", 0xc4359857ecd782eb},      {"ws:200,4,0.1", 0x3af32dcc82edb906},
        {"nws:200,4,0.1", 0x437b76fb634b4dde}, {"er:200,3.5", 0x7af7b11533f0433a},
        {"rgg:200,6", 0x2924f5e9a865cc1f},     {"grid:7x7", 0xeb2d28a485a46a1c},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(want); i++) {
        struct hd_scenario *s = generate(want[i].text, 42), *again = generate(want[i].text, 42);
        struct hd_scenario *other = generate(want[i].text, 43);

        if (hd_scenario_hash(s) != want[i].hash)
            fail_msg("{\"%s\", 0x%llx}", want[i].text, (unsigned long long)hd_scenario_hash(s));
        assert_int_equal(hd_scenario_hash(s), hd_scenario_hash(again));
        if (strncmp(want[i].text, "grid", 4) != 0)
            assert_int_not_equal(hd_scenario_hash(s), hd_scenario_hash(other));
        assert_int_equal(reached(s), s->node_count);
        hd_scenario_free(s);
        hd_scenario_free(again);
        hd_scenario_free(other);
    }
}

static void assert_no_parallel_links(const struct hd_scenario *s)
{
    struct hd_scn_pairs pairs = {0};

    for (uint32_t i = 0; i < s->link_count; i++)
        assert_int_equal(hd_scn_pairs_add(&pairs, s->links[i].a, s->links[i].b), 1);
    hd_scn_pairs_free(&pairs);
}

static void test_random_statistics(void **state)
{
    struct hd_scenario *s = generate("er:2000,4", 7);

    assert_int_equal(s->node_count + s->dropped_nodes, 2000);
    assert_in_range(s->dropped_nodes, 1, 100); /* about e^-4 of the nodes are alone */
    assert_no_parallel_links(s);
    assert_string_equal(s->nodes[s->node_count - 1].name, "n1959");
    hd_scenario_free(s);

    s = generate("rgg:2000,12", 7);
    assert_in_range(2000 * s->link_count / s->node_count, 10000, 12000); /* border effect */
    assert_no_parallel_links(s);
    hd_scenario_free(s);

    s = generate("ws:1000,6,0.2", 7);
    assert_int_equal(s->link_count, 3000);
    uint32_t far = 0;
    for (uint32_t i = 0; i < s->link_count; i++) {
        uint32_t d = (s->links[i].a + 1000 - s->links[i].b) % 1000;

        far += d > 3 && d < 997;
    }
    assert_in_range(far, 500, 700);
    assert_no_parallel_links(s);
    hd_scenario_free(s);

    s = generate("nws:1000,6,0.2", 7);
    assert_in_range(s->link_count, 3500, 3700);
    hd_scenario_free(s);
    s = generate("ws:1000,6,0", 7);
    struct hd_scenario *ring = generate("ws:1000,6,0", 8);
    assert_int_equal(hd_scenario_hash(s), hd_scenario_hash(ring));
    hd_scenario_free(s);
    hd_scenario_free(ring);
}

/* Geometric links by cells, against the same points compared pairwise would need the points:
 * instead the degree of many seeds stays near its mean, and one cell (few nodes) agrees with a full
 * check. */
static void test_geometric_small(void **state)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct hd_scenario *s = generate("rgg:8,7.9", seed);

        assert_int_equal(s->node_count + s->dropped_nodes, 8);
        assert_int_equal(reached(s), s->node_count);
        assert_no_parallel_links(s);
        hd_scenario_free(s);
    }
}

static void test_bad_generators(void **state)
{
    static const char *const bad[][2] = {
        {"grid:5", "grid:WxH"},
        {"grid:5x5x5", "grid:WxH"},
        {"line:0", "line:N"},
        {"line:", "line:N"},
        {"line:x", "line:N"},
        {"ba:3,3", "ba:N,M"},
        {"ws:10,3,0.1", "K even"},
        {"ws:10,4,1.1", "P from 0"},
        {"er:10,10", "below N"},
        {"fat-tree:3", "K even"},
        {"mesh:3", "expected one of line"},
        {"line:5000000", "4000000"},
        {"full:400000", "40000000"},
        {"line:99999999999999999999999", "line:N"},
        {"grid:4000000x4000000", "4000000"},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(bad); i++) {
        struct hd_scenario *s;
        int rc = hd_scenario_generate(bad[i][0], 1, &s, err, sizeof err);

        assert_true(rc < 0);
        assert_null(s);
        if (strstr(err, bad[i][1]) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i][0], err, bad[i][1]);
    }
}

static void test_decimals(void **state)
{
    uint64_t v;
    const char *end;

    assert_int_equal(hd_scn_decimal("12.3456789x", 3, &v, &end), 0);
    assert_int_equal(v, 12345);
    assert_string_equal(end, "x");
    assert_int_equal(hd_scn_decimal("7", 6, &v, &end), 0);
    assert_int_equal(v, 7000000);
    assert_int_equal(hd_scn_decimal(".", 6, &v, &end), HD_EMALFORMED);
    assert_int_equal(hd_scn_decimal("-1", 0, &v, &end), HD_EMALFORMED);
    assert_int_equal(hd_scn_decimal("18446744073709551616", 0, &v, &end), HD_EMALFORMED);
}

/* Berlin to Paris 878 km, Sydney to Los Angeles 12,060 km, 200 km per ms. */
static void test_fibre_delay(void **state)
{
    hd_time near = hd_scn_fibre_delay(52520000, 13405000, 48856600, 2352200);
    hd_time far = hd_scn_fibre_delay(-33868800, 151209300, 34052200, -118243700);

    assert_in_range(near, HD_US(878 * 5 - 15), HD_US(878 * 5 + 15));
    assert_in_range(far, HD_US(12060 * 5 - 2000), HD_US(12060 * 5 + 100));
    assert_int_equal(hd_scn_fibre_delay(1, 2, 1, 2), 0);
}

/* --- files ---------------------------------------------------------------------------------------
 */

static char folder[64];

static const char *write_file(const char *name, const char *text)
{
    static char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/heddle-scenario-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static struct hd_scenario *load(const char *name, const char *text)
{
    struct hd_scenario *s;

    if (hd_scenario_load(write_file(name, text), &s, err, sizeof err) < 0)
        fail_msg("%s", err);
    return s;
}

static const char full_scenario[] =
    "{\"name\": \"all of it\", \"seed\": 9, \"until_ms\": 8000,\n"
    " \"topology\": {\"generator\": \"grid:3x2\"},\n"
    " \"nodes\": [\"x\", {\"name\": \"n1\", \"id\": \"000102030405060708090a0b0c0d\", \"key\": 3,\n"
    "   \"end_system\": true, \"skew_ppm\": -50, \"start_ms\": 1.5},\n"
    "   {\"name\": \"late\", \"started\": false}],\n"
    " \"link_defaults\": {\"delay_us\": 10},\n"
    " \"links\": [[\"x\", \"n0\"], {\"a\": \"x\", \"b\": \"n5\", \"delay_ms\": 2.25, \"loss\": "
    "\"0.5%\",\n"
    "   \"rate_bps\": \"2.5G\", \"mtu\": 9000, \"duplicate\": 7, \"queue_bytes\": 5},\n"
    "   {\"a\": \"n1\", \"b\": \"n0\", \"delay_us\": 99}, [\"x\", \"n5\"], [\"late\", \"n2\"]],\n"
    " \"schedule\": [{\"at_ms\": 500, \"action\": \"heal\", \"target\": \"*\"},\n"
    "   {\"at_ms\": 100, \"action\": \"cut\", \"target\": [\"n5\", \"x\"]},\n"
    "   {\"at_ms\": 100, \"action\": \"kill\", \"target\": \"n4\"},\n"
    "   {\"at_ms\": 200, \"action\": \"partition\", \"nodes\": [\"n0\", \"n3\"]},\n"
    "   {\"at_ms\": 50, \"action\": \"loss\", \"target\": [\"n0\", \"n1\"], \"loss\": 1000},\n"
    "   {\"at_ms\": 600, \"action\": \"restart\", \"target\": \"n4\", \"resumed\": true,\n"
    "    \"repeat\": {\"every_ms\": 10, \"times\": 3}}],\n"
    " \"probes\": [{\"from\": \"x\", \"to\": \"n2\", \"interval_us\": 500, \"size\": 100,\n"
    "   \"start_ms\": 1, \"stop_ms\": 2}],\n"
    " \"expect\": [{\"expect\": \"all_pairs\", \"by_ms\": 4000}, {\"expect\": \"gap\", \"probe\": "
    "0,\n"
    "   \"max_ms\": 20}, {\"expect\": \"pair\", \"from\": \"x\", \"to\": \"n1\", \"by_ms\": 150,\n"
    "   \"reachable\": false}, {\"expect\": \"no_loop\"}, {\"expect\": \"lost\", \"max\": 3}]}\n";

static void test_json_topology(void **state)
{
    struct hd_scenario *s = load("full.json", full_scenario);
    uint32_t x = hd_scenario_find_node(s, "x"), n1 = hd_scenario_find_node(s, "n1");

    assert_string_equal(s->name, "all of it");
    assert_int_equal(s->seed, 9);
    assert_int_equal(s->until_ns, HD_SEC(8));
    assert_int_equal(s->node_count, 8);
    assert_int_equal(s->link_count, 7 + 4);
    assert_int_equal(x, 6);
    assert_int_equal(n1, 1);
    assert_true(s->nodes[n1].has_id && s->nodes[n1].end_system);
    assert_int_equal(s->nodes[n1].id[13], 13);
    assert_int_equal(s->nodes[n1].key, 3);
    assert_int_equal(s->nodes[n1].skew_ppm, -50);
    assert_int_equal(s->nodes[n1].start_ns, HD_US(1500));
    assert_int_equal(s->nodes[7].start_ns, HD_NEVER);
    assert_int_equal(s->nodes[0].start_ns, 0);
    uint32_t link = hd_scenario_find_link(s, 0, 1, 0);

    assert_int_equal(s->links[link].delay_ns, HD_US(99));
    link = hd_scenario_find_link(s, 5, x, 0);
    assert_int_equal(s->links[link].delay_ns, HD_US(2250));
    assert_int_equal(s->links[link].loss_ppm, 5000);
    assert_int_equal(s->links[link].rate_bps, 2500000000u);
    assert_int_equal(s->links[link].mtu, 9000);
    assert_int_equal(s->links[link].duplicate_ppm, 7);
    link = hd_scenario_find_link(s, 5, x, link + 1);
    assert_int_equal(s->links[link].delay_ns, HD_US(10));
    assert_int_equal(s->links[link].mtu, 1500);
    assert_int_equal(hd_scenario_find_link(s, 5, x, link + 1), HD_SCENARIO_NONE);
    hd_scenario_free(s);
}

static void test_json_schedule(void **state)
{
    struct hd_scenario *s = load("full.json", full_scenario);
    static const struct {
        int64_t at_ms;
        enum hd_scenario_action action;
    } want[] = {
        {50, HD_SCENARIO_CHANGE},                         /* n0-n1 */
        {100, HD_SCENARIO_CUT},   {100, HD_SCENARIO_CUT}, /* both links x-n5 */
        {100, HD_SCENARIO_KILL},                          /* n4 */
        {200, HD_SCENARIO_CUT},   {200, HD_SCENARIO_CUT}, {200, HD_SCENARIO_CUT}, /* border */
    };

    assert_int_equal(s->event_count, 7 + 11 + 3);
    for (size_t i = 0; i < HD_ARRAY_LEN(want); i++) {
        assert_int_equal(s->events[i].at_ns, HD_MS(want[i].at_ms));
        assert_int_equal(s->events[i].action, want[i].action);
    }
    assert_int_equal(s->events[0].fields, HD_SCENARIO_F_LOSS);
    assert_int_equal(s->events[0].change.loss_ppm, 1000);
    assert_int_equal(s->events[3].node, 4);
    assert_int_equal(s->events[3].link, HD_SCENARIO_NONE);
    for (uint32_t i = 4; i < 7; i++) {
        const struct hd_scenario_link *l = &s->links[s->events[i].link];

        assert_true((l->a == 0 || l->a == 3) != (l->b == 0 || l->b == 3));
    }
    for (uint32_t i = 18; i < 21; i++) {
        assert_int_equal(s->events[i].action, HD_SCENARIO_RESTART);
        assert_true(s->events[i].resumed);
        assert_int_equal(s->events[i].at_ns, HD_MS(600 + 10 * (i - 18)));
    }
    hd_scenario_free(s);
}

static void test_json_probes(void **state)
{
    struct hd_scenario *s = load("full.json", full_scenario);

    assert_int_equal(s->probe_count, 1);
    assert_int_equal(s->probes[0].interval_ns, HD_US(500));
    assert_int_equal(s->probes[0].size, 100);
    assert_int_equal(s->probes[0].stop_ns, HD_MS(2));
    assert_int_equal(s->expect_count, 5);
    assert_int_equal(s->expects[0].kind, HD_SCENARIO_ALL_PAIRS);
    assert_int_equal(s->expects[0].at_ns, HD_SEC(4));
    assert_int_equal(s->expects[1].limit_ns, HD_MS(20));
    assert_int_equal(s->expects[1].probe, 0);
    assert_false(s->expects[2].reachable);
    assert_int_equal(s->expects[2].from, 6);
    assert_int_equal(s->expects[4].limit_count, 3);
    assert_int_equal(s->expects[4].probe, HD_SCENARIO_NONE);
    hd_scenario_free(s);
}

static void test_json_errors(void **state)
{
    static const char *const bad[][2] = {
        {"{\"nodes\": [\"a\",\n ]}", "line 2"},
        {"{\"nodes\": [\"a\"], \"nodes\": []}", "duplicate"},
        {"[]", "expected an object"},
        {"{}", "nodes: expected at least one node"},
        {"{\"node\": []}", "node: expected one of name, seed"},
        {"{\"nodes\": [\"a b\"]}", "nodes[0].name: expected at most 47"},
        {"{\"nodes\": [\"../x\"]}", "nodes[0].name"},
        {"{\"nodes\": [{\"name\": \"a\", \"id\": \"12\"}]}", "nodes[0].id: expected 28"},
        {"{\"nodes\": [{\"name\": \"a\", \"skew\": 1}]}", "nodes[0].skew: expected one of"},
        {"{\"nodes\": [\"a\"], \"links\": [[\"a\", \"b\"]]}", "links[0].b: expected the name of a "
                                                              "node; there is no \"b\""},
        {"{\"nodes\": [\"a\"], \"links\": [[\"a\", \"a\"]]}", "two different"},
        {"{\"nodes\": [\"a\"], \"links\": [\"a\"]}", "links[0]: expected [\"n1\", \"n2\"]"},
        {"{\"topology\": {\"generator\": \"line:2\"}, \"link_defaults\": {\"mtu\": 12}}",
         "link_defaults.mtu: expected a whole number from 1280 to 65535"},
        {"{\"topology\": {\"generator\": \"line:2\"}, \"link_defaults\": {\"loss\": \"101%\"}}",
         "link_defaults.loss"},
        {"{\"topology\": {\"generator\": \"line:2\"}, \"link_defaults\": {\"delay_us\": -1}}",
         "link_defaults.delay_us"},
        {"{\"topology\": {\"generator\": \"line:2\"}, \"link_defaults\": {\"rate_bps\": \"1X\"}}",
         "link_defaults.rate_bps"},
        {"{\"topology\": {}}", "topology: expected either"},
        {"{\"topology\": {\"file\": \"missing.graph\"}}", "missing.graph: No such file"},
        {"{\"topology\": {\"generator\": \"grid:1\"}}", "grid:WxH"},
        {"{\"nodes\": [\"a\"], \"schedule\": [{\"at_ms\": 1, \"action\": \"cutt\"}]}",
         "schedule[0].action: expected one of cut, silent"},
        {"{\"nodes\": [\"a\"], \"schedule\": [{\"action\": \"kill\", \"target\": \"a\"}]}",
         "schedule[0].at_ms"},
        {"{\"nodes\": [\"a\"], \"schedule\": [{\"at_ms\": 1, \"action\": \"kill\", \"target\": "
         "\"b\"}]}",
         "there is no \"b\""},
        {"{\"nodes\": [\"a\", \"b\"], \"schedule\": [{\"at_ms\": 1, \"action\": \"cut\", "
         "\"target\": [\"a\", \"b\"]}]}",
         "that a link joins"},
        {"{\"topology\": {\"generator\": \"line:2\"}, \"schedule\": [{\"at_ms\": 1, \"action\": "
         "\"loss\", \"target\": \"*\"}]}",
         "schedule[0]: expected a value to change"},
        {"{\"topology\": {\"generator\": \"line:2\"}, \"schedule\": [{\"at_ms\": 1, \"action\": "
         "\"cut\", \"target\": \"*\", \"loss\": 3}]}",
         "schedule[0].loss: expected one of at_ms"},
        {"{\"nodes\": [\"a\"], \"probes\": [{\"from\": \"a\"}]}", "probes[0]: expected \"from\""},
        {"{\"nodes\": [\"a\"], \"expect\": [{\"expect\": \"joy\"}]}", "one of all_pairs"},
        {"{\"nodes\": [\"a\"], \"expect\": [{\"expect\": \"gap\", \"max_ms\": 1, \"probe\": 0}]}",
         "expect[0].probe"},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(bad); i++) {
        struct hd_scenario *s;
        int rc = hd_scenario_load(write_file("bad.json", bad[i][0]), &s, err, sizeof err);

        assert_true(rc < 0);
        assert_null(s);
        if (strstr(err, bad[i][1]) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i][0], err, bad[i][1]);
    }
}

/* What is wrong is shown where it stands, also behind strings with brackets and escapes. */
static void test_json_places(void **state)
{
    static const char *const bad[][2] = {
        {"{\n \"name\": \"a \\\"]}[\",\n \"nodes\": [\"a\",\n  {\"name\": \"b\", \"key\": -1}]\n}",
         "line 4, column 17: nodes[1].key: expected"},
        {"{\"nodes\": [\"a\", \"b\"],\n\"links\": [[\"a\", \"b\"],\n  [\"a\", \"c\"]]}",
         "line 3, column 3: links[1].b: expected"},
        {"{\"nodes\": [\"a\"],\n\n  \"joy\": 1}", "line 3, column 3: joy: expected one of"},
        {"{\"topology\":\n {\"generator\": \"grid:1\"}}", "line 2, column 3: topology.generator: "},
        {"{\"nodes\": [\"a\"],\n\"probes\": [\n {\"from\": \"a\"}]}",
         "line 3, column 2: probes[0]: expected \"from\""},
        {"  []", "line 1, column 3: expected an object"},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(bad); i++) {
        struct hd_scenario *s;

        assert_true(hd_scenario_load(write_file("bad.json", bad[i][0]), &s, err, sizeof err) < 0);
        if (strstr(err, bad[i][1]) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i][0], err, bad[i][1]);
    }
}

/* Everything that a scenario can say comes back from its own file. */
static void test_json_written(void **state)
{
    static const char text[] =
        "{\"name\": \"a \\\"b\\\\\", \"seed\": 7, \"until_ms\": 1234.5,"
        "\"topology\": {\"generator\": \"ring:5\"},"
        "\"nodes\": [{\"name\": \"n0\", \"id\": \"000102030405060708090a0b0c0d\", \"key\": 3,"
        "\"skew_ppm\": -20, \"end_system\": true}, {\"name\": \"n1\", \"started\": false},"
        "{\"name\": \"n2\", \"start_ms\": 0.000001}],"
        "\"links\": [{\"a\": \"n0\", \"b\": \"n1\", \"delay_us\": 0.001, \"jitter_us\": 3, "
        "\"loss\": 4,"
        "\"duplicate\": 5, \"reorder\": 6, \"corrupt\": 7, \"rate_bps\": \"10G\", \"queue_bytes\": "
        "9,"
        "\"mtu\": 9000}],"
        "\"schedule\": [{\"at_ms\": 1.5, \"action\": \"cut\", \"target\": [\"n0\", \"n1\"]},"
        "{\"at_ms\": 2, \"action\": \"change\", \"target\": [\"n1\", \"n2\"], \"loss\": 9, "
        "\"mtu\": 1400},"
        "{\"at_ms\": 3, \"action\": \"restart\", \"target\": \"n3\", \"resumed\": true}],"
        "\"probes\": [{\"from\": \"n0\", \"to\": \"n3\", \"stop_ms\": 9, \"size\": 99}],"
        "\"expect\": [{\"expect\": \"all_pairs\", \"by_ms\": 5}, {\"expect\": \"pair\", \"from\": "
        "\"n0\","
        "\"to\": \"n2\", \"by_ms\": 6, \"reachable\": false}, {\"expect\": \"gap\", \"max_ms\": 3,"
        "\"probe\": 0, \"by_ms\": 1}, {\"expect\": \"no_loop\"}, {\"expect\": \"lost\", \"max\": "
        "4}]}";
    struct hd_scenario *a = load("said.json", text), *b;
    const char *path = write_file("written.json", "");

    assert_int_equal(hd_scenario_write(a, path, err, sizeof err), 0);
    if (hd_scenario_load(path, &b, err, sizeof err) != 0)
        fail_msg("%s", err);
    assert_int_equal(hd_scenario_hash(a), hd_scenario_hash(b));
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->seed, b->seed);
    assert_int_equal(a->until_ns, b->until_ns);
    assert_memory_equal(a->nodes, b->nodes, a->node_count * sizeof *a->nodes);
    assert_memory_equal(a->links, b->links, a->link_count * sizeof *a->links);
    assert_int_equal(a->event_count, b->event_count);
    for (uint32_t i = 0; i < a->event_count; i++) {
        const struct hd_scenario_event *x = &a->events[i], *y = &b->events[i];

        assert_true(x->at_ns == y->at_ns && x->action == y->action && x->node == y->node &&
                    x->link == y->link && x->resumed == y->resumed && x->fields == y->fields &&
                    x->change.loss_ppm == y->change.loss_ppm && x->change.mtu == y->change.mtu);
    }
    assert_int_equal(a->probe_count, b->probe_count);
    assert_memory_equal(a->probes, b->probes, sizeof *a->probes);
    assert_int_equal(a->expect_count, b->expect_count);
    for (uint32_t i = 0; i < a->expect_count; i++) {
        const struct hd_scenario_expect *x = &a->expects[i], *y = &b->expects[i];

        assert_true(x->kind == y->kind && x->at_ns == y->at_ns && x->limit_ns == y->limit_ns &&
                    x->limit_count == y->limit_count && x->from == y->from && x->to == y->to &&
                    x->probe == y->probe && x->reachable == y->reachable);
    }
    hd_scenario_free(a);
    hd_scenario_free(b);
    a = load("net.txt", "a b\n");
    assert_true(hd_scenario_write(a, "/nonexistent/x", err, sizeof err) < 0);
    hd_scenario_free(a);
}

static void test_as_relationships(void **state)
{
    struct hd_scenario *s =
        load("20260101.as-rel.txt", "# source:topology|BGP\n# provider|customer|-1\n"
                                    "174|2914|0\n174|65001|-1\n65001|174|-1\n");

    assert_int_equal(s->node_count, 3);
    assert_int_equal(s->link_count, 2);
    assert_string_equal(s->nodes[0].name, "174");
    assert_string_equal(s->nodes[2].name, "65001");
    hd_scenario_free(s);
    s = load("20260101.as-rel2.txt", "1|2|0|bgp\n2|3|-1|mlp\n3|4|0|bgp\n");
    assert_int_equal(s->node_count, 4);
    assert_int_equal(s->link_count, 3);
    hd_scenario_free(s);
    static const char *const bad[] = {"1|2|0\n1|2\n", "1|2|0\n1|x|0\n", "1|2|0\n1|2|7\n",
                                      "1|2|0\n3 4\n"};
    for (size_t i = 0; i < HD_ARRAY_LEN(bad); i++) {
        assert_true(hd_scenario_load(write_file("bad.as-rel.txt", bad[i]), &s, err, sizeof err) <
                    0);
        assert_non_null(strstr(err, "line 2: expected AS|AS|RELATION"));
    }
}

static void test_edge_list(void **state)
{
    struct hd_scenario *s = load("net.txt", "# comment\na b\nb a\nb c 7\n\nc,a\nd d\nx y\n");

    assert_int_equal(s->node_count, 3);
    assert_int_equal(s->link_count, 3);
    assert_int_equal(s->dropped_nodes, 3); /* d; x and y */
    assert_string_equal(s->nodes[2].name, "c");
    hd_scenario_free(s);
    assert_true(hd_scenario_load(write_file("bad.txt", "a b\nc\n"), &s, err, sizeof err) < 0);
    assert_non_null(strstr(err, "line 2: expected two node names"));
    assert_true(hd_scenario_load(write_file("none.txt", "\n"), &s, err, sizeof err) < 0);
}

static void test_repetita(void **state)
{
    static const char text[] =
        "NODES 3\nlabel x y\nNew+York 0 0\nNew+York 1.0 2.0\nc 0 0\n\n"
        "EDGES 4\nlabel src dest weight bw delay\n"
        "e0 0 1 1 1000 5\ne1 1 0 1 1000 5\ne2 1 2 1 2000 7\ne3 2 1 1 2000 7\n";
    struct hd_scenario *s = load("net.graph", text);

    assert_int_equal(s->node_count, 3);
    assert_int_equal(s->link_count, 2);
    assert_string_equal(s->nodes[0].name, "New-York");
    assert_string_equal(s->nodes[1].name, "New-York~2");
    assert_int_equal(s->links[1].delay_ns, 0);
    hd_scenario_free(s);
    s = load("v.json", "{\"topology\": {\"file\": \"net.graph\", \"values\": true}}");
    assert_int_equal(s->links[1].delay_ns, HD_MS(7));
    assert_int_equal(s->links[1].rate_bps, 2000000);
    hd_scenario_free(s);
    assert_true(hd_scenario_load(write_file("b.graph", "NODES 1\nlabel x y\nc 0 0\nEDGES 1\nlabel\n"
                                                       "e 0 1 1 1 1\n"),
                                 &s, err, sizeof err) < 0);
    assert_non_null(strstr(err, "line 6: expected src and dest below"));
}

static void test_graphml(void **state)
{
    static const char text[] =
        "<?xml version=\"1.0\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n"
        "<key attr.name=\"label\" for=\"edge\" id=\"d1\"/>\n"
        "<key attr.name=\"label\" for=\"node\" id=\"d2\"/>\n"
        "<key attr.name=\"Latitude\" for=\"node\" id=\"d3\"/>\n"
        "<key attr.name=\"Longitude\" for=\"node\" id=\"d4\"/>\n"
        "<key attr.name=\"LinkSpeedRaw\" for=\"edge\" id=\"d5\"/>\n"
        "<graph edgedefault=\"undirected\">\n"
        "<node id=\"0\"><data key=\"d2\">Berlin &amp; more</data><data key=\"d3\">52.52</data>"
        "<data key=\"d4\">13.405</data></node>\n"
        "<node id=\"1\"><data key=\"d2\">Paris</data><data key=\"d3\">48.8566</data>"
        "<data key=\"d4\">2.3522</data></node>\n<node id=\"2\"/>\n"
        "<edge source=\"0\" target=\"1\"><data key=\"d5\">1e9</data></edge>\n"
        "<edge source=\"1\" target=\"2\"><data key=\"d5\">155000000.0</data></edge>\n"
        "<edge source=\"2\" target=\"2\"/>\n</graph></graphml>\n";
    struct hd_scenario *s = load("net.graphml", text);

    assert_int_equal(s->node_count, 3);
    assert_int_equal(s->link_count, 2);
    assert_string_equal(s->nodes[0].name, "Berlin-more");
    assert_string_equal(s->nodes[2].name, "2");
    assert_int_equal(s->links[0].delay_ns, 0);
    hd_scenario_free(s);
    s = load("v.json", "{\"topology\": {\"file\": \"net.graphml\", \"values\": true}}");
    assert_in_range(s->links[0].delay_ns, HD_US(4375), HD_US(4405));
    assert_int_equal(s->links[0].rate_bps, 0); /* an exponent is not a number we know */
    assert_int_equal(s->links[1].rate_bps, 155000000);
    assert_int_equal(s->links[1].delay_ns, 0);
    hd_scenario_free(s);
}

static void test_graphml_errors(void **state)
{
    static const char *const bad[][2] = {
        {"<graphml>\n<graph>", "line 2"},
        {"<html/>", "line 1: expected a <graphml>"},
        {"<graphml><graph/></graphml>", "at least one <node>"},
        {"<graphml><graph>\n<node id=\"a\"/>\n<node id=\"a\"/></graph></graphml>", "line 3"},
        {"<graphml><graph>\n<node id=\"a\"/>\n\n<edge source=\"a\" "
         "target=\"b\"/></graph></graphml>",
         "line 4: expected source and target"},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(bad); i++) {
        struct hd_scenario *s;

        assert_true(hd_scenario_load(write_file("bad.graphml", bad[i][0]), &s, err, sizeof err) <
                    0);
        if (strstr(err, bad[i][1]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err, bad[i][1]);
    }
    struct hd_scenario *s;
    assert_int_equal(hd_scenario_load("/nowhere/x.graphml", &s, err, sizeof err), HD_ESYS);
}

static void test_real_topologies(void **state)
{
    static const struct {
        const char *name;
        uint32_t nodes, links;
    } want[] = {
        {"Abilene.graphml", 11, 14}, {"Geant2012.graphml", 40, 62}, {"Cogentco.graphml", 197, 245},
        {"rf1221.graph", 104, 151},  {"rf6461.graph", 138, 372},
    };

    if (access(HD_TOPOLOGIES, R_OK) != 0) {
        print_message("../shared/topologies is not there: real topologies are not read\n");
        skip();
    }
    for (size_t i = 0; i < HD_ARRAY_LEN(want); i++) {
        char path[4096];
        struct hd_scenario *s;

        snprintf(path, sizeof path, "%s/%s", HD_TOPOLOGIES, want[i].name);
        if (hd_scenario_open(path, 0, &s, err, sizeof err) < 0)
            fail_msg("%s", err);
        if (s->node_count != want[i].nodes || s->link_count != want[i].links)
            fail_msg("{\"%s\", %u, %u} dropped %u", want[i].name, s->node_count, s->link_count,
                     s->dropped_nodes);
        assert_int_equal(reached(s), s->node_count);
        hd_scenario_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regular),          cmocka_unit_test(test_shape),
        cmocka_unit_test(test_random_pinned),    cmocka_unit_test(test_random_statistics),
        cmocka_unit_test(test_geometric_small),  cmocka_unit_test(test_bad_generators),
        cmocka_unit_test(test_decimals),         cmocka_unit_test(test_fibre_delay),
        cmocka_unit_test(test_json_topology),    cmocka_unit_test(test_json_schedule),
        cmocka_unit_test(test_json_probes),      cmocka_unit_test(test_json_errors),
        cmocka_unit_test(test_json_places),      cmocka_unit_test(test_json_written),
        cmocka_unit_test(test_as_relationships), cmocka_unit_test(test_edge_list),
        cmocka_unit_test(test_repetita),         cmocka_unit_test(test_graphml),
        cmocka_unit_test(test_graphml_errors),   cmocka_unit_test(test_real_topologies),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration tree by its face: lines and JSON in, lines and JSON out, faults that say where
 * and what was expected, images of structs, their comparison, and completion. `yangcheck` is here:
 * each leaf that may be configured has a column.
 */
#include "support/test.h"

#include <malloc.h>
#include <stdio.h>

#include "config/config.h"
#include "core/kira/kira.h"
#include "core/sample/sample.h"
#include "router/router.h"
#include "schema_fixture.h"

static void assert_lines(const struct lyd_node *t, const char *want)
{
    struct hd_text text = {0};

    hd_tree_print_lines(&schema, t, &text);
    assert_string_equal(text.v, want);
    hd_text_free(&text);
}

static void lines_are_the_tree(void **state)
{
    static const char lines[] = "set /kira/interface=eth%2A\n"
                                "set /kira/interface=swp1\n"
                                "set /kira/bucket-size 30\n"
                                "set /sample/hello-interval 500\n"
                                "set /sample/object=7/address fd5a::7\n"
                                "set /sample/object=8\n";
    struct lyd_node *t = tree_of(lines), *again;
    char *json;

    assert_lines(t, lines);
    assert_int_equal(hd_tree_check(&schema, &t, &fault), 0);
    assert_lines(t, lines); /* defaults are not shown */
    json = hd_tree_print(t);
    assert_int_equal(hd_tree_read(&schema, json, &again, &fault), 0);
    assert_lines(again, lines);
    free(json);
    lyd_free_all(t);
    lyd_free_all(again);
}

static void lines_are_read_as_people_write_them(void **state)
{
    struct lyd_node *t = tree_of("# a remark\n\n"
                                 "  set kira/interface  eth0 \r\n"
                                 "set heddle-kira:kira/interface \"eth 1\"\n"
                                 "set /sample\n"
                                 "set sample/object=1/weight 5\n"
                                 "set sample/object=1/weight 6\n"
                                 "set sample/object=2\n"
                                 "delete sample/object=2\n");

    assert_lines(t, "set /kira/interface=eth0\n"
                    "set /kira/interface=eth%201\n"
                    "set /sample/object=1/weight 6\n");
    assert_int_equal(hd_tree_lines(&schema, &t, "delete kira/interface\ndelete /sample", &fault),
                     0);
    assert_lines(t, "");
    lyd_free_all(t);
}

struct refused {
    const char *line, *code, *path, *says;
};

static void faults_say_where_and_what(void **state)
{
    static const struct refused v[] = {
        {"set /kira/bucket-size 0", "invalid", "/kira/bucket-size", "from 1 to 255"},
        {"set /kira/bucket-size ten", "invalid", "/kira/bucket-size", "a whole number"},
        {"set /kira/open maybe", "invalid", "/kira/open", "true or false"},
        {"set /kira/buckets 1", "path", "/kira/buckets", "bucket-size"},
        {"set /kirra", "path", "/kirra", "kira, "},
        {"set /kira/node-id 12", "invalid", "/kira/node-id", "[0-9a-f]{28}"},
        {"set /sample/object 5", "line", "/sample/object", "NAME=KEY"},
        {"set /sample/object/weight 5", "path", "/sample/object/weight", "NAME=KEY"},
        {"set /sample/object=x", "invalid", "/sample/object=x", ""},
        {"set /sample/object=1,2", "path", "/sample/object=1,2", "too many"},
        {"set /sample/object=%zz", "path", "/sample/object=%zz", "percent"},
        {"set /sample/hold-time", "line", "/sample/hold-time", "missing"},
        {"set /kira 5", "line", "/kira", "folder"},
        {"set /kira/open \"true", "line", "/kira/open", "quotes"},
        {"delete /sample", "line", "/sample", "nothing of that name"},
        {"delete /kira/open true", "line", "/kira/open", "no value"},
        {"set", "line", "", "path is missing"},
        {"show /kira", "line", "", "set or delete"},
        {"set /", "path", "/", "no path"},
        {"set //kira", "path", "//kira", "expected"},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(v); i++) {
        struct lyd_node *t = NULL;
        char two[200];
        snprintf(two, sizeof two, "\n%s\n", v[i].line);
        if (hd_tree_lines(&schema, &t, two, &fault) != HD_EINVAL)
            fail_msg("accepted: %s", v[i].line);
        if (strcmp(fault.code, v[i].code) != 0 || strcmp(fault.path, v[i].path) != 0 ||
            !strstr(fault.message, v[i].says) || fault.line != 2)
            fail_msg("%s: %s, %s, line %u: %s", v[i].line, fault.code, fault.path, fault.line,
                     fault.message);
        assert_null(t);
    }
}

static void faults_of_json_have_a_line(void **state)
{
    struct lyd_node *t;

    assert_int_equal(hd_tree_read(&schema,
                                  "{\n \"heddle-kira:kira\": {\n  \"bucket-size\": 300\n }\n}", &t,
                                  &fault),
                     HD_EINVAL);
    assert_in_range(fault.line, 3, 4); /* libyang has read on to the next word */
    assert_non_null(strstr(fault.path, "bucket-size"));
    assert_non_null(strstr(fault.message, "from 1 to 255"));
    assert_int_equal(hd_tree_read(&schema, "{\n \"heddle-kira:kira\": {\n", &t, &fault), HD_EINVAL);
    assert_true(fault.line > 0);
    assert_int_equal(hd_tree_read(&schema, "{\"heddle-kira:kira\":{\"colour\":1}}", &t, &fault),
                     HD_EINVAL);
    assert_non_null(strstr(fault.message, "colour"));
    assert_int_equal(hd_tree_read(&schema, "{\"nobody:knows\":{}}", &t, &fault), HD_EINVAL);
    assert_int_equal(hd_tree_read(&schema, " \n", &t, &fault), 0);
    assert_null(t);
}

static void the_whole_is_checked(void **state)
{
    struct lyd_node *t = tree_of("set /sample/hold-time 500\n");

    assert_int_equal(hd_tree_check(&schema, &t, &fault), HD_EINVAL);
    assert_string_equal(fault.message, "hold-time must be at least hello-interval");
    lyd_free_all(t);
    t = tree_of("set /kira/node-prefix fcaa\n");
    assert_int_equal(hd_tree_check(&schema, &t, &fault), HD_EINVAL);
    lyd_free_all(t);
}

static size_t index_of(uint8_t core)
{
    size_t i = 0;

    while (hd_config_at(i)->core != core)
        i++;
    return i;
}

static struct hd_image image_of(const char *lines)
{
    struct lyd_node *t = tree_of(lines);
    struct hd_image i;

    assert_int_equal(hd_tree_check(&schema, &t, &fault), 0);
    assert_int_equal(hd_image_make(&schema, t, &i, &fault), 0);
    lyd_free_all(t);
    return i;
}

static void images_are_what_cores_take(void **state)
{
    struct hd_image i = image_of("set /kira/interface=eth%2A\nset /kira/interface=swp1\n"
                                 "set /kira/node-id 0123456789abcdef0123456789ab\n"
                                 "set /kira/node-prefix fd00\nset /kira/bucket-size 30\n"
                                 "set /sample/hello-interval 500\nset /sample/number 9\n"
                                 "set /sample/object=70000/weight 3\n"
                                 "set /sample/object=7/address fd5a::7\n");
    const struct hd_image_part *p = &i.part[index_of(HD_CORE_KIRA)];
    const struct hd_kira_settings *k = (const void *)p->bytes;
    char id[HD_ID_TEXT];

    assert_true(p->present);
    assert_int_equal(p->len, sizeof *k);
    assert_int_equal(k->glob_count, 2);
    assert_string_equal(k->globs[0], "eth*");
    assert_string_equal(k->globs[1], "swp1");
    assert_string_equal(hd_id_format(&k->node_id, id), "0123456789abcdef0123456789ab");
    assert_int_equal(k->node_prefix, 0xfd00);
    assert_int_equal(k->label_prefix, 0xfcaa);
    assert_int_equal(k->bucket_size, 30);
    assert_int_equal(k->shallow_bucket_size, 20);
    assert_false(k->open);

    p = &i.part[index_of(HD_CORE_SAMPLE)];
    const struct hd_sample_config *c = (const void *)p->bytes;
    const struct hd_sample_object *o = (const void *)(c + 1);
    assert_true(p->present);
    assert_int_equal(p->len, sizeof *c + 2 * sizeof *o);
    assert_int_equal(c->node, 9);
    assert_int_equal(c->hello_interval_ns, HD_MS(500));
    assert_int_equal(c->hold_ns, HD_SEC(4));
    assert_int_equal(o[0].number, 7); /* sorted */
    assert_int_equal(o[0].weight, 1);
    assert_int_equal(o[0].address.b[15], 7);
    assert_int_equal(o[1].number, 70000);
    assert_int_equal(o[1].weight, 3);
    assert_true(hd_config_well_formed(hd_config_of(HD_CORE_SAMPLE), p->bytes, p->len));
    assert_false(hd_config_well_formed(hd_config_of(HD_CORE_SAMPLE), p->bytes, p->len - 1));
    hd_image_free(&i);
}

static void nothing_configured_is_the_defaults(void **state)
{
    struct hd_image i = image_of("");
    struct hd_kira_settings want;

    hd_kira_settings_default(&want);
    assert_memory_equal(i.part[index_of(HD_CORE_KIRA)].bytes, &want, sizeof want);
    assert_true(i.part[index_of(HD_CORE_KIRA)].present);
    assert_false(i.part[index_of(HD_CORE_SAMPLE)].present);
    hd_image_free(&i);
}

static void comparison_counts(void **state)
{
    struct hd_image a =
        image_of("set /sample/object=1\nset /sample/object=2\nset /sample/object=4");
    struct hd_image b =
        image_of("set /sample/object=2/weight 9\nset /sample/object=3\nset /sample/object=4\n"
                 "set /sample/object=5\nset /kira/open true\nset /sample/number 4");
    struct hd_image none = image_of("");
    struct hd_image_change c;

    hd_image_compare(index_of(HD_CORE_SAMPLE), &a, &b, &c);
    assert_int_equal(c.removed, 1);
    assert_int_equal(c.changed, 1);
    assert_int_equal(c.added, 2);
    assert_true(c.head);
    assert_false(c.start);
    hd_image_compare(index_of(HD_CORE_KIRA), &a, &b, &c);
    assert_true(c.head && c.start);
    hd_image_compare(index_of(HD_CORE_SAMPLE), &a, &a, &c);
    assert_true(!c.head && c.added + c.changed + c.removed == 0);
    hd_image_compare(index_of(HD_CORE_SAMPLE), &a, &none, &c);
    assert_true(c.head && c.removed == 3);
    hd_image_free(&a);
    hd_image_free(&b);
    hd_image_free(&none);
}

static void differences_are_lines(void **state)
{
    struct lyd_node *a = tree_of("set /sample/object=1/weight 5\nset /kira/open true\n");
    struct lyd_node *b = tree_of("set /sample/object=1/weight 6\nset /kira/open true\n");
    struct hd_text was = {0}, is = {0}, diff = {0};

    hd_tree_print_lines(&schema, a, &was);
    hd_tree_print_lines(&schema, b, &is);
    assert_int_equal(hd_lines_diff(&was, &is, &diff), 0);
    assert_string_equal(diff.v,
                        "- set /sample/object=1/weight 5\n+ set /sample/object=1/weight 6\n");
    hd_text_free(&was);
    hd_text_free(&is);
    hd_text_free(&diff);
    lyd_free_all(a);
    lyd_free_all(b);
}

static bool completes(size_t n, const struct hd_completion *c, const char *word)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(c[i].word, word) == 0)
            return true;
    }
    return false;
}

static void completion_follows_the_models(void **state)
{
    struct lyd_node *t = tree_of("set /sample/object=17\nset /sample/object=18\n");
    struct hd_completion c[20];
    size_t n = hd_complete_path(&schema, t, "/", c, 20);

    assert_true(completes(n, c, "/kira/") && completes(n, c, "/sample/"));
    n = hd_complete_path(&schema, t, "/kira/b", c, 20);
    assert_int_equal(n, 1);
    assert_string_equal(c[0].word, "/kira/bucket-size");
    assert_string_equal(c[0].what,
                        "Contacts in each of the last two buckets of the routing table.");
    n = hd_complete_path(&schema, t, "/sample/o", c, 20);
    assert_true(n == 1 && completes(n, c, "/sample/object="));
    n = hd_complete_path(&schema, t, "/sample/object=1", c, 20);
    assert_true(n == 2 && completes(n, c, "/sample/object=17"));
    n = hd_complete_path(&schema, t, "/sample/object=17/", c, 20);
    assert_true(n == 2 && completes(n, c, "/sample/object=17/weight"));
    n = hd_complete_value(&schema, "/kira/open", "t", c, 20);
    assert_true(n == 1 && completes(n, c, "true"));
    assert_int_equal(hd_complete_path(&schema, t, "/nothing/here", c, 20), 0);
    lyd_free_all(t);
}

/* yangcheck: what a model offers and no row takes would be configured in vain. */
static void check_node(const struct lysc_node *n, unsigned *leaves)
{
    for (const struct lysc_node *c = NULL; (c = hd_schema_next(&schema, n, c)) != NULL;) {
        char path[HD_CONFIG_PATH];
        if (!(c->flags & LYS_CONFIG_W))
            continue;
        lysc_path(c, LYSC_PATH_DATA, path, sizeof path);
        if (c->nodetype & (LYS_LEAF | LYS_LEAFLIST)) {
            ++*leaves;
            if (!hd_schema_taken(c))
                fail_msg("%s has no row in src/bind, and is no remark", path);
        } else {
            check_node(c, leaves);
        }
    }
}

static void yangcheck(void **state)
{
    unsigned leaves = 0;

    for (size_t i = 0; hd_config_at(i); i++)
        assert_true(schema.loaded[i]);
    check_node(NULL, &leaves);
    assert_true(leaves >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_tree),
        cmocka_unit_test(lines_are_read_as_people_write_them),
        cmocka_unit_test(faults_say_where_and_what),
        cmocka_unit_test(faults_of_json_have_a_line),
        cmocka_unit_test(the_whole_is_checked),
        cmocka_unit_test(images_are_what_cores_take),
        cmocka_unit_test(nothing_configured_is_the_defaults),
        cmocka_unit_test(comparison_counts),
        cmocka_unit_test(differences_are_lines),
        cmocka_unit_test(completion_follows_the_models),
        cmocka_unit_test(yangcheck),
    };

    return cmocka_run_group_tests(tests, open_schema, close_schema);
}

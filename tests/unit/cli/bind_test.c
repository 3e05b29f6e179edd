/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of src/bind: that they describe their structs, and that their printers are right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "bind/bind.h"
#include "core/kira/kira.h"
#include "daemon/channel.h"
#include "daemon/driver_rows.h"
#include "lib/base.h"
#include "router/router.h"

static size_t column_bytes(const struct hd_column *c)
{
    return c->type == HD_COL_IDS ? (size_t)c->size * HD_ID_BYTES : c->size;
}

static size_t natural_size(const struct hd_column *c)
{
    switch (c->type) {
    case HD_COL_ID:
    case HD_COL_LABEL:
        return HD_ID_BYTES;
    case HD_COL_IP6:
    case HD_COL_PREFIX:
        return 16;
    case HD_COL_MAC:
        return 6;
    case HD_COL_DURATION:
    case HD_COL_AGE:
        return 8;
    case HD_COL_ENUM:
        return 1;
    case HD_COL_HEX:
        return 2;
    default:
        return c->size;
    }
}

static bool kebab(const char *s)
{
    return *s >= 'a' && *s <= 'z' &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s);
}

static void check_column(const struct hd_list *l, const struct hd_column *c)
{
    assert_true(kebab(c->name));
    assert_non_null(c->heading);
    assert_true(c->offset + column_bytes(c) <= l->row_size);
    assert_int_equal(c->size, natural_size(c));
    assert_true(c->aux_offset < l->row_size);
    assert_ptr_equal(hd_column_named(l, c->name), c);
    if (c->type == HD_COL_UINT)
        assert_true(c->size == 1 || c->size == 2 || c->size == 4 || c->size == 8);
    if (c->type == HD_COL_BOOL)
        assert_true(c->size == 1 || c->size == 4);
    if (c->type == HD_COL_DURATION || c->type == HD_COL_AGE) {
        assert_string_equal(c->name + strlen(c->name) - 3, "-ms");
        assert_string_equal(c->unit, "ms");
    }
    if (c->type == HD_COL_ENUM)
        assert_true(c->names_count > 0 && c->names != NULL);
}

/* Columns do not overlap: the usual mistake when a table is copied. */
static void check_overlap(const struct hd_list *l)
{
    uint8_t used[HD_ROW_MAX] = {0};

    for (size_t i = 0; i < l->column_count; i++) {
        const struct hd_column *c = &l->columns[i];
        if (c->type == HD_COL_IP6S)
            continue; /* the first of them may be a column of its own: tables show that */
        for (size_t k = 0; k < column_bytes(c); k++) {
            assert_int_equal(used[c->offset + k], 0);
            used[c->offset + k] = 1;
        }
    }
}

static void tables_describe_their_structs(void **state)
{
    const struct hd_list *l;
    size_t n;

    (void)state;
    for (n = 0; (l = hd_list_at(n)) != NULL; n++) {
        bool shown = false;
        assert_true(kebab(l->name));
        assert_true(l->row_size <= HD_ROW_MAX);
        assert_ptr_equal(hd_list_find(l->core, l->list), l);
        assert_ptr_equal(hd_list_named(hd_list_core_name(l->core), l->name), l);
        for (size_t i = 0; i < l->column_count; i++) {
            check_column(l, &l->columns[i]);
            shown |= (l->columns[i].flags & HD_COL_SHOW) != 0;
        }
        assert_true(shown);
        check_overlap(l);
    }
    assert_int_equal(n, 31);
    assert_null(hd_list_find(HD_CORE_KIRA, 999));
    assert_null(hd_list_named("kira", "labels"));
    assert_string_equal(hd_list_core_name(77), "unknown");
}

static json_t *row_object(const struct hd_list *l, const void *row)
{
    struct hd_json j;
    json_error_t e;
    json_t *o;
    char *text;

    hd_json_init(&j);
    hd_row_json(l, row, &j);
    text = hd_json_take(&j);
    assert_non_null(text);
    o = json_loads(text, JSON_REJECT_DUPLICATES, &e);
    if (!o)
        fail_msg("%s: %s in %s", l->name, e.text, text);
    free(text);
    return o;
}

/* Whatever the other process sends, the result is valid and every cell ends. */
static void any_bytes_print(void **state)
{
    static const uint8_t fills[] = {0x00, 0xff, 0x80, 0x22, 0x5c, 0x0a};
    const struct hd_list *l;

    (void)state;
    for (size_t n = 0; (l = hd_list_at(n)) != NULL; n++) {
        for (size_t f = 0; f < HD_ARRAY_LEN(fills); f++) {
            uint8_t *row = malloc(l->row_size);
            struct hd_text t = {0};
            memset(row, fills[f], l->row_size);
            json_t *o = row_object(l, row);
            assert_int_equal(json_object_size(o), l->column_count);
            json_decref(o);
            for (size_t i = 0; i < l->column_count; i++) {
                char cell[HD_CELL_MAX];
                memset(cell, 1, sizeof cell);
                hd_row_cell(&l->columns[i], row, cell);
                assert_non_null(memchr(cell, 0, sizeof cell));
            }
            hd_rows_metrics(l, row, 1, &t);
            assert_false(t.failed);
            hd_text_free(&t);
            free(row);
        }
    }
}

static void cells(const struct hd_list *l, const void *row, char *buf, size_t size)
{
    char cell[HD_CELL_MAX];

    buf[0] = '\0';
    for (size_t i = 0; i < l->column_count; i++) {
        if (!(l->columns[i].flags & HD_COL_SHOW))
            continue;
        hd_row_cell(&l->columns[i], row, cell);
        snprintf(buf + strlen(buf), size - strlen(buf), "%s%s", buf[0] ? " | " : "", cell);
    }
}

static struct hd_id make_id(uint8_t first)
{
    struct hd_id id;

    for (uint8_t i = 0; i < HD_ID_BYTES; i++)
        id.b[i] = (uint8_t)(first + i);
    return id;
}

static struct hd_kira_row_neighbour make_neighbour(void)
{
    struct hd_kira_row_neighbour n = {
        .id = make_id(0x10),
        .ifindex = 3,
        .ifname = "eth0",
        .link_local = {{0xfe, 0x80, [15] = 1}},
        .state = HD_KIRA_LINK_CHECKING,
        .best = 1,
        .authenticated = 1,
        .sequence = 7,
        .up_ns = HD_SEC(3 * 3600 + 5 * 60 + 9),
        .last_heard_ns = HD_MS(12345),
        .rtt_ns = 213456,
    };

    n.address = hd_id_to_ip6(&n.id, 0xfc00);
    return n;
}

static void golden_cells(void **state)
{
    struct hd_kira_row_neighbour n = make_neighbour();
    struct hd_row_route r = {.prefix = {{0xfc, 0, 0x12, 0xab}}, .len = 32, .act = HD_ROUTE_ENCAP};
    struct hd_kira_row_contact c = {.id = make_id(0), .path_len = 300, .state = 9};
    char line[1024];

    (void)state;
    cells(hd_list_find(HD_CORE_KIRA, HD_KIRA_LIST_NEIGHBOURS), &n, line, sizeof line);
    assert_string_equal(line, "101112131415161718191a1b1c1d | eth0 | fe80::1 | checking | yes | "
                              "yes | 0.213 ms | 12.3 s | 3 h 05 min");
    n.rtt_ns = 0;
    n.up_ns = HD_SEC(59) + HD_MS(999);
    n.last_heard_ns = HD_MS(7);
    cells(hd_list_find(HD_CORE_KIRA, HD_KIRA_LIST_NEIGHBOURS), &n, line, sizeof line);
    assert_string_equal(line, "101112131415161718191a1b1c1d | eth0 | fe80::1 | checking | yes | "
                              "yes | - | 7 ms | 59.9 s");
    cells(hd_list_find(HD_CORE_MODEL, HD_LIST_ROUTES), &r, line, sizeof line);
    assert_string_equal(line,
                        "fc00:12ab::/32 | encapsulate | - | - | - | - | no | none | - | model");
    cells(hd_list_find(HD_CORE_KIRA, HD_KIRA_LIST_CONTACTS), &c, line, sizeof line);
    assert_string_equal(line, "000102030405060708090a0b0c0d | 0 | value-9 | 300 | no | no | no | "
                              "0 ms");
}

static void golden_json(void **state)
{
    struct hd_kira_row_neighbour n = make_neighbour();
    struct hd_row_label label = {.act = HD_LABEL_SWAP, .expires_in_ns = HD_NEVER};
    struct hd_kira_row_contact c = {.path_len = 300};
    json_t *o = row_object(hd_list_find(HD_CORE_KIRA, HD_KIRA_LIST_NEIGHBOURS), &n);

    (void)state;
    assert_string_equal(json_string_value(json_object_get(o, "id")),
                        "101112131415161718191a1b1c1d");
    assert_string_equal(json_string_value(json_object_get(o, "address")),
                        "fc00:1011:1213:1415:1617:1819:1a1b:1c1d");
    assert_string_equal(json_string_value(json_object_get(o, "state")), "checking");
    assert_true(json_is_true(json_object_get(o, "best")));
    assert_true(json_is_null(json_object_get(o, "mac")));
    assert_int_equal(json_real_value(json_object_get(o, "rtt-ms")) * 1000, 213);
    assert_true(json_real_value(json_object_get(o, "last-heard-ms")) == 12345.0);
    json_decref(o);
    o = row_object(hd_list_find(HD_CORE_MODEL, HD_LIST_LABELS), &label);
    assert_true(json_is_null(json_object_get(o, "expires-in-ms")));
    assert_string_equal(json_string_value(json_object_get(o, "action")), "swap");
    json_decref(o);
    struct hd_kira_row_event e = {.event = HD_KIRA_EV_STATE, .value = HD_KIRA_JOINED};
    o = row_object(hd_list_find(HD_CORE_KIRA, HD_KIRA_LIST_EVENT), &e);
    assert_string_equal(json_string_value(json_object_get(o, "state")), "joined");
    json_decref(o);
    struct hd_row_driver d = {.node_prefix = 0xfc00};
    o = row_object(hd_list_find(HD_CORE_DRIVER, HD_DRIVER_LIST_STATUS), &d);
    assert_string_equal(json_string_value(json_object_get(o, "node-prefix")), "fc00");
    json_decref(o);
    /* A path longer than the row shows what the row holds, and the true length. */
    o = row_object(hd_list_find(HD_CORE_KIRA, HD_KIRA_LIST_CONTACTS), &c);
    assert_int_equal(json_array_size(json_object_get(o, "path")), HD_KIRA_PATH_ROW);
    assert_int_equal(json_integer_value(json_object_get(o, "hops")), 300);
    json_decref(o);
}

static void golden_metrics(void **state)
{
    struct hd_kira_row_neighbour n[2] = {make_neighbour(), make_neighbour()};
    struct hd_channel_counter c[2] = {{"drop.bad-length", 5}, {"rx.query", 1u << 31}};
    struct hd_kira_row_status s = {.state = HD_KIRA_JOINED, .contacts = 12};
    struct hd_text t = {0};

    (void)state;
    strcpy(n[1].ifname, "a\"\\b");
    n[1].rtt_ns = HD_SEC(2) + 1;
    hd_rows_metrics(hd_list_find(HD_CORE_KIRA, HD_KIRA_LIST_NEIGHBOURS), n, 2, &t);
    assert_non_null(strstr(t.v,
                           "# TYPE heddle_kira_neighbours_rtt_seconds gauge\n"
                           "# UNIT heddle_kira_neighbours_rtt_seconds seconds\n"
                           "heddle_kira_neighbours_rtt_seconds{id=\"101112131415161718191a1b1c1d\","
                           "interface=\"eth0\",link_local=\"fe80::1\"} 0.000213456\n"
                           "heddle_kira_neighbours_rtt_seconds{id=\"101112131415161718191a1b1c1d\","
                           "interface=\"a\\\"\\\\b\",link_local=\"fe80::1\"} 2.000000001\n"));
    hd_text_free(&t);
    hd_rows_metrics(hd_list_find(HD_CORE_KIRA, HD_KIRA_LIST_COUNTERS), c, 2, &t);
    assert_string_equal(t.v, "# TYPE heddle_kira_counters_drop_bad_length counter\n"
                             "heddle_kira_counters_drop_bad_length_total 5\n"
                             "# TYPE heddle_kira_counters_rx_query counter\n"
                             "heddle_kira_counters_rx_query_total 2147483648\n");
    hd_text_free(&t);
    hd_rows_metrics(hd_list_find(HD_CORE_KIRA, HD_KIRA_LIST_STATUS), &s, 1, &t);
    assert_non_null(strstr(t.v, "\nheddle_kira_contacts 12\n"));
    assert_non_null(strstr(t.v, "heddle_kira_state{heddle_kira_state=\"joined\"} 1\n"));
    assert_non_null(strstr(t.v, "heddle_kira_state{heddle_kira_state=\"joining\"} 0\n"));
    hd_text_free(&t);
}

/* No interface is left out without a reason in words. */
static void reasons_have_words(void **state)
{
    const struct hd_column *c =
        hd_column_named(hd_list_find(HD_CORE_DRIVER, HD_DRIVER_LIST_INTERFACES), "why-not");

    (void)state;
    assert_int_equal(c->names_count, HD_IF_WHY_END);
    for (size_t i = 0; i < HD_IF_WHY_END; i++) {
        assert_non_null(c->names[i].name);
        assert_non_null(c->names[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_describe_their_structs),
        cmocka_unit_test(any_bytes_print),
        cmocka_unit_test(golden_cells),
        cmocka_unit_test(golden_json),
        cmocka_unit_test(golden_metrics),
        cmocka_unit_test(reasons_have_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

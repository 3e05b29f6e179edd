/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What KIRA's decoder refuses: each rule of kira.md 3.5 is broken in turn, and the reason checked.
 * Next to each refusal stands, where there is one, the nearest message that must still be accepted.
 */
#include "unit/kira_wire_help.h"

#define BUF 65536

static void header_rules(void **state)
{
    uint8_t good[SMALL], b[SMALL];
    size_t len = load("probe-rsp", good);

    memcpy(b, good, len);
    b[0] = 1;
    expect(HD_KIRA_WIRE_VERSION, b, len);
    memcpy(b, good, len);
    put_u16(b + LENGTH_AT, 54);
    expect(HD_KIRA_WIRE_SHORT, b, len);
    put_u16(b + LENGTH_AT, len + 1);
    expect(HD_KIRA_WIRE_SHORT, b, len);
    memcpy(b, good, len);
    b[1] = 0x82;
    expect(HD_KIRA_WIRE_TYPE, b, len);
    b[1] = 0x23;
    expect(HD_KIRA_WIRE_TYPE, b, len);
    memcpy(b, good, len);
    memset(b + 5, 0, HD_ID_BYTES);
    expect(HD_KIRA_WIRE_IDENTITY, b, len);
    memset(b + 5, 0xff, HD_ID_BYTES);
    expect(HD_KIRA_WIRE_IDENTITY, b, len);
    memcpy(b, good, len);
    memset(b + 19, 0xff, HD_ID_BYTES);
    expect(HD_KIRA_WIRE_IDENTITY, b, len);
    memcpy(b, good, len);
    memset(b + 49, 0, 4);
    expect(HD_KIRA_WIRE_SSN, b, len);
    memset(b + 49, 0xff, 4); /* "reset" is a word of the protocol in the header */
    expect(HD_KIRA_WIRE_OK, b, len);
}

static void bytes_behind_the_message_are_ignored(void **state)
{
    uint8_t b[SMALL];
    size_t len = load("find-node-rsp", b);

    memset(b + len, 0xee, 20);
    expect(HD_KIRA_WIRE_OK, b, len + 20);
    len = load("hello", b);
    memset(b + len, 0xee, 20);
    expect_sized(HD_KIRA_WIRE_OK, b, len + 20); /* inside the message: tolerated in a hello only */
    len = load("disc-req", b);
    memset(b + len, 0xee, 20);
    expect_sized(HD_KIRA_WIRE_OBJECT, b, len + 20);
}

static void unknown_objects_are_skipped(void **state)
{
    uint8_t b[SMALL];
    size_t len = load("probe-req", b);
    struct hd_kira_msg m;

    len = add_object(b, len, 0x33, "whatever", 8);
    len = add_object(b, len, 0xf1, "", 0);
    len = add_object(b, len, HD_KIRA_OBJ_RTABLE, "of no use here", 14);
    assert_int_equal(hd_kira_decode(&m, b, len), HD_KIRA_WIRE_OK);
    assert_true(m.has_route);
    assert_false(m.has_rtable);
}

static void of_duplicates_the_first_wins(void **state)
{
    uint8_t b[SMALL];
    size_t len = load("query-route-req", b);
    struct hd_kira_msg m;

    len = add_object(b, len, HD_KIRA_OBJ_RTABLE_REQ, "\x01\x07", 2);
    len = add_object(b, len, HD_KIRA_OBJ_ROUTE, "not even a route", 16);
    assert_int_equal(hd_kira_decode(&m, b, len), HD_KIRA_WIRE_OK);
    assert_int_equal(m.rtable_req_type, HD_KIRA_RT_VICINITY);
    assert_int_equal(m.rtable_req_radius, 3);
    assert_int_equal(m.route.count, 2);
}

static void any_order_is_read(void **state)
{
    uint8_t b[SMALL], other[SMALL];
    size_t len = load("error-dead-end", b);
    struct hd_kira_msg m;

    memcpy(other, b, HD_KIRA_HEADER_LEN);
    memcpy(other + 55, b + 88, 4);
    memcpy(other + 59, b + 55, 33);
    assert_int_equal(hd_kira_decode(&m, other, len), HD_KIRA_WIRE_OK);
    assert_int_equal(m.index_offset, 62);
    assert_true(m.has_error);
    assert_int_equal(m.error_kind, HD_KIRA_DEAD_END);
}

static void what_must_be_there(void **state)
{
    static const struct {
        const char *name;
        size_t at; /* of the object that is turned into an unknown one */
    } needed[] = {{"query-route-req", 55}, {"query-route-req", 60}, {"find-node-req", 55},
                  {"probe-req", 55},       {"error-dead-end", 88},  {"store-req", 88},
                  {"store-rsp", 88},       {"fetch-req", 88},       {"fetch-rsp", 88}};

    for (size_t i = 0; i < HD_ARRAY_LEN(needed); i++) {
        uint8_t b[SMALL];
        size_t len = load(needed[i].name, b);

        b[needed[i].at] = 0x33;
        expect(HD_KIRA_WIRE_MISSING, b, len);
    }
}

static void route_rules(void **state)
{
    uint8_t good[SMALL], b[SMALL];
    size_t len = load("probe-req", good);
    uint8_t *index = b + ROUTE_AT + 4, *ids = b + ROUTE_AT + 5;

    memcpy(b, good, len);
    *index = 0;
    expect(HD_KIRA_WIRE_ROUTE, b, len);
    *index = 4;
    expect(HD_KIRA_WIRE_ROUTE, b, len);
    *index = 3;
    expect(HD_KIRA_WIRE_OK, b, len);
    memcpy(b, good, len);
    ids[3 * HD_ID_BYTES + 13] = 2; /* 1 2 3 2 */
    expect(HD_KIRA_WIRE_ROUTE, b, len);
    *index = 2; /* the loop lies behind */
    expect(HD_KIRA_WIRE_OK, b, len);
    memcpy(b, good, len);
    ids[13] = 9; /* does not begin with the source */
    expect(HD_KIRA_WIRE_ROUTE, b, len);
    memcpy(b, good, len);
    memmove(ids + 4 * HD_ID_BYTES + 1, ids + 4 * HD_ID_BYTES, 35);
    put_u16(b + ROUTE_AT + 1, 2 + 4 * HD_ID_BYTES + 1); /* a byte too many behind whole IDs */
    expect_sized(HD_KIRA_WIRE_ROUTE, b, len + 1);
    memcpy(b, good, len);
    memset(ids + 2 * HD_ID_BYTES, 0, HD_ID_BYTES);
    expect(HD_KIRA_WIRE_IDENTITY, b, len);
    memset(ids + 2 * HD_ID_BYTES, 0xff, HD_ID_BYTES);
    expect(HD_KIRA_WIRE_IDENTITY, b, len);
}

/* A probe over `count` nodes 1, 2, ... into b; returns its length. */
static size_t long_route(uint8_t *b, uint32_t count)
{
    struct hd_writer w = hd_writer_make(b, BUF);
    struct hd_kira_header h = {.type = HD_KIRA_PROBE_REQ, .ssn = 1};
    size_t mark;

    h.source = id_of(1);
    h.dest = id_of(count);
    hd_kira_write_begin(&w, &h);
    mark = hd_kira_object_begin(&w, HD_KIRA_OBJ_ROUTE);
    hd_write_u16(&w, 1);
    for (uint32_t i = 1; i <= count; i++) {
        struct hd_id id = id_of(i);

        hd_kira_write_id(&w, &id);
    }
    hd_kira_object_end(&w, mark);
    assert_int_equal(hd_kira_write_end(&w), 0);
    return hd_writer_len(&w);
}

/* Both ways of looking for duplicates, below and above their limit, for every pair of places. */
static void routes_have_no_node_twice(void **state)
{
    static uint8_t b[BUF];
    static const uint32_t counts[] = {3, 24, 25, 26, 31, 33, 64, 100};

    for (size_t c = 0; c < HD_ARRAY_LEN(counts); c++) {
        size_t len = long_route(b, counts[c]);
        uint8_t *ids = b + ROUTE_AT + 5;

        expect(HD_KIRA_WIRE_OK, b, len);
        for (uint32_t i = 1; i < counts[c]; i++) {
            for (uint32_t j = i + 1; j < counts[c]; j++) {
                struct hd_kira_msg m;
                struct hd_id kept = id_of(j + 1), twice = id_of(i + 1);

                memcpy(ids + (size_t)j * HD_ID_BYTES, twice.b, HD_ID_BYTES);
                assert_int_equal(hd_kira_decode(&m, b, len), HD_KIRA_WIRE_ROUTE);
                memcpy(ids + (size_t)j * HD_ID_BYTES, kept.b, HD_ID_BYTES);
            }
        }
    }
}

static void route_limit(void **state)
{
    static uint8_t b[BUF];
    size_t len = long_route(b, HD_KIRA_ROUTE_MAX);
    uint8_t *ids = b + ROUTE_AT + 5;

    expect(HD_KIRA_WIRE_OK, b, len);
    memcpy(ids + 1023 * HD_ID_BYTES, ids + HD_ID_BYTES, HD_ID_BYTES);
    expect(HD_KIRA_WIRE_ROUTE, b, len);
    expect(HD_KIRA_WIRE_ROUTE, b, long_route(b, HD_KIRA_ROUTE_MAX + 1));
}

static void contact_rules(void **state)
{
    uint8_t good[SMALL], b[SMALL];
    size_t len = load("disc-req", good), id = 55 + 3, ssn = id + HD_ID_BYTES;

    memcpy(b, good, len);
    memset(b + ssn, 0, 4);
    expect(HD_KIRA_WIRE_CONTACTS, b, len);
    memset(b + ssn, 0xff, 4);
    expect(HD_KIRA_WIRE_CONTACTS, b, len);
    memcpy(b, good, len);
    memset(b + id, 0xff, HD_ID_BYTES);
    expect(HD_KIRA_WIRE_IDENTITY, b, len);
    memcpy(b, good, len);
    put_u16(b + 56, 23);
    expect_sized(HD_KIRA_WIRE_CONTACTS, b, len - 1);
    put_u16(b + 56, 0);
    expect_sized(HD_KIRA_WIRE_OK, b, 58);
}

static void not_via_rules(void **state)
{
    uint8_t good[SMALL], b[SMALL];
    size_t len = load("probe-req", good), link = len - 32;

    memcpy(b, good, len);
    b[link + 13] = 0x44; /* a node linked to itself */
    expect(HD_KIRA_WIRE_NOT_VIA, b, len);
    b[link + 13] = 0x45; /* the larger first */
    expect(HD_KIRA_WIRE_NOT_VIA, b, len);
    b[link + 13] = 0;
    expect(HD_KIRA_WIRE_IDENTITY, b, len);
    memcpy(b, good, len);
    put_u16(b + link - 2, 31);
    expect_sized(HD_KIRA_WIRE_NOT_VIA, b, len - 1);
}

static void request_rules(void **state)
{
    uint8_t b[SMALL];
    size_t len = load("find-node-req", b);

    b[59] = 0; /* no contacts wanted */
    expect(HD_KIRA_WIRE_REQUEST, b, len);
    b[59] = 3;
    b[58] = 5;
    expect(HD_KIRA_WIRE_REQUEST, b, len);
    b[58] = 4;
    expect(HD_KIRA_WIRE_OK, b, len);
    len = load("query-route-req", b);
    b[59] = 0; /* the receiver does not look at it */
    expect(HD_KIRA_WIRE_OK, b, len);
    b[58] = 2;
    expect(HD_KIRA_WIRE_REQUEST, b, len);
    len = load("query-route-req", b);
    memmove(b + 61, b + 60, len - 60);
    b[57] = 3;
    expect_sized(HD_KIRA_WIRE_REQUEST, b, len + 1);
}

static void entry_rules(void **state)
{
    uint8_t good[SMALL], b[SMALL];
    size_t len = load("update-route-req", good), entry = 55 + 33 + 3;

    memcpy(b, good, len);
    b[entry + 13]++; /* the path ends elsewhere */
    expect(HD_KIRA_WIRE_ENTRY, b, len);
    memcpy(b, good, len);
    b[len - 1] = 3;
    expect(HD_KIRA_WIRE_OK, b, len);
    b[len - 1] = 4;
    expect(HD_KIRA_WIRE_ENTRY, b, len);
    memcpy(b, good, len);
    memset(b + len - 11, 0, 4);
    expect(HD_KIRA_WIRE_ENTRY, b, len);
    memset(b + len - 11, 0xff, 4);
    expect(HD_KIRA_WIRE_ENTRY, b, len);
    memcpy(b, good, len);
    memset(b + entry, 0, HD_ID_BYTES);
    memset(b + entry + 16, 0, HD_ID_BYTES);
    expect(HD_KIRA_WIRE_IDENTITY, b, len);
    memcpy(b, good, len);
    memmove(b + entry + 16, b + entry + 30, 11); /* an empty path */
    put_u16(b + entry + 14, 0);
    put_u16(b + entry - 2, 27);
    expect_sized(HD_KIRA_WIRE_ENTRY, b, len - 14);
}

/* A find response with one entry over plen nodes 100, 101, ... */
static size_t long_entry(uint8_t *b, uint16_t plen, uint32_t repeat_at)
{
    struct hd_writer w = hd_writer_make(b, BUF);
    struct hd_kira_header h = {.type = HD_KIRA_FIND_RSP, .ssn = 1};
    struct hd_id last = id_of(99u + plen);
    size_t mark;

    h.source = id_of(1);
    h.dest = id_of(2);
    hd_kira_write_begin(&w, &h);
    mark = hd_kira_object_begin(&w, HD_KIRA_OBJ_ROUTE);
    hd_write_u16(&w, 1);
    hd_kira_write_id(&w, &h.source);
    hd_kira_write_id(&w, &h.dest);
    hd_kira_object_end(&w, mark);
    mark = hd_kira_object_begin(&w, HD_KIRA_OBJ_RTABLE);
    hd_kira_write_entry_begin(&w, &last, plen);
    for (uint32_t i = 0; i < plen; i++) {
        struct hd_id id = i == repeat_at ? last : id_of(100 + i);

        hd_kira_write_id(&w, &id);
    }
    hd_kira_write_entry_end(&w, 7, 8, 9);
    hd_kira_object_end(&w, mark);
    assert_int_equal(hd_kira_write_end(&w), 0);
    return hd_writer_len(&w);
}

static void path_limit(void **state)
{
    static uint8_t b[BUF];
    struct hd_kira_msg m;
    struct hd_kira_entry e;
    struct hd_reader r;

    assert_int_equal(hd_kira_decode(&m, b, long_entry(b, HD_KIRA_PATH_MAX, BUF)), HD_KIRA_WIRE_OK);
    r = m.rtable;
    assert_true(hd_kira_next_entry(&r, &e));
    assert_int_equal(e.path.count, HD_KIRA_PATH_MAX);
    assert_int_equal(e.ssn, 7);
    assert_int_equal(e.age_ms, 8);
    assert_int_equal(e.degree, 9);
    expect(HD_KIRA_WIRE_ENTRY, b, long_entry(b, HD_KIRA_PATH_MAX, 17));
    expect(HD_KIRA_WIRE_ENTRY, b, long_entry(b, HD_KIRA_PATH_MAX + 1, BUF));
    expect(HD_KIRA_WIRE_OK, b, long_entry(b, 5, BUF));
    expect(HD_KIRA_WIRE_ENTRY, b, long_entry(b, 5, 0));
}

static void error_rules(void **state)
{
    uint8_t b[SMALL];
    size_t len = load("error-segment-failure", b), data = 55 + 33 + 3;
    struct hd_kira_msg m;

    b[data + 28] = 0x44; /* no link: both ends the same */
    expect(HD_KIRA_WIRE_ERROR_DATA, b, len);
    b[data + 28] = 0;
    expect(HD_KIRA_WIRE_IDENTITY, b, len);
    b[data] = HD_KIRA_DEAD_END; /* must be bare */
    expect(HD_KIRA_WIRE_ERROR_DATA, b, len);
    b[data] = 0x66; /* a kind that we do not know is no reason to drop */
    assert_int_equal(hd_kira_decode(&m, b, len), HD_KIRA_WIRE_OK);
    assert_int_equal(m.error_kind, 0x66);
    put_u16(b + data - 2, 0);
    expect_sized(HD_KIRA_WIRE_ERROR_DATA, b, data);
}

static void data_rules(void **state)
{
    uint8_t b[SMALL];
    size_t len = load("store-rsp", b), data = 55 + 33 + 3;

    b[data] = 2;
    expect(HD_KIRA_WIRE_OK, b, len);
    b[data] = 3;
    expect(HD_KIRA_WIRE_DATA, b, len);
    len = load("store-req", b);
    put_u16(b + data - 2, 19); /* without the time of the last access */
    expect_sized(HD_KIRA_WIRE_OK, b, len - 8);
    len = load("fetch-rsp", b);
    b[data] = 1; /* not found, but with values */
    expect(HD_KIRA_WIRE_DATA, b, len);
    put_u16(b + data - 2, 1);
    expect_sized(HD_KIRA_WIRE_OK, b, data + 1);
    b[data] = 2;
    expect(HD_KIRA_WIRE_DATA, b, data + 1);
}

static void private_objects_broken(void **state)
{
    static const struct {
        uint8_t type;
        const char *value;
        size_t len;
        enum hd_kira_wire_error want;
    } broken[] = {
        {HD_KIRA_OBJ_OVERLAY_HOPS, "\0\1\0\1", 4, HD_KIRA_WIRE_PRIVATE}, /* must ascend */
        {HD_KIRA_OBJ_OVERLAY_HOPS, "\0\3\0\2", 4, HD_KIRA_WIRE_PRIVATE},
        {HD_KIRA_OBJ_OVERLAY_HOPS, "\0\4", 2, HD_KIRA_WIRE_PRIVATE}, /* past the route */
        {HD_KIRA_OBJ_OVERLAY_HOPS, "\0\1\0", 3, HD_KIRA_WIRE_PRIVATE},
        {HD_KIRA_OBJ_OVERLAY_HOPS, "", 0, HD_KIRA_WIRE_OK},
        {HD_KIRA_OBJ_CAPABILITIES, "", 0, HD_KIRA_WIRE_PRIVATE},
        {HD_KIRA_OBJ_CAPABILITIES, "\1", 1, HD_KIRA_WIRE_PRIVATE},
        {HD_KIRA_OBJ_CAPABILITIES, "\1\1\1", 3, HD_KIRA_WIRE_PRIVATE},
        {HD_KIRA_OBJ_CAPABILITIES, "\2\1\1", 3, HD_KIRA_WIRE_OK}, /* a version to come */
        {HD_KIRA_OBJ_MAC, "\0\7\0\0\0\0\0\0\1\2MAC bytes numbe", 25, HD_KIRA_WIRE_PRIVATE},
        {HD_KIRA_OBJ_MAC, "\0\7\0\0\0\0\0\0\1\2MAC bytes number!", 27, HD_KIRA_WIRE_PRIVATE},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(broken); i++) {
        uint8_t b[SMALL];
        size_t len = load("probe-req", b);

        len = add_object(b, len, broken[i].type, broken[i].value, broken[i].len);
        expect(broken[i].want, b, len);
    }
}

static void nothing_may_follow_the_mac(void **state)
{
    uint8_t b[SMALL];
    size_t len = load("hello", b);

    len = add_object(b, len, HD_KIRA_OBJ_MAC, "\0\7\0\0\0\0\0\0\1\2MAC bytes number", 26);
    expect(HD_KIRA_WIRE_OK, b, len);
    expect(HD_KIRA_WIRE_PRIVATE, b, add_object(b, len, 0x33, "", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_rules),
        cmocka_unit_test(bytes_behind_the_message_are_ignored),
        cmocka_unit_test(unknown_objects_are_skipped),
        cmocka_unit_test(of_duplicates_the_first_wins),
        cmocka_unit_test(any_order_is_read),
        cmocka_unit_test(what_must_be_there),
        cmocka_unit_test(route_rules),
        cmocka_unit_test(routes_have_no_node_twice),
        cmocka_unit_test(route_limit),
        cmocka_unit_test(contact_rules),
        cmocka_unit_test(not_via_rules),
        cmocka_unit_test(request_rules),
        cmocka_unit_test(entry_rules),
        cmocka_unit_test(path_limit),
        cmocka_unit_test(error_rules),
        cmocka_unit_test(data_rules),
        cmocka_unit_test(private_objects_broken),
        cmocka_unit_test(nothing_may_follow_the_mac),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

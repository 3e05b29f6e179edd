/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KIRA's formats: every vector of kira.md 3.7 is decoded, its fields are checked, and it is encoded
 * again byte for byte; each is cut short and each length in it made wrong. Then writing, echoes,
 * and the labels of 2.3 and 7.6. What the decoder refuses besides: kira_wire_reject_test.c.
 */
#include "unit/kira_wire_help.h"

#define BUF 65536

static void assert_id_at(const struct hd_kira_ids *ids, uint32_t i, uint64_t n)
{
    struct hd_id id = hd_kira_id_at(ids, i);

    assert_id(&id, n);
}

/* --- the vectors --- */

struct vector {
    const char *name;
    uint8_t type, flags;
    uint64_t dest, source, msg_id, domain;
    uint32_t ssn;
    uint16_t degree;
    bool route;
    void (*check)(const struct hd_kira_msg *m);
};

static void check_contact(const struct hd_kira_msg *m, uint64_t id, uint32_t ssn)
{
    struct hd_reader r = m->contacts;
    struct hd_kira_contact_item c;

    assert_true(m->has_contacts);
    assert_true(hd_kira_next_contact(&r, &c));
    assert_id(&c.id, id);
    assert_int_equal(c.ssn, ssn);
    assert_int_equal(c.age_ms, HD_KIRA_AGE_UNKNOWN);
    assert_int_equal(c.degree, HD_KIRA_DEGREE_UNKNOWN);
    assert_false(hd_kira_next_contact(&r, &c));
}

static void check_disc_req(const struct hd_kira_msg *m)
{
    check_contact(m, 0x30, 1);
}

static void check_disc_rsp(const struct hd_kira_msg *m)
{
    check_contact(m, 0x73, 7);
}

static void check_query_req(const struct hd_kira_msg *m)
{
    assert_true(m->has_rtable_req);
    assert_int_equal(m->rtable_req_type, HD_KIRA_RT_VICINITY);
    assert_int_equal(m->rtable_req_radius, 3);
}

static void check_find_req(const struct hd_kira_msg *m)
{
    assert_true(m->has_rtable_req);
    assert_int_equal(m->rtable_req_type, HD_KIRA_RT_OVERLAY);
    assert_int_equal(m->rtable_req_radius, 3);
}

static void check_entry(const struct hd_kira_entry *e, uint64_t id, uint32_t ssn)
{
    assert_id(&e->id, id);
    assert_int_equal(e->path.count, 1);
    assert_id_at(&e->path, 0, id);
    assert_int_equal(e->ssn, ssn);
    assert_int_equal(e->age_ms, HD_KIRA_AGE_UNKNOWN);
    assert_int_equal(e->degree, HD_KIRA_DEGREE_UNKNOWN);
}

static void check_rtable(const struct hd_kira_msg *m, uint64_t id, uint32_t ssn)
{
    struct hd_reader r = m->rtable;
    struct hd_kira_entry e;

    assert_true(m->has_rtable);
    assert_true(hd_kira_next_entry(&r, &e));
    check_entry(&e, id, ssn);
    assert_false(hd_kira_next_entry(&r, &e));
}

static void check_query_rsp(const struct hd_kira_msg *m)
{
    check_rtable(m, 0x83, 8);
}

static void check_find_rsp(const struct hd_kira_msg *m)
{
    check_rtable(m, 0x93, 9);
}

static void check_update(const struct hd_kira_msg *m)
{
    struct hd_reader r = m->update;
    struct hd_kira_entry e;

    assert_true(m->has_update);
    assert_true(hd_kira_next_update(&r, &e));
    check_entry(&e, 0x9b, 12);
    assert_int_equal(e.action, HD_KIRA_ANNOUNCE);
    assert_false(hd_kira_next_update(&r, &e));
}

static void check_dead_end(const struct hd_kira_msg *m)
{
    assert_true(m->has_error);
    assert_int_equal(m->error_kind, HD_KIRA_DEAD_END);
}

static void check_segment_failure(const struct hd_kira_msg *m)
{
    assert_true(m->has_error);
    assert_int_equal(m->error_kind, HD_KIRA_SEGMENT_FAILURE);
    assert_id(&m->error_reporter, 0xfa);
    assert_id(&m->error_a, 0x42);
    assert_id(&m->error_b, 0x44);
}

static void check_data(const struct hd_kira_msg *m, uint8_t type, size_t len, uint8_t last)
{
    assert_true(m->has_data);
    assert_int_equal(m->data_type, type);
    assert_int_equal(hd_reader_left(&m->data), len);
    assert_int_equal(m->data.end[-1], last);
}

static void check_store_req(const struct hd_kira_msg *m)
{
    check_data(m, HD_KIRA_OBJ_STORE_REQ, 27, 0xd2);
}

static void check_store_rsp(const struct hd_kira_msg *m)
{
    check_data(m, HD_KIRA_OBJ_STORE_RSP, 1, 1);
}

static void check_fetch_req(const struct hd_kira_msg *m)
{
    check_data(m, HD_KIRA_OBJ_FETCH_REQ, 14, 0xe3);
}

static void check_fetch_rsp(const struct hd_kira_msg *m)
{
    check_data(m, HD_KIRA_OBJ_FETCH_RSP, 10, 0x0c);
}

static void check_probe_req(const struct hd_kira_msg *m)
{
    struct hd_reader r = m->not_via;
    struct hd_kira_not_via n;

    assert_int_equal(m->route.count, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_id_at(&m->route, i, i + 1);
    assert_true(m->has_not_via);
    assert_true(hd_kira_next_not_via(&r, &n));
    assert_id(&n.a, 0x42);
    assert_id(&n.b, 0x44);
    assert_int_equal(n.age_ms, 0);
    assert_false(hd_kira_next_not_via(&r, &n));
}

#define D 0x4242

static const struct vector vectors[] = {
    {"hello", 0x01, 0, 0x34, 0x12, 0x789, D, 0x1234, 1, false, NULL},
    {"disc-req", 0x03, 0, 0x20, 0x10, 0x1111, D, 0x2222, 2, false, check_disc_req},
    {"query-route-req", 0x0b, 1, 0x50, 0x40, 0x2222, D, 0x3333, 3, true, check_query_req},
    {"find-node-req", 0x09, 1, 0x70, 0x60, 0x4444, D, 0x5555, 4, true, check_find_req},
    {"disc-rsp", 0x04, 0, 0x72, 0x71, 0x6001, D, 0x6002, 5, false, check_disc_rsp},
    {"query-route-rsp", 0x0c, 0, 0x82, 0x81, 0x7001, D, 0x7002, 6, true, check_query_rsp},
    {"find-node-rsp", 0x0a, 0, 0x92, 0x91, 0x8001, D, 0x8002, 7, true, check_find_rsp},
    {"update-route-req", 0x11, 0, 0x9a, 0x99, 0x8a01, D, 0x8a02, 4, true, check_update},
    {"error-dead-end", 0x70, 0, 0xa2, 0xa1, 0x9001, D, 0x9002, 2, true, check_dead_end},
    {"error-segment-failure", 0x70, 0, 0xfb, 0xfa, 0xcafe, D, 0xbabe, 1, true,
     check_segment_failure},
    {"probe-rsp", 0x22, 0, 0xb4, 0xb3, 0x9201, D, 0x9202, 1, true, NULL},
    {"path-setup-req", 0x81, 0, 0xc2, 0xc1, 0x9301, D, 0x9302, 1, true, NULL},
    {"path-teardown-req", 0x83, 0, 0xc4, 0xc3, 0x9401, D, 0x9402, 1, true, NULL},
    {"store-req", 0xa1, 0, 0xd2, 0xd1, 0x9501, D, 0x9502, 2, true, check_store_req},
    {"store-rsp", 0xa2, 0, 0xd5, 0xd4, 0x9601, D, 0x9602, 2, true, check_store_rsp},
    {"fetch-req", 0xa3, 0, 0xe2, 0xe1, 0x9701, D, 0x9702, 2, true, check_fetch_req},
    {"fetch-rsp", 0xa4, 0, 0xe5, 0xe4, 0x9801, D, 0x9802, 2, true, check_fetch_rsp},
    {"probe-req", 0x21, 1, 4, 1, 0x0102030405060708, 0, 5, 2, true, check_probe_req},
};

static void check_vector(const struct vector *v, const struct hd_kira_msg *m)
{
    assert_int_equal(m->h.type, v->type);
    assert_int_equal(m->h.flags, v->flags);
    assert_id(&m->h.dest, v->dest);
    assert_id(&m->h.source, v->source);
    assert_int_equal(m->h.domain, v->domain);
    assert_int_equal(m->h.msg_id, v->msg_id);
    assert_int_equal(m->h.ssn, v->ssn);
    assert_int_equal(m->h.degree, v->degree);
    assert_int_equal(m->has_route, v->route);
    if (v->route) {
        assert_int_equal(m->index, 1);
        assert_int_equal(m->bytes[m->index_offset + 1], 1);
        assert_id_at(&m->route, 0, v->source);
        assert_id_at(&m->route, m->route.count - 1, v->dest);
    }
    if (v->check != NULL)
        v->check(m);
}

static void vectors_decode_and_encode(void **state)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(vectors); i++) {
        uint8_t bytes[SMALL], again[SMALL];
        size_t len = load(vectors[i].name, bytes);
        struct hd_writer w = hd_writer_make(again, sizeof again);
        struct hd_kira_msg m;

        assert_int_equal(hd_kira_decode(&m, bytes, len), HD_KIRA_WIRE_OK);
        assert_int_equal(m.len, len);
        check_vector(&vectors[i], &m);
        assert_int_equal(hd_kira_encode(&w, &m), 0);
        assert_int_equal(hd_writer_len(&w), len);
        assert_memory_equal(again, bytes, len);
    }
}

/* A datagram that was cut is refused, and so is one that claims the cut to be its length. */
static void every_prefix_is_refused(void **state)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(vectors); i++) {
        uint8_t bytes[SMALL], cut[SMALL];
        size_t len = load(vectors[i].name, bytes);

        for (size_t n = 0; n < len; n++) {
            struct hd_kira_msg m;
            enum hd_kira_wire_error e;

            expect(HD_KIRA_WIRE_SHORT, bytes, n);
            if (n < HD_KIRA_HEADER_LEN)
                continue;
            memcpy(cut, bytes, len);
            put_u16(cut + LENGTH_AT, n);
            e = hd_kira_decode(&m, cut, n);
            if (e == HD_KIRA_WIRE_OK) /* whole without its last object, which may be absent */
                assert_true(!m.has_rtable && !m.has_update && !m.has_contacts && !m.has_not_via);
            else
                assert_true(e == HD_KIRA_WIRE_OBJECT || e == HD_KIRA_WIRE_MISSING);
        }
    }
}

/* Offsets of the object headers of a vector; returns how many. */
static size_t find_objects(const uint8_t *bytes, size_t len, size_t offsets[4])
{
    size_t n = 0;

    for (size_t at = HD_KIRA_HEADER_LEN; at < len && n < 4; n++) {
        offsets[n] = at;
        at += 3 + (size_t)(bytes[at + 1] << 8 | bytes[at + 2]);
    }
    return n;
}

static void every_object_length_off_by_one(void **state)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(vectors); i++) {
        uint8_t bytes[SMALL];
        size_t len = load(vectors[i].name, bytes), offsets[4];
        size_t objects = find_objects(bytes, len, offsets);

        expect(HD_KIRA_WIRE_OK, bytes, len);
        for (size_t o = 0; o < objects; o++) {
            for (int by = -1; by <= 1; by += 2) {
                uint8_t *length = bytes + offsets[o] + 1;
                uint8_t kept[2] = {length[0], length[1]};
                struct hd_kira_msg m;

                put_u16(length, (size_t)((kept[0] << 8 | kept[1]) + by));
                if (hd_kira_decode(&m, bytes, len) == HD_KIRA_WIRE_OK)
                    fail_msg("%s: object %zu accepted with length %+d", vectors[i].name, o, by);
                memcpy(length, kept, 2);
            }
        }
    }
}

/* Lengths inside of objects: paths, values. */
static void every_inner_length_off_by_one(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        enum hd_kira_wire_error want;
    } inner[] = {
        {"query-route-rsp", 55 + 33 + 3 + 14, HD_KIRA_WIRE_ENTRY},
        {"update-route-req", 55 + 33 + 3 + 14, HD_KIRA_WIRE_ENTRY},
        {"store-req", 55 + 33 + 3 + 14, HD_KIRA_WIRE_DATA},
        {"fetch-rsp", 55 + 33 + 3 + 1, HD_KIRA_WIRE_DATA},
        {"fetch-rsp", 55 + 33 + 3 + 3, HD_KIRA_WIRE_DATA},
        {"fetch-rsp", 55 + 33 + 3 + 7, HD_KIRA_WIRE_DATA},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(inner); i++) {
        uint8_t bytes[SMALL];
        size_t len = load(inner[i].name, bytes);
        uint8_t kept = bytes[inner[i].at + 1];

        bytes[inner[i].at + 1] = (uint8_t)(kept + 1);
        expect(inner[i].want, bytes, len);
        bytes[inner[i].at + 1] = (uint8_t)(kept - 1);
        expect(inner[i].want, bytes, len);
        put_u16(bytes + inner[i].at, 0xffff);
        expect(inner[i].want, bytes, len);
    }
}

/* --- our private objects --- */

static void private_objects_round_trip(void **state)
{
    uint8_t b[SMALL], again[SMALL];
    size_t len = load("probe-req", b);
    struct hd_writer w = hd_writer_make(again, sizeof again);
    struct hd_kira_msg m;

    len = add_object(b, len, HD_KIRA_OBJ_OVERLAY_HOPS, "\0\1\0\3", 4);
    len = add_object(b, len, HD_KIRA_OBJ_CAPABILITIES, "\1\x85", 2);
    len = add_object(b, len, HD_KIRA_OBJ_MAC, "\0\7\0\0\0\0\0\0\1\2MAC bytes number", 26);
    assert_int_equal(hd_kira_decode(&m, b, len), HD_KIRA_WIRE_OK);
    assert_true(m.has_overlay_hops && m.has_capabilities && m.has_mac);
    assert_int_equal(m.capabilities, 0x85); /* bits that nobody knows yet included */
    assert_int_equal(m.mac_key, 7);
    assert_int_equal(m.mac_counter, 0x102);
    assert_int_equal(m.mac_offset, len - HD_KIRA_MAC_OBJECT_LEN);
    assert_int_equal(hd_kira_encode(&w, &m), 0);
    assert_int_equal(hd_writer_len(&w), len);
    assert_memory_equal(again, b, len);
}

/* --- writing --- */

static void writing_what_the_core_writes(void **state)
{
    uint8_t b[SMALL];
    struct hd_writer w = hd_writer_make(b, sizeof b);
    struct hd_kira_header h = {.type = HD_KIRA_ERROR, .source = id_of(1), .dest = id_of(2)};
    struct hd_kira_msg m;
    size_t mark;

    h.ssn = 5;
    hd_kira_write_begin(&w, &h);
    mark = hd_kira_object_begin(&w, HD_KIRA_OBJ_ROUTE);
    hd_write_u16(&w, 1);
    hd_kira_write_id(&w, &h.source);
    hd_kira_write_id(&w, &h.dest);
    hd_kira_object_end(&w, mark);
    /* The link's ends in the wrong order: the writer puts them right. */
    hd_kira_write_error(&w, HD_KIRA_SEGMENT_FAILURE, &h.source, &(struct hd_id){{9}},
                        &(struct hd_id){{7}});
    hd_kira_write_mac(&w, 3, 4);
    assert_int_equal(hd_kira_write_end(&w), 0);
    assert_int_equal(hd_kira_decode(&m, b, hd_writer_len(&w)), HD_KIRA_WIRE_OK);
    assert_int_equal(m.error_a.b[0], 7);
    assert_int_equal(m.error_b.b[0], 9);
    assert_int_equal(m.mac_key, 3);
    assert_int_equal(m.mac_counter, 4);
    assert_int_equal(m.mac_offset + HD_KIRA_MAC_OBJECT_LEN, m.len);
}

static void a_full_buffer_is_an_error(void **state)
{
    uint8_t b[SMALL], again[SMALL];
    size_t len = load("find-node-rsp", b);
    struct hd_kira_msg m;

    assert_int_equal(hd_kira_decode(&m, b, len), HD_KIRA_WIRE_OK);
    for (size_t room = 0; room < len; room++) {
        struct hd_writer w = hd_writer_make(again, room);

        assert_int_equal(hd_kira_encode(&w, &m), HD_ELIMIT);
    }
}

static void lengths_beyond_16_bits_are_an_error(void **state)
{
    static uint8_t b[3 * BUF];
    struct hd_kira_header h = {.type = HD_KIRA_DISC_REQ, .source = id_of(1), .dest = id_of(2)};

    for (size_t contacts = 2727; contacts <= 2732; contacts++) {
        struct hd_writer w = hd_writer_make(b, sizeof b);
        struct hd_kira_contact_item c = {.id = id_of(3), .ssn = 1};
        size_t mark;

        hd_kira_write_begin(&w, &h);
        mark = hd_kira_object_begin(&w, HD_KIRA_OBJ_CONTACTS);
        for (size_t i = 0; i < contacts; i++)
            hd_kira_write_contact(&w, &c);
        hd_kira_object_end(&w, mark);
        assert_int_equal(hd_kira_write_end(&w), 58 + 24 * contacts <= 65535 ? 0 : HD_ELIMIT);
    }
}

static void echo_round_trip(void **state)
{
    uint8_t b[HD_KIRA_ECHO_LEN + 1] = {0};
    struct hd_writer w = hd_writer_make(b, sizeof b);
    struct hd_kira_echo e = {HD_KIRA_ECHO_REQUEST, 0x01020304, 0x1122334455667788}, got;

    hd_kira_echo_write(&w, &e);
    assert_int_equal(hd_writer_len(&w), HD_KIRA_ECHO_LEN);
    assert_memory_equal(b, "\xec\1\0\0\1\2\3\4\x11\x22\x33\x44\x55\x66\x77\x88", HD_KIRA_ECHO_LEN);
    assert_true(hd_kira_echo_decode(&got, b, HD_KIRA_ECHO_LEN));
    assert_true(got.type == e.type && got.tag == e.tag && got.nonce == e.nonce);
    assert_false(hd_kira_echo_decode(&got, b, HD_KIRA_ECHO_LEN - 1));
    assert_false(hd_kira_echo_decode(&got, b, HD_KIRA_ECHO_LEN + 1));
    b[1] = 3;
    assert_false(hd_kira_echo_decode(&got, b, HD_KIRA_ECHO_LEN));
    b[1] = HD_KIRA_ECHO_REPLY;
    b[3] = 1;
    assert_false(hd_kira_echo_decode(&got, b, HD_KIRA_ECHO_LEN));
    b[3] = 0;
    b[0] = 0;
    assert_false(hd_kira_echo_decode(&got, b, HD_KIRA_ECHO_LEN));
}

/* KIRA-Rust writes the not-via list of an error in front of the route. */
static void errors_have_an_order_of_their_own(void **state)
{
    uint8_t b[SMALL], probe[SMALL], again[SMALL];
    size_t len = load("error-dead-end", b), probe_len = load("probe-req", probe);
    struct hd_writer w = hd_writer_make(again, sizeof again);
    struct hd_kira_msg m;

    memmove(b + HD_KIRA_HEADER_LEN + 35, b + HD_KIRA_HEADER_LEN, len - HD_KIRA_HEADER_LEN);
    memcpy(b + HD_KIRA_HEADER_LEN, probe + probe_len - 35, 35);
    len += 35;
    put_u16(b + LENGTH_AT, len);
    assert_int_equal(hd_kira_decode(&m, b, len), HD_KIRA_WIRE_OK);
    assert_true(m.has_not_via && m.has_route);
    assert_int_equal(hd_kira_encode(&w, &m), 0);
    assert_int_equal(hd_writer_len(&w), len);
    assert_memory_equal(again, b, len);
}

/* --- labels and names --- */

static void label_vectors(void **state)
{
    static const struct {
        uint64_t path[4]; /* up to the first zero */
        const char *label;
    } labels[] = {
        {{1}, "f9b8a9c4052b05af9fd9d5592266"},
        {{2}, "3cae190a583977c3c55041bad534"},
        {{1, 2}, "1ea54dacee661245cdfaf6b442ee"},
        {{2, 3}, "29a1c60fdae4188e8604314d1957"},
        {{1, 2, 3}, "386834c4e23d59ed55f4880fcafa"},
        {{2, 3, 4}, "98beea6fa2879d5d13dc55606a5b"},
        {{11, 12}, "df2f32e290b3dab9913827eba957"},
        {{12}, "29f83266d6b6d4dcc41450f90285"},
        {{11, 10}, "5c02f73e656c87977bd2ff8854ea"},
        {{10}, "3b1a39a1fd8f499f7911dd260a64"},
        {{0xb, 0xc, 0xd}, "f0843776bb85d3481c816856799a"},
        {{0xb, 0xc, 0xd, 0xe}, "c5b34674e7b351e0a89bdb1d7f4b"},
        {{0xc, 0xd}, "c6b09add50fcad217288f4ea08f3"},
        {{0xc, 0xd, 0xe}, "9a203a71dfff1cd49275d3a88ee9"},
        {{0xd}, "5278f7d662feed53099ffcd1c1ff"},
        {{0xd, 0xe}, "d49d9efa3a74842f73e23cef5dce"},
        {{0xe}, "15c20facee0a3ec56e1db0fa88ad"},
    };
    struct hd_id ones;
    const struct hd_id *path[4] = {&ones};
    uint8_t label[HD_ID_BYTES];
    char text[HD_ID_TEXT];

    memset(ones.b, 0xff, HD_ID_BYTES);
    hd_kira_path_label(path, 1, label);
    memcpy(ones.b, label, HD_ID_BYTES);
    assert_string_equal(hd_id_format(&ones, text), "cd518f635f41f18e181adf579db8");
    for (size_t i = 0; i < HD_ARRAY_LEN(labels); i++) {
        struct hd_id ids[4], got;
        uint32_t len = 0;

        for (; len < 4 && labels[i].path[len] != 0; len++) {
            ids[len] = id_of(labels[i].path[len]);
            path[len] = &ids[len];
        }
        hd_kira_path_label(path, len, got.b);
        assert_string_equal(hd_id_format(&got, text), labels[i].label);
    }
}

static void everything_has_a_name(void **state)
{
    for (unsigned e = 0; e < HD_KIRA_WIRE_ERROR_COUNT; e++) {
        assert_non_null(hd_kira_wire_error_name((enum hd_kira_wire_error)e));
        assert_string_not_equal(hd_kira_wire_error_name((enum hd_kira_wire_error)e), "unknown");
    }
    assert_string_equal(hd_kira_wire_error_name(HD_KIRA_WIRE_ERROR_COUNT), "unknown");
    for (size_t i = 0; i < HD_ARRAY_LEN(vectors); i++)
        assert_string_not_equal(hd_kira_type_name(vectors[i].type), "unknown");
    assert_string_equal(hd_kira_type_name(HD_KIRA_FIND_REQ), "find-node-req");
    assert_string_equal(hd_kira_type_name(HD_KIRA_SETUP_RSP), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_decode_and_encode),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_object_length_off_by_one),
        cmocka_unit_test(every_inner_length_off_by_one),
        cmocka_unit_test(private_objects_round_trip),
        cmocka_unit_test(writing_what_the_core_writes),
        cmocka_unit_test(a_full_buffer_is_an_error),
        cmocka_unit_test(lengths_beyond_16_bits_are_an_error),
        cmocka_unit_test(errors_have_an_order_of_their_own),
        cmocka_unit_test(echo_round_trip),
        cmocka_unit_test(label_vectors),
        cmocka_unit_test(everything_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The small modules of lib: errors, random streams, cursors, addresses, vectors, map, timers. */
#include "support/test.h"

#include <ctype.h>

#include "lib/addr.h"
#include "lib/cursor.h"
#include "lib/map.h"
#include "lib/timerq.h"
#include "lib/vec.h"

static void error_names(void **state)
{
    for (int code = HD_ETIMEOUT; code <= HD_OK; code++) {
        const char *name = hd_error_name(code);
        assert_string_not_equal(name, "unknown");
        for (int other = HD_ETIMEOUT; other < code; other++)
            assert_string_not_equal(name, hd_error_name(other));
        for (; *name != '\0'; name++)
            assert_true(islower((unsigned char)*name) || *name == '-');
    }
    assert_string_equal(hd_error_name(-4711), "unknown");
    assert_string_equal(hd_error_name(1), "unknown");
}

/* Published values of xoshiro256** for the state 1, 2, 3, 4. */
static void random_known(void **state)
{
    struct hd_random r = {.s = {1, 2, 3, 4}};

    assert_int_equal(hd_random_u64(&r), 11520);
    assert_int_equal(hd_random_u64(&r), 0);
    assert_int_equal(hd_random_u64(&r), 1509978240);
    assert_int_equal(hd_random_u64(&r), 1215971899390074240);
}

static void random_streams(void **state)
{
    struct hd_random a, b, c;
    uint8_t bytes[11];

    hd_random_seed(&a, 1, 2);
    hd_random_seed(&b, 2, 1);
    hd_random_seed(&c, 1, 2);
    assert_true(hd_random_u64(&a) != hd_random_u64(&b));
    hd_random_u64(&c);
    assert_int_equal(hd_random_u64(&a), hd_random_u64(&c));
    hd_random_seed(&a, 7, 0);
    hd_random_seed(&b, 7, 0);
    hd_random_bytes(&a, bytes, sizeof bytes);
    uint64_t first = hd_random_u64(&b), second = hd_random_u64(&b);
    assert_true(bytes[0] == (uint8_t)first && bytes[7] == (uint8_t)(first >> 56));
    assert_true(bytes[8] == (uint8_t)second && bytes[10] == (uint8_t)(second >> 16));
}

static void random_ranges(void **state)
{
    struct hd_random r;
    unsigned seen[6] = {0};
    hd_time low = HD_NEVER, high = 0, sum = 0;

    hd_random_seed(&r, test_seed(__func__), 0);
    for (unsigned i = 0; i < 60000; i++)
        seen[hd_random_below(&r, 6)]++;
    for (unsigned i = 0; i < 6; i++)
        assert_in_range(seen[i], 9400, 10600); /* six sigma */
    for (unsigned i = 0; i < 10000; i++) {
        hd_time t = hd_random_jitter(&r, HD_SEC(1));
        low = HD_MIN(low, t);
        high = HD_MAX(high, t);
        sum += t;
    }
    assert_true(low >= HD_MS(500) && low < HD_MS(510));
    assert_true(high <= HD_MS(1500) && high > HD_MS(1490));
    assert_in_range(sum / 10000, HD_MS(980), HD_MS(1020));
    assert_int_equal(hd_random_jitter(&r, 0), 0);
    assert_int_equal(hd_random_jitter(&r, HD_NEVER), HD_NEVER);
    assert_true(hd_random_jitter(&r, HD_NEVER - 1) > 0);
    assert_int_equal(hd_random_below(&r, 1), 0);
}

static void cursor_reads(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    struct hd_reader r = hd_reader_make(bytes, sizeof bytes);

    assert_int_equal(hd_read_u8(&r), 1);
    assert_int_equal(hd_read_u16(&r), 0x0203);
    assert_int_equal(hd_read_u32(&r), 0x04050607);
    struct hd_reader sub = hd_read_sub(&r, 8);
    assert_int_equal(hd_reader_left(&sub), 8);
    assert_int_equal(hd_read_u64(&sub), 0x08090a0b0c0d0e0f);
    assert_true(!sub.bad && hd_reader_left(&sub) == 0 && hd_reader_left(&r) == 1);
    assert_ptr_equal(hd_read_bytes(&r, 0), bytes + 15);
    assert_int_equal(hd_read_u16(&r), 0); /* one byte short */
    assert_true(r.bad);
    assert_int_equal(hd_read_u8(&r), 0); /* and it stays bad, although a byte is left */
    assert_null(hd_read_bytes(&r, 0));
    sub = hd_read_sub(&r, 0);
    assert_true(sub.bad && hd_reader_left(&sub) == 0);
    r = hd_reader_make(NULL, 0);
    assert_int_equal(hd_read_u32(&r), 0);
    assert_true(r.bad);
    r = hd_reader_make(bytes, sizeof bytes);
    assert_null(hd_read_bytes(&r, SIZE_MAX));
}

static void cursor_writes(void **state)
{
    static const uint8_t want[] = {1, 0xab, 0xcd, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 'x'};
    uint8_t buf[17] = {0};
    struct hd_writer w = hd_writer_make(buf, 16);

    hd_write_u8(&w, 1);
    hd_write_u16(&w, 0);
    hd_write_u32(&w, 0x04050607);
    hd_write_u64(&w, 0x08090a0b0c0d0e0f);
    hd_write_bytes(&w, NULL, 0);
    hd_write_bytes(&w, "x", 1);
    hd_write_u16_at(&w, 1, 0xabcd);
    assert_true(!w.bad && hd_writer_len(&w) == 16 && hd_writer_left(&w) == 0);
    hd_write_u8(&w, 0xff);
    assert_true(w.bad && buf[16] == 0);
    assert_memory_equal(buf, want, 16);
    w = hd_writer_make(buf, 3);
    hd_write_u32(&w, 0xffffffff); /* nothing of it is written */
    hd_write_u8(&w, 0xff);
    hd_write_u16_at(&w, 0, 0xffff);
    assert_memory_equal(buf, want, 16);
}

static void addresses(void **state)
{
    static const char *const canonical[] = {
        "::",
        "::1",
        "fc00:1:2:3:4:5:6:7",
        "2001:db8::1",
        "fe80::1:2",
        "ff02::1",
        "2001:db8:0:1:1:1:1:1",
        "2001:0:0:1::1",
        "1::",
        "::2:3:4:5:6:7:8",
    };
    static const char *const wrong[] = {
        "", ":", "1", "1::2::3", "g::", "::1/64", "fe80::%1", "1:2:3:4:5:6:7:8:9", " ::1"};
    char text[HD_IP6_TEXT];
    struct hd_ip6 a;

    for (size_t i = 0; i < HD_ARRAY_LEN(canonical); i++) {
        assert_int_equal(hd_ip6_parse(canonical[i], &a), 0);
        /* RFC 5952 4.2.2: a single zero group is not shortened */
        if (strcmp(canonical[i], "::2:3:4:5:6:7:8") != 0)
            assert_string_equal(hd_ip6_format(&a, text), canonical[i]);
        else
            assert_string_equal(hd_ip6_format(&a, text), "0:2:3:4:5:6:7:8");
    }
    for (size_t i = 0; i < HD_ARRAY_LEN(wrong); i++)
        assert_int_equal(hd_ip6_parse(wrong[i], &a), HD_EMALFORMED);
    assert_int_equal(hd_ip6_parse("FE80:0:0:0:0:0:0:1", &a), 0);
    assert_string_equal(hd_ip6_format(&a, text), "fe80::1");
    assert_true(hd_ip6_is_link_local(&a));
    assert_int_equal(hd_ip6_parse("fec0::1", &a), 0);
    assert_false(hd_ip6_is_link_local(&a));
    struct hd_mac m = {.b = {0, 0x1b, 0xff, 3, 0x40, 5}};
    assert_string_equal(hd_mac_format(&m, text), "00:1b:ff:03:40:05");
}

static void vectors(void **state)
{
    struct hd_pool *p = test_pool(65536);
    HD_VEC(uint32_t) v = {0};

    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(hd_vec_push(p, &v, i), 0);
    hd_vec_remove(&v, 10);
    assert_true(v.len == 99 && v.v[9] == 9 && v.v[10] == 11 && v.v[98] == 99);
    hd_vec_remove_swap(&v, 0);
    assert_true(v.len == 98 && v.v[0] == 99);
    p->fail_after = 0;
    while (v.len < v.cap)
        assert_int_equal(hd_vec_push(p, &v, 7), 0);
    uint32_t len = v.len;
    assert_int_equal(hd_vec_push(p, &v, 7), HD_ENOMEM);
    assert_true(v.len == len && v.cap == len && v.v[len - 1] == 7 && v.v[1] == 1);
    hd_vec_free(p, &v);
    assert_true(v.v == NULL && v.len == 0 && v.cap == 0 && p->live == 0);
    free(p);
}

/* A pool that cannot give half as much again can still give the one item asked for. */
static void vector_in_a_full_pool(void **state)
{
    struct hd_pool *p = test_pool(1280);
    size_t left = p->size - p->used;
    HD_VEC(uint32_t) v = {0};

    while (hd_vec_push(p, &v, 1) == 0)
        ;
    /* It takes what there is, but for less than a step of the pool's sizes. */
    assert_true(v.len == v.cap && left - v.len * sizeof *v.v < left / 4);
    hd_vec_free(p, &v);
    free(p);
}

static void map_basics(void **state)
{
    struct hd_pool *p = test_pool(65536);
    struct hd_map m;
    uint32_t value = 0, at = 0;
    uint64_t key, sum = 0;

    hd_map_init(&m, 99);
    assert_false(hd_map_get(&m, 1, &value));
    assert_false(hd_map_del(&m, 1));
    assert_false(hd_map_next(&m, &at, &key, &value));
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(hd_map_set(&m, p, i << 32, (uint32_t)i), 0);
    assert_int_equal(hd_map_set(&m, p, 0, 7), 0); /* replaces */
    assert_true(hd_map_get(&m, 0, &value) && value == 7 && m.len == 50);
    for (at = 0; hd_map_next(&m, &at, &key, &value);) {
        sum += key >> 32;
        assert_true(hd_map_del(&m, key)); /* while iterating */
    }
    assert_true(sum == 49 * 50 / 2 && m.len == 0);
    assert_int_equal(hd_map_set(&m, p, 5, 5), 0);
    hd_map_clear(&m);
    assert_false(hd_map_get(&m, 5, &value));
    hd_map_free(&m, p);
    assert_int_equal(p->live, 0);
    free(p);
}

/* A map whose pool is full lives on: churn needs no memory, and only its size has a bound. */
static void map_without_memory(void **state)
{
    struct hd_pool *p = test_pool(65536);
    struct hd_map m;
    uint32_t value;

    hd_map_init(&m, 1);
    for (uint64_t i = 0; i < 48; i++)
        assert_int_equal(hd_map_set(&m, p, i, 1), 0);
    assert_int_equal(m.cap, 64);
    p->fail_after = 0;
    uint64_t next = 48;
    while (hd_map_set(&m, p, next, 1) == 0)
        next++;
    assert_int_equal(m.len, 56); /* seven eighths */
    for (uint64_t i = 0; i < 10000; i++) {
        assert_true(hd_map_del(&m, i));
        assert_int_equal(hd_map_set(&m, p, i + 56, 2), 0);
        assert_false(hd_map_get(&m, i, &value));
    }
    assert_int_equal(m.len, 56);
    for (uint64_t i = 10000; i < 10056; i++)
        assert_true(hd_map_get(&m, i, &value));
    free(p);
}

static void timers(void **state)
{
    struct hd_pool *p = test_pool(65536);
    struct hd_timerq q = {0};
    struct hd_timer t[5] = {{.kind = 0}, {.kind = 1}, {.kind = 2}, {.kind = 3}, {.kind = 4}};

    assert_int_equal(hd_timerq_next(&q), HD_NEVER);
    assert_null(hd_timerq_pop(&q, HD_NEVER));
    assert_int_equal(hd_timerq_reserve(&q, p, 5), 0);
    p->fail_after = 0;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(hd_timer_arm(&q, p, &t[i], 100), 0);
    assert_int_equal(hd_timer_arm(&q, p, &t[0], 100), 0); /* armed again: now the last of equals */
    assert_int_equal(hd_timer_arm(&q, p, &t[4], 50), 0);
    hd_timer_stop(&q, &t[2]);
    hd_timer_stop(&q, &t[2]);
    assert_false(hd_timer_armed(&t[2]));
    assert_int_equal(hd_timerq_next(&q), 50);
    assert_null(hd_timerq_pop(&q, 49));
    assert_ptr_equal(hd_timerq_pop(&q, 50), &t[4]);
    assert_null(hd_timerq_pop(&q, 99));
    assert_ptr_equal(hd_timerq_pop(&q, 100), &t[1]);
    assert_ptr_equal(hd_timerq_pop(&q, 100), &t[3]);
    assert_ptr_equal(hd_timerq_pop(&q, 100), &t[0]);
    assert_null(hd_timerq_pop(&q, HD_NEVER));
    hd_timerq_free(&q, p);
    assert_int_equal(p->live, 0);
    assert_int_equal(hd_timer_arm(&q, p, &t[0], 1), HD_ENOMEM);
    assert_false(hd_timer_armed(&t[0]));
    free(p);
}

static void times(void **state)
{
    assert_int_equal(hd_time_add(HD_NEVER, 5), HD_NEVER);
    assert_int_equal(hd_time_add(HD_NEVER - 1, 5), HD_NEVER);
    assert_int_equal(hd_time_add(5, HD_NEVER), HD_NEVER);
    assert_int_equal(hd_time_add(5, -3), 2);
    assert_int_equal(hd_time_add(HD_NEVER, -3), HD_NEVER);
    assert_int_equal(hd_time_to_ms(HD_SEC(2)), 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_names),
        cmocka_unit_test(random_known),
        cmocka_unit_test(random_streams),
        cmocka_unit_test(random_ranges),
        cmocka_unit_test(cursor_reads),
        cmocka_unit_test(cursor_writes),
        cmocka_unit_test(addresses),
        cmocka_unit_test(vectors),
        cmocka_unit_test(vector_in_a_full_pool),
        cmocka_unit_test(map_basics),
        cmocka_unit_test(map_without_memory),
        cmocka_unit_test(timers),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

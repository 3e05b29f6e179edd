/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer, its output read back by jansson. */
#include "support/test.h"

#include <jansson.h>

#include "lib/json.h"

/* Takes the document and reads it. */
static json_t *read_back(struct hd_json *j, const char *want)
{
    json_error_t error;
    char *text = hd_json_take(j);

    assert_non_null(text);
    if (want != NULL)
        assert_string_equal(text, want);
    json_t *root = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        fail_msg("%s: %s", error.text, text);
    free(text);
    return root;
}

static void writes_a_document(void **state)
{
    struct hd_json j;

    hd_json_init(&j);
    hd_json_object(&j);
    hd_json_kv_string(&j, "s", "a\"b\\c/\b\f\n\r\t\x01\x7f");
    hd_json_kv_int(&j, "i", INT64_MIN);
    hd_json_kv_uint(&j, "u", UINT64_MAX);
    hd_json_kv_bool(&j, "t", true);
    hd_json_kv_bool(&j, "f", false);
    hd_json_key(&j, "n");
    hd_json_null(&j);
    hd_json_key(&j, "a");
    hd_json_array(&j);
    hd_json_int(&j, 1);
    hd_json_array(&j);
    hd_json_end(&j);
    hd_json_object(&j);
    hd_json_end(&j);
    hd_json_string_n(&j, "xyz", 2);
    hd_json_end(&j);
    hd_json_end(&j);
    /* UINT64_MAX is valid JSON but more than jansson's integers hold: not read back here */
    char *text = hd_json_take(&j);
    assert_string_equal(text, "{\"s\":\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u007f\","
                              "\"i\":-9223372036854775808,\"u\":18446744073709551615,\"t\":true,"
                              "\"f\":false,\"n\":null,\"a\":[1,[],{},\"xy\"]}");
    free(text);
}

static void writes_decimals(void **state)
{
    static const struct {
        int64_t value;
        unsigned digits;
        const char *want;
    } rows[] = {
        {0, 0, "0"},
        {12345, 3, "12.345"},
        {-5, 3, "-0.005"},
        {7, 1, "0.7"},
        {1000, 3, "1.000"},
        {INT64_MIN, 9, "-9223372036.854775808"},
        {INT64_MAX, 18, "9.223372036854775807"},
        {-3, 0, "-3"},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(rows); i++) {
        struct hd_json j;
        hd_json_init(&j);
        hd_json_decimal(&j, rows[i].value, rows[i].digits);
        json_decref(read_back(&j, rows[i].want));
    }
}

/* Any bytes at all as string and as key give valid JSON, and valid text comes back unchanged. */
static void any_bytes_stay_valid(void **state)
{
    static const char *const good[] = {
        "", "w\xc3\xb6rk", "\xe2\x82\xac", "\xf0\x9f\xa7\xb6", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf",
    };
    static const char *const bad[] = {"\xc0\x80",         "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xe2\x82",         "\x80",         "\xff",
                                      "\xf5\x80\x80\x80", "\xe0\x80\x80"};
    struct hd_random r;
    struct hd_json j;

    for (size_t i = 0; i < HD_ARRAY_LEN(good); i++) {
        hd_json_init(&j);
        hd_json_string(&j, good[i]);
        json_t *root = read_back(&j, NULL);
        assert_string_equal(json_string_value(root), good[i]);
        json_decref(root);
    }
    for (size_t i = 0; i < HD_ARRAY_LEN(bad); i++) {
        hd_json_init(&j);
        hd_json_string(&j, bad[i]);
        json_t *root = read_back(&j, NULL);
        assert_non_null(strstr(json_string_value(root), "\xef\xbf\xbd"));
        json_decref(root);
    }
    hd_random_seed(&r, test_seed(__func__), 0);
    for (unsigned i = 0; i < 5000; i++) {
        char text[24];
        uint32_t len = (uint32_t)hd_random_below(&r, sizeof text);
        hd_random_bytes(&r, text, len);
        for (uint32_t k = 0; k < len; k++)
            if (text[k] == '\0')
                text[k] = '\xc2'; /* jansson refuses \u0000 unless told otherwise */
        text[len] = '\0';
        hd_json_init(&j);
        hd_json_object(&j);
        hd_json_kv_string(&j, text, text);
        hd_json_end(&j);
        json_decref(read_back(&j, NULL));
    }
}

static void deep_and_long(void **state)
{
    struct hd_json j;

    hd_json_init(&j);
    for (unsigned i = 0; i < HD_JSON_DEPTH; i++)
        hd_json_array(&j);
    for (unsigned i = 0; i < 10000; i++)
        hd_json_uint(&j, i);
    for (unsigned i = 0; i < HD_JSON_DEPTH; i++)
        hd_json_end(&j);
    json_t *root = read_back(&j, NULL), *inner = root;
    for (unsigned i = 1; i < HD_JSON_DEPTH; i++)
        inner = json_array_get(inner, 0);
    assert_int_equal(json_array_size(inner), 10000);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_document),
        cmocka_unit_test(writes_decimals),
        cmocka_unit_test(any_bytes_stay_valid),
        cmocka_unit_test(deep_and_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

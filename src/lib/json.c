/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON writer (RFC 8259). Strings come from anywhere, so they are checked: bytes that are no UTF-8
 * become U+FFFD, because one bad interface name must not make a whole answer unreadable. Calls in
 * an order that would give invalid JSON are defects of the caller and asserted.
 */
#include "lib/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

void hd_json_init(struct hd_json *j)
{
    memset(j, 0, sizeof *j);
}

void hd_json_free(struct hd_json *j)
{
    free(j->text);
    hd_json_init(j);
}

char *hd_json_take(struct hd_json *j)
{
    HD_ASSERT(j->depth == 0 && !j->after_key);
    char *text = j->failed ? NULL : j->text;

    if (text == NULL)
        free(j->text);
    hd_json_init(j);
    return text;
}

/* Room for n more bytes and the end; false (and failed for good) when there is none. */
static bool room(struct hd_json *j, size_t n)
{
    if (j->failed)
        return false;
    if (j->cap - j->len > n)
        return true;
    size_t cap = HD_MAX(j->cap * 2, (size_t)256);
    while (cap - j->len <= n)
        cap *= 2;
    char *text = realloc(j->text, cap);
    if (text == NULL) {
        j->failed = true;
        return false;
    }
    j->text = text;
    j->cap = cap;
    return true;
}

static void put(struct hd_json *j, const char *bytes, size_t n)
{
    if (!room(j, n))
        return;
    memcpy(j->text + j->len, bytes, n);
    j->len += n;
    j->text[j->len] = '\0';
}

static void put_char(struct hd_json *j, char c)
{
    put(j, &c, 1);
}

/* Comma before an item of the innermost object or array, unless it is the first. */
static void separate(struct hd_json *j)
{
    if (!j->first[j->depth - 1])
        put_char(j, ',');
    j->first[j->depth - 1] = false;
}

/* Called before each value. */
static void before_value(struct hd_json *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->depth == 0) {
        HD_ASSERT(j->len == 0); /* one document per writer */
        return;
    }
    HD_ASSERT(j->closer[j->depth - 1] == ']'); /* members of objects need keys */
    separate(j);
}

static void begin(struct hd_json *j, char opener, char closer)
{
    before_value(j);
    HD_ASSERT(j->depth < HD_JSON_DEPTH);
    j->first[j->depth] = true;
    j->closer[j->depth] = closer;
    j->depth++;
    put_char(j, opener);
}

void hd_json_object(struct hd_json *j)
{
    begin(j, '{', '}');
}

void hd_json_array(struct hd_json *j)
{
    begin(j, '[', ']');
}

void hd_json_end(struct hd_json *j)
{
    HD_ASSERT(j->depth > 0 && !j->after_key);
    j->depth--;
    put_char(j, j->closer[j->depth]);
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629), 0 when there is none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    static const struct {
        unsigned char first, last, low, high; /* of the first byte; of the second */
        unsigned char length;
    } rows[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(rows); i++) {
        if (s[0] < rows[i].first || s[0] > rows[i].last)
            continue;
        if (rows[i].length > left)
            return 0;
        if (rows[i].length > 1 && (s[1] < rows[i].low || s[1] > rows[i].high))
            return 0;
        for (size_t k = 2; k < rows[i].length; k++)
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        return rows[i].length;
    }
    return 0;
}

static void put_escaped(struct hd_json *j, unsigned char c)
{
    static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    char text[8];

    for (size_t i = 0; i + 1 < sizeof letters; i += 2) {
        if ((unsigned char)letters[i] == c) {
            put(j, (char[]){'\\', letters[i + 1]}, 2);
            return;
        }
    }
    int n = snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
    put(j, text, (size_t)n);
}

static void put_string(struct hd_json *j, const char *value, size_t len)
{
    const unsigned char *s = (const unsigned char *)value;

    put_char(j, '"');
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(s + i, len - i);
        if (n == 0)
            put(j, "\\ufffd", 6);
        else if (s[i] < 0x20 || s[i] == '"' || s[i] == '\\' || s[i] == 0x7f)
            put_escaped(j, s[i]);
        else
            put(j, value + i, n);
        i += n == 0 ? 1 : n;
    }
    put_char(j, '"');
}

void hd_json_key(struct hd_json *j, const char *key)
{
    HD_ASSERT(j->depth > 0 && j->closer[j->depth - 1] == '}' && !j->after_key);
    separate(j);
    put_string(j, key, strlen(key));
    put_char(j, ':');
    j->after_key = true;
}

void hd_json_string_n(struct hd_json *j, const char *value, size_t len)
{
    before_value(j);
    put_string(j, value, len);
}

void hd_json_string(struct hd_json *j, const char *value)
{
    hd_json_string_n(j, value, strlen(value));
}

void hd_json_int(struct hd_json *j, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRId64, value);

    before_value(j);
    put(j, text, (size_t)n);
}

void hd_json_uint(struct hd_json *j, uint64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRIu64, value);

    before_value(j);
    put(j, text, (size_t)n);
}

void hd_json_decimal(struct hd_json *j, int64_t value, unsigned digits)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t scale = 1;
    char text[48];
    int n;

    HD_ASSERT(digits <= 18);
    for (unsigned i = 0; i < digits; i++)
        scale *= 10;
    if (digits == 0)
        n = snprintf(text, sizeof text, "%s%" PRIu64, value < 0 ? "-" : "", magnitude);
    else
        n = snprintf(text, sizeof text, "%s%" PRIu64 ".%0*" PRIu64, value < 0 ? "-" : "",
                     magnitude / scale, (int)digits, magnitude % scale);
    before_value(j);
    put(j, text, (size_t)n);
}

void hd_json_bool(struct hd_json *j, bool value)
{
    before_value(j);
    put(j, value ? "true" : "false", value ? 4 : 5);
}

void hd_json_null(struct hd_json *j)
{
    before_value(j);
    put(j, "null", 4);
}

void hd_json_kv_string(struct hd_json *j, const char *key, const char *value)
{
    hd_json_key(j, key);
    hd_json_string(j, value);
}

void hd_json_kv_int(struct hd_json *j, const char *key, int64_t value)
{
    hd_json_key(j, key);
    hd_json_int(j, value);
}

void hd_json_kv_uint(struct hd_json *j, const char *key, uint64_t value)
{
    hd_json_key(j, key);
    hd_json_uint(j, value);
}

void hd_json_kv_bool(struct hd_json *j, const char *key, bool value)
{
    hd_json_key(j, key);
    hd_json_bool(j, value);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a JSON scenario, by tables of fields (json_values.h). */
#include "scenario/json_values.h"

#include <stdio.h>
#include <string.h>

#include "lib/base.h"

int hd_scn_json_fail(const struct hd_scn_json *j, const char *where, const char *key,
                     const char *expected)
{
    bool both = where[0] != '\0' && key != NULL;
    char path[128], place[48] = "";
    unsigned line, column;

    snprintf(path, sizeof path, "%s%s%s", where, both ? "." : "", key != NULL ? key : "");
    if (hd_scn_json_place(j->path, path, &line, &column))
        snprintf(place, sizeof place, "line %u, column %u: ", line, column);
    return hd_scn_fail(j->e, HD_EINVAL, "%s: %s%s%sexpected %s", j->path, place, path,
                       path[0] != '\0' ? ": " : "", expected);
}

/* A JSON number times 1000^steps as nanoseconds; whole numbers stay exact. */
static bool number_scaled(const json_t *v, int64_t scale, hd_time *out)
{
    if (json_is_integer(v)) {
        json_int_t n = json_integer_value(v);

        return n >= 0 && !__builtin_mul_overflow(n, scale, out);
    }
    if (!json_is_real(v))
        return false;
    double d = json_real_value(v) * (double)scale + 0.5;

    if (!(d >= 0 && d < 9e18))
        return false;
    *out = (hd_time)d;
    return true;
}

static bool read_ppm(const json_t *v, uint32_t *out)
{
    const char *text = json_string_value(v), *end;
    uint64_t ppm;

    if (json_is_integer(v))
        ppm = json_integer_value(v) < 0 ? UINT64_MAX : (uint64_t)json_integer_value(v);
    else if (text == NULL || hd_scn_decimal(text, 4, &ppm, &end) < 0 || strcmp(end, "%") != 0)
        return false;
    if (ppm > HD_SCENARIO_MILLION)
        return false;
    *out = (uint32_t)ppm;
    return true;
}

static bool read_rate(const json_t *v, uint64_t *out)
{
    if (json_is_string(v))
        return hd_scn_rate(json_string_value(v), out);
    *out = (uint64_t)json_integer_value(v);
    return json_is_integer(v) && json_integer_value(v) >= 0;
}

int hd_scn_json_node(const struct hd_scn_json *j, const json_t *value, const char *where,
                     const char *key, uint32_t *node)
{
    char expected[128];

    if (!json_is_string(value))
        return hd_scn_json_fail(j, where, key, "the name of a node");
    *node = hd_scenario_find_node(j->s, json_string_value(value));
    if (*node != HD_SCENARIO_NONE)
        return 0;
    snprintf(expected, sizeof expected, "the name of a node; there is no \"%.48s\"",
             json_string_value(value));
    return hd_scn_json_fail(j, where, key, expected);
}

static int whole_number(const struct hd_scn_json *j, const json_t *v, const char *where,
                        const struct hd_scn_field *f, uint64_t type_max, uint64_t *out)
{
    uint64_t max = f->max != 0 ? f->max : type_max;
    json_int_t n = json_integer_value(v);
    char expected[96];

    if (json_is_integer(v) && n >= 0 && (uint64_t)n >= f->min && (uint64_t)n <= max) {
        *out = (uint64_t)n;
        return 0;
    }
    snprintf(expected, sizeof expected, "a whole number from %llu to %llu",
             (unsigned long long)f->min, (unsigned long long)max);
    return hd_scn_json_fail(j, where, f->key, expected);
}

static int read_integer(const struct hd_scn_json *j, const json_t *v, const char *where,
                        const struct hd_scn_field *f, void *at)
{
    uint64_t n = 0;
    int rc;

    if (f->type == HD_SCN_I32) {
        json_int_t i = json_integer_value(v);

        if (!json_is_integer(v) || i < -1000000 || i > 1000000)
            return hd_scn_json_fail(j, where, f->key, "a whole number within a million of 0");
        *(int32_t *)at = (int32_t)i;
        return 0;
    }
    rc = whole_number(j, v, where, f, f->type == HD_SCN_U32 ? UINT32_MAX : INT64_MAX, &n);
    if (rc == 0 && f->type == HD_SCN_U32)
        *(uint32_t *)at = (uint32_t)n;
    else if (rc == 0)
        *(uint64_t *)at = n;
    return rc;
}

static int read_value(const struct hd_scn_json *j, const json_t *v, const char *where,
                      const struct hd_scn_field *f, void *base)
{
    void *at = (char *)base + f->offset;

    switch (f->type) {
    case HD_SCN_US:
        return number_scaled(v, 1000, at)
                   ? 0
                   : hd_scn_json_fail(j, where, f->key, "a number of microseconds");
    case HD_SCN_MS:
        return number_scaled(v, 1000000, at)
                   ? 0
                   : hd_scn_json_fail(j, where, f->key, "a number of milliseconds");
    case HD_SCN_PPM:
        return read_ppm(v, at)
                   ? 0
                   : hd_scn_json_fail(j, where, f->key, "a whole number per million, or \"1.5%\"");
    case HD_SCN_RATE:
        return read_rate(v, at) ? 0
                                : hd_scn_json_fail(j, where, f->key,
                                                   "bits per second as a whole number, or \"10G\"");
    case HD_SCN_BOOL:
        if (!json_is_boolean(v))
            return hd_scn_json_fail(j, where, f->key, "true or false");
        *(bool *)at = json_is_true(v);
        return 0;
    case HD_SCN_NODE:
        return hd_scn_json_node(j, v, where, f->key, at);
    case HD_SCN_OTHER:
        return 0;
    default:
        return read_integer(j, v, where, f, at);
    }
}

static int unknown_key(const struct hd_scn_json *j, const char *where, const char *key,
                       const struct hd_scn_field *fields, size_t n)
{
    char expected[HD_SCENARIO_ERROR] = "one of";

    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(expected);

        snprintf(expected + len, sizeof expected - len, "%s %s", i == 0 ? "" : ",", fields[i].key);
    }
    return hd_scn_json_fail(j, where, key, expected);
}

int hd_scn_json_object(const struct hd_scn_json *j, const json_t *object, const char *where,
                       const struct hd_scn_field *fields, size_t n, void *base, uint32_t *seen)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return hd_scn_json_fail(j, where, NULL, "an object");
    json_object_foreach((json_t *)object, key, value)
    {
        const struct hd_scn_field *f = NULL;

        for (size_t i = 0; i < n && f == NULL; i++)
            f = strcmp(fields[i].key, key) == 0 ? &fields[i] : NULL;
        if (f == NULL)
            return unknown_key(j, where, key, fields, n);
        int rc = read_value(j, value, where, f, base);

        if (rc < 0)
            return rc;
        if (seen != NULL)
            *seen |= f->bit;
    }
    return 0;
}

#define LINK(member) offsetof(struct hd_scenario_link, member)
static const struct hd_scn_field link_fields[] = {
    {"delay_us", HD_SCN_US, LINK(delay_ns), 0, 0, HD_SCENARIO_F_DELAY},
    {"delay_ms", HD_SCN_MS, LINK(delay_ns), 0, 0, HD_SCENARIO_F_DELAY},
    {"jitter_us", HD_SCN_US, LINK(jitter_ns), 0, 0, HD_SCENARIO_F_JITTER},
    {"loss", HD_SCN_PPM, LINK(loss_ppm), 0, 0, HD_SCENARIO_F_LOSS},
    {"duplicate", HD_SCN_PPM, LINK(duplicate_ppm), 0, 0, HD_SCENARIO_F_DUPLICATE},
    {"reorder", HD_SCN_PPM, LINK(reorder_ppm), 0, 0, HD_SCENARIO_F_REORDER},
    {"corrupt", HD_SCN_PPM, LINK(corrupt_ppm), 0, 0, HD_SCENARIO_F_CORRUPT},
    {"rate_bps", HD_SCN_RATE, LINK(rate_bps), 0, 0, HD_SCENARIO_F_RATE},
    {"queue_bytes", HD_SCN_U64, LINK(queue_bytes), 0, 0, HD_SCENARIO_F_RATE},
    {"mtu", HD_SCN_U32, LINK(mtu), 1280, 65535, HD_SCENARIO_F_MTU},
};

int hd_scn_json_link_values(const struct hd_scn_json *j, const json_t *object, const char *where,
                            const char *const *others, struct hd_scenario_link *link,
                            uint32_t *seen)
{
    json_t *rest = json_copy((json_t *)object);

    if (rest == NULL)
        return HD_ENOMEM;
    for (; *others != NULL; others++)
        json_object_del(rest, *others);
    int rc = hd_scn_json_object(j, rest, where, link_fields, HD_ARRAY_LEN(link_fields), link, seen);

    json_decref(rest);
    return rc;
}

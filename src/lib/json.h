/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON writer: streams one document into a growing malloc buffer, puts commas and escapes itself,
 * and cannot produce invalid JSON as long as begin and end calls pair up (checked). Used outside
 * cores only.
 */
#ifndef HD_LIB_JSON_H
#define HD_LIB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HD_JSON_DEPTH 16

struct hd_json {
    char *text; /* NUL-terminated; owned by the writer until taken */
    size_t len, cap;
    unsigned depth;
    bool failed; /* out of memory: the text is useless */
    bool first[HD_JSON_DEPTH];
    char closer[HD_JSON_DEPTH];
    bool after_key;
};

void hd_json_init(struct hd_json *j);
void hd_json_free(struct hd_json *j);
/* Hands over the text (free() it); NULL when memory ran out. The writer is empty afterwards. */
char *hd_json_take(struct hd_json *j);

void hd_json_object(struct hd_json *j);
void hd_json_array(struct hd_json *j);
void hd_json_end(struct hd_json *j); /* closes the innermost object or array */
void hd_json_key(struct hd_json *j, const char *key);

void hd_json_string(struct hd_json *j, const char *value);
void hd_json_string_n(struct hd_json *j, const char *value, size_t len);
void hd_json_int(struct hd_json *j, int64_t value);
void hd_json_uint(struct hd_json *j, uint64_t value);
/* A decimal number: value / 10^digits, written exactly. */
void hd_json_decimal(struct hd_json *j, int64_t value, unsigned digits);
void hd_json_bool(struct hd_json *j, bool value);
void hd_json_null(struct hd_json *j);

/* Key and value in one call. */
void hd_json_kv_string(struct hd_json *j, const char *key, const char *value);
void hd_json_kv_int(struct hd_json *j, const char *key, int64_t value);
void hd_json_kv_uint(struct hd_json *j, const char *key, uint64_t value);
void hd_json_kv_bool(struct hd_json *j, const char *key, bool value);

#endif

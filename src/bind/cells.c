/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as text: what stands in the cell of a table. Rows come from another process, so no value
 * is trusted: an enumeration may be out of range, a string may lack its end, a length may exceed
 * its list.
 */
#include "bind/columns.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/time.h"
#include "model/fwd.h"
#include "model/ids.h"

static const void *at(const struct hd_column *c, const void *row)
{
    return (const uint8_t *)row + c->offset;
}

uint64_t hd_column_uint(const struct hd_column *c, const void *row)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64 = 0;

    switch (c->size) {
    case 1:
        memcpy(&u8, at(c, row), 1);
        return u8;
    case 2:
        memcpy(&u16, at(c, row), 2);
        return u16;
    case 4:
        memcpy(&u32, at(c, row), 4);
        return u32;
    default:
        memcpy(&u64, at(c, row), 8);
        return u64;
    }
}

int64_t hd_column_int(const struct hd_column *c, const void *row)
{
    int32_t i32;
    int64_t i64;

    if (c->size == 4) {
        memcpy(&i32, at(c, row), 4);
        return i32;
    }
    memcpy(&i64, at(c, row), 8);
    return i64;
}

bool hd_column_unknown(const struct hd_column *c, const void *row)
{
    const uint8_t *bytes = at(c, row);

    if (!(c->flags & HD_COL_UNKNOWN))
        return false;
    for (size_t i = 0; i < c->size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

const struct hd_enum_name *hd_column_enum(const struct hd_column *c, const void *row)
{
    uint64_t value = hd_column_uint(c, row);

    if (value >= c->names_count || !c->names[value].name)
        return NULL;
    return &c->names[value];
}

static void clean_copy(char *buf, const char *text, size_t max)
{
    size_t n = 0;

    for (; n < max && n < HD_CELL_MAX - 1 && text[n]; n++)
        buf[n] = (text[n] >= 0x20 && text[n] < 0x7f) ? text[n] : '?';
    buf[n] = '\0';
}

static void label_format(const uint8_t *bytes, char *buf)
{
    struct hd_id id;

    memcpy(id.b, bytes, HD_ID_BYTES);
    hd_id_format(&id, buf);
}

/* Those of IPv4 are ::ffff:a.b.c.d (model/liveness.h). */
static void ip_text(const uint8_t *bytes, char *buf)
{
    struct hd_ip6 ip6;

    memcpy(&ip6, bytes, sizeof ip6);
    hd_ip6_format(&ip6, buf);
    if (strncmp(buf, "::ffff:", 7) == 0 && strchr(buf, '.') != NULL)
        memmove(buf, buf + 7, strlen(buf + 7) + 1);
}

uint8_t hd_column_addresses(const struct hd_column *c, const void *row)
{
    return (uint8_t)HD_MIN(((const uint8_t *)row)[c->aux_offset], c->most);
}

void hd_column_address_at(const struct hd_column *c, const void *row, uint8_t i, char *buf)
{
    ip_text((const uint8_t *)at(c, row) + (size_t)i * sizeof(struct hd_ip6), buf);
}

static void address_text(const struct hd_column *c, const void *row, char *buf)
{
    struct hd_mac mac;

    if (c->type == HD_COL_MAC) {
        memcpy(&mac, at(c, row), sizeof mac);
        hd_mac_format(&mac, buf);
        return;
    }
    ip_text(at(c, row), buf);
    if (c->type == HD_COL_PREFIX) {
        size_t n = strlen(buf);
        snprintf(buf + n, HD_CELL_MAX - n, "/%u", ((const uint8_t *)row)[c->aux_offset]);
    }
}

void hd_column_text(const struct hd_column *c, const void *row, char *buf)
{
    const struct hd_enum_name *e;

    switch (c->type) {
    case HD_COL_ID:
    case HD_COL_LABEL:
        label_format(at(c, row), buf);
        break;
    case HD_COL_IP6:
    case HD_COL_PREFIX:
    case HD_COL_MAC:
        address_text(c, row, buf);
        break;
    case HD_COL_CHARS:
        clean_copy(buf, at(c, row), c->size);
        break;
    case HD_COL_HEX:
        snprintf(buf, HD_CELL_MAX, "%" PRIx64, hd_column_uint(c, row));
        break;
    case HD_COL_ENUM:
        e = hd_column_enum(c, row);
        if (e)
            snprintf(buf, HD_CELL_MAX, "%s", e->name);
        else
            snprintf(buf, HD_CELL_MAX, "value-%" PRIu64, hd_column_uint(c, row));
        break;
    default:
        buf[0] = '\0';
    }
}

/* The two largest units that matter: nobody reads the seconds of three days. */
static void age_format(hd_time ns, char *buf)
{
    int64_t ms = ns / 1000000, s = ms / 1000, min = s / 60, h = min / 60, d = h / 24;

    if (ms < 1000)
        snprintf(buf, HD_CELL_MAX, "%" PRId64 " ms", ms);
    else if (s < 60)
        snprintf(buf, HD_CELL_MAX, "%" PRId64 ".%" PRId64 " s", s, ms % 1000 / 100);
    else if (min < 60)
        snprintf(buf, HD_CELL_MAX, "%" PRId64 " min %02" PRId64 " s", min, s % 60);
    else if (h < 24)
        snprintf(buf, HD_CELL_MAX, "%" PRId64 " h %02" PRId64 " min", h, min % 60);
    else
        snprintf(buf, HD_CELL_MAX, "%" PRId64 " d %02" PRId64 " h", d, h % 24);
}

static void duration_format(const struct hd_column *c, hd_time ns, char *buf)
{
    uint64_t us = ns < 0 ? (uint64_t) - (ns / 1000) : (uint64_t)(ns / 1000);

    if (ns == HD_NEVER)
        snprintf(buf, HD_CELL_MAX, "never");
    else if (c->type == HD_COL_AGE && ns >= 0)
        age_format(ns, buf);
    else
        snprintf(buf, HD_CELL_MAX, "%s%" PRIu64 ".%03" PRIu64 " ms", ns < 0 ? "-" : "", us / 1000,
                 us % 1000);
}

uint16_t hd_column_texts(const struct hd_column *c, const void *row)
{
    uint16_t n;

    memcpy(&n, (const uint8_t *)row + c->aux_offset, sizeof n);
    return HD_MIN(n, c->most);
}

const char *hd_column_text_at(const struct hd_column *c, const void *row, uint16_t i)
{
    return (const char *)at(c, row) + (size_t)i * c->size;
}

static void texts_cell(const struct hd_column *c, const void *row, char *buf)
{
    size_t used = 0;

    buf[0] = '\0';
    for (uint16_t i = 0; i < hd_column_texts(c, row); i++) {
        char one[HD_CELL_MAX];
        clean_copy(one, hd_column_text_at(c, row, i), c->size);
        int n = snprintf(buf + used, HD_CELL_MAX - used, "%s%s", i > 0 ? " " : "", one);
        used = HD_MIN(used + (size_t)HD_MAX(n, 0), (size_t)HD_CELL_MAX - 1);
    }
}

static void addresses_cell(const struct hd_column *c, const void *row, char *buf)
{
    size_t used = 0;

    buf[0] = '\0';
    for (uint8_t i = 0; i < hd_column_addresses(c, row); i++) {
        char one[HD_CELL_MAX];
        hd_column_address_at(c, row, i, one);
        int n = snprintf(buf + used, HD_CELL_MAX - used, "%s%s", i > 0 ? " " : "", one);
        used = HD_MIN(used + (size_t)HD_MAX(n, 0), (size_t)HD_CELL_MAX - 1);
    }
}

static enum hd_tone enum_cell(const struct hd_column *c, const void *row, char *buf)
{
    const struct hd_enum_name *e = hd_column_enum(c, row);

    if (!e) {
        hd_column_text(c, row, buf);
        return HD_TONE_BAD;
    }
    snprintf(buf, HD_CELL_MAX, "%s", e->words ? e->words : e->name);
    return e->tone;
}

enum hd_tone hd_row_cell(const struct hd_column *c, const void *row, char *buf)
{
    if (hd_column_unknown(c, row)) {
        snprintf(buf, HD_CELL_MAX, "-");
        return HD_TONE_PLAIN;
    }
    switch (c->type) {
    case HD_COL_UINT:
        snprintf(buf, HD_CELL_MAX, "%" PRIu64, hd_column_uint(c, row));
        break;
    case HD_COL_INT:
        snprintf(buf, HD_CELL_MAX, "%" PRId64, hd_column_int(c, row));
        break;
    case HD_COL_BOOL:
        snprintf(buf, HD_CELL_MAX, "%s", hd_column_uint(c, row) ? "yes" : "no");
        break;
    case HD_COL_DURATION:
    case HD_COL_AGE:
        duration_format(c, hd_column_int(c, row), buf);
        break;
    case HD_COL_ENUM:
        return enum_cell(c, row, buf);
    case HD_COL_IDS: {
        uint16_t len;
        memcpy(&len, (const uint8_t *)row + c->aux_offset, sizeof len);
        snprintf(buf, HD_CELL_MAX, "%u nodes", len);
        break;
    }
    case HD_COL_TEXTS:
        texts_cell(c, row, buf);
        break;
    case HD_COL_IP6S:
        addresses_cell(c, row, buf);
        break;
    default:
        hd_column_text(c, row, buf);
    }
    return HD_TONE_PLAIN;
}

bool hd_column_is_number(const struct hd_column *c)
{
    return c->type == HD_COL_UINT || c->type == HD_COL_INT || c->type == HD_COL_DURATION ||
           c->type == HD_COL_AGE;
}

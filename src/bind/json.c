/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as JSON. Durations are numbers in milliseconds with three decimals, unknown values are null,
 * 64-bit counters are numbers (RFC 7951 would quote them; a person with jq would not thank us).
 */
#include "bind/columns.h"

#include <string.h>

#include "lib/time.h"
#include "model/ids.h"

static void ids_json(const struct hd_column *c, const void *row, struct hd_json *j)
{
    uint16_t len;
    struct hd_id id;
    char text[HD_ID_TEXT];

    memcpy(&len, (const uint8_t *)row + c->aux_offset, sizeof len);
    hd_json_array(j);
    for (uint16_t i = 0; i < len && i < c->size; i++) {
        memcpy(&id, (const uint8_t *)row + c->offset + (size_t)i * HD_ID_BYTES, sizeof id);
        hd_json_string(j, hd_id_format(&id, text));
    }
    hd_json_end(j);
}

static void texts_json(const struct hd_column *c, const void *row, struct hd_json *j)
{
    hd_json_array(j);
    for (uint16_t i = 0; i < hd_column_texts(c, row); i++) {
        const char *text = hd_column_text_at(c, row, i);
        hd_json_string_n(j, text, strnlen(text, c->size));
    }
    hd_json_end(j);
}

static void addresses_json(const struct hd_column *c, const void *row, struct hd_json *j)
{
    char text[HD_CELL_MAX];

    hd_json_array(j);
    for (uint8_t i = 0; i < hd_column_addresses(c, row); i++) {
        hd_column_address_at(c, row, i, text);
        hd_json_string(j, text);
    }
    hd_json_end(j);
}

static void value_json(const struct hd_column *c, const void *row, struct hd_json *j)
{
    char text[HD_CELL_MAX];
    hd_time ns;

    switch (c->type) {
    case HD_COL_UINT:
        /* Many readers of JSON stop at 63 bits; no honest counter gets there. */
        hd_json_uint(j, HD_MIN(hd_column_uint(c, row), (uint64_t)INT64_MAX));
        return;
    case HD_COL_INT:
        hd_json_int(j, hd_column_int(c, row));
        return;
    case HD_COL_BOOL:
        hd_json_bool(j, hd_column_uint(c, row) != 0);
        return;
    case HD_COL_DURATION:
    case HD_COL_AGE:
        ns = hd_column_int(c, row);
        if (ns == HD_NEVER)
            hd_json_null(j);
        else
            hd_json_decimal(j, ns / 1000, 3);
        return;
    case HD_COL_IDS:
        ids_json(c, row, j);
        return;
    case HD_COL_TEXTS:
        texts_json(c, row, j);
        return;
    case HD_COL_IP6S:
        addresses_json(c, row, j);
        return;
    default:
        hd_column_text(c, row, text);
        hd_json_string(j, text);
    }
}

void hd_row_json_members(const struct hd_list *l, const void *row, struct hd_json *j)
{
    for (size_t i = 0; i < l->column_count; i++) {
        const struct hd_column *c = &l->columns[i];
        hd_json_key(j, c->name);
        if (hd_column_unknown(c, row))
            hd_json_null(j);
        else
            value_json(c, row, j);
    }
    if (l->extra)
        l->extra(row, j);
}

void hd_row_json(const struct hd_list *l, const void *row, struct hd_json *j)
{
    hd_json_object(j);
    hd_row_json_members(l, row, j);
    hd_json_end(j);
}

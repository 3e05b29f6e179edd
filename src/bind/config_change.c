/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations as bytes, compared and changed (config.h, model/config_delta.h): the arrays in a
 * run of bytes, the order of rows, what differs between two runs, one made of another and a delta,
 * and a digest that follows a change without a look at the rest.
 */
#include <string.h>

#include "bind/columns.h"
#include "bind/config.h"
#include "lib/base.h"
#include "lib/hash.h"

/* --- arrays --------------------------------------------------------------------------------------
 */

bool hd_config_array_at(const struct hd_config *c, const void *bytes, uint32_t n,
                        struct hd_config_array *a)
{
    size_t at = c->head->row_size;

    for (uint32_t i = 0; i < c->list_count; i++) {
        const struct hd_config_list *l = &c->lists[i];
        uint32_t size = hd_config_row_bytes(l), count = 0;
        if (size == 0)
            continue;
        if (bytes != NULL)
            memcpy(&count, (const uint8_t *)bytes + l->count_offset, sizeof count);
        *a = (struct hd_config_array){
            .list = l, .at = at, .count = count, .size = size, .rows = NULL};
        if (bytes != NULL)
            a->rows = (const uint8_t *)bytes + at;
        if (n-- == 0)
            return true;
        at += (size_t)count * size;
    }
    return false;
}

int hd_config_row_order(const struct hd_list *l, const void *a, const void *b)
{
    for (size_t i = 0; i < l->column_count; i++) {
        const struct hd_column *c = &l->columns[i];
        if (!(c->flags & HD_COL_KEY))
            continue;
        if (c->type == HD_COL_UINT) {
            uint64_t x = hd_column_uint(c, a), y = hd_column_uint(c, b);
            if (x != y)
                return x < y ? -1 : 1;
            continue;
        }
        int order = memcmp((const uint8_t *)a + c->offset, (const uint8_t *)b + c->offset, c->size);
        if (order != 0)
            return order;
    }
    return 0;
}

/* --- what differs --------------------------------------------------------------------------------
 */

static void compare_arrays(uint32_t n, const struct hd_config_array *a,
                           const struct hd_config_array *b, hd_config_found *found, void *arg)
{
    uint32_t i = 0, k = 0, size = b->size;

    while (i < a->count || k < b->count) {
        const uint8_t *x = i < a->count ? a->rows + (size_t)i * size : NULL;
        const uint8_t *y = k < b->count ? b->rows + (size_t)k * size : NULL;
        if (x != NULL && y != NULL && memcmp(x, y, size) == 0) {
            i++, k++;
            continue;
        }
        int order = x == NULL ? 1 : y == NULL ? -1 : hd_config_row_order(b->list->rows, x, y);
        struct hd_config_edit e = {.list = n,
                                   .at = i,
                                   .size = size,
                                   .was = order <= 0 ? x : NULL,
                                   .is = order >= 0 ? y : NULL};
        found(arg, &e);
        i += order <= 0;
        k += order >= 0;
    }
}

void hd_config_compare(const struct hd_config *c, const void *was, const void *is,
                       hd_config_found *found, void *arg)
{
    struct hd_config_array a, b;

    for (uint32_t n = 0; hd_config_array_at(c, was, n, &a); n++) {
        if (hd_config_array_at(c, is, n, &b))
            compare_arrays(n, &a, &b, found, arg);
    }
}

/* --- a change ------------------------------------------------------------------------------------
 */

static size_t bytes_added(const struct hd_config_delta *d)
{
    struct hd_config_cursor c = {0};
    size_t n = 0;

    while (hd_config_delta_next(d, &c))
        n += c.edit.was == NULL ? c.edit.size : 0;
    return n;
}

bool hd_config_delta_suits(const struct hd_config *c, const void *bytes, size_t len,
                           const struct hd_config_delta *d)
{
    struct hd_config_array a;
    uint32_t edits = 0, count;

    if (d->head_len != c->head->row_size || len > HD_CONFIG_BYTES_MAX ||
        bytes_added(d) > HD_CONFIG_BYTES_MAX - len)
        return false;
    for (uint32_t n = 0; hd_config_array_at(c, bytes, n, &a); n++) {
        struct hd_config_counts rows = hd_config_delta_counts(d, n);
        memcpy(&count, (const uint8_t *)d->head + a.list->count_offset, sizeof count);
        if (!hd_config_delta_fits(d, n, a.rows, a.count, a.size) ||
            count != a.count + rows.added - rows.removed)
            return false;
        edits += rows.added + rows.removed + rows.changed;
    }
    return edits == d->edit_count;
}

/* What is added needs room before the old rows that have not been read yet. */
size_t hd_config_delta_apply(const struct hd_config *c, void *bytes, size_t len,
                             const struct hd_config_delta *d)
{
    uint8_t *base = bytes, *to = base + c->head->row_size;
    size_t up = 0;
    struct hd_config_array a;

    for (uint32_t n = 0; hd_config_array_at(c, bytes, n, &a); n++) {
        if (up == 0 && hd_config_delta_counts(d, n).added > 0) {
            up = bytes_added(d);
            memmove(base + a.at + up, base + a.at, len - a.at);
        }
        uint32_t count = hd_config_delta_merge(d, n, base + a.at + up, a.count, a.size, to);
        to += (size_t)count * a.size;
    }
    memcpy(base, d->head, c->head->row_size);
    return (size_t)(to - base);
}

/* --- digest --------------------------------------------------------------------------------------
 */

#define DIGEST_HEAD 0x6865616400000000u
#define DIGEST_ROW  0x726f770000000000u

static uint64_t row_digest(uint32_t n, const void *row, uint32_t size)
{
    return hd_hash64(DIGEST_ROW + n, row, size);
}

static uint64_t head_digest(const struct hd_config *c, const void *head)
{
    return hd_hash64(DIGEST_HEAD, head, c->head->row_size);
}

uint64_t hd_config_digest(const struct hd_config *c, const void *bytes)
{
    uint64_t digest = head_digest(c, bytes);
    struct hd_config_array a;

    for (uint32_t n = 0; hd_config_array_at(c, bytes, n, &a); n++) {
        for (uint32_t i = 0; i < a.count; i++)
            digest += row_digest(n, a.rows + (size_t)i * a.size, a.size);
    }
    return digest;
}

uint64_t hd_config_delta_digest(const struct hd_config *c, const void *bytes, uint64_t digest,
                                const struct hd_config_delta *d)
{
    struct hd_config_cursor at = {0};

    digest += head_digest(c, d->head) - head_digest(c, bytes);
    while (hd_config_delta_next(d, &at)) {
        const struct hd_config_edit *e = &at.edit;
        digest -= e->was != NULL ? row_digest(e->list, e->was, e->size) : 0;
        digest += e->is != NULL ? row_digest(e->list, e->is, e->size) : 0;
    }
    return digest;
}

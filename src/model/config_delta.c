/* SPDX-License-Identifier: Apache-2.0 */
/* Differences between configurations (config_delta.h): their form, and carrying them out. */
#include "model/config_delta.h"

#include <string.h>

#include "lib/base.h"

struct begin {
    uint32_t head_len, edit_count;
};

struct edit {
    uint32_t list, at, size;
    uint32_t rows; /* WAS, IS or both */
};

#define WAS 1u
#define IS  2u

static size_t whole(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* --- writing -------------------------------------------------------------------------------------
 */

size_t hd_config_delta_head_bytes(size_t head_len)
{
    return sizeof(struct begin) + whole(head_len);
}

size_t hd_config_delta_edit_bytes(const struct hd_config_edit *e)
{
    size_t rows = (size_t)(e->was != NULL) + (size_t)(e->is != NULL);

    return sizeof(struct edit) + rows * whole(e->size);
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t len)
{
    memcpy(to, bytes, len);
    memset(to + len, 0, whole(len) - len);
    return to + whole(len);
}

void hd_config_delta_put_head(void *to, const void *head, uint32_t head_len, uint32_t edit_count)
{
    struct begin b = {head_len, edit_count};

    put(put(to, &b, sizeof b), head, head_len);
}

void hd_config_delta_put_edit(void *to, const struct hd_config_edit *e)
{
    struct edit x = {e->list, e->at, e->size, 0};
    uint8_t *at;

    x.rows = (e->was != NULL ? WAS : 0) | (e->is != NULL ? IS : 0);
    at = put(to, &x, sizeof x);
    if (e->was != NULL)
        at = put(at, e->was, e->size);
    if (e->is != NULL)
        put(at, e->is, e->size);
}

/* --- reading -------------------------------------------------------------------------------------
 */

/* The edit at `at`, as it stands there; false: it is cut off. */
static bool take(const uint8_t *bytes, size_t len, uint32_t *at, struct hd_config_edit *e)
{
    struct edit x;
    size_t left = len - *at, row;

    if (left < sizeof x)
        return false;
    memcpy(&x, bytes + *at, sizeof x);
    row = whole(x.size);
    *e = (struct hd_config_edit){.list = x.list, .at = x.at, .size = x.size};
    if (x.size == 0 || x.rows == 0 || x.rows > (WAS | IS) ||
        row > (left - sizeof x) / (x.rows == (WAS | IS) ? 2 : 1))
        return false;
    *at += (uint32_t)sizeof x;
    if (x.rows & WAS) {
        e->was = bytes + *at;
        *at += (uint32_t)row;
    }
    if (x.rows & IS) {
        e->is = bytes + *at;
        *at += (uint32_t)row;
    }
    return true;
}

/* Whether an edit may stand behind the one before. */
static bool ascends(const struct hd_config_edit *before, const struct hd_config_edit *e)
{
    if (e->list != before->list)
        return e->list > before->list;
    if (e->size != before->size)
        return false;
    return before->was == NULL ? e->at >= before->at : e->at > before->at;
}

static bool all_are_well_formed(const struct hd_config_delta *d)
{
    struct hd_config_edit before = {0}, e;
    uint32_t at = 0;

    for (uint32_t i = 0; i < d->edit_count; i++) {
        if (!take(d->edits, d->edits_len, &at, &e) || (i > 0 && !ascends(&before, &e)))
            return false;
        before = e;
    }
    return at == d->edits_len;
}

int hd_config_delta_read(const void *bytes, size_t len, struct hd_config_delta *d)
{
    struct begin b;

    if (len < sizeof b || len > UINT32_MAX / 2)
        return HD_EMALFORMED;
    memcpy(&b, bytes, sizeof b);
    if (whole(b.head_len) > len - sizeof b)
        return HD_EMALFORMED;
    size_t begin = sizeof b + whole(b.head_len);
    *d = (struct hd_config_delta){.head = (const uint8_t *)bytes + sizeof b,
                                  .head_len = b.head_len,
                                  .edit_count = b.edit_count,
                                  .edits = (const uint8_t *)bytes + begin,
                                  .edits_len = (uint32_t)(len - begin)};
    return all_are_well_formed(d) ? 0 : HD_EMALFORMED;
}

bool hd_config_delta_next(const struct hd_config_delta *d, struct hd_config_cursor *c)
{
    return c->at < d->edits_len && take(d->edits, d->edits_len, &c->at, &c->edit);
}

bool hd_config_delta_next_of(const struct hd_config_delta *d, uint32_t list,
                             struct hd_config_cursor *c)
{
    struct hd_config_cursor next = *c;

    while (hd_config_delta_next(d, &next)) {
        if (next.edit.list > list)
            return false;
        *c = next;
        if (next.edit.list == list)
            return true;
    }
    return false;
}

struct hd_config_counts hd_config_delta_counts(const struct hd_config_delta *d, uint32_t list)
{
    struct hd_config_cursor c = {0};
    struct hd_config_counts n = {0};

    while (hd_config_delta_next_of(d, list, &c)) {
        n.added += c.edit.was == NULL;
        n.removed += c.edit.is == NULL;
        n.changed += c.edit.was != NULL && c.edit.is != NULL;
    }
    return n;
}

/* --- carrying out --------------------------------------------------------------------------------
 */

bool hd_config_delta_fits(const struct hd_config_delta *d, uint32_t list, const void *rows,
                          uint32_t count, uint32_t size)
{
    struct hd_config_cursor c = {0};

    while (hd_config_delta_next_of(d, list, &c)) {
        const struct hd_config_edit *e = &c.edit;
        if (e->size != size || e->at > count || (e->was != NULL && e->at == count))
            return false;
        if (e->was != NULL &&
            memcmp((const uint8_t *)rows + (size_t)e->at * size, e->was, size) != 0)
            return false;
    }
    return true;
}

static uint8_t *move(uint8_t *to, const uint8_t *from, size_t len)
{
    if (to != from && len > 0)
        memmove(to, from, len);
    return to + len;
}

/* From this row on; the others stand where they are to stand. */
static uint32_t merge_from(const struct hd_config_delta *d, uint32_t list, const uint8_t *from,
                           uint32_t count, uint32_t size, uint8_t *to, uint32_t at)
{
    struct hd_config_cursor c = {0};
    uint8_t *begin = to;

    to += (size_t)at * size;
    while (hd_config_delta_next_of(d, list, &c)) {
        const struct hd_config_edit *e = &c.edit;
        to = move(to, from + (size_t)at * size, (size_t)(e->at - at) * size);
        at = e->at + (e->was != NULL);
        if (e->is != NULL) {
            memcpy(to, e->is, size);
            to += size;
        }
    }
    to = move(to, from + (size_t)at * size, (size_t)(count - at) * size);
    return (uint32_t)((size_t)(to - begin) / size);
}

uint32_t hd_config_delta_merge(const struct hd_config_delta *d, uint32_t list, const uint8_t *from,
                               uint32_t count, uint32_t size, uint8_t *to)
{
    return merge_from(d, list, from, count, size, to, 0);
}

uint32_t hd_config_delta_merge_in(const struct hd_config_delta *d, uint32_t list, void *rows,
                                  uint32_t count, uint32_t size)
{
    struct hd_config_counts n = hd_config_delta_counts(d, list);
    struct hd_config_cursor c = {0};
    size_t up = (size_t)n.added * size;
    uint8_t *v = rows;

    if (!hd_config_delta_next_of(d, list, &c))
        return count;
    /* What is added needs room before the old rows that have not been read yet. */
    uint8_t *first = v + (size_t)c.edit.at * size;
    if (up > 0)
        memmove(first + up, first, (size_t)(count - c.edit.at) * size);
    return merge_from(d, list, v + up, count, size, v, c.edit.at);
}

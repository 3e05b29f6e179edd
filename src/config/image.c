/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checked tree as what the cores take: for each a head and sorted arrays of plain structs, and
 * for who signs the secrets that are in use. The rows of the tree (rows.c) are checked by what no
 * model can say, and completed by what follows from several leaves (hd_config.finish); a refusal
 * names the row's place in the tree. Old and new are compared by a merge of the sorted arrays, with
 * no look into the tree.
 */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/rows.h"
#include "config/seal.h"
#include "lib/base.h"

static int no_memory(struct hd_fault *f)
{
    hd_fault_set(f, "no-memory", NULL, "no memory for the configuration");
    return HD_ENOMEM;
}

/* --- the configuration's own checks --------------------------------------------------------------
 */

static int wrong(const struct hd_schema *s, const struct hd_config *c, const struct hd_sheet *b,
                 const struct hd_config_rows *r, struct hd_fault *f)
{
    const struct hd_rows *rows = r->wrong_list >= 0 ? &b->rows[r->wrong_list] : NULL;
    bool in_a_list = rows && rows->nodes && r->wrong_row < rows->count;
    char path[400] = "", whole[512];

    if (in_a_list)
        hd_config_path_write(s, rows->nodes[r->wrong_row], path, sizeof path);
    snprintf(whole, sizeof whole, "%s%s%s", in_a_list ? path : c->root, r->wrong_leaf ? "/" : "",
             r->wrong_leaf ? r->wrong_leaf : "");
    return hd_fault_set(f, "invalid", whole, "%s", r->why);
}

static int finish(const struct hd_schema *s, const struct hd_config *c, struct hd_sheet *b,
                  struct hd_image *i, struct hd_fault *f)
{
    struct hd_config_rows r = {
        .head = b->head, .roots = b->roots, .secrets = i->secrets, .secret_count = i->secret_count};

    if (!c->finish)
        return 0;
    for (uint32_t k = 0; k < c->list_count; k++) {
        r.lists[k].v = b->rows[k].v;
        r.lists[k].count = (uint32_t)b->rows[k].count;
    }
    int error = c->finish(&r);
    i->secret_count = r.secret_count;
    return error == 0 ? 0 : wrong(s, c, b, &r, f);
}

/* --- putting it together -------------------------------------------------------------------------
 */

static uint8_t *append_rows(uint8_t *at, const struct hd_config_list *l, const struct hd_rows *r)
{
    size_t keep = hd_config_row_bytes(l), size = l->rows->row_size;

    if (keep == size && r->count > 0) {
        memcpy(at, r->v, r->count * size);
        return at + r->count * size;
    }
    for (size_t i = 0; i < r->count && keep > 0; i++, at += keep)
        memcpy(at, r->v + i * size, keep);
    return at;
}

static int join(const struct hd_config *c, const struct hd_sheet *b, struct hd_image_part *p,
                struct hd_fault *f)
{
    size_t len = c->head->row_size;
    bool present = b->present || c->always;
    uint8_t *at;

    for (uint32_t i = 0; i < c->list_count; i++) {
        uint32_t count = (uint32_t)b->rows[i].count;
        if (hd_config_row_bytes(&c->lists[i]) == 0)
            continue;
        memcpy(b->head + c->lists[i].count_offset, &count, sizeof count);
        len += (size_t)count * hd_config_row_bytes(&c->lists[i]);
        present = present || (c->by_rows && count > 0);
    }
    if (len > HD_CONFIG_BYTES_MAX)
        return hd_fault_set(f, "limit", c->root, "this is more than one protocol can be told");
    p->bytes = malloc(len);
    if (!p->bytes)
        return no_memory(f);
    p->len = len;
    p->present = present;
    memcpy(p->bytes, b->head, c->head->row_size);
    at = p->bytes + c->head->row_size;
    for (uint32_t i = 0; i < c->list_count; i++)
        at = append_rows(at, &c->lists[i], &b->rows[i]);
    return 0;
}

/* Cores that nobody configured and somebody needs. */
static void add_needed(struct hd_image *i)
{
    for (size_t k = 0; hd_config_at(k); k++) {
        for (size_t n = 0; hd_config_at(n); n++) {
            const struct hd_config *c = hd_config_at(n);
            if (c->needs && i->part[n].present && c->needs(i->part[n].bytes, hd_config_at(k)->core))
                i->part[k].present = true;
        }
    }
}

int hd_image_finish(const struct hd_schema *s, struct hd_image *i, struct hd_fault *f)
{
    int error = 0;

    i->secrets = calloc(HD_CONFIG_SECRETS_MAX, sizeof *i->secrets);
    if (!i->secrets)
        return no_memory(f);
    for (size_t k = 0; k < HD_CONFIGS_MAX && hd_config_at(k) && error == 0; k++) {
        error = finish(s, hd_config_at(k), &i->sheets[k], i, f);
        if (error == 0)
            error = join(hd_config_at(k), &i->sheets[k], &i->part[k], f);
    }
    if (error == 0)
        add_needed(i);
    return error;
}

int hd_image_make(const struct hd_schema *s, const struct lyd_node *tree, struct hd_image *i,
                  struct hd_fault *f)
{
    int error;

    memset(i, 0, sizeof *i);
    i->sheets = hd_sheets_new();
    error = i->sheets ? hd_rows_take_all(s, i->sheets, tree, f) : no_memory(f);
    for (size_t k = 0; k < HD_CONFIGS_MAX && hd_config_at(k) && error == 0; k++) {
        if (hd_rows_sort(hd_config_at(k), &i->sheets[k]) != 0)
            error = no_memory(f);
    }
    if (error == 0)
        error = hd_image_finish(s, i, f);
    if (error != 0)
        hd_image_free(i);
    else
        hd_sheets_forget_nodes(i->sheets);
    return error == 0 ? 0 : HD_EINVAL;
}

void hd_image_free(struct hd_image *i)
{
    for (size_t k = 0; k < HD_CONFIGS_MAX; k++)
        free(i->part[k].bytes);
    if (i->secrets)
        hd_seal_wipe(i->secrets, HD_CONFIG_SECRETS_MAX * sizeof *i->secrets);
    free(i->secrets);
    hd_sheets_free(i->sheets);
    memset(i, 0, sizeof *i);
}

bool hd_image_same_secrets(const struct hd_image *a, const struct hd_image *b)
{
    return a->secret_count == b->secret_count &&
           (a->secret_count == 0 ||
            memcmp(a->secrets, b->secrets, a->secret_count * sizeof *a->secrets) == 0);
}

uint64_t hd_image_digest(struct hd_image *i, size_t config)
{
    struct hd_image_part *p = &i->part[config];

    if (!p->digest_known && p->bytes)
        p->digest = hd_config_digest(hd_config_at(config), p->bytes);
    p->digest_known = true;
    return p->digest;
}

/* --- comparison ----------------------------------------------------------------------------------
 */

static const void *bytes_of(const struct hd_image_part *p)
{
    return p->present ? p->bytes : NULL;
}

static void count_row(void *change, const struct hd_config_edit *e)
{
    struct hd_image_change *c = change;

    c->removed += e->is == NULL;
    c->added += e->was == NULL;
    c->changed += e->was != NULL && e->is != NULL;
}

static void compare_heads(const struct hd_config *c, const struct hd_image_part *a,
                          const struct hd_image_part *b, struct hd_image_change *out)
{
    for (size_t i = 0; i < c->head->column_count; i++) {
        const struct hd_column *col = &c->head->columns[i];
        size_t size = (size_t)col->size * HD_MAX(col->most, 1u);
        if (memcmp(a->bytes + col->offset, b->bytes + col->offset, size) == 0)
            continue;
        out->head = true;
        out->start |= (col->flags & HD_COL_START) != 0;
    }
}

void hd_image_compare(size_t config, const struct hd_image *was, const struct hd_image *is,
                      struct hd_image_change *c)
{
    const struct hd_config *k = hd_config_at(config);
    const struct hd_image_part *a = &was->part[config], *b = &is->part[config];

    memset(c, 0, sizeof *c);
    c->head = a->present != b->present;
    if (a->bytes && b->bytes)
        compare_heads(k, a, b, c);
    hd_config_compare(k, bytes_of(a), bytes_of(b), count_row, c);
}

/* --- what differs, for a core --------------------------------------------------------------------
 */

struct delta {
    uint8_t *v;
    size_t len, cap, most;
    uint32_t count;
    bool failed; /* no memory, or longer than is worth it */
};

static uint8_t *reserve(struct delta *d, size_t n)
{
    if (d->failed || d->len + n > d->most) {
        d->failed = true;
        return NULL;
    }
    if (d->len + n > d->cap) {
        size_t cap = HD_MAX(2 * d->cap, d->len + n);
        uint8_t *v = realloc(d->v, cap);
        d->failed = v == NULL;
        if (d->failed)
            return NULL;
        d->v = v;
        d->cap = cap;
    }
    d->len += n;
    return d->v + d->len - n;
}

static void add_edit(void *delta, const struct hd_config_edit *e)
{
    struct delta *d = delta;
    uint8_t *to = reserve(d, hd_config_delta_edit_bytes(e));

    if (!to)
        return;
    hd_config_delta_put_edit(to, e);
    d->count++;
}

bool hd_image_delta(size_t config, struct hd_image *was, struct hd_image *is, uint8_t **bytes,
                    size_t *len)
{
    const struct hd_config *k = hd_config_at(config);
    struct hd_image_part *a = &was->part[config], *b = &is->part[config];
    struct hd_config_delta read;

    if (!bytes_of(a) || !bytes_of(b))
        return false;
    uint32_t head = k->head->row_size;
    struct delta d = {.most = hd_config_delta_head_bytes(head) + HD_MIN(a->len, b->len) / 2};
    (void)!reserve(&d, hd_config_delta_head_bytes(head));
    hd_config_compare(k, a->bytes, b->bytes, add_edit, &d);
    if (!d.failed)
        hd_config_delta_put_head(d.v, b->bytes, head, d.count);
    if (d.failed || hd_config_delta_read(d.v, d.len, &read) != 0 ||
        !hd_config_delta_suits(k, a->bytes, a->len, &read)) {
        free(d.v);
        return false;
    }
    b->digest = hd_config_delta_digest(k, a->bytes, hd_image_digest(was, config), &read);
    b->digest_known = true;
    *bytes = d.v;
    *len = d.len;
    return true;
}

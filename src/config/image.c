/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checked tree as what the cores take: for each a head and sorted arrays of plain structs. One
 * walk over the tree does it: what a node means hangs at its schema node. Old and new are compared
 * by a merge of the sorted arrays, with no look into the tree.
 */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "bind/columns.h"
#include "config/read.h"
#include "lib/base.h"

#define LISTS_MAX 8 /* of one configuration */

struct rows {
    uint8_t *v;
    size_t count, cap;
};

struct builder {
    uint8_t *head;
    bool present;
    struct rows rows[LISTS_MAX];
};

struct walk {
    const struct hd_schema *s;
    struct builder *b; /* one per configuration */
    struct hd_fault *f;
};

/* --- the walk ------------------------------------------------------------------------------------
 */

static void *add_row(struct rows *r, const struct hd_config_list *l)
{
    size_t size = l->rows->row_size;
    uint8_t *row;

    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        uint8_t *v = reallocarray(r->v, cap, size);
        if (!v)
            return NULL;
        r->v = v;
        r->cap = cap;
    }
    row = r->v + r->count++ * size;
    memset(row, 0, size);
    if (l->complete)
        l->complete(row);
    return row;
}

static int no_place(struct walk *w, const struct lyd_node *n)
{
    char path[512];

    hd_config_path_write(w->s, n, path, sizeof path);
    return hd_fault_set(w->f, "unsupported", path, "\"%s\" is more than can be kept here",
                        lyd_get_value(n));
}

/* The row that a leaf of this list belongs to: the one begun last. */
static void *row_of(struct walk *w, const struct hd_bound *b)
{
    const struct hd_config *c = hd_config_at(b->config);
    struct builder *to = &w->b[b->config];

    if (b->list < 0)
        return to->head;
    struct rows *r = &to->rows[b->list];
    return r->count > 0 ? r->v + (r->count - 1) * c->lists[b->list].rows->row_size : NULL;
}

static int take_leaf(struct walk *w, const struct hd_bound *b, const struct lyd_node *n)
{
    void *row = row_of(w, b);

    if (!row || hd_read_value(b->read, b->column, (const struct lyd_node_term *)n, row))
        return 0;
    return no_place(w, n);
}

/* Columns that are keys of lists further up: found by the end of their path. */
static int take_outer_keys(struct walk *w, const struct hd_list *rows, const struct lyd_node *n,
                           void *row)
{
    for (size_t i = 0; i < rows->column_count; i++) {
        const struct hd_column *c = &rows->columns[i];
        const struct lysc_node *key;
        const struct lyd_node *up = n;
        if (c->name[0] != '/')
            continue;
        key = lys_find_path(w->s->ctx, NULL, c->name, 0);
        while (up && key && up->schema != key->parent)
            up = up->parent ? &up->parent->node : NULL;
        for (up = up ? lyd_child(up) : NULL; up && up->schema != key; up = up->next)
            continue;
        if (!up || !hd_read_value(hd_read_way(key, c), c, (const struct lyd_node_term *)up, row))
            return no_place(w, n);
    }
    return 0;
}

static int walk_nodes(struct walk *w, const struct lyd_node *n);

static int take_list(struct walk *w, const struct hd_bound *b, const struct lyd_node *n)
{
    const struct hd_config_list *l = &hd_config_at(b->config)->lists[b->list];
    void *row = add_row(&w->b[b->config].rows[b->list], l);

    if (!row)
        return hd_fault_set(w->f, "no-memory", NULL, "no memory for the configuration");
    int error = take_outer_keys(w, l->rows, n, row);
    return error == 0 ? walk_nodes(w, lyd_child(n)) : error;
}

static int walk_nodes(struct walk *w, const struct lyd_node *n)
{
    int error = 0;

    for (; n && error == 0; n = n->next) {
        const struct hd_bound *b = n->schema->priv;
        if (b && b->kind == HD_BOUND_LEAF) {
            error = take_leaf(w, b, n);
        } else if (b && b->kind == HD_BOUND_LIST) {
            error = take_list(w, b, n);
        } else if (n->schema->nodetype & (LYS_CONTAINER | LYS_LIST)) {
            if (b)
                w->b[b->config].present = true;
            error = walk_nodes(w, lyd_child(n));
        }
    }
    return error;
}

/* --- order ---------------------------------------------------------------------------------------
 */

static int compare_keys(const struct hd_list *l, const void *a, const void *b)
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

static int by_key(const void *a, const void *b, void *list)
{
    return compare_keys(list, a, b);
}

static void sort_rows(const struct hd_list *l, struct rows *r)
{
    for (size_t i = 1; i < r->count; i++) {
        if (compare_keys(l, r->v + (i - 1) * l->row_size, r->v + i * l->row_size) > 0) {
            qsort_r(r->v, r->count, l->row_size, by_key, (void *)(uintptr_t)l);
            return;
        }
    }
}

/* --- putting it together -------------------------------------------------------------------------
 */

static int join(const struct hd_config *c, struct builder *b, struct hd_image_part *p,
                struct hd_fault *f)
{
    size_t len = c->head->row_size, at;

    for (uint32_t i = 0; i < c->list_count; i++) {
        uint32_t count = (uint32_t)b->rows[i].count;
        sort_rows(c->lists[i].rows, &b->rows[i]);
        memcpy(b->head + c->lists[i].count_offset, &count, sizeof count);
        len += b->rows[i].count * c->lists[i].rows->row_size;
    }
    if (len > HD_CONFIG_BYTES_MAX)
        return hd_fault_set(f, "limit", c->root, "this is more than one protocol can be told");
    p->bytes = malloc(len);
    if (!p->bytes)
        return hd_fault_set(f, "no-memory", NULL, "no memory for the configuration");
    p->len = len;
    p->present = b->present || c->always;
    memcpy(p->bytes, b->head, c->head->row_size);
    at = c->head->row_size;
    for (uint32_t i = 0; i < c->list_count; i++) {
        size_t n = b->rows[i].count * c->lists[i].rows->row_size;
        if (n > 0)
            memcpy(p->bytes + at, b->rows[i].v, n);
        at += n;
    }
    return 0;
}

static int begin(struct builder *b)
{
    for (size_t i = 0; hd_config_at(i); i++) {
        const struct hd_config *c = hd_config_at(i);
        b[i].head = calloc(1, c->head->row_size);
        if (!b[i].head)
            return HD_ENOMEM;
        if (c->complete)
            c->complete(b[i].head);
    }
    return 0;
}

int hd_image_make(const struct hd_schema *s, const struct lyd_node *tree, struct hd_image *i,
                  struct hd_fault *f)
{
    struct builder b[HD_CONFIGS_MAX] = {0};
    struct walk w = {.s = s, .b = b, .f = f};
    int error = 0;

    memset(i, 0, sizeof *i);
    if (begin(b) != 0)
        error = hd_fault_set(f, "no-memory", NULL, "no memory for the configuration");
    if (error == 0)
        error = walk_nodes(&w, tree);
    for (size_t k = 0; hd_config_at(k) && error == 0; k++)
        error = join(hd_config_at(k), &b[k], &i->part[k], f);
    for (size_t k = 0; k < HD_CONFIGS_MAX; k++) {
        free(b[k].head);
        for (size_t n = 0; n < LISTS_MAX; n++)
            free(b[k].rows[n].v);
    }
    if (error != 0)
        hd_image_free(i);
    return error;
}

void hd_image_free(struct hd_image *i)
{
    for (size_t k = 0; k < HD_CONFIGS_MAX; k++)
        free(i->part[k].bytes);
    memset(i, 0, sizeof *i);
}

/* --- comparison ----------------------------------------------------------------------------------
 */

struct side {
    const uint8_t *rows;
    uint32_t count;
};

static void compare_rows(const struct hd_list *l, struct side a, struct side b,
                         struct hd_image_change *c)
{
    size_t size = l->row_size;
    uint32_t i = 0, k = 0;

    while (i < a.count || k < b.count) {
        const uint8_t *x = i < a.count ? a.rows + i * size : NULL;
        const uint8_t *y = k < b.count ? b.rows + k * size : NULL;
        int order;
        if (i < a.count && k < b.count && memcmp(x, y, size) == 0) {
            i++, k++;
            continue;
        }
        order = i == a.count ? 1 : k == b.count ? -1 : compare_keys(l, x, y);
        c->removed += order < 0;
        c->added += order > 0;
        c->changed += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
}

static struct side side_of(const struct hd_config *c, const struct hd_image_part *p, uint32_t list)
{
    struct side s = {0};
    size_t at = c->head->row_size;
    uint32_t count = 0;

    if (!p->present || !p->bytes)
        return s;
    for (uint32_t i = 0; i <= list; i++) {
        s.rows = p->bytes + at;
        memcpy(&count, p->bytes + c->lists[i].count_offset, sizeof count);
        at += (size_t)count * c->lists[i].rows->row_size;
    }
    s.count = count;
    return s;
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
    for (uint32_t i = 0; i < k->list_count; i++)
        compare_rows(k->lists[i].rows, side_of(k, a, i), side_of(k, b, i), c);
}

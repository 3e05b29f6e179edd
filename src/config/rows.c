/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a tree to rows: one walk, in which what a node means hangs at its schema node. The walk may
 * begin at the top, at any node whose rows are wanted, or pass by all that is not one head; what a
 * row says follows from the node and those above it alone.
 */
#include "config/rows.h"

#include <stdlib.h>
#include <string.h>

#include "bind/columns.h"
#include "config/read.h"
#include "config/seal.h"
#include "lib/base.h"

struct walk {
    const struct hd_schema *s;
    struct hd_sheet *b; /* one per configuration */
    struct hd_fault *f;
    bool head_only; /* of this one: */
    uint8_t head_of;
};

/* --- sheets --------------------------------------------------------------------------------------
 */

struct hd_sheet *hd_sheets_new(void)
{
    struct hd_sheet *b = calloc(HD_CONFIGS_MAX, sizeof *b);
    const struct hd_config *c;

    for (size_t i = 0; b && i < HD_CONFIGS_MAX && (c = hd_config_at(i)) != NULL; i++) {
        b[i].head = calloc(1, c->head->row_size);
        if (!b[i].head) {
            hd_sheets_free(b);
            return NULL;
        }
        if (c->complete)
            c->complete(b[i].head);
    }
    return b;
}

void hd_sheets_free(struct hd_sheet *b)
{
    const struct hd_config *c;

    for (size_t k = 0; b && k < HD_CONFIGS_MAX && (c = hd_config_at(k)) != NULL; k++) {
        free(b[k].head);
        for (uint32_t n = 0; n < c->list_count; n++) {
            struct hd_rows *r = &b[k].rows[n];
            if (c->lists[n].keep != 0 && r->v)
                hd_seal_wipe(r->v, r->cap * c->lists[n].rows->row_size); /* secrets */
            free(r->v);
            free(r->nodes);
        }
    }
    free(b);
}

static bool copy_rows(struct hd_rows *to, const struct hd_rows *from, size_t size)
{
    if (from->count == 0)
        return true;
    to->v = reallocarray(NULL, from->count, size);
    if (!to->v)
        return false;
    memcpy(to->v, from->v, from->count * size);
    to->count = to->cap = from->count;
    return true;
}

struct hd_sheet *hd_sheets_copy(const struct hd_sheet *sheets)
{
    struct hd_sheet *b = hd_sheets_new();
    const struct hd_config *c;
    bool whole = b != NULL;

    for (size_t k = 0; whole && k < HD_CONFIGS_MAX && (c = hd_config_at(k)) != NULL; k++) {
        memcpy(b[k].head, sheets[k].head, c->head->row_size);
        b[k].present = sheets[k].present;
        b[k].roots = sheets[k].roots;
        for (uint32_t n = 0; whole && n < c->list_count; n++)
            whole = copy_rows(&b[k].rows[n], &sheets[k].rows[n], c->lists[n].rows->row_size);
    }
    if (whole)
        return b;
    hd_sheets_free(b);
    return NULL;
}

void hd_sheets_forget_nodes(struct hd_sheet *sheets)
{
    for (size_t k = 0; k < HD_CONFIGS_MAX; k++) {
        for (size_t n = 0; n < HD_CONFIG_LISTS_MAX; n++) {
            free(sheets[k].rows[n].nodes);
            sheets[k].rows[n].nodes = NULL;
        }
    }
}

/* --- the walk ------------------------------------------------------------------------------------
 */

uint32_t hd_rows_owner(const struct hd_config *c, uint32_t list)
{
    return c->lists[list].into != 0 ? c->lists[list].into - 1u : list;
}

static int no_memory(struct hd_fault *f)
{
    return hd_fault_set(f, "no-memory", NULL, "no memory for the configuration");
}

static bool grow(struct hd_rows *r, size_t row_size)
{
    size_t cap = r->cap ? r->cap * 2 : 64;
    uint8_t *v = reallocarray(r->v, cap, row_size);
    const struct lyd_node **nodes;

    if (v)
        r->v = v;
    nodes = reallocarray(r->nodes, cap, sizeof(struct lyd_node *));
    if (nodes)
        r->nodes = nodes;
    if (!v || !nodes)
        return false;
    r->cap = cap;
    return true;
}

static void *add_row(struct hd_sheet *b, const struct hd_config *c, uint32_t list,
                     const struct lyd_node *n)
{
    const struct hd_config_list *l = &c->lists[list];
    struct hd_rows *r = &b->rows[hd_rows_owner(c, list)];
    size_t size = l->rows->row_size;
    uint8_t *row;

    if (r->count == r->cap && !grow(r, size))
        return NULL;
    r->nodes[r->count] = n;
    row = r->v + r->count++ * size;
    memset(row, 0, size);
    if (l->complete)
        l->complete(row);
    if (l->parent != 0) {
        uint32_t up = (uint32_t)b->rows[hd_rows_owner(c, l->parent - 1u)].count - 1;
        memcpy(row + l->parent_offset, &up, sizeof up);
    }
    return row;
}

static int no_place(struct walk *w, const struct lyd_node *n)
{
    char path[512], expected[300] = "";

    hd_config_path_write(w->s, n, path, sizeof path);
    hd_schema_expected(n->schema, expected, sizeof expected);
    return hd_fault_set(w->f, "unsupported", path, "\"%s\" is more than can be kept here%s%s",
                        lyd_get_value(n), expected[0] ? "; expected: a short form of " : "",
                        expected);
}

/* The row that a leaf of this list belongs to: the one begun last. */
static void *row_of(struct walk *w, const struct hd_bound *b)
{
    const struct hd_config *c = b->of;
    struct hd_sheet *to = &w->b[b->config];

    if (b->list < 0) {
        to->at_head = true;
        return to->head;
    }
    uint32_t list = (uint32_t)b->list;
    const struct hd_rows *r = &to->rows[hd_rows_owner(c, list)];
    return r->count > 0 ? r->v + (r->count - 1) * c->lists[list].rows->row_size : NULL;
}

static int take_secret(struct walk *w, const struct hd_column *c, const struct lyd_node *n,
                       void *row)
{
    uint8_t bytes[HD_SEAL_MAX];
    char path[512];
    size_t len;
    bool opened = hd_seal_open(w->s->seal, lyd_get_value(n), bytes, &len);
    bool kept = opened && hd_read_secret(c, bytes, len, row);

    hd_seal_wipe(bytes, sizeof bytes);
    if (kept)
        return 0;
    hd_config_path_write(w->s, n, path, sizeof path);
    return hd_fault_set(w->f, "invalid", path,
                        opened ? "the secret is too long; expected: at most %u characters"
                               : "this was sealed on another machine, whose key is not here: set "
                                 "the secret again (at most %u characters)",
                        c->size);
}

static int take_leaf(struct walk *w, const struct hd_bound *b, const struct lyd_node *n)
{
    void *row = row_of(w, b);

    if (row && b->column->type == HD_COL_SECRET)
        return take_secret(w, b->column, n, row);
    if (!row || hd_read_value(b->read, b->column, n, row))
        return 0;
    return no_place(w, n);
}

/* What has no effect is not kept silently. */
static int refuse_leaf(struct walk *w, const struct lyd_node *n)
{
    char path[512];

    if ((n->flags & LYD_DEFAULT) || hd_schema_taken(n->schema))
        return 0;
    hd_config_path_write(w->s, n, path, sizeof path);
    return hd_fault_set(w->f, "unsupported", path,
                        "the model has this, Heddle does not do it: take it away");
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
        if (!up || !hd_read_value(hd_read_way(key, c), c, up, row))
            return no_place(w, up ? up : n);
    }
    return 0;
}

static int walk_nodes(struct walk *w, const struct lyd_node *n);

static int take_list(struct walk *w, const struct hd_bound *b, const struct lyd_node *n)
{
    const struct hd_config *c = b->of;
    void *row = add_row(&w->b[b->config], c, (uint32_t)b->list, n);

    if (!row)
        return no_memory(w->f);
    int error = take_outer_keys(w, c->lists[b->list].rows, n, row);
    return error == 0 ? walk_nodes(w, lyd_child(n)) : error;
}

static int take_inner(struct walk *w, const struct hd_bound *b, const struct lyd_node *n)
{
    int error = 0;

    if (b && b->kind == HD_BOUND_ROOT) {
        w->b[b->config].at_head = true;
        w->b[b->config].present |= !b->of->by_rows;
        w->b[b->config].roots++;
    } else if (b) {
        error = take_leaf(w, b, n); /* the presence of a container */
    }
    return error == 0 ? walk_nodes(w, lyd_child(n)) : error;
}

/* Whether a walk for one head has nothing to look for here. */
static bool is_beside_head(const struct walk *w, const struct lyd_node *n)
{
    const struct hd_bound *b = n->schema->priv;

    if (!b)
        return (n->schema->nodetype & (LYS_CONTAINER | LYS_LIST)) == 0;
    return b->config != w->head_of || b->list >= 0;
}

static int walk_node(struct walk *w, const struct lyd_node *n)
{
    const struct hd_bound *b = n->schema->priv;

    if (w->head_only && is_beside_head(w, n))
        return 0;
    if (b && b->kind == HD_BOUND_LIST)
        return take_list(w, b, n);
    if (n->schema->nodetype & (LYS_CONTAINER | LYS_LIST))
        return take_inner(w, b, n);
    return b ? take_leaf(w, b, n) : refuse_leaf(w, n);
}

static int walk_nodes(struct walk *w, const struct lyd_node *n)
{
    int error = 0;

    for (; n && error == 0; n = n->next)
        error = walk_node(w, n);
    return error;
}

int hd_rows_take(const struct hd_schema *s, struct hd_sheet *sheets, const struct lyd_node *node,
                 struct hd_fault *f)
{
    struct walk w = {.s = s, .b = sheets, .f = f};

    return walk_node(&w, node);
}

int hd_rows_take_all(const struct hd_schema *s, struct hd_sheet *sheets,
                     const struct lyd_node *tree, struct hd_fault *f)
{
    struct walk w = {.s = s, .b = sheets, .f = f};

    return walk_nodes(&w, tree);
}

int hd_rows_take_head(const struct hd_schema *s, struct hd_sheet *sheets, size_t config,
                      const struct lyd_node *tree, struct hd_fault *f)
{
    struct walk w = {.s = s, .b = sheets, .f = f, .head_only = true, .head_of = (uint8_t)config};
    const struct lysc_node *top = lys_find_path(s->ctx, NULL, hd_config_at(config)->root, 0);
    int error = 0;

    while (top && top->parent)
        top = top->parent;
    for (; tree && error == 0; tree = tree->next) {
        if (tree->schema == top)
            error = walk_node(&w, tree);
    }
    return error;
}

/* --- order ---------------------------------------------------------------------------------------
 */

struct sorter {
    const struct hd_list *l;
    const struct hd_rows *r;
};

static int by_key(const void *a, const void *b, void *sorter)
{
    const struct sorter *s = sorter;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    size_t size = s->l->row_size;
    int order = hd_config_row_order(s->l, s->r->v + x * size, s->r->v + y * size);

    return order != 0 ? order : x < y ? -1 : x > y;
}

static bool is_sorted(const struct hd_list *l, const struct hd_rows *r)
{
    for (size_t i = 1; i < r->count; i++) {
        if (hd_config_row_order(l, r->v + (i - 1) * l->row_size, r->v + i * l->row_size) > 0)
            return false;
    }
    return true;
}

/* Puts rows in the order of `from`; leaves there where each one went. */
static int reorder(const struct hd_list *l, struct hd_rows *r, uint32_t *from, uint32_t *to)
{
    size_t size = l->row_size;
    uint8_t *v = reallocarray(NULL, r->cap, size);
    const struct lyd_node **nodes = reallocarray(NULL, r->cap, sizeof(struct lyd_node *));

    if (!v || !nodes) {
        free(v);
        free(nodes);
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        memcpy(v + i * size, r->v + from[i] * size, size);
        nodes[i] = r->nodes[from[i]];
        to[from[i]] = i;
    }
    free(r->v);
    free(r->nodes);
    r->v = v;
    r->nodes = nodes;
    return 0;
}

/* *moved: the new place of each row, for the caller to free; NULL: they stay. */
static int sort_rows(const struct hd_list *l, struct hd_rows *r, uint32_t **moved)
{
    struct sorter s = {l, r};
    uint32_t *from;
    int error = HD_ENOMEM;

    *moved = NULL;
    if (is_sorted(l, r))
        return 0;
    from = calloc(r->count, sizeof *from);
    *moved = calloc(r->count, sizeof **moved);
    if (from && *moved) {
        for (uint32_t i = 0; i < r->count; i++)
            from[i] = i;
        qsort_r(from, r->count, sizeof *from, by_key, &s);
        error = reorder(l, r, from, *moved);
    }
    free(from);
    return error;
}

/* Rows name the row in whose list they lie by its number, which has changed. */
static void follow_parents(const struct hd_config_list *l, struct hd_rows *r, const uint32_t *moved)
{
    for (size_t i = 0; i < r->count && moved; i++) {
        uint8_t *at = r->v + i * l->rows->row_size + l->parent_offset;
        uint32_t up;
        memcpy(&up, at, sizeof up);
        up = moved[up];
        memcpy(at, &up, sizeof up);
    }
}

int hd_rows_sort(const struct hd_config *c, struct hd_sheet *b)
{
    uint32_t *moved[HD_CONFIG_LISTS_MAX] = {NULL};
    int error = 0;

    for (uint32_t i = 0; i < c->list_count && error == 0; i++) {
        const struct hd_config_list *l = &c->lists[i];
        if (l->into != 0)
            continue;
        if (l->parent != 0)
            follow_parents(l, &b->rows[i], moved[hd_rows_owner(c, l->parent - 1u)]);
        error = sort_rows(l->rows, &b->rows[i], &moved[i]);
    }
    for (uint32_t i = 0; i < c->list_count; i++)
        free(moved[i]);
    return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checked tree as what the cores take: for each a head and sorted arrays of plain structs, and
 * for who signs the secrets that are in use. One walk over the tree does it: what a node means
 * hangs at its schema node. Then each configuration checks what no model can say, and sets what
 * follows from several leaves (hd_config.finish); a refusal names the row's place in the tree. Old
 * and new are compared by a merge of the sorted arrays, with no look into the tree.
 */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/columns.h"
#include "config/read.h"
#include "config/seal.h"
#include "lib/base.h"

struct rows {
    uint8_t *v;
    const struct lyd_node **nodes; /* where each stands in the tree, for messages */
    size_t count, cap;
};

struct builder {
    const struct hd_config *c; /* NULL behind the last one */
    uint8_t *head;
    bool present;
    uint32_t roots;
    struct rows rows[HD_CONFIG_LISTS_MAX]; /* by the list that has the array */
};

struct walk {
    const struct hd_schema *s;
    struct builder *b; /* HD_CONFIGS_MAX of them, one per configuration */
    struct hd_fault *f;
};

/* The list whose array takes the rows of this one. */
static uint32_t owner_of(const struct hd_config *c, uint32_t list)
{
    return c->lists[list].into != 0 ? c->lists[list].into - 1u : list;
}

/* --- the walk ------------------------------------------------------------------------------------
 */

static int no_memory(struct hd_fault *f)
{
    return hd_fault_set(f, "no-memory", NULL, "no memory for the configuration");
}

static bool grow(struct rows *r, size_t row_size)
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

static void *add_row(struct builder *b, const struct hd_config *c, uint32_t list,
                     const struct lyd_node *n)
{
    const struct hd_config_list *l = &c->lists[list];
    struct rows *r = &b->rows[owner_of(c, list)];
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
        uint32_t up = (uint32_t)b->rows[owner_of(c, l->parent - 1u)].count - 1;
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
    struct builder *to = &w->b[b->config];

    if (b->list < 0)
        return to->head;
    uint32_t list = (uint32_t)b->list;
    const struct rows *r = &to->rows[owner_of(c, list)];
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
        w->b[b->config].present |= !b->of->by_rows;
        w->b[b->config].roots++;
    } else if (b) {
        error = take_leaf(w, b, n); /* the presence of a container */
    }
    return error == 0 ? walk_nodes(w, lyd_child(n)) : error;
}

static int walk_nodes(struct walk *w, const struct lyd_node *n)
{
    int error = 0;

    for (; n && error == 0; n = n->next) {
        const struct hd_bound *b = n->schema->priv;
        if (b && b->kind == HD_BOUND_LIST)
            error = take_list(w, b, n);
        else if (n->schema->nodetype & (LYS_CONTAINER | LYS_LIST))
            error = take_inner(w, b, n);
        else if (b)
            error = take_leaf(w, b, n);
        else
            error = refuse_leaf(w, n);
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

struct sorter {
    const struct hd_list *l;
    const struct rows *r;
};

static int by_key(const void *a, const void *b, void *sorter)
{
    const struct sorter *s = sorter;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    size_t size = s->l->row_size;
    int order = compare_keys(s->l, s->r->v + x * size, s->r->v + y * size);

    return order != 0 ? order : x < y ? -1 : x > y;
}

static bool is_sorted(const struct hd_list *l, const struct rows *r)
{
    for (size_t i = 1; i < r->count; i++) {
        if (compare_keys(l, r->v + (i - 1) * l->row_size, r->v + i * l->row_size) > 0)
            return false;
    }
    return true;
}

/* Puts rows in the order of `from`; leaves there where each one went. */
static int reorder(const struct hd_list *l, struct rows *r, uint32_t *from, uint32_t *to)
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
static int sort_rows(const struct hd_list *l, struct rows *r, uint32_t **moved)
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
static void follow_parents(const struct hd_config_list *l, struct rows *r, const uint32_t *moved)
{
    for (size_t i = 0; i < r->count && moved; i++) {
        uint8_t *at = r->v + i * l->rows->row_size + l->parent_offset;
        uint32_t up;
        memcpy(&up, at, sizeof up);
        up = moved[up];
        memcpy(at, &up, sizeof up);
    }
}

static int sort_all(const struct hd_config *c, struct builder *b, struct hd_fault *f)
{
    uint32_t *moved[HD_CONFIG_LISTS_MAX] = {NULL};
    int error = 0;

    for (uint32_t i = 0; i < c->list_count && error == 0; i++) {
        const struct hd_config_list *l = &c->lists[i];
        if (l->into != 0)
            continue;
        if (l->parent != 0)
            follow_parents(l, &b->rows[i], moved[owner_of(c, l->parent - 1u)]);
        error = sort_rows(l->rows, &b->rows[i], &moved[i]);
    }
    for (uint32_t i = 0; i < c->list_count; i++)
        free(moved[i]);
    return error == 0 ? 0 : no_memory(f);
}

/* --- the configuration's own checks --------------------------------------------------------------
 */

static int wrong(const struct hd_schema *s, const struct hd_config *c, const struct builder *b,
                 const struct hd_config_rows *r, struct hd_fault *f)
{
    const struct rows *rows = r->wrong_list >= 0 ? &b->rows[r->wrong_list] : NULL;
    bool in_a_list = rows && r->wrong_row < rows->count;
    char path[400] = "", whole[512];

    if (in_a_list)
        hd_config_path_write(s, rows->nodes[r->wrong_row], path, sizeof path);
    snprintf(whole, sizeof whole, "%s%s%s", in_a_list ? path : c->root, r->wrong_leaf ? "/" : "",
             r->wrong_leaf ? r->wrong_leaf : "");
    return hd_fault_set(f, "invalid", whole, "%s", r->why);
}

static int finish(const struct hd_schema *s, const struct hd_config *c, struct builder *b,
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

static uint8_t *append_rows(uint8_t *at, const struct hd_config_list *l, const struct rows *r)
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

static int join(const struct hd_config *c, struct builder *b, struct hd_image_part *p,
                struct hd_fault *f)
{
    size_t len = c->head->row_size;
    uint8_t *at;

    for (uint32_t i = 0; i < c->list_count; i++) {
        uint32_t count = (uint32_t)b->rows[i].count;
        if (hd_config_row_bytes(&c->lists[i]) == 0)
            continue;
        memcpy(b->head + c->lists[i].count_offset, &count, sizeof count);
        len += (size_t)count * hd_config_row_bytes(&c->lists[i]);
        b->present |= c->by_rows && count > 0;
    }
    if (len > HD_CONFIG_BYTES_MAX)
        return hd_fault_set(f, "limit", c->root, "this is more than one protocol can be told");
    p->bytes = malloc(len);
    if (!p->bytes)
        return no_memory(f);
    p->len = len;
    p->present = b->present || c->always;
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

static int begin(struct builder *b)
{
    const struct hd_config *c;

    for (size_t i = 0; i < HD_CONFIGS_MAX && (c = hd_config_at(i)) != NULL; i++) {
        b[i].c = c;
        b[i].head = calloc(1, c->head->row_size);
        if (!b[i].head)
            return HD_ENOMEM;
        if (c->complete)
            c->complete(b[i].head);
    }
    return 0;
}

static void end(struct builder *b)
{
    for (size_t k = 0; k < HD_CONFIGS_MAX && b[k].c; k++) {
        const struct hd_config *c = b[k].c;
        free(b[k].head);
        for (uint32_t n = 0; n < c->list_count; n++) {
            struct rows *r = &b[k].rows[n];
            if (c->lists[n].keep != 0 && r->v)
                hd_seal_wipe(r->v, r->cap * c->lists[n].rows->row_size); /* secrets */
            free(r->v);
            free(r->nodes);
        }
    }
}

int hd_image_make(const struct hd_schema *s, const struct lyd_node *tree, struct hd_image *i,
                  struct hd_fault *f)
{
    struct builder *b = calloc(HD_CONFIGS_MAX, sizeof *b);
    struct walk w = {.s = s, .b = b, .f = f};
    int error;

    memset(i, 0, sizeof *i);
    if (!b)
        return no_memory(f);
    i->secrets = calloc(HD_CONFIG_SECRETS_MAX, sizeof *i->secrets);
    error = i->secrets && begin(b) == 0 ? walk_nodes(&w, tree) : no_memory(f);
    for (size_t k = 0; k < HD_CONFIGS_MAX && b[k].c && error == 0; k++) {
        error = sort_all(b[k].c, &b[k], f);
        if (error == 0)
            error = finish(s, b[k].c, &b[k], i, f);
        if (error == 0)
            error = join(b[k].c, &b[k], &i->part[k], f);
    }
    end(b);
    free(b);
    if (error != 0)
        hd_image_free(i);
    else
        add_needed(i);
    return error;
}

void hd_image_free(struct hd_image *i)
{
    for (size_t k = 0; k < HD_CONFIGS_MAX; k++)
        free(i->part[k].bytes);
    if (i->secrets)
        hd_seal_wipe(i->secrets, HD_CONFIG_SECRETS_MAX * sizeof *i->secrets);
    free(i->secrets);
    memset(i, 0, sizeof *i);
}

bool hd_image_same_secrets(const struct hd_image *a, const struct hd_image *b)
{
    return a->secret_count == b->secret_count &&
           (a->secret_count == 0 ||
            memcmp(a->secrets, b->secrets, a->secret_count * sizeof *a->secrets) == 0);
}

/* --- comparison ----------------------------------------------------------------------------------
 */

struct side {
    const uint8_t *rows;
    uint32_t count;
};

static void compare_rows(const struct hd_config_list *list, struct side a, struct side b,
                         struct hd_image_change *c)
{
    const struct hd_list *l = list->rows;
    size_t size = hd_config_row_bytes(list);
    uint32_t i = 0, k = 0;

    while (i < a.count || k < b.count) {
        const uint8_t *x = i < a.count ? a.rows + i * size : NULL;
        const uint8_t *y = k < b.count ? b.rows + k * size : NULL;
        int order;
        if (x && y && memcmp(x, y, size) == 0) {
            i++, k++;
            continue;
        }
        order = !x ? 1 : !y ? -1 : compare_keys(l, x, y);
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
        if (hd_config_row_bytes(&c->lists[i]) == 0)
            continue;
        memcpy(&count, p->bytes + c->lists[i].count_offset, sizeof count);
        at += (size_t)count * hd_config_row_bytes(&c->lists[i]);
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
    for (uint32_t i = 0; i < k->list_count; i++) {
        if (hd_config_row_bytes(&k->lists[i]) > 0)
            compare_rows(&k->lists[i], side_of(k, a, i), side_of(k, b, i), c);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image by what an edit touched. Between two checked trees differ only the places that an edit
 * named, or that the check of the whole completed or took away behind it (struct hd_touched). For
 * each such place, what stands there in the old tree leaves the rows and what stands there in the
 * new one enters them; all other rows are copied as they are. So one change costs what the touched
 * entries cost and some copying, whatever the length of the lists.
 *
 * A place is raised to the entry of the outermost list with rows around it, since a row and those
 * in it are read together; and where it is there in one tree only, to the top of what came or went
 * with it. A head is read anew where a touched place held its root or a leaf of it.
 *
 * Whatever does not fit, from a row that is not found to a check that refuses, ends this way: the
 * caller makes the whole, which gives the same or says what is wrong, and where.
 */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "config/rows.h"
#include "lib/base.h"

#define NODES_MAX 4096 /* more touched places are no faster than the whole */

/* --- places --------------------------------------------------------------------------------------
 */

void hd_touched_add(struct hd_touched *t, const char *yang)
{
    if (t->all)
        return;
    if (t->count == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 16;
        char **v = t->count < NODES_MAX ? reallocarray(t->paths, cap, sizeof *v) : NULL;
        if (!v) {
            t->all = true;
            return;
        }
        t->paths = v;
        t->cap = cap;
    }
    t->paths[t->count] = strdup(yang);
    if (t->paths[t->count])
        t->count++;
    else
        t->all = true;
}

void hd_touched_free(struct hd_touched *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->paths[i]);
    free(t->paths);
    memset(t, 0, sizeof *t);
}

struct places {
    const struct lyd_node **v;
    size_t count;
};

struct edit {
    const struct hd_schema *s;
    struct places old, new;
    struct hd_sheet *gone, *come; /* the rows that stand there */
    struct hd_fault ignored;
};

static unsigned depth_of(const struct lyd_node *n)
{
    unsigned depth = 0;

    for (; n; n = lyd_parent(n))
        depth++;
    return depth;
}

static const struct lyd_node *above(const struct lyd_node *n, unsigned depth)
{
    for (unsigned d = depth_of(n); d > depth; d--)
        n = lyd_parent(n);
    return n;
}

/* The depth of the outermost entry around it that has a row; its own where there is none. */
static unsigned entry_depth(const struct lyd_node *n)
{
    unsigned at = depth_of(n), depth = at;

    for (; n; n = lyd_parent(n), at--) {
        const struct hd_bound *b = n->schema->priv;
        if (b && b->kind == HD_BOUND_LIST)
            depth = at;
    }
    return depth;
}

/* The last node on the path that is there, and whether that is all of it; false: no such path. */
static bool find(const struct lyd_node *tree, const char *path, const struct lyd_node **last,
                 bool *whole)
{
    struct lyd_node *found = NULL;
    LY_ERR e = tree ? lyd_find_path(tree, path, 0, &found) : LY_ENOTFOUND;

    *last = found;
    *whole = e == LY_SUCCESS;
    return e == LY_SUCCESS || e == LY_EINCOMPLETE || e == LY_ENOTFOUND;
}

static void add_place(struct places *p, const struct lyd_node *n, unsigned depth)
{
    if (depth_of(n) >= depth)
        p->v[p->count++] = above(n, depth);
}

static bool add_path(struct edit *e, const struct lyd_node *was, const struct lyd_node *is,
                     const char *path)
{
    const struct lyd_node *a, *b;
    bool a_whole, b_whole;

    if (!find(was, path, &a, &a_whole) || !find(is, path, &b, &b_whole))
        return false;
    unsigned a_depth = depth_of(a), b_depth = depth_of(b);
    if (a_depth == b_depth && !a_whole)
        return true; /* it is in neither */
    unsigned depth = a_depth == b_depth ? a_depth : HD_MIN(a_depth, b_depth) + 1;
    depth = entry_depth(above(a_depth > b_depth ? a : b, depth));
    add_place(&e->old, a, depth);
    add_place(&e->new, b, depth);
    return true;
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (const struct lyd_node *const *)a;
    uintptr_t y = (uintptr_t) * (const struct lyd_node *const *)b;

    return x < y ? -1 : x > y;
}

static bool has(const struct places *p, const struct lyd_node *n)
{
    return n && bsearch(&n, p->v, p->count, sizeof *p->v, by_address) != NULL;
}

/* Each place once, and none that lies in another: false without memory. */
static bool tidy(struct places *p)
{
    bool *inside = calloc(p->count + 1, sizeof *inside);
    size_t kept = 0;

    if (!inside)
        return false;
    qsort(p->v, p->count, sizeof *p->v, by_address);
    for (size_t i = 0; i < p->count; i++) {
        const struct lyd_node *up = lyd_parent(p->v[i]);
        while (up && !has(p, up))
            up = lyd_parent(up);
        inside[i] = up || (i > 0 && p->v[i - 1] == p->v[i]);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (!inside[i])
            p->v[kept++] = p->v[i];
    }
    p->count = kept;
    free(inside);
    return true;
}

/* --- rows there ----------------------------------------------------------------------------------
 */

static struct hd_sheet *rows_at(struct edit *e, const struct places *p)
{
    struct hd_sheet *b = hd_sheets_new();
    bool good = b != NULL;

    for (size_t i = 0; i < p->count && good; i++)
        good = hd_rows_take(e->s, b, p->v[i], &e->ignored) == 0;
    for (size_t k = 0; hd_config_at(k) && good; k++)
        good = hd_rows_sort(hd_config_at(k), &b[k]) == 0;
    if (good)
        return b;
    hd_sheets_free(b);
    return NULL;
}

static bool read_places(struct edit *e, const struct lyd_node *was, const struct lyd_node *is,
                        const struct hd_touched *t)
{
    bool good;

    e->old.v = calloc(t->count + 1, sizeof *e->old.v);
    e->new.v = calloc(t->count + 1, sizeof *e->new.v);
    good = e->old.v && e->new.v;
    for (size_t i = 0; i < t->count && good; i++)
        good = add_path(e, was, is, t->paths[i]);
    good = good && tidy(&e->old) && tidy(&e->new);
    if (good)
        e->gone = rows_at(e, &e->old);
    if (e->gone)
        e->come = rows_at(e, &e->new);
    ly_err_clean(e->s->ctx, NULL); /* of paths that are in one tree only */
    free(e->old.v);
    free(e->new.v);
    return e->come != NULL;
}

/* --- into the arrays -----------------------------------------------------------------------------
 */

/* Where the rows of one array went: places of those that left, and of those that entered. */
struct moves {
    uint32_t *gone, *come; /* in the old array; before which row of what stayed */
    size_t gone_count, come_count;
};

static uint8_t *row_at(const struct hd_rows *r, size_t size, size_t i)
{
    return r->v + i * size;
}

/* The first row that is not before this one. */
static size_t lower_bound(const struct hd_list *l, const struct hd_rows *r, const void *row)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hd_config_row_order(l, row_at(r, l->row_size, middle), row) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct hd_list *l, const struct hd_rows *r, size_t i, const void *row)
{
    return i < r->count && hd_config_row_order(l, row_at(r, l->row_size, i), row) == 0;
}

/* Takes the rows of `gone` out of r. */
static bool take_out(const struct hd_list *l, struct hd_rows *r, const struct hd_rows *gone,
                     struct moves *m)
{
    size_t size = l->row_size, to = 0, from = 0;

    for (size_t i = 0; i < gone->count; i++) {
        const uint8_t *row = row_at(gone, size, i);
        size_t at = lower_bound(l, r, row);
        if (!is_at(l, r, at, row) || (i > 0 && at <= m->gone[i - 1]))
            return false;
        m->gone[i] = (uint32_t)at;
    }
    m->gone_count = gone->count;
    for (size_t i = 0; i <= gone->count; i++) {
        size_t end = i < gone->count ? m->gone[i] : r->count;
        if (to != from && end > from)
            memmove(row_at(r, size, to), row_at(r, size, from), (end - from) * size);
        to += end - from;
        from = end + 1;
    }
    r->count = to;
    return true;
}

static bool make_room(struct hd_rows *r, size_t size, size_t count)
{
    if (count <= r->cap)
        return true;
    uint8_t *v = reallocarray(r->v, count, size);
    if (!v)
        return false;
    r->v = v;
    r->cap = count;
    return true;
}

/* Puts the rows of `come` into r. */
static bool put_in(const struct hd_list *l, struct hd_rows *r, const struct hd_rows *come,
                   struct moves *m)
{
    size_t size = l->row_size, end = r->count;

    for (size_t i = 0; i < come->count; i++) {
        const uint8_t *row = row_at(come, size, i);
        size_t at = lower_bound(l, r, row);
        if (is_at(l, r, at, row) ||
            (i > 0 && hd_config_row_order(l, row_at(come, size, i - 1), row) >= 0))
            return false;
        m->come[i] = (uint32_t)at;
    }
    m->come_count = come->count;
    if (!make_room(r, size, r->count + come->count))
        return false;
    r->count += come->count;
    for (size_t i = come->count; i-- > 0; end = m->come[i]) {
        size_t at = m->come[i];
        if (end > at)
            memmove(row_at(r, size, at + i + 1), row_at(r, size, at), (end - at) * size);
        memcpy(row_at(r, size, at + i), row_at(come, size, i), size);
    }
    return true;
}

/* Where a row that stayed is now; it was not one of those that left. */
static uint32_t moved_to(const struct moves *m, uint32_t at)
{
    size_t below = 0, before = 0;

    while (below < m->gone_count && m->gone[below] < at)
        below++;
    at -= (uint32_t)below;
    while (before < m->come_count && m->come[before] <= at)
        before++;
    return at + (uint32_t)before;
}

enum side { GONE, STAYED, COME };

/* Rows in the entries of another list name the row of theirs by its place. */
static void follow(const struct hd_config_list *l, struct hd_rows *r, const struct moves *m,
                   enum side side)
{
    for (size_t i = 0; i < r->count; i++) {
        uint8_t *at = row_at(r, l->rows->row_size, i) + l->parent_offset;
        uint32_t up;
        memcpy(&up, at, sizeof up);
        up = side == GONE ? m->gone[up] : side == COME ? m->come[up] + up : moved_to(m, up);
        memcpy(at, &up, sizeof up);
    }
}

static bool change_list(const struct hd_config *c, uint32_t n, struct edit *e, size_t k,
                        struct hd_sheet *sheet, struct moves *moves)
{
    const struct hd_config_list *l = &c->lists[n];
    struct hd_rows *gone = &e->gone[k].rows[n], *come = &e->come[k].rows[n];
    const struct moves *up = l->parent != 0 ? &moves[hd_rows_owner(c, l->parent - 1u)] : NULL;
    struct moves *m = &moves[n];

    m->gone = calloc(gone->count + 1, sizeof *m->gone);
    m->come = calloc(come->count + 1, sizeof *m->come);
    if (!m->gone || !m->come)
        return false;
    if (up)
        follow(l, gone, up, GONE);
    if (!take_out(l->rows, &sheet->rows[n], gone, m))
        return false;
    if (up && up->gone_count + up->come_count > 0) {
        follow(l, &sheet->rows[n], up, STAYED);
        follow(l, come, up, COME);
    }
    return put_in(l->rows, &sheet->rows[n], come, m);
}

static bool change_lists(struct edit *e, size_t k, struct hd_sheet *sheet)
{
    struct moves moves[HD_CONFIG_LISTS_MAX] = {{0}};
    const struct hd_config *c = hd_config_at(k);
    bool good = true;

    for (uint32_t n = 0; n < c->list_count && good; n++) {
        if (c->lists[n].into == 0)
            good = change_list(c, n, e, k, sheet, moves);
    }
    for (uint32_t n = 0; n < c->list_count; n++) {
        free(moves[n].gone);
        free(moves[n].come);
    }
    return good;
}

/* --- heads ---------------------------------------------------------------------------------------
 */

static bool change_heads(struct edit *e, const struct lyd_node *is, struct hd_sheet *sheets)
{
    struct hd_sheet *fresh = hd_sheets_new();
    bool good = fresh != NULL;

    for (size_t k = 0; hd_config_at(k) && good; k++) {
        if (!e->gone[k].at_head && !e->come[k].at_head)
            continue;
        good = hd_rows_take_head(e->s, fresh, k, is, &e->ignored) == 0;
        memcpy(sheets[k].head, fresh[k].head, hd_config_at(k)->head->row_size);
        sheets[k].present = fresh[k].present;
        sheets[k].roots = fresh[k].roots;
    }
    hd_sheets_free(fresh);
    return good;
}

int hd_image_edit(const struct hd_schema *s, const struct lyd_node *was_tree,
                  const struct hd_image *was, const struct lyd_node *tree,
                  const struct hd_touched *t, struct hd_image *i)
{
    struct edit e = {.s = s};
    bool good;

    memset(i, 0, sizeof *i);
    good = !t->all && was->sheets && read_places(&e, was_tree, tree, t);
    if (good)
        i->sheets = hd_sheets_copy(was->sheets);
    good = good && i->sheets && change_heads(&e, tree, i->sheets);
    for (size_t k = 0; hd_config_at(k) && good; k++)
        good = change_lists(&e, k, &i->sheets[k]);
    good = good && hd_image_finish(s, i, &e.ignored) == 0;
    hd_sheets_free(e.gone);
    hd_sheets_free(e.come);
    if (!good)
        hd_image_free(i);
    return good ? 0 : HD_EAGAIN;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts to trees and back. JSON is libyang's matter (RFC 7951); lines are ours: "set PATH VALUE"
 * and "delete PATH", one to one with the tree. What libyang finds wrong becomes a fault: where in
 * the tree, in which line of the text, and what the model would take there.
 */
#include "config/config.h"
#include "config/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

/* --- what libyang says ---------------------------------------------------------------------------
 */

/* The quoted text behind `word` in libyang's description of a place. */
static bool quoted_after(const char *text, const char *word, char *buf, size_t size)
{
    const char *at = text ? strstr(text, word) : NULL;
    const char *begin = at ? strchr(at, '"') : NULL;
    const char *end = begin ? strchr(begin + 1, '"') : NULL;

    if (!end)
        return false;
    snprintf(buf, size, "%.*s", (int)(end - begin - 1), begin + 1);
    return true;
}

/* A data path without its predicates is the path of its schema node. */
static const struct lysc_node *node_at(const struct hd_schema *s, const char *data_path)
{
    char path[512];
    size_t n = 0;
    int depth = 0;

    for (const char *c = data_path; *c && n + 1 < sizeof path; c++) {
        depth += *c == '[';
        if (depth == 0)
            path[n++] = *c;
        depth -= *c == ']';
    }
    path[n] = '\0';
    return n > 0 && path[0] == '/' ? lys_find_path(s->ctx, NULL, path, 0) : NULL;
}

/* Adds the value of a predicate, percent-encoded where it must be; returns what follows it. */
static const char *put_key(const char *at, char between, char *buf, size_t size, size_t *n)
{
    const char *quote = strpbrk(at, "'\"]");

    if (!quote || *quote == ']')
        return at + strcspn(at, "]"); /* a position */
    *n += (size_t)snprintf(buf + *n, size - *n, "%c", between);
    for (at = quote + 1; *at && *at != *quote && *n + 4 < size; at++)
        *n += (size_t)snprintf(buf + *n, size - *n, strchr("/,%[]", *at) ? "%%%02X" : "%c",
                               (unsigned char)*at);
    return *at ? at + 1 : at;
}

/* libyang's path, /module:list[key='value']/leaf, as people write it: /list=value/leaf. */
static void flatten(char *path, size_t size)
{
    char flat[sizeof((struct hd_fault *)0)->path];
    const char *at = path;
    size_t n = 0;

    while (*at && n + 8 < sizeof flat) {
        char between = '=';
        size_t len = strcspn(at + (*at == '/'), "/[") + (*at == '/');
        const char *colon = memchr(at, ':', len);
        const char *name = colon ? colon + 1 : at + (*at == '/');
        n += (size_t)snprintf(flat + n, sizeof flat - n, "/%.*s",
                              (int)HD_MIN((size_t)(at + len - name), sizeof flat - n - 2), name);
        for (at += len; *at == '[' && n + 8 < sizeof flat; between = ',') {
            at = put_key(at + 1, between, flat, sizeof flat, &n);
            at += *at == ']';
        }
        if (*at != '/')
            break;
    }
    snprintf(path, size, "%s", flat);
}

static int take_fault(const struct hd_schema *s, const char *code, struct hd_fault *f)
{
    const struct ly_err_item *e = ly_err_last(s->ctx);
    char place[sizeof f->path] = "", expected[300] = "";
    const struct lysc_node *node = NULL;
    const char *line;

    if (!e)
        return hd_fault_set(f, code, NULL, "the configuration is not valid");
    if (!quoted_after(e->path, "ata location", place, sizeof place) &&
        !quoted_after(e->path, "chema location", place, sizeof place))
        snprintf(place, sizeof place, "%s", e->path && e->path[0] == '/' ? e->path : "");
    node = node_at(s, place);
    if (node)
        hd_schema_expected(node, expected, sizeof expected);
    if (node)
        flatten(place, sizeof place);
    hd_fault_set(f, code, place, "%s%s%s", e->msg, expected[0] ? " Expected: " : "", expected);
    line = e->path ? strstr(e->path, "ine number ") : NULL;
    if (line)
        f->line = (unsigned)strtoul(line + strlen("ine number "), NULL, 10);
    ly_err_clean(s->ctx, NULL);
    return HD_EINVAL;
}

/* --- JSON ----------------------------------------------------------------------------------------
 */

int hd_tree_read(const struct hd_schema *s, const char *json, struct lyd_node **tree,
                 struct hd_fault *f)
{
    *tree = NULL;
    ly_err_clean(s->ctx, NULL);
    if (json[strspn(json, " \t\r\n")] == '\0')
        return 0;
    if (lyd_parse_data_mem(s->ctx, json, LYD_JSON,
                           LYD_PARSE_ONLY | LYD_PARSE_STRICT | LYD_PARSE_NO_STATE, 0,
                           tree) == LY_SUCCESS)
        return 0;
    lyd_free_all(*tree);
    *tree = NULL;
    return take_fault(s, "invalid", f);
}

/* Keys and entries of leaf-lists stand in paths, where either kind of quotes encloses them. */
static bool fits_a_path(const struct lyd_node *n)
{
    if (n->schema->nodetype != LYS_LEAFLIST && !lysc_is_key(n->schema))
        return true;
    const char *value = lyd_get_value(n);
    return strchr(value, '"') == NULL || strchr(value, '\'') == NULL;
}

static int check_paths_below(const struct lyd_node *top, struct hd_fault *f)
{
    const struct lyd_node *n;

    LYD_TREE_DFS_BEGIN(top, n)
    {
        if (!fits_a_path(n)) {
            char *path = lyd_path(lyd_parent(n), LYD_PATH_STD, NULL, 0);
            int error =
                hd_fault_set(f, "invalid", path,
                             "a %s holds both kinds of quotes, which no path can", n->schema->name);
            free(path);
            return error;
        }
        LYD_TREE_DFS_END(top, n);
    }
    return 0;
}

static int check_paths(const struct lyd_node *tree, struct hd_fault *f)
{
    int error = 0;

    for (; tree && error == 0; tree = tree->next)
        error = check_paths_below(tree, f);
    return error;
}

int hd_tree_check(const struct hd_schema *s, struct lyd_node **tree, struct hd_fault *f)
{
    ly_err_clean(s->ctx, NULL);
    if (lyd_validate_all(tree, s->ctx, LYD_VALIDATE_NO_STATE, NULL) == LY_SUCCESS)
        return check_paths(*tree, f);
    return take_fault(s, "invalid", f);
}

/* What the check did by itself: each node of the difference that says so. */
static void note_difference(const struct lyd_node *diff, struct hd_touched *t)
{
    const struct lyd_node *n;

    for (; diff; diff = diff->next) {
        LYD_TREE_DFS_BEGIN(diff, n)
        {
            const struct lyd_meta *m = lyd_find_meta(n->meta, NULL, "yang:operation");
            if (m && strcmp(lyd_get_meta_value(m), "none") != 0) {
                char *path = lyd_path(n, LYD_PATH_STD, NULL, 0);
                bool pruned = strcmp(lyd_get_meta_value(m), "delete") == 0;
                t->pruned |= pruned && !(n->flags & LYD_DEFAULT);
                if (path)
                    hd_touched_add(t, path);
                t->all |= path == NULL;
                free(path);
            }
            LYD_TREE_DFS_END(diff, n);
        }
    }
}

/* Lines cannot make a path that none can hold; their values, keys and entries may. */
static int check_touched_paths(const struct lyd_node *tree, const struct hd_touched *t,
                               struct hd_fault *f)
{
    int error = 0;

    for (size_t i = 0; tree && i < t->count && error == 0; i++) {
        struct lyd_node *n = NULL;
        if (lyd_find_path(tree, t->paths[i], 0, &n) == LY_SUCCESS)
            error = check_paths_below(n, f);
    }
    return error;
}

int hd_tree_recheck(const struct hd_schema *s, struct lyd_node **tree, struct hd_touched *t,
                    struct hd_fault *f)
{
    struct lyd_node *diff = NULL;
    int error;

    if (t->all)
        return hd_tree_check(s, tree, f);
    ly_err_clean(s->ctx, NULL);
    error = lyd_validate_all(tree, s->ctx, LYD_VALIDATE_NO_STATE, &diff) == LY_SUCCESS
                ? 0
                : take_fault(s, "invalid", f);
    note_difference(diff, t); /* also of one that failed: the tree stays */
    lyd_free_all(diff);
    if (error == 0)
        error = t->all ? check_paths(*tree, f) : check_touched_paths(*tree, t, f);
    ly_err_clean(s->ctx, NULL);
    return error;
}

char *hd_tree_print(const struct lyd_node *tree)
{
    char *text = NULL;

    if (lyd_print_mem(&text, tree, LYD_JSON, LYD_PRINT_WITHSIBLINGS | LYD_PRINT_WD_EXPLICIT) !=
        LY_SUCCESS)
        return NULL;
    return text ? text : strdup("{}\n");
}

/* --- lines ---------------------------------------------------------------------------------------
 */

static bool takes_value(const struct lysc_node *n)
{
    if (n->nodetype == LYS_LEAF)
        return ((const struct lysc_node_leaf *)n)->type->basetype != LY_TYPE_EMPTY;
    return n->nodetype == LYS_LEAFLIST;
}

static int refuse(struct hd_fault *f, const char *path, const char *what)
{
    return hd_fault_set(f, "line", path, "%s", what);
}

static int set_node(const struct hd_schema *s, struct lyd_node **tree,
                    const struct hd_config_path *p, const char *path, const char *value,
                    struct hd_fault *f)
{
    const struct lysc_node *n = p->node;
    struct lyd_node *made = NULL;
    char whole[256];
    bool wants = takes_value(n) && !(n->nodetype == LYS_LEAFLIST && p->keys);

    if (n->nodetype == LYS_LIST && !p->keys)
        return refuse(f, path, "which one? Write the key as NAME=KEY");
    if (n->nodetype == LYS_CONTAINER && !(n->flags & LYS_PRESENCE))
        return refuse(f, path, "this is only a folder: set something in it");
    if (wants && !value)
        return refuse(f, path, "the value is missing");
    if (!wants && value)
        return refuse(f, path, "this takes no value");
    ly_err_clean(s->ctx, NULL);
    if (wants)
        value = hd_schema_value_long(n, value, whole, sizeof whole);
    if (lyd_new_path2(*tree, s->ctx, p->yang, wants ? value : NULL, 0, 0, LYD_NEW_PATH_UPDATE,
                      &made, NULL) != LY_SUCCESS) {
        take_fault(s, "invalid", f);
        snprintf(f->path, sizeof f->path, "%s", path);
        return HD_EINVAL;
    }
    /* A node that was made at the top may come before what was first. */
    if (!*tree)
        *tree = made;
    while (*tree && (*tree)->parent)
        *tree = &(*tree)->parent->node;
    *tree = lyd_first_sibling(*tree);
    return 0;
}

static void remove_node(struct lyd_node **tree, struct lyd_node *node)
{
    if (node == *tree)
        *tree = node->next;
    lyd_free_tree(node);
}

/* All entries of a list, or all values of a leaf-list. */
static size_t remove_all(struct lyd_node **tree, const struct hd_config_path *p)
{
    struct ly_set *set = NULL;
    size_t n = 0;

    if (!*tree || lyd_find_xpath(*tree, p->yang, &set) != LY_SUCCESS)
        return 0;
    for (uint32_t i = 0; i < set->count; i++, n++)
        remove_node(tree, set->dnodes[i]);
    ly_set_free(set, NULL);
    return n;
}

static int delete_node(const struct hd_schema *s, struct lyd_node **tree,
                       const struct hd_config_path *p, const char *path, struct hd_fault *f)
{
    struct lyd_node *node = NULL;
    size_t n = 0;

    ly_err_clean(s->ctx, NULL);
    if (!p->whole) {
        n = remove_all(tree, p);
    } else if (*tree && lyd_find_path(*tree, p->yang, 0, &node) == LY_SUCCESS &&
               !(node->flags & LYD_DEFAULT)) {
        if (lysc_is_key(node->schema))
            return refuse(f, path, "a key cannot be deleted: delete the entry");
        remove_node(tree, node);
        n = 1;
    }
    ly_err_clean(s->ctx, NULL);
    return n > 0 ? 0 : refuse(f, path, "there is nothing of that name to delete");
}

/* Cuts the next word off; words are separated by blanks, the last one may be quoted. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " \t");
    size_t n = strcspn(word, " \t");

    if (*word == '\0')
        return NULL;
    *rest = word + n;
    if (**rest != '\0')
        *(*rest)++ = '\0';
    return word;
}

static char *last_word(char *rest)
{
    size_t n;

    rest += strspn(rest, " \t");
    n = strlen(rest);
    while (n > 0 && (rest[n - 1] == ' ' || rest[n - 1] == '\t' || rest[n - 1] == '\r'))
        rest[--n] = '\0';
    return n > 0 ? rest : NULL;
}

/* All entries of a list are no one place. */
static void note_line(const struct hd_config_path *p, struct hd_touched *t)
{
    if (t && p->whole)
        hd_touched_add(t, p->yang);
    else if (t)
        t->all = true;
}

static int run_line(const struct hd_schema *s, struct lyd_node **tree, char *line,
                    struct hd_touched *t, struct hd_fault *f)
{
    char *rest = line, *verb, *path, *value;
    struct hd_config_path p;

    line[strcspn(line, "\r")] = '\0';
    verb = next_word(&rest);
    if (!verb || verb[0] == '#')
        return 0;
    if (strcmp(verb, "set") != 0 && strcmp(verb, "delete") != 0)
        return refuse(f, NULL, "a line begins with set or delete");
    path = next_word(&rest);
    if (!path)
        return refuse(f, NULL, "the path is missing");
    value = last_word(rest);
    if (value && !hd_config_word_read(value))
        return refuse(f, path, "the quotes of the value do not fit");
    int error = hd_config_path_read(s, path, strlen(path), &p, f);
    if (error != 0)
        return error;
    note_line(&p, t);
    if (verb[0] == 's')
        return set_node(s, tree, &p, path, value, f);
    return value ? refuse(f, path, "delete takes no value") : delete_node(s, tree, &p, path, f);
}

static bool is_secret(const struct lysc_node *n)
{
    const struct hd_bound *b = n->priv;

    return b && b->column && b->column->type == HD_COL_SECRET;
}

/* "set PATH SECRET": a word that is cut out of `copy`, and where it belongs. */
static char *find_secret(const struct hd_schema *s, char *copy, char **path)
{
    struct hd_config_path p;
    struct hd_fault ignored;
    char *rest = copy, *verb, *value;

    copy[strcspn(copy, "\r")] = '\0';
    verb = next_word(&rest);
    *path = verb ? next_word(&rest) : NULL;
    value = *path ? last_word(rest) : NULL;
    if (!value || strcmp(verb, "set") != 0 || !hd_config_word_read(value) ||
        hd_config_path_read(s, *path, strlen(*path), &p, &ignored) != 0)
        return NULL; /* whoever runs the line will say */
    return is_secret(p.node) && !hd_seal_is_sealed(value) ? value : NULL;
}

int hd_tree_seal_line(const struct hd_schema *s, const char *line, char **sealed,
                      struct hd_fault *f)
{
    char *copy = strdup(line), *path = NULL;
    char *secret = copy && s->seal ? find_secret(s, copy, &path) : NULL;
    char *form = secret ? hd_seal_make(s->seal, secret) : NULL;
    int error = 0;

    *sealed = NULL;
    if (!copy || (form && asprintf(sealed, "set %s %s", path, form) < 0))
        error = hd_fault_set(f, "no-memory", NULL, "no memory for the line");
    else if (secret && !form)
        error = hd_fault_set(f, "system", path,
                             "the secret cannot be sealed, so it is not kept: is it longer than %u "
                             "characters, or the disk full?",
                             HD_SEAL_MAX);
    if (copy)
        hd_seal_wipe(copy, strlen(line));
    free(copy);
    free(form);
    return error;
}

static int tree_line(const struct hd_schema *s, struct lyd_node **tree, const char *line,
                     size_t len, struct hd_touched *t, struct hd_fault *f)
{
    char *copy;
    int error;

    if (memchr(line, '\0', len))
        return refuse(f, NULL, "the line holds a NUL character");
    copy = strndup(line, len);
    if (!copy)
        return hd_fault_set(f, "no-memory", NULL, "no memory for the line");
    error = run_line(s, tree, copy, t, f);
    free(copy);
    return error;
}

int hd_tree_edit(const struct hd_schema *s, struct lyd_node **tree, const char *text,
                 struct hd_touched *t, struct hd_fault *f)
{
    unsigned number = 1;

    for (; *text; number++) {
        size_t n = strcspn(text, "\n");
        int error = tree_line(s, tree, text, n, t, f);
        if (error != 0) {
            f->line = number;
            return error;
        }
        text += n + (text[n] == '\n');
    }
    return 0;
}

int hd_tree_lines(const struct hd_schema *s, struct lyd_node **tree, const char *text,
                  struct hd_fault *f)
{
    return hd_tree_edit(s, tree, text, NULL, f);
}

/* --- printing lines ------------------------------------------------------------------------------
 */

static bool has_own_content(const struct lyd_node *n)
{
    for (const struct lyd_node *c = lyd_child(n); c; c = c->next) {
        if (!(c->flags & LYD_DEFAULT) && !lysc_is_key(c->schema))
            return true;
    }
    return false;
}

static void print_line(const struct hd_schema *s, const struct lyd_node *n, struct hd_text *t)
{
    char path[2 * HD_CONFIG_PATH];

    if (!hd_config_path_write(s, n, path, sizeof path))
        return;
    hd_text_printf(t, "set %s", path);
    if (n->schema->nodetype == LYS_LEAF && takes_value(n->schema)) {
        hd_text_printf(t, " ");
        hd_config_word_write(hd_schema_value_short(n->schema, lyd_get_value(n)), t);
    }
    hd_text_printf(t, "\n");
}

static void print_nodes(const struct hd_schema *s, const struct lyd_node *n, struct hd_text *t)
{
    for (; n; n = n->next) {
        bool inner = n->schema->nodetype & (LYS_CONTAINER | LYS_LIST);
        if ((n->flags & LYD_DEFAULT) || lysc_is_key(n->schema))
            continue;
        if (!inner)
            print_line(s, n, t);
        else if (has_own_content(n))
            print_nodes(s, lyd_child(n), t);
        else if (n->schema->nodetype == LYS_LIST || (n->schema->flags & LYS_PRESENCE))
            print_line(s, n, t);
    }
}

void hd_tree_print_lines(const struct hd_schema *s, const struct lyd_node *tree, struct hd_text *t)
{
    print_nodes(s, tree, t);
    if (!t->v)
        hd_text_printf(t, "%s", "");
}

/* --- differences of lines ------------------------------------------------------------------------
 */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text, sorted; *copy holds them. NULL: out of memory. */
static char **sorted_lines(const struct hd_text *t, char **copy, size_t *count)
{
    size_t n = 0, at = 0;
    char **v;

    *copy = t->v ? strdup(t->v) : strdup("");
    for (size_t i = 0; *copy && i < t->len; i++)
        n += (*copy)[i] == '\n';
    v = *copy ? calloc(n + 1, sizeof *v) : NULL;
    if (!v)
        return NULL;
    for (char *rest = *copy, *line; at < n && (line = strsep(&rest, "\n")) != NULL;)
        v[at++] = line;
    qsort(v, n, sizeof *v, by_text);
    *count = n;
    return v;
}

int hd_lines_diff(const struct hd_text *was, const struct hd_text *is, struct hd_text *out)
{
    char *was_copy = NULL, *is_copy = NULL;
    size_t a_count = 0, b_count = 0, a = 0, b = 0;
    char **a_lines = sorted_lines(was, &was_copy, &a_count);
    char **b_lines = sorted_lines(is, &is_copy, &b_count);
    int error = a_lines && b_lines ? 0 : HD_ENOMEM;

    while (error == 0 && (a < a_count || b < b_count)) {
        int order = a == a_count ? 1 : b == b_count ? -1 : strcmp(a_lines[a], b_lines[b]);
        if (order < 0)
            hd_text_printf(out, "- %s\n", a_lines[a++]);
        else if (order > 0)
            hd_text_printf(out, "+ %s\n", b_lines[b++]);
        else
            a++, b++;
    }
    free(a_lines);
    free(b_lines);
    free(was_copy);
    free(is_copy);
    return error;
}

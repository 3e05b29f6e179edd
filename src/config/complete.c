/* SPDX-License-Identifier: Apache-2.0 */
/* What may come next on a line: names from the models, keys from the tree, values from the types.
 */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

#include "lib/base.h"

struct found {
    struct hd_completion *out;
    size_t count, max;
};

/* The first sentence of a description, on one line. */
static void first_sentence(const char *text, char *buf, size_t size)
{
    size_t n = 0;

    for (; text && *text && n + 1 < size; text++) {
        bool blank = *text == ' ' || *text == '\n' || *text == '\t';
        if (blank && (n == 0 || buf[n - 1] == ' '))
            continue;
        buf[n++] = blank ? ' ' : *text;
        if (*text == '.' && (text[1] == '\0' || text[1] == ' ' || text[1] == '\n'))
            break;
    }
    buf[n] = '\0';
}

static struct hd_completion *add(struct found *f, const char *what)
{
    struct hd_completion *c = f->count < f->max ? &f->out[f->count] : NULL;

    f->count++;
    if (c) {
        memset(c, 0, sizeof *c);
        first_sentence(what, c->what, sizeof c->what);
    }
    return c;
}

static void add_name(struct found *f, const char *before, size_t before_len,
                     const struct lysc_node *n)
{
    struct hd_completion *c = add(f, n->dsc);
    const char *end = "";

    if (n->nodetype & LYS_LIST)
        end = "=";
    else if (n->nodetype & LYS_CONTAINER)
        end = "/";
    if (c)
        snprintf(c->word, sizeof c->word, "%.*s%s%s", (int)before_len, before, n->name, end);
}

/* Entries of a list, or values of a leaf-list, of which `begin` is the begin of the flat path. */
static void add_entries(const struct hd_schema *s, const struct lyd_node *tree,
                        const struct lysc_node *list, const char *begin, struct found *f)
{
    char path[HD_CONFIG_PATH], name[HD_CONFIG_PATH];
    struct ly_set *set = NULL;

    if (!tree || !lysc_path(list, LYSC_PATH_DATA, name, sizeof name) ||
        lyd_find_xpath(tree, name, &set) != LY_SUCCESS)
        return;
    for (uint32_t i = 0; i < set->count && f->count < f->max; i++) {
        if (!hd_config_path_write(s, set->dnodes[i], path, sizeof path) ||
            strncmp(path, begin, strlen(begin)) != 0)
            continue;
        struct hd_completion *c = add(f, list->dsc);
        if (c)
            snprintf(c->word, sizeof c->word, "%s", path);
    }
    ly_set_free(set, NULL);
}

size_t hd_complete_path(const struct hd_schema *s, const struct lyd_node *tree, const char *path,
                        struct hd_completion *out, size_t max)
{
    struct found f = {.out = out, .max = max};
    const char *slash = strrchr(path, '/');
    size_t before = slash ? (size_t)(slash - path) + 1 : 0, rest = strlen(path) - before;
    const char *equals = strchr(path + before, '=');
    struct hd_config_path p = {.node = NULL};
    struct hd_fault fault;

    if (before > 1 && hd_config_path_read(s, path, before - 1, &p, &fault) != 0)
        return 0;
    if (equals) {
        const struct lysc_node *n =
            hd_schema_child(s, p.node, path + before, (size_t)(equals - path) - before);
        if (n && path[0] == '/')
            add_entries(s, tree, n, path, &f);
        return HD_MIN(f.count, max);
    }
    for (const struct lysc_node *n = NULL; (n = hd_schema_next(s, p.node, n)) != NULL;) {
        if (hd_schema_writable(n) && !lysc_is_key(n) && strncmp(n->name, path + before, rest) == 0)
            add_name(&f, path, before, n);
    }
    return HD_MIN(f.count, max);
}

static void add_word(struct found *f, const char *word, const char *what, const char *begin)
{
    struct hd_completion *c = strncmp(word, begin, strlen(begin)) == 0 ? add(f, what) : NULL;

    if (c)
        snprintf(c->word, sizeof c->word, "%s", word);
}

size_t hd_complete_value(const struct hd_schema *s, const char *path, const char *begin,
                         struct hd_completion *out, size_t max)
{
    struct found f = {.out = out, .max = max};
    struct hd_config_path p;
    struct hd_fault fault;
    const struct lysc_type *t = NULL;
    LY_ARRAY_COUNT_TYPE i;

    if (hd_config_path_read(s, path, strlen(path), &p, &fault) != 0)
        return 0;
    if (p.node->nodetype == LYS_LEAF)
        t = ((const struct lysc_node_leaf *)p.node)->type;
    if (!t)
        return 0;
    if (t->basetype == LY_TYPE_BOOL) {
        add_word(&f, "false", "", begin);
        add_word(&f, "true", "", begin);
    } else if (t->basetype == LY_TYPE_ENUM) {
        const struct lysc_type_enum *e = (const struct lysc_type_enum *)t;
        LY_ARRAY_FOR(e->enums, i)
        {
            add_word(&f, e->enums[i].name, e->enums[i].dsc, begin);
        }
    } else if (t->basetype == LY_TYPE_IDENT) {
        const struct lysc_type_identityref *e = (const struct lysc_type_identityref *)t;
        for (i = 0;
             e->bases && LY_ARRAY_COUNT(e->bases) > 0 && i < LY_ARRAY_COUNT(e->bases[0]->derived);
             i++)
            add_word(&f, e->bases[0]->derived[i]->name, e->bases[0]->derived[i]->dsc, begin);
    }
    return HD_MIN(f.count, max);
}

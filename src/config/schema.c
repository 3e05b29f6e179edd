/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YANG context. Our own modules are part of the program (own_modules.made.h is made from yang/
 * when it is built), so they always fit the rows. Published ones are read unchanged from where the
 * system keeps them; where it has one not, ours of the same name and nodes stands in (decision
 * 0023), so that paths and files are the same on every machine. A model of which a module cannot
 * be read is left out and said so, the others work.
 *
 * Each leaf, list and root that has a row gets a struct hd_bound at its schema node, so that
 * reading a tree (image.c) is one walk without any look-up by name.
 */
#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/read.h"
#include "lib/base.h"
#include "own_modules.made.h" /* made by tools/embed-yang.py */

#define SEARCH_DEFAULT                                                                             \
    "/etc/heddle/yang:/usr/share/heddle/yang:/usr/share/yuma/nmda-modules/ietf:"                   \
    "/usr/share/yang/modules"

int hd_fault_set(struct hd_fault *f, const char *code, const char *path, const char *format, ...)
{
    va_list ap;

    memset(f, 0, sizeof *f);
    snprintf(f->code, sizeof f->code, "%s", code);
    snprintf(f->path, sizeof f->path, "%s", path ? path : "");
    va_start(ap, format);
    vsnprintf(f->message, sizeof f->message, format, ap);
    va_end(ap);
    return HD_EINVAL;
}

/* --- modules -------------------------------------------------------------------------------------
 */

static const char *own_module(const char *name, bool stand_in)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(own_modules); i++) {
        if (own_modules[i].stand_in == stand_in && strcmp(own_modules[i].name, name) == 0)
            return own_modules[i].text;
    }
    return NULL;
}

/* libyang asks here for what is in none of the folders. */
static LY_ERR on_import(const char *name, const char *revision, const char *submodule,
                        const char *submodule_revision, void *user, LYS_INFORMAT *format,
                        const char **data, void (**free_data)(void *, void *))
{
    const char *text = submodule ? NULL : own_module(name, true);

    if (!text)
        return LY_ENOTFOUND;
    *format = LYS_IN_YANG;
    *data = text;
    *free_data = NULL;
    return LY_SUCCESS;
}

static void add_folders(struct ly_ctx *ctx, const char *search)
{
    char *copy = strdup(search), *rest = copy, *one;

    while (copy && (one = strsep(&rest, ":")) != NULL) {
        if (*one)
            (void)!ly_ctx_set_searchdir(ctx, one); /* one that is not there holds nothing */
    }
    free(copy);
}

/* Ours; the same name in a folder would not fit our rows. */
static bool load_ours(struct hd_schema *s, const char *name)
{
    const char *text = own_module(name, false);
    struct lys_module *m = NULL;

    return text && lys_parse_mem(s->ctx, text, LYS_IN_YANG, &m) == LY_SUCCESS;
}

static bool load_published(struct hd_schema *s, const char *name, const char *const *features)
{
    const char *some[HD_ARRAY_LEN(((struct hd_config_module *)0)->features) + 1] = {NULL};

    for (size_t i = 0; features && i + 1 < HD_ARRAY_LEN(some) && features[i]; i++)
        some[i] = features[i];
    return ly_ctx_load_module(s->ctx, name, NULL, some) != NULL;
}

/* The modules of one configuration; the reason of the last one that failed is in the context. */
static bool load_model(struct hd_schema *s, const struct hd_config *c)
{
    const struct hd_config_module *p = c->published;
    bool loaded = load_ours(s, c->module); /* brings what it augments */

    for (; loaded && p && p->name; p++)
        loaded = load_published(s, p->name, p->features);
    return loaded;
}

static void load_all(struct hd_schema *s)
{
    for (size_t i = 0; hd_config_at(i); i++)
        s->loaded[i] = load_model(s, hd_config_at(i));
    if (ly_ctx_get_module_implemented(s->ctx, "ietf-interfaces")) {
        (void)!load_published(s, "iana-if-type", NULL);
        (void)!load_ours(s, "heddle-deviations");
    }
}

/* --- rows ----------------------------------------------------------------------------------------
 */

static int no_node(struct hd_fault *f, const char *path)
{
    return hd_fault_set(f, "internal", path, "the model has no such node: its rows are wrong");
}

static struct hd_bound *bind_node(struct hd_schema *s, const char *path)
{
    const struct lysc_node *node = lys_find_path(s->ctx, NULL, path, 0);
    struct hd_bound *b = &s->bound[s->bound_count];

    if (!node)
        return NULL;
    s->bound_count++;
    ((struct lysc_node *)(uintptr_t)node)->priv = b;
    return b;
}

/* The columns of a list or of the head, which `as` says, below that path. */
static int bind_columns(struct hd_schema *s, struct hd_bound as, const char *below,
                        const struct hd_list *rows, struct hd_fault *f)
{
    for (size_t i = 0; i < rows->column_count; i++) {
        const struct hd_column *c = &rows->columns[i];
        char path[HD_CONFIG_PATH];
        if (c->name[0] == '/' || (c->flags & HD_COL_GIVEN))
            continue; /* found from below, or not in the tree: image.c */
        snprintf(path, sizeof path, "%s/%s", below, c->name);
        struct hd_bound *b = bind_node(s, path);
        if (!b)
            return no_node(f, path);
        *b = as;
        b->kind = HD_BOUND_LEAF;
        b->column = c;
        b->read = hd_read_way(lys_find_path(s->ctx, NULL, path, 0), c);
        if (b->read == HD_READ_NONE)
            return hd_fault_set(f, "internal", path, "no way from this type to its column");
    }
    return 0;
}

static int bind_config(struct hd_schema *s, uint8_t index, const struct hd_config *c,
                       struct hd_fault *f)
{
    struct hd_bound *b = bind_node(s, c->root);
    int error = 0;

    if (!b)
        return no_node(f, c->root);
    *b = (struct hd_bound){.config = index, .kind = HD_BOUND_ROOT, .list = -1, .of = c};
    error = bind_columns(s, *b, c->root, c->head, f);
    for (uint32_t i = 0; i < c->list_count && error == 0; i++) {
        b = bind_node(s, c->lists[i].path);
        if (!b)
            return no_node(f, c->lists[i].path);
        *b = (struct hd_bound){.config = index, .kind = HD_BOUND_LIST, .list = (int16_t)i, .of = c};
        error = bind_columns(s, *b, c->lists[i].path, c->lists[i].rows, f);
    }
    return error;
}

static size_t bounds_needed(void)
{
    size_t n = 1; /* never none: calloc may answer NULL to that */

    for (size_t i = 0; hd_config_at(i); i++) {
        const struct hd_config *c = hd_config_at(i);
        n += 1u + c->head->column_count;
        for (uint32_t k = 0; k < c->list_count; k++)
            n += 1u + c->lists[k].rows->column_count;
    }
    return n;
}

int hd_schema_open(struct hd_schema *s, const char *search, struct hd_fault *f)
{
    int error = 0;

    memset(s, 0, sizeof *s);
    ly_log_options(LY_LOSTORE_LAST);
    if (ly_ctx_new(NULL,
                   LY_CTX_DISABLE_SEARCHDIR_CWD | LY_CTX_NO_YANGLIBRARY | LY_CTX_PREFER_SEARCHDIRS,
                   &s->ctx) != LY_SUCCESS)
        return hd_fault_set(f, "no-memory", NULL, "no memory for the models");
    ly_ctx_set_module_imp_clb(s->ctx, on_import, NULL);
    add_folders(s->ctx, search ? search : SEARCH_DEFAULT);
    s->bound = calloc(bounds_needed(), sizeof *s->bound);
    if (!s->bound)
        return hd_fault_set(f, "no-memory", NULL, "no memory for the models");
    load_all(s); /* all of them first: each one may make the nodes of others anew */
    for (uint8_t i = 0; hd_config_at(i) && error == 0; i++) {
        if (s->loaded[i])
            error = bind_config(s, i, hd_config_at(i), f);
    }
    ly_err_clean(s->ctx, NULL);
    return error;
}

void hd_schema_close(struct hd_schema *s)
{
    ly_ctx_destroy(s->ctx);
    free(s->bound);
    memset(s, 0, sizeof *s);
}

/* --- looking around ------------------------------------------------------------------------------
 */

static const struct lysc_node *top_next(const struct hd_schema *s, const struct lysc_node *last)
{
    const struct lys_module *m = NULL;
    const struct lysc_node *n = NULL;
    uint32_t at = 0;
    bool found = last == NULL;

    while ((m = ly_ctx_get_module_iter(s->ctx, &at)) != NULL) {
        if (!m->implemented)
            continue;
        n = NULL;
        if (!found && last->module != m)
            continue;
        if (!found) {
            n = last;
            found = true;
        }
        n = lys_getnext(n, NULL, m->compiled, 0);
        if (n)
            return n;
    }
    return NULL;
}

const struct lysc_node *hd_schema_next(const struct hd_schema *s, const struct lysc_node *parent,
                                       const struct lysc_node *last)
{
    const struct lysc_node *n = last;

    do {
        n = parent ? lys_getnext(n, parent, NULL, 0) : top_next(s, n);
    } while (n && (n->nodetype & (LYS_RPC | LYS_ACTION | LYS_NOTIF)));
    return n;
}

const struct lysc_node *hd_schema_child(const struct hd_schema *s, const struct lysc_node *parent,
                                        const char *name, size_t len)
{
    const char *colon = memchr(name, ':', len);
    size_t module_len = colon ? (size_t)(colon - name) : 0;
    const char *bare = colon ? colon + 1 : name;
    size_t bare_len = colon ? len - module_len - 1 : len;

    for (const struct lysc_node *n = NULL; (n = hd_schema_next(s, parent, n)) != NULL;) {
        if (strlen(n->name) != bare_len || memcmp(n->name, bare, bare_len) != 0)
            continue;
        if (!colon || (strlen(n->module->name) == module_len &&
                       memcmp(n->module->name, name, module_len) == 0))
            return n;
    }
    return NULL;
}

static bool is_note(const struct lysc_node *n)
{
    static const char *const notes[] = {
        "/ietf-interfaces:interfaces/interface/description",
        "/ietf-interfaces:interfaces/interface/type",
        "/ietf-routing:routing/control-plane-protocols/control-plane-protocol/description",
        "/ietf-key-chain:key-chains/key-chain/description",
    };
    char path[HD_CONFIG_PATH];

    if (strcmp(n->name, "description") != 0 && strcmp(n->name, "type") != 0)
        return false;
    lysc_path(n, LYSC_PATH_DATA, path, sizeof path);
    for (size_t i = 0; i < HD_ARRAY_LEN(notes); i++) {
        if (strcmp(notes[i], path) == 0)
            return true;
    }
    return false;
}

const struct lysc_type *hd_schema_type(const struct lysc_node *node)
{
    if (node->nodetype == LYS_LEAF)
        return ((const struct lysc_node_leaf *)node)->type;
    return node->nodetype == LYS_LEAFLIST ? ((const struct lysc_node_leaflist *)node)->type : NULL;
}

bool hd_schema_taken(const struct lysc_node *node)
{
    if (!(node->nodetype & (LYS_LEAF | LYS_LEAFLIST)))
        return true;
    return node->priv || lysc_is_key(node) || is_note(node);
}

bool hd_schema_writable(const struct lysc_node *node)
{
    return (node->flags & LYS_CONFIG_W) && hd_schema_taken(node);
}

/* --- identities ----------------------------------------------------------------------------------
 *
 * RFC 7951 names the module of an identity wherever it is not the leaf's own; people need not.
 */

static const struct lysc_ident *find_identity(struct lysc_ident *const *derived, const char *name)
{
    const struct lysc_ident *found = NULL;
    LY_ARRAY_COUNT_TYPE i;

    LY_ARRAY_FOR(derived, i)
    {
        if (strcmp(derived[i]->name, name) == 0)
            return derived[i];
        found = found ? found : find_identity(derived[i]->derived, name);
    }
    return found;
}

static const struct lysc_ident *identity_named(const struct lysc_node *node, const char *name)
{
    const struct lysc_type *t = hd_schema_type(node);
    const struct lysc_type_identityref *r = (const struct lysc_type_identityref *)t;
    const struct lysc_ident *found = NULL;
    LY_ARRAY_COUNT_TYPE i;

    if (!t || t->basetype != LY_TYPE_IDENT)
        return NULL;
    LY_ARRAY_FOR(r->bases, i)
    {
        found = found ? found : find_identity(r->bases[i]->derived, name);
    }
    return found;
}

const char *hd_schema_value_long(const struct lysc_node *node, const char *value, char *buf,
                                 size_t size)
{
    const struct lysc_ident *i = strchr(value, ':') ? NULL : identity_named(node, value);

    if (!i)
        return value;
    snprintf(buf, size, "%s:%s", i->module->name, i->name);
    return buf;
}

const char *hd_schema_value_short(const struct lysc_node *node, const char *value)
{
    const char *colon = strchr(value, ':');
    const struct lysc_ident *i = colon ? identity_named(node, colon + 1) : NULL;
    size_t len = colon ? (size_t)(colon - value) : 0;

    /* Only where the name alone is read as the same one. */
    return i && strlen(i->module->name) == len && memcmp(i->module->name, value, len) == 0
               ? colon + 1
               : value;
}

/* --- what a value looks like ---------------------------------------------------------------------
 */

static size_t put(char *buf, size_t size, size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static size_t put(char *buf, size_t size, size_t at, const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(buf + at, size - at, format, ap);
    va_end(ap);
    return HD_MIN(at + (size_t)HD_MAX(n, 0), size - 1);
}

static bool is_signed(LY_DATA_TYPE t)
{
    return t == LY_TYPE_INT8 || t == LY_TYPE_INT16 || t == LY_TYPE_INT32 || t == LY_TYPE_INT64;
}

static void put_number(const struct lysc_type *t, char *buf, size_t size)
{
    const struct lysc_range *r = ((const struct lysc_type_num *)t)->range;
    size_t at = put(buf, size, 0, "a whole number");
    LY_ARRAY_COUNT_TYPE i;

    if (!r)
        return;
    LY_ARRAY_FOR(r->parts, i)
    {
        const char *between = i == 0 ? " from " : " or from ";
        if (is_signed(t->basetype))
            at = put(buf, size, at, "%s%lld to %lld", between, (long long)r->parts[i].min_64,
                     (long long)r->parts[i].max_64);
        else
            at = put(buf, size, at, "%s%llu to %llu", between,
                     (unsigned long long)r->parts[i].min_u64,
                     (unsigned long long)r->parts[i].max_u64);
    }
}

static void put_enum(const struct lysc_type *t, char *buf, size_t size)
{
    const struct lysc_type_enum *e = (const struct lysc_type_enum *)t;
    size_t at = put(buf, size, 0, "one of");
    LY_ARRAY_COUNT_TYPE i;

    LY_ARRAY_FOR(e->enums, i)
    {
        at = put(buf, size, at, "%s %s", i > 0 ? "," : "", e->enums[i].name);
    }
}

static void put_text(const struct lysc_type *t, char *buf, size_t size)
{
    const struct lysc_type_str *s = (const struct lysc_type_str *)t;
    size_t at = put(buf, size, 0, "a text");
    LY_ARRAY_COUNT_TYPE i;

    if (s->length && LY_ARRAY_COUNT(s->length->parts) > 0)
        at = put(buf, size, at, " of %llu to %llu characters",
                 (unsigned long long)s->length->parts[0].min_u64,
                 (unsigned long long)s->length->parts[0].max_u64);
    LY_ARRAY_FOR(s->patterns, i)
    {
        at = put(buf, size, at, "%s the pattern %s", i == 0 ? " of" : " and", s->patterns[i]->expr);
    }
}

static size_t put_identities(struct lysc_ident *const *derived, char *buf, size_t size, size_t at)
{
    LY_ARRAY_COUNT_TYPE i;

    LY_ARRAY_FOR(derived, i)
    {
        at = put(buf, size, at, "%s %s", at > 6 ? "," : "", derived[i]->name);
        at = put_identities(derived[i]->derived, buf, size, at);
    }
    return at;
}

static void put_identity(const struct lysc_type *t, char *buf, size_t size)
{
    const struct lysc_type_identityref *r = (const struct lysc_type_identityref *)t;
    size_t at = put(buf, size, 0, "one of");

    if (r->bases && LY_ARRAY_COUNT(r->bases) > 0)
        (void)put_identities(r->bases[0]->derived, buf, size, at);
}

void hd_schema_expected(const struct lysc_node *node, char *buf, size_t size)
{
    const struct lysc_type *t = hd_schema_type(node);

    buf[0] = '\0';
    if (!t)
        return;
    if (t->basetype == LY_TYPE_BOOL)
        put(buf, size, 0, "true or false");
    else if (t->basetype == LY_TYPE_ENUM)
        put_enum(t, buf, size);
    else if (t->basetype == LY_TYPE_IDENT)
        put_identity(t, buf, size);
    else if (t->basetype == LY_TYPE_LEAFREF)
        put(buf, size, 0, "the name of something that is configured: set that, too");
    else if (t->basetype == LY_TYPE_STRING)
        put_text(t, buf, size);
    else if (t->basetype >= LY_TYPE_UINT8 && t->basetype <= LY_TYPE_UINT64)
        put_number(t, buf, size);
    else if (is_signed(t->basetype))
        put_number(t, buf, size);
    else
        put(buf, size, 0, "a value of the type in the model");
}

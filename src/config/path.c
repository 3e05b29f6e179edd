/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flat paths, the form in which people name a node of the tree: the resource paths of RFC 8040
 * (RESTCONF), section 3.5.3, without the names of modules where they are clear:
 *
 *     /sample/object=5/weight           a leaf in a list entry
 *     /kira/interface=eth%2A            a value of a leaf-list
 *
 * Values of keys stand behind '=' with commas between; what is special in a path or a shell is
 * percent-encoded. Such a path is one word of a command line without any quoting. The first '/' may
 * be left out.
 */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

/* --- reading -------------------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-encoding out; false: not well formed, a NUL, or longer than size. */
static bool decode(const char *text, size_t len, char *buf, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (n + 1 >= size)
            return false;
        if (c == '%') {
            if (len - i < 3)
                return false;
            int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        buf[n++] = c;
    }
    buf[n] = '\0';
    return true;
}

struct reader {
    const struct hd_schema *s;
    struct hd_config_path *p;
    struct hd_fault *f;
    const char *text; /* for messages */
    size_t len;
    size_t used; /* of p->yang */
};

/* The message is the word in question, quoted, and what about it. */
static int refuse(struct reader *r, const char *word, size_t len, const char *about)
{
    char path[HD_CONFIG_PATH];

    snprintf(path, sizeof path, "%.*s", (int)HD_MIN(r->len, sizeof path - 1), r->text);
    return hd_fault_set(r->f, "path", path, "\"%.*s\" %s", (int)HD_MIN(len, (size_t)200), word,
                        about);
}

static bool append(struct reader *r, const char *text, size_t len)
{
    if (r->used + len + 1 > sizeof r->p->yang)
        return false;
    memcpy(r->p->yang + r->used, text, len);
    r->used += len;
    r->p->yang[r->used] = '\0';
    return true;
}

static bool append_words(struct reader *r, const char *a, const char *b, const char *c)
{
    return append(r, a, strlen(a)) && append(r, b, strlen(b)) && append(r, c, strlen(c));
}

/* [name='value'], or [.='value'] for a value of a leaf-list. */
static int add_predicate(struct reader *r, const struct lysc_node *leaf, const char *text,
                         size_t len)
{
    char given[HD_CONFIG_PATH], whole[HD_CONFIG_PATH];
    const char *name = leaf->nodetype == LYS_LEAFLIST ? "." : leaf->name, *value;
    bool single, twice;

    if (!decode(text, len, given, sizeof given))
        return refuse(r, text, len, "is not a value in percent-encoding");
    value = hd_schema_value_long(leaf, given, whole, sizeof whole);
    single = strchr(value, '\'') != NULL;
    twice = strchr(value, '"') != NULL;
    if (single && twice)
        return refuse(r, text, len, "holds both kinds of quotes, which no path can");
    if (!append_words(r, "[", name, single ? "=\"" : "='") ||
        !append_words(r, value, single ? "\"" : "'", "]"))
        return refuse(r, text, len, "is where the path is too long");
    return 0;
}

static int add_keys(struct reader *r, const char *text, size_t len)
{
    const char *end = text + len;

    for (const struct lysc_node *k = lysc_node_child(r->p->node); k && lysc_is_key(k);
         k = k->next) {
        const char *comma = text ? memchr(text, ',', (size_t)(end - text)) : NULL;
        size_t n = comma ? (size_t)(comma - text) : text ? (size_t)(end - text) : 0;
        if (!text)
            return refuse(r, k->name, strlen(k->name), "is a key that is missing");
        int error = add_predicate(r, k, text, n);
        if (error != 0)
            return error;
        text = comma ? comma + 1 : NULL;
    }
    return text ? refuse(r, text, (size_t)(end - text), "is a key too many") : 0;
}

static void list_children(const struct reader *r, const struct lysc_node *parent, char *buf,
                          size_t size)
{
    size_t at = 0;

    buf[0] = '\0';
    for (const struct lysc_node *n = NULL; (n = hd_schema_next(r->s, parent, n)) != NULL;) {
        int k = hd_schema_writable(n) && at < size
                    ? snprintf(buf + at, size - at, "%s%s", at > 0 ? ", " : "", n->name)
                    : 0;
        at += (size_t)HD_MAX(k, 0);
    }
}

static int unknown(struct reader *r, const struct lysc_node *parent, const char *name, size_t len)
{
    char names[400], path[HD_CONFIG_PATH];

    list_children(r, parent, names, sizeof names);
    snprintf(path, sizeof path, "%.*s", (int)HD_MIN(r->len, sizeof path - 1), r->text);
    return hd_fault_set(r->f, "path", path, "there is no \"%.*s\" %s%s%s; expected: %s",
                        (int)HD_MIN(len, (size_t)100), name, parent ? "in \"" : "here",
                        parent ? parent->name : "", parent ? "\"" : "",
                        names[0] ? names : "nothing more");
}

/* One step: "name" or "name=keys". */
static int add_step(struct reader *r, const char *text, size_t len, bool last)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    const struct lysc_node *parent = r->p->node;
    const struct lysc_node *n = hd_schema_child(r->s, parent, text, name_len);
    bool keyed;

    if (!n || !hd_schema_writable(n))
        return unknown(r, parent, text, name_len);
    r->p->node = n;
    if (!append_words(r, "/", n->module->name, ":") || !append(r, n->name, strlen(n->name)))
        return refuse(r, text, len, "is where the path is too long");
    keyed = n->nodetype & (LYS_LIST | LYS_LEAFLIST);
    r->p->keys = keyed && equals;
    if (equals && !keyed)
        return refuse(r, text, name_len, "takes no key");
    if (keyed && !equals && !last)
        return refuse(r, text, name_len, "needs a key: which one? Write it as NAME=KEY");
    if (keyed && !equals)
        r->p->whole = false;
    if (!equals)
        return 0;
    if (n->nodetype == LYS_LEAFLIST)
        return add_predicate(r, n, equals + 1, len - name_len - 1);
    return add_keys(r, equals + 1, len - name_len - 1);
}

int hd_config_path_read(const struct hd_schema *s, const char *text, size_t len,
                        struct hd_config_path *p, struct hd_fault *f)
{
    struct reader r = {.s = s, .p = p, .f = f, .text = text, .len = len};
    const char *end = text + len;

    memset(p, 0, sizeof *p);
    p->whole = true;
    if (text < end && *text == '/')
        text++;
    if (text == end)
        return refuse(&r, "", 0, "is no path");
    while (text <= end) {
        const char *slash = memchr(text, '/', (size_t)(end - text));
        size_t n = (size_t)((slash ? slash : end) - text);
        int error = add_step(&r, text, n, !slash);
        if (error != 0)
            return error;
        if (!slash)
            break;
        text = slash + 1;
    }
    return 0;
}

/* --- writing -------------------------------------------------------------------------------------
 */

static bool plain_in_path(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-._:@+", c) != NULL;
}

struct writer {
    char *buf;
    size_t at, size;
};

static void put_char(struct writer *w, char c)
{
    if (w->at < w->size)
        w->buf[w->at] = c;
    w->at++;
}

static void put_text(struct writer *w, const char *text)
{
    while (*text)
        put_char(w, *text++);
}

static void put_encoded(struct writer *w, const char *value)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *value; value++) {
        if (plain_in_path(*value)) {
            put_char(w, *value);
            continue;
        }
        put_char(w, '%');
        put_char(w, digits[(unsigned char)*value >> 4]);
        put_char(w, digits[*value & 15]);
    }
}

/* A name alone says which node is meant, unless another one of that name comes before it. */
static void put_name(const struct hd_schema *s, const struct lysc_node *node, struct writer *w)
{
    const char *name = node->name;

    if (hd_schema_child(s, lysc_data_parent(node), name, strlen(name)) != node) {
        put_text(w, node->module->name);
        put_char(w, ':');
    }
    put_text(w, name);
}

static void put_node(const struct hd_schema *s, const struct lyd_node *node, struct writer *w)
{
    if (node->parent)
        put_node(s, &node->parent->node, w);
    put_char(w, '/');
    put_name(s, node->schema, w);
    if (node->schema->nodetype == LYS_LEAFLIST) {
        put_char(w, '=');
        put_encoded(w, hd_schema_value_short(node->schema, lyd_get_value(node)));
    }
    if (node->schema->nodetype != LYS_LIST)
        return;
    char between = '=';
    for (const struct lyd_node *k = lyd_child(node); k && lysc_is_key(k->schema); k = k->next) {
        put_char(w, between);
        put_encoded(w, hd_schema_value_short(k->schema, lyd_get_value(k)));
        between = ',';
    }
}

bool hd_config_path_write(const struct hd_schema *s, const struct lyd_node *node, char *buf,
                          size_t size)
{
    struct writer w = {.buf = buf, .size = size - 1};

    put_node(s, node, &w);
    buf[HD_MIN(w.at, size - 1)] = '\0';
    return w.at < size;
}

/* --- words ---------------------------------------------------------------------------------------
 */

static bool plain_word(const char *value)
{
    if (!*value || *value == '"' || *value == '#')
        return false;
    for (; *value; value++) {
        if ((unsigned char)*value <= 0x20 || *value == 0x7f || *value == '\\')
            return false;
    }
    return true;
}

void hd_config_word_write(const char *value, struct hd_text *t)
{
    if (plain_word(value)) {
        hd_text_printf(t, "%s", value);
        return;
    }
    hd_text_printf(t, "\"");
    for (; *value; value++) {
        if (*value == '\n')
            hd_text_printf(t, "\\n");
        else if (*value == '\r')
            hd_text_printf(t, "\\r");
        else
            hd_text_printf(t, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
    }
    hd_text_printf(t, "\"");
}

bool hd_config_word_read(char *word)
{
    char *out = word, *in = word + 1;

    if (*word != '"')
        return true;
    for (; *in && *in != '"'; in++) {
        char c = *in;
        if (c == '\\') {
            c = *++in;
            if (c == 'n')
                c = '\n';
            else if (c == 'r')
                c = '\r';
            else if (c != '"' && c != '\\')
                return false;
        }
        *out++ = c;
    }
    if (in[0] != '"' || in[1] != '\0')
        return false;
    *out = '\0';
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revisions and trees. A revision is JSON, or the lines of one edit on top of an earlier revision:
 * in a large configuration the one costs what the whole costs, the other what the edit costs. Lines
 * on lines are followed down to JSON when they are read; they may not become many, and when nobody
 * asks for a moment, the revision in force is made JSON (decision 0028).
 */
#include <stdlib.h>
#include <string.h>

#include "config/session.h"
#include "lib/base.h"

#define CHAIN_MAX   16    /* revisions of lines, one on top of the other */
#define LINES_BYTES 65536 /* of one */

static int damaged(struct hd_fault *f, uint32_t number)
{
    return hd_fault_set(f, "damaged", NULL,
                        "revision %u of the configuration is damaged or stands on one that is "
                        "gone; `heddle config rollback` goes to one that is whole",
                        number);
}

/* --- reading -------------------------------------------------------------------------------------
 */

/* A revision down to one that is JSON: the texts of those that are lines. */
struct chain {
    char *text[CHAIN_MAX];
    const char *lines[CHAIN_MAX];
    size_t count;
    struct hd_revision json;
};

static void free_chain(struct chain *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->text[i]);
}

static int read_chain(int dir, struct hd_revision r, struct chain *c, struct hd_fault *f)
{
    uint32_t base;

    while (r.lines) {
        char **text = &c->text[c->count];
        if (c->count == CHAIN_MAX)
            return damaged(f, r.number);
        int error = hd_store_revision_read(dir, &r, text);
        if (error != 0)
            return error == HD_ENOENT ? damaged(f, r.number)
                                      : hd_session_file(f, error, "revision");
        if (hd_store_lines_open(*text, &base, &c->lines[c->count++]) != 0 || base >= r.number ||
            hd_store_revision_find(dir, base, &r) != 0)
            return damaged(f, r.number);
    }
    c->json = r;
    return 0;
}

int hd_revision_read(struct hd_session *s, const struct hd_revision *r, struct lyd_node **tree,
                     struct hd_fault *f)
{
    struct chain c = {.count = 0};
    char *json = NULL;
    int error = read_chain(s->dir, *r, &c, f);

    *tree = NULL;
    if (error == 0 && hd_store_revision_read(s->dir, &c.json, &json) != 0)
        error = hd_session_file(f, HD_ESYS, "revision");
    if (error == 0)
        error = hd_tree_read(&s->schema, json, tree, f);
    for (size_t i = c.count; error == 0 && i-- > 0;)
        error = hd_tree_lines(&s->schema, tree, c.lines[i], f);
    if (error != 0) {
        lyd_free_all(*tree);
        *tree = NULL;
    }
    free_chain(&c);
    free(json);
    return error;
}

/* --- adding --------------------------------------------------------------------------------------
 */

/* Whether one more edit may stand on this revision. */
static bool may_stand_on(const struct hd_session *s, struct hd_revision r)
{
    struct chain c = {.count = 0};
    struct hd_fault ignored;
    bool may = read_chain(s->dir, r, &c, &ignored) == 0 && c.count < CHAIN_MAX &&
               hd_store_revision_size(s->dir, &c.json) >= s->whole_below;

    free_chain(&c);
    return may;
}

int hd_revision_add(struct hd_session *s, const struct lyd_node *tree, const char *lines,
                    const char *how, struct hd_revision *made, struct hd_fault *f)
{
    struct hd_revision on;
    char *json;
    int error;

    if (lines && strlen(lines) <= LINES_BYTES && hd_store_running(s->dir, &on) == 0 &&
        may_stand_on(s, on)) {
        error = hd_store_revision_add(s->dir, how, on.number, lines, made);
        return error == 0 ? 0 : hd_session_file(f, error, "revision");
    }
    json = hd_tree_print(tree);
    if (!json)
        return hd_fault_set(f, "no-memory", NULL, "no memory");
    error = hd_store_revision_add(s->dir, how, 0, json, made);
    free(json);
    return error == 0 ? 0 : hd_session_file(f, error, "revision");
}

/* --- settling ------------------------------------------------------------------------------------
 */

bool hd_revision_settled(const struct hd_session *s)
{
    struct hd_revision r;

    return !s->running_known || hd_store_running(s->dir, &r) != 0 || !r.lines;
}

int hd_revision_settle(struct hd_session *s)
{
    struct hd_revision link, r;
    char *json;
    int error;

    if (hd_revision_settled(s) || hd_store_running(s->dir, &link) != 0 ||
        hd_store_revision_find(s->dir, link.number, &r) != 0)
        return 0;
    json = hd_tree_print(s->running);
    error = json ? hd_store_revision_settle(s->dir, &r, json) : HD_ENOMEM;
    free(json);
    return error;
}

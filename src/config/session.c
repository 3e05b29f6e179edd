/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees and their files. Both trees are read when somebody first asks for them. The candidate is
 * durable with every edit: a line is added to its file, so that an edit of a large configuration
 * costs a line and not the whole.
 */
#include "config/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

#define CANDIDATE   "candidate"
#define LINES_BEGIN "lines\n" /* on top of what runs */
#define JSON_BEGIN  "json\n"  /* instead of it */

#define WHOLE_BELOW 262144 /* bytes that libyang prints in some milliseconds */

int hd_session_open(struct hd_session *s, int dir, int channel, const char *search,
                    struct hd_fault *f)
{
    memset(s, 0, sizeof *s);
    s->dir = dir;
    s->channel = channel;
    s->whole_below = WHOLE_BELOW;
    s->buffer = malloc(HD_CHANNEL_MAX);
    if (!s->buffer)
        return hd_fault_set(f, "no-memory", NULL, "no memory");
    int error = hd_schema_open(&s->schema, search, f);
    s->seal.dir = dir;
    s->schema.seal = &s->seal;
    return error;
}

void hd_session_close(struct hd_session *s)
{
    lyd_free_all(s->running);
    lyd_free_all(s->candidate);
    lyd_free_all(s->spare);
    hd_touched_free(&s->touched);
    hd_image_free(&s->image);
    hd_text_free(&s->load);
    free(s->buffer);
    hd_schema_close(&s->schema);
    hd_seal_wipe(&s->seal, sizeof s->seal);
}

int hd_session_file(struct hd_fault *f, int error, const char *name)
{
    return hd_fault_set(f, hd_error_name(error), NULL, "the file \"%s\" of the configuration: %m",
                        name);
}

int hd_session_running(struct hd_session *s, struct hd_fault *f)
{
    struct hd_revision r;
    int error;

    if (s->running_known)
        return 0;
    error = hd_store_running(s->dir, &r);
    if (error != 0 && error != HD_ENOENT)
        return hd_session_file(f, error, "running");
    error = error == 0 ? hd_revision_read(s, &r, &s->running, f) : 0;
    if (error == 0)
        error = hd_tree_check(&s->schema, &s->running, f);
    s->running_known = error == 0;
    if (error != 0) {
        lyd_free_all(s->running);
        s->running = NULL;
    }
    return error;
}

static int copy_running(struct hd_session *s, struct hd_fault *f)
{
    int error = hd_session_running(s, f);

    if (error != 0 || !s->running)
        return error;
    if (s->spare) {
        s->candidate = s->spare;
        s->spare = NULL;
        return 0;
    }
    if (lyd_dup_siblings(s->running, NULL, LYD_DUP_RECURSIVE | LYD_DUP_WITH_FLAGS, &s->candidate) !=
        LY_SUCCESS)
        return hd_fault_set(f, "no-memory", NULL, "no memory to edit a copy");
    return 0;
}

void hd_session_forget_candidate(struct hd_session *s)
{
    lyd_free_all(s->candidate);
    hd_touched_free(&s->touched);
    s->candidate = NULL;
    s->editing = false;
}

/*
 * What the check of the whole completed in the new tree, it completes in the spare one when that is
 * checked; lines of which it took something away are none (hd_session_lines).
 */
static void keep_spare(struct hd_session *s, struct lyd_node *old, const char *lines)
{
    struct hd_fault ignored;

    lyd_free_all(s->spare);
    s->spare = NULL;
    if (lines && old && hd_tree_lines(&s->schema, &old, lines, &ignored) == 0)
        s->spare = old;
    else
        lyd_free_all(old);
}

void hd_session_take(struct hd_session *s, struct lyd_node **tree, struct hd_image *is,
                     const char *lines)
{
    struct lyd_node *old = s->running;

    hd_image_free(&s->image);
    s->running = *tree;
    s->image = *is;
    *tree = NULL;
    memset(is, 0, sizeof *is);
    hd_session_forget_candidate(s);
    s->running_known = s->image_known = true;
    keep_spare(s, old, lines);
}

void hd_session_forget(struct hd_session *s)
{
    lyd_free_all(s->running);
    lyd_free_all(s->spare);
    hd_image_free(&s->image);
    hd_session_forget_candidate(s);
    s->running = s->spare = NULL;
    s->running_known = s->image_known = false;
}

/* Lines of a candidate whose base has changed may not fit any more: then they say so. */
static int read_candidate(struct hd_session *s, const char *text, struct hd_fault *f)
{
    int error;

    if (strncmp(text, JSON_BEGIN, strlen(JSON_BEGIN)) == 0) {
        const char *json = text + strlen(JSON_BEGIN), *lines = strchr(json, '\f');
        s->touched.all = true;
        char *only = strndup(json, lines ? (size_t)(lines - json) : strlen(json));
        error = only ? hd_tree_read(&s->schema, only, &s->candidate, f)
                     : hd_fault_set(f, "no-memory", NULL, "no memory");
        free(only);
        return error == 0 && lines ? hd_tree_lines(&s->schema, &s->candidate, lines + 1, f) : error;
    }
    if (strncmp(text, LINES_BEGIN, strlen(LINES_BEGIN)) != 0)
        return hd_fault_set(
            f, "invalid", NULL,
            "the file of the candidate is damaged; `heddle config discard` ends it");
    error = copy_running(s, f);
    return error == 0
               ? hd_tree_edit(&s->schema, &s->candidate, text + strlen(LINES_BEGIN), &s->touched, f)
               : error;
}

/* A last line without its end was cut off by a crash, and nobody was told that it is kept. */
static int cut_torn_line(struct hd_session *s, char *text)
{
    size_t len = strlen(text), whole = len;

    while (whole > 0 && text[whole - 1] != '\n' && text[whole - 1] != '\f')
        whole--;
    text[whole] = '\0';
    if (whole == len)
        return 0;
    return whole > 0 ? hd_store_write(s->dir, CANDIDATE, text, whole)
                     : hd_store_remove(s->dir, CANDIDATE);
}

int hd_session_candidate(struct hd_session *s, struct hd_fault *f)
{
    char *text = NULL;
    int error;

    if (s->editing)
        return 0;
    error = hd_store_read(s->dir, CANDIDATE, &text);
    if (error == 0)
        error = cut_torn_line(s, text);
    if (error == 0 && *text == '\0')
        error = HD_ENOENT;
    if (error == 0)
        error = read_candidate(s, text, f);
    else if (error == HD_ENOENT)
        error = copy_running(s, f);
    else
        error = hd_session_file(f, error, CANDIDATE);
    free(text);
    if (error != 0)
        hd_session_forget_candidate(s);
    else
        s->editing = true;
    return error;
}

int hd_session_replace(struct hd_session *s, struct lyd_node *tree, struct hd_fault *f)
{
    if (hd_seal_tree(&s->schema, tree, f) != 0) {
        lyd_free_all(tree);
        return HD_EINVAL;
    }
    char *json = hd_tree_print(tree), *text = NULL;
    int n = json ? asprintf(&text, "%s%s\f", JSON_BEGIN, json) : -1;
    int error = n < 0 ? HD_ENOMEM : hd_store_write(s->dir, CANDIDATE, text, (size_t)n);

    free(json);
    free(text);
    if (error != 0) {
        lyd_free_all(tree);
        return hd_session_file(f, error, CANDIDATE);
    }
    hd_session_forget_candidate(s);
    s->candidate = tree;
    s->editing = s->touched.all = true;
    return 0;
}

int hd_session_discard(struct hd_session *s, struct hd_fault *f)
{
    int error = hd_store_remove(s->dir, CANDIDATE);

    hd_session_forget_candidate(s);
    return error == 0 ? 0 : hd_session_file(f, error, CANDIDATE);
}

/*
 * Who edits is going to apply. The first touch of the memory of a large image costs ten times what
 * is done in it, on some machines: one is made and given back with the first edit.
 */
static void warm_up(struct hd_session *s)
{
    struct hd_touched nothing = {.count = 0};
    struct hd_image i;

    if (hd_image_edit(&s->schema, s->running, &s->image, s->running, &nothing, &i) == 0)
        hd_image_free(&i);
}

static int run_line(struct hd_session *s, const char *line, struct hd_fault *f)
{
    char *text = NULL, *old = NULL;
    int error = hd_session_candidate(s, f);

    if (error == 0)
        error = hd_session_image(s, f);
    if (error == 0 && s->touched.count == 0 && !s->touched.all)
        warm_up(s);
    if (error == 0)
        error = hd_tree_edit(&s->schema, &s->candidate, line, &s->touched, f);
    f->line = 0;
    if (error != 0)
        return error;
    bool first = hd_store_read(s->dir, CANDIDATE, &old) == HD_ENOENT;
    free(old);
    if (asprintf(&text, "%s%s\n", first ? LINES_BEGIN : "", line) < 0)
        error = HD_ENOMEM;
    else
        error = hd_store_append(s->dir, CANDIDATE, text);
    free(text);
    if (error == 0)
        return 0;
    hd_session_forget_candidate(s); /* what is not in the file is not there */
    return hd_session_file(f, error, CANDIDATE);
}

/* A line that fails has changed nothing: it is one step in the tree. */
int hd_session_line(struct hd_session *s, const char *line, struct hd_fault *f)
{
    char *sealed = NULL;
    int error = 0;

    if (strpbrk(line, "\n\f"))
        error = hd_fault_set(f, "line", NULL, "one line at a time");
    if (error == 0)
        error = hd_tree_seal_line(&s->schema, line, &sealed, f);
    if (error == 0)
        error = run_line(s, sealed ? sealed : line, f);
    free(sealed);
    return error;
}

int hd_session_check(struct hd_session *s, struct lyd_node **tree, struct hd_fault *f)
{
    return tree == &s->candidate ? hd_tree_recheck(&s->schema, tree, &s->touched, f)
                                 : hd_tree_check(&s->schema, tree, f);
}

int hd_session_make(struct hd_session *s, struct lyd_node *const *tree, struct hd_image *i,
                    struct hd_fault *f)
{
    if (tree == &s->candidate && s->image_known &&
        hd_image_edit(&s->schema, s->running, &s->image, *tree, &s->touched, i) == 0)
        return 0;
    return hd_image_make(&s->schema, *tree, i, f);
}

int hd_session_image(struct hd_session *s, struct hd_fault *f)
{
    int error = hd_session_running(s, f);

    if (error == 0 && !s->image_known) {
        error = hd_image_make(&s->schema, s->running, &s->image, f);
        s->image_known = error == 0;
    }
    return error;
}

char *hd_session_lines(struct hd_session *s)
{
    size_t begin = strlen(LINES_BEGIN);
    char *text = NULL;

    if (s->touched.all || s->touched.pruned || hd_store_read(s->dir, CANDIDATE, &text) != 0)
        return NULL;
    if (strncmp(text, LINES_BEGIN, begin) != 0) {
        free(text);
        return NULL;
    }
    memmove(text, text + begin, strlen(text + begin) + 1);
    return text;
}

bool hd_session_rest(struct hd_session *s)
{
    return !hd_revision_settled(s) && hd_revision_settle(s) == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of people (doc/control-socket.md, "config"): one JSON object in, pages of JSON out. A
 * row of what is listed is an object; an error has a code, a sentence, and where it can the path
 * and the line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/session.h"
#include "lib/base.h"
#include "lib/json.h"

#define PAGE_BYTES  40000 /* a page ends soon after */
#define SAY_WAIT_MS 10000
#define LOAD_MAX    ((size_t)128 << 20)
#define CONFIRM_MAX 86400
#define COMPLETIONS 200

struct call {
    struct hd_session *s;
    json_t *args;
    struct hd_fault f;
    struct hd_json page;
    bool open; /* the page has begun */
    bool lost; /* nobody hears us */
};

/* --- saying --------------------------------------------------------------------------------------
 */

static void say(struct call *c, uint32_t flags)
{
    struct hd_msg_config_say m = {.request = c->s->request, .flags = flags};
    struct hd_json *j = &c->page;

    if (flags & HD_CONFIG_SAY_LAST) {
        m.flags |= c->s->restart ? HD_CONFIG_SAY_RESTART : 0;
        m.flags |= c->s->confirm_news ? HD_CONFIG_SAY_CONFIRM : 0;
        m.confirm_s = c->s->confirm_s;
    }
    if (j->failed || j->len > HD_CHANNEL_TAIL_MAX ||
        hd_channel_send_wait(c->s->channel, HD_MSG_CONFIG_SAY, &m, j->text, j->len, SAY_WAIT_MS) !=
            0)
        c->lost = true;
    hd_json_free(j);
    c->open = false;
}

/* A row may be written into the page now. */
static struct hd_json *row(struct call *c)
{
    if (c->open && c->page.len > PAGE_BYTES) {
        hd_json_end(&c->page);
        hd_json_kv_bool(&c->page, "more", true);
        hd_json_end(&c->page);
        say(c, 0);
    }
    if (!c->open) {
        hd_json_init(&c->page);
        hd_json_object(&c->page);
        hd_json_key(&c->page, "rows");
        hd_json_array(&c->page);
        c->open = true;
    }
    return &c->page;
}

static void end_rows(struct call *c)
{
    row(c);
    hd_json_end(&c->page);
    hd_json_kv_bool(&c->page, "more", false);
    hd_json_end(&c->page);
    say(c, HD_CONFIG_SAY_LAST);
}

static void say_fault(struct call *c)
{
    hd_json_free(&c->page);
    hd_json_init(&c->page);
    hd_json_object(&c->page);
    hd_json_key(&c->page, "error");
    hd_json_object(&c->page);
    hd_json_kv_string(&c->page, "code", c->f.code);
    if (c->f.path[0])
        hd_json_kv_string(&c->page, "path", c->f.path);
    if (c->f.line > 0)
        hd_json_kv_uint(&c->page, "line", c->f.line);
    hd_json_kv_string(&c->page, "message", c->f.message);
    hd_json_end(&c->page);
    hd_json_end(&c->page);
    say(c, HD_CONFIG_SAY_LAST);
}

/* Each line of a text as a row. */
static void say_lines(struct call *c, const char *text)
{
    while (*text && !c->lost) {
        size_t n = strcspn(text, "\n");
        struct hd_json *j = row(c);
        hd_json_object(j);
        hd_json_key(j, "line");
        hd_json_string_n(j, text, n);
        hd_json_end(j);
        text += n + (text[n] == '\n');
    }
    end_rows(c);
}

/* --- arguments -----------------------------------------------------------------------------------
 */

static const char *text_arg(struct call *c, const char *name)
{
    const char *v = json_string_value(json_object_get(c->args, name));

    if (!v)
        hd_fault_set(&c->f, "missing", NULL, "\"%s\" is missing", name);
    return v;
}

static int number_arg(struct call *c, const char *name, int64_t most, uint32_t def, uint32_t *out)
{
    json_t *v = json_object_get(c->args, name);
    int64_t n = json_integer_value(v);

    *out = def;
    if (!v)
        return 0;
    if (!json_is_integer(v) || n < 1 || n > most)
        return hd_fault_set(&c->f, "invalid", NULL, "%s is a whole number from 1 to %lld", name,
                            (long long)most);
    *out = (uint32_t)n;
    return 0;
}

/* The tree that is meant: what runs, or (of: "candidate") what is being edited. */
static int tree_arg(struct call *c, struct lyd_node **tree)
{
    const char *of = json_string_value(json_object_get(c->args, "of"));
    bool candidate = of && strcmp(of, "candidate") == 0;
    int error = candidate ? hd_session_candidate(c->s, &c->f) : hd_session_running(c->s, &c->f);

    *tree = candidate ? c->s->candidate : c->s->running;
    return error;
}

/* --- looking -------------------------------------------------------------------------------------
 */

static int do_show(struct call *c)
{
    struct hd_text t = {0};
    struct lyd_node *tree;
    int error = tree_arg(c, &tree);

    if (error != 0)
        return error;
    hd_tree_print_lines(&c->s->schema, tree, &t);
    if (t.failed)
        error = hd_fault_set(&c->f, "no-memory", NULL, "no memory");
    else
        say_lines(c, t.v);
    hd_text_free(&t);
    return error;
}

static int do_export(struct call *c)
{
    struct lyd_node *tree;
    int error = tree_arg(c, &tree);
    char *json = error == 0 ? hd_tree_print(tree) : NULL;

    if (error == 0 && !json)
        error = hd_fault_set(&c->f, "no-memory", NULL, "no memory");
    if (error == 0)
        say_lines(c, json);
    free(json);
    return error;
}

static int do_diff(struct call *c)
{
    struct hd_text was = {0}, is = {0}, diff = {0};
    int error = hd_session_running(c->s, &c->f);

    if (error == 0)
        error = hd_session_candidate(c->s, &c->f);
    if (error != 0)
        return error;
    hd_tree_print_lines(&c->s->schema, c->s->running, &was);
    hd_tree_print_lines(&c->s->schema, c->s->candidate, &is);
    if (hd_lines_diff(&was, &is, &diff) != 0 || diff.failed)
        error = hd_fault_set(&c->f, "no-memory", NULL, "no memory");
    else
        say_lines(c, diff.v ? diff.v : "");
    hd_text_free(&was);
    hd_text_free(&is);
    hd_text_free(&diff);
    return error;
}

static void history_row(struct call *c, const struct hd_revision *r, uint32_t running, size_t step)
{
    struct hd_json *j = row(c);
    char stamp[32];
    time_t t = (time_t)r->unix_s;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
    hd_json_object(j);
    hd_json_key(j, "rollback");
    if (r->number == running || hd_store_is_rollback(r, running))
        hd_json_uint(j, step);
    else
        hd_json_null(j);
    hd_json_kv_uint(j, "revision", r->number);
    hd_json_kv_string(j, "how", r->how);
    hd_json_kv_string(j, "time", stamp);
    hd_json_kv_bool(j, "running", r->number == running);
    hd_json_end(j);
}

static int do_history(struct call *c)
{
    struct hd_revision v[HD_STORE_REVISIONS], is = {.number = 0};
    size_t n = hd_store_revisions(c->s->dir, v, HD_STORE_REVISIONS), step = 0;

    (void)!hd_store_running(c->s->dir, &is);
    for (size_t i = 0; i < n; i++) {
        step += hd_store_is_rollback(&v[i], is.number);
        if (step > HD_STORE_ROLLBACKS)
            break; /* what is kept longer is only the base of others */
        history_row(c, &v[i], is.number, step);
    }
    end_rows(c);
    return 0;
}

static int do_complete(struct call *c)
{
    struct hd_completion *v = calloc(COMPLETIONS, sizeof *v);
    const char *path = text_arg(c, "path");
    const char *value = json_string_value(json_object_get(c->args, "value"));
    size_t n = 0;

    if (!v || !path || hd_session_candidate(c->s, &c->f) != 0) {
        free(v);
        return HD_EINVAL;
    }
    if (value)
        n = hd_complete_value(&c->s->schema, path, value, v, COMPLETIONS);
    else
        n = hd_complete_path(&c->s->schema, c->s->candidate, path, v, COMPLETIONS);
    for (size_t i = 0; i < n; i++) {
        struct hd_json *j = row(c);
        hd_json_object(j);
        hd_json_kv_string(j, "word", v[i].word);
        hd_json_kv_string(j, "what", v[i].what);
        hd_json_end(j);
    }
    free(v);
    end_rows(c);
    return 0;
}

/* Where a module with nodes comes from: decision 0023. */
static void module_row(struct call *c, const struct lys_module *m)
{
    struct hd_json *j;

    if (!m->implemented || !m->compiled || strncmp(m->name, "heddle-", strlen("heddle-")) == 0)
        return;
    j = row(c);
    hd_json_object(j);
    hd_json_kv_string(j, "module", m->name);
    hd_json_kv_string(j, "revision", m->revision ? m->revision : "");
    hd_json_kv_string(j, "from", m->filepath ? m->filepath : "stand-in");
    hd_json_end(j);
}

static int do_models(struct call *c)
{
    const struct lys_module *m;

    for (size_t i = 0; hd_config_at(i); i++) {
        struct hd_json *j = row(c);
        hd_json_object(j);
        hd_json_kv_string(j, "core", hd_list_core_name(hd_config_at(i)->core));
        hd_json_kv_string(j, "module", hd_config_at(i)->module);
        hd_json_kv_bool(j, "loaded", c->s->schema.loaded[i]);
        hd_json_end(j);
    }
    for (uint32_t at = 0; (m = ly_ctx_get_module_iter(c->s->schema.ctx, &at)) != NULL;)
        module_row(c, m);
    end_rows(c);
    return 0;
}

/* --- editing -------------------------------------------------------------------------------------
 */

static int edit(struct call *c, const char *verb, const char *path, const char *value)
{
    struct hd_text t = {0};
    int error;

    if (!path)
        return HD_EINVAL;
    if (strpbrk(path, " \t\r\n") || !*path)
        return hd_fault_set(&c->f, "path", path, "a path is one word");
    hd_text_printf(&t, "%s %s", verb, path);
    if (value) {
        hd_text_printf(&t, " ");
        hd_config_word_write(value, &t);
    }
    error = t.failed ? hd_fault_set(&c->f, "no-memory", NULL, "no memory")
                     : hd_session_line(c->s, t.v, &c->f);
    hd_text_free(&t);
    if (error == 0)
        end_rows(c);
    return error;
}

static int do_set(struct call *c)
{
    return edit(c, "set", text_arg(c, "path"),
                json_string_value(json_object_get(c->args, "value")));
}

static int do_delete(struct call *c)
{
    return edit(c, "delete", text_arg(c, "path"), NULL);
}

static int read_loaded(struct call *c, struct lyd_node **tree)
{
    const char *text = c->s->load.v ? c->s->load.v : "";

    *tree = NULL;
    if (text[strspn(text, " \t\r\n")] == '{')
        return hd_tree_read(&c->s->schema, text, tree, &c->f);
    return hd_tree_lines(&c->s->schema, tree, text, &c->f);
}

static void load_end(struct hd_session *s)
{
    hd_text_free(&s->load);
    s->loading = false;
}

/*
 * A piece: of the text that is being sent, or of one whose beginning died with the process before
 * us, or that another one has displaced. The rest of such a text is not the whole of anything.
 */
static int load_piece(struct call *c, const char *text)
{
    struct hd_session *s = c->s;
    const char *id = json_string_value(json_object_get(c->args, "id"));

    id = id ? id : "";
    if (json_is_true(json_object_get(c->args, "first"))) {
        load_end(s);
        s->loading = true;
        snprintf(s->load_id, sizeof s->load_id, "%s", id);
    }
    if (!s->loading || strncmp(s->load_id, id, sizeof s->load_id - 1) != 0)
        return hd_fault_set(&c->f, "cut-off", NULL,
                            "the beginning of this text is lost: nothing was changed, send it "
                            "again from its first piece");
    if (s->load.len + strlen(text) > LOAD_MAX) {
        load_end(s);
        return hd_fault_set(&c->f, "limit", NULL, "a configuration has at most %zu MiB",
                            LOAD_MAX >> 20);
    }
    hd_text_printf(&s->load, "%s", text);
    return s->load.failed ? hd_fault_set(&c->f, "no-memory", NULL, "no memory") : 0;
}

/* A text comes in pieces; with the last one it takes the candidate's place. */
static int do_load(struct call *c)
{
    const char *text = text_arg(c, "text");
    struct lyd_node *tree;
    int error = text ? load_piece(c, text) : HD_EINVAL;

    if (error != 0)
        return error;
    if (json_is_true(json_object_get(c->args, "more"))) {
        end_rows(c);
        return 0;
    }
    error = read_loaded(c, &tree);
    load_end(c->s);
    if (error == 0)
        error = hd_session_replace(c->s, tree, &c->f);
    else
        lyd_free_all(tree);
    if (error == 0)
        end_rows(c);
    return error;
}

static int do_discard(struct call *c)
{
    int error = hd_session_discard(c->s, &c->f);

    if (error == 0)
        end_rows(c);
    return error;
}

/* --- putting in force ----------------------------------------------------------------------------
 */

static void say_applied(struct call *c, const struct hd_applied *a, uint32_t confirm_s)
{
    struct hd_json *j = row(c);

    hd_json_object(j);
    hd_json_kv_bool(j, "changed", a->changed);
    if (a->changed)
        hd_json_kv_uint(j, "revision", a->revision);
    hd_json_kv_uint(j, "added", a->total.added);
    hd_json_kv_uint(j, "changed-rows", a->total.changed);
    hd_json_kv_uint(j, "removed", a->total.removed);
    hd_json_kv_bool(j, "restart", c->s->restart);
    if (a->changed && confirm_s > 0)
        hd_json_kv_uint(j, "confirm-s", confirm_s);
    hd_json_key(j, "took-ms");
    hd_json_object(j);
    hd_json_key(j, "check");
    hd_json_decimal(j, a->check_ns / 1000, 3);
    hd_json_key(j, "image");
    hd_json_decimal(j, a->image_ns / 1000, 3);
    hd_json_key(j, "compare");
    hd_json_decimal(j, a->compare_ns / 1000, 3);
    hd_json_key(j, "transfer");
    hd_json_decimal(j, a->transfer_ns / 1000, 3);
    hd_json_key(j, "store");
    hd_json_decimal(j, a->store_ns / 1000, 3);
    hd_json_end(j);
    hd_json_end(j);
    end_rows(c);
}

static int do_check(struct call *c)
{
    struct hd_image is = {0};
    int error = hd_session_candidate(c->s, &c->f);

    if (error == 0)
        error = hd_session_check(c->s, &c->s->candidate, &c->f);
    if (error == 0)
        error = hd_session_make(c->s, &c->s->candidate, &is, &c->f);
    hd_image_free(&is);
    if (error == 0)
        end_rows(c);
    return error;
}

static int do_apply(struct call *c)
{
    struct hd_applied a;
    struct hd_fault ignored;
    uint32_t confirm_s;
    int error = number_arg(c, "confirm", CONFIRM_MAX, 0, &confirm_s);

    if (error == 0)
        error = hd_session_candidate(c->s, &c->f);
    if (error == 0)
        error = hd_apply(c->s, &c->s->candidate, "apply", confirm_s, &a, &c->f);
    if (error != 0)
        return error;
    (void)!hd_session_discard(c->s, &ignored); /* else it changes nothing when applied again */
    say_applied(c, &a, confirm_s);
    return 0;
}

static int find_step(struct call *c, uint32_t steps, struct hd_revision *r)
{
    struct hd_revision v[HD_STORE_REVISIONS], is = {.number = 0};
    size_t n = hd_store_revisions(c->s->dir, v, HD_STORE_REVISIONS);

    (void)!hd_store_running(c->s->dir, &is);
    for (size_t i = 0; i < n; i++) {
        if (hd_store_is_rollback(&v[i], is.number) && --steps == 0) {
            *r = v[i];
            return 0;
        }
    }
    return hd_fault_set(&c->f, "unknown", NULL,
                        "there is no such revision; `heddle config history` lists them");
}

static int do_rollback(struct call *c)
{
    struct lyd_node *tree = NULL;
    struct hd_revision r;
    struct hd_applied a;
    uint32_t steps, confirm_s;
    int error = number_arg(c, "steps", HD_STORE_REVISIONS, 1, &steps);

    if (error == 0)
        error = number_arg(c, "confirm", CONFIRM_MAX, 0, &confirm_s);
    if (error == 0)
        error = find_step(c, steps, &r);
    if (error != 0)
        return error;
    error = hd_revision_read(c->s, &r, &tree, &c->f);
    if (error == 0)
        error = hd_apply(c->s, &tree, "rollback", confirm_s, &a, &c->f);
    lyd_free_all(tree);
    if (error == 0)
        say_applied(c, &a, confirm_s);
    return error;
}

static int end_after(struct call *c, int error)
{
    if (error == 0)
        end_rows(c);
    return error;
}

static int do_confirm(struct call *c)
{
    return end_after(c, hd_apply_confirm(c->s, &c->f));
}

static int do_return(struct call *c)
{
    return end_after(c, hd_apply_return(c->s, &c->f));
}

static int do_push(struct call *c)
{
    return end_after(c, hd_apply_push(c->s, &c->f));
}

static int do_boot(struct call *c)
{
    return end_after(c, hd_apply_boot(c->s, &c->f));
}

/* --- dispatch ------------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    bool root; /* changes something */
    int (*run)(struct call *c);
} verbs[] = {
    {"show", false, do_show},         {"export", false, do_export},  {"diff", false, do_diff},
    {"history", false, do_history},   {"models", false, do_models},  {"check", false, do_check},
    {"complete", false, do_complete}, {"set", true, do_set},         {"delete", true, do_delete},
    {"load", true, do_load},          {"discard", true, do_discard}, {"apply", true, do_apply},
    {"confirm", true, do_confirm},    {"return", true, do_return},   {"push", true, do_push},
    {"rollback", true, do_rollback},  {"boot", true, do_boot},
};

/* Who has heard this does not ask a second time when we die. */
static bool say_begins(const struct call *c)
{
    struct hd_msg_config_say m = {.request = c->s->request, .flags = HD_CONFIG_SAY_BEGINS};

    return hd_channel_send_wait(c->s->channel, HD_MSG_CONFIG_SAY, &m, NULL, 0, SAY_WAIT_MS) == 0;
}

static int dispatch(struct call *c)
{
    const char *name = text_arg(c, "do");

    for (size_t i = 0; name && i < HD_ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].name, name) != 0)
            continue;
        if (verbs[i].root && !c->s->root)
            return hd_fault_set(&c->f, "permission", NULL, "only root may do that");
        if (verbs[i].root && !say_begins(c))
            return hd_fault_set(&c->f, "system", NULL, "heddled does not listen");
        return verbs[i].run(c);
    }
    if (name)
        hd_fault_set(&c->f, "unknown-command", NULL, "config cannot \"%s\"", name);
    return HD_EINVAL;
}

bool hd_serve(struct hd_session *s, const struct hd_msg_config_ask *ask, const char *json,
              size_t len)
{
    struct call c = {.s = s};
    json_error_t e;

    s->request = ask->request;
    s->root = ask->root != 0;
    s->restart = s->confirm_news = false;
    s->confirm_s = 0;
    c.args = json_loadb(json, len, JSON_REJECT_DUPLICATES, &e);
    if (!c.args) {
        hd_fault_set(&c.f, "malformed", NULL, "not JSON: %s", e.text);
        say_fault(&c);
    } else if (dispatch(&c) != 0) {
        say_fault(&c);
    }
    json_decref(c.args);
    return !c.lost;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle config: looks at the configuration, edits a copy of it (the candidate), and puts the copy
 * in force as a whole. What is right is judged by heddle-config, behind the control socket.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/base.h"

#define PIECE 30000 /* bytes of a text per request: JSON may make twice as many of them */

struct verb {
    const char *name;
    const char *usage, *what;
    int min_args, max_args;
    int (*run)(struct hd_cli *c);
};

static json_t *make(const char *verb)
{
    return json_pack("{s:s}", "do", verb);
}

static void put(json_t *args, const char *name, const char *value)
{
    if (value)
        json_object_set_new(args, name, json_string(value));
}

/* Answers of this command name the place that is wrong. */
static int ask(struct hd_cli *c, json_t *args, json_t **rows)
{
    return hd_cli_fetch(c, hd_request_make("config", args), rows, NULL);
}

static int finish(struct hd_cli *c, int status, json_t *rows, const char *sentence)
{
    if (status != HD_CLI_OK || c->json) {
        if (status == HD_CLI_OK)
            status = hd_cli_print_json(rows ? json_incref(rows) : json_array());
    } else if (sentence && *sentence) {
        printf("%s\n", sentence);
    }
    json_decref(rows);
    return status;
}

/* --- looking ------------------------------------------------------------- */

static const char *paint(const struct hd_cli *c, const char *line)
{
    if (line[0] == '+')
        return hd_colour(c, "good");
    return line[0] == '-' ? hd_colour(c, "bad") : "";
}

static int print_lines(struct hd_cli *c, json_t *args, const char *nothing)
{
    json_t *rows = NULL, *row;
    int status = ask(c, args, &rows);
    size_t i;

    if (status != HD_CLI_OK || c->json)
        return finish(c, status, rows, NULL);
    json_array_foreach(rows, i, row)
    {
        const char *line = json_string_value(json_object_get(row, "line"));
        const char *colour = line ? paint(c, line) : "";
        if (line)
            printf("%s%s%s\n", colour, line, *colour ? hd_colour_end(c) : "");
    }
    if (json_array_size(rows) == 0 && nothing)
        fprintf(stderr, "%s\n", nothing);
    json_decref(rows);
    return HD_CLI_OK;
}

static json_t *make_of(struct hd_cli *c, const char *verb)
{
    json_t *args = make(verb);

    put(args, "of", c->candidate ? "candidate" : "running");
    return args;
}

static int run_show(struct hd_cli *c)
{
    return print_lines(c, make_of(c, "show"), "nothing is configured");
}

/* The JSON itself, whatever -j says: it is what a file of it holds. */
static int run_export(struct hd_cli *c)
{
    bool json = c->json;
    int status;

    c->json = false;
    status = print_lines(c, make_of(c, "export"), NULL);
    c->json = json;
    return status;
}

static int run_diff(struct hd_cli *c)
{
    return print_lines(c, make("diff"), "no difference");
}

static int run_history(struct hd_cli *c)
{
    json_t *rows = NULL, *row;
    int status = ask(c, make("history"), &rows);
    size_t i;

    if (status != HD_CLI_OK || c->json)
        return finish(c, status, rows, NULL);
    printf("%sROLLBACK  REVISION  HOW       TIME%s\n", hd_colour(c, "dim"), hd_colour_end(c));
    json_array_foreach(rows, i, row)
    {
        json_t *step = json_object_get(row, "rollback");
        char text[24] = "-";
        if (json_is_integer(step))
            snprintf(text, sizeof text, "%lld", (long long)json_integer_value(step));
        printf("%8s  %8lld  %-8s  %s%s\n", text,
               (long long)json_integer_value(json_object_get(row, "revision")),
               json_string_value(json_object_get(row, "how")),
               json_string_value(json_object_get(row, "time")),
               json_is_true(json_object_get(row, "running")) ? "  in force" : "");
    }
    json_decref(rows);
    return HD_CLI_OK;
}

static int run_complete(struct hd_cli *c)
{
    json_t *args = make("complete"), *rows = NULL, *row;
    size_t i;
    int status;

    put(args, "path", c->args[1]);
    put(args, "value", c->arg_count > 2 ? c->args[2] : NULL);
    status = ask(c, args, &rows);
    if (status != HD_CLI_OK || c->json)
        return finish(c, status, rows, NULL);
    json_array_foreach(rows, i, row)
    {
        printf("%s\n", json_string_value(json_object_get(row, "word")));
    }
    json_decref(rows);
    return HD_CLI_OK;
}

/* --- editing ------------------------------------------------------------- */

static int simple(struct hd_cli *c, json_t *args, const char *sentence)
{
    json_t *rows = NULL;
    int status = ask(c, args, &rows);

    return finish(c, status, rows, sentence);
}

/* A secret on the command line is seen in the list of processes: "-" reads it from elsewhere. */
static int set_from_input(struct hd_cli *c, json_t *args)
{
    char value[512];

    if (!fgets(value, sizeof value, stdin)) {
        json_decref(args);
        return hd_cli_error(c, "usage", "there is no value on standard input");
    }
    value[strcspn(value, "\r\n")] = '\0';
    put(args, "value", value);
    explicit_bzero(value, sizeof value);
    return simple(c, args, NULL);
}

static int run_set(struct hd_cli *c)
{
    json_t *args = make("set");
    const char *value = c->arg_count > 2 ? c->args[2] : NULL;

    put(args, "path", c->args[1]);
    if (value && strcmp(value, "-") == 0)
        return set_from_input(c, args);
    put(args, "value", value);
    return simple(c, args, NULL);
}

static int run_delete(struct hd_cli *c)
{
    json_t *args = make("delete");

    put(args, "path", c->args[1]);
    return simple(c, args, NULL);
}

/* Cuts before a byte that continues a character of UTF-8. */
static size_t piece_of(const char *text, size_t len)
{
    size_t n = HD_MIN(len, (size_t)PIECE);

    while (n < len && n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static int send_text(struct hd_cli *c, const char *text, size_t len)
{
    bool first = true;
    int status = HD_CLI_OK;
    uint64_t random = 0;
    char id[24];

    if (getrandom(&random, sizeof random, 0) < 0)
        random = (uint64_t)getpid();
    snprintf(id, sizeof id, "%016llx", (unsigned long long)random); /* no other text has it */

    do {
        size_t n = piece_of(text, len);
        json_t *args = make("load"), *piece = json_stringn(text, n), *rows = NULL;
        if (!piece) {
            json_decref(args);
            return hd_cli_error(c, "invalid", "the file is not text in UTF-8");
        }
        json_object_set_new(args, "text", piece);
        put(args, "id", id);
        json_object_set_new(args, "first", json_boolean(first));
        json_object_set_new(args, "more", json_boolean(n < len));
        status = ask(c, args, &rows);
        json_decref(rows);
        text += n;
        len -= n;
        first = false;
    } while (len > 0 && status == HD_CLI_OK);
    return status;
}

static char *read_file(FILE *f, size_t *len)
{
    size_t cap = 65536, at = 0;
    char *v = malloc(cap);

    while (v) {
        size_t n = fread(v + at, 1, cap - at, f);
        at += n;
        if (n == 0)
            break;
        if (at == cap) {
            char *more = realloc(v, cap *= 2);
            if (!more)
                free(v);
            v = more;
        }
    }
    *len = at;
    return v;
}

static int run_load(struct hd_cli *c)
{
    bool standard = strcmp(c->args[1], "-") == 0;
    FILE *f = standard ? stdin : fopen(c->args[1], "re");
    size_t len = 0;
    char *text;
    int status;

    if (!f)
        return hd_cli_error(c, "system", "%s: %s", c->args[1], strerror(errno));
    text = read_file(f, &len);
    if (!standard)
        fclose(f);
    if (!text)
        return hd_cli_error(c, "no-memory", "no memory for that file");
    status = send_text(c, text, len);
    free(text);
    return finish(c, status, NULL, "Loaded; `heddle config diff` shows what would change.");
}

static int run_discard(struct hd_cli *c)
{
    return simple(c, make("discard"), "The edits are forgotten.");
}

static int run_check(struct hd_cli *c)
{
    return simple(c, make("check"), "The candidate is valid.");
}

/* --- putting in force ---------------------------------------------------- */

static int told(struct hd_cli *c, json_t *args)
{
    json_t *rows = NULL, *row;
    int status = ask(c, args, &rows);
    json_int_t confirm_s;

    if (status != HD_CLI_OK || c->json)
        return finish(c, status, rows, NULL);
    row = json_array_get(rows, 0);
    confirm_s = json_integer_value(json_object_get(row, "confirm-s"));
    if (!json_is_true(json_object_get(row, "changed")))
        printf("Nothing has changed.\n");
    else
        printf("Revision %lld is in force%s.\n",
               (long long)json_integer_value(json_object_get(row, "revision")),
               json_is_true(json_object_get(row, "restart")) ? "; all processes begin anew for it"
                                                             : "");
    if (confirm_s > 0)
        printf("It is taken back in %lld s unless you run: heddle config confirm\n",
               (long long)confirm_s);
    json_decref(rows);
    return HD_CLI_OK;
}

static int with_confirm(struct hd_cli *c, json_t *args)
{
    char *end;
    long n;

    if (!c->confirm)
        return told(c, args);
    n = strtol(c->confirm, &end, 10);
    if (*end != '\0' || n < 1) {
        json_decref(args);
        return hd_cli_error(c, "usage", "--confirm takes a number of seconds");
    }
    json_object_set_new(args, "confirm", json_integer(n));
    return told(c, args);
}

static int run_apply(struct hd_cli *c)
{
    return with_confirm(c, make("apply"));
}

static int run_rollback(struct hd_cli *c)
{
    json_t *args = make("rollback");
    char *end;
    long n;

    if (c->arg_count > 1) {
        n = strtol(c->args[1], &end, 10);
        if (*end != '\0' || n < 1) {
            json_decref(args);
            return hd_cli_error(c, "usage", "rollback takes a number of `heddle config history`");
        }
        json_object_set_new(args, "steps", json_integer(n));
    }
    return with_confirm(c, args);
}

static int run_confirm(struct hd_cli *c)
{
    return simple(c, make("confirm"), "The change stays.");
}

static int run_return(struct hd_cli *c)
{
    return simple(c, make("return"), "What was in force before is in force again.");
}

/* --- dispatch ------------------------------------------------------------ */

static const struct verb verbs[] = {
    {"show", "[--candidate]", "what is in force, as lines", 1, 1, run_show},
    {"set", "PATH [VALUE|-]", "edits: sets a value (-: a line of input), makes an entry", 2, 3,
     run_set},
    {"delete", "PATH", "edits: takes something away", 2, 2, run_delete},
    {"load", "FILE", "edits: JSON or lines of a file replace all", 2, 2, run_load},
    {"diff", "", "what the edits would change", 1, 1, run_diff},
    {"check", "", "whether the edits are valid", 1, 1, run_check},
    {"apply", "[--confirm SECONDS]", "puts the edits in force, all or nothing", 1, 1, run_apply},
    {"confirm", "", "keeps what was applied with --confirm", 1, 1, run_confirm},
    {"return", "", "takes it back now", 1, 1, run_return},
    {"discard", "", "forgets the edits", 1, 1, run_discard},
    {"rollback", "[N]", "puts the Nth configuration before in force", 1, 2, run_rollback},
    {"history", "", "the configurations that were in force", 1, 1, run_history},
    {"export", "[--candidate]", "what is in force, as JSON", 1, 1, run_export},
    {"complete", "PATH [VALUE]", "what may follow: for shells", 2, 3, run_complete},
};

void hd_cli_config_verbs(FILE *out)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(verbs); i++) {
        char left[48];
        snprintf(left, sizeof left, "%s %s", verbs[i].name, verbs[i].usage);
        fprintf(out, "  heddle config %-28s %s\n", left, verbs[i].what);
    }
}

int hd_cli_config(struct hd_cli *c)
{
    const char *name = c->arg_count > 0 ? c->args[0] : "";

    for (size_t i = 0; i < HD_ARRAY_LEN(verbs); i++) {
        const struct verb *v = &verbs[i];
        if (strcmp(v->name, name) != 0)
            continue;
        if (c->arg_count >= v->min_args && c->arg_count <= v->max_args)
            return v->run(c);
        hd_cli_error(c, "usage", "expected: heddle config %s%s%s", v->name, *v->usage ? " " : "",
                     v->usage);
        return HD_CLI_USAGE;
    }
    if (*name)
        hd_cli_error(c, "usage", "heddle config does not know \"%s\"", name);
    else if (c->json)
        hd_cli_error(c, "usage", "heddle config: what to do is missing");
    if (!c->json)
        hd_cli_config_verbs(stderr);
    return HD_CLI_USAGE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, joined pages and errors: what all commands do alike. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/json.h"

json_t *hd_request_make(const char *command, json_t *args)
{
    json_t *r = json_object();

    json_object_set_new(r, "command", json_string(command));
    if (args)
        json_object_set_new(r, "args", args);
    return r;
}

int hd_cli_error(const struct hd_cli *c, const char *code, const char *format, ...)
{
    char message[1024];
    json_t *e;
    va_list ap;

    va_start(ap, format);
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    if (c->quiet)
        return HD_CLI_FAILED;
    if (!c->json) {
        fflush(stdout);
        fprintf(stderr, "heddle: %s\n", message);
        return HD_CLI_FAILED;
    }
    e = json_object();
    json_object_set_new(e, "code", json_string(code));
    json_object_set_new(e, "message", json_string(message));
    hd_cli_print_json(json_pack("{s:o}", "error", e));
    return HD_CLI_FAILED;
}

/* Where in a configuration something is wrong, unless the sentence says so by itself. */
static void print_place(const json_t *e, const char *message)
{
    const char *path = json_string_value(json_object_get(e, "path"));
    json_t *line = json_object_get(e, "line");

    if (json_is_integer(line))
        fprintf(stderr, "line %lld: ", (long long)json_integer_value(line));
    if (path && path[0] == '/' && !strstr(message, path))
        fprintf(stderr, "%s: ", path);
}

bool hd_cli_answer_error(struct hd_cli *c, const json_t *answer)
{
    json_t *e = json_object_get(answer, "error");
    const char *message = json_string_value(json_object_get(e, "message"));

    if (!e)
        return false;
    if (c->quiet)
        return true;
    if (c->json) {
        hd_cli_print_json(json_pack("{s:O}", "error", e));
        return true;
    }
    fflush(stdout);
    fprintf(stderr, "heddle: ");
    print_place(e, message ? message : "");
    fprintf(stderr, "%s\n", message ? message : "heddled reports an error");
    return true;
}

int hd_cli_print_json(json_t *document)
{
    /* 15 digits give back the decimals that were sent: 0.213 stays 0.213. */
    int error =
        json_dumpf(document, stdout, JSON_REAL_PRECISION(15) | JSON_PRESERVE_ORDER | JSON_COMPACT);

    json_decref(document);
    putchar('\n');
    return error == 0 && fflush(stdout) == 0 ? HD_CLI_OK : HD_CLI_FAILED;
}

static int lost(struct hd_cli *c)
{
    return hd_cli_error(c, "connection-lost", "the connection to heddled ended before its answer");
}

/* Takes one page into rows and columns: 1 when another one follows, 0, or -1 after an error. */
static int take_page(struct hd_cli *c, json_t *page, json_t *request, json_t *rows,
                     json_t **columns)
{
    json_t *cursor = json_object_get(page, "cursor");

    if (hd_cli_answer_error(c, page))
        return -1;
    json_array_extend(rows, json_object_get(page, "rows"));
    if (columns && !*columns)
        *columns = json_incref(json_object_get(page, "columns"));
    if (!json_is_true(json_object_get(page, "more")))
        return 0;
    if (cursor)
        json_object_set(request, "cursor", cursor);
    else
        json_object_del(request, "cursor");
    return 1;
}

static int fetch_pages(struct hd_cli *c, struct hd_socket *s, json_t *request, json_t *rows,
                       json_t **columns)
{
    int more = 1;

    if (hd_socket_send(s, json_incref(request)) != 0)
        return lost(c);
    while (more > 0) {
        json_t *page = hd_socket_read(s);
        if (!page)
            return lost(c);
        more = take_page(c, page, request, rows, columns);
        json_decref(page);
        if (more < 0)
            return HD_CLI_FAILED;
        if (more > 0 && json_object_get(request, "cursor") &&
            hd_socket_send(s, json_incref(request)) != 0)
            return lost(c);
    }
    return HD_CLI_OK;
}

int hd_cli_fetch(struct hd_cli *c, json_t *request, json_t **rows, json_t **columns)
{
    struct hd_socket s;
    int status = hd_socket_open(c, &s);

    *rows = NULL;
    if (columns)
        *columns = NULL;
    if (status == HD_CLI_OK) {
        *rows = json_array();
        status = fetch_pages(c, &s, request, *rows, columns);
        hd_socket_close(&s);
    }
    json_decref(request);
    return status;
}

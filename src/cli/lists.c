/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that show a list: heddle contacts, heddle show sample neighbours, heddle metrics. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

/* Counters that never moved say nothing; returns how many rows went. */
static size_t drop_zeros(json_t *rows)
{
    size_t gone = 0;

    for (size_t i = json_array_size(rows); i-- > 0;) {
        const json_t *row = json_array_get(rows, i);
        const char *value = json_string_value(json_array_get(row, json_array_size(row) - 1));
        if (value && strcmp(value, "0") == 0) {
            json_array_remove(rows, i);
            gone++;
        }
    }
    return gone;
}

static void print_text(struct hd_cli *c, const char *name, json_t *columns, json_t *rows)
{
    size_t zeros = strcmp(name, "counters") == 0 && !c->all ? drop_zeros(rows) : 0;

    if (json_array_size(rows) > 0)
        hd_table_print(c, columns, rows);
    else
        printf("%sno %s%s\n", hd_colour(c, "dim"), name, hd_colour_end(c));
    if (zeros > 0)
        printf("%s%zu counters at zero are left out (--all shows them)%s\n", hd_colour(c, "dim"),
               zeros, hd_colour_end(c));
}

static int show(struct hd_cli *c, json_t *request, const char *name)
{
    json_t *rows, *columns = NULL;
    int status;

    json_object_set_new(request, "wide", json_boolean(c->wide));
    if (!c->json)
        json_object_set_new(request, "format", json_string("text"));
    status = hd_cli_fetch(c, request, &rows, &columns);
    if (status == HD_CLI_OK && c->json)
        status = hd_cli_print_json(json_pack("{s:O}", name, rows));
    else if (status == HD_CLI_OK)
        print_text(c, name, columns, rows);
    json_decref(rows);
    json_decref(columns);
    return status;
}

int hd_cli_list(struct hd_cli *c)
{
    return show(c, hd_request_make(c->command->name, NULL), c->command->name);
}

/* Which lists there are, of all cores or of one. */
static int show_lists(struct hd_cli *c, json_t *args)
{
    json_t *rows, *row;
    size_t i;
    int status = hd_cli_fetch(c, hd_request_make("show", args), &rows, NULL);

    if (status == HD_CLI_OK && c->json)
        status = hd_cli_print_json(json_pack("{s:O}", "lists", rows));
    else if (status == HD_CLI_OK)
        json_array_foreach(rows, i, row)
        {
            const char *core = json_string_value(json_object_get(row, "core"));
            const char *list = json_string_value(json_object_get(row, "list"));
            const char *what = json_string_value(json_object_get(row, "what"));
            printf("heddle show %-6s %-14s  %s\n", core ? core : "", list ? list : "",
                   what ? what : "");
        }
    json_decref(rows);
    return status;
}

int hd_cli_show(struct hd_cli *c)
{
    json_t *args = json_object();

    if (c->arg_count > 0)
        json_object_set_new(args, "core", json_string(c->args[0]));
    if (c->arg_count > 1)
        json_object_set_new(args, "list", json_string(c->args[1]));
    if (!args || (int)json_object_size(args) != c->arg_count) {
        json_decref(args);
        return hd_cli_error(c, "invalid", "names are UTF-8");
    }
    if (c->arg_count < 2)
        return show_lists(c, args);
    return show(c, hd_request_make("show", args), c->args[1]);
}

/* heddle bfd sessions: a command with the name of its core; the first list of its usage is what
 * most ask for. */
int hd_cli_protocol(struct hd_cli *c)
{
    const char *known = c->command->usage + 1; /* [first|second|...] */
    char list[32];

    if (c->arg_count > 0)
        snprintf(list, sizeof list, "%s", c->args[0]);
    else
        snprintf(list, sizeof list, "%.*s", (int)strcspn(known, "|]"), known);
    json_t *args = json_pack("{s:s,s:s}", "core", c->command->name, "list", list);

    if (!args)
        return hd_cli_error(c, "invalid", "names are UTF-8");
    return show(c, hd_request_make("show", args), list);
}

int hd_cli_metrics(struct hd_cli *c)
{
    struct hd_socket s;
    int status = hd_socket_open(c, &s);
    json_t *answer;
    const char *text;

    if (status != HD_CLI_OK)
        return status;
    answer = hd_socket_send(&s, hd_request_make("metrics", NULL)) == 0 ? hd_socket_read(&s) : NULL;
    hd_socket_close(&s);
    if (!answer)
        return hd_cli_error(c, "connection-lost", "heddled gave no answer");
    text = json_string_value(json_object_get(answer, "text"));
    if (hd_cli_answer_error(c, answer))
        status = HD_CLI_FAILED;
    else if (c->json)
        return hd_cli_print_json(answer);
    else
        fputs(text ? text : "", stdout);
    json_decref(answer);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* heddle monitor: events, one per line, until interrupted. With -j each line is a JSON object. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_value(const json_t *v)
{
    if (json_is_string(v))
        printf("%s", json_string_value(v));
    else if (json_is_integer(v))
        printf("%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        printf("%.3f", json_real_value(v));
    else
        printf("%s", json_is_true(v) ? "yes" : "no");
}

/* The moment is shown as wall-clock time and the interface by its name; the rest as it comes. */
static bool redundant(const char *key, const json_t *row)
{
    return strcmp(key, "at-ms") == 0 || strcmp(key, "event") == 0 ||
           (strcmp(key, "value") == 0 && json_object_get(row, "state")) ||
           (strcmp(key, "ifindex") == 0 && json_object_get(row, "interface"));
}

static void print_event(const struct hd_cli *c, json_t *e)
{
    json_t *row = json_object_get(e, "row"), *v;
    const char *time = json_string_value(json_object_get(e, "time"));
    const char *name = json_string_value(json_object_get(row, "event"));
    const char *core = json_string_value(json_object_get(e, "core"));
    const char *key;

    printf("%s%s%s  %s%-15s%s", hd_colour(c, "dim"), time ? time : "", hd_colour_end(c),
           hd_colour(c, "head"),
           name   ? name
           : core ? core
                  : "event",
           hd_colour_end(c));
    json_object_foreach(row, key, v)
    {
        if (redundant(key, row) || json_is_null(v))
            continue;
        printf("  %s=", key);
        print_value(v);
    }
    printf("\n");
    fflush(stdout);
}

static int handle(struct hd_cli *c, json_t *line)
{
    json_t *e = json_object_get(line, "event");

    if (hd_cli_answer_error(c, line))
        return HD_CLI_FAILED;
    if (!e)
        return HD_CLI_OK;
    if (c->json)
        return hd_cli_print_json(json_incref(e));
    print_event(c, e);
    return ferror(stdout) ? HD_CLI_FAILED : HD_CLI_OK;
}

int hd_cli_monitor(struct hd_cli *c)
{
    struct hd_socket s;
    int status = hd_socket_open(c, &s);

    if (status != HD_CLI_OK)
        return status;
    if (hd_socket_send(&s, hd_request_make("monitor", NULL)) != 0)
        status = HD_CLI_FAILED;
    while (status == HD_CLI_OK) {
        json_t *line = hd_socket_read(&s);
        if (!line) {
            status =
                hd_cli_error(c, "connection-lost",
                             "heddled ended the connection (stopped, restarted, or we were too "
                             "slow to read)");
            break;
        }
        status = handle(c, line);
        json_decref(line);
    }
    hd_socket_close(&s);
    return status;
}

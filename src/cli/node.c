/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about one node: ping and path. Rows are shown as they come. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base.h"

struct summary {
    size_t sent, answered;
    bool first; /* path: the row before was of first packets */
    double least, most, sum;
};

static bool add_number(struct hd_cli *c, json_t *args, const char *key, const char *value,
                       const char *option)
{
    char *end;
    long long n;

    if (!value)
        return true;
    errno = 0;
    n = strtoll(value, &end, 10);
    if (errno != 0 || *end != '\0' || end == value) {
        hd_cli_error(c, "usage", "%s takes a whole number, not \"%s\"", option, value);
        return false;
    }
    json_object_set_new(args, key, json_integer(n));
    return true;
}

static bool fits(const json_t *row, const char *beginning)
{
    const char *id = json_string_value(json_object_get(row, "id"));
    const char *address = json_string_value(json_object_get(row, "address"));
    size_t n = strlen(beginning);

    return (id && strncasecmp(id, beginning, n) == 0) ||
           (address && strncasecmp(address, beginning, n) == 0);
}

/* Names the nodes that an ambiguous beginning could mean. */
static void print_candidates(struct hd_cli *c, const char *beginning)
{
    static const char *const lists[] = {"contacts", "vicinity"};
    json_t *seen = json_object(), *rows, *row;
    size_t i;

    for (size_t l = 0; l < HD_ARRAY_LEN(lists); l++) {
        if (hd_cli_fetch(c, hd_request_make(lists[l], NULL), &rows, NULL) != HD_CLI_OK)
            continue;
        json_array_foreach(rows, i, row)
        {
            const char *id = json_string_value(json_object_get(row, "id"));
            if (!id || !fits(row, beginning) || json_object_get(seen, id))
                continue;
            json_object_set_new(seen, id, json_true());
            if (json_object_size(seen) <= 10)
                fprintf(stderr, "  %s\n", id);
        }
        json_decref(rows);
    }
    if (json_object_size(seen) > 10)
        fprintf(stderr, "  and %zu more\n", json_object_size(seen) - 10);
    json_decref(seen);
}

static void report_error(struct hd_cli *c, const json_t *answer)
{
    const char *code = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));

    hd_cli_answer_error(c, answer);
    if (!c->json && code && strcmp(code, "ambiguous") == 0)
        print_candidates(c, c->args[0]);
}

/* Sends the request and hands each row to `each`; all rows are kept in rows. */
static int run(struct hd_cli *c, json_t *request, json_t *rows,
               void (*each)(struct hd_cli *c, const json_t *row, struct summary *s),
               struct summary *sum)
{
    struct hd_socket s;
    int status = hd_socket_open(c, &s);
    bool more = true;

    if (status != HD_CLI_OK) {
        json_decref(request);
        return status;
    }
    if (hd_socket_send(&s, request) != 0)
        more = false;
    while (more) {
        json_t *page = hd_socket_read(&s), *row;
        size_t i;
        if (!page || json_object_get(page, "error")) {
            if (page)
                report_error(c, page);
            else
                hd_cli_error(c, "connection-lost", "heddled gave no answer");
            json_decref(page);
            status = HD_CLI_FAILED;
            break;
        }
        json_array_foreach(json_object_get(page, "rows"), i, row)
        {
            json_array_append(rows, row);
            each(c, row, sum);
        }
        more = json_is_true(json_object_get(page, "more"));
        json_decref(page);
    }
    hd_socket_close(&s);
    return status;
}

static void ping_row(struct hd_cli *c, const json_t *row, struct summary *s)
{
    double rtt = json_number_value(json_object_get(row, "rtt-ms"));
    bool answered = json_is_true(json_object_get(row, "answered"));
    const char *id = json_string_value(json_object_get(row, "id"));

    s->sent++;
    if (answered) {
        s->least = s->answered == 0 ? rtt : HD_MIN(s->least, rtt);
        s->most = HD_MAX(s->most, rtt);
        s->sum += rtt;
        s->answered++;
    }
    if (c->json)
        return;
    printf("%lld  %s  ", (long long)json_integer_value(json_object_get(row, "number")),
           id ? id : "");
    if (answered)
        printf("%lld hops  %.3f ms\n", (long long)json_integer_value(json_object_get(row, "hops")),
               rtt);
    else
        printf("%sno answer%s\n", hd_colour(c, "bad"), hd_colour_end(c));
    fflush(stdout);
}

int hd_cli_ping(struct hd_cli *c)
{
    json_t *args = json_pack("{s:s}", "node", c->args[0]), *rows;
    struct summary s = {0};
    int status;

    if (!args)
        return hd_cli_error(c, "invalid", "a node is named in ASCII");
    if (!add_number(c, args, "count", c->count, "-c") ||
        !add_number(c, args, "interval-ms", c->interval_ms, "-i") ||
        !add_number(c, args, "timeout-ms", c->timeout_ms, "-t")) {
        json_decref(args);
        return HD_CLI_USAGE;
    }
    rows = json_array();
    status = run(c, hd_request_make("ping", args), rows, ping_row, &s);
    if (status == HD_CLI_OK && c->json)
        hd_cli_print_json(json_pack("{s:O}", "ping", rows));
    json_decref(rows);
    if (status != HD_CLI_OK)
        return status;
    if (!c->json && s.answered > 0)
        printf("%zu sent, %zu answered; round trip %.3f / %.3f / %.3f ms (least, mean, most)\n",
               s.sent, s.answered, s.least, s.sum / (double)s.answered, s.most);
    else if (!c->json)
        printf("%zu sent, none answered\n", s.sent);
    return s.answered > 0 ? HD_CLI_OK : HD_CLI_FAILED;
}

static void path_row(struct hd_cli *c, const json_t *row, struct summary *s)
{
    const char *id = json_string_value(json_object_get(row, "id"));
    bool answered = json_is_true(json_object_get(row, "answered"));
    bool first = json_is_true(json_object_get(row, "first"));

    s->answered += answered;
    if (c->json)
        return;
    if (first && s->sent == 0)
        printf("first packets:\n");
    if (!first && s->first)
        printf("then:\n");
    s->first = first;
    s->sent++;
    printf("%3lld  %-28s  ", (long long)json_integer_value(json_object_get(row, "number")),
           id ? id : "-");
    if (answered)
        printf("%9.3f ms", json_number_value(json_object_get(row, "rtt-ms")));
    else
        printf("%sno answer%s   ", hd_colour(c, "warn"), hd_colour_end(c));
    printf("%s\n", json_is_true(json_object_get(row, "overlay")) ? "  overlay hop" : "");
    fflush(stdout);
}

int hd_cli_path(struct hd_cli *c)
{
    json_t *args = json_pack("{s:s}", "node", c->args[0]), *rows;
    struct summary s = {0};
    int status;

    if (!args)
        return hd_cli_error(c, "invalid", "a node is named in ASCII");
    if (!add_number(c, args, "timeout-ms", c->timeout_ms, "-t")) {
        json_decref(args);
        return HD_CLI_USAGE;
    }
    rows = json_array();
    status = run(c, hd_request_make("path", args), rows, path_row, &s);
    if (status == HD_CLI_OK && c->json)
        hd_cli_print_json(json_pack("{s:O}", "path", rows));
    else if (status == HD_CLI_OK && s.sent == 0)
        printf("no path is known\n");
    json_decref(rows);
    return status;
}

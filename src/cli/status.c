/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle status: one page that answers "is it well, and what is it doing?". What the security of
 * this machine depends on (an open fabric, interfaces left out) is said in full sentences.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const char *text(const json_t *o, const char *key)
{
    const char *t = json_string_value(json_object_get(o, key));

    return t ? t : "";
}

static long long number(const json_t *o, const char *key)
{
    return (long long)json_number_value(json_object_get(o, key));
}

static void label(const struct hd_cli *c, const char *name)
{
    printf("%s%-12s%s", hd_colour(c, "head"), name, hd_colour_end(c));
}

static void state_line(const struct hd_cli *c, const json_t *s)
{
    const char *state = text(s, "state");
    const char *tone = strcmp(state, "joined") == 0     ? "good"
                       : strcmp(state, "isolated") == 0 ? "bad"
                                                        : "warn";
    char up[32], change[32];

    label(c, "State");
    if (!json_object_get(s, "state") || strcmp(state, "starting") == 0) {
        const char *core = text(json_object_get(s, "daemon"), "core");
        if (*core)
            printf("running, without KIRA (core \"%s\")\n", core);
        else
            printf("%sstarting%s\n", hd_colour(c, "warn"), hd_colour_end(c));
        return;
    }
    printf("%s%s%s", hd_colour(c, tone), state, hd_colour_end(c));
    if (strcmp(state, "isolated") == 0)
        printf(": no neighbour is heard");
    printf("; up %s, routes changed %s ago\n",
           hd_age_format(json_number_value(json_object_get(s, "since-start-ms")), up),
           hd_age_format(json_number_value(json_object_get(s, "last-change-ms")), change));
    if (json_is_true(json_object_get(s, "id-collision"))) {
        label(c, "");
        printf("%sanother node with this ID was heard%s\n", hd_colour(c, "bad"), hd_colour_end(c));
    }
}

static void fabric_line(const struct hd_cli *c, const json_t *s)
{
    const json_t *open = json_object_get(s, "open");

    if (!open)
        open = json_object_get(json_object_get(s, "daemon"), "open");
    label(c, "Fabric");
    if (json_is_true(open))
        printf("%sOPEN: without a key; anybody on an attached link can join and be reached%s\n",
               hd_colour(c, "warn"), hd_colour_end(c));
    else
        printf("closed: only holders of the fabric key are heard\n");
}

static void names_line(const struct hd_cli *c, const json_t *names)
{
    size_t i;
    json_t *name;

    label(c, "Interfaces");
    if (json_array_size(names) == 0)
        printf("%snone is used%s", hd_colour(c, "bad"), hd_colour_end(c));
    json_array_foreach(names, i, name) printf("%s%s", i ? ", " : "", json_string_value(name));
    printf("\n");
}

static void left_out_lines(const struct hd_cli *c, const json_t *left)
{
    size_t i;
    json_t *one;

    json_array_foreach(left, i, one)
    {
        const char *flag = text(one, "include-with");
        label(c, i == 0 ? "Left out" : "");
        printf("%s: %s", text(one, "name"), text(one, "why"));
        if (*flag)
            printf(" (%s includes it)", flag);
        printf("\n");
    }
}

static void numbers_lines(const struct hd_cli *c, const json_t *s)
{
    if (!json_object_get(s, "node-id"))
        return;
    label(c, "Node ID");
    printf("%s\n", text(s, "node-id"));
    label(c, "Address");
    printf("%s\n", text(s, "address"));
    label(c, "Neighbours");
    printf("%lld\n", number(s, "neighbours"));
    label(c, "Contacts");
    printf("%lld in %lld buckets; vicinity of %lld nodes\n", number(s, "contacts"),
           number(s, "buckets"), number(s, "vicinity-nodes"));
    label(c, "Labels");
    printf("%lld explicit, %lld precomputed\n", number(s, "labels-explicit"),
           number(s, "labels-precomputed"));
}

/* The command that removes it, for copying. */
static void foreign_lines(const struct hd_cli *c, const json_t *s)
{
    const json_t *rows = json_object_get(s, "foreign");
    long long more = number(json_object_get(s, "daemon"), "foreign");
    size_t i;
    json_t *f;

    more -= (long long)json_array_size(rows);
    json_array_foreach(rows, i, f)
    {
        const char *name = text(f, "interface"), *prefix = text(f, "prefix");
        bool address = strcmp(text(f, "kind"), "address") == 0;
        label(c, i == 0 ? "Foreign" : "");
        printf("%s%s%s%s%s is cut off%s (remove it: ip -6 %s del %s%s%s)\n", hd_colour(c, "bad"),
               address ? "" : "route ", prefix, *name ? " on " : "", name, hd_colour_end(c),
               address ? "addr" : "route", prefix, *name ? " dev " : "", name);
    }
    if (more > 0) {
        label(c, "");
        printf("and %lld more\n", more);
    }
}

static void daemon_lines(const struct hd_cli *c, const json_t *d)
{
    if (!json_is_object(d))
        return;
    label(c, "Data plane");
    printf("%s", text(d, "backend"));
    if (*text(d, "features"))
        printf(": %s", text(d, "features"));
    printf("\n");
    label(c, "Sandbox");
    printf("%s; scheduling %s\n", *text(d, "sandbox") ? text(d, "sandbox") : "none",
           *text(d, "scheduling") ? text(d, "scheduling") : "unknown");
}

static void processes_line(const struct hd_cli *c, const json_t *processes)
{
    size_t i;
    json_t *p;

    if (json_array_size(processes) == 0)
        return;
    label(c, "Processes");
    json_array_foreach(processes, i, p)
    {
        long long restarts = number(p, "restarts");
        printf("%s%s %lld", i ? ", " : "", text(p, "name"), number(p, "pid"));
        if (restarts > 0)
            printf(" (%srestarted %lld times%s)", hd_colour(c, "warn"), restarts, hd_colour_end(c));
        if (strcmp(text(p, "state"), "ready") != 0)
            printf(" (%s%s%s)", hd_colour(c, "warn"), text(p, "state"), hd_colour_end(c));
    }
    printf("\n");
}

static void print_status(const struct hd_cli *c, const json_t *s)
{
    state_line(c, s);
    fabric_line(c, s);
    numbers_lines(c, s);
    names_line(c, json_object_get(s, "interfaces"));
    left_out_lines(c, json_object_get(s, "left-out"));
    foreign_lines(c, s);
    daemon_lines(c, json_object_get(s, "daemon"));
    processes_line(c, json_object_get(s, "processes"));
}

static int print_document(const struct hd_cli *c, json_t *s)
{
    /* `up --new -j` prints one document like every other command. */
    if (c->join_token[0])
        json_object_set_new(s, "join-token", json_string(c->join_token));
    return hd_cli_print_json(json_incref(s));
}

int hd_cli_status(struct hd_cli *c)
{
    json_t *rows;
    int status = hd_cli_fetch(c, hd_request_make("status", NULL), &rows, NULL);

    if (status == HD_CLI_OK && json_array_size(rows) != 1)
        status = hd_cli_error(c, "internal", "heddled gave no status");
    else if (status == HD_CLI_OK && c->json)
        status = print_document(c, json_array_get(rows, 0));
    else if (status == HD_CLI_OK)
        print_status(c, json_array_get(rows, 0));
    json_decref(rows);
    return status;
}

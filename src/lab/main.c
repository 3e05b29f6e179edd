/* SPDX-License-Identifier: Apache-2.0 */
/* The program heddle-lab: its command line, around the functions of lab.h and traffic.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lab/program.h"
#include "lib/base.h"
#include "lib/json.h"
#include "scenario/internal.h"

static const char usage[] =
    "heddle-lab: networks of real heddled in network namespaces\n"
    "\n"
    "  up FILE|GENERATOR   make a lab: scenario, topology file, or grid:3x3, ring:10, ...\n"
    "      --name NAME         (lab)          --state DIR    keep its state there\n"
    "      --seed N            for generators --no-daemon    namespaces and links only\n"
    "      --heddled PATH      which daemon   -- ARGS        further arguments for it\n"
    "  down                end all of it, leave nothing\n"
    "  status [-j]         nodes, daemons, links\n"
    "  exec NODE -- CMD    run a program at a node\n"
    "  cut A B [--silent]  take the link down at A, or let it drop everything in silence\n"
    "  heal A B            undo both\n"
    "  change A B [--loss 1%] [--delay-us N] [--jitter-us N] [--rate 100M]\n"
    "  kill NODE           SIGKILL to all processes of its heddled\n"
    "  stop NODE           let it say goodbye     start NODE   start it again\n"
    "  play FILE           play the schedule of a scenario, from now\n"
    "  flow A B [--interval-us 1000] [--seconds 5] [--size 64] [--to ADDRESS] [-j]\n"
    "                      numbered packets: lost, doubled, reordered, longest gap\n"
    "  reach [--pairs N] [--seed S] [--timeout-ms 10000] [--addresses FILE] [-j]\n"
    "                      time until every pair of nodes, or N of them, answers\n"
    "\n"
    "Every command but `up` takes --name NAME where more than one lab is up.\n";

int hd_lab_complain(const struct hd_lab_args *a, int code, const char *text)
{
    struct hd_json j;

    if (!a->json) {
        fprintf(stderr, "heddle-lab: %s\n", text);
        return HD_LAB_EXIT_FAILED;
    }
    hd_json_init(&j);
    hd_json_object(&j);
    hd_json_key(&j, "error");
    hd_json_object(&j);
    hd_json_kv_string(&j, "code", hd_error_name(code));
    hd_json_kv_string(&j, "message", text);
    hd_json_end(&j);
    hd_json_end(&j);
    char *line = hd_json_take(&j);

    printf("%s\n", line != NULL ? line : "{\"error\":{\"code\":\"no-memory\"}}");
    free(line);
    hd_json_free(&j);
    return HD_LAB_EXIT_FAILED;
}

/* --- command line --------------------------------------------------------------------------------
 */

enum option_type {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_NUMBER, /* decimals as far as `digits` says */
    OPTION_PPM,    /* "1.5%" or a whole number per million */
    OPTION_RATE,   /* "100M" or bits per second */
};

static const struct option {
    const char *name;
    enum option_type type;
    size_t offset;
    unsigned digits; /* of OPTION_NUMBER */
    uint32_t field;
} options[] = {
    {"--name", OPTION_TEXT, offsetof(struct hd_lab_args, name), 0, 0},
    {"--state", OPTION_TEXT, offsetof(struct hd_lab_args, state), 0, 0},
    {"--heddled", OPTION_TEXT, offsetof(struct hd_lab_args, heddled), 0, 0},
    {"--to", OPTION_TEXT, offsetof(struct hd_lab_args, to), 0, 0},
    {"--addresses", OPTION_TEXT, offsetof(struct hd_lab_args, addresses), 0, 0},
    {"--no-daemon", OPTION_FLAG, offsetof(struct hd_lab_args, no_daemon), 0, 0},
    {"--silent", OPTION_FLAG, offsetof(struct hd_lab_args, silent), 0, 0},
    {"-j", OPTION_FLAG, offsetof(struct hd_lab_args, json), 0, 0},
    {"--seed", OPTION_NUMBER, offsetof(struct hd_lab_args, seed), 0, 0},
    {"--pairs", OPTION_NUMBER, offsetof(struct hd_lab_args, pairs), 0, 0},
    {"--interval-us", OPTION_NUMBER, offsetof(struct hd_lab_args, interval_us), 0, 0},
    {"--seconds", OPTION_NUMBER, offsetof(struct hd_lab_args, seconds_ms), 3, 0},
    {"--timeout-ms", OPTION_NUMBER, offsetof(struct hd_lab_args, timeout_ms), 0, 0},
    {"--size", OPTION_NUMBER, offsetof(struct hd_lab_args, size), 0, 0},
    {"--delay-us", OPTION_NUMBER, offsetof(struct hd_lab_args, values.delay_ns), 3,
     HD_SCENARIO_F_DELAY},
    {"--jitter-us", OPTION_NUMBER, offsetof(struct hd_lab_args, values.jitter_ns), 3,
     HD_SCENARIO_F_JITTER},
    {"--loss", OPTION_PPM, offsetof(struct hd_lab_args, values.loss_ppm), 0, HD_SCENARIO_F_LOSS},
    {"--rate", OPTION_RATE, offsetof(struct hd_lab_args, values.rate_bps), 0, HD_SCENARIO_F_RATE},
};

static bool read_number(const struct option *o, const char *text, void *at)
{
    uint64_t v = 0;
    const char *end = text;
    int rc = 0;

    switch (o->type) {
    case OPTION_PPM:
        rc = hd_scn_decimal(text, strchr(text, '%') != NULL ? 4 : 0, &v, &end);
        *(uint32_t *)at = (uint32_t)v;
        return rc == 0 && v <= HD_SCENARIO_MILLION && (*end == '\0' || strcmp(end, "%") == 0);
    case OPTION_RATE:
        return hd_scn_rate(text, at);
    default:
        rc = hd_scn_decimal(text, o->digits, &v, &end);
        *(uint64_t *)at = v;
        return rc == 0 && *end == '\0' && v <= INT64_MAX / 1000000;
    }
}

static int bad_usage(const struct hd_lab_args *a, const char *what, const char *word)
{
    char text[256];

    snprintf(text, sizeof text, "%s \"%.100s\"; `heddle-lab help` lists what there is", what, word);
    hd_lab_complain(a, HD_EINVAL, text);
    return HD_LAB_EXIT_USAGE;
}

static const char *expected_by(const struct option *o)
{
    switch (o->type) {
    case OPTION_PPM:
        return "a share such as 1.5%, or a whole number per million";
    case OPTION_RATE:
        return "bits per second, such as 100M";
    default:
        return o->digits > 0 ? "a number such as 1.5" : "a whole number";
    }
}

static void wrong_value(const struct hd_lab_args *a, const struct option *o, const char *value)
{
    char text[256];

    if (value == NULL)
        snprintf(text, sizeof text, "no value for %s", o->name);
    else
        snprintf(text, sizeof text, "%s: \"%.100s\"; expected: %s", o->name, value, expected_by(o));
    hd_lab_complain(a, HD_EINVAL, text);
}

/* Takes one option with its value; returns the number of words used, 0 on failure. */
static int take_option(struct hd_lab_args *a, char **argv)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(options); i++) {
        const struct option *o = &options[i];
        void *at = (char *)a + o->offset;

        if (strcmp(argv[0], o->name) != 0)
            continue;
        a->fields |= o->field;
        if (o->type == OPTION_FLAG) {
            *(bool *)at = true;
            return 1;
        }
        if (argv[1] == NULL || (o->type != OPTION_TEXT && !read_number(o, argv[1], at))) {
            wrong_value(a, o, argv[1]);
            return 0;
        }
        if (o->type == OPTION_TEXT)
            *(const char **)at = argv[1];
        return 2;
    }
    bad_usage(a, "unknown option", argv[0]);
    return 0;
}

static int parse(struct hd_lab_args *a, char **argv)
{
    a->seed = 1;
    a->interval_us = 1000;
    a->seconds_ms = 5000;
    a->timeout_ms = 10000;
    a->size = 64;
    for (char **w = argv; *w != NULL; w++)
        a->json = a->json || (strcmp(*w, "-j") == 0 && a->rest == NULL);
    while (*argv != NULL) {
        if (strcmp(*argv, "--") == 0) {
            a->rest = argv + 1;
            break;
        }
        if (argv[0][0] == '-') {
            int used = take_option(a, argv);

            if (used == 0)
                return HD_LAB_EXIT_USAGE;
            argv += used;
        } else if (a->word_count == (int)HD_ARRAY_LEN(a->words)) {
            return bad_usage(a, "too many words:", *argv);
        } else {
            a->words[a->word_count++] = *argv++;
        }
    }
    return 0;
}

/* --- commands ------------------------------------------------------------------------------------
 */

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void tell_up(const struct hd_lab_args *a, const struct hd_lab *lab,
                    const struct hd_scenario *s, int64_t took_ms)
{
    uint32_t daemons = 0, wired = 0;

    for (uint32_t i = 0; i < lab->node_count; i++)
        daemons += lab->heddled[0] != '\0' && lab->nodes[i].started;
    for (uint32_t i = 0; i < lab->link_count; i++)
        wired += lab->links[i].wired;
    if (a->json) {
        printf("{\"name\":\"%s\",\"nodes\":%u,\"links\":%u,\"wired\":%u,\"daemons\":%u,"
               "\"took-ms\":%lld}\n",
               lab->name, lab->node_count, lab->link_count, wired, daemons, (long long)took_ms);
        return;
    }
    printf("lab \"%s\": %u nodes, %u links", lab->name, lab->node_count, lab->link_count);
    if (wired > 0)
        printf(" (%u by the wire)", wired);
    if (daemons > 0)
        printf(", %u heddled started", daemons);
    printf(" in %lld ms; state in %s\n", (long long)took_ms, lab->dir);
    if (s->dropped_nodes > 0)
        printf("%u nodes outside the largest connected part were left out\n", s->dropped_nodes);
    if (lab->node_count > 0)
        printf("try: ip netns exec heddle-%s-%s ip -6 address\n", lab->name, lab->nodes[0].name);
}

static int cmd_up(const struct hd_lab_args *a, char *err)
{
    const struct hd_lab_options o = {.name = a->name,
                                     .state_dir = a->state,
                                     .no_daemon = a->no_daemon,
                                     .heddled = a->heddled,
                                     .args = a->rest};
    int64_t start = now_ms();
    struct hd_scenario *s;
    struct hd_lab *lab;

    if (a->word_count != 1)
        return bad_usage(a, "expected one file or generator after", "up");
    int rc = hd_scenario_open(a->words[0], a->seed, &s, err, HD_LAB_ERROR);

    if (rc < 0)
        return hd_lab_complain(a, rc, err);
    rc = hd_lab_up(s, &o, &lab, err);
    if (rc == 0)
        tell_up(a, lab, s, now_ms() - start);
    hd_scenario_free(s);
    if (rc < 0)
        return hd_lab_complain(a, rc, err);
    hd_lab_close(lab);
    return 0;
}

uint32_t hd_lab_arg_node(const struct hd_lab_args *a, const struct hd_lab *lab, int word)
{
    char text[160];
    uint32_t node = word < a->word_count ? hd_lab_find_node(lab, a->words[word]) : HD_SCENARIO_NONE;

    if (node != HD_SCENARIO_NONE)
        return node;
    if (word >= a->word_count)
        snprintf(text, sizeof text, "expected the name of a node after \"%s\"", a->command);
    else
        snprintf(text, sizeof text,
                 "lab \"%s\" has no node \"%.64s\"; `heddle-lab status` lists them", lab->name,
                 a->words[word]);
    hd_lab_complain(a, HD_ENOENT, text);
    return HD_SCENARIO_NONE;
}

/* cut, heal and change, for each parallel link between both. */
static int change_link(const struct hd_lab_args *a, struct hd_lab *lab, uint32_t link, uint32_t at)
{
    enum hd_lab_side side = lab->links[link].node[0] == at ? HD_LAB_A : HD_LAB_B;

    if (strcmp(a->command, "cut") == 0)
        return hd_lab_cut(lab, link, side, a->silent);
    if (strcmp(a->command, "heal") == 0)
        return hd_lab_heal(lab, link);
    return hd_lab_change(lab, link, a->fields, &a->values);
}

static int cmd_link(const struct hd_lab_args *a, struct hd_lab *lab, char *err)
{
    uint32_t x = hd_lab_arg_node(a, lab, 0);
    uint32_t y = x == HD_SCENARIO_NONE ? x : hd_lab_arg_node(a, lab, 1);

    if (y == HD_SCENARIO_NONE)
        return HD_LAB_EXIT_FAILED;
    uint32_t link = hd_lab_find_link(lab, x, y, 0);

    if (link == HD_SCENARIO_NONE) {
        snprintf(err, HD_LAB_ERROR, "no link joins %s and %s", a->words[0], a->words[1]);
        return hd_lab_complain(a, HD_ENOENT, err);
    }
    for (; link != HD_SCENARIO_NONE; link = hd_lab_find_link(lab, x, y, link + 1)) {
        int rc = change_link(a, lab, link, x);

        if (rc < 0)
            return hd_lab_complain(a, rc, err);
    }
    return 0;
}

static int cmd_node(const struct hd_lab_args *a, struct hd_lab *lab, char *err)
{
    uint32_t node = hd_lab_arg_node(a, lab, 0);
    int rc;

    if (node == HD_SCENARIO_NONE)
        return HD_LAB_EXIT_FAILED;
    if (strcmp(a->command, "kill") == 0)
        rc = hd_lab_kill(lab, node);
    else if (strcmp(a->command, "stop") == 0)
        rc = hd_lab_stop(lab, node);
    else
        rc = hd_lab_start(lab, node);
    return rc < 0 ? hd_lab_complain(a, rc, err) : 0;
}

/* Becomes the program: no process of ours stands between it and the terminal. */
static int cmd_exec(const struct hd_lab_args *a, struct hd_lab *lab, char *err)
{
    uint32_t node = hd_lab_arg_node(a, lab, 0);

    if (node == HD_SCENARIO_NONE)
        return HD_LAB_EXIT_FAILED;
    if (a->rest == NULL || a->rest[0] == NULL)
        return bad_usage(a, "expected \"-- PROGRAM ARGUMENTS\" after", "exec NODE");
    int rc = hd_lab_enter(lab, node);

    if (rc < 0)
        return hd_lab_complain(a, rc, err);
    execvp(a->rest[0], a->rest);
    snprintf(err, HD_LAB_ERROR, "%s: %s", a->rest[0], strerror(errno));
    hd_lab_complain(a, HD_ESYS, err);
    return errno == ENOENT ? 127 : 126;
}

static int cmd_down(const struct hd_lab_args *a, struct hd_lab *lab, char *err)
{
    int64_t start = now_ms();
    int rc = hd_lab_down(lab);

    if (rc < 0)
        return hd_lab_complain(a, rc, err);
    if (!a->json)
        printf("lab \"%s\" is gone (%lld ms)\n", lab->name, (long long)(now_ms() - start));
    return 0;
}

static int cmd_play(const struct hd_lab_args *a, struct hd_lab *lab, char *err)
{
    struct hd_scenario *s;

    if (a->word_count != 1)
        return bad_usage(a, "expected one scenario after", "play");
    int rc = hd_scenario_open(a->words[0], a->seed, &s, err, HD_LAB_ERROR);

    if (rc < 0)
        return hd_lab_complain(a, rc, err);
    rc = hd_lab_play(lab, s);
    hd_scenario_free(s);
    return rc < 0 ? hd_lab_complain(a, rc, err) : 0;
}

static const struct command {
    const char *name;
    int (*run)(const struct hd_lab_args *a, struct hd_lab *lab, char *err);
} commands[] = {
    {"down", cmd_down},        {"status", hd_lab_cmd_status},
    {"exec", cmd_exec},        {"cut", cmd_link},
    {"heal", cmd_link},        {"change", cmd_link},
    {"kill", cmd_node},        {"stop", cmd_node},
    {"start", cmd_node},       {"play", cmd_play},
    {"flow", hd_lab_cmd_flow}, {"reach", hd_lab_cmd_reach},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(commands); i++) {
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int run_command(const struct hd_lab_args *a, const struct command *c, char *err)
{
    struct hd_lab *lab;
    int rc = hd_lab_open(a->name, &lab, err);

    if (rc < 0)
        return hd_lab_complain(a, rc, err);
    rc = c->run(a, lab, err);
    hd_lab_close(lab);
    return rc;
}

/* Behind "--" stand words for others. */
static bool wants_help(char **argv)
{
    for (; *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
        if (strcmp(*argv, "-h") == 0 || strcmp(*argv, "--help") == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct hd_lab_args a = {.command = argc > 1 ? argv[1] : "help"};
    char err[HD_LAB_ERROR] = "";
    const struct command *c = find_command(a.command);
    bool up = strcmp(a.command, "up") == 0;

    if (strcmp(a.command, "help") == 0 || wants_help(argv + 1)) {
        fputs(usage, stdout);
        return argc > 1 ? 0 : HD_LAB_EXIT_USAGE;
    }
    int rc = parse(&a, argv + 2);

    if (rc != 0)
        return rc;
    if (!up && c == NULL)
        return bad_usage(&a, "unknown command", a.command);
    if (geteuid() != 0)
        return hd_lab_complain(&a, HD_EPERM, "labs are made of network namespaces: run it as root");
    return up ? cmd_up(&a, err) : run_command(&a, c, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle: the program by which people and scripts see and steer a node. It holds no knowledge of
 * any protocol: it asks the control socket and prints what comes. Every command takes -j and then
 * prints exactly one JSON document (monitor: one per event), errors included.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base.h"

enum {
    OPT_NEW = 256,
    OPT_JOIN,
    OPT_OPEN,
    OPT_DAEMON,
    OPT_HEDDLED,
    OPT_ALL,
    OPT_STATE,
    OPT_CONFIRM,
    OPT_CANDIDATE
};

static const struct option options[] = {
    {"state", required_argument, NULL, OPT_STATE},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {"wide", no_argument, NULL, 'w'},
    {"all", no_argument, NULL, OPT_ALL},
    {"confirm", required_argument, NULL, OPT_CONFIRM},
    {"candidate", no_argument, NULL, OPT_CANDIDATE},
    {"new", no_argument, NULL, OPT_NEW},
    {"join", required_argument, NULL, OPT_JOIN},
    {"open", no_argument, NULL, OPT_OPEN},
    {"heddled", required_argument, NULL, OPT_HEDDLED},
    {"interface", required_argument, NULL, OPT_DAEMON},
    {"backend", required_argument, NULL, OPT_DAEMON},
    {"log-level", required_argument, NULL, OPT_DAEMON},
    {"recording", required_argument, NULL, OPT_DAEMON},
    {"count", required_argument, NULL, 'c'},
    {"interval", required_argument, NULL, 'i'},
    {"timeout", required_argument, NULL, 't'},
    {NULL, 0, NULL, 0},
};

#define SHORT ":jhwc:i:t:"

static void print_options(void)
{
    printf(
        "\nOptions:\n"
        "  --state DIR   the instance with this state folder (default %s)\n"
        "  -j, --json    one JSON document instead of text, errors included\n"
        "  -w, --wide    all columns of a table\n"
        "  -h, --help    help about a command\n\n"
        "NODE is an IPv6 address, an ID of 28 hex digits, or the unambiguous beginning of one.\n",
        HD_CLI_STATE_DEFAULT);
}

static int no_command(struct hd_cli *c, const char *name)
{
    char several[256];
    const char *near = hd_cli_suggest(name);

    if (*name && hd_cli_command_begins(name, several, sizeof several) > 0)
        hd_cli_error(c, "ambiguous", "which command is \"%s\": %s?", name, several);
    else if (near)
        hd_cli_error(c, "unknown-command", "there is no command \"%s\"; did you mean \"%s\"?", name,
                     near);
    else
        hd_cli_error(c, "unknown-command", "there is no command \"%s\"; `heddle help` lists them",
                     name);
    return HD_CLI_USAGE;
}

static int help_about(struct hd_cli *c, const char *name)
{
    const struct hd_cli_command *cmd = hd_cli_command_find(name);

    if (!cmd)
        return no_command(c, name);
    printf("heddle %s%s%s: %s\n", cmd->name, *cmd->usage ? " " : "", cmd->usage, cmd->what);
    if (cmd->run == hd_cli_up)
        printf("\n  --new              makes a fabric and its key, prints the join token\n"
               "  --join TOKEN       enters the fabric of this token (-: from standard input)\n"
               "  --open             a fabric without key: anybody on a link may join\n"
               "  --interface GLOB   uses these interfaces (may be repeated)\n"
               "  --backend B        ebpf, tun or auto\n"
               "  --log-level L      error, warning, notice, info or debug\n"
               "  --recording MIB    memory for what the router did last (1; 0: none)\n"
               "  --heddled PROGRAM  starts this one\n");
    if (cmd->run == hd_cli_ping)
        printf("\n  -c, --count N      how many (4)\n"
               "  -i, --interval MS  between two (1000)\n"
               "  -t, --timeout MS   to wait for an answer (2000)\n");
    if (cmd->run == hd_cli_config) {
        printf("\n");
        hd_cli_config_verbs(stdout);
        printf("\n  --confirm SECONDS  takes it back by itself unless it is confirmed in time\n"
               "  --candidate        the edited copy instead of what is in force\n"
               "\nPaths and models: man heddle-config\n");
    }
    return HD_CLI_OK;
}

int hd_cli_help(struct hd_cli *c)
{
    const struct hd_cli_command *cmd;

    if (c->arg_count > 0)
        return help_about(c, c->args[0]);
    printf("heddle [--state DIR] COMMAND [-j]\n\n");
    for (size_t i = 0; (cmd = hd_cli_command_at(i)) != NULL; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", cmd->name, cmd->usage);
        printf("  %-38s %s\n", left, cmd->what);
    }
    print_options();
    return HD_CLI_OK;
}

int hd_cli_version(struct hd_cli *c)
{
    if (c->json)
        return hd_cli_print_json(json_pack("{s:s}", "version", HD_VERSION));
    printf("heddle %s\n", HD_VERSION);
    return HD_CLI_OK;
}

static int usage_error(struct hd_cli *c, const char *word, const char *what)
{
    hd_cli_error(c, "usage", "%s: %s", word, what);
    return HD_CLI_USAGE;
}

/* Too few words, or with `extra` too many: says how it is written. */
static int wrong_words(struct hd_cli *c, const char *extra)
{
    const struct hd_cli_command *cmd = c->command;

    hd_cli_error(c, "usage", "%s%sexpected: heddle %s%s%s", extra ? extra : "",
                 extra ? ": one word too many; " : "", cmd->name, *cmd->usage ? " " : "",
                 cmd->usage);
    return HD_CLI_USAGE;
}

static int wrong_option(struct hd_cli *c, const char *word)
{
    const char *name = c->command->options;
    char list[256] = "";
    size_t len = 0;

    while (*name) {
        int n = (int)strcspn(name, " ");
        len += (size_t)snprintf(list + len, sizeof list - len, "--%.*s, ", n, name);
        name += n + 1;
    }
    hd_cli_error(c, "usage", "heddle %s has no option %s; it takes %s--state, --json and --help",
                 c->command->name, word, list);
    return HD_CLI_USAGE;
}

/* The option that getopt has just looked at, as it was written or could have been. */
static const char *option_word(char **argv, int value, int index, char buf[32])
{
    int letter = value == '?' ? optopt : value;

    if (index >= 0)
        snprintf(buf, 32, "--%s", options[index].name);
    else if (letter > 0 && letter < OPT_NEW && (value != '?' || !strchr(SHORT, letter)))
        snprintf(buf, 32, "-%c", letter);
    else
        return argv[optind - 1];
    return buf;
}

/* An option stands in the command's list, or is one that all take. */
static bool takes(const struct hd_cli_command *cmd, const char *name)
{
    char with_space[24];

    if (strcmp(name, "state") == 0 || strcmp(name, "json") == 0 || strcmp(name, "help") == 0)
        return true;
    snprintf(with_space, sizeof with_space, "%s ", name);
    return strstr(cmd->options, with_space) != NULL;
}

static const char *long_name(int value, int index)
{
    if (index >= 0)
        return options[index].name;
    for (size_t i = 0; options[i].name; i++) {
        if (options[i].val == value)
            return options[i].name;
    }
    return "";
}

static bool to_daemon(struct hd_cli *c, const char *name)
{
    static char texts[HD_ARRAY_LEN(((struct hd_cli *)0)->daemon_args)][32];

    if (c->daemon_arg_count + 2 > (int)HD_ARRAY_LEN(c->daemon_args))
        return false;
    snprintf(texts[c->daemon_arg_count], sizeof texts[0], "--%s", name);
    c->daemon_args[c->daemon_arg_count] = texts[c->daemon_arg_count];
    c->daemon_args[c->daemon_arg_count + 1] = optarg;
    c->daemon_arg_count += 2;
    return true;
}

static bool set_option(struct hd_cli *c, int value, int index)
{
    switch (value) {
    case OPT_STATE:
        c->state = optarg;
        return true;
    case 'j':
        c->json = true;
        return true;
    case 'h':
        c->help = true;
        return true;
    case 'w':
        c->wide = true;
        return true;
    case OPT_ALL:
        c->all = true;
        return true;
    case OPT_CONFIRM:
        c->confirm = optarg;
        return true;
    case OPT_CANDIDATE:
        c->candidate = true;
        return true;
    case OPT_NEW:
        c->new_fabric = true;
        return true;
    case OPT_JOIN:
        c->join = optarg;
        return true;
    case OPT_OPEN:
        c->open_fabric = true;
        return true;
    case OPT_HEDDLED:
        c->heddled = optarg;
        return true;
    case OPT_DAEMON:
        return to_daemon(c, options[index].name);
    case 'c':
        c->count = optarg;
        return true;
    case 'i':
        c->interval_ms = optarg;
        return true;
    case 't':
        c->timeout_ms = optarg;
        return true;
    default:
        return false;
    }
}

/* Where the command stands among the words; 0: there is none. */
static int find_command(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--state") == 0)
            i++;
        else if (argv[i][0] != '-')
            return i;
    }
    return 0;
}

static int parse(struct hd_cli *c, int argc, char **argv)
{
    int value, index = -1;
    char word[32];

    opterr = 0;
    while ((value = getopt_long(argc, argv, SHORT, options, &index)) != -1) {
        if (value == ':')
            return usage_error(c, argv[optind - 1], "needs a value");
        if (value == '?' || !takes(c->command, long_name(value, index)))
            return wrong_option(c, option_word(argv, value, index, word));
        if (!set_option(c, value, index))
            return usage_error(c, long_name(value, index), "given too often");
        index = -1;
    }
    for (int i = optind + 1; i < argc; i++) {
        if (c->arg_count == HD_ARRAY_LEN(c->args))
            return wrong_words(c, argv[i]);
        c->args[c->arg_count++] = argv[i];
    }
    return HD_CLI_OK;
}

/* -j counts even when the words after it make no sense: errors are JSON then, too. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-j") == 0 || strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

static bool sees_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static int run(struct hd_cli *c)
{
    if (c->help)
        return help_about(c, c->command->name);
    if (c->arg_count < c->command->min_args)
        return wrong_words(c, NULL);
    if (c->arg_count > c->command->max_args)
        return wrong_words(c, c->args[c->arg_count - 1]);
    return c->command->run(c);
}

int main(int argc, char **argv)
{
    struct hd_cli c = {.state = HD_CLI_STATE_DEFAULT};
    int at = find_command(argc, argv), status;

    signal(SIGPIPE, SIG_DFL);
    c.json = wants_json(argc, argv);
    c.colour = !c.json && sees_colour();
    if (at == 0) {
        hd_cli_help(&c);
        return argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
                   ? HD_CLI_OK
                   : HD_CLI_USAGE;
    }
    c.command = hd_cli_command_find(argv[at]);
    if (!c.command)
        return no_command(&c, argv[at]);
    if (!c.command->run)
        return hd_cli_exec_tool(c.command->name, argv + at);
    status = parse(&c, argc, argv);
    if (status == HD_CLI_OK)
        status = run(&c);
    return status;
}

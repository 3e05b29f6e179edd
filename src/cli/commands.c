/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of heddle in one table: help, completion and the man page follow its order. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "lib/base.h"

static const struct hd_cli_command commands[] = {
    {"up", "[--new | --join TOKEN | --open]", "makes or joins a fabric and starts heddled",
     "new join open interface backend log-level recording heddled ", 0, 0, hd_cli_up},
    {"down", "", "stops heddled and removes what it put into the kernel", "", 0, 0, hd_cli_down},
    {"status", "", "the state of this node", "", 0, 0, hd_cli_status},
    {"interfaces", "", "interfaces, used or left out, and why", "wide ", 0, 0, hd_cli_list},
    {"neighbours", "", "physical neighbours, one row per link", "wide ", 0, 0, hd_cli_list},
    {"contacts", "", "entries of the routing table", "wide ", 0, 0, hd_cli_list},
    {"vicinity", "", "nodes within two hops", "wide ", 0, 0, hd_cli_list},
    {"labels", "", "label entries of the data plane", "wide ", 0, 0, hd_cli_list},
    {"forwarding", "", "routes to nodes of the fabric", "wide ", 0, 0, hd_cli_list},
    {"adjacencies", "", "neighbours as packets leave to them", "wide ", 0, 0, hd_cli_list},
    {"counters", "[--all]", "what was sent, heard and dropped", "wide all ", 0, 0, hd_cli_list},
    {"processes", "", "the processes of heddled", "wide ", 0, 0, hd_cli_list},
    {"sockets", "", "sockets of the router process", "wide ", 0, 0, hd_cli_list},
    {"show", "[CORE [LIST]]", "any list of any core, or which there are", "wide ", 0, 2,
     hd_cli_show},
    {"bfd", "[sessions|counters|summary]", "sessions of BFD", "wide all ", 0, 1, hd_cli_protocol},
    {"vrrp", "[routers|peers|counters|summary]", "virtual routers", "wide all ", 0, 1,
     hd_cli_protocol},
    {"metrics", "", "counters and states as OpenMetrics", "", 0, 0, hd_cli_metrics},
    {"ping", "NODE [-c N] [-i MS]", "asks a node for answers", "count interval timeout ", 1, 1,
     hd_cli_ping},
    {"path", "NODE", "the nodes on the way to one", "timeout ", 1, 1, hd_cli_path},
    {"monitor", "", "events as they happen", "", 0, 0, hd_cli_monitor},
    {"record", "FILE", "saves what the router did last, to be replayed", "", 1, 1, hd_cli_record},
    {"config", "VERB ...", "looks at and changes the configuration", "confirm candidate ", 0, 3,
     hd_cli_config},
    {"restart", "", "starts all processes anew while traffic goes on", "", 0, 0, hd_cli_restart},
    {"lab", "...", "labs of network namespaces (heddle-lab)", "", 0, 0, NULL},
    {"sim", "...", "the simulator (heddle-sim)", "", 0, 0, NULL},
    {"help", "[COMMAND]", "this text", "", 0, 1, hd_cli_help},
    {"version", "", "the version", "", 0, 0, hd_cli_version},
};

static const struct {
    const char *alias, *name;
} aliases[] = {
    {"neighbors", "neighbours"},
    {"routes", "forwarding"},
    {"traceroute", "path"},
    {"stop", "down"},
    {"start", "up"},
};

const struct hd_cli_command *hd_cli_command_at(size_t i)
{
    return i < HD_ARRAY_LEN(commands) ? &commands[i] : NULL;
}

const struct hd_cli_command *hd_cli_command_find(const char *name)
{
    const struct hd_cli_command *found = NULL;

    for (size_t i = 0; i < HD_ARRAY_LEN(aliases); i++) {
        if (strcmp(aliases[i].alias, name) == 0)
            name = aliases[i].name;
    }
    for (size_t i = 0; i < HD_ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    for (size_t i = 0; i < HD_ARRAY_LEN(commands); i++) {
        if (strncmp(commands[i].name, name, strlen(name)) != 0)
            continue;
        if (found || strlen(name) < 2)
            return NULL;
        found = &commands[i];
    }
    return found;
}

size_t hd_cli_command_begins(const char *name, char *buf, size_t size)
{
    size_t found = 0, len = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < HD_ARRAY_LEN(commands) && len < size; i++) {
        if (strncmp(commands[i].name, name, strlen(name)) == 0)
            len += (size_t)snprintf(buf + len, size - len, "%s%s", found++ > 0 ? ", " : "",
                                    commands[i].name);
    }
    return found;
}

#define WORD_MAX 32

/* Edit distance with neighbouring letters swapped as one step (optimal string alignment). */
static size_t distance(const char *a, const char *b)
{
    size_t d[WORD_MAX + 1][WORD_MAX + 1], n = strlen(a), m = strlen(b);

    if (n > WORD_MAX || m > WORD_MAX)
        return WORD_MAX;
    for (size_t i = 0; i <= n; i++) {
        for (size_t k = 0; k <= m; k++) {
            if (i == 0 || k == 0) {
                d[i][k] = i + k;
                continue;
            }
            d[i][k] = HD_MIN(d[i - 1][k], d[i][k - 1]) + 1;
            d[i][k] = HD_MIN(d[i][k], d[i - 1][k - 1] + (a[i - 1] != b[k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                d[i][k] = HD_MIN(d[i][k], d[i - 2][k - 2] + 1);
        }
    }
    return d[n][m];
}

const char *hd_cli_suggest(const char *name)
{
    const char *best = NULL;
    size_t least = 3;

    for (size_t i = 0; i < HD_ARRAY_LEN(commands); i++) {
        size_t d = distance(name, commands[i].name);
        if (d < least && d < strlen(name)) {
            least = d;
            best = commands[i].name;
        }
    }
    return best;
}

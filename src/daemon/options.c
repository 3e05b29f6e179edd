/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of heddled (options.h). */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/log.h"
#include "replay/format.h"
#include "router/router.h"

#ifndef HD_VERSION
#define HD_VERSION "unknown"
#endif

enum {
    OPT_ROLE = 256,
    OPT_CORE,
};

static const struct option long_options[] = {
    {"foreground", no_argument, NULL, 'f'},
    {"state", required_argument, NULL, 's'},
    {"open", no_argument, NULL, 'o'},
    {"interface", required_argument, NULL, 'i'},
    {"backend", required_argument, NULL, 'b'},
    {"log-level", required_argument, NULL, 'l'},
    {"recording", required_argument, NULL, 'r'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"role", required_argument, NULL, OPT_ROLE}, /* the keeper's word to its children */
    {"core", required_argument, NULL, OPT_CORE}, /* developers: doc/new-protocol.md */
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: heddled [--foreground] [--state DIR] [--open] [--interface GLOB]...\n"
    "               [--backend ebpf|tun|auto] [--log-level error|warning|notice|info|debug]\n"
    "               [--recording MIB]\n"
    "\n"
    "  --foreground      stay in the foreground and log to standard error\n"
    "  --state DIR       keep keys, state and the control socket here\n"
    "                    (default: " HD_STATE_DEFAULT ", socket in " HD_RUN_DEFAULT ")\n"
    "  --open            run without a fabric key: whoever is attached takes part\n"
    "  --interface GLOB  use these interfaces and no others; may be repeated\n"
    "  --backend NAME    data plane: ebpf, tun, or auto, which tries them in this order\n"
    "  --log-level NAME  how much to say (default: notice)\n"
    "  --recording MIB   memory for what the router did last (default: 1; 0: none)\n"
    "\n"
    "`heddle up` starts heddled with what it needs; see heddled(8).\n";

static int choose(const char *what, const char *value, const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        if (names[i] != NULL && strcmp(value, names[i]) == 0) {
            return i;
        }
    }
    fprintf(stderr, "heddled: --%s: \"%s\"; expected:", what, value);
    for (int i = 0; i < n; i++) {
        if (names[i] != NULL) {
            fprintf(stderr, " %s", names[i]);
        }
    }
    fputc('\n', stderr);
    return HD_EINVAL;
}

static int read_backend(struct hd_options *o, const char *value)
{
    static const char *const names[] = {"auto", "ebpf", "tun", "none"};
    int n = choose("backend", value, names, HD_ARRAY_LEN(names));
    o->backend = (enum hd_backend_choice)HD_MAX(n, 0);
    return n < 0 ? n : 0;
}

static int read_core(struct hd_options *o, const char *value)
{
    const char *names[HD_CORE_COUNT] = {0};
    for (unsigned i = 0; i < HD_CORE_COUNT; i++) {
        const struct hd_core_ops *ops = hd_core_ops((uint8_t)i);
        names[i] = ops != NULL ? ops->name : NULL;
    }
    int n = choose("core", value, names, HD_CORE_COUNT);
    o->core = (uint8_t)HD_MAX(n, 0);
    return n < 0 ? n : 0;
}

static int read_role(struct hd_options *o, const char *value)
{
    const char *names[HD_ROLE_COUNT];
    for (unsigned i = 0; i < HD_ROLE_COUNT; i++) {
        names[i] = hd_role_name((enum hd_role)i);
    }
    int n = choose("role", value, names, HD_ROLE_COUNT);
    o->role = (enum hd_role)HD_MAX(n, 0);
    return n < 0 ? n : 0;
}

static int read_level(struct hd_options *o, const char *value)
{
    o->log_level = hd_log_level_parse(value);
    if (o->log_level < 0) {
        fprintf(stderr, "heddled: --log-level: \"%s\"; expected: error warning notice info debug\n",
                value);
    }
    return HD_MIN(o->log_level, 0);
}

static int read_recording(struct hd_options *o, const char *value)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' ||
        n > HD_RECORDING_BYTES_MAX / HD_RECORDING_MIB) {
        fprintf(stderr, "heddled: --recording takes a number of MiB from 0 to %zu, not \"%s\"\n",
                HD_RECORDING_BYTES_MAX / HD_RECORDING_MIB, value);
        return HD_EINVAL;
    }
    o->recording_bytes = n * HD_RECORDING_MIB;
    return 0;
}

/* Absolute, because the daemon leaves its folder. */
static int read_state(struct hd_options *o, const char *value)
{
    char here[HD_PATH_BYTES] = "";
    if (value[0] != '/' && getcwd(here, sizeof here) == NULL) {
        perror("heddled: current folder");
        return HD_EINVAL;
    }
    const char *slash = here[0] != '\0' ? "/" : "";
    if (snprintf(o->state_dir, sizeof o->state_dir, "%s%s%s", here, slash, value) >=
        (int)sizeof o->state_dir) {
        fprintf(stderr, "heddled: --state: the path is too long\n");
        return HD_EINVAL;
    }
    memcpy(o->run_dir, o->state_dir, sizeof o->run_dir);
    return 0;
}

static int read_glob(struct hd_options *o, const char *value)
{
    if (o->glob_count == HD_GLOBS_MAX) {
        fprintf(stderr, "heddled: at most %d times --interface\n", HD_GLOBS_MAX);
        return HD_EINVAL;
    }
    o->globs[o->glob_count++] = value;
    return 0;
}

static int read_one(struct hd_options *o, int option, const char *value)
{
    switch (option) {
    case 'f':
        o->foreground = true;
        return 0;
    case 'o':
        o->open = true;
        return 0;
    case 's':
        return read_state(o, value);
    case 'i':
        return read_glob(o, value);
    case 'b':
        return read_backend(o, value);
    case 'l':
        return read_level(o, value);
    case 'r':
        return read_recording(o, value);
    case OPT_ROLE:
        return read_role(o, value);
    case OPT_CORE:
        return read_core(o, value);
    case 'h':
        fputs(usage, stdout);
        return 1;
    case 'V':
        puts("heddled " HD_VERSION);
        return 1;
    default:
        fputs("Try: heddled --help\n", stderr);
        return HD_EINVAL;
    }
}

int hd_options_read(struct hd_options *o, int argc, char **argv)
{
    int option;
    memset(o, 0, sizeof *o);
    o->core = HD_CORE_KIRA;
    o->log_level = HD_LOG_NOTICE;
    o->recording_bytes = HD_RECORDING_BYTES_DEFAULT;
    strcpy(o->state_dir, HD_STATE_DEFAULT);
    strcpy(o->run_dir, HD_RUN_DEFAULT);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        int result = read_one(o, option, optarg);
        if (result != 0) {
            return result;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "heddled: what is \"%s\"?\n%s", argv[optind], usage);
        return HD_EINVAL;
    }
    return 0;
}

char *hd_options_state_path(const struct hd_options *o, const char *name, char *buf)
{
    snprintf(buf, HD_PATH_BYTES, "%s/%s", o->state_dir, name);
    return buf;
}

char *hd_options_run_path(const struct hd_options *o, const char *name, char *buf)
{
    snprintf(buf, HD_PATH_BYTES, "%s/%s", o->run_dir, name);
    return buf;
}

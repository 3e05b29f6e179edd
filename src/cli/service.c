/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and stopping heddled: by systemd where it runs our unit, which only serves the default
 * state folder; by ourselves everywhere else.
 */
#include "cli/cli.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base.h"

#define UNIT "heddled.service"

const char *hd_service_program(const char *name, char *buf, size_t size)
{
    static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                          "/usr/bin"};
    /* Beside us when installed, in the neighbouring folders of a build tree. */
    static const char *const beside[] = {"", "../daemon/", "../lab/", "../sim/", "../sbin/"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n > 0) {
        self[n] = '\0';
        for (size_t i = 0; i < HD_ARRAY_LEN(beside); i++) {
            char copy[PATH_MAX];
            memcpy(copy, self, (size_t)n + 1);
            int len = snprintf(buf, size, "%s/%s%s", dirname(copy), beside[i], name);
            if (len > 0 && (size_t)len < size && access(buf, X_OK) == 0)
                return buf;
        }
    }
    for (size_t i = 0; i < HD_ARRAY_LEN(folders); i++) {
        snprintf(buf, size, "%s/%s", folders[i], name);
        if (access(buf, X_OK) == 0)
            return buf;
    }
    return NULL;
}

/* Runs a program to its end: its exit status, or -1. */
static int run_program(const char *path, const char *const *argv)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    if (pid < 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool hd_service_by_systemd(const struct hd_cli *c)
{
    static const char *const units[] = {
        "/etc/systemd/system/" UNIT, "/usr/local/lib/systemd/system/" UNIT,
        "/usr/lib/systemd/system/" UNIT, "/lib/systemd/system/" UNIT};

    if (strcmp(c->state, HD_CLI_STATE_DEFAULT) != 0 || access("/run/systemd/system", F_OK) != 0)
        return false;
    for (size_t i = 0; i < HD_ARRAY_LEN(units); i++) {
        if (access(units[i], F_OK) == 0)
            return true;
    }
    return false;
}

int hd_service_systemctl(struct hd_cli *c, const char *verb)
{
    const char *argv[] = {"systemctl", verb, UNIT, NULL};

    if (run_program("/bin/systemctl", argv) == 0)
        return HD_CLI_OK;
    return hd_cli_error(c, "systemd", "systemctl %s %s failed; see: journalctl -u %s", verb, UNIT,
                        UNIT);
}

int hd_service_start(struct hd_cli *c)
{
    const char *argv[HD_ARRAY_LEN(c->daemon_args) + 4];
    char path[PATH_MAX];
    size_t n = 0;
    int status;

    if (!c->heddled)
        c->heddled = hd_service_program("heddled", path, sizeof path);
    if (!c->heddled)
        return hd_cli_error(c, "not-installed",
                            "the program heddled was not found; is it installed?");
    argv[n++] = c->heddled;
    argv[n++] = "--state";
    argv[n++] = c->state;
    for (int i = 0; i < c->daemon_arg_count; i++)
        argv[n++] = c->daemon_args[i];
    argv[n] = NULL;
    fflush(stdout);
    status = run_program(c->heddled, argv);
    if (status != 0)
        return hd_cli_error(c, "refused",
                            "%s did not start (exit status %d); what it said stands "
                            "above",
                            c->heddled, status);
    return HD_CLI_OK;
}

bool hd_service_wait(const struct hd_cli *c, bool want, int timeout_ms)
{
    for (int waited = 0; waited <= timeout_ms; waited += 20) {
        if ((hd_cli_probe(c) == 0) == want)
            return true;
        poll(NULL, 0, 20);
    }
    return false;
}

/* The pid of the router if its core runs, from one answer to `status`. */
static json_int_t ready_router(const json_t *status)
{
    const json_t *daemon = json_object_get(status, "daemon");
    const char *core = json_string_value(json_object_get(daemon, "core"));
    json_t *processes = json_object_get(status, "processes"), *p;
    size_t i;

    if (!core || !*core)
        return 0;
    json_array_foreach(processes, i, p)
    {
        const char *name = json_string_value(json_object_get(p, "name"));
        if (name && strcmp(name, "router") == 0)
            return json_integer_value(json_object_get(p, "pid"));
    }
    return 0;
}

json_int_t hd_service_ready(const struct hd_cli *c, json_int_t other_than, int timeout_ms)
{
    struct hd_cli asker = *c;
    json_int_t pid = 0;
    json_t *rows;

    asker.quiet = true;
    for (int waited = 0;; waited += 50) {
        if (hd_cli_fetch(&asker, hd_request_make("status", NULL), &rows, NULL) == HD_CLI_OK)
            pid = ready_router(json_array_get(rows, 0));
        json_decref(rows);
        if (pid != 0 && pid != other_than)
            return pid;
        if (waited >= timeout_ms)
            return 0;
        poll(NULL, 0, 50);
    }
}

int hd_cli_exec_tool(const char *name, char **argv)
{
    char path[PATH_MAX], tool[32];

    snprintf(tool, sizeof tool, "heddle-%s", name);
    argv[0] = tool;
    if (hd_service_program(tool, path, sizeof path))
        execv(path, argv);
    else
        execvp(tool, argv);
    fprintf(stderr, "heddle: %s is not installed (%s)\n", tool, strerror(errno));
    return HD_CLI_FAILED;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Starting roles, and joining them by channels (keeper.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/privileges.h"
#include "lib/base.h"
#include "linux/event_loop.h"

#define ARGS_MAX 96

/* Who talks to whom. */
static const enum hd_role pairs[][2] = {
    {HD_ROLE_SYSTEM, HD_ROLE_ROUTER},
    {HD_ROLE_ROUTER, HD_ROLE_MANAGE},
};

/* A high number first, so that moving one descriptor into place cannot hit another. */
static int move_fd(int fd, int to)
{
    int high = fcntl(fd, F_DUPFD, 64);
    return high < 0 ? -1 : dup2(high, to);
}

static void become(struct hd_keeper *k, enum hd_role role, int channel)
{
    static char role_option[] = "--role";
    char name[32], *args[ARGS_MAX];
    int n = 0, extra = role == HD_ROLE_SYSTEM   ? k->state
                       : role == HD_ROLE_ROUTER ? k->recording
                                                : k->listen;

    snprintf(name, sizeof name, "heddled: %s", hd_role_name(role));
    args[n++] = name;
    for (int i = 1; i < k->argc && n < ARGS_MAX - 3; i++) {
        args[n++] = k->argv[i];
    }
    args[n++] = role_option;
    args[n++] = (char *)(uintptr_t)hd_role_name(role);
    args[n] = NULL;
    sigprocmask(SIG_SETMASK, &k->old_signals, NULL);
    hd_privileges_hurry(role != HD_ROLE_MANAGE);
    int high = extra >= 0 ? fcntl(extra, F_DUPFD, 64) : -1;
    if (move_fd(channel, HD_CHANNEL_KEEPER_FD) < 0) {
        _exit(127);
    }
    if (extra < 0) {
        close(HD_CHANNEL_RECORDING_FD);
    } else if (dup2(high, HD_CHANNEL_LISTEN_FD) < 0) {
        _exit(127);
    }
    /* Everything but 0 to 4 closes: also the copies above. */
    close_range(HD_CHANNEL_LISTEN_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    execv("/proc/self/exe", args); /* the very file that we run, even if it was replaced */
    execv(k->program, args);
    _exit(127);
}

static void join(struct hd_keeper *k, enum hd_role a, enum hd_role b)
{
    int ends[2];
    if (k->child[a].pid == 0 || k->child[b].pid == 0) {
        return;
    }
    if (hd_channel_pair(ends) < 0) {
        hd_log_line(&k->log, HD_LOG_ERROR, "no-channel", "error=%s", strerror(errno));
        return;
    }
    struct hd_msg_peer to_a = {.role = b}, to_b = {.role = a};
    int error = hd_channel_send_fds(k->child[a].channel, HD_MSG_PEER, &to_a, NULL, 0, &ends[0], 1);
    error |= hd_channel_send_fds(k->child[b].channel, HD_MSG_PEER, &to_b, NULL, 0, &ends[1], 1);
    if (error != 0) {
        hd_log_line(&k->log, HD_LOG_WARNING, "peer-not-told", "between=%s,%s", hd_role_name(a),
                    hd_role_name(b));
    }
    close(ends[0]);
    close(ends[1]);
}

int hd_keeper_spawn(struct hd_keeper *k, enum hd_role role)
{
    struct hd_child *c = &k->child[role];
    int ends[2];
    if (hd_channel_pair(ends) < 0) {
        return HD_ESYS;
    }
    if (role == HD_ROLE_ROUTER) {
        hd_keeper_recording_make(k);
    }
    pid_t pid = fork();
    if (pid == 0) {
        become(k, role, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return HD_ESYS;
    }
    c->pid = pid;
    c->channel = ends[0];
    c->started = hd_clock_now();
    c->starts++;
    c->ready = c->hung = false;
    c->retry_at = HD_NEVER;
    if (hd_channel_hello(c->channel, HD_ROLE_KEEPER) < 0) {
        return HD_ESYS; /* it will be buried */
    }
    if (role == HD_ROLE_SYSTEM) {
        hd_deposits_give(k, c->channel);
    }
    if (role == HD_ROLE_ROUTER) {
        hd_keeper_sender_give(k);
        hd_keeper_recall_give(k);
    }
    for (unsigned i = 0; i < HD_ARRAY_LEN(pairs); i++) {
        if (pairs[i][0] == role || pairs[i][1] == role) {
            join(k, pairs[i][0], pairs[i][1]);
        }
    }
    return 0;
}

void hd_keeper_bury(struct hd_keeper *k, enum hd_role role, int status)
{
    struct hd_child *c = &k->child[role];
    hd_time now = hd_clock_now();
    bool steady = now - c->started >= HD_KEEPER_STEADY;

    close(c->channel);
    c->pid = 0;
    c->channel = -1;
    c->ready = false;
    c->last_end =
        WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0x100u + (uint32_t)WEXITSTATUS(status);
    /* The first one comes back at once, whoever fails again and again ever later. */
    c->retry_at = steady || c->backoff == 0 ? now : now + c->backoff;
    c->backoff = steady || c->backoff == 0 ? HD_KEEPER_BACKOFF
                                           : HD_MIN(c->backoff * 2, HD_KEEPER_BACKOFF_MAX);
}

void hd_keeper_send(struct hd_keeper *k, enum hd_role role, enum hd_message_type type,
                    const void *body, const void *tail, size_t tail_len)
{
    struct hd_child *c = &k->child[role];
    if (c->pid != 0 && hd_channel_send(c->channel, type, body, tail, tail_len) == HD_EAGAIN) {
        hd_log_line(&k->log, HD_LOG_ERROR, "process-hangs", "process=%s", hd_role_name(role));
        c->hung = true;
        kill(c->pid, SIGKILL);
    }
}

void hd_keeper_tell_processes(struct hd_keeper *k)
{
    struct hd_row_process rows[HD_ROLE_COUNT];
    hd_time now = hd_clock_now();
    memset(rows, 0, sizeof rows);
    for (unsigned i = 0; i < HD_ROLE_COUNT; i++) {
        const struct hd_child *c = &k->child[i];
        struct hd_row_process *r = &rows[i];
        snprintf(r->name, sizeof r->name, "%s", hd_role_name((enum hd_role)i));
        r->state =
            c->pid == 0 ? HD_PROCESS_WAITING : (c->ready ? HD_PROCESS_READY : HD_PROCESS_STARTING);
        r->pid = (uint32_t)c->pid;
        r->restarts = c->starts > 0 ? c->starts - 1 : 0;
        r->uptime_ns = c->pid != 0 ? now - c->started : 0;
        r->last_end = c->last_end;
    }
    hd_keeper_send(k, HD_ROLE_ROUTER, HD_MSG_PROCESSES, NULL, rows, sizeof rows);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's loop (keeper.h). An orderly end asks one role after the other: the router says
 * goodbye while the sockets are still there, then system takes everything out of the kernel, then
 * manage goes. A restart asks them the other way round, with the word that forwarding stays, so
 * that the router speaks to its neighbours to the last moment, and executes the program anew. What
 * follows until there is a router again runs at real-time priority: neighbours are waiting.
 */
#include "daemon/keeper.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/privileges.h"
#include "lib/base.h"
#include "linux/event_loop.h"

static const enum hd_role end_order[] = {HD_ROLE_ROUTER, HD_ROLE_SYSTEM, HD_ROLE_MANAGE};
static const enum hd_role restart_order[] = {HD_ROLE_MANAGE, HD_ROLE_SYSTEM, HD_ROLE_ROUTER};

static void stop_role(struct hd_keeper *k, enum hd_role role)
{
    struct hd_msg_stop stop = {.keep = k->keep};
    k->stopping = role;
    k->stop_by = hd_clock_now() + HD_KEEPER_STOP;
    hd_keeper_send(k, role, HD_MSG_STOP, &stop, NULL, 0);
}

/* Asks the next role that still runs; false when none does. */
static bool stop_next(struct hd_keeper *k)
{
    const enum hd_role *order = k->keep ? restart_order : end_order;
    for (unsigned i = 0; i < HD_ARRAY_LEN(end_order); i++) {
        if (k->child[order[i]].pid != 0) {
            stop_role(k, order[i]);
            return true;
        }
    }
    return false;
}

static void begin_stop(struct hd_keeper *k, bool keep, int status)
{
    if (k->phase == HD_KEEPER_STOPPING) {
        k->keep = k->keep && keep; /* a full stop overrules a restart */
        return;
    }
    hd_log_line(&k->log, HD_LOG_NOTICE, keep ? "restart" : "stop", "pid=%d", (int)getpid());
    k->phase = HD_KEEPER_STOPPING;
    k->keep = keep;
    k->exit_status = status;
    stop_next(k);
}

/* --- signals and ends ----------------------------------------------------------------------------
 */

static void note_end(struct hd_keeper *k, enum hd_role role, int status)
{
    hd_keeper_bury(k, role, status);
    bool expected = k->phase == HD_KEEPER_STOPPING && role == k->stopping;
    uint32_t end = k->child[role].last_end;
    hd_log_line(&k->log, expected ? HD_LOG_INFO : HD_LOG_ERROR, "process-ended", "process=%s %s=%u",
                hd_role_name(role), end < 0x100 ? "signal" : "status", end & 0xff);
    if (role == HD_ROLE_ROUTER) {
        hd_keeper_recording_died(k);
    }
    if (k->phase == HD_KEEPER_STOPPING) {
        k->child[role].retry_at = HD_NEVER;
        if (expected) {
            stop_next(k);
        }
    }
    hd_keeper_tell_processes(k);
}

static void reap(struct hd_keeper *k)
{
    hd_keeper_recording_reap(k);
    for (unsigned i = HD_ROLE_SYSTEM; i < HD_ROLE_COUNT; i++) {
        int status = 0;
        if (k->child[i].pid != 0 && waitpid(k->child[i].pid, &status, WNOHANG) > 0) {
            note_end(k, (enum hd_role)i, status);
        }
    }
}

static void on_signals(struct hd_keeper *k)
{
    struct signalfd_siginfo s;
    while (read(k->signals, &s, sizeof s) == (ssize_t)sizeof s) {
        if (s.ssi_signo == SIGTERM || s.ssi_signo == SIGINT) {
            begin_stop(k, false, 0);
        } else if (s.ssi_signo == SIGHUP) {
            begin_stop(k, true, 0);
        }
    }
    reap(k);
}

/* --- records of children -------------------------------------------------------------------------
 */

static void on_ready(struct hd_keeper *k, enum hd_role role)
{
    k->child[role].ready = true;
    hd_keeper_tell_processes(k);
    for (unsigned i = HD_ROLE_SYSTEM; i < HD_ROLE_COUNT; i++) {
        if (!k->child[i].ready) {
            return;
        }
    }
    hd_log_line(&k->log, HD_LOG_NOTICE, "ready", "pid=%d state=%s", (int)getpid(),
                k->options.state_dir);
    hd_keeper_report(k, NULL);
}

static void on_fatal(struct hd_keeper *k, const struct hd_message *m)
{
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%.*s", (int)HD_MIN(m->tail_len, 500u),
             (const char *)m->tail);
    hd_keeper_report(k, sentence);
    /* What an earlier life left in the kernel belongs to whoever sorts this out. */
    begin_stop(k, true, 1);
}

static void on_control(struct hd_keeper *k, enum hd_role role, const struct hd_msg_control *c)
{
    if (role != HD_ROLE_MANAGE) {
        return;
    }
    if (c->action == HD_CONTROL_DOWN) {
        begin_stop(k, false, 0);
    } else if (c->action == HD_CONTROL_RESTART) {
        begin_stop(k, true, 0);
    }
}

static void on_message(struct hd_keeper *k, enum hd_role role, struct hd_message *m)
{
    switch ((enum hd_message_type)m->type) {
    case HD_MSG_HELLO:
        if (hd_channel_hello_check(m) < 0) {
            kill(k->child[role].pid, SIGKILL);
        }
        break;
    case HD_MSG_READY:
        on_ready(k, role);
        break;
    case HD_MSG_FATAL:
        on_fatal(k, m);
        break;
    case HD_MSG_DEPOSIT:
        if (role == HD_ROLE_SYSTEM) {
            hd_deposits_take(k, m);
        }
        break;
    case HD_MSG_CONTROL:
        on_control(k, role, m->body);
        break;
    default:
        break;
    }
    hd_message_close(m);
}

static void on_channel(struct hd_keeper *k, enum hd_role role)
{
    struct hd_message m;
    /* A bound, so that a role in strange hands cannot keep us from the others. */
    for (unsigned i = 0; i < 64 && k->child[role].channel >= 0; i++) {
        int got = hd_channel_receive(k->child[role].channel, k->buffer, HD_CHANNEL_MAX, &m);
        if (got == 1) {
            on_message(k, role, &m);
        } else if (got == 0) {
            return;
        } else if (got == HD_ENOENT) {
            kill(k->child[role].pid, SIGKILL); /* a role without its channel is lost */
            close(k->child[role].channel);
            k->child[role].channel = -1;
            return;
        } else {
            hd_log_line(&k->log, HD_LOG_ERROR, "bad-record", "process=%s", hd_role_name(role));
        }
    }
}

/* --- the loop ------------------------------------------------------------------------------------
 */

static void start_due(struct hd_keeper *k, hd_time now)
{
    for (unsigned i = HD_ROLE_SYSTEM; i < HD_ROLE_COUNT; i++) {
        struct hd_child *c = &k->child[i];
        if (c->pid == 0 && c->retry_at <= now) {
            if (hd_keeper_spawn(k, (enum hd_role)i) < 0) {
                hd_log_line(&k->log, HD_LOG_ERROR, "cannot-start", "process=%s error=%s",
                            hd_role_name((enum hd_role)i), strerror(errno));
                c->retry_at = now + HD_KEEPER_BACKOFF_MAX;
            }
            hd_keeper_tell_processes(k);
        }
    }
}

static hd_time next_deadline(const struct hd_keeper *k)
{
    hd_time at = k->phase == HD_KEEPER_STOPPING ? k->stop_by : HD_NEVER;
    for (unsigned i = HD_ROLE_SYSTEM; i < HD_ROLE_COUNT; i++) {
        if (k->child[i].pid == 0 && k->phase == HD_KEEPER_RUN) {
            at = hd_time_min(at, k->child[i].retry_at);
        }
    }
    return at;
}

static void wait_and_serve(struct hd_keeper *k)
{
    struct pollfd p[HD_ROLE_COUNT] = {{.fd = k->signals, .events = POLLIN}};
    for (unsigned i = HD_ROLE_SYSTEM; i < HD_ROLE_COUNT; i++) {
        p[i] = (struct pollfd){.fd = k->child[i].pid != 0 ? k->child[i].channel : -1,
                               .events = POLLIN};
    }
    hd_time at = next_deadline(k);
    int timeout = -1;
    if (at != HD_NEVER) {
        hd_time left = HD_MAX(at - hd_clock_now(), 0);
        timeout = (int)HD_MIN((left + HD_MS(1) - 1) / HD_MS(1), 60000);
    }
    if (poll(p, HD_ROLE_COUNT, timeout) <= 0) {
        return;
    }
    for (unsigned i = HD_ROLE_SYSTEM; i < HD_ROLE_COUNT; i++) {
        if (p[i].revents != 0) {
            on_channel(k, (enum hd_role)i);
        }
    }
    if (p[0].revents != 0) {
        on_signals(k);
    }
}

static void run(struct hd_keeper *k)
{
    for (;;) {
        hd_time now = hd_clock_now();
        if (k->phase == HD_KEEPER_RUN) {
            start_due(k, now);
        } else if (k->child[HD_ROLE_SYSTEM].pid == 0 && k->child[HD_ROLE_ROUTER].pid == 0 &&
                   k->child[HD_ROLE_MANAGE].pid == 0) {
            return;
        } else if (k->stop_by <= now) {
            kill(k->child[k->stopping].pid, SIGKILL);
            k->stop_by = now + HD_KEEPER_STOP;
        }
        wait_and_serve(k);
    }
}

static int take_signals(struct hd_keeper *k)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &k->old_signals);
    signal(SIGPIPE, SIG_IGN);
    k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return k->signals >= 0 ? 0 : HD_ESYS;
}

static void execute_again(struct hd_keeper *k)
{
    sigprocmask(SIG_SETMASK, &k->old_signals, NULL);
    hd_privileges_hurry(true);
    if (hd_deposits_export(k) == 0) {
        execv(k->program, k->argv);
    }
    hd_log_line(&k->log, HD_LOG_ERROR, "cannot-execute", "program=%s error=%s", k->program,
                strerror(errno));
}

int hd_keeper_main(const struct hd_options *o, int argc, char **argv)
{
    struct hd_keeper *k = calloc(1, sizeof *k);
    if (k == NULL || (k->buffer = malloc(HD_CHANNEL_MAX)) == NULL) {
        free(k);
        return 1;
    }
    k->options = *o;
    k->argv = argv;
    k->argc = argc;
    k->lock = k->namespace_lock = k->listen = k->starter = k->recording = -1;
    hd_log_init(&k->log, "keeper", o->log_level);
    for (unsigned i = 0; i < HD_ROLE_COUNT; i++) {
        k->child[i].channel = -1;
    }
    ssize_t n = readlink("/proc/self/exe", k->program, sizeof k->program - 1);
    if (n < 0 || hd_keeper_prepare(k) < 0 || hd_keeper_daemonise(k) < 0 || take_signals(k) < 0) {
        return 1;
    }
    k->child[HD_ROLE_KEEPER] = (struct hd_child){
        .pid = getpid(), .channel = -1, .started = hd_clock_now(), .starts = 1, .ready = true};
    hd_keeper_sender_begin(k);
    start_due(k, hd_clock_now());
    hd_privileges_hurry(false); /* if we executed ourselves */
    run(k);
    hd_keeper_sender_end(k);
    if (k->keep && k->exit_status == 0) {
        execute_again(k);
        return 1;
    }
    if (!k->keep) {
        hd_keeper_clean(k);
    }
    return k->exit_status;
}

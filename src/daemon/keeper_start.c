/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens before the first role starts: folders, the two locks, the control socket, the
 * background; and the word to whoever waits for our start.
 *
 * One heddled per state folder (a lock on a file in it) and per network namespace (a socket name
 * that exists once in each namespace and vanishes with its holder; kira0 says whose it is, too).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "lib/base.h"
#include "manage/manage.h"

static const char namespace_name[] = "\0heddle.namespace"; /* abstract */

#define LOCK_TRIES   10
#define LOCK_PAUSE   HD_MS(20)
#define LOCK_BACKLOG 4096 /* nobody accepts: each that was turned away stays */

static int refuse(struct hd_keeper *k, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct hd_keeper *k, int error, const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    hd_keeper_report(k, sentence);
    return error;
}

static int make_folder(struct hd_keeper *k, const char *path, mode_t mode)
{
    char copy[HD_PATH_BYTES];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)!mkdir(copy, 0755);
        *slash = '/';
    }
    if (mkdir(copy, mode) < 0 && errno != EEXIST) {
        return refuse(k, HD_ESYS, "cannot make the folder %s: %s", path, strerror(errno));
    }
    return 0;
}

static int lock_state(struct hd_keeper *k)
{
    char path[HD_PATH_BYTES], pid[16] = "";
    hd_options_state_path(&k->options, "lock", path);
    k->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (k->lock < 0) {
        return refuse(k, HD_ESYS, "cannot open %s: %s", path, strerror(errno));
    }
    if (flock(k->lock, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = read(k->lock, pid, sizeof pid - 1);
        pid[HD_MAX(n, 0)] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        return refuse(k, HD_EEXIST, "another heddled (process %s) uses %s", pid,
                      k->options.state_dir);
    }
    return 0;
}

/* For the sentence of whom the lock turns away. */
static void write_pid(struct hd_keeper *k)
{
    char pid[16];
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(k->lock, 0) == 0) {
        (void)!pwrite(k->lock, pid, (size_t)n, 0);
    }
}

/*
 * Who listens under the name: 0, or HD_EAGAIN when nobody is to be learnt of. The kernel knows who
 * called listen(), without an answer.
 */
static int ask_holder(int fd, const struct sockaddr_un *a, socklen_t len, struct ucred *who)
{
    socklen_t size = sizeof *who;
    if (connect(fd, (const struct sockaddr *)a, len) < 0) {
        return HD_EAGAIN; /* it does not listen, or too many ask */
    }
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &size) == 0 ? 0 : HD_EAGAIN;
}

/*
 * The name is open to all (decision 0030): a holder that is not root, or does not say who it is,
 * keeps nobody out. One that is about to end or to listen gets a moment.
 */
static int lock_namespace(struct hd_keeper *k)
{
    static const struct timespec pause = {.tv_nsec = LOCK_PAUSE};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof namespace_name - 1);
    struct ucred who = {0};
    int known = HD_EAGAIN;
    memcpy(a.sun_path, namespace_name, sizeof namespace_name - 1);
    k->namespace_lock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (k->namespace_lock < 0) {
        return refuse(k, HD_ESYS, "cannot make a socket: %s", strerror(errno));
    }
    for (unsigned i = 0; i < LOCK_TRIES && known == HD_EAGAIN; i++) {
        if (i > 0) {
            nanosleep(&pause, NULL);
        }
        if (bind(k->namespace_lock, (struct sockaddr *)&a, len) == 0) {
            return listen(k->namespace_lock, LOCK_BACKLOG) == 0 ? 0 : HD_ESYS;
        }
        known = ask_holder(k->namespace_lock, &a, len, &who);
    }
    if (known == 0 && who.uid == 0) {
        return refuse(k, HD_EEXIST,
                      "another heddled (process %d) runs in this network namespace: one is enough",
                      (int)who.pid);
    }
    hd_log_line(&k->log, HD_LOG_WARNING, "namespace-name-taken", "process=%d uid=%d next=start",
                (int)who.pid, known == 0 ? (int)who.uid : -1);
    return 0;
}

static bool exists(struct hd_keeper *k, const char *name)
{
    char path[HD_PATH_BYTES];
    return access(hd_options_state_path(&k->options, name, path), F_OK) == 0;
}

static int check_fabric(struct hd_keeper *k)
{
    if (exists(k, "fabric.key") || exists(k, "open") || k->options.open) {
        return 0;
    }
    return refuse(k, HD_ENOENT,
                  "there is no fabric yet in %s; begin one with `heddle up --new`, enter one with "
                  "`heddle up --join TOKEN`, or run without a key with `heddle up --open`",
                  k->options.state_dir);
}

int hd_keeper_prepare(struct hd_keeper *k)
{
    char path[HD_PATH_BYTES];
    const struct hd_options *o = &k->options;
    bool again = hd_deposits_import(k);
    int error = 0;
    if (!again) {
        error = geteuid() == 0 ? 0 : refuse(k, HD_EPERM, "heddled must be started by root");
        error = error == 0 ? make_folder(k, o->state_dir, 0711) : error;
        error = error == 0 ? make_folder(k, o->run_dir, 0755) : error;
        error = error == 0 ? make_folder(k, hd_options_state_path(o, "state", path), 0700) : error;
        error = error == 0 ? check_fabric(k) : error;
        error = error == 0 ? lock_state(k) : error;
        error = error == 0 ? lock_namespace(k) : error;
    }
    if (error < 0) {
        return error;
    }
    k->state = open(hd_options_state_path(o, "state", path), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (k->state < 0) {
        return refuse(k, HD_ESYS, "cannot open %s: %s", path, strerror(errno));
    }
    if (k->listen < 0) {
        k->listen = hd_manage_listen(hd_options_run_path(o, "control.sock", path));
    }
    if (k->listen < 0) {
        return refuse(k, HD_ESYS, "cannot make %s: %s", path, strerror(errno));
    }
    return 0;
}

void hd_keeper_clean(struct hd_keeper *k)
{
    char path[HD_PATH_BYTES];
    unlink(hd_options_run_path(&k->options, "control.sock", path));
    /* system may not unmount any more: it gave that up. */
    hd_options_run_path(&k->options, "bpf", path);
    (void)!umount2(path, MNT_DETACH);
    (void)!rmdir(path);
}

/* --- background ----------------------------------------------------------------------------------
 */

/* Waits in the parent for the child's word, and ends with it. */
static void wait_for_child(int pipe_end)
{
    char text[512];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof text && (n = read(pipe_end, text + len, sizeof text - len)) > 0) {
        len += (size_t)n;
    }
    if (len > 0 && text[0] == '\0') {
        exit(0);
    }
    fprintf(stderr, "heddled: %.*s\n", (int)len, len > 0 ? text : "did not start; see its log");
    exit(1);
}

static int detach(struct hd_keeper *k)
{
    char path[HD_PATH_BYTES];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = open(hd_options_state_path(&k->options, "heddled.log", path),
                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (null < 0 || log < 0 || setsid() < 0 || chdir("/") < 0) {
        return refuse(k, HD_ESYS, "cannot go into the background: %s", strerror(errno));
    }
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(null);
    close(log);
    return 0;
}

int hd_keeper_daemonise(struct hd_keeper *k)
{
    /* Executed again, we are in the background already: nobody is above us but init. */
    static char foreground[] = "--foreground";
    int ends[2];
    if (k->options.foreground) {
        write_pid(k);
        return 0;
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return refuse(k, HD_ESYS, "cannot make a pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid < 0) {
        return refuse(k, HD_ESYS, "cannot fork: %s", strerror(errno));
    }
    if (pid > 0) {
        close(ends[1]);
        wait_for_child(ends[0]);
    }
    close(ends[0]);
    k->starter = ends[1];
    write_pid(k);
    char **argv = calloc((size_t)k->argc + 2, sizeof *argv);
    if (argv == NULL) {
        return HD_ENOMEM;
    }
    argv[0] = k->argv[0];
    argv[1] = foreground;
    memcpy(&argv[2], &k->argv[1], (size_t)k->argc * sizeof *argv);
    k->argv = argv;
    k->argc++;
    return detach(k);
}

/* --- telling -------------------------------------------------------------------------------------
 */

static void notify_systemd(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (path == NULL || strlen(path) >= sizeof a.sun_path) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path, path, strlen(path));
    a.sun_path[0] = path[0] == '@' ? '\0' : path[0];
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (fd >= 0) {
        (void)!sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&a, len);
        close(fd);
    }
}

void hd_keeper_report(struct hd_keeper *k, const char *sentence)
{
    if (sentence == NULL) {
        notify_systemd();
    }
    if (k->starter >= 0) {
        (void)!write(k->starter, sentence != NULL ? sentence : "",
                     sentence != NULL ? strlen(sentence) : 1);
        close(k->starter);
        k->starter = -1;
    } else if (sentence != NULL) {
        fprintf(stderr, "heddled: %s\n", sentence);
    }
}

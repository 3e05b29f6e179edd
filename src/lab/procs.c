/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes of a lab. A daemon is remembered by its process id and start time, so that a number
 * given out again is never taken for it. What belongs to a node is found by its network namespace,
 * what belongs to its heddled by the session that it was started in: never by name.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/internal.h"

struct stat_line {
    char state;
    pid_t session;
    uint64_t start; /* clock ticks after boot */
};

/* The name in parentheses may hold anything: what follows its last ')' counts. */
static bool read_stat(pid_t pid, struct stat_line *s)
{
    char path[64], line[1024];
    unsigned long long start = 0;
    int fd, session = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, line, sizeof line - 1);

    close(fd);
    if (n <= 0)
        return false;
    line[n] = '\0';
    const char *at = strrchr(line, ')');

    if (at == NULL || sscanf(at + 1,
                             " %c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                             "%*d %*d %llu",
                             &s->state, &session, &start) != 3)
        return false;
    s->session = session;
    s->start = start;
    return true;
}

int hd_lab_proc_of(pid_t pid, struct hd_lab_proc *p)
{
    struct stat_line s;

    if (!read_stat(pid, &s) || s.state == 'Z' || s.state == 'X')
        return HD_ENOENT;
    p->pid = pid;
    p->start = s.start;
    return 0;
}

int hd_lab_proc_save(const char *path, const struct hd_lab_proc *p)
{
    FILE *f = fopen(path, "we");

    if (f == NULL)
        return HD_ESYS;
    fprintf(f, "%d %llu\n", (int)p->pid, (unsigned long long)p->start);
    return fclose(f) == 0 ? 0 : HD_ESYS;
}

int hd_lab_proc_load(const char *path, struct hd_lab_proc *p)
{
    FILE *f = fopen(path, "re");
    struct hd_lab_proc now;
    unsigned long long start = 0;
    int pid = 0;

    if (f == NULL)
        return HD_ENOENT;
    int n = fscanf(f, "%d %llu", &pid, &start);

    fclose(f);
    if (n != 2 || pid <= 0)
        return HD_ENOENT;
    while (waitpid(pid, NULL, WNOHANG) > 0)
        ; /* ours if the same program started it: no zombie stays */
    if (hd_lab_proc_of(pid, &now) < 0 || now.start != start)
        return HD_ENOENT;
    *p = now;
    return 0;
}

/* --- by namespace --------------------------------------------------------------------------------
 */

/* Which processes are meant: those in one of these namespaces, and of this session if one is given.
 */
struct choice {
    ino_t *inodes; /* sorted */
    size_t count;
    pid_t session;
};

/* Identity of the namespace a path leads to; 0 when it leads to none (a mount that failed). */
static ino_t inode_of(int dir, const char *path)
{
    static dev_t nsfs;
    struct stat st;

    if (nsfs == 0 && stat("/proc/self/ns/net", &st) == 0)
        nsfs = st.st_dev;
    return fstatat(dir, path, &st, 0) == 0 && st.st_dev == nsfs ? st.st_ino : 0;
}

static ino_t inode_of_node(const struct hd_lab *lab, uint32_t node)
{
    char path[PATH_MAX], name[NAME_MAX + 1];

    snprintf(path, sizeof path, "/run/netns/%s", hd_lab_ns_name(lab, node, name));
    return inode_of(AT_FDCWD, path);
}

static int compare_inodes(const void *a, const void *b)
{
    ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;

    return (x > y) - (x < y);
}

static bool is_chosen(const struct choice *c, int proc, pid_t pid)
{
    char path[64];
    struct stat_line s;

    if (pid <= 0 || pid == getpid())
        return false;
    snprintf(path, sizeof path, "%d/ns/net", (int)pid);
    ino_t inode = inode_of(proc, path);

    return inode != 0 &&
           bsearch(&inode, c->inodes, c->count, sizeof inode, compare_inodes) != NULL &&
           read_stat(pid, &s) && s.state != 'Z' && (c->session == 0 || s.session == c->session);
}

static int signal_chosen(const struct choice *c, int sig)
{
    DIR *proc = opendir("/proc");
    const struct dirent *d;
    int count = 0;

    while (proc != NULL && (d = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

        if (is_chosen(c, dirfd(proc), pid) && (sig == 0 || kill(pid, sig) == 0))
            count++;
    }
    if (proc != NULL)
        closedir(proc);
    return count;
}

int hd_lab_procs_signal(struct hd_lab *lab, uint32_t node, pid_t session, int sig)
{
    ino_t inode = inode_of_node(lab, node);
    const struct choice c = {&inode, 1, session};

    return inode == 0 ? 0 : signal_chosen(&c, sig);
}

int hd_lab_procs_end_all(struct hd_lab *lab)
{
    struct choice c = {.inodes = calloc((size_t)lab->node_count + 1, sizeof *c.inodes)};

    if (c.inodes == NULL)
        return -1;
    for (uint32_t i = 0; i <= lab->node_count; i++) {
        ino_t inode = inode_of_node(lab, i < lab->node_count ? i : HD_LAB_WIRE_NS);

        if (inode != 0)
            c.inodes[c.count++] = inode;
    }
    qsort(c.inodes, c.count, sizeof *c.inodes, compare_inodes);
    int count = c.count == 0 ? 0 : signal_chosen(&c, SIGKILL);

    free(c.inodes);
    return count;
}

/* --- starting heddled ----------------------------------------------------------------------------
 */

/* Child: from here on only exec or exit. Writes errno into the pipe. */
static void child_run(struct hd_lab *lab, uint32_t node, int ns, int report)
{
    char state[PATH_MAX], log[PATH_MAX];
    char *argv[64] = {lab->heddled, "--foreground", "--state", hd_lab_path(lab, node, NULL, state),
                      "--open"};
    size_t n = 5;

    for (char **a = lab->args; *a != NULL && n < 63; a++)
        argv[n++] = *a;
    int in = open("/dev/null", O_RDONLY);
    int out = open(hd_lab_path(lab, node, "heddled.log", log), O_WRONLY | O_CREAT | O_APPEND, 0644);

    if (setns(ns, CLONE_NEWNET) == 0 && setsid() >= 0 && in >= 0 && out >= 0 && dup2(in, 0) == 0 &&
        dup2(out, 1) == 1 && dup2(out, 2) == 2) {
        report = fcntl(report, F_DUPFD_CLOEXEC, 3);
        execv(argv[0], argv);
    }
    int error = errno;

    (void)!write(report, &error, sizeof error);
    _exit(127);
}

/* Waits until the child has become heddled, or has said why not. */
static int child_result(struct hd_lab *lab, uint32_t node, pid_t pid, int report)
{
    char path[PATH_MAX];
    struct hd_lab_proc p;
    int error = 0;

    if (read(report, &error, sizeof error) == (ssize_t)sizeof error) {
        waitpid(pid, NULL, 0);
        return hd_lab_fail(lab, HD_ESYS, "%s: %s", lab->heddled, strerror(error));
    }
    if (hd_lab_proc_of(pid, &p) < 0)
        return hd_lab_fail(lab, HD_ESYS, "heddled of %s ended at once; see %s",
                           lab->nodes[node].name, hd_lab_path(lab, node, "heddled.log", path));
    if (hd_lab_proc_save(hd_lab_path(lab, node, "lab.pid", path), &p) < 0) {
        kill(pid, SIGKILL);
        return hd_lab_fail(lab, HD_ESYS, "%s: %s", path, strerror(errno));
    }
    return 0;
}

int hd_lab_daemon_start(struct hd_lab *lab, uint32_t node)
{
    int report[2], rc;
    int ns = hd_lab_ns_open(lab, node);

    if (ns < 0)
        return ns;
    if (pipe2(report, O_CLOEXEC) < 0) {
        close(ns);
        return hd_lab_fail(lab, HD_ESYS, "pipe: %s", strerror(errno));
    }
    pid_t pid = fork();

    if (pid == 0)
        child_run(lab, node, ns, report[1]);
    close(ns);
    close(report[1]);
    rc = pid < 0 ? hd_lab_fail(lab, HD_ESYS, "fork: %s", strerror(errno))
                 : child_result(lab, node, pid, report[0]);
    close(report[0]);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces, kept by bind mounts in /run/netns as iproute2 keeps its own. Only the network
 * is entered: `ip netns exec` would also mount a fresh /sys and hide the pinned objects of the eBPF
 * back-end (spec/forwarding-on-linux.md, section 10).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/internal.h"
#include "lib/base.h"

#define NETNS_DIR "/run/netns"

static char *ns_path(const struct hd_lab *lab, uint32_t node, char *buf)
{
    char name[NAME_MAX + 1];

    snprintf(buf, PATH_MAX, NETNS_DIR "/%s", hd_lab_ns_name(lab, node, name));
    return buf;
}

char *hd_lab_ns_name(const struct hd_lab *lab, uint32_t node, char *buf)
{
    /* A node's name cannot begin with '-': the wire's namespace never meets one of them. */
    snprintf(buf, NAME_MAX + 1, "heddle-%s-%s", lab->name,
             node == HD_LAB_WIRE_NS ? "-wire" : lab->nodes[node].name);
    return buf;
}

/* Mounts made here must be seen by processes whose mount namespaces are copies of ours. */
int hd_lab_ns_prepare(struct hd_lab *lab)
{
    if (mkdir(NETNS_DIR, 0755) < 0 && errno != EEXIST)
        return hd_lab_fail(lab, HD_ESYS, "%s: %s", NETNS_DIR, strerror(errno));
    if (mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) == 0)
        return 0;
    if (errno == EINVAL && mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, NULL) == 0 &&
        mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) == 0)
        return 0;
    return hd_lab_fail(lab, HD_ESYS, "%s: cannot be made a shared mount: %s", NETNS_DIR,
                       strerror(errno));
}

static int write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return HD_ESYS;
    ssize_t n = write(fd, text, strlen(text));

    close(fd);
    return n < 0 ? HD_ESYS : 0;
}

/* Addresses are usable at once, and nobody sends router solicitations. */
static void set_defaults(void)
{
    static const char *const settings[][2] = {
        {"default/accept_dad", "0"},    {"all/accept_dad", "0"},
        {"default/dad_transmits", "0"}, {"default/router_solicitations", "0"},
        {"default/accept_ra", "0"},     {"default/disable_ipv6", "0"},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(settings); i++) {
        char path[128];

        snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s", settings[i][0]);
        (void)!write_text(path, settings[i][1]);
    }
}

int hd_lab_ns_create(struct hd_lab *lab, uint32_t node)
{
    char path[PATH_MAX];
    int fd = open(ns_path(lab, node, path), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

    if (fd < 0)
        return hd_lab_fail(lab, HD_ESYS, "%s: %s", path, strerror(errno));
    close(fd);
    if (unshare(CLONE_NEWNET) < 0)
        return hd_lab_fail(lab, HD_ESYS, "no new network namespace: %s", strerror(errno));
    if (mount("/proc/thread-self/ns/net", path, "none", MS_BIND, NULL) < 0)
        return hd_lab_fail(lab, HD_ESYS, "%s: cannot mount: %s", path, strerror(errno));
    set_defaults();
    if (hd_lab_if_set("lo", true) < 0)
        return hd_lab_fail(lab, HD_ESYS, "%s: loopback: %s", path, strerror(errno));
    return 0;
}

int hd_lab_ns_open(const struct hd_lab *lab, uint32_t node)
{
    char path[PATH_MAX];
    int fd = open(ns_path(lab, node, path), O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    return hd_lab_fail(lab, errno == ENOENT ? HD_ENOENT : HD_ESYS, "%s: %s", path, strerror(errno));
}

void hd_lab_ns_delete(const struct hd_lab *lab, uint32_t node)
{
    char path[PATH_MAX];

    umount2(ns_path(lab, node, path), MNT_DETACH);
    unlink(path);
}

int hd_lab_enter(struct hd_lab *lab, uint32_t node)
{
    int fd = hd_lab_ns_open(lab, node);

    if (fd < 0)
        return fd;
    int rc = setns(fd, CLONE_NEWNET);

    if (rc < 0)
        rc = hd_lab_fail(lab, HD_ESYS, "cannot enter the namespace of %s: %s",
                         node == HD_LAB_WIRE_NS ? "the wire" : lab->nodes[node].name,
                         strerror(errno));
    close(fd);
    return rc;
}

/* Without the way back nothing else that we do would be right. */
void hd_lab_leave(struct hd_lab *lab)
{
    int saved = errno;

    HD_ASSERT(setns(lab->own_ns, CLONE_NEWNET) == 0);
    errno = saved;
}

int hd_lab_socket(struct hd_lab *lab, uint32_t node, int domain, int type, int protocol)
{
    int rc = hd_lab_enter(lab, node);

    if (rc < 0)
        return rc;
    int fd = socket(domain, type | SOCK_CLOEXEC, protocol);

    if (fd < 0)
        fd = hd_lab_fail(lab, HD_ESYS, "no socket at %s: %s", lab->nodes[node].name,
                         strerror(errno));
    hd_lab_leave(lab);
    return fd;
}

int hd_lab_exec(struct hd_lab *lab, uint32_t node, char *const argv[])
{
    int fd = hd_lab_ns_open(lab, node), status = 0;

    if (fd < 0)
        return fd;
    pid_t pid = fork();

    if (pid == 0) {
        if (setns(fd, CLONE_NEWNET) == 0)
            execvp(argv[0], argv);
        _exit(errno == ENOENT ? 127 : 126);
    }
    close(fd);
    if (pid < 0)
        return hd_lab_fail(lab, HD_ESYS, "fork: %s", strerror(errno));
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return hd_lab_fail(lab, HD_ESYS, "waitpid: %s", strerror(errno));
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* See net.h. */
#include "net.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/code_points.h"

struct hd_id node_id(unsigned node)
{
    struct hd_id id = {{0}};

    id.b[HD_ID_BYTES - 1] = (uint8_t)(0x0a + node);
    return id;
}

struct hd_ip6 node_address(unsigned node)
{
    struct hd_id id = node_id(node);

    return hd_id_to_ip6(&id, HD_KIRA_NODE_PREFIX);
}

const char *node_text(unsigned node)
{
    static char text[4][HD_IP6_TEXT];
    static unsigned at;
    struct hd_ip6 a = node_address(node);

    at = (at + 1) % 4;
    return hd_ip6_format(&a, text[at]);
}

struct hd_ip6 link_local_of(const struct hd_mac *mac)
{
    const uint8_t *m = mac->b;

    return (struct hd_ip6){{0xfe, 0x80, 0, 0, 0, 0, 0, 0, (uint8_t)(m[0] ^ 2), m[1], m[2], 0xff,
                            0xfe, m[3], m[4], m[5]}};
}

/* Only the network: a fresh /sys, as `ip netns exec` makes one, would hide pins. */
__attribute__((format(printf, 2, 0))) static FILE *open_shell(pid_t where, const char *format,
                                                              va_list args)
{
    char command[2048], all[2200];

    vsnprintf(command, sizeof command, format, args);
    if (where == 0)
        snprintf(all, sizeof all, "%s", command);
    else
        snprintf(all, sizeof all, "exec nsenter --net=/proc/%d/ns/net sh -c '%s'", (int)where,
                 command);
    return popen(all, "r");
}

static int finish_shell(FILE *f, char *out, size_t size)
{
    char rest[512];
    size_t n = out != NULL ? fread(out, 1, size - 1, f) : 0;

    if (out != NULL)
        out[n] = '\0';
    while (fread(rest, 1, sizeof rest, f) > 0) {
    }
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int shell(pid_t where, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    FILE *f = open_shell(where, format, args);
    va_end(args);
    return f == NULL ? -1 : finish_shell(f, NULL, 0);
}

int shell_output(pid_t where, char *out, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    FILE *f = open_shell(where, format, args);
    va_end(args);
    return f == NULL ? -1 : finish_shell(f, out, size);
}

void enter(pid_t where)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)where);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    HD_ASSERT(fd >= 0);
    HD_ASSERT(setns(fd, CLONE_NEWNET) == 0);
    close(fd);
}

pid_t start_in(pid_t where, int (*fn)(void *arg), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();

    HD_ASSERT(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is killed leaves nobody behind */
        enter(where);
        _exit(fn(arg));
    }
    return pid;
}

int wait_for(pid_t pid)
{
    int status = 0;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void join(pid_t a, pid_t b)
{
    HD_ASSERT(
        shell(0, "ip link add " RIGHT_NAME " netns %d type veth peer name " LEFT_NAME " netns %d",
              (int)a, (int)b) == 0);
    HD_ASSERT(shell(a, "ip link set " RIGHT_NAME " up") == 0);
    HD_ASSERT(shell(b, "ip link set " LEFT_NAME " up") == 0);
}

struct hd_mac mac_of(pid_t where, const char *name)
{
    char text[64];
    unsigned b[6];
    struct hd_mac m;

    HD_ASSERT(shell_output(where, text, sizeof text,
                           "ip -o link show %s | sed \"s/.*link.ether \\([^ ]*\\).*/\\1/\"",
                           name) == 0);
    HD_ASSERT(sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) == 6);
    for (unsigned i = 0; i < 6; i++)
        m.b[i] = (uint8_t)b[i];
    return m;
}

uint32_t ifindex_of(pid_t where, const char *name)
{
    char text[64];

    HD_ASSERT(shell_output(where, text, sizeof text, "ip -o link show %s | cut -d: -f1", name) ==
              0);
    return (uint32_t)strtoul(text, NULL, 10);
}

void sleep_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&t, NULL);
}

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

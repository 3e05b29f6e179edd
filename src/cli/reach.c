/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joining a fabric makes this machine reachable by all its nodes (design.md, section 7). So `up`
 * names the sockets that listen on every IPv6 address: what is not meant for the fabric should be
 * bound to an address of its own or filtered on kira0.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS_MAX 64

struct listener {
    const char *protocol;
    unsigned port;
    unsigned long inode;
    char program[32];
};

struct listeners {
    struct listener v[SOCKETS_MAX];
    size_t len;
};

static bool known(const struct listeners *l, const char *protocol, unsigned port)
{
    for (size_t i = 0; i < l->len; i++) {
        if (l->v[i].port == port && l->v[i].protocol == protocol)
            return true;
    }
    return false;
}

/* Wildcard sockets of one table: TCP in state LISTEN (0A), UDP unconnected (07). */
static void read_table(struct listeners *l, const char *path, const char *protocol, unsigned state)
{
    static const char wildcard[] = "00000000000000000000000000000000";
    FILE *f = fopen(path, "re");
    char line[512], local[64];
    unsigned port, st;
    unsigned long inode;

    if (!f)
        return;
    while (fgets(line, sizeof line, f) && l->len < SOCKETS_MAX) {
        if (sscanf(line, " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %lu", local,
                   &port, &st, &inode) != 4)
            continue;
        if (st != state || strcmp(local, wildcard) != 0 || known(l, protocol, port))
            continue;
        l->v[l->len++] = (struct listener){.protocol = protocol, .port = port, .inode = inode};
    }
    fclose(f);
}

static void read_name(const char *pid, char *name, size_t size)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    f = fopen(path, "re");
    if (!f)
        return;
    if (fgets(name, (int)size, f))
        name[strcspn(name, "\n")] = '\0';
    fclose(f);
}

static void match_process(struct listeners *l, const char *pid)
{
    char path[300], target[64];
    unsigned long inode;
    struct dirent *e;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    d = opendir(path);
    while (d && (e = readdir(d)) != NULL) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        if (sscanf(target, "socket:[%lu]", &inode) != 1)
            continue;
        for (size_t i = 0; i < l->len; i++) {
            if (l->v[i].inode == inode && l->v[i].program[0] == '\0')
                read_name(pid, l->v[i].program, sizeof l->v[i].program);
        }
    }
    if (d)
        closedir(d);
}

static void find_programs(struct listeners *l)
{
    DIR *d = opendir("/proc");
    struct dirent *e;

    while (d && (e = readdir(d)) != NULL) {
        if (isdigit((unsigned char)e->d_name[0]))
            match_process(l, e->d_name);
    }
    if (d)
        closedir(d);
}

/* Our own port is no news. */
static void drop_own(struct listeners *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->len; i++) {
        if (strcmp(l->v[i].program, "heddled") != 0)
            l->v[kept++] = l->v[i];
    }
    l->len = kept;
}

void hd_reach_print(void)
{
    struct listeners l = {.len = 0};

    read_table(&l, "/proc/net/tcp6", "tcp", 0x0a);
    read_table(&l, "/proc/net/udp6", "udp", 0x07);
    find_programs(&l);
    drop_own(&l);
    if (l.len == 0)
        return;
    printf("Every node of the fabric can reach what listens on all addresses here:\n");
    for (size_t i = 0; i < l.len; i++)
        printf("  %s %u  %s\n", l.v[i].protocol, l.v[i].port, l.v[i].program);
    printf("\n");
}

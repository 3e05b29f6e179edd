/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket's place in the file system. Who may open it is the whole permission to read:
 * root, and the members of the group "heddle" if the machine has one. Whoever may change something
 * is decided per request by the peer's credentials.
 */
#include "manage/manage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int bind_private(int fd, const struct sockaddr_un *a)
{
    mode_t old = umask(0177);
    int error = bind(fd, (const struct sockaddr *)a, sizeof *a);

    umask(old);
    return error;
}

static int open_to_group(const char *path)
{
    const struct group *g = getgrnam(HD_MANAGE_GROUP);

    if (!g)
        return 0;
    if (chown(path, 0, g->gr_gid) != 0 || chmod(path, 0660) != 0)
        return -1;
    return 0;
}

/* A folder too deep for a socket address is named by its descriptor instead. */
static int short_path(const char *path, struct sockaddr_un *a, int *folder)
{
    const char *base = strrchr(path, '/');
    char dir[4096];
    int n;

    *folder = -1;
    if ((size_t)snprintf(a->sun_path, sizeof a->sun_path, "%s", path) < sizeof a->sun_path)
        return 0;
    if (!base || (size_t)(base - path) >= sizeof dir)
        return -1;
    memcpy(dir, path, (size_t)(base - path));
    dir[base - path] = '\0';
    *folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    n = snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d%s", *folder, base);
    return *folder >= 0 && (size_t)n < sizeof a->sun_path ? 0 : -1;
}

static int listen_at(const char *path, const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return HD_ESYS;
    unlink(path);
    if (bind_private(fd, a) != 0 || open_to_group(path) != 0 ||
        listen(fd, HD_MANAGE_CLIENTS_MAX) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return HD_ESYS;
    }
    return fd;
}

int hd_manage_listen(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int folder, fd;

    fd = short_path(path, &a, &folder) == 0 ? listen_at(path, &a) : HD_ESYS;
    if (folder >= 0)
        close(folder);
    return fd;
}

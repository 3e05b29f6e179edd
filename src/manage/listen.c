/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket's place in the file system. Who may open it is the whole permission to read:
 * root, and the members of the group "heddle" if the machine has one. Whoever may change something
 * is decided per request by the peer's credentials.
 */
#include "manage/manage.h"

#include <errno.h>
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

int hd_manage_listen(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd;

    if ((size_t)snprintf(a.sun_path, sizeof a.sun_path, "%s", path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return HD_ESYS;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return HD_ESYS;
    unlink(path);
    if (bind_private(fd, &a) != 0 || open_to_group(path) != 0 ||
        listen(fd, HD_MANAGE_CLIENTS_MAX) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return HD_ESYS;
    }
    return fd;
}

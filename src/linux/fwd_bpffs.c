/* SPDX-License-Identifier: Apache-2.0 */
/* See fwd_bpffs.h. */
#include "linux/fwd_bpffs.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PATH_SIZE HD_FWD_BPFFS_PATH

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static const char usual[] = "/sys/fs/bpf"; /* systemd mounts it there */

static bool is_bpffs(const char *path)
{
    struct statfs s;

    return statfs(path, &s) == 0 && (unsigned long)s.f_type == (unsigned long)BPF_FS_MAGIC;
}

static int mount_bpffs(const char *path)
{
    return mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0 ? 0
                                                                                         : HD_ESYS;
}

/* Makes the folder and those above it. */
static int make_folders(const char *folder)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s", folder);

    if (n < 0 || (size_t)n >= sizeof path)
        return HD_EINVAL;
    for (char *at = path + 1;; at++) {
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return HD_ESYS;
        if (c == '\0')
            return 0;
        *at = c;
    }
}

static int open_own(const char *folder)
{
    int error = make_folders(folder);

    /* Nobody mounted it yet, as in a fresh /sys: sysfs lets no one make folders. */
    if (error == HD_ESYS && strncmp(folder, usual, sizeof usual - 1) == 0 && !is_bpffs(usual) &&
        mount_bpffs(usual) == 0)
        error = make_folders(folder);
    if (error != 0 || is_bpffs(folder))
        return error;
    return mount_bpffs(folder);
}

/* Below the machine's bpffs nodes of many network namespaces may live; each has a number that never
 * comes again. The path, or false: the kernel is before 5.14. */
static bool shared_folder(char *path)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool known = s >= 0 && getsockopt(s, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0;

    if (s >= 0)
        close(s);
    snprintf(path, PATH_SIZE, "%s/heddle-%" PRIu64, usual, cookie);
    return known;
}

int hd_fwd_bpffs_open(const char *folder, char *where)
{
    char shared[PATH_SIZE];
    bool known = shared_folder(shared);
    int n = snprintf(where, PATH_SIZE, "%s", folder), error, why;

    if (n < 0 || n >= PATH_SIZE)
        return HD_EINVAL;
    if (is_bpffs(folder))
        return 0;
    if (!known || !is_bpffs(shared)) {
        error = open_own(folder);
        why = errno;
        if (error != HD_ESYS)
            return error;
        rmdir(folder);
        if (!known || !is_bpffs(usual) || mkdir(shared, 0700) != 0) {
            errno = why;
            return error;
        }
    }
    memcpy(where, shared, PATH_SIZE);
    return 0;
}

static int pin_path(char *path, const char *folder, const char *name)
{
    int n = snprintf(path, PATH_SIZE, "%s/%s", folder, name);

    return n > 0 && n < PATH_SIZE ? 0 : HD_EINVAL;
}

int hd_fwd_bpffs_pin(const char *folder, const char *name, int fd)
{
    char path[PATH_SIZE];

    if (pin_path(path, folder, name) != 0)
        return HD_EINVAL;
    unlink(path);
    return bpf_obj_pin(fd, path) == 0 ? 0 : HD_ESYS;
}

int hd_fwd_bpffs_get(const char *folder, const char *name)
{
    char path[PATH_SIZE];

    return pin_path(path, folder, name) == 0 ? bpf_obj_get(path) : -1;
}

void hd_fwd_bpffs_clear(const char *folder)
{
    DIR *dir = is_bpffs(folder) ? opendir(folder) : NULL;
    char path[PATH_SIZE];
    struct dirent *e;

    if (dir == NULL)
        return;
    while ((e = readdir(dir)) != NULL) /* ours begin so; maps.debug of the kernel does not */
        if (strncmp(e->d_name, "hd_", 3) == 0 && pin_path(path, folder, e->d_name) == 0)
            unlink(path);
    closedir(dir);
}

void hd_fwd_bpffs_remove(const char *folder)
{
    hd_fwd_bpffs_clear(folder);
    if (is_bpffs(folder) && rmdir(folder) != 0 && errno == EBUSY)
        umount2(folder, MNT_DETACH);
    rmdir(folder);
}

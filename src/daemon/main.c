/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddled. One program, four roles (design.md, section 5): the keeper is what a person or systemd
 * starts; it executes the program again for each other role, with the same options and `--role`.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/privileges.h"
#include "daemon/router.h"
#include "daemon/system.h"
#include "lib/base.h"
#include "linux/log.h"
#include "manage/manage.h"

/* Four processes share a small machine: one arena, and what is freed goes back. */
static void save_memory(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 64 * 1024);
    mallopt(M_TOP_PAD, 16 * 1024);
    mallopt(M_MMAP_THRESHOLD, 48 * 1024);
}

/*
 * The folder of the configuration belongs to the user that manage becomes, but lies in one that
 * only root may enter: other processes of that user (it may be "nobody") cannot reach it.
 */
static int open_config_folder(const char *path)
{
    unsigned uid, gid;
    if (hd_privileges_user(&uid, &gid) < 0 || (mkdir(path, 0700) < 0 && errno != EEXIST)) {
        return -1;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* Root without CAP_DAC_OVERRIDE, as in the service: whose it is not, it may not open. */
    if (fd < 0 && errno == EACCES && lchown(path, 0, 0) == 0) {
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd >= 0 && fchown(fd, uid, gid) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int config_folder(const struct hd_options *o)
{
    char path[HD_PATH_BYTES];
    hd_options_state_path(o, "state/config", path);
    int fd = open_config_folder(path);
    if (fd < 0) {
        struct hd_log log;
        hd_log_init(&log, "manage", o->log_level);
        hd_log_line(&log, HD_LOG_ERROR, "no-configuration", "folder=%s error=%s", path,
                    strerror(errno));
    }
    return fd;
}

/* heddle-config lies beside us, or where packages put it. */
static int config_program(void)
{
    static const char name[] = "/heddle-config";
    char path[HD_PATH_BYTES + sizeof name];
    ssize_t n = readlink("/proc/self/exe", path, HD_PATH_BYTES - 1);
    path[HD_MAX(n, 0)] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        memcpy(slash, name, sizeof name);
    }
    int fd = open(path, O_PATH | O_CLOEXEC);
    return fd >= 0 ? fd : open(HD_LIBEXEC "/heddle-config", O_PATH | O_CLOEXEC);
}

static int manage_role(const struct hd_options *o)
{
    char words[64];
    const struct hd_manage_files files = {.config_dir = config_folder(o),
                                          .config_program = config_program()};
    if (hd_privileges_drop_all(words, sizeof words) < 0) {
        static const char sentence[] = "the manage process cannot give up its privileges";
        (void)!hd_channel_send(HD_CHANNEL_KEEPER_FD, HD_MSG_FATAL, NULL, sentence,
                               sizeof sentence - 1);
        return 1;
    }
    return hd_manage_main(HD_CHANNEL_KEEPER_FD, HD_CHANNEL_LISTEN_FD, &files);
}

int main(int argc, char **argv)
{
    struct hd_options o;
    int result = hd_options_read(&o, argc, argv);
    if (result != 0) {
        return result > 0 ? 0 : 2;
    }
    save_memory();
    if (o.role == HD_ROLE_KEEPER) {
        return hd_keeper_main(&o, argc, argv);
    }
    if (hd_privileges_tie_to_parent(getppid()) < 0) {
        return 1;
    }
    prctl(PR_SET_NAME, hd_role_name(o.role));
    switch (o.role) {
    case HD_ROLE_SYSTEM:
        return hd_system_main(&o);
    case HD_ROLE_ROUTER:
        return hd_router_role_main(&o);
    default:
        return manage_role(&o);
    }
}

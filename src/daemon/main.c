/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddled. One program, four roles (design.md, section 5): the keeper is what a person or systemd
 * starts; it executes the program again for each other role, with the same options and `--role`.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/privileges.h"
#include "daemon/router.h"
#include "daemon/system.h"
#include "manage/manage.h"

/* Four processes share a small machine: one arena, and what is freed goes back. */
static void save_memory(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 64 * 1024);
    mallopt(M_TOP_PAD, 16 * 1024);
    mallopt(M_MMAP_THRESHOLD, 48 * 1024);
}

static int manage_role(void)
{
    char words[64];
    if (hd_privileges_drop_all(words, sizeof words) < 0) {
        static const char sentence[] = "the manage process cannot give up its privileges";
        (void)!hd_channel_send(HD_CHANNEL_KEEPER_FD, HD_MSG_FATAL, NULL, sentence,
                               sizeof sentence - 1);
        return 1;
    }
    return hd_manage_main(HD_CHANNEL_KEEPER_FD, HD_CHANNEL_LISTEN_FD);
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
        return manage_role();
    }
}

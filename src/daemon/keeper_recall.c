/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory in which router processes remember the configuration in force (router_recall.c). It is
 * made and held here, where it outlives them and a re-execution; nothing here reads it.
 *
 * Without it everything works, but a router that was killed waits for heddle-config.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/router.h"

#define NAME "recall"

static int make(struct hd_keeper *k)
{
    struct hd_msg_name name = {NAME};
    struct hd_message m = {.body = &name, .nfds = 1};
    int fd = memfd_create("heddle-recall", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        return HD_ESYS;
    }
    if (ftruncate(fd, (off_t)HD_RECALL_BYTES) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        close(fd);
        return HD_ESYS;
    }
    m.fds[0] = fd;
    hd_deposits_take(k, &m);
    hd_message_close(&m);
    return m.nfds == 0 ? 0 : HD_ELIMIT;
}

/* That of a build which knew fewer cores is of no use. */
static bool is_whole(const struct hd_deposit *kept)
{
    struct stat st;

    return kept != NULL && fstat(kept->fds[0], &st) == 0 && st.st_size == (off_t)HD_RECALL_BYTES;
}

void hd_keeper_recall_give(struct hd_keeper *k)
{
    const struct hd_deposit *kept = hd_deposits_find(k, NAME);

    if (!is_whole(kept) && make(k) == 0) {
        kept = hd_deposits_find(k, NAME);
    }
    if (kept == NULL || hd_channel_send_fds(k->child[HD_ROLE_ROUTER].channel, HD_MSG_RECALL, NULL,
                                            NULL, 0, kept->fds, 1) < 0) {
        hd_log_line(&k->log, HD_LOG_WARNING, "recall-not-given", "process=router");
    }
}

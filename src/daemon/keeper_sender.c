/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's thread that sends periodic objects (linux/sender.h, design.md section 5). It lives
 * here because here it outlives the router process, and system; its memory and its sockets outlive
 * the keeper's own re-execution like every deposit.
 *
 * Without it (no right to raw sockets) everything works but BFD, whose sessions then stay down.
 */
#include <string.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "linux/sender.h"

#define NAME "sender"
#define FDS  3 /* memory, IPv4, IPv6 */

/* What the keeper had before it executed itself anew; NULL: nothing that this build can use. */
static struct hd_sender_table *take_kept(const struct hd_keeper *k, int fds[FDS])
{
    const struct hd_deposit *kept = hd_deposits_find(k, NAME);
    if (kept == NULL || kept->nfds != FDS) {
        return NULL;
    }
    memcpy(fds, kept->fds, FDS * sizeof fds[0]);
    return hd_sender_table_map(fds[0]);
}

/* In place of what was kept, if anything was. */
static int make(struct hd_keeper *k, int fds[FDS])
{
    struct hd_msg_name name = {NAME};
    struct hd_message m = {.body = &name, .nfds = FDS};

    fds[0] = hd_sender_table_make();
    if (fds[0] < 0) {
        return fds[0];
    }
    if (hd_sender_sockets(&fds[1]) < 0) {
        close(fds[0]);
        return HD_ESYS;
    }
    memcpy(m.fds, fds, FDS * sizeof fds[0]);
    hd_deposits_take(k, &m);
    return m.nfds == 0 ? 0 : HD_ELIMIT;
}

void hd_keeper_sender_begin(struct hd_keeper *k)
{
    int fds[FDS];
    struct hd_sender_table *t = take_kept(k, fds);
    int error = 0;

    if (t == NULL) {
        error = make(k, fds);
        t = error == 0 ? hd_sender_table_map(fds[0]) : NULL;
    }
    k->sender = t != NULL ? fds[0] : -1;
    if (t != NULL) {
        error = hd_sender_start(&k->sender_thread, t, &fds[1]);
    }
    if (t == NULL || error < 0) {
        k->sender = -1;
        hd_log_line(&k->log, HD_LOG_WARNING, "no-sender", "error=%s next=without-bfd",
                    hd_error_name(error < 0 ? error : HD_ESYS));
    }
}

void hd_keeper_sender_give(struct hd_keeper *k)
{
    if (k->sender >= 0 && hd_channel_send_fds(k->child[HD_ROLE_ROUTER].channel, HD_MSG_SENDER, NULL,
                                              NULL, 0, &k->sender, 1) < 0) {
        hd_log_line(&k->log, HD_LOG_WARNING, "sender-not-given", "process=router");
    }
}

void hd_keeper_sender_end(struct hd_keeper *k)
{
    hd_sender_stop(k->sender_thread);
    k->sender_thread = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manage role of heddled (design.md, sections 5 and 6): it stands between people and the
 * router.
 *
 * It holds no state that matters: it may crash and be started again without a packet lost. It has
 * no capability, parses what local users send (one JSON object per line) and asks the router for
 * rows over a channel. The protocol of the control socket is described in doc/control-socket.md.
 */
#ifndef HD_MANAGE_MANAGE_H
#define HD_MANAGE_MANAGE_H

#include "lib/error.h"

#define HD_MANAGE_CLIENTS_MAX   32
#define HD_MANAGE_LINE_MAX      65536         /* bytes of one request */
#define HD_MANAGE_OUT_MAX       (1024 * 1024) /* bytes of events a slow reader may leave unread */
#define HD_MANAGE_ROUTER_WAIT_S 5             /* for an answer of the router */
#define HD_MANAGE_CONFIG_WAIT_S 60            /* for one of heddle-config */
#define HD_MANAGE_GROUP         "heddle"      /* its members may read */

/* Descriptors that were opened while the process could; -1: there is none. */
struct hd_manage_files {
    int config_dir;     /* folder of the configuration, which belongs to the process's user */
    int config_program; /* heddle-config */
};

/*
 * Runs until the keeper says stop or goes away: the exit status. keeper_fd is the channel to the
 * keeper (the router's end comes over it as PEER), listen_fd the listening control socket, which is
 * not closed: it belongs to the keeper. files: NULL is a node without configuration.
 */
int hd_manage_main(int keeper_fd, int listen_fd, const struct hd_manage_files *files);

/*
 * For the keeper: makes the listening control socket at path, replacing a stale one. Root may
 * change things; group "heddle", if there is one, may read. Returns the descriptor or HD_ESYS.
 */
HD_MUST_USE int hd_manage_listen(const char *path);

#endif

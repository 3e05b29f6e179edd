/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each role gives away before it reads the first byte from outside (design.md, sections 5 and
 * 7; forwarding-on-linux.md, section 8).
 */
#ifndef HD_DAEMON_PRIVILEGES_H
#define HD_DAEMON_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/error.h"

/* Dies with its parent, also when the parent died just now. Repeated after a change of user. */
HD_MUST_USE int hd_privileges_tie_to_parent(pid_t parent);

/* system: the capabilities that its work needs, for ever; nothing that could get more. */
HD_MUST_USE int hd_privileges_keep_network(void);

/*
 * router and manage: another user (heddle, else nobody), no capability, no way back. Writes a few
 * words about it for `status`.
 */
HD_MUST_USE int hd_privileges_drop_all(char *words, size_t size);

/* Who that other user is: 0 or HD_ENOENT. */
HD_MUST_USE int hd_privileges_user(unsigned *uid, unsigned *gid);

/* router: system calls by an allow-list; the others fail with EPERM. */
HD_MUST_USE int hd_privileges_filter_router(void);

/*
 * Real-time scheduling at low priority with a bound: a process that computes longer than this
 * without a pause falls back to normal until it pauses again. Call before the privileges are
 * dropped. True when the system allowed it.
 */
#define HD_REALTIME_US 200000
bool hd_privileges_realtime(int priority);
/* Real time for a start, inherited by whoever is executed; false: normal again. */
void hd_privileges_hurry(bool on);
/* How it is now. */
bool hd_privileges_is_realtime(void);
/* At a pause: back to real time if the bound had been hit. */
void hd_privileges_realtime_again(void);

#endif

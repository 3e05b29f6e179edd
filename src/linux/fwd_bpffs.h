/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of pins. Maps are found again after a restart by their pins alone (fetching one by id
 * takes more privilege than we have), and pins live in a bpffs only: where the folder is not inside
 * one, a bpffs of our own is mounted on it. One folder per instance: a lab runs many on one
 * machine. A service that may not mount, and whose mounts nobody else would see, takes a folder of
 * its network namespace below /sys/fs/bpf instead.
 */
#ifndef HD_LINUX_FWD_BPFFS_H
#define HD_LINUX_FWD_BPFFS_H

#include "lib/error.h"

#define HD_FWD_BPFFS_PATH 512

/*
 * Makes the folder usable for pins, or takes the one below /sys/fs/bpf; where a predecessor had its
 * pins, ours are, too. Says in `where` (HD_FWD_BPFFS_PATH) which it is. 0, HD_EINVAL (path too
 * long) or HD_ESYS.
 */
HD_MUST_USE int hd_fwd_bpffs_open(const char *folder, char *where);
/* Pins a descriptor under a name, replacing what is there. */
HD_MUST_USE int hd_fwd_bpffs_pin(const char *folder, const char *name, int fd);
/* Descriptor of a pin, or -1. */
int hd_fwd_bpffs_get(const char *folder, const char *name);
/* Removes all pins; the folder and its mount stay. */
void hd_fwd_bpffs_clear(const char *folder);
/* Removes the pins and, where it was ours, mount and folder. */
void hd_fwd_bpffs_remove(const char *folder);

#endif

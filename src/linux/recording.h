/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory in which a router records its calls (replay/format.h), seen from outside of the
 * router: making it, finding it, and copying it into a file while the router goes on.
 *
 * It is a memfd that the keeper holds. So it is never written to a disk by itself, it is there when
 * the router hangs or has died, and root finds it among the keeper's descriptors without asking any
 * process. It is written by the process that parses what comes from the network: nothing in it is
 * believed.
 */
#ifndef HD_LINUX_RECORDING_H
#define HD_LINUX_RECORDING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"

/* Zeroed memory of that size, which can neither shrink nor grow: a descriptor, or HD_ESYS. */
HD_MUST_USE int hd_recording_make(size_t bytes);

/* The memory of the heddled whose keeper has this process id: a descriptor, HD_ENOENT or HD_EPERM.
 */
HD_MUST_USE int hd_recording_find(pid_t keeper);

struct hd_recording_copied {
    uint64_t bytes;    /* that hold something */
    unsigned segments; /* whole */
};

/*
 * Copies it into an empty file: 0; HD_EMALFORMED when it is no recording, HD_ENOENT when nothing
 * was recorded yet, HD_ESYS with errno. Segments that the router began anew meanwhile are left out.
 */
HD_MUST_USE int hd_recording_copy(int from, int to, struct hd_recording_copied *copied);

#endif

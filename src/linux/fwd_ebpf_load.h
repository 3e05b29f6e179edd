/* SPDX-License-Identifier: Apache-2.0 */
/* Loading: from the skeletons made at build time to bare descriptors of maps and programs. */
#ifndef HD_LINUX_FWD_EBPF_LOAD_H
#define HD_LINUX_FWD_EBPF_LOAD_H

#include "linux/fwd_ebpf.h"

enum hd_fwd_ebpf_program {
    HD_EBPF_KIRA0, /* tc egress of kira0 */
    HD_EBPF_LINK,  /* tc ingress of KIRA links */
    HD_EBPF_GUARD, /* tc ingress of other interfaces */
    HD_EBPF_XDP,
    HD_EBPF_PROGRAM_COUNT,
};

struct hd_fwd_ebpf_objects {
    int maps[HD_EBPF_MAP_COUNT];
    int programs[HD_EBPF_PROGRAM_COUNT]; /* XDP: -1 where it does not load */
    bool reads_carrier;                  /* they see a dead egress themselves */
};

/*
 * Loads all programs on the maps pinned in the folder, making those that are not there. On failure
 * 0 is in none of the descriptors, all are -1. HD_EINVAL: the pinned maps have another shape;
 * HD_ESYS.
 */
HD_MUST_USE int hd_fwd_ebpf_load(struct hd_fwd_ebpf_objects *o, const char *pin_dir, char *why);
void hd_fwd_ebpf_unload(struct hd_fwd_ebpf_objects *o);

#endif

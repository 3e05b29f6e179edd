/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs on interfaces: tcx where the kernel has it (6.6), else tc filters in a clsact qdisc
 * under our own handle and priority; and native XDP on real NICs. Attaching replaces our own
 * program atomically and never displaces another's. tcx runs before all filters, costs a packet
 * less, and needs no qdisc, so nobody takes our programs along when he removes his own.
 */
#ifndef HD_LINUX_FWD_EBPF_ATTACH_H
#define HD_LINUX_FWD_EBPF_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "linux/fwd_device.h"
#include "linux/fwd_ebpf_load.h"

/*
 * `programs` are ours, HD_EBPF_PROGRAM_COUNT descriptors, -1 where there is none: what hangs there
 * already is known by its number among them, or by its name as long as this process may look at
 * programs of others (CAP_SYS_ADMIN; while the service starts).
 *
 * own_qdisc: in: the clsact qdisc is known to be ours; out: there is one of ours. 0 or HD_ESYS.
 */
HD_MUST_USE int hd_fwd_tc_attach(uint32_t ifindex, bool egress, const int *programs,
                                 enum hd_fwd_ebpf_program which, bool *own_qdisc);
/* Whether a program of ours still hangs there: 1, 0 or an error. */
HD_MUST_USE int hd_fwd_tc_attached(uint32_t ifindex, bool egress, const int *programs);
/* Takes our program away, and the qdisc if it is ours and nobody else has filters there. */
void hd_fwd_tc_detach(uint32_t ifindex, bool egress, const int *programs, bool own_qdisc);

/* Whether the interface is a real NIC, where native XDP is worth trying. */
bool hd_fwd_xdp_suits(const struct hd_fwd_device *d);
/* old: descriptor of our program that may be there already, or -1: 0, HD_EEXIST or HD_ESYS. */
HD_MUST_USE int hd_fwd_xdp_attach(uint32_t ifindex, int program, int old);
/* Takes the program away if it is the one of this descriptor. */
void hd_fwd_xdp_detach(uint32_t ifindex, int program);

#endif

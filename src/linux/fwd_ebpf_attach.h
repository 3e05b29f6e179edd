/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs on interfaces: tc filters under our own handle and priority, and native XDP on real
 * NICs. Attaching replaces our own program atomically and never displaces another's.
 */
#ifndef HD_LINUX_FWD_EBPF_ATTACH_H
#define HD_LINUX_FWD_EBPF_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "linux/fwd_device.h"

/* own_qdisc: in: the clsact qdisc is known to be ours; out: it is. 0 or HD_ESYS. */
HD_MUST_USE int hd_fwd_tc_attach(uint32_t ifindex, bool egress, int program, bool *own_qdisc);
/* Takes our filter away, and the qdisc if it is ours and nobody else has filters there. */
/* Whether the program still hangs there: 1, 0 or an error. */
HD_MUST_USE int hd_fwd_tc_attached(uint32_t ifindex, bool egress);
void hd_fwd_tc_detach(uint32_t ifindex, bool egress, bool own_qdisc);

/* Whether the interface is a real NIC, where native XDP is worth trying. */
bool hd_fwd_xdp_suits(const struct hd_fwd_device *d);
/* old: descriptor of our program that may be there already, or -1: 0, HD_EEXIST or HD_ESYS. */
HD_MUST_USE int hd_fwd_xdp_attach(uint32_t ifindex, int program, int old);
/* Takes the program away if it is the one of this descriptor. */
void hd_fwd_xdp_detach(uint32_t ifindex, int program);

#endif

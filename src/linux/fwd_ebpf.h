/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two halves of the eBPF back-end share: which maps cross the channel, in which order, and
 * the two ways to write a label.
 */
#ifndef HD_LINUX_FWD_EBPF_H
#define HD_LINUX_FWD_EBPF_H

#include <string.h>

#include "linux/fwd_backend.h"
#include "shared/hd_bpf.h"

/* Descriptors of hd_fwd_handles. The router gets maps only: with a program it could attach XDP. */
enum hd_fwd_ebpf_map {
    HD_EBPF_NODES,
    HD_EBPF_LABELS,
    HD_EBPF_ADJS,
    HD_EBPF_WAYS,
    HD_EBPF_ADMITTED,
    HD_EBPF_COUNTERS,
    HD_EBPF_EVENTS,
    HD_EBPF_HANDED, /* number of those above */
    HD_EBPF_CONFIG = HD_EBPF_HANDED,
    HD_EBPF_IFS,
    HD_EBPF_DEVS,
    HD_EBPF_MAP_COUNT,
};

/* fwd_ebpf_setup.c */
int hd_fwd_ebpf_setup_open(struct hd_fwd_setup **s, const struct hd_fwd_setup_options *o,
                           char *why);
void hd_fwd_ebpf_setup_handles(const struct hd_fwd_setup *s, struct hd_fwd_handles *h);
bool hd_fwd_ebpf_setup_intact(struct hd_fwd_setup *s);
bool hd_fwd_ebpf_setup_has_xdp(const struct hd_fwd_setup *s, uint32_t program);
int hd_fwd_ebpf_setup_interface(struct hd_fwd_setup *s, uint32_t ifindex, uint32_t mtu, bool use,
                                char *why);
void hd_fwd_ebpf_setup_close(struct hd_fwd_setup *s, bool keep);

/* fwd_ebpf_adopt.c: fills the model from the maps. */
int hd_fwd_ebpf_adopt(const int *maps, struct hd_model *m, uint8_t owner);

/* fwd_ebpf_apply.c: realises all changes of the model. */
void hd_fwd_ebpf_apply(const int *maps, uint16_t label_prefix, struct hd_model *m);

static inline void hd_fwd_ebpf_label(uint8_t address[16], uint16_t prefix,
                                     const struct hd_label *label)
{
    address[0] = (uint8_t)(prefix >> 8);
    address[1] = (uint8_t)prefix;
    memcpy(address + 2, label->b, sizeof label->b);
}

#endif

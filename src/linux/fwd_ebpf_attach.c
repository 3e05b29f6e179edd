/* SPDX-License-Identifier: Apache-2.0 */
/* See fwd_ebpf_attach.h. */
#include "linux/fwd_ebpf_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>

/* Behind those who want to be first (priority 1 and the like); the handle is free within it. */
#define TC_PRIORITY 0xc0de
#define TC_HANDLE   1

int hd_fwd_tc_attach(uint32_t ifindex, bool egress, int program, bool *own_qdisc)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
                .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY, .prog_fd = program,
                .flags = BPF_TC_F_REPLACE);
    int rc = bpf_tc_hook_create(&hook);

    if (rc == 0)
        *own_qdisc = true;
    else if (rc != -EEXIST) {
        errno = -rc;
        return HD_ESYS;
    }
    rc = bpf_tc_attach(&hook, &opts);
    if (rc == 0)
        return 0;
    errno = -rc;
    return HD_ESYS;
}

int hd_fwd_tc_attached(uint32_t ifindex, bool egress)
{
    return hd_fwd_filter_there(ifindex, egress, TC_PRIORITY);
}

void hd_fwd_tc_detach(uint32_t ifindex, bool egress, bool own_qdisc)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
                .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);

    (void)bpf_tc_detach(&hook, &opts); /* fails when it is not there, or no longer */
    if (!own_qdisc || hd_fwd_filters_present(ifindex) != 0)
        return;
    hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS; /* both: the qdisc itself */
    (void)bpf_tc_hook_destroy(&hook);
}

bool hd_fwd_xdp_suits(const struct hd_fwd_device *d)
{
    return d->type == ARPHRD_ETHER && d->has_parent && d->kind[0] == '\0';
}

static uint32_t program_id(int program)
{
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof info;

    return program >= 0 && bpf_obj_get_info_by_fd(program, &info, &len) == 0 ? info.id : 0;
}

int hd_fwd_xdp_attach(uint32_t ifindex, int program, int old)
{
    LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
    uint32_t there = 0, flags = XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST;
    int rc;

    if (bpf_xdp_query_id((int)ifindex, 0, &there) != 0)
        return HD_ESYS;
    if (there != 0) {
        if (there != program_id(old))
            return HD_EEXIST;
        flags = XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE;
        opts.old_prog_fd = old;
    }
    rc = bpf_xdp_attach((int)ifindex, program, flags, &opts);
    if (rc == 0)
        return 0;
    errno = -rc;
    return HD_ESYS;
}

void hd_fwd_xdp_detach(uint32_t ifindex, int program)
{
    LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = program);

    (void)bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE, &opts);
}

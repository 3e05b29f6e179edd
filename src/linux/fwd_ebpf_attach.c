/* SPDX-License-Identifier: Apache-2.0 */
/* See fwd_ebpf_attach.h. */
#include "linux/fwd_ebpf_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

#include "lib/base.h"

/* Behind those who want to be first (priority 1 and the like); the handle is free within it. */
#define TC_PRIORITY 0xc0de
#define TC_HANDLE   1

/* Younger than the headers of Debian 12. */
#define TCX_INGRESS      46
#define TCX_EGRESS       47
#define TCX_PROGRAMS_MAX 64 /* BPF_MPROG_MAX */

static uint32_t program_id(int program)
{
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof info;

    return program >= 0 && bpf_obj_get_info_by_fd(program, &info, &len) == 0 ? info.id : 0;
}

/* --- tcx -----------------------------------------------------------------------------------------
 */

static enum bpf_attach_type tcx_point(bool egress)
{
    return (enum bpf_attach_type)(egress ? TCX_EGRESS : TCX_INGRESS);
}

static bool has_our_name(int program)
{
    static const char *const names[] = {"hd_kira0", "hd_link", "hd_guard"};
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof info;

    if (bpf_obj_get_info_by_fd(program, &info, &len) != 0)
        return false;
    for (size_t i = 0; i < HD_ARRAY_LEN(names); i++)
        if (strcmp(info.name, names[i]) == 0)
            return true;
    return false;
}

/* A descriptor of the program with this number if it is ours, else -1. */
static int open_if_ours(uint32_t id, const int *programs)
{
    for (unsigned i = 0; i < HD_EBPF_PROGRAM_COUNT; i++)
        if (program_id(programs[i]) == id)
            return fcntl(programs[i], F_DUPFD_CLOEXEC, 0);
    int fd = bpf_prog_get_fd_by_id(id);

    if (fd >= 0 && has_our_name(fd))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Our program at an attachment point: 1 and its descriptor, 0, or HD_EUNSUPPORTED without tcx. */
static int find_tcx(uint32_t ifindex, bool egress, const int *programs, int *fd)
{
    uint32_t ids[TCX_PROGRAMS_MAX], count = TCX_PROGRAMS_MAX;

    if (bpf_prog_query((int)ifindex, tcx_point(egress), 0, NULL, ids, &count) < 0)
        return errno == ENOENT ? 0 : HD_EUNSUPPORTED;
    for (uint32_t i = 0; i < count; i++) {
        *fd = open_if_ours(ids[i], programs);
        if (*fd >= 0)
            return 1;
    }
    return 0;
}

static int attach_tcx(uint32_t ifindex, bool egress, const int *programs, int program)
{
    LIBBPF_OPTS(bpf_prog_attach_opts, opts);
    int old = -1, there = find_tcx(ifindex, egress, programs, &old), rc = 0;

    if (there < 0)
        return there;
    if (there == 1) {
        opts.flags = BPF_F_REPLACE;
        opts.replace_prog_fd = old;
    }
    if (old < 0 || program_id(old) != program_id(program))
        rc = bpf_prog_attach_opts(program, (int)ifindex, tcx_point(egress), &opts);
    int saved = errno;

    if (old >= 0)
        close(old);
    errno = saved;
    return rc == 0 ? 0 : HD_ESYS;
}

static bool detach_tcx(uint32_t ifindex, bool egress, const int *programs)
{
    int fd = -1;

    if (find_tcx(ifindex, egress, programs, &fd) != 1)
        return false;
    bool done = bpf_prog_detach2(fd, (int)ifindex, tcx_point(egress)) == 0;

    close(fd);
    return done;
}

/* --- clsact --------------------------------------------------------------------------------------
 */

static int attach_clsact(uint32_t ifindex, bool egress, int program, bool *own_qdisc)
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

static void detach_filter(uint32_t ifindex, bool egress)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
                .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);

    (void)bpf_tc_detach(&hook, &opts); /* fails when it is not there, or no longer */
}

/* The kernel stops a device for some milliseconds while it takes the qdisc: only at the end. */
static void detach_clsact(uint32_t ifindex, bool egress, bool own_qdisc)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
                .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS); /* both: the qdisc itself */

    detach_filter(ifindex, egress);
    if (!own_qdisc || hd_fwd_filters_present(ifindex) != 0)
        return;
    (void)bpf_tc_hook_destroy(&hook);
}

/* --- both ----------------------------------------------------------------------------------------
 */

int hd_fwd_tc_attach(uint32_t ifindex, bool egress, const int *programs,
                     enum hd_fwd_ebpf_program which, bool *own_qdisc)
{
    int error = attach_tcx(ifindex, egress, programs, programs[which]);

    if (error == HD_EUNSUPPORTED)
        return attach_clsact(ifindex, egress, programs[which], own_qdisc);
    /* The filter of a kernel that did not know tcx, with the program in its place already. */
    if (error == 0 && *own_qdisc && hd_fwd_filter_there(ifindex, egress, TC_PRIORITY) == 1)
        detach_filter(ifindex, egress);
    return error;
}

int hd_fwd_tc_attached(uint32_t ifindex, bool egress, const int *programs)
{
    int fd = -1, there = find_tcx(ifindex, egress, programs, &fd);

    if (there == 1)
        close(fd);
    return there == 1 ? 1 : hd_fwd_filter_there(ifindex, egress, TC_PRIORITY);
}

void hd_fwd_tc_detach(uint32_t ifindex, bool egress, const int *programs, bool own_qdisc)
{
    if (!detach_tcx(ifindex, egress, programs) || own_qdisc)
        detach_clsact(ifindex, egress, own_qdisc);
}

/* --- XDP -----------------------------------------------------------------------------------------
 */

bool hd_fwd_xdp_suits(const struct hd_fwd_device *d)
{
    return d->type == ARPHRD_ETHER && d->has_parent && d->kind[0] == '\0';
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

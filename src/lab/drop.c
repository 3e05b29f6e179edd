/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Silent cuts. The carrier of both ends stays while a two-instruction tc program at both ends drops
 * everything, on ingress and egress. It comes before the programs of heddled: as a tcx program at
 * the head of the list where the kernel has tcx (6.6), which always runs before filters of clsact;
 * else as a clsact filter of preference 1. What an XDP program redirects past tc on one end meets
 * the drop at the other end's ingress, as long as no XDP program sits there: labs leave XDP off on
 * veth (spec/forwarding-on-linux.md, section 3.2).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "lab/internal.h"
#include "lib/base.h"

/* Younger than the headers of Debian 12. */
#define TCX_INGRESS 46
#define TCX_EGRESS  47
#define F_BEFORE    (1U << 3)

#define PROGRAM_NAME    "hd_lab_drop"
#define FILTER_HANDLE   0x1ab
#define FILTER_PRIORITY 1
#define PROGRAMS_MAX    64

static const int tcx_points[] = {TCX_INGRESS, TCX_EGRESS};
static const enum bpf_tc_attach_point clsact_points[] = {BPF_TC_INGRESS, BPF_TC_EGRESS};

static int load_program(void)
{
    static const struct bpf_insn code[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_SHOT},
        {.code = BPF_JMP | BPF_EXIT},
    };

    return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, PROGRAM_NAME, "GPL", code, HD_ARRAY_LEN(code),
                         NULL);
}

/* --- tcx -----------------------------------------------------------------------------------------
 */

/* Descriptor of our program at an attachment point, or -1. */
static int find_tcx(int ifindex, int point)
{
    uint32_t ids[PROGRAMS_MAX], count = PROGRAMS_MAX;

    if (bpf_prog_query(ifindex, (enum bpf_attach_type)point, 0, NULL, ids, &count) < 0)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        struct bpf_prog_info info = {0};
        uint32_t len = sizeof info;
        int fd = bpf_prog_get_fd_by_id(ids[i]);

        if (fd < 0)
            continue;
        if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strcmp(info.name, PROGRAM_NAME) == 0)
            return fd;
        close(fd);
    }
    return -1;
}

static int set_tcx(int prog, int ifindex)
{
    LIBBPF_OPTS(bpf_prog_attach_opts, opts, .flags = F_BEFORE);

    for (size_t i = 0; i < 2; i++) {
        if (bpf_prog_attach_opts(prog, ifindex, (enum bpf_attach_type)tcx_points[i], &opts) < 0)
            return HD_ESYS;
    }
    return 0;
}

static int clear_tcx(int ifindex)
{
    int rc = 0;

    for (size_t i = 0; i < 2; i++) {
        int fd = find_tcx(ifindex, tcx_points[i]);

        if (fd < 0)
            continue;
        if (bpf_prog_detach2(fd, ifindex, (enum bpf_attach_type)tcx_points[i]) < 0)
            rc = HD_ESYS;
        close(fd);
    }
    return rc;
}

/* --- clsact --------------------------------------------------------------------------------------
 */

static int set_clsact(int prog, int ifindex)
{
    for (size_t i = 0; i < 2; i++) {
        LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = clsact_points[i]);
        LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
                    .prog_fd = prog, .flags = BPF_TC_F_REPLACE);
        libbpf_print_fn_t print = libbpf_set_print(NULL);
        int rc = bpf_tc_hook_create(&hook);

        libbpf_set_print(print);
        if ((rc < 0 && rc != -EEXIST) || bpf_tc_attach(&hook, &opts) < 0)
            return HD_ESYS;
    }
    return 0;
}

/* That there is no filter, or no clsact at all, is an answer and no reason for libbpf to complain.
 */
static bool find_clsact(int ifindex, enum bpf_tc_attach_point point)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
    libbpf_print_fn_t print = libbpf_set_print(NULL);
    bool found = bpf_tc_query(&hook, &opts) == 0;

    libbpf_set_print(print);
    return found;
}

/* The clsact itself stays: it may be heddled's by now, and an empty one does nothing. */
static int clear_clsact(int ifindex)
{
    int rc = 0;

    for (size_t i = 0; i < 2; i++) {
        LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = clsact_points[i]);
        LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

        if (find_clsact(ifindex, clsact_points[i]) && bpf_tc_detach(&hook, &opts) < 0)
            rc = HD_ESYS;
    }
    return rc;
}

/* --- both ----------------------------------------------------------------------------------------
 */

int hd_lab_drop_set(const char *ifname, enum hd_lab_drop_method method)
{
    int ifindex = (int)if_nametoindex(ifname);
    int prog = ifindex == 0 ? -1 : load_program();

    if (prog < 0)
        return HD_ESYS;
    int rc = method == HD_LAB_DROP_TCX ? set_tcx(prog, ifindex) : set_clsact(prog, ifindex);
    int saved = errno;

    close(prog);
    errno = saved;
    return rc;
}

int hd_lab_drop_clear(const char *ifname)
{
    int ifindex = (int)if_nametoindex(ifname);

    if (ifindex == 0)
        return HD_ESYS;
    int rc = clear_tcx(ifindex), rc2 = clear_clsact(ifindex);

    return rc < 0 ? rc : rc2;
}

bool hd_lab_drop_is_set(const char *ifname)
{
    int ifindex = (int)if_nametoindex(ifname);
    int fd = ifindex == 0 ? -1 : find_tcx(ifindex, TCX_INGRESS);

    if (fd >= 0)
        close(fd);
    return fd >= 0 || (ifindex != 0 && find_clsact(ifindex, BPF_TC_INGRESS));
}

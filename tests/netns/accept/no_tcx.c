// SPDX-License-Identifier: Apache-2.0
/*
 * A kernel without tcx (before 6.6), as heddled would meet it: loaded in front of libbpf
 * (LD_PRELOAD), it answers questions and requests about attachment points of tcx as such a kernel
 * does. All else goes through.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

#include <bpf/bpf.h>

enum {
    TCX_INGRESS = 46,
    TCX_EGRESS = 47
}; /* the kernel's numbers: headers of Debian 12 have none */

static bool is_tcx(enum bpf_attach_type type)
{
    return (int)type == TCX_INGRESS || (int)type == TCX_EGRESS;
}

static int refused(void)
{
    errno = EINVAL;
    return -EINVAL;
}

int bpf_prog_query(int target_fd, enum bpf_attach_type type, __u32 flags, __u32 *attach_flags,
                   __u32 *ids, __u32 *count)
{
    int (*next)(int, enum bpf_attach_type, __u32, __u32 *, __u32 *, __u32 *);

    if (is_tcx(type))
        return refused();
    *(void **)&next = dlsym(RTLD_NEXT, "bpf_prog_query");
    return next(target_fd, type, flags, attach_flags, ids, count);
}

int bpf_prog_attach_opts(int program, int target, enum bpf_attach_type type,
                         const struct bpf_prog_attach_opts *opts)
{
    int (*next)(int, int, enum bpf_attach_type, const struct bpf_prog_attach_opts *);

    if (is_tcx(type))
        return refused();
    *(void **)&next = dlsym(RTLD_NEXT, "bpf_prog_attach_opts");
    return next(program, target, type, opts);
}

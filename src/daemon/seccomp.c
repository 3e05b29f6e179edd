/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of the router process. It holds its descriptors already and needs neither files nor
 * new sockets: what it may do is read, write, wait, manage memory, and edit the eBPF maps it was
 * given. Anything else fails with EPERM, which is as safe as death and lets a surprise of some C
 * library show up as an error message instead of a restart loop.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <seccomp.h>
#include <sys/mman.h>

#include "daemon/privileges.h"
#include "lib/base.h"

static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_setscheduler), /* to fall back from real time, and return to it */
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(prlimit64),
    SCMP_SYS(getsockopt),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),
};

/* Map entries only: no programs, links, pins or lookups by id. */
static const int bpf_allowed[] = {
    BPF_MAP_LOOKUP_ELEM,  BPF_MAP_UPDATE_ELEM,    BPF_MAP_DELETE_ELEM,
    BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_BATCH,   BPF_MAP_UPDATE_BATCH,
    BPF_MAP_DELETE_BATCH, BPF_OBJ_GET_INFO_BY_FD, BPF_MAP_LOOKUP_AND_DELETE_ELEM,
};

static int add_rules(scmp_filter_ctx filter)
{
    int error = 0;
    for (unsigned i = 0; i < HD_ARRAY_LEN(allowed); i++) {
        error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    }
    for (unsigned i = 0; i < HD_ARRAY_LEN(bpf_allowed); i++) {
        error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
                                  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)bpf_allowed[i], 0));
    }
    /* Memory is data: never executable. */
    error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return error;
}

int hd_privileges_filter_router(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) {
        return HD_ENOMEM;
    }
    int error = add_rules(filter);
    if (error == 0) {
        error = seccomp_load(filter);
    }
    seccomp_release(filter);
    return error == 0 ? 0 : HD_ESYS;
}

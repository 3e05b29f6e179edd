/* SPDX-License-Identifier: Apache-2.0 */
/* Giving privileges away (privileges.h). */
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base.h"

#define HURRY 1 /* below everybody who has work to do */

int hd_privileges_tie_to_parent(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        return HD_ESYS;
    }
    return getppid() == parent ? 0 : HD_ENOENT;
}

/* The bounding set shrinks to these; then no exec can ever bring another back. */
static int bound(const cap_value_t *keep, int n)
{
    for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++) {
        bool kept = false;
        for (int i = 0; i < n; i++) {
            kept |= keep[i] == c;
        }
        if (!kept && cap_drop_bound(c) < 0) {
            return HD_ESYS;
        }
    }
    return 0;
}

static int set_capabilities(const cap_value_t *keep, int n)
{
    cap_t caps = cap_init(); /* all clear */
    int error = caps == NULL ? HD_ENOMEM : 0;
    if (error == 0 && n > 0 &&
        (cap_set_flag(caps, CAP_PERMITTED, n, keep, CAP_SET) < 0 ||
         cap_set_flag(caps, CAP_EFFECTIVE, n, keep, CAP_SET) < 0)) {
        error = HD_ESYS;
    }
    if (error == 0 && cap_set_proc(caps) < 0) {
        error = HD_ESYS;
    }
    cap_free(caps);
    return error;
}

int hd_privileges_keep_network(void)
{
    static const cap_value_t keep[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_PERFMON,
                                       CAP_NET_BIND_SERVICE};
    int n = (int)HD_ARRAY_LEN(keep);
    int error = bound(keep, n);
    if (error == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        error = HD_ESYS;
    }
    return error < 0 ? error : set_capabilities(keep, n);
}

static const struct passwd *somebody_else(void)
{
    const struct passwd *p = getpwnam("heddle");
    return p != NULL ? p : getpwnam("nobody");
}

int hd_privileges_user(unsigned *uid, unsigned *gid)
{
    const struct passwd *p = somebody_else();
    if (p == NULL) {
        return HD_ENOENT;
    }
    *uid = p->pw_uid;
    *gid = p->pw_gid;
    return 0;
}

int hd_privileges_drop_all(char *words, size_t size)
{
    const struct passwd *p = somebody_else();
    pid_t parent = getppid();
    if (p == NULL) {
        return HD_ENOENT;
    }
    if (bound(NULL, 0) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(p->pw_gid, p->pw_gid, p->pw_gid) < 0 ||
        setresuid(p->pw_uid, p->pw_uid, p->pw_uid) < 0 || set_capabilities(NULL, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
        return HD_ESYS;
    }
    snprintf(words, size, "user %s, no capability", p->pw_name);
    /* A change of user clears the death signal. */
    return hd_privileges_tie_to_parent(parent);
}

/* --- real time -----------------------------------------------------------------------------------
 */

static volatile sig_atomic_t demoted;
static int realtime_priority;

static void on_cpu_bound(int signal_number)
{
    struct sched_param none = {0};
    (void)signal_number;
    demoted = 1;
    sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none);
}

/* The kernel raises the soft limit when it was hit. */
static int set_cpu_bound(void)
{
    struct rlimit cpu = {HD_REALTIME_US, RLIM_INFINITY};
    return setrlimit(RLIMIT_RTTIME, &cpu);
}

bool hd_privileges_realtime(int priority)
{
    struct sched_param p = {.sched_priority = priority};
    struct sigaction on = {.sa_handler = on_cpu_bound, .sa_flags = SA_RESTART};
    /* The priority limit lets an unprivileged process come back after a demotion. */
    struct rlimit allowed = {(rlim_t)priority, (rlim_t)priority};

    if (sigaction(SIGXCPU, &on, NULL) < 0 || set_cpu_bound() < 0) {
        return false;
    }
    /* Not even root may do this in every container: then the first demotion lasts. */
    (void)setrlimit(RLIMIT_RTPRIO, &allowed);
    if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p) < 0) {
        return false;
    }
    realtime_priority = priority;
    return true;
}

bool hd_privileges_is_realtime(void)
{
    return (sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) == SCHED_FIFO;
}

void hd_privileges_hurry(bool on)
{
    struct sched_param p = {.sched_priority = on ? HURRY : 0};

    if (on != hd_privileges_is_realtime()) {
        (void)sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &p);
    }
}

void hd_privileges_realtime_again(void)
{
    if (demoted != 0) {
        struct sched_param p = {.sched_priority = realtime_priority};
        demoted = 0;
        (void)set_cpu_bound();
        sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p);
    }
}

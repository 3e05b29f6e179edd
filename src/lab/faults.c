/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of a lab: links cut, silenced, healed and changed, daemons killed and started; schedules.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab/internal.h"
#include "lib/base.h"

#define PLAY_PRIORITY 10 /* above all that heddled has */

/* Something done to one end of a link, inside its namespace. */
typedef int end_action(const char *ifname);

static int set_up(const char *ifname)
{
    int flags = hd_lab_if_flags(ifname);

    return flags < 0 || (flags & IFF_UP) != 0 ? flags < 0 ? flags : 0 : hd_lab_if_set(ifname, true);
}

static int set_down(const char *ifname)
{
    return hd_lab_if_set(ifname, false);
}

static int set_drop(const char *ifname)
{
    if (hd_lab_drop_is_set(ifname))
        return 0;
    if (hd_lab_drop_set(ifname, HD_LAB_DROP_TCX) == 0)
        return 0;
    (void)!hd_lab_drop_clear(ifname);
    return hd_lab_drop_set(ifname, HD_LAB_DROP_CLSACT);
}

static int at_end(struct hd_lab *lab, uint32_t ns, const char *ifname, end_action *act,
                  const char *what)
{
    int rc = hd_lab_enter(lab, ns);

    if (rc < 0)
        return rc;
    rc = act(ifname);
    hd_lab_leave(lab);
    return rc < 0 ? hd_lab_fail(lab, rc, "%s: cannot %s: %s", ifname, what, strerror(errno)) : 0;
}

/* Both ends at the nodes. */
static int at_both(struct hd_lab *lab, uint32_t link, end_action *act, const char *what)
{
    const struct hd_lab_link *l = &lab->links[link];
    int rc = 0;

    for (unsigned side = 0; rc == 0 && side < 2; side++)
        rc = at_end(lab, l->node[side], l->ifname[side], act, what);
    return rc;
}

/* Both ends at the wire, of a wired link. */
static int at_wire(struct hd_lab *lab, uint32_t link, end_action *act, const char *what)
{
    char ifname[IFNAMSIZ];
    int rc = 0;

    for (unsigned side = 0; rc == 0 && side < 2; side++)
        rc = at_end(lab, HD_LAB_WIRE_NS, hd_lab_wire_ifname(link, side, ifname), act, what);
    return rc;
}

int hd_lab_cut(struct hd_lab *lab, uint32_t link, enum hd_lab_side at, bool silent)
{
    const struct hd_lab_link *l = &lab->links[link];

    if (silent)
        return at_both(lab, link, set_drop, "drop its packets");
    if (l->wired)
        return at_wire(lab, link, set_down, "set it down");
    return at_end(lab, l->node[at], l->ifname[at], set_down, "set it down");
}

int hd_lab_heal(struct hd_lab *lab, uint32_t link)
{
    int rc = at_both(lab, link, hd_lab_drop_clear, "let its packets pass");

    if (rc == 0 && lab->links[link].wired)
        rc = at_wire(lab, link, set_up, "set it up");
    return rc == 0 ? at_both(lab, link, set_up, "set it up") : rc;
}

static int change_rate(struct hd_lab *lab, uint32_t link, const struct hd_scenario_link *values)
{
    const struct hd_lab_link *l = &lab->links[link];

    for (unsigned side = 0; side < 2; side++) {
        int rc = hd_lab_enter(lab, l->node[side]);

        if (rc < 0)
            return rc;
        rc = hd_lab_if_rate(l->ifname[side], values->rate_bps, values->queue_bytes, l->values.mtu);
        hd_lab_leave(lab);
        if (rc < 0)
            return hd_lab_fail(lab, rc, "%s: rate: %s", l->ifname[side], strerror(errno));
    }
    return 0;
}

void hd_lab_note_values(struct hd_scenario_link *to, uint32_t fields,
                        const struct hd_scenario_link *from)
{
    if ((fields & HD_SCENARIO_F_LOSS) != 0)
        to->loss_ppm = from->loss_ppm;
    if ((fields & HD_SCENARIO_F_DELAY) != 0)
        to->delay_ns = from->delay_ns;
    if ((fields & HD_SCENARIO_F_JITTER) != 0)
        to->jitter_ns = from->jitter_ns;
    if ((fields & HD_SCENARIO_F_DUPLICATE) != 0)
        to->duplicate_ppm = from->duplicate_ppm;
    if ((fields & HD_SCENARIO_F_REORDER) != 0)
        to->reorder_ppm = from->reorder_ppm;
    if ((fields & HD_SCENARIO_F_CORRUPT) != 0)
        to->corrupt_ppm = from->corrupt_ppm;
    if ((fields & HD_SCENARIO_F_RATE) != 0)
        to->rate_bps = from->rate_bps;
}

int hd_lab_change(struct hd_lab *lab, uint32_t link, uint32_t fields,
                  const struct hd_scenario_link *values)
{
    uint32_t rest = fields & ~(uint32_t)HD_SCENARIO_F_RATE;
    int rc = 0;

    if ((fields & HD_SCENARIO_F_MTU) != 0)
        return hd_lab_fail(lab, HD_EUNSUPPORTED, "the MTU of a lab's link cannot change");
    if (rest != 0 && !lab->links[link].wired)
        return hd_lab_fail(lab, HD_EUNSUPPORTED,
                           "the link does not run through the wire; give it a delay or a loss in "
                           "the scenario, then it can change");
    if ((fields & HD_SCENARIO_F_RATE) != 0)
        rc = change_rate(lab, link, values);
    if (rc == 0 && rest != 0)
        rc = hd_lab_wire_change(lab, link, rest, values);
    if (rc < 0)
        return rc;
    hd_lab_note_values(&lab->links[link].values, fields, values);
    return hd_lab_save(lab);
}

int hd_lab_link_state(struct hd_lab *lab, uint32_t link, enum hd_lab_link_state *state,
                      bool carrier[2])
{
    const struct hd_lab_link *l = &lab->links[link];
    bool up = true, silent = false;

    for (unsigned side = 0; side < 2; side++) {
        int rc = hd_lab_enter(lab, l->node[side]);

        if (rc < 0)
            return rc;
        int flags = hd_lab_if_flags(l->ifname[side]);
        int up_below = flags < 0 ? flags : hd_lab_if_carrier(l->ifname[side]);

        silent = silent || hd_lab_drop_is_set(l->ifname[side]);
        hd_lab_leave(lab);
        if (up_below < 0)
            return hd_lab_fail(lab, up_below, "%s of %s: %s", l->ifname[side],
                               lab->nodes[l->node[side]].name, strerror(errno));
        carrier[side] = up_below != 0;
        up = up && (flags & IFF_UP) != 0 && carrier[side];
    }
    *state = !up ? HD_LAB_LINK_CUT : silent ? HD_LAB_LINK_SILENT : HD_LAB_LINK_UP;
    return 0;
}

/* --- daemons -------------------------------------------------------------------------------------
 */

pid_t hd_lab_pid(struct hd_lab *lab, uint32_t node)
{
    char path[PATH_MAX];
    struct hd_lab_proc p;

    return hd_lab_proc_load(hd_lab_path(lab, node, "lab.pid", path), &p) < 0 ? 0 : p.pid;
}

static void sleep_ms(unsigned ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&t, NULL);
}

/* Waits up to `ms` until no process of the session is left; true then. */
static bool wait_gone(struct hd_lab *lab, uint32_t node, pid_t session, unsigned ms)
{
    for (unsigned waited = 0;; waited += 5) {
        while (waitpid(session, NULL, WNOHANG) > 0)
            ;
        if (hd_lab_procs_signal(lab, node, session, 0) == 0)
            return true;
        if (waited >= ms)
            return false;
        sleep_ms(5);
    }
}

static int no_daemon(struct hd_lab *lab, uint32_t node)
{
    return hd_lab_fail(lab, HD_ENOENT, "no heddled runs at %s", lab->nodes[node].name);
}

static int kill_session(struct hd_lab *lab, uint32_t node, pid_t session)
{
    hd_lab_procs_signal(lab, node, session, SIGKILL);
    /* A child forked in that moment is caught by the second look. */
    while (!wait_gone(lab, node, session, 1000)) {
        if (hd_lab_procs_signal(lab, node, session, SIGKILL) == 0)
            break;
    }
    return 0;
}

int hd_lab_kill(struct hd_lab *lab, uint32_t node)
{
    pid_t pid = hd_lab_pid(lab, node);

    return pid == 0 ? no_daemon(lab, node) : kill_session(lab, node, pid);
}

int hd_lab_stop(struct hd_lab *lab, uint32_t node)
{
    pid_t pid = hd_lab_pid(lab, node);

    if (pid == 0)
        return no_daemon(lab, node);
    kill(pid, SIGTERM);
    for (unsigned waited = 0; hd_lab_pid(lab, node) != 0 && waited < 5000; waited += 5)
        sleep_ms(5);
    return wait_gone(lab, node, pid, 200) ? 0 : kill_session(lab, node, pid);
}

int hd_lab_start(struct hd_lab *lab, uint32_t node)
{
    if (lab->heddled[0] == '\0')
        return hd_lab_fail(lab, HD_EINVAL, "this lab was made without daemons (--no-daemon)");
    if (hd_lab_pid(lab, node) != 0)
        return hd_lab_fail(lab, HD_EEXIST, "heddled runs at %s already", lab->nodes[node].name);
    return hd_lab_daemon_start(lab, node);
}

/* --- schedules -----------------------------------------------------------------------------------
 */

static int play_event(struct hd_lab *lab, const struct hd_scenario_event *e)
{
    switch (e->action) {
    case HD_SCENARIO_CUT:
        return hd_lab_cut(lab, e->link, HD_LAB_A, false);
    case HD_SCENARIO_SILENT:
        return hd_lab_cut(lab, e->link, HD_LAB_A, true);
    case HD_SCENARIO_HEAL:
        return hd_lab_heal(lab, e->link);
    case HD_SCENARIO_CHANGE:
        return hd_lab_change(lab, e->link, e->fields, &e->change);
    case HD_SCENARIO_KILL:
        return hd_lab_kill(lab, e->node);
    case HD_SCENARIO_START:
        return hd_lab_start(lab, e->node);
    case HD_SCENARIO_STOP:
        return hd_lab_stop(lab, e->node);
    case HD_SCENARIO_RESTART: {
        int rc = hd_lab_kill(lab, e->node);

        return rc < 0 && rc != HD_ENOENT ? rc : hd_lab_start(lab, e->node);
    }
    }
    return HD_EINVAL;
}

static void wait_until(const struct timespec *start, hd_time after_ns)
{
    struct timespec t = *start;

    t.tv_sec += (time_t)(after_ns / HD_SEC(1));
    t.tv_nsec += (long)(after_ns % HD_SEC(1));
    if (t.tv_nsec >= HD_SEC(1)) {
        t.tv_nsec -= HD_SEC(1);
        t.tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

/*
 * A cable that is pulled needs no processor; the process that plays it does. At normal priority the
 * first cuts of many keep the real-time processes of all nodes busy, and those keep the later cuts
 * waiting: 59 cuts among 100 nodes on two processors took 3 s in place of 0.8. Children begin at
 * normal priority. Where it is not allowed things are merely late.
 */
static void play_in_real_time(void)
{
    const struct sched_param p = {.sched_priority = PLAY_PRIORITY};

    (void)!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p);
}

static void play_events(struct hd_lab *lab, const struct hd_scenario *s, int *rc)
{
    struct timespec start;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint32_t i = 0; *rc == 0 && i < s->event_count; i++) {
        wait_until(&start, s->events[i].at_ns);
        *rc = HD_MIN(play_event(lab, &s->events[i]), 0);
    }
}

int hd_lab_play(struct hd_lab *lab, const struct hd_scenario *s)
{
    struct sched_param before = {0};
    int policy = sched_getscheduler(0), rc = 0;

    if (s->node_count != lab->node_count || s->link_count != lab->link_count)
        return hd_lab_fail(lab, HD_EINVAL, "the lab was made from another scenario");
    sched_getparam(0, &before);
    play_in_real_time();
    play_events(lab, s, &rc);
    sched_setscheduler(0, policy, &before);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire: one process for all links of a lab that have a delay, a loss or another impairment,
 * which the kernel at hand has no netem for. It sits in a namespace of its own, with a packet
 * socket on the middle end of both halves of each link, and carries every frame from one to the
 * other: late by the delay and the jitter, sometimes not at all, twice, before others, or with a
 * bit turned over.
 *
 * Jitter reorders, as it does in netem. Rates are not made here but by token buckets at the nodes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lab/internal.h"
#include "lib/base.h"
#include "lib/random.h"

#define FRAME_MAX     66000
#define RECEIVE_BYTES (4 << 20)
#define HELD_BYTES    (256u << 20) /* of all frames on the way; more are lost */
#define READ_BUDGET   64           /* frames of one end before the others get their turn */

struct frame {
    hd_time at;
    uint64_t order;
    uint32_t end; /* leaves here */
    uint32_t len;
    uint8_t bytes[];
};

/* End 2 * link + side: what comes in here goes out at the other end of the link. */
struct end {
    int fd;
    struct hd_random random;
};

struct wire {
    struct hd_lab *lab;
    struct end *ends;
    struct frame **heap;
    size_t heap_len, heap_cap, held_bytes;
    uint64_t order;
    int epoll, timer, control;
    uint8_t buf[FRAME_MAX];
};

/* What hd_lab_wire_change sends; the answer is an int, 0 or an hd_error. */
struct change {
    uint32_t link, fields;
    struct hd_scenario_link values;
};

#define TAG_TIMER   UINT64_C(0xffffffff)
#define TAG_CONTROL UINT64_C(0xfffffffe)

static hd_time clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return HD_SEC(t.tv_sec) + t.tv_nsec;
}

/* --- frames on their way: a binary heap by time, then order of arrival ---------------------------
 */

static bool before(const struct frame *a, const struct frame *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static bool heap_push(struct wire *w, struct frame *f)
{
    if (w->heap_len == w->heap_cap) {
        size_t cap = HD_MAX(1024, 2 * w->heap_cap);
        struct frame **h = reallocarray(w->heap, cap, sizeof(struct frame *));

        if (h == NULL)
            return false;
        w->heap = h;
        w->heap_cap = cap;
    }
    size_t i = w->heap_len++;

    for (; i > 0 && before(f, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = f;
    return true;
}

static struct frame *heap_pop(struct wire *w)
{
    struct frame *first = w->heap[0], *last = w->heap[--w->heap_len];
    size_t i = 0;

    for (size_t k = 1; k < w->heap_len; i = k, k = 2 * i + 1) {
        if (k + 1 < w->heap_len && before(w->heap[k + 1], w->heap[k]))
            k++;
        if (!before(w->heap[k], last))
            break;
        w->heap[i] = w->heap[k];
    }
    w->heap[i] = last;
    return first;
}

/* --- a frame comes in ----------------------------------------------------------------------------
 */

static bool chance(struct end *e, uint32_t ppm)
{
    return ppm != 0 && hd_random_below(&e->random, HD_SCENARIO_MILLION) < ppm;
}

static void hold(struct wire *w, uint32_t from, uint32_t len, hd_time at, bool corrupt)
{
    struct frame *f;

    if (w->held_bytes + len > HELD_BYTES || (f = malloc(sizeof *f + len)) == NULL)
        return;
    f->at = at;
    f->order = w->order++;
    f->end = from ^ 1;
    f->len = len;
    memcpy(f->bytes, w->buf, len);
    if (corrupt) {
        uint64_t bit = hd_random_below(&w->ends[from].random, 8 * (uint64_t)len);

        f->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    if (!heap_push(w, f)) {
        free(f);
        return;
    }
    w->held_bytes += len;
}

static void take_frame(struct wire *w, uint32_t from, uint32_t len, hd_time now)
{
    const struct hd_scenario_link *v = &w->lab->links[from / 2].values;
    struct end *e = &w->ends[from];

    if (chance(e, v->loss_ppm))
        return;
    unsigned copies = chance(e, v->duplicate_ppm) ? 2 : 1;

    for (; copies > 0; copies--) {
        hd_time delay = v->delay_ns;

        if (v->jitter_ns > 0)
            delay += (hd_time)hd_random_below(&e->random, (uint64_t)v->jitter_ns + 1);
        if (chance(e, v->reorder_ppm))
            delay = 0;
        hold(w, from, len, now + delay, chance(e, v->corrupt_ppm));
    }
}

static void read_end(struct wire *w, uint32_t from)
{
    for (unsigned i = 0; i < READ_BUDGET; i++) {
        ssize_t n = recv(w->ends[from].fd, w->buf, sizeof w->buf, MSG_DONTWAIT | MSG_TRUNC);

        if (n <= 0)
            return;
        if ((size_t)n <= sizeof w->buf)
            take_frame(w, from, (uint32_t)n, clock_now());
    }
}

/* --- frames go out -------------------------------------------------------------------------------
 */

/* An end that is down or full loses the frame, as a cable would. */
static void send_due(struct wire *w)
{
    while (w->heap_len > 0 && w->heap[0]->at <= clock_now()) {
        struct frame *f = heap_pop(w);

        w->held_bytes -= f->len;
        (void)!send(w->ends[f->end].fd, f->bytes, f->len, MSG_DONTWAIT);
        free(f);
    }
}

static void set_timer(struct wire *w)
{
    struct itimerspec t = {0};

    if (w->heap_len > 0) {
        t.it_value.tv_sec = (time_t)(w->heap[0]->at / HD_SEC(1));
        t.it_value.tv_nsec = (long)(w->heap[0]->at % HD_SEC(1));
    }
    timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

/* --- control -------------------------------------------------------------------------------------
 */

static int apply(struct wire *w, const struct change *c, ssize_t len)
{
    if (len != (ssize_t)sizeof *c || c->link >= w->lab->link_count || !w->lab->links[c->link].wired)
        return HD_EINVAL;
    hd_lab_note_values(&w->lab->links[c->link].values, c->fields, &c->values);
    return 0;
}

static void serve_control(struct wire *w)
{
    struct sockaddr_un from;
    socklen_t from_len = sizeof from;
    struct change c;
    ssize_t n =
        recvfrom(w->control, &c, sizeof c, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

    if (n < 0)
        return;
    int answer = apply(w, &c, n);

    (void)!sendto(w->control, &answer, sizeof answer, MSG_DONTWAIT, (struct sockaddr *)&from,
                  from_len);
}

/* --- the loop ------------------------------------------------------------------------------------
 */

static void run(struct wire *w)
{
    struct epoll_event events[64];

    for (;;) {
        int n = epoll_wait(w->epoll, events, 64, -1);

        for (int i = 0; i < n; i++) {
            uint64_t tag = events[i].data.u64, count;

            if (tag == TAG_TIMER)
                (void)!read(w->timer, &count, sizeof count);
            else if (tag == TAG_CONTROL)
                serve_control(w);
            else
                read_end(w, (uint32_t)tag);
        }
        send_due(w);
        set_timer(w);
    }
}

static bool watch(struct wire *w, int fd, uint64_t tag)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = tag};

    return fd >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

/* A packet socket on an interface of this namespace, deaf to what we send ourselves. */
static int open_end(const char *ifname)
{
    struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1, bytes = RECEIVE_BYTES;

    a.sll_ifindex = (int)if_nametoindex(ifname);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    if (a.sll_ifindex == 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool open_ends(struct wire *w)
{
    w->ends = calloc(2 * (size_t)w->lab->link_count, sizeof *w->ends);
    if (w->ends == NULL)
        return false;
    for (uint32_t i = 0; i < 2 * w->lab->link_count; i++) {
        char ifname[IFNAMSIZ];

        w->ends[i].fd = -1;
        if (!w->lab->links[i / 2].wired)
            continue;
        hd_random_seed(&w->ends[i].random, w->lab->seed, i);
        w->ends[i].fd = open_end(hd_lab_wire_ifname(i / 2, i % 2, ifname));
        if (!watch(w, w->ends[i].fd, i))
            return false;
    }
    return true;
}

/*
 * Real time where that is allowed: a delay is only as exact as we are awake. And one processor:
 * what goes into a veth waits in a queue of its sender's processor, so frames of two overtake each
 * other.
 */
static void become_urgent(void)
{
    const struct sched_param p = {.sched_priority = 1};
    int cpu = sched_getcpu();
    cpu_set_t one;

    CPU_ZERO(&one);
    if (cpu >= 0 && cpu < CPU_SETSIZE) {
        CPU_SET((size_t)cpu, &one);
        (void)sched_setaffinity(0, sizeof one, &one);
    }
    (void)sched_setscheduler(0, SCHED_FIFO, &p);
}

/* --- starting and stopping -----------------------------------------------------------------------
 */

static int control_open(struct hd_lab *lab)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char path[PATH_MAX];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%.107s", hd_lab_registry_path(lab, ".wire", path));
    unlink(a.sun_path);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || chmod(a.sun_path, 0600) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Child: 0 through the pipe once every socket is open, else errno. Does not return. */
static void child_run(struct hd_lab *lab, int control, int report)
{
    struct wire *w = calloc(1, sizeof *w);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), error = 0;
    bool ok = w != NULL && null >= 0 && setsid() >= 0 && hd_lab_enter(lab, HD_LAB_WIRE_NS) == 0;

    if (ok) {
        w->lab = lab;
        w->control = control;
        w->epoll = epoll_create1(EPOLL_CLOEXEC);
        w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        ok = watch(w, w->timer, TAG_TIMER) && watch(w, control, TAG_CONTROL) && open_ends(w);
    }
    if (!ok)
        error = errno != 0 ? errno : EIO;
    (void)!write(report, &error, sizeof error);
    if (!ok)
        _exit(1);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    close(report);
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_DFL);
    become_urgent();
    run(w);
    _exit(0);
}

static int parent_wait(struct hd_lab *lab, pid_t pid, int report)
{
    char path[PATH_MAX];
    struct hd_lab_proc p;
    int error = EIO;

    if (read(report, &error, sizeof error) != (ssize_t)sizeof error || error != 0)
        return hd_lab_fail(lab, HD_ESYS, "the wire does not start: %s", strerror(error));
    if (hd_lab_proc_of(pid, &p) < 0 ||
        hd_lab_proc_save(hd_lab_registry_path(lab, ".wire-pid", path), &p) < 0)
        return hd_lab_fail(lab, HD_ESYS, "the wire ended at once");
    return 0;
}

int hd_lab_wire_start(struct hd_lab *lab)
{
    int report[2], control = control_open(lab);

    if (control < 0 || pipe2(report, O_CLOEXEC) < 0) {
        if (control >= 0)
            close(control);
        return hd_lab_fail(lab, HD_ESYS, "the wire's control socket: %s", strerror(errno));
    }
    pid_t pid = fork();

    if (pid == 0)
        child_run(lab, control, report[1]);
    close(control);
    close(report[1]);
    int rc = pid < 0 ? hd_lab_fail(lab, HD_ESYS, "fork: %s", strerror(errno))
                     : parent_wait(lab, pid, report[0]);

    close(report[0]);
    return rc;
}

void hd_lab_wire_stop(struct hd_lab *lab)
{
    char path[PATH_MAX];
    struct hd_lab_proc p;

    if (hd_lab_proc_load(hd_lab_registry_path(lab, ".wire-pid", path), &p) == 0)
        kill(p.pid, SIGKILL);
}

int hd_lab_wire_change(struct hd_lab *lab, uint32_t link, uint32_t fields,
                       const struct hd_scenario_link *values)
{
    const struct change c = {link, fields, *values};
    struct sockaddr_un own = {.sun_family = AF_UNIX}, to = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = 2};
    char path[PATH_MAX];
    int answer = HD_ETIMEOUT, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return hd_lab_fail(lab, HD_ESYS, "socket: %s", strerror(errno));
    snprintf(to.sun_path, sizeof to.sun_path, "%.107s", hd_lab_registry_path(lab, ".wire", path));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    /* Bound without a name, the kernel gives one: the answer needs an address. */
    bool ok = bind(fd, (struct sockaddr *)&own, sizeof own.sun_family) == 0 &&
              sendto(fd, &c, sizeof c, 0, (struct sockaddr *)&to, sizeof to) == sizeof c &&
              recv(fd, &answer, sizeof answer, 0) == sizeof answer;

    close(fd);
    if (!ok)
        return hd_lab_fail(lab, HD_ESYS, "the wire does not answer: %s", strerror(errno));
    return answer < 0 ? hd_lab_fail(lab, answer, "the wire refuses: %s", hd_error_name(answer)) : 0;
}

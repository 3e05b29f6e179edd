/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll with nanosecond deadlines (event_loop.h). epoll_pwait2 takes a timespec, which spares a
 * timer descriptor and its two system calls per deadline; it is in Linux 5.11, older than our
 * minimum.
 */
#include "linux/event_loop.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 16

hd_time hd_clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return HD_SEC(t.tv_sec) + t.tv_nsec;
}

hd_time hd_clock_wall_ahead(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return HD_SEC(t.tv_sec) + t.tv_nsec - hd_clock_now();
}

int hd_loop_init(struct hd_loop *l)
{
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    return l->epoll >= 0 ? 0 : HD_ESYS;
}

void hd_loop_free(struct hd_loop *l)
{
    close(l->epoll);
    l->epoll = -1;
}

int hd_loop_add(struct hd_loop *l, struct hd_loop_source *s)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &e) == 0 ? 0 : HD_ESYS;
}

void hd_loop_del(struct hd_loop *l, struct hd_loop_source *s)
{
    if (s->fd >= 0) {
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
        s->fd = -1;
    }
}

static int wait_events(struct hd_loop *l, hd_time deadline, struct epoll_event *e)
{
    struct timespec t = {0, 0};
    if (deadline == HD_NEVER) {
        return epoll_pwait2(l->epoll, e, EVENTS, NULL, NULL);
    }
    hd_time left = deadline - hd_clock_now();
    if (left > 0) {
        t.tv_sec = left / HD_SEC(1);
        t.tv_nsec = left % HD_SEC(1);
    }
    return epoll_pwait2(l->epoll, e, EVENTS, &t, NULL);
}

void hd_loop_wait(struct hd_loop *l, hd_time deadline)
{
    struct epoll_event e[EVENTS];
    int n = wait_events(l, deadline, e);
    for (int i = 0; i < n; i++) {
        struct hd_loop_source *s = e[i].data.ptr;
        if (s->fd >= 0) {
            s->ready(s->user, e[i].events);
        }
    }
}

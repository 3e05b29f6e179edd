/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who reaches whom. Every 20 ms each pair without an answer yet is asked once more (at most a few
 * thousand per round, in turn); the socket in the other namespace echoes. The time of a pair is the
 * arrival of its first answer, so the resolution is the period plus a round trip.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "lab/internal.h"
#include "lab/traffic.h"
#include "lib/base.h"
#include "lib/random.h"

#define PERIOD_NS  HD_MS(20)
#define PER_ROUND  4000
#define MAGIC      0x68644c72u
#define EVENTS_MAX 128

struct message {
    uint32_t magic;
    uint32_t answer; /* 0: please echo */
    uint32_t pair;
    uint32_t run; /* answers of an earlier run count for nothing */
};

struct reach {
    struct hd_lab *lab;
    struct hd_lab_addresses addresses;
    struct hd_lab_reach *r;
    int *sockets; /* by node, -1 */
    int epoll;
    uint32_t next; /* pair to ask next */
    uint32_t run;
    hd_time start;
};

static hd_time clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return HD_SEC(t.tv_sec) + t.tv_nsec;
}

/* --- sockets -------------------------------------------------------------------------------------
 */

static int open_socket(struct reach *x, uint32_t node)
{
    const struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(HD_LAB_PORT)};
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = node};
    int one = 1, fd = hd_lab_socket(x->lab, node, AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return fd;
    x->sockets[node] = fd;
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&any, sizeof any) < 0 ||
        epoll_ctl(x->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        return hd_lab_fail(x->lab, HD_ESYS, "UDP port %d at %s: %s", HD_LAB_PORT,
                           x->lab->nodes[node].name, strerror(errno));
    return 0;
}

static int open_sockets(struct reach *x)
{
    x->epoll = epoll_create1(EPOLL_CLOEXEC);
    x->sockets = malloc(sizeof *x->sockets * ((size_t)x->lab->node_count + 1));
    if (x->sockets == NULL)
        return hd_lab_fail(x->lab, HD_ENOMEM, "out of memory");
    memset(x->sockets, 0xff, sizeof *x->sockets * ((size_t)x->lab->node_count + 1)); /* -1 */
    for (uint32_t i = 0; i < x->r->count; i++) {
        const uint32_t ends[] = {x->r->pairs[i].from, x->r->pairs[i].to};

        for (int k = 0; k < 2; k++) {
            int rc = x->sockets[ends[k]] < 0 ? open_socket(x, ends[k]) : 0;

            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* --- which pairs ---------------------------------------------------------------------------------
 */

static bool takes_part(struct reach *x, uint32_t node)
{
    if (x->addresses.file != NULL)
        return !IN6_IS_ADDR_UNSPECIFIED(&x->addresses.of[node]);
    return hd_lab_pid(x->lab, node) != 0;
}

/* The first `want` of the shuffled list, drawn one by one; want 0: all. */
static void choose(struct hd_lab_reach *r, uint32_t want, uint64_t seed)
{
    struct hd_random random;

    if (want == 0 || want >= r->count)
        return;
    hd_random_seed(&random, seed, MAGIC);
    for (uint32_t i = 0; i < want; i++) {
        uint32_t k = i + (uint32_t)hd_random_below(&random, r->count - i);
        struct hd_lab_pair p = r->pairs[i];

        r->pairs[i] = r->pairs[k];
        r->pairs[k] = p;
    }
    r->count = want;
}

static int list_pairs(struct reach *x, uint32_t want, uint64_t seed)
{
    uint32_t n = 0, *nodes = calloc((size_t)x->lab->node_count + 1, sizeof *nodes);

    for (uint32_t i = 0; nodes != NULL && i < x->lab->node_count; i++) {
        if (takes_part(x, i))
            nodes[n++] = i;
    }
    x->r->pairs = calloc((size_t)n * n + 1, sizeof *x->r->pairs);
    for (uint32_t i = 0; nodes != NULL && x->r->pairs != NULL && i < n; i++) {
        for (uint32_t k = 0; k < n; k++) {
            if (i != k)
                x->r->pairs[x->r->count++] = (struct hd_lab_pair){nodes[i], nodes[k], 0};
        }
    }
    free(nodes);
    if (x->r->pairs == NULL)
        return hd_lab_fail(x->lab, HD_ENOMEM, "out of memory");
    if (x->r->count == 0)
        return hd_lab_fail(x->lab, HD_ENOENT,
                           "no two nodes have an address: no heddled runs, and no file names any");
    choose(x->r, want, seed);
    return 0;
}

/* --- asking and answering ------------------------------------------------------------------------
 */

static void ask_pair(struct reach *x, uint32_t pair)
{
    const struct hd_lab_pair *p = &x->r->pairs[pair];
    const struct message m = {MAGIC, 0, pair, x->run};
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(HD_LAB_PORT)};

    to.sin6_addr = x->addresses.of[p->to];
    /* No route yet is an answer too, and so is a full queue: the pair is asked again. */
    if (!IN6_IS_ADDR_UNSPECIFIED(&to.sin6_addr))
        (void)!sendto(x->sockets[p->from], &m, sizeof m, 0, (struct sockaddr *)&to, sizeof to);
}

static void ask_round(struct reach *x)
{
    uint32_t asked = 0;

    for (uint32_t i = 0; i < x->r->count && asked < PER_ROUND; i++) {
        uint32_t pair = x->next;

        x->next = (x->next + 1) % x->r->count;
        if (x->r->pairs[pair].answered_ns == 0) {
            ask_pair(x, pair);
            asked++;
        }
    }
}

/* Echoes from the address that was asked. */
static void echo(int fd, struct msghdr *h, struct message *m)
{
    struct in6_pktinfo *info = NULL;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
            info = (struct in6_pktinfo *)(void *)CMSG_DATA(c);
    }
    if (info != NULL && !IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
        info->ipi6_ifindex = 0;
    m->answer = 1;
    (void)!sendmsg(fd, h, 0);
}

static void take_answer(struct reach *x, const struct message *m, uint32_t node)
{
    if (m->run != x->run || m->pair >= x->r->count)
        return;
    struct hd_lab_pair *p = &x->r->pairs[m->pair];

    if (p->from != node || p->answered_ns != 0)
        return;
    p->answered_ns = HD_MAX(clock_now() - x->start, 1);
    x->r->reached++;
}

static void serve_socket(struct reach *x, uint32_t node)
{
    for (;;) {
        struct sockaddr_in6 from;
        struct message m;
        char control[256];
        struct iovec iov = {&m, sizeof m};
        struct msghdr h = {.msg_name = &from,
                           .msg_namelen = sizeof from,
                           .msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
        ssize_t n = recvmsg(x->sockets[node], &h, MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            continue; /* an ICMP error about an earlier packet */
        if (n < 0)
            return;
        if (n != (ssize_t)sizeof m || m.magic != MAGIC)
            continue;
        if (m.answer == 0)
            echo(x->sockets[node], &h, &m);
        else
            take_answer(x, &m, node);
    }
}

static void run(struct reach *x, hd_time timeout_ns)
{
    hd_time round = x->start;
    bool complete = false;

    while (x->r->reached < x->r->count) {
        struct epoll_event events[EVENTS_MAX];
        hd_time now = clock_now();

        if (now - x->start >= timeout_ns)
            break;
        if (now >= round) {
            if (!complete)
                complete = hd_lab_addresses_ask(x->lab, &x->addresses, PERIOD_NS / 2);
            ask_round(x);
            round = now + PERIOD_NS;
        }
        int wait_ms = (int)hd_time_to_ms(HD_MAX(round - clock_now(), 0)) + 1;
        int n = epoll_wait(x->epoll, events, EVENTS_MAX, wait_ms);

        for (int i = 0; i < n; i++)
            serve_socket(x, events[i].data.u32);
    }
    x->r->took_ns = 0;
    for (uint32_t i = 0; i < x->r->count; i++)
        x->r->took_ns = HD_MAX(x->r->took_ns, x->r->pairs[i].answered_ns);
    if (x->r->reached < x->r->count)
        x->r->took_ns = clock_now() - x->start;
}

int hd_lab_reach(struct hd_lab *lab, const char *address_file, uint32_t pairs, uint64_t seed,
                 hd_time timeout_ns, struct hd_lab_reach *r)
{
    struct reach x = {.lab = lab, .r = r, .epoll = -1, .start = clock_now()};

    *r = (struct hd_lab_reach){0};
    x.run = (uint32_t)x.start ^ (uint32_t)getpid();
    int rc = hd_lab_addresses_open(lab, address_file, &x.addresses);

    if (rc < 0)
        return rc;
    rc = list_pairs(&x, pairs, seed);
    if (rc == 0)
        rc = open_sockets(&x);
    if (rc == 0)
        run(&x, timeout_ns);
    for (uint32_t i = 0; x.sockets != NULL && i < lab->node_count; i++) {
        if (x.sockets[i] >= 0)
            close(x.sockets[i]);
    }
    if (x.epoll >= 0)
        close(x.epoll);
    free(x.sockets);
    hd_lab_addresses_close(&x.addresses);
    if (rc < 0)
        hd_lab_reach_free(r);
    return rc;
}

void hd_lab_reach_free(struct hd_lab_reach *r)
{
    free(r->pairs);
    *r = (struct hd_lab_reach){0};
}

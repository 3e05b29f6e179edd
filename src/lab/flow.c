/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow of numbered packets between two nodes, sent and received by this one process, so that both
 * ends read the same clock. What counts is the longest time without an arrival: the outage that a
 * user would have seen.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lab/internal.h"
#include "lab/traffic.h"
#include "lib/base.h"

#define MAGIC       0x68644c66u
#define LINGER_NS   HD_MS(500) /* after the last packet was sent */
#define PAYLOAD_MAX 65000

struct message {
    uint32_t magic, run;
    uint64_t number;
    int64_t sent_at;
};

struct flow {
    struct hd_lab *lab;
    const struct hd_lab_flow_options *o;
    struct hd_lab_flow *f;
    struct sockaddr_in6 to;
    int send_fd, receive_fd;
    uint8_t *seen; /* a bit per number */
    uint64_t seen_numbers;
    uint64_t highest; /* number received, plus one */
    hd_time start, last_arrival;
    uint32_t run;
    unsigned char buf[PAYLOAD_MAX];
};

static hd_time clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return HD_SEC(t.tv_sec) + t.tv_nsec;
}

static int find_address(struct flow *x)
{
    struct hd_lab_addresses a;

    x->to.sin6_family = AF_INET6;
    x->to.sin6_port = htons(HD_LAB_PORT + 1);
    if (x->o->address != NULL) {
        x->to.sin6_addr = *x->o->address;
        return 0;
    }
    int rc = hd_lab_addresses_open(x->lab, NULL, &a);

    if (rc < 0)
        return rc;
    hd_lab_addresses_ask_node(x->lab, &a, x->o->to);
    x->to.sin6_addr = a.of[x->o->to];
    hd_lab_addresses_close(&a);
    if (IN6_IS_ADDR_UNSPECIFIED(&x->to.sin6_addr))
        return hd_lab_fail(x->lab, HD_ENOENT, "heddled of %s tells no address; give one by --to",
                           x->lab->nodes[x->o->to].name);
    return 0;
}

static int open_sockets(struct flow *x)
{
    const struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = x->to.sin6_port};
    int bytes = 4 << 20;

    x->send_fd = hd_lab_socket(x->lab, x->o->from, AF_INET6, SOCK_DGRAM, 0);
    if (x->send_fd < 0)
        return x->send_fd;
    x->receive_fd = hd_lab_socket(x->lab, x->o->to, AF_INET6, SOCK_DGRAM, 0);
    if (x->receive_fd < 0)
        return x->receive_fd;
    setsockopt(x->receive_fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    if (bind(x->receive_fd, (const struct sockaddr *)&any, sizeof any) < 0)
        return hd_lab_fail(x->lab, HD_ESYS, "UDP port %d: %s", HD_LAB_PORT + 1, strerror(errno));
    return 0;
}

static void end_gap(struct flow *x, hd_time now)
{
    if (now - x->last_arrival > x->f->longest_gap_ns) {
        x->f->longest_gap_ns = now - x->last_arrival;
        x->f->gap_at_ns = x->last_arrival - x->start;
    }
}

static void take(struct flow *x, const struct message *m)
{
    struct hd_lab_flow *f = x->f;
    hd_time now = clock_now(), delay = now - m->sent_at;

    if (m->magic != MAGIC || m->run != x->run || m->number >= x->seen_numbers)
        return;
    if ((x->seen[m->number / 8] >> m->number % 8 & 1) != 0) {
        f->duplicates++;
        return;
    }
    x->seen[m->number / 8] |= (uint8_t)(1 << m->number % 8);
    end_gap(x, now);
    x->last_arrival = now;
    f->reordered += m->number + 1 < x->highest;
    x->highest = HD_MAX(x->highest, m->number + 1);
    f->delay_min_ns = f->received == 0 ? delay : HD_MIN(f->delay_min_ns, delay);
    f->delay_max_ns = HD_MAX(f->delay_max_ns, delay);
    f->delay_sum_ns += delay;
    f->received++;
}

static void receive_all(struct flow *x)
{
    ssize_t n;

    while ((n = recv(x->receive_fd, x->buf, sizeof x->buf, MSG_DONTWAIT)) >= 0) {
        struct message m;

        if ((size_t)n < sizeof m)
            continue;
        memcpy(&m, x->buf, sizeof m);
        take(x, &m);
    }
}

static void send_one(struct flow *x)
{
    struct message m = {MAGIC, x->run, x->f->sent, clock_now()};

    memset(x->buf, 0, x->o->size);
    memcpy(x->buf, &m, sizeof m);
    ssize_t n = sendto(x->send_fd, x->buf, x->o->size, MSG_DONTWAIT, (struct sockaddr *)&x->to,
                       sizeof x->to);

    x->f->refused += n < 0;
    x->f->sent++;
}

/* Sleeps until the time or an arrival. */
static void wait_arrival(struct flow *x, hd_time until)
{
    struct pollfd p = {.fd = x->receive_fd, .events = POLLIN};
    hd_time left = HD_MAX(until - clock_now(), 0);
    const struct timespec t = {.tv_sec = (time_t)(left / HD_SEC(1)),
                               .tv_nsec = (long)(left % HD_SEC(1))};

    if (ppoll(&p, 1, &t, NULL) > 0)
        receive_all(x);
}

/* Packet n leaves at start + n * interval; a late one at once, so that their number is right. */
static void run(struct flow *x)
{
    hd_time last;

    x->start = x->last_arrival = last = clock_now();
    while (x->f->sent < x->seen_numbers) {
        hd_time next = x->start + (hd_time)x->f->sent * x->o->interval_ns;

        if (clock_now() >= next) {
            send_one(x);
            last = clock_now();
            receive_all(x);
        } else {
            wait_arrival(x, next);
        }
    }
    while (clock_now() < last + LINGER_NS && x->f->received < x->f->sent)
        wait_arrival(x, last + LINGER_NS);
    if (last > x->last_arrival)
        end_gap(x, last);
}

int hd_lab_flow(struct hd_lab *lab, const struct hd_lab_flow_options *o, struct hd_lab_flow *f)
{
    struct flow *x = calloc(1, sizeof *x);
    int rc;

    *f = (struct hd_lab_flow){0};
    if (x == NULL)
        return hd_lab_fail(lab, HD_ENOMEM, "out of memory");
    x->lab = lab;
    x->o = o;
    x->f = f;
    x->send_fd = x->receive_fd = -1;
    x->run = (uint32_t)clock_now() ^ (uint32_t)getpid();
    if (o->size < sizeof(struct message) || o->size > PAYLOAD_MAX || o->interval_ns <= 0)
        rc = hd_lab_fail(lab, HD_EINVAL, "a packet has 24 to %d bytes, an interval more than 0",
                         PAYLOAD_MAX);
    else
        rc = find_address(x);
    if (rc == 0)
        rc = open_sockets(x);
    if (rc == 0) {
        x->seen_numbers = (uint64_t)(o->duration_ns / o->interval_ns);
        x->seen = calloc(x->seen_numbers / 8 + 1, 1);
        rc = x->seen == NULL ? hd_lab_fail(lab, HD_ENOMEM, "out of memory") : 0;
    }
    if (rc == 0)
        run(x);
    if (x->send_fd >= 0)
        close(x->send_fd);
    if (x->receive_fd >= 0)
        close(x->receive_fd);
    free(x->seen);
    free(x);
    return rc;
}

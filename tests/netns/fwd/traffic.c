/* SPDX-License-Identifier: Apache-2.0 */
/* See traffic.h. */
#include "traffic.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/udp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/code_points.h"
#include "lib/cursor.h"
#include "linux/sockets.h"

static void *shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    HD_ASSERT(p != MAP_FAILED);
    return p;
}

/* --- receiver
 * ---------------------------------------------------------------------------------------- */

static void take(struct received *r, int fd)
{
    uint8_t bytes[65536], control[256];
    struct iovec v = {bytes, sizeof bytes};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
    int value;

    if (n < 0)
        return;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
        memcpy(&value, CMSG_DATA(c), sizeof value);
        if (c->cmsg_type == IPV6_HOPLIMIT)
            r->hop_limit = (uint8_t)value;
        if (c->cmsg_type == IPV6_TCLASS)
            r->traffic_class = (uint8_t)value;
    }
    r->bytes += (uint64_t)n;
    r->count++;
}

static void take_all(struct received *r, int fd)
{
    r->ready = 1;
    while (!r->stop) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 5) > 0)
            take(r, fd);
    }
}

/* With KIRA's own socket. */
static int receive_own(void *arg)
{
    struct received *r = arg;
    int fd = hd_udp6_open(KIRA_PORT, HD_KIRA_NODE_PREFIX);

    if (fd < 0 || hd_udp6_member(fd, &r->group, if_nametoindex(r->device), true) != 0)
        return 2;
    take_all(r, fd);
    return 0;
}

static int receive(void *arg)
{
    struct received *r = arg;
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(r->port)};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), one = 1, size = 8 << 20;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof one);
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof one);
    if (r->device != NULL &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, r->device, (socklen_t)strlen(r->device)) != 0)
        return 2;
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0)
        return 3;
    take_all(r, fd);
    return 0;
}

static pid_t start_receiver(pid_t where, int (*fn)(void *arg), struct received *r)
{
    pid_t pid = start_in(where, fn, r);

    for (int i = 0; i < 1000 && !r->ready; i++)
        sleep_ms(2);
    HD_ASSERT(r->ready);
    return pid;
}

pid_t receiver_start(pid_t where, struct received **out, const char *device, uint16_t port)
{
    *out = shared(sizeof **out);
    (*out)->device = device;
    (*out)->port = port;
    return start_receiver(where, receive, *out);
}

pid_t receiver_start_own(pid_t where, struct received **out, const char *device,
                         const struct hd_ip6 *group)
{
    *out = shared(sizeof **out);
    (*out)->device = device;
    (*out)->group = *group;
    return start_receiver(where, receive_own, *out);
}

uint32_t receiver_stop(pid_t pid, struct received *r, uint32_t want, unsigned ms)
{
    for (uint64_t end = now_ns() + ms * 1000000ull; r->count < want && now_ns() < end;)
        sleep_ms(2);
    r->stop = 1;
    HD_ASSERT(wait_for(pid) == 0);
    return r->count;
}

void receiver_free(struct received *r)
{
    munmap(r, sizeof *r);
}

/* --- senders
 * ------------------------------------------------------------------------------------------ */

struct sending {
    struct hd_ip6 to;
    const char *device;
    uint32_t count, segments, size, done;
    uint8_t traffic_class, answer;
    bool spread; /* each to the next address */
};

static struct sockaddr_in6 address_of(const struct sending *s, uint16_t port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    memcpy(&a.sin6_addr, &s->to, 16);
    if (s->device != NULL)
        a.sin6_scope_id = if_nametoindex(s->device);
    return a;
}

static int send_udp(void *arg)
{
    struct sending *s = arg;
    struct sockaddr_in6 a = address_of(s, UDP_PORT);
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), class = s->traffic_class, segment = (int)s->size;
    uint8_t *bytes = calloc(1, (size_t)s->segments * s->size);

    setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
    if (s->segments > 1 && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0)
        return 2;
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->spread)
            memcpy(&a.sin6_addr.s6_addr[12], &i, sizeof i);
        if (sendto(fd, bytes, (size_t)s->segments * s->size, 0, (struct sockaddr *)&a, sizeof a) >
            0)
            s->done++;
    }
    return 0;
}

uint32_t udp_send(pid_t where, const struct hd_ip6 *to, uint32_t count, uint32_t segments,
                  uint32_t size, uint8_t traffic_class)
{
    struct sending *s = shared(sizeof *s);

    *s = (struct sending){.to = *to,
                          .count = count,
                          .segments = segments,
                          .size = size,
                          .traffic_class = traffic_class};
    HD_ASSERT(wait_for(start_in(where, send_udp, s)) == 0);
    uint32_t done = s->done;
    munmap(s, sizeof *s);
    return done;
}

uint32_t udp_spread(pid_t where, const struct hd_ip6 *to, uint32_t count)
{
    struct sending *s = shared(sizeof *s);

    *s = (struct sending){.to = *to, .count = count, .segments = 1, .size = 10, .spread = true};
    HD_ASSERT(wait_for(start_in(where, send_udp, s)) == 0);
    uint32_t done = s->done;
    munmap(s, sizeof *s);
    return done;
}

static int ask_echo(void *arg)
{
    static const uint8_t request[16] = {0xec, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct sending *s = arg;
    struct sockaddr_in6 a = address_of(s, KIRA_PORT);
    struct timeval patience = {.tv_usec = 500000};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    uint8_t answer[64];

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (sendto(fd, request, sizeof request, 0, (struct sockaddr *)&a, sizeof a) != sizeof request)
        return 2;
    /* The kernel checks the checksum; all but the type must come back. */
    if (recv(fd, answer, sizeof answer, 0) == sizeof request && answer[0] == 0xec &&
        memcmp(answer + 2, request + 2, 14) == 0)
        s->answer = answer[1];
    return 0;
}

uint8_t echo_ask(pid_t where, const char *device, const struct hd_ip6 *to)
{
    struct sending *s = shared(sizeof *s);

    *s = (struct sending){.to = *to, .device = device};
    HD_ASSERT(wait_for(start_in(where, ask_echo, s)) == 0);
    uint8_t answer = s->answer;
    munmap(s, sizeof *s);
    return answer;
}

static int send_flood(void *arg)
{
    struct sending *s = arg;
    struct sockaddr_in6 a = address_of(s, KIRA_PORT);
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    static const uint8_t bytes[60000];

    for (uint32_t i = 0; i < s->count; i++)
        if (sendto(fd, bytes, s->size, 0, (struct sockaddr *)&a, sizeof a) > 0)
            s->done++;
    return 0;
}

uint32_t flood(pid_t where, const char *device, const struct hd_ip6 *to, uint32_t count,
               uint32_t size)
{
    struct sending *s = shared(sizeof *s);

    *s = (struct sending){.to = *to, .device = device, .count = count, .size = size};
    HD_ASSERT(wait_for(start_in(where, send_flood, s)) == 0);
    uint32_t done = s->done;
    munmap(s, sizeof *s);
    return done;
}

/* --- frames by hand
 * ------------------------------------------------------------------------------------ */

static uint16_t udp_sum(const struct made *m, const uint8_t *udp, uint32_t len)
{
    uint32_t sum = 17 + len;

    for (unsigned i = 0; i < 16; i += 2)
        sum += (uint32_t)(m->inner_source.b[i] << 8 | m->inner_source.b[i + 1]) +
               (uint32_t)(m->inner_to.b[i] << 8 | m->inner_to.b[i + 1]);
    for (unsigned i = 0; i < len; i += 2)
        sum += (uint32_t)(udp[i] << 8 | udp[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff ? 0xffff : (uint16_t)~sum;
}

static void write_ip6(struct hd_writer *w, uint8_t class, uint16_t len, uint8_t next, uint8_t hops,
                      const struct hd_ip6 *from, const struct hd_ip6 *to)
{
    hd_write_u32(w, 6u << 28 | (uint32_t) class << 20);
    hd_write_u16(w, len);
    hd_write_u8(w, next);
    hd_write_u8(w, hops);
    hd_write_bytes(w, from, 16);
    hd_write_bytes(w, to, 16);
}

static size_t make(const struct made *m, uint8_t *frame, size_t size)
{
    struct hd_writer w = hd_writer_make(frame, size);
    bool plain = m->outer_to.b[0] == 0;
    const uint16_t payload = 32, udp = payload + 8;

    hd_write_bytes(&w, &m->to, 6);
    hd_write_bytes(&w, &m->from, 6);
    hd_write_u16(&w, ETHERTYPE_IPV6);
    if (!plain) {
        write_ip6(&w, m->outer_class, (uint16_t)(4 + 40 + udp), 47, m->outer_hops, &m->outer_source,
                  &m->outer_to);
        hd_write_u32(&w, 0x86dd);
    }
    write_ip6(&w, m->inner_class, udp, 17, m->inner_hops, &m->inner_source, &m->inner_to);
    size_t at = hd_writer_len(&w);
    hd_write_u16(&w, 4000);
    hd_write_u16(&w, UDP_PORT);
    hd_write_u16(&w, udp);
    hd_write_u16(&w, 0);
    for (uint16_t i = 0; i < payload; i++)
        hd_write_u8(&w, (uint8_t)i);
    hd_write_u16_at(&w, at + 6, udp_sum(m, frame + at, udp));
    return hd_writer_len(&w);
}

struct injection {
    const char *device;
    const struct made *m;
    uint32_t count;
};

static int send_frame(void *arg)
{
    const struct injection *i = arg;
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_protocol = htons(ETHERTYPE_IPV6),
                            .sll_ifindex = (int)if_nametoindex(i->device)};
    uint8_t frame[256];
    size_t len = make(i->m, frame, sizeof frame);
    int fd = socket(AF_PACKET, SOCK_RAW, 0);

    for (uint32_t n = 0; n < i->count; n++)
        if (sendto(fd, frame, len, 0, (struct sockaddr *)&a, sizeof a) != (ssize_t)len)
            return 2;
    return 0;
}

void inject_burst(pid_t where, const char *device, const struct made *m, uint32_t count)
{
    struct injection i = {device, m, count};

    HD_ASSERT(wait_for(start_in(where, send_frame, &i)) == 0);
}

void inject(pid_t where, const char *device, const struct made *m)
{
    inject_burst(where, device, m, 1);
}

/* --- programs
 * -------------------------------------------------------------------------------------------- */

int ping(pid_t where, const char *options, unsigned count, const char *to)
{
    char out[4096];
    unsigned sent;
    int received;

    shell_output(where, out, sizeof out, "ping -6 -n -q -c %u -l %u -i 1 -W 2 %s %s 2>&1", count,
                 count, options, to);
    const char *line = strstr(out, "packets transmitted");
    if (line == NULL)
        return -1;
    while (line > out && line[-1] != '\n')
        line--;
    return sscanf(line, "%u packets transmitted, %d received", &sent, &received) == 2 ? received
                                                                                      : -1;
}

static int run_server(void *arg)
{
    (void)arg;
    if (freopen("/dev/null", "w", stdout) == NULL)
        return 2;
    execlp("iperf3", "iperf3", "-6", "-s", "-1", (char *)NULL);
    return 3;
}

uint64_t tcp_mbps(pid_t server, pid_t client, const char *to)
{
    static char out[65536];
    unsigned long long bits = 0;
    pid_t pid = start_in(server, run_server, NULL);

    for (int i = 0; i < 100 && shell(server, "ss -Hltn6 sport = :5201 | grep -q .") != 0; i++)
        sleep_ms(20);
    shell_output(client, out, sizeof out,
                 "timeout 8 iperf3 -6 -c %s -t 1 -C cubic -J --connect-timeout 2000 2>&1", to);
    const char *at = strstr(out, "\"sum_received\"");
    if (at != NULL && (at = strstr(at, "\"bits_per_second\":")) != NULL)
        sscanf(at, "\"bits_per_second\": %llu", &bits);
    shell(0, "kill %d 2>/dev/null", (int)pid);
    wait_for(pid);
    return bits / 1000000;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* UDP over IPv6 for the cores (sockets.h); the socket's properties are those of kira.md 3.1. */
#include "linux/sockets.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

struct option {
    int level, name, value;
    bool needed;
};

static const struct option options[] = {
    {IPPROTO_IPV6, IPV6_V6ONLY, 1, true},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, true},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, true},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 1, true},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, HD_UDP6_HOPLIMIT, true},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, HD_UDP6_HOPLIMIT, true},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, true},
    {IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, false},
    {SOL_SOCKET, SO_TIMESTAMPNS, 1, true},
    {SOL_SOCKET, SO_RXQ_OVFL, 1, false},
    /* Large messages leave in fragments: the protocol has no layer of its own for that. */
    {IPPROTO_IPV6, IPV6_DONTFRAG, 0, false},
    {SOL_SOCKET, SO_RCVBUFFORCE, HD_UDP6_RCVBUF, false},
    {SOL_SOCKET, SO_PRIORITY, 6, false},
};

/* Of a socket that hears both families. Groups are joined by others: it hears all that come. */
static const struct option plain_options[] = {
    {IPPROTO_IPV6, IPV6_V6ONLY, 0, true},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, true},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, true},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 1, true},
    {IPPROTO_IP, IP_RECVTTL, 1, true},
    {IPPROTO_IP, IP_RECVTOS, 1, true},
    {SOL_SOCKET, SO_TIMESTAMPNS, 1, true},
    {SOL_SOCKET, SO_RXQ_OVFL, 1, false},
    {SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20, false},
};

static int set_options(int fd, const struct option *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct option *o = &v[i];
        if (setsockopt(fd, o->level, o->name, &o->value, sizeof o->value) < 0 && o->needed) {
            return HD_ESYS;
        }
    }
    return 0;
}

int hd_socket_filter(int fd, struct sock_filter *code, uint16_t len)
{
    const struct sock_fprog program = {.len = len, .filter = code};
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 &&
                   setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on) == 0
               ? 0
               : HD_ESYS;
}

#define TAKE UINT32_MAX

/*
 * Who may fill the socket, and with how much. Neighbours send to link-local addresses and groups;
 * the data plane polices them. Over the fabric come small messages to our node address, never in
 * extension headers. Nobody else has a reason: no process of this machine (over loopback, or by a
 * multicast that comes back), nobody who knows another address of ours (decision 0031).
 */
static int attach_filter(int fd, uint16_t node_prefix)
{
    const uint32_t next = (uint32_t)SKF_NET_OFF + 6, to = (uint32_t)SKF_NET_OFF + 24;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_HATYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPHRD_LOOPBACK, 13, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_LOOPBACK, 11, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, to),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xff, 8, 0), /* multicast */
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, to),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, node_prefix, 2, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffc0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xfe80, 4, 5), /* link-local */
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, next),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, HD_UDP6_ROUTED_BYTES, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, TAKE),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return hd_socket_filter(fd, code, HD_ARRAY_LEN(code));
}

/* node_prefix: 0 takes what comes from anywhere. */
static int open_port(uint16_t number, uint16_t node_prefix, const struct option *v, unsigned n)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(number)};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return HD_ESYS;
    }
    int error = set_options(fd, v, n);
    if (error == 0 && node_prefix != 0) {
        error = attach_filter(fd, node_prefix);
    }
    if (error == 0 && bind(fd, (struct sockaddr *)&any, sizeof any) < 0) {
        error = errno == EADDRINUSE ? HD_EEXIST : HD_ESYS;
    }
    if (error < 0) {
        close(fd);
        return error;
    }
    return fd;
}

int hd_udp6_open(uint16_t number, uint16_t node_prefix)
{
    return open_port(number, node_prefix, options, HD_ARRAY_LEN(options));
}

int hd_udp_open(uint16_t number)
{
    return open_port(number, 0, plain_options, HD_ARRAY_LEN(plain_options));
}

int hd_udp6_member(int fd, const struct hd_ip6 *group, uint32_t ifindex, bool join)
{
    struct ipv6_mreq m = {.ipv6mr_interface = ifindex};
    memcpy(&m.ipv6mr_multiaddr, group, sizeof *group);
    int name = join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP;
    if (setsockopt(fd, IPPROTO_IPV6, name, &m, sizeof m) == 0 ||
        errno == (join ? EADDRINUSE : EADDRNOTAVAIL)) {
        return 0;
    }
    return HD_ESYS;
}

int hd_udp6_batch_init(struct hd_udp6_batch *b)
{
    memset(b, 0, sizeof *b);
    void *p = mmap(NULL, (size_t)HD_UDP6_BATCH * HD_UDP6_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        return HD_ENOMEM;
    }
    b->buffers = p;
    return 0;
}

void hd_udp6_batch_free(struct hd_udp6_batch *b)
{
    munmap(b->buffers, (size_t)HD_UDP6_BATCH * HD_UDP6_BYTES);
    b->buffers = NULL;
}

static void read_control(struct hd_udp6_datagram *d, struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        const void *data = CMSG_DATA(c);
        int number = 0;
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, data, sizeof t);
            d->wall_ns = HD_SEC(t.tv_sec) + t.tv_nsec;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&d->overflow, data, sizeof d->overflow);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, data, sizeof info);
            d->ifindex = (uint32_t)info.ipi6_ifindex;
            memcpy(&d->to, &info.ipi6_addr, sizeof d->to);
        } else if ((c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) ||
                   (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL)) {
            memcpy(&number, data, sizeof number);
            d->hop_limit = (uint8_t)number;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            d->traffic_class = *(const uint8_t *)data;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            memcpy(&number, data, sizeof number);
            d->traffic_class = (uint8_t)number;
        }
    }
}

#define CONTROL_BYTES 192

unsigned hd_udp6_receive(int fd, struct hd_udp6_batch *b)
{
    struct mmsghdr m[HD_UDP6_BATCH];
    struct iovec iov[HD_UDP6_BATCH];
    struct sockaddr_in6 from[HD_UDP6_BATCH];
    _Alignas(struct cmsghdr) char control[HD_UDP6_BATCH][CONTROL_BYTES];
    for (unsigned i = 0; i < HD_UDP6_BATCH; i++) {
        iov[i] = (struct iovec){b->buffers + (size_t)i * HD_UDP6_BYTES, HD_UDP6_BYTES};
        m[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i],
                                            .msg_namelen = sizeof from[i],
                                            .msg_iov = &iov[i],
                                            .msg_iovlen = 1,
                                            .msg_control = control[i],
                                            .msg_controllen = CONTROL_BYTES}};
    }
    int n = recvmmsg(fd, m, HD_UDP6_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        struct hd_udp6_datagram *d = &b->in[i];
        memset(d, 0, sizeof *d);
        d->bytes = iov[i].iov_base;
        d->len = (m[i].msg_hdr.msg_flags & MSG_TRUNC) != 0 ? 0 : m[i].msg_len;
        d->from_port = ntohs(from[i].sin6_port);
        memcpy(&d->from, &from[i].sin6_addr, sizeof d->from);
        read_control(d, &m[i].msg_hdr);
    }
    return n > 0 ? (unsigned)n : 0;
}

static void put_control(struct cmsghdr *c, int type, const void *value, size_t len)
{
    HD_ASSERT(c != NULL); /* the caller's buffer has room for it */
    c->cmsg_level = IPPROTO_IPV6;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), value, len);
}

int hd_udp6_send(int fd, const struct hd_ip6 *to, uint16_t number, uint32_t ifindex,
                 uint8_t traffic_class, const void *bytes, size_t len)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(number)};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {(void *)(uintptr_t)bytes, len};
    struct msghdr h = {.msg_name = &a,
                       .msg_namelen = sizeof a,
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    struct in6_pktinfo info = {.ipi6_ifindex = ifindex};
    int tclass = traffic_class;

    memset(&control, 0, sizeof control);
    memcpy(&a.sin6_addr, to, sizeof *to);
    a.sin6_scope_id = hd_ip6_is_link_local(to) || to->b[0] == 0xff ? ifindex : 0;
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    put_control(c, IPV6_PKTINFO, &info, sizeof info);
    c = CMSG_NXTHDR(&h, c);
    put_control(c, IPV6_TCLASS, &tclass, sizeof tclass);
    if (sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        return 0;
    }
    return errno == EAGAIN || errno == ENOBUFS ? HD_EAGAIN : HD_ESYS;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Frames by packet sockets, with the filter in the kernel (frames.h). */
#include "linux/frames.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define RCVBUF (256 * 1024)

static bool is_ip4(const struct hd_ip6 *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(a->b, mapped, 12) == 0;
}

/* Untagged frames of the family with the protocol; what is tagged belongs to another interface. */
static int filter(int fd, bool ip4, uint8_t protocol)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ip4 ? ETH_P_IP : ETH_P_IPV6, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ip4 ? 23 : 20),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, protocol, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0x40000),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {.len = HD_ARRAY_LEN(code), .filter = code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int open_packet(const struct hd_fx_port *p)
{
    const struct sockaddr_ll where = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)p->ifindex};
    /* Protocol 0 hears nothing before the filter is there. */
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return HD_ESYS;
    }
    if (filter(fd, is_ip4(&p->group), (uint8_t)p->number) < 0 ||
        set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) < 0 ||
        set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1) < 0 ||
        bind(fd, (const struct sockaddr *)&where, sizeof where) < 0) {
        close(fd);
        return HD_ESYS;
    }
    (void)set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RCVBUF);
    (void)set(fd, SOL_SOCKET, SO_PRIORITY, 6);
    return fd;
}

static int join4(int fd, const struct hd_fx_port *p)
{
    struct ip_mreqn m = {.imr_ifindex = (int)p->ifindex};

    memcpy(&m.imr_multiaddr, p->group.b + 12, 4);
    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m);
}

static int join6(int fd, const struct hd_fx_port *p)
{
    struct ipv6_mreq m = {.ipv6mr_interface = p->ifindex};

    memcpy(&m.ipv6mr_multiaddr, p->group.b, 16);
    return setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof m);
}

static int open_raw(const struct hd_fx_port *p)
{
    struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog program = {.len = 1, .filter = nothing};
    bool ip4 = is_ip4(&p->group);
    int fd = socket(ip4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, p->number);
    if (fd < 0) {
        return HD_ESYS;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ||
        set(fd, ip4 ? IPPROTO_IP : IPPROTO_IPV6, ip4 ? IP_HDRINCL : IPV6_HDRINCL, 1) < 0 ||
        (ip4 ? join4(fd, p) : join6(fd, p)) < 0) {
        close(fd);
        return HD_ESYS;
    }
    (void)set(fd, SOL_SOCKET, SO_PRIORITY, 6);
    return fd;
}

int hd_frame_open(const struct hd_fx_port *p, int *packet, int *raw)
{
    *packet = open_packet(p);
    if (*packet < 0) {
        return *packet;
    }
    *raw = open_raw(p);
    if (*raw < 0) {
        close(*packet);
        return *raw;
    }
    return 0;
}

static hd_time arrival(struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        struct timespec t;
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&t, CMSG_DATA(c), sizeof t);
            return HD_SEC(t.tv_sec) + t.tv_nsec;
        }
    }
    return 0;
}

unsigned hd_frame_receive(int packet, struct hd_frame *frames)
{
    struct mmsghdr m[HD_FRAME_BATCH];
    struct iovec iov[HD_FRAME_BATCH];
    _Alignas(struct cmsghdr) char control[HD_FRAME_BATCH][64];

    for (unsigned i = 0; i < HD_FRAME_BATCH; i++) {
        iov[i] = (struct iovec){frames[i].bytes, HD_FRAME_BYTES};
        m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i],
                                            .msg_iovlen = 1,
                                            .msg_control = control[i],
                                            .msg_controllen = sizeof control[i]}};
    }
    int n = recvmmsg(packet, m, HD_FRAME_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        frames[i].len = (m[i].msg_hdr.msg_flags & MSG_TRUNC) != 0 ? 0 : m[i].msg_len;
        frames[i].wall_ns = arrival(&m[i].msg_hdr);
    }
    return n > 0 ? (unsigned)n : 0;
}

static int result(ssize_t sent)
{
    if (sent >= 0) {
        return 0;
    }
    return errno == EAGAIN || errno == ENOBUFS ? HD_EAGAIN : HD_ESYS;
}

int hd_frame_send(int packet, uint32_t ifindex, const void *bytes, uint32_t len)
{
    const struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex};

    return result(sendto(packet, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL,
                         (const struct sockaddr *)&to, sizeof to));
}

int hd_frame_send_routed(int raw, const void *bytes, uint32_t len)
{
    const uint8_t *packet = (const uint8_t *)bytes + ETH_HLEN;
    struct sockaddr_in to4 = {.sin_family = AF_INET};
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};

    if (len < ETH_HLEN + 20 || (packet[0] >> 4 == 6 && len < ETH_HLEN + 40)) {
        return HD_EINVAL;
    }
    if (packet[0] >> 4 == 4) {
        memcpy(&to4.sin_addr, packet + 16, 4);
        return result(sendto(raw, packet, len - ETH_HLEN, MSG_DONTWAIT | MSG_NOSIGNAL,
                             (const struct sockaddr *)&to4, sizeof to4));
    }
    memcpy(&to6.sin6_addr, packet + 24, 16);
    return result(sendto(raw, packet, len - ETH_HLEN, MSG_DONTWAIT | MSG_NOSIGNAL,
                         (const struct sockaddr *)&to6, sizeof to6));
}

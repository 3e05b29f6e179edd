/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The raw ICMPv6 socket of icmp.h. It is opened with privileges and used without; so its filters
 * are set and locked before it is handed over. The kernel fills in and checks checksums.
 */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/icmp.h"
#include "linux/sockets.h"

#define RECEIVE_BYTES (64 * 1024)

/* Offsets from the ICMPv6 header. */
#define QUOTED_NEXT_HEADER (8 + 6)
#define QUOTED_TO          (8 + 24)

/* Only errors about a GRE packet to a label wake the router process. */
static int attach_filters(int fd, uint16_t label_prefix)
{
    struct icmp6_filter types;
    ICMP6_FILTER_SETBLOCKALL(&types);
    ICMP6_FILTER_SETPASS(HD_ICMP_UNREACHABLE, &types);
    ICMP6_FILTER_SETPASS(HD_ICMP_TOO_BIG, &types);
    ICMP6_FILTER_SETPASS(HD_ICMP_TIME_EXCEEDED, &types);

    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, QUOTED_NEXT_HEADER),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_GRE, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, QUOTED_TO),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, label_prefix, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, HD_ICMP_PACKET_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &types, sizeof types) != 0) {
        return HD_ESYS;
    }
    return hd_socket_filter(fd, code, HD_ARRAY_LEN(code));
}

int hd_icmp_open(uint16_t label_prefix)
{
    int fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    if (fd < 0) {
        return HD_ESYS;
    }
    int bytes = RECEIVE_BYTES;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (attach_filters(fd, label_prefix) != HD_OK) {
        int saved = errno;
        close(fd);
        errno = saved;
        return HD_ESYS;
    }
    return fd;
}

int hd_icmp_send(int fd, struct hd_icmp_limiter *l, hd_time now, const struct hd_icmp_error *e,
                 const uint8_t *packet, uint32_t len)
{
    if (!hd_icmp_allowed(e, packet, len)) {
        return HD_EPERM;
    }
    struct hd_ip6 to;
    memcpy(to.b, packet + 8, sizeof to.b);
    if (!hd_icmp_limiter_take(l, &to, now)) {
        return HD_ELIMIT;
    }
    uint8_t message[HD_ICMP_MESSAGE_MAX];
    struct hd_writer w = hd_writer_make(message, sizeof message);
    int error = hd_icmp_build(&w, e, packet, len);
    if (error != HD_OK) {
        return error;
    }
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6};
    memcpy(&sa.sin6_addr, to.b, sizeof to.b);
    if (sendto(fd, message, hd_writer_len(&w), MSG_DONTWAIT, (const struct sockaddr *)&sa,
               sizeof sa) < 0) {
        return errno == EAGAIN || errno == ENOBUFS ? HD_EAGAIN : HD_ESYS;
    }
    return HD_OK;
}

int hd_icmp_receive(int fd, const struct hd_ip6 *own, uint16_t label_prefix,
                    struct hd_in_report *report)
{
    uint8_t message[HD_ICMP_PACKET_MAX];
    ssize_t n;
    do {
        n = recv(fd, message, sizeof message, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EAGAIN ? HD_EAGAIN : HD_ESYS;
    }
    return hd_icmp_parse(message, (size_t)n, own, label_prefix, report);
}

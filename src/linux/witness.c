/* SPDX-License-Identifier: Apache-2.0 */
/* The packet socket that tells link addresses (witness.h). */
#include "linux/witness.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/sockets.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define SNAP_BYTES 24 /* up to the end of the source address */
#define BATCH      16
#define RCVBUF     (1024 * 1024) /* that of the UDP socket: both lose the same */

/*
 * On a SOCK_DGRAM packet socket the filter sees the packet from the IPv6 header on. It takes UDP to
 * the port at link-local addresses and groups, and fragments to link-local addresses, whose port
 * only the first of them has. What comes over the fabric has no link address that would matter.
 */
static int attach_filter(int fd, uint16_t number)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 24), /* begin of the destination */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xff, 5, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 24),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffc0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xfe80, 0, 7),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6), /* next header */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_FRAGMENT, 4, 1),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6), /* the same; to a group */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 42), /* destination port */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SNAP_BYTES),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return hd_socket_filter(fd, code, HD_ARRAY_LEN(code));
}

int hd_witness_open(uint16_t number)
{
    int on = 1, rcvbuf = RCVBUF;
    /* Protocol 0 receives nothing until bind, when the filter is in place. */
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_ll any = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IPV6)};
    if (fd < 0) {
        return HD_ESYS;
    }
    if (attach_filter(fd, number) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof rcvbuf) < 0 ||
        bind(fd, (struct sockaddr *)&any, sizeof any) < 0) {
        close(fd);
        return HD_ESYS;
    }
    return fd;
}

static hd_time stamp_of(struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof t);
            return HD_SEC(t.tv_sec) + t.tv_nsec;
        }
    }
    return 0;
}

static void remember(struct hd_witness *w, const struct sockaddr_ll *from, const uint8_t *header,
                     hd_time wall_ns)
{
    struct hd_witness_frame *f = &w->frame[w->next++ % HD_WITNESS_FRAMES];
    f->wall_ns = wall_ns;
    f->ifindex = (uint32_t)from->sll_ifindex;
    memcpy(&f->from, header + 8, sizeof f->from);
    memcpy(&f->mac, from->sll_addr, sizeof f->mac);
}

void hd_witness_read(struct hd_witness *w, int fd, hd_time until_wall_ns)
{
    struct mmsghdr m[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_ll from[BATCH];
    uint8_t header[BATCH][SNAP_BYTES];
    _Alignas(struct cmsghdr) char control[BATCH][64];
    hd_time newest = 0;
    int n;
    do {
        for (unsigned i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){header[i], SNAP_BYTES};
            m[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i],
                                                .msg_namelen = sizeof from[i],
                                                .msg_iov = &iov[i],
                                                .msg_iovlen = 1,
                                                .msg_control = control[i],
                                                .msg_controllen = sizeof control[i]}};
        }
        n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++) {
            if (m[i].msg_len == SNAP_BYTES && from[i].sll_halen == sizeof(struct hd_mac)) {
                newest = stamp_of(&m[i].msg_hdr);
                remember(w, &from[i], header[i], newest);
            }
        }
    } while (n == BATCH && newest < until_wall_ns);
}

bool hd_witness_find(const struct hd_witness *w, uint32_t ifindex, const struct hd_ip6 *from,
                     hd_time wall_ns, struct hd_mac *mac)
{
    for (unsigned i = 0; i < HD_WITNESS_FRAMES; i++) {
        const struct hd_witness_frame *f = &w->frame[i];
        if (f->wall_ns == wall_ns && f->wall_ns != 0 && f->ifindex == ifindex &&
            hd_ip6_equal(&f->from, from)) {
            *mac = f->mac;
            return true;
        }
    }
    return false;
}

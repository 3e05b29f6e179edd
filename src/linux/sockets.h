/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP over IPv6 as the cores see it: opened and joined by the system process, read and written by
 * the router process through the same descriptor. Everything that needs a privilege or is a policy
 * is set on the socket before it is handed over (forwarding-on-linux.md, section 8).
 */
#ifndef HD_LINUX_SOCKETS_H
#define HD_LINUX_SOCKETS_H

#include "lib/addr.h"
#include "lib/time.h"
#include "model/effects.h"

#define HD_UDP6_BATCH 16
#define HD_UDP6_BYTES 65536 /* largest datagram taken */
struct sock_filter;

/* Attaches a classic BPF filter for good: 0 or HD_ESYS. */
HD_MUST_USE int hd_socket_filter(int fd, struct sock_filter *code, uint16_t len);

#define HD_UDP6_RCVBUF   (1024 * 1024)
#define HD_UDP6_HOPLIMIT 255 /* kira.md 5.16, item 1 */

#define HD_UDP6_ROUTED_BYTES                                                                       \
    1500 /* largest that is taken for a node address, with its UDP header */

/*
 * Opens [::]:number: the descriptor, HD_EEXIST when another program has the port, HD_ESYS. A locked
 * filter keeps out whatever is neither for a link-local address or group nor for a node's address
 * (of the prefix, 16 bits), and all that begins on this machine.
 */
HD_MUST_USE int hd_udp6_open(uint16_t number, uint16_t node_prefix);
/* Without the filter, for both families, IPv4 addresses as ::ffff:a.b.c.d; it is for hearing only.
 */
HD_MUST_USE int hd_udp_open(uint16_t number);
/* Joins or leaves a group on an interface: 0 or HD_ESYS; joining twice is fine. */
HD_MUST_USE int hd_udp6_member(int fd, const struct hd_ip6 *group, uint32_t ifindex, bool join);

struct hd_udp6_datagram {
    const uint8_t *bytes;
    uint32_t len;
    uint32_t ifindex;
    struct hd_ip6 from, to;
    uint16_t from_port;
    uint8_t hop_limit, traffic_class;
    hd_time wall_ns;   /* arrival by the wall clock; 0: unknown */
    uint32_t overflow; /* datagrams that the kernel has dropped on this socket so far */
};

/* Buffers for one batch: a mapping of which only the pages in use cost memory. */
struct hd_udp6_batch {
    uint8_t *buffers;
    struct hd_udp6_datagram in[HD_UDP6_BATCH];
};

HD_MUST_USE int hd_udp6_batch_init(struct hd_udp6_batch *b);
void hd_udp6_batch_free(struct hd_udp6_batch *b);
/* Reads up to HD_UDP6_BATCH datagrams without waiting; truncated ones have len 0. Returns how many.
 */
unsigned hd_udp6_receive(int fd, struct hd_udp6_batch *b);

/* Sends out of an interface, or by the routes when ifindex is 0: 0, HD_EAGAIN or HD_ESYS. */
HD_MUST_USE int hd_udp6_send(int fd, const struct hd_ip6 *to, uint16_t number, uint32_t ifindex,
                             uint8_t traffic_class, const void *bytes, size_t len);

#endif

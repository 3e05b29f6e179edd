/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic: UDP between nodes, with segmentation offload; frames made by hand; echoes and floods. */
#ifndef TEST_FWD_TRAFFIC_H
#define TEST_FWD_TRAFFIC_H

#include "net.h"

#define UDP_PORT  5000
#define KIRA_PORT 19219

/* What a receiver saw; in memory shared with its process. */
struct received {
    volatile uint32_t ready, stop;
    volatile uint32_t count;
    volatile uint64_t bytes;
    volatile uint8_t hop_limit, traffic_class; /* of the last */
    /* in: */
    const char *device; /* bound to it; NULL: to none */
    uint16_t port;
    struct hd_ip6 group;
};

/* Starts a receiver in a namespace; stop it with receiver_stop, which returns what came. */
pid_t receiver_start(pid_t where, struct received **r, const char *device, uint16_t port);
/* The same with KIRA's own socket, which has joined a group on the device. */
pid_t receiver_start_own(pid_t where, struct received **r, const char *device,
                         const struct hd_ip6 *group);
/* Waits until `want` datagrams came or ms passed, then ends the process. */
uint32_t receiver_stop(pid_t pid, struct received *r, uint32_t want, unsigned ms);
/* Gives the memory back. */
void receiver_free(struct received *r);

/* Sends `count` buffers of `segments` datagrams each of `size` bytes: how many buffers were taken.
 */
uint32_t udp_send(pid_t where, const struct hd_ip6 *to, uint32_t count, uint32_t segments,
                  uint32_t size, uint8_t traffic_class);

/* Sends a datagram to each of `count` addresses, which differ from `to` in the last four bytes: how
 * many were taken. */
uint32_t udp_spread(pid_t where, const struct hd_ip6 *to, uint32_t count);

/* A frame with a label made by hand, around a UDP datagram to UDP_PORT. */
struct made {
    struct hd_mac from, to;
    struct hd_ip6 outer_source, outer_to; /* outer_to zero: a plain packet */
    struct hd_ip6 inner_source, inner_to;
    uint8_t outer_class, inner_class, outer_hops, inner_hops;
};
void inject(pid_t where, const char *device, const struct made *m);
/* The same frame many times, as fast as it goes. */
void inject_burst(pid_t where, const char *device, const struct made *m, uint32_t count);

/* Sends an echo request to a link-local address: type of the answer, 0 when none came in time. */
uint8_t echo_ask(pid_t where, const char *device, const struct hd_ip6 *to);
/* Sends datagrams to the KIRA port as fast as it goes: how many were taken. */
uint32_t flood(pid_t where, const char *device, const struct hd_ip6 *to, uint32_t count,
               uint32_t size);

/* Received of `count` pings with these options; -1 when ping says something else. */
int ping(pid_t where, const char *options, unsigned count, const char *to);
/* TCP throughput in Mb/s over about a second. */
uint64_t tcp_mbps(pid_t server, pid_t client, const char *to);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From which link address did a datagram come? A UDP socket does not say, the neighbour cache knows
 * only whom we have talked to, and a guess would admit the wrong station: the data plane accepts
 * our prefixes from admitted link addresses only, so the address must be that of the very frame
 * whose contents were authenticated.
 *
 * So a packet socket watches the same port beside the UDP socket. Both are given the same arrival
 * stamp by the kernel, in nanoseconds, for the same frame (of a fragmented datagram, for its last
 * frame): interface, source and stamp together find the frame. What finds none has no link address,
 * and the core treats it as unknown.
 */
#ifndef HD_LINUX_WITNESS_H
#define HD_LINUX_WITNESS_H

#include "lib/addr.h"
#include "lib/time.h"

#define HD_WITNESS_FRAMES 64 /* remembered; a power of two */

struct hd_witness_frame {
    hd_time wall_ns;
    uint32_t ifindex;
    struct hd_ip6 from;
    struct hd_mac mac;
};

struct hd_witness {
    struct hd_witness_frame frame[HD_WITNESS_FRAMES];
    uint32_t next;
};

/*
 * Opens the packet socket for a UDP port, filtered and with the filter locked: the descriptor or
 * HD_ESYS. Needs NET_RAW; reading needs nothing.
 */
HD_MUST_USE int hd_witness_open(uint16_t number);

/*
 * Reads on until the frame of this arrival is among the remembered, or nothing is left. Reading
 * further would push out frames whose datagrams still wait in the other socket.
 */
void hd_witness_read(struct hd_witness *w, int fd, hd_time until_wall_ns);

/* The link address of a datagram, or false. */
bool hd_witness_find(const struct hd_witness *w, uint32_t ifindex, const struct hd_ip6 *from,
                     hd_time wall_ns, struct hd_mac *mac);

#endif

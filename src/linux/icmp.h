/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMPv6 errors (RFC 4443) about labelled packets, both ways.
 *
 * The kernel cannot help here: it has no route for a label, so it would answer every problem with
 * "unreachable", and it ignores a "too big" about a GRE packet because no handler of protocol 47 is
 * registered (forwarding-on-linux.md 3.5, measured). So the data plane hands over the offending
 * packet, this module builds the error; and it reads the errors that come back about our own
 * labels.
 *
 * Building and parsing are pure. The socket functions are thin: the system process opens the raw
 * socket, the router process uses it.
 */
#ifndef HD_LINUX_ICMP_H
#define HD_LINUX_ICMP_H

#include "lib/cursor.h"
#include "model/core.h"

#define HD_ICMP_UNREACHABLE   1 /* code 0: no route */
#define HD_ICMP_TOO_BIG       2 /* value: MTU */
#define HD_ICMP_TIME_EXCEEDED 3 /* code 0: hop limit */

#define HD_ICMP_PACKET_MAX  1280 /* a whole error packet with its IPv6 header (RFC 4443 2.4 c) */
#define HD_ICMP_MESSAGE_MAX (HD_ICMP_PACKET_MAX - 40)

#define HD_ENCAP_BYTES 44   /* outer IPv6 header and GRE, kira.md 7.1 */
#define HD_INNER_MTU   1280 /* no route gets a smaller one */

struct hd_icmp_error {
    uint8_t type, code;
    uint32_t value; /* MTU; else 0 */
};

/*
 * Whether RFC 4443 2.4 (e) lets us answer the packet: not an ICMPv6 error or redirect itself, from
 * one node, to one node (a "too big" may be about a group).
 */
bool hd_icmp_allowed(const struct hd_icmp_error *e, const uint8_t *packet, uint32_t len);

/*
 * Writes the ICMPv6 message, quoting as much of the packet as fits, with checksum zero: a raw
 * socket fills it in. 0 or HD_EINVAL (no room).
 */
HD_MUST_USE int hd_icmp_build(struct hd_writer *w, const struct hd_icmp_error *e,
                              const uint8_t *packet, uint32_t len);

/* Writes the whole IPv6 packet from `from` to the source of the offending packet, checksum
 * included. */
HD_MUST_USE int hd_icmp_build_packet(struct hd_writer *w, const struct hd_icmp_error *e,
                                     const struct hd_ip6 *from, const uint8_t *packet,
                                     uint32_t len);

/*
 * Reads a received message (from the ICMPv6 type on). 0 and a report when it is an unreachable, too
 * big or time exceeded about a GRE packet that `own` sent to a label; HD_EMALFORMED otherwise. Time
 * exceeded is reported as unreachable: the label leads nowhere. The MTU reported is that of the
 * inner packet, at least 1280. `to` is the inner destination if so much was quoted.
 */
HD_MUST_USE int hd_icmp_parse(const uint8_t *bytes, size_t len, const struct hd_ip6 *own,
                              uint16_t label_prefix, struct hd_in_report *report);

/* --- limits -------------------------------------------------------------------------------------
 */

#define HD_ICMP_RATE_HZ     10 /* errors per second to one destination, */
#define HD_ICMP_BURST       10 /* and how many at once */
#define HD_ICMP_ALL_RATE_HZ 500
#define HD_ICMP_ALL_BURST   100
#define HD_ICMP_SLOTS       256

/*
 * Token buckets per destination in a table of fixed size. A bucket is one instant: the one at which
 * it is full again. Destinations that meet in a slot share its bucket while it is not full, so that
 * inventing sources gains nothing.
 */
struct hd_icmp_limiter {
    uint64_t salt;
    hd_time all_full_at;
    struct {
        uint64_t who;
        hd_time full_at;
    } slot[HD_ICMP_SLOTS];
};

void hd_icmp_limiter_init(struct hd_icmp_limiter *l, uint64_t salt);
/* Takes a token for an error to `to`: false when there is none. */
bool hd_icmp_limiter_take(struct hd_icmp_limiter *l, const struct hd_ip6 *to, hd_time now);

/* --- socket --------------------------------------------------------------------------------------
 */

/*
 * Opens the raw socket, non-blocking, with filters that let through errors about labels only, and
 * locks them: the descriptor, or HD_ESYS. Needs NET_RAW.
 */
HD_MUST_USE int hd_icmp_open(uint16_t label_prefix);

/*
 * Sends an error about the packet to its source: 0; HD_EPERM (no error may be sent about it),
 * HD_ELIMIT (rate), HD_EAGAIN or HD_ESYS (socket).
 */
HD_MUST_USE int hd_icmp_send(int fd, struct hd_icmp_limiter *l, hd_time now,
                             const struct hd_icmp_error *e, const uint8_t *packet, uint32_t len);

/*
 * Reads one message: 0 and a report; HD_EAGAIN when there is none; HD_EMALFORMED when it was of no
 * interest (call again); HD_ESYS.
 */
HD_MUST_USE int hd_icmp_receive(int fd, const struct hd_ip6 *own, uint16_t label_prefix,
                                struct hd_in_report *report);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole Ethernet frames for cores (HD_PORT_FRAME, model/effects.h). One port hears, on one
 * interface, the frames of one family that carry one IP protocol, whatever becomes of them
 * afterwards: an address that is shared, or a virtual interface on top, would hide them from an
 * ordinary socket. It sends any frame there, with any source address.
 *
 * Beside the packet socket goes a raw one, which is never read: it joins the group, keeps the
 * kernel from answering "protocol unreachable", and sends packets by the routes.
 */
#ifndef HD_LINUX_FRAMES_H
#define HD_LINUX_FRAMES_H

#include "lib/time.h"
#include "model/effects.h"

#define HD_FRAME_BATCH 16
#define HD_FRAME_BYTES 1536

/* Opens both sockets of a port (needs CAP_NET_RAW): 0 or HD_ESYS. */
HD_MUST_USE int hd_frame_open(const struct hd_fx_port *p, int *packet, int *raw);

struct hd_frame {
    uint32_t len; /* 0: it was longer than HD_FRAME_BYTES */
    hd_time wall_ns;
    uint8_t bytes[HD_FRAME_BYTES];
};

/* Reads up to HD_FRAME_BATCH frames without waiting; returns how many. */
unsigned hd_frame_receive(int packet, struct hd_frame *frames);
/* Sends a frame out of an interface: 0, HD_EAGAIN or HD_ESYS. */
HD_MUST_USE int hd_frame_send(int packet, uint32_t ifindex, const void *bytes, uint32_t len);
/* Sends the packet in a frame where the routes lead: the same. */
HD_MUST_USE int hd_frame_send_routed(int raw, const void *bytes, uint32_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of VRRP: advertisements of both versions over both families (RFC 9568 section 5, RFC 3768
 * section 5), and what tells hosts and switches where a virtual router lives now: gratuitous ARP
 * and unsolicited neighbour advertisements (RFC 9568 section 8).
 *
 * Reading keeps apart what is wrong with a packet, since each fault has a counter (R1 to R14); it
 * judges nothing that depends on configuration. Checksums over IPv4 exist in two forms (R12): which
 * of them fits is told, not decided.
 */
#ifndef HD_CORE_VRRP_WIRE_H
#define HD_CORE_VRRP_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/cursor.h"

#define VRRP_PROTOCOL  112
#define VRRP_TTL       255
#define VRRP_CLASS     0xc0 /* DSCP CS6, as other programs do */
#define VRRP_TYPE      1    /* ADVERTISEMENT */
#define VRRP_BACKUP    2    /* BACKUP ADVERTISEMENT: draft on BFD point to point, experimental */
#define VRRP_FRAME_MAX 320  /* Ethernet, IPv6, 16 addresses */
#define VRRP_ETHER     14   /* bytes of the Ethernet header */

/* What the frame around a message says. */
struct vrrp_packet {
    uint8_t family; /* 4 or 6 */
    uint8_t ttl;
    struct hd_mac mac; /* of the sender */
    struct hd_ip6 from, to;
    const uint8_t *message;
    uint32_t len;
};

struct vrrp_message {
    uint8_t version, type, vrid, priority, count;
    uint8_t auth_type;    /* version 2 */
    uint16_t interval_cs; /* centiseconds in both versions */
    const uint8_t *list;  /* count addresses of 4 or 16 bytes */
    uint32_t len;         /* of the message without what follows it */
    bool checksum_plain;  /* right over the message alone */
    bool checksum_pseudo; /* right with the pseudo header */
};

enum vrrp_frame_fault {
    VRRP_FRAME_OK = 0,
    VRRP_FRAME_SHORT, /* or lengths that contradict each other */
    VRRP_FRAME_OTHER, /* not VRRP */
    VRRP_FRAME_FRAGMENT,
    VRRP_FRAME_IP_CHECKSUM,
};

/* Reads Ethernet and IP. `p` points into the bytes. */
enum vrrp_frame_fault vrrp_read_frame(const uint8_t *bytes, uint32_t len, struct vrrp_packet *p);

/* Reads version, type and VRID, which tell whose packet it is: false when not even they are there.
 */
bool vrrp_read_head(const struct vrrp_packet *p, struct vrrp_message *m);
/* Reads the rest of a message of version 2 or 3: false when it is too short for its list (R4). */
bool vrrp_read_message(const struct vrrp_packet *p, struct vrrp_message *m);
/* Address i of the list. */
struct hd_ip6 vrrp_list_address(const struct vrrp_packet *p, const struct vrrp_message *m,
                                uint32_t i);

struct vrrp_advert {
    uint8_t family, version, type, vrid, priority, count;
    bool pseudo;          /* IPv4, version 3: checksum with a pseudo header */
    uint16_t interval_cs; /* version 2: rounded up to seconds */
    struct hd_mac mac;
    struct hd_ip6 from, to; /* `to` all zero: the group */
    const struct hd_ip6 *addresses;
};

/* The length of the frame, which fits into VRRP_FRAME_MAX bytes. */
uint32_t vrrp_write_advert(uint8_t *frame, const struct vrrp_advert *a);
/* An announcement of one address with a MAC: ARP request or neighbour advertisement (R30). */
uint32_t vrrp_write_announcement(uint8_t *frame, uint8_t family, const struct hd_mac *mac,
                                 const struct hd_ip6 *address);

/* 00-00-5E-00-01-VRID or 00-00-5E-00-02-VRID (R16). */
struct hd_mac vrrp_mac(uint8_t family, uint8_t vrid);
/* 224.0.0.18 or ff02::12 (R17). */
struct hd_ip6 vrrp_group(uint8_t family);

static inline bool vrrp_is_ip4(const struct hd_ip6 *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(a->b, mapped, 12) == 0;
}

static inline struct hd_ip6 vrrp_ip4(const uint8_t b[4])
{
    struct hd_ip6 a = {.b = {[10] = 0xff, [11] = 0xff}};

    memcpy(a.b + 12, b, 4);
    return a;
}

#endif

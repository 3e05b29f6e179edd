/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of code points that Heddle uses and that are not written into a standard it
 * implements (design.md, section 10). Each line names its specification; "experimental" means that
 * no registry assigned the value, so that it may clash with somebody else's and may change.
 *
 * Headers of wire formats keep their enums; a private value of theirs is repeated here under its
 * own name, and tests/unit compares the two.
 */
#ifndef HD_LIB_CODE_POINTS_H
#define HD_LIB_CODE_POINTS_H

/* KIRA, spec/kira.md */
#define HD_KIRA_UDP_PORT     19219 /* 3.1: that of KIRA-Rust; not registered at IANA, experimental */
#define HD_KIRA_NODE_PREFIX  0xfc00 /* 2.2: fc00::/16, undefined half of fc00::/7, experimental */
#define HD_KIRA_LABEL_PREFIX 0xfcaa /* 2.3: fcaa::/16, the same half, experimental */
#define HD_KIRA_GROUP                                                                              \
    {                                                                                              \
        0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1                                       \
    }                                /* 2.2: ff02::1, all nodes, registered */
#define HD_KIRA_POINT_MAC       0xf0 /* 5.16: object, link MAC; ours, experimental */
#define HD_KIRA_POINT_SIGNATURE 0xf1 /* 5.16: object, end-to-end signature; ours, experimental */
#define HD_KIRA_POINT_OVERLAY_HOPS                                                                 \
    0xf2                                /* object, positions of overlay hops; ours, experimental   \
                                         */
#define HD_KIRA_POINT_CAPABILITIES 0xf3 /* object, what a neighbour can do; ours, experimental */
#define HD_KIRA_POINT_ECHO         0xec /* first byte of the 16-byte link echo; ours, experimental */
#define HD_KIRA_DEVICE             "kira0" /* interface that holds a node's address; ours */

/* Linux, spec/forwarding-on-linux.md */
#define HD_ROUTE_PROTOCOL 0x4b /* rtm_protocol of our routes; free in rt_protos, experimental */

/* The sample core, doc/new-protocol.md */
#define HD_SAMPLE_UDP_PORT 19999 /* never leaves a link; not registered, experimental */
#define HD_SAMPLE_GROUP                                                                            \
    {                                                                                              \
        0xff, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x5a, 0x5a                                 \
    } /* ff12::5a5a: transient, link-local (RFC 4291 2.7); experimental */

#endif

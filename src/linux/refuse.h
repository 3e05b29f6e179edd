/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets to addresses that this machine answers for but is not: a router that stands in for
 * another takes none of them for itself, unless it is told to (accept mode, RFC 9568 6.1). The
 * kernel would; so they are dropped on their way up, by a table "heddle" of nf_tables that knows
 * the addresses. Neighbour Discovery is not among them, as the RFC says, nor is what comes from
 * this machine.
 *
 * The table is replaced as a whole, in one transaction: there is no moment at which an address is
 * not in it that was before and is after.
 */
#ifndef HD_LINUX_REFUSE_H
#define HD_LINUX_REFUSE_H

#include <stdint.h>

#include "lib/addr.h"
#include "lib/error.h"

struct hd_refused {
    struct hd_ip6 address; /* IPv4 as ::ffff:a.b.c.d */
    uint32_t ifindex;      /* of a link-local address: only what comes in there; else 0 */
};

/*
 * These are refused from now on, and no others; none: the table goes. 0, HD_ENOMEM, HD_EUNSUPPORTED
 * (a kernel without nf_tables) or HD_ESYS with errno. Needs CAP_NET_ADMIN.
 */
HD_MUST_USE int hd_refuse(const struct hd_refused *v, uint32_t count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of this machine, as cores hear of them (HD_IN_ADDRESS): a table that follows the
 * kernel by news and by dumps, and tells each difference once. An address that may not be used yet
 * (duplicate address detection) is none.
 */
#ifndef HD_LINUX_ADDRESSES_H
#define HD_LINUX_ADDRESSES_H

#include "linux/rtnl.h"

#define HD_ADDRESSES_MAX 4096 /* more are not told */

struct hd_address_entry {
    struct hd_in_address a;
    bool seen; /* in the dump that runs */
};

struct hd_addresses {
    struct hd_address_entry *v;
    uint32_t len, cap;
    void *user;
    void (*changed)(void *user, const struct hd_in_address *a);
};

void hd_addresses_init(struct hd_addresses *t, void *user,
                       void (*changed)(void *user, const struct hd_in_address *a));

/* One that is there, or gone; tells it if it is news. */
void hd_addresses_take(struct hd_addresses *t, const struct hd_address_facts *f);
/* Around a dump: what did not come again is gone. */
void hd_addresses_dump_begin(struct hd_addresses *t);
void hd_addresses_dump_end(struct hd_addresses *t);

#endif

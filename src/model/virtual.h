/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual interfaces in the forwarding model (vrrp-and-bfd.md, section 6): a router stands on an
 * interface under a second MAC address, with addresses that it shares with other routers and
 * answers for only while it is active.
 *
 * The object says what the kernel shall hold: standby, an interface that is prepared and silent;
 * active, one that receives for its MAC and answers for its addresses. So turning active is short,
 * and a restarted router process finds in the adopted object what it was (`active` is the only
 * memory that a takeover needs). Changes are pulled by the driver as those of model/liveness.h; how
 * one ended comes to the owner as HD_IN_VIRTUAL, success too, because announcements must wait for
 * it.
 */
#ifndef HD_MODEL_VIRTUAL_H
#define HD_MODEL_VIRTUAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/vec.h"
#include "model/fwd.h"

#define HD_VIRTUALS_MAX          1024
#define HD_VIRTUAL_ADDRESSES_MAX 16

/* No padding: values are compared and sent as bytes. */
struct hd_virtual_value {
    uint32_t ifindex; /* of the interface that it stands on */
    uint8_t family;   /* 4 or 6 */
    uint8_t number;   /* the owner's: VRID */
    uint8_t active;
    uint8_t accept;  /* packets to the addresses are taken, not only answered for */
    uint8_t own_mac; /* no second MAC: the addresses are added to the interface itself */
    uint8_t count;
    struct hd_mac mac;
    struct hd_ip6 addresses[HD_VIRTUAL_ADDRESSES_MAX]; /* IPv4 as ::ffff:a.b.c.d */
};

struct hd_virtual {
    struct hd_object o;
    struct hd_virtual_value v;
};

struct hd_virtuals {
    HD_VEC(struct hd_virtual) v; /* index 0 unused */
    struct hd_change_queue queue;
    uint32_t live;
};

/* --- for cores -------------------------------------------------------------------------------- */

/* Adds one, or claims one that was adopted for it under this name: its index (> 0). */
HD_MUST_USE int hd_model_virtual_add(struct hd_model *m, uint8_t owner,
                                     const struct hd_virtual_value *v);
/* Changes one; true when there is something to do for the driver. */
bool hd_model_virtual_set(struct hd_model *m, uint32_t index, const struct hd_virtual_value *v);
void hd_model_virtual_del(struct hd_model *m, uint32_t index);
/* NULL when there is none that is wanted. Valid until the next addition. */
struct hd_virtual *hd_model_virtual(const struct hd_model *m, uint32_t index);
/* What was adopted for it and not yet claimed under this name, NULL when nothing was. */
const struct hd_virtual *hd_model_virtual_adopted(const struct hd_model *m, uint8_t owner,
                                                  uint32_t ifindex, uint8_t family, uint8_t number);
/* Steps through the wanted ones: start with 0, ends with 0. */
uint32_t hd_model_virtual_next(const struct hd_model *m, uint32_t after);
/* Removes what was adopted for this core, and that it did not claim. */
void hd_model_virtual_sweep(struct hd_model *m, uint8_t owner);

/* --- for drivers ------------------------------------------------------------------------------ */

struct hd_virtual_change {
    uint32_t index;
    uint8_t owner;
    bool del;
    struct hd_virtual_value v; /* of a deletion: what was wanted last */
};

/* The next change, coalesced; after a deletion the index may be given out again. */
bool hd_model_virtual_pull(struct hd_model *m, struct hd_virtual_change *c);
/* Tells how the value `v` of this index ended; false when it is not what is wanted any more. */
bool hd_model_virtual_done(struct hd_model *m, uint32_t index, const struct hd_virtual_value *v,
                           int error);
/* All have to be set again: whoever realises them lost its memory. */
void hd_model_virtuals_repeat(struct hd_model *m);
HD_MUST_USE int hd_model_adopt_virtual(struct hd_model *m, uint8_t owner,
                                       const struct hd_virtual_value *v);

/* For hd_model_free. */
void hd_virtuals_free(struct hd_model *m);

#endif

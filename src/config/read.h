/* SPDX-License-Identifier: Apache-2.0 */
/* How the value of a leaf becomes a member of a row: found once per leaf, used once per value. */
#ifndef HD_CONFIG_READ_H
#define HD_CONFIG_READ_H

#include <libyang/libyang.h>
#include <stdint.h>

#include "bind/bind.h"

enum hd_read {
    HD_READ_NONE = 0, /* the type and the column do not fit */
    HD_READ_U8,       /* unsigned numbers as libyang stores them */
    HD_READ_U16,
    HD_READ_U32,
    HD_READ_U64,
    HD_READ_BOOL,
    HD_READ_PRESENCE, /* of a container */
    HD_READ_IP6,      /* as libyang stores it */
    HD_READ_TEXT,     /* by the canonical text: everything else */
};

uint8_t hd_read_way(const struct lysc_node *leaf, const struct hd_column *c);

/* The value into the row's member; false: it has no place there. A secret: hd_read_secret. */
bool hd_read_value(uint8_t way, const struct hd_column *c, const struct lyd_node *n, void *row);
bool hd_read_secret(const struct hd_column *c, const uint8_t *bytes, size_t len, void *row);

#endif

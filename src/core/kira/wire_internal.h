/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of the KIRA decoder: wire_read.c scans a message, wire_items.c checks the
 * values of its objects. Nobody else includes this.
 */
#ifndef HD_CORE_KIRA_WIRE_INTERNAL_H
#define HD_CORE_KIRA_WIRE_INTERNAL_H

#include "core/kira/wire.h"

/* Each checks a whole object value and fills in its part of the message. */
enum hd_kira_wire_error hd_kira_check_route(struct hd_kira_msg *m, struct hd_reader value);
enum hd_kira_wire_error hd_kira_check_not_via(struct hd_kira_msg *m, struct hd_reader value);
enum hd_kira_wire_error hd_kira_check_contacts(struct hd_kira_msg *m, struct hd_reader value);
enum hd_kira_wire_error hd_kira_check_rtable_req(struct hd_kira_msg *m, struct hd_reader value);
enum hd_kira_wire_error hd_kira_check_rtable(struct hd_kira_msg *m, struct hd_reader value);
enum hd_kira_wire_error hd_kira_check_update(struct hd_kira_msg *m, struct hd_reader value);
enum hd_kira_wire_error hd_kira_check_error(struct hd_kira_msg *m, struct hd_reader value);
enum hd_kira_wire_error hd_kira_check_data(struct hd_kira_msg *m, uint8_t type,
                                           struct hd_reader value);
enum hd_kira_wire_error hd_kira_check_mac(struct hd_kira_msg *m, struct hd_reader value);
enum hd_kira_wire_error hd_kira_check_overlay_hops(struct hd_kira_msg *m, struct hd_reader value);
enum hd_kira_wire_error hd_kira_check_capabilities(struct hd_kira_msg *m, struct hd_reader value);

static inline struct hd_id hd_kira_read_id(struct hd_reader *r)
{
    struct hd_id id = {{0}};
    const uint8_t *bytes = hd_read_bytes(r, HD_ID_BYTES);

    if (bytes != NULL)
        memcpy(id.b, bytes, HD_ID_BYTES);
    return id;
}

/* False for the two values that no node may have (kira.md 2.1). */
static inline bool hd_kira_is_node(const struct hd_id *id)
{
    return !hd_id_is_zero(id) && !hd_id_is_ones(id);
}

#endif

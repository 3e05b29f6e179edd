/* SPDX-License-Identifier: Apache-2.0 */
/* The forwarding model as rows: the lists of HD_CORE_MODEL. */
#ifndef HD_ROUTER_MODEL_ROWS_H
#define HD_ROUTER_MODEL_ROWS_H

#include "router/router.h"

/* Like hd_core_ops.rows; an unknown list is empty. */
uint32_t hd_model_rows(const struct hd_model *m, uint16_t list, struct hd_row_cursor *cursor,
                       void *out, uint32_t max, hd_time now);

#endif

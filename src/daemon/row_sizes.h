/* SPDX-License-Identifier: Apache-2.0 */
/* Size of a row of each list that can be asked for, as it travels (channel.h): 0 when there is
 * none. */
#ifndef HD_DAEMON_ROW_SIZES_H
#define HD_DAEMON_ROW_SIZES_H

#include <stdint.h>

uint32_t hd_row_size(uint16_t core, uint16_t list);

#endif

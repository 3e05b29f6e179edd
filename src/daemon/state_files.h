/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State files: what cores save (HD_FX_SAVE), one file per value, DIR/state/CORE-KEY. A file is
 * replaced whole by a rename. Only the identity is worth an fsync: the others are better than
 * nothing after a crash of the machine, and old ones do no harm.
 */
#ifndef HD_DAEMON_STATE_FILES_H
#define HD_DAEMON_STATE_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "model/ids.h"

/* Writes a value: 0 or HD_ESYS. dir is the folder's descriptor. */
HD_MUST_USE int hd_state_save(int dir, const char *core, uint16_t key, const void *bytes,
                              uint32_t len, bool sync);

/* Reads a value into buf: its length, HD_ENOENT, HD_ELIMIT (larger than size) or HD_ESYS. */
HD_MUST_USE int hd_state_load(int dir, const char *core, uint16_t key, void *buf, uint32_t size);

/* The node's identifier, made at random and saved if there is none: 0 or HD_ESYS. */
HD_MUST_USE int hd_state_identity(int dir, struct hd_id *id);

#define HD_STATE_KEYS_MAX 16 /* keys 1 to this are looked for at a start */

#endif

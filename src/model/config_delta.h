/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between two configurations of a core: its new head, and the rows that went, came or
 * changed. A configuration is a head and sorted arrays of rows (hd_core_ops.configure); a core
 * whose arrays are long takes a change as this, and is told of one row in 100,000 in the time that
 * one row takes.
 *
 * A delta is one run of bytes, the same between processes, in a recording, and for the core. Each
 * edit carries the old row beside the new one: who keeps a table by key finds it by that, who keeps
 * the array finds it by its place, and who hands a delta on can check that it stands on what it
 * believes.
 *
 * The bytes: u32 length of the head, u32 number of edits, the head; then each edit: u32 list, u32
 * place, u32 size of a row, u32 which rows follow (1 the old, 2 the new), the rows. All parts begin
 * at multiples of eight.
 */
#ifndef HD_MODEL_CONFIG_DELTA_H
#define HD_MODEL_CONFIG_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct hd_config_delta {
    const void *head; /* the new one, whole */
    uint32_t head_len;
    uint32_t edit_count;
    const uint8_t *edits; /* read by hd_config_delta_next */
    uint32_t edits_len;
};

/* One row: `was` and `is` differ, or one of them is not there. */
struct hd_config_edit {
    uint32_t list;        /* of the core's lists, in the order of its bytes */
    uint32_t at;          /* place in the old array: of `was`, or before which `is` comes */
    uint32_t size;        /* of a row */
    const void *was, *is; /* NULL: added, taken away */
};

/* How far a walk over the edits has come; zero at its begin. */
struct hd_config_cursor {
    uint32_t at;
    struct hd_config_edit edit; /* the one that hd_config_delta_next found */
};

/*
 * Checks the form of bytes, aligned to 8, that must stay: 0 or HD_EMALFORMED. Edits then ascend by
 * list and place; of one place there are any number of additions, then at most one other.
 */
HD_MUST_USE int hd_config_delta_read(const void *bytes, size_t len, struct hd_config_delta *d);
/* The next edit into c->edit; false: that was the last. */
bool hd_config_delta_next(const struct hd_config_delta *d, struct hd_config_cursor *c);
/* The next one of this list, the walk having passed all lists before it. */
bool hd_config_delta_next_of(const struct hd_config_delta *d, uint32_t list,
                             struct hd_config_cursor *c);

/* Bytes that the beginning, and an edit, take. */
size_t hd_config_delta_head_bytes(size_t head_len);
size_t hd_config_delta_edit_bytes(const struct hd_config_edit *e);
/* Write them, into room of that size aligned to 8. */
void hd_config_delta_put_head(void *to, const void *head, uint32_t head_len, uint32_t edit_count);
void hd_config_delta_put_edit(void *to, const struct hd_config_edit *e);

/* Rows of one list that the delta adds, and takes away. */
struct hd_config_counts {
    uint32_t added, removed, changed;
};
struct hd_config_counts hd_config_delta_counts(const struct hd_config_delta *d, uint32_t list);

/*
 * Carries the edits of one list out on its old rows, `count` of `size` bytes at `from`; the result
 * begins at `to`, which is `from` or lies before it by at least what is added. Costs what the edits
 * cost where the two are the same, else a copy. Returns how many rows there are now. Edits must
 * fit: hd_config_delta_fits.
 */
uint32_t hd_config_delta_merge(const struct hd_config_delta *d, uint32_t list, const uint8_t *from,
                               uint32_t count, uint32_t size, uint8_t *to);
/*
 * The same in place: `rows` has room for `count` and what is added. The rows before the first edit
 * are not touched.
 */
uint32_t hd_config_delta_merge_in(const struct hd_config_delta *d, uint32_t list, void *rows,
                                  uint32_t count, uint32_t size);
/* Whether the edits of a list stand on these rows: each place is there, and holds what it says. */
bool hd_config_delta_fits(const struct hd_config_delta *d, uint32_t list, const void *rows,
                          uint32_t count, uint32_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What fwd.c (changes), fwd_tables.c (objects) and fwd_guards.c (guards, and what names them) need
 * of each other; nobody else includes this. */
#ifndef HD_MODEL_FWD_QUEUE_H
#define HD_MODEL_FWD_QUEUE_H

#include "model/fwd.h"

/* The common part of an object; the slot must exist. */
struct hd_object *hd_object_at(const struct hd_model *m, enum hd_object_kind kind, uint32_t index);

/* The object is wanted with a value; changed: another one than before. Queues what there is to do.
 */
void hd_object_want(struct hd_model *m, enum hd_object_kind kind, uint32_t index, uint8_t owner,
                    bool changed);
/* The object is not wanted any more: it goes at once or when its deletion is done. */
void hd_object_unwant(struct hd_model *m, enum hd_object_kind kind, uint32_t index);

/* Packs tables that have become sparse; nothing may be queued or in flight. */
void hd_tables_pack(struct hd_model *m);

/* A fresh slot of a table that is `len` entries long: its index (> 0) or an hd_error. */
int hd_slot_take(struct hd_model *m, enum hd_object_kind kind, uint32_t len);
/* A certain one, which must be free; those that the table grows by become free. */
int hd_slot_take_at(struct hd_model *m, enum hd_object_kind kind, uint32_t len, uint32_t index);
/* An object that was found in the data plane. */
void hd_object_adopt(struct hd_object *o, uint8_t owner);
/* The value of an object is about to be replaced. */
void hd_object_tell_old(struct hd_model *m, enum hd_object_kind kind, uint32_t index);

/* Makes the place for guards, if there is none: 0 or HD_ENOMEM. */
HD_MUST_USE int hd_guards_make(struct hd_model *m);
void hd_guards_free(struct hd_model *m);
/* Writes a reference anew: 0, or an hd_error and the reference is 0. */
HD_MUST_USE int hd_repair_set(struct hd_model *m, uint16_t *ref, const struct hd_repair *r);
void hd_repair_drop(struct hd_model *m, uint16_t *ref);
/* Packs the table of repairs when it is sparse. */
void hd_repairs_pack(struct hd_model *m);
/* Is a third of a table's memory empty? */
bool hd_table_is_sparse(uint32_t live, uint32_t cap);

/* Gives the slot of an object that is nowhere any more back to its table. */
void hd_object_forget(struct hd_model *m, enum hd_object_kind kind, uint32_t index);

#endif

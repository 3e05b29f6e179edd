/* SPDX-License-Identifier: Apache-2.0 */
/* What fwd.c (changes) and fwd_tables.c (objects) need of each other; nobody else includes this. */
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

/* Gives the slot of an object that is nowhere any more back to its table. */
void hd_object_forget(struct hd_model *m, enum hd_object_kind kind, uint32_t index);

#endif

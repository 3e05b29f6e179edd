/* SPDX-License-Identifier: Apache-2.0 */
/* What periodic.c and watch.c need of each other; nobody else includes this. */
#ifndef HD_MODEL_LIVENESS_INTERNAL_H
#define HD_MODEL_LIVENESS_INTERNAL_H

#include "model/liveness.h"

/* The section of a model, made with its first object; NULL without memory. */
struct hd_liveness *hd_liveness_of(struct hd_model *m);

void hd_watches_free(struct hd_model *m);

#endif

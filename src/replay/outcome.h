/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came of a call, in a form that can be kept and compared: the effects, the changes of the
 * forwarding model, the answer. The recorder and the player use the same function, so they cannot
 * differ about what counts.
 *
 * Digests are for accidents, not against forgers: a recording is as trustworthy as its file.
 */
#ifndef HD_REPLAY_OUTCOME_H
#define HD_REPLAY_OUTCOME_H

#include "replay/format.h"
#include "router/router.h"

struct hd_outcome {
    struct hd_recorded_outcome o; /* running is not filled in */
    struct hd_recorded_effect effects[HD_RECORDED_EFFECTS_MAX];
};

/* Call it after the router's call, before anything is realised. */
void hd_outcome_make(struct hd_outcome *out, int result, const struct hd_answer *answer,
                     struct hd_router *r, const struct hd_effects *fx);

/* The running digest after this outcome. */
uint64_t hd_outcome_running(uint64_t before, const struct hd_recorded_outcome *o);

/* Digest of bytes. */
uint64_t hd_outcome_digest(uint64_t start, const void *bytes, size_t len);

#endif

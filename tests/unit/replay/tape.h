/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tape: a recorder that hears every call of a test into a router (the calls are wrapped when the
 * program is linked), and a player for what it heard. It realises the model's changes after each
 * call as a driver does, and lets some of them be refused.
 */
#ifndef HD_TESTS_UNIT_REPLAY_TAPE_H
#define HD_TESTS_UNIT_REPLAY_TAPE_H

#include "replay/player.h"
#include "replay/recorder.h"
#include "support/test.h"

struct tape {
    void *ring;
    size_t bytes;
    size_t region_bytes;
    uint32_t fx_bytes;
    struct hd_recorder recorder;
    bool on;
    uint32_t refuse_in; /* one change in so many is refused; 0: none */
    struct hd_random random;
    void *held; /* where the region was */
};

/* One at a time: the calls of whatever router are wrapped. */
void tape_begin(struct tape *t, size_t bytes, size_t region_bytes, uint32_t fx_bytes);
/* No more is recorded; the ring stays. */
void tape_end(struct tape *t);
void tape_free(struct tape *t);
/* Takes the region away and keeps its addresses for the player: pointers in it must mean the same.
 */
void tape_hold(struct tape *t, void *region);

struct tape_result {
    uint64_t made, skipped, compared;
    struct hd_difference d; /* the first */
    uint64_t number;        /* of the call where it is */
    bool unfinished;        /* the last call has no outcome */
    int error;
    const char *why;
};

/* Plays an image of a ring to its end, or to the first difference. The region must be held. */
struct tape_result tape_play(const void *image, size_t bytes);
/* The same; then the router is shown. */
struct tape_result tape_play_and_look(const void *image, size_t bytes,
                                      void (*look)(struct hd_router *r));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The player: takes a router's region from a snapshot and makes the recorded calls again, through
 * the same cores, and says whether each does what it did then.
 *
 * The region must lie where it lay, so the caller maps it at head.region_address. A snapshot is a
 * router's memory, pointers included, and cannot be judged before it is used: who plays a recording
 * of somebody else does it where a wild pointer harms nobody (sim/replay.c gives up all but writing
 * first).
 */
#ifndef HD_REPLAY_PLAYER_H
#define HD_REPLAY_PLAYER_H

#include "replay/outcome.h"
#include "replay/reader.h"

struct hd_player {
    const struct hd_recording *recording;
    struct hd_recording_cursor cursor;
    uint8_t *region;
    struct hd_router *router;
    struct hd_effects fx;
    bool reload;      /* the next snapshot is needed: calls are missing before it */
    bool pending;     /* call was taken by hd_player_next and not made yet */
    uint64_t made;    /* calls made */
    uint64_t skipped; /* calls that the recorder could not keep */
    uint64_t running;
    struct hd_recorded_call call;
    struct hd_outcome outcome; /* of the call made last */
};

/* Where a call did something else than it did then. */
struct hd_difference {
    const char *field; /* NULL: nowhere */
    uint64_t recorded, replayed;
    int effect; /* its place in the list of effects, from 0; -1: it is not about one */
};

/*
 * region: head.region_bytes of zeroed memory at head.region_address; fx: head.fx_bytes, aligned to
 * 8. Both stay the caller's.
 */
void hd_player_init(struct hd_player *p, const struct hd_recording *r, void *region, void *fx);

/*
 * Takes the next call and stops right before it (p->call says which): 1, 0 at the end,
 * HD_EMALFORMED with *why.
 */
HD_MUST_USE int hd_player_next(struct hd_player *p, const char **why);

/*
 * Makes the call that was taken; p->outcome and p->fx tell what came of it until the next
 * hd_player_next. A call without a recorded outcome (the router died in it) is not compared.
 */
void hd_player_make(struct hd_player *p, struct hd_difference *d);

#endif

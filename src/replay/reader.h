/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the image of a ring (format.h). The image may be damaged, cut off or made up: every length
 * is checked before it is believed, and what is wrong is told in a sentence. What lies inside a
 * snapshot is not checked and cannot be: see player.h.
 */
#ifndef HD_REPLAY_READER_H
#define HD_REPLAY_READER_H

#include "model/virtual.h"
#include "replay/format.h"
#include "router/router.h"

#define HD_RECORDING_SAVED_MAX 16

struct hd_recording {
    const uint8_t *image;
    size_t size;
    struct hd_recording_head head;
    uint32_t segment_count; /* that hold something, oldest first */
    struct {
        const uint8_t *at;
        size_t used;
        uint64_t number;
    } segments[HD_RECORDING_SEGMENTS];
};

/*
 * Checks the head and orders the segments: 0, else HD_EMALFORMED with a static sentence in *why.
 * A recording of other cores is read; hd_recording_same_cores tells. The image must stay, aligned
 * to 8.
 */
HD_MUST_USE int hd_recording_open(struct hd_recording *r, const void *image, size_t size,
                                  const char **why);
bool hd_recording_same_cores(const struct hd_recording *r);

/* A record: a snapshot, an edit, or a call with what came of it. */
struct hd_recorded_call {
    uint16_t type; /* enum hd_record_type */
    uint64_t number;
    hd_time now;
    /* snapshot */
    struct hd_recorded_snapshot snapshot;
    const uint8_t *bitmap, *pages;
    /* edit */
    struct hd_recorded_edit edit;
    struct hd_virtual_value virtual_value;
    /* start, configure */
    struct hd_router_core start;
    struct hd_saved_value saved[HD_RECORDING_SAVED_MAX];
    uint8_t core;
    const void *config;
    uint32_t config_len;
    struct hd_config_delta delta; /* change */
    /* input, work */
    struct hd_input input;
    uint32_t units;
    /* what came of it; NULL: the ring ends in this call */
    const struct hd_recorded_outcome *outcome;
    const struct hd_recorded_effect *effects;  /* outcome->listed */
    const struct hd_recorded_refused *refused; /* NULL: nothing */
};

struct hd_recording_cursor {
    uint32_t segment;
    size_t at;
    uint64_t number; /* of the record before */
};

/*
 * Takes the record at the cursor (zero at the begin): 1, 0 at the end, HD_EMALFORMED with *why.
 * Pointers in the call lead into the image, those of start to the call itself.
 */
HD_MUST_USE int hd_recording_next(const struct hd_recording *r, struct hd_recording_cursor *cursor,
                                  struct hd_recorded_call *call, const char **why);

#endif

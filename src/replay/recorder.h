/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder: what a driver calls beside its router, so that the last minutes of the router can
 * be lived again (decision 0015). It writes into memory that the driver hands in (a ring, see
 * format.h) and does nothing else: no system call, no allocation, no clock.
 *
 * Before each call into the router the driver says which; after it, before it realises anything,
 * what came of it. A call that never returns is thus the last record of the ring.
 *
 * One writer; readers copy the ring at any time (linux/recording.h): a segment's number is zero
 * while the segment is begun, and `used` grows only over whole records.
 */
#ifndef HD_REPLAY_RECORDER_H
#define HD_REPLAY_RECORDER_H

#include "replay/outcome.h"

struct hd_recorder {
    uint8_t *ring; /* NULL: off */
    size_t segment_bytes;
    const void *region;
    struct hd_router *router;
    uint8_t *segment; /* that is written; NULL: none, the next call begins one */
    uint64_t *used;   /* its bytes, in the head */
    uint64_t number;  /* of the segment */
    uint64_t calls;
    uint64_t running;
    uint64_t retry_at; /* calls; not tried again before, after a snapshot that found no room */
    uint64_t snapshots, too_large;
    uint64_t snapshot_bytes; /* of the last one */
    hd_time now;             /* of the call that runs */
    struct hd_outcome outcome;
};

struct hd_recorder_start {
    void *ring;   /* zeroed, aligned to a page */
    size_t bytes; /* of it */
    const void *region;
    size_t region_bytes;
    struct hd_router *router;
    uint32_t fx_bytes;
    hd_time now;
    int64_t unix_ns; /* the wall clock at `now`; 0: not known */
};

/* 0, or HD_EINVAL when the ring is smaller or larger than the format allows. */
HD_MUST_USE int hd_recorder_init(struct hd_recorder *r, const struct hd_recorder_start *s);

static inline bool hd_recorder_on(const struct hd_recorder *r)
{
    return r->ring != NULL;
}

/* Right before the router's call of the same name. */
void hd_recorder_start_core(struct hd_recorder *r, const struct hd_router_core *c, hd_time now);
void hd_recorder_input(struct hd_recorder *r, const struct hd_input *in, hd_time now);
void hd_recorder_due(struct hd_recorder *r, hd_time now);
void hd_recorder_work(struct hd_recorder *r, uint32_t units, hd_time now);
void hd_recorder_configure(struct hd_recorder *r, uint8_t core, const void *config, uint32_t len,
                           hd_time now);
/* delta: its bytes. */
void hd_recorder_change(struct hd_recorder *r, uint8_t core, const void *delta, uint32_t len,
                        hd_time now);
void hd_recorder_stop(struct hd_recorder *r, hd_time now);
void hd_recorder_stop_core(struct hd_recorder *r, uint8_t core, hd_time now);

/* Right after the call. result: of start and configure, else 0. */
void hd_recorder_outcome(struct hd_recorder *r, int result, const struct hd_answer *answer,
                         const struct hd_effects *fx);

/*
 * Right before the driver changes the model by itself, outside of a call. value: what
 * HD_EDIT_VIRTUAL_DONE says.
 */
void hd_recorder_edit(struct hd_recorder *r, const struct hd_recorded_edit *e, const void *value,
                      uint32_t len);

/* After the changes were realised: those that the data plane refused. */
void hd_recorder_refused(struct hd_recorder *r, const struct hd_model_refused_list *list);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of a recording (decision 0015): the image of a ring that a driver writes beside its
 * router. One format for memory and file, so that whoever saves a ring copies bytes and parses
 * nothing.
 *
 *   head        HD_RECORDING_HEAD bytes: whose recording this is, and where its segments stand
 *   segments    HD_RECORDING_SEGMENTS of equal size, used in turn
 *
 * A segment is a list of records. The first is a snapshot of the router's region; then come the
 * calls, in their order, each followed by what came of it. So the oldest segment can be dropped at
 * any time, and every segment can be replayed alone.
 *
 * Structs are written as they lie in memory: a snapshot fits only the same cores of the same build
 * (hd_cores_id) anyhow. Pointers inside a snapshot are right when the region lies where it lay;
 * pointers inside records are zero.
 */
#ifndef HD_REPLAY_FORMAT_H
#define HD_REPLAY_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "model/core.h"

#define HD_RECORDING_MAGIC    "HEDDLERC"
#define HD_RECORDING_VERSION  2
#define HD_RECORDING_HEAD     4096u
#define HD_RECORDING_SEGMENTS 4u
#define HD_RECORDING_PAGE     4096u

/* Sizes of a ring: a segment holds at least a small snapshot and the longest call. */
#define HD_RECORDING_MIB           ((size_t)1 << 20)
#define HD_RECORDING_BYTES_MIN     HD_RECORDING_MIB
#define HD_RECORDING_BYTES_MAX     (1024 * HD_RECORDING_MIB)
#define HD_RECORDING_BYTES_DEFAULT HD_RECORDING_MIB

/* Identity of the cores' object files, and of everything below them: see cores_id.py. */
#define HD_CORES_ID_BYTES 32
extern const uint8_t hd_cores_id[HD_CORES_ID_BYTES];

struct hd_recording_segment {
    uint64_t number; /* 1, 2, ... in the order of writing; 0: holds nothing, or is being written */
    uint64_t used;   /* bytes of whole records */
};

struct hd_recording_head {
    uint8_t magic[8];
    uint32_t version;
    uint32_t segment_count;
    uint64_t segment_bytes;
    uint8_t cores_id[HD_CORES_ID_BYTES];
    uint64_t region_address; /* where the router's region lay */
    uint64_t region_bytes;
    uint64_t router_offset; /* struct hd_router in it */
    uint64_t fx_bytes;      /* of the effects buffer: cores ask for room in it */
    int64_t began;          /* monotonic clock of the first snapshot */
    int64_t began_unix;     /* the wall clock then, ns; 0: not known */
    struct hd_recording_segment segments[HD_RECORDING_SEGMENTS];
};

enum hd_record_type {
    HD_RECORD_SNAPSHOT = 1, /* hd_recorded_snapshot, then a bit per page, then pages that count */
    /* calls */
    HD_RECORD_START,     /* hd_recorded_start, config, then saved values */
    HD_RECORD_INPUT,     /* hd_recorded_input, the member of its union, bytes */
    HD_RECORD_DUE,       /* nothing */
    HD_RECORD_WORK,      /* hd_recorded_work */
    HD_RECORD_CONFIGURE, /* hd_recorded_configure, bytes */
    HD_RECORD_STOP,      /* nothing */
    HD_RECORD_STOP_CORE, /* hd_recorded_configure without bytes */
    /* what came of the call before */
    HD_RECORD_OUTCOME, /* hd_recorded_outcome, then hd_recorded_effect */
    HD_RECORD_REFUSED, /* hd_recorded_refused: what the data plane refused afterwards */
    /* between calls */
    HD_RECORD_EDIT, /* hd_recorded_edit, for some a value: the driver changed the model */
    /* a call, too */
    HD_RECORD_CHANGE, /* hd_recorded_configure, the bytes of a delta (model/config_delta.h) */
    HD_RECORD_TYPE_END,
};

/* Before every record. Records are padded with zeros to multiples of 8. */
struct hd_record {
    uint32_t size; /* of all, this struct included */
    uint16_t type;
    uint16_t reserved;
    uint64_t number; /* of the call, from 1 on; in a snapshot: calls made before */
    int64_t now;
};

struct hd_recorded_snapshot {
    uint64_t used; /* bytes of the region that were ever handed out; all after them is zero */
    uint64_t pages;
    uint64_t digest;  /* of bitmap and pages */
    uint64_t running; /* digest of all outcomes before */
};

struct hd_recorded_start {
    uint32_t core, key, resumed, config_len, saved_count, reserved;
};

struct hd_recorded_value {
    uint32_t key, len;
};

struct hd_recorded_input {
    uint32_t type, core;
    int64_t arrived;
    uint32_t fixed_len; /* of the union's member, as checked by hd_recording_input_size */
    uint32_t bytes_len;
};

struct hd_recorded_work {
    uint64_t units;
};

struct hd_recorded_configure {
    uint32_t core, len;
};

/* An effect without its payload. Addresses of static texts are replaced by digests of the texts. */
struct hd_recorded_effect {
    uint16_t type, core;
    uint32_t payload_len;
    uint64_t payload; /* digest */
    union {
        struct hd_fx_port port;
        struct hd_fx_send send;
        struct hd_fx_save save;
        struct hd_fx_event event;
        struct hd_fx_reply reply;
        struct hd_fx_sample sample;
        struct hd_fx_trace trace;
        struct {
            uint64_t level, nargs, cause; /* digest */
        } log;
        uint8_t raw[sizeof(((struct hd_effect *)0)->u)]; /* of types that are not named here */
    } u;
};

#define HD_RECORDED_EFFECTS_MAX 128 /* listed singly; the digest covers all */

struct hd_recorded_outcome {
    int64_t deadline;
    uint32_t pending;
    int32_t result; /* of start and configure */
    uint32_t effects, lost, listed;
    uint32_t generation, queued, reserved; /* of the model */
    uint64_t changes;                      /* digest of the changes that wait in the model */
    uint64_t effects_digest;
    uint64_t running; /* digest of all outcomes up to here */
};

#define HD_RECORDED_REFUSED_MAX 64

struct hd_recorded_refused {
    uint32_t count, lost; /* lost: more than these were refused, and a new segment follows */
    struct hd_model_refused v[HD_RECORDED_REFUSED_MAX];
};

/* What drivers do to the model outside of calls; each is a function of liveness.h or virtual.h. */
enum hd_recorded_edit_op {
    HD_EDIT_PERIODIC_PULL = 1,
    HD_EDIT_PERIODIC_DONE,  /* index, a: error */
    HD_EDIT_PERIODIC_COUNT, /* index, a: sent, b: failed */
    HD_EDIT_PERIODICS_LOST,
    HD_EDIT_WATCH_SEEN, /* index, a: when */
    HD_EDIT_VIRTUAL_PULL,
    HD_EDIT_VIRTUAL_DONE, /* index, a: error, then struct hd_virtual_value */
    HD_EDIT_VIRTUALS_REPEAT,
    HD_EDIT_VIRTUAL_SWEEP,  /* index: owner */
    HD_EDIT_PERIODIC_SWEEP, /* all go */
};

struct hd_recorded_edit {
    uint32_t op, index;
    int64_t a, b;
};

/* Bytes of the union's member that an input of the type uses; 0: there is no such type. */
uint32_t hd_recording_input_size(uint32_t type);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace: what happened in a run, one small record each, in a file of bounded size.
 *
 * The file is a ring of records of 24 bytes between a header and a tail, numbers little-endian.
 * When it is full the oldest records are overwritten, since the end of a run is what people look
 * for. The tail, written when the run is over, names nodes, links and causes of log lines; a run
 * that was killed leaves a file without one, which still prints, by numbers.
 *
 *     header  64 bytes: "HDTRACE1", records in the ring (u64), of them written ever (u64),
 *             offset of the tail (u64, 0: none), the rest zero
 *     record  at (u64, ns), node (u32), other (u32), value (u32), len (u16), kind (u8), type (u8)
 *     tail    nodes (u32) and their names, links (u32) and their two nodes (u32 each),
 *             causes (u32) and their texts; each text is its length (u8) and bytes
 *
 * `kind` is enum hd_sim_sight_kind, whose comments say what `other` and `value` are; for a log line
 * `other` is the number of its cause. `type` is the type of a message, `len` its bytes.
 */
#ifndef HD_SIM_TRACE_H
#define HD_SIM_TRACE_H

#include "sim/sim.h"

#define HD_SIM_TRACE_MAGIC  0x3145434152544448ULL /* "HDTRACE1", as a u64 */
#define HD_SIM_TRACE_HEADER 64u
#define HD_SIM_TRACE_RECORD 24u

struct hd_sim_trace;

/*
 * Opens the file and sets the hook in `o`, for a simulation made with it. max_bytes: of the ring.
 * The scenario must outlive it. 0, or HD_ESYS with a sentence in err.
 */
HD_MUST_USE int hd_sim_trace_create(struct hd_sim_trace **t, const char *path,
                                    const struct hd_scenario *sc, uint64_t max_bytes,
                                    struct hd_sim_options *o, char *err, size_t errlen);
/* Writes the tail and frees it; NULL is allowed. 0, or HD_ESYS with a sentence in err. */
HD_MUST_USE int hd_sim_trace_close(struct hd_sim_trace *t, char *err, size_t errlen);

/* Name of a kind, as printed and as a filter takes it; never NULL. */
const char *hd_sim_sight_name(unsigned kind);

#endif

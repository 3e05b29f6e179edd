/* SPDX-License-Identifier: Apache-2.0 */
/* What workers write for each other, shared by windows.c (threads) and ranks.c (processes). */
#ifndef HD_SIM_WINDOWS_H
#define HD_SIM_WINDOWS_H

#include <pthread.h>
#include <stdatomic.h>

#include "sim/engine.h"

struct box {
    uint8_t *bytes; /* an event, then its payload, and so on; each a multiple of 8 */
    size_t len, cap;
    hd_time first; /* earliest event in it */
};

/*
 * Of one worker; what it writes for others, by the parity of the window. The seat of a worker of
 * another process is filled with what came from there.
 */
struct seat {
    _Alignas(64) struct box box[2][HD_SIM_OWNERS_MAX];
    hd_time next[2]; /* its earliest event, those in its boxes included */
    bool failed[2];
    pthread_t thread;
    struct hd_sim *s;
    uint32_t index;
};

struct crew {
    struct seat seat[HD_SIM_OWNERS_MAX];
    /* barrier of the threads of this process */
    _Alignas(64) _Atomic uint32_t arrived;
    _Alignas(64) _Atomic uint32_t phase;
    uint32_t spins;
    /* what to do */
    hd_time until;
    bool stop_at_failure, ended;
    bool parallel; /* helpers run; boxes are in use */
};

/* Processes hand over what their workers wrote in this window; by one thread of each. */
void ranks_swap(struct hd_sim *s, uint32_t parity);

#endif

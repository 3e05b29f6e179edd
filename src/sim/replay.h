/* SPDX-License-Identifier: Apache-2.0 */
/* heddle-sim replay: what a daemon recorded, made again by the same cores (decision 0015). */
#ifndef HD_SIM_REPLAY_H
#define HD_SIM_REPLAY_H

#include <stdio.h>

#include "replay/player.h"

/* The words after `heddle-sim`; words[0] is "replay". Returns the exit status. */
int hd_sim_replay_main(int argc, char **argv);

/* A call in one line, without its end: "datagram of 96 bytes from fe80::1, interface 3". */
void hd_sim_replay_describe(const struct hd_recorded_call *c, char *text, size_t size);
/* What came of it, a line per effect. */
void hd_sim_replay_print_effects(const struct hd_player *p, FILE *to);
const char *hd_sim_replay_effect_name(unsigned type);

/*
 * From here on this process may write, end and handle signals, and nothing else: a recording of
 * somebody else is memory full of pointers.
 */
void hd_sim_replay_lock(void);

#endif

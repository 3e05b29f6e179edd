/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bench for the control socket: the real manage role between a keeper played by the test and a
 * router played by a process of ours with known rows and a few bad habits.
 *
 *   contacts   1000 rows, so that pages are needed; adjacencies: none
 *   forwarding rows of a wrong size; labels: more bytes than rows; vicinity: no answer at all
 *   sample     does not run
 *   ping, path nodes ee...: unknown, dd...: ambiguous, cc...: silent; else they answer
 *   ping 0bad  answers with more rows than bytes
 *   path ff... sends 20,000 events instead of an answer
 *   cancel     is told as an event of the sample core with node = 4711
 */
#ifndef HD_TESTS_UNIT_CLI_BENCH_H
#define HD_TESTS_UNIT_CLI_BENCH_H

#include <stdint.h>
#include <sys/types.h>

#define BENCH_CONTACTS 1000

struct bench {
    char dir[64], path[96]; /* state folder; control socket in it */
    int keeper;             /* our end of the keeper's channel */
    pid_t manage, router;
};

void bench_start(struct bench *b);
void bench_stop(struct bench *b);
/* Kills the router, or starts one and hands its channel over. */
void bench_router_kill(struct bench *b);
void bench_router_start(struct bench *b);
/* The next control record at the keeper within a second: its action, 0 for none. */
uint32_t bench_control(struct bench *b);

#endif

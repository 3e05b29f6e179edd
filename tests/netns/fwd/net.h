/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chain of network namespaces and what runs in them. Nothing has a name: a namespace lives as
 * long as the processes in it, so that even a test that crashes leaves nothing behind.
 */
#ifndef TEST_FWD_NET_H
#define TEST_FWD_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "linux/forwarding.h"

#define CHAIN      5
#define LEFT_NAME  "hdl" /* towards the node before, */
#define RIGHT_NAME "hdr" /* and the one behind */

/* fc00:: with 0x0a + node in the last byte. */
struct hd_id node_id(unsigned node);
struct hd_ip6 node_address(unsigned node);
/* Printable address of a node; static buffers, good for four calls. */
const char *node_text(unsigned node);
struct hd_ip6 link_local_of(const struct hd_mac *mac);

/* Runs a shell command, printf style, in the namespace of a process (0: here): its exit status. */
int shell(pid_t where, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same; the output goes to out. */
int shell_output(pid_t where, char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Moves the calling process into the network namespace of another. */
void enter(pid_t where);
/* Starts fn(arg) in a process in the namespace of another: its pid; its result is the exit code. */
pid_t start_in(pid_t where, int (*fn)(void *arg), void *arg);
int wait_for(pid_t pid);

/* Joins two namespaces by a veth pair: RIGHT_NAME in a, LEFT_NAME in b. */
void join(pid_t a, pid_t b);
struct hd_mac mac_of(pid_t where, const char *name);
uint32_t ifindex_of(pid_t where, const char *name);

void sleep_ms(unsigned ms);
uint64_t now_ns(void);

#endif

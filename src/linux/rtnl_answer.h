/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to one request of rtnetlink, to its end. What is left unread would be taken for the
 * answer to the next request, and a dump during which something changed (NLM_F_DUMP_INTR) may lack
 * what was there all the time: both happen on any busy machine, and neither may be an error for
 * good.
 */
#ifndef HD_LINUX_RTNL_ANSWER_H
#define HD_LINUX_RTNL_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct mnl_socket;
struct nlmsghdr;

/* So often a torn dump is asked for again. Nobody changes links without a pause. */
#define HD_RTNL_TRIES 8

/*
 * Hands each message of the answer to `each` (or none). 0; HD_EAGAIN: the answer was torn or lost,
 * or may go on: whoever asks again does it on another socket, and hears some things twice; HD_ESYS:
 * refused, with the kernel's reason in errno. Messages with another sequence number are what
 * nobody waited for, and are passed over.
 */
HD_MUST_USE int hd_rtnl_answer(struct mnl_socket *s, uint32_t sequence, void *buffer, size_t size,
                               int (*each)(const struct nlmsghdr *h, void *user), void *user);

#endif

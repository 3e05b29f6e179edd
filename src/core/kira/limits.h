/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every limit and constant of the KIRA core on one screen. Whatever a neighbour can make grow has its
 * bound here; timers are those of kira.md 6 unless doc/decisions names the reason.
 */
#ifndef HD_CORE_KIRA_LIMITS_H
#define HD_CORE_KIRA_LIMITS_H

#include "lib/time.h"

/* sizes */
#define HD_KIRA_PATH_MAX      255 /* nodes in a path without self; entries may carry as many */
#define HD_KIRA_ROUTE_MAX     1024 /* nodes in a source route */
#define HD_KIRA_MSG_TARGET    1232 /* bytes a responder aims at (kira.md 3.1) */
#define HD_KIRA_MSG_MAX       16384 /* bytes of any message we build */
#define HD_KIRA_NODES_MAX     65536 /* identifiers known at once */

#endif

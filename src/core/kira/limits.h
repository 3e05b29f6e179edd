/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every limit and constant of the KIRA core on one screen. Whatever a neighbour can make grow has
 * its bound here. Timers are those of kira.md 6 unless a record in doc/decisions names the reason.
 */
#ifndef HD_CORE_KIRA_LIMITS_H
#define HD_CORE_KIRA_LIMITS_H

#include "lib/time.h"

/* messages */
#define HD_KIRA_PATH_MAX     255   /* nodes in a path without self; entries may carry as many */
#define HD_KIRA_ROUTE_MAX    1024  /* nodes in a source route */
#define HD_KIRA_MSG_TARGET   1232  /* bytes a responder aims at (kira.md 3.1) */
#define HD_KIRA_MSG_MAX      16384 /* bytes of any message we build */
#define HD_KIRA_NOT_VIA_SENT 8     /* failed links named in one request */
#define HD_KIRA_CLOSEST_MAX  255   /* nodes that an answer names: a request has a byte for that */

/* tables */
#define HD_KIRA_INTERFACES_MAX       1024
#define HD_KIRA_ULNS_MAX             2048
#define HD_KIRA_LINKS_PER_ULN        8
#define HD_KIRA_VICINITY_MAX         8192 /* nodes at one or two hops */
#define HD_KIRA_LIST_MAX             640  /* neighbours of one node that are kept */
#define HD_KIRA_HUB_DEGREE           64   /* two-hop labels over a neighbour, at most (0017) */
#define HD_KIRA_RING_MAX             1024 /* nodes at two hops, divided among the neighbours */
#define HD_KIRA_RING_SHARE_MIN       4    /* what each neighbour gets of them anyway */
#define HD_KIRA_CONTACTS_MAX         4096 /* in buckets and on demand together */
#define HD_KIRA_ON_DEMAND_MAX        1024
#define HD_KIRA_TRIE_MAX             60000 /* nodes of the path tree */
#define HD_KIRA_FAILED_MAX           128   /* failed links remembered */
#define HD_KIRA_REQUESTS_MAX         1024
#define HD_KIRA_COMMAND_REQUESTS_MAX 512 /* of them for people's commands */
#define HD_KIRA_SEARCHES_MAX         256
#define HD_KIRA_COMMANDS_MAX         32
#define HD_KIRA_LABELS_PER_ULN_SHARE 4 /* one neighbour may fill 1/4 of the label table */
#define HD_KIRA_TWO_HOP_LABELS       8192
#define HD_KIRA_EXPLICIT_LABELS      49152 /* set up by others, all together */

/* buckets (kira.md 4.3) */
#define HD_KIRA_BUCKET_SIZE 20
#define HD_KIRA_NO_SETUP_LEN                                                                       \
    3 /* longest path, without self, whose labels may exist by precomputation */

/* hellos and discovery (5.2) */
#define HD_KIRA_HELLO_FIRST HD_MS(200)
#define HD_KIRA_HELLO_LAST  HD_SEC(30)
#define HD_KIRA_HELLO_GAP                                                                          \
    HD_MS(10) /* changes of the own sequence number are gathered this long                         \
               */
#define HD_KIRA_ASKER_FALLBACK HD_MS(300)
#define HD_KIRA_DISC_TIMEOUT   HD_MS(250)
#define HD_KIRA_DISC_RETRIES   3
#define HD_KIRA_QUERY_DELAY    HD_MS(8)
#define HD_KIRA_QUERY_GAP                                                                          \
    HD_MS(200) /* between two queries of one node, doubling while it changes */
#define HD_KIRA_QUERY_GAP_LAST HD_SEC(3)
#define HD_KIRA_QUERY_QUIET    HD_SEC(30) /* without a question: the pauses begin small again */
#define HD_KIRA_QUERY_TIMEOUT  HD_MS(500)
#define HD_KIRA_QUERY_PARALLEL 10

/* liveness (5.7, doc/decisions/0003) */
#define HD_KIRA_ECHO_INTERVAL HD_MS(300) /* silence after which a watched link is asked */
#define HD_KIRA_ECHO_BEAT     HD_MS(75)  /* a divisor of the interval */
#define HD_KIRA_ECHO_LINKS                                                                         \
    64 /* links asked at the full rate; with more, all are asked less often */
#define HD_KIRA_ECHO_WAIT_FIRST HD_MS(150)
#define HD_KIRA_ECHO_WAIT_NEXT  HD_MS(100)
#define HD_KIRA_ECHO_SLOW       HD_MS(300) /* both waits towards a node that answers in user space */
#define HD_KIRA_ECHO_MISSES     3
#define HD_KIRA_IDLE_INTERVAL   HD_SEC(10)
#define HD_KIRA_CHECK_INTERVAL  HD_SEC(3) /* towards other implementations */
#define HD_KIRA_CHECK_WAIT      HD_SEC(1)
#define HD_KIRA_DOWN_MEMORY                                                                        \
    HD_SEC(60) /* a lost neighbour's labels answer "dead link" this long                           \
                */

/* lookups (5.4) */
#define HD_KIRA_JOIN_FIRST      HD_MS(40)
#define HD_KIRA_JOIN_AFTER_LOSS HD_MS(640)
#define HD_KIRA_JOIN_LAST       HD_SEC(128)
#define HD_KIRA_JOIN_VIA        3
#define HD_KIRA_EXPLORE_FIRST   HD_MS(400)
#define HD_KIRA_EXPLORE_LAST    HD_SEC(30)
#define HD_KIRA_EXPLORE_REST    HD_MS(1600) /* from this interval on answers are small (0027) */
#define HD_KIRA_EXPLORE_WINDOW  8
#define HD_KIRA_JOIN_REST       HD_SEC(10) /* the same for the join */
#define HD_KIRA_FIND_TIMEOUT    HD_SEC(2)

/* probes and explicit paths (5.5, 5.6) */
#define HD_KIRA_PROBE_DELAY     HD_MS(250) /* a contact named by others, before it is asked itself */
#define HD_KIRA_PROBE_SOON      HD_MS(20)  /* the same where the answer is waited for */
#define HD_KIRA_PROBE_TIMEOUT   HD_SEC(1)
#define HD_KIRA_REPAIR_TIMEOUT  HD_MS(150) /* of a probe that sets up a replacement path */
#define HD_KIRA_PROBE_TRIES     3
#define HD_KIRA_LABEL_LIFE      HD_SEC(60)
#define HD_KIRA_LABEL_REFRESH   HD_SEC(28)
#define HD_KIRA_LABEL_TRUST     HD_SEC(55) /* own labels in other nodes, by whole seconds */
#define HD_KIRA_AGE_PROBE       HD_SEC(300)
#define HD_KIRA_THIRD_PARTY_AGE HD_SEC(400) /* older knowledge is not taken from others */
#define HD_KIRA_USE_MEMORY      HD_SEC(30) /* a contact counts as used after its last traffic report */
#define HD_KIRA_ON_DEMAND_IDLE  HD_SEC(60)
#define HD_KIRA_TICK            HD_SEC(1)

/* failures and rediscovery (5.7, 5.8) */
#define HD_KIRA_FAILED_MEMORY    HD_SEC(60)
#define HD_KIRA_SEARCH_SOON      HD_MS(20) /* upper end of U[0, 20] ms */
#define HD_KIRA_SEARCH_ULN       HD_MS(100)
#define HD_KIRA_SEARCH_CLOSE     HD_MS(500)
#define HD_KIRA_SEARCH_FIRST     HD_SEC(1)
#define HD_KIRA_SEARCH_OTHER     HD_SEC(2)
#define HD_KIRA_SEARCH_TIMEOUT   HD_MS(250)
#define HD_KIRA_SEARCH_PARALLEL  2
#define HD_KIRA_SEARCH_VIA       20
#define HD_KIRA_SEARCH_DEAD_ENDS 3 /* end a round */
#define HD_KIRA_SEARCH_ROUNDS    5
#define HD_KIRA_NOTICE_GAP       HD_MS(10) /* notices to one source */
#define HD_KIRA_UPDATE_GAP       HD_SEC(1)
#define HD_KIRA_UPDATE_PENDING   16

/*
 * A worn-out sequence number (0021): longer than HD_KIRA_DOWN_MEMORY, for which neighbours remember
 * one that left, by a tick and by the time in which all goodbyes but the last may get lost.
 */
#define HD_KIRA_REST          HD_SEC(90)
#define HD_KIRA_REST_GOODBYES HD_SEC(10)

/* guards (doc/decisions/0026) */
#define HD_KIRA_GUARDS_MAX        12288
#define HD_KIRA_GUARD_SETUPS      256        /* ways that others keep labels for */
#define HD_KIRA_GUARD_USE         HD_SEC(90) /* from when packets were seen */
#define HD_KIRA_GUARD_DELAY       HD_MS(500) /* changes are gathered this long */
#define HD_KIRA_GUARD_ASK         3          /* questions for one way at once */
#define HD_KIRA_GUARD_PAUSE_S     5          /* after a way was asked for, or failed; doubling, */
#define HD_KIRA_GUARD_PAUSES      6          /* this often */
#define HD_KIRA_GUARD_PROBE_EVERY 4          /* refreshes, one of which is a probe */
#define HD_KIRA_GUARDS_REMOVED    64         /* per second */
#define HD_KIRA_RATE_GUARD        20, 40     /* probes and questions */

/* the saved list of neighbours: once per second when they change all the time */
#define HD_KIRA_RATE_SAVE 1, 16

/* sweeping after a restart */
#define HD_KIRA_ADOPT_SWEEP  HD_SEC(10)
#define HD_KIRA_ADOPT_LABELS HD_SEC(90)

/*
 * Messages accepted from one neighbour: per second and burst, by class (enum kira_class). What a
 * message takes to handle grows with its length, so a long one counts as several.
 */
#define HD_KIRA_RATE_BYTES     1500
#define HD_KIRA_RATE_DISCOVERY 100, 200
#define HD_KIRA_RATE_LOOKUP    1000, 2000
#define HD_KIRA_RATE_PROBE     2000, 4000
#define HD_KIRA_RATE_UPDATE    200, 400
#define HD_KIRA_RATE_ERROR     500, 1000
#define HD_KIRA_RATE_ECHO      100, 200
#define HD_KIRA_RATE_NOTICE    500, 1000 /* notices sent, to all */
#define HD_KIRA_RATE_DOUBT     200, 500  /* probes that notices of others make us send */
#define HD_KIRA_RATE_NOT_VIA   20, 128   /* failed links believed from lists of others, in all */
#define HD_KIRA_RATE_STRANGER  100, 200  /* all nodes on an interface that are no neighbours yet */

#endif

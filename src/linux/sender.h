/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sender: a thread that sends the periodic objects of the model (model/liveness.h) by itself.
 *
 * It lives in a process that does not die with the router (heddled's keeper, design.md section 5),
 * and shares one piece of memory with it: a table with a slot for each periodic, written by the
 * driver in the router process alone, and read by the thread alone. So what a router said last is
 * said on while it is replaced, and its successor finds it there. Nobody who sends needs the
 * router's leave, and the router needs no socket that could send anything else: the thread takes
 * from the table only what may be sent at all (hd_sender_allows).
 *
 * The memory is as untrusted as the router process. The thread copies a slot before it looks at it,
 * every number in it is checked, and whatever stands there it sends at most one packet per slot and
 * HD_SENDER_INTERVAL_MIN, and HD_SENDER_ONCE_PER_MS of the queue of single packets; the rest of
 * that waits. Nor can the bell keep it awake: HD_SENDER_ROUNDS_PER_MS rounds, then it sleeps for
 * the rest of the millisecond.
 */
#ifndef HD_LINUX_SENDER_H
#define HD_LINUX_SENDER_H

#include <stdatomic.h>

#include "model/liveness.h"

#define HD_SENDER_SLOTS         (HD_PERIODICS_MAX + 1)
#define HD_SENDER_WORDS         ((HD_SENDER_SLOTS + 63) / 64)
#define HD_SENDER_ONCE          1024 /* packets of HD_FX_SEND_ONCE that wait for the thread */
#define HD_SENDER_ONCE_PER_MS   8    /* on the average; a whole queue may leave at once */
#define HD_SENDER_ROUNDS_PER_MS 64
#define HD_SENDER_KEYS          64
#define HD_SENDER_SECRET        20
#define HD_SENDER_INTERVAL_MIN  HD_MS(1)
#define HD_SENDER_PRIORITY      50 /* SCHED_FIFO */

struct hd_sender_slot {
    _Atomic uint32_t version; /* odd while it is being written */
    uint32_t used;
    struct hd_periodic_value v;
    /* The thread's: */
    _Atomic uint32_t sequence; /* of authentication; goes on through every restart */
    _Atomic uint64_t sent, failed;
};

struct hd_sender_once {
    uint32_t slot;
    uint32_t len;
    uint8_t bytes[HD_PERIODIC_BYTES];
};

struct hd_sender_key {
    uint32_t handle; /* 0: free */
    uint32_t len;
    uint8_t secret[HD_SENDER_SECRET];
};

/* "hdsend", version: another one when what follows means something else. */
#define HD_SENDER_LAYOUT 0x686473656e640001ull

struct hd_sender_table {
    uint64_t layout;
    _Atomic uint32_t bell;    /* a futex: something below has changed */
    _Atomic int64_t alive_at; /* the router's last sign of life: leases run from it */
    _Atomic uint64_t changed[HD_SENDER_WORDS]; /* slots that the thread has to look at */
    _Atomic uint32_t once_head, once_tail;
    struct hd_sender_once once[HD_SENDER_ONCE];
    struct hd_sender_key keys[HD_SENDER_KEYS];
    /* The thread's: */
    _Atomic uint64_t late_ns_max; /* largest delay of a departure */
    _Atomic uint64_t refused;     /* slots that asked for what is not allowed */
    _Atomic uint32_t realtime;
    struct hd_sender_slot slots[HD_SENDER_SLOTS];
};

/* A new table: a descriptor of its memory, or HD_ESYS. */
HD_MUST_USE int hd_sender_table_make(void);
/* NULL when that is no table, or one of a build with another layout. */
struct hd_sender_table *hd_sender_table_map(int fd);
void hd_sender_table_unmap(struct hd_sender_table *t);

/* --- the router's side ------------------------------------------------------------------------ */

void hd_sender_set(struct hd_sender_table *t, uint32_t index, const struct hd_periodic_value *v);
void hd_sender_del(struct hd_sender_table *t, uint32_t index);
/* HD_EAGAIN: too many wait. */
HD_MUST_USE int hd_sender_once(struct hd_sender_table *t, uint32_t index, const void *bytes,
                               uint32_t len);
/* A secret of at most HD_SENDER_SECRET bytes; len 0 removes it: 0, HD_EINVAL or HD_ELIMIT. */
HD_MUST_USE int hd_sender_key_set(struct hd_sender_table *t, uint32_t handle, const void *secret,
                                  uint32_t len);
const struct hd_sender_key *hd_sender_key_find(const struct hd_sender_table *t, uint32_t handle);
/* Renews every lease. */
void hd_sender_alive(struct hd_sender_table *t, hd_time now);
/* What a predecessor left in a slot: false when it is empty or was half written. */
bool hd_sender_read(const struct hd_sender_table *t, uint32_t index, struct hd_periodic_value *v);

/* --- the thread's side ------------------------------------------------------------------------ */

/* What may be sent at all: BFD, from the ports of its sessions, no faster than anybody needs. */
bool hd_sender_allows(const struct hd_periodic_value *v);

/* Opens the two sockets, IPv4 and IPv6, which only send: 0 or HD_ESYS. Needs CAP_NET_RAW. */
HD_MUST_USE int hd_sender_sockets(int fds[2]);

struct hd_sender;

/* Starts the thread, which uses the table and the sockets until hd_sender_stop: 0, HD_ENOMEM,
 * HD_ESYS. */
HD_MUST_USE int hd_sender_start(struct hd_sender **s, struct hd_sender_table *t, const int fds[2]);
void hd_sender_stop(struct hd_sender *s);

#endif

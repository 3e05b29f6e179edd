/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: heddled itself (design.md, section 5). It starts the other roles, starts them again
 * when they die, and holds duplicates of what must outlive them: data plane descriptors and
 * sockets, under names. It parses nothing that comes from a network and is small enough to be read
 * in one sitting.
 *
 *   keeper.c            the loop: signals, records, ends
 *   keeper_children.c   starting roles and joining them by channels
 *   keeper_deposits.c   descriptors under names, also through a re-execution
 *   keeper_recording.c  what the router recorded, saved when it dies
 *   keeper_recall.c     what the router remembers
 *   keeper_sender.c     the thread that sends what has to be said while the router is replaced
 *   keeper_start.c      locks, folders, going into the background, telling who started us
 */
#ifndef HD_DAEMON_KEEPER_H
#define HD_DAEMON_KEEPER_H

#include <signal.h>
#include <sys/types.h>

#include "daemon/channel.h"
#include "daemon/driver_rows.h"
#include "daemon/options.h"
#include "linux/log.h"

#define HD_KEEPER_DEPOSITS_MAX 176        /* sockets of all ports, and a few more */
#define HD_KEEPER_BACKOFF      HD_MS(100) /* before the second start in a row; doubles */
#define HD_KEEPER_BACKOFF_MAX  HD_SEC(5)
#define HD_KEEPER_STEADY       HD_SEC(10) /* who lived this long is started at once again */
#define HD_KEEPER_STOP         HD_SEC(3)  /* for an orderly exit; then SIGKILL */
#define HD_KEEPER_RECORDINGS   4          /* of routers that died are kept */

struct hd_deposit {
    char name[HD_CHANNEL_NAME];
    unsigned nfds; /* 0: free */
    int fds[HD_CHANNEL_FDS_MAX];
};

struct hd_child {
    pid_t pid; /* 0: not running */
    int channel;
    hd_time started, retry_at, backoff;
    uint32_t starts;
    uint32_t last_end; /* as in struct hd_row_process */
    bool ready;
    bool hung; /* we killed it: it did not take our records */
};

enum hd_keeper_phase {
    HD_KEEPER_RUN = 0,
    HD_KEEPER_STOPPING,
};

struct hd_keeper {
    struct hd_options options;
    struct hd_log log;
    char **argv;
    int argc;
    char program[HD_PATH_BYTES]; /* path of the executable, for a re-execution after an upgrade */
    sigset_t old_signals;
    struct hd_child child[HD_ROLE_COUNT]; /* that of HD_ROLE_KEEPER is ourselves */
    struct hd_deposit deposits[HD_KEEPER_DEPOSITS_MAX];
    enum hd_keeper_phase phase;
    bool keep;             /* stopping for a re-execution: forwarding goes on */
    enum hd_role stopping; /* who is asked to stop now */
    hd_time stop_by;
    int exit_status;
    int signals, lock, namespace_lock, listen, state; /* descriptors */
    int sender; /* memory of the thread that sends; -1: there is none */
    struct hd_sender *sender_thread;
    int recording; /* memory of the router's recording; -1: none */
    pid_t saver;   /* writes the recording of a router that died; 0: nobody does */
    int starter;   /* pipe to who waits for our start; -1: nobody does */
    void *buffer;  /* HD_CHANNEL_MAX */
};

/* Runs until the exit: its status. */
int hd_keeper_main(const struct hd_options *o, int argc, char **argv);

/* --- between the files ---------------------------------------------------------------------------
 */

int hd_keeper_spawn(struct hd_keeper *k, enum hd_role role);
/* Closes the channel and notes the end. */
void hd_keeper_bury(struct hd_keeper *k, enum hd_role role, int status);
/* Sends a record; a child that cannot take it is killed: it hangs. */
void hd_keeper_send(struct hd_keeper *k, enum hd_role role, enum hd_message_type type,
                    const void *body, const void *tail, size_t tail_len);
void hd_keeper_tell_processes(struct hd_keeper *k);

void hd_deposits_take(struct hd_keeper *k, struct hd_message *m);
void hd_deposits_give(struct hd_keeper *k, int channel);
void hd_deposits_forget_all(struct hd_keeper *k);
/* Puts all that must survive into the environment and clears close-on-exec; and reads it back. */
HD_MUST_USE int hd_deposits_export(struct hd_keeper *k);
bool hd_deposits_import(struct hd_keeper *k);
/* NULL when nothing lies under this name. */
const struct hd_deposit *hd_deposits_find(const struct hd_keeper *k, const char *name);

/* The thread that sends for the router (keeper_sender.c): begins it, or says why there is none. */
void hd_keeper_sender_begin(struct hd_keeper *k);
/* Gives its memory to a router that was just started. */
void hd_keeper_sender_give(struct hd_keeper *k);
void hd_keeper_sender_end(struct hd_keeper *k);

/* Gives a router that was just started the memory of the configuration in force. */
void hd_keeper_recall_give(struct hd_keeper *k);

/* New memory for the recording of a router that is about to be started. */
void hd_keeper_recording_make(struct hd_keeper *k);
/* The router has ended: saves its recording if it did not end on purpose. */
void hd_keeper_recording_died(struct hd_keeper *k);
void hd_keeper_recording_reap(struct hd_keeper *k);

/* Folders, locks, the control socket: 0, or an hd_error after the reason was told. */
HD_MUST_USE int hd_keeper_prepare(struct hd_keeper *k);
/* Removes the control socket and the pins' folder. */
void hd_keeper_clean(struct hd_keeper *k);
/* Into the background; the caller returns only in the child. */
HD_MUST_USE int hd_keeper_daemonise(struct hd_keeper *k);
/* To the starter and to systemd: we run (sentence NULL), or why not. */
void hd_keeper_report(struct hd_keeper *k, const char *sentence);

#endif

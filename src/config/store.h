/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the configuration, all in one folder (DIR/state/config):
 *
 *   rNNNNNN-HOW.json   each configuration that was in force: a revision, JSON of RFC 7951
 *   rNNNNNN-HOW.lines  the same as lines on top of an earlier one (revision.c)
 *   running            a link to the revision in force
 *   running.json       a link to the newest of these that is JSON, for people: the one in force, or
 *                      until heddle-config has a quiet moment one before it
 *   candidate          what is being edited: a JSON text, or lines on top of running
 *   pending            an unconfirmed change: to which revision to return, after how long
 *   node               what processes read when they start (heddle-kira)
 *
 * Every step is one rename that was preceded by fsync, so a machine that dies between any two finds
 * one of the two states, never a mixture.
 */
#ifndef HD_CONFIG_STORE_H
#define HD_CONFIG_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define HD_STORE_ROLLBACKS 50 /* revisions kept besides the one in force */
#define HD_STORE_FILE_MAX  ((size_t)256 << 20)
#define HD_STORE_HOW       16
#define HD_STORE_REVISIONS 512 /* that are looked at; more are never made */

struct hd_revision {
    uint32_t number;
    char how[HD_STORE_HOW]; /* apply, rollback, returned */
    bool lines;             /* it is lines on top of another one */
    bool twice;             /* it is there as JSON and as lines */
    int64_t unix_s;
};

struct hd_unconfirmed {
    uint32_t back_to;  /* 0: the empty configuration */
    uint32_t seconds;  /* until it returns */
    uint32_t restarts; /* of all processes that the change itself asks for */
};

/* A whole file, NUL-terminated, for the caller to free; HD_ENOENT, HD_ELIMIT or HD_ESYS. */
HD_MUST_USE int hd_store_read(int dir, const char *name, char **text);
/* Replaces a file whole, durably. */
HD_MUST_USE int hd_store_write(int dir, const char *name, const char *text, size_t len);
/* Adds to a file, durably; makes it. */
HD_MUST_USE int hd_store_append(int dir, const char *name, const char *text);
/* Durably gone; nothing when it is not there. */
HD_MUST_USE int hd_store_remove(int dir, const char *name);

/* Newest first; the count. */
size_t hd_store_revisions(int dir, struct hd_revision *v, size_t max);
/* Whether it is one to go back to from `running`: older, and not one that was taken back. */
bool hd_store_is_rollback(const struct hd_revision *r, uint32_t running);
HD_MUST_USE int hd_store_revision_read(int dir, const struct hd_revision *r, char **text);
/* Bytes of its file; 0: it is not there. */
size_t hd_store_revision_size(int dir, const struct hd_revision *r);
/* The one of this number; HD_ENOENT: there is none. */
HD_MUST_USE int hd_store_revision_find(int dir, uint32_t number, struct hd_revision *r);
/* A new one, not yet in force; base: of lines, on top of which they are; 0: it is JSON. */
HD_MUST_USE int hd_store_revision_add(int dir, const char *how, uint32_t base, const char *text,
                                      struct hd_revision *made);
/* The base of one that is lines, which follow in the text that was read: 0 or HD_EMALFORMED. */
HD_MUST_USE int hd_store_lines_open(const char *text, uint32_t *base, const char **lines);
/* Makes one that is lines JSON, also where it is in force. */
HD_MUST_USE int hd_store_revision_settle(int dir, struct hd_revision *r, const char *json);
HD_MUST_USE int hd_store_revision_remove(int dir, const struct hd_revision *r);
HD_MUST_USE int hd_store_revision_rename(int dir, const struct hd_revision *r, const char *how);
/* The one in force: HD_ENOENT when none ever was. */
HD_MUST_USE int hd_store_running(int dir, struct hd_revision *r);
/* Puts one in force; NULL: none. */
HD_MUST_USE int hd_store_run(int dir, const struct hd_revision *r);
/* Removes those that are too old and no others' base, and those that never came into force. */
void hd_store_prune(int dir, uint32_t running);

HD_MUST_USE int hd_store_pending(int dir, struct hd_unconfirmed *p);
HD_MUST_USE int hd_store_pending_write(int dir, const struct hd_unconfirmed *p);

#endif

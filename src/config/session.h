/* SPDX-License-Identifier: Apache-2.0 */
/* What the process heddle-config keeps while it lives, and what its files share. Not for others. */
#ifndef HD_CONFIG_SESSION_H
#define HD_CONFIG_SESSION_H

#include <jansson.h>

#include "config/config.h"
#include "config/seal.h"
#include "config/store.h"
#include "daemon/channel.h"

struct hd_session {
    struct hd_schema schema;
    struct hd_seal seal;
    int dir, channel; /* channel -1: there is no router, changes are only kept */
    void *buffer;     /* HD_CHANNEL_MAX */
    struct lyd_node *running, *candidate;
    bool running_known, editing; /* the trees are those of the files */
    struct hd_touched touched;   /* in which the candidate differs from what runs */
    struct lyd_node *spare;      /* another tree of what runs, to be edited; or NULL */
    struct hd_image image;       /* of running */
    bool image_known;
    struct hd_text load; /* pieces of a text that is being sent */
    char load_id[40];    /* whose; what is sent under another one does not belong to it */
    bool loading;        /* the first piece has come */
    uint32_t transaction;
    size_t whole_below; /* a configuration of fewer bytes is always written whole */
    /* of the request that is answered */
    uint32_t request;
    bool root;
    bool restart;       /* all processes are to begin anew */
    bool confirm_news;  /* what waits for a confirmation has changed */
    uint32_t confirm_s; /* it must come within; 0: nothing waits */
};

/* --- session.c: trees and files ------------------------------------------------------------------
 */

HD_MUST_USE int hd_session_open(struct hd_session *s, int dir, int channel, const char *search,
                                struct hd_fault *f);
void hd_session_close(struct hd_session *s);
HD_MUST_USE int hd_session_running(struct hd_session *s, struct hd_fault *f);
/* What is being edited; begins with what runs. */
HD_MUST_USE int hd_session_candidate(struct hd_session *s, struct hd_fault *f);
/* Its file makes it again: needed whenever what runs has changed, on which it is built. */
void hd_session_forget_candidate(struct hd_session *s);
/*
 * The candidate becomes what runs, and so does its image. lines made it of what ran before, which
 * they make the spare tree: a copy of a large tree takes longer than all else. NULL: there are
 * none.
 */
void hd_session_take(struct hd_session *s, struct lyd_node **tree, struct hd_image *is,
                     const char *lines);
/* None of the trees is what the files say. */
void hd_session_forget(struct hd_session *s);
/* Puts a tree in place of the candidate and saves it. */
HD_MUST_USE int hd_session_replace(struct hd_session *s, struct lyd_node *tree, struct hd_fault *f);
HD_MUST_USE int hd_session_discard(struct hd_session *s, struct hd_fault *f);
/* Runs one line on the candidate and saves it. */
HD_MUST_USE int hd_session_line(struct hd_session *s, const char *line, struct hd_fault *f);
HD_MUST_USE int hd_session_image(struct hd_session *s, struct hd_fault *f);
/*
 * Checks a tree that may become what runs, and makes its image: of the candidate, only what was
 * edited is looked at (but by libyang).
 */
HD_MUST_USE int hd_session_check(struct hd_session *s, struct lyd_node **tree, struct hd_fault *f);
HD_MUST_USE int hd_session_make(struct hd_session *s, struct lyd_node *const *tree,
                                struct hd_image *i, struct hd_fault *f);
/* A fault that says that a file could not be read or written. */
int hd_session_file(struct hd_fault *f, int error, const char *name);

/* What to do when nobody has asked for a moment; false: nothing. */
bool hd_session_rest(struct hd_session *s);
/* The lines that make the candidate of what runs, for the caller to free; NULL: it has no such. */
char *hd_session_lines(struct hd_session *s);

/* --- revision.c: what was in force ---------------------------------------------------------------
 */

HD_MUST_USE int hd_revision_read(struct hd_session *s, const struct hd_revision *r,
                                 struct lyd_node **tree, struct hd_fault *f);
/* A new one, not yet in force; lines: that make it of what is in force; NULL: not known. */
HD_MUST_USE int hd_revision_add(struct hd_session *s, const struct lyd_node *tree,
                                const char *lines, const char *how, struct hd_revision *made,
                                struct hd_fault *f);
/* Whether the one in force is JSON, as far as we have it; makes it so. */
bool hd_revision_settled(const struct hd_session *s);
HD_MUST_USE int hd_revision_settle(struct hd_session *s);

/* --- apply.c: the transaction --------------------------------------------------------------------
 */

struct hd_applied {
    bool changed;
    struct hd_image_change total;
    uint32_t revision;
    /* nanoseconds */
    int64_t check_ns, image_ns, compare_ns, transfer_ns, store_ns;
};

/*
 * Puts a tree in force: all of it or nothing. Takes the tree on success, when it becomes `running`.
 * confirm_s: returns by itself after so many seconds; 0: stays.
 */
HD_MUST_USE int hd_apply(struct hd_session *s, struct lyd_node **tree, const char *how,
                         uint32_t confirm_s, struct hd_applied *a, struct hd_fault *f);
HD_MUST_USE int hd_apply_confirm(struct hd_session *s, struct hd_fault *f);
/* Returns to what was before an unconfirmed change; nothing when none is pending. */
HD_MUST_USE int hd_apply_return(struct hd_session *s, struct hd_fault *f);
/* Tells a new router everything. */
HD_MUST_USE int hd_apply_push(struct hd_session *s, struct hd_fault *f);
/* What the start of manage means for an unconfirmed change, and for what was left half done. */
HD_MUST_USE int hd_apply_boot(struct hd_session *s, struct hd_fault *f);

/* --- serve.c -------------------------------------------------------------------------------------
 */

/* Answers one request; false: the channel is gone. */
bool hd_serve(struct hd_session *s, const struct hd_msg_config_ask *ask, const char *json,
              size_t len);

#endif

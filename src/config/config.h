/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration tree (design.md, section 6): what heddle-config, a process of its own, does
 * with libyang. Nothing else in Heddle links that library: the tree may be large and its parser is
 * not ours, so both live in a process that holds no privilege, may crash without anybody noticing,
 * and gives all of its memory back by ending when nobody edits.
 *
 *   schema.c    the YANG modules, and which of their nodes have a row in src/bind
 *   path.c      flat paths ("/sample/object=5/weight") to nodes and back
 *   tree.c      JSON text and `set` lines into a tree, checks, and out again
 *   rows.c      a checked tree as rows
 *   image.c     rows as what cores take; comparison
 *   image_edit.c  the same by what an edit touched
 *   seal.c      secrets, sealed before they are kept anywhere
 *   store.c     files: running, candidate, pending confirmation, revisions
 *   complete.c  what may come next on a line
 *   serve.c     requests of people; apply.c: the transaction
 *   main.c      the process: channel to manage
 */
#ifndef HD_CONFIG_CONFIG_H
#define HD_CONFIG_CONFIG_H

#include <libyang/libyang.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bind/config.h"

/* What is wrong, where: what people get to read. */
struct hd_fault {
    char code[24];
    char path[512]; /* in the tree; empty: unknown */
    unsigned line;  /* of the text that was read; 0: none */
    char message[768];
};

/* Fills a fault; returns HD_EINVAL, so that refusing is one statement. */
int hd_fault_set(struct hd_fault *f, const char *code, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* --- schema.c ------------------------------------------------------------------------------------
 */

#define HD_CONFIGS_MAX 16

/* What a node of the schema means to us; hangs at lysc_node.priv. */
struct hd_bound {
    uint8_t config; /* index for hd_config_at */
    uint8_t kind;   /* enum hd_bound_kind */
    uint8_t read;   /* how a leaf's value is read: see image.c */
    int16_t list;   /* index in the config's lists; -1: the head */
    const struct hd_config *of;
    const struct hd_column *column;
};

enum hd_bound_kind { HD_BOUND_ROOT = 1, HD_BOUND_LIST, HD_BOUND_LEAF };

struct hd_seal; /* seal.h */

struct hd_schema {
    struct ly_ctx *ctx;
    struct hd_seal *seal; /* of secrets; NULL: they are kept as they are */
    struct hd_bound *bound;
    size_t bound_count;
    bool loaded[HD_CONFIGS_MAX]; /* the module of hd_config_at(i) is there */
};

/*
 * Makes the context: our modules, which are part of the program, and the published ones that they
 * need, from the folders in `search` (separated by colons; NULL: where Debian has them). A model
 * whose modules are not all there is left out. 0 or an hd_error with the reason.
 */
HD_MUST_USE int hd_schema_open(struct hd_schema *s, const char *search, struct hd_fault *f);
void hd_schema_close(struct hd_schema *s);

/* The data node of that name below parent (NULL: at the top of any module); NULL: none. */
const struct lysc_node *hd_schema_child(const struct hd_schema *s, const struct lysc_node *parent,
                                        const char *name, size_t len);
/* The data nodes below parent in turn: last NULL, then what it returned, until NULL. */
const struct lysc_node *hd_schema_next(const struct hd_schema *s, const struct lysc_node *parent,
                                       const struct lysc_node *last);
/* What a value of this leaf looks like ("a number from 10 to 3600000"), in words. */
void hd_schema_expected(const struct lysc_node *node, char *buf, size_t size);
/* The type of a leaf's values; NULL: it is no leaf. */
const struct lysc_type *hd_schema_type(const struct lysc_node *node);
/* An identity with the name of its module, in buf or as it is; and without, where that is clear. */
const char *hd_schema_value_long(const struct lysc_node *node, const char *value, char *buf,
                                 size_t size);
const char *hd_schema_value_short(const struct lysc_node *node, const char *value);
/* Whether a leaf has an effect here: it has a row, is a key, or a remark for people. */
bool hd_schema_taken(const struct lysc_node *node);
/* Whether people may configure it. */
bool hd_schema_writable(const struct lysc_node *node);

/* --- path.c --------------------------------------------------------------------------------------
 */

#define HD_CONFIG_PATH 1024

struct hd_config_path {
    char yang[2 * HD_CONFIG_PATH]; /* as libyang writes it */
    const struct lysc_node *node;  /* the last one */
    bool keys;  /* the last one is a list or leaf-list and its key or value was given */
    bool whole; /* ... of all lists on the way, too */
};

/* A flat path to a node that may be configured: 0, or HD_EINVAL with the fault. */
HD_MUST_USE int hd_config_path_read(const struct hd_schema *s, const char *text, size_t len,
                                    struct hd_config_path *p, struct hd_fault *f);
/* The flat path of a node of a tree; false: longer than size. */
bool hd_config_path_write(const struct hd_schema *s, const struct lyd_node *node, char *buf,
                          size_t size);
/* A value as one word of a line, quoted where it must be; and back (in place). */
void hd_config_word_write(const char *value, struct hd_text *t);
bool hd_config_word_read(char *word);

/* --- tree.c --------------------------------------------------------------------------------------
 */

/* JSON (RFC 7951) to a tree, not yet checked as a whole; NULL is the empty one. */
HD_MUST_USE int hd_tree_read(const struct hd_schema *s, const char *json, struct lyd_node **tree,
                             struct hd_fault *f);
/* The line with its secret sealed, for the caller to free; NULL: it holds none. */
HD_MUST_USE int hd_tree_seal_line(const struct hd_schema *s, const char *line, char **sealed,
                                  struct hd_fault *f);
/*
 * Lines, "set PATH VALUE" or "delete PATH"; blank ones and those with # do nothing. The fault says
 * which line; the tree may have changed up to there.
 */
HD_MUST_USE int hd_tree_lines(const struct hd_schema *s, struct lyd_node **tree, const char *text,
                              struct hd_fault *f);
/* Adds defaults and checks everything that the models demand. */
HD_MUST_USE int hd_tree_check(const struct hd_schema *s, struct lyd_node **tree,
                              struct hd_fault *f);

/*
 * Places in which a tree differs, or may differ, from one that it was made of: those that lines
 * named, and those that the check of the whole changed by itself.
 */
struct hd_touched {
    char **paths; /* as libyang writes them */
    size_t count, cap;
    bool all;    /* nobody knows: anything may differ */
    bool pruned; /* the check took something away that somebody had set */
};

/* Without memory, or with very many, it becomes all. */
void hd_touched_add(struct hd_touched *t, const char *yang);
void hd_touched_free(struct hd_touched *t);

/* hd_tree_lines and hd_tree_check that note what they touch. */
HD_MUST_USE int hd_tree_edit(const struct hd_schema *s, struct lyd_node **tree, const char *text,
                             struct hd_touched *t, struct hd_fault *f);
HD_MUST_USE int hd_tree_recheck(const struct hd_schema *s, struct lyd_node **tree,
                                struct hd_touched *t, struct hd_fault *f);
/* The whole as JSON, for the caller to free; NULL: out of memory. Without what is default. */
char *hd_tree_print(const struct lyd_node *tree);
/* The whole, or what lies below a path (NULL: all), as `set` lines, each with its line end. */
void hd_tree_print_lines(const struct hd_schema *s, const struct lyd_node *tree, struct hd_text *t);

/* Lines of one text that the other does not have: "- line" and "+ line", sorted by path. */
HD_MUST_USE int hd_lines_diff(const struct hd_text *was, const struct hd_text *is,
                              struct hd_text *out);

/* --- image.c, image_edit.c
 * -------------------------------------------------------------------------------------
 */

struct hd_image_part {
    bool present; /* the core is configured */
    uint8_t *bytes;
    size_t len;
    uint64_t digest; /* hd_image_digest */
    bool digest_known;
};

struct hd_sheet; /* rows.h */

struct hd_image {
    struct hd_image_part part[HD_CONFIGS_MAX]; /* by the index of hd_config_at */
    struct hd_config_secret *secrets;          /* HD_CONFIG_SECRETS_MAX */
    uint32_t secret_count;
    struct hd_sheet *sheets; /* the rows that it was made of */
};

/* A checked tree as structs, lists sorted by key. */
HD_MUST_USE int hd_image_make(const struct hd_schema *s, const struct lyd_node *tree,
                              struct hd_image *i, struct hd_fault *f);
/*
 * The same for a tree that differs from that of `was` in touched places only, at the cost of those:
 * 0, or HD_EAGAIN: that cannot be said of it, make the whole.
 */
HD_MUST_USE int hd_image_edit(const struct hd_schema *s, const struct lyd_node *was_tree,
                              const struct hd_image *was, const struct lyd_node *tree,
                              const struct hd_touched *t, struct hd_image *i);
void hd_image_free(struct hd_image *i);
/* By which a router knows what it has (hd_config_digest); worked out when it is first asked for. */
uint64_t hd_image_digest(struct hd_image *i, size_t config);

/* Whether both have the same secrets. */
bool hd_image_same_secrets(const struct hd_image *a, const struct hd_image *b);

struct hd_image_change {
    uint32_t added, changed, removed; /* rows */
    bool head;                        /* something outside of lists */
    bool start;                       /* something that is read when processes start */
};

/* What differs in one part. */
void hd_image_compare(size_t config, const struct hd_image *was, const struct hd_image *is,
                      struct hd_image_change *c);

/*
 * The same as a core takes it (model/config_delta.h), for the caller to free: false where the whole
 * is the better way to say it. The digest of what it leads to is known then.
 */
bool hd_image_delta(size_t config, struct hd_image *was, struct hd_image *is, uint8_t **bytes,
                    size_t *len);

/* --- complete.c ----------------------------------------------------------------------------------
 */

struct hd_completion {
    char word[HD_CONFIG_PATH];
    char what[256]; /* from the model's description */
};

/*
 * What may follow the beginning of a path (value false) or of a value of the leaf at path. The tree
 * gives the keys that exist. Returns how many there are, at most max of them in out.
 */
size_t hd_complete_path(const struct hd_schema *s, const struct lyd_node *tree, const char *path,
                        struct hd_completion *out, size_t max);
size_t hd_complete_value(const struct hd_schema *s, const char *path, const char *begin,
                         struct hd_completion *out, size_t max);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration rows: how a validated YANG tree becomes what a core's `configure` takes.
 *
 * A core's configuration is one run of bytes: a head, then for each of its lists the rows, in the
 * order in which the table here names them; the head counts them. The columns are those of
 * src/bind (bind.h): the same table that prints a row says from which leaf its member comes. The
 * name of a column is the path of its leaf below the head's root or below the list; a name that
 * begins with '/' is the path of a key of a list further up.
 *
 * The bytes travel from the process that holds the tree to the router, which knows no YANG
 * (design.md, section 6). A model adds one file with its tables and one line in configs.c;
 * tests/unit/config checks that each leaf has its column.
 */
#ifndef HD_BIND_CONFIG_H
#define HD_BIND_CONFIG_H

#include "bind/bind.h"
#include "model/config_delta.h"
#include "model/ids.h"

#define HD_CONFIG_SECRET      20 /* bytes of the longest secret */
#define HD_CONFIG_SECRETS_MAX 64 /* as many as the sender keeps (linux/sender.h) */
#define HD_CONFIG_LISTS_MAX   12 /* of one configuration */
#define HD_CONFIG_KEEP_NONE   UINT16_MAX

/*
 * A list of the tree, bound to an array of rows. Several lists may fill one array (virtual routers
 * of IPv4 and of IPv6), and a row may hold more than its core takes: what `finish` needs.
 */
struct hd_config_list {
    const char *path;            /* of the list in the schema */
    const struct hd_list *rows;  /* its columns; those with HD_COL_KEY sort it */
    uint16_t count_offset;       /* of a uint32_t in the head */
    void (*complete)(void *row); /* sets members that no leaf gives, such as a kind; or NULL */
    uint8_t into;                /* 1 + the list before this one whose array they join; 0: none */
    uint8_t parent;              /* 1 + the list in whose rows this one lies; 0: none */
    uint16_t parent_offset;      /* of a uint32_t that takes the number of that row */
    uint16_t keep; /* bytes of a row that the core takes; 0: all; HD_CONFIG_KEEP_NONE: none */
};

#define HD_CONFIG_SECRETS 0xffff /* in a transaction, in the place of a core: what follows */

/* A secret on its way to whoever signs; a core knows its handle only (struct hd_auth). */
struct hd_config_secret {
    uint32_t handle;
    uint8_t len;
    uint8_t bytes[HD_CONFIG_SECRET];
};

/* All rows of a configuration before the core sees them, and what a check says of them. */
struct hd_config_rows {
    void *head;
    struct {
        void *v; /* of the array; NULL for lists that joined another one */
        uint32_t count;
    } lists[HD_CONFIG_LISTS_MAX];
    uint32_t roots; /* how often the root is there, where a list contains it */
    struct hd_config_secret *secrets;
    uint32_t secret_count; /* room for HD_CONFIG_SECRETS_MAX */
    /* why it is refused: */
    int wrong_list; /* -1: not one row alone */
    uint32_t wrong_row;
    const char *wrong_leaf; /* below the row; or NULL */
    char why[256];
};

/* A module that is needed, with the features of it that are offered (up to NULL). */
struct hd_config_module {
    const char *name; /* NULL: the last one */
    const char *features[5];
};

struct hd_config {
    uint8_t core;                             /* enum hd_core_number */
    const char *module;                       /* of ours: the last one that is loaded */
    const struct hd_config_module *published; /* before it; or NULL */
    const char *root; /* path of a container; the head's columns lie below it */
    bool always;      /* configured also when the root is absent */
    const struct hd_list *head;
    uint32_t list_count;
    const struct hd_config_list *lists;
    void (*complete)(void *head);
    bool by_rows; /* configured when it has a row, or when another one needs it */
    /* Checks all of it, and sets what follows from several leaves: 0, or HD_EINVAL with the reason;
     * or NULL. */
    int (*finish)(struct hd_config_rows *r);
    /* Whether what this core is told needs that one; or NULL. */
    bool (*needs)(const void *bytes, uint8_t core);
};

/* How many bytes of each row are in the core's array; 0: the list has no array of its own. */
uint32_t hd_config_row_bytes(const struct hd_config_list *l);
/* Fills the reason of a refusal; returns HD_EINVAL. */
int hd_config_wrong(struct hd_config_rows *r, int list, uint32_t row, const char *leaf,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));

#define HD_CONFIG_BYTES_MAX                                                                        \
    ((uint32_t)24 << 20) /* of one core: half of what a pool's block holds */

/* All of them in turn: i = 0, 1, ... until NULL; and that of a core, NULL when it takes none. */
const struct hd_config *hd_config_at(size_t i);
const struct hd_config *hd_config_of(uint8_t core);

/*
 * A number that changes with the layout of any row: processes of different builds must not exchange
 * them.
 */
uint64_t hd_config_layout(void);

/* Whether these bytes are a head and as many rows as it says. */
bool hd_config_well_formed(const struct hd_config *c, const void *bytes, size_t len);

/* --- the bytes compared and changed (config_change.c) --------------------------------------------
 *
 * Everywhere below, bytes are well formed.
 */

/* One of the arrays behind the head; edits name it by its number. */
struct hd_config_array {
    const struct hd_config_list *list;
    size_t at; /* in the bytes */
    const uint8_t *rows;
    uint32_t count, size; /* rows, and bytes of each */
};

/* The array with this number; false: there are fewer. bytes NULL: it is empty. */
bool hd_config_array_at(const struct hd_config *c, const void *bytes, uint32_t n,
                        struct hd_config_array *a);
/* Where rows of a list stand to each other by their keys: below 0, 0 or above. */
int hd_config_row_order(const struct hd_list *l, const void *a, const void *b);

/* Hears each row that differs, in the order of a delta; either side may be NULL: no rows. */
typedef void hd_config_found(void *arg, const struct hd_config_edit *e);
void hd_config_compare(const struct hd_config *c, const void *was, const void *is,
                       hd_config_found *found, void *arg);

/* Whether a delta stands on these bytes and leads to such that a core may be given. */
bool hd_config_delta_suits(const struct hd_config *c, const void *bytes, size_t len,
                           const struct hd_config_delta *d);
/* Carries one that suits out in place, in room for HD_CONFIG_BYTES_MAX; returns the new length. */
size_t hd_config_delta_apply(const struct hd_config *c, void *bytes, size_t len,
                             const struct hd_config_delta *d);

/*
 * By which two processes know that they mean the same configuration: a sum over head and rows, so
 * that it follows a delta at the delta's cost. It notices mistakes, not forgery.
 */
uint64_t hd_config_digest(const struct hd_config *c, const void *bytes);
/* That of what the delta makes of these bytes, whose digest is given. */
uint64_t hd_config_delta_digest(const struct hd_config *c, const void *bytes, uint64_t digest,
                                const struct hd_config_delta *d);

/* --- what the node itself takes ------------------------------------------------------------------
 */

#define HD_SETTINGS_GLOBS 32
#define HD_SETTINGS_GLOB  32

/*
 * What heddle-kira says. The first part is for the processes that set the node up; it is read at
 * their start. The rest is for the core, at any time.
 */
struct hd_kira_settings {
    struct hd_id node_id; /* all zero: the one it drew */
    uint16_t node_prefix;
    uint16_t label_prefix;
    uint8_t open;
    uint8_t reserved[1];
    uint16_t glob_count;
    char globs[HD_SETTINGS_GLOBS][HD_SETTINGS_GLOB];
    /* live: */
    uint16_t bucket_size;
    uint16_t shallow_bucket_size;
};

/* How much of it is read at a start. */
#define HD_SETTINGS_START offsetof(struct hd_kira_settings, bucket_size)

/* What stands when nothing is configured. */
void hd_kira_settings_default(struct hd_kira_settings *s);

#endif

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
#include "model/ids.h"

/* A list of the tree, bound to an array of rows. */
struct hd_config_list {
    const char *path;            /* of the list in the schema */
    const struct hd_list *rows;  /* its columns; those with HD_COL_KEY sort it */
    uint16_t count_offset;       /* of a uint32_t in the head */
    void (*complete)(void *row); /* sets members that no leaf gives, such as a kind; or NULL */
};

struct hd_config {
    uint8_t core;       /* enum hd_core_number */
    const char *module; /* that must be loaded */
    const char *root;   /* path of a container; the head's columns lie below it */
    bool always;        /* configured also when the root is absent */
    const struct hd_list *head;
    uint32_t list_count;
    const struct hd_config_list *lists;
    void (*complete)(void *head);
};

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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a tree before they are an image: for each configuration a head, and for each of its
 * arrays the rows as they were read, with what `finish` needs beside what the core takes. Shared by
 * image.c (the whole) and image_edit.c (what an edit touched). Not for others.
 */
#ifndef HD_CONFIG_ROWS_H
#define HD_CONFIG_ROWS_H

#include "config/config.h"

struct hd_rows {
    uint8_t *v;
    const struct lyd_node **nodes; /* where each stands in the tree; NULL: not known */
    size_t count, cap;
};

struct hd_sheet {
    uint8_t *head;
    bool present;                             /* its root is there */
    uint32_t roots;                           /* how often */
    bool at_head;                             /* the walk met the root, or a leaf of the head */
    struct hd_rows rows[HD_CONFIG_LISTS_MAX]; /* by the list that has the array */
};

/* One sheet per configuration, empty: HD_CONFIGS_MAX of them; NULL: out of memory. */
struct hd_sheet *hd_sheets_new(void);
/* Wipes what held secrets. */
void hd_sheets_free(struct hd_sheet *sheets);
/* Without the places in the tree. */
struct hd_sheet *hd_sheets_copy(const struct hd_sheet *sheets);
void hd_sheets_forget_nodes(struct hd_sheet *sheets);

/* The list whose array takes the rows of this one. */
uint32_t hd_rows_owner(const struct hd_config *c, uint32_t list);

/* Takes a node with all below it, or it and all behind it, into the sheets: 0, or the fault. */
HD_MUST_USE int hd_rows_take(const struct hd_schema *s, struct hd_sheet *sheets,
                             const struct lyd_node *node, struct hd_fault *f);
HD_MUST_USE int hd_rows_take_all(const struct hd_schema *s, struct hd_sheet *sheets,
                                 const struct lyd_node *tree, struct hd_fault *f);
/* Takes only the head of one configuration, with no look into lists that have rows. */
HD_MUST_USE int hd_rows_take_head(const struct hd_schema *s, struct hd_sheet *sheets, size_t config,
                                  const struct lyd_node *tree, struct hd_fault *f);
/* Sorts all arrays of one configuration by their keys. */
HD_MUST_USE int hd_rows_sort(const struct hd_config *c, struct hd_sheet *sheet);

/*
 * From sorted sheets to what the cores take: each configuration's own checks, then its bytes. The
 * image keeps the sheets, also when it is refused (hd_image_free).
 */
HD_MUST_USE int hd_image_finish(const struct hd_schema *s, struct hd_image *i, struct hd_fault *f);

#endif
